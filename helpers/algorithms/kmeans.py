"""k-means: seeding, Lloyd's iterations, how good the clusters are, and anchor boxes by 1 - IoU.

Names, arguments and learned attributes follow scikit-learn, and so does what happens to an empty cluster.

References
----------
Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28 (1982).
Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
Rousseeuw, "Silhouettes: a graphical aid", Journal of Computational and Applied Mathematics 20 (1987).
Redmon and Farhadi, "YOLO9000: better, faster, stronger", CVPR 2017.
"""

import numpy as np

from ..validation import (
    check_array,
    check_choice,
    check_columns,
    check_fitted,
    check_integer,
    check_number,
    check_random_state,
    check_same_length,
)

# --- Lloyd's iterations ----------------------------------------------------------------------------------------------


def lloyd_step(X, centers):
    """One iteration: give every sample to its nearest center, then move every center to the mean of its samples.

    A center without samples moves to the sample that is farthest from its own center; while there are fewer samples
    than centers, those that find none left share the mean of the largest cluster.

    Parameters
    ----------
    X : (n, d) array_like
    centers : (k, d) array_like

    Returns
    -------
    labels : (n,) ndarray of int
        The nearest of the old centers; the first of those equally near.
    centers : (k, d) ndarray
        The new ones.
    inertia : float
        Sum of the squared distances from the samples to the old centers.

    Raises
    ------
    ValueError
        If an array is empty, has the wrong shape, or holds NaN.
    """
    X = check_array("X", X, ndim=2)
    centers = check_columns("centers", centers, X.shape[1])
    origin = X[0]  # any place among the samples will do, and this one keeps whole numbers whole: ties stay ties
    around0 = X - origin
    labels, moved, inertia = _step(around0, around0.T, centers - origin)
    return labels, moved + origin, inertia


def _step(X, columns, centers):
    labels = _assign(X, centers)
    return labels, _update(X, columns, labels, centers), _inertia(X, labels, centers)


def _assign(X, centers):
    """The nearest center of each row of X.

    |x - c|^2 = |x|^2 - 2 x c + |c|^2. For one x the first part is the same whatever the center, so argmin needs only
    the others: one matrix product. Differences of large squares cancel, so X has to lie around the origin.
    """
    scores = X @ (-2 * centers.T)  # (n, k)
    scores += (centers**2).sum(axis=1)  # in place: making a second table takes longer than the product
    return scores.argmin(axis=1)


def _update(X, columns, labels, centers):
    """The mean of each cluster. An empty one has none: it takes over the sample that is farthest from its center.

    `columns` is X.T, whose rows a caller of many steps may lay out one after the other.
    """
    k = len(centers)
    empty = np.flatnonzero(np.bincount(labels, minlength=k) == 0)
    if len(empty):
        distance = ((X - centers[labels]) ** 2).sum(axis=1)
        farthest = np.argsort(-distance, kind="stable")[: len(empty)]
        labels = labels.copy()
        labels[farthest] = empty[: len(X)]
    counts = np.bincount(labels, minlength=k)
    sums = np.stack([np.bincount(labels, column, k) for column in columns], axis=1)  # adds up a column by cluster
    means = sums / np.maximum(counts, 1)[:, None]
    means[counts == 0] = means[counts.argmax()]  # the sample that was taken over was its cluster's last
    return means


def _inertia(X, labels, centers):
    away = centers.take(labels, axis=0)
    away -= X  # in place: a second table takes longer than the subtraction
    return float(np.vdot(away, away))


def _lloyd(X, centers, max_iter, tol):
    """Repeat the two steps until nobody changes clusters, or the centers hardly move: labels, centers, inertias."""
    labels, inertias = None, []
    columns = np.ascontiguousarray(X.T)  # means are taken a column at a time
    while len(inertias) < max_iter:
        before, old = labels, centers
        labels, centers, inertia = _step(X, columns, old)
        inertias.append(inertia)
        if np.array_equal(labels, before):  # the centers were the means of these clusters already
            return labels, centers, inertias
        if ((centers - old) ** 2).sum() <= tol:
            break
    return _assign(X, centers), centers, inertias  # labels that belong to the last centers


# --- seeding ---------------------------------------------------------------------------------------------------------


def kmeans_plusplus(X, n_clusters, random_state=None):
    """Choose samples as starting centers: each with a probability proportional to its squared distance from the chosen.

    Parameters
    ----------
    X : (n, d) array_like
    n_clusters : int, from 1 to n
    random_state : int or numpy.random.Generator, optional

    Returns
    -------
    centers : (n_clusters, d) ndarray
    indices : (n_clusters,) ndarray of int
        Which samples they are.

    Raises
    ------
    ValueError
        If `X` is empty, has the wrong shape or holds NaN, or another argument is out of range.
    """
    X = check_array("X", X, ndim=2)
    n_clusters = check_integer("n_clusters", n_clusters, at_least=1, at_most=len(X))
    indices = _plusplus(X, n_clusters, check_random_state(random_state))
    return X[indices], indices


