"""k-means: seeding, Lloyd's iterations, how good the clusters are, and anchor boxes by 1 - IoU.

Names, arguments and learned attributes follow scikit-learn, and so does what happens to an empty cluster.

References
----------
Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28 (1982).
Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
Rousseeuw, "Silhouettes: a graphical aid", Journal of Computational and Applied Mathematics 20 (1987).
Redmon and Farhadi, "YOLO9000: better, faster, stronger", CVPR 2017.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import ThreadpoolController

from .validation import check_array, check_choice, check_integer, check_number, check_same_length

BLAS, THREADS = ThreadpoolController(), os.cpu_count() or 1
BLOCK = 2**17  # distances computed at a time: few enough to stay in the processor's cache


def lloyd_step(X, centers):
    """One iteration: give every sample to its nearest center, then move every center to the mean of its samples.

    A center without samples moves to the sample that is farthest from its own center.

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
    X = _samples("X", X)
    centers = _samples("centers", centers, like=X)
    X1 = _with_ones(X)
    labels = _nearest(X1, centers)
    moved = _means(X1, labels, centers, _sums(X1, labels, len(centers)))
    return labels, moved, _inertia(X, labels, centers)


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
        If `X` is empty, has the wrong shape or holds NaN, or `n_clusters` is out of range.
    """
    X = _samples("X", X)
    n_clusters = check_integer("n_clusters", n_clusters, at_least=1, at_most=len(X))
    rng = np.random.default_rng(random_state)
    indices = [rng.integers(len(X))]
    D2 = np.full(len(X), np.inf)
    while len(indices) < n_clusters:
        D2 = np.minimum(D2, ((X - X[indices[-1]]) ** 2).sum(axis=1))
        if not D2.any():  # fewer distinct samples than clusters
            D2[np.setdiff1d(np.arange(len(X)), indices)] = 1
        indices.append(rng.choice(len(X), p=D2 / D2.sum()))
    return X[indices], np.array(indices)


class KMeans:
    """k clusters with the smallest sum of squared distances that Lloyd's iterations can find.

    Parameters
    ----------
    n_clusters : int
    init : "k-means++", "random" or (n_clusters, d) array_like
        How to start: `kmeans_plusplus`, random samples, or these centers.
    n_init : int or "auto"
        Runs from different starts; the one with the lowest inertia is kept. "auto": 10 if `init` is "random", else 1.
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

    Raises
    ------
    ValueError
        If an argument is out of range; at `fit`, also if `X` is empty, has the wrong shape or holds NaN.
    """

    def __init__(self, n_clusters=8, init="k-means++", n_init="auto", max_iter=300, tol=1e-4, random_state=None):
        self.n_clusters = check_integer("n_clusters", n_clusters, at_least=1)
        self.init = check_choice("init", init, ("k-means++", "random")) if isinstance(init, str) else init
        self.n_init = n_init if n_init == "auto" else check_integer("n_init", n_init, at_least=1)
        self.max_iter = check_integer("max_iter", max_iter, at_least=1)
        self.tol = check_number("tol", tol, at_least=0)
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find the clusters of the samples `X`, (n, d). Return self."""
        X = _samples("X", X)
        if self.n_clusters > len(X):
            raise ValueError(f"n_clusters must be at most the number of samples, {len(X)}, got {self.n_clusters}")
        rng = np.random.default_rng(self.random_state)
        if not isinstance(self.init, str):
            runs = 1
        elif self.n_init == "auto":
            runs = 10 if self.init == "random" else 1
        else:
            runs = self.n_init
        mean, centered = X.mean(axis=0), _with_ones(X)
        centered[:, :-1] -= mean  # around the mean, fewer digits cancel
        best = np.inf
        with BLAS.limit(limits=1), ThreadPoolExecutor(THREADS) as pool:  # our threads instead of those of a product
            for _ in range(runs):
                found = self._run(centered, self._start(X, rng) - mean, pool)
                if found[0] < best:
                    best = found[0]
                    self.inertia_, self.labels_, centers, self.history_ = found
                    self.cluster_centers_, self.n_iter_ = centers + mean, len(self.history_)
        return self

    def predict(self, X):
        """Return the nearest center of each row of `X`, (n, d)."""
        if not hasattr(self, "cluster_centers_"):
            raise ValueError("fit must be called before predict")
        return _nearest(_with_ones(_samples("X", X, like=self.cluster_centers_)), self.cluster_centers_)

    def _start(self, X, rng):
        if not isinstance(self.init, str):
            init = _samples("init", self.init, like=X)
            if len(init) != self.n_clusters:
                raise ValueError(f"init must hold {self.n_clusters} centers, got {len(init)}")
            return init
        if self.init == "random":
            return X[rng.choice(len(X), self.n_clusters, replace=False)]
        return kmeans_plusplus(X, self.n_clusters, rng)[0]

    def _run(self, X1, centers, pool):
        """Repeat `lloyd_step`, with one saving: only the samples that change clusters change the sums."""
        X, k, history = X1[:, :-1], len(centers), []
        squares = np.einsum("ij,ij", X, X)  # X is centered, so this over its size is the mean variance
        tol = self.tol * squares / X.size
        before = labels = _nearest(X1, centers, pool)
        sums = _sums(X1, labels, k)
        while True:
            # sum |x - c|^2 = sum |x|^2 + sum over clusters of (count |c|^2 - 2 c sum)
            inertia = squares + (sums[:, -1] @ centers**2).sum() - 2 * (centers * sums[:, :-1]).sum()
            history.append(max(inertia, 0.0))
            old, centers = centers, _means(X1, labels, centers, sums)
            settled = len(history) > 1 and np.array_equal(labels, before)  # the centers were these means already
            if not settled:
                before, labels = labels, _nearest(X1, centers, pool)
            if settled or ((centers - old) ** 2).sum() <= tol or len(history) == self.max_iter:
                return _inertia(X, labels, centers), labels, centers, np.array(history)
            moved = np.flatnonzero(labels != before)
            movers = X1.take(moved, axis=0)
            sums = sums + _sums(movers, labels[moved], k) - _sums(movers, before[moved], k)


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
    X, labels = _samples("X", X), check_array("labels", labels, ndim=1)
    check_same_length(X=X, labels=labels)
    names, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= len(names) < len(X):
        raise ValueError(f"labels must name 2 to n - 1 = {len(X) - 1} clusters, got {len(names)}")
    X = X - X.mean(axis=0)
    squares, member = (X**2).sum(axis=1), np.eye(len(names))[labels]
    total = 0.0
    for start in range(0, len(X), 500):
        rows = np.arange(start, min(start + 500, len(X)))
        distance = np.sqrt(np.maximum(squares[rows, None] + squares - 2 * X[rows] @ X.T, 0))
        distance[rows - start, rows] = 0
        sums, own = distance @ member, labels[rows]
        a = sums[rows - start, own] / np.maximum(counts[own] - 1, 1)
        b = np.where(member[rows] == 1, np.inf, sums / counts).min(axis=1)
        total += ((b - a) / np.maximum(np.maximum(a, b), np.finfo(float).tiny))[counts[own] > 1].sum()
    return float(total / len(X))


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
    wh1, rng, best, found = _with_ones(wh), np.random.default_rng(random_state), -1.0, None
    for _ in range(n_init):
        anchors, labels = wh[rng.choice(len(wh), n_anchors, replace=False)], None
        for _ in range(max_iter):
            iou = _iou(wh, anchors)
            before, labels, fit = labels, iou.argmax(axis=1), iou.max(axis=1)
            if fit.mean() > best:
                best, found = fit.mean(), anchors
            if np.array_equal(labels, before):
                break
            anchors = _means(wh1, labels, anchors, _sums(wh1, labels, n_anchors))
    return found[np.argsort(found.prod(axis=1))]


