"""``python -m tests.classroom.load 1 2 4 8``: how long *Run All* of 05 takes when so many students start it at once.

And what each student's server and kernel hold in memory afterwards: PSS, which counts a page that n processes share as
1/n of a page for each, so that the sum is what the machine gives.
"""

import sys
import tempfile
from collections import Counter
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


def processes(hub, names):
    """Yield what each process of the class is, "server", "kernel" or "judge" of these students or "hub", and itself."""
    homes = {str(hub.home(name)) for name in names}
    for process in psutil.Process().children(recursive=True):
        command, home = " ".join(process.cmdline()), process.environ().get("HOME")
        of_student = "kernel" if "ipykernel" in command else "server" if "singleuser" in command else "judge"
        yield of_student if home in homes else "hub", process


def measure(hub, students):
    """Return the slowest and the mean run in seconds, kernels' processor seconds, and MiB by kind, kernels alive."""
    names = [student.name for student in students]
    cells = [cell.source for cell in students[0].read(NOTEBOOK).cells if cell.cell_type == "code"]
    kernels = [Kernel(student) for student in students]
    results = at_once([lambda kernel=kernel: [kernel.run(cell) for cell in cells] for kernel in kernels])
    for result, _ in results:
        if isinstance(result, Exception):
            raise result
    taken = [seconds for _, seconds in results]
    worked = sum(sum(process.cpu_times()[:2]) for kind, process in processes(hub, names) if kind == "kernel")
    held = Counter()
    for kernel in kernels:
        kernel.run(JUDGED)
    for kind, process in processes(hub, names):
        held[kind] += process.memory_full_info().pss / 2**20
    for kernel in kernels:
        kernel.close()
    return max(taken), mean(taken), worked, held


def main(counts):
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder))
        try:
            hub.admit(TEACHER)
            students = [hub.admit(f"student{number}") for number in range(max(counts))]
            print("          seconds of Run All               MiB a student              MiB of")
            print("students  slowest    mean  processor each  server   kernel   judge    hub and proxy")
            for count in counts:
                for student in students[:count]:
                    if student.server() is None:
                        student.start().pull()
                slowest, average, worked, held = measure(hub, students[:count])
                each = " ".join(f"{held[kind] / count:<8.0f}" for kind in ("server", "kernel", "judge"))
                print(f"{count:<8}  {slowest:<7.1f} {average:<7.1f} {worked / count:<15.1f} {each} {held['hub']:.0f}")
        finally:
            hub.close()


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [1, 2, 4, 8])
