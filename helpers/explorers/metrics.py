"""Explorers of topic 05: one threshold seen in four pictures, class imbalance, and two models whose curves cross."""

from typing import NamedTuple

import numpy as np
from matplotlib.patches import Rectangle

from .. import datasets, theme
from ..algorithms import metrics
from .controls import LogSlider, Slider, button
from .explorer import Explorer
from .handles import Line

MISSES = {"label": "a miss costs", "unit": "false alarms"}


class Threshold(Explorer):
    """Move the threshold over the scores; watch the counts and the two curves' points.

    Parameters
    ----------
    y_true : (n,) array_like of {0, 1} or {-1, 1}
    y_score : (n,) array_like in [0, 1]
        For example the probability of the positive class.

    Raises
    ------
    ValueError
        As `metrics.roc_curve`, and if a score lies outside [0, 1].
    """

    title = "One threshold, four pictures"

    threshold = Slider(0.5, 0, 1, step=0.002)
    beta = Slider(1.0, 0, 4, step=0.25)
    miss_cost = Slider(1, 1, 20, **MISSES)

    def __init__(self, y_true, y_score):
        self.curves = _curves(y_true, y_score)
        y_true, y_score = np.asarray(y_true), np.asarray(y_score, dtype=float)
        if y_score.min() < 0 or y_score.max() > 1:
            raise ValueError("y_score must lie in [0, 1]; rescale the scores first")
        self.positives, self.negatives = np.sort(y_score[y_true == 1]), np.sort(y_score[y_true != 1])
        super().__init__()

    def draw(self, figure):
        axes = figure.subplot_mosaic([["scores"] * 3, ["matrix", "roc", "pr"]], height_ratios=[4, 6])
        scores, bins = axes["scores"], np.linspace(0, 1, 41)
        scores.hist(self.negatives, bins, color=theme.BLUE, alpha=0.8)
        scores.hist(self.positives, bins, color=theme.VERMILLION, alpha=0.7, hatch="///")
        scores.set(xlabel="score", ylabel="samples", xlim=(0, 1))
        scores.set_title("negatives", color=theme.BLUE, loc="left")
        scores.set_title("positives (hatched)", color=theme.VERMILLION, loc="right")
        _draw_roc(axes["roc"])
        _draw_pr(axes["pr"])
        axes["roc"].plot([0, 1], [1, 0], color=theme.MUTED, linestyle=":", linewidth=1)
        axes["roc"].plot(*self.curves["roc"], color=theme.INK)
        axes["pr"].plot(*self.curves["pr"], color=theme.INK)

        self.cells = self.live(_draw_matrix(axes["matrix"]))
        self.cut = self.live(scores.axvline(0.5, color=theme.INK, linewidth=3))
        (self.roc_point,) = self.live(axes["roc"].plot([], [], "o", color=theme.VERMILLION, markersize=11))
        (self.pr_point,) = self.live(axes["pr"].plot([], [], "s", color=theme.VERMILLION, markersize=10))
        self.hand(Line(scores, "threshold"))

    def solve(self, threshold, beta, miss_cost):
        tp, fp = (len(s) - int(np.searchsorted(s, threshold)) for s in (self.positives, self.negatives))
        return Counts(threshold, beta, miss_cost, tp, fp, tn=len(self.negatives) - fp, fn=len(self.positives) - tp)

    def show(self, counts):
        self.cut.set_xdata([counts.threshold, counts.threshold])
        self.roc_point.set_data([counts.fpr], [counts.recall])
        self.pr_point.set_data([counts.recall], [counts.precision])
        for name, cell in self.cells.items():
            cell.set_text(getattr(counts, name.lower()))

    def readouts(self, counts):
        return {
            "threshold": counts.threshold,
            "TP": counts.tp,
            "FP": counts.fp,
            "TN": counts.tn,
            "FN": counts.fn,
            "precision": counts.precision,
            "recall": counts.recall,
            "FPR": counts.fpr,
            "FNR": 1 - counts.recall,
            f"F-beta, beta {counts.beta:g}": counts.fbeta,
            "cost (false alarms)": counts.cost,
        }

    @button("Equal error rate")
    def equal_error_rate(self, values):
        return self._lowest(values, lambda counts: abs(counts.fpr - (1 - counts.recall)))

    @button("Best F-beta")
    def best_f_beta(self, values):
        return self._lowest(values, lambda counts: -counts.fbeta)

    @button("Break-even point")
    def break_even_point(self, values):
        return self._lowest(values, lambda counts: abs(counts.fp - counts.fn))

    @button("Lowest cost")
    def lowest_cost(self, values):
        return self._lowest(values, lambda counts: counts.cost)

    def _lowest(self, values, loss):
        """The slider's threshold at which `loss` of the counts is lowest."""
        thresholds = np.linspace(0, 1, 501).tolist()
        return {"threshold": min(thresholds, key=lambda t: loss(self.solve(**values | {"threshold": t})))}


