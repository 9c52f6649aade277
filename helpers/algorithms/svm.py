"""Support vector machines: the dual solved by SMO, the primal by stochastic subgradients, several classes by voting.

Names and learned attributes follow scikit-learn. In the two-class functions y is -1 or 1.

References
----------
Cortes and Vapnik, "Support-vector networks", Machine Learning 20 (1995).
Platt, "Sequential minimal optimization: a fast algorithm for training support vector machines", MSR-TR-98-14 (1998).
Fan, Chen and Lin, "Working set selection using second order information for training support vector machines",
JMLR 6 (2005).
Shalev-Shwartz, Singer, Srebro and Cotter, "Pegasos: primal estimated sub-gradient solver for SVM",
Mathematical Programming 127 (2011).
"""

import warnings
from copy import deepcopy
from itertools import combinations

import numpy as np

from ..validation import (
    check_array,
    check_choice,
    check_columns,
    check_fitted,
    check_integer,
    check_number,
    check_same_length,
)

TAU = 1e-12  # stands for a curvature that is not positive, as in Fan, Chen and Lin
FIRST = 10.0  # how far Pegasos's first step may move a decision value; the street reaches from -1 to 1

# --- loss and margin -------------------------------------------------------------------------------------------------


def hinge_loss(y, scores):
    """Mean of max(0, 1 - y f(x)): zero for a sample on the right side and outside the street.

    Parameters
    ----------
    y : (n,) array_like of {-1, 1}
    scores : (n,) array_like
        Decision values f(x).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an array is empty, not one-dimensional, of another length or holds NaN, or y holds another class.
    """
    y, scores = _signs(y), check_array("scores", scores, ndim=1)
    check_same_length(y=y, scores=scores)
    return float(np.maximum(0, 1 - y * scores).mean())


def geometric_margin(w, b, X, y):
    """Distance of the nearest sample to the hyperplane w x + b = 0; negative if one lies on the wrong side.

    Parameters
    ----------
    w : (d,) array_like
    b : float
    X : (n, d) array_like
    y : (n,) array_like of {-1, 1}

    Returns
    -------
    float
        min y (w x + b) / ‖w‖, in the unit of X.

    Raises
    ------
    ValueError
        If w is zero, or the shapes do not belong together.
    """
    w, b, y = check_array("w", w, ndim=1), check_number("b", b), _signs(y)
    X = check_array("X", X, ndim=2)
    check_same_length(X=X, y=y)
    if X.shape[1] != len(w):
        raise ValueError(f"w must hold one weight per column of X, {X.shape[1]}, got {len(w)}")
    if not w.any():
        raise ValueError("w must not be zero: it has no direction")
    return float((y * (X @ w + b)).min() / np.linalg.norm(w))


# --- kernels ---------------------------------------------------------------------------------------------------------


def kernel_matrix(X, Z, kernel="rbf", gamma=1.0, degree=3, coef0=0.0):
    """Inner products, in the kernel's feature space, of each row of X with each row of Z.

    linear: x z.  poly: (gamma x z + coef0)^degree.  rbf: exp(-gamma ‖x - z‖²).

    Parameters
    ----------
    X : (n, d) array_like
    Z : (m, d) array_like
    kernel : {"linear", "rbf", "poly"}
    gamma, degree, coef0 : float above 0, int above 0, float

    Returns
    -------
    (n, m) ndarray
    """
    X = check_array("X", X, ndim=2)
    Z = check_columns("Z", Z, X.shape[1])
    check_choice("kernel", kernel, ("linear", "rbf", "poly"))
    gamma, degree = check_number("gamma", gamma, above=0), check_integer("degree", degree, at_least=1)
    return _kernel(X, Z, kernel, gamma, degree, check_number("coef0", coef0))


def _kernel(X, Z, kernel, gamma, degree, coef0):
    if kernel == "linear":
        return X @ Z.T
    if kernel == "poly":
        return (gamma * X @ Z.T + coef0) ** degree
    center = Z.mean(axis=0)  # distances do not change, and around 0 fewer digits cancel
    X, Z = X - center, Z - center
    squared = (X**2).sum(axis=1)[:, None] + (Z**2).sum(axis=1) - 2 * X @ Z.T  # (n, m): ‖x - z‖²
    return np.exp(-gamma * np.maximum(squared, 0))  # rounding can push a zero below


# --- the dual --------------------------------------------------------------------------------------------------------


