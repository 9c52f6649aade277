"""YOLO: boxes as numbers of grid cells and back, the first loss, anchors at three scales, and average precision.

Boxes are rows (x1, y1, x2, y2) in pixels of an image that is `size` pixels wide and high. A grid has rows and columns;
a cell's output is indexed [row, column], so y comes before x there and after it in a box.

References
----------
Redmon et al., "You only look once: unified, real-time object detection", CVPR 2016 (v1).
Redmon and Farhadi, "YOLOv3: an incremental improvement", arXiv 1804.02767 (2018).
Everingham et al., "The PASCAL visual object classes (VOC) challenge", IJCV 88 (2010): 11 points, and all of them.
Lin et al., "Microsoft COCO: common objects in context", ECCV 2014: 101 points, in its evaluation code.
"""

import numpy as np
import torch

from ..validation import check_array, check_choice, check_integer, check_number, check_same_length
from .boxes import box_convert, box_iou

STRIDES = 8, 16, 32  # pixels per cell of v3's three grids
ANCHORS = np.array(  # v3's, widths and heights in pixels of 416, three to a grid, found by k-means on COCO
    [(10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326)], dtype=float
)
METHODS = "all-point", "11-point", "101-point"

# --- version 1: a grid, and no anchors -------------------------------------------------------------------------------


def encode_v1(boxes, labels, size, grid=7, classes=20):
    """Write objects into the cells that hold their centers.

    Parameters
    ----------
    boxes : (n, 4) array_like
    labels : (n,) array_like
        Class numbers from 0.
    size : float above 0
        Width and height of the image.
    grid, classes : int, at least 1

    Returns
    -------
    target : (grid, grid, 5 + classes) ndarray
        x and y of the center within its cell and w and h as shares of the image, all from 0 to 1; then 1 if the cell
        has an object; then the class as one hot.
    lost : list of int
        Objects whose cell was taken by an earlier one.

    Raises
    ------
    ValueError
        If a box lies outside the image or has no area, a label is no class number, or a number is out of range.
    """
    size = check_number("size", size, above=0)
    check_integer("grid", grid, at_least=1)
    check_integer("classes", classes, at_least=1)
    boxes, labels = _check_objects(boxes, labels, classes)
    if boxes.size and not (boxes.min() >= 0 and boxes.max() <= size and (boxes[:, 2:] > boxes[:, :2]).all()):
        raise ValueError(f"boxes must lie within the image, 0 to {size:g}, and have an area")
    return _encode_v1(boxes, labels, size, grid, classes)


def _encode_v1(boxes, labels, size, grid, classes):
    target, lost = np.zeros((grid, grid, 5 + classes)), []
    for n, (x, y, w, h) in enumerate(box_convert(boxes, "xyxy", "cxcywh") / size):  # all as shares of the image
        column, row = min(int(x * grid), grid - 1), min(int(y * grid), grid - 1)  # a center may lie on the far edge
        if target[row, column, 4]:
            lost.append(n)  # one cell, one object
            continue
        target[row, column, :5] = x * grid - column, y * grid - row, w, h, 1
        target[row, column, 5 + labels[n]] = 1
    return target, lost


def decode_v1(output, size, boxes_per_cell=2):
    """Read boxes and class scores out of all cells.

    Parameters
    ----------
    output : (grid, grid, 5 B + classes) array_like
        For each of B boxes x, y, w, h and confidence, as in `encode_v1`; then p(class | object).
    size : float above 0
    boxes_per_cell : int, at least 1
        B.

    Returns
    -------
    boxes : (grid^2 B, 4) ndarray
        Cell by cell, row by row.
    scores : (grid^2 B, classes) ndarray
        Confidence times p(class | object).

    Raises
    ------
    ValueError
        If the output has another shape or holds NaN, or a number is out of range.
    """
    size = check_number("size", size, above=0)
    b = check_integer("boxes_per_cell", boxes_per_cell, at_least=1)
    output = check_array("output", output, ndim=3)
    if output.shape[0] != output.shape[1] or output.shape[2] <= 5 * b:
        raise ValueError(f"output must have shape (grid, grid, {5 * b} + classes), got {output.shape}")
    return _decode_v1(output, size, b)


