"""An exercise whose gradient is compared; run as a script, a worker that knows it."""

import torch
from hypothesis import strategies as st

from helpers.interview import examiner, exercises
from helpers.interview.exercises import SMALL, Exercise, arrays


def smooth_l1(prediction, target):
    return torch.nn.functional.smooth_l1_loss(prediction, target)


SMOOTH_L1 = Exercise(
    id="losses/smooth_l1",
    signature="smooth_l1(prediction, target) -> loss",
    task="",
    task_zh="",
    reference=smooth_l1,
    tiers=(st.tuples(arrays(2), arrays(2)), st.tuples(arrays(1, [1000.0, -1000.0]), arrays(1, SMALL))),
    hints=(),
    tensors=True,
    gradient=("prediction",),
)


def by_cases(prediction, target):
    gap = (prediction - target).abs()
    return torch.where(gap < 1, gap**2 / 2, gap - 0.5).mean()


@SMOOTH_L1.wrong("detach() makes a constant of that factor: half of the slope is lost.")
def half_detached(prediction, target):
    gap = (prediction - target).abs()
    return torch.where(gap < 1, gap * gap.detach() / 2, gap - 0.5).mean()


def cut(prediction, target):
    return by_cases(prediction, target).detach()


def to_number(prediction, target):
    return by_cases(prediction, target).item()


def in_place(prediction, target):
    target -= prediction.detach()
    return by_cases(prediction, target)


if __name__ == "__main__":
    exercises._of_topic = lambda stem: [SMOOTH_L1]
    examiner.main()
