"""The tables and sources that notebooks show."""

import numpy as np
import pytest

from helpers.algorithms import metrics
from helpers.notebook import against, show_source, table


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
        (1, 1, "0"),
        (1, 1 + 1e-13, "below 1e-12"),
        ([1, 2], [1, 2.5], "0.5"),
        (np.inf, np.inf, "0"),
        (np.nan, np.nan, "0"),
    ],
)
def test_against_states_the_largest_difference(ours, theirs, said):
    assert against("theirs", {"row": (ours, theirs)}).data.endswith(f"| {said} |")


def test_against_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"row: ours has shape \(2,\), theirs \(3,\)"):
        against("theirs", {"row": ([1, 2], [1, 2, 3])})
