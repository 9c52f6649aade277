"""k-means against scikit-learn from the same start, its properties, seeding, anchors, and the bad input refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import cluster, metrics

from helpers import datasets
from helpers.algorithms.kmeans import (
    KMeans,
    iou_kmeans,
    kmeans_plusplus,
    lloyd_step,
    mean_best_iou,
    silhouette_score,
)


def digits():
    """Whole numbers make ties, which rounding decides; a little noise decides them for both."""
    data = datasets.digits()
    return data._replace(X=data.X + np.random.default_rng(0).normal(0, 1e-4, data.X.shape))


REAL = {"iris": datasets.iris, "wine": datasets.wine, "digits": digits, "breast_cancer": datasets.breast_cancer}
quick = settings(derandomize=True, deadline=None, max_examples=60)
X_FEW = arrays(np.float64, st.tuples(st.integers(4, 12), st.integers(1, 3)), elements=st.integers(-4, 4))


def both(X, k, start, **options):
    theirs = cluster.KMeans(k, init=start, n_init=1, **options).fit(X)
    return KMeans(k, init=start, n_init=1, **options).fit(X), theirs


def assert_same(ours, theirs):
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-9, atol=1e-9)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-9)
    assert ours.n_iter_ == theirs.n_iter_


@pytest.mark.parametrize("tol", [1e-4, 0.0])
@pytest.mark.parametrize("k", [1, 2, 3, 8, 20])
@pytest.mark.parametrize("name", REAL)
def test_equals_sklearn_on_real_data(name, k, tol):
    X = REAL[name]().X
    for seed in range(2):
        start = X[np.random.default_rng(seed).choice(len(X), k, replace=False)]
        ours, theirs = both(X, k, start, tol=tol)
        assert_same(ours, theirs)
        np.testing.assert_array_equal(ours.predict(X[:50] + 0.1), theirs.predict(X[:50] + 0.1))


@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_equals_sklearn_when_cut_short(max_iter):
    X = digits().X
    theirs = cluster.KMeans(10, init=X[:10], n_init=1, max_iter=max_iter).fit(X)
    assert_same(KMeans(10, init=X[:10], max_iter=max_iter).fit(X), theirs)


def test_equals_sklearn_in_many_threads():
    """Large enough that the samples are shared out."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 8)) + 5 * rng.integers(0, 3, (40_000, 1))
    assert_same(*both(X, 16, X[:16], max_iter=100))


@pytest.mark.parametrize("far", [[100.0, 100.0], [[100.0, 100.0], [90.0, 90.0], [-80.0, 70.0]]])
def test_empty_clusters_move_as_in_sklearn(far):
    """Starting centers beyond all samples own none of them."""
    X = datasets.iris().X[:, :2]
    start = np.vstack([X[:3], far])
    ours, theirs = both(X, len(start), start)
    assert_same(ours, theirs)
    assert len(np.unique(ours.labels_)) == len(start)


def test_a_step_with_more_centers_than_samples():
    X = np.array([[0.0, 1], [4, 1]])
    labels, centers, inertia = lloyd_step(X, [[9.0, 9], [0, 0], [5, 0], [8, 8], [7, 9]])
    assert labels.tolist() == [1, 2] and inertia == 1 + 2
    assert {tuple(center) for center in centers.tolist()} == {(0, 1), (4, 1)}, "each sample has a center of its own"


def test_an_empty_cluster_takes_the_farthest_sample():
    X = np.array([[0.0], [1.0], [2.0], [10.0]])
    labels, centers, inertia = lloyd_step(X, np.array([[1.0], [50.0]]))
    assert labels.tolist() == [0, 0, 0, 0]
    assert centers.tolist() == [[1.0], [10.0]]
    assert inertia == 1 + 0 + 1 + 81


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_fewer_distinct_samples_than_clusters(init):
    model = KMeans(3, init=init, random_state=0).fit(np.array([[1.0], [1.0], [2.0], [2.0]]))
    assert model.inertia_ == 0
    assert np.isfinite(model.cluster_centers_).all()


