"""One linear map, three losses: least squares for numbers, logistic loss for two classes, softmax for several.

Arguments, attributes and the scaling of the objectives follow scikit-learn.

References
----------
Golub, "Numerical methods for solving linear least squares problems", Numerische Mathematik 7 (1965).
Hastie, Tibshirani and Friedman, "The elements of statistical learning" (2009), section 4.4.
"""

import warnings

import numpy as np

from ..validation import check_array, check_columns, check_fitted, check_integer, check_number, check_same_length
from .activations import log_softmax, sigmoid, softmax

# --- a number --------------------------------------------------------------------------------------------------------


class LinearRegression:
    """Least squares: minimize ‖y - Xw - b‖².

    Parameters
    ----------
    fit_intercept : bool
        Whether to fit b as well; else it is 0.

    Attributes
    ----------
    coef_ : (d,) ndarray
    intercept_ : float
    """

    def __init__(self, *, fit_intercept=True):
        self.fit_intercept = fit_intercept

    def fit(self, X, y):
        """Fit the weights. If columns depend on each other, the shortest of the solutions is taken.

        Parameters
        ----------
        X : (n, d) array_like
        y : (n,) array_like

        Raises
        ------
        ValueError
            If an array is empty, of another shape or length, or holds NaN.
        """
        X, y = check_array("X", X, ndim=2), check_array("y", y, ndim=1)
        check_same_length(X=X, y=y)
        X_mean, y_mean = (X.mean(axis=0), y.mean()) if self.fit_intercept else (np.zeros(X.shape[1]), 0.0)
        self.coef_ = _least_squares(X - X_mean, y - y_mean)
        self.intercept_ = float(y_mean - X_mean @ self.coef_)
        return self

    def predict(self, X):
        """Return Xw + b, shape (n,)."""
        check_fitted(self, "coef_")
        return check_columns("X", X, len(self.coef_)) @ self.coef_ + self.intercept_


def _least_squares(X, y):
    """X = QR with orthonormal columns of Q, so ‖y - Xw‖ is smallest where Rw = Q'y. X'X is never formed."""
    Q, R = np.linalg.qr(X)
    size = np.abs(np.diag(R))
    if len(R) < X.shape[1] or size.min() <= 1e-12 * size.max():  # columns that depend on each other
        return np.linalg.lstsq(X, y, rcond=None)[0]
    return np.linalg.solve(R, Q.T @ y)


# --- classes ---------------------------------------------------------------------------------------------------------


