"""Topic 21: the basic block, the parameters of a bottleneck, and the way back through a residual block."""

import numpy as np
import torch
from hypothesis import strategies as st
from torch.nn import functional as F

from . import SMALL, WIDE, Exercise, arrays

# --- the basic block -------------------------------------------------------------------------------------------------


@st.composite
def blocks(draw, values, sides, most, strides):
    """Draw a batch, the weights of a block without norms, and a stride; half of the blocks can keep the identity."""
    n, c_in, stride = draw(st.integers(1, most)), draw(st.integers(1, most)), draw(st.sampled_from(strides))
    c_out = c_in if draw(st.booleans()) else draw(st.integers(1, most))
    x = draw(arrays((n, c_in, draw(sides), draw(sides)), values))
    w1, w2, w_short = (
        draw(arrays(s, values)) for s in ((c_out, c_in, 3, 3), (c_out, c_out, 3, 3), (c_out, c_in, 1, 1))
    )
    return x, w1, w2, w_short, stride


def block_by_torch(x, w1, w2, w_short, stride):
    """Ours: relu(F(x) + shortcut(x))."""
    if len({len(w1), len(w2), len(w_short)}) > 1:
        raise ValueError("the three weights must have one number of output channels")
    residual = F.conv2d(torch.relu(F.conv2d(x, w1, stride=stride, padding=1)), w2, padding=1)
    same = stride == 1 and len(w1) == x.shape[1]
    return torch.relu(residual + (x if same else F.conv2d(x, w_short, stride=stride)))


basic_block = Exercise(
    id="resnet/basic_block",
    signature="basic_block(x, w1, w2, w_short, stride) -> y",
    task="A basic block without norms and biases: two 3 x 3 convolutions with padding 1, the first with the stride, a "
    "ReLU between them, then the shortcut is added, then the last ReLU. The shortcut is x itself if stride is 1 and "
    "the channels agree, else the 1 x 1 convolution w_short with the stride. You may call F.conv2d and torch.relu, "
    "whose slope at 0 is 0. x is (N, C, H, W); gradients are compared too.",
    task_zh="不带归一化和偏置的 basic block：两个 3 x 3 卷积（padding 为 1，第一个带 stride），中间 ReLU，"
    "加上捷径分支后再 ReLU。stride 为 1 且通道数相同时捷径就是 x，否则是步长为 stride 的 1 x 1 卷积 w_short。"
    "可以调用 F.conv2d 和 torch.relu，ReLU 在 0 处的梯度取 0。x 的形状是 (N, C, H, W)，还会比较梯度。",
    reference=block_by_torch,
    tiers=(
        blocks((0.0, 1.0, -1.0, 2.0), st.integers(2, 3), 2, (1, 2)),
        blocks(WIDE, st.integers(1, 5), 3, (1, 1, 2, 3)),
    ),
    tensors=True,
    gradient=("x", "w1", "w2", "w_short"),
    narrow={
        "w1": "distinct sizes2 one2 sizes3 one3: 3 x 3, nine entries of ten values",
        "w2": "distinct sizes2 one2 sizes3 one3: 3 x 3, nine entries of ten values",
        "w_short": "sizes2 sizes3: 1 x 1",
    },
    cost="O(N H W C^2 9) twice; the identity costs one addition an entry",
    hints=(
        "Which of the two branches must change its shape, and when?",
        "The residual ends without a ReLU: it may be negative. The ReLU comes after the sum.",
        "h = F.conv2d(relu(F.conv2d(x, w1, stride=stride, padding=1)), w2, padding=1); return relu(h + shortcut).",
    ),
)


def _block(x, w1, w2, w_short, stride, *, inner=torch.relu, before=None, after=torch.relu, short=None, second=1):
    h = F.conv2d(inner(F.conv2d(x, w1, stride=stride, padding=1)), w2, stride=second, padding=1)
    h = before(h) if before else h
    same = stride == 1 and w1.shape[0] == x.shape[1]
    if short is None:
        short = x if same else F.conv2d(x, w_short, stride=stride)
    return after(h + short)


@basic_block.right
def on_a_whiteboard(x, w1, w2, w_short, stride):
    out = F.conv2d(x, w1, stride=stride, padding=1)
    out = F.conv2d(F.relu(out), w2, padding=1)
    if stride != 1 or x.shape[1] != w1.shape[0]:
        x = F.conv2d(x, w_short, stride=stride)
    return F.relu(out + x)


