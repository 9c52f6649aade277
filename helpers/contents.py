"""How JupyterLab reads and writes our notebooks: what is opened and not changed stays so, on the page and on disk."""

import sys

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from .canonical import METADATA, strip_metadata, strip_widgets


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
            strip_widgets(model["content"])
            strip_metadata(model["content"])
        return await super().save(model, path)


def _is_notebook(model):
    return model.get("type") == "notebook" and model.get("content") is not None and model["content"]["nbformat"] == 4


def _language():
    version = ".".join(map(str, sys.version_info[:3]))
    return {**IPythonKernel.language_info, "version": version}
