"""A network with one hidden layer, written by hand: forward, backward, training.

X -> ReLU(X W1 + b1) = h -> softmax(h W2 + b2) = p. The parameters are a list [W1, b1, W2, b2] of shapes (d, hidden),
(1, hidden), (hidden, k) and (1, k). They may all have the same leading axes, (r, d, hidden) and so on: that is r
networks at once, and everything below returns one result for each.

References
----------
Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 323 (1986).
He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015 (the initialization).
"""

from itertools import pairwise

import numpy as np

from ..validation import check_array, check_columns, check_integer, check_random_state, check_same_length


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
    """Logarithms of the class probabilities.

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
        If X is empty, holds NaN or has another number of columns than W1 has rows.
    """
    return _forward(params, check_columns("X", X, params[0].shape[-2]))[1]


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
    X = check_columns("X", X, params[0].shape[-2])
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
        As `backward`, or if a number is out of range.
    """
    X = check_columns("X", X, params[0].shape[-2])
    one_hot, rng = _one_hot(X, y, params[3].shape[-1]), check_random_state(random_state)
    batch_size = check_integer("batch_size", batch_size, at_least=1, at_most=len(X))
    for _ in range(check_integer("epochs", epochs, at_least=1)):
        losses = []
        for part in np.array_split(rng.permutation(len(X)), len(X) // batch_size):
            h, log_p = _forward(params, X[part])
            optimizer.step(params, _backward(params, X[part], h, log_p, one_hot[part]))
            losses.append(_cross_entropy(log_p, one_hot[part]))
        yield np.mean(losses, axis=0)


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
