"""``python -m helpers.lab``, which `make lab` calls: JupyterLab over your own copy of the notebooks.

The copy lies in your user data folder, so what you write into a notebook survives an update of Viva. A notebook that
you have not edited is brought up to date at every start; one that you have edited stays, until `reset_notebook`
replaces it and keeps yours beside it.
"""

import hashlib
import json
import os
import shutil
import sys
import webbrowser
from datetime import datetime
from pathlib import Path

from .interview.progress import data_folder
from .language import LOCALES, in_english, language, say
from .topics import ROOT, TOPICS

GIVEN = "given.json"  # in the copy: a hash of each notebook as it was handed out


def workbook():
    """Return the folder of the learner's own notebooks."""
    return data_folder() / "notebooks"


def environment():
    """Return your environment with one thread for NumPy and PyTorch, unless it says how many.

    The arrays here are small. On cores that a browser keeps busy, two threads wait for each other at each product, and
    a cell that trains takes up to ten times as long.
    """
    return {"OMP_NUM_THREADS": "1"} | os.environ


def locale():
    """Return your environment with JupyterLab's own settings for your language among those that it reads."""
    folders = [] if language() == "en" else [str(LOCALES / language())]
    folders += filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])
    return {"JUPYTER_CONFIG_PATH": os.pathsep.join(folders)} if folders else {}


def update(source=ROOT / "notebooks"):
    """Bring the learner's notebooks up to date, but for those that they have edited.

    Returns
    -------
    list of str
        The names of the edited notebooks of which there is a newer one.
    """
    folder = workbook()
    folder.mkdir(parents=True, exist_ok=True)
    given, kept = _given(folder), []
    for path in sorted(Path(source).glob("*.ipynb")):
        mine = folder / path.name
        if mine.exists() and _hash(mine) != given.get(path.name):
            kept += [path.stem] if _hash(path) != given.get(path.name) else []
        else:
            _hand_out(path, mine)
            given[path.name] = _hash(path)
    (folder / GIVEN).write_text(json.dumps(given, indent=1), encoding="utf-8")
    return kept


def reset_notebook(name):
    """Replace your copy of a notebook by the original, and keep yours.

    Parameters
    ----------
    name : str
        Such as "05_metrics_roc".

    Returns
    -------
    Path
        Where yours is now.

    Raises
    ------
    ValueError
        If there is no such notebook.
    """
    names = ["00_start_here", *(topic.notebook for topic in TOPICS if topic.ready)]
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}, got {name!r}")
    folder, file = workbook(), f"{name}.ipynb"
    backup = folder / "backups" / f"{name} {datetime.now():%Y-%m-%d %H-%M-%S}.ipynb"
    backup.parent.mkdir(parents=True, exist_ok=True)
    if (folder / file).exists():
        shutil.move(folder / file, backup)
    _hand_out(ROOT / "notebooks" / file, folder / file)
    given = _given(folder) | {file: _hash(folder / file)}
    (folder / GIVEN).write_text(json.dumps(given, indent=1), encoding="utf-8")
    return backup


def main(arguments):
    """Open JupyterLab, or the one that is running."""
    from jupyter_server.serverapp import list_running_servers

    folder = workbook()
    for server in list_running_servers():
        if Path(server["root_dir"]) == folder:
            address = f"{server['url']}lab?token={server['token']}"
            print(f"Viva is open already: {address}")
            webbrowser.open(address)
            return
    for name in update():
        print(f'{name}: you have edited it, so it stays; helpers.lab.reset_notebook("{name}") brings the newer one.')
    config = f"--config={ROOT / 'jupyter_server_config.py'}"
    command = [sys.executable, "-m", "jupyterlab", config, f"--ServerApp.root_dir={folder}", *arguments]
    if os.name == "posix":
        os.execv(command[0], command)
    import subprocess

    sys.exit(subprocess.run(command).returncode)


def _hand_out(original, copy):
    """Copy a notebook, with the headings of its sections in your language."""
    if language() == "en":
        shutil.copyfile(original, copy)
        return
    notebook = json.loads(original.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = _with_headings(cell, say).splitlines(keepends=True)
    copy.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _with_headings(cell, change):
    """The text of a cell; if it is prose, its headings of sections changed."""
    lines = "".join(cell["source"]).split("\n")
    is_prose = cell["cell_type"] == "markdown"
    return "\n".join(change(line) if is_prose and line.startswith("## ") else line for line in lines)


def _given(folder):
    path = folder / GIVEN
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _hash(path):
    """A hash of what stands in the cells; outputs are no edit, nor is the language of a section's heading."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = json.dumps([[cell["cell_type"], _with_headings(cell, in_english)] for cell in cells])
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
