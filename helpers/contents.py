"""How JupyterLab reads and writes our notebooks: what is opened and not changed stays so, on the page and on disk."""

import sys

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from .canonical import CELL_METADATA, METADATA, strip_widgets


class Notebooks(AsyncLargeFileManager):
    """Hands a notebook out with what a kernel says of itself, and stores it without what the canonical form drops.

    When its kernel has started, JupyterLab writes the kernel's version into the notebook, which then shows as changed.
    If it stands there already, nothing changes.
    """

    async def get(self, path, content=True, **options):
        """As the library's, a notebook's metadata completed."""
        model = await super().get(path, content, **options)
        if _is_notebook(model):
            model["content"]["metadata"] = METADATA | {"language_info": _language()}
        return model

    async def save(self, model, path=""):
        """As the library's, a notebook without widgets, with the metadata of the canonical form."""
        if _is_notebook(model):
            notebook = model["content"]
            strip_widgets(notebook)
            notebook["metadata"] = METADATA | {}
            for cell in notebook["cells"]:
                kept = cell.get("metadata", {})
                cell["metadata"] = {key: value for key, value in kept.items() if key in CELL_METADATA}
        return await super().save(model, path)


def _is_notebook(model):
    return model.get("type") == "notebook" and model.get("content") is not None and model["content"]["nbformat"] == 4


def _language():
    version = ".".join(map(str, sys.version_info[:3]))
    return {**IPythonKernel.language_info, "version": version}
