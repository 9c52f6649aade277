"""Readouts of topic 08's explorers against torch, and what the hand can do with the graph."""

import numpy as np
import pytest
import torch

from helpers import datasets
from helpers.explorers import backpropagation as explorers

from .hand import drag, press_key

IN_TORCH = {
    "(a + b) (b + 1)": lambda a, b, c: (a + b) * (b + 1),
    "a neuron: (σ(a b + c) - 1)²": lambda a, b, c: (torch.sigmoid(a * b + c) - 1) ** 2,
    "a switch: relu(a b + c) b": lambda a, b, c: torch.relu(a * b + c) * b,
    "two logits: log(exp a + exp b) - a": lambda a, b, c: torch.logaddexp(a, b) - a,
}


@pytest.mark.parametrize("formula", IN_TORCH)
@pytest.mark.parametrize("place", [(2.0, 1.0, -1.0), (-0.7, 2.4, 0.3), (1.0, -3.0, 2.0)])
def test_both_directions_equal_autograd(build, formula, place):
    graph = build("Graph")
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in place]
    output = IN_TORCH[formula](*tensors)
    output.backward()
    values = dict(zip("abc", place, strict=True)) | {"formula": formula, "step": 12}
    said = graph.at(**values)
    assert said["output"] == pytest.approx(output.item(), abs=1e-6)
    for name, tensor in zip("abc", tensors, strict=True):
        if tensor.grad is not None:
            assert said[f"d output / d {name}"] == pytest.approx(tensor.grad.item(), abs=1e-6)
            forward = graph.at(**values, direction=f"forward, from {name}")
            assert forward[f"d output / d {name}"] == said[f"d output / d {name}"]
            others = [
                forward[f"d output / d {other}"] for other in "abc" if other != name and f"d output / d {other}" in said
            ]
            assert set(others) == {"another pass"}


def test_the_opening_gives_no_gradient_away(build):
    said = build("Graph").at()
    assert said["output"] == 6 and said["d output / d a"] == said["d output / d b"] == "not yet"


def test_a_gradient_is_said_when_it_is_complete(build):
    graph = build("Graph")
    by_step = [graph.at(step=step)["d output / d b"] for step in range(7)]
    assert by_step[:6] == ["not yet"] * 6 and by_step[6] == 5
    solution = graph.solve(**graph.values | {"step": 5})
    assert solution.derivatives["b"] == 2 and "b" in solution.waiting, "one of two contributions has come"
    assert [graph.at(step=step)["step"] for step in (0, 3, 4, 6)] == [
        *("forward 0 of 3", "forward 3 of 3", "backward 1 of 3", "backward 3 of 3")
    ]
    assert graph.at(step=2)["output"] == "not yet"


def test_only_what_depends_on_an_input_moves(build):
    graph = build("Graph")
    assert graph.solve(**graph.values | {"a": 0.0}).moved == {"a", "s = a + b", "y = s t"}
    assert graph.solve(**graph.values | {"b": 0.0}).moved == {"b", "s = a + b", "t = b + 1", "y = s t"}
    neuron = {"formula": "a neuron: (σ(a b + c) - 1)²"}
    assert graph.at(**neuron, c=0)["values that differ from the opening"] == "5 of 8"


def test_the_step_ends_with_the_pass(build):
    graph = build("Graph")
    graph.press("All the way")
    assert graph.step == 6
    graph.set(direction="forward, from a")
    assert graph.step == 3 and graph.at()["passes for all derivatives"] == 2
    graph.set(formula="two logits: log(exp a + exp b) - a", direction=explorers.BACKWARD)
    assert graph.press("To the output")["step"] == "forward 6 of 6"
    assert graph.press("All the way")["step"] == "backward 6 of 6"


def test_an_input_is_dragged_by_its_box_and_by_keys(build):
    graph = build("Graph")
    (axes,) = graph.figure.axes
    x, y = explorers.FORMULAS[graph.formula].places["b"]
    drag(graph, axes, (x + 25, y - 20), (x + 25, y + 30))
    assert graph.values["b"] == pytest.approx(2.0) and graph.values["a"] == 2
    drag(graph, axes, (x + 25, y - 20), (x + 25, y + 900))
    assert graph.values["b"] == 3
    press_key(graph, "down")
    assert graph.values["b"] < 3
    assert graph.controls["c"].disabled


