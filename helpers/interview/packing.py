"""Packing the learner's function with what it uses, to be unpacked in a process of its own."""

import contextlib
import dis
import functools
import io
import types

import cloudpickle

from .candidate import resolve

PAYLOAD_LIMIT = 50_000_000  # bytes that a function may carry along


class Refused(Exception):
    """The function cannot or must not be judged; the text says why."""


def pack(function, refused):
    """Return the function as bytes.

    Parameters
    ----------
    function : callable
    refused : sequence of str
        Dotted names of functions that it may not use.

    Raises
    ------
    Refused
        If it uses one of these, or something that no other process can have; the message names it.
    """
    try:
        return _pickled(function, refused)
    except Refused:
        raise
    except Exception as error:
        for name, value in _used(function):
            try:
                _pickled(value)
            except OverflowError:
                why = f"{name} holds more than {PAYLOAD_LIMIT // 10**6} MB"
                raise Refused(f"It cannot be sent to the judge: {why}. Pass it less, or make it inside.") from None
            except Exception as cause:
                why = f"{name}, a {type(value).__name__}, cannot be pickled ({cause})"
                raise Refused(f"It cannot be sent to the judge: {why}. Make it inside the function.") from None
        raise Refused(f"It cannot be sent to the judge: {type(error).__name__}: {error}") from None


def imports_of(function):
    """Return the names of the modules that are imported when the function, or one of the notebook's it uses, runs."""
    steps = [step for used in _functions(function) for code in _codes(used) for step in dis.get_instructions(code)]
    return sorted({step.argval for step in steps if step.opname == "IMPORT_NAME" and step.argval})


def innermost(function):
    """Return what a partial or a cache is wrapped around."""
    while isinstance(function, (functools.partial, functools._lru_cache_wrapper)):
        function = function.func if isinstance(function, functools.partial) else function.__wrapped__
    return function


class _Bounded(io.BytesIO):
    def write(self, data):
        if self.tell() + memoryview(data).nbytes > PAYLOAD_LIMIT:
            raise OverflowError
        return super().write(data)


class _Packer(cloudpickle.Pickler):
    """Pickles by value what notebooks define, and meets every object that the function reaches."""

    def __init__(self, file, forbidden):
        super().__init__(file)
        self.forbidden = forbidden

    def reducer_override(self, obj):
        if id(obj) in self.forbidden:
            raise Refused(f"It uses {self.forbidden[id(obj)][2]}. Write it without: that function is the exercise.")
        if isinstance(obj, functools._lru_cache_wrapper) and obj.__module__ == "__main__":
            settings = obj.cache_parameters()  # pickle would look it up by its name, and the notebook is not there
            return _empty_cache, (settings["maxsize"], settings["typed"]), obj.__wrapped__, None, None, _fill_cache
        return super().reducer_override(obj)


def _empty_cache(maxsize, typed):
    @functools.lru_cache(maxsize, typed)
    def cached(*args, **options):
        return cached.__wrapped__(*args, **options)

    return cached


def _fill_cache(cached, function):
    functools.update_wrapper(cached, function)  # afterwards, for the function may call its own cache


def _pickled(value, refused=()):
    buffer = _Bounded()
    _Packer(buffer, resolve(refused)).dump(value)
    return buffer.getvalue()


def _used(function):
    """Yield name and value of what the function uses; of the functions it calls, what these use."""
    for used in _functions(function):
        for name, value in _values(used):
            if not _is_of_the_notebook(value, used):
                yield name, value


def _functions(function):
    """The function, and those of the same module that it uses."""
    found = [innermost(function)]
    for each in found:
        for _, value in _values(each):
            if _is_of_the_notebook(value, each) and innermost(value) not in found:
                found.append(innermost(value))
    return found


def _is_of_the_notebook(value, function):
    value = innermost(value)
    return isinstance(value, types.FunctionType) and value.__module__ == function.__module__


def _values(function):
    """Names and values of the globals and closure variables that a function uses."""
    if not isinstance(function, types.FunctionType):
        return []
    steps = [step for code in _codes(function) for step in dis.get_instructions(code)]
    names = sorted({step.argval for step in steps if step.opname == "LOAD_GLOBAL"})
    values = {name: function.__globals__[name] for name in names if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not yet filled
            values[name] = cell.cell_contents
    return list(values.items())


def _codes(function):
    """The code of a function and of those defined inside it."""
    codes = [function.__code__] if isinstance(function, types.FunctionType) else []
    for code in codes:
        codes.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return codes
