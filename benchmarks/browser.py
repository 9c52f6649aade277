"""From key press to new pixels in a real browser: explorer 05 (a) beside the same figure redrawn by `interact`.

And beside the floor of every round trip through the kernel: a slider whose value comes back as text.
"""

import statistics
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from helpers.canonical import METADATA
from tests.browser.conftest import FLAGS, Lab, find_chromium

from .row import Row

CELLS = {
    "explorer": """
from helpers.explorers import metrics
explorer = metrics.examples()["Threshold"]()
explorer
""",
    "interact": """
import ipywidgets as widgets
from IPython.display import Image, display
from helpers import theme
standing = metrics.examples()["Threshold"]()

def redraw(threshold):
    standing.show(standing.solve(threshold=threshold, beta=1, miss_cost=1))
    display(theme.show(standing.figure, "what the inline backend does: draw all of it, encode it, send it"))

widgets.interact(redraw, threshold=widgets.FloatSlider(0.5, min=0, max=1, step=0.002))
""",
    "echo": """
slider, text = widgets.FloatSlider(0.5, min=0, max=1, step=0.002), widgets.HTML("0.5")
text.add_class("echo")
slider.observe(lambda change: setattr(text, "value", str(change.new)), "value")
widgets.VBox([slider, text])
""",
}
# A frame is an animation frame of the browser in which something new came: painted onto a canvas, loaded as an image,
# or written as text.
WATCH = """() => {
    window.frames_seen = [];
    const seen = () => requestAnimationFrame(() => {
        const now = performance.now();
        if (now - (window.frames_seen.at(-1) ?? -9) > 1) window.frames_seen.push(now);
    });
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (...args) { seen(); return draw.apply(this, args); };
    document.addEventListener("load", event => event.target.tagName == "IMG" && seen(), true);
    for (const echo of document.querySelectorAll(".echo"))
        new MutationObserver(seen).observe(echo, {childList: true, characterData: true, subtree: true});
    const press = () => { window.pressed = performance.now(); window.frames_seen = []; };
    document.addEventListener("keydown", press, true);
}"""


def rows():
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium or Chrome found; install one or set VIVA_CHROMIUM to its path")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        lab = Lab(Path(folder), browser)
        try:
            latency, frames = measure(lab)
        finally:
            lab.close()
            browser.close()
    yield Row("key press to new pixels, time over interact's", latency["explorer"] / latency["interact"], 0.25)
    yield Row("key press to new pixels, time over a slider's echo as text", latency["explorer"] / latency["echo"], 2)
    yield Row("frames while dragging, over the echo's", frames["explorer"] / frames["echo"], 0.7, at_most=False)


def measure(lab):
    """Return the median latency in ms, and the frames per second while dragging, of each cell's slider."""
    cells = [nbformat.v4.new_code_cell(code) for code in CELLS.values()]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=METADATA), lab.folder / "notebooks/benchmark.ipynb")
    page = lab.open("benchmark")
    lab.run_all(page)
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    latency, frames = {}, {}
    for place, name in enumerate(CELLS):
        handle = page.locator(".jp-CodeCell").nth(place).locator(".noUi-handle").first
        handle.scroll_into_view_if_needed()
        page.wait_for_timeout(1000)
        latency[name], frames[name] = press(page, handle), drag(page, handle)
    page.close()
    return latency, frames


def press(page, handle, presses=40):
    handle.focus()
    latencies = []
    for step in range(presses):
        page.keyboard.press("ArrowRight" if step % 2 else "ArrowLeft")
        page.wait_for_function("window.frames_seen.length > 0")
        latencies.append(page.evaluate("window.frames_seen[0] - window.pressed"))
        page.wait_for_timeout(250)
    return statistics.median(latencies)


def drag(page, handle, moves=200):
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("window.frames_seen = []")
    start = page.evaluate("performance.now()")
    for step in range(moves):
        page.mouse.move(x + 50 * (step % 40 - 20) / 20, y)
        page.wait_for_timeout(8)
    seconds = (page.evaluate("performance.now()") - start) / 1000
    seen = page.evaluate("window.frames_seen.length")
    page.mouse.up()
    return seen / seconds
