"""ResNet: blocks that add what they compute to what came in, as one writes them on a whiteboard.

x is (N, C, H, W). The layout is the common one, with the stride of a bottleneck in its 3 x 3 convolution ("v1.5").

References
----------
He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016.
He, Zhang, Ren and Sun, "Identity mappings in deep residual networks", ECCV 2016.
Goyal et al., "Accurate, large minibatch SGD", arXiv 1706.02677 (2017): the last norm of a block starts at 0.
"""

import math

import torch
from torch import nn

from ..validation import check_choice, check_integer, check_number

STAGES = {  # depth -> blocks per stage; the depth counts convolutions on the main path, and the last linear layer
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def conv_norm(channels_in, channels_out, kernel_size, stride=1):
    """A convolution that keeps the map's size at stride 1, and its batch norm; the norm's shift replaces a bias."""
    conv = nn.Conv2d(channels_in, channels_out, kernel_size, stride, padding=kernel_size // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out))


def shortcut(channels_in, channels_out, stride):
    """What is added: x itself where the shapes agree, else a 1 x 1 convolution of x (a "projection")."""
    if stride == 1 and channels_in == channels_out:
        return nn.Identity()
    return conv_norm(channels_in, channels_out, 1, stride)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions: y = relu(F(x) + x).

    Parameters
    ----------
    channels_in, channels : int, at least 1
        What comes in, and the channels of both convolutions.
    stride : int, at least 1
        Of the first convolution, and of the shortcut.
    """

    expansion = 1

    def __init__(self, channels_in, channels, stride=1):
        super().__init__()
        _check_block(channels_in, channels, stride)
        self.residual = nn.Sequential(
            conv_norm(channels_in, channels, 3, stride),
            nn.ReLU(),
            conv_norm(channels, channels, 3),  # no ReLU before the sum: the residual may be negative
        )
        self.shortcut = shortcut(channels_in, channels, stride)

    def forward(self, x):
        return torch.relu(self.residual(x) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1 x 1 down, 3 x 3, 1 x 1 up to four times the channels: the 3 x 3 works on few channels.

    Parameters
    ----------
    channels_in, channels : int, at least 1
        What comes in, and the channels of the 3 x 3 convolution; 4 times as many come out.
    stride : int, at least 1
        Of the 3 x 3 convolution, and of the shortcut.
    """

    expansion = 4

    def __init__(self, channels_in, channels, stride=1):
        super().__init__()
        _check_block(channels_in, channels, stride)
        self.residual = nn.Sequential(
            conv_norm(channels_in, channels, 1),
            nn.ReLU(),
            conv_norm(channels, channels, 3, stride),
            nn.ReLU(),
            conv_norm(channels, 4 * channels, 1),
        )
        self.shortcut = shortcut(channels_in, 4 * channels, stride)

    def forward(self, x):
        return torch.relu(self.residual(x) + self.shortcut(x))


def resnet(depth, classes=1000):
    """The network for images of 224 x 224: a stem, four stages of blocks, a mean over positions, a linear layer.

    Parameters
    ----------
    depth : {18, 34, 50, 101, 152}
    classes : int, at least 1

    Returns
    -------
    torch.nn.Sequential
        From (N, 3, H, W) to (N, classes). Under ``with torch.device("meta")`` no weights are allocated.

    Raises
    ------
    ValueError
        If the depth is not one of the five, or classes is out of range.
    """
    check_choice("depth", depth, tuple(STAGES))
    check_integer("classes", classes, at_least=1)
    block = BasicBlock if depth < 50 else Bottleneck
    layers = [conv_norm(3, 64, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)]
    channels_in = 64
    for stage, blocks in enumerate(STAGES[depth]):
        channels = 64 * 2**stage  # half the side, twice the channels: the cost of a block stays
        for i in range(blocks):
            layers.append(block(channels_in, channels, stride=2 if stage > 0 and i == 0 else 1))
            channels_in = block.expansion * channels
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels_in, classes)]
    return nn.Sequential(*layers)


