"""Windows, index and mask against constructions of another kind; parameters are the published ones."""

import math

import pytest
import torch
import torch.nn.functional as F

from helpers.algorithms import swin

MAPS = [(4, 4, 2), (6, 9, 3), (8, 4, 4), (7, 14, 7), (5, 3, 1)]


@pytest.mark.parametrize(("height", "width", "window"), MAPS)
def test_windows_are_the_slices_of_the_map_in_order(height, width, window):
    x = torch.randn(2, height, width, 3)
    slices = [
        x[n, top : top + window, left : left + window]
        for n in range(2)
        for top in range(0, height, window)
        for left in range(0, width, window)
    ]
    windows = swin.window_partition(x, window)
    assert torch.equal(windows, torch.stack(slices))
    assert torch.equal(swin.window_reverse(windows, height, width), x)


@pytest.mark.parametrize("window", [1, 2, 3, 7])
def test_index_names_each_offset_once(window):
    index = swin.relative_position_index(window)
    offsets = {}
    for i in range(window**2):
        for j in range(window**2):
            offset = i // window - j // window, i % window - j % window
            offsets.setdefault(int(index[i, j]), set()).add(offset)
    assert sorted(offsets) == list(range((2 * window - 1) ** 2))
    assert all(len(found) == 1 for found in offsets.values())
    assert offsets[0] == {(1 - window, 1 - window)}
    assert index.dtype == torch.int64
    if window > 1:
        assert offsets[1] == {(1 - window, 2 - window)}  # columns run fastest
    assert torch.equal(index + index.T, torch.full_like(index, 4 * window * (window - 1)))


def independent_mask(height, width, window, shift):
    """By walking back: two tokens of a rolled window may meet if the roll moved both alike, seen from the map."""
    masks = []
    for top in range(0, height, window):
        for left in range(0, width, window):
            places = [(top + r, left + c) for r in range(window) for c in range(window)]
            masks.append([[0.0 if together(a, b, height, width, shift) else -100.0 for b in places] for a in places])
    return torch.tensor(masks)


def together(a, b, height, width, shift):
    """Whether two places of the rolled map are as far apart as they were in the map."""
    before = [((r + shift) % height, (c + shift) % width) for r, c in (a, b)]
    return all(before[0][k] - before[1][k] == a[k] - b[k] for k in (0, 1))


@pytest.mark.parametrize(("height", "width", "window"), MAPS)
def test_mask_lets_those_meet_that_were_neighbors(height, width, window):
    for shift in range(window):
        mask = swin.shifted_window_mask(height, width, window, shift)
        assert torch.equal(mask, independent_mask(height, width, window, shift)), shift


def test_regions_of_a_shifted_map():
    ids = swin.region_ids(8, 12, 4, 1)
    assert len(ids.unique()) == 9
    windows = swin.window_partition(ids[None, :, :, None], 4).flatten(1)
    assert [len(window.unique()) for window in windows] == [1, 1, 2, 2, 2, 4]
    assert len(swin.region_ids(8, 12, 4, 0).unique()) == 1
    assert torch.equal(ids[3:, 11], torch.tensor([2, 5, 5, 5, 8]))


def test_parameters_are_the_published_ones():
    with torch.device("meta"):
        net = swin.swin_tiny()
        assert sum(p.numel() for p in net.parameters()) == 28_288_354
        x, shapes = torch.empty(2, 3, 224, 224), []
        for layer in net:
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
        assert sum(p.numel() for p in swin.swin_tiny(10).parameters()) == 28_288_354 - 990 * 769
    stages = [(56, 56, 96), (28, 28, 192), (14, 14, 384), (7, 7, 768)]
    assert [shape for shape in dict.fromkeys(shapes) if len(shape) == 3 and shape[0] == shape[1]] == stages
    assert shapes[-1] == (1000,)
    assert [layer.shift for layer in net if isinstance(layer, swin.SwinBlock)] == [0, 3] * 6


def test_one_head_is_enough():
    assert swin.WindowAttention(4, 2, 1)(torch.zeros(1, 4, 4)).shape == (1, 4, 4)


def test_attention_is_torchs_with_bias_and_mask():
    torch.manual_seed(0)
    layer, x = swin.WindowAttention(6, 2, 3).double(), torch.randn(8, 4, 6, dtype=torch.float64)
    mask = swin.shifted_window_mask(4, 4, 2, 1).double()
    q, k, v = (part.unflatten(2, (3, 2)).transpose(1, 2) for part in layer.qkv(x).chunk(3, dim=2))
    bias = layer.bias[swin.relative_position_index(2).flatten()].reshape(4, 4, 3).permute(2, 0, 1)
    for given, added in ((None, bias[None]), (mask, bias[None] + mask.repeat(2, 1, 1)[:, None])):
        wanted = layer.out(F.scaled_dot_product_attention(q, k, v, added).transpose(1, 2).flatten(2))
        torch.testing.assert_close(layer(x, given), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(4, 6), (6, 4)])
