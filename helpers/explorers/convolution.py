"""Explorers of topic 09: a kernel that slides over a photograph, and what sharing its weights saves."""

from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from .. import datasets, theme
from ..algorithms import convolution
from .cells import Numbers
from .controls import Choice, Slider, State, button
from .explorer import Explorer
from .handles import Handle

SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
MOST_PADDING = 4

# --- one pixel, product by product -----------------------------------------------------------------------------------

KERNELS = {
    "copy": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "blur": ((1 / 9,) * 3,) * 3,
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "edges": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),  # Sobel's, for edges that stand upright
    "outline": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),  # Laplace's
}
BLOCKS = {"window": 0, "kernel": 4.5, "products": 9}  # where each block of 3 x 3 cells begins
RESULT = 13.6, 1.0
STRONGEST = 5.0


class Slide(Explorer):
    """Edit a kernel and see what it makes of a photograph; point at a pixel and see its dot product.

    Parameters
    ----------
    image : (H, W) array_like in [0, 1]
    """

    title = "A kernel slides over a photograph"
    size = 690, 440
    plays = "column"
    photograph = True

    stride = Slider(1, 1, 4, unit="pixels")
    padding = Slider(0, 0, MOST_PADDING, unit="pixels")
    dilation = Slider(1, 1, 4, unit="pixels")
    row = Slider(0, 0, 999, label="output row")
    column = Slider(0, 0, 999, label="output column")
    kernel = State(KERNELS["copy"])

    def __init__(self, image):
        self.image = np.asarray(image, dtype=float)
        self.convolve = cache(self._convolve)  # a step to the next pixel asks for the same picture again
        height, width = self.image.shape
        super().__init__(row={"value": height // 2}, column={"value": width // 2})

    def draw(self, figure):
        height, width = self.image.shape
        axes = figure.subplot_mosaic([["photo", "out"], ["cells", "cells"]], height_ratios=[3, 2])
        axes["photo"].imshow(self.image, cmap="gray", vmin=0, vmax=1)
        self.border = self.live(axes["photo"].add_collection(PolyCollection([], facecolor="black"), autolim=False))
        self.taps = self.live(axes["photo"].add_collection(PolyCollection([], facecolor=theme.ORANGE), autolim=False))
        self.frame = self.live(
            axes["photo"].add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.SKY, linewidth=3))
        )
        blank = np.zeros((height, width, 4), dtype=np.uint8)  # holds colors already: mapping numbers takes longer
        self.output = self.live(axes["out"].imshow(blank, interpolation="nearest"))
        titles = {"photo": "Input: drag the window", "out": "Output: point at a pixel"}
        for (name, title), corner in zip(titles.items(), (-MOST_PADDING, -1), strict=True):
            axes[name].set(title=title, xticks=[], yticks=[], aspect="equal")
            axes[name].set(xlim=(corner - 0.5, corner + width + 7.5), ylim=(corner + height + 7.5, corner - 0.5))
            axes[name].spines[:].set_visible(False)
        (self.pixel,) = self.live(axes["out"].plot([], [], "s", mfc="none", mec=theme.SKY, ms=11, mew=3))
        self._draw_cells(axes["cells"])
        self.hand(_Weights(axes["cells"], "kernel"), _Window(axes["photo"], self), _OutputPixel(axes["out"], self))

    def _draw_cells(self, axes):
        axes.set(xlim=(-0.6, RESULT[0] + 1.4), ylim=(2.6, -1.3), xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        titles = {"window": "window", "kernel": "kernel: drag a weight", "products": "products"}
        for name, title in titles.items():
            axes.text(BLOCKS[name] + 1, -0.75, title, ha="center", va="bottom")
        axes.text(RESULT[0], -0.75, "output pixel", ha="center", va="bottom")
        for x, sign in ((3.25, "×"), (7.75, "="), (12.3, "sum ="), (RESULT[0], "")):
            axes.text(x, 1, sign, ha="center", va="center")
        places = [(x + j, i) for x in BLOCKS.values() for i in range(3) for j in range(3)] + [RESULT]
        cells = PolyCollection(SQUARE + np.array(places)[:, None], edgecolor=theme.MUTED, linewidth=1)
        self.cells = self.live(axes.add_collection(cells, autolim=False))
        self.places = [(i, x) for x, i in places]
        self.numbers = {color: Numbers(axes, color, size=0.3) for color in ("black", "white", theme.INK)}
        self.live([numbers.patch for numbers in self.numbers.values()])

    def highest(self, values):
        rows, columns = self._size(values)
        return {"row": rows - 1, "column": columns - 1}

    def solve(self, stride, padding, dilation, row, column, kernel):
        return _Step(
            self.convolve(stride, padding, dilation, kernel),
            np.array(kernel, dtype=float),
            _taps(row, column, stride, padding, dilation),
            *(row, column, padding),
        )

    def show(self, step):
        height, width = self.image.shape
        self.output.set_data(step.picture.colors)
        self.output.set_extent(_extent(*step.picture.out.shape))
        self.pixel.set_data([step.column], [step.row])
        self.border.set_verts(_strips(height, width, step.padding))
        rows, columns = step.taps
        self.taps.set_verts([SQUARE + np.array((column, row)) for row in rows for column in columns])
        self.frame.set_bounds(columns[0] - 0.5, rows[0] - 0.5, np.ptp(columns) + 1, np.ptp(rows) + 1)
        self._show_cells(step)

    def _show_cells(self, step):
        window, result = self._window(step), step.picture.out[step.row, step.column]
        products = window * step.kernel
        grays = [window.ravel(), [(result - step.picture.black) / (step.picture.white - step.picture.black)]]
        before, after = (colormaps["gray"](np.asarray(gray)) for gray in grays)
        signed = np.array([_signed(value) for value in (*step.kernel.ravel(), *products.ravel())])
        self.cells.set_facecolor(np.concatenate([before, signed, after]))
        entries = {color: [] for color in self.numbers}
        values = [*window.ravel(), *step.kernel.ravel(), *products.ravel(), result]
        shades = [*grays[0], *[None] * 18, *grays[1]]  # of the cells that are drawn gray
        for place, value, gray in zip(self.places, values, shades, strict=True):
            color = theme.INK if gray is None else "black" if gray > 0.5 else "white"
            entries[color].append((*place, value + 0.0))
        for color, numbers in self.numbers.items():
            numbers.show(entries[color])

    def readouts(self, step):
        rows, columns = step.picture.out.shape
        inside = [np.isin(taps, range(side)) for taps, side in zip(step.taps, self.image.shape, strict=True)]
        return {
            "output size": f"{rows} x {columns}",
            "parameters": convolution.conv_parameters(1, 1, 3, bias=False),
            "multiply-adds": convolution.conv_macs(1, 1, 3, (rows, columns)),
            "window begins at (row, column)": f"{step.taps[0][0]}, {step.taps[1][0]}",
            "its taps in the padding": 9 - int(np.outer(*inside).sum()),
            "output pixel (row, column)": f"{step.row}, {step.column}",
            "its value": round(float(step.picture.out[step.row, step.column]), 3),
            "drawn black": round(float(step.picture.black), 2),
            "drawn white": round(float(step.picture.white), 2),
        }

    @button("Blur")
    def blur(self, values):
        return {"kernel": KERNELS["blur"]}

    @button("Sharpen")
    def sharpen(self, values):
        return {"kernel": KERNELS["sharpen"]}

    @button("Edges")
    def edges(self, values):
        return {"kernel": KERNELS["edges"]}

    @button("Outline")
    def outline(self, values):
        return {"kernel": KERNELS["outline"]}

    def _size(self, values):
        options = (values[name] for name in ("stride", "padding", "dilation"))
        return convolution.conv_output_size(self.image.shape, 3, *options)

    def _window(self, step):
        """What the kernel sees: pixels, and zeros where it reaches into the padding."""
        rows, columns = (taps + MOST_PADDING for taps in step.taps)
        return np.pad(self.image, MOST_PADDING)[np.ix_(rows, columns)]

    def _convolve(self, stride, padding, dilation, kernel):
        weight = np.array(kernel, dtype=float)[None, None]
        out = convolution.conv2d(self.image[None, None], weight, None, stride, padding, dilation)[0, 0]
        black, white = min(0.0, out.min()), max(1.0, out.max())
        return _Picture(out, colormaps["gray"]((out - black) / (white - black), bytes=True), black, white)


class _Picture(NamedTuple):
    """The output, its colors, and the values that are drawn black and white."""

    out: np.ndarray
    colors: np.ndarray
    black: float
    white: float


class _Step(NamedTuple):
    """The picture, the kernel, and the rows and columns of the input that one output pixel sees."""

    picture: _Picture
    kernel: np.ndarray
    taps: tuple
    row: int
    column: int
    padding: int


def _taps(row, column, stride, padding, dilation):
    return tuple(place * stride - padding + dilation * np.arange(3) for place in (row, column))


def _extent(height, width):
    return -0.5, width - 0.5, height - 0.5, -0.5


def _strips(height, width, padding):
    """The padding as four strips: above, below, left, right."""
    left, top, right, bottom = -0.5 - padding, -0.5 - padding, width - 0.5 + padding, height - 0.5 + padding
    boxes = (left, top, right, -0.5), (left, height - 0.5, right, bottom)
    boxes += (left, top, -0.5, bottom), (width - 0.5, top, right, bottom)
    return [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in boxes]


def _signed(value):
    """Orange above 0, blue below, stronger with size; the number beside it has its sign."""
    strength = 0.55 * min(abs(value), 1.0) ** 0.5
    return to_rgba(theme.ORANGE if value > 0 else theme.SKY, strength)


class _Weights(Handle):
    """The cells of the kernel: up is more."""

    cursor = "ns-resize"

    def places(self, values):
        return {(i, j): (BLOCKS["kernel"] + j, i) for i in range(3) for j in range(3)}

    def around(self, values, x, y):
        cell = round(y), round(x - BLOCKS["kernel"])
        return cell if cell in self.places(values) else None

    def moved(self, values, part, dx, dy):
        rows = [list(row) for row in values["kernel"]]
        i, j = part
        change = round(-dy / 0.25) * 0.25  # the axis points down
        rows[i][j] = float(np.clip(rows[i][j] + change, -STRONGEST, STRONGEST))
        return tuple(map(tuple, rows))


class _Window(Handle):
    """The window on the input, to drag: it stops at every place of the output."""

    def __init__(self, axes, explorer):
        super().__init__(axes, ("row", "column"))
        self.explorer = explorer

    def places(self, values):
        shift = values["dilation"] - values["padding"]  # from where a window begins to its middle tap
        return {"window": tuple(values[name] * values["stride"] + shift for name in ("column", "row"))}

    def around(self, values, x, y):
        return "window"

    def moved(self, values, part, dx, dy):
        places = values["row"] + round(dy / values["stride"]), values["column"] + round(dx / values["stride"])
        sides = self.explorer._size(values)
        return tuple(int(np.clip(place, 0, side - 1)) for place, side in zip(places, sides, strict=True))


class _OutputPixel(_Window):
    """The output pixel under the pointer."""

    def places(self, values):
        return {}

    def around(self, values, x, y):
        return None

    def pointed(self, values, x, y):
        rows, columns = self.explorer._size(values)
        row, column = round(y), round(x)
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None


# --- shared or not ---------------------------------------------------------------------------------------------------

SMALL = 6  # side of the map whose matrix is drawn
KINDS = {"every input, own weights": "dense", "a window, own weights": "local", "a window, shared weights": "shared"}
NAMES = {"dense": "dense", "local": "local", "shared": "convolution"}


class Sharing(Explorer):
    """One layer three ways: dense, local with its own kernel at every place, and a convolution that shares one kernel.

    Left, the layer as a matrix, on a map of 6 x 6 pixels: entries of one color are one parameter. Right, the parameters
    of a layer of any size.
    """

    title = "Shared or not"
    size = 690, 370

    kind = Choice("dense", KINDS, label="an output sees")
    kernel = Choice(3, [1, 3, 5], label="kernel side", unit="pixels")
    side = Slider(8, 8, 224, step=8, label="map side", unit="pixels")
    inputs = Slider(3, 1, 256, label="input channels")
    outputs = Slider(16, 1, 256, label="output channels")

    def draw(self, figure):
        matrix, bars = figure.subplots(1, 2, width_ratios=[4, 5])
        cells = SMALL**2
        matrix.set(title="Who is connected to whom", xticks=[], yticks=[])
        matrix.set(xlabel=f"{cells} inputs (a 6 x 6 map)", ylabel=f"{cells} outputs")
        matrix.grid(False)
        blank = np.zeros((cells, cells, 4), dtype=np.uint8)
        self.matrix = self.live(matrix.imshow(blank, interpolation="nearest"))
        bars.set(title="Parameters of the whole layer", xscale="log", xlim=(1, 1e15), ylim=(2.6, -0.75))
        bars.set(yticks=[], xlabel="weights and biases (log scale)", xticks=[1e0, 1e3, 1e6, 1e9, 1e12, 1e15])
        colors = {"dense": theme.VERMILLION, "local": theme.ORANGE, "shared": theme.BLUE}
        self.bars = self.live(
            {kind: bars.barh(place, 1, 0.4, color=color)[0] for place, (kind, color) in enumerate(colors.items())}
        )
        for place, name in enumerate(NAMES.values()):
            bars.text(1.6, place - 0.27, name, va="bottom")
        right = {"va": "bottom", "ha": "right"}
        self.labels = self.live({kind: bars.text(9e14, place - 0.27, "", **right) for place, kind in enumerate(NAMES)})

    def solve(self, kind, kernel, side, inputs, outputs):
        places = side * side
        shared = convolution.conv_parameters(inputs, outputs, kernel)
        counts = {"dense": (inputs * places + 1) * outputs * places, "local": shared * places, "shared": shared}
        return kind, _colored(kind, kernel), counts, convolution.conv_macs(inputs, outputs, kernel, side)

    def show(self, solution):
        kind, (colors, _, _), counts, _ = solution
        self.matrix.set_data(colors)
        for name, bar in self.bars.items():
            bar.set(width=counts[name] - 1, x=1, alpha=1 if name == kind else 0.45)
            self.labels[name].set_text(f"{counts[name]:,}")

    def readouts(self, solution):
        kind, (_, entries, different), counts, macs = solution
        return {
            "drawn: entries not 0": entries,
            "drawn: different weights": different,
            "dense: parameters": counts["dense"],
            "local: parameters": counts["local"],
            "convolution: parameters": counts["shared"],
            "dense / convolution": f"{counts['dense'] / counts['shared']:,.0f}",
            "multiply-adds of the convolution": macs,
        }


@cache
def _colored(kind, kernel):
    """The layer's matrix on the small map as colors; how many entries are not 0, and how many weights differ."""
    cells = SMALL**2
    if kind == "dense":
        numbers = np.arange(1, cells**2 + 1).reshape(cells, cells)
    else:
        taps = np.arange(1.0, kernel**2 + 1).reshape(1, 1, kernel, kernel)
        basis = np.eye(cells).reshape(cells, 1, SMALL, SMALL)  # each input pixel by itself: the columns of the matrix
        numbers = convolution.conv2d(basis, taps, padding=kernel // 2).reshape(cells, cells).T.astype(int)
    if kind == "local":
        numbers = np.where(numbers > 0, np.arange(cells)[:, None] * kernel**2 + numbers, 0)
    colors = colormaps["viridis"](numbers / numbers.max(), bytes=True)
    colors[numbers == 0] = np.array(to_rgba(theme.PAPER)) * 255
    return colors, int((numbers > 0).sum()), len(np.unique(numbers[numbers > 0]))


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {"Slide": lambda: Slide(datasets.bloom()), "Sharing": Sharing}