def smo(K, y, C, tol=1e-3, max_iter=-1, beta=None):
    """Solve the SVM's dual two variables at a time, the pair chosen by second-order information.

    With beta = y alpha the dual reads: maximize sum |beta| - beta K beta / 2, where beta sums to 0 and each y beta lies
    in [0, C]. The residual e = y - K beta is the dual's gradient: moving weight t from j to i gains t (e_i - e_j) to
    first order and costs t^2 (K_ii + K_jj - 2 K_ij) / 2. So i has the largest e that may still grow, and j promises the
    largest gain from a full step. At the optimum no e that may grow exceeds one that may shrink.

    Parameters
    ----------
    K : (n, n) array_like
        Kernel matrix of the samples.
    y : (n,) array_like of {-1, 1}
        Of both classes.
    C : float above 0
    tol : float above 0
        Stop when the largest violation e_i - e_j is at most this.
    max_iter : int
        Steps at most; -1 for no limit.
    beta : (n,) array_like, optional
        Where to start: it must sum to 0, and each y beta lie in [0, C]. Zeros by default.

    Returns
    -------
    beta : (n,) ndarray
    e : (n,) ndarray
        Residuals y - K beta.
    n_iter : int
        Steps taken. The result has converged if this is below max_iter.

    Raises
    ------
    ValueError
        If an array is empty, holds NaN or has the wrong shape, y does not hold both classes, `beta` is no place to
        start from, or a number is out of range.
    """
    y, C, tol = _signs(y), check_number("C", C, above=0), check_number("tol", tol, above=0)
    K, max_iter = check_columns("K", K, len(y)), check_integer("max_iter", max_iter, at_least=-1)
    check_same_length(K=K, y=y)
    if (y == y[0]).all():
        raise ValueError("y must hold both classes")
    if beta is None:
        return _smo(K, y, C, tol, max_iter, np.zeros(len(y)))
    beta = _weights("beta", beta, y, C)
    if abs(beta.sum()) > 1e-9 * C * len(y):
        raise ValueError(f"beta must sum to 0, got {beta.sum():g}")
    return _smo(K, y, C, tol, max_iter, beta)


def _smo(K, y, C, tol, max_iter, beta):
    low, high = np.minimum(0, C * y), np.maximum(0, C * y)  # (n,): the bounds of beta
    beta, e = beta.copy(), y - K @ beta
    diagonal = K.diagonal()
    curvature = np.maximum(diagonal[:, None] + diagonal - 2 * K, TAU)  # of every pair: ‖phi(x_i) - phi(x_j)‖²
    full = np.where(beta == high, -np.inf, 0.0)  # added to e, it rules out who may not grow
    empty = np.where(beta == low, -np.inf, 0.0)  # who may not shrink
    n_iter = 0
    while n_iter != max_iter:
        i = (e + full).argmax()
        violation = e[i] - e + empty  # what the first unit of weight would gain, taken from each j
        if violation.max() <= tol:
            break
        j = (np.maximum(violation, 0) ** 2 / curvature[i]).argmax()  # twice what a full step would gain
        room_i, room_j = high[i] - beta[i], beta[j] - low[j]
        step = min(violation[j] / curvature[i, j], room_i, room_j)
        beta[i] = high[i] if step == room_i else beta[i] + step  # exactly on its bound, not a rounding error beside
        beta[j] = low[j] if step == room_j else beta[j] - step
        for t in (i, j):
            full[t] = -np.inf if beta[t] == high[t] else 0
            empty[t] = -np.inf if beta[t] == low[t] else 0
        e -= step * (K[i] - K[j])
        n_iter += 1
    return beta, e, n_iter


def intercept(beta, e, y, C):
    """The b at which the samples strictly between the bounds lie on the margin; without any, the middle of its range.

    Parameters
    ----------
    beta, e : (n,) array_like
        From `smo`.
    y : (n,) array_like of {-1, 1}
        Of both classes.
    C : float above 0

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an array is empty, holds NaN or has the wrong shape, a y beta lies outside [0, C], or no weight can grow or
        none can shrink.
    """
    y, C = _signs(y), check_number("C", C, above=0)
    beta, e = _weights("beta", beta, y, C), check_array("e", e, ndim=1)
    check_same_length(e=e, y=y)
    if (beta == np.maximum(0, C * y)).all() or (beta == np.minimum(0, C * y)).all():
        raise ValueError("y must hold both classes: with one alone b has no bound on one side")
    return _intercept(beta, e, y, C)


