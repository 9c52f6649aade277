"""Explorers of topic 20: what is folded against the block itself, and effective fields measured anew."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.algorithms import receptive_field
from helpers.explorers import repvgg as explorers

from .hand import shown


@pytest.fixture
def branches(built):
    built["Branches"].reset()
    return built["Branches"]


@pytest.fixture
def kernels(built):
    built["LargeKernels"].reset()
    return built["LargeKernels"]


@pytest.mark.parametrize("gammas", [(1, 1, 1), (-2, 0.5, 0), (0, 0, 2)])
@pytest.mark.parametrize("output", [0, 2])
def test_the_sum_is_the_convolution_that_equals_the_block(branches, gammas, output):
    values = dict(zip(("dense", "point", "identity"), map(float, gammas), strict=True))
    found = branches.solve(**branches.values | values | {"step": 3, "output": output, "input": 1})
    block, x = branches.block, branches.image
    impulses = torch.zeros(2, 3, 5, 5, dtype=torch.float64)
    impulses[0, 1, 2, 2] = 1
    out = block.dense_norm(block.dense(impulses)) + block.point_norm(block.point(impulses))
    out = out + block.identity_norm(impulses)
    response = (out[0] - out[1])[output, 1:4, 1:4].flip(0, 1)  # of a 1 in the input channel
    np.testing.assert_allclose(found.kernels[3], response, atol=1e-12)
    assert found.biases[3] == pytest.approx(out[1, output, 2, 2].item())
    assert found.difference < 1e-10
    assert branches.at(**values, step=3)["one kernel against three branches"] == "equal within 1e-10"
    total = F.relu(torch.tensor(sum(found.pictures[:3])))
    torch.testing.assert_close(total, block(x)[0, output])


def test_without_folding_the_sum_is_wrong(branches):
    assert branches.at(step=2)["one kernel against three branches"] == "not yet"  # nothing is given away
    said = branches.at(step=3, fold=False)
    apart = float(said["one kernel against three branches"].split()[0])
    assert apart > 0.5
    block, x = branches.block, branches.image
    unfolded = block.dense(x) + block.point(x) + x
    true = block.dense_norm(block.dense(x)) + block.point_norm(block.point(x)) + block.identity_norm(x)
    assert apart == pytest.approx((unfolded - true).abs().max().item(), abs=6e-3)


def test_the_identity_has_a_weight_for_its_own_channel_alone(branches):
    assert branches.solve(**branches.values | {"step": 2, "input": 1}).kernels[2].any() == np.False_
    own = branches.solve(**branches.values | {"step": 2})
    assert np.count_nonzero(own.kernels[2]) == 1 and own.kernels[2][1, 1] > 1


def test_cells_appear_step_by_step(branches):
    seen = [[int(branches._visible(step, block).sum()) for block in range(4)] for step in range(4)]
    assert seen == [[9, 1, 0, 0], [9, 1, 1, 0], [9, 9, 9, 0], [9, 9, 9, 9]]
    pictures = []
    for step in range(4):
        branches.set(step=step)
        pictures.append(shown(branches))
    assert all(not np.array_equal(a, b) for a, b in pairwise(pictures))


def test_statistics_are_those_of_the_photograph(branches):
    out = branches.block.dense(branches.image)
    torch.testing.assert_close(branches.block.dense_norm.running_mean, out.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(branches.block.identity_norm.running_var, branches.image.var(dim=(0, 2, 3)))


@pytest.mark.parametrize(("kernel", "depth", "small"), [(7, 1, 0), (13, 2, 3), (3, 2, 5)])
@pytest.mark.parametrize("shortcut", [False, True])
def test_fields_are_measured(kernels, kernel, depth, small, shortcut):
    said = kernels.at(kernel=kernel, depth=depth, small=small, shortcut=shortcut, share=75)
    side = depth * (kernel - 1) + 1
    blocks = [explorers.random_block(4, kernel, min(small, kernel) or None, shortcut, seed) for seed in range(depth)]
    large = receptive_field.effective_receptive_field(nn.Sequential(*blocks), (4, side, side), samples=2)
    stack = receptive_field.Stack((side - 1) // 2, 3, 8, "ReLU")
    small_ones = receptive_field.effective_receptive_field(stack, (8, side, side), samples=2)
    layers = (side - 1) // 2
    assert said["blocks: pixels that hold 75 %"] == receptive_field.area_holding(large, 0.75)
    assert said[f"{layers} layers of 3 x 3: the same"] == receptive_field.area_holding(small_ones, 0.75)
    with torch.device("meta"):
        depthwise, dense = nn.Conv2d(256, 256, kernel, groups=256, bias=False), nn.Conv2d(256, 256, 3, bias=False)
    assert said["256 channels: depthwise weights"] == depthwise.weight.numel() * depth
    assert said["256 channels: if the large kernel were dense"] == 256 * depthwise.weight.numel() * depth
    assert said[f"256 channels: {layers} dense 3 x 3"] == dense.weight.numel() * layers


def test_a_large_kernel_uses_more_than_the_stack(kernels):
    for kernel in (13, 21, 31):
        said = list(kernels.at(kernel=kernel).values())
        assert said[1] > said[2]


def test_boxes_and_colored_pixels_follow(kernels):
    kernels.set(kernel=13, depth=2, share=60)
    assert kernels.boxes[0].get_bbox().bounds == (-12.5, -12.5, 25, 25)
    colored = [np.ptp(picture.get_array()[..., :3].astype(int), axis=2) > 0 for picture in kernels.pictures]
    said = list(kernels.at().values())
    assert [count.sum() for count in colored] == said[1:3]
