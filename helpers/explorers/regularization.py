"""Explorers of topic 06: the diamond and the circle, paths of weights, and weight decay in three optimizers."""

from functools import lru_cache
from itertools import pairwise

import ipywidgets as widgets
import numpy as np

from .. import datasets, theme
from ..algorithms import regularization
from ..algorithms.optimizers import SGD, Adam, AdamW
from .explorer import Explorer, State
from .handles import Line, Points

PENALTIES = {"L1 (lasso)": 1.0, "L2 (ridge)": 0.0, "both, half and half": 0.5}  # and the share of L1
OPTIMIZERS = {
    "SGD": (SGD, theme.BLUE, "-", "o"),
    "Adam + L2": (Adam, theme.VERMILLION, "--", "s"),
    "AdamW": (AdamW, theme.GREEN, "-.", "^"),
}
STEPS = 70


def diamond_and_circle(X, y, names):
    """Two weights, contours of the loss, and the penalty's ball; slide lambda until they touch on an axis.

    Parameters
    ----------
    X : (n, 2) array_like
        Two features; they are standardised here.
    y : (n,) array_like
    names : (str, str)
        What the features are called.

    Returns
    -------
    Explorer
        Controls: penalty, log_lambda (its common logarithm), correlation (of the features), minimum (the least-squares
        weights, a tuple of one point).

    Raises
    ------
    ValueError
        As `regularization.Ridge`, or if there are not two features.
    """
    if np.shape(X)[1:] != (2,):
        raise ValueError(f"X must have two columns, got shape {np.shape(X)}")
    X = (X - np.mean(X, axis=0)) / np.std(X, axis=0)
    best = regularization.Ridge(0.0).fit(X, y).coef_
    reach = 1.5 * float(np.abs(best).max())

    figure = theme.figure(width=480, height=430)
    axes = figure.subplots()
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), box_aspect=1)
    axes.set(xlabel=f"weight of {names[0]}", ylabel=f"weight of {names[1]}")
    axes.axhline(0, color=theme.MUTED, linestyle="-", linewidth=1)
    axes.axvline(0, color=theme.MUTED, linestyle="-", linewidth=1)
    (contours,) = axes.plot([], [], color=theme.MUTED, linestyle="-", linewidth=1)
    (touching,) = axes.plot([], [], color=theme.BLUE, linestyle="-", linewidth=2.5)
    (ball,) = axes.plot([], [], color=theme.VERMILLION, linestyle="--", linewidth=3)
    (trail,) = axes.plot([], [], color=theme.INK, linestyle=":", linewidth=2)
    (minimum_mark,) = axes.plot([], [], "X", color=theme.BLUE, markersize=13)
    (solution_mark,) = axes.plot([], [], "o", color=theme.VERMILLION, markeredgecolor=theme.INK, markersize=12)
    turn = np.linspace(0, 2 * np.pi, 161)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    strengths = np.geomspace(1e-2, 1e3, 60)

    def solve(target, correlation, strength, share):
        """The best two weights for every strength, by coordinate descent on the two."""
        w = np.zeros((2, len(strength)))
        for _ in range(60):
            for j in (0, 1):
                pull = target[j] + correlation * (target[1 - j] - w[1 - j])
                w[j] = (pull - np.clip(pull, -strength * share, strength * share)) / (1 + strength * (1 - share))
        return w

    def update(penalty, log_lambda, correlation, minimum):
        share, strength, target = PENALTIES[penalty], 10.0**log_lambda, np.array(minimum[0])
        path = solve(target, correlation, np.r_[strength, strengths], share)
        w = path[:, 0]
        # an ellipse of equal loss: a circle, stretched along the diagonals by the features' correlation
        stretch = np.array([[1, 1], [1, -1]]) / np.sqrt(2) / np.sqrt([1 + correlation, 1 - correlation])
        ellipse = stretch @ circle
        excess = _loss(w - target, correlation)
        rings = [
            target[:, None] + np.sqrt(2 * level) * ellipse for level in np.square(reach * np.array([0.2, 0.5, 0.9])) / 2
        ]
        contours.set_data(*np.hstack([np.c_[ring, [np.nan, np.nan]] for ring in rings]))
        touching.set_data(*(target[:, None] + np.sqrt(2 * excess) * ellipse))
        ball.set_data(*_ball(w, share, circle))
        trail.set_data(*path[:, 1:])
        minimum_mark.set_data(*target[:, None])
        solution_mark.set_data(*w[:, None])
        return {
            "lambda": strength,
            f"weight of {names[0]}": float(w[0]),
            f"weight of {names[1]}": float(w[1]),
            "weights exactly 0": int((w == 0).sum()),
            "loss above its minimum": float(excess),
            "|w|₁, sum of sizes": float(np.abs(w).sum()),
            "|w|₂, length": float(np.hypot(*w)),
        }

    controls = {
        "penalty": widgets.Dropdown(options=list(PENALTIES), description="penalty"),
        "log_lambda": widgets.FloatSlider(1.0, min=-2, max=3, step=0.02, description="log10 of lambda"),
        "correlation": widgets.FloatSlider(
            round(float(np.corrcoef(X.T)[0, 1]), 2), min=-0.9, max=0.9, step=0.01, description="features' correlation"
        ),
        "minimum": State((tuple(best.tolist()),)),
    }
    live = [contours, touching, ball, trail, minimum_mark, solution_mark]
    return Explorer(*("The diamond and the circle", figure, controls, live, update), handles=[Points(axes, "minimum")])


