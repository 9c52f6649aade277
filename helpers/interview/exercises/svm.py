"""Topic 01: the hinge loss, the subgradient of the primal, the RBF kernel, and the pair that SMO works on."""

import numpy as np
from hypothesis import strategies as st

from ...algorithms import svm
from . import SMALL, WIDE, Exercise, arrays

SIGNS = "fractions zero large small near distinct: classes are -1 and 1"


def signs(n):
    """Draw n classes, -1 and 1, both of them present."""
    return arrays(n, (-1.0, 1.0)).filter(lambda y: len(np.unique(y)) == 2)


# --- the hinge loss --------------------------------------------------------------------------------------------------


@st.composite
def classes_and_scores(draw, values, smallest, largest):
    n = draw(st.integers(smallest, largest))
    return draw(arrays(n, (-1.0, 1.0))), draw(arrays(n, values))


hinge_loss = Exercise(
    id="svm/hinge_loss",
    signature="hinge_loss(y, scores) -> loss",
    task="Return the mean hinge loss. y holds -1 and 1, scores the decision values.",
    task_zh="计算平均合页损失。y 取 -1 或 1，scores 为决策值。",
    reference=svm.hinge_loss,
    tiers=(classes_and_scores(SMALL, 2, 4), classes_and_scores((*WIDE, 1.25, 1 - 2**-10), 1, 8)),
    narrow={"y": SIGNS},
    forbidden=("sklearn.metrics", "torch.nn.functional"),
    cost="O(n): one pass over the scores",
    hints=(
        "A sample costs nothing only if it is on the right side and at least 1 away from the boundary, in scores.",
        "y times score is positive on the right side. The loss grows as it falls below 1.",
        "np.maximum(0, 1 - y * scores).mean()",
    ),
)


@hinge_loss.right
def below_one(y, scores):
    return np.maximum(0, 1 - y * scores).mean()


@hinge_loss.right
def one_by_one(y, scores):
    return sum(max(0.0, 1 - t * f) for t, f in zip(y, scores, strict=True)) / len(y)


@hinge_loss.wrong("A right answer inside the street costs too: the hinge is at 1, not at 0.")
def perceptron(y, scores):
    return np.maximum(0, -y * scores).mean()


@hinge_loss.wrong("Samples far on the right side cost nothing: clip at 0.")
def not_clipped(y, scores):
    return (1 - y * scores).mean()


@hinge_loss.wrong("Return the mean over the samples, not the sum.")
def summed(y, scores):
    return np.maximum(0, 1 - y * scores).sum()


@hinge_loss.wrong("This is the squared hinge loss. The plain one is linear.")
def squared(y, scores):
    return (np.maximum(0, 1 - y * scores) ** 2).mean()


@hinge_loss.wrong("The sign is turned: y * score is positive on the right side, so it is subtracted from 1.")
def turned(y, scores):
    return np.maximum(0, 1 + y * scores).mean()


# --- the subgradient of the primal -----------------------------------------------------------------------------------


@st.composite
def primals(draw, values, smallest, largest):
    n, d = draw(st.integers(smallest, largest)), draw(st.integers(smallest, 4))
    return (
        *(draw(arrays(d, values)), draw(st.sampled_from([0.0, 0.5, -1.0, 1 - 2**-12]))),
        *(draw(arrays((n, d), values)), draw(arrays(n, (-1.0, 1.0))), draw(st.sampled_from([1.0, 0.5, 10.0]))),
    )


def subgradient(w, b, X, y, C):
    """Ours: the penalty's gradient, and the samples inside the street."""
    inside = y * (X @ w + b) < 1
    return w - C * (y * inside) @ X, -C * (y * inside).sum()


primal_subgradient = Exercise(
    id="svm/primal_subgradient",
    signature="primal_subgradient(w, b, X, y, C) -> grad_w, grad_b",
    task="Return a subgradient of w w / 2 + C times the sum of the hinge losses, with respect to w and b. y holds -1 "
    "and 1; where y f(x) is exactly 1, take 0 for that sample.",
    task_zh="求 w w / 2 + C × 合页损失之和 对 w 和 b 的次梯度。y 取 -1 或 1；y f(x) 恰好等于 1 的样本取 0。",
    reference=subgradient,
    tiers=(primals(SMALL, 2, 4), primals(WIDE, 1, 6)),
    narrow={"y": SIGNS},
    forbidden=("torch.autograd",),
    cost="O(n d): one product with the violating samples",
    hints=(
        "Only samples with y f(x) below 1 push, and each pushes with the same force.",
        "The derivative of 1 - y (w x + b) is -y x for w and -y for b. The penalty adds w, and nothing to b.",
        "inside = y * (X @ w + b) < 1; grad_w = w - C * (y * inside) @ X; grad_b = -C * (y * inside).sum()",
    ),
)


