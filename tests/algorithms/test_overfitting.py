"""Polynomials equal scikit-learn's, dropout torch's, one training step torch.autograd's; bad input is refused."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PolynomialFeatures

from helpers import datasets
from helpers.algorithms import overfitting
from helpers.algorithms.overfitting import (
    EarlyStopping,
    bagging,
    bias_variance,
    dropout,
    fit_polynomial,
    learning_curve,
    polynomial_features,
    predict_networks,
    predict_polynomial,
    train_networks,
)

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, 25)
Y = np.sin(3 * X) + 0.3 * RNG.normal(size=25)


@pytest.mark.parametrize("degree", [0, 1, 4, 9])
def test_features_are_scikit_learns(degree):
    np.testing.assert_allclose(polynomial_features(X, degree), PolynomialFeatures(degree).fit_transform(X[:, None]))


@pytest.mark.parametrize("degree", [1, 3, 8])
@pytest.mark.parametrize("alpha", [1e-3, 0.5, 20.0])
def test_a_penalized_fit_is_scikit_learns(degree, alpha):
    theirs = Ridge(alpha=alpha, solver="svd").fit(polynomial_features(X, degree)[:, 1:], Y)
    ours = fit_polynomial(X, Y, degree, alpha)
    np.testing.assert_allclose(ours, [theirs.intercept_, *theirs.coef_], atol=1e-9)


def test_a_plain_fit_is_numpys_and_the_shortest_where_several_fit():
    np.testing.assert_allclose(fit_polynomial(X, Y, 5), np.polyfit(X, Y, 5)[::-1], atol=1e-9)
    np.testing.assert_allclose(fit_polynomial(X[:4], Y[:4], 9), np.linalg.pinv(polynomial_features(X[:4], 9)) @ Y[:4])


def test_several_columns_are_fitted_one_by_one():
    both = fit_polynomial(X, np.column_stack([Y, 2 * Y + 1]), 3, 0.1)
    np.testing.assert_allclose(both[:, 0], fit_polynomial(X, Y, 3, 0.1))
    np.testing.assert_allclose(both[:, 1], fit_polynomial(X, 2 * Y + 1, 3, 0.1))
    np.testing.assert_allclose(predict_polynomial(both, X)[:, 1], np.polyval(both[::-1, 1], X))


def cubic(x, y):
    w = fit_polynomial(x, y, 3)
    return lambda x: predict_polynomial(w, x)


def test_a_learning_curve_uses_the_first_samples():
    train, test = learning_curve(cubic, X[:15], Y[:15], X[15:], Y[15:], [5, 15])
    for i, n in enumerate((5, 15)):
        w = np.polyfit(X[:n], Y[:n], 3)
        assert train[i] == pytest.approx(((np.polyval(w, X[:n]) - Y[:n]) ** 2).mean())
        assert test[i] == pytest.approx(((np.polyval(w, X[15:]) - Y[15:]) ** 2).mean())


def test_bias_and_variance_add_up_and_follow_the_theory():
    """Least squares on a fixed design: no bias if the truth is in the model, variance sigma^2 times parameters / n."""
    truth, predictions = X**2, []

    def fit(x, y):
        w = fit_polynomial(x, y, 2)
        predictions.append(predict_polynomial(w, X))
        return lambda x: predict_polynomial(w, x)

    bias2, variance = bias_variance(lambda rng: (X, truth + 0.5 * rng.normal(size=25)), fit, X, truth, 2000, 1)
    assert variance == pytest.approx(0.25 * 3 / 25, rel=0.06)
    assert bias2 < 1e-4
    assert bias2 + variance == pytest.approx(((np.array(predictions) - truth) ** 2).mean())
    line, _ = bias_variance(
        lambda rng: (X, truth + 0.5 * rng.normal(size=25)), lambda x, y: np.poly1d(np.polyfit(x, y, 1)), X, truth, 50, 1
    )
    assert line == pytest.approx(((np.polyval(np.polyfit(X, truth, 1), X) - truth) ** 2).mean(), rel=0.2)


def test_early_stopping_counts_as_it_says():
    stopping = EarlyStopping(patience=2, min_delta=0.1)
    assert (stopping.best, stopping.best_epoch, stopping.epoch) == (math.inf, None, 0)
    assert [stopping.step(loss) for loss in (1.0, 0.9, 0.85, 0.8, 0.76)] == [False, False, False, False, True]
    assert (stopping.best, stopping.best_epoch, stopping.epoch) == (0.85, 2, 5)
    assert EarlyStopping().patience == 5 and EarlyStopping().min_delta == 0


def test_bagging_averages_fits_to_samples_with_replacement():
    drawn = []

    def fit(x, y):
        drawn.append(x)
        return lambda x: np.full(len(x), y.mean())

    predict = bagging(fit, X, Y, n_estimators=200, random_state=0)
    assert all(len(x) == 25 and set(x) <= set(X) for x in drawn) and len(drawn) == 200
    assert np.mean([len(set(x)) / 25 for x in drawn]) == pytest.approx(1 - (1 - 1 / 25) ** 25, abs=0.01)
    means = [Y[[np.flatnonzero(value == X)[0] for value in x]].mean() for x in drawn]
    np.testing.assert_allclose(predict(X[:3]), np.mean(means))
    np.testing.assert_array_equal(bagging(cubic, X, Y, 3, 5)(X), bagging(cubic, X, Y, 3, 5)(X))
    drawn.clear()
    bagging(fit, X, Y)
    assert len(drawn) == 10


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9, 1.0])
def test_dropout_is_torchs_for_the_same_mask(p):
    x = torch.tensor(RNG.normal(size=(200, 30)) + 3)
    torch.manual_seed(0)
    theirs = torch.nn.functional.dropout(x, p)
    u = np.where(theirs.numpy() == 0, p / 2, (p + 1) / 2)
    np.testing.assert_allclose(dropout(x, p, u if p < 1 else np.zeros((200, 30))), theirs)
    assert dropout([2.0], 0.25, [0.25]) == pytest.approx(2 / 0.75)  # at the edge it stays


def test_the_expectation_of_dropout_is_its_input():
    mean = dropout(np.full((400, 500), 2.0), 0.3, np.random.default_rng(1).random((400, 500))).mean()
    assert mean == pytest.approx(2, abs=0.02)


def digits(r, n):
    data = datasets.digits()
    return data.X[: r * n].reshape(r, n, 64) / 16, data.y[: r * n].reshape(r, n)


def test_two_epochs_are_those_of_torchs_adam():
    x, y = digits(2, 30)
    l1, l2, hidden = [0.002, 0.0], [0.0, 0.05], [7, 5]
    *_, last = train_networks(x, y, epochs=2, hidden=hidden, lr=0.02, l1=l1, l2=l2, seeds=[3, 4])
    for i in range(2):
        rng = np.random.default_rng(3 + i)
        W1 = rng.normal(size=(64, 7))[:, : hidden[i]] * np.sqrt(2 / 64)
        W2 = rng.normal(size=(7, 10))[: hidden[i]] * np.sqrt(2 / hidden[i])
        params = [torch.tensor(p, requires_grad=True) for p in (W1, np.zeros(hidden[i]), W2, np.zeros(10))]
        optimizer = torch.optim.Adam(params, lr=0.02)
        for _ in range(2):
            optimizer.zero_grad()
            h = torch.relu(torch.tensor(x[i]) @ params[0] + params[1])
            loss = torch.nn.functional.cross_entropy(h @ params[2] + params[3], torch.tensor(y[i]))
            for w in params[::2]:
                loss = loss + l1[i] * w.abs().sum() + l2[i] / 2 * (w**2).sum()
            loss.backward()
            optimizer.step()
        np.testing.assert_allclose(last[0][i][:, : hidden[i]], params[0].detach(), atol=1e-9)
        np.testing.assert_allclose(last[2][i][: hidden[i]], params[2].detach(), atol=1e-9)
        theirs = torch.log_softmax(torch.relu(torch.tensor(x[0]) @ params[0] + params[1]) @ params[2] + params[3], 1)
        np.testing.assert_allclose(predict_networks(last, x[0])[i], theirs.detach(), atol=1e-9)


def test_dropout_gates_units_by_inverted_dropout():
    p = np.array([0, 0.5, 0.8]).reshape(3, 1, 1)
    gate = overfitting._gate((3, 400, 50), p, np.random.default_rng(0))
    assert set(np.unique(gate[0])) == {1} and set(np.unique(gate[1])) == {0, 2}
    assert gate[2].max() == pytest.approx(5)
    np.testing.assert_allclose(gate.mean(axis=(1, 2)), 1, atol=0.05)


def test_disturbed_digits_are_noisy_or_moved_as_asked():
    x, _ = digits(3, 200)
    noise, shift = np.array([0, 0.3, 0]).reshape(3, 1, 1), np.array([False, False, True]).reshape(3, 1, 1)
    shown = overfitting._disturbed(x, noise, shift, np.random.default_rng(0))
    np.testing.assert_array_equal(shown[0], x[0])
    assert (shown[1] - x[1]).std() == pytest.approx(0.3, rel=0.02)
    image, padded = np.pad(x[2].reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1))), shown[2].reshape(-1, 8, 8)
    places = []
    for before, after in zip(image, padded, strict=True):
        found = [(i, j) for i in range(3) for j in range(3) if np.array_equal(after, before[i : i + 8, j : j + 8])]
        assert found
        places += found[:1]
    assert len(set(places)) == 9, "all nine places come up"


def test_settings_reach_their_own_network():
    x, y = (np.repeat(array, 4, axis=0) for array in digits(1, 40))
    *_, last = train_networks(x, y, epochs=3, p=[0, 0.5, 0, 0], noise=[0, 0, 0.3, 0], shift=[0, 0, 0, 1], seeds=[0] * 4)
    *_, plain = train_networks(x[:1], y[:1], epochs=3)
    np.testing.assert_allclose(last[0][0], plain[0][0])
    assert all(np.abs(last[0][i] - plain[0][0]).max() > 1e-4 for i in (1, 2, 3))


GOOD_X, GOOD_Y = digits(2, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: polynomial_features([[1.0]], 1), "x must have 1"),
        (lambda: polynomial_features([1.0, np.nan], 1), "x holds NaN"),
        (lambda: polynomial_features([1.0], -1), "degree"),
        (lambda: polynomial_features([1.0], 1.0), "degree"),
        (lambda: fit_polynomial(X, Y[:-1], 1), "same length"),
        (lambda: fit_polynomial([], [], 1), "x is empty"),
        (lambda: fit_polynomial(X, Y, 1, -0.1), "alpha"),
        (lambda: fit_polynomial(X, Y[0], 1), "y must have"),
        (lambda: predict_polynomial([], X), "w is empty"),
        (lambda: learning_curve(None, X, Y, X, Y, [3]), "fit must be callable"),
        (lambda: learning_curve(cubic, X, Y, X, Y, [26]), "sizes"),
        (lambda: learning_curve(cubic, X, Y, X, Y, [0]), "sizes"),
        (lambda: learning_curve(cubic, X, Y, X, Y, []), "sizes"),
        (lambda: learning_curve(cubic, X, Y, X, Y[1:], [3]), "X_test 25, y_test 24"),
        (lambda: learning_curve(cubic, 3.0, Y, X, Y, [3]), "X must hold samples"),
        (lambda: bias_variance(None, cubic, X, Y), "draw must be callable"),
        (lambda: bias_variance(lambda rng: (X, Y), 3, X, Y), "fit must be callable"),
        (lambda: bias_variance(lambda rng: (X, Y), cubic, X, Y, 1), "runs"),
        (lambda: bias_variance(lambda rng: (X, Y), cubic, X, Y, 2, -1), "random_state"),
        (lambda: EarlyStopping(0), "patience"),
        (lambda: EarlyStopping(2, -1), "min_delta"),
        (lambda: EarlyStopping().step(np.nan), "loss"),
        (lambda: bagging(cubic, X, Y, 0), "n_estimators"),
        (lambda: bagging(3, X, Y), "fit must be callable"),
        (lambda: dropout([1.0], 1.5, [0.5]), "p must be"),
        (lambda: dropout([1.0], -0.1, [0.5]), "p must be"),
        (lambda: dropout([1.0], 0.5, [0.5, 0.5]), "u must"),
        (lambda: dropout([1.0], 0.5, [1.5]), "u must"),
        (lambda: dropout([1.0], 0.5, [-0.5]), "u must"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y[:1], epochs=1)), "X must be"),
        (lambda: next(train_networks(GOOD_X[..., 1:], GOOD_Y, epochs=1)), "X must be"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y + 10, epochs=1)), "y must hold"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=0)), "epochs"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, lr=0)), "lr"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, hidden=0)), "hidden"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, l1=[1, 2, 3])), "l1 must be one number"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, l2=-1)), "l2"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, p=1)), "p must"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, noise=-1)), "noise"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, shift=2)), "shift"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, seeds=[0, 1, 2])), "seeds"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, seeds=[-1])), "seeds"),
        (lambda: next(train_networks(GOOD_X, GOOD_Y, epochs=1, seeds="0")), "seeds"),
        (lambda: predict_networks([0], GOOD_X), "X must have"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
