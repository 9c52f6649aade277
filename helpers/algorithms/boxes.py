"""How well do two boxes agree? IoU and its successors as measures and as losses, and two ways to thin out detections.

Names, arguments and conventions are torchvision's. Boxes are rows (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2, in
pixels or any other unit; there may be none, shape (0, 4), as in an image without objects. The measures compare every
box of one array with every box of another, in NumPy. The losses compare box by box, in PyTorch, and are differentiable.

References
----------
Rezatofighi et al., "Generalized intersection over union", CVPR 2019 (GIoU).
Zheng et al., "Distance-IoU loss: faster and better learning for bounding box regression", AAAI 2020 (DIoU, CIoU).
Bodla et al., "Soft-NMS: improving object detection with one line of code", ICCV 2017.
"""

import numpy as np
import torch

from ..validation import check_array, check_choice, check_integer, check_number, check_same_length

FORMATS = ("xyxy", "xywh", "cxcywh")
BLOCK = 2**13  # pairs compared at a time: their temporaries stay in the processor's cache


# --- one set of boxes -------------------------------------------------------------------------------------------------


def box_area(boxes):
    """Width times height.

    Parameters
    ----------
    boxes : (n, 4) array_like
        x1, y1, x2, y2.

    Returns
    -------
    (n,) ndarray
        In the square of the boxes' unit; 0 for a point or a line.

    Raises
    ------
    ValueError
        If the array has another shape, holds NaN, or a box is inverted: x2 < x1 or y2 < y1.
    """
    return _area(_check_boxes("boxes", boxes).T)


def box_convert(boxes, in_fmt, out_fmt):
    """Rewrite boxes in another format.

    Parameters
    ----------
    boxes : (n, 4) array_like
    in_fmt, out_fmt : {"xyxy", "xywh", "cxcywh"}
        Two corners; corner and size; center and size.

    Raises
    ------
    ValueError
        As `box_area`, and for another format.
    """
    check_choice("in_fmt", in_fmt, FORMATS)
    check_choice("out_fmt", out_fmt, FORMATS)
    first, last = np.hsplit(_check_shape("boxes", boxes), 2)
    low = first - last / 2 if in_fmt == "cxcywh" else first
    high = last if in_fmt == "xyxy" else low + last
    _check_boxes("boxes", np.hstack([low, high]))
    start = (low + high) / 2 if out_fmt == "cxcywh" else low
    return np.hstack([start, high if out_fmt == "xyxy" else high - low])


# --- every box of one set with every box of another -------------------------------------------------------------------


def box_iou(boxes1, boxes2):
    """Intersection over union of every pair.

    Parameters
    ----------
    boxes1 : (n, 4) array_like
    boxes2 : (m, 4) array_like
        x1, y1, x2, y2, in one unit.

    Returns
    -------
    (n, m) ndarray
        From 0 (apart) to 1 (equal). A box without area has IoU 0 with everything, itself included.

    Raises
    ------
    ValueError
        If an array has another shape, holds NaN, or a box is inverted.
    """
    return _pairwise(_iou, boxes1, boxes2)


def generalized_box_iou(boxes1, boxes2):
    """GIoU = IoU - |C without the union| / |C|, in (-1, 1]; C is the smallest box around both.

    Arguments, result and errors as in `box_iou`. Where C has no area nothing is subtracted.
    """
    return _pairwise(_giou, boxes1, boxes2)


def distance_box_iou(boxes1, boxes2, eps=1e-7):
    """DIoU = IoU - rho^2 / c^2, in (-1, 1]: rho is the distance of the centers, c the diagonal of the box around both.

    Arguments, result and errors as in `box_iou`.

    Parameters
    ----------
    eps : float, at least 0
        Added to c^2. With 0, two equal points have DIoU 0.
    """
    eps = check_number("eps", eps, at_least=0)
    return _pairwise(_diou, boxes1, boxes2, eps)


def complete_box_iou(boxes1, boxes2, eps=1e-7):
    """CIoU = DIoU - alpha v, in (-1.5, 1]; v compares the aspect ratios, alpha is its coefficient.

    v = 4 / pi^2 (arctan(w1 / h1) - arctan(w2 / h2))^2 and alpha = v / (1 - IoU + v). Arguments, result and errors as
    in `distance_box_iou`; `eps` is also added to the denominator of alpha.
    """
    eps = check_number("eps", eps, at_least=0)
    return _pairwise(_ciou, boxes1, boxes2, eps)


