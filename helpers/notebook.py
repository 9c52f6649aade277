"""What every notebook shows: the source it talks about, tables, and ours beside the reference."""

import inspect
from numbers import Integral, Real

import numpy as np
from IPython import get_ipython
from IPython.display import Markdown

from .language import say


def show_source(*objects):
    """Return the source of functions or classes, so that a notebook never holds a second copy."""
    return Markdown("\n".join(f"```python\n{inspect.getsource(shown).rstrip()}\n```" for shown in objects))


def table(headers, rows):
    """Return a table; numbers are shown with four significant digits."""
    lines = [headers, ["---"] * len(headers), *([as_text(value) for value in row] for row in rows)]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def folded(shown):
    """Return a table that stays folded until the reader opens it, for the answer to a prediction.

    JupyterLab unfolds a cell's hidden output whenever the cell is run.
    """
    return Markdown(f"<details><summary>{say('Readouts')}</summary>\n\n{shown.data}\n\n</details>")


def against(reference, comparisons, *, within):
    """Return a table of ours beside the reference's, after checking that they agree.

    The table states the bound and not the measured difference, whose last digits depend on the processor.

    Parameters
    ----------
    reference : str
        Whose results we are compared with.
    comparisons : dict of str -> (ours, theirs)
        Numbers or arrays of one shape. NaN agrees with NaN, and infinity with itself.
    within : float
        The largest absolute difference allowed. Integers and truth values must be equal.

    Raises
    ------
    ValueError
        If `within` is no bound, or two shapes differ.
    AssertionError
        If a difference is larger.
    """
    if not 0 < within < np.inf:
        raise ValueError(f"within must be a positive number, got {within!r}")
    rows = []
    for name, pair in comparisons.items():
        ours, theirs = map(np.asarray, pair)
        if ours.shape != theirs.shape:
            raise ValueError(f"{name}: ours has shape {ours.shape}, theirs {theirs.shape}")
        exact = all(side.dtype.kind in "biu" for side in (ours, theirs))
        difference, bound = _largest_difference(ours, theirs), 0 if exact else within
        if not difference <= bound:
            raise AssertionError(f"{name}: ours and {reference} differ by {difference:.3g}, more than {bound:g}")
        rows.append([name, _size(ours), _size(theirs), "none" if exact else f"within {within:g}"])
    return table(["", "ours", reference, "difference"], rows)


def _largest_difference(ours, theirs):
    ours, theirs = ours.astype(float), theirs.astype(float)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return np.abs(np.subtract(ours, theirs, where=~same, out=np.zeros(ours.shape))).max(initial=0)


def _size(array):
    return array.item() if array.ndim == 0 else " x ".join(map(str, array.shape)) + " numbers"


def as_text(value):
    """Return a number with four significant digits, or with thousands separators and one decimal; else ``str(value)``.

    Whole numbers keep all their digits. One decimal says that a number is not a whole one, so a test may let its last
    digit differ.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return str(value)
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:,.1f}" if 1e3 <= abs(value) < 1e15 else f"{value + 0.0:.4g}"  # plus 0: no "-0"


_shown_by_cell = {}


def close_earlier_run(shown):
    """Close what an earlier run of the same notebook cell has left, so that nothing piles up.

    Parameters
    ----------
    shown : object with a method ``close``
        What this run of the cell shows.
    """
    parent = get_ipython().get_parent() if hasattr(get_ipython(), "get_parent") else {}
    cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
    if cell:
        earlier_run, held = _shown_by_cell.get(cell, (run, []))
        if earlier_run != run:
            for earlier in held:
                earlier.close()
            held = []
        _shown_by_cell[cell] = run, [*held, shown]
