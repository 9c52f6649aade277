"""Encoding against decoding and plain loops, average precision against a brute-force count and scikit-learn."""

import math

import numpy as np
import pytest
import torch

from helpers.algorithms import yolo
from helpers.algorithms.boxes import box_iou


def scene(seed, n, size=448.0):
    rng = np.random.default_rng(seed)
    center, half = rng.uniform(60, size - 60, (n, 2)), rng.uniform(5, 55, (n, 2))
    return np.hstack([center - half, center + half]), rng.integers(0, 20, n)


# --- version 1 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [1, 7, 13])
def test_what_is_encoded_is_decoded_again(grid):
    boxes, labels = scene(0, 12)
    target, lost = yolo.encode_v1(boxes, labels, 448, grid)
    assert target.shape == (grid, grid, 25)
    found, scores = yolo.decode_v1(target, 448, boxes_per_cell=1)
    kept = [n for n in range(12) if n not in lost]
    assert (scores.max(axis=1) > 0).sum() == len(kept) == target[:, :, 4].sum()
    for n in kept:
        x, y = (boxes[n, :2] + boxes[n, 2:]) / 2 * grid / 448
        place = int(y) * grid + int(x)  # row by row
        np.testing.assert_allclose(found[place], boxes[n], rtol=1e-12)
        assert scores[place].argmax() == labels[n]
        assert scores[place].sum() == 1


def test_a_taken_cell_keeps_its_first_object():
    boxes = [[0, 0, 60, 60], [4, 4, 60, 60], [400, 0, 448, 60]]
    target, lost = yolo.encode_v1(boxes, [3, 4, 5], 448)
    assert lost == [1]
    assert target[0, 0, 5:].argmax() == 3
    assert target[0, 0, :4].tolist() == pytest.approx([30 / 64, 30 / 64, 60 / 448, 60 / 448])


def test_a_center_on_the_far_edge_belongs_to_the_last_cell():
    target, _ = yolo.encode_v1([[9.999999999999998, 0, 10, 4]], [0], 10, grid=5)
    assert target[1, 4, 0] == pytest.approx(1)


def test_decoding_two_boxes_a_cell():
    output = np.zeros((2, 2, 12))
    output[1, 0] = [0.5, 0.25, 0.5, 1, 0.8, 0, 1, 0.1, 0.2, 0.5, 0.3, 0.7]
    boxes, scores = yolo.decode_v1(output, 100)
    assert boxes.shape == (8, 4) and scores.shape == (8, 2)
    np.testing.assert_allclose(boxes[4], [0, 12.5, 50, 112.5])
    np.testing.assert_allclose(boxes[5], [-5, 90, 5, 110])
    np.testing.assert_allclose(scores[4:6], [[0.24, 0.56], [0.15, 0.35]])


def loss_by_loops(output, target, b, coord, noobj):
    total, grid = 0.0, len(output)
    for row in range(grid):
        for column in range(grid):
            cell, truth = output[row, column], target[row, column]
            boxes = [cell[5 * k : 5 * k + 5] for k in range(b)]
            wanted = [0.0] * b
            if truth[4] == 1:
                corners = [
                    [x / grid - w / 2, y / grid - h / 2, x / grid + w / 2, y / grid + h / 2]
                    for x, y, w, h in [*(box[:4].tolist() for box in boxes), truth[:4].tolist()]
                ]
                ious = box_iou(corners[:-1], corners[-1:])[:, 0]
                k = int(ious.argmax())
                x, y, w, h, _ = boxes[k]
                tx, ty, tw, th = truth[:4]
                total += coord * ((x - tx) ** 2 + (y - ty) ** 2)
                total += coord * ((math.sqrt(w) - math.sqrt(tw)) ** 2 + (math.sqrt(h) - math.sqrt(th)) ** 2)
                total += (boxes[k][4] - ious[k]) ** 2 + ((cell[5 * b :] - truth[5:]) ** 2).sum()
                wanted[k] = None
            total += noobj * sum(box[4] ** 2 for box, w in zip(boxes, wanted, strict=True) if w == 0)
    return total


@pytest.mark.parametrize("b", [1, 2, 3])
def test_the_loss_is_that_of_the_paper_written_as_loops(b):
    boxes, labels = scene(1, 6)
    target = torch.tensor(yolo.encode_v1(boxes, labels, 448, 5)[0])
    output = torch.tensor(np.random.default_rng(2).uniform(0.05, 1, (5, 5, 5 * b + 20)))
    for coord, noobj in ((5.0, 0.5), (2.0, 0.0)):
        ours = yolo.yolo_v1_loss(output, target, b, coord, noobj)
        assert ours.item() == pytest.approx(loss_by_loops(output.numpy(), target.numpy(), b, coord, noobj), rel=1e-9)


