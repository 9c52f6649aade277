"""Topic 23: cut a map into windows, mask shifted windows, and number relative positions."""

import itertools

import numpy as np
import torch
from hypothesis import strategies as st

from . import WIDE, Exercise

# --- windows ---------------------------------------------------------------------------------------------------------


@st.composite
def maps(draw, batch, most, channels, window, readable):
    """Draw a map whose sides are multiples of the window, and the window."""
    m = draw(window)
    shape = draw(batch), m * draw(st.integers(1, most)), m * draw(st.integers(1, most)), draw(channels)
    if readable:
        return np.arange(float(np.prod(shape))).reshape(shape), m
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return rng.choice(WIDE, size=shape), m


def cut(x, window):
    """Ours: split both axes, then bring the two window numbers to the front."""
    b, h, w, c = x.shape
    if h % window or w % window:
        raise ValueError("the sides of x must be multiples of the window")
    x = x.reshape(b, h // window, window, w // window, window, c)
    return x.swapaxes(2, 3).reshape(-1, window, window, c)


window_partition = Exercise(
    id="swin/window_partition",
    signature="window_partition(x, window) -> windows",
    task="Cut a batch of maps x, (B, H, W, C), into windows that do not overlap: (B * H/M * W/M, M, M, C) with M = "
    "window. Image after image, and within an image row after row of windows. H and W are multiples of M.",
    task_zh="把一批特征图 x（形状 (B, H, W, C)）切成互不重叠的窗口，返回 (B * H/M * W/M, M, M, C)，M = window。"
    "先排第一张图的窗口，再排下一张；同一张图内按行优先。H、W 都是 M 的整数倍。",
    reference=cut,
    tiers=(
        maps(st.integers(1, 2), 2, st.integers(1, 2), st.integers(2, 3), True),
        maps(st.integers(1, 3), 3, st.integers(1, 3), st.integers(1, 4), False),
    ),
    cost="O(B H W C): every number is copied once",
    hints=(
        "Split H into (H/M, M) and W into (W/M, M). Which axes belong together in the result?",
        "After the reshape to (B, H/M, M, W/M, M, C) swap the two axes in the middle.",
        "x.reshape(B, H//M, M, W//M, M, C).transpose(0, 1, 3, 2, 4, 5).reshape(-1, M, M, C)",
    ),
)


@window_partition.right
def on_a_whiteboard(x, window):
    b, h, w, c = x.shape
    x = x.reshape(b, h // window, window, w // window, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(-1, window, window, c)


@window_partition.right
def by_slices(x, window):
    return [
        image[i : i + window, j : j + window]
        for image in x
        for i in range(0, x.shape[1], window)
        for j in range(0, x.shape[2], window)
    ]


@window_partition.right
def by_splitting(x, window):
    strips = [np.split(image, x.shape[1] // window, axis=0) for image in x]
    return np.stack([w for image in strips for strip in image for w in np.split(strip, x.shape[2] // window, axis=1)])


@window_partition.right
def in_torch(x, window):
    windows = torch.as_tensor(x).unfold(1, window, window).unfold(2, window, window)  # (B, rows, columns, C, M, M)
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(0, 2)


def _six(x, window):
    b, h, w, c = x.shape
    return x.reshape(b, h // window, window, w // window, window, c)


@window_partition.wrong("A reshape alone cuts rows into pieces: swap the two axes in the middle first.")
def reshape_alone(x, window):
    return x.reshape(-1, window, window, x.shape[-1])


@window_partition.wrong("Rows of windows come first: here the windows run down the columns.")
def down_the_columns(x, window):
    return _six(x, window).transpose(0, 3, 1, 2, 4, 5).reshape(-1, window, window, x.shape[-1])


@window_partition.wrong("The batch comes first: all windows of one image, then those of the next.")
def batch_last(x, window):
    return _six(x, window).transpose(1, 3, 0, 2, 4, 5).reshape(-1, window, window, x.shape[-1])


@window_partition.wrong("Inside a window rows and columns are swapped.")
def transposed_inside(x, window):
    return _six(x, window).transpose(0, 1, 3, 4, 2, 5).reshape(-1, window, window, x.shape[-1])


@window_partition.wrong("These tokens lie H/M apart. A window holds neighbors: split H into (H/M, M), not (M, H/M).")
def every_nth_token(x, window):
    b, h, w, c = x.shape
    x = x.reshape(b, window, h // window, window, w // window, c)
    return x.transpose(0, 2, 4, 1, 3, 5).reshape(-1, window, window, c)


@window_partition.wrong("The number of windows differs along H and W where the map is not square.")
def as_many_across_as_down(x, window):
    n = x.shape[1] // window
    cuts = [slice(i * window, (i + 1) * window) for i in range(n)]
    return np.stack([image[i, j] for image in x for i in cuts for j in cuts if image[i, j].shape[1] == window])


@window_partition.wrong("H and W are swapped in the reshape: that works on square maps alone.")
def sides_swapped(x, window):
    b, h, w, c = x.shape
    return cut(x.reshape(b, w, h, c), window)


@window_partition.wrong("The result has four axes: flatten batch and windows into one, and keep M x M.")
def tokens_flattened(x, window):
    return cut(x, window).reshape(-1, window * window, x.shape[-1])


@window_partition.wrong("Batch and windows belong in one axis.")
def batch_kept(x, window):
    return cut(x, window).reshape(len(x), -1, window, window, x.shape[-1])


@window_partition.wrong("Channels stay last.")
def channels_first(x, window):
    return cut(x, window).transpose(0, 3, 1, 2)


@window_partition.wrong("Windows do not overlap: move by a whole window, not by one token.")
def sliding(x, window):
    windows = np.lib.stride_tricks.sliding_window_view(x, (window, window), axis=(1, 2))
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, window, window, x.shape[-1])


@window_partition.wrong("Every image of the batch is cut, not only the first.")
def first_image(x, window):
    return cut(x[:1], window)


# --- the mask --------------------------------------------------------------------------------------------------------


@st.composite
def shifts(draw, windows, most):
    """Draw the sides of a map, a window and a shift from 0 to window - 1."""
    m = draw(windows)
    height, width = (m * draw(st.integers(1, most)) for _ in range(2))
    return height, width, m, draw(st.integers(0, m - 1))


def _bands(side, window, shift):
    p = np.arange(side)
    return (p >= side - window).astype(int) + (p >= side - shift)


def _ids(height, width, window, shift):
    return 3 * _bands(height, window, shift)[:, None] + _bands(width, window, shift)


def _differ(ids, window):
    ids = cut(ids[None, :, :, None], window).reshape(-1, window * window)
    return ids[:, :, None] != ids[:, None, :]


def mask_of_shifted_windows(height, width, window, shift):
    """Ours: number the regions of the rolled map; pairs with different numbers get -100."""
    if height % window or width % window or not 0 <= shift < window:
        raise ValueError("the sides must be multiples of the window, and the shift less than it")
    return np.where(_differ(_ids(height, width, window, shift), window), -100.0, 0.0)


attention_mask = Exercise(
    id="swin/attention_mask",
    signature="attention_mask(height, width, window, shift) -> mask",
    task="A map of height x width tokens was rolled up and left by shift, then cut into windows of side M = window. "
    "Return what is added to the scores, (windows, M*M, M*M): 0 where two tokens of a window lay equally apart before "
    "the roll, -100 where they come from opposite edges. Windows and tokens in row order; 0 <= shift < M, and both "
    "sides are multiples of M.",
    task_zh="height x width 的特征图向上、向左各循环移动 shift，再切成边长 M = window 的窗口。"
    "返回加到注意力分数上的 mask，形状 (窗口数, M*M, M*M)："
    "窗口内两个 token 的相对位置与移动前一致则为 0，来自图像两侧、被拼到一起的为 -100。"
    "窗口和 token 都按行优先；0 <= shift < M，两边都是 M 的整数倍。",
    reference=mask_of_shifted_windows,
    tiers=(shifts(st.integers(2, 3), 2), shifts(st.integers(1, 4), 3)),
    cost="O(H W M^2) for all pairs; computed once for each size of the map",
    hints=(
        "After the roll, which rows and columns lie next to others that were far away?",
        "Number the regions: cut each axis at side - window and at side - shift. Then cut the numbers into windows.",
        "ids = partition(regions).reshape(-1, M*M); np.where(ids[:, :, None] != ids[:, None, :], -100, 0)",
    ),
)


@attention_mask.right
def nine_slices(height, width, window, shift):
    ids, number = np.zeros((height, width)), 0
    slices = slice(0, -window), slice(-window, -shift), slice(-shift, None)
    for rows in slices:
        for columns in slices:
            ids[rows, columns] = number
            number += 1
    ids = ids.reshape(height // window, window, width // window, window).transpose(0, 2, 1, 3)
    ids = ids.reshape(-1, window * window)
    return np.where(ids[:, None, :] - ids[:, :, None] != 0, -100.0, 0.0)


@attention_mask.right
def four_ids_are_enough(height, width, window, shift):
    rows, columns = np.arange(height) >= height - shift, np.arange(width) >= width - shift
    return np.where(_differ(2 * rows[:, None] + columns, window), -100.0, 0.0)


@attention_mask.right
def by_loops(height, width, window, shift):
    masks = []
    for top, left in itertools.product(range(0, height, window), range(0, width, window)):
        tokens = [(top + i, left + j) for i in range(window) for j in range(window)]
        wrapped = [(i + shift >= height, j + shift >= width) for i, j in tokens]
        masks.append([[0 if a == b else -100 for b in wrapped] for a in wrapped])
    return masks


@attention_mask.right
def in_torch_with_where_they_were(height, width, window, shift):
    p, q = torch.arange(height).roll(-shift), torch.arange(width).roll(-shift)
    rows = (p.reshape(-1, window, 1) - p.reshape(-1, 1, window)).abs() < window  # (window rows, M, M)
    columns = (q.reshape(-1, window, 1) - q.reshape(-1, 1, window)).abs() < window
    if shift and height == window:
        wrapped = torch.arange(window) >= window - shift
        rows = (wrapped[:, None] == wrapped)[None]
    if shift and width == window:
        wrapped = torch.arange(window) >= window - shift
        columns = (wrapped[:, None] == wrapped)[None]
    both = torch.einsum("aij,bkl->abikjl", rows.double(), columns.double())
    return -100 * (1 - both.reshape(-1, window**2, window**2))


def _from(ids, window):
    return np.where(_differ(ids, window), -100.0, 0.0)


@attention_mask.wrong("The sign is wrong: what is added must make the score small.")
def positive(height, width, window, shift):
    return -mask_of_shifted_windows(height, width, window, shift)


@attention_mask.wrong("0 and -100 are swapped: tokens of one region see each other.")
def inverted(height, width, window, shift):
    return -100 - mask_of_shifted_windows(height, width, window, shift)


@attention_mask.wrong("The mask is added to scores: 0 for allowed and -100 for blocked, not 1 and 0.")
def ones_and_zeros(height, width, window, shift):
    return mask_of_shifted_windows(height, width, window, shift) / 100 + 1


@attention_mask.wrong("The task says -100. Minus infinity works too, where no row is blocked whole, but is not asked.")
def infinite(height, width, window, shift):
    return np.where(_differ(_ids(height, width, window, shift), window), -np.inf, 0.0)


@attention_mask.wrong("The shift is an argument: it need not be half a window.")
def half_a_window(height, width, window, shift):
    return mask_of_shifted_windows(height, width, window, window // 2)


@attention_mask.wrong("A shift of 0 needs no mask.")
def half_where_not_zero(height, width, window, shift):
    return _from(_ids(height, width, window, max(shift, min(1, window - 1))), window)


@attention_mask.wrong("The map was rolled up and left: what came round lies at the bottom and right.")
def rolled_the_other_way(height, width, window, shift):
    rows, columns = np.arange(height) < shift, np.arange(width) < shift
    return _from(2 * rows[:, None] + columns, window)


@attention_mask.wrong("The last shift rows came round, not the last window - shift: at half a window both agree.")
def complement(height, width, window, shift):
    return _from(_ids(height, width, window, (window - shift) % window), window)


@attention_mask.wrong("Number rows and columns so that no two regions share a number: 3 * row + column, not a sum.")
def sum_of_bands(height, width, window, shift):
    return _from(_bands(height, window, shift)[:, None] + _bands(width, window, shift), window)


@attention_mask.wrong("Columns come round too, not only rows.")
def rows_alone(height, width, window, shift):
    return _from(_bands(height, window, shift)[:, None] + np.zeros(width, int), window)


@attention_mask.wrong(
    "Tokens from two old windows that are neighbors must see each other: that is what the shift is for."
)
def by_old_windows(height, width, window, shift):
    rows = (np.arange(height) + shift) % height // window
    columns = (np.arange(width) + shift) % width // window
    return _from(rows[:, None] * (width // window) + columns, window)


@attention_mask.wrong("Height and width are swapped.")
def sides_swapped_in_the_mask(height, width, window, shift):
    return mask_of_shifted_windows(width, height, window, shift)


@attention_mask.wrong("Blocked both ways: compare with !=, not with <.")
def one_way(height, width, window, shift):
    ids = cut(_ids(height, width, window, shift)[None, :, :, None], window).reshape(-1, window * window)
    return np.where(ids[:, :, None] < ids[:, None, :], -100.0, 0.0)


@attention_mask.wrong("Cut the numbers into windows as the map is cut, not by a reshape.")
def ids_reshaped(height, width, window, shift):
    ids = _ids(height, width, window, shift).reshape(-1, window * window)
    return np.where(ids[:, :, None] != ids[:, None, :], -100.0, 0.0)


@attention_mask.wrong("Row order: the windows run along the rows of the map.")
def windows_down_the_columns(height, width, window, shift):
    mask = mask_of_shifted_windows(height, width, window, shift)
    n = window * window
    return mask.reshape(height // window, width // window, n, n).swapaxes(0, 1).reshape(-1, n, n)


@attention_mask.wrong("Every window of the edge is mixed, not only the last one.")
def last_window_alone(height, width, window, shift):
    mask = mask_of_shifted_windows(height, width, window, shift)
    mask[:-1] = 0
    return mask


# --- relative positions ----------------------------------------------------------------------------------------------


def index_of_pairs(window):
    """Ours: query minus key, moved to start at 0, read as a number of two digits in base 2M - 1."""
    if window < 1:
        raise ValueError("window must be at least 1")
    return _index(window)


def _index(window, sign=1, add=None, factor=None, order=(0, 1)):
    add = window - 1 if add is None else add
    factor = 2 * window - 1 if factor is None else factor
    p = np.arange(window)
    places = np.stack(np.meshgrid(p, p, indexing="ij")).reshape(2, -1)
    offset = sign * (places[:, :, None] - places[:, None, :]) + add
    return offset[order[0]] * factor + offset[order[1]]


relative_position_index = Exercise(
    id="swin/relative_position_index",
    signature="relative_position_index(window) -> index",
    task="For each pair of tokens of an M x M window (M = window, tokens in row order) the row of the bias table, an "
    "(M*M, M*M) array of integers: query (row of the array) minus key (column), (dy, dx), each from -(M-1) to M-1, "
    "has number (dy + M - 1)(2M - 1) + dx + M - 1.",
    task_zh="对 M x M 窗口（M = window，token 按行优先）里的每一对 token，求它在偏置表中的行号，"
    "返回 (M*M, M*M) 的整数数组："
    "query（数组的行）减 key（数组的列）得 (dy, dx)，取值 -(M-1) 到 M-1，行号为 (dy + M - 1)(2M - 1) + dx + M - 1。",
    reference=index_of_pairs,
    tiers=(st.tuples(st.integers(2, 3)), st.tuples(st.integers(1, 9))),
    cost="O(M^4) numbers, computed once",
    hints=(
        "Write the row and the column of every token as a list, in the order in which reshape flattens a window.",
        "Subtract the list from itself, all pairs, by broadcasting. Then shift both offsets to start at 0.",
        "offset = places[:, None] - places[None] + M - 1; return offset[..., 0] * (2 * M - 1) + offset[..., 1]",
    ),
)


@relative_position_index.right
def by_meshgrid(window):
    p = np.arange(window)
    places = np.stack(np.meshgrid(p, p, indexing="ij")).reshape(2, -1)
    dy, dx = places[:, :, None] - places[:, None, :] + window - 1
    return dy * (2 * window - 1) + dx


@relative_position_index.right
def pair_by_pair(window):
    places = [(i, j) for i in range(window) for j in range(window)]
    side = 2 * window - 1
    return [[(a - c + window - 1) * side + b - d + window - 1 for c, d in places] for a, b in places]


@relative_position_index.right
def by_division(window):
    dy, dx = (np.subtract.outer(part, part) for part in divmod(np.arange(window**2), window))
    return dy * (2 * window - 1) + dx + 2 * window * (window - 1)


@relative_position_index.right
def in_torch_with_kron(window):
    p = torch.arange(window)
    offset = p[:, None] - p + window - 1
    index = offset[:, None, :, None] * (2 * window - 1) + offset[None, :, None, :]
    return index.reshape(window**2, window**2).double()


@relative_position_index.wrong("Query minus key, not key minus query.")
def key_minus_query(window):
    return _index(window, sign=-1)


@relative_position_index.wrong("Rows carry the factor 2M - 1, not columns. (meshgrid's default swaps them too.)")
def row_and_column_swapped(window):
    return _index(window, order=(1, 0))


@relative_position_index.wrong("Without the factor 2M - 1 different offsets share a number: (0, 1) and (1, 0).")
def no_factor(window):
    return _index(window, factor=1)


@relative_position_index.wrong("The factor is the number of offsets along a side, 2M - 1, not M.")
def factor_of_the_window(window):
    return _index(window, factor=window)


@relative_position_index.wrong("Offsets run from -(M-1) to M-1: there are 2M - 1 of them, not 2M.")
def factor_two_m(window):
    return _index(window, factor=2 * window)


@relative_position_index.wrong("Move the offsets to start at 0: negative rows would count from the table's end.")
def negative(window):
    return _index(window, add=0)


@relative_position_index.wrong("The smallest offset is -(M-1): add M - 1, not M.")
def one_too_many(window):
    return _index(window, add=window)


@relative_position_index.wrong("Move both offsets, not only the rows.")
def rows_moved_alone(window):
    return _index(window) - (window - 1)


@relative_position_index.wrong("Left and right differ: take the signed offset, not the distance.")
def distances(window):
    places = np.array([(i, j) for i in range(window) for j in range(window)])
    dy, dx = np.moveaxis(np.abs(places[:, None] - places[None]), -1, 0)
    return dy * (2 * window - 1) + dx


@relative_position_index.wrong("One row per token: the shape is (M*M, M*M).")
def four_axes(window):
    return _index(window).reshape(window, window, window, window)


@relative_position_index.wrong("A window has M*M tokens: this is the index of one row of it.")
def one_dimension(window):
    return np.subtract.outer(np.arange(window), np.arange(window)) + window - 1


@relative_position_index.wrong("Written for M = 7: the window is an argument.")
def for_seven(window):
    return _index(window, add=6, factor=13)
