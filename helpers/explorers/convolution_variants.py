"""Explorers of topic 16: what groups save, which pixels dilated layers see, and how a transposed convolution stamps."""

from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from .. import datasets, theme
from ..algorithms import convolution_variants as variants
from .cells import Numbers
from .controls import Choice, Slider, State, button
from .explorer import Explorer
from .handles import Handle, Points

PAPER = np.array([round(255 * part) for part in to_rgba(theme.PAPER)], dtype=np.uint8)

# --- what groups save ------------------------------------------------------------------------------------------------

BARS = "plain", "grouped", "separable"


class Counters(Explorer):
    """Weights and multiply-adds of one layer: plain, grouped, and depthwise separable."""

    title = "What groups save"
    size = 690, 360

    inputs = Slider(64, 32, 512, step=32, label="input channels")
    outputs = Slider(128, 32, 512, step=32, label="output channels")
    kernel = Choice(3, [1, 3, 5, 7], label="kernel side", unit="pixels")
    groups = Choice(1, [1, 2, 4, 8, 16, 32])
    side = Slider(28, 7, 112, step=7, label="output side", unit="pixels")

    def draw(self, figure):
        matrix, bars = figure.subplots(1, 2, width_ratios=[2, 3])
        matrix.set(title="Grouped: who sees whom", xticks=[], yticks=[], xlabel="input channels")
        matrix.set(ylabel="output channels")
        matrix.grid(False)
        blank = np.zeros((1, 1, 4), dtype=np.uint8)
        self.matrix = self.live(matrix.imshow(blank, extent=(0, 1, 0, 1), interpolation="nearest"))
        bars.set(title="Weights, as a share of the plain layer", xlim=(0, 130), ylim=(2.7, -0.7), yticks=[])
        bars.set(xticks=[0, 25, 50, 75, 100], xlabel="%")
        colors = theme.MUTED, theme.ORANGE, theme.BLUE
        self.bars = self.live([bars.barh(i, 1, 0.4, color=color)[0] for i, color in enumerate(colors)])
        (self.depthwise,) = self.live(bars.barh(2, 1, 0.4, color=theme.SKY, hatch="///", edgecolor=theme.INK))
        for i, name in enumerate(("plain", "grouped", "separable (hatched: depthwise)")):
            bars.text(1, i - 0.27, name, va="bottom")
        self.labels = self.live([bars.text(128, i - 0.27, "", va="bottom", ha="right") for i in range(3)])

    def solve(self, inputs, outputs, kernel, groups, side):
        return _Costs(
            variants.conv_cost(inputs, outputs, kernel, side),
            variants.conv_cost(inputs, outputs, kernel, side, groups),
            variants.depthwise_separable_cost(inputs, outputs, kernel, side),
            variants.conv_cost(inputs, inputs, kernel, side, groups=inputs).parameters,
            groups,
            1 / outputs + 1 / kernel**2,
        )

    def show(self, costs):
        self.matrix.set_data(_blocks(costs.groups))
        for bar, label, cost in zip(self.bars, self.labels, costs[:3], strict=True):
            bar.set_width(100 * cost.parameters / costs.plain.parameters)
            label.set_text(f"{cost.parameters:,}")
        self.depthwise.set_width(100 * costs.depthwise / costs.plain.parameters)

    def readouts(self, costs):
        said = {}
        for name, cost in zip(BARS, costs[:3], strict=True):
            said[f"{name}: weights"] = cost.parameters
            said[f"{name}: multiply-adds (million)"] = cost.macs / 1e6
        return said | {
            "separable / plain": costs.separable.parameters / costs.plain.parameters,
            "1 / outputs + 1 / kernel²": costs.share,
            "pointwise part of separable (%)": 100 - 100 * costs.depthwise / costs.separable.parameters,
        }


class _Costs(NamedTuple):
    plain: variants.Cost
    grouped: variants.Cost
    separable: variants.Cost
    depthwise: int
    groups: int
    share: float


