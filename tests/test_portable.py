"""Which processors a machine can pass for. That they compute the same is what `make portable` finds out."""

import numpy as np
import pytest

from tests import portable

FOUND = ["X86_V3", "X86_V4", "AVX512_ICL"]


@pytest.fixture
def machine(monkeypatch):
    def build(name, instructions, found):
        monkeypatch.setattr(portable.platform, "machine", lambda: name)
        monkeypatch.setattr(portable.torch.backends.cpu, "get_cpu_capability", lambda: instructions)
        monkeypatch.setattr(np, "show_config", lambda mode: {"SIMD Extensions": {"found": found}})
        return list(portable.processors())

    return build


def test_a_new_processor_passes_for_all_three(machine):
    environments = [environment for environment, _ in machine("x86_64", "AVX512", FOUND)]
    assert [e["OPENBLAS_CORETYPE"] for e in environments] == ["Nehalem", "Haswell", "SkylakeX"]
    assert [e["ATEN_CPU_CAPABILITY"] for e in environments] == ["default", "avx2", "avx512"]
    assert [e["NPY_DISABLE_CPU_FEATURES"] for e in environments] == [" ".join(FOUND), "X86_V4 AVX512_ICL", ""]


def test_what_a_processor_lacks_is_said_and_not_asked_for(machine):
    (_, old), (_, its_own), (environment, said) = machine("AMD64", "AVX2", ["X86_V3"])
    assert (old, its_own) == ("Nehalem, DEFAULT", "Haswell, AVX2")
    assert environment == {} and said == "this processor, because it cannot be a SkylakeX: it lacks AVX512"


def test_another_architecture_is_only_itself(machine):
    assert [environment for environment, _ in machine("arm64", "DEFAULT", [])] == [{}, {}, {}]


def test_threads_and_places_are_met_once_each(machine, monkeypatch):
    runs = []

    class Passed:
        returncode = 0

    monkeypatch.setattr(portable.subprocess, "run", lambda command, env: runs.append(env) or Passed)
    machine("x86_64", "AVX512", FOUND)
    with pytest.raises(SystemExit) as ended:
        portable.main()
    assert ended.value.code == 0
    assert [run["OMP_NUM_THREADS"] for run in runs] == ["1", "2", "4"]
    assert {run["TZ"] for run in runs[:2]} == {"America/New_York", "Asia/Shanghai"}


def test_a_run_that_fails_is_named(machine, monkeypatch):
    class Failed:
        returncode = 1

    monkeypatch.setattr(portable.subprocess, "run", lambda command, env: Failed)
    machine("x86_64", "AVX512", FOUND)
    with pytest.raises(SystemExit, match="failed: as Nehalem, DEFAULT; OMP_NUM_THREADS=1; LC_ALL=C"):
        portable.main()


def test_a_language_that_is_not_installed_is_noticed():
    assert portable.knows("C") and not portable.knows("xx_YY.UTF-8")
