"""When a card returns: the FSRS algorithm, as `fsrs` has it, without its random fuzz.

The log of answers alone decides a card's state: folding `review` over it gives the same state on every machine.

References
----------
Ye, Su and Cao, "A stochastic shortest path algorithm for optimizing spaced repetition scheduling", KDD 2022.
"""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from fsrs import Card, Rating, Scheduler, State

VERSION = version("fsrs")  # another version of the library gives other due dates
_SCHEDULER = Scheduler(enable_fuzzing=False)
_DAYS = Scheduler(enable_fuzzing=False, learning_steps=(), relearning_steps=())


class CardState(NamedTuple):
    """What FSRS knows about one card after its last answer. Times are in UTC."""

    state: int
    step: int | None
    stability: float
    difficulty: float
    due: datetime
    last_review: datetime

    @property
    def known(self):
        """Whether the card has left the learning steps, so that it returns after days and not after minutes."""
        return self.state == State.Review


def due_from(state):
    """Return when a card is due: at its minute in the learning steps, else from the first minute of its day here."""
    if not state.known:
        return state.due
    return state.due.astimezone().replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def review(state, rating, at, steps=True):
    """Return the state of a card after one more answer.

    Parameters
    ----------
    state : CardState or None
        None for a card never answered before.
    rating : int
        1 again, 2 hard, 3 good, 4 easy.
    at : datetime
        When the answer was given, in UTC, not before the last one.
    steps : bool
        Whether it first returns within minutes, as a card does; an exercise returns after days.

    Returns
    -------
    CardState
    """
    before = {"due": at} if state is None else state._asdict() | {"state": State(state.state)}
    after, _ = (_SCHEDULER if steps else _DAYS).review_card(Card(card_id=0, **before), Rating(rating), at)
    return CardState(int(after.state), after.step, after.stability, after.difficulty, after.due, after.last_review)


def previews(state, at):
    """Return after how long the card would return for each grade, 1 to 4: a list of timedelta."""
    return [review(state, rating, at).due - at for rating in (1, 2, 3, 4)]
