"""The judge finds what is wrong and says so, and nothing that a learner writes hurts the process that asks."""

import contextlib
import ctypes
import functools
import itertools
import linecache
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import types

import numpy as np
import psutil
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from sklearn.metrics import roc_auc_score as borrowed

from helpers.algorithms import metrics
from helpers.interview import comparison, examiner, exercises, judge, worker
from helpers.interview.exercises import load

from . import gradient_examples

AUC = "metrics/roc_auc"
RIGHT = "right. It agrees with ours on every input tried."


class FakeProgress:
    def __init__(self):
        self.events = []

    def record_attempt(self, exercise_id, event):
        self.events.append((exercise_id, event))

    def attempts(self, exercise_id):
        return [event for which, event in self.events if which == exercise_id]


@pytest.fixture(autouse=True)
def progress(monkeypatch):
    fake = FakeProgress()
    monkeypatch.setattr(judge, "_progress", lambda: fake)
    return fake


class Notebook:
    """Runs cells as a kernel does: each its own file, one namespace called __main__."""

    def __init__(self):
        self.names = {"__name__": "__main__"}

    def run(self, source):
        source = textwrap.dedent(source)
        file = f"<cell {len(linecache.cache)}>"
        linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
        exec(compile(source, file, "exec"), self.names)
        return self.names


def cell(function):
    """Make a function of this file look as if it was written in a notebook: pickled by value."""
    function.__module__ = "__main__"
    return function


@cell
def good(y_true, y_score):
    positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]
    return np.mean(positive > negative) + np.mean(positive == negative) / 2


# --- right and wrong -------------------------------------------------------------------------------------------------


def test_right_answer_gets_a_stable_line(progress):
    first, second = judge.check(AUC, good), judge.check(AUC, good)
    assert first.passed
    assert first == second
    assert repr(first) == f"{AUC}: {RIGHT}"
    assert progress.events == [(AUC, "passed")] * 2


def test_auc_that_ignores_ties_is_answered_with_at_most_4_scores(progress):
    @cell
    def ties_ignored(y_true, y_score):
        positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]
        return np.mean(positive > negative)

    verdict = judge.check(AUC, ties_ignored)
    assert not verdict.passed
    scores = re.search(r"y_score +\[(.*)\]", verdict.message)[1].split(", ")
    assert 2 <= len(scores) <= 4
    assert re.search(r"auc expected +0\.5\n +auc got +0\n", verdict.message)
    assert "A tie between a positive and a negative counts one half. Here it counts nothing." in verdict.message
    assert progress.events == [(AUC, "failed")]


def test_same_message_in_every_run():
    wrong = next(iter(load("metrics/roc_curve").wrongs))
    first = judge.check("metrics/roc_curve", wrong)
    judge._worker.close()
    assert judge.check("metrics/roc_curve", wrong) == first


def test_leaves_no_files(tmp_path, monkeypatch):
    judge._worker.close()
    monkeypatch.chdir(tmp_path)
    assert judge.check(AUC, good).passed
    judge._worker.close()
    assert list(tmp_path.iterdir()) == []


def test_says_where_results_differ():
    @cell
    def slightly_off(y_true, y_score):
        thresholds = np.r_[np.inf, np.unique(y_score)[::-1]]
        called = y_score >= thresholds[:, None]
        tpr = called[:, y_true == 1].mean(axis=1)
        tpr[-1] += 1e-5
        return called[:, y_true == 0].mean(axis=1), tpr, thresholds

    message = judge.check("metrics/roc_curve", slightly_off).message
    assert "tpr[1]: expected 1, got 1.00001 (1 of 2 entries differ)" in message


def test_likely_mistake_is_told_only_where_it_explains_everything():
    @cell
    def ties_lost_and_a_little_more(y_true, y_score):
        return (
            good(y_true, y_score) - (1e-3 if y_score.max() > 10 else 0) - np.isin(y_score[y_true == 1], y_score[0])[0]
        )

    assert "Likely mistake" not in judge.check(AUC, ties_lost_and_a_little_more).message
    for function, sentence in load(AUC).wrongs.items():
        assert f"Likely mistake: {sentence}" in judge.check(AUC, cell(copy_of(function))).message


