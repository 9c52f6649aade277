"""Topic 09: convolution forward with autograd's gradients, its backward pass by hand, and the size of its output."""

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from ...algorithms import convolution
from . import WIDE, Exercise, arrays

# --- conv2d ----------------------------------------------------------------------------------------------------------


@st.composite
def readable(draw):
    """Draw x, weight, bias, stride and padding: two images, few channels, sides that are not square."""
    stride, padding = draw(st.sampled_from([1, 2])), draw(st.sampled_from([0, 1]))
    inputs, outputs = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 2]))
    sides, kernel = draw(st.sampled_from([(3, 4), (4, 3), (3, 3)])), draw(st.sampled_from([(2, 2), (2, 3), (1, 2)]))
    shapes = (2, inputs, *sides), (outputs, inputs, *kernel), outputs
    return *(draw(arrays(shape)) for shape in shapes), stride, padding


@st.composite
def any_layer(draw):
    """Draw the same of any size. The kernel fits, at times just so, and pixels are often left over at the far edge."""
    stride, padding = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([0, 1, 2]))
    kernel = [draw(st.integers(1, 3)) for _ in range(2)]
    sides = [draw(st.integers(max(1, k - 2 * padding), k + 4)) for k in kernel]
    samples, inputs, outputs = (draw(st.integers(1, 3)) for _ in range(3))
    shapes = (samples, inputs, *sides), (outputs, inputs, *kernel), (outputs,)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return *(filled(rng, shape) for shape in shapes), stride, padding


def filled(rng, shape):
    """An array of `WIDE`'s values, without equal ones where it is small: cheaper to draw and to shrink one by one."""
    size = int(np.prod(shape))
    return rng.choice(WIDE, size, replace=size > len(WIDE)).reshape(shape)


def conv2d_by_torch(x, weight, bias, stride, padding):
    """Ours: torch's own."""
    return F.conv2d(x, weight, bias, stride, padding)


CONVOLUTIONS = (
    *(f"torch.nn.functional.conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)),
    *("torch.convolution", "torch.nn.Conv1d", "torch.nn.Conv2d", "torch.nn.Conv3d", "torch.nn.ConvTranspose2d"),
    *("scipy.signal", "scipy.ndimage"),
)

conv2d = Exercise(
    id="convolution/conv2d",
    signature="conv2d(x, weight, bias, stride, padding) -> out",
    task="The convolution of a deep-learning library (a cross-correlation) of x (N, C, H, W) with weight (O, C, k_h, "
    "k_w) and bias (O,). stride and padding are one integer each, for both sides; the padding is zeros. Write "
    "it without the library's convolutions. The gradients with respect to x, weight and bias are compared.",
    task_zh="实现深度学习框架里的二维卷积（互相关）：x (N, C, H, W)，weight (O, C, k_h, k_w)，bias (O,)。"
    "stride 和 padding 各是一个整数，高宽共用，补零。不得调用框架自带的卷积。会比较对 x、weight、bias 的梯度。",
    reference=conv2d_by_torch,
    tiers=(readable(), any_layer()),
    tensors=True,
    gradient=("x", "weight", "bias"),
    forbidden=CONVOLUTIONS,
    cost="O(N C_out H' W' C_in k^2): one matrix product after im2col",
    hints=(
        "Pad x with zeros. Then every output is the dot product of a window with a filter, plus the filter's bias.",
        "xp.unfold(2, k_h, stride).unfold(3, k_w, stride) is a view of all windows: (N, C, H_out, W_out, k_h, k_w).",
        "torch.einsum('nchwij,ocij->nohw', windows, weight) + bias[:, None, None].",
    ),
)


def padded(x, padding):
    n, c, h, w = x.shape
    out = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    out[:, :, padding : padding + h, padding : padding + w] = x
    return out


def unfolded(x, kernel, stride, padding):
    return padded(x, padding).unfold(2, kernel[0], stride).unfold(3, kernel[1], stride)


@conv2d.right
def by_unfold(x, weight, bias, stride, padding):
    n, c, h, w = x.shape
    xp = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    xp[:, :, padding : padding + h, padding : padding + w] = x
    windows = xp.unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
    return torch.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]


@conv2d.right
def by_im2col(x, weight, bias, stride, padding):
    windows = unfolded(x, weight.shape[2:], stride, padding)
    n, c, rows, columns, *_ = windows.shape
    matrix = windows.permute(0, 1, 4, 5, 2, 3).reshape(n, -1, rows * columns)
    out = weight.reshape(len(weight), -1) @ matrix + bias[:, None]
    return out.reshape(n, len(weight), rows, columns)