def test_the_loss_of_the_target_itself_is_zero_and_roots_favor_small_boxes():
    boxes, labels = scene(3, 5)
    target = torch.tensor(yolo.encode_v1(boxes, labels, 448)[0], requires_grad=True)
    loss = yolo.yolo_v1_loss(target, target.detach(), boxes_per_cell=1)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    wide = torch.zeros(1, 1, 25, dtype=torch.float64)
    costs = []
    for side in (0.1, 0.8):
        wide[0, 0, :5] = torch.tensor([0.5, 0.5, side, side, 1])
        off = wide.clone()
        off[0, 0, 2] += 0.05
        off[0, 0, 4] = side / (side + 0.05)
        costs.append(yolo.yolo_v1_loss(off, wide, boxes_per_cell=1).item())
    assert costs[0] > 5 * costs[1]
    assert costs[0] == pytest.approx(5 * (math.sqrt(0.15) - math.sqrt(0.1)) ** 2)


def test_a_gradient_reaches_boxes_of_size_zero():
    output = torch.zeros(1, 1, 25, dtype=torch.float64, requires_grad=True)
    target = torch.zeros(1, 1, 25, dtype=torch.float64)
    target[0, 0, :6] = torch.tensor([0.5, 0.5, 0.5, 0.5, 1, 1])
    yolo.yolo_v1_loss(output, target, 1).backward()
    assert output.grad.isfinite().all()


# --- version 3 -------------------------------------------------------------------------------------------------------


def test_boxes_of_version_three_cell_by_cell():
    output = torch.randn(3, 5, 2, 9, dtype=torch.float64)
    anchors = [[10.0, 20.0], [40.0, 8.0]]
    boxes = yolo.decode_v3(output, anchors, 16)
    for row, column, k in np.ndindex(3, 5, 2):
        tx, ty, tw, th = output[row, column, k, :4].tolist()
        x, y = (column + 1 / (1 + math.exp(-tx))) * 16, (row + 1 / (1 + math.exp(-ty))) * 16
        w, h = anchors[k][0] * math.exp(tw), anchors[k][1] * math.exp(th)
        wanted = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        assert boxes[row, column, k].tolist() == pytest.approx(wanted, rel=1e-12)


