"""Explorers of topic 02: k-means step by step, a photograph in k colours, and anchor boxes."""

import ipywidgets as widgets
import numpy as np

from .. import datasets, theme
from ..algorithms import kmeans
from .explorer import Explorer, State
from .handles import Line, Points

# colour and marker of a cluster change together
CLUSTERS = (theme.BLUE, "o"), (theme.VERMILLION, "s"), (theme.GREEN, "^"), (theme.PURPLE, "D"), (theme.ORANGE, "v")
STEPS = 15


def step_through(X, labels=("x", "y")):
    """Watch Lloyd's iterations one by one; drag a center at any step and see what becomes of it.

    Parameters
    ----------
    X : (n, 2) array_like
    labels : (str, str)
        What the two columns are, with units.

    Returns
    -------
    Explorer
        Controls: k, start (how), seed (of the start), step, moved (centers up to the step at which one was dragged).
    """
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"X must be (n, 2), got shape {X.shape}")
    total = ((X - X.mean(axis=0)) ** 2).sum()
    lowest = {k: kmeans.KMeans(k, n_init=20, random_state=0).fit(X).inertia_ for k in range(2, len(CLUSTERS) + 1)}

    figure = theme.figure()
    left, right = figure.subplots(1, 2, width_ratios=[5, 4])
    left.set(xlabel=labels[0], ylabel=labels[1])
    left.plot(*X.T, ".", color=theme.MUTED, ms=3)
    left.margins(0.08)
    left.set(xlim=left.get_xlim(), ylim=left.get_ylim())
    right.set(
        title="Inertia", xlabel="step", xlim=(0, STEPS), yscale="log", ylim=(0.5 * min(lowest.values()), 3 * total)
    )
    right.grid(axis="y")
    clusters = [left.plot([], [], marker, color=colour, ms=6, mec=theme.PAPER)[0] for colour, marker in CLUSTERS]
    (paths,) = left.plot([], [], "-", color=theme.INK, linewidth=1.5)
    (centers_line,) = left.plot([], [], "X", color=theme.INK, ms=15, mec=theme.PAPER, mew=1.5)
    (curve,) = right.plot([], [], "o-", color=theme.BLUE, ms=5)
    (best,) = right.plot([], [], "--", color=theme.GREEN, label="best of 20 starts")
    cut = right.axvline(0, color=theme.INK, linewidth=2)
    right.legend(loc="upper right")

    def key(k, start, seed):
        return k, start, seed

    def centers_of(k, start, seed, moved):
        """The centers before each step, (STEPS + 1, k, 2)."""
        rng = np.random.default_rng(seed)
        if moved and moved[0] == key(k, start, seed):
            run = [np.array(centers) for centers in moved[1]]
        elif start == "k-means++":
            run = [kmeans.kmeans_plusplus(X, k, rng)[0]]
        else:
            run = [X[rng.choice(len(X), k, replace=False)]]
        while len(run) <= STEPS:
            run.append(kmeans.lloyd_step(X, run[-1])[1])
        return np.array(run)

    def update(k, start, seed, step, moved):
        run = centers_of(k, start, seed, moved)
        distance = ((X[:, None, None] - run.transpose(1, 0, 2)) ** 2).sum(axis=-1)  # (n, k, steps)
        label, inertia = distance.argmin(axis=1), distance.min(axis=1).sum(axis=0)
        for j, line in enumerate(clusters):
            line.set_data(*X[label[:, step] == j].T)
        walked = np.full((k, STEPS + 2, 2), np.nan)  # NaN ends each path
        walked[:, : step + 1] = run[: step + 1].transpose(1, 0, 2)
        paths.set_data(*walked.reshape(-1, 2).T)
        centers_line.set_data(*run[step].T)
        curve.set_data(range(step + 1), inertia[: step + 1])
        best.set_data([0, STEPS], [lowest[k]] * 2)
        cut.set_xdata([step, step])
        counts = np.bincount(label[:, step], minlength=k)
        return {
            "step": step,
            "inertia": inertia[step],
            "best of 20 starts": lowest[k],
            "above the best (%)": round(100 * (inertia[step] / lowest[k] - 1), 9),  # the last digits are the machine's
            "samples that changed cluster": int((label[:, step] != label[:, step - 1]).sum()) if step else len(X),
            "smallest cluster": int(counts.min()),
            "settled": "yes" if np.array_equal(run[step], run[min(step + 1, STEPS)]) else "no",
        }

    controls = {
        "k": widgets.IntSlider(3, min=2, max=len(CLUSTERS), description="k (clusters)"),
        "start": widgets.Dropdown(options=["random", "k-means++"], description="start"),
        "seed": widgets.IntSlider(2, min=0, max=30, description="seed"),
        "step": widgets.IntSlider(0, min=0, max=STEPS, description="step"),
        "moved": State(()),
    }
    controls["start"].layout.width = "max-content"

    class Centers(Points):
        """The centers at the present step. Dragging one keeps what came before, and Lloyd goes on from there."""

        def places(self, value):
            return {j: tuple(place) for j, place in enumerate(self._run(value)[-1])}

        def moved(self, value, part, dx, dy):
            run = self._run(value)
            run[-1][part] = self._inside(*(run[-1][part] + (dx, dy)))
            settings = key(*(controls[name].value for name in ("k", "start", "seed")))
            return settings, tuple(tuple(map(tuple, centers.tolist())) for centers in run)

        def _run(self, value):
            k, start, seed, step = (controls[name].value for name in ("k", "start", "seed", "step"))
            return centers_of(k, start, seed, value)[: step + 1]

    return Explorer(
        *("k-means, step by step", figure, controls),
        [*clusters, paths, centers_line, curve, best, cut],
        update,
        handles=[Centers(left, "moved"), Line(right, "step")],
        play="step",
    )


