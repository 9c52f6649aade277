"""Explorers of topic 01: readouts against scikit-learn, dragging, clicking, and what the pictures claim."""

import numpy as np
import pytest
from sklearn.svm import SVC as Reference

from helpers import datasets
from helpers.explorers import svm

from .hand import click, drag, press_key


def opened(name):
    explorer = svm.examples()[name]()
    explorer.canvas.syncing_data_url = False  # as when a browser has connected
    explorer.canvas.draw()
    return explorer


@pytest.fixture(scope="module")
def built():
    explorers = {name: opened(name) for name in svm.examples()}
    yield explorers
    for explorer in explorers.values():
        explorer.close()


@pytest.fixture
def margin(built):
    built["margin"].reset()
    return built["margin"]


@pytest.fixture
def street(built):
    built["widest_street"].reset()
    return built["widest_street"]


@pytest.fixture
def lift(built):
    built["kernel_lift"].reset()
    return built["kernel_lift"]


def reference(explorer):
    """Scikit-learn's model of the points that the explorer shows."""
    values = explorer.values
    X, y = np.array([p[:2] for p in values["points"]]), np.array([p[2] for p in values["points"]])
    gamma = values["gamma"] if values["kernel"] == "rbf" else 1.0
    model = Reference(C=values["C"], kernel=values["kernel"], gamma=gamma, coef0=1.0, tol=1e-5).fit(X, y)
    return model, X, y


def agrees(explorer):
    model, X, y = reference(explorer)
    f = model.decision_function(X)
    readouts = explorer.readouts
    weights = model.dual_coef_[0]
    width = 2 / np.sqrt(weights @ (f - model.intercept_)[model.support_])
    shown = next(value for name, value in readouts.items() if name.startswith("margin width"))
    assert shown == pytest.approx(width, abs=2e-3, rel=2e-3)
    assert readouts["support vectors"] == pytest.approx(len(weights), abs=3)
    assert readouts["hinge loss, mean"] == pytest.approx(np.maximum(0, 1 - y * f).mean(), abs=3e-3)
    assert readouts["training error, %"] == pytest.approx(100 * np.mean(y * f <= 0), abs=100 / len(y))
    assert 0 <= readouts["duality gap"] <= 0.02 * readouts["primal objective"]


@pytest.mark.parametrize("data", ["Iris", "Rings", "XOR"])
@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
@pytest.mark.parametrize("C", [0.01, 1, 10])
def test_readouts_agree_with_scikit_learn(margin, data, kernel, C):
    margin.press(data)
    margin.set(kernel=kernel, C=C)
    agrees(margin)


def test_they_still_agree_while_points_are_dragged(margin):
    axes = margin.canvas.figure.axes[0]
    for kernel in ("rbf", "linear"):
        margin.set(kernel=kernel)
        for target in ((0.5, 0.5), (-0.5, 0.5), (0.9, -0.9)):
            drag(margin, axes, margin.values["points"][3][:2], np.divide(target, 2), target)
            assert margin.values["points"][3][:2] == pytest.approx(target, abs=0.1)
            agrees(margin)


def test_a_click_adds_a_point_of_the_chosen_class_and_delete_removes_it(margin):
    axes = margin.canvas.figure.axes[0]
    margin.set(new_class=-1)
    click(margin, axes, (1.2, -1.2))
    assert margin.values["points"][-1] == (pytest.approx(1.2, abs=0.01), pytest.approx(-1.2, abs=0.01), -1)
    assert margin.readouts["points"] == 101
    agrees(margin)
    press_key(margin, "delete")
    assert margin.readouts["points"] == 100
    agrees(margin)


def test_the_warm_start_survives_removing_any_point(margin):
    rng = np.random.default_rng(0)
    margin.set(kernel="rbf", C=10, gamma=1)
    for _ in range(20):
        points = margin.values["points"]
        gone = rng.integers(len(points))
        margin.assign("points", points[:gone] + points[gone + 1 :])
    assert margin.error == ""
    agrees(margin)


