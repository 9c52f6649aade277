"""What students share, and what their teacher sees of it: made-up students, whose numbers are known."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from classroom import report, share
from helpers.interview.deck import load_cards
from helpers.interview.progress import Progress
from tests.browser.conftest import ARTIFACTS

TRAPS = [card.id for card in load_cards().values() if card.kind == "trap"]
TIE = "A tie between a positive and a negative counts one half. Here it counts as won: >= should be >."
WRONG = "metrics/roc_auc: not right yet. auc is wrong.\nThe smallest input found:\n    y_true  [0, 1]"
VERDICT = f"{WRONG}\nLikely mistake: {TIE}"


def student(folder, grades, events, verdicts=()):
    """A student's progress: grades by card, events by exercise, each a minute after the one before."""
    clock = iter(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=n) for n in range(10_000))
    progress = Progress(folder / f"{len(list(folder.glob('*.sqlite3')))}.sqlite3", lambda: next(clock))
    for card, rows in grades.items():
        for grade in rows:
            progress.answer(card, grade)
    verdicts = iter(verdicts)
    for exercise, rows in events.items():
        for event in rows:
            judged = ("my = 'code'", next(verdicts)) if event == "failed" else ()
            progress.record_attempt(exercise, event, *judged)
    return progress


@pytest.fixture
def box(tmp_path):
    """The exports of three students: two fell for the first trap, one for the second; the judge refused two of them."""
    private, box = tmp_path / "private", tmp_path / "box"
    private.mkdir()
    box.mkdir()
    first, second, third = TRAPS[:3]
    crash = "metrics/roc_auc: not right yet. It raised IndexError: index 3 is out of bounds\nIt happens in line 2: a[3]"
    auc = "metrics/roc_auc"
    everybody = [
        student(private, {first: [1, 3], second: [3]}, {auc: ["failed", "failed", "passed"]}, [VERDICT] * 2),
        student(private, {first: [1, 1], second: [1], third: [4]}, {auc: ["failed"]}, [crash]),
        student(private, {first: [2]}, {auc: ["passed"], "boxes/nms": ["solution", "passed"]}),
    ]
    for name, progress in zip(("Ada", None, None), everybody, strict=True):
        share.share(box, name, progress)
    return box


def test_the_page_counts_students_not_attempts(box):
    students, left_out = report.gather(box)
    assert left_out == []
    assert [(card.id, fell, of) for card, fell, of in report.traps(students)] == [
        (TRAPS[0], 2, 3),
        (TRAPS[1], 1, 2),
        (TRAPS[2], 0, 1),
    ]
    (nms, nms_endings, _), (auc, auc_endings, reasons) = report.exercises(students)
    assert (nms, nms_endings) == ("boxes/nms", {"after the solution": 1})
    assert (auc, auc_endings) == ("metrics/roc_auc", {"after failures or hints": 1, "not yet": 1, "at once": 1})
    assert reasons == {TIE: 1, "It raised IndexError: index 3 is out of bounds": 1}


def test_an_export_holds_no_code_no_input_and_no_name_unless_given(box):
    texts = [path.read_text() for path in box.iterdir()]
    assert len(texts) == 3
    assert not any(word in text for text in texts for word in ("my = ", "smallest input", "a[3]", "private"))
    assert sorted(json.loads(text).get("name", "") for text in texts) == ["", "", "Ada"]
    assert {key for text in texts for key in json.loads(text)} == {
        *("format", "fsrs", "name", "reviews", "undos", "attempts", "submissions")
    }


def test_sharing_again_replaces_and_a_copy_counts_once(box, tmp_path):
    (again,) = [path for path in box.iterdir() if json.loads(path.read_text()).get("name") == "Ada"]
    progress = Progress(tmp_path / "private" / "0.sqlite3", lambda: datetime(2024, 1, 2, tzinfo=UTC))
    progress.answer(TRAPS[3], 1)
    (box / "copy.json").write_bytes(again.read_bytes())
    assert share.share(box, "Ada", progress) == again
    students, _ = report.gather(box)
    assert len(students) == 3
    assert [student.first_grades.get(TRAPS[3]) for student in students if student.name == "Ada"] == [1]


def test_a_broken_file_is_named_and_left_out(box, tmp_path):
    (box / "bad.json").write_text("{")
    (box / "empty.json").write_text('{"format": "viva-progress-1"}')
    (tmp_path / "secret.json").write_text("{}")
    (box / "link.json").symlink_to(tmp_path / "secret.json")
    students, left_out = report.gather(box)
    assert len(students) == 3
    assert [line.partition(":")[0] for line in left_out] == ["bad.json", "empty.json", "link.json"]
    assert all(line.rpartition(":")[2].strip() for line in left_out)


def test_bad_input_says_what_to_do(tmp_path, capsys):
    with pytest.raises(ValueError, match="folder must be the folder that your teacher named"):
        share.share(tmp_path / "none")
    with pytest.raises(ValueError, match="nothing to share yet"):
        share.share(tmp_path, progress=Progress(tmp_path / "p.sqlite3"))
    with pytest.raises(ValueError, match="is no folder"):
        report.gather(tmp_path / "none")
    with pytest.raises(ValueError, match=r"holds no export; each student runs `python -m classroom\.share"):
        report.gather(tmp_path)
    with pytest.raises(SystemExit):
        report.main([str(tmp_path)])
    assert "holds no export" in capsys.readouterr().err


def test_a_name_is_text_and_nothing_else(box):
    path = next(iter(box.iterdir()))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "<script>alert(1)</script>"}))
    students, _ = report.gather(box)
    html = report.page(students)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_command_draws_a_class_of_two_dozen(tmp_path, browser, capsys):
    private, box = tmp_path / "private", tmp_path / "box"
    private.mkdir()
    box.mkdir()
    tasks = ["metrics/roc_auc", "boxes/nms", "boxes/box_iou", "losses/focal_loss", "kmeans/lloyd"]
    tasks = [task for task in tasks if task in {exercise.id for exercise in report.all_exercises()}]
    for number in range(24):
        falls = [(number * 7 + place * 5) % 10 < 8 - place % 8 for place in range(18)]
        grades = {card: [1 if fell else 3] for card, fell in zip(TRAPS, falls, strict=False)}
        events = {
            task: ["failed"] * ((number + place) % 3) + (["passed"] if number % (place + 2) else [])
            for place, task in enumerate(tasks)
        }
        share.share(box, None, student(private, grades, events, [VERDICT] * 99))
    report.main([str(box), "--page", str(tmp_path / "class.html")])
    assert "24 students, 0 files left out" in capsys.readouterr().out
    html = (tmp_path / "class.html").read_text()
    assert re.search(r"<h1>The class: 24 shared</h1>", html)
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto((tmp_path / "class.html").as_uri())
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=ARTIFACTS / "class_report.png", full_page=True)
