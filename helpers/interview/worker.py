"""The examiner: draws inputs, asks the candidate process, compares with ours, and words the verdict.

The kernel starts one worker (`main`) as a fresh interpreter, which never runs a line of the learner's. For each check:

- Linux ("fork"): the worker forks an examiner, which forks a candidate. The imports are paid once.
- Windows and macOS ("spawn"): the worker examines by itself and starts a fresh interpreter as the candidate.

The worker ends when its input closes, which happens when the kernel ends in whatever way.
"""

import contextlib
import gc
import json
import marshal
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, field

import numpy as np
import psutil
from hypothesis import HealthCheck, Phase, Verbosity, errors, given, settings
from hypothesis.internal.conjecture.providers import HypothesisProvider

from . import candidate
from .candidate import Unknown, decode, encode, evaluate, to_tensors
from .exercises import load

START_LIMIT = 60  # seconds for the candidate to import what the function needs
ENDED = {
    "passed": False,
    "message": "not right yet. The judge's process was ended while your function ran: by it, or for want of memory.",
    "line": None,
}
RTOL, ATOL = (
    1e-6,
    1e-8,
)  # float64 leaves room: orders of summation differ by 1e-12, a forgotten epsilon by more than 1e-6

_SETTINGS = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    verbosity=Verbosity.quiet,
)


@dataclass
class Request:
    """What the kernel asks for. `payload` is the pickled function; the rest is explained at `candidate.answer`."""

    exercise_id: str
    payload: bytes
    home: str
    path: list
    refused: tuple
    time_limit: float
    memory_limit: int
    method: str


@dataclass
class Problem:
    """Something is wrong: a sentence, rows of (label, text) to show, and the learner's (file, line) if known."""

    sentence: str
    rows: tuple = ()
    line: tuple | None = None
    answered: bool = False  # whether the candidate returned a value that can be told from ours
    printed: str = field(default="", compare=False)


class _Wrong(Exception):
    """Tells hypothesis that an input fails."""


class _Ended(BaseException):
    """The candidate is gone. Not an Exception, so that hypothesis passes it on instead of trying smaller inputs."""


