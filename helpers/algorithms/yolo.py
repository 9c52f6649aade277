"""What must a detector's grid say about an image, how is it read back, and how good is the result?

YOLO version 1 and version 3: from boxes to targets and from outputs to boxes, the loss of version 1, and average
precision by three definitions. Overlaps come from `boxes`. Boxes are rows (x1, y1, x2, y2) in pixels, y downwards.
A grid is (rows, columns), an image size (height, width); rows come first, as in an array.

References
----------
Redmon et al., "You only look once: unified, real-time object detection", CVPR 2016 (version 1).
Redmon and Farhadi, "YOLOv3: an incremental improvement", arXiv 1804.02767, 2018.
Everingham et al., "The Pascal visual object classes (VOC) challenge", IJCV 2010 (average precision).
"""

from typing import NamedTuple

import numpy as np
import torch
from scipy.special import expit  # the sigmoid, without overflow

from ..validation import check_array, check_columns, check_integer, check_number, check_same_length
from .boxes import box_convert, box_iou

STRIDES = 8, 16, 32
ANCHORS = (  # width and height in pixels, three for each stride; found by k-means on COCO's boxes
    *((10, 13), (16, 30), (33, 23)),
    *((30, 61), (62, 45), (59, 119)),
    *((116, 90), (156, 198), (373, 326)),
)

# --- version 1 --------------------------------------------------------------------------------------------------------


def encode_v1(boxes, labels, image_size, grid=(7, 7), num_boxes=2, num_classes=20):
    """Write objects into version 1's target: the cell that holds an object's center answers for it.

    Parameters
    ----------
    boxes : (n, 4) array_like
        Inside the image.
    labels : (n,) array_like of int
        Classes, from 0.
    image_size, grid : (int, int)
    num_boxes, num_classes : int, at least 1

    Returns
    -------
    target : (rows, columns, 5 num_boxes + num_classes) ndarray
        A cell with an object holds, num_boxes times over, x and y from 0 to 1 in the cell, width and height as shares
        of the image, confidence 1; then a one-hot class. Other cells hold 0.
    kept : (n,) ndarray of bool
        False for an object whose cell was taken by an earlier one.

    Raises
    ------
    ValueError
        If an argument has another shape or type, a box is inverted or leaves the image, or a label is no class.
    """
    boxes, image_size = _check_inside(boxes, image_size)
    grid = _check_pair("grid", grid)
    num_boxes = check_integer("num_boxes", num_boxes, at_least=1)
    num_classes = check_integer("num_classes", num_classes, at_least=1)
    labels = _check_whole("labels", labels, 0, num_classes - 1)
    check_same_length(boxes=boxes, labels=labels)
    return _encode_v1(boxes, labels, image_size, grid, num_boxes, num_classes)


def _encode_v1(boxes, labels, image_size, grid, num_boxes, num_classes):
    cells, inside, sizes = _in_grid(boxes, image_size, grid)
    target, kept = np.zeros((*grid, 5 * num_boxes + num_classes)), np.zeros(len(boxes), dtype=bool)
    for n, (row, column) in enumerate(cells):
        kept[n] = target[row, column, 4] == 0  # one object a cell: the first one stays
        if kept[n]:
            target[row, column, : 5 * num_boxes] = np.tile([*inside[n], *sizes[n], 1], num_boxes)
            target[row, column, 5 * num_boxes + labels[n]] = 1
    return target, kept


