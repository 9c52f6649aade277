"""The engine under every explorer: a figure is drawn once, and controls move a few live artists over it.

Redrawing a matplotlib figure takes several times as long as putting its background back and drawing only the artists
that moved ("blitting"). `Explorer` does that and adds what every explorer needs: controls, handles to drag, readouts as
text, play and reset, errors that are shown and forgotten, a picture for readers without a kernel.
"""

import asyncio
from base64 import b64encode
from dataclasses import replace
from functools import partial
from html import escape
from io import BytesIO

import ipywidgets as widgets
from matplotlib.artist import Artist
from matplotlib.transforms import Bbox
from traitlets import HasTraits

from .. import theme
from ..language import say
from ..notebook import as_text, close_earlier_run
from .canvas import Canvas
from .controls import Button, Control
from .handles import Pointer

FILM = 10.0  # seconds that a process plays, if its steps are then neither too short nor too long to follow
SHORTEST, LONGEST = 0.05, 0.6


class Readouts(dict):
    """What an explorer says beside its picture: name -> number or text. Numbers show four significant digits."""

    def __repr__(self):
        return "\n".join(f"{name}: {as_text(value)}" for name, value in self.items())

    def to_html(self):
        """Return the rows of a table."""
        said = ((escape(say(name)), escape(say(as_text(value)))) for name, value in self.items())
        rows = (f"<tr><th scope='row'>{name}</th><td>{value}</td></tr>" for name, value in said)
        return f"<tbody>{''.join(rows)}</tbody>"


class Answer(Readouts):
    """Readouts that a notebook shows folded: JupyterLab unfolds a cell's hidden output whenever the cell is run."""

    def _repr_html_(self):
        return f"<details><summary>{say('Readouts')}</summary><table>{self.to_html()}</table></details>"


