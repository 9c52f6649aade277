// The page's side of an explorer's picture: paint the frames that the kernel draws, and say where the pointer is, which
// keys were pressed, and how many pixels the picture has here. Nothing is drawn, computed or remembered in the page.

const KEYS = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  n: "n", N: "n", p: "p", P: "p", Delete: "delete", Backspace: "delete",
};
const DOUBT = 500; // milliseconds without a frame before the page asks for an answer
const PATIENCE = 4000; // milliseconds without that answer before it says so
const LOST = "Not connected: run this cell to make it live.";

function render({ model, el }) {
  const view = Math.random().toString(36).slice(2); // each page has its own size and resolution
  const say = text => model.get("texts")?.[text] ?? text;
  el.classList.add("viva-canvas");
  el.style.setProperty("--viva-lost", JSON.stringify(say(LOST))); // for canvas.css, which sees that the model is gone
  el.style.setProperty("--viva-aspect", model.get("aspect"));
  el.innerHTML = `
    <div class="viva-picture"><canvas role="img"></canvas></div>
    <div class="viva-side">
      <table class="viva-readouts" aria-live="polite"></table>
      <div class="viva-alert" role="alert"></div>
      <div class="viva-quiet" role="status"></div>
    </div>`;
  const [frame, canvas, readouts, alert, quiet] = [
    ".viva-picture", "canvas", ".viva-readouts", ".viva-alert", ".viva-quiet",
  ].map(name => el.querySelector(name));
  const context = canvas.getContext("2d");
  canvas.setAttribute("aria-label", model.get("name"));
  if (model.get("draggable")) {
    canvas.tabIndex = 0;
    canvas.style.touchAction = "none"; // a finger drags what it touches instead of the page
  }

  // --- from the kernel -----------------------------------------------------------------------------------------------

  let painting = Promise.resolve(), waiting = null, doubting = null;

  // A frame is the part of the picture that differs from the frame before, so they are painted in order. The text comes
  // with its picture: laid out before it, it would delay it.
  function paint({ size, place, ...content }, bytes) {
    const decoding = createImageBitmap(new Blob([bytes]));
    painting = painting.then(async () => {
      const part = await decoding;
      if (canvas.width != size[0]) canvas.width = size[0]; // which clears it; then the part is whole
      if (canvas.height != size[1]) canvas.height = size[1];
      context.drawImage(part, ...place);
      part.close();
      readouts.innerHTML = content.readouts;
      alert.textContent = content.alert;
    });
  }

  function hear(content, buffers) {
    clearTimeout(doubting);
    clearTimeout(waiting);
    waiting = null;
    quiet.textContent = "";
    if (content.kind == "frame" && content.views.includes(view)) paint(content, buffers[0]);
  }

  // --- to the kernel -------------------------------------------------------------------------------------------------

  function tell(content) {
    waiting ??= setTimeout(() => {
      quiet.textContent = say("No answer: the kernel is busy, or not connected. Then run this cell to make it live.");
    }, PATIENCE);
    try {
      model.send({ ...content, view });
    } catch {
      quiet.textContent = say(LOST);
    }
  }

  function measure() {
    const width = Math.floor(frame.clientWidth);
    if (!width) return; // not on the screen
    canvas.style.width = `${width}px`;
    tell({ kind: "view", width: Math.round(width * devicePixelRatio) });
  }

  // A drag is one value: where it began, where it is, whether the button is still down. ipywidgets keeps only the newest
  // value while the kernel is busy, so nothing queues up, and no release is lost.
  let gestures = 0, start = null;

  function gesture(event, down) {
    const box = canvas.getBoundingClientRect();
    const place = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
    if (down && !start) start = place, gestures += 1;
    model.set("gesture", { id: `${view}-${gestures}`, start, place, down });
    model.save_changes();
    if (!down) start = null;
  }

  canvas.onpointerdown = event => {
    if (event.button != 0) return;
    canvas.setPointerCapture(event.pointerId); // the release reaches us wherever it happens
    gesture(event, true);
  };
  canvas.onpointermove = event => gesture(event, start != null && event.buttons != 0);
  canvas.onpointerup = canvas.onpointercancel = event => start && gesture(event, false);
  canvas.oncontextmenu = event => event.stopPropagation(); // the browser's own menu, which saves the picture

  canvas.onkeydown = event => {
    const key = KEYS[event.key];
    if (!key || event.ctrlKey || event.altKey || event.metaKey) return; // Tab, Escape and all others go their way
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat || !waiting) tell({ kind: "key", key: event.shiftKey ? `shift+${key}` : key });
  };

  // A slider or button beside the picture tells the kernel without us. If no frame follows, somebody should ask why.
  const ask = event => {
    if (waiting || !el.closest(".viva-explorer")?.contains(event.target)) return;
    clearTimeout(doubting);
    doubting = setTimeout(() => tell({ kind: "ping" }), DOUBT);
  };
  const asking = ["pointerup", "keyup"];
  asking.forEach(name => addEventListener(name, ask));

  const sizes = new ResizeObserver(measure);
  sizes.observe(frame);
  let sharpness;
  function watch() { // the page was zoomed, or moved to another screen
    sharpness = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    sharpness.onchange = () => { watch(); measure(); };
  }
  watch();
  const point = () => { canvas.style.cursor = model.get("cursor"); };
  const leave = () => tell({ kind: "gone" });
  model.on("msg:custom", hear);
  model.on("change:cursor", point);
  addEventListener("pagehide", leave);

  return () => {
    sizes.disconnect();
    sharpness.onchange = null;
    asking.forEach(name => removeEventListener(name, ask));
    model.off("msg:custom", hear);
    model.off("change:cursor", point);
    removeEventListener("pagehide", leave);
    leave();
    clearTimeout(doubting);
    clearTimeout(waiting);
  };
}

export default { render };
