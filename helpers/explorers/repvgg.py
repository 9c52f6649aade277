"""Explorers of topic 20: three branches that become one kernel, and the effective field of large kernels."""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from torch import nn

from .. import datasets, theme
from ..algorithms import receptive_field, repvgg
from .cells import Numbers
from .controls import Choice, Slider, Switch
from .explorer import Explorer

# --- branch by branch ------------------------------------------------------------------------------------------------

BRANCHES = "3 x 3", "1 x 1", "identity"
COLORS = {"red": 0, "green": 1, "blue": 2}
SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
LEFTS = 0, 4.2, 8.4, 12.6  # where each block of 3 x 3 cells begins
STEPS = (
    "0: as trained, each branch has a batch norm",
    "1: kernel and bias of each branch",
    "2: every kernel written as 3 x 3",
    "3: kernels and biases added",
)


class Branches(Explorer):
    """A block on the three color channels of a photograph, folded step by step.

    Parameters
    ----------
    image : (3, H, W) array_like in [0, 1]
    """

    title = "Three branches, one kernel"
    size = 690, 400
    plays = "step"
    photograph = True

    step = Slider(0, 0, 3)
    output = Choice(0, COLORS, label="output channel")
    input = Choice(0, COLORS, label="input channel")
    dense = Slider(1, -2, 2, step=0.25, label="gamma of 3 x 3")
    point = Slider(1, -2, 2, step=0.25, label="gamma of 1 x 1")
    identity = Slider(1, -2, 2, step=0.25, label="gamma of identity")
    fold = Switch(True, label="fold batch norm first", when=lambda v: v["step"] > 0)

    def __init__(self, image):
        self.image = torch.as_tensor(np.asarray(image), dtype=torch.float64)[None]
        self.block = _on_photographs(self.image)
        super().__init__()

    def draw(self, figure):
        axes = figure.subplot_mosaic([list("abcd"), ["cells"] * 4], height_ratios=[3, 4])
        _, _, height, width = self.image.shape
        blank, self.photos = np.zeros((height, width, 4), dtype=np.uint8), []
        for letter, name in zip("abcd", (*BRANCHES, "all three"), strict=True):
            axes[letter].set(title=name, xticks=[], yticks=[])
            axes[letter].spines[:].set_visible(False)
            self.photos.append(axes[letter].imshow(blank, interpolation="nearest"))
        self.live(self.photos)
        cells = axes["cells"]
        cells.set(xlim=(-0.7, LEFTS[-1] + 2.7), ylim=(3.6, -1.4), xticks=[], yticks=[], aspect="equal")
        cells.spines[:].set_visible(False)
        places = [(left + j, i) for left in LEFTS for i in range(3) for j in range(3)]
        squares = PolyCollection(SQUARE + np.array(places)[:, None], edgecolor=theme.MUTED, linewidth=1)
        self.cells = self.live(cells.add_collection(squares, autolim=False))
        self.numbers = Numbers(cells, theme.INK, size=0.32)
        style = {"ha": "center", "va": "center"}
        for (a, b), sign in zip(pairwise(LEFTS), ("+", "+", "="), strict=True):
            cells.text((a + 2 + b) / 2, 1, sign, **style)
        for left in LEFTS:
            cells.text(left + 0.2, 3.0, "bias", **style)
        self.heading = cells.text(LEFTS[-1] / 2 + 1, -1.0, "", **style)
        self.live([self.numbers.patch, self.heading])

    def solve(self, step, output, input, dense, point, identity, fold):
        block = self.block
        norms = block.dense_norm, block.point_norm, block.identity_norm
        with torch.no_grad():
            for norm, gamma in zip(norms, (dense, point, identity), strict=True):
                norm.weight.fill_(gamma)
            maps = block.dense_norm(block.dense(self.image)), block.point_norm(block.point(self.image))
            maps = [part[0] for part in (*maps, block.identity_norm(self.image))]
            folded = list(block.branches().values())
            raw = _raw(block)
            used = folded if fold else raw
            kernel, bias = (sum(part) for part in zip(*used, strict=True))
            merged = nn.functional.conv2d(self.image, kernel, bias, padding=1)[0]
        shown = used if step else raw
        kernels = [kernel[output, input].numpy() for kernel, _ in shown] + [kernel[output, input].numpy()]
        biases = [float(bias[output]) for _, bias in shown] + [float(bias[output])]
        pictures = [part[output].numpy() for part in (*maps, merged if step == 3 else sum(maps))]
        return _Folding(step, kernels, biases, pictures, float((merged - sum(maps)).abs().max()), fold)

    def show(self, folding):
        strongest = max(np.abs(picture).max() for picture in folding.pictures)
        for photo, picture in zip(self.photos, folding.pictures, strict=True):
            photo.set_data(colormaps["gray"](0.5 + picture / strongest / 2, bytes=True))
        visible = np.array([self._visible(folding.step, n) for n in range(4)])
        values = np.array(folding.kernels)
        colors = np.array([_signed(value) for value in values.ravel()]).reshape(4, 9, 4)
        colors[~visible.reshape(4, 9)] = to_rgba(theme.PAPER)
        self.cells.set_facecolor(colors.reshape(-1, 4))
        edges = np.where(visible.reshape(-1, 1), to_rgba(theme.MUTED), to_rgba(theme.PAPER, 0))
        self.cells.set_edgecolor(edges)
        entries = [(i, LEFTS[n] + j, values[n, i, j]) for n, i, j in np.argwhere(visible)]
        known = 0 if folding.step == 0 else 4 if folding.step == 3 else 3  # a branch has a bias once it is folded
        entries += [(3.0, left + 1.5, bias) for left, bias in zip(LEFTS[:known], folding.biases, strict=False)]
        self.numbers.show([(row, column, value + 0.0) for row, column, value in entries])
        forgotten = "" if folding.fold or not folding.step else "; batch norm is forgotten"
        self.heading.set_text(STEPS[folding.step] + forgotten)

    def readouts(self, folding):
        after = {f"bias of {name}": round(bias, 3) for name, bias in zip(BRANCHES, folding.biases, strict=False)}
        added, same = folding.step == 3, folding.difference < 1e-10
        apart = "equal within 1e-10" if same else f"{folding.difference:.2f} apart"
        return {
            "step": STEPS[folding.step][3:],
            **(after if folding.step else {}),
            "center weight of the sum": round(float(folding.kernels[3][1, 1]), 3) if added else "not yet",
            "one kernel against three branches": apart if added else "not yet",
        }

    @staticmethod
    def _visible(step, block):
        """Which of a block's cells exist at this step."""
        small = np.zeros((3, 3), dtype=bool)
        small[1, 1] = block == 1 or (block == 2 and step > 0)
        return np.full((3, 3), True) if block == 0 or (step >= 2 and block < 3) or step == 3 else small


