"""Topic 19: published counts, torch's own counters, and torch's local response norm."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from helpers.algorithms.alexnet_vgg import (
    alexnet,
    kernel_stack,
    layer_table,
    local_response_norm,
    parameter_count,
    vgg,
)

PUBLISHED = {  # torchvision's model pages
    (11, False): 132_863_336,
    (11, True): 132_868_840,
    (13, False): 133_047_848,
    (13, True): 133_053_736,
    (16, False): 138_357_544,
    (16, True): 138_365_992,
    (19, False): 143_667_240,
    (19, True): 143_678_248,
}


@pytest.fixture(autouse=True)
def meta():
    """Networks without weights: nothing is allocated."""
    with torch.device("meta"):
        yield


def test_alexnet_has_the_published_number_of_parameters():
    assert parameter_count(alexnet()) == 61_100_840


@pytest.mark.parametrize(("variant", "count"), PUBLISHED.items())
def test_vgg_has_the_published_number_of_parameters(variant, count):
    assert parameter_count(vgg(*variant)) == count


@pytest.mark.parametrize("depth", [11, 13, 16, 19])
def test_the_depth_counts_layers_with_weights(depth):
    table = layer_table(vgg(depth))
    assert len(table) == depth
    assert [layer.name for layer in table[-3:]] == ["dense 1", "dense 2", "dense 3"]
    assert sum(layer.parameters for layer in table) == PUBLISHED[depth, False]


@pytest.mark.parametrize("net", [alexnet, vgg, lambda: vgg(11, True)])
def test_multiply_adds_are_half_of_what_torch_counts(net):
    net = net().eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 3, 224, 224))
    assert 2 * sum(layer.macs for layer in layer_table(net)) == counter.get_total_flops()


def test_shapes_are_those_of_a_real_forward_pass():
    with torch.device("cpu"):
        net = nn.Sequential(nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 5 * 4, 3))
        table = layer_table(net, (2, 9, 7))
        x, shapes = torch.zeros(1, 2, 9, 7), []
        for layer in net:
            x = layer(x)
            if isinstance(layer, nn.Conv2d | nn.Linear):
                shapes.append(tuple(x.shape[1:]))
    assert [layer.shape for layer in table] == shapes == [(4, 5, 4), (3,)]
    assert [layer.macs for layer in table] == [4 * 2 * 9 * 20, 80 * 3]
    assert [layer.parameters for layer in table] == [4 * 2 * 9 + 4, 80 * 3 + 3]
    assert [layer.activations for layer in table] == [80, 3]


def test_a_table_leaves_the_network_as_it_was():
    net = alexnet()
    for training in (True, False):
        layer_table(net.train(training))
        assert net.training == training
        assert all(not module._forward_hooks for module in net.modules())


def test_every_stage_of_vgg_halves_the_map():
    sides = [layer.shape[1] for layer in layer_table(vgg(16)) if len(layer.shape) == 3]
    assert sides == [224] * 2 + [112] * 2 + [56] * 3 + [28] * 3 + [14] * 3


@pytest.mark.parametrize("shape", [(2, 7), (1, 1, 3), (3, 8, 2, 5)])
@pytest.mark.parametrize(
    ("size", "alpha", "beta", "k"), [(5, 1e-4, 0.75, 1), (2, 2.0, 0.5, 2), (4, 1.0, 1, 0.5), (1, 3, 2, 1)]
)
def test_local_response_norm_equals_torchs(shape, size, alpha, beta, k):
    x = np.random.default_rng(0).normal(size=shape) * 5
    with torch.device("cpu"):
        tensor = torch.tensor(x.reshape(*shape, *[1] * (3 - len(shape))))  # torch wants three axes
        theirs = nn.functional.local_response_norm(tensor, size, alpha, beta, k).numpy().reshape(shape)
    np.testing.assert_allclose(local_response_norm(x, size, alpha, beta, k), theirs, rtol=1e-12)


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
def test_a_stack_sees_what_its_gradient_reaches(layers):
    with torch.device("cpu"):
        net = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in range(layers))).double()
        for layer in net:
            nn.init.ones_(layer.weight)
        x = torch.zeros(1, 1, 31, 31, dtype=torch.float64, requires_grad=True)
        net(x)[0, 0, 15, 15].backward()
        side = int((x.grad[0, 0, 15] != 0).sum())
    assert kernel_stack(3, layers, 1).field == side


def test_a_stack_costs_what_torchs_layers_hold():
    stack = kernel_stack(5, 3, 6)
    net = nn.Sequential(*(nn.Conv2d(6, 6, 5, padding=2, bias=False) for _ in range(3)))
    assert stack.weights == parameter_count(net)
    assert stack.macs * 49 == sum(layer.macs for layer in layer_table(net, (6, 7, 7)))
    assert stack.relus == 3


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: vgg(12), "depth"),
        (lambda: vgg(16, "yes"), "batch_norm"),
        (lambda: vgg(16, num_classes=0), "num_classes"),
        (lambda: alexnet(2.5), "num_classes"),
        (lambda: layer_table("net"), "net"),
        (lambda: layer_table(nn.ReLU()), "net"),
        (lambda: layer_table(alexnet(), (224, 224)), "shape"),
        (lambda: layer_table(alexnet(), (3, 0, 224)), "shape"),
        (lambda: kernel_stack(0, 1, 1), "kernel"),
        (lambda: kernel_stack(3, 1.5, 1), "layers"),
        (lambda: kernel_stack(3, 1, -1), "channels"),
        (lambda: local_response_norm([1.0, 2.0]), "x"),
        (lambda: local_response_norm([[np.nan]]), "x"),
        (lambda: local_response_norm([[1.0]], size=0), "size"),
        (lambda: local_response_norm([[1.0]], alpha=-1), "alpha"),
        (lambda: local_response_norm([[1.0]], beta=-1), "beta"),
        (lambda: local_response_norm([[1.0]], k=0), "k"),
    ],
)
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=name):
        call()
