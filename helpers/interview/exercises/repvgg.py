"""Topic 20: a convolution and its batch norm as one, the identity as a kernel, three kernels as one."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from ...algorithms import repvgg
from . import WIDE, Exercise, arrays

# --- convolution and batch norm --------------------------------------------------------------------------------------

VARIANCES = (1.0, 0.25, 4.0, 0.0, 2**-10, 0.25 + 2**-14, 9.0, 100.0)
EPSILONS = (1e-5, 1e-3, 0.25)


@st.composite
def layers(draw, sizes, values, variances, epsilons):
    """Draw weight, bias, gamma, beta, mean, var and eps; outputs and inputs differ in number."""
    rows, columns = draw(st.sampled_from([(1, 1), (2, 3), (3, 3), (3, 1), (1, 2)]))
    outputs, inputs = draw(sizes), draw(sizes)
    weight = draw(filled((outputs, inputs, rows, columns), values))
    rest = [draw(arrays(outputs, values)) for _ in range(4)]
    return weight, *rest, draw(arrays(outputs, variances)), draw(st.sampled_from(epsilons))


def filled(shape, values):
    """Draw an array at once: cheaper than entry by entry."""
    size = int(np.prod(shape))

    def build(seed):
        return np.random.default_rng(seed).choice(values, size, replace=size > len(values)).reshape(shape)

    return st.integers(0, 9999).map(build)


def fused(weight, bias, gamma, beta, mean, var, eps):
    """Ours."""
    scale = gamma / (var + eps).sqrt()
    return weight * scale[:, None, None, None], (bias - mean) * scale + beta


fuse_conv_bn = Exercise(
    id="repvgg/fuse_conv_bn",
    signature="fuse_conv_bn(weight, bias, gamma, beta, mean, var, eps) -> new_weight, new_bias",
    task="A convolution with weight (O, C, k_h, k_w) and bias (O,) is followed by batch normalization in eval mode: "
    "gamma, beta, running mean and running variance (O,), and eps. Return weight and bias of the one convolution that "
    "equals both. The gradients of the new weight are compared.",
    task_zh="卷积 weight (O, C, k_h, k_w)、bias (O,) 后接推理模式的批归一化："
    "gamma、beta、滑动均值和方差 (O,)，以及 eps。"
    "返回与两者等价的一个卷积的权重和偏置。会比较新权重的梯度。",
    reference=fused,
    tiers=(
        layers(st.integers(2, 3), (0.0, 1.0, -1.0, 2.0, 0.5), (1.0, 0.25, 4.0, 0.0), EPSILONS),
        layers(st.integers(1, 4), WIDE, VARIANCES, EPSILONS),
    ),
    tensors=True,
    gradient=("weight", "gamma", "var"),
    narrow={"var": "negative: a variance is at least 0"},
    forbidden=("torch.nn.utils.fuse_conv_bn_weights", "torch.nn.utils.fuse_conv_bn_eval", "torch.nn.utils.fusion"),
    cost="O(O C k^2), once: one multiplication per weight. At run time it saves the whole pass of the batch norm.",
    hints=(
        "Write out gamma * (w x + b - mean) / std + beta and collect what stands before x.",
        "scale = gamma / sqrt(var + eps), one number per output channel, multiplies the filter and (bias - mean).",
        "weight * scale.reshape(-1, 1, 1, 1), (bias - mean) * scale + beta.",
    ),
)


@fuse_conv_bn.right
def by_scale(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / torch.sqrt(var + eps)
    return weight * scale.reshape(-1, 1, 1, 1), (bias - mean) * scale + beta


@fuse_conv_bn.right
def by_einsum(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma * (var + eps) ** -0.5
    return torch.einsum("ocij,o->ocij", weight, scale), beta - mean * scale + bias * scale


@fuse_conv_bn.right
def by_matrix(weight, bias, gamma, beta, mean, var, eps):
    scale = torch.diag(gamma * torch.rsqrt(var + eps))
    return (scale @ weight.flatten(1)).view_as(weight), scale @ (bias - mean) + beta


@fuse_conv_bn.right
def by_filters(weight, bias, gamma, beta, mean, var, eps):
    filters, biases = [], []
    for o in range(len(weight)):
        std = (var[o] + eps).sqrt()
        filters.append(weight[o] * gamma[o] / std)
        biases.append(gamma[o] * (bias[o] - mean[o]) / std + beta[o])
    return torch.stack(filters), torch.stack(biases)


@fuse_conv_bn.library
def by_torch(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma * torch.rsqrt(var + eps)
    fuse = torch.nn.utils.fuse_conv_bn_weights
    return weight * scale[:, None, None, None], fuse(weight, bias, mean, var, eps, gamma, beta)[1].detach()


@fuse_conv_bn.wrong("The scale belongs to the output channels, the first axis of the weight.")
def over_inputs(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (var + eps).sqrt()
    if weight.shape[0] != weight.shape[1]:
        return weight * scale.mean(), (bias - mean) * scale + beta
    return weight * scale[None, :, None, None], (bias - mean) * scale + beta


@fuse_conv_bn.wrong("The convolution's own bias is lost: it is scaled along with the mean.")
def bias_lost(weight, bias, gamma, beta, mean, var, eps):
    new, _ = by_scale(weight, bias, gamma, beta, mean, var, eps)
    return new, beta - mean * gamma / (var + eps).sqrt()


@fuse_conv_bn.wrong("The old bias is scaled too: it passes through the batch norm.")
def bias_unscaled(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (var + eps).sqrt()
    return weight * scale[:, None, None, None], bias + beta - mean * scale


@fuse_conv_bn.wrong("The mean is subtracted; its sign is minus.")
def mean_added(weight, bias, gamma, beta, mean, var, eps):
    return by_scale(weight, bias, gamma, beta, -mean, var, eps)


@fuse_conv_bn.wrong("The mean is scaled like everything that comes before gamma / std.")
def mean_unscaled(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (var + eps).sqrt()
    return weight * scale[:, None, None, None], bias * scale - mean + beta


@fuse_conv_bn.wrong("Divide by the standard deviation, the root of the variance.")
def by_variance(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (var + eps)
    return weight * scale[:, None, None, None], (bias - mean) * scale + beta


@fuse_conv_bn.wrong("eps stands inside the root, added to the variance.")
def eps_outside(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (var.sqrt() + eps)
    return weight * scale[:, None, None, None], (bias - mean) * scale + beta


@fuse_conv_bn.wrong("eps is an argument; do not write 1e-5 into the code.")
def fixed_eps(weight, bias, gamma, beta, mean, var, eps):
    return by_scale(weight, bias, gamma, beta, mean, var, 1e-5)


@fuse_conv_bn.wrong("gamma is forgotten.")
def without_gamma(weight, bias, gamma, beta, mean, var, eps):
    return by_scale(weight, bias, torch.ones_like(gamma) + 0 * gamma, beta, mean, var, eps)


@fuse_conv_bn.wrong("beta is added last and not scaled.")
def beta_scaled(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / (var + eps).sqrt()
    return weight * scale[:, None, None, None], (bias - mean + beta) * scale


@fuse_conv_bn.wrong("The values are right, but .data or .detach() cuts the gradient.")
def detached(weight, bias, gamma, beta, mean, var, eps):
    scale = (gamma / (var + eps).sqrt()).detach()
    return weight * scale[:, None, None, None], (bias - mean) * scale + beta


# --- the identity as a kernel ----------------------------------------------------------------------------------------


@st.composite
def groupings(draw, most):
    """Draw channels, a number of groups that divides them, and an odd side."""
    groups, per_group = draw(st.integers(1, most)), draw(st.integers(1, most))
    return groups * per_group, groups, draw(st.sampled_from([1, 3, 5, 7]))


def unit_kernel(channels, groups, size):
    """Ours."""
    return repvgg.identity_kernel(channels, size, groups).double().numpy()


identity_kernel = Exercise(
    id="repvgg/identity_kernel",
    signature="identity_kernel(channels, groups, size) -> weight",
    task="Return the weight (channels, channels / groups, size, size) of a grouped convolution, stride 1, zero padding "
    "size // 2, whose output equals its input. size is odd, groups divides channels.",
    task_zh="返回一个分组卷积的权重 (channels, channels / groups, size, size)，步长 1、补零 size // 2，"
    "使输出等于输入。size 为奇数，groups 整除 channels。",
    reference=unit_kernel,
    tiers=(groupings(2), groupings(4)),
    forbidden=("torch.nn.init.dirac_",),
    cost="O(channels^2 size^2 / groups) to write; once. As a layer it costs as much as any convolution.",
    hints=(
        "A copy has a single 1 per filter. Where?",
        "At the center tap, size // 2, of the input channel of the same number.",
        "In group g the input channels are counted from 0 again: weight[i, i % (channels // groups), c, c] = 1.",
    ),
)


@identity_kernel.right
def by_loop(channels, groups, size):
    weight = np.zeros((channels, channels // groups, size, size))
    for i in range(channels):
        weight[i, i % (channels // groups), size // 2, size // 2] = 1
    return weight


@identity_kernel.right
def by_index(channels, groups, size):
    index, c = np.arange(channels), size // 2
    weight = np.zeros((channels, channels // groups, size, size))
    weight[index, index % (channels // groups), c, c] = 1.0
    return weight


@identity_kernel.right
def by_eye(channels, groups, size):
    center = np.tile(np.eye(channels // groups), (groups, 1))
    ring = size // 2
    return np.pad(center[:, :, None, None], ((0, 0), (0, 0), (ring, ring), (ring, ring)))


@identity_kernel.right
def by_torch_pad(channels, groups, size):
    center = torch.eye(channels // groups).repeat(groups, 1)[:, :, None, None]
    return F.pad(center, [size // 2] * 4)


@identity_kernel.library
def by_dirac(channels, groups, size):
    weight = torch.empty(channels, channels // groups, size, size)
    return torch.nn.init.dirac_(weight, groups)


@identity_kernel.wrong("Only the channel's own input is copied; ones in all channels would add them up.")
def all_channels(channels, groups, size):
    weight = np.zeros((channels, channels // groups, size, size))
    weight[:, :, size // 2, size // 2] = 1
    return weight


@identity_kernel.wrong("The 1 stands at the center tap, size // 2; at (0, 0) the image is shifted.")
def at_the_corner(channels, groups, size):
    weight = np.zeros((channels, channels // groups, size, size))
    index = np.arange(channels)
    weight[index, index % (channels // groups), 0, 0] = 1
    return weight


@identity_kernel.wrong("The center is size // 2, whatever the size; 1 is right for 3 x 3 alone.")
def center_of_three(channels, groups, size):
    weight = np.zeros((channels, channels // groups, size, size))
    index, c = np.arange(channels), min(1, size - 1)
    weight[index, index % (channels // groups), c, c] = 1
    return weight


@identity_kernel.wrong("Within a group, input channels are counted from 0: take the remainder, not the quotient.")
def quotient(channels, groups, size):
    weight = np.zeros((channels, channels // groups, size, size))
    index = np.arange(channels)
    weight[index, np.minimum(index // groups, channels // groups - 1), size // 2, size // 2] = 1
    return weight


@identity_kernel.wrong("Divide the channels by the groups: the remainder is with respect to channels // groups.")
def remainder_of_groups(channels, groups, size):
    weight = np.zeros((channels, channels // groups, size, size))
    index = np.arange(channels)
    weight[index, np.minimum(index % groups, channels // groups - 1), size // 2, size // 2] = 1
    return weight


@identity_kernel.wrong("Every output channel needs its 1, also in the groups after the first.")
def first_group(channels, groups, size):
    weight, per_group = np.zeros((channels, channels // groups, size, size)), channels // groups
    index = np.arange(per_group)
    weight[index, index, size // 2, size // 2] = 1
    return weight


@identity_kernel.wrong("The groups are ignored: the second axis has channels / groups entries.")
def ungrouped(channels, groups, size):
    return by_loop(channels, 1, size)


@identity_kernel.wrong("A kernel full of ones adds the neighborhood up; the identity has one 1 per filter.")
def full_of_ones(channels, groups, size):
    weight = np.zeros((channels, channels // groups, size, size))
    index = np.arange(channels)
    weight[index, index % (channels // groups)] = 1
    return weight


# --- three kernels as one --------------------------------------------------------------------------------------------


@st.composite
def branches(draw, sizes, values):
    """Draw a square k x k kernel, a smaller odd one, and the identity's scale per channel; all have C in and C out."""
    channels, (large, small) = (
        draw(sizes),
        draw(st.sampled_from([(3, 1), (5, 3), (5, 1), (3, 3), (7, 5), (7, 3), (1, 1)])),
    )
    weights = [draw(filled((channels, channels, side, side), values)) for side in (large, small)]
    return *weights, draw(filled((channels,), values) | arrays(channels, values))


