"""Readouts of topic 23's explorers against independent computations, and what the hand moves."""

import numpy as np
import pytest
import torch

from helpers import datasets
from helpers.algorithms import swin
from helpers.explorers import swin as explorers

from .hand import click


@pytest.mark.parametrize("shift", [0, 1, 2, 3])
def test_pieces_and_masks_are_counted(build, shift):
    explorer = build("Shift")
    said = explorer.at(height=8, width=12, window=4, shift=shift, step=6, row=7, column=11)
    assert said["windows"] == 6
    assert said["pieces without the roll"] == (12 if shift else 6)
    mask = swin.shifted_window_mask(8, 12, 4, shift)
    which = (7 - shift) // 4 * 3 + (11 - shift) // 4
    assert said["pairs masked here"] == f"{int((mask[which] < 0).sum())} of 256"
    inside = (7 - shift) % 4 * 4 + (11 - shift) % 4
    assert said["tokens that it sees"] == f"{int((mask[which, inside] == 0).sum())} of 16"


def test_the_opening_shows_neither_regions_nor_mask(build):
    assert set(build("Shift").at()) == {"step", "windows"}


def test_the_roll_moves_picture_token_and_back(build):
    explorer = build("Shift")
    explorer.set(step=1)
    before, place = np.array(explorer.map.get_array()), explorer.token.get_xy()
    explorer.set(step=2)
    rolled = np.roll(before, (-2 * explorers.PATCH,) * 2, axis=(0, 1))
    assert np.array_equal(explorer.map.get_array(), rolled)
    assert explorer.token.get_xy() == tuple(at - 2 for at in place)
    explorer.set(step=6)
    assert explorer.token.get_xy() == place


@pytest.mark.parametrize("step", [0, 2])
def test_a_click_chooses_the_token_under_it(build, step):
    explorer = build("Shift")
    explorer.set(step=step, shift=3, height=12)
    click(explorer, explorer.figure.axes[0], (1, 10))
    assert (explorer.values["row"], explorer.values["column"]) == ((10, 1) if step == 0 else (1, 4))


def test_what_a_token_sees_is_struck_through(build):
    explorer = build("Shift")
    explorer.set(step=6, shift=2, row=0, column=0)
    middles = sorted(tuple(stroke.mean(axis=0).round(6)) for stroke in explorer.seen.get_segments())
    assert middles == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize("window", [2, 3, 4, 7])
def test_pairs_of_one_offset_are_counted(build, window):
    explorer = build("Position")
    i, j = window**2 - 1, window - 1
    said = explorer.at(window=window, i=i, j=j, pairs=True)
    assert said["offset of i from j (row, column)"] == f"{window - 1}, 0"
    assert said["pairs with this row"] == window
    assert said["row of the table"] == (2 * window - 1) ** 2 - window
    explorer.set(window=window, i=i, j=j, pairs=True)
    assert len(explorer.arrows.get_segments()) == window


def test_tokens_of_the_window_are_dragged(build):
    explorer = build("Position")
    handle = explorer.handles[0]
    assert handle.moved(explorer.values, "i", 7 / 4, -7 / 4) == 2
    assert handle.moved(explorer.values, "i", 99, 99) == 15


@pytest.mark.parametrize("value", ["-100", "-4", "no mask"])
def test_attention_equals_a_softmax_over_the_tokens_that_meet(build, value):
    explorer = build("Attention")
    said = explorer.at(value=value, row=7, column=6, sharpness=3)
    tiles = datasets.bloom()[12:52, 28:68].reshape(8, 5, 8, 5).mean(axis=(1, 3))
    met = [(r, c) for r in (6, 7, 0, 1) for c in (6, 7, 0, 1)]
    logits = np.array([-30 * (tiles[place] - tiles[7, 6]) ** 2 for place in met])
    far = np.array([r < 2 or c < 2 for r, c in met])
    shares = np.exp(logits + explorers.VALUES[value] * far)
    shares /= shares.sum()
    assert said["in its window but of another region"] == "12 of 16"
    assert said["largest share (%)"] == pytest.approx(100 * shares.max(), abs=0.06)
    leak = 100 * shares[far].sum()
    told = said["attention that leaks to them (%)"]
    assert told == "below 1e-6" if value == "-100" else told == pytest.approx(leak, rel=0.06)


def test_minus_infinity_leaks_nothing_in_either_precision(build):
    explorer = build("Attention")
    for half in (False, True):
        assert explorer.at(value="-inf", half=half, row=7, column=7)["attention that leaks to them (%)"] == 0
    assert explorer.at(value="-100", half=True, row=7, column=7)["attention that leaks to them (%)"] == 0
    assert torch.exp(torch.tensor(-100.0)).item() > 0
