"""Tests and notebooks under test keep their progress in an empty folder of their own, never in yours."""

import os
import tempfile

_home = tempfile.TemporaryDirectory(prefix="viva-")
os.environ["VIVA_HOME"] = _home.name
