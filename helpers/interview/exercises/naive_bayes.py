"""Topic 03: a Gaussian and a Bernoulli likelihood with the prior, in logarithms, and smoothed shares of counts."""

import math

import numpy as np
from hypothesis import strategies as st

from ...algorithms import naive_bayes
from . import SMALL, WIDE, Exercise, arrays

# --- Gaussian --------------------------------------------------------------------------------------------------------


def fitted(kind, **attributes):
    """A model of ours with these parameters."""
    model = kind()
    vars(model).update(attributes)
    return model


def gaussian_joint(X, mean, var, prior):
    """Ours, with parameters that are given."""
    model = fitted(naive_bayes.GaussianNB, theta_=mean, var_=var, class_prior_=prior)
    return model._joint_log_likelihood(X)


@st.composite
def bells(draw, values, variances, smallest, largest):
    """Draw samples, and means, variances and priors of some classes."""
    n, d, k = (draw(st.integers(smallest, largest)) for _ in range(3))
    weights = draw(arrays(k, (1.0, 2.0, 5.0, 2**-10)))
    return draw(arrays((n, d), values)), draw(arrays((k, d), values)), draw(arrays((k, d), variances)), _shares(weights)


def _shares(weights):
    return weights / weights.sum()


gaussian_log_joint = Exercise(
    id="naive_bayes/gaussian_log_joint",
    signature="gaussian_log_joint(X, mean, var, prior) -> joint",
    task="Gaussian naive Bayes with parameters that are given: X is (n, d), mean and var are (k, d), prior is (k,). "
    "Return log p(x, c) of every sample and class, (n, k). A sample may be 1,000 standard deviations away, "
    "and a variance as small as 1e-211.",
    task_zh="参数已给定的高斯朴素贝叶斯：X 为 (n, d)，mean 和 var 为 (k, d)，prior 为 (k,)。返回每个样本对每个类别的 "
    "log p(x, c)，形状 (n, k)。样本可能偏离均值 1000 个标准差，方差可能小到 1e-211。",
    reference=gaussian_joint,
    tiers=(
        bells(SMALL, (1.0, 2.0, 0.5), 2, 3),
        bells(WIDE, (1.0, 0.25, 0.25 + 2**-14, 4.0, 2**-10, 1000.0), 1, 4),
        bells(SMALL, (1.0, 4.0, 2.0**-700), 2, 3),  # the product of two such variances is 0 in float64
    ),
    narrow={
        "var": "negative zero: variances are above 0",
        "prior": "negative zero large near: shares of 1 are above 0, and come from a few weights",
    },
    forbidden=("sklearn.naive_bayes", "scipy.stats"),
    cost="O(n k d): every sample meets every class's mean and variance; fitting is one pass, O(n d)",
    hints=(
        "Independent features: the density is a product of normal densities. Take its logarithm before anything else.",
        "log N(x; m, v) = -(log(2 pi v) + (x - m)^2 / v) / 2. Sum it over the features, add log prior.",
        "gap = X[:, None] - mean; np.log(prior) - 0.5 * (np.log(2 * np.pi * var) + gap**2 / var).sum(axis=2).",
    ),
)


@gaussian_log_joint.right
def broadcast(X, mean, var, prior):
    gap = X[:, None] - mean
    return np.log(prior) - 0.5 * (np.log(2 * np.pi * var) + gap**2 / var).sum(axis=2)


@gaussian_log_joint.right
def loops(X, mean, var, prior):
    def log_normal(x, m, v):
        return -((x - m) ** 2) / (2 * v) - math.log(math.sqrt(2 * math.pi * v))

    rows = []
    for x in X:
        row = []
        for c in range(len(prior)):
            row.append(math.log(prior[c]) + sum(map(log_normal, x, mean[c], var[c])))
        rows.append(row)
    return rows


@gaussian_log_joint.right
def class_by_class(X, mean, var, prior):
    out = np.zeros((len(X), len(prior)))
    for c in range(len(prior)):
        z = (X - mean[c]) / np.sqrt(var[c])
        out[:, c] = np.log(prior[c]) - np.einsum("nd,nd->n", z, z) / 2 - np.log(2 * np.pi * var[c]).sum() / 2
    return out


