"""The process in which the learner's function runs. It knows the inputs, never the answers, and may die at any moment.

Values cross the pipe as `marshal` data: plain tuples, numbers and bytes, so that no object of the learner's is ever
rebuilt, and none of its methods is ever called, on the examiner's side.
"""

import marshal
import os
import pickle
import sys
import traceback
import types

import numpy as np

PRINTED_LIMIT = 2000  # characters of output kept for a call
BYTES_LIMIT = 1_000_000  # a larger array is described, not sent: no exercise has an answer that large
LENGTH_LIMIT = 10_000  # likewise for lists


class Unknown:
    """Stands for a value that is no number, array, tuple, list, dict, string or None."""

    def __init__(self, name):
        self.name = name


class Shortcut(BaseException):
    """A forbidden function was called. Not an Exception, so that ``except Exception`` does not hide it."""


def encode(value):
    """Turn a value into plain data for `marshal`."""
    kind = type(value)
    if value is None or kind in (bool, int, float, complex, str):
        return value
    if kind in (tuple, list) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        if len(value) > LENGTH_LIMIT:
            return "unknown", f"{kind.__name__} of {len(value)} items"
        return "list" if kind is list else "tuple", [encode(item) for item in value]
    if kind is dict:
        return "dict", [(encode(key), encode(item)) for key, item in value.items()]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return "tensor", encode(value.detach().cpu().resolve_conj().resolve_neg().numpy())
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if not array.dtype.hasobject:
            data = array.tobytes() if array.nbytes <= BYTES_LIMIT else None
            return "array", array.dtype.str, array.shape, data
    return "unknown", f"{kind.__name__}"


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
        return {decode(key): decode(item) for key, item in content[0]}
    if kind == "tensor":
        return sys.modules["torch"].from_numpy(decode(content[0]))
    dtype, shape, buffer = content
    if buffer is None:  # too large to send: only shape and dtype matter
        return np.broadcast_to(np.zeros((), dtype), shape)
    return np.frombuffer(buffer, dtype).reshape(shape).copy()


def to_tensors(arguments):
    """Turn arrays into tensors, also inside lists and dicts."""
    if isinstance(arguments, np.ndarray):
        return sys.modules["torch"].from_numpy(arguments)
    if isinstance(arguments, (list, tuple)):
        return type(arguments)(to_tensors(item) for item in arguments)
    if isinstance(arguments, dict):
        return {key: to_tensors(item) for key, item in arguments.items()}
    return arguments


def evaluate(function, arguments, gradient):
    """Call the function and differentiate what it returns.

    Parameters
    ----------
    function : callable
    arguments : tuple
    gradient : sequence of int
        Positions of the tensors to differentiate with respect to.

    Returns
    -------
    value
        What the function returned.
    gradients : list or None
        Of the sum of the value's entries, the i-th weighted by i, so that no two entries can be swapped. An entry is
        None if no gradient arrives; None for all of them if there is nothing to differentiate.
    """
    leaves = [arguments[position].requires_grad_() for position in gradient]
    value = function(*arguments)
    if not leaves:
        return value, None
    torch = sys.modules["torch"]
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        return value, [None] * len(leaves)
    weight = torch.arange(1, value.numel() + 1, dtype=value.dtype).reshape(value.shape)
    found = torch.autograd.grad((value * weight).sum(), leaves, allow_unused=True)
    return value, list(found)


def resolve(names):
    """Find the forbidden functions among the modules imported so far.

    Returns
    -------
    dict
        ``id(function)`` to (owner, attribute, dotted name).
    """
    found = {}
    for name in names:
        if name in sys.modules:
            for attribute, value in list(vars(sys.modules[name]).items()):
                home = str(getattr(value, "__module__", None) or name)
                if callable(value) and not attribute.startswith("__") and home.startswith(name):
                    found[id(value)] = sys.modules[name], attribute, f"{name}.{attribute}"
            continue
        path, _, attribute = name.rpartition(".")
        prefix, _, inner = path.rpartition(".")
        owner = sys.modules.get(path) or getattr(sys.modules.get(prefix), inner, None)
        value = getattr(owner, attribute, None)
        if value is not None:
            found[id(value)] = owner, attribute, name
    return found


def answer(connection, payload, path, home, refused, gradient, tensors):
    """Load the learner's function and answer inputs until the examiner hangs up.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
    payload : bytes
        The pickled function.
    path : list of str
        The kernel's ``sys.path``.
    home : str
        The module of the function; an error's line is looked for there.
    refused : sequence of str
        Dotted names of forbidden functions.
    gradient : sequence of int
        See `evaluate`.
    tensors : bool
        Whether arrays are handed over as tensors.
    """
    # Bound before anything of the learner's runs: a patched module changes their answers, not the conversation.
    dumps, loads, send, receive = marshal.dumps, marshal.loads, connection.send_bytes, connection.recv_bytes
    _isolate(connection)
    known = set(sys.modules)
    sys.path[:] = path
    if tensors:
        import torch

        torch.set_num_threads(1)
    try:
        function = pickle.loads(payload)
    except BaseException as error:
        send(dumps({"error": _describe(error, home)}))
        return
    send(dumps({}))
    called, modules = [], 0
    while True:
        try:
            arguments = decode(loads(receive()))
        except EOFError:
            return
        if len(sys.modules) != modules:  # also what the last call imported
            _forbid(refused, called, known)
            modules = len(sys.modules)
        reply = {}
        sys.stdout = printed = _Printed()
        try:
            arguments = to_tensors(arguments) if tensors else arguments
            value, gradients = evaluate(function, arguments, gradient)
            reply |= {"value": encode(value), "gradients": encode(gradients)}
        except BaseException as error:
            reply["error"] = _describe(error, home)
        reply |= {"arguments": encode(arguments), "printed": printed.text, "shortcut": called[0] if called else None}
        send(dumps(reply))


def _isolate(connection):
    """Leave the examiner's process group and every open file but the connection."""
    if hasattr(os, "setsid"):
        os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    if sys.platform == "linux":
        import resource

        os.closerange(3, connection.fileno())
        os.closerange(connection.fileno() + 1, 1024)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))  # in case nobody is left to end an endless loop


class _Printed:
    """Keeps the beginning of what is printed."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        if len(self.text) < PRINTED_LIMIT:
            self.text += str(text)[:PRINTED_LIMIT]
        return len(text)

    def flush(self):
        pass


def _describe(error, home):
    """Type and message of an error, with file and line of the learner's frame."""
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == home
    ]
    try:
        message = str(error)
    except Exception:
        message = ""
    return type(error).__name__, message[:300], frames[-1] if frames else None


def _forbid(refused, called, known):
    """Replace the forbidden functions where they live, and in every module but the `known`."""
    found = resolve(refused)
    stubs = {key: _stub(name, called) for key, (_, _, name) in found.items()}
    holders = [module for name, module in list(sys.modules.items()) if name not in known]
    for key, (owner, attribute, _) in found.items():
        holders.append(sys.modules.get(getattr(getattr(owner, attribute), "__module__", None)))
        setattr(owner, attribute, stubs[key])
    for module in holders:
        if isinstance(module, types.ModuleType):
            for attribute, value in list(vars(module).items()):
                if id(value) in stubs:
                    setattr(module, attribute, stubs[id(value)])


def _stub(name, called):
    def refuse(*args, **kwargs):
        called.append(name)
        raise Shortcut(name)

    return refuse
