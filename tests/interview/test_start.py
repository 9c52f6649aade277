import re
from datetime import UTC, datetime, timedelta

import pytest

from helpers.interview.deck import load_cards
from helpers.interview.plan import study_plan
from helpers.interview.progress import Progress
from helpers.interview.quiz import Quiz
from helpers.interview.start import SearchBox, due_today, search, topic_map
from helpers.interview.table import Live
from helpers.topics import TOPICS

METRICS = TOPICS[4]
READY = [topic for topic in TOPICS if topic.ready]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("VIVA_HOME", str(tmp_path))


def learner(path, now):
    return Progress(path / "progress.sqlite3", clock=lambda: now)


def cells(table, topic):
    (row,) = (row for row in table.rows if topic in row)
    return dict(zip(table.head, row, strict=True))


def test_an_empty_profile_reads_the_same_every_day(empty):
    row = cells(topic_map(), METRICS)
    assert (row["Cards known"], row["Due today"]) == (f"0 of {len(load_cards('metrics'))}", 0)
    assert re.fullmatch(r"0 of \d+", row["Exercises passed"])
    assert [row[1] for row in topic_map().rows] == list(range(1, 24))
    assert repr(due_today()) == "Nothing is due today."
    assert due_today()._repr_html_() == "<p><b>Nothing is due today.</b></p>"


def test_the_map_links_what_is_ready(empty):
    page = topic_map()._repr_html_()
    for topic in TOPICS:
        assert (f'<a href="{topic.notebook}.ipynb">{topic.title}</a>' in page) == topic.ready
        assert topic.title in page


def test_the_map_counts_cards_and_exercises(tmp_path):
    now = datetime.now(UTC)
    progress = learner(tmp_path, now)
    known, learning = list(load_cards("metrics"))[:2]
    progress.answer(known, 4)
    progress.answer(learning, 1)
    progress.record_attempt("metrics/roc_auc", "failed")
    row = cells(topic_map(progress), METRICS)
    assert row["Cards known"] == f"1 of {len(load_cards('metrics'))}"
    assert row["Exercises passed"].startswith("0 of")
    progress.record_attempt("metrics/roc_auc", "passed")
    progress.record_attempt("metrics/roc_auc", "passed")
    assert cells(topic_map(progress), METRICS)["Exercises passed"].startswith("1 of")


def test_due_today_means_before_midnight_here(tmp_path):
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    early, late = list(load_cards("metrics"))[:2]
    learner(tmp_path, midnight - timedelta(hours=12)).answer(early, 1)
    progress = learner(tmp_path, midnight - timedelta(seconds=30))
    progress.answer(late, 1)  # due in one minute, which is tomorrow
    assert repr(due_today(progress)).splitlines() == [
        "Due now: 1 card",
        "Topic            Cards now  Later today  Exercises",
        "Metrics and ROC  1          0",
    ]
    assert cells(topic_map(progress), METRICS)["Due today"] == 1
    assert "Due now: 2" in repr(due_today(learner(tmp_path, midnight + timedelta(minutes=1))))


def test_what_comes_later_today_is_told(tmp_path):
    noon = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
    progress = learner(tmp_path, noon)
    for card in list(load_cards("metrics"))[:3]:
        progress.answer(card, 1)
    assert "Due now: 0 cards, 3 later today, next in 1 min" in repr(due_today(progress))


def test_a_live_table_follows_every_answer(tmp_path):
    noon = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0)
    progress = learner(tmp_path, noon)
    live = Live(lambda: due_today(progress))
    assert "Nothing is due" in live.outputs[0]["data"]["text/html"]
    quiz = Quiz("metrics", progress=progress)
    quiz.reveal()
    quiz.grade(1)
    assert "1 later today" in live.outputs[0]["data"]["text/html"]
    assert live._repr_mimebundle_()["text/html"] == live.outputs[0]["data"]["text/html"]


@pytest.mark.parametrize("days", [1, 2, 7, 14, 23, 60, 365])
def test_a_plan_teaches_every_topic_once_and_reviews_it_later(days, empty):
    table = study_plan(days)
    assert len(table.rows) == days
    assert [topic for row in table.rows for topic in row[1]] == READY
    learnt = {topic: day for day, row in enumerate(table.rows) for topic in row[1]}
    for day, (_, _, review, _) in enumerate(table.rows):
        assert all(day - learnt[topic] in (1, 3, 7, 14, 30) for topic in review)
    loads = [len(row[1]) for row in table.rows]
    assert max(loads) <= -(-len(READY) // max(1, days * 3 // 4))
    assert table.rows[-1][3] == "yes"
    if days > 3:
        assert all(any(topic in row[2] for row in table.rows) for topic in READY)
    assert str(table) == str(study_plan(days))


@pytest.mark.parametrize("days", [0, -3, 366, 2.5, "14", None, True])
def test_a_bad_number_of_days_is_refused(days):
    with pytest.raises(ValueError, match="days"):
        study_plan(days)


def test_search_finds_claims_in_both_languages():
    for text in ("met-7", "MET-7 roc", "样本不均衡"):
        (row,) = search(text).rows
        assert row[0] == (METRICS, "met-7")
    assert 'href="05_metrics_roc.ipynb#met-7' in search("met-7")._repr_html_()
    assert len(search("trapezoidal precision").rows) == 1
    assert len(search("召回率").rows) > 3
    assert repr(search("zebra")) == "zebra: 0 cards, 0 exercises"
    assert "&lt;b&gt;" in search("<b>")._repr_html_()


def test_search_finds_exercises():
    (row,) = search("metrics/roc_auc").rows
    assert row[1] == "Exercise metrics/roc_auc"


@pytest.mark.parametrize("text", ["", "  ", None, 7])
def test_a_search_for_nothing_is_refused(text):
    with pytest.raises(ValueError, match="text must hold a word"):
        search(text)


def test_the_search_box_follows_the_typing():
    box = SearchBox()
    assert repr(box) == f"Search over {len(load_cards())} cards"
    box._text.value = "met-"
    assert box._hits.outputs[0]["data"]["text/html"].count("<tr>") == 11
    box._text.value = "met-7"
    assert box._hits.outputs[0]["data"]["text/html"].count("<tr>") == 2
    box._text.value = " "
    assert box._hits.outputs == ()
