"""The explorers of topic 02 say what an independent computation says."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from helpers import datasets
from helpers.explorers import kmeans as explorers

from .hand import drag, press_key

X = datasets.iris().X[:, [2, 1]]


@pytest.fixture
def steps():
    explorer = explorers.step_through(X)
    explorer.canvas.draw()
    yield explorer
    explorer.close()


@pytest.fixture(scope="module")
def colours():
    return explorers.colours(datasets.photograph("china.jpg"), most=6)


@pytest.fixture(scope="module")
def anchors():
    return explorers.anchors(explorers.leaves(), unit="cm")


def centers(explorer):
    return np.array(list(explorer._pointer._handles[0].places(explorer.values["moved"]).values()))


def inertia(places):
    return ((X[:, None] - places) ** 2).sum(axis=2).min(axis=1).sum()


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
    readouts = steps.set(seed=2, step=15)
    assert readouts["settled"] == "yes" and readouts["above the best (%)"] > 50


def test_dragged_center_goes_on_from_there(steps):
    steps.set(seed=2, step=15)
    before = centers(steps)
    axes = steps._pointer._handles[0].axes
    lone = before[np.argmin(before[:, 0])]
    twin = before[np.argmax(before[:, 0])]
    drag(steps, axes, lone, (lone + twin) / 2, (5.0, 2.7))
    moved = centers(steps)
    assert np.abs(moved - [5.0, 2.7]).max(axis=1).min() < 0.05
    assert steps.readouts["inertia"] == pytest.approx(inertia(moved))
    assert np.sort((moved == before).all(axis=1)).tolist() == [False, True, True]
    steps.set(step=10)
    assert centers(steps) == pytest.approx(before, abs=0.2), "what came before stays"


def test_drag_at_the_start_can_leave_the_poor_optimum(steps):
    poor = steps.set(seed=2, step=15)["inertia"]
    steps.set(step=0)
    opening = centers(steps)
    drag(steps, steps._pointer._handles[0].axes, opening[0], (1.5, 3.4))
    dragged = centers(steps)
    drag(steps, steps._pointer._handles[0].axes, dragged[1], (5.8, 3.0))
    readouts = steps.set(step=15)
    expected = KMeans(3, init=[[1.5, 3.4], [5.8, 3.0], dragged[2]], n_init=1, max_iter=15, tol=0).fit(X).inertia_
    assert readouts["inertia"] == pytest.approx(expected, rel=0.01)
    assert readouts["inertia"] < 0.7 * poor


def test_center_moves_by_keys_and_a_new_seed_forgets_it(steps):
    before = centers(steps)
    press_key(steps, "shift+up")
    after = centers(steps)
    height = np.ptp(steps._pointer._handles[0].axes.get_ylim())
    assert (after - before)[0] == pytest.approx([0, 0.05 * height])
    steps.set(seed=3)
    fresh = centers(steps)
    steps.reset()
    steps.set(seed=3)
    assert (centers(steps) == fresh).all()


def test_every_sample_is_drawn_once_with_its_nearest_center(steps):
    steps.set(k=4, seed=5, step=3)
    places = centers(steps)
    nearest = ((X[:, None] - places) ** 2).sum(axis=2).argmin(axis=1)
    for j, line in enumerate(steps._live[:5]):
        np.testing.assert_array_equal(np.transpose(line.get_data()), X[nearest == j])


def test_colours_on_the_picture_are_k(colours):
    image = datasets.photograph("china.jpg")[::2, ::2].astype(float)
    for k in (1, 3, 6):
        readouts = colours.set(k=k)
        shown = next(artist for artist in colours._live if hasattr(artist, "get_array")).get_array()
        assert len(np.unique(np.asarray(shown)[..., :3].reshape(-1, 3), axis=0)) == k
        error = ((np.asarray(shown)[..., :3] - image) ** 2).mean()
        assert readouts["mean squared error"] == pytest.approx(error, rel=0.01)  # shown colours are whole numbers
        assert readouts["PSNR (dB)"] == pytest.approx(10 * np.log10(255**2 / error), abs=0.05)
        assert 2 ** readouts["bits a pixel"] >= k > 2 ** (readouts["bits a pixel"] - 1)


def test_original_can_be_seen(colours):
    colours.set(original_shown=True)
    shown = next(artist for artist in colours._live if hasattr(artist, "get_array")).get_array()
    assert (np.asarray(shown)[..., :3] == datasets.photograph("china.jpg")[::2, ::2]).all()
    colours.reset()


def test_more_colours_err_less(colours):
    errors = [colours.set(k=k)["mean squared error"] for k in range(1, 7)]
    assert errors == sorted(errors, reverse=True)


def test_anchors_readouts_equal_the_definition(anchors):
    wh = explorers.leaves()
    for distance in ("1 - IoU", "Euclidean"):
        readouts = anchors.set(k=6, distance=distance)
        corners = next(line for line in anchors._live if line.get_label() == "anchor")
        boxes = np.transpose(corners.get_data())
        assert len(boxes) == 6
        inter = np.minimum(wh[:, None], boxes).prod(axis=2)
        best = (inter / (wh.prod(axis=1)[:, None] + boxes.prod(axis=1) - inter)).max(axis=1)
        assert readouts["mean best IoU"] == pytest.approx(best.mean())
        assert readouts[f"mean best IoU, {distance}"] == pytest.approx(best.mean())
        assert readouts["boxes below 0.5"] == (best < 0.5).sum()


def test_iou_distance_serves_the_small_boxes(anchors):
    for k in (2, 7, 9):
        iou = anchors.set(k=k, distance="1 - IoU")
        euclidean = dict(anchors.set(distance="Euclidean"))
        assert iou["mean best IoU"] > euclidean["mean best IoU"]
        assert iou["of the smaller half"] > euclidean["of the smaller half"]


def test_k_is_dragged_along_the_curve(anchors):
    anchors.set(k=3)
    drag(anchors, anchors._pointer._handles[0].axes, (3, 0.5), (7.1, 0.5))
    assert anchors.values["k"] == 7


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (lambda: explorers.step_through(np.ones((5, 3))), "X"),
        (lambda: explorers.colours(np.ones((4, 4, 3))), "photograph"),
        (lambda: explorers.colours(np.ones((4, 4), dtype=np.uint8)), "photograph"),
        (lambda: explorers.anchors(np.zeros((20, 2))), "wh"),
    ],
)
def test_bad_input_is_refused(build, named):
    with pytest.raises(ValueError, match=named):
        build()