def copy_of(function):
    """A function with the code of a kept one, and a name of its own."""
    return types.FunctionType(function.__code__, function.__globals__, "copy")


# --- what learners do to a judge -------------------------------------------------------------------------------------


@cell
def endless(y_true, y_score):
    while True:
        pass


@cell
def endless_under_bare_except(y_true, y_score):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            pass


@cell
def endless_in_compiled_code(y_true, y_score):
    return sum(itertools.repeat(0))


@cell
def asleep(y_true, y_score):
    time.sleep(1000)


@pytest.mark.parametrize("function", [endless, endless_under_bare_except, endless_in_compiled_code, asleep])
def test_endless_loop(function, monkeypatch):
    monkeypatch.setattr(judge, "TIME_LIMIT", 0.5)
    start = time.monotonic()
    message = judge.check(AUC, function).message
    assert "It was stopped after 0.5 seconds: an endless loop, or far too slow." in message
    assert "y_score" in message
    assert time.monotonic() - start < 5


def test_many_quick_calls_are_too_slow_as_well(monkeypatch):
    @cell
    def slow(y_true, y_score):
        time.sleep(0.01)
        return good(y_true, y_score)

    monkeypatch.setattr(judge, "TIME_LIMIT", 0.3)
    assert "It was stopped after 0.3 seconds" in judge.check(AUC, slow).message


def test_hunger_for_memory(monkeypatch):
    @cell
    def hungry(y_true, y_score):
        return np.ones(500_000_000)  # 4 GB

    monkeypatch.setattr(judge, "MEMORY_LIMIT", 2**29)
    assert "It was stopped when it held more than 0.5 GiB of memory." in judge.check(AUC, hungry).message


def test_wrong_answer_is_told_although_a_later_call_loops(monkeypatch):
    @cell
    def loops_later(y_true, y_score, calls=[]):  # noqa: B006
        calls.append(1)
        while len(calls) > 3:
            pass
        return -1.0

    monkeypatch.setattr(judge, "TIME_LIMIT", 0.5)
    assert re.search(r"auc is wrong.*\n.*\n.*\n.*\n.*\n +auc got +-1", judge.check(AUC, loops_later).message)


@cell
def hard_exit(y_true, y_score):
    os._exit(0)


@cell
def segfault(y_true, y_score):
    ctypes.string_at(0)


@cell
def soft_exit(y_true, y_score):
    sys.exit(3)


@cell
def deep(y_true, y_score):
    return deep(y_true, y_score)


@cell
def deeper(y_true, y_score):
    sys.setrecursionlimit(10**9)

    class Nested:
        def __repr__(self):
            return repr(self)  # through C, so that the stack of the process overflows

    return repr(Nested())


@cell
def ends_its_parent(y_true, y_score):
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(1000)


@cell
def closes_files(y_true, y_score):
    os.closerange(0, 100)


@cell
def closes_files_and_sleeps(y_true, y_score):
    os.closerange(0, 1000)
    time.sleep(1000)


@cell
def forges_bytes(y_true, y_score):
    for descriptor in range(3, 20):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\x7f\xff\xff\xff" + b"x" * 100)
    time.sleep(1000)


@cell
def begins_a_message_without_an_end(y_true, y_score):
    for descriptor in range(3, 20):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\x00\x00\xff\xff" + b"x" * 100)
    time.sleep(1000)


@cell
def stops_its_parent(y_true, y_score):
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(1000)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
@pytest.mark.parametrize(
    "function", [closes_files_and_sleeps, forges_bytes, begins_a_message_without_an_end, stops_its_parent]
)
def test_what_breaks_the_conversation_costs_no_more_than_the_time_limit(function, monkeypatch):
    monkeypatch.setattr(judge, "TIME_LIMIT", 1.0)
    judge.check(AUC, returns_nothing)
    start = time.monotonic()
    assert not judge.check(AUC, function).passed
    assert time.monotonic() - start < 6
    assert judge.check(AUC, good).passed


@cell
def returns_nothing(y_true, y_score):
    y_score.mean()


