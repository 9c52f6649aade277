"""Explorers of topic 12: which cells share a mean, learning rates with and without batch norm, noisy batches."""

from functools import cache
from math import log10
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from .. import datasets, theme
from ..algorithms import normalization
from ..algorithms.normalization import NormalizedNet
from .controls import Choice, LogSlider, Slider, State, Switch
from .explorer import Explorer
from .handles import Handle, Line

DOUBLING = log10(2)  # the step of a slider that doubles

# --- the block -------------------------------------------------------------------------------------------------------

NORMS = "BN", "LN", "IN", "GN"


class Block(Explorer):
    """A batch of maps, images down and channels across, and the cells that share one mean with the chosen one.

    The same block stands four times, once for each norm. Click a cell to choose it.

    Parameters
    ----------
    x : (N, C, H, W) array_like
        C is a power of 2.
    """

    title = "Who shares one mean"
    size = 690, 400

    groups = LogSlider(2, 1, 8, step=DOUBLING, label="groups of GN")
    reveal = Switch(label="show who shares")
    after = Switch(label="show the normalized maps")
    cell = State((1, 2, 1, 1), label="image, channel, row, column")

    def __init__(self, x):
        self.x = np.asarray(x, dtype=float)
        self.normalized = cache(self._normalized)
        super().__init__(groups={"high": self.x.shape[1]})

    def draw(self, figure):
        n, c, h, w = self.x.shape
        self.maps, self.frames, self.marks = [], [], []
        for place, axes in enumerate(figure.subplots(2, 2).flat):
            axes.set(xlim=(-1, c * (w + 1) - 0.5), ylim=(n * (h + 1) - 0.5, -1), aspect="equal")
            axes.set_xticks([k * (w + 1) + (w - 1) / 2 for k in range(c)], range(1, c + 1), fontsize=9)
            axes.set_yticks([k * (h + 1) + (h - 1) / 2 for k in range(n)], range(1, n + 1), fontsize=9)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_xlabel("channel" if place > 1 else "", fontsize=10, labelpad=1)
            axes.set_ylabel("image" if place % 2 == 0 else "", fontsize=10, labelpad=1)
            title = axes.set_title(NORMS[place], fontsize=12)
            extent = (-0.5, c * (w + 1) - 0.5, n * (h + 1) - 0.5, -0.5)
            self.maps.append(axes.imshow(self._tiles(self.x), extent=extent, interpolation="nearest"))
            share = Rectangle((0, 0), 1, 1, facecolor=(*_rgb(theme.SKY), 0.35), edgecolor=theme.BLUE, linewidth=4)
            self.frames.append(axes.add_patch(share))
            mark = Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.VERMILLION, linewidth=3)
            self.marks.append(axes.add_patch(mark))
            self.hand(_Cells(axes, self.x.shape))
        self.counted = title  # GN's, which says how many groups
        self.live([*self.maps, *self.frames, *self.marks, title])

    def solve(self, groups, reveal, after, cell):
        groups = round(groups)
        image, channel, *_ = cell
        n, c, h, w = self.x.shape
        first = channel - channel % (c // groups)
        regions = (  # images from, to; channels from, to
            (0, n, channel, channel + 1),
            (image, image + 1, 0, c),
            (image, image + 1, channel, channel + 1),
            (image, image + 1, first, first + c // groups),
        )
        return _Shared(cell, groups, reveal, after, regions)

    def show(self, shared):
        _, _, h, w = self.x.shape
        image, channel, row, column = shared.cell
        self.counted.set_text(f"GN, {shared.groups} group" + "s" * (shared.groups > 1))
        for i, (n0, n1, c0, c1) in enumerate(shared.regions):
            self.frames[i].set_bounds(c0 * (w + 1) - 0.9, n0 * (h + 1) - 0.9, *_spans(c1 - c0, n1 - n0, w, h))
            self.frames[i].set_visible(shared.reveal)
            self.marks[i].set_bounds(channel * (w + 1) + column - 0.5, image * (h + 1) + row - 0.5, 1, 1)
            shown = self.normalized(shared.groups)[i] if shared.after else self.x
            self.maps[i].set_data(self._tiles(shown))

    def readouts(self, shared):
        said = {
            "image, channel": f"{shared.cell[0] + 1}, {shared.cell[1] + 1}",
            "value of the chosen cell": round(float(self.x[shared.cell]), 3),
        }
        if not shared.reveal:
            return said
        for name, (n0, n1, c0, c1), y in zip(NORMS, shared.regions, self.normalized(shared.groups), strict=True):
            cells = self.x[n0:n1, c0:c1]
            said[f"{name}: cells with one mean"] = cells.size
            said[f"{name}: that mean"] = round(float(cells.mean()), 3)
            said[f"{name}: cell becomes"] = round(float(y[shared.cell]), 2)
        return said

    def _normalized(self, groups):
        x = self.x
        return (
            normalization.batch_norm(x)[0],
            normalization.layer_norm(x, x.shape[1:]),
            normalization.instance_norm(x),
            normalization.group_norm(x, groups),
        )

    def _tiles(self, x):
        """Images below one another, channels side by side, gaps between; black to white 4 deviations."""
        n, c, h, w = x.shape
        shades = (x - x.mean()) / x.std() / 4 + 0.5
        tiles = np.pad(colormaps["gray"](shades, bytes=True), ((0, 0), (0, 0), (0, 1), (0, 1), (0, 0)))
        return tiles.swapaxes(1, 2).reshape(n * (h + 1), c * (w + 1), 4)  # what is padded is transparent


class _Shared(NamedTuple):
    """The chosen cell, and which images and channels share its mean under each norm."""

    cell: tuple
    groups: int
    reveal: bool
    after: bool
    regions: tuple


def _spans(channels, images, w, h):
    """Width and height of a frame around so many channels and images."""
    return channels * (w + 1) - 0.2, images * (h + 1) - 0.2


def _rgb(color):
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


class _Cells(Handle):
    """The chosen cell: a click chooses, the arrow keys move on."""

    cursor = "pointer"

    def __init__(self, axes, shape):
        super().__init__(axes, "cell")
        self._shape = shape

    def places(self, values):
        _, _, h, w = self._shape
        image, channel, row, column = values["cell"]
        return {"cell": (channel * (w + 1) + column, image * (h + 1) + row)}

    def moved(self, values, part, dx, dy):
        x, y = self.places(values)["cell"]
        return self._at(x + dx, y + dy)

    def added(self, values, x, y):
        return self._at(x, y), "cell"

    def _at(self, x, y):
        n, c, h, w = self._shape
        channel, column = divmod(int(np.clip(round(x), 0, c * (w + 1) - 2)), w + 1)
        image, row = divmod(int(np.clip(round(y), 0, n * (h + 1) - 2)), h + 1)
        return image, channel, min(row, h - 1), min(column, w - 1)  # a gap counts to the map before it


def untrained_maps(photographs, crops, side=96, channels=8, size=4):
    """What an untrained convolution of 5 x 5 filters makes of crops: (N, channels, size, size).

    Parameters
    ----------
    photographs : sequence of (H, W, 3) arrays
    crops : sequence of (int, int, int)
        Number of the photograph, and the crop's upper left corner.
    side : int
        Of a crop, in pixels; it is averaged down to size + 4 pixels before the convolution.
    """
    step = side // (size + 4)
    images = []
    for number, top, left in crops:
        crop = photographs[number][top : top + side, left : left + side].astype(float) / 255
        images.append(crop.reshape(size + 4, step, size + 4, step, 3).mean(axis=(1, 3)))
    windows = np.lib.stride_tricks.sliding_window_view(np.stack(images), (5, 5), axis=(1, 2))
    filters = np.random.default_rng(5).normal(size=(channels, 3, 5, 5)) / np.sqrt(75)
    filters -= 0.8 * filters.mean(axis=(1, 2, 3), keepdims=True)  # so that detail shows beside brightness
    return np.einsum("nijcab,kcab->nkij", windows, filters)


# --- learning rates --------------------------------------------------------------------------------------------------

RATES = tuple(float(rate) for rate in np.round(0.03 * 10 ** (0.5 * np.arange(7)), 4))
SIZES, SEEDS, EPOCHS, BATCH = (64, 32, 32, 10), (0, 1, 2), 5, 50


class Rates(Explorer):
    """Two hidden layers on digits, with and without batch norm, at one learning rate after another.

    Three networks from different starts for each rate, trained beforehand; the thin lines are theirs.

    Parameters
    ----------
    X, y : (n, 64) and (n,) array_like
        The first half trains, the second one tests.
    """

    title = "Learning rates with and without batch norm"
    size = 680, 350
    plays = "epoch"

    activation = Choice("relu", ["relu", "sigmoid"])
    lr = LogSlider(0.095, RATES[0], RATES[-1], step=0.5, label="learning rate")
    epoch = Slider(2, 1, EPOCHS)

    def __init__(self, X, y):
        X, y = np.asarray(X, dtype=float), np.asarray(y)
        self.accuracy = {  # (epochs, rates, seeds)
            (activation, norm): train_nets(X, y, norm, activation, np.repeat(RATES, len(SEEDS)), SEEDS * len(RATES))
            for activation in ("relu", "sigmoid")
            for norm in ("none", "batch")
        }
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2, sharey=True)
        left.set(title="At this rate", xlabel="epoch", xlim=(0.7, EPOCHS + 0.3), ylim=(0, 1.2))
        left.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        left.set_ylabel("accuracy on test digits")
        right.set(title="At the rates so far", xlabel="learning rate", xlim=(-1.8, 1.8))
        right.set_xticks([-1, 0, 1], ["0.1", "1", "10"])
        self.curves, self.sweep, self.bars = {}, {}, {}
        looks = {"batch": (theme.BLUE, "o", "-", "batch norm"), "none": (theme.VERMILLION, "s", "--", "without")}
        for norm, (color, marker, dashes, label) in looks.items():
            look = {"color": color, "marker": marker, "linestyle": dashes}
            lines = [left.plot([], [], ms=5, linewidth=1, **look)[0] for _ in SEEDS]
            self.curves[norm] = self.live(lines)
            (self.sweep[norm],) = self.live(right.plot([], [], ms=8, label=label, **look))
            self.bars[norm] = self.live(right.vlines([], 0, 1, color=color, linewidth=2))
        for axes in (left, right):
            axes.grid()
        right.legend(loc="upper center", ncol=2)
        self.cursor = self.live(left.axvline(1, 0, 0.86, color=theme.INK, linewidth=2))
        self.rate = self.live(right.axvline(1, 0, 0.86, color=theme.INK, linewidth=2))
        self.hand(Line(left, "epoch"), _LogLine(right, "lr"))

    def solve(self, activation, lr, epoch):
        nearest = int(np.argmin(np.abs(np.log(np.array(RATES) / lr))))
        return epoch, nearest, {norm: self.accuracy[activation, norm] for norm in ("batch", "none")}

    def show(self, solution):
        epoch, nearest, accuracy = solution
        for norm, found in accuracy.items():
            for seed, line in enumerate(self.curves[norm]):
                line.set_data(range(1, epoch + 1), found[:epoch, nearest, seed])
            now = found[epoch - 1, : nearest + 1]
            self.sweep[norm].set_data(np.log10(RATES[: nearest + 1]), now.mean(axis=1))
            ends = zip(np.log10(RATES), now.min(axis=1), now.max(axis=1), strict=False)
            self.bars[norm].set_segments([[(rate, low), (rate, high)] for rate, low, high in ends])
        self.cursor.set_xdata([epoch, epoch])
        self.rate.set_xdata([np.log10(RATES[nearest])] * 2)

    def readouts(self, solution):
        epoch, nearest, accuracy = solution
        said = {"learning rate": RATES[nearest], "epochs": epoch}
        for norm, label in (("batch", "batch norm"), ("none", "without")):
            now = accuracy[norm][epoch - 1, nearest]
            said[f"{label}: accuracy, mean of {len(SEEDS)}"] = round(float(now.mean()), 1)
            said[f"{label}: lowest and highest"] = f"{now.min():.1f}, {now.max():.1f}"
        return said


class _LogLine(Line):
    """A vertical line at the common logarithm of a slider's value."""

    def places(self, values):
        return {"line": (np.log10(values[self.name]), np.nan)}

    def moved(self, values, part, dx, dy):
        return float(10 ** (np.log10(values[self.name]) + dx))


def train_nets(X, y, norm, activation, lr, seeds, *, epochs=EPOCHS, batch=BATCH, sizes=SIZES):
    """Train on the first half, test on the second after each epoch: accuracy, (epochs, rates, seeds).

    `lr` and `seeds` have one entry per network, those of one rate beside each other.
    """
    net, rng, half = NormalizedNet(sizes, norm, activation, seeds=seeds), np.random.default_rng(0), len(X) // 2
    accuracy = []
    with np.errstate(all="ignore"):  # a rate that is too large ends in overflow: that is the point
        for _ in range(epochs):
            for part in np.array_split(rng.permutation(half), half // batch):
                net.step(X[part], y[part], lr)
            accuracy.append((net.predict(X[half:]) == y[half:]).mean(axis=-1))
    return np.reshape(accuracy, (epochs, -1, len(set(seeds))))


# --- noise of a batch ------------------------------------------------------------------------------------------------

BATCHES, DRAWS = tuple(2**k for k in range(1, 9)), 1000
EDGES = np.linspace(-3.125, 3.125, 26)


KINDS = {"digits, a dense unit": "unit", "digits, a channel": "digits", "photographs, a channel": "photos"}


class BatchNoise(Explorer):
    """One image in 1,000 batches: batch norm makes another number of it each time, for its neighbors differ.

    Left what its first value becomes; right how far the mean of a batch strays, in standard deviations of one value.

    Parameters
    ----------
    digits : (n, 64) array_like
        Images of 8 x 8 pixels.
    tiles : (m, H, W) array_like
        Pieces of photographs.
    """

    title = "How noisy the statistics of a batch are"
    size = 680, 350

    kind = Choice("unit", KINDS, label="of")
    batch = LogSlider(16, 2, 256, step=DOUBLING, label="batch size", unit="images")

    def __init__(self, digits, tiles):
        digits, tiles = np.asarray(digits, dtype=float), np.asarray(tiles, dtype=float)
        unit, filters = np.random.default_rng(1).normal(size=(64, 1)), np.random.default_rng(11).normal(size=(3, 3))
        values = {
            "unit": digits @ unit,
            "digits": _channel(digits.reshape(-1, 8, 8), filters),
            "photos": _channel(tiles, filters),
        }
        self.found = {kind: draw_batches(z) for kind, z in values.items()}
        self.per_image = {kind: z.shape[1] for kind, z in values.items()}
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="One image in 1,000 batches", xlabel="its value after BN", xlim=(-3.1, 3.1), ylim=(0, 1))
        left.set_ylabel("share of the batches")
        self.histogram = self.live(left.stairs(np.zeros(25), EDGES, fill=True, color=theme.SKY))
        right.set(title="How far the mean strays", xlabel="batch size (images)", ylabel="standard deviations")
        right.set(yscale="log", xlim=(0.2, 2.6), ylim=(0.006, 5))
        right.set_xticks(np.log10([2, 8, 32, 128]), ["2", "8", "32", "128"])
        right.grid()
        (self.measured,) = self.live(right.plot([], [], "o", color=theme.BLUE, ms=8, label="measured"))
        dots = right.plot([], [], linestyle=":", marker="", color=theme.VERMILLION, label="if all were independent")
        (self.predicted,) = self.live(dots)
        right.legend(loc="upper right", fontsize=10)
        self.cursor = self.live(right.axvline(np.log10(16), 0, 0.8, color=theme.INK, linewidth=2))
        self.hand(_LogLine(right, "batch"))

    def solve(self, kind, batch):
        return kind, BATCHES.index(round(batch))

    def show(self, solution):
        kind, nearest = solution
        sizes, found = np.array(BATCHES[: nearest + 1]), self.found[kind]
        self.histogram.set_data(np.histogram(found[nearest].becomes, EDGES)[0] / DRAWS)
        self.measured.set_data(np.log10(sizes), [one.strays for one in found[: nearest + 1]])
        self.predicted.set_data(np.log10(sizes), 1 / np.sqrt(sizes * self.per_image[kind]))
        self.cursor.set_xdata([np.log10(BATCHES[nearest])] * 2)

    def readouts(self, solution):
        kind, nearest = solution
        found, size = self.found[kind][nearest], BATCHES[nearest]
        values = size * self.per_image[kind]
        return {
            "batch size (images)": size,
            "values that share a mean": values,
            "mean strays by (standard deviations)": round(found.strays, 3),
            "if all were independent": round(float(1 / np.sqrt(values)), 3),
            "values per image": self.per_image[kind],
            "as good as so many independent ones": float(f"{1 / found.strays**2 / size:.2g}"),
            "batch variance / true one, mean": round(found.variance, 2),
            "the image's value after BN, spread": round(float(found.becomes.std()), 2),
        }


def _channel(images, kernel):
    """The values of one channel, (n, positions): a 3 x 3 filter at every position."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    return (windows * kernel).sum(axis=(-1, -2)).reshape(len(images), -1)


class _Batches(NamedTuple):
    """Of many batches of one size: what a digit becomes, how far the mean strays, the mean share of the variance."""

    becomes: np.ndarray
    strays: float
    variance: float


def draw_batches(z):
    """Draw batches with replacement from z, (n, values per image), and follow the first value of the first image.

    One draw of 256 images serves all sizes: a batch of 16 is the first 16 of them.
    """
    drawn = np.random.default_rng(0).integers(len(z), size=(DRAWS, BATCHES[-1]))
    per_image = np.stack([z.mean(axis=1), (z**2).mean(axis=1)])
    found = per_image[:, drawn]  # mean and mean square of every image drawn, (2, draws, 256)
    sums, first = found.cumsum(axis=-1), found[..., 0]
    batches = []
    for size in BATCHES:
        mean, square = sums[..., size - 1] / size
        own_mean, own_square = (sums[..., size - 1] - first + per_image[:, :1]) / size  # its first image replaced
        becomes = (z[0, 0] - own_mean) / np.sqrt(np.maximum(own_square - own_mean**2, 0) + 1e-5)
        variance = (square - mean**2).mean() / z.var()
        batches.append(_Batches(becomes, float(mean.std() / z.std()), float(variance)))
    return batches


def photo_tiles(photographs):
    """Tiles of 16 x 16 pixels, every second pixel and gray, (n, 8, 8): as large as a digit."""
    tiles = [p[:416, :624].reshape(26, 16, 39, 16, 3).swapaxes(1, 2).reshape(-1, 16, 16, 3) for p in photographs]
    return np.concatenate(tiles)[:, ::2, ::2].mean(axis=-1) / 255


CROPS = (0, 200, 150), (0, 120, 330), (1, 130, 250), (1, 220, 380)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    digits = datasets.digits()
    order = np.random.default_rng(0).permutation(len(digits.X))[:1200]
    photographs = datasets.photograph("china.jpg"), datasets.photograph("flower.jpg")
    return {
        "Block": lambda: Block(untrained_maps(photographs, CROPS)),
        "Rates": lambda: Rates(digits.X[order] / 16, digits.y[order]),
        "BatchNoise": lambda: BatchNoise(digits.X / 16, photo_tiles(photographs)),
    }
