"""Topic 15: the sigmoid and the softmax that do not overflow, softmax's backward pass, and the exact GELU."""

import math

import numpy as np
import torch
from hypothesis import strategies as st

from ...algorithms import activations
from . import SMALL, WIDE, Exercise, arrays

FAR = (*WIDE, 200.0, -200.0, 3.75, 4.5, -4.5, -5.25)  # the last four: in the tails, where 0 or x is not near enough
ANY_SHAPE = st.sampled_from([(1,), (2,), (5,), (8,), (2, 3), (3, 2), (1, 4), (4, 1)])

# --- sigmoid ---------------------------------------------------------------------------------------------------------

sigmoid = Exercise(
    id="activations/sigmoid",
    signature="sigmoid(x) -> s",
    task="The sigmoid of every entry of x, an array of any shape. It must be right at -1,000 and 1,000 too, without an "
    "overflow on the way.",
    task_zh="对任意形状的数组 x 逐元素求 sigmoid。输入为 -1000、1000 时也要正确，且中途不能溢出。",
    reference=activations.sigmoid,
    tiers=(st.tuples(arrays(st.integers(2, 4), SMALL)), st.tuples(arrays(ANY_SHAPE, FAR))),
    overflow="raise",
    forbidden=("torch.sigmoid", "torch.nn.functional.sigmoid", "torch.special.expit", "scipy.special.expit"),
    cost="O(n): one exponential per entry",
    hints=(
        "exp overflows above about 709. For which sign of x does 1 / (1 + exp(-x)) compute a large exp?",
        "Multiply numerator and denominator by exp(x): exp(x) / (1 + exp(x)) is safe for negative x.",
        "e = np.exp(-np.abs(x)); return np.where(x >= 0, 1, e) / (1 + e).",
    ),
)


@sigmoid.right
def by_sign(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@sigmoid.right
def by_tanh(x):
    return (1 + np.tanh(x / 2)) / 2 if (x > -30).all() else by_sign(x)


@sigmoid.right
def one_by_one(x):
    rows = [1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v)) for v in x.flat]
    return np.reshape(rows, x.shape)


@sigmoid.library
def torch_sigmoid(x):
    return torch.sigmoid(torch.tensor(x)).numpy()


@sigmoid.wrong("exp(x) overflows for large x, and inf / inf is NaN. Use this form for negative x only.")
def grows(x):
    with np.errstate(all="ignore"):
        return np.exp(x) / (1 + np.exp(x))


@sigmoid.wrong("Clipping x changes the value: far out the sigmoid is much closer to 0 or 1.")
def clipped(x):
    return 1 / (1 + np.exp(-np.clip(x, -10, 10)))


@sigmoid.wrong("The sign is turned: the sigmoid rises from 0 to 1.")
def falls(x):
    return 1 - by_sign(x)


@sigmoid.wrong("That is tanh, from -1 to 1. The sigmoid of x is (1 + tanh(x / 2)) / 2.")
def centered(x):
    return np.tanh(x)


@sigmoid.wrong("tanh(x / 2), not tanh(x): the sigmoid is half as steep.")
def too_steep(x):
    return (1 + np.tanh(x)) / 2


@sigmoid.wrong("The result has the shape of x. Here it is flat.")
def flattened(x):
    return by_sign(x).ravel()


@sigmoid.wrong("That is the hard sigmoid, a straight line that approximates it.")
def hard(x):
    return np.clip(x / 6 + 0.5, 0, 1)


# --- softmax ---------------------------------------------------------------------------------------------------------


@st.composite
def tables(draw, values, smallest, largest):
    """Draw an array of one to three axes and one of them, counted from either end; some rows far from the others."""
    ndim = draw(st.sampled_from([2, 2, 3, 1]))
    x = draw(arrays(tuple(draw(st.integers(smallest, largest)) for _ in range(ndim)), values))
    offset = draw(arrays((len(x), *[1] * (ndim - 1)), (0.0, 200.0, -200.0, 2000.0))) if smallest == 1 else 0.0
    return x + offset, draw(st.integers(-ndim, ndim - 1))


SOFTMAX = (
    *("torch.softmax", "torch.Tensor.softmax", "torch.nn.functional", "torch.nn.Softmax"),
    *("torch.log_softmax", "torch.Tensor.log_softmax"),
)


def softmax_by_torch(x, dim):
    """Ours: torch's own."""
    return torch.softmax(x, dim)


