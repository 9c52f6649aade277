"""Naive Bayes: one small model per class and feature, put together by Bayes' rule, in logarithms throughout.

Arguments and attributes follow scikit-learn.

References
----------
Manning, Raghavan and Schütze, "Introduction to information retrieval" (2008), chapter 13.
Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
"""

import numpy as np

from ..validation import check_array, check_columns, check_fitted, check_number, check_same_length


class _NaiveBayes:
    """What the three have in common: Bayes' rule. Each adds what it counts and how likely that makes a sample."""

    def fit(self, X, y):
        """Learn from these samples alone.

        Parameters
        ----------
        X : (n, d) array_like
        y : (n,) array_like
            The class of each sample: numbers or text.

        Raises
        ------
        ValueError
            If an array is empty, of another shape or length, or holds NaN; if a setting is out of range.
        """
        classes = np.unique(_check_labels("y", y))
        return self._learn(X, y, classes, anew=True)

    def partial_fit(self, X, y, classes=None):
        """Learn from some more samples.

        Parameters
        ----------
        X : (n, d) array_like
        y : (n,) array_like
        classes : array_like, optional
            All classes that will ever come. The first call needs them, because a batch may lack some.

        Raises
        ------
        ValueError
            As `fit`; if the first call names no classes, or a later one names others; if y holds an unknown class.
        """
        anew = not hasattr(self, "classes_")
        if classes is not None:
            classes = np.unique(_check_labels("classes", classes))
        elif anew:
            raise ValueError("classes must be given in the first call of partial_fit")
        if not anew and classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(f"classes must be those of the first call, {self.classes_}; got {classes}")
        return self._learn(X, y, classes if anew else self.classes_, anew)

    def predict(self, X):
        """Return the class with the largest posterior of each row, shape (n,); a tie goes to the first."""
        best = self._joint(X).argmax(axis=1)
        return self.classes_[best]

    def predict_log_proba(self, X):
        """Return the logarithm of each class's posterior, shape (n, k). A row that every class rules out is NaN."""
        return _normalized(self._joint(X))

    def predict_proba(self, X):
        """Return each class's posterior, shape (n, k): rows add up to 1."""
        return np.exp(self.predict_log_proba(X))

    def _learn(self, X, y, classes, anew):
        """Check everything before anything is changed."""
        X, y = self._check_samples(check_array("X", X, ndim=2)), _check_labels("y", y)
        check_same_length(X=X, y=y)
        if not anew:
            check_columns("X", X, self._columns)
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise ValueError(f"y holds {unknown[0]!r}, which is none of the classes {classes}")
        self._check_settings(len(classes), X.shape[1])
        if anew:
            self.classes_, self._columns = classes, X.shape[1]
            self.class_count_ = np.zeros(len(classes))
        self._count(X, y[:, None] == classes, anew)
        return self

    def _joint(self, X):
        check_fitted(self, "classes_")
        return self._joint_log_likelihood(self._check_samples(check_columns("X", X, self._columns)))

    def _check_samples(self, X):
        return X


def _normalized(joint):
    """log p(c | x) = log p(x, c) - log sum over c of p(x, c). The largest is taken out first: exp(-800) would be 0."""
    top = joint.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # -inf - -inf: no class allows this row
        shifted = joint - top
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


# --- measurements ----------------------------------------------------------------------------------------------------


