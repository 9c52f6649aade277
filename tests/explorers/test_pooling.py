"""Explorers of topic 10: readouts against torch's autograd, pointing, and what the picture shows."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.explorers import pooling as explorers

from .hand import drag, hover, press_key, shown


@pytest.fixture
def flow(built):
    built["GradientFlow"].reset()
    return built["GradientFlow"]


@pytest.fixture
def photo(built):
    built["Photograph"].reset()
    return built["Photograph"]


def digit():
    from sklearn.datasets import load_digits

    return torch.tensor(load_digits().data[0].reshape(1, 8, 8)[:, 1:7, 1:7], requires_grad=True)


@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("ceil_mode", "include"), [(False, True), (True, True), (True, False)])
def test_sums_equal_torch(flow, kind, window, stride, padding, ceil_mode, include):
    options = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode, "count_include_pad": include}
    readouts = flow.at(kind=kind, window=window, sender="all", **options)
    x = digit()
    if kind == "max":
        out = F.max_pool2d(x, window, stride, padding, ceil_mode=ceil_mode)
    else:
        out = F.avg_pool2d(x, window, stride, padding, ceil_mode, include)
    out.sum().backward()
    assert readouts["gradient sent, sum"] == out.numel()
    assert readouts["gradient arrived, sum"] == pytest.approx(x.grad.sum().item())
    assert readouts["leaked into the padding"] == pytest.approx(out.numel() - x.grad.sum().item(), abs=1e-8)
    assert readouts["cells without gradient"] == (x.grad == 0).sum()
    assert readouts["largest gradient in a cell"] == pytest.approx(x.grad.max().item())


def test_one_cell_sends_its_gradient_to_its_own_window(flow):
    for cell in range(4):
        readouts = flow.at(kind="mean", window=3, stride=2, sender="one", cell=cell)
        assert readouts["gradient arrived, sum"] == pytest.approx(1)
        assert readouts["cells without gradient"] == 36 - 9


def test_stepping_adds_one_cell_at_a_time_and_stops_at_the_last(flow):
    flow.set(kind="mean")
    for cell in range(9):
        assert flow.at()["gradient sent, sum"] == cell + 1
        flow.press("Step")
    assert flow.at()["cell (row, column)"] == "2, 2"


def test_the_cells_end_where_the_output_ends(flow):
    assert flow.set(stride=1, cell=24)["cell (row, column)"] == "4, 4"
    assert flow.set(stride=2)["cell (row, column)"] == "2, 2"
    assert flow.controls["cell"].max == 8


@pytest.mark.parametrize("values", [{"window": 2, "stride": 2}, {"window": 3, "stride": 1}, {"window": 3, "stride": 3}])
def test_keeping_the_ragged_edge_is_offered_only_where_there_is_one(flow, values):
    flow.set(**values)
    assert flow.controls["ceil_mode"].disabled
    assert flow.at(ceil_mode=True) == flow.at(ceil_mode=False)
    flow.set(window=3, stride=2)
    assert not flow.controls["ceil_mode"].disabled


def test_pointing_chooses_the_output_cell(flow):
    before, after = flow.figure.axes
    hover(flow, after, (2, 1))
    assert flow.at()["cell (row, column)"] == "1, 2"
    hover(flow, after, (5, 5))  # no output there
    assert flow.at()["cell (row, column)"] == "1, 2"
    hover(flow, before, (0, 0))
    assert flow.at()["cell (row, column)"] == "1, 2"


def test_the_window_is_framed_and_lost_gradient_lies_outside_the_map(flow):
    readouts = flow.set(kind="mean", window=3, stride=2, padding=1, sender="one", cell=0)
    before = flow.figure.axes[0]
    (cells,) = before.collections[2:]  # after the lines of the grid
    frame = next(p for p in before.patches if p.get_linewidth() == 4)
    assert frame.get_bbox().bounds == (-1.5, -1.5, 3, 3)
    corners = np.array([path.vertices[0] for path in cells.get_paths()])
    assert len(corners) == 9 and (corners < -0.5).any(axis=1).sum() == 5
    assert readouts["leaked into the padding"] == pytest.approx(5 / 9)


@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize("overlap", [False, True])
def test_photograph_equals_torch(photo, kind, overlap):
    from sklearn.datasets import load_sample_image

    grey = load_sample_image("flower.jpg")[::2, ::2].mean(axis=2) / 255
    x = torch.tensor(grey[None], requires_grad=True)
    out = {"max": F.max_pool2d, "mean": F.avg_pool2d}[kind](x, 8, 4 if overlap else 8)
    out.backward(out.detach())
    readouts = photo.at(kind=kind, window=8, overlap=overlap, upstream="output")
    assert readouts["gradient sent, sum"] == pytest.approx(out.sum().item())
    assert readouts["gradient arrived, sum"] == pytest.approx(out.sum().item())
    assert readouts["input pixels reached (%)"] == pytest.approx(100 * (x.grad > 0).double().mean().item())
    assert readouts["largest gradient in a pixel"] == pytest.approx(x.grad.max().item())


def test_the_frame_follows_mouse_and_keys_and_stays_inside(photo):
    before = shown(photo)
    drag(photo, photo.figure.axes[0], photo.frame_at[0], (0, 0))
    assert photo.frame_at == ((pytest.approx(0, abs=1), pytest.approx(0, abs=1)),)
    assert photo.at()["pixels reached in frame"] == 150  # 10 x 15 windows of 4 x 4 pixels, one winner each
    assert not np.array_equal(shown(photo), before)
    press_key(photo, "shift+right")
    assert photo.frame_at[0][0] > 10
    assert photo.error == ""


@pytest.mark.parametrize("x", [np.zeros(4), np.zeros((9, 9))])
def test_a_map_of_another_shape_is_refused(x):
    with pytest.raises(ValueError, match="x must be one map"):
        explorers.GradientFlow(x)
