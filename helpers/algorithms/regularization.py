"""Penalties on weights, and the regressions they make.

Arguments, attributes and the scaling of the objectives follow scikit-learn.

References
----------
Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12 (1970).
Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 58 (1996).
Zou and Hastie, "Regularization and variable selection via the elastic net", JRSS B 67 (2005).
Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", Journal of
Statistical Software 33 (2010).
"""

import warnings

import numpy as np

from ..validation import check_array, check_columns, check_fitted, check_integer, check_number, check_same_length

# --- penalties -------------------------------------------------------------------------------------------------------


def l1_penalty(w):
    """Sum of the absolute weights.

    Parameters
    ----------
    w : array_like of any shape

    Raises
    ------
    ValueError
        If `w` is empty, not numeric, or holds NaN or infinity.
    """
    return float(np.abs(check_array("w", w)).sum())


def l1_subgradient(w):
    """sign(w). At 0 every slope from -1 to 1 is a subgradient; this is the one in the middle. As `l1_penalty`."""
    return np.sign(check_array("w", w))


def l2_penalty(w):
    """Half the sum of the squared weights: the penalty whose gradient is w itself. As `l1_penalty`."""
    return float(np.square(check_array("w", w)).sum() / 2)


def l2_gradient(w):
    """The weights themselves, so a plain gradient step shrinks all by one factor: weight decay. As `l1_penalty`."""
    return check_array("w", w).copy()


def soft_threshold(x, threshold):
    """Move every entry towards 0 by `threshold`, and what would cross 0 to 0.

    It minimizes (z - x)^2 / 2 + threshold |z| over z.

    Parameters
    ----------
    x : array_like of any shape
    threshold : float, at least 0

    Returns
    -------
    ndarray of the shape of `x`

    Raises
    ------
    ValueError
        If `x` is empty or holds NaN, or `threshold` is negative.
    """
    return _soft(check_array("x", x), check_number("threshold", threshold, at_least=0))


# --- regressions -----------------------------------------------------------------------------------------------------


class Ridge:
    """Least squares with an L2 penalty: minimize ‖y - Xw‖² + alpha ‖w‖².

    Parameters
    ----------
    alpha : float, at least 0
    fit_intercept : bool
        Whether to fit a constant as well. It is not penalized.

    Attributes
    ----------
    coef_ : (d,) ndarray
    intercept_ : float
    """

    def __init__(self, alpha=1.0, *, fit_intercept=True):
        self.alpha, self.fit_intercept = alpha, fit_intercept

    def fit(self, X, y):
        """Fit the weights. For alpha 0 and columns that depend on each other the shortest solution is taken.

        Parameters
        ----------
        X : (n, d) array_like
        y : (n,) array_like

        Raises
        ------
        ValueError
            If an array is empty, of another shape or length, or holds NaN, or if `alpha` is negative.
        """
        alpha = check_number("alpha", self.alpha, at_least=0)
        X, y, X_mean, y_mean = _centered(X, y, self.fit_intercept)
        self.coef_ = _ridge(X, y, alpha)
        self.intercept_ = float(y_mean - X_mean @ self.coef_)
        return self

    def predict(self, X):
        """Return Xw + intercept, shape (n,)."""
        return _predict(self, X)