@cell
def returns_an_array(y_true, y_score):
    return np.array([0.5])


@cell
def returns_a_huge_array(y_true, y_score):
    return np.zeros((1000, 1000))


@cell
def returns_nan(y_true, y_score):
    return np.nan


@cell
def returns_text(y_true, y_score):
    return "0.5"


@cell
def returns_complex(y_true, y_score):
    return 0.5 + 0j


@cell
def returns_a_function(y_true, y_score):
    return lambda: 0.5


@cell
def returns_what_equals_everything(y_true, y_score):
    class Chameleon(float):
        def __eq__(self, other):
            return True

        def __sub__(self, other):
            return 0.0

        __hash__ = None

    return Chameleon(7)


@cell
def sorts_its_input(y_true, y_score):
    y_score.sort()
    return 0.5


@cell
def random_answer(y_true, y_score):
    return np.random.default_rng().random()


@cell
def remembers(y_true, y_score, calls=[]):  # noqa: B006
    calls.append(y_score)
    return good(y_true, y_score) + (len(calls) == 30)


@cell
def raises(y_true, y_score):
    return {}["auc"]


@cell
def prints_a_lot(y_true, y_score):
    for i in range(20_000):  # a few calls are made: 200,000 lines and more
        print("line", i)
    return -1.0


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (hard_exit, r"It ended the Python process \(exit code 0\)\."),
        (segfault, r"It crashed the Python process \(SIGSEGV\)"),
        (soft_exit, r"It raises SystemExit: 3"),
        (deep, r"It raises RecursionError: maximum recursion depth exceeded"),
        (deeper, r"It crashed the Python process \(SIGSEGV\)|It was stopped when it held|It raises"),
        (ends_its_parent, r"The judge's process was ended while your function ran"),
        (closes_files, r"It ended the Python process|It broke the connection"),
        (returns_nothing, r"It returns None instead of auc\. Does every branch end in a return\?"),
        (returns_an_array, r"auc must have shape \(\), not \(1,\)\."),
        (returns_a_huge_array, r"auc must have shape \(\), not \(1000, 1000\)\."),
        (returns_nan, r"auc holds NaN\."),
        (returns_text, r"auc must be one number, not a str\."),
        (returns_complex, r"auc must be one number, not a complex\."),
        (returns_a_function, r"auc must be one number, not a function\."),
        (returns_what_equals_everything, r"auc must be one number, not a Chameleon\."),
        (sorts_its_input, r"It changes its argument y_score\. Work on a copy: y_score = y_score\.copy\(\)\."),
        (random_answer, r"It answers the same input differently each time\."),
        (remembers, r"It answers the same input differently each time\."),
        (raises, r"It raises KeyError: 'auc'"),
        (prints_a_lot, r"auc is wrong\.(.|\n)*printed +line 0\n +line 1\n(.|\n)*\.\.\."),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_mistake_has_its_message_and_the_kernel_survives(function, said, capfd):
    if judge._worker.process is None:
        judge.check(AUC, returns_nothing)
    before = judge._worker.process.pid
    verdict = judge.check(AUC, function)
    assert not verdict.passed
    assert re.search(said, verdict.message), verdict.message
    assert len(verdict.message) < 800
    assert judge._worker.process.pid == before  # not even the worker was hurt
    assert capfd.readouterr() == ("", "")


@cell
def returns_a_tensor(y_true, y_score):
    import torch

    return torch.tensor(0.25, dtype=torch.float64)


@cell
def returns_a_half(y_true, y_score):
    import torch

    return torch.tensor([0.25], dtype=torch.bfloat16)


@cell
def returns_a_sparse_tensor(y_true, y_score):
    import torch

    return torch.eye(2).to_sparse()


@cell
def returns_a_list_that_holds_itself(y_true, y_score):
    endless = []
    endless.append(endless)
    return endless


@cell
def returns_what_fails_when_looked_at(y_true, y_score):
    class Trap(list):
        def __len__(self):
            raise RuntimeError

    return Trap()


@cell
def raises_half_a_character(y_true, y_score):
    raise ValueError("\ud800")


