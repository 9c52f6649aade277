"""``python -m tests.portable``: notebooks and numeric tests as on other processors, threads, languages and time zones.

Libraries pick their inner loops by processor, and loops round differently. Environment variables make them believe that
the processor is an older one. Each processor, thread count, language and time zone is met once, not every combination.
"""

import locale
import os
import platform
import subprocess
import sys

import numpy as np
import torch

INSTRUCTIONS = ("DEFAULT", "AVX2", "AVX512")  # PyTorch's names, from old to new
CORES = ("Nehalem", "Haswell", "SkylakeX")  # OpenBLAS's
FEATURES = (set(), {"X86_V3"})  # what NumPy may use beyond its baseline; the newest uses all it finds
ELSEWHERE = (
    {"LC_ALL": "C", "TZ": "America/New_York"},
    {"LC_ALL": "zh_CN.UTF-8", "TZ": "Asia/Shanghai"},
    {},
)


def processors():
    """Yield three pairs: the environment that makes this machine pass for a processor, and what to call it."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        yield from [({}, f"this {platform.machine()}, which cannot pass for another processor")] * 3
        return
    newest = INSTRUCTIONS.index(torch.backends.cpu.get_cpu_capability())
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    for level, (core, instructions) in enumerate(zip(CORES, INSTRUCTIONS, strict=True)):
        if level > newest:
            yield {}, f"this processor, because it cannot be a {core}: it lacks {instructions}"
        else:
            allowed = FEATURES[level] if level < 2 else set(found)
            yield (
                {
                    "OPENBLAS_CORETYPE": core,
                    "ATEN_CPU_CAPABILITY": instructions.lower(),
                    "NPY_DISABLE_CPU_FEATURES": " ".join(name for name in found if name not in allowed),
                },
                f"{core}, {instructions}",
            )


def knows(language):
    """Whether this machine has a locale; the C library takes C's in place of one that it lacks, and says nothing."""
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, language)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_ALL, before)
    return True


def main():
    command = [sys.executable, "-m", "pytest", "-q", "-n", os.environ.get("JOBS", "2"), "--nbval"]
    failed = []
    for threads, place, (processor, name) in zip((1, 2, 4), ELSEWHERE, processors(), strict=True):
        run = "; ".join([f"as {name}", f"OMP_NUM_THREADS={threads}", *map("=".join, place.items())])
        if not knows(place.get("LC_ALL", "C")):
            run += " (which is not installed here, so in C)"
        print(f"=== {run}", flush=True)
        environment = os.environ | processor | place | {"OMP_NUM_THREADS": str(threads)}
        if subprocess.run([*command, "notebooks", "tests/algorithms"], env=environment).returncode:
            failed.append(run)
    sys.exit("\n".join(f"failed: {run}" for run in failed) or 0)


if __name__ == "__main__":
    main()
