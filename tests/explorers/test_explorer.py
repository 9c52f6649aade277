"""The engine keeps its promises."""

import asyncio
import gc
import io
import weakref
from base64 import b64decode
from functools import partial

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances
from PIL import Image

from helpers.explorers import explorer as engine
from helpers.explorers.controls import Choice, LogSlider, Slider, State, Switch, button
from helpers.explorers.explorer import Explorer
from helpers.explorers.handles import Boxes, Handle, Line, Points
from helpers.topics import ROOT

from .hand import click, drag, gestures, hover, press_key, redrawn, same, shown

NEAR = partial(pytest.approx, abs=0.1)


class Dot(Explorer):
    """A dot on a line, with one control of each kind."""

    title = "A dot"
    size = 300, 200
    plays = "n"

    x = Slider(5.0, 0, 10, step=0.5, unit="cm")
    n = Slider(0, 0, 4)
    strength = LogSlider(1, 0.1, 1000, step=0.5, when=lambda values: values["fast"])
    color = Choice("red", ["red", "blue"], label="color of the dot")
    fast = Switch()
    points = State(((2.0, 2.0, "a"), (8.0, 8.0, "b")))
    boxes = State(((1.0, 1.0, 4.0, 4.0),))

    def __init__(self, *handles, **known):
        self._made = handles
        super().__init__(**known)

    def draw(self, figure):
        self.axes = figure.add_subplot(xlim=(0, 10), ylim=(0, 10))
        (self.dot,) = self.live(self.axes.plot([], [], "o", markersize=12))
        self.hand(*(make(self.axes) for make in self._made))

    def solve(self, x, n, strength, color, fast, points, boxes):
        if x == 7:
            raise ZeroDivisionError("seven is <not> allowed")
        return {"x": x, "n": n, "points": len(points), "strength": strength}

    def show(self, solution):
        self.dot.set_data([solution["x"]], [5])

    def readouts(self, solution):
        return solution

    def highest(self, values):
        return {"n": 4 if values["color"] == "red" else 2}

    @button("Far right")
    def far_right(self, values):
        return {"x": 10 - values["n"]}


@pytest.fixture
def dot():
    made = []

    def build(*handles, kind=Dot, **known):
        made.append(kind(*handles, **known))
        return made[-1]

    yield build
    for explorer in made:
        explorer.close()


def line(axes):
    return Line(axes, "x")


def cloud(axes):
    return Points(axes, "points")


def growing_cloud(axes):
    return Points(axes, "points", new=lambda values: ("c",))


def frame(axes):
    return Boxes(axes, "boxes")


class Page:
    """A page that shows an explorer: it asks for a size, keeps what it is sent and paints it."""

    def __init__(self, explorer, width, name="page"):
        self.explorer, self.name, self.frames, self.contents = explorer, name, [], []
        self.picture = Image.new("RGBA", (1, 1))
        before = explorer.canvas.send

        def send(content, buffers=()):
            before(content, buffers)
            self.contents.append(content)
            if content["kind"] == "frame" and name in content["views"]:
                self.frames.append(Image.open(io.BytesIO(buffers[0])))
                if self.picture.size != content["size"]:
                    self.picture = Image.new("RGBA", content["size"])
                self.picture.paste(self.frames[-1], content["place"])

        explorer.canvas.send = send
        self.say(kind="view", width=width)

    def say(self, **content):
        self.explorer.canvas.hear({**content, "view": self.name})

    @property
    def pixels(self):
        return np.asarray(self.picture)


# --- by code ---------------------------------------------------------------------------------------------------------


def test_a_control_moves_the_picture_and_the_readouts(dot):
    explorer = dot()
    page, before = Page(explorer, 300), shown(explorer)
    explorer.controls["x"].value = 8
    assert explorer.at()["x"] == 8
    assert "<td>8</td>" in page.contents[-1]["readouts"]
    assert not same(shown(explorer), before)


