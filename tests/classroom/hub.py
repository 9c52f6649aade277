"""A class to test with: a hub for a trial on this machine, and people who use it as a browser would."""

import json
import re
import subprocess
import sys
import threading
import time
from uuid import uuid4

import nbformat
import requests
import websocket

from helpers.topics import ROOT
from tests.browser.conftest import Server, free_port

CONFIG = ROOT / "classroom" / "jupyterhub_config.py"
TEACHER = "teacher"
PASSWORD = "correct horse battery"
NOTEBOOKS = "viva/notebooks"


def git(folder, *arguments):
    """Run git in a folder, as somebody."""
    somebody = ("-c", "user.name=somebody", "-c", "user.email=somebody@localhost")
    subprocess.run(["git", *somebody, *arguments], cwd=folder, check=True, capture_output=True)


class Hub:
    """A hub in a folder, whose students get the notebooks of a git repository in that folder."""

    def __init__(self, folder, config=CONFIG):
        self.folder, self.source = folder, folder / "source"
        if not self.source.exists():
            self.source.mkdir()
            git(folder, "init", "--initial-branch=main", "source")
            (self.source / "notebooks").mkdir()
            for name in ("00_start_here", "05_metrics_roc"):
                path = ROOT / "notebooks" / f"{name}.ipynb"
                (self.source / "notebooks" / path.name).write_bytes(path.read_bytes())
            self.commit("Two notebooks")
        public, hub, api = (f"http://127.0.0.1:{free_port()}" for _ in range(3))
        self.url = public
        line = [sys.executable, "-m", "jupyterhub", f"--config={config}", f"--JupyterHub.bind_url={public}"]
        line += [f"--JupyterHub.hub_bind_url={hub}", f"--ConfigurableHTTPProxy.api_url={api}"]
        environment = {
            "VIVA_TRIAL": "1",
            "VIVA_TEACHER": TEACHER,
            "VIVA_HUB": str(folder / "hub"),
            "VIVA_REPOSITORY": self.source.as_uri(),
        }
        self._server = Server(line, f"{public}/hub/api", folder / "hub.log", environment)

    def commit(self, message):
        git(self.source, "add", "--all")
        git(self.source, "commit", "--message", message)

    def home(self, name):
        return self.folder / "hub" / "homes" / name

    def admit(self, name):
        """A person who has registered, was let in by the teacher, and has logged in."""
        person = Person(self, name)
        person.register()
        if name != TEACHER:
            teacher = Person(self, TEACHER)
            teacher.log_in()
            teacher.approve(name)
        assert person.log_in(), f"{name} was not let in"
        return person

    def close(self):
        self._server.close(patience=120)  # it stops its students' servers first


