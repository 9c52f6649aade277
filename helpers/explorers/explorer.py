"""The engine under every explorer: a figure is drawn once, and controls move a few live artists over it.

Redrawing a matplotlib figure takes several times as long as putting its background back and drawing only the artists
that moved ("blitting"). `Explorer` does that on ipympl's canvas and adds what every explorer needs: controls, handles
to drag, readouts as text, play and reset, errors that are shown and forgotten, a picture for readers without a kernel.
"""

import struct
import zlib
from base64 import b64encode
from html import escape
from numbers import Integral, Real

import ipywidgets as widgets
import numpy as np
from ipympl.backend_nbagg import Canvas, FigureManager
from IPython import get_ipython
from PIL import Image
from traitlets import Any, HasTraits, TraitError

from .. import theme
from .handles import Pointer

SLIDERS = widgets.IntSlider, widgets.FloatSlider, widgets.FloatLogSlider


class State(HasTraits):
    """A control without a widget, for values that only handles set. Use tuples: they are compared by value."""

    value = Any()

    def __init__(self, value):
        super().__init__(value=value)


class Readouts(dict):
    """What an explorer says beside its picture: name -> number or text. Numbers show four significant digits."""

    def __repr__(self):
        return "\n".join(f"{name}: {_text(value)}" for name, value in self.items())

    def to_html(self):
        """Return a table that screen readers read when it changes."""
        rows = (f"<tr><th scope='row'>{escape(k)}</th><td>{escape(_text(v))}</td></tr>" for k, v in self.items())
        return f"{_TABLE_STYLE}<table class='viva-readouts' aria-live='polite'>{''.join(rows)}</table>"


_TABLE_STYLE = """<style>
.viva-readouts { border-collapse: collapse; line-height: 1.5; font-size: 14px }
.viva-readouts th { text-align: left; font-weight: normal; padding: 0 12px 0 0 }
.viva-readouts td { text-align: right; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap }
</style>"""


