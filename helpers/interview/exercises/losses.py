"""Topic 17: cross-entropy of one class among several and of yes or no, the focal loss, and Dice."""

import math

import numpy as np
import torch
from hypothesis import strategies as st

from . import SMALL, WIDE, Exercise, arrays

SHORTCUTS = ("torch.nn.functional", "torch.nn.CrossEntropyLoss", "torch.nn.NLLLoss", "torch.nn.BCEWithLogitsLoss")
SHORTCUTS += ("torch.nn.BCELoss", "torch.nn.LogSoftmax", "torch.binary_cross_entropy_with_logits", "torch.nn.Softplus")
FINE = (*WIDE, 0.5, 2.0, -2.0, 7.0, -7.0, 3.0, 30.0, -30.0, 0.25, 0.25 + 2**-14)
NO_ZERO = tuple(value for value in FINE if value)  # max(x, 0), a part of many right answers, has a kink there
KINK = "autograd takes another slope for max(x, 0) there"
SMALL_NO_ZERO = (1.0, -1.0, 2.0, 0.5, -0.5)

# --- cross-entropy ---------------------------------------------------------------------------------------------------


@st.composite
def classified(draw, values, smallest, largest):
    """Draw logits of n samples and k classes, some rows far from the others, and class numbers."""
    n, k = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    x = draw(arrays((n, k), values))
    if smallest == 1:
        x = x + draw(arrays((n, 1), (0.0, 0.0, 200.0, -200.0, 2000.0)))
    target = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    return x, np.array(target, dtype=np.int64)


@st.composite
def sure_of_the_class(draw):
    """Draw logits that are right by 20 in every row: the loss is tiny, and a forgotten epsilon is not."""
    x, target = draw(classified(SMALL, 2, 3))
    x[np.arange(len(x)), target] += 20
    return x, target


def cross_entropy_by_torch(logits, target):
    """Ours: torch's own."""
    return torch.nn.functional.cross_entropy(logits, target)


cross_entropy = Exercise(
    id="losses/cross_entropy",
    signature="cross_entropy(logits, target) -> loss",
    task="Mean cross-entropy of the tensor logits, (n, k), and the class numbers target, (n,), without torch's own. "
    "Logits may be 1,000 apart. The gradient with respect to logits is compared too.",
    task_zh="求张量 logits，形状 (n, k)，与类别编号 target，形状 (n,)，的平均交叉熵，不得调用 torch 自带的实现。"
    "logits 之间可能相差 1000。对 logits 的梯度也会比较。",
    reference=cross_entropy_by_torch,
    tiers=(classified(SMALL, 2, 3), classified(FINE, 1, 5), sure_of_the_class()),
    tensors=True,
    gradient=("logits",),
    forbidden=(*SHORTCUTS, "torch.log_softmax", "torch.Tensor.log_softmax"),
    cost="O(N C): one log-sum-exp per row",
    hints=(
        "-log softmax is a difference: the logarithm of a sum, less one logit. Which form has no probability in it?",
        "loss of a row = logsumexp(row) - row[target]. Take the row's largest entry out of the sum first.",
        "(logits.logsumexp(1) - logits[torch.arange(len(target)), target]).mean().",
    ),
)


@cross_entropy.right
def by_logsumexp(logits, target):
    return (logits.logsumexp(1) - logits[torch.arange(len(target)), target]).mean()


@cross_entropy.right
def by_shifting(logits, target):
    z = logits - logits.amax(1, keepdim=True)
    log_p = z - z.exp().sum(1, keepdim=True).log()
    return -log_p.gather(1, target[:, None]).mean()


@cross_entropy.right
def by_one_hot(logits, target):
    z = logits - logits.detach().max(dim=1, keepdim=True).values
    one_hot = torch.eye(logits.shape[1], dtype=logits.dtype)[target]
    return torch.einsum("nk,nk->", one_hot, torch.log(torch.exp(z).sum(1, keepdim=True)) - z) / len(z)


@cross_entropy.right
def row_by_row(logits, target):
    total = 0
    for row, t in zip(logits, target, strict=True):
        largest = row.max()
        total = total + largest + torch.log(sum(torch.exp(entry - largest) for entry in row)) - row[t]
    return total / len(target)


