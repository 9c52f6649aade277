"""Topic 09: convolution of 64 x 64 x 56 x 56 pixels against torch, both in float64 and on one thread."""

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits

from helpers.algorithms import convolution

from .row import Row, ratio


def rows():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(64, 64, 56, 56)), rng.normal(size=(64, 64, 3, 3))
    tensors = torch.from_numpy(x), torch.from_numpy(weight)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        value = ratio(lambda: convolution.conv2d(x, weight, padding=1), lambda: F.conv2d(*tensors, padding=1), repeat=3)
    torch.set_num_threads(threads)
    yield Row("conv2d of 64 x 64 x 56 x 56 by 3 x 3, time over torch on one thread", value, 5)
