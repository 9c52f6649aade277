"""Every explorer of every notebook, in a real JupyterLab on a small laptop screen with the side bar open."""

import json
import shutil

import pytest

from helpers.explorers.canvas import REST
from helpers.topics import TOPICS

from .conftest import ARTIFACTS, at_rest, pixels

NOTEBOOKS = [topic.notebook for topic in TOPICS if topic.ready]
FIND = """
import json
from helpers.explorers.explorer import Explorer
found = {name: held for name, held in globals().items() if isinstance(held, Explorer) and not name.startswith("_")}
"""
# Sliders and menus of an explorer, and the parts of its layout that must not be cut.
CLIPPED = """explorer => {
    const panel = explorer.closest('.jp-WindowedPanel-outer, .jp-Notebook').getBoundingClientRect();
    const parts = explorer.querySelectorAll('.widget-label, .widget-readout, button, select, th, td, canvas');
    return [...parts].filter(part => {
        const box = part.getBoundingClientRect();
        return box.right > panel.right + 1 || part.scrollWidth > part.clientWidth + 1 && part.tagName != 'SELECT';
    }).map(part => part.innerText || part.tagName);
}"""

# Into view, and where it then is: whole pixels, as the layout settles.
SCROLLED = """explorer => {
    explorer.scrollIntoView();
    const box = explorer.getBoundingClientRect();
    return [box.x, box.y, box.height].map(Math.round);
}"""


class Bench:
    """A page's notebook after Run All, its explorers by the names that the notebook gives them."""

    def __init__(self, lab, page):
        self.lab, self.page = lab, page
        lab.run_all(page)
        self.names = self.ask("list(found)")

    def ask(self, expression):
        """Evaluate in the notebook's kernel, where `found` holds the explorers."""
        said = self.lab.execute(self.page, f"{FIND}\nprint(json.dumps({expression}, default=str))")
        return json.loads(said.splitlines()[-1])

    def show(self, name):
        """Bring an explorer into view and return its element: JupyterLab lays cells out as they come into view."""
        label = self.ask(f"found[{name!r}].canvas.name")
        locator = self.page.locator(".viva-explorer", has=self.page.locator(f'canvas[aria-label="{label}"]')).first
        place = None
        while place != (place := locator.evaluate(SCROLLED)):
            self.page.wait_for_timeout(100)
        return locator

    def start(self, name, part=0):
        """Where the first handle's part lies in the page; None if nothing can be dragged."""
        return self.ask(f"""(lambda e: next((
            [float(v) for v in handle.axes.transData.transform([
                *(middle if where != where else where for where, middle in zip(
                    list(handle.places(e.values).values())[{part}],
                    (sum(handle.axes.get_xlim()) / 2, sum(handle.axes.get_ylim()) / 2)))
            ]) / e.figure.bbox.size] for handle in e.handles if handle.places(e.values)), None))(found[{name!r}])""")

    def settled(self, name):
        """The values, once the kernel has heard all that the page said, and sent what follows a frame in motion."""
        values = None
        while values != (values := self.ask(f"found[{name!r}].values")):
            self.page.wait_for_timeout(1000 * REST + 100 if self.ask(f"found[{name!r}].photograph") else 50)
        return values


@pytest.fixture(scope="module")
def laptop(lab):
    """One page for all notebooks in turn: JupyterLab takes longer to load than most of them to run."""
    page = lab.open("00_start_here", sidebar=True, size=(1280, 720))
    yield page
    page.close()


@pytest.fixture(scope="module", params=NOTEBOOKS)
def bench(request, lab, laptop):
    lab.turn_to(laptop, request.param)
    return Bench(lab, laptop)


