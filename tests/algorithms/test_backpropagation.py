"""Value, numerical gradients, layers and the network against torch's autograd; the bad input that is refused."""

import math
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import datasets
from helpers.algorithms import backpropagation as ours
from helpers.algorithms.backpropagation import Value
from helpers.algorithms.optimizers import SGD

# --- number by number ------------------------------------------------------------------------------------------------

UNARY = {
    "exp": (lambda v: v.exp(), torch.exp),
    "log": (lambda v: v.log(), torch.log),
    "tanh": (lambda v: v.tanh(), torch.tanh),
    "sigmoid": (lambda v: v.sigmoid(), torch.sigmoid),
    "relu": (lambda v: v.relu(), torch.relu),
    "negative": (lambda v: -v, torch.neg),
    "plus": (lambda v: v + 1.5, lambda t: t + 1.5),
    "from the right": (lambda v: 1.5 + v, lambda t: 1.5 + t),
    "minus": (lambda v: v - 2, lambda t: t - 2),
    "from": (lambda v: 2 - v, lambda t: 2 - t),
    "times": (lambda v: v * -3, lambda t: t * -3),
    "twice": (lambda v: 2 * v, lambda t: 2 * t),
    "over": (lambda v: v / 3, lambda t: t / 3),
    "reciprocal": (lambda v: 3 / v, lambda t: 3 / t),
    "square": (lambda v: v**2, lambda t: t**2),
    "root": (lambda v: v**0.5, lambda t: t**0.5),
    "cube below": (lambda v: v**-3, lambda t: t**-3),
    "power 0": (lambda v: v**0, lambda t: t**0),
    "base": (lambda v: 2**v, lambda t: 2**t),
    "itself": (lambda v: v * v, lambda t: t * t),
}
BINARY = {
    "+": (lambda a, b: a + b,) * 2,
    "-": (lambda a, b: a - b,) * 2,
    "*": (lambda a, b: a * b,) * 2,
    "/": (lambda a, b: a / b,) * 2,
    "**": (lambda a, b: a**b,) * 2,
}


def leaf(number):
    return torch.tensor(float(number), dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("x", [0.3, 1.0, 2.5, -0.7, -30.0, 30.0])
def test_every_operation_of_one_value_equals_autograd(name, x):
    ours, theirs = UNARY[name]
    if x < 0 and name in ("log", "root"):
        with pytest.raises(ValueError):
            ours(Value(x))
        return
    v, t = Value(x), leaf(x)
    y, u = ours(v), theirs(t)
    y.backward()
    u.backward()
    assert y.data == pytest.approx(u.item(), rel=1e-13)
    assert v.grad == pytest.approx(t.grad.item(), rel=1e-12)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(("x", "y"), [(0.3, 2.0), (2.5, -1.5), (1.0, 0.5), (4.0, 4.0)])
def test_every_operation_of_two_values_equals_autograd(name, x, y):
    ours, theirs = BINARY[name]
    a, b, s, t = Value(x), Value(y), leaf(x), leaf(y)
    ours(a, b).backward()
    theirs(s, t).backward()
    assert ours(a, b).data == pytest.approx(theirs(s, t).item(), rel=1e-13)
    assert [a.grad, b.grad] == pytest.approx([s.grad.item(), t.grad.item()], rel=1e-12, abs=1e-14)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=25))
def test_random_graphs_equal_autograd(program):
    """A program is a list of instructions, each with two operands among all values so far: many are used often."""
    steps = [
        *(lambda a, b: a + b, lambda a, b: a - b, lambda a, b: (a * b).tanh(), lambda a, b: a / (b * b + 1)),
        *(lambda a, b: a.sigmoid(), lambda a, b: a.relu(), lambda a, b: a.tanh().exp(), lambda a, b: (a * a + 1).log()),
        *(lambda a, b: (a.sigmoid() + 1) ** b.tanh(), lambda a, b: a.tanh() ** 3),
    ]
    ours, theirs = [Value(x) for x in (0.5, -1.2, 2.0)], [leaf(x) for x in (0.5, -1.2, 2.0)]
    for which, i, j in program:
        for values in (ours, theirs):
            values.append(steps[which](values[i % len(values)], values[j % len(values)]))
    sum(ours).backward()
    sum(theirs).backward()
    assert [v.grad for v in ours[:3]] == pytest.approx([t.grad.item() for t in theirs[:3]], rel=1e-9, abs=1e-12)


def test_a_value_used_twice_adds_its_gradients_up():
    a = Value(3.0)
    (a + a).backward()
    assert a.grad == 2
    b = Value(3.0)
    (b * b * b).backward()
    assert b.grad == 27


def test_a_diamond_waits_for_both_sides():
    """A gradient handed on before it is complete would miss the second path through b."""
    a = Value(2.0)
    b = a * a
    c = b * 3.0
    ((b + c) * b).backward()
    assert (b.grad, c.grad, a.grad) == (8 * 4.0, 4.0, 32 * 4.0)


