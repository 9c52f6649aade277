"""Normalization: batch, layer, instance and group norm, the way back through them, folding, and whitening.

All four norms do one thing, (x - mean) / sqrt(variance + eps), and then weight times that plus bias. They differ in
which cells share one mean. A batch of maps x is (N, C, H, W): images, channels, rows, columns.

References
----------
Ioffe and Szegedy, "Batch normalization", ICML 2015.
Ba, Kiros and Hinton, "Layer normalization", arXiv 1607.06450, 2016.
Ulyanov, Vedaldi and Lempitsky, "Instance normalization", arXiv 1607.08022, 2016.
Wu and He, "Group normalization", ECCV 2018.
Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American Statistician 72 (2018).
"""

from itertools import pairwise

import numpy as np

from ..validation import check_array, check_choice, check_columns, check_integer, check_number, check_same_length

# --- what all of them do ---------------------------------------------------------------------------------------------


def _standardize(x, axes, eps):
    """Mean 0 and variance 1 over `axes`; returns also what it divided by."""
    centered = x - x.mean(axis=axes, keepdims=True)
    std = np.sqrt((centered**2).mean(axis=axes, keepdims=True) + eps)  # biased: divided by n, not by n - 1
    if not std.all():
        raise ValueError("eps must be above 0: x holds equal values in all cells that share a mean")
    return centered / std, std


def _standardize_backward(grad, x_hat, std, axes):
    """Send a gradient back through `_standardize`: take out what a shift and what a scaling of x would do."""
    along_shift = grad.mean(axis=axes, keepdims=True)
    along_scale = (grad * x_hat).mean(axis=axes, keepdims=True)
    return (grad - along_shift - x_hat * along_scale) / std


# --- batch -----------------------------------------------------------------------------------------------------------


def batch_norm(x, weight=None, bias=None, running_mean=None, running_var=None, training=True, momentum=0.1, eps=1e-5):
    """Normalize each channel: over the batch and all positions in training, by the kept statistics otherwise.

    Parameters
    ----------
    x : (N, C, ...) array_like
    weight, bias : (C,) array_like, optional
        Scale and shift of each channel; without them 1 and 0.
    running_mean, running_var : (C,) array_like, optional
        The kept statistics. Without them nothing is kept, and None is returned for them.
    training : bool
    momentum : float from 0 to 1
        The share of the new statistics, as in torch.
    eps : float, at least 0
        Added to the variance.

    Returns
    -------
    y : ndarray of x's shape
    running_mean, running_var : (C,) ndarray or None
        New in training. The variance that is kept is the unbiased one; y is divided by the biased one.

    Raises
    ------
    ValueError
        If an argument is out of range or a shape does not fit; in training, if a channel has only one value; otherwise,
        if the kept statistics are missing.
    """
    x = _check_maps(x, 2)
    weight, bias, momentum, eps = _check_settings(x.shape[1], weight, bias, momentum, eps)
    check_choice("training", training, (True, False))
    kept = _check_kept(x.shape[1], running_mean, running_var, needed=not training)
    if training:
        _check_several(x)
    else:
        _check_eps(eps, kept[1])
    return _batch_norm(x, weight, bias, *kept, training, momentum, eps)


def _batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps):
    axes = (0, *range(2, x.ndim))  # all but the channel's
    if training:
        x_hat, _ = _standardize(x, axes, eps)
        if running_mean is not None:
            n = x.size / x.shape[1]  # values per channel
            running_mean = (1 - momentum) * running_mean + momentum * x.mean(axis=axes)
            running_var = (1 - momentum) * running_var + momentum * x.var(axis=axes) * n / (n - 1)  # unbiased
    else:
        x_hat = (x - _per_channel(running_mean, x)) / np.sqrt(_per_channel(running_var, x) + eps)
    return _per_channel(weight, x) * x_hat + _per_channel(bias, x), running_mean, running_var


