"""Import time of the algorithms against NumPy's own, each in a fresh interpreter."""

import subprocess
import sys

from .row import Row, ratio


def rows():
    def fresh(code):
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    value = ratio(fresh("import helpers.algorithms.metrics"), fresh("import numpy"), repeat=9)
    yield Row("import of an algorithm, time over NumPy's own import", value, 1.25)