@conv2d.right
def by_taps(x, weight, bias, stride, padding):
    xp, (_, _, k_h, k_w) = padded(x, padding), weight.shape
    rows, columns = (xp.shape[2] - k_h) // stride + 1, (xp.shape[3] - k_w) // stride + 1
    out = bias[None, :, None, None]
    for i in range(k_h):
        for j in range(k_w):
            seen = xp[:, :, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride]
            out = out + torch.tensordot(weight[:, :, i, j], seen, dims=([1], [1])).transpose(0, 1)
    return out


@conv2d.right
def by_loops(x, weight, bias, stride, padding):
    xp, (outputs, _, k_h, k_w) = padded(x, padding), weight.shape
    rows, columns = (xp.shape[2] - k_h) // stride + 1, (xp.shape[3] - k_w) // stride + 1
    out = x.new_zeros(len(x), outputs, rows, columns)
    for i, j in product(range(rows), range(columns)):
        window = xp[:, None, :, i * stride : i * stride + k_h, j * stride : j * stride + k_w]
        out[:, :, i, j] = (window * weight).sum(dim=(2, 3, 4)) + bias
    return out


@conv2d.right
def by_f_unfold(x, weight, bias, stride, padding):
    (k_h, k_w), n = weight.shape[2:], len(x)
    matrix = F.unfold(F.pad(x, (padding, padding, padding, padding)), (k_h, k_w), stride=stride)
    rows = (x.shape[2] + 2 * padding - k_h) // stride + 1
    out = torch.einsum("ok,nkp->nop", weight.flatten(1), matrix) + bias.view(1, -1, 1)
    return out.reshape(n, len(weight), rows, -1)


@conv2d.library
def torch_conv2d(x, weight, bias, stride, padding):
    return torch.nn.functional.conv2d(x, weight, bias, stride, padding)


@conv2d.wrong("The kernel is flipped. That is the mathematician's convolution; libraries compute a cross-correlation.")
def flipped(x, weight, bias, stride, padding):
    return by_unfold(x, weight.flip(2, 3), bias, stride, padding)


@conv2d.wrong("The kernel's rows and columns are swapped.")
def transposed_kernel(x, weight, bias, stride, padding):
    if weight.shape[2] != weight.shape[3]:
        return by_unfold(x, weight, bias, stride, padding)
    return by_unfold(x, weight.transpose(2, 3), bias, stride, padding)


@conv2d.wrong("The bias is forgotten.")
def no_bias(x, weight, bias, stride, padding):
    return by_unfold(x, weight, bias * 0, stride, padding)


@conv2d.wrong("The bias is added once per output, not once per input channel.")
def bias_per_channel(x, weight, bias, stride, padding):
    return by_unfold(x, weight, bias * x.shape[1], stride, padding)


@conv2d.wrong("The stride is ignored.")
def dense_steps(x, weight, bias, stride, padding):
    return by_unfold(x, weight, bias, 1, padding)


@conv2d.wrong("The padding is ignored.")
def valid_only(x, weight, bias, stride, padding):
    try:
        return by_unfold(x, weight, bias, stride, 0)
    except RuntimeError:
        return by_unfold(x, weight, bias, stride, padding)[..., :1, :1]


@conv2d.wrong("The padding goes on both sides; here it is only above and to the left.")
def padded_at_one_end(x, weight, bias, stride, padding):
    xp = padded(x, padding)
    xp = xp[:, :, : x.shape[2] + padding, : x.shape[3] + padding]
    if xp.shape[2] < weight.shape[2] or xp.shape[3] < weight.shape[3]:
        return by_unfold(x, weight, bias, stride, padding)
    windows = xp.unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], stride)
    return torch.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]


@conv2d.wrong("The padding repeats the edge; zeros are asked for.")
def edge_repeated(x, weight, bias, stride, padding):
    rows = torch.arange(-padding, x.shape[2] + padding).clamp(0, x.shape[2] - 1)
    columns = torch.arange(-padding, x.shape[3] + padding).clamp(0, x.shape[3] - 1)
    return by_unfold(x[:, :, rows][..., columns], weight, bias, stride, 0)


@conv2d.wrong("The last window is one step short: the count is (size - kernel) // stride + 1.")
def one_short(x, weight, bias, stride, padding):
    out = by_unfold(x, weight, bias, stride, padding)
    return out[:, :, : max(1, out.shape[2] - 1), : max(1, out.shape[3] - 1)]


