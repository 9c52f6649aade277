"""Explorers of topic 18: two boxes to drag, a race of four losses, and non-maximum suppression on a photograph."""

from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from .. import datasets, theme
from ..algorithms import boxes
from .controls import Choice, Slider, State, button
from .explorer import Explorer
from .handles import Boxes, Line, Points

MEASURES = {
    "IoU": boxes.box_iou,
    "GIoU": boxes.generalized_box_iou,
    "DIoU": boxes.distance_box_iou,
    "CIoU": boxes.complete_box_iou,
}
LOSSES = {
    "IoU": (boxes.iou_loss, theme.VERMILLION, ":"),
    "GIoU": (boxes.generalized_box_iou_loss, theme.BLUE, "--"),
    "DIoU": (boxes.distance_box_iou_loss, theme.GREEN, "-"),
    "CIoU": (boxes.complete_box_iou_loss, theme.PURPLE, "-."),
}
WIDTH, HEIGHT = 640, 427  # of the photograph that the two boxes could lie on


class Overlap(Explorer):
    """Drag and resize two boxes; watch IoU, GIoU, DIoU and CIoU and what they are made of.

    Drag a box by its middle, a side or a corner.

    Parameters
    ----------
    box1, box2 : (4,) array_like
        x1, y1, x2, y2 in pixels; y grows upwards. There is room for a photograph of 640 x 427.

    Raises
    ------
    ValueError
        If a box is inverted or not made of four numbers.
    """

    title = "Two boxes and four measures"
    size = 640, 440

    boxes = State(())

    def __init__(self, box1, box2):
        opening = tuple(map(tuple, boxes.box_convert([box1, box2], "xyxy", "xyxy").tolist()))
        super().__init__(boxes={"value": opening})

    def draw(self, figure):
        axes = figure.subplots()
        axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), xlabel="x (px)", ylabel="y (px)", aspect="equal")
        axes.grid()
        hull = {"facecolor": "none", "edgecolor": theme.INK, "linestyle": ":", "linewidth": 2}
        both = {"facecolor": theme.SKY, "edgecolor": theme.INK, "linewidth": 0, "alpha": 0.6, "hatch": "//"}
        self.hull = self.live(axes.add_patch(Rectangle((0, 0), 0, 0, **hull, label="box around both")))
        (self.diagonal,) = self.live(axes.plot([], [], ":", color=theme.MUTED, linewidth=1.5, label="its diagonal"))
        self.both = self.live(axes.add_patch(Rectangle((0, 0), 0, 0, **both, label="intersection")))
        distance = {"color": theme.INK, "linewidth": 1.5, "label": "centers"}
        (self.between,) = self.live(axes.plot([], [], "o-", **distance))
        self.sides, self.names = [], []
        looks = ("A", theme.BLUE, "-", "left", "bottom"), ("B", theme.VERMILLION, "--", "right", "top")
        for name, color, line, side, end in looks:  # each name in a corner of its own: they part when centers meet
            self.sides += self.live(axes.plot([], [], color=color, linestyle=line, linewidth=4))
            disc = {"boxstyle": "circle", "facecolor": theme.PAPER, "edgecolor": color}
            at = {"ha": side, "va": end, "xytext": (9, 9) if name == "A" else (-9, -9), "textcoords": "offset points"}
            self.names.append(self.live(axes.annotate(name, (0, 0), **at, bbox=disc, zorder=3)))
        figure.legend(loc="outside lower center", ncols=4, columnspacing=1.2, fontsize=10)
        self.hand(Boxes(axes, "boxes"))

    def solve(self, boxes):
        pair = np.array(boxes)
        corner = pair[:, :2].max(axis=0)
        return _Pair(
            pair,
            centers=(pair[:, :2] + pair[:, 2:]) / 2,
            sizes=pair[:, 2:] - pair[:, :2],
            corner=corner,
            shared=np.maximum(pair[:, 2:].min(axis=0) - corner, 0),
            around=pair[:, 2:].max(axis=0) - pair[:, :2].min(axis=0),
        )

    def show(self, pair):
        self.hull.set_bounds(*pair.boxes[:, :2].min(axis=0), *pair.around)
        self.both.set_bounds(*pair.corner, *(pair.shared if pair.shared.all() else (0, 0)))
        self.between.set_data(*pair.centers.T)
        low, high = pair.boxes[:, :2].min(axis=0), pair.boxes[:, 2:].max(axis=0)
        self.diagonal.set_data(*np.transpose([low, high]))
        for box, sides, name in zip(pair.boxes, self.sides, self.names, strict=True):
            sides.set_data(*outline(box))
            name.xy = box[:2] if name.get_text() == "A" else box[2:]

    def readouts(self, pair):
        shared = float(pair.shared.prod())
        return {
            **{name: float(measure(pair.boxes[:1], pair.boxes[1:])[0, 0]) for name, measure in MEASURES.items()},
            "intersection (px²)": shared,
            "union (px²)": float(pair.sizes.prod(axis=1).sum() - shared),
            "box around both (px²)": float(pair.around.prod()),
            "its diagonal (px)": float(np.hypot(*pair.around)),
            "distance of the centers (px)": float(np.hypot(*(pair.centers[0] - pair.centers[1]))),
            "width : height, A": _ratio(pair.sizes[0]),
            "width : height, B": _ratio(pair.sizes[1]),
        }

    @button("Apart")
    def apart(self, values):
        return _placed((0.05, 0.1, 0.3, 0.4), (0.65, 0.55, 0.95, 0.9))

    @button("Touching")
    def touching(self, values):
        return _placed((0.1, 0.3, 0.4, 0.7), (0.4, 0.3, 0.7, 0.7))

    @button("One inside")
    def one_inside(self, values):
        return _placed((0.1, 0.1, 0.9, 0.9), (0.15, 0.15, 0.35, 0.45))

    @button("Same center")
    def same_center(self, values):
        return _placed((0.1, 0.35, 0.9, 0.65), (0.4, 0.1, 0.6, 0.9))


