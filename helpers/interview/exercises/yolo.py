"""Topic 22: decode version 3's output, assign anchors, and average precision."""

import numpy as np
from hypothesis import strategies as st

from ...algorithms import yolo
from . import Exercise, arrays

# --- decode ----------------------------------------------------------------------------------------------------------


def reference_decode(t, anchors, stride):
    """Boxes of every cell and anchor, kept in the shape of the grid."""
    t = np.asarray(t, dtype=float)
    output = np.concatenate([t, np.zeros((*t.shape[:3], 1))], axis=-1)
    return yolo.decode_v3(output, anchors, int(stride))[0].reshape(t.shape)


def outputs(rows, columns, per_cell, values, sizes, strides):
    """Draw raw outputs, as many anchors as they have, and a stride."""
    return st.tuples(rows, columns, per_cell).flatmap(
        lambda shape: st.tuples(arrays((*shape, 4), values), arrays((shape[2], 2), sizes), st.sampled_from(strides))
    )


side = st.integers
RAW = (0.0, 1.0, -1.0, 0.25, 0.25 + 2**-14, -0.375, 2.0, -3.0, 2**-10, -100.0)

decode = Exercise(
    id="yolo/decode",
    signature="decode(t, anchors, stride) -> boxes",
    task="Decode one scale of YOLOv3. t, (rows, columns, anchors, 4), holds tx, ty, tw, th; anchors, (anchors, 2), "
    "widths and heights in pixels. Return x1, y1, x2, y2 in pixels, in the shape of t.",
    task_zh="解码 YOLOv3 的一个尺度。t 形状为 (rows, columns, anchors, 4)，存放 tx, ty, tw, th；"
    "anchors 形状为 (anchors, 2)，是以像素计的宽和高。返回像素坐标 x1, y1, x2, y2，形状与 t 相同。",
    reference=reference_decode,
    tiers=(
        outputs(side(2, 3), side(2, 3), side(1, 2), (0.0, 1.0, -1.0), (8.0, 16.0), (8, 16)),
        outputs(
            side(1, 4),
            side(1, 4),
            side(1, 3),
            RAW,
            (0.5, 2**-10, 10.0, 10.0 + 2**-12, 13.0, 33.0, 373.0),
            (1, 8, 16, 32),
        ),
    ),
    narrow={"anchors": "sizes1 one1 negative zero: a width and a height, above 0", "t": "sizes3 one3: four numbers"},
    cost="O(n): a few operations for each output",
    hints=(
        "Where is the center? The sigmoid keeps it in its cell; the cell's column and row are added.",
        "x = (column + sigmoid(tx)) stride, y with the row; width = anchor's width times exp(tw), in pixels already.",
        "cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1)[:, :, None]; "
        "center = (cells + sigmoid(t[..., :2])) * stride; size = anchors * np.exp(t[..., 2:]); "
        "np.concatenate([center - size / 2, center + size / 2], -1).",
    ),
)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def pieces(t, anchors, stride):
    """Center and size."""
    cells = np.stack(np.meshgrid(np.arange(t.shape[1]), np.arange(t.shape[0])), axis=-1)[:, :, None]
    return (cells + logistic(t[..., :2])) * stride, anchors * np.exp(t[..., 2:])


def corners(center, size):
    return np.concatenate([center - size / 2, center + size / 2], axis=-1)


@decode.right
def with_meshgrid(t, anchors, stride):
    rows, columns = t.shape[:2]
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]
    center = (cells + 1 / (1 + np.exp(-t[..., :2]))) * stride
    size = anchors * np.exp(t[..., 2:])
    return np.concatenate([center - size / 2, center + size / 2], axis=-1)


@decode.right
def cell_by_cell(t, anchors, stride):
    boxes = np.zeros(t.shape)
    for row, column, a in np.ndindex(t.shape[:3]):
        tx, ty, tw, th = t[row, column, a]
        x, y = (column + logistic(tx)) * stride, (row + logistic(ty)) * stride
        w, h = anchors[a, 0] * np.exp(tw), anchors[a, 1] * np.exp(th)
        boxes[row, column, a] = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    return boxes.tolist()


