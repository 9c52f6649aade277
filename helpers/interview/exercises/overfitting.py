"""Topic 07: dropout that needs nothing at test time, when to stop, and how much of an error is bias."""

import math

import numpy as np
import torch
from hypothesis import strategies as st

from ...algorithms.overfitting import EarlyStopping, _bias_variance
from . import SMALL, WIDE, Exercise, arrays

# --- dropout ---------------------------------------------------------------------------------------------------------

SHAPES = st.sampled_from([(1,), (3,), (6,), (1, 4), (2, 3), (3, 2), (4, 1), (5, 3), (2, 3, 2)])
DRAWS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.501, 0.625, 0.75, 0.99, 0.995, 0.999, 2**-10)


@st.composite
def activations(draw, values, shapes, rates):
    """Draw activations, a rate, and uniform draws of which some equal the rate."""
    shape = draw(shapes)
    return draw(arrays(shape, values)), draw(st.sampled_from(rates)), draw(arrays(shape, DRAWS))


def inverted_dropout(x, p, u):
    """Ours: kept where u is not below p."""
    return x * (u >= p) / (1 - p) if p < 1 else x * 0.0


dropout = Exercise(
    id="overfitting/dropout",
    signature="dropout(x, p, u) -> y",
    task="Inverted dropout in training: drop the entries of x where u < p, u being uniform draws from 0 to 1, and "
    "scale what stays so that the expectation is x. p may be 0 and 1. x and u are tensors of one shape; the gradient "
    "with respect to x is compared too.",
    task_zh="训练阶段的 inverted dropout：u 是 [0, 1) 上的均匀随机数，u < p 处置零，"
    "其余按比例放大，使期望仍等于 x。p 可以取 0 和 1。x 和 u 是同形状的张量，还会比较对 x 的梯度。",
    reference=inverted_dropout,
    tiers=(
        activations(SMALL, st.sampled_from([(2,), (3,), (2, 2)]), (0.5, 0.25)),
        activations(WIDE, SHAPES, (0.0, 0.125, 0.25, 0.5, 0.75, 0.99, 1.0)),
    ),
    tensors=True,
    gradient=("x",),
    forbidden=("torch.nn.functional", "torch.nn.Dropout", "torch.dropout"),
    narrow={"u": "negative large: draws from 0 to 1"},
    cost="O(n): one comparison and one product an entry; a mask of n bits kept for the way back",
    hints=(
        "Which share of the entries stays on average? By what must you multiply so that the mean is the same?",
        "mask = u >= p, and 1 / (1 - p). What happens to the division at p = 1?",
        "return x * 0.0 if p == 1 else x * (u >= p) / (1 - p).",
    ),
)


@dropout.right
def masked(x, p, u):
    if p == 1:
        return x * 0.0
    return x * (u >= p).to(x.dtype) / (1 - p)


@dropout.right
def by_where(x, p, u):
    return torch.where(u < p, torch.zeros_like(x), x / max(1 - p, 1e-300))


@dropout.right
def filled(x, p, u):
    keep = 1.0 - p
    return (x * (1.0 / keep if keep else 0.0)).masked_fill(u < p, 0.0)


@dropout.right
def one_by_one(x, p, u):
    kept = [a / (1 - p) if float(b) >= p and p < 1 else a * 0 for a, b in zip(x.flatten(), u.flatten(), strict=True)]
    return torch.stack(kept).reshape(x.shape)


@dropout.wrong("What stays must be divided by 1 - p: otherwise the expectation is (1 - p) x.")
def not_scaled(x, p, u):
    return x * (u >= p)


@dropout.wrong("p is the probability of dropping, not of keeping.")
def keeps_p(x, p, u):
    return x * (u < p) / p if p > 0 else x * 0.0


@dropout.wrong("Divide by 1 - p, the share that stays, not by p.")
def divided_by_p(x, p, u):
    return x * (u >= p) / p if p > 0 else x


@dropout.wrong("Multiplying by 1 - p is what the first paper does at test time. Inverted dropout divides, in training.")
def multiplied(x, p, u):
    return x * (u >= p) * (1 - p)


