"""Direct manipulation: what the mouse drags and the arrow keys move on an explorer's picture.

A handle reads and sets the value of one control, and a value has parts: a line has one, a cloud has one a point, a box
its corners, its sides and its middle. Press near a part and drag it. From the keyboard: click the picture or reach it
with Tab, choose a part with N (next) or P (previous), move it with the arrow keys (Shift for larger steps).
"""

import asyncio

import numpy as np

from .. import theme

REACH = 12  # how near to a part you must press, in pixels of a 100 dpi figure
ARROWS = {"left": (-1, 0), "right": (1, 0), "down": (0, -1), "up": (0, 1)}


class Handle:
    """The interface of a handle.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where it can be grabbed.
    name : str
        The control that it sets.
    """

    def __init__(self, axes, name):
        self.axes, self.name = axes, name
        (self.ring,) = axes.plot(
            [], [], "o", ms=20, mfc="none", mec=theme.INK, animated=True, scalex=False, scaley=False
        )

    def places(self, value):
        """Return {part: (x, y)}, in data coordinates; a coordinate that does not matter is NaN."""
        raise NotImplementedError

    def moved(self, value, part, dx, dy):
        """Return what `value` becomes when `part` is moved by (dx, dy)."""
        raise NotImplementedError

    def around(self, value, x, y):
        """Return the part to grab at (x, y) when no place is near, or None."""

    def added(self, value, x, y):
        """Return the value with a part added at (x, y), and the part; None if a click adds nothing."""

    def removed(self, value, part):
        """Return the value without `part`; None if it cannot be removed."""

    def _inside(self, x, y):
        return float(np.clip(x, *sorted(self.axes.get_xlim()))), float(np.clip(y, *sorted(self.axes.get_ylim())))


class Line(Handle):
    """A vertical line (a horizontal one with ``axis="y"``) at the value of a slider."""

    def __init__(self, axes, name, axis="x"):
        super().__init__(axes, name)
        self._is_vertical = axis == "x"

    def places(self, value):
        return {"line": (value, np.nan) if self._is_vertical else (np.nan, value)}

    def moved(self, value, part, dx, dy):
        return value + (dx if self._is_vertical else dy)


class Points(Handle):
    """Points: the value is a tuple of tuples (x, y, ...).

    Parameters
    ----------
    new : callable, optional
        If given, a click adds the point ``(x, y, *new())`` and Delete removes the chosen one.
    """

    def __init__(self, axes, name, new=None):
        super().__init__(axes, name)
        self._new = new

    def places(self, value):
        return {i: point[:2] for i, point in enumerate(value)}

    def moved(self, value, part, dx, dy):
        x, y, *rest = value[part]
        return _replaced(value, part, (*self._inside(x + dx, y + dy), *rest))

    def added(self, value, x, y):
        return ((*value, (x, y, *self._new())), len(value)) if self._new else None

    def removed(self, value, part):
        return value[:part] + value[part + 1 :] if self._new else None


