"""Explorers of topic 22: who must answer for an object, what an output means, and how detections are judged."""

from typing import NamedTuple

import numpy as np

from .. import datasets, theme
from ..algorithms import yolo
from ..algorithms.boxes import box_convert, nms
from .boxes import CANDIDATES, OBJECTS, SCORES, outline
from .controls import Choice, Slider, State, Switch, button
from .explorer import Explorer
from .handles import Boxes, Points

HEIGHT, WIDTH = 416, 640  # of the photograph's part: multiples of 32
MOST = 12  # objects in a scene
VERSIONS = "v1: one grid", "v3: three grids, nine anchors"


class Placed(Boxes):
    """Boxes that a click adds and Delete removes."""

    SIDE = 70

    def added(self, values, x, y):
        if len(values[self.name]) == MOST:
            return None
        x, y = np.clip(x, self.SIDE / 2, WIDTH - self.SIDE / 2), np.clip(y, self.SIDE / 2, HEIGHT - self.SIDE / 2)
        box = tuple(float(v) for v in (x - self.SIDE / 2, y - self.SIDE / 2, x + self.SIDE / 2, y + self.SIDE / 2))
        return (*values[self.name], box), (len(values[self.name]), self._WHOLE)

    def removed(self, values, part):
        return values[self.name][: part[0]] + values[self.name][part[0] + 1 :]

    def moved(self, values, part, dx, dy):
        boxes = super().moved(values, part, dx, dy)
        x1, y1, x2, y2 = boxes[part[0]]
        return boxes if x2 - x1 >= 8 and y2 - y1 >= 8 else values[self.name]  # nothing is thinner than 8 px


