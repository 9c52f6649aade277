"""Topic 05: AUC against scikit-learn's at ten million scores."""

import numpy as np
from sklearn import metrics as reference

from helpers.algorithms import metrics

from .row import Row, ratio


def rows():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 10_000_000)
    score = rng.normal(size=len(y)) + y
    value = ratio(lambda: metrics.roc_auc_score(y, score), lambda: reference.roc_auc_score(y, score), repeat=3)
    yield Row("roc_auc_score at 10 million scores, time over scikit-learn's", value, 1)