def _decode_v1(output, size, b):
    grid = len(output)
    x, y, w, h, confidence = np.moveaxis(output[:, :, : 5 * b].reshape(grid, grid, b, 5), 3, 0)  # (grid, grid, B) each
    cell = np.arange(grid)
    x, y = (x + cell[:, None]) / grid, (y + cell[:, None, None]) / grid  # columns along axis 1, rows along axis 0
    boxes = size * np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=3)
    scores = confidence[..., None] * output[:, :, None, 5 * b :]
    return boxes.reshape(-1, 4), scores.reshape(grid**2 * b, -1)


def yolo_v1_loss(output, target, boxes_per_cell=2, coord=5.0, noobj=0.5):
    """The sum of five squared errors: centers, sizes, confidence with and without an object, classes.

    Parameters
    ----------
    output : (grid, grid, 5 B + classes) tensor
        As in `decode_v1`; widths and heights at least 0.
    target : (grid, grid, 5 + classes) tensor
        As `encode_v1` makes it.
    boxes_per_cell : int, at least 1
    coord, noobj : float, at least 0
        Weights of centers and sizes, and of the confidence where there is no object.

    Returns
    -------
    tensor
        A number. In a cell with an object the box with the highest IoU answers for it, and its confidence should be
        this IoU; all other boxes should have confidence 0.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a number is out of range.
    """
    b = check_integer("boxes_per_cell", boxes_per_cell, at_least=1)
    coord, noobj = (check_number(n, v, at_least=0) for n, v in (("coord", coord), ("noobj", noobj)))
    for name, value in (("output", output), ("target", target)):
        if not isinstance(value, torch.Tensor) or value.ndim != 3:
            raise ValueError(f"{name} must be a tensor (grid, grid, numbers)")
    if target.shape[2] <= 5 or output.shape != (*target.shape[:2], target.shape[2] + 5 * (b - 1)):
        raise ValueError(f"output must have {5 * (b - 1)} numbers a cell more than target, got {tuple(output.shape)}")
    return _yolo_v1_loss(output, target, b, coord, noobj)


def _yolo_v1_loss(output, target, b, coord, noobj):
    boxes, truth = output[:, :, : 5 * b].unflatten(2, (b, 5)), target[:, :, None, :5]
    with torch.no_grad():  # which box answers is a choice, not something to differentiate
        iou = _iou_in_cell(boxes, truth, len(output))
        answers = torch.nn.functional.one_hot(iou.argmax(dim=2), b) * truth[..., 4]
    squared = (boxes - torch.cat([truth[..., :4].expand_as(boxes[..., :4]), iou[..., None]], dim=3)) ** 2
    # an error of a pixel matters more in a small box: compare roots
    sizes = (boxes[..., 2:4].clamp(min=1e-12).sqrt() - truth[..., 2:4].sqrt()) ** 2
    place = coord * (squared[..., :2].sum(dim=3) + sizes.sum(dim=3))
    silent = noobj * (1 - answers) * boxes[..., 4] ** 2
    classes = target[:, :, 4] * ((output[:, :, 5 * b :] - target[:, :, 5:]) ** 2).sum(dim=2)
    return (answers * (place + squared[..., 4]) + silent).sum() + classes.sum()


def _iou_in_cell(boxes, truth, grid):
    """IoU of boxes whose centers are measured within one cell and whose sizes are shares of the image."""
    low, high = [], []
    for box in (boxes, truth):
        low.append(box[..., :2] / grid - box[..., 2:4] / 2)
        high.append(box[..., :2] / grid + box[..., 2:4] / 2)
    shared = (torch.minimum(*high) - torch.maximum(*low)).clamp(min=0).prod(dim=-1)
    areas = [box[..., 2:4].prod(dim=-1) for box in (boxes, truth)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-12)