def main():
    """Answer the kernel's requests until it hangs up."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    warnings.simplefilter("ignore")  # the worker's stderr is the notebook
    # hypothesis likes to draw numbers that occur in the source of loaded modules: inputs would depend on the exercises
    # judged before. It also keeps these numbers in a folder beside the notebook.
    HypothesisProvider._maybe_draw_constant = lambda *args, **options: None
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        if request.method == "spawn":
            _reply(request, replies)
            continue
        _load(request.exercise_id)  # before the fork: imported once for all checks to come
        gc.freeze()  # or the collector's first round in a child would copy the pages of all that is imported
        child = os.fork()
        if child == 0:
            _reply(request, replies)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            print(json.dumps(ENDED), file=replies, flush=True)


def _load(exercise_id):
    try:
        return load(exercise_id)
    finally:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)  # a process with threads cannot be forked


def _reply(request, replies):
    try:
        reply = examine(_load(request.exercise_id), request)
    except Exception:
        reply = {"error": traceback.format_exc()}
    print(json.dumps(reply), file=replies, flush=True)


def examine(exercise, request):
    """Compare the learner's function with ours on every tier.

    Parameters
    ----------
    exercise : Exercise
    request : Request

    Returns
    -------
    dict
        ``passed``; ``message``, what the learner reads; ``line``, (file, line) of the learner's that failed, or None.
    """
    examiner = _Examiner(exercise, request)
    try:
        with np.errstate(all="ignore"):
            for tier in exercise.tiers:
                if not examiner.passes(tier):
                    return {"passed": False, "message": examiner.report(), "line": examiner.problem.line}
    finally:
        examiner.candidate.close()
    return {"passed": True, "message": "right. It agrees with ours on every input tried.", "line": None}


class _Examiner:
    def __init__(self, exercise, request):
        self.exercise = exercise
        self.positions = [exercise.parameters.index(name) for name in exercise.gradient]
        self.candidate = _Candidate(request, self.positions, exercise.tensors)
        self.seen = []  # (arguments, what the learner returned) of every call
        self.problem = self.data = None  # what is wrong, on which encoded arguments
        self.heading = "The smallest input found:"

    def passes(self, tier):
        """Whether no input of the tier fails. Otherwise the smallest failing one is kept."""

        @_SETTINGS
        @given(tier)
        def agree(arguments):
            data = marshal.dumps(encode(arguments))  # each of the two gets its own copy
            if problem := self._ask(data):
                self.problem, self.data = problem, data
                raise _Wrong

        try:
            agree()
        except (_Wrong, errors.Flaky):
            with contextlib.suppress(_Ended):
                if self._ask(self.data) != self.problem:
                    advice = "Does it draw random numbers, or remember earlier calls?"
                    self.problem = Problem(f"It answers the same input differently each time. {advice}")
        except _Ended as ended:
            if self.problem is None:  # else it ended while a smaller failing input was sought: keep the one found
                self.problem, self.heading = Problem(str(ended)), "The input:"
        return self.problem is None

    def _ask(self, data):
        expected, expected_gradients = self._evaluate(self.exercise.reference, data)
        try:
            reply = self.candidate.ask(data)
        except _Ended:
            if self.problem is None:
                self.data = data
            raise
        if reply.get("shortcut"):
            return Problem(f"It calls {reply['shortcut']}. Write it without: that function is the exercise.")
        problem = self._compare(data, reply, expected, expected_gradients)
        if problem and reply["printed"]:
            problem.printed = _shorten(reply["printed"])
        return problem

    def _compare(self, data, reply, expected, expected_gradients):
        if reply.get("error"):
            kind, message, line = reply["error"]
            return Problem(f"It raises {kind}: {message}".rstrip(": "), line=line)
        before = encode(self._arguments(data))[1]
        for name, old, new in zip(self.exercise.parameters, before, reply["arguments"][1], strict=True):
            if old != new:
                rows = ((f"{name} after", _show(decode(new))),)
                return Problem(f"It changes its argument {name}. Work on a copy: {name} = {name}.copy().", rows)
        got, gradients = decode(reply["value"]), decode(reply["gradients"])
        self.seen.append((data, got, gradients))
        names = self.exercise.results
        problem = difference(expected, got, names[0] if len(names) == 1 else names)
        if problem or not self.positions:
            return problem
        for name, ours, theirs in zip(self.exercise.gradient, expected_gradients, gradients, strict=True):
            if theirs is None:
                sentence = f"No gradient reaches {name}: .detach(), .item(), .numpy() or rounding cuts the graph."
                return Problem("The value is right. " + sentence, answered=True)
            problem = difference(ours, theirs, f"the gradient of {name}")
            if problem:
                problem.sentence = f"The value is right, its gradient is not. T{problem.sentence[1:]}"
                return problem
        return None

    def _arguments(self, data):
        arguments = decode(marshal.loads(data))
        return to_tensors(arguments) if self.exercise.tensors else arguments

    def _evaluate(self, function, data):
        return evaluate(function, self._arguments(data), self.positions)

    def report(self):
        """Word the verdict."""
        lines = [f"not right yet. {self.problem.sentence}".rstrip()]
        if self.data:
            lines.append(self.heading)
            arguments = map(_show, self._arguments(self.data))
            rows = [*zip(self.exercise.parameters, arguments, strict=True), *self.problem.rows]
            if self.problem.printed:
                rows.append(("printed", self.problem.printed))
            width = max(len(label) for label, _ in rows)
            for label, text in rows:
                lines.append(f"    {label:{width}}  " + text.replace("\n", "\n" + " " * (width + 6)))
        if self.problem.answered and (sentence := self._mistake()):
            lines.append(f"Likely mistake: {sentence}")
        return "\n".join(lines)

    def _mistake(self):
        """The sentence of the wrong answer that explains the failing input, and most of the others."""
        failing = next(case for case in reversed(self.seen) if case[0] == self.data)
        score = {
            sentence: sum(self._explains(function, *case) for case in self.seen[-50:])
            for function, sentence in self.exercise.wrongs.items()
            if self._explains(function, *failing)
        }
        return max(score, key=score.get, default=None)

    def _explains(self, function, data, got, gradients):
        try:
            value, slopes = self._evaluate(function, data)
        except Exception:
            return False
        # Encoded and back: the wrong answer as it would have come through the pipe.
        return not (
            difference(decode(encode(value)), got, "")
            or (gradients and difference(decode(encode(slopes)), gradients, ""))
        )


class _Candidate:
    """The process that runs the learner's function, with its limits."""

    def __init__(self, request, positions, tensors):
        context = multiprocessing.get_context(request.method)
        self.connection, theirs = context.Pipe()
        arguments = (theirs, request.payload, request.path, request.home, request.refused, positions, tensors)
        self.process = context.Process(target=candidate.answer, args=arguments)
        self.process.start()
        theirs.close()
        self.time_limit, self.memory_limit = request.time_limit, request.memory_limit
        self.deadline, self.loaded = time.monotonic() + START_LIMIT, False

    def ask(self, data):
        """Send the arguments and return the reply, or raise `_Ended`."""
        if not self.loaded:
            reply = self._exchange(None)
            self.deadline, self.loaded = time.monotonic() + self.time_limit, True
            if reply.get("error"):
                kind, message, _ = reply["error"]
                raise _Ended(f"What it uses could not be loaded in a fresh process: {kind}: {message}")
        return self._exchange(data)

    def _exchange(self, data):
        try:
            if data:
                self.connection.send_bytes(data)
            while not self.connection.poll(0.02):
                if _memory(self.process.pid) > self.memory_limit:
                    raise _Ended(f"It was stopped when it held more than {self.memory_limit / 2**30:g} GiB of memory.")
                self._enforce_time()
            self._enforce_time()  # many calls may each be quick
            return marshal.loads(self.connection.recv_bytes())
        except (EOFError, OSError, ValueError, TypeError):
            self.process.join(1)
            raise _Ended(_how_it_ended(self.process.exitcode)) from None

    def _enforce_time(self):
        if time.monotonic() > self.deadline:
            raise _Ended(f"It was stopped after {self.time_limit:g} seconds: an endless loop, or far too slow.")

    def close(self):
        """End the process and whatever it started."""
        kill_family(self.process.pid)
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):  # ended, or not yet in its own group
                os.killpg(self.process.pid, signal.SIGKILL)  # also what was orphaned
        self.process.join()
        self.connection.close()