def test_at_says_what_would_be_and_moves_nothing(dot):
    explorer = dot()
    before = shown(explorer)
    assert explorer.at(x=8, n=2) == {"x": 8, "n": 2, "points": 2, "strength": 1}
    assert explorer.at_press("Far right")["x"] == 10
    assert explorer.at_press("Far right", n=2)["x"] == 8
    assert explorer.values == explorer.opening and same(shown(explorer), before)


def test_what_was_asked_is_shown_folded_and_what_was_done_is_not(dot):
    explorer = dot()
    for asked in (explorer.at(x=3), explorer.at_press("Far right")):
        html = asked._repr_html_()
        assert html.startswith("<details><summary>") and html.endswith("</details>")
        assert all(f">{name}<" in html for name in asked)
    assert not hasattr(explorer.set(x=3), "_repr_html_")


def test_at_and_set_agree(dot):
    explorer = dot()
    assert explorer.at(x=3.3, n=4, color="blue") == explorer.set(x=3.3, n=4, color="blue")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"x": 11}, "x must be a number from 0 to 10, got 11"),
        ({"x": float("nan")}, "x must be a number"),
        ({"x": "wide"}, "x must be a number"),
        ({"x": None}, "x must be a number"),
        ({"x": True}, "x must be a number"),
        ({"n": 1, "x": -1}, "x must be a number"),
        ({"strength": 0}, "strength must be a number from 0.1 to 1000, got 0"),
        ({"color": "green"}, "color must be one of red, blue, got 'green'"),
        ({"fast": 1}, "fast must be True or False, got 1"),
        ({"y": 1}, "y is not a control; this explorer has x, n, strength"),
    ],
)
def test_refused_values_change_nothing(dot, values, message):
    explorer = dot()
    for ask in (explorer.set, explorer.at):
        with pytest.raises(ValueError, match=message):
            ask(**values)
    assert explorer.values == explorer.opening


def test_set_solves_once_for_several_controls(dot):
    calls = []

    class Counting(Dot):
        def solve(self, **values):
            calls.append((values["x"], values["n"]))
            return super().solve(**values)

    explorer = dot(kind=Counting)
    calls.clear()
    explorer.set(x=1, n=2)
    assert calls == [(1, 2)]


def test_values_go_to_the_nearest_step(dot):
    explorer = dot()
    assert explorer.set(x=3.3)["x"] == 3.5
    assert explorer.set(strength=900)["strength"] == pytest.approx(1000)
    assert explorer.set(strength=0.5)["strength"] == pytest.approx(10**-0.5)


def test_a_sliders_end_may_depend_on_other_controls(dot):
    explorer = dot()
    explorer.set(n=4)
    assert explorer.set(color="blue")["n"] == 2 == explorer.controls["n"].max
    assert explorer.at(color="red", n=4)["n"] == 4 and explorer.controls["n"].max == 2
    assert explorer.set(color="red", n=4)["n"] == 4


def test_a_control_without_effect_is_greyed_out(dot):
    explorer = dot()
    assert explorer.controls["strength"].disabled
    explorer.set(fast=True)
    assert not explorer.controls["strength"].disabled


def test_what_only_the_data_know_is_given_at_construction(dot):
    explorer = dot(x={"value": 20.0, "high": 30}, n={"label": "count"})
    assert explorer.at(x=30)["x"] == 30
    assert [explorer.controls[name].description for name in ("x", "n", "color")] == [
        *("x (cm)", "count", "color of the dot")
    ]
    assert dot().opening["x"] == 5, "the class keeps its own"


def test_buttons_step_and_reset(dot):
    explorer = dot()
    assert explorer.press("Far right")["x"] == 10
    assert [explorer.press("Step")["n"] for _ in range(5)] == [1, 2, 3, 4, 4]
    assert explorer.press("Back")["n"] == 3
    explorer.set(points=((1, 1, "c"),))
    assert explorer.reset() == {"x": 5, "n": 0, "points": 2, "strength": 1}
    with pytest.raises(ValueError, match="label must be one of Far right, Back, Step, Reset"):
        explorer.press("Jump")


