"""Topic 05: the four counts, the ROC curve, the area under it, average precision."""

import numpy as np
from hypothesis import strategies as st

from ...algorithms import metrics
from . import Exercise

SCORES = (0.5, 0.2, 0.4, 0.8)  # few, so that ties are common
CLOSE = (0.0, 0.25, 0.25 + 2**-14, 0.2500000001, 2**-10, 1.0, -1.0, -0.5, 100.0)  # rounding would tie them


def classes_and(values, smallest, largest):
    """Draw classes, both of them present, and as many values."""
    return pairs_of_classes_and(values, smallest, largest).filter(lambda drawn: len(np.unique(drawn[0])) == 2)


def pairs_of_classes_and(values, smallest, largest):
    """Draw classes and as many values."""
    pairs = st.sampled_from([(c, value) for c in (0, 1) for value in values])
    drawn = st.lists(pairs, min_size=smallest, max_size=largest)
    return drawn.map(lambda drawn: tuple(np.array(column) for column in zip(*drawn, strict=True)))


CURVE = {
    "tiers": (classes_and(SCORES, 2, 5), classes_and(CLOSE, 2, 12)),
    "narrow": {"y_true": "distinct one0: holds 0 and 1, both of them", "y_score": "one0: both classes are present"},
}

# --- the four counts -------------------------------------------------------------------------------------------------


def confusion_counts(y_true, y_pred):
    """Ours: the confusion matrix, row by row."""
    return tuple(metrics.confusion_matrix(y_true, y_pred, labels=[0, 1]).ravel())


counts = Exercise(
    id="metrics/confusion_counts",
    signature="confusion_counts(y_true, y_pred) -> tn, fp, fn, tp",
    task="Count the true negatives, false positives, false negatives and true positives. Both arrays hold 0 and 1.",
    task_zh="分别统计真负例（TN）、假正例（FP）、假负例（FN）、真正例（TP）的个数。两个数组只含 0 和 1。",
    reference=confusion_counts,
    tiers=(classes_and([0, 1], 2, 5), pairs_of_classes_and([0, 1], 1, 20)),
    narrow={"y_true": "distinct: holds 0 and 1", "y_pred": "distinct: holds 0 and 1"},
    forbidden=("sklearn.metrics",),
    cost="O(n): one pass",
    hints=(
        "The second word is the prediction, the first says whether it is right: a false positive was called 1, is 0.",
        "Each count is the sum of a mask: two comparisons joined by &.",
        "fp = np.sum((y_true == 0) & (y_pred == 1)), likewise the three others; return them in the order asked for.",
    ),
)


@counts.right
def masks(y_true, y_pred):
    tn = np.sum((y_true == 0) & (y_pred == 0))
    fp = np.sum((y_true == 0) & (y_pred == 1))
    fn = np.sum((y_true == 1) & (y_pred == 0))
    tp = np.sum((y_true == 1) & (y_pred == 1))
    return tn, fp, fn, tp


@counts.right
def bins(y_true, y_pred):
    return np.bincount(2 * y_true + y_pred, minlength=4)


@counts.right
def loop(y_true, y_pred):
    table = [0, 0, 0, 0]
    for truth, prediction in zip(y_true, y_pred, strict=True):
        table[2 * truth + prediction] += 1
    return table


@counts.library
def sklearn_counts(y_true, y_pred):
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(y_true, y_pred, labels=[0, 1]).ravel()


@counts.wrong("fp and fn are swapped: a false positive is called positive (y_pred is 1) but is not (y_true is 0).")
def fp_and_fn_swapped(y_true, y_pred):
    tn, fp, fn, tp = masks(y_true, y_pred)
    return tn, fn, fp, tp


@counts.wrong("The order is tn, fp, fn, tp, as in the rows of the confusion matrix.")
def true_positives_first(y_true, y_pred):
    tn, fp, fn, tp = masks(y_true, y_pred)
    return tp, fp, fn, tn


