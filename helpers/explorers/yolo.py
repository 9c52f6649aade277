"""Explorers of topic 22: objects in the cells of a grid, three scales of anchors, and thresholds of a detector."""

from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection

from .. import theme
from ..algorithms import yolo
from ..algorithms.boxes import nms
from .controls import Choice, Slider, State, Switch, button
from .explorer import Explorer
from .handles import Boxes

SIZE = 448  # pixels
SCENE = ((40.0, 250.0, 150.0, 420.0), (210.0, 130.0, 330.0, 330.0), (300.0, 40.0, 420.0, 120.0))
NEW = (20.0, 20.0, 90.0, 80.0)
MOST = 8  # objects


class Cells(Explorer):
    """Place objects: the cell that holds a center must answer for it, and answers for one object alone."""

    title = "Which cell answers"
    size = 480, 460

    grid = Choice(7, [3, 7, 13], label="cells along a side")
    objects = State(SCENE)
    chosen = Slider(1, 1, MOST, label="object whose numbers are shown")

    def draw(self, figure):
        axes = figure.subplots()
        axes.set(xlim=(-4, SIZE + 4), ylim=(SIZE + 4, -4), xticks=[0, SIZE], yticks=[0, SIZE], aspect="equal")
        axes.set(title="Drag boxes, their sides, their corners", xlabel="x (pixels)", ylabel="y (pixels)")
        self.taken = self.live(axes.add_collection(PolyCollection([], facecolor=theme.SKY, alpha=0.5), autolim=False))
        crowd = PolyCollection([], facecolor=theme.VERMILLION, alpha=0.6, hatch="//", edgecolor=theme.INK)
        self.crowded = self.live(axes.add_collection(crowd, autolim=False))
        self.lines = self.live(axes.add_collection(LineCollection([], color=theme.MUTED, linewidth=1), autolim=False))
        self.boxes = self.live(
            axes.add_collection(PolyCollection([], facecolor="none", edgecolor=theme.INK), autolim=False)
        )
        (self.centers,) = self.live(axes.plot([], [], "o", color=theme.INK, ms=6, linestyle=""))
        self.names = self.live([axes.text(0, 0, "", fontsize=13, va="bottom") for _ in range(MOST)])
        self.hand(Boxes(axes, "objects"))

    def highest(self, values):
        return {"chosen": len(values["objects"])}

    @button("Add an object")
    def add(self, values):
        return {"objects": (*values["objects"], NEW)[:MOST]}

    @button("Remove the last")
    def remove(self, values):
        return {"objects": values["objects"][:-1] or SCENE[:1]}

    def solve(self, grid, objects, chosen):
        boxes = np.array([_at_least_a_pixel(box) for box in objects])
        target, lost = yolo.encode_v1(boxes, np.zeros(len(boxes), dtype=int), SIZE, grid, classes=1)
        cells = (((boxes[:, :2] + boxes[:, 2:]) / 2) * grid // SIZE).clip(max=grid - 1).astype(int)[:, ::-1]
        return _Encoded(grid, boxes, target, lost, cells, min(chosen, len(boxes)) - 1)

    def show(self, found):
        side, crowded = SIZE / found.grid, {tuple(found.cells[n]) for n in found.lost}
        squares = {(r, c): _corners(c * side, r * side, (c + 1) * side, (r + 1) * side) for r, c in found.cells}
        self.taken.set_verts([square for cell, square in squares.items() if cell not in crowded])
        self.crowded.set_verts([squares[cell] for cell in crowded])
        at = np.arange(found.grid + 1) * side
        self.lines.set_segments([[(a, 0), (a, SIZE)] for a in at] + [[(0, a), (SIZE, a)] for a in at])
        self.boxes.set_verts([_corners(*box) for box in found.boxes])
        self.boxes.set_linewidth([4 if n == found.chosen else 2 for n in range(len(found.boxes))])
        self.boxes.set_linestyle(["--" if n in found.lost else "-" for n in range(len(found.boxes))])
        self.centers.set_data(*((found.boxes[:, :2] + found.boxes[:, 2:]) / 2).T)
        for n, name in enumerate(self.names):
            name.set_text(str(n + 1) if n < len(found.boxes) else "")
            if n < len(found.boxes):
                name.set_position((found.boxes[n, 0] + 4, found.boxes[n, 1] - 2))

    def readouts(self, found):
        row, column = found.cells[found.chosen]
        x, y, w, h, _ = found.target[row, column, :5]
        taken = found.chosen in found.lost
        numbers = "lost: the cell is taken" if taken else f"{x:.2f}, {y:.2f}"
        return {
            "objects": len(found.boxes),
            "lost to a taken cell": len(found.lost),
            "object": found.chosen + 1,
            "its cell (row, column)": f"{row}, {column}",
            "x, y within the cell": numbers,
            "w, h, shares of the image": "-" if taken else f"{w:.2f}, {h:.2f}",
        }


class _Encoded(NamedTuple):
    grid: int
    boxes: np.ndarray
    target: np.ndarray
    lost: list
    cells: np.ndarray  # of each object, row and column
    chosen: int


def _corners(x1, y1, x2, y2):
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def _at_least_a_pixel(box, size=SIZE):
    """The box within the image, and no thinner than a pixel: a hand can squeeze it to a line."""
    x1, y1, x2, y2 = np.clip(box, 0, size)
    x1, y1 = min(x1, size - 1), min(y1, size - 1)
    return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)


