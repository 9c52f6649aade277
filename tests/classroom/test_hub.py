"""A class on one server: who gets in, what stays apart, what survives a pull, and who waits for whose endless loop."""

import re
import stat
import time
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest

from classroom import report
from helpers.topics import ROOT
from tests.classroom.hub import CONFIG, TEACHER, Hub, Person, at_once, text
from tests.comparison import differences

DOCS = ROOT / "docs" / "classroom.md"
STUDENTS = ("bob", "carol", "dan", "erin")
LOOP = """
from helpers.interview.judge import check

def roc_auc(labels, scores):
    while True:
        pass

print(check("metrics/roc_auc", roc_auc))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    hub = Hub(tmp_path_factory.mktemp("class"))
    hub.admit(TEACHER)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def students(hub):
    """Students whose servers run and who have the notebooks."""
    people = [hub.admit(name) for name in STUDENTS]
    for result, _ in at_once([person.start for person in people]):
        assert not isinstance(result, Exception), result
    for person in people:
        person.pull()
    return people


def test_a_student_waits_for_the_teacher_and_needs_the_password(hub):
    eve, teacher = Person(hub, "eve"), Person(hub, TEACHER)
    assert "at least 12 characters" in eve.register("short")
    assert "too common" in eve.register("1qaz2wsx3edc")
    assert eve.register() == "Your information has been sent to the admin."
    assert not eve.log_in(), "nobody has let eve in"
    assert eve.approve("eve").status_code == 403
    assert "already in use" in Person(hub, TEACHER).register(), "somebody else took the teacher's name"

    assert not teacher.log_in("wrong password")
    assert teacher.log_in()
    assert teacher.approve("eve").ok
    assert not eve.log_in("wrong password")
    assert eve.log_in()
    assert eve.get("/hub/admin").status_code == 403
    assert eve.get("/hub/authorize").status_code == 403
    assert not Person(hub, "mallory").log_in(), "nobody of this name has registered"


def test_five_wrong_passwords_lock_an_account_even_for_the_right_one(hub):
    frank = hub.admit("frank")
    for _ in range(5):
        assert not frank.log_in("a wrong password")
    assert not frank.log_in()
    assert Person(hub, TEACHER).log_in(), "others are not locked out"


@pytest.mark.parametrize("name", ["Grace Hopper", "root/..", "-x", "a" * 26])
def test_a_name_that_is_no_account_of_a_machine_is_refused(hub, name):
    assert "Something went wrong" in Person(hub, name).register()


def test_a_student_is_refused_another_ones_server_and_files(hub, students):
    bob, carol, *_ = students
    carol.save("mine", nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("carol's secret")]))
    assert "carol's secret" in carol.read("mine").cells[0].source
    for path in ("lab", "files/viva/notebooks/mine.ipynb", "api/contents/viva/notebooks/mine.ipynb", "api/kernels"):
        assert carol.get(f"/user/carol/{path}").ok, path
        answer = bob.get(f"/user/carol/{path}")
        assert answer.status_code == 403, path
        assert "carol's secret" not in answer.text
    assert bob.api("POST", "kernels", owner="carol", json={}).status_code == 403
    assert Person(hub, "nobody").get("/user/carol/api/kernels").status_code == 403
    assert bob.session.delete(f"{hub.url}/hub/api/users/carol/server").status_code in (403, 404)


def test_what_students_and_the_hub_write_is_open_to_no_other_account(hub, students):
    folder, bob = hub.folder / "hub", hub.home("bob")
    students[0].run("open('note.txt', 'w').write('mine')")
    written = ["notebooks/note.txt", "notebooks/05_metrics_roc.ipynb", "notebooks", ".git/config"]
    paths = [folder, *folder.glob("*"), *(folder / "homes").glob("*"), *(bob / "viva" / path for path in written)]
    assert {"homes", "hub.sqlite", "cookie_secret", "bob", "dan"} <= {path.name for path in paths}
    assert [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_judge_and_progress_are_each_students_own(hub, students):
    bob, carol, *_ = students
    judge = (
        "from helpers.interview import judge\n"
        "def roc_auc(labels, scores):\n    return 0.5\n"
        'judge.check("metrics/roc_auc", roc_auc)\n'
        "import psutil\n"
        'print(*(p.environ()["HOME"] for p in psutil.Process().children(recursive=True)))'
    )
    for person in (bob, carol):
        homes = person.run(judge).split("\n")[-2].split()
        assert homes, "the judge runs in a process of its own"
        assert set(homes) == {str(hub.home(person.name))}
    record = (
        "from helpers.interview.progress import Progress\n"
        'Progress().record_attempt("boxes/nms", "passed")\n'
        'print(Progress().attempts("boxes/nms"), Progress().path)'
    )
    ask = 'from helpers.interview.progress import Progress\nprint(Progress().attempts("boxes/nms"))'
    assert bob.run(record).strip() == f"['passed'] {hub.home('bob') / 'viva-progress' / 'progress.sqlite3'}"
    assert carol.run(ask).strip() == "[]"


def test_a_student_shares_from_a_notebook(students, tmp_path):
    record = 'from helpers.interview.progress import Progress\nProgress().record_attempt("boxes/nms", "passed")'
    said = students[1].run(record, f"%run -m classroom.share {tmp_path} --name Carol")
    assert said.startswith("Shared, as Carol: ")
    (carol,), left_out = report.gather(tmp_path)
    assert (carol.name, carol.exercises["boxes/nms"], left_out) == ("Carol", "at once", [])


def test_whoever_logs_in_gets_the_notebooks_first(hub, students):
    address = urlsplit(students[0].get("/user/bob/").url)
    assert address.path == "/user/bob/git-pull"
    assert parse_qs(address.query)["repo"] == [hub.source.as_uri()]


def test_the_link_of_the_docs_opens_a_notebook_on_ones_own_server(hub, students):
    (link,) = re.findall(r"^https://class\.example\.org(/\S+)$", DOCS.read_text(), re.MULTILINE)
    address = urlsplit(students[0].get(link).url)
    assert address.path == "/user/bob/git-pull"
    asked, default = (parse_qs(query.partition("?")[2] or query) for query in (link, address.query))
    assert asked == default
    folder, _, notebook = asked["urlpath"][0].removeprefix("lab/tree/").partition("/")
    assert [folder] == asked["targetpath"]
    assert (ROOT / notebook).exists()


def test_the_class_runs_a_notebook_while_an_endless_loop_is_judged(hub, students):
    *others, erin = students
    stored = nbformat.read(hub.source / "notebooks" / "05_metrics_roc.ipynb", as_version=4)
    expected = "".join(text(output) for cell in stored.cells for output in cell.get("outputs", ()))
    assert len(expected) > 1000
    tasks = [lambda person=person: person.run_all("05_metrics_roc") for person in others]
    (verdict, judged), *ran = at_once([lambda: erin.run(LOOP), *tasks])
    assert "It was stopped after 10 seconds: an endless loop" in str(verdict)
    assert judged > 10
    for printed, _ in ran:
        assert isinstance(printed, str), printed
        assert differences(expected, printed) == []


def test_a_pull_brings_the_update_and_keeps_the_edit(hub, students):
    bob, name = students[0], "00_start_here"
    notebook = bob.read(name)
    notebook.cells.append(nbformat.v4.new_code_cell("answer = 'mine'"))
    bob.save(name, notebook)

    path = hub.source / "notebooks" / f"{name}.ipynb"
    update = nbformat.read(path, as_version=4)
    update.cells[0].source += "\n\nA sentence of the update."
    nbformat.write(update, path)
    (hub.source / "notebooks" / "new.ipynb").write_bytes(path.read_bytes())
    hub.commit("An update")

    bob.pull()
    merged = bob.read(name)
    nbformat.validate(merged)
    assert merged.cells[0].source.endswith("A sentence of the update.")
    assert merged.cells[-1].source == "answer = 'mine'"
    assert bob.read("new").cells[0].source == update.cells[0].source

    mine, theirs = bob.read(name), nbformat.read(path, as_version=4)
    mine.cells[0].source, theirs.cells[0].source = "# My title", "# A new title"
    bob.save(name, mine)
    nbformat.write(theirs, path)
    hub.commit("The same lines")
    bob.pull()
    nbformat.validate(bob.read(name))
    assert bob.read(name).cells[0].source == "# My title", "where both changed the same, the student's stays"

    assert bob.api("DELETE", "contents/viva/notebooks/new.ipynb").ok
    bob.pull()
    assert bob.read("new").cells[0].source == update.cells[0].source, "what was deleted comes back"


def test_an_idle_server_is_stopped(tmp_path):
    config = tmp_path / "config.py"
    config.write_text(
        f"load_subconfig({str(CONFIG)!r})\n"
        'c.JupyterHub.services[0]["command"][-1:] = ["--timeout=20", "--cull-every=1"]\n'
        "c.JupyterHub.last_activity_interval = 1\n"
    )
    hub = Hub(tmp_path, config)
    try:
        teacher = hub.admit(TEACHER).start()
        assert teacher.server()
        for _ in range(200):
            if teacher.server() is None:
                return
            time.sleep(0.3)
        pytest.fail("the idle server still runs after 60 s")
    finally:
        hub.close()
