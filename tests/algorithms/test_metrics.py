"""Topic 05 against scikit-learn, against definitions counted by brute force, and against bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from helpers import datasets
from helpers.algorithms import metrics

CURVES = (metrics.roc_curve, metrics.precision_recall_curve)
RANKINGS = (
    metrics.roc_auc_score,
    metrics.average_precision_score,
    metrics.equal_error_rate,
    metrics.break_even_point,
)
COUNTS = (
    metrics.precision_score,
    metrics.recall_score,
    metrics.matthews_corrcoef,
    lambda *a, **k: metrics.fbeta_score(*a, beta=1, **k),
)
examples = settings(max_examples=200, derandomize=True, deadline=None)


@st.composite
def samples(draw):
    """Classes with both present, tied or distinct scores, weights among them zero."""
    n = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = rng.permutation(np.r_[1, 0, rng.integers(0, 2, n - 2)])
    score = rng.choice([rng.normal(size=n), rng.integers(0, 4, n) / 4, np.full(n, 0.5)], axis=0)
    weight = rng.choice([0, 0.5, 1, 2], n)
    weight[[np.argmax(y), np.argmin(y)]] = 1
    return y, score, draw(st.sampled_from([None, weight]))


@examples
@given(samples())
def test_curves_and_areas_equal_scikit_learn(sample):
    y, score, weight = sample
    for drop in (True, False):
        ours = metrics.roc_curve(y, score, sample_weight=weight, drop_intermediate=drop)
        theirs = reference.roc_curve(y, score, sample_weight=weight, drop_intermediate=drop)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    ours = metrics.precision_recall_curve(y, score, sample_weight=weight)
    theirs = reference.precision_recall_curve(y, score, sample_weight=weight)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    for name in ("roc_auc_score", "average_precision_score"):
        ours, theirs = (getattr(library, name)(y, score, sample_weight=weight) for library in (metrics, reference))
        assert ours == pytest.approx(theirs, abs=1e-12)


@examples
@given(samples(), st.sampled_from([0, 0.5, 1, 2]))
def test_counts_equal_scikit_learn(sample, beta):
    y, score, weight = sample
    called = (score >= 0.5).astype(int)
    ours = metrics.confusion_matrix(y, called, labels=[0, 1], sample_weight=weight)
    np.testing.assert_allclose(ours, reference.confusion_matrix(y, called, labels=[0, 1], sample_weight=weight))
    assert metrics.accuracy_score(y, called, sample_weight=weight) == pytest.approx(
        reference.accuracy_score(y, called, sample_weight=weight)
    )
    ours, theirs = (lib.matthews_corrcoef(y, called, sample_weight=weight) for lib in (metrics, reference))
    assert ours == pytest.approx(theirs, abs=1e-12)
    for name, options in (("precision_score", {}), ("recall_score", {}), ("fbeta_score", {"beta": beta})):
        ours = getattr(metrics, name)(y, called, sample_weight=weight, **options)
        theirs = getattr(reference, name)(y, called, sample_weight=weight, zero_division=0, **options)
        assert ours == pytest.approx(theirs, abs=1e-12), name


def test_confusion_matrix_of_several_classes_and_of_chosen_labels():
    rng = np.random.default_rng(0)
    y, called = rng.integers(-1, 4, (2, 200))
    for labels in (None, [3, 0], [7, 1, 2]):
        ours = metrics.confusion_matrix(y, called, labels=labels)
        np.testing.assert_array_equal(ours, reference.confusion_matrix(y, called, labels=labels))


@examples
@given(samples())
def test_auc_is_the_probability_that_a_positive_outranks_a_negative(sample):
    y, score, _ = sample
    gap = score[y == 1][:, None] - score[y == 0]
    assert metrics.roc_auc_score(y, score) == pytest.approx(((gap > 0) + (gap == 0) / 2).mean(), abs=1e-12)


@examples
@given(samples())
def test_ranking_measures_see_only_the_order(sample):
    y, score, weight = sample
    for measure in RANKINGS:
        assert measure(y, score, sample_weight=weight) == pytest.approx(
            measure(y, np.exp(score) * 3 - 7, sample_weight=weight), abs=1e-12
        )


@examples
@given(samples())
def test_weights_are_repetitions(sample):
    y, score, _ = sample
    times = np.random.default_rng(0).integers(1, 4, len(y))
    for measure in RANKINGS:
        assert measure(y, score, sample_weight=times) == pytest.approx(
            measure(np.repeat(y, times), np.repeat(score, times)), abs=1e-12
        )


@examples
@given(samples())
def test_equal_error_rate_lies_on_the_curve_and_on_the_diagonal(sample):
    y, score, weight = sample
    eer = metrics.equal_error_rate(y, score, sample_weight=weight)
    fpr, tpr, _ = metrics.roc_curve(y, score, sample_weight=weight, drop_intermediate=False)
    at_eer = tpr[fpr == eer] if (fpr == eer).any() else np.interp(eer, fpr, tpr)
    assert np.min(at_eer) - 1e-9 <= 1 - eer <= np.max(at_eer) + 1e-9
    swapped = metrics.equal_error_rate(1 - y, -score, sample_weight=weight)
    assert swapped == pytest.approx(eer, abs=1e-12), "swapping the classes swaps the two error rates"


def test_equal_error_rate_equals_a_sweep_where_some_threshold_meets_it():
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    score = np.array([1, 2, 3, 6, 4, 5, 7, 8])  # at threshold 4.5 one negative in four is above, one positive below
    assert metrics.equal_error_rate(y, score) == 0.25


@examples
@given(samples())
def test_break_even_point_is_precision_and_recall_where_no_tie_spans_it(sample):
    y, _, _ = sample
    score = np.random.default_rng(len(y)).permutation(
        len(y)
    )  # no ties: some threshold calls exactly P samples positive
    called = score >= np.sort(score)[-y.sum()]
    assert metrics.break_even_point(y, score) == pytest.approx(reference.precision_score(y, called, zero_division=0))
    assert metrics.break_even_point(y, score) == pytest.approx(reference.recall_score(y, called))


def test_break_even_point_splits_a_tie():
    assert metrics.break_even_point([1, 1, 0, 0], [0.5] * 4) == 0.5


def test_real_scores_equal_scikit_learn():
    tumors = datasets.breast_cancer()
    for column in tumors.X.T:
        assert metrics.roc_auc_score(tumors.y, column) == pytest.approx(reference.roc_auc_score(tumors.y, column))


def test_always_negative_is_accurate_and_useless():
    y = np.r_[np.ones(10), np.zeros(990)]
    assert metrics.accuracy_score(y, np.zeros(1000)) == 0.99
    assert metrics.matthews_corrcoef(y, np.zeros(1000)) == 0
    assert metrics.precision_score(y, np.zeros(1000)) == 0
    assert metrics.precision_score(y, np.zeros(1000), zero_division=1) == 1


def test_auc_of_points_that_fall():
    assert metrics.auc([1, 0.5, 0], [1, 1, 0]) == reference.auc([1, 0.5, 0], [1, 1, 0]) == 0.75


def test_classes_may_be_minus_one_and_one_or_truth_values():
    score = [0.1, 0.4, 0.35, 0.8]
    expected = metrics.roc_auc_score([0, 0, 1, 1], score)
    assert metrics.roc_auc_score([-1, -1, 1, 1], score) == expected
    assert metrics.roc_auc_score([False, False, True, True], score) == expected


BAD = [
    ([0, 1, np.nan], [1, 2, 3], None, "y_true holds NaN"),
    ([0, 1, 1], [1, np.nan, 3], None, "(y_score|y_pred) holds NaN"),
    ([0, 1, 1], [1, np.inf, 3], None, "(y_score|y_pred) holds NaN or infinity"),
    ([0, 1], [1, 2, 3], None, "same length, got y_true 2, (y_score|y_pred) 3"),
    ([], [], None, "y_true is empty"),
    ([[0, 1]], [[1, 0]], None, "y_true must have 1 dimension"),
    (["a", "b"], [1, 0], None, "y_true must be an array of real numbers"),
    ([0, 1], [1, 0], [1, 2, 3], "same length, got y_true 2, sample_weight 3"),
    ([0, 1], [1, 0], [1, -1], "sample_weight must hold no negative"),
    ([0, 1], [1, 0], [0, 0], "sample_weight must hold .* at least one positive"),
    ([0, 1], [1, 0], [1, np.nan], "sample_weight holds NaN"),
]


@pytest.mark.parametrize(("y_true", "other", "weight", "message"), BAD)
@pytest.mark.parametrize("function", [*CURVES, *RANKINGS, *COUNTS, metrics.confusion_matrix, metrics.accuracy_score])
def test_bad_input_is_refused_by_name(function, y_true, other, weight, message):
    with pytest.raises(ValueError, match=message):
        function(y_true, other, sample_weight=weight)


@pytest.mark.parametrize("function", [*CURVES, *RANKINGS])
@pytest.mark.parametrize("y_true", [[1, 1, 1], [0, 0, 0], [-1, -1, -1]])
def test_one_class_is_refused(function, y_true):
    with pytest.raises(ValueError, match="y_true must hold both classes"):
        function(y_true, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("function", [*CURVES, *RANKINGS, *COUNTS])
def test_a_third_class_is_refused(function):
    with pytest.raises(ValueError, match=r"y_true must hold the classes 0 and 1, or -1 and 1, got also .*2"):
        function([0, 1, 2], [0, 1, 0])


def test_a_class_that_only_zero_weights_have_is_missing():
    with pytest.raises(ValueError, match="both classes"):
        metrics.roc_auc_score([0, 1], [0.1, 0.2], sample_weight=[1, 0])


@pytest.mark.parametrize("beta", [-1, np.nan, np.inf, "1x", None])
def test_bad_beta_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be a"):
        metrics.fbeta_score([0, 1], [0, 1], beta=beta)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0], [1], "x must hold at least 2 points"),
        ([0, 1, 0.5], [0, 1, 1], "x must rise or fall"),
        ([0, 1], [0, 1, 2], "same length, got x 2, y 3"),
        ([0, np.nan], [0, 1], "x holds NaN"),
    ],
)
def test_bad_points_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        metrics.auc(x, y)


def test_bad_labels_and_zero_division_are_refused():
    with pytest.raises(ValueError, match="labels must name at least one class of y_true"):
        metrics.confusion_matrix([0, 1], [0, 1], labels=[5])
    with pytest.raises(ValueError, match="zero_division must be a finite number at least 0 and at most 1"):
        metrics.precision_score([0, 1], [0, 0], zero_division=2)


def test_inputs_are_left_as_they_were():
    y, score = np.array([0, 1, 1, 0]), np.array([0.3, 0.1, 0.4, 0.2])
    for function in (*CURVES, *RANKINGS):
        function(y, score)
    assert y.tolist() == [0, 1, 1, 0] and score.tolist() == [0.3, 0.1, 0.4, 0.2]


@pytest.mark.parametrize("x", [[0, 0, 0.5, 1], [1, 0.5, 0, 0], [0, 0.5, 1, 1], [1, 1, 0.5, 0]])
def test_a_curve_may_rise_upright_and_run_backwards(x):
    assert metrics.auc(x, np.ones(4)) == 1


# --- F-beta of counts ------------------------------------------------------------------------------------------------


@examples
@given(samples(), st.sampled_from([0, 0.5, 1, 3]))
def test_fbeta_of_arrays_of_counts_is_fbeta_score_at_every_threshold(sample, beta):
    y, score, _ = sample
    thresholds = np.r_[np.inf, np.unique(score)]
    tables = [metrics.confusion_matrix(y, score >= t, labels=[0, 1]).ravel() for t in thresholds]
    _, fp, fn, tp = np.transpose(tables)
    every = metrics.fbeta(tp, fp, fn, beta=beta)
    assert every.shape == thresholds.shape
    for value, t in zip(every, thresholds, strict=True):
        theirs = reference.fbeta_score(y, score >= t, beta=beta, zero_division=0)
        assert value == pytest.approx(theirs, abs=1e-12)


def test_fbeta_without_a_denominator():
    """Beta 0 and nothing called positive: precision of nothing."""
    assert metrics.fbeta(0, 0, 5, beta=0) == 0
    assert metrics.fbeta(0, 0, 5, beta=0, zero_division=1) == 1
    np.testing.assert_array_equal(metrics.fbeta([0, 0, 2], [0, 1, 0], [5, 5, 0], beta=0, zero_division=1), [1, 0, 1])
    assert metrics.fbeta(0, 0, 5, beta=1, zero_division=1) == 0
    assert isinstance(metrics.fbeta(1, 1, 1, beta=1), float)


@pytest.mark.parametrize("beta", [0.5, 1, 2])
def test_beta_is_where_equal_gains_count_the_same(beta):
    """Van Rijsbergen's condition: the partial derivatives agree where recall is beta times precision."""

    def f(p, r):  # a thousand found; precision and recall give the other two counts
        return metrics.fbeta(1000, 1000 / p - 1000, 1000 / r - 1000, beta=beta)

    p, h = 0.4, 1e-6
    r = beta * p
    slopes = (f(p + h, r) - f(p - h, r)) / (2 * h), (f(p, r + h) - f(p, r - h)) / (2 * h)
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-6)


@pytest.mark.parametrize(
    ("named", "counts", "options"),
    [
        ("tp", (-1, 0, 0), {"beta": 1}),
        ("fp", (1, [np.nan], 0), {"beta": 1}),
        ("fn", (1, 0, -2), {"beta": 1}),
        ("at least 0", ([1, 1], [-1, 3], [0, 0]), {"beta": 1}),
        ("at least 0", ([3, -1], [0, 0], [0, 0]), {"beta": 1}),
        ("at least 0", ([1, 1], [0, 0], [2, -1]), {"beta": 1}),
        ("shape", ([1, 2], 0, 0), {"beta": 1}),
        ("beta", (1, 0, 0), {"beta": -1}),
        ("zero_division", (1, 0, 0), {"beta": 1, "zero_division": 2}),
    ],
)
def test_bad_counts_are_refused(named, counts, options):
    with pytest.raises(ValueError, match=named):
        metrics.fbeta(*counts, **options)