class Explorer(widgets.VBox):
    """A figure, its controls and its readouts in one widget.

    Parameters
    ----------
    title : str
        Names the explorer where no picture can be shown.
    figure : matplotlib.figure.Figure
        Made by `theme.figure`, with all its artists.
    controls : dict of str -> widget or State
        Everything that `update` depends on. Widgets stand above the picture in this order.
    live : list of Artist
        The artists that `update` changes. All others are drawn once.
    update : callable
        ``update(**values)`` gets the value of every control, sets the live artists and returns the readouts, a dict.
    handles : list of Handle, optional
        What the mouse and the arrow keys move on the picture.
    actions : dict of str -> callable, optional
        Buttons. Each callable returns the values to set, as a dict.
    play : str, optional
        The integer slider that plays like a film and can be stepped.

    Attributes
    ----------
    values : dict
        The value of every control.
    readouts : Readouts
        What the latest valid update returned.
    error : str
        What the explorer complains of; empty when all is well.
    canvas : ipympl Canvas
    """

    def __init__(self, title, figure, controls, live, update, *, handles=(), actions=None, play=None):
        self._title, self._controls, self._update, self._actions = title, controls, update, dict(actions or {})
        self._live = sorted(live, key=lambda artist: artist.get_zorder())
        for artist in self._live:
            artist.set_animated(True)
        self._opening = self.values
        self._background = None
        self._held = False  # while several controls are set, there is one update, at the end
        self.readouts = Readouts(update(**self.values))  # an error here is the author's, who wants to see it

        self.canvas = _Canvas(figure)
        self._opening_picture = theme.png(figure)  # this arranges the axes, once, as `_lay_out` does for other sizes
        figure.set_layout_engine("none")
        self.canvas.header_visible = self.canvas.footer_visible = False
        self.canvas.mpl_disconnect(FigureManager(self.canvas, 0).key_press_handler_id)  # the keys belong to the handles
        self.canvas.mpl_connect("draw_event", self._on_draw)
        self.canvas.mpl_connect("resize_event", lambda _: self._lay_out())
        self._pointer = Pointer(self, handles)
        for control in self._controls.values():
            control.observe(lambda _: self._held or self.attempt(self._refresh), "value")

        self._table = widgets.HTML(self.readouts.to_html(), layout={"min_width": "200px", "margin": "8px"})
        self._message = widgets.HTML()
        self._say("")
        super().__init__([*self._rows(play), self._message])
        self.add_class("viva-explorer")
        _replace_earlier_run(self)

    @property
    def values(self):
        return {name: control.value for name, control in self._controls.items()}

    def set(self, **values):
        """Set controls from code, as a hand would, and return the readouts.

        Raises
        ------
        ValueError
            If a control does not exist or does not allow the value. Nothing is changed then.
        """
        before = self.values
        self._held = True
        try:
            for name, value in values.items():
                self._set_one(name, value)
        except ValueError:
            for name, value in before.items():
                self._controls[name].value = value
            raise
        finally:
            self._held = False
        self._refresh()
        return self.readouts

    def press(self, label):
        """Do what the button named `label` does, and return the readouts."""
        if label not in self._actions:
            raise ValueError(f"label must be one of {', '.join(self._actions)}, got {label!r}")
        return self.set(**self._actions[label]())

    def reset(self):
        """Return every control to its opening value, and return the readouts."""
        return self.press("Reset")

    def assign(self, name, value):
        """Set one control as a hand does that drags: a slider stops at its ends."""
        control = self._controls[name]
        if isinstance(control, SLIDERS):
            low, high = _limits(control)
            value = _on_grid(control, min(max(value, low), high))
        control.value = value

    def blit(self):
        """Put the background back and draw the live artists over it."""
        if self._background is not None:  # else nobody has seen the picture yet
            self.canvas.restore_region(self._background)
            self._draw_live()
            self.canvas.blit()

    def attempt(self, action):
        """Call `action` for a hand that clicks, drags or types: an error is shown, in one line, and not raised."""
        try:
            action()
        except Exception as error:
            self._say(f"{type(error).__name__}: {error}")

    def close(self):
        """Release the figure, the canvas and all widgets. The explorer cannot be used again."""
        if self.comm is None:  # closed before, or never finished
            return
        for widget in [*_family(self), *self._links]:
            super().close() if widget is self else widget.close()
        self.canvas.figure.clear()

    def _set_one(self, name, value):
        if name not in self._controls:
            raise ValueError(f"{name} is not a control; this explorer has {', '.join(self._controls)}")
        control = self._controls[name]
        if isinstance(control, SLIDERS):
            low, high = _limits(control)
            if not (isinstance(value, Real) and low <= value <= high):
                raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
            value = _on_grid(control, value)
        try:
            control.value = value
        except TraitError as error:
            raise ValueError(f"{name} cannot be {value!r}: {error}") from None

    def _refresh(self):
        try:
            self.readouts = Readouts(self._update(**self.values))
        except Exception as error:
            self._say(f"{type(error).__name__}: {error}")
            raise
        self.blit()  # first: the eye is on the picture
        self._table.value = self.readouts.to_html()
        self._say("")

    def _lay_out(self):
        """Arrange the axes once for this size: constrained layout drifts a little each time it is run."""
        self.canvas.figure.set_layout_engine("constrained")
        self.canvas.figure.draw_without_rendering()
        self.canvas.figure.set_layout_engine("none")
        self._background = None  # that of the old size; the draw that follows a resize makes a new one

    def _on_draw(self, event):
        """Keep the new background: the figure was shown for the first time, resized, zoomed or panned."""
        if not self.canvas.is_saving():  # a saved file contains the live artists, which a background must not
            self._background = self.canvas.copy_from_bbox(self.canvas.figure.bbox)
            self._draw_live()

    def _draw_live(self):
        for artist in self._live:
            self.canvas.figure.draw_artist(artist)
        self._pointer.draw()

    def _say(self, message):
        self.error = message
        self._message.value = message and f"<div role='alert'>&#9888; {escape(message)}</div>"

    def _rows(self, play):
        shown = [control for control in self._controls.values() if isinstance(control, widgets.Widget)]
        for control in shown:
            control.style.description_width = "initial"  # as wide as it needs, never cut
            if isinstance(control, SLIDERS):
                control.layout.width = "320px"
        players, self._links = [], []
        if play:
            slider = self._controls[play]
            player = widgets.Play(min=slider.min, max=slider.max, value=slider.value, interval=200)
            self._links = [widgets.jslink((player, name), (slider, name)) for name in ("value", "max")]
            players = [player]
            self._actions |= {
                "Back": lambda: {play: max(slider.value - slider.step, slider.min)},
                "Step": lambda: {play: min(slider.value + slider.step, slider.max)},
            }
        self._actions["Reset"] = lambda: self._opening
        buttons = [self._button(label) for label in self._actions]
        row = widgets.Box([*shown, *players, *buttons], layout={"flex_flow": "row wrap", "align_items": "center"})
        return row, widgets.Box([self.canvas, self._table], layout={"align_items": "flex-start"})

    def _button(self, label):
        button = widgets.Button(description=label, layout={"width": "auto"})
        button.on_click(lambda _: self.attempt(lambda: self.press(label)))
        return button

    def __repr__(self):
        return f"{self._title}\n{self.readouts!r}"

    def _repr_mimebundle_(self, **kwargs):
        picture = b64encode(self._opening_picture).decode()
        return {**super()._repr_mimebundle_(**kwargs), "text/plain": repr(self), "image/png": picture}