def film_button(explorer):
    buttons = explorer.widget.children[1].children
    return next(button for button in buttons if button.description in ("Play", "Pause"))


def test_the_film_plays_to_its_end_pauses_and_starts_again(dot, monkeypatch):
    monkeypatch.setattr(engine, "SHORTEST", 0.01)
    monkeypatch.setattr(engine, "LONGEST", 0.01)
    explorer = dot()
    button = film_button(explorer)

    async def watch():
        button.click()
        assert button.description == "Pause"
        await asyncio.sleep(0.3)
        assert explorer.n == 4 and button.description == "Play"
        button.click()  # at its end it starts again
        button.click()  # and pauses
        assert explorer.n == 0 and button.description == "Play"
        await asyncio.sleep(0.05)
        assert explorer.n == 0

    asyncio.run(watch())
    assert explorer.error == ""


def test_error_is_shown_in_one_line_and_the_next_value_recovers(dot):
    explorer = dot()
    page = Page(explorer, 300)
    explorer.controls["x"].value = 7
    assert explorer.error == "ZeroDivisionError: seven is <not> allowed" == page.contents[-1]["alert"]
    explorer.controls["x"].value = 6
    assert explorer.error == page.contents[-1]["alert"] == "" and explorer.at()["x"] == 6


def test_error_reaches_the_code_that_set_the_value(dot):
    explorer = dot()
    for ask in (explorer.set, explorer.at):
        with pytest.raises(ZeroDivisionError):
            ask(x=7)


def test_the_smallest_explorer_of_the_readme_works():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = readme.partition("<!-- smallest explorer -->\n```python\n")[2].partition("```")[0]
    exec(code, names := {})
    explorer = names["Tangent"]()
    assert explorer.at(x=2)["slope"] == pytest.approx(np.cos(2))
    assert explorer.press("Top")["slope"] == pytest.approx(0, abs=0.01)
    explorer.close()


# --- the picture -----------------------------------------------------------------------------------------------------


def test_blitting_equals_a_full_redraw_wherever_the_control_has_been(dot):
    explorer = dot()
    for x in (0, 10, 3, 9.5, 4):
        explorer.set(x=x)
        shown(explorer)
    assert same(shown(explorer), redrawn(explorer))


def test_two_pages_each_get_their_own_resolution(dot):
    explorer = dot()
    laptop, projector = Page(explorer, 300, "laptop"), Page(explorer, 900, "projector")
    explorer.set(x=9)
    assert laptop.pixels.shape == (200, 300, 4) and projector.pixels.shape == (600, 900, 4)
    for page, width in ((laptop, 300), (projector, 900)):
        explorer.canvas.redraw()
        assert same(page.pixels, explorer.canvas.pixels(width))


def test_only_the_part_that_changed_is_sent(dot):
    explorer = dot()
    page = Page(explorer, 300)
    for x in (5.5, 9, 5, 5):
        explorer.set(x=x)
        assert same(page.pixels, explorer.canvas.pixels(300))
    assert [frame.size == (300, 200) for frame in page.frames] == [True, False, False, False, False]
    assert page.frames[-1].size == (1, 1), "nothing changed"
    explorer.canvas.redraw()
    explorer.set(x=6)
    assert page.frames[-1].size == (300, 200)


def test_a_second_page_of_the_same_size_gets_the_whole_picture(dot):
    explorer = dot()
    first = Page(explorer, 300, "first")
    explorer.set(x=9)
    second = Page(explorer, 300, "second")
    explorer.set(x=2)
    for page in (first, second):
        assert same(page.pixels, explorer.canvas.pixels(300))


def test_a_page_that_is_gone_costs_nothing(dot):
    explorer = dot()
    laptop, projector = Page(explorer, 300, "laptop"), Page(explorer, 900, "projector")
    projector.say(kind="gone")
    before = len(projector.frames)
    explorer.set(x=9)
    assert len(projector.frames) == before and laptop.pixels.shape == (200, 300, 4)


