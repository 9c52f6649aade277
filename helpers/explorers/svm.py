"""Explorers of topic 01: the margin under your hands, why the widest street is one line, and what a kernel lifts."""

from functools import cache, lru_cache

import ipywidgets as widgets
import numpy as np
from contourpy import contour_generator
from matplotlib.patches import Polygon

from .. import datasets, theme
from ..algorithms import svm
from .explorer import Explorer, State
from .handles import Handle, Points

LOOKS = {1: {"color": theme.VERMILLION, "marker": "s"}, -1: {"color": theme.BLUE, "marker": "o"}}
NAMES = {1: "square", -1: "circle"}
REACH = 1.3  # the plane shown goes from -REACH to REACH
PRICE = 100.0  # C of the lift's cut: next to a hard margin
STEPS = 600  # of SMO an update at most; where they do not suffice, the duality gap says so

# --- the margin ------------------------------------------------------------------------------------------------------


def margin(examples):
    """Click to add points, drag them, and watch the boundary, the street and the support vectors follow.

    Parameters
    ----------
    examples : dict of str -> (X, y)
        Data to begin with, the first one at once, each other by a button. X, (n, 2), within -1.3 and 1.3; y is -1 or 1.

    Returns
    -------
    Explorer
        Controls: points (x, y, class), C, kernel, gamma, new_class (of the next point that a click adds).

    Raises
    ------
    ValueError
        If points of one class are missing, or y holds another class.
    """
    clouds = {name: _points(X, y) for name, (X, y) in examples.items()}
    side = np.linspace(-REACH, REACH, 56)
    grid = np.column_stack([axis.ravel() for axis in np.meshgrid(side, side)])

    figure = theme.figure(width=500, height=420)
    axes = figure.add_subplot(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xlabel="x", ylabel="y")
    axes.set(title="Street (dashed), support vectors (rings)", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    (boundary,) = axes.plot([], [], color=theme.INK, linewidth=3)
    edges = {sign: axes.plot([], [], "--", color=LOOKS[sign]["color"])[0] for sign in LOOKS}
    (ringed,) = axes.plot([], [], "o", markersize=15, markerfacecolor="none", color=theme.INK, markeredgewidth=1.5)
    clouds_shown = {sign: axes.plot([], [], linestyle="", markersize=8, **look)[0] for sign, look in LOOKS.items()}

    def kernel_options(kernel, gamma):
        return {"kernel": kernel, "gamma": gamma if kernel == "rbf" else 1.0, "coef0": 1.0}

    @lru_cache(maxsize=4096)
    def column(x, y, kernel, gamma):
        """Kernel of one point with the whole grid: a drag changes one column of a hundred."""
        return svm.kernel_matrix(grid, [[x, y]], **kernel_options(kernel, gamma))[:, 0]

    latest = {"points": (), "beta": np.zeros(0), "C": 1.0}

    def warm_start(points, C):
        """The latest solution made feasible: points found again, scaled to this C, the sums of both classes equal."""
        before, weights = latest["points"], latest["beta"] * (C / latest["C"])
        found = dict(zip(before, weights, strict=True))
        moved = dict.fromkeys(range(len(points)), 0.0)
        if len(points) == len(before):  # a point that was dragged takes its weight along
            moved |= {
                i: weights[i] for i, (old, new) in enumerate(zip(before, points, strict=True)) if old[2] == new[2]
            }
        beta = np.array([found.get(point, moved[i]) for i, point in enumerate(points)])
        plus, minus = beta[beta > 0].sum(), -beta[beta < 0].sum()
        if not plus * minus:
            return np.zeros(len(points))
        return beta * np.where(beta > 0, min(1, minus / plus), min(1, plus / minus))

    def solve(points, K, y, C, kernel):
        """From the latest solution while a hand moves points; from zero for given data, so that numbers repeat."""
        # where lines cannot separate, the solution grows with C: climbing to it takes a tenth of the steps
        rungs = [*(c for c in (1, 3, 10, 30) if c < C and kernel == "linear"), C]
        beta = np.zeros(len(y)) if points in clouds.values() else warm_start(points, rungs[0])
        for rung, lower in zip(rungs, [rungs[0], *rungs], strict=False):
            beta, e, n_iter = svm.smo(K, y, rung, max_iter=STEPS, beta=beta * (rung / lower))
        return beta, e, n_iter

    def update(points, C, kernel, gamma, new_class):
        X, y = np.array([point[:2] for point in points]).reshape(-1, 2), np.array([point[2] for point in points])
        if len(np.unique(y)) < 2:
            raise ValueError("points must hold both classes; click to add the missing one")
        K = svm.kernel_matrix(X, X, **kernel_options(kernel, gamma))
        beta, e, _ = solve(points, K, y, C, kernel)
        latest.update(points=points, beta=beta, C=C)
        b = svm.intercept(beta, e, y, C)
        primal, dual = svm.objectives(beta, e, y, C, b)
        scores, support, squared_norm = y - e + b, beta != 0, max(beta @ (y - e), 1e-12)

        weighing = [(*point[:2], weight) for point, weight in zip(points, beta, strict=True) if weight]
        plane = np.array([column(px, py, kernel, gamma) for px, py, _ in weighing]).T @ beta[support] + b
        contours = contour_generator(side, side, plane.reshape(len(side), -1))
        for line, level in ((boundary, 0), (edges[1], 1), (edges[-1], -1)):
            line.set_data(*_joined(contours.lines(level)))
        ringed.set_data(*X[support].T)
        for sign, cloud in clouds_shown.items():
            cloud.set_data(*X[y == sign].T)
        return {
            "margin width" + ("" if kernel == "linear" else ", feature space"): round(2 / np.sqrt(squared_norm), 3),
            "support vectors": int(support.sum()),
            "of these on the bound C": int((np.abs(beta) == C).sum()),
            "hinge loss, mean": round(svm.hinge_loss(y, scores), 3),
            "training error, %": 100 * np.mean(y * scores <= 0),
            "primal objective": round(primal, 2),
            "duality gap": abs(round(primal - dual, 4)),
            "points": len(y),
        }

    first = next(iter(clouds.values()))
    controls = {
        "points": State(first),
        "C": widgets.FloatLogSlider(1, base=10, min=-2, max=2, step=0.1, description="C"),
        "kernel": widgets.Dropdown(options=["linear", "rbf", "poly"], description="kernel", layout={"width": "150px"}),
        "gamma": widgets.FloatLogSlider(1, base=10, min=-1, max=2, step=0.1, description="gamma (of rbf)"),
        "new_class": widgets.Dropdown(
            options=[(NAMES[sign], sign) for sign in LOOKS], description="a click adds a", layout={"width": "190px"}
        ),
    }
    live = [boundary, *edges.values(), ringed, *clouds_shown.values()]
    return Explorer(
        *("The margin under your hands", figure, controls, live, update),
        handles=[Points(axes, "points", new=lambda: (controls["new_class"].value,))],
        actions={name: lambda cloud=cloud: {"points": cloud} for name, cloud in clouds.items()},
    )


def _points(X, y):
    svm.hinge_loss(y, np.zeros(len(y)))  # refuses other classes
    return tuple((float(a), float(b), int(sign)) for (a, b), sign in zip(X, y, strict=True))


def _joined(lines):
    """Several lines as one, with gaps."""
    return np.concatenate([np.vstack([line, [np.nan, np.nan]]) for line in lines] or [np.empty((0, 2))]).T


# --- the widest street -----------------------------------------------------------------------------------------------


class _Offset(Handle):
    """Slides a line along its normal: the value is the distance from the origin; `angle` tells where that is."""

    def __init__(self, axes, name, angle):
        super().__init__(axes, name)
        self._angle = angle

    def _normal(self):
        return np.cos(np.radians(self._angle())), np.sin(np.radians(self._angle()))

    def places(self, value):
        nx, ny = self._normal()
        return {"line": (value * nx, value * ny)}

    def moved(self, value, part, dx, dy):
        nx, ny = self._normal()
        return value + dx * nx + dy * ny


class _Turn(Handle):
    """Turns a line: the value is the normal's angle in degrees; grab the line at `reach` from its foot."""

    def __init__(self, axes, name, offset, reach):
        super().__init__(axes, name)
        self._offset, self._reach = offset, reach

    def places(self, value):
        nx, ny = np.cos(np.radians(value)), np.sin(np.radians(value))
        return {"end": (self._offset() * nx - self._reach * ny, self._offset() * ny + self._reach * nx)}

    def moved(self, value, part, dx, dy):
        x, y = self.places(value)[part]
        # the end lies at the angle of the normal plus the angle that it makes with the normal
        tilt = np.degrees(np.arctan2(self._reach, self._offset()))
        turned = np.degrees(np.arctan2(y + dy, x + dx)) - tilt
        return value + (turned - value + 180) % 360 - 180


def widest_street(X, y):
    """Turn and shift a line by hand; its margin beside the best there is.

    Parameters
    ----------
    X : (n, 2) array_like, within -1.3 and 1.3
    y : (n,) array_like of {-1, 1}
        Separable by a line.

    Returns
    -------
    Explorer
        Controls: angle (of the normal, degrees), offset (distance from the origin), show (the best street).
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    model = svm.SVC(C=1e4, kernel="linear", tol=1e-6).fit(X, y)
    w, b = model.coef_[0], model.intercept_[0]
    if (model.predict(X) != y).any():
        raise ValueError("y must be separable by a line")
    best = svm.geometric_margin(w, b, X, y)
    best_angle, best_offset = np.degrees(np.arctan2(w[1], w[0])), -b / np.linalg.norm(w)

    figure = theme.figure(width=500, height=420)
    axes = figure.add_subplot(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xlabel="x", ylabel="y")
    axes.set(title="Drag the middle to shift, the end to turn", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    for sign, look in LOOKS.items():
        axes.plot(*X[y == sign].T, linestyle="", markersize=8, **look)
    (line,) = axes.plot([], [], color=theme.INK, linewidth=3)
    (sides,) = axes.plot([], [], "--", color=theme.INK, linewidth=1.5)
    (knobs,) = axes.plot([], [], "D", color=theme.INK, markersize=10)
    (nearest,) = axes.plot([], [], "o", markersize=15, markerfacecolor="none", color=theme.INK, markeredgewidth=1.5)
    (street,) = axes.plot([], [], "-.", color=theme.GREEN, linewidth=2)

    def strokes(angle, *offsets):
        """Lines with this normal at these offsets, as one line with gaps."""
        normal = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        along = np.array([-normal[1], normal[0]])
        return _joined([[d * normal - 4 * along, d * normal + 4 * along] for d in offsets])

    def update(angle, offset, show):
        normal = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        distance = y * (X @ normal - offset)
        width = distance.min()
        line.set_data(*strokes(angle, offset))
        sides.set_data(*(strokes(angle, offset - width, offset + width) if width > 0 else ([], [])))
        knobs.set_data(*np.array([offset * normal, offset * normal + 0.8 * np.array([-normal[1], normal[0]])]).T)
        closest = X[distance <= width + 0.01] if width > 0 else X[distance <= 0]
        nearest.set_data(*closest.T)
        shown = (best_offset - best, best_offset, best_offset + best) if show else ()
        street.set_data(*strokes(best_angle, *shown))
        return {
            "your margin": width,
            "the best margin": best,
            "yours / best, %": 100 * width / best,
            "points on the wrong side": int((distance < 0).sum()),
            "points on the street's edge (within 0.01)": len(closest) if width > 0 else 0,
            "does your line separate": "yes" if width > 0 else "no",
        }

    controls = {
        "angle": widgets.FloatSlider(
            round(best_angle) + 25.0, min=-180, max=180, step=0.1, description="angle (degrees)"
        ),
        "offset": widgets.FloatSlider(round(best_offset, 1), min=-1.5, max=1.5, step=0.002, description="offset"),
        "show": widgets.Checkbox(False, description="show the widest street", indent=False, layout={"width": "auto"}),
    }
    controls["offset"].readout_format = ".3f"
    return Explorer(
        *("Why the widest street", figure, controls, [line, sides, knobs, nearest, street], update),
        handles=[
            _Turn(axes, "angle", lambda: controls["offset"].value, 0.8),
            _Offset(axes, "offset", lambda: controls["angle"].value),
        ],
        actions={"Go to the widest": lambda: {"angle": best_angle, "offset": best_offset}},
    )


# --- the kernel's lift -----------------------------------------------------------------------------------------------


def kernel_lift(X, y):
    """Lift two rings out of the plane by their squared radius; see a flat cut appear, and what it is back in 2-D.

    Parameters
    ----------
    X : (n, 2) array_like, within -1.3 and 1.3
    y : (n,) array_like of {-1, 1}

    Returns
    -------
    Explorer
        Controls: lift (height a unit of squared radius), turn and tilt of the view (degrees).
    """
    X, y = np.asarray(X, dtype=float), np.asarray(y)
    squared = (X**2).sum(axis=1)
    corners = REACH * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    around = np.linspace(0, 2 * np.pi, 361)
    circle = np.column_stack([np.cos(around), np.sin(around)])

    figure = theme.figure(width=600, height=400)
    axes = figure.add_subplot(xlim=(-2, 2), ylim=(-1.35, 1.75), aspect="equal", xticks=[], yticks=[])
    axes.set(title="Green: the flat cut, and its trace on the floor")
    axes.spines[:].set_visible(False)
    floor = axes.add_patch(Polygon(np.zeros((4, 2)), facecolor=theme.MUTED, alpha=0.15))
    plane = axes.add_patch(
        Polygon(np.zeros((4, 2)), facecolor=theme.GREEN, edgecolor=theme.GREEN, alpha=0.3, hatch="//")
    )
    (trace,) = axes.plot([], [], color=theme.GREEN, linewidth=3)
    clouds = {sign: axes.plot([], [], linestyle="", markersize=7, **look)[0] for sign, look in LOOKS.items()}

    @cache
    def solve(lift):
        """A linear SVM on (x, y, lift r^2): weights, intercept, training errors."""
        lifted = np.column_stack([X, lift * squared])
        beta, e, _ = svm.smo(lifted @ lifted.T, y, PRICE, max_iter=4 * STEPS)
        w, b = beta @ lifted, svm.intercept(beta, e, y, PRICE)
        wrong = int((y * (lifted @ w + b) <= 0).sum())
        return w, b, wrong

    def update(lift, turn, tilt):
        sin_turn, cos_turn = np.sin(np.radians(turn)), np.cos(np.radians(turn))
        sin_tilt, cos_tilt = np.sin(np.radians(tilt)), np.cos(np.radians(tilt))

        def seen(points, height):
            """Where points of the plane at some height are on the screen; tilt 90 looks from above."""
            right = points @ (cos_turn, -sin_turn)
            deep = points @ (sin_turn, cos_turn)
            return np.column_stack([right, deep * sin_tilt + height * cos_tilt])

        w, b, wrong = solve(lift)
        for sign, cloud in clouds.items():
            cloud.set_data(*seen(X[y == sign], lift * squared[y == sign]).T)
        floor.set_xy(seen(corners, 0))
        separates = wrong == 0
        radius = 0.0
        trace.set_data([], [])
        plane.set_xy(np.zeros((4, 2)))
        if separates:
            plane.set_xy(seen(corners, -(corners @ w[:2] + b) / w[2]))
            # on the floor the cut is w1 x + w2 y + w3 lift r^2 + b = 0, a circle
            centre = -w[:2] / (2 * w[2] * lift)
            radius = np.sqrt(max(centre @ centre - b / (w[2] * lift), 0))
            trace.set_data(*seen(centre + radius * circle, 0).T)
        return {
            "training errors of a flat cut": wrong,
            "margin width in 3-D": round(2 / np.linalg.norm(w), 3),
            "trace on the floor, radius": round(float(radius), 2) if separates else "does not separate",
            "points": len(y),
        }

    controls = {
        "lift": widgets.FloatSlider(0, min=0, max=1, step=0.05, description="lift"),
        "turn": widgets.IntSlider(25, min=-180, max=180, description="turn (degrees)"),
        "tilt": widgets.IntSlider(25, min=0, max=90, description="tilt (degrees, 90 from above)"),
    }
    live = [floor, plane, trace, *clouds.values()]
    return Explorer("What the kernel lifts", figure, controls, live, update)


# --- examples --------------------------------------------------------------------------------------------------------


def examples():
    """Every explorer of this topic, for tests and benchmarks: name -> function that builds it."""
    data = {
        "Iris": datasets.two_species(1, 2, [2, 3]),
        "Rings": datasets.rings(100),
        "XOR": datasets.crossed(100),
    }
    return {
        "margin": lambda: margin(data),
        "widest_street": lambda: widest_street(*datasets.two_species(0, 1, [0, 1])),
        "kernel_lift": lambda: kernel_lift(*datasets.rings(100)),
    }
