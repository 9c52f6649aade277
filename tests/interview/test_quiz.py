from datetime import timedelta

import pytest

from helpers.interview import quiz as module
from helpers.interview.deck import Text, load_cards
from helpers.interview.progress import Progress, ProgressError
from helpers.interview.quiz import Quiz


@pytest.fixture
def quiz(progress):
    return Quiz("metrics", progress=progress)


def button(box, name):
    """The one button of this class, as the browser finds it."""
    found = [child for child in box.children if name in child._dom_classes]
    for child in box.children:
        found += [button(child, name)] if getattr(child, "children", ()) else []
    found = [child for child in found if child]
    assert len(found) <= 1
    return found[0] if found else None


def test_what_a_notebook_stores_is_stable(quiz):
    bundle = quiz._repr_mimebundle_()
    assert bundle["text/plain"] == f"Quiz: Metrics and ROC, {len(load_cards('metrics'))} cards"
    assert bundle.keys() == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert repr(Quiz(progress=quiz.progress)).startswith("Quiz: all topics, ")


def test_a_card_is_asked_revealed_and_graded_by_buttons(quiz, progress):
    first = quiz.card
    assert first.id == next(iter(load_cards("metrics")))
    assert quiz._answer.value == ""
    assert [button(quiz, f"viva-grade-{rating}").disabled for rating in (1, 2, 3, 4)] == [True] * 4
    button(quiz, "viva-reveal").click()
    assert first.source in quiz._answer.value
    assert button(quiz, "viva-reveal").disabled
    assert [button(quiz, f"viva-grade-{rating}").disabled for rating in (1, 2, 3, 4)] == [False] * 4
    button(quiz, "viva-grade-4").click()
    assert quiz.card != first
    assert quiz._answer.value == ""
    assert progress.cards()[first.id].known
    assert f"1 answered now, 0 due, {len(quiz.cards) - 1} new" in quiz._line.value


def test_a_double_click_records_one_answer(quiz, progress):
    quiz.reveal()
    for _ in range(2):
        button(quiz, "viva-grade-3").click()
    assert len(progress.cards()) == 1
    assert not quiz.revealed


def test_nothing_is_graded_unseen(quiz, progress):
    quiz.grade(3)
    assert progress.cards() == {}


def test_due_cards_come_before_new_ones(progress, clock):
    first, second, third = list(load_cards("metrics"))[:3]
    for card in (second, first):
        progress.answer(card, 1)
        clock.now += timedelta(seconds=1)
    clock.now += timedelta(hours=1)
    progress.answer("other/card", 1)  # the due cards of other topics stay out
    asked = Quiz("metrics", progress=progress)
    order = []
    for _ in range(3):
        order.append(asked.card.id)
        asked.reveal()
        asked.grade(4)
    assert order == [second, first, third]


def test_at_the_end_it_waits_for_what_falls_due(progress, clock):
    for card in load_cards("metrics"):
        progress.answer(card, 4)
    asked = Quiz("metrics", progress=progress)
    assert asked.card is None
    assert "Nothing to ask for now" in asked._line.value
    asked.grade(3)
    asked.reveal()
    assert asked.card is None
    clock.now += timedelta(days=100)
    asked.reveal()
    assert asked.card is not None
    assert not asked.revealed


def test_an_answer_that_cannot_be_recorded_is_not_lost(quiz, progress, monkeypatch):
    card = quiz.card
    quiz.reveal()
    with monkeypatch.context() as patch:
        patch.setattr(progress, "answer", lambda *args: (_ for _ in ()).throw(ProgressError("disk <full>")))
        quiz.grade(3)
    assert "Not recorded: disk &lt;full&gt;" in quiz._line.value
    assert (quiz.card, quiz.revealed) == (card, True)
    quiz.grade(3)
    assert set(progress.cards()) == {card.id}


def test_a_retry_after_the_answer_was_recorded_is_not_recorded_twice(quiz, progress, monkeypatch):
    def record_and_fail(*args):
        Progress.answer(progress, *args)
        raise ProgressError("the network drive went away")

    quiz.reveal()
    with monkeypatch.context() as patch:
        patch.setattr(progress, "answer", record_and_fail)
        quiz.grade(3)
    quiz.grade(3)
    with progress._transaction() as db:
        assert db.execute("SELECT count(*) FROM review").fetchone() == (1,)
    assert quiz.answered == 1


