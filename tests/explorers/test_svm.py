"""Explorers of topic 01: readouts against scikit-learn, dragging, clicking, and what the pictures claim."""

import numpy as np
import pytest
from sklearn.svm import SVC as Reference

from helpers import datasets
from helpers.explorers import svm as explorers

from .hand import click, drag, press_key


def reference(explorer, **values):
    """Scikit-learn's model of the points that the explorer shows."""
    values = explorer.values | values
    X, y = np.array([p[:2] for p in values["points"]]), np.array([p[2] for p in values["points"]])
    gamma = values["gamma"] if values["kernel"] == "rbf" else 1.0
    model = Reference(C=values["C"], kernel=values["kernel"], gamma=gamma, coef0=1.0, tol=1e-5).fit(X, y)
    return model, X, y


def agrees(explorer):
    model, X, y = reference(explorer)
    f, said = model.decision_function(X), explorer.at()
    weights = model.dual_coef_[0]
    width = 2 / np.sqrt(weights @ (f - model.intercept_)[model.support_])
    shown = next(value for name, value in said.items() if name.startswith("street width"))
    assert shown == pytest.approx(width, abs=0.006, rel=2e-3)
    assert said["support vectors"] == pytest.approx(len(weights), abs=3)
    assert said["hinge loss, mean"] == pytest.approx(np.maximum(0, 1 - y * f).mean(), abs=8e-3)
    assert said["training error, %"] == pytest.approx(100 * np.mean(y * f <= 0), abs=100 / len(y))
    assert said["duality gap, of the primal"] == "below 1 %"
    assert said["points"] == len(y)


# --- the margin ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["Iris", "Rings", "XOR"])
@pytest.mark.parametrize("kernel", ["linear", "rbf", "poly"])
@pytest.mark.parametrize("C", [0.01, 1, 10])
def test_readouts_agree_with_scikit_learn(build, data, kernel, C):
    margin = build("Margin")
    margin.press(data)
    margin.set(kernel=kernel, C=C)
    agrees(margin)


def test_the_primal_objective_is_what_scikit_learns_solution_costs(build):
    margin = build("Margin")
    for data, kernel in (("Iris", "linear"), ("Rings", "rbf")):
        margin.press(data)
        said = margin.set(kernel=kernel)
        model, X, y = reference(margin)
        f, weights = model.decision_function(X), model.dual_coef_[0]
        squared_norm = weights @ (f - model.intercept_)[model.support_]
        cost = squared_norm / 2 + np.maximum(0, 1 - y * f).sum()
        assert said["primal objective"] == pytest.approx(cost, rel=5e-3)
        assert said["of these at the bound C"] == pytest.approx((np.abs(weights) == 1).sum(), abs=2)


def test_they_still_agree_while_points_are_dragged(build):
    margin = build("Margin")
    (axes,) = margin.figure.axes
    for kernel in ("rbf", "linear"):
        margin.set(kernel=kernel)
        for target in ((0.5, 0.5), (-0.5, 0.5), (0.9, -0.9)):
            drag(margin, axes, margin.values["points"][3][:2], np.divide(target, 2), target)
            assert margin.values["points"][3][:2] == pytest.approx(target, abs=0.1)
            agrees(margin)


def test_a_drag_leaves_no_trace_in_the_numbers(build):
    dragged, fresh = build("Margin"), build("Margin")
    (axes,) = dragged.figure.axes
    dragged.set(kernel="rbf", C=100)
    drag(dragged, axes, dragged.values["points"][3][:2], (0.2, 0.7), (-0.4, 0.3), (0.9, -0.9))
    assert repr(fresh.set(**dragged.values)) == repr(dragged.at())


def test_a_click_adds_a_point_of_the_chosen_class_and_delete_removes_it(build):
    margin = build("Margin")
    margin.set(new_class=-1)
    click(margin, margin.figure.axes[0], (1.2, -1.2))
    assert margin.values["points"][-1] == (pytest.approx(1.2, abs=0.01), pytest.approx(-1.2, abs=0.01), -1)
    assert (margin.at()["points"], margin.at()["a click adds a"]) == (101, "circle")
    agrees(margin)
    press_key(margin, "delete")
    assert len(margin.values["points"]) == 100


@pytest.mark.parametrize("data", ["Iris", "Rings", "XOR"])
@pytest.mark.parametrize("C", [1, 100])
def test_every_edit_is_solved_to_the_end_even_where_no_line_separates(build, data, C):
    margin = build("Margin")
    margin.press(data)
    margin.set(kernel="linear", C=C)
    rng = np.random.default_rng(0)
    for _ in range(10):
        points = margin.values["points"]
        new = (*rng.uniform(-1.2, 1.2, 2).tolist(), int(rng.choice([-1, 1])))
        assert margin.set(points=(*points, new))["duality gap, of the primal"] == "below 1 %"


