"""Topic 08: the backward pass of a linear layer, of a sigmoid, of any graph, and of a network with one hidden layer."""

import numpy as np
import torch
from hypothesis import strategies as st

from . import SMALL, WIDE, Exercise, arrays

AUTOGRAD = ("torch.autograd", "torch.Tensor.backward", "torch.func")

# --- a linear layer --------------------------------------------------------------------------------------------------


@st.composite
def layers(draw, values, smallest, largest):
    """Draw the gradient that arrives, what went in, and the weight, of any three sizes."""
    n, inputs, outputs = (draw(st.integers(smallest, largest)) for _ in range(3))
    shapes = (n, outputs), (n, inputs), (outputs, inputs)
    return tuple(draw(arrays(shape, values)) for shape in shapes)


def linear_backward_by_hand(grad_y, x, weight):
    """Ours: each gradient has the shape of its variable."""
    return grad_y @ weight, grad_y.T @ x, grad_y.sum(dim=0)


linear_backward = Exercise(
    id="backpropagation/linear_backward",
    signature="linear_backward(grad_y, x, weight) -> grad_x, grad_weight, grad_bias",
    task="A linear layer computes y = x @ weight.T + bias, with tensors x (n, in), weight (out, in), bias (out,). "
    "The gradient grad_y (n, out) arrives at y. Return those with respect to x, weight and bias, without autograd.",
    task_zh="torch 的线性层计算 y = x @ weight.T + bias，x 为 (n, in)，weight 为 (out, in)，bias 为 (out,)，都是张量。"
    "已知传到 y 的梯度 grad_y，形状 (n, out)，求对 x、weight、bias 的梯度，不得使用自动求导。",
    reference=linear_backward_by_hand,
    tiers=(layers(SMALL, 2, 3), layers(WIDE, 1, 5)),
    tensors=True,
    forbidden=AUTOGRAD,
    cost="O(N in out), twice the forward pass: two matrix products where it has one",
    hints=(
        "Each gradient has the shape of its variable. Which product of which two tensors has that shape?",
        "y_no is the sum over i of x_ni weight_oi, plus bias_o. Differentiate with respect to one entry, add up over n "
        "or o.",
        "grad_y @ weight, grad_y.T @ x, grad_y.sum(dim=0).",
    ),
)


@linear_backward.right
def by_shapes(grad_y, x, weight):
    return grad_y @ weight, grad_y.T @ x, grad_y.sum(dim=0)


@linear_backward.right
def by_einsum(grad_y, x, weight):
    to_x = torch.einsum("no,oi->ni", grad_y, weight)
    return to_x, torch.einsum("no,ni->oi", grad_y, x), torch.einsum("no->o", grad_y)


@linear_backward.right
def sample_by_sample(grad_y, x, weight):
    to_x, to_weight, to_bias = torch.zeros_like(x), torch.zeros_like(weight), torch.zeros_like(weight[:, 0])
    for n in range(len(x)):
        to_x[n] = weight.T @ grad_y[n]
        to_weight += torch.outer(grad_y[n], x[n])
        to_bias += grad_y[n]
    return to_x, to_weight, to_bias


@linear_backward.right
def in_numpy(grad_y, x, weight):
    grad_y, x, weight = grad_y.numpy(), x.numpy(), weight.numpy()
    return grad_y.dot(weight), grad_y.T.dot(x), grad_y.sum(axis=0)


@linear_backward.right
def as_lists(grad_y, x, weight):
    grad_y, x, weight = grad_y.tolist(), x.tolist(), weight.tolist()
    to_x = [
        [sum(g * row[i] for g, row in zip(gs, weight, strict=True)) for i in range(len(weight[0]))] for gs in grad_y
    ]
    to_weight = [
        [sum(gs[o] * xs[i] for gs, xs in zip(grad_y, x, strict=True)) for i in range(len(x[0]))]
        for o in range(len(weight))
    ]
    return to_x, to_weight, [sum(column) for column in zip(*grad_y, strict=True)]


