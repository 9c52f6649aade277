"""Overfitting: polynomials that fit too little or too much, how to measure it, and the usual remedies.

x is (n,) and y (n,), samples of an unknown function with noise. A *fit* is a function fit(X, y) that returns a function
predict(X); `learning_curve`, `bias_variance` and `bagging` take any.

References
----------
Geman, Bienenstock and Doursat, "Neural networks and the bias/variance dilemma", Neural Computation 4 (1992).
Breiman, "Bagging predictors", Machine Learning 24 (1996).
Prechelt, "Early stopping - but when?", Neural Networks: Tricks of the Trade (1998).
Srivastava et al., "Dropout", JMLR 15 (2014).
"""

import math

import numpy as np

from ..validation import check_array, check_integer, check_number, check_random_state, check_same_length
from .optimizers import adam_step

# --- polynomials -----------------------------------------------------------------------------------------------------


def polynomial_features(x, degree):
    """The powers of x from 0 to `degree`, one per column.

    Parameters
    ----------
    x : (n,) array_like
    degree : int, at least 0

    Returns
    -------
    (n, degree + 1) ndarray

    Raises
    ------
    ValueError
        If x is not a row of finite numbers, or degree is not a whole number of at least 0.
    """
    x = check_array("x", x, ndim=1)
    return _powers(x, check_integer("degree", degree, at_least=0))


def fit_polynomial(x, y, degree, alpha=0.0):
    """Least squares with a penalty: the w that minimizes |y - Phi w|^2 + alpha |w[1:]|^2.

    Parameters
    ----------
    x : (n,) array_like
    y : (n,) or (n, runs) array_like
        Several columns are fitted one by one.
    degree : int, at least 0
    alpha : float, at least 0
        Strength of the penalty; the constant w[0] is not penalized.

    Returns
    -------
    (degree + 1,) or (degree + 1, runs) ndarray
        Coefficients from power 0 on. Where several w are equally good (n below degree + 1 and alpha 0), the shortest.

    Raises
    ------
    ValueError
        If an argument is out of range, or the lengths differ.
    """
    x, y = check_array("x", x, ndim=1), check_array("y", y, ndim=(1, 2))
    check_same_length(x=x, y=y)
    Phi = _powers(x, check_integer("degree", degree, at_least=0))
    return _ridge(Phi, y, check_number("alpha", alpha, at_least=0))


def predict_polynomial(w, x):
    """The polynomial with coefficients w, from power 0 on, at every x.

    Raises
    ------
    ValueError
        If an argument is not an array of finite numbers.
    """
    w, x = check_array("w", w, ndim=(1, 2)), check_array("x", x, ndim=1)
    return _powers(x, len(w) - 1) @ w


def _powers(x, degree):
    return np.vander(x, degree + 1, increasing=True)


def _ridge(Phi, y, alpha):
    """Ridge as plain least squares: one more row sqrt(alpha) e_j per weight j, with target 0."""
    penalty = math.sqrt(alpha) * np.eye(Phi.shape[1])[1:]  # without row 0: the constant is free
    rows = np.vstack([Phi, penalty])
    targets = np.concatenate([y, np.zeros((len(penalty), *y.shape[1:]))])
    return np.linalg.lstsq(rows, targets, rcond=None)[0]


# --- measures --------------------------------------------------------------------------------------------------------


def learning_curve(fit, X, y, X_test, y_test, sizes):
    """Mean squared error on the first n training samples and on the test samples, for each n in `sizes`.

    Parameters
    ----------
    fit : callable
        fit(X, y) returns predict(X).
    X, X_test : (n, ...) array_like
    y, y_test : (n,) array_like
    sizes : sequence of int
        Each from 1 to the number of training samples.

    Returns
    -------
    train, test : (len(sizes),) ndarray

    Raises
    ------
    ValueError
        If an argument is out of range, or lengths differ.
    """
    X, y = _samples("X", X, "y", y)
    X_test, y_test = _samples("X_test", X_test, "y_test", y_test)
    _check_callable("fit", fit)
    sizes = [check_integer("sizes", n, at_least=1, at_most=len(X)) for n in _sequence("sizes", sizes)]
    errors = []
    for n in sizes:
        predict = fit(X[:n], y[:n])
        errors.append([_mse(predict(X[:n]), y[:n]), _mse(predict(X_test), y_test)])
    return tuple(np.transpose(errors))