def test_a_page_that_changes_its_size_gets_a_frame_of_that_size(dot):
    page = Page(dot(), 300)
    page.say(kind="view", width=450)
    assert page.pixels.shape == (300, 450, 4)


def test_every_message_of_a_page_is_answered(dot):
    page = Page(dot(), 300)
    for kind in ({"kind": "ping"}, {"kind": "key", "key": "right"}, {"kind": "gone"}):
        page.contents.clear()
        page.say(**kind)
        assert page.contents


def test_frames_without_loss_equal_the_pixels(dot):
    explorer = dot()
    page = Page(explorer, 300)
    explorer.set(x=1)
    assert same(page.pixels, shown(explorer))


def test_a_photograph_in_motion_is_a_jpeg_and_without_loss_at_rest(dot, monkeypatch):
    monkeypatch.setattr("helpers.explorers.canvas.REST", 0.05)

    class Photograph(Dot):
        photograph = True

    explorer = dot(kind=Photograph)
    page = Page(explorer, 300)

    async def hand():
        explorer.set(x=1)
        explorer.set(x=2)
        assert page.frames[-1].format == "JPEG"
        sent = len(page.frames)
        await asyncio.sleep(0.2)
        assert len(page.frames) == sent + 1, "one frame at rest, however many in motion"

    asyncio.run(hand())
    assert page.frames[-1].format == "PNG" and same(page.pixels, shown(explorer))


def test_square_axes_beside_a_legend_keep_their_labels(dot):
    class Square(Dot):
        size = 640, 430

        def draw(self, figure):
            super().draw(figure)
            self.axes.set(box_aspect=1, xlim=(-0.8, 1.3), ylim=(-0.8, 1.3), ylabel="weight of s5")
            self.dot.set_label("a long name, drag it")
            figure.legend(loc="outside right upper")

    assert dot(kind=Square).axes.yaxis.label.get_window_extent().x0 > 0


def test_display_carries_a_live_widget_the_opening_picture_and_text(dot):
    explorer = dot()
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == "A dot\nx: 5\nn: 0\npoints: 2\nstrength: 1"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    explorer.set(x=1)
    assert explorer._repr_mimebundle_()["image/png"] == bundle["image/png"], "the picture is that of the opening state"


class Named(Dot):
    def draw(self, figure):
        super().draw(figure)
        self.dot.set_label("the dot")
        figure.legend(loc="outside lower center")


def test_a_legend_below_stays_above_the_line_under_the_picture():
    explorer = Named()
    png = b64decode(explorer._repr_mimebundle_()["image/png"])
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    assert same(picture[:200], shown(explorer))
    explorer.close()


def test_readouts_show_four_digits_thousands_and_escape():
    readouts = engine.Readouts({"a<b": 1 / 3, "n": 1234567, "big": 123456.7, "small": 0.00001234, "t": "x & y"})
    assert repr(readouts) == "a<b: 0.3333\nn: 1,234,567\nbig: 123,456.7\nsmall: 1.234e-05\nt: x & y"
    assert "a&lt;b" in readouts.to_html() and "x &amp; y" in readouts.to_html()


# --- the hand --------------------------------------------------------------------------------------------------------


def test_dragging_a_line_moves_its_slider(dot):
    explorer = dot(line)
    drag(explorer, explorer.axes, (5, 1), (6, 2), (7.9, 3))
    assert explorer.x == 8
    drag(explorer, explorer.axes, (8, 1), (99, 1))
    assert explorer.x == 10


def test_dragging_away_from_every_part_moves_nothing(dot):
    explorer = dot(line)
    drag(explorer, explorer.axes, (1, 1), (9, 9))
    assert explorer.x == 5


def test_a_released_line_does_not_follow_the_pointer(dot):
    explorer = dot(line)
    drag(explorer, explorer.axes, (5, 1), (6, 1))
    hover(explorer, explorer.axes, (9, 1))
    assert explorer.x == 6


