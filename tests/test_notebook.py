"""The tables and sources that notebooks show."""

import numpy as np
import pytest

from helpers.algorithms import metrics
from helpers.notebook import against, folded, show_source, table


def test_source_is_the_function_s_own():
    shown = show_source(metrics.auc, metrics.equal_error_rate).data
    assert shown.startswith("```python\ndef auc(x, y):") and "def equal_error_rate" in shown


def test_table_rounds_to_four_digits():
    assert (
        table(["a", "b"], [[1 / 3, 12], ["x", np.float64(2)]]).data
        == "| a | b |\n| --- | --- |\n| 0.3333 | 12 |\n| x | 2 |"
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (1.0, 1.0, "| row | 1 | 1 | within 1e-10 |"),
        (1.0, 1 + 1e-11, "| row | 1 | 1 | within 1e-10 |"),
        ([1, 2], [1.0, 2.0], "| row | 2 numbers | 2 numbers | within 1e-10 |"),
        ([True, False], [1, 0], "| row | 2 numbers | 2 numbers | none |"),
        (np.inf, np.inf, "| row | inf | inf | within 1e-10 |"),
        (np.nan, np.nan, "| row | nan | nan | within 1e-10 |"),
        (np.ones((0, 4)), np.ones((0, 4)), "| row | 0 x 4 numbers | 0 x 4 numbers | within 1e-10 |"),
    ],
)
def test_against_states_the_bound_that_holds(ours, theirs, said):
    assert against("theirs", {"row": (ours, theirs)}, within=1e-10).data.splitlines()[-1] == said


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (1.0, 1 + 2e-10, "row: ours and theirs differ by 2e-10, more than 1e-10"),
        ([1, 2], [1.0, 2.5], "differ by 0.5, more than 1e-10"),
        ([1, 2], [1, 3], "differ by 1, more than 0"),
        (np.inf, 1.0, "differ by inf"),
        (np.inf, -np.inf, "differ by inf"),
        (np.nan, 1.0, "differ by nan"),
    ],
)
def test_against_refuses_what_is_beyond_its_bound(ours, theirs, said):
    with pytest.raises(AssertionError, match=said):
        against("theirs", {"row": (ours, theirs)}, within=1e-10)


def test_against_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"row: ours has shape \(2,\), theirs \(3,\)"):
        against("theirs", {"row": ([1, 2], [1, 2, 3])}, within=1e-10)


@pytest.mark.parametrize("within", [0, -1e-10, np.nan, np.inf])
def test_against_refuses_what_is_no_bound(within):
    with pytest.raises(ValueError, match="within must be a positive number"):
        against("theirs", {"row": (1, 1)}, within=within)


def test_a_folded_table_is_the_table_inside_details():
    shown = folded(table(["a"], [[1]])).data
    assert shown.startswith("<details><summary>") and shown.endswith("</details>")
    assert table(["a"], [[1]]).data in shown.split("\n\n"), "an empty line on both sides, or it would not be a table"
