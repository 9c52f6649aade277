"""Readouts of topic 18's explorers against independent computations, by code, mouse and keyboard."""

import numpy as np
import pytest

from helpers.algorithms import boxes
from helpers.explorers import boxes as explorers

from .hand import drag, press_key


def axes_of(explorer):
    return explorer.canvas.figure.axes


# --- two boxes ----------------------------------------------------------------------------------------------------


def test_readouts_by_hand(build):
    readouts = build("overlap").set(boxes=((0, 0, 40, 20), (20, 10, 60, 40)))
    assert readouts["intersection (px²)"] == 200
    assert readouts["union (px²)"] == 800 + 1200 - 200
    assert readouts["box around both (px²)"] == 2400
    assert readouts["its diagonal (px)"] == pytest.approx(np.hypot(60, 40))
    assert readouts["distance of the centres (px)"] == pytest.approx(25)
    assert readouts["IoU"] == pytest.approx(200 / 1800)
    assert readouts["GIoU"] == pytest.approx(200 / 1800 - 600 / 2400)
    assert readouts["DIoU"] == pytest.approx(200 / 1800 - 625 / 5200)
    assert readouts["width : height, A"] == 2


def test_a_corner_resizes_and_the_middle_moves(build):
    explorer = build("overlap")
    axes = axes_of(explorer)[0]
    explorer.set(boxes=((100, 100, 200, 200), (400, 300, 500, 400)))
    drag(explorer, axes, (200, 200), (300, 250))
    assert explorer.values["boxes"][0] == pytest.approx((100, 100, 300, 250), abs=2)
    drag(explorer, axes, (200, 175), (250, 225))
    assert explorer.values["boxes"][0] == pytest.approx((150, 150, 350, 300), abs=2)
    drag(explorer, axes, (500, 350), (450, 350))
    assert explorer.values["boxes"][1] == pytest.approx((400, 300, 450, 400), abs=2)


def test_a_side_dragged_past_the_other_leaves_a_valid_box(build):
    explorer = build("overlap")
    explorer.set(boxes=((100, 100, 200, 200), (400, 300, 500, 400)))
    drag(explorer, axes_of(explorer)[0], (200, 150), (50, 150))
    assert explorer.values["boxes"][0] == pytest.approx((50, 100, 100, 200), abs=2)
    assert explorer.error == ""


def test_arrow_keys_move_a_corner(build):
    explorer = build("overlap")
    before = explorer.values["boxes"]
    press_key(explorer, "right")
    after = explorer.values["boxes"]
    assert after[0][0] == pytest.approx(before[0][0] + 6.4) and after[0][1:] == before[0][1:]


def test_a_box_without_area_is_finite(build):
    readouts = build("overlap").set(boxes=((100, 100, 100, 100), (100, 100, 100, 100)))
    assert (readouts["IoU"], readouts["GIoU"], readouts["width : height, A"]) == (0, 0, "flat")


def test_buttons_do_what_they_say(build):
    explorer = build("overlap")
    assert explorer.press("Apart")["intersection (px²)"] == 0
    touching = explorer.press("Touching")
    assert touching["IoU"] == 0 and touching["GIoU"] == pytest.approx(0, abs=1e-9)
    inside = explorer.press("One inside")
    assert inside["GIoU"] == pytest.approx(inside["IoU"]) and inside["DIoU"] < inside["IoU"]
    middle = explorer.press("Same centre")
    assert middle["DIoU"] == pytest.approx(middle["IoU"]) and middle["CIoU"] < middle["DIoU"]


def test_inverted_boxes_are_refused():
    with pytest.raises(ValueError, match="boxes"):
        explorers.overlap((5, 0, 1, 1), (0, 0, 1, 1))


# --- the race -------------------------------------------------------------------------------------------------------


def test_the_race_is_a_regression(build):
    explorer = build("race")
    readouts = explorer.set(step=50, shape="wide, 4 : 1", start=((12.0, 9.5),))
    start, target = boxes.box_convert([[12, 9.5, 2, 0.5], [10, 10, 1, 1]], "cxcywh", "xyxy")
    for name, (loss, _, _) in explorers.LOSSES.items():
        there = boxes.regress(loss, [start], [target], explorers.STEPS)[50]
        error = np.abs(boxes.box_convert(there, "xyxy", "cxcywh") - [10, 10, 1, 1]).sum()
        assert readouts[f"error, {name} loss"] == pytest.approx(error)
        assert readouts[f"IoU reached, {name} loss"] == pytest.approx(boxes.box_iou(there, [target])[0, 0])


def test_the_iou_loss_never_starts_from_afar(build):
    readouts = build("race").set(step=explorers.STEPS, start=((13.0, 10.0),))
    assert readouts["error, IoU loss"] == pytest.approx(3)
    assert readouts["error, DIoU loss"] < 0.01


def test_the_start_is_dragged_to_the_grid(build):
    explorer = build("race")
    drag(explorer, axes_of(explorer)[0], (13.0, 10.0), (8.05, 12.1))
    dragged = explorer.readouts
    assert dragged == explorer.set(start=((8.0, 12.0),))


def test_step_and_back(build):
    explorer = build("race")
    opening = explorer.readouts
    assert explorer.press("Step") != opening
    assert explorer.press("Back") == opening


# --- suppression ----------------------------------------------------------------------------------------------------


def test_suppression_counts(build):
    explorer = build("suppression")
    for method, threshold in (("NMS", 0.2), ("NMS", 0.9), ("Soft-NMS, linear", 0.4), ("Soft-NMS, Gaussian", 0.4)):
        readouts = explorer.set(method=method, iou_threshold=threshold)
        if method == "NMS":
            keep = boxes.nms(explorers.CANDIDATES, explorers.SCORES, threshold)
        else:
            keep, _ = boxes.soft_nms(
                *(explorers.CANDIDATES, explorers.SCORES, threshold),
                score_threshold=0.3,
                method=method.split()[1].lower(),
            )
        iou = boxes.box_iou(explorers.CANDIDATES[keep], explorers.OBJECTS)
        found = sum(any(row) for row in (iou >= 0.5).T)
        assert (readouts["kept"], readouts["objects found"]) == (len(keep), found)
        assert readouts["kept boxes too many"] == len(keep) - found


def test_too_low_a_threshold_loses_objects_and_too_high_a_one_keeps_doubles(build):
    explorer = build("suppression")
    assert explorer.set(iou_threshold=0.5)["objects lost"] == 0
    assert explorer.set(iou_threshold=0.1)["objects lost"] > 0
    assert explorer.set(iou_threshold=0.95)["kept boxes too many"] > 0


def test_the_score_slider_works_for_nms_too(build):
    assert build("suppression").set(score_threshold=1.0)["kept"] == 0
