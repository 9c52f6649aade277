"""How a result differs from ours, in words."""

from dataclasses import dataclass, field

import numpy as np

from .wire import Unknown

# float64 leaves room: orders of summation differ by 1e-12, a forgotten epsilon by more than 1e-6
RTOL, ATOL = 1e-6, 1e-8
MARKS = "\x02", "\x03"  # around the entry that differs: a page marks it, plain text drops them


@dataclass
class Problem:
    """Something is wrong: a sentence, rows of (label, text) to show, and the learner's (file, line) if known."""

    sentence: str
    rows: tuple = ()
    line: tuple | None = None
    answered: bool = False  # whether the candidate returned a value that can be told from ours
    printed: str = field(default="", compare=False)


def difference(expected, got, name):
    """Say how a result differs from ours.

    Parameters
    ----------
    expected, got : number, array, or list, tuple or dict of such, as `wire.decode` returns them
    name : str or list of str
        What the result is called; a list names the items of a tuple.

    Returns
    -------
    Problem or None
        None if they agree.
    """
    if got is None:
        label = name if isinstance(name, str) else ", ".join(name)
        return Problem(f"It returns None instead of {label}. Does every branch end in a return?", answered=True)
    if isinstance(expected, (tuple, list)):
        return _difference_of_items(expected, got, name)
    if isinstance(expected, dict):
        if not isinstance(got, dict) or set(got) != set(expected):
            return Problem(
                f"{name} must be a dict with the keys {', '.join(map(str, expected))}, not {_describe(got)}."
            )
        keys = list(expected)
        return _difference_of_items(
            [expected[k] for k in keys], [got[k] for k in keys], [f"{name}[{k!r}]" for k in keys]
        )
    return _difference_of_arrays(expected, got, name)


def _difference_of_items(expected, got, names):
    if isinstance(names, str):
        names = [f"{names}[{i}]" for i in range(len(expected))]
    if isinstance(got, np.ndarray) and got.ndim:
        got = list(got)
    if not isinstance(got, (tuple, list)) or len(got) != len(expected):
        held = f" of {len(got)}" if isinstance(got, (tuple, list)) else ""
        wanted = f"It must return {len(expected)} values, ({', '.join(names)})"
        return Problem(f"{wanted}; it returns {_describe(got)}{held}.", answered=True)
    for ours, theirs, name in zip(expected, got, names, strict=True):
        problem = difference(ours, theirs, name)
        if problem:
            return problem
    return None


def _difference_of_arrays(expected, got, name):
    ours, theirs = np.asarray(expected), _as_array(got)
    allowed = "biuf" if ours.dtype.kind == "b" else "iuf"
    if theirs is None or theirs.dtype.kind not in allowed:
        return Problem(f"{name} must be {_describe(ours)}, not {_describe(got)}.", answered=True)
    rows = ("expected", show(ours)), ("got", show(theirs))
    if ours.shape != theirs.shape:
        return Problem(f"{name} must have shape {ours.shape}, not {theirs.shape}.", rows, answered=True)
    dtype = f" It holds {theirs.dtype}, ours {ours.dtype}." if _is_coarser(theirs.dtype, ours.dtype) else ""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    off = ~np.isclose(theirs, ours, rtol=RTOL, atol=ATOL, equal_nan=True)
    return _differing_entries(ours, theirs, off, name, dtype) if off.any() else None


def _differing_entries(ours, theirs, off, name, dtype):
    """Word the difference of two arrays of one shape. `off` marks the entries that differ."""
    index = tuple(int(i) for i in np.argwhere(off)[0])
    digits = _digits(ours[index], theirs[index])
    if np.isnan(theirs).any() and not np.isnan(ours).any():
        sentence = f"{name} holds NaN."
        index = tuple(int(i) for i in np.argwhere(np.isnan(theirs))[0])
    else:
        sentence = f"{name} is wrong."
    rows = [(f"{name} expected", show(ours, digits, index)), (f"{name} got", show(theirs, digits, index))]
    if index:
        where = f"{name}[{', '.join(map(str, index))}]"
        entry = f"expected {ours[index]:.{digits}g}, got {theirs[index]:.{digits}g}"
        rows.append(("differs at", f"{where}: {entry} ({off.sum()} of {off.size} entries differ)"))
    return Problem(sentence + dtype, tuple(rows), answered=True)


def _as_array(value):
    """The value as an array, or None if it is not one."""
    if isinstance(value, (Unknown, str, dict)):
        return None
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError):  # a ragged list
        return None


def _is_coarser(theirs, ours):
    return ours.kind == "f" and (theirs.kind != "f" or theirs.itemsize < ours.itemsize)


def _describe(value):
    """Name the type of a value."""
    if isinstance(value, Unknown):
        return f"a {value.name}"
    if isinstance(value, (np.ndarray, np.generic)) and not value.shape:
        return f"one {'number' if value.dtype.kind in 'iuf' else value.dtype}"
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "an int beyond the range of NumPy"
    return f"a {type(value).__name__}"


def _digits(a, b):
    """The fewest digits with which the two numbers look different, at least 6."""
    return next((digits for digits in range(6, 17) if f"{a:.{digits}g}" != f"{b:.{digits}g}"), 17)


def show(value, digits=6, marked=None):
    """Write a value the way one would type it; the entry at the index `marked` of an array stands between `MARKS`."""
    if isinstance(value, (list, tuple)):
        inside = ", ".join(show(item, digits) for item in value)
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {show(item, digits)}" for key, item in value.items()) + "}"
    if isinstance(value, Unknown):
        return _describe(value)
    if isinstance(value, (float, np.floating)):
        return f"{value:.{digits}g}"
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        return str(value)
    texts = [f"{number:.{digits}g}" for number in value.ravel()[:1000]]
    width = max(map(len, texts), default=0) if value.ndim > 1 else 0
    entries = np.array([f"{number:.{digits}g}".rjust(width) for number in value.ravel()], dtype=object)
    entries = entries.reshape(value.shape)
    if marked:
        entries[marked] = MARKS[0] + entries[marked] + MARKS[1]
    return np.array2string(entries, separator=", ", threshold=60, max_line_width=100, formatter={"all": str})


def shorten(text, lines=5):
    kept = text.splitlines()
    return "\n".join([line[:100] for line in kept[:lines]] + ["..."] * (len(kept) > lines))
