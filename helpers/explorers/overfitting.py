"""Explorers of topic 07: a polynomial that fits too much, a network that trains too long, and a board of remedies."""

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from .. import datasets, theme
from ..algorithms.overfitting import (
    EarlyStopping,
    fit_polynomial,
    polynomial_features,
    predict_networks,
    predict_polynomial,
    train_networks,
)
from .controls import Choice, LogSlider, Slider, State, Switch, button
from .explorer import Explorer
from .handles import Line

# --- a noisy parabola ------------------------------------------------------------------------------------------------

HIGHEST, FAMILY, WORLDS = 15, 30, 50
GRID = np.linspace(-1, 1, 201)
WEAK = 1e-4  # the lowest setting of the slider stands for no penalty at all


def parabola(x):
    """The truth, made up: what is known exactly can be compared exactly."""
    return 2 * x**2 - 1


class Parabola(Explorer):
    """Fit a polynomial to samples of a parabola with noise; the right picture says how wrong it is, by degree.

    The test error is exact: the noise's variance plus the mean squared distance to the truth over -1 to 1. "Resample"
    draws new noise at the same places; the family holds 30 such fits.
    """

    title = "A polynomial on a noisy parabola"
    size = 690, 380

    degree = Slider(1, 0, HIGHEST)
    noise = Slider(0.4, 0, 1, step=0.05, label="noise", unit="standard deviation")
    n = Slider(20, 5, 100, label="samples")
    alpha = LogSlider(WEAK, WEAK, 100, step=0.5, label="penalty", unit="lambda; lowest: none")
    family = Switch(label="show 30 fits")
    sample = State(0, label="sample")

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[6, 5])
        left.set(title="Samples, truth and fit", xlabel="x", ylabel="y", xlim=(-1.05, 1.05), ylim=(-3, 3))
        left.plot(GRID, parabola(GRID), color=theme.MUTED, linestyle="--", linewidth=2, label="truth", marker="")
        looks = {"color": theme.SKY, "linewidth": 1, "linestyle": "-", "marker": "", "alpha": 0.6}
        self.fits = self.live([left.plot([], [], **looks)[0] for _ in range(FAMILY)])
        (self.points,) = self.live(left.plot([], [], "o", color=theme.INK, ms=6, label="samples"))
        (self.fit,) = self.live(left.plot([], [], color=theme.BLUE, linestyle="-", marker="", label="fit"))
        left.legend(loc="upper center", ncol=3, fontsize=10)
        right.set(title="Mean squared error", xlabel="degree", xlim=(-0.5, HIGHEST + 0.5), yscale="log")
        right.set(ylim=(3e-4, 300))
        right.yaxis.set_major_formatter("{x:g}")
        right.grid()
        (self.train,) = self.live(right.plot([], [], "s--", color=theme.ORANGE, ms=5, label="training"))
        (self.test,) = self.live(right.plot([], [], "o-", color=theme.VERMILLION, ms=5, label="test"))
        self.floor = self.live(right.axhline(1, color=theme.MUTED, linestyle=":", linewidth=2, label="noise"))
        right.legend(loc="upper center", ncol=3, fontsize=9, handlelength=1.5, columnspacing=0.8)
        self.cursor = self.live(right.axvline(1, 0, 0.86, color=theme.INK, linewidth=2))
        self.hand(Line(right, "degree"))

    @button("Resample")
    def resample(self, values):
        return {"sample": (values["sample"] + 1) % WORLDS}

    def solve(self, degree, noise, n, alpha, family, sample):
        x, draws = _samples(n)
        Y = parabola(x)[:, None] + noise * np.roll(draws, -sample, axis=1)[:, : FAMILY if family else 1]
        strength = 0.0 if alpha <= WEAK * 1.01 else alpha
        errors, truth = [], parabola(GRID)[:, None]
        for each in range(degree + 1):
            W = fit_polynomial(x, Y, each, strength)
            fitted = _grid_powers()[:, : each + 1] @ W
            train = ((predict_polynomial(W, x) - Y) ** 2).mean()  # over the family, if it is shown
            errors.append((train, noise**2 + ((fitted - truth) ** 2).mean()))
        mean = fitted.mean(axis=1, keepdims=True)
        parts = ((mean - truth) ** 2).mean(), ((fitted - mean) ** 2).mean()
        return _Fitted(x, Y[:, 0], fitted, np.array(errors), parts, W, noise)

    def show(self, solution):
        x, y, fitted, errors, *_, noise = solution
        several = fitted.shape[1] > 1
        for line, values in zip(self.fits, fitted.T if several else [()] * FAMILY, strict=True):
            line.set_data(GRID if several else (), np.clip(values, -9, 9))
        self.points.set_data(x, y)
        self.fit.set_data(GRID, np.clip(fitted[:, 0], -9, 9))
        degrees = range(len(errors))
        for line, values in zip((self.train, self.test), errors.T, strict=True):
            line.set_data(degrees, np.clip(values, 2e-4, 1e4))
        self.floor.set_ydata([max(noise**2, 2e-4)] * 2)
        self.cursor.set_xdata([len(errors) - 1] * 2)

    def readouts(self, solution):
        _, _, fitted, errors, (bias2, variance), W, noise = solution
        several = fitted.shape[1] > 1
        said = {
            "fits": fitted.shape[1],
            "training error": _coarse(errors[-1, 0]),
            "test error": _coarse(errors[-1, 1]),
            "of it noise": _coarse(noise**2),
            "largest coefficient": _coarse(np.abs(W).max()),
        }
        return said | ({"bias squared": _coarse(bias2), "variance": _coarse(variance)} if several else {})


