"""Explorers of topic 11: readouts against autograd, the hand on units, and what is drawn."""

import numpy as np
import pytest
import torch

from helpers.algorithms import receptive_field as fields
from helpers.algorithms.receptive_field import Layer
from helpers.explorers import receptive_field as explorers

from .hand import drag, hover, press_key, shown


@pytest.fixture
def cone(built):
    built["Cone"].reset()
    return built["Cone"]


@pytest.fixture
def effective(built):
    built["Effective"].reset()
    return built["Effective"]


@pytest.mark.parametrize("network", list(explorers.NETWORKS))
@pytest.mark.parametrize("place", [(112, 112), (0, 223)])
def test_readouts_equal_where_the_gradient_reaches(cone, network, place):
    layers = explorers.NETWORKS[network]
    for layer in range(1, len(layers) + 1):
        said = cone.at(network=network, layer=layer, place=place)
        row, column = map(int, said["this unit (row, column)"].split(", "))
        first, last = map(int, said["its field, columns"].split(" to "))
        reach = [fields.gradient_reach(layers[:layer], 224, unit) for unit in (row, column)]
        inside = np.flatnonzero(reach[1])
        assert (inside[0], inside[-1]) == (max(first, 0), min(last, 223))
        assert said["size of its field (pixels)"] == last - first + 1
        outside = 1 - reach[0].sum() * reach[1].sum() / said["pixels along a side that reach it"] ** 2
        assert said["share of the field in the padding"] == f"{outside:.0%}"


def test_buttons_build_a_stack(cone):
    sizes = []
    for label in ("+ 3 x 3", "+ 3 x 3, stride 2", "+ 3 x 3, dilation 2", "+ pool 2", "+ 7 x 7"):
        said = cone.press(label)
        sizes.append((said["size of its field (pixels)"], said["jump from unit to unit (pixels)"]))
    assert sizes == [(5, 1), (7, 2), (15, 2), (17, 4), (41, 4)]
    assert cone.layer == 6
    assert cone.press("Remove")["size of its field (pixels)"] == 17
    for _ in range(9):
        cone.press("Remove")
    assert cone.stack == cone.opening["stack"]


def test_a_network_can_be_taken_as_a_start(cone):
    cone.set(network="AlexNet", layer=8)
    said = cone.press("+ 3 x 3")
    assert cone.network == "yours" and cone.layer == 9
    assert said["size of its field (pixels)"] == 195 + 2 * 32


def test_a_stack_stops_growing_when_nothing_is_left(cone):
    for _ in range(12):
        cone.press("+ pool 2")
    assert cone.error == "" and cone.at()["units along a side"] == 1
    cone.reset()
    for _ in range(30):
        cone.press("+ 3 x 3")
    assert len(cone.stack) == explorers.MOST_LAYERS


def test_dilation_leaves_holes(cone):
    dilated = (Layer(3, 1, 2, 2, "conv"),) * 3
    said = cone.at(stack=dilated, layer=3)
    assert (said["size of its field (pixels)"], said["pixels along a side that reach it"]) == (13, 7)


def test_pixels_that_reach_keep_their_colors_and_others_are_pale(cone):
    cone.set(stack=(Layer(3, 1, 2, 2, "conv"),), layer=1, zoom=1, place=(50, 60))
    picture, photograph = cone.photo.get_array(), explorers.square_photograph()
    kept = (picture == photograph).all(axis=2)
    assert all(kept[50 + i, 60 + j] for i in (-2, 0, 2) for j in (-2, 0, 2))
    assert (picture[51, 61] == (0.35 * photograph[51, 61] + 0.65 * 255).astype(int)).all()
    assert cone.frame.get_bbox().bounds == (57.5, 47.5, 5, 5)


