"""A function is judged with what it uses, but not with what it must not use."""

import functools
import re
import threading

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics
from sklearn.metrics import roc_auc_score as borrowed

from helpers.algorithms import metrics
from helpers.interview import judge

from .cells import AUC, Notebook, by_import, cell, good

pytestmark = pytest.mark.usefixtures("attempts")


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


def test_a_file_that_took_a_forbidden_function_by_name_is_found(tmp_path, monkeypatch):
    (tmp_path / "lent.py").write_text("from torch import sigmoid as smooth\n")
    monkeypatch.syspath_prepend(tmp_path)
    names = Notebook().run("""
        def sigmoid(x):
            import lent
            import torch
            return lent.smooth(torch.tensor(x)).numpy()
    """)
    verdict = judge.check("activations/sigmoid", names["sigmoid"])
    assert "It calls torch.sigmoid. Write it without" in verdict.message


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
