"""Topic 04: R squared, the gradient of the logistic loss, and a number out of a distribution over bins."""

import math

import numpy as np
from hypothesis import strategies as st

from ...algorithms import linear_models
from ...algorithms.activations import sigmoid, softmax
from . import SMALL, WIDE, Exercise, arrays

# --- R squared -------------------------------------------------------------------------------------------------------


@st.composite
def targets(draw, values, smallest, largest):
    """Draw a target that is not constant, and a prediction."""
    n = draw(st.integers(smallest, largest))
    y = draw(arrays(n, values).filter(lambda y: np.ptp(y) > 0))
    return y, draw(arrays(n, values))


r2_score = Exercise(
    id="linear_models/r2_score",
    signature="r2_score(y_true, y_pred) -> r2",
    task="Return R squared: 1 minus the sum of squared errors over that of the best constant. The target is not "
    "constant; the result may be negative.",
    task_zh="返回 R²：1 减去残差平方和与最佳常数预测的残差平方和之比。目标不是常数；结果可能为负。",
    reference=linear_models.r2_score,
    tiers=(targets(SMALL, 2, 4), targets(WIDE, 2, 7)),
    narrow={"y_true": "one0: a single sample has no spread", "y_pred": "one0: as many as y_true"},
    forbidden=("sklearn.metrics", "numpy.corrcoef"),
    cost="O(n): two passes, one for the mean",
    hints=(
        "Which constant has the smallest squared error?",
        "The mean of y_true. Divide the sum of squared errors by the sum of squared distances from it.",
        "1 - ((y_true - y_pred) ** 2).sum() / ((y_true - y_true.mean()) ** 2).sum().",
    ),
)


@r2_score.right
def sums(y_true, y_pred):
    return 1 - ((y_true - y_pred) ** 2).sum() / ((y_true - y_true.mean()) ** 2).sum()


@r2_score.right
def means(y_true, y_pred):
    return 1 - np.mean(np.square(y_true - y_pred)) / np.var(y_true)


@r2_score.right
def loop(y_true, y_pred):
    mean = math.fsum(y_true) / len(y_true)
    errors = math.fsum((t - p) ** 2 for t, p in zip(y_true, y_pred, strict=True))
    return 1 - errors / math.fsum((t - mean) ** 2 for t in y_true)


@r2_score.library
def by_sklearn(y_true, y_pred):
    from sklearn.metrics import r2_score

    return r2_score(y_true, y_pred)


@r2_score.wrong("The spread is that of the truth, not of the prediction.")
def spread_of_prediction(y_true, y_pred):
    return 1 - ((y_true - y_pred) ** 2).sum() / max(((y_pred - y_pred.mean()) ** 2).sum(), 1e-12)


@r2_score.wrong("The squared correlation forgives a wrong offset and scale, and is never negative.")
def squared_correlation(y_true, y_pred):
    a, b = y_true - y_true.mean(), y_pred - y_pred.mean()
    return (a @ b) ** 2 / max((a @ a) * (b @ b), 1e-12)


@r2_score.wrong("R squared may be negative: a prediction can be worse than the mean.")
def not_below_zero(y_true, y_pred):
    return max(sums(y_true, y_pred), 0.0)


@r2_score.wrong("Explained over total is the same only for a least squares fit with an intercept.")
def explained_share(y_true, y_pred):
    return ((y_pred - y_true.mean()) ** 2).sum() / ((y_true - y_true.mean()) ** 2).sum()


@r2_score.wrong("The arguments are swapped: the first is the truth.")
def swapped(y_true, y_pred):
    return 1 - ((y_true - y_pred) ** 2).sum() / max(((y_pred - y_pred.mean()) ** 2).sum(), 1e-300)


@r2_score.wrong("Variance of the errors forgives a constant offset: take their mean square.")
def variance_of_errors(y_true, y_pred):
    return 1 - np.var(y_true - y_pred) / np.var(y_true)


@r2_score.wrong("Divide by the same number above and below: here n and n - 1.")
def two_counts(y_true, y_pred):
    return 1 - np.mean((y_true - y_pred) ** 2) / np.var(y_true, ddof=1)


@r2_score.wrong("Squares, not absolute values.")
def absolute(y_true, y_pred):
    return 1 - np.abs(y_true - y_pred).sum() / np.abs(y_true - y_true.mean()).sum()


@r2_score.wrong("The share that is left is subtracted from 1.")
def share_left(y_true, y_pred):
    return 1 - sums(y_true, y_pred)


# --- the gradient of the logistic loss -------------------------------------------------------------------------------