@cross_entropy.library
def torch_cross_entropy(logits, target):
    return torch.nn.functional.cross_entropy(logits, target)


@cross_entropy.wrong("exp overflows for large logits, and a probability that became 0 has no logarithm.")
def log_of_softmax(logits, target):
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    return -p[torch.arange(len(target)), target].log().mean()


@cross_entropy.wrong(
    "The shift is right, but the probability can still become 0: take x - log sum exp, not log of a share."
)
def log_of_shifted_softmax(logits, target):
    p = torch.softmax(logits, 1)
    return -p[torch.arange(len(target)), target].log().mean()


@cross_entropy.wrong(
    "A small number in the logarithm changes the loss and caps it: a confidently wrong target must cost 1,000."
)
def with_an_epsilon(logits, target):
    p = torch.softmax(logits, 1)
    return -(p[torch.arange(len(target)), target] + 1e-12).log().mean()


@cross_entropy.wrong("Clamping p cuts the gradient off just where the target is confidently wrong.")
def clamped_probability(logits, target):
    p = torch.softmax(logits, 1).clamp(1e-7, 1 - 1e-7)
    return -p[torch.arange(len(target)), target].log().mean()


@cross_entropy.wrong("The mean is wanted, not the sum.")
def summed(logits, target):
    return by_logsumexp(logits, target) * len(target)


@cross_entropy.wrong("Divide by the number of samples, not by that of all logits.")
def mean_of_all_logits(logits, target):
    return by_logsumexp(logits, target) / logits.shape[1]


@cross_entropy.wrong("The sign is turned: a loss is at least 0 here.")
def negative(logits, target):
    return -by_logsumexp(logits, target)


@cross_entropy.wrong("Each row takes its own target: logits[:, target] takes every target from every row.")
def every_target_from_every_row(logits, target):
    return (logits.logsumexp(1, keepdim=True) - logits[:, target]).mean()


@cross_entropy.wrong("The classes lie along axis 1, the samples along axis 0.")
def over_the_samples(logits, target):
    return (logits.logsumexp(0)[target] - logits[torch.arange(len(target)), target]).mean()


@cross_entropy.wrong("The shift must be each row's own: with one for all, a row far below becomes log 0.")
def shifted_by_the_largest_of_all(logits, target):
    z = logits - logits.max()
    return (z.exp().sum(1).log() - z[torch.arange(len(target)), target]).mean()


@cross_entropy.wrong("The value is right, but the sum is detached: it depends on all logits of the row.")
def sum_detached(logits, target):
    return (logits.detach().logsumexp(1) - logits[torch.arange(len(target)), target]).mean()


@cross_entropy.wrong("Clamping the logits changes the loss.")
def clamped_logits(logits, target):
    return by_logsumexp(logits.clamp(-50, 50), target)


@cross_entropy.wrong("Logarithms are natural ones here, not of base 2.")
def in_bits(logits, target):
    return by_logsumexp(logits, target) / math.log(2)


# --- yes or no -------------------------------------------------------------------------------------------------------

SOFT = (0.0, 1.0, 0.5, 0.25, 0.25 + 2**-14, 2**-10, 0.9)


@st.composite
def answered(draw, values, targets, smallest, largest):
    """Draw logits and targets of one shape."""
    shape = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    return draw(arrays(shape, values)), draw(arrays(shape, targets))


@st.composite
def sure_of_the_answer(draw):
    """Draw logits that are right by 20 everywhere."""
    x, t = draw(answered(SMALL_NO_ZERO, (0.0, 1.0), 1, 3))
    return x + 20 * (2 * t - 1), t


def bce_by_torch(logits, target):
    """Ours: torch's own."""
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, target)


