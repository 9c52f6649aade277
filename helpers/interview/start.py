"""The start page: the map of topics, what is due today, and search."""

import ipywidgets as widgets

from helpers.language import language, say
from helpers.topics import PARTS, TOPICS

from .agenda import agenda, span, tonight
from .deck import find_topics, load_cards
from .progress import Progress
from .schedule import due_from
from .table import CardText, Html, Place, Table


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
    states, passed = progress.cards(), progress.passed()
    today = agenda(progress, load_cards())
    due = {*today.now, *today.later}
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
    head = ("Part", "No.", "Topic", "Cards known", "Exercises passed", "Due today", "中文")
    shown = len(head) - (language() == "zh")  # where the topic's own column is Chinese
    return Table("Topics", head[:shown], [row[:shown] for row in rows])


def due_today(progress=None):
    """Return the table of what is due before the day ends, by topic: cards now and later, exercises.

    Parameters
    ----------
    progress : Progress, optional
        By default the learner's own.
    """
    progress = progress or Progress()
    today = agenda(progress, load_cards())
    states, night = progress.exercises(), tonight(progress)
    tasks = [exercise for exercise, state in states.items() if due_from(state) < night]
    rows = [
        (topic, len(_of(topic, today.now)), len(_of(topic, today.later)), ", ".join(_of(topic, tasks)))
        for topic in TOPICS
        if _of(topic, [*today.now, *today.later, *tasks])
    ]
    title = f"Due now: {_count(today.now)}"
    if today.later:
        title += f", {len(today.later)} later today, next in {span(today.next - progress.clock())}"
    title = title if rows else "Nothing is due today."
    return Table(title, ("Topic", "Cards now", "Later today", "Exercises"), rows)


def search(text):
    """Return the cards and exercises that hold every word of `text` in either language, in any case.

    Parameters
    ----------
    text : str

    Raises
    ------
    ValueError
        If `text` holds no word.
    """
    from .exercises import all_exercises

    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"text must hold a word to look for, such as 'precision', got {text!r}")
    words = text.casefold().split()
    cards = [card for card in load_cards().values() if all(word in _haystack(card) for word in words)]
    rows = [
        (
            Place(card.topic, card.claim),
            CardText(getattr(card.question, language())),
            CardText(getattr(card.answer, language())),
        )
        for card in cards
    ]
    for exercise in all_exercises():
        (topic,) = find_topics(exercise.stem)
        held = (exercise.id, exercise.task, exercise.task_zh, topic.title, topic.title_zh)
        if all(word in " ".join(held).casefold() for word in words):
            rows.append(
                (
                    Place(topic, None),
                    f"Exercise {exercise.id}",
                    {"en": exercise.task, "zh": exercise.task_zh}[language()],
                )
            )
    title = f"{text.strip()}: {_count(cards)}, {len(rows) - len(cards)} exercises"
    return Table(title, ("Where", "Question", "Answer"), rows)


class SearchBox(widgets.VBox):
    """`search` as you type."""

    def __init__(self):
        self._text = widgets.Text(description=say("Search"), placeholder="precision, 召回率, met-7").add_class(
            "viva-search"
        )
        self._hits = Html().add_class("viva-hits")
        self._text.observe(lambda change: self._show(), "value")
        super().__init__([self._text, self._hits])

    def __repr__(self):
        return f"Search over {len(load_cards())} cards"

    def _show(self):
        text = self._text.value
        self._hits.show(search(text)._repr_html_() if text.strip() else "")


def _of(topic, identities):
    return [identity for identity in identities if identity.startswith(f"{topic.stem}/")]


def _count(cards):
    return f"{len(cards)} card" + "s" * (len(cards) != 1)


def _haystack(card):
    return " ".join(
        (card.id, card.claim or "", card.topic.title, card.topic.title_zh, *card.question, *card.answer)
    ).casefold()