def test_after_run_all_every_explorer_stands_at_its_opening(bench):
    assert bench.names, "the notebook gives its explorers no names"
    assert bench.ask("len({e.canvas.name for e in found.values()})") == len(bench.names), "two could be taken for one"
    assert bench.page.locator(".viva-explorer").count() == len(bench.names), "named and not shown, or shown twice"
    assert bench.ask("{name: [e.values, e.opening] for name, e in found.items() if e.values != e.opening}") == {}
    assert bench.page.locator(".jp-OutputArea-output details[open]").count() == 0, "an answer stands open"
    errors = bench.page.locator(".jp-RenderedText[data-mime-type*=error], .jp-RenderedText[data-mime-type*=stderr]")
    assert errors.count() == 0


def test_nothing_is_clipped_and_everything_fits_the_screen(bench):
    for name in bench.names:
        explorer = bench.show(name)
        at_rest(explorer)
        bench.page.screenshot(path=ARTIFACTS / f"{name}_laptop.png")
        assert explorer.evaluate(CLIPPED) == [], name
        panel = bench.page.locator(".jp-Notebook").first.bounding_box()
        assert explorer.bounding_box()["height"] <= panel["height"] - 40, f"{name} and its heading need scrolling"


def test_every_explorer_follows_the_keyboard(bench):
    for name in bench.names:
        explorer = bench.show(name)
        bench.ask(f"str(found[{name!r}].reset())")
        before = at_rest(explorer)
        slider = explorer.locator(".noUi-handle:not([disabled] *)").first
        switch, canvas = explorer.locator("input[type=checkbox]").first, explorer.locator("canvas[tabindex]")
        target = next(control for control in (slider, canvas, switch) if control.count())
        target.focus()
        for key in ["Space"] if target is switch else [*["ArrowRight"] * 2, *["ArrowLeft"] * 4, "Home", "End"]:
            bench.page.keyboard.press(key)  # one direction is free; where neighbors look alike, an end does not
            if at_rest(explorer) != before:
                break
        else:  # no slider, no switch, nothing to move by arrows: then a button
            for action in explorer.locator(".viva-buttons button").all():
                action.press("Enter")
                if at_rest(explorer) != before:
                    break
            else:
                pytest.fail(f"{name}: no key moved the picture")
        bench.ask(f"str(found[{name!r}].reset())")


def test_every_explorer_follows_the_mouse_and_lets_go(bench):
    page = bench.page
    for name in bench.names:
        explorer = bench.show(name)
        bench.ask(f"str(found[{name!r}].reset())")
        before, place = at_rest(explorer), bench.start(name)
        if place is None:
            continue
        box = explorer.locator("canvas").bounding_box()
        x, y = box["x"] + place[0] * box["width"], box["y"] + (1 - place[1]) * box["height"]
        center = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(*((a + b) / 2 for a, b in zip((x, y), center, strict=True)), steps=4)
        page.mouse.move(5, 300)  # let go far outside the picture
        page.mouse.up()
        values = bench.settled(name)
        at_rest(explorer, unlike=before)
        page.mouse.move(*center, steps=3)
        assert bench.settled(name) == values, f"{name} sticks to the pointer"
        dragged = at_rest(explorer)  # the last frame: on a busy machine one in between may have rested for a moment
        bench.ask(f"found[{name!r}].canvas.redraw()")
        bench.ask(f"found[{name!r}].refresh()")
        bench.settled(name)
        assert dragged == at_rest(explorer), f"{name}: the picture after a drag differs from a full redraw"
        assert bench.ask(f"found[{name!r}].error") == ""
        bench.ask(f"str(found[{name!r}].reset())")


