"""Time of one update and its drawing, in the kernel, for every explorer."""

import statistics
import time
from importlib import import_module

import numpy as np

from helpers.explorers.controls import Choice, Slider, Switch
from helpers.topics import TOPICS

from .row import Row

LIMIT = 16  # milliseconds


def rows():
    for topic in TOPICS:
        if topic.ready:
            for name, build in import_module(f"helpers.explorers.{topic.stem}").examples().items():
                yield Row(f"update and draw, {topic.stem} {name}", update_and_draw(build()), LIMIT, unit=" ms")


def update_and_draw(explorer, updates=40):
    """Return the median time in ms from a new value to the drawn picture, for the slowest of the controls."""
    rng = np.random.default_rng(0)
    explorer.canvas.pixels()
    medians = []
    for change in changes(explorer, rng):
        times = []
        for _ in range(updates):
            name, value = change()
            start = time.perf_counter()
            explorer.assign(name, value)
            explorer.canvas.pixels()
            times.append(time.perf_counter() - start)
        explorer.reset()
        medians.append(statistics.median(times) * 1000)
    explorer.close()
    return max(medians)


def changes(explorer, rng):
    """Yield, for every control and every handle, a function that returns its name and a new value for it."""
    for name, control in explorer.declared.items():
        if isinstance(control, Slider):
            yield lambda name=name, control=control: (name, control.between(rng.random()))
        elif isinstance(control, (Choice, Switch)):
            values = control.samples()
            yield lambda name=name, values=values: (name, values[rng.integers(len(values))])
    for handle in explorer.handles:
        part = next(iter(handle.places(explorer.values)), None)
        if part is not None:
            span = np.ptp([handle.axes.get_xlim(), handle.axes.get_ylim()], axis=1)
            yield lambda handle=handle, part=part, span=span: (
                handle.name,
                handle.moved(explorer.values, part, *rng.uniform(-0.1, 0.1, 2) * span),
            )
