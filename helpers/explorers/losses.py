"""Explorers of topic 17: which samples a focal loss listens to, and four losses on an object that shrinks."""

from functools import cache
from typing import NamedTuple

import numpy as np

from .. import datasets, theme
from ..algorithms import losses
from ..algorithms.activations import sigmoid
from ..algorithms.optimizers import Adam
from .controls import Choice, Slider, Switch
from .explorer import Explorer
from .handles import Line

# --- easy and hard samples -------------------------------------------------------------------------------------------


class Focal(Explorer):
    """Drag p_t, the probability that a sample's truth gets: its loss, and what all easier samples weigh together.

    Parameters
    ----------
    logits, target : (n,) array_like
        Of a classifier with two classes, 1 the rare one.
    """

    title = "Easy samples and the focal loss"
    size = 680, 350

    gamma = Slider(0.0, 0, 5, step=0.25)
    balance = Switch(label="weight the classes")
    alpha = Slider(0.25, 0.05, 0.95, step=0.05, label="alpha of the rare class", when=lambda v: v["balance"])
    p_t = Slider(0.5, 0.02, 0.98, step=0.01, label="p_t")

    def __init__(self, logits, target):
        self.logits, self.target = np.asarray(logits, dtype=float), np.asarray(target, dtype=float)
        self.truth = sigmoid(np.where(self.target == 1, self.logits, -self.logits))  # p_t of every sample
        self.order = np.argsort(-self.truth)  # the easiest first
        self.grid = np.linspace(0.005, 0.995, 199)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="One sample", xlabel="p_t", ylabel="loss", xlim=(0, 1), ylim=(0, 5))
        right.set(
            title=f"All {len(self.truth):,} samples", xlabel="p_t", xlim=(0, 1), ylim=(0, 145), yticks=range(0, 101, 20)
        )
        right.set_ylabel("at this p_t or more (%)")
        for axes in (left, right):
            axes.grid()
        left.plot(self.grid, -np.log(self.grid), color=theme.MUTED, linestyle="--", label="cross-entropy")
        (self.rare,) = self.live(left.plot([], [], color=theme.BLUE, linestyle="-", label="focal, rare class"))
        (self.common,) = self.live(
            left.plot([], [], color=theme.ORANGE, linestyle=":", linewidth=3, label="focal, other")
        )
        samples = 100 * np.arange(1, len(self.order) + 1) / len(self.order)
        right.plot(self.truth[self.order], samples, color=theme.MUTED, linestyle="--", label="of the samples")
        (self.share,) = self.live(right.plot([], [], color=theme.VERMILLION, linestyle="-", label="of the gradient"))
        left.legend(loc="upper right")
        right.legend(loc="upper right")
        self.cursors = self.live([axes.axvline(0.5, 0, 0.7, color=theme.INK, linewidth=2) for axes in (left, right)])
        self.hand(Line(left, "p_t"), Line(right, "p_t"))

    def solve(self, gamma, balance, alpha, p_t):
        alpha = alpha if balance else -1
        logit = np.log(self.grid / (1 - self.grid))
        curves = [
            losses.focal_loss(side * logit, np.full(len(logit), t), alpha, gamma) for t, side in ((1, 1), (0, -1))
        ]
        gradient = np.abs(losses.focal_loss_grad(self.logits, self.target, alpha, gamma))
        here = np.log(p_t / (1 - p_t))
        loss = [float(losses.focal_loss(here, 1, a, g)) for a, g in ((-1, 0), (alpha, gamma))]
        return _Shares(p_t, curves, gradient / gradient.sum(), *loss)

    def show(self, shares):
        self.rare.set_data(self.grid, shares.curves[0])
        self.common.set_data(self.grid, shares.curves[1])
        self.share.set_data(self.truth[self.order], 100 * shares.gradient[self.order].cumsum())
        for cursor in self.cursors:
            cursor.set_xdata([shares.p_t] * 2)

    def readouts(self, shares):
        easier = self.truth >= shares.p_t
        return {
            "p_t": shares.p_t,
            "cross-entropy there": shares.plain,
            "focal loss there (rare class)": shares.focal,
            "cross-entropy / focal loss": round(shares.plain / shares.focal, 1),
            "samples at p_t or more (%)": round(100 * float(easier.mean()), 1),
            "their share of the gradient (%)": round(100 * float(shares.gradient[easier].sum()), 1),
            "the rare class: samples (%)": round(100 * float(self.target.mean()), 1),
            "the rare class: gradient (%)": round(100 * float(shares.gradient[self.target == 1].sum()), 1),
        }


