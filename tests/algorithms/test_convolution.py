"""Convolution, its gradients, sizes and costs equal torch's; bad input is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers import datasets
from helpers.algorithms import convolution

quick = settings(derandomize=True, deadline=None, max_examples=150)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def problems(draw):
    """Input, filters, bias and (stride, padding, dilation, groups): even kernels, gaps, groups, one-sided sizes."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride, dilation = draw(pairs), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    shape = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    assume(all(n + 2 * p >= e for n, p, e in zip(shape, padding, extent, strict=True)))
    groups = draw(st.integers(1, 3))
    inputs, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.normal(size=(draw(st.integers(1, 3)), groups * inputs, *shape))
    weight, bias = rng.normal(size=(groups * outputs, inputs, *kernel)), rng.normal(size=groups * outputs)
    return x, weight, bias, (stride, padding, dilation, groups)


@quick
@given(problems())
def test_forward_and_backward_equal_torch(problem):
    x, weight, bias, options = problem
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    theirs = F.conv2d(*tensors, *options)
    np.testing.assert_allclose(convolution.conv2d(x, weight, bias, *options), theirs.detach(), atol=1e-12)
    grad = np.random.default_rng(7).normal(size=theirs.shape)
    theirs.backward(torch.tensor(grad))
    for ours, tensor in zip(convolution.conv2d_backward(grad, x, weight, *options), tensors, strict=True):
        np.testing.assert_allclose(ours, tensor.grad, atol=1e-12)


@quick
@given(problems())
def test_loops_equal_torch(problem):
    x, weight, bias, options = problem
    theirs = F.conv2d(*map(torch.tensor, (x, weight, bias)), *options)
    np.testing.assert_allclose(convolution.conv2d_naive(x, weight, bias, *options), theirs, atol=1e-12)
    without = F.conv2d(torch.tensor(x), torch.tensor(weight), None, *options)
    np.testing.assert_allclose(convolution.conv2d_naive(x, weight, None, *options), without, atol=1e-12)


@quick
@given(problems())
def test_sizes_and_costs_equal_a_torch_layer(problem):
    x, weight, _, options = problem
    (outputs, _, *kernel), (*_, groups) = weight.shape, options
    layer = torch.nn.Conv2d(x.shape[1], outputs, kernel, *options).double()
    size = tuple(layer(torch.tensor(x)).shape[2:])
    assert convolution.conv_output_size(x.shape[2:], tuple(kernel), *options[:3]) == size
    count = sum(p.numel() for p in layer.parameters())
    assert convolution.conv_parameters(x.shape[1], outputs, kernel, groups) == count
    assert convolution.conv_parameters(x.shape[1], outputs, kernel, groups, bias=False) == layer.weight.numel()
    each = layer.weight[0].numel()  # multiply-adds of one output number
    expected = each * outputs * size[0] * size[1]
    assert convolution.conv_macs(x.shape[1], outputs, kernel, size, groups) == expected


@quick
@given(problems())
def test_backward_is_the_transpose_of_forward(problem):
    x, weight, _, options = problem
    out = convolution.conv2d(x, weight, None, *options)
    grad = np.random.default_rng(3).normal(size=out.shape)
    grad_x, grad_weight, grad_bias = convolution.conv2d_backward(grad, x, weight, *options)
    inner = (out * grad).sum()  # the output is linear in x and linear in weight
    np.testing.assert_allclose([(x * grad_x).sum(), (weight * grad_weight).sum()], [inner, inner], atol=1e-10)
    np.testing.assert_allclose(grad_bias, grad.sum(axis=(0, 2, 3)))


def test_a_photograph_equals_torch():
    x = datasets.photograph("flower.jpg")[::3, ::3].transpose(2, 0, 1)[None] / 255
    weight = np.random.default_rng(0).normal(size=(8, 3, 7, 7))
    theirs = F.conv2d(torch.tensor(x), torch.tensor(weight), None, 2, 3)
    np.testing.assert_allclose(convolution.conv2d(x, weight, None, 2, 3), theirs, atol=1e-11)


