"""What the guards let through, and what they refuse by name."""

from datetime import date
from fractions import Fraction

import numpy as np
import pytest
import torch

from helpers import validation


@pytest.mark.parametrize("value", [[1, 2], (1.5, 2), np.array([True, False]), np.float16([1, 2]), torch.tensor([1, 2])])
def test_numbers_become_float64(value):
    array = validation.check_array("x", value)
    assert array.dtype == np.float64 and array.shape == (2,)


def test_a_float64_array_is_not_copied():
    x = np.ones(3)
    assert validation.check_array("x", x) is x


REFUSED = {
    "complex": [1 + 2j],
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
    "digits as text": ["1", "2"],
    "bytes": [b"1"],
    "dates": np.array(["2026-01-01"], dtype="datetime64[D]"),
    "days": np.array([3], dtype="timedelta64[D]"),
    "date objects": [date(2026, 1, 1)],
    "ragged": [[1], [2, 3]],
    "None": None,
    "huge": [10**400],
    "a tensor with gradient": torch.ones(2, requires_grad=True),
    "NaN": [np.nan],
    "infinite": [np.inf],
    "empty": [],
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_is_no_array_of_numbers_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^some_name "):
        validation.check_array("some_name", value)


def test_shapes():
    assert validation.check_array("x", np.ones((2, 2)), ndim=(1, 2)).shape == (2, 2)
    with pytest.raises(ValueError, match=r"x must have 1 or 3 dimension\(s\), got shape \(2, 2\)"):
        validation.check_array("x", np.ones((2, 2)), ndim=(1, 3))
    assert validation.check_array("x", np.ones((0, 4)), ndim=2, may_be_empty=True).shape == (0, 4)
    assert validation.check_columns("X", [[1, 2, 3]], 3).shape == (1, 3)
    with pytest.raises(ValueError, match=r"X must have 2 columns, got shape \(1, 3\)"):
        validation.check_columns("X", [[1, 2, 3]], 2)
    with pytest.raises(ValueError, match="same length, got a 1, b 2"):
        validation.check_same_length(a=[1], b=[1, 2])


def test_limits_of_numbers():
    assert validation.check_number("x", Fraction(1, 2)) == 0.5
    assert validation.check_number("x", 2, at_least=2, at_most=2) == 2.0
    for limits in ({"above": 2}, {"below": 2}, {"at_least": 3}, {"at_most": 1}):
        with pytest.raises(ValueError, match=r"x must be a finite number (above|below|at least|at most) \d, got 2"):
            validation.check_number("x", 2, **limits)
    for value in (np.nan, np.inf, 10**400, "1e-7", b"1", None, 1j, [1], np.array([1.0])):
        with pytest.raises(ValueError, match=r"^x must be a"):
            validation.check_number("x", value)


def test_integers_choices_and_seeds():
    assert validation.check_integer("n", np.int8(3), at_least=3, at_most=3) == 3
    for value in (2.0, True, np.True_, "3", None, 2, 4):
        with pytest.raises(ValueError, match=r"^n must be a"):
            validation.check_integer("n", value, at_least=3, at_most=3)
    assert validation.check_choice("flag", False, (True, False)) is False
    for value in (0, 1, "yes", None):
        with pytest.raises(ValueError, match="flag must be one of True, False"):
            validation.check_choice("flag", value, (True, False))
    rng = np.random.default_rng(0)
    assert validation.check_random_state(rng) is rng
    assert validation.check_random_state(7).random() == np.random.default_rng(7).random()
    for value in (-1, 0.5, "seed"):
        with pytest.raises(ValueError, match=r"^random_state must"):
            validation.check_random_state(value)
