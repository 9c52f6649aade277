"""Topic 18: pairwise IoU, non-maximum suppression, and the CIoU loss with its gradient."""

import numpy as np
import torch
from hypothesis import strategies as st

from ...algorithms import boxes
from . import Exercise


def rows(corners, sizes):
    """Draw one box whose corner and size are among these numbers."""
    drawn = st.tuples(*[st.sampled_from(corners)] * 2, *[st.sampled_from(sizes)] * 2)
    return drawn.map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3]))


def tables(row, smallest, largest):
    """Draw a few boxes."""
    return st.lists(row, min_size=smallest, max_size=largest).map(lambda drawn: np.array(drawn, dtype=float))


SMALL_BOX = rows([0, 1, 2, 0.5], [1, 2, 0.5])
ANY_BOX = rows([0, 1, 3, -2.25, 0.25, 0.25 + 2**-14, 1000, -1000], [0, 1, 0.75, 4, 2**-10, 1000])

BESIDE_A_HALF = rows([0, 1], [1, 2, 2 - 2**-12, 1 + 2**-12])  # what rounding would move across a threshold
FOUR = "sizes1 one1: four coordinates"
CROWDED_BOX = rows([0, 0.5, 1, -0.25, 2**-10, 100], [1, 2, 2 - 2**-12, 0.25, 4])

# --- pairwise IoU ----------------------------------------------------------------------------------------------------

box_iou = Exercise(
    id="boxes/box_iou",
    signature="box_iou(boxes1, boxes2) -> iou",
    task="Return the (n, m) matrix of the IoU of every row of boxes1 with every row of boxes2; rows are x1, y1, x2, "
    "y2. A box without area has IoU 0 with everything.",
    task_zh="计算 boxes1 每一行与 boxes2 每一行的 IoU，返回 (n, m) 矩阵；每行为 x1, y1, x2, y2。"
    "面积为零的框与任何框的 IoU 都是 0。",
    reference=boxes.box_iou,
    tiers=(
        st.tuples(tables(SMALL_BOX, 2, 3), tables(SMALL_BOX, 2, 3)),
        st.tuples(tables(ANY_BOX, 1, 6), tables(ANY_BOX, 1, 6)),
    ),
    narrow={"boxes1": FOUR, "boxes2": FOUR},
    cost="O(n m): a few operations for each pair",
    hints=(
        "Where do two boxes overlap along x? From the larger of the left sides to the smaller of the right sides.",
        "Add an axis, boxes1[:, None], to compare all pairs; an overlap below 0 counts as 0.",
        "low = np.maximum(a[:, None, :2], b[:, :2]); high = np.minimum(a[:, None, 2:], b[:, 2:]); "
        "inter = (high - low).clip(0).prod(-1); divide by the two areas less inter, where that is above 0.",
    ),
)


def overlap_and_areas(boxes1, boxes2):
    low = np.maximum(boxes1[:, None, :2], boxes2[:, :2])
    high = np.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    areas = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (boxes1, boxes2)]
    return (high - low).clip(0).prod(-1), areas[0][:, None], areas[1]


@box_iou.right
def broadcast(boxes1, boxes2):
    low = np.maximum(boxes1[:, None, :2], boxes2[:, :2])
    high = np.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    intersection = (high - low).clip(0).prod(-1)
    area1, area2 = ((b[:, 2:] - b[:, :2]).prod(-1) for b in (boxes1, boxes2))
    union = area1[:, None] + area2 - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


@box_iou.right
def pair_by_pair(boxes1, boxes2):
    result = np.zeros((len(boxes1), len(boxes2)))
    for i, a in enumerate(boxes1):
        for j, b in enumerate(boxes2):
            width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            if width > 0 and height > 0:
                both = width * height
                result[i, j] = both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
    return result


@box_iou.wrong("Boxes apart along both axes: two negative lengths give a positive product. Cut each at 0 first.")
def not_cut_at_zero(boxes1, boxes2):
    low = np.maximum(boxes1[:, None, :2], boxes2[:, :2])
    high = np.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    _, area1, area2 = overlap_and_areas(boxes1, boxes2)
    intersection = (high - low).prod(-1)
    union = area1 + area2 - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