class Boxes(Handle):
    """Boxes: the value is a tuple of (x1, y1, x2, y2). A part is a box's index and which of the four numbers move."""

    _SIDES = (  # corners, sides, and the whole box
        *((1, 1, 0, 0), (0, 1, 1, 0), (1, 0, 0, 1), (0, 0, 1, 1)),
        *((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
        (1, 1, 1, 1),
    )

    def places(self, value):
        def middle(low, high, moves_low, moves_high):
            return (low + high) / 2 if moves_low == moves_high else low if moves_low else high

        return {
            (n, sides): (middle(x1, x2, sides[0], sides[2]), middle(y1, y2, sides[1], sides[3]))
            for n, (x1, y1, x2, y2) in enumerate(value)
            for sides in self._SIDES
        }

    def moved(self, value, part, dx, dy):
        n, sides = part
        x1, y1, x2, y2 = (old + step * side for old, step, side in zip(value[n], (dx, dy, dx, dy), sides, strict=True))
        low, high = self._inside(min(x1, x2), min(y1, y2)), self._inside(max(x1, x2), max(y1, y2))
        return _replaced(value, n, (*low, *high))

    def around(self, value, x, y):
        boxes = [
            ((x2 - x1) * (y2 - y1), n) for n, (x1, y1, x2, y2) in enumerate(value) if x1 <= x <= x2 and y1 <= y <= y2
        ]
        return (min(boxes)[1], self._SIDES[-1]) if boxes else None  # the smallest, as it lies on top


class Pointer:
    """Turns the canvas's mouse and key events into values of an explorer's controls."""

    def __init__(self, explorer, handles):
        self._explorer, self._handles = explorer, handles
        self._chosen = None  # a handle and one of its parts
        self._start = None  # while dragging: the value, and the pointer's place, when the button went down
        self._latest = None  # the newest motion that the picture has not followed yet
        self._by_keys = False
        for name in ("button_press", "motion_notify", "button_release", "key_press"):
            explorer.canvas.mpl_connect(f"{name}_event", self._guarded(getattr(self, f"_on_{name}")))

    def draw(self):
        """Ring the chosen part, if it was chosen from the keyboard."""
        places = self._chosen and self._chosen[0].places(self._value())
        if self._by_keys and self._chosen[1] in places:
            handle, part = self._chosen
            middle = np.mean([handle.axes.get_xlim(), handle.axes.get_ylim()], axis=1)
            handle.ring.set_data(*np.where(np.isnan(places[part]), middle, places[part])[:, None])
            handle.axes.draw_artist(handle.ring)

    def _guarded(self, handler):
        def handle(event):
            if not self._explorer.canvas.widgetlock.locked():  # zooming and panning come first
                self._explorer.attempt(lambda: handler(event))

        return handle

    def _on_button_press(self, event):
        self._by_keys = False
        for handle in self._handles:
            if event.button != 1 or event.inaxes is not handle.axes:
                continue
            value, place = self._explorer.values[handle.name], (event.xdata, event.ydata)
            part = _nearest(handle, value, event)
            if part is None and (addition := handle.added(value, *place)):
                value, part = addition
                self._explorer.assign(handle.name, value)
            if part is not None:
                self._chosen, self._start = (handle, part), (value, place)
                return

    def _on_motion_notify(self, event):
        """Keep only the latest place: motions queue up behind a slow update, and the picture would lag behind."""
        if self._start is None:
            return
        waiting, self._latest = self._latest is not None, event
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # outside a kernel nothing queues
            self._follow()
        else:
            if not waiting:
                loop.call_later(0.002, self._explorer.attempt, self._follow)

    def _on_button_release(self, event):
        self._follow()
        self._start = None

    def _follow(self):
        event, self._latest = self._latest, None
        if event is not None and self._start is not None:
            (handle, part), (value, (x, y)) = self._chosen, self._start
            to_x, to_y = handle.axes.transData.inverted().transform((event.x, event.y))  # also outside the axes
            self._explorer.assign(handle.name, handle.moved(value, part, to_x - x, to_y - y))

    def _on_key_press(self, event):
        parts = [
            (handle, part) for handle in self._handles for part in handle.places(self._explorer.values[handle.name])
        ]
        if not parts or event.key is None:
            return
        self._by_keys = True
        here = parts.index(self._chosen) if self._chosen in parts else 0
        key = event.key.removeprefix("shift+").lower()
        self._chosen = parts[(here + {"n": 1, "p": -1}.get(key, 0)) % len(parts)]
        handle, part = self._chosen
        if key in ARROWS:
            limits = np.array([handle.axes.get_xlim(), handle.axes.get_ylim()])  # the second smaller on a turned axis
            step = (0.05 if "shift" in event.key else 0.01) * (limits[:, 1] - limits[:, 0])
            self._explorer.assign(handle.name, handle.moved(self._value(), part, *(step * ARROWS[key])))
        elif key in ("delete", "backspace") and (rest := handle.removed(self._value(), part)) is not None:
            self._explorer.assign(handle.name, rest)
        else:
            self._explorer.blit()

    def _value(self):
        return self._explorer.values[self._chosen[0].name]


def _nearest(handle, value, event):
    """The part of `handle` within reach of the pointer, or the one around it."""

    def distance(place):
        pixels = handle.axes.transData.transform(np.nan_to_num(place))
        return np.hypot(*np.where(np.isnan(place), 0, pixels - (event.x, event.y)))

    distances = {part: distance(place) for part, place in handle.places(value).items()}
    nearest = min(distances, key=distances.get, default=None)
    if nearest is not None and distances[nearest] <= REACH * handle.axes.figure.dpi / theme.DPI:
        return nearest
    return handle.around(value, event.xdata, event.ydata)


def _replaced(values, index, value):
    return (*values[:index], value, *values[index + 1 :])
