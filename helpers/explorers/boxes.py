"""Explorers of topic 18: two boxes to drag, a race of four losses, and non-maximum suppression on a photograph."""

from functools import cache

import ipywidgets as widgets
import numpy as np
from matplotlib.patches import Rectangle

from .. import datasets, theme
from ..algorithms import boxes
from .explorer import Explorer, State
from .handles import Boxes, Points

LOSSES = {
    "IoU": (boxes.iou_loss, theme.VERMILLION, ":"),
    "GIoU": (boxes.generalized_box_iou_loss, theme.BLUE, "--"),
    "DIoU": (boxes.distance_box_iou_loss, theme.GREEN, "-"),
    "CIoU": (boxes.complete_box_iou_loss, theme.PURPLE, "-."),
}
TARGET = 10.0, 10.0, 1.0, 1.0  # of the race: centre and size
SPACING = 0.5  # of the starts of the race
SHAPES = {"square": 1.0, "wide, 4 : 1": 4.0, "tall, 1 : 4": 0.25}  # of the box that starts: width over height
STEPS = 160


def overlap(box1, box2):
    """Drag and resize two boxes; watch IoU, GIoU, DIoU and CIoU and what they are made of.

    Parameters
    ----------
    box1, box2 : (4,) array_like
        x1, y1, x2, y2 in pixels; y grows upwards. There is room for a photograph of 640 x 427.

    Returns
    -------
    Explorer
        Control: boxes, a tuple of two boxes. Drag a box by its middle, a side or a corner.

    Raises
    ------
    ValueError
        If a box is inverted or not made of four numbers.
    """
    width, height = 640, 427
    opening = tuple(map(tuple, boxes.box_convert([box1, box2], "xyxy", "xyxy").tolist()))
    figure = theme.figure(height=420)
    axes = figure.subplots()
    axes.set(xlim=(0, width), ylim=(0, height), xlabel="x (px)", ylabel="y (px)", aspect="equal")
    axes.grid()
    hull = Rectangle((0, 0), 0, 0, facecolor="none", edgecolor=theme.INK, linestyle=":", linewidth=2)
    both = Rectangle((0, 0), 0, 0, facecolor=theme.SKY, edgecolor=theme.INK, linewidth=0, alpha=0.6, hatch="//")
    axes.add_patch(hull)
    axes.add_patch(both)
    (sides_a,) = axes.plot([], [], color=theme.BLUE, linestyle="-", linewidth=4, solid_capstyle="projecting")
    (sides_b,) = axes.plot([], [], color=theme.VERMILLION, linestyle="--", linewidth=4)
    (between,) = axes.plot([], [], color=theme.INK, linestyle="-", linewidth=1.5)
    (centre_a,) = axes.plot([], [], marker="$A$", color=theme.BLUE, markersize=16)
    (centre_b,) = axes.plot([], [], marker="$B$", color=theme.VERMILLION, markersize=16)

    def update(boxes):
        pair = np.array(boxes)
        centres, sizes = (pair[:, :2] + pair[:, 2:]) / 2, pair[:, 2:] - pair[:, :2]
        around = np.ptp(np.vstack([pair[:, :2], pair[:, 2:]]), axis=0)
        corner = pair[:, :2].max(axis=0)
        shared = np.maximum(pair[:, 2:].min(axis=0) - corner, 0)
        hull.set_bounds(*pair[:, :2].min(axis=0), *around)
        both.set_bounds(*corner, *(shared if shared.all() else (0, 0)))
        sides_a.set_data(*_outline(pair[:1]))
        sides_b.set_data(*_outline(pair[1:]))
        between.set_data(*centres.T)
        centre_a.set_data(*centres[:1].T)
        centre_b.set_data(*centres[1:].T)
        return {
            **{name: float(measure(pair[:1], pair[1:])[0, 0]) for name, measure in _MEASURES.items()},
            "intersection (px²)": float(shared.prod()),
            "union (px²)": float(sizes.prod(axis=1).sum() - shared.prod()),
            "box around both (px²)": float(around.prod()),
            "its diagonal (px)": float(np.hypot(*around)),
            "distance of the centres (px)": float(np.hypot(*(centres[0] - centres[1]))),
            "width : height, A": _ratio(sizes[0]),
            "width : height, B": _ratio(sizes[1]),
        }

    def place(*fractions):
        """A button's action: both boxes at fractions of the width and height."""
        scale = width, height, width, height
        return lambda: {"boxes": tuple(tuple(f * s for f, s in zip(box, scale, strict=True)) for box in fractions)}

    actions = {
        "Apart": place((0.05, 0.1, 0.3, 0.4), (0.65, 0.55, 0.95, 0.9)),
        "Touching": place((0.1, 0.3, 0.4, 0.7), (0.4, 0.3, 0.7, 0.7)),
        "One inside": place((0.1, 0.1, 0.9, 0.9), (0.15, 0.15, 0.35, 0.45)),
        "Same centre": place((0.1, 0.35, 0.9, 0.65), (0.4, 0.1, 0.6, 0.9)),
    }
    live = [hull, both, sides_a, sides_b, between, centre_a, centre_b]
    return Explorer(
        *("Two boxes and four measures", figure, {"boxes": State(opening)}, live, update),
        handles=[Boxes(axes, "boxes")],
        actions=actions,
    )


