"""Readouts of topic 06's explorers against independent computations, by code, mouse and keyboard."""

import numpy as np
import pytest
import torch
from sklearn import linear_model as reference

from helpers import datasets
from helpers.explorers import regularization as explorers

from .hand import drag, press_key


def two_features(*names):
    patients = datasets.diabetes()
    X = patients.X[:, [patients.features.index(name) for name in names]]
    return (X - X.mean(0)) / X.std(0), patients.y


def weights(said, *names):
    return [said[f"weight of {name}"] for name in names]


# --- the diamond and the circle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.1, 10.0, 25.12])
def test_both_balls_agree_with_scikit_learn(build, strength):
    X, y = two_features("bmi", "bp")
    explorer = build("DiamondAndCircle")
    correlation = np.corrcoef(X.T)[0, 1]
    assert explorer.values["correlation"] == pytest.approx(correlation, abs=0.005)
    for penalty, model in (
        ("L1 (lasso)", reference.Lasso(strength, tol=1e-10)),
        ("L2 (ridge)", reference.Ridge(strength * len(y))),
        ("both, half and half", reference.ElasticNet(strength, l1_ratio=0.5, tol=1e-10)),
    ):
        values = explorer.values | {"penalty": penalty, "strength": strength, "correlation": correlation}
        said = explorer.readouts(explorer.solve(**values))  # `at` would round the correlation
        coef = model.fit(X, y).coef_
        assert weights(said, "bmi", "bp") == pytest.approx(coef, abs=0.006)
        assert said["weights exactly 0"] == (coef == 0).sum()


def test_the_ball_and_the_ellipse_touch_at_the_solution(build):
    explorer = build("DiamondAndCircle")
    for penalty, share in explorers.PENALTIES.items():
        solution = weights(explorer.set(penalty=penalty, strength=16), "bmi", "bp")
        ball = explorer.ball.get_xydata()
        for curve in (explorer.touching.get_xydata(), ball):
            assert np.hypot(*(curve - solution).T).min() < 1.5
        cost = [share * np.abs(v).sum() + (1 - share) / 2 * np.square(v).sum() for v in (ball[80], np.array(solution))]
        assert cost[0] == pytest.approx(cost[1], abs=0.02)


def test_the_trail_leads_from_the_minimum_to_the_solution_and_no_further(build):
    explorer = build("DiamondAndCircle")
    for strength in (0.01, 3, 1000):
        said = explorer.set(strength=strength)
        trail = explorer.trail.get_xydata()
        assert trail[0] == pytest.approx(explorer.values["minimum"][0])
        assert trail[-1] == pytest.approx(weights(said, "bmi", "bp"), abs=0.006)


def test_the_minimum_can_be_dragged(build):
    explorer = build("DiamondAndCircle")
    drag(explorer, explorer.figure.axes[0], explorer.values["minimum"][0], (-20, 10))
    assert explorer.values["minimum"][0] == pytest.approx((-20, 10), abs=0.5)
    press_key(explorer, "right")
    assert explorer.values["minimum"][0][0] > -20
    assert weights(explorer.at(strength=0.01), "bmi", "bp") == pytest.approx(explorer.values["minimum"][0], abs=0.1)


def test_a_large_lambda_empties_the_lasso_and_not_ridge(build):
    explorer = build("DiamondAndCircle")
    assert explorer.at(penalty="L1 (lasso)", strength=1000)["weights exactly 0"] == 2
    assert explorer.at(penalty="L2 (ridge)", strength=1000)["weights exactly 0"] == 0


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log_strength", [-0.6, 0.4, 1.6])  # settings of the slider
def test_paths_and_errors_equal_scikit_learn(build, log_strength):
    patients, strength = datasets.diabetes(), 10.0**log_strength
    train, *held_out = np.split(np.random.default_rng(0).permutation(len(patients.y)), [221, 331])
    X = (patients.X - patients.X[train].mean(0)) / patients.X[train].std(0)
    said = build("Paths").at(strength=strength)
    for name, model in (("lasso", reference.Lasso(strength, tol=1e-8)), ("ridge", reference.Ridge(strength * 221))):
        model.fit(X[train], patients.y[train])
        assert said[f"weights exactly 0, {name}"] == (model.coef_ == 0).sum()
        assert said[f"sum of sizes, {name}"] == pytest.approx(np.abs(model.coef_).sum(), abs=0.1)
        for label, part in zip(("validation", "test"), held_out, strict=True):
            rmse = np.sqrt(np.mean((model.predict(X[part]) - patients.y[part]) ** 2))
            assert said[f"{label} RMSE, {name}"] == pytest.approx(rmse, abs=0.06)


