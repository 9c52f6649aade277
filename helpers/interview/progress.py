"""What the learner has answered and tried, in one SQLite file that survives crashes and may be written by two kernels.

The logs are the truth and are only ever appended to: an answer that is taken back stays, and so does the taking back.
The table `card` is a cache of where FSRS puts each card, made again from the log whenever the two do not fit. What the
log dates more than a day ahead was answered while some clock was wrong: it is kept, and does not count until then.
"""

import json
import math
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import platformdirs

from helpers.topics import ROOT
from helpers.validation import check_choice, check_integer

from . import schedule
from .schedule import CardState

EVENTS = ("passed", "failed", "hint", "solution")
SESSIONS = ("today", "mock")
FORMAT = "viva-progress-1"

_APPLICATION_ID = 0x56495641  # "VIVA"
_BUSY_SECONDS = 30
_TICK = timedelta(microseconds=1)
_AHEAD = timedelta(days=1)  # further ahead of the clock than this, an entry of a log does not count
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # what a clock can sensibly say


def _append_only(table):
    """The triggers that refuse every change of a row; INSERT OR REPLACE is one of them."""
    refuse = f"BEGIN SELECT RAISE(ABORT, 'the {table} log is append-only'); END"
    return (
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) {refuse}",
    )


_MIGRATIONS = (  # the file's user_version says how many of these it has seen; append, never edit
    (
        f"PRAGMA application_id = {_APPLICATION_ID}",
        "CREATE TABLE review (id TEXT PRIMARY KEY NOT NULL, card_id TEXT NOT NULL, "
        "rating INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 4), at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE attempt (id TEXT PRIMARY KEY NOT NULL, exercise_id TEXT NOT NULL, "
        "event TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE INDEX attempt_of_exercise ON attempt (exercise_id, at)",
        "CREATE TABLE card (card_id TEXT PRIMARY KEY NOT NULL, state INTEGER NOT NULL, step INTEGER, "
        "stability REAL NOT NULL, difficulty REAL NOT NULL, due TEXT NOT NULL, last_review TEXT NOT NULL)",
        "CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)",
        *_append_only("review"),
        *_append_only("attempt"),
    ),
    (
        "CREATE TABLE undo (id TEXT PRIMARY KEY NOT NULL, review_id TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE suspension (id TEXT PRIMARY KEY NOT NULL, card_id TEXT NOT NULL, "
        "suspended INTEGER NOT NULL CHECK (suspended IN (0, 1)), at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE submission (id TEXT PRIMARY KEY NOT NULL, exercise_id TEXT NOT NULL, "
        "code TEXT NOT NULL, verdict TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE session (id TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, "
        "report TEXT NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE plan (id TEXT PRIMARY KEY NOT NULL, interview TEXT NOT NULL, "
        "new_a_day INTEGER NOT NULL, at TEXT NOT NULL) WITHOUT ROWID",
        *(
            trigger
            for table in ("undo", "suspension", "submission", "session", "plan")
            for trigger in _append_only(table)
        ),
    ),
)

_DAMAGED = "Nothing was changed. Move the file away, start again, and bring back your last export with import_json"
_FOLDER = "Make its folder writable, or set the environment variable VIVA_HOME to a folder that is"
_TROUBLES = {  # primary SQLite error code: what is wrong, what to do
    sqlite3.SQLITE_NOTADB: ("is not a Viva progress file", _DAMAGED),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _DAMAGED),
    sqlite3.SQLITE_BUSY: ("is in use by another program", "Try again, or close the other program"),
    sqlite3.SQLITE_READONLY: ("cannot be written", _FOLDER),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _FOLDER),
    sqlite3.SQLITE_FULL: ("cannot grow", "Free some disk space and try again"),
}


def now():
    """Return the time, in UTC."""
    return datetime.now(UTC)


def data_folder():
    """Return the learner's folder: the one that VIVA_HOME names, or else one in the user's data folder."""
    home = os.environ.get("VIVA_HOME") or platformdirs.user_data_dir("viva", appauthor=False)
    return Path(home).expanduser().absolute()


def check_outside(path):
    """Refuse a path inside Viva's own folder: an export there would be committed or lost with an update."""
    if ROOT in Path(path).absolute().parents:
        raise ValueError(f"path {path} lies in Viva's own folder; choose one outside, such as {Path.home() / 'viva'}")


