"""Explorers of topic 11: the pixels that reach a unit of any layer, and how strongly each of them counts."""

from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from .. import datasets, theme
from ..algorithms import receptive_field as fields
from ..algorithms.receptive_field import Layer
from .controls import Choice, Slider, State, button
from .explorer import Explorer
from .handles import Handle

# --- layer by layer --------------------------------------------------------------------------------------------------

NETWORKS = {
    "AlexNet": tuple(fields.alexnet()),
    "VGG-16": tuple(fields.vgg16()),
    "ResNet-50": tuple(fields.resnet50()),
}
MOST_LAYERS = 18
FEWEST_ROWS = 7  # of the side view: a short stack does not fill it
NAMES = 58, 345  # width and height, about in pixels, of the column of the layers' names
THICK = 8  # lines of the side view's picture per row, one of them blank


class Cone(Explorer):
    """Build a stack of layers, point at a unit of any of them, and see the pixels that reach it.

    Parameters
    ----------
    image : (side, side, 3) array_like of uint8
    """

    title = "What a unit sees"
    size = 690, 400
    plays = "layer"
    photograph = True

    network = Choice("yours", {"your stack": "yours"} | {name: name for name in NETWORKS})
    layer = Slider(1, 0, MOST_LAYERS)
    zoom = Choice(4, {"4 x, the middle": 4, "2 x, the middle": 2, "whole image": 1})
    place = State((112, 112))
    stack = State((Layer(3, 1, 1, 1, "conv"),))

    def __init__(self, image):
        self.image = np.asarray(image)
        self.side = len(self.image)
        self.pale = (0.35 * self.image + 0.65 * 255).astype(np.uint8)
        super().__init__()

    def draw(self, figure):
        photo, names, side_view = figure.subplots(1, 3, width_ratios=[10, 2.2, 12])
        names.set(xlim=(0, NAMES[0]), ylim=(0, NAMES[1]))
        names.set_axis_off()
        empty = Path(np.zeros((0, 2)))  # text as outlines: as many text artists would take longer than a picture may
        patches = (PathPatch(empty, facecolor=color, linewidth=0) for color in (theme.INK, theme.VERMILLION))
        self.names, self.chosen = self.live([names.add_patch(patch) for patch in patches])
        ends = -0.5, self.side - 0.5
        self.photo = self.live(photo.imshow(self.image, interpolation="nearest"))
        photo.set(title="Input: drag the unit", xticks=[], yticks=[], xlim=ends, ylim=ends[::-1])
        style = {"facecolor": "none", "edgecolor": theme.SKY, "linewidth": 1.2}
        self.nested = self.live(photo.add_collection(PolyCollection([], **style), autolim=False))
        self.frame = self.live(photo.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.ORANGE, lw=3)))
        (self.dot,) = self.live(photo.plot([], [], "o", ms=7, mfc=theme.ORANGE, mec="black"))
        self._draw_side_view(side_view)
        self.hand(_Place(photo, self), _Unit(side_view, self))

    def _draw_side_view(self, axes):
        width = 2 * self.side  # half as much again at either end, where padding shows
        axes.set(title="From the side: point at a unit", xlabel="pixels of the input; blue is padding")
        blank = np.zeros((2, 2, 4), dtype=np.uint8)
        self.units = self.live(axes.imshow(blank, aspect="auto", interpolation="nearest", origin="lower"))
        self.units.set_extent((0, width, 0, 1))
        axes.set(xlim=(0, width), ylim=(0, 1), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)

    def highest(self, values):
        return {"layer": len(self.layers(values))}

    def solve(self, network, layer, zoom, place, stack):
        layers = self.layers({"network": network, "stack": stack})
        all_fields = (fields.Field(1, 1, 0, self.side), *_fields(layers, self.side))
        row, column = (_nearest_unit(all_fields[layer], pixel) for pixel in place)
        rows, columns = (_reaching(layers[:layer], unit) for unit in (row, column))
        return _Seen(layers, all_fields, layer, (row, column), rows, columns, zoom)

    def show(self, seen):
        shown, _ = self.window(seen.zoom)
        inside = [np.isin(shown, reached[0]) for reached in (seen.rows, seen.columns)]
        picture = self.image[np.ix_(shown, shown)]
        pale = self.pale[np.ix_(shown, shown)]
        picture = np.where(np.outer(*inside)[..., None], picture, pale)
        self.photo.set_data(picture)
        corners = [self._frame(seen, layer) for layer in range(1, seen.layer)]
        self.nested.set_verts([[(x, y), (x + n, y), (x + n, y + n), (x, y + n)] for x, y, n in corners])
        x, y, side = self._frame(seen, seen.layer)
        self.frame.set_bounds(x, y, side, side)
        self.dot.set_data([x + side / 2], [y + side / 2])
        self.units.set_data(self._side_view(seen))
        outlines = _outlines(seen.layers)
        self.chosen.set_path(outlines[seen.layer])
        self.names.set_path(Path.make_compound_path(*outlines[: seen.layer], *outlines[seen.layer + 1 :]))

    def readouts(self, seen):
        field, (row, column) = seen.fields[seen.layer], seen.unit
        first, last = field.of_unit(column)
        reached = len(seen.columns[0])
        in_image = [int(((pixels >= 0) & (pixels < self.side)).sum()) for pixels in (seen.rows[0], seen.columns[0])]
        return {
            "layer": "the pixels" if seen.layer == 0 else f"{seen.layer}: {_label(seen.layers[seen.layer - 1])}",
            "size of its field (pixels)": field.size,
            "jump from unit to unit (pixels)": field.jump,
            "units along a side": field.output,
            "this unit (row, column)": f"{row}, {column}",
            "its field, columns": f"{first} to {last}",
            "pixels along a side that reach it": reached,
            "share of the field in the padding": f"{1 - in_image[0] * in_image[1] / len(seen.rows[0]) / reached:.0%}",
        }

    @button("+ 3 x 3")
    def add_3(self, values):
        return self._with(values, Layer(3, 1, 1, 1, "conv"))

    @button("+ 3 x 3, stride 2")
    def add_strided(self, values):
        return self._with(values, Layer(3, 2, 1, 1, "conv"))

    @button("+ 3 x 3, dilation 2")
    def add_dilated(self, values):
        return self._with(values, Layer(3, 1, 2, 2, "conv"))

    @button("+ 7 x 7")
    def add_7(self, values):
        return self._with(values, Layer(7, 1, 3, 1, "conv"))

    @button("+ pool 2")
    def add_pool(self, values):
        return self._with(values, Layer(2, 2, 0, 1, "pool"))

    @button("Remove")
    def remove(self, values):
        left = self.layers(values)[:-1] or self.opening["stack"]
        return {"network": "yours", "stack": left, "layer": len(left)}

    def _with(self, values, layer):
        """The stack with one layer more, if there is room and something is left to look at."""
        layers = (*self.layers(values), layer)
        if len(layers) > MOST_LAYERS or fields.receptive_field(layers[:-1], self.side)[-1].output < 2:
            return {}
        return {"network": "yours", "stack": layers, "layer": len(layers)}

    def layers(self, values):
        """The layers that these values of the controls ask for."""
        return NETWORKS.get(values["network"], values["stack"])

    def window(self, zoom):
        """The pixels that are shown along a side, and the first of them."""
        first = round(self.side * (1 - 1 / zoom) / 2)
        return np.arange(first, self.side - first), first

    def _frame(self, seen, layer):
        """Left, top and side, on the picture, of the field of the unit of `layer` amid the chosen one's."""
        middle = [np.mean(seen.fields[seen.layer].of_unit(unit)) for unit in seen.unit]
        field = seen.fields[layer]
        top, left = (field.of_unit(_nearest_unit(field, pixel))[0] for pixel in middle)
        _, shown = self.window(seen.zoom)
        return (left - shown) * seen.zoom - 0.5, (top - shown) * seen.zoom - 0.5, field.size * seen.zoom

    def _side_view(self, seen):
        """Colors of a line of units per layer: those that reach the chosen one stand out."""
        pixels = self.in_side_view(np.arange(2 * self.side) + 0.5, seen.zoom)
        picture = np.zeros((_rows(seen.layers), THICK, len(pixels), 4), dtype=np.uint8)
        for number, field in enumerate(seen.fields):
            units = np.floor((pixels - field.start - (field.size - 1) / 2) / field.jump + 0.5).astype(int)
            exists = (units >= 0) & (units < field.output)
            line = np.where(exists[:, None], SHADES[units % 2], CLEAR)
            if number <= seen.layer:
                reaches = np.isin(units, seen.columns[number])
                line[reaches] = np.where(exists[reaches, None], BRIGHT[units[reaches] % 2], PADDING)
            picture[number, 1:] = line
        return picture.reshape(-1, len(pixels), 4)

    def in_side_view(self, x, zoom):
        """The pixel, with its fraction, at a place of the side view; it shows twice as many as the photograph."""
        shown, first = self.window(zoom)
        return first - 0.5 + (x - self.side / 2) / zoom


