"""Topic 06: soft-thresholding, ridge, one sweep of the lasso, and a step of AdamW."""

import numpy as np
from hypothesis import strategies as st

from ...algorithms import regularization
from ...algorithms.optimizers import AdamW
from . import SMALL, WIDE, Exercise, arrays

MODEST = (0.0, 1.0, -3.0, 0.25, 0.25 + 2**-14, 2**-10, 10.0, 100.0)  # what linear systems bear

# --- soft-thresholding -----------------------------------------------------------------------------------------------

soft_threshold = Exercise(
    id="regularization/soft_threshold",
    signature="soft_threshold(x, threshold) -> shrunk",
    task="Move every entry of x towards zero by threshold, which is at least 0; what would cross zero becomes 0.",
    task_zh="将 x 的每个元素向零移动 threshold（不小于 0），会越过零的变为 0。",
    reference=regularization.soft_threshold,
    tiers=(
        st.tuples(arrays(st.integers(2, 4), SMALL), st.sampled_from([1.0, 0.5])),
        st.tuples(arrays(st.integers(1, 6), WIDE), st.sampled_from([0.0, 0.25, 100.0])),
    ),
    forbidden=("torch.nn.functional.softshrink",),
    cost="O(d): one pass",
    hints=(
        "Size and sign are dealt with separately: the sign stays, the size shrinks.",
        "The new size is the larger of |x| - threshold and 0.",
        "np.sign(x) * np.maximum(np.abs(x) - threshold, 0)",
    ),
)


@soft_threshold.right
def sign_and_size(x, threshold):
    return np.sign(x) * np.maximum(np.abs(x) - threshold, 0)


@soft_threshold.right
def by_cases(x, threshold):
    return np.where(x > threshold, x - threshold, np.where(x < -threshold, x + threshold, 0.0))


@soft_threshold.library
def torch_softshrink(x, threshold):
    import torch

    return torch.nn.functional.softshrink(torch.from_numpy(x), threshold).numpy()


@soft_threshold.wrong("The sign is lost: multiply the new size by sign(x).")
def no_sign(x, threshold):
    return np.maximum(np.abs(x) - threshold, 0)


@soft_threshold.wrong("This is hard thresholding: what survives must shrink by threshold as well.")
def hard(x, threshold):
    return np.where(np.abs(x) > threshold, x, 0.0)


@soft_threshold.wrong("What would cross zero must become 0: cut the size at 0.")
def crosses_zero(x, threshold):
    return x - threshold * np.sign(x)


@soft_threshold.wrong("Negative entries move up, towards zero. Here everything moves down.")
def always_down(x, threshold):
    return np.maximum(x - threshold, 0)


@soft_threshold.wrong(
    "L2 scales all entries by one factor. Soft-thresholding subtracts the same amount from each size."
)
def scaled(x, threshold):
    return x / (1 + threshold)


# --- ridge -----------------------------------------------------------------------------------------------------------


def ridge_weights(X, y, alpha):
    """Ours, without an intercept."""
    return regularization.Ridge(alpha, fit_intercept=False).fit(X, y).coef_


def regression(rows, columns, values, alphas):
    """Draw a table, a target and a strength."""
    return st.tuples(rows, columns).flatmap(
        lambda shape: st.tuples(arrays(shape, values), arrays(shape[0], values), st.sampled_from(alphas))
    )


ridge = Exercise(
    id="regularization/ridge",
    signature="ridge(X, y, alpha) -> w",
    task="Return the w that minimizes |y - Xw|^2 + alpha |w|^2, both norms squared. No intercept; alpha is above 0.",
    task_zh="求使 |y - Xw|^2 + alpha |w|^2（均为范数平方）最小的 w。不加截距；alpha 大于 0。",
    reference=ridge_weights,
    tiers=(
        regression(st.integers(2, 3), st.just(2), (0.0, 1.0, 2.0, -1.0), [1.0, 2.0]),
        regression(st.integers(1, 5), st.integers(1, 4), MODEST, [0.5, 10.0, 0.03125]),
    ),
    forbidden=("sklearn.linear_model",),
    cost="O(n d^2 + d^3): the Gram matrix, then the solve",
    hints=(
        "Set the gradient to zero: -2 X'(y - Xw) + 2 alpha w = 0.",
        "That is a linear system with the matrix X'X + alpha I, which is always invertible for alpha above 0.",
        "np.linalg.solve(X.T @ X + alpha * np.eye(X.shape[1]), X.T @ y)",
    ),
)


