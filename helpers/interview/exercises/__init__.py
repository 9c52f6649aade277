"""The exercises of the judge: one file a topic, ``exercises/<stem>.py``, found by its name.

How to write one. Make an `Exercise` at module level; its id is the topic's stem, a slash and a name. Then hang
functions on it: answers that are right, the library's version where its convention is the same, and at least four wrong
answers that people really write, each with the sentence that helps::

    soft_threshold = Exercise(
        id="regularization/soft_threshold",
        signature="soft_threshold(x, threshold) -> shrunk",
        task="Shrink every entry of x towards zero by threshold; what is smaller becomes 0.",
        task_zh="将 x 的每个元素向零收缩 threshold，绝对值更小的变为 0。",
        reference=regularization.soft_threshold,
        tiers=(
            st.tuples(arrays(st.integers(2, 4), SMALL), st.sampled_from([0.0, 1.0])),
            st.tuples(arrays(st.integers(1, 6), WIDE), st.sampled_from([0.5, 100.0])),
        ),
        forbidden=["torch.nn.functional.softshrink"],
        hints=("The idea.", "The key step.", "Nearly the code."),
    )


    @soft_threshold.right
    def by_cases(x, threshold):
        return np.where(x > threshold, x - threshold, np.where(x < -threshold, x + threshold, 0.0))


    @soft_threshold.wrong("The sign is lost: multiply by sign(x).")
    def no_sign(x, threshold):
        return np.maximum(np.abs(x) - threshold, 0)

A tier is a strategy that draws a tuple of arguments, 60 times a check. The first tier draws a few readable values with
sides of at least 2, for it makes the message. The others must leave nothing constant that an answer could rely on: draw
from `WIDE`, sizes from 1 on, sides that differ, any order, three values and more for every scalar. A test lists what
does not vary (`ASPECTS`); what cannot is declared, with the reason::

    narrow={"y": "fractions zero large small near: classes are -1 and 1"}

Draw only valid input, and numbers with ``sampled_from``: they read better than what ``floats()`` finds, and fewer draws
are faster. Fractions with a power of 2 below the line keep ties and sums exact, in whatever order an answer adds them.

Arrays are float64 or int64. With ``tensors=True`` the function is called with torch tensors of these types, and may
return tensors, arrays or lists. ``gradient=("x", "weight")`` compares the gradients of the first result, which then has
to be a tensor, with respect to these arguments too. A result of several values is a tuple, named after the arrow of the
signature. Functions must not change their arguments: let an optimizer's step return the new parameters, and hand random
numbers over as an argument.
"""

import difflib
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ...topics import TOPICS

SMALL = (0.0, 1.0, -1.0, 2.0, 0.5)
WIDE = (0.0, 1.0, -1.0, 0.25, 0.25 + 2**-14, -0.375, -3.0, 2**-10, 1000.0, -1000.0)  # two pairs that rounding would tie
ASPECTS = {  # in what the values of one argument vary, over all draws of a check
    "several": "a scalar: three values and more",
    "fractions": "not all whole",
    "negative": "some below 0",
    "positive": "some above 0",
    "zero": "some 0",
    "large": "some of size 100 and more",
    "small": "some below 0.01 and not 0",
    "near": "two of one array that differ by less than 0.001",
    "repeated": "some arrays with equal entries",
    "distinct": "some arrays of three entries and more without equal ones",
    "unsorted": "some arrays that neither rise nor fall",
    "sizes": "sizes0, sizes1, ...: three lengths and more along this axis",
    "one": "one0, one1, ...: some arrays of length 1 along this axis",
    "tall": "some tables with more rows than columns",
    "wide": "some tables with more columns than rows",
}