@cell
def raises_an_error_without_text(y_true, y_score):
    class Mute(Exception):
        def __str__(self):
            sys.exit()

    raise Mute


ODD = {
    "numpy_keys": lambda y_true, y_score: {np.int64(1): 2.0, np.float64(0.5): 1},
    "array_keys": lambda y_true, y_score: {(1, 2): 3},
    "void": lambda y_true, y_score: np.zeros(2, "V0"),
    "record": lambda y_true, y_score: np.zeros(2, "i4,f8"),
    "dates": lambda y_true, y_score: np.zeros(2, "M8[s]"),
    "texts": lambda y_true, y_score: np.array(["a", "b"]),
    "objects": lambda y_true, y_score: np.array([None, {}], dtype=object),
    "masked": lambda y_true, y_score: np.ma.masked_array([1.0, 2.0], [0, 1]),
    "beyond": lambda y_true, y_score: 10**400,
    "generator": lambda y_true, y_score: (x for x in y_score),
    "ragged": lambda y_true, y_score: [[1], [2, 3]],
    "type": lambda y_true, y_score: np.float64,
    "long": lambda y_true, y_score: np.longdouble(0.25),
}


@pytest.mark.parametrize("name", ["metrics/roc_auc", "metrics/roc_curve", "boxes/box_iou"])
@pytest.mark.parametrize(
    "function",
    [
        returns_a_tensor,
        returns_a_half,
        returns_a_sparse_tensor,
        returns_a_list_that_holds_itself,
        returns_what_fails_when_looked_at,
        raises_half_a_character,
        raises_an_error_without_text,
        *map(cell, ODD.values()),
    ],
    ids=lambda function: getattr(function, "__name__", ""),
)
def test_nothing_that_a_function_returns_fails_the_judge(name, function):
    verdict = judge.check(name, function)
    assert not verdict.passed
    verdict.message.encode()


@pytest.mark.parametrize("kind", [torch.tensor, list, np.float64, lambda value: np.array(value, dtype=object)])
def test_a_number_may_come_as_a_tensor_or_an_array(kind):
    notebook = Notebook()
    notebook.names |= {"good": good, "torch": torch, "kind": float if kind is list else kind}
    names = notebook.run("def roc_auc(y_true, y_score): return kind(good(y_true, y_score))")
    assert judge.check(AUC, names["roc_auc"]).passed


def test_missing_item_of_a_tuple():
    @cell
    def two_of_three(y_true, y_score):
        return [0, 1], [0, 1]

    message = judge.check("metrics/roc_curve", two_of_three).message
    assert "It must return 3 values, (fpr, tpr, thresholds); it returns a tuple of 2." in message


def test_prints_do_not_matter_to_a_right_answer():
    @cell
    def chatty(y_true, y_score):
        os.write(1, b"from below\n")
        for i in range(2_000):
            print(i, file=(sys.stdout, sys.stderr)[i % 2])
        return good(y_true, y_score)

    assert judge.check(AUC, chatty).message == f"{AUC}: {RIGHT}"


def test_what_a_function_started_is_ended():
    @cell
    def starts_a_process(y_true, y_score):
        started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        print("started", started.pid)

    pid = int(re.search(r"started (\d+)", judge.check(AUC, starts_a_process).message)[1])
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets orphans be adopted")
def test_what_left_the_session_is_ended_too():
    @cell
    def leaves(y_true, y_score):
        code = (
            "import os, time; os.fork() and os._exit(0); os.setsid(); print(os.getpid(), flush=True); time.sleep(1000)"
        )
        started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        print("started", started.stdout.readline())

    pid = int(re.search(r"started (\d+)", judge.check(AUC, leaves).message)[1])
    assert judge.check(AUC, good).passed  # the round before has been cleared up by now
    assert not psutil.pid_exists(pid)


@cell
def asks_the_keyboard(y_true, y_score):
    return float(input("the area? "))


def test_nobody_types_and_output_is_no_terminal():
    assert "It raises EOFError: nobody types while the judge runs" in judge.check(AUC, asks_the_keyboard).message

    @cell
    def looks_at_the_terminal(y_true, y_score):
        return good(y_true, y_score) + sys.stdout.isatty() + sys.stdin.isatty()

    assert judge.check(AUC, looks_at_the_terminal).passed


