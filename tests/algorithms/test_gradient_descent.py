"""Paths equal torch.optim, gradients their differences, factors the eigenvalues; bad input is refused."""

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad

from helpers import datasets
from helpers.algorithms import gradient_descent as ours

SURFACES = {
    "quadratic": ours.quadratic(7),
    "rosenbrock": ours.rosenbrock,
    "beale": ours.beale,
    "saddle": ours.saddle,
    "himmelblau": ours.himmelblau,
}


def in_torch(kind, surface, start, steps, **settings):
    p = torch.tensor(start, dtype=torch.float64)
    optimizer, path = kind([p], **settings), [np.array(start, dtype=float)]
    for _ in range(steps):
        p.grad = torch.tensor(surface.gradient(p.numpy()))
        optimizer.step()
        path.append(p.numpy().copy())
    return np.array(path)


@pytest.mark.parametrize("name", SURFACES)
def test_plain_descent_and_momentum_equal_torch(name):
    surface, start = SURFACES[name], [0.3, 0.8]
    theirs = in_torch(torch.optim.SGD, surface, start, 40, lr=0.001)
    np.testing.assert_allclose(
        list(ours.gradient_descent(surface.gradient, start, 0.001, steps=40)), theirs, atol=1e-12
    )
    theirs = in_torch(torch.optim.SGD, surface, start, 40, lr=0.001, momentum=0.8)
    np.testing.assert_allclose(list(ours.momentum(surface.gradient, start, 0.001, 0.8, steps=40)), theirs, atol=1e-12)


def test_momentum_is_point_nine_unless_said():
    surface = ours.quadratic(3)
    for rule in (ours.momentum, ours.nesterov):
        one, other = (
            rule(surface.gradient, [1.0, 1.0], 0.1, steps=9),
            rule(surface.gradient, [1.0, 1.0], 0.1, 0.9, steps=9),
        )
        np.testing.assert_array_equal(list(one), list(other))


@pytest.mark.parametrize("name", SURFACES)
def test_nesterov_equals_torch_at_the_look_ahead_places(name):
    """torch stores the place where the gradient is taken, w - lr mu b, in place of w."""
    surface, start, lr, mu = SURFACES[name], [0.3, 0.8], 0.001, 0.8
    theirs = in_torch(torch.optim.SGD, surface, start, 40, lr=lr, momentum=mu, nesterov=True)
    path = np.array(list(ours.nesterov(surface.gradient, start, lr, mu, steps=40)))
    steps = np.diff(path, axis=0, prepend=path[:1])  # -lr b
    np.testing.assert_allclose(path + mu * steps, theirs, atol=1e-12)


def test_a_path_begins_at_the_start_and_has_as_many_points_as_steps_and_one():
    start = np.array([1.0, 2.0])
    path = list(ours.gradient_descent(ours.quadratic(2).gradient, start, 0.1, steps=5))
    assert len(path) == 6 and (path[0] == start).all()
    path[0][:] = 9
    assert (start == [1, 2]).all(), "the path holds copies"
    assert len(list(ours.gradient_descent(ours.quadratic(2).gradient, start, 0.1, steps=0))) == 1
    assert len(list(ours.gradient_descent(ours.quadratic(2).gradient, start, 1e-9))) == 1001


def test_it_stops_when_the_gradient_is_short():
    surface = ours.quadratic(2)
    path = list(ours.gradient_descent(surface.gradient, [1.0, 1.0], 0.5, tol=1e-3))
    lengths = [np.linalg.norm(surface.gradient(p)) for p in path]
    assert lengths[-1] <= 1e-3 < min(lengths[:-1])
    assert len(list(ours.momentum(surface.gradient, [0.0, 0.0], 0.5))) == 1


def test_a_diverging_path_ends_before_it_overflows():
    path = list(ours.gradient_descent(ours.quadratic(2).gradient, [1.0, 1.0], 50.0))
    assert 10 < len(path) < 1000 and np.abs(path).max() < 1e100 < 100 * np.abs(path).max()
    assert len(list(ours.nesterov(ours.beale.gradient, [2.0, 2.0], 10.0))) < 20
    assert len(list(ours.gradient_descent(lambda w: w * np.nan, [1.0], 0.1))) == 1


