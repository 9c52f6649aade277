"""Explorers of topic 14: a race of all optimizers, a digits network trained by each, and Adam's bias correction."""

from functools import partial

import ipywidgets as widgets
import numpy as np
from contourpy import contour_generator

from .. import datasets, theme
from ..algorithms import backpropagation
from ..algorithms.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop
from .explorer import Explorer
from .handles import Line

# one look for each racer in every picture: colour (None: that of the ink), line style and marker change together
LOOKS = {
    "SGD": (None, (0, (1, 1)), "o"),
    "Momentum": (theme.BLUE, "-", "s"),
    "Adagrad": (theme.ORANGE, "--", "^"),
    "RMSprop": (theme.GREEN, "-.", "v"),
    "Adadelta": (theme.PURPLE, ":", "P"),
    "Adam": (theme.VERMILLION, "-", "D"),
    "AdamW": (theme.SKY, "--", "X"),
}
BETA1, BETA2, DECAY = (0.0, 0.5, 0.9, 0.99), (0.9, 0.99, 0.999), (0.0, 0.01, 0.1)
RACE_RATES, RACE_STEPS = np.logspace(-3, 0, 13), 120
MAP, EDGE = 2.0, 6.0  # half the side of the map, and where a racer that has left it is stopped


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


def _ravine(x, y):
    return (x**2 + 50 * y**2) / 2, x, 50 * y


def _rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2, -2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)


def _saddle(x, y):
    return x**2 / 2 + (y**2 - 1) ** 2 / 4, x, y * (y**2 - 1)


# value and gradient, start, lowest point
SURFACES = {
    "ravine": (_ravine, (-1.7, 1.0), (0, 0)),
    "Rosenbrock": (_rosenbrock, (-1.2, 1.0), (1, 1)),
    "saddle": (_saddle, (-1.7, 1e-3), (0, 1)),
}


