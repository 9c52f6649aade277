"""Explorers of topic 09: every readout against torch or a count of its own, the hand on kernel and pixels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers import datasets
from helpers.explorers import convolution as explorers

from .hand import drag, hover, press_key, shown


@pytest.fixture
def slide(built):
    built["Slide"].reset()
    return built["Slide"]


@pytest.fixture
def sharing(built):
    built["Sharing"].reset()
    return built["Sharing"]


def bloom():
    """The photograph as the explorer shows it, by torch: gray, the mean of 5 x 5 pixels."""
    gray = torch.tensor(datasets.photograph("flower.jpg")[50:370, 80:560].astype(float)).mean(dim=2) / 255
    return F.avg_pool2d(gray[None, None], 5)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("label", ["Blur", "Edges"])
def test_readouts_equal_torch(slide, stride, padding, dilation, label):
    kernel = torch.tensor(explorers.KERNELS[label.lower()], dtype=torch.float64)
    theirs = F.conv2d(bloom(), kernel[None, None], None, stride, padding, dilation)[0, 0]
    said = slide.at_press(label, stride=stride, padding=padding, dilation=dilation, row=7, column=11)
    assert said["output size"] == f"{theirs.shape[0]} x {theirs.shape[1]}"
    assert said["its value"] == pytest.approx(theirs[7, 11].item(), abs=6e-4)
    assert said["drawn black"] == pytest.approx(min(0, theirs.min().item()), abs=6e-3)
    assert said["drawn white"] == pytest.approx(max(1, theirs.max().item()), abs=6e-3)
    assert said["multiply-adds"] == 9 * theirs.numel()
    assert said["parameters"] == 9


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 30), (99, 99), (20, 30)])
def test_taps_in_the_padding_are_counted(slide, row, column):
    said = slide.at(padding=2, dilation=2, row=row, column=column)
    ones = F.conv2d(torch.ones_like(bloom()), torch.ones(1, 1, 3, 3).double(), None, 1, 2, 2)[0, 0]
    place = min(row, ones.shape[0] - 1), min(column, ones.shape[1] - 1)
    assert said["output pixel (row, column)"] == f"{place[0]}, {place[1]}"
    assert said["its taps in the padding"] == 9 - ones[place].item()


def test_the_window_begins_where_the_formula_says(slide):
    said = slide.at(stride=3, padding=2, row=5, column=0)
    assert said["window begins at (row, column)"] == "13, -2"


def test_a_weight_is_dragged_up_and_down_and_stays_in_range(slide):
    cells = slide.figure.axes[2]
    middle = explorers.BLOCKS["kernel"] + 1, 1
    drag(slide, cells, middle, (middle[0], 0))
    assert slide.kernel[1] == (0, 2, 0)
    drag(slide, cells, (middle[0] - 0.8, 0.2), (middle[0] - 1, 1.2))  # anywhere in a cell will do
    assert slide.kernel[0] == (-1, 0, 0)
    for _ in range(9):
        drag(slide, cells, middle, (middle[0], -1))
    assert slide.kernel[1][1] == explorers.STRONGEST
    assert float(slide.at()["its value"]) > 1


def test_keys_change_a_weight(slide):
    press_key(slide, "n")
    press_key(slide, "up")
    assert sum(map(sum, slide.kernel)) > 1
    press_key(slide, "shift+down")
    assert sum(map(sum, slide.kernel)) <= 1


def test_pointing_at_the_output_chooses_its_pixel(slide):
    out = slide.figure.axes[1]
    hover(slide, out, (12, 5))
    assert slide.at()["output pixel (row, column)"] == "5, 12"
    slide.set(stride=4)
    hover(slide, out, (80, 50))  # no output there
    assert slide.at()["output pixel (row, column)"] == "5, 12"


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (3, 4, 2)])
def test_the_window_is_dragged_from_place_to_place(slide, stride, padding, dilation):
    slide.set(stride=stride, padding=padding, dilation=dilation, row=7, column=9)
    middle = np.array([9, 7]) * stride - padding + dilation
    assert slide.frame.get_bbox().bounds[0] + slide.frame.get_bbox().bounds[2] / 2 == middle[0]
    photo = slide.figure.axes[0]
    drag(slide, photo, middle, middle + np.array([2, 3]) * stride)
    assert (slide.row, slide.column) == (10, 11)
    drag(slide, photo, middle, middle - 500)
    assert (slide.row, slide.column) == (0, 0)


def test_stepping_moves_along_the_row_and_the_picture(slide):
    column, before = slide.column, shown(slide)
    slide.press("Step")
    assert slide.column == column + 1
    assert not np.array_equal(shown(slide), before)


def test_the_frame_covers_the_extent_of_a_dilated_kernel(slide):
    slide.set(dilation=3, row=4, column=6)
    assert slide.frame.get_bbox().bounds == (5.5, 3.5, 7, 7)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_the_drawn_matrix_has_the_entries_of_the_layer(sharing, kernel):
    basis = torch.eye(36).double().reshape(36, 1, 6, 6)
    taps = torch.arange(1.0, kernel**2 + 1).double().reshape(1, 1, kernel, kernel)
    matrix = F.conv2d(basis, taps, padding=kernel // 2).reshape(36, 36)
    shared = sharing.at(kind="shared", kernel=kernel)
    assert shared["drawn: entries not 0"] == (matrix > 0).sum()
    assert shared["drawn: different weights"] == kernel**2
    local = sharing.at(kind="local", kernel=kernel)
    assert local["drawn: entries not 0"] == local["drawn: different weights"] == (matrix > 0).sum()
    dense = sharing.at(kind="dense", kernel=kernel)
    assert dense["drawn: entries not 0"] == dense["drawn: different weights"] == 36**2


def test_counts_equal_torch_layers(sharing):
    said = sharing.at(side=16, inputs=5, outputs=7, kernel=3)
    with torch.device("meta"):
        convolution = torch.nn.Conv2d(5, 7, 3)
        dense = torch.nn.Linear(5 * 16 * 16, 7 * 16 * 16)
    count = sum(p.numel() for p in convolution.parameters())
    assert said["convolution: parameters"] == count
    assert said["local: parameters"] == count * 16 * 16
    assert said["dense: parameters"] == sum(p.numel() for p in dense.parameters())
    assert said["multiply-adds of the convolution"] == convolution.weight.numel() * 16 * 16


def test_the_matrix_of_each_kind_looks_different(sharing):
    pictures = []
    for kind in explorers.KINDS.values():
        sharing.set(kind=kind)
        pictures.append(shown(sharing))
    assert not np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[1], pictures[2])