def bias_variance(draw, fit, X, truth, runs=100, random_state=None):
    """Fit many training sets and split the mean squared error against the truth in two.

    Parameters
    ----------
    draw : callable
        draw(rng) returns a training set (X, y).
    fit : callable
        fit(X, y) returns predict(X).
    X : (m, ...) array_like
        Where the fits are compared.
    truth : (m,) array_like
        The noiseless function there.
    runs : int, at least 2
    random_state : int or numpy.random.Generator, optional

    Returns
    -------
    bias2, variance : float
        Means over X. Their sum is the mean of (prediction - truth)^2; a noisy test sample adds the noise's variance.

    Raises
    ------
    ValueError
        If an argument is out of range, or lengths differ.
    """
    X, truth = _samples("X", X, "truth", truth)
    _check_callable("draw", draw)
    _check_callable("fit", fit)
    rng = check_random_state(random_state)
    predictions = [fit(*draw(rng))(X) for _ in range(check_integer("runs", runs, at_least=2))]
    return _bias_variance(np.array(predictions), truth)


def _bias_variance(predictions, truth):
    """From the predictions of many fits, (runs, m): E(f - t)^2 = (E f - t)^2 + E(f - E f)^2, averaged over m."""
    mean = predictions.mean(axis=0)  # the average fit: what is wrong with it is bias
    bias2 = ((mean - truth) ** 2).mean()
    variance = ((predictions - mean) ** 2).mean()  # divided by runs, so that the two add up
    return float(bias2), float(variance)


# --- remedies --------------------------------------------------------------------------------------------------------