def test_imports_do_not_count_towards_the_time(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(1.5)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(judge, "TIME_LIMIT", 1.0)
    names = Notebook().run("""
        import numpy as np

        def pairs(y_true, y_score):
            import slow_to_import
            positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]
            return np.mean(positive > negative) + np.mean(positive == negative) / 2

        def roc_auc(y_true, y_score):
            return pairs(y_true, y_score)
    """)
    assert judge.check(AUC, names["roc_auc"]).passed


def test_error_names_the_learners_line():
    names = Notebook().run("""
        import numpy as np

        def roc_auc(y_true, y_score):
            chosen = y_score[y_true == 2]
            return np.max(chosen)  # of nothing
    """)
    message = judge.check(AUC, names["roc_auc"]).message
    assert "It raises ValueError: zero-size array to reduction operation maximum" in message
    assert message.endswith("It happens in line 6: return np.max(chosen)  # of nothing")


# --- shortcuts and tricks --------------------------------------------------------------------------------------------

ALIASES = {"auc": borrowed}
FROM_A_PARTIAL = functools.partial(borrowed)


@cell
def by_attribute(y_true, y_score):
    return sklearn_metrics.roc_auc_score(y_true, y_score)


@cell
def by_name(y_true, y_score):
    return borrowed(y_true, y_score)


@cell
def by_import(y_true, y_score):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(y_true, y_score)


@cell
def by_assembled_name(y_true, y_score):
    return getattr(sklearn_metrics, "roc_auc" + "_score")(y_true, y_score)


@cell
def by_container(y_true, y_score):
    return ALIASES["auc"](y_true, y_score)


@cell
def by_partial(y_true, y_score):
    return FROM_A_PARTIAL(y_true, y_score)


@cell
def by_another_function(y_true, y_score):
    return by_name(y_true, y_score)


@cell
def by_ours(y_true, y_score):
    return metrics.roc_auc_score(y_true, y_score)


@cell
def by_our_curve(y_true, y_score):
    fpr, tpr, _ = metrics.roc_curve(y_true, y_score)
    return np.trapezoid(tpr, fpr)


@cell
def hidden_by_except(y_true, y_score):
    try:
        return sklearn_metrics.roc_auc_score(y_true, y_score)
    except BaseException:
        return good(y_true, y_score)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (borrowed, "sklearn.metrics.roc_auc_score"),
        (functools.partial(borrowed), "sklearn.metrics.roc_auc_score"),
        (by_attribute, "sklearn.metrics.roc_auc_score"),
        (by_name, "sklearn.metrics.roc_auc_score"),
        (by_import, "sklearn.metrics.roc_auc_score"),
        (by_assembled_name, "sklearn.metrics.roc_auc_score"),
        (by_container, "sklearn.metrics.roc_auc_score"),
        (by_partial, "sklearn.metrics.roc_auc_score"),
        (by_another_function, "sklearn.metrics.roc_auc_score"),
        (by_ours, "helpers.algorithms.metrics.roc_auc_score"),
        (by_our_curve, "helpers.algorithms.metrics.roc_curve"),
        (hidden_by_except, "sklearn.metrics.roc_auc_score"),
    ],
    ids=lambda value: getattr(value, "__name__", "partial") if callable(value) else "",
)
def test_shortcut_is_refused_by_name(function, name):
    verdict = judge.check(AUC, function)
    assert not verdict.passed
    assert re.search(rf"It (uses|calls) {re.escape(name)}\. Write it without", verdict.message), verdict.message


def test_own_function_may_bear_a_forbidden_name():
    names = Notebook().run("""
        import numpy as np

        def roc_auc_score(y_true, y_score):
            positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]
            return np.mean(positive > negative) + np.mean(positive == negative) / 2

        def roc_auc(y_true, y_score):
            return roc_auc_score(y_true, y_score)
    """)
    assert judge.check(AUC, names["roc_auc"]).passed