class _Pair(NamedTuple):
    """Two boxes, (2, 4), their centers and sizes, (2, 2), what they share (corner, size) and what is around (size)."""

    boxes: np.ndarray
    centers: np.ndarray
    sizes: np.ndarray
    corner: np.ndarray
    shared: np.ndarray
    around: np.ndarray


def _placed(*fractions):
    """Both boxes at fractions of the width and height."""
    scale = WIDTH, HEIGHT, WIDTH, HEIGHT
    return {"boxes": tuple(tuple(f * s for f, s in zip(box, scale, strict=True)) for box in fractions)}


def _ratio(size):
    return float(size[0] / size[1]) if size[1] else "flat"


# --- the race --------------------------------------------------------------------------------------------------------

TARGET = 10.0, 10.0, 1.0, 1.0  # center and size
SPACING, REACH = 0.5, 6  # of the starts: their distance, and how many lie on each side of the target
SHAPES = {"square": 1.0, "wide, 4 : 1": 4.0, "tall, 1 : 4": 0.25}  # of the box that starts: width over height
STEPS = 160


class Race(Explorer):
    """One box runs to its target under four losses; scrub the steps, drag the start.

    The paths are computed once, for starts on a grid around the target, by `boxes.regress`.
    """

    title = "Four losses, one race"
    size = 660, 380
    plays = "step"

    step = Slider(0, 0, STEPS)
    shape = Choice("square", list(SHAPES), label="the box starts")
    start = State(((13.0, 10.0),))

    def draw(self, figure):
        scene, chart = figure.subplots(1, 2, width_ratios=[1, 1.1])
        scene.set(xlim=(5.8, 14.2), ylim=(5.8, 14.2), box_aspect=1, xlabel="x", ylabel="y", title="Thick: the target")
        scene.plot(*outline(boxes.box_convert([TARGET], "cxcywh", "xyxy")), color=theme.INK, linewidth=4)
        chart.set(xlim=(-4, STEPS + 4), ylim=(1e-4, 20), yscale="log", xlabel="step", title="Error: Δx + Δy + Δw + Δh")
        chart.grid()
        self.runners, self.curves = [], []
        for name, (_, color, line) in LOSSES.items():
            self.runners += self.live(scene.plot([], [], color=color, linestyle=line, linewidth=3))
            curve = {"color": color, "linestyle": line, "marker": "o", "markevery": [-1], "label": name}
            self.curves += self.live(chart.plot([], [], **curve))
        figure.legend(handles=self.curves, loc="outside lower center", ncols=4, handlelength=3)
        marker = {"color": theme.ORANGE, "markeredgecolor": theme.INK, "markersize": 11}
        (self.begin,) = self.live(scene.plot([], [], "o", **marker))
        self.cursor = self.live(chart.axvline(0, color=theme.INK, linewidth=1.5))
        self.hand(Points(scene, "start"), Line(chart, "step"))

    def solve(self, step, shape, start):
        cells = [round((c - t) / SPACING) for c, t in zip(start[0], TARGET[:2], strict=True)]
        column, row = np.clip(cells, -REACH, REACH)
        paths, errors, overlaps = _races()
        case = slice(None), slice(None), list(SHAPES).index(shape), row + REACH, column + REACH
        begin = TARGET[0] + column * SPACING, TARGET[1] + row * SPACING
        return _Moment(begin, paths[case][:, step], errors[case][:, : step + 1], overlaps[case][:, step])

    def show(self, moment):
        for runner, curve, place, error in zip(self.runners, self.curves, moment.places, moment.errors, strict=True):
            runner.set_data(*outline(place))
            curve.set_data(range(len(error)), error)
        self.begin.set_data(*np.transpose([moment.begin]))
        step = moment.errors.shape[1] - 1
        self.cursor.set_xdata([step, step])

    def readouts(self, moment):
        return {
            **{f"error, {name} loss": float(error[-1]) for name, error in zip(LOSSES, moment.errors, strict=True)},
            **{f"IoU reached, {name} loss": float(iou) for name, iou in zip(LOSSES, moment.overlaps, strict=True)},
        }


