"""Receptive fields: how far a unit can see, by counting, and how much of that it uses, by the gradient.

References
----------
Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks" (Distill 2019). Luo, Li, Urtasun
and Zemel, "Understanding the effective receptive field in deep convolutional neural networks" (NeurIPS 2016).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from ..validation import check_array, check_choice, check_integer, check_number, check_random_state

ACTIVATIONS = {"none": nn.Identity, "ReLU": nn.ReLU, "tanh": nn.Tanh}


class Layer(NamedTuple):
    """A convolution or a pooling along one side: both look through a window.

    Attributes
    ----------
    kernel, stride, padding, dilation : int
        In cells of the layer's own input.
    name : str
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    name: str = ""


class Field(NamedTuple):
    """What the units of one layer see, along one side of the input.

    Attributes
    ----------
    size : int
        Pixels from the first to the last that can reach a unit.
    jump : int
        Pixels from one unit's field to the next one's: the product of the strides so far.
    start : int
        First pixel of the field of unit 0; negative where it lies in the padding.
    output : int
        Number of units.
    """

    size: int
    jump: int
    start: int
    output: int

    def of_unit(self, unit):
        """Return the first and the last pixel that can reach `unit`; either may lie outside the image."""
        first = self.start + check_integer("unit", unit, at_least=0, at_most=self.output - 1) * self.jump
        return first, first + self.size - 1


# --- by counting -----------------------------------------------------------------------------------------------------


def receptive_field(layers, input_size=224):
    """Return the theoretical receptive field of the units of each layer.

    Parameters
    ----------
    layers : sequence of Layer
        In order. Layers that look at one cell (activations, batch normalization, 1 x 1 convolutions of stride 1) change
        nothing and may be left out.
    input_size : int
        Pixels along the side.

    Returns
    -------
    list of Field
        One per layer.

    Raises
    ------
    ValueError
        If there is no layer, a number is out of range, or a kernel is larger than its padded input.
    """
    layers = check_layers(layers)
    fields = _receptive_field(layers, check_integer("input_size", input_size, at_least=1))
    for number, (layer, field) in enumerate(zip(layers, fields, strict=True)):
        if field.output < 1:
            raise ValueError(f"input_size {input_size} is too small: layer {number}, {layer}, has no output")
    return fields


def _receptive_field(layers, output):
    fields = []
    size, jump, start = 1, 1, 0  # a pixel sees itself
    for kernel, stride, padding, dilation, _ in layers:
        extent = dilation * (kernel - 1) + 1
        size += (extent - 1) * jump  # neighboring cells of this layer's input lie `jump` pixels apart
        start -= padding * jump
        jump *= stride  # after `size`: a stride counts for later layers only
        output = (output + 2 * padding - extent) // stride + 1
        fields.append(Field(size, jump, start, output))
    return fields


def reaching(layers, unit):
    """Return, layer by layer down to the pixels, the indices that reach `unit` of the last layer.

    Parameters
    ----------
    layers : sequence of Layer
    unit : int

    Returns
    -------
    list of (n,) ndarray of int
        Entry 0 holds pixels, entry l the units of layer l; the last one holds `unit` alone. Indices below 0 or above
        the size lie in the padding.

    Raises
    ------
    ValueError
        As `receptive_field`, or if `unit` is no integer of at least 0.
    """
    found = [np.array([check_integer("unit", unit, at_least=0)])]
    for kernel, stride, padding, dilation, _ in reversed(check_layers(layers)):
        taps = dilation * np.arange(kernel) - padding
        found.append(np.unique(found[-1][:, None] * stride + taps))
    return found[::-1]


def check_layers(layers):
    """Return `layers` as a list of Layer, each number checked."""
    try:
        layers = [Layer(*layer) for layer in layers]
    except TypeError:
        raise ValueError("layers must be a sequence of Layer(kernel, stride, padding, dilation)") from None
    if not layers:
        raise ValueError("layers is empty")
    for number, layer in enumerate(layers):
        for name, lowest in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            check_integer(f"layers: {name} of layer {number}", getattr(layer, name), at_least=lowest)
    return layers


# --- published networks ----------------------------------------------------------------------------------------------


def alexnet():
    """Return AlexNet's layers up to pool5 (Krizhevsky et al. 2012, with the padding of torchvision)."""
    pool = Layer(3, 2, name="pool")
    convolutions = [Layer(11, 4, 2, name="conv"), pool, Layer(5, 1, 2, name="conv"), pool]
    return [*convolutions, *[Layer(3, 1, 1, name="conv")] * 3, pool]


def vgg16():
    """Return VGG-16's layers up to pool5 (Simonyan and Zisserman 2015)."""
    convolution, pool = Layer(3, 1, 1, name="conv"), Layer(2, 2, name="pool")
    return [layer for depth in (2, 2, 3, 3, 3) for layer in [*[convolution] * depth, pool]]


def resnet50(layout="torchvision"):
    """Return ResNet-50's layers with a window, on the longest path: 1 x 1 convolutions of stride 1 are left out.

    Parameters
    ----------
    layout : {"torchvision", "tf-slim", "paper"}
        Where a stage is subsampled. torchvision: in the 3 x 3 of the first block of stages 2 to 4. tf-slim: in the
        3 x 3 of the last block of stages 1 to 3. paper (He et al. 2016): in the first 1 x 1 of the first block.
    """
    check_choice("layout", layout, ("torchvision", "tf-slim", "paper"))
    layers = [Layer(7, 2, 3, name="conv"), Layer(3, 2, 1, name="pool")]
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        strides = [1] * blocks
        if layout == "torchvision" and stage > 1:
            strides[0] = 2
        if layout == "tf-slim" and stage < 4:
            strides[-1] = 2
        if layout == "paper" and stage > 1:
            layers.append(Layer(1, 2, name="conv"))
        layers += [Layer(3, stride, 1, name="conv") for stride in strides]
    return layers


