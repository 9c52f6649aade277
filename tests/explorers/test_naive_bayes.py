"""Readouts of topic 03's explorers against independent computations."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import BernoulliNB, GaussianNB

from helpers import datasets
from helpers.explorers import naive_bayes as explorers

from .hand import drag

DIGITS = datasets.digits()
X, Y, X_TEST, Y_TEST = DIGITS.X[:1200], DIGITS.y[:1200], DIGITS.X[1200:], DIGITS.y[1200:]


def test_bells_say_what_scikit_learn_says(build):
    bells, iris = build("Bells"), datasets.iris()
    model = GaussianNB(priors=[0.2, 0.2, 0.6]).fit(iris.X[:, :2], iris.y)
    said = bells.at(prior=0.6, flower=((6.0, 3.0),))
    assert [said[f"p({name})"] for name in iris.classes] == pytest.approx(
        model.predict_proba([[6.0, 3.0]])[0], abs=6e-4
    )
    assert said["wrong of 150"] == (model.predict(iris.X[:, :2]) != iris.y).sum()


def test_with_one_variance_the_boundaries_are_straight(build):
    bells = build("Bells")
    model, regions, *_ = bells.solve(prior=0.34, shared=True, flower=((6.0, 3.0),))
    within = np.mean([bells.X[bells.y == c].var(axis=0) for c in range(3)], axis=0)
    np.testing.assert_allclose(model.var_, np.tile(within, (3, 1)), rtol=1e-6)
    edges = [(row == 0).sum() for row in regions]  # setosa lies to the left of a line
    inner = [edge for edge, row in zip(edges, regions, strict=True) if row[-1] == 2 and 0 < edge < len(row)]
    assert len(inner) > 20
    halves = [np.diff(inner[part]).mean() for part in (slice(0, len(inner) // 3), slice(-len(inner) // 3, None))]
    assert max(halves) > 0
    assert LinearDiscriminantAnalysis().fit(bells.X, bells.y).score(bells.X, bells.y) > 0.75


def test_the_flower_is_dragged(build):
    bells = build("Bells")
    drag(bells, bells.figure.axes[1], bells.flower[0], (5.0, 3.5))
    assert bells.flower[0] == pytest.approx((5.0, 3.5), abs=0.05)
    assert bells.at()["p(setosa)"] > 0.9


def test_shares_and_priors_add_up_to_the_log_odds(build):
    ink = build("Ink")
    model = BernoulliNB(binarize=explorers.INK_FROM).fit(X, Y)
    for pro, contra in ((7, 9), (3, 8)):
        bits, _, _, posterior, odds, shares = ink.solve(sample=3, pro=pro, contra=contra, flipped=(0, 20))
        prior = model.class_log_prior_[pro] - model.class_log_prior_[contra]
        assert odds == pytest.approx(shares.sum() + prior)
        np.testing.assert_allclose(posterior, model.predict_proba(16 * bits[None])[0], atol=1e-12)
        said = ink.at(sample=3, pro=pro, contra=contra, flipped=(0, 20))
        together = said["ink says"] + said["blank paper says"]
        assert together == pytest.approx(shares.sum(), abs=0.11)
        assert said[f"log p({pro}) - log p({contra})"] == pytest.approx(odds, abs=0.06)


def test_a_click_flips_a_pixel_and_a_drag_a_line(build):
    ink = build("Ink")
    before = ink.at()["pixels with ink"]
    drag(ink, ink.figure.axes[0], (0, 0), (0.1, 0))
    assert ink.flipped == (0,) and ink.at()["pixels with ink"] == before + 1
    drag(ink, ink.figure.axes[0], (0, 0), (0, 3))
    assert ink.flipped == (8, 16, 24), "back to blank, and three more"
    assert ink.at_press("Undo all")["pixels with ink"] == before
    assert ink.press("Erase all")["pixels with ink"] == 0


def test_flipping_the_loudest_square_turns_its_sign(build):
    ink = build("Ink")
    loudest = []
    for _ in range(5):
        *_, odds, shares = ink.solve(**ink.values)
        loudest.append(int(shares.argmax()))
        ink.press("Flip the loudest square")
        *_, odds_after, after = ink.solve(**ink.values)
        assert after[loudest[-1]] < 0 < shares[loudest[-1]] and odds_after < odds
    assert ink.flipped == tuple(sorted(set(loudest))) and len(ink.flipped) == 5


def test_smoothing_equals_scikit_learn(build):
    smoothing = build("Smoothing")
    for alpha in (1e-5, 1.0, 100.0):
        model = BernoulliNB(alpha=alpha, binarize=explorers.INK_FROM).fit(X[:200], Y[:200])
        said = smoothing.at(alpha=alpha, samples=200, digit=3)
        assert said["wrong, digits not counted"] == pytest.approx(1 - model.score(X_TEST, Y_TEST), abs=6e-3)
        loss = -model.predict_log_proba(X_TEST)[np.arange(len(Y_TEST)), Y_TEST].mean()
        assert said["log-loss (nats)"] == pytest.approx(loss, abs=0.06)
        smallest = np.exp(model.feature_log_prob_[3].min())
        assert float(said["smallest p(ink) of the digit shown"]) == pytest.approx(smallest, rel=0.06)


def test_curves_end_at_the_present_alpha(build):
    smoothing = build("Smoothing")
    assert len(smoothing.wrong.get_xdata()) == 1, "nothing is given away at the opening"
    smoothing.set(alpha=1e3)
    assert len(smoothing.wrong.get_xdata()) == len(explorers.ALPHAS)