class GaussianNB(_NaiveBayes):
    """Within a class every feature is normal, with a mean and a variance of its own.

    Parameters
    ----------
    priors : (k,) array_like, optional
        How frequent each class is, before anything is seen; by default as in the samples.
    var_smoothing : float, at least 0
        This share of the largest variance of any feature is added to every variance.

    Attributes
    ----------
    classes_ : (k,) ndarray
    class_count_, class_prior_ : (k,) ndarray
    theta_, var_ : (k, d) ndarray
        Means and variances, in the unit of the feature and its square.
    epsilon_ : float
        What the last batch adds to the variances. After several batches they carry the mean of the batches' values,
        weighted by counts; scikit-learn does the same.
    """

    def __init__(self, *, priors=None, var_smoothing=1e-9):
        self.priors, self.var_smoothing = priors, var_smoothing

    def _check_settings(self, k, d):
        check_number("var_smoothing", self.var_smoothing, at_least=0)
        if self.priors is not None:
            _check_priors("priors", self.priors, k)

    def _count(self, X, members, anew):
        """Merge the means and variances of this batch with what is known; `members` is (n, k), true or false."""
        self.epsilon_ = float(self.var_smoothing * X.var(axis=0).max())
        if anew:
            self.theta_, self.var_ = np.zeros((2, len(self.classes_), X.shape[1]))
        else:
            self.var_ = self.var_ - self.epsilon_
        for c, member in enumerate(members.T):
            old, new = self.class_count_[c], member.sum()
            if new:
                mean, var, n = X[member].mean(axis=0), X[member].var(axis=0), old + new
                gap = mean - self.theta_[c]
                self.theta_[c] += gap * new / n
                self.var_[c] = (old * self.var_[c] + new * var + gap**2 * old * new / n) / n  # within, and between
                self.class_count_[c] = n
        self.var_ += self.epsilon_
        shares = self.class_count_ / self.class_count_.sum()
        self.class_prior_ = shares if self.priors is None else np.array(self.priors, dtype=float)

    def _joint_log_likelihood(self, X):
        """log p(c) + sum over j of log N(x_j; theta_cj, var_cj), shape (n, k)."""
        if not (self.var_ > 0).all():
            raise ValueError("var_smoothing must be larger: a feature does not vary within a class, its variance is 0")
        columns = []
        for prior, mean, var in zip(_log(self.class_prior_), self.theta_, self.var_, strict=True):
            constant = prior - 0.5 * np.log(2 * np.pi * var).sum()
            columns.append(constant - 0.5 * ((X - mean) ** 2 / var).sum(axis=1))
        return np.column_stack(columns)


# --- counts ----------------------------------------------------------------------------------------------------------


class _Counting(_NaiveBayes):
    """What the two models of counts share: alpha and the prior."""

    def _check_settings(self, k, d):
        alpha = check_array("alpha", self.alpha, ndim=(0, 1))
        if (alpha < 0).any() or alpha.shape not in ((), (d,)):
            raise ValueError(f"alpha must be one number of at least 0, or one per feature ({d}); got {self.alpha!r}")
        if self.class_prior is not None:
            _check_priors("class_prior", self.class_prior, k)

    def _count(self, X, members, anew):
        if anew:
            self.feature_count_ = np.zeros((len(self.classes_), X.shape[1]))
        self.class_count_ = self.class_count_ + members.sum(axis=0)
        self.feature_count_ = self.feature_count_ + members.T.astype(float) @ X
        prior = np.full(len(self.classes_), 1 / len(self.classes_))
        if self.class_prior is not None:
            prior = np.array(self.class_prior, dtype=float)
        elif self.fit_prior:
            prior = self.class_count_ / self.class_count_.sum()
        self.class_log_prior_ = _log(prior)
        self._estimate(np.asarray(self.alpha, dtype=float))