class ProgressError(RuntimeError):
    """The progress file cannot be used; the message names the file and says what to do."""


class Progress:
    """The learner's log of answers and attempts, and what follows from it.

    Parameters
    ----------
    path : path_like, optional
        The SQLite file, made at first use. By default ``progress.sqlite3`` in the folder that the environment variable
        VIVA_HOME names, or else in the user's data folder.
    clock : callable, optional
        Returns the time as an aware datetime.

    Notes
    -----
    Every method opens the file, works in one transaction and closes it again: a kernel may fork, run widgets in other
    threads or be killed at any moment. A method that has returned has written to the disk. Every method raises
    `ProgressError` if the file is damaged, written by a newer Viva, or cannot be reached; it is then left as it is.
    """

    def __init__(self, path=None, clock=None):
        if path is None:
            path = data_folder() / "progress.sqlite3"
        self.path = Path(path).absolute()
        self.clock = clock or (lambda: now())
        self._checked = False

    def answer(self, card_id, rating, review_id=None):
        """Record one answer and return when the card is due again.

        Parameters
        ----------
        card_id : str
        rating : {1, 2, 3, 4}
            Again, hard, good, easy.
        review_id : str or UUID, optional
            A fresh UUID made by the caller. A retry with the same one is recorded once.

        Returns
        -------
        datetime
            In UTC.

        Raises
        ------
        ValueError
            If an argument is not of this form, or `review_id` belongs to another answer.
        """
        card_id, rating = _check_id("card_id", card_id), check_integer("rating", rating, at_least=1, at_most=4)
        review_id = _check_uuid("review_id", uuid4() if review_id is None else review_id)
        with self._transaction() as db:
            state = self._states(db).get(card_id)
            seen = db.execute("SELECT card_id, rating FROM review WHERE id = ?", (review_id,)).fetchone()
            if seen is None:
                at = self._now(state and state.last_review)
                db.execute("INSERT INTO review VALUES (?, ?, ?, ?)", (review_id, card_id, rating, _to_text(at)))
                state = schedule.review(state, rating, at)
                _cache(db, card_id, state)
            elif seen != (card_id, rating) or _undone(db, review_id):
                raise ValueError(f"review_id {review_id} already stands for {seen}; make a new one for each answer")
        return state.due

    def undo(self, review_id=None):
        """Take an answer back: the card returns to where it was before. The log keeps both.

        Parameters
        ----------
        review_id : str or UUID, optional
            Of the answer; by default the last one given and not yet taken back.

        Returns
        -------
        str or None
            The id of its card; None if there is no such answer.
        """
        with self._transaction() as db:
            horizon = self._horizon()
            wanted = None if review_id is None else _check_uuid("review_id", review_id)
            query = f"SELECT id, card_id FROM review WHERE at <= ? AND id = coalesce(?, id) AND {_COUNTS}"
            found = db.execute(f"{query} ORDER BY at DESC, id DESC", (horizon, wanted)).fetchone()
            if found is None:
                return None
            db.execute("INSERT INTO undo VALUES (?, ?, ?)", (str(uuid4()), found[0], _to_text(self._now(None))))
            _rebuild(db, horizon)
        return found[1]

    def suspend(self, card_id, suspended=True):
        """Keep a card from being asked, or with ``suspended=False`` let it return."""
        row = str(uuid4()), _check_id("card_id", card_id), int(suspended)
        with self._transaction() as db:
            db.execute("INSERT INTO suspension VALUES (?, ?, ?, ?)", (*row, self._next(db, "suspension")))

    def suspended(self):
        """Return the ids of the suspended cards, as a set."""
        with self._transaction() as db:
            last = dict(db.execute("SELECT card_id, suspended FROM suspension ORDER BY at, id"))
        return {card_id for card_id, suspended in last.items() if suspended}

    def cards(self):
        """Return the state of every card answered so far, by card id.

        Returns
        -------
        dict of str to CardState
        """
        with self._transaction() as db:
            return self._states(db)

    def ahead(self):
        """Return how many answers the log dates more than a day ahead of the clock. They do not count until then."""
        with self._transaction() as db:
            return db.execute("SELECT count(*) FROM review WHERE at > ?", (self._horizon(),)).fetchone()[0]

    def due(self, now=None):
        """Return the ids of the cards that are due and not suspended, the longest overdue first.

        A card that returns after days is due from the first minute of its day here; one in its learning steps, which
        are minutes, at its minute.

        Parameters
        ----------
        now : aware datetime, optional
            Cards due until then; by default until this moment.

        Raises
        ------
        ValueError
            If `now` is no datetime or has no time zone.
        """
        now = _check_time("now", self.clock() if now is None else now)
        starts, suspended = self.due_times(), self.suspended()
        return sorted(
            (card for card in starts if starts[card] <= now and card not in suspended),
            key=lambda card: (starts[card], card),
        )

    def due_times(self):
        """Return when each card answered so far is due, by card id; see `due`."""
        return {card: schedule.due_from(state) for card, state in self.cards().items()}

    def answers(self):
        """Return the answers that count, oldest first: (card id, rating, time)."""
        with self._transaction() as db:
            query = f"SELECT card_id, rating, at FROM review WHERE at <= ? AND {_COUNTS} ORDER BY at, id"
            return [(card, rating, _from_text(at)) for card, rating, at in db.execute(query, (self._horizon(),))]

    def record_attempt(self, exercise_id, event, code="", verdict=""):
        """Record what happened at an exercise.

        Parameters
        ----------
        exercise_id : str
        event : {"passed", "failed", "hint", "solution"}
        code, verdict : str, optional
            What was judged, and what the judge said.

        Raises
        ------
        ValueError
            If an argument is not of this form.
        """
        exercise_id, event = _check_id("exercise_id", exercise_id), check_choice("event", event, EVENTS)
        code, verdict = _check_text("code", code), _check_text("verdict", verdict)
        with self._transaction() as db:
            query = "SELECT max(at) FROM attempt WHERE exercise_id = ? AND at <= ?"
            (last,) = db.execute(query, (exercise_id, self._horizon())).fetchone()
            identity, at = str(uuid4()), _to_text(self._now(last and _from_text(last)))
            db.execute("INSERT INTO attempt VALUES (?, ?, ?, ?)", (identity, exercise_id, event, at))
            if code:
                db.execute("INSERT INTO submission VALUES (?, ?, ?, ?, ?)", (identity, exercise_id, code, verdict, at))

    def attempts(self, exercise_id):
        """Return the events recorded for an exercise, oldest first."""
        with self._transaction() as db:
            query = "SELECT event FROM attempt WHERE exercise_id = ? AND at <= ? ORDER BY at, id"
            return [event for (event,) in db.execute(query, (exercise_id, self._horizon()))]

    def passed(self):
        """Return the ids of the exercises passed at least once, as a set."""
        with self._transaction() as db:
            return {exercise for (exercise,) in db.execute("SELECT exercise_id FROM attempt WHERE event = 'passed'")}

    def submissions(self, exercise_id):
        """Return what was judged for an exercise, oldest first: (code, verdict, time)."""
        with self._transaction() as db:
            query = "SELECT code, verdict, at FROM submission WHERE exercise_id = ? AND at <= ? ORDER BY at, id"
            rows = db.execute(query, (exercise_id, self._horizon()))
            return [(code, verdict, _from_text(at)) for code, verdict, at in rows]

    def exercises(self):
        """Return the state of every exercise passed so far, by its id: they return by FSRS as cards do.

        A pass counts as "good", after hints or failures as "hard", after the solution as "again". Passing once more
        before it is due changes nothing: running a notebook again is no repetition.

        Returns
        -------
        dict of str to CardState
        """
        with self._transaction() as db:
            query = "SELECT exercise_id, event, at FROM attempt WHERE at <= ? ORDER BY at, id"
            log = [(which, event, _from_text(at)) for which, event, at in db.execute(query, (self._horizon(),))]
        states, since = {}, {}
        for which, event, at in log:
            helped = since.setdefault(which, set())
            if event != "passed":
                helped.add(event)
            elif which not in states or schedule.due_from(states[which]) <= at:
                rating = 1 if "solution" in helped else 2 if helped else 3
                states[which] = schedule.review(states.get(which), rating, at, steps=False)
                helped.clear()
        return states

    def record_session(self, kind, report):
        """Keep the report of a session that has ended.

        Parameters
        ----------
        kind : {"today", "mock"}
        report : dict
            What JSON can hold.
        """
        kind, report = check_choice("kind", kind, SESSIONS), json.dumps(report)
        with self._transaction() as db:
            row = str(uuid4()), kind, report, self._next(db, "session")
            db.execute("INSERT INTO session VALUES (?, ?, ?, ?)", row)

    def sessions(self, kind):
        """Return the sessions of one kind, oldest first: (report, time)."""
        with self._transaction() as db:
            query = "SELECT report, at FROM session WHERE kind = ? AND at <= ? ORDER BY at, id"
            rows = db.execute(query, (kind, self._horizon()))
            return [(_from_stored(json.loads, report), _from_text(at)) for report, at in rows]

    def set_plan(self, interview, new_a_day):
        """Keep when the interview is (a date) and how many new cards a day may bring (an integer above 0)."""
        row = _check_date("interview", interview), check_integer("new_a_day", new_a_day, at_least=1, at_most=500)
        with self._transaction() as db:
            db.execute("INSERT INTO plan VALUES (?, ?, ?, ?)", (str(uuid4()), *row, self._next(db, "plan")))

    def plan(self):
        """Return (date of the interview, new cards a day) as last set, or None."""
        with self._transaction() as db:
            query = "SELECT interview, new_a_day FROM plan WHERE at <= ? ORDER BY at DESC, id DESC"
            found = db.execute(query, (self._horizon(),)).fetchone()
        return found and (_from_stored(date.fromisoformat, found[0]), found[1])

    def rebuild(self):
        """Make the cached state of every card again from the log of answers."""
        with self._transaction() as db:
            _rebuild(db, self._horizon())

    def export_json(self, path):
        """Write the logs to a JSON file, and say where and how much. A file there already is replaced in one step.

        Raises
        ------
        ValueError
            If `path` is the progress file itself, or lies in Viva's own folder.
        OSError
            If `path` cannot be written.
        """
        path = Path(path).expanduser().absolute()
        if path == self.path or (path.exists() and self.path.exists() and path.samefile(self.path)):
            raise ValueError(f"path {path} is the progress file itself; choose another name for the export")
        check_outside(path)
        with self._transaction() as db:
            logs = {name: _exported(db, *log) for name, log in _LOGS.items()}
        part = path.with_name(f"{path.name}.{uuid4()}.part")
        try:
            part.write_text(json.dumps({"format": FORMAT, "fsrs": schedule.VERSION} | logs, indent=1), encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        print(f"{len(logs['reviews'])} answers and {len(logs['attempts'])} attempts written to {path}")

    def import_json(self, path):
        """Add the entries of an export to the logs. What is there already stays as it is.

        Raises
        ------
        ValueError
            If the file is no export, or an entry is broken or contradicts one that is here. Nothing is imported then.
        OSError
            If `path` cannot be read.
        """
        logs = _read_export(Path(path).expanduser())
        with self._transaction() as db:
            for table, rows in logs.items():
                here = {row[0]: row for row in db.execute(f"SELECT * FROM {table}")}
                for row in rows:
                    present = here.setdefault(row[0], row)
                    if present is row:
                        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
                    elif present != row:
                        raise ValueError(f"path {path}: {table} {row[0]} contradicts the one in {self.path}")
            _rebuild(db, self._horizon())

    def export_stamp(self):
        """Return a time in whole seconds since 1970 that is later than every one returned before."""
        with self._transaction() as db:
            last = db.execute("SELECT value FROM meta WHERE key = 'export_stamp'").fetchone()
            stamp = max(int(self.clock().timestamp()), _from_stored(int, last[0]) + 1 if last else 0)
            db.execute("INSERT OR REPLACE INTO meta VALUES ('export_stamp', ?)", (str(stamp),))
        return stamp

    # --- the file ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self):
        """A connection inside a transaction that is committed at the end and rolled back by any exception."""
        try:
            self._check_file()
            with closing(_connect(self.path)) as db:
                _write_ahead(db)
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                self._migrate(db)
                yield db
                db.execute("COMMIT")
        except sqlite3.Error as error:
            unknown = f"failed ({error})", "Check the disk and try again"
            # Python's own complaints, as about text that is no UTF-8, carry no code
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
            wrong, fix = _TROUBLES.get(code & 0xFF, unknown)
            raise ProgressError(f"{self.path} {wrong}. {fix}.") from error
        except OSError as error:
            raise ProgressError(f"{self.path} cannot be reached: {error}. {_FOLDER}.") from error

    def _check_file(self):
        """Refuse a file that is damaged, newer or somebody else's, before anything can write to it."""
        if self._checked:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProgressError(f"{self.path.parent} cannot be made: {error}. {_FOLDER}.") from error
        if self.path.exists():
            with closing(_connect(f"{self.path.as_uri()}?mode=ro")) as db:
                try:
                    db.execute("BEGIN")
                    self._check_version(db)
                    if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                        raise ProgressError(f"{self.path} is damaged. {_DAMAGED}.")
                except sqlite3.OperationalError as error:
                    # Killed while the file was being made: it holds nothing yet, and the next write rolls it back.
                    if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                        raise
        self._checked = True

    def _check_version(self, db):
        ours = db.execute("PRAGMA application_id").fetchone() == (_APPLICATION_ID,)
        if not ours and db.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise ProgressError(f"{self.path} is not a Viva progress file. {_DAMAGED}.")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise ProgressError(
                f"{self.path} was written by a newer Viva (schema {version}, this one knows {len(_MIGRATIONS)}). "
                "Nothing was changed. Update Viva, or set VIVA_HOME to another folder."
            )
        return version

    def _migrate(self, db):
        version = self._check_version(db)
        if version < len(_MIGRATIONS):
            for statement in (statement for step in _MIGRATIONS[version:] for statement in step):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
        if db.execute("SELECT value FROM meta WHERE key = 'fsrs'").fetchone() != (schedule.VERSION,):
            _rebuild(db, self._horizon())
            db.execute("INSERT OR REPLACE INTO meta VALUES ('fsrs', ?)", (schedule.VERSION,))

    def _now(self, last):
        """The clock, called inside the transaction. If it was set back a little, the log of an item moves forward."""
        at = self._time()
        return at if last is None else max(at, last + _TICK)

    def _next(self, db, log):
        """The time of the next entry of a log, later than that of the last."""
        (last,) = db.execute(f"SELECT max(at) FROM {log} WHERE at <= ?", (self._horizon(),)).fetchone()
        return _to_text(self._now(last and _from_text(last)))

    def _horizon(self):
        return _to_text(self._time() + _AHEAD)

    def _time(self):
        try:
            return _check_time("the time", self.clock())
        except ValueError as error:
            raise ProgressError(f"{error}. Set the computer's clock.") from None

    def _states(self, db):
        """The cached states. Where they do not fit the log, as after damage or a wrong clock, they are made again."""
        horizon = self._horizon()
        query = f"SELECT card_id, max(at) FROM review WHERE at <= ? AND {_COUNTS} GROUP BY card_id"
        last = dict(db.execute(query, (horizon,)))
        try:
            states = _card_states(db)
            fits = last == {card_id: _to_text(state.last_review) for card_id, state in states.items()}
        except sqlite3.DatabaseError:
            fits = False
        if fits:
            return states
        _rebuild(db, horizon)
        return _card_states(db)


_COUNTS = "id NOT IN (SELECT review_id FROM undo)"  # of a review
_LOGS = {
    "reviews": ("review", ("id", "card_id", "rating", "at")),
    "attempts": ("attempt", ("id", "exercise_id", "event", "at")),
    "undos": ("undo", ("id", "review_id", "at")),
    "suspensions": ("suspension", ("id", "card_id", "suspended", "at")),
    "submissions": ("submission", ("id", "exercise_id", "code", "verdict", "at")),
    "sessions": ("session", ("id", "kind", "report", "at")),
    "plans": ("plan", ("id", "interview", "new_a_day", "at")),
}


def _connect(path):
    return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, uri=str(path).startswith("file:"))