@decode.right
def each_number_by_itself(t, anchors, stride):
    row, column = np.indices(t.shape[:2])[..., None]
    x, y = stride * (logistic(t[..., 0]) + column), stride * (logistic(t[..., 1]) + row)
    w, h = (np.exp(t[..., 2:]) * anchors).transpose(3, 0, 1, 2)
    return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=3)


@decode.wrong("tx and ty pass through a sigmoid, so that the center stays in its cell.")
def no_sigmoid(t, anchors, stride):
    center, size = pieces(t, anchors, stride)
    return corners(center + (t[..., :2] - logistic(t[..., :2])) * stride, size)


@decode.wrong("Columns count x, rows count y. Here they are swapped: a grid that is not square shows it.")
def grid_swapped(t, anchors, stride):
    rows, columns = np.indices(t.shape[:2])
    center = (np.stack([rows, columns], axis=-1)[:, :, None] + logistic(t[..., :2])) * stride
    return corners(center, pieces(t, anchors, stride)[1])


@decode.wrong("An anchor is width, then height. Here they are swapped.")
def anchors_swapped(t, anchors, stride):
    return with_meshgrid(t, anchors[:, ::-1], stride)


@decode.wrong("The center counts cells: multiply by the stride to get pixels.")
def no_stride(t, anchors, stride):
    return with_meshgrid(t, anchors, 1)


@decode.wrong("The anchors are in pixels already: the stride belongs to the center alone.")
def stride_on_the_size(t, anchors, stride):
    center, size = pieces(t, anchors, stride)
    return corners(center, size * stride)


@decode.wrong("Width and height are the anchor's times exp(tw), exp(th), without a sigmoid.")
def no_exponential(t, anchors, stride):
    return corners(pieces(t, anchors, stride)[0], anchors * logistic(t[..., 2:]))


@decode.wrong("The stride multiplies cell and offset together. Here the offset is added in pixels.")
def offset_without_stride(t, anchors, stride):
    center, size = pieces(t, anchors, stride)
    return corners(center - logistic(t[..., :2]) * (stride - 1), size)


@decode.wrong("x1, y1, x2, y2 are asked for; this is center and size.")
def center_and_size(t, anchors, stride):
    return np.concatenate(pieces(t, anchors, stride), axis=-1)


@decode.wrong("Half of the size lies on each side of the center. Here the center is taken for the corner.")
def center_as_corner(t, anchors, stride):
    center, size = pieces(t, anchors, stride)
    return np.concatenate([center, center + size], axis=-1)


@decode.wrong("(2 sigmoid)^2 for the size is YOLOv5's rule. YOLOv3 has exp.")
def of_version_5(t, anchors, stride):
    center, _ = pieces(t, anchors, stride)
    return corners(center + (logistic(t[..., :2]) - 0.5) * stride, anchors * (2 * logistic(t[..., 2:])) ** 2)


# --- anchors ---------------------------------------------------------------------------------------------------------

SIZES = (0.5, 1.0, 2.0, 2.0 + 2**-12, 3.0, 10.0, 2**-10, 100.0, 373.0)

assign_anchors = Exercise(
    id="yolo/assign_anchors",
    signature="assign_anchors(sizes, anchors) -> index",
    task="Return for each row of sizes (width, height) the index of the anchor of highest IoU, both boxes centered at "
    "one point. Of several that are equal, the first.",
    task_zh="对 sizes 的每一行（宽、高），返回中心重合时 IoU 最高的 anchor 的下标。并列时取第一个。",
    reference=yolo.assign_anchors,
    tiers=(
        st.tuples(arrays(st.tuples(side(2, 3), st.just(2)), (1.0, 2.0, 4.0)),
                  arrays(st.tuples(side(2, 3), st.just(2)), (1.0, 2.0, 4.0))),
        st.tuples(arrays(st.tuples(side(1, 5), st.just(2)), SIZES), arrays(st.tuples(side(1, 6), st.just(2)), SIZES)),
        st.tuples(st.just(np.array([[40.0, 40.0], [3.0, 5.0]])),
                  arrays(st.tuples(side(10, 14), st.just(2)), (1.0, 2.0, 3.0, 40.0))),
    ),
    narrow={name: "sizes1 one1 negative zero: a width and a height, above 0" for name in ("sizes", "anchors")},
    cost="O(n m) for n sizes and m anchors",
    hints=(
        "Place is of no matter: only the shapes are compared. What do two centered boxes share?",
        "They share the smaller width times the smaller height; the union is the sum of the areas less that.",
        "shared = np.minimum(sizes[:, None], anchors).prod(-1); union = sizes.prod(1)[:, None] + anchors.prod(1) - "
        "shared; (shared / union).argmax(1).",
    ),
)  # fmt: skip