@conv2d.wrong("The outputs are averaged over the input channels. A filter sums over them.")
def channel_mean(x, weight, bias, stride, padding):
    return by_unfold(x, weight / x.shape[1], bias, stride, padding)


@conv2d.wrong("The value is right, but the padding copied x by .detach() or .data: no gradient reaches x.")
def detached_input(x, weight, bias, stride, padding):
    return by_unfold(x.detach(), weight, bias, stride, padding)


@conv2d.wrong("The value is right, but the bias is detached, so it would not be learned.")
def detached_bias(x, weight, bias, stride, padding):
    return by_unfold(x, weight, bias.detach(), stride, padding)


@conv2d.wrong("Only the first image of the batch is filtered.")
def first_image(x, weight, bias, stride, padding):
    return by_unfold(x[:1], weight, bias, stride, padding).expand(len(x), -1, -1, -1)


@conv2d.wrong("The stride between rows is not applied between columns.")
def stride_of_rows(x, weight, bias, stride, padding):
    windows = padded(x, padding).unfold(2, weight.shape[2], stride).unfold(3, weight.shape[3], 1)
    return torch.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]


# --- backward --------------------------------------------------------------------------------------------------------


@st.composite
def arriving(draw, layers, fill):
    """Draw what arrives at the output, x, weight, stride and padding."""
    x, weight, _, stride, padding = draw(layers)
    size = convolution.conv_output_size(x.shape[2:], weight.shape[2:], stride, padding)
    return draw(fill((len(x), len(weight), *size))), x, weight, stride, padding


def seeded(shape):
    return st.integers(0, 999).map(lambda seed: filled(np.random.default_rng(seed), shape))


conv2d_backward = Exercise(
    id="convolution/conv2d_backward",
    signature="conv2d_backward(grad, x, weight, stride, padding) -> grad_x, grad_weight, grad_bias",
    task="The gradient grad (N, O, H_out, W_out) arrives at the output of a convolution of x (N, C, H, W) with weight "
    "(O, C, k_h, k_w) and a bias. Return the gradients with respect to x, weight and bias, in NumPy.",
    task_zh="grad (N, O, H_out, W_out) 是传到卷积输出端的梯度，输入为 x (N, C, H, W)，"
    "卷积核为 weight (O, C, k_h, k_w)，带偏置。用 NumPy 返回对 x、weight、bias 的梯度。",
    reference=convolution.conv2d_backward,
    tiers=(arriving(readable(), arrays), arriving(any_layer(), seeded)),
    forbidden=("torch.autograd", "torch.nn.grad", *CONVOLUTIONS),
    cost="about twice the forward pass: one product for the weights, one for the input",
    hints=(
        "One tap (i, j) of the kernel meets a strided slice of the padded input, of the size of the output.",
        "For each tap: grad_weight[:, :, i, j] sums grad times that slice over images and places; the same slice of "
        "grad_x receives weight[:, :, i, j] times grad. Add, do not assign: slices of two taps overlap.",
        "np.einsum('nohw,nchw->oc', grad, seen) and seen_grad += np.einsum('nohw,oc->nchw', grad, weight[:, :, i, j]); "
        "cut the padding off at the end.",
    ),
)


def tap_slices(grad, weight, stride):
    for i, j in np.ndindex(weight.shape[2:]):
        rows, columns = (
            slice(tap, tap + stride * (n - 1) + 1, stride) for tap, n in zip((i, j), grad.shape[2:], strict=True)
        )
        yield i, j, (slice(None), slice(None), rows, columns)


@conv2d_backward.right
def tap_by_tap(grad, x, weight, stride, padding):
    p, (rows, columns) = padding, grad.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    grad_xp, grad_weight = np.zeros(xp.shape), np.zeros(weight.shape)
    for i, j in np.ndindex(weight.shape[2:]):
        down = slice(i, i + stride * (rows - 1) + 1, stride)
        right = slice(j, j + stride * (columns - 1) + 1, stride)
        grad_weight[:, :, i, j] = np.einsum("nohw,nchw->oc", grad, xp[:, :, down, right])
        grad_xp[:, :, down, right] += np.einsum("nohw,oc->nchw", grad, weight[:, :, i, j])
    grad_x = grad_xp[:, :, p : p + x.shape[2], p : p + x.shape[3]]
    return grad_x, grad_weight, grad.sum(axis=(0, 2, 3))


