"""Explorers of topic 10: readouts against torch's autograd, hovering, and what the picture shows."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.explorers import pooling

from .hand import drag, mouse, press_key


def opened(name):
    explorer = pooling.examples()[name]()
    explorer.canvas.syncing_data_url = False  # as when a browser has connected
    explorer.canvas.draw()
    return explorer


@pytest.fixture(scope="module")
def built():
    explorers = {name: opened(name) for name in pooling.examples()}
    yield explorers
    for explorer in explorers.values():
        explorer.close()


@pytest.fixture
def flow(built):
    built["gradient_flow"].reset()
    return built["gradient_flow"]


@pytest.fixture
def photo(built):
    built["photograph"].reset()
    return built["photograph"]


def digit():
    from sklearn.datasets import load_digits

    return torch.tensor(load_digits().data[0].reshape(1, 8, 8)[:, 1:7, 1:7], requires_grad=True)


@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("ceil_mode", "include"), [(False, True), (True, True), (True, False)])
def test_sums_equal_torch(flow, kind, window, stride, padding, ceil_mode, include):
    readouts = flow.set(
        kind=kind, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode, count_include_pad=include
    )
    x = digit()
    if kind == "max":
        out = F.max_pool2d(x, window, stride, padding, ceil_mode=ceil_mode)
    else:
        out = F.avg_pool2d(x, window, stride, padding, ceil_mode, include)
    out.sum().backward()
    assert readouts["gradient sent, sum"] == out.numel()
    assert readouts["gradient arrived, sum"] == pytest.approx(x.grad.sum().item())
    assert readouts["leaked into the padding"] == pytest.approx(out.numel() - x.grad.sum().item(), abs=1e-8)
    assert readouts["input cells without gradient"] == (x.grad == 0).sum()
    assert readouts["largest gradient in a cell"] == pytest.approx(x.grad.max().item())


def test_one_cell_sends_its_gradient_to_its_own_window(flow):
    flow.set(kind="mean", window=3, stride=2, sender="one")
    for cell in range(4):
        readouts = flow.set(cell=cell)
        assert readouts["gradient arrived, sum"] == pytest.approx(1)
        assert readouts["input cells without gradient"] == 36 - 9


def test_stepping_adds_one_cell_at_a_time_and_starts_again(flow):
    flow.set(kind="mean", sender="so far")
    for cell in range(9):
        assert flow.readouts["gradient sent, sum"] == cell + 1
        flow.press("Step")
    assert flow.readouts["chosen cell (row, column)"] == "0, 0"


def test_hovering_chooses_the_output_cell(flow):
    after = flow.canvas.figure.axes[1]
    mouse(flow.canvas, "motion_notify", *after.transData.transform((2, 1)))
    assert flow.readouts["chosen cell (row, column)"] == "1, 2"
    mouse(flow.canvas, "motion_notify", *after.transData.transform((5, 5)))  # no output there
    assert flow.readouts["chosen cell (row, column)"] == "1, 2"
    mouse(flow.canvas, "motion_notify", *flow.canvas.figure.axes[0].transData.transform((0, 0)))
    assert flow.readouts["chosen cell (row, column)"] == "1, 2"


def test_the_window_is_framed_and_lost_gradient_lies_outside_the_map(flow):
    flow.set(kind="mean", window=3, stride=2, padding=1, sender="one", cell=0)
    before = flow.canvas.figure.axes[0]
    (cells,) = before.collections[2:]  # after the lines of the grid
    frame = next(p for p in before.patches if p.get_linewidth() == 4)
    assert frame.get_bbox().bounds == (-1.5, -1.5, 3, 3)
    corners = np.array([path.vertices[0] for path in cells.get_paths()])
    assert len(corners) == 9 and (corners < -0.5).any(axis=1).sum() == 5
    assert flow.readouts["leaked into the padding"] == pytest.approx(5 / 9)


@pytest.mark.parametrize("kind", ["max", "mean"])
@pytest.mark.parametrize("overlap", [False, True])
def test_photograph_equals_torch(photo, kind, overlap):
    from sklearn.datasets import load_sample_image

    grey = load_sample_image("flower.jpg")[::2, ::2].mean(axis=2) / 255
    x = torch.tensor(grey[None], requires_grad=True)
    out = {"max": F.max_pool2d, "mean": F.avg_pool2d}[kind](x, 8, 4 if overlap else 8)
    out.backward(out.detach())
    readouts = photo.set(kind=kind, window=8, overlap=overlap, upstream="output")
    assert readouts["gradient sent, sum"] == pytest.approx(out.sum().item())
    assert readouts["gradient arrived, sum"] == pytest.approx(out.sum().item())
    assert readouts["input pixels reached, %"] == pytest.approx(100 * (x.grad > 0).double().mean().item())
    assert readouts["largest gradient in a pixel"] == pytest.approx(x.grad.max().item())


def test_the_frame_follows_mouse_and_keys_and_stays_inside(photo):
    axes = photo.canvas.figure.axes[0]
    before = photo.values["frame_at"]
    drag(photo, axes, before[0], (0, 0))
    assert photo.values["frame_at"] == ((pytest.approx(0, abs=1), pytest.approx(0, abs=1)),)
    assert photo.readouts["in the frame, pixels reached"] == 150  # 10 x 15 windows of 4 x 4 pixels, one winner each
    press_key(photo, "shift+right")
    assert photo.values["frame_at"][0][0] > 10
    assert photo.error == ""


@pytest.mark.parametrize("x", [np.zeros(4), np.zeros((9, 9))])
def test_a_map_of_another_shape_is_refused(x):
    with pytest.raises(ValueError, match="x must be one map"):
        pooling.gradient_flow(x)
