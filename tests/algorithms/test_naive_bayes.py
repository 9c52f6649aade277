"""Naive Bayes equals scikit-learn's, in one go and in batches; without smoothing it follows the definition."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import naive_bayes as theirs

from helpers import datasets
from helpers.algorithms import naive_bayes as ours

RNG = np.random.default_rng(0)
WORDS = RNG.poisson(0.7, size=(120, 9)).astype(float)
LABELS = np.array(["cat", "dog", "owl"])[np.r_[RNG.integers(0, 3, 117), 0, 1, 2]]
SETTINGS = {
    "GaussianNB": [{}, {"var_smoothing": 0.1}, {"priors": [0.2, 0.7, 0.1]}],
    "MultinomialNB": [
        {},
        {"alpha": 0.01},
        {"alpha": np.linspace(0.1, 2, 9)},
        {"fit_prior": False},
        {"class_prior": [0.2, 0.7, 0.1]},
    ],
    "BernoulliNB": [
        {},
        {"alpha": 0.01, "binarize": 1.0},
        {"fit_prior": False},
        {"class_prior": [0.2, 0.7, 0.1]},
    ],
}
CASES = [(name, settings) for name, several in SETTINGS.items() for settings in several]
ATTRIBUTES = "class_count_ class_prior_ class_log_prior_ theta_ var_ epsilon_ feature_count_ feature_log_prob_".split()


def agree(mine, other, X):
    np.testing.assert_array_equal(mine.predict(X), other.predict(X))
    np.testing.assert_allclose(mine.predict_log_proba(X), other.predict_log_proba(X), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mine.predict_proba(X), other.predict_proba(X), atol=1e-12)
    for attribute in ATTRIBUTES:
        assert hasattr(mine, attribute) == hasattr(other, attribute)
        if hasattr(other, attribute):
            np.testing.assert_allclose(getattr(mine, attribute), getattr(other, attribute), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_equals_scikit_learn(name, settings):
    mine, other = getattr(ours, name)(**settings), getattr(theirs, name)(**settings)
    assert mine.fit(WORDS, LABELS) is mine
    agree(mine, other.fit(WORDS, LABELS), WORDS + RNG.integers(0, 3, WORDS.shape))


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_batches_equal_scikit_learn_and_fit_starts_anew(name, settings):
    mine, other = getattr(ours, name)(**settings), getattr(theirs, name)(**settings)
    for batch in (slice(0, 1), slice(1, 50), slice(50, 120)):
        for model in (mine, other):
            assert model.partial_fit(WORDS[batch], LABELS[batch], classes=["dog", "cat", "owl"]) is model
    agree(mine, other, WORDS)
    mine.fit(WORDS[:60], LABELS[:60])
    agree(mine, other.fit(WORDS[:60], LABELS[:60]), WORDS)


@pytest.mark.parametrize("name", SETTINGS)
def test_batches_end_where_one_fit_does(name):
    whole, parts = getattr(ours, name)().fit(WORDS, LABELS), getattr(ours, name)()
    for batch in np.array_split(RNG.permutation(120), 7):
        parts.partial_fit(WORDS[batch], LABELS[batch], classes=np.unique(LABELS))
    np.testing.assert_allclose(parts.predict_proba(WORDS), whole.predict_proba(WORDS), atol=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("data", [datasets.iris, datasets.digits, datasets.wine])
def test_equals_scikit_learn_on_real_data(name, data):
    X, y = data().X, data().y
    mine, other = (getattr(module, name)().fit(X[::2], y[::2]) for module in (ours, theirs))
    np.testing.assert_array_equal(mine.predict(X[1::2]), other.predict(X[1::2]))
    np.testing.assert_allclose(mine.predict_log_proba(X[1::2]), other.predict_log_proba(X[1::2]), rtol=1e-7, atol=1e-7)


def test_far_from_zero_nothing_is_lost():
    X = datasets.iris().X
    near, far = (ours.GaussianNB().fit(X + shift, datasets.iris().y) for shift in (0, 2.0**20))
    np.testing.assert_allclose(far.predict_proba(X + 2.0**20), near.predict_proba(X), atol=1e-6)


def test_the_gaussian_posterior_follows_from_densities():
    X, y = datasets.iris().X, datasets.iris().y
    densities = [
        stats.norm(X[y == c].mean(axis=0), X[y == c].std(axis=0)).pdf(X).prod(axis=1) * np.mean(y == c)
        for c in range(3)
    ]
    expected = np.transpose(densities) / np.sum(densities, axis=0)[:, None]
    np.testing.assert_allclose(ours.GaussianNB(var_smoothing=0).fit(X, y).predict_proba(X), expected, atol=1e-10)


def test_a_thousand_features_do_not_underflow():
    X = RNG.normal(size=(40, 4000))
    y = np.repeat([0, 1], 20)
    proba = ours.GaussianNB().fit(X, y).predict_proba(X + 5)
    assert np.isfinite(proba).all() and proba.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("name", ["MultinomialNB", "BernoulliNB"])
def test_without_smoothing_what_was_never_seen_is_impossible(name):
    X, y = [[1, 0, 1], [2, 0, 0], [1, 1, 0], [0, 2, 0]], [0, 0, 1, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = getattr(ours, name)(alpha=0).fit(X, y)
        assert model.predict_proba([[5, 1, 0]]).tolist() == [[0, 1]], "class 0 never showed the second feature"
        assert model.predict_log_proba([[5, 1, 0]])[0, 0] == -np.inf
        assert model.predict_proba([[1, 0, 1]]).tolist() == [[1, 0]], "class 1 never showed the third"
        assert np.isnan(model.predict_proba([[0, 1, 1]])).all(), "neither class allows both"
        assert model.predict([[0, 1, 1]]) == [0]
    assert (getattr(ours, name)(alpha=1).fit(X, y).predict_proba([[0, 1, 1]]) > 0).all()


def test_multinomial_ignores_what_is_absent_and_bernoulli_does_not():
    X, y = [[3, 1], [3, 0], [0, 3], [1, 2]], [0, 0, 1, 1]
    multinomial, bernoulli = ours.MultinomialNB().fit(X, y), ours.BernoulliNB().fit(X, y)
    assert multinomial.predict_proba([[0, 0]]) == pytest.approx(np.array([[0.5, 0.5]]))
    assert bernoulli.predict_proba([[0, 0]])[0, 0] == pytest.approx(1 / 4 * 2 / 4 / (1 / 4 * 2 / 4 + 2 / 4 * 1 / 4))
    assert bernoulli.predict_proba([[1, 0]])[0, 0] == pytest.approx(3 / 4)


def test_smoothing_is_the_mean_of_a_dirichlet_posterior():
    counts = np.array([[3.0, 0, 1]])
    model = ours.MultinomialNB(alpha=2).fit(counts, [0])
    expected = stats.dirichlet(counts[0] + 2).mean()
    np.testing.assert_allclose(np.exp(model.feature_log_prob_[0]), expected)


def test_a_class_that_has_not_come_yet_is_impossible():
    for name in SETTINGS:
        model = getattr(ours, name)().partial_fit([[1.0, 0], [0, 1]], [0, 0], classes=[0, 1])
        assert model.predict_proba([[1.0, 1]]).tolist() == [[1, 0]]
    empty = ours.MultinomialNB(alpha=0).partial_fit([[1.0, 0]], [0], classes=[0, 1])
    assert (empty.feature_log_prob_[1] == -np.inf).all()


def test_a_later_batch_need_not_name_the_classes():
    model = ours.BernoulliNB().partial_fit([[1.0]], [0], classes=[0, 1]).partial_fit([[0.0]], [1])
    assert model.class_count_.tolist() == [1, 1]


def test_bernoulli_takes_an_alpha_per_feature():
    alphas = np.linspace(0.1, 2, 9)
    together = ours.BernoulliNB(alpha=alphas).fit(WORDS, LABELS).feature_log_prob_
    for j, alpha in enumerate(alphas):
        alone = ours.BernoulliNB(alpha=alpha).fit(WORDS, LABELS).feature_log_prob_
        np.testing.assert_allclose(together[:, j], alone[:, j])


def test_binarize_none_takes_bits_as_they_are():
    bits = (WORDS > 0).astype(float)
    mine = ours.BernoulliNB(binarize=None).fit(bits, LABELS)
    agree(mine, theirs.BernoulliNB(binarize=None).fit(bits, LABELS), bits)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0, np.nan]], [0], "^X holds NaN"),
        ([1.0, 2.0], [0, 1], "^X must have 2 dim"),
        ([["a"]], [0], "^X must be an array of real"),
        (np.empty((0, 2)), [], "^y is empty"),
        ([[1.0]], [0, 1], "same length"),
        ([[1.0]], [[0]], "^y must be a list of classes"),
        ([[1.0]], [np.nan], "^y holds NaN"),
        ([[1.0]], [None], "^y must be a list of classes"),
        ([[1.0]], 0, "^y must be a list of classes"),
        ([[1.0], [1.0]], [[0], [1, 2]], "^y must be a list of classes"),
    ],
)
def test_bad_samples_are_refused(name, X, y, message):
    with pytest.raises(ValueError, match=message):
        getattr(ours, name)().fit(X, y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.GaussianNB(var_smoothing=-1).fit([[1.0]], [0]), "^var_smoothing"),
        (lambda: ours.GaussianNB(var_smoothing="1").fit([[1.0]], [0]), "^var_smoothing"),
        (lambda: ours.GaussianNB(priors=[0.5]).fit([[1.0], [2]], [0, 1]), "^priors must be 2 numbers"),
        (lambda: ours.GaussianNB(priors=[1.5, -0.5]).fit([[1.0], [2]], [0, 1]), "^priors"),
        (lambda: ours.GaussianNB(priors=[0.5, 0.6]).fit([[1.0], [2]], [0, 1]), "^priors"),
        (lambda: ours.GaussianNB(var_smoothing=0).fit([[1.0], [2]], [0, 1]).predict([[1.0]]), "^var_smoothing"),
        (lambda: ours.GaussianNB().fit([[1.0], [1]], [0, 1]).predict([[1.0]]), "^var_smoothing must be larger"),
        (lambda: ours.MultinomialNB().fit([[-1.0]], [0]), "^X must hold counts"),
        (lambda: ours.MultinomialNB(alpha=-1).fit([[1.0]], [0]), "^alpha"),
        (lambda: ours.MultinomialNB(alpha=[1, 1]).fit([[1.0]], [0]), "^alpha must be one number"),
        (lambda: ours.MultinomialNB(alpha=[1, -1]).fit([[1.0, 1]], [0]), "^alpha must be one number"),
        (lambda: ours.MultinomialNB(alpha=None).fit([[1.0]], [0]), "^alpha"),
        (lambda: ours.BernoulliNB(class_prior=[1.0, 1]).fit([[1.0], [0]], [0, 1]), "^class_prior"),
        (lambda: ours.BernoulliNB(binarize=None).fit([[2.0]], [0]), "^X must hold 0 and 1"),
        (lambda: ours.BernoulliNB(binarize="a").fit([[2.0]], [0]), "^binarize"),
        (lambda: ours.BernoulliNB().predict([[1.0]]), "not fitted yet"),
        (lambda: ours.BernoulliNB().fit([[1.0]], [0]).predict([[1.0, 2]]), "^X must have 1 columns"),
        (lambda: ours.BernoulliNB().partial_fit([[1.0]], [0]), "^classes must be given"),
        (lambda: ours.BernoulliNB().partial_fit([[1.0]], [0], classes=[]), "^classes is empty"),
        (lambda: ours.BernoulliNB().partial_fit([[1.0]], [2], classes=[0, 1]), "^y holds .*2.*none of the classes"),
        (lambda: ours.BernoulliNB().fit([[1.0]], [0]).partial_fit([[1.0]], [1]), "^y holds"),
        (lambda: ours.BernoulliNB().fit([[1.0]], [0]).partial_fit([[1.0]], [0], classes=[0, 1]), "^classes must be"),
        (lambda: ours.BernoulliNB().fit([[1.0]], [0]).partial_fit([[1.0, 2]], [0]), "^X must have 1 columns"),
    ],
)
def test_bad_settings_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_refused_batch_changes_nothing():
    model = ours.GaussianNB().fit(WORDS, LABELS)
    before = model.theta_.copy()
    with pytest.raises(ValueError, match=r"^y holds"):
        model.partial_fit(WORDS, np.repeat("cow", 120))
    np.testing.assert_array_equal(model.theta_, before)
