"""The explorers of topic 02 say what an independent computation says."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from helpers import datasets
from helpers.explorers import kmeans as explorers

from .hand import drag, press_key

X = datasets.iris().X[:, [2, 1]]


@pytest.fixture
def steps(build):
    return build("StepThrough")


@pytest.fixture(scope="module")
def colors():
    explorer = explorers.Colors(datasets.photograph("china.jpg"), most=6)
    yield explorer
    explorer.close()


@pytest.fixture(scope="module")
def anchors():
    explorer = explorers.Anchors(explorers.leaves(), unit="cm")
    yield explorer
    explorer.close()


def centers(explorer):
    return np.array(list(explorer.handles[0].places(explorer.values).values()))


def inertia(places):
    return ((X[:, None] - places) ** 2).sum(axis=2).min(axis=1).sum()


def picture(explorer):
    """The photograph as it is drawn, (height, width, 3)."""
    return np.asarray(explorer.figure.axes[0].images[0].get_array())[..., :3]


# --- step by step ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("k", "start", "seed"), [(3, "random", 2), (5, "k-means++", 4), (2, "random", 0)])
def test_steps_are_those_of_sklearn(steps, k, start, seed):
    readouts = steps.set(k=k, start=start, seed=seed, step=0)
    opening = centers(steps)
    assert readouts["inertia"] == pytest.approx(inertia(opening))
    readouts = steps.set(step=15)
    theirs = KMeans(k, init=opening, n_init=1, max_iter=15, tol=0).fit(X)
    assert readouts["inertia"] == pytest.approx(theirs.inertia_)
    assert readouts["best of 20 starts"] <= theirs.inertia_ + 1e-9
    assert readouts["settled"] == "yes"


def test_a_poor_start_ends_in_a_poor_optimum(steps):
    readouts = steps.at(seed=2, step=15)
    assert readouts["settled"] == "yes" and readouts["above the best (%)"] > 50


def test_dragged_center_goes_on_from_there(steps):
    steps.set(seed=2, step=15)
    before = centers(steps)
    lone = before[np.argmin(before[:, 0])]
    twin = before[np.argmax(before[:, 0])]
    drag(steps, steps.figure.axes[0], lone, (lone + twin) / 2, (5.0, 2.7))
    moved = centers(steps)
    assert np.abs(moved - [5.0, 2.7]).max(axis=1).min() < 0.05
    assert steps.at()["inertia"] == pytest.approx(inertia(moved))
    assert np.sort((moved == before).all(axis=1)).tolist() == [False, True, True]
    steps.set(step=10)
    assert centers(steps) == pytest.approx(before, abs=0.2), "what came before stays"


def test_drag_at_the_start_can_leave_the_poor_optimum(steps):
    poor = steps.at(seed=2, step=15)["inertia"]
    left = steps.figure.axes[0]
    drag(steps, left, centers(steps)[0], (1.5, 3.4))
    drag(steps, left, centers(steps)[1], (5.8, 3.0))
    start = [[1.5, 3.4], [5.8, 3.0], centers(steps)[2]]
    readouts = steps.set(step=15)
    expected = KMeans(3, init=start, n_init=1, max_iter=15, tol=0).fit(X).inertia_
    assert readouts["inertia"] == pytest.approx(expected, rel=0.01)
    assert readouts["inertia"] < 0.7 * poor


def test_center_moves_by_keys_and_a_new_seed_forgets_it(steps):
    before = centers(steps)
    press_key(steps, "shift+up")
    height = np.ptp(steps.figure.axes[0].get_ylim())
    assert (centers(steps) - before)[0] == pytest.approx([0, 0.05 * height])
    steps.set(seed=3)
    fresh = centers(steps)
    steps.reset()
    steps.set(seed=3)
    assert (centers(steps) == fresh).all()


def test_every_sample_is_drawn_once_with_its_nearest_center(steps):
    steps.set(k=4, seed=5, step=3)
    nearest = ((X[:, None] - centers(steps)) ** 2).sum(axis=2).argmin(axis=1)
    drawn = [line.get_xydata().tolist() for line in steps.figure.axes[0].lines]
    for j in range(4):
        assert X[nearest == j].tolist() in drawn


def test_the_curve_ends_at_the_present_step(steps):
    for step in (0, 4):
        steps.set(step=step)
        assert [step] in [line.get_xdata()[-1:] for line in steps.figure.axes[1].lines]


# --- colors ---------------------------------------------------------------------------------------------------------


def test_colors_on_the_picture_are_k(colors):
    image = datasets.photograph("china.jpg")[::2, ::2].astype(float)
    for k in (1, 3, 6):
        readouts = colors.set(k=k)
        assert len(np.unique(picture(colors).reshape(-1, 3), axis=0)) == k
        error = ((picture(colors) - image) ** 2).mean()
        assert readouts["mean squared error"] == pytest.approx(error, rel=0.01)  # shown colors are whole numbers
        assert readouts["PSNR (dB)"] == pytest.approx(10 * np.log10(255**2 / error), abs=0.05)
        assert 2 ** readouts["bits per pixel"] >= k > 2 ** (readouts["bits per pixel"] - 1)


def test_original_can_be_seen(colors):
    colors.set(original_shown=True)
    assert (picture(colors) == datasets.photograph("china.jpg")[::2, ::2]).all()
    colors.reset()


def test_more_colors_err_less(colors):
    errors = [colors.at(k=k)["mean squared error"] for k in range(1, 7)]
    assert errors == sorted(errors, reverse=True)


# --- anchors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", ["1 - IoU", "Euclidean"])
def test_anchors_readouts_equal_the_definition(anchors, distance):
    wh = explorers.leaves()
    readouts = anchors.set(k=6, distance=distance)
    corners = next(line for line in anchors.figure.axes[0].lines if line.get_label() == "anchor")
    boxes = corners.get_xydata()
    assert len(boxes) == 6
    inter = np.minimum(wh[:, None], boxes).prod(axis=2)
    best = (inter / (wh.prod(axis=1)[:, None] + boxes.prod(axis=1) - inter)).max(axis=1)
    assert readouts["mean best IoU"] == pytest.approx(best.mean())
    assert readouts["boxes below 0.5"] == (best < 0.5).sum()
    curve = next(line for line in anchors.figure.axes[1].lines if line.get_label() == distance)
    assert list(curve.get_xdata()) == [1, 2, 3, 4, 5, 6] and curve.get_ydata()[-1] == pytest.approx(best.mean())


@pytest.mark.parametrize("k", [2, 7, 9])
def test_iou_distance_serves_the_small_boxes(anchors, k):
    iou, euclidean = anchors.at(k=k, distance="1 - IoU"), anchors.at(k=k, distance="Euclidean")
    assert iou["mean best IoU"] > euclidean["mean best IoU"]
    assert iou["of the smaller half"] > euclidean["of the smaller half"]


def test_leaves_are_the_measurements_without_their_ties():
    wh = explorers.leaves()
    measured = np.concatenate([datasets.iris().X[:, :2], datasets.iris().X[:, 2:]])
    assert np.abs(wh - measured).max() < 0.05 and len(np.unique(wh)) == wh.size
    assert np.ptp(np.log(wh.prod(axis=1))) > np.log(200), "areas differ more than 200-fold, as the notebook says"


def test_k_is_dragged_along_the_curve(anchors):
    anchors.set(k=3)
    drag(anchors, anchors.figure.axes[1], (3, 0.5), (7.1, 0.5))
    assert anchors.k == 7


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: explorers.StepThrough(np.ones((5, 3))), "X"),
        (lambda: explorers.Colors(np.ones((4, 4, 3))), "image"),
        (lambda: explorers.Colors(np.ones((4, 4), dtype=np.uint8)), "image"),
        (lambda: explorers.Anchors(np.zeros((20, 2))), "wh"),
    ],
)
def test_bad_input_is_refused(make, named):
    with pytest.raises(ValueError, match=named):
        make()
