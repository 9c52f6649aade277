import contextlib
import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from helpers.interview import progress as module
from helpers.interview import schedule
from helpers.interview.progress import EVENTS, Progress, ProgressError

from .conftest import START

# A fork of a warm, single-threaded server takes 10 ms and a fresh interpreter half a second.
WARM = "forkserver" in multiprocessing.get_all_start_methods()
PROCESSES = multiprocessing.get_context("forkserver" if WARM else "spawn")
if WARM:
    PROCESSES.set_forkserver_preload([__name__])  # this file, and so all that it imports


def rows(path, query):
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def log(progress):
    return rows(progress.path, "SELECT * FROM review ORDER BY at, id")


def practise(progress, clock, answers=60):
    random_numbers = random.Random(0)
    for _ in range(answers):
        progress.answer(f"metrics/{random_numbers.randrange(7)}", random_numbers.randint(1, 4))
        clock.now += timedelta(hours=random_numbers.expovariate(1 / 9))
    for event in EVENTS:
        progress.record_attempt("metrics/roc_auc", event)


# --- answers and schedule --------------------------------------------------------------------------------------------


def test_answers_follow_fsrs(progress, clock):
    assert progress.answer("metrics/a", 4) > START + timedelta(days=1)
    assert progress.answer("metrics/b", 1) == START + timedelta(minutes=1)
    assert progress.answer("metrics/c", 3) == START + timedelta(minutes=10)
    assert progress.due() == []
    clock.now += timedelta(minutes=10)
    assert progress.due() == ["metrics/b", "metrics/c"]
    assert progress.due(START + timedelta(minutes=5)) == ["metrics/b"]
    assert progress.due(START + timedelta(days=99)) == ["metrics/b", "metrics/c", "metrics/a"]
    assert [state.known for state in progress.cards().values()] == [True, False, False]


def test_the_schedule_has_no_chance_in_it(tmp_path, clock):
    first, second = (Progress(tmp_path / name, clock=clock) for name in "ab")
    for days in (0, 1, 5, 30, 200):
        clock.now = START + timedelta(days=days)
        assert first.answer("metrics/a", 3) == second.answer("metrics/a", 3)


def test_attempts_are_kept_in_order(progress):
    for event in ("failed", "hint", "failed", "solution", "passed"):
        progress.record_attempt("metrics/roc_auc", event)  # the clock stands still, and the order is kept all the same
    progress.record_attempt("metrics/auc", "failed")
    assert progress.attempts("metrics/roc_auc") == ["failed", "hint", "failed", "solution", "passed"]
    assert progress.attempts("metrics/never") == []
    assert progress.passed() == {"metrics/roc_auc"}


def test_a_retry_with_the_same_id_is_recorded_once(progress, clock):
    review_id = uuid4()
    due = progress.answer("metrics/a", 3, review_id)
    clock.now += timedelta(days=1)
    assert progress.answer("metrics/a", 3, str(review_id).upper()) == due
    assert len(log(progress)) == 1
    with pytest.raises(ValueError, match=r"review_id .* already stands for"):
        progress.answer("metrics/a", 4, review_id)
    assert len(log(progress)) == 1


def test_rebuild_equals_the_cache(progress, clock):
    practise(progress, clock)
    before = progress.cards()
    with closing(sqlite3.connect(progress.path)) as db, db:
        db.execute("UPDATE card SET due = '2000', stability = 1")
        db.execute("INSERT INTO card SELECT 'ghost', state, step, stability, difficulty, due, due FROM card LIMIT 1")
    assert len(before) == 7
    progress.rebuild()
    assert progress.cards() == before


def test_a_clock_set_back_keeps_order_and_cache(progress, clock):
    progress.answer("metrics/a", 3)
    clock.now -= timedelta(hours=20)
    due = progress.answer("metrics/a", 1)
    assert due >= START
    assert [rating for _, _, rating, _ in log(progress)] == [3, 1]
    assert progress.answer("metrics/b", 1) == clock.now + timedelta(minutes=1)  # other cards go by the clock
    before = progress.cards()
    progress.rebuild()
    assert progress.cards() == before


