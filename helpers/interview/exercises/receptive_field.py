"""Topic 11: the recurrence, the pixels of one unit, and the area that holds a share of a field."""

from itertools import accumulate
from operator import mul

import numpy as np
from hypothesis import strategies as st

from ...algorithms import receptive_field
from ...algorithms.receptive_field import Layer
from . import Exercise

# --- size and jump ---------------------------------------------------------------------------------------------------


@st.composite
def stacks(draw, depth, kernels, strides, dilations):
    """Draw three arrays of equal length: kernels, strides and dilations."""
    length = draw(depth)
    return tuple(
        np.array([draw(st.sampled_from(values)) for _ in range(length)]) for values in (kernels, strides, dilations)
    )


def counted_field(kernels, strides, dilations):
    """Ours."""
    layers = [Layer(int(k), int(s), 0, int(d)) for k, s, d in zip(kernels, strides, dilations, strict=True)]
    last = receptive_field._receptive_field(layers, 1)[-1]
    return last.size, last.jump


field_size = Exercise(
    id="receptive_field/field_size",
    signature="field_size(kernels, strides, dilations) -> size, jump",
    task="Three arrays of integers, one entry per layer in order, for one side. Return how many pixels a unit of the "
    "last layer can see, from the first to the last, and by how many pixels the fields of neighboring units differ.",
    task_zh="三个整数数组，按层的顺序每层一个值，只看一条边。返回最后一层的一个单元能看到的范围（从第一个到最后一个像素，共多少像素），"
    "以及相邻两个单元的感受野错开多少像素。",
    reference=counted_field,
    tiers=(
        stacks(st.integers(2, 3), (3, 2, 1, 5), (1, 2), (1, 2)),
        stacks(st.integers(1, 7), (1, 2, 3, 5, 7, 11), (1, 2, 3, 4, 5), (1, 2, 3, 6)),
    ),
    cost="O(L) time and O(1) memory for L layers: one pass with two running numbers, size and jump.",
    hints=(
        "Keep two numbers: the size of the field and the jump, the distance in pixels of neighboring units.",
        "A layer with window k and dilation d looks d * (k - 1) cells further; the cells lie `jump` pixels apart.",
        "size += d * (k - 1) * jump; only then jump *= s. Start with size = jump = 1.",
    ),
)


@field_size.right
def forwards(kernels, strides, dilations):
    size = jump = 1
    for k, s, d in zip(kernels, strides, dilations, strict=True):
        size += d * (k - 1) * jump  # the layer's cells lie `jump` pixels apart
        jump *= s
    return size, jump


@field_size.right
def backwards(kernels, strides, dilations):
    size = 1
    for k, s, d in reversed(list(zip(kernels, strides, dilations, strict=True))):
        size = (size - 1) * s + d * (k - 1) + 1
    return size, int(np.prod(strides))


@field_size.right
def in_one_line(kernels, strides, dilations):
    jumps = np.cumprod(np.concatenate([[1], strides]))
    return 1 + (dilations * (kernels - 1) * jumps[:-1]).sum(), jumps[-1]


@field_size.right
def by_lists(kernels, strides, dilations):
    jumps = list(accumulate([1, *strides.tolist()], mul))
    steps = [d * (k - 1) * j for k, d, j in zip(kernels.tolist(), dilations.tolist(), jumps, strict=False)]
    return [1.0 + sum(steps), float(jumps[-1])]


@field_size.right
def by_the_outermost_pixels(kernels, strides, dilations):
    first, last, jump = 0, 0, 1
    for k, s, d in zip(kernels[::-1], strides[::-1], dilations[::-1], strict=True):
        first, last, jump = first * s, last * s + d * (k - 1), jump * s
    return np.array(last - first + 1), np.array(jump)


@field_size.wrong("The layer's own stride counts for the layers after it, not for itself.")
def stride_first(kernels, strides, dilations):
    size = jump = 1
    for k, s, d in zip(kernels, strides, dilations, strict=True):
        jump *= s
        size += d * (k - 1) * jump
    return size, jump