@pytest.mark.parametrize("zoom", [1, 2, 4])
def test_the_unit_is_dragged_on_the_photograph(cone, zoom):
    cone.set(zoom=zoom)
    photo = cone.figure.axes[0]
    start = np.array(cone.handles[0].places(cone.values)["unit"])
    drag(cone, photo, start, start + np.array([8, -4]) * zoom)
    assert cone.place == (108, 120)
    drag(cone, photo, start, start - 900)
    assert cone.place == (112 - 112 // zoom,) * 2
    press_key(cone, "n")
    press_key(cone, "right")
    assert cone.place[1] > 112 - 112 // zoom


@pytest.mark.parametrize("zoom", [1, 4])
def test_a_unit_is_chosen_from_the_side(cone, zoom):
    cone.set(network="AlexNet", zoom=zoom)
    side = cone.figure.axes[2]
    rows = 9
    hover(cone, side, (224 + 10 * zoom, 5.5 / rows))
    assert cone.layer == 5
    assert cone.place[1] in (121, 122)
    hover(cone, side, (3, 0.5))  # far out in the padding
    assert cone.layer == 5
    cone.reset()
    hover(cone, side, (224, 0.9))  # no layer there
    assert cone.layer == 1


def test_the_side_view_colors_what_reaches(cone):
    cone.set(network="VGG-16", layer=18, place=(112, 10), zoom=1)
    picture = cone.units.get_array()
    middle = picture.reshape(19, explorers.THICK, -1, 4)[:, 3]
    reached = [(line[:, None] == explorers.BRIGHT).all(axis=2).any(axis=1) for line in middle]
    padding = [(line == explorers.PADDING).all(axis=1).sum() for line in middle]
    pixels = fields.reaching(fields.vgg16(), 0)[0]
    assert reached[0].sum() == (pixels >= 0).sum()
    assert padding[0] == (pixels < 0).sum()
    assert padding[18] == 0


@pytest.mark.parametrize("activation", list(fields.ACTIVATIONS))
@pytest.mark.parametrize("residual", [False, True])
def test_effective_field_equals_a_jacobian_of_its_own(effective, activation, residual):
    said = effective.at(depth=3, kernel=3, activation=activation, residual=residual, seed=2, share=80)
    stack = fields.Stack(3, 3, 8, activation, residual, random_state=2)
    images = torch.tensor(np.random.default_rng(0).standard_normal((2, 8, 7, 7)), dtype=torch.float32)
    total = sum(
        torch.autograd.functional.jacobian(lambda x: stack(x[None]).sum(), image).abs().sum(dim=0) for image in images
    )
    strongest = torch.sort(total.ravel(), descending=True).values.cumsum(0) / total.sum()
    assert said["pixels that hold 80 %"] == int((strongest < 0.8).sum()) + 1
    places = torch.arange(-3, 4)
    variance = (total.sum(0) @ (places**2.0) + total.sum(1) @ (places**2.0)) / 2 / total.sum()
    assert said["spread, standard deviation (pixels)"] == pytest.approx(variance.sqrt().item(), abs=6e-3)
    assert said["theoretical field (pixels)"] == "7 x 7 = 49"


def test_deeper_stacks_use_a_smaller_share_and_residual_ones_a_smaller_still(effective):
    shares = [effective.at(depth=depth)["pixels that hold 90 %"] / (2 * depth + 1) ** 2 for depth in (1, 4, 8, 12)]
    assert shares == sorted(shares, reverse=True)
    plain, residual = (effective.at(depth=12, residual=kind)["pixels that hold 90 %"] for kind in (False, True))
    assert residual < plain


def test_box_and_colored_pixels_follow(effective):
    effective.set(depth=5, kernel=5, share=75)
    assert effective.box.get_bbox().bounds == (-10.5, -10.5, 21, 21)
    colored = np.ptp(effective.picture.get_array()[..., :3].astype(int), axis=2) > 0
    assert colored.sum() == effective.at()["pixels that hold 75 %"]
    assert effective.line.get_ydata().max() == 1
    before = shown(effective)
    effective.set(seed=1)
    assert not np.array_equal(before, shown(effective))


def test_spread_of_a_known_field():
    row = np.array([1.0, 2, 1]) / 4
    assert explorers.gaussian_spread(np.outer(row, row)) == pytest.approx(0.5**0.5)
