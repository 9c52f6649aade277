"""Write it, and the judge says what is wrong with it: `check`, `hint`, `solution`.

Nothing that a learner writes is run in the kernel. `check` packs the function with what it uses and hands it to the
worker process (see `examiner`), which runs it in a process of its own, compares it with ours and answers with text. An
endless loop, a crash or too much memory end that process and nothing else, on Linux, macOS and Windows.
"""

import ast
import atexit
import inspect
import linecache
import os
import re
import sys
import textwrap
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape

from IPython import get_ipython
from IPython.display import clear_output

from .. import theme
from ..language import language, say
from .agenda import tell
from .comparison import MARKS
from .exercises import all_exercises, load
from .packing import Refused, imports_of, innermost, pack
from .sandbox import Request
from .worker import Worker

TIME_LIMIT = 10.0  # seconds for the calls of one check
MEMORY_LIMIT = 2**30  # bytes that it may hold meanwhile
_METHOD = "fork" if sys.platform == "linux" else "spawn"  # macOS can fork, but its libraries do not survive it
_COLORS = {
    "Passed": theme.GREEN,
    "Failed": theme.VERMILLION,
    "Stopped": theme.PURPLE,
    "Not written yet": theme.MUTED,
}


@dataclass(frozen=True)
class Verdict:
    """What the judge says. Shown as its message; in a notebook in color, with the entry that differs marked.

    Attributes
    ----------
    passed : bool
    message : str
    outcome : str
        "Passed", "Failed", "Stopped" by a limit or a crash, or "Not written yet".
    marked : str
        The message with `comparison.MARKS` around the entry that differs.
    effort : str
        How many inputs were tried, and how long it took.
    beyond : str
        After a pass: what it costs, the library's way, what to write next.
    """

    passed: bool
    message: str
    outcome: str = "Not written yet"
    marked: str = field(default="", compare=False)
    effort: str = field(default="", compare=False)
    beyond: str = field(default="", compare=False)

    def __repr__(self):
        return self.message + self.beyond

    def _repr_html_(self):
        color = _COLORS[self.outcome]
        english = (self.marked or self.message) + self.beyond
        text = escape(_said(english)).replace(MARKS[0], "<mark>").replace(MARKS[1], "</mark>")
        tabs = "" if language() == "en" else f"; tab-size: {_column(english)}"
        return (
            f'<div style="border-left: 6px solid {color}; padding: 2px 12px">'
            f'<b style="color: {color}">{say(self.outcome)}</b> <span style="opacity: 0.7">{say(self.effort)}</span>'
            f'<pre style="margin: 4px 0{tabs}">{text}</pre></div>'
        )


class Note(str):
    """Text that holds code; a notebook shows it with the code highlighted.

    Parameters
    ----------
    before : str
    code : str
        Python.
    after : str
    """

    def __new__(cls, before, code="", after="", between=" "):
        note = super().__new__(cls, f"{before}{between if code else ''}{code}{after}")
        note.parts = before, code, after
        return note

    __repr__ = str.__str__

    def _repr_markdown_(self):
        before, code, after = self.parts
        said = map(_said, (before, after))
        plain = (re.sub(r"([*_`<$\\])", r"\\\1", text) for text in said)  # they hold formulas, no markup
        return f"\n\n```python\n{code}\n```\n\n".join(plain) if code else "".join(plain)


def check(exercise_id, function):
    """Compare the learner's function with ours.

    Parameters
    ----------
    exercise_id : str
        ``"metrics/roc_auc"``.
    function : callable
        It may use functions, classes, constants and imports of other cells.

    Returns
    -------
    Verdict
        Passed or not, and why: the smallest input found on which the two differ.

    Raises
    ------
    ValueError
        If there is no such exercise.
    TypeError
        If `function` is no function, or takes other arguments than the exercise.
    """
    exercise = load(exercise_id)
    _check_signature(exercise, function)
    if _is_stub(function):
        message = f'{exercise.id}: not written yet. Fill in {exercise.signature}; hint("{exercise.id}") helps.'
        return Verdict(False, message)
    start = time.monotonic()
    with _busy():
        reply = _judge(exercise, function, exercise.refused)
    outcome = "Passed" if reply["passed"] else "Stopped" if reply["stopped"] else "Failed"
    inputs = "1 input" if reply["tried"] == 1 else f"{reply['tried']} inputs"
    effort = f"{inputs}, {time.monotonic() - start:.1f} s"
    marked = f"{exercise.id}: {reply['message']}"
    plain = marked.translate(dict.fromkeys(map(ord, "".join(MARKS))))
    problem = _record(exercise.id, "passed" if reply["passed"] else "failed", _source(function), plain)
    beyond = _what_next(exercise) if reply["passed"] else ""
    return Verdict(reply["passed"], plain + problem, outcome, marked + problem, effort, beyond)


