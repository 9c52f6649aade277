"""A table that reads well in JupyterLab, on GitHub and in a terminal."""

import json
import re
from functools import cache
from html import escape
from typing import NamedTuple
from urllib.parse import quote

import ipywidgets as widgets

from helpers.language import say
from helpers.topics import Topic

from .agenda import listen
from .deck import to_html
from .progress import ProgressError


class CardText(str):
    """A text of a card, whose formulas and code are marked up in HTML."""


class Place(NamedTuple):
    """A topic, and the claim whose trap is meant, or None."""

    topic: Topic
    claim: str | None


class Table:
    """Rows under a heading: HTML in a notebook, text elsewhere. A cell is a text, a number, or one or more topics."""

    def __init__(self, title, head, rows):
        self.title, self.head, self.rows = title, head, rows

    def __repr__(self):
        cells = [[_to_text(cell) for cell in row] for row in (self.head, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
        return "\n".join((self.title, *lines)) if self.rows else self.title

    def _repr_html_(self):
        title = f"<p><b>{escape(say(self.title))}</b></p>"
        if not self.rows:
            return title
        rows = "".join(_row("td", row) for row in self.rows)
        return f"{title}<table><thead>{_row('th', self.head)}</thead><tbody>{rows}</tbody></table>"


def _row(tag, cells):
    # JupyterLab would set every cell to the right, and those of a widget without a space between
    style = 'style="text-align: left; padding: 2px 10px"'
    return "<tr>" + "".join(f"<{tag} {style}>{_to_html(cell)}</{tag}>" for cell in cells) + "</tr>"


def _to_text(cell):
    if isinstance(cell, list):
        return ", ".join(map(_to_text, cell))
    if isinstance(cell, Place):
        return " ".join(filter(None, (cell.topic.title, cell.claim)))
    return cell.title if isinstance(cell, Topic) else str(cell)


def _to_html(cell):
    if isinstance(cell, list):
        return ", ".join(map(_to_html, cell))
    if isinstance(cell, CardText):
        return to_html(cell).replace("<p>", '<p style="margin: 0">')
    if isinstance(cell, Topic) and cell.ready:
        return f'<a href="{cell.notebook}.ipynb">{escape(say(cell.title))}</a>'
    if isinstance(cell, Place) and cell.topic.ready:
        return link(*cell)
    return escape(say(_to_text(cell)))


def link(topic, claim=None):
    """Return a link to a notebook, or to the trap that settles a claim, as HTML."""
    heading = _headings(topic).get(claim)
    anchor = f"#{quote(heading.replace(' ', '-'))}" if heading else ""
    return f'<a href="{topic.notebook}.ipynb{anchor}">{escape(" ".join(filter(None, (say(topic.title), claim))))}</a>'


@cache
def _headings(topic):
    """The headings of a notebook's traps, by claim: JupyterLab makes an anchor of each."""
    notebook = json.loads(topic.path.read_text(encoding="utf-8"))
    text = "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    return {claim: f"{claim} · {rest}" for claim, rest in re.findall(r"(?m)^### ([a-z]+-\d+) · (.*)$", text)}


class Html(widgets.Output):
    """HTML whose links JupyterLab opens in a tab; in other widgets they would replace the page."""

    def show(self, html, text=""):
        """Replace what is shown; nothing is shown for an empty text."""
        data = {"text/html": html, "text/plain": text}
        self.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},) if html else ()


class Live(Html):
    """A table that is made anew after every answer and verdict of this kernel.

    Parameters
    ----------
    make : callable
        Returns the `Table`.
    """

    def __init__(self, make):
        self._make = make
        super().__init__()
        self.refresh()
        listen(self)

    def refresh(self):
        """Make the table again."""
        try:
            self.table = self._make()
        except ProgressError as error:
            self.table = Table(str(error), (), ())
        self.show(self.table._repr_html_(), repr(self.table))

    def __repr__(self):
        return repr(self.table)

    def _repr_mimebundle_(self, **kwargs):
        shown = {"text/plain": repr(self.table), "text/html": self.table._repr_html_()}
        return super()._repr_mimebundle_(**kwargs) | shown
