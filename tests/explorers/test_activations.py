"""Readouts of topic 15's explorers against independent computations."""

import numpy as np
import pytest
import torch

from helpers import datasets
from helpers.explorers import activations as explorers

from .hand import drag


def test_the_curve_says_value_and_slope(build):
    curve = build("Curve")
    for name, theirs in (("gelu", torch.nn.functional.gelu), ("silu", torch.nn.functional.silu), ("tanh", torch.tanh)):
        x = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
        theirs(x).backward()
        said = curve.at(function=name, x=1.3)
        assert said["f(x)"] == pytest.approx(theirs(x).item()) and said["slope f '(x)"] == pytest.approx(x.grad.item())
    assert curve.at(function="sigmoid", x=0)["what ten such slopes leave"] == pytest.approx(0.25**10)


def test_the_shape_is_the_leak_and_greyed_out_elsewhere(build):
    curve = build("Curve")
    assert curve.controls["shape"].disabled
    assert curve.set(function="leaky_relu", x=-2, shape=0.5)["f(x)"] == -1
    assert not curve.controls["shape"].disabled


def test_the_point_is_dragged_along_the_curve(build):
    curve = build("Curve")
    drag(curve, curve.figure.axes[0], (1.0, 0.7), (-3.0, 5.0))
    assert curve.x == -3
    drag(curve, curve.figure.axes[1], (-3.0, 0.1), (2.0, 0.1))
    assert curve.x == 2


def test_depth_equals_autograd(build):
    rng, h = np.random.default_rng(0), torch.tensor(datasets.digits().X[: explorers.SAMPLES] / 16)
    outputs = []
    for _ in range(6):
        n = h.shape[1]
        weights = rng.normal(size=(n, explorers.WIDTH)) * np.sqrt(2 / n)
        h = torch.relu(h @ torch.tensor(weights)).requires_grad_()
        h.retain_grad()
        outputs.append(h)
    h.backward(torch.tensor(np.random.default_rng(1).normal(size=h.shape)))
    said = build("Depth").at(function="relu", start="He, 2 / n", depth=6)
    arrives = [output.grad.square().mean().sqrt().item() for output in (outputs[0], outputs[-1])]
    assert said["spread after the last layer"] == pytest.approx(h.detach().numpy().std(axis=0).mean(), rel=0.05)
    assert said["gradient at the first layer"] == pytest.approx(arrives[0], rel=0.05)
    assert said["gradient at the last layer"] == pytest.approx(arrives[1], rel=0.05)


def test_he_keeps_what_xavier_loses_under_relu(build):
    depth = build("Depth")
    assert depth.at(function="relu", start="He, 2 / n", depth=20)["factor per layer"] == pytest.approx(1, abs=0.05)
    lost = depth.at(function="relu", start="Xavier, 1 / n", depth=20)["factor per layer"]
    assert lost == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert depth.at(function="sigmoid", depth=20)["factor per layer"] < 0.26


def test_units_die_at_large_rates_and_stay_dead(build):
    dying = build("Dying")
    assert (np.diff(dying.dead[1:], axis=0)[:, -1] >= 0).all(), "at the largest rate nobody comes back"
    assert dying.dead[-1, -1] > 40 and dying.dead[-1, 0] <= dying.dead[0, 0] + 1
    assert dying.accuracy[-1].max() > 0.9 and dying.accuracy[-1, -1] < 0.3


def test_temperature_is_a_softmax(build):
    temperature = build("Temperature")
    z = np.array(explorers.LOGITS)
    said = temperature.at(temperature=2)
    shares = torch.softmax(torch.tensor(z / 2), 0).numpy()
    assert [said[f"p({name})"] for name in "ABCDE"] == pytest.approx(shares.tolist(), abs=2e-3)
    gradient = torch.softmax(torch.tensor(z), 0)[0].item() - 1
    assert temperature.at(hard=True)["gradient at A"] == pytest.approx(gradient, abs=1e-6)


def test_a_logit_is_dragged_up_and_down_only(build):
    temperature = build("Temperature")
    drag(temperature, temperature.figure.axes[0], (2.0, 0.5), (4.0, 3.0))
    assert temperature.logits[2] == (2.0, pytest.approx(3.0, abs=0.01))
