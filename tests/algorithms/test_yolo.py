"""YOLO's grids against loops over cells, average precision against counting, and its loss against the paper's sums."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from helpers.algorithms import yolo
from helpers.algorithms.boxes import box_iou

SIZE = 320, 480  # height, width: not square


def scene(rng, n, size=SIZE):
    height, width = size
    low = rng.uniform(0, 0.7, (n, 2)) * [width, height]
    high = low + rng.uniform(0.02, 0.29, (n, 2)) * [width, height]
    return np.hstack([low, high])


# --- version 1 --------------------------------------------------------------------------------------------------------


def test_the_target_of_the_paper_has_7_x_7_x_30_numbers():
    target, kept = yolo.encode_v1([[0, 0, 64, 64]], [3], (448, 448))
    assert target.shape == (7, 7, 30) and kept.tolist() == [True]
    want = [0.5, 0.5, 1 / 7, 1 / 7, 1] * 2 + [0, 0, 0, 1] + [0] * 16
    assert_allclose(target[0, 0], want)
    assert np.count_nonzero(target) == np.count_nonzero(want)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("grid", [(7, 7), (5, 8), (9, 4)])
def test_version_1_decodes_what_it_encodes(seed, grid):
    rng = np.random.default_rng(seed)
    boxes, labels = scene(rng, 12), rng.integers(0, 6, 12)
    target, kept = yolo.encode_v1(boxes, labels, SIZE, grid, num_boxes=3, num_classes=6)
    found, scores = yolo.decode_v1(target, SIZE, num_boxes=3)
    assert found.shape == (grid[0] * grid[1] * 3, 4) and scores.shape == (grid[0] * grid[1] * 3, 6)
    for box, label, stays in zip(boxes, labels, kept, strict=True):
        same = np.abs(found - box).max(axis=1) < 1e-9
        assert same.sum() == (3 if stays else 0)
        assert not stays or (scores[same] == np.eye(6)[label]).all()
    assert (scores.max(axis=1) > 0).sum() == 3 * kept.sum()


def test_the_first_object_keeps_its_cell():
    boxes = [[0, 0, 10, 10], [2, 2, 12, 12], [300, 200, 400, 300]]
    target, kept = yolo.encode_v1(boxes, [1, 2, 0], SIZE, num_classes=3)
    assert kept.tolist() == [True, False, True]
    assert target[0, 0, 10:].tolist() == [0, 1, 0]


def test_a_center_on_the_last_edge_belongs_to_the_last_cell():
    target, _ = yolo.encode_v1([[480, 320, 480, 320]], [0], SIZE, (2, 3), 1, 1)
    assert target[1, 2].tolist() == [1, 1, 0, 0, 1, 1]
    assert np.count_nonzero(target) == 4


def test_rows_count_y_and_columns_x():
    output = np.zeros((2, 3, 6))
    output[1, 2] = [0.5, 0.25, 0.1, 0.2, 0.5, 0.8]
    boxes, scores = yolo.decode_v1(output, (100, 300), 1)
    assert_allclose(boxes[5], [250 - 15, 62.5 - 10, 250 + 15, 62.5 + 10])
    assert_allclose(scores[5], [0.4])
    output[1, 2, 2] = -1
    assert_allclose(yolo.decode_v1(output, (100, 300), 1)[0][5], [250, 52.5, 250, 72.5])


def test_a_scene_without_objects():
    target, kept = yolo.encode_v1(np.empty((0, 4)), [], SIZE)
    assert not target.any() and kept.shape == (0,)


def loss_by_the_paper(output, target, B, coord, noobj):
    """Equation 3 cell by cell."""
    rows, columns, _ = output.shape
    place = objects = background = classes = 0.0
    for i in range(rows):
        for j in range(columns):
            o, t = output[i, j], target[i, j]
            corners = []
            for b in range(B):
                pair = []
                for cell in (o, t):
                    x, y, w, h = cell[5 * b : 5 * b + 4]
                    x, y = (j + x) / columns, (i + y) / rows
                    pair.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
                corners.append(box_iou([pair[0]], [pair[1]])[0, 0])
            answers = int(np.argmax(corners)) if t[4] else None
            for b in range(B):
                c = o[5 * b + 4]
                if b != answers:
                    background += noobj * c**2
                    continue
                objects += (c - corners[b]) ** 2
                place += coord * ((o[5 * b : 5 * b + 2] - t[:2]) ** 2).sum()
                place += coord * ((np.sqrt(o[5 * b + 2 : 5 * b + 4]) - np.sqrt(t[2:4])) ** 2).sum()
            if t[4]:
                classes += ((o[5 * B :] - t[5 * B :]) ** 2).sum()
    return place + objects + background + classes, place, objects, background, classes


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("B", "coord", "noobj"), [(2, 5.0, 0.5), (3, 1.0, 2.0), (1, 0.0, 0.0)])
def test_the_loss_is_the_papers_sum(seed, B, coord, noobj):
    rng = np.random.default_rng(seed)
    target, _ = yolo.encode_v1(scene(rng, 8), rng.integers(0, 4, 8), SIZE, (4, 6), B, 4)
    output = (target + rng.uniform(0, 0.4, target.shape)).clip(0.02)
    ours = yolo.yolo_v1_loss(torch.tensor(output), torch.tensor(target), B, coord, noobj)
    assert_allclose([part.item() for part in ours], loss_by_the_paper(output, target, B, coord, noobj), rtol=1e-4)


def test_the_loss_takes_a_batch_and_has_a_gradient_everywhere():
    target = torch.from_numpy(yolo.encode_v1([[0, 0, 64, 64]], [3], (448, 448))[0])
    output = torch.full((2, 7, 7, 30), -0.1, dtype=torch.float64, requires_grad=True)
    both = yolo.yolo_v1_loss(output, target.expand(2, -1, -1, -1)).total
    assert_allclose(both.item(), 2 * yolo.yolo_v1_loss(output[0], target).total.item())
    both.backward()
    assert output.grad.isfinite().all() and (output.grad[0, 0, 0, 2:4] < 0).all()
    perfect = yolo.yolo_v1_loss(target, target)
    assert perfect.localization == 0 and perfect.classes == 0 and perfect.objects < 1e-20
    assert perfect.background == 0.5  # the second box of the cell does not answer, and is sure all the same


def test_the_root_weighs_small_boxes_more():
    errors = []
    for side in (0.1, 0.8):
        target = torch.zeros(1, 1, 6, dtype=torch.float64)
        target[0, 0] = torch.tensor([0.5, 0.5, side, side, 1, 1])
        output = target.clone()
        output[..., 2] += 0.05
        errors.append(yolo.yolo_v1_loss(output, target, 1).localization.item())
    assert errors[0] > 5 * errors[1]


# --- version 3 --------------------------------------------------------------------------------------------------------


def test_three_scales_have_10647_boxes_at_416():
    assert sum(3 * (416 // stride) ** 2 for stride in yolo.STRIDES) == 10_647
    assert len(yolo.ANCHORS) == 9


def decode_by_loops(output, anchors, stride):
    boxes, scores = [], []
    for i, line in enumerate(output):
        for j, cell in enumerate(line):
            for t, (pw, ph) in zip(cell, anchors, strict=True):
                s = 1 / (1 + np.exp(-t))
                x, y, w, h = (j + s[0]) * stride, (i + s[1]) * stride, pw * np.exp(t[2]), ph * np.exp(t[3])
                boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
                scores.append(s[4] * s[5:])
    return boxes, scores


@pytest.mark.parametrize("shape", [(3, 5, 2, 7), (4, 1, 3, 6), (1, 6, 1, 5)])
def test_version_3_decodes_as_loops_do(shape):
    rng = np.random.default_rng(0)
    output, anchors = rng.normal(size=shape), rng.uniform(5, 90, (shape[2], 2))
    for ours, theirs in zip(yolo.decode_v3(output, anchors, 16), decode_by_loops(output, anchors, 16), strict=True):
        assert_allclose(ours, theirs, atol=1e-10)


def test_large_outputs_stay_finite():
    output = np.full((1, 1, 1, 6), 1000.0)
    with np.errstate(over="raise", invalid="raise"):
        for sign in (1, -1):
            boxes, scores = yolo.decode_v3(sign * output, [[10, 10]], 8)
            assert np.isfinite(boxes).all() and scores[0, 0] == (sign > 0)


@pytest.mark.parametrize("seed", range(5))
def test_version_3_decodes_what_it_encodes(seed):
    boxes = scene(np.random.default_rng(seed), 20)
    where, t = yolo.encode_v3(boxes, SIZE)
    for box, (scale, row, column, anchor), each in zip(boxes, where, t, strict=True):
        stride = yolo.STRIDES[scale]
        output = np.zeros((SIZE[0] // stride, SIZE[1] // stride, 3, 6))
        output[row, column, anchor, :4] = each
        found, _ = yolo.decode_v3(output, yolo.ANCHORS[3 * scale : 3 * scale + 3], stride)
        assert_allclose(found.reshape(*output.shape[:3], 4)[row, column, anchor], box, atol=1e-4)


def test_the_anchor_of_the_nearest_shape_answers():
    where, t = yolo.encode_v3([[100, 50, 110, 63], [0, 0, 373, 320]], SIZE)
    assert where.tolist() == [[0, 7, 13, 0], [2, 5, 5, 2]]
    assert_allclose(t[0], [np.log(0.125 / 0.875), np.log(0.0625 / 0.9375), 0, 0], atol=1e-12)
    where, t = yolo.encode_v3([[470, 310, 480, 320], [460, 300, 480, 320], [476, 316, 480, 320]], SIZE)
    assert (where[:, 1:3] <= [39, 59]).all()
    edge, t = yolo.encode_v3([[16, 16, 32, 32]], (32, 32), [[16, 16]], [8])
    assert edge.tolist() == [[0, 3, 3, 0]] and np.isfinite(t).all() and t[0, 0] < -13
    assert yolo.encode_v3(np.empty((0, 4)), SIZE)[0].shape == (0, 4)


def test_anchors_are_assigned_by_iou_of_centered_boxes():
    rng = np.random.default_rng(1)
    sizes, anchors = rng.uniform(1, 100, (50, 2)), rng.uniform(1, 100, (7, 2))
    centered = [np.hstack([-s / 2, s / 2]) for s in (sizes, anchors)]
    assert_array_equal(yolo.assign_anchors(sizes, anchors), box_iou(*centered).argmax(axis=1))
    assert yolo.assign_anchors([[2, 2]], [[2, 1], [1, 2]]).tolist() == [0]


# --- average precision ------------------------------------------------------------------------------------------------


def by_counting(scores, matches, num_truths, points):
    """Average precision by its words, in fractions."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    curve, seen = [], set()
    for rank, i in enumerate(order, 1):
        if matches[i] >= 0:
            seen.add(matches[i])
        curve.append((Fraction(len(seen), num_truths), Fraction(len(seen), rank)))

    def precision_at(recall):
        return max((p for r, p in curve if r >= recall), default=0)

    if points:
        return float(sum(precision_at(Fraction(k, points - 1)) for k in range(points)) / points)
    return float(sum(precision_at(Fraction(k, num_truths)) for k in range(1, num_truths + 1)) / num_truths)