def _write_ahead(db):
    """Switch a new file to WAL. SQLite does not wait when two kernels do so at once, so this does."""
    give_up = time.monotonic() + _BUSY_SECONDS
    while db.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _card_states(db):
    return {card_id: _from_stored(_state, *row) for card_id, *row in db.execute("SELECT * FROM card")}


def _state(state, step, stability, difficulty, due, last_review):
    """A cached state, if it is one that FSRS can have."""
    if state not in (1, 2, 3) or not (step is None or step in range(100)) or not 0 < stability < math.inf:
        raise ValueError
    if not 1 <= difficulty <= 10:
        raise ValueError
    return CardState(state, step, stability, difficulty, datetime.fromisoformat(due), _from_text(last_review))


def _cache(db, card_id, state):
    *numbers, due, last_review = state
    row = (card_id, *numbers, _to_text(due), _to_text(last_review))
    db.execute("INSERT OR REPLACE INTO card VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _rebuild(db, horizon):
    states = {}
    query = f"SELECT card_id, rating, at FROM review WHERE at <= ? AND {_COUNTS} ORDER BY at, id"
    log = db.execute(query, (horizon,))
    for card_id, rating, at in log:
        states[card_id] = _from_stored(schedule.review, states.get(card_id), rating, _from_text(at))
    db.execute("DELETE FROM card")
    for card_id, state in states.items():
        _cache(db, card_id, state)


def _undone(db, review_id):
    return db.execute("SELECT 1 FROM undo WHERE review_id = ?", (review_id,)).fetchone() is not None


def _exported(db, table, columns):
    """The entries of one log, each checked as an import checks it: what is written can be read again."""
    rows = db.execute(f"SELECT * FROM {table} ORDER BY at, id")
    entries = [dict(zip(columns, row, strict=True)) for row in rows]
    for entry in entries:
        _from_stored(_checked_row, columns, entry)
    return entries


def _from_text(text):
    return _from_stored(lambda: _check_time("at", datetime.fromisoformat(text)))


def _from_stored(function, *values):
    """Call `function` on what the file holds; what it refuses is damage."""
    try:
        return function(*values)
    except (TypeError, ValueError, OverflowError) as error:
        raise sqlite3.DatabaseError(f"{values!r}: {error}") from error


def _to_text(moment):
    return moment.isoformat(timespec="microseconds")  # one width, so that text sorts as time does


def _read_export(path):
    """The rows of each log table in an export, checked."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"path {path} is no JSON file: {error}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"path {path} is no Viva export of the form {FORMAT!r}; export it again with this Viva")
    logs = {}
    for name, (table, columns) in _LOGS.items():
        entries = data.get(name, [])
        if not isinstance(entries, list):
            raise ValueError(f"path {path}: {name} must be a list, got {type(entries).__name__}")
        logs[table] = []
        for number, entry in enumerate(entries):
            try:
                logs[table].append(_checked_row(columns, entry))
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"path {path}: {name}[{number}] is broken: {error!r}") from None
    return logs


def _checked_row(columns, entry):
    values = [entry[column] for column in columns]
    return tuple(_CHECKS[column](column, value) for column, value in zip(columns, values, strict=True))


def _check_id(name, value):
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a non-empty string such as 'metrics/eer', got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} must be a string of whole characters, got {value!r}") from None
    return value


def _check_uuid(name, value):
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise ValueError(f"{name} must be a UUID, for example uuid.uuid4(), got {value!r}") from None


def _check_time(name, value):
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"{name} must be a datetime with a time zone, got {value!r}")
    if not _FIRST <= value <= _LAST:
        raise ValueError(f"{name} must lie between {_FIRST.year} and {_LAST.year}, got {value}")
    return value.astimezone(UTC)


def _check_date(name, value):
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(f"{name} must be a date such as date(2030, 1, 31), got {value!r}")
    if not _FIRST.date() <= value <= _LAST.date():
        raise ValueError(f"{name} must lie between {_FIRST.year} and {_LAST.year}, got {value}")
    return value.isoformat()


def _check_text(name, value):
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {type(value).__name__}")
    return value.encode(errors="replace").decode()


def _check_report(name, value):
    if not isinstance(json.loads(_check_text(name, value)), dict):
        raise ValueError(f"{name} must be the JSON of a dict")
    return value


_CHECKS = {  # of each column of the logs
    "id": _check_uuid,
    "card_id": _check_id,
    "exercise_id": _check_id,
    "review_id": _check_uuid,
    "rating": lambda name, value: check_integer(name, value, at_least=1, at_most=4),
    "event": lambda name, value: check_choice(name, value, EVENTS),
    "suspended": lambda name, value: check_integer(name, value, at_least=0, at_most=1),
    "code": _check_text,
    "verdict": _check_text,
    "kind": lambda name, value: check_choice(name, value, SESSIONS),
    "report": _check_report,
    "interview": lambda name, value: _check_date(name, date.fromisoformat(value)),
    "new_a_day": lambda name, value: check_integer(name, value, at_least=1, at_most=500),
    "at": lambda name, value: _to_text(_check_time(name, datetime.fromisoformat(value))),
}
