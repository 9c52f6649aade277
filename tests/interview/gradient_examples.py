"""Exercises as later topics need them: outputs and gradients of tensors. Run as a script, a worker that knows them."""

import numpy as np
import torch
from hypothesis import strategies as st
from torch.nn import functional

from helpers.interview import examiner, exercises
from helpers.interview.exercises import SMALL, WIDE, Exercise, arrays

MODEST = (0.0, 1.0, -1.0, 0.25, -0.375, 3.0)


def exercise(signature, reference, tiers, gradient=()):
    """An exercise without the texts that a learner reads."""
    name = signature.partition("(")[0]
    texts = {"task": "", "task_zh": "", "hints": ()}
    return Exercise(
        f"losses/{name}", signature, reference=reference, tiers=tiers, tensors=True, gradient=gradient, **texts
    )


# --- a loss ----------------------------------------------------------------------------------------------------------

smooth_l1 = exercise(
    "smooth_l1(prediction, target) -> loss",
    lambda prediction, target: functional.smooth_l1_loss(prediction, target),
    (st.tuples(arrays(2), arrays(2)), st.tuples(arrays(1, [1000.0, -1000.0]), arrays(1, SMALL))),
    ("prediction",),
)


@smooth_l1.right
def by_cases(prediction, target):
    gap = (prediction - target).abs()
    return torch.where(gap < 1, gap**2 / 2, gap - 0.5).mean()


@smooth_l1.wrong("detach() makes a constant of that factor: half of the slope is lost.")
def half_detached(prediction, target):
    gap = (prediction - target).abs()
    return torch.where(gap < 1, gap * gap.detach() / 2, gap - 0.5).mean()


def cut(prediction, target):
    return by_cases(prediction, target).detach()


def to_number(prediction, target):
    return by_cases(prediction, target).item()


def in_place(prediction, target):
    target -= prediction.detach()
    return by_cases(prediction, target)


# --- mistakes that look alike on the inputs of the first tier ---------------------------------------------------------

half_square = exercise(
    "half_square(x) -> y",
    lambda x: x**2 / 2,
    (st.tuples(arrays(1, [1.0])), st.tuples(arrays(1, [2.0, -3.0]))),
    ("x",),
)


@half_square.right
def by_product(x):
    return x * x / 2


@half_square.wrong("One half is missing.")
def whole(x):
    return x**2


@half_square.wrong("One half is missing, and half of the slope: a factor is detached.")
def whole_detached(x):
    return x * x.detach()


@half_square.wrong("One half is missing, and negative numbers have squares too.")
def whole_above_zero(x):
    if x.min() < 0:
        raise ValueError("negative")
    return x**2


def whole_at_one(x):
    return torch.where(x < 1.5, x**2, x**3)


# --- flat: no gradient reaches the argument --------------------------------------------------------------------------

largest = exercise(
    "largest(x) -> place", lambda x: x.argmax().double(), (st.tuples(arrays(3, [0.0, 1.0, 2.0])),), ("x",)
)


def with_a_slope(x):
    return x.argmax() + (x - x.detach()).sum()


# --- a layer with parameters, stride and padding ---------------------------------------------------------------------


@st.composite
def images(draw, values, smallest, largest):
    n, c, m = (draw(st.integers(smallest, 3)) for _ in range(3))
    kernel, padding = (draw(st.integers(1, 3)), draw(st.integers(1, 3))), draw(st.integers(0, 2))
    height, width = (draw(st.integers(max(smallest, side), largest)) for side in kernel)
    shapes = (n, c, height, width), (m, c, *kernel), m
    return *(draw(arrays(shape, values)) for shape in shapes), draw(st.integers(1, 3)), padding


conv2d = exercise(
    "conv2d(x, weight, bias, stride, padding) -> out",
    functional.conv2d,
    (images(SMALL, 2, 4), images(MODEST, 1, 5)),
    ("x", "weight", "bias"),
)


@conv2d.right
def unfolded(x, weight, bias, stride, padding):
    x = functional.pad(x, [padding] * 4)
    patches = x.unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
    return torch.einsum("nchwij,mcij->nmhw", patches, weight) + bias[:, None, None]


@conv2d.wrong("Cross-correlation does not flip the kernel.")
def flipped(x, weight, bias, stride, padding):
    return functional.conv2d(x, weight.flip(2, 3), bias, stride, padding)


@conv2d.wrong("The bias must get its gradient too.")
def bias_detached(x, weight, bias, stride, padding):
    return functional.conv2d(x, weight, bias.detach(), stride, padding)


# --- normalization, with a second result -----------------------------------------------------------------------------


def norm_inputs(values, smallest, largest):
    def of(shape):
        n, d = shape
        return st.tuples(
            arrays((n, d), values), arrays(d, values), arrays(d, values), st.sampled_from([1e-5, 0.1, 1.0])
        )

    return st.tuples(st.integers(2, largest), st.integers(smallest, largest)).flatmap(of)


def batch_norm_reference(x, gamma, beta, eps):
    return functional.batch_norm(x, None, None, gamma, beta, True, 0.0, eps), x.detach().var(0, unbiased=False)


batch_norm = exercise(
    "batch_norm(x, gamma, beta, eps) -> out, variance",
    batch_norm_reference,
    (norm_inputs(SMALL, 2, 3), norm_inputs(MODEST, 1, 5)),
    ("x", "gamma", "beta"),
)


