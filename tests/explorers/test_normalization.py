"""Readouts of topic 12's explorers against independent computations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers import datasets
from helpers.algorithms.normalization import NormalizedNet
from helpers.explorers import normalization as explorers

from .hand import click, drag, press_key


@pytest.fixture(scope="module")
def rates():
    explorer = explorers.examples()["Rates"]()
    yield explorer
    explorer.close()


def test_the_block_says_what_torch_says(build):
    block = build("Block")
    x = torch.tensor(block.x)
    said = block.at(reveal=True, groups=4, cell=(3, 5, 0, 2))
    wanted = {
        "BN": (F.batch_norm(x, None, None, training=True), x[:, 5]),
        "LN": (F.layer_norm(x, x.shape[1:]), x[3]),
        "IN": (F.instance_norm(x), x[3, 5]),
        "GN": (F.group_norm(x, 4), x[3, 4:6]),
    }
    for name, (y, cells) in wanted.items():
        assert said[f"{name}: cells with one mean"] == cells.numel()
        assert said[f"{name}: that mean"] == pytest.approx(cells.mean().item(), abs=1e-3)
        assert said[f"{name}: cell becomes"] == pytest.approx(y[3, 5, 0, 2].item(), abs=1e-2)


def test_the_block_gives_nothing_away_at_its_opening(build):
    block = build("Block")
    assert not any("mean" in name for name in block.at())
    assert not any(frame.get_visible() for frame in block.frames)
    block.set(reveal=True)
    assert all(frame.get_visible() for frame in block.frames)


def test_frames_hold_the_cells_that_share_a_mean(build):
    block = build("Block")
    block.set(reveal=True, groups=2, cell=(1, 6, 0, 0))
    n, c, h, w = block.x.shape
    held = []
    for frame in block.frames:
        box = frame.get_bbox()
        inside = [
            (i, k)
            for i in range(n)
            for k in range(c)
            if box.x0 < k * (w + 1) < box.x1 - w + 1 and box.y0 < i * (h + 1) < box.y1 - h + 1
        ]
        held.append(set(inside))
    assert held[0] == {(i, 6) for i in range(n)} and held[1] == {(1, k) for k in range(c)}
    assert held[2] == {(1, 6)} and held[3] == {(1, k) for k in range(4, 8)}


def test_a_cell_is_chosen_by_a_click_a_drag_or_a_key(build):
    block = build("Block")
    axes = block.figure.axes[2]
    click(block, axes, (7 * 5 + 3, 2 * 5 + 1))
    assert block.cell == (2, 7, 1, 3)
    drag(block, axes, (0, 0), (6, 11))
    assert block.cell == (2, 1, 1, 1)
    press_key(block, "right")
    assert block.cell[1:] > (1, 1, 1) or block.cell[3] == 2


def test_maps_are_convolutions(build):
    x = build("Block").x
    photograph = datasets.photograph("flower.jpg").astype(float) / 255
    _, top, left = explorers.CROPS[2]
    crop = torch.tensor(photograph[top : top + 96, left : left + 96]).permute(2, 0, 1)[None]
    filters = np.random.default_rng(5).normal(size=(8, 3, 5, 5)) / np.sqrt(75)
    filters -= 0.8 * filters.mean(axis=(1, 2, 3), keepdims=True)
    wanted = F.conv2d(F.avg_pool2d(crop, 12), torch.tensor(filters))[0]
    np.testing.assert_allclose(x[2], wanted.numpy(), atol=1e-12)


def test_batch_norm_allows_larger_rates(rates):
    def mean(label, **values):
        return rates.at(epoch=5, **values)[f"{label}: accuracy, mean of 3"]

    for activation in ("relu", "sigmoid"):
        assert (
            mean("batch norm", activation=activation, lr=3) > 0.8 > mean("without", activation=activation, lr=3) + 0.2
        )
    assert mean("without", lr=0.3) > 0.7
    assert mean("batch norm", lr=30) < 0.3


def test_a_sweep_trains_each_rate_and_seed_by_itself(rates):
    digits = datasets.digits()
    order = np.random.default_rng(0).permutation(len(digits.X))[:1200]
    X, y = digits.X[order] / 16, digits.y[order]
    net, rng = NormalizedNet((64, 32, 32, 10), "none", seeds=(2,)), np.random.default_rng(0)
    for part in np.array_split(rng.permutation(600), 12):
        net.step(X[:600][part], y[:600][part], 0.0949)
    share = (net.predict(X[600:])[0] == y[600:]).mean()
    assert rates.accuracy["relu", "none"].shape == (5, 7, 3)
    assert rates.accuracy["relu", "none"][0, 1, 2] == pytest.approx(share, abs=0.01)


def test_the_noise_of_a_batch_follows_the_root_law(build):
    noise = build("BatchNoise")
    for batch in (2, 16, 128):
        said = noise.at(batch=batch)
        assert said["if all were independent"] == pytest.approx(batch**-0.5, abs=1e-3)
        assert said["mean strays by (standard deviations)"] == pytest.approx(batch**-0.5, rel=0.05)
        assert said["batch variance / true one, mean"] == pytest.approx(1 - 1 / batch, abs=0.03)


def test_two_values_leave_a_sign(build):
    noise = build("BatchNoise")
    becomes = noise.found["unit"][0].becomes
    assert np.mean(np.abs(np.abs(becomes) - 1) < 0.05) > 0.98, "but for values that nearly coincide"


def test_a_batch_is_normalized_as_batch_norm_does(build):
    digits = datasets.digits().X / 16
    z = digits @ np.random.default_rng(1).normal(size=(64, 1))
    drawn = np.random.default_rng(0).integers(len(z), size=(1000, 256))[7, :8]
    batch = torch.tensor(z[[0, *drawn[1:]]])
    wanted = F.batch_norm(batch, None, None, training=True)[0, 0].item()
    assert build("BatchNoise").found["unit"][2].becomes[7] == pytest.approx(wanted, abs=1e-6)