def test_an_answer_dated_far_ahead_does_not_steer_the_schedule(progress, clock):
    """A clock that said 2126 for one answer would else keep the card there for a hundred years."""
    progress.answer("metrics/a", 3)
    before = progress.cards()
    clock.now += timedelta(days=36_525)
    progress.answer("metrics/a", 4)
    progress.record_attempt("metrics/roc_auc", "passed")
    assert progress.ahead() == 0
    clock.now = START + timedelta(minutes=10)
    assert progress.ahead() == 1
    assert progress.cards() == before
    assert progress.due() == ["metrics/a"]
    assert progress.attempts("metrics/roc_auc") == []
    assert progress.answer("metrics/a", 1) == START + timedelta(minutes=11)
    assert [rating for _, _, rating, _ in log(progress)] == [3, 1, 4]  # nothing is lost
    clock.now += timedelta(days=36_600)
    assert progress.ahead() == 0
    assert progress.cards()["metrics/a"].last_review > START + timedelta(days=36_000)


@pytest.mark.parametrize("now", [datetime.min, datetime.max, datetime(1969, 1, 1)])
def test_a_clock_out_of_its_mind_is_named(progress, clock, now):
    clock.now = now.replace(tzinfo=START.tzinfo)
    for call in (lambda: progress.answer("metrics/a", 3), progress.cards, progress.ahead):
        with pytest.raises(ProgressError, match=r"between 1970 and 2200.*Set the computer's clock"):
            call()


def test_another_version_of_fsrs_rebuilds_the_cache(progress, clock, monkeypatch):
    practise(progress, clock)
    assert rows(progress.path, "SELECT value FROM meta WHERE key = 'fsrs'") == [(schedule.VERSION,)]
    before, other = progress.cards(), schedule.review
    monkeypatch.setattr(schedule, "VERSION", "99")
    monkeypatch.setattr(schedule, "review", lambda *args: other(*args)._replace(stability=1.25))
    assert {state.stability for state in progress.cards().values()} == {1.25}
    monkeypatch.undo()
    assert progress.cards() == before


def test_export_stamps_always_rise(progress, clock):
    stamps = [progress.export_stamp() for _ in range(3)]
    clock.now -= timedelta(days=1)
    stamps.append(Progress(progress.path, clock=clock).export_stamp())
    assert stamps == [int(START.timestamp()) + step for step in range(4)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.answer("", 3), "card_id must be"),
        (lambda p: p.answer(7, 3), "card_id must be"),
        (lambda p: p.answer("metrics/a", 0), "rating"),
        (lambda p: p.answer("metrics/a", 5), "rating"),
        (lambda p: p.answer("metrics/a", 2.5), "rating"),
        (lambda p: p.answer("metrics/a", True), "rating"),
        (lambda p: p.answer("metrics/a", 3, "again"), "review_id must be a UUID"),
        (lambda p: p.due("tomorrow"), "now must be a datetime"),
        (lambda p: p.due(datetime(2026, 1, 1)), "now must be a datetime with a time zone"),
        (lambda p: p.record_attempt("metrics/a", "won"), "event must be one of 'passed'"),
        (lambda p: p.record_attempt(None, "passed"), "exercise_id must be"),
    ],
)
def test_bad_input_is_refused_by_name(progress, call, message):
    with pytest.raises(ValueError, match=message):
        call(progress)


# --- export and import -----------------------------------------------------------------------------------------------


def test_export_and_import_lose_nothing(progress, clock, tmp_path):
    practise(progress, clock)
    progress.export_json(tmp_path / "export.json")
    other = Progress(tmp_path / "other.sqlite3", clock=clock)
    for _ in range(2):  # twice changes nothing
        other.import_json(tmp_path / "export.json")
        assert log(other) == log(progress)
        assert other.cards() == progress.cards()
        assert other.attempts("metrics/roc_auc") == list(EVENTS)
    other.export_json(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "export.json").read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_two_machines_that_swap_exports_agree(tmp_path, clock):
    machines = [Progress(tmp_path / name / "progress.sqlite3", clock=clock) for name in "ab"]
    for day in range(12):
        machines[day % 2].answer("metrics/a", 1 + day % 4)
        clock.now += timedelta(days=1, minutes=7)
    for machine in machines:
        machine.export_json(tmp_path / f"{machine.path.parent.name}.json")
    machines[0].import_json(tmp_path / "b.json")
    machines[1].import_json(tmp_path / "a.json")
    assert len(log(machines[0])) == 12
    assert log(machines[0]) == log(machines[1])
    assert machines[0].cards() == machines[1].cards()