@pytest.mark.parametrize("points", [0, 11, 101, 2, 5])
@pytest.mark.parametrize("seed", range(20))
def test_average_precision_equals_a_count(points, seed):
    rng = np.random.default_rng(seed)
    n, truths = rng.integers(0, 30), int(rng.integers(1, 13))
    scores, matches = rng.integers(0, 8, n) / 8, rng.integers(-1, truths, n)
    ours = yolo.average_precision(scores, matches, truths, points)
    assert ours == pytest.approx(by_counting(scores, matches, truths, points), abs=1e-12)


def test_average_precision_by_hand():
    scores, matches = [0.9, 0.8, 0.7, 0.6], [0, -1, 1, 0]
    precision, recall = yolo.precision_recall(scores, matches, 3)
    assert_allclose(precision, [1, 1 / 2, 2 / 3, 1 / 2])
    assert_allclose(recall, [1 / 3, 1 / 3, 2 / 3, 2 / 3])
    assert yolo.average_precision(scores, matches, 3) == pytest.approx((1 + 2 / 3) / 3)
    assert yolo.average_precision(scores, matches, 3, 11) == pytest.approx((4 + 3 * 2 / 3) / 11)
    assert yolo.average_precision(scores, matches, 3, 101) == pytest.approx((34 + 33 * 2 / 3) / 101)
    assert np.isnan(yolo.average_precision([0.5], [-1], 0))
    assert yolo.average_precision([], [], 4) == 0
    assert yolo.average_precision([0.5, 0.4], [0, 0], 1) == 1


