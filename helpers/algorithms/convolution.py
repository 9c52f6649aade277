"""Convolution of images and its backward pass, as one matrix product per image (im2col), and what it costs.

A map is (N, C, H, W). Like every deep-learning library we compute a cross-correlation: the kernel is not flipped. Sizes
may be one integer or a pair (height, width).

References
----------
LeCun et al., "Backpropagation applied to handwritten zip code recognition", Neural Computation 1 (1989).
Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing", 2006 (im2col).
Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv 1603.07285 (2016).
"""

import numpy as np

from ..validation import check_array, check_choice, check_integer

# --- forward ---------------------------------------------------------------------------------------------------------


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide every filter over the map: each output is the dot product of a filter with the window below it.

    Parameters
    ----------
    x : (N, C, H, W) array_like
    weight : (O, C / groups, k_h, k_w) array_like
        One filter for each of the O output channels.
    bias : (O,) array_like, optional
    stride : int or (int, int)
        Pixels from one window to the next.
    padding : int or (int, int)
        Rows and columns of zeros added on every side.
    dilation : int or (int, int)
        Pixels from one tap of the kernel to the next; 1 leaves no gaps.
    groups : int
        A divisor of C and of O: each group of output channels sees its own C / groups input channels.

    Returns
    -------
    (N, O, H_out, W_out) ndarray

    Raises
    ------
    ValueError
        If an array has another shape or holds NaN, a size is out of range, or the kernel does not fit.
    """
    x, weight, grid = _checked(x, weight, stride, padding, dilation, groups)
    out = _conv2d(x, weight, grid, groups)
    return out if bias is None else out + _check_bias(bias, weight)[:, None, None]


def _conv2d(x, weight, grid, groups):
    filters = weight.reshape(groups, len(weight) // groups, -1)  # (groups, O / groups, C / groups * k_h * k_w)
    out = [filters @ _im2col(image, grid, groups) for image in x]  # image by image: all columns at once would not fit
    return np.reshape(out, (len(x), len(weight), *grid.size))


def _im2col(image, grid, groups=1):
    """Write each window of an image (C, H, W) as a column: (groups, C / groups * k_h * k_w, H_out * W_out)."""
    windows = grid.windows(image)  # a view, (C, H_out, W_out, k_h, k_w)
    taps_first = windows.transpose(0, 3, 4, 1, 2)  # the order of the filter's weights, then the places
    return taps_first.reshape(groups, -1, grid.size[0] * grid.size[1])  # copies: each pixel up to k_h * k_w times


def conv2d_naive(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The same as `conv2d` by its definition: four loops, one dot product in each."""
    x, weight, grid = _checked(x, weight, stride, padding, dilation, groups)
    bias = np.zeros(len(weight)) if bias is None else _check_bias(bias, weight)
    (s_h, s_w), (d_h, d_w), (e_h, e_w) = grid.stride, grid.dilation, grid.extent
    padded, (inputs, outputs) = grid.pad(x), (weight.shape[1], len(weight) // groups)
    out = np.zeros((len(x), len(weight), *grid.size))
    for n, o, i, j in np.ndindex(out.shape):
        first = o // outputs * inputs  # the first input channel of this filter's group
        top, left = i * s_h, j * s_w
        window = padded[n, first : first + inputs, top : top + e_h : d_h, left : left + e_w : d_w]
        out[n, o, i, j] = (window * weight[o]).sum() + bias[o]
    return out


# --- backward --------------------------------------------------------------------------------------------------------


def conv2d_backward(grad, x, weight, stride=1, padding=0, dilation=1, groups=1):
    """Send a gradient back through `conv2d`.

    Parameters
    ----------
    grad : (N, O, H_out, W_out) array_like
        The gradient that arrives at the output.
    x, weight, stride, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    grad_x, grad_weight, grad_bias : ndarray
        Shaped like x, weight and the bias, (O,).

    Raises
    ------
    ValueError
        As `conv2d`, or if `grad` has not the shape of the output.
    """
    x, weight, grid = _checked(x, weight, stride, padding, dilation, groups)
    grad, expected = check_array("grad", grad, ndim=4), (len(x), len(weight), *grid.size)
    if grad.shape != expected:
        raise ValueError(f"grad must have the shape of the output, {expected}, got {grad.shape}")
    return _conv2d_backward(grad, x, weight, grid, groups)


def _conv2d_backward(grad, x, weight, grid, groups):
    filters = weight.reshape(groups, len(weight) // groups, -1)
    grad_x, grad_filters = np.zeros(x.shape), np.zeros(filters.shape)
    for n, image in enumerate(x):  # out = filters @ columns, so both gradients are matrix products
        grad_out = grad[n].reshape(groups, len(weight) // groups, -1)
        grad_filters += grad_out @ _im2col(image, grid, groups).swapaxes(1, 2)  # a filter meets every window: sum
        grad_x[n] = _col2im(filters.swapaxes(1, 2) @ grad_out, grid, len(image))
    return grad_x, grad_filters.reshape(weight.shape), grad.sum(axis=(0, 2, 3))


def _col2im(columns, grid, channels):
    """Add each column back to the pixels it was copied from: the transpose of `_im2col`. Returns (C, H, W)."""
    windows = columns.reshape(channels, *grid.kernel, *grid.size)
    padded = np.zeros((channels, *grid.padded))
    for i, j in np.ndindex(grid.kernel):  # one step per tap, not one per window
        padded[:, *grid.under(i, j)] += windows[:, i, j]
    return grid.inside(padded)


# --- what it costs ---------------------------------------------------------------------------------------------------


def conv_output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    """How many windows fit: floor((size + 2 padding - extent) / stride) + 1, extent = dilation (kernel - 1) + 1.

    Parameters
    ----------
    size : int or (int, int)
        Of the input, in pixels: one side, or height and width.
    kernel_size, stride, padding, dilation : int or (int, int)

    Returns
    -------
    int, or (int, int) if `size` is a pair

    Raises
    ------
    ValueError
        If a number is out of range, or the kernel does not fit into the padded input.
    """
    grid = _Grid(size, kernel_size, stride, padding, dilation)
    if isinstance(size, tuple | list):
        return grid.size
    if grid.size[0] != grid.size[1]:
        raise ValueError("size must be a pair (height, width) where another argument is a pair")
    return grid.size[0]


def conv_parameters(in_channels, out_channels, kernel_size, groups=1, bias=True):
    """How many numbers are learned: out (in / groups) k_h k_w, and one bias per output channel.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int or (int, int)
    groups : int
        A divisor of both channel counts.
    bias : bool

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    inputs, outputs = _check_channels(in_channels, out_channels, groups)
    check_choice("bias", bias, (False, True))
    k_h, k_w = pair("kernel_size", kernel_size, at_least=1)
    return outputs * (inputs // groups) * k_h * k_w + outputs * bias


def conv_macs(in_channels, out_channels, kernel_size, output_size, groups=1):
    """How many multiply-adds one image takes: every weight is used once at every place of the output.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, groups
        As in `conv_parameters`.
    output_size : int or (int, int)
        Height and width of the output.

    Returns
    -------
    int
        Without the bias's additions. One multiply-add counts as one, not as two operations.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    height, width = pair("output_size", output_size, at_least=1)
    return conv_parameters(in_channels, out_channels, kernel_size, groups, bias=False) * height * width


# --- what the above share --------------------------------------------------------------------------------------------


class _Grid:
    """The windows that lie over a map. Every attribute is a pair, for the height and for the width."""

    def __init__(self, shape, kernel_size, stride, padding, dilation):
        self.shape = pair("size", shape, at_least=1)
        self.kernel = pair("kernel_size", kernel_size, at_least=1)
        self.stride = pair("stride", stride, at_least=1)
        self.padding = pair("padding", padding, at_least=0)
        self.dilation = pair("dilation", dilation, at_least=1)
        # from a kernel's first tap to its last, both included
        self.extent = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        self.padded = tuple(n + 2 * p for n, p in zip(self.shape, self.padding, strict=True))
        if any(e > n for e, n in zip(self.extent, self.padded, strict=True)):
            raise ValueError(f"kernel_size: its extent {self.extent} does not fit into the padded map {self.padded}")
        self.size = tuple((n - e) // s + 1 for n, e, s in zip(self.padded, self.extent, self.stride, strict=True))

    def pad(self, x):
        """Add rows and columns of zeros around each map of x."""
        return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in self.padding])

    def windows(self, x):
        """The padded x, viewed as (..., H_out, W_out, k_h, k_w)."""
        every = np.lib.stride_tricks.sliding_window_view(self.pad(x), self.extent, axis=(-2, -1))
        (s_h, s_w), (d_h, d_w) = self.stride, self.dilation
        return every[..., ::s_h, ::s_w, ::d_h, ::d_w]

    def under(self, i, j):
        """The rows and columns of the padded map that tap (i, j) of the kernel meets, window by window."""
        sides = zip((i, j), self.dilation, self.stride, self.size, strict=True)
        return tuple(slice(tap * d, tap * d + s * (n - 1) + 1, s) for tap, d, s, n in sides)

    def inside(self, padded):
        """Cut the padding off."""
        (top, left), (height, width) = self.padding, self.shape
        return padded[..., top : top + height, left : left + width]


def pair(name, value, at_least):
    """Return an integer as a pair, or a checked pair as it is.

    Raises
    ------
    ValueError
        If it is neither, or too small.
    """
    sides = value if isinstance(value, tuple | list) else (value, value)
    if len(sides) != 2:
        raise ValueError(f"{name} must be an integer or a pair of integers, got {value!r}")
    return tuple(check_integer(name, side, at_least=at_least) for side in sides)


def _checked(x, weight, stride, padding, dilation, groups):
    x, weight = check_array("x", x, ndim=4), check_array("weight", weight, ndim=4)
    inputs, _ = _check_channels(x.shape[1], len(weight), groups)
    if weight.shape[1] != inputs // groups:
        raise ValueError(f"weight must have shape ({len(weight)}, {inputs // groups}, k_h, k_w), got {weight.shape}")
    return x, weight, _Grid(x.shape[2:], weight.shape[2:], stride, padding, dilation)


def _check_channels(in_channels, out_channels, groups):
    inputs = check_integer("in_channels", in_channels, at_least=1)
    outputs = check_integer("out_channels", out_channels, at_least=1)
    if inputs % check_integer("groups", groups, at_least=1) or outputs % groups:
        raise ValueError(f"groups must divide the {inputs} input and {outputs} output channels, got {groups}")
    return inputs, outputs


def _check_bias(bias, weight):
    bias = check_array("bias", bias, ndim=1)
    if len(bias) != len(weight):
        raise ValueError(f"bias must have one entry per output channel, {len(weight)}, got shape {bias.shape}")
    return bias