class _Fitted(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    fitted: np.ndarray  # (grid, fits)
    errors: np.ndarray  # (degrees so far, 2): training and test
    parts: tuple
    W: np.ndarray
    noise: float


@cache
def _samples(n):
    """Places, and the noise of 50 worlds with standard deviation 1."""
    rng = np.random.default_rng(n)
    return np.sort(rng.uniform(-1, 1, n)), rng.normal(size=(n, WORLDS))


@cache
def _grid_powers():
    return polynomial_features(GRID, HIGHEST)


def _coarse(value):
    return float(f"{value:.2g}") if value >= 1e-9 else 0.0


# --- a network that trains on ----------------------------------------------------------------------------------------

WRONG, EPOCHS = 0.2, 120


class TooLong(Explorer):
    """Train a network on 100 digits of which 20 carry a wrong label, and scrub through its epochs.

    Early stopping watches 300 other digits, whose labels are as bad; the error is measured on digits with right labels.

    Parameters
    ----------
    X, y : (n, 64) and (n,) array_like
        Pixels from 0 to 1. The first 1,000 are drawn from for training, the next 300 validate, the others test.
    """

    title = "When to stop"
    size = 690, 370
    plays = "epoch"

    epoch = Slider(4, 1, EPOCHS)
    patience = Slider(5, 1, 40, label="patience", unit="epochs", when=lambda v: v["epoch"] > 4)
    min_delta = Slider(0.0, 0, 0.1, step=0.005, label="least improvement", unit="nats", when=lambda v: v["epoch"] > 4)
    start = Choice(0, {"first": 0, "second": 1, "third": 2}, label="training set")

    def __init__(self, X, y):
        self.histories = _follow(np.asarray(X, dtype=float), np.asarray(y))
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="Cross-entropy (nats)", xlabel="epoch", xlim=(0, EPOCHS + 2), ylim=(0, 4))
        right.set(title="What it has learned", xlabel="epoch", xlim=(0, EPOCHS + 2), ylim=(0, 1.25))
        right.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        looks = {
            "training loss": (left, theme.ORANGE, "--", "training"),
            "validation loss": (left, theme.BLUE, "-", "validation"),
            "right labels learned": (right, theme.GREEN, "-", "right labels"),
            "wrong labels learned": (right, theme.VERMILLION, "--", "wrong labels"),
            "test error": (right, theme.INK, ":", "test error"),
        }
        self.curves = {}
        for name, (axes, color, dashes, label) in looks.items():
            (line,) = axes.plot([], [], color=color, linestyle=dashes, marker="", label=label)
            self.curves[name] = self.live(line)
        for axes in (left, right):
            axes.grid()
            axes.legend(loc="upper center", ncol=3, fontsize=8.5, handlelength=1.4, columnspacing=0.8)
        self.cursors = self.live([axes.axvline(0, 0, 0.85, color=theme.INK, linewidth=2) for axes in (left, right)])
        (self.best,) = self.live(left.plot([], [], "*", color=theme.INK, ms=15))
        self.stop = self.live(left.axvline(0, 0, 0.85, color=theme.PURPLE, linewidth=3, linestyle="-."))
        self.hand(Line(left, "epoch"), Line(right, "epoch"))

    def solve(self, epoch, patience, min_delta, start):
        history = {name: values[:epoch, start] for name, values in self.histories.items()}
        stopping, stopped = EarlyStopping(patience, min_delta), None
        for loss in history["validation loss"]:
            if stopping.step(float(loss)):
                stopped = stopping.epoch
                break
        return history, stopping.best_epoch + 1, stopped

    def show(self, solution):
        history, best, stopped = solution
        epoch = len(history["test error"])
        for name, line in self.curves.items():
            line.set_data(range(1, epoch + 1), history[name])
        for cursor in self.cursors:
            cursor.set_xdata([epoch, epoch])
        self.best.set_data(*(([best], [history["validation loss"][best - 1]]) if stopped else ([], [])))
        self.stop.set_xdata([stopped or -9] * 2)

    def readouts(self, solution):
        history, best, stopped = solution
        said = {"epoch": len(history["test error"])}
        said |= {name: round(float(values[-1]), 1) for name, values in history.items()}
        if stopped:
            said |= {"early stopping ends after epoch": stopped, "and restores epoch (star)": best}
            said["test error there"] = round(float(history["test error"][best - 1]), 2)
        return said


