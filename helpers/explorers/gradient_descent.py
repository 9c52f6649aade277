"""Explorers of topic 13: the edge of divergence, batches of any size, and what looking ahead changes."""

from functools import cache
from typing import NamedTuple

import numpy as np
from contourpy import contour_generator

from .. import datasets, theme
from ..algorithms import gradient_descent as algorithms
from ..algorithms.gradient_descent import Logistic, Surface, error_factor, hessian, quadratic
from ..validation import check_array
from .controls import Choice, LogSlider, Slider, State, button
from .explorer import Explorer
from .handles import Handle, Line

STEPS = 100
LOWEST, HIGHEST = 1e-10, 1e4  # of the loss curves
LEFT, REACH, HIGH = -0.6, 4.4, 2.05  # of the picture of factors: rate times curvature from and to, largest factor
TOO_FAR = 1e3  # beyond, there is no curvature to speak of
FARTHEST = 1e6  # where a diverging path is held


class Ground(NamedTuple):
    """A surface, the window in which it is shown (x from and to, y from and to), and its lowest height."""

    surface: Surface
    window: tuple
    lowest: float

    def shares(self, points):
        """Points as shares of the window; those far outside are drawn a little outside."""
        left, right, bottom, top = self.window
        return np.clip((np.asarray(points) - [left, bottom]) / [right - left, top - bottom], -3, 4)

    def points(self, shares):
        """Shares of the window as points."""
        left, right, bottom, top = self.window
        return np.asarray(shares) * [right - left, top - bottom] + [left, bottom]


GROUNDS = {
    "rosenbrock": Ground(algorithms.rosenbrock, (-2, 2, -1, 3), 0.0),
    "beale": Ground(algorithms.beale, (-1, 4, -2.5, 2.5), 0.0),
    "saddle": Ground(algorithms.saddle, (-2, 2, -2, 2), -0.25),
    "himmelblau": Ground(algorithms.himmelblau, (-5, 5, -5, 5), 0.0),
}
VALLEY = "quadratic"


@cache
def _ground(name, condition):
    return Ground(quadratic(condition), (-3, 3, -3, 3), 0.0) if name == VALLEY else GROUNDS[name]


@cache
def _contours(ground):
    """Contours as one broken line in shares of the window, NaN between the pieces."""
    grid = np.linspace(0, 1, 80)
    height = ground.surface(ground.points(np.stack(np.meshgrid(grid, grid), axis=-1)))
    levels = (height.max() - ground.lowest) * np.linspace(0.05, 1, 10) ** 3 + ground.lowest
    pieces = [piece for level in levels for piece in contour_generator(grid, grid, height).lines(level)]
    return np.concatenate([np.r_[piece, [[np.nan, np.nan]]] for piece in pieces]).T


def _draw_map(explorer, axes):
    """Contours, minima, the start and its handle; the axes hold shares of the ground's window."""
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], xlabel="x", ylabel="y", title="Drag or click the start")
    axes.set_box_aspect(1)
    (explorer.contours,) = explorer.live(axes.plot([], [], color=theme.MUTED, linestyle="-", linewidth=0.7))
    (explorer.minima,) = explorer.live(axes.plot([], [], "*", color=theme.YELLOW, mec=theme.INK, ms=15))
    (explorer.begin,) = explorer.live(axes.plot([], [], "o", mfc="none", mec=theme.INK, mew=2, ms=11))
    explorer.hand(_Start(axes, "start"))


def _show_map(explorer, ground, start):
    explorer.contours.set_data(_contours(ground))
    explorer.minima.set_data(*ground.shares(ground.surface.minima).T)
    explorer.begin.set_data(*np.transpose(start))


def _draw_losses(explorer, axes):
    axes.set(title="Loss above the lowest", yscale="log", xlim=(0, STEPS), ylim=(LOWEST, HIGHEST), xlabel="step")
    axes.set_yticks([1e-9, 1e-6, 1e-3, 1, 1e3], ["1e-9", "1e-6", "0.001", "1", "1000"])
    explorer.now = explorer.live(axes.axvline(0, color=theme.INK, linewidth=1.5))
    explorer.hand(Line(axes, "step"))


