"""Topic 12: layer norm, batch norm with its kept statistics, group norm, and the way back through a batch norm."""

import numpy as np
import torch
from hypothesis import strategies as st

from ...algorithms import normalization
from . import SMALL, WIDE, Exercise, arrays

FUNCTIONAL = ("torch.nn.functional", "torch.nn.LayerNorm", "torch.nn.BatchNorm1d", "torch.nn.BatchNorm2d")
FUNCTIONAL += ("torch.nn.GroupNorm", "torch.nn.InstanceNorm2d", "torch.layer_norm", "torch.batch_norm")
FUNCTIONAL += ("torch.group_norm", "torch.instance_norm", "torch.native_batch_norm", "torch.native_layer_norm")
EPS = (1e-5, 1e-3, 0.1, 1.0)
FINE = (*WIDE, 0.5, 2.0, -2.0, 7.0, 3.0, 5.5, -12.25, 0.125, 40.0)
CHANNELS = (*WIDE, 0.5, -2.0)
VARIANCES = (1.0, 0.0, 0.25, 0.25 + 2**-14, 2**-10, 4.0, 1000.0)

# --- layer norm ------------------------------------------------------------------------------------------------------


@st.composite
def rows(draw, values, scales, smallest, largest):
    """Draw rows, some constant, some narrow, some far from the others; weights for the columns; eps."""
    shape = n, d = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    x = draw(arrays(shape, values))
    if smallest == 1:
        x = x * draw(arrays((n, 1), (1.0, 1.0, 0.0, 2**-7))) + draw(arrays((n, 1), (0.0, 200.0, -200.0)))
    return x, draw(arrays((d,), scales)), draw(arrays((d,), scales)), draw(st.sampled_from(EPS))


def layer_norm_by_torch(x, gamma, beta, eps):
    """Ours: torch's own."""
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gamma, beta, eps)


layer_norm = Exercise(
    id="normalization/layer_norm",
    signature="layer_norm(x, gamma, beta, eps) -> y",
    task="Layer norm of the tensor x, (n, d), each row by itself, without torch's own: gamma and beta, (d,), scale and "
    "shift, eps is added to the variance. The gradients with respect to x, gamma and beta are compared too.",
    task_zh="对形状为 (n, d) 的张量 x 逐行做层归一化，不得调用 torch 自带的实现：gamma、beta 形状为 (d,)，"
    "eps 加在方差上。x、gamma、beta 的梯度也会比较。",
    reference=layer_norm_by_torch,
    tiers=(rows(SMALL, SMALL, 2, 3), rows(FINE, CHANNELS, 1, 5)),
    tensors=True,
    gradient=("x", "gamma", "beta"),
    forbidden=FUNCTIONAL,
    cost="O(n): a few passes over the input, bound by memory",
    hints=(
        "Which axis do the cells of one mean lie along, and is the variance divided by d or by d - 1?",
        "var = ((x - mean) ** 2).mean(-1, keepdim=True), divided by d; eps goes under the root.",
        "y = gamma * (x - mean) / torch.sqrt(var + eps) + beta, with mean = x.mean(-1, keepdim=True).",
    ),
)


@layer_norm.right
def by_mean_and_variance(x, gamma, beta, eps):
    mean = x.mean(-1, keepdim=True)
    var = ((x - mean) ** 2).mean(-1, keepdim=True)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta


@layer_norm.right
def by_torch_var(x, gamma, beta, eps):
    return (x - x.mean(-1, keepdim=True)) * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + eps) * gamma + beta


@layer_norm.right
def row_by_row(x, gamma, beta, eps):
    out = []
    for row in x.reshape(-1, x.shape[-1]):
        centered = row - row.sum() / len(row)
        out.append(gamma * centered / (centered @ centered / len(row) + eps) ** 0.5 + beta)
    return torch.stack(out).reshape(x.shape)


