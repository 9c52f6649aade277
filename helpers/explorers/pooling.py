"""Explorers of topic 10: where the gradient of one window goes, cell by cell, and the same on a photograph."""

from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Rectangle

from .. import datasets, theme
from ..algorithms import pooling
from .cells import Numbers
from .controls import Choice, Slider, State, Switch
from .explorer import Explorer
from .handles import Handle, Points

SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


# --- cell by cell ----------------------------------------------------------------------------------------------------


class GradientFlow(Explorer):
    """Pool a small map; output cells send back a gradient of 1. Watch where it arrives, and what is lost.

    Pointing at the output chooses a cell.

    Parameters
    ----------
    x : (H, W) array_like, at most 8 x 8
        The map.
    """

    title = "Where the gradient goes"
    size = 660, 380
    plays = "cell"

    kind = Choice("max", ["max", "mean"], label="pool by")
    window = Choice(2, [2, 3])
    stride = Choice(2, [1, 2, 3, 4])
    padding = Choice(0, [0, 1])
    ceil_mode = Switch(label="keep the ragged edge")
    count_include_pad = Switch(
        True, label="mean counts padding", when=lambda v: v["kind"] == "mean" and (v["padding"] or v["ceil_mode"])
    )
    sender = Choice(
        "so far", {"all cells": "all", "the cells so far": "so far", "the chosen cell": "one"}, label="gradient sent by"
    )
    cell = Slider(0, 0, 80, label="output cell")

    def __init__(self, x):
        self.x = np.asarray(x, dtype=float)
        if self.x.ndim != 2 or max(self.x.shape) > 8:
            raise ValueError(f"x must be one map of at most 8 x 8 cells, got shape {self.x.shape}")
        self.pool = cache(self._pool)  # a step of the film asks for the same pooling again
        super().__init__(ceil_mode={"when": self._is_ragged})

    def draw(self, figure):
        height, width = self.x.shape
        before, after = figure.subplots(1, 2, width_ratios=[width + 3, width + 1])
        _draw_cells(before, "Input (small), gradient (large)", -1, height + 2, width + 2)
        _draw_cells(after, "Output: each cell sends 1", 0, height + 1, width + 1)
        before.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=theme.INK, linewidth=2.5))
        values = Numbers(before, theme.INK, -0.27, size=0.24)
        values.show([(i, j, self.x[i, j]) for i, j in np.ndindex(self.x.shape)])

        self.arrived = self.live(before.add_collection(PolyCollection([]), autolim=False))
        border = Rectangle((-1.5, -1.5), width + 2, height + 2, linestyle="--", edgecolor=theme.VERMILLION)
        self.pad = self.live(before.add_patch(border))
        self.pooled = self.live(after.add_patch(Rectangle((-0.5, -0.5), 1, 1, facecolor=theme.SKY, alpha=0.3)))
        frames = [
            axes.add_patch(Rectangle((0, 0), 1, 1, edgecolor=theme.BLUE, linewidth=4)) for axes in (before, after)
        ]
        self.window_frame, self.cell_frame = self.live(frames)
        for empty in (self.pad, *frames):
            empty.set(fill=False)
        self.received, self.values_out = Numbers(before, theme.INK, 0.18), Numbers(after, theme.INK)
        self.live([values.patch, self.received.patch, self.values_out.patch])  # above the colors
        self.hand(_OutputCells(after, self))

    def _is_ragged(self, values):
        """Whether some rows or columns are left over, so that `ceil_mode` has something to keep."""
        return any((side + 2 * values["padding"] - values["window"]) % values["stride"] for side in self.x.shape)

    def highest(self, values):
        return {"cell": self._output(values).size - 1}

    def solve(self, kind, window, stride, padding, ceil_mode, count_include_pad, sender, cell):
        out, sent = self.pool(kind, window, stride, padding, ceil_mode, count_include_pad)
        row, column = divmod(cell, out.shape[1])
        senders = {"all": slice(None), "so far": slice(cell + 1), "one": slice(cell, cell + 1)}[sender]
        corner = row * stride - padding, column * stride - padding
        return _Flow(out, row, column, corner, window, padding, len(sent[senders]), sent[senders].sum(axis=0))

    def show(self, flow):
        rows, columns = flow.out.shape
        top, left = flow.corner
        self.window_frame.set_bounds(left - 0.5, top - 0.5, flow.window, flow.window)
        self.cell_frame.set_bounds(flow.column - 0.5, flow.row - 0.5, 1, 1)
        self.pad.set_visible(flow.padding > 0)
        self.pooled.set_bounds(-0.5, -0.5, columns, rows)
        self.values_out.show([(i, j, flow.out[i, j]) for i, j in np.ndindex(rows, columns)])
        self._show_gradient(flow.gradient)

    def _show_gradient(self, gradient):
        """Color the cells that received something; vermillion where it is lost in the padding."""
        height, width = self.x.shape
        rows, columns = np.nonzero(gradient)
        received = gradient[rows, columns]
        cells = np.stack([columns - 1, rows - 1], axis=1)  # the map starts one cell in
        lost = (cells < 0).any(axis=1) | (cells >= (width, height)).any(axis=1)
        colors = to_rgba_array(np.where(lost, theme.VERMILLION, theme.ORANGE))
        colors[:, 3] = 0.15 + 0.4 * received / received.max()
        self.arrived.set_verts(cells[:, None] + SQUARE)
        self.arrived.set_facecolor(colors)
        self.received.show(zip(rows - 1, columns - 1, received, strict=True))

    def readouts(self, flow):
        height, width = self.x.shape
        inside = flow.gradient[1 : height + 1, 1 : width + 1]
        return {
            "output cells": f"{flow.out.shape[0]} x {flow.out.shape[1]}",
            "cell (row, column)": f"{flow.row}, {flow.column}",
            "its value": flow.out[flow.row, flow.column],
            "gradient sent, sum": flow.senders,
            "gradient arrived, sum": round(float(inside.sum()), 9),
            "leaked into the padding": round(float(flow.gradient.sum() - inside.sum()), 9),
            "cells without gradient": int((inside == 0).sum()),
            "largest gradient in a cell": inside.max(),
        }

    def _output(self, values):
        settings = ("kind", "window", "stride", "padding", "ceil_mode", "count_include_pad")
        return self.pool(*(values[name] for name in settings))[0]

    def _pool(self, kind, window, stride, padding, ceil_mode, count_include_pad):
        """The output, and the gradient that each of its cells sends, (cells, H + 3, W + 3), padding included."""
        options = window, stride, padding
        pool = pooling.max_pool2d if kind == "max" else pooling.avg_pool2d
        if kind == "mean":
            options = *options, ceil_mode, count_include_pad
            out = pool(self.x[None], *options)
        else:
            out, indices = pool(self.x[None], *options, ceil_mode=ceil_mode)
        ones = np.eye(out.size).reshape(-1, *out.shape[1:])  # one output cell at a time
        shape = len(ones), *self.x.shape
        if kind == "max":
            back = pooling.max_pool2d_backward(ones, np.broadcast_to(indices, ones.shape), shape)
        else:
            back = pooling.avg_pool2d_backward(ones, shape, *options)
        sent = np.pad(back, ((0, 0), (1, 2), (1, 2)))  # a cell of padding, and one that a ragged window hangs over
        if kind == "mean" and count_include_pad:
            for share, corner in zip(sent, np.ndindex(out.shape[1:]), strict=True):
                _add_leak(share, np.multiply(corner, stride) - padding + 1, window, self.x.shape, padding)
        return out[0], sent


