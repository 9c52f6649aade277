"""Guards for public functions: what comes in is checked once, and a refusal names the argument and the fix."""

from numbers import Real

import numpy as np


def check_array(name, value, ndim=None, *, may_be_empty=False):
    """Return `value` as a float64 array, or say what is wrong with it.

    Parameters
    ----------
    name : str
        The caller's argument, named in the error.
    value : array_like
    ndim : int or tuple of int, optional
        The numbers of dimensions allowed.
    may_be_empty : bool

    Raises
    ------
    ValueError
        If `value` does not hold real numbers alone, has another number of dimensions, is empty, or holds NaN or
        infinity.
    """
    if isinstance(value, np.ma.MaskedArray):  # as a plain array it would show what the mask hides
        raise ValueError(f"{name} must not be masked; fill or drop the masked entries first")
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor that requires grad
        raise ValueError(f"{name} must be an array of real numbers: {error}") from None
    if array.dtype.kind not in "biuf":  # complex numbers, text, bytes, dates and objects would convert, but not mean it
        raise ValueError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    array = array.astype(np.float64, copy=False)
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if allowed is not None and array.ndim not in allowed:
        raise ValueError(f"{name} must have {' or '.join(map(str, allowed))} dimension(s), got shape {array.shape}")
    if array.size == 0 and not may_be_empty:
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
    if not isinstance(value, Real):  # float() would also take "1e-7" and arrays of one entry
        raise ValueError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
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


def check_columns(name, X, wanted):
    """Return `X` as an (n, wanted) array of float64.

    Raises
    ------
    ValueError
        As `check_array`, or if `X` has another number of columns.
    """
    X = check_array(name, X, ndim=2)
    if X.shape[1] != wanted:
        raise ValueError(f"{name} must have {wanted} columns, got shape {X.shape}")
    return X


def check_random_state(random_state):
    """Return a generator: a new one from a seed or from None, or the one that was given.

    Raises
    ------
    ValueError
        If it is neither an integer of at least 0, nor a generator, nor None.
    """
    if random_state is None or isinstance(random_state, np.random.Generator):
        return np.random.default_rng(random_state)
    return np.random.default_rng(check_integer("random_state", random_state, at_least=0))


def check_fitted(model, attribute):
    """Refuse a model whose `fit` has not yet set this attribute.

    Raises
    ------
    ValueError
        In scikit-learn's words.
    """
    if not hasattr(model, attribute):
        raise ValueError(
            f"This {type(model).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments before "
            "using this estimator."
        )
