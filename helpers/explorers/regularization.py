"""Explorers of topic 06: the diamond and the circle, paths of weights, and weight decay in three optimizers."""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .. import datasets, theme
from ..algorithms import regularization
from ..algorithms.optimizers import SGD, Adam, AdamW
from .controls import Choice, LogSlider, Slider, State, button
from .explorer import Explorer
from .handles import Line, Points

PENALTIES = {"L1 (lasso)": 1.0, "L2 (ridge)": 0.0, "both, half and half": 0.5}  # and the share of L1
OPTIMIZERS = {
    "SGD": (SGD, theme.BLUE, "-", "o"),
    "Adam + L2": (Adam, theme.VERMILLION, "--", "s"),
    "AdamW": (AdamW, theme.GREEN, "-.", "^"),
}
STRENGTHS = np.geomspace(0.01, 1000, 60)  # close enough to draw a trail through them
STEPS = 70  # of the optimizers
_TURN = np.linspace(0, 2 * np.pi, 161)
CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)])


# --- the diamond and the circle --------------------------------------------------------------------------------------


class DiamondAndCircle(Explorer):
    """Two weights, contours of the loss, and the penalty's ball; slide lambda until they touch on an axis.

    Parameters
    ----------
    X : (n, 2) array_like
        Two features; they are standardized here.
    y : (n,) array_like
    names : (str, str)
        What the features are called.

    Raises
    ------
    ValueError
        As `regularization.Ridge`, or if there are not two features.
    """

    title = "The diamond and the circle"
    size = 660, 430

    penalty = Choice("L1 (lasso)", PENALTIES.keys())
    strength = LogSlider(10.0, 0.01, 1000, step=0.02, label="lambda")
    correlation = Slider(0.0, -0.9, 0.9, step=0.01, label="features' correlation")
    minimum = State(((0.0, 0.0),))

    def __init__(self, X, y, names):
        X = _standardised(_two_columns(X))
        best = regularization.Ridge(0.0).fit(X, y).coef_
        self.names, self.reach = names, 1.5 * float(np.abs(best).max())
        correlation = round(float(np.corrcoef(X.T)[0, 1]), 2)
        super().__init__(minimum={"value": (tuple(best.tolist()),)}, correlation={"value": correlation})

    def draw(self, figure):
        axes = _weights_plane(figure, self.names, -self.reach, self.reach)
        (self.contours,) = axes.plot([], [], color=theme.MUTED, linestyle="-", linewidth=1, label="equal loss")
        (self.touching,) = axes.plot(
            [], [], color=theme.BLUE, linestyle="-", linewidth=2.5, label="the solution's loss"
        )
        (self.ball,) = axes.plot([], [], color=theme.VERMILLION, linestyle="--", linewidth=3, label="its penalty")
        (self.trail,) = axes.plot([], [], color=theme.INK, linestyle=":", linewidth=2, label="lambda from 0 to here")
        cross, dot = {"markersize": 13}, {"markersize": 12, "markeredgecolor": theme.INK}
        (self.cross,) = axes.plot([], [], "X", color=theme.BLUE, label="least squares: drag", **cross)
        (self.dot,) = axes.plot([], [], "o", color=theme.VERMILLION, label="solution", **dot)
        self.live([self.contours, self.touching, self.ball, self.trail, self.cross, self.dot])
        figure.legend(loc="outside right upper", handlelength=2.5)
        self.hand(Points(axes, "minimum"))

    def solve(self, penalty, strength, correlation, minimum):
        share, target = PENALTIES[penalty], np.array(minimum[0])
        strengths = np.r_[0, np.minimum(STRENGTHS, strength), strength]
        return Touch(share, strength, correlation, target, _two_weights(target, correlation, strengths, share))

    def show(self, touch):
        # an ellipse of equal loss: a circle, stretched along the diagonals by the features' correlation
        stretch = np.array([[1, 1], [1, -1]]) / np.sqrt(2) / np.sqrt([1 + touch.correlation, 1 - touch.correlation])
        ellipse, center = stretch @ CIRCLE, touch.target[:, None]
        rings = [center + radius * self.reach * ellipse for radius in (0.2, 0.5, 0.9)]
        self.contours.set_data(*np.hstack([np.c_[ring, [np.nan, np.nan]] for ring in rings]))
        self.touching.set_data(*(center + np.sqrt(2 * touch.excess) * ellipse))
        self.ball.set_data(*_ball(touch.w, touch.share))
        self.trail.set_data(*touch.path)
        self.cross.set_data(*center)
        self.dot.set_data(*touch.w[:, None])

    def readouts(self, touch):
        return {
            "lambda": touch.strength,
            f"weight of {self.names[0]}": round(float(touch.w[0]), 2),
            f"weight of {self.names[1]}": round(float(touch.w[1]), 2),
            "weights exactly 0": int((touch.w == 0).sum()),
            "loss above its minimum": round(float(touch.excess), 1),
            "‖w‖₁, sum of sizes": round(float(np.abs(touch.w).sum()), 2),
            "‖w‖₂, length": round(float(np.hypot(*touch.w)), 2),
        }