def _plusplus(X, k, rng):
    indices = [rng.integers(len(X))]
    D2 = np.full(len(X), np.inf)  # squared distance of each sample from the nearest center chosen so far
    while len(indices) < k:
        D2 = np.minimum(D2, ((X - X[indices[-1]]) ** 2).sum(axis=1))
        if not D2.any():  # fewer distinct samples than clusters: any sample not yet chosen will do
            D2[np.setdiff1d(np.arange(len(X)), indices)] = 1
        indices.append(rng.choice(len(X), p=D2 / D2.sum()))
    return np.array(indices)


class KMeans:
    """k clusters with the smallest sum of squared distances that Lloyd's iterations can find.

    Parameters
    ----------
    n_clusters : int
    init : "k-means++", "random" or (n_clusters, d) array_like
        How to start: `kmeans_plusplus`, random samples, or these centers.
    n_init : int or "auto"
        Runs from different starts; the one with the lowest inertia is kept. "auto": 10 if `init` is "random", else 1.
        Given centers are one start, hence one run.
    max_iter : int
    tol : float, at least 0
        Stop when the centers' squared shifts add up to no more than this share of the features' mean variance.
    random_state : int or numpy.random.Generator, optional

    Attributes
    ----------
    cluster_centers_ : (n_clusters, d) ndarray
    labels_ : (n,) ndarray of int
    inertia_ : float
        Sum of the squared distances from the samples to their centers.
    n_iter_ : int
    history_ : (n_iter_,) ndarray
        Inertia at each iteration, before the centers move.
    """

    def __init__(self, n_clusters=8, init="k-means++", n_init="auto", max_iter=300, tol=1e-4, random_state=None):
        self.n_clusters, self.init, self.n_init = n_clusters, init, n_init
        self.max_iter, self.tol, self.random_state = max_iter, tol, random_state

    def fit(self, X, y=None):
        """Find the clusters of the samples `X`, (n, d). Return self.

        Raises
        ------
        ValueError
            If `X` is empty, has the wrong shape or holds NaN, or a parameter is out of range.
        """
        X = check_array("X", X, ndim=2)
        max_iter = check_integer("max_iter", self.max_iter, at_least=1)
        mean, best = X.mean(axis=0), np.inf
        around0 = X - mean  # there fewer digits cancel
        tol = check_number("tol", self.tol, at_least=0) * (around0**2).mean()
        for start in self._starts(X):
            labels, centers, inertias = _lloyd(around0, start - mean, max_iter, tol)
            inertia = _inertia(around0, labels, centers)
            if inertia < best:
                best = self.inertia_ = inertia
                self.cluster_centers_, self.labels_ = centers + mean, labels
                self.n_iter_, self.history_ = len(inertias), np.array(inertias)
        return self

    def predict(self, X):
        """Return the nearest center of each row of `X`, (n, d)."""
        check_fitted(self, "cluster_centers_")
        mean = self.cluster_centers_.mean(axis=0)
        return _assign(check_columns("X", X, len(mean)) - mean, self.cluster_centers_ - mean)

    def _starts(self, X):
        """The centers that each run starts from."""
        k = check_integer("n_clusters", self.n_clusters, at_least=1, at_most=len(X))
        auto = isinstance(self.n_init, str) and self.n_init == "auto"
        n_init = 1 if auto else check_integer("n_init", self.n_init, at_least=1)
        rng = check_random_state(self.random_state)
        if not isinstance(self.init, str):
            init = check_columns("init", self.init, X.shape[1])
            if len(init) != k:
                raise ValueError(f"init must hold {k} centers, got {len(init)}")
            return [init]
        check_choice("init", self.init, ("k-means++", "random"))
        if self.init == "random":
            return [X[rng.choice(len(X), k, replace=False)] for _ in range(10 if auto else n_init)]
        return [X[_plusplus(X, k, rng)] for _ in range(n_init)]


# --- how good are the clusters? ---------------------------------------------------------------------------------------


