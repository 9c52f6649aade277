"""Explorers of topic 04: one target regressed or cut into classes, and a decision made of a regression."""

import numpy as np

from .. import datasets, theme
from ..algorithms.linear_models import LinearRegression, SoftmaxRegression, log_loss, mean_absolute_error
from .controls import Slider, Switch, button
from .explorer import Explorer
from .handles import Line

MOST = 16  # bins
LOW, HIGH = 0, 360  # of the progression, in its own units


class Binning(Explorer):
    """One target: regress it, or cut it into classes of equal size and classify.

    With bins, a softmax spreads its belief over them. Two predictions follow: the mean of the most probable bin, and
    the expectation over all bins. The loss sees the probability of the right bin alone.

    Parameters
    ----------
    X, y : (n, d) and (n,) array_like
        Patients to fit, with the target.
    X_test, y_test : the same
        Patients to predict.
    """

    title = "Regress it, or bin it"
    size = 680, 360

    bins = Slider(1, 1, MOST, label="bins (1: regress it)")
    patient = Slider(3, 0, 40, label="patient")
    expectation = Switch(label="expectation over bins", when=lambda v: v["bins"] > 1)

    def __init__(self, X, y, X_test, y_test):
        self.y, self.y_test = np.asarray(y), np.asarray(y_test)
        self.models = [_regressed(X, self.y, X_test)]
        self.models += [_binned(k, X, self.y, X_test, self.y_test) for k in range(2, MOST + 1)]
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="All patients to predict", xlabel="true progression", ylabel="predicted progression")
        left.set(xlim=(LOW, HIGH), ylim=(LOW, HIGH), aspect="equal")
        left.plot([LOW, HIGH], [LOW, HIGH], color=theme.MUTED, linestyle=":", linewidth=1.5)
        (self.all,) = self.live(left.plot([], [], "o", color=theme.SKY, mec=theme.BLUE, ms=4, linestyle=""))
        (self.one,) = self.live(left.plot([], [], "D", color=theme.VERMILLION, mec=theme.INK, ms=9, linestyle=""))
        right.set(title="Solid: true; dashed: predicted", xlabel="progression", ylabel="probability of a bin")
        right.set(xlim=(LOW, HIGH), ylim=(0, 1))
        self.bars = self.live(list(right.bar(np.zeros(MOST), np.ones(MOST), width=1, color=theme.SKY, ec=theme.PAPER)))
        self.truth = self.live(right.axvline(0, color=theme.VERMILLION, linewidth=3))
        self.guess = self.live(right.axvline(0, color=theme.INK, linewidth=2, linestyle="--"))

    def solve(self, bins, patient, expectation):
        model = self.models[bins - 1]
        predicted = model["expectation" if expectation or bins == 1 else "mode"]
        return model, predicted, patient

    def show(self, solution):
        model, predicted, patient = solution
        self.all.set_data(self.y_test, predicted)
        self.one.set_data([self.y_test[patient]], [predicted[patient]])
        self.truth.set_xdata([self.y_test[patient]] * 2)
        self.guess.set_xdata([predicted[patient]] * 2)
        edges = model["edges"]
        for b, bar in enumerate(self.bars):
            inside = b < len(edges) - 1
            bar.set_visible(inside)
            if inside:
                bar.set_bounds(edges[b], 0, edges[b + 1] - edges[b], model["p"][patient, b])

    def readouts(self, solution):
        model, predicted, patient = solution
        true, k = self.y_test[patient], len(model["edges"]) - 1
        said = {
            "bins": k if k else "none: regressed",
            "mean absolute error": round(mean_absolute_error(self.y_test, predicted), 1),
            "this patient: true": int(true),
            "predicted": round(float(predicted[patient]), 1),
        }
        if not k:
            return said | {"its squared loss": round(float((true - predicted[patient]) ** 2), 1)}
        p, right = model["p"][patient], int(np.searchsorted(model["edges"][1:-1], true, side="right"))
        return said | {
            "share in the right bin": round(model["accuracy"], 2),
            "log-loss (nats)": round(model["loss"], 2),
            "its right bin, from 0": right,
            "p(right bin)": round(float(p[right]), 2),
            "its log-loss (nats)": round(float(-np.log(p[right])), 2),
        }


def _regressed(X, y, X_test):
    return {"expectation": LinearRegression().fit(X, y).predict(X_test), "edges": np.array([0.0])}


