"""The mock interview: questions against the clock, follow-ups, and a report of your weak spots."""

import asyncio
import random
import time
import weakref
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np

from helpers import theme
from helpers.language import language, say
from helpers.validation import check_choice, check_integer, check_number

from .deck import LEVELS, Card, load_cards
from .progress import Progress, ProgressError
from .quiz import GRADES, Flashcard, Quiz, name_topics
from .table import CardText, Table

WEAK = 2  # grades up to hard
NORMS = {"screen": 60, "onsite": 120, "expert": 180}  # seconds that an answer may take
OWN_LEVEL = 0.6  # how likely the next question is of the level asked for, while lower levels have some too
WIDTH = 660  # pixels of the charts


_running = weakref.WeakSet()


class Answer(NamedTuple):
    """One question of the interview: your grade, and the seconds from question to grade."""

    card: Card
    rating: int
    seconds: float


class MockInterview(widgets.VBox):
    """Draws questions at random, each followed by some of its follow-ups, until the time is up.

    Answer aloud, show the answer, grade yourself. Every grade is recorded as in the quiz. When the time is up, you
    finish the question at hand. Run the cell again after the page was loaded again: it goes on where it was.

    Parameters
    ----------
    topics : str or iterable of str
        Stems of topics, such as "metrics"; all of them if none is named.
    level : {"screen", "onsite", "expert"}
        Questions of this level and below are asked, most of them of this level.
    minutes : float
        Above 0, at most 240.
    follow_ups : float
        The share of the follow-ups that is asked, from 0 to 1.
    seed : int, optional
        The same seed draws the same questions. By default a new one, which the report names.
    done : callable, optional
        Called with the answers at the end.
    progress : Progress, optional
        By default the learner's own.
    clock : callable, optional
        Returns seconds that never go back.

    Attributes
    ----------
    answers : list of Answer
    running : bool
        Whether a question is asked.

    Raises
    ------
    ValueError
        If an argument is not of this form, or there is no such question yet.
    """

    running = False

    def __init__(
        self,
        topics=(),
        level="onsite",
        minutes=15,
        follow_ups=1.0,
        seed=None,
        *,
        done=None,
        progress=None,
        clock=time.monotonic,
    ):
        self.level = check_choice("level", level, LEVELS)
        self.minutes = check_number("minutes", minutes, above=0, at_most=240)
        self.follow_ups = check_number("follow_ups", follow_ups, at_least=0, at_most=1)
        self.seed = random.randrange(10**6) if seed is None else check_integer("seed", seed)
        levels = LEVELS[: LEVELS.index(level) + 1]
        self._topics, self._cards = topics, {c.id: c for c in load_cards(topics).values() if c.level in levels}
        if all(card.kind == "follow-up" for card in self._cards.values()):
            raise ValueError(f"topics: no questions up to level {level!r} in {name_topics(topics)} yet")
        self._done, self._clock, self.progress = done, clock, progress or Progress()
        self._scope = f"{name_topics(topics)}, up to {level}, {self.minutes:g} minutes"

        self._flashcard = Flashcard(self.progress, self._graded)
        self._time = widgets.HTML().add_class("viva-clock")
        self._start = widgets.Button(description=say("Start"), button_style="primary").add_class("viva-start")
        self._start.on_click(lambda button: self.start())
        self._end = widgets.Button(description=say("End now")).add_class("viva-end")
        self._end.on_click(lambda button: self.finish())
        self._timer = None
        super().__init__()
        self.add_class("viva-mock")
        self._prepare()
        self._take_over(seed)

    def __repr__(self):
        questions = sum(card.kind != "follow-up" for card in self._cards.values())
        return f"Mock interview: {self._scope}, {questions} questions"

    def start(self):
        """Start the clock and ask the first question."""
        if self._deadline is None:
            self._deadline = self._clock() + 60 * self.minutes
            self._go()
            self._ask()
            self._tick()

    def finish(self):
        """Stop the clock, show the report and keep it."""
        if not self.running:
            return
        self.running = False
        self._stop()
        self._flashcard.show(None, "")
        if self.answers:
            self._keep()
        self.children = self._report()
        if self._done:
            self._done(self.answers)

    def again(self):
        """Prepare another interview like this one, with other questions."""
        self.seed += 1
        self._prepare()

    def drill(self):
        """Ask the cards again that were graded again or hard, one by one, without the clock."""
        weak = [answer.card.id for answer in self.answers if answer.rating <= WEAK]
        if weak:
            self.children = (Quiz(cards=dict.fromkeys(weak), progress=self.progress),)

    def close(self):
        """Stop the clock and remove the interview from the page."""
        if self.running:  # ipywidgets also closes what its constructor has refused
            self.running = False
            self._stop()
        super().close()

    def _prepare(self):
        draw = random.Random(self.seed)
        self._queue = _drawn(draw, [card for card in self._cards.values() if card.kind != "follow-up"], self.level)
        self._draw, self.answers, self._deadline = draw, [], None
        self._time.value = say(f"{self._scope}. Answer aloud, show the answer, then grade yourself.")
        self.children = [self._time, self._start]

    def _take_over(self, seed):
        """Go on with an interview of the same kind that is running in this kernel: its page was loaded again."""
        for other in list(_running):
            same = (other._scope, other.progress.path) == (self._scope, self.progress.path)
            if other.running and same and seed in (None, other.seed):
                for name in ("seed", "answers", "_queue", "_draw", "_deadline", "_asked", "_clock"):
                    setattr(self, name, getattr(other, name))
                card = other._flashcard.card
                other.close()
                self._go()
                self._flashcard.show(card, say(f"{len(self.answers)} answered"))
                self._tick()

    def _go(self):
        self.children = [widgets.HBox([self._time, self._end]), self._flashcard]
        self.running = True
        _running.add(self)

    def _ask(self):
        self._asked = self._clock()
        self._flashcard.show(self._queue.pop(0), say(f"{len(self.answers)} answered"))

    def _graded(self, card, rating):
        self.answers.append(Answer(card, rating, self._clock() - self._asked))
        follow_ups = [other for other in card.follow_ups if other in self._cards]
        self._queue[:0] = [self._cards[other] for other in follow_ups if self._draw.random() < self.follow_ups]
        self._ask() if self._queue and self._left() > 0 else self.finish()

    def _left(self):
        return self._deadline - self._clock()

    def _tick(self):
        """Show the time left, once a second: the kernel ticks, so a page that is loaded again finds the clock going."""
        if not self.running:
            return
        left = int(self._left())
        said = f"<b>{left // 60}:{left % 60:02}</b> left" if left > 0 else "<b>Time is up.</b> Finish this question."
        self._time.value = say(said)
        self._stop()
        try:
            self._timer = asyncio.get_running_loop().call_later(1, self._tick)
        except RuntimeError:  # outside a kernel nobody looks
            self._timer = None

    def _stop(self):
        if self._timer:
            self._timer.cancel()
            self._timer = None

    # --- the report --------------------------------------------------------------------------------------------------

    def _keep(self):
        report_ = {
            "level": self.level,
            "seed": self.seed,
            "score": score(self.answers),
            "answers": [[answer.card.id, answer.rating, round(answer.seconds, 1)] for answer in self.answers],
        }
        try:
            self.progress.record_session("mock", report_)
        except ProgressError as error:
            self._time.value = say(f"Not recorded: {error}")

    def _report(self):
        head = widgets.HTML(say(f"The interview is over: seed {self.seed}.")).add_class("viva-over")
        again = widgets.Button(description=say("Again")).add_class("viva-again")
        again.on_click(lambda button: self.again())
        drill = widgets.Button(description=say("Drill the weak cards"), disabled=not self._weak()).add_class(
            "viva-drill"
        )
        drill.layout.width = "auto"
        drill.on_click(lambda button: self.drill())
        tables = widgets.HTMLMath(
            "".join(table._repr_html_() for table in (scores(self.answers), report(self.answers)))
        )
        shown = [head, widgets.HBox([again, drill]), tables.add_class("viva-report")]
        if self.answers:
            shown.append(_picture(plot_weak_spots(self.answers)))
        try:
            past = [kept["score"] for kept, _ in self.progress.sessions("mock")]
        except (ProgressError, KeyError):
            past = []
        if len(past) > 1:
            shown.append(_picture(plot_history(past)))
        return shown

    def _weak(self):
        return [answer for answer in self.answers if answer.rating <= WEAK]