def test_the_newest_gesture_says_all_when_others_were_lost(dot):
    """While the kernel is busy a page keeps only its newest gesture: the press itself may never arrive."""
    explorer = dot(line)
    explorer.canvas.gesture = gestures(explorer, explorer.axes, (5, 1), (6, 1), (8, 1))[-1]
    assert explorer.x == 8
    explorer.canvas.gesture = gestures(explorer, explorer.axes, (8, 1), (2, 1))[-1]
    assert explorer.x == 2


def test_a_drag_works_the_same_at_every_resolution(dot):
    explorer = dot(cloud)
    Page(explorer, 900)
    drag(explorer, explorer.axes, (2.0, 2.0), (4.0, 5.0))
    assert explorer.points[0][:2] == pytest.approx((4, 5))


def test_dragging_a_point_keeps_the_grip_and_stops_at_the_frame(dot):
    explorer = dot(cloud)
    drag(explorer, explorer.axes, (2.1, 2.0), (4.1, 5.0))
    assert explorer.points[0] == (NEAR(4), NEAR(5), "a")
    drag(explorer, explorer.axes, (4, 5), (40, -40))
    assert explorer.points[0][:2] == (10, 0)


def test_click_adds_a_point_and_delete_removes_it(dot):
    explorer = dot(growing_cloud)
    click(explorer, explorer.axes, (5, 3))
    assert explorer.points[2] == (NEAR(5), NEAR(3), "c")
    press_key(explorer, "delete")
    assert len(explorer.points) == 2


def test_click_adds_nothing_unless_asked_to(dot):
    explorer = dot(cloud)
    click(explorer, explorer.axes, (5, 3))
    press_key(explorer, "delete")
    assert len(explorer.points) == 2


@pytest.mark.parametrize(
    ("start", "stop", "box"),
    [
        ((4, 4), (6, 7), (1, 1, 6, 7)),
        ((1, 1), (0, 2), (0, 2, 4, 4)),
        ((4, 2.5), (7, 9), (1, 1, 7, 4)),
        ((3, 3), (5, 4), (3, 2, 6, 5)),
        ((4, 4), (0, 0), (0, 0, 1, 1)),
        ((2, 3), (20, 3), (7, 1, 10, 4)),
        ((2, 3), (-20, -20), (0, 0, 3, 3)),
    ],
    ids=[
        "upper right corner",
        "lower left corner",
        "right side",
        "inside",
        "through the other corner",
        "against the right border it keeps its size",
        "against the lower left corner too",
    ],
)
def test_dragging_a_box(dot, start, stop, box):
    explorer = dot(frame)
    drag(explorer, explorer.axes, start, stop)
    assert explorer.boxes[0] == NEAR(box)


def test_a_slider_that_doubles_shows_whole_numbers():
    assert LogSlider(2, 1, 8, step=np.log10(2), label="n").widget().readout_format == ",d"
    assert LogSlider(2, 1, 8, step=0.5, label="n").widget().readout_format == ",.3r"
    assert LogSlider(0.5, 0.25, 8, step=np.log10(2), label="n").widget().readout_format == ",.3r"


def test_everything_draggable_moves_by_keyboard_too(dot):
    explorer = dot(cloud)
    press_key(explorer, "right")
    press_key(explorer, "shift+up")
    assert explorer.points[0][:2] == pytest.approx((2.1, 2.5))
    press_key(explorer, "n")
    press_key(explorer, "left")
    assert explorer.points[1][:2] == pytest.approx((7.9, 8))
    press_key(explorer, "p")
    before = shown(explorer)
    press_key(explorer, "n")
    assert not same(shown(explorer), before), "a ring shows which part is chosen"


def test_reset_lets_go_of_the_ring(dot):
    explorer = dot(cloud)
    opening = shown(explorer)
    press_key(explorer, "n")
    press_key(explorer, "left")
    explorer.reset()
    assert same(shown(explorer), opening)
    press_key(explorer, "right")
    assert explorer.points[0][:2] == pytest.approx((2.1, 2)), "the first part is chosen again"


