"""Topic 22: boxes out of a grid, which detections are right, and the average precision."""

import numpy as np
import torch
from hypothesis import strategies as st

from . import Exercise, arrays

# --- boxes out of a grid ---------------------------------------------------------------------------------------------


@st.composite
def grids(draw, values, most, strides):
    """Draw raw numbers of a grid, anchors and a stride."""
    height, width, several = (draw(st.integers(1, most)) for _ in range(3))
    anchors = draw(arrays((several, 2), (1.0, 2.0, 10.0, 13.5, 30.0, 116.0)))
    return draw(arrays((height, width, several, 4), values)), anchors, draw(st.sampled_from(strides))


def boxes_of(output, anchors, stride):
    """Ours: sigmoid into the cell, exp times the anchor, corners."""
    height, width = output.shape[:2]
    if len(anchors) != output.shape[2]:
        raise ValueError("one anchor for each box of a cell")
    columns, rows = torch.arange(width)[None, :, None], torch.arange(height)[:, None, None]
    x = (output[..., 0].sigmoid() + columns) * stride
    y = (output[..., 1].sigmoid() + rows) * stride
    w, h = anchors[:, 0] * output[..., 2].exp(), anchors[:, 1] * output[..., 3].exp()
    return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=3)


decode = Exercise(
    id="yolo/decode",
    signature="decode(output, anchors, stride) -> boxes",
    task="The boxes of one grid of YOLOv3. output is (H, W, A, 4) with tx, ty, tw, th, indexed by row and column; "
    "anchors (A, 2) are widths and heights in pixels, stride is pixels per cell. The center is sigmoid(t) into its "
    "cell, the size the anchor times exp(t). Return (H, W, A, 4): x1, y1, x2, y2 in pixels; the gradient is compared.",
    task_zh="求 YOLOv3 一个网格的预测框。output 形状 (H, W, A, 4)，存 tx、ty、tw、th，先行后列；"
    "anchors (A, 2) 是以像素计的宽和高，stride 是每格的像素数。中心是格子左上角加 sigmoid(t)，宽高是锚框乘 exp(t)。"
    "返回 (H, W, A, 4)：x1、y1、x2、y2，单位像素；还会比较梯度。",
    reference=boxes_of,
    tiers=(
        grids((0.0, 1.0, -1.0, 2.0), 3, (8.0, 16.0)),
        grids((0.0, 1.0, -1.0, 0.25, 0.25 + 2**-14, -0.375, -3.0, 2**-10, 5.0), 4, (1.0, 8.0, 16.0, 32.0, 0.5)),
    ),
    tensors=True,
    gradient=("output",),
    narrow={
        "output": "large one3 sizes3: four numbers a box, and exp of 100 is no box",
        "anchors": "near negative one1 sizes1 small zero: widths and heights in pixels",
    },
    cost="O(H W A): a few operations for each box",
    hints=(
        "Which axis is x? The column, and it comes second in output and first in a box.",
        "x = (sigmoid(tx) + column) * stride; w = anchor width * exp(tw): anchors are in pixels already.",
        "Return stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=3), columns arange(W)[None, :, None].",
    ),
)


@decode.right
def on_a_whiteboard(output, anchors, stride):
    h, w = output.shape[:2]
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    center = (torch.sigmoid(output[..., :2]) + torch.stack([columns, rows], dim=-1)[:, :, None]) * stride
    size = anchors * torch.exp(output[..., 2:])
    return torch.cat([center - size / 2, center + size / 2], dim=-1)


@decode.right
def cell_by_cell(output, anchors, stride):
    boxes = torch.empty_like(output)
    for i in range(output.shape[0]):
        for j in range(output.shape[1]):
            for k, (w, h) in enumerate(anchors):
                tx, ty, tw, th = output[i, j, k]
                x, y = (j + 1 / (1 + torch.exp(-tx))) * stride, (i + 1 / (1 + torch.exp(-ty))) * stride
                half = torch.stack([w * tw.exp(), h * th.exp()]) / 2
                boxes[i, j, k] = torch.cat([torch.stack([x, y]) - half, torch.stack([x, y]) + half])
    return boxes


def _decoded(output, anchors, stride, *, squash=torch.sigmoid, grow=torch.exp, offset=None, unit=None, pairs=None):
    h, w = output.shape[:2]
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    offset = torch.stack([columns, rows], dim=2) if offset is None else offset(rows, columns)
    center = (squash(output[..., :2]) + offset[:, :, None]) * stride
    size = (anchors if pairs is None else pairs(anchors)) * grow(output[..., 2:]) * (1 if unit is None else unit)
    return torch.cat([center - size / 2, center + size / 2], dim=3)