class Scene(Explorer):
    """Place objects on a photograph; see which cell and which anchor must answer, and who gets no answer.

    Click beside the boxes to add one, drag a middle, side or corner, press Delete to remove the chosen one.

    Parameters
    ----------
    image : (height, width, 3) ndarray
        Its first 416 rows and 640 columns are shown.
    objects : (n, 4) array_like
        x1, y1, x2, y2 in pixels.

    Raises
    ------
    ValueError
        As `yolo.encode_v3`.
    """

    title = "Who must answer"
    size = 660, 450
    photograph = True

    version = Choice(VERSIONS[0], VERSIONS)
    cells = Slider(7, 3, 19, label="cells along a side", when=lambda v: v["version"] == VERSIONS[0])
    number = Slider(1, 1, MOST, label="read object")
    objects = State(())

    def __init__(self, image, objects):
        yolo.encode_v3(objects, (HEIGHT, WIDTH))
        self.image = np.asarray(image)[:HEIGHT, :WIDTH]
        super().__init__(objects={"value": tuple(tuple(map(float, box)) for box in objects)})

    def draw(self, figure):
        axes = figure.subplots()
        axes.imshow(self.image, extent=(0, WIDTH, HEIGHT, 0), alpha=0.75)
        axes.set(xlabel="x (px)", ylabel="y (px)")
        (self.grid,) = self.live(axes.plot([], [], "-", color="black", linewidth=0.8, alpha=0.45))
        (self.cell,) = self.live(axes.fill([0], [0], facecolor=theme.SKY, alpha=0.75, linewidth=0, label="answers"))
        clash = {"facecolor": theme.VERMILLION, "alpha": 0.75, "hatch": "//", "edgecolor": "black", "linewidth": 0}
        (self.clash,) = self.live(axes.fill([0], [0], **clash, label="asked twice"))
        (self.prior,) = self.live(axes.plot([], [], ":", color=theme.PURPLE, linewidth=3, label="anchor (v3)"))
        (self.kept,) = self.live(axes.plot([], [], "-", color=theme.YELLOW, linewidth=3.5, label="decoded"))
        (self.lost,) = self.live(axes.plot([], [], "--", color="black", linewidth=3, label="lost"))
        disc = {"boxstyle": "square,pad=0.2", "facecolor": theme.YELLOW, "edgecolor": "none"}
        look = {"color": "black", "ha": "center", "va": "center", "fontsize": 9, "bbox": disc}
        self.names = self.live([axes.text(0, 0, str(n + 1), **look) for n in range(MOST)])
        figure.legend(loc="outside lower center", ncols=5, columnspacing=1.4, handlelength=2.2, fontsize=11)
        self.hand(Placed(axes, "objects"))

    def solve(self, version, cells, number, objects):
        boxes = np.array(objects, dtype=float).reshape(-1, 4)
        number = min(number, len(boxes))
        return self._by_cell(boxes, number, cells) if version == VERSIONS[0] else self._by_anchor(boxes, number)

    def _by_cell(self, boxes, number, cells):
        target, kept = yolo.encode_v1(boxes, np.zeros(len(boxes)), (HEIGHT, WIDTH), (cells, cells))
        decoded, scores = yolo.decode_v1(target, (HEIGHT, WIDTH))
        decoded = decoded[scores.max(axis=1) > 0][::2]  # both boxes of a cell say the same
        step = np.array([WIDTH, HEIGHT]) / cells
        places = np.minimum(((boxes[:, :2] + boxes[:, 2:]) / 2 / step).astype(int), cells - 1)
        says, by = {}, ""
        if number:
            column, row = places[number - 1]
            own = yolo.encode_v1(boxes[[number - 1]], [0], (HEIGHT, WIDTH), (cells, cells))[0][row, column, :4]
            says = dict(zip(("x in the cell", "y in the cell", "width of 1", "height of 1"), own, strict=True))
            by = f"cell: row {row}, column {column}"
        steps = np.tile(step, (len(boxes), 1))
        return _Answers(boxes, kept, decoded, places, places * steps, steps, boxes[:0], _grid(*step), number, by, says)

    def _by_anchor(self, boxes, number):
        keys, t = yolo.encode_v3(boxes, (HEIGHT, WIDTH))
        first = np.unique(keys, axis=0, return_index=True)[1]
        kept = np.isin(np.arange(len(boxes)), first)
        decoded, priors = _decoded(keys[kept], t[kept])
        steps = np.array(yolo.STRIDES)[keys[:, [0, 0]]]
        corners = keys[:, 2:0:-1] * steps
        says, by, stride = {}, "", 32
        if number:
            scale, row, column, anchor = keys[number - 1]
            stride, (width, height) = yolo.STRIDES[scale], yolo.ANCHORS[3 * scale + anchor]
            says = dict(zip(("tx", "ty", "tw", "th"), t[number - 1], strict=True))
            by = f"stride {stride}: row {row}, column {column}, anchor {width} x {height}"
        return _Answers(boxes, kept, decoded, keys, corners, steps, priors, _grid(stride, stride), number, by, says)

    def show(self, a):
        self.grid.set_data(*a.lines)
        corner = np.hstack([a.corners, a.corners + a.steps])
        clash = (a.keys[:, None] == a.keys).all(axis=-1).sum(axis=1) > 1
        self.cell.set_xy(_polygon(corner[~clash]))
        self.clash.set_xy(_polygon(corner[clash]))
        self.clash.set_visible(bool(clash.any()))
        self.prior.set_data(*outline(a.priors))
        self.kept.set_data(*outline(a.decoded))
        self.lost.set_data(*outline(a.boxes[~a.kept]))
        for n, name in enumerate(self.names):
            name.set_visible(n < len(a.boxes))
            if n < len(a.boxes):
                name.set_position(a.boxes[n, :2] + 10)

    def readouts(self, a):
        said = {f"{a.number}: {name}": float(value) for name, value in a.says.items()}
        if a.number:
            said = {f"{a.number} " + ("is answered by" if a.kept[a.number - 1] else "is lost: taken is"): a.by} | said
        return {
            "objects": len(a.boxes),
            "outputs that answer": int(a.kept.sum()),
            "lost to a collision": int((~a.kept).sum()),
            **said,
        }

    @button("Crowd")
    def crowd(self, values):
        """A row of small objects, as close as the heads of a crowd."""
        return {"objects": tuple((150.0 + 34 * n, 330.0, 178.0 + 34 * n, 372.0) for n in range(10))}

    @button("One center")
    def one_center(self, values):
        return {"objects": ((220.0, 108.0, 420.0, 308.0), (295.0, 183.0, 345.0, 233.0))}