@dropout.wrong("At p = 1 this is 0 / 0. Everything is dropped: return zeros.")
def nothing_at_one(x, p, u):
    return x * (u >= p) / torch.tensor(1 - p, dtype=x.dtype)


@dropout.wrong(
    "Scale by the probability 1 - p, not by the share that happened to stay: that makes entries depend on each other."
)
def by_the_share_kept(x, p, u):
    mask = (u >= p).to(x.dtype)
    return x * mask / mask.mean().clamp(min=1e-9)


@dropout.wrong("One draw for each entry: a whole row is not dropped at once.")
def row_by_row(x, p, u):
    first = u[..., :1]
    return x * (first >= p) / (1 - p) if p < 1 else x * 0.0


@dropout.wrong("At p = 1 return zeros; an epsilon in the divisor changes the scale at every other p.")
def epsilon_below(x, p, u):
    return x * (u >= p) / (1 - p + 1e-7)


@dropout.wrong("The value is right, but the result is cut off from x: no gradient flows.")
def detached(x, p, u):
    return inverted_dropout(x.detach(), p, u) + 0 * x


@dropout.wrong("The gradient must be scaled and masked as the value is: straight through is something else.")
def straight_through(x, p, u):
    return x + (inverted_dropout(x, p, u) - x).detach()


@dropout.wrong("Dropped is what lies below p: at u equal to p the entry stays.")
def at_the_edge(x, p, u):
    return x * (u > p) / (1 - p) if p < 1 else x * 0.0


# --- early stopping --------------------------------------------------------------------------------------------------

LOSSES = (1.0, 0.5, 2.0, 0.75, 0.25, 1.5, 0.5 + 2**-10, 0.25 - 2**-7, 3.0, -0.5, -1.0, 100.0, 0.0, 2**-9)
STEPS = (0.125, 0.0625, 0.25, 0.0, -0.125, 0.375, 2**-10)


@st.composite
def histories(draw, values, lengths, patiences, deltas):
    """Draw validation losses by epoch, a patience and a least improvement."""
    losses = draw(arrays(draw(lengths), values))
    return losses, draw(st.sampled_from(patiences)), draw(st.sampled_from(deltas))


@st.composite
def slow_histories(draw):
    """Draw losses that fall in steps of which some are too small to count, though several together are not."""
    falls = np.cumsum(draw(arrays(draw(st.integers(3, 8)), STEPS)))
    first, patience = draw(st.sampled_from([2.0, 2.0**20])), draw(st.sampled_from([2, 3]))
    return first - falls, patience, draw(st.sampled_from([0.125, 0.25, 0.0]))


def stop_and_restore(losses, patience, min_delta):
    """Ours: feed the losses one by one."""
    stopping = EarlyStopping(patience, min_delta)
    for loss in losses:
        if stopping.step(float(loss)):
            break
    return stopping.epoch, stopping.best_epoch


early_stopping = Exercise(
    id="overfitting/early_stopping",
    signature="early_stopping(losses, patience, min_delta) -> epochs, best",
    task="losses holds the validation loss after each epoch. An epoch improves if its loss is below the best so far by "
    "more than min_delta; the first one always does. Stop after patience epochs in a row without improvement. Return "
    "how many epochs were run (all, if it never stops) and the index of the last one that improved: its weights are "
    "restored.",
    task_zh="losses 是每个 epoch 后的验证损失。比当前最优低 min_delta 以上（不含相等）才算改进，第一个 epoch 总算改进。"
    "连续 patience 个 epoch 没有改进就停。返回实际跑了多少个 epoch（没触发就是全部），"
    "以及最后一次改进的下标（从 0 起）。",
    reference=stop_and_restore,
    tiers=(
        histories((1.0, 0.5, 2.0, 0.75), st.integers(2, 5), (1, 2), (0.0, 0.25)),
        histories(LOSSES, st.integers(1, 9), (1, 2, 3, 5), (0.0, 0.0, 2**-8, 0.25, 0.5)),
        slow_histories(),
    ),
    cost="O(epochs), and one copy of the weights",
    hints=(
        "Keep three things: the best loss, its epoch, and how long you have waited.",
        "Improve: reset the wait to 0. Else: wait one more, and stop when the wait reaches patience.",
        "if loss < best - min_delta: best, at, waited = loss, i, 0; else: waited += 1; if waited >= patience: stop.",
    ),
)


