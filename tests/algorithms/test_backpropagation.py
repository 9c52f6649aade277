"""The two-layer network against torch's autograd, one and several at once, and the bad input it refuses."""

import numpy as np
import pytest
import torch

from helpers import datasets
from helpers.algorithms import backpropagation as ours
from helpers.algorithms.optimizers import SGD


def problem(seed=0, n=12, d=5, hidden=7, classes=3):
    rng = np.random.default_rng(seed)
    return ours.two_layer(d, hidden, classes, rng), rng.normal(size=(n, d)), rng.integers(0, classes, n)


@pytest.mark.parametrize("seed", range(3))
def test_loss_and_gradients_equal_autograd(seed):
    params, X, y = problem(seed)
    params = [p + 0.1 for p in params]  # biases that are not 0
    loss, grads = ours.backward(params, X, y)
    W1, b1, W2, b2 = tensors = [torch.tensor(p, requires_grad=True) for p in params]
    z = torch.relu(torch.tensor(X) @ W1 + b1) @ W2 + b2
    theirs = torch.nn.functional.cross_entropy(z, torch.tensor(y))
    np.testing.assert_allclose(ours.forward(params, X), torch.log_softmax(z, 1).detach(), atol=1e-12)
    assert loss == pytest.approx(theirs.item(), abs=1e-12)
    for mine, grad in zip(grads, torch.autograd.grad(theirs, tensors), strict=True):
        np.testing.assert_allclose(mine, grad, atol=1e-12)


def test_leading_axes_are_networks_of_their_own():
    networks = [problem(seed)[0] for seed in range(4)]
    _, X, y = problem()
    together = [np.stack(parts) for parts in zip(*networks, strict=True)]
    loss, grads = ours.backward(together, X, y)
    for i, params in enumerate(networks):
        alone, slopes = ours.backward(params, X, y)
        assert loss[i] == pytest.approx(alone)
        for many, one in zip(grads, slopes, strict=True):
            np.testing.assert_allclose(many[i], one, atol=1e-12)


def test_training_equals_torch_step_by_step():
    params, X, y = problem(n=23)
    tensors = [torch.tensor(p, requires_grad=True) for p in params]
    W1, b1, W2, b2 = tensors
    theirs, orders, expected = torch.optim.SGD(tensors, lr=0.5), np.random.default_rng(3), []
    for _ in range(2):
        losses = []
        for part in np.array_split(orders.permutation(23), 4):  # 23 samples make four batches of at least 5
            theirs.zero_grad()
            z = torch.relu(torch.tensor(X[part]) @ W1 + b1) @ W2 + b2
            loss = torch.nn.functional.cross_entropy(z, torch.tensor(y[part]))
            loss.backward()
            theirs.step()
            losses.append(loss.item())
        expected.append(np.mean(losses))
    seen = list(ours.train(params, X, y, SGD(lr=0.5), epochs=2, batch_size=5, random_state=3))
    np.testing.assert_allclose(seen, expected, atol=1e-12)
    for mine, other in zip(params, tensors, strict=True):
        np.testing.assert_allclose(mine, other.detach(), atol=1e-12)


def test_each_network_has_its_own_rate():
    start, X, y = problem()
    params = [np.tile(p, (2, 1, 1)) for p in start]
    rates = np.array([0.0, 0.5]).reshape(2, 1, 1)
    assert len(list(ours.train(params, X, y, SGD(lr=0.0), epochs=1, batch_size=1))) == 1
    *_, last = ours.train(params, X, y, SGD(lr=rates), epochs=20, batch_size=12, random_state=0)
    np.testing.assert_array_equal(params[0][0], start[0])
    assert last[1] < 0.5 * last[0]


def test_it_learns_to_read_digits():
    digits = datasets.digits()
    params = ours.two_layer(64, 16, 10, random_state=0)
    losses = list(ours.train(params, digits.X[:1200] / 16, digits.y[:1200], SGD(0.5), epochs=5, batch_size=32))
    assert losses[-1] < 0.3 * losses[0]
    assert np.mean(ours.forward(params, digits.X[1200:] / 16).argmax(axis=1) == digits.y[1200:]) > 0.8


def test_relu_keeps_the_size_of_a_signal():
    """With weights of variance 2 / inputs half the second moment is lost to the ReLU and doubled by the weights."""
    W1, b1, _, b2 = ours.two_layer(400, 3000, 2, random_state=0)
    X = np.random.default_rng(1).normal(size=(50, 400))
    assert np.mean(np.maximum(X @ W1, 0) ** 2) == pytest.approx(1, rel=0.05)
    assert not b1.any() and not b2.any() and b1.shape == (1, 3000) and b2.shape == (1, 2)


def test_huge_scores_do_not_overflow():
    params, X, y = problem()
    log_p = ours.forward([1e3 * p for p in params], X)
    np.testing.assert_allclose(np.exp(log_p).sum(axis=1), 1)
    assert log_p.min() == pytest.approx(-100, abs=0.5), "and exp stays in the normal range"


PARAMS, X, Y = problem()


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("d", lambda: ours.two_layer(0, 2, 2)),
        ("hidden", lambda: ours.two_layer(2, 2.5, 2)),
        ("classes", lambda: ours.two_layer(2, 2, "two")),
        ("random_state", lambda: ours.two_layer(2, 2, 2, random_state=-1)),
        ("X", lambda: ours.forward(PARAMS, X[:, :4])),
        ("X", lambda: ours.forward(PARAMS, X * np.nan)),
        ("y", lambda: ours.backward(PARAMS, X, Y + 0.5)),
        ("y", lambda: ours.backward(PARAMS, X, Y + 1)),
        ("y", lambda: ours.backward(PARAMS, X, Y - 1)),
        ("length", lambda: ours.backward(PARAMS, X, Y[1:])),
        ("X", lambda: ours.backward(PARAMS, X[:, 1:], Y)),
        ("X", lambda: next(ours.train(PARAMS, X[:, 1:], Y, SGD(), epochs=1, batch_size=2))),
        ("batch_size", lambda: next(ours.train(PARAMS, X, Y, SGD(), epochs=1, batch_size=13))),
        ("batch_size", lambda: next(ours.train(PARAMS, X, Y, SGD(), epochs=1, batch_size=0))),
        ("epochs", lambda: next(ours.train(PARAMS, X, Y, SGD(), epochs=0, batch_size=2))),
    ],
)
def test_bad_input_is_refused(named, call):
    with pytest.raises(ValueError, match=named):
        call()