def test_a_shifted_block_is_attention_among_neighbors_on_the_map(height, width):
    """Row by row of the map: each token sees those of its shifted window that lie beside it, and no others."""
    torch.manual_seed(1)
    block = swin.SwinBlock(4, 2, window=2, shift=1)
    x = torch.randn(1, height, width, 4)
    changed = x.clone()
    changed[0, 0, 0, 0] += 1  # one channel of the corner: alone in its region
    moved = (block(changed) - block(x)).abs().amax(dim=3)[0] > 1e-6
    assert moved.nonzero().tolist() == [[0, 0]]
    changed = x.clone()
    changed[0, 1, 1, 0] += 1
    moved = (block(changed) - block(x)).abs().amax(dim=3)[0] > 1e-6
    assert moved.nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_one_window_is_not_shifted():
    torch.manual_seed(2)
    shifted, regular = swin.SwinBlock(4, 2, window=4, shift=2), swin.SwinBlock(4, 2, window=4)
    regular.load_state_dict(shifted.state_dict())
    x = torch.randn(1, 4, 8, 4)
    assert torch.equal(shifted(x), regular(x))


def test_merging_takes_the_four_neighbors_of_every_second_place():
    merging, x = swin.PatchMerging(2), torch.randn(1, 4, 6, 2)
    y = merging(x)
    assert y.shape == (1, 2, 3, 4)
    four = torch.cat([x[0, 2, 4], x[0, 3, 4], x[0, 2, 5], x[0, 3, 5]])
    torch.testing.assert_close(y[0, 1, 2], merging.reduce(merging.norm(four)))


def test_cost_is_that_of_the_papers_formulas():
    assert swin.attention_macs(56, 56, 96) == (4 * 3136 * 96**2, 2 * 3136**2 * 96)
    assert swin.attention_macs(56, 56, 96, 7) == (4 * 3136 * 96**2, 2 * 49 * 3136 * 96)


def test_version_two():
    q, k = torch.randn(3, 5, dtype=torch.float64), 100 * torch.randn(4, 5, dtype=torch.float64)
    logits = swin.cosine_logits(q, k, 0.5)
    assert logits[2, 1].item() == pytest.approx(2 * F.cosine_similarity(q[2], k[1], dim=0).item())
    torch.testing.assert_close(swin.cosine_logits(7 * q, k, 0.5), logits)
    assert swin.cosine_logits(q, q).diagonal().tolist() == pytest.approx([10] * 3)
    assert swin.log_spaced(torch.tensor([-7.0, 0.0, 1.0])).tolist() == pytest.approx([-1, 0, 1 / 3])
    assert swin.log_spaced(torch.tensor(15.0)).item() == pytest.approx(math.log2(16) / 3)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: swin.window_partition(torch.zeros(4, 4, 1), 2), "x"),
        (lambda: swin.window_partition([[0.0]], 2), "x"),
        (lambda: swin.window_partition(torch.zeros(0, 4, 4, 1), 2), "x"),
        (lambda: swin.window_partition(torch.zeros(1, 4, 5, 1), 2), "window"),
        (lambda: swin.window_partition(torch.zeros(1, 5, 4, 1), 2), "window"),
        (lambda: swin.window_partition(torch.zeros(1, 4, 4, 1), 0), "window"),
        (lambda: swin.window_reverse(torch.zeros(4, 2, 3, 1), 4, 4), "windows"),
        (lambda: swin.window_reverse(torch.zeros(3, 2, 2, 1), 4, 4), "windows"),
        (lambda: swin.window_reverse(torch.zeros(0, 2, 2, 1), 4, 4), "windows"),
        (lambda: swin.window_reverse(torch.zeros(4, 2, 2, 1), 5, 4), "height"),
        (lambda: swin.window_reverse(torch.zeros(4, 2, 2, 1), 4, 5), "width"),
        (lambda: swin.relative_position_index(0), "window"),
        (lambda: swin.relative_position_index(2.5), "window"),
        (lambda: swin.shifted_window_mask(4, 4, 2, 2), "shift"),
        (lambda: swin.shifted_window_mask(4, 4, 2, -1), "shift"),
        (lambda: swin.shifted_window_mask(4, 5, 2, 1), "width"),
        (lambda: swin.shifted_window_mask(0, 4, 2, 1), "height"),
        (lambda: swin.shifted_window_mask(4, 4, True, 0), "window"),
        (lambda: swin.region_ids(4, 4, 2, 2), "shift"),
        (lambda: swin.WindowAttention(5, 2, 2), "channels"),
        (lambda: swin.WindowAttention(4, 2, 0), "heads"),
        (lambda: swin.WindowAttention(4, 0, 2), "window"),
        (lambda: swin.SwinBlock(4, 2, window=2, shift=2), "shift"),
        (lambda: swin.swin_tiny(0), "classes"),
        (lambda: swin.attention_macs(0, 1, 1), "height"),
        (lambda: swin.attention_macs(1, 1, 1, 0), "window"),
        (lambda: swin.cosine_logits(torch.zeros(2, 3), torch.zeros(2, 4)), "q and k"),
        (lambda: swin.cosine_logits(torch.zeros(3, 2), torch.zeros(3, 4)), "q and k"),
        (lambda: swin.cosine_logits(torch.zeros(2, 3), torch.zeros(2, 3), 0.001), "tau"),
        (lambda: swin.log_spaced(1.0), "offset"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        call()
