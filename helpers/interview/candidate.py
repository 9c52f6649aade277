"""What happens in the process of the learner's function. It knows the inputs, and may die at any moment."""

import contextlib
import importlib
import io
import marshal
import os
import pickle
import sys
import traceback
import types

import numpy as np

from .wire import decode, encode, to_tensors

PRINTED_LIMIT = 2000  # characters of output kept for a call


class Shortcut(BaseException):
    """A forbidden function was called. Not an Exception, so that ``except Exception`` does not hide it."""


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
        Of the first result: of the sum of its entries, the i-th weighted by i, so that no two entries can be swapped.
        An entry is None if no gradient arrives. None for all of them if there is no tensor to differentiate.
    """
    leaves = [arguments[position].requires_grad_() for position in gradient]
    value = function(*arguments)
    entries = _entries(value[0] if isinstance(value, tuple) else value) if leaves else None
    if entries is None:
        return value, None
    if not entries.requires_grad:
        return value, [None] * len(leaves)
    torch = sys.modules["torch"]
    weight = torch.arange(1, entries.numel() + 1, dtype=entries.dtype)
    return value, list(torch.autograd.grad((entries * weight).sum(), leaves, allow_unused=True))


def _entries(result):
    """The entries of a tensor, or of a list of tensors, in a row; None for anything else."""
    torch = sys.modules["torch"]
    if torch.is_tensor(result):
        return result.reshape(-1)
    parts = [_entries(item) for item in result] if isinstance(result, list) else []
    return torch.cat(parts) if parts and not any(part is None for part in parts) else None


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


def answer(connection, payload, path, learner_module, imports, refused, gradient, tensors, overflow):
    """Load the learner's function and answer inputs until the examiner hangs up.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
    payload : bytes
        The pickled function.
    path : list of str
        The kernel's ``sys.path``.
    learner_module : str
        The module of the function; an error's line is looked for there.
    imports : sequence of str
        Modules that the function imports when it is called: imported now, so that its time is its own.
    refused : sequence of str
        Dotted names of forbidden functions.
    gradient : sequence of int
        See `evaluate`.
    tensors : bool
        Whether arrays are handed over as tensors.
    overflow : {"ignore", "raise"}
        What NumPy does where a result is too large for its type.
    """
    # Bound before anything of the learner's runs: a patched module changes their answers, not the conversation.
    dumps, loads, send, receive = marshal.dumps, marshal.loads, connection.send_bytes, connection.recv_bytes
    errstate = np.errstate
    _isolate(connection)
    known = set(sys.modules)
    sys.path[:] = path
    if tensors:
        import torch

        torch.set_num_threads(1)
    try:
        function = pickle.loads(payload)
        _import(imports)
    except BaseException as error:
        send(dumps({"error": _describe(error, learner_module)}))
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
        sys.stdin, sys.stdout = _NoKeyboard(), _Printed()
        printed = sys.stdout
        try:
            arguments = to_tensors(arguments) if tensors else arguments
            with errstate(over=overflow):
                value, gradients = evaluate(function, arguments, gradient)
            reply |= {"value": encode(value), "gradients": encode(gradients)}
        except BaseException as error:
            reply["error"] = _describe(error, learner_module)
        reply |= {"arguments": encode(arguments), "printed": printed.text, "shortcut": called[0] if called else None}
        send(dumps(reply))


def _isolate(connection):
    """Leave the examiner's process group and every open file but the connection, as far as the system can."""
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


def _import(names):
    for name in names:
        with contextlib.suppress(Exception):  # if the line is reached, it says so itself
            importlib.import_module(name)


class _Printed(io.TextIOBase):
    """Keeps the beginning of what is printed."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        if len(self.text) < PRINTED_LIMIT:
            self.text += str(text)[:PRINTED_LIMIT]
        return len(text)


class _NoKeyboard(io.TextIOBase):
    def readline(self, size=-1):
        raise EOFError("nobody types while the judge runs: take what you need from the arguments")


def _describe(error, learner_module):
    """Type and message of an error, with file and line of the learner's frame."""
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == learner_module
    ]
    try:
        message = "".join([str(error)])  # a plain string, whatever __str__ returned
    except BaseException:  # __str__ is the learner's too
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