def _intercept(beta, e, y, C):
    free = (beta != 0) & (np.abs(beta) != C)
    if free.any():
        return float(e[free].mean())  # y f = 1 there, so b = y - K beta = e
    low, high = np.minimum(0, C * y), np.maximum(0, C * y)
    return float((e[beta < high].max() + e[beta > low].min()) / 2)


def objectives(beta, e, y, C, b):
    """Primal and dual objective. They are equal at the optimum only; otherwise the optimum lies between them.

    primal: w w / 2 + C sum max(0, 1 - y f).  dual: sum |beta| - beta K beta / 2.

    Parameters
    ----------
    beta, e, y, C
        As in `intercept`.
    b : float

    Returns
    -------
    primal, dual : float

    Raises
    ------
    ValueError
        If an array is empty, holds NaN or has the wrong shape, a y beta lies outside [0, C], or a number is not finite.
    """
    y, C = _signs(y), check_number("C", C, above=0)
    beta, e = _weights("beta", beta, y, C), check_array("e", e, ndim=1)
    check_same_length(e=e, y=y)
    return _objectives(beta, e, y, C, check_number("b", b))


def _objectives(beta, e, y, C, b):
    f = y - e  # K beta: the decision values without b
    squared_norm = beta @ f  # w w = beta K beta
    slack = np.maximum(0, 1 - y * (f + b))
    return float(squared_norm / 2 + C * slack.sum()), float(np.abs(beta).sum() - squared_norm / 2)


class SVC:
    """Soft-margin support vector classifier for two classes, solved by SMO.

    Parameters
    ----------
    C : float above 0
        Penalty per unit of slack. Small: a wide street with samples in it. Large: towards the hard margin.
    kernel : {"linear", "rbf", "poly"}
    gamma : {"scale", "auto"} or float above 0
        Of rbf and poly. "scale" is 1 / (d var(X)), "auto" is 1 / d.
    degree : int
    coef0 : float
    tol : float
        Largest violation of the optimality conditions allowed.
    max_iter : int
        Steps of SMO at most; -1 for no limit.

    Attributes
    ----------
    classes_ : (2,) ndarray
        The second one is the positive class.
    support_ : (s,) ndarray of int
        Rows of the support vectors in X, those of the first class first.
    support_vectors_ : (s, d) ndarray
    dual_coef_ : (1, s) ndarray
        y alpha of the support vectors.
    coef_ : (1, d) ndarray
        The weights w; with the linear kernel only.
    intercept_ : (1,) ndarray
    n_iter_ : (1,) ndarray of int
    primal_objective_, dual_objective_ : float
        Their difference, the duality gap, bounds how far from the optimum the solution is.
    """

    def __init__(self, C=1.0, kernel="rbf", gamma="scale", degree=3, coef0=0.0, tol=1e-3, max_iter=-1):
        self.C, self.kernel, self.gamma, self.degree = C, kernel, gamma, degree
        self.coef0, self.tol, self.max_iter = coef0, tol, max_iter

    def fit(self, X, y):
        """Learn from the samples X, (n, d), and their classes y, (n,); two different numbers. Returns self.

        Raises
        ------
        ValueError
            If X or y holds NaN or has the wrong shape, y does not hold two classes, or a parameter is out of range.
        """
        C, tol = check_number("C", self.C, above=0), check_number("tol", self.tol, above=0)
        max_iter = check_integer("max_iter", self.max_iter, at_least=-1)
        X, signs, self.classes_ = _two_classes(X, y)
        gamma = _gamma(self.gamma, X)
        K = kernel_matrix(X, X, self.kernel, gamma, self.degree, self.coef0)
        self._kernel = (self.kernel, gamma, self.degree, self.coef0)
        if self._solve(X, K, signs, C, tol, max_iter) == max_iter:
            warnings.warn(f"max_iter={max_iter} steps were not enough", RuntimeWarning, stacklevel=2)
        return self

    def _solve(self, X, K, y, C, tol, max_iter):
        beta, e, n_iter = _smo(K, y, C, tol, max_iter, np.zeros(len(y)))
        b = _intercept(beta, e, y, C)
        self.primal_objective_, self.dual_objective_ = _objectives(beta, e, y, C, b)
        support = np.flatnonzero(beta)
        self.support_ = support[np.argsort(y[support], kind="stable")]  # the first class first
        self.support_vectors_ = X[self.support_]
        self.dual_coef_ = beta[None, self.support_]
        self.intercept_, self.n_iter_ = np.array([b]), np.array([n_iter])
        if self.kernel == "linear":
            self.coef_ = self.dual_coef_ @ self.support_vectors_  # w = sum of y alpha x
        return n_iter

    def decision_function(self, X):
        """Signed values f(x), (n,): positive for the second class, 1 and -1 on the edges of the street."""
        check_fitted(self, "support_vectors_")
        X = check_columns("X", X, self.support_vectors_.shape[1])
        return _kernel(X, self.support_vectors_, *self._kernel) @ self.dual_coef_[0] + self.intercept_

    def predict(self, X):
        """The class of each sample, (n,)."""
        positive = self.decision_function(X) > 0
        return self.classes_[positive.astype(int)]


