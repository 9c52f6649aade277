"""How good is a classifier? Counts at one threshold, curves over all thresholds, areas and points on the curves.

Arguments and results follow scikit-learn. The positive class is 1; the negative class is 0 or -1.

References
----------
Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27 (2006).
Davis and Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006.
"""

import numpy as np

from ..validation import check_array, check_number, check_same_length

# --- counts at one threshold ---------------------------------------------------------------------------------------


def confusion_matrix(y_true, y_pred, *, labels=None, sample_weight=None):
    """Count how often class i was predicted as class j.

    Parameters
    ----------
    y_true, y_pred : (n,) array_like of numbers
        True and predicted classes.
    labels : (k,) array_like, optional
        The classes, in the order wanted; by default those that occur, sorted. Samples of other classes are left out.
    sample_weight : (n,) array_like, optional
        What each sample counts for; 1 by default.

    Returns
    -------
    (k, k) ndarray
        Row: true class. Column: predicted class. For classes 0 and 1: ``[[TN, FP], [FN, TP]]``.
        Integers, unless weighted.

    Raises
    ------
    ValueError
        If an array is empty, not one-dimensional, of another length, or holds NaN.
    """
    y_true, y_pred, weight = _labels(y_true, y_pred, sample_weight)
    labels = np.unique([y_true, y_pred]) if labels is None else check_array("labels", labels, ndim=1)
    known = np.isin(y_true, labels) & np.isin(y_pred, labels)
    if not np.isin(y_true, labels).any():
        raise ValueError("labels must name at least one class of y_true")
    order = np.argsort(labels)
    row, column = (order[np.searchsorted(labels, y[known], sorter=order)] for y in (y_true, y_pred))
    matrix = np.zeros((len(labels), len(labels)), dtype=int if sample_weight is None else float)
    np.add.at(matrix, (row, column), weight[known].astype(matrix.dtype))
    return matrix


def accuracy_score(y_true, y_pred, *, sample_weight=None):
    """Share of the samples predicted right: (TP + TN) / all. Arguments as in `confusion_matrix`."""
    y_true, y_pred, weight = _labels(y_true, y_pred, sample_weight)
    return float(weight @ (y_true == y_pred) / weight.sum())


def precision_score(y_true, y_pred, *, sample_weight=None, zero_division=0.0):
    """Of what was called positive, the share that is: TP / (TP + FP).

    Parameters
    ----------
    y_true, y_pred : (n,) array_like of {0, 1} or {-1, 1}
    sample_weight : (n,) array_like, optional
    zero_division : float in [0, 1]
        The answer when nothing was called positive.

    Raises
    ------
    ValueError
        If an array is empty, has the wrong shape or holds NaN or a third class.
    """
    _, fp, _, tp = _binary_counts(y_true, y_pred, sample_weight)
    return float(_ratio(tp, tp + fp, zero_division))


def recall_score(y_true, y_pred, *, sample_weight=None, zero_division=0.0):
    """Of what is positive, the share that was found: TP / (TP + FN). Arguments as in `precision_score`."""
    _, _, fn, tp = _binary_counts(y_true, y_pred, sample_weight)
    return float(_ratio(tp, tp + fn, zero_division))


def fbeta_score(y_true, y_pred, *, beta, sample_weight=None, zero_division=0.0):
    """Weighted harmonic mean of precision and recall: `fbeta` of the counts.

    Parameters
    ----------
    y_true, y_pred, sample_weight, zero_division
        As in `precision_score`.
    beta : float, at least 0
        As in `fbeta`.
    """
    _, fp, fn, tp = _binary_counts(y_true, y_pred, sample_weight)
    return float(fbeta(tp, fp, fn, beta=beta, zero_division=zero_division))


def fbeta(tp, fp, fn, *, beta, zero_division=0.0):
    """F-beta from counts: the harmonic mean of precision and recall, recall having beta squared times the weight.

    F = (1 + beta^2) P R / (beta^2 P + R) = (1 + beta^2) TP / ((1 + beta^2) TP + beta^2 FN + FP).

    Parameters
    ----------
    tp, fp, fn : array_like of one shape, or numbers
        True positives, false positives and false negatives, at least 0.
    beta : float, at least 0
        0 is precision, 1 the plain F1; as beta grows, F becomes recall. At beta an equal small gain of either counts
        the same where recall is beta times precision.
    zero_division : float in [0, 1]
        The answer where the denominator is 0: nothing was found, and nothing was missed or called in vain, as far as
        beta counts it.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If a count is negative or not finite, the shapes differ, or a parameter is out of range.

    References
    ----------
    van Rijsbergen, "Information Retrieval", 2nd ed. (1979), chapter 7, where the ratio is printed upside down.
    """
    tp, fp, fn = (check_array(name, count) for name, count in (("tp", tp), ("fp", fp), ("fn", fn)))
    if not tp.shape == fp.shape == fn.shape:
        raise ValueError(f"tp, fp and fn must have one shape, got {tp.shape}, {fp.shape} and {fn.shape}")
    if min(tp.min(), fp.min(), fn.min()) < 0:
        raise ValueError("tp, fp and fn must be counts of at least 0")
    beta2 = check_number("beta", beta, at_least=0) ** 2
    return _ratio((1 + beta2) * tp, (1 + beta2) * tp + beta2 * fn + fp, zero_division)