# --- thinning out detections ------------------------------------------------------------------------------------------


def nms(boxes, scores, iou_threshold):
    """Non-maximum suppression: keep the best box, drop all that overlap it too much, repeat.

    Parameters
    ----------
    boxes : (n, 4) array_like
    scores : (n,) array_like
    iou_threshold : float in [0, 1]
        A box goes if its IoU with a kept one is greater than this.

    Returns
    -------
    (k,) ndarray of int64
        Rows of the kept boxes, best score first; equal scores in the order given.

    Raises
    ------
    ValueError
        As `box_area`, if the lengths differ, or if the threshold lies outside [0, 1].
    """
    boxes, scores = _check_detections(boxes, scores)
    return _nms(boxes, scores, check_number("iou_threshold", iou_threshold, at_least=0, at_most=1))


def _nms(boxes, scores, iou_threshold):
    order, keep = np.argsort(-scores, kind="stable"), []
    while len(order):
        best, rest = order[0], order[1:]
        keep.append(best)
        order = rest[_iou(boxes[best], boxes[rest].T) <= iou_threshold]  # only kept boxes suppress
    return np.array(keep, dtype=np.int64)


def soft_nms(boxes, scores, iou_threshold=0.3, sigma=0.5, score_threshold=0.001, method="linear"):
    """Soft-NMS: instead of dropping a box that overlaps the best one, lower its score.

    Parameters
    ----------
    boxes : (n, 4) array_like
    scores : (n,) array_like, at least 0
    iou_threshold : float in [0, 1]
        Linear: a box whose IoU with the best one is at least this has its score multiplied by 1 - IoU.
    sigma : float above 0
        Gaussian: every score is multiplied by exp(-IoU^2 / sigma).
    score_threshold : float, at least 0
        A box goes when its score falls below this.
    method : {"linear", "gaussian"}

    Returns
    -------
    keep : (k,) ndarray of int64
        Rows of the kept boxes, best lowered score first.
    scores : (k,) ndarray
        Their lowered scores.

    Raises
    ------
    ValueError
        As `nms`, and for negative scores or parameters out of range.
    """
    boxes, scores = _check_detections(boxes, scores)
    if (scores < 0).any():
        raise ValueError("scores must be at least 0: lowering multiplies them")
    iou_threshold = check_number("iou_threshold", iou_threshold, at_least=0, at_most=1)
    sigma = check_number("sigma", sigma, above=0)
    score_threshold = check_number("score_threshold", score_threshold, at_least=0)
    check_choice("method", method, ("linear", "gaussian"))
    scores, left, keep = scores.copy(), np.flatnonzero(scores >= score_threshold), []
    while len(left):
        best = left[np.argmax(scores[left])]
        keep.append(best)
        left = left[left != best]
        iou = _iou(boxes[best], boxes[left].T)
        linear = np.where(iou >= iou_threshold, 1 - iou, 1)
        scores[left] *= linear if method == "linear" else np.exp(-(iou**2) / sigma)
        left = left[scores[left] >= score_threshold]
    keep = np.array(keep, dtype=np.int64)
    return keep, scores[keep]


# --- losses: box by box, differentiable -------------------------------------------------------------------------------


def iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """1 - IoU. Its gradient is zero where two boxes do not overlap.

    Parameters
    ----------
    boxes1, boxes2 : (n, 4) or (4,) Tensor
        x1, y1, x2, y2. Other types than float32 and float64 are converted to float32.
    reduction : {"none", "mean", "sum"}
    eps : float, at least 0
        Added to each denominator. With 0, what has no area or no extent counts as 0, as in the measures.

    Returns
    -------
    (n,) Tensor, or a number as a Tensor if reduced; the mean of no boxes is 0

    Raises
    ------
    ValueError
        If an argument is no tensor, has another shape, holds NaN or an inverted box, or is out of range.
    """
    return _reduced(1 - _compare(*_checked(boxes1, boxes2, eps))[0], reduction)


def generalized_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """1 - GIoU, from 0 to 2. Arguments, result and errors as in `iou_loss`."""
    iou, union, (width, height), _ = _compare(*_checked(boxes1, boxes2, eps))
    hull = width * height
    return _reduced(1 - iou + _share(hull - union, hull + eps), reduction)


