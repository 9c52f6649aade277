"""``python -m classroom.report FOLDER``: what the class has shared, drawn on one page for the teacher.

Which traps students fall for, which exercises fail, and how. Grades are the students' own; a trap counts as fallen for
when a student graded the first answer to its card "Again".
"""

import argparse
import json
import tempfile
from base64 import b64encode
from collections import Counter
from html import escape
from pathlib import Path
from typing import NamedTuple

from classroom.share import identity
from helpers import theme
from helpers.interview.deck import load_cards, to_html
from helpers.interview.exercises import all_exercises
from helpers.interview.progress import Progress, ProgressError

SHOWN = 15  # bars in a picture; the tables below have all
ENDINGS = {  # of an exercise, for one student
    "at once": theme.BLUE,
    "after failures or hints": theme.SKY,
    "after the solution": theme.YELLOW,
    "not yet": theme.VERMILLION,
}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 17px/1.5 system-ui, sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; color: #1a1a1a }}
table {{ border-collapse: collapse; width: 100%; margin: 1em 0 3em }}
td, th {{ text-align: left; vertical-align: top; padding: 4px 12px 4px 0; border-bottom: 1px solid #ddd }}
td.short {{ white-space: nowrap }}
td p {{ margin: 0 }}
img {{ max-width: 100% }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


class Student(NamedTuple):
    """What one student has shared."""

    name: str
    first_grades: dict  # card id: first grade
    exercises: dict  # exercise id: its ending
    reasons: dict  # exercise id: set of the judge's reasons


def gather(folder):
    """Read the exports of a folder.

    Parameters
    ----------
    folder : path_like

    Returns
    -------
    students : list of Student
        Each once, however often they shared.
    left_out : list of str
        Why a file was not read.

    Raises
    ------
    ValueError
        If `folder` is no folder, or holds no export.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"folder must be the one with the exports of your students; {folder} is no folder")
    latest, left_out = {}, []
    for path in sorted(folder.glob("*.json")):
        try:
            if path.is_symlink():
                raise ValueError(f"path {path} is a link, and nobody's export")
            student = _read(path)
        except (ValueError, KeyError, TypeError, OSError, ProgressError) as error:
            left_out.append(f"{path.name}: {error}")
            continue
        who, answered = student
        if who not in latest or answered[0] >= latest[who][0]:
            latest[who] = answered
    if not latest:
        raise ValueError(f"folder {folder} holds no export; each student runs `python -m classroom.share {folder}`")
    return [student for _, student in latest.values()], left_out


def _read(path):
    """Who shared, how much, and what."""
    with tempfile.TemporaryDirectory() as private:
        progress = Progress(Path(private) / "progress.sqlite3")
        progress.import_json(path)
        data = json.loads(path.read_text(encoding="utf-8"))
        who = identity(data)
        first_grades = {}
        for card, grade, _ in progress.answers():
            first_grades.setdefault(card, grade)
        names = {entry["exercise_id"] for entry in data["attempts"]}
        events = {name: progress.attempts(name) for name in names}
        reasons = {name: {verdict for _, verdict, _ in progress.submissions(name) if verdict} for name in names}
    endings = {name: _ending(log) for name, log in events.items() if log}
    name = data.get("name") or f"no name, {who[:8]}"
    size = len(data["reviews"]) + len(data["attempts"])
    return who, (size, Student(str(name), first_grades, endings, reasons))


def _ending(events):
    if "passed" not in events:
        return "not yet"
    before = events[: events.index("passed")]
    return "after the solution" if "solution" in before else "after failures or hints" if before else "at once"


def traps(students):
    """Return (card, fell, answered) of every trap that was answered, the most fallen for first."""
    rows = []
    for card in load_cards().values():
        grades = [student.first_grades[card.id] for student in students if card.id in student.first_grades]
        if card.kind == "trap" and grades:
            rows.append((card, grades.count(1), len(grades)))
    return sorted(rows, key=lambda row: (-row[1], row[2], row[0].id))


def exercises(students):
    """Return (exercise id, Counter of endings, Counter of reasons) of every exercise that was tried, the hardest first.

    A reason counts once for each student to whom the judge gave it.
    """
    rows = []
    for exercise in all_exercises():
        endings = Counter(student.exercises[exercise.id] for student in students if exercise.id in student.exercises)
        reasons = Counter(reason for student in students for reason in student.reasons.get(exercise.id, ()))
        if endings:
            rows.append((exercise.id, endings, reasons))
    return sorted(rows, key=lambda row: (row[1]["at once"] / row[1].total(), -row[1].total(), row[0]))


def draw_traps(rows):
    """The picture of `traps`: students who fell for each, of those who answered."""
    rows = rows[:SHOWN][::-1]
    with theme.style():
        figure = theme.figure(960, 120 + 34 * len(rows))
        axes = figure.add_subplot(xlabel="students", title="Traps: fell for it, of those who answered")
        names = [f"{card.topic.title}, {card.claim}" for card, _, _ in rows]
        axes.barh(names, [answered for _, _, answered in rows], color=theme.SKY, label="answered")
        axes.barh(names, [fell for _, fell, _ in rows], color=theme.VERMILLION, label='fell for it: graded "Again"')
        axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def draw_exercises(rows):
    """The picture of `exercises`: how each ended, for how many students."""
    rows = rows[:SHOWN][::-1]
    with theme.style():
        figure = theme.figure(960, 120 + 34 * len(rows))
        axes = figure.add_subplot(xlabel="students", title="Exercises: when they were passed")
        names, left = [exercise for exercise, _, _ in rows], [0] * len(rows)
        for ending, color in ENDINGS.items():
            counts = [endings[ending] for _, endings, _ in rows]
            axes.barh(names, counts, left=left, color=color, label=ending)
            left = [a + b for a, b in zip(left, counts, strict=True)]
        axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(loc="outside lower center", ncols=len(ENDINGS))
    return figure


def page(students, left_out=()):
    """Return the teacher's page as HTML, pictures inside."""
    fallen, tried = traps(students), exercises(students)
    body = []
    if fallen:
        body.append(_image(draw_traps(fallen), "Traps and how many students fell for each"))
        rows = [
            (f"{card.topic.title}, {card.claim}", to_html(card.question.en), f"{fell} of {answered}")
            for card, fell, answered in fallen
        ]
        body.append(_table(("Trap", "Question", "Fell for it"), rows))
    if tried:
        body.append(_image(draw_exercises(tried), "Exercises and when students passed them"))
        rows = [
            (
                escape(exercise),
                f"{endings.total() - endings['not yet']} of {endings.total()}",
                "<br>".join(f"{count} x {escape(reason)}" for reason, count in reasons.most_common()),
            )
            for exercise, endings, reasons in tried
        ]
        body.append(_table(("Exercise", "Passed", "Why the judge refused, and how many students"), rows))
    rows = [
        (escape(student.name), len(student.first_grades), _passed(student), len(student.exercises))
        for student in sorted(students, key=lambda student: student.name)
    ]
    body.append(_table(("Student", "Cards answered", "Exercises passed", "Exercises tried"), rows))
    if left_out:
        body.append("<p>Left out:</p><ul>" + "".join(f"<li>{escape(line)}</li>" for line in left_out) + "</ul>")
    return PAGE.format(title=f"The class: {len(students)} shared", body="\n".join(body))


def _passed(student):
    return sum(ending != "not yet" for ending in student.exercises.values())


def _image(figure, alt):
    return f'<p><img alt="{alt}" src="data:image/png;base64,{b64encode(theme.png(figure)).decode()}">'


def _table(head, rows):
    lines = ["".join(f"<th>{cell}</th>" for cell in head), *("".join(map(_cell, row)) for row in rows)]
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _cell(text):
    return f'<td class="short">{text}</td>' if len(str(text)) < 40 else f"<td>{text}</td>"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="classroom.report", description="What the class has shared, on one page.")
    parser.add_argument("folder", help="where your students' exports lie")
    parser.add_argument("--page", default="class.html", help="the file to write, by default class.html")
    options = parser.parse_args(arguments)
    try:
        students, left_out = gather(options.folder)
    except ValueError as error:
        parser.error(str(error))
    Path(options.page).write_text(page(students, left_out), encoding="utf-8")
    print(f"{len(students)} students, {len(left_out)} files left out: {Path(options.page).absolute()}")


if __name__ == "__main__":
    main()
