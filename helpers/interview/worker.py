"""The kernel's side of the judge: a warm interpreter that examines, started when first needed, never waited for long.

The worker runs `examiner.main` and says, one line of JSON each: that it has taken a request, that the learner's
function is loaded, and the reply.
"""

import contextlib
import json
import os
import pickle
import queue
import subprocess
import sys
import threading
import time

import psutil

from ..topics import ROOT
from .sandbox import START_LIMIT, kill_family

GRACE = 10.0  # seconds beyond the time limit after which the worker itself is taken for dead
ENDED = {
    "passed": False,
    "message": "not right yet. The judge's process was ended while your function ran: by it, or for want of memory.",
    "line": None,
    "tried": 0,
    "stopped": True,
}
# -P: a learner's file called random.py must not be imported by the judge. -c: no main module for spawn to import again.
COMMAND = [sys.executable, "-P", "-c", "from helpers.interview.examiner import main; main()"]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Worker:
    """A process that examines. It is replaced when it is gone."""

    def __init__(self, command=COMMAND):
        self.command, self.process = command, None
        self.lock = threading.Lock()

    def ask(self, request):
        """Send a `Request` and return the reply.

        Raises
        ------
        RuntimeError
            If the process does not start.
        """
        with self.lock:
            reply = self._ask(request) or self._ask(request)  # it may have been killed since the last check
        if reply is None:
            raise RuntimeError("the judge's process does not start; what it said stands above")
        return reply

    def close(self):
        """End the process, if there is one."""
        if self.process is not None:
            kill_family(self.process.pid)
            self.process.wait()
            self.reader.join()
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):  # what was not sent is lost with the worker
                    pipe.close()
            self.process = None

    def _ask(self, request):
        """The reply; None if the process was gone before it took the request."""
        if self.process is None or self.process.poll() is not None:
            self.close()
            self.process, self.lines = _start(self.command), queue.SimpleQueue()
            self.reader = threading.Thread(target=_read, args=(self.process.stdout, self.lines), daemon=True)
            self.reader.start()
        taken, deadline = False, time.monotonic() + START_LIMIT + GRACE
        try:
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
            while True:
                said = json.loads(self._line(deadline))
                if said == "taken":
                    taken = True
                elif said == "loaded":
                    deadline = time.monotonic() + request.time_limit + GRACE
                else:
                    return said
        except (OSError, ValueError):  # it is gone
            self.close()
            return ENDED if taken else None
        except BaseException:  # interrupted: the reply would be taken for that to the next request
            self.close()
            raise

    def _line(self, deadline):
        """The next line; empty if the process has ended, is late, or was stopped by the function it examines."""
        while time.monotonic() < deadline and not _is_stopped(self.process.pid):
            with contextlib.suppress(queue.Empty):
                return self.lines.get(timeout=0.5)  # never longer, so that an interrupt is noticed
        return b""


def _read(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put(b"")


def _is_stopped(pid):
    """Whether the worker, or the examiner that it has forked, stands still by a signal."""
    with contextlib.suppress(psutil.Error):
        worker = psutil.Process(pid)
        return any(process.status() == psutil.STATUS_STOPPED for process in (worker, *worker.children()))
    return False


def _start(command):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | dict.fromkeys(_THREADS, "1") | {"MPLBACKEND": "agg", "PYTHONPATH": path}
    # A group of its own, or the interrupt of a terminal would reach it too.
    if os.name == "nt":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    else:
        group = {"start_new_session": True}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, **group)
