"""Convolutions that connect fewer things, look further, or go the other way: grouped, separable, dilated, transposed.

A map is (N, C, H, W); sizes may be one integer or a pair (height, width), as in topic 09, whose `conv2d` does the work.

References
----------
Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional networks", CVPR 2010 (transposed convolution).
Yu and Koltun, "Multi-scale context aggregation by dilated convolutions", ICLR 2016.
Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill 2016.
Howard et al., "MobileNets", arXiv 1704.04861 (2017).
Wang et al., "Understanding convolution for semantic segmentation", WACV 2018 (gridding).
"""

from typing import NamedTuple

import numpy as np

from ..validation import check_array, check_integer, check_number
from .convolution import conv2d, conv_macs, conv_output_size, conv_parameters, pair

# --- fewer connections -----------------------------------------------------------------------------------------------


def grouped_conv2d(x, weight, bias=None, stride=1, padding=0, groups=1):
    """Split the channels into groups and convolve each by itself: a filter sees the channels of its own group only.

    Parameters
    ----------
    x : (N, C, H, W) array_like
    weight : (O, C / groups, k_h, k_w) array_like
        The first O / groups filters belong to the first group, and so on. No two filters share a weight.
    bias : (O,) array_like, optional
    stride, padding : int or (int, int)
    groups : int
        A divisor of C and of O; C of them is a depthwise convolution.

    Returns
    -------
    (N, O, H_out, W_out) ndarray

    Raises
    ------
    ValueError
        If an array has another shape or holds NaN, a size is out of range, or the kernel does not fit.
    """
    x, weight = check_array("x", x, ndim=4), check_array("weight", weight, ndim=4)
    groups = check_integer("groups", groups, at_least=1)
    if x.shape[1] % groups or len(weight) % groups:
        raise ValueError(f"groups must divide the channels of x and of weight, got {groups}")
    out = _grouped(x, weight, stride, padding, groups)
    if bias is None:
        return out
    bias = check_array("bias", bias, ndim=1)
    if len(bias) != len(weight):
        raise ValueError(f"bias must have one entry per output channel, {len(weight)}, got shape {bias.shape}")
    return out + bias[:, None, None]


def _grouped(x, weight, stride, padding, groups):
    channels, filters = np.split(x, groups, axis=1), np.split(weight, groups)
    each = [conv2d(part, own, None, stride, padding) for part, own in zip(channels, filters, strict=True)]
    return np.concatenate(each, axis=1)


def depthwise_separable_conv2d(x, depthwise, pointwise, bias=None, stride=1, padding=0, dilation=1):
    """Filter every channel by itself, then mix the channels at every pixel.

    Parameters
    ----------
    x : (N, C, H, W) array_like
    depthwise : (C, 1, k_h, k_w) array_like
        One filter per channel.
    pointwise : (O, C, 1, 1) array_like
        A dense layer over the channels.
    bias : (O,) array_like, optional
        Added at the end.
    stride, padding, dilation : int or (int, int)
        Of the depthwise part.

    Returns
    -------
    (N, O, H_out, W_out) ndarray

    Raises
    ------
    ValueError
        As `grouped_conv2d`.
    """
    x, depthwise = check_array("x", x, ndim=4), check_array("depthwise", depthwise, ndim=4)
    pointwise, channels = check_array("pointwise", pointwise, ndim=4), x.shape[1]
    if depthwise.shape[:2] != (channels, 1):
        raise ValueError(f"depthwise must have shape ({channels}, 1, k_h, k_w), got {depthwise.shape}")
    if pointwise.shape[1:] != (channels, 1, 1):
        raise ValueError(f"pointwise must have shape (O, {channels}, 1, 1), got {pointwise.shape}")
    return _separable(x, depthwise, pointwise, bias, stride, padding, dilation)


def _separable(x, depthwise, pointwise, bias, stride, padding, dilation):
    filtered = conv2d(x, depthwise, None, stride, padding, dilation, groups=x.shape[1])  # one kernel per channel
    return conv2d(filtered, pointwise, bias)  # a dense layer over the channels, at every pixel