@gaussian_log_joint.library
def by_scipy(X, mean, var, prior):
    from scipy.stats import norm

    return np.log(prior) + norm.logpdf(X[:, None], mean, np.sqrt(var)).sum(axis=2)


@gaussian_log_joint.wrong("A product of densities becomes 0 far from the mean, and its logarithm -inf. Sum logarithms.")
def log_of_the_product(X, mean, var, prior):
    with np.errstate(all="ignore"):
        density = np.exp(-((X[:, None] - mean) ** 2) / (2 * var)) / np.sqrt(2 * np.pi * var)
        return np.log(prior * density.prod(axis=2))


@gaussian_log_joint.wrong("The product of small variances becomes 0, and its logarithm -inf. Sum their logarithms.")
def log_of_the_determinant(X, mean, var, prior):
    with np.errstate(divide="ignore"):
        logarithm = np.log(((2 * np.pi) ** X.shape[1]) * var.prod(axis=1))
    return np.log(prior) - 0.5 * (logarithm + ((X[:, None] - mean) ** 2 / var).sum(axis=2))


@gaussian_log_joint.wrong("The prior is missing: add its logarithm.")
def no_prior(X, mean, var, prior):
    return broadcast(X, mean, var, np.ones(len(prior)))


@gaussian_log_joint.wrong("The prior enters as its logarithm.")
def prior_itself(X, mean, var, prior):
    return no_prior(X, mean, var, prior) + prior


@gaussian_log_joint.wrong("-log(var) / 2 is missing. It differs between the classes, so it does not cancel.")
def no_normalization(X, mean, var, prior):
    return np.log(prior) - 0.5 * (np.log(2 * np.pi) + (X[:, None] - mean) ** 2 / var).sum(axis=2)


@gaussian_log_joint.wrong("The constant log(2 pi) belongs to a log-density, once per feature.")
def no_two_pi(X, mean, var, prior):
    return np.log(prior) - 0.5 * (np.log(var) + (X[:, None] - mean) ** 2 / var).sum(axis=2)


@gaussian_log_joint.wrong("var is a variance already: do not square it.")
def variance_squared(X, mean, var, prior):
    return broadcast(X, mean, var**2, prior)


@gaussian_log_joint.wrong("Half is missing in the exponent: (x - m)^2 / (2 v).")
def not_halved(X, mean, var, prior):
    return np.log(prior) - (0.5 * np.log(2 * np.pi * var) + (X[:, None] - mean) ** 2 / var).sum(axis=2)


@gaussian_log_joint.wrong("That is the posterior. log p(x, c) is asked for: do not normalize over the classes.")
def normalized(X, mean, var, prior):
    joint = broadcast(X, mean, var, prior)
    shifted = joint - joint.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@gaussian_log_joint.wrong("Nothing is to be added to the variances: they are given.")
def smoothed_variances(X, mean, var, prior):
    return broadcast(X, mean, var + 1e-4, prior)


@gaussian_log_joint.wrong("Independent features: their log-densities are summed, not averaged.")
def averaged(X, mean, var, prior):
    gap = X[:, None] - mean
    return np.log(prior) - 0.5 * (np.log(2 * np.pi * var) + gap**2 / var).mean(axis=2)


# --- counts ----------------------------------------------------------------------------------------------------------


def multinomial_log_prob(X, y, alpha):
    """Ours."""
    return naive_bayes.MultinomialNB(alpha=alpha).fit(X, y).feature_log_prob_


@st.composite
def counts(draw, values, alphas, smallest, largest):
    """Draw counts, and classes 0 to k - 1 of which each one comes."""
    n, d = (draw(st.integers(smallest, largest)) for _ in range(2))
    k = draw(st.integers(1, min(n, 3)))
    rest = draw(st.lists(st.integers(0, k - 1), min_size=n - k, max_size=n - k))
    y = np.array(draw(st.permutations([*range(k), *rest])))
    return draw(arrays((n, d), values)), y, draw(st.sampled_from(alphas))


