"""Topic 01: the margin explorer solves again while 100 points are edited by hand."""

import statistics
import time

import numpy as np

from helpers.explorers import svm

from .explorers import LIMIT
from .row import Row

SETTINGS = [("linear", 1), ("linear", 100), ("rbf", 1), ("rbf", 100), ("poly", 1), ("poly", 100)]


def rows():
    edited = {name: max(median_ms(name, *setting) for setting in SETTINGS) for name in ("drag", "click")}
    yield Row(
        "SVM of 100 points solved again and drawn, one dragged, slowest kernel", edited["drag"], LIMIT, unit=" ms"
    )
    yield Row("SVM of 100 points solved again and drawn, one added, slowest kernel", edited["click"], LIMIT, unit=" ms")


def median_ms(edit, kernel, C, edits=40):
    """Return the median time from an edited point to the drawn picture, on rings, which no line separates."""
    explorer = svm.examples()["Margin"]()
    explorer.canvas.pixels()
    explorer.press("Rings")
    explorer.set(kernel=kernel, C=C)
    rng = np.random.default_rng(0)
    times, points = [], explorer.values["points"]
    for _ in range(edits):
        if edit == "drag":
            x, y = np.clip(rng.normal(explorer.values["points"][-1][:2], 0.05), -1.2, 1.2)
            sign = points[-1][2]
        else:
            explorer.assign("points", points[:-1])
            (x, y), sign = rng.uniform(-1.2, 1.2, 2), rng.choice([-1, 1])
        start = time.perf_counter()
        explorer.assign("points", (*points[:-1], (float(x), float(y), int(sign))))
        explorer.canvas.pixels()
        times.append(time.perf_counter() - start)
    explorer.close()
    return 1000 * statistics.median(times)