bce = Exercise(
    id="losses/bce_with_logits",
    signature="bce_with_logits(logits, target) -> loss",
    task="The mean binary cross-entropy of the tensors logits and target, (n, d), entry by entry, without torch's "
    "own. Targets lie from 0 to 1, logits may be 1,000 or -1,000. The gradient with respect to logits is compared too.",
    task_zh="对张量 logits 与 target，形状 (n, d)，逐元素求二元交叉熵并取平均，不得调用 torch 自带的实现。"
    "target 在 0 到 1 之间，logits 可能为 1000 或 -1000。对 logits 的梯度也会比较。",
    reference=bce_by_torch,
    tiers=(answered(SMALL_NO_ZERO, (0.0, 1.0), 2, 3), answered(NO_ZERO, SOFT, 1, 4), sure_of_the_answer()),
    tensors=True,
    gradient=("logits",),
    narrow={"logits": "zero: " + KINK, "target": "negative large: from 0 to 1"},
    forbidden=SHORTCUTS,
    cost="O(n): one exponential and one logarithm per entry",
    hints=(
        "Write -log sigmoid(x) with one exponential. For which sign of x does it overflow?",
        "-log sigmoid(x) = log(1 + exp(-x)), and -log(1 - sigmoid(x)) is x more. logaddexp(0, x) does not overflow.",
        "zero = torch.zeros_like(x); (torch.logaddexp(zero, x) - x * t).mean().",
    ),
)


@bce.right
def by_the_absolute_value(logits, target):
    return (logits.clamp(min=0) - logits * target + torch.log1p(torch.exp(-logits.abs()))).mean()


@bce.right
def by_logaddexp(logits, target):
    zero = torch.zeros_like(logits)
    return (target * torch.logaddexp(zero, -logits) + (1 - target) * torch.logaddexp(zero, logits)).mean()


@bce.right
def by_logsumexp_of_two(logits, target):
    both = torch.stack([torch.zeros_like(logits), logits])
    return (both.logsumexp(0) - target * logits).sum() / logits.numel()


@bce.right
def entry_by_entry(logits, target):
    total = 0
    for x, t in zip(logits.reshape(-1), target.reshape(-1), strict=True):
        total = total + (1 - t) * x + torch.logaddexp(-x, torch.zeros_like(x))
    return total / logits.numel()


@bce.library
def torch_bce(logits, target):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, target)


@bce.wrong("A sigmoid that has become exactly 0 or 1 has no logarithm: 0 times infinity is NaN.")
def by_the_sigmoid(logits, target):
    p = torch.sigmoid(logits)
    return -(target * p.log() + (1 - target) * (1 - p).log()).mean()


@bce.wrong("A small number in the logarithm caps the loss, and the gradient is lost where the sigmoid saturates.")
def sigmoid_with_epsilon(logits, target):
    p = torch.sigmoid(logits)
    return -(target * (p + 1e-8).log() + (1 - target) * (1 - p + 1e-8).log()).mean()


@bce.wrong("That is BCELoss on a sigmoid, which caps each logarithm at -100 and passes no gradient there.")
def capped_at_100(logits, target):
    p = torch.sigmoid(logits)
    return -(target * p.log().clamp(min=-100) + (1 - target) * (1 - p).log().clamp(min=-100)).mean()


@bce.wrong("The part of the negatives is missing: (1 - t) log(1 - p).")
def positives_only(logits, target):
    return (target * torch.logaddexp(torch.zeros_like(logits), -logits)).mean()


@bce.wrong("Targets and their complements are swapped.")
def turned_around(logits, target):
    return by_logaddexp(-logits, target)


@bce.wrong("The mean runs over all entries, not over the rows only.")
def divided_by_rows(logits, target):
    return by_logaddexp(logits, target) * logits.shape[1]


@bce.wrong("log(1 + exp(x)) overflows for large x.")
def softplus_by_hand(logits, target):
    return (torch.log(1 + torch.exp(logits)) - target * logits).mean()


@bce.wrong("Targets may lie between 0 and 1: do not round them.")
def rounded_targets(logits, target):
    return by_logaddexp(logits, (target > 0.5).to(logits.dtype))


@bce.wrong("Clamping the logits changes the loss and cuts the gradient off.")
def clamped_far_out(logits, target):
    return by_logaddexp(logits.clamp(-30, 30), target)


# --- focal loss ------------------------------------------------------------------------------------------------------


@st.composite
def focused(draw, values, alphas, gammas, smallest, largest):
    """Draw logits, targets that are 0 or 1, alpha and gamma."""
    x, t = draw(answered(values, (0.0, 1.0), smallest, largest))
    return x, t, draw(st.sampled_from(alphas)), draw(st.sampled_from(gammas))