@primal_subgradient.right
def masked(w, b, X, y, C):
    inside = y * (X @ w + b) < 1
    return w - C * (y[inside] @ X[inside]), -C * y[inside].sum()


@primal_subgradient.right
def sample_by_sample(w, b, X, y, C):
    grad_w, grad_b = w.copy(), 0.0
    for x, t in zip(X, y, strict=True):
        if t * (x @ w + b) < 1:
            grad_w -= C * t * x
            grad_b -= C * t
    return grad_w, grad_b


@primal_subgradient.wrong("The bias is not penalized: its gradient has no b in it.")
def penalised_bias(w, b, X, y, C):
    grad_w, grad_b = masked(w, b, X, y, C)
    return grad_w, grad_b + b


@primal_subgradient.wrong("The penalty w w / 2 has the gradient w; it is missing.")
def no_penalty(w, b, X, y, C):
    grad_w, grad_b = masked(w, b, X, y, C)
    return grad_w - w, grad_b


@primal_subgradient.wrong("The hinge is at 1: right answers inside the street push too.")
def only_mistakes(w, b, X, y, C):
    inside = y * (X @ w + b) < 0
    return w - C * (y[inside] @ X[inside]), -C * y[inside].sum()


@primal_subgradient.wrong("The losses are summed, not averaged: do not divide by the number of samples.")
def averaged(w, b, X, y, C):
    grad_w, grad_b = masked(w, b, X, y, C)
    return w + (grad_w - w) / len(y), grad_b / len(y)


@primal_subgradient.wrong("The sign of the loss's part is wrong: the derivative of 1 - y (w x + b) is -y x.")
def uphill(w, b, X, y, C):
    grad_w, grad_b = masked(w, b, X, y, C)
    return 2 * w - grad_w, -grad_b


@primal_subgradient.wrong("The hinge is linear: its slope does not grow with the loss. This is the squared hinge.")
def proportional(w, b, X, y, C):
    slack = np.maximum(0, 1 - y * (X @ w + b))
    return w - C * (y * slack) @ X, -C * (y * slack).sum()


# --- the RBF kernel --------------------------------------------------------------------------------------------------


@st.composite
def two_sets(draw, values, smallest, largest):
    d = draw(st.integers(smallest, 3))
    return (
        draw(arrays((draw(st.integers(smallest, largest)), d), values)),
        draw(arrays((draw(st.integers(smallest, largest)), d), values)),
        draw(st.sampled_from([1.0, 0.5, 2.0])),
    )


def rbf(X, Z, gamma):
    """Ours, with the kernel named."""
    return svm.kernel_matrix(X, Z, "rbf", gamma)


rbf_kernel = Exercise(
    id="svm/rbf_kernel",
    signature="rbf_kernel(X, Z, gamma) -> K",
    task="Return the RBF kernel exp(-gamma |x - z|^2) of each row of X with each row of Z, an array (n, m).",
    task_zh="计算 RBF 核 exp(-gamma |x - z|^2)：X 的每一行对 Z 的每一行，结果形状为 (n, m)。",
    reference=rbf,
    tiers=(two_sets(SMALL, 2, 3), two_sets((0.0, 0.25, 0.25 + 2**-14, 2**-10, -0.5, 1.0, 3.0, -2.0, 100.0), 1, 6)),
    forbidden=("sklearn.metrics.pairwise", "scipy.spatial.distance", "torch.cdist"),
    cost="O(n m d): one matrix product, and n m exponentials",
    hints=(
        "You need all squared distances at once. No loop.",
        "Either broadcast X[:, None] - Z, or use |x|^2 + |z|^2 - 2 x z.",
        "np.exp(-gamma * ((X[:, None] - Z) ** 2).sum(axis=-1))",
    ),
)