class _Moment(NamedTuple):
    """Where the race began, (2,); the four boxes now, (4, 4); errors up to now, (4, step + 1); IoU now, (4,)."""

    begin: tuple
    places: np.ndarray
    errors: np.ndarray
    overlaps: np.ndarray


@cache
def _races():
    """Boxes, errors and IoU: (loss, step, shape, row, column), the boxes with a last axis of four."""
    places = np.arange(-REACH, REACH + 1) * SPACING
    ratio, y, x = (grid.ravel() for grid in np.meshgrid(list(SHAPES.values()), places, places, indexing="ij"))
    starts = np.column_stack([TARGET[0] + x, TARGET[1] + y, np.sqrt(ratio), 1 / np.sqrt(ratio)])
    starts, target = boxes.box_convert(starts, "cxcywh", "xyxy"), boxes.box_convert([TARGET], "cxcywh", "xyxy")
    targets = np.repeat(target, len(x), axis=0)
    paths = np.stack([boxes.regress(loss, starts, targets, STEPS) for loss, _, _ in LOSSES.values()])
    flat = paths.reshape(-1, 4)
    errors = np.abs(boxes.box_convert(flat, "xyxy", "cxcywh") - TARGET).sum(axis=1)
    shape = len(LOSSES), STEPS + 1, len(SHAPES), len(places), len(places)
    return paths.reshape(*shape, 4), errors.reshape(shape), boxes.box_iou(flat, target).reshape(shape)


# --- suppression -----------------------------------------------------------------------------------------------------

METHODS = "NMS", "Soft-NMS, linear", "Soft-NMS, Gaussian"


