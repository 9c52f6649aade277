"""Gradient descent and its relatives, as generators that yield the path, and functions to try them on.

A rule takes ``gradient``, a function from the parameters w to the gradient there, and yields w after every step, the
start first. ``list(gradient_descent(...))`` is the path.

References
----------
Cauchy, "Méthode générale pour la résolution des systèmes d'équations simultanées" (1847).
Robbins and Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22 (1951).
Polyak, "Some methods of speeding up the convergence of iteration methods" (1964): momentum.
Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)" (1983).
"""

import numpy as np

from ..validation import (
    check_array,
    check_choice,
    check_integer,
    check_number,
    check_random_state,
    check_same_length,
)

FAR = 1e100  # a path that leaves this far has diverged

# --- rules -----------------------------------------------------------------------------------------------------------


def gradient_descent(gradient, start, lr, *, steps=1000, tol=0.0):
    """w <- w - lr g, with g the gradient at w.

    Parameters
    ----------
    gradient : callable
        From w to the gradient, of w's shape.
    start : array_like
    lr : float above 0
        Learning rate. A quadratic whose largest curvature is L is descended if lr < 2 / L.
    steps : int, at least 0
        The most that are made.
    tol : float, at least 0
        The path has converged, and ends, when the length of the gradient is at most this.

    Returns
    -------
    generator of ndarray
        The start, then w after each step. It also ends before an entry of w reaches 1e100: it diverges.

    Raises
    ------
    ValueError
        If an argument is out of range, or `gradient` cannot be called or returns something of another shape. This
        holds for every rule here.
    """
    lr, gradient = check_number("lr", lr, above=0), _checked(gradient)

    def move(w, b):
        g = gradient(w)
        return g, w - lr * g, b

    return _walk(move, start, steps, tol)


def momentum(gradient, start, lr, momentum=0.9, *, steps=1000, tol=0.0):
    """b <- momentum b + g, w <- w - lr b: torch's form, with the rate outside the buffer b (Polyak 1964).

    Parameters
    ----------
    gradient, start, lr, steps, tol
        As in `gradient_descent`.
    momentum : float, at least 0 and below 1
    """
    lr, mu = check_number("lr", lr, above=0), check_number("momentum", momentum, at_least=0, below=1)
    gradient = _checked(gradient)

    def move(w, b):
        g = gradient(w)
        b = mu * b + g
        return g, w - lr * b, b

    return _walk(move, start, steps, tol)


def nesterov(gradient, start, lr, momentum=0.9, *, steps=1000, tol=0.0):
    """As `momentum`, but with the gradient at w - lr momentum b, where the buffer is about to carry w.

    Parameters
    ----------
    gradient, start, lr, momentum, steps, tol
        As in `momentum`.
    """
    lr, mu = check_number("lr", lr, above=0), check_number("momentum", momentum, at_least=0, below=1)
    gradient = _checked(gradient)

    def move(w, b):
        g = gradient(w - lr * mu * b)  # look ahead first, then correct
        b = mu * b + g
        return g, w - lr * b, b

    return _walk(move, start, steps, tol)


def minibatch_sgd(gradient, start, n, lr, *, batch_size, epochs=1, random_state=None):
    """Gradient descent in which each step sees only some of the samples, in a new order in every epoch.

    Parameters
    ----------
    gradient : callable
        From w and an array of row numbers to the mean gradient over these samples.
    start : array_like
    n : int, at least 1
        Number of samples.
    lr : float above 0
    batch_size : int, from 1 to n
        What does not fill a batch is shared out among the others, so an epoch has n // batch_size steps.
    epochs : int, at least 0
    random_state : int or numpy.random.Generator, optional

    Returns
    -------
    generator of ndarray
        The start, then w after each step.
    """
    n, lr, gradient = check_integer("n", n, at_least=1), check_number("lr", lr, above=0), _checked(gradient)
    batch_size = check_integer("batch_size", batch_size, at_least=1, at_most=n)
    epochs, rng = check_integer("epochs", epochs, at_least=0), check_random_state(random_state)
    steps = n // batch_size

    def batches():
        for _ in range(epochs):
            yield from np.array_split(rng.permutation(n), steps)

    rows = batches()

    def move(w, b):
        g = gradient(w, next(rows))
        return g, w - lr * g, b

    return _walk(move, start, epochs * steps, tol=None)  # a batch whose gradient is 0 proves nothing


def sgd(gradient, start, n, lr, *, epochs=1, random_state=None):
    """Stochastic gradient descent in the narrow sense: one sample per step.

    Parameters
    ----------
    gradient, start, n, lr, epochs, random_state
        As in `minibatch_sgd`.
    """
    return minibatch_sgd(gradient, start, n, lr, batch_size=1, epochs=epochs, random_state=random_state)