@decode.wrong("The center stays in its cell: the sigmoid is missing.")
def no_sigmoid(output, anchors, stride):
    return _decoded(output, anchors, stride, squash=lambda t: t)


@decode.wrong("Sizes are the anchor times exp(t): the exp is missing.")
def no_exp(output, anchors, stride):
    return _decoded(output, anchors, stride, grow=lambda t: t)


@decode.wrong("x is the column and y the row: here they are swapped.")
def x_from_rows(output, anchors, stride):
    return _decoded(output, anchors, stride, offset=lambda rows, columns: torch.stack([rows, columns], dim=2))


@decode.wrong("Anchors are (width, height): here they are swapped.")
def anchors_swapped(output, anchors, stride):
    return _decoded(output, anchors, stride, pairs=lambda a: a.flip(1))


@decode.wrong("The center counts cells: multiply it by the stride.")
def stride_missing(output, anchors, stride):
    return _decoded(output, anchors, 1)


@decode.wrong("Anchors are in pixels: they are not multiplied by the stride.")
def anchors_in_cells(output, anchors, stride):
    return _decoded(output, anchors, stride, unit=stride)


@decode.wrong("These are center and size: return the two corners.")
def center_and_size(output, anchors, stride):
    boxes = boxes_of(output, anchors, stride)
    return torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], dim=3)


@decode.wrong("Half of the size lies on each side of the center.")
def whole_size_on_each_side(output, anchors, stride):
    return _decoded(output, anchors, stride, unit=2)


@decode.wrong("Add the cell's corner, not its middle.")
def from_the_middle(output, anchors, stride):
    return _decoded(output, anchors, stride) + 0.5 * stride


@decode.wrong("That is v5's formula, 2 sigmoid(t) - 0.5; v3 has sigmoid(t).")
def center_of_version_five(output, anchors, stride):
    return _decoded(output, anchors, stride, squash=lambda t: 2 * t.sigmoid() - 0.5)


@decode.wrong("That is v5's size, (2 sigmoid(t)) squared; v3 has exp(t).")
def size_of_version_five(output, anchors, stride):
    return _decoded(output, anchors, stride, grow=lambda t: (2 * t.sigmoid()) ** 2)


@decode.wrong("The value is right, but sizes must learn too: the exp is detached.")
def exp_detached(output, anchors, stride):
    return _decoded(output, anchors, stride, grow=lambda t: t.exp().detach())


# --- which detections are right --------------------------------------------------------------------------------------


@st.composite
def overlaps(draw, most):
    """Draw the IoUs of detections and objects, scores with ties, and a threshold."""
    n, m = draw(st.integers(1, most)), draw(st.integers(1, most))
    iou = draw(arrays((n, m), (0.0, 0.25, 0.5, 0.5 - 2**-12, 0.75, 0.005, 1.0)))
    scores = draw(arrays(n, (0.1, 0.2, 0.5, 0.5 + 2**-12, 0.9, 0.0, 0.002, 1.0)))
    return iou, scores, draw(st.sampled_from([0.5, 0.75, 0.25]))


def greedy(iou, scores, threshold):
    """Ours: in order of score, the best object that is still free."""
    iou, right = iou.copy(), np.zeros(len(scores), dtype=bool)
    for n in np.argsort(-scores, kind="stable"):
        best = iou[n].argmax()
        if iou[n, best] >= threshold:
            right[n], iou[:, best] = True, -1
    return right


match = Exercise(
    id="yolo/match",
    signature="match(iou, scores, threshold) -> right",
    task="iou (n, m) holds the IoU of n detections with m objects. From the best score on (equal scores in the order "
    "given), each detection takes the object with the highest IoU among those that are still free (the first of equal "
    "ones), if that IoU is at least threshold. Return for each detection, in the order given, whether it took one.",
    task_zh="iou (n, m) 是 n 个检测框和 m 个目标的 IoU。按分数从高到低（同分按给定顺序），"
    "每个检测在还没被占用的目标里，取 IoU "
    "最大的那个（相等取第一个），IoU 不小于 threshold 就占用它。按原顺序返回每个检测是否占到目标。",
    reference=greedy,
    tiers=(overlaps(3), overlaps(6)),
    narrow={"iou": "large negative: from 0 to 1", "scores": "large negative: from 0 to 1"},
    cost="O(n log n + n m): the sort, then one look at all objects for each detection",
    hints=(
        "Who chooses first? And what happens to an object that has been chosen?",
        "Go through argsort(-scores, stable); look among free objects alone; a second hit on one object is wrong.",
        "After a hit set iou[:, best] = -1 in a copy, so that nobody takes this object again.",
    ),
)


