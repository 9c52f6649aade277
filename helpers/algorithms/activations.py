"""Activation functions and their derivatives, stable for inputs of any size.

Each function f has its derivative beside it as f_grad(x), df/dx at every entry of x; `softmax_grad` and
`log_softmax_grad`, whose outputs mix all inputs of a row, take the gradient that arrives and return the one to pass on.
"""

import math

import numpy as np

from ..validation import check_array, check_integer, check_number

# --- saturating ------------------------------------------------------------------------------------------------------


def sigmoid(x):
    """1 / (1 + exp(-x)).

    Parameters
    ----------
    x : array_like

    Returns
    -------
    ndarray of x's shape

    Raises
    ------
    ValueError
        If x is not an array of finite numbers. This holds for every function here.
    """
    x = check_array("x", x)
    small = np.exp(-np.abs(x))  # exp of a negative number cannot overflow
    return np.where(x >= 0, 1, small) / (1 + small)


def sigmoid_grad(x):
    """s (1 - s), with s the output: at most 1/4, at x = 0."""
    s = sigmoid(x)
    return s * (1 - s)


def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)) = 2 sigmoid(2x) - 1."""
    return np.tanh(check_array("x", x))


def tanh_grad(x):
    """1 - tanh(x)^2: at most 1, at x = 0."""
    return 1 - tanh(x) ** 2


# --- piecewise linear ------------------------------------------------------------------------------------------------


def relu(x):
    """max(x, 0) (Nair and Hinton, ICML 2010)."""
    return np.maximum(check_array("x", x), 0)


def relu_grad(x):
    """1 where x > 0, else 0; at exactly 0 there is no derivative, and 0 is torch's choice."""
    return (check_array("x", x) > 0).astype(float)


def leaky_relu(x, negative_slope=0.01):
    """x where x > 0, else negative_slope times x (Maas, Hannun and Ng, 2013).

    Parameters
    ----------
    x : array_like
    negative_slope : float
        The leak.
    """
    x, slope = check_array("x", x), check_number("negative_slope", negative_slope)
    return np.where(x > 0, x, slope * x)


def leaky_relu_grad(x, negative_slope=0.01):
    """1 where x > 0, else the leak, also at exactly 0, as torch has it."""
    x, slope = check_array("x", x), check_number("negative_slope", negative_slope)
    return np.where(x > 0, 1.0, slope)


def prelu(x, weight):
    """Leaky ReLU whose leak is learned: one for all channels, or one per channel (He et al., ICCV 2015).

    Parameters
    ----------
    x : (n, c, ...) array_like
    weight : () or (c,) array_like
    """
    x, slope = check_array("x", x), _per_channel(x, weight)
    return np.where(x > 0, x, slope * x)


def prelu_grad(x, weight):
    """The derivatives with respect to x and, entry by entry, to the leak."""
    x, slope = check_array("x", x), _per_channel(x, weight)
    return np.where(x > 0, 1.0, slope), np.where(x > 0, 0.0, x)


def _per_channel(x, weight):
    """The leaks in a shape that meets x's second axis."""
    weight = check_array("weight", weight)
    if weight.size == 1:
        return weight.reshape(())
    x = np.asarray(x)
    if x.ndim < 2 or weight.shape != (x.shape[1],):
        raise ValueError(f"weight must be one number or one per channel of x, got {weight.shape} for x {x.shape}")
    return weight.reshape(-1, *[1] * (x.ndim - 2))


def relu6(x):
    """min(max(x, 0), 6) (Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010)."""
    return np.clip(check_array("x", x), 0, 6)


def relu6_grad(x):
    """1 where 0 < x < 6, else 0."""
    x = check_array("x", x)
    return ((x > 0) & (x < 6)).astype(float)


# --- smooth ----------------------------------------------------------------------------------------------------------


def elu(x, alpha=1.0):
    """x where x > 0, else alpha (exp(x) - 1) (Clevert, Unterthiner and Hochreiter, ICLR 2016)."""
    x, alpha = check_array("x", x), check_number("alpha", alpha)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))  # np.where computes both sides: keep exp small


def elu_grad(x, alpha=1.0):
    """1 where x > 0, else alpha exp(x)."""
    x, alpha = check_array("x", x), check_number("alpha", alpha)
    return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0)))


def gelu(x):
    """x times the probability that a standard normal number is below x (Hendrycks and Gimpel, 2016)."""
    x = check_array("x", x)
    return x * _normal_cdf(x)


def gelu_grad(x):
    """Phi(x) + x phi(x)."""
    x = check_array("x", x)
    return _normal_cdf(x) + x * np.exp(-np.minimum(x**2, 1e4) / 2) / np.sqrt(2 * np.pi)


_erf = np.vectorize(math.erf, otypes=[float])  # NumPy has none


def _normal_cdf(x):
    return (1 + _erf(x / np.sqrt(2))) / 2


def silu(x):
    """x sigmoid(x), also called swish (Elfwing, Uchibe and Doya, 2018)."""
    x = check_array("x", x)
    return x * sigmoid(x)


def silu_grad(x):
    """s + x s (1 - s), with s the sigmoid of x."""
    x, s = check_array("x", x), sigmoid(x)
    return s + x * s * (1 - s)


# --- of a whole row --------------------------------------------------------------------------------------------------


def softmax(x, dim=-1):
    """exp(x) over its sum along `dim`: positive numbers that add up to 1.

    Parameters
    ----------
    x : array_like
    dim : int
        The axis.

    Raises
    ------
    ValueError
        If x has no such axis.
    """
    shifted = _shifted(x, dim)
    e = np.exp(shifted)
    return e / e.sum(axis=dim, keepdims=True)


def softmax_grad(grad, x, dim=-1):
    """The gradient to pass on: y (grad - sum(grad y)), with y the output.

    The Jacobian is dy_i / dx_j = y_i (1[i = j] - y_j); its product with grad needs only one sum per row.
    """
    y = softmax(x, dim)
    grad = _like("grad", grad, y)
    return y * (grad - (grad * y).sum(axis=dim, keepdims=True))


def log_softmax(x, dim=-1):
    """x minus the logarithm of the sum of exp(x): never the logarithm of a number that has become 0."""
    shifted = _shifted(x, dim)
    return shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))


def log_softmax_grad(grad, x, dim=-1):
    """The gradient to pass on: grad - softmax(x) sum(grad)."""
    y = softmax(x, dim)
    grad = _like("grad", grad, y)
    return grad - y * grad.sum(axis=dim, keepdims=True)


def _shifted(x, dim):
    """x minus its largest entry along `dim`: softmax stays the same, and exp cannot overflow."""
    x, dim = check_array("x", x), check_integer("dim", dim)
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"dim must be an axis of x, which has {x.ndim}; got {dim!r}")
    return x - x.max(axis=dim, keepdims=True)


def _like(name, value, y):
    value = check_array(name, value)
    if value.shape != y.shape:
        raise ValueError(f"{name} must have the shape of x, {y.shape}; got {value.shape}")
    return value
