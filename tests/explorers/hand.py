"""A hand for tests: presses, drags and types on an explorer's canvas, as the browser reports it."""

from matplotlib.backend_bases import KeyEvent, MouseButton, MouseEvent


def mouse(canvas, kind, x, y):
    held = {"buttons": [MouseButton.LEFT]} if kind == "motion_notify" else {}
    MouseEvent(f"{kind}_event", canvas, x, y, MouseButton.LEFT, **held)._process()


def drag(explorer, axes, start, *stops):
    """Drag from `start` over `stops`, all in data coordinates."""
    (x, y), *rest = axes.transData.transform([start, *stops])
    mouse(explorer.canvas, "button_press", x, y)
    for x, y in rest:
        mouse(explorer.canvas, "motion_notify", x, y)
    mouse(explorer.canvas, "button_release", x, y)


def click(explorer, axes, place):
    drag(explorer, axes, place)


def press_key(explorer, key):
    KeyEvent("key_press_event", explorer.canvas, key)._process()
