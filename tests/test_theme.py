"""Figures are readable: contrast, colours apart for colour-blind eyes, nothing registered globally."""

import matplotlib.colors as colors
import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf

from helpers import theme


@pytest.fixture(autouse=True)
def light_afterwards():
    yield
    theme.use("light")


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    rgb = np.array(colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_and_lines_stand_out_from_the_paper(mode):
    theme.use(mode)
    assert contrast(theme.INK, theme.PAPER) > 7
    assert contrast(theme.MUTED, theme.PAPER) > 3
    for colour in (theme.BLUE, theme.VERMILLION, theme.GREEN):
        assert contrast(colour, theme.PAPER) > 3


def test_lines_differ_in_style_as_well_as_colour():
    styles = theme.rcParams["axes.prop_cycle"].by_key()["linestyle"]
    assert len({str(style) for style in styles}) == len(styles) >= 6


def test_figures_are_not_kept_by_pyplot():
    for _ in range(30):
        theme.figure()
    assert not Gcf.figs


def test_a_figure_has_the_size_asked_for_and_the_paper_s_colour():
    theme.use("dark")
    figure = theme.figure(500, 300)
    assert tuple(figure.bbox.size) == (500, 300)
    assert figure.get_facecolor()[:3] == colors.to_rgb(theme.PAPER)


def test_show_describes_the_picture():
    assert theme.show(theme.figure(50, 50), "a square").alt == "a square"


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode must be 'light' or 'dark', got 'sepia'"):
        theme.use("sepia")
