"""The quiz: one card at a time, the answer on demand, graded by yourself, by mouse or by keys."""

from html import escape
from pathlib import Path
from uuid import uuid4

import anywidget
import ipywidgets as widgets

from .deck import find_topics, load_cards, to_html
from .progress import Progress, ProgressError

GRADES = ("Again", "Hard", "Good", "Easy")

_LANGUAGES = [("English", ("en",)), ("中文", ("zh",)), ("both", ("en", "zh"))]

HERE = Path(__file__).parent


class _Keys(anywidget.AnyWidget):
    """Listens in the page for the keys of the quiz that holds it: ipywidgets has no key events."""

    _esm = (HERE / "quiz.js").read_text(encoding="utf-8")
    _css = (HERE / "quiz.css").read_text(encoding="utf-8")


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
        self._language = widgets.ToggleButtons(options=_LANGUAGES, value=("en", "zh"))
        self._language.style.button_width = "80px"
        self._question, self._answer = widgets.HTMLMath(), widgets.HTMLMath()
        self._reveal = widgets.Button(layout={"width": "200px"})
        self._grades = [
            widgets.Button(description=f"{name} ({rating})", disabled=True, layout={"width": "110px"})
            for rating, name in enumerate(GRADES, 1)
        ]
        self._line = widgets.HTML()
        super().__init__(
            [
                _Keys().add_class("viva-keys"),
                self._language.add_class("viva-language"),
                self._question.add_class("viva-question"),
                self._reveal.add_class("viva-reveal"),
                self._answer.add_class("viva-answer"),
                widgets.HBox([b.add_class(f"viva-grade-{rating}") for rating, b in enumerate(self._grades, 1)]),
                self._line.add_class("viva-line"),
            ]
        )
        self.add_class("viva-quiz")
        self._language.observe(lambda change: self._draw(), "value")
        self._reveal.on_click(lambda button: self.reveal())
        for rating, button in enumerate(self._grades, 1):
            button.on_click(lambda button, rating=rating: self.grade(rating))

    def show(self, card, line):
        """Ask `card`, or nothing if it is None, over a `line` that says how far you are."""
        self.card, self.revealed = card, False
        self._review_id = uuid4()  # one for each time a card is shown: a retry or a second click is not recorded twice
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
            self.progress.answer(card.id, rating, self._review_id)
        except ProgressError as error:
            self._say(f"Not recorded: {error}", "viva-error")
            return
        self.revealed = False
        self._graded(card, rating)

    def _say(self, text, style="viva-quiet"):
        self._line.value = f'<div class="{style}" role="status">{escape(text)}</div>'

    def _draw(self):
        card = self.card
        self._question.value = self._answer.value = ""
        if card:
            self._question.value = _quiet(card.topic.title, card.kind, card.level) + self._face(card.question)
        if self.revealed:
            self._answer.value = self._face(card.answer) + _quiet(card.source, card.claim)
        self._reveal.description = "Look again (space)" if card is None else "Show the answer (space)"
        self._reveal.disabled = self.revealed
        for button in self._grades:
            button.disabled = not self.revealed

    def _face(self, text):
        faces = (f'<div lang="{code}">{to_html(getattr(text, code))}</div>' for code in self._language.value)
        return f'<div class="viva-text">{"".join(faces)}</div>'


def _quiet(*labels):
    return f'<div class="viva-quiet">{escape(" · ".join(filter(None, labels)))}</div>'


class Quiz(Flashcard):
    """A drill over the cards of some topics: what is due comes first, then what is new.

    Space or Enter shows the answer, the keys 1 to 4 grade it: again, hard, good, easy.

    Parameters
    ----------
    *topics : str
        Stems of topics, such as "metrics"; all of them if none is named.
    progress : Progress, optional
        By default the learner's own.

    Raises
    ------
    ValueError
        If a topic is unknown, or none of them has a card.
    """

    def __init__(self, *topics, progress=None):
        self.topics, self.cards = topics, load_cards(topics)
        if not self.cards:
            raise ValueError(f"topics: {', '.join(topics)} has no cards yet")
        self.answered = 0
        super().__init__(progress or Progress(), self._next)
        self._advance()

    def __repr__(self):
        return f"Quiz: {name_topics(self.topics)}, {len(self.cards)} cards"

    def reveal(self):
        """Show the answer, or look again for a card if none was due."""
        if self.card is None:
            self._advance()
        else:
            super().reveal()

    def _next(self, card, rating):
        self.answered += 1
        self._advance()

    def _advance(self):
        try:
            due = [card for card in self.progress.due() if card in self.cards]
            seen, ahead = self.progress.cards(), self.progress.ahead()
        except ProgressError as error:
            self.show(None, "")
            self._say(str(error), "viva-error")
            return
        new = [card for card in self.cards if card not in seen]
        line = f"{self.answered} answered now, {len(due)} due, {len(new)} new"
        if ahead:
            line += f". {ahead} of the answers recorded do not count yet, for they are dated in the future"
        waiting = [*due, *new]
        self.show(self.cards[waiting[0]] if waiting else None, line if waiting else f"{line}. Nothing to ask for now.")


def name_topics(stems):
    """Return the titles of some topics as one phrase."""
    return ", ".join(topic.title for topic in find_topics(stems)) if stems else "all topics"
