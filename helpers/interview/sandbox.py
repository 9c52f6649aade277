"""The process of the learner's function, seen from outside: its limits of time and memory, and its end."""

import contextlib
import marshal
import multiprocessing
import os
import queue
import signal
import threading
import time
from dataclasses import dataclass

import psutil

from . import candidate
from .wire import decode

START_LIMIT = 60  # seconds for the candidate to import what the function needs
REPLY_LIMIT = 50_000_000  # bytes


@dataclass
class Request:
    """What the kernel asks for. `payload` is the pickled function; the rest is explained at `candidate.answer`."""

    exercise_id: str
    payload: bytes
    learner_module: str
    path: list
    imports: list
    refused: tuple
    time_limit: float
    memory_limit: int
    method: str


class Ended(BaseException):
    """The process is gone. Not an Exception, so that hypothesis passes it on instead of trying smaller inputs."""


class Sandbox:
    """Runs the learner's function on one input after another.

    Parameters
    ----------
    request : Request
    gradient : sequence of int
    tensors : bool
    overflow : {"ignore", "raise"}
        See `candidate.answer`.
    """

    def __init__(self, request, gradient, tensors, overflow):
        context = multiprocessing.get_context(request.method)
        self.connection, theirs = context.Pipe()
        function = request.payload, request.path, request.learner_module, request.imports, request.refused
        self.process = context.Process(target=candidate.answer, args=(theirs, *function, gradient, tensors, overflow))
        self.process.start()
        theirs.close()
        # Reading may never return if the function writes to the pipe itself: a thread may be left waiting, we may not.
        self.replies = queue.SimpleQueue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.time_limit, self.memory_limit = request.time_limit, request.memory_limit
        self._allow(START_LIMIT)

    def load(self):
        """Wait until the function is loaded. Its time runs from then on."""
        error = self._reply().get("error")
        if error:
            raise Ended(f"What it uses could not be loaded in a fresh process: {error[0]}: {error[1]}")
        self._allow(self.time_limit)

    def ask(self, data):
        """Send encoded arguments and return the reply, or raise `Ended`.

        Returns
        -------
        dict
            ``arguments`` after the call, still encoded, what it ``printed``, the ``shortcut`` that it called or None;
            and either ``error``, (type, message, line), or ``value`` and ``gradients``.
        """
        try:
            self.connection.send_bytes(data)
        except OSError:
            raise Ended(self._how_it_ended()) from None
        reply = self._reply()
        try:
            if "error" not in reply:
                reply |= {name: decode(reply[name]) for name in ("value", "gradients")}
            return {name: reply[name] for name in ("arguments", "printed", "shortcut")} | reply
        except (KeyError, ValueError, TypeError, IndexError):  # no words of `candidate.answer`
            raise Ended(self._how_it_ended()) from None

    def close(self):
        """End the process and whatever it started."""
        kill_family(self.process.pid)
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):  # ended, or not yet in its own group
                os.killpg(self.process.pid, signal.SIGKILL)  # also what was orphaned
        self.process.join()
        self.reader.join(1)
        if not self.reader.is_alive():  # else a process that left the group holds the other end
            self.connection.close()

    def _read(self):
        with contextlib.suppress(EOFError, OSError):
            while True:
                self.replies.put(self.connection.recv_bytes(REPLY_LIMIT))
        self.replies.put(b"")

    def _reply(self):
        while True:
            with contextlib.suppress(queue.Empty):
                data = self.replies.get(timeout=0.02)
                break
            if _memory(self.process.pid) > self.memory_limit:
                raise Ended(f"It was stopped when it held more than {self.memory_limit / 2**30:g} GiB of memory.")
            self._enforce_time()
        self._enforce_time()  # many calls may each be quick
        try:
            reply = marshal.loads(data)
        except (EOFError, ValueError, TypeError):
            reply = None
        if type(reply) is not dict:
            raise Ended(self._how_it_ended())
        return reply

    def _allow(self, seconds):
        self.seconds, self.deadline = seconds, time.monotonic() + seconds

    def _enforce_time(self):
        if time.monotonic() > self.deadline:
            raise Ended(f"It was stopped after {self.seconds:g} seconds: an endless loop, or far too slow.")

    def _how_it_ended(self):
        give_up = time.monotonic() + 1
        while self.process.exitcode is None and time.monotonic() < give_up:  # join waits for files that it may close
            time.sleep(0.01)
        code = self.process.exitcode
        if code is None:
            return "It broke the connection to the judge. Does it close files, or change modules?"
        if not 0 <= code < 256:
            name = signal.Signals(-code).name if code < 0 else hex(code)  # Windows has no signals
            return f"It crashed the Python process ({name}): recursion without an end, or a fault in compiled code."
        return f"It ended the Python process (exit code {code}). Return the result instead."


def kill_family(pid):
    """End a process and those it started."""
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            process.kill()


def _family(pid):
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _memory(pid):
    total = 0
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total
