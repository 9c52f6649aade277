"""One look for every figure: the Okabe-Ito palette, large type, a light and a dark paper.

Set the environment variable ``VIVA_THEME=dark`` before starting JupyterLab, or call ``theme.use("dark")`` in a notebook
before its figures are built.

References
----------
Okabe and Ito, "Color Universal Design" (2002).
"""

import os
from io import BytesIO

from cycler import cycler
from IPython.display import Image
from matplotlib import rcParams
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW = "#56B4E9", "#CC79A7", "#F0E442"

DPI = 100
# ink: text and black lines; muted: ticks, grids and references, which stand back; paper: what lies behind
_PAPERS = {
    "light": {"INK": "#1A1A1A", "MUTED": "#6E6E6E", "PAPER": "#FFFFFF"},
    "dark": {"INK": "#F2F2F2", "MUTED": "#9A9A9A", "PAPER": "#111111"},
}
INK = MUTED = PAPER = ""  # set by `use`


def use(mode):
    """Choose the paper of all figures built from now on.

    Parameters
    ----------
    mode : {"light", "dark"}

    Raises
    ------
    ValueError
        If `mode` is another word.
    """
    if mode not in _PAPERS:
        raise ValueError(f"mode must be 'light' or 'dark', got {mode!r}")
    globals().update(_PAPERS[mode])
    lines = [BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY]
    rcParams.update(
        {
            "figure.dpi": DPI,
            "figure.facecolor": PAPER,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": PAPER,
            "font.size": 12,
            "axes.titlesize": 13,
            "axes.labelsize": 12,
            "xtick.labelsize": 11,
            "ytick.labelsize": 11,
            "legend.fontsize": 11,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "axes.facecolor": PAPER,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "text.color": INK,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "grid.color": MUTED,
            "grid.alpha": 0.3,
            # colour and line style change together, so that neither is needed to tell two lines apart
            "axes.prop_cycle": cycler(color=lines) + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1))]),
        }
    )


def figure(width=660, height=400):
    """Return an empty figure of `width` x `height` pixels, known to no global list, so that it can be collected."""
    return Figure(figsize=(width / DPI, height / DPI))


def show(figure, alt):
    """Return `figure` as a picture for a notebook, with `alt` for those who cannot see it."""
    return Image(data=png(figure), alt=alt, embed=True)


def png(figure):
    """Return `figure` as the bytes of a PNG file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


use(os.environ.get("VIVA_THEME", "light"))