# --- three scales ----------------------------------------------------------------------------------------------------

WIDE = 416


class Scales(Explorer):
    """Drag an object: the anchor of the most similar shape takes it, and with it one of three grids."""

    title = "Three grids, nine anchors"
    size = 700, 330

    box = State(((130.0, 100.0, 280.0, 320.0),))
    anchors = Switch(label="show the anchors")

    def draw(self, figure):
        self.axes = figure.subplots(1, 3)
        self.cells, self.outlines, self.shapes = [], [], []
        for axes, stride in zip(self.axes, yolo.STRIDES, strict=True):
            axes.set(xlim=(-2, WIDE + 2), ylim=(WIDE + 2, -2), xticks=[], yticks=[], aspect="equal")
            axes.set_title(f"{WIDE // stride} x {WIDE // stride} cells of {stride}")
            at = range(0, WIDE + 1, stride)
            lines = [[(a, 0), (a, WIDE)] for a in at] + [[(0, a), (WIDE, a)] for a in at]
            axes.add_collection(LineCollection(lines, color=theme.MUTED, linewidth=0.3), autolim=False)
            cell = PolyCollection([], facecolor=theme.VERMILLION, edgecolor=theme.VERMILLION)
            shapes = PolyCollection([], facecolor="none", edgecolor=theme.BLUE, linestyle="--", linewidth=2)
            outline = PolyCollection([], facecolor="none", edgecolor=theme.INK, linewidth=3)
            for kept, artist in ((self.cells, cell), (self.shapes, shapes), (self.outlines, outline)):
                kept.append(self.live(axes.add_collection(artist, autolim=False)))
            self.hand(Boxes(axes, "box"))

    def solve(self, box, anchors):
        box = np.array([_at_least_a_pixel(box[0], WIDE)])
        ((best, grid, row, column),) = yolo.assign_anchors(box)
        return box[0], int(best), int(grid), int(row), int(column), anchors

    def show(self, solution):
        box, best, grid, row, column, anchors = solution
        center = (box[:2] + box[2:]) / 2
        for k in range(3):
            stride = yolo.STRIDES[k]
            square = _corners(column * stride, row * stride, (column + 1) * stride, (row + 1) * stride)
            self.cells[k].set_verts([square] if k == grid else [])
            self.outlines[k].set_verts([_corners(*box)])
            half = yolo.ANCHORS[3 * k : 3 * k + 3] / 2
            self.shapes[k].set_verts([_corners(*(center - one), *(center + one)) for one in half] if anchors else [])
            self.shapes[k].set_linewidth([4 if 3 * k + n == best else 1.5 for n in range(3)])

    def readouts(self, solution):
        box, best, grid, row, column, anchors = solution
        w, h = box[2:] - box[:2]
        said = {
            "width, height (pixels)": f"{w:.0f}, {h:.0f}",
            "answering grid": f"{WIDE // yolo.STRIDES[grid]} x {WIDE // yolo.STRIDES[grid]}",
            "cell (row, column)": f"{row}, {column}",
        }
        if anchors:
            x, y = (box[:2] + box[2:]) / 2 / yolo.STRIDES[grid] % 1
            sizes = np.log([w, h] / yolo.ANCHORS[best])
            said["anchor (pixels)"] = " x ".join(f"{side:.0f}" for side in yolo.ANCHORS[best])
            said["sigmoid(tx), sigmoid(ty)"] = f"{x:.2f}, {y:.2f}"
            said["tw, th"] = ", ".join(f"{t + 0:.2f}" for t in sizes)
        return said


# --- thresholds ------------------------------------------------------------------------------------------------------

TRUTH = np.array(
    [
        *((30, 40, 130, 150), (90, 70, 190, 190), (250, 40, 330, 190)),
        *((300, 240, 420, 400), (60, 260, 160, 410), (200, 300, 260, 380)),
    ],
    dtype=float,
)