def test_judge_is_not_fooled_by_a_patched_kernel(monkeypatch):
    def always(*args, **kwargs):
        return True

    for module, name in [(np, "allclose"), (np, "isclose"), (np, "array_equal"), (torch, "allclose"), (torch, "equal")]:
        monkeypatch.setattr(module, name, always)
    monkeypatch.setattr(metrics, "roc_auc_score", lambda y_true, y_score: 7.0)
    monkeypatch.setattr(metrics, "_scores", always)
    assert not judge.check(AUC, cell(lambda y_true, y_score: 7.0)).passed
    assert judge.check(AUC, good).passed


def test_judge_is_not_fooled_by_a_function_that_patches():
    @cell
    def patches(y_true, y_score):
        from helpers.interview import comparison as there
        from helpers.interview.exercises import load as find

        for name in ("allclose", "isclose", "asarray", "searchsorted", "argwhere"):
            setattr(np, name, lambda *args, **kwargs: np.ones(1, dtype=bool))
        there.difference = lambda *args: None
        there.RTOL = np.inf
        object.__setattr__(find("metrics/roc_auc"), "reference", lambda *args: 7.0)
        return 7.0

    assert not judge.check(AUC, patches).passed


# --- functions of several cells --------------------------------------------------------------------------------------


def test_function_may_use_what_other_cells_define():
    notebook = Notebook()
    notebook.run("import numpy as np\nfrom functools import partial\nHALF = 1 / 2")
    notebook.run("""
        class Pairs:
            def __init__(self, positive, negative):
                self.gap = positive[:, None] - negative

            def score(self):
                return np.mean(self.gap > 0) + HALF * np.mean(self.gap == 0)
    """)
    names = notebook.run("""
        def split(y_true, y_score):
            return y_score[y_true == 1], y_score[y_true == 0]

        def build(splitter):
            def roc_auc(y_true, y_score):
                return Pairs(*splitter(y_true, y_score)).score()
            return roc_auc

        closure = build(split)

        def with_option(make, y_true, y_score):
            return make(split)(y_true, y_score)

        bound = partial(with_option, build)
    """)
    assert judge.check(AUC, names["closure"]).passed
    assert judge.check(AUC, names["bound"]).passed


def test_function_may_be_cached():
    names = Notebook().run("""
        import functools
        import numpy as np

        @functools.cache
        def factorial(n):
            return n * factorial(n - 1) if n else 1

        @functools.lru_cache(maxsize=3)
        def half(x):
            return x / factorial(2)

        def roc_auc(y_true, y_score):
            positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]
            return np.mean(positive > negative) + half(np.mean(positive == negative))
    """)
    assert judge.check(AUC, names["roc_auc"]).passed


LOCK = threading.Lock()
HEAP = np.zeros(10_000_000)


@cell
def takes_the_lock(y_true, y_score):
    with LOCK:
        return 0.5


@cell
def uses_one_that_takes_the_lock(y_true, y_score):
    return takes_the_lock(y_true, y_score)


@cell
def carries_a_heap(y_true, y_score):
    return HEAP[0]


def test_global_that_cannot_be_sent_is_named():
    for function in (takes_the_lock, uses_one_that_takes_the_lock):
        message = judge.check(AUC, function).message
        assert "It cannot be sent to the judge: LOCK, a lock, cannot be pickled" in message
    message = judge.check(AUC, carries_a_heap).message
    assert "It cannot be sent to the judge: HEAP holds more than 50 MB." in message


# --- before anything runs --------------------------------------------------------------------------------------------


def stub_of_dots(y_true, y_score):
    """Area under the curve."""
    ...  # noqa: PIE790


def stub_of_a_docstring(y_true, y_score):
    """Area under the curve."""


def stub_of_pass(y_true, y_score):
    pass


def stub_that_raises(y_true, y_score):
    """Area under the curve."""
    raise NotImplementedError("write me")


@pytest.mark.parametrize("stub", [stub_of_dots, stub_of_a_docstring, stub_of_pass, stub_that_raises])
def test_stub_gets_one_line_without_a_process_or_a_record(stub, monkeypatch, progress):
    monkeypatch.setattr(judge._worker, "ask", lambda request: pytest.fail("a process was asked"))
    verdict = judge.check(AUC, stub)
    assert not verdict.passed
    expected = 'not written yet. Fill in roc_auc(y_true, y_score) -> auc; hint("metrics/roc_auc") helps.'
    assert repr(verdict) == f"{AUC}: {expected}"
    assert progress.events == []


