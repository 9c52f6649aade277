"""Time to run each notebook from top to bottom, as `make lab` would, without the start of its kernel."""

import tempfile
import time

import nbformat
from nbclient import NotebookClient

from helpers.lab import environment
from helpers.topics import ROOT

from .row import Row

LIMIT = 8  # seconds


def rows():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        yield Row(f"run of a notebook, {path.stem}, best of three", min(run(path) for _ in range(3)), LIMIT, unit=" s")


def run(path):
    """Return the time of all cells together, in seconds."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": path.parent}}
    client = NotebookClient(notebook, timeout=120, store_widget_state=False, resources=resources)
    with tempfile.TemporaryDirectory() as home, client.setup_kernel(env=environment() | {"VIVA_HOME": home}):
        start = time.perf_counter()
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
        return time.perf_counter() - start
