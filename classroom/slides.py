"""``python -m classroom.slides``, which `make slides` calls: every notebook as slides, by RISE, its explorers live.

What a cell is to RISE stands in its metadata; `helpers.canonical` writes it. Space goes on, Shift+Space goes back, the
list of topics is JupyterLab's own: `/rise/05_metrics_roc.ipynb` presents one.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.topics import ROOT

from .demo import environment


def copy_notebooks(folder):
    """Copy the notebooks into a folder: what is run in class is not stored in ours."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(path, folder)


def command(folder, notebook="00_start_here", port=8867):
    """Return the command that presents the notebooks in `folder`, on this machine alone, and its environment."""
    options = {
        "config": ROOT / "jupyter_server_config.py",
        "ServerApp.root_dir": folder,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "LabApp.default_url": f"/rise/{notebook}.ipynb",
    }
    line = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    return line, environment()


def main(arguments):
    with tempfile.TemporaryDirectory() as folder:
        copy_notebooks(folder)
        names = sorted(path.stem for path in Path(folder).glob("*.ipynb"))
        asked = arguments[0] if arguments else "05"
        chosen = [name for name in names if name.startswith(asked)]
        if len(chosen) != 1:
            sys.exit(f"TOPIC must be the number of a topic, such as 05, got {asked!r}; there are {', '.join(names)}")
        line, variables = command(folder, chosen[0])
        try:
            subprocess.run(line, env=variables, check=True)
        except KeyboardInterrupt:
            print("The class has ended.")


if __name__ == "__main__":
    main(sys.argv[1:])