def test_progress_that_cannot_be_read_is_said_in_the_quiz(tmp_path):
    path = tmp_path / "progress.sqlite3"
    path.write_text("garbage" * 1000)
    asked = Quiz("metrics", progress=Progress(path))
    assert "is not a Viva progress file" in asked._line.value
    assert asked.card is None
    path.unlink()
    asked.reveal()
    assert asked.card is not None


def test_text_is_escaped_and_the_language_chosen(progress, monkeypatch):
    card = next(iter(load_cards("metrics").values()))._replace(
        question=Text("a <b> & $x<y$", "<i>甲"), source="B & C <1999>"
    )
    monkeypatch.setattr(module, "load_cards", lambda topics: {card.id: card})
    asked = Quiz("metrics", progress=progress)
    assert '<div lang="en"><p>a &lt;b&gt; &amp; $x&lt;y$</p></div>' in asked._question.value
    assert '<div lang="zh"><p>&lt;i&gt;甲</p></div>' in asked._question.value
    asked.reveal()
    assert "B &amp; C &lt;1999&gt;" in asked._answer.value
    asked._language.value = ("zh",)
    assert 'lang="en"' not in asked._question.value + asked._answer.value
    assert asked.revealed


def test_an_unknown_topic_and_one_without_cards_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="did you mean 'metrics'"):
        Quiz("metric")
    monkeypatch.setattr(module, "load_cards", lambda topics: {})
    with pytest.raises(ValueError, match="topics: metrics has no cards yet"):
        Quiz("metrics")


# --- what a learner of other programs expects ------------------------------------------------------------------------


def test_each_grade_says_when_the_card_returns(quiz, progress, clock):
    assert button(quiz, "viva-grade-3").description == "Good (3)"
    quiz.reveal()
    shown = [button(quiz, f"viva-grade-{rating}").description for rating in (1, 2, 3, 4)]
    assert shown[2] == "Good: 10 min (3)"
    first, before = quiz.card.id, clock.now
    quiz.grade(3)
    assert progress.cards()[first].due - before == timedelta(minutes=10)


def test_undo_takes_the_last_answer_back_and_keeps_both_in_the_log(quiz, progress):
    first = quiz.card
    assert button(quiz, "viva-undo").disabled
    quiz.reveal()
    quiz.grade(4)
    button(quiz, "viva-undo").click()
    assert (quiz.card, quiz.answered, progress.cards()) == (first, 0, {})
    assert button(quiz, "viva-undo").disabled
    with progress._transaction() as db:
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("review", "undo")]
    assert counts == [1, 1]
    quiz.reveal()
    quiz.grade(1)
    assert set(progress.cards()) == {first.id}


def test_a_suspended_card_is_not_asked(quiz, progress):
    first = quiz.card
    button(quiz, "viva-suspend").click()
    assert quiz.card != first
    assert first.id not in {quiz.card.id, *progress.due()}
    progress.suspend(first.id, suspended=False)
    assert Quiz("metrics", progress=progress).card == first


def test_a_card_asked_again_comes_last(progress):
    wanted = list(load_cards("metrics"))[:3]
    asked = Quiz(cards=wanted, progress=progress)
    asked.later()
    order = []
    while asked.card is not None:
        order.append(asked.card.id)
        asked.reveal()
        asked.grade(3)
    assert order == [wanted[1], wanted[2], wanted[0]]
    assert "3 of 3" in asked._bar.value


def test_filters_narrow_what_is_asked(progress):
    asked = Quiz(progress=progress)
    asked._filters["kind"].value = "derivation"
    asked._filters["topic"].value = "svm"
    assert (asked.card.kind, asked.card.topic.stem) == ("derivation", "svm")
    assert {(card.kind, card.topic.stem) for card in asked.cards.values()} == {("derivation", "svm")}
    asked._filters["level"].value = "expert"
    assert {card.level for card in asked.cards.values()} <= {"expert"}


def test_new_cards_come_with_the_topics_in_turn(progress):
    asked, seen = Quiz("svm", "metrics", progress=progress), []
    for _ in range(6):
        seen.append(asked.card.topic.stem)
        asked.reveal()
        asked.grade(4)
    assert seen == ["svm", "metrics"] * 3


def test_the_line_says_what_comes_later(quiz, clock):
    quiz.reveal()
    quiz.grade(1)
    assert "1 later today, next in 1 min" in quiz._line.value


def test_an_unknown_card_is_refused(progress):
    with pytest.raises(ValueError, match="there is no card 'metrics/nothing'"):
        Quiz(cards=["metrics/nothing"], progress=progress)
    with pytest.raises(ValueError, match="has no cards yet"):
        Quiz(cards=[], progress=progress)
