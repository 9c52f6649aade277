"""``python -m tests.classroom.load 1 2 4 8``: how long *Run All* of 05 takes when so many students start it at once.

And what each student's server and kernel hold in memory afterwards: PSS, which counts a page that n processes share as
1/n of a page for each, so that the sum is what the machine gives.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

import psutil

from tests.classroom.hub import TEACHER, Hub, Kernel, at_once

NOTEBOOK = "05_metrics_roc"
JUDGED = """
from helpers.interview.judge import check

def roc_auc(labels, scores):
    return 0.5

check("metrics/roc_auc", roc_auc)
"""


def memory(hub, names):
    """Return the MiB of servers, of kernels and of all else that these students run, and of the hub with its proxy."""
    sums = {"server": 0, "kernel": 0, "judge": 0, "hub": 0}
    homes = {str(hub.home(name)) for name in names}
    for process in psutil.Process().children(recursive=True):
        command, home = " ".join(process.cmdline()), process.environ().get("HOME")
        of_student = "kernel" if "ipykernel" in command else "server" if "singleuser" in command else "judge"
        sums[of_student if home in homes else "hub"] += process.memory_full_info().pss / 2**20
    return sums


def measure(hub, students):
    """Return the slowest run in seconds, and `memory` after it, with all kernels alive."""
    cells = [cell.source for cell in students[0].read(NOTEBOOK).cells if cell.cell_type == "code"]
    kernels = [Kernel(student) for student in students]
    start = time.monotonic()
    results = at_once([lambda kernel=kernel: [kernel.run(cell) for cell in cells] for kernel in kernels])
    seconds = time.monotonic() - start
    for result, _ in results:
        if isinstance(result, Exception):
            raise result
    for kernel in kernels:
        kernel.run(JUDGED)
    held = memory(hub, [student.name for student in students])
    for kernel in kernels:
        kernel.close()
    return seconds, mean(taken for _, taken in results), held


def main(counts):
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        try:
            hub.admit(TEACHER)
            students = [hub.admit(f"student{number}") for number in range(max(counts))]
            print("students  slowest s  mean s  MiB a student: server  kernel  judge  hub and proxy MiB")
            for count in counts:
                for student in students[:count]:
                    if student.server() is None:
                        student.start().pull()
                slowest, average, held = measure(hub, students[:count])
                each = (f"{held[part] / count:8.0f}" for part in ("server", "kernel", "judge"))
                print(f"{count:8}  {slowest:9.1f}  {average:6.1f}  {'':14}", *each, f"{held['hub']:10.0f}", flush=True)
        finally:
            hub.close()


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [1, 2, 4, 8])