@pytest.mark.parametrize(
    ("log_name", "number", "change", "message"),
    [
        ("reviews", 3, {"rating": 9}, r"reviews\[3\] is broken.*rating"),
        ("reviews", 3, {"at": "yesterday"}, r"reviews\[3\] is broken.*yesterday"),
        ("reviews", 3, {"at": "2026-01-01"}, r"reviews\[3\] is broken.*time zone"),
        ("reviews", 59, {"card_id": None}, r"reviews\[59\] is broken.*card_id"),
        ("attempts", 0, {"event": "won"}, r"attempts\[0\] is broken.*event"),
        ("attempts", 0, {"id": "1"}, r"attempts\[0\] is broken.*UUID"),
        ("attempts", 0, {"exercise_id": "\ud800"}, r"attempts\[0\] is broken.*whole characters"),
        ("reviews", 0, {"at": "0001-01-01T00:00:00+05:00"}, r"reviews\[0\] is broken.*between 1970 and 2200"),
        ("reviews", 0, {"at": "9999-12-31T23:59:59-05:00"}, r"reviews\[0\] is broken.*between 1970 and 2200"),
        ("reviews", 0, {"at": 5}, r"reviews\[0\] is broken"),
        ("reviews", 3, {"card_id": "metrics/other"}, "contradicts"),
    ],
)
def test_a_broken_export_changes_nothing(progress, clock, tmp_path, log_name, number, change, message):
    practise(progress, clock)
    path = tmp_path / "export.json"
    progress.export_json(path)
    data = json.loads(path.read_text())
    data["reviews"][0]["id"] = str(uuid4())  # new and good, and still not to be imported
    data[log_name][number].update(change)
    path.write_text(json.dumps(data))
    before = log(progress), progress.cards()
    with pytest.raises(ValueError, match=message):
        progress.import_json(path)
    assert (log(progress), progress.cards()) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "is no JSON file"),
        ("[]", "is no Viva export"),
        ('{"format": "viva-progress-2"}', "is no Viva export of the form 'viva-progress-1'"),
        ("[" * 100_000, "is no JSON file"),
        ('{"format": "viva-progress-1", "reviews": null}', "reviews must be a list, got NoneType"),
        ('{"format": "viva-progress-1", "attempts": {"id": 1}}', "attempts must be a list, got dict"),
        ('{"format": "viva-progress-1", "reviews": [7]}', r"reviews\[0\] is broken"),
        ('{"format": "viva-progress-1", "reviews": [{"id": 7}]}', r"reviews\[0\] is broken.*card_id"),
    ],
)
def test_what_is_no_export_is_refused(progress, tmp_path, text, message):
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        progress.import_json(tmp_path / "export.json")


def test_the_progress_file_is_no_place_for_an_export(progress):
    progress.answer("metrics/a", 3)
    with pytest.raises(ValueError, match="progress file itself"):
        progress.export_json(progress.path)
    assert len(log(progress)) == 1


# --- the file --------------------------------------------------------------------------------------------------------


def test_the_folder_is_made_at_first_use(tmp_path, monkeypatch):
    monkeypatch.setenv("VIVA_HOME", str(tmp_path / "new" / "home"))
    progress = Progress()
    assert not progress.path.parent.exists()
    assert progress.due() == []
    assert progress.path == tmp_path / "new" / "home" / "progress.sqlite3"
    monkeypatch.delenv("VIVA_HOME")
    assert Progress().path.parent.name == "viva"


@pytest.mark.parametrize("table", ["review", "attempt"])
def test_the_logs_are_append_only(progress, clock, table):
    practise(progress, clock, answers=3)
    before = rows(progress.path, f"SELECT * FROM {table}")
    for statement in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET at = '2000'",
        f"INSERT OR REPLACE INTO {table} SELECT id, 'x', 3, at FROM {table}",
    ):
        with closing(sqlite3.connect(progress.path)) as db, pytest.raises(sqlite3.IntegrityError, match="append-only"):
            db.execute(statement)
    assert rows(progress.path, f"SELECT * FROM {table}") == before


