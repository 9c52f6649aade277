"""Activations equal torch and torch.autograd, also at 1,000; bad input is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.algorithms import activations

PAIRS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "elu": F.elu,
    "gelu": F.gelu,
    "silu": F.silu,
}
PLACES = np.array([-1000.0, -100, -30, -6, -1.5, -1e-9, 0, 1e-9, 0.5, 3, 5.999, 6, 6.001, 30, 100, 1000])
numbers = arrays(np.float64, st.integers(1, 20), elements=st.floats(-50, 50))


def slope(function, x):
    t = torch.tensor(x, requires_grad=True)
    function(t).sum().backward()
    return t.grad.numpy()


@pytest.mark.parametrize("name", PAIRS)
def test_equals_torch_and_autograd_everywhere(name):
    ours, grad = getattr(activations, name), getattr(activations, f"{name}_grad")
    np.testing.assert_allclose(ours(PLACES), PAIRS[name](torch.tensor(PLACES)).numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grad(PLACES), slope(PAIRS[name], PLACES), rtol=1e-12, atol=1e-15)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(numbers)
def test_random_numbers_equal_torch_too(x):
    for name, theirs in PAIRS.items():
        np.testing.assert_allclose(getattr(activations, name)(x), theirs(torch.tensor(x)).numpy(), atol=1e-12)
        np.testing.assert_allclose(getattr(activations, f"{name}_grad")(x), slope(theirs, x), atol=1e-12)


@pytest.mark.parametrize("slope_", [0.0, 0.2, -0.5, 1.5])
def test_the_leak_is_an_argument(slope_):
    t = torch.tensor(PLACES)
    np.testing.assert_array_equal(activations.leaky_relu(PLACES, slope_), F.leaky_relu(t, slope_).numpy())
    autograd = slope(lambda t: F.leaky_relu(t, slope_), PLACES)
    np.testing.assert_array_equal(activations.leaky_relu_grad(PLACES, slope_), autograd)


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_elu_levels_off_at_minus_alpha(alpha):
    np.testing.assert_allclose(activations.elu(PLACES, alpha), F.elu(torch.tensor(PLACES), alpha).numpy(), rtol=1e-12)
    autograd = slope(lambda t: F.elu(t, alpha), PLACES)
    np.testing.assert_allclose(activations.elu_grad(PLACES, alpha), autograd, rtol=1e-12)
    assert activations.elu(-1000.0, alpha) == -alpha


@pytest.mark.parametrize("leaks", [[0.25], [0.1, 0.0, -0.5]])
def test_prelu_learns_one_leak_or_one_per_channel(leaks):
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    t, w = torch.tensor(x, requires_grad=True), torch.tensor(leaks, dtype=torch.float64, requires_grad=True)
    out = F.prelu(t, w)
    out.sum().backward()
    np.testing.assert_array_equal(activations.prelu(x, leaks), out.detach().numpy())
    to_x, to_leak = activations.prelu_grad(x, leaks)
    np.testing.assert_array_equal(to_x, t.grad.numpy())
    summed = to_leak.sum() if len(leaks) == 1 else to_leak.sum(axis=(0, 2))
    np.testing.assert_allclose(summed, w.grad.numpy().squeeze(), atol=1e-12)


@pytest.mark.parametrize("dim", [0, 1, -1, -3])
@pytest.mark.parametrize("scale", [1, 1000])
def test_softmax_equals_torch_along_every_axis(dim, scale):
    rng = np.random.default_rng(0)
    x, grad = scale * rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3, 2))
    for name, theirs in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
        t = torch.tensor(x, requires_grad=True)
        out = theirs(t, dim)
        out.backward(torch.tensor(grad))
        np.testing.assert_allclose(getattr(activations, name)(x, dim), out.detach().numpy(), rtol=1e-12, atol=1e-300)
        passed_on = getattr(activations, f"{name}_grad")(grad, x, dim)
        np.testing.assert_allclose(passed_on, t.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_a_row_of_softmax_adds_up_to_one_and_a_shift_changes_nothing():
    x = np.random.default_rng(1).normal(size=(5, 7)) * 50
    np.testing.assert_allclose(activations.softmax(x).sum(axis=1), 1)
    np.testing.assert_allclose(activations.softmax(x + 512), activations.softmax(x), atol=1e-12)
    np.testing.assert_allclose(np.exp(activations.log_softmax(x)), activations.softmax(x))


def test_two_class_softmax_is_a_sigmoid():
    x = np.random.default_rng(2).normal(size=(50, 2)) * 20
    np.testing.assert_allclose(activations.softmax(x)[:, 0], activations.sigmoid(x[:, 0] - x[:, 1]), rtol=1e-12)


def test_conventions_where_there_is_no_derivative():
    assert activations.relu_grad(0.0) == 0
    assert activations.leaky_relu_grad(0.0, 0.3) == 0.3
    assert activations.relu6_grad([0.0, 6.0]).tolist() == [0, 0]


def test_steepest_slopes():
    assert activations.sigmoid_grad(0.0) == 0.25 and activations.tanh_grad(0.0) == 1
    grid = np.linspace(-10, 10, 1001)
    assert activations.sigmoid_grad(grid).max() == 0.25
    assert activations.gelu_grad(grid).max() == pytest.approx(1.128904, abs=1e-5)  # at sqrt 2
    assert activations.silu(grid).min() == pytest.approx(-0.278465, abs=1e-5)


@pytest.mark.parametrize("name", [*PAIRS, "softmax", "log_softmax"])
def test_bad_input_is_refused(name):
    function = getattr(activations, name)
    for bad in ([np.nan], [np.inf], [], ["a"], [1j], None):
        with pytest.raises(ValueError, match=r"^x "):
            function(bad)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activations.leaky_relu([1.0], "0.1"), "negative_slope"),
        (lambda: activations.elu([1.0], np.nan), "alpha"),
        (lambda: activations.softmax([[1.0]], dim=2), "dim must be an axis of x, which has 2; got 2"),
        (lambda: activations.softmax([1.0], dim=0.5), "dim"),
        (lambda: activations.prelu([[1.0, 2, 3]], [0.1, 0.2]), "weight must be one number or one per channel of x"),
        (lambda: activations.prelu([1.0, 2.0], [0.1, 0.2]), "weight must be one number"),
        (lambda: activations.softmax_grad([1.0, 2.0, 3.0], [1.0, 2.0]), "grad"),
    ],
)
def test_bad_settings_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
