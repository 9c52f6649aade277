"""Explorers of topic 02: k-means step by step, a photograph in k colors, and anchor boxes."""

from functools import cache
from typing import NamedTuple

import numpy as np

from .. import datasets, theme
from ..algorithms import kmeans
from .controls import Choice, Slider, State, Switch
from .explorer import Explorer
from .handles import Line, Points

# color and marker of a cluster change together
CLUSTERS = (theme.BLUE, "o"), (theme.VERMILLION, "s"), (theme.GREEN, "^"), (theme.PURPLE, "D"), (theme.ORANGE, "v")
STEPS = 15


class StepThrough(Explorer):
    """Watch Lloyd's iterations one by one; drag a center at any step and see what becomes of it.

    Parameters
    ----------
    X : (n, 2) array_like
    labels : (str, str)
        What the two columns are, with units.
    """

    title = "k-means, step by step"
    plays = "step"

    k = Slider(3, 2, len(CLUSTERS), label="k (clusters)")
    start = Choice("random", ["random", "k-means++"])
    seed = Slider(2, 0, 30)
    step = Slider(0, 0, STEPS)
    moved = State(())  # the settings and the centers up to the step at which a hand moved one; () before that

    def __init__(self, X, labels=("x", "y")):
        self.X, self.labels = np.asarray(X, dtype=float), labels
        if self.X.ndim != 2 or self.X.shape[1] != 2:
            raise ValueError(f"X must be (n, 2), got shape {self.X.shape}")
        self.title = f"{self.title}: {labels[0]} and {labels[1]}"  # a notebook may hold several
        ks = range(2, len(CLUSTERS) + 1)
        self.lowest = {k: kmeans.KMeans(k, n_init=20, random_state=0).fit(self.X).inertia_ for k in ks}
        self.run = cache(self._run)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[5, 4])
        left.set(xlabel=self.labels[0], ylabel=self.labels[1])
        left.plot(*self.X.T, ".", color=theme.MUTED, ms=3)
        left.margins(0.08)
        left.set(xlim=left.get_xlim(), ylim=left.get_ylim())
        total = ((self.X - self.X.mean(axis=0)) ** 2).sum()
        right.set(
            xlabel="step", xlim=(-0.7, STEPS + 0.7), yscale="log", ylim=(0.5 * min(self.lowest.values()), 3 * total)
        )
        right.set_title("Inertia (dashed: best of 20)", loc="right")
        right.grid(axis="y")
        looks = [{"marker": marker, "color": color} for color, marker in CLUSTERS]
        plots = [left.plot([], [], linestyle="", ms=6, mec=theme.PAPER, **look)[0] for look in looks]
        self.clusters = self.live(plots)
        (self.paths,) = self.live(left.plot([], [], "-", color=theme.INK, linewidth=1.5))
        (self.centers,) = self.live(left.plot([], [], "X", color=theme.INK, ms=15, mec=theme.PAPER, mew=1.5))
        (self.best,) = self.live(right.plot([], [], "--", color=theme.GREEN))
        self.cut = self.live(right.axvline(0, color=theme.INK, linewidth=2))
        (self.curve,) = self.live(right.plot([], [], "o-", color=theme.BLUE, ms=5))
        self.hand(_Centers(left, self), Line(right, "step"))

    def solve(self, k, start, seed, step, moved):
        centers = self.run(k, start, seed, moved)
        distance = ((self.X[:, None, None] - centers.transpose(1, 0, 2)) ** 2).sum(axis=-1)  # (n, k, steps)
        return _Run(k, step, centers, distance.argmin(axis=1), distance.min(axis=1).sum(axis=0), self.lowest[k])

    def show(self, run):
        k, step = run.k, run.step
        for j, cluster in enumerate(self.clusters):
            cluster.set_data(*self.X[run.label[:, step] == j].T)
        walked = np.full((k, step + 2, 2), np.nan)  # NaN ends each path
        walked[:, : step + 1] = run.centers[: step + 1].transpose(1, 0, 2)
        self.paths.set_data(*walked.reshape(-1, 2).T)
        self.centers.set_data(*run.centers[step].T)
        self.curve.set_data(range(step + 1), run.inertia[: step + 1])
        self.best.set_data([0, STEPS], [run.lowest] * 2)
        self.cut.set_xdata([step, step])

    def readouts(self, run):
        step, label, inertia = run.step, run.label, run.inertia[run.step]
        changed = (label[:, step] != label[:, step - 1]).sum() if step else len(self.X)
        return {
            "step": step,
            "inertia": inertia,
            "best of 20 starts": run.lowest,
            "above the best (%)": round(100 * (inertia / run.lowest - 1), 9),  # the last digits are the machine's
            "samples that changed cluster": int(changed),
            "smallest cluster": int(np.bincount(label[:, step], minlength=run.k).min()),
            "settled": "yes" if np.array_equal(run.centers[step], run.centers[min(step + 1, STEPS)]) else "no",
        }

    def _run(self, k, start, seed, moved):
        """The centers before each step, (STEPS + 1, k, 2)."""
        rng = np.random.default_rng(seed)
        if moved and moved[0] == (k, start, seed):
            run = [np.array(centers) for centers in moved[1]]
        elif start == "k-means++":
            run = [kmeans.kmeans_plusplus(self.X, k, rng)[0]]
        else:
            run = [self.X[rng.choice(len(self.X), k, replace=False)]]
        while len(run) <= STEPS:
            run.append(kmeans.lloyd_step(self.X, run[-1])[1])
        return np.array(run)