def test_there_are_10647_boxes():
    sides = [416 // stride for stride in yolo.STRIDES]
    assert sum(3 * side**2 for side in sides) == 10_647


def test_an_object_goes_to_the_anchor_of_its_shape():
    for number, (w, h) in enumerate(yolo.ANCHORS):
        ((best, grid, row, column),) = yolo.assign_anchors([[200 - w / 2, 100 - h / 2, 200 + w / 2, 100 + h / 2]])
        assert (best, grid) == (number, number // 3)
        assert (row, column) == (100 // (8, 16, 32)[grid], 200 // (8, 16, 32)[grid])
    boxes, _ = scene(5, 20, size=416)
    for box, (best, *_) in zip(boxes, yolo.assign_anchors(boxes), strict=True):
        w, h = box[2] - box[0], box[3] - box[1]
        at_origin = [[0, 0, a, b] for a, b in yolo.ANCHORS]
        assert best == box_iou([[0, 0, w, h]], at_origin)[0].argmax()
    assert yolo.assign_anchors(np.empty((0, 4))).shape == (0, 4)


# --- average precision -----------------------------------------------------------------------------------------------


def by_brute_force(scores, right, objects, method):
    """Count anew at every threshold; at each recall look at all thresholds that reach it."""
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    points = []
    for k in range(1, len(order) + 1):
        found = sum(bool(right[n]) for n in order[:k])
        points.append((found, found / k))

    def best(needed):
        return max((precision for found, precision in points if found >= needed - 1e-9), default=0.0)

    if method == "all-point":
        return sum(best(found) for found in range(1, objects + 1)) / objects
    steps = 10 if method == "11-point" else 100
    return sum(best(step * objects / steps) for step in range(steps + 1)) / (steps + 1)


@pytest.mark.parametrize("method", yolo.METHODS)
def test_average_precision_is_that_of_a_brute_force_count(method):
    rng = np.random.default_rng(6)
    for n in (0, 1, 2, 5, 20, 40):
        for _ in range(10):
            scores, right = rng.integers(0, 9, n) / 8, rng.random(n) < 0.5
            objects = int(right.sum() + rng.integers(0, 4)) or 1
            wanted = by_brute_force(scores.tolist(), right.tolist(), objects, method)
            assert yolo.average_precision(scores, right, objects, method) == pytest.approx(wanted, abs=1e-12)


def test_known_average_precisions():
    scores, right = [0.9, 0.8, 0.7, 0.6], [True, False, True, False]
    assert yolo.average_precision(scores, right, 4) == pytest.approx((1 + 2 / 3) / 4)
    assert yolo.average_precision(scores, right, 4, "11-point") == pytest.approx((3 + 3 * 2 / 3) / 11)
    assert yolo.average_precision(scores, right, 4, "101-point") == pytest.approx((26 + 25 * 2 / 3) / 101)
    precision, recall = yolo.precision_recall([0.1, 0.9], [False, True], 2)
    assert precision.tolist() == [1, 0.5] and recall.tolist() == [0.5, 0.5]


def test_each_object_is_found_once_and_by_the_surest():
    truth = [[0, 0, 10, 10], [20, 0, 30, 10]]
    boxes = [[0, 0, 10, 9], [0, 0, 10, 10], [21, 0, 30, 10], [50, 50, 60, 60], [0, 0, 10, 5]]
    assert yolo.match_detections(boxes, [0.5, 0.9, 0.3, 0.8, 0.95], truth).tolist() == [False, False, True, False, True]
    assert yolo.match_detections(boxes, [0.9, 0.5, 0.3, 0.8, 0.1], truth, 0.9).tolist() == [
        *[True, False, True, False, False]
    ]
    assert yolo.match_detections(boxes, [0.5] * 5, np.empty((0, 4))).tolist() == [False] * 5
    assert yolo.match_detections(np.empty((0, 4)), [], truth).tolist() == []
    crossed = yolo.match_detections([[0, 0, 10, 10], [0, 0, 10, 10]], [0.9, 0.8], [[0, 0, 10, 9], [0, 0, 10, 8]])
    assert crossed.tolist() == [True, True], "the second takes what is left"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: yolo.encode_v1([[0, 0, 5]], [0], 10), "boxes"),
        (lambda: yolo.encode_v1([[0, 0, 11, 5]], [0], 10), "boxes"),
        (lambda: yolo.encode_v1([[-1, 0, 5, 5]], [0], 10), "boxes"),
        (lambda: yolo.encode_v1([[5, 0, 5, 5]], [0], 10), "boxes"),
        (lambda: yolo.encode_v1([[0, 0, 5, 5]], [20], 10), "labels"),
        (lambda: yolo.encode_v1([[0, 0, 5, 5]], [0.5], 10), "labels"),
        (lambda: yolo.encode_v1([[0, 0, 5, 5]], [0, 1], 10), "the arguments"),
        (lambda: yolo.encode_v1([[0, 0, 5, 5]], [0], 0), "size"),
        (lambda: yolo.encode_v1([[0, 0, 5, 5]], [0], 10, 0), "grid"),
        (lambda: yolo.encode_v1([[0, 0, 5, 5]], [0], 10, 7, 0), "classes"),
        (lambda: yolo.decode_v1(np.zeros((2, 3, 30)), 10), "output"),
        (lambda: yolo.decode_v1(np.zeros((2, 2, 10)), 10), "output"),
        (lambda: yolo.decode_v1(np.zeros((2, 2, 30)), -1), "size"),
        (lambda: yolo.decode_v1(np.zeros((2, 2, 30)), 1, 0), "boxes_per_cell"),
        (lambda: yolo.yolo_v1_loss(np.zeros((2, 2, 30)), torch.zeros(2, 2, 25)), "output"),
        (lambda: yolo.yolo_v1_loss(torch.zeros(2, 2, 30), torch.zeros(2, 2)), "target"),
        (lambda: yolo.yolo_v1_loss(torch.zeros(2, 2, 29), torch.zeros(2, 2, 25)), "output"),
        (lambda: yolo.yolo_v1_loss(torch.zeros(2, 2, 30), torch.zeros(2, 2, 25), coord=-1), "coord"),
        (lambda: yolo.decode_v3(torch.zeros(2, 2, 1, 3), [[1, 1]], 8), "output"),
        (lambda: yolo.decode_v3(torch.zeros(2, 2, 2, 4), [[1, 1]], 8), "anchors"),
        (lambda: yolo.decode_v3(torch.zeros(2, 2, 1, 4), [[1, 0]], 8), "anchors"),
        (lambda: yolo.decode_v3(torch.zeros(2, 2, 1, 4), [[1, 1]], 0), "stride"),
        (lambda: yolo.assign_anchors([[0, 0, 0, 1]]), "boxes"),
        (lambda: yolo.assign_anchors([[0, 0, 1, 1]], np.ones((4, 2))), "strides"),
        (lambda: yolo.assign_anchors([[0, 0, 1, 1]], strides=(8, 16, 0)), "strides"),
        (lambda: yolo.match_detections([[0, 0, 1, 1]], [0.5, 0.4], [[0, 0, 1, 1]]), "the arguments"),
        (lambda: yolo.match_detections([[0, 0, 1, 1]], [0.5], [[0, 0, 1, 1]], 1.5), "iou_threshold"),
        (lambda: yolo.precision_recall([0.5], [2], 1), "right"),
        (lambda: yolo.precision_recall([0.5], [True, False], 1), "the arguments"),
        (lambda: yolo.precision_recall([0.5, 0.4], [True, True], 1), "objects"),
        (lambda: yolo.precision_recall([], [], 0), "objects"),
        (lambda: yolo.precision_recall([math.nan], [True], 1), "scores"),
        (lambda: yolo.average_precision([0.5], [True], 1, "area"), "method"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()