def shape_iou(sizes, anchors):
    shared = np.minimum(sizes[:, None], anchors).prod(axis=2)
    return shared / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared)


@assign_anchors.right
def by_shape(sizes, anchors):
    shared = np.minimum(sizes[:, None], anchors).prod(axis=2)
    union = sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared
    return (shared / union).argmax(axis=1)


@assign_anchors.right
def by_loops(sizes, anchors):
    best = []
    for w, h in sizes:
        overlaps = []
        for p, q in anchors:
            both = min(w, p) * min(h, q)
            overlaps.append(both / (w * h + p * q - both))
        best.append(overlaps.index(max(overlaps)))
    return best


@assign_anchors.wrong("The Euclidean distance punishes large boxes: 10 px are little for 300 and much for 20. Use IoU.")
def euclidean(sizes, anchors):
    return ((sizes[:, None] - anchors) ** 2).sum(axis=2).argmin(axis=1)


@assign_anchors.wrong("The shared area alone prefers the largest anchor. Divide by the union.")
def shared_alone(sizes, anchors):
    return np.minimum(sizes[:, None], anchors).prod(axis=2).argmax(axis=1)


@assign_anchors.wrong("Equal areas can be of different shape: compare widths and heights.")
def nearest_area(sizes, anchors):
    return np.abs(sizes.prod(axis=1)[:, None] - anchors.prod(axis=1)).argmin(axis=1)


@assign_anchors.wrong("Size counts too: anchors of one aspect ratio differ in size.")
def nearest_ratio(sizes, anchors):
    return np.abs((sizes[:, :1] / sizes[:, 1:]) - (anchors[:, 0] / anchors[:, 1])).argmin(axis=1)


@assign_anchors.wrong("One index for each size: the maximum runs over the anchors.")
def wrong_axis(sizes, anchors):
    return shape_iou(sizes, anchors).argmax(axis=0)


@assign_anchors.wrong("The sum of the areas counts the overlap twice. Here the whole is the larger area alone.")
def over_the_larger(sizes, anchors):
    shared = np.minimum(sizes[:, None], anchors).prod(axis=2)
    return (shared / np.maximum(sizes.prod(axis=1)[:, None], anchors.prod(axis=1))).argmax(axis=1)


@assign_anchors.wrong("Of anchors that fit equally the first is asked for.")
def last_of_equals(sizes, anchors):
    return len(anchors) - 1 - shape_iou(sizes, anchors[::-1]).argmax(axis=1)


@assign_anchors.wrong("There may be more anchors than YOLOv3's nine: look at all of them.")
def nine_alone(sizes, anchors):
    return by_shape(sizes, anchors[:9])


@assign_anchors.wrong("The anchor's width and height are swapped.")
def swapped(sizes, anchors):
    return by_shape(sizes, anchors[:, ::-1])


# --- average precision -----------------------------------------------------------------------------------------------

TRUTHS = 1, 2, 3, 4, 6, 7, 8, 12  # none of them has a recall that rounding could move across k / 10 or k / 100


def ranked(most, scores, truths):
    """Draw scores, what each detection matches, the number of objects and the definition."""
    return st.tuples(st.sampled_from(truths), st.integers(0, most)).flatmap(
        lambda drawn: st.tuples(
            arrays(drawn[1], scores),
            st.lists(st.integers(-1, drawn[0] - 1), min_size=drawn[1], max_size=drawn[1]).map(
                lambda rows: np.array(rows, dtype=np.int64)
            ),
            st.just(drawn[0]),
            st.sampled_from([0, 11, 101]),
        )
    )