def _draw_factors(axes):
    """The picture in which a curvature is a dot: right of the edge, or above 1, a direction diverges."""
    axes.set(title="Error left by a step", xlim=(LEFT, REACH), ylim=(0, HIGH), xlabel="learning rate × curvature")
    axes.set(xticks=[0, 1, 2, 3, 4], yticks=[0, 0.5, 1, 1.5, 2])
    axes.axhline(1, color=theme.INK, linestyle="-", linewidth=1)
    axes.axhspan(1, HIGH, color=theme.VERMILLION, alpha=0.12, linewidth=0)
    axes.text(REACH - 0.1, HIGH - 0.08, "diverges", ha="right", va="top", fontsize=10, color=theme.VERMILLION)


def _heights(ground, path):
    """Heights above the lowest, for a logarithmic picture."""
    return np.clip(ground.surface(path) - ground.lowest, LOWEST / 1e3, HIGHEST * 1e3)


def _in_words(loss):
    """A loss as a readout: its digits far down are rounding's, and far up nobody's."""
    if loss < 1e-9:
        return "below 1e-9"
    return f"{loss:.3g}" if loss < 1e6 else "above 1e6"


class _Start(Handle):
    """The start of the path, in shares of the window: drag it, or click where it is to be."""

    def places(self, values):
        return {0: values["start"][0]}

    def moved(self, values, part, dx, dy):
        x, y = values["start"][0]
        return (self.inside(x + dx, y + dy),)

    def added(self, values, x, y):
        return ((float(x), float(y)),), 0


# --- the edge --------------------------------------------------------------------------------------------------------

GRID = np.linspace(LEFT, REACH, 201)


class Descent(Explorer):
    """A path down a surface, its loss, and why it converges or not: the two curvatures where it stands.

    Below on the right each curvature is a dot, at learning rate times curvature. Its height says what a step leaves of
    the error in that direction. Pull the dot of the larger one sideways: that is the learning rate. Pull the dashed
    edge: that is the momentum.
    """

    title = "The edge of divergence"
    size = 690, 420
    plays = "step"

    surface = Choice(VALLEY, [VALLEY, *GROUNDS])
    condition = Slider(20, 1, 100, label="condition number", when=lambda v: v["surface"] == VALLEY)
    lr = LogSlider(0.01, 1e-4, 3, step=0.02, label="learning rate")
    momentum = Slider(0.0, 0, 0.99, step=0.01)
    step = Slider(25, 0, STEPS)
    start = State(((0.1, 0.85),))

    def draw(self, figure):
        axes = figure.subplot_mosaic([["map", "loss"], ["map", "factor"]], width_ratios=[1.1, 1])
        _draw_map(self, axes["map"])
        _draw_losses(self, axes["loss"])
        _draw_factors(axes["factor"])
        (self.path,) = self.live(axes["map"].plot([], [], "o-", color=theme.BLUE, ms=4, linewidth=1.5))
        (self.end,) = self.live(axes["map"].plot([], [], "s", color=theme.BLUE, mec=theme.PAPER, ms=10))
        (self.loss,) = self.live(axes["loss"].plot([], [], color=theme.BLUE, linestyle="-"))
        factor = axes["factor"]
        (self.factors,) = self.live(factor.plot([], [], color=theme.BLUE, linestyle="-"))
        self.edge = self.live(factor.axvline(2, color=theme.VERMILLION, linestyle="--", linewidth=1.5))
        (self.flat,) = self.live(factor.plot([], [], "o", color=theme.GREEN, mec=theme.INK, ms=10))
        (self.steep,) = self.live(factor.plot([], [], "D", color=theme.ORANGE, mec=theme.INK, ms=10))
        self.hand(_Steepest(factor, self), _Edge(factor, "momentum"))

    def solve(self, surface, condition, lr, momentum, step, start):
        ground = _ground(surface, condition)
        path = _run("momentum", ground, lr, momentum, start)
        here = path[: step + 1]
        curvatures = np.array([])
        if len(path) > step and np.abs(here[-1]).max() < TOO_FAR:
            curvatures = np.linalg.eigvalsh(hessian(ground.surface.gradient, here[-1]))
        return _Standing(ground, start, lr, momentum, step, path=here, curvatures=curvatures)

    def show(self, standing):
        _show_map(self, standing.ground, standing.start)
        shares = standing.ground.shares(standing.path)
        self.path.set_data(*shares.T)
        self.end.set_data(*shares[-1:].T)
        self.loss.set_data(range(len(standing.path)), _heights(standing.ground, standing.path))
        self.now.set_xdata([standing.step, standing.step])
        self.factors.set_data(GRID, error_factor(GRID, standing.momentum))
        self.edge.set_xdata([2 * (1 + standing.momentum)] * 2)
        for dot, curvature in zip((self.flat, self.steep), standing.curvatures, strict=False):
            a = standing.lr * curvature
            place = np.clip([a, error_factor(a, standing.momentum)], [LEFT, 0], [REACH, HIGH])
            dot.set_data(*place[:, None])
        for dot in (self.flat, self.steep):
            dot.set_visible(len(standing.curvatures) > 0)

    def readouts(self, standing):
        said = {"step": standing.step, "loss above the lowest": _last_loss(standing)}
        if len(standing.curvatures) == 0:
            return said | {"curvatures here": "off the map"}
        low, high = (round(float(h), 4) + 0.0 for h in standing.curvatures)
        said |= {"curvatures here": f"{low:.4g} and {high:.4g}", "rate x largest curvature": standing.lr * high}
        said["edge, 2 (1 + momentum)"] = 2 * (1 + standing.momentum)
        factors = error_factor(standing.lr * standing.curvatures, standing.momentum)
        return said | {"error left by a step, flat": factors[0], "error left by a step, steep": factors[1]}

    @button("To the edge")
    def to_the_edge(self, values):
        """The largest rate that the curvature here bears."""
        curvatures = self.solve(**values).curvatures
        return {"lr": 2 * (1 + values["momentum"]) / curvatures[1]} if curvatures.size and curvatures[1] > 0.02 else {}

    @button("Start at half height")
    def at_half_height(self, values):
        """On the saddle this is the ridge, which leads straight into it."""
        return {"start": ((values["start"][0][0], 0.5),)}

    @button("Best for these curvatures")
    def best(self, values):
        """Polyak's rate and momentum for a quadratic with the curvatures here."""
        curvatures = self.solve(**values).curvatures
        if not curvatures.size or curvatures[0] <= 0:
            return {}
        low, high = np.sqrt(curvatures)
        mu = ((high - low) / (high + low)) ** 2
        return {name: self.declared[name].nearest(v) for name, v in (("lr", 4 / (high + low) ** 2), ("momentum", mu))}