def test_the_file_is_durable(progress):
    with progress._transaction() as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_older_file_is_migrated(progress, clock, monkeypatch):
    practise(progress, clock)
    before = log(progress)
    monkeypatch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, ("CREATE TABLE note (text TEXT)",)))
    newer = Progress(progress.path, clock=clock)
    newer.answer("metrics/new", 3)
    assert rows(progress.path, "PRAGMA user_version") == [(len(module._MIGRATIONS),)]
    assert rows(progress.path, "SELECT * FROM note") == []
    assert log(newer)[: len(before)] == before


def test_a_failed_migration_leaves_the_old_file(progress, clock, monkeypatch):
    practise(progress, clock)
    before = log(progress)
    broken = ("CREATE TABLE note (text TEXT)", "CREATE TABLE review (id TEXT)")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, broken))
        with pytest.raises(ProgressError, match="already exists"):
            progress.cards()
    assert rows(progress.path, "PRAGMA user_version") == [(len(module._MIGRATIONS),)]
    assert log(progress) == before
    assert progress.cards()


def _newer(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def _foreign(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE other (x)")


def _torn(path):
    data = bytearray(path.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_newer, "newer Viva.*schema 99.*Update Viva"),
        (_foreign, "is not a Viva progress file.*Move the file away"),
        (_torn, "is damaged.*import_json"),
        (lambda path: path.write_bytes(b"garbage" * 5000), "is not a Viva progress file.*Move the file away"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "is damaged.*import_json"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_and_kept(progress, clock, harm, message):
    practise(progress, clock)
    harm(progress.path)
    before = progress.path.read_bytes()
    for call in (Progress.due, Progress.rebuild, lambda progress: progress.answer("metrics/a", 3)):
        with pytest.raises(ProgressError, match=message) as caught:
            call(Progress(progress.path, clock=clock))
        assert str(progress.path) in str(caught.value)
        assert progress.path.read_bytes() == before


CACHE_DAMAGE = {
    "a time": "UPDATE card SET due = 'soon'",
    "no time zone": "UPDATE card SET last_review = '2026-01-01T08:00:00'",
    "no text": "UPDATE card SET due = x'ff', last_review = 7",
    "no UTF-8": "UPDATE card SET due = CAST(x'ff' AS TEXT)",
    "a state": "UPDATE card SET state = 9",
    "a number": "UPDATE card SET stability = 'much'",
    "below zero": "UPDATE card SET stability = -1.0",
    "a row too few": "DELETE FROM card WHERE card_id = 'metrics/1'",
    "a row too many": "INSERT INTO card SELECT 'ghost', state, step, stability, difficulty, due, due FROM card LIMIT 1",
    "an answer missed": "UPDATE card SET last_review = '2026-01-01T08:00:00.000000+00:00'",
}


@pytest.mark.parametrize("statement", CACHE_DAMAGE.values(), ids=CACHE_DAMAGE)
def test_a_damaged_cache_heals_from_the_log(progress, clock, statement):
    practise(progress, clock)
    before = progress.cards()
    with closing(sqlite3.connect(progress.path)) as db, db:
        db.execute(statement)
    assert progress.cards() == before
    assert progress.answer("metrics/1", 3) > clock.now


@pytest.mark.parametrize("value", ["'soon'", "CAST(x'ff' AS TEXT)", "x'ff'", "7", "'2026-01-01'", "''"])
@pytest.mark.parametrize("column", ["at", "card_id", "id"])
def test_a_damaged_log_is_a_progress_error_and_nothing_else(progress, clock, tmp_path, column, value):
    practise(progress, clock)
    with closing(sqlite3.connect(progress.path)) as db, db:
        db.execute("DROP TRIGGER review_no_update")
        db.execute(f"UPDATE review SET {column} = {value} WHERE id = (SELECT min(id) FROM review)")
    calls = (
        lambda: progress.answer("metrics/1", 3),
        progress.due,
        progress.rebuild,
        progress.ahead,
        lambda: progress.export_json(tmp_path / "export.json"),
    )
    for call in calls:
        with contextlib.suppress(ProgressError):
            call()
    if (tmp_path / "export.json").exists():  # then it can be imported
        Progress(tmp_path / "other.sqlite3", clock=clock).import_json(tmp_path / "export.json")


def test_a_folder_that_cannot_be_reached_is_a_progress_error(progress, monkeypatch):
    def unreadable(path, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.Path, "exists", unreadable)
    with pytest.raises(ProgressError, match=r"cannot be reached.*VIVA_HOME"):
        progress.due()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProgressError, match=r"file.*cannot be made.*VIVA_HOME"):
        Progress(tmp_path / "file" / "progress.sqlite3").answer("metrics/a", 3)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs an account that a folder's mode binds")
def test_a_read_only_folder_is_named(progress):
    progress.answer("metrics/a", 3)
    progress.path.parent.chmod(0o500)
    try:
        with pytest.raises(ProgressError, match="VIVA_HOME"):
            progress.answer("metrics/a", 3)
    finally:
        progress.path.parent.chmod(0o700)


def test_a_file_in_use_is_named(progress, monkeypatch):
    progress.answer("metrics/a", 3)
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(progress.path)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProgressError, match="in use by another program"):
            progress.answer("metrics/a", 3)


# --- killed, and two at once -----------------------------------------------------------------------------------------


def _answer_and_tell(path, pipe, answers):
    progress = Progress(path)
    pipe.send("ready")
    for number in range(answers):
        review_id = str(uuid4())
        progress.answer(f"metrics/{number % 7}", 1 + number % 4, review_id)
        pipe.send(review_id)


def _start(path, answers):
    receiver, sender = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=_answer_and_tell, args=(path, sender, answers))
    process.start()
    sender.close()
    assert receiver.recv() == "ready"
    return process, receiver