@counts.wrong("y_true == y_pred holds for true negatives as well: a true positive is also 1.")
def every_hit_is_a_true_positive(y_true, y_pred):
    tn, fp, fn, tp = masks(y_true, y_pred)
    return tn, fp, fn, tn + tp


@counts.wrong("These are shares. Return counts: do not divide.")
def shares(y_true, y_pred):
    return tuple(count / len(y_true) for count in masks(y_true, y_pred))


@counts.wrong("On integers ~ flips bits: ~0 is -1 and ~1 is -2. Compare with 0 instead, or convert to bool first.")
def bitwise_not(y_true, y_pred):
    return np.sum(~y_true & ~y_pred), np.sum(~y_true & y_pred), np.sum(y_true & ~y_pred), np.sum(y_true & y_pred)


# --- the ROC curve ---------------------------------------------------------------------------------------------------


def every_point(y_true, y_score):
    """Ours, with the points inside a straight piece kept."""
    return metrics.roc_curve(y_true, y_score, drop_intermediate=False)


roc_curve = Exercise(
    id="metrics/roc_curve",
    signature="roc_curve(y_true, y_score) -> fpr, tpr, thresholds",
    task="Return the false and true positive rate at every distinct score, from the highest down: a sample is called "
    "positive if its score is at least the threshold. The first threshold is infinity; no point is left out.",
    task_zh="从高到低，对每个不同的分数计算 FPR 与 TPR：分数不低于阈值即判为正。第一个阈值为无穷大，不省略任何点。",
    reference=every_point,
    **CURVE,
    forbidden=("sklearn.metrics",),
    cost="O(n log n): the sort",
    hints=(
        "Lower the threshold step by step and count who crosses it. Samples with equal scores cross together.",
        "The thresholds are infinity and the distinct scores, falling. At each: called = y_score >= threshold.",
        "thresholds = np.r_[np.inf, np.unique(y_score)[::-1]]; called = y_score >= thresholds[:, None]; "
        "tpr is the mean of called over the columns where y_true is 1, fpr over the others.",
    ),
)


@roc_curve.right
def threshold_by_threshold(y_true, y_score):
    thresholds = np.r_[np.inf, np.unique(y_score)[::-1]]
    called = y_score >= thresholds[:, None]
    return called[:, y_true == 0].mean(axis=1), called[:, y_true == 1].mean(axis=1), thresholds


@roc_curve.right
def one_pass(y_true, y_score):
    order = sorted(range(len(y_true)), key=lambda i: -y_score[i])
    fpr, tpr, thresholds = [0], [0], [np.inf]
    for i in order:
        if y_score[i] != thresholds[-1]:
            fpr.append(fpr[-1])
            tpr.append(tpr[-1])
            thresholds.append(y_score[i])
        (tpr if y_true[i] else fpr)[-1] += 1
    return np.array(fpr) / fpr[-1], np.array(tpr) / tpr[-1], thresholds


@roc_curve.library
def sklearn_curve(y_true, y_score):
    from sklearn.metrics import roc_curve

    return roc_curve(y_true, y_score, drop_intermediate=False)


@roc_curve.wrong("The curve starts at (0, 0), where the threshold is infinity and nobody is called positive.")
def no_origin(y_true, y_score):
    return tuple(column[1:] for column in threshold_by_threshold(y_true, y_score))


@roc_curve.wrong("Samples with equal scores cross the threshold together: one point for each distinct score.")
def ties_one_by_one(y_true, y_score):
    order = np.argsort(-y_score, kind="stable")
    positive, score = y_true[order] == 1, y_score[order]
    fps, tps = np.r_[0, np.cumsum(~positive)], np.r_[0, np.cumsum(positive)]
    return fps / fps[-1], tps / tps[-1], np.r_[np.inf, score]


@roc_curve.wrong("FPR divides by all negatives, FP + TN. FP / (FP + TP) is 1 - precision.")
def one_minus_precision(y_true, y_score):
    _, tpr, thresholds = threshold_by_threshold(y_true, y_score)
    called = y_score >= thresholds[:, None]
    return called[:, y_true == 0].sum(axis=1) / np.maximum(called.sum(axis=1), 1), tpr, thresholds


