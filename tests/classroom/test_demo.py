"""The demonstration: one page per topic, the explorers live, no code, keys of a presenter's remote."""

from importlib import import_module

import nbformat
import pytest

from classroom import demo
from helpers.topics import TOPICS
from tests.browser.conftest import ARTIFACTS, Server, at_rest, free_port

READY = [topic for topic in TOPICS if topic.ready]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    demo.write_pages(folder)
    return folder


@pytest.fixture(scope="module")
def page(folder, browser):
    port = free_port()
    line, environment = demo.command(folder, port)
    environment = environment | {"VIVA_HOME": str(folder / "home")}
    server = Server([*line, "--no-browser"], f"http://127.0.0.1:{port}", folder / "voila.log", environment)
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.set_default_timeout(60_000)
    page.goto(f"http://127.0.0.1:{port}")
    yield page
    server.close()


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.notebook)
def test_a_page_holds_every_explorer_of_its_topic_and_names_its_neighbors(topic, folder):
    page = nbformat.read(folder / f"{topic.number:02} {topic.title}.ipynb", as_version=4)
    shown = [cell for cell in page.cells if not cell.source.startswith("%%capture")]
    pictures = [cell for cell in shown if "image/png" in str(cell.get("outputs"))]
    assert len(pictures) >= len(import_module(f"helpers.explorers.{topic.stem}").examples())
    headings = [line for cell in shown for line in cell.source.split("\n") if line.startswith("### ")]
    assert len(headings) >= len(import_module(f"helpers.explorers.{topic.stem}").examples())
    assert not any("show_source(" in cell.source for cell in shown)
    after = page.metadata.viva.after
    assert (after is None) == (topic is READY[-1])
    assert after is None or (folder / after).exists()


def test_the_index_names_every_topic(page):
    assert page.locator("li a").all_inner_texts() == [f"{topic.number:02} {topic.title}" for topic in READY]
    page.screenshot(path=ARTIFACTS / "demo_index.png")


def test_explorers_live_under_their_questions_and_keys_lead_on(page):
    page.locator("li a", has_text="05 ").click()
    explorer = page.locator(".viva-explorer").first
    before = at_rest(explorer)
    assert page.locator(".jp-InputArea-editor:visible").count() == 0, "code is shown"
    assert page.locator("details[open]").count() == 0, "an answer stands open"
    headings = page.locator("#rendered_cells h3")
    for number in range(headings.count()):
        page.keyboard.press("PageDown")
        page.wait_for_function(f"Math.abs(document.querySelectorAll('#rendered_cells h3')[{number}]"
                               ".getBoundingClientRect().top) < 20")  # fmt: skip
        page.screenshot(path=ARTIFACTS / f"demo_05_{number}.png")
    for _ in range(headings.count() - 1):
        page.keyboard.press("PageUp")
    slider = explorer.locator(".noUi-handle").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    at_rest(explorer, unlike=before)
    question, picture = page.locator("text=Predict, then drag").first.bounding_box(), explorer.bounding_box()
    assert question["y"] < picture["y"]
    assert picture["y"] + explorer.locator("canvas").bounding_box()["height"] < 1080, "the picture does not fit"
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    page.wait_for_url("**/06*")
