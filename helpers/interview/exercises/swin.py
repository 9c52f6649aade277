"""Topic 23: windows, the index of relative positions, and the mask of shifted windows."""

import numpy as np
import torch
from hypothesis import strategies as st

from . import WIDE, Exercise, arrays

# --- windows ---------------------------------------------------------------------------------------------------------


@st.composite
def maps(draw, values, most, windows):
    """Draw maps whose sides are multiples of a window, and its side."""
    window = draw(st.sampled_from(windows))
    n, rows, columns, channels = (draw(st.integers(1, most)) for _ in range(4))
    shape = n, rows * window, columns * window, channels
    numbered = np.arange(float(np.prod(shape))).reshape(shape)  # shows where each entry went
    return (draw(arrays(shape, values)) if values else numbered), window


def cut(x, window):
    """Ours: maps, then rows of windows, then windows, then rows, then columns."""
    n, height, width, channels = x.shape
    x = x.reshape(n, height // window, window, width // window, window, channels)
    return x.swapaxes(2, 3).reshape(-1, window, window, channels)


window_partition = Exercise(
    id="swin/window_partition",
    signature="window_partition(x, window) -> windows",
    task="Cut maps x, (N, H, W, C), into windows of side M = window, which divides H and W. Return "
    "(N H/M W/M, M, M, C): the windows of the first map first, row by row.",
    task_zh="把特征图 x（N, H, W, C）切成边长 M = window 的窗口，M 整除 H 和 W。"
    "返回 (N H/M W/M, M, M, C)：先放第一张图的窗口，按行从左到右、从上到下。",
    reference=cut,
    tiers=(maps((), 2, (2, 3)), maps(WIDE, 3, (1, 2, 3))),
    tensors=True,
    gradient=("x",),
    cost="O(N H W C): every number is copied once",
    hints=(
        "Give rows of windows and columns of windows axes of their own: six axes in all.",
        "After the reshape the axes are N, row of windows, row, column of windows, column, C. Which two must swap?",
        "Return x.reshape(n, h // m, m, w // m, m, c).transpose(2, 3).reshape(-1, m, m, c).",
    ),
)


@window_partition.right
def as_on_a_whiteboard(x, window):
    n, h, w, c = x.shape
    x = x.view(n, h // window, window, w // window, window, c)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window, window, c)


@window_partition.right
def by_slices(x, window):
    return torch.stack(
        [
            x[n, top : top + window, left : left + window]
            for n in range(len(x))
            for top in range(0, x.shape[1], window)
            for left in range(0, x.shape[2], window)
        ]
    )


@window_partition.right
def by_unfolding(x, window):
    return x.unfold(1, window, window).unfold(2, window, window).permute(0, 1, 2, 4, 5, 3).flatten(0, 2)


@window_partition.wrong(
    "A reshape alone keeps the order of the numbers: swap the row in a window with the column of windows."
)
def reshape_alone(x, window):
    return x.reshape(-1, window, window, x.shape[3])


@window_partition.wrong("Windows go row by row: the row of windows comes before their column.")
def column_by_column(x, window):
    n, h, w, c = x.shape
    x = x.reshape(n, h // window, window, w // window, window, c)
    return x.permute(0, 3, 1, 2, 4, 5).reshape(-1, window, window, c)


@window_partition.wrong("Rows and columns inside each window are swapped.")
def transposed_inside(x, window):
    return cut(x, window).transpose(1, 2)


@window_partition.wrong("All windows of the first map come first: the batch is the slowest axis.")
def batch_runs_fastest(x, window):
    return cut(x, window).unflatten(0, (len(x), -1)).transpose(0, 1).flatten(0, 1)


@window_partition.wrong("The last axis is the channel: these are not (N, C, H, W).")
def channels_inside(x, window):
    windows = cut(x, window)
    return windows.permute(0, 3, 1, 2).reshape(windows.shape)


@window_partition.wrong("Height and width are swapped: right for square maps alone.")
def sides_swapped(x, window):
    n, h, w, c = x.shape
    x = x.reshape(n, w // window, window, h // window, window, c)
    return x.transpose(2, 3).reshape(-1, window, window, c)


@window_partition.wrong("These are every M-th pixels, as in a dilated grid: a window holds neighbors.")
def a_grid(x, window):
    n, h, w, c = x.shape
    x = x.reshape(n, window, h // window, window, w // window, c)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, window, window, c)


@window_partition.wrong("The way back is cut: no .detach() and no new tensor.")
def detached(x, window):
    return cut(x, window).detach() + 0 * x.sum()


# --- the index -------------------------------------------------------------------------------------------------------


def index_of(window):
    """Ours: offsets by broadcasting, moved to start at 0, rows counted in 2M - 1 columns."""
    rows, columns = np.divmod(np.arange(window**2), window)
    dy, dx = rows[:, None] - rows, columns[:, None] - columns
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


relative_position_index = Exercise(
    id="swin/relative_position_index",
    signature="relative_position_index(window) -> index",
    task="For each pair (i, j) of the M^2 tokens of a window, numbered row by row, the row of the bias table for the "
    "row of i less that of j, and the same of the columns: offset (-(M-1), -(M-1)) is row 0, and the column runs "
    "fastest. Return (M^2, M^2) whole numbers.",
    task_zh="窗口里 M^2 个 token 按行编号。对每一对 (i, j)，求偏置表的行号：由 i 的行减 j 的行、i 的列减 j 的列决定，"
    "偏移 (-(M-1), -(M-1)) 对应第 0 行，列偏移变化最快。返回 (M^2, M^2) 的整数。",
    reference=index_of,
    tiers=(st.tuples(st.sampled_from([2, 3])), st.tuples(st.sampled_from([1, 2, 3, 4, 5, 7]))),
    cost="O(M^4): a number for each pair, computed once",
    hints=(
        "How many different row offsets are there? Make them start at 0.",
        "Number a table of 2M - 1 rows and 2M - 1 columns: row times its width, plus column.",
        "Return (dy + M - 1) * (2 * M - 1) + dx + M - 1, with dy = rows[:, None] - rows.",
    ),
)


@relative_position_index.right
def by_meshgrid(window):
    coords = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
    relative = (coords[:, :, None] - coords[:, None, :]).permute(1, 2, 0).contiguous()
    relative += window - 1
    relative[:, :, 0] *= 2 * window - 1
    return relative.sum(-1)


@relative_position_index.right
def by_loops(window):
    m, index = window, []
    for i in range(m * m):
        index.append([(i // m - j // m + m - 1) * (2 * m - 1) + i % m - j % m + m - 1 for j in range(m * m)])
    return index


@relative_position_index.right
def by_one_difference(window):
    number = [row * (2 * window - 1) + column for row in range(window) for column in range(window)]
    return np.subtract.outer(number, number) + 2 * window * (window - 1)


@relative_position_index.wrong("A row of the table has 2M - 1 entries, not M: different offsets would share one.")
def as_wide_as_the_window(window):
    rows, columns = np.divmod(np.arange(window**2), window)
    return (rows[:, None] - rows + window - 1) * window + columns[:, None] - columns + window - 1


@relative_position_index.wrong("Offsets start at -(M - 1): add M - 1 to both, or an index is negative.")
def not_moved(window):
    rows, columns = np.divmod(np.arange(window**2), window)
    return (rows[:, None] - rows) * (2 * window - 1) + columns[:, None] - columns


@relative_position_index.wrong("That is j less i: the offset is that of i, less that of j.")
def the_other_way(window):
    return index_of(window).T


@relative_position_index.wrong("The column runs fastest, not the row.")
def row_runs_fastest(window):
    rows, columns = np.divmod(np.arange(window**2), window)
    return (columns[:, None] - columns + window - 1) * (2 * window - 1) + rows[:, None] - rows + window - 1


@relative_position_index.wrong("A sum of both offsets gives (0, 1) and (1, 0) one row: multiply the row by 2M - 1.")
def plain_sum(window):
    rows, columns = np.divmod(np.arange(window**2), window)
    return rows[:, None] - rows + columns[:, None] - columns + 2 * (window - 1)


@relative_position_index.wrong("Distances lose the sign: left and right are different positions.")
def absolute(window):
    rows, columns = np.divmod(np.arange(window**2), window)
    dy, dx = abs(rows[:, None] - rows), abs(columns[:, None] - columns)
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


@relative_position_index.wrong("Move the offsets by M - 1, not by M: the smallest index is 0.")
def moved_by_one_more(window):
    return index_of(window) + 2 * window


# --- the mask --------------------------------------------------------------------------------------------------------


def mask_of(height, width, window, shift):
    """Ours: number the regions, compare the numbers within each window."""
    bands = [
        np.select([np.arange(s) >= s - shift, np.arange(s) >= s - window], [2, 1]) if shift else np.zeros(s, int)
        for s in (height, width)
    ]
    ids = cut((3 * bands[0][:, None] + bands[1])[None, :, :, None], window).reshape(-1, window**2)
    return np.where(ids[:, :, None] == ids[:, None, :], 0.0, -100.0)


@st.composite
def shifted(draw, most, windows):
    """Draw a map's sides, a window and a shift."""
    window = draw(st.sampled_from(windows))
    return draw(st.integers(1, most)) * window, draw(st.integers(1, most)) * window, window, draw(
        st.integers(0, window - 1)
    )  # fmt: skip


attention_mask = Exercise(
    id="swin/attention_mask",
    signature="attention_mask(height, width, window, shift) -> mask",
    task="A map was rolled by shift up and to the left, then cut into windows of side M = window, row by row. Return "
    "what is added to the attention logits, (windows, M^2, M^2): 0 where two tokens were in one piece before the roll, "
    "-100 where the roll has brought them together. With shift 0 nothing is masked.",
    task_zh="特征图先向上、向左各滚动 shift，再按行切成边长 M = window 的窗口。返回要加到注意力 logits 上的掩码，"
    "形状 (窗口数, M^2, M^2)：滚动前就连在一起的 token 之间为 0，滚动后才碰到一起的为 -100。shift 为 0 时全为 0。",
    reference=mask_of,
    tiers=(shifted(2, (2, 3)), shifted(3, (1, 2, 3, 4))),
    cost="O(H W M^2): a number for each pair within a window, computed once per map size",
    hints=(
        "Write a number on every token of the rolled map: the same number where they were one piece before.",
        "Along a side three bands: up to -M, from -M to -shift, from -shift on. Nine regions; cut them into windows.",
        "ids: the numbers of each window, flat; return where(ids[:, :, None] == ids[:, None, :], 0, -100).",
    ),
)


@attention_mask.right
def by_slices_of_the_map(height, width, window, shift):
    ids, number = np.zeros((height, width)), 0
    bands = (slice(0, -window), slice(-window, -shift), slice(-shift, None)) if shift else (slice(None),)
    for rows in bands:
        for columns in bands:
            ids[rows, columns] = number
            number += 1
    ids = ids.reshape(height // window, window, width // window, window).swapaxes(1, 2).reshape(-1, window**2)
    difference = ids[:, None, :] - ids[:, :, None]
    return np.where(difference != 0, -100.0, 0.0)


@attention_mask.right
def by_rolling_where_they_came_from(height, width, window, shift):
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    rolled = np.stack([np.roll(a, (-shift, -shift), (0, 1)) - a for a in (rows, columns)])  # how far each has moved
    parts = rolled.reshape(2, height // window, window, width // window, window).swapaxes(2, 3)
    parts = parts.reshape(2, -1, window**2)
    return -100.0 * (parts[:, :, :, None] != parts[:, :, None, :]).any(axis=0)


@attention_mask.right
def by_loops_over_pairs(height, width, window, shift):
    def together(a, b, side):
        return (a >= side - shift) == (b >= side - shift)

    masks, tokens = [], [(r, c) for r in range(window) for c in range(window)]
    for top in range(0, height, window):
        for left in range(0, width, window):
            masks.append(
                [
                    [
                        0 if together(top + r, top + s, height) and together(left + c, left + d, width) else -100
                        for s, d in tokens
                    ]
                    for r, c in tokens
                ]
            )
    return masks


def _masked(bands_of, height, width, window, shift, *, times=3, low=-100.0):
    rows, columns = bands_of(height), bands_of(width)
    ids = cut((times * rows[:, None] + columns)[None, :, :, None], window).reshape(-1, window**2)
    return np.where(ids[:, :, None] == ids[:, None, :], 0.0, low)


def _came_in(side, shift):
    return (np.arange(side) >= side - shift).astype(int)


@attention_mask.wrong("The sign: a large number is taken away from the logits that must vanish.")
def plus_a_hundred(height, width, window, shift):
    return -mask_of(height, width, window, shift)


@attention_mask.wrong("0 keeps and -100 forbids: here it is the other way.")
def inverted(height, width, window, shift):
    return -100.0 - mask_of(height, width, window, shift)


@attention_mask.wrong("What is added to logits must be far below 0: a mask of 0 and 1 is for products.")
def zeros_and_ones(height, width, window, shift):
    return 1 + mask_of(height, width, window, shift) / 100


@attention_mask.wrong("The map is cut at the shift given: do not assume M // 2.")
def half_a_window(height, width, window, shift):
    return mask_of(height, width, window, window // 2 if shift else 0)


@attention_mask.wrong("Rolled up and left: what came in lies in the last rows and columns, not in the first.")
def at_the_other_end(height, width, window, shift):
    return _masked(lambda s: (np.arange(s) < shift).astype(int), height, width, window, shift)


@attention_mask.wrong("Rows count too: two bands along the height, not along the width alone.")
def columns_alone(height, width, window, shift):
    return _masked(lambda s: _came_in(s, shift), height, width, window, shift, times=0)


@attention_mask.wrong("Row and column need numbers that do not meet: with a plain sum two different regions share one.")
def sums_meet(height, width, window, shift):
    return _masked(lambda s: _came_in(s, shift), height, width, window, shift, times=1)


@attention_mask.wrong("A slice from -0 is the whole axis: with shift 0 nothing is masked.")
def from_minus_zero(height, width, window, shift):
    if shift:
        return mask_of(height, width, window, shift)
    return mask_of(height, width, window, 1 if window > 1 else 0)


@attention_mask.wrong("Windows go row by row: the mask's first axis is in another order.")
def windows_by_columns(height, width, window, shift):
    mask = mask_of(height, width, window, shift).reshape(height // window, width // window, window**2, window**2)
    return mask.swapaxes(0, 1).reshape(-1, window**2, window**2)


@attention_mask.wrong("Height and width are swapped.")
def sides_of_the_mask_swapped(height, width, window, shift):
    return mask_of(width, height, window, shift)


@attention_mask.wrong("The windows along the edges hold two regions each: not the last window alone is masked.")
def last_window_alone(height, width, window, shift):
    mask = mask_of(height, width, window, shift)
    mask[:-1] = 0.0
    return mask
