"""A hand for tests: it presses, drags and types on an explorer's picture, as a page reports it."""

from itertools import count

import numpy as np

_presses = count()


def share(explorer, axes, place):
    """Where a place in data coordinates lies, as shares of the picture's width and height."""
    return tuple(axes.transData.transform(place) / explorer.figure.bbox.size)


def gestures(explorer, axes, start, *stops):
    """The gestures of a drag from `start` over `stops`, all in data coordinates; the last one lets go."""
    press, places = f"test-{next(_presses)}", [share(explorer, axes, place) for place in (start, *stops)]
    held = [{"id": press, "start": places[0], "place": place, "down": True} for place in places]
    return [*held, held[-1] | {"down": False}]


def drag(explorer, axes, start, *stops):
    for gesture in gestures(explorer, axes, start, *stops):
        explorer.canvas.gesture = gesture


def click(explorer, axes, place):
    drag(explorer, axes, place)


def hover(explorer, axes, place):
    explorer.canvas.gesture = {
        "id": "over",
        "start": None,
        "place": share(explorer, axes, place),
        "down": False,
    }


def press_key(explorer, key):
    explorer.attempt(lambda: explorer.pointer.key(key))


def shown(explorer):
    """The pixels of the present frame."""
    return explorer.canvas.pixels().copy()


def redrawn(explorer):
    """The pixels after everything was drawn anew."""
    explorer.canvas.redraw()
    return shown(explorer)


def same(first, second):
    return np.array_equal(first, second)