def count_parameters(model):
    """How many numbers a model learns; running statistics are not learned.

    Raises
    ------
    ValueError
        If it is not a torch module.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch module, got {type(model).__name__}")
    return sum(p.numel() for p in model.parameters())


def conv_macs(side, channels_in, channels_out, kernel_size, stride=1):
    """Multiply-adds of a convolution on a square map, padded so that stride 1 keeps its side, and the new side.

    Raises
    ------
    ValueError
        If an argument is not a whole number of at least 1, or the kernel's side is even.
    """
    for name, value in (
        ("side", side),
        ("channels_in", channels_in),
        ("channels_out", channels_out),
        ("kernel_size", kernel_size),
        ("stride", stride),
    ):
        check_integer(name, value, at_least=1)
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, got {kernel_size}")
    out = (side - 1) // stride + 1
    return out**2 * channels_out * channels_in * kernel_size**2, out


# --- plain and residual networks to compare --------------------------------------------------------------------------


class SmallNets(nn.Module):
    """Several small networks at once, of dense layers: a stem, blocks of two layers, a linear layer at the end.

    Dense layers stand for convolutions here because a deep stack of them trains in a second. Depth is 2 blocks + 2.
    Networks of one seed start with the same weights, plain or residual: both have the same parameters.

    Parameters
    ----------
    blocks : int, at least 1
    residual : sequence of bool
        For each network, whether its blocks add their input.
    seeds : sequence of int
        For each network.
    norm : bool
        Whether each layer has a batch norm.
    width : int, at least 1
        Units of each layer.
    inputs, classes : int, at least 1

    Attributes
    ----------
    on : list of float
        1 for each block; 0 puts the identity in its place, in a residual network and in a plain one.
    """

    def __init__(self, blocks, residual, seeds, norm=True, width=32, inputs=64, classes=10):
        super().__init__()
        for name, value in (("blocks", blocks), ("width", width), ("inputs", inputs), ("classes", classes)):
            check_integer(name, value, at_least=1)
        check_choice("norm", norm, (True, False))
        residual, seeds = list(residual), list(seeds)
        if not residual or len(residual) != len(seeds):
            raise ValueError(f"residual and seeds must have one entry per network, got {len(residual)}, {len(seeds)}")
        for kind, seed in zip(residual, seeds, strict=True):
            check_choice("residual", kind, (True, False))
            check_integer("seeds", seed, at_least=0)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.stem = DenseLayers(inputs, width, norm, generators)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(DenseLayers(width, width, norm, generators, relu) for relu in (True, False)))
            for _ in range(blocks)
        )
        self.head = DenseLayers(width, classes, False, generators, relu=False)
        self.share = torch.tensor(residual, dtype=torch.float32).reshape(-1, 1, 1)  # of its input that a block adds
        self.on = [1.0] * blocks

    def forward(self, x):
        """From (n, inputs) to (networks, n, classes)."""
        return self.head(self.features(x)[-1])

    def features(self, x):
        """What the stem and each block pass on, (networks, n, width) each."""
        hs = [self.stem(x)]
        for block, on in zip(self.blocks, self.on, strict=True):
            passed = self.share.clamp(min=1 - on) * hs[-1]  # a block that is off passes its input on
            hs.append(torch.relu(on * block(hs[-1]) + passed))  # the sum first, then the ReLU
        return hs


class DenseLayers(nn.Module):
    """One dense layer of each network, with a norm over the batch if asked for, and a ReLU."""

    def __init__(self, inputs, outputs, norm, generators, relu=True):
        super().__init__()
        start = torch.stack([torch.randn(inputs, outputs, generator=g) for g in generators])
        self.weight = nn.Parameter(start * math.sqrt(2 / inputs))  # He's start
        row = (len(generators), 1, outputs)
        self.gamma, self.beta = nn.Parameter(torch.ones(row)), nn.Parameter(torch.zeros(row))
        self.norm, self.relu = norm, relu

    def forward(self, x):
        z = x @ self.weight
        if self.norm:
            variance, mean = torch.var_mean(z, dim=1, keepdim=True, correction=0)
            z = (z - mean) * torch.rsqrt(variance + 1e-5)
        z = self.gamma * z + self.beta if self.norm else z + self.beta
        return torch.relu(z) if self.relu else z


def losses(model, x, y):
    """The mean cross-entropy of each network, (networks,)."""
    z = model(x)
    return nn.functional.cross_entropy(z.flatten(0, 1), y.repeat(len(z)), reduction="none").reshape(len(z), -1).mean(1)


def gradient_norms(model, x, y):
    """The norm of the loss's gradient with respect to the first weights of each block.

    Parameters
    ----------
    model : SmallNets
    x : (n, inputs) tensor
    y : (n,) tensor of class numbers

    Returns
    -------
    (blocks, networks) tensor
        First block first.

    Raises
    ------
    ValueError
        If the model is no SmallNets, or x is not a table of samples with a class each.
    """
    _check_batch(model, x, y)
    weights = [block[0].weight for block in model.blocks]
    grads = torch.autograd.grad(losses(model, x, y).sum(), weights)  # no network depends on another's weights
    return torch.stack([grad.norm(dim=(1, 2)) for grad in grads])


def train_small(model, x, y, *, steps, batch_size=32, lr=0.05, seed=0):
    """Train by SGD with momentum 0.9 on random mini-batches, the same for all networks.

    Parameters
    ----------
    model : SmallNets
    x, y : tensors, as for `gradient_norms`
    steps, batch_size : int, at least 1
    lr : float above 0
    seed : int
        Of the order.

    Yields
    ------
    (networks,) tensor
        The losses on each mini-batch, before its step.

    Raises
    ------
    ValueError
        As `gradient_norms`, or if a number is out of range.
    """
    _check_batch(model, x, y)
    check_integer("batch_size", batch_size, at_least=1, at_most=len(x))
    generator = torch.Generator().manual_seed(check_integer("seed", seed, at_least=0))
    optimizer = torch.optim.SGD(model.parameters(), lr=check_number("lr", lr, above=0), momentum=0.9)
    for _ in range(check_integer("steps", steps, at_least=1)):
        part = torch.randperm(len(x), generator=generator)[:batch_size]
        now = losses(model, x[part], y[part])
        optimizer.zero_grad()
        now.sum().backward()
        optimizer.step()
        yield now.detach()


def _check_batch(model, x, y):
    if not isinstance(model, SmallNets):
        raise ValueError(f"model must be SmallNets, got {type(model).__name__}")
    if not isinstance(x, torch.Tensor) or x.ndim != 2 or not isinstance(y, torch.Tensor) or y.shape != x.shape[:1]:
        raise ValueError("x must be a tensor (n, inputs), y a tensor of n class numbers")


def _check_block(channels_in, channels, stride):
    check_integer("channels_in", channels_in, at_least=1)
    check_integer("channels", channels, at_least=1)
    check_integer("stride", stride, at_least=1)
