"""Readouts of topic 18's explorers against independent computations, by code, mouse and keyboard."""

import numpy as np
import pytest

from helpers.algorithms import boxes
from helpers.explorers import boxes as explorers

from .hand import drag, press_key

# --- two boxes -------------------------------------------------------------------------------------------------------


def test_readouts_by_hand(build):
    readouts = build("Overlap").at(boxes=((0, 0, 40, 20), (20, 10, 60, 40)))
    assert readouts["intersection (px²)"] == 200
    assert readouts["union (px²)"] == 800 + 1200 - 200
    assert readouts["box around both (px²)"] == 2400
    assert readouts["its diagonal (px)"] == pytest.approx(np.hypot(60, 40))
    assert readouts["distance of the centers (px)"] == pytest.approx(25)
    assert readouts["IoU"] == pytest.approx(200 / 1800)
    assert readouts["GIoU"] == pytest.approx(200 / 1800 - 600 / 2400)
    assert readouts["DIoU"] == pytest.approx(200 / 1800 - 625 / 5200)
    assert readouts["width : height, A"] == 2


def test_the_picture_shows_what_the_measures_are_made_of(build):
    explorer = build("Overlap")
    explorer.set(boxes=((0, 0, 40, 20), (20, 10, 60, 40)))
    hull, _, intersection = explorer.figure.legends[0].legend_handles[:3]
    patches = {patch.get_label(): patch.get_bbox().extents for patch in explorer.figure.axes[0].patches}
    assert patches[hull.get_label()].tolist() == [0, 0, 60, 40]
    assert patches[intersection.get_label()].tolist() == [20, 10, 40, 20]
    lines = {line.get_label(): line.get_xydata().tolist() for line in explorer.figure.axes[0].lines}
    assert lines["its diagonal"] == [[0, 0], [60, 40]]
    assert lines["centers"] == [[20, 10], [40, 25]]


def test_a_corner_resizes_and_the_middle_moves(build):
    explorer = build("Overlap")
    axes = explorer.figure.axes[0]
    explorer.set(boxes=((100, 100, 200, 200), (400, 300, 500, 400)))
    drag(explorer, axes, (200, 200), (300, 250))
    assert explorer.boxes[0] == pytest.approx((100, 100, 300, 250), abs=2)
    drag(explorer, axes, (200, 175), (250, 225))
    assert explorer.boxes[0] == pytest.approx((150, 150, 350, 300), abs=2)
    drag(explorer, axes, (500, 350), (450, 350))
    assert explorer.boxes[1] == pytest.approx((400, 300, 450, 400), abs=2)


def test_a_side_dragged_past_the_other_leaves_a_valid_box(build):
    explorer = build("Overlap")
    explorer.set(boxes=((100, 100, 200, 200), (400, 300, 500, 400)))
    drag(explorer, explorer.figure.axes[0], (200, 150), (50, 150))
    assert explorer.boxes[0] == pytest.approx((50, 100, 100, 200), abs=2)
    assert explorer.error == ""


def test_arrow_keys_move_a_corner(build):
    explorer = build("Overlap")
    before = explorer.boxes
    press_key(explorer, "right")
    after = explorer.boxes
    assert after[0][0] == pytest.approx(before[0][0] + 6.4) and after[0][1:] == before[0][1:]


def test_a_box_without_area_is_finite(build):
    readouts = build("Overlap").at(boxes=((100, 100, 100, 100), (100, 100, 100, 100)))
    assert (readouts["IoU"], readouts["GIoU"], readouts["width : height, A"]) == (0, 0, "flat")


def test_buttons_do_what_they_say(build):
    explorer = build("Overlap")
    assert explorer.at_press("Apart")["intersection (px²)"] == 0
    touching = explorer.at_press("Touching")
    assert touching["IoU"] == 0 and touching["GIoU"] == pytest.approx(0, abs=1e-9)
    inside = explorer.at_press("One inside")
    assert inside["GIoU"] == pytest.approx(inside["IoU"]) and inside["DIoU"] < inside["IoU"]
    middle = explorer.at_press("Same center")
    assert middle["DIoU"] == pytest.approx(middle["IoU"]) and middle["CIoU"] < middle["DIoU"]


def test_inverted_boxes_are_refused():
    with pytest.raises(ValueError, match="boxes"):
        explorers.Overlap((5, 0, 1, 1), (0, 0, 1, 1))


