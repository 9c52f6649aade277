"""Explorers of topic 08: a graph whose inputs are dragged, and the gradient on its way through a deep network."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from .. import datasets, theme
from ..algorithms.backpropagation import Value, layer_gradients
from ..validation import check_array
from .controls import Choice, LogSlider, Slider, Switch, button
from .explorer import Explorer
from .handles import Handle, Line

# --- a graph ---------------------------------------------------------------------------------------------------------

WIDTH, HEIGHT = 690, 400  # of the picture, whose axes count in pixels
BOX, TALL = 74, 62  # of a node


class Formula(NamedTuple):
    """How a graph is made and drawn.

    Attributes
    ----------
    build : callable
        From the Values of the inputs to {name: Value}, each after its parents, the output last.
    places : dict of str -> (x, y)
        Where each node stands, inputs included, in pixels.
    """

    build: Callable
    places: dict


def _two_sums(a, b):
    s, t = a + b, b + 1
    return {"s = a + b": s, "t = b + 1": t, "y = s t": s * t}


def _neuron(a, b, c):
    p = a * b
    z = p + c
    s = z.sigmoid()
    e = s - 1
    return {"p = a b": p, "z = p + c": z, "s = σ(z)": s, "e = s - 1": e, "L = e²": e**2}


def _switch(a, b, c):
    p = a * b
    z = p + c
    r = z.relu()
    return {"p = a b": p, "z = p + c": z, "r = relu z": r, "y = r b": r * b}


def _two_logits(a, b):
    u, v, n = a.exp(), b.exp(), -a
    s = u + v
    m = s.log()
    return {"u = exp a": u, "v = exp b": v, "n = -a": n, "s = u + v": s, "m = log s": m, "L = m + n": m + n}


def _columns(count):
    """The middles of so many columns."""
    return np.linspace(BOX / 2 + 8, WIDTH - BOX / 2 - 8, count)


def _placed(names, columns, heights):
    places = _columns(max(columns) + 1)
    return {name: (places[column], y) for name, column, y in zip(names, columns, heights, strict=True)}


FORMULAS = {
    "(a + b) (b + 1)": Formula(
        _two_sums,
        _placed(["a", "b", "s = a + b", "t = b + 1", "y = s t"], [0, 0, 1, 1, 2], [300, 100, 300, 100, 200]),
    ),
    "a neuron: (σ(a b + c) - 1)²": Formula(
        _neuron,
        _placed(
            ["a", "b", "c", "p = a b", "z = p + c", "s = σ(z)", "e = s - 1", "L = e²"],
            [0, 0, 1, 1, 2, 3, 4, 5],
            [330, 190, 70, 260, 165, 165, 165, 165],
        ),
    ),
    "a switch: relu(a b + c) b": Formula(
        _switch,
        _placed(
            ["a", "b", "c", "p = a b", "z = p + c", "r = relu z", "y = r b"],
            [0, 0, 1, 1, 2, 3, 4],
            [330, 60, 170, 330, 250, 250, 130],
        ),
    ),
    "two logits: log(exp a + exp b) - a": Formula(
        _two_logits,
        _placed(
            ["a", "b", "u = exp a", "v = exp b", "n = -a", "s = u + v", "m = log s", "L = m + n"],
            [0, 0, 1, 1, 1, 2, 3, 4],
            [250, 70, 210, 70, 350, 140, 140, 250],
        ),
    ),
}
INPUTS = {"a": 2.0, "b": 1.0, "c": -1.0}
BACKWARD = "backward, from the output"
DIRECTIONS = (BACKWARD, *(f"forward, from {name}" for name in INPUTS))


def _used(name):
    """Whether the formula has this input, as a control's `when`."""
    return lambda values: name in FORMULAS[values["formula"]].places