def batch_norm_backward(grad, x, weight=None, eps=1e-5):
    """The way back through `batch_norm` in training, where mean and variance depend on x too.

    Parameters
    ----------
    grad : ndarray of x's shape
        The gradient that arrives at y.
    x : (N, C, ...) array_like
    weight : (C,) array_like, optional
    eps : float, at least 0

    Returns
    -------
    grad_x : ndarray of x's shape
    grad_weight, grad_bias : (C,) ndarray

    Raises
    ------
    ValueError
        As `batch_norm`.
    """
    x = _check_maps(x, 2)
    weight, _, _, eps = _check_settings(x.shape[1], weight, None, 0, eps)
    _check_several(x)
    return _batch_norm_backward(_check_like("grad", grad, x), x, weight, eps)


def _batch_norm_backward(grad, x, weight, eps):
    axes = (0, *range(2, x.ndim))
    x_hat, std = _standardize(x, axes, eps)
    grad_x = _standardize_backward(grad * _per_channel(weight, x), x_hat, std, axes)
    return grad_x, (grad * x_hat).sum(axis=axes), grad.sum(axis=axes)


def fold_batch_norm(weight, bias, gamma, beta, running_mean, running_var, eps=1e-5):
    """Put a batch norm in evaluation mode into the convolution or dense layer before it.

    Parameters
    ----------
    weight : (C_out, ...) array_like
        Of the layer.
    bias : (C_out,) array_like or None
    gamma, beta, running_mean, running_var : (C_out,) array_like
        Of the batch norm.
    eps : float, at least 0

    Returns
    -------
    weight, bias : ndarray
        A layer whose output equals that of the two.

    Raises
    ------
    ValueError
        If a shape does not fit or a variance is negative.
    """
    weight = check_array("weight", weight)
    if weight.ndim < 2:
        raise ValueError(f"weight must have 2 or more dimensions, got shape {weight.shape}")
    channels = len(weight)
    bias = np.zeros(channels) if bias is None else _check_channels("bias", bias, channels)
    gamma, beta = _check_channels("gamma", gamma, channels), _check_channels("beta", beta, channels)
    mean, var = _check_kept(channels, running_mean, running_var, needed=True)
    return _fold_batch_norm(weight, bias, gamma, beta, mean, var, _check_eps(eps, var))


def _fold_batch_norm(weight, bias, gamma, beta, mean, var, eps):
    scale = gamma / np.sqrt(var + eps)  # gamma (w x + b - mean) / std + beta = (scale w) x + scale (b - mean) + beta
    return weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), scale * (bias - mean) + beta


# --- independent of the batch ----------------------------------------------------------------------------------------


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalize over the last axes, each sample by itself.

    Parameters
    ----------
    x : array_like
    normalized_shape : int or tuple of int
        The last axes of x: (C, H, W) of a map, or the width of a token.
    weight, bias : array_like of this shape, optional
        One for every cell, not one for every channel.
    eps : float, at least 0

    Returns
    -------
    ndarray of x's shape

    Raises
    ------
    ValueError
        If a shape does not fit.
    """
    x = check_array("x", x)
    axes, weight, bias, eps = _check_last(x, normalized_shape, weight, bias, eps)
    return weight * _standardize(x, axes, eps)[0] + bias


def layer_norm_backward(grad, x, normalized_shape, weight=None, eps=1e-5):
    """The way back through `layer_norm`: the same formula, over other axes.

    Returns
    -------
    grad_x : ndarray of x's shape
    grad_weight, grad_bias : ndarray of `normalized_shape`

    Raises
    ------
    ValueError
        As `layer_norm`.
    """
    x = check_array("x", x)
    grad = _check_like("grad", grad, x)
    axes, weight, _, eps = _check_last(x, normalized_shape, weight, None, eps)
    x_hat, std = _standardize(x, axes, eps)
    samples = tuple(range(x.ndim - len(axes)))
    grad_x = _standardize_backward(grad * weight, x_hat, std, axes)
    return grad_x, (grad * x_hat).sum(axis=samples), grad.sum(axis=samples)


def rms_norm(x, normalized_shape, weight=None, eps=1e-6):
    """Divide by the root of the mean square over the last axes: no mean is taken out, no bias added.

    Zhang and Sennrich, "Root mean square layer normalization", NeurIPS 2019.

    Raises
    ------
    ValueError
        As `layer_norm`.
    """
    x = check_array("x", x)
    axes, weight, _, eps = _check_last(x, normalized_shape, weight, None, eps)
    square = (x**2).mean(axis=axes, keepdims=True)
    return weight * x / np.sqrt(square + _check_eps(eps, square))


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalize groups of neighboring channels together, each image by itself.

    Parameters
    ----------
    x : (N, C, ...) array_like
    num_groups : int
        A divisor of C. With 1 group all channels share a mean; with C groups each has its own.
    weight, bias : (C,) array_like, optional
        One for every channel, not one for every group.
    eps : float, at least 0

    Returns
    -------
    ndarray of x's shape

    Raises
    ------
    ValueError
        If an argument is out of range or a shape does not fit.
    """
    x = _check_maps(x, 2)
    if x.shape[1] % check_integer("num_groups", num_groups, at_least=1):
        raise ValueError(f"num_groups must divide the {x.shape[1]} channels of x, got {num_groups}")
    weight, bias, _, eps = _check_settings(x.shape[1], weight, bias, 0, eps)
    return _group_norm(x, num_groups, weight, bias, eps)


