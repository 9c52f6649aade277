"""Every exercise of every topic is held to the same standard: 0 wrong answers accepted, 0 right ones rejected."""

import contextlib
import importlib
import inspect
import string

import pytest

from helpers.interview import judge, worker
from helpers.interview.candidate import resolve
from helpers.interview.exercises import all_exercises, load
from helpers.topics import TOPICS

from .cells import judged

EXERCISES = all_exercises()


QUICKLY = """
import sklearn.metrics
from hypothesis import Phase, settings
from helpers.interview import examiner
examiner.SETTINGS = settings(examiner.SETTINGS, phases=[Phase.generate])
"""


@pytest.fixture(autouse=True, scope="module")
def quick_worker():
    """A worker that has imported scikit-learn already and seeks no smaller input.

    Those that it would meet on the way only tell more: a verdict that is right without them is right with them.
    """
    with pytest.MonkeyPatch.context() as patch:
        *start, code = worker.COMMAND
        patch.setattr(judge, "_worker", worker.Worker([*start, QUICKLY + code]))
        yield
        judge._worker.close()


def cases(kind):
    return [
        pytest.param(exercise, function, id=f"{exercise.id}-{getattr(function, '__name__', 'library')}")
        for exercise in EXERCISES
        for function in getattr(exercise, kind)
    ]


@pytest.mark.parametrize(("exercise", "function"), cases("wrongs"))
def test_wrong_answer_is_rejected_with_its_sentence(exercise, function):
    passed, message = judged(exercise, function)  # nothing forbidden: the values must tell
    assert not passed
    assert exercise.wrongs[function] in message


@pytest.mark.parametrize(("exercise", "function"), cases("rights"))
def test_right_answer_is_accepted(exercise, function):
    passed, message = judged(exercise, function, exercise.refused)
    assert passed, message


@pytest.mark.parametrize(("exercise", "function"), cases("libraries"))
def test_library_is_right(exercise, function):
    passed, message = judged(exercise, function)
    assert passed, message


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_ours_is_right_and_refused(exercise):
    passed, message = judged(exercise, exercise.reference)
    assert passed, message
    passed, message = judged(exercise, exercise.reference, exercise.refused)
    assert not passed
    assert message.startswith("not right yet. It uses helpers.")


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_exercise_is_complete(exercise):
    assert load(exercise.id) is exercise
    assert exercise.stem in {topic.stem for topic in TOPICS}
    assert exercise.name.isidentifier()
    assert exercise.task.isascii()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in exercise.task_zh)
    assert len(exercise.hints) == len(set(exercise.hints)) == 3
    assert len(exercise.tiers) >= 2
    assert len(exercise.wrongs) >= 4
    assert exercise.rights
    assert len(set(exercise.wrongs.values())) == len(exercise.wrongs)
    for text in (exercise.task, *exercise.hints, *exercise.wrongs.values()):
        assert text[-1] in string.punctuation
        assert "!" not in text.replace("!=", "")
    inspect.signature(exercise.reference).bind(*exercise.parameters)
    assert set(exercise.gradient) <= set(exercise.parameters)
    assert exercise.tensors or not exercise.gradient


@pytest.mark.parametrize(
    ("exercise", "name"), [pytest.param(e, n, id=f"{e.id}-{n}") for e in EXERCISES for n in e.forbidden]
)
def test_forbidden_name_exists(exercise, name):
    assert found([name])


@pytest.mark.parametrize(("exercise", "function"), cases("libraries"))
def test_library_is_forbidden(exercise, function):
    names = {name.rpartition(".")[2] for _, _, name in found(exercise.forbidden).values()}
    assert names & set(function.__code__.co_names)


def found(names):
    for name in names:
        with contextlib.suppress(ModuleNotFoundError):  # a function's, not a module's
            importlib.import_module(name)
        with contextlib.suppress(ModuleNotFoundError):  # a method's: its class is not a module
            importlib.import_module(name.rpartition(".")[0])
    return resolve(names)


def test_ids_are_unique():
    ids = [exercise.id for exercise in EXERCISES]
    assert len(ids) == len(set(ids))


def test_metrics_has_its_four_exercises():
    names = {"confusion_counts", "roc_curve", "roc_auc", "average_precision"}
    assert {f"metrics/{name}" for name in names} <= {exercise.id for exercise in EXERCISES}
