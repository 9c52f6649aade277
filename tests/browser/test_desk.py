"""A week at the desk: plan, sessions, an undo, an interview out of time, a reload, a restart; what the log holds."""

import json
import re
import time

import pytest

from .conftest import ARTIFACTS, Lab

# The kernel's clock starts on the first morning; `day` moves it.
CLOCK = """
import time
from datetime import datetime, timedelta
from helpers.interview import progress
morning = datetime(2030, 3, 4, 9).astimezone()
progress.now = lambda: morning + timedelta(days={day}, seconds=time.time() - {start})
"""
LOG = """
import json
from helpers.interview.progress import Progress
with Progress()._transaction() as db:
    rows = {name: db.execute(f"SELECT * FROM {name} ORDER BY at, id").fetchall()
            for name in ("review", "undo", "attempt", "submission", "session", "plan")}
print(json.dumps(rows))
"""
JUDGE = """
from helpers.interview.exercises import load
from helpers.interview.judge import check
task = load({!r})
print(*(check(task.id, answer).outcome for answer in (next(iter(task.wrongs)), task.rights[0])))
"""


class Desk:
    """The start page, and what was clicked on it."""

    def __init__(self, lab):
        self.lab, self.page = lab, lab.open("00_start_here", size=(1280, 720))
        self.begun, self.grades, self.undone = time.time(), [], 0

    def run(self, day):
        self.lab.execute(self.page, CLOCK.format(day=day, start=self.begun))
        self.lab.run_all(self.page)

    def restart(self):
        self.page.evaluate("void window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        self.page.wait_for_timeout(1500)
        self.page.wait_for_function(
            "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
        )

    def today(self):
        return self.bring(".viva-today")

    def bring(self, selector):
        locator = self.page.locator(selector).first
        for _ in range(3):
            locator.scroll_into_view_if_needed()
            self.page.wait_for_timeout(150)
        return locator

    def start(self):
        today = self.today()
        today.locator(".viva-start").first.click()
        today.locator(".viva-session progress").wait_for()
        return today

    def part(self):
        return self.page.locator(".viva-today .viva-session b").inner_text()

    def grade(self, rating, inside=".viva-today .viva-quiz"):
        quiz = self.page.locator(inside)
        quiz.locator(".viva-reveal:not([disabled])").wait_for()
        self.press("Space", inside)
        button = quiz.locator(f".viva-grade-{rating}:not([disabled])")
        button.wait_for()
        self.wait(lambda: button.bounding_box()["y"] < 690)  # in view on a small screen, however long the answer
        count = self.count()
        self.page.keyboard.press(str(rating))
        self.wait(lambda: self.count() > count)
        self.grades.append(rating)

    def press(self, key, inside=".viva-today .viva-quiz"):
        self.page.locator(inside).focus()
        self.page.keyboard.press(key)

    def count(self):
        return int(
            self.lab.execute(
                self.page, "from helpers.interview.progress import Progress\nprint(len(Progress().answers()))"
            )
        )

    def wait(self, condition):
        for _ in range(200):
            if condition():
                return
            self.page.wait_for_timeout(100)
        raise TimeoutError

    def log(self):
        return json.loads(self.lab.execute(self.page, LOG).splitlines()[-1])

    def answered(self, count=r"\d+"):
        """Wait until the page shows so many cards of the session as answered; return how many, and of how many."""
        bar = self.page.locator(".viva-today .viva-quiz .viva-bar", has_text=re.compile(rf"^\s*{count} of \d+"))
        return map(int, bar.inner_text().split(" of "))

    def cards(self, rating=3):
        """Grade all cards of the session; the first one as said."""
        done, of = self.answered()
        of += rating == 1  # it returns at the end
        for count in range(done, of):
            self.answered(count)
            self.grade(rating if count == done else 3)
        self.page.locator(".viva-today .viva-session b", has_text="exercise").wait_for()

    def skip_to_the_end(self):
        """Skip the parts after the cards."""
        for part in ("exercise", "prediction", "interview"):
            self.page.locator(".viva-today .viva-session b", has_text=part).wait_for()
            self.page.locator(".viva-today .viva-skip").click()
        self.page.locator(".viva-today", has_text="Done:").wait_for()


@pytest.fixture
def own_lab(tmp_path, browser):
    """A server whose learner has answered nothing yet, whatever other tests do."""
    server = Lab(tmp_path, browser)
    yield server
    server.close()


def test_a_week(own_lab):
    desk, lab = Desk(own_lab), own_lab
    page = desk.page
    title = page.locator(".lm-DockPanel-tabBar .lm-mod-current")
    page.wait_for_timeout(1000)
    assert "jp-mod-dirty" not in title.get_attribute("class"), "opened and not changed, it shows as changed"
    assert page.locator(".jp-toast, .Toastify__toast").count() == 0, "a popup on a first visit"

    # the first day: a plan, and a whole session with a wrong answer and one taken back
    desk.run(0)
    plan = desk.bring(".viva-date input")
    plan.fill("2030-03-18")
    page.locator(".jp-OutputArea input[type=number]").first.fill("4")
    page.keyboard.press("Tab")
    page.locator(".viva-save").click()
    desk.wait(lambda: len(desk.log()["plan"]) == 1)
    page.screenshot(path=ARTIFACTS / "desk_plan.png")
    desk.run(0)
    desk.start()
    assert desk.part() == "cards"
    desk.grade(1)
    page.screenshot(path=ARTIFACTS / "desk_cards.png")
    page.locator(".viva-today .viva-undo:not([disabled])").wait_for()
    desk.press("u")
    desk.answered(0)
    assert desk.count() == 0
    desk.undone += 1
    desk.cards(rating=1)

    assert desk.part() == "exercise"
    page.screenshot(path=ARTIFACTS / "desk_exercise.png")
    exercise = page.locator(".viva-today pre").inner_text().partition('check("')[2].partition('"')[0]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".viva-today .viva-copy").click()
    page.locator(".viva-today .viva-copy", has_text="Copied").wait_for()
    assert f'check("{exercise}"' in page.evaluate("navigator.clipboard.readText()")
    said = lab.execute(page, JUDGE.format(exercise))
    assert said.split()[-2:] == ["Failed", "Passed"]
    page.locator(".viva-today .viva-right").wait_for()
    assert desk.part() == "prediction"
    page.wait_for_timeout(1500)
    page.screenshot(path=ARTIFACTS / "desk_prediction.png")
    page.locator(".viva-today .viva-right").click()

    page.locator(".viva-today .viva-mock .viva-start").wait_for()
    assert desk.part() == "interview"
    page.locator(".viva-today .viva-mock .viva-start").click()
    desk.wait(lambda: page.evaluate("document.activeElement.classList.contains('viva-quiz')"))
    lab.execute(
        page,
        "import gc\nfrom helpers.interview.mock import MockInterview\n"
        "for mock in [m for m in gc.get_objects() if isinstance(m, MockInterview) and m.running]:\n"
        "    mock._deadline -= 300",
    )
    page.locator(".viva-today .viva-clock", has_text="Time is up").wait_for()
    page.screenshot(path=ARTIFACTS / "desk_interview.png")
    desk.grade(2, ".viva-today .viva-mock .viva-quiz")
    page.locator(".viva-today .viva-report").wait_for()
    page.screenshot(path=ARTIFACTS / "desk_report.png")
    page.locator(".viva-today .viva-skip").click()
    page.locator(".viva-today", has_text="Done:").wait_for()
    page.screenshot(path=ARTIFACTS / "desk_done.png")

    # the second day: the kernel is restarted in the middle, then the page is loaded again
    desk.run(1)
    desk.start()
    desk.grade(3)
    desk.restart()
    desk.run(1)
    desk.start()
    desk.grade(3)
    page.reload()
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function("window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'")
    desk.run(1)
    desk.start()
    desk.cards()
    desk.skip_to_the_end()

    # days are missed; the end of the week
    for day in (3, 6):
        desk.run(day)
        desk.start()
        desk.cards()
        desk.skip_to_the_end()
    page.screenshot(path=ARTIFACTS / "desk_week.png")

    log = desk.log()
    assert [row[2] for row in log["review"]] == desk.grades
    assert len(log["undo"]) == desk.undone
    assert [row[2] for row in log["attempt"]] == ["failed", "passed"]
    assert len(log["submission"]) == 2
    kinds = [row[1] for row in log["session"]]
    assert (kinds.count("mock"), kinds.count("today")) == (1, 4)
    page.close()


def test_links_open_in_a_tab(lab):
    page = lab.open("00_start_here")
    lab.run_all(page)
    page.evaluate("window.still_here = true")
    link = page.locator("a", has_text="Metrics and ROC").first
    for _ in range(3):
        link.scroll_into_view_if_needed()
        page.wait_for_timeout(150)
    link.click()
    page.locator(".lm-DockPanel-tabBar", has_text="05_metrics_roc").wait_for()
    assert page.evaluate("window.still_here"), "the page was loaded again"
    page.close()
