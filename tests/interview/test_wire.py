"""What goes over the wire arrives as it was."""

import marshal

import numpy as np
import torch

from helpers.interview.wire import decode, encode, to_tensors


def travelled(value):
    return decode(marshal.loads(marshal.dumps(encode(value))))


def test_a_dict_arrives_with_its_keys_and_values():
    sent = {"loss": 1.5, 2: [np.array([1.0, 2.0]), (3, None)], np.int64(4): True}
    got = travelled(sent)
    assert list(got) == ["loss", 2, 4]
    assert (got["loss"], got[4], got[2][1]) == (1.5, True, (3, None))
    np.testing.assert_array_equal(got[2][0], [1.0, 2.0])


def test_a_dict_with_keys_of_other_kinds_is_unknown():
    assert "dict" in travelled({(1, 2): 3}).name


def test_tensors_are_made_of_every_array_however_deep():
    made = to_tensors({"x": np.ones(2), "more": [np.zeros((1, 3)), 5], "pair": (np.ones(1), "text")})
    assert torch.equal(made["x"], torch.ones(2, dtype=torch.float64))
    assert made["more"][0].shape == (1, 3) and made["more"][1] == 5
    assert isinstance(made["pair"], tuple) and torch.is_tensor(made["pair"][0])


def test_tensors_that_numpy_has_no_type_for_arrive_in_a_wider_one():
    for sent in (torch.tensor([1.5, -2.0], dtype=torch.bfloat16), torch.tensor([1 + 2j]).conj(), torch.ones(2, 2).T):
        got = travelled(sent.requires_grad_())
        np.testing.assert_array_equal(got, sent.detach().to(torch.complex64).resolve_conj().numpy())