def _checked(gradient):
    """The function `gradient`, which refuses to return anything but numbers of w's shape."""
    if not callable(gradient):
        raise ValueError(f"gradient must be callable, got {gradient!r}")

    def checked(w, *rows):
        g = np.asarray(gradient(w, *rows))
        if g.shape != w.shape or g.dtype.kind not in "biuf":
            raise ValueError(f"gradient must return numbers of shape {w.shape}, got {g.dtype} of shape {g.shape}")
        return g

    return checked


def _walk(move, start, steps, tol):
    """Check what all rules share, and return the path; move(w, b) returns the gradient, the next w and the next b."""
    w, steps = check_array("start", start), check_integer("steps", steps, at_least=0)
    return _path(move, w, steps, tol if tol is None else check_number("tol", tol, at_least=0))


def _path(move, w, steps, tol):
    b = np.zeros_like(w)
    yield w.copy()
    for _ in range(steps):
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging path is no accident, it ends below
            g, next_w, b = move(w, b)
            length = np.linalg.norm(g)
        if tol is not None and length <= tol:
            return  # converged
        if not (np.abs(next_w) < FAR).all():  # NaN is not below it either
            return  # diverged
        w = next_w
        yield w.copy()


def clip_grad_norm(grads, max_norm):
    """Shorten all gradients by one factor, so that together they are no longer than `max_norm`.

    One factor for all keeps the direction. As torch has it: max_norm / (total_norm + 1e-6), at most 1.

    Parameters
    ----------
    grads : list of array_like
        One array per parameter, of any shapes.
    max_norm : float above 0

    Returns
    -------
    clipped : list of ndarray
    total_norm : float
        Length of all gradients together, before clipping.

    Raises
    ------
    ValueError
        If there is no gradient, one is not an array of finite numbers, or max_norm is not above 0.
    """
    if not isinstance(grads, list | tuple) or not grads:
        raise ValueError("grads must be a list of arrays, one per parameter")
    grads = [check_array(f"grads[{i}]", grad) for i, grad in enumerate(grads)]
    return _clip_grad_norm(grads, check_number("max_norm", max_norm, above=0))


def _clip_grad_norm(grads, max_norm):
    total_norm = np.sqrt(sum((grad**2).sum() for grad in grads))  # over all parameters, not of each
    factor = min(1.0, max_norm / (total_norm + 1e-6))  # at most 1: short gradients stay as they are
    return [factor * grad for grad in grads], float(total_norm)


# --- how fast --------------------------------------------------------------------------------------------------------


def hessian(gradient, w):
    """Second derivatives at w, by central differences of the gradient.

    Parameters
    ----------
    gradient : callable
    w : (d,) array_like

    Returns
    -------
    (d, d) ndarray
        Symmetric. Its eigenvalues are the curvatures.

    Raises
    ------
    ValueError
        If w is not a vector of finite numbers, or `gradient` cannot be called or returns something else.
    """
    w = check_array("w", w, ndim=1)
    if not callable(gradient):
        raise ValueError(f"gradient must be callable, got {gradient!r}")
    columns = []
    for i in range(len(w)):
        step = np.zeros_like(w)
        step[i] = 1e-5 * max(1, abs(w[i]))
        up, down = (check_array("gradient(w)", gradient(w + sign * step)) for sign in (1, -1))
        if up.shape != w.shape:
            raise ValueError(f"gradient must return an array of shape {w.shape}, got {up.shape}")
        columns.append((up - down) / (2 * step[i]))
    H = np.array(columns)
    return (H + H.T) / 2  # differences leave a little asymmetry


