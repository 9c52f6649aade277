"""Explorers of topic 01: the margin under your hands, why the widest street is one line, and what a kernel lifts."""

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from contourpy import contour_generator
from matplotlib.colors import to_rgba_array
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path

from .. import datasets, theme
from ..algorithms import svm
from .controls import Choice, LogSlider, Slider, State, Switch, button
from .explorer import Explorer
from .handles import Handle, Points

LOOKS = {1: {"color": theme.VERMILLION, "marker": "s"}, -1: {"color": theme.BLUE, "marker": "o"}}
NAMES = {1: "square", -1: "circle"}
REACH = 1.3  # the plane shown goes from -REACH to REACH
STEPS = 1000  # of SMO an update at most; where they do not suffice, the duality gap says so
HARD = 1e4  # a C that leaves no slack to classes that a plane separates
TINTS = {
    sign: np.average(to_rgba_array([theme.PAPER, look["color"]]), axis=0, weights=[7, 1])
    for sign, look in LOOKS.items()
}
RING = {"linestyle": "", "marker": "o", "markersize": 15, "markerfacecolor": "none", "color": theme.INK}


# --- the margin ------------------------------------------------------------------------------------------------------


class Margin(Explorer):
    """Click to add points, drag them, and watch the boundary, the street and the support vectors follow.

    Parameters
    ----------
    examples : dict of str -> (X, y)
        Data to begin with, the first one at once, each by a button. X, (n, 2), within -1.3 and 1.3; y is -1 or 1.

    Raises
    ------
    ValueError
        If y holds another class, or X lies outside the picture.
    """

    title = "The margin under your hands"
    size = 540, 440

    points = State(())
    C = LogSlider(1.0, 0.01, 100)
    kernel = Choice("linear", ["linear", "rbf", "poly"])
    gamma = LogSlider(1.0, 0.1, 100, label="gamma of rbf", when=lambda values: values["kernel"] == "rbf")
    new_class = Choice(1, {name: sign for sign, name in NAMES.items()}, label="a click adds a")

    def __init__(self, examples):
        self.clouds = {name: _points(X, y) for name, (X, y) in examples.items()}
        self.side = np.linspace(-REACH, REACH, 56)
        self.grid = np.column_stack([axis.ravel() for axis in np.meshgrid(self.side, self.side)])
        self.column = lru_cache(maxsize=4096)(self._column)
        super().__init__(points={"value": next(iter(self.clouds.values()))})

    def buttons(self):
        return {name: lambda values, cloud=cloud: {"points": cloud} for name, cloud in self.clouds.items()}

    def draw(self, figure):
        axes = _plane(figure, "Circled: support vectors, bold where alpha = C")
        axes.set_facecolor(TINTS[-1])
        self.squares_side = self.live(
            axes.add_patch(PathPatch(Path(np.zeros((1, 2))), facecolor=TINTS[1], linewidth=0, zorder=0))
        )
        (self.boundary,) = self.live(axes.plot([], [], color=theme.INK, linewidth=3))
        self.edges = self.live({sign: axes.plot([], [], "--", color=LOOKS[sign]["color"])[0] for sign in LOOKS})
        self.free, self.bound = self.live([axes.plot([], [], **RING, markeredgewidth=width)[0] for width in (1, 2.5)])
        self.cloud = self.live(_clouds(axes))
        self.hand(Points(axes, "points", new=lambda values: (values["new_class"],)))

    def solve(self, points, C, kernel, gamma, new_class):
        X, y = np.array([point[:2] for point in points]).reshape(-1, 2), np.array([point[2] for point in points])
        if len(np.unique(y)) < 2:
            raise ValueError("points must hold both classes; click to add the missing one")
        K = svm.kernel_matrix(X, X, **_options(kernel, gamma))
        beta, e = _climb(K, y, C) if kernel == "linear" else svm.smo(K, y, C, max_iter=STEPS)[:2]
        b = svm.intercept(beta, e, y, C)
        primal, dual = svm.objectives(beta, e, y, C, b)
        columns = [self.column(*points[i][:2], kernel, gamma) for i in np.flatnonzero(beta)]
        plane = np.transpose(columns) @ beta[beta != 0] + b
        return Street(X, y, kernel, C, new_class, beta, y - e + b, beta @ (y - e), primal, dual, plane)

    def show(self, street):
        plane = street.plane.reshape(len(self.side), -1)
        contours = contour_generator(self.side, self.side, plane, fill_type="ChunkCombinedCode")
        (vertices,), (codes,) = contours.filled(0, np.inf)
        self.squares_side.set_path(Path(np.zeros((0, 2)) if vertices is None else vertices, codes))
        for line, level in ((self.boundary, 0), (self.edges[1], 1), (self.edges[-1], -1)):
            line.set_data(*_joined(contours.lines(level)))
        self.free.set_data(*street.X[street.weighs & ~street.is_bound].T)
        self.bound.set_data(*street.X[street.is_bound].T)
        for sign, cloud in self.cloud.items():
            cloud.set_data(*street.X[street.y == sign].T)

    def readouts(self, street):
        margins = street.y * street.scores
        return {
            "street width" + ("" if street.kernel == "linear" else ", feature space"): round(street.width, 2),
            "support vectors": int(street.weighs.sum()),
            "of these at the bound C": int(street.is_bound.sum()),
            "hinge loss, mean": round(float(np.maximum(0, 1 - margins).mean()), 2),
            "training error, %": round(100 * float(np.mean(margins <= 0)), 1),
            "primal objective": float(f"{street.primal:.3g}"),
            "duality gap, of the primal": _coarse(street.gap),
            "points": len(street.y),
            "a click adds a": NAMES[street.new_class],
        }

    def _column(self, x, y, kernel, gamma):
        """Kernel of one point with the whole grid: a drag changes one column of a hundred."""
        return svm.kernel_matrix(self.grid, [[x, y]], **_options(kernel, gamma))[:, 0]


