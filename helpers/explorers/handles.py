"""Direct manipulation: what the mouse drags and the arrow keys move on an explorer's picture.

A handle sets one control, and what it sets has parts: a line has one, a cloud has one per point, a box its corners, its
sides and its middle. Press near a part and drag it, by mouse, finger or pen. From the keyboard: click the picture or
reach it with Tab, choose a part with N (next) or P (previous), move it with the arrow keys (Shift for larger steps).
"""

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
    name : str or tuple of str
        The control that it sets, or several at once; their values are then a tuple too.

    Notes
    -----
    Each method gets the values of all controls, a dict, because a part's place may depend on several.
    """

    cursor = "grab"

    def __init__(self, axes, name):
        self.axes, self.name = axes, name

    def places(self, values):
        """Return {part: (x, y)}, in data coordinates; a coordinate that does not matter is NaN."""
        return {}

    def moved(self, values, part, dx, dy):
        """Return what the control becomes when `part` is moved by (dx, dy)."""
        raise NotImplementedError

    def around(self, values, x, y):
        """Return the part to grab at (x, y) when no place is near, or None."""

    def added(self, values, x, y):
        """Return what the control becomes with a part added at (x, y), and the part; None if a click adds nothing."""

    def removed(self, values, part):
        """Return what the control becomes without `part`; None if it cannot be removed."""

    def pointed(self, values, x, y):
        """Return what the control becomes when the pointer is at (x, y), pressed or not; None if that does nothing."""

    def inside(self, x, y):
        """Return the nearest place within the axes."""
        return float(np.clip(x, *sorted(self.axes.get_xlim()))), float(np.clip(y, *sorted(self.axes.get_ylim())))


class Line(Handle):
    """A vertical line (a horizontal one with ``axis="y"``) at the value of a slider."""

    def __init__(self, axes, name, axis="x"):
        super().__init__(axes, name)
        self._is_vertical = axis == "x"
        self.cursor = "ew-resize" if self._is_vertical else "ns-resize"

    def places(self, values):
        value = values[self.name]
        return {"line": (value, np.nan) if self._is_vertical else (np.nan, value)}

    def moved(self, values, part, dx, dy):
        return values[self.name] + (dx if self._is_vertical else dy)


class Points(Handle):
    """Points: the value is a tuple of tuples (x, y, ...).

    Parameters
    ----------
    new : callable, optional
        If given, a click adds the point ``(x, y, *new(values))`` and Delete removes the chosen one.
    """

    def __init__(self, axes, name, new=None):
        super().__init__(axes, name)
        self._new = new

    def places(self, values):
        return {i: point[:2] for i, point in enumerate(values[self.name])}

    def moved(self, values, part, dx, dy):
        x, y, *rest = values[self.name][part]
        return _replaced(values[self.name], part, (*self.inside(x + dx, y + dy), *rest))

    def added(self, values, x, y):
        points = values[self.name]
        return ((*points, (x, y, *self._new(values))), len(points)) if self._new else None

    def removed(self, values, part):
        points = values[self.name]
        return points[:part] + points[part + 1 :] if self._new else None


class Boxes(Handle):
    """Boxes: the value is a tuple of (x1, y1, x2, y2). A part is a box's index and which of the four numbers move."""

    _WHOLE = (1, 1, 1, 1)
    _SIDES = (  # corners, sides, and the whole box
        *((1, 1, 0, 0), (0, 1, 1, 0), (1, 0, 0, 1), (0, 0, 1, 1)),
        *((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
        _WHOLE,
    )

    def places(self, values):
        def middle(low, high, moves_low, moves_high):
            return (low + high) / 2 if moves_low == moves_high else low if moves_low else high

        return {
            (n, sides): (middle(x1, x2, sides[0], sides[2]), middle(y1, y2, sides[1], sides[3]))
            for n, (x1, y1, x2, y2) in enumerate(values[self.name])
            for sides in self._SIDES
        }

    def moved(self, values, part, dx, dy):
        n, sides = part
        x1, y1, x2, y2 = values[self.name][n]
        if sides == self._WHOLE:  # it stops at the frame and keeps its size
            left, bottom = self.inside(x1 + dx, y1 + dy)
            right, top = self.inside(left + x2 - x1, bottom + y2 - y1)
            return _replaced(values[self.name], n, (right - (x2 - x1), top - (y2 - y1), right, top))
        x1, y1, x2, y2 = (
            old + step * side for old, step, side in zip((x1, y1, x2, y2), (dx, dy) * 2, sides, strict=True)
        )
        low, high = self.inside(min(x1, x2), min(y1, y2)), self.inside(max(x1, x2), max(y1, y2))
        return _replaced(values[self.name], n, (*low, *high))

    def around(self, values, x, y):
        boxes = [
            ((x2 - x1) * (y2 - y1), n)
            for n, (x1, y1, x2, y2) in enumerate(values[self.name])
            if x1 <= x <= x2 and y1 <= y <= y2
        ]
        return (min(boxes)[1], self._WHOLE) if boxes else None  # the smallest, as it lies on top


class Pointer:
    """Turns gestures and keys on an explorer's picture into values of its controls.

    Parameters
    ----------
    explorer : Explorer
    handles : list of Handle
    """

    def __init__(self, explorer, handles):
        self._explorer, self._handles = explorer, handles
        self.let_go()
        self._press = None  # the id of the gesture whose button is down or was last
        self._rings = {}
        for handle in handles:
            if handle.axes not in self._rings:
                style = {"ms": 20, "mfc": "none", "mec": theme.INK, "scalex": False, "scaley": False}
                (self._rings[handle.axes],) = handle.axes.plot([], [], "o", **style)

    def let_go(self):
        """Choose and hold nothing."""
        self._chosen = None  # a handle and one of its parts
        self._by_keys = False  # whether it was chosen from the keyboard
        self._start = None  # while a part is held: the values and the place in data coordinates where that began

    @property
    def artists(self):
        """The rings that show which part is chosen; they lie over everything."""
        return list(self._rings.values())

    def place_ring(self):
        """Ring the chosen part, if it was chosen from the keyboard."""
        for ring in self._rings.values():
            ring.set_data([], [])
        places = self._chosen[0].places(self._explorer.values) if self._chosen and self._by_keys else {}
        if places and self._chosen[1] in places:
            handle, part = self._chosen
            middle = np.mean([handle.axes.get_xlim(), handle.axes.get_ylim()], axis=1)
            self._rings[handle.axes].set_data(*np.where(np.isnan(places[part]), middle, places[part])[:, None])

    def gesture(self, *, id, start, place, down):
        """Follow the pointer; see `Canvas.gesture`. The newest gesture says all, whichever were lost before it."""
        size = self._explorer.figure.bbox.size
        place = np.multiply(place, size)
        if start is None:
            self._point(place)
            return
        if id != self._press:
            self._press, self._by_keys = id, False
            self._grab(np.multiply(start, size))
        if self._start is None:
            self._point(place)
        else:
            (handle, part), (values, (x, y)) = self._chosen, self._start
            to_x, to_y = handle.axes.transData.inverted().transform(place)  # also outside the axes
            self._explorer.canvas.cursor = "grabbing" if down and handle.cursor == "grab" else handle.cursor
            self._explorer.assign(handle.name, handle.moved(values, part, to_x - x, to_y - y))

    def key(self, key):
        """Choose a part with "n" and "p", move it with the arrows, remove it with "delete"; "shift+" moves further."""
        parts = [(handle, part) for handle in self._handles for part in handle.places(self._explorer.values)]
        if not parts:
            return
        self._by_keys = True
        here = parts.index(self._chosen) if self._chosen in parts else 0
        plain = key.removeprefix("shift+")
        self._chosen = parts[(here + {"n": 1, "p": -1}.get(plain, 0)) % len(parts)]
        handle, part = self._chosen
        values = self._explorer.values
        if plain in ARROWS:
            limits = np.array([handle.axes.get_xlim(), handle.axes.get_ylim()])  # the second smaller on a turned axis
            step = (0.05 if key != plain else 0.01) * (limits[:, 1] - limits[:, 0])
            for times in (1, 2, 4, 8, 16, 32):  # a control whose steps are large moves by one of them
                self._explorer.assign(handle.name, handle.moved(values, part, *(times * step * ARROWS[plain])))
                if self._explorer.values != values:
                    break
        elif plain == "delete" and (rest := handle.removed(values, part)) is not None:
            self._explorer.assign(handle.name, rest)
        self._explorer.refresh()

    def _grab(self, place):
        """Choose what lies at a place, or add something there."""
        values, self._start = self._explorer.values, None
        for handle, (x, y) in self._under(place):
            part = _nearest(handle, values, place, x, y)
            if part is None and (addition := handle.added(values, x, y)):
                value, part = addition
                self._explorer.assign(handle.name, value)
                values = self._explorer.values
            if part is not None:
                self._chosen, self._start = (handle, part), (values, (x, y))
                return

    def _point(self, place):
        """The pointer moves and holds nothing: its look tells what could be grabbed, and some handles follow it."""
        values, cursor = self._explorer.values, "default"
        for handle, (x, y) in self._under(place):
            if _nearest(handle, values, place, x, y) is not None:
                cursor = handle.cursor
                break
            if handle.added(values, x, y):
                cursor = "copy"
            elif (value := handle.pointed(values, x, y)) is not None:
                cursor = "pointer"
                self._explorer.assign(handle.name, value)
        self._explorer.canvas.cursor = cursor

    def _under(self, place):
        """Handles whose axes lie under a place, with the place in their data coordinates."""
        for handle in self._handles:
            if handle.axes.bbox.contains(*place):
                yield handle, handle.axes.transData.inverted().transform(place)


def _nearest(handle, values, place, x, y):
    """The part of `handle` within reach of the pointer, or the one around it."""

    def distance(part):
        pixels = handle.axes.transData.transform(np.nan_to_num(part))
        return np.hypot(*np.where(np.isnan(part), 0, pixels - place))

    distances = {part: distance(where) for part, where in handle.places(values).items()}
    nearest = min(distances, key=distances.get, default=None)
    if nearest is not None and distances[nearest] <= REACH * handle.axes.figure.dpi / theme.DPI:
        return nearest
    return handle.around(values, x, y)


def _replaced(values, index, value):
    return (*values[:index], value, *values[index + 1 :])
