"""What a learner's notebook is to the judge: cells, and functions that were written in them."""

import linecache
import signal
import textwrap

import numpy as np

from helpers.interview import judge

AUC = "metrics/roc_auc"
RIGHT = "right. It agrees with ours on every input tried."


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


@cell
def returns_nothing(y_true, y_score):
    y_score.mean()


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
def by_import(y_true, y_score):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(y_true, y_score)


def judged(exercise, function, refused=()):
    """What the judge says of an answer, by default with nothing forbidden, so that the values must tell."""
    reply = judge._judge(exercise, function, refused)
    return reply["passed"], reply["message"]