# --- further apart ---------------------------------------------------------------------------------------------------


def dilated_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Convolve with a kernel whose taps lie `dilation` pixels apart. What lies between is not seen.

    Parameters
    ----------
    x : (N, C, H, W) array_like
    weight : (O, C, k_h, k_w) array_like
    bias : (O,) array_like, optional
    stride, padding, dilation : int or (int, int)

    Returns
    -------
    (N, O, H_out, W_out) ndarray

    Raises
    ------
    ValueError
        As `grouped_conv2d`.
    """
    return conv2d(x, weight, bias, stride, padding, dilation)


def paths_through(kernel_size, dilations):
    """In how many ways each input pixel reaches the middle output of stacked dilated layers, all of stride 1.

    Parameters
    ----------
    kernel_size : int
        Of every layer.
    dilations : sequence of int
        One per layer.

    Returns
    -------
    (extent, extent) ndarray of int
        0 where a pixel inside the receptive field is not seen: a hole (gridding).

    Raises
    ------
    ValueError
        If a number is out of range or there is no layer.
    """
    kernel_size = check_integer("kernel_size", kernel_size, at_least=1)
    if not isinstance(dilations, list | tuple) or not dilations:
        raise ValueError(f"dilations must be a list of integers, one per layer, got {dilations!r}")
    line = np.ones(1, dtype=int)
    for dilation in dilations:
        dilation = check_integer("dilations", dilation, at_least=1)
        comb = np.zeros(dilation * (kernel_size - 1) + 1, dtype=int)
        comb[::dilation] = 1  # the taps of one row
        line = np.convolve(line, comb)
    return np.outer(line, line)  # rows and columns are chosen independently


# --- the other way ---------------------------------------------------------------------------------------------------


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Let every input pixel stamp the kernel onto the output, `stride` pixels from one stamp to the next, and add up.

    It is the gradient of `conv2d` with respect to its input, used as a layer.

    Parameters
    ----------
    x : (N, C, H, W) array_like
    weight : (C, O / groups, k_h, k_w) array_like
        Input channels first, as for the convolution that goes the other way.
    bias : (O,) array_like, optional
    stride, dilation : int or (int, int)
        Output pixels from one stamp to the next, and from one tap to the next.
    padding : int or (int, int)
        Rows and columns cut off on every side of the output.
    output_padding : int or (int, int)
        Rows and columns added at the far end only: several input sizes of a strided convolution share one output size.
        Below the stride or below the dilation.
    groups : int
        A divisor of C.

    Returns
    -------
    (N, O, H_out, W_out) ndarray

    Raises
    ------
    ValueError
        As `grouped_conv2d`, or if the padding leaves nothing.
    """
    x, weight, bias, geometry = _checked_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)
    full = _stamp(x, weight, geometry, groups)
    return _cut(full, geometry) + bias[:, None, None]