def focal_loss_of_torch(logits, target, alpha, gamma):
    """Ours: stable far out, with the gradient of autograd."""
    z = torch.where(target == 1, logits, -logits)
    alpha_t = torch.where(target == 1, alpha, 1 - alpha)
    entropy = torch.logaddexp(torch.zeros_like(z), -z)
    return (alpha_t * torch.sigmoid(-z) ** gamma * entropy).mean()


focal_loss = Exercise(
    id="losses/focal_loss",
    signature="focal_loss(logits, target, alpha, gamma) -> loss",
    task="The mean focal loss of the tensors logits and target, (n, d), each entry by itself: alpha_t (1 - p_t)^gamma "
    "times binary cross-entropy. target is 0 or 1; alpha weights the ones, 1 - alpha the zeros. Logits reach 1,000. "
    "The gradient with respect to logits is compared too.",
    task_zh="对张量 logits 与 target，形状 (n, d)，逐元素求 focal loss 并取平均：alpha_t (1 - p_t)^gamma 乘二元交叉熵。"
    "target 为 0 或 1；alpha 是正样本的权重，1 - alpha 是负样本的。logits 可能为 1000。对 logits 的梯度也会比较。",
    reference=focal_loss_of_torch,
    tiers=(
        focused(SMALL_NO_ZERO, [0.25, 0.5, 0.75], [0.0, 1.0, 2.0], 2, 3),
        focused(NO_ZERO, [0.25, 0.9, 0.5, 1.0, 0.0], [0.0, 1.0, 2.0, 3.0, 1.5], 1, 4),
    ),
    tensors=True,
    gradient=("logits",),
    narrow={"logits": "zero: " + KINK, "target": "fractions negative large small near distinct: 0 or 1"},
    forbidden=SHORTCUTS,
    cost="O(n): cross-entropy and one power per entry",
    hints=(
        "Turn the logit around where the target is 0: then p_t is the sigmoid of one number z for both.",
        "With z: -log p_t = log(1 + exp(-z)), and 1 - p_t = sigmoid(-z), which loses no digits.",
        "z = torch.where(target == 1, x, -x); (alpha_t * torch.sigmoid(-z) ** gamma * softplus of -z).mean().",
    ),
)


@focal_loss.right
def by_the_truths_logit(logits, target, alpha, gamma):
    z = (2 * target - 1) * logits
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    return (alpha_t * torch.sigmoid(-z) ** gamma * torch.logaddexp(-z, torch.zeros_like(z))).mean()


@focal_loss.right
def as_torchvision_does(logits, target, alpha, gamma):
    p = torch.sigmoid(logits)
    zero = torch.zeros_like(logits)
    entropy = torch.logaddexp(zero, logits) - logits * target
    p_t = p * target + (1 - p) * (1 - target)
    return ((alpha * target + (1 - alpha) * (1 - target)) * entropy * (1 - p_t) ** gamma).mean()


@focal_loss.right
def in_two_parts(logits, target, alpha, gamma):
    zero = torch.zeros_like(logits)
    positive = alpha * torch.sigmoid(-logits) ** gamma * torch.logaddexp(zero, -logits)
    negative_ = (1 - alpha) * torch.sigmoid(logits) ** gamma * torch.logaddexp(zero, logits)
    return torch.where(target > 0, positive, negative_).sum() / target.numel()


@focal_loss.right
def in_logarithms(logits, target, alpha, gamma):
    z = torch.where(target == 1, logits, -logits)
    entropy = torch.stack([torch.zeros_like(z), -z]).logsumexp(0)
    log_q = -torch.stack([torch.zeros_like(z), z]).logsumexp(0)
    return (torch.where(target == 1, alpha, 1 - alpha) * torch.exp(gamma * log_q) * entropy).mean()


@focal_loss.wrong("The factor is (1 - p_t)^gamma: hard samples keep their loss, easy ones lose it.")
def easy_kept(logits, target, alpha, gamma):
    z = (2 * target - 1) * logits
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    return (alpha_t * torch.sigmoid(z) ** gamma * torch.logaddexp(-z, torch.zeros_like(z))).mean()