@ridge.right
def normal_equations(X, y, alpha):
    return np.linalg.solve(X.T @ X + alpha * np.eye(X.shape[1]), X.T @ y)


@ridge.right
def more_rows(X, y, alpha):
    d = X.shape[1]
    return np.linalg.lstsq(np.vstack([X, np.sqrt(alpha) * np.eye(d)]), np.r_[y, np.zeros(d)])[0]


@ridge.right
def kernel_form(X, y, alpha):
    return X.T @ np.linalg.solve(X @ X.T + alpha * np.eye(len(y)), y)


@ridge.library
def sklearn_ridge(X, y, alpha):
    from sklearn.linear_model import Ridge

    return Ridge(alpha, fit_intercept=False, solver="svd").fit(X, y).coef_


@ridge.wrong("The penalty is alpha |w|^2, so alpha stands on the diagonal as it is, not squared.")
def alpha_squared(X, y, alpha):
    return normal_equations(X, y, alpha**2)


@ridge.wrong("The errors are summed, not averaged: do not multiply alpha by the number of rows.")
def averaged(X, y, alpha):
    return normal_equations(X, y, alpha * len(y))


@ridge.wrong("alpha belongs on the diagonal only: add alpha times the identity, not alpha to every entry.")
def added_everywhere(X, y, alpha):
    return np.linalg.lstsq(X.T @ X + alpha, X.T @ y)[0]


@ridge.wrong("This shrinks the least-squares weights by one factor. Ridge shrinks each direction by its own.")
def one_factor(X, y, alpha):
    return np.linalg.lstsq(X, y)[0] / (1 + alpha)


@ridge.wrong("This is plain least squares: alpha is not used.")
def not_penalised(X, y, alpha):
    return np.linalg.lstsq(X, y)[0]


@ridge.wrong("No intercept is asked for: do not center the data.")
def centered(X, y, alpha):
    return normal_equations(X - X.mean(axis=0), y - y.mean(), alpha)


# --- one sweep of the lasso ------------------------------------------------------------------------------------------


def one_sweep(X, y, w, alpha):
    """Ours. One sweep is enough for us: no warning that it has not converged."""
    n, w = len(y), w.copy()
    for j in range(len(w)):
        others = y - X @ w + X[:, j] * w[j]
        w[j] = regularization.soft_threshold(X[:, j] @ others / n, alpha) / (X[:, j] @ X[:, j] / n)
    return w


def sweep_problem(rows, columns, values, alphas):
    """Draw a table without empty columns, a target, weights to start from and a strength."""

    def of(shape):
        table = arrays(shape, values).filter(lambda X: (np.abs(X).sum(axis=0) > 0).all())
        return st.tuples(table, arrays(shape[0], values), arrays(shape[1], values), st.sampled_from(alphas))

    return st.tuples(rows, columns).flatmap(of)


lasso_sweep = Exercise(
    id="regularization/lasso_sweep",
    signature="lasso_sweep(X, y, w, alpha) -> new_w",
    task="One sweep of coordinate descent for |y - Xw|^2 / (2n) + alpha |w|_1: for each j in turn, replace w_j by its "
    "best value while the other weights, the new ones included, stay. No column of X is zero. Do not change w itself.",
    task_zh="对 |y - Xw|^2 / (2n) + alpha |w|_1 做一轮坐标下降：依次对每个 j，固定其他权重（含已更新的），"
    "把 w_j 换成最优值。X 没有全零列。不要修改传入的 w。",
    reference=one_sweep,
    tiers=(
        sweep_problem(st.integers(2, 3), st.just(2), (1.0, 0.0, 2.0, -1.0), [0.5, 1.0]),
        sweep_problem(st.integers(1, 5), st.integers(1, 4), MODEST, [0.0, 0.25, 3.0]),
    ),
    cost="O(n d): one residual update for each weight",
    hints=(
        "With the others fixed this is a parabola in w_j plus alpha |w_j|: soft-thresholding solves it.",
        "Take what the others leave unexplained, r = y - Xw + X_j w_j, and correlate it with column j, over n.",
        "w[j] = soft(X[:, j] @ r / n, alpha) / (X[:, j] @ X[:, j] / n), with soft(z, t) = sign(z) max(|z| - t, 0).",
    ),
)