@field_size.wrong("Strides multiply; only the last one was used.")
def last_stride(kernels, strides, dilations):
    size, before = 1, 1
    for k, s, d in zip(kernels, strides, dilations, strict=True):
        size, before = size + d * (k - 1) * before, s
    return size, int(np.prod(strides))


@field_size.wrong("Strides multiply, they do not add.")
def summed_strides(kernels, strides, dilations):
    size, jump = 1, 1
    for k, s, d in zip(kernels, strides, dilations, strict=True):
        size, jump = size + d * (k - 1) * jump, jump + s - 1
    return size, jump


@field_size.wrong("The strides are ignored in the size.")
def without_strides(kernels, strides, dilations):
    return 1 + (dilations * (kernels - 1)).sum(), int(np.prod(strides))


@field_size.wrong("The dilation is ignored: a window spans d * (k - 1) + 1 cells.")
def without_dilation(kernels, strides, dilations):
    return forwards(kernels, strides, dilations * 0 + 1)


@field_size.wrong("A window of k cells adds k - 1, not k.")
def k_each(kernels, strides, dilations):
    size = jump = 1
    for k, s, d in zip(kernels, strides, dilations, strict=True):
        size, jump = size + d * k * jump, jump * s
    return size, jump


@field_size.wrong("The field begins with the pixel itself: start at 1.")
def from_zero(kernels, strides, dilations):
    size, jump = forwards(kernels, strides, dilations)
    return size - 1, jump


@field_size.wrong("The dilated window spans d * (k - 1) + 1 cells, not d * k.")
def dilated_too_far(kernels, strides, dilations):
    size = jump = 1
    for k, s, d in zip(kernels, strides, dilations, strict=True):
        size, jump = size + (d * k - 1) * jump, jump * s
    return size, jump


@field_size.wrong("Going backwards, the stride multiplies size - 1, not size.")
def backwards_by_size(kernels, strides, dilations):
    size = 1
    for k, s, d in reversed(list(zip(kernels, strides, dilations, strict=True))):
        size = size * s + d * (k - 1)
    return size, int(np.prod(strides))


@field_size.wrong("The jump is the product of all strides, the last layer's included.")
def jump_before_the_last(kernels, strides, dilations):
    size, _ = forwards(kernels, strides, dilations)
    return size, int(np.prod(strides[:-1]))


# --- the pixels of one unit ------------------------------------------------------------------------------------------


@st.composite
def units(draw, depth, kernels, strides, paddings, highest):
    """Draw kernels, strides, paddings and a unit."""
    return *draw(stacks(depth, kernels, strides, paddings)), draw(st.integers(0, highest))


def counted_pixels(kernels, strides, paddings, unit):
    """Ours."""
    layers = [Layer(int(k), int(s), int(p)) for k, s, p in zip(kernels, strides, paddings, strict=True)]
    last = receptive_field._receptive_field(layers, 10**9)[-1]
    return last.of_unit(int(unit))


pixels_of_unit = Exercise(
    id="receptive_field/pixels_of_unit",
    signature="pixels_of_unit(kernels, strides, paddings, unit) -> first, last",
    task="Three arrays of integers, one entry per layer in order, for one side, without dilation. Return the first and "
    "the last pixel that unit number `unit` (from 0) of the last layer can see. Both may lie outside the image.",
    task_zh="三个整数数组，按层的顺序每层一个值，只看一条边，没有扩张。"
    "返回最后一层第 unit 个单元（从 0 开始）能看到的第一个和最后一个像素，两者都可能落在图像之外。",
    reference=counted_pixels,
    tiers=(
        units(st.integers(2, 3), (3, 2, 5), (1, 2), (0, 1), 3),
        units(st.integers(1, 6), (1, 2, 3, 5, 7), (1, 2, 3, 4, 5), (0, 1, 2, 3), 40),
    ),
    cost="O(L) for L layers: go back through them once, two numbers at a time.",
    hints=(
        "Ask what one layer's unit sees of the layer below, then go down.",
        "Unit u of a layer sees cells u * s - p to u * s - p + k - 1. A range from first to last: treat its two ends.",
        "From the last layer to the first: first = first * s - p and last = last * s - p + k - 1.",
    ),
)