def decode_v1(output, image_size, num_boxes=2):
    """Read version 1's output: every cell's boxes and class scores.

    Parameters
    ----------
    output : (rows, columns, 5 num_boxes + num_classes) array_like
        As in `encode_v1`.
    image_size : (int, int)
    num_boxes : int, at least 1

    Returns
    -------
    boxes : (rows columns num_boxes, 4) ndarray
        In pixels, row by row of cells; a negative width or height counts as 0.
    scores : (rows columns num_boxes, num_classes) ndarray
        Confidence times class probability; the boxes of a cell share their classes.

    Raises
    ------
    ValueError
        If an argument has another shape, holds NaN or is out of range.
    """
    output, num_boxes = check_array("output", output, ndim=3), check_integer("num_boxes", num_boxes, at_least=1)
    if output.shape[2] <= 5 * num_boxes:
        raise ValueError(f"output must have more than {5 * num_boxes} channels, got shape {output.shape}")
    return _decode_v1(output, _check_pair("image_size", image_size), num_boxes)


def _decode_v1(output, image_size, num_boxes):
    rows, columns, _ = output.shape
    height, width = image_size
    x, y, w, h, confidence = np.moveaxis(output[..., : 5 * num_boxes].reshape(rows, columns, num_boxes, 5), -1, 0)
    center_x = (np.arange(columns)[None, :, None] + x) * width / columns  # columns count x
    center_y = (np.arange(rows)[:, None, None] + y) * height / rows
    found = np.stack([center_x, center_y, w.clip(0) * width, h.clip(0) * height], axis=-1)
    scores = confidence[..., None] * output[:, :, None, 5 * num_boxes :]
    return box_convert(found.reshape(-1, 4), "cxcywh", "xyxy"), scores.reshape(rows * columns * num_boxes, -1)


class LossParts(NamedTuple):
    """Version 1's loss and its parts, each a number as a Tensor, weights included."""

    total: torch.Tensor
    localization: torch.Tensor
    objects: torch.Tensor
    background: torch.Tensor
    classes: torch.Tensor


def yolo_v1_loss(output, target, num_boxes=2, coord=5.0, noobj=0.5):
    """Version 1's sum of squared errors for one image, or a batch of them.

    Parameters
    ----------
    output, target : (..., rows, columns, 5 num_boxes + num_classes) Tensor
        As in `encode_v1`.
    num_boxes : int, at least 1
    coord, noobj : float, at least 0
        Weights of the localization and of the confidence of boxes that answer for nothing.

    Returns
    -------
    LossParts
        In a cell with an object the box of highest IoU with it answers (the first, if none overlaps; the paper's code
        takes the nearest); its confidence is to be that IoU. Width and height enter under a square root:
        sign(w) sqrt(|w| + 1e-6), as an output may be negative. The paper's network outputs the root itself.

    Raises
    ------
    ValueError
        If an argument is no tensor of floats, the shapes differ, or a number is out of range.
    """
    num_boxes = check_integer("num_boxes", num_boxes, at_least=1)
    coord, noobj = check_number("coord", coord, at_least=0), check_number("noobj", noobj, at_least=0)
    for name, value in (("output", output), ("target", target)):
        if not isinstance(value, torch.Tensor) or not value.is_floating_point() or value.ndim < 3:
            raise ValueError(f"{name} must be a tensor of floats with three dimensions or more")
        if not value.isfinite().all():
            raise ValueError(f"{name} holds NaN or infinity")
    if output.shape != target.shape or output.shape[-1] <= 5 * num_boxes:
        raise ValueError(f"output and target must have one shape (..., 5 num_boxes + classes), got {output.shape}")
    return _yolo_v1_loss(output, target, num_boxes, coord, noobj)


def _yolo_v1_loss(output, target, num_boxes, coord, noobj):
    boxes, truth = (t[..., : 5 * num_boxes].unflatten(-1, (num_boxes, 5)) for t in (output, target))
    rows, columns = output.shape[-3:-1]
    with torch.no_grad():  # who answers, and the IoU to be told, are no functions to descend on
        iou = _cell_iou(boxes, truth, rows, columns)
        best = torch.nn.functional.one_hot(iou.argmax(-1), num_boxes).bool()
        answers = best & (truth[..., 4] > 0)
    place = (boxes[..., :2] - truth[..., :2]).square().sum(-1)
    size = (_root(boxes[..., 2:4]) - _root(truth[..., 2:4])).square().sum(-1)
    localization = coord * (place + size)[answers].sum()
    objects = (boxes[..., 4] - iou)[answers].square().sum()
    background = noobj * boxes[..., 4][~answers].square().sum()
    holds_object = target[..., 4] > 0
    classes = (output - target)[..., 5 * num_boxes :][holds_object].square().sum()
    return LossParts(localization + objects + background + classes, localization, objects, background, classes)


