"""Explorers of topic 15: a curve and its slope, a signal through depth, dying ReLUs, and softmax's temperature."""

from functools import cache

import numpy as np

from .. import datasets, theme
from ..algorithms import activations
from ..algorithms.backpropagation import train, two_layer
from ..algorithms.optimizers import SGD
from .controls import Choice, LogSlider, Slider, State, Switch
from .explorer import Explorer
from .handles import Handle, Line

FUNCTIONS = {
    name: (getattr(activations, name), getattr(activations, f"{name}_grad"))
    for name in ("sigmoid", "tanh", "relu", "leaky_relu", "relu6", "elu", "gelu", "silu")
}
LEAKS = {"leaky_relu": "negative_slope", "elu": "alpha"}  # what the slider `shape` sets
REACH = 8.0


class Curve(Explorer):
    """A function above, its derivative below, a tangent to drag along both.

    The derivative is what a gradient is multiplied by on its way back.
    """

    title = "A curve and its slope"
    size = 640, 400

    function = Choice("sigmoid", list(FUNCTIONS))
    x = Slider(1.0, -REACH, REACH, step=0.05)
    shape = Slider(0.1, 0, 2, step=0.05, label="leak or alpha", when=lambda v: v["function"] in LEAKS)

    def draw(self, figure):
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        top.set(xlim=(-REACH, REACH), ylim=(-2.2, 6.6), ylabel="f(x)")
        bottom.set(ylim=(-0.2, 1.3), ylabel="f '(x)", xlabel="x", yticks=[0, 0.25, 0.5, 1])
        for axes in (top, bottom):
            axes.axhline(0, color=theme.MUTED, linewidth=1, linestyle="-")
            axes.axvline(0, color=theme.MUTED, linewidth=1, linestyle="-")
            axes.grid()
        (self.value,) = self.live(top.plot([], [], color=theme.BLUE))
        (self.slope,) = self.live(bottom.plot([], [], color=theme.VERMILLION, linestyle="-"))
        (self.tangent,) = self.live(top.plot([], [], color=theme.INK, linestyle="--", linewidth=3))
        (self.point,) = self.live(top.plot([], [], "o", color=theme.INK, ms=10))
        (self.slope_point,) = self.live(bottom.plot([], [], "s", color=theme.INK, ms=9))
        self.hand(_OnCurve(top, self), _OnCurve(bottom, self))

    def solve(self, function, x, shape):
        f, df = FUNCTIONS[function]
        options = {LEAKS[function]: shape} if function in LEAKS else {}
        grid = np.linspace(-REACH, REACH, 401)
        return x, grid, f(grid, **options), df(grid, **options), float(f(x, **options)), float(df(x, **options))

    def show(self, solution):
        x, grid, values, slopes, here, slope = solution
        self.value.set_data(grid, values)
        self.slope.set_data(grid, slopes)
        self.tangent.set_data([x - 1.5, x + 1.5], [here - 1.5 * slope, here + 1.5 * slope])
        self.point.set_data([x], [here])
        self.slope_point.set_data([x], [slope])

    def readouts(self, solution):
        x, _, values, slopes, here, slope = solution
        return {
            "x": x,
            "f(x)": here,
            "slope f '(x)": slope,
            "steepest slope, |x| up to 8": slopes.max(),
            "lowest value, |x| up to 8": values.min(),
            "what ten such slopes leave": slope**10,
        }


class _OnCurve(Handle):
    """The point on a curve: its x is the slider's."""

    cursor = "ew-resize"

    def __init__(self, axes, explorer):
        super().__init__(axes, "x")

    def places(self, values):
        return {"point": (values["x"], np.nan)}

    def moved(self, values, part, dx, dy):
        return values["x"] + dx


# --- depth -----------------------------------------------------------------------------------------------------------

DEEPEST, WIDTH, SAMPLES = 20, 100, 64
DEEP = {name: FUNCTIONS[name] for name in ("sigmoid", "tanh", "relu", "gelu")}
STARTS = {"Xavier, 1 / n": 1.0, "He, 2 / n": 2.0, "too small, 0.5 / n": 0.5}  # variance of a weight, times n


