"""What holds for every explorer of every topic. A new topic is tested here by itself."""

import inspect
from importlib import import_module
from itertools import combinations
from numbers import Real

import numpy as np
import pytest
from matplotlib.text import Text

from helpers import language
from helpers.explorers import controls
from helpers.topics import TOPICS

from .hand import drag, hover, press_key, redrawn, same, shown

MODULES = [import_module(f"helpers.explorers.{topic.stem}") for topic in TOPICS if topic.ready]
BUILDERS = {
    f"{module.__name__.rpartition('.')[2]}/{name}": build
    for module in MODULES
    for name, build in module.examples().items()
}
LONGEST = 34  # lines of a function in a topic's file, its docstring not counted


@pytest.fixture(scope="module", params=BUILDERS)
def built(request):
    explorer = BUILDERS[request.param]()
    yield explorer, explorer.at()
    explorer.close()


@pytest.fixture
def explorer(built):
    explorer, opening = built
    assert explorer.reset() == opening
    return explorer


def is_well(explorer):
    assert explorer.error == ""
    for name, value in explorer.at().items():
        assert not isinstance(value, Real) or np.isfinite(value), f"{name} is {value}"
    return True


def settings(explorer):
    """One control at a time at each of its samples."""
    for name, control in explorer.declared.items():
        for value in control.samples():
            explorer.reset()
            explorer.assign(name, value)
            yield f"{name} = {value}"


def test_no_control_can_break_it(explorer):
    for _ in settings(explorer):
        assert is_well(explorer)


def test_controls_can_be_combined_at_random(explorer):
    rng = np.random.default_rng(1)
    choices = {name: control.samples() for name, control in explorer.declared.items() if control.samples()}
    for _ in range(20):
        for name, samples in choices.items():
            explorer.assign(name, samples[rng.integers(len(samples))])
        assert is_well(explorer)


def test_no_button_drag_or_key_can_break_it(explorer):
    for label in explorer.buttons():
        explorer.press(label)
        assert is_well(explorer)
    for handle in explorer.handles:
        (left, right), (bottom, top) = handle.axes.get_xlim(), handle.axes.get_ylim()
        middle = (left + right) / 2, (bottom + top) / 2
        for part in list(handle.places(explorer.values))[:4]:
            place = handle.places(explorer.values).get(part, middle)
            start = np.where(np.isnan(place), middle, place)
            drag(explorer, handle.axes, start, (left, bottom), (right, top), middle)
            assert is_well(explorer)
        hover(explorer, handle.axes, middle)
        for key in "right shift+up n left shift+down p delete".split():
            press_key(explorer, key)
            assert is_well(explorer)


def test_blitting_leaves_no_ghosts(explorer):
    for _ in settings(explorer):
        shown(explorer)
    assert same(shown(explorer), redrawn(explorer))


def test_asking_moves_nothing(explorer):
    before = shown(explorer)
    for name, control in explorer.declared.items():
        for value in control.samples():
            explorer.at(**{name: value})
    for label in explorer.buttons():
        explorer.at_press(label)
    assert explorer.values == explorer.opening
    explorer.refresh()
    assert same(shown(explorer), before)


def test_asking_and_moving_say_the_same(explorer):
    for name, control in explorer.declared.items():
        for value in control.samples():
            asked = explorer.at(**{name: value})
            assert repr(explorer.set(**{name: value})) == repr(asked), f"{name} = {value}"
            explorer.reset()


def test_reset_returns_to_the_opening_readouts(built):
    explorer, opening = built
    for name, control in explorer.declared.items():
        for value in control.samples()[:2]:
            explorer.assign(name, value)
    assert explorer.reset() == opening


def test_every_control_has_a_label_and_an_effect(explorer):
    """Each control moves the picture or a readout, or lets another one do so; one that does nothing is grayed out."""

    def said():
        return repr(explorer.at()), [getattr(widget, "disabled", None) for widget in explorer.controls.values()]

    for name, control in explorer.declared.items():
        explorer.reset()
        if isinstance(control, controls.State) or explorer.controls[name].disabled:
            continue
        assert control.description
        before, opening = shown(explorer), said()
        changed = False
        for value in control.samples():
            explorer.assign(name, value)
            changed = changed or said() != opening or not same(shown(explorer), before)
        assert changed, f"{name} has no effect at the opening and is not grayed out"


def test_every_text_has_a_chinese_one(explorer):
    """Title, controls with their units and options, buttons, and readouts at every sample of every control."""
    said = {explorer.title, *explorer._actions()}
    for control in explorer.declared.values():
        said |= set() if isinstance(control, controls.State) else {control.description}
        said |= set(map(str, getattr(control, "options", ())))
    asked = [explorer.at(), *map(explorer.at_press, explorer._actions())]
    asked += [
        explorer.at(**{name: value}) for name, control in explorer.declared.items() for value in control.samples()
    ]
    for answer in asked:
        said |= {*answer, *(value for value in answer.values() if isinstance(value, str))}
    assert not {text for text in said if not language.is_known(text)}, "add them to helpers/chinese.toml"


def texts(figure):
    """Visible text with its box in pixels, ticks beyond an axis' limits aside."""
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and _is_drawn(text, figure):
            yield text, text.get_window_extent()


def _is_drawn(text, figure):
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks = [label for tick in (*axis.majorTicks, *axis.minorTicks) for label in (tick.label1, tick.label2)]
            if any(text is label for label in ticks):
                drawn = [label for tick in axis._update_ticks() for label in (tick.label1, tick.label2)]
                return axes.get_visible() and axes.axison and any(text is label for label in drawn)
    return True


def test_no_text_of_the_picture_is_cut_or_covers_another(explorer):
    figure = explorer.figure
    redrawn(explorer)  # labels find their places when they are drawn
    for where in ("opening", *settings(explorer)):
        boxes = [(text.get_text(), box) for text, box in texts(figure)]
        for text, box in boxes:
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
            assert inside, f"{where}: {text!r} is cut"
        inks = [(text, box.shrunk(0.92, 0.8)) for text, box in boxes]  # without the air around the letters
        for (text, ink), (other, other_ink) in combinations(inks, 2):
            assert not ink.overlaps(other_ink), f"{where}: {text!r} covers {other!r}"


def test_it_fits_a_laptop(explorer):
    width, height = explorer.size
    assert width <= 700 and height <= 460, "controls, picture and readouts together must fit 1280 x 720"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_functions_are_short_and_layout_is_the_engines(module):
    source = inspect.getsource(module)
    assert "layout=" not in source and "ipywidgets" not in source
    for name, held in inspect.getmembers(module):
        members = [held, *(vars(held).values() if inspect.isclass(held) else ())]
        for member in members:
            if inspect.isfunction(member) and member.__module__ == module.__name__:
                lines = inspect.getsource(member).splitlines()
                length = len(lines) - len((member.__doc__ or "").splitlines())
                assert length <= LONGEST, f"{name} {member.__name__}: {length} lines"