@pytest.mark.parametrize("data", ["Iris", "Rings", "XOR"])
@pytest.mark.parametrize("C", [1, 100])
def test_every_edit_is_solved_to_the_end_even_where_no_line_separates(margin, data, C):
    margin.press(data)
    margin.set(kernel="linear", C=C)
    rng = np.random.default_rng(0)
    for _ in range(10):
        points = margin.values["points"]
        margin.assign("points", (*points, (*rng.uniform(-1.2, 1.2, 2).tolist(), int(rng.choice([-1, 1])))))
        assert margin.readouts["duality gap"] <= 1e-3 * C * len(points)


def test_the_boundary_lies_where_the_decision_value_is_zero(margin):
    margin.press("Rings")
    margin.set(kernel="rbf", C=10, gamma=3)
    model, _, _ = reference(margin)
    lines = margin.canvas.figure.axes[0].lines
    for line, level in zip(lines[:3], (0, 1, -1), strict=True):
        points = np.column_stack(line.get_data())
        points = points[~np.isnan(points[:, 0])]
        assert len(points) > 20
        np.testing.assert_allclose(model.decision_function(points), level, atol=0.06)


def test_one_class_alone_is_explained_and_forgotten(margin):
    everyone = margin.values["points"]
    margin.assign("points", tuple(p for p in everyone if p[2] == 1))
    assert "both classes" in margin.error
    margin.assign("points", everyone)
    assert margin.error == ""


def test_hard_and_soft(margin):
    wide = margin.set(C=0.01)["margin width"]
    assert margin.set(C=100)["margin width"] < wide


# --- the widest street -----------------------------------------------------------------------------------------------


def test_no_line_beats_the_widest_street(street):
    best = street.readouts["the best margin"]
    rng = np.random.default_rng(0)
    for _ in range(200):
        readouts = street.set(angle=rng.uniform(-180, 180), offset=rng.uniform(-1, 1))
        assert readouts["your margin"] <= best + 1e-9
    assert street.press("Go to the widest")["yours / best, %"] > 97
    assert street.readouts["does your line separate"] == "yes"


def test_the_line_is_turned_and_shifted_by_hand(street):
    axes = street.canvas.figure.axes[0]
    street.set(angle=0, offset=0.2)
    drag(street, axes, (0.2, 0), (0.5, 0.3))
    assert street.values["offset"] == pytest.approx(0.5, abs=0.02)
    assert street.values["angle"] == 0
    drag(street, axes, (0.5, 0.8), (-0.3, 0.9))  # the end, 0.8 from the foot
    angle = np.radians(street.values["angle"])
    end = 0.5 * np.array([np.cos(angle), np.sin(angle)]) + 0.8 * np.array([-np.sin(angle), np.cos(angle)])
    assert np.arctan2(*end) == pytest.approx(np.arctan2(-0.3, 0.9), abs=0.02)
    before = street.values
    press_key(street, "left")
    assert street.values != before


def test_streets_need_separable_classes():
    with pytest.raises(ValueError, match="separable"):
        svm.widest_street([[0, 0], [1, 1], [0, 1], [1, 0]], [1, 1, -1, -1])


# --- the lift --------------------------------------------------------------------------------------------------------


def test_the_lift_makes_a_flat_cut_possible(lift):
    assert lift.readouts["training errors of a flat cut"] > 20
    for height in (0.1, 0.5, 1):
        assert lift.set(lift=height)["training errors of a flat cut"] == 0


def test_the_trace_on_the_floor_separates_the_rings(lift):
    X, y = datasets.rings(100)
    lift.set(lift=0.8, turn=0, tilt=90)  # from above, so that the floor is seen as it is
    (trace,) = (line for line in lift.canvas.figure.axes[0].lines if line.get_linewidth() == 3)
    circle = np.column_stack(trace.get_data())
    centre = (circle.min(0) + circle.max(0)) / 2
    radius = lift.readouts["trace on the floor, radius"]
    np.testing.assert_allclose(np.hypot(*(circle - centre).T), radius, atol=0.01)
    np.testing.assert_array_equal(np.hypot(*(X - centre).T) < radius, y == 1)
