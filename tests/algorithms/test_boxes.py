"""Boxes against torchvision's formulas, written here once more in torch, and against counted pixels."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from helpers.algorithms import boxes as ours

FIXED = settings(derandomize=True, deadline=None, max_examples=60)
MEASURES = {
    "iou": (ours.box_iou, ours.iou_loss, 0.0),
    "giou": (ours.generalized_box_iou, ours.generalized_box_iou_loss, -1.0),
    "diou": (ours.distance_box_iou, ours.distance_box_iou_loss, -1.0),
    "ciou": (ours.complete_box_iou, ours.complete_box_iou_loss, -1.5),
}
LOSSES = [loss for _, loss, _ in MEASURES.values()]
PAIRWISE = [measure for measure, _, _ in MEASURES.values()]
POINT, UNIT = [[3.0, 3.0, 3.0, 3.0]], [[0.0, 0.0, 1.0, 1.0]]


def torchvision(boxes1, boxes2, kind, eps=1e-7):
    """Every box with every box, by the formulas of torchvision.ops.boxes."""
    a, b = boxes1[:, None], boxes2[None]
    area = [(x[..., 2] - x[..., 0]) * (x[..., 3] - x[..., 1]) for x in (a, b)]
    wh = (torch.min(a[..., 2:], b[..., 2:]) - torch.max(a[..., :2], b[..., :2])).clamp(min=0)
    intersection = wh[..., 0] * wh[..., 1]
    union = area[0] + area[1] - intersection
    iou = intersection / union
    around = torch.max(a[..., 2:], b[..., 2:]) - torch.min(a[..., :2], b[..., :2])
    if kind == "iou":
        return iou
    if kind == "giou":
        hull = around[..., 0] * around[..., 1]
        return iou - (hull - union) / hull
    centers = [(x[..., :2] + x[..., 2:]) / 2 for x in (a, b)]
    diou = iou - ((centers[0] - centers[1]) ** 2).sum(-1) / ((around**2).sum(-1) + eps)
    if kind == "diou":
        return diou
    angles = [torch.atan((x[..., 2] - x[..., 0]) / (x[..., 3] - x[..., 1])) for x in (a, b)]
    v = 4 / torch.pi**2 * (angles[0] - angles[1]) ** 2
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return diou - alpha * v


def random_boxes(rng, n, smallest=1.0):
    corner = rng.uniform(0, 100, (n, 2))
    return np.hstack([corner, corner + rng.uniform(smallest, 60, (n, 2))])


def whole_boxes(largest=8, fewest=0):
    """Boxes with whole coordinates: ties, touching sides and, unless `fewest` is 1, boxes without area are common."""
    side = st.tuples(st.integers(0, largest), st.integers(fewest, 4)).map(lambda drawn: (drawn[0], sum(drawn)))
    box = st.tuples(side, side).map(lambda xy: [xy[0][0], xy[1][0], xy[0][1], xy[1][1]])
    return st.lists(box, min_size=1, max_size=6).map(lambda rows: np.array(rows, dtype=float))


# --- the measures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MEASURES)
@pytest.mark.parametrize("seed", range(5))
def test_measures_equal_torchvisions_formulas(kind, seed):
    rng = np.random.default_rng(seed)
    a, b = random_boxes(rng, 40), random_boxes(rng, 30)
    theirs = torchvision(torch.from_numpy(a), torch.from_numpy(b), kind)
    assert_allclose(MEASURES[kind][0](a, b), theirs, atol=1e-13)


def test_values_of_torchvisions_own_tests():
    boxes = [[0, 0, 100, 100], [0, 0, 50, 50], [200, 200, 300, 300]]
    assert_allclose(ours.box_iou(boxes, boxes), [[1, 0.25, 0], [0.25, 1, 0], [0, 0, 1]])
    giou = [[1, 0.25, -0.7778], [0.25, 1, -0.8611], [-0.7778, -0.8611, 1]]
    assert_allclose(ours.generalized_box_iou(boxes, boxes), giou, atol=1e-4)
    boxes = [
        [285.3538, 185.5758, 1193.5110, 851.4551],
        [285.1472, 188.7374, 1192.4984, 851.0669],
        [279.2440, 197.9812, 1189.4746, 849.2019],
    ]
    iou = [[1, 0.9933, 0.9673], [0.9933, 1, 0.9737], [0.9673, 0.9737, 1]]
    assert_allclose(ours.box_iou(boxes, boxes), iou, atol=1e-4)


@given(whole_boxes(), whole_boxes())
@FIXED
def test_iou_and_giou_equal_counted_pixels(a, b):
    ys, xs = np.mgrid[:12, :12] + 0.5

    def pixels(box):
        return (box[0] < xs) & (xs < box[2]) & (box[1] < ys) & (ys < box[3])

    for (i, p), (j, q) in ((x, y) for x in enumerate(a) for y in enumerate(b)):
        union, both = (pixels(p) | pixels(q)).sum(), (pixels(p) & pixels(q)).sum()
        hull = pixels([*np.minimum(p, q)[:2], *np.maximum(p, q)[2:]]).sum()
        iou = both / union if union else 0
        assert ours.box_iou(a, b)[i, j] == pytest.approx(iou)
        assert ours.generalized_box_iou(a, b)[i, j] == pytest.approx(iou - ((hull - union) / hull if hull else 0))


@pytest.mark.parametrize("kind", MEASURES)
@given(whole_boxes(), whole_boxes())
@FIXED
def test_measures_stay_in_range_and_are_symmetric(kind, a, b):
    measure, _, low = MEASURES[kind]
    values = measure(a, b)
    assert np.isfinite(values).all() and (values >= low).all() and (values <= 1).all()
    assert_allclose(values, measure(b, a).T, atol=1e-12)


@pytest.mark.parametrize("kind", MEASURES)
@given(whole_boxes(fewest=1), st.floats(0.1, 100), st.floats(-50, 50))
@FIXED
def test_measures_do_not_depend_on_place_or_scale(kind, a, scale, shift):
    measure = MEASURES[kind][0]
    assert_allclose(measure(scale * a + shift, scale * a + shift), measure(a, a), atol=1e-4)
    assert_allclose(np.diag(measure(a, a)), 1)


@given(whole_boxes(), whole_boxes())
@FIXED
def test_each_penalty_only_lowers(a, b):
    iou, giou, diou, ciou = (measure(a, b) for measure, _, _ in MEASURES.values())
    assert (giou <= iou + 1e-12).all() and (diou <= iou).all() and (ciou <= diou).all()


def test_ciou_can_fall_below_minus_one():
    wide, tall = [[0.0, 0.0, 1.0, 1e-6]], [[1e4, 1e4, 1e4 + 1e-6, 1e4 + 1]]
    assert -1.5 < ours.complete_box_iou(wide, tall)[0, 0] < -1.49
    assert ours.distance_box_iou(wide, tall)[0, 0] > -1


@pytest.mark.parametrize("kind", MEASURES)
@pytest.mark.parametrize("eps", [0, 1e-7])
def test_boxes_without_area_are_finite(kind, eps):
    measure = MEASURES[kind][0]
    flat = np.array([*POINT, [3.0, 3.0, 7.0, 3.0], [3.0, 0.0, 3.0, 9.0], *UNIT])
    values = measure(flat, flat, **({"eps": eps} if kind in ("diou", "ciou") else {}))
    assert np.isfinite(values).all()
    assert_array_equal(ours.box_iou(flat, flat)[:3], 0)
    assert measure(POINT, POINT) == 0


def test_blocks_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 57), random_boxes(rng, 31)
    whole = ours.complete_box_iou(a, b)
    monkeypatch.setattr(ours, "BLOCK", 100)
    assert_array_equal(ours.complete_box_iou(a, b), whole)


def test_memory_beyond_the_result_is_bounded():
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 4000), random_boxes(rng, 4000)
    tracemalloc.start()
    try:
        result = ours.box_iou(a, b)
        assert tracemalloc.get_traced_memory()[1] < result.nbytes + 4e6
    finally:
        tracemalloc.stop()


# --- area and formats -------------------------------------------------------------------------------------------------


def test_area():
    assert_array_equal(ours.box_area([[0, 0, 100, 100], [2, 3, 2, 9], [1, 2, 4, 4]]), [10000, 0, 6])


def test_formats_by_hand():
    box = [[10.0, 20.0, 40.0, 60.0]]
    assert_array_equal(ours.box_convert(box, "xyxy", "xywh"), [[10, 20, 30, 40]])
    assert_array_equal(ours.box_convert(box, "xyxy", "cxcywh"), [[25, 40, 30, 40]])


@pytest.mark.parametrize("there", ours.FORMATS)
@pytest.mark.parametrize("back", ours.FORMATS)
def test_formats_round_trip(there, back):
    start = ours.box_convert(random_boxes(np.random.default_rng(0), 50, smallest=0), "xyxy", back)
    assert_allclose(ours.box_convert(ours.box_convert(start, back, there), there, back), start, atol=1e-12)


# --- thinning out -----------------------------------------------------------------------------------------------------


def greedy(boxes, scores, threshold):
    """NMS word for word: a box is kept if no kept box of a higher score overlaps it too much."""
    iou = torchvision(torch.from_numpy(boxes), torch.from_numpy(boxes), "iou")
    keep = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou[i, j] <= threshold for j in keep):
            keep.append(i)
    return keep


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 0.7, 1])
@pytest.mark.parametrize("seed", range(5))
def test_nms_equals_the_definition(threshold, seed):
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng, 60), rng.random(60).round(1)  # rounded: many scores tie
    assert_array_equal(ours.nms(boxes, scores, threshold), greedy(boxes, scores, threshold))


def test_nms_keeps_a_box_at_exactly_the_threshold():
    boxes = [[0, 0, 2, 1], [1, 0, 2, 1]]  # IoU 1 / 2
    assert_array_equal(ours.nms(boxes, [0.9, 0.8], 0.5), [0, 1])
    assert_array_equal(ours.nms(boxes, [0.9, 0.8], 0.499), [0])


def test_soft_nms_by_hand():
    boxes = [[0, 0, 2, 1], [1, 0, 2, 1], [5, 5, 6, 6]]
    keep, scores = ours.soft_nms(boxes, [0.9, 0.8, 0.5], method="linear")
    assert_array_equal(keep, [0, 2, 1])
    assert_allclose(scores, [0.9, 0.5, 0.4])
    keep, scores = ours.soft_nms(boxes, [0.9, 0.8, 0.5], method="gaussian")
    assert_allclose(scores, sorted([0.9, 0.8 * np.exp(-0.5), 0.5], reverse=True))
    assert_array_equal(ours.soft_nms(boxes, [0.9, 0.8, 0.5], score_threshold=0.45)[0], [0, 2])


@given(whole_boxes(fewest=1), st.integers(0, 100), st.sampled_from(["linear", "gaussian"]))
@FIXED
def test_soft_nms_only_lowers_scores(boxes, seed, method):
    before = np.random.default_rng(seed).random(len(boxes))
    keep, after = ours.soft_nms(boxes, before, method=method, score_threshold=0)
    assert sorted(keep) == list(range(len(boxes)))
    assert (after <= before[keep]).all() and (np.diff(after) <= 0).all()
    assert after[0] == before.max()


# --- the losses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MEASURES)
@pytest.mark.parametrize("seed", range(3))
def test_losses_and_gradients_equal_torchvisions_formulas(kind, seed):
    rng = np.random.default_rng(seed)
    a, b = (torch.from_numpy(random_boxes(rng, 50)) for _ in range(2))
    measure, loss, _ = MEASURES[kind]
    assert_allclose(loss(a, b), 1 - np.diag(measure(a, b)), atol=1e-9)
    gradients = []
    for value in (loss(a.requires_grad_(), b), 1 - torchvision(a, b, kind).diagonal()):
        gradients.append(torch.autograd.grad(value.sum(), a)[0])
    assert_allclose(*gradients, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES[:3])
def test_gradients_pass_gradcheck(loss):
    rng = np.random.default_rng(0)
    a, b = (torch.from_numpy(random_boxes(rng, 10)).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(loss, (a, b), atol=1e-6)


def test_only_iou_has_no_gradient_when_apart():
    apart, target = torch.tensor([10.0, 10, 12, 12], requires_grad=True), torch.tensor([0.0, 0, 2, 2])
    sizes = [torch.autograd.grad(loss(apart, target), apart)[0].abs().sum().item() for loss in LOSSES]
    assert sizes[0] == 0
    assert min(sizes[1:]) > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_gradients_of_boxes_without_area_are_finite(loss):
    flat = torch.tensor([*POINT, *POINT, [3.0, 3.0, 7.0, 3.0], [0.0, 0.0, 1.0, 0.0]], requires_grad=True)
    value = loss(flat, torch.tensor([*POINT, *UNIT, *UNIT, *UNIT]))
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), flat)[0].isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_reduction_single_boxes_and_dtypes(loss):
    a, b = (torch.from_numpy(random_boxes(np.random.default_rng(seed), 7)) for seed in (0, 1))
    assert loss(a, b).dtype == torch.float64 and loss(a.half(), b.half()).dtype == torch.float32
    assert loss(a.int(), b.int()).dtype == torch.float32
    assert_allclose(loss(a, b, reduction="mean"), loss(a, b).mean())
    assert_allclose(loss(a, b, reduction="sum"), loss(a, b).sum())
    assert_allclose(loss(a[0], b[0]), loss(a, b)[0])


def steady_loss(boxes1, boxes2, reduction):
    """The DIoU loss, its diagonal taken as a constant by the gradient."""
    around = torch.maximum(boxes1[:, 2:], boxes2[:, 2:]) - torch.minimum(boxes1[:, :2], boxes2[:, :2])
    diagonal2 = around.square().sum(-1)
    iou = ours.iou_loss(boxes1, boxes2)
    return (iou + (ours.distance_box_iou_loss(boxes1, boxes2) - iou) * diagonal2 / diagonal2.detach()).sum()


def test_regression_repeats_the_diou_papers_simulation():
    rng = np.random.default_rng(0)
    n = 400
    angle, radius = 2 * np.pi * rng.random(n), 3 * np.sqrt(rng.random(n))
    ratio, goal = rng.choice([1 / 4, 1 / 3, 1 / 2, 1, 2, 3, 4], (2, n, 1)) ** [0.5, -0.5]
    center = 10 + np.c_[radius * np.cos(angle), radius * np.sin(angle)]
    start = np.hstack([center, ratio * np.sqrt(rng.choice([0.5, 0.67, 0.75, 1, 1.33, 1.5, 2], (n, 1)))])
    target = np.hstack([np.full((n, 2), 10), goal])
    error = {}
    for name, loss in zip(["iou", "giou", "diou", "ciou", "steady"], [*LOSSES, steady_loss], strict=True):
        path = ours.regress(loss, *(ours.box_convert(boxes, "cxcywh", "xyxy") for boxes in (start, target)))
        assert path.shape == (201, n, 4) and (path[..., 2:] >= path[..., :2]).all()
        moved = ours.box_convert(path.reshape(-1, 4), "xyxy", "cxcywh").reshape(path.shape)
        error[name] = np.abs(moved - target).sum(-1)
    assert error["iou"][-1].mean() > 2, "boxes that miss never move"
    assert np.median(error["diou"][-1]) < np.median(error["giou"][-1])
    assert error["ciou"][-1].mean() < error["giou"][-1].mean()
    for step in (
        20,
        50,
    ):  # the exact gradient of DIoU is slower at first; with c held constant the paper's ranking holds
        means = [error[name][step].mean() for name in ("steady", "giou", "diou", "iou")]
        assert means == sorted(means)


# --- no boxes at all --------------------------------------------------------------------------------------------------

NONE = np.empty((0, 4))


def test_an_image_without_boxes():
    for measure in PAIRWISE:
        assert measure(NONE, UNIT).shape == (0, 1) and measure(UNIT * 3, NONE).shape == (3, 0)
        assert measure(NONE, NONE).shape == (0, 0)
    assert ours.box_area(NONE).shape == (0,)
    for there in ours.FORMATS:
        assert ours.box_convert(NONE, "xyxy", there).shape == (0, 4)
    keep = ours.nms(NONE, [], 0.5)
    assert keep.shape == (0,) and keep.dtype == np.int64
    keep, scores = ours.soft_nms(NONE, [])
    assert keep.shape == scores.shape == (0,) and keep.dtype == np.int64
    assert ours.soft_nms(UNIT, [0.1], score_threshold=0.5)[0].shape == (0,)
    assert ours.regress(ours.iou_loss, NONE, NONE, steps=2).shape == (3, 0, 4)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_of_no_boxes(loss):
    none = torch.empty((0, 4), requires_grad=True)
    assert loss(none, none).shape == (0,)
    for reduction in ("mean", "sum"):
        value = loss(none, none, reduction=reduction)
        assert value == 0
        assert torch.autograd.grad(value, none)[0].shape == (0, 4)


# --- eps, and where regress steps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MEASURES)
def test_losses_without_eps_are_finite_and_equal_the_measures(kind):
    measure, loss, _ = MEASURES[kind]
    first = np.array([*UNIT, *POINT, *POINT, [0.0, 0.0, 2.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    second = np.array([*UNIT, *POINT, *UNIT, [1.0, 0.0, 2.0, 3.0], [5.0, 5.0, 5.0, 6.0]])
    a = torch.tensor(first, requires_grad=True)
    value = loss(a, torch.tensor(second), eps=0)
    options = {"eps": 0} if kind in ("diou", "ciou") else {}
    assert_allclose(value.detach(), 1 - np.diag(measure(first, second, **options)), atol=1e-12)
    assert torch.autograd.grad(value.sum(), a)[0].isfinite().all()


def test_regression_steps_by_its_schedule():
    """Under a loss of slope 1 in every coordinate a center moves by 2 eta (2 - IoU), and IoU is 0 far away."""
    path = ours.regress(lambda boxes, goals, reduction: boxes.sum(), UNIT, [[9.0, 9.0, 10.0, 10.0]], steps=20)
    eta = -np.diff(path[:, 0, 0]) / 4
    assert_allclose(eta, [0.1] * 16 + [0.01] * 2 + [0.001] * 2, atol=1e-12)
    onto = ours.regress(lambda boxes, goals, reduction: boxes.sum(), UNIT, UNIT, steps=1)
    assert_allclose(onto[1, 0, 0], -0.2)  # IoU 1: half of the step


def test_regression_never_turns_a_box_inside_out():
    path = ours.regress(lambda boxes, goals, reduction: (9 * (boxes[:, 2:] - boxes[:, :2])).sum(), UNIT, UNIT, steps=3)
    assert_allclose(path[-1, :, 2:] - path[-1, :, :2], 1e-3)
    grown = ours.regress(lambda boxes, goals, reduction: -(boxes[:, 2:] - boxes[:, :2]).sum(), UNIT, UNIT, steps=1)
    assert_allclose(grown[1, 0, 2:] - grown[1, 0, :2], 1.1)  # size is half the difference of the corners' slopes


def test_regression_takes_reversed_and_read_only_arrays():
    boxes = random_boxes(np.random.default_rng(0), 3)
    frozen = boxes.copy()
    frozen.flags.writeable = False
    path = ours.regress(ours.distance_box_iou_loss, boxes[::-1], frozen, steps=2)
    assert_array_equal(path, ours.regress(ours.distance_box_iou_loss, boxes[::-1].copy(), boxes, steps=2))
    path[0] = 0
    assert boxes.any(), "the path is no view of the boxes"


# --- bad input --------------------------------------------------------------------------------------------------------

BAD_BOXES = {
    "inverted in x": [[2.0, 0, 1, 1]],
    "inverted in y": [[0.0, 2, 1, 1]],
    "NaN": [[np.nan, 0, 1, 1]],
    "infinite": [[0.0, 0, np.inf, 1]],
    "three columns": [[0.0, 0, 1]],
    "none, of another shape": np.empty((0, 3)),
    "no table": 3.0,
    "text": [["a", "b", "c", "d"]],
}


@pytest.mark.parametrize("bad", BAD_BOXES.values(), ids=BAD_BOXES)
def test_bad_boxes_are_refused_by_name(bad):
    for measure in PAIRWISE:
        with pytest.raises(ValueError, match="boxes1"):
            measure(bad, UNIT)
        with pytest.raises(ValueError, match="boxes2"):
            measure(UNIT, bad)
    for call in (
        lambda: ours.box_area(bad),
        lambda: ours.box_convert(bad, "xyxy", "xywh"),
        lambda: ours.nms(bad, [1.0], 0.5),
        lambda: ours.soft_nms(bad, [1.0]),
        lambda: ours.regress(ours.iou_loss, bad, UNIT),
    ):
        with pytest.raises(ValueError, match="boxes"):
            call()
    with pytest.raises(ValueError, match="targets"):
        ours.regress(ours.iou_loss, UNIT, bad)


@pytest.mark.parametrize("bad", [bad for name, bad in BAD_BOXES.items() if name != "text"])
@pytest.mark.parametrize("loss", LOSSES)
def test_bad_tensors_are_refused_by_name(loss, bad):
    bad, good = torch.as_tensor(bad), torch.tensor(UNIT)
    with pytest.raises(ValueError, match="boxes1"):
        loss(bad, good)
    with pytest.raises(ValueError, match="boxes2"):
        loss(good, bad)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("eps", lambda: ours.distance_box_iou(UNIT, UNIT, eps=-1)),
        ("eps", lambda: ours.complete_box_iou(UNIT, UNIT, eps=np.nan)),
        ("eps", lambda: ours.iou_loss(torch.tensor(UNIT), torch.tensor(UNIT), eps=-1)),
        ("reduction", lambda: ours.iou_loss(torch.tensor(UNIT), torch.tensor(UNIT), reduction="average")),
        ("boxes1", lambda: ours.iou_loss(UNIT, torch.tensor(UNIT))),
        ("boxes2", lambda: ours.iou_loss(torch.tensor(UNIT), torch.tensor(UNIT * 2))),
        ("in_fmt", lambda: ours.box_convert(UNIT, "yxyx", "xyxy")),
        ("out_fmt", lambda: ours.box_convert(UNIT, "xyxy", 4)),
        ("boxes", lambda: ours.box_convert([[0, 0, -1, 1]], "xywh", "xyxy")),
        ("iou_threshold", lambda: ours.nms(UNIT, [1], 1.1)),
        ("scores", lambda: ours.nms(UNIT, [np.nan], 0.5)),
        ("scores", lambda: ours.nms(UNIT, [1, 2], 0.5)),
        ("scores", lambda: ours.nms(UNIT, [[1]], 0.5)),
        ("scores", lambda: ours.soft_nms(UNIT, [-1])),
        ("iou_threshold", lambda: ours.soft_nms(UNIT, [1], iou_threshold=-0.1)),
        ("sigma", lambda: ours.soft_nms(UNIT, [1], sigma=0)),
        ("score_threshold", lambda: ours.soft_nms(UNIT, [1], score_threshold=-1)),
        ("method", lambda: ours.soft_nms(UNIT, [1], method="hard")),
        ("steps", lambda: ours.regress(ours.iou_loss, UNIT, UNIT, steps=0)),
        ("targets", lambda: ours.regress(ours.iou_loss, UNIT, UNIT * 2)),
    ],
)
def test_bad_parameters_are_refused_by_name(name, call):
    with pytest.raises(ValueError, match=name):
        call()