def race():
    """One box runs to its target under four losses; scrub the steps, drag the start.

    The paths are computed once, for starts on a grid around the target, by `boxes.regress`.

    Returns
    -------
    Explorer
        Controls: step, shape (of the starting box), start (its centre, a tuple of one point).
    """
    paths, errors, overlaps = _races()
    figure = theme.figure(height=380)
    scene, chart = figure.subplots(1, 2, width_ratios=[1, 1.1])
    scene.set(xlim=(5.8, 14.2), ylim=(5.8, 14.2), box_aspect=1, xlabel="x", ylabel="y", title="The boxes at this step")
    scene.plot(*_outline(boxes.box_convert([TARGET], "cxcywh", "xyxy")), color=theme.INK, linewidth=4)
    scene.annotate("target", TARGET[:2], (10, 6.6), ha="center", arrowprops={"arrowstyle": "-", "color": theme.MUTED})
    chart.set(xlim=(0, STEPS), ylim=(1e-4, 20), yscale="log", xlabel="step", title="Error: Δx + Δy + Δw + Δh")
    chart.grid()
    runners, curves = [], []
    for name, (_, colour, line) in LOSSES.items():
        runners += scene.plot([], [], color=colour, linestyle=line, linewidth=3)
        curves += chart.plot([], [], color=colour, linestyle=line, label=name)
    chart.legend(loc="lower left", ncols=2, handlelength=3)
    (begin,) = scene.plot([], [], "o", color=theme.ORANGE, markeredgecolor=theme.INK, markersize=11)
    (cursor,) = chart.plot([], [], color=theme.INK, linewidth=1.5)
    steps = np.arange(STEPS + 1)

    def update(step, shape, start):
        column, row = (round((c - t) / SPACING) + _REACH for c, t in zip(start[0], TARGET[:2], strict=True))
        column, row = np.clip([column, row], 0, 2 * _REACH)
        case = list(SHAPES).index(shape), row, column
        for which, (runner, curve) in enumerate(zip(runners, curves, strict=True)):
            runner.set_data(*_outline(paths[which, step][case][None]))
            curve.set_data(steps, errors[(which, slice(None), *case)])
        begin.set_data([TARGET[0] + (column - _REACH) * SPACING], [TARGET[1] + (row - _REACH) * SPACING])
        cursor.set_data([step, step], [1e-4, 20])
        return {
            **{f"error, {name} loss": float(errors[(n, step, *case)]) for n, name in enumerate(LOSSES)},
            **{f"IoU reached, {name} loss": float(overlaps[(n, step, *case)]) for n, name in enumerate(LOSSES)},
        }

    controls = {
        "step": widgets.IntSlider(60, min=0, max=STEPS, description="step"),
        "shape": widgets.Dropdown(options=list(SHAPES), description="the box starts"),
        "start": State(((13.0, 10.0),)),
    }
    return Explorer(
        *("Four losses, one race", figure, controls, [*runners, *curves, begin, cursor], update),
        handles=[Points(scene, "start")],
        play="step",
    )