feature_log_prob = Exercise(
    id="naive_bayes/feature_log_prob",
    signature="feature_log_prob(X, y, alpha) -> log_p",
    task="Multinomial naive Bayes: X holds counts, (n, d), y the classes 0 to k - 1, each of which comes. Return the "
    "logarithm of the share of each feature in the draws of each class, (k, d), with alpha added to every count.",
    task_zh="多项式朴素贝叶斯：X 为计数，形状 (n, d)；y 为类别 0 到 k-1，每类至少出现一次。"
    "返回每个类别中各特征占比的对数，形状 (k, d)，每个计数先加上 alpha。",
    reference=multinomial_log_prob,
    tiers=(
        counts((0.0, 1.0, 2.0, 3.0), (1.0, 0.5), 2, 4),
        counts((0.0, 1.0, 3.0, 0.25, 0.25 + 2**-14, 2**-10, 1000.0), (1.0, 0.5, 2**-20, 30.0), 1, 6),
    ),
    narrow={"X": "negative: counts are at least 0"},
    forbidden=("sklearn.naive_bayes",),
    cost="O(n d): one pass over the counts",
    hints=(
        "Sum the counts of each class's samples, feature by feature. A feature never seen must not get probability 0.",
        "Add alpha to every sum, then divide by the row's total, which has grown by alpha times d.",
        "N = np.array([X[y == c].sum(axis=0) for c in range(y.max() + 1)]) + alpha; "
        "np.log(N / N.sum(axis=1, keepdims=True)).",
    ),
)


@feature_log_prob.right
def summed(X, y, alpha):
    N = np.array([X[y == c].sum(axis=0) for c in range(y.max() + 1)]) + alpha
    return np.log(N / N.sum(axis=1, keepdims=True))


@feature_log_prob.right
def one_hot(X, y, alpha):
    N = np.eye(y.max() + 1)[y].T @ X
    return np.log(N + alpha) - np.log(N.sum(axis=1, keepdims=True) + alpha * X.shape[1])


@feature_log_prob.right
def in_loops(X, y, alpha):
    k, d = max(y) + 1, len(X[0])
    N = [[alpha] * d for _ in range(k)]
    for row, c in zip(X, y, strict=True):
        for j, count in enumerate(row):
            N[c][j] += count
    return [[math.log(count / sum(row)) for count in row] for row in N]


@feature_log_prob.library
def by_sklearn(X, y, alpha):
    from sklearn.naive_bayes import MultinomialNB

    return MultinomialNB(alpha=alpha).fit(X, y).feature_log_prob_


def _totals(X, y):
    return np.array([X[y == c].sum(axis=0) for c in range(y.max() + 1)])


@feature_log_prob.wrong("A feature that a class never showed gets probability 0, its logarithm -inf: add alpha.")
def unsmoothed(X, y, alpha):
    with np.errstate(all="ignore"):
        N = _totals(X, y)
        return np.log(N / N.sum(axis=1, keepdims=True))


@feature_log_prob.wrong("The denominator grows too, by alpha times d: else the shares add up to more than 1.")
def smoothed_above_only(X, y, alpha):
    N = _totals(X, y)
    with np.errstate(all="ignore"):
        return np.log((N + alpha) / N.sum(axis=1, keepdims=True))


@feature_log_prob.wrong("The denominator grows by alpha for each of the d features, not once.")
def alpha_once(X, y, alpha):
    N = _totals(X, y)
    return np.log((N + alpha) / (N.sum(axis=1, keepdims=True) + alpha))


@feature_log_prob.wrong("The denominator grows by alpha times the number of features, not of classes.")
def times_classes(X, y, alpha):
    N = _totals(X, y)
    return np.log((N + alpha) / (N.sum(axis=1, keepdims=True) + alpha * len(N)))


@feature_log_prob.wrong("alpha is an argument: do not always add 1.")
def laplace(X, y, alpha):
    return summed(X, y, 1.0)