@dataclass(frozen=True, eq=False)
class Exercise:
    """A function to write from memory, and all that the judge needs to know about it.

    Parameters
    ----------
    id : str
        ``"<stem>/<name>"``.
    signature : str
        ``"roc_curve(y_true, y_score) -> fpr, tpr, thresholds"``: the function, its arguments and its results.
    task, task_zh : str
        What to write, in one or two sentences.
    reference : callable
        Ours. What it returns is right.
    tiers : tuple of hypothesis strategies
        Each draws a tuple of arguments; readable inputs first.
    hints : (str, str, str)
        The idea, the key step, nearly the code.
    forbidden : sequence of str
        Dotted names of shortcuts: functions (``"numpy.trapezoid"``), methods (``"torch.Tensor.softmax"``), or modules
        (``"sklearn.metrics"``, everything in it). Our own module of the topic is always forbidden.
    tensors : bool
        Whether arrays are handed over as torch tensors.
    gradient : tuple of str
        The arguments whose gradients are compared too.
    overflow : {"ignore", "raise"}
        Whether an overflow on the way is an error even where the result is right.
    cost : str
        What it costs, as an interviewer asks: "O(n log n): the sort".
    narrow : dict of str to str
        What the inputs cannot vary in: an argument to its `ASPECTS`, a colon and the reason.
    """

    id: str
    signature: str
    task: str
    task_zh: str
    reference: Callable
    tiers: tuple
    hints: tuple
    forbidden: tuple = ()
    tensors: bool = False
    gradient: tuple = ()
    overflow: str = "ignore"
    cost: str = ""
    narrow: dict = field(default_factory=dict)
    rights: list = field(default_factory=list, init=False)
    libraries: list = field(default_factory=list, init=False)
    wrongs: dict = field(default_factory=dict, init=False)

    def right(self, function):
        """Keep a differently written right answer. The first one is shown as the solution."""
        self.rights.append(function)
        return function

    def library(self, function):
        """Keep the library's version: right, but forbidden."""
        self.libraries.append(function)
        return function

    def wrong(self, sentence):
        """Keep a wrong answer that people really write, with the sentence that tells them."""

        def keep(function):
            self.wrongs[function] = sentence
            return function

        return keep

    @property
    def stem(self):
        """The topic's short name."""
        return self.id.partition("/")[0]

    @property
    def name(self):
        """Name of the function to write."""
        return self.signature.partition("(")[0]

    @property
    def parameters(self):
        """Names of the arguments."""
        inside = self.signature.partition("(")[2].rpartition(")")[0]
        return [argument.partition("=")[0].strip() for argument in inside.split(",")]

    @property
    def results(self):
        """Names of what is returned."""
        return [name.strip() for name in self.signature.partition("->")[2].split(",")]

    @property
    def refused(self):
        """Every dotted name that the learner may not call."""
        ours = f"{self.reference.__module__}.{self.reference.__qualname__}"
        return (f"helpers.algorithms.{self.stem}", ours, *self.forbidden)


def arrays(shape, values=SMALL):
    """Draw a float64 array whose entries are among `values`; `shape` may itself be a strategy."""
    return hnp.arrays(np.float64, shape, elements=st.sampled_from(values), fill=st.nothing())


def load(exercise_id):
    """Return an exercise by its id.

    Raises
    ------
    ValueError
        If there is none of this id. Close matches are named.
    """
    if isinstance(exercise_id, str):
        for exercise in _of_topic(exercise_id.partition("/")[0]):
            if exercise.id == exercise_id:
                return exercise
    known = [exercise.id for exercise in all_exercises()]
    close = difflib.get_close_matches(str(exercise_id), known, cutoff=0.4) or known
    raise ValueError(f"no exercise is called {exercise_id!r}; did you mean {' or '.join(close)}?")


def all_exercises():
    """Return the exercises of all topics, in the order of the topics."""
    return [exercise for topic in TOPICS for exercise in _of_topic(topic.stem)]


def _of_topic(stem):
    name = f"{__name__}.{stem}"
    if stem not in {topic.stem for topic in TOPICS} or importlib.util.find_spec(name) is None:
        return []
    return [value for value in vars(importlib.import_module(name)).values() if isinstance(value, Exercise)]