class _Run(NamedTuple):
    """Centers before each step, (STEPS + 1, k, 2); clusters, (n, STEPS + 1); inertia, (STEPS + 1,)."""

    k: int
    step: int
    centers: np.ndarray
    label: np.ndarray
    inertia: np.ndarray
    lowest: float


class _Centers(Points):
    """The centers at the present step. Dragging one keeps what came before, and Lloyd goes on from there."""

    def __init__(self, axes, explorer):
        super().__init__(axes, "moved")
        self._explorer = explorer

    def places(self, values):
        return {j: tuple(place) for j, place in enumerate(self._walked(values)[-1])}

    def moved(self, values, part, dx, dy):
        walked = self._walked(values).copy()
        walked[-1, part] = self.inside(*(walked[-1, part] + (dx, dy)))
        settings = values["k"], values["start"], values["seed"]
        return settings, tuple(tuple(map(tuple, centers)) for centers in walked.tolist())

    def _walked(self, values):
        run = self._explorer.run(values["k"], values["start"], values["seed"], values["moved"])
        return run[: values["step"] + 1]


# --- colors ---------------------------------------------------------------------------------------------------------


class Colors(Explorer):
    """A photograph drawn with k colors: the centers of its pixels in RGB.

    Parameters
    ----------
    image : (h, w, 3) array_like of uint8
        Every second row and column is shown.
    most : int
        The largest k.
    """

    title = "A photograph in k colors"
    size = 660, 300
    photograph = True

    k = Slider(4, 1, 24, label="k (colors)")
    original_shown = Switch(label="show the original")

    def __init__(self, image, most=24):
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be (h, w, 3) of uint8, got {image.shape} of {image.dtype}")
        self.image, self.ks = image[::2, ::2], range(1, most + 1)
        pixels = self.image.reshape(-1, 3).astype(float)
        sample = pixels[np.random.default_rng(0).choice(len(pixels), 2000, replace=False)]
        self.palettes, self.pictures, self.errors = [], [], []
        for k in self.ks:
            palette = kmeans.KMeans(k, random_state=0, max_iter=30).fit(sample).cluster_centers_
            palette = palette[np.argsort(palette.sum(axis=1))]
            label = kmeans.lloyd_step(pixels, palette)[0]
            self.errors.append(((pixels - palette[label]) ** 2).mean())
            self.palettes.append(_rgba(palette[np.arange(most) * k // most][None]))
            self.pictures.append(_rgba(palette[label].reshape(self.image.shape)))
        super().__init__(k={"high": most})

    def draw(self, figure):
        mosaic = [["picture", "error"], ["palette", "error"]]
        axes = figure.subplot_mosaic(mosaic, width_ratios=[5, 4], height_ratios=[9, 1])
        self.original = _rgba(self.image)
        self.picture = self.live(axes["picture"].imshow(self.original, interpolation="none"))
        self.palette = self.live(axes["palette"].imshow(self.palettes[0], interpolation="nearest", aspect="auto"))
        for name in ("picture", "palette"):
            axes[name].set(xticks=[], yticks=[])
        error = axes["error"]
        error.set(title="Mean squared error", xlabel="k (colors)", yscale="log", xlim=(0, self.ks[-1] + 1))
        error.set(ylim=(0.7 * min(self.errors), 1.4 * max(self.errors)))
        error.grid(axis="y")
        (self.curve,) = self.live(error.plot([], [], "-", color=theme.BLUE))
        (self.point,) = self.live(error.plot([], [], "D", color=theme.VERMILLION, ms=11))
        self.hand(Line(error, "k"))

    def solve(self, k, original_shown):
        return k, original_shown, self.errors[k - 1]

    def show(self, solution):
        k, original_shown, error = solution
        self.picture.set_data(self.original if original_shown else self.pictures[k - 1])
        self.palette.set_data(self.palettes[k - 1])
        self.curve.set_data(self.ks[:k], self.errors[:k])
        self.point.set_data([k], [error])

    def readouts(self, solution):
        k, _, error = solution
        return {
            "k (colors)": k,
            "mean squared error": error,
            "PSNR (dB)": 10 * np.log10(255**2 / error),
            "bits per pixel": int(np.ceil(np.log2(k))),
            "bits per pixel, original": 24,
        }


def _rgba(image):
    """Drawn twice as fast as RGB or floats."""
    return np.dstack([np.rint(image), np.full(image.shape[:2], 255)]).astype(np.uint8)


# --- anchors ---------------------------------------------------------------------------------------------------------


class Anchors(Explorer):
    """Anchor boxes found with the Euclidean distance and with 1 - IoU.

    Parameters
    ----------
    wh : (n, 2) array_like
        Widths and heights of the boxes.
    unit : str
        Of both.
    most : int
        The largest number of anchors.
    """

    title = "Anchor boxes"
    size = 660, 380

    k = Slider(5, 1, 9, label="k (anchors)")
    distance = Choice("Euclidean", ["Euclidean", "1 - IoU"])

    def __init__(self, wh, unit="px", most=9):
        self.wh, self.unit, self.ks = np.asarray(wh, dtype=float), unit, range(1, most + 1)
        self.found = {
            "1 - IoU": [kmeans.iou_kmeans(self.wh, k, random_state=0) for k in self.ks],
            "Euclidean": [kmeans.KMeans(k, n_init=10, random_state=0).fit(self.wh).cluster_centers_ for k in self.ks],
        }
        self.best = {
            name: [np.array([kmeans.mean_best_iou(box[None], anchors) for box in self.wh]) for anchors in each]
            for name, each in self.found.items()
        }
        self.means = {name: [best.mean() for best in each] for name, each in self.best.items()}
        super().__init__(k={"high": most})

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(xlabel=f"width ({self.unit})", ylabel=f"height ({self.unit})", xlim=(0, 1.05 * self.wh[:, 0].max()))
        left.set(ylim=(0, 1.05 * self.wh[:, 1].max()))
        right.set(title="Mean best IoU", xlabel="k (anchors)", ylim=(0, 1), xlim=(0.5, self.ks[-1] + 0.5))
        right.grid(axis="y")
        looks = {"1 - IoU": ("o-", theme.BLUE), "Euclidean": ("s--", theme.ORANGE)}
        self.curves = {
            name: self.live(right.plot([], [], style, color=color, ms=5, label=name))[0]
            for name, (style, color) in looks.items()
        }
        (self.good,) = self.live(left.plot([], [], "o", color=theme.SKY, ms=5, label="best IoU 0.5 or more"))
        (self.bad,) = self.live(left.plot([], [], "x", color=theme.VERMILLION, ms=6, label="below 0.5"))
        (self.frames,) = self.live(left.plot([], [], "-", color=theme.MUTED, linewidth=1))
        (self.corners,) = self.live(left.plot([], [], "s", color=theme.INK, ms=9, mec=theme.PAPER, label="anchor"))
        (self.point,) = self.live(right.plot([], [], "D", color=theme.VERMILLION, ms=12))
        shown = [self.good, self.bad, self.corners, *self.curves.values()]
        figure.legend(handles=shown, loc="outside lower center", ncols=5, columnspacing=1, fontsize=10)
        self.hand(Line(right, "k"))

    def solve(self, k, distance):
        return k, distance, self.found[distance][k - 1], self.best[distance][k - 1]

    def show(self, solution):
        k, _, anchors, best = solution
        w, h = anchors.T
        gap = np.full(k, np.nan)
        self.good.set_data(*self.wh[best >= 0.5].T)
        self.bad.set_data(*self.wh[best < 0.5].T)
        self.frames.set_data(np.column_stack([0 * w, w, w, gap]).ravel(), np.column_stack([h, h, 0 * h, gap]).ravel())
        self.corners.set_data(w, h)
        for name, curve in self.curves.items():  # up to this k: what is to come is for the reader to predict
            curve.set_data(self.ks[:k], self.means[name][:k])
        self.point.set_data([k], [best.mean()])

    def readouts(self, solution):
        k, distance, _, best = solution
        area = self.wh.prod(axis=1)
        small = area <= np.median(area)
        return {
            "anchors": k,
            "mean best IoU": best.mean(),
            "of the smaller half": best[small].mean(),
            "of the larger half": best[~small].mean(),
            "boxes below 0.5": int((best < 0.5).sum()),
        }


def leaves():
    """Width and height in cm of iris's 150 sepals and 150 petals: real boxes of very different sizes.

    They were measured to the millimetre; half a millimetre of noise breaks the ties, which rounding would decide.
    """
    wh = np.concatenate([datasets.iris().X[:, :2], datasets.iris().X[:, 2:]])
    return wh + np.random.default_rng(0).uniform(-0.05, 0.05, wh.shape)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    petals = datasets.iris().X[:, [2, 1]]
    return {
        "StepThrough": lambda: StepThrough(petals, ("petal length (cm)", "sepal width (cm)")),
        "Colors": lambda: Colors(datasets.photograph("china.jpg")),
        "Anchors": lambda: Anchors(leaves(), unit="cm"),
    }
