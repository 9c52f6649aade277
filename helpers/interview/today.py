"""Today: one button starts a session of cards, an exercise, a prediction and a short interview, and keeps its score."""

import json
import random
import re
from importlib import import_module
from pathlib import Path

import anywidget
import ipywidgets as widgets
from traitlets import Dict, Unicode

from helpers.language import page_texts, say
from helpers.topics import TOPICS

from .agenda import agenda, listen, span, topic_of
from .deck import load_cards, to_html
from .exercises import load
from .judge import stub
from .mock import WEAK, MockInterview
from .plan import new_today
from .progress import Progress, ProgressError
from .quiz import Quiz
from .schedule import due_from

MOST = 60  # cards a session; the longest overdue come first
SECONDS = {"card": 25, "exercise": 420, "prediction": 90}  # what one usually takes, for the estimate
INTERVIEW = 3  # minutes


class Today(widgets.VBox):
    """A session: the cards that are due, new ones as the plan has it, an exercise, a prediction, a short interview.

    Every part can be skipped. What was answered is recorded at once, so a session that is broken off loses nothing:
    start again, and it asks what is left.

    Parameters
    ----------
    progress : Progress, optional
        By default the learner's own.
    """

    def __init__(self, progress=None):
        self.progress = progress or Progress()
        self._bar = widgets.HTML().add_class("viva-session")
        self._skip = widgets.Button(description=say("Skip this part")).add_class("viva-skip")
        self._skip.on_click(lambda button: self.skip())
        super().__init__()
        self.add_class("viva-today")
        self.refresh_start()

    def __repr__(self):
        return "Today: cards that are due, new ones, an exercise, a prediction, a short interview"

    def refresh_start(self):
        """Show what a session would hold now, and the button that starts it."""
        self.parts, self.part, self.outcome, self._shown = [], None, {}, None
        start = widgets.Button(
            description=say("Start today's session"), button_style="primary", layout={"width": "220px"}
        )
        start.on_click(lambda button: self.start())
        try:
            said = self._summary(planned(self.progress))
        except ProgressError as error:
            said = say(str(error))
        self.children = [widgets.HTML(said), start.add_class("viva-start")]

    def start(self):
        """Begin the session."""
        self.outcome = {}
        self.parts = list(planned(self.progress).items())
        self._count = len(self.parts)
        self.advance()

    def skip(self):
        """Leave this part. What was graded in it counts."""
        if self.part == "cards" and self._shown.first_grades:
            self.outcome["cards"] = self._shown.first_grades
        if self.part == "interview":
            self._shown.finish()
        self.advance()

    def advance(self):
        """Go on with the next part, or end."""
        if self._shown:
            self._shown.close()  # what is left behind must not go on with the session later
        if not self.parts:
            self._finish()
            return
        (self.part, content), *self.parts = self.parts
        number = self._count - len(self.parts)
        said = say(f"part {number} of {self._count}: <b>{say(self.part)}</b>")
        self._bar.value = f'<progress value="{number - 1}" max="{self._count}"></progress> {said}'
        self._shown = {
            "cards": self._cards,
            "exercise": self._exercise,
            "prediction": self._prediction,
            "interview": self._interview,
        }[self.part](content)
        self.children = [widgets.HBox([self._bar, self._skip]), self._shown]

    # --- the parts ---------------------------------------------------------------------------------------------------

    def _cards(self, cards):
        def done(first_grades):
            self.outcome["cards"] = first_grades
            self.advance()

        return Quiz(cards=cards, done=done, progress=self.progress)

    def _exercise(self, identity):
        return ExercisePart(identity, self.progress, lambda passed: self._note("exercise", [identity, passed]))

    def _prediction(self, place):
        return PredictionPart(*place, lambda right: self._note("prediction", [place[0], right]))

    def _interview(self, topics):
        def done(answers):
            if answers:
                self.outcome["interview"] = {answer.card.id: answer.rating for answer in answers}

        self._skip.description = say("Go on")
        return MockInterview(topics, minutes=INTERVIEW, done=done, progress=self.progress)

    def _note(self, part, result):
        self.outcome[part] = result
        self.advance()

    # --- beginning and end -------------------------------------------------------------------------------------------

    def _summary(self, parts):
        if not parts:
            return f"<p>{say('Nothing is left for today.')} {self._comes_back()}</p>{self._past()}"
        cards = parts.get("cards", [])
        due = len(agenda(self.progress, cards).now)
        names = {"exercise": "an exercise", "prediction": "a prediction to drag", "interview": "a short interview"}
        held = [say(f"{due} cards that are due, {len(cards) - due} new ones")] if cards else []
        held += [say(said) for name, said in names.items() if name in parts]
        seconds = SECONDS["card"] * len(cards) + sum(SECONDS.get(name, 0) for name in parts)
        minutes = seconds / 60 + INTERVIEW * ("interview" in parts)
        return f"<p>{say(', ').join(held)}{say(f': about {minutes:.0f} minutes.')}</p>{self._past()}"

    def _past(self):
        past = ", ".join(f"{kept['score']:.0%}" for kept, _ in self.progress.sessions("today")[-7:])
        return f"<p>{say(f'Last sessions: {past}')}</p>" if past else ""

    def _finish(self):
        self.part, self._shown, self._skip.description = None, None, say("Skip this part")
        score, weak = graded(self.outcome)
        try:
            if self.outcome:
                self.progress.record_session("today", {"score": score, "weak": weak, "parts": self.outcome})
            said = (
                f"<p><b>{say(f'Done: {score:.0%}.')}</b> {self._weak_said(weak)} {self._comes_back()}</p>{self._past()}"
            )
        except ProgressError as error:
            said = f"<p>{say(f'Not recorded: {error}')}</p>"
        more = widgets.Button(description=say("Back")).add_class("viva-back")
        more.on_click(lambda button: self.refresh_start())
        self.children = [widgets.HTML(said).add_class("viva-over"), more]

    def _weak_said(self, weak):
        titles = {topic.stem: say(topic.title) for topic in TOPICS}
        return say(f"Weak: {say(', ').join(titles[stem] for stem in weak)}.") if weak else ""

    def _comes_back(self):
        following = agenda(self.progress, load_cards()).next
        return say(f"The next card is due in {span(following - self.progress.clock())}.") if following else ""


