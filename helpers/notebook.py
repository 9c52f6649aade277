"""What every notebook shows: the source it talks about, and ours beside the reference."""

import inspect

import numpy as np
from IPython.display import Markdown

BOUNDS = (1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1)


def show_source(*objects):
    """Return the source of functions or classes, so that a notebook never holds a second copy."""
    return Markdown("\n".join(f"```python\n{inspect.getsource(shown).rstrip()}\n```" for shown in objects))


def table(headers, rows):
    """Return a table; numbers are shown with four significant digits."""
    lines = [headers, ["---"] * len(headers), *([_text(value) for value in row] for row in rows)]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def against(reference, comparisons):
    """Return a table of ours beside the reference's, with the largest absolute difference.

    Parameters
    ----------
    reference : str
        Whose results we are compared with.
    comparisons : dict of str -> (ours, theirs)
        Numbers or arrays of one shape.

    Raises
    ------
    ValueError
        If two shapes differ.
    """
    rows = []
    for name, pair in comparisons.items():
        ours, theirs = (np.asarray(side, dtype=float) for side in pair)
        if ours.shape != theirs.shape:
            raise ValueError(f"{name}: ours has shape {ours.shape}, theirs {theirs.shape}")
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        difference = np.abs(np.subtract(ours, theirs, where=~same, out=np.zeros(ours.shape))).max(initial=0)
        rows.append([name, _size(ours), _size(theirs), _bound(difference)])
    return table(["", "ours", reference, "largest difference"], rows)


def _size(array):
    return float(array) if array.ndim == 0 else " x ".join(map(str, array.shape)) + " numbers"


def _bound(difference):
    """A power of ten, because the last digits of a difference depend on the machine."""
    if difference == 0:
        return "0"
    return next((f"below {bound:.0e}" for bound in BOUNDS if difference < bound), f"{difference:.4g}")


def _text(value):
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