class _Standing(NamedTuple):
    """How far a path is, and the two curvatures where it stands, if it is still on the map."""

    ground: Ground
    start: tuple
    lr: float
    momentum: float
    step: int
    path: np.ndarray
    curvatures: np.ndarray


def _last_loss(standing):
    if len(standing.path) <= standing.step and standing.step:
        last = standing.ground.surface.gradient(standing.path[-1])
        if np.abs(last).max() > 0:
            return "diverged"
    return _in_words(_heights(standing.ground, standing.path[-1:])[0])


@cache
def _run(kind, ground, lr, momentum, start):
    """The whole path of a rule, from a start in shares of the window."""
    rule = getattr(algorithms, kind)
    path = np.array(list(rule(ground.surface.gradient, ground.points(start[0]), lr, momentum, steps=STEPS)))
    return np.clip(path, -FARTHEST, FARTHEST)


class _Steepest(Handle):
    """The dot of the larger curvature: moving it sideways sets the learning rate."""

    cursor = "ew-resize"

    def __init__(self, axes, explorer):
        super().__init__(axes, "lr")
        self._explorer = explorer

    def places(self, values):
        standing = self._explorer.solve(**values)
        if len(standing.curvatures) == 0 or standing.curvatures[1] <= 0:
            return {}
        a = standing.lr * standing.curvatures[1]
        return {"steep": (min(a, REACH), min(float(error_factor(a, standing.momentum)), HIGH))}

    def moved(self, values, part, dx, dy):
        here = self.places(values).get(part)
        return values["lr"] * max(here[0] + dx, 1e-3) / max(here[0], 1e-3) if here else values["lr"]


class _Edge(Handle):
    """The edge of divergence, at 2 (1 + momentum): moving it sets the momentum."""

    cursor = "ew-resize"

    def places(self, values):
        return {"edge": (2 * (1 + values["momentum"]), np.nan)}

    def moved(self, values, part, dx, dy):
        return values["momentum"] + dx / 2


# --- batches ---------------------------------------------------------------------------------------------------------

EPOCHS = 4
BATCHES = {  # name -> look
    "full batch": {"color": theme.ORANGE, "marker": "s", "linestyle": "-", "ms": 8},
    "mini-batch": {"color": theme.BLUE, "marker": "o", "linestyle": "-", "ms": 4},
    "single sample": {"color": theme.VERMILLION, "marker": "", "linestyle": ":", "linewidth": 1.2},
}


