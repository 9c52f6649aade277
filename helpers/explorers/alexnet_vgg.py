"""Explorers of topic 19: where parameters, multiply-adds and activations sit, and small kernels in a row."""

from functools import cache

import numpy as np
import torch

from .. import datasets, theme
from ..algorithms.alexnet_vgg import VGG, alexnet, kernel_stack, layer_table, vgg
from .controls import Choice, Slider, State
from .explorer import Explorer
from .handles import Line, Points

NETWORKS = {"AlexNet": alexnet} | {f"VGG-{depth}": lambda depth=depth: vgg(depth) for depth in VGG}
COUNTS = {"parameters": "parameters", "multiply-adds": "macs", "activations": "activations"}
MARKS = {"parameters": "o", "multiply-adds": "s", "activations": "^"}
COLORS = {"parameters": theme.VERMILLION, "multiply-adds": theme.BLUE, "activations": theme.GREEN}
DEEPEST = max(VGG)
BYTES = 4  # of a number in float32


@cache
def tables():
    """The layers of each network, by its name; no weights are allocated."""
    with torch.device("meta"):
        return {name: layer_table(build()) for name, build in NETWORKS.items()}


def training_memory(table, batch):
    """Bytes that training with momentum holds: three numbers per parameter, two per activation and image."""
    parameters, activations = (sum(getattr(layer, name) for layer in table) for name in ("parameters", "activations"))
    return BYTES * (3 * parameters + 2 * batch * activations)


class Costs(Explorer):
    """Layer by layer: the share of the network's parameters, multiply-adds or activations, and the sums so far."""

    title = "Where the costs sit"
    size = 660, 400
    plays = "layer"

    network = Choice("VGG-16", list(NETWORKS))
    count = Choice("parameters", list(COUNTS), label="bars show")
    layer = Slider(2, 1, DEEPEST)
    batch = Slider(32, 1, 256, unit="images")

    def draw(self, figure):
        top, bottom = figure.subplots(2, 1, sharex=True)
        top.set(xlim=(0.3, DEEPEST + 0.7), ylim=(0, 1), ylabel="share of this layer")
        bottom.set(ylim=(0, 1.05), ylabel="share so far", xlabel="layer with weights")
        bottom.set_xticks(range(1, DEEPEST + 1, 2))
        for axes in (top, bottom):
            axes.set_yticks([0, 0.5, 1], ["0", "half", "all"])
            axes.grid(axis="y")
        self.bars = self.live(list(top.bar(range(1, DEEPEST + 1), 0, width=0.8)))
        self.sums = self.live(
            {
                name: bottom.plot([], [], marker=MARKS[name], color=COLORS[name], ms=6, label=name, linestyle="-")[0]
                for name in COUNTS
            }
        )
        figure.legend(handles=list(self.sums.values()), loc="outside upper center", ncols=3)
        self.cursors = self.live([axes.axvline(1, color=theme.INK, linewidth=2) for axes in (top, bottom)])
        self.hand(Line(top, "layer"), Line(bottom, "layer"))

    def highest(self, values):
        return {"layer": len(tables()[values["network"]])}

    def solve(self, network, count, layer, batch):
        table = tables()[network]
        shares = {}
        for name, field in COUNTS.items():
            values = np.array([getattr(row, field) for row in table], dtype=float)
            shares[name] = values / values.sum()
        return table, count, layer, shares, training_memory(table, batch)

    def show(self, solution):
        table, count, layer, shares, _ = solution
        for place, bar in enumerate(self.bars):
            shown = place < layer
            bar.set_height(shares[count][place] if shown else 0)
            dense = shown and table[place].name.startswith("dense")
            bar.set(facecolor=COLORS[count], edgecolor=theme.INK, linewidth=shown, hatch="//" if dense else "")
        for name, line in self.sums.items():
            line.set_data(np.arange(1, layer + 1), np.cumsum(shares[name][:layer]))
        for cursor in self.cursors:
            cursor.set_xdata([layer, layer])

    def readouts(self, solution):
        table, count, layer, shares, memory = solution
        row = table[layer - 1]
        so_far = ", ".join(f"{100 * share[:layer].sum():.0f}" for share in shares.values())
        return {
            "layer (hatched: dense)": row.name,
            "puts out": " x ".join(map(str, row.shape)),
            "parameters": row.parameters,
            "multiply-adds": row.macs,
            "activations": row.activations,
            f"share of all {count} (%)": round(100 * shares[count][layer - 1], 1),
            "so far: parameters, multiply-adds, activations (%)": so_far,
            "training holds, whole network (MB)": round(memory / 1e6),
        }


class Stacks(Explorer):
    """Small kernels in a row: what an output sees of a photograph, and the weights beside those of one large kernel.

    Parameters
    ----------
    picture : (rows, columns) ndarray
        Gray, from 0 to 1.
    """

    title = "Small kernels in a row"
    size = 680, 360
    plays = "layers"

    kernel = Choice(3, [3, 5, 7], label="kernel side", unit="pixels")
    layers = Slider(1, 1, 5)
    channels = Slider(64, 16, 512, step=16)
    place = State(((48.0, 32.0),))

    def __init__(self, picture):
        self.picture = picture
        super().__init__()

    def draw(self, figure):
        left, right = figure.subplots(1, 2, width_ratios=[5, 4])
        left.imshow(self.picture, cmap="gray", vmin=0, vmax=1)
        left.set(title="What one output sees, layer by layer", xticks=[], yticks=[])
        right.set(xlabel="side of the field (pixels)", ylabel="weights / channels²", xlim=(0, 33), ylim=(5, 3000))
        right.set_yscale("log")
        right.grid()
        self.squares = self.live(
            [left.plot([], [], color=theme.ORANGE, linestyle="-", linewidth=2)[0] for _ in range(5)]
        )
        (self.alone,) = self.live(right.plot([], [], "s--", color=theme.VERMILLION, label="one kernel"))
        (self.row,) = self.live(right.plot([], [], "o-", color=theme.BLUE, label="in a row"))
        right.legend(loc="upper left")
        self.hand(Points(left, "place"))

    def solve(self, kernel, layers, channels, place):
        steps = [kernel_stack(kernel, n, channels) for n in range(1, layers + 1)]
        alone = [kernel_stack(step.field, 1, channels) for step in steps]
        return kernel, channels, place[0], steps, alone

    def show(self, solution):
        _, channels, (x, y), steps, alone = solution
        for i, square in enumerate(self.squares):
            reach = steps[i].field / 2 if i < len(steps) else np.nan
            square.set_data(
                [x - reach, x + reach, x + reach, x - reach, x - reach],
                [y - reach, y - reach, y + reach, y + reach, y - reach],
            )
        fields = [step.field for step in steps]
        self.row.set_data(fields, [step.weights / channels**2 for step in steps])
        self.alone.set_data(fields, [one.weights / channels**2 for one in alone])

    def readouts(self, solution):
        kernel, _, _, steps, alone = solution
        stack, one = steps[-1], alone[-1]
        return {
            "field (pixels)": f"{stack.field} x {stack.field}",
            f"{stack.relus} of {kernel} x {kernel}: weights": stack.weights,
            f"1 of {stack.field} x {stack.field}: weights": one.weights,
            "in a row / one": stack.weights / one.weights,
            "multiply-adds per output pixel, in a row": stack.macs,
            "nonlinearities in a row": stack.relus,
        }


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {"Costs": Costs, "Stacks": lambda: Stacks(datasets.bloom())}