def distance_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """1 - DIoU, from 0 to 2. Arguments, result and errors as in `iou_loss`."""
    iou, _, _, distance = _compare(*_checked(boxes1, boxes2, eps))
    return _reduced(1 - iou + distance, reduction)


def complete_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """1 - CIoU, from 0 to 2.5; alpha counts as a constant. Arguments, result and errors as in `iou_loss`."""
    iou, _, _, distance = _compare(*_checked(boxes1, boxes2, eps))
    angle1, angle2 = (torch.atan2(*_size(boxes).unbind(-1)) for boxes in (boxes1, boxes2))
    v = 4 / torch.pi**2 * (angle1 - angle2).square()
    alpha = _share(v, 1 - iou + v + eps).detach()  # a factor, not something to descend on, as in the paper
    return _reduced(1 - iou + distance + alpha * v, reduction)


def regress(loss, boxes, targets, steps=200):
    """Move boxes onto their targets by gradient descent under a loss, as the simulation of the DIoU paper does.

    The variables are center and size. A step is eta (2 - IoU) times the gradient; eta is 0.1, then 0.01 from 80 % and
    0.001 from 90 % of the steps on.

    Parameters
    ----------
    loss : callable
        One of the losses above.
    boxes, targets : (n, 4) array_like
    steps : int, at least 1

    Returns
    -------
    (steps + 1, n, 4) ndarray
        The boxes before the first step and after each one.

    Raises
    ------
    ValueError
        If an array has another shape or holds NaN or an inverted box, the lengths differ, or `steps` is below 1.
    """
    steps = check_integer("steps", steps, at_least=1)
    path, targets = [_check_boxes("boxes", boxes).copy()], _check_boxes("targets", targets).copy()
    check_same_length(boxes=path[0], targets=targets)
    goals = torch.from_numpy(targets)  # torch takes neither reversed nor read-only arrays: hence the copies
    center, size = np.hsplit(box_convert(path[0], "xyxy", "cxcywh"), 2)
    for step in range(steps):
        moving = torch.tensor(path[-1], requires_grad=True)
        (slope,) = torch.autograd.grad(loss(moving, goals, reduction="sum"), moving)
        low, high = np.hsplit(slope.numpy(), 2)  # by the corners, which are center - size / 2 and center + size / 2
        eta = 0.1 if step < 0.8 * steps else 0.01 if step < 0.9 * steps else 0.001
        rate = eta * (2 - _iou(path[-1].T, targets.T))[:, None]
        center = center - rate * (low + high)
        size = np.maximum(size - rate * (high - low) / 2, 1e-3)  # a step must not turn a box inside out
        path.append(np.hstack([center - size / 2, center + size / 2]))
    return np.stack(path)


# --- what the above share ---------------------------------------------------------------------------------------------


def _check_shape(name, boxes):
    boxes = check_array(name, boxes, ndim=2, may_be_empty=True)
    if boxes.shape[1] != 4:
        raise ValueError(f"{name} must have shape (n, 4), got {boxes.shape}")
    return boxes


def _check_boxes(name, boxes):
    boxes = _check_shape(name, boxes)
    _refuse_inverted(name, (boxes[:, 2:] < boxes[:, :2]).any(axis=1))
    return boxes


def _refuse_inverted(name, inverted):
    if inverted.any():
        raise ValueError(f"{name} holds an inverted box: x2 < x1 or y2 < y1")


def _check_detections(boxes, scores):
    boxes, scores = _check_boxes("boxes", boxes), check_array("scores", scores, ndim=1, may_be_empty=True)
    check_same_length(boxes=boxes, scores=scores)
    return boxes, scores


def _pairwise(measure, boxes1, boxes2, *options):
    """The (n, m) matrix of a measure, filled a few rows at a time: beyond the result, memory stays bounded."""
    boxes1, boxes2 = _check_boxes("boxes1", boxes1), _check_boxes("boxes2", boxes2)
    columns = np.ascontiguousarray(boxes2.T)  # (4, m); with a (4, rows, 1) part of boxes1 every pair is compared
    result = np.empty((len(boxes1), len(boxes2)))
    rows = max(1, BLOCK // max(1, len(boxes2)))
    for start in range(0, len(boxes1), rows):
        part = slice(start, start + rows)
        result[part] = measure(boxes1[part].T[:, :, None], columns, *options)
    return result


# the formulas: a and b are x1, y1, x2, y2, four numbers or four arrays that broadcast against each other


def _area(box):
    x1, y1, x2, y2 = box
    return (x2 - x1) * (y2 - y1)


def _intersection_and_union(a, b):
    width = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0])
    height = np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    intersection = np.maximum(width, 0) * np.maximum(height, 0)  # each by itself: two negatives make a positive
    return intersection, _area(a) + _area(b) - intersection


