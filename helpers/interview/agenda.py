"""What is to be asked today, by one definition for quiz, tables and sessions; and who wants to know when it changes."""

import weakref
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import NamedTuple

from helpers.notebook import close_earlier_run

_listeners = weakref.WeakSet()


class Agenda(NamedTuple):
    """Ids of cards: due now, the longest overdue first; due later today; never answered. And when the next is due."""

    now: list
    later: list
    new: list
    next: datetime | None


def agenda(progress, cards, asked=()):
    """Sort these cards into an `Agenda`. Suspended ones are left out.

    What is due is said at `Progress.due`; the day ends at midnight here. New cards come with the topics in turn, those
    first that do not stand at the end of what was `asked`.
    """
    now, times, suspended = progress.clock(), progress.due_times(), progress.suspended()
    kept = [card for card in cards if card not in suspended]
    seen = sorted((card for card in kept if card in times), key=lambda card: (times[card], card))
    waiting = [card for card in seen if times[card] > now]
    return Agenda(
        now=[card for card in seen if times[card] <= now],
        later=[card for card in waiting if times[card] < tonight(progress)],
        new=interleaved((card for card in kept if card not in times), asked),
        next=times[waiting[0]] if waiting else None,
    )


def tonight(progress):
    """Return the end of the day here."""
    tomorrow = progress.clock().astimezone().date() + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time()).astimezone()


def interleaved(cards, asked=()):
    """Return ids of cards with the topics in turn: a learner who meets one topic at a time learns to guess it."""
    last = {topic_of(card): place for place, card in enumerate(asked)}
    topics = {}
    for card in cards:
        topics.setdefault(topic_of(card), []).append(card)
    longest_ago = sorted(topics, key=lambda topic: last.get(topic, -1))
    return [card for card in chain.from_iterable(zip_longest(*(topics[t] for t in longest_ago))) if card is not None]


def topic_of(card):
    """Return the stem of the topic in the id of a card or an exercise."""
    return card.partition("/")[0]


def span(length):
    """Return a length of time in one short phrase: "4 min", "3 d", "2.5 mo"."""
    minutes = length.total_seconds() / 60
    for unit, size in (("y", 525_600), ("mo", 43_800), ("d", 1440), ("h", 60)):
        if minutes >= size:
            return f"{minutes / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{max(1, round(minutes))} min"


# --- news ------------------------------------------------------------------------------------------------------------


def listen(listener):
    """Have ``listener.refresh()`` called after every answer and every verdict of this kernel, as long as it lives.

    A widget of an earlier run of the same cell is closed.
    """
    close_earlier_run(listener)
    _listeners.add(listener)


def tell():
    """Say that something was recorded."""
    for listener in list(_listeners):
        listener.refresh()
