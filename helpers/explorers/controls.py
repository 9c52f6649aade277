"""What can be set in an explorer: sliders, choices, switches, and values that only the hand on the picture sets.

A control is declared in the body of an explorer's class, ``beta = Slider(1, 0, 4, step=0.25)``. In the class it is the
declaration; on an explorer, ``self.beta`` is its present value.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from math import isclose, log10
from numbers import Integral, Real
from typing import Any

import ipywidgets as widgets
from traitlets import Any as AnyValue
from traitlets import HasTraits

from ..language import say

SHARES = 0, 1, 0.1, 0.35, 0.6, 0.85  # of the way from the lowest value to the highest: where a slider is sampled


@dataclass
class Control:
    """What all controls have.

    Parameters
    ----------
    value
        With which the explorer opens.
    label : str
        Stands beside the control; by default its name.
    unit : str
        Follows the label in brackets.
    when : callable, optional
        ``when(values)`` says whether the control has an effect, given all values; without one it is grayed out.
    """

    value: Any
    _: KW_ONLY
    label: str = ""
    unit: str = ""
    when: Callable | None = None

    def __set_name__(self, owner, name):
        self.name, self.label = name, self.label or name.replace("_", " ")

    def __get__(self, explorer, owner):
        return self if explorer is None else explorer.values[self.name]

    @property
    def description(self):
        return say(f"{self.label} ({self.unit})" if self.unit else self.label)

    def widget(self):
        """Return a widget whose ``value`` is the control's."""
        raise NotImplementedError

    def check(self, value):
        """Return `value` as the widget will hold it, or raise a ValueError that names the control."""
        return value

    def nearest(self, value):
        """Return the nearest value that is allowed, for a hand that pulls too far."""
        return value

    def samples(self):
        """Return values that between them reach everything the control can do, for tests and benchmarks."""
        return []


@dataclass
class Slider(Control):
    """A number from `low` to `high` in steps; whole numbers if all of them are."""

    low: Real = 0
    high: Real = 1
    step: Real = 1

    def widget(self):
        limits = {"min": self.low, "max": self.high, "step": self.step, "description": self.description}
        if all(isinstance(number, Integral) for number in (self.value, self.low, self.high, self.step)):
            return widgets.IntSlider(self.value, readout_format=",d", **limits)
        decimals = len(f"{self.step:g}".partition(".")[2])
        return widgets.FloatSlider(self.value, readout_format=f",.{decimals}f", **limits)

    def check(self, value):
        if isinstance(value, bool) or not (isinstance(value, Real) and self.low <= value <= self.high):
            raise ValueError(f"{self.name} must be a number from {self.low:g} to {self.high:g}, got {value!r}")
        return self.nearest(value)

    def nearest(self, value):
        """The nearest step; the browser would otherwise move to it by itself."""
        value = min(max(value, self.low), self.high)
        stepped = min(self.low + round((value - self.low) / self.step) * self.step, self.high)
        return stepped if isinstance(stepped, Integral) else round(stepped, 9)

    def samples(self):
        return [self.nearest(self.between(share)) for share in SHARES]

    def between(self, share):
        """The value at a share of the way along the slider."""
        return self.low + share * (self.high - self.low)


@dataclass
class LogSlider(Slider):
    """A positive number from `low` to `high`; `step` is that of its common logarithm."""

    step: Real = 0.1

    def widget(self):
        limits = {"min": log10(self.low), "max": log10(self.high), "step": self.step, "description": self.description}
        factor = 10**self.step
        if self.low == round(self.low) and isclose(factor, round(factor)):
            shown = ",d"  # 1, 2, 4, 8
        else:
            shown = ",.3r" if self.low >= 1e-4 else ".1e"  # rows of zeros would be cut off
        return widgets.FloatLogSlider(self.value, base=10, readout_format=shown, **limits)

    def nearest(self, value):
        value = min(max(value, self.low), self.high)
        steps = round(log10(value / self.low) / self.step)
        return float(min(max(10 ** (log10(self.low) + steps * self.step), self.low), self.high))

    def between(self, share):
        return self.low * (self.high / self.low) ** share


@dataclass
class Choice(Control):
    """One of several `options`: a sequence of values, or a dict from what is shown to the value."""

    options: Any = ()

    def widget(self):
        options = [(say(str(shown)), value) for shown, value in zip(self.options, self.samples(), strict=True)]
        return widgets.Dropdown(options=options, value=self.value, description=self.description)

    def check(self, value):
        if value not in self.samples():
            raise ValueError(f"{self.name} must be one of {', '.join(map(str, self.samples()))}, got {value!r}")
        return value

    def samples(self):
        return list(self.options.values()) if isinstance(self.options, dict) else list(self.options)


@dataclass
class Switch(Control):
    """On or off."""

    value: bool = False

    def widget(self):
        return widgets.Checkbox(self.value, description=self.description)

    def check(self, value):
        if not isinstance(value, bool):
            raise ValueError(f"{self.name} must be True or False, got {value!r}")
        return value

    def samples(self):
        return [True, False]


@dataclass
class State(Control):
    """A value without a widget, which only handles and code set. Use tuples: they are compared by value."""

    def widget(self):
        return _Held(value=self.value)


class _Held(HasTraits):
    value = AnyValue()


class Button:
    """A method that is a button; see `button`."""

    def __init__(self, label, action):
        self.label, self.action = label, action

    def __get__(self, explorer, owner):
        return self if explorer is None else partial(self.action, explorer)


def button(label):
    """Make a method a button: it gets the values of all controls and returns those to set, both as a dict."""
    return partial(Button, label)