@box_iou.wrong("The sum of the areas counts the overlap twice: take it off once.")
def overlap_counted_twice(boxes1, boxes2):
    intersection, area1, area2 = overlap_and_areas(boxes1, boxes2)
    return intersection / np.maximum(area1 + area2, 1e-300)


@box_iou.wrong("A width is x2 - x1. Adding 1 counts pixels whose last one is included; these boxes have real sides.")
def one_pixel_more(boxes1, boxes2):
    wider = [np.hstack([b[:, :2], b[:, 2:] + 1]) for b in (boxes1, boxes2)]
    return broadcast(*wider)


@box_iou.wrong("0 / 0 where neither box has area. Divide only where the union is above 0.")
def zero_by_zero(boxes1, boxes2):
    intersection, area1, area2 = overlap_and_areas(boxes1, boxes2)
    with np.errstate(invalid="ignore"):
        return intersection / (area1 + area2 - intersection)


@box_iou.wrong("Dividing by the smaller area is another measure: a box inside another would score 1.")
def over_the_smaller(boxes1, boxes2):
    intersection, area1, area2 = overlap_and_areas(boxes1, boxes2)
    return intersection / np.maximum(np.minimum(area1, area2), 1e-300)


@box_iou.wrong("Rows belong to boxes1 and columns to boxes2. Here it is the other way round.")
def transposed(boxes1, boxes2):
    return broadcast(boxes2, boxes1)


# --- non-maximum suppression -----------------------------------------------------------------------------------------


def detections(row, smallest, largest):
    """Draw boxes, scores without ties, and a threshold."""
    scores = [0.5, 0.75, 0.25, 0.25 + 2**-14, 0.2500000001, 1.5, 2**-10, 0.0, -0.5, 100.0]
    return st.integers(smallest, largest).flatmap(
        lambda n: st.tuples(
            tables(row, n, n),
            st.lists(st.sampled_from(scores), min_size=n, max_size=n, unique=True).map(np.array),
            st.sampled_from([0.5, 0.3, 1 / 3, 0.0, 0.05, 0.4999]),
        )
    )


nms = Exercise(
    id="boxes/nms",
    signature="nms(boxes, scores, iou_threshold) -> keep",
    task="Non-maximum suppression. Return the indices of the kept boxes, highest score first. A box goes if its IoU "
    "with a kept box of higher score is greater than iou_threshold. No two scores are equal.",
    task_zh="非极大值抑制：返回保留框的下标，按分数从高到低。"
    "若某框与一个分数更高的保留框的 IoU 大于 iou_threshold，则去掉它。分数互不相同。",
    reference=boxes.nms,
    tiers=(detections(SMALL_BOX, 3, 5), detections(CROWDED_BOX, 1, 9), detections(BESIDE_A_HALF, 2, 6)),
    narrow={"boxes": FOUR, "scores": "repeated: the order of equal scores would be a matter of taste"},
    cost="O(n log n + n k) for k boxes kept: the sort, then one row of IoU for each",
    hints=(
        "Greedy: the best box left is kept, and takes out what overlaps it too much. Repeat with what is left.",
        "Keep an array of candidates in the order of their scores and shorten it in every round.",
        "order = np.argsort(-scores); while len(order): keep order[0]; order = order[1:] where the IoU with it is "
        "<= iou_threshold.",
    ),
)


@nms.right
def shrinking_order(boxes, scores, iou_threshold):
    order, keep = np.argsort(-scores), []
    while len(order):
        best, order = order[0], order[1:]
        keep.append(best)
        order = order[broadcast(boxes[[best]], boxes[order])[0] <= iou_threshold]
    return np.array(keep)


@nms.right
def ask_the_kept(boxes, scores, iou_threshold):
    iou, keep = broadcast(boxes, boxes), []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if all(iou[i, j] <= iou_threshold for j in keep):
            keep.append(i)
    return keep


@nms.wrong("An IoU equal to the threshold does not drop a box: greater than, not at least.")
def at_least(boxes, scores, iou_threshold):
    iou, keep = broadcast(boxes, boxes), []
    for i in np.argsort(-scores):
        if all(iou[i, j] < iou_threshold for j in keep):
            keep.append(i)
    return keep


