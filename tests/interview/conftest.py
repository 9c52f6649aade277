"""What the tests of the interview share: a clock that stands still, and progress that goes by it."""

from datetime import UTC, datetime

import pytest

from helpers.interview.progress import Progress

START = datetime(2026, 1, 1, 8, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def progress(tmp_path, clock):
    return Progress(tmp_path / "progress.sqlite3", clock=clock)