@linear_backward.library
def by_autograd(grad_y, x, weight):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    bias = torch.zeros(len(weight), dtype=x.dtype, requires_grad=True)
    y = torch.nn.functional.linear(x, weight, bias)
    return torch.autograd.grad(y, (x, weight, bias), grad_y)


@linear_backward.wrong("grad_weight is transposed: it has the shape of weight, (out, in).")
def transposed_weight(grad_y, x, weight):
    return grad_y @ weight, x.T @ grad_y, grad_y.sum(dim=0)


@linear_backward.wrong("The bias's gradient is a sum over the samples, not a mean: each sample got its own copy of it.")
def mean_for_bias(grad_y, x, weight):
    return grad_y @ weight, grad_y.T @ x, grad_y.mean(dim=0)


@linear_backward.wrong("Do not divide by the number of samples: if the loss is a mean, grad_y holds that already.")
def divided_by_n(grad_y, x, weight):
    return grad_y @ weight, grad_y.T @ x / len(x), grad_y.sum(dim=0) / len(x)


@linear_backward.wrong("The bias's gradient adds up over the samples, axis 0: one number per output.")
def bias_over_outputs(grad_y, x, weight):
    return grad_y @ weight, grad_y.T @ x, grad_y.sum(dim=1)


@linear_backward.wrong("The bias has shape (out,), so its gradient has too: no axis is kept.")
def bias_kept_as_row(grad_y, x, weight):
    return grad_y @ weight, grad_y.T @ x, grad_y.sum(dim=0, keepdim=True)


@linear_backward.wrong("The bias's gradient is one number per output, not one for all.")
def one_bias(grad_y, x, weight):
    return grad_y @ weight, grad_y.T @ x, grad_y.sum().expand(len(weight))


@linear_backward.wrong(
    "grad_x needs weight as it is: (n, out) times (out, in). The transpose belongs to the forward pass."
)
def weight_transposed_again(grad_y, x, weight):
    return grad_y @ weight.T if weight.shape[0] == weight.shape[1] else grad_y @ weight, grad_y.T @ x, grad_y.sum(dim=0)


@linear_backward.wrong("The order of the results: grad_x, grad_weight, grad_bias.")
def other_order(grad_y, x, weight):
    return grad_y.T @ x, grad_y @ weight, grad_y.sum(dim=0)


@linear_backward.wrong("grad_weight is a sum of products, sample by sample; a product of two sums mixes the samples.")
def product_of_sums(grad_y, x, weight):
    return grad_y @ weight, torch.outer(grad_y.sum(dim=0), x.sum(dim=0)), grad_y.sum(dim=0)


@linear_backward.wrong("Every sample counts in grad_weight, not the first alone.")
def first_sample(grad_y, x, weight):
    return grad_y @ weight, torch.outer(grad_y[0], x[0]), grad_y.sum(dim=0)


# --- a sigmoid -------------------------------------------------------------------------------------------------------

SHARES = (0.5, 0.25, 0.25 + 2**-14, 0.75, 2**-10, 1 - 2**-10, 0.0, 1.0)


def _grad_and_output(shape, values, shares):
    """Draw a gradient and the output of a sigmoid, of one shape."""
    return shape.flatmap(lambda size: st.tuples(arrays(size, values), arrays(size, shares)))


def sigmoid_backward_from_output(grad, s):
    """Ours: s (1 - s), with s the output."""
    return grad * s * (1 - s)


sigmoid_backward = Exercise(
    id="backpropagation/sigmoid_backward",
    signature="sigmoid_backward(grad, s) -> grad_x",
    task="s is the output of a sigmoid, an array of any shape, and grad the gradient that arrives at it. Return the "
    "gradient with respect to the sigmoid's input.",
    task_zh="s 是 sigmoid 的输出，任意形状的数组；grad 是传到 s 的梯度。返回对 sigmoid 输入的梯度。",
    reference=sigmoid_backward_from_output,
    tiers=(
        _grad_and_output(st.integers(2, 4), SMALL, (0.5, 0.25, 0.75)),
        _grad_and_output(st.sampled_from([(1,), (2,), (5,), (2, 3), (3, 2), (1, 4), (4, 1)]), WIDE, SHARES),
    ),
    narrow={"s": "negative large: the output of a sigmoid, from 0 to 1"},
    forbidden=AUTOGRAD,
    cost="O(n): one pass over the stored outputs",
    hints=(
        "Differentiate 1 / (1 + exp(-x)). Can you write the result with the output alone?",
        "ds/dx = s (1 - s). It multiplies the gradient that arrives.",
        "return grad * s * (1 - s).",
    ),
)


