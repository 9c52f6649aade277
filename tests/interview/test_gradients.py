"""Values and gradients of tensors."""

import dataclasses
import sys

import pytest

from helpers.interview import exercises, judge, worker

from . import gradient_examples
from .cells import judged

pytestmark = pytest.mark.usefixtures("attempts")


@pytest.fixture(scope="module")
def gradient_judge():
    """A worker that knows the exercises of gradient_examples, on this side and on the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercises, "_of_topic", lambda stem: gradient_examples.EXERCISES)
        patch.setattr(judge, "_worker", worker.Worker([sys.executable, gradient_examples.__file__]))
        yield
        judge._worker.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("half_detached", "The value is right, its gradient is not. The gradient of prediction is wrong."),
        ("cut", "The value is right. No gradient reaches prediction"),
        ("to_number", "loss must be a torch tensor: its gradient is compared too."),
        ("in_place", "It changes its argument target. Work on a copy: target = target.clone()."),
        ("in_place", "target after "),
    ],
)
def test_what_is_wrong_with_a_gradient_is_told(name, said, gradient_judge):
    verdict = judge.check("losses/smooth_l1", getattr(gradient_examples, name))
    assert said in verdict.message
    assert not verdict.passed


def test_a_mistake_is_named_only_if_it_explains_other_inputs_too(gradient_judge):
    message = judge.check("losses/half_square", gradient_examples.whole_at_one).message
    assert "not right yet" in message
    assert "Likely mistake" not in message


def test_a_gradient_where_there_should_be_none_is_told(gradient_judge):
    message = judge.check("losses/largest", gradient_examples.with_a_slope).message
    assert "The value is right, its gradient is not. The gradient of x is wrong." in message


def test_a_failure_of_the_judge_is_not_called_yours(gradient_judge, monkeypatch):
    unknown = dataclasses.replace(gradient_examples.half_square, id="losses/unknown")  # to the worker
    monkeypatch.setattr(exercises, "_of_topic", lambda stem: [unknown])
    with pytest.raises(RuntimeError, match=r"judge failed at losses/unknown; this is not your mistake\.\nTraceback"):
        judge.check(unknown.id, gradient_examples.by_product)


@pytest.mark.parametrize("exercise", gradient_examples.EXERCISES, ids=lambda exercise: exercise.id)
def test_values_and_gradients_of_tensors_are_compared(exercise, gradient_judge):
    for function in (exercise.reference, *exercise.rights):
        passed, message = judged(exercise, function)
        assert passed, message
    for function, sentence in exercise.wrongs.items():
        passed, message = judged(exercise, function)
        assert not passed
        assert f"Likely mistake: {sentence}" in message