class _Folding(NamedTuple):
    """One pair of channels: kernels and biases of the branches and their sum; their outputs; how far the sum is off."""

    step: int
    kernels: list
    biases: list
    pictures: list
    difference: float
    fold: bool


def _on_photographs(image):
    """A block with random weights whose running statistics come from this image."""
    block = repvgg.RepVGGBlock(3, 3).double()
    generator = torch.Generator().manual_seed(0)
    for weight in (block.dense.weight, block.point.weight):
        nn.init.normal_(weight, std=0.5, generator=generator)
    for norm in (block.dense_norm, block.point_norm, block.identity_norm):
        norm.momentum = 1.0  # keep the statistics of this one pass
        nn.init.uniform_(norm.bias, -0.5, 0.5, generator=generator)
    with torch.no_grad():
        block(image)
    return block.eval().requires_grad_(False)


def _raw(block):
    """The kernels as if there were no batch norm: what is added if folding it is forgotten."""
    unit = repvgg.identity_kernel(3, 3, like=block.dense.weight)
    kernels = block.dense.weight, repvgg.padded(block.point.weight, 3), unit
    return [(kernel, kernel.new_zeros(3)) for kernel in kernels]


def _signed(value):
    """Orange above 0, blue below, stronger with size; the number beside it has its sign."""
    return to_rgba(theme.ORANGE if value > 0 else theme.SKY, 0.55 * min(abs(value), 1.0) ** 0.5)


# --- large kernels ---------------------------------------------------------------------------------------------------

WIDEST = 61