def logistic_slopes(X, y, w, b, C):
    """Ours: C times the summed log-loss plus half of w'w, differentiated."""
    inputs, penalty = np.column_stack([X, np.ones(len(X))]), np.r_[np.ones(len(w)), 0.0]
    gradient, _ = linear_models._logistic_slopes(inputs, y, np.r_[w, b], C, penalty)
    return gradient[:-1], float(gradient[-1])


@st.composite
def problems(draw, values, weights, smallest, largest):
    """Draw samples, classes 0 and 1, weights, a bias and C."""
    n, d = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    y, w = draw(arrays(n, (0.0, 1.0))), draw(arrays(d, weights))
    return draw(arrays((n, d), values)), y, w, draw(st.sampled_from(weights)), draw(st.sampled_from([1.0, 0.5, 100.0]))


logistic_gradient = Exercise(
    id="linear_models/logistic_gradient",
    signature="logistic_gradient(X, y, w, b, C) -> grad_w, grad_b",
    task="Logistic regression: the objective is C times the sum of the log-losses plus half of the squared length "
    "of w. X is (n, d), y holds 0 and 1. Return its gradient for w and for b, which is not penalized, "
    "without an overflow.",
    task_zh="逻辑回归的目标函数是 C 乘以对数损失之和，再加 w 的 L2 范数平方的一半。X 为 (n, d)，y 含 0 和 1。"
    "返回对 w 和对 b 的梯度，b 不加惩罚；计算中途不能溢出。",
    reference=logistic_slopes,
    tiers=(problems(SMALL, SMALL, 2, 3), problems(WIDE, WIDE, 1, 5)),
    narrow={"y": "fractions negative large small near distinct: holds 0 and 1"},
    overflow="raise",
    forbidden=("scipy.special.expit", "torch.sigmoid", "torch.autograd"),
    cost="O(n d): one product for the scores, one for the gradient",
    hints=(
        "The derivative of a sample's log-loss by its score is p - y.",
        "grad_w = C X'(p - y) + w and grad_b = C sum(p - y); mind exp for scores of 1,000.",
        "z = X @ w + b; e = np.exp(-abs(z)); p = np.where(z >= 0, 1, e) / (1 + e).",
    ),
)


@logistic_gradient.right
def by_matrices(X, y, w, b, C):
    z = X @ w + b
    e = np.exp(-np.abs(z))
    pull = np.where(z >= 0, 1, e) / (1 + e) - y
    return C * X.T @ pull + w, C * pull.sum()


@logistic_gradient.right
def by_tanh(X, y, w, b, C):
    pull = (1 + np.tanh((X @ w + b) / 2)) / 2 - y
    return C * np.einsum("nd,n->d", X, pull) + w, C * np.sum(pull)


@logistic_gradient.right
def by_loops(X, y, w, b, C):
    grad_w, grad_b = [float(v) for v in w], 0.0
    for x, t in zip(X, y, strict=True):
        z = float(x @ w + b)
        pull = (1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))) - t
        grad_w = [g + C * pull * v for g, v in zip(grad_w, x, strict=True)]
        grad_b += C * pull
    return grad_w, grad_b


@logistic_gradient.library
def by_scipy(X, y, w, b, C):
    from scipy.special import expit

    pull = expit(X @ w + b) - y
    return C * X.T @ pull + w, C * pull.sum()


def _pull(X, y, w, b):
    return sigmoid(X @ w + b) - y


@logistic_gradient.wrong("The sign is turned: the gradient points uphill, p - y.")
def downhill(X, y, w, b, C):
    pull = -_pull(X, y, w, b)
    return C * X.T @ pull + w, C * pull.sum()


@logistic_gradient.wrong("The penalty's gradient, w, is missing.")
def no_penalty(X, y, w, b, C):
    pull = _pull(X, y, w, b)
    return C * X.T @ pull, C * pull.sum()


@logistic_gradient.wrong("b is not penalized.")
def penalized_bias(X, y, w, b, C):
    pull = _pull(X, y, w, b)
    return C * X.T @ pull + w, C * pull.sum() + b


@logistic_gradient.wrong("C multiplies the losses, not the penalty.")
def c_on_the_penalty(X, y, w, b, C):
    pull = _pull(X, y, w, b)
    return X.T @ pull + C * w, pull.sum()


@logistic_gradient.wrong("The losses are summed, not averaged.")
def averaged(X, y, w, b, C):
    pull = _pull(X, y, w, b)
    return C * X.T @ pull / len(X) + w, C * pull.mean()


@logistic_gradient.wrong("p (1 - p) belongs to a squared error. With the log-loss it cancels.")
def of_squared_error(X, y, w, b, C):
    p = sigmoid(X @ w + b)
    pull = (p - y) * p * (1 - p)
    return C * X.T @ pull + w, C * pull.sum()


