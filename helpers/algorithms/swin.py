"""Swin Transformer: attention within windows, windows that shift, and the network, as one writes it on a whiteboard.

Maps are (N, H, W, C), channels last; a window of side M holds M^2 tokens, row by row.

References
----------
Liu et al., "Swin Transformer: hierarchical vision transformer using shifted windows", ICCV 2021.
Liu et al., "Swin Transformer V2: scaling up capacity and resolution", CVPR 2022.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ..validation import check_integer, check_number

# --- windows ---------------------------------------------------------------------------------------------------------


def window_partition(x, window):
    """Cut maps into windows: first those of the first map, row by row.

    Parameters
    ----------
    x : (N, H, W, C) tensor
    window : int, at least 1
        Side M of a window; it divides H and W.

    Returns
    -------
    (N * H/M * W/M, M, M, C) tensor

    Raises
    ------
    ValueError
        If x is not such a tensor, or the window does not divide its sides.
    """
    _check_map(x, window)
    return _partition(x, window)


def _partition(x, window):
    n, height, width, channels = x.shape
    x = x.reshape(n, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window, window, channels)  # both counts of windows before both sides


def window_reverse(windows, height, width):
    """Put windows back together: the inverse of `window_partition`.

    Parameters
    ----------
    windows : (N * H/M * W/M, M, M, C) tensor
    height, width : int, at least 1
        H and W of the maps.

    Returns
    -------
    (N, H, W, C) tensor

    Raises
    ------
    ValueError
        If the windows do not fill whole maps of this size.
    """
    if not isinstance(windows, torch.Tensor) or windows.ndim != 4 or windows.shape[1] != windows.shape[2]:
        raise ValueError(f"windows must be a tensor (windows, M, M, C), got {_shape(windows)}")
    window = windows.shape[1]
    _check_sides(height, width, window)
    if len(windows) == 0 or len(windows) % (height // window * (width // window)):
        raise ValueError(f"windows must fill whole maps of {height} x {width}, got {len(windows)} of them")
    return _reverse(windows, height, width)


def _reverse(windows, height, width):
    window, channels = windows.shape[2:]
    x = windows.reshape(-1, height // window, width // window, window, window, channels)
    return x.transpose(2, 3).reshape(-1, height, width, channels)


# --- where two tokens lie to each other ------------------------------------------------------------------------------


def relative_position_index(window):
    """For each pair of a window's tokens, the row of the bias table that holds their relative position.

    Parameters
    ----------
    window : int, at least 1
        Side M.

    Returns
    -------
    (M^2, M^2) tensor of int64
        Entry [i, j] is (dy + M - 1) (2M - 1) + dx + M - 1, with dy and dx the row and column of token i less those of
        token j: from 0 to (2M - 1)^2 - 1.

    Raises
    ------
    ValueError
        If the window is not a whole number of at least 1.
    """
    return _position_index(check_integer("window", window, at_least=1))


def _position_index(window):
    side = torch.arange(window)
    rows, columns = (grid.flatten() for grid in torch.meshgrid(side, side, indexing="ij"))
    dy, dx = rows[:, None] - rows, columns[:, None] - columns  # from 1 - M to M - 1
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


# --- who may see whom ------------------------------------------------------------------------------------------------


def shifted_window_mask(height, width, window, shift):
    """What to add to the attention logits of each window after the map was rolled by `shift` up and to the left.

    Parameters
    ----------
    height, width : int
        Of the map: multiples of the window.
    window : int, at least 1
        Side M.
    shift : int
        From 0 to M - 1.

    Returns
    -------
    (H/M * W/M, M^2, M^2) tensor of float32
        0 where two tokens lie to each other as they lay in the map, -100 where rolling has moved one of them round.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    _check_shifted(height, width, window, shift)
    return _mask(height, width, window, shift)


def region_ids(height, width, window, shift):
    """Number the regions of a rolled map that lay together before: at most 9 of them, and 1 without a shift.

    The rolled map's last `shift` rows came from the top, and the rest of their window did not; the same for columns.
    A map of one window along a side has two bands there, a larger one three.
    Arguments and errors as in `shifted_window_mask`; returns an (H, W) tensor of int64.
    """
    _check_shifted(height, width, window, shift)
    return _regions(height, width, window, shift)


