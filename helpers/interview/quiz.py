"""The quiz: one card at a time, the answer on demand, graded by yourself, by mouse or by keys."""

from html import escape
from pathlib import Path
from uuid import uuid4

import anywidget
import ipywidgets as widgets
from traitlets import Dict

from ..language import page_texts, say
from . import schedule
from .agenda import agenda, span, tell
from .deck import KINDS, LEVELS, find_topics, load_cards, to_html
from .progress import Progress, ProgressError
from .table import Html, link

GRADES = ("Again", "Hard", "Good", "Easy")

_LANGUAGES = {"English": ("en",), "中文": ("zh",), "both": ("en", "zh")}

HERE = Path(__file__).parent


class _Keys(anywidget.AnyWidget):
    """Listens in the page for the keys of the quiz that holds it: ipywidgets has no key events."""

    _esm = (HERE / "quiz.js").read_text(encoding="utf-8")
    _css = (HERE / "quiz.css").read_text(encoding="utf-8")
    texts = Dict().tag(sync=True)  # what the page says, if not in English


class Flashcard(widgets.VBox):
    """A card on the screen: question, answer, four grades. Each grade is recorded before the card goes.

    Parameters
    ----------
    progress : Progress
    graded : callable
        Called with the card and the rating once the answer is recorded; shows what comes next.
    """

    def __init__(self, progress, graded):
        self.progress, self._graded = progress, graded
        self.card, self.revealed = None, False
        languages = [(say(shown), codes) for shown, codes in _LANGUAGES.items()]
        self._language = widgets.ToggleButtons(options=languages, value=("en", "zh"))
        self._language.style.button_width = "80px"
        self._bar = widgets.HTML().add_class("viva-bar")
        self._question, self._answer, self._trap = widgets.HTMLMath(), widgets.HTMLMath(), Html()
        self._reveal = widgets.Button(layout={"width": "200px"})
        self._grades = [widgets.Button(disabled=True, layout={"width": "130px"}) for _ in GRADES]
        self._line = widgets.HTML()
        self._more = widgets.HBox([])  # what a quiz adds to the grades
        super().__init__(
            [
                _Keys(texts=page_texts()).add_class("viva-keys"),
                widgets.HBox([self._language.add_class("viva-language"), self._bar]),
                self._question.add_class("viva-question"),
                self._reveal.add_class("viva-reveal"),
                self._answer.add_class("viva-answer"),
                self._trap.add_class("viva-trap"),
                widgets.HBox([b.add_class(f"viva-grade-{rating}") for rating, b in enumerate(self._grades, 1)]),
                self._more,
                self._line.add_class("viva-line"),
            ]
        )
        self.add_class("viva-quiz")
        self._language.observe(lambda change: self._draw(), "value")
        self._reveal.on_click(lambda button: self.reveal())
        for rating, button in enumerate(self._grades, 1):
            button.on_click(lambda button, rating=rating: self.grade(rating))

    def show(self, card, line, done=0, of=0):
        """Ask `card`, or nothing if it is None, over a `line` that says how far you are: `done` of `of`."""
        self.card, self.revealed = card, False
        self.review_id = uuid4()  # one for each time a card is shown: a retry or a second click is not recorded twice
        self._bar.value = f'<progress value="{done}" max="{of}"></progress> {say(f"{done} of {of}")}' if of else ""
        self._say(line)
        self._draw()

    def reveal(self):
        """Show the answer."""
        if self.card is not None:
            self.revealed = True
            self._draw()

    def grade(self, rating):
        """Record how well you knew it, 1 (again) to 4 (easy), and go on. Before the answer is shown nothing happens."""
        if not self.revealed:
            return
        card = self.card
        try:
            self.progress.answer(card.id, rating, self.review_id)
        except ProgressError as error:
            self._say(say(f"Not recorded: {error}"), "viva-error")
            return
        self.revealed = False
        self._graded(card, rating)
        tell()

    def _say(self, text, style="viva-quiet"):
        self._line.value = f'<div class="{style}" role="status">{escape(text)}</div>'

    def _draw(self):
        card = self.card
        self._question.value = self._answer.value = ""
        if card:
            self._question.value = _quiet(card.topic.title, card.kind, card.level) + self._face(card.question)
        if self.revealed:
            self._answer.value = self._face(card.answer) + _quiet(card.source)
        self._trap.show(say(f"The evidence: {link(card.topic, card.claim)}") if self.revealed and card.claim else "")
        self._reveal.description = say("Look again (space)" if card is None else "Show the answer (space)")
        self._reveal.disabled = self.revealed
        for rating, (button, returns) in enumerate(zip(self._grades, self._returns(), strict=True), 1):
            button.disabled = not self.revealed
            button.description = say(f"{GRADES[rating - 1]}{returns} ({rating})")

    def _returns(self):
        """After how long the card returns for each grade, once it matters."""
        if not self.revealed:
            return [""] * len(GRADES)
        try:
            state = self.progress.cards().get(self.card.id)
        except ProgressError:  # said when the grade cannot be recorded
            return [""] * len(GRADES)
        return [f": {span(length)}" for length in schedule.previews(state, self.progress.clock())]

    def _face(self, text):
        faces = (f'<div lang="{code}">{to_html(getattr(text, code))}</div>' for code in self._language.value)
        return f'<div class="viva-text">{"".join(faces)}</div>'


