"""Explorers of topic 03: bell curves on two measurements of irises, a digit you draw yourself, and smoothing."""

import numpy as np
from matplotlib.colors import to_rgb

from .. import datasets, theme
from ..algorithms.naive_bayes import BernoulliNB, GaussianNB
from .controls import Choice, LogSlider, Slider, State, Switch, button
from .explorer import Explorer
from .handles import Handle, Points

MARKS = "o", "s", "^"
COLORS = theme.BLUE, theme.ORANGE, theme.GREEN
LINES = "-", "--", ":"
GRID = 132, 100  # columns and rows of the decision map


def _tint(color, share=0.25):
    """A color mixed with the paper."""
    return share * np.array(to_rgb(color)) + (1 - share) * np.array(to_rgb(theme.PAPER))


class Bells(Explorer):
    """Gaussian naive Bayes on two measurements: one bell curve per species and measurement, and who wins where.

    The two other species share what the prior of the last one leaves. With one variance for all species the boundaries
    are straight lines.

    Parameters
    ----------
    X : (n, 2) array_like
    y : (n,) array_like
        Three classes, numbered from 0.
    features, classes : sequence of str
        Names of the two measurements and of the three classes.
    """

    title = "Bell curves and who wins where"
    size = 660, 400

    prior = Slider(0.34, 0.01, 0.98, step=0.01, label="prior of virginica")
    shared = Switch(label="one variance for all species")
    flower = State(((6.6, 2.5),))

    def __init__(self, X, y, features, classes):
        self.X, self.y, self.features, self.names = np.asarray(X), np.asarray(y), features, classes
        low, high = self.X.min(axis=0) - 0.4, self.X.max(axis=0) + 0.4
        self.extent = [low[0], high[0], low[1], high[1]]
        self.axis = [np.linspace(*ends) for ends in zip(low, high, GRID, strict=True)]
        self.grid = np.stack(np.meshgrid(*self.axis), axis=-1).reshape(-1, 2)
        self.counts = np.bincount(self.y)
        super().__init__()

    def draw(self, figure):
        axes = figure.subplot_mosaic([["top", "."], ["map", "side"]], height_ratios=[1, 3], width_ratios=[3, 1])
        self.image = self.live(
            axes["map"].imshow(
                np.zeros((GRID[1], GRID[0], 3)), extent=self.extent, origin="lower", aspect="auto", zorder=0
            )
        )
        for c, name in enumerate(self.names):
            style = {"color": COLORS[c], "mec": theme.INK, "mew": 0.6, "ms": 6, "linestyle": ""}
            axes["map"].plot(*self.X[self.y == c].T, MARKS[c], label=name, **style)
        axes["map"].set(xlabel=self.features[0], ylabel=self.features[1])
        axes["top"].set(xlim=self.extent[:2], ylim=(0, 1.3), yticks=[], xticks=[], ylabel="density")
        axes["side"].set(ylim=self.extent[2:], xlim=(0, 1.3), yticks=[], xticks=[], xlabel="density")
        pairs = list(zip(COLORS, LINES, strict=True))
        self.tops = self.live([axes["top"].plot([], [], line, color=color)[0] for color, line in pairs])
        self.sides = self.live([axes["side"].plot([], [], line, color=color)[0] for color, line in pairs])
        (self.point,) = self.live(axes["map"].plot([], [], "X", color=theme.INK, mec=theme.PAPER, ms=15))
        figure.legend(*axes["map"].get_legend_handles_labels(), loc="upper right", fontsize=10)
        self.hand(Points(axes["map"], "flower"))

    def solve(self, prior, shared, flower):
        others = self.counts[:-1] / self.counts[:-1].sum()
        model = GaussianNB(priors=np.append((1 - prior) * others, prior)).fit(self.X, self.y)
        if shared:
            model.var_ = np.tile(self.counts @ model.var_ / len(self.y), (len(self.counts), 1))
        regions = model.predict(self.grid).reshape(GRID[::-1])
        here = np.array(flower)
        wrong = int((model.predict(self.X) != self.y).sum())
        return model, regions, flower[0], model.predict_proba(here)[0], wrong

    def show(self, solution):
        model, regions, flower, _, _ = solution
        picture = np.array([_tint(color) for color in COLORS])[regions]
        edge = np.zeros(regions.shape, dtype=bool)
        edge[:, 1:] |= regions[:, 1:] != regions[:, :-1]
        edge[1:] |= regions[1:] != regions[:-1]
        picture[edge] = to_rgb(theme.MUTED)
        self.image.set_data(picture)
        self.point.set_data([flower[0]], [flower[1]])
        for c, (top, side) in enumerate(zip(self.tops, self.sides, strict=True)):
            bells = [_bell(self.axis[j], model.theta_[c, j], model.var_[c, j]) for j in (0, 1)]
            top.set_data(self.axis[0], bells[0])
            side.set_data(bells[1], self.axis[1])

    def readouts(self, solution):
        _, _, flower, posterior, wrong = solution
        return {
            f"{self.features[0]}": round(flower[0], 2),
            f"{self.features[1]}": round(flower[1], 2),
            **{f"p({name})": round(float(p), 3) + 0.0 for name, p in zip(self.names, posterior, strict=True)},
            "wrong of 150": wrong,
        }