def silhouette_score(X, labels):
    """Mean over the samples of (b - a) / max(a, b): near 1 if clusters are tight and far apart, below 0 if mixed up.

    a is the mean distance from a sample to the others of its cluster, b that to the nearest other cluster. A sample
    alone in its cluster scores 0.

    Parameters
    ----------
    X : (n, d) array_like
    labels : (n,) array_like of numbers
        From 2 to n - 1 different ones.

    Raises
    ------
    ValueError
        If an array is empty, has the wrong shape or holds NaN, or there are too few or too many clusters.
    """
    X, labels = check_array("X", X, ndim=2), check_array("labels", labels, ndim=1)
    check_same_length(X=X, labels=labels)
    names, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= len(names) < len(X):
        raise ValueError(f"labels must name 2 to n - 1 = {len(X) - 1} clusters, got {len(names)}")
    member = np.eye(len(names))[labels]  # (n, k), 1 where a sample belongs
    total = 0.0
    for rows in np.array_split(np.arange(len(X)), len(X) // 500 + 1):  # all n x n distances at once need much memory
        sums, own = _distances(X, rows) @ member, labels[rows]  # from each sample to all of each cluster
        a = np.take_along_axis(sums, own[:, None], axis=1)[:, 0] / np.maximum(counts[own] - 1, 1)  # itself left out
        b = np.where(member[rows] == 1, np.inf, sums / counts).min(axis=1)
        larger = np.maximum(a, b)
        score = np.divide(b - a, larger, out=np.zeros(len(rows)), where=(larger > 0) & (counts[own] > 1))
        total += score.sum()
    return float(total / len(X))


def _distances(X, rows):
    """Distance of these rows of X from all rows."""
    X = X - X.mean(axis=0)  # around 0 fewer digits cancel
    squares = (X**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[rows, None] + squares - 2 * X[rows] @ X.T, 0))
    distance[np.arange(len(rows)), rows] = 0  # from itself, exactly
    return distance


# --- anchor boxes -----------------------------------------------------------------------------------------------------


def mean_best_iou(wh, anchors):
    """Mean over the boxes of the largest IoU with an anchor, both with one corner at the origin.

    Parameters
    ----------
    wh : (n, 2) array_like
        Widths and heights, above 0.
    anchors : (k, 2) array_like

    Raises
    ------
    ValueError
        If an array is empty, has the wrong shape, or holds NaN or a size that is not above 0.
    """
    return float(_iou(_sizes("wh", wh), _sizes("anchors", anchors)).max(axis=1).mean())


def iou_kmeans(wh, n_anchors, n_init=10, max_iter=300, random_state=None):
    """Anchor boxes by k-means with the distance 1 - IoU: a large box may miss by more than a small one.

    The mean of a cluster's boxes is not the box with the best mean IoU, so a step may also lose; the best anchors on
    the way are kept.

    Parameters
    ----------
    wh : (n, 2) array_like
        Widths and heights of the boxes, above 0.
    n_anchors : int, from 1 to n
    n_init : int
        Starts from different random boxes.
    max_iter : int
    random_state : int or numpy.random.Generator, optional

    Returns
    -------
    (n_anchors, 2) ndarray
        Widths and heights, by rising area.

    Raises
    ------
    ValueError
        If `wh` is empty, has the wrong shape, holds NaN or a size that is not above 0, or a number is out of range.
    """
    wh = _sizes("wh", wh)
    n_anchors = check_integer("n_anchors", n_anchors, at_least=1, at_most=len(wh))
    n_init, max_iter = check_integer("n_init", n_init, at_least=1), check_integer("max_iter", max_iter, at_least=1)
    rng = check_random_state(random_state)
    starts = (wh[rng.choice(len(wh), n_anchors, replace=False)] for _ in range(n_init))
    _, anchors = max((_anchors(wh, start, max_iter) for start in starts), key=lambda found: found[0])
    return anchors[np.argsort(anchors.prod(axis=1))]


def _anchors(wh, anchors, max_iter):
    """Lloyd's iterations with 1 - IoU as the distance: the best mean IoU on the way, and its anchors."""
    labels, best, found = None, -1.0, None
    for _ in range(max_iter):
        iou = _iou(wh, anchors)
        before, labels, fit = labels, iou.argmax(axis=1), iou.max(axis=1).mean()
        if fit > best:
            best, found = fit, anchors
        if np.array_equal(labels, before):
            break
        anchors = _update(wh, wh.T, labels, anchors)
    return best, found


def _iou(wh, anchors):
    """(n, k): boxes with one corner in common overlap in the smaller width times the smaller height."""
    inter = np.minimum(wh[:, None], anchors).prod(axis=2)
    return inter / (wh.prod(axis=1)[:, None] + anchors.prod(axis=1) - inter)


def _sizes(name, value):
    wh = check_columns(name, value, 2)
    if (wh <= 0).any():
        raise ValueError(f"{name} must hold widths and heights above 0")
    return wh