# --- the primal ------------------------------------------------------------------------------------------------------


class LinearSVMPrimal:
    """Linear SVM by Pegasos: stochastic subgradient steps on lambda ‖w‖² / 2 + mean hinge loss, lambda = 1 / (n C).

    The step at time t is 1 / (lambda (t + t0)). Three changes tame the bias, which is not penalized, as in `SVC`: the
    columns are centered; t0 = mean ‖(x, 1)‖² / (10 lambda), so that the first steps move the decision value of an
    average sample by at most about 10 (without t0 it would be mean ‖(x, 1)‖² / lambda); and the result is the mean of
    the second half of the path.

    Parameters
    ----------
    C : float above 0
        As in `SVC`: the two objectives differ by the factor n C.
    batch_size : int
        Samples per step.
    max_iter : int
        Steps, at least 2.
    random_state : int

    Attributes
    ----------
    classes_ : (2,) ndarray
    coef_ : (1, d) ndarray
    intercept_ : (1,) ndarray
    """

    def __init__(self, C=1.0, batch_size=32, max_iter=20_000, random_state=0):
        self.C, self.batch_size, self.max_iter, self.random_state = C, batch_size, max_iter, random_state

    def fit(self, X, y):
        """Learn from X, (n, d), and y, (n,), as in `SVC.fit`. Returns self."""
        C = check_number("C", self.C, above=0)
        max_iter = check_integer("max_iter", self.max_iter, at_least=2)
        batch_size = check_integer("batch_size", self.batch_size, at_least=1)
        random_state = check_integer("random_state", self.random_state, at_least=0)
        X, signs, self.classes_ = _two_classes(X, y)
        center = X.mean(axis=0)
        w, b = _pegasos(X - center, signs, C, batch_size, max_iter, np.random.default_rng(random_state))
        self.coef_, self.intercept_ = w[None], np.array([b - w @ center])
        return self

    def decision_function(self, X):
        """Signed values w x + b, (n,)."""
        check_fitted(self, "coef_")
        return check_columns("X", X, self.coef_.shape[1]) @ self.coef_[0] + self.intercept_

    def predict(self, X):
        """The class of each sample, (n,)."""
        positive = self.decision_function(X) > 0
        return self.classes_[positive.astype(int)]


