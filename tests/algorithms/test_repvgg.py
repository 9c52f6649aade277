"""Topic 20: folding branch by branch against the branches themselves, torch's own folding, and published counts."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.algorithms import repvgg as rv


def disturbed(module, seed=0, dtype=torch.float64):
    """Random statistics, scales and shifts in every batch norm, as after a training; eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor, low, high in (
                (part.running_mean, -1, 1),
                (part.running_var, 0.2, 3),
                (part.weight.data, -2, 2),
                (part.bias.data, -1, 1),
            ):
                tensor.uniform_(low, high, generator=generator)
    return module.to(dtype).eval()


def noise(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize(
    ("inputs", "outputs", "stride", "groups"),
    [(4, 4, 1, 1), (4, 6, 1, 1), (4, 4, 2, 1), (6, 6, 1, 3), (6, 6, 1, 6), (4, 8, 2, 2), (1, 1, 1, 1)],
)
@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_a_block_folds(inputs, outputs, stride, groups, dtype, within):
    block = disturbed(rv.RepVGGBlock(inputs, outputs, stride, groups), dtype=dtype)
    x = noise(2, inputs, 9, 8, dtype=dtype)
    before = block(x)
    folded = rv.fuse(block)
    assert block.folded is None
    assert (folded(x) - before).abs().max() <= within
    assert isinstance(folded.folded, nn.Conv2d)
    assert rv.count(folded) == outputs * inputs // groups * 9 + outputs
    assert (block.identity_norm is not None) == (inputs == outputs and stride == 1)
    assert [name for name, _ in folded.named_modules() if "norm" in name] == []
    assert before.shape == (2, outputs, -(-9 // stride), -(-8 // stride))
    assert before.min() == 0 < before.max()


def test_every_branch_folds_by_itself():
    block = disturbed(rv.RepVGGBlock(6, 6, groups=2))
    x = noise(2, 6, 7, 7)
    outputs = {
        "3 x 3": block.dense_norm(block.dense(x)),
        "1 x 1": block.point_norm(block.point(x)),
        "identity": block.identity_norm(x),
    }
    assert list(block.branches()) == list(outputs)
    for name, (kernel, bias) in block.branches().items():
        torch.testing.assert_close(F.conv2d(x, kernel, bias, padding=1, groups=2), outputs[name])
    torch.testing.assert_close(block(x), F.relu(sum(outputs.values())))


def test_fold_batch_norm_equals_torch():
    convolution, norm = nn.Conv2d(3, 5, 3, bias=False).double(), disturbed(nn.BatchNorm2d(5, eps=0.1))
    weight, bias = rv.fold_batch_norm(convolution.weight, norm)
    theirs = nn.utils.fusion.fuse_conv_bn_eval(convolution.eval(), norm)
    torch.testing.assert_close(weight, theirs.weight)
    torch.testing.assert_close(bias, theirs.bias)


@pytest.mark.parametrize(("channels", "size", "groups"), [(4, 3, 1), (4, 1, 2), (6, 5, 3), (6, 7, 6)])
def test_identity_kernel_copies(channels, size, groups):
    kernel = rv.identity_kernel(channels, size, groups)
    assert kernel.dtype == torch.float32
    assert (kernel == nn.init.dirac_(torch.empty_like(kernel), groups)).all()
    x = noise(1, channels, 8, 9)
    like = rv.identity_kernel(channels, size, groups, like=x)
    assert (F.conv2d(x, like, padding=size // 2, groups=groups) == x).all()


def test_padding_a_kernel_changes_nothing():
    x, weight = noise(1, 3, 9, 9), noise(2, 3, 3, 3)
    torch.testing.assert_close(F.conv2d(x, rv.padded(weight, 7), padding=3), F.conv2d(x, weight, padding=1))
    assert rv.padded(weight, 3).shape == weight.shape


@pytest.mark.parametrize(
    ("name", "trained", "folded"),
    [("A0", 9_108_968, 8_309_384), ("A1", 14_092_264, 12_789_864), ("B0", 15_817_960, 14_339_048)],
)
def test_parameter_counts(name, trained, folded):
    with torch.device("meta"):
        net = rv.repvgg(name)
    assert rv.count(net) == trained
    assert rv.count(rv.fuse(net)) == folded
    assert rv.count(net) == trained  # fuse works on a copy


@pytest.mark.parametrize("name", list(rv.WIDTHS))
def test_published_layouts(name):
    with torch.device("meta"):
        net = rv.repvgg(name, classes=7)
        out = net(torch.empty(2, 3, 224, 224))
    assert out.shape == (2, 7)
    assert len(net.body) == 1 + sum(rv.BLOCKS[name[0]])
    strides = [block.stride for block in net.body]
    assert strides.count(2) == 5 and strides[:2] == [2, 2]


def test_a_network_folds_in_place_and_in_a_copy():
    net = disturbed(rv.RepVGG((1, 2), (8, 12), classes=5, in_channels=1))
    x = noise(3, 1, 20, 16)
    before = net(x)
    copied = rv.fuse(net)
    assert (copied(x) - before).abs().max() < 1e-10
    assert net.fuse() is net
    assert (net(x) - before).abs().max() < 1e-10
    net.fuse()  # nothing left to fold
    assert (net(x) - before).abs().max() < 1e-10
    torch.testing.assert_close(before, net.head(net.body(x).mean((2, 3))))
    assert net.body[0].folded.weight.shape == (8, 1, 3, 3)


def test_the_copy_is_in_eval_mode_and_the_original_is_not_touched():
    net = rv.RepVGG((1,), (4,)).train()
    state = copy.deepcopy(net.state_dict())
    assert not rv.fuse(net).training and net.training
    assert all((net.state_dict()[name] == value).all() for name, value in state.items())


@pytest.mark.parametrize("small", [None, 1, 3, 5])
@pytest.mark.parametrize("shortcut", [False, True])
def test_a_large_kernel_block_folds(small, shortcut):
    block = disturbed(rv.LargeKernelBlock(4, 7, small, shortcut))
    x = noise(2, 4, 10, 9)
    before = block(x)
    assert before.shape == x.shape
    folded = rv.fuse(block)
    assert (folded(x) - before).abs().max() < 1e-10
    assert folded.folded.groups == 4 and folded.folded.kernel_size == (7, 7) and folded.folded.padding == (3, 3)
    assert folded.fuse() is folded


def test_a_large_kernel_block_by_hand():
    block = disturbed(rv.LargeKernelBlock(3, 5, 3))
    x = noise(1, 3, 8, 8)
    inner = F.relu(block.first_norm(block.first(block.norm(x))))
    middle = block.large_norm(block.large(inner)) + block.small_norm(block.small(inner))
    out = block.last_norm(block.last(F.relu(middle)))
    torch.testing.assert_close(block(x), x + out)
    block.shortcut = False
    torch.testing.assert_close(block(x), out)
    assert rv.count(block) == 3 * (25 + 9) + 2 * 9 + 5 * 6
    assert block.large.groups == 3


def test_defaults_are_the_papers():
    block = rv.LargeKernelBlock(2)
    assert block.large.kernel_size == (31, 31) and block.small.kernel_size == (5, 5) and block.shortcut
    with torch.device("meta"):
        assert rv.repvgg("A0").head.out_features == 1000


def test_gradients_reach_every_branch():
    block = rv.RepVGGBlock(4, 4)
    block(torch.randn(2, 4, 6, 6)).sum().backward()
    assert all(parameter.grad is not None for parameter in block.parameters())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rv.RepVGGBlock(0, 4), "in_channels must be"),
        (lambda: rv.RepVGGBlock(4, 2.5), "out_channels must be"),
        (lambda: rv.RepVGGBlock(4, 4, 0), "stride must be"),
        (lambda: rv.RepVGGBlock(4, 4, 1, 0), "groups must be"),
        (lambda: rv.RepVGGBlock(4, 4, 1, 3), "groups must divide 4 input and 4"),
        (lambda: rv.RepVGGBlock(4, 6, 1, 4), "groups must divide"),
        (lambda: rv.RepVGG((), ()), "blocks and widths"),
        (lambda: rv.RepVGG((1,), (4, 4)), "blocks and widths"),
        (lambda: rv.RepVGG((0,), (4,)), "blocks must be"),
        (lambda: rv.RepVGG((1,), (4,), 0), "classes must be"),
        (lambda: rv.repvgg("C1"), "name must be one of"),
        (lambda: rv.fuse(3), "module must be a torch.nn.Module"),
        (lambda: rv.fuse(nn.ReLU()), "module holds no"),
        (lambda: rv.LargeKernelBlock(0), "channels must be"),
        (lambda: rv.LargeKernelBlock(2, 4, None), "kernel must be odd"),
        (lambda: rv.LargeKernelBlock(2, 5, 2), "small must be odd"),
        (lambda: rv.LargeKernelBlock(2, 3, 5), "small must be at most kernel, 3"),
        (lambda: rv.LargeKernelBlock(2, 0, None), "kernel must be"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_published_width_is_not_rounded_up():
    with torch.device("meta"):
        net = rv.repvgg("A2")
    assert [block.dense.out_channels for block in net.body][::1][0] == 64
    assert sorted({block.dense.out_channels for block in net.body}) == [64, 96, 192, 384, 1408]
