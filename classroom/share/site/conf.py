"""What Sphinx is told about the book that `classroom.site` makes. Nothing is run, nothing comes from another server."""

from pathlib import Path

project = html_title = "Viva"
extensions = ["myst_nb"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["canvas.css", "site.css"]
html_js_files = [("player.js", {"defer": "defer"})]
html_copy_source = html_show_sphinx = False
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"chtml": {"matchFontHeight": False, "scale": 1.05}}
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_execution_cache_path = "."
nb_render_markdown_format = "myst"
nb_merge_streams = True


def setup(app):
    app.connect("html-page-context", _hurry)


def _hurry(app, page, template, context, doctree):
    """Let the browser load a page's first explorer before all that can wait."""
    picture = f"_static/films/{page}-0.webp"
    if Path(app.srcdir, picture).exists():
        context["metatags"] += f'<link rel="preload" as="image" fetchpriority="high" href="{picture}">'