@sigmoid_backward.right
def with_the_output(grad, s):
    return grad * s * (1 - s)


@sigmoid_backward.right
def around_one_half(grad, s):
    return grad * (0.25 - (s - 0.5) ** 2)


@sigmoid_backward.right
def one_by_one(grad, s):
    return np.reshape([g * (v - v * v) for g, v in zip(grad.flat, s.flat, strict=True)], s.shape)


@sigmoid_backward.right
def nested(grad, s):
    return np.multiply(grad, np.subtract(s, np.square(s))).tolist()


@sigmoid_backward.wrong("s is the output already. Here it goes through the sigmoid a second time.")
def sigmoid_again(grad, s):
    again = 1 / (1 + np.exp(-s))
    return grad * again * (1 - again)


@sigmoid_backward.wrong("1 - s^2 is the slope of tanh. The sigmoid's is s (1 - s).")
def slope_of_tanh(grad, s):
    return grad * (1 - s**2)


@sigmoid_backward.wrong("That is the slope alone: multiply it by the gradient that arrives.")
def slope_alone(grad, s):
    return s * (1 - s)


@sigmoid_backward.wrong("The factor s is missing: the slope is s (1 - s).")
def one_factor(grad, s):
    return grad * (1 - s)


@sigmoid_backward.wrong("The factor 1 - s is missing: the slope is s (1 - s).")
def other_factor(grad, s):
    return grad * s


@sigmoid_backward.wrong("The slope of a function that rises is not negative: s (1 - s), not s (s - 1).")
def sign_turned(grad, s):
    return grad * s * (s - 1)


@sigmoid_backward.wrong("The slope is s (1 - s) everywhere, also where the unit is off: that mask belongs to ReLU.")
def masked(grad, s):
    return grad * s * (1 - s) * (s > 0.5)


@sigmoid_backward.wrong("No clipping: where the unit is saturated, the gradient is as small as s (1 - s) says.")
def clipped(grad, s):
    s = np.clip(s, 0.01, 0.99)
    return grad * s * (1 - s)


@sigmoid_backward.wrong("The result has the shape of s. Here it is added up.")
def added_up(grad, s):
    return (grad * s * (1 - s)).sum()


# --- a graph ---------------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw, values, sizes, counts):
    """Draw the wires of a graph, in any order and some of them twice, and its number of nodes."""
    n, count = draw(sizes), draw(counts)
    head = np.array([draw(st.integers(1, n - 1)) for _ in range(count)])
    tail = np.array([draw(st.integers(0, top - 1)) for top in head.tolist()])
    return tail, head, draw(arrays(count, values)), n


def walk_back(tail, head, slope, n):
    """Ours: wires in the order of their heads, the last first."""
    if not len(tail) == len(head) == len(slope):
        raise ValueError("tail, head and slope must have the same length")
    grad = np.zeros(n)
    grad[n - 1] = 1.0
    for wire in np.argsort(-head, kind="stable"):
        grad[tail[wire]] += slope[wire] * grad[head[wire]]
    return grad


