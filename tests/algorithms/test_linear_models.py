"""Linear models and their errors equal scikit-learn's; the minimum is one; bad input is refused."""

import numpy as np
import pytest
from sklearn import linear_model, metrics

from helpers import datasets
from helpers.algorithms import linear_models as ours

RNG = np.random.default_rng(0)
DIABETES, CANCER, WINE = datasets.diabetes(), datasets.breast_cancer(), datasets.wine()


def standardized(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(50, 4), (5, 5), (3, 8), (20, 1)])
def test_least_squares_equals_scikit_learn(shape, fit_intercept):
    X, y = RNG.normal(size=shape) + 3, RNG.normal(size=shape[0])
    mine, other = (m.LinearRegression(fit_intercept=fit_intercept).fit(X, y) for m in (ours, linear_model))
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=1e-9)
    assert mine.intercept_ == pytest.approx(other.intercept_, abs=1e-9)
    np.testing.assert_allclose(mine.predict(X + 1), other.predict(X + 1), atol=1e-9)


def test_least_squares_on_diabetes_and_far_from_zero():
    other = linear_model.LinearRegression().fit(DIABETES.X, DIABETES.y)
    np.testing.assert_allclose(ours.LinearRegression().fit(DIABETES.X, DIABETES.y).coef_, other.coef_, rtol=1e-8)
    far = ours.LinearRegression().fit(DIABETES.X + 2.0**20, DIABETES.y)
    np.testing.assert_allclose(far.coef_, other.coef_, rtol=1e-4)


def test_a_repeated_column_gives_the_shortest_solution():
    X, y = RNG.normal(size=(30, 3)), RNG.normal(size=30)
    twice = np.column_stack([X, X[:, 0]])
    coef = ours.LinearRegression().fit(twice, y).coef_
    alone = ours.LinearRegression().fit(X, y).coef_
    np.testing.assert_allclose(coef, [alone[0] / 2, *alone[1:], alone[0] / 2])


def test_residuals_are_orthogonal_to_the_columns():
    model = ours.LinearRegression().fit(DIABETES.X, DIABETES.y)
    residual = DIABETES.y - model.predict(DIABETES.X)
    assert np.abs(DIABETES.X.T @ residual).max() < 1e-8 and abs(residual.mean()) < 1e-10