def _regions(height, width, window, shift):
    def bands(side):
        """0 for windows that the roll left whole, in the last one 1 for its own rows and 2 for those rolled in."""
        place = torch.arange(side)
        return (place >= side - window).long() + (place >= side - shift) if shift else torch.zeros(side).long()

    return 3 * bands(height)[:, None] + bands(width)


def _mask(height, width, window, shift):
    ids = _partition(_regions(height, width, window, shift)[None, :, :, None], window).flatten(1)  # (windows, M^2)
    return torch.where(ids[:, :, None] == ids[:, None, :], 0.0, -100.0)


# --- the network -----------------------------------------------------------------------------------------------------


class WindowAttention(nn.Module):
    """Multi-head attention among the tokens of each window, with a bias for each relative position.

    Parameters
    ----------
    channels : int
        A multiple of `heads`.
    window : int, at least 1
        Side M.
    heads : int, at least 1
    """

    def __init__(self, channels, window, heads):
        super().__init__()
        check_integer("window", window, at_least=1)
        check_integer("heads", heads, at_least=1)
        if check_integer("channels", channels, at_least=1) % heads:
            raise ValueError(f"channels must be a multiple of heads, {heads}, got {channels}")
        self.heads = heads
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.bias = nn.Parameter(0.02 * torch.randn((2 * window - 1) ** 2, heads))
        self.register_buffer("index", relative_position_index(window), persistent=False)

    def forward(self, x, mask=None):
        """From (windows, M^2, C) to the same shape; mask is (windows of one map, M^2, M^2), to be added."""
        b, tokens, channels = x.shape
        q, k, v = self.qkv(x).reshape(b, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (b, heads, M^2, d) each
        logits = q @ k.transpose(2, 3) * q.shape[3] ** -0.5 + self.bias[self.index].permute(2, 0, 1)
        if mask is not None:  # the same for every map of the batch, and for every head
            logits = (logits.unflatten(0, (-1, len(mask))) + mask[:, None]).flatten(0, 1)
        return self.out((logits.softmax(dim=3) @ v).transpose(1, 2).reshape(b, tokens, channels))


class SwinBlock(nn.Module):
    """Attention within windows, then a perceptron, each behind a layer norm and beside an identity.

    Parameters
    ----------
    channels, heads, window : int
        As `WindowAttention`.
    shift : int, from 0 to window - 1
        By which the windows lie off the regular ones.
    """

    def __init__(self, channels, heads, window=7, shift=0):
        super().__init__()
        self.window, self.shift = window, check_integer("shift", shift, at_least=0, at_most=window - 1)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, window, heads)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x):
        """From (N, H, W, C) to the same shape; the window divides H and W."""
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def attend(self, x):
        height, width, channels = x.shape[1:]
        shift = self.shift if min(height, width) > self.window else 0  # one window sees the whole side already
        x = torch.roll(x, (-shift, -shift), dims=(1, 2))
        mask = _mask(height, width, self.window, shift).to(x) if shift else None
        windows = self.attention(window_partition(x, self.window).flatten(1, 2), mask)
        x = _reverse(windows.unflatten(1, (self.window, self.window)), height, width)
        return torch.roll(x, (shift, shift), dims=(1, 2))  # else the map would walk away, block by block


class PatchMerging(nn.Module):
    """Half the side, twice the channels: four neighbors side by side, a norm, a linear layer from 4C to 2C."""

    def __init__(self, channels):
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * channels), nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x):
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduce(self.norm(torch.cat(corners, dim=3)))


