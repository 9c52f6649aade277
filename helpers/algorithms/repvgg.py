"""RepVGG and RepLKNet: branches for training that fold into one convolution for use.

References
----------
Ding et al., "RepVGG: making VGG-style ConvNets great again" (CVPR 2021). Ding et al., "Scaling up your kernels to
31x31: revisiting large kernel design in CNNs" (CVPR 2022).
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from ..validation import check_choice, check_integer

BLOCKS = {"A": (2, 4, 14, 1), "B": (4, 6, 16, 1)}  # per stage, after a first block of its own
WIDTHS = {  # multiples of 64, 128, 256 (a) and of 512 (b)
    "A0": (0.75, 2.5),
    "A1": (1, 2.5),
    "A2": (1.5, 2.75),
    "B0": (1, 2.5),
    "B1": (2, 4),
    "B2": (2.5, 5),
    "B3": (3, 5),
}


# --- folding ---------------------------------------------------------------------------------------------------------


def fold_batch_norm(weight, norm):
    """Return kernel and bias of the one convolution that equals `weight` without bias and then `norm` in eval mode.

    Parameters
    ----------
    weight : (O, C / groups, k, k) tensor
    norm : torch.nn.BatchNorm2d
        Of O channels.

    Returns
    -------
    weight : (O, C / groups, k, k) tensor
    bias : (O,) tensor
    """
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()  # one number per output channel
    return weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


def padded(weight, size):
    """Return a small kernel of odd side as a `size` x `size` one: zeros around it change nothing."""
    ring = (size - weight.shape[-1]) // 2
    return F.pad(weight, [ring] * 4)


def identity_kernel(channels, size, groups=1, like=None):
    """Return the kernel of a convolution that copies its input: 1 at the center, output channel i from input channel i.

    Parameters
    ----------
    channels, size, groups : int
        `size` is odd.
    like : tensor, optional
        Gives device and type.

    Returns
    -------
    (channels, channels / groups, size, size) tensor
    """
    per_group = channels // groups
    kernel = (
        torch.zeros(channels, per_group, size, size)
        if like is None
        else like.new_zeros(channels, per_group, size, size)
    )
    index = torch.arange(channels)
    kernel[index, index % per_group, size // 2, size // 2] = 1  # within a group, channels are counted from 0 again
    return kernel


def fuse(module):
    """Return a copy of `module` in eval mode in which every block is folded; the original stays as it is.

    Raises
    ------
    ValueError
        If `module` holds no block that folds.
    """
    if not isinstance(module, nn.Module):
        raise ValueError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    folded = copy.deepcopy(module).eval()
    blocks = [part for part in folded.modules() if isinstance(part, RepVGGBlock | LargeKernelBlock)]
    if not blocks:
        raise ValueError("module holds no RepVGGBlock and no LargeKernelBlock")
    for block in blocks:
        block.fuse()
    return folded


# --- RepVGG ----------------------------------------------------------------------------------------------------------


class RepVGGBlock(nn.Module):
    """3 x 3, 1 x 1 and identity, each with its own batch normalization, added; then ReLU.

    Parameters
    ----------
    in_channels, out_channels, stride, groups : int
        The identity branch exists where the shapes of input and output agree.

    Attributes
    ----------
    folded : torch.nn.Conv2d or None
        The one convolution, after `fuse`.
    """

    def __init__(self, in_channels, out_channels, stride=1, groups=1):
        super().__init__()
        _check_channels(in_channels, out_channels, groups)
        self.stride, self.groups = check_integer("stride", stride, at_least=1), groups
        self.dense = nn.Conv2d(in_channels, out_channels, 3, stride, 1, groups=groups, bias=False)
        self.dense_norm = nn.BatchNorm2d(out_channels)
        self.point = nn.Conv2d(in_channels, out_channels, 1, stride, groups=groups, bias=False)
        self.point_norm = nn.BatchNorm2d(out_channels)
        same = in_channels == out_channels and stride == 1
        self.identity_norm = nn.BatchNorm2d(in_channels) if same else None
        self.folded = None

    def forward(self, x):
        """Map (N, C, H, W) to (N, O, ceil(H / stride), ceil(W / stride))."""
        if self.folded is not None:
            return F.relu(self.folded(x))
        out = self.dense_norm(self.dense(x)) + self.point_norm(self.point(x))
        if self.identity_norm is not None:
            out = out + self.identity_norm(x)
        return F.relu(out)  # after the sum: a ReLU inside a branch could not be folded

    def branches(self):
        """Return {branch: (3 x 3 kernel, bias)} with the normalization folded in."""
        dense = fold_batch_norm(self.dense.weight, self.dense_norm)
        kernel, bias = fold_batch_norm(self.point.weight, self.point_norm)
        found = {"3 x 3": dense, "1 x 1": (padded(kernel, 3), bias)}
        if self.identity_norm is not None:
            unit = identity_kernel(len(self.dense.weight), 3, self.groups, like=self.dense.weight)
            found["identity"] = fold_batch_norm(unit, self.identity_norm)
        return found

    def fuse(self):
        """Replace the branches by one convolution, in place; return the block. Folding twice changes nothing."""
        if self.folded is None:
            kernels, biases = zip(*self.branches().values(), strict=True)
            self.folded = _convolution(sum(kernels), sum(biases), self.stride, 1, self.groups)
            del self.dense, self.dense_norm, self.point, self.point_norm, self.identity_norm
        return self


class RepVGG(nn.Module):
    """A first block, four stages of blocks that each begin with stride 2, global average pooling, a linear classifier.

    Parameters
    ----------
    blocks : sequence of int
        Per stage.
    widths : sequence of int
        Channels per stage.
    classes : int
    in_channels : int
    """

    def __init__(self, blocks, widths, classes=1000, in_channels=3):
        super().__init__()
        if len(blocks) != len(widths) or not len(blocks):
            raise ValueError(f"blocks and widths must have the same length, at least 1, got {blocks!r} and {widths!r}")
        channels = min(64, widths[0])
        layers = [RepVGGBlock(in_channels, channels, stride=2)]
        for depth, width in zip(blocks, widths, strict=True):
            for number in range(check_integer("blocks", depth, at_least=1)):
                layers.append(RepVGGBlock(channels, width, stride=2 if number == 0 else 1))
                channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(channels, check_integer("classes", classes, at_least=1))

    def forward(self, x):
        """Map (N, in_channels, H, W) to (N, classes)."""
        return self.head(self.body(x).mean(dim=(2, 3)))

    def fuse(self):
        """Fold every block in place; return the network."""
        for block in self.body:
            block.fuse()
        return self


def repvgg(name, classes=1000):
    """Return a published RepVGG: "A0", "A1", "A2", "B0", "B1", "B2" or "B3", as built for training."""
    check_choice("name", name, WIDTHS)
    a, b = WIDTHS[name]
    return RepVGG(BLOCKS[name[0]], [int(64 * a), int(128 * a), int(256 * a), int(512 * b)], classes)


# --- RepLKNet --------------------------------------------------------------------------------------------------------


class LargeKernelBlock(nn.Module):
    """Batch norm, 1 x 1, a large depthwise kernel beside a small one, 1 x 1, and a shortcut around all of it.

    Parameters
    ----------
    channels : int
    kernel : int, odd
    small : int, odd, or None
        Side of the parallel small kernel, at most `kernel`.
    shortcut : bool
    """

    def __init__(self, channels, kernel=31, small=5, shortcut=True):
        super().__init__()
        check_integer("channels", channels, at_least=1)
        for name, side in (("kernel", kernel), ("small", small)):
            if side is not None and check_integer(name, side, at_least=1) % 2 == 0:
                raise ValueError(f"{name} must be odd, got {side}")
        if small is not None and small > kernel:
            raise ValueError(f"small must be at most kernel, {kernel}, got {small}")
        self.shortcut = bool(shortcut)
        self.norm = nn.BatchNorm2d(channels)
        self.first, self.first_norm = nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.large, self.large_norm = _depthwise(channels, kernel), nn.BatchNorm2d(channels)
        self.small = None if small is None else _depthwise(channels, small)
        self.small_norm = None if small is None else nn.BatchNorm2d(channels)
        self.last, self.last_norm = nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.folded = None

    def forward(self, x):
        """Map (N, channels, H, W) to the same shape."""
        out = F.relu(self.first_norm(self.first(self.norm(x))))
        out = self.last_norm(self.last(F.relu(self.depthwise(out))))
        return x + out if self.shortcut else out

    def depthwise(self, x):
        """The large kernel and the small one, added, or what they are folded into."""
        if self.folded is not None:
            return self.folded(x)
        out = self.large_norm(self.large(x))
        return out if self.small is None else out + self.small_norm(self.small(x))

    def fuse(self):
        """Fold the two depthwise kernels and their normalizations into one, in place; return the block."""
        if self.folded is None:
            kernel, bias = fold_batch_norm(self.large.weight, self.large_norm)
            if self.small is not None:
                small, small_bias = fold_batch_norm(self.small.weight, self.small_norm)
                kernel, bias = kernel + padded(small, kernel.shape[-1]), bias + small_bias
            self.folded = _convolution(kernel, bias, 1, kernel.shape[-1] // 2, len(kernel))
            del self.large, self.large_norm, self.small, self.small_norm
        return self


def count(module):
    """Return the number of parameters; running statistics are none."""
    return sum(parameter.numel() for parameter in module.parameters())


def _depthwise(channels, kernel):
    return nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)


def _convolution(weight, bias, stride, padding, groups):
    """A convolution with a bias that holds these numbers."""
    channels = weight.shape[1] * groups
    made = nn.Conv2d(channels, len(weight), weight.shape[-1], stride, padding, groups=groups, device="meta")
    made.weight, made.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    return made


def _check_channels(in_channels, out_channels, groups):
    for name, value in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
        check_integer(name, value, at_least=1)
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"groups must divide {in_channels} input and {out_channels} output channels, got {groups}")
