"""The Chinese interface: every text has its Chinese, every Chinese its text, and English is the default."""

import ast
import json
import re
from itertools import chain

import pytest

from helpers import canonical, datasets, language
from helpers.explorers.controls import Choice, Slider
from helpers.interview.judge import Verdict, check, hint
from helpers.interview.mock import Answer, MockInterview, report, scores
from helpers.interview.plan import PlanBox, study_plan
from helpers.interview.progress import Progress
from helpers.interview.quiz import Quiz
from helpers.interview.start import due_today, topic_map
from helpers.interview.today import Today
from helpers.language import say
from helpers.notebook import folded, table
from helpers.topics import ROOT

HELPERS = ROOT / "helpers"
CATALOG = language.catalog()
KEYS = {key: room for room, texts in CATALOG.items() for key in texts}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def chinese(monkeypatch, tmp_path):
    monkeypatch.setenv("VIVA_LANGUAGE", "zh")
    monkeypatch.setenv("VIVA_HOME", str(tmp_path))


# --- the catalog itself ----------------------------------------------------------------------------------------------


def test_a_key_stands_in_one_room_and_its_holes_return():
    assert len(KEYS) == sum(map(len, CATALOG.values())), "a key stands in two rooms"
    for key, shown in chain(*(texts.items() for texts in CATALOG.values())):
        holes = [sorted(re.findall(r"\{\w\}", text)) for text in (key, shown)]
        assert holes[0] == holes[1] and len(set(holes[0])) == len(holes[0]), key


def test_what_is_shown_is_chinese_or_listed_as_the_same():
    """Formulas and names apart, which have no word of English."""
    for room in ("explorer", "page", "quiz", "judge", "notebooks"):
        for key, shown in CATALOG[room].items():
            assert CHINESE.search(shown) or not re.search(r"[A-Za-z]{2}", shown), key


def test_chinese_has_its_own_punctuation_and_a_space_beside_latin():
    for key, shown in chain(*(texts.items() for texts in CATALOG.values())):
        text = re.sub(r"</?b>", "", shown)
        assert not re.search(r"[\u4e00-\u9fff][,;!?]|[\u4e00-\u9fff]\(|[\u4e00-\u9fff]:", text), key
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9{]|[A-Za-z0-9][\u4e00-\u9fff]", _without_texts(text)), key


def _without_texts(shown):
    """Holes for Chinese texts as such a text: they need no space beside them."""
    return re.sub(r"\{[a-z]\}", "文", shown)


def strings(path):
    """Every string of a Python file but its docstrings, an f-string as its literal parts."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)  # a docstring
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def names(path):
    """What is assigned in a file, as words: a control without a label shows its name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name):
            yield node.id.replace("_", " ")


def test_no_line_of_the_catalog_is_unused():
    code = [text for path in HELPERS.rglob("*.py") for text in chain(strings(path), names(path))]
    code += [path.read_text(encoding="utf-8") for path in HELPERS.rglob("*.js")]
    code += [cell["source"] for cell in _prose()]
    code += [*datasets.iris().features, *datasets.iris().classes]
    said = "\0".join(["", *code, ""])
    for key, room in KEYS.items():
        if room == "topics" or re.fullmatch(r"\{N\} [A-Z][a-z]{2}|[A-Z][a-z]{2} \{a\}", key):  # strftime's months, days
            continue
        for fragment in re.split(r"\{\w\}", key):
            words = fragment.strip(" ():,;./=+")
            if re.search(r"[A-Za-z]{2}", words):
                words = words.replace("The gradient of", "the gradient of")  # where a sentence begins with a name
                assert _holds(said, words), f"{key!r}: {words!r} is said nowhere"


def _holds(text, words):
    """Whether whole words stand in a text; a regular expression that begins with a look behind takes half a minute."""
    places = re.finditer(re.escape(words), text)
    return any(not re.match(r"\w", text[p.start() - 1]) and not re.match(r"\w", text[p.end()]) for p in places)


def _prose():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield {"source": "".join(cell["source"])}


# --- texts and their Chinese: explorers are walked in tests/explorers/test_every_explorer.py -------------------------


def said():
    """Every literal handed to `say` in the helpers, what an f-string holds as a 7."""
    for path in set(HELPERS.rglob("*.py")) - {HELPERS / "interview/examiner.py"}:  # which says things to the kernel
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
                yield from _literals(node.args[0])


def _literals(node):
    if isinstance(node, ast.IfExp):
        yield from chain(_literals(node.body), _literals(node.orelse))
    elif isinstance(node, ast.Constant):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)