@early_stopping.right
def by_counting(losses, patience, min_delta):
    best, at, waited = math.inf, None, 0
    for i, loss in enumerate(losses):
        if loss < best - min_delta:
            best, at, waited = loss, i, 0
        else:
            waited += 1
            if waited >= patience:
                return i + 1, at
    return len(losses), at


@early_stopping.right
def by_distance(losses, patience, min_delta):
    at = 0
    for i in range(1, len(losses)):
        if losses[at] - losses[i] > min_delta:
            at = i
        elif i - at == patience:
            return i + 1, at
    return len(losses), at


def _best_so_far(best, loss):
    return best


def _variant(losses, patience, min_delta, *, better, best=math.inf, otherwise=_best_so_far, late=0, total=False):
    """Early stopping by other rules; `otherwise` makes the best to come of the best and a loss that was no better."""
    at, waited = 0, 0
    for i, loss in enumerate(losses):
        if better(loss, best, min_delta):
            best, at, waited = loss, i, waited if total else 0
        else:
            waited += 1
            best = otherwise(best, loss)
            if waited >= patience + late:
                return i + 1, at
    return len(losses), at


def _below(loss, best, min_delta):
    return loss < best - min_delta


@early_stopping.wrong("Equal is no improvement: the loss must be below the best by more than min_delta.")
def ties_count(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=lambda loss, best, delta: loss <= best - delta)


@early_stopping.wrong("min_delta is ignored.")
def any_gain(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=lambda loss, best, delta: loss < best)


@early_stopping.wrong("One epoch too late: stop when the wait reaches patience, not when it exceeds it.")
def one_late(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=_below, late=1)


@early_stopping.wrong("Compare with the best loss so far, not with the one before.")
def against_the_last(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=_below, otherwise=lambda best, loss: loss)


@early_stopping.wrong("The best moves only with an epoch that improves: many small gains together count.")
def creeping_best(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=_below, otherwise=min)


@early_stopping.wrong("Start from infinity: a first loss may lie above any number that you think of.")
def starts_at_1000(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=_below, best=1000.0)


@early_stopping.wrong("Do not round the losses: an improvement of a thousandth counts if min_delta is 0.")
def rounded(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=lambda loss, best, delta: round(best - loss, 2) > delta)


@early_stopping.wrong("An improvement starts the wait anew: patience counts epochs in a row.")
def never_reset(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=_below, total=True)


@early_stopping.wrong("The best epoch is one that was run: do not look at losses after the stop.")
def looks_ahead(losses, patience, min_delta):
    return by_counting(losses, patience, min_delta)[0], int(np.argmin(losses))


@early_stopping.wrong("Restore the best epoch, not the last one.")
def the_last_one(losses, patience, min_delta):
    epochs, _ = by_counting(losses, patience, min_delta)
    return epochs, epochs - 1


@early_stopping.wrong("The first result is how many epochs were run, not the index of the last one.")
def index_of_the_last(losses, patience, min_delta):
    epochs, at = by_counting(losses, patience, min_delta)
    return epochs - 1, at


@early_stopping.wrong("min_delta is added to the best where it must be subtracted: worse epochs count as better.")
def added(losses, patience, min_delta):
    return _variant(losses, patience, min_delta, better=lambda loss, best, delta: loss < best + delta)


# --- bias and variance -----------------------------------------------------------------------------------------------


@st.composite
def predictions(draw, values, runs, places):
    """Draw the predictions of several fits at several places, and the truth there; some far from 0."""
    shape = draw(runs), draw(places)
    return draw(arrays(shape, values)), draw(arrays(shape[1], values))


