"""Whatever an answer could hold constant varies in the inputs of every exercise."""

from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, settings

from helpers.interview.examiner import SETTINGS
from helpers.interview.exercises import ASPECTS, all_exercises
from helpers.interview.wire import to_tensors

EXERCISES = all_exercises()


@cache
def drawn(exercise):
    """What the judge asks before it calls an answer right: a list of values for each argument."""
    calls = []
    for tier in exercise.tiers:

        @settings(SETTINGS, phases=[Phase.generate])
        @given(tier)
        def keep(arguments):
            calls.append(arguments)

        keep()
    return dict(zip(exercise.parameters, zip(*calls, strict=True), strict=True))


def shown(values):
    """The aspects in which the values of one argument vary, and those that its kind can have."""
    if isinstance(values[0], (int, float)):
        floats = isinstance(values[0], float)
        found = {"several": len(set(values)) >= 3, "fractions": any(value != int(value) for value in values)}
        return {name for name in found if found[name]}, {"several", "fractions"} if floats else {"several"}
    if isinstance(values[0], tuple):
        return _sides(values), {"tall", "wide"}
    if isinstance(values[0], list):
        values = [np.concatenate([array.ravel() for array in several]) for several in values]
    lengths = [{array.shape[axis] for array in values} for axis in range(min(array.ndim for array in values))]
    found = {f"sizes{axis}" for axis, seen in enumerate(lengths) if len(seen) >= 3}
    found |= {f"one{axis}" for axis, seen in enumerate(lengths) if 1 in seen}
    possible = {f"{name}{axis}" for name in ("sizes", "one") for axis in range(len(lengths))}
    if len(lengths) == 2:
        found, possible = found | _sides([array.shape for array in values]), possible | {"tall", "wide"}
    tests = _ORDER if values[0].dtype.kind in "iu" else _ORDER | _NUMBERS
    found |= {name for name, test in tests.items() if any(test(array.ravel()) for array in values)}
    return found, possible | set(tests)


def _sides(shapes):
    found = {"tall": any(a > b for a, b in shapes), "wide": any(a < b for a, b in shapes)}
    return {name for name in found if found[name]}


def _is_near(x):
    gaps = np.diff(np.unique(x))
    return ((gaps > 0) & (gaps < 1e-3)).any()


_ORDER = {
    "repeated": lambda x: len(np.unique(x)) < len(x),
    "distinct": lambda x: len(np.unique(x)) == len(x) >= 3,
    "unsorted": lambda x: len({np.sign(b - a) for a, b in pairwise(x)} - {0}) == 2,
}
_NUMBERS = {
    "fractions": lambda x: (x != np.round(x)).any(),
    "negative": lambda x: (x < 0).any(),
    "positive": lambda x: (x > 0).any(),
    "zero": lambda x: (x == 0).any(),
    "large": lambda x: (np.abs(x) >= 100).any(),
    "small": lambda x: ((x != 0) & (np.abs(x) < 0.01)).any(),
    "near": _is_near,
}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_inputs_vary_in_everything_that_an_answer_could_hold_constant(exercise):
    missing = set()
    for name, values in drawn(exercise).items():
        found, possible = shown(values)
        missing |= {f"{name} {aspect}" for aspect in possible - found}
    declared = {f"{name} {aspect}" for name, text in exercise.narrow.items() for aspect in text.split(":")[0].split()}
    assert sorted(missing) == sorted(declared)  # what varies after all is not to be declared narrow


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_what_is_narrow_has_a_reason(exercise):
    for name, text in exercise.narrow.items():
        assert name in exercise.parameters
        aspects, _, reason = text.partition(": ")
        assert reason.strip()
        assert {aspect.rstrip("01234") for aspect in aspects.split()} <= set(ASPECTS)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_lengths_differ_wherever_ours_takes_lengths_that_differ(exercise):
    arguments = drawn(exercise)
    tables = [name for name, values in arguments.items() if isinstance(values[0], np.ndarray)]
    calls = [dict(zip(arguments, call, strict=True)) for call in zip(*arguments.values(), strict=True)]
    for one, other in combinations(tables, 2):
        if all(len(call[one]) == len(call[other]) for call in calls):
            call = next(call for call in calls if len(call[one]) >= 3)
            cut = tuple((call | {one: call[one][:-1]}).values())
            with pytest.raises((ValueError, IndexError, RuntimeError)):
                exercise.reference(*(to_tensors(cut) if exercise.tensors else cut))