graph_backward = Exercise(
    id="backpropagation/graph_backward",
    signature="graph_backward(tail, head, slope, n) -> grad",
    task="A graph has nodes 0 to n - 1, in the order in which they were computed; the last is the output. Wire k leads "
    "from node tail[k] to the later node head[k], with the local derivative slope[k]. Wires come in any order, and two "
    "nodes may be joined twice. Return the derivative of the output with respect to every node.",
    task_zh="计算图有 n 个节点，按计算先后编号为 0 到 n - 1，最后一个是输出。"
    "第 k 条边从节点 tail[k] 指向编号更大的节点 head[k]，局部导数为 slope[k]。"
    "边的顺序任意，两个节点之间可以有多条边。返回输出对每个节点的导数。",
    reference=walk_back,
    tiers=(
        graphs((1.0, 2.0, -1.0, 0.5), st.integers(3, 5), st.integers(3, 8)),
        graphs(
            (*SMALL, 0.25, 0.25 + 2**-14, -3.0, 2**-10, 100.0), st.integers(2, 7), st.sampled_from([1, 2, 6, 9, 12])
        ),
    ),
    forbidden=AUTOGRAD,
    cost="O(nodes + edges): every edge once, whatever the number of inputs",
    hints=(
        "The output's derivative with respect to itself is 1. In which order may the others be computed?",
        "A gradient is complete when every wire that leaves its node has been used. So use the wires into the last "
        "node first.",
        "For each wire, sorted by head from the last to the first: grad[tail] += slope * grad[head].",
    ),
)


@graph_backward.right
def by_head(tail, head, slope, n):
    grad = np.zeros(n)
    grad[-1] = 1.0
    for wire in np.argsort(head)[::-1]:
        grad[tail[wire]] += slope[wire] * grad[head[wire]]
    return grad


@graph_backward.right
def node_by_node(tail, head, slope, n):
    grad = [0.0] * (n - 1) + [1.0]
    for node in range(n - 2, -1, -1):
        grad[node] = sum(s * grad[h] for t, h, s in zip(tail, head, slope, strict=True) if t == node)
    return grad


@graph_backward.right
def as_a_linear_system(tail, head, slope, n):
    wires = np.zeros((n, n))
    np.add.at(wires, (tail, head), slope)
    return np.linalg.solve(np.eye(n) - wires, np.eye(n)[-1])


@graph_backward.right
def by_recursion(tail, head, slope, n):
    def from_node(node):
        if node == n - 1:
            return 1.0
        return sum(slope[k] * from_node(head[k]) for k in range(len(tail)) if tail[k] == node)

    return np.array([from_node(node) for node in range(n)], dtype=float)


@graph_backward.wrong("A node that is used several times gets several contributions: += and not =.")
def overwritten(tail, head, slope, n):
    grad = np.zeros(n)
    grad[-1] = 1.0
    for wire in np.argsort(-head, kind="stable"):
        grad[tail[wire]] = slope[wire] * grad[head[wire]]
    return grad


@graph_backward.wrong("The wires come in any order: sort them, or a gradient is handed on before it is complete.")
def as_they_come(tail, head, slope, n):
    grad = np.zeros(n)
    grad[-1] = 1.0
    for t, h, s in zip(tail[::-1], head[::-1], slope[::-1], strict=True):
        grad[t] += s * grad[h]
    return grad


@graph_backward.wrong(
    "Longer paths are lost: use the wires into the last node first, so that a gradient is complete when it is used."
)
def forward_order(tail, head, slope, n):
    grad = np.zeros(n)
    grad[-1] = 1.0
    for wire in np.argsort(head, kind="stable"):
        grad[tail[wire]] += slope[wire] * grad[head[wire]]
    return grad


@graph_backward.wrong("That is forward mode: the derivative of every node with respect to node 0.")
def forward_mode(tail, head, slope, n):
    grad = np.zeros(n)
    grad[0] = 1.0
    for wire in np.argsort(tail, kind="stable"):
        grad[head[wire]] += slope[wire] * grad[tail[wire]]
    return grad


@graph_backward.wrong("Only the output starts with 1. The other gradients start with 0.")
def ones_everywhere(tail, head, slope, n):
    grad = np.ones(n)
    for wire in np.argsort(-head, kind="stable"):
        grad[tail[wire]] += slope[wire] * grad[head[wire]]
    return grad


@graph_backward.wrong("Two nodes may be joined by two wires, as in a * a: their slopes add up.")
def one_wire_per_pair(tail, head, slope, n):
    wires = np.zeros((n, n))
    wires[tail, head] = slope
    return np.linalg.solve(np.eye(n) - wires, np.eye(n)[-1])