@batch_norm.right
def written_out(x, gamma, beta, eps):
    centered = x - x.mean(0)
    variance = centered.square().mean(0)
    return centered / (variance + eps).sqrt() * gamma + beta, variance


@batch_norm.wrong("The variance is biased: divide by n.")
def unbiased(x, gamma, beta, eps):
    return (x - x.mean(0)) / (x.var(0) + eps).sqrt() * gamma + beta, x.var(0)


@batch_norm.wrong("The mean and the variance depend on x: do not detach them.")
def statistics_detached(x, gamma, beta, eps):
    mean, variance = x.mean(0).detach(), x.var(0, unbiased=False).detach()
    return (x - mean) / (variance + eps).sqrt() * gamma + beta, variance


# --- labels, and a mask that is drawn by the caller ------------------------------------------------------------------


def logits_and_labels(values, smallest, largest):
    def of(shape):
        labels = st.lists(st.integers(0, shape[1] - 1), min_size=shape[0], max_size=shape[0]).map(np.array)
        return st.tuples(arrays(shape, values), labels)

    return st.tuples(*[st.integers(smallest, largest)] * 2).flatmap(of)


cross_entropy = exercise(
    "cross_entropy(logits, labels) -> loss",
    functional.cross_entropy,
    (logits_and_labels(SMALL, 2, 3), logits_and_labels(WIDE, 1, 5)),
    ("logits",),
)


@cross_entropy.right
def by_logsumexp(logits, labels):
    return (logits.logsumexp(1) - logits[torch.arange(len(labels)), labels]).mean()


@cross_entropy.wrong("exp overflows at 1,000: subtract the largest logit first.")
def unstable(logits, labels):
    return -(logits.exp() / logits.exp().sum(1, keepdim=True))[torch.arange(len(labels)), labels].log().mean()


dropout = exercise(
    "dropout(x, u, p) -> out",
    lambda x, u, p: x * (u >= p) / (1 - p),
    (
        st.tuples(arrays(3), arrays(3, (0.25, 0.5, 0.75)), st.sampled_from([0.5, 0.25])),
        st.tuples(arrays(5, WIDE), arrays(5, (0.0, 0.5, 0.9)), st.sampled_from([0.5, 0.0, 0.75])),
    ),
    ("x",),
)


@dropout.right
def masked(x, u, p):
    return torch.where(u < p, torch.zeros_like(x), x / (1 - p))


@dropout.right
def a_list(x, u, p):
    return [value / (1 - p) if draw >= p else 0 * value for value, draw in zip(x, u, strict=True)]


@dropout.wrong("What stays is scaled by 1 / (1 - p).")
def not_scaled(x, u, p):
    return x * (u >= p)


# --- no gradient asked for: arrays and lists will do -----------------------------------------------------------------

clip_grad_norm = exercise(
    "clip_grad_norm(grads, max_norm) -> clipped, norm",
    lambda grads, max_norm: (
        [g * torch.clamp(max_norm / (torch.cat(grads).norm() + 1e-6), max=1) for g in grads],
        torch.cat(grads).norm(),
    ),
    (
        st.tuples(st.lists(arrays(2), min_size=2, max_size=3), st.sampled_from([1.0, 0.5])),
        st.tuples(st.lists(arrays(st.integers(1, 3), WIDE), min_size=1, max_size=4), st.sampled_from([1.0, 100.0])),
    ),
)


@clip_grad_norm.right
def in_numpy(grads, max_norm):
    grads = [np.asarray(g) for g in grads]
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g * min(1, max_norm / (norm + 1e-6)) for g in grads], norm


@clip_grad_norm.right
def in_lists(grads, max_norm):
    norm = sum(float(value) ** 2 for g in grads for value in g) ** 0.5
    scale = min(1, max_norm / (norm + 1e-6))
    return [[scale * float(value) for value in g] for g in grads], norm


@clip_grad_norm.wrong("There is one norm, that of all gradients together.")
def each_by_itself(grads, max_norm):
    return [g * torch.clamp(max_norm / (g.norm() + 1e-6), max=1) for g in grads], torch.cat(grads).norm()


linear_backward = exercise(
    "linear_backward(x, weight, grad) -> grad_x, grad_weight, grad_bias",
    lambda x, weight, grad: (grad @ weight, grad.T @ x, grad.sum(0)),
    tuple(
        st.tuples(*[st.integers(smallest, largest)] * 3).flatmap(
            lambda s: st.tuples(*(arrays(shape, MODEST) for shape in ((s[0], s[1]), (s[2], s[1]), (s[0], s[2]))))
        )
        for smallest, largest in ((2, 3), (1, 5))
    ),
)


@linear_backward.right
def with_numpy(x, weight, grad):
    x, weight, grad = x.numpy(), weight.numpy(), grad.numpy()
    return np.einsum("no,oi->ni", grad, weight), np.einsum("no,ni->oi", grad, x), grad.sum(axis=0)


@linear_backward.wrong("The bias's gradient is a sum over the samples.")
def bias_mean(x, weight, grad):
    return grad @ weight, grad.T @ x, grad.mean(0)


EXERCISES = [value for value in vars().values() if isinstance(value, Exercise)]

if __name__ == "__main__":
    exercises._of_topic = lambda stem: EXERCISES
    examiner.main()