@basic_block.right
def by_slicing(x, w1, w2, w_short, stride):
    same = stride == 1 and x.size(1) == w1.size(0)
    shortcut = x if same else torch.einsum("nchw,oc->nohw", x[:, :, ::stride, ::stride], w_short[:, :, 0, 0])
    h = torch.conv2d(x, w1, padding=1)[:, :, ::stride, ::stride].relu()
    return (torch.conv2d(h, w2, padding=1) + shortcut).relu()


@basic_block.right
def by_unfold(x, w1, w2, w_short, stride):
    def conv(x, w, stride):
        rows = F.unfold(x, 3, padding=1, stride=stride)
        height, width = ((side - 1) // stride + 1 for side in x.shape[2:])
        return (w.flatten(1) @ rows).reshape(len(x), len(w), height, width)

    h = conv(torch.relu(conv(x, w1, stride)), w2, 1)
    same = stride == 1 and x.shape[1] == w1.shape[0]
    return torch.relu(h + (x if same else F.conv2d(x, w_short, stride=stride)))


@basic_block.wrong("The identity is missing: that is a plain block.")
def plain(x, w1, w2, w_short, stride):
    return _block(x, w1, w2, w_short, stride, short=torch.zeros(1, dtype=x.dtype))


@basic_block.wrong("No ReLU before the sum: the residual must be able to be negative.")
def relu_before_the_sum(x, w1, w2, w_short, stride):
    return _block(x, w1, w2, w_short, stride, before=torch.relu)


@basic_block.wrong("The last ReLU, after the sum, is missing.")
def no_last_relu(x, w1, w2, w_short, stride):
    return _block(x, w1, w2, w_short, stride, after=lambda h: h)


@basic_block.wrong("The ReLU between the two convolutions is missing: together they would be one linear map.")
def no_inner_relu(x, w1, w2, w_short, stride):
    return _block(x, w1, w2, w_short, stride, inner=lambda h: h)


@basic_block.wrong("ReLU first, then the sum: the block's output may then be negative.")
def sum_after_relu(x, w1, w2, w_short, stride):
    h = torch.relu(F.conv2d(torch.relu(F.conv2d(x, w1, stride=stride, padding=1)), w2, padding=1))
    return h + (x if stride == 1 and len(w1) == x.shape[1] else F.conv2d(x, w_short, stride=stride))


@basic_block.wrong("The projection is for shapes that differ. Where they agree, x itself is added.")
def always_projected(x, w1, w2, w_short, stride):
    return _block(x, w1, w2, w_short, stride, short=F.conv2d(x, w_short, stride=stride))


@basic_block.wrong("The shortcut is detached: the gradient through it is what makes the block a residual one.")
def shortcut_detached(x, w1, w2, w_short, stride):
    same = stride == 1 and len(w1) == x.shape[1]
    return _block(x, w1, w2, w_short, stride, short=(x if same else F.conv2d(x, w_short, stride=stride)).detach())


@basic_block.wrong("The projection learns too: do not detach its weights.")
def projection_detached(x, w1, w2, w_short, stride):
    return block_by_torch(x, w1, w2, w_short.detach(), stride)


@basic_block.wrong("The projection is needed too where only the stride differs from 1: do not look at channels alone.")
def channels_alone(x, w1, w2, w_short, stride):
    if len(w1) == x.shape[1]:
        return _block(x, w1, w2, w_short, stride, short=F.max_pool2d(x, 1, stride))
    return _block(x, w1, w2, w_short, stride)


@basic_block.wrong("The stride belongs to the first convolution and to the shortcut: here it is ignored.")
def stride_ignored(x, w1, w2, w_short, stride):
    return _block(x, w1, w2, w_short, 1)


# --- counting --------------------------------------------------------------------------------------------------------


def bottleneck_count(channels_in, channels, stride):
    """Ours: weights of the convolutions, and two numbers per channel of each batch norm."""
    out = 4 * channels
    count = channels_in * channels + 9 * channels**2 + channels * out + 2 * (channels + channels + out)
    if stride != 1 or channels_in != out:
        count += channels_in * out + 2 * out
    return count


@st.composite
def sizes(draw, widths, others):
    """Draw the channels of a bottleneck, often such that the identity fits, and a stride."""
    channels = draw(st.sampled_from(widths))
    channels_in = 4 * channels if draw(st.booleans()) else draw(st.sampled_from(others))
    return channels_in, channels, draw(st.sampled_from([1, 1, 2, 3]))


bottleneck_parameters = Exercise(
    id="resnet/bottleneck_parameters",
    signature="bottleneck_parameters(channels_in, channels, stride) -> count",
    task="How many parameters a bottleneck learns: 1 x 1 to channels, 3 x 3, 1 x 1 to 4 times channels, without "
    "biases, a batch norm with scale and shift after each; and a 1 x 1 convolution with a batch norm as shortcut where "
    "the stride is not 1 or the channels differ.",
    task_zh="求 bottleneck 的可学习参数量：1 x 1 卷积到 channels，3 x 3，1 x 1 到 4 倍 channels，卷积都不带偏置，"
    "每个后面接 BN（缩放和平移）；stride 不为 1 或通道数不等时，捷径是带 BN 的 1 x 1 卷积。",
    reference=bottleneck_count,
    tiers=(sizes((1, 2, 64), (1, 3, 64)), sizes((1, 2, 3, 5, 64, 128, 512), (1, 2, 3, 7, 12, 64, 256, 1000))),
    cost="O(1)",
    hints=(
        "A convolution without bias has k * k * inputs * outputs weights. A batch norm learns two numbers per channel.",
        "Three convolutions: channels_in c, 9 c c, 4 c c; three norms: 2 c, 2 c, 8 c. Then the shortcut.",
        "The shortcut, where needed, adds channels_in * 4 c + 2 * 4 c.",
    ),
)


@bottleneck_parameters.right
def layer_by_layer(channels_in, channels, stride):
    layers = [(channels_in, channels, 1), (channels, channels, 3), (channels, 4 * channels, 1)]
    if stride > 1 or channels_in != 4 * channels:
        layers.append((channels_in, 4 * channels, 1))
    return sum(a * b * k * k + 2 * b for a, b, k in layers)


@bottleneck_parameters.right
def in_one_line(channels_in, channels, stride):
    c = channels
    return c * (channels_in + 13 * c + 12) + (stride != 1 or channels_in != 4 * c) * 4 * c * (channels_in + 2)


@bottleneck_parameters.wrong("Batch norms learn a scale and a shift per channel.")
def no_norms(channels_in, channels, stride):
    c = channels
    return c * (channels_in + 13 * c) + (stride != 1 or channels_in != 4 * c) * 4 * c * channels_in


@bottleneck_parameters.wrong("The convolutions have no bias: the norm's shift does its work.")
def with_biases(channels_in, channels, stride):
    c = channels
    return bottleneck_count(channels_in, c, stride) + 6 * c + (stride != 1 or channels_in != 4 * c) * 4 * c


@bottleneck_parameters.wrong("The shortcut has no parameters where stride is 1 and the channels agree.")
def always_a_projection(channels_in, channels, stride):
    return bottleneck_count(channels_in, channels, 2)


@bottleneck_parameters.wrong("The shortcut needs a convolution where the shapes differ.")
def never_a_projection(channels_in, channels, stride):
    return bottleneck_count(4 * channels, channels, 1) + (channels_in - 4 * channels) * channels


@bottleneck_parameters.wrong("The stride counts too: with stride 2 and equal channels the shortcut is a convolution.")
def stride_forgotten(channels_in, channels, stride):
    return bottleneck_count(channels_in, channels, 1)


@bottleneck_parameters.wrong("Compare channels_in with 4 times channels, what comes out, not with channels.")
def compared_with_the_narrow(channels_in, channels, stride):
    c = channels
    return c * (channels_in + 13 * c + 12) + (stride != 1 or channels_in != c) * 4 * c * (channels_in + 2)


@bottleneck_parameters.wrong("Running mean and variance are kept, not learned.")
def with_statistics(channels_in, channels, stride):
    c = channels
    return bottleneck_count(channels_in, c, stride) + 12 * c + (stride != 1 or channels_in != 4 * c) * 8 * c


# --- the way back ----------------------------------------------------------------------------------------------------


@st.composite
def dense_blocks(draw, values, largest):
    """Draw a gradient, an input and the weights of a residual block of dense layers."""
    n, d, hidden = (draw(st.integers(1, largest)) for _ in range(3))
    return tuple(draw(arrays(shape, values)) for shape in ((n, d), (n, d), (d, hidden), (hidden, d)))


def back_through_a_block(grad_y, x, w1, w2):
    """Ours: y = x + relu(x w1) w2."""
    if grad_y.shape != x.shape:
        raise ValueError("grad_y must have the shape of x")
    z = x @ w1
    below = (grad_y @ w2.T) * (z > 0)
    return grad_y + below @ w1.T, x.T @ below, np.maximum(z, 0).T @ grad_y


residual_backward = Exercise(
    id="resnet/residual_backward",
    signature="residual_backward(grad_y, x, w1, w2) -> grad_x, grad_w1, grad_w2",
    task="The way back through y = x + relu(x w1) w2, x and grad_y (n, d), w1 (d, h), w2 (h, d). At exactly 0 the ReLU "
    "passes nothing.",
    task_zh="求 y = x + relu(x w1) w2 的反向传播。x 和 grad_y 形状 (n, d)，w1 为 (d, h)，w2 为 (h, d)；"
    "ReLU 在 0 处梯度取 0。",
    reference=back_through_a_block,
    tiers=(dense_blocks(SMALL, 3), dense_blocks(WIDE, 5)),
    cost="O(n d h): four matrix products; the identity adds one sum",
    hints=(
        "y depends on x along two ways. What happens to gradients where a value is used twice?",
        "Along the identity grad_y arrives unchanged; along the residual it goes through w2, the ReLU and w1.",
        "b = (grad_y @ w2.T) * (x @ w1 > 0); return grad_y + b @ w1.T, x.T @ b, relu(x @ w1).T @ grad_y.",
    ),
)


@residual_backward.right
def both_ways(grad_y, x, w1, w2):
    z = x @ w1
    b = (grad_y @ w2.T) * (z > 0)
    return grad_y + b @ w1.T, x.T @ b, np.maximum(z, 0).T @ grad_y


@residual_backward.right
def by_einsum(grad_y, x, w1, w2):
    z = np.einsum("nd,dh->nh", x, w1)
    b = np.where(z > 0, np.einsum("nd,hd->nh", grad_y, w2), 0.0)
    h = np.where(z > 0, z, 0.0)
    return grad_y + np.einsum("nh,dh->nd", b, w1), np.einsum("nd,nh->dh", x, b), np.einsum("nh,nd->hd", h, grad_y)


@residual_backward.right
def sample_by_sample(grad_y, x, w1, w2):
    to_x, to_1, to_2 = np.zeros_like(x), np.zeros_like(w1), np.zeros_like(w2)
    for i, (g, row) in enumerate(zip(grad_y, x, strict=True)):
        z = row @ w1
        b = (w2 @ g) * (z > 0)
        to_x[i] = g + w1 @ b
        to_1 += np.outer(row, b)
        to_2 += np.outer(np.maximum(z, 0), g)
    return [to_x, to_1, to_2]


@residual_backward.wrong("The identity's gradient is missing: add grad_y.")
def without_identity(grad_y, x, w1, w2):
    grad_x, *rest = back_through_a_block(grad_y, x, w1, w2)
    return grad_x - grad_y, *rest


@residual_backward.wrong("The way through the residual is missing: x is used twice.")
def identity_alone(grad_y, x, w1, w2):
    return grad_y.copy(), *back_through_a_block(grad_y, x, w1, w2)[1:]


@residual_backward.wrong("The ReLU's slope is missing on the way back.")
def no_gate(grad_y, x, w1, w2):
    b = grad_y @ w2.T
    return grad_y + b @ w1.T, x.T @ b, np.maximum(x @ w1, 0).T @ grad_y


@residual_backward.wrong("At exactly 0 nothing passes: z > 0, not z >= 0.")
def passes_at_zero(grad_y, x, w1, w2):
    b = (grad_y @ w2.T) * (x @ w1 >= 0)
    return grad_y + b @ w1.T, x.T @ b, np.maximum(x @ w1, 0).T @ grad_y


@residual_backward.wrong("The gradient of w2 takes what went into w2: the output of the ReLU, not what came before it.")
def before_the_relu(grad_y, x, w1, w2):
    grad_x, grad_w1, _ = back_through_a_block(grad_y, x, w1, w2)
    return grad_x, grad_w1, (x @ w1).T @ grad_y


@residual_backward.wrong("The ReLU is on the residual's hidden units; grad_y itself is not gated.")
def identity_gated(grad_y, x, w1, w2):
    grad_x, *rest = back_through_a_block(grad_y, x, w1, w2)
    return grad_x - grad_y + grad_y * (x > 0), *rest


@residual_backward.wrong("Gradients of the weights are sums over the samples, not means.")
def means(grad_y, x, w1, w2):
    grad_x, grad_w1, grad_w2 = back_through_a_block(grad_y, x, w1, w2)
    return grad_x, grad_w1 / len(x), grad_w2 / len(x)
