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
import sys
import textwrap
from dataclasses import dataclass

from .exercises import load
from .packing import Refused, imports_of, innermost, pack
from .sandbox import Request
from .worker import Worker

TIME_LIMIT = 10.0  # seconds for the calls of one check
MEMORY_LIMIT = 2**30  # bytes that it may hold meanwhile
_METHOD = "fork" if sys.platform == "linux" else "spawn"  # macOS can fork, but its libraries do not survive it


@dataclass(frozen=True)
class Verdict:
    """What the judge says. Shown as its message."""

    passed: bool
    message: str

    def __repr__(self):
        return self.message


class Note(str):
    """Text that a notebook shows as it is."""

    __slots__ = ()
    __repr__ = str.__str__


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
    passed, message = _judge(exercise, function, exercise.refused)
    problem = _record(exercise.id, "passed" if passed else "failed")
    return Verdict(passed, f"{exercise.id}: {message}{problem}")


def hint(exercise_id):
    """Show the next of three hints: the idea, the key step, nearly the code. They start over after a pass."""
    exercise = load(exercise_id)
    events, problem = _attempts(exercise.id)
    since = max((i + 1 for i, event in enumerate(events) if event in ("passed", "solution")), default=0)
    shown = events[since:].count("hint")
    if shown >= len(exercise.hints):
        return Note(f'{exercise.id}: these were all hints. solution("{exercise.id}") shows an answer.{problem}')
    problem = problem or _record(exercise.id, "hint")
    return Note(f"{exercise.id}: hint {shown + 1} of {len(exercise.hints)}. {exercise.hints[shown]}{problem}")


def solution(exercise_id):
    """Show an answer as it fits on a whiteboard, then ours."""
    exercise = load(exercise_id)
    answer = exercise.rights[0]
    _, _, short = inspect.getsource(answer).partition("\n")  # without the decorator
    short = short.replace(f"def {answer.__name__}(", f"def {exercise.name}(", 1)
    ours = inspect.getsource(exercise.reference)
    problem = _record(exercise.id, "solution")
    return Note(f"# On the whiteboard\n{short}\n\n# Ours, {exercise.reference.__module__}\n{ours}{problem}".rstrip())


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
    """Whether the function is right, and the text that says so. `refused` names what it may not call."""
    try:
        payload = pack(function, refused)
    except Refused as reason:
        return False, f"not right yet. {reason}"
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
    return reply["passed"], message.encode(errors="replace").decode()  # a page cannot show half of a character


_worker = Worker()
atexit.register(_worker.close)


# --- progress --------------------------------------------------------------------------------------------------------


def _record(exercise_id, event):
    """Record an event; if that fails, return a line that says so: a damaged file must not cost the verdict."""
    try:
        _progress().record_attempt(exercise_id, event)
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
