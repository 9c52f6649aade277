"""Readouts of topic 13's explorers against closed forms and independent runs."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from helpers import datasets
from helpers.explorers import gradient_descent as explorers

from .hand import click, drag


def test_the_path_of_a_quadratic_has_a_closed_form(build):
    descent = build("Descent")
    solution = descent.solve(**descent.values | {"lr": 0.05, "step": 10, "condition": 30})
    start = solution.path[0]
    np.testing.assert_allclose(start, [-3 + 0.6, -3 + 5.1])
    np.testing.assert_allclose(solution.path[-1], start * [0.95**10, (-0.5) ** 10], atol=1e-12)
    assert solution.curvatures == pytest.approx([1, 30], abs=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_edge_parts_converging_from_diverging(build, momentum):
    descent = build("Descent")
    said = descent.at_press("To the edge", condition=40, momentum=momentum)
    assert said["edge, 2 (1 + momentum)"] == pytest.approx(2 * (1 + momentum))
    edge = 2 * (1 + momentum) / 40
    for share, diverges in ((0.93, False), (1.07, True)):
        said = descent.at(lr=share * edge, condition=40, momentum=momentum, step=5)
        assert (said["error left by a step, steep"] > 1) == diverges
        heights = explorers._heights(
            explorers._ground("quadratic", 40),
            explorers._run("momentum", explorers._ground("quadratic", 40), share * edge, momentum, descent.start),
        )
        assert (heights[-1] > heights[0]) == diverges


def test_polyaks_setting_makes_both_directions_equally_fast(build):
    descent = build("Descent")
    said = descent.at_press("Best for these curvatures", condition=25)
    best = (np.sqrt(25) - 1) / (np.sqrt(25) + 1)
    for direction in ("flat", "steep"):
        assert said[f"error left by a step, {direction}"] == pytest.approx(best, abs=0.05)
    assert descent.at_press("Best for these curvatures", surface="saddle", step=0, start=((0.5, 0.5),)) == descent.at(
        surface="saddle", step=0, start=((0.5, 0.5),)
    ), "nothing is best where it bends down"


def test_a_path_that_leaves_says_so(build):
    descent = build("Descent")
    said = descent.at(surface="himmelblau", lr=1, step=100)
    assert said["loss above the lowest"] == "diverged" and said["curvatures here"] == "off the map"
    said = descent.at(surface="saddle", lr=0.5, step=0, start=((0.5, 0.5),))
    assert said["loss above the lowest"] == "0.25" and said["curvatures here"] == "-1 and 1"
    assert descent.at(surface="saddle", step=100, start=((0.5, 0.5),))["loss above the lowest"] == "0.25", (
        "it rests there"
    )


def test_the_start_is_clicked_and_dragged_and_the_dot_sets_the_rate(build):
    descent = build("Descent")
    axes = descent.figure.axes[0]
    click(descent, axes, (0.7, 0.3))
    assert descent.start[0] == pytest.approx((0.7, 0.3), abs=0.01)
    drag(descent, axes, (0.7, 0.3), (0.2, 0.5))
    assert descent.start[0] == pytest.approx((0.2, 0.5), abs=0.01)
    descent.reset()
    factor = descent.figure.axes[2]
    before = descent.lr
    drag(descent, factor, (0.2, 0.8), (0.4, 0.5))
    assert descent.lr == pytest.approx(2 * before, rel=0.05)
    drag(descent, factor, (2.0, 1.5), (3.0, 1.5))
    assert descent.values["momentum"] == pytest.approx(0.5, abs=0.01)


def test_batches_equal_torch_and_end_where_scipy_does(build):
    batches = build("Batches")
    X, y = datasets.two_species(1, 2, [2, 3])
    loss = explorers.Logistic(X, y)
    best = minimize(loss, np.zeros(2), jac=loss.gradient, tol=1e-12)
    assert batches._lowest == pytest.approx(best.fun, abs=1e-9)
    w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=batches.lr)
    for rows in np.array_split(np.random.default_rng(3).permutation(100), 10)[:5]:
        optimizer.zero_grad()
        torch.nn.functional.soft_margin_loss(
            torch.tensor(X[rows]) @ w, torch.tensor(y[rows], dtype=torch.float64)
        ).backward()
        optimizer.step()
    _, standing = batches.solve(lr=batches.lr, batch=10, seed=3, epochs=0.5)
    path, passes, losses = standing["mini-batch"]
    np.testing.assert_allclose(path[-1], w.detach().numpy(), atol=1e-12)
    assert passes[-1] == 0.5 and losses[-1] == pytest.approx(loss(w.detach().numpy()) - best.fun, abs=1e-8)


def test_steps_are_counted_by_samples(build):
    said = build("Batches").at(epochs=2, batch=10)
    assert [said[f"steps, {name}"] for name in explorers.BATCHES] == [2, 20, 200]
    opening = build("Batches").at()
    assert opening["steps, full batch"] == 0


def test_nesterov_damps_the_steep_direction_and_bears_a_smaller_rate(build):
    look = build("LookAhead")
    said = look.at(condition=20, lr=0.05, momentum=0.9, step=100)
    steep = {name: float(said[f"error left by a step, {name}"].split()[2]) for name in explorers.RULES}
    assert steep["nesterov"] < 0.2 < steep["momentum"] == pytest.approx(np.sqrt(0.9), abs=1e-3)
    edge = said["edge of Nesterov"] / 20
    for share, diverges in ((0.95, False), (1.05, True)):
        said = look.at(lr=share * edge, condition=20, momentum=0.9, step=100)
        assert (float(said["error left by a step, nesterov"].split()[2]) > 1) == diverges


def test_the_plus_is_where_nesterov_looks(build):
    look = build("LookAhead")
    *_, paths, ahead, _ = look.solve(**look.values | {"step": 4})
    seen = []

    def gradient(w):
        seen.append(w)
        return w * [1, 20]

    path = list(explorers.algorithms.nesterov(gradient, paths["nesterov"][0], look.lr, look.momentum, steps=5))
    np.testing.assert_allclose(ahead, seen[4], atol=1e-12)
    np.testing.assert_allclose(path[4], paths["nesterov"][-1], atol=1e-12)


def test_without_momentum_both_are_plain_descent(build):
    look = build("LookAhead")
    *_, paths, _, _ = look.solve(**look.values | {"step": 30, "momentum": 0.0})
    np.testing.assert_allclose(paths["momentum"], paths["nesterov"])


def test_batches_refuse_more_than_two_columns():
    with pytest.raises(ValueError, match="X must have 2 columns"):
        explorers.Batches(np.ones((4, 3)), [1, -1, 1, -1])
