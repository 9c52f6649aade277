// Code to take along, with a button that copies it: JupyterLab lets no page put text into a cell without asking.

function render({ model, el }) {
  const say = text => model.get("texts")[text] ?? text;
  el.innerHTML = `<pre></pre><button class="jupyter-button widget-button mod-primary viva-copy">${say("Copy")}</button>`;
  const [code, button] = el.children;
  code.textContent = model.get("text");
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = say("Copied");
    } catch { // not allowed here: then by hand
      getSelection().selectAllChildren(code);
    }
  };
}

export default { render };