@quick
@given(X_FEW, st.integers(1, 4), st.integers(0, 10))
def test_properties_of_the_solution(X, k, seed):
    model = KMeans(k, random_state=seed, tol=0).fit(X)
    assert (np.diff(model.history_) <= 1e-9).all(), "inertia never rises"
    assert len(model.history_) == model.n_iter_
    distances = ((X[:, None] - model.cluster_centers_) ** 2).sum(axis=2)
    assert model.inertia_ == pytest.approx(distances.min(axis=1).sum(), abs=1e-9)
    assert distances[np.arange(len(X)), model.labels_] == pytest.approx(distances.min(axis=1), abs=1e-9)
    for j in np.unique(model.labels_):
        assert model.cluster_centers_[j] == pytest.approx(X[model.labels_ == j].mean(axis=0), abs=1e-9)


@quick
@given(X_FEW, st.integers(1, 4))
def test_step_equals_the_definition(X, k):
    labels, centers, inertia = lloyd_step(X, X[:k])
    distances = ((X[:, None] - X[:k]) ** 2).sum(axis=2)
    assert labels.tolist() == distances.argmin(axis=1).tolist()
    assert inertia == pytest.approx(distances.min(axis=1).sum())
    if len(np.unique(labels)) == k:
        np.testing.assert_allclose(centers, [X[labels == j].mean(axis=0) for j in range(k)], atol=1e-12)


def test_history_is_the_inertia_of_each_step():
    X = datasets.wine().X
    model, centers = KMeans(4, init=X[:4], tol=0).fit(X), X[:4]
    for inertia in model.history_:
        _, centers, expected = lloyd_step(X, centers)
        assert inertia == pytest.approx(expected)


def test_the_best_of_several_runs_is_kept():
    X = datasets.digits().X
    rng = np.random.default_rng(0)
    single = [KMeans(10, init="random", n_init=1, random_state=rng).fit(X).inertia_ for _ in range(4)]
    assert KMeans(10, init="random", n_init=4, random_state=0).fit(X).inertia_ == pytest.approx(min(single))
    assert KMeans(10, random_state=7).fit(X).inertia_ == KMeans(10, random_state=7).fit(X).inertia_


def test_ties_go_to_the_first_center():
    labels, _, _ = lloyd_step([[0.0], [1.0], [2.0]], [[0.0], [2.0]])
    assert labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("far", [1e9, -3e9])
def test_a_large_offset_changes_nothing(far):
    X = datasets.iris().X * 10
    moved, species = X + far, datasets.iris().y
    labels, centers, inertia = lloyd_step(X, X[[0, 60, 120]])
    labels_moved, centers_moved, inertia_moved = lloyd_step(moved, moved[[0, 60, 120]])
    np.testing.assert_array_equal(labels_moved, labels)
    np.testing.assert_allclose(centers_moved - far, centers, atol=1e-5)
    assert inertia_moved == pytest.approx(inertia, rel=1e-6)
    model = KMeans(3, init=moved[[0, 60, 120]]).fit(moved)
    np.testing.assert_array_equal(model.labels_, KMeans(3, init=X[[0, 60, 120]]).fit(X).labels_)
    np.testing.assert_array_equal(model.predict(moved), model.labels_)
    assert silhouette_score(moved, species) == pytest.approx(silhouette_score(X, species), abs=1e-6)


def test_silhouette_of_several_blocks_of_rows():
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(1203, 2)), rng.integers(0, 4, 1203)
    assert silhouette_score(X, labels) == pytest.approx(metrics.silhouette_score(X, labels), abs=1e-12)


def test_n_init_auto_is_ten_random_starts_or_one_seeded():
    X = datasets.wine().X
    for init, runs in (("random", 10), ("k-means++", 1)):
        auto, said = (KMeans(9, init=init, n_init=n, random_state=3).fit(X) for n in ("auto", runs))
        np.testing.assert_array_equal(auto.cluster_centers_, said.cluster_centers_)
        other = KMeans(9, init=init, n_init=2, random_state=3).fit(X)
        assert auto.inertia_ != other.inertia_ or init == "random"
    ten, one = (KMeans(9, init="random", n_init=n, random_state=3).fit(X).inertia_ for n in ("auto", 1))
    assert ten < one


def test_tol_is_a_share_of_the_mean_variance():
    X = digits().X
    for tol in (1e-4, 1e-2, 0.1):
        for scale in (1, 1000):
            ours, theirs = both(scale * X, 10, scale * X[:10], tol=tol)
            assert ours.n_iter_ == theirs.n_iter_


@quick
@given(X_FEW, st.integers(1, 4), st.integers(0, 5))
def test_seeds_are_distinct_samples(X, k, seed):
    centers, indices = kmeans_plusplus(X, k, seed)
    assert (centers == X[indices]).all() and len(set(indices)) == k
    assert len(np.unique(centers, axis=0)) == min(k, len(np.unique(X, axis=0)))


