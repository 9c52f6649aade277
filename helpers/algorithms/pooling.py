"""Pooling and its backward pass: max, mean and adaptive mean, with torch's rules for stride, padding and ragged edges.

A map is (N, C, H, W) or (C, H, W). Sizes may be one integer or a pair (height, width). Each forward function stands
beside the function that sends a gradient back through it.

References
----------
LeCun et al., "Gradient-based learning applied to document recognition", Proceedings of the IEEE 86 (1998).
Boureau, Ponce and LeCun, "A theoretical analysis of feature pooling in visual recognition", ICML 2010.
"""

import numpy as np

from ..validation import check_array, check_choice, check_integer

# --- maximum ---------------------------------------------------------------------------------------------------------


def max_pool2d(x, kernel_size, stride=None, padding=0, *, ceil_mode=False):
    """Keep the largest cell of each window, and remember which one it was.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W) array_like
    kernel_size : int or (int, int)
        Height and width of the window, in cells.
    stride : int or (int, int), optional
        Cells from one window to the next; by default the kernel size, so that windows do not overlap.
    padding : int or (int, int)
        Cells added on every side, at most half the kernel. They hold minus infinity, so that none is ever the largest.
    ceil_mode : bool
        Whether to keep a last window that hangs over the far edge; otherwise the ragged edge is dropped.

    Returns
    -------
    out : (N, C, H_out, W_out) ndarray
    indices : (N, C, H_out, W_out) ndarray of int
        Where in the flattened H x W map the largest cell lies; among equals the first, row by row, as in torch.

    Raises
    ------
    ValueError
        If x holds NaN or has another number of dimensions, a size is out of range, or no window fits.
    """
    x = check_array("x", x, ndim=(3, 4))
    return _max_pool(x, _grid(x.shape, kernel_size, stride, padding, ceil_mode))


def _max_pool(x, grid):
    windows = grid.windows(x, outside=-np.inf)  # (..., H_out, W_out, k_h, k_w)
    flat = windows.reshape(*windows.shape[:-2], -1)
    first = flat.argmax(axis=-1)  # the first among equals
    down, right = np.divmod(first, grid.kernel[1])  # the place inside the window
    rows, columns = grid.starts
    indices = (rows[:, None] + down) * x.shape[-1] + columns + right  # the place in the flattened map
    return np.take_along_axis(flat, first[..., None], axis=-1)[..., 0], indices


def max_pool2d_backward(grad, indices, shape):
    """Send each output's gradient to the cell that won its window. A cell that won several receives their sum.

    Parameters
    ----------
    grad : (N, C, H_out, W_out) or (C, H_out, W_out) array_like
        The gradient that arrives at the output.
    indices : array_like of int, shaped like `grad`
        From `max_pool2d`.
    shape : tuple of int
        Shape of the input x.

    Returns
    -------
    ndarray of this shape

    Raises
    ------
    ValueError
        If the shapes do not belong together or an index lies outside the map.
    """
    grad, shape = _gradient(grad, shape)
    indices = check_array("indices", indices)
    if indices.shape != grad.shape:
        raise ValueError(f"indices must have the shape of grad, {grad.shape}, got {indices.shape}")
    cells = shape[-2] * shape[-1]
    if (indices != np.floor(indices)).any() or indices.min() < 0 or indices.max() >= cells:
        raise ValueError(f"indices must be integers from 0 to {cells - 1}, cells of the flattened map")
    return _scatter(grad, indices.astype(int), shape)


def _scatter(grad, indices, shape):
    """Put each gradient at its index in its own map of H x W cells, adding where indices repeat."""
    maps = np.arange(np.prod(shape[:-2])).reshape(*shape[:-2], 1, 1)
    place = maps * shape[-2] * shape[-1] + indices
    return np.bincount(place.ravel(), grad.ravel(), minlength=np.prod(shape)).reshape(shape)


