"""Explorers of topic 23: windows that shift, the table of relative positions, and attention with and without mask."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Rectangle
from matplotlib.transforms import Affine2D

from .. import datasets, theme
from ..algorithms import swin
from .controls import Choice, Slider, Switch
from .explorer import Explorer
from .handles import Handle

PATCH = 5  # pixels of the photograph along a token
MOST = 12  # tokens along the picture's side
STEPS = (
    "the map in regular windows",
    "windows shifted: pieces of many sizes",
    "rolled: the windows are regular again",
    "numbers: what was one piece before",
    "the mask of the token's window",
    "whom the token sees",
    "rolled back",
)
PALETTE = (
    theme.SKY,
    theme.ORANGE,
    theme.GREEN,
    theme.VERMILLION,
    theme.PURPLE,
    theme.YELLOW,
    "gray",
    theme.BLUE,
    "white",
)
TINTS = 0.4 + 0.6 * to_rgba_array(PALETTE)[:, :3]  # of the nine regions, light enough for black numbers


class Shift(Explorer):
    """Step through a shifted window: partition, roll, region numbers, mask, attention, and back.

    Parameters
    ----------
    image : (H, W) array_like in [0, 1]
        At least 60 x 60 pixels; a token is a square of 5 x 5 of them.
    """

    title = "Shift a window"
    size = 700, 400
    plays = "step"

    height = Choice(8, [4, 8, 12], unit="tokens")
    width = Choice(8, [4, 8, 12], unit="tokens")
    window = Choice(4, [2, 4], unit="tokens")
    shift = Slider(2, 0, 3, unit="tokens", when=lambda v: v["step"] > 0)
    step = Slider(0, 0, len(STEPS) - 1)
    row = Slider(4, 0, 11, label="token's row")
    column = Slider(4, 0, 11, label="token's column")

    def __init__(self, image):
        self.image = np.asarray(image, dtype=float)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="The map: click a token", xlim=(-0.6, MOST - 0.4), ylim=(MOST - 0.4, -0.6))
        right.set(title="Mask of its window", xlim=(-0.5, 15.5), ylim=(15.5, -0.5))
        for axes in (left, right):
            axes.set(xticks=[], yticks=[], aspect="equal")
            axes.spines[:].set_visible(False)
        self.map = self.live(left.imshow(np.zeros((1, 1, 3)), extent=(-0.5, MOST - 0.5, MOST - 0.5, -0.5)))
        self.seen = self.live(LineCollection([], color=theme.VERMILLION, linewidth=1.5))
        self.lines = self.live(LineCollection([], color=theme.INK, linewidth=3))
        for lines in (self.seen, self.lines):
            left.add_collection(lines, autolim=False)
        self.numbers = self.live(
            [left.text(0, 0, "", ha="center", va="center", color="black", fontsize=15) for _ in range(9)]
        )
        token = Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.VERMILLION, linewidth=4)
        self.token = self.live(left.add_patch(token))
        self.zoom = _zoomed([self.map, self.seen, self.lines, *self.numbers, self.token], left)
        self.mask = self.live(right.imshow(np.zeros((1, 1, 3)), extent=(-0.5, 15.5, 15.5, -0.5)))
        self.hidden = self.live(right.text(7.5, 7.5, "from step 4 on", ha="center", va="center", color=theme.MUTED))
        self.hand(_Token(left, ("row", "column")))

    def highest(self, values):
        return {
            "shift": values["window"] - 1,
            "row": values["height"] - 1,
            "column": values["width"] - 1,
        }

    def solve(self, height, width, window, shift, step, row, column):
        rolled = 2 <= step < len(STEPS) - 1
        place = _rolled((row, column), (height, width), shift)
        which = place[0] // window * (width // window) + place[1] // window
        mask = _mask(height, width, window, shift)[which]
        inside = place[0] % window * window + place[1] % window
        regions = _regions(height, width, window, shift)
        if not rolled:
            regions = np.roll(regions, (shift, shift), axis=(0, 1))
        return _Shifted(
            (height, width, window, shift, step),
            *((place if rolled else (row, column)), which, mask, inside, regions, rolled),
        )

    def show(self, found):
        (height, width, window, shift, step), place = found.settings, found.place
        tiles = _tiles(self.image, height, width)
        if found.rolled:
            tiles = np.roll(tiles, (-shift * PATCH, -shift * PATCH), axis=(0, 1))
        colors = np.repeat(tiles[:, :, None], 3, axis=2)
        if step >= 3:
            tint = TINTS[np.repeat(np.repeat(found.regions, PATCH, axis=0), PATCH, axis=1)]
            colors = 0.35 * colors + 0.65 * tint
        _set_zoom(self.zoom, _unit(height, width))
        self.map.set_data(colors)
        self.map.set_extent((-0.5, width - 0.5, height - 0.5, -0.5))
        self.lines.set_segments(_grid(height, width, window, shift if step in (1, len(STEPS) - 1) else 0))
        self._number(found)
        self.token.set_bounds(place[1] - 0.5, place[0] - 0.5, 1, 1)
        self.seen.set_segments(_crosses(found) if step >= 5 else [])
        allowed = np.where(found.mask[:, :, None] == 0, 0.93, 0.25) * np.ones(3)
        if step >= 5:
            allowed[found.inside] = np.where(found.mask[found.inside][:, None] == 0, (0.98, 0.75, 0.55), 0.25)
        self.mask.set_data(allowed)
        self.mask.set_visible(step >= 4)
        self.hidden.set_text("" if step >= 4 else "from step 4 on")

    def _number(self, found):
        shown = found.settings[4] in (3, 4)
        for number, text in enumerate(self.numbers):
            rows, columns = np.nonzero(found.regions == number)
            text.set_text(str(number) if shown and len(rows) else "")
            if len(rows):
                text.set_position((columns.mean(), rows.mean()))

    def readouts(self, found):
        height, width, window, shift, step = found.settings
        pieces = (height // window + (shift > 0)) * (width // window + (shift > 0))
        said = {"step": f"{step}: {STEPS[step]}", "windows": height // window * (width // window)}
        if step >= 1:
            said["pieces without the roll"] = pieces
        if step >= 3:
            said["regions numbered"] = len(np.unique(found.regions))
        if step >= 4:
            said["regions in this window"] = len({tuple(row) for row in found.mask.tolist()})
            said["pairs masked here"] = f"{int((found.mask < 0).sum())} of {found.mask.size}"
        if step >= 5:
            said["tokens that it sees"] = f"{int((found.mask[found.inside] == 0).sum())} of {window**2}"
        return said


class _Shifted(NamedTuple):
    settings: tuple  # height, width, window, shift, step
    place: tuple  # of the token, as the picture shows it
    which: int  # its window
    mask: np.ndarray  # of this window
    inside: int  # the token's number in it
    regions: np.ndarray  # as the picture shows them
    rolled: bool


class _Token(Handle):
    """A token of the map: drag it, or click another."""

    def places(self, values):
        unit = _unit(values["height"], values["width"])
        return {"token": tuple((at + 0.5) * unit - 0.5 for at in _shown(values)[::-1])}

    def moved(self, values, part, dx, dy):
        unit = _unit(values["height"], values["width"])
        row, column = _shown(values)
        return self._at(values, row + dy / unit, column + dx / unit)

    def added(self, values, x, y):
        unit = _unit(values["height"], values["width"])
        return self._at(values, *((at + 0.5) / unit - 0.5 for at in (y, x))), "token"

    def _at(self, values, *place):
        """The token shown at a place, as row and column of the map."""
        sides = values["height"], values["width"]
        place = [int(np.clip(round(at), 0, side - 1)) for at, side in zip(place, sides, strict=True)]
        return _rolled(place, sides, -values["shift"] if _is_rolled(values) else 0)


def _zoomed(artists, axes):
    """Draw artists in units that `_set_zoom` changes; the axes keep theirs."""
    zoom = Affine2D()
    for artist in artists:
        artist.set_transform(zoom + axes.transData)
    return zoom


def _set_zoom(zoom, unit):
    """Make cells `unit` wide; the corner of the first one, at (-0.5, -0.5), stays."""
    zoom.clear().translate(0.5, 0.5).scale(unit).translate(-0.5, -0.5)


def _unit(height, width):
    """How wide a token is drawn: the longer side fills the picture."""
    return MOST / max(height, width)


def _is_rolled(values):
    return 2 <= values["step"] < len(STEPS) - 1


def _shown(values):
    """Row and column of the token as the picture shows it."""
    shift = values["shift"] if _is_rolled(values) else 0
    return _rolled((values["row"], values["column"]), (values["height"], values["width"]), shift)


def _rolled(place, sides, shift):
    return tuple((at - shift) % side for at, side in zip(place, sides, strict=True))


@cache
def _mask(height, width, window, shift):
    return swin.shifted_window_mask(height, width, window, shift).numpy()


@cache
def _regions(height, width, window, shift):
    return swin.region_ids(height, width, window, shift).numpy()


def _tiles(image, height, width):
    """The middle of the photograph, a square of pixels per token."""
    top, left = ((side - count * PATCH) // 2 for side, count in zip(image.shape, (height, width), strict=True))
    return image[top : top + height * PATCH, left : left + width * PATCH]


def _grid(height, width, window, shift):
    """The borders of windows that begin `shift` tokens further down and right, and the map's frame."""
    rows = [0, *range(shift or window, height, window), height]
    columns = [0, *range(shift or window, width, window), width]
    flat = [[(-0.5, at - 0.5), (width - 0.5, at - 0.5)] for at in rows]
    return flat + [[(at - 0.5, -0.5), (at - 0.5, height - 0.5)] for at in columns]