class _Flow(NamedTuple):
    """The output, the chosen cell and its window, and the gradient that arrives around the map."""

    out: np.ndarray
    row: int
    column: int
    corner: tuple
    window: int
    padding: int
    senders: int
    gradient: np.ndarray


def _add_leak(share, corner, window, shape, padding):
    """Write into `share` what a mean that counts padding sends there: as much as to each cell of the map."""
    (top, left), (height, width) = corner, shape
    hidden = np.zeros(share.shape, dtype=bool)
    bottom, right = min(top + window, height + padding + 1), min(left + window, width + padding + 1)
    hidden[top:bottom, left:right] = True
    hidden[1 : height + 1, 1 : width + 1] = False
    share[hidden] = share.max()


class _OutputCells(Handle):
    """The output cell under the pointer."""

    def __init__(self, axes, explorer):
        super().__init__(axes, "cell")
        self._explorer = explorer

    def pointed(self, values, x, y):
        rows, columns = self._explorer._output(values).shape
        row, column = round(y), round(x)
        return row * columns + column if 0 <= row < rows and 0 <= column < columns else None


def _draw_cells(axes, title, start, height, width):
    axes.set(title=title, xlim=(start - 0.5, width - 0.5), ylim=(height - 0.5, start - 0.5), aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    lines = dict(color=theme.MUTED, linewidth=0.5, alpha=0.5)
    axes.vlines(np.arange(start, width + 1) - 0.5, start - 0.5, height - 0.5, **lines)
    axes.hlines(np.arange(start, height + 1) - 0.5, start - 0.5, width - 0.5, **lines)


# --- on a photograph -------------------------------------------------------------------------------------------------

FRAME = 40, 60  # rows and columns of pixels that are magnified
TITLES = {"photo": "Photograph", "pooled": "Pooled", "crop": "In the frame", "gradient": "Gradient in the frame"}


class Photograph(Explorer):
    """Pool a photograph and send a gradient back; drag the frame to see it pixel by pixel.

    Parameters
    ----------
    image : (H, W) array_like in [0, 1]
    """

    title = "Pooling a photograph, and back"
    size = 600, 400
    photograph = True

    kind = Choice("max", ["max", "mean"], label="pool by")
    window = Choice(4, [2, 4, 8, 16])
    overlap = Switch(label="windows overlap by half")
    upstream = Choice("ones", {"1 from every pixel": "ones", "the pooled value": "output"}, label="gradient sent")
    frame_at = State(())

    def __init__(self, image):
        self.image = np.asarray(image, dtype=float)
        height, width = self.image.shape
        self.pool = cache(self._pool)
        super().__init__(frame_at={"value": ((width / 2, height / 2),)})

    def draw(self, figure):
        rows, columns = FRAME
        axes = figure.subplot_mosaic([["photo", "pooled", "."], ["crop", "gradient", "scale"]], width_ratios=[9, 9, 1])
        for name, title in TITLES.items():
            axes[name].set(title=title, xticks=[], yticks=[])
            axes[name].spines[:].set_visible(name in ("crop", "gradient"))
        axes["photo"].imshow(self.image, cmap="gray", vmin=0, vmax=1)
        frame = Rectangle((0, 0), columns, rows, fill=False, edgecolor=theme.YELLOW, linewidth=3)
        self.frame = self.live(axes["photo"].add_patch(frame))
        # live images hold colors already: mapping numbers to colors at every drawing takes twice as long
        self.grey = colormaps["gray"](self.image, bytes=True)
        self.pooled = self.live(axes["pooled"].imshow(self.grey, interpolation="nearest"))
        window = self.grey[:rows, :columns]
        self.crop, self.gradient = self.live(
            [axes[k].imshow(window, interpolation="nearest") for k in ("crop", "gradient")]
        )
        scale = axes["scale"].imshow(np.linspace(1, 0, 64)[:, None], cmap="magma", aspect="auto", extent=(0, 1, 0, 1))
        scale.axes.set(xticks=[], yticks=[0, 1], yticklabels=["0", "largest"])
        scale.axes.yaxis.tick_right()
        self.hand(Points(axes["photo"], "frame_at"))

    def solve(self, kind, window, overlap, upstream, frame_at):
        return self.pool(kind, window, overlap, upstream), self._framed(*frame_at[0])

    def show(self, solution):
        pooled, inside = solution
        rows, columns = inside
        self.frame.set_xy((columns.start - 0.5, rows.start - 0.5))
        self.pooled.set_data(pooled.output)
        self.crop.set_data(self.grey[inside])
        self.gradient.set_data(pooled.returned[inside])

    def readouts(self, solution):
        pooled, inside = solution
        return pooled.readouts | {"pixels reached in frame": int(pooled.reached[inside].sum())}

    def _framed(self, x, y):
        """The rows and columns of the frame about (x, y), inside the image."""
        corners = (
            int(np.clip(round(middle - side / 2), 0, whole - side))
            for middle, side, whole in zip((y, x), FRAME, self.image.shape, strict=True)
        )
        return tuple(slice(corner, corner + side) for corner, side in zip(corners, FRAME, strict=True))

    def _pool(self, kind, window, overlap, upstream):
        image, options = self.image[None], (window, window // 2 if overlap else window)
        if kind == "max":
            out, indices = pooling.max_pool2d(image, *options)
        else:
            out = pooling.avg_pool2d(image, *options)
        sent = np.ones(out.shape) if upstream == "ones" else out
        if kind == "max":
            back = pooling.max_pool2d_backward(sent, indices, image.shape)
        else:
            back = pooling.avg_pool2d_backward(sent, image.shape, *options)
        readouts = {
            "output pixels": f"{out.shape[1]} x {out.shape[2]}",
            "gradient sent, sum": round(float(sent.sum()), 6),
            "gradient arrived, sum": round(float(back.sum()), 6),
            "input pixels reached (%)": 100 * np.mean(back > 0),
            "largest gradient in a pixel": back.max(),
            "ragged edge, rows dropped": image.shape[1] - (out.shape[1] - 1) * options[1] - window,
        }
        colors = colormaps["gray"](out[0], bytes=True), colormaps["magma"](back[0] / back.max(), bytes=True)
        return _Pooled(*colors, back[0] > 0, readouts)


class _Pooled(NamedTuple):
    """The pooled picture and the gradient that comes back, both as RGBA bytes, and where any arrives."""

    output: np.ndarray
    returned: np.ndarray
    reached: np.ndarray
    readouts: dict


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    digit = datasets.digits().X[0].reshape(8, 8)[1:7, 1:7]
    grey = datasets.photograph("flower.jpg")[::2, ::2].mean(axis=2) / 255
    return {"GradientFlow": lambda: GradientFlow(digit), "Photograph": lambda: Photograph(grey)}
