"""From key press to new pixels in a real browser: explorer 05(a) against the same figure redrawn by `interact`."""

import statistics
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from helpers.canonical import METADATA
from tests.browser.conftest import FLAGS, Lab, find_chromium

from .row import Row

EXPLORER = """
from helpers.explorers import metrics
explorer = metrics.examples()["threshold"]()
explorer
"""
INTERACT = """
import ipywidgets as widgets
from IPython.display import Image, display
from helpers import theme
standing = metrics.examples()["threshold"]()
figure = standing.canvas.figure

def redraw(threshold):
    standing._update(threshold=threshold, beta=1, miss_cost=1)
    display(Image(theme.png(figure)))  # what the inline backend does: draw all of it, encode it, send it

widgets.interact(redraw, threshold=widgets.FloatSlider(0.5, min=0, max=1, step=0.002))
"""
# A frame is an animation frame of the browser in which a new picture was painted: onto ipympl's canvas, or as an image.
WATCH = """() => {
    window.frames_painted = [];
    const painted = () => requestAnimationFrame(() => {
        const now = performance.now();
        if (now - (window.frames_painted.at(-1) ?? -9) > 1) window.frames_painted.push(now);
    });
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (...args) { painted(); return draw.apply(this, args); };
    document.addEventListener("load", event => event.target.tagName == "IMG" && painted(), true);
    const press = () => { window.pressed = performance.now(); window.frames_painted = []; };
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
            blit, interact = (measure(lab, place) for place in (0, 1))
        finally:
            lab.close()
            browser.close()
    yield Row("key press to new pixels, time over interact's", blit[0] / interact[0], 0.30)
    yield Row("frames while dragging, over interact's", blit[1] / interact[1], 3, at_most=False)


def measure(lab, place):
    """Return the median latency in ms and the frames a second of the slider in the notebook's cell at `place`."""
    cells = [nbformat.v4.new_code_cell(code) for code in (EXPLORER, INTERACT)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=METADATA), lab.folder / "notebooks/benchmark.ipynb")
    page = lab.open("benchmark")
    lab.run_all(page)
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    handle = page.locator(".jp-CodeCell").nth(place).locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)

    handle.focus()
    latencies = []
    for step in range(40):
        page.keyboard.press("ArrowRight" if step % 2 else "ArrowLeft")
        page.wait_for_function("window.frames_painted.length > 0")
        latencies.append(page.evaluate("window.frames_painted[0] - window.pressed"))
        page.wait_for_timeout(250)

    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("window.frames_painted = []")
    start = page.evaluate("performance.now()")
    for step in range(200):
        page.mouse.move(x + 50 * (step % 40 - 20) / 20, y)
        page.wait_for_timeout(8)
    seconds = (page.evaluate("performance.now()") - start) / 1000
    frames = page.evaluate("window.frames_painted.length") / seconds
    page.mouse.up()
    page.close()
    return statistics.median(latencies), frames
