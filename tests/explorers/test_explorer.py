"""The engine keeps its promises."""

import asyncio
import gc
import time
import weakref
from functools import partial
from io import BytesIO

import ipywidgets as widgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

from helpers import theme
from helpers.explorers import explorer as engine
from helpers.explorers.explorer import Explorer, State
from helpers.explorers.handles import Boxes, Line, Points

from .hand import click, drag, mouse, press_key

NEAR = partial(pytest.approx, abs=0.1)  # the mouse points at whole pixels, and two of them are 0.1 here


def build(update=None, handles=lambda axes: [], **options):
    """A dot on a line, with one control of each kind of value."""
    figure = theme.figure(300, 200)
    axes = figure.add_subplot(xlim=(0, 10), ylim=(0, 10))
    (dot,) = axes.plot([], [], "o", markersize=12)
    controls = {
        "x": widgets.FloatSlider(5, min=0, max=10, step=0.5, description="x"),
        "n": widgets.IntSlider(0, min=0, max=4, description="n"),
        "points": State(((2.0, 2.0, "a"), (8.0, 8.0, "b"))),
        "boxes": State(((1.0, 1.0, 4.0, 4.0),)),
    }

    def move(x, n, points, boxes):
        if x == 7:
            raise ZeroDivisionError("seven is <not> allowed")
        dot.set_data([x], [5])
        return {"x": x, "n": n, "points": len(points)}

    explorer = Explorer("A dot", figure, controls, [dot], update or move, handles=handles(axes), **options)
    explorer.axes = axes
    explorer.canvas.draw()
    return explorer


def draggable(kind, name, **options):
    return build(handles=lambda axes: [kind(axes, name, **options)])


def shown(explorer):
    """The pixels that the browser was sent last."""
    return np.asarray(explorer.canvas.get_renderer().buffer_rgba()).copy()


def redrawn(explorer):
    explorer.canvas.draw()
    return shown(explorer)


def test_a_control_moves_the_picture_and_the_readouts():
    explorer = build()
    before = redrawn(explorer)
    explorer._controls["x"].value = 8
    assert explorer.readouts["x"] == 8
    assert "<td>8</td>" in explorer._table.value
    assert (shown(explorer) != before).any()


def test_blitting_equals_a_full_redraw_wherever_the_control_has_been():
    explorer = build()
    for x in (0, 10, 3, 9.5, 4):
        explorer.set(x=x)
    blitted = shown(explorer)
    assert (blitted == redrawn(explorer)).all()


@pytest.mark.parametrize(
    "disturb",
    [
        lambda e: (e.canvas.figure.set_size_inches(4, 3), e.canvas.draw()),
        lambda e: (e.canvas._set_device_pixel_ratio(2), e.canvas.draw()),
        lambda e: (e.axes.set_xlim(0, 20), e.canvas.draw()),
        lambda e: theme.png(e.canvas.figure),
    ],
    ids=["resize", "HiDPI", "zoom", "saving a file"],
)
def test_background_is_captured_anew(disturb):
    explorer = build()
    disturb(explorer)
    explorer.set(x=9)
    blitted = shown(explorer)
    assert (blitted == redrawn(explorer)).all()


def test_a_value_set_between_a_resize_and_its_redraw_bakes_nothing_in():
    explorer = build()
    explorer.canvas.handle_resize({"width": 400, "height": 300})
    explorer.set(x=1)
    explorer.canvas.draw()
    explorer.set(x=9)
    blitted = shown(explorer)
    assert (blitted == redrawn(explorer)).all()


def test_saved_picture_contains_the_live_artists():
    explorer = build()
    before = theme.png(explorer.canvas.figure)
    explorer.set(x=0)
    assert theme.png(explorer.canvas.figure) != before


def test_frames_are_whole():
    """ipympl drops differences; only whole frames leave no ghosts."""
    explorer = build()
    explorer.canvas.syncing_data_url = False
    frames = []
    explorer.canvas.send_binary = frames.append
    explorer.canvas.draw()
    explorer.set(x=1)
    assert len(frames) == 2
    last = np.asarray(Image.open(BytesIO(frames[-1])).convert("RGBA"))
    assert (last == shown(explorer)).all()


def test_error_is_shown_in_one_line_and_the_next_value_recovers():
    explorer = build()
    explorer._controls["x"].value = 7
    assert explorer.error == "ZeroDivisionError: seven is <not> allowed"
    assert "&lt;not&gt;" in explorer._message.value
    explorer._controls["x"].value = 6
    assert explorer.error == "" and explorer.readouts["x"] == 6