def race():
    """All optimizers start from one place: choose rates and betas, scrub the time.

    Every setting is run beforehand: an optimizer works entry by entry, so one run on an array of starting points, with
    its settings along the axes, is a run for each setting.

    Returns
    -------
    Explorer
        Controls: surface, lr (Adadelta keeps its own, 1), beta1 (momentum of SGD, first beta of Adam), beta2 (second
        beta, alpha of RMSprop, rho of Adadelta), weight_decay, racer (whose steps are shown), time (step).
    """
    runs = {name: _run(surface, start) for name, (surface, start, _) in SURFACES.items()}
    maps = {name: _contours(surface) for name, (surface, _, _) in SURFACES.items()}

    figure = theme.figure(height=350)
    axes = figure.subplot_mosaic([["map", "loss"], ["map", "step"]], width_ratios=[5, 4])
    axes["map"].set(xlabel="x", ylabel="y", xticks=[-2, 0, 2], yticks=[-2, 0, 2], xlim=(-MAP, MAP), ylim=(-MAP, MAP))
    (contours,) = axes["map"].plot([], [], color=theme.MUTED, linestyle="-", linewidth=0.7)
    (goal,) = axes["map"].plot([], [], "*", color=theme.YELLOW, mec=theme.INK, ms=16)
    steps = np.arange(RACE_STEPS + 1)
    axes["loss"].set(title="Loss", yscale="log", ylim=(1e-6, 1e4), xlim=(0, RACE_STEPS), yticks=[1e-6, 1e-3, 1, 1e3])
    axes["step"].set(title="Step a coordinate", yscale="log", ylim=(1e-5, 10), xlim=(0, RACE_STEPS), xlabel="step")
    axes["step"].set(yticks=[1e-4, 1e-2, 1])
    paths, losses = {}, {}
    for name in LOOKS:
        (paths[name],) = axes["map"].plot([], [], **_look(name), ms=10, markevery=[-1])
        (losses[name],) = axes["loss"].plot([], [], **_look(name) | {"marker": ""}, linewidth=1.5)
    _legend(figure, paths)
    (step_x,) = axes["step"].plot([], [], color=theme.INK, label="in x")
    (step_y,) = axes["step"].plot([], [], color=theme.INK, linestyle=":", label="in y")
    axes["step"].legend(loc="upper right", ncols=2, fontsize=10)
    cuts = [axes[name].axvline(0, color=theme.INK, linewidth=1.5) for name in ("loss", "step")]

    def update(surface, lr, beta1, beta2, weight_decay, racer, time):
        contours.set_data(maps[surface])
        goal.set_data(*np.transpose([SURFACES[surface][2]]))
        nearest = np.argmin(abs(np.log(RACE_RATES / lr)))
        setting = nearest, BETA1.index(beta1), BETA2.index(beta2), DECAY.index(weight_decay)
        readouts = {}
        for name, (path, loss) in runs[surface].items():
            path, loss = path[:, *setting], loss[:, *setting]
            paths[name].set_data(*path[: time + 1].T)
            losses[name].set_data(steps[: time + 1], np.maximum(loss[: time + 1], 1e-9))
            readouts[f"loss, {name}"] = loss[time] if np.isfinite(loss[time]) else "off the map"
            if name == racer:
                moved = np.abs(np.diff(path, axis=0))
                step_x.set_data(steps[1:], np.maximum(moved[:, 0], 1e-9))
                step_y.set_data(steps[1:], np.maximum(moved[:, 1], 1e-9))
                step = moved[time - 1] if time else np.zeros(2)
        for cut in cuts:
            cut.set_xdata([time, time])
        for name, length in zip("xy", step, strict=True):
            readouts[f"step in {name}, {racer}"] = length if np.isfinite(length) else "off the map"
        return readouts

    controls = {
        "surface": widgets.Dropdown(options=list(SURFACES), description="surface"),
        "lr": widgets.FloatLogSlider(10**-1.5, base=10, min=-3, max=0, step=0.25, description="learning rate"),
        "beta1": widgets.Dropdown(options=BETA1, value=0.9, description="beta1, momentum"),
        "beta2": widgets.Dropdown(options=BETA2, value=0.99, description="beta2, alpha, rho"),
        "weight_decay": widgets.Dropdown(options=DECAY, value=0.1, description="weight decay"),
        "racer": widgets.Dropdown(options=list(LOOKS), value="Adam", description="steps of"),
        "time": widgets.IntSlider(60, min=0, max=RACE_STEPS, description="time (steps)"),
    }
    for name in ("surface", "beta1", "beta2", "weight_decay", "racer"):
        controls[name].layout.width = "max-content"
    live = [contours, goal, *paths.values(), *losses.values(), step_x, step_y, *cuts]
    lines = [Line(axes["loss"], "time"), Line(axes["step"], "time")]
    return Explorer("Seven optimizers, one surface", figure, controls, live, update, handles=lines, play="time")