@nms.wrong("Start with the highest score. Here the lowest comes first.")
def lowest_first(boxes, scores, iou_threshold):
    return shrinking_order(boxes, -scores, iou_threshold)


@nms.wrong("Only kept boxes suppress. A box that was dropped itself must not drop others.")
def dropped_boxes_suppress(boxes, scores, iou_threshold):
    order = np.argsort(-scores)
    too_much = np.triu(broadcast(boxes[order], boxes[order]) > iou_threshold, 1)
    return order[~too_much.any(axis=0)]


@nms.wrong("The kept boxes come in the order of their scores, not of their rows.")
def in_order_of_rows(boxes, scores, iou_threshold):
    return np.sort(shrinking_order(boxes, scores, iou_threshold))


@nms.wrong("Return indices of the kept boxes, not a mask over all of them.")
def a_mask(boxes, scores, iou_threshold):
    return np.isin(np.arange(len(scores)), shrinking_order(boxes, scores, iou_threshold))


@nms.wrong("One round is not enough: what is left after the best box can still overlap each other.")
def one_round(boxes, scores, iou_threshold):
    order = np.argsort(-scores)
    iou = broadcast(boxes[order[:1]], boxes[order[1:]])[0] if len(order) > 1 else np.empty(0)
    return np.r_[order[:1], order[1:][iou <= iou_threshold]]


# --- the CIoU loss ---------------------------------------------------------------------------------------------------


def complete_iou_loss(prediction, target):
    """Ours, without the eps that guards empty boxes."""
    return boxes.complete_box_iou_loss(prediction, target, eps=0)


def pairs(smallest, largest):
    """Draw as many predictions as targets; no two sides lie on one line, where gradients are a matter of taste."""
    prediction = rows([0.0625, 0.0625 + 2**-14, 1.5, -3.25, 100.0625], [1, 2, 4, 0.375, 1.25 + 2**-14, 200.375])
    target = rows([0, 1, 2.125, -3, 2**-10, 100], [1, 3, 0.6875, 150])
    drawn = st.lists(st.tuples(prediction, target), min_size=smallest, max_size=largest)
    return drawn.map(lambda both: tuple(np.array(side, dtype=float) for side in zip(*both, strict=True)))


ciou_loss = Exercise(
    id="boxes/ciou_loss",
    signature="ciou_loss(prediction, target) -> loss",
    task="Return 1 - CIoU of each pair of rows, shape (n,), in torch. v is 4 / pi^2 times the squared difference of "
    "arctan(w / h), alpha is v / (1 - IoU + v), and no gradient flows through alpha. All boxes have area.",
    task_zh="用 torch 逐行计算 1 - CIoU，形状 (n,)。v 等于 4 / pi^2 乘以 arctan(w / h) 之差的平方，"
    "alpha = v / (1 - IoU + v)，alpha 不参与求导。所有框的面积都大于零。",
    reference=complete_iou_loss,
    tiers=(pairs(2, 3), pairs(1, 6)),
    tensors=True,
    gradient=("prediction",),
    narrow={
        "prediction": "sizes1 one1 zero small: four coordinates, none on a line with one of target",
        "target": FOUR,
    },
    cost="O(n), with two arc tangents for each box",
    hints=(
        "Three terms are added: 1 - IoU, the squared distance of the centers over the squared diagonal, alpha times v.",
        "The diagonal is that of the smallest box around both. Write alpha under torch.no_grad() or detach it.",
        "hull = torch.maximum(high1, high2) - torch.minimum(low1, low2); rho2 = ((low1 + high1 - low2 - high2) / 2)"
        ".square().sum(-1); loss = 1 - iou + rho2 / hull.square().sum(-1) + alpha.detach() * v.",
    ),
)


def terms(prediction, target):
    """IoU, squared distance of the centers, size of the box around both, v."""
    low1, high1, low2, high2 = prediction[:, :2], prediction[:, 2:], target[:, :2], target[:, 2:]
    both = (torch.minimum(high1, high2) - torch.maximum(low1, low2)).clamp(min=0).prod(-1)
    size1, size2 = high1 - low1, high2 - low2
    iou = both / (size1.prod(-1) + size2.prod(-1) - both)
    rho2 = ((low1 + high1 - low2 - high2) / 2).square().sum(-1)
    hull = torch.maximum(high1, high2) - torch.minimum(low1, low2)
    angle = torch.atan(size1[:, 0] / size1[:, 1]) - torch.atan(size2[:, 0] / size2[:, 1])
    return iou, rho2, hull, 4 / torch.pi**2 * angle.square()


