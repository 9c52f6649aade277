"""The plan: what is new on which day until the interview. It is made again each day from what you have begun."""

from collections import Counter
from datetime import timedelta

import ipywidgets as widgets

from helpers import theme
from helpers.language import say
from helpers.topics import TOPICS
from helpers.validation import check_integer

from .agenda import agenda, listen, topic_of
from .deck import load_cards
from .progress import Progress, ProgressError
from .schedule import due_from
from .table import Live, Table

REVIEW_AFTER = (1, 3, 7, 14, 30)  # days after a topic is begun: each gap about twice the last
MOCK_EVERY = 7
NEW_A_DAY = 20  # unless you say otherwise
AROUND = 14  # days before and after today in the chart
WIDTH = 660  # pixels of the chart


def study_plan(days, progress=None):
    """Return a plan from today on: which topics to begin and which to review on each day.

    Topics whose notebooks are ready and that you have not begun are spread evenly over the first three quarters of the
    time and reviewed 1, 3, 7, 14 and 30 days after, as are those begun before. Every seventh day, and the last one,
    ends with a mock interview.

    Parameters
    ----------
    days : int
        From 1 to 365.
    progress : Progress, optional
        By default the learner's own.

    Raises
    ------
    ValueError
        If `days` is not such a number.
    """
    days = check_integer("days", days, at_least=1, at_most=365)
    progress = progress or Progress()
    begun, today = _begun(progress), _today(progress)
    learn, review = _spread(days, begun), [[] for _ in range(days)]
    starts = [(topic, (begun[topic.stem] - today).days) for topic in TOPICS if topic.stem in begun]
    starts += [(topic, day) for day, topics in enumerate(learn) for topic in topics]
    for topic, start in starts:
        for gap in REVIEW_AFTER:
            if 0 <= start + gap < days:
                review[start + gap].append(topic)
    rows = [
        (
            f"{today + timedelta(days=day):%a %d %b}",
            learn[day],
            review[day],
            "yes" if (day + 1) % MOCK_EVERY == 0 or day + 1 == days else "",
        )
        for day in range(days)
    ]
    return Table(f"{sum(map(len, learn))} topics to begin in {days} days", ("Day", "Learn", "Review", "Mock"), rows)


def new_today(progress):
    """Return the ids of the new cards of today, the topics in turn.

    They come from the topics begun and those that the plan begins today; without a date, from all. Their number is what
    the plan allows a day, less those first answered today.
    """
    deck, plan = load_cards(), progress.plan()
    fresh = agenda(progress, deck).new
    if plan and plan[0] > _today(progress):
        begun = _begun(progress)
        open_ones = {*begun, *(topic.stem for topic in _spread((plan[0] - _today(progress)).days, begun)[0])}
        fresh = [card for card in fresh if topic_of(card) in open_ones]
    first = {}
    for card, _, at in progress.answers():
        first.setdefault(card, at.astimezone().date())
    allowed = (plan[1] if plan else NEW_A_DAY) - sum(day == _today(progress) for day in first.values())
    return fresh[: max(0, allowed)]


def streak(progress):
    """Return on how many days in a row, up to today or yesterday, there was an answer."""
    days, length = _answered(progress), 0
    day = _today(progress)
    if day not in days:
        day -= timedelta(days=1)
    while day - timedelta(days=length) in days:
        length += 1
    return length


def forecast(progress):
    """Return how many cards are due on each of the next days, today first: what is overdue is due today."""
    today, due = _today(progress), Counter()
    for state in progress.cards().values():
        due[max(0, (due_from(state).astimezone().date() - today).days)] += 1
    return [due[day] for day in range(AROUND + 1)]


def plot_days(progress):
    """Return a figure: answers on each of the last days, cards due on each of the next."""
    answered, due, today = _answered(progress), forecast(progress), _today(progress)
    past = [answered[today - timedelta(days=back)] for back in range(AROUND, -1, -1)]
    with theme.style():
        figure = theme.figure(WIDTH, 190)
        axes = figure.add_subplot(ylabel="cards", xlabel="days from today")
        axes.bar(range(-AROUND, 1), past, color=theme.BLUE, label="answered", width=0.8)
        axes.bar(range(AROUND + 1), due, color="none", edgecolor=theme.VERMILLION, hatch="//", label="due", width=0.8)
        axes.set_ylim(0, max(5, *past, *due) * 1.3)
        axes.legend(loc="upper left", ncols=2)
    return figure


class PlanBox(widgets.VBox):
    """Set the date of your interview and the new cards a day; see streak, forecast and the days until then."""

    def __init__(self, progress=None):
        self.progress = progress or Progress()
        plan = self._read()
        self._date = widgets.DatePicker(description=say("Interview"), value=plan and plan[0]).add_class("viva-date")
        self._new = widgets.BoundedIntText(
            value=plan[1] if plan else NEW_A_DAY,
            min=1,
            max=500,
            description=say("New a day"),
            layout={"width": "170px"},
        )
        save = widgets.Button(description=say("Save"), button_style="primary").add_class("viva-save")
        save.on_click(lambda button: self.save())
        self._line, self._chart = widgets.HTML(), widgets.Image(layout={"max_width": f"{WIDTH}px"})
        self._days = Live(self._table)
        super().__init__([widgets.HBox([self._date, self._new, save]), self._line, self._chart, self._days])
        self.refresh()
        listen(self)

    def __repr__(self):
        plan = self._read()
        return f"Plan: interview on {plan[0]}, {plan[1]} new cards a day" if plan else "Plan: no date yet"

    def save(self):
        """Keep what the fields say."""
        try:
            if self._date.value is None:
                raise ValueError("choose the date of your interview first")
            self.progress.set_plan(self._date.value, self._new.value)
        except (ValueError, ProgressError) as error:
            self._line.value = f"<b>{say(f'Not saved: {error}')}</b>"
            return
        self.refresh()
        self._days.refresh()

    def refresh(self):
        """Draw the chart and count the streak again."""
        try:
            days, plan = streak(self.progress), self.progress.plan()
            left = (plan[0] - _today(self.progress)).days if plan else None
            self._chart.value = theme.png(plot_days(self.progress))
        except ProgressError as error:
            self._line.value = say(str(error))
            return
        said = [say("1 day in a row." if days == 1 else f"{days} days in a row.")]
        if left is not None:
            said.append(say(f"{left} days left." if left > 0 else "The date has passed: set the next one."))
        self._line.value = " ".join(said)

    def _table(self):
        plan = self.progress.plan()
        left = (plan[0] - _today(self.progress)).days if plan else 0
        if left < 1:
            return Table("Set the date of your interview to see the days until then.", (), ())
        return study_plan(min(left, 365), self.progress)

    def _read(self):
        try:
            return self.progress.plan()
        except ProgressError:
            return None


def _today(progress):
    return progress.clock().astimezone().date()


def _answered(progress):
    """How many answers were given on each day."""
    return Counter(at.astimezone().date() for _, _, at in progress.answers())


def _begun(progress):
    """On which day each topic was begun, by stem, those begun today left out: today's plan stands all day."""
    begun = {}
    for card, _, at in progress.answers():
        begun.setdefault(topic_of(card), at.astimezone().date())
    return {stem: day for stem, day in begun.items() if day < _today(progress)}


def _spread(days, begun):
    """Which topics to begin on each day."""
    topics = [topic for topic in TOPICS if topic.ready and topic.stem not in begun]
    span, learn = max(1, days * 3 // 4), [[] for _ in range(days)]
    for index, topic in enumerate(topics):
        learn[index * span // len(topics)].append(topic)
    return learn