def test_detections_name_the_object_that_they_overlap_most():
    truths = [[0, 0, 10, 10], [5, 0, 15, 10]]
    boxes = [[1, 0, 11, 10], [5, 0, 15, 11], [50, 50, 60, 60], [0, 0, 10, 5]]
    assert yolo.match_detections(boxes, truths).tolist() == [0, 1, -1, 0]
    assert yolo.match_detections(boxes, truths, 0.6).tolist() == [0, 1, -1, -1]
    assert yolo.match_detections(boxes, np.empty((0, 4))).tolist() == [-1] * 4
    assert yolo.match_detections(np.empty((0, 4)), truths).shape == (0,)


# --- bad input --------------------------------------------------------------------------------------------------------

BOX, NAN, TARGET = [[0, 0, 5, 5]], float("nan"), torch.zeros(2, 2, 11)
BAD = [
    (yolo.encode_v1, "boxes", (([[0, 0, 5]], [0], SIZE))),
    (yolo.encode_v1, "boxes", (([[0, 0, NAN, 5]], [0], SIZE))),
    (yolo.encode_v1, "boxes", (([[5, 5, 0, 0]], [0], SIZE))),
    (yolo.encode_v1, "boxes", (([[0, 0, 5, 321]], [0], SIZE))),
    (yolo.encode_v1, "boxes", (([[-1, 0, 5, 5]], [0], SIZE))),
    (yolo.encode_v1, "labels", (BOX, [20], SIZE)),
    (yolo.encode_v1, "labels", (BOX, [-1], SIZE)),
    (yolo.encode_v1, "labels", (BOX, [0.5], SIZE)),
    (yolo.encode_v1, "labels", (BOX, [0, 1], SIZE)),
    (yolo.encode_v1, "image_size", (BOX, [0], 320)),
    (yolo.encode_v1, "image_size", (BOX, [0], (320, 0))),
    (yolo.encode_v1, "grid", (BOX, [0], SIZE, 7)),
    (yolo.encode_v1, "grid", (BOX, [0], SIZE, (7, 7, 7))),
    (yolo.encode_v1, "num_boxes", (BOX, [0], SIZE, (7, 7), 0)),
    (yolo.encode_v1, "num_classes", (BOX, [0], SIZE, (7, 7), 2, 0)),
    (yolo.decode_v1, "output", (np.zeros((7, 7)), SIZE)),
    (yolo.decode_v1, "output", (np.zeros((7, 7, 10)), SIZE)),
    (yolo.decode_v1, "num_boxes", (np.zeros((7, 7, 30)), SIZE, 0)),
    (yolo.decode_v1, "image_size", (np.zeros((7, 7, 30)), None)),
    (yolo.yolo_v1_loss, "output", (np.zeros((2, 2, 11)), TARGET)),
    (yolo.yolo_v1_loss, "target", (TARGET, TARGET.long())),
    (yolo.yolo_v1_loss, "output", (TARGET[0], TARGET)),
    (yolo.yolo_v1_loss, "output", (TARGET * NAN, TARGET)),
    (yolo.yolo_v1_loss, "one shape", (TARGET, TARGET[:1])),
    (yolo.yolo_v1_loss, "one shape", (TARGET[..., :10], TARGET[..., :10])),
    (yolo.yolo_v1_loss, "num_boxes", (TARGET, TARGET, 0)),
    (yolo.yolo_v1_loss, "coord", (TARGET, TARGET, 2, -1)),
    (yolo.yolo_v1_loss, "noobj", (TARGET, TARGET, 2, 5, -1)),
    (yolo.assign_anchors, "sizes", ([[0, 1]],)),
    (yolo.assign_anchors, "sizes", ([[1, 1, 1]],)),
    (yolo.assign_anchors, "anchors", ([[1, 1]], [[1, -1]])),
    (yolo.encode_v3, "boxes", ([[0, 0, 0, 5]], SIZE)),
    (yolo.encode_v3, "boxes", ([[3, 0, 3, 5]], SIZE)),
    (yolo.encode_v3, "image_size", (BOX, (321, 480))),
    (yolo.encode_v3, "anchors", (BOX, SIZE, yolo.ANCHORS[:8])),
    (yolo.encode_v3, "anchors", (BOX, SIZE, yolo.ANCHORS, [])),
    (yolo.encode_v3, "strides", (BOX, SIZE, yolo.ANCHORS, [0, 16, 32])),
    (yolo.decode_v3, "output", (np.zeros((2, 2, 2, 5)), [[1, 1]], 8)),
    (yolo.decode_v3, "output", (np.zeros((2, 2, 1, 4)), [[1, 1]], 8)),
    (yolo.decode_v3, "anchors", (np.zeros((2, 2, 1, 5)), [[0, 1]], 8)),
    (yolo.decode_v3, "stride", (np.zeros((2, 2, 1, 5)), [[1, 1]], 0)),
    (yolo.match_detections, "boxes", ([[0, 0, 1]], BOX)),
    (yolo.match_detections, "iou_threshold", (BOX, BOX, 0)),
    (yolo.match_detections, "iou_threshold", (BOX, BOX, 1.1)),
    (yolo.precision_recall, "num_truths", ([0.5], [0], 0)),
    (yolo.average_precision, "num_truths", ([0.5], [0], -1)),
    (yolo.average_precision, "matches", ([0.5], [1], 1)),
    (yolo.average_precision, "matches", ([0.5], [-2], 1)),
    (yolo.average_precision, "same length", ([0.5], [0, 0], 1)),
    (yolo.average_precision, "scores", ([NAN], [0], 1)),
    (yolo.average_precision, "points", ([0.5], [0], 1, 1)),
    (yolo.average_precision, "points", ([0.5], [0], 1, -1)),
]


@pytest.mark.parametrize(("function", "named", "arguments"), BAD)
def test_bad_input_is_named(function, named, arguments):
    with pytest.raises(ValueError, match=named):
        function(*arguments)