def _group_norm(x, num_groups, weight, bias, eps):
    groups = x.reshape(len(x), num_groups, -1)  # a group's channels and positions in one row
    x_hat = _standardize(groups, -1, eps)[0].reshape(x.shape)
    return _per_channel(weight, x) * x_hat + _per_channel(bias, x)


def instance_norm(x, weight=None, bias=None, eps=1e-5):
    """Normalize each channel of each image by itself, over its positions: groups of one channel.

    Raises
    ------
    ValueError
        As `group_norm`, or if x has fewer than two positions.
    """
    x = _check_maps(x, 3)
    if x[0, 0].size == 1:
        raise ValueError(f"x must have more than one position per channel, got shape {x.shape}")
    return group_norm(x, x.shape[1], weight, bias, eps)


# --- whitening -------------------------------------------------------------------------------------------------------


def pca_whiten(X, eps=0.0):
    """Rotate the samples onto their principal axes and scale each axis to variance 1.

    Parameters
    ----------
    X : (n, d) array_like
    eps : float, at least 0
        Added to the variances; needed where some direction has none.

    Returns
    -------
    (n, d) ndarray
        Column j belongs to the j-th largest variance. Its covariance (over n - 1) is the identity if eps is 0.

    Raises
    ------
    ValueError
        If X has fewer than two samples, or a direction without variance and eps is 0.
    """
    centered, variances, axes = _principal_axes(X, eps)
    return centered @ axes / np.sqrt(variances)


def zca_whiten(X, eps=0.0):
    """Whiten and rotate back: of all whitened versions of X the one that stays closest to X less its mean.

    Parameters, returns and errors as `pca_whiten`; column j belongs to column j of X.
    """
    centered, variances, axes = _principal_axes(X, eps)
    return centered @ axes / np.sqrt(variances) @ axes.T


def _principal_axes(X, eps):
    """X less its mean; variances along the principal axes, falling, plus eps; the axes, in columns."""
    X, eps = check_array("X", X, ndim=2), check_number("eps", eps, at_least=0)
    if len(X) < 2:
        raise ValueError("X must hold two samples or more")
    centered = X - X.mean(axis=0)
    variances, axes = np.linalg.eigh(centered.T @ centered / (len(X) - 1))
    variances, axes = np.maximum(variances[::-1], 0), axes[:, ::-1]  # largest first
    if eps == 0 and variances[-1] <= 1e-12 * variances[0]:
        raise ValueError("eps must be above 0: X has a direction without variance")
    largest = np.abs(axes).argmax(axis=0)  # an axis has no sign: make its largest entry positive
    return centered, variances + eps, axes * np.sign(axes[largest, np.arange(len(axes))])


# --- a network to measure it on --------------------------------------------------------------------------------------

_ACTIVATIONS = {  # name -> the function, and its slope from input a and output h
    "relu": (lambda a: np.maximum(a, 0), lambda a, h: a > 0),
    "sigmoid": (lambda a: (1 + np.tanh(a / 2)) / 2, lambda a, h: h * (1 - h)),
}