class ElasticNet:
    """Least squares with both penalties, by coordinate descent.

    Minimize ‖y - Xw‖² / (2n) + alpha l1_ratio ‖w‖₁ + alpha (1 - l1_ratio) / 2 ‖w‖².

    Parameters
    ----------
    alpha : float, at least 0
    l1_ratio : float in [0, 1]
        1 is the lasso.
    fit_intercept : bool
    max_iter : int, at least 1
        Sweeps over the coordinates; if they do not suffice, `fit` warns.
    tol : float above 0
        Stop when no weight moves by more than this share of the largest, and the duality gap is at most tol ‖y‖² / n.

    Attributes
    ----------
    coef_ : (d,) ndarray
    intercept_ : float
    n_iter_ : int
        Sweeps made.
    dual_gap_ : float
        How far the objective can be from its minimum.
    """

    def __init__(self, alpha=1.0, *, l1_ratio=0.5, fit_intercept=True, max_iter=1000, tol=1e-4):
        self.alpha, self.l1_ratio, self.fit_intercept = alpha, l1_ratio, fit_intercept
        self.max_iter, self.tol = max_iter, tol

    def fit(self, X, y):
        """Fit the weights.

        Parameters
        ----------
        X : (n, d) array_like
        y : (n,) array_like

        Raises
        ------
        ValueError
            If an array is empty, of another shape or length, or holds NaN, or if a parameter is out of range.
        """
        l1_ratio = check_number("l1_ratio", self.l1_ratio, at_least=0, at_most=1)
        alpha = check_number("alpha", self.alpha, at_least=0)
        X, y, X_mean, y_mean = _centered(X, y, self.fit_intercept)
        l1, l2 = alpha * l1_ratio, alpha * (1 - l1_ratio)
        self.coef_, self.n_iter_, self.dual_gap_ = _descend(X, y, np.zeros(X.shape[1]), l1, l2, self.max_iter, self.tol)
        self.intercept_ = float(y_mean - X_mean @ self.coef_)
        return self

    def predict(self, X):
        """Return Xw + intercept, shape (n,)."""
        return _predict(self, X)


class Lasso(ElasticNet):
    """Least squares with an L1 penalty: minimize ‖y - Xw‖² / (2n) + alpha ‖w‖₁. As `ElasticNet` with l1_ratio 1."""

    def __init__(self, alpha=1.0, *, fit_intercept=True, max_iter=1000, tol=1e-4):
        super().__init__(alpha, l1_ratio=1.0, fit_intercept=fit_intercept, max_iter=max_iter, tol=tol)


def lasso_path(X, y, *, eps=1e-3, n_alphas=100, alphas=None, max_iter=1000, tol=1e-4):
    """The lasso's weights for many alphas, each solution starting from the one before. There is no intercept.

    Parameters
    ----------
    X : (n, d) array_like
    y : (n,) array_like
        Center both first if you want an intercept.
    eps : float in (0, 1)
        The smallest alpha as a share of the largest.
    n_alphas : int, at least 1
    alphas : (k,) array_like, optional
        Above 0. By default `n_alphas` of them in equal ratios, from the smallest at which all weights are zero.
    max_iter, tol
        As in `Lasso`.

    Returns
    -------
    alphas : (k,) ndarray
        Falling.
    coefs : (d, k) ndarray
    dual_gaps : (k,) ndarray

    Raises
    ------
    ValueError
        If an array is empty, of another shape or length, or holds NaN, or if a parameter is out of range.
    """
    X, y, _, _ = _centered(X, y, fit_intercept=False)
    if alphas is None:
        eps = check_number("eps", eps, above=0, below=1)
        largest = np.abs(X.T @ y).max() / len(y)  # from here on l1 outweighs every column's pull at w = 0
        if largest == 0:
            raise ValueError("y must not be zero or orthogonal to every column of X: all weights are zero at any alpha")
        alphas = np.geomspace(largest, largest * eps, check_integer("n_alphas", n_alphas, at_least=1))
    else:
        alphas = np.sort(check_array("alphas", alphas, ndim=1))[::-1]
        check_number("alphas", alphas[-1], above=0)
    w, coefs, gaps = np.zeros(X.shape[1]), [], []
    for alpha in alphas:
        w, _, gap = _descend(X, y, w, alpha, 0.0, max_iter, tol)
        coefs.append(w)
        gaps.append(gap)
    return alphas, np.stack(coefs, axis=1), np.array(gaps)


# --- what the above share --------------------------------------------------------------------------------------------


def _soft(x, threshold):
    return x - np.clip(x, -threshold, threshold)


