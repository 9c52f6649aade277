// Keys for the flash card around this element: a key does what its button does.

function render({ el }) {
  let quiz = null;

  const press = event => {
    const reveal = event.key == " " || (event.key == "Enter" && !event.shiftKey);
    if ((!reveal && !/^[1-4]$/.test(event.key)) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.stopPropagation(); // JupyterLab would turn the cell into a heading
    if (reveal && event.target.closest("button")) return; // the button does it by itself
    event.preventDefault();
    if (!event.repeat) quiz.querySelector(reveal ? ".viva-reveal" : `.viva-grade-${event.key}`).click();
  };
  const focus = () => quiz.focus({ preventScroll: true }); // a button that greys out loses the focus

  function start() {
    quiz = el.closest(".viva-quiz");
    if (!quiz) return requestAnimationFrame(start); // not in the page yet
    quiz.tabIndex = 0;
    quiz.setAttribute("role", "group");
    quiz.setAttribute("aria-label", "Flash card. Space shows the answer, 1 to 4 grade it.");
    quiz.addEventListener("keydown", press);
    quiz.addEventListener("click", focus);
  }
  const waiting = requestAnimationFrame(start);

  return () => {
    cancelAnimationFrame(waiting);
    quiz?.removeEventListener("keydown", press);
    quiz?.removeEventListener("click", focus);
  };
}

export default { render };