def test_leaves_add_up_over_calls_as_in_torch_and_inner_values_do_not():
    a, t = Value(2.0), leaf(2.0)
    for _ in range(2):
        b, u = a * a, t * t
        (b * b).backward()
        (u * u).backward()
    assert a.grad == t.grad.item() == 64
    y = b * b
    y.backward()
    y.backward()
    assert (a.grad, b.grad) == (4 * 32, 8)
    y.zero_grad()
    assert (a.grad, b.grad, y.grad) == (0, 0, 0)


@pytest.mark.parametrize("length", [5_000, 50_000])
def test_a_long_chain_needs_no_recursion(length):
    assert length > sys.getrecursionlimit()
    a = Value(1.0)
    y = a
    for _ in range(length):
        y = y * 1.0 + 0.5 / length
    y.backward()
    assert y.data == pytest.approx(1.5) and a.grad == 1
    assert len(y.graph()) == 4 * length + 1


def test_the_graph_lists_parents_first_and_each_value_once():
    a, b = Value(1.0), Value(2.0)
    y = ((a + b) * (b + 1)) * (a + b)
    order = y.graph()
    assert order[-1] is y and len(order) == len(set(order)) == 8
    for node in order:
        assert all(order.index(parent) < order.index(node) for parent in node.parents)


def test_backward_goes_one_value_at_a_time():
    a, b = Value(2.0), Value(3.0)
    c = a * b
    y = c + a
    steps = y.backward_steps()
    assert next(steps) is y and (c.grad, a.grad, b.grad) == (1, 1, 0)
    assert next(steps) is c and (a.grad, b.grad) == (4, 2)
    assert {node for node in steps} == {a, b}


def test_wires_say_the_local_derivative_and_the_operation():
    a, b = Value(2.0), Value(4.0)
    assert ((a * b).slopes, (a * b).parents, (a * b).operation) == ((4, 2), (a, b), "*")
    assert (a / b).slopes == (0.25, -0.125) and (a + b).operation == "+" and (a**3).operation == "**3"
    assert a.operation == "" and a.parents == () and a.relu().operation == "relu"
    assert "data=2, grad=0" in repr(a)


def test_slopes_at_the_edges():
    assert Value(0.0).relu().slopes == (0,)
    for far in (-800.0, 800.0):
        y = Value(far).sigmoid()
        assert y.data == (far > 0) and y.slopes == (0,)
    assert Value(-100.0).sigmoid().slopes[0] == pytest.approx(math.exp(-100))
    assert Value(0.0).exp().data == 1 and Value(0.0) ** 2 is not None and (Value(-2.0) ** 3).slopes == (12,)


def test_numpy_numbers_stay_outside():
    y = np.float64(2) * Value(3.0) + np.float64(1)
    assert isinstance(y, Value) and y.data == 7


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("data", lambda: Value("1")),
        ("data", lambda: Value(None)),
        ("data", lambda: Value(np.nan)),
        ("data", lambda: Value(1.0) + "a"),
        ("data", lambda: Value(1.0) * [2.0]),
        ("exponent", lambda: Value(2.0) ** "2"),
        ("log", lambda: Value(0.0).log()),
        ("log", lambda: Value(-1.0).log()),
        ("exp", lambda: Value(1000.0).exp()),
        ("/", lambda: 1 / Value(0.0)),
        ("/", lambda: Value(1.0) / 0),
        ("[*][*]", lambda: Value(0.0) ** -1),
        ("[*][*]", lambda: Value(-1.0) ** 0.5),
        ("[*][*]0.5", lambda: Value(0.0) ** 0.5),
        ("[*][*]", lambda: Value(1e200) ** 2),
        ("log", lambda: Value(-1.0) ** Value(2.0)),
    ],
)
def test_what_has_no_finite_value_or_slope_is_refused(named, call):
    with pytest.raises(ValueError, match=f"^{named}"):
        call()


# --- by differences --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_differences_find_the_gradient(scale):
    x = scale * np.random.default_rng(0).normal(size=(3, 2))

    def f(x):
        assert x.shape == (3, 2)
        return (np.sin(x / scale) * x).sum() + x[0, 1] * x[2, 0]

    expected = np.sin(x / scale) + np.cos(x / scale) * x / scale
    expected[0, 1] += x[2, 0]
    expected[2, 0] += x[0, 1]
    kept = x.copy()
    # the formula's error is of order (STEP / scale)^2 where f bends on a scale below 1
    np.testing.assert_allclose(ours.numerical_gradient(f, x), expected, rtol=max(1e-6, 1e-10 / scale**2), atol=1e-6)
    np.testing.assert_array_equal(x, kept)


def test_differences_are_exact_for_parabolas_and_as_good_as_promised():
    assert ours.numerical_gradient(lambda x: x**2, 3.0) == pytest.approx(6, rel=1e-10)
    assert ours.numerical_gradient(lambda x: x.sum() * np.ones((1, 1)), [1.0, 2.0]).tolist() == pytest.approx([1, 1])
    assert ours.numerical_gradient(np.exp, 1.0) == pytest.approx(math.e, rel=1e-9)
    assert pytest.approx(6.06e-6, rel=1e-3) == ours.STEP