@pixels_of_unit.right
def downwards(kernels, strides, paddings, unit):
    first = last = unit
    for k, s, p in zip(kernels[::-1], strides[::-1], paddings[::-1], strict=True):
        first, last = first * s - p, last * s - p + k - 1
    return first, last


@pixels_of_unit.right
def by_start_and_jump(kernels, strides, paddings, unit):
    size, jump, start = 1, 1, 0
    for k, s, p in zip(kernels, strides, paddings, strict=True):
        size, start, jump = size + (k - 1) * jump, start - p * jump, jump * s
    first = start + unit * jump
    return first, first + size - 1


@pixels_of_unit.right
def by_products(kernels, strides, paddings, unit):
    jumps = np.cumprod(np.r_[1, strides])
    first = unit * jumps[-1] - paddings @ jumps[:-1]
    return [first, first + (kernels - 1) @ jumps[:-1]]


@pixels_of_unit.right
def by_sets(kernels, strides, paddings, unit):
    seen = {unit}
    for k, s, p in reversed(list(zip(kernels.tolist(), strides.tolist(), paddings.tolist(), strict=True))):
        ends = min(seen) * s - p, max(seen) * s - p + k - 1
        seen = set(ends)
    return np.array([min(seen), max(seen)])


@pixels_of_unit.wrong("The padding shifts the field to the left: subtract it.")
def padding_ignored(kernels, strides, paddings, unit):
    return downwards(kernels, strides, paddings * 0, unit)


@pixels_of_unit.wrong("The padding moves the field towards smaller indices, so its sign is minus.")
def padding_added(kernels, strides, paddings, unit):
    return downwards(kernels, strides, -paddings, unit)


@pixels_of_unit.wrong("A padded cell is as wide as the jump at that layer; the paddings cannot simply be added up.")
def paddings_in_pixels(kernels, strides, paddings, unit):
    first, last = downwards(kernels, strides, paddings * 0, unit)
    return first - paddings.sum(), last - paddings.sum()


@pixels_of_unit.wrong("The last pixel is included: last = first + size - 1.")
def end_excluded(kernels, strides, paddings, unit):
    first, last = downwards(kernels, strides, paddings, unit)
    return first, last + 1


@pixels_of_unit.wrong("The field may reach into the padding: do not cut it off at 0.")
def cut_at_zero(kernels, strides, paddings, unit):
    first, last = downwards(kernels, strides, paddings, unit)
    return max(first, 0), last


@pixels_of_unit.wrong("Go from the last layer to the first; the order of the layers matters.")
def upside_down(kernels, strides, paddings, unit):
    return downwards(kernels[::-1], strides[::-1], paddings[::-1], unit)


@pixels_of_unit.wrong("Units are numbered from 0.")
def from_one(kernels, strides, paddings, unit):
    return downwards(kernels, strides, paddings, unit - 1)


@pixels_of_unit.wrong("Neighboring units are `jump` pixels apart, not one.")
def one_apart(kernels, strides, paddings, unit):
    first, last = downwards(kernels, strides, paddings, 0)
    return first + unit, last + unit


@pixels_of_unit.wrong("The field is not centered at unit * jump: strides and paddings shift its center.")
def centered(kernels, strides, paddings, unit):
    first, last = downwards(kernels, strides, paddings, 0)
    middle, half = unit * int(np.prod(strides)), (last - first) // 2
    return middle - half, middle - half + last - first


# --- the area that holds a share -------------------------------------------------------------------------------------

GRADIENTS = (0.0, 1.0, 0.5, 0.25, 2.0, 3.0, 2**-10, 0.25 + 2**-14, 100.0, 7.0)
LEVELS = (0.5, 0.75, 0.9, 0.25, 0.99, 1.0)


@st.composite
def measured(draw, rows, columns, values, shares):
    """Draw a field that is not 0 everywhere, and a share of it. Sums of these values are exact."""
    shape = draw(rows), draw(columns)
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    erf = rng.choice(values, shape, replace=shape[0] * shape[1] > len(values) or draw(st.booleans()))
    if erf.max() == 0:
        erf[0, -1] = 1.0
    return erf, draw(st.sampled_from(shares))