class _Answers(NamedTuple):
    """Objects and which are kept; boxes decoded; keys that collide; cells; anchors' boxes; grid; the object read."""

    boxes: np.ndarray
    kept: np.ndarray
    decoded: np.ndarray
    keys: np.ndarray
    corners: np.ndarray
    steps: np.ndarray
    priors: np.ndarray
    lines: np.ndarray
    number: int
    by: str
    says: dict


def _decoded(where, t):
    """What version 3's outputs say, each decoded by itself, and their anchors in the middle of the cells."""
    boxes, priors = np.empty((len(t), 4)), np.empty((len(t), 4))
    for n, ((scale, row, column, anchor), each) in enumerate(zip(where, t, strict=True)):
        stride, size = yolo.STRIDES[scale], yolo.ANCHORS[3 * scale + anchor]
        output = np.r_[each, 0].reshape(1, 1, 1, 5)
        corner = np.array([column, row] * 2) * stride
        boxes[n] = yolo.decode_v3(output, [size], stride)[0][0] + corner
        priors[n] = yolo.decode_v3(0 * output, [size], stride)[0][0] + corner
    return boxes, priors


def _grid(width, height):
    """Lines between cells of this size, as one broken line."""
    xs, ys = np.arange(0, WIDTH + 0.5, width), np.arange(0, HEIGHT + 0.5, height)
    lines = [((x, x, np.nan), (0, HEIGHT, np.nan)) for x in xs] + [((0, WIDTH, np.nan), (y, y, np.nan)) for y in ys]
    return np.concatenate(lines, axis=1)


# --- one output ------------------------------------------------------------------------------------------------------