def network(X, y, hidden=16, epochs=6, batch=64):
    """A network with one hidden layer, trained by every optimizer at seven learning rates.

    Parameters
    ----------
    X : (n, d) array_like
    y : (n,) array_like of class numbers 0, 1, ...
        The first 70 % of the samples train, the others test.
    hidden : int
        Number of ReLU units.
    epochs, batch : int
        Passes over the training samples, and samples a step.

    Returns
    -------
    Explorer
        Controls: lr, each_its_best (every optimizer at the rate with the lowest final training loss), epoch.
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    if X.ndim != 2 or y.shape != X.shape[:1] or len(y) < 2 * batch:
        raise ValueError(f"X must be (n, d) and y (n,), with n at least {2 * batch}; got {X.shape} and {y.shape}")
    rates = np.logspace(-3, 0, 7)
    curves = {name: _train(make, rates, X, y, hidden, epochs, batch) for name, make in ENTRIES.items()}

    figure = theme.figure(height=340)
    left, right = figure.subplots(1, 2)
    left.set(title="Training loss", xlabel="epoch", xlim=(0, epochs), yscale="log", ylim=(0.03, 5))
    right.set(title="Test accuracy", xlabel="epoch", xlim=(0, epochs), ylim=(0, 1))
    left.grid()
    right.grid()
    lines = {}
    for name in LOOKS:
        lines[name] = [axes.plot([], [], **_look(name), ms=7)[0] for axes in (left, right)]
    _legend(figure, {name: pair[0] for name, pair in lines.items()})
    cuts = [axes.axvline(0, color=theme.INK, linewidth=1.5) for axes in (left, right)]

    def update(lr, each_its_best, epoch):
        readouts = {}
        for name, (loss, accuracy) in curves.items():
            own = np.argmin(loss[-1]) if each_its_best else np.argmin(abs(np.log(rates / lr)))
            left_line, right_line = lines[name]
            left_line.set_data(range(epochs + 1), np.clip(loss[:, own], 1e-9, 1e9))
            right_line.set_data(range(epochs + 1), accuracy[:, own])
            rate = "" if name == "Adadelta" else f", rate {rates[own]:.2g}"
            readouts[f"{name}{rate}: test accuracy"] = round(float(accuracy[epoch, own]), 2)
        for cut in cuts:
            cut.set_xdata([epoch, epoch])
        return readouts

    controls = {
        "lr": widgets.FloatLogSlider(0.01, base=10, min=-3, max=0, step=0.5, description="learning rate"),
        "each_its_best": widgets.Checkbox(False, description="each at its own best rate", indent=False),
        "epoch": widgets.IntSlider(epochs, min=0, max=epochs, description="epoch"),
    }
    live = [*(line for pair in lines.values() for line in pair), *cuts]
    handles = [Line(left, "epoch"), Line(right, "epoch")]
    return Explorer("A digits network, seven optimizers", figure, controls, live, update, handles=handles, play="epoch")


def bias_correction(steps=60, seed=0):
    """Adam's two running means start from zero: see what that does to its first steps, and how it is put right.

    The gradient is 1 plus normal noise.

    Parameters
    ----------
    steps : int
    seed : int
        Of the noise.

    Returns
    -------
    Explorer
        Controls: beta1, beta2, noise (standard deviation), correct, time (step).
    """
    t = np.arange(1, steps + 1)
    age = t[:, None] - t
    normal = np.random.default_rng(seed).normal(size=steps)

    def means(g, beta, correct):
        weights = np.where(age >= 0, (1 - beta) * beta ** np.maximum(age, 0), 0)
        return weights @ g / ((1 - beta**t) if correct else 1)

    figure = theme.figure(height=340)
    left, right = figure.subplots(1, 2)
    left.set(title="What the means know", xlabel="step", xlim=(0, steps), ylim=(-0.5, 3), ylabel="share of the truth")
    right.set(title="Length of the step", xlabel="step", xlim=(0, steps), ylim=(0, 8), ylabel="in learning rates")
    for axes in (left, right):
        axes.axhline(1, color=theme.MUTED, linestyle=":", linewidth=1)
    (m_line,) = left.plot([], [], color=theme.BLUE, marker="o", markevery=6, label="m / E[g]")
    (v_line,) = left.plot([], [], color=theme.VERMILLION, marker="s", markevery=6, linestyle="--", label="v / E[g²]")
    left.legend(loc="upper right")
    (on_line,) = right.plot([], [], color=theme.GREEN, label="corrected")
    (off_line,) = right.plot([], [], color=theme.ORANGE, linestyle="--", label="not corrected")
    (point,) = right.plot([], [], "D", color=theme.INK, ms=10)
    right.legend(loc="upper right")
    cuts = [axes.axvline(1, color=theme.INK, linewidth=1.5) for axes in (left, right)]

    def update(beta1, beta2, noise, correct, time):
        g = 1 + noise * normal
        m, v = ({c: means(values, beta, c) for c in (True, False)} for values, beta in ((g, beta1), (g**2, beta2)))
        step = {c: m[c] / (np.sqrt(v[c]) + 1e-8) for c in (True, False)}
        m_line.set_data(t, m[correct])
        v_line.set_data(t, v[correct] / (1 + noise**2))
        on_line.set_data(t, step[True])
        off_line.set_data(t, step[False])
        point.set_data([time], [step[correct][time - 1]])
        for cut in cuts:
            cut.set_xdata([time, time])
        return {
            "step": time,
            "m / E[g]": m[correct][time - 1],
            "v / E[g²]": v[correct][time - 1] / (1 + noise**2),
            "step, corrected (learning rates)": step[True][time - 1],
            "step, not corrected (learning rates)": step[False][time - 1],
            "longest step, not corrected": np.abs(step[False]).max(),
        }

    controls = {
        "beta1": widgets.FloatSlider(0.9, min=0, max=0.99, step=0.01, description="beta1"),
        "beta2": widgets.FloatSlider(0.999, min=0.5, max=0.999, step=0.001, description="beta2", readout_format=".3f"),
        "noise": widgets.FloatSlider(0.3, min=0, max=2, step=0.1, description="noise (standard deviation)"),
        "correct": widgets.Checkbox(False, description="bias correction", indent=False),
        "time": widgets.IntSlider(1, min=1, max=steps, description="time (steps)"),
    }
    live = [m_line, v_line, on_line, off_line, point, *cuts]
    handles = [Line(left, "time"), Line(right, "time")]
    return Explorer("Bias correction", figure, controls, live, update, handles=handles, play="time")


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    digits = datasets.digits()
    return {
        "race": race,
        "network": lambda: network(digits.X[:1200] / 16, digits.y[:1200]),
        "bias_correction": bias_correction,
    }


def _look(name):
    colour, style, marker = LOOKS[name]
    return {"color": colour or theme.INK, "linestyle": style, "marker": marker, "mec": theme.PAPER}


def _legend(figure, lines):
    figure.legend(
        *(lines.values(), lines),
        loc="outside upper center",
        ncols=7,
        columnspacing=0.7,
        handletextpad=0.3,
        handlelength=1.5,
        fontsize=10,
    )


def _run(surface, start):
    """Run every racer at every setting: name -> path (steps + 1, rates, beta1, beta2, decays, 2) and loss."""
    lr, beta1, beta2, decay, _ = np.ix_(RACE_RATES, BETA1, BETA2, DECAY, start)
    racers = {
        "SGD": SGD(lr, weight_decay=decay),
        "Momentum": SGD(lr, beta1, weight_decay=decay),
        "Adagrad": Adagrad(lr, weight_decay=decay),
        "RMSprop": RMSprop(lr, beta2, weight_decay=decay),
        "Adadelta": Adadelta(rho=beta2, weight_decay=decay),
        "Adam": Adam(lr, (beta1, beta2), weight_decay=decay),
        "AdamW": AdamW(lr, (beta1, beta2), weight_decay=decay),
    }
    settings = len(RACE_RATES), len(BETA1), len(BETA2), len(DECAY)

    def slope(p):
        x, y = np.moveaxis(np.clip(p, -EDGE, EDGE), -1, 0)
        return np.stack(surface(x, y)[1:], axis=-1)

    runs = {}
    for name, optimizer in racers.items():
        path = optimizer.path(slope, np.broadcast_to(start, (*settings, 2)), RACE_STEPS)
        path[np.logical_or.accumulate(np.abs(path).max(axis=-1) >= EDGE)] = np.nan  # who leaves does not return
        runs[name] = path, surface(path[..., 0], path[..., 1])[0]
    return runs


def _contours(surface):
    """Contours of the surface as one broken line: x and y, with NaN between the pieces."""
    grid = np.linspace(-MAP, MAP, 100)
    z = surface(*np.meshgrid(grid, grid))[0]
    levels = z.max() * np.linspace(0.05, 1, 9) ** 3
    pieces = [piece for level in levels for piece in contour_generator(grid, grid, z).lines(level)]
    return np.concatenate([np.r_[piece, [[np.nan, np.nan]]] for piece in pieces]).T


def _train(make, rates, X, y, hidden, epochs, batch):
    """Train a network for each rate, all at once: training loss and test accuracy, (epochs + 1, rates)."""
    cut = int(0.7 * len(X))
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
    for _ in backpropagation.train(
        params, X[:cut], y[:cut], optimizer, epochs=epochs, batch_size=batch, random_state=0
    ):
        look()
    return np.array(losses), np.array(accuracies)