class Code(anywidget.AnyWidget):
    """Code with a button that copies it."""

    _esm = (Path(__file__).parent / "copy.js").read_text(encoding="utf-8")
    text = Unicode().tag(sync=True)
    texts = Dict().tag(sync=True)  # what the page says, if not in English


class ExercisePart(widgets.VBox):
    """One exercise, from its stub: it is over when the judge has passed it."""

    def __init__(self, identity, progress, done):
        self.exercise, self.progress, self._done = load(identity), progress, done
        self._before = self._passes()
        self._line = widgets.HTML()
        again = widgets.Button(description=say("Look again")).add_class("viva-look")
        again.on_click(lambda button: self.refresh())
        give_up = widgets.Button(description=say("Not today")).add_class("viva-give-up")
        give_up.on_click(lambda button: self._done(False))
        texts = [f"<div lang='{code}'>{to_html(text)}</div>" for code, text in _languages(self.exercise)]
        code = Code(text=f"from helpers.interview.judge import check\n\n\n{stub(self.exercise)}", texts=page_texts())
        how = f"<p>{say('Copy this into a new cell (Esc, then B, makes one) and write it from memory.')}</p>"
        super().__init__([widgets.HTMLMath("".join(texts) + how), code, widgets.HBox([again, give_up]), self._line])
        listen(self)

    def refresh(self):
        """Go on if the exercise has been passed since it was shown."""
        if self._done and self._passes() > self._before:
            done, self._done = self._done, None
            done(True)
        else:
            self._line.value = say("Not passed yet.")

    def close(self):
        """Remove it from the page; a pass that comes later is no part of the session."""
        self._done = None
        super().close()

    def _passes(self):
        try:
            return self.progress.attempts(self.exercise.id).count("passed")
        except ProgressError:
            return 0


