"""How the benchmark's rows become tables. What they measure is measured by `make bench`."""

import re

from benchmarks.row import Row, as_markdown, worst
from helpers.topics import ROOT

ROWS = [
    Row("run of a notebook, 01", 4, 8, unit=" s"),
    Row("run of a notebook, 02", 6, 8, unit=" s"),
    Row("frames, over 1,000 of interact's", 4, 3, at_most=False),
    Row("frames, of another kind of limit", 1, 0.5, at_most=False),
    Row("a ratio", 1.5, 1),
]


def test_the_worst_of_each_kind_comes_nearest_to_its_limit():
    assert worst(ROWS) == [ROWS[1], ROWS[2], ROWS[4]]


def test_a_row_beyond_its_limit_uses_more_than_all_of_it():
    assert [row.kept for row in ROWS] == [row.used <= 1 for row in ROWS] == [True, True, True, True, False]


def test_the_table_states_value_unit_and_limit():
    lines = as_markdown(ROWS[1:3]).splitlines()
    assert lines[2] == "| run of a notebook, 02 | 6.00 s | at most 8 s |"
    assert lines[3] == "| frames, over 1,000 of interact's | 4.00 | at least 3 |"


def test_the_readme_shows_rows_of_the_full_table():
    rows = [
        set(re.findall(r"(?m)^\| .* \| at (?:most|least) .*$", (ROOT / name).read_text(encoding="utf-8")))
        for name in ("README.md", "BENCHMARKS.md")
    ]
    assert rows[0] and rows[0] < rows[1]