class NormalizedNet:
    """Dense layers with a norm before each activation, softmax at the end; several networks at once.

    A hidden layer is z = h W, z_hat = norm(z), a = gamma z_hat + beta, h = activation(a). Without a norm z_hat is z,
    and gamma stays 1.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, units of each hidden layer, classes.
    norm : {"none", "batch", "layer", "group"}
    activation : {"relu", "sigmoid"}
    groups : int
        Of "group"; it divides every hidden size.
    seeds : sequence of int
        One network for each; its weights are drawn with variance 2 / inputs.

    Attributes
    ----------
    params : list of list of ndarray
        [W, gamma, beta] of each hidden layer, [W, b] of the last; each has the networks as first axis.
    running : list of [mean, variance]
        Of "batch": what is kept for `predict`, (r, 1, units) each, with momentum 0.1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """

    EPS, MOMENTUM = 1e-5, 0.1

    def __init__(self, sizes, norm="batch", activation="relu", *, groups=4, seeds=(0,)):
        sizes = [check_integer("sizes", size, at_least=1) for size in sizes]
        if len(sizes) < 2:
            raise ValueError("sizes must name inputs and classes at least")
        self.norm = check_choice("norm", norm, ("none", "batch", "layer", "group"))
        self._activate, self._slope = _ACTIVATIONS[check_choice("activation", activation, tuple(_ACTIVATIONS))]
        self.groups = check_integer("groups", groups, at_least=1) if norm == "group" else 1
        if any(units % self.groups for units in sizes[1:-1]):
            raise ValueError(f"groups must divide the hidden sizes, got {groups}")
        rngs = [np.random.default_rng(check_integer("seeds", seed, at_least=0)) for seed in seeds]
        self.params, self.running = [], []
        for inputs, outputs in pairwise(sizes):
            W = np.stack([rng.normal(size=(inputs, outputs)) for rng in rngs]) * np.sqrt(2 / inputs)
            row = (len(rngs), 1, outputs)
            self.params.append([W, np.ones(row), np.zeros(row)])
            self.running.append([np.zeros(row), np.ones(row)])
        self.params[-1].pop(1)  # the last layer has a bias and no norm
        self.running.pop()

    def predict(self, X):
        """Class numbers, (r, n), by the kept statistics."""
        h = check_columns("X", X, self.params[0][0].shape[1])
        for (W, gamma, beta), (mean, var) in zip(self.params[:-1], self.running, strict=True):
            z = h @ W
            z_hat = (z - mean) / np.sqrt(var + self.EPS) if self.norm == "batch" else self._normalize(z)[0]
            h = self._activate(gamma * z_hat + beta)
        W, b = self.params[-1]
        return (h @ W + b).argmax(axis=-1)

    def step(self, X, y, lr):
        """One step of gradient descent on a mini-batch; `lr` may have one entry per network. Returns the losses."""
        loss, grads = self.gradients(X, y)
        for layer, layer_grads in zip(self.params, grads, strict=True):
            for i, grad in enumerate(layer_grads):
                layer[i] = layer[i] - np.reshape(lr, (-1, 1, 1)) * grad
        return loss

    def gradients(self, X, y):
        """Mean cross-entropy of a mini-batch, (r,), and its gradients, shaped as `params`. Keeps the statistics."""
        X, y = check_columns("X", X, self.params[0][0].shape[1]), check_array("y", y, ndim=1)
        check_same_length(X=X, y=y)
        classes = self.params[-1][0].shape[-1]
        if not np.isin(y, np.arange(classes)).all():
            raise ValueError(f"y must hold class numbers from 0 to {classes - 1}")
        return self._gradients(X, np.eye(classes)[y.astype(int)])

    def _gradients(self, h, one_hot):
        kept = []
        for i, (W, gamma, beta) in enumerate(self.params[:-1]):
            z = h @ W
            z_hat, std = self._normalize(z)
            a = gamma * z_hat + beta
            kept.append((h, z_hat, std, a, self._activate(a)))
            h = kept[-1][-1]
            if self.norm == "batch":
                self._keep(i, z)
        W, b = self.params[-1]
        log_p = _log_softmax(h @ W + b)
        delta = (np.exp(log_p) - one_hot) / len(one_hot)  # softmax and cross-entropy together
        grads = [[h.swapaxes(-1, -2) @ delta, delta.sum(axis=-2, keepdims=True)]]
        delta = delta @ W.swapaxes(-1, -2)
        for (W, gamma, _), (below, z_hat, std, a, h) in zip(self.params[-2::-1], reversed(kept), strict=True):
            delta = delta * self._slope(a, h)
            grad_gamma, grad_beta = ((delta * factor).sum(axis=-2, keepdims=True) for factor in (z_hat, 1))
            delta = self._normalize_backward(delta * gamma, z_hat, std)
            grads.append([below.swapaxes(-1, -2) @ delta, grad_gamma * (self.norm != "none"), grad_beta])
            delta = delta @ W.swapaxes(-1, -2)
        return -(log_p * one_hot).sum(axis=-1).mean(axis=-1), grads[::-1]

    def _normalize(self, z):
        if self.norm == "none":
            return z, 1.0
        if self.norm == "batch":
            return _standardize(z, -2, self.EPS)
        z_hat, std = _standardize(self._grouped(z), -1, self.EPS)
        return z_hat.reshape(z.shape), std

    def _normalize_backward(self, delta, z_hat, std):
        if self.norm == "none":
            return delta
        if self.norm == "batch":
            return _standardize_backward(delta, z_hat, std, -2)
        return _standardize_backward(self._grouped(delta), self._grouped(z_hat), std, -1).reshape(delta.shape)

    def _grouped(self, z):
        return z.reshape(*z.shape[:-1], self.groups, -1)

    def _keep(self, layer, z):
        n, share = z.shape[-2], self.MOMENTUM
        for i, new in enumerate((z.mean(axis=-2, keepdims=True), z.var(axis=-2, ddof=min(1, n - 1), keepdims=True))):
            self.running[layer][i] = (1 - share) * self.running[layer][i] + share * new