# --- mean ------------------------------------------------------------------------------------------------------------


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Take the mean of each window.

    Parameters
    ----------
    x, kernel_size, stride, padding, ceil_mode
        As in `max_pool2d`, but the padding holds zeros.
    count_include_pad : bool
        Whether the mean divides by the padding's cells too. What hangs over the padding in ceil mode never counts.

    Returns
    -------
    (N, C, H_out, W_out) ndarray

    Raises
    ------
    ValueError
        As `max_pool2d`.
    """
    x = check_array("x", x, ndim=(3, 4))
    check_choice("count_include_pad", count_include_pad, (False, True))
    return _avg_pool(x, _grid(x.shape, kernel_size, stride, padding, ceil_mode), count_include_pad)


def _avg_pool(x, grid, count_include_pad):
    return grid.windows(x, outside=0).sum(axis=(-2, -1)) / grid.counts(count_include_pad)


def avg_pool2d_backward(grad, shape, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """Share each output's gradient equally among the cells of its window.

    What falls on the padding is lost: then less arrives than was sent.

    Parameters
    ----------
    grad : (N, C, H_out, W_out) or (C, H_out, W_out) array_like
        The gradient that arrives at the output.
    shape : tuple of int
        Shape of the input x.
    kernel_size, stride, padding, ceil_mode, count_include_pad
        As in `avg_pool2d`.

    Returns
    -------
    ndarray of this shape

    Raises
    ------
    ValueError
        As `avg_pool2d`, or if the shapes do not belong together.
    """
    grad, shape = _gradient(grad, shape)
    check_choice("count_include_pad", count_include_pad, (False, True))
    grid = _grid(shape, kernel_size, stride, padding, ceil_mode)
    if grad.shape[-2:] != grid.size:
        raise ValueError(f"grad must hold maps of {grid.size} cells, got shape {grad.shape}")
    return _avg_pool_backward(grad, grid, count_include_pad)


def _avg_pool_backward(grad, grid, count_include_pad):
    return grid.inside(grid.spread(grad / grid.counts(count_include_pad)))


# --- adaptive mean -----------------------------------------------------------------------------------------------


def adaptive_avg_pool2d(x, output_size):
    """Take means so that the output has the size wanted, whatever the size of the input.

    Output row i averages the input rows from floor(i H / H_out) up to, and without, ceil((i + 1) H / H_out).
    Rows i - 1 and i of the output share an input row where i H / H_out is no integer.

    Parameters
    ----------
    x : (N, C, H, W) or (C, H, W) array_like
    output_size : int or (int, int)
        H_out and W_out; 1 is global average pooling.

    Returns
    -------
    (N, C, H_out, W_out) ndarray

    Raises
    ------
    ValueError
        If x holds NaN or has another number of dimensions, or a size is out of range.
    """
    x = check_array("x", x, ndim=(3, 4))
    return _adaptive(x, _pair("output_size", output_size, at_least=1))


def _adaptive(x, size):
    rows, columns = _mean_matrices(x.shape, size)  # (H_out, H) and (W_out, W)
    return rows @ x @ columns.T


def adaptive_avg_pool2d_backward(grad, shape):
    """Send a gradient back through `adaptive_avg_pool2d`: multiply by the transposed matrices.

    Parameters
    ----------
    grad : (N, C, H_out, W_out) or (C, H_out, W_out) array_like
    shape : tuple of int
        Shape of the input x.

    Returns
    -------
    ndarray of this shape

    Raises
    ------
    ValueError
        If the shapes do not belong together, or `grad` is empty or holds NaN.
    """
    return _adaptive_backward(*_gradient(grad, shape))


def _adaptive_backward(grad, shape):
    rows, columns = _mean_matrices(shape, grad.shape[-2:])
    return rows.T @ grad @ columns


# --- what the above share --------------------------------------------------------------------------------------------


def _grid(shape, kernel_size, stride, padding, ceil_mode):
    """Check the sizes and lay the windows."""
    kernel = _pair("kernel_size", kernel_size, at_least=1)
    stride = kernel if stride is None else _pair("stride", stride, at_least=1)
    padding = _pair("padding", padding, at_least=0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"padding must be at most half of kernel_size {kernel}, got {padding}")
    check_choice("ceil_mode", ceil_mode, (False, True))
    grid = _Grid(shape, kernel, stride, padding, ceil_mode)
    if min(grid.size) < 1:
        raise ValueError(f"kernel_size {kernel} does not fit into the padded map of {shape[-2:]} cells")
    return grid


class _Grid:
    """The windows that lie over a map: where they start, what they see, and how to put things back under them.

    Every attribute is a pair, for the height and for the width.
    """

    def __init__(self, shape, kernel, stride, padding, ceil_mode):
        self.shape, self.kernel, self.stride, self.padding = shape[-2:], kernel, stride, padding
        sides = list(zip(self.shape, kernel, stride, padding, strict=True))
        self.size = tuple(_count(*side, ceil_mode) for side in sides)
        self.starts = [np.arange(n) * s - p for n, s, p in zip(self.size, stride, padding, strict=True)]
        # from the first window's start to the last one's end
        self.reach = [(n - 1) * s + k for n, s, k in zip(self.size, stride, kernel, strict=True)]

    def windows(self, x, outside):
        """The padded x, viewed as (..., H_out, W_out, k_h, k_w); cells outside the map hold `outside`."""
        margins = [(p, max(0, r - p - n)) for p, r, n in zip(self.padding, self.reach, self.shape, strict=True)]
        padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + margins, constant_values=outside)
        padded = padded[..., : self.reach[0], : self.reach[1]]
        every = np.lib.stride_tricks.sliding_window_view(padded, self.kernel, axis=(-2, -1))
        return every[..., :: self.stride[0], :: self.stride[1], :, :]

    def spread(self, share):
        """Add each window's share to all the cells below it, padding included: the transpose of summing windows."""
        padded = np.zeros((*share.shape[:-2], *self.reach))
        height, width = (r - k + 1 for r, k in zip(self.reach, self.kernel, strict=True))
        for i in range(self.kernel[0]):  # one step per cell of the window, not one per window
            for j in range(self.kernel[1]):
                padded[..., i : i + height : self.stride[0], j : j + width : self.stride[1]] += share
        return padded

    def inside(self, padded):
        """Cut the padding off; cells that no window reached get 0."""
        (top, left), (height, width) = self.padding, self.shape
        cut = padded[..., top : top + height, left : left + width]
        return np.pad(cut, [(0, 0)] * (cut.ndim - 2) + [(0, height - cut.shape[-2]), (0, width - cut.shape[-1])])

    def counts(self, count_include_pad):
        """How many cells each window's mean divides by, (H_out, W_out)."""
        counts = []
        for start, kernel, length, padding in zip(self.starts, self.kernel, self.shape, self.padding, strict=True):
            margin = padding if count_include_pad else 0
            counts.append(np.minimum(start + kernel, length + margin) - np.maximum(start, -margin))  # end less start
        return np.outer(*counts)