def test_arrow_up_moves_up_on_a_turned_axis(dot):
    explorer = dot(cloud)
    explorer.axes.invert_yaxis()
    press_key(explorer, "up")
    assert explorer.points[0][:2] == pytest.approx((2, 1.9))


def test_line_moves_by_keyboard(dot):
    explorer = dot(line)
    press_key(explorer, "shift+right")
    assert explorer.x == 5.5


def test_an_arrow_moves_a_control_with_large_steps_by_one(dot):
    explorer = dot(lambda axes: Line(axes, "n"))
    press_key(explorer, "right")
    assert explorer.n == 1
    press_key(explorer, "left")
    press_key(explorer, "left")
    assert explorer.n == 0


def test_one_handle_may_set_several_controls_in_one_update(dot):
    class Both(Handle):
        def places(self, values):
            return {"both": (values["x"], values["n"])}

        def moved(self, values, part, dx, dy):
            return values["x"] + dx, values["n"] + dy

    explorer, solved = dot(lambda axes: Both(axes, ("x", "n"))), []
    solve = explorer.solve
    explorer.solve = lambda **values: solved.append(values) or solve(**values)
    drag(explorer, explorer.axes, (5, 0), (8, 3))
    assert (explorer.x, explorer.n) == (8, 3) and len(solved) == 1
    drag(explorer, explorer.axes, (8, 3), (99, 99))
    assert (explorer.x, explorer.n) == (10, 4)
    press_key(explorer, "left")
    assert (explorer.x, explorer.n) == (9.5, 4)


def test_the_pointers_look_tells_what_can_be_grabbed(dot):
    explorer = dot(line, growing_cloud)
    looks = []
    for place in ((5, 1), (2, 2), (3, 7)):
        hover(explorer, explorer.axes, place)
        looks.append(explorer.canvas.cursor)
    assert looks == ["ew-resize", "grab", "copy"]
    plain = dot(cloud)
    hover(plain, plain.axes, (5, 5))
    assert plain.canvas.cursor == "default"


def test_pointing_can_set_a_control(dot):
    class Column(Handle):
        def pointed(self, values, x, y):
            return round(x)

    explorer = dot(lambda axes: Column(axes, "n"))
    hover(explorer, explorer.axes, (3.1, 5))
    assert explorer.n == 3
    click(explorer, explorer.axes, (1.2, 5))
    assert explorer.n == 1


def test_pictures_without_handles_are_not_reached_by_tab(dot):
    assert dot(line).canvas.draggable and not dot().canvas.draggable


def test_gestures_are_not_echoed_to_pages(dot):
    assert dot().canvas.trait_metadata("gesture", "echo_update") is False


# --- no leaks --------------------------------------------------------------------------------------------------------


def test_no_leak_over_500_updates(dot):
    explorer = dot()
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
    explorer = Dot()
    figure = weakref.ref(explorer.figure)
    explorer.close()
    explorer.close()
    assert len(_instances) == before
    del explorer
    gc.collect()
    assert figure() is None


def test_running_a_cell_again_closes_its_earlier_explorers(dot, monkeypatch):
    class Shell:
        parent: dict

        def get_parent(self):
            return self.parent

    monkeypatch.setattr("helpers.notebook.get_ipython", Shell)

    def alive(explorer):
        return explorer.widget.comm is not None

    Shell.parent = {"metadata": {"cellId": "c1"}, "header": {"msg_id": "1"}}
    first, second = dot(), dot()
    assert alive(first) and alive(second)
    Shell.parent = {"metadata": {"cellId": "c2"}, "header": {"msg_id": "2"}}
    elsewhere = dot()
    Shell.parent = {"metadata": {"cellId": "c1"}, "header": {"msg_id": "3"}}
    third = dot()
    assert not alive(first) and not alive(second)
    assert alive(elsewhere) and alive(third)
