"""Slides: what RISE makes of a notebook's metadata, its explorers live, its answers one step later."""

import pytest

from classroom import slides
from tests.browser.conftest import ARTIFACTS, Server, at_rest, free_port


@pytest.fixture(scope="module")
def page(tmp_path_factory, browser):
    folder, port = tmp_path_factory.mktemp("slides"), free_port()
    slides.copy_notebooks(folder)
    line, environment = slides.command(folder, "05_metrics_roc", port)
    line = [*line, "--no-browser", "--IdentityProvider.token="]
    environment = environment | {"VIVA_HOME": str(folder / "home")}
    server = Server(line, f"http://127.0.0.1:{port}/api", folder / "jupyter.log", environment)
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.set_default_timeout(60_000)
    page.goto(f"http://127.0.0.1:{port}")
    page.wait_for_function("document.body.dataset.vivaRan")
    yield page
    server.close()


def go_on(page, text):
    """Press the space bar until a text is on the slide."""
    for _ in range(60):
        if page.locator("section.present:not(.stack)", has_text=text).count():
            page.wait_for_timeout(1000)  # the slide comes to rest
            return
        page.keyboard.press("Space")
        page.wait_for_timeout(100)
    pytest.fail(f"no slide says {text!r}")


def fragments(page, text):
    return page.locator("section.present:not(.stack) .fragment.visible", has_text=text).count()


def test_it_begins_with_the_title_and_derives_step_by_step(page):
    assert page.locator("section.present h1", has_text="05 Metrics and ROC").is_visible()
    go_on(page, "F-beta.")
    assert not page.locator("section.present:not(.stack)", has_text="AUC is a probability").count()
    assert page.locator("section.present mjx-container:visible").count(), "formulas are drawn without a network"


def test_an_explorer_lives_under_its_question_and_the_answer_comes_after(page):
    go_on(page, "One threshold, four pictures")
    explorer = page.locator("section.present .viva-explorer")
    box = explorer.bounding_box()
    assert box["y"] + box["height"] < 1080, "it does not fit"
    assert not page.locator("section.present:not(.stack)", has_text="TP and FP can only fall").count()
    before = at_rest(explorer)
    explorer.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    at_rest(explorer, unlike=before)
    page.screenshot(path=ARTIFACTS / "slides_explorer.png")
    page.evaluate("document.activeElement.blur()")


def test_a_trap_is_a_claim_then_its_evidence_then_the_verdict(page):
    go_on(page, "met-2")
    assert not fragments(page, "2TP/(2TP+FP+FN)") and not fragments(page, "half true")
    page.keyboard.press("Space")
    page.wait_for_timeout(500)
    assert fragments(page, "F-beta") and not fragments(page, "half true")
    page.keyboard.press("Space")
    page.wait_for_timeout(500)
    assert fragments(page, "Say instead")
    page.screenshot(path=ARTIFACTS / "slides_trap.png")
