"""Write it, and the judge says what is wrong with it: `check`, `hint`, `solution`.

Nothing that a learner writes is run in the kernel. `check` pickles the function with what it uses and hands it to the
worker process (see `worker`), which compares it with ours and answers with text.
"""

import ast
import atexit
import contextlib
import dis
import functools
import inspect
import io
import json
import linecache
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import types
from dataclasses import dataclass

import cloudpickle

from ..topics import ROOT
from .candidate import resolve
from .exercises import load
from .worker import ENDED, Request, kill_family

TIME_LIMIT = 10.0  # seconds for the calls of one check
MEMORY_LIMIT = 2**30  # bytes that it may hold meanwhile
PAYLOAD_LIMIT = 50_000_000  # bytes that a function may carry along
_METHOD = "fork" if sys.platform == "linux" else "spawn"  # macOS can fork, but its libraries do not survive it
# -P: a learner's file called random.py must not be imported by the judge. -c: no main module for spawn to import again.
_COMMAND = [sys.executable, "-P", "-c", "from helpers.interview.worker import main; main()"]
_GRACE = 90.0  # seconds beyond TIME_LIMIT after which the worker itself is taken for dead
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


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


# --- packing the function --------------------------------------------------------------------------------------------


class _Refused(Exception):
    """The function cannot or must not be judged; the text says why."""


class _Bounded(io.BytesIO):
    def write(self, data):
        if self.tell() + memoryview(data).nbytes > PAYLOAD_LIMIT:
            raise OverflowError
        return super().write(data)


class _Packer(cloudpickle.Pickler):
    """Pickles by value what notebooks define, and meets every object that the function reaches."""

    def __init__(self, file, forbidden):
        super().__init__(file)
        self.forbidden = forbidden

    def reducer_override(self, obj):
        if id(obj) in self.forbidden:
            raise _Refused(f"It uses {self.forbidden[id(obj)][2]}. Write it without: that function is the exercise.")
        return super().reducer_override(obj)


def _pack(value, refused=()):
    buffer = _Bounded()
    _Packer(buffer, resolve(refused)).dump(value)
    return buffer.getvalue()


def _payload(function, refused):
    try:
        return _pack(function, refused)
    except _Refused:
        raise
    except Exception as error:
        for name, value in _used(function, set()):
            try:
                _pack(value)
            except OverflowError:
                why = f"{name} holds more than {PAYLOAD_LIMIT // 10**6} MB"
                raise _Refused(f"It cannot be sent to the judge: {why}. Pass it less, or make it inside.") from None
            except Exception as cause:
                why = f"{name}, a {type(value).__name__}, cannot be pickled ({cause})"
                raise _Refused(f"It cannot be sent to the judge: {why}. Make it inside the function.") from None
        raise _Refused(f"It cannot be sent to the judge: {type(error).__name__}: {error}") from None


def _used(function, seen):
    """Yield name and value of what the function uses; of the functions it calls, what these use."""
    function = _innermost(function)
    if not isinstance(function, types.FunctionType) or function in seen:
        return
    seen.add(function)
    names, codes = set(), [function.__code__]
    for code in codes:
        names.update(step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
        codes.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    values = {name: function.__globals__[name] for name in sorted(names) if name in function.__globals__}
    values |= inspect.getclosurevars(function).nonlocals
    for name, value in values.items():
        if isinstance(value, types.FunctionType) and value.__module__ == function.__module__:
            yield from _used(value, seen)
        else:
            yield name, value


def _innermost(function):
    while isinstance(function, functools.partial):
        function = function.func
    return function


# --- the worker ------------------------------------------------------------------------------------------------------


def _judge(exercise, function, refused):
    """Whether the function is right, and the text that says so. `refused` names what it may not call."""
    try:
        payload = _payload(function, refused)
    except _Refused as reason:
        return False, f"not right yet. {reason}"
    request = Request(
        exercise_id=exercise.id,
        payload=payload,
        home=getattr(_innermost(function), "__module__", None) or "__main__",
        path=[os.path.abspath(entry) for entry in sys.path],
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
    return reply["passed"], message


class _Worker:
    """A warm interpreter that never runs what the learner wrote; started when first needed."""

    def __init__(self):
        self.process = None
        self.lock = threading.Lock()

    def ask(self, request):
        """Send a request and return the reply. A worker that was killed is replaced once."""
        with self.lock:
            return self._ask(request) or self._ask(request) or ENDED

    def _ask(self, request):
        if self.process is None or self.process.poll() is not None:
            self.close()
            self.process = _start()
        timer = threading.Timer(request.time_limit + _GRACE, kill_family, [self.process.pid])
        timer.start()
        try:
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):  # it is gone
            self.close()
            return None
        except BaseException:  # interrupted: the reply would be taken for that to the next request
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self):
        """End the process, if there is one."""
        if self.process is not None:
            kill_family(self.process.pid)
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):  # what was not sent is lost with the worker
                    pipe.close()
            self.process = None


def _start():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | dict.fromkeys(_THREADS, "1") | {"MPLBACKEND": "agg", "PYTHONPATH": path}
    # A group of its own, or the interrupt of a terminal would reach it too.
    group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
    return subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, **group)


_worker = _Worker()
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
