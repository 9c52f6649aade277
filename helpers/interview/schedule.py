"""When a card returns: the FSRS algorithm, as `fsrs` has it, without its random fuzz.

The log of answers alone decides a card's state: folding `review` over it gives the same state on every machine.

References
----------
Ye, Su and Cao, "A stochastic shortest path algorithm for optimizing spaced repetition scheduling", KDD 2022.
"""

from datetime import datetime
from importlib.metadata import version
from typing import NamedTuple

from fsrs import Card, Rating, Scheduler, State

VERSION = version("fsrs")  # another version of the library gives other due dates
_SCHEDULER = Scheduler(enable_fuzzing=False)


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


def review(state, rating, at):
    """Return the state of a card after one more answer.

    Parameters
    ----------
    state : CardState or None
        None for a card never answered before.
    rating : int
        1 again, 2 hard, 3 good, 4 easy.
    at : datetime
        When the answer was given, in UTC, not before the last one.

    Returns
    -------
    CardState
    """
    before = {"due": at} if state is None else state._asdict() | {"state": State(state.state)}
    after, _ = _SCHEDULER.review_card(Card(card_id=0, **before), Rating(rating), at)
    return CardState(int(after.state), after.step, after.stability, after.difficulty, after.due, after.last_review)