@roc_curve.wrong("The thresholds fall, so that the rates rise from 0 to 1.")
def rising_thresholds(y_true, y_score):
    return tuple(column[::-1] for column in threshold_by_threshold(y_true, y_score))


@roc_curve.wrong("A sample whose score equals the threshold is called positive: >=, not >.")
def strictly_above(y_true, y_score):
    thresholds = np.r_[np.inf, np.unique(y_score)[::-1]]
    called = y_score > thresholds[:, None]
    return called[:, y_true == 0].mean(axis=1), called[:, y_true == 1].mean(axis=1), thresholds


@roc_curve.wrong("The order is fpr, tpr, thresholds: the horizontal axis first.")
def tpr_first(y_true, y_score):
    fpr, tpr, thresholds = threshold_by_threshold(y_true, y_score)
    return tpr, fpr, thresholds


# --- the area under the ROC curve ------------------------------------------------------------------------------------

roc_auc = Exercise(
    id="metrics/roc_auc",
    signature="roc_auc(y_true, y_score) -> auc",
    task="Return the area under the ROC curve. y_true holds 0 and 1, both of them; scores may be tied.",
    task_zh="计算 ROC 曲线下的面积。y_true 含 0 和 1 两类；分数可能相同。",
    reference=metrics.roc_auc_score,
    **CURVE,
    forbidden=("sklearn.metrics", "scipy.stats"),
    cost="O(n log n): the sort; comparing all pairs would take O(P N)",
    hints=(
        "The area is a probability: that a random positive scores higher than a random negative.",
        "Compare every positive with every negative. A tie counts one half.",
        "positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]; "
        "then the mean of (positive > negative) plus half the mean of (positive == negative).",
    ),
)


@roc_auc.right
def pairs(y_true, y_score):
    positive, negative = y_score[y_true == 1][:, None], y_score[y_true == 0]
    return np.mean(positive > negative) + np.mean(positive == negative) / 2


@roc_auc.right
def trapezoids(y_true, y_score):
    fpr, tpr, _ = threshold_by_threshold(y_true, y_score)
    return np.trapezoid(tpr, fpr)


@roc_auc.right
def mean_ranks(y_true, y_score):
    rank = [(np.sum(y_score < score) + np.sum(y_score <= score) + 1) / 2 for score in y_score]
    positives = int(y_true.sum())
    u = sum(r for r, truth in zip(rank, y_true, strict=True) if truth) - positives * (positives + 1) / 2
    return u / (positives * (len(y_true) - positives))


@roc_auc.library
def sklearn_auc(y_true, y_score):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(y_true, y_score)


@roc_auc.wrong("A tie between a positive and a negative counts one half. Here it counts nothing.")
def ties_lost(y_true, y_score):
    return np.mean(y_score[y_true == 1][:, None] > y_score[y_true == 0])


@roc_auc.wrong("A tie between a positive and a negative counts one half. Here it counts as won: >= should be >.")
def ties_won(y_true, y_score):
    return np.mean(y_score[y_true == 1][:, None] >= y_score[y_true == 0])


@roc_auc.wrong("argsort twice gives tied scores different ranks. Each of them needs the mean of their ranks.")
def ranks_without_ties(y_true, y_score):
    rank = y_score.argsort(kind="stable").argsort() + 1
    positives = y_true.sum()
    return (rank[y_true == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(y_true) - positives))


@roc_auc.wrong("Tied samples must enter the curve in one step. Here the area depends on the order of the samples.")
def ties_in_order(y_true, y_score):
    fpr, tpr, _ = ties_one_by_one(y_true, y_score)
    return np.trapezoid(tpr, fpr)


@roc_auc.wrong("The curve starts at (0, 0). Without it the first piece of the area is missing.")
def area_without_origin(y_true, y_score):
    fpr, tpr, _ = no_origin(y_true, y_score)
    return np.trapezoid(tpr, fpr)


