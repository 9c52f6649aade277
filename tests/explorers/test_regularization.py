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


def axes_of(explorer):
    return explorer.canvas.figure.axes


def weights(readouts, *names):
    return [readouts[f"weight of {name}"] for name in names]


# --- the diamond and the circle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.1, 10.0, 25.0])
def test_both_balls_agree_with_scikit_learn(build, strength):
    X, y = two_features("bmi", "bp")
    explorer = build("diamond_and_circle")
    correlation = np.corrcoef(X.T)[0, 1]
    opening = {"minimum": explorer.values["minimum"], "log_lambda": np.log10(strength)}
    assert explorer.values["correlation"] == pytest.approx(correlation, abs=0.005)
    for penalty, model in (
        ("L1 (lasso)", reference.Lasso(strength, tol=1e-10)),
        ("L2 (ridge)", reference.Ridge(strength * len(y))),
        ("both, half and half", reference.ElasticNet(strength, l1_ratio=0.5, tol=1e-10)),
    ):
        readouts = explorer._update(**{**explorer.values, **opening, "penalty": penalty, "correlation": correlation})
        coef = model.fit(X, y).coef_
        assert weights(readouts, "bmi", "bp") == pytest.approx(coef, abs=1e-3)
        assert readouts["weights exactly 0"] == (coef == 0).sum()


def test_the_ball_and_the_ellipse_touch_at_the_solution(build):
    explorer = build("diamond_and_circle")
    for penalty in explorers.PENALTIES:
        readouts = explorer.set(penalty=penalty, log_lambda=1.2)
        _, touching, ball = (line.get_xydata() for line in axes_of(explorer)[0].lines[2:5])
        solution = weights(readouts, "bmi", "bp")
        for curve in (touching, ball):
            assert np.hypot(*(curve - solution).T).min() < 1.5
        w = np.abs(ball[80])
        share = explorers.PENALTIES[penalty]
        cost = [share * np.abs(v).sum() + (1 - share) / 2 * np.square(v).sum() for v in (w, np.array(solution))]
        assert cost[0] == pytest.approx(cost[1])


def test_the_minimum_can_be_dragged(build):
    explorer = build("diamond_and_circle")
    (x, y), axes = explorer.values["minimum"][0], axes_of(explorer)[0]
    drag(explorer, axes, (x, y), (-20, 10))
    assert explorer.values["minimum"][0] == pytest.approx((-20, 10), abs=0.5)
    press_key(explorer, "right")
    assert explorer.values["minimum"][0][0] > -20
    assert weights(explorer.set(log_lambda=-2), "bmi", "bp") == pytest.approx(explorer.values["minimum"][0], abs=0.1)


def test_a_large_lambda_empties_the_lasso_and_not_ridge(build):
    explorer = build("diamond_and_circle")
    assert explorer.set(penalty="L1 (lasso)", log_lambda=3)["weights exactly 0"] == 2
    assert explorer.set(penalty="L2 (ridge)")["weights exactly 0"] == 0


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log_lambda", [-0.6, 0.4, 1.6])  # settings of the slider
def test_paths_and_errors_equal_scikit_learn(build, log_lambda):
    patients = datasets.diabetes()
    order = np.random.default_rng(0).permutation(len(patients.y))
    train, test = order[:221], order[221:]
    X = (patients.X - patients.X[train].mean(0)) / patients.X[train].std(0)
    readouts = build("paths").set(log_lambda=log_lambda)
    strength = 10.0**log_lambda
    for name, model in (("lasso", reference.Lasso(strength, tol=1e-8)), ("ridge", reference.Ridge(strength * 221))):
        model.fit(X[train], patients.y[train])
        rmse = np.sqrt(np.mean((model.predict(X[test]) - patients.y[test]) ** 2))
        assert readouts[f"held-out RMSE, {name}"] == pytest.approx(rmse, rel=1e-3)
        assert readouts[f"weights exactly 0, {name}"] == (model.coef_ == 0).sum()
        assert readouts[f"sum of sizes, {name}"] == pytest.approx(np.abs(model.coef_).sum(), rel=1e-2)


def test_the_cursor_is_dragged_and_the_buttons_find_the_lowest_error(build):
    explorer = build("paths")
    drag(explorer, axes_of(explorer)[0], (0, 5), (1.0, 5))
    assert explorer.values["log_lambda"] == pytest.approx(1.0, abs=0.05)
    for name in ("lasso", "ridge"):
        lowest = explorer.press(f"Best {name}")[f"held-out RMSE, {name}"]
        for log_lambda in (-1, 0, 1, 2):
            assert explorer.set(log_lambda=log_lambda)[f"held-out RMSE, {name}"] >= lowest


# --- weight decay -----------------------------------------------------------------------------------------------------


def test_the_trajectories_are_torchs(build):
    X, y = two_features("bmi", "s5")
    y = (y - y.mean()) / y.std()
    explorer = build("decay")
    readouts = explorer.set(step=60, weight_decay=1.0, lr=0.1, start=((0.5, -0.5),))
    for name, optimizer in zip(
        explorers.OPTIMIZERS, (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW), strict=True
    ):
        w = torch.tensor([0.5, -0.5], dtype=torch.float64, requires_grad=True)
        stepper = optimizer([w], lr=0.1, weight_decay=1.0)
        for _ in range(60):
            stepper.zero_grad()
            ((torch.from_numpy(X) @ w - torch.from_numpy(y)).square().mean() / 2).backward()
            stepper.step()
        mine = [readouts[f"weight of {feature}, {name}"] for feature in ("bmi", "s5")]
        assert mine == pytest.approx(w.tolist(), abs=1e-9)


def test_sgd_and_adam_end_at_the_l2_minimum_and_adamw_elsewhere(build):
    readouts = build("decay").readouts
    assert readouts["from the L2 minimum, SGD"] < 0.01
    assert readouts["from the L2 minimum, Adam + L2"] < 0.01
    assert readouts["from the L2 minimum, AdamW"] > 0.05


def test_without_decay_adam_and_adamw_are_one(build):
    readouts = build("decay").set(weight_decay=0.0)
    for feature in ("bmi", "s5"):
        assert readouts[f"weight of {feature}, Adam + L2"] == readouts[f"weight of {feature}, AdamW"]


def test_the_start_is_dragged(build):
    explorer = build("decay")
    drag(explorer, axes_of(explorer)[0], explorer.values["start"][0], (1.0, -0.5))
    assert explorer.values["start"][0] == pytest.approx((1.0, -0.5), abs=0.02)
    assert explorer.set(step=0)["weight of bmi, SGD"] == pytest.approx(1.0, abs=0.02)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("explorer", [explorers.diamond_and_circle, explorers.decay])
def test_two_features_are_needed(explorer):
    with pytest.raises(ValueError, match="X must have two columns"):
        explorer(np.ones((5, 3)), np.ones(5), "abc")
