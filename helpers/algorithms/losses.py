"""Losses of classification and segmentation, each with its gradient by hand, stable for logits of any size.

All take logits, the numbers before a softmax or a sigmoid, and each loss f has its gradient with respect to them beside
it as f_grad, with the same arguments. x is a logit, p = sigmoid(x) or softmax(x), t the target.

References
----------
Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection", ICCV 2017.
Milletari, Navab and Ahmadi, "V-Net", 3DV 2016 (Dice as a loss).
Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception architecture", CVPR 2016 (label smoothing).
"""

import numpy as np

from ..validation import check_array, check_choice, check_integer, check_number
from .activations import log_softmax, sigmoid

# --- several classes -------------------------------------------------------------------------------------------------


def cross_entropy(logits, target, weight=None, label_smoothing=0.0, reduction="mean"):
    """Minus the logarithm of the probability that a softmax gives to the right class.

    Parameters
    ----------
    logits : (n, k) or (n, k, ...) array_like
        Scores of k classes, of a sample or of each of its pixels.
    target : (n,) or (n, ...) array_like of int
        Class numbers from 0 to k - 1. Or probabilities, an array of the shape of `logits`.
    weight : (k,) array_like, optional
        Of each class, at least 0.
    label_smoothing : float from 0 to 1
        The share of the target that is spread over all classes.
    reduction : {"mean", "sum", "none"}
        The mean is weighted: it divides by the sum of the weights of the right classes, as in torch. With
        probabilities as target it divides by the number of samples or pixels.

    Returns
    -------
    float, or ndarray of one loss per sample or pixel

    Raises
    ------
    ValueError
        If a shape does not fit or a value is out of range.
    """
    x, goal, weight, share = _check_classes(logits, target, weight, label_smoothing, reduction)
    return _reduce(_cross_entropy(x, goal, weight), reduction, share)


def _cross_entropy(x, goal, weight):
    log_p = log_softmax(x, 1)  # x less the logarithm of a sum: no probability that could have become 0
    return -(weight * goal * log_p).sum(axis=1)


def cross_entropy_grad(logits, target, weight=None, label_smoothing=0.0, reduction="mean"):
    """The gradient of `cross_entropy`: prediction minus target, times the weights. "none" means that of the sum."""
    x, goal, weight, share = _check_classes(logits, target, weight, label_smoothing, reduction)
    return _cross_entropy_grad(x, goal, weight) / (share.sum() if reduction == "mean" else 1)


def _cross_entropy_grad(x, goal, weight):
    goal = weight * goal
    return np.exp(log_softmax(x, 1)) * goal.sum(axis=1, keepdims=True) - goal


def class_weights(target, n_classes):
    """Weights inverse to the frequency of each class: n / (k n_c), so that every class counts alike.

    Parameters
    ----------
    target : array_like of int
        Class numbers from 0 to n_classes - 1, of samples or pixels.
    n_classes : int

    Returns
    -------
    (n_classes,) ndarray
        Averaged over the samples they are 1.

    Raises
    ------
    ValueError
        If a class does not occur, or a number is out of range.
    """
    n_classes = check_integer("n_classes", n_classes, at_least=1)
    target = _check_numbers(check_array("target", target), n_classes)
    counts = np.bincount(target.ravel(), minlength=n_classes)
    if not counts.all():
        raise ValueError(f"target must hold every class from 0 to {n_classes - 1}; {counts.argmin()} does not occur")
    return target.size / (n_classes * counts)


# --- yes or no -------------------------------------------------------------------------------------------------------


def binary_cross_entropy_with_logits(logits, target, weight=None, reduction="mean", pos_weight=None):
    """-t log p - (1 - t) log(1 - p) with p the sigmoid of the logit, for each entry by itself.

    Parameters
    ----------
    logits : array_like
    target : array_like of the shape of `logits`
        From 0 to 1.
    weight : array_like, optional
        Multiplies each loss; broadcast to the logits. The mean does not divide by it, as in torch.
    reduction : {"mean", "sum", "none"}
    pos_weight : array_like, optional
        Multiplies the part of t; broadcast to the logits.

    Returns
    -------
    float, or ndarray of the shape of `logits`

    Raises
    ------
    ValueError
        If a shape does not fit or a value is out of range.
    """
    x, t, weight, pos_weight = _check_binary(logits, target, weight, pos_weight, reduction)
    return _reduce(weight * _bce(x, t, pos_weight), reduction)


