"""Backpropagation three times: number by number, layer by layer, and checked by differences.

`Value` is a number that remembers how it was computed, so a gradient can walk back through the graph. `linear_backward`
and the network `two_layer` do the same on arrays, written by hand. `numerical_gradient` needs no chain rule and checks
both.

The network: X -> ReLU(X W1 + b1) = h -> softmax(h W2 + b2) = p. The parameters are a list [W1, b1, W2, b2] of shapes
(d, hidden), (1, hidden), (hidden, k) and (1, k). They may all have the same leading axes, (r, d, hidden) and so on:
that is r networks at once, and everything below returns one result for each.

References
----------
Linnainmaa, "Taylor expansion of the accumulated rounding error", BIT 16 (1976): reverse mode on a graph.
Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323 (1986).
He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015 (the initialization).
"""

import math
from itertools import pairwise

import numpy as np

from ..validation import (
    check_array,
    check_choice,
    check_columns,
    check_integer,
    check_number,
    check_random_state,
    check_same_length,
)
from . import activations

# --- number by number ------------------------------------------------------------------------------------------------


class Value:
    """A number that remembers from which others it was computed, and how much it moves if they do.

    Parameters
    ----------
    data : float

    Attributes
    ----------
    data : float
    grad : float
        The derivative, with respect to this number, of the value on which `backward` was called. Leaves, that is
        numbers which nobody computed, add up the gradients of several calls, as torch's do.
    parents : tuple of Value
        What it was computed from.
    slopes : tuple of float
        The local derivative with respect to each parent.
    operation : str
        How it was computed; empty for a leaf.

    Raises
    ------
    ValueError
        If the data, or the result or slope of an operation, is not a finite number: log(0), 1 / 0, exp(1000).
    """

    __slots__ = ("data", "grad", "operation", "parents", "slopes")
    __array_ufunc__ = None  # np.float64(2) * v asks v, instead of making an array of objects

    def __init__(self, data):
        self.data, self.grad = check_number("data", data), 0.0
        self.parents, self.slopes, self.operation = (), (), ""

    def __repr__(self):
        return f"Value(data={self.data:.6g}, grad={self.grad:.6g})"

    # Each operation keeps its derivative beside its result: that is all the calculus there is.

    def __add__(self, other):
        other = _as_value(other)
        return _made("+", self.data + other.data, (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        other = _as_value(other)
        return _made("*", self.data * other.data, (self, other.data), (other, self.data))

    def __truediv__(self, other):
        a, b = self.data, _as_value(other).data
        if b == 0:
            raise ValueError(f"/: {a:g} cannot be divided by 0")
        return _made("/", a / b, (self, 1 / b), (_as_value(other), -a / b / b))

    def __pow__(self, exponent):
        """A power; an exponent that is itself a Value needs a positive base: x^n = exp(n log x)."""
        if isinstance(exponent, Value):
            return (exponent * self.log()).exp()
        x, n = self.data, check_number("exponent", exponent)
        if (x == 0 and n < 0) or (x < 0 and n != int(n)):
            raise ValueError(f"**: {x:g} has no power {n:g}")
        slope = n * _power(x, n - 1) if n else 0.0
        return _made(f"**{n:g}", _power(x, n), (self, slope))

    def exp(self):
        """e to this power."""
        y = math.exp(self.data) if self.data < 700 else math.inf
        return _made("exp", y, (self, y))

    def log(self):
        """The natural logarithm of a positive number."""
        if self.data <= 0:
            raise ValueError(f"log: needs a positive number, got {self.data:g}")
        return _made("log", math.log(self.data), (self, 1 / self.data))

    def tanh(self):
        """The hyperbolic tangent, with slope 1 - tanh^2."""
        y = math.tanh(self.data)
        return _made("tanh", y, (self, 1 - y * y))

    def sigmoid(self):
        """1 / (1 + exp(-x)), with slope s (1 - s) of the *output* s."""
        e = math.exp(-abs(self.data))  # at most 1, so nothing overflows
        s = (1 if self.data >= 0 else e) / (1 + e)
        return _made("sigmoid", s, (self, e / (1 + e) ** 2))  # s (1 - s), without losing digits where s is near 1

    def relu(self):
        """max(x, 0), with slope 0 at exactly 0, which is torch's choice."""
        return _made("relu", max(self.data, 0.0), (self, float(self.data > 0)))

    # The rest is made of these, so it needs no derivative of its own.

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + -_as_value(other)

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return _as_value(other) - self

    def __rtruediv__(self, other):
        return _as_value(other) / self

    def __rpow__(self, other):
        return _as_value(other) ** self

    def graph(self):
        """Return every value that this one depends on, each after its parents, itself last.

        A stack of its own instead of recursion: Python stops at about 1,000 nested calls, and a chain may be longer.
        """
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, parents_are_in = stack.pop()
            if parents_are_in:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack.append((node, True))  # comes up again when all that lies above it on the stack is done
                stack += [(parent, False) for parent in node.parents]
        return order

    def backward(self):
        """Fill in `grad` of every value that this one depends on."""
        for _ in self.backward_steps():
            pass

    def backward_steps(self):
        """Go backward one value at a time.

        Yields
        ------
        Value
            The one that has just handed its gradient on to its parents.
        """
        order = self.graph()
        for node in order:
            if node.parents:
                node.grad = 0.0  # leaves keep theirs: gradients add up until zero_grad
        self.grad += 1.0
        for node in reversed(order):  # children first: a gradient is complete before it is handed on
            for parent, slope in zip(node.parents, node.slopes, strict=True):
                parent.grad += slope * node.grad  # += and not =: a value used twice gets two contributions
            yield node

    def zero_grad(self):
        """Set `grad` to 0 in every value that this one depends on."""
        for node in self.graph():
            node.grad = 0.0


def _as_value(number):
    return number if isinstance(number, Value) else Value(number)


def _made(operation, data, *wires):
    """The result of an operation, with its wires: pairs of a parent and the slope towards it."""
    if not all(map(math.isfinite, (data, *(slope for _, slope in wires)))):
        raise ValueError(f"{operation}: the result or its slope is not finite, got {data:g}")
    value = Value(data)
    value.operation, (value.parents, value.slopes) = operation, zip(*wires, strict=True)
    return value


def _power(x, n):
    try:
        return float(x**n)
    except (OverflowError, ZeroDivisionError):  # ZeroDivisionError: the slope of a root at 0
        return math.inf


# --- by differences --------------------------------------------------------------------------------------------------

STEP = np.finfo(float).eps ** (1 / 3)  # balances the formula's error, of order STEP^2, and the rounding's, eps / STEP


def numerical_gradient(f, x):
    """The gradient of f at x by central differences: two calls of f for each entry of x.

    Parameters
    ----------
    f : callable
        From an array of x's shape to one number.
    x : array_like

    Returns
    -------
    ndarray of x's shape
        Good to about ten digits where f is smooth and of ordinary size.

    Raises
    ------
    ValueError
        If x is not an array of finite numbers, f cannot be called, or f does not return one finite number.
    """
    x = check_array("x", x)
    if not callable(f):
        raise ValueError(f"f must be callable, got {f!r}")
    grad = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += STEP * max(1, abs(x[i]))
        down[i] -= STEP * max(1, abs(x[i]))
        grad[i] = (_number(f(up)) - _number(f(down))) / (up[i] - down[i])  # the distance as it was rounded
    return grad


def _number(result):
    """What f returned, as a float."""
    array = check_array("f(x)", result)
    if array.size != 1:
        raise ValueError(f"f must return one number, got shape {array.shape}")
    return array.item()


# --- layer by layer --------------------------------------------------------------------------------------------------


def linear_backward(grad_y, x, weight):
    """The backward pass of y = x weight^T + bias, torch's linear layer.

    Parameters
    ----------
    grad_y : (n, out) array_like
        The gradient that arrives at y.
    x : (n, in) array_like
        What went in.
    weight : (out, in) array_like

    Returns
    -------
    grad_x : (n, in) ndarray
    grad_weight : (out, in) ndarray
    grad_bias : (out,) ndarray

    Raises
    ------
    ValueError
        If an argument is not a table of finite numbers, or the shapes do not fit.
    """
    grad_y, x, weight = (check_array(n, v, ndim=2) for n, v in (("grad_y", grad_y), ("x", x), ("weight", weight)))
    if grad_y.shape != (len(x), len(weight)) or x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"grad_y {grad_y.shape}, x {x.shape} and weight {weight.shape} must be (n, out), (n, in), (out, in)"
        )
    return _linear_backward(grad_y, x, weight)


def _linear_backward(grad_y, x, weight):
    """Each gradient has the shape of its variable. If n, in and out differ, that leaves one way of multiplying."""
    grad_x = grad_y @ weight  # y used x once per output: the outputs' gradients, weighted back
    grad_weight = grad_y.T @ x  # the sum over the samples of grad_y times x
    grad_bias = grad_y.sum(axis=0)  # the bias was copied to every sample, so its gradients add up
    return grad_x, grad_weight, grad_bias


def layer_gradients(weights, X, grad, activation, skip=False):
    """The gradient at the input of every layer h <- f(h W) of a deep network, or of h <- h + f(h W).

    Parameters
    ----------
    weights : list of (d_in, d_out) array_like
        One matrix per layer.
    X : (n, d) array_like
    grad : (n, d_last) array_like
        The gradient that arrives at the output.
    activation : {"sigmoid", "tanh", "relu"}
    skip : bool
        Whether each layer adds its input to its output; the matrices are square then.

    Returns
    -------
    gradients : list of ndarray
        With respect to X, to each layer's output, and last `grad` itself.
    slopes : list of ndarray
        The slopes f'(h W) of each layer.

    Raises
    ------
    ValueError
        If an argument is out of range, or the shapes do not fit.
    """
    h, grad = check_array("X", X, ndim=2), check_array("grad", grad, ndim=2)
    if not isinstance(weights, list | tuple):
        raise ValueError(f"weights must be a list of matrices, got {type(weights).__name__}")
    weights = [check_array(f"weights[{i}]", W, ndim=2) for i, W in enumerate(weights)]
    check_choice("activation", activation, ("sigmoid", "tanh", "relu"))
    check_choice("skip", skip, (True, False))
    sizes = [h.shape[1], *(W.shape[1] for W in weights)]
    if [W.shape[0] for W in weights] != sizes[:-1] or (skip and len(set(sizes)) > 1):
        raise ValueError(f"weights do not fit together or to X: {[W.shape for W in weights]} for {h.shape[1]} columns")
    if grad.shape != (len(h), sizes[-1]):
        raise ValueError(f"grad must have shape {(len(h), sizes[-1])}, got {grad.shape}")
    return _layer_gradients(weights, h, grad, activation, skip)


def _layer_gradients(weights, h, grad, activation, skip):
    f, slope = getattr(activations, activation), getattr(activations, f"{activation}_grad")
    slopes = []
    for W in weights:
        z = h @ W
        slopes.append(slope(z))  # the forward pass keeps what the backward pass needs
        h = f(z) + h if skip else f(z)
    gradients = [grad]
    for W, s in zip(weights[::-1], slopes[::-1], strict=True):
        through = (gradients[-1] * s) @ W.T  # first the slope, then the weights: the reverse of the forward order
        gradients.append(through + gradients[-1] if skip else through)
    return gradients[::-1], slopes


# --- a network with one hidden layer ---------------------------------------------------------------------------------


def two_layer(d, hidden, classes, random_state=None):
    """Begin a network: weights drawn with variance 2 / inputs, so that ReLUs keep the size of a signal; biases 0.

    Parameters
    ----------
    d, hidden, classes : int, at least 1
        Inputs, ReLU units and outputs.
    random_state : int or numpy.random.Generator, optional

    Returns
    -------
    list of ndarray
        W1, b1, W2, b2.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    sizes = [check_integer(n, v, at_least=1) for n, v in (("d", d), ("hidden", hidden), ("classes", classes))]
    rng, params = check_random_state(random_state), []
    for inputs, outputs in pairwise(sizes):
        params += [rng.normal(size=(inputs, outputs)) * np.sqrt(2 / inputs), np.zeros((1, outputs))]
    return params


def forward(params, X):
    """Logarithms of the class probabilities. A score more than 100 below the largest counts as 100 below.

    Parameters
    ----------
    params : list of ndarray
        As from `two_layer`, with or without leading axes.
    X : (n, d) array_like

    Returns
    -------
    (..., n, k) ndarray

    Raises
    ------
    ValueError
        If the parameters do not fit together, or X is empty, holds NaN or has another number of columns than W1 has
        rows.
    """
    return _forward(params, check_columns("X", X, _inputs(params)))[1]


def backward(params, X, y):
    """Mean cross-entropy of the samples, and its gradients.

    Parameters
    ----------
    params : list of ndarray
    X : (n, d) array_like
    y : (n,) array_like
        Class numbers from 0 to k - 1.

    Returns
    -------
    loss : (...) ndarray
    grads : list of ndarray
        In the order and of the shapes of `params`.

    Raises
    ------
    ValueError
        As `forward`, if the lengths differ, or if y holds anything but class numbers.
    """
    X = check_columns("X", X, _inputs(params))
    one_hot = _one_hot(X, y, params[3].shape[-1])
    h, log_p = _forward(params, X)
    return _cross_entropy(log_p, one_hot), _backward(params, X, h, log_p, one_hot)


def train(params, X, y, optimizer, *, epochs, batch_size, random_state=None):
    """Train by mini-batches, in a new order in every epoch.

    Parameters
    ----------
    params : list of ndarray
        Changed in place.
    X : (n, d) array_like
    y : (n,) array_like
    optimizer : object with step(params, grads)
        One of `optimizers`. Settings that are arrays of shape (r, 1, 1) give each of r networks its own.
    epochs : int, at least 1
    batch_size : int, from 1 to n
        What does not fill a batch is shared out among the others.
    random_state : int or numpy.random.Generator, optional

    Yields
    ------
    (...) ndarray
        After each epoch, the mean of the losses that its batches had before their steps.

    Raises
    ------
    ValueError
        As `backward`, if a number is out of range, or if the optimizer has no step.
    """
    X = check_columns("X", X, _inputs(params))
    if not callable(getattr(optimizer, "step", None)):
        raise ValueError(f"optimizer must have step(params, grads), got {optimizer!r}")
    one_hot, rng = _one_hot(X, y, params[3].shape[-1]), check_random_state(random_state)
    batch_size = check_integer("batch_size", batch_size, at_least=1, at_most=len(X))
    for _ in range(check_integer("epochs", epochs, at_least=1)):
        losses = []
        for part in np.array_split(rng.permutation(len(X)), len(X) // batch_size):
            h, log_p = _forward(params, X[part])
            optimizer.step(params, _backward(params, X[part], h, log_p, one_hot[part]))
            losses.append(_cross_entropy(log_p, one_hot[part]))
        yield np.mean(losses, axis=0)


def _inputs(params):
    """How many columns the network takes; parameters that do not fit together are refused.

    They may hold infinity: a training that diverged is still to be looked at.
    """
    tables = (
        [p for p in params if isinstance(p, np.ndarray) and p.ndim >= 2] if isinstance(params, list | tuple) else []
    )
    if len(tables) != 4 or len(params) != 4:
        raise ValueError("params must be a list of four arrays, W1, b1, W2 and b2, as two_layer returns them")
    (d, hidden), first_bias, (rows, k), last_bias = (p.shape[-2:] for p in tables)
    if rows != hidden or first_bias != (1, hidden) or last_bias != (1, k):
        raise ValueError(f"params do not fit together, got the shapes {[p.shape for p in tables]}")
    return d


def _forward(params, X):
    W1, b1, W2, b2 = params
    h = np.maximum(X @ W1 + b1, 0)
    z = h @ W2 + b2
    z = z - z.max(axis=-1, keepdims=True)  # softmax does not change, and exp cannot overflow
    z = np.maximum(z, -100)  # below, exp gets so small that the processor slows down
    return h, z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def _backward(params, X, h, log_p, one_hot):
    """Each gradient is the input of its layer times what arrives from above."""
    W2 = params[2]
    dz = (np.exp(log_p) - one_hot) / len(X)  # softmax and cross-entropy together: p - y, over n for the mean
    dh = dz @ W2.swapaxes(-1, -2) * (h > 0)  # through the weights, then through the units that were on
    return [
        X.T @ dh,
        dh.sum(axis=-2, keepdims=True),
        h.swapaxes(-1, -2) @ dz,
        dz.sum(axis=-2, keepdims=True),
    ]


def _cross_entropy(log_p, one_hot):
    return -(log_p * one_hot).sum(axis=-1).mean(axis=-1)


def _one_hot(X, y, classes):
    y = check_array("y", y, ndim=1)
    check_same_length(X=X, y=y)
    if not np.isin(y, np.arange(classes)).all():
        raise ValueError(f"y must hold class numbers from 0 to {classes - 1}")
    return np.eye(classes)[y.astype(int)]