@conv2d_backward.right
def place_by_place(grad, x, weight, stride, padding):
    p, (k_h, k_w) = padding, weight.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    grad_xp, grad_weight, grad_bias = np.zeros(xp.shape), np.zeros(weight.shape), np.zeros(len(weight))
    for n, o, i, j in np.ndindex(grad.shape):
        where = n, slice(None), slice(i * stride, i * stride + k_h), slice(j * stride, j * stride + k_w)
        grad_weight[o] += grad[n, o, i, j] * xp[where]
        grad_xp[where] += grad[n, o, i, j] * weight[o]
        grad_bias[o] += grad[n, o, i, j]
    return grad_xp[:, :, p : p + x.shape[2], p : p + x.shape[3]], grad_weight, grad_bias


@conv2d_backward.right
def by_matrices(grad, x, weight, stride, padding):
    p, (k_h, k_w) = padding, weight.shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(xp, (k_h, k_w), axis=(2, 3))[:, :, ::stride, ::stride]
    grad_weight = np.tensordot(grad, windows, axes=((0, 2, 3), (0, 2, 3)))
    shares = np.einsum("nohw,ocij->nchwij", grad, weight)
    grad_xp = np.zeros(xp.shape)
    for i, j in np.ndindex(grad.shape[2:]):
        grad_xp[:, :, i * stride : i * stride + k_h, j * stride : j * stride + k_w] += shares[:, :, i, j]
    return grad_xp[:, :, p : p + x.shape[2], p : p + x.shape[3]], grad_weight, grad.sum((0, 2, 3))


@conv2d_backward.library
def by_autograd(grad, x, weight, stride, padding):
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, weight, np.zeros(len(weight)))]
    out = torch.nn.functional.conv2d(*tensors, stride, padding)
    return [slope.numpy() for slope in torch.autograd.grad(out, tensors, torch.tensor(grad))]


@conv2d_backward.wrong("The windows overlap, so grad_x adds up; assigning keeps the last share alone.")
def assigned(grad, x, weight, stride, padding):
    _, grad_weight, grad_bias = tap_by_tap(grad, x, weight, stride, padding)
    p = padding
    grad_xp = np.zeros((*x.shape[:2], x.shape[2] + 2 * p, x.shape[3] + 2 * p))
    for i, j, where in tap_slices(grad, weight, stride):
        grad_xp[where] = np.einsum("nohw,oc->nchw", grad, weight[:, :, i, j])
    return grad_xp[:, :, p : p + x.shape[2], p : p + x.shape[3]], grad_weight, grad_bias


@conv2d_backward.wrong("The gradient of the weights is a sum over the batch, not a mean.")
def batch_mean(grad, x, weight, stride, padding):
    grad_x, grad_weight, grad_bias = tap_by_tap(grad, x, weight, stride, padding)
    return grad_x, grad_weight / len(x), grad_bias


@conv2d_backward.wrong("The bias meets every place of every image: sum over images, rows and columns.")
def bias_of_batch_mean(grad, x, weight, stride, padding):
    grad_x, grad_weight, _ = tap_by_tap(grad, x, weight, stride, padding)
    return grad_x, grad_weight, grad.mean(axis=0).sum(axis=(1, 2))


@conv2d_backward.wrong("The bias's gradient is a sum over rows and columns, not a mean.")
def bias_mean(grad, x, weight, stride, padding):
    grad_x, grad_weight, _ = tap_by_tap(grad, x, weight, stride, padding)
    return grad_x, grad_weight, grad.mean(axis=(2, 3)).sum(axis=0)


@conv2d_backward.wrong("grad_x uses the kernel flipped once too often: each tap sends back along the way it came.")
def flipped_for_input(grad, x, weight, stride, padding):
    _, grad_weight, grad_bias = tap_by_tap(grad, x, weight, stride, padding)
    return tap_by_tap(grad, x, weight[:, :, ::-1, ::-1], stride, padding)[0], grad_weight, grad_bias


@conv2d_backward.wrong("The gradient of the weights comes out flipped: output (i, j) met the window that begins there.")
def flipped_weights(grad, x, weight, stride, padding):
    grad_x, grad_weight, grad_bias = tap_by_tap(grad, x, weight, stride, padding)
    return grad_x, grad_weight[:, :, ::-1, ::-1], grad_bias


@conv2d_backward.wrong("grad_x must have the shape of x: cut the padding off.")
def padding_kept(grad, x, weight, stride, padding):
    p = padding
    _, grad_weight, grad_bias = tap_by_tap(grad, x, weight, stride, padding)
    wide = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    return tap_by_tap(grad, wide, weight, stride, 0)[0], grad_weight, grad_bias


