"""The one form in which notebooks are stored: run from top to bottom, pictures kept, everything incidental dropped.

``python -m helpers.canonical notebooks/*.ipynb`` runs notebooks and stores them so; with ``--as-run`` it keeps the
outputs that they have. What is stored does not depend on who ran them or when, so a change in a notebook's file is a
change in what it says.
"""

import hashlib
import os
import re
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import nbformat

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = ("tags", "jupyter", "slideshow")  # what an author sets on purpose


def canonical(notebook):
    """Return a copy of an executed notebook (nbformat 4, as a dict) in canonical form.

    Cells keep their ids; a cell without one gets it from its text. Outputs keep what they show. Cells are numbered in
    the order in which they stand.

    Raises
    ------
    ValueError
        If a cell was not run, failed or warned.
    """
    notebook = deepcopy(dict(notebook))
    for cell in notebook["cells"]:
        cell["id"] = cell.get("id") or hashlib.sha256("".join(cell["source"]).encode()).hexdigest()[:8]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, 1):
        if cell["execution_count"] is None:
            raise ValueError(f"cell {cell['id']} was not run")
        cell["execution_count"] = number
        cell["outputs"] = _joined(cell["outputs"])
        for output in cell["outputs"]:
            if output["output_type"] == "error" or output.get("name") == "stderr":
                raise ValueError(f"cell {cell['id']} failed or warned: {output.get('text') or output.get('evalue')}")
            if "metadata" in output:
                output["metadata"] = {}
            if "execution_count" in output:
                output["execution_count"] = number
    strip_widgets(notebook)
    strip_metadata(notebook)
    mark_slides(notebook)
    return notebook | {"nbformat": 4, "nbformat_minor": 5}


def _joined(outputs):
    """The outputs, with what was printed in pieces as one: where a kernel cuts depends on how fast it is read."""
    joined = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if output["output_type"] == before.get("output_type") == "stream" and output["name"] == before["name"]:
            before["text"] = "".join(before["text"]) + "".join(output["text"])
        else:
            joined.append(output)
    return joined


def mark_slides(notebook):
    """Say of each cell, in place, what it is to a slide show, as RISE reads it. An unmarked cell stays on its slide.

    A heading begins a slide, so every section, explorer and trap has its own. What is folded comes as a fragment, and
    so does what a cell computes, after the claim that it settles; an explorer is seen with its question. What settles a
    prediction, and other text, a step of a derivation say, begin a slide below. The imports are skipped.
    """
    section = 0
    for cell in notebook["cells"]:
        source, code = "".join(cell["source"]), cell["cell_type"] == "code"
        if not code and (numbers := re.findall(r"^## (\d+) ", source, re.MULTILINE)):
            section = int(numbers[-1])
        cell["metadata"].pop("slideshow", None)
        if kind := _slide_type(section, source, code):
            cell["metadata"]["slideshow"] = {"slide_type": kind}


def _slide_type(section, source, code):
    if not code:
        return "slide" if source.startswith("#") else "fragment" if source.startswith("<details>") else "subslide"
    if section == 1:
        return "skip"
    if section in (8, 9) or (section == 6 and "explorers." in source):
        return None
    return "subslide" if section == 6 else "fragment"


def strip_widgets(notebook):
    """Remove, in place, what only a running kernel can show: the picture or the text beside it stays.

    Otherwise a reopened notebook says "Error displaying widget" instead of showing them.
    """
    notebook["metadata"].pop("widgets", None)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_VIEW, None)


def strip_metadata(notebook):
    """Replace a notebook's metadata, in place, and keep of its cells' what an author sets on purpose."""
    notebook["metadata"] = deepcopy(METADATA)
    for cell in notebook["cells"]:
        cell["metadata"] = {key: value for key, value in cell.get("metadata", {}).items() if key in CELL_METADATA}


def run(path):
    """Run the notebook at `path` and store it in canonical form."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=120,
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": path.parent}},
    )
    with tempfile.TemporaryDirectory() as home:  # what is stored must not show anybody's progress or language
        client.execute(env=os.environ | {"VIVA_HOME": home, "VIVA_LANGUAGE": "en"})
    store(notebook, path)


def store(notebook, path):
    """Write an executed notebook to `path` in canonical form."""
    stored = nbformat.from_dict(canonical(notebook))
    nbformat.validate(stored)
    nbformat.write(stored, path)


def main(arguments):
    as_run = "--as-run" in arguments
    for path in (Path(name) for name in arguments if name != "--as-run"):
        print(path)
        store(nbformat.read(path, as_version=4), path) if as_run else run(path)


if __name__ == "__main__":
    main(sys.argv[1:])
