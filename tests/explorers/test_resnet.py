"""Readouts of topic 21's explorers against independent computations."""

import pytest
import torch

from helpers.algorithms.resnet import SmallNets, gradient_norms, train_small
from helpers.explorers import resnet as explorers

from .hand import click


@pytest.fixture(scope="module")
def depth():
    explorer = explorers.examples()["Depth"]()
    yield explorer
    explorer.close()


def test_a_curve_is_that_of_its_own_network(depth):
    x, y = explorers.small_digits()
    nets = SmallNets(3, [True], [2])
    norms = gradient_norms(nets, x[:200], y[:200])[:, 0]
    assert depth.found[8]["residual"][1][:, 2] == pytest.approx(norms.numpy(), rel=0.01)
    run = torch.stack(list(train_small(nets, x, y, steps=10)))
    assert depth.found[8]["residual"][0][2, :2] == pytest.approx(run[:, 0].reshape(2, 5).mean(1).numpy(), abs=0.02)


def test_plain_networks_get_worse_with_depth_on_training_data(depth):
    wrong = {d: depth.found[d]["plain"][2].mean() for d in explorers.DEPTHS}
    assert wrong[8] < wrong[20] < wrong[44]
    assert depth.found[44]["residual"][2].max() < depth.found[44]["plain"][2].min()


def test_the_opening_gives_neither_end_nor_gradient_away(depth):
    assert not any("error" in name or "gradient" in name for name in depth.at())
    assert depth.at(step=50, depth=44)["plain: training error, mean of 3"] > 0.5


def test_a_click_switches_a_block_and_accuracy_is_recomputed(build):
    identity = build("Identity")
    click(identity, identity.figure.axes[0], (3, 0.5))
    assert identity.off == (3,)
    nets = identity.nets
    nets.on = [1.0, 1.0, 0.0, *[1.0] * 6]
    with torch.no_grad():
        wanted = (nets(identity.x)[1].argmax(1) == identity.y).double().mean().item()
    nets.on = [1.0] * 9
    assert identity.at()["accuracy now"] == f"{wanted:.1f}"
    click(identity, identity.figure.axes[0], (3, 0.5))
    assert identity.off == ()
    assert identity.at_press("Next one off", off=(9,))["blocks off"] == "8, 9"


def test_a_plain_network_does_not_survive_a_switch(build):
    identity = build("Identity")
    assert float(identity.at(kind="plain", off=(5,))["accuracy now"]) <= 0.2
