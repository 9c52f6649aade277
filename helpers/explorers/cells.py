"""Numbers in the cells of a grid, as one patch: a hundred text artists would take longer than a whole picture may."""

from functools import cache

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath


class Numbers:
    """Numbers of two decimals in cells of side 1, on axes whose y points down.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    color : color
    below : float
        How far below the middle of its cell each number stands.
    size : float
        Height of a digit.

    Attributes
    ----------
    patch : matplotlib.patches.PathPatch
        Make it live.
    """

    def __init__(self, axes, color, below=0.0, size=0.36):
        self.patch = axes.add_patch(PathPatch(Path(np.zeros((0, 2))), facecolor=color, linewidth=0))
        self._below, self._size = below, size

    def show(self, entries):
        """Write each value of (row, column, value) into its cell."""
        vertices, codes = [np.zeros((0, 2))], [np.zeros(0, dtype=np.uint8)]
        for row, column, value in entries:
            glyphs = _glyphs(f"{value:.2f}".rstrip("0").rstrip("."))
            scale = min(self._size, 0.43 / glyphs.vertices[:, 0].max())  # no wider than its cell
            vertices.append(glyphs.vertices * scale + (column, row + self._below))
            codes.append(glyphs.codes)
        self.patch.set_path(Path(np.concatenate(vertices), np.concatenate(codes)))


@cache
def _glyphs(text):
    """The outline of a text of height 1 about the origin, for an axis that points down."""
    path = TextPath((0, 0), text, size=1.35)
    box = path.get_extents()
    return Path((path.vertices - (box.x0 + box.width / 2, 0.5)) * (1, -1), path.codes)
