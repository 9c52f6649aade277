"""Explorers of topic 05: one threshold seen in four pictures, class imbalance, and two models whose curves cross."""

import ipywidgets as widgets
import numpy as np
from matplotlib.patches import Rectangle

from .. import datasets, theme
from ..algorithms import metrics
from .explorer import Explorer
from .handles import Line


def threshold(y_true, y_score):
    """Move the threshold over the scores; watch the counts and the two curves' points.

    Parameters
    ----------
    y_true : (n,) array_like of {0, 1} or {-1, 1}
    y_score : (n,) array_like in [0, 1]
        For example the probability of the positive class.

    Returns
    -------
    Explorer
        Controls: threshold, beta, miss_cost (what one false negative costs, counted in false positives).

    Raises
    ------
    ValueError
        As `metrics.roc_curve`, and if a score lies outside [0, 1].
    """
    fpr, tpr, _ = metrics.roc_curve(y_true, y_score, drop_intermediate=False)
    precision, recall, _ = metrics.precision_recall_curve(y_true, y_score)
    y_true, y_score = np.asarray(y_true), np.asarray(y_score, dtype=float)
    if y_score.min() < 0 or y_score.max() > 1:
        raise ValueError("y_score must lie in [0, 1]; rescale the scores first")
    positives, negatives = np.sort(y_score[y_true == 1]), np.sort(y_score[y_true != 1])

    figure = theme.figure()
    axes = figure.subplot_mosaic([["scores"] * 3, ["matrix", "roc", "pr"]], height_ratios=[4, 6])
    bins = np.linspace(0, 1, 41)
    scores = axes["scores"]
    scores.hist(negatives, bins, color=theme.BLUE, alpha=0.8)
    scores.hist(positives, bins, color=theme.VERMILLION, alpha=0.7, hatch="///")
    scores.set(xlabel="score", ylabel="samples", xlim=(0, 1))
    scores.set_title("negatives", color=theme.BLUE, loc="left")
    scores.set_title("positives (hatched)", color=theme.VERMILLION, loc="right")
    _rate_axes(axes["roc"], "ROC", "false positive rate", "recall")
    axes["roc"].plot(fpr, tpr, color=theme.INK)
    axes["roc"].plot([0, 1], [1, 0], color=theme.MUTED, linestyle=":", linewidth=1)
    _rate_axes(axes["pr"], "Precision-recall", "recall", "precision")
    axes["pr"].plot(recall, precision, color=theme.INK)
    cells = _matrix_axes(axes["matrix"])

    cut = scores.axvline(0.5, color=theme.INK, linewidth=3)
    (roc_point,) = axes["roc"].plot([], [], "o", color=theme.VERMILLION, markersize=11)
    (pr_point,) = axes["pr"].plot([], [], "s", color=theme.VERMILLION, markersize=10)

    def counts(threshold):
        tp, fp = (len(scores) - np.searchsorted(scores, threshold) for scores in (positives, negatives))
        return int(tp), int(fp), len(negatives) - int(fp), len(positives) - int(tp)

    def update(threshold, beta, miss_cost):
        tp, fp, tn, fn = counts(threshold)
        p, r = tp / (tp + fp) if tp + fp else 0.0, tp / len(positives)
        cut.set_xdata([threshold, threshold])
        roc_point.set_data([fp / len(negatives)], [r])
        pr_point.set_data([r], [p])
        for cell, count in zip(cells, (tn, fp, fn, tp), strict=True):
            cell.set_text(count)
        return {
            "TP": tp,
            "FP": fp,
            "TN": tn,
            "FN": fn,
            "precision": p,
            "recall": r,
            "FPR": fp / len(negatives),
            "FNR": fn / len(positives),
            f"F-beta, beta {beta:g}": metrics.fbeta(tp, fp, fn, beta=beta),
            "cost": fp + miss_cost * fn,
        }

    controls = {
        "threshold": widgets.FloatSlider(0.5, min=0, max=1, step=0.002, description="threshold", readout_format=".3f"),
        "beta": widgets.FloatSlider(1, min=0, max=4, step=0.25, description="beta"),
        "miss_cost": widgets.FloatSlider(1, min=1, max=20, step=1, description="a miss costs (false alarms)"),
    }

    def jump(loss):
        """A button's action: to the slider's threshold with the smallest loss of (tp, fp, tn, fn)."""
        return lambda: {"threshold": min(np.linspace(0, 1, 501).tolist(), key=lambda t: loss(*counts(t)))}

    actions = {
        "Equal error rate": jump(lambda tp, fp, tn, fn: abs(fp / (fp + tn) - fn / (fn + tp))),
        "Best F-beta": jump(lambda tp, fp, tn, fn: -metrics.fbeta(tp, fp, fn, beta=controls["beta"].value)),
        "Break-even point": jump(lambda tp, fp, tn, fn: abs(fp - fn)),
        "Lowest cost": jump(lambda tp, fp, tn, fn: fp + controls["miss_cost"].value * fn),
    }
    return Explorer(
        *("One threshold, four pictures", figure, controls, [cut, roc_point, pr_point, *cells], update),
        handles=[Line(scores, "threshold")],
        actions=actions,
    )