@pytest.mark.parametrize("curvature", [1.0, 8.0])
def test_two_over_the_curvature_is_the_edge(curvature):
    for share, converges in ((0.99, True), (1.01, False)):
        *_, end = ours.gradient_descent(lambda w: curvature * w, [1.0], share * 2 / curvature, steps=2000)
        assert (abs(end[0]) < 1e-3) == converges


@pytest.mark.parametrize("kind", ["momentum", "nesterov"])
@pytest.mark.parametrize("mu", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("a", [-0.3, 0.05, 0.9, 1.8, 2.4, 3.6])
def test_the_factor_is_the_largest_eigenvalue_of_a_step(kind, mu, a):
    def step(state):
        w, b = state
        rule = ours.momentum if kind == "momentum" else ours.nesterov

        def gradient(x):
            return a * x

        buffer = mu * b + (a * w if kind == "momentum" else a * (w - mu * b))
        if b == 0:
            _, after = rule(gradient, [w], 1.0, mu, steps=1)
            assert after[0] == pytest.approx(w - buffer)
        return np.array([w - buffer, buffer])

    matrix = np.column_stack([step([1.0, 0.0]), step([0.0, 1.0])])
    expected = np.abs(np.linalg.eigvals(matrix)).max()
    assert ours.error_factor(a, mu, kind) == pytest.approx(expected, abs=1e-7)  # 1e-7: where both meet, a root of 1e-16


def test_the_factor_of_known_cases():
    assert ours.error_factor([0.5, 2.0, 2.5]) == pytest.approx([0.5, 1, 1.5])
    assert ours.error_factor(1.0, 0.81) == pytest.approx(0.9), "the root of the momentum, where the pair is complex"
    assert ours.error_factor(2 * (1 + 0.9), 0.9) == pytest.approx(1)
    assert ours.error_factor(np.array([[1.0], [0.5]]), [0.0, 0.5]).shape == (2, 2)


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces_have_the_gradient_and_the_minima_they_say(name):
    surface = SURFACES[name]
    for p in np.random.default_rng(0).uniform(-2, 2, size=(20, 2)):
        assert check_grad(surface, surface.gradient, p) < 1e-4 * max(1, np.abs(surface.gradient(p)).max())
    height = surface(np.array(surface.minima))
    np.testing.assert_allclose(height, {"saddle": -0.25}.get(name, 0), atol=1e-9)
    np.testing.assert_allclose(surface.gradient(np.array(surface.minima)), 0, atol=1e-3)
    for minimum in surface.minima:
        assert (np.linalg.eigvalsh(ours.hessian(surface.gradient, minimum)) > 0).all()


def test_surfaces_at_known_points():
    assert ours.rosenbrock([-1.0, 2.0]) == 104 and ours.himmelblau([0.0, 0.0]) == 170
    assert ours.beale([0.0, 0.0]) == 1.5**2 + 2.25**2 + 2.625**2 and ours.quadratic(10)([2.0, 1.0]) == 7
    assert ours.saddle.name == "saddle" and ours.quadratic(2).name == "quadratic"
    grid = np.zeros((3, 4, 2))
    assert ours.beale(grid).shape == (3, 4) and ours.beale.gradient(grid).shape == (3, 4, 2)


def test_the_saddle_is_strict():
    assert np.linalg.eigvalsh(ours.hessian(ours.saddle.gradient, [0.0, 0.0])) == pytest.approx([-1, 1], abs=1e-6)


def test_hessian_of_a_quadratic_form():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 4))
    H = ours.hessian(lambda w: (A + A.T) @ w + np.sin(w), 100 * rng.normal(size=4))
    assert (H == H.T).all()
    w = rng.normal(size=4)
    H = ours.hessian(lambda w: (A + A.T) @ w + w**3, w)
    np.testing.assert_allclose(H, A + A.T + np.diag(3 * w**2), atol=1e-6)


# --- samples ---------------------------------------------------------------------------------------------------------


def species():
    X, y = datasets.two_species(1, 2, [2, 3])
    return np.c_[X, np.ones(len(X))], y


