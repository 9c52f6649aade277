"""Explorers of topic 10: where the gradient of one window goes, cell by cell, and the same on a photograph."""

from functools import cache

import ipywidgets as widgets
import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from .. import datasets, theme
from ..algorithms import pooling
from .explorer import Explorer, State
from .handles import Points

SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])

# --- cell by cell ----------------------------------------------------------------------------------------------------


def gradient_flow(x):
    """Pool a small map; every output cell sends back a gradient of 1. Watch where it arrives, and what is lost.

    Parameters
    ----------
    x : (H, W) array_like, at most 8 x 8
        The map.

    Returns
    -------
    Explorer
        Controls: kind, window, stride, padding, ceil_mode, count_include_pad, sender (whose gradient is shown), cell
        (the output cell, row by row; past the last one it starts again). Hovering over the output chooses a cell.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or max(x.shape) > 8:
        raise ValueError(f"x must be one map of at most 8 x 8 cells, got shape {x.shape}")
    height, width = x.shape
    margins = (0, 0), (1, 2), (1, 2)  # one cell of padding, one more that a window in ceil mode can hang over

    figure = theme.figure(height=380)
    before, after = figure.subplots(1, 2, width_ratios=[width + 3, width + 1])
    _cell_axes(before, "Input (small), gradient (large)", -1, height + 2, width + 2)
    _cell_axes(after, "Output: each cell sends 1", 0, height + 1, width + 1)
    before.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=theme.INK, linewidth=2.5))
    values = _Numbers(before, theme.INK, -0.27, size=0.24)
    values.show([(i, j, x[i, j]) for i in range(height) for j in range(width)])

    arrived = before.add_collection(PolyCollection([]), autolim=False)
    before_numbers, after_numbers = _Numbers(before, theme.INK, 0.18), _Numbers(after, theme.INK)
    pad = before.add_patch(Rectangle((-1.5, -1.5), width + 2, height + 2, fill=False, linestyle="--"))
    pad.set(edgecolor=theme.VERMILLION, linewidth=2)
    window_frame = before.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.BLUE, linewidth=4))
    pooled = after.add_patch(Rectangle((-0.5, -0.5), 1, 1, facecolor=theme.SKY, alpha=0.3))
    cell_frame = after.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.BLUE, linewidth=4))

    @cache
    def pool(kind, window, stride, padding, ceil_mode, count_include_pad):
        """The output, and for each of its cells the gradient that it sends to the input and to the padding."""
        options = window, stride, padding
        if kind == "max":
            out, indices = pooling.max_pool2d(x[None], *options, ceil_mode=ceil_mode)
            ones = np.eye(out.size).reshape(-1, *out.shape[1:])
            everyone = np.broadcast_to(indices, ones.shape)
            inside = pooling.max_pool2d_backward(ones, everyone, (out.size, height, width))
            return out[0], np.pad(inside, margins)
        options = *options, ceil_mode, count_include_pad
        out = pooling.avg_pool2d(x[None], *options)
        ones = np.eye(out.size).reshape(-1, *out.shape[1:])
        inside = pooling.avg_pool2d_backward(ones, (out.size, height, width), *options)
        sent = np.pad(inside, margins)
        for share, (row, column) in zip(sent, np.ndindex(out.shape[1:]), strict=True):
            top, left = row * stride - padding + 1, column * stride - padding + 1
            hidden = np.zeros(share.shape, dtype=bool)  # the window's cells in the padding, if they count
            if count_include_pad:
                far = slice(top, min(top + window, height + padding + 1))
                hidden[far, slice(left, min(left + window, width + padding + 1))] = True
                hidden[1 : height + 1, 1 : width + 1] = False
            share[hidden] = share.max()
        return out[0], sent

    def update(kind, window, stride, padding, ceil_mode, count_include_pad, sender, cell):
        out, sent = pool(kind, window, stride, padding, ceil_mode, count_include_pad)
        cell %= out.size
        row, column = divmod(cell, out.shape[1])
        gradient = sent[{"all": slice(None), "so far": slice(cell + 1), "one": slice(cell, cell + 1)}[sender]].sum(0)
        window_frame.set_bounds(column * stride - padding - 0.5, row * stride - padding - 0.5, window, window)
        cell_frame.set_bounds(column - 0.5, row - 0.5, 1, 1)
        pad.set_visible(padding > 0)

        inside = gradient[1 : height + 1, 1 : width + 1]
        rows, columns = np.nonzero(gradient)
        cells = np.stack([columns - 1, rows - 1], axis=1)  # the map starts one cell in
        lost = (cells < 0).any(axis=1) | (cells >= (width, height)).any(axis=1)
        colours = to_rgba_array(np.where(lost, theme.VERMILLION, theme.ORANGE))
        received = gradient[rows, columns]
        colours[:, 3] = 0.15 + 0.4 * received / received.max()
        arrived.set_verts(cells[:, None] + SQUARE)
        arrived.set_facecolor(colours)
        before_numbers.show(zip(rows - 1, columns - 1, received, strict=True))
        pooled.set_bounds(-0.5, -0.5, out.shape[1], out.shape[0])
        after_numbers.show([(i, j, out[i, j]) for i, j in np.ndindex(out.shape)])
        senders = {"all": out.size, "so far": cell + 1, "one": 1}[sender]
        return {
            "output cells": f"{out.shape[0]} x {out.shape[1]}",
            "chosen cell (row, column)": f"{row}, {column}",
            "its value": out[row, column],
            "gradient sent, sum": senders,
            "gradient arrived, sum": round(float(inside.sum()), 9),
            "leaked into the padding": round(float(gradient.sum() - inside.sum()), 9),
            "input cells without gradient": int((inside == 0).sum()),
            "largest gradient in a cell": inside.max(),
        }

    narrow = {"width": "150px"}
    controls = {
        "kind": widgets.Dropdown(options=["max", "mean"], description="pool by", layout=narrow),
        "window": widgets.Dropdown(options=[2, 3], description="window", layout=narrow),
        "stride": widgets.Dropdown(options=[1, 2, 3, 4], value=2, description="stride", layout=narrow),
        "padding": widgets.Dropdown(options=[0, 1], description="padding", layout=narrow),
        "ceil_mode": widgets.Checkbox(False, description="keep the ragged edge (ceil_mode)", indent=False),
        "count_include_pad": widgets.Checkbox(True, description="mean counts padding", indent=False),
        "sender": widgets.Dropdown(
            options=[("all cells", "all"), ("cells so far", "so far"), ("the chosen cell", "one")],
            description="gradient sent by",
            layout={"width": "250px"},
        ),
        "cell": widgets.IntSlider(0, min=0, max=(height + 1) * (width + 1) - 1, description="output cell"),
    }
    for name in ("ceil_mode", "count_include_pad"):
        controls[name].layout.width = "auto"
    live = [arrived, before_numbers.patch, pad, window_frame, pooled, after_numbers.patch, cell_frame]
    explorer = Explorer("Where the gradient goes", figure, controls, live, update, play="cell")

    def hover(event):
        if event.inaxes is after:
            row, column = round(event.ydata), round(event.xdata)
            values = explorer.values
            del values["sender"], values["cell"]
            out, _ = pool(**values)
            if 0 <= row < out.shape[0] and 0 <= column < out.shape[1]:
                explorer.assign("cell", row * out.shape[1] + column)

    explorer.canvas.mpl_connect("motion_notify_event", lambda event: explorer.attempt(lambda: hover(event)))
    return explorer


class _Numbers:
    """Numbers in cells as one patch: a hundred text artists would take longer than the whole picture may."""

    def __init__(self, axes, colour, below=0.0, size=0.36):
        self.patch = axes.add_patch(PathPatch(Path(np.zeros((0, 2))), facecolor=colour, linewidth=0))
        self._below, self._size = below, size

    def show(self, entries):
        """Write each value of (row, column, value) into its cell."""
        glyphs = [(_glyphs(f"{value:.2f}".rstrip("0").rstrip(".")), row, column) for row, column, value in entries]
        if not glyphs:
            self.patch.set_path(Path(np.zeros((0, 2))))
            return
        vertices = [
            g.vertices * min(self._size, 0.43 / g.vertices[:, 0].max())
            + (column, row + self._below)  # no wider than it
            for g, row, column in glyphs
        ]
        self.patch.set_path(Path(np.concatenate(vertices), np.concatenate([g.codes for g, _, _ in glyphs])))


@cache
def _glyphs(text):
    """The outline of a text of height 1 about the origin, for an axis that points down."""
    path = TextPath((0, 0), text, size=1.35)
    box = path.get_extents()
    return Path((path.vertices - (box.x0 + box.width / 2, 0.5)) * (1, -1), path.codes)


def _cell_axes(axes, title, start, height, width):
    axes.set(title=title, xlim=(start - 0.5, width - 0.5), ylim=(height - 0.5, start - 0.5), aspect="equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    lines = dict(color=theme.MUTED, linewidth=0.5, alpha=0.5)
    axes.vlines(np.arange(start, width + 1) - 0.5, start - 0.5, height - 0.5, **lines)
    axes.hlines(np.arange(start, height + 1) - 0.5, start - 0.5, width - 0.5, **lines)


# --- on a photograph -------------------------------------------------------------------------------------------------

FRAME = 40, 60  # rows and columns of pixels that are magnified


def photograph(image):
    """Pool a photograph and send a gradient back; drag the frame to see it pixel by pixel.

    Parameters
    ----------
    image : (H, W) array_like in [0, 1]

    Returns
    -------
    Explorer
        Controls: kind, window, overlap (windows overlap by half), upstream (what is sent back), frame (its middle).
    """
    image = np.asarray(image, dtype=float)
    (height, width), (rows, columns) = image.shape, FRAME

    figure = theme.figure(width=560, height=370)
    axes = figure.subplot_mosaic([["photo", "pooled"], ["crop", "gradient"]])
    titles = {
        "photo": "Photograph",
        "pooled": "Pooled",
        "crop": "In the frame",
        "gradient": "Gradient in the frame",
    }
    for name, title in titles.items():
        axes[name].set(title=title, xticks=[], yticks=[])
        axes[name].spines[:].set_visible(name in ("crop", "gradient"))
    axes["photo"].imshow(image, cmap="gray", vmin=0, vmax=1)
    frame = axes["photo"].add_patch(Rectangle((0, 0), columns, rows, fill=False, edgecolor=theme.YELLOW, linewidth=3))
    # live images hold colours already: mapping numbers to colours at every drawing takes twice as long
    coloured = colormaps["gray"](image, bytes=True)
    pooled = axes["pooled"].imshow(coloured, interpolation="nearest")
    crop, gradient = (axes[k].imshow(coloured[:rows, :columns], interpolation="nearest") for k in ("crop", "gradient"))

    @cache
    def pool(kind, window, overlap, upstream):
        options = window, window // 2 if overlap else window
        if kind == "max":
            out, indices = pooling.max_pool2d(image[None], *options)
        else:
            out = pooling.avg_pool2d(image[None], *options)
        sent = np.ones(out.shape) if upstream == "ones" else out
        shape = (1, height, width)
        if kind == "max":
            back = pooling.max_pool2d_backward(sent, indices, shape)
        else:
            back = pooling.avg_pool2d_backward(sent, shape, *options)
        readouts = {
            "output pixels": f"{out.shape[1]} x {out.shape[2]}",
            "gradient sent, sum": round(float(sent.sum()), 6),
            "gradient arrived, sum": round(float(back.sum()), 6),
            "input pixels reached, %": 100 * np.mean(back > 0),
            "largest gradient in a pixel": back.max(),
            "ragged edge, rows dropped": height - (out.shape[1] - 1) * options[1] - window,
        }
        colours = colormaps["gray"](out[0], bytes=True), colormaps["magma"](back[0] / back.max(), bytes=True)
        return *colours, back[0] > 0, readouts

    def update(kind, window, overlap, upstream, frame_at):
        ((x, y),) = frame_at
        left, top = (
            int(np.clip(round(middle - side / 2), 0, whole - side))
            for middle, side, whole in ((x, columns, width), (y, rows, height))
        )
        output, returned, reached, readouts = pool(kind, window, overlap, upstream)
        inside = slice(top, top + rows), slice(left, left + columns)
        frame.set_xy((left - 0.5, top - 0.5))
        pooled.set_data(output)
        crop.set_data(coloured[inside])
        gradient.set_data(returned[inside])
        return readouts | {"in the frame, pixels reached": int(reached[inside].sum())}

    controls = {
        "kind": widgets.Dropdown(options=["max", "mean"], description="pool by", layout={"width": "150px"}),
        "window": widgets.Dropdown(options=[2, 4, 8, 16], value=4, description="window", layout={"width": "150px"}),
        "overlap": widgets.Checkbox(False, description="windows overlap by half", indent=False),
        "upstream": widgets.Dropdown(
            options=[("1 from every pixel", "ones"), ("the pooled value", "output")],
            description="gradient sent",
            layout={"width": "280px"},
        ),
        "frame_at": State(((width / 2, height / 2),)),
    }
    controls["overlap"].layout.width = "auto"
    live = [frame, pooled, crop, gradient]
    return Explorer(
        *("Pooling a photograph, and back", figure, controls, live, update),
        handles=[Points(axes["photo"], "frame_at")],
    )


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    digit = datasets.digits().X[0].reshape(8, 8)[1:7, 1:7]
    grey = datasets.photograph("flower.jpg")[::2, ::2].mean(axis=2) / 255
    return {"gradient_flow": lambda: gradient_flow(digit), "photograph": lambda: photograph(grey)}