def test_error_reaches_the_code_that_set_the_value():
    explorer = build()
    with pytest.raises(ZeroDivisionError):
        explorer.set(x=7)
    assert "seven" in explorer.error


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": 11}, "x must be a number from 0 to 10, got 11"),
        ({"x": float("nan")}, "x must be a number"),
        ({"x": "wide"}, "x must be a number"),
        ({"n": 1, "x": -1}, "x must be a number"),
        ({"y": 1}, "y is not a control; this explorer has x, n, points, boxes"),
    ],
)
def test_refused_values_change_nothing(values, message):
    explorer = build()
    before = explorer.values
    with pytest.raises(ValueError, match=message):
        explorer.set(**values)
    assert explorer.values == before and explorer.readouts["n"] == 0


def test_set_updates_once_for_several_controls():
    calls = []
    explorer = build(update=lambda **values: calls.append(values) or {"x": values["x"]})
    calls.clear()
    explorer.set(x=1, n=2)
    assert [(call["x"], call["n"]) for call in calls] == [(1, 2)]


def test_values_between_the_slider_steps_go_to_the_nearest_step():
    assert build().set(x=3.3)["x"] == 3.5


def test_log_slider_keeps_to_its_steps():
    figure = theme.figure(200, 200)
    slider = widgets.FloatLogSlider(1, base=10, min=-1, max=3, step=0.5)
    explorer = Explorer("log", figure, {"c": slider}, [], lambda c: {"c": c})
    assert explorer.set(c=900)["c"] == pytest.approx(1000)
    with pytest.raises(ValueError, match=r"from 0\.1 to 1000"):
        explorer.set(c=1001)


def test_buttons_play_step_and_reset():
    explorer = build(play="n", actions={"Far right": lambda: {"x": 10}})
    assert explorer.press("Far right")["x"] == 10
    assert [explorer.press("Step")["n"] for _ in range(5)] == [1, 2, 3, 4, 4]
    assert explorer.press("Back")["n"] == 3
    explorer.set(points=((1, 1, "c"),))
    assert explorer.reset() == {"x": 5, "n": 0, "points": 2}
    with pytest.raises(ValueError, match="label must be one of Far right, Back, Step, Reset"):
        explorer.press("Jump")


def test_dragging_a_line_moves_its_slider():
    explorer = draggable(Line, "x")
    drag(explorer, explorer.axes, (5, 1), (6, 2), (7.9, 3))
    assert explorer.values["x"] == 8
    drag(explorer, explorer.axes, (8, 1), (99, 1))
    assert explorer.values["x"] == 10


def test_dragging_away_from_every_part_moves_nothing():
    explorer = draggable(Line, "x")
    drag(explorer, explorer.axes, (1, 1), (9, 9))
    assert explorer.values["x"] == 5


def test_dragging_a_point_keeps_the_grip_and_stops_at_the_frame():
    explorer = draggable(Points, "points")
    drag(explorer, explorer.axes, (2.1, 2.0), (4.1, 5.0))
    x, y, label = explorer.values["points"][0]
    assert (x, y, label) == (NEAR(4), NEAR(5), "a")
    drag(explorer, explorer.axes, (4, 5), (40, -40))
    assert explorer.values["points"][0][:2] == (10, 0)


def test_click_adds_a_point_and_delete_removes_it():
    explorer = draggable(Points, "points", new=lambda: ("c",))
    click(explorer, explorer.axes, (5, 3))
    assert explorer.values["points"][2] == (NEAR(5), NEAR(3), "c")
    press_key(explorer, "delete")
    assert len(explorer.values["points"]) == 2


def test_click_adds_nothing_unless_asked_to():
    explorer = draggable(Points, "points")
    click(explorer, explorer.axes, (5, 3))
    press_key(explorer, "delete")
    assert len(explorer.values["points"]) == 2


@pytest.mark.parametrize(
    ("start", "stop", "box"),
    [
        ((4, 4), (6, 7), (1, 1, 6, 7)),
        ((1, 1), (0, 2), (0, 2, 4, 4)),
        ((4, 2.5), (7, 9), (1, 1, 7, 4)),
        ((3, 3), (5, 4), (3, 2, 6, 5)),
        ((4, 4), (0, 0), (0, 0, 1, 1)),
        ((2, 3), (20, 3), (10, 1, 10, 4)),
    ],
    ids=[
        "upper right corner",
        "lower left corner",
        "right side",
        "inside",
        "through the other corner",
        "out of the frame",
    ],
)
def test_dragging_a_box(start, stop, box):
    explorer = draggable(Boxes, "boxes")
    drag(explorer, explorer.axes, start, stop)
    assert explorer.values["boxes"][0] == NEAR(box)