class _Canvas(Canvas):
    """ipympl's canvas, sending whole frames: it drops differences while the mouse drags, which leaves ghosts."""

    def get_diff_image(self):
        if not self._png_is_old:
            return None
        self._png_is_old = False
        self.set_image_mode("full")
        pixels = np.asarray(self.get_renderer().buffer_rgba())
        self._last_buff = pixels.view(np.uint32).squeeze(2)  # read by ipympl until a browser has connected
        return _png(np.asarray(Image.fromarray(pixels).convert("RGB")))  # ten times as fast as slicing

    def send_json(self, content):
        if content["type"] != "message":  # the pointer's coordinates, for the footer that is not shown
            super().send_json(content)


def _png(pixels):
    """Encode (height, width, 3) bytes as a PNG without row filters.

    Pillow tries all filters on every row. For an explorer's frames that takes twice as long as the compression, and the
    file comes out no smaller.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each row starts with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of red, green and blue
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows, level=1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _limits(control):
    if isinstance(control, widgets.FloatLogSlider):  # its limits and its step are those of the exponent
        return control.base**control.min, control.base**control.max
    return control.min, control.max


def _on_grid(control, value):
    """The value nearest to `value` that the slider can show; the browser would otherwise move to it by itself."""
    if isinstance(control, widgets.FloatLogSlider):
        exponent = np.log(value) / np.log(control.base)
        return float(control.base ** (control.min + round((exponent - control.min) / control.step) * control.step))
    return round(control.min + round((value - control.min) / control.step) * control.step, 9)


def _text(value):
    return f"{value:.4g}" if isinstance(value, Real) and not isinstance(value, Integral) else str(value)


def _family(widget, seen=None):
    """All widgets that `widget` holds, itself included."""
    seen = {} if seen is None else seen
    if isinstance(widget, widgets.Widget) and id(widget) not in seen:
        seen[id(widget)] = widget
        for name in widget.keys:
            held = getattr(widget, name)
            for other in held if isinstance(held, list | tuple) else [held]:
                _family(other, seen)
    return list(seen.values())


_shown_by_cell = {}


def _replace_earlier_run(explorer):
    """Close the explorers that an earlier run of the same notebook cell has left, so that none pile up."""
    parent = get_ipython().get_parent() if hasattr(get_ipython(), "get_parent") else {}
    cell, run = parent.get("metadata", {}).get("cellId"), parent.get("header", {}).get("msg_id")
    if cell:
        earlier_run, explorers = _shown_by_cell.get(cell, (run, []))
        if earlier_run != run:
            for earlier in explorers:
                earlier.close()
            explorers = []
        _shown_by_cell[cell] = run, [*explorers, explorer]
