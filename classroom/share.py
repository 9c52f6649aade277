"""``%run -m classroom.share FOLDER`` in a notebook: hand your teacher what you have answered and tried.

Nothing leaves your own folder unless you run this. The file holds which cards you answered, when, and how you graded
yourself; which exercises you passed or failed, when you took a hint or the solution, and the judge's reason. It holds
neither your code nor your interviews nor your plan, and no name unless you give one.
"""

import argparse
import json
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from helpers.interview.progress import Progress

MISTAKE = "Likely mistake: "


def share(folder, name=None, progress=None):
    """Write what you share to a file in `folder`, and return its path. A second time replaces the first.

    Parameters
    ----------
    folder : path_like
        Where your teacher collects; it exists.
    name : str, optional
        How your teacher may call you.
    progress : Progress, optional
        By default your own.

    Raises
    ------
    ValueError
        If `folder` is none, or there is nothing to share yet.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ValueError(f"folder must be the folder that your teacher named, and exist; {folder} does not")
    with tempfile.TemporaryDirectory() as private, redirect_stdout(StringIO()):
        (progress or Progress()).export_json(Path(private) / "all.json")
        logs = json.loads((Path(private) / "all.json").read_text(encoding="utf-8"))
    shared = {key: logs[key] for key in ("format", "fsrs", "reviews", "undos", "attempts")}
    shared["submissions"] = [entry | {"code": "", "verdict": reason(entry["verdict"])} for entry in logs["submissions"]]
    if not shared["reviews"] + shared["attempts"]:
        raise ValueError("there is nothing to share yet: answer a card or submit an exercise first")
    path = folder / f"{identity(shared)}.json"
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(shared | ({"name": name} if name else {}), indent=1), encoding="utf-8")
    return path


def identity(logs):
    """What tells one student's export from another's, and stays as it grows: the random id of its first entry."""
    return min(logs["reviews"] + logs["attempts"], key=lambda entry: (entry["at"], entry["id"]))["id"]


def reason(verdict):
    """Why the judge refused, without the input, the output and the line of code that a verdict shows."""
    lines = verdict.splitlines() or [""]
    mistakes = [line.removeprefix(MISTAKE) for line in lines if line.startswith(MISTAKE)]
    return mistakes[0] if mistakes else lines[0].partition("not right yet. ")[2]


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="classroom.share", description="Hand your teacher what you have tried.")
    parser.add_argument("folder", help="that your teacher named")
    parser.add_argument("--name", help="how your teacher may call you; without it, nobody's name is in the file")
    options = parser.parse_args(arguments)
    try:
        path = share(options.folder, options.name)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f"Shared, {f'as {options.name}' if options.name else 'without a name'}: {path}")
    print("Cards and grades, exercises and the judge's reasons, with times. No code. Delete the file to take it back.")


if __name__ == "__main__":
    main()