def matthews_corrcoef(y_true, y_pred, *, sample_weight=None):
    """Correlation of truth and prediction: 1 perfect, 0 no better than chance, -1 always wrong.

    (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)), and 0 where a factor is 0: a constant correlates
    with nothing. All four cells count alike, so the rare class cannot be ignored. Arguments as in `precision_score`.

    References
    ----------
    Matthews, "Comparison of the predicted and observed secondary structure of T4 phage lysozyme", Biochimica et
    Biophysica Acta 405 (1975).
    """
    tn, fp, fn, tp = _binary_counts(y_true, y_pred, sample_weight)
    sides = np.prod(np.sqrt([tp + fp, tp + fn, tn + fp, tn + fn]))
    return float((tp * tn - fp * fn) / sides) if sides else 0.0


# --- curves over all thresholds --------------------------------------------------------------------------------------


def roc_curve(y_true, y_score, *, sample_weight=None, drop_intermediate=True):
    """Receiver operating characteristic: the false and true positive rate at every threshold.

    Parameters
    ----------
    y_true : (n,) array_like of {0, 1} or {-1, 1}
    y_score : (n,) array_like
        Higher means more positive. Samples with equal scores cross the threshold together.
    sample_weight : (n,) array_like, optional
    drop_intermediate : bool
        Leave out the points that lie inside a straight piece of the curve.

    Returns
    -------
    fpr, tpr : (m,) ndarray
        FP / (FP + TN) and TP / (TP + FN), rising from 0 to 1.
    thresholds : (m,) ndarray
        Falling; a sample is called positive if its score is at least the threshold. The first is infinity.

    Raises
    ------
    ValueError
        If y_true holds only one class, or an array is empty, has the wrong shape or holds NaN.
    """
    fps, tps, thresholds = _counts_by_threshold(*_scores(y_true, y_score, sample_weight))
    if drop_intermediate:
        keep = np.ones(len(fps), dtype=bool)  # the points at infinity and at the first score stay, as in scikit-learn
        keep[2:-1] = (np.diff(fps[1:], 2) != 0) | (np.diff(tps[1:], 2) != 0)  # where a second difference is 0, no bend
        fps, tps, thresholds = fps[keep], tps[keep], thresholds[keep]
    return fps / fps[-1], tps / tps[-1], thresholds  # at the last threshold everything is called positive


def precision_recall_curve(y_true, y_score, *, sample_weight=None):
    """Precision and recall at every threshold. Arguments and errors as in `roc_curve`.

    Returns
    -------
    precision, recall : (m + 1,) ndarray
        Recall falls from 1 to 0. The last point, precision 1 at recall 0, has no threshold.
    thresholds : (m,) ndarray
        Rising.
    """
    fps, tps, thresholds = _counts_by_threshold(*_scores(y_true, y_score, sample_weight))
    precision = tps[1:] / (tps + fps)[1:]  # not at infinity, where nothing is called positive: 0 / 0
    recall = tps[1:] / tps[-1]
    return np.r_[precision[::-1], 1.0], np.r_[recall[::-1], 0.0], thresholds[1:][::-1]


# --- one number for a curve ------------------------------------------------------------------------------------------


def auc(x, y):
    """Area under the curve through the points (x, y), by the trapezoidal rule.

    Parameters
    ----------
    x, y : (n,) array_like, n at least 2
        `x` must rise or fall throughout.

    Raises
    ------
    ValueError
        If there are fewer than two points, the lengths differ, a value is not finite, or `x` turns back.
    """
    x, y = check_array("x", x, ndim=1), check_array("y", y, ndim=1)
    check_same_length(x=x, y=y)
    if len(x) < 2:
        raise ValueError(f"x must hold at least 2 points, got {len(x)}")
    step = np.diff(x)
    if (step < 0).any() and (step > 0).any():
        raise ValueError("x must rise or fall throughout; sort the points first")
    return float(abs(np.trapezoid(y, x)))


def roc_auc_score(y_true, y_score, *, sample_weight=None):
    """Area under the ROC curve: the probability that a positive outranks a negative, ties counting one half.

    Each positive is asked how many negatives lie below it and how many at or below it; a tie lies half way. That is the
    Mann-Whitney U statistic, and it needs no curve. Weighted samples take the area under theirs. Arguments and errors
    as in `roc_curve`.

    References
    ----------
    Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982).
    """
    if sample_weight is not None:
        return auc(*roc_curve(y_true, y_score, sample_weight=sample_weight)[:2])
    positive, score, _ = _scores(y_true, y_score, None)
    return _probability_of_rank(score[positive], score[~positive])


