"""The Chinese interface in a real JupyterLab: its own menus, an explorer, the quiz, a verdict; nothing is cut off."""

import re
import shutil

import pytest

from helpers import lab as learner
from tests.browser.conftest import ARTIFACTS, Lab, at_rest

CUT = """box => [...box.querySelectorAll("button, .widget-label, .widget-readout, .viva-readouts :is(th, td)")]
    .filter(part => part.offsetParent)
    .filter(part => part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 2)
    .map(part => part.textContent)"""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def chinese_lab(tmp_path_factory, browser):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIVA_LANGUAGE", "zh")
        server = Lab(tmp_path_factory.mktemp("lab"), browser)
        patch.setenv("VIVA_HOME", str(server.folder))
        shutil.rmtree(server.folder / "notebooks")
        learner.update()  # the copy that `make lab` makes
        yield server
        server.close()


@pytest.fixture(scope="module")
def metrics(chinese_lab):
    page = chinese_lab.open("05_metrics_roc", size=(1280, 720))
    chinese_lab.run_all(page)
    return page


def shown(page, what, name):
    """Scroll to something, keep a picture of the page, and return its texts that are cut off."""
    for _ in range(3):  # cells above it get their height when they are first seen
        what.evaluate("box => box.scrollIntoView({block: 'nearest'})")
        page.wait_for_timeout(400)
    page.screenshot(path=ARTIFACTS / f"chinese_{name}.png")
    return what.evaluate(CUT)


def test_jupyterlab_and_the_sections_speak_chinese(metrics):
    assert metrics.locator("#jp-MainMenu .lm-MenuBar-item").first.inner_text() == "文件"
    headings = [heading.partition("¶")[0].strip() for heading in metrics.locator(".jp-Notebook h2").all_text_contents()]
    assert len(headings) == 10 and all(map(CHINESE.search, headings)), headings


@pytest.mark.parametrize("number", range(3))
def test_an_explorer_speaks_chinese_and_follows_its_sliders(metrics, number):
    explorer = metrics.locator(".viva-explorer").nth(number)
    assert shown(metrics, explorer, f"explorer_{number}") == []
    before, said = at_rest(explorer), explorer.locator(".viva-readouts td").all_inner_texts()
    explorer.locator(".noUi-handle").first.focus()
    for _ in range(3):
        metrics.keyboard.press("PageUp")
    at_rest(explorer, unlike=before)
    assert explorer.locator(".viva-readouts td").all_inner_texts() != said
    texts = explorer.locator(".viva-controls .widget-label, .viva-readouts th, button").all_inner_texts()
    english = [text for text in texts if not CHINESE.search(text)]
    assert set(english) <= {"beta", "F-beta（beta = 1）", "TP", "FP", "TN", "FN", "FPR", "FNR", "ROC AUC"}, english
    assert explorer.locator("canvas").get_attribute("aria-label")[0] not in "OIT"


def test_the_code_still_speaks_english(chinese_lab, metrics):
    code = "print(explorers.examples()['Threshold']().at(threshold=0.8)['precision'])"
    assert float(chinese_lab.execute(metrics, f"from helpers.explorers import metrics as explorers\n{code}")) == 1


def test_a_lost_kernel_is_told_in_chinese(metrics):
    explorer = metrics.locator(".viva-explorer").first
    explorer.evaluate("box => box.classList.add('jupyter-widgets-disconnected')")
    said = explorer.locator(".viva-side").evaluate("side => getComputedStyle(side, '::after').content")
    explorer.evaluate("box => box.classList.remove('jupyter-widgets-disconnected')")
    assert said == '"未连接：运行此单元格即可操作。"'


def test_a_verdict_speaks_chinese(chinese_lab, metrics):
    code = "def roc_auc(y_true, y_score):\n    return (y_true * y_score).mean()\n\ncheck('metrics/roc_auc', roc_auc)"
    metrics.evaluate(
        """code => { const panel = window.jupyterapp.shell.currentWidget;
        panel.content.model.sharedModel.addCell({cell_type: "code", source: code, metadata: {}});
        panel.content.activeCellIndex = panel.content.widgets.length - 1; }""",
        code,
    )
    metrics.evaluate("void window.jupyterapp.commands.execute('notebook:run-cell')")
    verdict = metrics.locator(".jp-OutputArea pre", has_text="还不对").last
    verdict.wait_for()
    verdict.scroll_into_view_if_needed()
    assert "找到的最小输入：" in verdict.inner_text() and "期望" in verdict.inner_text()
    metrics.screenshot(path=ARTIFACTS / "chinese_verdict.png")


def test_the_quiz_speaks_chinese(chinese_lab):
    page = chinese_lab.open("00_start_here", size=(1280, 720))
    chinese_lab.run_all(page)
    quiz = page.locator(".viva-quiz").first
    quiz.locator(".viva-reveal").click()
    page.wait_for_function("document.querySelector('.viva-grade-1').textContent.includes('分钟')")
    assert shown(page, quiz, "quiz") == []
    today = page.locator(".viva-today").first
    assert shown(page, today, "today") == []
    texts = page.locator(".viva-quiz button, .viva-today button, .viva-mock button, .viva-save").all_text_contents()
    assert len(texts) > 10 and [text for text in texts if not CHINESE.search(text)] == []