@ciou_loss.right
def by_the_formula(prediction, target):
    low1, high1, low2, high2 = prediction[:, :2], prediction[:, 2:], target[:, :2], target[:, 2:]
    both = (torch.minimum(high1, high2) - torch.maximum(low1, low2)).clamp(min=0).prod(-1)
    size1, size2 = high1 - low1, high2 - low2
    iou = both / (size1.prod(-1) + size2.prod(-1) - both)
    rho2 = ((low1 + high1 - low2 - high2) / 2).square().sum(-1)
    hull = torch.maximum(high1, high2) - torch.minimum(low1, low2)
    angle = torch.atan(size1[:, 0] / size1[:, 1]) - torch.atan(size2[:, 0] / size2[:, 1])
    v = 4 / torch.pi**2 * angle.square()
    alpha = (v / (1 - iou + v)).detach()
    return 1 - iou + rho2 / hull.square().sum(-1) + alpha * v


@ciou_loss.right
def coordinate_by_coordinate(prediction, target):
    (ax, ay, bx, by), (cx, cy, dx, dy) = prediction.unbind(-1), target.unbind(-1)
    both = (torch.min(bx, dx) - torch.max(ax, cx)).clamp(0) * (torch.min(by, dy) - torch.max(ay, cy)).clamp(0)
    iou = both / ((bx - ax) * (by - ay) + (dx - cx) * (dy - cy) - both)
    rho2 = ((ax + bx - cx - dx) ** 2 + (ay + by - cy - dy) ** 2) / 4
    c2 = (torch.max(bx, dx) - torch.min(ax, cx)) ** 2 + (torch.max(by, dy) - torch.min(ay, cy)) ** 2
    v = 4 / torch.pi**2 * (torch.atan2(bx - ax, by - ay) - torch.atan2(dx - cx, dy - cy)) ** 2
    with torch.no_grad():
        alpha = v / (1 - iou + v)
    return 1 - iou + rho2 / c2 + alpha * v


@ciou_loss.wrong("The value is right, the gradient is not: alpha must count as a constant. Detach it.")
def alpha_in_the_gradient(prediction, target):
    iou, rho2, hull, v = terms(prediction, target)
    return 1 - iou + rho2 / hull.square().sum(-1) + v / (1 - iou + v) * v


@ciou_loss.wrong("The distance is not squared: rho^2 / c^2, not rho / c.")
def not_squared(prediction, target):
    iou, rho2, hull, v = terms(prediction, target)
    alpha = (v / (1 - iou + v)).detach()
    return 1 - iou + (rho2 / hull.square().sum(-1)).sqrt() + alpha * v


@ciou_loss.wrong("c is the diagonal of the box around both: divide by w^2 + h^2, not by its area.")
def over_the_area(prediction, target):
    iou, rho2, hull, v = terms(prediction, target)
    alpha = (v / (1 - iou + v)).detach()
    return 1 - iou + rho2 / hull.prod(-1) + alpha * v


@ciou_loss.wrong("The factor of v is 4 / pi^2: the difference is divided by pi / 2 before it is squared.")
def four_over_pi(prediction, target):
    iou, rho2, hull, v = terms(prediction, target)
    v = v * torch.pi
    alpha = (v / (1 - iou + v)).detach()
    return 1 - iou + rho2 / hull.square().sum(-1) + alpha * v


@ciou_loss.wrong("This is the DIoU loss: the aspect ratios are missing.")
def no_aspect_ratio(prediction, target):
    iou, rho2, hull, _ = terms(prediction, target)
    return 1 - iou + rho2 / hull.square().sum(-1)


@ciou_loss.wrong("v is weighted by alpha; here its coefficient is 1.")
def alpha_is_one(prediction, target):
    iou, rho2, hull, v = terms(prediction, target)
    return 1 - iou + rho2 / hull.square().sum(-1) + v


@ciou_loss.wrong("One loss per pair, shape (n,): do not average.")
def averaged(prediction, target):
    return by_the_formula(prediction, target).mean()
