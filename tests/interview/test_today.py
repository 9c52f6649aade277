"""A session of today, from its start to its score; the plan that says what is new."""

import importlib
from datetime import timedelta

import pytest

from helpers.interview.agenda import agenda, interleaved, span, topic_of
from helpers.interview.deck import load_cards
from helpers.interview.plan import AROUND, PlanBox, forecast, new_today, plot_days, streak, study_plan
from helpers.interview.today import Today, graded, planned, predictions
from helpers.topics import TOPICS

READY = [topic for topic in TOPICS if topic.ready]


def grade_all(today, rating):
    while today.part == "cards":
        quiz = today.children[1]
        quiz.reveal()
        quiz.grade(rating if quiz.card.id not in quiz.first_grades else 3)


def test_a_session_goes_through_its_parts_and_keeps_its_score(progress, clock):
    today = Today(progress)
    assert "20 new ones, an exercise, a prediction to drag, a short interview" in today.children[0].value
    today.start()
    assert "part 1 of 4" in today._bar.value
    grade_all(today, 3)
    assert today.part == "exercise"
    progress.record_attempt(today.children[1].exercise.id, "passed")
    today.children[1].refresh()
    assert today.part == "prediction"
    right = next(b for b in today.children[1].children[-1].children if "viva-right" in b._dom_classes)
    right.click()
    assert today.part == "interview"
    mock = today.children[1]
    mock.start()
    mock._flashcard.reveal()
    mock._flashcard.grade(1)
    mock.finish()
    assert mock.children[0].value.startswith("The interview is over")
    today.advance()
    assert "Done: 96%" in today.children[0].value  # 22 of 23 went well
    ((kept, _),) = progress.sessions("today")
    assert set(kept["parts"]) == {"cards", "exercise", "prediction", "interview"}
    assert kept["weak"] == [topic_of(mock.answers[0].card.id)]
    assert set(planned(progress)) <= {"cards"}  # the rest is done for today
    clock.now += timedelta(days=1)
    assert set(planned(progress)) == {"cards", "exercise", "prediction", "interview"}


def test_a_card_graded_again_returns_within_the_session(progress):
    today = Today(progress)
    today.start()
    quiz = today.children[1]
    first = quiz.card.id
    quiz.reveal()
    quiz.grade(1)
    grade_all(today, 3)
    ratings = [rating for card, rating, _ in progress.answers() if card == first]
    assert ratings == [1, 3]
    assert today.outcome["cards"][first] == 1


def test_every_part_can_be_skipped(progress):
    today = Today(progress)
    today.start()
    for _ in range(4):
        today.skip()
    assert "Done" in today.children[0].value
    assert progress.sessions("today") == []


def test_what_was_graded_before_a_skip_counts(progress):
    today = Today(progress)
    today.start()
    for rating in (3, 1):
        today.children[1].reveal()
        today.children[1].grade(rating)
    today.skip()
    assert sorted(today.outcome["cards"].values()) == [1, 3]
    while today.part != "interview":
        today.skip()
    mock = today.children[1]
    mock.start()
    mock._flashcard.reveal()
    mock._flashcard.grade(4)
    today.skip()
    ((kept, _),) = progress.sessions("today")
    assert set(kept["parts"]) == {"cards", "interview"}
    assert len(progress.sessions("mock")) == 1


def test_a_pass_after_its_part_was_left_moves_nothing(progress):
    today = Today(progress)
    today.start()
    today.skip()
    exercise = today.children[1]
    today.skip()
    assert today.part == "prediction"
    progress.record_attempt(exercise.exercise.id, "passed")
    exercise.refresh()
    assert today.part == "prediction"
    assert "exercise" not in today.outcome


def test_a_session_broken_off_goes_on(progress):
    today = Today(progress)
    today.start()
    quiz = today.children[1]
    for _ in range(5):
        quiz.reveal()
        quiz.grade(4)
    assert len(planned(progress)["cards"]) == 15


def test_an_exercise_that_is_due_comes_first(progress, clock):
    progress.record_attempt("svm/hinge_loss", "passed")
    clock.now += timedelta(days=30)
    assert planned(progress)["exercise"] == "svm/hinge_loss"