# --- properties ------------------------------------------------------------------------------------------------------


def test_it_is_a_cross_correlation_and_the_flipped_kernel_a_convolution():
    signal, kernel = np.array([1.0, 2, 4]), np.array([1.0, 0, 10])
    out = convolution.conv2d(signal.reshape(1, 1, 1, 3), kernel.reshape(1, 1, 1, 3), padding=(0, 2)).ravel()
    np.testing.assert_array_equal(out, [10, 20, 41, 2, 4])
    flipped = convolution.conv2d(signal.reshape(1, 1, 1, 3), kernel[::-1].reshape(1, 1, 1, 3), padding=(0, 2)).ravel()
    np.testing.assert_array_equal(flipped, np.convolve(signal, kernel))


def test_a_shifted_input_shifts_the_output():
    rng = np.random.default_rng(1)
    x, weight = rng.normal(size=(1, 2, 12, 12)), rng.normal(size=(3, 2, 3, 3))
    out, moved = convolution.conv2d(x, weight), convolution.conv2d(np.roll(x, 2, axis=3), weight)
    np.testing.assert_allclose(moved[..., 2:], out[..., :-2], atol=1e-12)
    with_stride = convolution.conv2d(np.roll(x, 1, axis=3), weight, stride=2)
    assert not np.allclose(with_stride[..., 1:], convolution.conv2d(x, weight, stride=2)[..., :-1])


def test_a_one_by_one_kernel_is_a_matrix_product_over_channels():
    rng = np.random.default_rng(2)
    x, weight = rng.normal(size=(2, 5, 4, 3)), rng.normal(size=(6, 5, 1, 1))
    np.testing.assert_allclose(
        convolution.conv2d(x, weight), np.einsum("oc,nchw->nohw", weight[..., 0, 0], x), atol=1e-12
    )


def test_dense_layer_is_a_convolution_whose_kernel_covers_the_map():
    rng = np.random.default_rng(3)
    x, weight = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(7, 3, 4, 5))
    out = convolution.conv2d(x, weight)
    np.testing.assert_allclose(out[..., 0, 0], x.reshape(2, -1) @ weight.reshape(7, -1).T, atol=1e-12)


def test_nothing_given_is_changed():
    x, weight, bias = np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)), np.ones(1)
    out = convolution.conv2d(x, weight, bias, padding=1)
    convolution.conv2d_backward(out, x, weight, padding=1)
    assert (x == 1).all() and (weight == 1).all() and (bias == 1).all()


def test_published_sizes_and_counts():
    assert convolution.conv_output_size(224, 7, 2, 3) == 112  # the stem of ResNet
    assert convolution.conv_output_size((224, 200), 11, 4, 2) == (55, 49)  # AlexNet's first layer, on 224 rows
    assert convolution.conv_parameters(3, 64, 7, bias=False) == 9_408
    assert convolution.conv_parameters(512, 512, 3) == 2_359_808
    assert convolution.conv_macs(3, 64, 7, 112) == 118_013_952


# --- bad input -------------------------------------------------------------------------------------------------------

X, W, G = np.zeros((1, 2, 4, 4)), np.zeros((3, 2, 3, 3)), np.zeros((1, 3, 2, 2))
NAN = np.full((1, 2, 4, 4), np.nan)
FORWARD = [convolution.conv2d, convolution.conv2d_naive]