@focal_loss.wrong("p_t is the probability of the truth: where the target is 0 it is 1 - p.")
def p_for_p_t(logits, target, alpha, gamma):
    z = (2 * target - 1) * logits
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    return (alpha_t * torch.sigmoid(-logits) ** gamma * torch.logaddexp(-z, torch.zeros_like(z))).mean()


@focal_loss.wrong("The zeros have the weight 1 - alpha, not alpha.")
def alpha_for_both(logits, target, alpha, gamma):
    z = (2 * target - 1) * logits
    return (alpha * torch.sigmoid(-z) ** gamma * torch.logaddexp(-z, torch.zeros_like(z))).mean()


@focal_loss.wrong("alpha weights the ones: here it weights the zeros.")
def alpha_of_the_zeros(logits, target, alpha, gamma):
    return by_the_truths_logit(logits, target, 1 - alpha, gamma)


@focal_loss.wrong("alpha is missing.")
def no_alpha(logits, target, alpha, gamma):
    z = (2 * target - 1) * logits
    return (torch.sigmoid(-z) ** gamma * torch.logaddexp(-z, torch.zeros_like(z))).mean()


@focal_loss.wrong("The value is right, but the factor is detached: it depends on the logits too.")
def factor_detached(logits, target, alpha, gamma):
    z = (2 * target - 1) * logits
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    return (alpha_t * torch.sigmoid(-z).detach() ** gamma * torch.logaddexp(-z, torch.zeros_like(z))).mean()


@focal_loss.wrong("gamma is an argument: 2 is only its usual value.")
def gamma_of_two(logits, target, alpha, gamma):
    return by_the_truths_logit(logits, target, alpha, 2)


@focal_loss.wrong("A probability that has become 0 has no logarithm: use the logits.")
def by_the_logarithm(logits, target, alpha, gamma):
    p = torch.sigmoid(logits)
    p_t = p * target + (1 - p) * (1 - target)
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    return (-alpha_t * (1 - p_t) ** gamma * p_t.log()).mean()


@focal_loss.wrong("Clamping p caps the loss and cuts the gradient off where the answer is confidently wrong.")
def clamped_p(logits, target, alpha, gamma):
    p = torch.sigmoid(logits).clamp(1e-6, 1 - 1e-6)
    p_t = p * target + (1 - p) * (1 - target)
    alpha_t = alpha * target + (1 - alpha) * (1 - target)
    return (-alpha_t * (1 - p_t) ** gamma * p_t.log()).mean()


@focal_loss.wrong("Normalize by the number of entries, as asked, not by that of the positives.")
def divided_by_the_positives(logits, target, alpha, gamma):
    return by_the_truths_logit(logits, target, alpha, gamma) * target.numel() / target.sum().clamp(min=1)


# --- Dice ------------------------------------------------------------------------------------------------------------


@st.composite
def masked(draw, values, targets, smallest, largest):
    """Draw logits and targets of samples with pixels, some without any object, and the smoothing."""
    n, pixels = draw(st.integers(smallest, largest)), draw(st.integers(smallest, largest))
    x, t = draw(arrays((n, pixels), values)), draw(arrays((n, pixels), targets))
    if smallest == 1:
        t = t * draw(arrays((n, 1), (0.0, 1.0, 1.0)))
    return x, t, draw(st.sampled_from([1.0, 0.5, 1e-3, 2.0]))


def dice_of_torch(logits, target, smooth):
    """Ours: one score per sample, then the mean."""
    p = torch.sigmoid(logits)
    return (1 - (2 * (p * target).sum(1) + smooth) / (p.sum(1) + target.sum(1) + smooth)).mean()


dice_loss = Exercise(
    id="losses/dice_loss",
    signature="dice_loss(logits, target, smooth) -> loss",
    task="Soft Dice loss of the tensors logits and target, (n, pixels): 1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + "
    "smooth) for each of the n samples, with p the sigmoid, then the mean. The gradient with respect to logits is "
    "compared too.",
    task_zh="求张量 logits 与 target，形状 (n, pixels)，的 soft Dice 损失：对 n 个样本分别计算"
    " 1 - (2 sum(p t) + smooth) / (sum(p) + sum(t) + smooth)，p 为 sigmoid，再取平均。对 logits 的梯度也会比较。",
    reference=dice_of_torch,
    tiers=(masked(SMALL, (0.0, 1.0), 2, 3), masked(FINE, SOFT, 1, 5)),
    tensors=True,
    gradient=("logits",),
    narrow={"target": "negative large: from 0 to 1"},
    cost="O(n): three sums",
    hints=(
        "Three sums per sample: the overlap, what is predicted, what is there.",
        "p = sigmoid(logits), not thresholded: a threshold has no gradient. smooth stands above and below.",
        "1 - (2 * (p * t).sum(1) + smooth) / (p.sum(1) + t.sum(1) + smooth), then the mean.",
    ),
)