class Graph(Explorer):
    """Values run forward through a graph and derivatives through the same wires; every wire shows its slope.

    Backward, a node's derivative is that of the output with respect to the node. Forward, it is that of the node with
    respect to one input. Wires of nodes whose value differs from the opening one are thick.
    """

    title = "A graph, forward and backward"
    size = WIDTH, HEIGHT
    plays = "step"

    formula = Choice(next(iter(FORMULAS)), list(FORMULAS))
    direction = Choice(BACKWARD, DIRECTIONS, label="derivatives")
    a = Slider(INPUTS["a"], -3, 3, step=0.1)
    b = Slider(INPUTS["b"], -3, 3, step=0.1)
    c = Slider(INPUTS["c"], -3, 3, step=0.1, when=_used("c"))
    step = Slider(3, 0, 12)

    def draw(self, figure):
        axes = figure.add_subplot(xlim=(0, WIDTH), ylim=(0, HEIGHT))
        axes.axis("off")
        self.wires = self.live([axes.plot([], [], color=theme.MUTED, linestyle="-")[0] for _ in range(9)])
        self.boxes = self.live([axes.add_patch(Rectangle((0, 0), BOX, TALL, zorder=3)) for _ in range(8)])
        self.turn = self.live(axes.add_patch(Rectangle((0, 0), BOX + 10, TALL + 10, fill=False, lw=3, ec=theme.ORANGE)))
        self.blanks = _Ink(axes, theme.PAPER, 2.5)  # under the words on a wire
        self.black, self.blue, self.red = (_Ink(axes, color, 4) for color in (theme.INK, theme.BLUE, theme.VERMILLION))
        self.inks = self.blanks, self.black, self.blue, self.red
        self.live([ink.artist for ink in self.inks])
        note = {"fontsize": 10, "color": theme.MUTED, "va": "bottom"}
        axes.text(4, 2, "box: name, value, d = derivative", ha="left", **note)
        axes.text(WIDTH - 4, 2, "wire: ×slope, below it what came through", ha="right", **note)
        self.hand(_Boxes(axes))

    def highest(self, values):
        """A step for each operation, and on the way back one more for each."""
        operations = len(_computed(values["formula"], **INPUTS)[1])
        return {"step": operations if values["direction"] != BACKWARD else 2 * operations}

    def solve(self, formula, direction, a, b, c, step):
        inputs, operations = _computed(formula, a, b, c)
        before = {name: node.data for group in _computed(formula, **INPUTS) for name, node in group.items()}
        names = list(operations)
        known = {*inputs, *names[:step]}
        nodes = inputs | operations
        if direction == BACKWARD:
            derivatives, passed = _backward(nodes, step - len(names))
        else:
            derivatives, passed = _forward(inputs, operations, direction[-1], known)
        wires = _wires(nodes)
        waiting = {tail for tail, head, _ in wires if direction == BACKWARD and head not in passed}
        moved = {name for name, node in nodes.items() if node.data != before[name]}
        turn = (passed or names[: min(step, len(names))] or [None])[-1]
        return _Standing(formula, direction, step, nodes, wires, known, derivatives, passed, waiting, moved, turn)

    def show(self, standing):
        for artist in (*self.wires, *self.boxes):
            artist.set_visible(False)
        for i, (tail, head, slope) in enumerate(standing.wires):
            self._show_wire(i, standing, tail, head, slope)
        for i, name in enumerate(standing.nodes):
            self._show_node(i, standing, name)
        for ink in self.inks:
            ink.dry()
        self.turn.set_visible(standing.turn is not None)
        if standing.turn:
            self.turn.set_xy(np.subtract(FORMULAS[standing.formula].places[standing.turn], (BOX / 2 + 5, TALL / 2 + 5)))

    def _show_wire(self, i, standing, tail, head, slope):
        places = FORMULAS[standing.formula].places
        start = np.add(places[tail], (BOX / 2, 0))
        end = np.subtract(places[head], (BOX / 2, 0))
        moved = tail in standing.moved
        self.wires[i].set_data(*np.transpose([start, end]))
        self.wires[i].set(color=theme.BLUE if moved else theme.MUTED, linewidth=4 if moved else 1.5, visible=True)
        x, y = (start + end) / 2
        if head in standing.known:
            self._label(self.black, (x, y + 9), f"×{_short(slope)}")
        source = head if standing.direction == BACKWARD else tail
        if head in standing.passed:
            self._label(self.red, (x, y - 9), _short(slope * standing.derivatives[source]))

    def _label(self, ink, place, words):
        width = ink.write(place, words, 12)
        self.blanks.block(place, width + 4, 15)

    def _show_node(self, i, standing, name):
        x, y = FORMULAS[standing.formula].places[name]
        moved = name in standing.moved
        self.boxes[i].set(xy=(x - BOX / 2, y - TALL / 2), visible=True, facecolor=theme.PAPER)
        self.boxes[i].set(edgecolor=theme.BLUE if moved else theme.INK, linewidth=3 if moved else 1.2)
        known, derivative = name in standing.known, standing.derivatives.get(name)
        written = "" if derivative is None else f"d {_short(derivative)}" + ("+?" if name in standing.waiting else "")
        self.black.write((x, y + 19), f"{name}  ↕" if name in INPUTS else name, 13)
        self.blue.write((x, y), _short(standing.nodes[name].data) if known else "?", 15)
        self.red.write((x, y - 19), written, 15)

    def readouts(self, standing):
        *_, output = standing.nodes
        inputs = [name for name in standing.nodes if name in INPUTS]
        operations, backward = len(standing.nodes) - len(inputs), standing.direction == BACKWARD
        done = standing.step - operations
        said = {"step": f"forward {standing.step} of {operations}" if done <= 0 else f"backward {done} of {operations}"}
        said["output"] = round(standing.nodes[output].data, 6) if output in standing.known else "not yet"
        for name in inputs:
            derivative = standing.derivatives.get(name if backward else output)
            if not backward and name != standing.direction[-1]:
                said[f"d output / d {name}"] = "another pass"
            elif derivative is None or (backward and name in standing.waiting):
                said[f"d output / d {name}"] = "not yet"
            else:
                said[f"d output / d {name}"] = round(derivative, 6) + 0.0
        said["values that differ from the opening"] = f"{len(standing.moved)} of {len(standing.nodes)}"
        return said | {"passes for all derivatives": 1 if backward else len(inputs)}

    @button("To the output")
    def to_the_output(self, values):
        return {"step": len(_computed(values["formula"], **INPUTS)[1])}

    @button("All the way")
    def all_the_way(self, values):
        return self.highest(values)