def test_differences_check_the_network():
    params, X, y = problem()
    params = [p + 0.1 for p in params]
    _, grads = ours.backward(params, X, y)
    for i, grad in enumerate(grads):
        found = ours.numerical_gradient(
            lambda p, i=i: ours.backward([*params[:i], p, *params[i + 1 :]], X, y)[0], params[i]
        )
        np.testing.assert_allclose(found, grad, atol=1e-9)


# --- layer by layer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 4, 3), (3, 2, 5), (6, 1, 1), (2, 3, 3)])
def test_the_linear_layer_equals_autograd(shape):
    n, inputs, outputs = shape
    rng = np.random.default_rng(0)
    x, weight, grad_y = rng.normal(size=(n, inputs)), rng.normal(size=(outputs, inputs)), rng.normal(size=(n, outputs))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, weight, np.zeros(outputs))]
    torch.nn.functional.linear(*tensors).backward(torch.tensor(grad_y))
    for mine, tensor in zip(ours.linear_backward(grad_y, x, weight), tensors, strict=True):
        assert mine.shape == tensor.shape
        np.testing.assert_allclose(mine, tensor.grad, atol=1e-12)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("skip", [False, True])
def test_gradients_by_layer_equal_autograd(activation, skip):
    rng = np.random.default_rng(0)
    sizes = [5, 5, 5, 5] if skip else [5, 4, 6, 3]
    weights = [rng.normal(size=pair) for pair in pairwise(sizes)]
    X, grad = rng.normal(size=(7, 5)), rng.normal(size=(7, sizes[-1]))
    h = torch.tensor(X, requires_grad=True)
    outputs, slopes = [h], []
    for W in weights:
        z = h @ torch.tensor(W)
        f = getattr(torch, activation)
        slopes.append(torch.func.vmap(torch.func.grad(f))(z.detach().ravel()).reshape(z.shape))
        h = f(z) + h if skip else f(z)
        h.retain_grad()
        outputs.append(h)
    h.backward(torch.tensor(grad))
    gradients, found = ours.layer_gradients(weights, X, grad, activation, skip)
    assert len(gradients) == 4 and len(found) == 3
    for mine, theirs in zip(gradients, outputs, strict=True):
        np.testing.assert_allclose(mine, theirs.grad, atol=1e-12)
    for mine, theirs in zip(found, slopes, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


# --- a network with one hidden layer ---------------------------------------------------------------------------------


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
        ("f must be callable", lambda: ours.numerical_gradient(3, [1.0])),
        ("f must return one number", lambda: ours.numerical_gradient(lambda x: x, [1.0, 2.0])),
        (r"f\(x\)", lambda: ours.numerical_gradient(lambda x: np.nan, [1.0])),
        ("x", lambda: ours.numerical_gradient(np.sum, [np.nan])),
        ("grad_y", lambda: ours.linear_backward([1.0], [[1.0]], [[1.0]])),
        ("weight", lambda: ours.linear_backward([[1.0]], [[1.0]], [[np.inf]])),
        ("grad_y", lambda: ours.linear_backward(np.ones((2, 3)), np.ones((2, 4)), np.ones((4, 3)))),
        ("grad_y", lambda: ours.linear_backward(np.ones((2, 3)), np.ones((1, 4)), np.ones((3, 4)))),
        ("grad_y", lambda: ours.linear_backward(np.ones((2, 3)), np.ones((2, 4)), np.ones((3, 5)))),
        ("weights", lambda: ours.layer_gradients(None, X, X, "tanh")),
        (r"weights\[0\]", lambda: ours.layer_gradients([[1.0]], X, X, "tanh")),
        ("weights", lambda: ours.layer_gradients([np.ones((4, 5))], X, X, "tanh")),
        ("weights", lambda: ours.layer_gradients([np.ones((5, 4))], X, X[:, :4], "tanh", skip=True)),
        ("grad", lambda: ours.layer_gradients([np.ones((5, 4))], X, X, "tanh")),
        ("activation", lambda: ours.layer_gradients([np.ones((5, 5))], X, X, "gelu")),
        ("skip", lambda: ours.layer_gradients([np.ones((5, 5))], X, X, "tanh", skip=1)),
        ("params", lambda: ours.forward(PARAMS[:3], X)),
        ("params", lambda: ours.forward([*PARAMS, PARAMS[3]], X)),
        ("params", lambda: ours.forward(None, X)),
        ("params", lambda: ours.forward([p.tolist() for p in PARAMS], X)),
        ("params", lambda: ours.forward([p.ravel() for p in PARAMS], X)),
        ("params", lambda: ours.backward([PARAMS[0][:, 1:], *PARAMS[1:]], X, Y)),
        ("params", lambda: ours.backward([*PARAMS[:3], PARAMS[3].T], X, Y)),
        ("params", lambda: ours.backward([*PARAMS[:2], PARAMS[2][1:], PARAMS[3]], X, Y)),
        ("optimizer", lambda: next(ours.train(PARAMS, X, Y, None, epochs=1, batch_size=2))),
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
