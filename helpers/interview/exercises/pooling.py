"""Topic 10: max pooling with its indices, and the backward passes of max and mean."""

import numpy as np
from hypothesis import strategies as st

from ...algorithms import pooling
from . import WIDE, Exercise, arrays

FEW = (0.0, 1.0, 2.0, -1.0)  # few, so that ties are common


@st.composite
def maps(draw, values, smallest, largest):
    """Draw a map, a window that fits into it and a stride."""
    height, width = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    window = draw(st.integers(smallest, min(height, width, 3)))
    return draw(arrays((height, width), values)), window, draw(st.integers(1, 3))


def _output(x, window, stride):
    return tuple((side - window) // stride + 1 for side in x.shape)


# --- max pooling, forward --------------------------------------------------------------------------------------------


def max_pool_forward(x, window, stride):
    """Ours, on a single map."""
    out, indices = pooling.max_pool2d(x[None], window, stride)
    return out[0], indices[0]


max_pool = Exercise(
    id="pooling/max_pool",
    signature="max_pool(x, window, stride) -> out, indices",
    task="Max-pool the map x, (H, W), with a square window and no padding; drop a ragged edge. indices holds the "
    "winner's place in the flattened map; among equals the first, row by row.",
    task_zh="对二维特征图 x 做最大池化：方形窗口、无填充，边缘不足一个窗口的部分舍弃。"
    "indices 为最大值在展平后的图中的位置；并列时按行优先取第一个。",
    reference=max_pool_forward,
    tiers=(maps(FEW, 2, 4), maps(WIDE, 1, 6)),
    forbidden=("torch.nn.functional", "torch.max_pool2d", "torch.nn.MaxPool2d"),
    cost="O(N C H' W' k^2): every window read once",
    hints=(
        "For each output cell cut its window out of x, take the maximum, and find where it was.",
        "There are (H - window) // stride + 1 rows. argmax of the flattened window gives the first winner; "
        "divide by the window's width to get its row and column there.",
        "patch = x[i * stride : i * stride + window, j * stride : j * stride + window]; "
        "di, dj = divmod(patch.argmax(), window); index = (i * stride + di) * x.shape[1] + j * stride + dj.",
    ),
)


@max_pool.right
def window_by_window(x, window, stride):
    height, width = ((side - window) // stride + 1 for side in x.shape)
    out, indices = np.empty((height, width)), np.empty((height, width), dtype=int)
    for i, j in np.ndindex(height, width):
        patch = x[i * stride : i * stride + window, j * stride : j * stride + window]
        di, dj = divmod(patch.argmax(), window)
        out[i, j] = patch[di, dj]
        indices[i, j] = (i * stride + di) * x.shape[1] + j * stride + dj
    return out, indices


@max_pool.right
def by_views(x, window, stride):
    places = np.arange(x.size).reshape(x.shape)
    view = np.lib.stride_tricks.sliding_window_view
    values, places = (
        view(a, (window, window))[::stride, ::stride].reshape(*_output(x, window, stride), -1) for a in (x, places)
    )
    winner = values.argmax(axis=-1)[..., None]
    return np.take_along_axis(values, winner, -1)[..., 0], np.take_along_axis(places, winner, -1)[..., 0]


@max_pool.library
def torch_max_pool(x, window, stride):
    import torch

    out, indices = torch.nn.functional.max_pool2d(torch.tensor(x[None]), window, stride, return_indices=True)
    return out[0].numpy(), indices[0].numpy()


@max_pool.wrong("The index is the place inside the window. The backward pass needs the place in the whole map.")
def place_in_the_window(x, window, stride):
    out, indices = window_by_window(x, window, stride)
    for i, j in np.ndindex(out.shape):
        patch = x[i * stride : i * stride + window, j * stride : j * stride + window]
        indices[i, j] = patch.argmax()
    return out, indices


@max_pool.wrong("A tie goes to the first winner, row by row. Here the last one wins: compare with >, not >=.")
def last_of_a_tie(x, window, stride):
    out, indices = window_by_window(x, window, stride)
    for i, j in np.ndindex(out.shape):
        patch = x[i * stride : i * stride + window, j * stride : j * stride + window]
        di, dj = np.argwhere(patch == patch.max())[-1]
        indices[i, j] = (i * stride + di) * x.shape[1] + j * stride + dj
    return out, indices


@max_pool.wrong("The running maximum starts at 0, so negative maps pool to 0. Start at minus infinity.")
def starts_at_zero(x, window, stride):
    out, indices = window_by_window(x, window, stride)
    return np.maximum(out, 0), indices


@max_pool.wrong("The windows move by the stride, not by their own size.")
def stride_ignored(x, window, stride):
    return window_by_window(x, window, window)


@max_pool.wrong("Row times the map's width plus column: here the index is multiplied by the height.")
def height_for_width(x, window, stride):
    out, indices = window_by_window(x, window, stride)
    row, column = np.divmod(indices, x.shape[1])
    return out, row * x.shape[0] + column


# --- max pooling, backward -------------------------------------------------------------------------------------------


@st.composite
def gradients_of_max(draw, values, smallest, largest):
    """Draw the gradient that arrives, the winners of a map, and the map's shape."""
    x, window, stride = draw(maps(FEW, smallest, largest))
    _, indices = max_pool_forward(x, window, stride)
    return draw(arrays(indices.shape, values)), indices, x.shape


def max_backward(grad, indices, shape):
    """Ours, on a single map."""
    return pooling.max_pool2d_backward(grad[None], indices[None], (1, *shape))[0]


max_pool_backward = Exercise(
    id="pooling/max_pool_backward",
    signature="max_pool_backward(grad, indices, shape) -> grad_x",
    task="Send the gradient of a max-pooled map back to the input of this shape, (H, W). indices holds each winner's "
    "place in the flattened map; windows may overlap.",
    task_zh="把最大池化输出的梯度传回形状为 (H, W) 的输入。indices 为各最大值在展平后的图中的位置；窗口可以重叠。",
    reference=max_backward,
    tiers=(
        gradients_of_max((1.0, 2.0, -1.0, 0.5), 2, 4),
        gradients_of_max(WIDE, 1, 6),
        gradients_of_max((600.0, -1.0), 3, 4),
    ),
    forbidden=("torch.nn.functional",),
    cost="O(N C H' W'): one addition for each output",
    hints=(
        "Everything is zero except the winners. What does a cell get that won two windows?",
        "Make a flat array of zeros and add every gradient at its index.",
        "np.add.at(flat, indices.ravel(), grad.ravel()), because flat[indices] += grad forgets repeated indices.",
    ),
)


@max_pool_backward.right
def add_at(grad, indices, shape):
    flat = np.zeros(shape[0] * shape[1])
    np.add.at(flat, indices.ravel(), grad.ravel())
    return flat.reshape(shape)


@max_pool_backward.right
def by_bincount(grad, indices, shape):
    return np.bincount(indices.ravel(), grad.ravel(), minlength=shape[0] * shape[1]).reshape(shape)


@max_pool_backward.right
def in_a_loop(grad, indices, shape):
    back = np.zeros(shape)
    for index, g in zip(indices.ravel(), grad.ravel(), strict=True):
        back[divmod(index, shape[1])] += g
    return back


@max_pool_backward.wrong("A cell that won several windows gets the sum. flat[indices] += grad adds only the last one.")
def buffered_addition(grad, indices, shape):
    flat = np.zeros(shape[0] * shape[1])
    flat[indices.ravel()] += grad.ravel()
    return flat.reshape(shape)


@max_pool_backward.wrong("A gradient keeps its sign: negative ones must arrive too.")
def only_positive(grad, indices, shape):
    return np.maximum(add_at(grad, indices, shape), 0)


@max_pool_backward.wrong("The sum is divided by the number of windows won. Gradients of one cell add up; no mean.")
def averaged(grad, indices, shape):
    won = np.bincount(indices.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    return add_at(grad, indices, shape) / np.maximum(won, 1)


@max_pool_backward.wrong("Row is index // width, column is index % width. Here rows and columns are swapped.")
def transposed(grad, indices, shape):
    row, column = np.divmod(indices, shape[1])
    return add_at(grad, column * shape[0] + row, shape[::-1]).reshape(shape)


# --- mean pooling, backward ------------------------------------------------------------------------------------------


@st.composite
def gradients_of_mean(draw, values, smallest, largest):
    """Draw the gradient that arrives, the input's shape, window and stride."""
    x, window, stride = draw(maps(FEW, smallest, largest))
    return draw(arrays(_output(x, window, stride), values)), x.shape, window, stride


def mean_backward(grad, shape, window, stride):
    """Ours, on a single map."""
    return pooling.avg_pool2d_backward(grad[None], (1, *shape), window, stride)[0]


avg_pool_backward = Exercise(
    id="pooling/avg_pool_backward",
    signature="avg_pool_backward(grad, shape, window, stride) -> grad_x",
    task="Send the gradient of a mean-pooled map back to the input of this shape, (H, W): square window, no padding, "
    "ragged edge dropped. Windows may overlap or leave gaps.",
    task_zh="把平均池化输出的梯度传回形状为 (H, W) 的输入：方形窗口、无填充、舍弃不足一个窗口的边缘。"
    "窗口可能重叠，也可能有间隔。",
    reference=mean_backward,
    tiers=(gradients_of_mean((1.0, 2.0, -1.0, 0.5), 2, 4), gradients_of_mean(WIDE, 1, 6)),
    forbidden=("torch.nn.functional",),
    cost="O(N C H' W' k^2): every window written once",
    hints=(
        "Each output is a sum of window x window cells, each times one weight. What is that weight?",
        "Every cell of the window receives grad / window**2; overlapping windows add up.",
        "back[i * stride : i * stride + window, j * stride : j * stride + window] += grad[i, j] / window**2.",
    ),
)


@avg_pool_backward.right
def share_by_share(grad, shape, window, stride):
    back = np.zeros(shape)
    for i, j in np.ndindex(grad.shape):
        back[i * stride : i * stride + window, j * stride : j * stride + window] += grad[i, j] / window**2
    return back


@avg_pool_backward.right
def by_matrices(grad, shape, window, stride):
    def means(length, count):
        start, cell = np.arange(count)[:, None] * stride, np.arange(length)
        return ((start <= cell) & (cell < start + window)) / window

    return means(shape[0], grad.shape[0]).T @ grad @ means(shape[1], grad.shape[1])


@avg_pool_backward.wrong("Divide by window squared: each cell had the weight 1 / window**2 in the mean.")
def not_divided(grad, shape, window, stride):
    return share_by_share(grad, shape, window, stride) * window**2


@avg_pool_backward.wrong("The window has window x window cells: divide by its square, not by its side.")
def divided_by_the_side(grad, shape, window, stride):
    return share_by_share(grad, shape, window, stride) * window


@avg_pool_backward.wrong("Overlapping windows add up. Here the last one overwrites the others: use +=.")
def last_share_stays(grad, shape, window, stride):
    back = np.zeros(shape)
    for i, j in np.ndindex(grad.shape):
        back[i * stride : i * stride + window, j * stride : j * stride + window] = grad[i, j] / window**2
    return back


@avg_pool_backward.wrong("This is upsampling with np.kron: it is right only if the stride equals the window.")
def upsampled(grad, shape, window, stride):
    back = np.zeros(shape)
    spread = np.kron(grad, np.ones((window, window)) / window**2)[: shape[0], : shape[1]]
    back[: spread.shape[0], : spread.shape[1]] = spread
    return back


@avg_pool_backward.wrong("A cell's gradient is a sum over its windows. Do not divide by how many windows cover it.")
def divided_by_cover(grad, shape, window, stride):
    cover = share_by_share(np.ones(grad.shape), shape, window, stride) * window**2
    return share_by_share(grad, shape, window, stride) / np.maximum(cover, 1)