class EarlyStopping:
    """Say when to stop: once the validation loss has not improved for `patience` epochs.

    Parameters
    ----------
    patience : int, at least 1
        Epochs without improvement after which to stop.
    min_delta : float, at least 0
        An epoch improves only if its loss lies more than this below the best.

    Attributes
    ----------
    best : float
        The loss of `best_epoch`, the last that improved; infinity before the first epoch.
    best_epoch : int or None
        Whose weights to restore, counted from 0.
    epoch : int
        How many losses came so far.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    def __init__(self, patience=5, min_delta=0.0):
        self.patience = check_integer("patience", patience, at_least=1)
        self.min_delta = check_number("min_delta", min_delta, at_least=0)
        self.best, self.best_epoch, self.epoch, self._waited = math.inf, None, 0, 0

    def step(self, loss):
        """Take the validation loss of one more epoch; return whether to stop.

        Raises
        ------
        ValueError
            If the loss is not a finite number.
        """
        loss = check_number("loss", loss)
        if loss < self.best - self.min_delta:
            self.best, self.best_epoch, self._waited = loss, self.epoch, 0  # keep a copy of the weights here
        else:
            self._waited += 1
        self.epoch += 1
        return self._waited >= self.patience


def bagging(fit, X, y, n_estimators=10, random_state=None):
    """Bootstrap aggregating: fit samples drawn with replacement, and average what they predict.

    Parameters
    ----------
    fit : callable
        fit(X, y) returns predict(X).
    X : (n, ...) array_like
    y : (n,) array_like
    n_estimators : int, at least 1
    random_state : int or numpy.random.Generator, optional

    Returns
    -------
    callable
        predict(X), the mean over the estimators.

    Raises
    ------
    ValueError
        If an argument is out of range, or the lengths differ.
    """
    X, y = _samples("X", X, "y", y)
    _check_callable("fit", fit)
    rng, fits = check_random_state(random_state), []
    for _ in range(check_integer("n_estimators", n_estimators, at_least=1)):
        drawn = rng.integers(len(X), size=len(X))  # with replacement: about 63 % of the samples come in
        fits.append(fit(X[drawn], y[drawn]))
    return lambda X: np.mean([predict(X) for predict in fits], axis=0)


def dropout(x, p, u):
    """Inverted dropout: drop each entry with probability p, and divide what stays by 1 - p.

    Parameters
    ----------
    x : array_like
    p : float from 0 to 1
    u : array_like of x's shape
        Uniform draws from 0 to 1; an entry is dropped where u < p.

    Returns
    -------
    ndarray of x's shape
        Its expectation over u is x. With p = 1 all entries are 0.

    Raises
    ------
    ValueError
        If p or a draw lies outside 0 to 1, or the shapes differ.
    """
    x, u = check_array("x", x), check_array("u", u)
    p = check_number("p", p, at_least=0, at_most=1)
    if u.shape != x.shape or u.min() < 0 or u.max() > 1:
        raise ValueError(f"u must hold numbers from 0 to 1 in the shape of x, {x.shape}, got {u.shape}")
    return _dropout(x, p, u)


def _dropout(x, p, u):
    if p == 1:
        return np.zeros_like(x)  # 0 / 0 otherwise
    return x * (u >= p) / (1 - p)  # divided in training, so that nothing is to be done at test time


# --- a network to try them on ----------------------------------------------------------------------------------------


def train_networks(X, y, *, epochs, hidden=32, lr=0.01, l1=0.0, l2=0.0, p=0.0, noise=0.0, shift=False, seeds=(0,)):
    """Train r networks at once, 64 pixels - hidden ReLUs - 10 classes, by Adam on all samples.

    Settings may have one entry per network.

    Parameters
    ----------
    X : (r, n, 64) array_like
        The training digits of each network, 8 x 8 pixels.
    y : (r, n) array_like
        Class numbers from 0 to 9.
    epochs : int, at least 1
    hidden : int or sequence of int
        Units; networks with fewer than the largest never use the others.
    lr : float above 0
    l1, l2 : float or sequence of float, at least 0
        Penalty l1 |W|_1 + l2 / 2 |W|^2 on the weights, biases aside.
    p : float or sequence of float, from 0 to below 1
        Dropout of the hidden units.
    noise : float or sequence of float, at least 0
        Standard deviation of what is added to the pixels, new in each epoch.
    shift : bool or sequence of bool
        Move each digit by up to one pixel, anew in each epoch.
    seeds : sequence of int
        One for each network, or one for all: its first weights.

    Yields
    ------
    list of ndarray
        W1, b1, W2, b2 after each epoch, with the networks as first axis; `predict_networks` takes them.

    Raises
    ------
    ValueError
        If an argument is out of range, or the shapes do not fit.
    """
    X, y = check_array("X", X, ndim=3), check_array("y", y, ndim=2)
    if X.shape[:2] != y.shape or X.shape[2] != 64:
        raise ValueError(f"X must be (r, n, 64) and y (r, n), got {X.shape} and {y.shape}")
    if not np.isin(y, np.arange(10)).all():
        raise ValueError("y must hold class numbers from 0 to 9")
    epochs = check_integer("epochs", epochs, at_least=1)
    lr = check_number("lr", lr, above=0)
    seeds = [check_integer("seeds", seed, at_least=0) for seed in _sequence("seeds", seeds)]
    if len(seeds) not in (1, len(X)):
        raise ValueError(f"seeds must have one entry or one per network, {len(X)}, got {len(seeds)}")
    hidden = _per_network("hidden", hidden, len(X), at_least=1).astype(int)
    l1, l2, noise = (_per_network(n, v, len(X), at_least=0) for n, v in (("l1", l1), ("l2", l2), ("noise", noise)))
    p = _per_network("p", p, len(X), at_least=0, at_most=0.99)
    shift = _per_network("shift", shift, len(X), at_least=0, at_most=1) > 0
    return _train_networks(X, np.eye(10)[y.astype(int)], epochs, hidden, lr, l1, l2, p, noise, shift, seeds)


def _train_networks(X, one_hot, epochs, hidden, lr, l1, l2, p, noise, shift, seeds):
    rng = np.random.default_rng(seeds[0])
    params = _start(len(X), hidden, seeds)
    memory = [(0.0, 0.0)] * 4
    for t in range(1, epochs + 1):
        x, gate = _disturbed(X, noise, shift, rng), _gate((len(X), X.shape[1], hidden.max()), p, rng)
        W1, b1, W2, b2 = params
        h = np.maximum(x @ W1 + b1, 0) * gate
        delta = (np.exp(_log_softmax(h @ W2 + b2)) - one_hot) / X.shape[1]  # softmax and cross-entropy together
        below = delta @ W2.swapaxes(1, 2) * gate * (h > 0)
        grads = [x.swapaxes(1, 2) @ below, below.sum(axis=1, keepdims=True)]
        grads += [h.swapaxes(1, 2) @ delta, delta.sum(axis=1, keepdims=True)]
        for i, (w, g) in enumerate(zip(params, grads, strict=True)):
            if i % 2 == 0:  # weights are penalized, biases are not
                g = g + l1 * np.sign(w) + l2 * w
            params[i], *memory[i] = adam_step(w, g, *memory[i], t, lr, 0.9, 0.999, 1e-8)
        yield list(params)


def _disturbed(X, noise, shift, rng):
    """The digits as this epoch shows them: with noise, moved, or as they are."""
    x = X.copy()
    noisy, moved = noise[:, 0, 0] > 0, shift[:, 0, 0]
    x[noisy] += noise[noisy] * rng.normal(size=x[noisy].shape)
    x[moved] = _shifted(x[moved], rng)
    return x


def _gate(shape, p, rng):
    """What each hidden unit of each sample is multiplied by: 0 if it is dropped, 1 / (1 - p) if not."""
    gate, dropping = np.ones(shape), p[:, 0, 0] > 0
    gate[dropping] = (rng.random(gate[dropping].shape) >= p[dropping]) / (1 - p[dropping])
    return gate


def predict_networks(params, X):
    """Logarithms of the class probabilities, (r, n, 10), for X of shape (n, 64) or (r, n, 64). No dropout here.

    Raises
    ------
    ValueError
        If X does not fit the parameters, which are those that `train_networks` yields.
    """
    X = check_array("X", X, ndim=(2, 3))
    if len(params) != 4 or X.shape[-1] != params[0].shape[1]:
        raise ValueError(f"X must have the network's number of columns in its last axis, got {X.shape}")
    W1, b1, W2, b2 = params
    return _log_softmax(np.maximum(X @ W1 + b1, 0) @ W2 + b2)


def _start(networks, hidden, seeds):
    """He's start. Networks of one seed begin alike, whatever their settings: they differ in the remedy alone."""
    most, W1, W2 = hidden.max(), [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        W1.append(rng.normal(size=(64, most)) * math.sqrt(2 / 64))
        W2.append(rng.normal(size=(most, 10)) * math.sqrt(2))
    W1, W2 = (np.broadcast_to(np.stack(W), (networks, *W[0].shape)) for W in (W1, W2))
    on = np.arange(most) < hidden  # (r, 1, most): units that a network lacks have weights 0 and keep them
    return [
        W1 * on,
        np.zeros((networks, 1, most)),
        W2 / np.sqrt(hidden) * on.swapaxes(1, 2),
        np.zeros((networks, 1, 10)),
    ]


def _shifted(x, rng):
    """Each image moved by -1, 0 or 1 pixel in both directions; zeros come in from outside."""
    padded = np.pad(x.reshape(*x.shape[:2], 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved, chosen = np.empty((*x.shape[:2], 8, 8)), rng.integers(9, size=x.shape[:2])
    for k in range(9):
        row, column = divmod(k, 3)
        moved[chosen == k] = padded[chosen == k, row : row + 8, column : column + 8]
    return moved.reshape(x.shape)


def _log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


# --- checks ----------------------------------------------------------------------------------------------------------


def _samples(name, X, other, y):
    X, y = check_array(name, X), check_array(other, y, ndim=1)
    if X.ndim == 0:
        raise ValueError(f"{name} must hold samples, got a single number")
    check_same_length(**{name: X, other: y})
    return X, y


def _check_callable(name, value):
    if not callable(value):
        raise ValueError(f"{name} must be callable, got {value!r}")


def _sequence(name, values):
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) == 0:
        raise ValueError(f"{name} must be a sequence with one entry or more, got {values!r}")
    return list(values)


def _per_network(name, values, networks, **limits):
    """One number for all networks, or one for each, as an (r, 1, 1) array."""
    values = check_array(name, values, ndim=(0, 1))
    if values.ndim and len(values) != networks:
        raise ValueError(f"{name} must be one number or one per network, {networks}, got {len(values)}")
    for value in np.atleast_1d(values):
        check_number(name, float(value), **limits)
    return np.broadcast_to(values, networks).reshape(-1, 1, 1)


def _mse(predicted, y):
    return float(((np.asarray(predicted) - y) ** 2).mean())
