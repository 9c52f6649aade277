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
    """Return the time of `ours` over that of `theirs`, called in turns so that a busy machine slows down both."""
    pairs = [(median_time(ours, 1), median_time(theirs, 1)) for _ in range(repeat)]
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)