@pytest.mark.parametrize("function", [*FORWARD, lambda x, w, b, *rest: convolution.conv2d_backward(G, x, w, *rest)])
@pytest.mark.parametrize(
    ("named", "arguments"),
    [
        ("x", (NAN, W, None)),
        ("x", (np.zeros((2, 4, 4)), W, None)),
        ("x", (np.zeros((0, 2, 4, 4)), W, None)),
        ("x", ([["a"]], W, None)),
        ("weight", (X, np.zeros((3, 2, 3)), None)),
        ("weight", (X, np.zeros((3, 1, 3, 3)), None)),
        ("weight", (X, np.full(W.shape, np.inf), None)),
        ("weight", (X, np.zeros((3, 2, 0, 3)), None)),
        ("kernel_size", (X, np.zeros((3, 2, 5, 5)), None)),
        ("kernel_size", (X, np.zeros((3, 2, 1, 5)), None)),
        ("kernel_size", (X, W, None, 1, 0, 2)),
        ("stride", (X, W, None, 0)),
        ("stride", (X, W, None, 1.5)),
        ("stride", (X, W, None, (1, 1, 1))),
        ("padding", (X, W, None, 1, -1)),
        ("padding", (X, W, None, 1, "same")),
        ("dilation", (X, W, None, 1, 0, 0)),
        ("groups", (X, W, None, 1, 0, 1, 0)),
        ("groups", (X, W, None, 1, 0, 1, 2)),
        ("groups", (X, np.zeros((3, 1, 3, 3)), None, 1, 0, 1, 2)),
        ("groups", (np.zeros((1, 3, 4, 4)), np.zeros((4, 1, 3, 3)), None, 1, 0, 1, 2)),
    ],
)
def test_convolution_refuses(function, named, arguments):
    with pytest.raises(ValueError, match=named):
        function(*arguments)


@pytest.mark.parametrize("function", FORWARD)
@pytest.mark.parametrize("bias", [np.zeros(2), np.zeros((3, 1)), 0.0, np.full(3, np.nan)])
def test_a_bad_bias_is_refused(function, bias):
    with pytest.raises(ValueError, match="bias"):
        function(X, W, bias)


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("grad", lambda: convolution.conv2d_backward(np.zeros((1, 3, 3, 2)), X, W)),
        ("grad", lambda: convolution.conv2d_backward(np.full(G.shape, np.nan), X, W)),
        ("grad", lambda: convolution.conv2d_backward(np.zeros((3, 2, 2)), X, W)),
        ("size", lambda: convolution.conv_output_size(0, 3)),
        ("size", lambda: convolution.conv_output_size(4.0, 3)),
        ("size", lambda: convolution.conv_output_size((4, 4, 4), 3)),
        ("size", lambda: convolution.conv_output_size(8, (3, 2))),
        ("kernel_size", lambda: convolution.conv_output_size(4, 5)),
        ("kernel_size", lambda: convolution.conv_output_size(4, 0)),
        ("stride", lambda: convolution.conv_output_size(4, 3, 0)),
        ("padding", lambda: convolution.conv_output_size(4, 3, 1, -1)),
        ("dilation", lambda: convolution.conv_output_size(4, 3, 1, 0, 0)),
        ("in_channels", lambda: convolution.conv_parameters(0, 4, 3)),
        ("out_channels", lambda: convolution.conv_parameters(4, 0, 3)),
        ("kernel_size", lambda: convolution.conv_parameters(4, 4, 0)),
        ("groups", lambda: convolution.conv_parameters(4, 6, 3, groups=4)),
        ("groups", lambda: convolution.conv_parameters(6, 4, 3, groups=4)),
        ("bias", lambda: convolution.conv_parameters(4, 4, 3, bias="yes")),
        ("output_size", lambda: convolution.conv_macs(4, 4, 3, 0)),
        ("groups", lambda: convolution.conv_macs(4, 4, 3, 8, groups=3)),
    ],
)
def test_bad_input_is_refused(named, call):
    with pytest.raises(ValueError, match=named):
        call()


def test_an_extent_that_just_fits_gives_one_window():
    assert convolution.conv_output_size(5, 3, dilation=2) == 1
    assert convolution.conv_output_size(3, 3, 1, 1, 2) == 1
    assert convolution.conv2d(np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3)), dilation=2).item() == 9
    assert convolution.conv_parameters(1, 1, 1) == 2
    assert convolution.conv_macs(1, 1, 1, 1) == 1
