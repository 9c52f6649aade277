"""AlexNet and VGG as on a whiteboard, what each layer costs, and small kernels in a row in place of large ones.

Build the networks under ``with torch.device("meta"):`` and nothing is allocated: shapes and counts are all there.

References
----------
Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NeurIPS 2012.
Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv 1404.5997, 2014: the single column
that `alexnet` builds, as torchvision does.
Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..validation import check_array, check_choice, check_integer, check_number

VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # convolutions in each stage
CHANNELS = 64, 128, 256, 512, 512  # of the stages

# --- the networks ----------------------------------------------------------------------------------------------------


def alexnet(num_classes=1000):
    """Five convolutions, three dense layers; images of 224 x 224 pixels.

    Parameters
    ----------
    num_classes : int

    Returns
    -------
    torch.nn.Sequential

    Raises
    ------
    ValueError
        If `num_classes` is no integer above 0.
    """
    num_classes = check_integer("num_classes", num_classes, at_least=1)
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),  # windows overlap
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.AdaptiveAvgPool2d(6), nn.Flatten()),
        *(nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, num_classes),
    )


def vgg(depth=16, batch_norm=False, num_classes=1000):
    """Five stages of 3 x 3 convolutions, each closed by a pooling that halves the map, and three dense layers.

    Parameters
    ----------
    depth : {11, 13, 16, 19}
        Layers with weights.
    batch_norm : bool
        Whether a batch norm follows each convolution.
    num_classes : int

    Returns
    -------
    torch.nn.Sequential

    Raises
    ------
    ValueError
        If an argument is not of this form.
    """
    check_choice("depth", depth, tuple(VGG))
    check_choice("batch_norm", batch_norm, (True, False))
    num_classes = check_integer("num_classes", num_classes, at_least=1)
    layers, inputs = [], 3
    for count, channels in zip(VGG[depth], CHANNELS, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, channels, 3, padding=1)]  # 3 x 3 with padding 1 keeps the size
            layers += [nn.BatchNorm2d(channels)] if batch_norm else []
            layers += [nn.ReLU()]
            inputs = channels
        layers += [nn.MaxPool2d(2)]
    layers += [nn.AdaptiveAvgPool2d(7), nn.Flatten()]
    layers += [nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout()]
    layers += [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, num_classes)]
    return nn.Sequential(*layers)


def local_response_norm(x, size=5, alpha=1e-4, beta=0.75, k=1.0):
    """AlexNet's norm: each value over a power of the squares at its place in the neighboring channels.

    Parameters
    ----------
    x : (N, C, ...) array_like
    size : int
        Channels in a window. The window of channel c begins at c - size // 2 and is cut off at both ends.
    alpha, beta, k : float
        The divisor is (k + alpha times the mean of the squares) ** beta; what is cut off counts as 0 in the mean.

    Returns
    -------
    ndarray of x's shape

    Raises
    ------
    ValueError
        If x has fewer than two axes, or a number is out of range.

    Notes
    -----
    As in torch, alpha multiplies the mean. In the paper it multiplies the sum.
    """
    x = check_array("x", x)
    if x.ndim < 2:
        raise ValueError(f"x must have the axes (N, C, ...), got shape {x.shape}")
    size = check_integer("size", size, at_least=1)
    alpha, beta = check_number("alpha", alpha, at_least=0), check_number("beta", beta, at_least=0)
    return _local_response_norm(x, size, alpha, beta, check_number("k", k, above=0))


def _local_response_norm(x, size, alpha, beta, k):
    before = size // 2
    padding = [(0, 0), (before, size - 1 - before)] + [(0, 0)] * (x.ndim - 2)
    squares = np.pad(x**2, padding)
    window = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha * window / size) ** beta


# --- what they cost --------------------------------------------------------------------------------------------------


class Layer(NamedTuple):
    """One layer with weights: a name such as "conv 3" or "dense 1", the shape of its output for one image, counts."""

    name: str
    shape: tuple
    parameters: int
    macs: int
    activations: int


def layer_table(net, shape=(3, 224, 224)):
    """List the convolutions and dense layers of a network with what each costs per image.

    Parameters
    ----------
    net : torch.nn.Module
        On any device; on the meta device nothing is computed.
    shape : (int, int, int)
        Of one image: channels, rows, columns.

    Returns
    -------
    list of Layer
        Multiply-adds without those of biases; activations are the numbers that the layer puts out.

    Raises
    ------
    ValueError
        If `net` is no module, or has no such layer, or `shape` is not three integers above 0.
    """
    if not isinstance(net, nn.Module):
        raise ValueError(f"net must be a torch module, got {type(net).__name__}")
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(f"shape must be (channels, rows, columns), got {shape!r}")
    sides = [check_integer("shape", side, at_least=1) for side in shape]
    found, hooks = [], []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            hooks.append(
                module.register_forward_hook(lambda module, _, out: found.append((module, tuple(out.shape[1:]))))
            )
    if not hooks:
        raise ValueError("net must have a convolution or a dense layer")
    device = next(net.parameters()).device
    training = net.training
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, *sides, device=device))
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return _named(found)


def _named(found):
    table, seen = [], {"conv": 0, "dense": 0}
    for module, shape in found:
        kind = "conv" if isinstance(module, nn.Conv2d) else "dense"
        seen[kind] += 1
        positions = shape[1] * shape[2] if kind == "conv" else 1  # every weight is used once at each of them
        table.append(
            Layer(
                name=f"{kind} {seen[kind]}",
                shape=shape,
                parameters=sum(p.numel() for p in module.parameters()),
                macs=module.weight.numel() * positions,
                activations=int(np.prod(shape)),
            )
        )
    return table


def parameter_count(net):
    """Return the number of parameters of a module, those of its norms included."""
    return sum(p.numel() for p in net.parameters())


class Stack(NamedTuple):
    """Layers of k x k in a row: the side of the field, weights, multiply-adds per output pixel, nonlinearities."""

    field: int
    weights: int
    macs: int
    relus: int


def kernel_stack(kernel, layers, channels):
    """What `layers` convolutions of stride 1 in a row see and cost, all with the same number of channels.

    Parameters
    ----------
    kernel, layers, channels : int

    Returns
    -------
    Stack
        Without biases. At stride 1 every weight is used once per output pixel, so the multiply-adds are the weights.

    Raises
    ------
    ValueError
        If an argument is no integer above 0.
    """
    kernel = check_integer("kernel", kernel, at_least=1)
    layers = check_integer("layers", layers, at_least=1)
    channels = check_integer("channels", channels, at_least=1)
    weights = layers * kernel**2 * channels**2
    return Stack(field=layers * (kernel - 1) + 1, weights=weights, macs=weights, relus=layers)