# --- version 3: anchors at three scales ------------------------------------------------------------------------------


def decode_v3(output, anchors, stride):
    """Turn a grid's raw numbers into boxes.

    Parameters
    ----------
    output : (H, W, A, 4) or more numbers tensor
        tx, ty, tw, th; more numbers per anchor are left alone.
    anchors : (A, 2) array_like
        Widths and heights in pixels.
    stride : float above 0
        Pixels per cell.

    Returns
    -------
    (H, W, A, 4) tensor
        x1, y1, x2, y2 in pixels: the center sigmoid(t) into its cell, the size exp(t) times the anchor's.

    Raises
    ------
    ValueError
        If the shapes do not fit, an anchor is not above 0, or the stride is out of range.
    """
    stride = check_number("stride", stride, above=0)
    anchors = _check_anchors(anchors)
    if not isinstance(output, torch.Tensor) or output.ndim != 4 or output.shape[3] < 4:
        raise ValueError("output must be a tensor (H, W, anchors, 4 or more)")
    if output.shape[2] != len(anchors):
        raise ValueError(f"anchors must be as many as output has, {output.shape[2]}, got {len(anchors)}")
    return _decode_v3(output, torch.as_tensor(anchors).to(output), stride)


def _decode_v3(output, anchors, stride):
    height, width = output.shape[:2]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corner = torch.stack([columns, rows], dim=2)[:, :, None]  # x is the column, y the row
    center = (output[..., :2].sigmoid() + corner) * stride
    half = anchors * output[..., 2:4].exp() / 2
    return torch.cat([center - half, center + half], dim=3)


def assign_anchors(boxes, anchors=ANCHORS, strides=STRIDES):
    """For each object the anchor whose shape fits best, the grid that this anchor belongs to, and the cell.

    Parameters
    ----------
    boxes : (n, 4) array_like
    anchors : (len(strides) * k, 2) array_like
        Widths and heights in pixels, k for each grid, in the order of `strides`.
    strides : sequence of float
        Pixels per cell of each grid.

    Returns
    -------
    (n, 4) ndarray of int64
        Number of the anchor, of the grid, and the cell's row and column.

    Raises
    ------
    ValueError
        If a box has no area or a negative center, or anchors do not fit the strides.
    """
    strides = check_array("strides", strides, ndim=1)
    anchors = _check_anchors(anchors)
    if (strides <= 0).any() or len(anchors) % len(strides):
        raise ValueError(f"strides must be above 0, and their number divide that of anchors, got {len(strides)}")
    boxes = check_array("boxes", boxes, ndim=2, may_be_empty=True)
    if boxes.shape[1] != 4 or (boxes.size and not (boxes[:, 2:] > np.maximum(boxes[:, :2], 0)).all()):
        raise ValueError("boxes must be rows (x1, y1, x2, y2) with x1 < x2 and y1 < y2")
    return _assign_anchors(boxes, anchors, strides)


def _assign_anchors(boxes, anchors, strides):
    sizes = boxes[:, 2:] - boxes[:, :2]
    best = _shape_iou(sizes, anchors).argmax(axis=1)
    grid = best // (len(anchors) // len(strides))
    cell = (boxes[:, :2] + sizes / 2) // strides[grid][:, None]
    return np.column_stack([best, grid, cell[:, ::-1]]).astype(np.int64)


def _shape_iou(sizes, anchors):
    """IoU as if all centers were one: only width and height count."""
    shared = np.minimum(sizes[:, None], anchors).prod(axis=2)
    return shared / (sizes.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared)


# --- how good is a detector ------------------------------------------------------------------------------------------