class Counts(NamedTuple):
    """What a threshold makes of the samples."""

    threshold: float
    beta: float
    miss_cost: float
    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def precision(self):
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self):
        return self.tp / (self.tp + self.fn)

    @property
    def fpr(self):
        return self.fp / (self.fp + self.tn)

    @property
    def fbeta(self):
        return metrics.fbeta(self.tp, self.fp, self.fn, beta=self.beta)

    @property
    def cost(self):
        return self.fp + self.miss_cost * self.fn


class Imbalance(Explorer):
    """Make the negatives more common, up to 1,000 per positive; watch what ROC and precision-recall make of it.

    The scores stay; each negative counts for more. That is what a rarer disease does to a test.

    Parameters
    ----------
    y_true : (n,) array_like of {0, 1} or {-1, 1}
    y_score : (n,) array_like
    """

    title = "Imbalance: more negatives per positive"
    size = 660, 340

    ratio = LogSlider(1, 1, 1000, step=0.05, label="negatives per positive")
    recall = Slider(0.9, 0.05, 1, step=0.05, label="recall you insist on")

    def __init__(self, y_true, y_score):
        self.fpr, self.tpr, _ = metrics.roc_curve(y_true, y_score, drop_intermediate=False)
        self.area = metrics.roc_auc_score(y_true, y_score)
        super().__init__()

    def draw(self, figure):
        roc, pr = figure.subplots(1, 2)
        _draw_roc(roc)
        _draw_pr(pr)
        (self.roc_line,) = self.live(roc.plot([], [], color=theme.BLUE))
        (self.roc_point,) = self.live(roc.plot([], [], "o", color=theme.VERMILLION, markersize=11))
        (self.chance,) = self.live(pr.plot([], [], color=theme.MUTED, linestyle=":"))
        (self.pr_line,) = self.live(pr.plot([], [], color=theme.BLUE))
        (self.pr_point,) = self.live(pr.plot([], [], "s", color=theme.VERMILLION, markersize=10))

    def solve(self, ratio, recall):
        precision = self.tpr[1:] / (self.tpr[1:] + ratio * self.fpr[1:])
        here = int(np.searchsorted(self.tpr, recall))  # the first threshold that finds enough
        return ratio, precision, here

    def show(self, solution):
        ratio, precision, here = solution
        self.roc_line.set_data(self.fpr, self.tpr)
        self.pr_line.set_data(self.tpr[1:], precision)
        self.roc_point.set_data([self.fpr[here]], [self.tpr[here]])
        self.pr_point.set_data([self.tpr[here]], [precision[here - 1]])
        self.chance.set_data([0, 1], [1 / (1 + ratio)] * 2)

    def readouts(self, solution):
        ratio, precision, here = solution
        return {
            "negatives per positive": ratio,
            "ROC AUC": self.area,
            "average precision": np.diff(self.tpr) @ precision,
            "recall": self.tpr[here],
            "FPR": self.fpr[here],
            "precision": precision[here - 1],
            "precision of chance": 1 / (1 + ratio),
        }