def test_the_logistic_loss_equals_torch():
    X, y = species()
    loss = ours.Logistic(X, y)
    for scale in (1.0, 500.0):
        w = scale * np.array([1.0, -2.0, 0.3])
        t = torch.tensor(w, requires_grad=True)
        positive = torch.tensor((y > 0).astype(float))
        theirs = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(X) @ t, positive)
        theirs.backward()
        assert loss(w) == pytest.approx(theirs.item())
        np.testing.assert_allclose(loss.gradient(w), t.grad, atol=1e-12)
    rows = [3, 50, 50]
    np.testing.assert_allclose(loss.gradient(w, rows), ours.Logistic(X[rows], y[rows]).gradient(w))
    w = np.array([0.5, 0.1, -0.2])
    np.testing.assert_allclose(loss.hessian(w), ours.hessian(loss.gradient, w), atol=1e-8)
    assert loss(np.zeros((4, 5, 3))).shape == (4, 5) and loss(np.zeros(3)) == pytest.approx(np.log(2))


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (10, 10), (7, 2), (5, 1)])
def test_every_epoch_sees_every_sample_once_in_a_new_order(n, batch_size):
    seen = []

    def gradient(w, rows):
        seen.append(rows)
        return np.ones(1)

    path = list(ours.minibatch_sgd(gradient, [0.0], n, 0.5, batch_size=batch_size, epochs=3, random_state=0))
    per_epoch = n // batch_size
    assert len(path) == 3 * per_epoch + 1 and path[-1] == -1.5 * per_epoch
    epochs = [np.concatenate(seen[i * per_epoch : (i + 1) * per_epoch]) for i in range(3)]
    for order in epochs:
        assert sorted(order) == list(range(n))
    assert min(map(len, seen)) >= batch_size
    if batch_size < n:
        assert not np.array_equal(epochs[0], epochs[1])


def test_a_batch_without_gradient_does_not_end_the_path():
    assert len(list(ours.sgd(lambda w, rows: 0 * w, [1.0], 4, 0.1, epochs=2))) == 9
    assert len(list(ours.sgd(lambda w, rows: 0 * w, [1.0], 4, 0.1))) == 5


def test_batches_equal_torch_and_one_sample_is_sgd():
    X, y = species()
    loss = ours.Logistic(X, y)
    orders, w = np.random.default_rng(4), torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer, path = torch.optim.SGD([w], lr=0.3), [np.zeros(3)]
    for rows in np.array_split(orders.permutation(100), 12):
        optimizer.zero_grad()
        scores = torch.tensor(X[rows]) @ w
        torch.nn.functional.soft_margin_loss(scores, torch.tensor(y[rows], dtype=torch.float64)).backward()
        optimizer.step()
        path.append(w.detach().numpy().copy())
    mine = ours.minibatch_sgd(loss.gradient, np.zeros(3), 100, 0.3, batch_size=8, random_state=4)
    np.testing.assert_allclose(list(mine), path, atol=1e-12)
    single = ours.minibatch_sgd(loss.gradient, np.zeros(3), 100, 0.3, batch_size=1, epochs=2, random_state=4)
    np.testing.assert_array_equal(
        list(ours.sgd(loss.gradient, np.zeros(3), 100, 0.3, epochs=2, random_state=4)), list(single)
    )