def imbalance(y_true, y_score):
    """Make the negatives more common, up to 1000 a positive; watch what ROC and precision-recall make of it.

    The scores stay; each negative counts for more. That is what a rarer disease does to a test.

    Parameters
    ----------
    y_true : (n,) array_like of {0, 1} or {-1, 1}
    y_score : (n,) array_like

    Returns
    -------
    Explorer
        Controls: ratio (negatives a positive), recall (the recall that you insist on).
    """
    fpr, tpr, _ = metrics.roc_curve(y_true, y_score, drop_intermediate=False)
    area = metrics.roc_auc_score(y_true, y_score)

    figure = theme.figure(height=340)
    roc, pr = figure.subplots(1, 2)
    _rate_axes(roc, "ROC", "false positive rate", "recall")
    _rate_axes(pr, "Precision-recall", "recall", "precision")
    (roc_line,) = roc.plot([], [], color=theme.BLUE)
    (roc_point,) = roc.plot([], [], "o", color=theme.VERMILLION, markersize=11)
    (pr_line,) = pr.plot([], [], color=theme.BLUE)
    (pr_point,) = pr.plot([], [], "s", color=theme.VERMILLION, markersize=10)
    (chance,) = pr.plot([], [], color=theme.MUTED, linestyle=":")

    def update(ratio, recall):
        precision = tpr[1:] / (tpr[1:] + ratio * fpr[1:])
        here = np.searchsorted(tpr, recall)  # the first threshold that finds enough
        roc_line.set_data(fpr, tpr)
        pr_line.set_data(tpr[1:], precision)
        roc_point.set_data([fpr[here]], [tpr[here]])
        pr_point.set_data([tpr[here]], [precision[here - 1]])
        chance.set_data([0, 1], [1 / (1 + ratio)] * 2)
        return {
            "negatives a positive": ratio,
            "ROC AUC": area,
            "average precision": np.diff(tpr) @ precision,
            "recall": tpr[here],
            "FPR": fpr[here],
            "precision": precision[here - 1],
            "precision of chance": 1 / (1 + ratio),
        }

    controls = {
        "ratio": widgets.FloatLogSlider(1, base=10, min=0, max=3, step=0.05, description="negatives a positive"),
        "recall": widgets.FloatSlider(0.9, min=0.05, max=1, step=0.05, description="recall you insist on"),
    }
    live = [roc_line, roc_point, pr_line, pr_point, chance]
    return Explorer("Imbalance: ROC stays, precision falls", figure, controls, live, update)