def paths(X, y, names):
    """Weights of lasso and ridge for every lambda, with a cursor, and what each does to the error on held-out data.

    Both minimise |y - Xw|^2 / (2n) plus lambda times the penalty: the sum of sizes, or half the sum of squares.

    Parameters
    ----------
    X : (n, d) array_like
    y : (n,) array_like
    names : d str
        What the features are called.

    Returns
    -------
    Explorer
        Control: log_lambda (its common logarithm). Drag the cursor.

    Raises
    ------
    ValueError
        As `regularization.Lasso`.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[: len(y) // 2], order[len(y) // 2 :]
    X = (X - X[train].mean(axis=0)) / X[train].std(axis=0)
    logs = np.linspace(-1, 2, 76)
    centre = y[train].mean()
    _, lasso, _ = regularization.lasso_path(X[train], y[train] - centre, alphas=10**logs, tol=1e-6, max_iter=10_000)
    lasso = lasso[:, ::-1]
    ridge = np.stack([regularization.Ridge(len(train) * 10**log).fit(X[train], y[train]).coef_ for log in logs], axis=1)
    weights = {"lasso": lasso, "ridge": ridge}
    error = {name: np.sqrt(np.mean((y[test, None] - centre - X[test] @ w) ** 2, axis=0)) for name, w in weights.items()}

    figure = theme.figure(width=690, height=430)
    panels = figure.subplot_mosaic([["lasso", "ridge"], ["error", "error"]], height_ratios=[3, 2])
    looks = dict(zip(weights, ((theme.VERMILLION, "-"), (theme.BLUE, "--")), strict=True))
    cursors, marks = [], []
    named = np.argsort(-np.abs(lasso[:, 0]))[:6]  # more would not be told apart
    others = np.setdiff1d(np.arange(len(lasso)), named)
    for name, w in weights.items():
        panels[name].plot(logs, w[others].T, color=theme.MUTED, linestyle="-", linewidth=1)
        lines = panels[name].plot(logs, w[named].T)
        for line, feature, height in zip(lines, named, _spread(w[named, 0], 0.08 * np.ptp(lasso)), strict=True):
            look = {"ha": "right", "va": "center", "fontsize": 10, "color": line.get_color()}
            panels[name].text(-1.04, height, names[feature], **look)
        panels[name].set(title=name, ylabel="weight", xlim=(-1.5, 2), ylim=(1.15 * lasso.min(), 1.15 * lasso.max()))
        panels["error"].plot(logs, error[name], color=looks[name][0], linestyle=looks[name][1], label=name)
        marks += panels[name].plot([], [], "o", color=theme.INK, markersize=5)
    panels["error"].set(xlabel="log10 of lambda", ylabel="held-out RMSE", xlim=(-1.5, 2))
    panels["error"].legend(loc="upper left", ncols=1)
    for panel in panels.values():
        panel.grid()
        cursors.append(panel.axvline(0, color=theme.INK, linestyle="-", linewidth=2))
    (error_marks,) = panels["error"].plot([], [], "D", color=theme.INK, markersize=7)

    def update(log_lambda):
        here = int(np.argmin(np.abs(logs - log_lambda)))
        for cursor in cursors:
            cursor.set_xdata([logs[here]] * 2)
        for mark, w in zip(marks, weights.values(), strict=True):
            mark.set_data(np.full(len(w), logs[here]), w[:, here])
        error_marks.set_data([logs[here]] * 2, [error["lasso"][here], error["ridge"][here]])
        return {
            "lambda": 10 ** logs[here],
            **{f"weights exactly 0, {name}": int((w[:, here] == 0).sum()) for name, w in weights.items()},
            **{f"sum of sizes, {name}": float(np.abs(w[:, here]).sum()) for name, w in weights.items()},
            **{f"held-out RMSE, {name}": float(error[name][here]) for name in weights},
        }

    def lowest(name):
        return lambda: {"log_lambda": float(logs[np.argmin(error[name])])}

    controls = {"log_lambda": widgets.FloatSlider(0, min=-1, max=2, step=0.04, description="log10 of lambda")}
    return Explorer(
        *("Paths of weights", figure, controls, [*cursors, *marks, error_marks], update),
        handles=[Line(panel, "log_lambda") for panel in panels.values()],
        actions={"Best lasso": lowest("lasso"), "Best ridge": lowest("ridge")},
    )


def decay(X, y, names):
    """One start, three optimizers, one weight_decay: where each of them goes.

    Features and target are standardised; the loss is half the mean squared error.

    Parameters
    ----------
    X : (n, 2) array_like
    y : (n,) array_like
    names : (str, str)
        What the features are called.

    Returns
    -------
    Explorer
        Controls: step, weight_decay, lr, start (a tuple of one point).

    Raises
    ------
    ValueError
        As `diamond_and_circle`.
    """
    if np.shape(X)[1:] != (2,):
        raise ValueError(f"X must have two columns, got shape {np.shape(X)}")
    X, y = ((a - np.mean(a, axis=0)) / np.std(a, axis=0) for a in (np.asarray(X, dtype=float), np.asarray(y)))
    best = regularization.Ridge(0.0).fit(X, y).coef_
    curvature = X.T @ X / len(y)

    figure = theme.figure(height=400)
    axes = figure.subplots()
    axes.set(xlim=(-0.8, 1.3), ylim=(-0.8, 1.3), box_aspect=1)
    axes.set(xlabel=f"weight of {names[0]}", ylabel=f"weight of {names[1]}")
    grid = np.stack(np.meshgrid(*[np.linspace(-0.8, 1.3, 80)] * 2))
    loss = _loss(grid.reshape(2, -1) - best[:, None], curvature[0, 1]).reshape(80, 80)
    axes.contour(*grid, loss, levels=np.array([0.01, 0.05, 0.15, 0.35, 0.7, 1.2]), colors=theme.MUTED, linewidths=0.8)
    axes.axhline(0, color=theme.MUTED, linestyle="-", linewidth=1)
    axes.axvline(0, color=theme.MUTED, linestyle="-", linewidth=1)
    axes.plot(*best[:, None], "X", color=theme.INK, markersize=11)
    axes.annotate("minimum, no decay", best, (-0.3, 0.95), arrowprops={"arrowstyle": "-", "color": theme.INK})
    lines, heads = [], []
    for name, (_, colour, line, marker) in OPTIMIZERS.items():
        lines += axes.plot([], [], color=colour, linestyle=line, linewidth=2.5)
        heads += axes.plot([], [], marker, color=colour, markerfacecolor="none", markeredgewidth=3, markersize=14)
        axes.plot([], [], color=colour, linestyle=line, marker=marker, markerfacecolor="none", label=name)
    (l2_mark,) = axes.plot([], [], "P", color=theme.INK, markersize=8, linestyle="none", label="minimum with L2")
    (begin,) = axes.plot([], [], "o", color=theme.ORANGE, markeredgecolor=theme.INK, markersize=12)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), handlelength=3)

    @lru_cache(maxsize=8)
    def trajectories(start, weight_decay, lr):
        return [
            kind(lr, weight_decay=weight_decay).path(lambda w: curvature @ (w - best), start, STEPS)
            for kind, _, _, _ in OPTIMIZERS.values()
        ]

    def update(step, weight_decay, lr, start):
        l2_minimum = np.linalg.solve(curvature + weight_decay * np.eye(2), curvature @ best)
        readouts = {}
        for name, path, line, head in zip(
            OPTIMIZERS, trajectories(start[0], weight_decay, lr), lines, heads, strict=True
        ):
            line.set_data(*path[: step + 1].T)
            head.set_data(*path[step][:, None])
            readouts |= {f"weight of {n}, {name}": float(w) for n, w in zip(names, path[step], strict=True)}
            readouts[f"from the L2 minimum, {name}"] = float(np.hypot(*(path[step] - l2_minimum)))
        l2_mark.set_data(*l2_minimum[:, None])
        begin.set_data(*np.array(start[0])[:, None])
        return readouts

    controls = {
        "step": widgets.IntSlider(STEPS, min=0, max=STEPS, description="step"),
        "weight_decay": widgets.FloatSlider(0.5, min=0, max=3, step=0.05, description="weight_decay"),
        "lr": widgets.FloatSlider(
            0.1, min=0.005, max=0.2, step=0.005, description="learning rate", readout_format=".3f"
        ),
        "start": State(((1.15, 0.6),)),
    }
    live = [*lines, *heads, l2_mark, begin]
    return Explorer(
        *("Weight decay in three optimizers", figure, controls, live, update),
        handles=[Points(axes, "start")],
        play="step",
    )


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    patients = datasets.diabetes()

    def two(*names):
        return patients.X[:, [patients.features.index(name) for name in names]], patients.y, names

    return {
        "diamond_and_circle": lambda: diamond_and_circle(*two("bmi", "bp")),
        "paths": lambda: paths(patients.X, patients.y, patients.features),
        "decay": lambda: decay(*two("bmi", "s5")),
    }


def _loss(w, correlation):
    """Half the mean squared error above its minimum, w away from it, for two standardised features."""
    return (w[0] ** 2 + w[1] ** 2) / 2 + correlation * w[0] * w[1]


def _ball(w, share, circle):
    """All weights that cost as much penalty as w, share |w|_1 + (1 - share) / 2 |w|^2, in the directions `circle`."""
    price = share * np.abs(w).sum() + (1 - share) / 2 * (w @ w)
    linear, square = share * np.abs(circle).sum(axis=0), (1 - share) / 2
    return 2 * price / (linear + np.sqrt(linear**2 + 4 * square * price) + np.finfo(float).tiny) * circle


def _spread(heights, gap):
    """Move labels apart until neighbours are `gap` from each other."""
    order = np.argsort(heights)
    spread = np.array(heights, dtype=float)
    for low, high in pairwise(order):
        spread[high] = max(spread[high], spread[low] + gap)
    return spread