def _iou(a, b):
    return _quotient(*_intersection_and_union(a, b))


def _giou(a, b):
    intersection, union = _intersection_and_union(a, b)
    width, height = _hull(a, b)
    hull = width * height
    return _quotient(intersection, union) - _quotient(hull - union, hull)


def _diou(a, b, eps):
    return _iou(a, b) - _distance(a, b, eps)


def _ciou(a, b, eps):
    iou = _iou(a, b)
    v = 4 / np.pi**2 * (_angle(a) - _angle(b)) ** 2  # from 0 (one shape) to 1 (a flat line and an upright one)
    alpha = _quotient(v, 1 - iou + v + eps)
    return iou - _distance(a, b, eps) - alpha * v


def _quotient(part, whole):
    """part / whole, and 0 where there is no whole."""
    return part / np.where(whole > 0, whole, np.inf)


def _hull(a, b):
    """Width and height of the smallest box around both."""
    return np.maximum(a[2], b[2]) - np.minimum(a[0], b[0]), np.maximum(a[3], b[3]) - np.minimum(a[1], b[1])


def _distance(a, b, eps):
    """Squared distance of the centers over the squared diagonal of the box around both."""
    rho2 = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    width, height = _hull(a, b)
    return _quotient(rho2, width**2 + height**2 + eps)


def _angle(box):
    """arctan(width / height), from 0 for a vertical line to pi / 2 for a horizontal one."""
    return np.arctan2(box[2] - box[0], box[3] - box[1])


def _checked(boxes1, boxes2, eps):
    check_number("eps", eps, at_least=0)
    boxes1, boxes2 = _check_tensor("boxes1", boxes1), _check_tensor("boxes2", boxes2)
    if boxes1.shape != boxes2.shape:
        raise ValueError(f"boxes1 and boxes2 must have one shape, got {tuple(boxes1.shape)} and {tuple(boxes2.shape)}")
    return boxes1, boxes2, eps


def _compare(boxes1, boxes2, eps):
    """IoU and union of each pair, size of the box around both, and the distance term of DIoU."""
    (x1, y1, x2, y2), (u1, v1, u2, v2) = boxes1.unbind(-1), boxes2.unbind(-1)
    width = (torch.minimum(x2, u2) - torch.maximum(x1, u1)).relu()
    height = (torch.minimum(y2, v2) - torch.maximum(y1, v1)).relu()
    hull = torch.maximum(x2, u2) - torch.minimum(x1, u1), torch.maximum(y2, v2) - torch.minimum(y1, v1)
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - width * height
    rho2 = ((x1 + x2 - u1 - u2).square() + (y1 + y2 - v1 - v2).square()) / 4
    iou = _share(width * height, union + eps)
    return iou, union, hull, _share(rho2, hull[0].square() + hull[1].square() + eps)


def _share(part, whole):
    """part / whole, and 0, without a gradient, where there is no whole."""
    return part / torch.where(whole > 0, whole, torch.inf)


def _check_tensor(name, boxes):
    if not isinstance(boxes, torch.Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(boxes).__name__}")
    if boxes.ndim not in (1, 2) or boxes.shape[-1] != 4:
        raise ValueError(f"{name} must have shape (n, 4) or (4,), got {tuple(boxes.shape)}")
    if boxes.is_complex():
        raise ValueError(f"{name} must hold real numbers, got {boxes.dtype}")
    if not boxes.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity; drop or repair those entries")
    _refuse_inverted(name, boxes[..., 2:] < boxes[..., :2])
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()


def _size(boxes):
    return boxes[..., 2:] - boxes[..., :2]


def _reduced(loss, reduction):
    check_choice("reduction", reduction, ("none", "mean", "sum"))
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" and loss.numel() else loss.sum()  # 0 / 0 would be NaN