def _follow(X, y):
    """Losses, shares of labels learned and test error of three networks after each epoch, (EPOCHS, 3) each."""
    train, labels, wrong = noisy_digits(X, y, range(3))
    watched, claimed = X[1000:1300], mislabeled(y[1000:1300], np.random.default_rng(9))[0]
    histories = {}
    for params in train_networks(train, labels, epochs=EPOCHS, lr=0.02, seeds=range(3)):
        log_p, log_v = predict_networks(params, train), predict_networks(params, watched)
        learned = log_p.argmax(axis=2) == labels
        now = {
            "training loss": -np.take_along_axis(log_p, labels[..., None], 2).mean(axis=(1, 2)),
            "validation loss": -log_v[:, np.arange(len(claimed)), claimed].mean(axis=1),
            "right labels learned": [learned[i, ~wrong[i]].mean() for i in range(3)],
            "wrong labels learned": [learned[i, wrong[i]].mean() for i in range(3)],
            "test error": (predict_networks(params, X[1300:]).argmax(axis=2) != y[1300:]).mean(axis=1),
        }
        for name, values in now.items():
            histories.setdefault(name, []).append(values)
    return {name: np.array(values) for name, values in histories.items()}


def noisy_digits(X, y, seeds, n=100, share=WRONG):
    """Draw training sets among the first 1,000 digits: X (r, n, 64), labels and which of them are wrong, (r, n)."""
    sets = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        drawn = rng.permutation(1000)[:n]
        sets.append((X[drawn], *mislabeled(y[drawn], rng, share)))
    return tuple(map(np.array, zip(*sets, strict=True)))


def mislabeled(y, rng, share=WRONG):
    """Replace a share of the labels by other classes; say which."""
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.permutation(len(y))[: round(share * len(y))]] = True
    return np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y), wrong


# --- remedies --------------------------------------------------------------------------------------------------------

STARTS, LAST, EVERY = 4, 60, 4
STRENGTHS = {"shift": 1.0, "noise": 0.3, "l2": 0.03, "p": 0.5}  # shift, noise's deviation, lambda, dropout
COMBINATIONS = list(product((False, True), repeat=len(STRENGTHS)))