def test_switched_off_relu_passes_nothing(build):
    said = build("Graph").at(formula="a switch: relu(a b + c) b", a=-1, step=12)
    assert [said[f"d output / d {name}"] for name in "abc"] == [0, 0, 0]


@pytest.mark.parametrize("skip", [False, True])
def test_depth_equals_autograd(build, skip):
    depth = build("Depth")
    gain, layers = depth.at(gain=2.0, depth=6, skip=skip), 6
    X = datasets.digits().X[:32]
    rng = np.random.default_rng(0)
    weights = torch.tensor(rng.normal(size=(explorers.DEEPEST, 64, 64)) / 8)
    arrives = torch.tensor(rng.normal(size=X.shape))
    exact = depth.declared["gain"].nearest(2.0)
    for name in ("sigmoid", "tanh", "relu"):
        x = torch.tensor((X - X.mean()) / X.std(), requires_grad=True)
        h = x
        for W in weights[:layers]:
            z = getattr(torch, name)(h @ (exact * W))
            h = h + z if skip else z
        h.backward(arrives)
        share = (x.grad.square().mean() / arrives.square().mean()).sqrt().item()
        assert float(gain[f"first / last, {name}"]) == pytest.approx(share, rel=0.5)
        assert gain[f"factor per layer, {name}"] == pytest.approx(share ** (1 / layers), abs=0.006)


def test_the_factor_is_gain_times_slope(build):
    """With weights that are drawn independently of the slopes, the squares multiply on average."""
    depth = build("Depth")
    for gain in (1.0, 2.0):
        _, sizes = depth.solve(gain=gain, depth=30, skip=False)
        for name, (gradients, slopes) in sizes.items():
            predicted = gain**30 * np.prod(slopes)
            assert np.log(gradients[0] / gradients[-1]) == pytest.approx(np.log(predicted), abs=2.5), name


def test_the_end_is_dragged(build):
    depth = build("Depth")
    drag(depth, depth.figure.axes[0], (4, 1.0), (20, 1.0))
    assert depth.depth == 20


@pytest.mark.parametrize("bad", [[[1.0, 1.0]], [1.0], [[np.nan]], "x"])
def test_depth_refuses_what_cannot_be_standardized(bad):
    with pytest.raises(ValueError, match=r"^X "):
        explorers.Depth(bad)


@pytest.mark.parametrize("formula", explorers.FORMULAS)
def test_names_fit_their_boxes_and_boxes_keep_apart(formula):
    places = explorers.FORMULAS[formula].places
    for name, (x, y) in places.items():
        width = sum(explorers._letter(letter, 13)[2] for letter in name)
        assert width < explorers.BOX - 4, name
        assert explorers.BOX / 2 < x < explorers.WIDTH - explorers.BOX / 2
        assert explorers.TALL / 2 + 18 < y + 4 < explorers.HEIGHT - explorers.TALL / 2
        for other, (left, bottom) in places.items():
            apart = abs(x - left) > explorers.BOX + 10 or abs(y - bottom) > explorers.TALL + 10
            assert other == name or apart, (name, other)


def test_ink_writes_around_the_place_and_starts_anew(build):
    ink = build("Graph").black
    assert ink.write((100, 50), "×1.00", 12) == pytest.approx(sum(explorers._letter(x, 12)[2] for x in "×1.00"))
    ink.dry()
    low, high = ink.artist.get_path().vertices.min(axis=0), ink.artist.get_path().vertices.max(axis=0)
    np.testing.assert_allclose((low + high) / 2, [100, 50], atol=1.5)
    ink.write((300, 300), " ", 12)
    ink.dry()
    assert len(ink.artist.get_path().vertices) == 0
    ink.dry()
    assert len(ink.artist.get_path().vertices) == 1, "nothing was written"