class _Seen(NamedTuple):
    """The layers and their fields (entry 0: the pixels), the chosen unit, and what reaches it, layer by layer."""

    layers: tuple
    fields: tuple
    layer: int
    unit: tuple
    rows: list
    columns: list
    zoom: int


def _bytes(color, alpha=1.0):
    return (np.array(to_rgba(color, alpha)) * 255).astype(np.uint8)


SHADES = np.array([_bytes(theme.MUTED, 0.25), _bytes(theme.MUTED, 0.45)])  # neighbors differ, so that units are seen
BRIGHT = np.array([_bytes(theme.ORANGE), _bytes(theme.ORANGE, 0.75)])
PADDING, CLEAR = _bytes(theme.SKY), np.zeros(4, dtype=np.uint8)


@cache
def _fields(layers, side):
    return tuple(fields.receptive_field(layers, side))


def _reaching(layers, unit):
    return fields.reaching(layers, unit) if layers else [np.array([unit])]


def _nearest_unit(field, pixel):
    """The unit whose field lies about a pixel."""
    return int(np.clip(round((pixel - field.start - (field.size - 1) / 2) / field.jump), 0, field.output - 1))


def _label(layer):
    stride = f" /{layer.stride}" if layer.stride > 1 else ""
    return f"{layer.name} {layer.kernel}{stride}" + (f" d{layer.dilation}" if layer.dilation > 1 else "")