class Crossing(Explorer):
    """Two models whose curves cross: slide the price of a miss and see who wins by which measure.

    Parameters
    ----------
    y_true : (n,) array_like of {0, 1} or {-1, 1}
    scores : dict of str -> (n,) array_like
        The two models' names and scores.
    """

    title = "Two models whose curves cross"
    size = 660, 340

    miss_cost = LogSlider(1, 10**-1.5, 10**1.5, step=0.05, **MISSES)

    def __init__(self, y_true, scores):
        if len(scores) != 2:
            raise ValueError(f"scores must name two models, got {len(scores)}")
        self.curves = {name: _curves(y_true, score) for name, score in scores.items()}
        self.positives = int((np.asarray(y_true) == 1).sum())
        self.negatives = len(y_true) - self.positives
        measures = {
            "ROC AUC": metrics.roc_auc_score,
            "average precision": metrics.average_precision_score,
            "break-even point": metrics.break_even_point,
        }
        self.areas = {
            f"{label}, {name}": measure(y_true, score)
            for label, measure in measures.items()
            for name, score in scores.items()
        }
        super().__init__()

    def draw(self, figure):
        roc, pr = figure.subplots(1, 2)
        _draw_roc(roc, "ROC, lines of equal cost")
        _draw_pr(pr)
        looks = {"color": theme.BLUE, "linestyle": "-"}, {"color": theme.VERMILLION, "linestyle": "--"}
        self.points, self.tangents = {}, {}
        for (name, curves), look, marker in zip(self.curves.items(), looks, "os", strict=True):
            roc.plot(*curves["roc"], **look, label=name)
            pr.plot(*curves["pr"], **look, label=name)
            (self.tangents[name],) = self.live(roc.plot([], [], **look, linewidth=1))
            self.points[name] = [
                self.live(axes.plot([], [], marker, color=look["color"], markersize=11))[0] for axes in (roc, pr)
            ]
        pr.legend(loc="lower left")

    def solve(self, miss_cost):
        cheapest = {}
        for name, curves in self.curves.items():
            fpr, tpr = curves["roc"]
            cost = self.negatives * fpr + miss_cost * self.positives * (1 - tpr)
            best = int(np.argmin(cost))
            cheapest[name] = fpr[best], tpr[best], round(float(cost[best]), 6)
        return miss_cost, cheapest

    def show(self, solution):
        miss_cost, cheapest = solution
        slope = self.negatives / (self.positives * miss_cost)  # along it, a gain of recall pays for its false alarms
        for name, (fpr, tpr, _) in cheapest.items():
            tp, fp = self.positives * tpr, self.negatives * fpr
            roc_point, pr_point = self.points[name]
            roc_point.set_data([fpr], [tpr])
            pr_point.set_data([tpr], [tp / (tp + fp) if tp + fp else 1.0])
            self.tangents[name].set_data([0, 1], [tpr - slope * fpr, tpr + slope * (1 - fpr)])

    def readouts(self, solution):
        costs = {name: cost for name, (_, _, cost) in solution[1].items()}
        cheaper = [name for name, cost in costs.items() if cost == min(costs.values())]
        return {
            **self.areas,
            **{f"lowest cost, {name}": cost for name, cost in costs.items()},
            "cheaper": cheaper[0] if len(cheaper) == 1 else "neither",
        }


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    tumors = datasets.breast_cancer()
    radius, concavity = (tumors.X[:, tumors.features.index(name)] for name in ("mean radius", "mean concavity"))
    malignant, share = 1 - tumors.y, (radius - radius.min()) / np.ptp(radius)
    return {
        "Threshold": lambda: Threshold(malignant, share),
        "Imbalance": lambda: Imbalance(malignant, radius),
        "Crossing": lambda: Crossing(malignant, {"mean radius": radius, "mean concavity": concavity}),
    }


def _curves(y_true, y_score):
    """Both curves, x and y: ROC from the highest threshold down, precision-recall."""
    fpr, tpr, _ = metrics.roc_curve(y_true, y_score, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(y_true, y_score)
    return {"roc": (fpr, tpr), "pr": (recall, precision)}


def _draw_roc(axes, title="ROC"):
    _draw_rates(axes, title, "false positive rate", "recall")


def _draw_pr(axes):
    _draw_rates(axes, "Precision-recall", "recall", "precision")


def _draw_rates(axes, title, xlabel, ylabel):
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xlim=(-0.03, 1.03), ylim=(-0.03, 1.05), box_aspect=1)
    axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.grid()


def _draw_matrix(axes):
    """Draw an empty confusion matrix and return the texts of its cells by name."""
    axes.set(title="Confusion matrix", xlim=(0, 2), ylim=(0, 2), box_aspect=1, xticks=[0.5, 1.5], yticks=[0.5, 1.5])
    axes.set(xticklabels=["called -", "called +"], yticklabels=["is +", "is -"])
    axes.tick_params(length=0)
    cells = {}
    for name, x, y in (("TN", 0, 1), ("FP", 1, 1), ("FN", 0, 0), ("TP", 1, 0)):
        color = theme.GREEN if name.startswith("T") else theme.ORANGE
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=color, alpha=0.25, edgecolor=theme.MUTED))
        axes.text(x + 0.5, y + 0.78, name, ha="center", va="center")
        cells[name] = axes.text(x + 0.5, y + 0.38, "", ha="center", va="center", fontsize=16)
    return cells