def _crosses(found):
    """A diagonal stroke over every token that the chosen one sees."""
    height, width, window, shift, _ = found.settings
    top, left = divmod(found.which, width // window)
    strokes = []
    for number in np.flatnonzero(found.mask[found.inside] == 0):
        row, column = top * window + number // window, left * window + number % window
        if not found.rolled:
            row, column = _rolled((row, column), (height, width), -shift)
        strokes.append([(column - 0.3, row + 0.3), (column + 0.3, row - 0.3)])
    return strokes


# --- relative positions ----------------------------------------------------------------------------------------------


class Position(Explorer):
    """Pick two tokens of a window and see which row of the bias table they share with others.

    Left the window with tokens i and j and every pair of the same offset; right the table, (2M-1) x (2M-1).
    """

    title = "One number for each offset"
    size = 690, 370

    window = Choice(4, [2, 3, 4, 7], unit="tokens")
    i = Slider(5, 0, 48, label="token i")
    j = Slider(0, 0, 48, label="token j")
    pairs = Switch(label="show all pairs of this offset")

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set_title("Drag i (circle), j (square)")
        right.set_title("The bias table")
        self.axes = left, right
        for axes in self.axes:
            axes.set(xticks=[], yticks=[], aspect="equal")
            axes.spines[:].set_visible(False)
        left.set(xlim=(-0.7, 6.7), ylim=(6.7, -0.7))
        right.set(xlim=(-0.7, 12.7), ylim=(12.7, -0.7))
        look = {"color": theme.MUTED, "linewidth": 1}
        self.cells = self.live([axes.add_collection(LineCollection([], **look), autolim=False) for axes in self.axes])
        self.arrows = self.live(left.add_collection(LineCollection([], color=theme.SKY, linewidth=2), autolim=False))
        looks = {"linestyle": "", "mec": theme.INK}
        (self.first,) = self.live(left.plot([], [], "o", color=theme.BLUE, ms=22, **looks))
        (self.second,) = self.live(left.plot([], [], "s", color=theme.ORANGE, ms=11, **looks))
        self.row = self.live(right.add_patch(Rectangle((0, 0), 1, 1, color=theme.VERMILLION)))
        self.zooms = (
            _zoomed([self.cells[0], self.arrows, self.first, self.second], left),
            _zoomed([self.cells[1], self.row], right),
        )
        self.hand(_WindowToken(left, "i"), _WindowToken(left, "j"))

    def highest(self, values):
        return dict.fromkeys("ij", values["window"] ** 2 - 1)

    def solve(self, window, i, j, pairs):
        index = _index(window)
        number = int(index[i, j])
        return window, i, j, number, np.argwhere(index == number) if pairs else None, int((index == number).sum())

    def show(self, solution):
        window, i, j, number, pairs, _ = solution
        table = 2 * window - 1
        for lines, zoom, side, most in zip(self.cells, self.zooms, (window, table), (7, 13), strict=True):
            lines.set_segments(_grid(side, side, 1, 0))
            _set_zoom(zoom, most / side)
        for marker, token in ((self.first, i), (self.second, j)):
            marker.set_data([token % window], [token // window])
        self.arrows.set_segments(
            [[(b % window, b // window), (a % window, a // window)] for a, b in ([] if pairs is None else pairs)]
        )
        self.row.set_bounds(number % table - 0.5, number // table - 0.5, 1, 1)

    def readouts(self, solution):
        window, i, j, number, _, several = solution
        dy, dx = i // window - j // window, i % window - j % window
        return {
            "offset of i from j (row, column)": f"{dy}, {dx}",
            "plus M - 1": f"{dy + window - 1}, {dx + window - 1}",
            "row of the table": number,
            "rows of the table": (2 * window - 1) ** 2,
            "pairs with this row": several,
            "pairs in all": window**4,
        }


class _WindowToken(Handle):
    """A token of the window."""

    def places(self, values):
        number, window = values[self.name], values["window"]
        return {self.name: tuple((at + 0.5) * 7 / window - 0.5 for at in (number % window, number // window))}

    def moved(self, values, part, dx, dy):
        window = values["window"]
        places = (at + step * window / 7 for at, step in zip(divmod(values[self.name], window), (dy, dx), strict=True))
        row, column = (int(np.clip(round(at), 0, window - 1)) for at in places)
        return row * window + column


@cache
def _index(window):
    return swin.relative_position_index(window).numpy()


# --- attention -------------------------------------------------------------------------------------------------------

SIDE, WINDOW, SHIFT = 8, 4, 2
VALUES = {"-100": -100.0, "-10": -10.0, "-4": -4.0, "no mask": 0.0, "-inf": float("-inf")}


class Attention(Explorer):
    """Attention of one token in a shifted window of a photograph, whatever is added for those it must not see.

    Logits are minus the squared difference of brightness over a temperature: alike attends to alike.

    Parameters
    ----------
    image : (H, W) array_like in [0, 1]
        At least 40 x 40 pixels.
    """

    title = "What an attention mask keeps out"
    size = 690, 370

    value = Choice(
        "-100", list(VALUES), label="added where masked", when=lambda v: _has_strangers(v["row"], v["column"])
    )
    half = Switch(label="half precision", when=lambda v: _has_strangers(v["row"], v["column"]))
    sharpness = Slider(2.0, 0, 10, step=0.5, label="sharpness of the logits")
    row = Slider(3, 0, SIDE - 1, label="token's row")
    column = Slider(3, 0, SIDE - 1, label="token's column")

    def __init__(self, image):
        self.image = np.asarray(image, dtype=float)
        tiles = _tiles(self.image, SIDE, SIDE).reshape(SIDE, PATCH, SIDE, PATCH)
        self.brightness = torch.tensor(tiles.mean(axis=(1, 3)), dtype=torch.float32)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set_title("The map: click a token")
        right.set_title("Its attention, on the map")
        left.imshow(self.brightness.numpy(), cmap="gray")
        self.shares = self.live(right.imshow(np.zeros((1, 1, 4)), extent=(-0.5, SIDE - 0.5, SIDE - 0.5, -0.5)))
        for axes in (left, right):
            axes.set(xticks=[], yticks=[])
            borders = LineCollection(_grid(SIDE, SIDE, WINDOW, SHIFT), color=theme.SKY, linewidth=2)
            axes.add_collection(borders, autolim=False)
        look = {"marker": "s", "linestyle": "", "mfc": "none", "mec": theme.VERMILLION, "ms": 15, "mew": 3}
        self.tokens = self.live([axes.plot([], [], **look)[0] for axes in (left, right)])
        self.hand(_MapToken(left, ("row", "column")))

    def solve(self, value, half, sharpness, row, column):
        rolled = torch.roll(self.brightness, (-SHIFT, -SHIFT), (0, 1))
        windows = swin.window_partition(rolled[None, :, :, None], WINDOW).flatten(1)
        (top, left), places = _rolled((row, column), (SIDE, SIDE), SHIFT), SIDE // WINDOW
        which, inside = top // WINDOW * places + left // WINDOW, top % WINDOW * WINDOW + left % WINDOW
        kind = torch.float16 if half else torch.float32
        logits = (-sharpness * 10 * (windows[which] - windows[which, inside]) ** 2).to(kind)
        forbidden = torch.tensor(_mask(SIDE, SIDE, WINDOW, SHIFT)[which][inside] < 0)
        added = torch.where(forbidden, torch.tensor(VALUES[value], dtype=kind), torch.zeros((), dtype=kind))
        shares = (logits + added).softmax(0)
        on_map = torch.zeros(SIDE // WINDOW * places, WINDOW**2)
        on_map[which] = shares.float()
        picture = swin.window_reverse(on_map.reshape(-1, WINDOW, WINDOW, 1), SIDE, SIDE)[0, :, :, 0]
        picture = torch.roll(picture, (SHIFT, SHIFT), (0, 1)).numpy()
        return picture, (row, column), float(shares[forbidden].float().sum()), int(forbidden.sum())

    def show(self, solution):
        picture, (row, column), *_ = solution
        self.shares.set_data(colormaps["viridis"](picture / picture.max(), bytes=True))
        for token in self.tokens:
            token.set_data([column], [row])

    def readouts(self, solution):
        picture, _, leak, forbidden = solution
        return {
            "in its window but of another region": f"{forbidden} of {WINDOW**2}",
            "attention that leaks to them (%)": "below 1e-6" if 0 < leak < 1e-8 else float(f"{100 * leak:.2g}"),
            "largest share (%)": round(100 * float(picture.max()), 1),
        }


def _has_strangers(row, column):
    """Whether the token's window holds another region: all windows do but those that the roll left whole."""
    return any((at - SHIFT) % SIDE >= SIDE - WINDOW for at in (row, column))


class _MapToken(Handle):
    """The token on the map: drag it, or click another."""

    def places(self, values):
        return {"token": (values["column"], values["row"])}

    def moved(self, values, part, dx, dy):
        return self.added(values, values["column"] + dx, values["row"] + dy)[0]

    def added(self, values, x, y):
        return tuple(int(np.clip(round(at), 0, SIDE - 1)) for at in (y, x)), "token"


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    bloom = datasets.bloom()
    return {
        "Shift": lambda: Shift(bloom),
        "Position": Position,
        "Attention": lambda: Attention(bloom),
    }