class ChannelsLast(nn.Module):
    """From (N, C, H, W) to (N, H, W, C)."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1)


def swin_tiny(classes=1000):
    """Swin-T for images of 224 x 224: patches of 4 x 4, then 2, 2, 6 and 2 blocks on sides of 56, 28, 14 and 7.

    Parameters
    ----------
    classes : int, at least 1

    Returns
    -------
    torch.nn.Sequential
        From (N, 3, 224, 224) to (N, classes). Under ``with torch.device("meta")`` no weights are allocated.

    Raises
    ------
    ValueError
        If classes is not a whole number of at least 1.
    """
    check_integer("classes", classes, at_least=1)
    channels = 96
    layers = [nn.Conv2d(3, channels, 4, stride=4), ChannelsLast(), nn.LayerNorm(channels)]
    for stage, blocks in enumerate((2, 2, 6, 2)):
        if stage:
            layers.append(PatchMerging(channels))
            channels *= 2
        layers += [SwinBlock(channels, heads=channels // 32, shift=3 * (i % 2)) for i in range(blocks)]
    return nn.Sequential(*layers, nn.LayerNorm(channels), Mean(), nn.Linear(channels, classes))


class Mean(nn.Module):
    """The mean over positions."""

    def forward(self, x):
        return x.mean(dim=(1, 2))


# --- cost, and what V2 changed ---------------------------------------------------------------------------------------


def attention_macs(height, width, channels, window=None):
    """Multiply-adds of one attention layer: its four linear maps, and the two products of tokens with tokens.

    Parameters
    ----------
    height, width, channels : int, at least 1
    window : int, optional
        Side M; by default all tokens of the map see each other.

    Returns
    -------
    linear, products : int
        4 H W C^2, and 2 M^2 H W C within windows or 2 (H W)^2 C without.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    for name, value in (("height", height), ("width", width), ("channels", channels)):
        check_integer(name, value, at_least=1)
    tokens = height * width
    seen = tokens if window is None else check_integer("window", window, at_least=1) ** 2
    return 4 * tokens * channels**2, 2 * seen * tokens * channels


def cosine_logits(q, k, tau=0.1):
    """V2's attention logits: cosines over a temperature, so that long vectors cannot win by their length.

    Parameters
    ----------
    q, k : (..., tokens, d) tensor
    tau : float, at least 0.01
        Learned for each head in the paper, and kept above 0.01.

    Returns
    -------
    (..., tokens, tokens) tensor
        Between -1/tau and 1/tau.

    Raises
    ------
    ValueError
        If tau is out of range, or q and k differ in width.
    """
    check_number("tau", tau, at_least=0.01)
    if not all(isinstance(each, torch.Tensor) and each.ndim >= 2 for each in (q, k)) or q.shape[-1] != k.shape[-1]:
        raise ValueError(f"q and k must be tensors of tokens of one width, got {_shape(q)} and {_shape(k)}")
    return F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) / tau


def log_spaced(offset):
    """V2's coordinates of relative positions: sign(d) log2(1 + |d|) / log2(8), before a small network makes biases.

    The paper writes log, without base or divisor, so up to a constant factor; this is the published code's form.

    Parameters
    ----------
    offset : tensor
        Distances in tokens. The published code first scales those of the window used in training to -8 to 8.

    Returns
    -------
    tensor of the same shape

    Raises
    ------
    ValueError
        If it is not a tensor.
    """
    if not isinstance(offset, torch.Tensor):
        raise ValueError(f"offset must be a tensor, got {type(offset).__name__}")
    return offset.sign() * torch.log2(1 + offset.abs()) / 3


# --- checks ----------------------------------------------------------------------------------------------------------


def _check_map(x, window):
    if not isinstance(x, torch.Tensor) or x.ndim != 4 or 0 in x.shape:
        raise ValueError(f"x must be a tensor (N, H, W, C), got {_shape(x)}")
    check_integer("window", window, at_least=1)
    if x.shape[1] % window or x.shape[2] % window:
        raise ValueError(f"window must divide the map's sides, {x.shape[1]} and {x.shape[2]}, got {window}")


def _check_shifted(height, width, window, shift):
    check_integer("window", window, at_least=1)
    check_integer("shift", shift, at_least=0, at_most=window - 1)
    _check_sides(height, width, window)


def _check_sides(height, width, window):
    for name, side in (("height", height), ("width", width)):
        if check_integer(name, side, at_least=1) % window:
            raise ValueError(f"{name} must be a multiple of the window's side {window}, got {side}")


def _shape(value):
    return tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
