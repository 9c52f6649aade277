// In RISE alone: slides whose explorers live.
//
// RISE 0.43 carries JupyterLab's parts of 4.3 and shares them with extensions, but not the consoles, which the widgets'
// extension asks for by now; so no widget is shown (jupyterlab-contrib/rise, issues 119 and 126). We hand out consoles
// that nobody opens. Then all cells are run, since nobody should do that before a class, and code is folded away.

const STYLE = `
  .reveal .slides > section > section { max-height: 94vh; overflow: hidden auto; }
  .reveal .jp-Notebook { max-width: 1500px; margin: 0 auto; }
  .reveal .jp-RenderedHTMLCommon { font-size: 24px; line-height: 1.45; }
  .reveal .jp-RenderedHTMLCommon table { font-size: 22px; }
  .reveal .jp-RenderedHTMLCommon pre, .reveal .cm-editor { font-size: 19px; }
  .reveal .viva-picture { max-width: calc(48vh * var(--viva-aspect)); }
  .reveal .viva-readouts { font-size: 18px; }
  .reveal .jp-InputPrompt, .reveal .jp-OutputPrompt, .reveal .jp-Collapser, .reveal .jp-InputPlaceholder { display: none; }
`;
let shared;

function init(scope) {
  shared = scope;
  const IConsoleTracker = { name: "@jupyterlab/console:IConsoleTracker" };
  const consoles = { IConsoleTracker, CodeConsole: class {}, ConsolePanel: class {} };
  scope["@jupyterlab/console"] ??= { "4.6.2": { get: async () => () => consoles, from: "viva-slides", loaded: 1 } };
}

async function get() {
  const [notebooks] = Object.values(shared["@jupyterlab/notebook"]);
  const { INotebookTracker, NotebookActions } = (await notebooks.get())();

  async function present(_, panel) {
    document.head.append(Object.assign(document.createElement("style"), { textContent: STYLE }));
    await panel.context.ready;
    await panel.sessionContext.ready;
    for (const cell of panel.content.widgets) {
      const written = cell.model.sharedModel.source.includes("\n    ...\n"); // what you write in class stays
      if (cell.model.type == "code" && !written) cell.inputHidden = true;
    }
    await NotebookActions.runCells(panel.content, panel.content.widgets, panel.sessionContext); // and stay where we are
    document.querySelectorAll("details").forEach(answer => { answer.open = true; }); // it is a fragment: hidden till then
    document.body.dataset.vivaRan = true;
  }

  const activate = (app, tracker) => app.name == "Rise" && tracker.widgetAdded.connect(present);
  return () => ({ __esModule: true, default: { id: "viva-slides", autoStart: true, requires: [INotebookTracker], activate } });
}

(window._JUPYTERLAB ??= {})["viva-slides"] = { init, get };