class Suppression(Explorer):
    """Thin out detections on a photograph by NMS or Soft-NMS; slide the threshold. Kept boxes carry their final score.

    Parameters
    ----------
    image : (height, width, 3) ndarray
    candidates : (n, 4) array_like
        x1, y1, x2, y2 in pixels; y grows downwards, as in the image.
    scores : (n,) array_like in [0, 1]
    objects : (m, 4) array_like
        The true boxes; one is found if a kept box has IoU 0.5 or more with it.

    Raises
    ------
    ValueError
        As `boxes.nms`.
    """

    title = "Suppression on a photograph"
    size = 640, 427
    photograph = True

    method = Choice("NMS", METHODS)
    iou_threshold = Slider(0.5, 0, 1, step=0.01, label="IoU threshold", when=lambda v: v["method"] != METHODS[2])
    sigma = Slider(0.5, 0.05, 2, step=0.05, label="sigma", when=lambda v: v["method"] == METHODS[2])
    score_threshold = Slider(0.3, 0, 1, step=0.01, label="keep scores from")

    def __init__(self, image, candidates, scores, objects):
        boxes.nms(candidates, scores, 0.5)  # refuses what is not boxes with scores
        self.image, self.objects = np.asarray(image), np.asarray(objects, dtype=float)
        self.candidates, self.scores = np.asarray(candidates, dtype=float), np.asarray(scores, dtype=float)
        self.hits = boxes.box_iou(candidates, objects) >= 0.5
        super().__init__()

    def draw(self, figure):
        axes = figure.subplots()
        height, width, _ = self.image.shape
        axes.imshow(self.image, extent=(0, width, height, 0))
        axes.set_axis_off()
        dark = [withStroke(linewidth=5, foreground="black")]
        (self.dropped,) = self.live(axes.plot([], [], color="white", linestyle=":", linewidth=1.5))
        (self.kept,) = self.live(axes.plot([], [], color=theme.YELLOW, linestyle="-", linewidth=2.5, path_effects=dark))
        tags = {"fontsize": 9, "color": "black", "zorder": 4}
        paper = {"facecolor": theme.YELLOW, "edgecolor": "black", "pad": 1.5}
        self.tags = self.live(
            [axes.text(x, y, "", ha=ha, va=va, **tags, bbox=paper) for x, y, ha, va in self._corners()]
        )
        lost = {"ha": "center", "va": "center", "fontsize": 13, "color": "white", "zorder": 3}
        paper = {"facecolor": theme.VERMILLION, "edgecolor": "black", "pad": 3}
        middles = (self.objects[:, :2] + self.objects[:, 2:]) / 2
        self.lost = self.live([axes.text(*middle, "lost", **lost, bbox=paper) for middle in middles])

    def solve(self, method, iou_threshold, sigma, score_threshold):
        if method == "NMS":
            keep = boxes.nms(self.candidates, self.scores, iou_threshold)
            keep = keep[self.scores[keep] >= score_threshold]
            lowered = self.scores[keep]
        else:
            decay = method.split()[-1].lower()
            keep, lowered = boxes.soft_nms(self.candidates, self.scores, iou_threshold, sigma, score_threshold, decay)
        scores = np.full(len(self.scores), np.nan)
        scores[keep] = lowered
        return scores, self.hits[keep].any(axis=0)

    def show(self, solution):
        scores, found = solution
        kept = ~np.isnan(scores)
        self.kept.set_data(*outline(self.candidates[kept]))
        self.dropped.set_data(*outline(self.candidates[~kept]))
        for tag, score in zip(self.tags, scores, strict=True):
            tag.set(visible=not np.isnan(score), text=f"{score:.2f}")
        for mark, seen in zip(self.lost, found, strict=True):
            mark.set_visible(not seen)

    def readouts(self, solution):
        scores, found = solution
        kept, found = int((~np.isnan(scores)).sum()), int(found.sum())
        return {
            "candidates": len(self.scores),
            "kept": kept,
            "objects": len(self.objects),
            "objects found": found,
            "objects lost": len(self.objects) - found,
            "kept boxes too many": kept - found,
        }

    def _corners(self):
        """Where each score stands, inside its box: nearly equal boxes that follow each other use different corners."""
        for n, (x1, y1, x2, y2) in enumerate(self.candidates):
            corners = (
                (x1 + 4, y1 + 4, "left", "top"),
                (x2 - 4, y1 + 4, "right", "top"),
                (x1 + 4, y2 - 4, "left", "bottom"),
            )
            yield corners[n % 3]


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {
        "Overlap": lambda: Overlap((62, 85, 352, 272), (84, 192, 330, 399)),
        "Race": Race,
        "Suppression": lambda: Suppression(datasets.photograph("china.jpg"), CANDIDATES, SCORES, OBJECTS),
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


def outline(rows):
    """The sides of all boxes as one line, broken between them."""
    x1, y1, x2, y2 = np.asarray(rows, dtype=float).reshape(-1, 4).T
    gap = np.full(len(x1), np.nan)
    return np.stack([x1, x2, x2, x1, x1, gap]).T.ravel(), np.stack([y1, y1, y2, y2, y1, gap]).T.ravel()