def _log_softmax(z):
    z = np.maximum(z - z.max(axis=-1, keepdims=True), -100)  # below, exp gets so small that the processor slows down
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


# --- checks ----------------------------------------------------------------------------------------------------------


def _per_channel(values, x):
    """One value per channel, in a shape that meets x's second axis."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def _check_maps(x, axes):
    x = check_array("x", x)
    if x.ndim < axes:
        raise ValueError(f"x must have {axes} or more dimensions, samples and channels first, got shape {x.shape}")
    return x


def _check_several(x):
    if x.size == x.shape[1]:
        raise ValueError(f"x must hold more than one value per channel in training, got shape {x.shape}")


def _check_settings(channels, weight, bias, momentum, eps):
    weight = np.ones(channels) if weight is None else _check_channels("weight", weight, channels)
    bias = np.zeros(channels) if bias is None else _check_channels("bias", bias, channels)
    momentum = check_number("momentum", momentum, at_least=0, at_most=1)
    return weight, bias, momentum, check_number("eps", eps, at_least=0)


def _check_channels(name, values, channels):
    values = check_array(name, values, ndim=1)
    if len(values) != channels:
        raise ValueError(f"{name} must have one entry per channel, {channels}, got {len(values)}")
    return values


def _check_kept(channels, running_mean, running_var, *, needed):
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must be given together")
    if running_mean is None:
        if needed:
            raise ValueError("running_mean and running_var are needed where the batch's own are not used")
        return None, None
    running_mean = _check_channels("running_mean", running_mean, channels)
    running_var = _check_channels("running_var", running_var, channels)
    if (running_var < 0).any():
        raise ValueError("running_var must not be negative")
    return running_mean, running_var


def _check_eps(eps, var):
    eps = check_number("eps", eps, at_least=0)
    if not (var + eps).all():
        raise ValueError("eps must be above 0 where a variance is 0")
    return eps


def _check_last(x, normalized_shape, weight, bias, eps):
    shape = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    shape = tuple(check_integer("normalized_shape", side, at_least=1) for side in shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"normalized_shape must be the last axes of x, whose shape is {x.shape}, got {shape}")
    weight = np.ones(shape) if weight is None else check_array("weight", weight)
    bias = np.zeros(shape) if bias is None else check_array("bias", bias)
    for name, values in (("weight", weight), ("bias", bias)):
        if values.shape != shape:
            raise ValueError(f"{name} must have the shape {shape}, got {values.shape}")
    return tuple(range(-len(shape), 0)), weight, bias, check_number("eps", eps, at_least=0)


def _check_like(name, value, x):
    value = check_array(name, value)
    if value.shape != x.shape:
        raise ValueError(f"{name} must have the shape of x, {x.shape}, got {value.shape}")
    return value
