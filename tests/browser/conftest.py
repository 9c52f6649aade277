"""A real JupyterLab on this machine, and a real Chromium looking at it."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from helpers.topics import ROOT

FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync""".split()
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)
ARTIFACTS = ROOT / "artifacts"


def find_chromium():
    """Return the path of a Chromium or Chrome, or None."""
    found = [os.environ.get("VIVA_CHROMIUM"), *map(shutil.which, NAMES), *filter(os.path.exists, PLACES)]
    return next(filter(None, found), None)


# The picture that a canvas holds, as the URL of a PNG; null while no frame has reached it.
PICTURE = """canvas => {
    const blank = Object.assign(document.createElement('canvas'), {width: canvas.width, height: canvas.height});
    const url = canvas.toDataURL();
    return url == blank.toDataURL() ? null : url;
}"""


def at_rest(explorer, unlike=None):
    """The picture that the page holds, as a URL, once it differs from `unlike` and has come to rest.

    Read from the canvas itself: a screenshot of the page is resampled when text above moves it by half a pixel.
    """
    canvas, before = explorer.locator("canvas").first, None
    for _ in range(80):
        url = canvas.evaluate(PICTURE)
        if url and url == before and url != unlike:
            return url
        before = url
        canvas.page.wait_for_timeout(150)
    raise TimeoutError("the picture did not change and come to rest within 12 s")


def pixels(url):
    """The array, (height, width, 3), of a picture."""
    return np.asarray(Image.open(io.BytesIO(b64decode(url.partition(",")[2]))).convert("RGB")).astype(int)


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    """A process that serves pages, from the moment on that its address answers."""

    def __init__(self, command, url, log, environment):
        self._log = log.open("w")
        self._process = subprocess.Popen(
            command, env=os.environ | environment, stdout=self._log, stderr=subprocess.STDOUT
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(url).close()
                return
            except OSError:
                assert self._process.poll() is None, log.read_text()
                time.sleep(0.1)
        raise TimeoutError(log.read_text())

    def close(self, patience=20):
        self._process.terminate()
        self._process.wait(patience)
        self._log.close()


class Lab:
    """A JupyterLab server over a copy of the notebooks, and pages of it."""

    def __init__(self, folder, browser):
        self.folder, self.browser = folder, browser
        self.url = f"http://127.0.0.1:{free_port()}"
        shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        settings = folder / "jupyter_config_dir/lab/user-settings/@jupyterlab/apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
        home = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "VIVA_HOME")}
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.url.rpartition(":")[2],
            "ServerApp.root_dir": str(folder / "notebooks"),
            "IdentityProvider.token": "",
        }
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"),
            f"--config={ROOT / 'jupyter_server_config.py'}",
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        self._server = Server(command, f"{self.url}/api", folder / "server.log", home)

    def open(self, notebook, size=(1280, 800), scale=1, sidebar=False, touch=False):
        """Open a notebook in a fresh workspace and return its page."""
        page = self.browser.new_page(
            viewport=dict(zip(("width", "height"), size, strict=True)), device_scale_factor=scale, has_touch=touch
        )
        page.set_default_timeout(60_000)
        page.goto(f"{self.url}/lab/workspaces/{notebook}-{time.monotonic_ns()}/tree/{notebook}.ipynb?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        if not sidebar:
            page.evaluate("void window.jupyterapp.commands.execute('application:toggle-left-area')")
        self._wait_for_kernel(page)
        return page

    def turn_to(self, page, notebook):
        """Open another notebook in a page in place of its present one, whose kernel ends."""
        page.evaluate(
            """async path => {
                const { commands, shell } = window.jupyterapp, before = shell.currentWidget;
                await commands.execute('docmanager:open', {path});
                await before.sessionContext.shutdown();
                before.dispose();
            }""",
            f"{notebook}.ipynb",
        )
        self._wait_for_kernel(page)

    def _wait_for_kernel(self, page):
        page.wait_for_function(
            "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
        )

    def run_all(self, page):
        """Run all cells of the page's notebook and wait until the last one is done."""
        page.evaluate(
            "window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => window.viva_ran = true); undefined"
        )
        page.wait_for_function("window.viva_ran", timeout=180_000)  # a busy machine trains slowly
        page.evaluate("window.viva_ran = false")

    def execute(self, page, code):
        """Run code in the kernel of the page's notebook and return what it printed."""
        return page.evaluate(
            """async code => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({code});
                let said = "";
                future.onIOPub = message => { said += message.content.text ?? message.content.evalue ?? ""; };
                await future.done;
                return said.trim();
            }""",
            code,
        )

    def close(self):
        self._server.close()


@pytest.fixture(scope="session")
def browser():
    chromium = find_chromium()
    if chromium is None:
        message = "no Chromium or Chrome found; install one or set VIVA_CHROMIUM to its path"
        (pytest.fail if os.environ.get("VIVA_REQUIRE_CHROMIUM") else pytest.skip)(message)
    ARTIFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory, browser):
    server = Lab(tmp_path_factory.mktemp("lab"), browser)
    yield server
    server.close()
