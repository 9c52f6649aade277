"""The start page: the map of topics, what is due today, a plan for the days left, and search."""

from datetime import datetime, timedelta

import ipywidgets as widgets

from helpers.topics import PARTS, TOPICS
from helpers.validation import check_integer

from .deck import load_cards
from .progress import Progress
from .table import CardText, Table

REVIEW_AFTER = (1, 3, 7, 14, 30)  # days after a topic is learnt: each gap about twice the last
MOCK_EVERY = 7


def topic_map(progress=None):
    """Return the table of all topics: how many of their cards you know, exercises passed, cards due today.

    A card is known once it has left the learning steps. Topics whose notebook is ready are links.

    Parameters
    ----------
    progress : Progress, optional
        By default the learner's own.
    """
    from .exercises import all_exercises  # brings hypothesis along, which the rest of this page does without

    progress = progress or Progress()
    states, due, passed = progress.cards(), set(_due_today(progress)), progress.passed()
    deck, exercises = load_cards(), [exercise.id for exercise in all_exercises()]
    rows = []
    for topic in TOPICS:
        cards, tasks = _of(topic, deck), _of(topic, exercises)
        known = sum(card in states and states[card].known for card in cards)
        rows.append(
            (
                PARTS[topic.part - 1],
                topic.number,
                topic,
                f"{known} of {len(cards)}" if cards else "",
                f"{sum(task in passed for task in tasks)} of {len(tasks)}" if tasks else "",
                sum(card in due for card in cards) if cards else "",
                topic.title_zh,
            )
        )
    return Table("Topics", ("Part", "No.", "Topic", "Cards known", "Exercises passed", "Due today", "中文"), rows)


def due_today(progress=None):
    """Return the table of the cards to review before the day ends, by topic.

    Parameters
    ----------
    progress : Progress, optional
        By default the learner's own.
    """
    deck = load_cards()
    due = [card for card in _due_today(progress or Progress()) if card in deck]
    rows = [(topic, len(_of(topic, due))) for topic in TOPICS if _of(topic, due)]
    title = f"Due today: {_count(due)}" if due else "Nothing is due today."
    return Table(title, ("Topic", "Cards"), rows)


def study_plan(days):
    """Return a plan: which topics to learn and which to review on each day.

    The topics whose notebooks are ready are spread evenly over the first three quarters of the time and reviewed 1, 3,
    7, 14 and 30 days after. Every seventh day, and the last one, ends with a mock interview.

    Parameters
    ----------
    days : int
        From 1 to 365.

    Raises
    ------
    ValueError
        If `days` is not such a number.
    """
    days = check_integer("days", days, at_least=1, at_most=365)
    span = max(1, days * 3 // 4)
    topics = [topic for topic in TOPICS if topic.ready]
    learn, review = ([[] for _ in range(days)] for _ in range(2))
    for index, topic in enumerate(topics):
        day = index * span // len(topics)
        learn[day].append(topic)
        for gap in REVIEW_AFTER:
            if day + gap < days:
                review[day + gap].append(topic)
    rows = [
        (day, learn[day - 1], review[day - 1], "yes" if day % MOCK_EVERY == 0 or day == days else "")
        for day in range(1, days + 1)
    ]
    return Table(f"{len(topics)} topics in {days} days", ("Day", "Learn", "Review", "Mock interview"), rows)


def search(text):
    """Return the cards, traps among them, that hold every word of `text` in either language, in any case.

    Parameters
    ----------
    text : str

    Raises
    ------
    ValueError
        If `text` holds no word.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"text must hold a word to look for, such as 'precision', got {text!r}")
    words = text.casefold().split()
    hits = [card for card in load_cards().values() if all(word in _haystack(card) for word in words)]
    rows = [(card.topic, card.claim or "", CardText(card.question.en), CardText(card.answer.en)) for card in hits]
    title = f"{text.strip()}: {_count(hits)}"
    return Table(title, ("Topic", "Claim", "Question", "Answer"), rows)


class SearchBox(widgets.VBox):
    """`search` as you type."""

    def __init__(self):
        self._text = widgets.Text(description="Search", placeholder="precision, 召回率, met-7").add_class("viva-search")
        self._hits = widgets.HTMLMath().add_class("viva-hits")
        self._text.observe(lambda change: self._show(), "value")
        super().__init__([self._text, self._hits])

    def __repr__(self):
        return f"Search over {len(load_cards())} cards"

    def _show(self):
        text = self._text.value
        self._hits.value = search(text)._repr_html_() if text.strip() else ""


def _due_today(progress):
    tonight = datetime.combine(progress.clock().astimezone().date() + timedelta(days=1), datetime.min.time())
    return progress.due(tonight.astimezone())


def _of(topic, identities):
    return [identity for identity in identities if identity.startswith(f"{topic.stem}/")]


def _count(cards):
    return f"{len(cards)} card" + "s" * (len(cards) != 1)


def _haystack(card):
    return " ".join(
        (card.id, card.claim or "", card.topic.title, card.topic.title_zh, *card.question, *card.answer)
    ).casefold()