def _all_told(receiver):
    told = []
    try:
        while True:
            told.append(receiver.recv())
    except EOFError:
        return told


def test_killed_at_any_moment_nothing_acknowledged_is_lost(tmp_path):
    kills = 100 if WARM else 20
    random_numbers = random.Random(0)
    total = 0
    for kill in range(kills):
        path = tmp_path / f"{kill // 4}.sqlite3"  # each file is killed four times, the first time while it is made
        process, receiver = _start(path, answers=10_000)
        told = [receiver.recv() for _ in range(random_numbers.randrange(4))]  # however slow the machine is just now
        time.sleep(random_numbers.uniform(0, 0.01))
        process.kill()
        process.join()
        told += _all_told(receiver)
        progress = Progress(path)
        before = progress.cards()
        assert {identity for identity, *_ in log(progress)} >= set(told)
        assert rows(path, "PRAGMA integrity_check") == [("ok",)]
        progress.rebuild()
        assert progress.cards() == before
        total += len(told)
    assert total > kills / 2


def test_two_kernels_may_write_at_once(tmp_path):
    path = tmp_path / "new" / "progress.sqlite3"
    writers = [_start(path, answers=500) for _ in range(2)]
    told = [identity for _, receiver in writers for identity in _all_told(receiver)]
    for process, _ in writers:
        process.join()
    assert [process.exitcode for process, _ in writers] == [0, 0]
    assert sorted(told) == sorted(identity for (identity,) in rows(path, "SELECT id FROM review"))
    assert len(told) == 1000
    progress = Progress(path)
    before = progress.cards()
    progress.rebuild()
    assert progress.cards() == before


def test_a_copy_taken_while_open_is_a_whole_file(progress, clock, tmp_path):
    practise(progress, clock)
    shutil.copy(progress.path, tmp_path / "copy.sqlite3")  # nothing stays behind in a side file between two calls
    assert Progress(tmp_path / "copy.sqlite3").cards() == progress.cards()


# --- undo, suspension, plan, sessions, exercises ----------------------------------------------------------------------