def suppression(image, candidates, scores, objects):
    """Thin out detections on a photograph by NMS or Soft-NMS; slide the threshold.

    Parameters
    ----------
    image : (height, width, 3) ndarray
    candidates : (n, 4) array_like
        x1, y1, x2, y2 in pixels; y grows downwards, as in the image.
    scores : (n,) array_like in [0, 1]
    objects : (m, 4) array_like
        The true boxes; one is found if a kept box has IoU 0.5 or more with it.

    Returns
    -------
    Explorer
        Controls: method, iou_threshold, sigma (of the Gaussian), score_threshold (what is shown).

    Raises
    ------
    ValueError
        As `boxes.nms`.
    """
    boxes.nms(candidates, scores, 0.5)  # refuses what is not boxes with scores
    candidates, scores = np.asarray(candidates, dtype=float), np.asarray(scores, dtype=float)
    hits = boxes.box_iou(candidates, objects) >= 0.5

    figure = theme.figure(height=420)
    axes = figure.subplots()
    height, width, _ = np.shape(image)
    plain = np.asarray(image)[::2, ::2] // 32 * 20 + 10  # dark, so that lines stand out; coarse, to be sent quickly
    axes.imshow(plain, interpolation="nearest", extent=(0, width, height, 0))
    axes.set_axis_off()
    for n, ((x1, y1, x2, y2), score) in enumerate(zip(candidates, scores, strict=True)):
        corner, inside, ha, va = (
            ((x1, y1), (5, -5), "left", "top"),
            ((x2, y1), (-5, -5), "right", "top"),
            ((x1, y2), (5, 5), "left", "bottom"),
        )[n % 3]  # so that the three scores of an object do not hide each other
        label = axes.annotate(f"{score:.2f}", corner, inside, textcoords="offset points", ha=ha, va=va)
        label.set(fontsize=9, color="black", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8})
    (dropped_lines,) = axes.plot([], [], color="white", linestyle=":", linewidth=1.5)
    (kept_lines,) = axes.plot([], [], color=theme.YELLOW, linestyle="-", linewidth=2.5)

    def update(method, iou_threshold, sigma, score_threshold):
        if method == "NMS":
            keep = boxes.nms(candidates, scores, iou_threshold)
            keep = keep[scores[keep] >= score_threshold]
        else:
            keep, _ = boxes.soft_nms(
                candidates, scores, iou_threshold, sigma, score_threshold, method.split()[-1].lower()
            )
        kept = np.isin(np.arange(len(scores)), keep)
        kept_lines.set_data(*_outline(candidates[kept]))
        dropped_lines.set_data(*_outline(candidates[~kept]))
        found = int(hits[kept].any(axis=0).sum())
        return {
            "candidates": len(scores),
            "kept": int(kept.sum()),
            "objects": len(objects),
            "objects found": found,
            "objects lost": len(objects) - found,
            "kept boxes too many": int(kept.sum()) - found,
        }

    controls = {
        "method": widgets.Dropdown(options=["NMS", "Soft-NMS, linear", "Soft-NMS, Gaussian"], description="method"),
        "iou_threshold": widgets.FloatSlider(0.5, min=0, max=1, step=0.01, description="IoU threshold"),
        "sigma": widgets.FloatSlider(0.5, min=0.05, max=2, step=0.05, description="sigma (Gaussian)"),
        "score_threshold": widgets.FloatSlider(0.3, min=0, max=1, step=0.01, description="keep scores from"),
    }
    return Explorer("Suppression on a photograph", figure, controls, [dropped_lines, kept_lines], update)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {
        "overlap": lambda: overlap((62, 85, 352, 272), (84, 192, 330, 399)),
        "race": race,
        "suppression": lambda: suppression(datasets.photograph("china.jpg"), CANDIDATES, SCORES, OBJECTS),
    }


# Drawn by hand on china.jpg: the tower's three storeys, from roof to eaves, the bush and the tree.
OBJECTS = np.array(
    [[84, 28, 330, 235], [62, 155, 352, 342], [66, 240, 374, 400], [330, 275, 572, 426], [546, 135, 639, 426]]
)
CANDIDATES = np.array(
    [
        *([84, 28, 330, 235], [100, 45, 322, 240], [76, 22, 345, 216]),
        *([62, 155, 352, 342], [78, 166, 350, 350], [54, 148, 370, 330]),
        *([66, 240, 374, 400], [74, 252, 386, 412], [50, 232, 368, 392]),
        *([330, 275, 572, 426], [344, 290, 590, 424], [316, 282, 560, 420]),
        *([546, 135, 639, 426], [556, 150, 637, 420], [530, 142, 636, 410]),
    ]
)
SCORES = np.array([0.97, 0.81, 0.72, 0.92, 0.78, 0.66, 0.86, 0.74, 0.58, 0.9, 0.69, 0.55, 0.94, 0.76, 0.62])

_MEASURES = {
    "IoU": boxes.box_iou,
    "GIoU": boxes.generalized_box_iou,
    "DIoU": boxes.distance_box_iou,
    "CIoU": boxes.complete_box_iou,
}
_REACH = 6  # starts on each side of the target


def _outline(rows):
    """The sides of all boxes as one line, broken between them."""
    x1, y1, x2, y2 = np.asarray(rows, dtype=float).reshape(-1, 4).T
    gap = np.full(len(x1), np.nan)
    return np.stack([x1, x2, x2, x1, x1, gap]).T.ravel(), np.stack([y1, y1, y2, y2, y1, gap]).T.ravel()


def _ratio(size):
    return float(size[0] / size[1]) if size[1] else "flat"


@cache
def _races():
    """Boxes, errors and IoU: (loss, step, shape, row, column), the boxes with a last axis of four."""
    places = np.arange(-_REACH, _REACH + 1) * SPACING
    ratio, y, x = (grid.ravel() for grid in np.meshgrid(list(SHAPES.values()), places, places, indexing="ij"))
    starts = np.column_stack([TARGET[0] + x, TARGET[1] + y, np.sqrt(ratio), 1 / np.sqrt(ratio)])
    target = boxes.box_convert([TARGET], "cxcywh", "xyxy")
    paths = np.stack(
        [
            boxes.regress(loss, boxes.box_convert(starts, "cxcywh", "xyxy"), np.repeat(target, len(x), axis=0), STEPS)
            for loss, _, _ in LOSSES.values()
        ]
    )
    flat = paths.reshape(-1, 4)
    errors = np.abs(boxes.box_convert(flat, "xyxy", "cxcywh") - TARGET).sum(axis=1)
    shape = len(LOSSES), STEPS + 1, len(SHAPES), len(places), len(places)
    return paths.reshape(*shape, 4), errors.reshape(shape), boxes.box_iou(flat, target).reshape(shape)