def _bell(x, mean, var):
    return np.exp(-((x - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)


# --- a digit, pixel by pixel -----------------------------------------------------------------------------------------

INK_FROM = 7.5  # a pixel of 0 to 16 is ink above this
SIDE = 8


class Ink(Explorer):
    """Erase or draw pixels of a digit: the posterior of the ten classes, and what each pixel says for one of two.

    A pixel's share is log p(pixel | for) - log p(pixel | against): squares speak for the first digit, diamonds for the
    second, the larger the louder. All shares and the priors' add up to the difference of the log-posteriors.

    Parameters
    ----------
    X : (n, 64) array_like of 0 to 16
    y : (n,) array_like of 0 to 9
    """

    title = "A digit, pixel by pixel"
    size = 680, 360

    sample = Slider(0, 0, 19, label="digit of the test part")
    pro = Choice(7, range(10), label="evidence for")
    contra = Choice(9, range(10), label="against")
    flipped = State(())

    def __init__(self, X, y, X_test):
        self.bits = (np.asarray(X_test)[:20] > INK_FROM).astype(float)
        self.model = BernoulliNB(binarize=None).fit(np.asarray(X) > INK_FROM, y)
        self.log_p = self.model.feature_log_prob_
        self.log_absent = np.log1p(-np.exp(self.log_p))
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[4, 5])
        self.paper = self.live(left.imshow(np.zeros((SIDE, SIDE)), cmap="gray_r", vmin=0, vmax=2.5))
        left.set(title="Click a pixel to flip it", xticks=[], yticks=[])
        left.spines[:].set_visible(True)
        marks = {"linewidths": 1, "edgecolors": theme.PAPER, "zorder": 3}
        columns, rows = np.tile(np.arange(SIDE), SIDE), np.repeat(np.arange(SIDE), SIDE)
        self.pros = self.live(left.scatter(columns, rows, marker="s", color=theme.BLUE, **marks))
        self.contras = self.live(left.scatter(columns, rows, marker="D", color=theme.VERMILLION, **marks))
        right.set(title="Posterior", xlim=(0, 1), ylim=(9.6, -0.6), yticks=range(10), xlabel="p(digit | pixels)")
        right.grid(axis="x")
        self.bars = self.live(list(right.barh(range(10), [1] * 10, color=theme.MUTED, height=0.7)))
        self.hand(_Pixels(left, "flipped"))

    def solve(self, sample, pro, contra, flipped):
        bits = self.bits[sample].copy()
        for pixel in flipped:
            bits[pixel] = 1 - bits[pixel]
        joint = self.model.predict_log_proba(bits[None])[0]
        said = bits * self.log_p + (1 - bits) * self.log_absent
        return bits, pro, contra, np.exp(joint), joint[pro] - joint[contra], said[pro] - said[contra]

    def show(self, solution):
        bits, pro, contra, posterior, _, shares = solution
        self.paper.set_data(bits.reshape(SIDE, SIDE))
        self.pros.set_sizes(80 * np.maximum(shares, 0))
        self.contras.set_sizes(60 * np.maximum(-shares, 0))
        colors = {contra: theme.VERMILLION, pro: theme.BLUE}
        for digit, (bar, share) in enumerate(zip(self.bars, posterior, strict=True)):
            bar.set_width(share)
            bar.set_color(colors.get(digit, theme.MUTED))

    def readouts(self, solution):
        bits, pro, contra, posterior, odds, shares = solution
        first, second = np.argsort(-posterior, kind="stable")[:2]
        loudest = int(np.abs(shares).argmax())
        return {
            "most probable": int(first),
            "its posterior": round(float(posterior[first]), 3),
            "next": int(second),
            "pixels with ink": int(bits.sum()),
            f"log p({pro}) - log p({contra})": round(float(odds), 1) + 0.0,
            "ink says": round(float(shares[bits == 1].sum()), 1) + 0.0,
            "blank paper says": round(float(shares[bits == 0].sum()), 1) + 0.0,
            "loudest pixel (row, column)": f"{loudest // SIDE}, {loudest % SIDE}",
            "it says": round(float(shares[loudest]), 1) + 0.0,
        }

    @button("Erase all")
    def erase(self, values):
        ink = np.flatnonzero(self.bits[values["sample"]])
        return {"flipped": tuple(map(int, ink))}

    @button("Flip the loudest square")
    def flip_loudest(self, values):
        shares = self.solve(**values)[-1]
        return {"flipped": _toggled(values["flipped"], int(shares.argmax()))}

    @button("Undo all")
    def undo(self, values):
        return {"flipped": ()}


class _Pixels(Handle):
    """A click flips a pixel; a drag flips those that it enters in a straight line."""

    cursor = "crosshair"

    def places(self, values):
        return {}

    def added(self, values, x, y):
        pixel = self.pixel(x, y)
        return (_toggled(values[self.name], pixel), pixel) if pixel is not None else None

    def moved(self, values, part, dx, dy):
        """From the pixel that was flipped first, in a straight line."""
        row, column = divmod(part, SIDE)
        steps = max(1, round(2 * max(abs(dx), abs(dy))))
        way = {self.pixel(column + dx * i / steps, row + dy * i / steps) for i in range(steps + 1)} - {None, part}
        flipped = values[self.name]
        for pixel in sorted(way):
            flipped = _toggled(flipped, pixel)
        return flipped

    @staticmethod
    def pixel(x, y):
        row, column = round(y), round(x)
        return row * SIDE + column if 0 <= row < SIDE and 0 <= column < SIDE else None


def _toggled(flipped, pixel):
    return tuple(sorted(set(flipped) ^ {pixel}))


# --- smoothing -------------------------------------------------------------------------------------------------------

ALPHAS = tuple(float(alpha) for alpha in np.logspace(-10, 3, 53))
SAMPLES = 20, 50, 200, 800


class Smoothing(Explorer):
    """Alpha, from almost nothing to a thousand: what a class believes of its pixels, and what it costs or brings.

    Parameters
    ----------
    X, y : (n, 64) and (n,) array_like
        Digits to count in, of which the first few are taken.
    X_test, y_test : the same
        Digits to predict.
    """

    title = "Smoothing"
    size = 680, 360

    alpha = LogSlider(1e-10, 1e-10, 1e3, step=0.25)
    samples = Choice(50, SAMPLES, label="digits counted")
    digit = Choice(8, range(10), label="shown")

    def __init__(self, X, y, X_test, y_test):
        X, y, X_test, y_test = (np.asarray(array) for array in (X, y, X_test, y_test))
        self.tables, self.curves = {}, {}
        for n in SAMPLES:
            models = [BernoulliNB(alpha=alpha, binarize=INK_FROM).fit(X[:n], y[:n]) for alpha in ALPHAS]
            self.tables[n] = [np.exp(model.feature_log_prob_) for model in models]
            counts, there = models[0].class_count_[:, None], models[0].feature_count_
            self.tables[n, "unseen"] = float(((there == 0) | (there == counts)).mean())
            log_p = np.array([model.predict_log_proba(X_test) for model in models])
            accuracy = (log_p.argmax(axis=2) == y_test).mean(axis=1)
            self.curves[n] = accuracy, -log_p[:, np.arange(len(y_test)), y_test].mean(axis=1)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[4, 6])
        self.paper = self.live(left.imshow(np.zeros((SIDE, SIDE)), cmap="gray_r", vmin=0, vmax=1))
        left.set(title="p(ink | digit)", xticks=[], yticks=[])
        ends = ALPHAS[0] / 3, ALPHAS[-1] * 3
        right.set(xscale="log", xlim=ends, ylim=(0, 1), xlabel="alpha", title="On digits not counted")
        right.set_ylabel("share wrong", color=theme.BLUE)
        right.set_xticks([1e-10, 1e-5, 1, 1e3], ["1e-10", "1e-5", "1", "1000"])
        right.minorticks_off()
        right.grid()
        other = right.twinx()
        other.set(ylim=(0, 18))
        other.set_ylabel("mean log-loss (nats)", color=theme.VERMILLION)
        (self.loss,) = self.live(other.plot([], [], "D--", color=theme.VERMILLION, ms=4))
        (self.wrong,) = self.live(right.plot([], [], "o-", color=theme.BLUE, ms=4))

    def solve(self, alpha, samples, digit):
        at = int(np.abs(np.log(np.array(ALPHAS) / alpha)).argmin())
        return at, samples, self.tables[samples][at][digit], *(curve[: at + 1] for curve in self.curves[samples])

    def show(self, solution):
        at, _, pixels, accuracy, loss = solution
        self.paper.set_data(pixels.reshape(SIDE, SIDE))
        self.wrong.set_data(ALPHAS[: at + 1], 1 - accuracy)
        self.loss.set_data(ALPHAS[: at + 1], loss)

    def readouts(self, solution):
        at, samples, pixels, accuracy, loss = solution
        return {
            "alpha": f"{ALPHAS[at]:.2g}",
            "pixels of one kind only, all classes": f"{self.tables[samples, 'unseen']:.0%}",
            "smallest p(ink) of the digit shown": f"{pixels.min():.1e}",
            "wrong, digits not counted": round(1 - float(accuracy[-1]), 2),
            "log-loss (nats)": round(float(loss[-1]), 1),
        }


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    iris, digits = datasets.iris(), datasets.digits()
    X, y, X_test, y_test = digits.X[:1200], digits.y[:1200], digits.X[1200:], digits.y[1200:]
    return {
        "Bells": lambda: Bells(iris.X[:, :2], iris.y, iris.features[:2], iris.classes),
        "Ink": lambda: Ink(X, y, X_test),
        "Smoothing": lambda: Smoothing(X, y, X_test, y_test),
    }
