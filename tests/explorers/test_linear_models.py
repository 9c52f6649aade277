"""Readouts of topic 04's explorers against scikit-learn."""

import numpy as np
import pytest
from sklearn import linear_model, metrics

from helpers.explorers import linear_models as explorers

from .hand import drag

X, Y, X_TEST, Y_TEST = explorers.split()


def test_regression_is_scikit_learns(build):
    predicted = linear_model.LinearRegression().fit(X, Y).predict(X_TEST)
    said = build("Binning").at(bins=1, patient=7)
    assert said["mean absolute error"] == pytest.approx(metrics.mean_absolute_error(Y_TEST, predicted), abs=0.06)
    assert said["predicted"] == pytest.approx(predicted[7], abs=0.06)
    assert said["its squared loss"] == pytest.approx((Y_TEST[7] - predicted[7]) ** 2, abs=0.06)


def test_bins_are_scikit_learns(build):
    binning = build("Binning")
    inner = np.quantile(Y, np.arange(1, 5) / 5)
    labels, labels_test = np.digitize(Y, inner), np.digitize(Y_TEST, inner)
    p = linear_model.LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(X, labels).predict_proba(X_TEST)
    means = np.array([Y[labels == b].mean() for b in range(5)])
    said, mean = binning.at(bins=5, patient=2), binning.at(bins=5, patient=2, expectation=True)
    error = metrics.mean_absolute_error
    assert said["mean absolute error"] == pytest.approx(error(Y_TEST, means[p.argmax(axis=1)]), abs=0.06)
    assert mean["mean absolute error"] == pytest.approx(error(Y_TEST, p @ means), abs=0.06)
    assert said["log-loss (nats)"] == pytest.approx(metrics.log_loss(labels_test, p), abs=0.006)
    assert said["share in the right bin"] == pytest.approx((p.argmax(axis=1) == labels_test).mean(), abs=0.006)
    assert said["p(right bin)"] == pytest.approx(p[2, labels_test[2]], abs=0.006)
    assert said["its right bin, from 0"] == labels_test[2]


def test_the_switch_has_no_effect_on_a_regression(build):
    binning = build("Binning")
    assert binning.controls["expectation"].disabled
    binning.set(bins=4)
    assert not binning.controls["expectation"].disabled
    assert sum(bar.get_visible() for bar in binning.bars) == 4


def test_counts_of_a_decision(build):
    decision = build("Decision")
    predicted = linear_model.LinearRegression().fit(X, Y).predict(X_TEST)
    said = decision.at(limit=160, threshold=150)
    tn, fp, fn, tp = metrics.confusion_matrix(Y_TEST > 160, predicted > 150).ravel()
    assert [said[name] for name in ("TP", "FP", "FN", "TN")] == [tp, fp, fn, tn]
    assert said["F1"] == pytest.approx(metrics.f1_score(Y_TEST > 160, predicted > 150), abs=0.006)
    best = decision.at_press("Best F1", limit=160)["F1"]
    assert best >= max(decision.at(limit=160, threshold=cut)["F1"] for cut in (100, 150, 200, 240))


def test_both_lines_are_dragged(build):
    decision = build("Decision")
    axes = decision.figure.axes[0]
    drag(decision, axes, (200, 60), (150, 60))
    assert decision.threshold == 150
    drag(decision, axes, (60, 200), (60, 160))
    assert decision.limit == 160