def test_seeds_are_drawn_by_squared_distance():
    """From 0 the samples 1 and 3 are drawn as 1 : 9, from 1 as 1 : 4, from 3 as 9 : 4."""
    X, rng = np.array([[0.0], [1.0], [3.0]]), np.random.default_rng(0)
    drawn = np.array([kmeans_plusplus(X, 2, rng)[1] for _ in range(3000)])
    for first, second, share in ((0, 2, 0.9), (1, 2, 0.8), (2, 0, 9 / 13)):
        assert np.mean(drawn[drawn[:, 0] == first, 1] == second) == pytest.approx(share, abs=0.05)


def test_plusplus_starts_lower_than_random():
    X = datasets.digits().X
    rng = np.random.default_rng(0)
    seeded = [lloyd_step(X, kmeans_plusplus(X, 10, rng)[0])[2] for _ in range(20)]
    random = [lloyd_step(X, X[rng.choice(len(X), 10, replace=False)])[2] for _ in range(20)]
    assert np.mean(seeded) < np.mean(random)


@pytest.mark.parametrize("name", REAL)
def test_silhouette_equals_sklearn(name):
    data = REAL[name]()
    assert silhouette_score(data.X, data.y) == pytest.approx(metrics.silhouette_score(data.X, data.y), abs=1e-7)


@quick
@given(X_FEW, st.data())
def test_silhouette_equals_sklearn_on_ties_and_singletons(X, data):
    labels = data.draw(arrays(int, len(X), elements=st.integers(0, 3)))
    if 2 <= len(np.unique(labels)) < len(X):
        assert silhouette_score(X, labels) == pytest.approx(metrics.silhouette_score(X, labels), abs=1e-6)


def boxes(n=300, seed=0):
    return np.exp(np.random.default_rng(seed).normal(4, 0.8, (n, 2)))


def brute_iou(wh, anchors):
    def iou(a, b):
        inter = min(a[0], b[0]) * min(a[1], b[1])
        return inter / (a[0] * a[1] + b[0] * b[1] - inter)

    return np.mean([max(iou(box, anchor) for anchor in anchors) for box in wh])


def test_mean_best_iou_equals_the_definition():
    assert mean_best_iou(boxes(), boxes(5, 1)) == pytest.approx(brute_iou(boxes(), boxes(5, 1)))
    assert mean_best_iou([[2, 2]], [[1, 4], [2, 1]]) == 0.5
    assert mean_best_iou(boxes(), boxes()) == 1


def test_iou_anchors_beat_euclidean_ones():
    wh = boxes()
    for k in (2, 5, 9):
        euclidean = KMeans(k, n_init=10, random_state=0).fit(wh).cluster_centers_
        assert mean_best_iou(wh, iou_kmeans(wh, k, random_state=0)) > mean_best_iou(wh, euclidean)


def iou_kmeans_word_for_word(wh, k, n_init, rng):
    """The definition, box by box, from the same random starts."""

    def iou(a, b):
        inter = min(a[0], b[0]) * min(a[1], b[1])
        return inter / (a[0] * a[1] + b[0] * b[1] - inter)

    best = -1.0, None
    for _ in range(n_init):
        anchors, before = wh[rng.choice(len(wh), k, replace=False)], None
        while True:
            table = np.array([[iou(box, anchor) for anchor in anchors] for box in wh])
            labels = [max(range(k), key=lambda j, row=row: row[j]) for row in table]
            best = max(best, (table.max(axis=1).mean(), anchors.tolist()), key=lambda found: found[0])
            if labels == before:
                break
            anchors = np.array([np.mean([b for b, j in zip(wh, labels, strict=True) if j == i], 0) for i in range(k)])
            before = labels
    return sorted(best[1], key=lambda anchor: anchor[0] * anchor[1])


@pytest.mark.parametrize(("k", "n_init"), [(2, 1), (3, 1), (3, 4), (5, 2)])
def test_iou_anchors_equal_the_definition(k, n_init):
    wh = boxes(60, seed=k)
    expected = iou_kmeans_word_for_word(wh, k, n_init, np.random.default_rng(7))
    np.testing.assert_allclose(iou_kmeans(wh, k, n_init=n_init, random_state=7), expected)


def test_iou_anchors_of_one_iteration_are_boxes():
    wh = boxes(30)
    for anchor in iou_kmeans(wh, 4, max_iter=1):
        assert (wh == anchor).all(axis=1).any()


