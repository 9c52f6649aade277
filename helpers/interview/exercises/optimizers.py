"""Topic 14: one step of SGD with momentum, of Adam, of AdamW."""

import numpy as np
from hypothesis import strategies as st

from ...algorithms import optimizers
from . import SMALL, WIDE, Exercise, arrays

LIBRARY = ("torch.optim",)


def drawn(names, sizes, values, **settings):
    """Draw the arrays p, g, b, m (any sign) and v (not negative), as many as `names` has letters, then the settings."""

    def of_size(size):
        own = {"v": tuple(sorted({abs(value) for value in values}))}
        return st.tuples(
            *(arrays(size, own.get(name, values)) for name in names), *map(st.sampled_from, settings.values())
        )

    return sizes.flatmap(of_size)


def tiers(names, **settings):
    """Readable values first, then one entry and large ones."""
    return drawn(names, st.integers(2, 3), SMALL, **settings), drawn(names, st.integers(1, 5), WIDE, **settings)


# --- momentum --------------------------------------------------------------------------------------------------------


momentum = Exercise(
    id="optimizers/momentum_step",
    signature="momentum_step(p, g, b, lr, momentum) -> p, b",
    task="Make one step of SGD with momentum, as torch does: p holds the parameters, g their gradient, b the momentum "
    "buffer of the step before. Return the new p and b. No dampening, no Nesterov.",
    task_zh="按 torch 的约定做一步带动量的 SGD：p 是参数，g 是梯度，b 是上一步的动量缓冲。"
    "返回新的 p 和 b。不用 dampening，不用 Nesterov。",
    reference=optimizers.momentum_step,
    tiers=tiers("pgb", lr=[0.5, 0.1, 1.0, 0.01], momentum=[0.5, 0.9, 0.25]),
    forbidden=LIBRARY,
    cost="O(d), with one more number kept for each weight",
    hints=(
        "The buffer is a sum of all gradients, the older the less. The parameters follow the buffer.",
        "The new buffer is momentum times the old one plus the whole gradient. The learning rate stays outside.",
        "b = momentum * b + g, then p - lr * b. Return both.",
    ),
)


@momentum.right
def buffer_then_step(p, g, b, lr, momentum):
    b = momentum * b + g
    return p - lr * b, b


@momentum.right
def entry_by_entry(p, g, b, lr, momentum):
    b = np.array([momentum * old + new for old, new in zip(b, g, strict=True)])
    return np.array([w - lr * step for w, step in zip(p, b, strict=True)]), b


@momentum.wrong("This is a running mean. torch adds the whole gradient: b = momentum * b + g, without 1 - momentum.")
def running_mean(p, g, b, lr, momentum):
    b = momentum * b + (1 - momentum) * g
    return p - lr * b, b


@momentum.wrong("Update the buffer first, then step with the new one. Here the old one is used.")
def old_buffer(p, g, b, lr, momentum):
    return p - lr * b, momentum * b + g


@momentum.wrong("The minus sign is missing: the step goes down the gradient.")
def uphill(p, g, b, lr, momentum):
    b = momentum * b + g
    return p + lr * b, b


@momentum.wrong("This is Nesterov's step, g + momentum * b. Plain momentum steps along b.")
def nesterov(p, g, b, lr, momentum):
    b = momentum * b + g
    return p - lr * (g + momentum * b), b


@momentum.wrong("Here the buffer contains the learning rate. torch keeps it outside: b = momentum * b + g, p - lr * b.")
def rate_inside(p, g, b, lr, momentum):
    b = momentum * b + lr * g
    return p - b, b


# --- Adam ------------------------------------------------------------------------------------------------------------


SETTINGS = {
    "t": [1, 2, 10, 1000],
    "lr": [0.5, 0.1, 2.0],
    "beta1": [0.5, 0.9, 0.75],
    "beta2": [0.5, 0.99, 0.999],
    "eps": [0.1, 1e-8, 1.0],
}
MEANS = {"v": "negative: a mean of squares"}

adam = Exercise(
    id="optimizers/adam_step",
    signature="adam_step(p, g, m, v, t, lr, beta1, beta2, eps) -> p, m, v",
    task="Make step number t (the first is 1) of Adam: m and v are the running means of g and of its square after step "
    "t - 1, not yet corrected. Return the new p, m and v.",
    task_zh="做 Adam 的第 t 步（从 1 数起）：m、v 是第 t-1 步之后 g 与 g 平方的滑动平均（未修正）。返回新的 p、m、v。",
    reference=optimizers.adam_step,
    tiers=tiers("pgmv", **SETTINGS),
    narrow=MEANS,
    forbidden=LIBRARY,
    cost="O(d), with two more numbers kept for each weight",
    hints=(
        "Two running means, one of g, one of its square. Both start from zero and so are too small at first.",
        "After t steps the coefficients of a mean add up to 1 - beta**t: divide by it, but keep the undivided mean.",
        "m = beta1 * m + (1 - beta1) * g, v likewise with g**2; then p - lr * m / (1 - beta1**t) over "
        "np.sqrt(v / (1 - beta2**t)) + eps.",
    ),
)