def _binned(k, X, y, X_test, y_test, C=0.1):
    """A softmax over k bins with as many patients in each; a bin stands for the mean of its patients."""
    inner = np.quantile(y, np.arange(1, k) / k)
    labels, labels_test = (np.searchsorted(inner, values, side="right") for values in (y, y_test))
    means = np.array([y[labels == b].mean() for b in range(k)])
    p = SoftmaxRegression(C).fit(X, labels).predict_proba(X_test)
    return {
        "edges": np.concatenate([[y.min()], inner, [y.max()]]),
        "p": p,
        "mode": means[p.argmax(axis=1)],
        "expectation": p @ means,
        "accuracy": float((p.argmax(axis=1) == labels_test).mean()),
        "loss": log_loss(labels_test, p, labels=range(k)),
    }


# --- a decision ------------------------------------------------------------------------------------------------------


class Decision(Explorer):
    """A regression, and a yes or no made of it: cut the prediction at a threshold.

    Parameters
    ----------
    y_true, y_pred : (n,) array_like
        The target and its prediction by a regression.
    """

    title = "A decision on a regression"
    size = 660, 400

    limit = Slider(200, 100, 280, step=2, label="high means above")
    threshold = Slider(200, 100, 240, step=2, label="call high above")

    def __init__(self, y_true, y_pred):
        self.y_true, self.y_pred = np.asarray(y_true, dtype=float), np.asarray(y_pred, dtype=float)
        super().__init__()

    def draw(self, figure):
        axes = figure.add_subplot(xlim=(0, 360), ylim=(-35, 400))
        axes.set(xlabel="predicted progression", ylabel="true progression")
        axes.plot([LOW, HIGH], [LOW, HIGH], color=theme.MUTED, linestyle=":", linewidth=1.5)
        styles = {"TP": ("o", theme.BLUE), "FP": ("X", theme.ORANGE)}
        styles |= {"FN": ("D", theme.VERMILLION), "TN": (".", theme.MUTED)}
        self.clouds = {
            name: axes.plot([], [], mark, color=color, ms=7, linestyle="")[0] for name, (mark, color) in styles.items()
        }
        self.live(self.clouds)
        self.cut = self.live(axes.axvline(0, color=theme.INK, linewidth=3))
        self.level = self.live(axes.axhline(0, color=theme.INK, linewidth=2, linestyle="--"))
        corners = {"TP": (0.98, 0.97, "right", "top"), "FP": (0.98, 0.03, "right", "bottom")}
        corners |= {"FN": (0.02, 0.97, "left", "top"), "TN": (0.02, 0.03, "left", "bottom")}
        names = {"TP": "high, called high", "FP": "false alarm", "FN": "high, missed", "TN": "not high"}
        for name, (x, y, ha, va) in corners.items():
            color = theme.INK if name == "TN" else styles[name][1]
            axes.text(x, y, names[name], ha=ha, va=va, transform=axes.transAxes, color=color, weight="bold")
        self.hand(Line(axes, "threshold"), Line(axes, "limit", axis="y"))

    def solve(self, limit, threshold):
        high, called = self.y_true > limit, self.y_pred > threshold
        masks = {"TP": high & called, "FP": ~high & called, "FN": high & ~called, "TN": ~high & ~called}
        return limit, threshold, masks

    def show(self, solution):
        limit, threshold, masks = solution
        for name, mask in masks.items():
            self.clouds[name].set_data(self.y_pred[mask], self.y_true[mask])
        self.cut.set_xdata([threshold] * 2)
        self.level.set_ydata([limit] * 2)

    def readouts(self, solution):
        limit, threshold, masks = solution
        tp, fp, fn, tn = (int(masks[name].sum()) for name in ("TP", "FP", "FN", "TN"))
        return {
            "high means above": limit,
            "called high above": threshold,
            "TP": tp,
            "FP": fp,
            "FN": fn,
            "TN": tn,
            "recall": round(tp / max(tp + fn, 1), 2),
            "precision": round(tp / max(tp + fp, 1), 2),
            "F1": round(2 * tp / max(2 * tp + fp + fn, 1), 2),
            "mean absolute error": round(mean_absolute_error(self.y_true, self.y_pred), 1),
        }

    @button("Best F1")
    def best(self, values):
        cuts = range(100, 241, 2)
        return {"threshold": max(cuts, key=lambda cut: self.readouts(self.solve(values["limit"], cut))["F1"])}


def split():
    """Diabetes in two halves, drawn at random: X, y to fit, X, y to predict."""
    data, order = datasets.diabetes(), np.random.default_rng(0).permutation(442)
    fit, test = order[:221], order[221:]
    return data.X[fit] * np.sqrt(442), data.y[fit], data.X[test] * np.sqrt(442), data.y[test]


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    X, y, X_test, y_test = split()
    return {
        "Binning": lambda: Binning(X, y, X_test, y_test),
        "Decision": lambda: Decision(y_test, LinearRegression().fit(X, y).predict(X_test)),
    }