def _samples(name, value, like=None):
    X = check_array(name, value, ndim=2)
    if like is not None and X.shape[1] != like.shape[1]:
        raise ValueError(f"{name} must have {like.shape[1]} columns, got shape {X.shape}")
    return X


def _sizes(name, value):
    wh = check_array(name, value, ndim=2)
    if wh.shape[1] != 2 or (wh <= 0).any():
        raise ValueError(f"{name} must be (n, 2), widths and heights above 0, got shape {wh.shape}")
    return wh


def _iou(wh, anchors):
    inter = np.minimum(wh[:, None], anchors).prod(axis=2)
    return inter / (wh.prod(axis=1)[:, None] + anchors.prod(axis=1) - inter)


def _with_ones(X):
    """X with a last column of ones: in a product it adds a constant, and its sum is a count."""
    X1 = np.empty((len(X), X.shape[1] + 1))
    X1[:, :-1], X1[:, -1] = X, 1
    return X1


def _nearest(X1, centers, pool=None):
    """Label each sample, in several threads if there is a pool of them.

    |x - c|^2 = |x|^2 - 2 x c + |c|^2, and the first part is the same for every center.
    """
    weights = np.vstack([-2 * centers.T, (centers**2).sum(axis=1)])
    labels, rows = np.empty(len(X1), dtype=np.intp), max(1, BLOCK // len(centers))

    def label(X1, labels):
        distance = np.empty((rows, len(centers)))
        for start in range(0, len(X1), rows):
            block = X1[start : start + rows]
            part = np.matmul(block, weights, out=distance[: len(block)])
            part.argmin(axis=1, out=labels[start : start + rows])

    parts = min(THREADS, max(1, len(X1) // rows)) if pool else 1
    (mine, *others) = zip(np.array_split(X1, parts), np.array_split(labels, parts), strict=True)
    waiting = [pool.submit(label, *part) for part in others]
    label(*mine)
    for other in waiting:
        other.result()
    return labels


def _inertia(X, labels, centers):
    rows = max(1, BLOCK // X.shape[1])
    parts = (slice(start, start + rows) for start in range(0, len(X), rows))
    return float(sum(np.square(X[part] - centers[labels[part]]).sum() for part in parts))


def _sums(X1, labels, k):
    """Sum of the samples of each cluster; the last column counts them."""
    return np.stack([np.bincount(labels, column, k) for column in X1.T], axis=1)


def _means(X1, labels, centers, sums):
    """The mean of each cluster; an empty one takes over the sample that is farthest from its center."""
    empty = np.flatnonzero(sums[:, -1] == 0)
    if len(empty):
        sums, distance = sums.copy(), ((X1[:, :-1] - centers[labels]) ** 2).sum(axis=1)
        if distance.max() > 0:
            farthest = np.argpartition(distance, -len(empty))[: -len(empty) - 1 : -1]
            for new, i in zip(empty, farthest, strict=True):
                sums[labels[i]] -= X1[i]
                sums[new] = X1[i]
    counts = sums[:, -1]
    means = sums[:, :-1] / np.maximum(counts, 1)[:, None]
    means[counts == 0] = means[counts.argmax()]  # there are fewer distinct samples than clusters
    return means