# --- by the gradient -------------------------------------------------------------------------------------------------


def gradient_reach(layers, input_size, unit):
    """Return which pixels along a side reach `unit` of the last layer, asked of autograd.

    All weights are 1, so that nothing cancels; a pooling is taken as a sum, for a maximum would follow one path.

    Parameters
    ----------
    layers : sequence of Layer
    input_size, unit : int

    Returns
    -------
    (input_size,) ndarray of bool

    Raises
    ------
    ValueError
        As `receptive_field`, or if there is no such unit.
    """
    last = receptive_field(layers, input_size)[-1]
    check_integer("unit", unit, at_least=0, at_most=last.output - 1)
    x = torch.zeros(1, 1, input_size, dtype=torch.float64, requires_grad=True)
    out = x
    for kernel, stride, padding, dilation, _ in check_layers(layers):
        weight = torch.ones(1, 1, kernel, dtype=torch.float64)
        out = nn.functional.conv1d(out, weight, None, stride, padding, dilation)
    (gradient,) = torch.autograd.grad(out[0, 0, unit], x)
    return gradient[0, 0].numpy() > 0


def effective_receptive_field(module, input_size, *, samples=1, random_state=0, images=None):
    """Return how strongly each pixel moves the center output: the mean size of its gradient.

    Parameters
    ----------
    module : torch.nn.Module
        Takes (N, C, H, W) and returns (N, O, H', W').
    input_size : (C, H, W)
    samples : int
        How many standard normal inputs the mean is taken over. The gradient of a linear module does not depend on them.
    random_state : int or numpy.random.Generator
    images : (N, C, H, W) array_like, optional
        Inputs in place of the random ones.

    Returns
    -------
    (H, W) ndarray
        Absolute gradients, summed over the input's channels and scaled to sum 1.

    Raises
    ------
    ValueError
        If an argument is malformed, or no gradient reaches the input.
    """
    if not isinstance(module, nn.Module):
        raise ValueError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    try:
        shape = tuple(check_integer("input_size", side, at_least=1) for side in input_size)
    except TypeError:
        shape = ()
    if len(shape) != 3:
        raise ValueError(f"input_size must be (channels, height, width), got {input_size!r}")
    if images is None:
        samples = check_integer("samples", samples, at_least=1)
        images = check_random_state(random_state).standard_normal((samples, *shape))
    images = check_array("images", images, ndim=4)
    if images.shape[1:] != shape:
        raise ValueError(f"images must have shape (N, {', '.join(map(str, shape))}), got {images.shape}")
    kind = next((parameter.dtype for parameter in module.parameters()), torch.float64)
    field = _center_gradient(module, torch.as_tensor(images, dtype=kind))
    if not field.sum() > 0:
        raise ValueError("module passes no gradient from its center output to these images")
    return field / field.sum()


def _center_gradient(module, images):
    x = images.clone().requires_grad_()
    out = module(x)
    height, width = out.shape[2:]
    center = out[:, :, height // 2, width // 2].sum()  # images do not mix, so one sum serves them all
    (gradient,) = torch.autograd.grad(center, x)
    return gradient.abs().mean(dim=0).sum(dim=0).double().numpy()


def area_holding(erf, share):
    """Return the smallest number of pixels that together hold `share` of the field.

    Parameters
    ----------
    erf : array_like
        At least 0 everywhere, not 0 everywhere.
    share : float in (0, 1]

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If an argument is malformed or out of range.
    """
    erf, share = check_array("erf", erf), check_number("share", share, above=0, at_most=1)
    if erf.min() < 0 or erf.max() == 0:
        raise ValueError("erf must be at least 0 everywhere and above 0 somewhere")
    held = np.sort(erf.ravel())[::-1].cumsum()  # the strongest pixels first
    return int((held < share * held[-1] * (1 - 1e-12)).sum()) + 1  # a little less: sums are rounded


class Stack(nn.Module):
    """Convolutions of stride 1 without padding: on an input as large as its field it has one output.

    Parameters
    ----------
    depth, kernel : int
        `kernel` is odd if the stack is residual.
    channels : int
        Of the input and of every layer.
    activation : {"none", "ReLU", "tanh"}
        After every convolution.
    residual : bool
        Each layer adds its input, cut to the size of its output.
    random_state : int
        Weights are normal; their variance keeps the size of what passes through: 1 / inputs, doubled before a ReLU.
    """

    def __init__(self, depth, kernel=3, channels=4, activation="none", residual=False, random_state=0):
        super().__init__()
        for name, value in (("depth", depth), ("kernel", kernel), ("channels", channels)):
            check_integer(name, value, at_least=1)
        check_choice("activation", activation, ACTIVATIONS)
        if residual and kernel % 2 == 0:
            raise ValueError(f"kernel must be odd in a residual stack, got {kernel}")
        generator = torch.Generator().manual_seed(check_integer("random_state", random_state, at_least=0))
        self.field = depth * (kernel - 1) + 1
        self.margin = (kernel - 1) // 2 if residual else None
        self.activate = ACTIVATIONS[activation]()
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, kernel, bias=False) for _ in range(depth))
        gain = 2 if activation == "ReLU" else 1
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=(gain / layer.weight[0].numel()) ** 0.5, generator=generator)

    def forward(self, x):
        """Map (N, channels, H, W) to (N, channels, H - field + 1, W - field + 1)."""
        for layer in self.layers:
            out = self.activate(layer(x))
            if self.margin:
                m = self.margin
                out = out + x[:, :, m:-m, m:-m]
            elif self.margin == 0:  # a residual 1 x 1 has nothing to cut
                out = out + x
            x = out
        return x
