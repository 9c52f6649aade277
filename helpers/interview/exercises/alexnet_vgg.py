"""Topic 19: what a layer costs, the shapes through a network, the stack that replaces a kernel, AlexNet's own norm."""

import numpy as np
import torch
from hypothesis import strategies as st

from ...algorithms import alexnet_vgg
from . import SMALL, WIDE, Exercise, arrays

# --- what a layer costs ----------------------------------------------------------------------------------------------


def conv_cost_by_torch(in_channels, out_channels, kernel, height, width, stride, padding):
    """Ours: the layer built on the meta device, and counted."""
    with torch.device("meta"):
        layer = torch.nn.Conv2d(in_channels, out_channels, kernel, stride, padding)
        (row,) = alexnet_vgg.layer_table(layer, (in_channels, height, width))
    return row.parameters, row.macs, row.activations


SIDES = st.sampled_from([7, 8, 9, 12, 13, 27, 55])

conv_cost = Exercise(
    id="alexnet_vgg/conv_cost",
    signature="conv_cost(in_channels, out_channels, kernel, height, width, stride, padding) "
    "-> parameters, macs, activations",
    task="What a k x k convolution with a bias costs for one image of height x width pixels: its parameters, its "
    "multiply-adds (none for the bias), and how many numbers it puts out.",
    task_zh="对一张 height x width 的图，带偏置的 k x k 卷积需要多少参数、多少次乘加（偏置不算）、输出多少个数？",
    reference=conv_cost_by_torch,
    tiers=(
        st.tuples(
            *(st.sampled_from([2, 3]), st.sampled_from([4, 5]), st.sampled_from([3, 2]), st.sampled_from([8, 7])),
            *(st.sampled_from([9, 6]), st.sampled_from([1, 2]), st.sampled_from([0, 1])),
        ),
        st.tuples(
            *(st.sampled_from([1, 3, 64, 96]), st.sampled_from([1, 7, 64, 256]), st.sampled_from([1, 2, 3, 5, 7])),
            *(SIDES, SIDES, st.sampled_from([1, 2, 3, 4]), st.sampled_from([0, 1, 2, 3])),
        ),
    ),
    forbidden=("torch.nn", "torch.utils.flop_counter"),
    cost="O(1)",
    hints=(
        "How many weights has one filter, how many filters are there, and at how many places is each of them used?",
        "Each side of the output is (side + 2 padding - kernel) // stride + 1.",
        "h, w = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width)); "
        "weights = out_channels * in_channels * kernel**2; "
        "return weights + out_channels, weights * h * w, out_channels * h * w.",
    ),
)


@conv_cost.right
def by_filters(in_channels, out_channels, kernel, height, width, stride, padding):
    h, w = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
    weights = out_channels * in_channels * kernel**2
    return weights + out_channels, weights * h * w, out_channels * h * w


@conv_cost.right
def by_counting_windows(in_channels, out_channels, kernel, height, width, stride, padding):
    h = len(range(0, height + 2 * padding - kernel + 1, stride))
    w = len(range(0, width + 2 * padding - kernel + 1, stride))
    outputs = out_channels * h * w
    return out_channels * (in_channels * kernel * kernel + 1), outputs * in_channels * kernel * kernel, outputs


@conv_cost.right
def by_arrays(in_channels, out_channels, kernel, height, width, stride, padding):
    weight = np.zeros((out_channels, in_channels, kernel, kernel))
    sides = (np.array([height, width]) + 2 * padding - kernel) // stride + 1
    return np.int64(weight.size + out_channels), np.int64(weight.size * sides.prod()), weight.shape[0] * sides.prod()


@conv_cost.wrong("The bias is missing: one number per output channel.")
def without_bias(in_channels, out_channels, kernel, height, width, stride, padding):
    parameters, macs, activations = by_filters(in_channels, out_channels, kernel, height, width, stride, padding)
    return parameters - out_channels, macs, activations


