"""How the tests run notebooks, and where they keep their progress: in an empty folder, never in yours."""

import os
import re
import tempfile
from itertools import count

import nbval.kernel
import pytest
from jupyter_client.manager import KernelManager
from xdist.scheduler import LoadScopeScheduling

from helpers.topics import TOPICS
from tests.comparison import compare_notebooks

_TOPICS = {name for topic in TOPICS for name in (topic.stem, topic.notebook)}

_home = tempfile.TemporaryDirectory(prefix="viva-")
os.environ["VIVA_HOME"] = _home.name
_number = count()


def _kernel_over_files(**options):
    """Over TCP, two kernels that start at once now and then get the same port, and one of them dies."""
    return KernelManager(transport="ipc", ip=os.path.join(_home.name, f"kernel{next(_number)}"), **options)


compare_notebooks()
if os.name == "posix":
    nbval.kernel.KernelManager = _kernel_over_files


class ByTopic(LoadScopeScheduling):
    """A notebook or a test file stays in one process; a file whose tests come by topic is split by topic."""

    def _split_scope(self, nodeid):
        file, _, test = nodeid.partition("::")
        topic = re.search(r"\[(\w+)", test)  # "test_right_answer_is_accepted[metrics/roc_auc-by_pairs]"
        return f"{file} {topic[1]}" if topic and topic[1] in _TOPICS else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByTopic(config, log)