class Remedies(Explorer):
    """Switch remedies on, alone or together: four networks from different starts on 100 digits, 20 wrongly labeled.

    All combinations are trained beforehand. Early stopping takes, of every fourth epoch, the one with the lowest loss
    on 300 validation digits, whose labels are as bad; the ensemble averages the four networks' probabilities.

    Parameters
    ----------
    X, y : as `TooLong`
    """

    title = "The board of remedies"
    size = 690, 370

    shift = Switch(label="augmentation: shift by a pixel")
    noise = Switch(label="noise on the pixels")
    l2 = Switch(label="L2 penalty")
    dropout = Switch(label="dropout of half the units")
    stopping = Switch(label="early stopping")
    ensemble = Switch(label="ensemble of the four")

    def __init__(self, X, y):
        X, y = np.asarray(X, dtype=float), np.asarray(y)
        self.test, self.train, self.validation, self.together = _try_all(X, y)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        left.set(title="Error by epoch", xlabel="epoch", xlim=(0, LAST + 2), ylim=(0, 1.08))
        (self.learned,) = self.live(
            left.plot([], [], "--", color=theme.ORANGE, marker="", label="training, mean of four")
        )
        looks = {"color": theme.BLUE, "linestyle": "-", "linewidth": 1.5, "marker": ""}
        self.lines = self.live([left.plot([], [], **looks)[0] for _ in range(STARTS)])
        self.lines[0].set_label("test, each of the four")
        left.legend(loc="upper right", fontsize=10)
        right.set(title="Test error at the end", xlim=(-0.6, 1.6), ylim=(0, 0.6))
        right.set_xticks([0, 1], ["no remedy", "these"])
        base = self.test[-1, 0]
        right.plot(_beside(0, STARTS), base, "s", color=theme.MUTED, ms=9, linestyle="")
        right.axhline(base.mean(), color=theme.MUTED, linestyle=":", linewidth=2)
        (self.now,) = self.live(right.plot([], [], "o", color=theme.BLUE, ms=9, linestyle=""))
        (self.mean,) = self.live(right.plot([], [], "_", color=theme.INK, ms=36, mew=3, linestyle=""))
        for axes in (left, right):
            axes.grid()

    def solve(self, shift, noise, l2, dropout, stopping, ensemble):
        which = COMBINATIONS.index((shift, noise, l2, dropout))
        validation = self.validation[:, which]
        best = validation.argmin(axis=0) if stopping else np.full(STARTS, len(validation) - 1)
        test = self.test[best, which, range(STARTS)]
        if ensemble:  # one vote of all four: they stop together, by the mean of their losses
            shared = validation.mean(axis=1).argmin() if stopping else -1
            test = self.together[[shared], which]
        return which, test, best

    def show(self, solution):
        which, test, _ = solution
        epochs = range(EVERY, LAST + 1, EVERY)
        for line, values in zip(self.lines, self.test[:, which].T, strict=True):
            line.set_data(epochs, values)
        self.learned.set_data(epochs, self.train[:, which].mean(axis=1))
        self.now.set_data(_beside(1, len(test)), test)
        self.mean.set_data([1], [test.mean()])

    def readouts(self, solution):
        which, test, best = solution
        base = self.test[-1, 0]
        return {
            "no remedy: test error, mean of 4": round(float(base.mean()), 2),
            "these: test error, mean": round(float(test.mean()), 2),
            "these: lowest and highest": f"{test.min():.2f}, {test.max():.2f}",
            "these: training error, mean of 4": round(float(self.train[best, which, range(STARTS)].mean()), 1),
        }


def _beside(center, several):
    """Places side by side, so that equal dots do not hide each other."""
    return center + 0.13 * (np.arange(several) - (several - 1) / 2)


def _try_all(X, y):
    """Test error, training error, validation loss, (epochs, combinations, starts), and the ensemble's test error."""
    train, labels, _ = (np.repeat(array, STARTS * len(COMBINATIONS), axis=0) for array in noisy_digits(X, y, [0]))
    watched, claimed = X[1000:1300], mislabeled(y[1000:1300], np.random.default_rng(9))[0]
    settings = {
        name: np.repeat([strength * combination[i] for combination in COMBINATIONS], STARTS)
        for i, (name, strength) in enumerate(STRENGTHS.items())
    }
    shape, found = (len(COMBINATIONS), STARTS), []
    networks = train_networks(
        train, labels, epochs=LAST, lr=0.03, seeds=list(range(STARTS)) * len(COMBINATIONS), **settings
    )
    for epoch, params in enumerate(networks, start=1):
        if epoch % EVERY:
            continue
        log_t, log_v = predict_networks(params, X[1300:]), predict_networks(params, watched)
        votes = np.exp(log_t).reshape(*shape, -1, 10).mean(axis=1)
        found.append(
            (
                (log_t.argmax(axis=2) != y[1300:]).mean(axis=1).reshape(shape),
                (predict_networks(params, train).argmax(axis=2) != labels).mean(axis=1).reshape(shape),
                -log_v[:, np.arange(len(claimed)), claimed].mean(axis=1).reshape(shape),
                (votes.argmax(axis=2) != y[1300:]).mean(axis=1),
            )
        )
    return tuple(map(np.array, zip(*found, strict=True)))


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    digits = datasets.digits()
    return {
        "Parabola": Parabola,
        "TooLong": lambda: TooLong(digits.X / 16, digits.y),
        "Remedies": lambda: Remedies(digits.X / 16, digits.y),
    }