area_holding = Exercise(
    id="receptive_field/area_holding",
    signature="area_holding(erf, share) -> pixels",
    task="erf (H, W) holds how much each pixel counts, 0 or more, not all 0. Return the smallest number of pixels that "
    "together hold at least `share` (above 0, at most 1) of the total.",
    task_zh="erf (H, W) 是每个像素的贡献，非负且不全为 0。"
    "返回最少需要多少个像素，其贡献之和才能达到总和的 share（大于 0，不超过 1）。",
    reference=receptive_field.area_holding,
    tiers=(
        measured(st.integers(2, 3), st.integers(2, 3), GRADIENTS[:5], (0.5, 0.75, 0.25, 1.0)),
        measured(st.integers(1, 6), st.integers(1, 6), GRADIENTS, LEVELS),
    ),
    cost="O(n log n) for n pixels: the sort. A selection could do it in O(n).",
    hints=(
        "Which pixels would you take first?",
        "Sort in falling order and add up: the sums tell what the first 1, 2, 3, ... pixels hold.",
        "held = np.sort(erf.ravel())[::-1].cumsum(); the answer is the first place with held >= share * total, plus 1.",
    ),
    narrow={"erf": "negative: a contribution is at least 0"},
)


@area_holding.right
def by_cumsum(erf, share):
    held = np.sort(erf.ravel())[::-1].cumsum()
    return int((held < share * held[-1] * (1 - 1e-12)).sum()) + 1


@area_holding.right
def by_search(erf, share):
    held = np.cumsum(-np.sort(-erf, axis=None))
    return np.searchsorted(held, share * erf.sum() - 1e-12) + 1


@area_holding.right
def one_at_a_time(erf, share):
    wanted, held = share * erf.sum(), 0.0
    strongest = sorted(erf.ravel().tolist())
    while held < wanted * (1 - 1e-12):
        held += strongest.pop()
    return float(erf.size - len(strongest))


@area_holding.right
def by_what_is_left(erf, share):
    total = erf.sum()
    rest = np.cumsum(np.sort(erf.ravel()))  # what the weakest pixels hold
    return np.array(erf.size - (rest <= (1 - share) * total + 1e-12 * total).sum())


@area_holding.wrong("Take the strongest pixels first: sort in falling order.")
def weakest_first(erf, share):
    held = np.sort(erf.ravel()).cumsum()
    return int((held < share * held[-1]).sum()) + 1


@area_holding.wrong("Sort first; in reading order the count is not the smallest.")
def unsorted(erf, share):
    held = erf.ravel().cumsum()
    return int((held < share * held[-1]).sum()) + 1


@area_holding.wrong("The pixel that reaches the share counts too: one more.")
def one_short(erf, share):
    return by_cumsum(erf, share) - 1


@area_holding.wrong("At least the share: a sum that equals it is enough.")
def more_than(erf, share):
    held = np.sort(erf.ravel())[::-1].cumsum()
    return min(int((held <= share * held[-1]).sum()) + 1, erf.size)


@area_holding.wrong("That counts pixels above a share of the maximum; asked for is a share of the sum.")
def of_the_maximum(erf, share):
    return max(int((erf >= (1 - share) * erf.max()).sum()), 1)


@area_holding.wrong("That is a quantile of the pixels; the share is one of their sum.")
def of_the_pixels(erf, share):
    return int(np.ceil(share * erf.size))


@area_holding.wrong("The share is one of the total: multiply by the sum, or scale the field to sum 1.")
def not_scaled(erf, share):
    held = np.sort(erf.ravel())[::-1].cumsum()
    return min(int((held < share).sum()) + 1, erf.size)


@area_holding.wrong("The answer is a number of pixels, not a share of the area.")
def as_a_share(erf, share):
    return by_cumsum(erf, share) / erf.size


@area_holding.wrong("Do not round the contributions: small ones add up.")
def rounded(erf, share):
    return by_cumsum(np.round(erf, 1) if np.round(erf, 1).max() > 0 else erf, share)