def kill_family(pid):
    """End a process and those it started."""
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            process.kill()


def _family(pid):
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _memory(pid):
    total = 0
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _how_it_ended(code):
    if code is None:
        return "It broke the connection to the judge. Does it close files, or change modules?"
    if not 0 <= code < 256:
        name = signal.Signals(-code).name if code < 0 else hex(code)  # Windows has no signals
        return f"It crashed the Python process ({name}): recursion without an end, or a fault in compiled code."
    return f"It ended the Python process (exit code {code}). Return the result instead."


# --- comparing -------------------------------------------------------------------------------------------------------


def difference(expected, got, name):
    """Say how a result differs from ours.

    Parameters
    ----------
    expected, got : number, array, tensor, or list, tuple or dict of such
    name : str or list of str
        What the result is called; a list names the items of a tuple.

    Returns
    -------
    Problem or None
        None if they agree.
    """
    if got is None:
        label = name if isinstance(name, str) else ", ".join(name)
        return Problem(f"It returns None instead of {label}. Does every branch end in a return?", answered=True)
    if isinstance(expected, (tuple, list)):
        return _difference_of_items(expected, got, name)
    if isinstance(expected, dict):
        if not isinstance(got, dict) or set(got) != set(expected):
            return Problem(
                f"{name} must be a dict with the keys {', '.join(map(str, expected))}, not {_describe(got)}."
            )
        keys = list(expected)
        return _difference_of_items(
            [expected[k] for k in keys], [got[k] for k in keys], [f"{name}[{k!r}]" for k in keys]
        )
    return _difference_of_arrays(expected, got, name)