class Decode(Explorer):
    """Four raw numbers and an anchor make a box. Drag the cell on the photograph, slide the numbers."""

    title = "Four numbers become a box"
    size = 660, 440
    photograph = True

    anchor = Choice(4, {f"stride {yolo.STRIDES[n // 3]}: {w} x {h} px": n for n, (w, h) in enumerate(yolo.ANCHORS)})
    tx = Slider(0.0, -6.0, 6.0, step=0.1)
    ty = Slider(0.0, -6.0, 6.0, step=0.1)
    tw = Slider(0.0, -2.0, 2.0, step=0.05)
    th = Slider(0.0, -2.0, 2.0, step=0.05)
    sigmoid = Switch(True, label="sigmoid on tx, ty")
    cell = State(((330.0, 215.0),))

    def __init__(self, image):
        self.image = np.asarray(image)[:HEIGHT, :WIDTH]
        super().__init__()

    def draw(self, figure):
        axes = figure.subplots()
        axes.imshow(self.image, extent=(0, WIDTH, HEIGHT, 0), alpha=0.75)
        axes.set(xlabel="x (px)", ylabel="y (px)", xlim=(0, WIDTH), ylim=(HEIGHT, 0))
        (self.grid,) = self.live(axes.plot([], [], "-", color="black", linewidth=0.6, alpha=0.45))
        (self.place,) = self.live(axes.fill([0], [0], facecolor=theme.SKY, linewidth=0, alpha=0.9, label="cell"))
        (self.prior,) = self.live(axes.plot([], [], ":", color="black", linewidth=3, label="anchor"))
        (self.box,) = self.live(axes.plot([], [], "-", color=theme.YELLOW, linewidth=4, label="decoded box"))
        dot = {"color": theme.VERMILLION, "markeredgecolor": "black", "markersize": 9}
        (self.center,) = self.live(axes.plot([], [], "o", **dot, label="its center"))
        figure.legend(loc="outside lower center", ncols=4, fontsize=11)
        self.hand(Points(axes, "cell"))

    def solve(self, anchor, tx, ty, tw, th, sigmoid, cell):
        stride, size = yolo.STRIDES[anchor // 3], yolo.ANCHORS[anchor]
        last = np.array([WIDTH, HEIGHT]) // stride - 1
        corner = np.minimum(np.array(cell[0]) // stride, last).astype(int)
        box = yolo.decode_v3(np.array([tx, ty, tw, th, 0]).reshape(1, 1, 1, 5), [size], stride)[0][0]
        if not sigmoid:  # as someone who forgets it: the raw numbers count cells
            box = box_convert([[tx * stride, ty * stride, *(size * np.exp([tw, th]))]], "cxcywh", "xyxy")[0]
        return _Output(stride, corner, np.array(size), box + np.tile(corner * stride, 2))

    def show(self, output):
        low = output.corner * output.stride
        middle = low + output.stride / 2
        self.grid.set_data(*_grid(output.stride, output.stride))
        self.place.set_xy(_polygon(np.array([[*low, *(low + output.stride)]])))
        self.prior.set_data(*outline([[*(middle - output.size / 2), *(middle + output.size / 2)]]))
        self.box.set_data(*outline([output.box]))
        self.center.set_data(*np.transpose([(output.box[:2] + output.box[2:]) / 2]))

    def readouts(self, output):
        column, row = output.corner
        x, y = (output.box[:2] + output.box[2:]) / 2
        width, height = output.box[2:] - output.box[:2]
        inside = (np.array([x, y]) // output.stride == output.corner).all()
        return {
            "grid, rows x columns": f"{HEIGHT // output.stride} x {WIDTH // output.stride}",
            "row of the cell": int(row),
            "column of the cell": int(column),
            "center x (px)": float(x),
            "center y (px)": float(y),
            "width (px)": float(width),
            "height (px)": float(height),
            "center within its cell": "yes" if inside else "no",
        }


class _Output(NamedTuple):
    """Pixels between cells; the cell (column, row); the anchor's size; the decoded box."""

    stride: int
    corner: np.ndarray
    size: np.ndarray
    box: np.ndarray


# --- detections ------------------------------------------------------------------------------------------------------

KINDS = {"the area": 0, "11 points": 11, "101 points": 101}


class Detections(Explorer):
    """Suppress, match and rank detections on a photograph: the precision-recall curve and its average, three ways.

    Parameters
    ----------
    image : (height, width, 3) ndarray
    candidates : (n, 4) array_like
        x1, y1, x2, y2 in pixels.
    scores : (n,) array_like in [0, 1]
    objects : (m, 4) array_like

    Raises
    ------
    ValueError
        As `boxes.nms` and `yolo.match_detections`.
    """

    title = "From detections to average precision"
    size = 690, 380
    photograph = True

    suppress = Slider(0.5, 0.0, 1.0, step=0.02, label="NMS threshold (IoU)")
    keep = Slider(0.0, 0.0, 1.0, step=0.02, label="keep scores from")
    match = Slider(0.5, 0.1, 0.95, step=0.05, label="a match needs IoU")
    kind = Choice(0, KINDS, label="average over")

    def __init__(self, image, candidates, scores, objects):
        nms(candidates, scores, 0.5)
        self.image, self.objects = np.asarray(image), np.asarray(objects, dtype=float)
        self.candidates, self.scores = np.asarray(candidates, dtype=float), np.asarray(scores, dtype=float)
        super().__init__()

    def draw(self, figure):
        scene, chart = figure.subplots(1, 2, width_ratios=[1.35, 1])
        height, width, _ = self.image.shape
        scene.imshow(self.image, extent=(0, width, height, 0), alpha=0.75)
        scene.set_axis_off()
        scene.plot(*outline(self.objects), ":", color="black", linewidth=1.5, label="objects")
        (self.true,) = self.live(scene.plot([], [], "-", color=theme.YELLOW, linewidth=3, label="true"))
        (self.false,) = self.live(scene.plot([], [], "--", color=theme.VERMILLION, linewidth=2.5, label="false"))
        chart.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05), xlabel="recall", ylabel="precision", box_aspect=1)
        chart.grid()
        self.area = self.live(chart.fill([0], [0], facecolor=theme.SKY, alpha=0.5)[0])
        (self.curve,) = self.live(chart.plot([], [], "o-", color=theme.BLUE, label="measured"))
        (self.hull,) = self.live(chart.plot([], [], "-", color=theme.INK, linewidth=2, label="made monotone"))
        look = {"color": theme.ORANGE, "markeredgecolor": theme.INK, "markersize": 6}
        (self.points,) = self.live(chart.plot([], [], "s", **look, label="averaged"))
        handles = [*scene.lines, *chart.lines]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=6, fontsize=10, columnspacing=0.9, handlelength=1.6
        )

    def solve(self, suppress, keep, match, kind):
        rows = nms(self.candidates, self.scores, suppress)
        rows = rows[self.scores[rows] >= keep]
        matches = yolo.match_detections(self.candidates[rows], self.objects, match)
        truths = len(self.objects)
        precision, recall = yolo.precision_recall(self.scores[rows], matches, truths)
        average = {name: yolo.average_precision(self.scores[rows], matches, truths, n) for name, n in KINDS.items()}
        hit = np.diff(recall, prepend=0) > 0
        return _Judged(self.candidates[rows], hit, precision, recall, average, kind)

    def show(self, judged):
        self.true.set_data(*outline(judged.boxes[judged.hit]))
        self.false.set_data(*outline(judged.boxes[~judged.hit]))
        self.curve.set_data(judged.recall, judged.precision)
        best = np.maximum.accumulate(judged.precision[::-1])[::-1]
        x, y = np.repeat(np.r_[0, judged.recall], 2)[1:], np.repeat(np.r_[best, 0], 2)[:-1]
        x = x[: len(y)]
        self.hull.set_data(x, y)
        self.area.set_visible(not judged.kind)
        self.area.set_xy(np.column_stack([np.r_[0, x, x[-1:]], np.r_[0, y, 0 * y[-1:]]]) if len(x) else [[0, 0]])
        at = np.linspace(0, 1, judged.kind) if judged.kind else np.empty(0)
        self.points.set_data(at, [best[judged.recall >= r - 1e-9].max(initial=0) for r in at])

    def readouts(self, judged):
        return {
            "detections": len(judged.hit),
            "true": int(judged.hit.sum()),
            "false": int((~judged.hit).sum()),
            "objects missed": len(self.objects) - int(judged.hit.sum()),
            **{f"average precision, {name}": value for name, value in judged.average.items()},
        }