def test_qr_keeps_digits_that_the_normal_equations_lose():
    x = np.linspace(0, 1, 40)
    X, truth = np.vander(x, 9), np.ones(9)
    by_qr = ours._least_squares(X, X @ truth)
    by_normal = np.linalg.solve(X.T @ X, X.T @ (X @ truth))
    assert np.abs(by_qr - truth).max() < 1e-7 < np.abs(by_normal - truth).max() * 1e3


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_logistic_regression_equals_scikit_learn(C, fit_intercept):
    X, y = standardized(CANCER.X), np.array(["bad", "good"])[CANCER.y]
    mine = ours.LogisticRegression(C, fit_intercept=fit_intercept).fit(X, y)
    other = linear_model.LogisticRegression(
        C=C, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-10, max_iter=1000
    ).fit(X, y)
    np.testing.assert_allclose(mine.coef_, other.coef_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(mine.intercept_, other.intercept_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(mine.predict_proba(X), other.predict_proba(X), atol=1e-7)
    np.testing.assert_allclose(mine.decision_function(X), other.decision_function(X), atol=1e-5)
    np.testing.assert_array_equal(mine.predict(X), other.predict(X))


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shift", [0, 2])
def test_softmax_regression_equals_scikit_learn(C, fit_intercept, shift):
    X, y = standardized(WINE.X) + shift, WINE.y
    mine = ours.SoftmaxRegression(C, fit_intercept=fit_intercept).fit(X, y)
    other = linear_model.LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-10, max_iter=20000).fit(X, y)
    np.testing.assert_allclose(mine.coef_, other.coef_, atol=2e-4)
    np.testing.assert_allclose(mine.intercept_, other.intercept_, atol=2e-3)
    np.testing.assert_allclose(mine.predict_proba(X), other.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(mine.predict(X), other.predict(X))


def test_the_gradient_is_zero_at_the_minimum():
    X, y = standardized(WINE.X), WINE.y
    model = ours.SoftmaxRegression(3.0).fit(X, y)
    pull = model.predict_proba(X) - (y[:, None] == range(3))
    np.testing.assert_allclose(3 * pull.T @ X + model.coef_, 0, atol=1e-6)
    np.testing.assert_allclose(pull.sum(axis=0), 0, atol=1e-7)
    assert model.intercept_.sum() == pytest.approx(0, abs=1e-9)
    assert model.n_iter_ < 20


def test_two_classes_by_softmax_are_logistic_regression_with_twice_the_c():
    X, y = standardized(CANCER.X)[:, :5], CANCER.y
    pairs = ours.SoftmaxRegression(2.0).fit(X, y), ours.LogisticRegression(1.0).fit(X, y)
    softmax, logistic = (model.coef_ for model in pairs)
    penalized = ours.LogisticRegression(4.0).fit(X, y)
    np.testing.assert_allclose(softmax[1] - softmax[0], penalized.coef_[0], atol=1e-6)
    assert np.abs(softmax[1] - softmax[0] - logistic[0]).max() > 1e-3


def test_slopes_are_those_of_the_loss():
    X, y, w = RNG.normal(size=(30, 4)), RNG.integers(0, 2, 30).astype(float), RNG.normal(size=4)
    penalty = np.array([1, 1, 1, 0.0])

    def loss(w):
        z = X @ w
        return 0.7 * (np.logaddexp(0, z) - y * z).sum() + (penalty * w**2).sum() / 2

    gradient, hessian = ours._logistic_slopes(X, y, w, 0.7, penalty)
    steps = 1e-5 * np.eye(4)
    np.testing.assert_allclose(gradient, [(loss(w + e) - loss(w - e)) / 2e-5 for e in steps], atol=1e-6)
    differences = [
        (ours._logistic_slopes(X, y, w + e, 0.7, penalty)[0] - ours._logistic_slopes(X, y, w - e, 0.7, penalty)[0])
        / 2e-5
        for e in steps
    ]
    np.testing.assert_allclose(hessian, differences, atol=1e-6)


def test_too_few_steps_are_told():
    with pytest.warns(RuntimeWarning, match="max_iter=1 "):
        ours.LogisticRegression(100.0, 1).fit(standardized(CANCER.X), CANCER.y)


def test_far_from_zero_classes_are_told_apart_as_near():
    X = standardized(CANCER.X)[:, :4]
    near, far = (ours.LogisticRegression().fit(X + shift, CANCER.y) for shift in (0, 2.0**20))
    np.testing.assert_allclose(far.predict_proba(X + 2.0**20), near.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "r2_score"])
def test_errors_equal_scikit_learn(name):
    for n in (2, 3, 50):
        a, b = RNG.normal(size=(2, n)) * 10
        assert getattr(ours, name)(a, b) == pytest.approx(getattr(metrics, name)(a, b), rel=1e-12)


def test_r2_of_a_constant_target():
    for prediction in ([2.0, 2.0], [2.0, 3.0]):
        assert ours.r2_score([2, 2], prediction) == metrics.r2_score([2, 2], prediction)


def test_log_loss_equals_scikit_learn():
    p = RNG.dirichlet(np.ones(3), size=40)
    y = np.r_[0, 1, 2, RNG.integers(0, 3, 37)]
    assert ours.log_loss(y, p) == pytest.approx(metrics.log_loss(y, p))
    assert ours.log_loss(y > 0, p[:, 0]) == pytest.approx(metrics.log_loss(y > 0, p[:, 0]))
    assert ours.log_loss(["b", "a"], [0.9, 0.2]) == pytest.approx(metrics.log_loss(["b", "a"], [0.9, 0.2]))
    assert ours.log_loss([1, 1], [0.9, 0.2], labels=[0, 1]) == pytest.approx(
        metrics.log_loss([1, 1], [0.9, 0.2], labels=[0, 1])
    )
    assert ours.log_loss([0, 1], [1.0, 0.0]) == pytest.approx(metrics.log_loss([0, 1], [1.0, 0.0]))


ONE = [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.LinearRegression().fit([[np.nan]], [1]), "^X holds NaN"),
        (lambda: ours.LinearRegression().fit([1.0], [1]), "^X must have 2"),
        (lambda: ours.LinearRegression().fit(ONE, [1]), "same length"),
        (lambda: ours.LinearRegression().fit(ONE, ["a", "b"]), "^y must be an array"),
        (lambda: ours.LinearRegression().predict(ONE), "not fitted"),
        (lambda: ours.LinearRegression().fit(ONE, [1, 2]).predict([[1.0, 2]]), "^X must have 1 col"),
        (lambda: ours.LogisticRegression(0).fit(ONE, [0, 1]), "^C must"),
        (lambda: ours.LogisticRegression("1").fit(ONE, [0, 1]), "^C must"),
        (lambda: ours.LogisticRegression(1.0, 0).fit(ONE, [0, 1]), "^max_iter"),
        (lambda: ours.LogisticRegression(1.0, 1.5).fit(ONE, [0, 1]), "^max_iter"),
        (lambda: ours.LogisticRegression().fit([[1.0], [2], [3]], [0, 1, 2]), "^y must hold 2 classes, got 3"),
        (lambda: ours.SoftmaxRegression().fit(ONE, [1, 1]), "^y must hold 2 classes or more"),
        (lambda: ours.LogisticRegression().fit(ONE, [0, np.nan]), "^y holds NaN"),
        (lambda: ours.LogisticRegression().fit(ONE, [None, 1]), "^y must be a list of classes"),
        (lambda: ours.LogisticRegression().fit(ONE, [[1], [1, 2]]), "^y must be a list of classes"),
        (lambda: ours.SoftmaxRegression().fit(ONE, [0, 1, 2]), "same length"),
        (lambda: ours.SoftmaxRegression().predict(ONE), "not fitted"),
        (lambda: ours.mean_squared_error([1], [1, 2]), "same length"),
        (lambda: ours.mean_absolute_error([], []), "^y_true is empty"),
        (lambda: ours.mean_absolute_error([[1.0]], [1.0]), "^y_true must have 1"),
        (lambda: ours.r2_score([1], [1]), "^y_true must hold at least 2"),
        (lambda: ours.log_loss([0, 1], [0.5, 1.5]), "^y_prob must hold prob"),
        (lambda: ours.log_loss([0, 1], [[0.5, 0.6], [1, 0]]), "^y_prob must hold prob"),
        (lambda: ours.log_loss([0, 1], [[0.5, 0.5, 0]] * 2), "^y_prob must have a column"),
        (lambda: ours.log_loss([1, 1], [0.5, 0.5]), "^labels must name"),
        (lambda: ours.log_loss([0, 2], [0.5, 0.5], labels=[0, 1]), "^labels must name"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