@conv_cost.wrong("The bias is added and not multiplied: it is no multiply-add.")
def bias_multiplied(in_channels, out_channels, kernel, height, width, stride, padding):
    parameters, macs, activations = by_filters(in_channels, out_channels, kernel, height, width, stride, padding)
    return parameters, macs + activations, activations


@conv_cost.wrong("A multiply-add is one operation here. Counted as two you get FLOPs.")
def flops(in_channels, out_channels, kernel, height, width, stride, padding):
    parameters, macs, activations = by_filters(in_channels, out_channels, kernel, height, width, stride, padding)
    return parameters, 2 * macs, activations


@conv_cost.wrong("The multiply-adds are those of the output's places, not of the input's.")
def at_input_places(in_channels, out_channels, kernel, height, width, stride, padding):
    parameters, _, activations = by_filters(in_channels, out_channels, kernel, height, width, stride, padding)
    return parameters, out_channels * in_channels * kernel**2 * height * width, activations


@conv_cost.wrong("Every filter sees all input channels: the weights are multiplied by both numbers of channels.")
def depthwise(in_channels, out_channels, kernel, height, width, stride, padding):
    h, w = ((side + 2 * padding - kernel) // stride + 1 for side in (height, width))
    weights = out_channels * kernel**2
    return weights + out_channels, weights * h * w, out_channels * h * w


@conv_cost.wrong("Padding is added on both sides: twice.")
def padded_once(in_channels, out_channels, kernel, height, width, stride, padding):
    h, w = ((side + padding - kernel) // stride + 1 for side in (height, width))
    weights = out_channels * in_channels * kernel**2
    return weights + out_channels, weights * h * w, out_channels * h * w


@conv_cost.wrong("The map need not be square: height and width each have their own number of windows.")
def square(in_channels, out_channels, kernel, height, width, stride, padding):
    h = (height + 2 * padding - kernel) // stride + 1
    weights = out_channels * in_channels * kernel**2
    return weights + out_channels, weights * h * h, out_channels * h * h


@conv_cost.wrong("Round down after dividing by the stride, then add 1.")
def rounded_up(in_channels, out_channels, kernel, height, width, stride, padding):
    h, w = (-(-(side + 2 * padding - kernel) // stride) + 1 for side in (height, width))
    weights = out_channels * in_channels * kernel**2
    return weights + out_channels, weights * h * w, out_channels * h * w


# --- the shapes through a network ------------------------------------------------------------------------------------


def shapes_by_torch(configuration, channels, side):
    """Ours: VGG's layers on the meta device."""
    with torch.device("meta"):
        x, shapes = torch.zeros(1, int(channels), int(side), int(side)), []
        for entry in map(int, configuration):
            layer = torch.nn.Conv2d(x.shape[1], entry, 3, padding=1) if entry else torch.nn.MaxPool2d(2)
            x = layer(x)
            shapes.append(x.shape[1:3])
    return np.array(shapes)


@st.composite
def configurations(draw, widths, longest):
    length = draw(st.integers(1 if longest > 4 else 2, longest))
    entries = [draw(st.sampled_from(widths)) for _ in range(length)]
    for place in draw(st.sets(st.integers(0, length - 1), max_size=3)):
        entries[place] = 0
    return np.array(entries), draw(st.sampled_from([3, 1, 4])), draw(st.sampled_from([16, 9, 15, 28, 31]))


vgg_shapes = Exercise(
    id="alexnet_vgg/vgg_shapes",
    signature="vgg_shapes(configuration, channels, side) -> shapes",
    task="Walk through a VGG. Each entry of configuration, an array of integers, is the number of filters of a 3 x 3 "
    "convolution with padding 1, or 0 for a 2 x 2 max pooling with stride 2. The input has these channels and is a "
    "square of this side. Return an array with a row (channels, side) for the output of each entry.",
    task_zh="逐层走一遍 VGG。configuration 是整数数组：正数表示该数目滤波器的 3 x 3 卷积（填充 1），"
    "0 表示步长为 2 的 2 x 2 最大池化。输入有 channels 个通道、边长为 side。返回数组，"
    "每行是对应层输出的（通道数, 边长）。",
    reference=shapes_by_torch,
    tiers=(configurations((8, 16), 4), configurations((1, 8, 64, 512), 9)),
    forbidden=("torch.nn",),
    cost="O(layers)",
    hints=(
        "A convolution sets the channels and keeps the side. What does a pooling keep, and what does it change?",
        "A side of 9 has four windows of two: integer division.",
        "for entry in configuration: channels, side = (entry, side) if entry else (channels, side // 2), "
        "and append (channels, side).",
    ),
)


@vgg_shapes.right
def by_walking(configuration, channels, side):
    shapes = []
    for entry in configuration:
        channels, side = (entry, side) if entry else (channels, side // 2)
        shapes.append((channels, side))
    return np.array(shapes)


@vgg_shapes.right
def by_counting_poolings(configuration, channels, side):
    rows = []
    for i in range(len(configuration)):
        past = [int(entry) for entry in configuration[: i + 1]]
        convolutions = [entry for entry in past if entry]
        rows.append([convolutions[-1] if convolutions else channels, side // 2 ** past.count(0)])
    return rows


@vgg_shapes.wrong("An odd side loses its last row: 9 // 2 is 4.")
def rounds_up(configuration, channels, side):
    shapes = []
    for entry in configuration:
        channels, side = (entry, side) if entry else (channels, (side + 1) // 2)
        shapes.append((channels, side))
    return np.array(shapes)


@vgg_shapes.wrong("A 3 x 3 convolution with padding 1 keeps the side.")
def without_padding(configuration, channels, side):
    shapes = []
    for entry in configuration:
        channels, side = (entry, max(side - 2, 1)) if entry else (channels, side // 2)
        shapes.append((channels, side))
    return np.array(shapes)


@vgg_shapes.wrong("A pooling keeps the channels.")
def pooling_doubles(configuration, channels, side):
    shapes = []
    for entry in configuration:
        channels, side = (entry, side) if entry else (2 * channels, side // 2)
        shapes.append((channels, side))
    return np.array(shapes)


@vgg_shapes.wrong("A pooling keeps the channels of the layer before it. Here it returns to those of the input.")
def forgets(configuration, channels, side):
    shapes = []
    for entry in configuration:
        side = side if entry else side // 2
        shapes.append((entry or channels, side))
    return np.array(shapes)


@vgg_shapes.wrong("The poolings have rows too.")
def convolutions_only(configuration, channels, side):
    return by_walking(configuration, channels, side)[np.asarray(configuration) > 0]


@vgg_shapes.wrong("Each row is (channels, side), in this order.")
def turned(configuration, channels, side):
    return by_walking(configuration, channels, side)[:, ::-1]


# --- the stack that replaces a kernel --------------------------------------------------------------------------------


def stack_instead_by_search(kernel, channels):
    """Ours: stacks are lengthened until they see as much."""
    layers = next(n for n in range(1, kernel + 1) if alexnet_vgg.kernel_stack(3, n, channels).field >= kernel)
    stack, one = alexnet_vgg.kernel_stack(3, layers, channels), alexnet_vgg.kernel_stack(kernel, 1, channels)
    with_bias = [n * channels + weights for n, weights in ((layers, stack.weights), (1, one.weights))]
    return layers, with_bias[0] / with_bias[1]


stack_instead = Exercise(
    id="alexnet_vgg/stack_instead",
    signature="stack_instead(kernel, channels) -> layers, ratio",
    task="How many 3 x 3 convolutions of stride 1 in a row see at least as much as one of kernel x kernel, and what "
    "share of its parameters do they have? All layers have this number of input and output channels, and biases.",
    task_zh="多少个步长为 1 的 3 x 3 卷积串联后，感受野不小于一个 kernel x kernel 的卷积？参数量是后者的几分之几？"
    "每层输入输出通道数都是 channels，带偏置。",
    reference=stack_instead_by_search,
    tiers=(
        st.tuples(st.sampled_from([5, 7, 3]), st.sampled_from([2, 1, 4])),
        st.tuples(st.sampled_from([3, 4, 5, 6, 7, 9, 11, 12, 31]), st.sampled_from([1, 2, 3, 8, 64, 512])),
    ),
    cost="O(1); the ratio tends to 9 n / (2 n + 1)**2 for n layers",
    hints=(
        "Each further 3 x 3 layer lets an output see one more pixel on every side.",
        "n layers see 2 n + 1 pixels a side. Round up for an even kernel.",
        "n = kernel // 2; return n, n * (9 * channels + 1) / (kernel**2 * channels + 1).",
    ),
)


@stack_instead.right
def by_halves(kernel, channels):
    n = kernel // 2
    return n, n * (9 * channels + 1) / (kernel**2 * channels + 1)


@stack_instead.right
def by_growing(kernel, channels):
    layers, field = 1, 3
    while field < kernel:
        layers, field = layers + 1, field + 2
    stack = sum(9 * channels**2 + channels for _ in range(layers))
    return layers, stack / (kernel * kernel * channels * channels + channels)


@stack_instead.wrong("Count the biases too: one per output channel and layer.")
def no_biases(kernel, channels):
    n = kernel // 2
    return n, 9 * n / kernel**2


@stack_instead.wrong("The ratio is turned: the stack over the one.")
def upside_down(kernel, channels):
    n, ratio = by_halves(kernel, channels)
    return n, 1 / ratio


@stack_instead.wrong("Each layer adds 2 pixels, not 3: neighboring windows overlap.")
def fields_add_up(kernel, channels):
    n = -(-kernel // 3)
    return n, n * (9 * channels + 1) / (kernel**2 * channels + 1)


@stack_instead.wrong("An even kernel needs one more layer: at least as much means rounding up.")
def rounds_down(kernel, channels):
    n = (kernel - 1) // 2
    return n, n * (9 * channels + 1) / (kernel**2 * channels + 1)


@stack_instead.wrong("n layers have n times the parameters of one.")
def one_layer(kernel, channels):
    return kernel // 2, (9 * channels + 1) / (kernel**2 * channels + 1)


@stack_instead.wrong("The first layer sees 3 pixels already, so n layers see 2 n + 1.")
def one_too_many(kernel, channels):
    n = kernel // 2 + 1
    return n, n * (9 * channels + 1) / (kernel**2 * channels + 1)


# --- AlexNet's own norm ----------------------------------------------------------------------------------------------


@st.composite
def maps(draw, values, smallest):
    shape = tuple(draw(st.integers(smallest, largest)) for largest in ((2, 4, 2, 2) if smallest == 2 else (3, 7, 3, 3)))
    if smallest == 1:
        shape = draw(st.sampled_from([shape, shape, (1, 3, 1, 1), (1, 5, 1, 1)]))  # few enough to be all different
    x = draw(arrays(shape, values))
    size, alpha = draw(st.sampled_from([3, 5, 2, 4, 1])), draw(st.sampled_from([1.0, 0.5, 1e-4, 0.0, 10.0]))
    return x, size, alpha, draw(st.sampled_from([0.75, 0.5, 1.0, 2.0])), draw(st.sampled_from([1.0, 2.0, 0.25]))


local_response_norm = Exercise(
    id="alexnet_vgg/local_response_norm",
    signature="local_response_norm(x, size, alpha, beta, k) -> y",
    task="AlexNet's norm as torch has it: divide each value of x, (N, C, H, W), by (k + alpha m) ** beta, where m is "
    "the mean of the squares at its place in a window of size channels. The window of channel c begins at "
    "c - size // 2; "
    "channels that do not exist count as 0 in the mean.",
    task_zh="按 torch 的定义实现 AlexNet 的局部响应归一化：x 的形状是 (N, C, H, W)，每个值除以 (k + alpha m) ** beta，"
    "m 是同一位置上 size 个相邻通道的平方的平均。通道 c 的窗口从 c - size // 2 开始，越界的通道按 0 计入平均。",
    reference=alexnet_vgg.local_response_norm,
    tiers=(maps(SMALL, 2), maps(WIDE, 1)),
    forbidden=("torch.nn.functional", "torch.nn.LocalResponseNorm"),
    cost="O(n size), or O(n) with running sums",
    hints=(
        "It looks along the channels only: at one pixel, at neighboring filters.",
        "Pad the squares with size // 2 zeros in front and size - 1 - size // 2 behind, then add size shifted copies.",
        "p = np.pad(x**2, [(0, 0), (size // 2, size - 1 - size // 2), (0, 0), (0, 0)]); "
        "m = sum(p[:, i : i + x.shape[1]] for i in range(size)) / size; return x / (k + alpha * m) ** beta.",
    ),
)


@local_response_norm.right
def by_shifted_copies(x, size, alpha, beta, k):
    p = np.pad(x**2, [(0, 0), (size // 2, size - 1 - size // 2), (0, 0), (0, 0)])
    m = sum(p[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + alpha * m) ** beta


@local_response_norm.right
def by_channels(x, size, alpha, beta, k):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        first = c - size // 2
        window = x[:, max(first, 0) : first + size]
        y[:, c] = x[:, c] / (k + alpha * (window**2).sum(axis=1) / size) ** beta
    return y


@local_response_norm.right
def by_a_band_matrix(x, size, alpha, beta, k):
    i, j = np.indices((x.shape[1],) * 2)
    band = (j >= i - size // 2) & (j < i - size // 2 + size)
    m = np.einsum("ij,njhw->nihw", band.astype(float), x**2) / size
    return x / (k + alpha * m) ** beta


@local_response_norm.library
def by_torch(x, size, alpha, beta, k):
    return torch.nn.functional.local_response_norm(torch.tensor(x), size, alpha, beta, k).numpy()


@local_response_norm.wrong(
    "That is the paper's form, with the sum. torch multiplies alpha by the mean: divide by size."
)
def the_sum(x, size, alpha, beta, k):
    return by_shifted_copies(x, size, alpha * size, beta, k)


@local_response_norm.wrong("At the ends the mean is still over size channels: those that do not exist count as 0.")
def mean_of_those_there(x, size, alpha, beta, k):
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        first = c - size // 2
        window = x[:, max(first, 0) : first + size]
        y[:, c] = x[:, c] / (k + alpha * (window**2).mean(axis=1)) ** beta
    return y


@local_response_norm.wrong("The window of an even size begins at c - size // 2: one more channel before than after.")
def other_side(x, size, alpha, beta, k):
    p = np.pad(x**2, [(0, 0), (size - 1 - size // 2, size // 2), (0, 0), (0, 0)])
    m = sum(p[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + alpha * m) ** beta


@local_response_norm.wrong("The window runs along the channels, not along the rows of the map.")
def along_rows(x, size, alpha, beta, k):
    return by_shifted_copies(x.swapaxes(1, 2), size, alpha, beta, k).swapaxes(1, 2)


@local_response_norm.wrong("Square the values first: the mean is one of squares.")
def not_squared(x, size, alpha, beta, k):
    p = np.pad(np.abs(x), [(0, 0), (size // 2, size - 1 - size // 2), (0, 0), (0, 0)])
    m = sum(p[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + alpha * m) ** beta


@local_response_norm.wrong("The power is of the whole bracket, k included.")
def power_inside(x, size, alpha, beta, k):
    p = np.pad(x**2, [(0, 0), (size // 2, size - 1 - size // 2), (0, 0), (0, 0)])
    m = sum(p[:, i : i + x.shape[1]] for i in range(size)) / size
    return x / (k + (alpha * m) ** beta)


@local_response_norm.wrong(
    "The window has size channels. Here it reaches size // 2 on both sides, so an even one is too wide."
)
def symmetric(x, size, alpha, beta, k):
    reach = size // 2
    p = np.pad(x**2, [(0, 0), (reach, reach), (0, 0), (0, 0)])
    m = sum(p[:, i : i + x.shape[1]] for i in range(2 * reach + 1)) / size
    return x / (k + alpha * m) ** beta