class _Standing(NamedTuple):
    """How far the passes are: nodes and wires by name, which are known, and what the derivatives are so far."""

    formula: str
    direction: str
    step: int
    nodes: dict
    wires: list
    known: set
    derivatives: dict
    passed: list
    waiting: set
    moved: set
    turn: str | None


class _Boxes(Handle):
    """The boxes of the inputs: dragging one up raises its value."""

    cursor = "ns-resize"

    def __init__(self, axes):
        super().__init__(axes, tuple(INPUTS))

    def places(self, values):
        return {name: place for name, place in FORMULAS[values["formula"]].places.items() if name in INPUTS}

    def around(self, values, x, y):
        for name, (left, bottom) in self.places(values).items():
            if abs(x - left) <= BOX / 2 and abs(y - bottom) <= TALL / 2:
                return name
        return None

    def moved(self, values, part, dx, dy):
        return tuple(values[name] + (dx + dy) / 50 if name == part else values[name] for name in INPUTS)


def _computed(formula, a, b, c):
    """The inputs and the operations of a formula, name -> Value."""
    build, places = FORMULAS[formula]
    inputs = {name: Value(number) for name, number in {"a": a, "b": b, "c": c}.items() if name in places}
    return inputs, build(*inputs.values())


def _wires(nodes):
    """(tail, head, slope) of every wire between two nodes that are drawn: constants are not."""
    names = {node: name for name, node in nodes.items()}
    return [
        (names[parent], name, slope)
        for name, node in nodes.items()
        for parent, slope in zip(node.parents, node.slopes, strict=True)
        if parent in names
    ]


def _backward(nodes, steps):
    """The gradients after so many operations have handed theirs on, name -> number, and the names of these in order."""
    names, passed = {node: name for name, node in nodes.items()}, []
    *_, output = nodes.values()
    if steps <= 0:
        return {}, passed
    for node in output.backward_steps():
        if node.parents and node in names:
            passed.append(names[node])
        if len(passed) == steps:
            break
    reached = {parent for name in passed for parent in nodes[name].parents} | {output}
    return {names[node]: node.grad for node in reached if node in names}, passed


def _forward(inputs, operations, source, known):
    """The derivative of every node that is known with respect to one input, and the operations that it went through."""
    derivatives = {name: float(name == source) for name in inputs}
    by_node = {node: derivatives[name] for name, node in inputs.items()}
    for name, node in operations.items():
        if name in known:
            wires = zip(node.parents, node.slopes, strict=True)
            derivatives[name] = by_node[node] = sum(slope * by_node.get(parent, 0.0) for parent, slope in wires)
    return derivatives, [name for name in operations if name in known]


class _Ink:
    """Words of one color as a single artist: forty texts, drawn one by one, would take longer than a frame."""

    def __init__(self, axes, color, zorder):
        self.artist = axes.add_patch(PathPatch(Path(np.zeros((1, 2))), facecolor=color, linewidth=0, zorder=zorder))
        self._pieces = []

    def write(self, place, words, size):
        """Write words around a place, `size` pixels high; return their width."""
        letters = [_letter(letter, size) for letter in words]
        width = sum(advance for *_, advance in letters)
        x, y = place[0] - width / 2, place[1] - 0.36 * size  # capitals and digits are 0.73 of the size high
        for corners, codes, advance in letters:
            self._pieces.append((np.add(corners, (x, y)), codes))
            x += advance
        return width

    def block(self, place, width, height):
        """Fill a rectangle around a place."""
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * [width / 2, height / 2]
        self._pieces.append((corners + place, np.array([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY])))

    def dry(self):
        """Show all that was written since the last time."""
        corners, codes = zip(*self._pieces, strict=True) if self._pieces else ([np.zeros((1, 2))], [[Path.MOVETO]])
        self.artist.set_path(Path(np.concatenate(corners), np.concatenate(codes)))
        self._pieces = []