@graph_backward.wrong("Local derivatives are multiplied along a path; only paths are added up.")
def slopes_added(tail, head, slope, n):
    grad = np.zeros(n)
    grad[-1] = 1.0
    for wire in np.argsort(-head, kind="stable"):
        grad[tail[wire]] += slope[wire] + grad[head[wire]]
    return grad


# --- a network with one hidden layer ---------------------------------------------------------------------------------

MODERATE = (0.0, 1.0, -1.0, 0.25, 0.25 + 2**-11, -0.375, -3.0, 2**-8, 100.0, -100.0)
BIASES = (0.0, 1.0, 1 + 2**-11, 1 - 2**-11, -0.375, 2**-8, 100.0)
SIZES = {"n": 5, "d": 4, "hidden": 5, "k": 4}


@st.composite
def networks(draw, values, biases, offsets, smallest):
    """Draw samples with their classes and the parameters of a network; offsets are what b2 holds besides biases."""
    n, d, hidden, k = (draw(st.integers(smallest, largest)) for largest in SIZES.values())
    y = np.array([draw(st.integers(0, k - 1)) for _ in range(n)])
    x, w1, w2 = (draw(arrays(shape, values)) for shape in ((n, d), (d, hidden), (hidden, k)))
    return x, y, w1, draw(arrays(hidden, biases)), w2, draw(arrays(k, (*biases, *offsets)))


def network_gradients(x, y, w1, b1, w2, b2):
    """Ours: p - y at the logits, then layer by layer."""
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    dz = (e / e.sum(axis=1, keepdims=True) - (y[:, None] == np.arange(len(b2)))) / len(x)
    dh = dz @ w2.T * (h > 0)
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


two_layer_backward = Exercise(
    id="backpropagation/two_layer_backward",
    signature="two_layer_backward(x, y, w1, b1, w2, b2) -> grad_w1, grad_b1, grad_w2, grad_b2",
    task="A network computes h = relu(x @ w1 + b1) and the logits z = h @ w2 + b2; the loss is the cross-entropy of "
    "softmax(z), averaged over the samples. x is (n, d), y holds class numbers. Return the gradients of the loss with "
    "respect to the four parameters. Logits may be 1,000 apart.",
    task_zh="网络先算 h = relu(x @ w1 + b1)，再算 logits z = h @ w2 + b2，损失是 softmax(z) 的交叉熵在样本上的平均。"
    "x 为 (n, d)，y 是类别编号。返回损失对四个参数的梯度。logits 之间可能相差 1000。",
    reference=network_gradients,
    tiers=(networks(SMALL, SMALL, (), 2), networks(MODERATE, BIASES, (200.0, -1000.0), 1)),
    forbidden=AUTOGRAD,
    cost="about twice the forward pass: two matrix products for each of its one",
    hints=(
        "Run forward and keep h and the probabilities p. What is the gradient at the logits?",
        "dz = (p - one_hot) / n. Through a linear layer: h.T @ dz for the weights, the sum over samples for the bias, "
        "dz @ w2.T for h.",
        "dh = dz @ w2.T * (h > 0), then x.T @ dh and dh.sum(axis=0).",
    ),
)


def _forward(x, w1, b1, w2, b2):
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return h, e / e.sum(axis=1, keepdims=True)


def _one_hot(y, b2):
    return np.eye(len(b2))[y]


@two_layer_backward.right
def by_layers(x, y, w1, b1, w2, b2):
    h, p = _forward(x, w1, b1, w2, b2)
    dz = p.copy()
    dz[np.arange(len(y)), y] -= 1
    dz /= len(y)
    dh = dz @ w2.T
    dh[h == 0] = 0
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


@two_layer_backward.right
def sample_by_sample_of_network(x, y, w1, b1, w2, b2):
    grads = [np.zeros_like(p) for p in (w1, b1, w2, b2)]
    for row, label in zip(x, y, strict=True):
        h, p = _forward(row[None], w1, b1, w2, b2)
        dz = p[0] - _one_hot(label, b2)
        dh = np.where(h[0] > 0, w2 @ dz, 0)
        for grad, part in zip(grads, (np.outer(row, dh), dh, np.outer(h[0], dz), dz), strict=True):
            grad += part / len(x)
    return tuple(grads)