def test_unknown_id_names_close_matches():
    with pytest.raises(ValueError, match=r"no exercise is called 'metrics/roc_acu'; did you mean metrics/roc_auc"):
        judge.check("metrics/roc_acu", good)
    for nonsense in ("", "nowhere/x", "__init__/x", None, 3):
        with pytest.raises(ValueError, match="no exercise is called"):
            judge.hint(nonsense)


def test_result_instead_of_function():
    with pytest.raises(
        TypeError, match=r"pass the function itself, not its result: check\('metrics/roc_auc', roc_auc\)"
    ):
        judge.check(AUC, 0.5)


def test_wrong_parameters():
    with pytest.raises(TypeError, match=r"callable as roc_auc\(y_true, y_score\) -> auc; yours takes \(y_true\)"):
        judge.check(AUC, lambda y_true: 0.5)


# --- hints and the solution ------------------------------------------------------------------------------------------


def test_three_hints_then_the_solution(progress):
    hints = load(AUC).hints
    for number, text in enumerate(hints, 1):
        assert repr(judge.hint(AUC)) == f"{AUC}: hint {number} of 3. {text}"
    assert repr(judge.hint(AUC)) == f'{AUC}: these were all hints. solution("{AUC}") shows an answer.'
    assert progress.attempts(AUC) == ["hint"] * 3
    shown = repr(judge.solution(AUC))
    assert "def roc_auc(y_true, y_score):" in shown
    assert "def roc_auc_score(y_true, y_score, *, sample_weight=None):" in shown
    assert progress.attempts(AUC)[-1] == "solution"
    assert "hint 1 of 3" in judge.hint(AUC)


def test_hints_start_over_after_a_pass(progress):
    progress.events = [(AUC, event) for event in ("hint", "hint", "failed", "passed", "hint", "failed")]
    assert "hint 2 of 3" in judge.hint(AUC)


def test_damaged_progress_does_not_cost_the_verdict(monkeypatch):
    def broken():
        raise RuntimeError("progress.sqlite3 is damaged.")

    monkeypatch.setattr(judge, "_progress", broken)
    verdict = judge.check(AUC, good)
    assert verdict.passed
    assert verdict.message == f"{AUC}: {RIGHT}\nNot recorded: progress.sqlite3 is damaged."
    assert judge.hint(AUC).endswith("\nNot recorded: progress.sqlite3 is damaged.")


# --- the worker ------------------------------------------------------------------------------------------------------


def test_killed_worker_is_replaced():
    judge.check(AUC, returns_nothing)
    first = judge._worker.process.pid
    psutil.Process(first).kill()
    assert judge.check(AUC, good).passed
    assert judge._worker.process.pid != first


def test_interrupt_ends_the_check_and_the_next_one_works():
    judge.check(AUC, returns_nothing)
    family = []

    def interrupt():
        family.extend(psutil.Process(judge._worker.process.pid).children(recursive=True))
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        judge.check(AUC, endless)
    timer.join()
    assert family
    assert not psutil.wait_procs(family, timeout=5)[1]
    assert judge.check(AUC, good).passed


def test_a_judge_that_cannot_start_does_not_blame_the_function(monkeypatch):
    monkeypatch.setattr(judge, "_worker", worker.Worker([sys.executable, "-c", "raise SystemExit(1)"]))
    with pytest.raises(RuntimeError, match="the judge's process does not start"):
        judge.check(AUC, good)


def test_a_hypothesis_that_draws_in_another_way_is_noticed(monkeypatch):
    class Changed:
        pass

    monkeypatch.setattr(examiner, "HypothesisProvider", Changed)
    with pytest.raises(ImportError, match="hypothesis draws constants in another way"):
        examiner.draw_no_constants()