average_precision = Exercise(
    id="yolo/average_precision",
    signature="average_precision(scores, matches, num_truths, points) -> ap",
    task="matches[i] is the object that detection i overlaps enough, or -1. Of several on one object the best score is "
    "true, the others false; equal scores rank in the order given. Precision at recall r is the highest at any recall "
    ">= r (0 if not reached). Return its area over recall (points 0) or its mean at points (11, 101) recalls evenly "
    "from 0 to 1; NaN if num_truths is 0.",
    task_zh="matches[i] 是检测 i 重叠足够的目标编号，没有则为 -1。多个检测对应同一目标时，只有分数最高的算对，"
    "其余都算误检；分数相同按给出的顺序。召回率 r 处的精确率取召回率 >= r 的最大值（达不到则为 0）。"
    "points 为 0 时返回它对召回率的面积；为 11 或 101 时，返回在 0 到 1 等距这么多个召回率处的平均；"
    "num_truths 为 0 时返回 NaN。",
    reference=yolo.average_precision,
    tiers=(
        ranked(5, (0.5, 0.75, 0.25), (2, 3, 4)),
        ranked(12, (0.0, 0.5, 0.75, 0.75 + 2**-14, -1.0, 2**-10, 100.0, 0.25), (*TRUTHS, 0)),
        ranked(20, tuple(n / 32 for n in range(32)), (3, 4, 7, 8, 12)),
    ),
    forbidden=["sklearn.metrics"],
    cost="O(n log n): the sort",
    hints=(
        "Sort by score, mark the first detection of each object, count along: precision and recall after each.",
        "Make precision monotone from the right: np.maximum.accumulate(precision[::-1])[::-1]. The area has steps.",
        "hit = first of its object and not -1; tp = hit.cumsum(); best as above; area: best[hit].sum() / num_truths; "
        "points: at each r the first best with tp / num_truths >= r, or 0; then the mean.",
    ),
)


def curve(scores, matches, num_truths):
    order = np.argsort(-scores, kind="stable")
    seen, hit = set(), []
    for match in matches[order].tolist():
        hit.append(match >= 0 and match not in seen)
        seen.add(match)
    hit = np.array(hit, dtype=bool)
    tp = hit.cumsum()
    return hit, tp / np.arange(1, len(hit) + 1), tp / max(num_truths, 1)


def averaged(hit, precision, recall, num_truths, points, count=None):
    """From a curve made monotone to its average."""
    if num_truths == 0:
        return np.nan
    if points == 0:
        return precision[hit].sum() / num_truths
    levels = np.linspace(0, 1, points)
    return sum(precision[recall >= r - 1e-12].max(initial=0) for r in levels) / (count or points)


def monotone(precision):
    return np.maximum.accumulate(precision[::-1])[::-1]


@average_precision.right
def from_the_right(scores, matches, num_truths, points):
    if num_truths == 0:
        return float("nan")
    hit, seen = [], set()
    for i in np.argsort(-scores, kind="stable"):
        hit.append(matches[i] >= 0 and matches[i] not in seen)
        seen.add(matches[i])
    hit = np.array(hit, dtype=bool)
    tp = hit.cumsum()
    precision = np.maximum.accumulate((tp / np.arange(1, len(hit) + 1))[::-1])[::-1]
    if points == 0:
        return precision[hit].sum() / num_truths
    at = np.searchsorted(tp / num_truths, np.linspace(0, 1, points))
    return np.append(precision, 0)[at].mean()


@average_precision.right
def by_maxima(scores, matches, num_truths, points):
    if not num_truths:
        return np.float32("nan")
    ranks, found, pairs = sorted(range(len(scores)), key=lambda i: -scores[i]), set(), []
    for n, i in enumerate(ranks, 1):
        found |= {int(matches[i])} - {-1}
        pairs.append((len(found) / num_truths, len(found) / n))
    levels = (
        [k / num_truths for k in range(1, num_truths + 1)] if points == 0 else [k / (points - 1) for k in range(points)]
    )
    return sum(max([p for r, p in pairs if r >= level - 1e-9], default=0) for level in levels) / len(levels)