@match.right
def with_a_set(iou, scores, threshold):
    free, right = set(range(iou.shape[1])), [False] * len(scores)
    for n in sorted(range(len(scores)), key=lambda n: -scores[n]):
        best = max(sorted(free), key=lambda k: iou[n, k], default=None)
        if best is not None and iou[n, best] >= threshold:
            free.remove(best)
            right[n] = True
    return right


@match.right
def masked(iou, scores, threshold):
    taken, right = np.zeros(iou.shape[1], bool), np.zeros(len(iou), bool)
    for n in np.lexsort((np.arange(len(scores)), -scores)):
        row = np.where(taken, -np.inf, iou[n])
        right[n] = row.max() >= threshold
        taken[row.argmax()] |= right[n]
    return right


@match.wrong("Each object is found once: a second detection of it is wrong.")
def again_and_again(iou, scores, threshold):
    return iou.max(axis=1) >= threshold


@match.wrong("The surest detection chooses first, whatever the order in which they come.")
def in_the_order_given(iou, scores, threshold):
    return greedy(iou, np.zeros(len(scores)), threshold)


@match.wrong("From the highest score down, not up.")
def from_the_lowest(iou, scores, threshold):
    return greedy(iou, -scores, threshold)


@match.wrong("An IoU equal to the threshold is enough.")
def strictly_above(iou, scores, threshold):
    return greedy(np.where(iou == threshold, 0.0, iou), scores, threshold)


@match.wrong("The threshold is an argument: do not assume 0.5.")
def always_a_half(iou, scores, threshold):
    return greedy(iou, scores, 0.5)


@match.wrong("In the order given: these are in the order of the scores.")
def sorted_result(iou, scores, threshold):
    return greedy(iou, scores, threshold)[np.argsort(-scores, kind="stable")]


@match.wrong("A detection takes the best *free* object: one whose favorite is taken may still have another.")
def favorite_or_nothing(iou, scores, threshold):
    taken, right = set(), np.zeros(len(scores), dtype=bool)
    for n in np.argsort(-scores, kind="stable"):
        best = int(iou[n].argmax())
        if iou[n, best] >= threshold and best not in taken:
            taken.add(best)
            right[n] = True
    return right


@match.wrong("The best object, not the first one above the threshold.")
def first_above(iou, scores, threshold):
    iou, right = iou.copy(), np.zeros(len(scores), dtype=bool)
    for n in np.argsort(-scores, kind="stable"):
        hits = np.flatnonzero(iou[n] >= threshold)
        if len(hits):
            right[n], iou[:, hits[0]] = True, -1
    return right


@match.wrong("A sort that is not stable changes the order of equal scores.")
def ties_reversed(iou, scores, threshold):
    order, iou, right = np.lexsort((-np.arange(len(scores)), -scores)), iou.copy(), np.zeros(len(scores), dtype=bool)
    for n in order:
        best = iou[n].argmax()
        if iou[n, best] >= threshold:
            right[n], iou[:, best] = True, -1
    return right


# --- average precision -----------------------------------------------------------------------------------------------


@st.composite
def detections(draw, most):
    """Draw scores, which detections are right, and the number of objects, at least as many as are right."""
    n = draw(st.integers(1, most))
    scores = draw(arrays(n, (0.1, 0.2, 0.5, 0.5 + 2**-12, 0.9, 0.0, 0.002, 1.0, 0.75, 0.3)))
    right = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    return scores, right, max(int(right.sum()) + draw(st.integers(0, 3)), 1)