@adam.right
def as_in_the_paper(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v


@adam.right
def as_differences(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
    root = np.sqrt(v) / np.sqrt(1 - beta2**t)
    return p - lr / (1 - beta1**t) * m / (root + eps), m, v


@adam.wrong("The bias correction is missing: divide m by 1 - beta1**t and v by 1 - beta2**t.")
def no_correction(p, g, m, v, t, lr, beta1, beta2, eps):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (np.sqrt(v) + eps), m, v


@adam.wrong("Return m and v as they are. The corrected ones serve this step only: kept, they would be corrected twice.")
def corrected_state(p, g, m, v, t, lr, beta1, beta2, eps):
    p, m, v = as_in_the_paper(p, g, m, v, t, lr, beta1, beta2, eps)
    return p, m / (1 - beta1**t), v / (1 - beta2**t)


@adam.wrong("eps stands outside the root. Inside, it counts as its square root.")
def eps_inside(p, g, m, v, t, lr, beta1, beta2, eps):
    _, m, v = as_in_the_paper(p, g, m, v, t, lr, beta1, beta2, eps)
    return p - lr * m / (1 - beta1**t) / np.sqrt(v / (1 - beta2**t) + eps), m, v


@adam.wrong("The square root of v is missing: without it the step has the unit of 1 / g.")
def no_root(p, g, m, v, t, lr, beta1, beta2, eps):
    _, m, v = as_in_the_paper(p, g, m, v, t, lr, beta1, beta2, eps)
    return p - lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps), m, v


@adam.wrong("t counts from 1: the exponent of this step is t, not t + 1.")
def one_step_late(p, g, m, v, t, lr, beta1, beta2, eps):
    return as_in_the_paper(p, g, m, v, t + 1, lr, beta1, beta2, eps)


@adam.wrong("v is the mean of g squared, entry by entry. Here m is squared.")
def squared_mean(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * m**2
    return p - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


# --- AdamW -----------------------------------------------------------------------------------------------------------


adamw = Exercise(
    id="optimizers/adamw_step",
    signature="adamw_step(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay) -> p, m, v",
    task="Make step number t (the first is 1) of AdamW, as torch does: Adam's step, with a weight decay that bypasses "
    "m and v. Return the new p, m and v.",
    task_zh="按 torch 的约定做 AdamW 的第 t 步（从 1 数起）：Adam 的一步，权重衰减不经过 m 和 v。返回新的 p、m、v。",
    reference=optimizers.adamw_step,
    tiers=tiers("pgmv", **SETTINGS, weight_decay=[0.5, 0.1, 0.0]),
    narrow=MEANS,
    forbidden=LIBRARY,
    cost="O(d), with two more numbers kept for each weight",
    hints=(
        "The decay is not a part of the gradient: it shrinks the parameters themselves.",
        "Shrink the old p by the factor 1 - lr * weight_decay, then make Adam's step with g as it came.",
        "p = p * (1 - lr * weight_decay), then everything as in Adam.",
    ),
)


@adamw.right
def shrink_then_adam(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    p = p * (1 - lr * weight_decay)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


@adamw.right
def one_sum(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    step, m, v = as_in_the_paper(np.zeros_like(p), g, m, v, t, lr, beta1, beta2, eps)
    return p + step - lr * weight_decay * p, m, v


@adamw.wrong("This is Adam with an L2 penalty: the decay went through m and v. Take it off p directly.")
def decay_in_the_gradient(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return as_in_the_paper(p, g + weight_decay * p, m, v, t, lr, beta1, beta2, eps)


@adamw.wrong("torch multiplies the decay by the learning rate: 1 - lr * weight_decay.")
def decay_without_rate(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return as_in_the_paper(p * (1 - weight_decay), g, m, v, t, lr, beta1, beta2, eps)


@adamw.wrong("Shrink the old parameters. Here those after the step are shrunk, and the step with them.")
def decay_afterwards(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    p, m, v = as_in_the_paper(p, g, m, v, t, lr, beta1, beta2, eps)
    return p * (1 - lr * weight_decay), m, v


@adamw.wrong("The decay must not be divided by the root of v: all parameters shrink by one factor.")
def decay_divided(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    _, m, v = as_in_the_paper(p, g, m, v, t, lr, beta1, beta2, eps)
    return p - lr * (m / (1 - beta1**t) + weight_decay * p) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


@adamw.wrong("The decay is missing: this is Adam.")
def no_decay(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return as_in_the_paper(p, g, m, v, t, lr, beta1, beta2, eps)


@adamw.wrong("The decay must pull towards zero. Here the parameters grow.")
def growth(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    return as_in_the_paper(p * (1 + lr * weight_decay), g, m, v, t, lr, beta1, beta2, eps)
