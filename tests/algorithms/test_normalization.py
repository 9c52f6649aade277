"""Norms equal torch's, their way back torch.autograd's; whitening whitens; bad input is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.algorithms import normalization
from helpers.algorithms.normalization import NormalizedNet, batch_norm, group_norm, layer_norm

SHAPES = [(4, 6), (3, 6, 5), (1, 6, 2, 3), (5, 6, 1, 1), (2, 6, 4, 3)]


def drawn(shape, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * rng.uniform(0.1, 20, size=(1, shape[1], *[1] * (len(shape) - 2))) + offset
    channels = shape[1]
    return (
        x,
        rng.normal(size=channels),
        rng.normal(size=channels),
        rng.normal(size=channels),
        rng.uniform(0.1, 3, channels),
    )


def tensors(*arrays, grad=False):
    return [torch.tensor(array, requires_grad=grad) for array in arrays]


def close(ours, theirs, **tolerance):
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    np.testing.assert_allclose(ours, theirs, **({"rtol": 1e-9, "atol": 1e-11} | tolerance))


# --- batch -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("momentum", "eps"), [(0.1, 1e-5), (0.0, 0.5), (1.0, 1e-3), (0.3, 1e-9)])
def test_batch_norm_equals_torch(shape, training, momentum, eps):
    x, weight, bias, mean, var = drawn(shape)
    y, new_mean, new_var = batch_norm(x, weight, bias, mean, var, training, momentum, eps)
    kept = tensors(mean, var)
    theirs = F.batch_norm(*tensors(x), *kept, *tensors(weight, bias), training, momentum, eps)
    close(y, theirs)
    close(new_mean, kept[0])
    close(new_var, kept[1])


def test_defaults_are_torchs():
    x, _, _, mean, var = drawn((4, 6, 2, 2))
    module = torch.nn.BatchNorm2d(6).double()
    y, new_mean, new_var = batch_norm(x, running_mean=np.zeros(6), running_var=np.ones(6))
    close(y, module(torch.tensor(x)))
    close(new_mean, module.running_mean)
    close(new_var, module.running_var)
    assert batch_norm(x)[1:] == (None, None)
    close(batch_norm(x)[0], y)
    close(layer_norm(x, (6, 2, 2)), F.layer_norm(torch.tensor(x), (6, 2, 2)))
    close(group_norm(x, 3), F.group_norm(torch.tensor(x), 3))
    close(normalization.instance_norm(x), F.instance_norm(torch.tensor(x)))
    close(batch_norm(x, None, None, mean, var, False)[0], F.batch_norm(*tensors(x, mean, var)))
    grad = np.random.default_rng(5).normal(size=x.shape)
    ours = normalization.batch_norm_backward(grad, x)[0]
    (t,) = tensors(x, grad=True)
    F.batch_norm(t, None, None, training=True).backward(torch.tensor(grad))
    close(ours, t.grad)
    (t,) = tensors(x, grad=True)
    F.layer_norm(t, (2, 2)).backward(torch.tensor(grad))
    close(normalization.layer_norm_backward(grad, x, (2, 2))[0], t.grad)


def test_batch_norm_changes_no_argument():
    arguments = drawn((3, 2, 2))
    before = [array.copy() for array in arguments]
    batch_norm(*arguments)
    for now, then in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_batch_norm_backward_equals_autograd(shape, eps):
    x, weight, bias, *_ = drawn(shape, 1)
    grad = np.random.default_rng(2).normal(size=shape)
    inputs = tensors(x, weight, bias, grad=True)
    F.batch_norm(inputs[0], None, None, *inputs[1:], training=True, eps=eps).backward(torch.tensor(grad))
    for ours, theirs in zip(normalization.batch_norm_backward(grad, x, weight, eps), inputs, strict=True):
        close(ours, theirs.grad)


def test_the_gradient_of_a_batch_sums_to_nothing_and_has_no_part_along_x_hat():
    x, weight, *_ = drawn((7, 3, 4))
    grad = np.random.default_rng(2).normal(size=x.shape)
    grad_x = normalization.batch_norm_backward(grad, x, weight, 0.0)[0]
    close(grad_x.sum(axis=(0, 2)), np.zeros(3), atol=1e-9)
    close((grad_x * batch_norm(x, eps=0.0)[0]).sum(axis=(0, 2)), np.zeros(3), atol=1e-9)


def test_two_values_become_plus_and_minus_one_however_far_apart():
    x = np.array([[1.0, 5.0, 0.0], [2.0, -995.0, 1e-3]])
    close(batch_norm(x, eps=0.0)[0], [[-1, 1, -1], [1, -1, 1]])


def test_a_large_offset_does_not_matter():
    x, *_ = drawn((6, 4, 3))
    x = np.round(x * 64) / 64  # exact also beside a large number
    close(batch_norm(x + 2.0**30)[0], batch_norm(x)[0], atol=1e-6)
    close(layer_norm(x + 2.0**30, 3), layer_norm(x, 3), atol=1e-6)


@pytest.mark.parametrize("with_bias", [True, False])
def test_a_folded_convolution_equals_the_two(with_bias):
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(6, 2, 3, 3)), rng.normal(size=6) if with_bias else None
    _, gamma, beta, mean, var = drawn((2, 6))
    x = torch.tensor(rng.normal(size=(2, 2, 5, 5)))
    first = F.conv2d(x, torch.tensor(weight), None if bias is None else torch.tensor(bias))
    both = F.batch_norm(first, *tensors(mean, var, gamma, beta), eps=1e-2)
    folded = normalization.fold_batch_norm(weight, bias, gamma, beta, mean, var, 1e-2)
    close(F.conv2d(x, *tensors(*folded)), both)
    close(normalization.fold_batch_norm(weight, bias, gamma, beta, mean, var)[1].shape, (6,))
    default = normalization.fold_batch_norm(weight, bias, gamma, beta, mean, var)
    close(default[0], normalization.fold_batch_norm(weight, bias, gamma, beta, mean, var, 1e-5)[0], rtol=0, atol=0)


def test_a_dense_layer_is_folded_too():
    rng = np.random.default_rng(3)
    _, gamma, beta, mean, var = drawn((2, 6))
    weight, bias, x = rng.normal(size=(6, 4)), rng.normal(size=6), rng.normal(size=(5, 4))
    folded, shift = normalization.fold_batch_norm(weight, bias, gamma, beta, mean, var)
    close(x @ folded.T + shift, batch_norm(x @ weight.T + bias, gamma, beta, mean, var, False)[0])


# --- independent of the batch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_layer_norm_and_its_way_back_equal_torch(shape, last, eps):
    x, *_ = drawn(shape, 4)
    rng, normalized = np.random.default_rng(5), shape[-last:]
    weight, bias, grad = rng.normal(size=normalized), rng.normal(size=normalized), rng.normal(size=shape)
    inputs = tensors(x, weight, bias, grad=True)
    theirs = F.layer_norm(inputs[0], normalized, *inputs[1:], eps=eps)
    theirs.backward(torch.tensor(grad))
    close(layer_norm(x, normalized, weight, bias, eps), theirs)
    for ours, tensor in zip(normalization.layer_norm_backward(grad, x, normalized, weight, eps), inputs, strict=True):
        close(ours, tensor.grad)


@pytest.mark.parametrize("shape", SHAPES)
def test_rms_norm_equals_torch(shape):
    x, *_ = drawn(shape, 6, offset=2.0)
    weight = np.random.default_rng(5).normal(size=shape[-1])
    close(normalization.rms_norm(x, shape[-1], weight, 0.1), F.rms_norm(*tensors(x), shape[-1:], *tensors(weight), 0.1))
    close(normalization.rms_norm(x, shape[-1]), F.rms_norm(*tensors(x), shape[-1:], eps=1e-6))


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if len(shape) > 2])
@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm_equals_torch(shape, groups):
    x, weight, bias, *_ = drawn(shape, 7)
    close(group_norm(x, groups, weight, bias, 0.01), F.group_norm(*tensors(x), groups, *tensors(weight, bias), 0.01))


def test_instance_norm_equals_torch():
    x, weight, bias, *_ = drawn((3, 4, 2, 5), 8)
    theirs = F.instance_norm(*tensors(x), weight=torch.tensor(weight), bias=torch.tensor(bias), eps=0.01)
    close(normalization.instance_norm(x, weight, bias, 0.01), theirs)
    close(normalization.instance_norm(x), group_norm(x, 4))
    close(group_norm(x, 1), layer_norm(x, (4, 2, 5)))
    close(normalization.instance_norm(x[:1]), batch_norm(x[:1])[0])


# --- whitening -------------------------------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(1, 5), st.integers(6, 30), st.integers(0, 1000))
def test_whitened_samples_have_the_identity_for_covariance(d, n, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d) * 100
    for whiten in (normalization.pca_whiten, normalization.zca_whiten):
        if np.linalg.cond(X - X.mean(axis=0)) < 1e3:
            close(np.cov(whiten(X), rowvar=False).reshape(d, d), np.eye(d), atol=1e-6)
            close(whiten(X).mean(axis=0), np.zeros(d), atol=1e-8)


def test_pca_whitening_equals_scikit_learns_up_to_signs():
    from sklearn.decomposition import PCA

    X = np.random.default_rng(9).normal(size=(40, 3)) @ [[3.0, 1, 0], [0, 1, 0.5], [0, 0, 0.2]]
    ours, theirs = normalization.pca_whiten(X), PCA(whiten=True, svd_solver="full").fit_transform(X)
    close(np.abs(ours), np.abs(theirs), atol=1e-8)
    centered = X - X.mean(axis=0)
    axes = np.linalg.lstsq(centered, ours, rcond=None)[0]
    assert (axes[np.abs(axes).argmax(axis=0), range(3)] > 0).all()


def test_zca_is_symmetric_and_no_other_whitening_is_closer():
    rng = np.random.default_rng(10)
    X = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4))
    centered, whitened = X - X.mean(axis=0), normalization.zca_whiten(X)
    W = np.linalg.lstsq(centered, whitened, rcond=None)[0]
    close(W, W.T, atol=1e-9)
    assert (np.linalg.eigvalsh(W) > 0).all()
    least = ((whitened - centered) ** 2).sum()
    for _ in range(50):
        turn, _ = np.linalg.qr(rng.normal(size=(4, 4)))
        assert ((whitened @ turn - centered) ** 2).sum() > least


def test_eps_shrinks_directions_without_variance():
    X = np.random.default_rng(11).normal(size=(20, 2)) @ [[1.0, 1, 0], [0, 1, 0]]
    for whiten in (normalization.pca_whiten, normalization.zca_whiten):
        with pytest.raises(ValueError, match="eps must be above 0: X has a direction"):
            whiten(X)
        variances, axes = np.linalg.eigh(np.cov(X, rowvar=False))
        wanted = np.sort(variances / (variances + 0.5))
        close(np.linalg.eigvalsh(np.cov(whiten(X, 0.5), rowvar=False)), wanted, atol=1e-9)
    assert normalization.pca_whiten(np.eye(2)[:, :1]).shape == (2, 1), "two samples are enough"


# --- the network -----------------------------------------------------------------------------------------------------


def flat(layers):
    return [array for layer in layers for array in layer]


def by_torch(net, X, y, r):
    """Loss and gradients of one of the networks, by torch and autograd."""
    params = [[torch.tensor(p[r], requires_grad=True) for p in layer] for layer in net.params]
    h = torch.tensor(X)
    for W, gamma, beta in params[:-1]:
        z = h @ W
        if net.norm == "batch":
            z = F.batch_norm(z, None, None, training=True, eps=1e-5)
        elif net.norm != "none":
            z = F.group_norm(z, net.groups, eps=1e-5)
        a = gamma * z + beta if net.norm != "none" else z + beta
        h = torch.relu(a) if net._activate(np.float64(-1)) == 0 else torch.sigmoid(a)
    W, b = params[-1]
    loss = F.cross_entropy(h @ W + b, torch.tensor(y))
    loss.backward()
    return loss.item(), [[np.zeros(p.shape) if p.grad is None else p.grad.numpy() for p in layer] for layer in params]


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "group"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_networks_gradients_equal_autograd(norm, activation):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(9, 5)), rng.integers(0, 3, 9)
    net = NormalizedNet([5, 8, 4, 3], norm, activation, groups=2, seeds=(0, 7))
    for layer in net.params[:-1]:
        layer[1:] = [rng.normal(size=p.shape) if norm != "none" else p for p in layer[1:]]
    loss, grads = net.gradients(X, y)
    for r in (0, 1):
        their_loss, their_grads = by_torch(net, X, y, r)
        assert loss[r] == pytest.approx(their_loss)
        for ours, theirs in zip(flat(grads), flat(their_grads), strict=True):
            close(ours[r], theirs, atol=1e-12)


def test_the_networks_step_keep_and_predict():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    net = NormalizedNet([4, 5, 3], seeds=(0, 1))
    before = [[p.copy() for p in layer] for layer in net.params]
    module = torch.nn.BatchNorm1d(5).double()
    module(torch.tensor(X @ net.params[0][0][1]))
    loss = net.step(X, y, [0.5, 0.1])
    close(net.running[0][0][1, 0], module.running_mean)
    close(net.running[0][1][1, 0], module.running_var)
    again = NormalizedNet([4, 5, 3], seeds=(0, 1))
    their_loss, grads = again.gradients(X, y)
    close(loss, their_loss)
    for ours, old, grad in zip(flat(net.params), flat(before), flat(grads), strict=True):
        close(ours, old - np.array([0.5, 0.1]).reshape(2, 1, 1) * grad)
    h = np.maximum(batch_norm(X @ net.params[0][0][1], *(p[1, 0] for p in net.params[0][1:]),
                              *(p[1, 0] for p in net.running[0]), False)[0], 0)  # fmt: skip
    wanted = (h @ net.params[1][0][1] + net.params[1][1][1]).argmax(axis=1)
    np.testing.assert_array_equal(net.predict(X)[1], wanted)


def test_predictions_without_kept_statistics():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 4))
    for norm in ("none", "layer", "group"):
        net = NormalizedNet([4, 6, 3], norm, groups=3)
        W, gamma, beta = (p[0] for p in net.params[0])
        gamma += rng.normal(size=gamma.shape)
        beta += rng.normal(size=beta.shape)
        z = X @ W
        z = z if norm == "none" else group_norm(z, net.groups)
        wanted = (np.maximum(gamma * z + beta, 0) @ net.params[1][0][0] + net.params[1][1][0]).argmax(axis=1)
        np.testing.assert_array_equal(net.predict(X)[0], wanted)
        assert net.groups == (3 if norm == "group" else 1)


def test_weights_are_drawn_with_variance_two_over_inputs_and_by_seed():
    net = NormalizedNet([400, 300, 10], seeds=(3, 4))
    assert net.params[0][0].std() == pytest.approx(np.sqrt(2 / 400), rel=0.01)
    same = NormalizedNet([400, 300, 10], "none", seeds=(4,))
    np.testing.assert_array_equal(net.params[0][0][1], same.params[0][0][0])
    assert (net.params[0][1] == 1).all() and (net.params[0][2] == 0).all() and (net.params[1][1] == 0).all()
    assert (net.running[0][0] == 0).all() and (net.running[0][1] == 1).all() and len(net.running) == 1


def test_logits_far_apart_and_batches_of_one_are_no_trouble():
    net = NormalizedNet([2, 3, 2], "none")
    net.params[1][0] = net.params[1][0] * 1e6
    loss, grads = net.gradients(np.ones((3, 2)), [0, 1, 0])
    assert np.isfinite(loss).all() and all(np.isfinite(grad).all() for layer in grads for grad in layer)
    assert loss[0] == pytest.approx(100 * np.mean([0, 1, 0])) or loss[0] == pytest.approx(100 * 2 / 3)
    one = NormalizedNet([2, 3, 2])
    one.step(np.ones((1, 2)), [1], 0.1)
    assert np.isfinite(one.running[0][1]).all()


# --- bad input -------------------------------------------------------------------------------------------------------

X = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batch_norm([1.0, 2.0]), "x must have 2 or more dimensions"),
        (lambda: batch_norm([[np.nan, 1.0]]), "x holds NaN"),
        (lambda: batch_norm(np.ones((1, 4))), "x must hold more than one value per channel in training"),
        (lambda: batch_norm(X, [1.0]), "weight must have one entry per channel, 4, got 1"),
        (lambda: batch_norm(X, None, [[1.0] * 4]), "bias"),
        (lambda: batch_norm(X, running_mean=[0.0] * 4), "running_mean and running_var must be given together"),
        (lambda: batch_norm(X, training=False), "running_mean and running_var are needed"),
        (lambda: batch_norm(X, None, None, [0.0] * 4, [-1.0] * 4), "running_var must not be negative"),
        (lambda: batch_norm(X, None, None, [0.0] * 3, [1.0] * 4), "running_mean must have one entry"),
        (lambda: batch_norm(X, training="yes"), "training must be one of"),
        (lambda: batch_norm(X, momentum=1.5), "momentum"),
        (lambda: batch_norm(X, momentum=-0.5), "momentum"),
        (lambda: batch_norm(X, eps=-1e-5), "eps"),
        (lambda: batch_norm(X * 0, eps=0.0), "eps must be above 0"),
        (lambda: batch_norm(X, None, None, [0.0] * 4, [0.0] * 4, False, eps=0.0), "eps must be above 0"),
        (lambda: normalization.batch_norm_backward(X[:2], X), "grad must have the shape of x"),
        (lambda: normalization.batch_norm_backward(X, X, eps="1"), "eps"),
        (lambda: normalization.batch_norm_backward(X[:1], X[:1]), "x must hold more than one value per channel"),
        (lambda: normalization.fold_batch_norm([1.0], None, [1.0], [1.0], [1.0], [1.0]), "weight must have 2 or more"),
        (lambda: normalization.fold_batch_norm(X, [1.0], *[[1.0] * 3] * 4), "bias"),
        (lambda: normalization.fold_batch_norm(X, None, [1.0], *[[1.0] * 3] * 3), "gamma"),
        (lambda: normalization.fold_batch_norm(X, None, [1.0] * 3, [1.0], *[[1.0] * 3] * 2), "beta"),
        (lambda: normalization.fold_batch_norm(X, None, *[[1.0] * 3] * 3, [0.0] * 3, 0.0), "eps must be above 0"),
        (lambda: normalization.fold_batch_norm(X, None, *[[1.0] * 3] * 2, None, None), "are needed"),
        (lambda: layer_norm(X, 3), "normalized_shape must be the last axes of x"),
        (lambda: layer_norm(X, ()), "normalized_shape"),
        (lambda: layer_norm(X, 4.0), "normalized_shape"),
        (lambda: layer_norm(X, 4, [1.0, 2.0]), "weight must have the shape"),
        (lambda: layer_norm(X, 4, None, 1.0), "bias must have the shape"),
        (lambda: layer_norm(X, 4, eps=-1), "eps"),
        (lambda: normalization.layer_norm_backward(X[0], X, 4), "grad must have the shape of x"),
        (lambda: normalization.rms_norm(X * 0, 4, eps=0.0), "eps must be above 0"),
        (lambda: group_norm(X, 3), "num_groups must divide the 4 channels of x, got 3"),
        (lambda: group_norm(X, 0), "num_groups"),
        (lambda: group_norm(X, 2.0), "num_groups"),
        (lambda: normalization.instance_norm(X), "x must have 3 or more dimensions"),
        (lambda: normalization.instance_norm(X[..., None]), "x must have more than one position per channel"),
        (lambda: normalization.pca_whiten(X[:1]), "X must hold two samples"),
        (lambda: normalization.zca_whiten(X, -1), "eps"),
        (lambda: normalization.zca_whiten([1.0]), "X"),
        (lambda: NormalizedNet([4]), "sizes"),
        (lambda: NormalizedNet([4, 0]), "sizes"),
        (lambda: NormalizedNet([4, 3, 2], "instance"), "norm"),
        (lambda: NormalizedNet([4, 3, 2], activation="tanh"), "activation"),
        (lambda: NormalizedNet([4, 3, 2], "group", groups=2), "groups must divide"),
        (lambda: NormalizedNet([4, 4, 2], "group", groups=0), "groups"),
        (lambda: NormalizedNet([4, 3, 2], seeds=(-1,)), "seeds"),
        (lambda: NormalizedNet([4, 3, 2]).step(X, [0, 1, 2], 0.1), "y must hold class numbers from 0 to 1"),
        (lambda: NormalizedNet([4, 3, 2]).step(X, [0, 1], 0.1), "same length"),
        (lambda: NormalizedNet([3, 3, 2]).predict(X), "X must have 3 columns"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
