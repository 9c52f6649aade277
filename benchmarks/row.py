"""One line of the benchmark's table, and how its times are taken."""

import statistics
import time
from typing import NamedTuple


class Row(NamedTuple):
    """A measured value and the limit it has to keep.

    Attributes
    ----------
    what : str
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