def _count(length, kernel, stride, padding, ceil_mode):
    """How many windows fit along one side: floor(steps / stride) + 1, or with ceil."""
    steps = length + 2 * padding - kernel
    if not ceil_mode:
        return steps // stride + 1
    count = (steps + stride - 1) // stride + 1  # rounded up
    if (count - 1) * stride >= length + padding:  # the last window would start in the far padding: it goes
        count -= 1
    return count


def _mean_matrices(shape, size):
    """One matrix per side: row i averages the cells from floor(i L / S) up to, and without, ceil((i + 1) L / S)."""
    matrices = []
    for length, wanted in zip(shape[-2:], size, strict=True):
        i, cell = np.arange(wanted)[:, None], np.arange(length)
        first = i * length // wanted
        end = ((i + 1) * length + wanted - 1) // wanted  # rounded up
        inside = (first <= cell) & (cell < end)
        matrices.append(inside / inside.sum(axis=1, keepdims=True))
    return matrices


def _pair(name, value, at_least):
    pair = value if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name} must be an integer or a pair of integers, got {value!r}")
    return tuple(check_integer(name, side, at_least=at_least) for side in pair)


def _gradient(grad, shape):
    """Check a gradient against the shape of the input it belongs to; only the maps' sizes may differ."""
    grad = check_array("grad", grad, ndim=(3, 4))
    if not isinstance(shape, tuple | list):
        raise ValueError(f"shape must be a tuple of integers, got {shape!r}")
    shape = tuple(check_integer("shape", side, at_least=1) for side in shape)
    if len(shape) != grad.ndim or shape[:-2] != grad.shape[:-2]:
        raise ValueError(f"shape {shape} and grad's shape {grad.shape} must differ in their last two sides only")
    return grad, shape
