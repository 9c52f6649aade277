"""Readouts of topic 17's explorers against independent computations."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers import datasets
from helpers.explorers import losses as explorers

from .hand import drag


def test_shares_of_the_gradient_are_autograds(build):
    focal = build("Focal")
    x, t = torch.tensor(focal.logits, requires_grad=True), torch.tensor(focal.target)
    p_t = torch.where(t == 1, torch.sigmoid(x), torch.sigmoid(-x))
    alpha = torch.where(t == 1, 0.75, 0.25)
    (-alpha * (1 - p_t) ** 2 * p_t.log()).sum().backward()
    size = x.grad.abs()
    said = focal.at(gamma=2, balance=True, alpha=0.75, p_t=0.9)
    easy = p_t.detach() >= 0.9
    assert said["samples at p_t or more (%)"] == pytest.approx(100 * easy.double().mean().item(), abs=0.06)
    assert said["their share of the gradient (%)"] == pytest.approx(
        100 * (size[easy].sum() / size.sum()).item(), abs=0.06
    )
    assert said["the rare class: gradient (%)"] == pytest.approx(
        100 * (size[t == 1].sum() / size.sum()).item(), abs=0.06
    )
    assert said["the rare class: samples (%)"] == pytest.approx(100 * 174 / 1797, abs=0.06)


def test_losses_at_the_cursor(build):
    focal = build("Focal")
    said = focal.at(p_t=0.8, gamma=2)
    assert said["cross-entropy there"] == pytest.approx(-np.log(0.8))
    assert said["focal loss there (rare class)"] == pytest.approx(-np.log(0.8) * 0.2**2)
    assert said["cross-entropy / focal loss"] == pytest.approx(25)
    assert focal.at(p_t=0.8, gamma=2, balance=True, alpha=0.25)["cross-entropy / focal loss"] == pytest.approx(100)


def test_gamma_silences_easy_samples(build):
    focal = build("Focal")
    shares = [focal.at(gamma=gamma, p_t=0.9)["their share of the gradient (%)"] for gamma in (0, 0.5, 1, 2, 5)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 15 and shares[3] < 1


def test_alpha_is_greyed_out_without_weights_and_the_cursor_is_dragged(build):
    focal = build("Focal")
    assert focal.controls["alpha"].disabled
    focal.set(balance=True)
    assert not focal.controls["alpha"].disabled
    drag(focal, focal.figure.axes[1], (0.5, 50), (0.75, 20))
    assert focal.p_t == 0.75


def test_curves_are_the_formula(build):
    focal = build("Focal")
    focal.set(gamma=3, balance=True, alpha=0.9)
    grid, rare = focal.rare.get_data()
    np.testing.assert_allclose(rare, -0.9 * (1 - grid) ** 3 * np.log(grid), rtol=1e-9)
    np.testing.assert_allclose(focal.common.get_data()[1], -0.1 * (1 - grid) ** 3 * np.log(grid), rtol=1e-6)
    x, share = focal.share.get_data()
    assert share[-1] == pytest.approx(100) and (np.diff(x) <= 0).all() and (np.diff(share) >= 0).all()


@pytest.mark.parametrize("side", [24, 16, 8, 4])
def test_scores_are_counted(build, side):
    ink = build("Ink")
    trained = ink.trained[side]
    said = ink.at(side=side, step=40, threshold=0.3)
    truth = trained.truth.ravel() == 1
    images = torch.tensor(trained.noisy)[:, None]
    for name, weights in zip(explorers.NAMES, trained.weights[:, 40], strict=True):
        kernel = torch.tensor(weights[:25].reshape(1, 1, 5, 5))
        logits = F.conv2d(images, kernel, torch.tensor(weights[25:]), padding=2)
        found = (torch.sigmoid(logits) > 0.3).numpy().ravel()
        assert said[f"{name}: recall"] == pytest.approx(found[truth].mean(), abs=0.006)
        precision = truth[found].mean() if found.any() else 0
        assert said[f"{name}: precision"] == pytest.approx(precision, abs=0.006)
        dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
        assert said[f"{name}: Dice score"] == pytest.approx(dice, abs=0.006)


def test_filters_are_trained_by_their_losses():
    images, truth = explorers.noisy_digits(8, 100)
    t = torch.tensor(truth.reshape(10, -1))
    shared = t.mean()
    formulas = {
        "cross-entropy": lambda x: F.binary_cross_entropy_with_logits(x, t),
        "weighted": lambda x: F.binary_cross_entropy_with_logits(x, t, pos_weight=(1 - shared) / shared),
        "Dice": lambda x: (
            1 - (2 * (torch.sigmoid(x) * t).sum(1) + 1) / (torch.sigmoid(x).sum(1) + t.sum(1) + 1)
        ).mean(),
        "focal": lambda x: (
            torch.where(t == 1, 0.25 * torch.sigmoid(-x) ** 2, 0.75 * torch.sigmoid(x) ** 2)
            * F.binary_cross_entropy_with_logits(x, t, reduction="none")
        ).mean(),
    }
    features = torch.tensor(explorers.neighborhoods(images))
    for name, weights in zip(explorers.NAMES, explorers.train_filters(8).weights, strict=True):
        w = torch.zeros(26, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([w], lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            formulas[name]((features @ w).reshape(10, -1)).backward()
            optimizer.step()
        np.testing.assert_allclose(weights[5], w.detach().numpy(), rtol=1e-6, atol=1e-9, err_msg=name)
        assert (weights[0] == 0).all()


def test_small_ink_is_lost_by_some_losses_and_the_threshold_brings_it_back(build):
    ink = build("Ink")
    at_half = ink.at(side=8, step=60)
    assert at_half["cross-entropy: recall"] < 0.4 < 0.8 < at_half["weighted: recall"]
    best = [max(ink.at(side=8, step=60, threshold=t)[f"{n}: Dice score"] for t in np.arange(0.1, 1, 0.1).round(1))
            for n in explorers.NAMES]  # fmt: skip
    assert min(best) > 0.55 and max(best) - min(best) < 0.12


def test_colors_tell_hits_misses_and_false_alarms_apart(build):
    mask, truth = np.array([[True, True], [False, False]]), np.array([[True, False], [True, False]])
    colors = explorers._verdicts(mask, truth)
    assert colors[0, 0].tolist() == [255] * 4 and colors[1, 1].tolist() == [0, 0, 0, 255]
    assert len({tuple(color) for color in colors.reshape(-1, 4)}) == 4
    ink = build("Ink")
    ink.set(image=3, step=0)
    assert (np.asarray(ink.maps[2].get_array())[ink.trained[24].truth[2] == 1] == (0, 114, 178, 255)).all()


def test_digits_lie_whole_on_their_canvas():
    digit = datasets.digits().X[1000].reshape(8, 8) / 16 > 0.5
    assert explorers.noisy_digits(8, 1000)[1][0].sum() == digit.sum()
    assert explorers.noisy_digits(24, 1000)[1][0].sum() == 9 * digit.sum()
    noisy, truth = explorers.noisy_digits(16, 0)
    assert (noisy - truth).std() == pytest.approx(0.5, abs=0.02)


def test_the_classifier_has_learned(build):
    focal = build("Focal")
    assert ((focal.logits > 0) == (focal.target == 1)).mean() > 0.93
    assert focal.target.sum() == (datasets.digits().y == 8).sum()