class _Shares(NamedTuple):
    """The loss by p_t for both classes, each sample's share of the gradient, and the two losses at the chosen p_t."""

    p_t: float
    curves: list
    gradient: np.ndarray
    plain: float
    focal: float


@cache
def is_it(digit, steps=300):
    """Logits and targets of a linear classifier on digits, one against nine, trained by full-batch steps of size 2."""
    digits = datasets.digits()
    X, target = np.column_stack([digits.X / 16, np.ones(len(digits.X))]), (digits.y == digit).astype(float)
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        w -= 2 * losses.binary_cross_entropy_with_logits_grad(X @ w, target) @ X
    return X @ w, target


# --- an object that shrinks ------------------------------------------------------------------------------------------

CANVAS, NOISE, IMAGES, STEPS = 32, 0.5, 10, 60
SCALES = {"24 pixels": 24, "16 pixels": 16, "8 pixels": 8, "4 pixels": 4}
NAMES = "cross-entropy", "weighted", "Dice", "focal"


class Ink(Explorer):
    """Find the ink of a digit in a noisy image, pixel by pixel, with one linear filter; the digit gets smaller.

    The same filter of 5 x 5 pixels is trained with four losses. White: ink that was found. Vermillion: false alarm.
    Blue: missed.
    """

    title = "Four losses, one shrinking object"
    size = 660, 430
    plays = "step"

    side = Choice(24, SCALES, label="side of the digit")
    step = Slider(3, 0, STEPS, label="training step")
    threshold = Slider(0.5, 0.05, 0.95, step=0.05)
    image = Slider(1, 1, IMAGES, label="test image")

    def __init__(self):
        self.trained = {side: train_filters(side) for side in SCALES.values()}
        super().__init__()

    def draw(self, figure):
        self.maps = []
        for axes, title in zip(figure.subplots(2, 3).flat, ("noisy image", "ink", *NAMES), strict=True):
            axes.set(title=title, xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
            self.maps.append(axes.imshow(np.zeros((CANVAS, CANVAS, 4), dtype=np.uint8), interpolation="nearest"))
        self.live(self.maps)

    def solve(self, side, step, threshold, image):
        trained = self.trained[side]
        found = sigmoid(trained.weights[:, step] @ trained.features.T) > threshold  # (losses, pixels of all images)
        truth = trained.truth.ravel() == 1
        counts = [[(mask & truth).sum(), mask.sum(), truth.sum()] for mask in found]
        shape = (len(NAMES), IMAGES, CANVAS, CANVAS)
        return _Found(trained, image - 1, found.reshape(shape), np.array(counts), truth.mean())

    def show(self, found):
        noisy, truth = found.trained.noisy[found.image], found.trained.truth[found.image] == 1
        self.maps[0].set_data(_gray(np.clip((noisy + 1) / 3, 0, 1)))
        self.maps[1].set_data(_gray(truth))
        for i, shown in enumerate(self.maps[2:]):
            shown.set_data(_verdicts(found.masks[i, found.image], truth))

    def readouts(self, found):
        said = {"ink, share of the pixels (%)": round(100 * float(found.share), 1)}
        for name, (recall, precision, dice) in zip(NAMES, found.scores(), strict=True):
            said[f"{name}: recall"] = round(recall, 2)
            said[f"{name}: precision"] = round(precision, 2)
            said[f"{name}: Dice score"] = round(dice, 2)
        return said


class _Trained(NamedTuple):
    """Of one side: the filters after every step, (losses, steps + 1, 26), and the test images."""

    weights: np.ndarray
    features: np.ndarray
    noisy: np.ndarray
    truth: np.ndarray


class _Found(NamedTuple):
    """What each loss's filter marks, and its counts over all test images: hits, marked, ink."""

    trained: _Trained
    image: int
    masks: np.ndarray
    counts: np.ndarray
    share: float

    def scores(self):
        """Recall, precision and Dice score of each loss; 0 where nothing is marked."""
        counts = self.counts.tolist()
        return [(hits / ink, hits / max(marked, 1), 2 * hits / (marked + ink)) for hits, marked, ink in counts]


def _gray(values):
    shades = np.repeat((255 * np.asarray(values, dtype=float)).astype(np.uint8)[..., None], 4, axis=-1)
    shades[..., 3] = 255
    return shades


def _verdicts(mask, truth):
    """White hits, vermillion false alarms, blue misses, black the rest, as RGBA bytes."""
    colors = np.array([(0, 0, 0, 255), (213, 94, 0, 255), (0, 114, 178, 255), (255, 255, 255, 255)], dtype=np.uint8)
    return colors[mask + 2 * truth]


def noisy_digits(side, first):
    """Noisy images with one digit each, at a place drawn at random, and where its ink is: two (n, 32, 32) arrays.

    The digits are real; their places and the noise, of standard deviation 0.5, are drawn at random.
    """
    rng, factor = np.random.default_rng(first), max(side // 8, 1)
    truth = np.zeros((IMAGES, CANVAS, CANVAS))
    for i, row in enumerate(datasets.digits().X[first : first + IMAGES]):
        ink = np.kron(row.reshape(8, 8) / 16, np.ones((factor, factor)))
        ink = ink if side >= 8 else ink.reshape(4, 2, 4, 2).mean(axis=(1, 3))
        top, left = rng.integers(0, CANVAS - side + 1, 2)
        truth[i, top : top + side, left : left + side] = ink > 0.5
    return truth + rng.normal(scale=NOISE, size=truth.shape), truth


def neighborhoods(images):
    """The 5 x 5 pixels about each pixel, and a 1 for the bias: (pixels, 26)."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(images, ((0, 0), (2, 2), (2, 2))), (5, 5), axis=(1, 2))
    return np.column_stack([windows.reshape(-1, 25), np.ones(images.size)])


def slopes(truth):
    """The gradients of the four losses with respect to the logits, both (images, pixels), by name."""
    shared = truth.mean()
    return {
        "cross-entropy": lambda x: losses.binary_cross_entropy_with_logits_grad(x, truth),
        "weighted": lambda x: losses.binary_cross_entropy_with_logits_grad(x, truth, pos_weight=(1 - shared) / shared),
        "Dice": lambda x: losses.dice_loss_grad(x, truth),
        "focal": lambda x: losses.focal_loss_grad(x, truth, reduction="mean"),
    }


@cache
def train_filters(side):
    """Train one linear filter with each loss on ten images, and draw ten others to test it on."""
    images, truth = noisy_digits(side, 100)
    X = neighborhoods(images)
    weights = [train_filter(slope, X) for slope in slopes(truth.reshape(IMAGES, -1)).values()]
    noisy, truth = noisy_digits(side, 1000)
    return _Trained(np.array(weights), neighborhoods(noisy), noisy, truth)


def train_filter(slope, X, steps=STEPS):
    """The filter before and after every step of Adam at rate 0.1, whose steps do not depend on a loss's scale."""
    w, optimizer = [np.zeros(X.shape[1])], Adam(lr=0.1)
    path = [w[0].copy()]
    for _ in range(steps):
        optimizer.step(w, [slope((X @ w[0]).reshape(IMAGES, -1)).ravel() @ X])
        path.append(w[0].copy())
    return np.array(path)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {"Focal": lambda: Focal(*is_it(8)), "Ink": Ink}
