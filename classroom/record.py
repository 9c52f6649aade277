"""Explorers as films, for a page without a kernel: each control is moved through its positions, and each frame is kept.

The first control has 61 positions, or all of its values if these are fewer; so has every other one, or fewer where a
topic would grow too large. One control moves at a time, the others stand at their opening. With each frame goes what
the kernel would have sent with it, the readouts, and what is around it: which controls are grayed out, and where
handles lie that move one slider.
"""

import ast
import json
from base64 import b64encode
from dataclasses import replace
from html import escape
from io import BytesIO
from math import floor, isnan, log10

import numpy as np
from PIL import Image

from helpers.explorers.controls import Choice, LogSlider, Slider, State, Switch
from helpers.explorers.explorer import Explorer

POSITIONS = 61
PHOTOGRAPH = {"format": "JPEG", "quality": 88, "subsampling": 0, "optimize": True}
# positions of every control but the first, and pixels of a frame over the explorer's own size: the first that fit
MOST, SCALES = (61, 31, 21, 11), (1.5, 1.25, 1)
ALONE = "One control at a time: the others return to where they began. In JupyterLab you combine them."
MORE = "Open in JupyterLab to drag: what moves here is more than sliders and menus."
SAMPLES = 8  # frames from which the size of a film is estimated


def explorers(notebook):
    """Run a notebook up to the end of section 6 and return {id of a cell: the explorer that it shows}."""
    shown, names = {}, {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.source.startswith("## 7 "):
            break
        if cell.cell_type == "code":
            *body, last = ast.parse(cell.source).body
            is_shown = isinstance(last, ast.Expr)
            exec(compile(ast.Module(body if is_shown else [*body, last], []), cell.id, "exec"), names)
            value = eval(compile(ast.Expression(last.value), cell.id, "eval"), names) if is_shown else None
            if isinstance(value, Explorer):
                shown[cell.id] = value
    return shown


def is_recorded(explorer):
    """Whether sliders and menus are all of an explorer's state."""
    return not any(isinstance(control, State) for control in explorer.declared.values())


def films(explorers, budget):
    """Record several explorers as well as `budget` bytes allow.

    Parameters
    ----------
    explorers : list of Explorer
        Each stands in its opening state, and does afterwards.
    budget : int
        For all films together, as they are stored.

    Returns
    -------
    list of str
        Each is what `film` returns, as JSON.

    Raises
    ------
    ValueError
        If even the smallest films are larger.
    """
    for most in MOST:
        smallest = sum(_estimate(explorer, most) for explorer in explorers)
        for scale in SCALES:
            if smallest * scale < budget:
                made = [json.dumps(film(explorer, scale, most), separators=(",", ":")) for explorer in explorers]
                if sum(map(len, made)) < budget:
                    return made
    raise ValueError(f"budget must be larger: {budget} bytes do not hold {', '.join(e.title for e in explorers)}")


def film(explorer, scale, most):
    """Record one explorer.

    Returns
    -------
    dict
        ``frames``, as base64 of what `encoded` returns; ``states``, each with its ``frame`` and ``readouts``;
        ``controls``, each with the number of the state for each of its positions; ``handles``. `player.js` plays it.
    """
    width = round(explorer.figure.get_figwidth() * 100 * scale)
    frames, states, controls = _states(explorer, width, most)
    size = width, round(width / explorer.canvas.aspect)
    return {
        "name": explorer.canvas.name,
        "aspect": explorer.canvas.aspect,
        "size": size,
        "scale": scale,
        "frames": [b64encode(encoded(pixels, size, explorer.photograph)).decode() for pixels in frames],
        "states": states,
        "controls": controls,
        "handles": [_described(handle, controls) for handle in _handles(explorer)],
    }


def _states(explorer, width, most):
    """Move every control through its positions: different frames, what is shown with them, which control shows them.

    The first state is the opening one.
    """
    frames, states, numbers = {}, [], {}
    handles = _handles(explorer)

    def state(**values):
        readouts = explorer.set(**explorer.opening | values).to_html()
        values = explorer.values
        if (key := tuple(values.values())) not in numbers:
            numbers[key] = len(states)
            frame = frames.setdefault(explorer.canvas.pixels(width).tobytes(), len(frames))
            texts = {name: as_shown(explorer, name, value) for name, value in values.items()}
            gray = [name for name, control in explorer.controls.items() if control.disabled]
            places = [_place(handle, values) for handle in handles]
            states.append({"frame": frame, "readouts": readouts, "texts": texts, "gray": gray, "places": places})
        return numbers[key]

    state()
    controls = []
    for name, control in explorer.declared.items():
        values = positions(explorer, name, most if controls else POSITIONS)
        kind = "switch" if isinstance(control, Switch) else "choice" if isinstance(control, Choice) else "slider"
        controls.append(
            {
                "name": name,
                "kind": kind,
                "label": control.description,
                "texts": [as_shown(explorer, name, value) for value in values],
                "states": [state(**{name: value}) for value in values],
                "opening": values.index(explorer.opening[name]),
            }
        )
    explorer.reset()
    return list(frames), states, controls


def positions(explorer, name, most):
    """The values of a control that are recorded, in order; the opening one is among them."""
    control = explorer.declared[name]
    if not isinstance(control, Slider):
        return control.samples()
    if name in (ends := explorer.highest(explorer.opening)):
        control = replace(control, high=ends[name])
    length = log10(control.high / control.low) if isinstance(control, LogSlider) else control.high - control.low
    steps = round(length / control.step)
    shares = np.linspace(0, 1, steps + 1 if steps < most else most)
    return sorted({control.nearest(control.between(share)) for share in shares} | {explorer.opening[name]})


def encoded(pixels, size, photograph):
    """Return a frame, the bytes of RGBA pixels, as the bytes of a picture: WebP without loss, a photograph as JPEG.

    So the kernel sends a photograph in motion. AVIF is half as large, but a browser needs ten times as long to read it;
    WebP with loss halves the resolution of colors, which shows on thin lines.
    """
    how = PHOTOGRAPH if photograph else {"format": "WEBP", "lossless": True, "quality": 50, "method": 2}
    buffer = BytesIO()
    Image.frombytes("RGBA", size, pixels).convert("RGB").save(buffer, **how)
    return buffer.getvalue()


def as_shown(explorer, name, value):
    """A value as JupyterLab writes it beside the control."""
    control = explorer.declared[name]
    if isinstance(control, Choice):
        options = control.options if isinstance(control.options, dict) else {str(v): v for v in control.options}
        return next(shown for shown, held in options.items() if held == value)
    if isinstance(control, Switch):
        return "on" if value else "off"
    form = explorer.controls[name].readout_format
    if not form.endswith("r"):
        return format(round(value) if form.endswith("d") else value, form)
    digits = 2 - floor(log10(value))  # three significant digits, none of them an exponent
    return f"{round(value, digits):,.{max(digits, 0)}f}"


def still(explorer, scale=1.25):
    """Return the present frame as the bytes of a small WebP file, for the moment before the film is there."""
    width, buffer = round(explorer.figure.get_figwidth() * 100 * scale), BytesIO()
    how = {"quality": 80} if explorer.photograph else {"lossless": True}
    Image.fromarray(explorer.canvas.pixels(width)).convert("RGB").save(buffer, "WEBP", **how)
    return buffer.getvalue()


def skeleton(explorer, name, picture, controls):
    """Return the HTML of an explorer before its film is there: its controls, its opening picture and its readouts.

    Parameters
    ----------
    explorer : Explorer
    name : str
        Of the film.
    picture : str
        Where the opening frame is.
    controls : list of dict
        Of the film; empty if there is none.
    """
    width, height = explorer.figure.get_size_inches() * 100
    rows = "".join(_input(control) for control in controls)
    reset = '<button class="viva-reset" disabled>Reset</button>' if controls else ""
    return f"""<div class="viva-explorer" {f'data-film="{name}"' if controls else ""}>
<div class="viva-controls">{rows}</div>{reset}
<div class="viva-canvas" style="--viva-aspect: {explorer.canvas.aspect:.4f}"><div class="viva-picture">
<img src="{picture}" width="{width:.0f}" height="{height:.0f}" alt="{escape(explorer.title)}"></div>
<div class="viva-side"><table class="viva-readouts">{explorer.set().to_html()}</table></div></div>
<p class="viva-note">{ALONE if controls else MORE}</p>
</div>"""


def _input(control):
    at, texts = control["opening"], control["texts"]
    shown = f"<span>{escape(control['label'])}</span>"
    name = f'name="{control["name"]}" disabled'
    if control["kind"] == "switch":
        return f'<label>{shown}<input type="checkbox" {name}{" checked" * (texts[at] == "on")}></label>'
    if control["kind"] == "choice":
        options = "".join(f"<option{' selected' * (n == at)}>{escape(text)}</option>" for n, text in enumerate(texts))
        return f"<label>{shown}<select {name}>{options}</select></label>"
    slider = f'<input type="range" {name} max="{len(texts) - 1}" value="{at}" aria-valuetext="{texts[at]}">'
    return f"<label>{shown}{slider}<output>{texts[at]}</output></label>"


def _estimate(explorer, most):
    """About how many bytes a film takes with frames of the explorer's own size, from some of its frames."""
    width = round(explorer.figure.get_figwidth() * 100)
    frames, _, _ = _states(explorer, width, most)
    size, some = (width, round(width / explorer.canvas.aspect)), frames[:: -(-len(frames) // SAMPLES)]
    return sum(len(encoded(pixels, size, explorer.photograph)) for pixels in some) / len(some) * len(frames) * 4 / 3


def _handles(explorer):
    """The handles that move one slider and have one part."""
    return [
        handle
        for handle in explorer.handles
        if isinstance(handle.name, str)
        and isinstance(explorer.declared[handle.name], Slider)
        and len(handle.places(explorer.opening)) == 1
    ]


def _described(handle, controls):
    size = handle.axes.figure.bbox.size
    box = (handle.axes.bbox.get_points() / size).round(4).tolist()
    number = next(n for n, control in enumerate(controls) if control["name"] == handle.name)
    return {"control": number, "box": box, "cursor": handle.cursor}


def _place(handle, values):
    """Where a handle is, as shares of the picture's width and height from the lower left; None: anywhere."""
    ((x, y),) = handle.places(values).values()
    middle = np.mean([handle.axes.get_xlim(), handle.axes.get_ylim()], axis=1)
    point = [m if isnan(v) else v for v, m in zip((x, y), middle, strict=True)]
    shares = (handle.axes.transData.transform(point) / handle.axes.figure.bbox.size).round(4).tolist()
    return [None if isnan(v) else share for v, share in zip((x, y), shares, strict=True)]