class Depth(Explorer):
    """How large a signal is after each layer, and the gradient before each, in an untrained network.

    Layers of 100 units on 64 digits; the gradient that enters the last layer has size 1 per entry.
    """

    title = "Through the depth"
    size = 660, 340
    plays = "depth"

    function = Choice("sigmoid", list(DEEP))
    start = Choice("Xavier, 1 / n", list(STARTS), label="weights' variance")
    depth = Slider(3, 1, DEEPEST, label="depth", unit="layers")

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        titles = "Spread of the signal, forward", "Size of the gradient, backward"
        for axes, title in zip((left, right), titles, strict=True):
            axes.set(title=title, xlabel="layer", xlim=(0, DEEPEST + 1), yscale="log", ylim=(1e-14, 1e3))
            axes.grid()
        (self.signal,) = self.live(left.plot([], [], "o-", color=theme.BLUE, ms=4))
        (self.gradient,) = self.live(right.plot([], [], "s-", color=theme.VERMILLION, ms=4))
        self.ends = self.live([axes.axvline(1, color=theme.INK, linewidth=2) for axes in (left, right)])
        self.hand(Line(left, "depth"), Line(right, "depth"))

    def solve(self, function, start, depth):
        signals, gradients = _pass_through(function, start, depth)
        return depth, signals, gradients

    def show(self, solution):
        depth, signals, gradients = solution
        layers = range(1, depth + 1)
        self.signal.set_data(layers, signals)
        self.gradient.set_data(layers, gradients)
        for end in self.ends:
            end.set_xdata([depth, depth])

    def readouts(self, solution):
        depth, signals, gradients = solution
        share = gradients[0] / gradients[-1]
        return {
            "layers": depth,
            "spread after the last layer": _coarse(signals[-1]),
            "gradient at the last layer": _coarse(gradients[-1]),
            "gradient at the first layer": _coarse(gradients[0]),
            "first / last": _coarse(share),
            "factor per layer": round(float(share ** (1 / max(depth - 1, 1))), 2),
        }


@cache
def _pass_through(function, start, depth):
    """Spread over the samples of each layer's output, and root mean square of the gradient that enters it."""
    f, df = DEEP[function]
    rng = np.random.default_rng(0)
    h = datasets.digits().X[:SAMPLES] / 16
    inputs, weights, signals = [], [], []
    for _ in range(depth):
        n = h.shape[1]
        weights.append(rng.normal(size=(n, WIDTH)) * np.sqrt(STARTS[start] / n))
        inputs.append(h @ weights[-1])
        h = f(inputs[-1])
        signals.append(h.std(axis=0).mean())
    g, gradients = np.random.default_rng(1).normal(size=h.shape), []
    for w, z in zip(weights[::-1], inputs[::-1], strict=True):
        gradients.append(np.sqrt((g**2).mean()))
        g = (g * df(z)) @ w.T
    return np.array(signals), np.array(gradients[::-1])


def _coarse(value):
    return float(f"{value:.2g}")


# --- dead units ------------------------------------------------------------------------------------------------------

RATES = tuple(float(rate) for rate in np.round(np.logspace(-2, 1, 13), 4))
UNITS, EPOCHS = 48, 8


class Dying(Explorer):
    """Train a small network of ReLUs on digits at a learning rate, and count the units that no sample switches on.

    Thirteen networks from one start are trained beforehand, one for each rate.
    """

    title = "ReLUs that die"
    size = 660, 340

    lr = LogSlider(0.1, 0.01, 10, step=0.25, label="learning rate")
    epoch = Slider(EPOCHS, 0, EPOCHS)

    def __init__(self, X, y):
        self.dead, self.accuracy = _train_relus(np.asarray(X, dtype=float), np.asarray(y))
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(
            title="Dead units", xlabel="epoch", ylabel=f"of {UNITS}", xlim=(-0.3, EPOCHS + 0.3), ylim=(-2, UNITS + 2)
        )
        right.set(title="Training accuracy", xlabel="epoch", xlim=(-0.3, EPOCHS + 0.3), ylim=(0, 1.05))
        for axes in (left, right):
            axes.grid()
        (self.deaths,) = self.live(left.plot([], [], "X-", color=theme.VERMILLION, ms=8))
        (self.learned,) = self.live(right.plot([], [], "o-", color=theme.BLUE, ms=6))
        self.cursors = self.live([axes.axvline(0, color=theme.INK, linewidth=2) for axes in (left, right)])
        self.hand(Line(left, "epoch"), Line(right, "epoch"))

    def solve(self, lr, epoch):
        nearest = int(np.argmin(np.abs(np.log(np.array(RATES) / lr))))
        return epoch, self.dead[: epoch + 1, nearest], self.accuracy[: epoch + 1, nearest]

    def show(self, solution):
        epoch, dead, accuracy = solution
        self.deaths.set_data(range(epoch + 1), dead)
        self.learned.set_data(range(epoch + 1), accuracy)
        for cursor in self.cursors:
            cursor.set_xdata([epoch, epoch])

    def readouts(self, solution):
        epoch, dead, accuracy = solution
        return {
            "epoch": epoch,
            "share of dead units": round(int(dead[-1]) / UNITS, 1),
            "accuracy on the training samples": round(float(accuracy[-1]), 1),
        }


