"""``python -m classroom.site``, which `make site` calls: a book made offline, whose explorers live in the page.

The pages are the notebooks as they are stored, by Sphinx and MyST-NB; nothing in them is computed anew. An explorer
whose state is sliders and menus is recorded by `classroom.record` and played by the `canvas.js` that JupyterLab uses.
With numbers of topics, ``python -m classroom.site 05 18``, only these are built.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.resources import files
from pathlib import Path

import nbformat

from classroom import record
from helpers.topics import PARTS, ROOT, TOPICS, as_markdown

SITE = ROOT / "build" / "site"
SHARE = Path(__file__).parent / "share" / "site"
EXPLORERS = ROOT / "helpers" / "explorers"
BUDGET = 4_000_000  # bytes of a topic: its page, its pictures, its films
FILMS = 3_500_000  # of these, the films'
NOTES = {
    "## 8": "The judge lives in JupyterLab: `make lab`, then run a cell and it checks what you wrote.",
    "## 9": "The quiz lives in JupyterLab: `make lab`, then run the cell and it asks its cards.",
}
START = "This page lives in JupyterLab: `make lab` opens it. Here you see what it shows before you have begun."


def build(numbers=(), folder=SITE):
    """Build the book.

    Parameters
    ----------
    numbers : sequence of int
        The topics; all that are ready, and the start page, if none is named.
    folder : path
        Where the pages go. What is there is replaced.

    Raises
    ------
    ValueError
        If there is no such topic, or one is too large.
    CalledProcessError
        If Sphinx complains of a page.
    """
    ready = {topic.number: topic for topic in TOPICS if topic.ready}
    if unknown := [number for number in numbers if number not in ready]:
        raise ValueError(f"numbers must be of topics, {min(ready)} to {max(ready)}, got {unknown[0]}")
    topics = [ready[number] for number in sorted(set(numbers) or ready)]
    with tempfile.TemporaryDirectory() as scratch:
        source, static = Path(scratch, "source"), Path(scratch, "source", "_static")
        (static / "films").mkdir(parents=True)
        shutil.copy(SHARE / "conf.py", source)
        _write_assets(static)
        built = {topic.notebook for topic in topics} | {"00_start_here"}
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(partial(_write_topic, source=source, static=static, built=built), topics))
        _write_start(source, built)
        (source / "index.md").write_text(_index(topics, built), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
        subprocess.run([*command, "--doctree-dir", Path(scratch, "doctrees"), source, folder], check=True)
    for topic in topics:
        _weigh(topic, Path(folder))
    Path(folder, ".nojekyll").touch()  # or Pages would leave out folders that begin with an underline


def _write_assets(static):
    player = (SHARE / "player.js").read_text(encoding="utf-8")
    canvas = (EXPLORERS / "canvas.js").read_text(encoding="utf-8")
    (static / "player.js").write_text(f"const vivaCanvas = {json.dumps(canvas)};\n{player}", encoding="utf-8")
    shutil.copy(EXPLORERS / "canvas.css", static)
    shutil.copy(SHARE / "site.css", static)
    mathjax = Path(str(files("sphinx-mathjax-offline"))) / "static" / "mathjax"
    for part in ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions"):
        target = static / "mathjax" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (mathjax / part).is_dir() else shutil.copy)(mathjax / part, target)


def _write_topic(topic, source, static, built):
    """Write a topic's page, with explorers in the place of their pictures, and its films."""
    notebook = nbformat.read(topic.path, as_version=4)
    shown = record.explorers(notebook)
    films = iter(record.films([e for e in shown.values() if record.is_recorded(e)], FILMS))
    for number, (cell, explorer) in enumerate(shown.items()):
        name, controls = f"{topic.notebook}-{number}", []
        (static / "films" / f"{name}.webp").write_bytes(record.still(explorer))
        if record.is_recorded(explorer):
            film = next(films)
            controls = json.loads(film)["controls"]
            (static / "films" / f"{name}.js").write_text(f"vivaFilms[{json.dumps(name)}]({film});\n", encoding="utf-8")
        html = record.skeleton(explorer, name, f"_static/films/{name}.webp", controls)
        held = next(held for held in notebook.cells if held.id == cell)
        held.outputs = [nbformat.v4.new_output("display_data", {"text/html": html})]
        explorer.close()
    for heading, note in NOTES.items():
        held = next(cell for cell in notebook.cells if cell.source.startswith(heading))
        title, _, rest = held.source.partition("\n")
        held.source = f"{title}\n\n> {note}\n{rest}"
    _write(notebook, source / topic.path.name, built)


def _weigh(topic, folder):
    page = folder / f"{topic.notebook}.html"
    pictures = re.findall(r'src="(_images/[^"]+)"', page.read_text(encoding="utf-8"))
    parts = {page, *(folder / picture for picture in pictures), *folder.glob(f"_static/films/{topic.notebook}-*")}
    if (weight := sum(part.stat().st_size for part in parts)) > BUDGET:
        raise ValueError(f"FILMS must be smaller: {topic.notebook} takes {weight:,} bytes of {BUDGET:,}")


def _write_start(source, built):
    notebook = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(f"> {START}"))
    _write(notebook, source / "00_start_here.ipynb", built)


def _write(notebook, path, built):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _linked(cell.source, built)
        for data in (output.get("data", {}) for output in cell.get("outputs", ())):
            data |= {kind: _linked(data[kind], built) for kind in ("text/markdown", "text/html") if kind in data}
    nbformat.write(notebook, path)


def _linked(text, built):
    """Text whose links lead to built pages; links to other notebooks become plain words."""
    text = re.sub(
        r"\[([^\]]*)\]\((?:notebooks/)?(\w+)\.ipynb\)",
        lambda link: f"[{link[1]}]({link[2]}.ipynb)" if link[2] in built else link[1],
        text,
    )
    return re.sub(
        r"""<a href=["']?(\w+)\.ipynb["']?[^>]*>(.*?)</a>""",
        lambda link: f'<a href="{link[1]}.html">{link[2]}</a>' if link[1] in built else link[2],
        text,
    )


def _index(topics, built):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    about = readme.partition("\n![")[0]
    lists = "\n".join(
        f"```{{toctree}}\n:hidden:\n:caption: {part}\n\n{pages}\n```\n"
        for number, part in enumerate(PARTS, 1)
        if (pages := "\n".join(topic.notebook for topic in topics if topic.part == number))
    )
    start = "```{toctree}\n:hidden:\n\n00_start_here\n```\n"
    return f"{about}\n## The topics\n\n{_linked(as_markdown(), built)}\n{start}\n{lists}"


def main(arguments):
    build([int(number) for number in arguments])
    print(f"Open {SITE / 'index.html'}")


if __name__ == "__main__":
    main(sys.argv[1:])