class LargeKernels(Explorer):
    """Blocks with a large depthwise kernel beside 3 x 3 layers of the same theoretical field: what they use."""

    title = "The effective field of large kernels"
    size = 690, 380

    kernel = Choice(7, [3, 7, 13, 21, 31], unit="pixels")
    depth = Slider(1, 1, 2, label="blocks")
    small = Choice(0, {"none": 0, "3 x 3": 3, "5 x 5": 5}, label="small kernel")
    shortcut = Switch(False)
    share = Slider(90, 50, 99, label="share held", unit="%")

    def draw(self, figure):
        reach, self.pictures, self.boxes = WIDEST / 2, [], []
        blank = np.zeros((WIDEST, WIDEST, 4), dtype=np.uint8)
        titles = "Blocks with a large kernel", "As wide a stack of 3 x 3"
        for axes, title in zip(figure.subplots(1, 2), titles, strict=True):
            axes.set(title=title, xlabel="pixels from the middle", xticks=[-30, 0, 30], yticks=[-30, 0, 30])
            axes.grid(False)
            extent = -reach, reach, reach, -reach
            self.pictures.append(axes.imshow(blank, extent=extent, interpolation="nearest"))
            self.boxes.append(axes.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=theme.INK, lw=2)))
        self.live([*self.pictures, *self.boxes])

    def solve(self, kernel, depth, small, shortcut, share):
        large, stack = _fields(kernel, depth, min(small, kernel) or None, shortcut)
        return _Two(large, stack, share, kernel, depth)

    def show(self, two):
        for picture, box, erf in zip(self.pictures, self.boxes, two[:2], strict=True):
            pixels, half = receptive_field.area_holding(erf, two.share / 100), len(erf) / 2
            colors = colormaps["viridis"](np.sqrt(erf / erf.max()), bytes=True)
            colors[erf < np.sort(erf.ravel())[-pixels]] = np.array(to_rgba(theme.MUTED, 0.35)) * 255
            edge = (WIDEST - len(erf)) // 2
            picture.set_data(np.pad(colors, ((edge, edge), (edge, edge), (0, 0))))
            box.set_bounds(-half, -half, 2 * half, 2 * half)

    def readouts(self, two):
        side = len(two.large)
        layers = (side - 1) // 2
        held = [receptive_field.area_holding(erf, two.share / 100) for erf in two[:2]]
        return {
            "theoretical field (pixels)": f"{side} x {side} = {side**2:,}",
            f"blocks: pixels that hold {two.share} %": held[0],
            f"{layers} layers of 3 x 3: the same": held[1],
            "as shares of the field": f"{held[0] / side**2:.0%} and {held[1] / side**2:.0%}",
            "256 channels: depthwise weights": 256 * two.kernel**2 * two.depth,
            "256 channels: if the large kernel were dense": 256**2 * two.kernel**2 * two.depth,
            f"256 channels: {layers} dense 3 x 3": 256**2 * 9 * layers,
        }


class _Two(NamedTuple):
    """Both effective fields, the share asked for, the side of the large kernel, and the number of blocks."""

    large: np.ndarray
    stack: np.ndarray
    share: int
    kernel: int
    depth: int


@cache
def _fields(kernel, depth, small, shortcut):
    side = depth * (kernel - 1) + 1
    blocks = nn.Sequential(*[random_block(4, kernel, small, shortcut, seed) for seed in range(depth)])
    stack = receptive_field.Stack((side - 1) // 2, 3, 8, "ReLU", random_state=0)
    return tuple(
        receptive_field.effective_receptive_field(net, (channels, side, side), samples=2)
        for net, channels in ((blocks, 4), (stack, 8))
    )


def random_block(channels, kernel, small, shortcut, seed):
    """A `LargeKernelBlock` in eval mode with random weights that keep the size of what passes."""
    block = repvgg.LargeKernelBlock(channels, kernel, small, shortcut).eval()
    generator = torch.Generator().manual_seed(seed)
    for part in block.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.normal_(part.weight, std=(2 / part.weight[0].numel()) ** 0.5, generator=generator)
    return block


def small_photograph():
    """The bloom of flower.jpg in color, 3 x 64 x 96 values from 0 to 1, each the mean of 5 x 5 pixels."""
    color = datasets.photograph("flower.jpg")[50:370, 80:560] / 255
    return color.reshape(64, 5, 96, 5, 3).mean(axis=(1, 3)).transpose(2, 0, 1)


def examples():
    """Every explorer of this topic on real data, for tests and benchmarks: name -> function that builds it."""
    return {"Branches": lambda: Branches(small_photograph()), "LargeKernels": LargeKernels}