class _Judged(NamedTuple):
    """Detections by score, which are true, precision and recall after each; the averages; what is shown of them."""

    boxes: np.ndarray
    hit: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    average: dict
    kind: int


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    china = datasets.photograph("china.jpg")
    # four false ones: two on the sky, one on the roof's end, one across tree and bush
    false = [[420, 20, 520, 110], [20, 15, 75, 120], [300, 110, 420, 200], [450, 180, 600, 330]]
    shift = [[6, 4, 0, -6], [-8, 10, 20, 14], [0, 3, 4, 2], [25, 20, -10, 0], [14, -12, 0, -30]]  # no box is perfect
    return {
        "Scene": lambda: Scene(china, np.minimum(OBJECTS, [WIDTH, HEIGHT] * 2)),
        "Decode": lambda: Decode(china),
        "Detections": lambda: Detections(
            china, np.vstack([CANDIDATES, false]), np.r_[SCORES, 0.89, 0.64, 0.93, 0.5], OBJECTS + shift
        ),
    }


def _polygon(rows):
    """All boxes as one polygon, to be filled: parts begin and end in one place, so what joins them has no area."""
    if not len(rows):
        return np.zeros((1, 2))
    x1, y1, x2, y2 = rows.T
    zero = np.zeros(len(rows))
    x, y = np.stack([zero, x1, x2, x2, x1, x1, zero]), np.stack([zero, y1, y1, y2, y2, y1, zero])
    return np.column_stack([x.T.ravel(), y.T.ravel()])