@layer_norm.library
def torch_layer_norm(x, gamma, beta, eps):
    return torch.nn.functional.layer_norm(x, (x.shape[-1],), gamma, beta, eps)


@layer_norm.wrong("torch.var divides by d - 1. A norm divides by d: correction=0.")
def unbiased(x, gamma, beta, eps):
    n = x.shape[-1]
    var = ((x - x.mean(-1, keepdim=True)) ** 2).sum(-1, keepdim=True) / max(n - 1, 1)
    return gamma * (x - x.mean(-1, keepdim=True)) / torch.sqrt(var + eps) + beta


@layer_norm.wrong("eps is added to the variance, under the root; here it is added to the standard deviation.")
def eps_outside(x, gamma, beta, eps):
    var = ((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)
    return gamma * (x - x.mean(-1, keepdim=True)) / (torch.sqrt(var + 1e-300) + eps) + beta


@layer_norm.wrong("eps is an argument: 1e-5 is only its usual value.")
def eps_fixed(x, gamma, beta, eps):
    return by_mean_and_variance(x, gamma, beta, 1e-5)


@layer_norm.wrong("Each row has its own mean. Over axis 0, as here, samples are mixed: that is a batch norm.")
def over_the_batch(x, gamma, beta, eps):
    mean = x.mean(0, keepdim=True)
    var = ((x - mean) ** 2).mean(0, keepdim=True)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta


@layer_norm.wrong("Each row has its own mean. Here the whole tensor shares one.")
def over_everything(x, gamma, beta, eps):
    return gamma * (x - x.mean()) / torch.sqrt(x.var(correction=0) + eps) + beta


@layer_norm.wrong("The value is right, but mean and variance are detached: both depend on x.")
def statistics_detached(x, gamma, beta, eps):
    mean, var = x.detach().mean(-1, keepdim=True), x.detach().var(-1, keepdim=True, correction=0)
    return gamma * (x - mean) / torch.sqrt(var + eps) + beta


@layer_norm.wrong("The value is right, but the variance is detached: it depends on x too.")
def variance_detached(x, gamma, beta, eps):
    var = x.detach().var(-1, keepdim=True, correction=0)
    return gamma * (x - x.mean(-1, keepdim=True)) / torch.sqrt(var + eps) + beta


@layer_norm.wrong("That is RMS norm: the mean has to be taken out.")
def root_mean_square(x, gamma, beta, eps):
    return gamma * x / torch.sqrt((x**2).mean(-1, keepdim=True) + eps) + beta


@layer_norm.wrong("Divide by the standard deviation: the root of the variance is missing.")
def divided_by_the_variance(x, gamma, beta, eps):
    mean = x.mean(-1, keepdim=True)
    return gamma * (x - mean) / (((x - mean) ** 2).mean(-1, keepdim=True) + eps) + beta


@layer_norm.wrong("beta is added last and is not scaled by gamma.")
def shift_scaled(x, gamma, beta, eps):
    return gamma * by_mean_and_variance(x, torch.ones_like(gamma), beta, eps)


@layer_norm.wrong("beta is missing.")
def no_shift(x, gamma, beta, eps):
    return by_mean_and_variance(x, gamma, torch.zeros_like(beta), eps)


# --- batch norm ------------------------------------------------------------------------------------------------------


@st.composite
def batches(draw, values, scales, smallest, largest):
    """Draw maps, the weights and kept statistics of their channels, momentum, eps and the mode."""
    training = draw(st.booleans())
    shape = [draw(st.sampled_from(range(smallest, largest + 1))) for _ in range(4)]
    if training and np.prod(shape) == shape[1]:
        shape[0] = 3  # one value per channel has no variance
    x = draw(arrays(tuple(shape), values))
    if smallest == 1:
        channels = (1, shape[1], 1, 1)
        x = x * draw(arrays(channels, (1.0, 1.0, 0.0, 2**-7))) + draw(arrays(channels, (0.0, 200.0, -200.0)))
    gamma, beta, mean = (draw(arrays((shape[1],), scales)) for _ in range(3))
    var = draw(arrays((shape[1],), VARIANCES if smallest == 1 else (1.0, 2.0, 0.5)))
    momentum = draw(st.sampled_from([0.1, 0.5, 0.25, 0.9, 1.0, 0.0] if smallest == 1 else [0.1, 0.5, 0.25]))
    return x, gamma, beta, mean, var, momentum, draw(st.sampled_from(EPS)), training


def batch_norm_by_torch(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    """Ours: torch's own, on copies of the statistics, which it changes in place."""
    mean, var = running_mean.clone(), running_var.clone()
    y = torch.nn.functional.batch_norm(x, mean, var, gamma, beta, training, momentum, eps)
    return y, mean, var


batch_norm = Exercise(
    id="normalization/batch_norm",
    signature="batch_norm(x, gamma, beta, running_mean, running_var, momentum, eps, training) -> y, new_mean, new_var",
    task="Batch norm of the tensor x, (N, C, H, W), as torch does it, without torch's own. In training "
    "normalize by the batch and return the new kept statistics (momentum is the share of the new ones); otherwise "
    "normalize by the kept ones and return them as they are. Do not change the arguments. The gradients of y with "
    "respect to x, gamma and beta are compared too.",
    task_zh="按 torch 的约定对形状为 (N, C, H, W) 的张量 x 做批归一化，不得调用 torch 自带的实现。"
    "训练时用当前批的统计量归一化，并返回更新后的滑动统计量（momentum 是新统计量的占比）；"
    "否则用滑动统计量归一化并原样返回。不要修改传入的参数。y 对 x、gamma、beta 的梯度也会比较。",
    reference=batch_norm_by_torch,
    tiers=(batches(SMALL, SMALL, 2, 3), batches(FINE, CHANNELS, 1, 3)),
    tensors=True,
    gradient=("x", "gamma", "beta"),
    narrow={
        "running_var": "negative: a variance has no sign",
        "training": "several: true or false",
    },
    forbidden=FUNCTIONAL,
    cost="O(n): a few passes over the input, bound by memory",
    hints=(
        "All axes but the channels' share a mean. Two variances are needed: one to divide by, one to keep.",
        "Divide by the biased variance. Keep the unbiased one: times n / (n - 1), n values per channel.",
        "new_mean = (1 - momentum) * running_mean + momentum * mean; reshape what has C entries to (1, C, 1, 1).",
    ),
)


@batch_norm.right
def by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    axes, shape = [0, *range(2, x.dim())], [1, -1] + [1] * (x.dim() - 2)
    mean, var = running_mean, running_var
    if training:
        n = x.numel() / x.shape[1]
        mean, var = x.mean(axes), x.var(axes, correction=0)
        running_mean = (1 - momentum) * running_mean + momentum * mean.detach()
        running_var = (1 - momentum) * running_var + momentum * var.detach() * n / (n - 1)
    x_hat = (x - mean.reshape(shape)) / torch.sqrt(var.reshape(shape) + eps)
    return gamma.reshape(shape) * x_hat + beta.reshape(shape), running_mean, running_var


@batch_norm.right
def by_rows_of_channels(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    rows_ = x.transpose(0, 1).reshape(x.shape[1], -1)
    if training:
        new_mean = running_mean + momentum * (rows_.mean(1) - running_mean)
        new_var = running_var + momentum * (rows_.var(1) - running_var)
        mean, var = rows_.mean(1), rows_.var(1, correction=0)
    else:
        new_mean, new_var = mean, var = running_mean.clone(), running_var.clone()
    y = (rows_ - mean[:, None]) * (gamma / (var + eps).sqrt())[:, None] + beta[:, None]
    return y.reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1), new_mean, new_var


@batch_norm.right
def channel_by_channel(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    out, means, variances = [], [], []
    for c in range(x.shape[1]):
        cells = x[:, c]
        mean, var = running_mean[c], running_var[c]
        if training:
            n = cells.numel()
            mean = cells.sum() / n
            var = ((cells - mean) ** 2).sum() / n
        out.append(gamma[c] * (cells - mean) / (var + eps) ** 0.5 + beta[c])
        share = momentum if training else 0
        means.append(float((1 - share) * running_mean[c] + share * mean))
        variances.append(float((1 - share) * running_var[c] + share * var * (n / (n - 1) if training else 1)))
    return torch.stack(out, dim=1), means, variances


@batch_norm.library
def torch_batch_norm(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    mean, var = running_mean.clone(), running_var.clone()
    return torch.nn.functional.batch_norm(x, mean, var, gamma, beta, training, momentum, eps), mean, var


@batch_norm.wrong("The kept variance is the unbiased one: times n / (n - 1).")
def keeps_the_biased_variance(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    y, mean, _ = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    var = x.detach().var([0, *range(2, x.dim())], correction=0)
    return y, mean, (1 - momentum) * running_var + momentum * var if training else running_var


@batch_norm.wrong("y is divided by the biased variance; the unbiased one is only kept.")
def divides_by_the_unbiased(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    _, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    axes, shape = [0, *range(2, x.dim())], [1, -1] + [1] * (x.dim() - 2)
    used = (x.mean(axes), x.var(axes)) if training else (running_mean, running_var)
    x_hat = (x - used[0].reshape(shape)) / torch.sqrt(used[1].reshape(shape) + eps)
    return gamma.reshape(shape) * x_hat + beta.reshape(shape), mean, var


@batch_norm.wrong("momentum is turned around: in torch it is the share of the new statistics.")
def momentum_of_the_old(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    return by_axes(x, gamma, beta, running_mean, running_var, 1 - momentum, eps, training)


@batch_norm.wrong("In training y is normalized by the batch, not by the kept statistics.")
def kept_in_training(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    _, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    return by_axes(x, gamma, beta, mean, var, momentum, eps, False)[0], mean, var


@batch_norm.wrong("Outside training the kept statistics are used, and they do not change.")
def always_training(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    if x.numel() == x.shape[1]:
        return by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    return by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, True)


@batch_norm.wrong("Outside training the kept statistics stay as they are.")
def updates_outside_training(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    y = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)[0]
    if x.numel() == x.shape[1]:
        return y, running_mean, running_var
    return (y, *by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, True)[1:])


@batch_norm.wrong("A channel shares one mean over the batch and all positions. Here each position has its own.")
def each_position_its_own(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    y, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    if training:
        shape = [1, -1] + [1] * (x.dim() - 2)
        x_hat = (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps)
        y = gamma.reshape(shape) * x_hat + beta.reshape(shape)
    return y, mean, var


@batch_norm.wrong("That normalizes each image by itself: instance norm. The batch belongs to the mean too.")
def each_image_its_own(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    y, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    if training and x.dim() == 4:
        shape = [1, -1, 1, 1]
        x_hat = (x - x.mean((2, 3), keepdim=True)) / torch.sqrt(x.var((2, 3), correction=0, keepdim=True) + eps)
        y = gamma.reshape(shape) * x_hat + beta.reshape(shape)
    return y, mean, var


@batch_norm.wrong("eps is added to the variance, under the root.")
def eps_outside_the_root(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    _, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    axes, shape = [0, *range(2, x.dim())], [1, -1] + [1] * (x.dim() - 2)
    used = (x.mean(axes), x.var(axes, correction=0)) if training else (running_mean, running_var)
    x_hat = (x - used[0].reshape(shape)) / (torch.sqrt(used[1].reshape(shape) + 1e-300) + eps)
    return gamma.reshape(shape) * x_hat + beta.reshape(shape), mean, var


@batch_norm.wrong("The value is right, but the batch's mean and variance are detached: both depend on x.")
def batch_detached(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    _, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    axes = [0, *range(2, x.dim())]
    used = (x.detach().mean(axes), x.detach().var(axes, correction=0)) if training else (running_mean, running_var)
    return by_axes(x, gamma, beta, *used, momentum, eps, False)[0], mean, var


@batch_norm.wrong("eps does not belong into the kept variance.")
def keeps_eps(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    y, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    return y, mean, var + momentum * eps if training else var


@batch_norm.wrong("n is the number of values per channel, positions included, not the batch size.")
def n_is_the_batch_size(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    y, mean, var = by_axes(x, gamma, beta, running_mean, running_var, momentum, eps, training)
    if training and len(x) > 1:
        biased = x.detach().var([0, *range(2, x.dim())], correction=0)
        var = (1 - momentum) * running_var + momentum * biased * len(x) / (len(x) - 1)
    return y, mean, var


@batch_norm.wrong("momentum is an argument: 0.1 is only its usual value.")
def momentum_fixed(x, gamma, beta, running_mean, running_var, momentum, eps, training):
    return by_axes(x, gamma, beta, running_mean, running_var, 0.1, eps, training)


# --- group norm ------------------------------------------------------------------------------------------------------


@st.composite
def grouped(draw, values, scales, smallest, largest):
    """Draw maps whose channels make whole groups; their weights; eps."""
    groups, channels = draw(st.integers(smallest, 3)), draw(st.integers(smallest, 3))
    shape = tuple(draw(st.integers(smallest, largest)) for _ in range(3))
    if smallest == 1 and shape[0] * channels * shape[1] * shape[2] == 1:
        shape = (1, 1, 3)  # one cell alone has no variance
    shape = (shape[0], groups * channels, *shape[1:])
    x = draw(arrays(shape, values))
    if smallest == 1:
        x = x * draw(arrays((*shape[:2], 1, 1), (1.0, 1.0, 0.0, 2**-7))) + draw(
            arrays((*shape[:2], 1, 1), (0.0, 200.0))
        )
    gamma, beta = draw(arrays(shape[1:2], scales)), draw(arrays(shape[1:2], scales))
    return x, groups, gamma, beta, draw(st.sampled_from(EPS))


group_norm = Exercise(
    id="normalization/group_norm",
    signature="group_norm(x, num_groups, gamma, beta, eps) -> y",
    task="Group norm of the array x, (N, C, H, W): C is a multiple of num_groups, neighboring channels make a group. "
    "gamma and beta, (C,), scale and shift each channel; eps is added to the variance.",
    task_zh="对数组 x，形状 (N, C, H, W)，做组归一化：C 是 num_groups 的倍数，相邻通道为一组。"
    "gamma、beta 形状为 (C,)，逐通道缩放和平移；eps 加在方差上。",
    reference=normalization.group_norm,
    tiers=(grouped(SMALL, SMALL, 2, 3), grouped(FINE, CHANNELS, 1, 3)),
    forbidden=FUNCTIONAL,
    cost="O(n): a few passes over the input, bound by memory",
    hints=(
        "A group is some channels of one image, with all their positions. Bring its cells into one row.",
        "x.reshape(N, num_groups, -1) has one row per group: mean and biased variance over the last axis.",
        "Normalize these rows, reshape back to x.shape, then gamma.reshape(1, C, 1, 1) times that plus beta.",
    ),
)


@group_norm.right
def by_reshaping(x, num_groups, gamma, beta, eps):
    rows_ = x.reshape(len(x), num_groups, -1)
    rows_ = (rows_ - rows_.mean(-1, keepdims=True)) / np.sqrt(rows_.var(-1, keepdims=True) + eps)
    return gamma[:, None, None] * rows_.reshape(x.shape) + beta[:, None, None]


@group_norm.right
def by_five_axes(x, num_groups, gamma, beta, eps):
    n, c, h, w = x.shape
    blocks = x.reshape(n, num_groups, c // num_groups, h, w)
    mean = blocks.mean(axis=(2, 3, 4), keepdims=True)
    var = ((blocks - mean) ** 2).mean(axis=(2, 3, 4), keepdims=True)
    y = ((blocks - mean) / np.sqrt(var + eps)).reshape(n, c, h, w)
    return np.einsum("nchw,c->nchw", y, gamma) + beta.reshape(1, c, 1, 1)


@group_norm.right
def group_by_group(x, num_groups, gamma, beta, eps):
    out, width = np.empty_like(x), x.shape[1] // num_groups
    for i in range(len(x)):
        for first in range(0, x.shape[1], width):
            cells = x[i, first : first + width]
            out[i, first : first + width] = (cells - cells.mean()) / np.sqrt(cells.var() + eps)
    return (out * gamma.reshape(-1, 1, 1) + beta.reshape(-1, 1, 1)).tolist()


@group_norm.library
def torch_group_norm(x, num_groups, gamma, beta, eps):
    return torch.nn.functional.group_norm(*map(torch.tensor, (x,)), num_groups, *map(torch.tensor, (gamma, beta)), eps)


@group_norm.wrong("num_groups is the number of groups, not the number of channels in one.")
def channels_per_group(x, num_groups, gamma, beta, eps):
    return by_reshaping(x, x.shape[1] // num_groups, gamma, beta, eps)


@group_norm.wrong("Neighboring channels make a group. Here every num_groups-th channel does.")
def interleaved(x, num_groups, gamma, beta, eps):
    order = np.arange(x.shape[1]).reshape(-1, num_groups).T.ravel()
    y = by_reshaping(x[:, order], num_groups, np.ones_like(gamma), np.zeros_like(beta), eps)
    return gamma[:, None, None] * y[:, np.argsort(order)] + beta[:, None, None]


@group_norm.wrong("A group's positions belong to its mean too. Here each position has its own.")
def each_position(x, num_groups, gamma, beta, eps):
    n, c, h, w = x.shape
    blocks = x.reshape(n, num_groups, -1, h, w)
    y = (blocks - blocks.mean(2, keepdims=True)) / np.sqrt(blocks.var(2, keepdims=True) + eps)
    return gamma[:, None, None] * y.reshape(x.shape) + beta[:, None, None]


@group_norm.wrong("Each image by itself: the batch does not belong to the mean.")
def with_the_batch(x, num_groups, gamma, beta, eps):
    n, c, h, w = x.shape
    blocks = x.reshape(n, num_groups, -1, h, w)
    y = (blocks - blocks.mean((0, 2, 3, 4), keepdims=True)) / np.sqrt(blocks.var((0, 2, 3, 4), keepdims=True) + eps)
    return gamma[:, None, None] * y.reshape(x.shape) + beta[:, None, None]


@group_norm.wrong("That is layer norm: the groups are ignored.")
def one_group(x, num_groups, gamma, beta, eps):
    return by_reshaping(x, 1, gamma, beta, eps)


@group_norm.wrong("That is instance norm: each channel by itself.")
def single_channels(x, num_groups, gamma, beta, eps):
    return by_reshaping(x, x.shape[1], gamma, beta, eps)


@group_norm.wrong("The variance is the biased one: divided by the number of cells, not by one less.")
def unbiased_groups(x, num_groups, gamma, beta, eps):
    rows_ = x.reshape(len(x), num_groups, -1)
    n = rows_.shape[-1]
    var = rows_.var(-1, keepdims=True) * n / max(n - 1, 1)
    rows_ = (rows_ - rows_.mean(-1, keepdims=True)) / np.sqrt(var + eps)
    return gamma[:, None, None] * rows_.reshape(x.shape) + beta[:, None, None]


@group_norm.wrong("eps is added to the variance, before the root is taken.")
def eps_after_the_root(x, num_groups, gamma, beta, eps):
    rows_ = x.reshape(len(x), num_groups, -1)
    rows_ = (rows_ - rows_.mean(-1, keepdims=True)) / (rows_.std(-1, keepdims=True) + eps)
    return gamma[:, None, None] * rows_.reshape(x.shape) + beta[:, None, None]


@group_norm.wrong("gamma and beta have one entry per channel: reshape them so that they meet the channels' axis.")
def weights_of_the_groups(x, num_groups, gamma, beta, eps):
    rows_ = x.reshape(len(x), num_groups, -1)
    rows_ = (rows_ - rows_.mean(-1, keepdims=True)) / np.sqrt(rows_.var(-1, keepdims=True) + eps)
    gamma, beta = gamma[:num_groups, None], beta[:num_groups, None]
    return (gamma * rows_ + beta).reshape(x.shape)


# --- batch norm, backward --------------------------------------------------------------------------------------------


@st.composite
def arriving(draw, values, scales, smallest, largest):
    """Draw the gradient that arrives, rows of samples, the scales of their columns, eps."""
    shape = draw(st.integers(max(smallest, 2), largest)), draw(st.integers(smallest, largest))
    x = draw(arrays(shape, values))
    if smallest == 1:
        x = x * draw(arrays((1, shape[1]), (1.0, 1.0, 0.0, 2**-7))) + draw(arrays((1, shape[1]), (0.0, 200.0)))
    return draw(arrays(shape, values)), x, draw(arrays(shape[1:], scales)), draw(st.sampled_from(EPS))


batch_norm_backward = Exercise(
    id="normalization/batch_norm_backward",
    signature="batch_norm_backward(grad, x, gamma, eps) -> grad_x, grad_gamma, grad_beta",
    task="Back through a batch norm in training: y = gamma * (x - mean) / sqrt(var + eps) + beta with x (n, d), "
    "mean and biased variance over the n rows. grad arrives at y. Return the gradients of x, gamma and beta.",
    task_zh="训练模式下批归一化的反向：y = gamma * (x - mean) / sqrt(var + eps) + beta，x 形状为 (n, d)，"
    "均值和有偏方差沿 n 行计算。grad 是传到 y 的梯度。返回对 x、gamma、beta 的梯度。",
    reference=normalization.batch_norm_backward,
    tiers=(arriving(SMALL, SMALL, 2, 3), arriving(FINE, CHANNELS, 1, 5)),
    narrow={"grad": "one0: a batch of one has no variance", "x": "one0: a batch of one has no variance"},
    forbidden=(*FUNCTIONAL, "torch.autograd", "torch.Tensor.backward"),
    cost="O(n): two sums for each channel and one pass",
    hints=(
        "x reaches y in three ways: directly, through the mean, and through the variance.",
        "With x_hat the normalized x and g = gamma * grad: take out g's mean, and x_hat times the mean of g x_hat.",
        "grad_x = (g - g.mean(0) - x_hat * (g * x_hat).mean(0)) / sqrt(var + eps).",
    ),
)


@batch_norm_backward.right
def in_one_line(grad, x, gamma, eps):
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat, g = (x - x.mean(axis=0)) / std, gamma * grad
    grad_x = (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / std
    return grad_x, (grad * x_hat).sum(axis=0), grad.sum(axis=0)


@batch_norm_backward.right
def step_by_step(grad, x, gamma, eps):
    n = len(x)
    centered, var = x - x.mean(axis=0), x.var(axis=0) + eps
    g = gamma * grad
    to_var = (g * centered).sum(axis=0) * -0.5 * var**-1.5
    to_mean = -(g / np.sqrt(var)).sum(axis=0)  # what comes through the variance is 0: the rows of `centered` sum to 0
    grad_x = g / np.sqrt(var) + to_var * 2 * centered / n + to_mean / n
    return grad_x, (grad * centered / np.sqrt(var)).sum(axis=0), grad.sum(axis=0)


@batch_norm_backward.right
def by_jacobian_of_columns(grad, x, gamma, eps):
    n, d = x.shape
    out = np.empty_like(x)
    x_hat = (x - x.mean(0)) / np.sqrt(x.var(0) + eps)
    for j in range(d):
        jacobian = np.eye(n) - 1 / n - np.outer(x_hat[:, j], x_hat[:, j]) / n
        out[:, j] = gamma[j] * jacobian @ grad[:, j] / np.sqrt(x[:, j].var() + eps)
    return out, np.einsum("nd,nd->d", grad, x_hat), np.ones(n) @ grad


@batch_norm_backward.wrong("Mean and variance are no constants: both depend on x.")
def statistics_constant(grad, x, gamma, eps):
    _, grad_gamma, grad_beta = in_one_line(grad, x, gamma, eps)
    return gamma * grad / np.sqrt(x.var(axis=0) + eps), grad_gamma, grad_beta


@batch_norm_backward.wrong("The way through the variance is missing.")
def through_the_mean_only(grad, x, gamma, eps):
    _, grad_gamma, grad_beta = in_one_line(grad, x, gamma, eps)
    g = gamma * grad
    return (g - g.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps), grad_gamma, grad_beta


@batch_norm_backward.wrong("The way through the mean is missing.")
def through_the_variance_only(grad, x, gamma, eps):
    _, grad_gamma, grad_beta = in_one_line(grad, x, gamma, eps)
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat, g = (x - x.mean(axis=0)) / std, gamma * grad
    return (g - x_hat * (g * x_hat).mean(axis=0)) / std, grad_gamma, grad_beta


@batch_norm_backward.wrong("gamma is missing on the way to x.")
def gamma_forgotten(grad, x, gamma, eps):
    return in_one_line(grad, x, np.ones_like(gamma), eps)


@batch_norm_backward.wrong("grad_gamma sums grad times the normalized x, not grad times x.")
def gamma_of_raw_x(grad, x, gamma, eps):
    grad_x, _, grad_beta = in_one_line(grad, x, gamma, eps)
    return grad_x, (grad * x).sum(axis=0), grad_beta


@batch_norm_backward.wrong("gamma and beta get the sum over the batch, not the mean.")
def means_of_the_batch(grad, x, gamma, eps):
    grad_x, grad_gamma, grad_beta = in_one_line(grad, x, gamma, eps)
    return grad_x, grad_gamma / len(x), grad_beta / len(x)


@batch_norm_backward.wrong("The two terms that are taken out are means over the batch, not sums.")
def sums_taken_out(grad, x, gamma, eps):
    _, grad_gamma, grad_beta = in_one_line(grad, x, gamma, eps)
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat, g = (x - x.mean(axis=0)) / std, gamma * grad
    return (g - g.sum(axis=0) - x_hat * (g * x_hat).sum(axis=0)) / std, grad_gamma, grad_beta


@batch_norm_backward.wrong("eps is an argument, and belongs to the divisor of x_hat as well.")
def eps_forgotten(grad, x, gamma, eps):
    return in_one_line(grad, x, gamma, 1e-12)


@batch_norm_backward.wrong("The forward pass divides by the biased variance: n, not n - 1.")
def unbiased_backward(grad, x, gamma, eps):
    std = np.sqrt(x.var(axis=0, ddof=1) + eps)
    x_hat, g = (x - x.mean(axis=0)) / std, gamma * grad
    grad_x = (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)) / std
    return grad_x, (grad * x_hat).sum(axis=0), grad.sum(axis=0)


@batch_norm_backward.wrong("Divide by sqrt(var + eps) once: here it is done twice on one of the ways.")
def divided_twice(grad, x, gamma, eps):
    _, grad_gamma, grad_beta = in_one_line(grad, x, gamma, eps)
    std = np.sqrt(x.var(axis=0) + eps)
    x_hat, g = (x - x.mean(axis=0)) / std, gamma * grad
    return (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0) / std) / std, grad_gamma, grad_beta