@lasso_sweep.right
def residual_of_the_others(X, y, w, alpha):
    n, w = len(y), w.copy()
    for j in range(len(w)):
        r = y - X @ w + X[:, j] * w[j]
        z = X[:, j] @ r / n
        w[j] = np.sign(z) * max(abs(z) - alpha, 0) / (X[:, j] @ X[:, j] / n)
    return w


@lasso_sweep.right
def running_residual(X, y, w, alpha):
    w, r = np.array(w), y - X @ w
    for j, column in enumerate(X.T):
        power = column @ column
        z = column @ r + power * w[j]
        new = (z - np.clip(z, -alpha * len(y), alpha * len(y))) / power
        r = r + column * (w[j] - new)
        w[j] = new
    return w


@lasso_sweep.wrong("Later weights must see the earlier ones as already updated. Here all start from the old w.")
def all_at_once(X, y, w, alpha):
    n, new = len(y), np.empty(len(w))
    for j in range(len(w)):
        z = X[:, j] @ (y - X @ w + X[:, j] * w[j]) / n
        new[j] = np.sign(z) * max(abs(z) - alpha, 0) / (X[:, j] @ X[:, j] / n)
    return new


@lasso_sweep.wrong("Column j explains part of y by itself: add X_j w_j back to the residual before you correlate.")
def own_part_missing(X, y, w, alpha):
    n, w = len(y), w.copy()
    for j in range(len(w)):
        z = X[:, j] @ (y - X @ w) / n
        w[j] = np.sign(z) * max(abs(z) - alpha, 0) / (X[:, j] @ X[:, j] / n)
    return w


@lasso_sweep.wrong("The error is divided by 2n, so the correlation is divided by n before alpha is taken off.")
def not_over_n(X, y, w, alpha):
    w = w.copy()
    for j in range(len(w)):
        z = X[:, j] @ (y - X @ w + X[:, j] * w[j])
        w[j] = np.sign(z) * max(abs(z) - alpha, 0) / (X[:, j] @ X[:, j])
    return w


@lasso_sweep.wrong("Columns have different lengths: divide by X_j'X_j / n.")
def not_divided(X, y, w, alpha):
    n, w = len(y), w.copy()
    for j in range(len(w)):
        z = X[:, j] @ (y - X @ w + X[:, j] * w[j]) / n
        w[j] = np.sign(z) * max(abs(z) - alpha, 0)
    return w


@lasso_sweep.wrong(
    "Take alpha off the correlation first, then divide. Here the threshold is applied after the division."
)
def threshold_last(X, y, w, alpha):
    w = w.copy()
    for j in range(len(w)):
        z = X[:, j] @ (y - X @ w + X[:, j] * w[j]) / (X[:, j] @ X[:, j])
        w[j] = np.sign(z) * max(abs(z) - alpha, 0)
    return w


@lasso_sweep.wrong("This is ridge: the L1 penalty takes alpha off and makes zeros.")
def shrunk_not_thresholded(X, y, w, alpha):
    n, w = len(y), w.copy()
    for j in range(len(w)):
        z = X[:, j] @ (y - X @ w + X[:, j] * w[j]) / n
        w[j] = z / (X[:, j] @ X[:, j] / n + alpha)
    return w


# --- a step of AdamW -------------------------------------------------------------------------------------------------


def first_adamw_step(w, gradient, lr, weight_decay):
    """Ours, on a copy, for a step changes its parameters in place."""
    return AdamW(lr, weight_decay=weight_decay).step(w.copy(), gradient)


def steps_of(smallest, values, gradients):
    """Draw weights, a gradient of the same length, a learning rate and a weight decay."""
    rates, decays = st.sampled_from([0.1, 0.5, 2.0]), st.sampled_from([0.5, 0.1, 0.0])
    return st.integers(smallest, 4).flatmap(lambda n: st.tuples(arrays(n, values), arrays(n, gradients), rates, decays))