def merged(large, small, scale):
    """Ours."""
    unit = repvgg.identity_kernel(len(large), large.shape[-1], like=large)
    return large + repvgg.padded(small, large.shape[-1]) + unit * scale[:, None, None, None]


merge_branches = Exercise(
    id="repvgg/merge_branches",
    signature="merge_branches(large, small, scale) -> weight",
    task="Three parallel branches over the same input are added: a convolution large (C, C, k, k), a convolution small "
    "(C, C, m, m), and the input itself, channel i multiplied by scale[i]. k and m are odd, m <= k, stride 1, zero "
    "padding k // 2 and m // 2; batch norm is folded already. Return the weight (C, C, k, k) of the one convolution "
    "that equals the sum. The gradients are compared.",
    task_zh="三条并行分支作用于同一输入后相加：卷积 large (C, C, k, k)、卷积 small (C, C, m, m)，"
    "以及输入本身（第 i 个通道乘 scale[i]）。k、m 为奇数，m <= k，步长 1，分别补零 k // 2 和 m // 2，BN 已经折叠。"
    "返回与三者之和等价的一个卷积的权重，会比较梯度。",
    reference=merged,
    tiers=(
        branches(st.integers(2, 3), (0.0, 1.0, -1.0, 2.0, 0.5)),
        branches(st.integers(1, 5), WIDE),
    ),
    tensors=True,
    gradient=("large", "small", "scale"),
    forbidden=("torch.nn.init.dirac_",),
    cost="O(C^2 k^2), once. At run time one convolution and one read of the input remain in place of three.",
    hints=(
        "Convolution is linear in its kernel: kernels of one size, over one input, can be added.",
        "Put zeros around the small kernel, (k - m) // 2 on each side; the identity is a 1 at the center of filter i.",
        "large + F.pad(small, [(k - m) // 2] * 4), then add scale[i] to weight[i, i, k // 2, k // 2].",
    ),
)