def test_everything_draggable_moves_by_keyboard_too():
    explorer = draggable(Points, "points")
    press_key(explorer, "right")
    press_key(explorer, "shift+up")
    assert explorer.values["points"][0][:2] == pytest.approx((2.1, 2.5))
    press_key(explorer, "n")
    press_key(explorer, "left")
    assert explorer.values["points"][1][:2] == pytest.approx((7.9, 8))
    press_key(explorer, "p")
    before = shown(explorer)
    press_key(explorer, "n")
    assert (shown(explorer) != before).any(), "a ring shows which part is chosen"


def test_arrow_up_moves_up_on_a_turned_axis():
    explorer = draggable(Points, "points")
    explorer.axes.invert_yaxis()
    press_key(explorer, "up")
    assert explorer.values["points"][0][:2] == pytest.approx((2, 1.9))


def test_line_moves_by_keyboard():
    explorer = draggable(Line, "x")
    press_key(explorer, "shift+right")
    assert explorer.values["x"] == 5.5


def test_zooming_comes_before_dragging():
    explorer = draggable(Line, "x")
    owner = object()
    explorer.canvas.widgetlock(owner)
    drag(explorer, explorer.axes, (5, 1), (8, 1))
    assert explorer.values["x"] == 5
    explorer.canvas.widgetlock.release(owner)


def test_latest_value_wins_when_an_update_is_slow():
    """Thirty motions arrive while updates take 20 ms each: the picture must not play all of them afterwards."""
    calls = []

    def slow(x, **_):
        time.sleep(0.02)
        calls.append(x)
        return {"x": x}

    explorer = build(update=slow, handles=lambda axes: [Line(axes, "x")])
    places = explorer.axes.transData.transform([(x, 5) for x in np.linspace(5, 9, 30)])
    calls.clear()

    async def hand():
        mouse(explorer.canvas, "button_press", *places[0])
        for place in places:
            mouse(explorer.canvas, "motion_notify", *place)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        mouse(explorer.canvas, "button_release", *places[-1])

    asyncio.run(hand())
    assert explorer.values["x"] == 9 == calls[-1]
    assert len(calls) < 10, calls


def test_display_carries_a_live_widget_a_picture_and_text():
    explorer = build()
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "A dot\nx: 5\nn: 0\npoints: 2"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    explorer.set(x=1)
    assert explorer._repr_mimebundle_()["image/png"] == bundle["image/png"], "the picture is that of the opening state"


def test_readouts_show_four_digits_and_escape():
    readouts = engine.Readouts({"a<b": 1 / 3, "n": 1234567, "t": "x & y"})
    assert repr(readouts) == "a<b: 0.3333\nn: 1234567\nt: x & y"
    assert "a&lt;b" in readouts.to_html() and "x &amp; y" in readouts.to_html()


def test_no_leak_over_500_updates():
    explorer = build()
    explorer.set(x=1)
    gc.collect()
    widgets_before, objects_before = len(_instances), len(gc.get_objects())
    for i in range(500):
        explorer.set(x=i % 7)
    gc.collect()
    assert len(_instances) == widgets_before
    assert len(gc.get_objects()) - objects_before < 100


def test_closing_releases_widgets_and_figure():
    gc.collect()
    before = len(_instances)
    explorer = build(play="n")
    figure = weakref.ref(explorer.canvas.figure)
    explorer.close()
    explorer.close()
    assert len(_instances) == before
    del explorer
    gc.collect()
    assert figure() is None


def test_running_a_cell_again_closes_its_earlier_explorers(monkeypatch):
    class Shell:
        parent: dict

        def get_parent(self):
            return self.parent

    monkeypatch.setattr(engine, "get_ipython", Shell)
    Shell.parent = {"metadata": {"cellId": "c1"}, "header": {"msg_id": "1"}}
    first, second = build(), build()
    assert first.comm is not None and second.comm is not None
    Shell.parent = {"metadata": {"cellId": "c2"}, "header": {"msg_id": "2"}}
    elsewhere = build()
    Shell.parent = {"metadata": {"cellId": "c1"}, "header": {"msg_id": "3"}}
    third = build()
    assert first.comm is None and second.comm is None
    assert elsewhere.comm is not None and third.comm is not None