@cache
def _outlines(layers):
    """The names of the rows of the side view, each as a path beside its row."""
    step, paths = NAMES[1] / _rows(layers), []
    for number, name in enumerate(["pixels", *map(_label, layers)]):
        path = TextPath((0, 0), name, size=min(12, 0.72 * step))
        place = NAMES[0] - path.get_extents().x1, step * (number + 0.5) - 3
        paths.append(Path(path.vertices + place, path.codes))
    return paths


def _rows(layers):
    return max(len(layers) + 1, FEWEST_ROWS)


class _Place(Handle):
    """The middle of the chosen unit, on the photograph."""

    def __init__(self, axes, explorer):
        super().__init__(axes, "place")
        self.explorer = explorer

    def places(self, values):
        _, first = self.explorer.window(values["zoom"])
        y, x = ((pixel - first + 0.5) * values["zoom"] - 0.5 for pixel in values["place"])
        return {"unit": (x, y)}

    def around(self, values, x, y):
        return "unit"

    def moved(self, values, part, dx, dy):
        x, y = self.places(values)["unit"]
        x, y = self.inside(x + dx, y + dy)
        shown, first = self.explorer.window(values["zoom"])
        return tuple(int(np.clip(round((z + 0.5) / values["zoom"] + first - 0.5), first, shown[-1])) for z in (y, x))


class _Unit(Handle):
    """The unit under the pointer, in the side view."""

    def __init__(self, axes, explorer):
        super().__init__(axes, ("layer", "place"))
        self.explorer = explorer

    def pointed(self, values, x, y):
        layers = self.explorer.layers(values)
        layer, column = int(y * _rows(layers)), round(self.explorer.in_side_view(x, values["zoom"]))
        if layer > len(layers) or column not in self.explorer.window(values["zoom"])[0]:
            return None
        return layer, (values["place"][0], column)


# --- how strongly each pixel counts ----------------------------------------------------------------------------------

MOST_DEPTH = 12
WIDEST = MOST_DEPTH * 6 + 1  # pixels, of the deepest stack of the largest kernel