def error_factor(rate_times_curvature, momentum=0.0, kind="momentum"):
    """What a step leaves, in the long run, of the distance to the minimum of a parabola; above 1 it diverges.

    One step maps (w, b) linearly; this is the largest size of the eigenvalues of that map. With a = lr h and mu the
    momentum they solve r^2 - (1 + mu - a) r + mu = 0, for Nesterov r^2 - (1 + mu)(1 - a) r + mu (1 - a) = 0.

    Parameters
    ----------
    rate_times_curvature : array_like
        a; negative where the curve bends down.
    momentum : array_like, at least 0 and below 1
        Of a shape that meets that of a; 0 is plain descent.
    kind : {"momentum", "nesterov"}

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    a, mu = check_array("rate_times_curvature", rate_times_curvature), check_array("momentum", momentum)
    if not ((mu >= 0) & (mu < 1)).all():
        raise ValueError("momentum must be at least 0 and below 1")
    looks_ahead = check_choice("kind", kind, ("momentum", "nesterov")) == "nesterov"
    trace = (1 + mu) * (1 - a) if looks_ahead else 1 + mu - a
    determinant = mu * (1 - a) if looks_ahead else mu + 0 * a
    root = np.sqrt((trace**2 - 4 * determinant).astype(complex))
    return np.maximum(abs(trace + root), abs(trace - root)) / 2


# --- functions to try them on ----------------------------------------------------------------------------------------


class Surface:
    """A function of two variables with its gradient; points are arrays (..., 2).

    Attributes
    ----------
    name : str
    minima : tuple of (x, y)
    """

    def __init__(self, name, value, slope, minima):
        self.name, self._value, self._slope, self.minima = name, value, slope, minima

    def __call__(self, p):
        """The height at p, (...)."""
        return self._value(*_coordinates(p))

    def gradient(self, p):
        """The gradient at p, (..., 2)."""
        return np.stack(self._slope(*_coordinates(p)), axis=-1)


def _coordinates(p):
    p = check_array("p", p)
    if p.ndim == 0 or p.shape[-1] != 2:
        raise ValueError(f"p must hold points of two coordinates, got shape {p.shape}")
    return p[..., 0], p[..., 1]


def quadratic(condition):
    """(x^2 + condition y^2) / 2: curvature 1 along x and `condition`, at least 1, along y."""
    k = check_number("condition", condition, at_least=1)
    return Surface("quadratic", lambda x, y: (x**2 + k * y**2) / 2, lambda x, y: (x, k * y), ((0.0, 0.0),))


rosenbrock = Surface(  # a bent valley with a flat floor (Rosenbrock 1960)
    "rosenbrock",
    lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    lambda x, y: (-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)),
    ((1.0, 1.0),),
)


def _beale_terms(x, y):
    return 1.5 - x + x * y, 2.25 - x + x * y**2, 2.625 - x + x * y**3


def _beale_slope(x, y):
    a, b, c = _beale_terms(x, y)
    return 2 * (a * (y - 1) + b * (y**2 - 1) + c * (y**3 - 1)), 2 * x * (a + 2 * y * b + 3 * y**2 * c)


beale = Surface(  # a flat plain with steep corners (Beale 1958)
    "beale", lambda x, y: sum(term**2 for term in _beale_terms(x, y)), _beale_slope, ((3.0, 0.5),)
)

saddle = Surface(  # a strict saddle at (0, 0): it bends up along x and down along y, towards a minimum on either side
    "saddle",
    lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 4,
    lambda x, y: (x, y**3 - y),
    ((0.0, -1.0), (0.0, 1.0)),
)

himmelblau = Surface(  # four minima of height 0 (Himmelblau 1972)
    "himmelblau",
    lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2,
    lambda x, y: (
        4 * x * (x**2 + y - 11) + 2 * (x + y**2 - 7),
        2 * (x**2 + y - 11) + 4 * y * (x + y**2 - 7),
    ),
    ((3.0, 2.0), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127)),
)


class Logistic:
    """The mean logistic loss of a linear classifier, log(1 + exp(-y w.x)): convex in w.

    Parameters
    ----------
    X : (n, d) array_like
        Append a column of ones for a bias.
    y : (n,) array_like of -1 and 1

    Raises
    ------
    ValueError
        If X or y is not as described, or their lengths differ.
    """

    def __init__(self, X, y):
        X, y = check_array("X", X, ndim=2), check_array("y", y, ndim=1)
        check_same_length(X=X, y=y)
        if not np.isin(y, (-1, 1)).all():
            raise ValueError("y must hold -1 and 1")
        self._signed = y[:, None] * X  # all that the loss ever sees of a sample

    def __call__(self, w):
        """The loss at w, (d,) or (..., d)."""
        return np.logaddexp(0, -self._weights(w) @ self._signed.T).mean(axis=-1)  # no overflow for large margins

    def gradient(self, w, rows=None):
        """The gradient at w, (d,), over all samples or over some."""
        signed = self._signed if rows is None else self._signed[self._numbers(rows)]
        margin = signed @ self._weights(w)
        return -signed.T @ np.exp(-np.logaddexp(0, margin)) / len(signed)  # 1 / (1 + exp(margin))

    def hessian(self, w):
        """The second derivatives at w, (d, d): no eigenvalue is negative."""
        margin = self._signed @ self._weights(w)
        share = np.exp(-np.logaddexp(0, margin) - np.logaddexp(0, -margin))  # s (1 - s)
        return self._signed.T @ (share[:, None] * self._signed) / len(self._signed)

    def _numbers(self, rows):
        try:
            numbers = np.asarray(rows)
        except (RuntimeError, TypeError, ValueError):  # a tensor that requires grad, a ragged list
            numbers = np.array([])
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size or np.ma.isMaskedArray(rows):
            raise ValueError(f"rows must be a list of row numbers, got {rows!r}")
        if numbers.min() < 0 or numbers.max() >= len(self._signed):
            raise ValueError(f"rows must lie between 0 and {len(self._signed) - 1}")
        return numbers

    def _weights(self, w):
        w = check_array("w", w)
        if w.ndim == 0 or w.shape[-1] != self._signed.shape[1]:
            raise ValueError(f"w must hold {self._signed.shape[1]} numbers, got shape {w.shape}")
        return w