@roc_auc.wrong("This is 1 - AUC: the axes or the classes are swapped, or the scores run the wrong way.")
def upside_down(y_true, y_score):
    return 1 - pairs(y_true, y_score)


@roc_auc.wrong("This is the area at one threshold, 0.5. The AUC needs the order of all scores, not predicted classes.")
def one_threshold(y_true, y_score):
    return pairs(y_true, y_score >= 0.5)


@roc_auc.wrong("The area is negative because the x axis runs from 1 to 0: turn both arrays round.")
def negative_area(y_true, y_score):
    return -pairs(y_true, y_score)


# --- average precision -----------------------------------------------------------------------------------------------

average_precision = Exercise(
    id="metrics/average_precision",
    signature="average_precision(y_true, y_score) -> ap",
    task="Return the average precision: over the distinct scores from the highest down, the sum of the precision times "
    "the gain of recall. No interpolation; scores may be tied.",
    task_zh="计算平均精确率（AP）：按不同分数从高到低，对“精确率 × 召回率增量”求和。不插值；分数可能相同。",
    reference=metrics.average_precision_score,
    **CURVE,
    forbidden=("sklearn.metrics",),
    cost="O(n log n): the sort",
    hints=(
        "Walk down the thresholds. Each step adds a rectangle, as wide as recall grows and as high as the precision.",
        "Only the precision after the whole step counts, and tied samples make one step.",
        "called = y_score >= np.unique(y_score)[::-1][:, None]; tp = called @ y_true; recall = tp / y_true.sum(); "
        "precision = tp / called.sum(axis=1); then sum precision times np.diff(recall, prepend=0).",
    ),
)


@average_precision.right
def steps(y_true, y_score):
    called = y_score >= np.unique(y_score)[::-1][:, None]
    tp = called @ y_true
    precision, recall = tp / called.sum(axis=1), tp / y_true.sum()
    return precision @ np.diff(recall, prepend=0)


@average_precision.right
def mean_over_positives(y_true, y_score):
    return np.mean([y_true[y_score >= score].mean() for score in y_score[y_true == 1]])


@average_precision.library
def sklearn_ap(y_true, y_score):
    from sklearn.metrics import average_precision_score

    return average_precision_score(y_true, y_score)


@average_precision.wrong("Average precision is a sum of rectangles: trapezoids draw lines that no classifier reaches.")
def trapezoids_under_precision(y_true, y_score):
    precision, recall, _ = metrics.precision_recall_curve(y_true, y_score)
    return -np.trapezoid(precision, recall)


@average_precision.wrong("Tied samples make one step. Here the result depends on the order of the samples.")
def rank_by_rank(y_true, y_score):
    hit = y_true[np.argsort(-y_score, kind="stable")]
    return np.sum(np.cumsum(hit) / np.arange(1, len(hit) + 1) * hit) / hit.sum()


@average_precision.wrong(
    "The precision counts once for each positive, not for each sample: weight it by the gain of recall."
)
def mean_over_all(y_true, y_score):
    return np.mean([y_true[y_score >= score].mean() for score in y_score])


@average_precision.wrong("This is the interpolated area of detection benchmarks, with the best precision to the right.")
def interpolated(y_true, y_score):
    precision, recall, _ = metrics.precision_recall_curve(y_true, y_score)
    return -np.diff(recall) @ np.maximum.accumulate(precision[:-1])


@average_precision.wrong("Divide by the number of positives: the gains of recall add up to 1.")
def not_divided(y_true, y_score):
    return steps(y_true, y_score) * y_true.sum()


@average_precision.wrong("This is the area under the ROC curve. Here the x axis is recall and the y axis precision.")
def other_curve(y_true, y_score):
    return pairs(y_true, y_score)


@average_precision.wrong("Start with the highest score. Here the lowest one is called positive first.")
def lowest_first(y_true, y_score):
    return steps(y_true, -y_score)