def test_the_picture_is_no_keyboard_trap(bench):
    for name in bench.names:
        explorer = bench.show(name)
        canvas = explorer.locator("canvas")
        if canvas.get_attribute("tabindex") is None:
            continue
        for key, back in (("Tab", False), ("Shift+Tab", False), ("PageDown", True), ("F2", True)):
            canvas.focus()
            if back:
                canvas.evaluate("c => addEventListener('keydown', e => { window.reached = e.key; }, {once: true})")
            bench.page.keyboard.press(key)
            if back:
                assert bench.page.evaluate("window.reached") == key, f"{name} keeps {key}"
            else:
                assert not canvas.evaluate("c => c == document.activeElement"), f"{name}: {key} does not leave"
        canvas.focus()
        bench.page.keyboard.press("n")
        assert canvas.evaluate("c => getComputedStyle(c).outlineStyle") != "none", "focus is not seen"
        bench.ask(f"str(found[{name!r}].reset())")
    assert bench.ask("[e.values != e.opening for e in found.values()]") == [False] * len(bench.names)
    count = bench.page.locator(".jp-Cell").count()
    assert bench.page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length") >= count


# --- the canvas itself, on topic 05 ----------------------------------------------------------------------------------


@pytest.fixture
def copy(lab):
    """Open copies of topic 05, each with a kernel of its own, and close them afterwards."""
    benches = []

    def open_copy(name, **options):
        shutil.copy(lab.folder / "notebooks/05_metrics_roc.ipynb", lab.folder / f"notebooks/{name}.ipynb")
        benches.append(Bench(lab, lab.open(name, **options)))
        return benches[-1]

    yield open_copy
    for bench in benches:
        bench.page.close()


def test_two_views_of_different_size_are_both_sharp(lab, copy):
    bench = copy("sharp", scale=2)
    explorer = bench.show("four_pictures")
    explorer.click(position={"x": 2, "y": 2})
    bench.page.evaluate("void window.jupyterapp.commands.execute('notebook:create-output-view')")
    bench.page.wait_for_timeout(3000)
    bench.page.locator(".noUi-handle:visible").first.focus()
    bench.page.keyboard.press("ArrowRight")
    bench.page.wait_for_timeout(1000)
    canvases = bench.page.locator(".viva-canvas canvas:visible").all()
    sizes = [
        canvas.evaluate("c => [c.width, Math.floor(c.parentElement.clientWidth) * devicePixelRatio]")
        for canvas in canvases
    ]
    assert len({shown for shown, _ in sizes}) > 1, sizes
    assert all(shown == wanted for shown, wanted in sizes), sizes


def test_a_finger_drags(lab, copy):
    bench = copy("touch", touch=True)
    explorer = bench.show("four_pictures")
    before, place = at_rest(explorer), bench.start("four_pictures")
    box = explorer.locator("canvas").bounding_box()
    touch = bench.page.context.new_cdp_session(bench.page)
    x, y = box["x"] + place[0] * box["width"], box["y"] + (1 - place[1]) * box["height"]
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        *(("touchMove", [{"x": x + 10 * step, "y": y}]) for step in range(1, 10)),
        ("touchEnd", []),
    ):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    at_rest(explorer, unlike=before)
    assert bench.ask("found['four_pictures'].threshold") > 0.55


def test_a_restarted_and_a_dead_kernel_are_told(lab, copy):
    bench = copy("gone")
    explorer = bench.show("four_pictures")
    at_rest(explorer)
    bench.page.evaluate("void window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    side = explorer.locator(".viva-side").element_handle()
    bench.page.wait_for_function("e => getComputedStyle(e, '::after').content.includes('run this cell')", arg=side)

    bench.page.wait_for_timeout(3000)
    lab.run_all(bench.page)
    explorer = bench.show("four_pictures")
    at_rest(explorer)
    bench.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    bench.page.wait_for_timeout(1500)
    explorer.locator(".noUi-handle").first.focus()
    bench.page.keyboard.press("ArrowRight")
    explorer.locator(".viva-quiet", has_text="run this cell").wait_for(timeout=10_000)
    bench.page.screenshot(path=ARTIFACTS / "dead_kernel.png")


def test_the_picture_grows_with_a_projector(lab, copy):
    bench = copy("projector", size=(1920, 1080))
    explorer = bench.show("four_pictures")
    assert pixels(at_rest(explorer)).shape[1] >= 900
    bench.page.screenshot(path=ARTIFACTS / "projector.png")