@rbf_kernel.right
def broadcast(X, Z, gamma):
    return np.exp(-gamma * ((X[:, None] - Z) ** 2).sum(axis=-1))


@rbf_kernel.right
def expanded(X, Z, gamma):
    return np.exp(-gamma * ((X**2).sum(1)[:, None] + (Z**2).sum(1) - 2 * X @ Z.T))


@rbf_kernel.library
def sklearn_rbf(X, Z, gamma):
    from sklearn.metrics.pairwise import rbf_kernel

    return rbf_kernel(X, Z, gamma)


@rbf_kernel.wrong("The exponent is the squared distance: drop the square root. This is the Laplace-like kernel.")
def not_squared(X, Z, gamma):
    return np.exp(-gamma * np.sqrt(((X[:, None] - Z) ** 2).sum(axis=-1)))


@rbf_kernel.wrong("The sign is missing: a kernel of points far apart must fall to 0, not grow.")
def growing(X, Z, gamma):
    return 1 / broadcast(X, Z, gamma)


@rbf_kernel.wrong("gamma multiplies; it is 1 / (2 sigma^2). Here it is used as sigma.")
def as_sigma(X, Z, gamma):
    return np.exp(-((X[:, None] - Z) ** 2).sum(axis=-1) / (2 * gamma**2))


@rbf_kernel.wrong("Twice the inner product: |x - z|^2 = |x|^2 + |z|^2 - 2 x z.")
def half_the_product(X, Z, gamma):
    return np.exp(-gamma * ((X**2).sum(1)[:, None] + (Z**2).sum(1) - X @ Z.T))


@rbf_kernel.wrong("The result is transposed: rows belong to X, columns to Z.")
def other_way_round(X, Z, gamma):
    return broadcast(Z, X, gamma)


# --- the pair that SMO works on --------------------------------------------------------------------------------------


def working_pair(K, y, C, alpha):
    """Ours: what `svm.smo` chooses, written out."""
    e = y - K @ (y * alpha)
    grows, shrinks = (np.where(y == sign, alpha < C, alpha > 0) for sign in (1, -1))
    i = np.where(grows, e, -np.inf).argmax()
    violation = np.where(shrinks, e[i] - e, 0)
    curvature = np.maximum(K[i, i] + K.diagonal() - 2 * K[i], svm.TAU)
    return i, np.where(violation > 0, violation**2 / curvature, 0).argmax()


@st.composite
def duals(draw, values, smallest, largest):
    n = draw(st.integers(smallest, largest))
    X, y, C = draw(arrays((n, 2), values)), draw(signs(n)), draw(st.sampled_from([1.0, 0.5, 4.0]))
    return X @ X.T, y, C, C * draw(arrays(n, (0.0, 0.5, 1.0, 0.25)))


def _violated(arguments):
    """Whether some pair can still be improved."""
    K, y, C, alpha = arguments
    e = y - K @ (y * alpha)
    grows, shrinks = (np.where(y == sign, alpha < C, alpha > 0) for sign in (1, -1))
    return grows.any() and shrinks.any() and e[grows].max() - e[shrinks].min() > 0.01


working_set = Exercise(
    id="svm/working_set",
    signature="working_set(K, y, C, alpha) -> i, j",
    task="Choose the pair that SMO improves next (Fan, Chen and Lin 2005). With e = y - K (y alpha): i has the largest "
    "e among those whose y alpha may grow; j, among those whose y alpha may shrink and whose e is below e_i, has the "
    "largest (e_i - e_j)^2 / max(K_ii + K_jj - 2 K_ij, 1e-12). Among equals the first.",
    task_zh="选择 SMO 下一步要优化的一对变量（Fan、Chen、Lin 2005）。令 e = y - K(yα)："
    "i 是 yα 还能增大的样本中 e 最大者；j 是 yα 还能减小且 e 小于 e_i 的样本中 "
    "(e_i - e_j)^2 / max(K_ii + K_jj - 2K_ij, 1e-12) 最大者。并列取第一个。",
    reference=working_pair,
    tiers=(
        duals((0.0, 1.0, -1.0, 2.0), 3, 4).filter(_violated),
        duals((0.0, 1.0, -1.0, 3.0, 0.25, 0.25 + 2**-14, 2**-10, 10.0), 2, 8).filter(_violated),
    ),
    narrow={
        "K": "tall wide one0 one1 distinct: a table of all pairs of two samples and more",
        "y": "one0 fractions large small near zero distinct: classes are -1 and 1, both of them",
        "alpha": "one0 negative large small near: between 0 and C, often at an end",
    },
    forbidden=("sklearn.svm",),
    cost="O(n): one pass over the gradient and one row of the kernel matrix for each choice",
    hints=(
        "0 <= alpha <= C. y alpha may grow if y is 1 and alpha is below C, or if y is -1 and alpha is above 0.",
        "i is a masked argmax of e. For j, e_i - e_j is the slope, K_ii + K_jj - 2 K_ij the curvature along the step.",
        "grows = np.where(y > 0, alpha < C, alpha > 0); i = np.where(grows, e, -np.inf).argmax(); likewise for j with "
        "shrinks = np.where(y > 0, alpha > 0, alpha < C).",
    ),
)