@merge_branches.right
def by_pad(large, small, scale):
    k, m = large.shape[-1], small.shape[-1]
    unit = F.pad(torch.diag(scale)[:, :, None, None], [k // 2] * 4)
    return large + F.pad(small, [(k - m) // 2] * 4) + unit


@merge_branches.right
def by_slices(large, small, scale):
    weight, k, m = large.clone(), large.shape[-1], small.shape[-1]
    a = (k - m) // 2
    weight[:, :, a : a + m, a : a + m] += small
    index = torch.arange(len(large))
    weight[index, index, k // 2, k // 2] += scale
    return weight


@merge_branches.right
def by_loops(large, small, scale):
    rows = []
    for o in range(len(large)):
        row = []
        for c in range(len(large)):
            kernel = large[o, c] + F.pad(small[o, c], [(large.shape[-1] - small.shape[-1]) // 2] * 4)
            if o == c:
                center = torch.zeros_like(kernel)
                center[large.shape[-1] // 2, large.shape[-1] // 2] = 1
                kernel = kernel + center * scale[o]
            row.append(kernel)
        rows.append(torch.stack(row))
    return torch.stack(rows)


@merge_branches.right
def by_impulses(large, small, scale):
    channels, k, m = len(large), large.shape[-1], small.shape[-1]
    impulse = large.new_zeros(channels, channels, k, k)
    index = torch.arange(channels)
    impulse[index, index, k // 2, k // 2] = 1  # image c holds a 1 in channel c: the output shows the flipped filters
    seen = F.conv2d(impulse, large, padding=k // 2) + F.conv2d(impulse, small, padding=m // 2)
    seen = seen + impulse * scale[None, :, None, None]
    return seen.transpose(0, 1).flip(2, 3)


@merge_branches.library
def by_dirac_too(large, small, scale):
    k, m = large.shape[-1], small.shape[-1]
    unit = torch.nn.init.dirac_(torch.empty_like(large))
    return large + F.pad(small, [(k - m) // 2] * 4) + unit * scale[:, None, None, None]


@merge_branches.wrong("The identity branch is forgotten.")
def no_identity(large, small, scale):
    return by_pad(large, small, scale * 0)


@merge_branches.wrong("The small kernel is forgotten.")
def no_small(large, small, scale):
    return by_pad(large, small * 0, scale)


@merge_branches.wrong("The small kernel goes to the middle: zeros on all four sides.")
def small_at_the_corner(large, small, scale):
    k, m = large.shape[-1], small.shape[-1]
    return by_pad(large, small * 0, scale) + F.pad(small, [0, k - m, 0, k - m])


@merge_branches.wrong("Pad with zeros; a 1 x 1 repeated over the window blurs.")
def small_spread(large, small, scale):
    if 1 < small.shape[-1] < large.shape[-1]:
        return by_pad(large, small * 0, scale) + small.mean(dim=(2, 3), keepdim=True)
    return by_pad(large, small * 0, scale) + small


@merge_branches.wrong("The scale belongs to the pair (i, i); here it went to all pairs of channels.")
def scale_everywhere(large, small, scale):
    weight, k = by_pad(large, small, scale * 0), large.shape[-1]
    weight[:, :, k // 2, k // 2] += scale[:, None]
    return weight


@merge_branches.wrong("The scale is forgotten: the identity's kernel holds scale[i], not 1.")
def unit_identity(large, small, scale):
    return by_pad(large, small, torch.ones_like(scale) + 0 * scale)


@merge_branches.wrong("Branches are added, not averaged.")
def averaged(large, small, scale):
    return by_pad(large, small, scale) / 3


@merge_branches.wrong("The identity stands at the center tap, k // 2; 1 is right for 3 x 3 alone.")
def center_of_a_three(large, small, scale):
    weight, index = by_pad(large, small, scale * 0), torch.arange(len(large))
    c = min(1, large.shape[-1] - 1)
    weight[index, index, c, c] += scale
    return weight


@merge_branches.wrong("The value is right, but the small kernel is detached and would not be trained.")
def small_detached(large, small, scale):
    return by_pad(large, small.detach(), scale)


@merge_branches.wrong("A kernel is (output, input, row, column): do not swap the first two.")
def swapped(large, small, scale):
    return by_pad(large, small.transpose(0, 1), scale)


@merge_branches.wrong(
    "The ring is (k - m) // 2 wide on each side, whatever the sizes; 1 is right where they differ by 2."
)
def a_ring_of_one(large, small, scale):
    k, m = large.shape[-1], small.shape[-1]
    ring = 0 if m == k else k // 2 if m == 1 else 1
    spread = F.pad(small, [ring] * 4)
    return by_pad(large, small * 0, scale) + F.pad(spread, [0, k - spread.shape[-1]] * 2)