def score(answers):
    """Return the share of answers graded good or easy."""
    return sum(answer.rating > WEAK for answer in answers) / len(answers) if answers else 0.0


def scores(answers):
    """Return the table of scores by topic and level, with the time per question beside the level's norm."""
    groups = {}
    for answer in answers:
        groups.setdefault((answer.card.topic, answer.card.level), []).append(answer)
    rows = [
        (
            topic,
            level,
            f"{sum(answer.rating > WEAK for answer in group)} of {len(group)}",
            f"{np.mean([answer.seconds for answer in group]):.0f} s",
            f"{NORMS[level]} s",
        )
        for (topic, level), group in sorted(groups.items(), key=lambda item: (score(item[1]), item[0][0].number))
    ]
    title = f"Score: {score(answers):.0%} of {len(answers)} answers good or easy"
    return Table(title, ("Topic", "Level", "Good or easy", "Time per question", "Norm"), rows)


def report(answers):
    """Return the table of the answers of an interview."""
    rows = [
        (
            CardText(getattr(card.question, language())),
            card.topic.title,
            card.kind,
            GRADES[rating - 1],
            f"{seconds:.0f} s",
        )
        for card, rating, seconds in answers
    ]
    return Table("Question by question", ("Question", "Topic", "Kind", "Grade", "Time"), rows)