def _probability_of_rank(positives, negatives):
    negatives = np.sort(negatives)
    positives = np.sort(positives)  # not needed, but a search in order finds what it wants in the cache
    below = np.searchsorted(negatives, positives, side="left").sum()  # pairs won
    at_or_below = np.searchsorted(negatives, positives, side="right").sum()  # pairs won or tied
    return float((below + at_or_below) / 2 / len(positives) / len(negatives))


def average_precision_score(y_true, y_score, *, sample_weight=None):
    """Area under the precision-recall curve as a sum of steps: the precision at each gain of recall.

    No trapezoids: precision does not move along a straight line between two points. Arguments and errors as in
    `roc_curve`.
    """
    precision, recall, _ = precision_recall_curve(y_true, y_score, sample_weight=sample_weight)
    return float(-np.diff(recall) @ precision[:-1])


def equal_error_rate(y_true, y_score, *, sample_weight=None):
    """The error where the ROC curve meets the line TPR = 1 - FPR, so that FPR = FNR.

    Between two points of the curve the crossing is found by linear interpolation. Arguments and errors as in
    `roc_curve`.
    """
    fpr, tpr, _ = roc_curve(y_true, y_score, sample_weight=sample_weight)
    return float(np.interp(0.0, fpr + tpr - 1, fpr))


def break_even_point(y_true, y_score, *, sample_weight=None):
    """The value at which precision equals recall.

    TP / (TP + FP) = TP / (TP + FN) holds where as many samples are called positive as there are. A tie that spans
    that count is split by linear interpolation. Arguments and errors as in `roc_curve`.
    """
    fps, tps, _ = _counts_by_threshold(*_scores(y_true, y_score, sample_weight))
    return float(np.interp(tps[-1], fps + tps, tps) / tps[-1])


# --- what the above share --------------------------------------------------------------------------------------------


def _weights(sample_weight, y_true):
    weight = check_array("sample_weight", sample_weight, ndim=1)
    check_same_length(y_true=y_true, sample_weight=weight)
    if (weight < 0).any() or not weight.any():
        raise ValueError("sample_weight must hold no negative and at least one positive weight")
    return weight


def _labels(y_true, y_pred, sample_weight):
    y_true, y_pred = check_array("y_true", y_true, ndim=1), check_array("y_pred", y_pred, ndim=1)
    check_same_length(y_true=y_true, y_pred=y_pred)
    weight = np.ones(len(y_true)) if sample_weight is None else _weights(sample_weight, y_true)
    return y_true, y_pred, weight


def _is_positive(name, y):
    positive = y == 1
    others = np.unique(y[~positive])
    if len(others) > 1 or not np.isin(others, (0, -1)).all():
        raise ValueError(f"{name} must hold the classes 0 and 1, or -1 and 1, got also {others[:5].tolist()}")
    return positive


def _binary_counts(y_true, y_pred, sample_weight):
    y_true, y_pred, weight = _labels(y_true, y_pred, sample_weight)
    pair = 2 * _is_positive("y_true", y_true) + _is_positive("y_pred", y_pred)
    return np.bincount(pair, weight, minlength=4)  # TN, FP, FN, TP


def _ratio(part, whole, zero_division):
    zero_division = check_number("zero_division", zero_division, at_least=0, at_most=1)
    return np.divide(part, whole, out=np.full(np.shape(whole), zero_division), where=whole > 0)[()]


def _scores(y_true, y_score, sample_weight):
    """Check; return who is positive, the scores, and the weights, without the samples that weigh nothing."""
    y_true, score = check_array("y_true", y_true, ndim=1), check_array("y_score", y_score, ndim=1)
    check_same_length(y_true=y_true, y_score=score)
    positive, weight = _is_positive("y_true", y_true), None
    if sample_weight is not None:
        weight = _weights(sample_weight, y_true)
        positive, score, weight = (a[weight > 0] for a in (positive, score, weight))
    if positive.all() or not positive.any():
        raise ValueError("y_true must hold both classes: with one class alone no curve is defined")
    return positive, score, weight


def _counts_by_threshold(positive, score, weight=None):
    """Count (or weigh) the false and the true positives at every distinct threshold, from infinity down."""
    order = np.argsort(-score, kind="stable")
    positive, score = positive[order], score[order]
    weight = np.ones(len(score)) if weight is None else weight[order]
    last = np.r_[np.flatnonzero(np.diff(score)), len(score) - 1]  # equal scores cross the threshold together
    fps, tps = (np.r_[0.0, np.cumsum(weight * side)[last]] for side in (~positive, positive))
    return fps, tps, np.r_[np.inf, score[last]]
