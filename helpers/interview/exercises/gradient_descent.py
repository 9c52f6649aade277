"""Topic 13: clipping by the total norm, the largest stable rate, one mini-batch step, and a path with Nesterov."""

import math

import numpy as np
import torch
from hypothesis import strategies as st

from ...algorithms.gradient_descent import Logistic
from . import SMALL, WIDE, Exercise, arrays

# --- clipping --------------------------------------------------------------------------------------------------------

SHAPES = st.sampled_from([(1,), (2,), (3,), (5,), (2, 3), (3, 2), (1, 4), (4, 1), (2, 1, 2)])


@st.composite
def gradients(draw, values, shapes, counts, limits):
    """Draw the gradients of several parameters of different shapes, sometimes all of them small, and a limit."""
    scale = draw(st.sampled_from([1.0, 1.0, 2.0**-9])) if len(limits) > 3 else 1.0
    grads = [scale * draw(arrays(draw(shapes), values)) for _ in range(draw(counts))]
    max_norm = draw(st.sampled_from(limits))
    total_norm = np.sqrt(sum((grad**2).sum() for grad in grads))
    # clipped below 1, answers with and without torch's 1e-6 would differ
    return grads, 1.0 if max_norm < total_norm < 1 else max_norm


def clip_by_total_norm(grads, max_norm):
    """Ours: one factor for all, at most 1."""
    total_norm = torch.stack([grad.square().sum() for grad in grads]).sum().sqrt()
    factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
    return [grad * factor for grad in grads], total_norm


clip_grad_norm = Exercise(
    id="gradient_descent/clip_grad_norm",
    signature="clip_grad_norm(grads, max_norm) -> clipped, total_norm",
    task="grads is a list of tensors, one per parameter, of different shapes. Return a new list in which all are "
    "shortened by one factor, so that together they are no longer than max_norm, and their total length before. Leave "
    "short ones as they are; all may be 0. torch adds 1e-6 to the length by which it divides; either way is right.",
    task_zh="grads 是张量列表，每个参数一个，形状各不相同。"
    "把它们乘以同一个系数，使总范数不超过 max_norm；返回新列表和裁剪前的总范数。"
    "总范数本来就不超过时保持不变；梯度可能全为 0。torch 在作除数的范数上加了 1e-6，加不加都算对。",
    reference=clip_by_total_norm,
    tiers=(
        gradients(SMALL, st.sampled_from([(2,), (3,), (2, 2)]), st.integers(2, 3), (1.0, 2.0, 5.0)),
        gradients(WIDE, SHAPES, st.integers(1, 4), (0.125, 0.5, 1.0, 1.5, 7.25, 100.0, 1e6)),
    ),
    tensors=True,
    forbidden=("torch.nn.utils", "torch.nn.utils.clip_grad_norm_"),
    cost="O(parameters): one pass for the norm, one to scale",
    hints=(
        "One length for all gradients together, as if they were one long vector.",
        "total_norm is the root of the sum of all squares; the factor is max_norm / total_norm, but never above 1.",
        "factor = min(1, max_norm / (total_norm + 1e-6)); return [g * factor for g in grads], total_norm.",
    ),
)


@clip_grad_norm.right
def one_factor(grads, max_norm):
    total_norm = torch.sqrt(sum((grad**2).sum() for grad in grads))
    factor = min(1.0, max_norm / (total_norm.item() + 1e-6))
    return [grad * factor for grad in grads], total_norm


@clip_grad_norm.right
def norm_of_norms(grads, max_norm):
    total_norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(grad) for grad in grads]))
    return [grad * (max_norm / total_norm) if total_norm > max_norm else grad.clone() for grad in grads], total_norm


@clip_grad_norm.right
def one_long_vector(grads, max_norm):
    total_norm = torch.cat([grad.flatten() for grad in grads]).norm()
    return [grad / torch.clamp(total_norm / max_norm, min=1.0) for grad in grads], total_norm.item()


@clip_grad_norm.right
def in_numpy(grads, max_norm):
    grads = [grad.numpy() for grad in grads]
    total_norm = math.sqrt(sum(float(np.square(grad).sum()) for grad in grads))
    factor = 1.0 if total_norm <= max_norm else max_norm / total_norm
    return tuple((factor * grad).tolist() for grad in grads), total_norm