@contextmanager
def _busy():
    """Say that the judge is at work; the verdict takes the line's place. Only where there is a page to say it to."""
    shell = get_ipython()
    live = hasattr(shell, "kernel")
    if live:
        print(say("checking..."))
    yield
    if live:
        clear_output(wait=True)


def _what_next(exercise):
    """What to do after a pass: what it costs, the library's way, and the next one of the topic that is open."""
    lines = [f"It costs {exercise.cost}."] if exercise.cost else []
    if exercise.libraries:
        lines.append("The library's way:")
        lines += [f"    {line}" for line in _without_decorator(exercise.libraries[0]).splitlines()]
    try:
        passed = _progress().passed()
    except Exception:
        passed = set()
    open_ones = [other.id for other in all_exercises() if other.stem == exercise.stem and other.id not in passed]
    if open_ones:
        lines.append(f"Next: {open_ones[0]}.")
    return "".join(f"\n{line}" for line in lines)


def hint(exercise_id):
    """Show the next of three hints: the idea, the key step, nearly the code. They start over after a pass."""
    exercise = load(exercise_id)
    events, problem = _attempts(exercise.id)
    since = max((i + 1 for i, event in enumerate(events) if event in ("passed", "solution")), default=0)
    shown = events[since:].count("hint")
    if shown >= len(exercise.hints):
        return Note(f'{exercise.id}: these were all hints. solution("{exercise.id}") shows an answer.{problem}')
    problem = problem or _record(exercise.id, "hint")
    said, text = f"{exercise.id}: hint {shown + 1} of {len(exercise.hints)}.", exercise.hints[shown]
    if shown == len(exercise.hints) - 1:  # the last one is nearly the code
        return Note(said, text, problem)
    return Note(f"{said} {text}{problem}")


def solution(exercise_id):
    """Show an answer as it fits on a whiteboard, then ours."""
    exercise = load(exercise_id)
    answer = exercise.rights[0]
    short = _without_decorator(answer).replace(f"def {answer.__name__}(", f"def {exercise.name}(", 1)
    ours = inspect.getsource(exercise.reference).rstrip()
    problem = _record(exercise.id, "solution")
    code = f"# On the whiteboard\n{short}\n\n\n# Ours, {exercise.reference.__module__}\n{ours}"
    return Note(f"{exercise.id}:", code, problem, between="\n")


def reset(exercise_id):
    """Put the stub of an exercise back into the cell that runs this.

    Returns
    -------
    Note
        The stub.
    """
    code = stub(load(exercise_id))
    shell = get_ipython()
    if hasattr(shell, "set_next_input"):
        shell.set_next_input(code, replace=True)
    return Note(f"{exercise_id}:", code, between="\n")


def stub(exercise):
    """Return the cell in which an exercise is begun."""
    arguments = exercise.signature.partition(" ->")[0]
    task = textwrap.fill(exercise.task, 110, initial_indent="    ", subsequent_indent="    ").strip()
    return f'def {arguments}:\n    """{task}"""\n    ...\n\n\ncheck("{exercise.id}", {exercise.name})'


def history(exercise_id):
    """Return the table of your attempts at an exercise, oldest first: when, the verdict's first line, the code."""
    from .table import Table

    exercise = load(exercise_id)
    rows = [
        (f"{at.astimezone():%Y-%m-%d %H:%M}", verdict.partition("\n")[0], code)
        for code, verdict, at in _progress().submissions(exercise.id)
    ]
    return Table(f"{exercise.id}: {len(rows)} attempts", ("When", "Verdict", "Code"), rows)


