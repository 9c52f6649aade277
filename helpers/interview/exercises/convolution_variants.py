"""Topic 16: grouped, depthwise separable and transposed convolution, and what a separable layer costs."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st

from ...algorithms import convolution_variants as variants
from . import WIDE, Exercise, arrays

TRANSPOSED = (
    *(f"torch.nn.functional.conv_transpose{n}d" for n in (1, 2, 3)),
    *("torch.nn.ConvTranspose1d", "torch.nn.ConvTranspose2d", "torch.nn.ConvTranspose3d", "torch.nn.grad"),
    *("torch.convolution", "scipy.signal", "scipy.ndimage"),
)


def filled(rng, shape):
    """An array of `WIDE`'s values, without equal ones where it is small: cheaper to draw and to shrink one by one."""
    size = int(np.prod(shape))
    return rng.choice(WIDE, size, replace=size > len(WIDE)).reshape(shape)


# --- grouped ---------------------------------------------------------------------------------------------------------


@st.composite
def readable_groups(draw):
    groups, outputs = draw(st.sampled_from([2, 1, 3])), draw(st.sampled_from([1, 2]))
    x = draw(arrays((2, 2 * groups, *draw(st.sampled_from([(2, 3), (3, 2)])))))
    return x, draw(arrays((outputs * groups, 2, *draw(st.sampled_from([(1, 2), (2, 1), (2, 2)]))))), groups


@st.composite
def any_groups(draw):
    """Draw x, weight and groups: as many outputs per group as inputs, fewer or more; one group, and depthwise."""
    groups, inputs, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 3)) for _ in range(2)]
    sides = [draw(st.integers(k, k + 2)) for k in kernel]
    rng, samples = np.random.default_rng(draw(st.integers(0, 999))), draw(st.integers(1, 3))
    return filled(rng, (samples, groups * inputs, *sides)), filled(rng, (groups * outputs, inputs, *kernel)), groups


def grouped_by_torch(x, weight, groups):
    """Ours: torch's own."""
    return F.conv2d(x, weight, groups=groups)


def grouped_by_us(x, weight, groups):
    """What the other answers are built from; the graph is kept."""
    inputs, outputs = x.shape[1] // groups, len(weight) // groups
    parts = [
        F.conv2d(x[:, g * inputs : (g + 1) * inputs], weight[g * outputs : (g + 1) * outputs]) for g in range(groups)
    ]
    return torch.cat(parts, dim=1)


grouped_conv2d = Exercise(
    id="convolution_variants/grouped_conv2d",
    signature="grouped_conv2d(x, weight, groups) -> out",
    task="A grouped convolution of stride 1 without padding or bias: x (N, C, H, W), weight (O, C / groups, k_h, k_w). "
    "You may call F.conv2d, but not with groups. The gradients with respect to x and weight are compared.",
    task_zh="实现步长 1、无填充、无偏置的分组卷积：x (N, C, H, W)，weight (O, C / groups, k_h, k_w)。"
    "可以调用 F.conv2d，但不能用它的 groups 参数。会比较对 x 和 weight 的梯度。",
    reference=grouped_by_torch,
    tiers=(readable_groups(), any_groups()),
    tensors=True,
    gradient=("x", "weight"),
    forbidden=("torch.nn.Conv2d",),
    cost="1 / groups of the full convolution",
    hints=(
        "Group g sees its own C / groups input channels, and produces its own O / groups output channels.",
        "Slice both: x[:, g * i : (g + 1) * i] with i = C // groups, weight[g * o : (g + 1) * o] with o = O // groups.",
        "torch.cat([F.conv2d(a, w) for a, w in zip(x.chunk(groups, 1), weight.chunk(groups))], dim=1).",
    ),
)


@grouped_conv2d.right
def by_chunks(x, weight, groups):
    pairs = zip(x.chunk(groups, dim=1), weight.chunk(groups, dim=0), strict=True)
    return torch.cat([F.conv2d(channels, filters) for channels, filters in pairs], dim=1)