@pytest.mark.parametrize("topic", READY, ids=lambda topic: topic.stem)
def test_every_notebook_has_predictions_that_can_be_asked(topic):
    room = importlib.import_module(f"helpers.explorers.{topic.stem}").examples()
    found = predictions(topic.notebook)
    assert found
    for question, name, stem, answer in found:
        assert question.startswith("**Predict")
        assert name in room
        assert stem == topic.stem
        assert answer.endswith("</details>")


def test_the_score_counts_what_went_well():
    outcome = {
        "cards": {"svm/a": 3, "svm/b": 2},
        "exercise": ["metrics/roc_auc", False],
        "prediction": ["01_svm", True],
    }
    assert graded(outcome) == (0.5, ["metrics", "svm"])
    assert graded({}) == (0.0, [])


# --- the plan --------------------------------------------------------------------------------------------------------


def test_new_cards_follow_the_plan_and_its_daily_number(progress, clock):
    today = clock.now.astimezone().date()
    progress.set_plan(today + timedelta(days=200), 6)
    fresh = new_today(progress)
    assert len(fresh) == 6
    assert {topic_of(card) for card in fresh} == {READY[0].stem}  # one topic a fortnight
    for card in fresh[:4]:
        progress.answer(card, 3)
    assert len(new_today(progress)) == 2
    assert {topic_of(card) for card in new_today(progress)} == {READY[0].stem}


def test_missed_days_are_planned_again(progress, clock):
    today = clock.now.astimezone().date()
    progress.set_plan(today + timedelta(days=8), 20)
    before = [topic for row in study_plan(8, progress).rows for topic in row[1]]
    clock.now += timedelta(days=6)
    after = [topic for row in study_plan(2, progress).rows for topic in row[1]]
    assert before == after == READY
    assert len({topic_of(card) for card in new_today(progress)}) > 1


def test_a_topic_that_was_begun_is_reviewed_and_not_begun_again(progress, clock):
    progress.answer(next(iter(load_cards("metrics"))), 3)
    clock.now += timedelta(days=2)
    table = study_plan(5, progress)
    metrics = next(topic for topic in TOPICS if topic.stem == "metrics")
    assert all(metrics not in row[1] for row in table.rows)
    assert [metrics in row[2] for row in table.rows] == [False, True, False, False, False]  # three days after


def test_streak_and_forecast(progress, clock):
    cards = list(load_cards("metrics"))
    assert streak(progress) == 0
    for card in cards[:3]:
        progress.answer(card, 4)
        clock.now += timedelta(days=1)
    assert streak(progress) == 3  # today is not over
    due = forecast(progress)
    assert len(due) == AROUND + 1
    assert sum(due) == 3
    clock.now += timedelta(days=1)
    assert streak(progress) == 0
    clock.now += timedelta(days=60)
    assert forecast(progress)[0] == 3  # what is overdue
    assert plot_days(progress).axes[0].get_xlabel() == "days from today"


def test_the_plan_is_set_in_the_page(progress, clock):
    box = PlanBox(progress)
    assert repr(box) == "Plan: no date yet"
    box.save()
    assert "choose the date" in box._line.value
    box._date.value, box._new.value = clock.now.date() + timedelta(days=10), 7
    box.save()
    assert progress.plan() == (clock.now.date() + timedelta(days=10), 7)
    assert "10 days left" in box._line.value
    assert len(box._days.table.rows) == 10


# --- agenda ----------------------------------------------------------------------------------------------------------


def test_the_agenda_says_what_is_due_now_and_later(progress, clock):
    cards = list(load_cards("metrics"))[:4]
    progress.answer(cards[0], 1)
    progress.answer(cards[1], 3)
    clock.now += timedelta(minutes=2)
    plan = agenda(progress, cards)
    assert (plan.now, plan.later, plan.new) == ([cards[0]], [cards[1]], cards[2:])
    assert plan.next == progress.cards()[cards[1]].due


def test_topics_come_in_turn():
    assert interleaved(["a/1", "a/2", "a/3", "b/1"]) == ["a/1", "b/1", "a/2", "a/3"]
    assert interleaved(["a/1", "b/1"], asked=["b/0", "a/0"]) == ["b/1", "a/1"]


@pytest.mark.parametrize(
    ("minutes", "said"), [(0.2, "1 min"), (10, "10 min"), (90, "1.5 h"), (1440, "1 d"), (4320, "3 d"), (87_600, "2 mo")]
)
def test_lengths_of_time_are_short_phrases(minutes, said):
    assert span(timedelta(minutes=minutes)) == said
