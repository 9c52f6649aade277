"""The examiner: draws inputs, asks the sandbox, compares with ours, and words the verdict.

The kernel starts one worker (`main`) as a fresh interpreter, which never runs a line of the learner's. For each check:

- Linux ("fork"): the worker forks an examiner, which forks the process of the learner's function. The imports are paid
  once, and whatever that process leaves behind is ended, even what has left its session.
- Windows and macOS ("spawn"): the worker examines by itself and starts a fresh interpreter for the learner's function,
  half a second a check. A process that detaches itself from it there outlives the check.

The worker ends when its input closes, which happens when the kernel ends in whatever way. The limits guard against
accidents, not against learners who mean to cheat: they cheat only themselves.
"""

import contextlib
import ctypes
import gc
import json
import marshal
import os
import pickle
import sys
import traceback
import warnings
from dataclasses import dataclass

import numpy as np
import psutil
from hypothesis import HealthCheck, Phase, Verbosity, errors, given, settings
from hypothesis.internal.conjecture.providers import HypothesisProvider

from .candidate import evaluate
from .comparison import Problem, difference, shorten, show
from .exercises import load
from .sandbox import Ended, Sandbox
from .wire import as_received, decode, encode, to_tensors
from .worker import ENDED

SETTINGS = settings(
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
_PR_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h


# --- the worker's side of the conversation ---------------------------------------------------------------------------


def main():
    """Answer the kernel's requests until it hangs up."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    warnings.simplefilter("ignore")  # the worker's stderr is the notebook
    draw_no_constants()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)  # orphans of a check become our children

    def say(message):
        print(json.dumps(message), file=replies, flush=True)

    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        say("taken")
        if request.method == "spawn":
            say(_reply(request, say))
        else:
            _reply_from_a_fork(request, say)


def draw_no_constants():
    """Keep hypothesis from drawing numbers that occur in the source of loaded modules.

    Inputs would depend on the exercises judged before, and it would keep the numbers in a folder beside the notebook.
    """
    if not hasattr(HypothesisProvider, "_maybe_draw_constant"):
        raise ImportError("hypothesis draws constants in another way now: see draw_no_constants in examiner.py")
    HypothesisProvider._maybe_draw_constant = lambda *args, **options: None


def _reply_from_a_fork(request, say):
    with contextlib.suppress(Exception):  # the fork meets the same error, and reports it
        _load(request.exercise_id)  # before the fork: imported once for all checks to come
    gc.freeze()  # or the collector's first round in a child would copy the pages of all that is imported
    child = os.fork()
    if child == 0:
        say(_reply(request, say))
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        say(ENDED)
    while orphans := psutil.Process().children():
        for orphan in orphans:
            orphan.kill()
            os.waitpid(orphan.pid, 0)


def _load(exercise_id):
    try:
        return load(exercise_id)
    finally:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)  # a process with threads cannot be forked


def _reply(request, say):
    try:
        return examine(_load(request.exercise_id), request, lambda: say("loaded"))
    except Exception:
        return {"error": traceback.format_exc()}


# --- one check -------------------------------------------------------------------------------------------------------


def examine(exercise, request, loaded):
    """Compare the learner's function with ours on every tier.

    Parameters
    ----------
    exercise : Exercise
    request : Request
    loaded : callable
        Called once the function is loaded and its time begins.

    Returns
    -------
    dict
        ``passed``; ``message``, what the learner reads; ``line``, (file, line) of the learner's that failed, or None;
        ``tried``, the number of inputs; ``stopped``, whether a limit or a crash ended it.
    """
    examiner = _Examiner(exercise, request)
    try:
        with np.errstate(all="ignore"):
            examiner.run(loaded)
            passed = examiner.problem is None
            message = "right. It agrees with ours on every input tried." if passed else examiner.report()
            outcome = {"passed": passed, "message": message, "line": None if passed else examiner.problem.line}
            return outcome | {"tried": examiner.tried, "stopped": examiner.stopped}
    finally:
        examiner.sandbox.close()


@dataclass
class _Call:
    """One input and what the learner's function made of it; `answered` is False where it raised or ended instead."""

    data: bytes
    wrong: bool
    answered: bool = False
    value: object = None
    gradients: list | None = None


class _Wrong(Exception):
    """Tells hypothesis that an input fails."""


class _Examiner:
    def __init__(self, exercise, request):
        self.exercise = exercise
        self.positions = [exercise.parameters.index(name) for name in exercise.gradient]
        self.sandbox = Sandbox(request, self.positions, exercise.tensors, exercise.overflow)
        self.calls = []
        self.problem = self.data = None  # what is wrong, on which encoded arguments
        self.tried, self.stopped = 0, False
        self.heading = "The smallest input found:"

    def run(self, loaded):
        """Try every tier until an input fails; the smallest such input is kept, with what is wrong."""
        try:
            self.sandbox.load()
        except Ended as ended:
            self.problem, self.stopped = Problem(str(ended)), True
            return
        loaded()
        for tier in self.exercise.tiers:
            self._try(tier)
            if self.problem:
                return

    def _try(self, tier):
        @SETTINGS
        @given(tier)
        def agree(arguments):
            data = marshal.dumps(encode(arguments))  # each of the two gets its own copy
            if problem := self._ask(data):
                self.problem, self.data = problem, data
                raise _Wrong

        try:
            agree()
        except (_Wrong, errors.Flaky):
            with contextlib.suppress(Ended):
                if self._ask(self.data) != self.problem:
                    advice = "Does it draw random numbers, or remember earlier calls?"
                    self.problem = Problem(f"It answers the same input differently each time. {advice}")
        except Ended as ended:
            if self.problem is None:  # else it ended while a smaller failing input was sought: keep the one found
                self.problem, self.heading, self.stopped = Problem(str(ended)), "The input:", True

    def _ask(self, data):
        """What is wrong with the learner's answer to an input, or None."""
        expected, slopes = map(as_received, self._evaluate(self.exercise.reference, data))
        if self.problem is None:
            self.data = data
            self.tried += 1
        reply = self.sandbox.ask(data)
        call = _Call(data, wrong=True)
        self.calls.append(call)
        if reply.get("shortcut"):
            return Problem(f"It calls {reply['shortcut']}. Write it without: that function is the exercise.")
        if problem := self._mishap(data, reply):
            problem.printed = shorten(reply["printed"])
            return problem
        call.answered, call.value, call.gradients = True, reply["value"], reply["gradients"]
        problem = self._difference(expected, slopes, call)
        call.wrong = problem is not None
        if problem and reply["printed"]:
            problem.printed = shorten(reply["printed"])
        return problem

    def _mishap(self, data, reply):
        """An error, or a changed argument."""
        if reply.get("error"):
            kind, message, line = reply["error"]
            return Problem(f"It raises {kind}: {message}".rstrip(": "), line=line)
        before, copy = encode(self._arguments(data))[1], "clone" if self.exercise.tensors else "copy"
        for name, old, new in zip(self.exercise.parameters, before, reply["arguments"][1], strict=True):
            if old != new:
                rows = ((f"{name} after", show(decode(new))),)
                return Problem(f"It changes its argument {name}. Work on a copy: {name} = {name}.{copy}().", rows)
        return None

    def _difference(self, expected, slopes, call):
        names = self.exercise.results
        problem = difference(expected, call.value, names[0] if len(names) == 1 else names)
        if problem or not self.positions:
            return problem
        if call.gradients is None:
            return Problem(f"{names[0]} must be a torch tensor: its gradient is compared too.")
        for name, ours, theirs in zip(self.exercise.gradient, slopes, call.gradients, strict=True):
            if theirs is None and (ours is None or not ours.any()):  # flat here: no gradient says the same
                continue
            if theirs is None:
                sentence = f"No gradient reaches {name}: .detach(), .item(), .numpy() or rounding cuts the graph."
                return Problem("The value is right. " + sentence, answered=True)
            ours = np.zeros(theirs.shape) if ours is None else ours
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

    # --- the verdict in words ----------------------------------------------------------------------------------------

    def report(self):
        """Word what is wrong."""
        lines = [f"not right yet. {self.problem.sentence}".rstrip()]
        if self.data:
            lines.append(self.heading)
            arguments = map(show, decode(marshal.loads(self.data)))
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
        """The sentence of the kept wrong answer that does the same as the learner's on every input, if it is one."""
        if not self._gather_evidence():
            return None
        evidence = sorted(self.calls, key=lambda call: not call.wrong)  # what tells most comes first
        same = [
            sentence
            for function, sentence in self.exercise.wrongs.items()
            if all(self._does_the_same(function, call) for call in evidence)
        ]
        return same[0] if len(same) == 1 else None

    def _gather_evidence(self):
        """Ask a few more inputs of every tier: shrinking stays near one input. Whether there was an answer to each."""
        for tier in self.exercise.tiers:

            @settings(SETTINGS, max_examples=20, phases=[Phase.generate])
            @given(tier)
            def ask(arguments):
                self._ask(marshal.dumps(encode(arguments)))

            try:
                ask()
            except Ended:
                return False
        return True

    def _does_the_same(self, function, call):
        try:
            value, slopes = map(as_received, self._evaluate(function, call.data))
        except Exception:
            return not call.answered
        if not call.answered or difference(value, call.value, ""):
            return False
        pairs = zip(slopes or (), call.gradients or (), strict=True)
        return not any((ours is None) != (theirs is None) or _differ(ours, theirs) for ours, theirs in pairs)


def _differ(ours, theirs):
    return ours is not None and difference(ours, theirs, "") is not None