def _bce(x, t, pos_weight=1.0):
    # -log p = softplus(-x) and -log(1 - p) = softplus(x), with softplus(x) = log(1 + exp(x)) from a logaddexp
    return pos_weight * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)


def binary_cross_entropy_with_logits_grad(logits, target, weight=None, reduction="mean", pos_weight=None):
    """The gradient of `binary_cross_entropy_with_logits`: p - t where no weights are given."""
    x, t, weight, pos_weight = _check_binary(logits, target, weight, pos_weight, reduction)
    return weight * _bce_grad(x, t, pos_weight) / (x.size if reduction == "mean" else 1)


def _bce_grad(x, t, pos_weight=1.0):
    return (1 - t) * sigmoid(x) - pos_weight * t * sigmoid(-x)  # 1 - p is sigmoid(-x): no digits are lost


def focal_loss(logits, target, alpha=0.25, gamma=2.0, reduction="none"):
    """Binary cross-entropy times (1 - p_t)^gamma, p_t the probability of the truth: easy samples count less.

    Parameters
    ----------
    logits : array_like
    target : array_like of the shape of `logits`
        0 or 1.
    alpha : float
        Weight of the positives, from 0 to 1; the negatives have 1 - alpha. Below 0: no weights.
    gamma : float, at least 0
        With 0 it is the cross-entropy.
    reduction : {"none", "mean", "sum"}

    Returns
    -------
    float, or ndarray of the shape of `logits`

    Raises
    ------
    ValueError
        If a shape does not fit or a value is out of range.

    Notes
    -----
    Arguments and defaults of torchvision's sigmoid_focal_loss.
    """
    x, t, alpha_t, gamma = _check_focal(logits, target, alpha, gamma, reduction)
    return _reduce(alpha_t * _focal(x, t, gamma), reduction)


def _focal(x, t, gamma):
    z = np.where(t == 1, x, -x)  # the logit of the truth: p_t = sigmoid(z)
    return sigmoid(-z) ** gamma * np.logaddexp(0, -z)  # (1 - p_t)^gamma times -log p_t


def focal_loss_grad(logits, target, alpha=0.25, gamma=2.0, reduction="none"):
    """The gradient of `focal_loss`. "none" means that of the sum."""
    x, t, alpha_t, gamma = _check_focal(logits, target, alpha, gamma, reduction)
    return alpha_t * _focal_grad(x, t, gamma) / (x.size if reduction == "mean" else 1)


def _focal_grad(x, t, gamma):
    sign = np.where(t == 1, 1, -1)
    p, q = sigmoid(sign * x), sigmoid(-sign * x)  # p_t and 1 - p_t
    # product rule: q' = -p q, and the cross-entropy's own slope is -q
    return -sign * q**gamma * (gamma * p * np.logaddexp(0, -sign * x) + q)


# --- overlap ---------------------------------------------------------------------------------------------------------


def dice_loss(logits, target, smooth=1.0, squared=False, reduction="mean"):
    """1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth), one for each sample, p the sigmoid of the logits.

    Parameters
    ----------
    logits : (n, ...) array_like
    target : array_like of the shape of `logits`
        From 0 to 1.
    smooth : float, at least 0
        Keeps the quotient at 1 where there is no object and none is predicted.
    squared : bool
        Whether the sums below hold squares, as in V-Net.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    float, or (n,) ndarray

    Raises
    ------
    ValueError
        If a shape does not fit, a value is out of range, or nothing is above 0 and `smooth` is 0.
    """
    x, t, smooth = _check_dice(logits, target, smooth, squared, reduction)
    above, below = _dice_parts(sigmoid(x), t, smooth, squared)
    return _reduce(1 - above / below, reduction)


def _dice_parts(p, t, smooth, squared):
    size = (p**2 + t**2 if squared else p + t).sum(axis=1)
    if not (size + smooth).all():
        raise ValueError("smooth must be above 0 where a sample has no object and none is predicted")
    return 2 * (p * t).sum(axis=1) + smooth, size + smooth


def dice_loss_grad(logits, target, smooth=1.0, squared=False, reduction="mean"):
    """The gradient of `dice_loss`: through the quotient, then through the sigmoid. "none" means that of the sum."""
    x, t, smooth = _check_dice(logits, target, smooth, squared, reduction)
    grad = _dice_grad(x, t, smooth, squared).reshape(np.shape(logits))
    return grad / (len(x) if reduction == "mean" else 1)