class Touch(NamedTuple):
    """Where contour and ball touch: `path` holds the weights for every strength up to this one, the last one's last."""

    share: float
    strength: float
    correlation: float
    target: np.ndarray
    path: np.ndarray

    @property
    def w(self):
        return self.path[:, -1]

    @property
    def excess(self):
        return _loss(self.w - self.target, self.correlation)


def _two_weights(target, correlation, strengths, share):
    """The best two weights for each of the strengths, (2, k), by coordinate descent."""
    w = np.zeros((2, len(strengths)))
    for _ in range(60):
        for j in (0, 1):
            pull = target[j] + correlation * (target[1 - j] - w[1 - j])
            w[j] = (pull - np.clip(pull, -strengths * share, strengths * share)) / (1 + strengths * (1 - share))
    return w


def _ball(w, share):
    """All weights that cost as much penalty as w, share ‖w‖₁ + (1 - share) / 2 ‖w‖², along the directions of CIRCLE."""
    price = share * np.abs(w).sum() + (1 - share) / 2 * (w @ w)
    linear, square = share * np.abs(CIRCLE).sum(axis=0), (1 - share) / 2
    return 2 * price / (linear + np.sqrt(linear**2 + 4 * square * price) + np.finfo(float).tiny) * CIRCLE


# --- paths -----------------------------------------------------------------------------------------------------------


