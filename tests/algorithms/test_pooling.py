"""Pooling equals torch, forward and backward; what a gradient's sum does; bad input is refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers import datasets
from helpers.algorithms import pooling

quick = settings(derandomize=True, deadline=None, max_examples=100)
sides = st.integers(1, 9)


@st.composite
def problems(draw):
    """A map with many ties, and a pooling that fits it: overlapping, gapped, padded, ragged."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.none() | st.tuples(st.integers(1, 5), st.integers(1, 5)))
    padding = draw(st.tuples(*(st.integers(0, k // 2) for k in kernel)))
    shape = *draw(st.sampled_from([(1, 1), (2, 3), (3,)])), draw(sides), draw(sides)
    assume(all(n + 2 * p >= k for n, p, k in zip(shape[-2:], padding, kernel, strict=True)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.integers(-2, 3, shape).astype(float) if draw(st.booleans()) else rng.normal(size=shape)
    return x, kernel, stride, padding, draw(st.booleans())


def upstream(shape):
    return np.random.default_rng(7).normal(size=shape)


@quick
@given(problems())
def test_max_equals_torch_forward_and_backward(problem):
    x, kernel, stride, padding, ceil_mode = problem
    t = torch.tensor(x, requires_grad=True)
    theirs, their_indices = F.max_pool2d(t, kernel, stride, padding, ceil_mode=ceil_mode, return_indices=True)
    out, indices = pooling.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode)
    np.testing.assert_array_equal(out, theirs.detach())
    np.testing.assert_array_equal(indices, their_indices)
    grad = upstream(out.shape)
    theirs.backward(torch.tensor(grad))
    np.testing.assert_allclose(pooling.max_pool2d_backward(grad, indices, x.shape), t.grad, atol=1e-12)


@quick
@given(problems(), st.booleans())
def test_mean_equals_torch_forward_and_backward(problem, include):
    x, kernel, stride, padding, ceil_mode = problem
    t = torch.tensor(x, requires_grad=True)
    theirs = F.avg_pool2d(t, kernel, stride, padding, ceil_mode, include)
    out = pooling.avg_pool2d(x, kernel, stride, padding, ceil_mode, include)
    np.testing.assert_allclose(out, theirs.detach(), atol=1e-12)
    grad = upstream(out.shape)
    theirs.backward(torch.tensor(grad))
    back = pooling.avg_pool2d_backward(grad, x.shape, kernel, stride, padding, ceil_mode, include)
    np.testing.assert_allclose(back, t.grad, atol=1e-12)


@quick
@given(st.tuples(st.integers(1, 2), st.integers(1, 3), sides, sides), st.tuples(sides, sides))
def test_adaptive_mean_equals_torch_forward_and_backward(shape, size):
    x = upstream(shape)
    t = torch.tensor(x, requires_grad=True)
    theirs = F.adaptive_avg_pool2d(t, size)
    np.testing.assert_allclose(pooling.adaptive_avg_pool2d(x, size), theirs.detach(), atol=1e-12)
    grad = upstream(theirs.shape)
    theirs.backward(torch.tensor(grad))
    np.testing.assert_allclose(pooling.adaptive_avg_pool2d_backward(grad, shape), t.grad, atol=1e-12)


def test_a_photograph_equals_torch():
    x = datasets.photograph("flower.jpg").transpose(2, 0, 1).astype(float)  # 8 bit, so that most windows hold ties
    out, indices = pooling.max_pool2d(x, 3, 2, 1)
    theirs, their_indices = F.max_pool2d(torch.tensor(x), 3, 2, 1, return_indices=True)
    np.testing.assert_array_equal(out, theirs)
    np.testing.assert_array_equal(indices, their_indices)
    np.testing.assert_allclose(pooling.avg_pool2d(x, 3, 2, 1), F.avg_pool2d(torch.tensor(x), 3, 2, 1), atol=1e-9)


# --- where the gradient goes -----------------------------------------------------------------------------------------


@quick
@given(problems())
def test_max_keeps_the_sum_of_the_gradient_whatever_the_windows(problem):
    x, kernel, stride, padding, ceil_mode = problem
    out, indices = pooling.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode)
    grad = upstream(out.shape)
    back = pooling.max_pool2d_backward(grad, indices, x.shape)
    np.testing.assert_allclose(back.sum((-2, -1)), grad.sum((-2, -1)), atol=1e-12)


@quick
@given(problems(), st.booleans())
def test_mean_keeps_the_sum_exactly_where_no_counted_cell_is_padding(problem, include):
    x, kernel, stride, padding, ceil_mode = problem
    out = pooling.avg_pool2d(x, kernel, stride, padding, ceil_mode, include)
    back = pooling.avg_pool2d_backward(np.ones(out.shape), x.shape, kernel, stride, padding, ceil_mode, include)
    counted = pooling.avg_pool2d(np.ones(x.shape), kernel, stride, padding, ceil_mode, include)  # share of real cells
    np.testing.assert_allclose(back.sum(), counted.sum(), atol=1e-12)
    if not include or padding == (0, 0):
        np.testing.assert_allclose(back.sum(), out.size, atol=1e-12)


@quick
@given(problems())
def test_backward_is_the_transpose_of_forward(problem):
    x, kernel, stride, padding, ceil_mode = problem
    out = pooling.avg_pool2d(x, kernel, stride, padding, ceil_mode)
    grad = upstream(out.shape)
    back = pooling.avg_pool2d_backward(grad, x.shape, kernel, stride, padding, ceil_mode)
    np.testing.assert_allclose((out * grad).sum(), (x * back).sum(), atol=1e-11)


def test_ties_go_to_the_first_cell_row_by_row():
    _, indices = pooling.max_pool2d(np.ones((1, 2, 2)), 2)
    assert indices.item() == 0
    np.testing.assert_array_equal(pooling.max_pool2d_backward([[[1.0]]], indices, (1, 2, 2)), [[[1, 0], [0, 0]]])


def test_overlapping_windows_add_up_at_a_shared_winner():
    x = np.zeros((1, 3, 3))
    x[0, 1, 1] = 1
    _, indices = pooling.max_pool2d(x, 2, 1)
    back = pooling.max_pool2d_backward(np.ones((1, 2, 2)), indices, x.shape)
    assert back[0, 1, 1] == back.sum() == 4


def test_a_ragged_edge_drops_cells_but_no_gradient():
    back = pooling.avg_pool2d_backward(np.ones((1, 2, 2)), (1, 5, 5), 2)
    assert back.sum() == 4
    assert (back[:, 4] == 0).all() and (back[:, :, 4] == 0).all()
    kept = pooling.avg_pool2d_backward(np.ones((1, 3, 3)), (1, 5, 5), 2, ceil_mode=True)
    assert kept.sum() == 9
    assert kept[0, 4, 4] == 1  # the corner window holds one cell, which gets all of it


def test_published_example_of_padding_that_counts():
    x = np.arange(1.0, 10).reshape(1, 3, 3)  # windows of nine cells, the padding's zeros among them
    np.testing.assert_allclose(pooling.avg_pool2d(x, 3, 2, 1) * 9, [[[12, 16], [24, 28]]])
    np.testing.assert_allclose(pooling.avg_pool2d(x, 3, 2, 1, count_include_pad=False), [[[3, 4], [6, 7]]])


# --- bad input -------------------------------------------------------------------------------------------------------

X, G = np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 2, 2))
POOLS = [pooling.max_pool2d, pooling.avg_pool2d]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(
    ("named", "arguments"),
    [
        ("x", (np.full((1, 4, 4), np.nan), 2)),
        ("x", (np.zeros((4, 4)), 2)),
        ("x", (np.zeros((1, 0, 4)), 2)),
        ("x", ([["a"]], 2)),
        ("kernel_size", (X, 0)),
        ("kernel_size", (X, 2.5)),
        ("kernel_size", (X, (2, 2, 2))),
        ("kernel_size", (X, 5)),
        ("stride", (X, 2, 0)),
        ("padding", (X, 2, 2, -1)),
        ("padding", (X, 2, 2, 2)),
    ],
)
def test_pooling_refuses(pool, named, arguments):
    with pytest.raises(ValueError, match=named):
        pool(*arguments)


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("ceil_mode", lambda: pooling.max_pool2d(X, 2, ceil_mode="yes")),
        ("count_include_pad", lambda: pooling.avg_pool2d(X, 2, count_include_pad="no")),
        ("grad", lambda: pooling.max_pool2d_backward(np.full_like(G, np.nan), G, X.shape)),
        ("indices", lambda: pooling.max_pool2d_backward(G, np.zeros((1, 1, 3, 2)), X.shape)),
        ("indices", lambda: pooling.max_pool2d_backward(G, G + 16, X.shape)),
        ("indices", lambda: pooling.max_pool2d_backward(G, G - 1, X.shape)),
        ("indices", lambda: pooling.max_pool2d_backward(G, G + 0.5, X.shape)),
        ("shape", lambda: pooling.max_pool2d_backward(G, G, (1, 4, 4))),
        ("shape", lambda: pooling.max_pool2d_backward(G, G, (2, 1, 4, 4))),
        ("shape", lambda: pooling.max_pool2d_backward(G, G, 16)),
        ("grad", lambda: pooling.avg_pool2d_backward(np.zeros((1, 1, 3, 3)), X.shape, 2)),
        ("grad", lambda: pooling.avg_pool2d_backward(np.zeros(4), X.shape, 2)),
        ("kernel_size", lambda: pooling.avg_pool2d_backward(G, X.shape, 0)),
        ("output_size", lambda: pooling.adaptive_avg_pool2d(X, 0)),
        ("output_size", lambda: pooling.adaptive_avg_pool2d(X, (2, 2, 2))),
        ("x", lambda: pooling.adaptive_avg_pool2d(np.zeros(4), 1)),
        ("grad", lambda: pooling.adaptive_avg_pool2d_backward([[[np.inf]]], (1, 4, 4))),
        ("shape", lambda: pooling.adaptive_avg_pool2d_backward(G, (1, 2, 4, 4))),
    ],
)
def test_bad_input_is_refused(named, call):
    with pytest.raises(ValueError, match=named):
        call()


@pytest.mark.parametrize(("height", "wanted"), [(7, 3), (6, 4), (6, 3), (4, 6)])
def test_adaptive_windows_share_a_row_exactly_where_the_border_is_no_integer(height, wanted):
    covered = [
        pooling.adaptive_avg_pool2d_backward(grad.reshape(1, -1, 1), (1, height, 1))[0, :, 0] > 0
        for grad in np.eye(wanted)
    ]
    shared = [bool((a & b).any()) for a, b in pairwise(covered)]
    assert shared == [i * height % wanted > 0 for i in range(1, wanted)]