def _root(size):
    return size.sign() * (size.abs() + 1e-6).sqrt()


def _cell_iou(boxes, truth, rows, columns):
    """IoU of boxes of one cell: x and y count cells, width and height images, so the first are scaled."""
    scale = boxes.new_tensor([columns, rows])

    def corners(b):
        center, size = b[..., :2] / scale, b[..., 2:4].relu()
        return center - size / 2, center + size / 2

    (low, high), (true_low, true_high) = corners(boxes), corners(truth)
    shared = (torch.minimum(high, true_high) - torch.maximum(low, true_low)).relu().prod(-1)
    union = (high - low).prod(-1) + (true_high - true_low).prod(-1) - shared
    return shared / union.clamp(min=1e-12)


# --- version 3 --------------------------------------------------------------------------------------------------------


def assign_anchors(sizes, anchors=ANCHORS):
    """Find the anchor whose shape fits each object best: the highest IoU when both have one center.

    Parameters
    ----------
    sizes : (n, 2) array_like
        Widths and heights, above 0.
    anchors : (m, 2) array_like
        Likewise.

    Returns
    -------
    (n,) ndarray of int64
        Of several that fit equally, the first.

    Raises
    ------
    ValueError
        If an array has another shape or holds NaN or what is not above 0.
    """
    return _assign_anchors(_check_sizes("sizes", sizes), _check_sizes("anchors", anchors))


def _assign_anchors(sizes, anchors):
    shared = np.minimum(sizes[:, None], anchors).prod(axis=-1)  # one center: the smaller width, the smaller height
    union = sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared
    return (shared / union).argmax(axis=1)


def encode_v3(boxes, image_size, anchors=ANCHORS, strides=STRIDES):
    """Say for each object which output of version 3 answers for it, and what that output must be.

    Parameters
    ----------
    boxes : (n, 4) array_like
        Inside the image, with width and height above 0.
    image_size : (int, int)
        Multiples of the largest stride.
    anchors : (m, 2) array_like
        Width and height in pixels, as many for each stride, in the order of the strides.
    strides : sequence of int
        Pixels between cells, one for each scale.

    Returns
    -------
    where : (n, 4) ndarray of int64
        Scale, row, column, and anchor within the scale. Two equal rows collide.
    t : (n, 4) ndarray
        tx, ty, tw, th: `decode_v3` of these is the box. A center on the border of a cell would need infinity; it is
        moved by a millionth of the cell.

    Raises
    ------
    ValueError
        If an argument has another shape or type, or a box has no area or leaves the image.
    """
    boxes, image_size = _check_inside(boxes, image_size)
    anchors, strides = _check_sizes("anchors", anchors), _check_whole("strides", strides, 1, np.inf)
    if len(strides) == 0 or len(anchors) % len(strides) or not len(anchors):
        raise ValueError(f"anchors must be as many for each stride, got {len(anchors)} for {len(strides)} strides")
    if any(side % stride for side in image_size for stride in strides):
        raise ValueError(f"image_size must be a multiple of every stride, got {image_size}")
    _check_sizes("boxes", boxes[:, 2:] - boxes[:, :2], may_be_empty=True)
    return _encode_v3(boxes, image_size, anchors, strides)


