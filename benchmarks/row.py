"""One line of the benchmark's table, how its times are taken, and the table."""

import statistics
import time
from typing import NamedTuple

from helpers.notebook import table


class Row(NamedTuple):
    """A measured value and the limit it has to keep.

    Attributes
    ----------
    what : str
        What is measured; up to the first comma its kind, which several rows may share.
    value : float
    limit : float
    at_most : bool
        Whether the limit is the largest or the smallest value allowed.
    unit : str
        Empty for a ratio.
    """

    what: str
    value: float
    limit: float
    at_most: bool = True
    unit: str = ""

    @property
    def kept(self):
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    @property
    def used(self):
        """How much of the limit is used: 1 is all of it."""
        return self.value / self.limit if self.at_most else self.limit / self.value


def worst(rows):
    """Return, for each kind of row, the one that comes nearest to its limit."""
    kinds = {}
    for row in rows:
        kinds.setdefault(row.what.split(", ")[0], []).append(row)
    return [max(alike, key=lambda row: row.used) for alike in kinds.values()]


def as_markdown(rows):
    """Return the rows as a table."""
    sign = {True: "at most", False: "at least"}
    cells = [[row.what, f"{row.value:.2f}{row.unit}", f"{sign[row.at_most]} {row.limit:g}{row.unit}"] for row in rows]
    return table(["measured in one run", "value", "limit"], cells).data


def median_time(function, repeat=5):
    """Return the median time of a call, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def ratio(ours, theirs, repeat=5):
    """Return the time of `ours` over that of `theirs`: the median of each, called several times in a row.

    In turns would flatter one of them: threads that one leaves spinning slow the other down.
    """
    for warm_up in (ours, theirs):
        warm_up()
    return median_time(ours, repeat) / median_time(theirs, repeat)