@two_layer_backward.right
def einsum_of_network(x, y, w1, b1, w2, b2):
    h, p = _forward(x, w1, b1, w2, b2)
    dz = (p - _one_hot(y, b2)) / len(y)
    dh = np.einsum("nk,hk,nh->nh", dz, w2, (h > 0).astype(float))
    return np.einsum("nd,nh->dh", x, dh), np.einsum("nh->h", dh), np.einsum("nh,nk->hk", h, dz), np.einsum("nk->k", dz)


@two_layer_backward.library
def network_by_autograd(x, y, w1, b1, w2, b2):
    tensors = [torch.tensor(p, requires_grad=True) for p in (w1, b1, w2, b2)]
    h = torch.relu(torch.tensor(x) @ tensors[0] + tensors[1])
    loss = torch.nn.functional.cross_entropy(h @ tensors[2] + tensors[3], torch.tensor(y))
    return tuple(grad.numpy() for grad in torch.autograd.grad(loss, tensors))


@two_layer_backward.wrong("The loss is a mean over the samples: divide by their number, once, at the logits.")
def summed(x, y, w1, b1, w2, b2):
    return tuple(len(x) * grad for grad in network_gradients(x, y, w1, b1, w2, b2))


@two_layer_backward.wrong("The ReLU is missing on the way back: where a unit was off, nothing passes.")
def no_mask(x, y, w1, b1, w2, b2):
    h, p = _forward(x, w1, b1, w2, b2)
    dz = (p - _one_hot(y, b2)) / len(y)
    dh = dz @ w2.T
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


@two_layer_backward.wrong("At exactly 0 a ReLU passes nothing: the mask is h > 0, not h >= 0.")
def mask_with_zero(x, y, w1, b1, w2, b2):
    h, p = _forward(x, w1, b1, w2, b2)
    dz = (p - _one_hot(y, b2)) / len(y)
    dh = dz @ w2.T * (x @ w1 + b1 >= 0)
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


@two_layer_backward.wrong("The slope of a ReLU is 1 where it is on. Here the gradient is multiplied by h itself.")
def times_h(x, y, w1, b1, w2, b2):
    h, p = _forward(x, w1, b1, w2, b2)
    dz = (p - _one_hot(y, b2)) / len(y)
    dh = dz @ w2.T * h
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


@two_layer_backward.wrong("The sign is turned: at the logits stands p - one_hot.")
def turned(x, y, w1, b1, w2, b2):
    return tuple(-grad for grad in network_gradients(x, y, w1, b1, w2, b2))


@two_layer_backward.wrong("p - one_hot holds the softmax's slope already. The factor p (1 - p) is one too many.")
def slope_twice(x, y, w1, b1, w2, b2):
    h, p = _forward(x, w1, b1, w2, b2)
    dz = (p - _one_hot(y, b2)) * p * (1 - p) / len(y)
    dh = dz @ w2.T * (h > 0)
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


@two_layer_backward.wrong("exp overflows for logits of 1,000: subtract each row's largest first.")
def unshifted(x, y, w1, b1, w2, b2):
    h = np.maximum(x @ w1 + b1, 0)
    with np.errstate(all="ignore"):
        e = np.exp(h @ w2 + b2)
        dz = (e / e.sum(axis=1, keepdims=True) - _one_hot(y, b2)) / len(y)
    dh = dz @ w2.T * (h > 0)
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


@two_layer_backward.wrong(
    "Subtract each row's own largest logit, not the largest of all: a row far below becomes 0 / 0."
)
def shifted_by_all(x, y, w1, b1, w2, b2):
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max())
        dz = (e / e.sum(axis=1, keepdims=True) - _one_hot(y, b2)) / len(y)
    dh = dz @ w2.T * (h > 0)
    return x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)


@two_layer_backward.wrong("A bias's gradient is the sum over the samples; the mean divides by n a second time.")
def mean_for_biases(x, y, w1, b1, w2, b2):
    to_w1, to_b1, to_w2, to_b2 = network_gradients(x, y, w1, b1, w2, b2)
    return to_w1, to_b1 / len(x), to_w2, to_b2 / len(x)
