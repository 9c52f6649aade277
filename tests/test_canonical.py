"""The canonical form of notebooks, and what saving strips."""

import nbformat
import pytest

from helpers import canonical

VIEW = {"model_id": "1", "version_major": 2, "version_minor": 0}


def notebook(**cell):
    cell = {"cell_type": "code", "metadata": {}, "source": "1", "execution_count": 7, "outputs": []} | cell
    return {
        "cells": [cell],
        "metadata": {"widgets": {}, "language_info": {"version": "3.99"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }


def output(**data):
    return {"output_type": "display_data", "metadata": {"a": 1}, "data": data}


def test_incidental_things_are_dropped():
    stored = canonical.canonical(
        notebook(metadata={"tags": ["t"], "execution": {"start": "now"}}, outputs=[output(a="b")])
    )
    assert stored["metadata"] == canonical.METADATA
    (cell,) = stored["cells"]
    assert cell["metadata"] == {"tags": ["t"], "slideshow": {"slide_type": "fragment"}}
    assert cell["execution_count"] == 1
    assert cell["outputs"][0]["metadata"] == {}


def test_ids_are_kept_or_made_from_the_text():
    assert canonical.canonical(notebook(id="mine"))["cells"][0]["id"] == "mine"
    first, second = (canonical.canonical(notebook(source=s))["cells"][0]["id"] for s in ("1", "2"))
    assert first == canonical.canonical(notebook(source="1"))["cells"][0]["id"] != second


def test_what_is_printed_in_pieces_is_one():
    def stream(name, text):
        return {"output_type": "stream", "name": name, "text": text}

    pieces = [stream("stdout", "a\n"), stream("stdout", ["b\n", "c"]), output(a="b"), stream("stdout", "d")]
    whole = canonical.canonical(notebook(outputs=pieces))["cells"][0]["outputs"]
    assert [part.get("text") for part in whole] == ["a\nb\nc", None, "d"]


def test_canonical_form_is_stable():
    once = canonical.canonical(notebook(outputs=[output(**{"image/png": "x", canonical.WIDGET_VIEW: VIEW})]))
    assert canonical.canonical(once) == once


def test_a_live_widget_goes_and_what_stands_beside_it_stays():
    live = output(**{"image/png": "x", "text/plain": "y", canonical.WIDGET_VIEW: VIEW})
    stored = canonical.canonical(notebook(outputs=[live]))
    assert stored["cells"][0]["outputs"][0]["data"] == {"image/png": "x", "text/plain": "y"}


def test_the_original_is_left_alone():
    original = notebook(outputs=[output(**{"image/png": "x", canonical.WIDGET_VIEW: VIEW})])
    canonical.canonical(original)
    assert canonical.WIDGET_VIEW in original["cells"][0]["outputs"][0]["data"] and "widgets" in original["metadata"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"execution_count": None}, "was not run"),
        ({"outputs": [{"output_type": "error", "evalue": "boom"}]}, "failed or warned: boom"),
        ({"outputs": [{"output_type": "stream", "name": "stderr", "text": "beware"}]}, "failed or warned: beware"),
    ],
)
def test_a_notebook_that_did_not_run_cleanly_is_refused(cell, message):
    with pytest.raises(ValueError, match=message):
        canonical.canonical(notebook(**cell))


def test_running_stores_the_canonical_form(tmp_path):
    path = tmp_path / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")]), path)
    canonical.run(path)
    stored = nbformat.read(path, as_version=4)
    assert stored.cells[0].outputs[0].data == {"text/plain": "42"}
    assert canonical.canonical(stored) == stored
    before = path.read_bytes()
    canonical.run(path)
    assert path.read_bytes() == before


def test_a_notebook_can_be_stored_as_it_was_run(tmp_path):
    path = tmp_path / "n.ipynb"
    (cell,) = notebook(id="mine", source="1 / 0", outputs=[output(**{"text/plain": "kept"})])["cells"]
    nbformat.write(nbformat.from_dict(notebook(**cell)), path)
    canonical.main(["--as-run", str(path)])
    stored = nbformat.read(path, as_version=4)
    assert stored.cells[0].outputs[0].data == {"text/plain": "kept"} and canonical.canonical(stored) == stored