softmax = Exercise(
    id="activations/softmax",
    signature="softmax(x, dim) -> y",
    task="The softmax of the tensor x along the axis dim, without torch's own. The gradient with respect to x is "
    "compared too, and logits may be 1,000 apart.",
    task_zh="沿 dim 轴对张量 x 做 softmax，不得调用 torch 自带的实现。x 的梯度也会比较；logits 之间可能相差 1000。",
    reference=softmax_by_torch,
    tiers=(tables(SMALL, 2, 3), tables(WIDE, 1, 4)),
    tensors=True,
    gradient=("x",),
    forbidden=SOFTMAX,
    cost="O(n): three passes over each row, for the maximum, the sum, the quotient",
    hints=(
        "exp(1000) is infinite. Which number can you subtract from a row without changing its softmax?",
        "The row's largest entry, along dim, kept as an axis of length 1 (keepdim=True).",
        "e = (x - x.amax(dim, keepdim=True)).exp(); return e / e.sum(dim, keepdim=True).",
    ),
)


@softmax.right
def shifted(x, dim):
    e = (x - x.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


@softmax.right
def by_logsumexp(x, dim):
    return (x - x.logsumexp(dim, keepdim=True)).exp()


@softmax.right
def constant_shift(x, dim):
    e = torch.exp(x - x.detach().max(dim, keepdim=True).values)
    return e / torch.sum(e, dim, keepdim=True)


@softmax.library
def torch_softmax(x, dim):
    return torch.softmax(x, dim)


@softmax.wrong("exp overflows: subtract the largest entry along dim first.")
def unshifted(x, dim):
    return x.exp() / x.exp().sum(dim, keepdim=True)


@softmax.wrong(
    "Subtract the largest entry of each row, not of the whole tensor: a row far below the rest becomes 0 / 0."
)
def shifted_by_all(x, dim):
    e = (x - x.max()).exp()
    return e / e.sum(dim, keepdim=True)


@softmax.wrong("The axis is an argument: do not always take the last one.")
def last_axis(x, dim):
    return shifted(x, -1)


@softmax.wrong("The axis is an argument: do not always take the first one.")
def first_axis(x, dim):
    return shifted(x, 0)


@softmax.wrong("The sum runs over the whole tensor, so a row does not add up to 1.")
def over_everything(x, dim):
    e = (x - x.max()).exp()
    return e / e.sum()


@softmax.wrong("The value is right, but the denominator is detached: it depends on x too.")
def denominator_detached(x, dim):
    e = (x - x.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True).detach()


@softmax.wrong("The minimum does not help: exp still overflows. Subtract the maximum.")
def shifted_by_the_least(x, dim):
    return unshifted(x - x.amin(dim, keepdim=True), dim)


@softmax.wrong("No small number belongs in the denominator: after the shift the sum is at least 1.")
def with_epsilon(x, dim):
    e = (x - x.amax(dim, keepdim=True)).exp()
    return e / (e.sum(dim, keepdim=True) + 1e-6)


@softmax.wrong("The shift must not be limited: clamping logits changes the result.")
def clamped(x, dim):
    return unshifted(x.clamp(-50, 50), dim)


# --- softmax, backward -----------------------------------------------------------------------------------------------


@st.composite
def gradients(draw, values, smallest, largest):
    """Draw the gradient that arrives at the outputs of a softmax along the last axis, and these outputs."""
    shape = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    return draw(arrays(shape, values)), activations.softmax(draw(arrays(shape, (0.0, 1.0, -1.0, 3.0, 0.25, -9.0))))


def backward_of_rows(grad, y):
    """Ours: y times what arrives, less its mean under y."""
    return y * (grad - (grad * y).sum(axis=1, keepdims=True))


softmax_backward = Exercise(
    id="activations/softmax_backward",
    signature="softmax_backward(grad, y) -> grad_x",
    task="y holds the outputs of a softmax over each row, grad the gradient that arrives at them, both (n, k). Return "
    "the gradient with respect to the inputs.",
    task_zh="y 是按行做 softmax 的输出，grad 是传到 y 的梯度，形状都是 (n, k)。返回对输入的梯度。",
    reference=backward_of_rows,
    tiers=(gradients(SMALL, 2, 3), gradients(WIDE, 1, 5)),
    narrow={"y": "negative zero large: shares of 1, all above 0"},
    forbidden=("torch.softmax", "torch.nn.functional", "torch.autograd"),
    cost="O(n): one sum per row; the Jacobian would take the square of the row's length",
    hints=(
        "Each output depends on every input of its row: write dy_i / dx_j, for i = j and for i different from j.",
        "dy_i / dx_j = y_i (1[i = j] - y_j). Multiply by grad_i and add up over i.",
        "grad_x = y * (grad - (grad * y).sum(axis=1, keepdims=True)).",
    ),
)


@softmax_backward.right
def one_sum(grad, y):
    return y * (grad - (grad * y).sum(axis=1, keepdims=True))


@softmax_backward.right
def by_jacobian(grad, y):
    return np.stack([(np.diag(row) - np.outer(row, row)) @ g for g, row in zip(grad, y, strict=True)])


@softmax_backward.right
def by_einsum(grad, y):
    return grad * y - np.einsum("nk,nk,nj->nj", grad, y, y)


@softmax_backward.wrong(
    "y (1 - y) is the diagonal of the Jacobian alone: the other outputs of the row depend on the input too."
)
def diagonal_only(grad, y):
    return grad * y * (1 - y)


@softmax_backward.wrong("The sum runs over the row, each row by itself.")
def sum_of_all(grad, y):
    return y * (grad - (grad * y).sum())


@softmax_backward.wrong("The sum runs over the row, along axis 1.")
def sum_of_columns(grad, y):
    return y * (grad - (grad * y).sum(axis=0, keepdims=True))


@softmax_backward.wrong("It is a sum, not a mean.")
def mean_of_row(grad, y):
    return y * (grad - (grad * y).mean(axis=1, keepdims=True))


@softmax_backward.wrong("That is y - grad, which is the gradient of the cross-entropy if grad were the one-hot target.")
def of_cross_entropy(grad, y):
    return y - grad


@softmax_backward.wrong("The sign of the off-diagonal part is turned: it is subtracted.")
def added(grad, y):
    return y * (grad + (grad * y).sum(axis=1, keepdims=True))


@softmax_backward.wrong("The sum holds grad times y, not grad alone.")
def sum_of_gradients(grad, y):
    return y * (grad - grad.sum(axis=1, keepdims=True))


# --- GELU ------------------------------------------------------------------------------------------------------------

gelu = Exercise(
    id="activations/gelu",
    signature="gelu(x) -> y",
    task="The exact GELU of every entry of x, an array of any shape: x times the probability that a standard normal "
    "number lies below x. Use math.erf; the approximation by tanh is not exact.",
    task_zh="对任意形状的数组 x 逐元素求精确的 GELU：x 乘以标准正态变量小于 x 的概率。用 math.erf，不要用 tanh 近似。",
    reference=activations.gelu,
    tiers=(st.tuples(arrays(st.integers(2, 4), SMALL)), st.tuples(arrays(ANY_SHAPE, FAR))),
    forbidden=("torch.nn.functional.gelu", "torch.nn.GELU"),
    cost="O(n): one error function per entry",
    hints=(
        "The distribution function of a normal number can be written with the error function.",
        "Phi(x) = (1 + erf(x / sqrt 2)) / 2.",
        "np.vectorize(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)(x).",
    ),
)


@gelu.right
def by_erf(x):
    return np.vectorize(lambda v: v * (1 + math.erf(v / math.sqrt(2))) / 2)(x)


@gelu.right
def by_erfc(x):
    return np.reshape([v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.flat], x.shape)


@gelu.library
def torch_gelu(x):
    return torch.nn.functional.gelu(torch.tensor(x)).numpy()


@gelu.wrong("That is the approximation by tanh; here the exact one is asked for.")
def approximated(x):
    return x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


@gelu.wrong("That is x sigmoid(1.702 x), the rougher of the two approximations.")
def by_sigmoid(x):
    return x * activations.sigmoid(1.702 * x)


@gelu.wrong("x / sqrt(2) goes into erf, not x.")
def root_forgotten(x):
    return x * (1 + np.vectorize(math.erf)(x)) / 2


@gelu.wrong("That is the probability alone: multiply it by x.")
def probability(x):
    return (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


@gelu.wrong("That is ReLU. GELU is smooth, and slightly negative left of 0.")
def rectified(x):
    return np.maximum(x, 0)


@gelu.wrong("Far out is not at 3: Phi(-3) is still more than 0.001. Compute every entry.")
def cut_at_three(x):
    return np.where(np.abs(x) > 3, np.maximum(x, 0), by_erf(x))


@gelu.wrong("Phi(4.5) is not 1 yet. There is no need to cut: erf is right far out too.")
def linear_from_four(x):
    return np.where(x > 4, x, by_erf(x))


@gelu.wrong("Below -5 it is not 0 yet: GELU of -5.25 is about -4e-7. There is no need to cut.")
def zero_below_five(x):
    return np.where(x < -5, 0.0, by_erf(x))


@gelu.wrong("Half is missing: Phi(x) = (1 + erf(x / sqrt 2)) / 2.")
def not_halved(x):
    return 2 * by_erf(x)