def _without_decorator(function):
    """The source of a function kept in an exercise, without the line that keeps it."""
    return inspect.getsource(function).partition("\n")[2].rstrip()


def _source(function):
    try:
        return textwrap.dedent(inspect.getsource(innermost(function)))
    except (OSError, TypeError):  # written where no source is kept
        return f"{function!r}, whose source is not known"


# --- in your language ------------------------------------------------------------------------------------------------


def _said(text):
    """A message in your language, line by line. What the learner's function took, gave and printed stays as it is."""
    return "\n".join(_said_row(line) if line.startswith("    ") else say(line) for line in text.split("\n"))


_ROW = re.compile(r"(?m)^(    (?:\S.* )?(?:expected|got|after|printed|differs at))  +(\S.*)$")


def _said_row(line):
    """A row of a verdict, its label translated; a tab before its text, for no font says how wide Chinese is."""
    if not (row := _ROW.match(line)):
        return line
    label, _, text = say("  ".join(row.groups())).lstrip().partition("  ")
    return f"    {label}\t{text}" if language() == "zh" else line


def _column(text):
    """In which column the texts of a verdict's rows begin."""
    row = _ROW.search(text)
    return row.start(2) - row.start(1) if row else 8


# --- before anything is run ------------------------------------------------------------------------------------------


def _check_signature(exercise, function):
    if not callable(function):
        raise TypeError(f"pass the function itself, not its result: check({exercise.id!r}, {exercise.name})")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some compiled functions have none
        return
    try:
        signature.bind(*exercise.parameters)
    except TypeError:
        raise TypeError(f"{exercise.id} must be callable as {exercise.signature}; yours takes {signature}") from None


def _is_stub(function):
    """Whether the body is nothing but a docstring, ``...``, ``pass`` or ``raise NotImplementedError``."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):  # no source: not a stub of a notebook
        return False
    return isinstance(definition, ast.FunctionDef) and all(map(_does_nothing, definition.body))


def _does_nothing(statement):
    if isinstance(statement, ast.Raise) and statement.exc:
        return "NotImplementedError" in {getattr(node, "id", None) for node in ast.walk(statement.exc)}
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


# --- judging ---------------------------------------------------------------------------------------------------------


def _judge(exercise, function, refused):
    """The worker's reply, its message complete. `refused` names what the function may not call."""
    try:
        payload = pack(function, refused)
    except Refused as reason:
        return {"passed": False, "message": f"not right yet. {reason}", "tried": 0, "stopped": False}
    request = Request(
        exercise_id=exercise.id,
        payload=payload,
        learner_module=getattr(innermost(function), "__module__", None) or "__main__",
        path=[os.path.abspath(entry) for entry in sys.path],
        imports=imports_of(function),
        refused=tuple(refused),
        time_limit=TIME_LIMIT,
        memory_limit=MEMORY_LIMIT,
        method=_METHOD,
    )
    reply = _worker.ask(request)
    if "error" in reply:
        raise RuntimeError(f"the judge failed at {exercise.id}; this is not your mistake.\n{reply['error']}")
    message = reply["message"]
    if reply["line"]:
        file, number = reply["line"]
        message += f"\nIt happens in line {number}: {linecache.getline(file, number).strip()}".rstrip(": ")
    return reply | {"message": message.encode(errors="replace").decode()}  # a page cannot show half of a character


_worker = Worker()
atexit.register(_worker.close)


# --- progress --------------------------------------------------------------------------------------------------------


def _record(exercise_id, event, code="", verdict=""):
    """Record an event; if that fails, return a line that says so: a damaged file must not cost the verdict."""
    try:
        _progress().record_attempt(exercise_id, event, code, verdict)
        tell()
    except Exception as error:
        return f"\nNot recorded: {error}"
    return ""


def _attempts(exercise_id):
    try:
        return _progress().attempts(exercise_id), ""
    except Exception as error:
        return [], f"\nNot recorded: {error}"


def _progress():
    from .progress import Progress

    return Progress()