@feature_log_prob.wrong("Divide by the draws of each class, not of all classes together.")
def share_of_all(X, y, alpha):
    N = _totals(X, y) + alpha
    return np.log(N / N.sum())


@feature_log_prob.wrong("Divide along the features: each class's shares add up to 1, not each feature's.")
def share_of_feature(X, y, alpha):
    N = _totals(X, y) + alpha
    return np.log(N / N.sum(axis=0))


@feature_log_prob.wrong("That divides by the number of samples, as for Bernoulli features. Here draws are counted.")
def per_sample(X, y, alpha):
    n = np.bincount(y)[:, None]
    return np.log((_totals(X, y) + alpha) / (n + 2 * alpha))


@feature_log_prob.wrong("alpha is added once to each class's sum, not to every sample.")
def alpha_per_sample(X, y, alpha):
    N = _totals(X + alpha, y)
    return np.log(N / N.sum(axis=1, keepdims=True))


@feature_log_prob.wrong("A small number inside the logarithm is no smoothing: add alpha to the counts.")
def small_number_inside(X, y, alpha):
    N = _totals(X, y)
    return np.log(N / np.maximum(N.sum(axis=1, keepdims=True), 1e-12) + 1e-9)


@feature_log_prob.wrong("Counts need not be 0 or 1: do not binarize them.")
def binarized(X, y, alpha):
    return summed((X > 0).astype(float), y, alpha)


# --- Bernoulli -------------------------------------------------------------------------------------------------------


def bernoulli_joint(X, p, prior):
    """Ours, with parameters that are given."""
    model = fitted(naive_bayes.BernoulliNB, feature_log_prob_=naive_bayes._log(p), _log_absent=naive_bayes._log(1 - p))
    model.class_log_prior_ = np.log(prior)
    return model._joint_log_likelihood(X)


@st.composite
def switches(draw, chances, smallest, largest):
    """Draw samples of 0 and 1, and chances and priors of some classes."""
    n, d, k = (draw(st.integers(smallest, largest)) for _ in range(3))
    return (
        draw(arrays((n, d), (0.0, 1.0))),
        draw(arrays((k, d), chances)),
        _shares(draw(arrays(k, (1.0, 2.0, 5.0, 2**-10)))),
    )


bernoulli_log_joint = Exercise(
    id="naive_bayes/bernoulli_log_joint",
    signature="bernoulli_log_joint(X, p, prior) -> joint",
    task="Bernoulli naive Bayes with parameters that are given: X is (n, d) of 0 and 1, p is (k, d), the chance of "
    "a 1, prior is (k,). Return log p(x, c), (n, k). Where p is 0 or 1 the result may be -inf, but no NaN. A "
    "chance may be as small as 1e-211.",
    task_zh="参数已给定的伯努利朴素贝叶斯：X 为 0/1 矩阵 (n, d)，p 为 (k, d)，表示取 1 的概率，prior 为 (k,)。"
    "返回 log p(x, c)，形状 (n, k)。p 等于 0 或 1 时结果可以是 -inf，但不能是 NaN。p 可能小到 1e-211。",
    reference=bernoulli_joint,
    tiers=(
        switches((0.5, 0.25, 0.75), 2, 3),
        switches((0.5, 0.25, 0.25 + 2**-14, 2**-10, 0.0, 1.0, 1 - 2**-10), 1, 4),
        switches((0.5, 2.0**-700), 2, 4),  # two factors of 2^-700 are 0 in float64
    ),
    narrow={
        "X": "fractions negative large small near distinct: holds 0 and 1",
        "p": "negative large: chances",
        "prior": "negative zero large near: shares of 1 are above 0, and come from a few weights",
    },
    forbidden=("sklearn.naive_bayes", "scipy.special", "scipy.stats", "torch.xlogy"),
    cost="O(n k d): two matrix products; on sparse X one, if the sum of log(1 - p) is computed once per class",
    hints=(
        "A feature that is absent counts as well: its factor is 1 - p.",
        "Choose the factor first, p where x is 1 and 1 - p where x is 0; then take logarithms. 0 times log 0 is NaN.",
        "chance = np.where(X[:, None] == 1, p, 1 - p); np.log(prior) + np.log(chance).sum(axis=2).",
    ),
)