@dice_loss.right
def by_three_sums(logits, target, smooth):
    p = torch.sigmoid(logits)
    overlap, both = (p * target).sum(1), p.sum(1) + target.sum(1)
    return (1 - (2 * overlap + smooth) / (both + smooth)).mean()


@dice_loss.right
def sample_by_sample(logits, target, smooth):
    total = 0
    for x, t in zip(logits, target, strict=True):
        p = 1 / (1 + torch.exp(-x.clamp(min=-700)))
        total = total + 1 - (2 * p @ t + smooth) / (p.sum() + t.sum() + smooth)
    return total / len(logits)


@dice_loss.right
def by_einsum(logits, target, smooth):
    p = torch.sigmoid(logits)
    overlap = torch.einsum("np,np->n", p, target)
    rest = torch.einsum("np->n", p + target) - 2 * overlap
    return (rest / (rest + 2 * overlap + smooth)).mean()


@dice_loss.wrong("Each sample has its own score; here all pixels of the batch are summed together.")
def over_the_batch(logits, target, smooth):
    p = torch.sigmoid(logits)
    return 1 - (2 * (p * target).sum() + smooth) / (p.sum() + target.sum() + smooth)


@dice_loss.wrong("The two is missing in the numerator: a perfect answer would cost a half.")
def not_doubled(logits, target, smooth):
    p = torch.sigmoid(logits)
    return (1 - ((p * target).sum(1) + smooth) / (p.sum(1) + target.sum(1) + smooth)).mean()


@dice_loss.wrong("That is the soft IoU (Jaccard): the union stands below instead of the sum of both sizes.")
def jaccard(logits, target, smooth):
    p = torch.sigmoid(logits)
    overlap = (p * target).sum(1)
    return (1 - (overlap + smooth) / (p.sum(1) + target.sum(1) - overlap + smooth)).mean()


@dice_loss.wrong("smooth stands in the numerator too: without an object and without a prediction the loss is 0.")
def smooth_below_only(logits, target, smooth):
    p = torch.sigmoid(logits)
    return (1 - 2 * (p * target).sum(1) / (p.sum(1) + target.sum(1) + smooth)).mean()


@dice_loss.wrong("smooth is added once above and once below, not doubled.")
def smooth_doubled(logits, target, smooth):
    p = torch.sigmoid(logits)
    return (1 - 2 * ((p * target).sum(1) + smooth) / (p.sum(1) + target.sum(1) + 2 * smooth)).mean()


@dice_loss.wrong("Here plain sums stand below; squares are V-Net's variant.")
def squares_below(logits, target, smooth):
    p = torch.sigmoid(logits)
    return (1 - (2 * (p * target).sum(1) + smooth) / ((p**2).sum(1) + (target**2).sum(1) + smooth)).mean()


@dice_loss.wrong("The loss is 1 minus the score: here the score is returned.")
def the_score(logits, target, smooth):
    return 1 - by_three_sums(logits, target, smooth)


@dice_loss.wrong("The sigmoid is missing: logits are not probabilities.")
def without_the_sigmoid(logits, target, smooth):
    return (1 - (2 * (logits * target).sum(1) + smooth) / (logits.sum(1) + target.sum(1) + smooth)).mean()


@dice_loss.wrong("smooth is an argument: 1 is only its usual value.")
def smooth_of_one(logits, target, smooth):
    return by_three_sums(logits, target, 1.0)


@dice_loss.wrong("The value is right, but the denominator is detached: it depends on the logits too.")
def sizes_detached(logits, target, smooth):
    p = torch.sigmoid(logits)
    return (1 - (2 * (p * target).sum(1) + smooth) / (p.detach().sum(1) + target.sum(1) + smooth)).mean()
