"""What the tests of the interview share: a clock that stands still, progress that goes by it, progress in memory."""

from datetime import UTC, datetime

import pytest

from helpers.interview import judge
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


class Attempts:
    """What the judge records, without a file."""

    def __init__(self):
        self.events = []

    def record_attempt(self, exercise_id, event, code="", verdict=""):
        self.events.append((exercise_id, event))

    def attempts(self, exercise_id):
        return [event for which, event in self.events if which == exercise_id]

    def passed(self):
        return {which for which, event in self.events if event == "passed"}


@pytest.fixture
def attempts(monkeypatch):
    fake = Attempts()
    monkeypatch.setattr(judge, "_progress", lambda: fake)
    return fake