# --- clipping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_norm", [0.001, 1.0, 7.0, 1e6])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e3])
def test_clipping_equals_torch(max_norm, scale):
    rng = np.random.default_rng(0)
    grads = [scale * rng.normal(size=shape) for shape in ((3, 4), (5,), (), (2, 1, 3))]
    parameters = [torch.zeros(grad.shape, dtype=torch.float64, requires_grad=True) for grad in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = torch.tensor(grad)
    total = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    clipped, norm = ours.clip_grad_norm(grads, max_norm)
    assert norm == pytest.approx(total.item(), rel=1e-12)
    for mine, parameter in zip(clipped, parameters, strict=True):
        np.testing.assert_allclose(mine, parameter.grad.numpy(), rtol=1e-12)
    assert ours.clip_grad_norm((np.zeros(3),), 1.0)[1] == 0


QUADRATIC = ours.quadratic(2).gradient
POINT = [1.0, 1.0]
LOSS = ours.Logistic([[1.0], [2.0]], [1, -1])


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("gradient", lambda: ours.gradient_descent(3, POINT, 0.1)),
        ("gradient", lambda: list(ours.gradient_descent(lambda w: w[:1], POINT, 0.1))),
        ("gradient", lambda: list(ours.momentum(lambda w: None, POINT, 0.1))),
        ("gradient", lambda: list(ours.nesterov(lambda w: ["a", "b"], POINT, 0.1))),
        ("gradient", lambda: list(ours.sgd(lambda w, rows: [[1.0, 1.0]], POINT, 3, 0.1))),
        ("gradient", lambda: ours.sgd(None, POINT, 3, 0.1)),
        ("start", lambda: ours.momentum(QUADRATIC, [np.nan, 0], 0.1)),
        ("start", lambda: ours.nesterov(QUADRATIC, [], 0.1)),
        ("lr", lambda: ours.gradient_descent(QUADRATIC, POINT, 0)),
        ("lr", lambda: ours.momentum(QUADRATIC, POINT, -0.1)),
        ("lr", lambda: ours.nesterov(QUADRATIC, POINT, np.inf)),
        ("lr", lambda: ours.sgd(QUADRATIC, POINT, 3, 0)),
        ("momentum", lambda: ours.momentum(QUADRATIC, POINT, 0.1, 1.0)),
        ("momentum", lambda: ours.momentum(QUADRATIC, POINT, 0.1, -0.1)),
        ("momentum", lambda: ours.nesterov(QUADRATIC, POINT, 0.1, 1)),
        ("momentum", lambda: ours.nesterov(QUADRATIC, POINT, 0.1, -1)),
        ("steps", lambda: ours.gradient_descent(QUADRATIC, POINT, 0.1, steps=-1)),
        ("tol", lambda: ours.gradient_descent(QUADRATIC, POINT, 0.1, tol=-1)),
        ("n must", lambda: ours.sgd(QUADRATIC, POINT, 0, 0.1)),
        ("batch_size", lambda: ours.minibatch_sgd(QUADRATIC, POINT, 3, 0.1, batch_size=4)),
        ("batch_size", lambda: ours.minibatch_sgd(QUADRATIC, POINT, 3, 0.1, batch_size=0)),
        ("epochs", lambda: ours.sgd(QUADRATIC, POINT, 3, 0.1, epochs=-1)),
        ("random_state", lambda: ours.sgd(QUADRATIC, POINT, 3, 0.1, random_state="x")),
        ("grads", lambda: ours.clip_grad_norm([], 1.0)),
        ("grads", lambda: ours.clip_grad_norm(np.ones(3), 1.0)),
        (r"grads\[1\]", lambda: ours.clip_grad_norm([[1.0], [np.inf]], 1.0)),
        ("max_norm", lambda: ours.clip_grad_norm([[1.0]], 0)),
        ("gradient", lambda: ours.hessian(None, POINT)),
        ("gradient", lambda: ours.hessian(lambda w: w[:1], POINT)),
        ("w must", lambda: ours.hessian(QUADRATIC, [[1.0, 1.0]])),
        ("rate_times_curvature", lambda: ours.error_factor("x")),
        ("momentum", lambda: ours.error_factor(1.0, 1.0)),
        ("momentum", lambda: ours.error_factor(1.0, -0.5)),
        ("kind", lambda: ours.error_factor(1.0, 0.5, "polyak")),
        ("condition", lambda: ours.quadratic(0.5)),
        ("p must", lambda: ours.rosenbrock([1.0, 2.0, 3.0])),
        ("p must", lambda: ours.rosenbrock.gradient(1.0)),
        ("p holds", lambda: ours.beale([np.nan, 1.0])),
        ("rows", lambda: LOSS.gradient([1.0], [])),
        ("rows", lambda: LOSS.gradient([1.0], [0.5])),
        ("rows", lambda: LOSS.gradient([1.0], [[0]])),
        ("rows", lambda: LOSS.gradient([1.0], [0, 2])),
        ("rows", lambda: LOSS.gradient([1.0], [-1])),
        ("rows", lambda: LOSS.gradient([1.0], [[0], [1, 0]])),
        ("X", lambda: ours.Logistic([1.0], [1])),
        ("y", lambda: ours.Logistic([[1.0], [2.0]], [0, 1])),
        ("length", lambda: ours.Logistic([[1.0], [2.0]], [1])),
        ("w must", lambda: ours.Logistic([[1.0], [2.0]], [1, -1])([1.0, 2.0])),
        ("w must", lambda: ours.Logistic([[1.0], [2.0]], [1, -1]).gradient(1.0)),
    ],
)
def test_bad_input_is_refused(named, call):
    with pytest.raises(ValueError, match=named):
        call()
