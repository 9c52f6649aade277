"""A table that reads well in JupyterLab, on GitHub and in a terminal."""

from html import escape

from helpers.topics import Topic

from .deck import to_html


class CardText(str):
    """A text of a card, whose formulas and code are marked up in HTML."""


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
        title = f"<p><b>{escape(self.title)}</b></p>"
        if not self.rows:
            return title
        rows = "".join(_row("td", row) for row in self.rows)
        return f"{title}<table><thead>{_row('th', self.head)}</thead><tbody>{rows}</tbody></table>"


def _row(tag, cells):
    # JupyterLab would set every cell to the right
    return "<tr>" + "".join(f'<{tag} style="text-align: left">{_to_html(cell)}</{tag}>' for cell in cells) + "</tr>"


def _to_text(cell):
    if isinstance(cell, list):
        return ", ".join(map(_to_text, cell))
    return cell.title if isinstance(cell, Topic) else str(cell)


def _to_html(cell):
    if isinstance(cell, list):
        return ", ".join(map(_to_html, cell))
    if isinstance(cell, CardText):
        return to_html(cell).replace("<p>", '<p style="margin: 0">')
    if isinstance(cell, Topic) and cell.ready:
        return f'<a href="{cell.notebook}.ipynb">{escape(cell.title)}</a>'
    return escape(_to_text(cell))
