"""What needs root and systemd, or Kubernetes: held against the libraries' own words for it."""

import asyncio
import os
import pwd
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from nativeauthenticator import NativeAuthenticator
from systemdspawner import SystemdSpawner, systemd
from traitlets.config import PyFileConfigLoader

from tests.classroom.hub import CONFIG, TEACHER

VALUES = CONFIG.with_name("zero-to-jupyterhub.yaml")
CLASSES = {each.__name__: each for each in (JupyterHub, Authenticator, NativeAuthenticator)}


# What the values set, with kinds that the chart's schema allows there. It refuses any key that it does not know, so a
# new one is looked up in the chart's values.schema.yaml before it is added here.
CHART = {
    "proxy.https.enabled": bool,
    "proxy.https.hosts": list,
    "proxy.https.letsencrypt.contactEmail": str,
    "singleuser.image.name": str,
    "singleuser.image.tag": str,
    "singleuser.cmd": list,
    "singleuser.defaultUrl": str,
    "singleuser.memory.limit": str,
    "singleuser.memory.guarantee": str,
    "singleuser.cpu.limit": int,
    "singleuser.cpu.guarantee": float,
    "singleuser.storage.capacity": str,
    "singleuser.startTimeout": int,
    "cull.enabled": bool,
    "cull.timeout": int,
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Reads the configuration as root does on a machine with systemd."""

    def load(**environment):
        for name, value in {"VIVA_HUB": str(tmp_path), "VIVA_TEACHER": TEACHER, **environment}.items():
            monkeypatch.setenv(name, value)
        return PyFileConfigLoader(CONFIG.name, path=[str(CONFIG.parent)]).load_config()

    monkeypatch.delenv("VIVA_TRIAL", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "is_dir", lambda path: str(path) == "/run/systemd/system" or os.path.isdir(path))
    before = os.umask(0o077)
    yield load
    os.umask(before)


def test_each_student_has_an_account_and_limits_of_systemd(load, monkeypatch):
    config, started, commands = load(), {}, []

    async def running(unit):
        return started.get("unit") == unit

    async def failed(unit):
        return False

    async def start(unit, **options):
        started.update(options, unit=unit)

    def find(name):
        raise KeyError(name)

    monkeypatch.setattr(systemd, "get_systemd_version", lambda: 252)
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.setattr(pwd, "getpwnam", find)
    bob = SimpleNamespace(name="bob", id=1)
    config.Spawner.pre_spawn_hook(SimpleNamespace(user=bob))
    (command,) = commands
    assert command == ["useradd", "--create-home", "--key", "HOME_MODE=0700", "--shell", "/bin/bash", "viva-bob"]

    account = SimpleNamespace(pw_uid=2001, pw_gid=2001, pw_dir="/home/viva-bob")
    monkeypatch.setattr(pwd, "getpwnam", {"viva-bob": account}.__getitem__)
    config.Spawner.pre_spawn_hook(SimpleNamespace(user=bob))
    assert len(commands) == 1, "an account that is there is not made again"

    for name, stand_in in {
        "service_running": running,
        "service_failed": failed,
        "start_transient_service": start,
    }.items():
        monkeypatch.setattr(systemd, name, stand_in)
    for name, stand_in in {"user": bob, "get_env": dict, "get_args": list}.items():
        monkeypatch.setattr(SystemdSpawner, name, stand_in)
    with ThreadPoolExecutor() as other:  # the browser's loop runs in this thread
        other.submit(asyncio.run, SystemdSpawner(config=config).start()).result()
    assert (started["uid"], started["gid"], started["working_dir"]) == (2001, 2001, "/home/viva-bob")
    expected = {"MemoryMax": 2 * 2**30, "CPUQuota": "100%", "PrivateTmp": "yes", "PrivateDevices": "yes"}
    expected |= {"NoNewPrivileges": "yes", "UMask": "0077", "ProtectProc": "invisible", "OOMPolicy": "continue"}
    assert expected.items() <= started["properties"].items()


def test_a_class_without_accounts_does_not_start(load, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RuntimeError, match="as root on a machine with systemd, or with VIVA_TRIAL=1"):
        load()
    assert load(VIVA_TRIAL="1").JupyterHub.spawner_class == "simple"


@pytest.mark.parametrize("name", ["", "Ada", "ada lovelace", "../root"])
def test_the_teacher_has_a_name(load, name):
    with pytest.raises(ValueError, match="VIVA_TEACHER must be your name"):
        load(VIVA_TEACHER=name)


def test_every_setting_is_one_that_its_class_has(load):
    config = load()
    for name in ("JupyterHub", "Authenticator", "NativeAuthenticator", "SystemdSpawner"):
        known = (CLASSES | {"SystemdSpawner": SystemdSpawner})[name].class_traits(config=True)
        assert config[name].keys() <= known.keys()
    assert config.Spawner.keys() <= SystemdSpawner.class_traits(config=True).keys()


def test_the_values_for_kubernetes_say_what_the_configuration_says(load):
    values, config = yaml.safe_load(VALUES.read_text()), load()
    assert values.keys() == {"hub", "proxy", "singleuser", "cull"}
    for name, settings in values["hub"]["config"].items():
        traits = CLASSES[name].class_traits(config=True)
        for key, value in settings.items():
            assert key in traits, f"{name}.{key}"
            given = config[name][key]
            assert value == (sorted(given) if isinstance(given, set) else given), f"{name}.{key}"

    student = values["singleuser"]
    ours, theirs = (parse_qs(urlsplit(url).query) for url in (config.Spawner.default_url, student["defaultUrl"]))
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if ours[key] != theirs[key]] == ["repo"]
    assert student["extraEnv"] == config.Spawner.environment
    assert (student["memory"]["limit"], student["cpu"]["limit"]) == (config.Spawner.mem_limit, config.Spawner.cpu_limit)
    assert student["startTimeout"] == config.Spawner.start_timeout
    (culler,) = config.JupyterHub.services
    assert culler["command"][-1] == f"--timeout={values['cull']['timeout']}"

    (copied,) = re.findall(r"^COPY \. (\S+)$", CONFIG.with_name("Dockerfile").read_text(), re.MULTILINE)
    assert student["cmd"] == ["jupyterhub-singleuser", f"--config={copied}/jupyter_server_config.py"]


def test_the_values_for_kubernetes_keep_the_charts_schema():
    def kinds(values, path=""):
        for key, value in values.items():
            if isinstance(value, dict):
                yield from kinds(value, f"{path}{key}.")
            else:
                yield f"{path}{key}", type(value)

    free = "hub.config.", "singleuser.extraEnv."  # whatever JupyterHub or a notebook takes
    assert {
        path: kind for path, kind in kinds(yaml.safe_load(VALUES.read_text())) if not path.startswith(free)
    } == CHART