@working_set.right
def written_out(K, y, C, alpha):
    e = y - K @ (y * alpha)
    grows = np.where(y > 0, alpha < C, alpha > 0)
    shrinks = np.where(y > 0, alpha > 0, alpha < C)
    i = np.where(grows, e, -np.inf).argmax()
    violation = e[i] - e
    gain = violation**2 / np.maximum(K[i, i] + np.diag(K) - 2 * K[i], 1e-12)
    return i, np.where(shrinks & (violation > 0), gain, -1).argmax()


@working_set.right
def in_loops(K, y, C, alpha):
    n = len(y)
    e = [y[t] - sum(K[t, s] * y[s] * alpha[s] for s in range(n)) for t in range(n)]
    i = max((t for t in range(n) if (alpha[t] < C if y[t] > 0 else alpha[t] > 0)), key=lambda t: e[t])
    below = [t for t in range(n) if (alpha[t] > 0 if y[t] > 0 else alpha[t] < C) and e[t] < e[i]]
    return i, max(below, key=lambda t: (e[i] - e[t]) ** 2 / max(K[i, i] + K[t, t] - 2 * K[i, t], 1e-12))


@working_set.wrong("This is first-order selection: j has the largest violation. Divide its square by the curvature.")
def first_order(K, y, C, alpha):
    e = y - K @ (y * alpha)
    i, _ = written_out(K, y, C, alpha)
    shrinks = np.where(y > 0, alpha > 0, alpha < C)
    return i, np.where(shrinks, e, np.inf).argmin()


@working_set.wrong("The upper bound is C, which is not always 1.")
def bound_at_one(K, y, C, alpha):
    return written_out(K, y, 1.0, alpha)


@working_set.wrong("The box is forgotten: an alpha on its bound can move one way only.")
def no_bounds(K, y, C, alpha):
    e = y - K @ (y * alpha)
    i = e.argmax()
    violation = e[i] - e
    gain = violation**2 / np.maximum(K[i, i] + np.diag(K) - 2 * K[i], 1e-12)
    return i, np.where(violation > 0, gain, -1).argmax()


@working_set.wrong("For y = -1 it is the other way round: y alpha grows when alpha falls.")
def class_forgotten(K, y, C, alpha):
    e = y - K @ (y * alpha)
    i = np.where(alpha < C, e, -np.inf).argmax()
    violation = e[i] - e
    gain = violation**2 / np.maximum(K[i, i] + np.diag(K) - 2 * K[i], 1e-12)
    return i, np.where((alpha > 0) & (violation > 0), gain, -1).argmax()


@working_set.wrong("The curvature along the step is K_ii + K_jj - 2 K_ij: one grows, the other shrinks.")
def plus_in_the_curvature(K, y, C, alpha):
    e = y - K @ (y * alpha)
    i, _ = written_out(K, y, C, alpha)
    shrinks, violation = np.where(y > 0, alpha > 0, alpha < C), e[i] - e
    gain = violation**2 / np.maximum(K[i, i] + np.diag(K) + 2 * K[i], 1e-12)
    return i, np.where(shrinks & (violation > 0), gain, -1).argmax()


@working_set.wrong("e is y - K (y alpha): each alpha carries the sign of its class.")
def unsigned(K, y, C, alpha):
    return written_out(K * np.outer(y, y), y, C, alpha)
