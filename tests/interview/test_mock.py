import pytest

from helpers import theme
from helpers.interview import mock as module
from helpers.interview.deck import LEVELS, load_cards
from helpers.interview.mock import Answer, MockInterview, plot_weak_spots, report, scores
from helpers.interview.progress import Progress

CARDS = load_cards("metrics")


class Seconds:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def start(tmp_path, clock):
    def start(**choices):
        mock = MockInterview(("metrics",), progress=Progress(tmp_path / "progress.sqlite3"), clock=clock, **choices)
        mock.start()
        return mock

    return start


def take(mock, clock, rating=3, seconds=20.0):
    """Answer until the interview is over."""
    while mock.running:
        mock._flashcard.reveal()
        clock.now += seconds
        mock._flashcard.grade(rating)


def test_what_a_notebook_stores_is_stable(tmp_path):
    mock = MockInterview(("metrics",), progress=Progress(tmp_path / "progress.sqlite3"))
    asked = sum(c.level != "expert" and c.kind != "follow-up" for c in load_cards(("metrics",)).values())
    text = f"Mock interview: Metrics and ROC, up to onsite, 15 minutes, {asked} questions"
    assert mock._repr_mimebundle_()["text/plain"] == text
    assert not mock.running


def test_it_asks_everything_up_to_the_level_and_follows_up_at_once(start, clock):
    mock = start(minutes=240, seed=0)
    take(mock, clock)
    asked = [answer.card for answer in mock.answers]
    assert {card.id for card in asked} <= {card.id for card in CARDS.values() if card.level != "expert"}
    questions = [card for card in asked if card.kind != "follow-up"]
    assert sorted(card.id for card in questions) == sorted(
        card.id for card in CARDS.values() if card.kind != "follow-up" and card.level != "expert"
    )
    for position, card in enumerate(asked):
        wanted = [identity for identity in card.follow_ups if CARDS[identity].level != "expert"]
        assert [later.id for later in asked[position + 1 : position + 1 + len(wanted)]] == wanted


def test_the_levels_nest(start):
    counts = [len(start(level=level)._queue) for level in LEVELS]
    assert counts[0] < counts[1] < counts[2]


def test_the_same_seed_asks_in_the_same_order(start):
    def order(seed):
        mock = start(seed=seed)
        return [mock._flashcard.card.id, *(card.id for card in mock._queue)]

    assert order(1) == order(1) != order(2)


def test_time_that_is_up_lets_you_finish_the_question(start, clock):
    mock = start(minutes=1)
    clock.now = 59.0
    mock._tick()
    assert "0:01" in mock._time.value
    clock.now = 61.0
    mock._tick()
    assert mock.running
    assert "Time is up" in mock._time.value
    mock._flashcard.reveal()
    mock._flashcard.grade(3)
    assert not mock.running
    assert [answer.seconds for answer in mock.answers] == [61]
    mock._tick()  # one that was on its way
    mock._flashcard.reveal()
    mock._flashcard.grade(3)
    assert len(mock.answers) == 1


def test_ended_at_once_it_says_so_and_keeps_nothing(start):
    mock = start()
    mock.finish()
    assert "The interview is over" in mock.children[0].value
    assert mock.progress.sessions("mock") == []


def test_the_time_ends_it_at_a_grade_too(start, clock):
    mock = start(minutes=1)
    take(mock, clock, seconds=25)
    assert [answer.seconds for answer in mock.answers] == [25, 25, 25]


def test_every_grade_is_recorded(start, clock):
    mock = start(seed=3)
    take(mock, clock, rating=2)
    assert set(mock._flashcard.progress.cards()) == {answer.card.id for answer in mock.answers}
    assert len(mock.answers) > 16


def test_it_ends_with_scores_table_and_chart(start, clock):
    mock = start(minutes=2)
    take(mock, clock, rating=1)
    over, buttons, tables, chart = mock.children
    assert f"seed {mock.seed}" in over.value
    assert "Score: 0% of 6 answers" in tables.value
    assert repr(report(mock.answers)).count("Again  20 s") == len(mock.answers) == 6
    assert bytes(chart.value).startswith(b"\x89PNG")
    ((kept, _),) = mock.progress.sessions("mock")
    assert kept["score"] == 0
    assert [tuple(answer) for answer in kept["answers"]] == [(a.card.id, a.rating, a.seconds) for a in mock.answers]


def test_the_weak_cards_can_be_drilled(start, clock):
    mock = start(minutes=2)
    take(mock, clock, rating=2)
    mock.drill()
    (quiz,) = mock.children
    assert set(quiz.cards) == {answer.card.id for answer in mock.answers}


def test_again_draws_other_questions_and_the_history_grows(start, clock):
    mock = start(minutes=2, seed=5)
    take(mock, clock)
    first = [answer.card.id for answer in mock.answers]
    mock.again()
    assert (mock.seed, mock.answers, mock.running) == (6, [], False)
    mock.start()
    take(mock, clock)
    assert [answer.card.id for answer in mock.answers] != first
    assert len(mock.progress.sessions("mock")) == 2
    assert len(mock.children) == 5  # the curve is there from the second interview on


def test_the_share_of_follow_ups_is_kept(start, clock):
    mock = start(minutes=240, follow_ups=0, seed=0)
    take(mock, clock)
    assert all(answer.card.kind != "follow-up" for answer in mock.answers)


def test_most_questions_are_of_the_level_asked_for():
    firsts = [MockInterview((), "expert", seed=seed)._queue[:5] for seed in range(40)]
    share = sum(card.level == "expert" for cards in firsts for card in cards) / 200
    assert 0.45 < share < 0.75


def test_scores_come_by_topic_and_level_beside_the_norm():
    card = CARDS["metrics/auc-code"]
    table = scores([Answer(card, 4, 30.0), Answer(card, 1, 50.0)])
    assert table.rows == [(card.topic, card.level, "1 of 2", "40 s", f"{module.NORMS[card.level]} s")]
    assert "50%" in table.title


def test_closing_stops_the_clock(start):
    mock = start()
    mock.close()
    assert not mock.running


def test_weak_spots_are_counted_and_sorted():
    trap, derivation = (next(card for card in CARDS.values() if card.kind == kind) for kind in ("trap", "derivation"))
    figure = plot_weak_spots([Answer(trap, 3, 1), Answer(trap, 2, 1), Answer(derivation, 1, 1), Answer(trap, 4, 1)])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "Metrics and ROC: derivation",
        "Metrics and ROC: trap",
    ]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([1, 1 / 3])
    assert [text.get_text() for text in axes.texts] == ["1 of 1", "1 of 3"]
    assert theme.png(figure)


def test_the_report_escapes():
    card = CARDS["metrics/auc-code"]
    answer = Answer(card._replace(question=card.question._replace(en="a <b> $c$")), 4, 61.4)
    assert "a &lt;b&gt; $c$</p>" in report([answer])._repr_html_()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"topics": "metric"}, "did you mean 'metrics'"),
        ({"level": "easy"}, "level must be one of 'screen'"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": "ten"}, "minutes must be a number"),
        ({"minutes": 1000}, "minutes"),
        ({"seed": "x"}, "seed must be an integer"),
        ({"follow_ups": 1.5}, "follow_ups"),
    ],
)
def test_bad_input_is_refused_by_name(choices, message):
    with pytest.raises(ValueError, match=message):
        MockInterview(**choices)


def test_no_questions_is_said(monkeypatch):
    monkeypatch.setattr(module, "load_cards", lambda topics: {})
    with pytest.raises(ValueError, match="topics: no questions up to level 'screen' in Metrics and ROC yet"):
        MockInterview("metrics", "screen")