class Street(NamedTuple):
    """A solved SVM: its samples, weights beta, decision values of the samples and of the grid."""

    X: np.ndarray
    y: np.ndarray
    kernel: str
    C: float
    new_class: int
    beta: np.ndarray
    scores: np.ndarray
    squared_norm: float
    primal: float
    dual: float
    plane: np.ndarray

    @property
    def weighs(self):
        return self.beta != 0

    @property
    def is_bound(self):
        return np.abs(self.beta) == self.C

    @property
    def width(self):
        return 2 / np.sqrt(max(self.squared_norm, 1e-12))

    @property
    def gap(self):
        return (self.primal - self.dual) / self.primal


def _options(kernel, gamma):
    return {"kernel": kernel, "gamma": gamma if kernel == "rbf" else 1.0, "coef0": 1.0}


def _climb(K, y, C):
    """SMO from C = 1 up: where no line separates, the solution grows with C, and climbing saves most of the steps."""
    beta, lower = np.zeros(len(y)), 1.0
    for rung in [*(c for c in (1.0, 3.0, 10.0, 30.0) if c < C), C]:
        beta, e, _ = svm.smo(K, y, rung, max_iter=STEPS, beta=beta * (rung / lower))
        lower = rung
    return beta, e


def _coarse(share):
    """A share that rounding errors can steer, in words that they cannot."""
    return "below 1 %" if share < 0.01 else "below 10 %" if share < 0.1 else "above 10 %: not solved in time"


# --- the widest street -----------------------------------------------------------------------------------------------


class WidestStreet(Explorer):
    """Turn and shift a line by hand; its margin beside the best there is.

    Parameters
    ----------
    X : (n, 2) array_like, within -1.3 and 1.3
    y : (n,) array_like of {-1, 1}
        Separable by a line.

    Raises
    ------
    ValueError
        As `Margin`, and if no line separates the classes.
    """

    title = "Why the widest street"
    size = 520, 440

    angle = Slider(0.0, -180, 180, step=0.1, label="angle of the normal", unit="degrees")
    offset = Slider(0.0, -1.5, 1.5, step=0.002, label="distance from (0, 0)")
    show_best = Switch(label="show the widest street")

    def __init__(self, X, y):
        points = np.array(_points(X, y))
        self.X, self.y = points[:, :2], points[:, 2]
        model = svm.SVC(C=HARD, kernel="linear", tol=1e-6).fit(self.X, self.y)
        w, b = model.coef_[0], model.intercept_[0]
        if (model.predict(self.X) != self.y).any():
            raise ValueError("y must be separable by a line; move the samples apart or leave some out")
        self.best = svm.geometric_margin(w, b, self.X, self.y)
        self.best_angle, self.best_offset = float(np.degrees(np.arctan2(w[1], w[0]))), float(-b / np.linalg.norm(w))
        opening = {"angle": round(self.best_angle) + 25.0, "offset": round(self.best_offset, 1)}
        super().__init__(**{name: {"value": value} for name, value in opening.items()})

    def draw(self, figure):
        axes = _plane(figure, "Drag the middle to shift, the end to turn")
        for sign, cloud in _clouds(axes).items():
            cloud.set_data(*self.X[self.y == sign].T)
        (self.street,) = self.live(axes.plot([], [], "-.", color=theme.GREEN, linewidth=2))
        (self.line,) = self.live(axes.plot([], [], color=theme.INK, linewidth=3))
        (self.sides,) = self.live(axes.plot([], [], "--", color=theme.INK, linewidth=1.5))
        (self.nearest,) = self.live(axes.plot([], [], **RING, markeredgewidth=1.5))
        (self.knobs,) = self.live(axes.plot([], [], "D", color=theme.INK, markersize=10))
        self.hand(_End(axes, "angle"), _Middle(axes, "offset"))

    def solve(self, angle, offset, show_best):
        return angle, offset, show_best, self.y * (self.X @ _normal(angle) - offset)

    def show(self, solution):
        angle, offset, show_best, distance = solution
        margin = distance.min()
        self.line.set_data(*_strokes(angle, offset))
        self.sides.set_data(*(_strokes(angle, offset - margin, offset + margin) if margin > 0 else ([], [])))
        self.nearest.set_data(*self.X[_touches(distance)].T)
        self.knobs.set_data(*np.transpose([_foot(angle, offset), _end(angle, offset)]))
        offsets = (self.best_offset - self.best, self.best_offset, self.best_offset + self.best)
        self.street.set_data(*_strokes(self.best_angle, *offsets) if show_best else ([], []))

    def readouts(self, solution):
        distance = solution[-1]
        margin = distance.min()
        return {
            "your margin": round(float(margin), 3),
            "the best margin": round(self.best, 3),
            "yours / best, %": round(100 * margin / self.best, 1),
            "points on the wrong side": int((distance < 0).sum()),
            "points at the street's edge (within 0.01)": int(_touches(distance).sum()) if margin > 0 else 0,
            "does your line separate": "yes" if margin > 0 else "no",
        }

    @button("Go to the widest")
    def go_to_the_widest(self, values):
        return {"angle": self.best_angle, "offset": self.best_offset}