class Paths(Explorer):
    """Weights of lasso and ridge as lambda grows, and what each does to the error on patients held out.

    Both minimize ‖y - Xw‖² / (2n) plus lambda times the penalty: the sum of sizes, or half the sum of squares. Half of
    the samples train, a quarter validates, and a quarter tests what validation has chosen.

    Parameters
    ----------
    X : (n, d) array_like
    y : (n,) array_like
    names : d str
        What the features are called.

    Raises
    ------
    ValueError
        As `regularization.Lasso`.
    """

    title = "Paths of weights"
    size = 700, 450

    strength = LogSlider(0.1, 0.01, 100, step=0.05, label="lambda")

    def __init__(self, X, y, names):
        X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
        order = np.random.default_rng(0).permutation(len(y))
        train, validation, test = np.split(order, [len(y) // 2, 3 * len(y) // 4])
        X, y = _standardised(X, train), y - y[train].mean()
        self.names, self.logs = names, np.linspace(-2, 2, 81)
        self.weights = _both_paths(X[train], y[train], 10**self.logs)

        def errors(part):
            return {
                name: np.sqrt(np.mean((y[part, None] - X[part] @ w) ** 2, axis=0)) for name, w in self.weights.items()
            }

        self.validation, self.test = errors(validation), errors(test)
        super().__init__()

    def draw(self, figure):
        panels = figure.subplot_mosaic([["lasso", "ridge"], ["error", "error"]], height_ratios=[3, 2])
        self.curves, self.marks, self.errors = {}, {}, {}
        for name in self.weights:
            self._draw_paths(panels[name], name)
        self._draw_errors(panels["error"])
        self.cursors = []
        for panel in panels.values():
            panel.set(xlim=(-2.6, 2), xticks=[-2, -1, 0, 1, 2], xticklabels=["0.01", "0.1", "1", "10", "100"])
            panel.grid()
            self.cursors += self.live([panel.axvline(0, color=theme.INK, linestyle="-", linewidth=2)])
            self.hand(_LogLine(panel, "strength"))

    def _draw_paths(self, axes, name):
        lasso, w = self.weights["lasso"], self.weights[name]
        named = np.argsort(-np.abs(lasso[:, 0]))[:6]  # more would not be told apart
        axes.set(title=name, ylabel="weight", ylim=(1.15 * lasso.min(), 1.15 * lasso.max()))
        lines = [axes.plot([], [], color=theme.MUTED, linestyle="-", linewidth=1)[0] for _ in w]
        for feature, height in zip(named, _spread(w[named, 0], 0.09 * np.ptp(lasso)), strict=True):
            (lines[feature],) = axes.plot([], [])
            _label(axes, height, self.names[feature], lines[feature])
        self.curves[name] = self.live(lines)
        (self.marks[name],) = self.live(axes.plot([], [], "o", color=theme.INK, markersize=5))

    def _draw_errors(self, axes):
        lowest, highest = np.min(list(self.validation.values())), np.max(list(self.validation.values()))
        reach = highest - lowest
        axes.set(xlabel="lambda", ylabel="validation RMSE", ylim=(lowest - 0.1 * reach, highest + 0.1 * reach))
        looks = (theme.VERMILLION, "-"), (theme.BLUE, "--")
        heights = _spread([error[0] for error in self.validation.values()], 0.15 * reach)
        for name, (color, line), height in zip(self.validation, looks, heights, strict=True):
            (self.errors[name],) = self.live(axes.plot([], [], color=color, linestyle=line))
            _label(axes, height, name, self.errors[name])
        (self.error_marks,) = self.live(axes.plot([], [], "D", color=theme.INK, markersize=7))

    def solve(self, strength):
        return int(np.argmin(np.abs(self.logs - np.log10(strength))))

    def show(self, here):
        past, now = self.logs[: here + 1], self.logs[here]
        for cursor in self.cursors:
            cursor.set_xdata([now, now])
        for name, w in self.weights.items():
            for line, weight in zip(self.curves[name], w, strict=True):
                line.set_data(past, weight[: here + 1])
            self.marks[name].set_data(np.full(len(w), now), w[:, here])
            self.errors[name].set_data(past, self.validation[name][: here + 1])
        self.error_marks.set_data([now, now], [error[here] for error in self.validation.values()])

    def readouts(self, here):
        weights = {name: w[:, here] for name, w in self.weights.items()}
        return {
            "lambda": 10 ** self.logs[here],
            **{f"weights exactly 0, {name}": int((w == 0).sum()) for name, w in weights.items()},
            **{f"sum of sizes, {name}": round(float(np.abs(w).sum()), 1) for name, w in weights.items()},
            **{f"validation RMSE, {name}": round(float(error[here]), 1) for name, error in self.validation.items()},
            **{f"test RMSE, {name}": round(float(error[here]), 1) for name, error in self.test.items()},
        }

    @button("Best lasso by validation")
    def best_lasso(self, values):
        return self._lowest("lasso")

    @button("Best ridge by validation")
    def best_ridge(self, values):
        return self._lowest("ridge")

    def _lowest(self, name):
        return {"strength": float(10 ** self.logs[np.argmin(self.validation[name])])}


class _LogLine(Line):
    """A vertical line at the common logarithm of a slider's value."""

    def places(self, values):
        return {"line": (np.log10(values[self.name]), np.nan)}

    def moved(self, values, part, dx, dy):
        return values[self.name] * 10**dx


def _both_paths(X, y, strengths):
    """Weights of lasso and ridge, each (d, k), for rising strengths; X and y have mean 0."""
    _, lasso, _ = regularization.lasso_path(X, y, alphas=strengths, tol=1e-6, max_iter=10_000)
    ridge = [regularization.Ridge(len(y) * strength).fit(X, y).coef_ for strength in strengths]
    return {"lasso": lasso[:, ::-1], "ridge": np.transpose(ridge)}


def _label(axes, height, text, line):
    """Name a line left of where it begins; no cursor comes there."""
    axes.text(-2.05, height, text, color=line.get_color(), ha="right", va="center", fontsize=10)


def _spread(heights, gap):
    """Move labels apart until neighbors are `gap` from each other."""
    spread = np.array(heights, dtype=float)
    for low, high in pairwise(np.argsort(heights)):
        spread[high] = max(spread[high], spread[low] + gap)
    return spread


# --- weight decay ----------------------------------------------------------------------------------------------------


class Decay(Explorer):
    """One start, three optimizers, one weight_decay: where each of them goes.

    Features and target are standardized; the loss is half the mean squared error.

    Parameters
    ----------
    X : (n, 2) array_like
    y : (n,) array_like
    names : (str, str)
        What the features are called.

    Raises
    ------
    ValueError
        As `DiamondAndCircle`.
    """

    title = "Weight decay in three optimizers"
    size = 640, 430
    plays = "step"

    step = Slider(6, 0, STEPS)
    weight_decay = Slider(0.5, 0, 3, step=0.05)
    lr = Slider(0.1, 0.005, 0.2, step=0.005, label="learning rate")
    start = State(((1.15, 0.6),))

    def __init__(self, X, y, names):
        X, y = _standardised(_two_columns(X)), _standardised(np.asarray(y, dtype=float))
        self.names = names
        self.best = regularization.Ridge(0.0).fit(X, y).coef_
        self.curvature = X.T @ X / len(y)
        self.trajectories = lru_cache(maxsize=8)(self._trajectories)
        super().__init__()

    def draw(self, figure):
        axes = _weights_plane(figure, self.names, -0.8, 1.3)
        grid = np.stack(np.meshgrid(*[np.linspace(-0.8, 1.3, 80)] * 2))
        loss = _loss(grid.reshape(2, -1) - self.best[:, None], self.curvature[0, 1]).reshape(80, 80)
        axes.contour(*grid, loss, levels=[0.01, 0.05, 0.15, 0.35, 0.7, 1.2], colors=theme.MUTED, linewidths=0.8)
        axes.plot(*self.best[:, None], "X", color=theme.INK, markersize=11, linestyle="none", label="minimum, no decay")
        (self.l2_mark,) = axes.plot(
            [], [], "P", color=theme.INK, markersize=8, linestyle="none", label="minimum with L2"
        )
        self.lines, self.heads = {}, {}
        for name, (_, color, line, marker) in OPTIMIZERS.items():
            hollow = {"color": color, "markerfacecolor": "none", "markeredgewidth": 3, "markersize": 14}
            (self.lines[name],) = axes.plot([], [], color=color, linestyle=line, linewidth=2.5)
            (self.heads[name],) = axes.plot([], [], marker=marker, linestyle=line, label=name, **hollow)
        look = {"color": theme.ORANGE, "markeredgecolor": theme.INK, "markersize": 12, "linestyle": "none"}
        (self.begin,) = axes.plot([], [], "o", label="start: drag", **look)
        self.live([*self.lines.values(), *self.heads.values(), self.l2_mark, self.begin])
        figure.legend(loc="outside right upper", handlelength=3, labelspacing=0.8)
        self.hand(Points(axes, "start"))

    def solve(self, step, weight_decay, lr, start):
        l2_minimum = np.linalg.solve(self.curvature + weight_decay * np.eye(2), self.curvature @ self.best)
        paths = self.trajectories(start[0], weight_decay, lr)
        return l2_minimum, {name: path[: step + 1] for name, path in paths.items()}

    def show(self, solution):
        l2_minimum, paths = solution
        for name, path in paths.items():
            self.lines[name].set_data(*path.T)
            self.heads[name].set_data(*path[-1:].T)
        self.l2_mark.set_data(*l2_minimum[:, None])
        self.begin.set_data(*path[:1].T)

    def readouts(self, solution):
        l2_minimum, paths = solution
        said = {}
        for name, path in paths.items():
            said |= {f"weight of {n}, {name}": round(float(w), 3) for n, w in zip(self.names, path[-1], strict=True)}
            said[f"from the L2 minimum, {name}"] = round(float(np.hypot(*(path[-1] - l2_minimum))), 2)
        return said

    def _trajectories(self, start, weight_decay, lr):
        """The path of each optimizer, (STEPS + 1, 2)."""
        return {
            name: kind(lr, weight_decay=weight_decay).path(lambda w: self.curvature @ (w - self.best), start, STEPS)
            for name, (kind, *_) in OPTIMIZERS.items()
        }


# --- what the three share --------------------------------------------------------------------------------------------


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    patients = datasets.diabetes()

    def two(*names):
        return patients.X[:, [patients.features.index(name) for name in names]], patients.y, names

    return {
        "DiamondAndCircle": lambda: DiamondAndCircle(*two("bmi", "bp")),
        "Paths": lambda: Paths(patients.X, patients.y, patients.features),
        "Decay": lambda: Decay(*two("bmi", "s5")),
    }


def _two_columns(X):
    X = np.asarray(X, dtype=float)
    if X.shape[1:] != (2,):
        raise ValueError(f"X must have two columns, got shape {X.shape}")
    return X


def _standardised(X, train=slice(None)):
    """X with mean 0 and standard deviation 1, column by column, on the samples that train."""
    return (X - X[train].mean(axis=0)) / X[train].std(axis=0)


def _loss(w, correlation):
    """Half the mean squared error above its minimum, w away from it, for two standardized features."""
    return (w[0] ** 2 + w[1] ** 2) / 2 + correlation * w[0] * w[1]


def _weights_plane(figure, names, low, high):
    axes = figure.add_subplot(xlim=(low, high), ylim=(low, high), box_aspect=1)
    axes.set(xlabel=f"weight of {names[0]}", ylabel=f"weight of {names[1]}")
    axes.axhline(0, color=theme.MUTED, linestyle="-", linewidth=1)
    axes.axvline(0, color=theme.MUTED, linestyle="-", linewidth=1)
    return axes
