"""Values as plain data: what crosses the pipe between the examiner and the process of the learner's function.

Tuples, numbers, text and bytes, packed by `marshal`: no object of the learner's is ever rebuilt, and none of its
methods is ever called, on the examiner's side. Tensors arrive as arrays, so that either may be returned.
"""

import sys

import numpy as np

BYTES_LIMIT = 1_000_000  # a larger array is described, not sent: no exercise has an answer that large
LENGTH_LIMIT = 10_000  # likewise for lists
DEPTH_LIMIT = 6  # of lists in lists: a list may hold itself


class Unknown:
    """Stands for a value that is no number, array, tuple, list, dict, string or None."""

    def __init__(self, name):
        self.name = name


def encode(value, depth=DEPTH_LIMIT):
    """Turn a value into plain data. Never fails: what cannot be sent is described by the name of its type."""
    try:
        return _encode(value, depth)
    except Exception:  # an object of the learner's may do anything when it is asked what it holds
        return "unknown", type(value).__name__


def _encode(value, depth):
    kind = type(value)
    if value is None or kind in (bool, int, float, complex, str):
        return value
    if isinstance(value, (tuple, list, range)):
        if len(value) > LENGTH_LIMIT:
            return "unknown", f"{kind.__name__} of {len(value)} items"
        if not depth:
            return "unknown", f"{kind.__name__} in a {kind.__name__}, over and over"
        return "tuple" if isinstance(value, tuple) else "list", [encode(item, depth - 1) for item in value]
    if kind is dict:
        keys = [key.item() if isinstance(key, np.generic) else key for key in value]
        if all(key is None or type(key) in (bool, int, float, str) for key in keys):
            return "dict", [(key, encode(item, depth - 1)) for key, item in zip(keys, value.values(), strict=True)]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if isinstance(value, (np.ndarray, np.generic)) and not np.ma.is_masked(value):
        array = np.asarray(value)
        if array.dtype.hasobject:
            return encode(array.tolist(), depth)
        if array.dtype.kind not in "biufc":
            return "unknown", f"{kind.__name__} of {array.dtype}"
        data = array.tobytes() if array.nbytes <= BYTES_LIMIT else None
        return "array", array.dtype.str, array.shape, data
    return "unknown", kind.__name__


def decode(data):
    """Build the value again; arrays are fresh and writable."""
    if type(data) is not tuple:
        return data
    kind, *content = data
    if kind == "unknown":
        return Unknown(*content)
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](decode(item) for item in content[0])
    if kind == "dict":
        return {key: decode(item) for key, item in content[0]}
    dtype, shape, buffer = content
    if buffer is None:  # too large to send: only shape and dtype matter
        return np.broadcast_to(np.zeros((), dtype), shape)
    return np.frombuffer(buffer, dtype).reshape(shape).copy()


def as_received(value):
    """The value as it would come through the pipe."""
    return decode(encode(value))


def to_tensors(arguments):
    """Turn arrays into tensors, also inside lists and dicts."""
    if isinstance(arguments, np.ndarray):
        return sys.modules["torch"].from_numpy(arguments)
    if isinstance(arguments, (list, tuple)):
        return type(arguments)(to_tensors(item) for item in arguments)
    if isinstance(arguments, dict):
        return {key: to_tensors(item) for key, item in arguments.items()}
    return arguments
