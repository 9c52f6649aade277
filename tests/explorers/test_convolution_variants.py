"""Explorers of topic 16: counts against torch layers, seen pixels against a gradient, stamps against torch."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers import datasets
from helpers.explorers import convolution_variants as explorers

from .hand import drag, hover, shown


@pytest.fixture
def explorer(built, request):
    built[request.param].reset()
    return built[request.param]


def of(name):
    return pytest.mark.parametrize("explorer", [name], indirect=True)


def weights(*layers):
    return sum(layer.weight.numel() for layer in layers)


@of("Counters")
@pytest.mark.parametrize(("inputs", "outputs", "kernel", "groups"), [(32, 64, 3, 4), (96, 32, 5, 32), (64, 64, 1, 1)])
def test_counts_equal_torch_layers(explorer, inputs, outputs, kernel, groups):
    said = explorer.at(inputs=inputs, outputs=outputs, kernel=kernel, groups=groups, side=14)
    with torch.device("meta"):
        plain = torch.nn.Conv2d(inputs, outputs, kernel)
        grouped = torch.nn.Conv2d(inputs, outputs, kernel, groups=groups)
        separable = torch.nn.Conv2d(inputs, inputs, kernel, groups=inputs), torch.nn.Conv2d(inputs, outputs, 1)
    for name, layers in (("plain", [plain]), ("grouped", [grouped]), ("separable", separable)):
        assert said[f"{name}: weights"] == weights(*layers)
        assert said[f"{name}: multiply-adds (million)"] == pytest.approx(weights(*layers) * 14 * 14 / 1e6)
    assert said["separable / plain"] == pytest.approx(said["1 / outputs + 1 / kernel²"])
    assert said["pointwise part of separable (%)"] == pytest.approx(100 * weights(separable[1]) / weights(*separable))


@of("Counters")
def test_groups_are_drawn_as_blocks(explorer):
    for groups in (1, 4, 32):
        explorer.set(groups=groups)
        colored = (explorer.matrix.get_array()[..., :3] != explorers.PAPER[:3]).any(axis=2)
        assert colored.sum() == 32 * 32 / groups
        assert colored.diagonal().all()


@of("Gridding")
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("dilations", [(1,), (2,), (2, 2), (1, 2, 5), (3, 3, 3)])
def test_what_is_seen_equals_a_gradient(explorer, kernel, dilations):
    values = dict(zip(explorers.NAMES, dilations, strict=False))
    said = explorer.at(kernel=kernel, layers=len(dilations), **values)
    extent = 1 + sum(d * (kernel - 1) for d in dilations)
    x = torch.zeros(1, 1, extent, extent, dtype=torch.float64, requires_grad=True)
    out = x
    for dilation in dilations:
        out = F.conv2d(out, torch.ones(1, 1, kernel, kernel).double(), dilation=dilation)
    out.backward()
    seen = x.grad[0, 0] > 0
    assert said["receptive field"] == f"{extent} x {extent}"
    assert said["pixels seen"] == seen.sum()
    assert said["share of the field (%)"] == pytest.approx(100 * seen.double().mean().item())
    assert said["paths, all together"] == x.grad.sum()
    assert said["most paths to one pixel"] == x.grad.max()
    assert said["weights per channel"] == len(dilations) * kernel**2
    row = "".join("x" if one else " " for one in seen[extent // 2])
    assert said["longest gap in a row (pixels)"] == max(map(len, row.strip().split("x")))


@of("Gridding")
def test_the_seen_pixels_are_bright_and_follow_the_hand(explorer):
    explorer.press("2, 2, 2")
    bright = (explorer.seen.get_array() != explorer.dim).any(axis=2)
    rows, columns = np.nonzero(bright)
    assert set(np.diff(np.unique(rows))) == set(np.diff(np.unique(columns))) == {2}
    before = shown(explorer)
    place = explorer.place[0]
    drag(explorer, explorer.figure.axes[0], place, (place[0] - 9, place[1] + 4))
    moved = (explorer.seen.get_array() != explorer.dim).any(axis=2)
    assert not np.array_equal(shown(explorer), before)
    assert (np.roll(bright, (4, -9), axis=(0, 1)) == moved).mean() > 0.99  # equal pixels may look equal when dimmed


@of("Gridding")
def test_the_buttons_name_what_they_set(explorer):
    for label in explorer.buttons():
        assert explorer.press(label)["dilations"] == label
        explorer.reset()


def piece():
    return torch.tensor(datasets.digits().X[0].reshape(8, 8)[:3, 2:5].copy())[None, None]


@of("Transposed")
@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("content", ["digit", "ones"])
def test_values_equal_torch(explorer, kernel, stride, padding, content):
    x = piece() if content == "digit" else torch.ones(1, 1, 3, 3).double()
    out = F.conv_transpose2d(x, torch.ones(1, 1, kernel, kernel).double(), None, stride, padding)[0, 0]
    settings = {"content": content, "kernel": kernel, "stride": stride, "padding": padding}
    for cell in (0, out.numel() // 2, out.numel() - 1):
        said = explorer.at(**settings, cell=cell)
        assert said["its value"] == out.flatten()[cell]
        assert said["input pixels under the window"] + said["zeros under the window"] == kernel**2
        if content == "ones":
            assert said["input pixels under the window"] == said["its value"]
    assert said["output size"] == f"{out.shape[0]} x {out.shape[1]}"
    assert said["multiply-adds with the zeros"] == out.numel() * kernel**2
    assert said["multiply-adds by stamping"] == 9 * kernel**2
    spread = 2 * stride + 1 + 2 * (kernel - 1 - padding)
    assert said["with zeros"] == f"{spread} x {spread}"


@of("Transposed")
@pytest.mark.parametrize(
    ("kernel", "stride", "stamps"),
    [(2, 2, "1"), (4, 2, "4"), (3, 2, "1 to 4"), (2, 3, "0 to 1"), (4, 3, "1 to 4"), (3, 1, "9")],
)
def test_stamps_are_even_exactly_where_the_stride_divides_the_kernel(explorer, kernel, stride, stamps):
    assert explorer.at(kernel=kernel, stride=stride)["stamps on an inner cell"] == "see the last cell"
    assert explorer.at(kernel=kernel, stride=stride, cell=99)["stamps on an inner cell"] == stamps


@of("Transposed")
def test_the_output_grows_cell_by_cell_and_pointing_chooses(explorer):
    for cell in range(3):
        assert (explorer.filled.get_facecolor()[:, 3] > 0).sum() == cell + 1
        explorer.press("Step")
    hover(explorer, explorer.figure.axes[1], (2, 1))
    assert explorer.at()["output cell (row, column)"] == "1, 2"
    assert explorer.frames[0].get_bbox().bounds == (1.5, 0.5, 3, 3)
    hover(explorer, explorer.figure.axes[1], (9, 9))  # no output there
    assert explorer.at()["output cell (row, column)"] == "1, 2"


@of("Transposed")
def test_padding_ends_where_the_kernel_does(explorer):
    assert explorer.set(kernel=4, padding=2)["output size"] == "4 x 4"
    assert explorer.set(kernel=2)["with zeros"] == "5 x 5"
    assert explorer.controls["padding"].max == 1


def test_another_input_is_refused():
    with pytest.raises(ValueError, match="x must be"):
        explorers.Transposed(np.ones((4, 4)))