class _Classifier:
    """What both classifiers share: minimize C times the summed log-loss plus ‖w‖² / 2, by Newton's method."""

    def __init__(self, C=1.0, max_iter=100, *, fit_intercept=True):
        self.C, self.max_iter, self.fit_intercept = C, max_iter, fit_intercept

    def fit(self, X, y):
        """Fit the weights.

        Parameters
        ----------
        X : (n, d) array_like
        y : (n,) array_like
            The class of each sample: numbers or text.

        Raises
        ------
        ValueError
            If an array is empty, of another shape or length, or holds NaN; if a setting is out of range; if there are
            too few or too many classes.
        """
        X, y = check_array("X", X, ndim=2), _check_labels("y", y)
        check_same_length(X=X, y=y)
        C, max_iter = check_number("C", self.C, above=0), check_integer("max_iter", self.max_iter, at_least=1)
        classes = np.unique(y)
        self._check_classes(classes)
        center = X.mean(axis=0) if self.fit_intercept else np.zeros(X.shape[1])
        inputs = np.column_stack([X - center, np.full(len(X), float(self.fit_intercept))])
        W, self.n_iter_ = self._newton(inputs, y[:, None] == classes, C, max_iter)
        self.classes_, self.coef_ = classes, W[:, :-1]
        self.intercept_ = W[:, -1] * self.fit_intercept - W[:, :-1] @ center
        return self

    def decision_function(self, X):
        """Return the scores Xw + b, one per class, or one in all where there are two classes and one weight vector."""
        check_fitted(self, "coef_")
        scores = check_columns("X", X, self.coef_.shape[1]) @ self.coef_.T + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        """Return the most probable class of each row, shape (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]


class LogisticRegression(_Classifier):
    """Two classes: p(second class | x) = sigmoid(w'x + b).

    Parameters
    ----------
    C : float above 0
        The smaller, the stronger the penalty on w. b is not penalized.
    max_iter : int, at least 1
        Newton steps; if they do not suffice, `fit` warns.
    fit_intercept : bool

    Attributes
    ----------
    classes_ : (2,) ndarray
    coef_ : (1, d) ndarray
    intercept_ : (1,) ndarray
    n_iter_ : int
    """

    def _check_classes(self, classes):
        if len(classes) != 2:
            raise ValueError(f"y must hold 2 classes, got {len(classes)}; SoftmaxRegression takes more")

    def _newton(self, X, members, C, max_iter):
        y, penalty = members[:, 1].astype(float), _penalty(X)

        def loss(w):
            z = X @ w
            return C * (np.logaddexp(0, z) - y * z).sum() + (penalty * w**2).sum() / 2

        def slopes(w):
            return _logistic_slopes(X, y, w, C, penalty)

        w, steps = _minimize(loss, slopes, np.zeros(X.shape[1]), max_iter)
        return w[None], steps

    def predict_proba(self, X):
        """Return the probability of each class, shape (n, 2)."""
        z = self.decision_function(X)
        return np.column_stack([sigmoid(-z), sigmoid(z)])


def _logistic_slopes(X, y, w, C, penalty):
    """Gradient C X'(p - y) + w and Hessian C X' diag(p (1 - p)) X + I of the penalized logistic loss."""
    p = sigmoid(X @ w)
    gradient = C * X.T @ (p - y) + penalty * w
    hessian = C * (X.T * (p * (1 - p))) @ X + np.diag(penalty)
    return gradient, hessian


class SoftmaxRegression(_Classifier):
    """Two classes or more: p(c | x) = softmax(Wx + b)_c. As scikit-learn's LogisticRegression on three or more.

    Parameters
    ----------
    C : float above 0
        The smaller, the stronger the penalty on W. b is not penalized.
    max_iter : int, at least 1
        Newton steps; if they do not suffice, `fit` warns.
    fit_intercept : bool

    Attributes
    ----------
    classes_ : (k,) ndarray
    coef_ : (k, d) ndarray
    intercept_ : (k,) ndarray
        They add up to 0: a constant added to all changes nothing.
    n_iter_ : int
    """

    def _check_classes(self, classes):
        if len(classes) < 2:
            raise ValueError("y must hold 2 classes or more, got 1")

    def _newton(self, X, members, C, max_iter):
        k, d = members.shape[1], X.shape[1]
        penalty = _penalty(X)

        def loss(w):
            W = w.reshape(k, d)
            return -C * log_softmax(X @ W.T)[members].sum() + (penalty * W**2).sum() / 2

        def slopes(w):
            return _softmax_slopes(X, members, w.reshape(k, d), C, penalty)

        w, steps = _minimize(loss, slopes, np.zeros(k * d), max_iter)
        return w.reshape(k, d), steps

    def fit(self, X, y):
        super().fit(X, y)
        if self.fit_intercept:
            self.intercept_ = self.intercept_ - self.intercept_.mean()
        return self

    fit.__doc__ = _Classifier.fit.__doc__

    def predict_proba(self, X):
        """Return the probability of each class, shape (n, k)."""
        return softmax(self.decision_function(X))


def _softmax_slopes(X, members, W, C, penalty):
    """Gradient and Hessian, whose block of classes a and b is C X' diag(p_a (1[a = b] - p_b)) X."""
    k, d = W.shape
    p = softmax(X @ W.T)
    gradient = C * (p - members).T @ X + penalty * W
    hessian = np.zeros((k, d, k, d))
    for a in range(k):
        for b in range(a, k):
            curvature = p[:, a] * ((a == b) - p[:, b])
            hessian[a, :, b] = hessian[b, :, a] = C * (X.T * curvature) @ X
        hessian[a, :, a] += np.diag(penalty)
    hessian[:, -1, :, -1] += 1  # the loss is flat if all b move together: this pins them and changes no step
    return gradient.ravel(), hessian.reshape(k * d, k * d)


def _penalty(X):
    """1 for each weight and 0 for b; without an intercept its column is 0, and the penalty keeps b at 0."""
    return np.r_[np.ones(X.shape[1] - 1), float(not X[:, -1].any())]


def _minimize(loss, slopes, w, max_iter):
    """Newton's method: solve Hessian step = gradient; halve a step that lowers the loss too little (Armijo)."""
    value = loss(w)
    for n_iter in range(1, max_iter + 1):
        gradient, hessian = slopes(w)
        step = np.linalg.solve(hessian, gradient)
        decrement = gradient @ step
        share = 1.0
        while (new := loss(w - share * step)) > value - 1e-4 * share * decrement and share > 1e-10:
            share /= 2
        if new > value or decrement <= 1e-14 * max(1.0, abs(value)):  # rounding alone is left
            return w - share * step * (new <= value), n_iter
        w, value = w - share * step, new
    warnings.warn(f"max_iter={max_iter} steps did not suffice; allow more", RuntimeWarning, stacklevel=4)
    return w, max_iter


# --- how far off -----------------------------------------------------------------------------------------------------


def mean_squared_error(y_true, y_pred):
    """Mean of the squared errors, in the square of the target's unit.

    Parameters
    ----------
    y_true, y_pred : (n,) array_like

    Raises
    ------
    ValueError
        If an array is empty, of another shape or length, or holds NaN. This holds for all errors here.
    """
    y_true, y_pred = _pair(y_true, y_pred)
    return float(((y_true - y_pred) ** 2).mean())


def mean_absolute_error(y_true, y_pred):
    """Mean size of the errors, in the target's unit. As `mean_squared_error`."""
    y_true, y_pred = _pair(y_true, y_pred)
    return float(np.abs(y_true - y_pred).mean())


def r2_score(y_true, y_pred):
    """1 minus the squared errors over those of the best constant: 1 is perfect, 0 no better than the mean.

    It may be negative. A constant target gives 1 if it is met, else 0, as in scikit-learn. At least two samples.
    """
    y_true, y_pred = _pair(y_true, y_pred)
    if len(y_true) < 2:
        raise ValueError("y_true must hold at least 2 samples")
    errors, spread = ((y_true - y_pred) ** 2).sum(), ((y_true - y_true.mean()) ** 2).sum()
    if spread == 0:
        return float(errors == 0)
    return float(1 - errors / spread)


def log_loss(y_true, y_prob, labels=None):
    """Mean of minus the logarithm of the probability that the true class was given.

    Parameters
    ----------
    y_true : (n,) array_like
        Classes.
    y_prob : (n,) or (n, k) array_like in [0, 1]
        Probability of the second class, or of each class in sorted order. Clipped away from 0 by 2e-16.
    labels : array_like, optional
        All classes; by default those of y_true.

    Raises
    ------
    ValueError
        As `mean_squared_error`; if probabilities lie outside [0, 1], do not add up to 1 or do not fit the classes.
    """
    y_true, p = _check_labels("y_true", y_true), check_array("y_prob", y_prob, ndim=(1, 2))
    check_same_length(y_true=y_true, y_prob=p)
    classes = np.unique(y_true if labels is None else _check_labels("labels", labels))
    if len(classes) < 2 or not np.isin(y_true, classes).all():
        raise ValueError("labels must name at least 2 classes, those of y_true among them")
    p = np.column_stack([1 - p, p]) if p.ndim == 1 else p
    if p.shape[1] != len(classes):
        raise ValueError(f"y_prob must have a column for each of the {len(classes)} classes, got shape {p.shape}")
    if (p < 0).any() or (p > 1).any() or not np.allclose(p.sum(axis=1), 1):
        raise ValueError("y_prob must hold probabilities that add up to 1")
    tiny = np.finfo(float).eps
    return float(-np.log(np.clip(p, tiny, 1 - tiny)[y_true[:, None] == classes]).mean())


def _pair(y_true, y_pred):
    y_true, y_pred = check_array("y_true", y_true, ndim=1), check_array("y_pred", y_pred, ndim=1)
    check_same_length(y_true=y_true, y_pred=y_pred)
    return y_true, y_pred


def _check_labels(name, labels):
    try:
        labels = np.asarray(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be a list of classes: {error}") from None
    if labels.ndim != 1 or labels.dtype.kind not in "biufU" or len(labels) == 0:
        kind = f"{labels.dtype} of shape {labels.shape}"
        raise ValueError(f"{name} must be a list of classes, numbers or text; got {kind}")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return labels
