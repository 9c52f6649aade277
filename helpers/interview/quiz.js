// Keys for the flash card around this element: a key does what its button does.

const KEYS = { " ": "reveal", Enter: "reveal", u: "undo", r: "later", s: "suspend" };

function render({ model, el }) {
  const say = text => model.get("texts")[text] ?? text;
  let quiz = null;

  const press = event => {
    const name = /^[1-4]$/.test(event.key) ? `grade-${event.key}` : KEYS[event.key.length > 1 ? event.key : event.key.toLowerCase()];
    const button = name && quiz.querySelector(`.viva-${name}`);
    if (!button || event.ctrlKey || event.altKey || event.metaKey || (event.key == "Enter" && event.shiftKey)) return;
    if (event.target.closest("select, input")) return;
    event.stopPropagation(); // JupyterLab would turn the cell into a heading
    if (name == "reveal" && event.target.closest("button")) return; // the button does it by itself
    event.preventDefault();
    if (!event.repeat) button.click();
  };
  const focus = event => { // a button that greys out loses the focus
    if (event.target.closest("select, input")) return;
    quiz.focus({ preventScroll: true });
  };

  const sizes = new ResizeObserver(() => { // an answer came: the grades below it stay in view
    if (quiz.matches(":focus-within")) quiz.querySelector(".viva-line").scrollIntoView({ block: "nearest" });
  });

  function start() {
    quiz = el.closest(".viva-quiz");
    if (!quiz) return requestAnimationFrame(start); // not in the page yet
    quiz.tabIndex = 0;
    quiz.setAttribute("role", "group");
    quiz.setAttribute("aria-label", say("Flash card. Space shows the answer, 1 to 4 grade it."));
    if (quiz.closest(".viva-mock")) focus({ target: quiz }); // against the clock, keys work from the first second
    quiz.addEventListener("keydown", press);
    quiz.addEventListener("click", focus);
    sizes.observe(quiz);
  }
  const waiting = requestAnimationFrame(start);

  return () => {
    cancelAnimationFrame(waiting);
    sizes.disconnect();
    quiz?.removeEventListener("keydown", press);
    quiz?.removeEventListener("click", focus);
  };
}

export default { render };