def _pegasos(X, y, C, batch_size, max_iter, rng):
    """Weights and bias; the columns of X have mean 0."""
    n, d = X.shape
    yx = y[:, None] * np.column_stack([X, np.ones(n)])  # y (x, 1): with the bias as last weight, y f(x) is one product
    penalty = 1 / (n * C) * np.r_[np.ones(d), 0]  # lambda, and none on the bias
    t0 = (yx**2).sum(axis=1).mean() * n * C / FIRST
    w, total = np.zeros(d + 1), np.zeros(d + 1)
    for t, batch in enumerate(rng.integers(n, size=(max_iter, batch_size)), start=1):
        inside = yx[batch] @ w < 1  # on the street, or on its wrong side: only these push
        slope = penalty * w - inside @ yx[batch] / batch_size
        w = w - slope * n * C / (t + t0)
        if 2 * t > max_iter:
            total += w
    w = total / (max_iter - max_iter // 2)
    return w[:-1], w[-1]


# --- more than two classes -------------------------------------------------------------------------------------------


class _ByColumns:
    """Many two-class models, whose decision values come as one column per class; the largest wins."""

    def __init__(self, estimator):
        self.estimator = estimator

    def predict(self, X):
        """The class of each sample, (n,)."""
        winner = self.decision_function(X).argmax(axis=1)
        return self.classes_[winner]


class OneVsRest(_ByColumns):
    """k classes by k two-class models, each one class against all others; the largest decision value wins.

    Parameters
    ----------
    estimator : object with fit and decision_function
        For example `SVC()`; it is copied, not changed.

    Attributes
    ----------
    classes_ : (k,) ndarray
    estimators_ : list of k fitted estimators
    """

    def fit(self, X, y):
        """Learn from X, (n, d), and y, (n,), two classes or more. Returns self."""
        X, self.classes_, which = _samples(X, y)
        self.estimators_ = [deepcopy(self.estimator).fit(X, which == c) for c in range(len(self.classes_))]
        return self

    def decision_function(self, X):
        """Decision values, (n, k): one column per class."""
        check_fitted(self, "estimators_")
        return np.column_stack([estimator.decision_function(X) for estimator in self.estimators_])


class OneVsOne(_ByColumns):
    """k classes by k (k - 1) / 2 two-class models, one per pair; most votes win.

    Among equal votes the larger sum of decision values wins. It is squeezed into less than a third, as in
    scikit-learn's OneVsOneClassifier, so that it never outweighs a vote.

    Parameters
    ----------
    estimator : object with fit and decision_function
        For example `SVC()`; it is copied, not changed.

    Attributes
    ----------
    classes_ : (k,) ndarray
    pairs_ : list of (int, int)
        Positions in `classes_`, the negative class of the model first.
    estimators_ : list of fitted estimators, one per pair
    """

    def fit(self, X, y):
        """Learn from X, (n, d), and y, (n,), two classes or more. Returns self."""
        X, self.classes_, which = _samples(X, y)
        self.pairs_ = list(combinations(range(len(self.classes_)), 2))
        self.estimators_ = []
        for pair in self.pairs_:
            ours = np.isin(which, pair)
            self.estimators_.append(deepcopy(self.estimator).fit(X[ours], which[ours]))
        return self

    def decision_function(self, X):
        """Votes plus squeezed sums of decision values, (n, k)."""
        check_fitted(self, "estimators_")
        X = check_array("X", X, ndim=2)
        votes, sums = np.zeros((2, len(X), len(self.classes_)))
        for (negative, positive), estimator in zip(self.pairs_, self.estimators_, strict=True):
            value = estimator.decision_function(X)
            votes[:, positive] += value > 0
            votes[:, negative] += value <= 0
            sums[:, positive] += value
            sums[:, negative] -= value
        return votes + sums / (3 * (np.abs(sums) + 1))


# --- what the above share --------------------------------------------------------------------------------------------


def _signs(y):
    y = check_array("y", y, ndim=1)
    if not np.isin(y, (-1, 1)).all():
        raise ValueError("y must hold -1 and 1; turn classes 0 and 1 into 2 * y - 1 first")
    return y


def _samples(X, y):
    """Check X and y; return X, the classes, and which class each sample has."""
    X, y = check_array("X", X, ndim=2), check_array("y", y, ndim=1)
    check_same_length(X=X, y=y)
    classes, which = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y must hold at least two classes, got only {classes[0]:g}")
    return X, classes, which


def _two_classes(X, y):
    """Check X and y; return X, the classes as signs, and the classes."""
    X, classes, which = _samples(X, y)
    if len(classes) != 2:
        raise ValueError(f"y must hold two classes, got {len(classes)}; use OneVsRest or OneVsOne for more")
    return X, 2.0 * which - 1, classes


def _weights(name, beta, y, C):
    """Check that each y beta lies in [0, C]; rounding errors beyond are cut off."""
    beta = check_array(name, beta, ndim=1)
    check_same_length(**{name: beta, "y": y})
    alpha = y * beta
    if alpha.min() < -1e-9 * C or alpha.max() > (1 + 1e-9) * C:
        raise ValueError(f"{name} must keep y times {name} between 0 and C = {C:g}")
    return y * np.clip(alpha, 0, C)


def _gamma(gamma, X):
    if isinstance(gamma, str):
        check_choice("gamma", gamma, ("scale", "auto"))
        spread = X.var() if gamma == "scale" else 1.0
        return 1 / (X.shape[1] * spread) if spread else 1.0
    return check_number("gamma", gamma, above=0)
