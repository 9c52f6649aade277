// Plays the films that classroom/record.py has made, in a page without a kernel. To canvas.js, which JupyterLab uses too
// and which the builder puts before these lines as the text `vivaCanvas`, a film is its model: it answers what the canvas
// sends, and sends it frames. Classic scripts and a blob: all of it works from files alone.

const vivaFilms = {}; // by name: what to call with the film; each film's file calls it

(() => {
  const REACH = 12; // how near to a handle you must press, in pixels of a picture of the explorer's own size
  const ARROWS = { left: [-1, 0], right: [1, 0], down: [0, -1], up: [0, 1] };
  const here = document.currentScript.src;
  const canvas = import(URL.createObjectURL(new Blob([vivaCanvas], { type: "text/javascript" })));

  class Model {
    constructor(film, explorer) {
      Object.assign(this, { film, listeners: {}, views: new Set(), bytes: [], chosen: 0, wanted: null });
      this.held = { name: film.name, aspect: film.aspect, draggable: film.handles.length > 0, cursor: "default" };
      this.now = 0; // a film's first state is the opening one
      this.reset = explorer.querySelector(".viva-reset");
      this.inputs = film.controls.map(({ name }) => explorer.querySelector(`[name="${name}"]`));
      this.inputs.forEach((input, number) => { input.oninput = () => this.move(number, position(input)); });
      this.reset.onclick = () => this.show(0);
      this.reset.disabled = false;
      this.arrange();
    }

    // --- what anywidget gives a canvas ---------------------------------------------------------------------------------

    get(name) { return this.held[name]; }
    set(name, value) { this.held[name] = value; }
    save_changes() { this.follow(this.held.gesture); }
    on(event, listener) { (this.listeners[event] ??= new Set()).add(listener); }
    off(event, listener) { this.listeners[event]?.delete(listener); }
    tell(event, ...what) { this.listeners[event]?.forEach(listener => listener(...what)); }

    send({ kind, view, key }) {
      if (kind == "view") this.views.add(view), this.paint();
      else if (kind == "key") this.press(key);
      else if (kind == "gone") this.views.delete(view);
      this.tell("msg:custom", { kind: "heard" }, []);
    }

    // --- the film ------------------------------------------------------------------------------------------------------

    paint() {
      const { frame, readouts } = this.film.states[this.now];
      this.bytes[frame] ??= Uint8Array.from(atob(this.film.frames[frame]), letter => letter.charCodeAt(0));
      const content = { kind: "frame", views: [...this.views], size: this.film.size, place: [0, 0], readouts, alert: "" };
      this.tell("msg:custom", content, [this.bytes[frame]]);
    }

    // Show a state: the newest that was wanted when the screen draws next.
    show(state) {
      if (this.wanted == null) requestAnimationFrame(() => {
        this.now = this.wanted;
        this.wanted = null;
        this.paint();
      });
      this.wanted = state;
      this.arrange();
    }

    move(control, position) {
      const { states } = this.film.controls[control];
      this.show(states[Math.min(Math.max(position, 0), states.length - 1)]);
    }

    // Let the controls say what is shown.
    arrange() {
      const { texts, gray } = this.film.states[this.wanted ?? this.now];
      this.film.controls.forEach(({ name, kind, texts: all }, number) => {
        const input = this.inputs[number], text = texts[name], at = all.indexOf(text);
        input.disabled = gray.includes(name);
        if (kind == "switch") input.checked = text == "on";
        else if (kind == "choice") input.selectedIndex = at;
        else {
          if (at >= 0) input.value = at;
          input.setAttribute("aria-valuetext", text);
          input.nextElementSibling.textContent = text;
        }
      });
    }

    // --- the hand on the picture ---------------------------------------------------------------------------------------

    place(handle) { return this.film.states[this.wanted ?? this.now].places[handle]; }

    // The handle within reach of a point, both as shares of the picture.
    under([x, y]) {
      return this.film.handles.findIndex(({ box: [[left, bottom], [right, top]] }, number) =>
        left <= x && x <= right && bottom <= y && y <= top && this.distance(this.place(number), [x, y]) <= REACH);
    }

    distance(place, point) {
      const { size, scale } = this.film;
      return Math.hypot(...place.map((share, axis) => share == null ? 0 : (share - point[axis]) * size[axis] / scale));
    }

    follow({ id, start, place, down }) {
      if (start && id != this.gesture) {
        this.gesture = id;
        this.grabbed = this.under(start);
        this.offset = this.grabbed < 0 ? null : this.place(this.grabbed).map((share, axis) => (share ?? 0) - start[axis]);
      }
      const handle = start ? this.grabbed : this.under(place);
      this.held.cursor = handle < 0 ? "default" : this.film.handles[handle].cursor;
      this.tell("change:cursor");
      if (!start || handle < 0) return;
      const to = place.map((share, axis) => share + (this.place(handle)[axis] == null ? 0 : this.offset[axis]));
      const { states } = this.film.controls[this.film.handles[handle].control];
      const away = states.map(state => this.distance(this.film.states[state].places[handle], to));
      this.show(states[away.indexOf(Math.min(...away))]);
    }

    // An arrow moves the chosen handle by a hundredth of its axes, with Shift by a twentieth, at least to the next position.
    press(key) {
      const { handles, controls, states } = this.film, arrow = ARROWS[key.replace("shift+", "")];
      if (!arrow) this.chosen = (this.chosen + (key == "p" ? handles.length - 1 : 1)) % handles.length;
      else {
        const { control, box } = handles[this.chosen], from = this.place(this.chosen);
        const ways = controls[control].states.map(state => {
          const to = states[state].places[this.chosen];
          return [0, 1].reduce((sum, axis) =>
            sum + (from[axis] == null ? 0 : (to[axis] - from[axis]) * arrow[axis] / (box[1][axis] - box[0][axis])), 0);
        });
        const step = key.startsWith("shift+") ? 0.05 : 0.01;
        const ahead = ways.map((way, position) => [way, position]).filter(([way]) => way > 1e-3).sort(([a], [b]) => a - b);
        const next = ahead.find(([way]) => way >= step) ?? ahead.at(-1);
        if (next) this.move(control, next[1]);
      }
    }
  }

  function position(input) {
    return input.type == "checkbox" ? (input.checked ? 0 : 1) : input.selectedIndex ?? Number(input.value);
  }

  async function play(explorer, film) {
    const { default: { render } } = await canvas;
    const el = explorer.querySelector(".viva-canvas"), picture = el.querySelector("img");
    await picture.decode().catch(() => {});
    render({ model: new Model(film, explorer), el });
    const frame = el.querySelector(".viva-picture");
    frame.style.background = `url("${picture.src}") 0 0 / 100% 100%`; // until the first frame is painted over it
    el.querySelector(".viva-readouts").innerHTML = film.states[0].readouts;
    explorer.dataset.plays = "";
  }

  addEventListener("load", () => {
    const near = new IntersectionObserver(entries => entries.forEach(({ isIntersecting, target: explorer }) => {
      if (!isIntersecting) return;
      near.unobserve(explorer);
      const { film } = explorer.dataset;
      vivaFilms[film] = loaded => play(explorer, loaded);
      const script = document.createElement("script");
      script.src = new URL(`films/${film}.js`, here);
      document.head.append(script);
    }), { rootMargin: "150%" });
    document.querySelectorAll("[data-film]").forEach(explorer => near.observe(explorer));
  });
})();