# --- the race --------------------------------------------------------------------------------------------------------


def test_the_race_is_a_regression(build):
    readouts = build("Race").at(step=50, shape="wide, 4 : 1", start=((12.0, 9.5),))
    start, target = boxes.box_convert([[12, 9.5, 2, 0.5], [10, 10, 1, 1]], "cxcywh", "xyxy")
    for name, (loss, _, _) in explorers.LOSSES.items():
        there = boxes.regress(loss, [start], [target], explorers.STEPS)[50]
        error = np.abs(boxes.box_convert(there, "xyxy", "cxcywh") - [10, 10, 1, 1]).sum()
        assert readouts[f"error, {name} loss"] == pytest.approx(error)
        assert readouts[f"IoU reached, {name} loss"] == pytest.approx(boxes.box_iou(there, [target])[0, 0])


def test_the_iou_loss_does_not_start_from_afar(build):
    readouts = build("Race").at(step=explorers.STEPS, start=((13.0, 10.0),))
    assert readouts["error, IoU loss"] == pytest.approx(3)
    assert readouts["error, DIoU loss"] < 0.01


def test_the_curves_end_at_the_present_step(build):
    explorer = build("Race")
    chart = explorer.figure.axes[1]
    for step in (0, 37):
        explorer.set(step=step)
        curves = [line for line in chart.lines if line.get_label() in explorers.LOSSES]
        assert [line.get_xdata()[-1] for line in curves] == [step] * 4


def test_the_start_is_dragged_to_the_grid(build):
    explorer = build("Race")
    drag(explorer, explorer.figure.axes[0], (13.0, 10.0), (8.05, 12.1))
    assert explorer.at() == explorer.at(start=((8.0, 12.0),)) != explorer.at(start=((13.0, 10.0),))


def test_the_step_is_dragged_along_the_chart(build):
    explorer = build("Race")
    drag(explorer, explorer.figure.axes[1], (0, 1), (90, 1))
    assert explorer.step == 90


def test_step_and_back(build):
    explorer = build("Race")
    opening = explorer.at()
    assert explorer.press("Step") == explorer.at(step=1)
    assert explorer.press("Back") == opening


# --- suppression -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "threshold"), [("NMS", 0.2), ("NMS", 0.9), ("Soft-NMS, linear", 0.4), ("Soft-NMS, Gaussian", 0.4)]
)
def test_suppression_counts(build, method, threshold):
    explorer = build("Suppression")
    readouts = explorer.set(method=method, iou_threshold=threshold)
    if method == "NMS":
        keep = boxes.nms(explorers.CANDIDATES, explorers.SCORES, threshold)
        scores = explorers.SCORES[keep]
    else:
        decay = method.split()[1].lower()
        keep, scores = boxes.soft_nms(
            explorers.CANDIDATES, explorers.SCORES, threshold, score_threshold=0.3, method=decay
        )
    found = (boxes.box_iou(explorers.CANDIDATES[keep], explorers.OBJECTS) >= 0.5).any(axis=0).sum()
    assert (readouts["kept"], readouts["objects found"]) == (len(keep), found)
    assert readouts["kept boxes too many"] == len(keep) - found
    tags = [text.get_text() for text in explorer.figure.axes[0].texts if text.get_visible()]
    assert sorted(tag for tag in tags if tag != "lost") == sorted(f"{score:.2f}" for score in scores)
    assert tags.count("lost") == readouts["objects lost"]


def test_too_low_a_threshold_loses_objects_and_too_high_a_one_keeps_doubles(build):
    explorer = build("Suppression")
    assert explorer.at(iou_threshold=0.5)["objects lost"] == 0
    assert explorer.at(iou_threshold=0.1)["objects lost"] > 0
    assert explorer.at(iou_threshold=0.95)["kept boxes too many"] > 0


def test_the_score_slider_works_for_nms_too(build):
    assert build("Suppression").at(score_threshold=1.0)["kept"] == 0


def test_what_has_no_effect_is_greyed_out(build):
    explorer = build("Suppression")
    for method, grayed in (("NMS", "sigma"), ("Soft-NMS, Gaussian", "iou_threshold"), ("Soft-NMS, linear", "sigma")):
        explorer.set(method=method)
        assert [name for name in ("sigma", "iou_threshold") if explorer.controls[name].disabled] == [grayed]
