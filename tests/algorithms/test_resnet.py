"""Parameter counts are the published ones; blocks equal plain torch; bad input is refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.algorithms.resnet import (
    STAGES,
    BasicBlock,
    Bottleneck,
    SmallNets,
    conv_macs,
    count_parameters,
    gradient_norms,
    losses,
    resnet,
    train_small,
)
from helpers.explorers.resnet import small_digits

PUBLISHED = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


@pytest.mark.parametrize("depth", STAGES)
def test_parameters_are_the_published_ones(depth):
    with torch.device("meta"):
        net = resnet(depth)
        assert count_parameters(net) == PUBLISHED[depth]
        assert net(torch.empty(2, 3, 224, 224)).shape == (2, 1000)
        main = [m for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and "shortcut" not in name]
        assert len(main) + 1 == depth


def test_maps_shrink_as_in_the_paper():
    with torch.device("meta"):
        x, sides = torch.empty(1, 3, 224, 224), []
        for layer in resnet(50, classes=10):
            x = layer(x)
            sides.append(tuple(x.shape[1:]))
    wanted = [(64, 112, 112), (64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert list(dict.fromkeys(sides)) == [*wanted, (2048, 1, 1), (2048,), (10,)]


@pytest.mark.parametrize(("c_in", "stride"), [(4, 1), (3, 1), (4, 2)])
def test_a_basic_block_is_what_torch_makes_of_its_weights(c_in, stride):
    torch.manual_seed(0)
    block, x = BasicBlock(c_in, 4, stride).eval(), torch.randn(2, c_in, 7, 6)
    (conv1, norm1), _, (conv2, norm2) = block.residual
    h = F.relu(norm1(F.conv2d(x, conv1.weight, stride=stride, padding=1)))
    h = norm2(F.conv2d(h, conv2.weight, padding=1))
    fits = stride == 1 and c_in == 4
    short = x if fits else block.shortcut[1](F.conv2d(x, block.shortcut[0].weight, stride=stride))
    torch.testing.assert_close(block(x), F.relu(h + short))
    assert isinstance(block.shortcut, nn.Identity) == fits


@pytest.mark.parametrize(("c_in", "stride"), [(8, 1), (3, 1), (8, 2)])
def test_a_bottleneck_is_what_torch_makes_of_its_weights(c_in, stride):
    torch.manual_seed(0)
    block, x = Bottleneck(c_in, 2, stride).eval(), torch.randn(2, c_in, 7, 6)
    (conv1, norm1), _, (conv2, norm2), _, (conv3, norm3) = block.residual
    h = F.relu(norm1(F.conv2d(x, conv1.weight)))
    h = F.relu(norm2(F.conv2d(h, conv2.weight, stride=stride, padding=1)))
    h = norm3(F.conv2d(h, conv3.weight))
    fits = stride == 1 and c_in == 8
    short = x if fits else block.shortcut[1](F.conv2d(x, block.shortcut[0].weight, stride=stride))
    torch.testing.assert_close(block(x), F.relu(h + short))
    assert block(x).shape[1] == 8


@pytest.mark.parametrize("arguments", [(7, 3, 5, 3, 2), (8, 3, 5, 7, 2), (9, 2, 4, 1, 1), (224, 3, 64, 7, 2)])
def test_macs_are_those_of_the_output_map(arguments):
    side, c_in, c_out, k, stride = arguments
    with torch.device("meta"):
        conv = nn.Conv2d(c_in, c_out, k, stride, padding=k // 2, bias=False)
        out = conv(torch.empty(1, c_in, side, side))
    assert conv_macs(*arguments) == (out[0, 0].numel() * conv.weight.numel(), out.shape[-1])


X, Y = small_digits(80)


@pytest.mark.parametrize("norm", [True, False])
def test_small_nets_are_separate_networks(norm):
    nets = SmallNets(2, [False, True], [3, 3], norm=norm, width=6)
    alone = [SmallNets(2, [kind], [3], norm=norm, width=6) for kind in (False, True)]
    for i, one in enumerate(alone):
        torch.testing.assert_close(nets(X)[i], one(X)[0])
    h = X
    layers = [nets.stem, *(layer for block in nets.blocks for layer in block)]
    for number, layer in enumerate(layers):
        z = h @ layer.weight[0]
        z = F.batch_norm(z, None, None, layer.gamma[0, 0], layer.beta[0, 0], training=True) if norm else z
        h = torch.relu(z)
        assert number or h.min() >= 0
    torch.testing.assert_close(nets(X)[0], h @ nets.head.weight[0])
    assert abs(nets.stem.weight.std().item() - (2 / 64) ** 0.5) < 0.01


@pytest.mark.parametrize("residual", [True, False])
def test_a_block_switched_off_is_the_identity(residual):
    nets = SmallNets(3, [residual], [0])
    nets.on = [1.0, 0.0, 1.0]
    maps = nets.features(X)
    torch.testing.assert_close(maps[2], maps[1])
    assert (maps[3] - maps[2]).abs().max() > 0.1


def test_losses_and_gradient_norms_are_torchs():
    nets = SmallNets(2, [False, True], [0, 1], width=6)
    z = nets(X)
    for i in range(2):
        assert losses(nets, X, Y)[i].item() == pytest.approx(F.cross_entropy(z[i], Y).item(), rel=1e-5)
    alone = SmallNets(2, [True], [1], width=6)
    F.cross_entropy(alone(X)[0], Y).backward()
    wanted = [block[0].weight.grad.norm().item() for block in alone.blocks]
    assert gradient_norms(nets, X, Y)[:, 1].tolist() == pytest.approx(wanted, rel=1e-3)


def test_training_is_sgd_with_momentum():
    nets, other = (SmallNets(1, [True], [0], width=6) for _ in range(2))
    run = list(train_small(nets, X, Y, steps=3, batch_size=80, lr=0.1))
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    for step in range(3):
        loss = F.cross_entropy(other(X)[0], Y)
        assert run[step].item() == pytest.approx(loss.item(), rel=1e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_the_identity_carries_training_at_depth():
    nets = SmallNets(21, [False, True], [0, 0])
    last = torch.stack(list(train_small(nets, *small_digits(), steps=50)))[-5:].mean(0)
    assert last[0] > last[1] + 0.5


NETS = SmallNets(1, [True], [0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resnet(20), "depth must be"),
        (lambda: resnet(18, 0), "classes"),
        (lambda: BasicBlock(0, 4), "channels_in"),
        (lambda: BasicBlock(4, 0), "channels"),
        (lambda: Bottleneck(4, 4, 0), "stride"),
        (lambda: Bottleneck(4, 4.0), "channels"),
        (lambda: count_parameters(3), "model must be"),
        (lambda: conv_macs(0, 1, 1, 1), "side"),
        (lambda: conv_macs(4, 1, 1, 2), "kernel_size must be odd"),
        (lambda: conv_macs(4, 1, 1, 3, 0), "stride"),
        (lambda: SmallNets(0, [True], [0]), "blocks"),
        (lambda: SmallNets(1, [True], [0, 1]), "residual and seeds"),
        (lambda: SmallNets(1, [], []), "residual and seeds"),
        (lambda: SmallNets(1, ["yes"], [0]), "residual must"),
        (lambda: SmallNets(1, [True], [-1]), "seeds"),
        (lambda: SmallNets(1, [True], [0], norm=2), "norm"),
        (lambda: SmallNets(1, [True], [0], width=0), "width"),
        (lambda: SmallNets(1, [True], [0], classes=0), "classes"),
        (lambda: gradient_norms(nn.Identity(), X, Y), "model must be SmallNets"),
        (lambda: gradient_norms(NETS, X[0], Y), "x must be"),
        (lambda: gradient_norms(NETS, X, Y[1:]), "x must be"),
        (lambda: next(train_small(NETS, X, Y, steps=0)), "steps"),
        (lambda: next(train_small(NETS, X, Y, steps=1, batch_size=81)), "batch_size"),
        (lambda: next(train_small(NETS, X, Y, steps=1, lr=0)), "lr"),
        (lambda: next(train_small(NETS, X, Y, steps=1, seed=-1)), "seed"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
