"""Explorers of topic 14: a race of all optimizers, a digits network trained by each, and Adam's bias correction."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from contourpy import contour_generator
from matplotlib import colormaps

from .. import datasets, theme
from ..algorithms import backpropagation
from ..algorithms.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop
from ..validation import check_array, check_same_length
from .controls import Choice, LogSlider, Slider, Switch, button
from .explorer import Explorer
from .handles import Handle, Line

# one look for each optimizer in every picture: color, line style and marker change together
LOOKS = {
    "SGD": (theme.INK, (0, (1, 1)), "o"),
    "Momentum": (theme.BLUE, "-", "s"),
    "Adagrad": (theme.ORANGE, "--", "^"),
    "RMSprop": (theme.GREEN, "-.", "v"),
    "Adadelta": (theme.PURPLE, ":", "P"),
    "Adam": (theme.VERMILLION, "-", "D"),
    "AdamW": (theme.SKY, "--", "X"),
}


def _look(name):
    color, style, marker = LOOKS[name]
    return {"color": color, "linestyle": style, "marker": marker, "mec": theme.PAPER}


def _name_racers(figure, lines):
    """One legend for all pictures of the figure, above them."""
    place = {"loc": "outside upper center", "ncols": len(lines), "fontsize": 10}
    figure.legend(lines.values(), lines, **place, columnspacing=0.7, handletextpad=0.3, handlelength=1.5)


# --- the race --------------------------------------------------------------------------------------------------------

RATES = np.logspace(-3, 0, 13)
BETAS1, BETAS2, DECAYS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99), (0.9, 0.99, 0.999), (0.0, 0.01, 0.1)
STEPS = 120
MAP, EDGE = 2.0, 6.0  # half the side of the map, and where a racer that has left it is stopped
LOWEST, HIGHEST, NEGLIGIBLE = 1e-6, 1e4, 1e-9  # the losses that the pictures tell apart, and the readouts


class Surface(NamedTuple):
    """What the racers run down."""

    height: Callable  # height(x, y)
    slope: Callable  # its gradient, a pair
    start: tuple
    goal: tuple  # the lowest point


SURFACES = {
    "ravine": Surface(lambda x, y: (x**2 + 50 * y**2) / 2, lambda x, y: (x, 50 * y), (-1.7, 1.0), (0, 0)),
    "Rosenbrock": Surface(
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        lambda x, y: (-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)),
        (-1.2, 1.0),
        (1, 1),
    ),
    "saddle": Surface(
        lambda x, y: x**2 / 2 + (y**2 - 1) ** 2 / 4, lambda x, y: (x, y * (y**2 - 1)), (-1.7, 1e-3), (0, 1)
    ),
}


class Race(Explorer):
    """All optimizers start from one place: choose rates and betas, scrub the time.

    Every setting is run beforehand: an optimizer works entry by entry, so one run on an array of starting points, with
    its settings along the axes, is a run for each setting. That also tells how one racer would do at every learning
    rate and beta1: the square, in which both are dragged at once.
    """

    title = "Seven optimizers, one surface"
    plays = "time"

    surface = Choice("ravine", list(SURFACES))
    lr = LogSlider(10**-1.5, 1e-3, 1, step=0.25, label="learning rate")
    beta1 = Choice(0.9, BETAS1, label="beta1, momentum")
    beta2 = Choice(0.99, BETAS2, label="beta2, alpha, rho")
    weight_decay = Choice(0.0, DECAYS)
    racer = Choice("nobody", ["nobody", *LOOKS], label="square shows")
    time = Slider(60, 0, STEPS, unit="steps")

    def __init__(self):
        self.runs = {name: _run(surface) for name, surface in SURFACES.items()}
        self.contours = {name: _contours(surface.height) for name, surface in SURFACES.items()}
        super().__init__()

    def draw(self, figure):
        axes = figure.subplot_mosaic([["map", "loss"], ["map", "square"]], width_ratios=[5, 4])
        surface, loss = axes["map"], axes["loss"]
        surface.set(xlabel="x", ylabel="y", xticks=[-2, 0, 2], yticks=[-2, 0, 2], xlim=(-MAP, MAP), ylim=(-MAP, MAP))
        loss.set(title="Loss at each step", xlim=(0, STEPS), yscale="log", ylim=(LOWEST, HIGHEST))
        loss.set(yticks=[1e-6, 1e-3, 1, 1e3])
        (self.level_lines,) = self.live(surface.plot([], [], color=theme.MUTED, linestyle="-", linewidth=0.7))
        (self.goal,) = self.live(surface.plot([], [], "*", color=theme.YELLOW, mec=theme.INK, ms=16))
        self.paths, self.losses = {}, {}
        for name in LOOKS:
            (self.paths[name],) = surface.plot([], [], **_look(name), ms=10, markevery=[-1])
            (self.losses[name],) = loss.plot([], [], **_look(name) | {"marker": ""}, linewidth=1.5)
        self.live(self.paths)
        self.live(self.losses)
        self.cut = self.live(loss.axvline(0, color=theme.INK, linewidth=1.5))
        self._draw_square(axes["square"])
        _name_racers(figure, self.paths)
        self.hand(Line(loss, "time"), _Setting(axes["square"]))

    def _draw_square(self, axes):
        axes.set(xlabel="learning rate", ylabel="beta1")
        axes.set_title("dark: low loss, x: off the map", fontsize=10)
        axes.set(xticks=[0, 4, 8, 12], xticklabels=["0.001", "0.01", "0.1", "1"])
        axes.set(yticks=range(len(BETAS1))[::2], yticklabels=BETAS1[::2])
        empty = np.zeros((len(BETAS1), len(RATES), 4), dtype=np.uint8)
        self.square = self.live(axes.imshow(empty, origin="lower", aspect="auto", interpolation="nearest"))
        (self.gone,) = self.live(axes.plot([], [], "x", ms=6, color=theme.MUTED))
        (self.setting,) = self.live(axes.plot([], [], "o", ms=12, mfc="none", mec=theme.ORANGE, mew=3))

    def solve(self, surface, lr, beta1, beta2, weight_decay, racer, time):
        column, row = int(np.argmin(abs(np.log(RATES / lr)))), BETAS1.index(beta1)
        others = BETAS2.index(beta2), DECAYS.index(weight_decay)
        runs = self.runs[surface]
        return _Standing(
            *(surface, racer, time, column, row),
            paths={name: path[: time + 1, column, row, *others] for name, (path, _) in runs.items()},
            losses={name: loss[: time + 1, column, row, *others] for name, (_, loss) in runs.items()},
            square=runs[racer][1][time, :, :, *others].T if racer in runs else None,
        )

    def show(self, standing):
        self.level_lines.set_data(self.contours[standing.surface])
        self.goal.set_data(*np.transpose([SURFACES[standing.surface].goal]))
        for name, path in standing.paths.items():
            self.paths[name].set_data(*path.T)
            self.losses[name].set_data(range(standing.time + 1), np.maximum(standing.losses[name], LOWEST / 1e3))
        self.cut.set_xdata([standing.time, standing.time])
        self.setting.set_data([standing.column], [standing.row])
        self._show_square(standing.square)

    def _show_square(self, losses):
        """Color the square and cross out the settings that have left the map; without a racer it is empty."""
        self.square.set_visible(losses is not None)
        rows, columns = ([], []) if losses is None else np.nonzero(np.isnan(losses))
        self.gone.set_data(columns, rows)
        if losses is not None:
            self.square.set_data(_colors(losses))

    def readouts(self, standing):
        said = {f"loss, {name}": _in_words(loss[-1]) for name, loss in standing.losses.items()}
        if standing.racer in standing.paths:
            said |= {"learning rate": RATES[standing.column], "beta1": BETAS1[standing.row]}
            last = standing.paths[standing.racer][-2:]
            for name, step in zip("xy", np.abs(last[-1] - last[0]), strict=True):
                said[f"last step in {name}, {standing.racer}"] = _in_words(step)
        return said

    @button("Best setting in the square")
    def best_setting(self, values):
        square = self.solve(**values).square
        if square is None:
            return {}
        row, column = np.unravel_index(np.nanargmin(square), square.shape)
        return {"lr": RATES[column], "beta1": BETAS1[row]}


class _Standing(NamedTuple):
    """How the race stands: paths (time + 1, 2) and losses (time + 1,) by name, and the square (BETAS1, RATES)."""

    surface: str
    racer: str
    time: int
    column: int
    row: int
    paths: dict
    losses: dict
    square: np.ndarray | None


class _Setting(Handle):
    """The point of the square: learning rate and beta1 at once. A press anywhere brings it there."""

    def __init__(self, axes):
        super().__init__(axes, ("lr", "beta1"))

    def places(self, values):
        return {"setting": (round(4 * np.log10(values["lr"] / RATES[0])), BETAS1.index(values["beta1"]))}

    def moved(self, values, part, dx, dy):
        x, y = self.places(values)[part]
        return self._at(x + dx, y + dy)

    def added(self, values, x, y):
        return self._at(x, y), "setting"

    def _at(self, x, y):
        column, row = np.clip(np.round([x, y]), 0, [len(RATES) - 1, len(BETAS1) - 1]).astype(int)
        return RATES[column], BETAS1[row]


def _run(surface):
    """Run every racer at every setting: name -> path (steps + 1, rates, betas, betas, decays, 2) and loss."""
    lr, beta1, beta2, decay, _ = np.ix_(RATES, BETAS1, BETAS2, DECAYS, surface.start)
    racers = {
        "SGD": SGD(lr, weight_decay=decay),
        "Momentum": SGD(lr, beta1, weight_decay=decay),
        "Adagrad": Adagrad(lr, weight_decay=decay),
        "RMSprop": RMSprop(lr, beta2, weight_decay=decay),
        "Adadelta": Adadelta(rho=beta2, weight_decay=decay),
        "Adam": Adam(lr, (beta1, beta2), weight_decay=decay),
        "AdamW": AdamW(lr, (beta1, beta2), weight_decay=decay),
    }
    start = np.broadcast_to(surface.start, (len(RATES), len(BETAS1), len(BETAS2), len(DECAYS), 2))

    def slope(p):
        return np.stack(surface.slope(*np.moveaxis(np.clip(p, -EDGE, EDGE), -1, 0)), axis=-1)

    runs = {}
    for name, optimizer in racers.items():
        path = optimizer.path(slope, start, STEPS)
        path[np.logical_or.accumulate(np.abs(path).max(axis=-1) >= EDGE)] = np.nan  # who leaves does not return
        runs[name] = path, surface.height(path[..., 0], path[..., 1])
    return runs


def _contours(height):
    """Contours of a surface as one broken line: x and y, with NaN between the pieces."""
    grid = np.linspace(-MAP, MAP, 100)
    z = height(*np.meshgrid(grid, grid))
    levels = z.max() * np.linspace(0.05, 1, 9) ** 3
    pieces = [piece for level in levels for piece in contour_generator(grid, grid, z).lines(level)]
    return np.concatenate([np.r_[piece, [[np.nan, np.nan]]] for piece in pieces]).T


def _colors(losses):
    """Losses as RGBA bytes, by their logarithms: dark is low; off the map there is none."""
    share = (np.log10(np.clip(losses, LOWEST, HIGHEST)) - np.log10(LOWEST)) / np.log10(HIGHEST / LOWEST)
    colors = colormaps["viridis"](share, bytes=True)
    colors[np.isnan(losses)] = 0
    return colors


def _in_words(number):
    """A loss or a step as a readout: below NEGLIGIBLE, rounding errors would steer its digits."""
    if np.isnan(number):
        return "off the map"
    return number if number >= NEGLIGIBLE else f"below {NEGLIGIBLE:g}"


# --- a network -------------------------------------------------------------------------------------------------------

# at their defaults, except for the learning rate
ENTRIES = {
    "SGD": SGD,
    "Momentum": partial(SGD, momentum=0.9),
    "Adagrad": Adagrad,
    "RMSprop": RMSprop,
    "Adadelta": Adadelta,
    "Adam": Adam,
    "AdamW": AdamW,
}
NETWORK_RATES = np.logspace(-3, 0, 7)


class Network(Explorer):
    """A network with one hidden layer, trained by every optimizer at seven learning rates.

    Parameters
    ----------
    X : (n, d) array_like
    y : (n,) array_like of class numbers 0, 1, ...
        The first 70 % of the samples train, the others test.
    hidden : int
        Number of ReLU units.
    epochs, batch : int
        Passes over the training samples, and samples per step.

    Raises
    ------
    ValueError
        As `backpropagation.train`, or if the lengths of X and y differ.
    """

    title = "A digits network, seven optimizers"
    size = 660, 340
    plays = "epoch"

    lr = LogSlider(0.01, 1e-3, 1, step=0.5, label="learning rate", when=lambda values: not values["each_its_best"])
    each_its_best = Switch(label="each at its own best rate")
    epoch = Slider(6, 0, 6)

    def __init__(self, X, y, hidden=16, epochs=6, batch=64):
        X, y = check_array("X", X, ndim=2), check_array("y", y, ndim=1).astype(int)
        check_same_length(X=X, y=y)
        train = partial(_train, X=X, y=y, hidden=hidden, epochs=epochs, batch=batch)
        self.curves = {name: train(make) for name, make in ENTRIES.items()}
        super().__init__(epoch={"value": epochs, "high": epochs})

    def draw(self, figure):
        last = self.opening["epoch"]
        left, right = figure.subplots(1, 2)
        left.set(title="Training loss", xlabel="epoch", xlim=(0, 1.03 * last), yscale="log", ylim=(0.03, 5))
        right.set(title="Test accuracy", xlabel="epoch", xlim=(0, 1.03 * last), ylim=(0, 1))
        self.lines, self.cuts = {}, []
        for axes in (left, right):
            axes.grid()
            self.cuts.append(self.live(axes.axvline(0, color=theme.INK, linewidth=1.5)))
            self.hand(Line(axes, "epoch"))
        for name in LOOKS:
            self.lines[name] = [self.live(axes.plot([], [], **_look(name), ms=7))[0] for axes in (left, right)]
        _name_racers(figure, {name: pair[0] for name, pair in self.lines.items()})

    def solve(self, lr, each_its_best, epoch):
        """The rate of each optimizer with its losses and accuracies up to the epoch."""
        standing = {}
        for name, (loss, accuracy) in self.curves.items():
            own = np.argmin(loss[-1]) if each_its_best else np.argmin(abs(np.log(NETWORK_RATES / lr)))
            standing[name] = NETWORK_RATES[own], loss[: epoch + 1, own], accuracy[: epoch + 1, own]
        return standing

    def show(self, standing):
        for name, (_, *curves) in standing.items():
            for line, curve in zip(self.lines[name], curves, strict=True):
                line.set_data(range(len(curve)), np.clip(curve, 1e-9, 1e9))
        for cut in self.cuts:
            cut.set_xdata([len(curve) - 1] * 2)

    def readouts(self, standing):
        said = {"test accuracy at epoch": len(standing["SGD"][1]) - 1}
        for name, (rate, _, accuracy) in standing.items():
            said[name if name == "Adadelta" else f"{name}, rate {rate:.2g}"] = round(accuracy[-1], 2)
        return said


def _train(make, X, y, hidden, epochs, batch):
    """Train a network for each rate, all at once: training loss and test accuracy, (epochs + 1, rates)."""
    cut, rates = int(0.7 * len(X)), NETWORK_RATES
    start = backpropagation.two_layer(X.shape[1], hidden, int(y.max()) + 1, random_state=0)
    params = [np.tile(part, (len(rates), 1, 1)) for part in start]
    optimizer = make() if make is Adadelta else make(lr=rates[:, None, None])  # Adadelta has no base rate
    losses, accuracies = [], []

    def look():
        parts = np.array_split(X, max(1, len(X) // 256))  # small products, which are not worth a thread of their own
        log_p = np.concatenate([backpropagation.forward(params, part) for part in parts], axis=1)
        losses.append(-log_p[:, np.arange(cut), y[:cut]].mean(axis=-1))
        accuracies.append((log_p[:, cut:].argmax(axis=-1) == y[cut:]).mean(axis=-1))

    look()
    options = {"epochs": epochs, "batch_size": batch, "random_state": 0}
    for _ in backpropagation.train(params, X[:cut], y[:cut], optimizer, **options):
        look()
    return np.array(losses), np.array(accuracies)


# --- bias correction -------------------------------------------------------------------------------------------------


class BiasCorrection(Explorer):
    """Adam's two running means start from zero: see what that does to its first steps, and how it is put right.

    The gradient is 1 plus normal noise, always the same draws.
    """

    title = "Bias correction"
    size = 660, 340
    plays = "time"

    beta1 = Slider(0.9, 0, 0.99, step=0.01)
    beta2 = Slider(0.999, 0.5, 0.999, step=0.001)
    noise = Slider(0.3, 0, 1, step=0.1, unit="sigma")
    correct = Switch(True, label="bias correction")
    time = Slider(20, 1, 60, unit="steps")

    def __init__(self):
        self.normal = np.random.default_rng(0).normal(size=60)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="The means, in true ones", xlabel="step", xlim=(0, 62), ylim=(-1.5, 5))
        right.set(title="The step, in learning rates", xlabel="step", xlim=(0, 62))
        right.set_yscale("symlog", linthresh=1)
        right.set(ylim=(-40, 40), yticks=[-10, -1, 0, 1, 10], yticklabels=["-10", "-1", "0", "1", "10"])
        self.cuts = []
        for axes in (left, right):
            axes.axhline(1, color=theme.MUTED, linestyle=":", linewidth=1)
            self.cuts.append(self.live(axes.axvline(1, color=theme.INK, linewidth=1.5)))
            self.hand(Line(axes, "time"))
        (self.m_line,) = self.live(left.plot([], [], color=theme.BLUE, marker="s", markevery=6, linestyle="-"))
        (self.v_line,) = self.live(left.plot([], [], color=theme.ORANGE, marker="o", markevery=6, linestyle="--"))
        look = {"color": theme.VERMILLION, "linestyle": "-", "marker": "D", "markevery": [-1], "ms": 10}
        (self.step_line,) = self.live(right.plot([], [], **look))
        lines = {"m / E[g]": self.m_line, "v / E[g²]": self.v_line, "step": self.step_line}
        figure.legend(lines.values(), lines, loc="outside upper center", ncols=3)

    def solve(self, beta1, beta2, noise, correct, time):
        """m and v as shares of what they estimate, and the step in learning rates, at each step so far."""
        g = 1 + noise * self.normal[:time]
        m, v = _running_mean(g, beta1, correct), _running_mean(g**2, beta2, correct)
        return m, v / (1 + noise**2), m / (np.sqrt(v) + 1e-8)

    def show(self, solution):
        m, v, step = solution
        t = np.arange(1, len(step) + 1)
        self.m_line.set_data(t, m)
        self.v_line.set_data(t, v)
        self.step_line.set_data(t, step)
        for cut in self.cuts:
            cut.set_xdata([t[-1], t[-1]])

    def readouts(self, solution):
        m, v, step = solution
        return {
            "step number": len(step),
            "m / E[g]": m[-1],
            "v / E[g²]": v[-1],
            "step (learning rates)": step[-1],
            "longest step so far": np.abs(step).max(),
        }


def _running_mean(g, beta, correct):
    """The running mean of g after each of its entries, starting from 0."""
    means, mean = [], 0.0
    for t, entry in enumerate(g, start=1):
        mean = beta * mean + (1 - beta) * entry
        means.append(mean / (1 - beta**t) if correct else mean)
    return np.array(means)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    digits = datasets.digits()
    return {
        "Race": Race,
        "Network": lambda: Network(digits.X[:1200] / 16, digits.y[:1200]),
        "BiasCorrection": BiasCorrection,
    }