class _Middle(Handle):
    """Slides the line along its normal."""

    def places(self, values):
        return {"middle": tuple(_foot(values["angle"], values["offset"]))}

    def moved(self, values, part, dx, dy):
        return values["offset"] + float(_normal(values["angle"]) @ (dx, dy))


class _End(Handle):
    """Turns the line about (0, 0), at an unchanged distance from it."""

    def places(self, values):
        return {"end": tuple(_end(values["angle"], values["offset"]))}

    def moved(self, values, part, dx, dy):
        x, y = self.places(values)[part]
        turned = np.degrees(np.arctan2(y + dy, x + dx) - np.arctan2(y, x))
        return (values["angle"] + float(turned) + 180) % 360 - 180


def _normal(angle):
    return np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])


def _foot(angle, offset):
    """The line's nearest place to (0, 0)."""
    return offset * _normal(angle)


def _end(angle, offset):
    """A place on the line, 0.8 from its foot, where the hand turns it."""
    return _foot(angle, offset) + 0.8 * _normal(angle + 90)


def _strokes(angle, *offsets):
    """Lines with this normal at these distances from (0, 0), as one line with gaps."""
    along = 4 * _normal(angle + 90)
    return _joined([[_foot(angle, offset) - along, _foot(angle, offset) + along] for offset in offsets])


def _touches(distance):
    """The samples at the edge of the street; of a line that does not separate, those on the wrong side."""
    return distance <= max(distance.min() + 0.01, 0)


# --- the kernel's lift -----------------------------------------------------------------------------------------------