def _quiet(*labels):
    return f'<div class="viva-quiet">{escape(" · ".join(map(say, filter(None, labels))))}</div>'


class Quiz(Flashcard):
    """A drill over the cards of some topics: what is due comes first, then what is new, the topics in turn.

    Keys: space or Enter shows the answer, 1 to 4 grade it (again, hard, good, easy), U takes the last answer back, R
    asks this card again at the end, S suspends it.

    Parameters
    ----------
    *topics : str
        Stems of topics, such as "metrics"; all of them if none is named.
    cards : iterable of str, optional
        Ids: only these cards, in this order, due or not; those graded "again" return at the end. A quiz over all cards
        of its topics by default.
    done : callable, optional
        Called when such a drill is over, with the first grade of each card.
    progress : Progress, optional
        By default the learner's own.

    Raises
    ------
    ValueError
        If a topic or a card is unknown, or there is no card.
    """

    def __init__(self, *topics, cards=None, done=None, progress=None):
        self.topics, self._deck = topics, load_cards(topics)
        self._drill = None if cards is None else list(cards)
        if unknown := [card for card in self._drill or () if card not in self._deck]:
            raise ValueError(f"cards: there is no card {unknown[0]!r}")
        if not self._deck or self._drill == []:
            raise ValueError(f"topics: {', '.join(topics) or 'none'} has no cards yet")
        self.answered, self._answers, self._again, self._done = 0, [], [], done
        self.first_grades = {}
        self._filters = {
            "topic": self._filter("topic", [(say(topic.title), topic.stem) for topic in self._titles()]),
            "kind": self._filter("kind", [(say(kind), kind) for kind in KINDS]),
            "level": self._filter("level", [(say(level), level) for level in LEVELS]),
        }
        super().__init__(progress or Progress(), self._next)
        self._buttons = {
            name: widgets.Button(description=say(f"{label} ({key})"), layout={"width": "auto"}).add_class(
                f"viva-{name}"
            )
            for name, label, key in (("undo", "Undo", "U"), ("later", "Ask again", "R"), ("suspend", "Suspend", "S"))
        }
        for name, button in self._buttons.items():
            button.on_click(lambda _, name=name: getattr(self, name)())
        self._more.children = tuple(self._buttons.values())
        if self._drill is None:
            self.children = (*self.children[:1], widgets.HBox(list(self._filters.values())), *self.children[1:])
        self._advance()

    @property
    def cards(self):
        """The cards that may be asked, by id: of the topics, kinds and levels chosen."""
        wanted = {name: menu.value for name, menu in self._filters.items()}
        kept = self._deck if self._drill is None else {card: self._deck[card] for card in self._drill}
        return {
            identity: card
            for identity, card in kept.items()
            if wanted["topic"] in (None, card.topic.stem)
            and wanted["kind"] in (None, card.kind)
            and wanted["level"] in (None, card.level)
        }

    def __repr__(self):
        return f"Quiz: {name_topics(self.topics)}, {len(self.cards)} cards"

    def reveal(self):
        """Show the answer, or look again for a card if none was due."""
        if self.card is None:
            self._advance()
        else:
            super().reveal()

    def undo(self):
        """Take the last answer of this quiz back and ask its card again."""
        if self._answers:
            card, review_id = self._answers[-1]
            if self._kept(lambda: self.progress.undo(review_id)):
                self._answers.pop()
                self.answered -= 1
                if card.id not in {other.id for other, _ in self._answers}:
                    self.first_grades.pop(card.id, None)
                self._advance(card)
                tell()

    def later(self):
        """Ask this card again at the end, without a grade."""
        if self.card is not None:
            self._again = [card for card in self._again if card != self.card.id] + [self.card.id]
            self._advance()

    def suspend(self):
        """Do not ask this card any more; `Progress.suspend` with ``suspended=False`` lets it return."""
        if self.card is not None and self._kept(lambda: self.progress.suspend(self.card.id)):
            self._advance()
            tell()

    def _kept(self, action):
        """Whether an action on the progress file worked; if not, that is said."""
        try:
            action()
        except ProgressError as error:
            self._say(say(f"Not recorded: {error}"), "viva-error")
            return False
        return True

    def _next(self, card, rating):
        self.answered += 1
        self._answers.append((card, self.review_id))
        self.first_grades.setdefault(card.id, rating)
        self._again = [other for other in self._again if other != card.id]
        if rating == 1 and self._drill is not None:
            self._again.append(card.id)
        self._advance()
        if self.card is None and self._drill is not None and self._done:
            done, self._done = self._done, None
            done(self.first_grades)

    def _advance(self, card=None):
        """Ask `card`, or else what is most urgent."""
        cards = self.cards
        try:
            plan = agenda(self.progress, cards, [answered.id for answered, _ in self._answers])
            ahead = self.progress.ahead()
        except ProgressError as error:
            self.show(None, "")
            self._say(say(str(error)), "viva-error")
            return
        line = say(f"{self.answered} answered now, {len(plan.now)} due, {len(plan.new)} new")
        if plan.later:
            wait = span(plan.next - self.progress.clock())
            line += say(f", {len(plan.later)} later today, next in {wait}")
        if ahead:
            line += say(f". {ahead} of the answers recorded do not count yet, for they are dated in the future")
        again = [other for other in self._again if other in cards]
        if self._drill is None:
            waiting = [other for other in (*plan.now, *plan.new) if other not in again] + again
        else:
            done = {answered.id for answered, _ in self._answers}
            waiting = [other for other in cards if other not in done and other not in again] + again
        first = card or (cards[waiting[0]] if waiting else None)
        self.show(
            first,
            line if first else line + say(". Nothing to ask for now."),
            *(self.answered, self.answered + len(waiting)),
        )

    def _draw(self):
        super()._draw()
        for name, button in self._buttons.items():
            button.disabled = not self._answers if name == "undo" else self.card is None

    def _titles(self):
        return [topic for topic in find_topics(self.topics) if any(c.topic == topic for c in self._deck.values())]

    def _filter(self, name, options):
        menu = widgets.Dropdown(options=[(say(f"every {name}"), None), *options], layout={"width": "220px"})
        menu.observe(lambda change: self._advance(), "value")
        return menu.add_class(f"viva-filter-{name}")


def name_topics(stems):
    """Return the titles of some topics as one phrase."""
    return ", ".join(topic.title for topic in find_topics(stems)) if stems else "all topics"
