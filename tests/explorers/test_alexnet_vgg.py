"""Readouts of topic 19's explorers against counts by hand."""

import numpy as np
import pytest

from helpers.explorers import alexnet_vgg as explorers

from .hand import drag


def test_costs_say_what_the_layer_costs(build):
    costs = build("Costs")
    said = costs.at(network="VGG-16", layer=14)
    assert said["layer (hatched: dense)"] == "dense 1"
    assert said["parameters"] == 4096 * (25088 + 1)
    assert said["multiply-adds"] == 4096 * 25088
    assert said["share of all parameters (%)"] == round(100 * 4096 * 25089 / 138_357_544, 1)
    said = costs.at(network="AlexNet", layer=1, count="activations")
    assert said["puts out"] == "64 x 55 x 55"
    assert said["activations"] == 64 * 55 * 55


def test_the_sums_end_at_all(build):
    costs = build("Costs")
    for network, table in explorers.tables().items():
        said = costs.at(network=network, layer=len(table))
        assert said["so far: parameters, multiply-adds, activations (%)"] == "100, 100, 100"


def test_the_layer_ends_where_the_network_ends(build):
    costs = build("Costs")
    assert costs.set(network="VGG-19", layer=19)["layer (hatched: dense)"] == "dense 3"
    assert costs.set(network="AlexNet")["layer (hatched: dense)"] == "dense 3"
    assert costs.layer == 8


def test_bars_beyond_the_cursor_are_not_shown(build):
    costs = build("Costs")
    costs.set(network="VGG-16", layer=5, count="activations")
    heights = [bar.get_height() for bar in costs.bars]
    assert all(height > 0 for height in heights[:5])
    assert not any(heights[5:])


def test_the_line_is_dragged_through_the_layers(build):
    costs = build("Costs")
    drag(costs, costs.figure.axes[1], (2, 0.5), (13.7, 0.5))
    assert costs.layer == 14


def test_memory_has_a_part_that_the_batch_does_not_touch(build):
    costs = build("Costs")
    one, two = (costs.at(batch=batch)["training holds, whole network (MB)"] for batch in (1, 2))
    table = explorers.tables()["VGG-16"]
    activations = sum(layer.activations for layer in table)
    assert two - one == pytest.approx(8 * activations / 1e6, abs=1)
    assert one - (two - one) == pytest.approx(12 * 138_357_544 / 1e6, abs=2)


@pytest.mark.parametrize(("kernel", "layers"), [(3, 3), (5, 2), (7, 5)])
def test_stacks_say_field_and_ratio(build, kernel, layers):
    said = build("Stacks").at(kernel=kernel, layers=layers)
    field = 1 + layers * (kernel - 1)
    assert said["field (pixels)"] == f"{field} x {field}"
    assert said["in a row / one"] == pytest.approx(layers * kernel**2 / field**2)


def test_the_squares_are_dragged_and_grow_by_layer(build):
    stacks = build("Stacks")
    stacks.set(layers=3)
    drag(stacks, stacks.figure.axes[0], (48, 32), (30, 20))
    assert stacks.place[0] == pytest.approx((30, 20), abs=0.5)
    sides = [np.ptp(square.get_xdata()) for square in stacks.squares[:3]]
    assert sides == pytest.approx([3, 5, 7])
    assert np.isnan(stacks.squares[3].get_xdata()).all()