class Explorer:
    """A picture with controls and readouts. Each explorer is a subclass that reads from top to bottom like its picture.

    A subclass declares its controls (see `controls`), then writes

    ``draw(figure)``
        Axes and artists, once. `live` marks what moves, `hand` what can be grabbed.
    ``solve(**values)``
        From the values of all controls to numbers, without side effects.
    ``show(solution)``
        Moves the live artists.
    ``readouts(solution)``
        The dict of what stands beside the picture, units in the names.

    and, if it needs them, methods marked `button` and ``highest(values)``. Its ``__init__`` checks its arguments,
    computes what is needed once, and calls ``super().__init__``.

    Parameters
    ----------
    **known : dict
        What only the data know of a control, for example ``k={"high": len(X)}``.

    Attributes
    ----------
    title : str
        Names the explorer where no picture can be shown.
    size : (int, int)
        Width and height of the picture in pixels; in a page it grows with the room.
    plays : str, optional
        The slider that plays like a film and can be stepped.
    photograph : bool
        Whether the picture holds photographs: in motion they are sent as JPEG, at rest without loss.
    controls : dict of str -> widget
        Each with its ``value``.
    opening : dict
        The value of every control after construction.
    error : str
        What the explorer complains of; empty when all is well.
    """

    title = ""
    size = 660, 400
    plays = None
    photograph = False

    def __init__(self, **known):
        self.declared = {}
        for name, control in _declared(type(self), Control).items():
            self.declared[name] = replace(control, **known.get(name, {}))
            self.declared[name].name = name
        self.controls = {name: control.widget() for name, control in self.declared.items()}
        self.opening = self.values
        self.handles, self._live = [], []
        self.error, self._timer = "", None
        self._quiet = False  # while several controls are set, there is one update, at the end

        self.figure = theme.figure(*self.size)
        with theme.style():
            self.draw(self.figure)
            self.pointer = Pointer(self, self.handles)
        self._follow()  # an error here is the author's, who wants to see it
        self._arrange()
        self._picture = self._photograph()

        live = [*sorted(self._live, key=lambda artist: artist.get_zorder()), *self.pointer.artists]
        for artist in live:
            artist.set_animated(True)
        self.canvas = Canvas(
            *(self.figure, live, lambda key: self.attempt(lambda: self.pointer.key(key))),
            photograph=self.photograph,
            name=f"{say(self.title)}. {say(_HOW) if self.handles else ''}",
            draggable=bool(self.handles),
        )
        self.canvas.observe(lambda change: self.attempt(lambda: self.pointer.gesture(**change.new)), "gesture")
        self.canvas.show(self._said.to_html())
        for control in self.controls.values():
            control.observe(lambda _: self._quiet or self.attempt(self.refresh), "value")
        self.widget = self._box()
        close_earlier_run(self)

    # --- what a subclass writes --------------------------------------------------------------------------------------

    def draw(self, figure):
        raise NotImplementedError

    def solve(self, **values):
        raise NotImplementedError

    def show(self, solution):
        raise NotImplementedError

    def readouts(self, solution):
        raise NotImplementedError

    def highest(self, values):
        """Return {slider: its highest value} for sliders whose end depends on other controls."""
        return {}

    def buttons(self):
        """Return {label: a callable from all values to those to set}; by default the methods marked `button`."""
        return {held.label: getattr(self, name) for name, held in _declared(type(self), Button).items()}

    # --- what `draw` uses --------------------------------------------------------------------------------------------

    def live(self, artists):
        """Mark an artist, or a list or dict of them, as moving; return what was given."""
        several = artists.values() if isinstance(artists, dict) else artists
        self._live += [several] if isinstance(several, Artist) else several
        return artists

    def hand(self, *handles):
        """Let the hand grab these handles; where several lie within reach, the first one."""
        self.handles += handles

    # --- by code -----------------------------------------------------------------------------------------------------

    @property
    def values(self):
        """The value of every control, on its steps: a page's own arithmetic may differ in the last digit."""
        return {name: control.nearest(self.controls[name].value) for name, control in self.declared.items()}

    def at(self, **values):
        """Return what the readouts would be with these values, folded. Nothing moves.

        Raises
        ------
        ValueError
            If a control does not exist or does not allow the value.
        """
        return Answer(self.readouts(self.solve(**self._checked(values))))

    def set(self, **values):
        """Set controls as a hand would, and return the readouts.

        Raises
        ------
        ValueError
            As `at`. Nothing is changed then.
        """
        values = self._checked(values)
        self._quiet = True
        self._set_ends(values)
        for name, value in values.items():
            self.controls[name].value = value
        self._quiet = False
        self.refresh()
        return self._said

    def at_press(self, label, **values):
        """Return what the readouts would be with these values and then the button `label`. Nothing moves."""
        values = self._checked(values)
        return self.at(**values | self._action(label)(values))

    def press(self, label):
        """Do what the button `label` does, and return the readouts."""
        return self.set(**self._action(label)(self.values))

    def reset(self):
        """Return every control to its opening value, let go of what is held or ringed, and return the readouts."""
        self.pointer.let_go()
        return self.set(**self.opening)

    def assign(self, name, value):
        """Set one control, or a tuple of them, as a hand does that drags: each stops at the nearest value allowed."""
        names, values = (name, value) if isinstance(name, tuple) else ((name,), (value,))
        before, self._quiet = self.values, True
        for each, new in zip(names, values, strict=True):
            self.controls[each].value = self.declared[each].nearest(new)
        self._quiet = False
        if self.values != before:
            self.attempt(self.refresh)

    def attempt(self, action):
        """Call `action` for a hand that clicks, drags or types: an error is shown, in one line, and not raised."""
        try:
            action()
        except Exception as error:
            self._complain(error)

    def refresh(self):
        """Solve, move the picture, send it, and grey out the controls that have no effect."""
        try:
            self._follow()
        except Exception as error:
            self._complain(error)
            raise
        self.error = ""
        self.canvas.show(self._said.to_html())

    def close(self):
        """Release the figure, the canvas and all widgets. The explorer cannot be used again."""
        self._stop()
        for widget in _family(self.widget):
            widget.close()
        self.figure.clear()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _follow(self):
        self._quiet = True  # a slider that is cut short moves its value; this very update holds it
        self._set_ends(self.values)
        self._quiet = False
        values = self.values
        solution = self.solve(**values)
        self.show(solution)
        self.pointer.place_ring()
        self._said = Readouts(self.readouts(solution))
        for name, control in self.declared.items():
            if control.when:
                self.controls[name].disabled = not control.when(values)

    def _set_ends(self, values):
        for name, end in self.highest(values).items():
            self.controls[name].max = end

    def _checked(self, values):
        """All values, those given checked and put on their controls' steps."""
        checked = self.values
        for name, value in values.items():
            if name not in self.declared:
                raise ValueError(f"{name} is not a control; this explorer has {', '.join(self.declared)}")
            checked[name] = self.declared[name].check(value)
        return checked | {name: min(checked[name], end) for name, end in self.highest(checked).items()}

    def _action(self, label):
        actions = self._actions()
        if label not in actions:
            raise ValueError(f"label must be one of {', '.join(actions)}, got {label!r}")
        return actions[label]

    def _actions(self):
        """Every button: the explorer's own, those of the film, and Reset."""
        film = {"Back": partial(self._stepped, -1), "Step": partial(self._stepped, 1)} if self.plays else {}
        return {**self.buttons(), **film, "Reset": lambda values: self.opening}

    def _stepped(self, direction, values):
        slider = self.declared[self.plays]
        return {self.plays: slider.nearest(values[self.plays] + direction * slider.step)}

    def _complain(self, error):
        self.error = f"{type(error).__name__}: {error}"
        self.canvas.show(self._said.to_html(), say(self.error))

    # --- the film ----------------------------------------------------------------------------------------------------

    def _play(self, button):
        """Start the film, from its beginning if it stands at the end; or pause it."""
        if self._timer:
            self._stop()
            return
        slider = self.controls[self.plays]
        if slider.value == slider.max:
            slider.value = slider.min
        button.description = say("Pause")
        pause = min(max(FILM / ((slider.max - slider.min) / slider.step), SHORTEST), LONGEST)

        def tick():
            self.attempt(lambda: self.press("Step"))
            if slider.value < slider.max and not self.error:
                self._timer = asyncio.get_running_loop().call_later(pause, tick)
            else:
                self._stop()

        self._timer = asyncio.get_running_loop().call_later(pause, tick)

    def _stop(self):
        if self._timer:
            self._timer.cancel()
            self._timer, self._player.description = None, say("Play")

    # --- what is shown -----------------------------------------------------------------------------------------------

    def _arrange(self):
        """Arrange the axes once: every page draws this layout, at its own resolution."""
        self.figure.draw_without_rendering()
        self.figure.draw_without_rendering()  # axes of a fixed shape: the first pass measured labels of another shape
        self.figure.set_layout_engine("none")

    def _photograph(self):
        """The opening state as a PNG, with a line that says how to make it live."""
        for legend in self.figure.legends:  # they would move to the edge of what is saved, onto the line
            legend.set_bbox_to_anchor((0, 0, 1, 1), self.figure.transFigure)
        width, height = self.figure.get_size_inches()
        line = self.figure.text(0.01, -0.01, "A picture. Run this cell to make it live.", fontsize=10, va="top")
        line.set_color(theme.MUTED)
        picture = BytesIO()
        whole = Bbox([[0, -0.25], [width, height]])
        self.figure.savefig(picture, format="png", dpi=theme.DPI, bbox_inches=whole, metadata={"Software": None})
        line.remove()
        return picture.getvalue()

    def _box(self):
        shown = [control for control in self.controls.values() if isinstance(control, widgets.Widget)]
        buttons = [self._button(label) for label in self._actions()]
        if self.plays:
            self._player = widgets.Button(description=say("Play"), layout={"width": "auto"})
            self._player.on_click(lambda button: self.attempt(lambda: self._play(button)))
            buttons.insert(len(self.buttons()), self._player)
        rows = widgets.Box(shown).add_class("viva-controls"), widgets.Box(buttons).add_class("viva-buttons")
        return widgets.VBox([*rows, self.canvas]).add_class("viva-explorer")

    def _button(self, label):
        button = widgets.Button(description=say(label), layout={"width": "auto"})
        button.on_click(lambda _: self.attempt(lambda: self.press(label)))
        return button

    def __repr__(self):
        return f"{self.title}\n{self._said!r}"

    def _repr_mimebundle_(self, **kwargs):
        picture = b64encode(self._picture).decode()
        return {**self.widget._repr_mimebundle_(**kwargs), "text/plain": repr(self), "image/png": picture}


_HOW = "N and P choose what to move, the arrow keys move it."


def _declared(kind, sort):
    """What of one sort stands in the body of a class, name -> held, in the order in which it was written."""
    bodies = (vars(parent) for parent in reversed(kind.__mro__))
    return {name: held for body in bodies for name, held in body.items() if isinstance(held, sort)}


def _family(widget):
    """All widgets that `widget` holds, itself included."""
    held = [other for name in ("children", "layout", "style") for other in _as_list(getattr(widget, name, ()))]
    return [widget, *(member for other in held for member in _family(other))]


def _as_list(held):
    return held if isinstance(held, list | tuple) else [held] if isinstance(held, HasTraits) else []