class Precision(Explorer):
    """A detector's raw boxes on a scene of six objects, thinned out by two thresholds; the curve and its averages.

    A detection is right if it is the first on its object with an IoU of 0.5 or more.
    """

    title = "Thresholds, precision and recall"
    size = 700, 390

    confidence = Slider(0.3, 0, 0.95, step=0.05, label="least confidence")
    suppress = Slider(0.95, 0.05, 1, step=0.05, label="NMS: greatest IoU kept")
    method = Choice("all-point", list(yolo.METHODS), label="average", when=lambda v: v["curve"])
    curve = Switch(label="show the curve and its average")

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(xlim=(0, SIZE), ylim=(SIZE, 0), xticks=[], yticks=[], aspect="equal")
        left.set_title("Solid: right; dashed: wrong")
        truth = [_corners(*box) for box in TRUTH]
        left.add_collection(PolyCollection(truth, facecolor=theme.MUTED, alpha=0.3, edgecolor="none"), autolim=False)
        looks = (theme.GREEN, "-", 3), (theme.VERMILLION, "--", 1.5)
        self.found = [
            self.live(
                left.add_collection(
                    PolyCollection([], facecolor="none", edgecolor=color, linestyle=dashes, linewidth=width),
                    autolim=False,
                )
            )
            for color, dashes, width in looks
        ]
        right.set(title="Precision and recall", xlabel="recall", ylabel="precision", xlim=(0, 1.03), ylim=(0, 1.05))
        right.grid()
        (self.points,) = self.live(right.plot([], [], "o", color=theme.INK, ms=5, linestyle=""))
        (self.best,) = self.live(right.plot([], [], color=theme.BLUE, marker="", drawstyle="steps-pre"))
        (self.samples,) = self.live(right.plot([], [], "|", color=theme.VERMILLION, ms=11, mew=2, linestyle=""))
        (self.now,) = self.live(right.plot([], [], "s", color=theme.ORANGE, ms=11, mec=theme.INK))

    def solve(self, confidence, suppress, method, curve):
        boxes, scores, right = _thinned(suppress)
        kept = scores >= confidence
        precision, recall = yolo.precision_recall(scores, right, len(TRUTH))
        averages = {name: yolo.average_precision(scores, right, len(TRUTH), name) for name in yolo.METHODS}
        return _Thinned(boxes[kept], right[kept], precision, recall, averages, method, curve)

    def show(self, found):
        for artist, which in zip(self.found, (found.right, ~found.right), strict=True):
            artist.set_verts([_corners(*box) for box in found.boxes[which]])
        n = len(found.boxes)
        precision, recall = found.precision, found.recall
        self.now.set_data(*(([recall[n - 1]], [precision[n - 1]]) if n else ([0], [1])))
        best = np.maximum.accumulate(precision[::-1])[::-1]
        self.points.set_data(*((recall, precision) if found.curve else ([], [])))
        self.best.set_data(*(([0, *recall], [best[0], *best]) if found.curve else ([], [])))
        at = np.linspace(0, 1, int(found.method.partition("-")[0])) if found.method != "all-point" else np.array([])
        reached = np.append(best, 0)[np.searchsorted(recall, at - 1e-12)]
        self.samples.set_data(*((at, reached) if found.curve else ([], [])))

    def readouts(self, found):
        right = int(found.right.sum())
        said = {
            "detections shown": len(found.right),
            "right": right,
            "wrong": len(found.right) - right,
            "objects missed": len(TRUTH) - right,
            "precision": round(right / max(len(found.right), 1), 2),
            "recall": round(right / len(TRUTH), 2),
        }
        if found.curve:
            said |= {f"average precision, {found.method}": round(found.averages[found.method], 3)}
        return said


class _Thinned(NamedTuple):
    boxes: np.ndarray
    right: np.ndarray
    precision: np.ndarray  # of all that NMS keeps, whatever their confidence
    recall: np.ndarray
    averages: dict
    method: str
    curve: bool


@cache
def raw_detections():
    """Several shaky boxes for each object but one, and a few of nothing: (n, 4) boxes and (n,) scores."""
    rng = np.random.default_rng(4)
    boxes, scores = [], []
    for n, truth in enumerate(TRUTH[:-1]):
        for k in range(4):
            shaken = truth + rng.integers(-9, 10, 4) * (1 + k / 2)
            boxes.append(shaken)
            scores.append(0.95 - 0.06 * n - 0.13 * k)
    for x, y, score in ((350, 60, 0.72), (30, 180, 0.55), (220, 220, 0.4), (370, 150, 0.25)):
        boxes.append((x, y, x + 60, y + 60))
        scores.append(score)
    return np.clip(np.round(boxes), 0, SIZE), np.array(scores).round(2)


@cache
def _thinned(suppress):
    """What NMS keeps, best score first, and which of it is right."""
    boxes, scores = raw_detections()
    keep = nms(boxes, scores, suppress)
    boxes, scores = boxes[keep], scores[keep]
    return boxes, scores, yolo.match_detections(boxes, scores, TRUTH)


def examples():
    """Every explorer of this topic, for tests and benchmarks: name -> function that builds it."""
    return {"Cells": Cells, "Scales": Scales, "Precision": Precision}