def _centered(X, y, fit_intercept):
    X, y = check_array("X", X, ndim=2), check_array("y", y, ndim=1)
    check_same_length(X=X, y=y)
    X_mean, y_mean = (X.mean(axis=0), y.mean()) if fit_intercept else (np.zeros(X.shape[1]), 0.0)
    return X - X_mean, y - y_mean, X_mean, y_mean


def _predict(model, X):
    check_fitted(model, "coef_")
    return check_columns("X", X, len(model.coef_)) @ model.coef_ + model.intercept_


def _ridge(X, y, alpha):
    """Solve (X'X + alpha I) w = X'y in the directions of X's singular vectors, where it falls apart.

    Along a direction with singular value s the least-squares weight, (U'y)/s, is shrunk by s^2 / (s^2 + alpha).
    """
    U, s, Vt = np.linalg.svd(X, full_matrices=False)
    kept = s > np.finfo(float).eps * max(X.shape) * s[0]  # along the others X has no extent, only rounding errors
    shrunk = np.zeros_like(s)
    shrunk[kept] = s[kept] / (s[kept] ** 2 + alpha)
    return Vt.T @ (shrunk * (U.T @ y))


def _descend(X, y, w, l1, l2, max_iter, tol):
    """Check the limits, descend, and warn if the sweeps did not suffice."""
    max_iter, tol = check_integer("max_iter", max_iter, at_least=1), check_number("tol", tol, above=0)
    w, sweeps, gap, converged = _coordinate_descent(np.asfortranarray(X), y, w, l1, l2, max_iter, tol)
    if not converged:
        text = f"coordinate descent has not converged in {max_iter} sweeps, duality gap {gap:.3g}"
        warnings.warn(text, stacklevel=3)
    return w, sweeps, gap


def _coordinate_descent(X, y, w, l1, l2, max_iter, tol):
    """Minimize ‖y - Xw‖² / (2n) + l1 ‖w‖₁ + l2 / 2 ‖w‖², one weight at a time, starting at w.

    With the other weights fixed the best w_j has a formula: the correlation of its column with what the others leave
    unexplained, soft-thresholded, then shrunk.
    """
    n, w = len(y), w.copy()
    power = (X**2).mean(axis=0)  # (d,): ‖X_j‖² / n
    rounding = np.finfo(float).eps * np.sqrt(y @ y / n / (power.max() or 1))  # last digit of a weight of ‖y‖ / ‖X_j‖
    r = y - X @ w  # the residual, kept up to date
    for sweep in range(1, max_iter + 1):
        before = w.copy()
        for j in np.flatnonzero(power):
            old, column = w[j], X[:, j]
            z = column @ r / n + power[j] * old  # without power * old, column j's own part would be missing
            w[j] = _soft(z, l1) / (power[j] + l2)
            r += (old - w[j]) * column
        moved = np.abs(w - before).max()
        if moved <= max(tol * np.abs(w).max(), rounding):  # where all weights should be 0, they are rounding errors
            gap = _duality_gap(X, y, w, r, l1, l2)
            if gap <= tol * (y @ y) / n or l1 == 0:  # without l1 the gap says nothing
                return w, sweep, gap, True
    return w, sweep, _duality_gap(X, y, w, r, l1, l2), False


def _duality_gap(X, y, w, r, l1, l2):
    """How far the objective at w can be from its minimum: its value less that of a feasible point of the dual.

    That point is the residual, scaled until no column correlates with it by more than l1; the L2 part counts as rows
    of data.
    """
    n = len(y)
    steepest = np.abs(X.T @ r / n - l2 * w).max()
    scale = min(1, l1 / steepest) if steepest else 1  # how much of the residual is feasible
    primal = (r @ r / n + l2 * (w @ w)) / 2 + l1 * np.abs(w).sum()
    dual = scale * (r @ y) / n - scale**2 * (r @ r / n + l2 * (w @ w)) / 2
    return float(primal - dual)