adamw_step = Exercise(
    id="regularization/adamw_step",
    signature="adamw_step(w, gradient, lr, weight_decay) -> new_w",
    task="The first step of AdamW, t = 1, both averages at 0 before it, betas 0.9 and 0.999, eps 1e-8. "
    "Return the new weights and leave w as it is.",
    task_zh="AdamW 的第一步：t = 1，两个滑动平均初始为 0，betas 为 0.9 和 0.999，eps 为 1e-8。"
    "返回新的权重，不要修改 w。",
    reference=first_adamw_step,
    tiers=(steps_of(2, SMALL, SMALL), steps_of(1, WIDE, (*WIDE, 1e-8, -1e-4))),  # small ones show eps
    forbidden=("torch.optim",),
    cost="O(d): one pass, and two numbers kept for each weight",
    hints=(
        "W is for decoupled weight decay: it acts on the weights and stays out of the gradient's averages.",
        "First multiply the weights by 1 - lr weight_decay. Then make a plain Adam step with the pure gradient.",
        "m = 0.1 g / (1 - 0.9); v = 0.001 g^2 / (1 - 0.999); w (1 - lr weight_decay) - lr m / (sqrt(v) + 1e-8).",
    ),
)


@adamw_step.right
def decoupled(w, gradient, lr, weight_decay):
    m, v = 0.1 * gradient / (1 - 0.9), 0.001 * gradient**2 / (1 - 0.999)
    return w * (1 - lr * weight_decay) - lr * m / (np.sqrt(v) + 1e-8)


@adamw_step.right
def the_first_step_is_the_sign(w, gradient, lr, weight_decay):
    return w - lr * weight_decay * w - lr * gradient / (np.abs(gradient) + 1e-8)


@adamw_step.library
def torch_adamw(w, gradient, lr, weight_decay):
    import torch

    parameter = torch.tensor(w, requires_grad=True)
    parameter.grad = torch.tensor(gradient)
    torch.optim.AdamW([parameter], lr=lr, weight_decay=weight_decay).step()
    return parameter.detach().numpy()


@adamw_step.wrong("This is Adam with an L2 penalty: the decay must not pass through Adam's averages.")
def decay_in_the_gradient(w, gradient, lr, weight_decay):
    return decoupled(w, gradient + weight_decay * w, lr, 0.0)


@adamw_step.wrong("The decay is scaled by the learning rate: w times 1 - lr weight_decay.")
def decay_without_lr(w, gradient, lr, weight_decay):
    return decoupled(w, gradient, lr, weight_decay / lr)


@adamw_step.wrong("eps stands outside the root. Inside, it counts as its square root, 1e-4.")
def eps_inside(w, gradient, lr, weight_decay):
    return w * (1 - lr * weight_decay) - lr * gradient / np.sqrt(gradient**2 + 1e-8)


@adamw_step.wrong("The first step has the size lr only where the gradient is far above eps: divide by |g| + eps.")
def only_the_sign(w, gradient, lr, weight_decay):
    return w * (1 - lr * weight_decay) - lr * np.sign(gradient)


@adamw_step.wrong("The averages start at 0: divide m by 1 - 0.9^t and v by 1 - 0.999^t.")
def no_correction(w, gradient, lr, weight_decay):
    m, v = 0.1 * gradient, 0.001 * gradient**2
    return w * (1 - lr * weight_decay) - lr * m / (np.sqrt(v) + 1e-8)


@adamw_step.wrong("This is SGD with weight decay: Adam divides by the root of the squared gradient's average.")
def plain_sgd(w, gradient, lr, weight_decay):
    return w - lr * (gradient + weight_decay * w)


@adamw_step.wrong("The decay makes weights smaller: subtract it.")
def growing(w, gradient, lr, weight_decay):
    return decoupled(w, gradient, lr, -weight_decay)


@adamw_step.wrong("The decay is missing.")
def no_decay(w, gradient, lr, weight_decay):
    return decoupled(w, gradient, lr, 0.0)
