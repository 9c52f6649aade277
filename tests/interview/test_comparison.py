"""How a result differs from ours."""

import numpy as np
import pytest

from helpers.interview import comparison


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (0.5, np.float64(0.5)),
        (0.5, np.array(0.5)),
        (2, 2.0),
        (np.array([0.1, np.inf]), [0.1, np.inf]),
        (np.array([0.1, 0.2]), np.array([0.1, 0.2], dtype=np.float32)),
        (np.array([True, False]), [1, 0]),
        (np.zeros((0, 2)), np.zeros((0, 2))),
        ((1, 2), np.array([1, 2])),
        ([np.ones(2), {"m": np.zeros(1)}], [np.ones(2), {"m": [0]}]),
    ],
)
def test_no_difference(expected, got):
    assert comparison.difference(expected, got, "x") is None


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (0.5, True, "x must be one number, not a bool."),
        (np.ones(2), np.ones((2, 1)), "x must have shape (2,), not (2, 1)."),
        (np.ones(2), [[1], [1, 2]], "x must be an array of float64, not a list."),
        (np.array([0.5]), np.array([0]), "x is wrong. It holds int64, ours float64."),
        (np.array([1.0]), np.array([np.nan]), "x holds NaN."),
        ({"m": 1.0}, {"v": 1.0}, "x must be a dict with the keys m, not a dict."),
        ({"m": 1.0}, {"m": 2.0}, "x['m'] is wrong."),
        ([1.0, 2.0], [1.0, 3.0], "x[1] is wrong."),
        ([1.0, 2.0], 3.0, "It must return 2 values, (x[0], x[1]); it returns a float."),
    ],
)
def test_difference_is_worded(expected, got, said):
    assert comparison.difference(expected, got, "x").sentence == said


def test_digits_show_the_difference():
    problem = comparison.difference(np.array([[0.0, -1.41418]]), np.array([[0.0, -1.4141842]]), "x")
    assert problem.rows[-1] == ("differs at", "x[0, 1]: expected -1.41418, got -1.414184 (1 of 2 entries differ)")