def test_the_cursor_is_dragged_along_its_logarithmic_axis(build):
    explorer = build("Paths")
    explorer.set(strength=1)
    drag(explorer, explorer.figure.axes[0], (0, 5), (1.0, 5))
    assert explorer.values["strength"] == pytest.approx(10, rel=0.1)
    press_key(explorer, "left")
    assert explorer.values["strength"] < 10


def test_the_buttons_find_the_lowest_validation_error(build):
    explorer = build("Paths")
    for name in ("lasso", "ridge"):
        lowest = explorer.at_press(f"Best {name} by validation")[f"validation RMSE, {name}"]
        for strength in np.geomspace(0.1, 100, 40):
            assert explorer.at(strength=strength)[f"validation RMSE, {name}"] >= lowest


def test_nothing_is_drawn_beyond_the_cursor(build):
    explorer = build("Paths")
    explorer.set(strength=1)
    for line in (*explorer.curves["lasso"], *explorer.curves["ridge"], *explorer.errors.values()):
        assert line.get_xdata().max() == pytest.approx(0)


# --- weight decay -----------------------------------------------------------------------------------------------------


def test_the_trajectories_are_torchs(build):
    X, y = two_features("bmi", "s5")
    y = (y - y.mean()) / y.std()
    said = build("Decay").at(step=60, weight_decay=1.0, lr=0.1, start=((0.5, -0.5),))
    for name, optimizer in zip(
        explorers.OPTIMIZERS, (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW), strict=True
    ):
        w = torch.tensor([0.5, -0.5], dtype=torch.float64, requires_grad=True)
        stepper = optimizer([w], lr=0.1, weight_decay=1.0)
        for _ in range(60):
            stepper.zero_grad()
            ((torch.from_numpy(X) @ w - torch.from_numpy(y)).square().mean() / 2).backward()
            stepper.step()
        mine = [said[f"weight of {feature}, {name}"] for feature in ("bmi", "s5")]
        assert mine == pytest.approx(w.tolist(), abs=6e-4)


def test_sgd_and_adam_come_to_the_l2_minimum_and_adamw_does_not(build):
    said = build("Decay").at(step=explorers.STEPS)
    assert said["from the L2 minimum, SGD"] <= 0.01
    assert said["from the L2 minimum, Adam + L2"] <= 0.01
    assert said["from the L2 minimum, AdamW"] > 0.05


def test_without_decay_adam_and_adamw_are_one(build):
    said = build("Decay").at(weight_decay=0.0)
    for feature in ("bmi", "s5"):
        assert said[f"weight of {feature}, Adam + L2"] == said[f"weight of {feature}, AdamW"]


def test_the_start_is_dragged(build):
    explorer = build("Decay")
    drag(explorer, explorer.figure.axes[0], explorer.values["start"][0], (1.0, -0.5))
    assert explorer.values["start"][0] == pytest.approx((1.0, -0.5), abs=0.02)
    assert explorer.at(step=0)["weight of bmi, SGD"] == pytest.approx(1.0, abs=0.02)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("explorer", [explorers.DiamondAndCircle, explorers.Decay])
def test_two_features_are_needed(explorer):
    with pytest.raises(ValueError, match="X must have two columns"):
        explorer(np.ones((5, 3)), np.ones(5), "abc")