def colours(photograph, most=24):
    """A photograph drawn with k colours: the centers of its pixels in RGB.

    Parameters
    ----------
    photograph : (h, w, 3) array_like of uint8
        Every second row and column is shown.
    most : int
        The largest k.

    Returns
    -------
    Explorer
        Controls: k, original_shown (the photograph itself instead).
    """
    photograph = np.asarray(photograph)
    if photograph.ndim != 3 or photograph.shape[2] != 3 or photograph.dtype != np.uint8:
        raise ValueError(f"photograph must be (h, w, 3) of uint8, got {photograph.shape} of {photograph.dtype}")
    image = photograph[::2, ::2]
    pixels = image.reshape(-1, 3).astype(float)
    sample = pixels[np.random.default_rng(0).choice(len(pixels), 2000, replace=False)]
    ks, palettes, pictures, errors = range(1, most + 1), [], [], []
    for k in ks:
        model = kmeans.KMeans(k, random_state=0, max_iter=30).fit(sample)
        palette = model.cluster_centers_[np.argsort(model.cluster_centers_.sum(axis=1))]
        label = kmeans.lloyd_step(pixels, palette)[0]
        errors.append(((pixels - palette[label]) ** 2).mean())
        palettes.append(_rgba(palette[np.arange(most) * k // most][None]))
        pictures.append(_rgba(palette[label].reshape(image.shape)))
    original = _rgba(image)

    figure = theme.figure(height=290)
    axes = figure.subplot_mosaic(
        [["picture", "error"], ["palette", "error"]], width_ratios=[5, 4], height_ratios=[9, 1]
    )
    shown = axes["picture"].imshow(original, interpolation="none")
    strip = axes["palette"].imshow(palettes[0], interpolation="nearest", aspect="auto")
    for name in ("picture", "palette"):
        axes[name].set(xticks=[], yticks=[])
    axes["error"].set(title="Mean squared error", xlabel="k (colours)", yscale="log")
    axes["error"].plot(ks, errors, "-", color=theme.BLUE)
    axes["error"].grid(axis="y")
    (point,) = axes["error"].plot([], [], "D", color=theme.VERMILLION, ms=11)

    def update(k, original_shown):
        shown.set_data(original if original_shown else pictures[k - 1])
        strip.set_data(palettes[k - 1])
        point.set_data([k], [errors[k - 1]])
        return {
            "k (colours)": k,
            "mean squared error": errors[k - 1],
            "PSNR (dB)": 10 * np.log10(255**2 / errors[k - 1]),
            "bits a pixel": int(np.ceil(np.log2(k))),
            "bits a pixel, original": 24,
        }

    controls = {
        "k": widgets.IntSlider(4, min=1, max=most, description="k (colours)"),
        "original_shown": widgets.Checkbox(False, description="show the original", indent=False),
    }
    handles = [Line(axes["error"], "k")]
    return Explorer("A photograph in k colours", figure, controls, [shown, strip, point], update, handles=handles)


def anchors(wh, unit="px", most=9):
    """Anchor boxes found with the Euclidean distance and with 1 - IoU.

    Parameters
    ----------
    wh : (n, 2) array_like
        Widths and heights of the boxes.
    unit : str
        Of both.
    most : int
        The largest number of anchors.

    Returns
    -------
    Explorer
        Controls: k, distance ("1 - IoU" or "Euclidean").
    """
    wh, ks = np.asarray(wh, dtype=float), range(1, most + 1)
    found = {
        "1 - IoU": [kmeans.iou_kmeans(wh, k, random_state=0) for k in ks],
        "Euclidean": [kmeans.KMeans(k, n_init=10, random_state=0).fit(wh).cluster_centers_ for k in ks],
    }
    best_iou = {
        name: [np.array([kmeans.mean_best_iou(box[None], boxes) for box in wh]) for boxes in each]
        for name, each in found.items()
    }
    fits = {name: [best.mean() for best in each] for name, each in best_iou.items()}

    figure = theme.figure(height=380)
    left, right = figure.subplots(1, 2)
    left.set(xlabel=f"width ({unit})", ylabel=f"height ({unit})", xlim=(0, 1.05 * wh[:, 0].max()))
    left.set(ylim=(0, 1.35 * wh[:, 1].max()))
    right.set(title="Mean best IoU", xlabel="k (anchors)", ylim=(0, 1), xlim=(0.5, most + 0.5))
    right.grid(axis="y")
    right.plot(ks, fits["1 - IoU"], "o-", color=theme.BLUE, ms=5, label="1 - IoU")
    right.plot(ks, fits["Euclidean"], "s--", color=theme.ORANGE, ms=5, label="Euclidean")
    right.legend(loc="lower right")
    (good,) = left.plot([], [], "o", color=theme.SKY, ms=5, label="best IoU 0.5 or more")
    (bad,) = left.plot([], [], "x", color=theme.VERMILLION, ms=6, label="below 0.5")
    (frames,) = left.plot([], [], "-", color=theme.MUTED, linewidth=1)
    (corners,) = left.plot([], [], "s", color=theme.INK, ms=9, mec=theme.PAPER, label="anchor")
    left.legend(loc="upper left", fontsize=10)
    (point,) = right.plot([], [], "D", color=theme.VERMILLION, ms=12)

    def update(k, distance):
        boxes = found[distance][k - 1]
        best = best_iou[distance][k - 1]
        good.set_data(*wh[best >= 0.5].T)
        bad.set_data(*wh[best < 0.5].T)
        w, h = boxes.T
        nothing = np.full(k, np.nan)
        frames.set_data(np.c_[0 * w, w, w, nothing].ravel(), np.c_[h, h, 0 * h, nothing].ravel())
        corners.set_data(w, h)
        point.set_data([k], [fits[distance][k - 1]])
        small = wh.prod(axis=1) <= np.median(wh.prod(axis=1))
        return {
            "anchors": k,
            "mean best IoU": best.mean(),
            "of the smaller half": best[small].mean(),
            "of the larger half": best[~small].mean(),
            "boxes below 0.5": int((best < 0.5).sum()),
            **{f"mean best IoU, {name}": fit[k - 1] for name, fit in fits.items()},
        }

    controls = {
        "k": widgets.IntSlider(5, min=1, max=most, description="k (anchors)"),
        "distance": widgets.Dropdown(options=list(found), value="Euclidean", description="distance"),
    }
    controls["distance"].layout.width = "max-content"
    live = [good, bad, frames, corners, point]
    return Explorer("Anchor boxes", figure, controls, live, update, handles=[Line(right, "k")])


def leaves():
    """Width and height in cm of the 150 sepals and 150 petals of iris: real boxes of very different sizes."""
    return np.concatenate([datasets.iris().X[:, :2], datasets.iris().X[:, 2:]])


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {
        "step_through": lambda: step_through(datasets.iris().X[:, [2, 1]], ("petal length (cm)", "sepal width (cm)")),
        "colours": lambda: colours(datasets.photograph("china.jpg")),
        "anchors": lambda: anchors(leaves(), unit="cm"),
    }


def _rgba(image):
    """Drawn twice as fast as RGB or floats."""
    return np.dstack([np.rint(image), np.full(image.shape[:2], 255)]).astype(np.uint8)