class MultinomialNB(_Counting):
    """A sample is a bag of draws: x_j says how often feature j was drawn.

    Parameters
    ----------
    alpha : float or (d,) array_like, at least 0
        Draws of each feature that every class is thought to have seen beforehand.
    fit_prior : bool
        Whether classes are as frequent as in the samples; else all are alike.
    class_prior : (k,) array_like, optional

    Attributes
    ----------
    classes_, class_count_, class_log_prior_ : (k,) ndarray
    feature_count_, feature_log_prob_ : (k, d) ndarray
        exp of a row of the second adds up to 1.
    """

    def __init__(self, *, alpha=1.0, fit_prior=True, class_prior=None):
        self.alpha, self.fit_prior, self.class_prior = alpha, fit_prior, class_prior

    def _check_samples(self, X):
        if (X < 0).any():
            raise ValueError("X must hold counts of at least 0")
        return X

    def _estimate(self, alpha):
        counts = self.feature_count_ + alpha
        with np.errstate(invalid="ignore"):  # alpha 0 and a class without any draw: 0 / 0
            self.feature_log_prob_ = _log(np.nan_to_num(counts / counts.sum(axis=1, keepdims=True)))

    def _joint_log_likelihood(self, X):
        """log p(c) + sum over j of x_j log p_cj; the multinomial coefficient is the same for every class."""
        return self.class_log_prior_ + _weighted(X, self.feature_log_prob_)


class BernoulliNB(_Counting):
    """Every feature is there or not; that it is not there counts as well.

    Parameters
    ----------
    alpha : float or (d,) array_like, at least 0
        Samples with the feature, and as many without it, that every class is thought to have seen beforehand.
    binarize : float or None
        A feature is there if it is above this number. None: X holds 0 and 1 already.
    fit_prior : bool
    class_prior : (k,) array_like, optional

    Attributes
    ----------
    classes_, class_count_, class_log_prior_ : (k,) ndarray
    feature_count_, feature_log_prob_ : (k, d) ndarray
        How many samples of a class have the feature, and the logarithm of the estimated share.
    """

    def __init__(self, *, alpha=1.0, binarize=0.0, fit_prior=True, class_prior=None):
        self.alpha, self.binarize, self.fit_prior, self.class_prior = alpha, binarize, fit_prior, class_prior

    def _check_samples(self, X):
        if self.binarize is not None:
            threshold = check_number("binarize", self.binarize)
            return (threshold < X).astype(float)
        if not np.isin(X, (0, 1)).all():
            raise ValueError("X must hold 0 and 1 alone if binarize is None")
        return X

    def _estimate(self, alpha):
        there = self.feature_count_ + alpha
        absent = self.class_count_[:, None] - self.feature_count_ + alpha
        with np.errstate(invalid="ignore"):
            self.feature_log_prob_ = _log(np.nan_to_num(there / (there + absent)))
            self._log_absent = _log(np.nan_to_num(absent / (there + absent)))

    def _joint_log_likelihood(self, X):
        """log p(c) + sum over j of x_j log p_cj + (1 - x_j) log(1 - p_cj)."""
        return self.class_log_prior_ + _weighted(X, self.feature_log_prob_) + _weighted(1 - X, self._log_absent)


def _weighted(X, log_p):
    """X @ log_p.T, where 0 times log 0 is 0: a feature that is not there says nothing about its probability."""
    possible = np.isfinite(log_p)
    if possible.all():
        return X @ log_p.T
    impossible = X @ (~possible).T.astype(float) > 0  # the sample has what the class never showed
    return np.where(impossible, -np.inf, X @ np.where(possible, log_p, 0).T)


def _log(p):
    with np.errstate(divide="ignore"):
        return np.log(p)


def _check_labels(name, labels):
    """A one-dimensional array of classes: whole numbers, floats without NaN, truth values or text."""
    try:
        labels = np.asarray(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name} must be a list of classes: {error}") from None
    if labels.ndim != 1 or labels.dtype.kind not in "biufU":
        raise ValueError(
            f"{name} must be a list of classes, numbers or text; got {labels.dtype} of shape {labels.shape}"
        )
    if len(labels) == 0:
        raise ValueError(f"{name} is empty")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return labels


def _check_priors(name, priors, k):
    priors = check_array(name, priors, ndim=1)
    if len(priors) != k or (priors < 0).any() or not np.isclose(priors.sum(), 1):
        raise ValueError(f"{name} must be {k} numbers of at least 0 that add up to 1, got {priors}")
    return priors