def _encode_v3(boxes, image_size, anchors, strides):
    sizes, per_scale = boxes[:, 2:] - boxes[:, :2], len(anchors) // len(strides)
    best = _assign_anchors(sizes, anchors)
    scale, anchor = np.divmod(best, per_scale)
    cell = (boxes[:, :2] + boxes[:, 2:]) / 2 / strides[scale][:, None]
    height, width = image_size
    last = np.column_stack([width // strides[scale], height // strides[scale]]) - 1
    corner = np.minimum(cell.astype(int), last)  # a center on the image's edge belongs to the last cell
    share = (cell - corner).clip(1e-6, 1 - 1e-6)
    t = np.hstack([np.log(share / (1 - share)), np.log(sizes / anchors[best])])
    return np.column_stack([scale, corner[:, ::-1], anchor]), t


def decode_v3(output, anchors, stride):
    """Read one scale of version 3's output.

    Parameters
    ----------
    output : (rows, columns, anchors, 5 + num_classes) array_like
        tx, ty, tw, th, objectness and classes, before any sigmoid.
    anchors : (anchors, 2) array_like
        Width and height in pixels, above 0.
    stride : int, at least 1
        Pixels between cells.

    Returns
    -------
    boxes : (rows columns anchors, 4) ndarray
        In pixels.
    scores : (rows columns anchors, num_classes) ndarray
        Objectness times class; each class has a sigmoid of its own, so an object may be of several.

    Raises
    ------
    ValueError
        If an argument has another shape, holds NaN or is out of range.
    """
    output, anchors = check_array("output", output, ndim=4), _check_sizes("anchors", anchors)
    if output.shape[2] != len(anchors) or output.shape[3] < 5:
        raise ValueError(f"output must have shape (rows, columns, {len(anchors)}, 5 or more), got {output.shape}")
    return _decode_v3(output, anchors, check_integer("stride", stride, at_least=1))


def _decode_v3(output, anchors, stride):
    rows, columns, per_cell, channels = output.shape
    corners = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)[:, :, None]  # (x, y) of each cell
    center = (corners + expit(output[..., :2])) * stride
    size = anchors * np.exp(output[..., 2:4].clip(max=80))  # beyond, no image is large enough
    found = np.concatenate([center - size / 2, center + size / 2], axis=-1)
    scores = expit(output[..., 4:5]) * expit(output[..., 5:])
    return found.reshape(-1, 4), scores.reshape(rows * columns * per_cell, channels - 5)


# --- average precision ------------------------------------------------------------------------------------------------


def match_detections(boxes, truths, iou_threshold=0.5):
    """Name for each detection the object that it overlaps most, as VOC does.

    COCO's evaluator instead gives a detection the best object that no better detection has taken.

    Parameters
    ----------
    boxes : (n, 4) array_like
    truths : (m, 4) array_like
    iou_threshold : float above 0, at most 1

    Returns
    -------
    (n,) ndarray of int64
        The object's row, or -1 where no IoU reaches the threshold. Several may name one object.

    Raises
    ------
    ValueError
        As `boxes.box_iou`, or if the threshold is out of range.
    """
    iou = box_iou(boxes, truths)
    threshold = check_number("iou_threshold", iou_threshold, above=0, at_most=1)
    if not iou.size:
        return np.full(len(iou), -1)
    return np.where(iou.max(axis=1) >= threshold, iou.argmax(axis=1), -1)


def precision_recall(scores, matches, num_truths):
    """Precision and recall after each detection, best score first.

    Parameters
    ----------
    scores : (n,) array_like
    matches : (n,) array_like of int
        The object that a detection matches, from 0, or -1. Of several that match one object, the one of highest score
        finds it; the others are false. Over several images, number the objects on.
    num_truths : int, at least 1

    Returns
    -------
    precision, recall : (n,) ndarray
        Equal scores stand in the order given.

    Raises
    ------
    ValueError
        If an argument has another shape or type, the lengths differ, or a match is no object.
    """
    scores, matches = _check_matches(scores, matches, num_truths, at_least=1)
    precision, found = _precision_found(scores, matches)
    return precision, found / num_truths


def _precision_found(scores, matches):
    """Precision, and the number of objects found, after each detection."""
    matches = matches[np.argsort(-scores, kind="stable")]
    hit = np.zeros(len(matches), dtype=bool)
    named, first = np.unique(matches, return_index=True)  # the first to name an object finds it
    hit[first[named >= 0]] = True
    found = hit.cumsum()
    return found / np.arange(1, len(hit) + 1), found


def average_precision(scores, matches, num_truths, points=0):
    """Average precision of one class.

    Precision at recall r is the highest precision at any recall of r or more, 0 where r is not reached.

    Parameters
    ----------
    scores, matches, num_truths
        As in `precision_recall`; there may be no objects.
    points : int, 0 or at least 2
        Mean over so many recalls, evenly from 0 to 1: 11 (VOC until 2009), 101 (COCO). 0: the area (VOC from 2010).

    Returns
    -------
    float
        From 0 to 1; NaN without objects, as recall is then undefined.

    Raises
    ------
    ValueError
        As `precision_recall`, and for other `points`.
    """
    scores, matches = _check_matches(scores, matches, num_truths, at_least=0)
    points = check_integer("points", points, at_least=0)
    if points == 1:
        raise ValueError("points must be 0 or at least 2, got 1")
    return _average_precision(scores, matches, num_truths, points) if num_truths else float("nan")


def _average_precision(scores, matches, num_truths, points):
    precision, found = _precision_found(scores, matches)
    best = np.maximum.accumulate(precision[::-1])[::-1]  # from here to the end: never rises with recall
    if not points:
        return float(np.diff(found, prepend=0) @ best / num_truths)
    wanted = np.arange(points) * num_truths  # whole numbers: found / num_truths >= k / (points - 1) without rounding
    at = np.searchsorted(found * (points - 1), wanted)
    return float(np.append(best, 0)[at].mean())


# --- what the above share ---------------------------------------------------------------------------------------------


def _in_grid(boxes, image_size, grid):
    """Each box's cell (row, column), its center in the cell (x, y), and its size as a share of the image."""
    height, width = image_size
    rows, columns = grid
    center = (boxes[:, :2] + boxes[:, 2:]) / 2 / [width, height] * [columns, rows]
    corner = np.minimum(center.astype(int), [columns - 1, rows - 1])  # the right edge belongs to the last cell
    return corner[:, ::-1], center - corner, (boxes[:, 2:] - boxes[:, :2]) / [width, height]


def _check_pair(name, pair):
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"{name} must be two integers, got {pair!r}")
    return tuple(check_integer(name, side, at_least=1) for side in pair)


def _check_inside(boxes, image_size):
    height, width = _check_pair("image_size", image_size)
    boxes = box_convert(boxes, "xyxy", "xyxy")
    if (boxes < 0).any() or (boxes > [width, height, width, height]).any():
        raise ValueError(f"boxes must lie inside the image, {width} x {height} pixels")
    return boxes, (height, width)


def _check_sizes(name, sizes, may_be_empty=False):
    if may_be_empty and np.size(sizes) == 0:
        return sizes
    sizes = check_columns(name, sizes, 2)
    if (sizes <= 0).any():
        raise ValueError(f"{name} must have widths and heights above 0")
    return sizes


def _check_whole(name, values, low, high):
    values = check_array(name, values, ndim=1, may_be_empty=True)
    if (values != values.round()).any() or (values < low).any() or (values > high).any():
        raise ValueError(f"{name} must be whole numbers from {low:g} to {high:g}")
    return values.astype(np.int64)


def _check_matches(scores, matches, num_truths, at_least):
    count = check_integer("num_truths", num_truths, at_least=at_least)
    scores = check_array("scores", scores, ndim=1, may_be_empty=True)
    matches = _check_whole("matches", matches, -1, count - 1)
    check_same_length(scores=scores, matches=matches)
    return scores, matches