@bernoulli_log_joint.right
def chosen(X, p, prior):
    with np.errstate(divide="ignore"):
        return np.log(prior) + np.log(np.where(X[:, None] == 1, p, 1 - p)).sum(axis=2)


@bernoulli_log_joint.right
def by_loops(X, p, prior):
    def log(value):
        return math.log(value) if value > 0 else -math.inf

    return [
        [
            log(prior[c]) + sum(log(p[c][j]) if x[j] else log(1 - p[c][j]) for j in range(len(x)))
            for c in range(len(prior))
        ]
        for x in X
    ]


@bernoulli_log_joint.right
def row_by_row(X, p, prior):
    joint = np.empty((len(X), len(p)))
    with np.errstate(divide="ignore"):
        for i, x in enumerate(X.astype(bool)):
            joint[i] = np.log(prior) + np.log(p[:, x]).sum(axis=1) + np.log1p(-p[:, ~x]).sum(axis=1)
    return joint


@bernoulli_log_joint.library
def by_xlogy(X, p, prior):
    from scipy.special import xlog1py, xlogy

    return np.log(prior) + (xlogy(X[:, None], p) + xlog1py(1 - X[:, None], -p)).sum(axis=2)


def _matrix(X, p, prior):
    return np.log(prior) + X @ np.log(p).T + (1 - X) @ np.log(1 - p).T


@bernoulli_log_joint.wrong("Features that are absent count too: add log(1 - p) for each of them.")
def present_only(X, p, prior):
    with np.errstate(divide="ignore"):
        return np.log(prior) + np.log(np.where(X[:, None] == 1, p, 1)).sum(axis=2)


@bernoulli_log_joint.wrong("0 times log 0 is NaN: where p is 0 or 1, choose the factor before you take its logarithm.")
def zero_times_infinity(X, p, prior):
    with np.errstate(all="ignore"):
        return _matrix(X, p, prior)


@bernoulli_log_joint.wrong("Clipping p makes the impossible merely unlikely: where p is 0 or 1 the result may be -inf.")
def clipped(X, p, prior):
    return _matrix(X, np.clip(p, 1e-12, 1 - 1e-12), prior)


@bernoulli_log_joint.wrong("A small number inside the logarithm changes the value.")
def small_number_added(X, p, prior):
    return np.log(prior) + np.log(np.where(X[:, None] == 1, p, 1 - p) + 1e-10).sum(axis=2)


@bernoulli_log_joint.wrong("A product of small chances becomes 0, and its logarithm -inf. Sum logarithms.")
def log_of_the_chances(X, p, prior):
    with np.errstate(divide="ignore"):
        return np.log(prior * np.where(X[:, None] == 1, p, 1 - p).prod(axis=2))


@bernoulli_log_joint.wrong("The prior is missing: add its logarithm.")
def without_prior(X, p, prior):
    return chosen(X, p, np.ones(len(prior)))


@bernoulli_log_joint.wrong("p is the chance of a 1: p and 1 - p are swapped.")
def swapped(X, p, prior):
    return chosen(1 - X, p, prior)


@bernoulli_log_joint.wrong("The prior enters as its logarithm.")
def prior_added(X, p, prior):
    return without_prior(X, p, prior) + prior


@bernoulli_log_joint.wrong("Impossible is -inf, not a large finite number: NaN is to be avoided, -inf is right.")
def nan_to_num(X, p, prior):
    with np.errstate(all="ignore"):
        return np.nan_to_num(_matrix(X, p, prior))


@bernoulli_log_joint.wrong("log p(x, c) is asked for: do not normalize over the classes.")
def posterior(X, p, prior):
    joint = chosen(X, p, prior)
    with np.errstate(all="ignore"):
        return joint - np.log(np.exp(joint).sum(axis=1, keepdims=True))
