"""What the explorers of topic 05 say is what scikit-learn says."""

import numpy as np
import pytest
from sklearn import metrics as reference

from helpers.explorers import metrics as explorers

from .hand import drag

rng = np.random.default_rng(0)
Y = rng.permutation(np.r_[np.ones(40), np.zeros(60)])
SCORE = np.clip(0.5 + 0.15 * rng.normal(size=100) + 0.1 * (2 * Y - 1), 0, 1)


@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 0.62, 1])
def test_threshold_readouts(threshold):
    explorer = explorers.Threshold(Y, SCORE)
    readouts = explorer.set(threshold=threshold, beta=2, miss_cost=5)
    called = threshold <= SCORE
    tn, fp, fn, tp = reference.confusion_matrix(Y, called, labels=[0, 1]).ravel()
    assert [readouts[name] for name in ("TN", "FP", "FN", "TP")] == [tn, fp, fn, tp]
    assert readouts["precision"] == pytest.approx(reference.precision_score(Y, called, zero_division=0))
    assert readouts["recall"] == pytest.approx(reference.recall_score(Y, called))
    assert readouts["F-beta, beta 2"] == pytest.approx(reference.fbeta_score(Y, called, beta=2))
    assert readouts["FPR"] == pytest.approx(fp / 60) and readouts["cost (false alarms)"] == fp + 5 * fn


def test_jumps_land_where_their_names_say():
    explorer = explorers.Threshold(Y, SCORE)
    grid = np.linspace(0, 1, 501)
    explorer.set(beta=2, miss_cost=5)
    best = explorer.press("Best F-beta")["F-beta, beta 2"]
    assert best == pytest.approx(max(reference.fbeta_score(Y, t <= SCORE, beta=2, zero_division=0) for t in grid))
    counts = [reference.confusion_matrix(Y, t <= SCORE, labels=[0, 1]).ravel() for t in grid]
    assert explorer.press("Lowest cost")["cost (false alarms)"] == min(fp + 5 * fn for _, fp, fn, _ in counts)
    bep = explorer.press("Break-even point")
    assert abs(bep["FP"] - bep["FN"]) == min(abs(fp - fn) for _, fp, fn, _ in counts)
    eer = explorer.press("Equal error rate")
    assert abs(eer["FPR"] - eer["FNR"]) == pytest.approx(min(abs(fp / 60 - fn / 40) for _, fp, fn, _ in counts))


def test_a_button_is_asked_with_other_values_too():
    explorer = explorers.Threshold(Y, SCORE)
    asked = explorer.at_press("Lowest cost", miss_cost=10)
    assert explorer.values == explorer.opening
    explorer.set(miss_cost=10)
    assert explorer.press("Lowest cost") == asked


def test_nothing_called_positive_is_no_division_by_zero():
    readouts = explorers.Threshold(Y, np.minimum(SCORE, 0.9)).set(threshold=1, beta=0)
    assert (readouts["TP"], readouts["FP"], readouts["precision"], readouts["F-beta, beta 0"]) == (0, 0, 0, 0)


def test_threshold_line_can_be_dragged_and_the_points_follow():
    explorer = explorers.Threshold(Y, SCORE)
    drag(explorer, explorer.handles[0].axes, (0.5, 1), (0.8, 1))
    assert explorer.threshold == pytest.approx(0.8, abs=0.003)
    readouts = explorer.at()
    assert explorer.roc_point.get_xydata()[0].tolist() == [readouts["FPR"], readouts["recall"]]
    assert explorer.pr_point.get_xydata()[0].tolist() == [readouts["recall"], readouts["precision"]]


@pytest.mark.parametrize("ratio", [1, 10, 1000])
def test_imbalance_is_a_weight_on_the_negatives(ratio):
    readouts = explorers.Imbalance(Y, SCORE).set(ratio=ratio, recall=0.8)
    weighted = {"sample_weight": np.where(Y == 1, 1, ratio * 40 / 60)}
    assert readouts["average precision"] == pytest.approx(reference.average_precision_score(Y, SCORE, **weighted))
    assert readouts["ROC AUC"] == pytest.approx(reference.roc_auc_score(Y, SCORE, **weighted))
    threshold = np.sort(SCORE[Y == 1])[-32]  # finds 32 of the 40
    assert readouts["precision"] == pytest.approx(reference.precision_score(Y, threshold <= SCORE, **weighted))


def test_crossing_names_the_cheaper_model():
    explorer = explorers.examples()["Crossing"]()
    assert explorer.set(miss_cost=1)["cheaper"] == "mean radius"
    assert explorer.set(miss_cost=10)["cheaper"] == "mean concavity"
    readouts = explorer.at()
    assert readouts["average precision, mean radius"] > readouts["average precision, mean concavity"]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"y_score must lie in \[0, 1\]"):
        explorers.Threshold(Y, SCORE * 3)
    with pytest.raises(ValueError, match="scores must name two models"):
        explorers.Crossing(Y, {"one": SCORE})
    with pytest.raises(ValueError, match="y_true must hold both classes"):
        explorers.Imbalance(np.ones(100), SCORE)
