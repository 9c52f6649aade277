"""How the tests run notebooks, and where they keep their progress: in an empty folder, never in yours."""

import os
import tempfile
from itertools import count

import nbval.kernel
from jupyter_client.manager import KernelManager

from tests.comparison import compare_notebooks

_home = tempfile.TemporaryDirectory(prefix="viva-")
os.environ["VIVA_HOME"] = _home.name
_number = count()


def _kernel_over_files(**options):
    """Over TCP, two kernels that start at once now and then get the same port, and one of them dies."""
    return KernelManager(transport="ipc", ip=os.path.join(_home.name, f"kernel{next(_number)}"), **options)


compare_notebooks()
if os.name == "posix":
    nbval.kernel.KernelManager = _kernel_over_files
