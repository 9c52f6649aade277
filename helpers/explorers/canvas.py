"""The kernel's side of an explorer's picture: a background that is drawn once, live artists drawn over it, frames sent.

matplotlib's Agg draws here; `canvas.js` paints in the page. Each page says how many pixels wide its picture is. The
figure keeps its size in inches and is drawn at the resolution that fills these pixels, so its layout is the same on a
laptop, on a projector and on a screen of double resolution. Of a frame only the part is sent that differs from the one
before: half of the pixels need half of the time to encode, to send and to decode.
"""

import asyncio
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import anywidget
import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from PIL import Image
from traitlets import Bool, Dict, Float, Unicode

from ..language import page_texts

HERE = Path(__file__).parent
WIDEST = 6000  # pixels: what a page may ask for
PAGES = 6  # the newest are served; one that vanished without a word costs nothing for long
REST = 0.25  # seconds without a new frame, after which a photograph is sent without loss


@dataclass
class _Surface:
    """What is kept for one width in pixels."""

    renderer: RendererAgg
    background: object
    sent: np.ndarray | None = None  # the frame that the pages hold; None if they need a whole one


class Canvas(anywidget.AnyWidget):
    """A picture that is live in every page that shows it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    live : list of Artist
        What moves, in the order in which it is drawn. All else is drawn once for each width.
    key : callable
        Called with "left", "right", "up", "down", "n", "p" or "delete", after "shift+" if that was held.
    photograph : bool
        Whether to send frames in motion as JPEG; the frame at rest is always without loss.

    Attributes
    ----------
    gesture : dict
        The latest of the pointer: ``id`` of the press, ``start`` and ``place`` as shares of the picture's width and
        height from the lower left (``start`` is None while nothing is pressed), ``down``.
    cursor : str
        The pointer's look, a CSS name.
    """

    _esm = (HERE / "canvas.js").read_text(encoding="utf-8")  # as text: a path would be watched, and keep each canvas
    _css = (HERE / "canvas.css").read_text(encoding="utf-8")
    name = Unicode().tag(sync=True)
    aspect = Float().tag(sync=True)
    draggable = Bool().tag(sync=True)
    cursor = Unicode("default").tag(sync=True)
    gesture = Dict().tag(sync=True, echo_update=False)
    texts = Dict().tag(sync=True)  # what the page says, if not in English

    def __init__(self, figure, live, key, *, photograph=False, **traits):
        self.figure, self._live, self._key, self._photograph = figure, live, key, photograph
        self._widths, self._surfaces = {}, {}  # of each page; of each width
        self._readouts = self._alert = ""
        self._rest = None
        width, height = figure.get_size_inches()
        super().__init__(aspect=width / height, texts=page_texts(), **traits)
        self.on_msg(lambda _, content, buffers: self.hear(content))

    def show(self, readouts, alert=""):
        """Send a new frame to every page, with the readouts (HTML rows) and a complaint (text) beside it."""
        self._readouts, self._alert = readouts, alert
        moving = self._photograph and self._wait_for_rest()
        self._send_frames(_jpeg if moving else _png)

    def pixels(self, width=None):
        """Return the present frame, (height, width, 4) bytes; by default at the figure's own size."""
        surface = self._surface(width or round(self.figure.get_figwidth() * 100))
        surface.renderer.restore_region(surface.background)
        for artist in self._live:
            artist.draw(surface.renderer)
        return np.asarray(surface.renderer.buffer_rgba())

    def redraw(self):
        """Draw the backgrounds anew: something changed that is not live."""
        self._surfaces.clear()

    def hear(self, content):
        """Answer a page. Each message gets an answer, so that a page without one can say that it is not connected."""
        kind, view = content.get("kind"), content.get("view")
        if kind == "view":
            self._widths[view] = min(content["width"], WIDEST)
            for oldest in list(self._widths)[:-PAGES]:
                del self._widths[oldest]
            self._surface(self._widths[view]).sent = None
            self._send_frames(_png)
        elif kind == "gone":
            self._widths.pop(view, None)
        elif kind == "key":
            self._key(content["key"])
        self._surfaces = {width: kept for width, kept in self._surfaces.items() if width in self._widths.values()}
        self.send({"kind": "heard"})

    def _surface(self, width):
        dpi = width / self.figure.get_figwidth()
        if self.figure.dpi != dpi:
            self.figure.dpi = dpi
        if width not in self._surfaces:
            renderer = RendererAgg(width, round(width / self.aspect), dpi)
            self.figure.draw(renderer)
            self._surfaces[width] = _Surface(renderer, renderer.copy_from_bbox(self.figure.bbox))
        return self._surfaces[width]

    def _send_frames(self, encode):
        for width in set(self._widths.values()):
            views = [view for view, wide in self._widths.items() if wide == width]
            frame, surface = self.pixels(width), self._surface(width)
            left, top, part = _changes(frame, surface.sent)
            # What lost its details as JPEG is sent again, whole.
            surface.sent = frame.copy() if encode is _png else None
            content = {"kind": "frame", "views": views, "readouts": self._readouts, "alert": self._alert}
            self.send(content | {"size": frame.shape[1::-1], "place": (left, top)}, [encode(part)])

    def _wait_for_rest(self):
        """Whether a later frame can follow this one. Outside a kernel there is no later."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._rest:
            self._rest.cancel()
        self._rest = loop.call_later(REST, self._send_frames, _png)
        return True

    def close(self):
        if self._rest:
            self._rest.cancel()
        self._surfaces.clear()
        super().close()


def _changes(frame, before):
    """Return the left and the top of the smallest part that holds all changes from one frame to the next, and the part.

    Without a frame before, that is all of it; without changes, the first pixel.
    """
    if before is None:
        return 0, 0, frame
    changed = frame.view(np.uint32)[..., 0] != before.view(np.uint32)[..., 0]  # four bytes at once
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) if changed.any() else [0] for axis in (1, 0))
    return int(columns[0]), int(rows[0]), frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _png(pixels):
    """Encode a frame as a PNG without row filters.

    Pillow tries all filters on every row. For an explorer's frames that takes twice as long as the compression, and the
    file comes out no smaller. Nor does it without the alpha channel, which takes as long to drop as to compress.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 4 * width), dtype=np.uint8)  # each row starts with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits of red, green, blue and alpha
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows, level=1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _jpeg(pixels):
    buffer = BytesIO()
    Image.fromarray(pixels).convert("RGB").save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()