class PredictionPart(widgets.VBox):
    """A question of a notebook, its explorer, and the folded answer; you say whether you were right."""

    def __init__(self, notebook, number, done):
        question, name, stem, answer = predictions(notebook)[number]
        self._explorer = import_module(f"helpers.explorers.{stem}").examples()[name]()
        right = widgets.Button(description=say("I was right")).add_class("viva-right")
        wrong = widgets.Button(description=say("I was not")).add_class("viva-wrong")
        right.on_click(lambda button: done(True))
        wrong.on_click(lambda button: done(False))
        super().__init__([_markdown(question), self._explorer.widget, _markdown(answer), widgets.HBox([right, wrong])])

    def close(self):
        """Remove it from the page and release its picture."""
        self._explorer.close()
        super().close()


def planned(progress):
    """Return the parts of a session started now: a dict of name -> content; what is empty or done today is left out."""
    deck, today = load_cards(), progress.clock().astimezone().date()
    cards = [*agenda(progress, deck).now[:MOST], *new_today(progress)][:MOST]
    begun = {topic_of(card) for card in [*progress.cards(), *cards]}
    past = [kept["parts"] for kept, at in progress.sessions("today") if at.astimezone().date() == today]
    done = {part for parts in past for part in parts}
    draw = random.Random(f"{today} {len(progress.sessions('today'))}")  # the same until a session is done
    parts = {"cards": cards}
    if "exercise" not in done and begun:
        parts["exercise"] = _exercise_of_the_day(progress, begun, draw)
    if "prediction" not in done and begun:
        ready = [topic for topic in TOPICS if topic.ready and topic.stem in begun]
        topic = draw.choice(ready)
        parts["prediction"] = topic.notebook, draw.randrange(len(predictions(topic.notebook)))
    if "interview" not in done and begun:
        parts["interview"] = sorted(begun)
    return {name: content for name, content in parts.items() if content}


def _exercise_of_the_day(progress, begun, draw):
    """The exercise longest due; else one of the topics begun that was not passed yet; else none."""
    from .exercises import all_exercises

    states = progress.exercises()
    due = sorted((due_from(state), which) for which, state in states.items())
    if due and due[0][0] <= progress.clock():
        return due[0][1]
    fresh = [exercise.id for exercise in all_exercises() if exercise.stem in begun and exercise.id not in states]
    return draw.choice(fresh) if fresh else None


def graded(outcome):
    """Return the share of what went well in a session, and the stems of the topics where something did not."""
    grades = [
        (topic_of(card), rating > WEAK)
        for part in ("cards", "interview")
        for card, rating in outcome.get(part, {}).items()
    ]
    for part in ("exercise", "prediction"):
        if part in outcome:
            which, well = outcome[part]
            stems = {topic.notebook: topic.stem for topic in TOPICS}
            grades.append((stems.get(which, topic_of(which)), well))
    score = sum(well for _, well in grades) / len(grades) if grades else 0.0
    return score, sorted({stem for stem, well in grades if not well})


def predictions(notebook):
    """Return what section 6 of a notebook asks: (question, the explorer's class, its room, the answer), Markdown."""
    topic = next(topic for topic in TOPICS if topic.notebook == notebook)
    cells = json.loads(topic.path.read_text(encoding="utf-8"))["cells"]
    examples = import_module(f"helpers.explorers.{topic.stem}").examples()
    found, question, name = [], None, None
    for cell in cells:
        text = "".join(cell["source"])
        asked = cell["cell_type"] == "markdown" and re.search(r"(?ms)^\*\*Predict.*?(?=\n\n\*\*Predict|\Z)", text)
        if asked and (question is None or name is None):
            question = asked[0]
        if cell["cell_type"] == "code" and (built := re.search(_BUILT, text)) and built[1] in examples:
            name = built[1]
        if question and name and text.startswith("<details><summary>Answer"):
            found.append((question, name, topic.stem, text[: text.index("</details>") + len("</details>")]))
            question = asked[0] if asked else None
            name = None
    return found


_BUILT = r"""(?m)^\w+ = explorers\.(?:examples\(\)\[")?(\w+)(?:"\])?\("""  # how a notebook makes an explorer


def _markdown(text):
    return widgets.Output(outputs=({"output_type": "display_data", "data": {"text/markdown": text}, "metadata": {}},))


def _languages(exercise):
    return ("en", exercise.task), ("zh", exercise.task_zh)
