"""The mock interview: questions against the clock, follow-ups, and a report of your weak spots."""

import random
import time
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np

from helpers import theme
from helpers.validation import check_choice, check_integer, check_number

from .deck import LEVELS, Card, load_cards
from .progress import Progress
from .quiz import GRADES, Flashcard, name_topics
from .table import CardText, Table

WEAK = 2  # grades up to hard
WIDTH = 660  # pixels of the chart


class Answer(NamedTuple):
    """One question of the interview: your grade, and the seconds from question to grade."""

    card: Card
    rating: int
    seconds: float


class MockInterview(widgets.VBox):
    """Asks questions in random order, each followed by its follow-ups, until the time is up.

    Answer aloud, show the answer, grade yourself. Every grade is recorded as in the quiz.

    Parameters
    ----------
    topics : str or iterable of str
        Stems of topics, such as "metrics"; all of them if none is named.
    level : {"screen", "onsite", "expert"}
        Questions of this level and below are asked.
    minutes : float
        Above 0, at most 240.
    seed : int, optional
        The same seed asks in the same order.
    progress : Progress, optional
        By default the learner's own.
    clock : callable, optional
        Returns seconds that never go back.

    Attributes
    ----------
    answers : list of Answer
    running : bool
        Whether the clock runs.

    Raises
    ------
    ValueError
        If an argument is not of this form, or there is no such question yet.
    """

    running = False

    def __init__(self, topics=(), level="onsite", minutes=15, seed=None, *, progress=None, clock=time.monotonic):
        self.level = check_choice("level", level, LEVELS)
        self.minutes = check_number("minutes", minutes, above=0, at_most=240)
        order = random.Random(None if seed is None else check_integer("seed", seed))
        levels = LEVELS[: LEVELS.index(level) + 1]
        self._cards = {card.id: card for card in load_cards(topics).values() if card.level in levels}
        self._queue = [card for card in self._cards.values() if card.kind != "follow-up"]
        if not self._queue:
            raise ValueError(f"topics: no questions up to level {level!r} in {name_topics(topics)} yet")
        order.shuffle(self._queue)
        scope = f"{name_topics(topics)}, up to {level}"
        self._name = f"Mock interview: {scope}, {self.minutes:g} minutes, {len(self._queue)} questions"
        self.answers, self._clock, self._deadline = [], clock, None

        self._flashcard = Flashcard(progress or Progress(), self._graded)
        # The browser ticks, so nothing runs in the kernel between ticks. How late it is, the clock says.
        self._ticker = widgets.Play(interval=1000, max=10**6, layout={"display": "none"})
        self._ticker.observe(lambda change: self._tick(), "value")
        self._time = widgets.HTML(f"{self._name}. Answer aloud, show the answer, then grade yourself.")
        start = widgets.Button(description="Start", button_style="primary").add_class("viva-start")
        start.on_click(lambda button: self.start())
        self._end = widgets.Button(description="End now").add_class("viva-end")
        self._end.on_click(lambda button: self.finish())
        super().__init__([self._time.add_class("viva-clock"), start, self._ticker])
        self.add_class("viva-mock")

    def __repr__(self):
        return self._name

    def start(self):
        """Start the clock and ask the first question."""
        if self._deadline is None:
            self._deadline = self._clock() + 60 * self.minutes
            self.children = [widgets.HBox([self._time, self._end]), self._flashcard, self._ticker]
            self.running = self._ticker.playing = True
            self._ask()

    def finish(self):
        """Stop the clock and show the report."""
        self.running = self._ticker.playing = False
        self._flashcard.show(None, "")
        self.children = [widgets.HTMLMath(report(self.answers)._repr_html_()).add_class("viva-report")]
        if self.answers:
            chart = widgets.Image(value=theme.png(plot_weak_spots(self.answers)), layout={"max_width": f"{WIDTH}px"})
            self.children += (chart,)

    def close(self):
        """Stop the clock and remove the interview from the page."""
        if self.running:  # ipywidgets also closes what its constructor has refused
            self.running = self._ticker.playing = False
        super().close()

    def _ask(self):
        self._asked = self._clock()
        self._tick()
        if self.running:
            self._flashcard.show(self._queue.pop(0), f"{len(self.answers)} answered")

    def _graded(self, card, rating):
        self.answers.append(Answer(card, rating, self._clock() - self._asked))
        self._queue[:0] = [self._cards[identity] for identity in card.follow_ups if identity in self._cards]
        self._ask() if self._queue else self.finish()

    def _tick(self):
        left = self._deadline - self._clock()
        if self.running and left <= 0:
            self.finish()
        elif self.running:
            self._time.value = f"<b>{int(left) // 60}:{int(left) % 60:02}</b> left"


def report(answers):
    """Return the table of the answers of an interview."""
    rows = [
        (CardText(card.question.en), card.topic, card.kind, GRADES[rating - 1], f"{seconds:.0f} s")
        for card, rating, seconds in answers
    ]
    return Table(
        f"The interview is over: {len(answers)} answers.", ("Question", "Topic", "Kind", "Grade", "Time"), rows
    )


def plot_weak_spots(answers):
    """Return a figure: by topic and kind, how many of the answers were graded again or hard, the worst on top."""
    groups = {}
    for card, rating, _ in answers:
        groups.setdefault(f"{card.topic.title}: {card.kind}", []).append(rating <= WEAK)
    names = sorted(groups, key=lambda name: (-np.mean(groups[name]), -len(groups[name]), name))
    shares = [np.mean(groups[name]) for name in names]

    with theme.style():
        figure = theme.figure(WIDTH, 110 + 34 * len(names))
        axes = figure.add_subplot(title="Weak spots: share graded again or hard", xlim=(0, 1.25))
        axes.barh(names, shares, height=0.6, color=theme.VERMILLION)
        for row, name in enumerate(names):
            axes.text(shares[row] + 0.02, row, f"{sum(groups[name])} of {len(groups[name])}", va="center")
        axes.set_xticks([0, 0.5, 1], ["0", "half", "all"])
        axes.invert_yaxis()
    return figure