@clip_grad_norm.library
def clip_by_torch(grads, max_norm):
    parameters = [torch.zeros_like(grad, requires_grad=True) for grad in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad.clone()
    total_norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return [parameter.grad for parameter in parameters], total_norm


@clip_grad_norm.wrong("One factor for all: clipped one by one, the gradient's direction changes.")
def one_by_one(grads, max_norm):
    total_norm = torch.sqrt(sum((grad**2).sum() for grad in grads))
    return [grad * min(1.0, max_norm / (grad.norm().item() + 1e-6)) for grad in grads], total_norm


@clip_grad_norm.wrong("The factor is at most 1: short gradients are not made longer.")
def always_scaled(grads, max_norm):
    total_norm = torch.sqrt(sum((grad**2).sum() for grad in grads))
    return [grad * (max_norm / (total_norm + 1e-6)) for grad in grads], total_norm


@clip_grad_norm.wrong("That limits every entry by its size. The norm is to be limited, by one factor.")
def entry_by_entry(grads, max_norm):
    total_norm = torch.sqrt(sum((grad**2).sum() for grad in grads))
    return [grad.clamp(-max_norm, max_norm) for grad in grads], total_norm


@clip_grad_norm.wrong("The norms of the parts do not add up; their squares do.")
def sum_of_norms(grads, max_norm):
    total_norm = sum(grad.norm() for grad in grads)
    return [grad * min(1.0, max_norm / (total_norm.item() + 1e-6)) for grad in grads], total_norm


@clip_grad_norm.wrong("The root is missing: that is the square of the length.")
def no_root(grads, max_norm):
    total_norm = sum((grad**2).sum() for grad in grads)
    return [grad * min(1.0, max_norm / (total_norm.item() + 1e-6)) for grad in grads], total_norm


@clip_grad_norm.wrong("total_norm is the length before clipping.")
def norm_after(grads, max_norm):
    clipped, total_norm = clip_by_total_norm(grads, max_norm)
    return clipped, total_norm.clamp(max=max_norm)


@clip_grad_norm.wrong("The largest of the norms is not the norm of all together.")
def largest_norm(grads, max_norm):
    total_norm = torch.stack([grad.norm() for grad in grads]).max()
    return [grad * min(1.0, max_norm / (total_norm.item() + 1e-6)) for grad in grads], total_norm


@clip_grad_norm.wrong("The length is the root of the sum of squares, not the sum of sizes (that is the 1-norm).")
def one_norm(grads, max_norm):
    total_norm = sum(grad.abs().sum() for grad in grads)
    return [grad * min(1.0, max_norm / (total_norm.item() + 1e-6)) for grad in grads], total_norm


@clip_grad_norm.wrong("The length is that of all gradients, not of the first.")
def first_norm(grads, max_norm):
    total_norm = grads[0].norm()
    return [grad * min(1.0, max_norm / (total_norm.item() + 1e-6)) for grad in grads], total_norm


@clip_grad_norm.wrong("Where all gradients are 0, the division gives NaN: take the factor 1.")
def divided_by_zero(grads, max_norm):
    total_norm = torch.sqrt(sum((grad**2).sum() for grad in grads))
    return [grad / total_norm * total_norm.clamp(max=max_norm) for grad in grads], total_norm


@clip_grad_norm.wrong("A mean is not a length: add the squares up, do not average them.")
def root_mean_square(grads, max_norm):
    total_norm = torch.cat([grad.flatten() for grad in grads]).square().mean().sqrt()
    return [grad * min(1.0, max_norm / (total_norm.item() + 1e-6)) for grad in grads], total_norm


# --- the largest rate ------------------------------------------------------------------------------------------------


@st.composite
def hessians(draw, values, smallest, largest, scales):
    """Draw a symmetric matrix without negative eigenvalues, sometimes with some that are 0, but not all."""
    d = draw(st.integers(smallest, largest))
    factor = draw(arrays((draw(st.integers(1, largest)), d), values))
    H = factor.T @ factor + draw(st.sampled_from([0.0, 0.25, 1.0])) * np.eye(d)
    return (draw(st.sampled_from(scales)) * (H if H.any() else H + np.eye(d)),)


def two_over_the_largest(H):
    """Ours: 2 over the largest eigenvalue."""
    return 2 / np.linalg.eigvalsh(H)[-1]


stable_rate = Exercise(
    id="gradient_descent/stable_rate",
    signature="stable_rate(H) -> lr",
    task="H is the Hessian of a convex quadratic, symmetric, without negative eigenvalues and not 0. Return the "
    "learning rate up to which plain gradient descent does not diverge.",
    task_zh="H 是凸二次函数的海森矩阵，对称、没有负特征值、不为零。返回普通梯度下降不发散的学习率上限。",
    reference=two_over_the_largest,
    tiers=(
        hessians((1.0, 2.0, -1.0, 0.5), 2, 3, (1.0,)),
        hessians((0.0, 1.0, -1.0, 0.25, 0.25 + 2**-10, -3.0, 2**-5, 20.0), 1, 4, (1.0, 4.0, 2.0**-9)),
    ),
    narrow={"H": "tall wide distinct: symmetric"},
    cost="O(d^3) for all eigenvalues; a few products H v suffice for the largest",
    hints=(
        "In the direction of an eigenvector of curvature h, a step multiplies the error by 1 - lr h.",
        "That stays between -1 and 1 if lr h is at most 2, for every eigenvalue h.",
        "return 2 / np.linalg.eigvalsh(H).max().",
    ),
)


@stable_rate.right
def by_eigvalsh(H):
    return 2 / np.linalg.eigvalsh(H).max()


@stable_rate.right
def by_spectral_norm(H):
    return 2.0 / np.linalg.norm(H, 2)


@stable_rate.right
def by_svd(H):
    return float(2 / np.linalg.svd(H, compute_uv=False)[0])


@stable_rate.right
def by_repeated_squaring(H):
    scale, power = 0.0, H / np.linalg.norm(H)
    for k in range(60):
        power = power @ power
        size = np.linalg.norm(power)
        scale, power = scale + np.log(size) / 2 ** (k + 1), power / size
    return 2 / (np.linalg.norm(H) * np.exp(scale))


@stable_rate.wrong("Up to 1 / L the steps do not overshoot, but the path still converges up to 2 / L.")
def one_over(H):
    return 1 / np.linalg.eigvalsh(H).max()


@stable_rate.wrong("The steepest direction limits the rate: the largest eigenvalue, not the smallest.")
def of_the_smallest(H):
    h = np.linalg.eigvalsh(H)
    return 2 / max(h.min(), 1e-12)


@stable_rate.wrong("The trace is the sum of all eigenvalues, too much as soon as a second one is above 0.")
def of_the_trace(H):
    return 2 / np.trace(H)


@stable_rate.wrong("The largest entry of the diagonal is at most the largest eigenvalue: other entries count too.")
def of_the_diagonal(H):
    return 2 / np.diag(H).max()


@stable_rate.wrong("The Frobenius norm is the root of the sum of all squared eigenvalues. Only the largest counts.")
def of_the_frobenius_norm(H):
    return 2 / np.linalg.norm(H)


@stable_rate.wrong("The best fixed rate is 2 / (largest + smallest). The question is up to which it converges.")
def best_rate(H):
    h = np.linalg.eigvalsh(H)
    return 2 / (h.max() + h.min())


@stable_rate.wrong("The largest row sum is only a bound for the largest eigenvalue.")
def of_row_sums(H):
    return 2 / np.abs(H).sum(axis=1).max()


@stable_rate.wrong("The mean curvature does not limit the rate, the largest does.")
def of_the_mean(H):
    return 2 / np.linalg.eigvalsh(H).mean()


# --- one mini-batch step ---------------------------------------------------------------------------------------------


@st.composite
def samples(draw, values, smallest, largest):
    """Draw weights, samples with labels, a batch that may hold a row twice, and a rate."""
    n, d = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    w, X = draw(arrays(d, values)), draw(arrays((n, d), values))
    y = np.array([draw(st.sampled_from([-1, 1])) for _ in range(n)])
    rows = np.array([draw(st.integers(0, n - 1)) for _ in range(draw(st.integers(1, 5)))])
    return w, X, y, rows, draw(st.sampled_from([0.5, 0.1, 2.0, 1.0]))


def step_of_a_batch(w, X, y, rows, lr):
    """Ours: down the mean gradient of the batch."""
    return w - lr * Logistic(X, y).gradient(w, rows)


minibatch_step = Exercise(
    id="gradient_descent/minibatch_step",
    signature="minibatch_step(w, X, y, rows, lr) -> w",
    task="Make one step of mini-batch gradient descent on the logistic loss log(1 + exp(-y x.w)), averaged over the "
    "samples with the row numbers in rows. y holds -1 and 1; a row may occur twice and then counts twice; margins may "
    "be in the thousands. Return the new w.",
    task_zh="对 logistic 损失 log(1 + exp(-y x·w)) 做一步小批量梯度下降，损失在 rows 给出的样本上取平均。y 取 -1 和 1；"
    "同一行可能出现两次，则计两次；间隔可达上千。返回新的 w。",
    reference=step_of_a_batch,
    tiers=(
        samples(SMALL, 2, 3),
        samples((0.0, 1.0, 1 + 2**-11, 1 - 2**-11, 0.25, 0.25 + 2**-11, -0.375, -3.0, 2**-8, 100.0, -100.0), 1, 6),
    ),
    narrow={"y": "distinct: -1 and 1"},
    forbidden=("torch.autograd", "torch.optim", "sklearn.linear_model"),
    cost="O(B d) for a batch of B rows, whatever n is",
    hints=(
        "Differentiate log(1 + exp(-m)) by the margin m = y x.w, then m by w.",
        "The gradient of one sample is -y x / (1 + exp(m)). For large m exp overflows: write it with exp(-|m|).",
        "m = y[rows] * (X[rows] @ w); e = np.exp(-np.abs(m)); s = np.where(m >= 0, e, 1) / (1 + e); "
        "w + lr * (s * y[rows]) @ X[rows] / len(rows).",
    ),
)


def _share(margin):
    """1 / (1 + exp(margin)), without overflow."""
    e = np.exp(-np.abs(margin))
    return np.where(margin >= 0, e, 1.0) / (1 + e)


@minibatch_step.right
def vectorized(w, X, y, rows, lr):
    X, y = X[rows], y[rows]
    return w + lr * (_share(y * (X @ w)) * y) @ X / len(rows)


@minibatch_step.right
def row_by_row(w, X, y, rows, lr):
    grad = np.zeros_like(w)
    for row in rows:
        grad -= _share(y[row] * X[row].dot(w)) * y[row] * X[row]
    return w - lr * grad / len(rows)


@minibatch_step.right
def by_tanh(w, X, y, rows, lr):
    X, y = X[rows], y[rows][:, None]
    share = (1 - np.tanh(y * (X @ w[:, None]) / 2)) / 2
    return w + lr * np.mean(share * y * X, axis=0)


@minibatch_step.right
def by_probabilities(w, X, y, rows, lr):
    truth = (y[rows] + 1) / 2
    score = X[rows] @ w
    probability = _share(-score)
    return (w - lr * np.einsum("n,nd->d", probability - truth, X[rows]) / rows.size).tolist()


@minibatch_step.wrong("The batch is averaged: divide by the number of its rows.")
def summed(w, X, y, rows, lr):
    X, y = X[rows], y[rows]
    return w + lr * (_share(y * (X @ w)) * y) @ X


@minibatch_step.wrong("Only the rows of the batch count, not all samples.")
def full_batch(w, X, y, rows, lr):
    return w + lr * (_share(y * (X @ w)) * y) @ X / len(X)


@minibatch_step.wrong("The mean is over the batch: divide by the number of its rows, not of all samples.")
def divided_by_all(w, X, y, rows, lr):
    n, X, y = len(X), X[rows], y[rows]
    return w + lr * (_share(y * (X @ w)) * y) @ X / n


@minibatch_step.wrong("The sign is turned: this goes up.")
def uphill(w, X, y, rows, lr):
    return 2 * w - step_of_a_batch(w, X, y, rows, lr)


@minibatch_step.wrong("A row that occurs twice counts twice.")
def unique_rows(w, X, y, rows, lr):
    return step_of_a_batch(w, X, y, np.unique(rows), lr)


@minibatch_step.wrong("Where exp overflows, inf / inf is NaN: write the share with exp(-|m|).")
def overflows(w, X, y, rows, lr):
    X, y = X[rows], y[rows]
    with np.errstate(all="ignore"):
        e = np.exp(-y * (X @ w))
        return w + lr * (e / (1 + e) * y) @ X / len(rows)


@minibatch_step.wrong("That takes labels 0 and 1; here they are -1 and 1.")
def labels_zero_and_one(w, X, y, rows, lr):
    return w - lr * (_share(-(X[rows] @ w)) - y[rows]) @ X[rows] / len(rows)


@minibatch_step.wrong("The label enters twice: in the margin and as the factor -y.")
def label_once(w, X, y, rows, lr):
    X, y = X[rows], y[rows]
    return w + lr * (_share(X @ w) * y) @ X / len(rows)


@minibatch_step.wrong(
    "That is one step per sample, one after the other. A batch makes one step, with the mean gradient."
)
def sample_after_sample(w, X, y, rows, lr):
    for row in rows:
        w = w + lr * _share(y[row] * X[row].dot(w)) * y[row] * X[row] / len(rows)
    return w


@minibatch_step.wrong("That is the hinge loss: samples beyond the margin pull as well, a little.")
def hinge(w, X, y, rows, lr):
    X, y = X[rows], y[rows]
    return w + lr * ((y * (X @ w) < 1) * y) @ X / len(rows)


# --- a path ----------------------------------------------------------------------------------------------------------


@st.composite
def valleys(draw, values, smallest, largest, steps):
    """Draw curvatures, a start and the settings of a path."""
    d = draw(st.integers(smallest, largest))
    curvatures, start = draw(arrays(d, values)), draw(arrays(d, values))
    settings = [st.sampled_from([0.5, 0.25, 0.125]), st.sampled_from([0.5, 0.9, 0.25, 0.0]), st.sampled_from(steps)]
    return curvatures, start, *map(draw, settings)


def _walked(h, start, lr, momentum, steps):
    """Ours: the gradient of the parabolas is h w."""
    w, b, path = start.copy(), np.zeros_like(start), [start.copy()]
    for _ in range(steps):
        b = momentum * b + h * (w - lr * momentum * b)
        w = w - lr * b
        path.append(w)
    return np.array(path)


nesterov_path = Exercise(
    id="gradient_descent/nesterov_path",
    signature="nesterov_path(h, start, lr, momentum, steps) -> path",
    task="Descend the sum of h_i w_i^2 / 2 with Nesterov's momentum, from start: the buffer is b <- momentum b + g, "
    "with the gradient g taken at the look-ahead place w - lr momentum b, and w <- w - lr b. b begins with 0. Return "
    "all places, start first, as an array (steps + 1, d).",
    task_zh="从 start 出发，用 Nesterov 动量最小化 h_i w_i^2 / 2 之和：缓冲 b <- momentum b + g，"
    "其中梯度 g 在前瞻点 w - lr momentum b 处计算，再令 w <- w - lr b。b 初值为 0。"
    "返回包括起点在内的全部位置，形状 (steps + 1, d)。",
    reference=_walked,
    tiers=(
        valleys((1.0, 2.0, -1.0, 0.5), 2, 3, (1, 2, 3)),
        valleys((0.0, 1.0, 1 + 2**-12, -1.0, 0.25, 0.25 + 2**-12, 2**-8, 100.0, -2.0), 1, 6, (0, 1, 2, 4)),
    ),
    forbidden=("torch.optim",),
    cost="O(steps d): one gradient per step, as plain momentum",
    hints=(
        "The gradient of h w^2 / 2 is h w. Where is it taken?",
        "At w - lr * momentum * b, with the buffer b of the step before.",
        "b = momentum * b + h * (w - lr * momentum * b); w = w - lr * b; path.append(w).",
    ),
)


@nesterov_path.right
def as_written(h, start, lr, momentum, steps):
    path = np.tile(start, (steps + 1, 1))
    b = np.zeros(len(start))
    for t in range(steps):
        g = h * (path[t] - lr * momentum * b)
        b = momentum * b + g
        path[t + 1] = path[t] - lr * b
    return path


@nesterov_path.right
def by_differences(h, start, lr, momentum, steps):
    path = [start, start]  # the step before the first is 0
    for _ in range(steps):
        ahead = path[-1] + momentum * (path[-1] - path[-2])
        path.append(ahead - lr * h * ahead)
    return np.stack(path[1:])


@nesterov_path.right
def by_columns(h, start, lr, momentum, steps):
    columns = []
    for curvature, w in zip(h.tolist(), start.tolist(), strict=True):
        column, velocity = [w], 0.0
        for _ in range(steps):
            velocity = momentum * velocity - lr * curvature * (w + momentum * velocity)
            w += velocity
            column.append(w)
        columns.append(column)
    return list(map(list, zip(*columns, strict=True)))


@nesterov_path.right
def by_matrix(h, start, lr, momentum, steps):
    path, state = [start], np.stack([start, np.zeros_like(start)])
    for _ in range(steps):
        b = momentum * state[1] + h * state[0] - h * lr * momentum * state[1]
        state = np.stack([state[0] - lr * b, b])
        path.append(state[0])
    return np.array(path)


@nesterov_path.wrong("That is plain momentum: the gradient belongs at the look-ahead place w - lr momentum b.")
def no_look_ahead(h, start, lr, momentum, steps):
    w, b, path = start, np.zeros_like(start), [start]
    for _ in range(steps):
        b = momentum * b + h * w
        w = w - lr * b
        path.append(w)
    return np.array(path)


@nesterov_path.wrong("That is PyTorch's form, whose places are the look-ahead ones. Here w itself is asked for.")
def look_ahead_places(h, start, lr, momentum, steps):
    p, b, path = start, np.zeros_like(start), [start]
    for _ in range(steps):
        b = momentum * b + h * p
        p = p - lr * (h * p + momentum * b)
        path.append(p)
    return np.array(path)


@nesterov_path.wrong("The look-ahead goes on in the direction of the step, which is minus the buffer.")
def looks_back(h, start, lr, momentum, steps):
    w, b, path = start, np.zeros_like(start), [start]
    for _ in range(steps):
        b = momentum * b + h * (w + lr * momentum * b)
        w = w - lr * b
        path.append(w)
    return np.array(path)


@nesterov_path.wrong("The step starts from w, not from the look-ahead place: the buffer holds momentum b already.")
def moved_twice(h, start, lr, momentum, steps):
    w, b, path = start, np.zeros_like(start), [start]
    for _ in range(steps):
        ahead = w - lr * momentum * b
        b = momentum * b + h * ahead
        w = ahead - lr * b
        path.append(w)
    return np.array(path)


@nesterov_path.wrong("The look-ahead is the step that the buffer will make: the learning rate belongs to it.")
def rate_forgotten(h, start, lr, momentum, steps):
    w, b, path = start, np.zeros_like(start), [start]
    for _ in range(steps):
        b = momentum * b + h * (w - momentum * b)
        w = w - lr * b
        path.append(w)
    return np.array(path)


@nesterov_path.wrong("The start belongs to the path: steps + 1 places.")
def start_missing(h, start, lr, momentum, steps):
    return _walked(h, start, lr, momentum, steps)[1:]


@nesterov_path.wrong("This buffer is a running mean. Here the whole gradient is added: b = momentum b + g.")
def running_mean(h, start, lr, momentum, steps):
    w, b, path = start, np.zeros_like(start), [start]
    for _ in range(steps):
        b = momentum * b + (1 - momentum) * h * (w - lr * momentum * b)
        w = w - lr * b
        path.append(w)
    return np.array(path)


@nesterov_path.wrong("The buffer is kept from step to step; here it begins anew.")
def no_memory(h, start, lr, momentum, steps):
    w, path = start, [start]
    for _ in range(steps):
        w = w - lr * h * w
        path.append(w)
    return np.array(path)