class Batches(Explorer):
    """Logistic regression with two weights: the full batch, a mini-batch, and single samples, at one learning rate.

    Compared after the same number of samples, for that is what costs time.

    Parameters
    ----------
    X : (n, 2) array_like
    y : (n,) array_like of -1 and 1

    Raises
    ------
    ValueError
        As `Logistic`, or if X has not two columns.
    """

    title = "Full batch, mini-batch, single sample"
    size = 690, 380
    plays = "epochs"

    lr = LogSlider(1, 0.1, 30, step=0.05, label="learning rate")
    batch = Slider(10, 2, 50, label="mini-batch", unit="samples")
    seed = Slider(0, 0, 9)
    epochs = Slider(0.5, 0, EPOCHS, step=0.25, label="passes over the samples")

    def __init__(self, X, y):
        X = check_array("X", X, ndim=2)
        if X.shape[1] != 2:
            raise ValueError(f"X must have 2 columns, got shape {X.shape}")
        self._loss, self._n = Logistic(X, y), len(X)
        self._goal = _newton(self._loss)
        self._lowest = float(self._loss(self._goal))
        self._paths = cache(self._run)
        super().__init__(batch={"high": min(50, len(X)), "value": min(10, len(X))})

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
        reach = 1.6 * np.abs(self._goal).max()
        left.set(xlabel="first weight", ylabel="second weight", xlim=(-0.3 * reach, reach), ylim=(-0.3 * reach, reach))
        first, second = np.meshgrid(*[np.linspace(-0.3 * reach, reach, 80)] * 2)
        heights = self._loss(np.stack([first, second], axis=-1)) - self._lowest
        left.contour(
            first,
            second,
            heights,
            levels=heights.max() * np.linspace(0.02, 1, 12) ** 2,
            colors=theme.MUTED,
            linewidths=0.8,
        )
        left.plot(*self._goal, "*", color=theme.YELLOW, mec=theme.INK, ms=15)
        right.set(title="Loss above the lowest", xlabel="passes over the samples", yscale="log", ylim=(1e-7, 3))
        right.set_xlim(0, EPOCHS)
        right.set_yticks([1e-6, 1e-4, 1e-2, 1], ["1e-6", "0.0001", "0.01", "1"])
        self.routes, self.curves = {}, {}
        for name, look in BATCHES.items():
            (self.routes[name],) = self.live(left.plot([], [], **{"linewidth": 1.5, **look}))
            (self.curves[name],) = self.live(right.plot([], [], **{"linewidth": 1.5, **look, "marker": ""}))
        self.now = self.live(right.axvline(0, color=theme.INK, linewidth=1.5))
        self.hand(Line(right, "epochs"))
        figure.legend(self.routes.values(), self.routes, loc="outside upper center", ncols=3)

    def solve(self, lr, batch, seed, epochs):
        """The path of each, with the passes after each of its steps and its losses, up to so many passes."""
        sizes = {"full batch": self._n, "mini-batch": batch, "single sample": 1}
        standing = {}
        for name, size in sizes.items():
            path, losses = self._paths(lr, size, seed)
            per_epoch = self._n // size
            steps = int(epochs * per_epoch + 1e-9)
            standing[name] = path[: steps + 1], np.arange(steps + 1) / per_epoch, losses[: steps + 1]
        return epochs, standing

    def _run(self, lr, size, seed):
        options = {"batch_size": size, "epochs": EPOCHS, "random_state": seed}
        path = np.array(list(algorithms.minibatch_sgd(self._loss.gradient, np.zeros(2), self._n, lr, **options)))
        return path, np.maximum(self._loss(path) - self._lowest, 1e-9)

    def show(self, solution):
        epochs, standing = solution
        for name, (path, passes, losses) in standing.items():
            self.routes[name].set_data(*path.T)
            self.curves[name].set_data(passes, losses)
        self.now.set_xdata([epochs, epochs])

    def readouts(self, solution):
        _, standing = solution
        said = {}
        for name, (path, _, losses) in standing.items():
            said[f"steps, {name}"] = len(path) - 1
            said[f"loss above the lowest, {name}"] = f"{losses[-1]:.1g}"
        return said


def _newton(loss):
    """The weights of the lowest loss."""
    w = np.zeros(2)
    for _ in range(20):
        w = w - np.linalg.solve(loss.hessian(w), loss.gradient(w))
    return w