def _dice_grad(x, t, smooth, squared):
    p, q = sigmoid(x), sigmoid(-x)  # q is 1 - p without losing digits
    above, below = (part[:, None] for part in _dice_parts(p, t, smooth, squared))
    grows = 2 * p if squared else 1  # the slope of the denominator
    return (above * grows - 2 * t * below) / below**2 * p * q


# --- checks ----------------------------------------------------------------------------------------------------------


def _reduce(losses, reduction, share=None):
    if reduction == "none":
        return losses
    total = losses.sum()
    return float(total if reduction == "sum" else total / (losses.size if share is None else share.sum()))


def _check_classes(logits, target, weight, label_smoothing, reduction):
    """The logits; the target as probabilities; the weights beside them; and what a weighted mean divides by."""
    x = check_array("logits", logits)
    if x.ndim < 2:
        raise ValueError(f"logits must have 2 or more dimensions, samples and classes first, got shape {x.shape}")
    k, target = x.shape[1], check_array("target", target)
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    smoothing = check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
    weight = np.ones(k) if weight is None else check_array("weight", weight, ndim=1)
    if len(weight) != k or (weight < 0).any():
        raise ValueError(f"weight must hold {k} numbers of at least 0, one per class")
    if target.shape == x.shape:
        if (target < 0).any() or not np.allclose(target.sum(axis=1), 1):
            raise ValueError("target must hold probabilities that add up to 1 over the classes, or class numbers")
        goal, share = target, np.ones(target[:, 0].shape)
    else:
        if target.shape != x[:, 0].shape:
            raise ValueError(f"target must have the shape {x[:, 0].shape} or that of logits, got {target.shape}")
        numbers = _check_numbers(target, k)
        goal, share = np.moveaxis(np.eye(k)[numbers], -1, 1), weight[numbers]
        if reduction == "mean" and not share.any():
            raise ValueError("weight must be above 0 for one of the classes in target, or there is no mean")
    return x, (1 - smoothing) * goal + smoothing / k, weight.reshape(-1, *[1] * (x.ndim - 2)), share


def _check_numbers(target, k):
    if not np.isin(target, np.arange(k)).all():
        raise ValueError(f"target must hold class numbers from 0 to {k - 1}")
    return target.astype(int)


def _check_pair(logits, target, reduction):
    x, t = check_array("logits", logits), check_array("target", target)
    if t.shape != x.shape:
        raise ValueError(f"target must have the shape of logits, {x.shape}, got {t.shape}")
    if (t < 0).any() or (t > 1).any():
        raise ValueError("target must hold numbers from 0 to 1")
    check_choice("reduction", reduction, ("mean", "sum", "none"))
    return x, t


def _check_binary(logits, target, weight, pos_weight, reduction):
    x, t = _check_pair(logits, target, reduction)
    weights = []
    for name, values in (("weight", weight), ("pos_weight", pos_weight)):
        values = check_array(name, 1.0 if values is None else values)
        if (values < 0).any():
            raise ValueError(f"{name} must not be negative")
        try:
            weights.append(np.broadcast_to(values, x.shape))
        except ValueError:
            raise ValueError(
                f"{name} must be broadcast to the shape of logits, {x.shape}, got {values.shape}"
            ) from None
    return x, t, *weights


def _check_focal(logits, target, alpha, gamma, reduction):
    x, t = _check_pair(logits, target, reduction)
    if not np.isin(t, (0, 1)).all():
        raise ValueError("target must hold 0 and 1 only")
    alpha, gamma = check_number("alpha", alpha, at_most=1), check_number("gamma", gamma, at_least=0)
    return x, t, np.where(t == 1, alpha, 1 - alpha) if alpha >= 0 else np.ones(t.shape), gamma


def _check_dice(logits, target, smooth, squared, reduction):
    x, t = _check_pair(logits, target, reduction)
    if x.ndim < 1:
        raise ValueError("logits must have 1 or more dimensions, samples first")
    check_choice("squared", squared, (True, False))
    smooth = check_number("smooth", smooth, at_least=0)
    return x.reshape(len(x), -1), t.reshape(len(x), -1), smooth