class KernelLift(Explorer):
    """Lift two rings out of the plane by their squared radius; see a flat cut appear, and what it is back in 2-D.

    Parameters
    ----------
    X : (n, 2) array_like, within -1.3 and 1.3
    y : (n,) array_like of {-1, 1}

    Raises
    ------
    ValueError
        As `Margin`.
    """

    title = "What the kernel lifts"
    size = 620, 420

    lift = Slider(0.0, 0, 1, step=0.05, unit="height / radius²")
    turn = Slider(25, -180, 180, unit="degrees")
    tilt = Slider(25, 0, 90, unit="90: from above")

    def __init__(self, X, y):
        points = np.array(_points(X, y))
        self.X, self.y = points[:, :2], points[:, 2]
        self.squared = (self.X**2).sum(axis=1)
        self.corners = REACH * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        self.circle = np.transpose([_normal(np.linspace(0, 360, 361))])[:, :, 0]
        self.cut = cache(self._cut)
        super().__init__()

    def draw(self, figure):
        axes = figure.add_subplot(xlim=(-2, 2), ylim=(-1.35, 1.75), aspect="equal", xticks=[], yticks=[])
        axes.set(title="Green: the flat cut, and its trace on the floor. Drag to turn")
        axes.spines[:].set_visible(False)
        self.floor = self.live(axes.add_patch(Polygon(np.zeros((4, 2)), facecolor=theme.MUTED, alpha=0.15)))
        look = {"facecolor": theme.GREEN, "edgecolor": theme.GREEN, "alpha": 0.3, "hatch": "//"}
        self.plane = self.live(axes.add_patch(Polygon(np.zeros((4, 2)), **look)))
        (self.trace,) = self.live(axes.plot([], [], color=theme.GREEN, linewidth=3))
        self.cloud = self.live(_clouds(axes))
        self.hand(_Turntable(axes, "turn"))

    def solve(self, lift, turn, tilt):
        return lift, View(turn, tilt), self.cut(lift)

    def show(self, solution):
        lift, view, cut = solution
        for sign, cloud in self.cloud.items():
            ours = self.y == sign
            cloud.set_data(*view.seen(self.X[ours], lift * self.squared[ours]).T)
        self.floor.set_xy(view.seen(self.corners, 0))
        self.plane.set_visible(cut.separates)
        self.trace.set_visible(cut.separates)
        if cut.separates:
            self.plane.set_xy(view.seen(self.corners, -(self.corners @ cut.w[:2] + cut.b) / cut.w[2]))
            self.trace.set_data(*view.seen(cut.center + cut.radius * self.circle, 0).T)

    def readouts(self, solution):
        cut = solution[-1]
        return {
            "training errors of a flat cut": cut.wrong,
            "street width in 3-D": round(2 / np.linalg.norm(cut.w), 2) if cut.separates else "none separates",
            "trace on the floor, radius": round(cut.radius, 2) if cut.separates else "none",
            "points": len(self.y),
        }

    def _cut(self, lift):
        """The widest street in (x, y, lift r^2); in the plane, where there is none, a soft one."""
        lifted, C = np.column_stack([self.X, lift * self.squared]), HARD if lift else 1.0
        beta, e, _ = svm.smo(lifted @ lifted.T, self.y, C, max_iter=6 * STEPS)
        w, b = beta @ lifted, svm.intercept(beta, e, self.y, C)
        return Cut(lift, w, b, int((self.y * (lifted @ w + b) <= 0).sum()))


class Cut(NamedTuple):
    """A plane w z + b = 0 through the lifted samples, and how many of them lie on its wrong side."""

    lift: float
    w: np.ndarray
    b: float
    wrong: int

    @property
    def separates(self):
        return self.wrong == 0

    @property
    def center(self):
        """On the floor the cut is w1 x + w2 y + w3 lift r^2 + b = 0, a circle."""
        return -self.w[:2] / (2 * self.w[2] * self.lift)

    @property
    def radius(self):
        return float(np.sqrt(max(self.center @ self.center - self.b / (self.w[2] * self.lift), 0)))


class View(NamedTuple):
    """Where one stands, in degrees; tilt 90 looks from above."""

    turn: float
    tilt: float

    def seen(self, points, height):
        """Where points of the plane at some height are on the screen."""
        (across, into), (over, up) = _normal(self.turn), _normal(self.tilt)
        right, deep = points @ (across, -into), points @ (into, across)
        return np.column_stack([right, deep * up + height * over])


class _Turntable(Handle):
    """Turns the scene, wherever it is grabbed."""

    def places(self, values):
        return {"scene": (np.nan, np.nan)}

    def moved(self, values, part, dx, dy):
        return values["turn"] + 60 * dx  # the near side follows the hand


# --- what the three share --------------------------------------------------------------------------------------------


def examples():
    """Every explorer of this topic, for tests and benchmarks: name -> function that builds it."""
    data = {
        "Iris": datasets.two_species(1, 2, [2, 3]),
        "Rings": datasets.rings(100),
        "XOR": datasets.crossed(100),
    }
    return {
        "Margin": lambda: Margin(data),
        "WidestStreet": lambda: WidestStreet(*datasets.two_species(0, 1, [0, 1])),
        "KernelLift": lambda: KernelLift(*datasets.rings(100)),
    }


def _points(X, y):
    """Check the samples and return them as a tuple of (x, y, class)."""
    svm.hinge_loss(y, np.zeros(len(y)))  # refuses other classes
    if np.shape(X) != (len(y), 2) or np.abs(X).max() > REACH:
        raise ValueError(f"X must hold {len(y)} rows of 2 numbers from -{REACH} to {REACH}; scale it first")
    return tuple((float(a), float(b), int(sign)) for (a, b), sign in zip(X, y, strict=True))


def _plane(figure, title):
    limits = {"xlim": (-REACH, REACH), "ylim": (-REACH, REACH), "aspect": "equal"}
    return figure.add_subplot(title=title, xlabel="x", ylabel="y", xticks=[-1, 0, 1], yticks=[-1, 0, 1], **limits)


def _clouds(axes):
    return {sign: axes.plot([], [], linestyle="", markersize=8, **look)[0] for sign, look in LOOKS.items()}


def _joined(lines):
    """Several lines as one, with gaps."""
    return np.concatenate([np.vstack([line, [np.nan, np.nan]]) for line in lines] or [np.empty((0, 2))]).T