def test_whatever_the_code_says_is_known():
    texts = set(said())
    assert len(texts) > 40
    more = {"every 7": ["every topic", "every kind", "every level"]}
    more["77 (7)"] = ["Again (1)", "Hard: 6 min (2)", "Good: 2.5 mo (3)", "Easy: 8 d (4)", "1 y", "3 h"]
    more["7. Answer aloud, show the answer, then grade yourself."] = [
        "all topics, up to onsite, 15 minutes. Answer aloud, show the answer, then grade yourself.",
        "k-means, Naive Bayes, up to screen, 2.5 minutes. Answer aloud, show the answer, then grade yourself.",
    ]
    for text in chain.from_iterable(more.get(text, [text]) for text in texts):
        assert language.is_known(text), text


def test_whatever_the_page_says_is_known():
    for path in HELPERS.rglob("*.js"):
        script = path.read_text(encoding="utf-8")
        literals = re.findall(r'say\("(.*?)"\)', script) + re.findall(r'const LOST = "(.*?)"', script)
        assert literals and set(literals) <= CATALOG["page"].keys(), path
    for path in HELPERS.rglob("*.css"):
        assert not re.findall(r'content: "[^"]*[A-Za-z]{2}[^"]*"', path.read_text(encoding="utf-8")), path


def test_every_sentence_of_the_judge_is_known():
    """Sentences are put together from the literals of these files: each must stand in some line of the catalog."""
    found = 0
    for name in ("comparison", "examiner", "packing", "sandbox", "worker"):
        for text in strings(HELPERS / f"interview/{name}.py"):
            text = text.removesuffix(". T").strip(" .:,;()")  # the T of "The gradient"
            if len(text.split()) > 2 and re.match(r"[A-Z(]|a |an |one ", text) and not text.startswith(_NOT_A_VERDICT):
                found += 1
                assert any(_stands_in(text, key) for key in CATALOG["judge"]), text
    assert found > 25


_NOT_A_VERDICT = ("from helpers", "{", "hypothesis")


def _stands_in(text, key):
    return text in key or text[0].lower() + text[1:] in key


def test_what_the_notebooks_explorers_say_is_known():
    """Explorers on other data than the examples': their titles and the names of their readouts, as stored."""
    found = 0
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for data in (output.get("data", {}) for output in cell.get("outputs", ())):
                title, *lines = "".join(data.get("text/plain", "")).split("\n")
                if "image/png" in data and lines:
                    found += 1
                    assert language.is_known(title), title
                    for line in lines:
                        ends = [colon.start() for colon in re.finditer(": ", line)]
                        assert any(language.is_known(line[:end]) for end in ends), line
    assert found > 50


def test_every_section_of_a_notebook_has_a_chinese_heading():
    headings = {line for cell in _prose() for line in cell["source"].split("\n") if line.startswith("## ")}
    assert headings == CATALOG["notebooks"].keys()
    for heading in headings:
        assert language.in_english(CATALOG["notebooks"][heading]) == language.in_english(heading) == heading


# --- English is the default ------------------------------------------------------------------------------------------


def test_without_the_switch_everything_is_said_as_it_is(monkeypatch):
    for chosen in (None, "", "en"):
        monkeypatch.delenv("VIVA_LANGUAGE", raising=False) if chosen is None else monkeypatch.setenv(
            "VIVA_LANGUAGE", chosen
        )
        assert all(say(key) == key for key in KEYS)
        assert language.page_texts() == {}


def test_another_language_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("VIVA_LANGUAGE", "fr")
    with pytest.raises(ValueError, match="VIVA_LANGUAGE must be en or zh, got 'fr'"):
        say("recall")


def test_notebooks_are_stored_in_english(chinese, monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(canonical, "store", lambda notebook, path: asked.update(notebook=notebook))
    path = tmp_path / "one.ipynb"
    cell = {"cell_type": "code", "source": "import os; print(os.environ.get('VIVA_LANGUAGE'))", "metadata": {}}
    cell |= {"outputs": [], "execution_count": None, "id": "one"}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    canonical.run(path)
    assert asked["notebook"]["cells"][0]["outputs"][0]["text"] == "en\n"


# --- Chinese ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("english", "shown"),
    [
        ("threshold", "阈值"),
        ("F-beta, beta 0.5", "F-beta（beta = 0.5）"),
        ("1 of 16", "1 / 16"),
        ("weight of bmi, Adam + L2", "bmi 的权重，Adam + L2"),
        ("sum of sizes, ridge", "绝对值之和，ridge"),
        ("my own label (mm)", "my own label (mm)"),  # never half of a text
        ("recall, of mine", "recall, of mine"),
        ("-0.5", "-0.5"),
        ("5, 3", "5, 3"),
        ("8 d", "8 天"),
        ("share held (%)", "占影响的比例（%）"),
        ("Undo (U)", "撤销 (U)"),
    ],
)
def test_a_text_is_shown_in_chinese_or_as_it_is(chinese, english, shown):
    assert say(english) == shown


