"""The collection as a whole: every topic has its rooms, every notebook its sections, every claim its card."""

import json
import re
import tomllib
from importlib import import_module
from itertools import pairwise, takewhile

import pytest
import yaml

from helpers import topics
from helpers.canonical import canonical
from helpers.interview.exercises import all_exercises
from helpers.topics import ROOT, TOPICS

READY = [topic for topic in TOPICS if topic.ready]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECTIONS = [
    "What you will be able to answer",
    "The 60-second answer",
    "Derive it",
    "From scratch",
    "Against the reference",
    "Explore",
    "Traps",
    "Whiteboard",
    "Drill",
    "References",
]

# how many claims of the notes each topic settles
CLAIMS = "svm 6, kmeans 4, nb 2, cr 2, met 10, reg 6, over 6, bp 3, conv 2, pool 3, rf 5, norm 8, gd 8, opt 7, act 9"
CLAIMS += ", var 6, loss 7, iou 5, avg 5, rep 4, res 5, yolo 6, swin 6"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def text(notebook):
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_topics_are_the_twenty_three():
    assert [topic.number for topic in TOPICS] == list(range(1, 24))
    assert len({topic.stem for topic in TOPICS}) == 23
    assert all(1 <= topic.part <= len(topics.PARTS) for topic in TOPICS)


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_a_ready_topic_has_all_its_rooms(topic):
    helpers = ROOT / "helpers"
    for room in ("algorithms/{}.py", "explorers/{}.py", "interview/cards/{}.toml", "interview/exercises/{}.py"):
        assert (helpers / room.format(topic.stem)).is_file(), room
    for room in ("algorithms", "explorers"):
        assert (ROOT / f"tests/{room}/test_{topic.stem}.py").is_file(), room