def _difference_of_items(expected, got, names):
    if isinstance(names, str):
        names = [f"{names}[{i}]" for i in range(len(expected))]
    if isinstance(got, np.ndarray) and got.ndim:
        got = list(got)
    if not isinstance(got, (tuple, list)) or len(got) != len(expected):
        held = f" of {len(got)}" if isinstance(got, (tuple, list)) else ""
        wanted = f"It must return {len(expected)} values, ({', '.join(names)})"
        return Problem(f"{wanted}; it returns {_describe(got)}{held}.", answered=True)
    for ours, theirs, name in zip(expected, got, names, strict=True):
        problem = difference(ours, theirs, name)
        if problem:
            return problem
    return None


def _difference_of_arrays(expected, got, name):
    if _is_tensor(expected):
        if not _is_tensor(got):
            return Problem(f"{name} must be a torch tensor, not {_describe(got)}.", answered=True)
        expected, got = expected.detach().numpy(), got.numpy()
    ours, theirs = np.asarray(expected), _as_array(got)
    allowed = "biuf" if ours.dtype.kind == "b" else "iuf"
    if theirs is None or theirs.dtype.kind not in allowed:
        return Problem(f"{name} must be {_describe(ours)}, not {_describe(got)}.", answered=True)
    rows = ("expected", _show(ours)), ("got", _show(theirs))
    if ours.shape != theirs.shape:
        return Problem(f"{name} must have shape {ours.shape}, not {theirs.shape}.", rows, answered=True)
    dtype = f" It holds {theirs.dtype}, ours {ours.dtype}." if _is_coarser(theirs.dtype, ours.dtype) else ""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    off = ~np.isclose(theirs, ours, rtol=RTOL, atol=ATOL, equal_nan=True)
    if not off.any():
        return None
    index = tuple(int(i) for i in np.argwhere(off)[0])
    digits = _digits(ours[index], theirs[index])
    rows = [(f"{name} expected", _show(ours, digits)), (f"{name} got", _show(theirs, digits))]
    if np.isnan(theirs).any() and not np.isnan(ours).any():
        sentence = f"{name} holds NaN."
        index = tuple(int(i) for i in np.argwhere(np.isnan(theirs))[0])
    else:
        sentence = f"{name} is wrong."
    if index:
        where = f"{name}[{', '.join(map(str, index))}]"
        entry = f"expected {ours[index]:.{digits}g}, got {theirs[index]:.{digits}g}"
        rows.append(("differs at", f"{where}: {entry} ({off.sum()} of {off.size} entries differ)"))
    return Problem(sentence + dtype, tuple(rows), answered=True)


def _is_tensor(value):
    return "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor)


def _as_array(value):
    """The value as an array, or None if it is not one."""
    if _is_tensor(value):
        return value.numpy()
    if isinstance(value, (Unknown, str, dict)):
        return None
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError):  # a ragged list
        return None


def _is_coarser(theirs, ours):
    return ours.kind == "f" and (theirs.kind != "f" or theirs.itemsize < ours.itemsize)


def _describe(value):
    """Name the type of a value."""
    if isinstance(value, Unknown):
        return f"a {value.name}"
    if isinstance(value, (np.ndarray, np.generic)) and not value.shape:
        return f"one {'number' if value.dtype.kind in 'iuf' else value.dtype}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    return f"a {type(value).__name__}"


def _digits(a, b):
    """The fewest digits with which the two numbers look different, at least 6."""
    return next((digits for digits in range(6, 17) if f"{a:.{digits}g}" != f"{b:.{digits}g}"), 17)


def _show(value, digits=6):
    """Write a value the way one would type it."""
    if _is_tensor(value):
        value = value.detach().numpy()
    if isinstance(value, (list, tuple)):
        inside = ", ".join(_show(item, digits) for item in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_show(item, digits)}" for key, item in value.items()) + "}"
    if isinstance(value, Unknown):
        return _describe(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.{digits}g}"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        return str(value)
    texts = [f"{number:.{digits}g}" for number in value.ravel()[:1000]]
    width = max(map(len, texts), default=0) if value.ndim > 1 else 0
    formatter = {"all": lambda number: f"{number:.{digits}g}".rjust(width)}
    return np.array2string(value, separator=", ", threshold=60, max_line_width=100, formatter=formatter)


def _shorten(text, lines=5):
    kept = text.splitlines()
    return "\n".join([line[:100] for line in kept[:lines]] + ["..."] * (len(kept) > lines))