@cache
def _letter(letter, size):
    """The outline of a letter, its codes, and how far it moves the next one."""
    font = FontProperties(size=size)
    outline, codes = text_to_path.get_text_path(font, letter)
    wide, narrow = (text_to_path.get_text_width_height_descent(t, font, False)[0] for t in (f"0{letter}0", "00"))
    scaled = np.reshape(outline, (-1, 2)) * size / text_to_path.FONT_SCALE
    return scaled, np.array(codes, dtype=Path.code_type), wide - narrow


def _short(number):
    """A number in at most five characters or so."""
    rounded = round(number, 2) + 0.0  # plus 0: no "-0.00"
    return f"{rounded:.2f}" if abs(number) < 9.995 else f"{number:.1f}" if abs(number) < 999.5 else f"{number:.0e}"


# --- depth -----------------------------------------------------------------------------------------------------------

DEEPEST = 30
ACTIVATIONS = {  # name -> look
    "sigmoid": {"color": theme.VERMILLION, "marker": "o", "linestyle": "-"},
    "tanh": {"color": theme.BLUE, "marker": "s", "linestyle": "--"},
    "relu": {"color": theme.GREEN, "marker": "^", "linestyle": ":"},
}


class Depth(Explorer):
    """How large the gradient is at each layer of an untrained network, for three activations at once, and why.

    As many units per layer as X has columns, biases 0, weights normal with a standard deviation of gain / sqrt(units).
    The gradient that arrives at the output is normal too, of size 1 per entry; sizes are root mean squares.

    Parameters
    ----------
    X : (n, d) array_like
        Samples; what they are shifted and scaled to has mean 0 and standard deviation 1.

    Raises
    ------
    ValueError
        If X is not a table of finite numbers that differ.
    """

    title = "The gradient by depth"
    size = 660, 350

    gain = LogSlider(1, 10**-0.3, 10, step=0.025)
    depth = Slider(4, 1, DEEPEST, unit="layers")
    skip = Switch(label="skip connections")

    def __init__(self, X):
        X = check_array("X", X, ndim=2)
        if X.std() == 0:
            raise ValueError("X must hold numbers that differ")
        rng, units = np.random.default_rng(0), X.shape[1]
        self._X = (X - X.mean()) / X.std()
        self._weights = rng.normal(size=(DEEPEST, units, units)) / np.sqrt(units)
        self._arrives = rng.normal(size=X.shape)
        self._sizes = cache(self._sizes_of)
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="Gradient, root mean square", xlabel="layer", yscale="log", ylim=(1e-20, 1e20))
        left.set_yticks([1e-20, 1e-10, 1, 1e10, 1e20], ["1e-20", "1e-10", "1", "1e10", "1e20"])
        right.set(title="Slope, root mean square", xlabel="layer", ylim=(0, 1.05), yticks=[0, 0.25, 0.5, 0.71, 1])
        self.gradients, self.slopes = {}, {}
        for axes, lines in ((left, self.gradients), (right, self.slopes)):
            axes.set_xlim(-0.5, DEEPEST + 0.5)
            axes.grid()
            for name, look in ACTIVATIONS.items():
                lines[name] = self.live(axes.plot([], [], ms=5, **look))[0]
        self.ends = self.live([axes.axvline(1, color=theme.INK, linewidth=2) for axes in (left, right)])
        self.hand(Line(left, "depth"), Line(right, "depth"))
        figure.legend(self.slopes.values(), self.slopes, loc="outside upper center", ncols=3)

    def solve(self, gain, depth, skip):
        return depth, {name: self._sizes(name, gain, depth, skip) for name in ACTIVATIONS}

    def _sizes_of(self, activation, gain, depth, skip):
        """Root mean squares: of the gradient before and after every layer, and of every layer's slopes."""
        weights = list(gain * self._weights[:depth])
        gradients, slopes = layer_gradients(weights, self._X, self._arrives, activation, skip)
        return _root_mean_squares(gradients), _root_mean_squares(slopes)

    def show(self, solution):
        depth, sizes = solution
        for name, (gradients, slopes) in sizes.items():
            self.gradients[name].set_data(range(depth + 1), np.maximum(gradients, 1e-300))
            self.slopes[name].set_data(range(1, depth + 1), slopes)
        for end in self.ends:
            end.set_xdata([depth, depth])

    def readouts(self, solution):
        depth, sizes = solution
        said = {"layers": depth}
        for name, (gradients, _) in sizes.items():
            share = gradients[0] / gradients[-1]
            said[f"first / last, {name}"] = f"{share:.0e}"
            said[f"factor per layer, {name}"] = round(float(share ** (1 / depth)), 2)
        return said


def _root_mean_squares(arrays):
    return np.array([np.sqrt(np.mean(array**2)) for array in arrays])


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {"Graph": Graph, "Depth": lambda: Depth(datasets.digits().X[:32])}