@average_precision.wrong("Precision is made monotone first: the highest at this recall or beyond.")
def not_monotone(scores, matches, num_truths, points):
    hit, precision, recall = curve(scores, matches, num_truths)
    if points and num_truths and len(hit):
        at = np.searchsorted(recall, np.linspace(0, 1, points) - 1e-12)
        return np.append(precision, 0)[at].mean()
    return averaged(hit, precision, recall, num_truths, points)


@average_precision.wrong("Only the best detection of an object is true. The others on it are false.")
def duplicates_are_true(scores, matches, num_truths, points):
    order = np.argsort(-scores, kind="stable")
    hit = matches[order] >= 0
    tp = hit.cumsum()
    precision = monotone(tp / np.arange(1, len(hit) + 1))
    return averaged(hit, precision, tp / max(num_truths, 1), num_truths, points)


@average_precision.wrong("A second detection of an object is a false one. Here it is left out of the count.")
def duplicates_ignored(scores, matches, num_truths, points):
    order = np.argsort(-scores, kind="stable")
    hit, _, _ = curve(scores, matches, num_truths)
    keep = hit | (matches[order] < 0)
    hit = hit[keep]
    tp = hit.cumsum()
    precision = monotone(tp / np.arange(1, len(hit) + 1))
    return averaged(hit, precision, tp / max(num_truths, 1), num_truths, points)


@average_precision.wrong("Sort by score first, the best one on top.")
def not_sorted(scores, matches, num_truths, points):
    return from_the_right(np.zeros(len(scores)), matches, num_truths, points)


@average_precision.wrong("The best score comes first. Here the lowest does.")
def lowest_first(scores, matches, num_truths, points):
    return from_the_right(-scores, matches, num_truths, points)


@average_precision.wrong("Equal scores rank in the order given: sort with kind='stable' on -scores, do not reverse.")
def ties_reversed(scores, matches, num_truths, points):
    return from_the_right(scores[::-1], matches[::-1], num_truths, points)


@average_precision.wrong("Recall counts all objects, those that nobody found too.")
def recall_over_the_found(scores, matches, num_truths, points):
    found = len(set(matches.tolist()) - {-1})
    if num_truths and not found:
        return 0.0
    return from_the_right(scores, matches, found, points)


@average_precision.wrong(
    "Without objects recall is undefined: return NaN, so that the mean over classes leaves it out."
)
def zero_without_objects(scores, matches, num_truths, points):
    return from_the_right(scores, matches, num_truths, points) if num_truths else 0.0


@average_precision.wrong(
    "Make precision monotone, then sum steps. Trapezoids under the measured curve are another number."
)
def trapezoids(scores, matches, num_truths, points):
    hit, precision, recall = curve(scores, matches, num_truths)
    if points or not num_truths or not len(hit):
        return from_the_right(scores, matches, num_truths, points)
    y, x = np.r_[1, precision], np.r_[0, recall]
    return ((y[1:] + y[:-1]) / 2 * np.diff(x)).sum()


@average_precision.wrong("The recalls run from 0 to 1 with both ends: 11 of them, not 10.")
def without_recall_0(scores, matches, num_truths, points):
    hit, precision, recall = curve(scores, matches, num_truths)
    if not points:
        return averaged(hit, monotone(precision), recall, num_truths, points)
    if not num_truths:
        return np.nan
    levels = np.linspace(0, 1, points)[1:]
    return np.mean([monotone(precision)[recall >= r - 1e-12].max(initial=0) for r in levels])


@average_precision.wrong("The number of points is an argument: 0 means the area, 11 and 101 a mean.")
def always_the_area(scores, matches, num_truths, points):
    return from_the_right(scores, matches, num_truths, 0)


@average_precision.wrong("Precision at recall r looks at recalls of r and more. Here only at more.")
def strictly_beyond(scores, matches, num_truths, points):
    hit, precision, recall = curve(scores, matches, num_truths)
    if not points or not num_truths:
        return averaged(hit, monotone(precision), recall, num_truths, points)
    return np.mean([precision[recall > r + 1e-12].max(initial=0) for r in np.linspace(0, 1, points)])