class Effective(Explorer):
    """The gradient of one output of a random stack of convolutions, pixel by pixel."""

    title = "The effective receptive field"
    size = 690, 370

    depth = Slider(1, 1, MOST_DEPTH, unit="layers")
    kernel = Choice(3, [3, 5, 7], unit="pixels")
    activation = Choice("none", list(fields.ACTIVATIONS))
    residual = Choice(False, {"plain": False, "residual": True}, label="layers")
    share = Slider(90, 50, 99, label="share held", unit="%")
    seed = Slider(0, 0, 9, label="draw of the weights")

    def draw(self, figure):
        picture, profile = figure.subplots(1, 2, width_ratios=[5, 5])
        reach = WIDEST / 2
        blank = np.zeros((WIDEST, WIDEST, 4), dtype=np.uint8)
        extent = -reach, reach, reach, -reach
        self.picture = self.live(picture.imshow(blank, extent=extent, interpolation="nearest"))
        picture.set(title="Size of the gradient, pixel by pixel", xlabel="pixels from the middle", xticks=[-30, 0, 30])
        picture.set(yticks=[-30, 0, 30])
        picture.grid(False)
        self.box = self.live(picture.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.INK, lw=2)))
        profile.set(title="Summed over columns of pixels", xlabel="pixels from the middle", xlim=(-reach, reach))
        profile.set(ylim=(0, 1.25), ylabel="share of the largest sum", yticks=[0, 0.5, 1])
        (self.line,) = self.live(profile.plot([], [], "-", color=theme.BLUE, lw=2.5))
        (self.bell,) = self.live(profile.plot([], [], "--", color=theme.INK, lw=1.5))
        (self.ends,) = self.live(profile.plot([], [], "|-", color=theme.VERMILLION, lw=2, ms=12))
        profile.text(0, 1.22, "theoretical field", color=theme.VERMILLION, va="top", ha="center")
        profile.text(reach - 1, 0.98, "dashed:\nGaussian", va="top", ha="right", fontsize=10)

    def solve(self, depth, kernel, activation, residual, share, seed):
        erf = _measured(depth, kernel, activation, residual, seed)
        spread = gaussian_spread(erf)
        return _Measured(erf, fields.area_holding(erf, share / 100), spread, share)

    def show(self, measured):
        erf, half = measured.erf, len(measured.erf) / 2
        strongest = np.sort(erf.ravel())[-measured.pixels]  # the weakest of those that are counted
        colors = colormaps["viridis"](np.sqrt(erf / erf.max()), bytes=True)
        colors[erf < strongest] = _bytes(theme.MUTED, 0.35)
        edge = (WIDEST - len(erf)) // 2
        self.picture.set_data(np.pad(colors, ((edge, edge), (edge, edge), (0, 0))))
        self.box.set_bounds(-half, -half, 2 * half, 2 * half)
        places, sums = np.arange(len(erf)) - len(erf) // 2, erf.sum(axis=0)
        self.line.set_data(places, sums / sums.max())
        fine = np.linspace(-WIDEST / 2, WIDEST / 2, 200)
        bell = np.exp(-(fine**2) / 2 / measured.spread**2)
        self.bell.set_data(fine, bell)
        self.ends.set_data([-half, half], [1.06, 1.06])

    def readouts(self, measured):
        side, total = len(measured.erf), measured.erf.size
        return {
            "theoretical field (pixels)": f"{side} x {side} = {total:,}",
            f"pixels that hold {measured.share} %": measured.pixels,
            "as a share of the theoretical field": f"{measured.pixels / total:.0%}",
            "side of a square of that many pixels": round(measured.pixels**0.5, 1),
            "spread, standard deviation (pixels)": round(measured.spread, 2),
        }


class _Measured(NamedTuple):
    """The effective field, the pixels that hold the share asked for, and the standard deviation along a side."""

    erf: np.ndarray
    pixels: int
    spread: float
    share: int


def gaussian_spread(erf):
    """The standard deviation of a field along a side, in pixels."""
    places = np.arange(len(erf)) - len(erf) // 2
    return float(np.sqrt((erf.sum(axis=0) + erf.sum(axis=1)) @ places**2 / 2 / erf.sum()))


@cache
def _measured(depth, kernel, activation, residual, seed):
    stack = fields.Stack(depth, kernel, 8, activation, residual, random_state=seed)
    return fields.effective_receptive_field(stack, (8, stack.field, stack.field), samples=2)


def square_photograph():
    """The roofs of china.jpg, 224 x 224 pixels in color."""
    return datasets.photograph("china.jpg")[60:284, 200:424]


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {"Cone": lambda: Cone(square_photograph()), "Effective": Effective}