def test_controls_show_chinese_and_hold_english(chinese):
    choice = Choice("mean", ("max", "mean"), label="pool by")
    choice.name = "pool"
    shown = choice.widget()
    assert (shown.description, shown.options) == ("池化方式", (("最大", "max"), ("平均", "mean")))
    assert shown.value == "mean"
    slider = Slider(1, 1, 20, label="patience", unit="epochs")
    assert slider.widget().description == "耐心轮数（轮）"


def test_folded_answers_have_a_chinese_summary(chinese):
    assert "<summary>读数</summary>" in folded(table(["a"], [[1]])).data


def english_in(shown, but=()):
    """Words of English in what a learner reads, formulas and what any engineer writes in English aside."""
    text = re.sub(r"<[^>]*>|&\w+;", " ", shown)
    words = re.findall(r"[A-Za-z][A-Za-z'-]+", text)
    return [word for word in words if word not in (*CATALOG["same"], "ROC", "AlexNet", "Softmax", *but)]


def descriptions(widget):
    """What stands on every widget in a box."""
    yield getattr(widget, "description", "")
    for option in getattr(widget, "options", ()):
        yield option[0]
    for child in getattr(widget, "children", ()):
        yield from descriptions(child)


def test_quiz_session_plan_and_interview_show_no_english(chinese, clean_progress):
    quiz = Quiz("svm", "metrics", progress=clean_progress)
    quiz.reveal()
    interview = MockInterview("metrics", minutes=1, progress=clean_progress, seed=1)
    today, plan = Today(clean_progress), PlanBox(clean_progress)
    for shown in (quiz, interview, today, plan):
        for text in descriptions(shown):
            assert not english_in(text), text
    lines = [quiz._bar.value, quiz._line.value, interview._time.value, today.children[0].value, plan._line.value]
    assert all(map(CHINESE.search, lines[1:]))
    for line in lines:
        assert not english_in(line), line
    today.start()
    today.skip()
    assert not english_in(today._bar.value)
    interview.start()
    assert not english_in(interview._time.value)
    for held in (quiz, interview, today, plan):
        held.close()


@pytest.fixture
def clean_progress(tmp_path):
    return Progress(tmp_path / "progress.sqlite")


def test_tables_of_the_start_page_show_no_english(chinese, clean_progress):
    card = next(iter(Quiz("metrics", progress=clean_progress).cards.values()))
    clean_progress.answer(card.id, 1)
    answers = [Answer(card, 1, 20.0)]
    tables = [topic_map(clean_progress), due_today(clean_progress), study_plan(40, clean_progress)]
    tables += [scores(answers), report(answers)]
    for shown in tables:
        names = ["YOLO", "RepVGG", "RepLKNet", "VGG", "Swin", "Transformer"]
        html = re.sub(r"<code>.*?</code>|\$.*?\$", "", shown._repr_html_())
        assert CHINESE.search(html) and not english_in(html, names), html
    assert "Topics" in repr(tables[0]), "a stored output is English"


def wrong_answer(y_true, y_score):
    raise ValueError("nothing here")


def test_verdicts_show_chinese_around_what_the_learner_wrote(chinese):
    verdict = check("metrics/roc_auc", wrong_answer)
    html = verdict._repr_html_()
    assert "It raises ValueError" in verdict.message and "The smallest input found:" in repr(verdict)
    for part in (">未通过</b>", "个输入", "还不对。它抛出 ValueError：nothing here", "找到的最小输入：", "出错在第"):
        assert part in html, part


def test_rows_of_a_verdict_keep_their_columns(chinese):
    message = """metrics/counts: not right yet. threshold is wrong. It holds float32, ours float64.
The smallest input found:
    threshold           [1, 2]
    threshold expected  [1, 2]
    threshold got       [1,
                         3]
    differs at          threshold[1]: expected 2, got 3 (1 of 2 entries differ)
Likely mistake: It is not sorted.
Not recorded: no file"""
    shown = Verdict(False, message, "Failed")._repr_html_()
    assert f"tab-size: {len('    threshold expected  ')}" in shown
    for line in (
        "metrics/counts：还不对。threshold 错误。它的类型是 float32，我们的是 float64。",
        "    threshold           [1, 2]",
        "    threshold 期望\t[1, 2]",
        "    threshold 你的\t[1,",
        "                         3]",
        "    不同处\tthreshold[1]：期望 2，你的 3（2 个元素中有 1 个不同）",
        "可能的错误：It is not sorted.",
        "未能记录：no file",
    ):
        assert line in shown.replace("</pre>", "\n").replace(">", ">\n").split("\n"), line


def test_a_hint_has_a_chinese_frame(chinese):
    note = hint("metrics/roc_auc")
    assert note.startswith("metrics/roc_auc: hint 1 of 3.")
    assert note._repr_markdown_().startswith("metrics/roc\\_auc：第 1 条提示，共 3 条。")