def test_nothing_stands_in_the_rooms_that_is_not_in_the_list():
    stems = {topic.stem for topic in TOPICS} | {"__init__", "explorer", "controls", "handles", "canvas", "cells"}
    for room in ("algorithms/*.py", "explorers/*.py", "interview/cards/*.toml", "interview/exercises/*.py"):
        assert {path.stem for path in (ROOT / "helpers").glob(room)} <= stems
    assert {path.stem for path in NOTEBOOKS} <= {topic.notebook for topic in TOPICS} | {"00_start_here"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_in_canonical_form(path):
    notebook = read(path)
    for cell in notebook["cells"]:  # files hold lines, nbformat's objects hold strings: compare like with like
        assert cell.get("id"), "every cell has an id"
    assert canonical(notebook) == notebook, "run `make notebooks`"
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_notebook_has_its_sections_in_order(topic):
    notebook = read(topic.path)
    words = text(notebook)
    assert words.startswith(f"# {topic.number:02} {topic.title}")
    assert re.findall(r"(?m)^## \d+ (.*)$", words) == SECTIONS
    assert [int(n) for n in re.findall(r"(?m)^## (\d+) ", words)] == list(range(1, 11))
    assert len(notebook["cells"]) <= 90
    assert re.search(r"[\u4e00-\u9fff]", words)


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_every_claim_of_a_notebook_has_evidence_a_verdict_and_a_card(topic):
    notebook = read(topic.path)
    cards = tomllib.loads((ROOT / f"helpers/interview/cards/{topic.stem}.toml").read_text(encoding="utf-8"))["card"]
    on_cards = {card["claim"] for card in cards if card.get("claim")}
    claims = set()
    for place, cell in enumerate(notebook["cells"]):
        for claim in re.findall(r"(?m)^### ([a-z]+-\d+) ·", "".join(cell["source"])):
            claims.add(claim)
            evidence = list(takewhile(lambda after: after["cell_type"] == "code", notebook["cells"][place + 1 :]))
            assert evidence and all(after["outputs"] for after in evidence), f"{claim} needs a cell that computes it"
            verdict = "".join(notebook["cells"][place + 1 + len(evidence)]["source"])
            assert verdict.startswith("<details><summary>Verdict: ") and "**Say instead:**" in verdict, claim
    assert claims and claims == on_cards


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_slides_follow_the_sections(topic):
    kinds, lines = [], []
    for cell in read(topic.path)["cells"]:
        kind = cell["metadata"].get("slideshow", {}).get("slide_type")
        kinds.append((kind, cell["cell_type"]))
        words = "".join(cell["source"])
        if kind == "slide":
            lines.append(words.split("\n")[0])
        headings = re.findall(r"(?m)^#+ .*$", words) if cell["cell_type"] == "markdown" else []
        assert kind == "slide" or not headings, f"{headings} stand on a slide of other things"
        assert kind == "fragment" or not words.startswith("<details>"), "an answer is shown with its question"
        if re.search(r"^(\w+) = explorers\..*\n\1$", words, re.MULTILINE | re.DOTALL):
            assert kind is None and kinds[-2][0] in ("slide", "subslide"), "an explorer is shown without its question"
    assert lines[0].startswith(f"# {topic.number:02} {topic.title}")
    assert [line for line in lines if line.startswith("## ")] == [
        f"## {number} {name}" for number, name in enumerate(SECTIONS[1:], 2)
    ]
    claims = re.findall(r"(?m)^### [a-z]+-\d+ · .*$", text(read(topic.path)))
    assert len([line for line in lines if re.match(r"### [a-z]+-\d+ · ", line)]) >= len(claims) - 1  # one under "Traps"
    assert kinds[1] == ("skip", "code"), "the imports are no slide"


def test_every_claim_of_the_notes_is_settled():
    wanted = [f"{name}-{n + 1}" for name, several in map(str.split, CLAIMS.split(", ")) for n in range(int(several))]
    settled = [claim for path in NOTEBOOKS for claim in re.findall(r"(?m)^### ([a-z]+-\d+) ·", text(read(path)))]
    assert sorted(settled) == sorted(wanted)


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_every_explorer_of_a_topic_is_shown_as_a_picture(topic):
    explorers = import_module(f"helpers.explorers.{topic.stem}").examples()
    outputs = [output for cell in read(topic.path)["cells"] for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= len(explorers)


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_no_prediction_is_spoiled(topic):
    """The answer to a prediction is folded, numbers and words, and asking for it moves no explorer."""
    asked, cells = 0, read(topic.path)["cells"]
    names = "|".join(re.findall(r"(?m)^(\w+) = explorers\.", "\n".join("".join(cell["source"]) for cell in cells)))
    section = 0
    for cell, after in pairwise(cells):
        code = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
        heading = re.match(r"## (\d+) ", "".join(cell["source"]))
        section = int(heading[1]) if heading else section
        if re.search(rf"\b({names})\.(set|press)\(", code):
            assert ".reset()" in code, f"{cell['id']} leaves an explorer moved"
        if section == 6 and re.search(rf"\b({names})\.at(_press)?\(", code):
            asked += 1
            (shown,) = (output["data"] for output in cell["outputs"])
            assert "<details>" in "".join(shown.get("text/html") or shown.get("text/markdown")), (
                f"{cell['id']}: not folded"
            )
            words = "".join(after["source"])
            assert after["cell_type"] == "code" or words.startswith("<details><summary>Answer"), cell["id"]
    assert asked >= len(import_module(f"helpers.explorers.{topic.stem}").examples())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_formulas_render_on_github(path):
    words = text(read(path))
    for unsupported in (r"\operatorname", r"\mathbbm", r"\begin{align}", r"\{"):
        assert unsupported not in words, f"{unsupported} does not render on GitHub"
    assert words.count("$$") % 2 == 0


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_every_exercise_of_a_topic_stands_on_its_whiteboard(topic):
    code = "\n".join("".join(cell["source"]) for cell in read(topic.path)["cells"] if cell["cell_type"] == "code")
    assert "from helpers.interview.judge import check, hint, solution" in code
    assert f'Quiz("{topic.stem}")' in code
    exercises = [exercise.id for exercise in all_exercises() if exercise.id.startswith(f"{topic.stem}/")]
    assert re.findall(r'check\("([^"]+)"', code) == exercises and len(exercises) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", text(read(path))):
        assert target.startswith("https://") or (path.parent / target).exists(), f"{target} is not written yet: no link"


def test_conda_environment_installs_what_pyproject_asks_for():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert f"python{project()['requires-python']}" in environment["dependencies"]
    assert pip == ["--constraint constraints.txt", "--editable .[test]"]


def test_what_is_run_without_make_is_what_make_runs():
    recipe = re.search(r"(?m)^test: \.venv/installed\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text())[1]
    for line in recipe.splitlines():
        command = line.partition("  #")[0].strip().replace("$(BIN)/", "python -m ").replace("$(JOBS)", "2")
        for path in ("CONTRIBUTING.md", ".github/workflows/test.yml"):
            assert command in (ROOT / path).read_text(encoding="utf-8"), f"{path} does not run: {command}"


def test_every_dependency_is_pinned_once():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    pins = [re.fullmatch(r"([\w.-]+)==[\w.]+", line)[1].lower() for line in lines]
    asked_for = project()["dependencies"] + project()["optional-dependencies"]["test"]
    assert {re.match(r"[\w-]+", line)[0].lower() for line in asked_for} <= set(pins)
    assert len(set(pins)) == len(pins)


def test_readme_shows_the_map_of_topics():
    assert topics.as_markdown() in (ROOT / "README.md").read_text(encoding="utf-8"), "run `make notebooks`"


def test_readme_names_only_files_that_exist():
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
