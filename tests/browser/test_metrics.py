"""Topic 05 in a real JupyterLab: the picture follows the keyboard and the mouse."""

import json

import numpy as np
import pytest

from helpers.canonical import WIDGET_VIEW

from .conftest import ARTIFACTS, at_rest, pixels


@pytest.fixture(scope="module")
def page(lab):
    page = lab.open("05_metrics_roc")
    lab.run_all(page)
    assert (
        page.locator(".jp-RenderedText[data-mime-type*=error], .jp-RenderedText[data-mime-type*=stderr]").count() == 0
    )
    yield page
    page.close()


def bring(page, locator):
    """Scroll until the cell has been laid out: JupyterLab renders cells as they come into view."""
    for _ in range(4):
        locator.scroll_into_view_if_needed()
        page.wait_for_timeout(250)
    return locator


@pytest.fixture
def explorer(page):
    explorer = bring(page, page.locator(".viva-explorer").first)
    explorer.get_by_role("button", name="Reset").click()
    page.wait_for_timeout(300)
    return explorer


def cut_at(url):
    """Where the threshold's black line crosses the histogram, as a share of the picture's width."""
    picture = pixels(url)
    band = picture[picture.shape[0] // 10 : picture.shape[0] // 5]
    dark = (band.max(axis=2) < 60).mean(axis=0)
    assert dark.max() > 0.8, "no line is drawn through the histogram"
    return np.flatnonzero(dark > 0.8).mean() / picture.shape[1]


def readouts(explorer):
    rows = explorer.locator(".viva-readouts tr").all()
    return {row.locator("th").inner_text(): float(row.locator("td").inner_text()) for row in rows}


def test_keyboard_moves_the_threshold(page, explorer):
    before, counts = at_rest(explorer), readouts(explorer)
    slider = explorer.locator(".noUi-handle").first
    slider.focus()
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    after_keys = at_rest(explorer, unlike=before)
    after = readouts(explorer)
    assert after["TP"] < counts["TP"]
    assert after["TP"] + after["FN"] == counts["TP"] + counts["FN"]
    assert explorer.locator(".widget-readout").first.inner_text() == "0.620"
    moved = cut_at(after_keys) - cut_at(before)
    assert moved == pytest.approx(0.12 * histogram_width(before), abs=0.01)


def histogram_width(url):
    """Length of the histogram's grey axis, as a share of the picture's width: the score runs from 0 to 1 along it."""
    picture = pixels(url)
    bottom = picture[: picture.shape[0] // 3]
    axis = (np.abs(bottom - 110).max(axis=2) < 30).sum(axis=1).argmax()
    across = np.flatnonzero(np.abs(bottom[axis] - 110).max(axis=1) < 30)
    return (across.max() - across.min()) / picture.shape[1]


def test_dragging_moves_the_threshold_and_leaves_no_ghosts(lab, page, explorer):
    canvas = explorer.locator("canvas").first
    box, before = canvas.bounding_box(), at_rest(explorer)
    x, y = box["x"] + cut_at(before) * box["width"], box["y"] + 0.12 * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(40):
        page.mouse.move(x + 3 * step, y)
    for step in range(40, 20, -1):
        page.mouse.move(x + 3 * step, y)
    page.mouse.up()
    page.mouse.move(5, 5)
    dragged = at_rest(explorer, unlike=before)
    assert (cut_at(dragged) - cut_at(before)) * box["width"] == pytest.approx(63, abs=3)
    assert readouts(explorer)["TP"] < 88
    page.screenshot(path=ARTIFACTS / "05_threshold.png")

    lab.execute(page, "four_pictures.canvas.redraw()\nfour_pictures.refresh()")
    assert dragged == at_rest(explorer), "the picture after a drag differs from a full redraw"


def test_the_quiz_takes_keys(lab, page):
    quiz = bring(page, page.locator(".viva-quiz"))
    question = quiz.locator(".viva-question").inner_text()
    quiz.locator(".viva-reveal").focus()
    page.keyboard.press("Space")
    quiz.locator(".viva-answer").wait_for(state="visible")
    page.screenshot(path=ARTIFACTS / "05_quiz.png")
    page.keyboard.press("3")
    page.wait_for_function("before => document.querySelector('.viva-question').innerText != before", arg=question)
    assert lab.execute(page, "from helpers.interview.progress import Progress; print(len(Progress().cards()))") == "1"


def test_the_judge_answers_a_wrong_auc(lab, page):
    said = lab.execute(
        page,
        "def roc_auc(y_true, y_score):\n"
        "    positive, negative = y_score[y_true == 1], y_score[y_true == 0]\n"
        "    return (positive[:, None] > negative).mean()\n"
        "print(check('metrics/roc_auc', roc_auc))",
    )
    assert "tie" in said and "expected" in said


def test_saving_stores_pictures_instead_of_live_widgets(lab, page):
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    stored = json.loads((lab.folder / "notebooks/05_metrics_roc.ipynb").read_text(encoding="utf-8"))
    outputs = [output["data"] for cell in stored["cells"] for output in cell.get("outputs", []) if "data" in output]
    assert sum("image/png" in data for data in outputs) == 3 and not any(WIDGET_VIEW in data for data in outputs)
    assert "widgets" not in stored["metadata"]
    assert page.locator(".viva-explorer canvas").count() > 0, "the page itself stays live"
