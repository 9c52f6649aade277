"""``python -m classroom.demo``, which `make demo` calls: the explorers of every topic on a projector, by Voila.

The pages are made from section 6 of the notebooks: its questions, its explorers, its folded answers, and no code.
Page Down and Page Up, the keys of a presenter's remote, go from explorer to explorer and on to the next topic.
"""

import os
import subprocess
import sys
import tempfile
from itertools import takewhile
from pathlib import Path

import nbformat

from helpers import lab
from helpers.canonical import METADATA
from helpers.topics import TOPICS

SHARE = Path(__file__).parent / "share" / "jupyter"  # the template "viva" of Voila, the extension "viva-slides" of RISE


def write_pages(folder):
    """Write one page per topic and return the paths, in the order of the topics.

    Parameters
    ----------
    folder : path
        It exists.

    Returns
    -------
    list of Path
        Each is a notebook named as its topic, such as "05 Metrics and ROC.ipynb".
    """
    topics = [topic for topic in TOPICS if topic.ready]
    names = [f"{topic.number:02} {topic.title}.ipynb" for topic in topics]
    paths = [Path(folder) / name for name in names]
    for topic, path, before, after in zip(topics, paths, [None, *names], [*names[1:], None], strict=False):
        notebook = nbformat.v4.new_notebook(cells=_cells(topic), metadata=METADATA)
        notebook.metadata["viva"] = {"topic": path.stem, "before": before, "after": after}
        nbformat.write(notebook, path)
    return paths


def _cells(topic):
    """What section 6 needs of the sections before it, without a trace on the page; then section 6."""
    cells = nbformat.read(topic.path, as_version=4).cells
    sections = [number for number, cell in enumerate(cells) if cell.source.startswith("## ")]
    explore = next(number for number in sections if cells[number].source.startswith("## 6 "))
    shown = [cells[explore], *takewhile(lambda cell: not cell.source.startswith("## "), cells[explore + 1 :])]
    prepared = [cell for cell in cells[:explore] if cell.cell_type == "code"]
    for cell in prepared:
        cell.source = f"%%capture\n{cell.source}"
    return [*prepared, *shown]


def command(folder, port=8866):
    """Return the command that serves the pages in `folder`, on this machine alone, and the environment it needs."""
    options = ["--template=viva", "--classic-tree", "--Voila.ip=127.0.0.1", f"--port={port}"]
    return [sys.executable, "-m", "voila", *options, str(folder)], environment()


def environment():
    """Return your environment with what is in `SHARE` where Jupyter looks for it."""
    found = os.pathsep.join(filter(None, [str(SHARE), os.environ.get("JUPYTER_PATH")]))
    return lab.environment() | {"JUPYTER_PATH": found}


def main():
    with tempfile.TemporaryDirectory() as folder:
        write_pages(folder)
        line, variables = command(folder)
        try:
            subprocess.run(line, env=variables, check=True)
        except KeyboardInterrupt:
            print("The demonstration has ended.")


if __name__ == "__main__":
    main()