@logistic_gradient.wrong("The bias is missing in the scores.")
def bias_forgotten(X, y, w, b, C):
    pull = _pull(X, y, w, 0.0)
    return C * X.T @ pull + w, C * pull.sum()


@logistic_gradient.wrong("The gradient of half of w'w is w, not 2 w.")
def twice_the_penalty(X, y, w, b, C):
    pull = _pull(X, y, w, b)
    return C * X.T @ pull + 2 * w, C * pull.sum()


@logistic_gradient.wrong("exp(z) / (1 + exp(z)) is infinity over infinity for scores of 1,000: take exp(-|z|).")
def overflows(X, y, w, b, C):
    with np.errstate(all="ignore"):
        e = np.exp(X @ w + b)
        pull = e / (1 + e) - y
        return C * X.T @ pull + w, C * pull.sum()


# --- a number out of bins --------------------------------------------------------------------------------------------


def expected_value(logits, centers):
    """Ours: the mean of the bins' centers under a softmax of each row."""
    return softmax(logits) @ centers


@st.composite
def distributions(draw, values, smallest, largest):
    """Draw logits, some rows far from the others, and the centers of the bins, in no order."""
    n, k = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    shift = draw(arrays((n, 1), (0.0, 200.0, -200.0, 2000.0))) if smallest == 1 else 0.0
    return draw(arrays((n, k), values)) + shift, draw(arrays(k, values))


expectation = Exercise(
    id="linear_models/expected_value",
    signature="expected_value(logits, centers) -> value",
    task="An age is binned and classified: logits is (n, k), one row per face, centers is (k,), the age each bin "
    "stands for. Return the expected age of each face, (n,), under a softmax over its bins. Logits may be 2,000.",
    task_zh="把年龄分箱后做分类：logits 为 (n, k)，每行一张人脸；centers 为 (k,)，是各箱代表的年龄。"
    "返回每张人脸在 softmax 分布下的期望年龄，形状 (n,)。logits 可能达到 2000。",
    reference=expected_value,
    tiers=(distributions(SMALL, 2, 4), distributions(WIDE, 1, 6)),
    overflow="raise",
    forbidden=("torch.softmax", "torch.nn.functional", "scipy.special"),
    cost="O(n k): one exponential and one product per bin",
    hints=(
        "Turn each row into probabilities first, without an overflow.",
        "Subtract each row's largest logit, take exp, divide by the row's sum; then average the centers with them.",
        "e = np.exp(logits - logits.max(axis=1, keepdims=True)); return e @ centers / e.sum(axis=1).",
    ),
)


@expectation.right
def shifted(logits, centers):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e @ centers / e.sum(axis=1)


@expectation.right
def row_by_row(logits, centers):
    ages = []
    for row in logits:
        e = [math.exp(z - max(row)) for z in row]
        ages.append(sum(share * center for share, center in zip(e, centers, strict=True)) / sum(e))
    return ages


@expectation.right
def by_average(logits, centers):
    return np.array([np.average(centers, weights=np.exp(row - row.max())) for row in logits])


@expectation.library
def by_scipy_softmax(logits, centers):
    from scipy.special import softmax

    return softmax(logits, axis=1) @ centers


@expectation.wrong("That is the most probable bin. The expectation averages over all of them.")
def most_probable(logits, centers):
    return centers[logits.argmax(axis=1)]


@expectation.wrong("exp overflows: subtract each row's largest logit first.")
def unshifted(logits, centers):
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        return e @ centers / e.sum(axis=1)


@expectation.wrong("Subtract the largest logit of each row, not of all rows: a row far below becomes 0 / 0.")
def shifted_by_all(logits, centers):
    e = np.exp(logits - logits.max())
    with np.errstate(invalid="ignore"):
        return e @ centers / e.sum(axis=1)


@expectation.wrong("The softmax runs over the bins of each face, along axis 1.")
def over_faces(logits, centers):
    e = np.exp(logits - logits.max(axis=0))
    return e / e.sum(axis=0) @ centers


@expectation.wrong("The average is by probabilities, not by logits.")
def by_logits(logits, centers):
    total = logits.sum(axis=1)
    return logits @ centers / np.where(total == 0, 1, total)


@expectation.wrong("Divide by the sum of each row.")
def not_normalized(logits, centers):
    return np.exp(logits - logits.max(axis=1, keepdims=True)) @ centers


@expectation.wrong("The bins' centers are given: their numbers are no ages.")
def bin_numbers(logits, centers):
    return shifted(logits, np.arange(len(centers), dtype=float))


@expectation.wrong("An expectation is not rounded.")
def rounded(logits, centers):
    return np.round(shifted(logits, centers))
