"""Readouts of topic 07's explorers against independent computations."""

import numpy as np
import pytest

from helpers import datasets
from helpers.algorithms.overfitting import predict_networks, train_networks
from helpers.explorers import overfitting as explorers

from .hand import drag


@pytest.fixture(scope="module")
def long():
    explorer = explorers.examples()["TooLong"]()
    yield explorer
    explorer.close()


@pytest.fixture(scope="module")
def remedies():
    explorer = explorers.examples()["Remedies"]()
    yield explorer
    explorer.close()


def test_the_fit_is_numpys(build):
    parabola = build("Parabola")
    solution = parabola.solve(degree=4, noise=0.3, n=30, alpha=explorers.WEAK, family=False, sample=2)
    w = np.polyfit(solution.x, solution.y, 4)
    np.testing.assert_allclose(solution.fitted[:, 0], np.polyval(w, explorers.GRID), atol=1e-9)
    said = parabola.at(degree=4, noise=0.3, n=30, sample=2)
    assert said["training error"] == pytest.approx(((np.polyval(w, solution.x) - solution.y) ** 2).mean(), rel=0.06)
    fresh = np.random.default_rng(0).uniform(-1, 1, 20000)
    exact = 0.09 + ((np.polyval(w, fresh) - 2 * fresh**2 + 1) ** 2).mean()
    assert said["test error"] == pytest.approx(exact, rel=0.1)


def test_bias_and_variance_add_up_to_the_test_error(build):
    parabola = build("Parabola")
    for degree in (0, 1, 2, 6):
        solution = parabola.solve(degree, 0.4, 40, explorers.WEAK, True, 0)
        assert sum(solution.parts) + 0.16 == pytest.approx(solution.errors[-1, 1])
    assert parabola.at(family=True, degree=1)["bias squared"] > 10 * parabola.at(family=True, degree=2)["bias squared"]
    assert parabola.at(family=True, degree=8)["variance"] > 3 * parabola.at(family=True, degree=2)["variance"]


def test_training_error_falls_with_the_degree(build):
    errors = build("Parabola").solve(15, 0.5, 30, explorers.WEAK, False, 0).errors
    assert (np.diff(errors[:, 0]) <= 1e-9).all() and errors[:, 1].argmin() == 2


def test_resampling_draws_new_noise_at_the_same_places(build):
    parabola = build("Parabola")
    before = parabola.points.get_data()
    parabola.press("Resample")
    after = parabola.points.get_data()
    np.testing.assert_array_equal(before[0], after[0])
    assert np.abs(before[1] - after[1]).min() > 0
    parabola.set(sample=0)
    drag(parabola, parabola.figure.axes[1], (1, 1), (6, 1))
    assert parabola.degree == 6


def test_the_opening_shows_no_curve_beyond_the_degree(build):
    parabola = build("Parabola")
    assert len(parabola.test.get_xdata()) == 2
    assert "variance" not in parabola.at()


def test_a_network_is_the_one_that_is_shown(long):
    digits = datasets.digits()
    X, y = digits.X / 16, digits.y
    train, labels, wrong = explorers.noisy_digits(X, y, [1])
    assert wrong.sum() == 20 and train.shape == (1, 100, 64)
    *_, last = train_networks(train, labels, epochs=30, lr=0.02, seeds=[1])
    p = predict_networks(last, X[1300:])[0].argmax(axis=1)
    assert long.histories["test error"][29, 1] == pytest.approx((p != y[1300:]).mean())
    learned = (predict_networks(last, train)[0].argmax(axis=1) == labels[0])[wrong[0]].mean()
    assert long.histories["wrong labels learned"][29, 1] == pytest.approx(learned)


def test_stopping_happens_where_a_plain_loop_says(long):
    losses = long.histories["validation loss"][:, 2]
    for patience in (1, 5, 20):
        said = long.at(epoch=explorers.EPOCHS, patience=patience, start=2)
        stop = next(
            e
            for e in range(patience, 120)
            if losses[e - patience + 1 : e + 1].min() >= losses[: e - patience + 1].min()
        )
        assert said["early stopping ends after epoch"] == stop + 1
        assert said["and restores epoch (star)"] == losses[: stop + 1].argmin() + 1
    assert "early stopping ends after epoch" not in long.at()


def test_wrong_labels_are_learned_last(long):
    for start in range(3):
        right, wrong = (long.histories[f"{kind} labels learned"][:, start] for kind in ("right", "wrong"))
        assert np.argmax(right > 0.9) < np.argmax(wrong > 0.5)
        assert wrong[-1] == 1


def test_remedies_are_measured_on_test_digits(remedies):
    digits = datasets.digits()
    X, y = digits.X / 16, digits.y
    train, labels, _ = explorers.noisy_digits(X, y, [0])
    networks = [np.repeat(array, 4, axis=0) for array in (train, labels)]
    *_, last = train_networks(*networks, epochs=explorers.LAST, lr=0.03, l2=0.03, seeds=range(4))
    log_p = predict_networks(last, X[1300:])
    errors = (log_p.argmax(axis=2) != y[1300:]).mean(axis=1)
    assert remedies.at(l2=True)["these: test error, mean"] == round(errors.mean(), 2)
    together = (np.exp(log_p).mean(axis=0).argmax(axis=1) != y[1300:]).mean()
    assert remedies.at(l2=True, ensemble=True)["these: test error, mean"] == round(together, 2)
    assert remedies.at()["these: test error, mean"] > remedies.at(l2=True)["these: test error, mean"]


def test_early_stopping_takes_the_lowest_validation_loss(remedies):
    best = remedies.validation[:, 0].argmin(axis=0)
    wanted = np.mean([remedies.test[b, 0, i] for i, b in enumerate(best)])
    assert remedies.at(stopping=True)["these: test error, mean"] == round(wanted, 2)
