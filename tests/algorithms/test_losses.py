"""Losses equal torch's, their gradients torch.autograd's, also at 1,000; bad input is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.algorithms import losses

REDUCTIONS = "mean", "sum", "none"
rng = np.random.default_rng(0)
FAR = np.array([[1000.0, -1000, 0], [-1000, 1000, 0.5], [3, 3, 3], [0, -50, 800]])


def compare(name, theirs, x, *arguments, **options):
    """Ours beside theirs, value and gradient."""
    t = torch.tensor(x, requires_grad=True)
    value = theirs(t)
    value.sum().backward()
    ours = getattr(losses, name)(x, *arguments, **options)
    np.testing.assert_allclose(ours, value.detach().numpy(), rtol=1e-10, atol=1e-12)
    gradient = getattr(losses, f"{name}_grad")(x, *arguments, **options)
    np.testing.assert_allclose(gradient, t.grad.numpy(), rtol=1e-9, atol=1e-12)


# --- several classes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weight", [None, [1.0, 0.0, 3.0]])
@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (2, 3, 5), (2, 3, 2, 4)])
@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_equals_torch(reduction, smoothing, weight, shape, soft):
    x = rng.normal(size=shape) * 3
    if shape == (4, 3):
        x = FAR
    target = rng.integers(0, 3, (shape[0], *shape[2:]))
    target.flat[0] = 2  # a class whose weight is not 0
    if soft:
        target = np.exp(rng.normal(size=shape))
        target /= target.sum(axis=1, keepdims=True)
    options = {"weight": weight, "label_smoothing": smoothing, "reduction": reduction}
    theirs = {"label_smoothing": smoothing, "reduction": reduction}
    w = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    compare("cross_entropy", lambda t: F.cross_entropy(t, torch.tensor(target), w, **theirs), x, target, **options)


def test_defaults_are_torchs():
    x, target = rng.normal(size=(5, 3)), rng.integers(0, 3, 5)
    assert losses.cross_entropy(x, target) == pytest.approx(F.cross_entropy(*map(torch.tensor, (x, target))).item())
    np.testing.assert_allclose(
        losses.cross_entropy_grad(x, target), losses.cross_entropy_grad(x, target, None, 0, "mean")
    )
    t = (x > 0).astype(float)
    assert losses.binary_cross_entropy_with_logits(x, t) == pytest.approx(
        F.binary_cross_entropy_with_logits(*map(torch.tensor, (x, t))).item()
    )
    mean = losses.binary_cross_entropy_with_logits_grad(x, t, reduction="mean")
    np.testing.assert_array_equal(losses.binary_cross_entropy_with_logits_grad(x, t), mean)
    for name in ("focal_loss", "focal_loss_grad"):
        explicit = getattr(losses, name)(x, t, alpha=0.25, gamma=2, reduction="none")
        np.testing.assert_array_equal(getattr(losses, name)(x, t), explicit)
    for name in ("dice_loss", "dice_loss_grad"):
        explicit = getattr(losses, name)(x, t, smooth=1, squared=False, reduction="mean")
        np.testing.assert_array_equal(getattr(losses, name)(x, t), explicit)


def test_cross_entropy_is_stable_and_exact_where_the_target_is_confidently_wrong():
    assert losses.cross_entropy([[1000.0, 0.0]], [1]) == 1000
    assert losses.cross_entropy([[1000.0, 0.0]], [0]) == 0
    np.testing.assert_array_equal(losses.cross_entropy_grad([[1000.0, 0.0]], [1]), [[1, -1]])
    assert losses.cross_entropy([[1e300, 0.0]], [1]) == 1e300


def test_a_gradient_sums_to_nothing_over_the_classes():
    x, target = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    grad = losses.cross_entropy_grad(x, target, [1.0, 2, 3, 4], 0.2, "sum")
    np.testing.assert_allclose(grad.sum(axis=1), 0, atol=1e-12)


def test_class_weights_equal_scikit_learns():
    from sklearn.utils.class_weight import compute_class_weight

    target = np.array([0, 0, 0, 1, 2, 2, 2, 2])
    theirs = compute_class_weight("balanced", classes=np.arange(3), y=target)
    np.testing.assert_allclose(losses.class_weights(target, 3), theirs)
    np.testing.assert_allclose(losses.class_weights(target.reshape(2, 4), 3)[target].mean(), 1)


# --- yes or no -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 0.0]])
@pytest.mark.parametrize("pos_weight", [None, 5.0, [1.0, 2.0, 0.25]])
@pytest.mark.parametrize("x", [FAR, rng.normal(size=(2, 3))])
def test_binary_cross_entropy_equals_torch(reduction, weight, pos_weight, x):
    target = rng.choice([0.0, 1.0, 0.3], size=x.shape)
    theirs = {
        "weight": None if weight is None else torch.tensor(weight),
        "pos_weight": None if pos_weight is None else torch.tensor(pos_weight, dtype=torch.float64),
        "reduction": reduction,
    }
    options = {"weight": weight, "reduction": reduction, "pos_weight": pos_weight}

    def of_torch(t):
        return F.binary_cross_entropy_with_logits(t, torch.tensor(target), **theirs)

    compare("binary_cross_entropy_with_logits", of_torch, x, target, **options)


def focal_by_torch(x, target, alpha, gamma, reduction):
    """The published formula, by torch, in the way torchvision writes it."""
    target = torch.tensor(target)
    p = torch.sigmoid(x)
    entropy = F.binary_cross_entropy_with_logits(x, target, reduction="none")
    p_t = p * target + (1 - p) * (1 - target)
    loss = entropy * (1 - p_t) ** gamma
    if alpha >= 0:
        loss = (alpha * target + (1 - alpha) * (1 - target)) * loss
    return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("alpha", [0.25, 1.0, 0.0, -1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_loss_equals_its_formula(reduction, alpha, gamma):
    x = rng.normal(size=(4, 5)) * 3
    target = rng.choice([0.0, 1.0], size=x.shape)
    options = {"alpha": alpha, "gamma": gamma, "reduction": reduction}
    compare("focal_loss", lambda t: focal_by_torch(t, target, **options), x, target, **options)


def test_focal_loss_is_stable_far_out():
    x, target = np.array([1000.0, -1000.0, 1000.0, -1000.0]), np.array([1.0, 0.0, 0.0, 1.0])
    for gamma in (0, 0.5, 1, 2):
        np.testing.assert_array_equal(losses.focal_loss(x, target, -1, gamma), [0, 0, 1000, 1000])
        np.testing.assert_array_equal(losses.focal_loss_grad(x, target, -1, gamma), [0, 0, 1, -1])


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_focal_loss_without_gamma_is_the_cross_entropy(seed):
    rng = np.random.default_rng(seed)
    x, target = rng.normal(size=9) * 20, rng.integers(0, 2, 9)
    for name in ("", "_grad"):
        ours = getattr(losses, f"focal_loss{name}")(x, target, -1, 0, "mean")
        plain = getattr(losses, f"binary_cross_entropy_with_logits{name}")(x, target)
        np.testing.assert_allclose(ours, plain, atol=1e-12)


# --- overlap ---------------------------------------------------------------------------------------------------------


def dice_by_torch(x, target, smooth, squared, reduction):
    p, t = torch.sigmoid(x).flatten(1), torch.tensor(target).flatten(1)
    size = (p**2).sum(1) + (t**2).sum(1) if squared else p.sum(1) + t.sum(1)
    loss = 1 - (2 * (p * t).sum(1) + smooth) / (size + smooth)
    return {"mean": loss.mean, "sum": loss.sum, "none": lambda: loss}[reduction]()


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 0.0, 1e-3])
@pytest.mark.parametrize("shape", [(3, 6), (1, 2, 4), (2, 1, 3, 3)])
def test_dice_loss_equals_its_formula(reduction, squared, smooth, shape):
    x = rng.normal(size=shape) * 2
    target = rng.choice([0.0, 1.0, 0.5], size=shape)
    options = {"smooth": smooth, "squared": squared, "reduction": reduction}
    compare("dice_loss", lambda t: dice_by_torch(t, target, **options), x, target, **options)


def test_dice_loss_at_its_ends():
    target = np.array([[1.0, 0.0, 1.0]])
    assert losses.dice_loss(1000 * (2 * target - 1), target, 0) == 0
    assert losses.dice_loss(-1000 * (2 * target - 1), target, 0) == 1
    assert losses.dice_loss([[-1000.0, -1000.0]], [[0.0, 0.0]]) == 0
    assert losses.dice_loss([5.0, -5.0], [1.0, 0.0], reduction="none").shape == (2,)
    with pytest.raises(ValueError, match="smooth must be above 0 where a sample"):
        losses.dice_loss([[-1000.0, -1000.0]], [[0.0, 0.0]], 0)


# --- bad input -------------------------------------------------------------------------------------------------------

X, T = [[1.0, 2.0], [0.0, -1.0]], [[1, 0], [0, 1]]


@pytest.mark.parametrize("suffix", ["", "_grad"])
@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("cross_entropy", ([1.0, 2.0], [0, 1]), "logits must have 2 or more dimensions"),
        ("cross_entropy", ([[np.nan, 1.0]], [0]), "logits holds NaN"),
        ("cross_entropy", (X, [0, 2]), "target must hold class numbers from 0 to 1"),
        ("cross_entropy", (X, [0, -1]), "target must hold class numbers"),
        ("cross_entropy", (X, [0, 0.5]), "target must hold class numbers"),
        ("cross_entropy", (X, [0]), "target must have the shape"),
        ("cross_entropy", (X, [[0.5, 0.6], [1, 0]]), "target must hold probabilities"),
        ("cross_entropy", (X, [[1.5, -0.5], [1, 0]]), "target must hold probabilities"),
        ("cross_entropy", (X, [0, 1], [1.0]), "weight must hold 2 numbers"),
        ("cross_entropy", (X, [0, 1], [1.0, -1.0]), "weight must hold 2 numbers"),
        ("cross_entropy", (X, [0, 0], [0.0, 1.0]), "weight must be above 0"),
        ("cross_entropy", (X, [0, 1], None, 1.5), "label_smoothing"),
        ("cross_entropy", (X, [0, 1], None, -0.1), "label_smoothing"),
        ("cross_entropy", (X, [0, 1], None, 0, "avg"), "reduction"),
        ("binary_cross_entropy_with_logits", (X, [0, 1]), "target must have the shape of logits"),
        ("binary_cross_entropy_with_logits", (X, [[2, 0], [0, 1]]), "target must hold numbers from 0 to 1"),
        ("binary_cross_entropy_with_logits", (X, [[-1, 0], [0, 1]]), "target must hold numbers from 0 to 1"),
        ("binary_cross_entropy_with_logits", (X, T, [1.0, 2, 3]), "weight must be broadcast"),
        ("binary_cross_entropy_with_logits", (X, T, -1.0), "weight must not be negative"),
        ("binary_cross_entropy_with_logits", (X, T, None, "all"), "reduction"),
        ("binary_cross_entropy_with_logits", (X, T, None, "mean", [-1.0, 0.0]), "pos_weight must not be negative"),
        ("focal_loss", (X, [[0.5, 0], [0, 1]]), "target must hold 0 and 1 only"),
        ("focal_loss", (X, T, 1.5), "alpha"),
        ("focal_loss", (X, T, 0.25, -1), "gamma"),
        ("focal_loss", (X, T, 0.25, 2, None), "reduction"),
        ("dice_loss", (1.0, 1.0), "logits must have 1 or more dimensions"),
        ("dice_loss", (X, T, -1), "smooth"),
        ("dice_loss", (X, T, 1, "yes"), "squared"),
        ("dice_loss", (X, T, 1, False, "x"), "reduction"),
        ("dice_loss", (X, [T]), "target must have the shape"),
    ],
)
def test_bad_input_is_refused(name, suffix, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(losses, name + suffix)(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([0, 0], 2), "1 does not occur"), (([0, 3], 2), "target"), (([0, 1], 0), "n_classes"), (([0.5], 1), "target")],
)
def test_bad_classes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        losses.class_weights(*arguments)
