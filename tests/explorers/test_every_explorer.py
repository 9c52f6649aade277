"""What holds for every explorer of every topic. A new topic is tested here by itself."""

from importlib import import_module
from numbers import Real

import ipywidgets as widgets
import numpy as np
import pytest

from helpers.explorers.explorer import SLIDERS
from helpers.topics import TOPICS

from .hand import drag, press_key

BUILDERS = {
    f"{topic.stem}/{name}": build
    for topic in TOPICS
    if topic.ready
    for name, build in import_module(f"helpers.explorers.{topic.stem}").examples().items()
}


@pytest.fixture(scope="module", params=BUILDERS)
def built(request):
    explorer = BUILDERS[request.param]()
    explorer.canvas.syncing_data_url = False  # as when a browser has connected
    explorer.canvas.draw()
    yield explorer, dict(explorer.readouts)
    explorer.close()


@pytest.fixture
def explorer(built):
    explorer, opening = built
    assert explorer.reset() == opening
    return explorer


def is_well(explorer):
    assert explorer.error == ""
    for name, value in explorer.readouts.items():
        assert not isinstance(value, Real) or np.isfinite(value), f"{name} is {value}"
    return True


def settings(control, rng):
    """The extremes of a control, and a few values between."""
    if isinstance(control, SLIDERS):
        ends = np.array([control.min, control.max, *rng.uniform(control.min, control.max, 4)])
        if isinstance(control, widgets.FloatLogSlider):
            ends = control.base**ends
        return [int(v) if isinstance(control, widgets.IntSlider) else float(v) for v in ends]
    if hasattr(control, "options"):
        return [value for _, value in control._options_full]
    return [True, False] if isinstance(control.value, bool) else []


def test_no_control_can_break_it(explorer):
    rng = np.random.default_rng(0)
    for name, control in explorer._controls.items():
        for value in settings(control, rng):
            explorer.assign(name, value)
            assert is_well(explorer)


def test_controls_can_be_combined_at_random(explorer):
    rng = np.random.default_rng(1)
    choices = {name: settings(control, rng) for name, control in explorer._controls.items()}
    for _ in range(20):
        for name, values in choices.items():
            if values:
                explorer.assign(name, values[rng.integers(len(values))])
        assert is_well(explorer)


def test_no_button_drag_or_key_can_break_it(explorer):
    for label in list(explorer._actions):
        explorer.press(label)
        assert is_well(explorer)
    for handle in explorer._pointer._handles:
        (left, right), (bottom, top) = handle.axes.get_xlim(), handle.axes.get_ylim()
        middle = (left + right) / 2, (bottom + top) / 2
        for part in list(handle.places(explorer.values[handle.name]))[:4]:
            place = handle.places(explorer.values[handle.name]).get(part, middle)
            start = np.where(np.isnan(place), middle, place)
            drag(explorer, handle.axes, start, (left, bottom), (right, top), middle)
            assert is_well(explorer)
        for key in "right shift+up n left shift+down p delete x".split():
            press_key(explorer, key)
            assert is_well(explorer)


def test_blitting_leaves_no_ghosts(explorer):
    rng = np.random.default_rng(2)
    for name, control in explorer._controls.items():
        for value in settings(control, rng)[:3]:
            explorer.assign(name, value)
    blitted = np.asarray(explorer.canvas.get_renderer().buffer_rgba()).copy()
    explorer.canvas.draw()
    assert (blitted == np.asarray(explorer.canvas.get_renderer().buffer_rgba())).all()


def test_reset_returns_to_the_opening_readouts(built):
    explorer, opening = built
    assert explorer.reset() == opening


def test_it_fits_a_projector_and_its_controls_are_labelled(explorer):
    width, height = explorer.canvas.figure.bbox.size
    assert width <= 700 and height <= 460, "controls, picture and readouts together must fit 1280 x 800"
    for control in explorer._controls.values():
        assert not isinstance(control, widgets.Widget) or control.description
