"""Topic 02: k-means against scikit-learn's, from the same start until both have converged.

Ours is the plain form; scikit-learn's is compiled and uses every core.
"""

import numpy as np
from sklearn.cluster import KMeans as Reference

from helpers.algorithms.kmeans import KMeans

from .row import Row, ratio


def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100_000, 16)) + 4 * rng.normal(size=(32, 16))[rng.integers(0, 32, 100_000)]
    options = {"n_clusters": 32, "init": X[:32], "n_init": 1}
    value = ratio(lambda: KMeans(**options).fit(X), lambda: Reference(**options).fit(X), repeat=11)
    yield Row("k-means of 100,000 x 16, k = 32, time over scikit-learn's", value, 4)
