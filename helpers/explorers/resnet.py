"""Explorers of topic 21: plain and residual networks of growing depth, and blocks that are switched to the identity."""

from functools import cache
from itertools import pairwise

import numpy as np
import torch

from .. import datasets, theme
from ..algorithms.resnet import SmallNets, gradient_norms, train_small
from .controls import Choice, Slider, State, Switch, button
from .explorer import Explorer
from .handles import Handle, Line

DEPTHS, SEEDS, STEPS = {8: 3, 20: 9, 44: 21}, (0, 1, 2), 50  # depth -> blocks
KINDS = "plain", "residual"
LOOKS = {"plain": (theme.VERMILLION, "s", "--"), "residual": (theme.BLUE, "o", "-")}


class Depth(Explorer):
    """Train plain and residual networks with the same parameters and the same start, three of each.

    Left the loss on the mini-batches, each point the mean of five; right the gradient of each block's first weights
    before training. All have batch norm, and dense layers in place of convolutions. The data are 600 digits.

    Parameters
    ----------
    x, y : (n, 64) and (n,) tensors
    """

    title = "Depth, plain and residual"
    size = 690, 370
    plays = "step"

    depth = Choice(8, list(DEPTHS), label="depth", unit="layers")
    step = Slider(10, 5, STEPS, step=5)
    gradients = Switch(label="show the gradients at the start")

    def __init__(self, x, y):
        self.found = {depth: _train_both(x, y, blocks) for depth, blocks in DEPTHS.items()}
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2)
        left.set(title="Training loss (nats)", xlabel="step", xlim=(0, STEPS + 2), ylim=(0, 9))
        right.set(title="Gradient of each block, step 0", xlabel="block", xlim=(0, 22), yscale="log", ylim=(0.1, 4000))
        self.curves, self.norms = {}, {}
        for kind, (color, marker, dashes) in LOOKS.items():
            look = {"color": color, "marker": marker, "linestyle": dashes, "ms": 4, "linewidth": 1.5}
            self.curves[kind] = self.live([left.plot([], [], **look)[0] for _ in SEEDS])
            self.norms[kind] = self.live([right.plot([], [], **look)[0] for _ in SEEDS])
            self.curves[kind][0].set_label(f"{kind}, 3 starts")
        figure.legend(handles=[self.curves[kind][0] for kind in KINDS], loc="outside upper center", ncols=2)
        for axes in (left, right):
            axes.grid()
        self.cursor = self.live(left.axvline(10, color=theme.INK, linewidth=2))
        self.hand(Line(left, "step"))

    def solve(self, depth, step, gradients):
        found = self.found[depth]
        return step, {kind: found[kind][0][:, : step // 5] for kind in KINDS}, found if gradients else None, found

    def show(self, solution):
        step, curves, gradients, _ = solution
        for kind in KINDS:
            for seed in range(len(SEEDS)):
                self.curves[kind][seed].set_data(range(5, step + 1, 5), curves[kind][seed])
                norms = gradients[kind][1][:, seed] if gradients else []
                self.norms[kind][seed].set_data(range(1, len(norms) + 1), norms)
        self.cursor.set_xdata([step, step])

    def readouts(self, solution):
        step, curves, gradients, found = solution
        said = {"step": step}
        for kind in KINDS:
            said[f"{kind}: loss, mean of 3"] = round(float(curves[kind][:, -1].mean()), 1)
        for kind in KINDS if step == STEPS else ():
            said[f"{kind}: training error, mean of 3"] = round(float(found[kind][2].mean()), 1)
        for kind in KINDS if gradients else ():
            norms = gradients[kind][1].mean(axis=1)
            said[f"{kind}: gradient, first block / last"] = float(f"{norms[0] / norms[-1]:.1g}")
        return said


def _train_both(x, y, blocks):
    """For each kind the losses, (3, steps / 5), the gradient norms at the start, (blocks, 3), the training error."""
    nets = SmallNets(blocks, [False] * 3 + [True] * 3, SEEDS * 2)
    norms = gradient_norms(nets, x[:200], y[:200]).numpy()
    run = torch.stack(list(train_small(nets, x, y, steps=STEPS))).numpy()
    means = run.T.reshape(6, STEPS // 5, 5).mean(axis=2)
    wrong = training_error(nets, x, y)
    return {kind: (means[part], norms[:, part], wrong[part]) for kind, part in zip(KINDS, _HALVES, strict=True)}


_HALVES = slice(0, 3), slice(3, 6)


def training_error(nets, x, y):
    """The share of wrong answers of each network, with the statistics of all samples."""
    with torch.no_grad():
        return (nets(x).argmax(dim=2) != y).double().mean(dim=1).numpy()


# --- switches --------------------------------------------------------------------------------------------------------

BLOCKS, TRAINED = 9, 80


class Identity(Explorer):
    """Switch blocks of a trained network to the identity: what comes in is passed on, in a plain network too.

    Click a bar to switch its block. The bar is the size of what the block computes beside the size of what comes in.

    Parameters
    ----------
    x, y : (n, 64) and (n,) tensors
        They train the networks; the accuracy is on these samples.
    """

    title = "Switch a trained block to the identity"
    size = 690, 370

    kind = Choice("residual", list(KINDS))
    off = State((), label="blocks off")

    def __init__(self, x, y):
        self.x, self.y = x[:300], y[:300]
        self.nets = SmallNets(BLOCKS, [False, True], (0, 0))
        for _ in train_small(self.nets, x, y, steps=TRAINED):
            pass
        self.accuracy, self.sizes = cache(self._accuracy), self._sizes()
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        left.set(title="Click a block to switch it off", xlabel="block", ylabel="size of F(x) / size of x")
        left.set(xlim=(0.4, BLOCKS + 0.6), ylim=(0, 1.8), xticks=range(1, BLOCKS + 1))
        bars = left.bar(range(1, BLOCKS + 1), np.ones(BLOCKS), color=theme.BLUE, edgecolor=theme.INK, width=0.7)
        self.bars = self.live(list(bars))
        (self.crosses,) = self.live(left.plot([], [], "X", color=theme.VERMILLION, ms=13, linestyle=""))
        right.set(title="Accuracy on training digits", xlim=(-0.6, 1.6), ylim=(0, 1.05))
        right.set_xticks([0, 1], ["all on", "now"])
        right.axhline(0.1, color=theme.MUTED, linestyle=":", linewidth=2)
        self.results = self.live(list(right.bar([0, 1], [1, 1], color=[theme.MUTED, theme.BLUE], width=0.6)))
        right.grid(axis="y")
        self.hand(_Blocks(left, "off"))

    @button("All on")
    def all_on(self, values):
        return {"off": ()}

    @button("Next one off")
    def next_off(self, values):
        rest = [block for block in range(BLOCKS, 0, -1) if block not in values["off"]]
        return {"off": tuple(sorted((*values["off"], *rest[:1])))}

    def solve(self, kind, off):
        return kind, off, self.accuracy(kind, ()), self.accuracy(kind, off)

    def show(self, solution):
        kind, off, before, now = solution
        for number, (bar, size) in enumerate(zip(self.bars, self.sizes[kind], strict=True), start=1):
            bar.set_height(0.05 if number in off else min(size, 1.8))
        self.crosses.set_data(off, [0.15] * len(off))
        for bar, height in zip(self.results, (before, now), strict=True):
            bar.set_height(height)

    def readouts(self, solution):
        _, off, before, now = solution
        return {
            "blocks off": ", ".join(map(str, off)) or "none",
            "accuracy, all on": f"{before:.1f}",
            "accuracy now": f"{now:.1f}",
        }

    def _accuracy(self, kind, off):
        self.nets.on = [0.0 if block in off else 1.0 for block in range(1, BLOCKS + 1)]
        wrong = training_error(self.nets, self.x, self.y)[KINDS.index(kind)]
        self.nets.on = [1.0] * BLOCKS
        return 1 - float(wrong)

    def _sizes(self):
        """Root mean square of what each block computes over that of what comes in, per kind."""
        with torch.no_grad():
            maps = self.nets.features(self.x)
            computed = [block(x) for block, x in zip(self.nets.blocks, maps, strict=False)]
        sizes = {}
        for i, kind in enumerate(KINDS):
            sizes[kind] = [
                float(f[i].square().mean().sqrt() / x[i].square().mean().sqrt().clamp(min=1e-9))
                for f, (x, _) in zip(computed, pairwise(maps), strict=True)
            ]
        return sizes


class _Blocks(Handle):
    """A click on a bar switches its block."""

    def places(self, values):
        return {}

    def added(self, values, x, y):
        block = round(x)
        if not 1 <= block <= BLOCKS:
            return None
        off = set(values[self.name]) ^ {block}
        return tuple(sorted(off)), block

    def moved(self, values, part, dx, dy):
        return values[self.name]


def small_digits(n=600):
    """The first n digits in a random order as (n, 64) and (n,) tensors, pixels from 0 to 1."""
    digits = datasets.digits()
    order = np.random.default_rng(0).permutation(len(digits.X))[:n]
    return torch.tensor(digits.X[order] / 16, dtype=torch.float32), torch.tensor(digits.y[order])


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {"Depth": lambda: Depth(*small_digits()), "Identity": lambda: Identity(*small_digits())}