def _train_relus(X, y):
    """Dead units before and after each epoch, and the accuracy, (EPOCHS + 1, rates), of one network per rate."""
    params = [np.tile(p, (len(RATES), 1, 1)) for p in two_layer(X.shape[1], UNITS, int(y.max()) + 1, random_state=0)]
    optimizer = SGD(lr=np.array(RATES)[:, None, None])
    training = train(params, X, y, optimizer, epochs=EPOCHS, batch_size=64, random_state=0)
    dead, accuracy = [], []
    for epoch in range(EPOCHS + 1):
        if epoch:
            next(training)
        W1, b1, W2, b2 = params
        h = np.maximum(X @ W1 + b1, 0)
        dead.append((h.max(axis=1) == 0).sum(axis=1))  # no sample switches it on, so no gradient reaches it
        accuracy.append(((h @ W2 + b2).argmax(axis=2) == y).mean(axis=1))
    return np.array(dead), np.array(accuracy)


# --- temperature -----------------------------------------------------------------------------------------------------

LOGITS = (2.0, 1.0, 0.5, -0.5, -2.0)


class Temperature(Explorer):
    """Drag five logits; divide them by a temperature before the softmax.

    The gradient is that of the cross-entropy if the first class is the right one: p minus 1 there, p elsewhere.
    """

    title = "Softmax and its temperature"
    size = 660, 340

    logits = State(tuple((float(i), z) for i, z in enumerate(LOGITS)))
    temperature = LogSlider(1, 0.01, 100, step=0.05)
    hard = Switch(label="show the gradient")

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="Logits: drag them", ylabel="logit", xlim=(-0.6, 4.6), ylim=(-6, 6))
        right.set(title="softmax(logits / temperature)", xlim=(-0.6, 4.6), ylim=(-1.05, 1.05))
        for axes in (left, right):
            axes.set(xticks=range(5), xticklabels=list("ABCDE"), xlabel="class")
            axes.axhline(0, color=theme.MUTED, linewidth=1, linestyle="-")
        self.bars = self.live(list(left.bar(range(5), LOGITS, color=theme.SKY, width=0.6)))
        (self.knobs,) = self.live(left.plot([], [], "o", color=theme.INK, ms=9, linestyle=""))
        self.probabilities = self.live(list(right.bar(range(5), LOGITS, color=theme.BLUE, width=0.6)))
        (self.gradient,) = self.live(right.plot([], [], "D", color=theme.VERMILLION, ms=9, linestyle=""))
        self.hand(_Logits(left, "logits"))

    def solve(self, logits, temperature, hard):
        z = np.array([height for _, height in logits])
        p = activations.softmax(z / temperature)
        return z, p, (p - (np.arange(5) == 0)) / temperature if hard else None

    def show(self, solution):
        z, p, gradient = solution
        for bar, probability, height, share in zip(self.bars, self.probabilities, z, p, strict=True):
            bar.set_height(height)
            probability.set_height(share)
        self.knobs.set_data(range(5), z)
        self.gradient.set_data(*(([], []) if gradient is None else (range(5), np.clip(gradient, -1, 1))))

    def readouts(self, solution):
        _, p, gradient = solution
        spread = p[p > 0]
        said = {
            **{f"p({name})": round(float(share), 6) for name, share in zip("ABCDE", p, strict=True)},
            "sum": round(float(p.sum()), 9),
            "entropy (bits)": round(float(-(spread * np.log2(spread)).sum()), 6) + 0.0,
        }
        return said if gradient is None else said | {"gradient at A": round(float(gradient[0]), 6) + 0.0}


class _Logits(Handle):
    """The tops of the bars: they move up and down only."""

    cursor = "ns-resize"

    def places(self, values):
        return dict(enumerate(values[self.name]))

    def moved(self, values, part, dx, dy):
        points = list(values[self.name])
        x, y = points[part]
        points[part] = x, round(self.inside(x, y + dy)[1], 3)
        return tuple(points)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    digits = datasets.digits()
    return {
        "Curve": Curve,
        "Depth": Depth,
        "Dying": lambda: Dying(digits.X[:600] / 16, digits.y[:600]),
        "Temperature": Temperature,
    }