def test_undo_returns_a_card_to_where_it_was(progress, clock):
    progress.answer("metrics/auc", 3)
    clock.now += timedelta(minutes=10)
    before = progress.cards()
    progress.answer("metrics/auc", 1)
    assert progress.undo() == "metrics/auc"
    assert progress.cards() == before
    progress.rebuild()
    assert progress.cards() == before
    assert [rating for _, rating, _ in progress.answers()] == [3]
    assert (progress.undo(), progress.undo(), progress.cards()) == ("metrics/auc", None, {})


def test_an_answer_taken_back_cannot_be_given_again_under_its_id(progress):
    identity = uuid4()
    progress.answer("metrics/auc", 3, identity)
    progress.undo(identity)
    assert progress.undo(identity) is None
    with pytest.raises(ValueError, match="already stands for"):
        progress.answer("metrics/auc", 3, identity)


def test_all_logs_travel(progress, clock, tmp_path):
    progress.answer("metrics/auc", 3)
    progress.answer("metrics/eer", 2)
    progress.undo()
    progress.suspend("metrics/eer")
    progress.record_attempt("metrics/roc_auc", "failed", "def roc_auc(): ...", "not right yet")
    progress.record_session("mock", {"score": 0.5})
    progress.set_plan(date(2026, 2, 1), 12)
    progress.export_json(tmp_path / "export.json")
    other = Progress(tmp_path / "other.sqlite3", clock=clock)
    for _ in range(2):
        other.import_json(tmp_path / "export.json")
    for name in ("cards", "suspended", "plan", "answers"):
        assert getattr(other, name)() == getattr(progress, name)(), name
    assert other.sessions("mock") == progress.sessions("mock")
    assert other.submissions("metrics/roc_auc") == progress.submissions("metrics/roc_auc")
    assert other.plan() == (date(2026, 2, 1), 12)
    assert other.suspended() == {"metrics/eer"}


@pytest.mark.parametrize("table", ["undo", "suspension", "submission", "session", "plan"])
def test_every_log_is_append_only(progress, table):
    progress.answer("metrics/auc", 3)
    progress.undo()
    progress.suspend("metrics/auc")
    progress.record_attempt("metrics/roc_auc", "failed", "code", "verdict")
    progress.record_session("today", {})
    progress.set_plan(date(2026, 2, 1), 12)
    with pytest.raises(ProgressError, match="append-only"), progress._transaction() as db:
        db.execute(f"DELETE FROM {table}")


def test_what_returns_after_days_is_due_from_the_first_minute_of_its_day(progress, clock):
    due = progress.answer("metrics/auc", 4)
    morning = due.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    clock.now = morning.astimezone(UTC) - timedelta(seconds=1)
    assert progress.due() == []
    clock.now += timedelta(seconds=1)
    assert progress.due() == ["metrics/auc"]


def test_exercises_return_by_what_it_took_to_pass_them(progress, clock):
    for exercise, events in {
        "a/clean": ["passed"],
        "a/hinted": ["hint", "failed", "passed"],
        "a/looked": ["solution", "passed"],
        "a/open": ["failed"],
    }.items():
        for event in events:
            progress.record_attempt(exercise, event)
    states = progress.exercises()
    assert set(states) == {"a/clean", "a/hinted", "a/looked"}
    assert states["a/clean"].due > states["a/hinted"].due > states["a/looked"].due
    progress.record_attempt("a/clean", "passed")  # the notebook was run again
    assert progress.exercises() == states
    clock.now = states["a/clean"].due
    progress.record_attempt("a/clean", "passed")
    assert progress.exercises()["a/clean"].due > states["a/clean"].due


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda progress: progress.set_plan("2026-02-01", 12), "interview must be a date"),
        (lambda progress: progress.set_plan(date(2026, 2, 1), 0), "new_a_day"),
        (lambda progress: progress.record_session("quiz", {}), "kind must be one of"),
        (lambda progress: progress.record_attempt("a/b", "failed", code=7), "code must be a string"),
        (lambda progress: progress.suspend(""), "card_id"),
        (lambda progress: progress.undo("x"), "review_id must be a UUID"),
    ],
)
def test_bad_entries_are_refused_by_name(progress, call, message):
    with pytest.raises(ValueError, match=message):
        call(progress)