def plot_weak_spots(answers):
    """Return a figure: by topic and kind, how many of the answers were graded again or hard, the worst on top."""
    groups = {}
    for card, rating, _ in answers:
        groups.setdefault(f"{card.topic.title}: {card.kind}", []).append(rating <= WEAK)
    names = sorted(groups, key=lambda name: (-np.mean(groups[name]), -len(groups[name]), name))
    shares = [np.mean(groups[name]) for name in names]

    with theme.style():
        figure = theme.figure(WIDTH, 110 + 34 * len(names))
        figure.suptitle("Weak spots: share graded again or hard")  # wider than the bars beside long names
        axes = figure.add_subplot(xlim=(0, 1.25))
        axes.barh(names, shares, height=0.6, color=theme.VERMILLION)
        for row, name in enumerate(names):
            axes.text(shares[row] + 0.02, row, f"{sum(groups[name])} of {len(groups[name])}", va="center")
        axes.set_xticks([0, 0.5, 1], ["0", "half", "all"])
        axes.invert_yaxis()
    return figure


def plot_history(past):
    """Return a figure: the scores of all interviews, oldest first."""
    with theme.style():
        figure = theme.figure(WIDTH, 180)
        axes = figure.add_subplot(xlabel="interview", ylabel="good or easy", ylim=(0, 1.05))
        axes.plot(range(1, len(past) + 1), past, marker="o", color=theme.BLUE)
        axes.set_yticks([0, 0.5, 1], ["0", "half", "all"])
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _picture(figure):
    return widgets.Image(value=theme.png(figure), layout={"max_width": f"{WIDTH}px"})


def _drawn(draw, cards, level):
    """All the cards in random order, most of the first ones of the level asked for."""
    own, lower = ([card for card in cards if (card.level == level) == same] for same in (True, False))
    draw.shuffle(own)
    draw.shuffle(lower)
    order = []
    while own and lower:
        order.append((own if draw.random() < OWN_LEVEL else lower).pop())
    return order + own + lower
