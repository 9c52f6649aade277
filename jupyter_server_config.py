"""For JupyterLab, started with `--config=jupyter_server_config.py` as `make lab` does."""

import os

from helpers.lab import environment, locale

os.environ.update(environment() | locale())  # the kernels inherit it

c = get_config()  # noqa: F821

c.ServerApp.contents_manager_class = "helpers.contents.Notebooks"
c.ServerApp.allow_root = True  # containers often have no other user
c.LabApp.default_url = "/lab/tree/00_start_here.ipynb"
c.LabApp.news_url = None  # no popup that asks whether you want news
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