@conv2d_backward.wrong("The padding is cut off at one end only.")
def cut_at_one_end(grad, x, weight, stride, padding):
    p = padding
    _, grad_weight, grad_bias = tap_by_tap(grad, x, weight, stride, padding)
    wide = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    whole = tap_by_tap(grad, wide, weight, stride, 0)[0]
    return whole[:, :, : x.shape[2], : x.shape[3]], grad_weight, grad_bias


@conv2d_backward.wrong("The stride is ignored: windows lie stride pixels apart on the way back too.")
def no_stride(grad, x, weight, stride, padding):
    return tap_by_tap(grad, x, weight, 1, padding)


@conv2d_backward.wrong("The weights of the first image alone: every image uses the same filter, so add over the batch.")
def first_image_only(grad, x, weight, stride, padding):
    grad_x, _, grad_bias = tap_by_tap(grad, x, weight, stride, padding)
    return grad_x, tap_by_tap(grad[:1], x[:1], weight, stride, padding)[1], grad_bias


# --- output size -----------------------------------------------------------------------------------------------------


@st.composite
def sides(draw, most, steps):
    """Draw a side, kernel, stride, padding and dilation such that the kernel fits, at times just so."""
    kernel, dilation = draw(st.integers(1, most)), draw(st.sampled_from(steps))
    padding, stride = draw(st.integers(0, most)), draw(st.sampled_from(steps))
    extent = dilation * (kernel - 1) + 1
    return draw(st.integers(max(1, extent - 2 * padding), extent + 4 * most)), kernel, stride, padding, dilation


output_size = Exercise(
    id="convolution/output_size",
    signature="output_size(size, kernel, stride, padding, dilation) -> n",
    task="One side of a convolution's output: how many windows fit along a side of the input. All arguments are "
    "integers; padding is added at both ends.",
    task_zh="求卷积输出的一条边长：输入的一条边上能放下多少个窗口。参数都是整数，padding 在两端各补一次。",
    reference=convolution.conv_output_size,
    tiers=(sides(3, (1, 2)), sides(7, (1, 2, 3, 4))),
    forbidden=CONVOLUTIONS,
    cost="O(1)",
    hints=(
        "How long is a kernel whose taps lie dilation pixels apart? Then: how many steps can it take?",
        "Its extent is dilation (kernel - 1) + 1. It can move by size + 2 padding - extent pixels.",
        "(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1.",
    ),
)


@output_size.right
def by_formula(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


@output_size.right
def by_counting(size, kernel, stride, padding, dilation):
    last = dilation * (kernel - 1)
    return len([start for start in range(0, size + 2 * padding, stride) if start + last < size + 2 * padding])


@output_size.right
def by_floor(size, kernel, stride, padding, dilation):
    extent = kernel + (kernel - 1) * (dilation - 1)
    return int(np.floor((size - extent + 2 * padding) / stride)) + 1


@output_size.library
def by_layer(size, kernel, stride, padding, dilation):
    layer = torch.nn.Conv1d(1, 1, kernel, stride, padding, dilation, device="meta")
    return layer(torch.empty(1, 1, size, device="meta")).shape[2]


@output_size.wrong("Round down, not up: a window that hangs over the edge is dropped.")
def rounded_up(size, kernel, stride, padding, dilation):
    return -(-(size + 2 * padding - dilation * (kernel - 1) - 1) // stride) + 1


@output_size.wrong("Padding is added at both ends: 2 padding.")
def padded_once(size, kernel, stride, padding, dilation):
    return max(0, size + padding - dilation * (kernel - 1) - 1) // stride + 1


@output_size.wrong("The extent of a dilated kernel is dilation (kernel - 1) + 1, not dilation times kernel.")
def too_long(size, kernel, stride, padding, dilation):
    return max(0, size + 2 * padding - dilation * kernel) // stride + 1


@output_size.wrong("The dilation is ignored.")
def no_dilation(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - kernel) // stride + 1


@output_size.wrong("The 1 is added after the division: the first window takes no step.")
def one_inside(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1)) // stride


@output_size.wrong("The first window is not counted: add 1.")
def steps_only(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride


@output_size.wrong("A size is a whole number: round down.")
def not_rounded(size, kernel, stride, padding, dilation):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1


@output_size.wrong("That is the size of padding 'same', size / stride rounded up. It holds for no other padding.")
def same(size, kernel, stride, padding, dilation):
    return -(-size // stride)


@output_size.wrong("round() goes to the nearest integer, and an exact half to the even one. Round down.")
def to_nearest(size, kernel, stride, padding, dilation):
    return round((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1
