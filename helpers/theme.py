"""One look for every figure: the Okabe-Ito palette, large type, a light and a dark paper.

Set the environment variable ``VIVA_THEME=dark`` before starting JupyterLab for the dark paper.

References
----------
Okabe and Ito, "Color Universal Design" (2002).
"""

import os
from io import BytesIO
from pathlib import Path

from IPython.display import Image
from matplotlib import rc_context
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW = "#56B4E9", "#CC79A7", "#F0E442"

DPI = 100
# ink: text and black lines; muted: ticks, grids and references, which stand back; paper: what lies behind
_PAPERS = {"light": ("#1A1A1A", "#6E6E6E", "#FFFFFF"), "dark": ("#F2F2F2", "#9A9A9A", "#111111")}
_CHOSEN = os.environ.get("VIVA_THEME", "light")
if _CHOSEN not in _PAPERS:
    raise ValueError(f"VIVA_THEME must be light or dark, got {_CHOSEN!r}")
INK, MUTED, PAPER = _PAPERS[_CHOSEN]


def style():
    """Return a context in which figures and their artists are made in this look, whatever the user's own settings."""
    colors = {
        INK: "text.color axes.labelcolor axes.titlecolor xtick.labelcolor ytick.labelcolor",
        MUTED: "axes.edgecolor xtick.color ytick.color grid.color",
        PAPER: "figure.facecolor savefig.facecolor axes.facecolor",
    }
    settings = {name: color for color, names in colors.items() for name in names.split()}
    return rc_context(settings | {"figure.dpi": DPI}, Path(__file__).with_name("viva.mplstyle"))


def figure(width=660, height=400):
    """Return an empty figure of `width` x `height` pixels, known to no global list, so that it can be collected."""
    with style():
        return Figure(figsize=(width / DPI, height / DPI))


def show(figure, alt):
    """Return `figure` as a picture for a notebook, with `alt` for those who cannot see it."""
    return Image(data=png(figure), alt=alt, embed=True)


def png(figure):
    """Return `figure` as the bytes of a PNG file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
