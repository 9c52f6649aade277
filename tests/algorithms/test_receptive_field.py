"""Topic 11: the recurrence against autograd and brute force, published sizes, the effective field in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from helpers.algorithms import receptive_field as rf
from helpers.algorithms.receptive_field import Layer


def random_layers(rng, depth):
    draws = (rng.integers(*ends, size=depth).tolist() for ends in ((1, 6), (1, 4), (0, 3), (1, 4)))
    return [Layer(*numbers) for numbers in zip(*draws, strict=True)]


def by_brute_force(layers, unit):
    """Index sets by the definition of a window, and nothing else."""
    seen = {unit}
    for layer in reversed(layers):
        seen = {u * layer.stride - layer.padding + t * layer.dilation for u in seen for t in range(layer.kernel)}
    return seen


@pytest.mark.parametrize("seed", range(30))
def test_field_equals_brute_force_and_autograd(seed):
    rng = np.random.default_rng(seed)
    layers = random_layers(rng, rng.integers(1, 6))
    fields = rf.receptive_field(layers, 900)
    unit = fields[-1].output // 2
    seen = by_brute_force(layers, unit)
    assert fields[-1].of_unit(unit) == (min(seen), max(seen))
    assert fields[-1].size == max(seen) - min(seen) + 1
    assert min(by_brute_force(layers, unit + 1)) - min(seen) == fields[-1].jump
    assert set(rf.reaching(layers, unit)[0].tolist()) == seen
    reach = np.flatnonzero(rf.gradient_reach(layers, 900, unit))
    assert set(reach.tolist()) == {pixel for pixel in seen if 0 <= pixel < 900}


def test_a_field_that_hangs_over_the_edge_begins_below_zero():
    fields = rf.receptive_field([Layer(3, 1, 1), Layer(3, 2, 1)], 8)
    assert [tuple(field) for field in fields] == [(3, 1, -1, 8), (5, 2, -2, 4)]
    assert fields[-1].of_unit(3) == (4, 8)
    assert np.flatnonzero(rf.gradient_reach([Layer(3, 1, 1), Layer(3, 2, 1)], 8, 3)).tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize("seed", range(10))
def test_outputs_equal_torch(seed):
    layers = random_layers(np.random.default_rng(seed), 3)
    x = torch.zeros(1, 1, 217)
    for field, layer in zip(rf.receptive_field(layers, 217), layers, strict=True):
        x = nn.Conv1d(1, 1, *layer[:4])(x)
        assert field.output == x.shape[-1]


def test_reaching_lists_every_layer():
    found = rf.reaching([Layer(3, 1, 1), Layer(2, 2)], 5)
    assert [indices.tolist() for indices in found] == [[9, 10, 11, 12], [10, 11], [5]]
    assert rf.reaching([Layer(3, 1, 2, 2)], 0)[0].tolist() == [-2, 0, 2]


@pytest.mark.parametrize(
    ("layers", "size", "jump", "outputs"),
    [
        (rf.alexnet(), 195, 32, 6),
        (rf.vgg16(), 212, 32, 7),
        (rf.resnet50(), 427, 32, 7),
        (rf.resnet50("tf-slim"), 483, 32, 7),
        (rf.resnet50("paper"), 483, 32, 7),
    ],
)
def test_published_sizes_and_where_the_gradient_reaches(layers, size, jump, outputs):
    assert (*rf.receptive_field(layers)[-1][:2], rf.receptive_field(layers)[-1].output) == (size, jump, outputs)
    last = rf.receptive_field(layers, 1200)[-1]
    unit = last.output // 2
    reach = np.flatnonzero(rf.gradient_reach(layers, 1200, unit))
    assert (reach[0], reach[-1]) == last.of_unit(unit)
    assert len(reach) == size


def test_names_of_layers():
    assert [layer.name for layer in rf.alexnet()] == ["conv", "pool", "conv", "pool", "conv", "conv", "conv", "pool"]
    assert [layer.name for layer in rf.vgg16()].count("conv") == 13
    assert [layer.kernel for layer in rf.resnet50()].count(3) == 17
    assert len(rf.resnet50("paper")) - len(rf.resnet50("tf-slim")) == 3


# --- the effective field ---------------------------------------------------------------------------------------------


def ones(depth, kernel=3):
    stack = nn.Sequential(*[nn.Conv2d(1, 1, kernel, bias=False, dtype=torch.float64) for _ in range(depth)])
    for layer in stack:
        nn.init.ones_(layer.weight)
    return stack


def test_equal_weights_give_the_kernel_convolved_with_itself():
    row = np.ones(1)
    for _ in range(4):
        row = np.convolve(row, np.ones(3))
    erf = rf.effective_receptive_field(ones(4), (1, 9, 9))
    np.testing.assert_allclose(erf, np.outer(row, row) / row.sum() ** 2, atol=1e-14)


def test_field_stands_at_the_center_unit_of_an_even_map():
    erf = rf.effective_receptive_field(ones(1), (1, 6, 7))  # 4 x 5 outputs: the center is (2, 2)
    assert np.argwhere(erf > 0).min(axis=0).tolist() == [2, 2]
    assert np.argwhere(erf > 0).max(axis=0).tolist() == [4, 4]
    np.testing.assert_allclose(erf[erf > 0], 1 / 9)


def test_sizes_of_gradients_add_up_over_channels_and_average_over_images():
    layer = nn.Conv2d(2, 1, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([3.0, -1.0]).reshape(1, 2, 1, 1)

    class Squared(nn.Module):
        def forward(self, x):
            return layer(x) ** 2 + x[:, :1].roll(1, dims=3)

    images = np.array([[[[1.0, 0.0, 0.0]], [[2.0, 5.0, 0.0]]], [[[0.0, 1.0, 0.0]], [[0.0, 2.0, 0.0]]]])
    # the gradient of (3a - b)^2 at the middle is 2 (3a - b) (3, -1); of the rolled one, 1 at the left
    sizes = [np.abs(2 * (3 * image[0, 0, 1] - image[1, 0, 1]) * np.array([3, -1])).sum() for image in images]
    expected = np.array([[1.0, np.mean(sizes), 0.0]])
    ours = rf.effective_receptive_field(Squared(), (2, 1, 3), images=images)
    np.testing.assert_allclose(ours, expected / expected.sum())


def test_random_inputs_follow_the_seed_and_the_samples():
    stack = rf.Stack(2, 3, 4, "ReLU")
    first, again = (rf.effective_receptive_field(stack, (4, 5, 5), samples=3, random_state=1) for _ in range(2))
    assert (first == again).all()
    assert (first != rf.effective_receptive_field(stack, (4, 5, 5), samples=3, random_state=2)).any()
    assert (first != rf.effective_receptive_field(stack, (4, 5, 5), samples=4, random_state=1)).any()
    assert first.sum() == pytest.approx(1)
    assert first.dtype == np.float64


def test_area_against_trying_every_set():
    from itertools import combinations

    rng = np.random.default_rng(0)
    for _ in range(20):
        erf, share = rng.integers(0, 5, (2, 4)) + (rng.random() < 0.5), rng.choice([0.25, 0.5, 0.75, 1.0])
        if erf.max() == 0:
            continue
        sizes = range(1, 9)
        fewest = next(n for n in sizes if any(sum(c) >= share * erf.sum() for c in combinations(erf.ravel(), n)))
        assert rf.area_holding(erf, share) == fewest


def test_area_of_an_even_field():
    assert rf.area_holding(np.ones((10, 10)), 0.9) == 90
    assert rf.area_holding(np.full((7, 7), 0.1), 1) == 49  # though sums of tenths are rounded
    assert rf.area_holding([[0, 3], [1, 0]], 0.75) == 1
    assert rf.area_holding([[0, 3], [1, 0]], 0.76) == 2


@pytest.mark.parametrize("activation", ["none", "ReLU", "tanh"])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_stack_has_one_output_on_its_field_and_keeps_the_size_of_what_passes(activation, residual, kernel):
    stack = rf.Stack(3, kernel, 32, activation, residual)
    assert stack.field == 3 * (kernel - 1) + 1
    x = torch.randn(8, 32, stack.field + 4, stack.field + 4, generator=torch.Generator().manual_seed(0))
    out = stack(x)
    assert out.shape == (8, 32, 5, 5)
    if activation == "none":
        assert out.std().item() == pytest.approx(2**1.5 if residual else 1, rel=0.2)
    if activation == "ReLU" and not residual:
        assert (out**2).mean().item() == pytest.approx(1, rel=0.6)


def test_a_residual_layer_adds_the_middle_of_its_input():
    stack = rf.Stack(1, 5, 2, residual=True)
    x = torch.randn(1, 2, 9, 8)
    torch.testing.assert_close(stack(x), stack.layers[0](x) + x[:, :, 2:-2, 2:-2])
    plain = rf.Stack(1, 5, 2)
    torch.testing.assert_close(plain(x), plain.layers[0](x))
    assert (plain.layers[0].weight == stack.layers[0].weight).all()
    assert (plain.layers[0].weight != rf.Stack(1, 5, 2, random_state=1).layers[0].weight).any()


def test_even_kernels_are_allowed_in_a_plain_stack():
    assert rf.Stack(2, 4, 1)(torch.zeros(1, 1, 7, 7)).shape == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rf.receptive_field([]), "layers is empty"),
        (lambda: rf.receptive_field(3), "layers must be a sequence"),
        (lambda: rf.receptive_field([3]), "layers must be a sequence"),
        (lambda: rf.receptive_field([(3, 1, 1, 1, "a", 6)]), "layers must be a sequence"),
        (lambda: rf.receptive_field([Layer(3), Layer(0)]), "layers: kernel of layer 1 must be a finite number"),
        (lambda: rf.receptive_field([Layer(3, 0)]), "layers: stride of layer 0"),
        (lambda: rf.receptive_field([Layer(3, 1, -1)]), "layers: padding of layer 0"),
        (lambda: rf.receptive_field([Layer(3, 1, 0, 0)]), "layers: dilation of layer 0"),
        (lambda: rf.receptive_field([Layer(2.5)]), "layers: kernel of layer 0 must be an integer"),
        (lambda: rf.receptive_field([Layer(3)], 0), "input_size must be"),
        (lambda: rf.receptive_field([Layer(3)], 2), "input_size 2 is too small: layer 0"),
        (lambda: rf.receptive_field([Layer(3)], 9)[0].of_unit(7), "unit must be"),
        (lambda: rf.receptive_field([Layer(3)], 9)[0].of_unit(-1), "unit must be"),
        (lambda: rf.reaching([Layer(3)], -1), "unit must be"),
        (lambda: rf.gradient_reach([Layer(3)], 9, 7), "unit must be"),
        (lambda: rf.resnet50("caffe"), "layout must be one of"),
        (lambda: rf.effective_receptive_field(abs, (1, 3, 3)), "module must be a torch.nn.Module"),
        (lambda: rf.effective_receptive_field(nn.Identity(), 3), "input_size must be"),
        (lambda: rf.effective_receptive_field(nn.Identity(), (3, 3)), "input_size must be"),
        (lambda: rf.effective_receptive_field(nn.Identity(), (1, 0, 3)), "input_size must be"),
        (lambda: rf.effective_receptive_field(nn.Identity(), (1, 3, 3), samples=0), "samples must be"),
        (lambda: rf.effective_receptive_field(nn.Identity(), (1, 3, 3), random_state=-1), "random_state must be"),
        (lambda: rf.effective_receptive_field(nn.Identity(), (1, 3, 3), images=np.ones((2, 1, 3, 4))), "images must"),
        (lambda: rf.effective_receptive_field(nn.Identity(), (1, 3, 3), images=[[[[np.nan]]]]), "images holds NaN"),
        (lambda: rf.effective_receptive_field(nn.Threshold(9, 0), (1, 3, 3)), "module passes no gradient"),
        (lambda: rf.area_holding([[1, -1]], 0.5), "erf must be at least 0"),
        (lambda: rf.area_holding([[0, 0]], 0.5), "erf must be at least 0"),
        (lambda: rf.area_holding([], 0.5), "erf is empty"),
        (lambda: rf.area_holding([[1]], 0), "share must be"),
        (lambda: rf.area_holding([[1]], 1.1), "share must be"),
        (lambda: rf.Stack(0), "depth must be"),
        (lambda: rf.Stack(1, 0), "kernel must be"),
        (lambda: rf.Stack(1, 3, 0), "channels must be"),
        (lambda: rf.Stack(1, 3, 1, "GELU"), "activation must be one of"),
        (lambda: rf.Stack(1, 4, 1, residual=True), "kernel must be odd"),
        (lambda: rf.Stack(1, random_state=-1), "random_state must be"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
