"""Readouts of topic 22's explorers against independent computations, by code, mouse and keyboard."""

import numpy as np
import pytest

from helpers.algorithms import boxes, yolo
from helpers.explorers import yolo as explorers

from .hand import click, drag, press_key

# --- who must answer --------------------------------------------------------------------------------------------------


def test_collisions_are_counted_by_cell(build):
    explorer = build("Scene")
    rng = np.random.default_rng(0)
    for cells in (3, 7, 19):
        low = rng.uniform(0, 300, (12, 2))
        objects = np.hstack([low, low + rng.uniform(10, 100, (12, 2))])
        said = explorer.at(objects=tuple(map(tuple, objects)), cells=cells)
        center = (objects[:, :2] + objects[:, 2:]) / 2
        taken = {(int(x * cells / 640), int(y * cells / 416)) for x, y in center}
        assert (said["objects"], said["outputs that answer"]) == (12, len(taken))
        assert said["lost to a collision"] == 12 - len(taken)


def test_what_a_cell_is_told(build):
    said = build("Scene").at(objects=((0, 0, 40, 52), (320, 208, 400, 312)), cells=4, number=2)
    assert said["2 is answered by"] == "cell: row 2, column 2"
    assert said["2: x in the cell"] == pytest.approx(0.25)
    assert said["2: y in the cell"] == pytest.approx(0.5)
    assert said["2: width of 1"] == pytest.approx(0.125)
    assert said["2: height of 1"] == pytest.approx(0.25)


def test_what_an_anchor_is_told(build):
    said = build("Scene").at(version=explorers.VERSIONS[1], objects=((100, 50, 110, 63),))
    assert said["1 is answered by"] == "stride 8: row 7, column 13, anchor 10 x 13"
    assert said["1: tx"] == pytest.approx(np.log(0.125 / 0.875)) and said["1: tw"] == pytest.approx(0)


def test_two_shapes_at_one_center_are_two_anchors(build):
    explorer = build("Scene")
    assert explorer.at_press("One center")["lost to a collision"] == 1
    assert explorer.at_press("One center", number=2)["2 is lost: taken is"] == "cell: row 3, column 3"
    assert explorer.at_press("One center", version=explorers.VERSIONS[1])["lost to a collision"] == 0
    assert explorer.at_press("Crowd")["lost to a collision"] == 5


def test_a_click_adds_a_box_and_delete_removes_it(build):
    explorer = build("Scene")
    axes = explorer.figure.axes[0]
    click(explorer, axes, (480, 60))
    assert explorer.objects[5] == pytest.approx((445, 25, 515, 95), abs=2)
    drag(explorer, axes, (480, 60), (500, 80))
    assert explorer.objects[5] == pytest.approx((465, 45, 535, 115), abs=2)
    press_key(explorer, "delete")
    assert explorer.at()["objects"] == 5
    for place in np.linspace(430, 600, 9):
        explorer.set(objects=(*explorer.objects[:11], *explorer.objects[:1]) if len(explorer.objects) > 11 else
                     (*explorer.objects, (place, 10.0, place + 20, 30.0)))  # fmt: skip
    click(explorer, axes, (480, 200))
    assert len(explorer.objects) == explorers.MOST


def test_nothing_gets_thinner_than_eight_pixels(build):
    explorer = build("Scene")
    explorer.set(objects=((100, 100, 200, 200),))
    drag(explorer, explorer.figure.axes[0], (200, 150), (101, 150))
    x1, _, x2, _ = explorer.objects[0]
    assert x2 - x1 >= 8 and explorer.error == ""


def test_an_empty_scene(build):
    for version in explorers.VERSIONS:
        assert build("Scene").at(version=version, objects=())["objects"] == 0


# --- one output -------------------------------------------------------------------------------------------------------


def test_an_output_is_decoded_by_hand(build):
    said = build("Decode").at(anchor=8, tx=1.0, ty=-1.0, tw=0.5, th=-0.5, cell=((100.0, 200.0),))
    assert (said["column of the cell"], said["row of the cell"]) == (3, 6)
    assert said["center x (px)"] == pytest.approx(32 * (3 + 1 / (1 + np.exp(-1))))
    assert said["center y (px)"] == pytest.approx(32 * (6 + 1 / (1 + np.exp(1))))
    assert said["width (px)"] == pytest.approx(373 * np.exp(0.5))
    assert said["height (px)"] == pytest.approx(326 * np.exp(-0.5))


def test_without_the_sigmoid_the_center_leaves_its_cell(build):
    explorer = build("Decode")
    for raw in (-6.0, 0.0, 6.0):
        assert explorer.at(tx=raw)["center within its cell"] == "yes"
    said = explorer.at(tx=6.0, sigmoid=False)
    assert said["center within its cell"] == "no" and said["center x (px)"] == pytest.approx((20 + 6) * 16)


def test_the_cell_is_dragged(build):
    explorer = build("Decode")
    drag(explorer, explorer.figure.axes[0], explorer.cell[0], (40, 40))
    assert (explorer.at()["column of the cell"], explorer.at()["row of the cell"]) == (2, 2)


# --- detections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{}, {"suppress": 1.0}, {"match": 0.9}, {"keep": 0.8, "suppress": 0.2}])
def test_detections_are_judged_as_the_algorithms_do(build, change):
    explorer = build("Detections")
    said = explorer.at(**change)
    values = explorer.opening | change
    rows = boxes.nms(explorer.candidates, explorer.scores, values["suppress"])
    rows = rows[explorer.scores[rows] >= values["keep"]]
    matches = yolo.match_detections(explorer.candidates[rows], explorer.objects, values["match"])
    assert said["detections"] == len(rows)
    assert said["true"] == len(set(matches.tolist()) - {-1}) == 5 - said["objects missed"]
    assert said["false"] == len(rows) - said["true"]
    for name, points in explorers.KINDS.items():
        ours = yolo.average_precision(explorer.scores[rows], matches, 5, points)
        assert said[f"average precision, {name}"] == pytest.approx(ours)


def test_the_area_under_the_drawn_steps_is_the_average(build):
    explorer = build("Detections")
    for change in ({}, {"match": 0.9}, {"suppress": 0.0}):
        said = explorer.set(**change)
        (hull,) = (line for line in explorer.figure.axes[1].lines if line.get_label() == "made monotone")
        assert np.trapezoid(hull.get_ydata(), hull.get_xdata()) == pytest.approx(said["average precision, the area"])
        explorer.reset()
    for points in (11, 101):
        said = explorer.set(kind=points)
        (drawn,) = (line for line in explorer.figure.axes[1].lines if line.get_label() == "averaged")
        assert np.mean(drawn.get_ydata()) == pytest.approx(said[f"average precision, {points} points"])
