"""Readouts of topic 22's explorers against independent counts, and what the hand moves."""

import numpy as np
import pytest

from helpers.algorithms import yolo
from helpers.algorithms.boxes import box_iou, nms
from helpers.explorers import yolo as explorers

from .hand import drag


def test_a_box_over_another_is_lost_and_one_beside_it_is_not(build):
    cells = build("Cells")
    twin = (50.0, 260.0, 140.0, 410.0)
    said = cells.at(objects=(*explorers.SCENE, twin), chosen=4)
    assert (said["objects"], said["lost to a taken cell"]) == (4, 1)
    assert said["x, y within the cell"] == "lost: the cell is taken"
    beside = tuple(at + 64 * (k % 2 == 0) for k, at in enumerate(twin))
    assert cells.at(objects=(*explorers.SCENE, beside))["lost to a taken cell"] == 0


@pytest.mark.parametrize("grid", [3, 7, 13])
def test_the_chosen_object_is_encoded(build, grid):
    x1, y1, x2, y2 = explorers.SCENE[1]
    said = build("Cells").at(grid=grid, chosen=2)
    x, y = (x1 + x2) / 2 * grid / 448, (y1 + y2) / 2 * grid / 448
    assert said["its cell (row, column)"] == f"{int(y)}, {int(x)}"
    assert said["x, y within the cell"] == f"{x % 1:.2f}, {y % 1:.2f}"
    assert said["w, h, shares of the image"] == f"{(x2 - x1) / 448:.2f}, {(y2 - y1) / 448:.2f}"


def test_objects_are_added_dragged_and_removed(build):
    cells = build("Cells")
    cells.press("Add an object")
    assert len(cells.values["objects"]) == 4
    before = cells.values["objects"][1]
    drag(cells, cells.figure.axes[0], ((before[0] + before[2]) / 2, (before[1] + before[3]) / 2), (200, 300))
    assert cells.values["objects"][1] != before
    for _ in range(6):
        cells.press("Remove the last")
    assert len(cells.values["objects"]) == 1
    cells.set(objects=((100.0, 100.0, 100.0, 448.0),))  # squeezed to a line
    assert cells.error == ""


@pytest.mark.parametrize(
    ("box", "grid", "anchor"),
    [
        ((10, 10, 20, 23), "52 x 52", "10 x 13"),
        ((100, 100, 160, 220), "26 x 26", "59 x 119"),
        ((0, 0, 416, 416), "13 x 13", "373 x 326"),
    ],
)
def test_shapes_choose_grid_and_anchor(build, box, grid, anchor):
    said = build("Scales").at(box=(tuple(map(float, box)),), anchors=True)
    assert (said["answering grid"], said["anchor (pixels)"]) == (grid, anchor)
    stride = 416 // int(grid[:2])
    w, h = map(int, anchor.split(" x "))
    target = np.log([(box[2] - box[0]) / w, (box[3] - box[1]) / h]) + 0.0
    assert said["tw, th"] == ", ".join(f"{t:.2f}" for t in target)
    assert said["cell (row, column)"] == f"{(box[1] + box[3]) // 2 // stride}, {(box[0] + box[2]) // 2 // stride}"


def test_the_opening_of_scales_and_precision_gives_no_answer_away(build):
    assert not any("anchor" in name for name in build("Scales").at())
    assert not any("average" in name for name in build("Precision").at())


@pytest.mark.parametrize("suppress", [0.3, 0.5, 0.95])
@pytest.mark.parametrize("confidence", [0, 0.5, 0.8])
def test_right_and_wrong_are_counted(build, suppress, confidence):
    said = build("Precision").at(suppress=suppress, confidence=confidence)
    boxes, scores = explorers.raw_detections()
    kept = [n for n in nms(boxes, scores, suppress) if scores[n] >= confidence]
    free, right = set(range(6)), 0
    for n in sorted(kept, key=lambda n: -scores[n]):
        iou, best = max((box_iou([boxes[n]], [explorers.TRUTH[k]])[0, 0], k) for k in free)
        if iou >= 0.5:
            free.remove(best)
            right += 1
    assert (said["right"], said["wrong"], said["objects missed"]) == (right, len(kept) - right, 6 - right)
    assert said["precision"] == round(right / len(kept), 2)


def test_the_average_is_that_of_the_curve(build):
    explorer = build("Precision")
    for method in yolo.METHODS:
        explorer.set(curve=True, suppress=0.5, method=method)
        recall, best = (np.array(values) for values in explorer.best.get_data())
        sampled = explorer.samples.get_ydata()
        wanted = np.mean(sampled) if len(sampled) else (np.diff(recall) * best[1:]).sum()
        assert explorer.at()[f"average precision, {method}"] == round(wanted, 3)