def _stamp(x, weight, geometry, groups):
    """The output before anything is cut off."""
    n, c, h, w = x.shape
    _, outputs, k_h, k_w = weight.shape
    pixels = x.reshape(n, groups, c // groups, h * w)
    filters = weight.reshape(groups, c // groups, -1)
    stamps = filters.swapaxes(1, 2) @ pixels  # one product: every pixel times every weight, summed over its channels
    stamps = stamps.reshape(n, groups * outputs, k_h, k_w, h, w)
    full = np.zeros((n, groups * outputs, *geometry.full))
    (s_h, s_w), (d_h, d_w) = geometry.stride, geometry.dilation
    for i, j in np.ndindex(k_h, k_w):  # stamps overlap where the kernel is longer than the stride: add
        rows = slice(i * d_h, i * d_h + s_h * (h - 1) + 1, s_h)
        columns = slice(j * d_w, j * d_w + s_w * (w - 1) + 1, s_w)
        full[:, :, rows, columns] += stamps[:, :, i, j]
    return full


def conv_transpose2d_by_zeros(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The same as `conv_transpose2d` as a convolution: insert zeros, pad, and convolve with the flipped kernel.

    It multiplies by the zeros too, about stride squared times the work.
    """
    x, weight, bias, geometry = _checked_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _cut(_by_zeros(x, weight, geometry, groups), geometry) + bias[:, None, None]


def _by_zeros(x, weight, geometry, groups):
    """The output before anything is cut off."""
    apart = insert_zeros(x, geometry.stride)
    margins = [(e - 1, e - 1 + more) for e, more in zip(geometry.extent, geometry.output_padding, strict=True)]
    apart = np.pad(apart, [(0, 0), (0, 0), *margins])
    flipped = weight[:, :, ::-1, ::-1].reshape(groups, -1, *weight.shape[1:])
    turned = flipped.swapaxes(1, 2).reshape(-1, len(weight) // groups, *weight.shape[2:])  # output channels first
    return conv2d(apart, turned, None, 1, 0, geometry.dilation, groups)


def insert_zeros(x, stride):
    """Put stride - 1 rows and columns of zeros between those of x.

    Parameters
    ----------
    x : (N, C, H, W) array_like
    stride : int or (int, int)

    Returns
    -------
    (N, C, (H - 1) stride + 1, (W - 1) stride + 1) ndarray

    Raises
    ------
    ValueError
        If x has another number of dimensions or holds NaN, or the stride is below 1.
    """
    x, (s_h, s_w) = check_array("x", x, ndim=4), pair("stride", stride, at_least=1)
    apart = np.zeros((*x.shape[:2], (x.shape[2] - 1) * s_h + 1, (x.shape[3] - 1) * s_w + 1))
    apart[:, :, ::s_h, ::s_w] = x
    return apart


def _cut(full, geometry):
    (top, left), (height, width) = geometry.padding, geometry.size
    return full[:, :, top : top + height, left : left + width]


def conv_transpose_output_size(size, kernel_size, stride=1, padding=0, output_padding=0, dilation=1):
    """Rows and columns of the output: (size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Parameters
    ----------
    size, kernel_size, stride, padding, output_padding, dilation : int or (int, int)
        As in `conv_transpose2d`; `size` is that of the input.

    Returns
    -------
    (int, int)

    Raises
    ------
    ValueError
        If a number is out of range or nothing is left.
    """
    return _Transpose(size, kernel_size, stride, padding, output_padding, dilation).size


class _Transpose:
    """Sizes of a transposed convolution, each a pair for the height and for the width."""

    def __init__(self, size, kernel_size, stride, padding, output_padding, dilation):
        shape, kernel = pair("size", size, at_least=1), pair("kernel_size", kernel_size, at_least=1)
        self.stride, self.padding = pair("stride", stride, at_least=1), pair("padding", padding, at_least=0)
        self.dilation = pair("dilation", dilation, at_least=1)
        self.output_padding = pair("output_padding", output_padding, at_least=0)
        for more, s, d in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if more >= max(s, d):
                raise ValueError(f"output_padding must be below the stride or the dilation, got {output_padding!r}")
        self.extent = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, kernel, strict=True))
        stamped = [(n - 1) * s + e for n, s, e in zip(shape, self.stride, self.extent, strict=True)]
        self.full = tuple(n + more for n, more in zip(stamped, self.output_padding, strict=True))
        self.size = tuple(n - 2 * p for n, p in zip(self.full, self.padding, strict=True))
        if min(self.size) < 1:
            raise ValueError(f"padding {padding!r} leaves nothing of an output of {self.full}")


def _checked_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation):
    x, weight = check_array("x", x, ndim=4), check_array("weight", weight, ndim=4)
    if x.shape[1] % check_integer("groups", groups, at_least=1):
        raise ValueError(f"groups must divide the {x.shape[1]} channels of x, got {groups}")
    if len(weight) != x.shape[1]:
        raise ValueError(f"weight must have shape ({x.shape[1]}, O / groups, k_h, k_w), got {weight.shape}")
    outputs = weight.shape[1] * groups
    bias = np.zeros(outputs) if bias is None else check_array("bias", bias, ndim=1)
    if len(bias) != outputs:
        raise ValueError(f"bias must have one entry per output channel, {outputs}, got shape {bias.shape}")
    geometry = _Transpose(x.shape[2:], weight.shape[2:], stride, padding, output_padding, dilation)
    return x, weight, bias, geometry


# --- what they cost --------------------------------------------------------------------------------------------------


class Cost(NamedTuple):
    """Parameters of a layer, and multiply-adds for one image."""

    parameters: int
    macs: int


def conv_cost(in_channels, out_channels, kernel_size, output_size, groups=1, bias=False):
    """Cost of a plain, grouped or dilated convolution: dilation changes neither number.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, output_size : int or (int, int)
    groups : int
        A divisor of both channel counts.
    bias : bool

    Returns
    -------
    Cost

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    parameters = conv_parameters(in_channels, out_channels, kernel_size, groups, bias)
    return Cost(parameters, conv_macs(in_channels, out_channels, kernel_size, output_size, groups))


def depthwise_separable_cost(in_channels, out_channels, kernel_size, output_size, bias=False):
    """Cost of a depthwise and a pointwise convolution: 1 / out_channels + 1 / (k_h k_w) of the plain one without bias.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, output_size
        As in `conv_cost`.
    bias : bool
        Whether the pointwise part has one.

    Returns
    -------
    Cost

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    depthwise = conv_cost(in_channels, in_channels, kernel_size, output_size, groups=in_channels)
    pointwise = conv_cost(in_channels, out_channels, 1, output_size, bias=bias)
    return Cost(depthwise.parameters + pointwise.parameters, depthwise.macs + pointwise.macs)


def conv_transpose_cost(in_channels, out_channels, kernel_size, input_size, groups=1, bias=False):
    """Cost of a transposed convolution: every weight meets every pixel of the input.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, groups, bias
        As in `conv_cost`.
    input_size : int or (int, int)

    Returns
    -------
    Cost

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    parameters = conv_parameters(in_channels, out_channels, kernel_size, groups, bias)
    pair("input_size", input_size, at_least=1)
    return Cost(parameters, conv_macs(in_channels, out_channels, kernel_size, input_size, groups))


class Layer(NamedTuple):
    """A row of a network's table. `norm` counts the scale and shift of the BatchNorm behind it."""

    kind: str
    in_channels: int
    out_channels: int
    stride: int
    size: int
    parameters: int
    norm: int
    macs: int


MOBILENET = (  # output channels and stride of the thirteen separable blocks, table 1 of the paper
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def mobilenet_v1(width=1.0, resolution=224, classes=1000):
    """The layers of MobileNetV1: one 3 x 3 convolution, thirteen separable blocks, one dense layer.

    Parameters
    ----------
    width : float above 0
        The width multiplier: of every channel count.
    resolution : int
        Side of the input in pixels.
    classes : int

    Returns
    -------
    list of Layer
        28 of them, as the paper counts: depthwise and pointwise parts apart.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    width = check_number("width", width, above=0)
    size = check_integer("resolution", resolution, at_least=1)
    classes = check_integer("classes", classes, at_least=1)
    layers, channels = [], 3

    def add(kind, outputs, kernel, stride, groups=1):
        nonlocal channels, size
        size = conv_output_size(size, kernel, stride, kernel // 2)
        cost = conv_cost(channels, outputs, kernel, size, groups)
        layers.append(Layer(kind, channels, outputs, stride, size, cost.parameters, 2 * outputs, cost.macs))
        channels = outputs

    add("conv 3 x 3", max(1, int(32 * width)), 3, 2)
    for outputs, stride in MOBILENET:
        add("depthwise 3 x 3", channels, 3, stride, groups=channels)
        add("pointwise", max(1, int(outputs * width)), 1, 1)
    dense = Cost((channels + 1) * classes, channels * classes)  # behind a mean over all places
    layers.append(Layer("dense", channels, classes, 1, 1, dense.parameters, 0, dense.macs))
    return layers