@cache
def _blocks(groups):
    """Which input channels each output channel sees, in 32 steps of the channels: blocks on the diagonal."""
    block = np.arange(32) * groups // 32
    colors = np.empty((32, 32, 4), dtype=np.uint8)
    colors[:] = PAPER
    rows, columns = np.nonzero(block[:, None] == block)
    shades = theme.BLUE, theme.ORANGE  # neighbors differ
    colors[rows, columns] = [[round(255 * part) for part in to_rgba(shades[block[row] % 2])] for row in rows]
    return colors


# --- which pixels are seen -------------------------------------------------------------------------------------------

DEEPEST = 3
NAMES = "first", "second", "third"


class Gridding(Explorer):
    """Stack dilated layers: which pixels does one output see, and on how many paths?

    Parameters
    ----------
    image : (H, W) array_like in [0, 1]
    """

    title = "Which pixels are seen"
    size = 690, 340
    photograph = True

    kernel = Choice(3, [3, 5], label="kernel side", unit="pixels")
    layers = Slider(1, 1, DEEPEST)
    first = Slider(1, 1, 5, label="first dilation", unit="pixels")
    second = Slider(1, 1, 5, label="second dilation", unit="pixels", when=lambda v: v["layers"] > 1)
    third = Slider(1, 1, 5, label="third dilation", unit="pixels", when=lambda v: v["layers"] > 2)
    place = State(())

    def __init__(self, image):
        self.image = np.asarray(image, dtype=float)
        self.bright = colormaps["gray"](self.image, bytes=True)
        self.dim = colormaps["gray"](0.4 * self.image, bytes=True)
        height, width = self.image.shape
        super().__init__(place={"value": ((width // 2, height // 2),)})

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        left.set_title("What one output sees: drag it")
        right.set_title("Its paths, magnified")
        self.seen = self.live(left.imshow(self.dim, interpolation="nearest"))
        blank = np.zeros((1, 1, 4), dtype=np.uint8)
        self.paths = self.live(right.imshow(blank, extent=(0, 1, 0, 1), interpolation="nearest"))
        self.frame = self.live(left.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.SKY, linewidth=3)))
        right.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.SKY, linewidth=3, clip_on=False))
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        self.hand(Points(left, "place"))

    def solve(self, kernel, layers, first, second, third, place):
        dilations = (first, second, third)[:layers]
        return _paths(kernel, dilations), kernel, dilations, np.round(place[0]).astype(int)

    def show(self, solution):
        paths, kernel, dilations, (x, y) = solution
        extent = len(paths)
        half = extent // 2
        self.paths.set_data(_heat(kernel, dilations))
        self.frame.set_bounds(x - half - 0.5, y - half - 0.5, extent, extent)
        height, width = self.image.shape
        rows, columns = np.nonzero(paths)
        rows, columns = rows + y - half, columns + x - half
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        colors = self.dim.copy()
        colors[rows[inside], columns[inside]] = self.bright[rows[inside], columns[inside]]
        self.seen.set_data(colors)

    def readouts(self, solution):
        paths, kernel, dilations, _ = solution
        extent, seen = len(paths), int((paths > 0).sum())
        gap = np.diff(np.flatnonzero(paths[extent // 2])).max() - 1
        return {
            "dilations": ", ".join(map(str, dilations)),
            "receptive field": f"{extent} x {extent}",
            "pixels seen": seen,
            "share of the field (%)": 100 * seen / extent**2,
            "longest gap in a row (pixels)": int(gap),
            "weights per channel": len(dilations) * kernel**2,
            "paths, all together": int(paths.sum()),
            "most paths to one pixel": int(paths.max()),
        }

    @button("2, 2, 2")
    def equal(self, values):
        return {"layers": 3, "first": 2, "second": 2, "third": 2}

    @button("1, 2, 4")
    def doubling(self, values):
        return {"layers": 3, "first": 1, "second": 2, "third": 4}

    @button("1, 2, 5")
    def hybrid(self, values):
        return {"layers": 3, "first": 1, "second": 2, "third": 5}


@cache
def _paths(kernel, dilations):
    return variants.paths_through(kernel, list(dilations))


@cache
def _heat(kernel, dilations):
    """Colors of the paths, with a thin gap between pixels; what is not seen is paper."""
    paths = _paths(kernel, dilations)
    heat = colormaps["viridis"](paths / paths.max(), bytes=True)
    heat[paths == 0] = PAPER
    dots = max(6, 180 // len(paths))  # per pixel; the gap is one of them
    heat = heat.repeat(dots, axis=0).repeat(dots, axis=1)
    heat[dots - 1 :: dots] = heat[:, dots - 1 :: dots] = PAPER
    return heat


# --- stamps ----------------------------------------------------------------------------------------------------------

SIDE = 3  # of the input
ROOM = 13, 10  # cells that the input may take with its zeros, and the output
SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


class Transposed(Explorer):
    """A transposed convolution as zero insertion: the window steps over the spread input, the output grows.

    The kernel is all ones, so each output is the sum of what lies under the window.

    Parameters
    ----------
    x : (3, 3) array_like
        The input; the alternative is all ones.
    """

    title = "Insert zeros, then convolve"
    size = 690, 370
    plays = "cell"

    content = Choice("digit", {"a piece of a digit": "digit", "all ones": "ones"}, label="input")
    kernel = Choice(3, [2, 3, 4], label="kernel side", unit="pixels")
    stride = Choice(2, [1, 2, 3], unit="pixels")
    padding = Slider(0, 0, 2, label="cut off (padding)")
    cell = Slider(0, 0, ROOM[1] ** 2 - 1, label="output cell")

    def __init__(self, x):
        self.x = np.asarray(x, dtype=float)
        if self.x.shape != (SIDE, SIDE):
            raise ValueError(f"x must be a map of {SIDE} x {SIDE} cells, got shape {self.x.shape}")
        super().__init__()

    def draw(self, figure):
        before, after = figure.subplots(1, 2)
        before.set_title("Input, zeros between and around")
        after.set_title("Output so far")
        for axes, room in zip((before, after), ROOM, strict=True):
            axes.set(xticks=[], yticks=[], aspect="equal", xlim=(-0.7, room - 0.3), ylim=(room - 0.3, -0.7))
            axes.spines[:].set_visible(False)
        style = {"edgecolor": theme.MUTED, "linewidth": 0.6}
        self.spread, self.filled = self.live(
            [axes.add_collection(PolyCollection([], **style), autolim=False) for axes in (before, after)]
        )
        self.numbers = [Numbers(axes, theme.INK, size=0.42) for axes in (before, after)]
        self.live([numbers.patch for numbers in self.numbers])
        frame = {"fill": False, "edgecolor": theme.VERMILLION, "linewidth": 3}
        self.frames = self.live([axes.add_patch(Rectangle((0, 0), 1, 1, **frame)) for axes in (before, after)])
        self.hand(_OutputCell(after, self))

    def highest(self, values):
        rows, columns = self._size(values)
        return {"padding": min(2, values["kernel"] - 1), "cell": rows * columns - 1}

    def solve(self, content, kernel, stride, padding, cell):
        x = self.x if content == "digit" else np.ones(self.x.shape)
        padding = min(padding, kernel - 1)
        ones = np.ones((1, 1, kernel, kernel))
        out = variants.conv_transpose2d(x[None, None], ones, None, stride, padding)[0, 0]
        margin = kernel - 1 - padding
        return _Stamped(
            np.pad(variants.insert_zeros(x[None, None], stride)[0, 0], margin),
            np.pad(variants.insert_zeros(np.ones((1, 1, *x.shape)), stride)[0, 0], margin) > 0,
            out,
            divmod(min(cell, out.size - 1), out.shape[1]),
            kernel,
            stride,
        )

    def show(self, stamped):
        row, column = stamped.cell
        self.frames[0].set_bounds(column - 0.5, row - 0.5, stamped.kernel, stamped.kernel)
        self.frames[1].set_bounds(column - 0.5, row - 0.5, 1, 1)
        self.spread.set_verts(_cells(stamped.real.shape))
        self.spread.set_facecolor(
            np.where(stamped.real.reshape(-1, 1), to_rgba(theme.ORANGE, 0.55), to_rgba(theme.PAPER))
        )
        self.numbers[0].show([(i, j, stamped.spread[i, j]) for i, j in np.argwhere(stamped.real)])
        known = row * stamped.out.shape[1] + column + 1
        shade = stamped.out.ravel() / max(stamped.out.max(), 1)
        colors = np.tile(to_rgba(theme.BLUE), (stamped.out.size, 1))
        colors[:, 3] = np.where(np.arange(stamped.out.size) < known, 0.08 + 0.6 * shade, 0)
        self.filled.set_verts(_cells(stamped.out.shape))
        self.filled.set_facecolor(colors)
        places = list(np.ndindex(stamped.out.shape))[:known]
        self.numbers[1].show([(i, j, stamped.out[i, j]) for i, j in places])

    def readouts(self, stamped):
        row, column = stamped.cell
        window = stamped.real[row : row + stamped.kernel, column : column + stamped.kernel]
        few, many = _stamps(stamped.kernel, stamped.stride)
        is_last = (row + 1, column + 1) == stamped.out.shape
        stamps = "see the last cell" if not is_last else f"{few}" if few == many else f"{few} to {many}"
        return {
            "with zeros": f"{stamped.spread.shape[0]} x {stamped.spread.shape[1]}",
            "output size": f"{stamped.out.shape[0]} x {stamped.out.shape[1]}",
            "output cell (row, column)": f"{row}, {column}",
            "its value": stamped.out[row, column],
            "input pixels under the window": int(window.sum()),
            "zeros under the window": int((~window).sum()),
            "stamps on an inner cell": stamps,
            "multiply-adds by stamping": self.x.size * stamped.kernel**2,
            "multiply-adds with the zeros": stamped.out.size * stamped.kernel**2,
        }

    def _size(self, values):
        padding = min(values["padding"], values["kernel"] - 1)
        return variants.conv_transpose_output_size(SIDE, values["kernel"], values["stride"], padding)


class _Stamped(NamedTuple):
    """The spread input, where it holds input and not an inserted zero, the output, the present cell, the sizes."""

    spread: np.ndarray
    real: np.ndarray
    out: np.ndarray
    cell: tuple
    kernel: int
    stride: int


@cache
def _cells(shape):
    return [SQUARE + np.array((column, row)) for row, column in np.ndindex(shape)]


@cache
def _stamps(kernel, stride):
    """The fewest and the most stamps that fall on one cell far from the border."""
    out = variants.conv_transpose2d(np.ones((1, 1, 12, 12)), np.ones((1, 1, kernel, kernel)), stride=stride)[0, 0]
    inner = out[kernel:-kernel, kernel:-kernel]
    return int(inner.min()), int(inner.max())


class _OutputCell(Handle):
    """The output cell under the pointer."""

    def __init__(self, axes, explorer):
        super().__init__(axes, "cell")
        self.explorer = explorer

    def pointed(self, values, x, y):
        rows, columns = self.explorer._size(values)
        row, column = round(y), round(x)
        return row * columns + column if 0 <= row < rows and 0 <= column < columns else None


def small_photograph():
    """The bloom of flower.jpg in gray, 48 x 72 pixels from 0 to 1, each the mean of 5 x 5."""
    gray = datasets.photograph("flower.jpg")[90:330, 140:500].mean(axis=2) / 255
    return gray.reshape(48, 5, 72, 5).mean(axis=(1, 3))


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    piece = datasets.digits().X[0].reshape(8, 8)[:3, 2:5]
    return {
        "Counters": Counters,
        "Gridding": lambda: Gridding(small_photograph()),
        "Transposed": lambda: Transposed(piece),
    }