def test_worker_ends_with_the_kernel():
    code = """
        import os, time
        from helpers.interview import judge
        judge._worker.ask(judge.Request("metrics/roc_auc", b"", "", [], [], (), 1, 2**30, judge._METHOD))
        print(judge._worker.process.pid, flush=True)
        time.sleep(1000)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kernel:
        orphan = psutil.Process(int(kernel.stdout.readline()))
        assert orphan.is_running()
        kernel.kill()
    psutil.wait_procs([orphan], timeout=5)
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_spawn_says_the_same(monkeypatch):
    functions = [good, by_import]
    forked = [judge.check(AUC, function) for function in functions]
    monkeypatch.setattr(judge, "_METHOD", "spawn")
    assert [judge.check(AUC, function) for function in functions] == forked
    monkeypatch.setattr(judge, "TIME_LIMIT", 0.5)
    assert "It was stopped after 0.5 seconds" in judge.check(AUC, endless_under_bare_except).message


# --- gradients -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gradient_judge():
    """A worker that knows the exercises of gradient_examples, on this side and on the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercises, "_of_topic", lambda stem: gradient_examples.EXERCISES)
        patch.setattr(judge, "_worker", worker.Worker([sys.executable, gradient_examples.__file__]))
        yield
        judge._worker.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("half_detached", "The value is right, its gradient is not. The gradient of prediction is wrong."),
        ("cut", "The value is right. No gradient reaches prediction"),
        ("to_number", "loss must be a torch tensor: its gradient is compared too."),
        ("in_place", "It changes its argument target. Work on a copy: target = target.clone()."),
    ],
)
def test_what_is_wrong_with_a_gradient_is_told(name, said, gradient_judge):
    verdict = judge.check("losses/smooth_l1", getattr(gradient_examples, name))
    assert said in verdict.message
    assert not verdict.passed


@pytest.mark.parametrize("exercise", gradient_examples.EXERCISES, ids=lambda exercise: exercise.id)
def test_values_and_gradients_of_tensors_are_compared(exercise, gradient_judge):
    for function in (exercise.reference, *exercise.rights):
        passed, message = judge._judge(exercise, function, refused=())
        assert passed, message
    for function, sentence in exercise.wrongs.items():
        passed, message = judge._judge(exercise, function, refused=())
        assert not passed
        assert f"Likely mistake: {sentence}" in message


# --- comparing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (0.5, np.float64(0.5)),
        (0.5, np.array(0.5)),
        (2, 2.0),
        (np.array([0.1, np.inf]), [0.1, np.inf]),
        (np.array([0.1, 0.2]), np.array([0.1, 0.2], dtype=np.float32)),
        (np.array([True, False]), [1, 0]),
        (np.zeros((0, 2)), np.zeros((0, 2))),
        ((1, 2), np.array([1, 2])),
        ([np.ones(2), {"m": np.zeros(1)}], [np.ones(2), {"m": [0]}]),
    ],
)
def test_no_difference(expected, got):
    assert comparison.difference(expected, got, "x") is None


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (0.5, True, "x must be one number, not a bool."),
        (np.ones(2), np.ones((2, 1)), "x must have shape (2,), not (2, 1)."),
        (np.ones(2), [[1], [1, 2]], "x must be an array of float64, not a list."),
        (np.array([0.5]), np.array([0]), "x is wrong. It holds int64, ours float64."),
        (np.array([1.0]), np.array([np.nan]), "x holds NaN."),
        ({"m": 1.0}, {"v": 1.0}, "x must be a dict with the keys m, not a dict."),
        ({"m": 1.0}, {"m": 2.0}, "x['m'] is wrong."),
        ([1.0, 2.0], [1.0, 3.0], "x[1] is wrong."),
        ([1.0, 2.0], 3.0, "It must return 2 values, (x[0], x[1]); it returns a float."),
    ],
)
def test_difference_is_worded(expected, got, said):
    assert comparison.difference(expected, got, "x").sentence == said


def test_digits_show_the_difference():
    problem = comparison.difference(np.array([[0.0, -1.41418]]), np.array([[0.0, -1.4141842]]), "x")
    assert problem.rows[-1] == ("differs at", "x[0, 1]: expected -1.41418, got -1.414184 (1 of 2 entries differ)")