class Person:
    """Somebody at a browser."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name
        self.session = requests.Session()

    def get(self, path, **options):
        return self.session.get(f"{self.hub.url}{path}", **options)

    def post(self, path, **data):
        """Send a form, with the token against forgery that its page gave."""
        self.get("/hub/login")
        return self.session.post(f"{self.hub.url}{path}", data=data | {"_xsrf": self.session.cookies["_xsrf"]})

    def register(self, password=PASSWORD):
        """Fill in the form of a new user, and return what the page answers."""
        answer = self.post(
            "/hub/signup", username=self.name, signup_password=password, signup_password_confirmation=password
        )
        (said,) = re.findall(r'class="alert alert-\w+"[^>]*>\s*<p>(.*?)</p>', answer.text, re.DOTALL)
        return " ".join(said.split())

    def log_in(self, password=PASSWORD):
        """Whether the hub lets this person in."""
        self.session.cookies.clear()
        self.post("/hub/login?next=/hub/home", username=self.name, password=password)
        return self.get("/hub/home", allow_redirects=False).status_code == 200

    def approve(self, name):
        """Let somebody in who has registered."""
        return self.get(f"/hub/authorize/{name}")

    def start(self):
        """Start this person's server, and wait for it."""
        self.post("/hub/spawn")
        for _ in range(600):
            answer = self.get(f"/hub/spawn-pending/{self.name}", allow_redirects=False)
            if answer.status_code == 302:
                break
            assert answer.status_code == 200, answer.text
            time.sleep(0.2)
        self.get(f"/user/{self.name}/lab")  # signs in at the server too
        return self

    def server(self):
        """The address of this person's server, or None if it does not run; asking is no activity of the server."""
        self.get("/hub/home")
        xsrf = self.session.cookies.get("_xsrf", path="/hub/")
        return self.get(f"/hub/api/users/{self.name}", headers={"X-XSRFToken": xsrf}).json()["server"]

    def api(self, method, path, owner=None, **options):
        """Ask somebody's server, by default one's own."""
        owner = owner or self.name
        xsrf = self.session.cookies.get("_xsrf", path=f"/user/{self.name}/", default="")
        address = f"{self.hub.url}/user/{owner}/api/{path}"
        return self.session.request(method, address, headers={"X-XSRFToken": xsrf}, **options)

    def pull(self):
        """What the link to the notebooks does."""
        options = {"repo": self.hub.source.as_uri(), "targetpath": "viva"}
        xsrf = self.session.cookies.get("_xsrf", path=f"/user/{self.name}/")
        answer = self.get(f"/user/{self.name}/git-pull/api", params=options, headers={"X-XSRFToken": xsrf})
        assert '"phase": "finished"' in answer.text, answer.text

    def read(self, name):
        """A notebook of one's own, as JupyterLab gets it."""
        return nbformat.from_dict(self.api("GET", f"contents/{NOTEBOOKS}/{name}.ipynb").json()["content"])

    def save(self, name, notebook):
        """Save a notebook as JupyterLab does."""
        answer = self.api("PUT", f"contents/{NOTEBOOKS}/{name}.ipynb", json={"type": "notebook", "content": notebook})
        assert answer.ok, answer.text

    def run(self, *sources):
        """Run cells in a kernel of one's own, and return what they print."""
        kernel = Kernel(self)
        said = "".join(kernel.run(source) for source in sources)
        kernel.close()
        return said

    def run_all(self, name):
        """Run a notebook from its first cell to its last; a cell that fails raises AssertionError."""
        return self.run(*(cell.source for cell in self.read(name).cells if cell.cell_type == "code"))


class Kernel:
    """A kernel on a person's server, over the proxy."""

    def __init__(self, person):
        self.person, self.session = person, uuid4().hex
        body = {"path": NOTEBOOKS + "/any.ipynb", "name": "python3"}
        answer = person.api("POST", "kernels", json=body)
        assert answer.ok, answer.text
        self.id = answer.json()["id"]
        path = f"/user/{person.name}/api/kernels/{self.id}/channels?session_id={self.session}"
        request = person.session.prepare_request(requests.Request("GET", person.hub.url + path))
        self.socket = websocket.create_connection(
            f"ws{request.url.removeprefix('http')}", cookie=request.headers["Cookie"], timeout=300
        )

    def run(self, source):
        """Run one cell and return what it prints; where it fails, so does the test."""
        header = {"msg_id": uuid4().hex, "session": self.session, "msg_type": "execute_request", "version": "5.3"}
        content = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(message))
        said = []
        while True:
            answer = json.loads(self.socket.recv())
            if answer["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            assert answer["msg_type"] != "error", f"{source}\n{answer['content']['evalue']}"
            said.append(text(answer["content"]))
            if answer["msg_type"] == "status" and answer["content"]["execution_state"] == "idle":
                return "".join(said)

    def close(self):
        self.socket.close()
        self.person.api("DELETE", f"kernels/{self.id}")


def text(output):
    """What an output of a cell says in plain text."""
    return output.get("text") or output.get("data", {}).get("text/plain", "")


def at_once(tasks):
    """Run functions in threads of their own, and return for each what it returned or raised, and the seconds."""
    results = [None] * len(tasks)

    def work(number, task):
        start = time.monotonic()
        try:
            value = task()
        except Exception as error:
            value = error
        results[number] = value, time.monotonic() - start

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
