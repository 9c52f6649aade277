"""Guards for public functions: what comes in is checked once, and a refusal names the argument and the fix."""

import numpy as np


def check_array(name, value, ndim=None):
    """Return `value` as a float64 array, or say what is wrong with it.

    Parameters
    ----------
    name : str
        The caller's argument, named in the error.
    value : array_like
    ndim : int or tuple of int, optional
        The numbers of dimensions allowed.

    Raises
    ------
    ValueError
        If `value` is not numeric, has another number of dimensions, is empty, or holds NaN or infinity.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers: {error}") from None
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if allowed is not None and array.ndim not in allowed:
        raise ValueError(f"{name} must have {' or '.join(map(str, allowed))} dimension(s), got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity; drop or repair those entries")
    return array


def check_number(name, value, *, above=-np.inf, at_least=-np.inf, below=np.inf, at_most=np.inf):
    """Return `value` as a float inside the named limits.

    Raises
    ------
    ValueError
        If `value` is not one finite number, or lies outside the limits.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None
    limits = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    if not (np.isfinite(number) and above < number < below and at_least <= number <= at_most):
        stated = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if np.isfinite(limit))
        raise ValueError(f"{name} must be a finite number {stated}".rstrip() + f", got {value!r}")
    return number


def check_integer(name, value, *, at_least=-np.inf, at_most=np.inf):
    """Return `value` as an int inside the named limits.

    Raises
    ------
    ValueError
        If `value` is not a whole number, or lies outside the limits.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be an integer, got {value!r}")
    return int(check_number(name, value, at_least=at_least, at_most=at_most))


def check_choice(name, value, choices):
    """Return `value` if it is one of `choices`.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def check_same_length(**arrays):
    """Refuse arrays whose first dimensions differ; the keywords are the caller's argument names.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    if len({len(array) for array in arrays.values()}) > 1:
        stated = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise ValueError(f"the arguments must have the same length, got {stated}")