# --- looking ahead ---------------------------------------------------------------------------------------------------

RULES = {  # name -> function, look
    "momentum": {"color": theme.BLUE, "marker": "o", "linestyle": "-"},
    "nesterov": {"color": theme.VERMILLION, "marker": "^", "linestyle": "--"},
}


class LookAhead(Explorer):
    """Momentum takes the gradient where it stands, Nesterov where the buffer is about to carry it.

    On the right the same difference as a factor per step: looking ahead damps the steep directions.
    """

    title = "Nesterov against momentum"
    size = 690, 420
    plays = "step"

    condition = Slider(20, 1, 100, label="condition number")
    lr = LogSlider(0.02, 1e-3, 1, step=0.02, label="learning rate")
    momentum = Slider(0.9, 0, 0.99, step=0.01)
    step = Slider(3, 0, STEPS)
    start = State(((0.1, 0.85),))

    def draw(self, figure):
        axes = figure.subplot_mosaic([["map", "loss"], ["map", "factor"]], width_ratios=[1.1, 1])
        _draw_map(self, axes["map"])
        _draw_losses(self, axes["loss"])
        _draw_factors(axes["factor"])
        self.paths, self.losses, self.factors = {}, {}, {}
        for name, look in RULES.items():
            thin = look | {"marker": ""}
            (self.paths[name],) = self.live(axes["map"].plot([], [], **look, ms=5, linewidth=1.5))
            (self.losses[name],) = self.live(axes["loss"].plot([], [], **thin))
            (self.factors[name],) = self.live(axes["factor"].plot([], [], **thin))
        (self.carried,) = self.live(axes["map"].plot([], [], color=theme.PURPLE, linestyle="-", linewidth=4))
        (self.ahead,) = self.live(axes["map"].plot([], [], "P", color=theme.PURPLE, mec=theme.INK, ms=11))
        style = {"linestyle": "--", "linewidth": 1.5, "color": theme.ORANGE}
        self.curvatures = self.live([axes["factor"].axvline(0, **style) for _ in range(2)])
        names = {**self.paths, "where Nesterov takes its gradient": self.ahead}
        figure.legend(names.values(), names, loc="outside upper center", ncols=3)

    def solve(self, condition, lr, momentum, step, start):
        ground = _ground(VALLEY, condition)
        paths = {name: _run(name, ground, lr, momentum, start)[: step + 1] for name in RULES}
        here = paths["nesterov"][-2:]
        ahead = here[-1] + momentum * (here[-1] - here[0])  # w - lr mu b, as the last step was -lr b
        factors = {name: error_factor(lr * np.array([1, condition]), momentum, name) for name in RULES}
        return ground, start, lr, momentum, step, paths, ahead, factors

    def show(self, solution):
        ground, start, lr, momentum, step, paths, ahead, _ = solution
        _show_map(self, ground, start)
        for name, path in paths.items():
            self.paths[name].set_data(*ground.shares(path).T)
            self.losses[name].set_data(range(len(path)), _heights(ground, path))
            self.factors[name].set_data(GRID, error_factor(GRID, momentum, name))
        self.carried.set_data(*ground.shares([paths["nesterov"][-1], ahead]).T)
        self.ahead.set_data(*ground.shares([ahead]).T)
        self.now.set_xdata([step, step])
        for line, curvature in zip(
            self.curvatures, np.linalg.eigvalsh(hessian(ground.surface.gradient, [0.0, 0.0])), strict=True
        ):
            line.set_xdata([min(lr * curvature, REACH)] * 2)

    def readouts(self, solution):
        ground, _, _, momentum, step, paths, _, factors = solution
        said = {"step": step}
        for name, path in paths.items():
            gone = len(path) <= step
            said[f"loss, {name}"] = "diverged" if gone else _in_words(_heights(ground, path[-1:])[0])
        for name, (flat, steep) in factors.items():
            said[f"error left by a step, {name}"] = f"{flat:.3f} flat, {steep:.3f} steep"
        said["edge of momentum, rate x curvature"] = 2 * (1 + momentum)
        return said | {"edge of Nesterov": 2 * (1 + momentum) / (1 + 2 * momentum)}


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {
        "Descent": Descent,
        "Batches": lambda: Batches(*datasets.two_species(1, 2, [2, 3])),
        "LookAhead": LookAhead,
    }
