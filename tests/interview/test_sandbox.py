"""Nothing that a learner writes hurts the process that asks, or makes it wait."""

import contextlib
import ctypes
import itertools
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch

from helpers.interview import judge

from .cells import AUC, RIGHT, Notebook, cell, endless, endless_under_bare_except, good, returns_nothing

pytestmark = pytest.mark.usefixtures("attempts")


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
def forges_a_reply(y_true, y_score):
    import marshal
    import struct

    reply = marshal.dumps({"value": ("array", "<f8", (3,), b"")})
    for descriptor in range(3, 20):
        with contextlib.suppress(OSError):
            os.write(descriptor, struct.pack("!i", len(reply)) + reply)
    time.sleep(1000)


@cell
def stops_its_parent(y_true, y_score):
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(1000)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
@pytest.mark.parametrize(
    "function",
    [closes_files_and_sleeps, forges_bytes, begins_a_message_without_an_end, forges_a_reply, stops_its_parent],
)
def test_what_breaks_the_conversation_costs_no_more_than_the_time_limit(function, monkeypatch):
    judge.check(AUC, returns_nothing)
    with monkeypatch.context() as patch:
        patch.setattr(judge, "TIME_LIMIT", 1.0)
        start = time.monotonic()
        assert not judge.check(AUC, function).passed
        assert time.monotonic() - start < 6
    assert judge.check(AUC, good).passed  # at its usual limit, however busy the machine


@cell
def returns_an_array(y_true, y_score):
    return np.array([0.5])


@cell
def returns_a_huge_array(y_true, y_score):
    return np.zeros((300, 300))


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
        (returns_a_huge_array, r"auc must have shape \(\), not \(300, 300\)\."),
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
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(3.5)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(judge, "TIME_LIMIT", 3.0)
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


def test_what_cannot_be_imported_again_is_told(tmp_path, monkeypatch):
    (tmp_path / "soon_gone.py").write_text("half = 0.5\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = Notebook().run("""
        import soon_gone

        def roc_auc(y_true, y_score):
            return soon_gone.half
    """)
    (tmp_path / "soon_gone.py").unlink()
    verdict = judge.check(AUC, names["roc_auc"])
    assert not verdict.passed
    assert "could not be loaded in a fresh process: ModuleNotFoundError" in verdict.message


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