@grouped_conv2d.right
def by_a_block_diagonal(x, weight, groups):
    outputs, inputs, k_h, k_w = weight.shape
    whole = weight.new_zeros(outputs, x.shape[1], k_h, k_w)
    for o in range(outputs):
        first = o // (outputs // groups) * inputs
        whole[o, first : first + inputs] = weight[o]
    return F.conv2d(x, whole)


@grouped_conv2d.right
def by_windows(x, weight, groups):
    n, c, _, _ = x.shape
    outputs, inputs, k_h, k_w = weight.shape
    windows = x.unfold(2, k_h, 1).unfold(3, k_w, 1)
    windows = windows.reshape(n, groups, inputs, *windows.shape[2:])
    filters = weight.reshape(groups, outputs // groups, inputs, k_h, k_w)
    out = torch.einsum("ngchwij,gocij->ngohw", windows, filters)
    return out.reshape(n, outputs, *out.shape[3:])


@grouped_conv2d.wrong("Every group has filters of its own. Here all groups use those of the first.")
def shared_filters(x, weight, groups):
    first = weight[: len(weight) // groups]
    return torch.cat([F.conv2d(channels, first) for channels in x.chunk(groups, dim=1)], dim=1)


@grouped_conv2d.wrong("All groups read the input channels of the first group.")
def same_channels(x, weight, groups):
    return F.conv2d(x[:, : x.shape[1] // groups], weight)


@grouped_conv2d.wrong("The groups' outputs stand one behind the other, not interleaved.")
def interleaved(x, weight, groups):
    out = grouped_by_us(x, weight, groups)
    n, o, h, w = out.shape
    return out.reshape(n, groups, o // groups, h, w).transpose(1, 2).reshape(n, o, h, w)


@grouped_conv2d.wrong("A group takes neighboring input channels, not every groups-th one.")
def every_other_channel(x, weight, groups):
    parts = [F.conv2d(x[:, g::groups], filters) for g, filters in enumerate(weight.chunk(groups))]
    return torch.cat(parts, dim=1)


@grouped_conv2d.wrong("The filters of a group are neighbors, not every groups-th one.")
def every_other_filter(x, weight, groups):
    parts = [F.conv2d(channels, weight[g::groups]) for g, channels in enumerate(x.chunk(groups, dim=1))]
    return torch.cat(parts, dim=1)


@grouped_conv2d.wrong("The groups do not add up: each has output channels of its own.")
def summed(x, weight, groups):
    out = grouped_by_us(x, weight, groups)
    return sum(out.chunk(groups, dim=1)).repeat(1, groups, 1, 1)


@grouped_conv2d.wrong("A filter sees its own group only. Here its weights are repeated over all input channels.")
def sees_everything(x, weight, groups):
    return F.conv2d(x, weight.repeat(1, groups, 1, 1))


@grouped_conv2d.wrong("The output is a sum over the group's channels, not a mean.")
def mean_of_channels(x, weight, groups):
    return grouped_by_us(x, weight, groups) / weight.shape[1]


@grouped_conv2d.wrong(
    "The value is right, but torch.tensor(...) or .detach() copies the filters: they would not learn."
)
def detached_filters(x, weight, groups):
    return grouped_by_us(x, weight.detach(), groups)


@grouped_conv2d.wrong("The groups come out in the opposite order.")
def reversed_groups(x, weight, groups):
    return torch.cat(grouped_by_us(x, weight, groups).chunk(groups, dim=1)[::-1], dim=1)


# --- separable -------------------------------------------------------------------------------------------------------


@st.composite
def readable_separable(draw):
    channels, outputs = draw(st.sampled_from([2, 1])), draw(st.sampled_from([2, 1, 3]))
    stride, padding = draw(st.sampled_from([1, 2])), draw(st.sampled_from([0, 1]))
    sides, kernel = draw(st.sampled_from([(3, 4), (4, 3)])), draw(st.sampled_from([(2, 2), (2, 3), (1, 2)]))
    shapes = (2, channels, *sides), (channels, 1, *kernel), (outputs, channels, 1, 1)
    return *(draw(arrays(shape)) for shape in shapes), stride, padding


@st.composite
def any_separable(draw):
    """Draw x, both kernels, stride and padding; the kernel fits, at times just so."""
    stride, padding = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([0, 1, 2]))
    kernel = [draw(st.integers(1, 3)) for _ in range(2)]
    sides = [draw(st.integers(max(1, k - 2 * padding), k + 4)) for k in kernel]
    samples, channels, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    shapes = (samples, channels, *sides), (channels, 1, *kernel), (outputs, channels, 1, 1)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return *(filled(rng, shape) for shape in shapes), stride, padding


def separable_by_torch(x, depthwise, pointwise, stride, padding):
    """Ours: two of torch's convolutions."""
    return F.conv2d(F.conv2d(x, depthwise, None, stride, padding, 1, x.shape[1]), pointwise)


separable = Exercise(
    id="convolution_variants/depthwise_separable",
    signature="depthwise_separable(x, depthwise, pointwise, stride, padding) -> out",
    task="A depthwise separable convolution without biases: x (N, C, H, W), depthwise (C, 1, k_h, k_w), pointwise "
    "(O, C, 1, 1). Stride and padding, one integer each, belong to the depthwise part; the padding is zeros. Write it "
    "without the library's convolutions. The gradients are compared.",
    task_zh="实现无偏置的深度可分离卷积：x (N, C, H, W)，depthwise (C, 1, k_h, k_w)，pointwise (O, C, 1, 1)。"
    "stride 和 padding 各是一个整数，只作用于深度卷积，补零。不得调用框架自带的卷积，会比较梯度。",
    reference=separable_by_torch,
    tiers=(readable_separable(), any_separable()),
    tensors=True,
    gradient=("x", "depthwise", "pointwise"),
    narrow={"depthwise": "sizes1: one kernel per channel", "pointwise": "sizes2 sizes3: its kernel is 1 x 1"},
    forbidden=(
        *(f"torch.nn.functional.conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)),
        *("torch.convolution", "torch.nn.Conv1d", "torch.nn.Conv2d", "torch.nn.Conv3d", "scipy.signal"),
    ),
    cost="O(N H' W' C_in (k^2 + C_out)): 1 / C_out + 1 / k^2 of the full convolution",
    hints=(
        "First filter each channel by its own kernel; nothing is summed over channels. Then mix the channels.",
        "Windows: xp.unfold(2, k_h, stride).unfold(3, k_w, stride), shape (N, C, H_out, W_out, k_h, k_w).",
        "torch.einsum('nchwij,cij->nchw', windows, depthwise[:, 0]), then torch.einsum('nchw,oc->nohw', filtered, "
        "pointwise[:, :, 0, 0]).",
    ),
)


def channel_windows(x, kernel, stride, padding):
    padded = F.pad(x, (padding, padding, padding, padding))
    return padded.unfold(2, kernel[0], stride).unfold(3, kernel[1], stride)


@separable.right
def two_sums(x, depthwise, pointwise, stride, padding):
    padded = F.pad(x, (padding, padding, padding, padding))
    windows = padded.unfold(2, depthwise.shape[2], stride).unfold(3, depthwise.shape[3], stride)
    filtered = torch.einsum("nchwij,cij->nchw", windows, depthwise[:, 0])
    return torch.einsum("nchw,oc->nohw", filtered, pointwise[:, :, 0, 0])


@separable.right
def as_one_kernel(x, depthwise, pointwise, stride, padding):
    whole = pointwise * depthwise[:, 0]  # (O, C, k_h, k_w)
    windows = channel_windows(x, depthwise.shape[2:], stride, padding)
    return torch.tensordot(windows, whole, dims=([1, 4, 5], [1, 2, 3])).permute(0, 3, 1, 2)


@separable.right
def by_products(x, depthwise, pointwise, stride, padding):
    windows = channel_windows(x, depthwise.shape[2:], stride, padding)
    filtered = (windows * depthwise[:, 0, None, None]).sum(dim=(4, 5))
    n, c, h, w = filtered.shape
    return (pointwise.reshape(len(pointwise), c) @ filtered.reshape(n, c, h * w)).reshape(n, -1, h, w)


@separable.library
def torch_separable(x, depthwise, pointwise, stride, padding):
    middle = torch.nn.functional.conv2d(x, depthwise, None, stride, padding, 1, x.shape[1])
    return torch.nn.functional.conv2d(middle, pointwise)


@separable.wrong("The depthwise part gives one map per channel. Here all channels are filtered by the first kernel.")
def first_kernel(x, depthwise, pointwise, stride, padding):
    return two_sums(x, depthwise[:1].expand_as(depthwise), pointwise, stride, padding)


@separable.wrong("The channels were summed before the pointwise part, which has nothing left to mix.")
def summed_first(x, depthwise, pointwise, stride, padding):
    windows = channel_windows(x, depthwise.shape[2:], stride, padding)
    filtered = torch.einsum("nchwij,cij->nhw", windows, depthwise[:, 0])
    return torch.einsum("nhw,oc->nohw", filtered, pointwise[:, :, 0, 0])


@separable.wrong("The padding goes around the input of the depthwise part; here around what comes out of it.")
def padded_late(x, depthwise, pointwise, stride, padding):
    if min(x.shape[2] - depthwise.shape[2], x.shape[3] - depthwise.shape[3]) < 0:
        return two_sums(x, depthwise, pointwise, stride, padding) * 0
    out = two_sums(x, depthwise, pointwise, 1, 0)
    rows = (x.shape[2] + 2 * padding - depthwise.shape[2]) // stride + 1
    columns = (x.shape[3] + 2 * padding - depthwise.shape[3]) // stride + 1
    return F.pad(out, (padding, padding, padding, padding))[:, :, ::stride, ::stride][:, :, :rows, :columns]


@separable.wrong("The stride belongs to the depthwise part; it is not applied a second time by the pointwise one.")
def stride_twice(x, depthwise, pointwise, stride, padding):
    return two_sums(x, depthwise, pointwise, stride, padding)[:, :, ::stride, ::stride]


@separable.wrong("The stride is ignored.")
def no_stride(x, depthwise, pointwise, stride, padding):
    return two_sums(x, depthwise, pointwise, 1, padding)


@separable.wrong("The kernels are flipped. Libraries compute a cross-correlation.")
def flipped_kernels(x, depthwise, pointwise, stride, padding):
    return two_sums(x, depthwise.flip(2, 3), pointwise, stride, padding)


@separable.wrong("pointwise is (O, C): output channel first. Here it is used transposed where the shape allows.")
def pointwise_transposed(x, depthwise, pointwise, stride, padding):
    square = pointwise.shape[0] == pointwise.shape[1]
    return two_sums(x, depthwise, pointwise.transpose(0, 1) if square else pointwise, stride, padding)


@separable.wrong("There is no activation between the two parts here.")
def activation_between(x, depthwise, pointwise, stride, padding):
    windows = channel_windows(x, depthwise.shape[2:], stride, padding)
    filtered = torch.einsum("nchwij,cij->nchw", windows, depthwise[:, 0]).relu()
    return torch.einsum("nchw,oc->nohw", filtered, pointwise[:, :, 0, 0])


@separable.wrong("The value is right, but the filtered maps are detached: x and depthwise get no gradient.")
def detached_between(x, depthwise, pointwise, stride, padding):
    windows = channel_windows(x, depthwise.shape[2:], stride, padding)
    filtered = torch.einsum("nchwij,cij->nchw", windows, depthwise[:, 0]).detach()
    return torch.einsum("nchw,oc->nohw", filtered, pointwise[:, :, 0, 0])


@separable.wrong("The padding is zeros, not the repeated edge.")
def repeated_edge(x, depthwise, pointwise, stride, padding):
    edged = F.pad(x, (padding, padding, padding, padding), mode="replicate")
    return two_sums(edged, depthwise, pointwise, stride, 0)


# --- transposed ------------------------------------------------------------------------------------------------------


@st.composite
def readable_transposed(draw):
    inputs, outputs, stride = (
        draw(st.sampled_from([1, 2])),
        draw(st.sampled_from([1, 2])),
        draw(st.sampled_from([2, 1, 3])),
    )
    sides, kernel = draw(st.sampled_from([(2, 3), (3, 2), (2, 2)])), draw(st.sampled_from([(3, 3), (2, 3), (3, 2)]))
    x = draw(arrays((2, inputs, *sides)))
    return x, draw(arrays((inputs, outputs, *kernel))), stride, draw(st.sampled_from([0, 1]))


@st.composite
def any_transposed(draw):
    """Draw x, weight, stride and padding; something is left of the output, at times one pixel."""
    stride, kernel = draw(st.sampled_from([1, 2, 3])), [draw(st.integers(1, 4)) for _ in range(2)]
    sides = [draw(st.integers(1, 4)) for _ in range(2)]
    full = [(n - 1) * stride + k for n, k in zip(sides, kernel, strict=True)]
    padding = draw(st.integers(0, min(3, (min(full) - 1) // 2)))
    samples, inputs, outputs = (draw(st.integers(1, 3)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return filled(rng, (samples, inputs, *sides)), filled(rng, (inputs, outputs, *kernel)), stride, padding


def transposed_by_torch(x, weight, stride, padding):
    """Ours: torch's own."""
    return F.conv_transpose2d(x, weight, None, stride, padding)


conv_transpose2d = Exercise(
    id="convolution_variants/conv_transpose2d",
    signature="conv_transpose2d(x, weight, stride, padding) -> out",
    task="The transposed convolution of x (N, C, H, W) with weight (C, O, k_h, k_w), without bias. stride and padding "
    "are one integer each; padding is cut off on every side. You may call F.conv2d, but nothing that is transposed. "
    "The gradients with respect to x and weight are compared.",
    task_zh="实现转置卷积：x (N, C, H, W)，weight (C, O, k_h, k_w)，无偏置。stride 和 padding 各是一个整数，"
    "padding 表示输出四周裁掉的像素数。可以用 F.conv2d，但不能用任何现成的转置卷积。会比较对 x 和 weight 的梯度。",
    reference=transposed_by_torch,
    tiers=(readable_transposed(), any_transposed()),
    tensors=True,
    gradient=("x", "weight"),
    forbidden=TRANSPOSED,
    cost="O(N H W C_in C_out k^2): one stamp for each input cell",
    hints=(
        "Every input pixel stamps the kernel, times its value, onto the output. Stamps lie stride apart and add up.",
        "Before cutting, the output has (H - 1) stride + k_h rows. Add tap (i, j) to the slice that begins at row i, "
        "column j and steps by stride.",
        "full[:, :, i : i + s * (h - 1) + 1 : s, j : j + s * (w - 1) + 1 : s] += einsum('nchw,co->nohw', x, "
        "weight[:, :, i, j]); then cut padding off on every side.",
    ),
)


def cut(full, padding):
    return full[:, :, padding : full.shape[2] - padding, padding : full.shape[3] - padding]


@conv_transpose2d.right
def by_stamps(x, weight, stride, padding):
    (n, _, h, w), (_, outputs, k_h, k_w) = x.shape, weight.shape
    full = x.new_zeros(n, outputs, (h - 1) * stride + k_h, (w - 1) * stride + k_w)
    for i in range(k_h):
        for j in range(k_w):
            tap = torch.einsum("nchw,co->nohw", x, weight[:, :, i, j])
            full[:, :, i : i + stride * (h - 1) + 1 : stride, j : j + stride * (w - 1) + 1 : stride] += tap
    return full[:, :, padding : full.shape[2] - padding, padding : full.shape[3] - padding]


@conv_transpose2d.right
def by_zeros(x, weight, stride, padding):
    (n, c, h, w), (k_h, k_w) = x.shape, weight.shape[2:]
    spread = x.new_zeros(n, c, (h - 1) * stride + 1, (w - 1) * stride + 1)
    spread[:, :, ::stride, ::stride] = x
    spread = F.pad(spread, (k_w - 1, k_w - 1, k_h - 1, k_h - 1))
    return cut(F.conv2d(spread, weight.flip(2, 3).transpose(0, 1)), padding)


@conv_transpose2d.right
def pixel_by_pixel(x, weight, stride, padding):
    (n, _, h, w), (_, outputs, k_h, k_w) = x.shape, weight.shape
    full = x.new_zeros(n, outputs, (h - 1) * stride + k_h, (w - 1) * stride + k_w)
    for i in range(h):
        for j in range(w):
            stamp = torch.einsum("nc,coij->noij", x[:, :, i, j], weight)
            full[:, :, i * stride : i * stride + k_h, j * stride : j * stride + k_w] += stamp
    return cut(full, padding)


@conv_transpose2d.library
def torch_transposed(x, weight, stride, padding):
    return torch.nn.functional.conv_transpose2d(x, weight, None, stride, padding)


@conv_transpose2d.wrong("Stamps overlap where the kernel is longer than the stride: add them, do not assign.")
def last_stamp_wins(x, weight, stride, padding):
    (n, _, h, w), (_, outputs, k_h, k_w) = x.shape, weight.shape
    full = x.new_zeros(n, outputs, (h - 1) * stride + k_h, (w - 1) * stride + k_w)
    for i in range(k_h):
        for j in range(k_w):
            tap = torch.einsum("nchw,co->nohw", x, weight[:, :, i, j])
            full[:, :, i : i + stride * (h - 1) + 1 : stride, j : j + stride * (w - 1) + 1 : stride] = tap
    return cut(full, padding)


@conv_transpose2d.wrong("After zeros are inserted, the kernel has to be flipped: the stamp reads it the other way.")
def not_flipped(x, weight, stride, padding):
    return by_stamps(x, weight.flip(2, 3), stride, padding)


@conv_transpose2d.wrong("The padding is cut off the output; it is not added around the input.")
def padding_added(x, weight, stride, padding):
    return by_stamps(F.pad(x, (padding, padding, padding, padding)), weight, stride, 0)


@conv_transpose2d.wrong("The padding is ignored.")
def nothing_cut(x, weight, stride, padding):
    return by_stamps(x, weight, stride, 0)


@conv_transpose2d.wrong("The padding is cut off on every side; here only above and to the left.")
def cut_at_one_end(x, weight, stride, padding):
    return by_stamps(x, weight, stride, 0)[:, :, padding:, padding:]


@conv_transpose2d.wrong("stride - 1 zeros go between the pixels, not stride.")
def one_zero_too_many(x, weight, stride, padding):
    return by_stamps(x, weight, stride + 1, padding)


@conv_transpose2d.wrong("The pixels are repeated. Zeros are inserted between them, and the kernel fills the gaps.")
def repeated_pixels(x, weight, stride, padding):
    (h, w), (k_h, k_w) = x.shape[2:], weight.shape[2:]
    spread = x.repeat_interleave(stride, 2).repeat_interleave(stride, 3)
    spread = spread[:, :, : (h - 1) * stride + 1, : (w - 1) * stride + 1]
    spread = F.pad(spread, (k_w - 1, k_w - 1, k_h - 1, k_h - 1))
    return cut(F.conv2d(spread, weight.flip(2, 3).transpose(0, 1)), padding)


@conv_transpose2d.wrong("The last row and column are missing: the size is (H - 1) stride + k - 2 padding.")
def one_short(x, weight, stride, padding):
    out = by_stamps(x, weight, stride, padding)
    return out[:, :, : max(1, out.shape[2] - 1), : max(1, out.shape[3] - 1)]


@conv_transpose2d.wrong("The stamps are averaged where they overlap. They add up.")
def averaged(x, weight, stride, padding):
    ones = by_stamps(torch.ones_like(x[:, :1]), torch.ones_like(weight[:1, :1]), stride, padding)
    return by_stamps(x, weight, stride, padding) / ones.clamp(min=1)


@conv_transpose2d.wrong("The value is right, but the weights are detached: they would not learn.")
def detached_weight(x, weight, stride, padding):
    return by_stamps(x, weight.detach(), stride, padding)


@conv_transpose2d.wrong("The kernel's rows and columns are swapped.")
def kernel_transposed(x, weight, stride, padding):
    square = weight.shape[2] == weight.shape[3]
    return by_stamps(x, weight.transpose(2, 3) if square else weight, stride, padding)


# --- cost ------------------------------------------------------------------------------------------------------------


def cost_of_ours(in_channels, out_channels, kernel, height, width):
    """Ours, as a plain tuple."""
    return tuple(variants.depthwise_separable_cost(in_channels, out_channels, kernel, (height, width)))


counts = st.sampled_from([1, 2, 3, 8, 64])
separable_cost = Exercise(
    id="convolution_variants/separable_cost",
    signature="separable_cost(in_channels, out_channels, kernel, height, width) -> parameters, macs",
    task="Parameters and multiply-adds of a depthwise separable convolution without biases, with a square kernel, "
    "whose output is height x width pixels. Integers.",
    task_zh="求无偏置的深度可分离卷积的参数量和乘加次数：方形卷积核，输出大小为 height x width。结果为整数。",
    reference=cost_of_ours,
    tiers=(
        st.tuples(*[st.sampled_from([2, 3, 4])] * 2, st.sampled_from([3, 2, 1]), *[st.sampled_from([2, 3, 5])] * 2),
        st.tuples(counts, counts, st.sampled_from([1, 3, 5, 7]), *[st.sampled_from([1, 7, 14, 112])] * 2),
    ),
    cost="O(1)",
    hints=(
        "Count the weights of the two parts by themselves.",
        "Depthwise: one k x k kernel per input channel. Pointwise: a dense layer over the channels.",
        "parameters = C_in * k * k + C_in * C_out; every weight is used once at each of height * width places.",
    ),
)


@separable_cost.right
def by_parts(in_channels, out_channels, kernel, height, width):
    depthwise, pointwise = in_channels * kernel**2, in_channels * out_channels
    return depthwise + pointwise, (depthwise + pointwise) * height * width


@separable_cost.right
def by_the_share(in_channels, out_channels, kernel, height, width):
    plain = in_channels * out_channels * kernel**2
    parameters = round(plain * (1 / out_channels + 1 / kernel**2))
    return [parameters, parameters * height * width]


@separable_cost.right
def by_counting(in_channels, out_channels, kernel, height, width):
    parameters = sum(kernel * kernel + out_channels for _ in range(in_channels))
    macs = np.int64(height) * width * parameters
    return np.array([parameters, macs])


@separable_cost.wrong("That is the plain convolution.")
def plain_convolution(in_channels, out_channels, kernel, height, width):
    parameters = in_channels * out_channels * kernel**2
    return parameters, parameters * height * width


@separable_cost.wrong("The depthwise part has one kernel per input channel, not per output channel.")
def kernel_per_output(in_channels, out_channels, kernel, height, width):
    parameters = out_channels * kernel**2 + in_channels * out_channels
    return parameters, parameters * height * width


@separable_cost.wrong("The pointwise part is missing.")
def depthwise_alone(in_channels, out_channels, kernel, height, width):
    return in_channels * kernel**2, in_channels * kernel**2 * height * width


@separable_cost.wrong("Multiply-adds are asked for: each counts as one.")
def counted_twice(in_channels, out_channels, kernel, height, width):
    parameters, macs = by_parts(in_channels, out_channels, kernel, height, width)
    return parameters, 2 * macs


@separable_cost.wrong("No biases are asked for.")
def with_biases(in_channels, out_channels, kernel, height, width):
    parameters, macs = by_parts(in_channels, out_channels, kernel, height, width)
    return parameters + in_channels + out_channels, macs


@separable_cost.wrong("The depthwise kernel has kernel x kernel weights.")
def one_dimension(in_channels, out_channels, kernel, height, width):
    parameters = in_channels * kernel + in_channels * out_channels
    return parameters, parameters * height * width


@separable_cost.wrong("The output has height x width places, which need not be a square.")
def square_map(in_channels, out_channels, kernel, height, width):
    parameters, _ = by_parts(in_channels, out_channels, kernel, height, width)
    return parameters, parameters * height * height


@separable_cost.wrong("The two parts run one after the other, so their costs add up; they are not multiplied.")
def multiplied(in_channels, out_channels, kernel, height, width):
    parameters, _ = by_parts(in_channels, out_channels, kernel, height, width)
    return parameters, in_channels * kernel**2 * in_channels * out_channels * height * width
