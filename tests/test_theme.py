"""Figures are readable: contrast, colors apart for color-blind eyes, nothing registered globally."""

import importlib

import matplotlib.colors as colors
import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib._pylab_helpers import Gcf

from helpers import theme


@pytest.fixture
def use(monkeypatch):
    """Load the theme as a kernel does that was started with this VIVA_THEME."""

    def choose(mode):
        monkeypatch.setenv("VIVA_THEME", mode)
        importlib.reload(theme)

    yield choose
    monkeypatch.undo()
    importlib.reload(theme)


def luminance(color):
    """Relative luminance as WCAG 2 defines it."""
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_and_lines_stand_out_from_the_paper(use, mode):
    use(mode)
    assert contrast(theme.INK, theme.PAPER) > 7
    assert contrast(theme.MUTED, theme.PAPER) > 3
    for color in (theme.BLUE, theme.VERMILLION, theme.GREEN):
        assert contrast(color, theme.PAPER) > 3


def test_lines_differ_in_style_as_well_as_color():
    with theme.style():
        styles = rcParams["axes.prop_cycle"].by_key()["linestyle"]
    assert len({str(style) for style in styles}) == len(styles) >= 6


def test_figures_are_not_kept_by_pyplot():
    for _ in range(30):
        theme.figure()
    assert not Gcf.figs


def test_the_users_own_settings_stay_and_do_not_shine_through(monkeypatch):
    monkeypatch.setitem(rcParams, "font.size", 31)
    with theme.style():
        assert rcParams["font.size"] == 12
    assert rcParams["font.size"] == 31


def test_a_figure_has_the_size_asked_for_and_the_papers_color(use):
    use("dark")
    figure = theme.figure(500, 300)
    assert tuple(figure.bbox.size) == (500, 300)
    assert figure.get_facecolor()[:3] == colors.to_rgb(theme.PAPER)


def test_show_describes_the_picture():
    assert theme.show(theme.figure(50, 50), "a square").alt == "a square"


def test_unknown_paper_is_refused(use):
    with pytest.raises(ValueError, match="VIVA_THEME must be light or dark, got 'sepia'"):
        use("sepia")