def test_anchors_are_sorted_and_improve_with_their_number():
    wh = boxes()
    found = [iou_kmeans(wh, k, random_state=0) for k in (1, 2, 4, 8)]
    assert all((np.diff(anchors.prod(axis=1)) >= 0).all() for anchors in found)
    fits = [mean_best_iou(wh, anchors) for anchors in found]
    assert fits == sorted(fits)
    assert mean_best_iou(wh[:6], iou_kmeans(wh[:6], 6)) == 1


GOOD = np.arange(12.0).reshape(6, 2) + 1
BAD_ARRAYS = [np.ones(3), np.ones((0, 2)), [[1.0, np.nan]] * 3, [[np.inf, 1.0]] * 3, "text", np.ones((2, 2, 2))]


@pytest.mark.parametrize("bad", BAD_ARRAYS, ids=["1-d", "empty", "NaN", "inf", "text", "3-d"])
def test_bad_arrays_are_refused(bad):
    for call in (
        lambda: KMeans(2).fit(bad),
        lambda: kmeans_plusplus(bad, 2),
        lambda: lloyd_step(bad, GOOD),
        lambda: silhouette_score(bad, [0, 1, 1]),
        lambda: KMeans(2).fit(GOOD).predict(bad),
    ):
        with pytest.raises(ValueError, match=r"^X "):
            call()
    for call in (lambda: iou_kmeans(bad, 1), lambda: mean_best_iou(bad, GOOD)):
        with pytest.raises(ValueError, match=r"^wh "):
            call()
    with pytest.raises(ValueError, match=r"^anchors "):
        mean_best_iou(GOOD, bad)
    with pytest.raises(ValueError, match=r"^centers "):
        lloyd_step(GOOD, bad)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: KMeans(0).fit(GOOD), "n_clusters"),
        (lambda: KMeans(2.5).fit(GOOD), "n_clusters"),
        (lambda: KMeans(7).fit(GOOD), "n_clusters"),
        (lambda: KMeans(2, init="best").fit(GOOD), "init"),
        (lambda: KMeans(2, init=GOOD).fit(GOOD), "init"),
        (lambda: KMeans(2, init=np.ones((2, 3))).fit(GOOD), "init"),
        (lambda: KMeans(2, init=[[0, np.nan], [0, 1]]).fit(GOOD), "init"),
        (lambda: KMeans(2, n_init=0).fit(GOOD), "n_init"),
        (lambda: KMeans(2, max_iter=0).fit(GOOD), "max_iter"),
        (lambda: KMeans(2, tol=-1).fit(GOOD), "tol"),
        (lambda: KMeans(2, tol=np.nan).fit(GOOD), "tol"),
        (lambda: KMeans(2).predict(GOOD), "This KMeans instance is not fitted yet. Call 'fit'"),
        (lambda: KMeans(2, random_state=-1).fit(GOOD), "random_state"),
        (lambda: KMeans(2, random_state="a").fit(GOOD), "random_state"),
        (lambda: KMeans(2, n_init="many").fit(GOOD), "n_init"),
        (lambda: KMeans(2).fit(GOOD).predict(np.ones((2, 3))), "X"),
        (lambda: kmeans_plusplus(GOOD, 0), "n_clusters"),
        (lambda: kmeans_plusplus(GOOD, 7), "n_clusters"),
        (lambda: lloyd_step(GOOD, np.ones((2, 3))), "centers"),
        (lambda: silhouette_score(GOOD, [0] * 6), "labels"),
        (lambda: silhouette_score(GOOD, range(6)), "labels"),
        (lambda: silhouette_score(GOOD, [0, 1]), "same length"),
        (lambda: silhouette_score(GOOD, [0, 1, 0, 1, 0, np.nan]), "labels"),
        (lambda: iou_kmeans(GOOD, 0), "n_anchors"),
        (lambda: iou_kmeans(GOOD, 7), "n_anchors"),
        (lambda: iou_kmeans(GOOD - 1, 2), "wh"),
        (lambda: iou_kmeans(np.ones((3, 4)), 2), "wh"),
        (lambda: iou_kmeans(GOOD, 2, n_init=0), "n_init"),
        (lambda: iou_kmeans(GOOD, 2, max_iter=0), "max_iter"),
        (lambda: mean_best_iou(GOOD, -GOOD), "anchors"),
    ],
)
def test_bad_arguments_are_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