def test_the_boundary_lies_where_the_decision_value_is_zero(build):
    margin = build("Margin")
    margin.press("Rings")
    margin.set(kernel="rbf", C=10, gamma=3)
    model, _, _ = reference(margin)
    for line, level in ((margin.boundary, 0), (margin.edges[1], 1), (margin.edges[-1], -1)):
        points = np.column_stack(line.get_data())
        points = points[~np.isnan(points[:, 0])]
        assert len(points) > 20
        np.testing.assert_allclose(model.decision_function(points), level, atol=0.06)


def test_the_tinted_side_is_where_squares_are_expected(build):
    margin = build("Margin")
    margin.press("XOR")
    margin.set(kernel="rbf")
    model, _, _ = reference(margin)
    places = np.random.default_rng(0).uniform(-1.2, 1.2, (300, 2))
    f = model.decision_function(places)
    inside = margin.squares_side.get_path().contains_points(places)
    clear = np.abs(f) > 0.1
    assert clear.sum() > 100
    np.testing.assert_array_equal(inside[clear], f[clear] > 0)


def test_one_class_alone_is_explained_and_forgotten(build):
    margin = build("Margin")
    everyone = margin.values["points"]
    margin.assign("points", tuple(p for p in everyone if p[2] == 1))
    assert "both classes" in margin.error
    margin.assign("points", everyone)
    assert margin.error == ""


def test_hard_and_soft(build):
    margin = build("Margin")
    assert margin.at(C=100)["street width"] < margin.at(C=0.01)["street width"]


def test_points_outside_the_picture_are_refused():
    with pytest.raises(ValueError, match=r"X must hold 2 rows of 2 numbers from -1.3 to 1.3"):
        explorers.Margin({"far": ([[0, 0], [2, 0]], [1, -1])})


# --- the widest street -----------------------------------------------------------------------------------------------


def test_no_line_beats_the_widest_street(build):
    street = build("WidestStreet")
    best = street.at()["the best margin"]
    rng = np.random.default_rng(0)
    for _ in range(200):
        said = street.at(angle=rng.uniform(-180, 180), offset=rng.uniform(-1, 1))
        assert said["your margin"] <= best + 1e-9
    said = street.at_press("Go to the widest")
    assert said["yours / best, %"] > 97
    assert said["does your line separate"] == "yes"


def test_the_line_is_turned_and_shifted_by_hand(build):
    street = build("WidestStreet")
    (axes,) = street.figure.axes
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
        explorers.WidestStreet([[0, 0], [1, 1], [0, 1], [1, 0]], [1, 1, -1, -1])


# --- the lift --------------------------------------------------------------------------------------------------------


def test_the_lift_makes_a_flat_cut_possible(build):
    lift = build("KernelLift")
    assert lift.at()["training errors of a flat cut"] > 20
    for height in (0.05, 0.1, 0.5, 1):
        assert lift.at(lift=height)["training errors of a flat cut"] == 0


def test_the_cut_is_scikit_learns_and_the_street_widens_with_the_lift(build):
    lift = build("KernelLift")
    X, y = datasets.rings(100)
    widths = []
    for height in (0.4, 0.6, 1.0):
        lifted = np.column_stack([X, height * (X**2).sum(axis=1)])
        w = Reference(C=1e4, kernel="linear", tol=1e-6).fit(lifted, y).coef_
        widths.append(lift.at(lift=height)["street width in 3-D"])
        assert widths[-1] == pytest.approx(2 / np.linalg.norm(w), abs=0.006)
    assert widths == sorted(widths)


def test_the_trace_on_the_floor_separates_the_rings(build):
    lift = build("KernelLift")
    X, y = datasets.rings(100)
    said = lift.set(lift=0.8, turn=0, tilt=90)  # from above, so that the floor is seen as it is
    circle = np.column_stack(lift.trace.get_data())
    center = (circle.min(0) + circle.max(0)) / 2
    radius = said["trace on the floor, radius"]
    np.testing.assert_allclose(np.hypot(*(circle - center).T), radius, atol=0.01)
    np.testing.assert_array_equal(np.hypot(*(X - center).T) < radius, y == 1)


def test_the_scene_turns_with_the_hand(build):
    lift = build("KernelLift")
    before = lift.values["turn"]
    drag(lift, lift.figure.axes[0], (0.5, 1.2), (1.0, 1.2))
    assert lift.values["turn"] == pytest.approx(before + 30, abs=2)
