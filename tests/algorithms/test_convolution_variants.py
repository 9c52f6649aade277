"""The variants of convolution equal torch, their costs the published ones; bad input is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers.algorithms import convolution_variants as variants

quick = settings(derandomize=True, deadline=None, max_examples=120)
small = st.integers(1, 3)
both = st.tuples(small, small)


@st.composite
def layers(draw):
    """Input, kernel sizes, stride, padding, dilation: even kernels, sides that differ, gaps."""
    kernel, stride, dilation = draw(st.tuples(st.integers(1, 4), st.integers(1, 4))), draw(both), draw(both)
    padding, shape = draw(st.tuples(st.integers(0, 3), st.integers(0, 3))), draw(st.tuples(*[st.integers(1, 8)] * 2))
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    assume(all(n + 2 * p >= e for n, p, e in zip(shape, padding, extent, strict=True)))
    return shape, kernel, stride, padding, dilation, np.random.default_rng(draw(st.integers(0, 999)))


def tensors(*arrays):
    return [torch.tensor(array) for array in arrays]


@quick
@given(layers(), small, small, small)
def test_grouped_and_dilated_equal_torch(layer, groups, inputs, outputs):
    shape, kernel, stride, padding, dilation, rng = layer
    x, bias = rng.normal(size=(2, groups * inputs, *shape)), rng.normal(size=groups * outputs)
    weight = rng.normal(size=(groups * outputs, inputs, *kernel))
    theirs = F.conv2d(*tensors(x, weight, bias), stride, padding, 1, groups)
    np.testing.assert_allclose(variants.grouped_conv2d(x, weight, bias, stride, padding, groups), theirs, atol=1e-12)
    without = F.conv2d(*tensors(x, weight), None, stride, padding, 1, groups)
    np.testing.assert_allclose(variants.grouped_conv2d(x, weight, None, stride, padding, groups), without, atol=1e-12)
    whole = rng.normal(size=(groups * outputs, groups * inputs, *kernel))
    theirs = F.conv2d(*tensors(x, whole, bias), stride, padding, dilation)
    np.testing.assert_allclose(variants.dilated_conv2d(x, whole, bias, stride, padding, dilation), theirs, atol=1e-12)


@quick
@given(layers(), small, small)
def test_separable_equals_two_torch_layers(layer, channels, outputs):
    shape, kernel, stride, padding, dilation, rng = layer
    x, bias = rng.normal(size=(2, channels, *shape)), rng.normal(size=outputs)
    depthwise, pointwise = rng.normal(size=(channels, 1, *kernel)), rng.normal(size=(outputs, channels, 1, 1))
    middle = F.conv2d(*tensors(x, depthwise), None, stride, padding, dilation, channels)
    theirs = F.conv2d(middle, *tensors(pointwise, bias))
    ours = variants.depthwise_separable_conv2d(x, depthwise, pointwise, bias, stride, padding, dilation)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_a_separable_layer_is_one_convolution_of_rank_one_filters():
    rng = np.random.default_rng(0)
    x, depthwise, pointwise = (rng.normal(size=s) for s in ((1, 3, 6, 6), (3, 1, 3, 3), (4, 3, 1, 1)))
    whole = pointwise * depthwise[None, :, 0]  # (4, 3, 3, 3): every filter is a multiple of the channel's own
    np.testing.assert_allclose(
        variants.depthwise_separable_conv2d(x, depthwise, pointwise, padding=1),
        variants.dilated_conv2d(x, whole, padding=1),
        atol=1e-12,
    )


@st.composite
def transposed(draw):
    """A transposed convolution with everything at once; output_padding below the stride or the dilation."""
    kernel, stride, dilation = draw(st.tuples(st.integers(1, 4), st.integers(1, 4))), draw(both), draw(both)
    shape, groups = draw(st.tuples(*[st.integers(1, 5)] * 2)), draw(small)
    more = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    sizes = zip(shape, kernel, stride, dilation, more, padding, strict=True)
    assume(all((n - 1) * s + d * (k - 1) + 1 + o - 2 * p >= 1 for n, k, s, d, o, p in sizes))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    inputs, outputs = draw(small), draw(small)
    x, weight = rng.normal(size=(2, groups * inputs, *shape)), rng.normal(size=(groups * inputs, outputs, *kernel))
    return x, weight, rng.normal(size=groups * outputs), stride, padding, more, groups, dilation


@quick
@given(transposed())
def test_transposed_equals_torch_both_ways(problem):
    x, weight, bias, *options = problem
    theirs = F.conv_transpose2d(*tensors(x, weight, bias), *options)
    np.testing.assert_allclose(variants.conv_transpose2d(x, weight, bias, *options), theirs, atol=1e-12)
    np.testing.assert_allclose(variants.conv_transpose2d_by_zeros(x, weight, bias, *options), theirs, atol=1e-12)
    without = F.conv_transpose2d(*tensors(x, weight), None, *options)
    np.testing.assert_allclose(variants.conv_transpose2d(x, weight, None, *options), without, atol=1e-12)
    stride, padding, more, _, dilation = options
    size = variants.conv_transpose_output_size(x.shape[2:], weight.shape[2:], stride, padding, more, dilation)
    assert size == tuple(theirs.shape[2:])


@quick
@given(layers())
def test_transposed_is_the_gradient_of_a_convolution(layer):
    shape, kernel, stride, padding, dilation, rng = layer
    x = torch.zeros((1, 2, *shape), dtype=torch.float64, requires_grad=True)
    weight = torch.tensor(rng.normal(size=(3, 2, *kernel)))
    out = F.conv2d(x, weight, None, stride, padding, dilation)
    grad = rng.normal(size=out.shape)
    out.backward(torch.tensor(grad))
    # as many rows as the input had beyond what the last window reached
    least = variants.conv_transpose_output_size(out.shape[2:], kernel, stride, 0, 0, dilation)
    more = tuple(n + 2 * p - m for n, p, m in zip(shape, padding, least, strict=True))
    assume(all(o < max(s, d) for o, s, d in zip(more, stride, dilation, strict=True)))
    ours = variants.conv_transpose2d(grad, weight.numpy(), None, stride, padding, more, 1, dilation)
    np.testing.assert_allclose(ours, x.grad, atol=1e-12)


def test_one_pixel_stamps_the_kernel():
    x, kernel = np.zeros((1, 1, 2, 2)), np.arange(1.0, 10).reshape(1, 1, 3, 3)
    x[0, 0, 1, 0] = 2
    out = variants.conv_transpose2d(x, kernel, stride=2)
    assert out.shape == (1, 1, 5, 5)
    np.testing.assert_array_equal(out[0, 0, 2:, :3], 2 * kernel[0, 0])
    assert out.sum() == 2 * kernel.sum()


@pytest.mark.parametrize(
    ("kernel", "stride", "even"), [(4, 2, True), (2, 2, True), (3, 2, False), (6, 3, True), (4, 3, False)]
)
def test_stamps_cover_evenly_exactly_where_the_stride_divides_the_kernel(kernel, stride, even):
    out = variants.conv_transpose2d(np.ones((1, 1, 8, 8)), np.ones((1, 1, kernel, kernel)), stride=stride)[0, 0]
    inside = out[kernel:-kernel, kernel:-kernel]
    assert (inside.min() == inside.max()) == even


def test_zeros_are_inserted_between_and_not_behind():
    x = np.arange(1.0, 7).reshape(1, 1, 2, 3)
    np.testing.assert_array_equal(
        variants.insert_zeros(x, (2, 3))[0, 0], [[1, 0, 0, 2, 0, 0, 3], [0] * 7, [4, 0, 0, 5, 0, 0, 6]]
    )
    np.testing.assert_array_equal(variants.insert_zeros(x, 1), x)


# --- what is seen ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("dilations", [(1,), (2,), (2, 2), (1, 2, 3), (1, 2, 5), (3, 1)])
def test_paths_equal_the_gradient_of_stacked_layers(kernel, dilations):
    extent = sum(d * (kernel - 1) for d in dilations) + 1
    x = torch.zeros(1, 1, extent, extent, dtype=torch.float64, requires_grad=True)
    out = x
    for dilation in dilations:
        out = F.conv2d(out, torch.ones(1, 1, kernel, kernel).double(), dilation=dilation)
    assert out.shape[2:] == (1, 1)
    out.backward()
    paths = variants.paths_through(kernel, dilations)
    np.testing.assert_array_equal(paths, x.grad[0, 0])
    assert paths.sum() == kernel ** (2 * len(dilations))


def test_equal_dilations_leave_holes_and_rising_ones_need_not():
    assert (variants.paths_through(3, [2, 2, 2]) == 0).mean() == pytest.approx(1 - 49 / 169)
    assert (variants.paths_through(3, [1, 2, 4]) > 0).all()
    assert (variants.paths_through(3, [1, 2, 5]) > 0).all()
    assert (variants.paths_through(3, [2]) > 0).sum() == 9


# --- what it costs ---------------------------------------------------------------------------------------------------


@quick
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.tuples(small, small), st.tuples(small, small))
def test_costs_equal_torch_layers(inputs, outputs, groups, kernel, size):
    inputs, outputs = inputs * groups, outputs * groups
    plain = torch.nn.Conv2d(inputs, outputs, kernel, groups=groups, device="meta")
    cost = variants.conv_cost(inputs, outputs, kernel, size, groups, bias=True)
    assert cost.parameters == sum(p.numel() for p in plain.parameters())
    assert cost.macs == plain.weight.numel() * size[0] * size[1]
    back = torch.nn.ConvTranspose2d(inputs, outputs, kernel, groups=groups, device="meta")
    cost = variants.conv_transpose_cost(inputs, outputs, kernel, size, groups, bias=True)
    assert cost.parameters == sum(p.numel() for p in back.parameters())
    assert cost.macs == back.weight.numel() * size[0] * size[1]
    assert variants.conv_transpose_cost(inputs, outputs, kernel, size).parameters == inputs * outputs * np.prod(kernel)
    assert variants.conv_cost(inputs, outputs, kernel, size).parameters == inputs * outputs * np.prod(kernel)


@quick
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7), st.integers(1, 9))
def test_separable_costs_the_stated_share(inputs, outputs, kernel, size):
    plain = variants.conv_cost(inputs, outputs, kernel, size)
    cost = variants.depthwise_separable_cost(inputs, outputs, kernel, size)
    share = 1 / outputs + 1 / kernel**2
    assert cost.parameters / plain.parameters == pytest.approx(share)
    assert cost.macs / plain.macs == pytest.approx(share)
    assert (
        variants.depthwise_separable_cost(inputs, outputs, kernel, size, bias=True).parameters
        == cost.parameters + outputs
    )


@pytest.mark.parametrize(
    ("width", "resolution", "parameters", "macs"),
    [  # tables 6 and 7 of the paper, millions
        (1, 224, 4.2, 569),
        (0.75, 224, 2.6, 325),
        (0.5, 224, 1.3, 149),
        (0.25, 224, 0.5, 41),
        (1, 192, 4.2, 418),
        (1, 128, 4.2, 186),
    ],
)
def test_mobilenet_has_the_published_cost(width, resolution, parameters, macs):
    layers = variants.mobilenet_v1(width, resolution)
    assert sum(layer.parameters + layer.norm for layer in layers) / 1e6 == pytest.approx(parameters, abs=0.06)
    assert int(sum(layer.macs for layer in layers) / 1e6) in (macs - 1, macs)


def test_mobilenet_equals_the_same_network_in_torch():
    def block(inputs, outputs, kernel, stride, groups=1):
        convolution = torch.nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [convolution, torch.nn.BatchNorm2d(outputs)]

    with torch.device("meta"):
        modules = block(3, 32, 3, 2)
        channels = 32
        for outputs, stride in [
            (64, 1),
            (128, 2),
            (128, 1),
            (256, 2),
            (256, 1),
            (512, 2),
            *[(512, 1)] * 5,
            (1024, 2),
            (1024, 1),
        ]:
            modules += block(channels, channels, 3, stride, channels) + block(channels, outputs, 1, 1)
            channels = outputs
        net = torch.nn.Sequential(
            *modules, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1024, 1000)
        )
        assert net(torch.empty(1, 3, 224, 224)).shape == (1, 1000)
    layers = variants.mobilenet_v1()
    assert len(layers) == 28
    count = sum(p.numel() for p in net.parameters())
    assert sum(layer.parameters + layer.norm for layer in layers) == count == 4_231_976
    assert sum(layer.macs for layer in layers) == 568_740_352
    assert [layer.size for layer in layers[::6]] == [112, 56, 14, 14, 7]
    assert [layer.in_channels for layer in layers[1:]] == [layer.out_channels for layer in layers[:-1]]
    assert {layer.out_channels for layer in variants.mobilenet_v1(1e-4, classes=1)} == {1}
    assert variants.mobilenet_v1(classes=10)[-1].parameters == 10_250


# --- bad input -------------------------------------------------------------------------------------------------------

X, W, D, P = np.zeros((1, 4, 5, 5)), np.zeros((6, 2, 3, 3)), np.zeros((4, 1, 3, 3)), np.zeros((6, 4, 1, 1))
T = np.zeros((4, 3, 3, 3))


@pytest.mark.parametrize("transpose", [variants.conv_transpose2d, variants.conv_transpose2d_by_zeros])
@pytest.mark.parametrize(
    ("named", "arguments"),
    [
        ("x", (np.full(X.shape, np.nan), T)),
        ("x", (X[0], T)),
        ("weight", (X, T[:3])),
        ("weight", (X, T[0])),
        ("bias", (X, T, np.zeros(4))),
        ("bias", (X, T, np.zeros((3, 1)))),
        ("stride", (X, T, None, 0)),
        ("padding", (X, T, None, 1, -1)),
        ("padding", (X, T, None, 1, 4)),
        ("output_padding", (X, T, None, 2, 0, 2)),
        ("output_padding", (X, T, None, 2, 0, -1)),
        ("groups", (X, T, None, 1, 0, 0, 3)),
        ("groups", (X, T, None, 1, 0, 0, 0)),
        ("dilation", (X, T, None, 1, 0, 0, 1, 0)),
    ],
)
def test_transposed_refuses(transpose, named, arguments):
    with pytest.raises(ValueError, match=named):
        transpose(*arguments)


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("x", lambda: variants.grouped_conv2d(X[0], W, groups=2)),
        ("groups", lambda: variants.grouped_conv2d(X, W, groups=3)),
        ("groups", lambda: variants.grouped_conv2d(X, W[:5], groups=2)),
        ("groups", lambda: variants.grouped_conv2d(X, W, groups=0)),
        ("weight", lambda: variants.grouped_conv2d(X, W, groups=1)),
        ("bias", lambda: variants.grouped_conv2d(X, W, np.zeros(2), groups=2)),
        ("bias", lambda: variants.grouped_conv2d(X, W, 0.0, groups=2)),
        ("stride", lambda: variants.grouped_conv2d(X, W, stride=0, groups=2)),
        ("depthwise", lambda: variants.depthwise_separable_conv2d(X, D[:3], P)),
        ("depthwise", lambda: variants.depthwise_separable_conv2d(X, np.zeros((4, 2, 3, 3)), P)),
        ("pointwise", lambda: variants.depthwise_separable_conv2d(X, D, P[:, :3])),
        ("pointwise", lambda: variants.depthwise_separable_conv2d(X, D, np.zeros((6, 4, 3, 3)))),
        ("bias", lambda: variants.depthwise_separable_conv2d(X, D, P, np.zeros(4))),
        ("kernel_size", lambda: variants.dilated_conv2d(X, np.zeros((6, 4, 3, 3)), dilation=3)),
        ("dilations", lambda: variants.paths_through(3, [])),
        ("dilations", lambda: variants.paths_through(3, 2)),
        ("dilations", lambda: variants.paths_through(3, [0])),
        ("kernel_size", lambda: variants.paths_through(0, [1])),
        ("x", lambda: variants.insert_zeros(X[0], 2)),
        ("stride", lambda: variants.insert_zeros(X, 0)),
        ("size", lambda: variants.conv_transpose_output_size(0, 3)),
        ("kernel_size", lambda: variants.conv_transpose_output_size(3, 0)),
        ("padding", lambda: variants.conv_transpose_output_size(3, 3, padding=3)),
        ("groups", lambda: variants.conv_cost(4, 6, 3, 5, groups=4)),
        ("output_size", lambda: variants.conv_cost(4, 6, 3, 0)),
        ("bias", lambda: variants.conv_cost(4, 6, 3, 5, bias=2)),
        ("in_channels", lambda: variants.depthwise_separable_cost(0, 6, 3, 5)),
        ("out_channels", lambda: variants.depthwise_separable_cost(4, 0, 3, 5)),
        ("input_size", lambda: variants.conv_transpose_cost(4, 6, 3, 0)),
        ("width", lambda: variants.mobilenet_v1(0)),
        ("resolution", lambda: variants.mobilenet_v1(resolution=0)),
        ("classes", lambda: variants.mobilenet_v1(classes=0)),
    ],
)
def test_bad_input_is_refused(named, call):
    with pytest.raises(ValueError, match=named):
        call()


def test_the_smallest_of_everything_is_accepted():
    one = np.full((1, 1, 1, 1), 3.0)
    assert variants.conv_transpose2d(one, one).item() == variants.conv_transpose2d_by_zeros(one, one).item() == 9
    assert variants.conv_transpose_output_size(1, 1) == (1, 1)
    assert variants.conv_transpose_output_size(2, 3, padding=1) == (2, 2)
    assert variants.conv_transpose2d(one, np.ones((1, 1, 3, 3)), padding=1).item() == 3
    assert variants.mobilenet_v1(resolution=1, classes=1)[-1].parameters == 1025
    assert variants.paths_through(1, [1]).tolist() == [[1]]