def area(scores, right, objects):
    """Ours: precision made monotone, then the sum of recall steps times precision."""
    if len(scores) != len(right):
        raise ValueError("scores and right must have the same length")
    found = right[np.argsort(-scores, kind="stable")].cumsum()
    precision = found / np.arange(1, len(found) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return (np.diff(found, prepend=0) * best).sum() / objects


average_precision = Exercise(
    id="yolo/average_precision",
    signature="average_precision(scores, right, objects) -> ap",
    task="The average precision of a detector: the area under precision over recall, where precision at a recall is "
    "the highest at this recall or a later one. right is 1 for right detections and 0 for others, objects how many "
    "there are to find. Equal scores are taken in the order given.",
    task_zh="求检测器的平均精度 AP：精确率-召回率曲线下的面积，某个召回率处的精确率取该处及之后的最大值。"
    "right 里 1 表示检测正确，0 表示错误，objects 是要找的目标总数。同分按给定顺序。",
    reference=area,
    tiers=(detections(4), detections(9)),
    narrow={"scores": "large negative: from 0 to 1", "right": "distinct: 0 and 1"},
    forbidden=["sklearn.metrics"],
    cost="O(n log n): the sort; the rest is three passes",
    hints=(
        "Sort by score, count the right ones so far: that gives precision and recall after each detection.",
        "Make precision monotone from the right, best = maximum.accumulate(precision[::-1])[::-1].",
        "Add up best wherever recall rises, that is at each right detection, and divide by objects.",
    ),
)


@average_precision.right
def from_the_last(scores, right, objects):
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    precision, found = [], 0
    for k, n in enumerate(order, start=1):
        found += int(right[n])
        precision.append(found / k)
    total, best = 0.0, 0.0
    for p, n in zip(reversed(precision), reversed(order), strict=True):
        best = max(best, p)
        total += best * int(right[n])
    return total / objects


@average_precision.right
def as_in_the_devkit(scores, right, objects):
    right = right[np.argsort(-scores, kind="stable")]
    tp, fp = np.cumsum(right), np.cumsum(1 - right)
    recall, precision = np.r_[0.0, tp / objects, 1.0], np.r_[0.0, tp / (tp + fp), 0.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    i = np.flatnonzero(recall[1:] != recall[:-1])
    return ((recall[i + 1] - recall[i]) * precision[i + 1]).sum()


@average_precision.right
def by_trapezoids(scores, right, objects):
    """The curve falls only where recall stands still, so trapezoids are rectangles here."""
    found = right[np.argsort(-scores, kind="stable")].cumsum()
    best = np.maximum.accumulate((found / np.arange(1, len(found) + 1))[::-1])[::-1]
    return np.trapezoid(np.r_[best[0], best], np.r_[0, found]) / objects


@average_precision.wrong("Precision is made monotone first: the highest at this recall or a later one.")
def not_monotone(scores, right, objects):
    right = right[np.argsort(-scores, kind="stable")]
    return (right * right.cumsum() / np.arange(1, len(right) + 1)).sum() / objects


@average_precision.wrong("Divide by the number of objects, not by what was found: missed ones count.")
def over_what_was_found(scores, right, objects):
    return area(scores, right, max(right.sum(), 1))


@average_precision.wrong("Divide by the number of objects, not by the number of detections.")
def over_the_detections(scores, right, objects):
    return area(scores, right, len(right))


@average_precision.wrong("The highest precision from here on, not so far.")
def monotone_from_the_left(scores, right, objects):
    found = right[np.argsort(-scores, kind="stable")].cumsum()
    best = np.maximum.accumulate(found / np.arange(1, len(found) + 1))
    return (np.diff(found, prepend=0) * best).sum() / objects


@average_precision.wrong("Sort by score first.")
def not_sorted(scores, right, objects):
    return area(np.zeros(len(scores)), right, objects)


@average_precision.wrong("From the best score down: this is sorted upwards.")
def sorted_upwards(scores, right, objects):
    return area(-scores, right, objects)


@average_precision.wrong("That is the mean at eleven recalls, as in VOC 2007: the area was asked for.")
def eleven_points(scores, right, objects):
    found = right[np.argsort(-scores, kind="stable")].cumsum()
    precision = found / np.arange(1, len(found) + 1)
    return np.mean([max(precision[found >= k * objects / 10 - 1e-9], default=0.0) for k in range(11)])


@average_precision.wrong("That is the mean of precision over all detections: only where recall rises does it count.")
def mean_precision(scores, right, objects):
    found = right[np.argsort(-scores, kind="stable")].cumsum()
    best = np.maximum.accumulate((found / np.arange(1, len(found) + 1))[::-1])[::-1]
    return best.mean()


@average_precision.wrong("Equal scores keep their order: reversing an ascending sort turns it round.")
def ties_turned_round(scores, right, objects):
    return area(-np.arange(len(scores)), right[np.argsort(scores, kind="stable")[::-1]], objects)