def match_detections(boxes, scores, truth, iou_threshold=0.5):
    """Which detections are right: from the best score on, each takes the best object that is still free.

    Parameters
    ----------
    boxes : (n, 4) array_like
    scores : (n,) array_like
    truth : (m, 4) array_like
        The objects of this class in this image.
    iou_threshold : float from 0 to 1
        The least IoU.

    Returns
    -------
    (n,) ndarray of bool
        In the order given. A second detection of one object is wrong.

    Raises
    ------
    ValueError
        As `box_iou`, if lengths differ, or if the threshold is out of range.
    """
    scores = check_array("scores", scores, ndim=1, may_be_empty=True)
    threshold = check_number("iou_threshold", iou_threshold, at_least=0, at_most=1)
    iou = box_iou(boxes, truth)
    check_same_length(boxes=iou, scores=scores)
    return _match(iou, scores, threshold)


def _match(iou, scores, threshold):
    iou, right = iou.copy(), np.zeros(len(scores), dtype=bool)
    for n in np.argsort(-scores, kind="stable") if iou.shape[1] else ():
        best = iou[n].argmax()
        if iou[n, best] >= threshold:
            right[n] = True
            iou[:, best] = -1  # taken
    return right


def precision_recall(scores, right, objects):
    """Precision and recall after each detection, from the best score on; equal scores in the order given.

    Parameters
    ----------
    scores : (n,) array_like
    right : (n,) array_like of bool
    objects : int, at least 1
        How many there are to find.

    Returns
    -------
    precision, recall : (n,) ndarray

    Raises
    ------
    ValueError
        If lengths differ, or more detections are right than there are objects.
    """
    scores, right = check_array("scores", scores, ndim=1, may_be_empty=True), np.asarray(right)
    if right.ndim != 1 or (right.size and not np.isin(right, (0, 1)).all()):
        raise ValueError("right must be a row of True and False")
    check_same_length(scores=scores, right=right)
    check_integer("objects", objects, at_least=1)
    if right.sum() > objects:
        raise ValueError(f"objects must be at least the number of right detections, {right.sum()}, got {objects}")
    return _precision_recall(scores, right, objects)


def _precision_recall(scores, right, objects):
    found = right[np.argsort(-scores, kind="stable")].cumsum()
    return found / np.arange(1, len(found) + 1), found / objects


def average_precision(scores, right, objects, method="all-point"):
    """The mean precision over recall, where precision at a recall is the highest at this recall or a later one.

    Parameters
    ----------
    scores, right, objects
        As in `precision_recall`.
    method : {"all-point", "11-point", "101-point"}
        The area under the steps (VOC from 2010 on), or the mean at recalls 0, 0.1, ..., 1 (VOC 2007) or 0, 0.01, ..., 1
        (COCO); at a recall that is not reached precision is 0.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        As `precision_recall`, or for another method.
    """
    check_choice("method", method, METHODS)
    return _average_precision(*precision_recall(scores, right, objects), method)


def _average_precision(precision, recall, method):
    best = np.maximum.accumulate(precision[::-1])[::-1]  # no worse at a lower recall: one may always stop later
    if method == "all-point":
        return float((np.diff(recall, prepend=0) * best).sum())
    points = int(method.partition("-")[0])
    first = np.searchsorted(recall, np.linspace(0, 1, points) - 1e-12)  # 0.3 is met by 3 / 10 despite rounding
    return float(np.append(best, 0)[first].mean())


# --- checks ----------------------------------------------------------------------------------------------------------


def _check_objects(boxes, labels, classes):
    boxes = check_array("boxes", boxes, ndim=2, may_be_empty=True)
    if boxes.shape[1] != 4:
        raise ValueError(f"boxes must have shape (n, 4), got {boxes.shape}")
    labels = check_array("labels", labels, ndim=1, may_be_empty=True)
    check_same_length(boxes=boxes, labels=labels)
    if not np.isin(labels, np.arange(classes)).all():
        raise ValueError(f"labels must be whole numbers from 0 to {classes - 1}")
    return boxes, labels.astype(int)


def _check_anchors(anchors):
    anchors = check_array("anchors", anchors, ndim=2)
    if anchors.shape[1] != 2 or (anchors <= 0).any():
        raise ValueError(f"anchors must be rows (width, height) above 0, got shape {anchors.shape}")
    return anchors