bias_variance = Exercise(
    id="overfitting/bias_variance",
    signature="bias_variance(predictions, truth) -> bias2, variance",
    task="predictions, (runs, m), holds what the fits to several training sets say at m places, truth, (m,), the "
    "noiseless values there. Return the squared bias and the variance, averaged over the places, so that they add up "
    "to the mean squared distance to the truth.",
    task_zh="predictions 形状 (runs, m)，是多个训练集各自拟合后在 m 个点上的预测；truth 形状 (m,)，是无噪声的真值。"
    "返回偏差的平方和方差，都对 m 个点取平均，两者之和应等于与真值的均方差。",
    reference=lambda predictions, truth: _bias_variance(predictions, truth),
    tiers=(
        predictions(SMALL, st.integers(2, 3), st.integers(2, 3)),
        predictions(WIDE, st.integers(1, 5), st.integers(1, 5)),
    ),
    cost="O(runs m): two passes over the predictions",
    hints=(
        "Bias asks how wrong the average fit is, variance how far single fits lie from it.",
        "mean = predictions.mean(axis=0), one average fit over the runs.",
        "return ((mean - truth) ** 2).mean(), ((predictions - mean) ** 2).mean().",
    ),
)


@bias_variance.right
def two_means(predictions, truth):
    mean = predictions.mean(axis=0)
    return ((mean - truth) ** 2).mean(), ((predictions - mean) ** 2).mean()


@bias_variance.right
def by_var(predictions, truth):
    return np.mean(np.square(np.mean(predictions, 0) - truth)), np.var(predictions, axis=0).mean()


@bias_variance.right
def in_loops(predictions, truth):
    bias2 = variance = 0.0
    runs, m = predictions.shape
    for j in range(m):
        mean = sum(predictions[i, j] for i in range(runs)) / runs
        bias2 += (mean - truth[j]) ** 2 / m
        variance += sum((predictions[i, j] - mean) ** 2 for i in range(runs)) / runs / m
    return [bias2, variance]


@bias_variance.wrong("Square the bias at each place, then average: otherwise errors of opposite sign cancel.")
def squared_late(predictions, truth):
    return (predictions.mean(axis=0) - truth).mean() ** 2, predictions.var(axis=0).mean()


@bias_variance.wrong("That is the whole error: take the average fit first, then its distance to the truth.")
def error_as_bias(predictions, truth):
    return ((predictions - truth) ** 2).mean(), predictions.var(axis=0).mean()


@bias_variance.wrong("The variance is over the runs, axis 0, at each place.")
def over_places(predictions, truth):
    return ((predictions.mean(axis=0) - truth) ** 2).mean(), predictions.var(axis=1).mean()


@bias_variance.wrong("Variance at each place first: over the whole table, differences between places come in.")
def over_everything(predictions, truth):
    return ((predictions.mean(axis=0) - truth) ** 2).mean(), predictions.var()


@bias_variance.wrong("Divided by runs - 1 the two no longer add up to the error.")
def unbiased(predictions, truth):
    runs = len(predictions)
    return ((predictions.mean(axis=0) - truth) ** 2).mean(), predictions.var(axis=0).mean() * runs / max(runs - 1, 1)


@bias_variance.wrong("The variance is of the predictions around their own mean, not around the truth.")
def around_the_truth(predictions, truth):
    return ((predictions.mean(axis=0) - truth) ** 2).mean(), ((predictions - truth) ** 2).mean()


@bias_variance.wrong("The bias is not squared.")
def bias_plain(predictions, truth):
    return np.abs(predictions.mean(axis=0) - truth).mean(), predictions.var(axis=0).mean()


@bias_variance.wrong("A standard deviation is returned where the variance is asked for.")
def deviation(predictions, truth):
    return ((predictions.mean(axis=0) - truth) ** 2).mean(), predictions.std(axis=0).mean()


@bias_variance.wrong("The median is not the average fit: with it the two parts do not add up.")
def by_median(predictions, truth):
    middle = np.median(predictions, axis=0)
    return ((middle - truth) ** 2).mean(), ((predictions - middle) ** 2).mean()