def crossing(y_true, scores):
    """Two models whose curves cross: slide the price of a miss and see who wins by which measure.

    Parameters
    ----------
    y_true : (n,) array_like of {0, 1} or {-1, 1}
    scores : dict of str -> (n,) array_like
        The two models' names and scores.

    Returns
    -------
    Explorer
        Controls: miss_cost (what one false negative costs, counted in false positives).
    """
    if len(scores) != 2:
        raise ValueError(f"scores must name two models, got {len(scores)}")
    figure = theme.figure(height=340)
    roc, pr = figure.subplots(1, 2)
    _rate_axes(roc, "ROC, lines of equal cost", "false positive rate", "recall")
    _rate_axes(pr, "Precision-recall", "recall", "precision")
    looks = {"color": theme.BLUE, "linestyle": "-"}, {"color": theme.VERMILLION, "linestyle": "--"}
    models, live = {}, []
    for (name, score), look, marker in zip(scores.items(), looks, "os", strict=True):
        fpr, tpr, _ = metrics.roc_curve(y_true, score, drop_intermediate=False)
        precision, recall, _ = metrics.precision_recall_curve(y_true, score)
        roc.plot(fpr, tpr, **look, label=name)
        pr.plot(recall, precision, **look, label=name)
        (point,) = roc.plot([], [], marker, color=look["color"], markersize=11)
        (pr_point,) = pr.plot([], [], marker, color=look["color"], markersize=11)
        (tangent,) = roc.plot([], [], **look, linewidth=1)
        models[name] = fpr, tpr, point, pr_point, tangent
        live += [point, pr_point, tangent]
    pr.legend(loc="lower left")
    positives = int((np.asarray(y_true) == 1).sum())
    negatives = len(y_true) - positives
    measures = metrics.roc_auc_score, metrics.average_precision_score, metrics.break_even_point
    labels = "ROC AUC", "average precision", "break-even point"
    fixed = {
        f"{label}, {name}": measure(y_true, score)
        for label, measure in zip(labels, measures, strict=True)
        for name, score in scores.items()
    }

    def update(miss_cost):
        slope = negatives / (positives * miss_cost)  # along it, a gain of recall pays for its false alarms
        lowest = {}
        for name, (fpr, tpr, point, pr_point, tangent) in models.items():
            cost = negatives * fpr + miss_cost * positives * (1 - tpr)
            best = np.argmin(cost)
            tp, fp = positives * tpr[best], negatives * fpr[best]
            point.set_data([fpr[best]], [tpr[best]])
            pr_point.set_data([tpr[best]], [tp / (tp + fp) if tp + fp else 1.0])
            tangent.set_data([0, 1], [tpr[best] - slope * fpr[best], tpr[best] + slope * (1 - fpr[best])])
            lowest[name] = round(float(cost[best]), 6)
        cheaper = [name for name in lowest if lowest[name] == min(lowest.values())]
        return {
            **fixed,
            **{f"lowest cost, {name}": cost for name, cost in lowest.items()},
            "cheaper": cheaper[0] if len(cheaper) == 1 else "neither",
        }

    controls = {
        "miss_cost": widgets.FloatLogSlider(
            1, base=10, min=-1.5, max=1.5, step=0.05, description="a miss costs (false alarms)"
        )
    }
    return Explorer("Two models whose curves cross", figure, controls, live, update)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    tumours = datasets.breast_cancer()
    radius, concavity = (tumours.X[:, tumours.features.index(name)] for name in ("mean radius", "mean concavity"))
    malignant, share = 1 - tumours.y, (radius - radius.min()) / np.ptp(radius)
    return {
        "threshold": lambda: threshold(malignant, share),
        "imbalance": lambda: imbalance(malignant, radius),
        "crossing": lambda: crossing(malignant, {"mean radius": radius, "mean concavity": concavity}),
    }


def _rate_axes(axes, title, xlabel, ylabel):
    axes.set(title=title, xlabel=xlabel, ylabel=ylabel, xlim=(-0.03, 1.03), ylim=(-0.03, 1.05), box_aspect=1)
    axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes.grid()


def _matrix_axes(axes):
    """Draw an empty confusion matrix and return the texts of its cells: TN, FP, FN, TP."""
    axes.set(title="Confusion matrix", xlim=(0, 2), ylim=(0, 2), box_aspect=1, xticks=[0.5, 1.5], yticks=[0.5, 1.5])
    axes.set(xticklabels=["called -", "called +"], yticklabels=["is +", "is -"])
    axes.tick_params(length=0)
    numbers = []
    for name, x, y in (("TN", 0, 1), ("FP", 1, 1), ("FN", 0, 0), ("TP", 1, 0)):
        colour = theme.GREEN if name.startswith("T") else theme.ORANGE
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, alpha=0.25, edgecolor=theme.MUTED))
        axes.text(x + 0.5, y + 0.78, name, ha="center", va="center")
        numbers.append(axes.text(x + 0.5, y + 0.38, "", ha="center", va="center", fontsize=16))
    return numbers
