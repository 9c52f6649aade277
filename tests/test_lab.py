"""The learner's own copy of the notebooks, and what JupyterLab reads and writes of it."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest
from traitlets.config.loader import PyFileConfigLoader

from helpers import canonical, lab
from helpers.contents import Notebooks
from helpers.topics import ROOT

NAME = "05_metrics_roc"


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder of originals, and a learner who has no copy yet."""
    monkeypatch.setenv("VIVA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "originals"
    folder.mkdir()
    shutil.copy(ROOT / f"notebooks/{NAME}.ipynb", folder)
    return folder


def edit(path, text):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][0]["source"] = [text]
    path.write_text(json.dumps(notebook), encoding="utf-8")


def first_cell(path):
    return "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])


def test_a_copy_is_made_and_follows_the_original(source):
    mine = lab.workbook() / f"{NAME}.ipynb"
    assert lab.update(source) == []
    assert mine.read_bytes() == (source / mine.name).read_bytes()
    edit(source / mine.name, "newer")
    assert lab.update(source) == []
    assert first_cell(mine) == "newer"


def test_outputs_alone_are_no_edit(source):
    mine = lab.workbook() / f"{NAME}.ipynb"
    lab.update(source)
    notebook = json.loads(mine.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell.pop("outputs", None)
    mine.write_text(json.dumps(notebook), encoding="utf-8")
    edit(source / mine.name, "newer")
    assert lab.update(source) == []
    assert first_cell(mine) == "newer"


def test_what_the_learner_has_edited_stays_and_is_named(source):
    mine = lab.workbook() / f"{NAME}.ipynb"
    lab.update(source)
    edit(mine, "mine")
    assert lab.update(source) == []  # nothing newer
    edit(source / mine.name, "newer")
    assert lab.update(source) == [NAME]
    assert first_cell(mine) == "mine"


def test_a_reset_keeps_the_learners_own(source):
    mine = lab.workbook() / f"{NAME}.ipynb"
    lab.update(source)
    edit(mine, "mine")
    backup = lab.reset_notebook(NAME)
    assert first_cell(backup) == "mine"
    assert mine.read_bytes() == (ROOT / f"notebooks/{NAME}.ipynb").read_bytes()
    with pytest.raises(ValueError, match="name must be one of"):
        lab.reset_notebook("05")


@pytest.mark.parametrize(("yours", "kernels"), [(None, "1"), ("4", "4")])
def test_kernels_compute_on_one_thread_unless_you_say_otherwise(monkeypatch, yours, kernels):
    monkeypatch.setenv("OMP_NUM_THREADS", yours or "")
    if yours is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    PyFileConfigLoader("jupyter_server_config.py", path=str(ROOT)).load_config()
    assert os.environ["OMP_NUM_THREADS"] == kernels


def test_saving_adds_nothing_that_the_canonical_form_drops(source, tmp_path):
    path = tmp_path / f"{NAME}.ipynb"
    shutil.copy(ROOT / f"notebooks/{NAME}.ipynb", path)
    before = path.read_text(encoding="utf-8")
    contents = Notebooks(root_dir=str(tmp_path), checkpoints_kwargs={"root_dir": str(tmp_path)})
    model = asyncio.run(contents.get(path.name))
    assert model["content"]["metadata"]["language_info"]["version"]  # as its kernel would say
    cell = next(cell for cell in model["content"]["cells"] if cell["cell_type"] == "code")
    cell["metadata"]["execution"] = {"iopub.status.busy": "2026-01-01"}
    model["content"]["metadata"]["widgets"] = {}
    asyncio.run(contents.save(model, path.name))
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(before)
    assert json.loads(before)["metadata"] == canonical.METADATA


def headings(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lines = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown").split("\n")
    return [line for line in lines if line.startswith("## ")]


def test_a_copy_has_headings_in_the_learners_language(source, monkeypatch):
    mine, original = lab.workbook() / f"{NAME}.ipynb", (source / f"{NAME}.ipynb").read_bytes()
    monkeypatch.setenv("VIVA_LANGUAGE", "zh")
    assert lab.update(source) == []
    assert "## 6 动手探索" in headings(mine) and "## 6 Explore" not in headings(mine)
    changed = [
        (theirs, ours)
        for theirs, ours in zip(
            original.decode().split("\n"), mine.read_text(encoding="utf-8").split("\n"), strict=True
        )
        if theirs != ours
    ]
    assert len(changed) == 10 and all("## " in line for pair in changed for line in pair)
    monkeypatch.delenv("VIVA_LANGUAGE")
    assert lab.update(source) == [], "a heading in another language counts as an edit"
    assert mine.read_bytes() == original


def test_an_edited_copy_keeps_its_headings_and_is_named_only_for_a_newer_one(source, monkeypatch):
    mine = lab.workbook() / f"{NAME}.ipynb"
    lab.update(source)
    edit(mine, "my own notes")
    monkeypatch.setenv("VIVA_LANGUAGE", "zh")
    assert lab.update(source) == [] and "## 6 Explore" in headings(mine)
    edit(source / mine.name, "newer")
    assert lab.update(source) == [NAME] and first_cell(mine) == "my own notes"


def test_a_notebook_is_reset_in_the_learners_language(source, monkeypatch):
    monkeypatch.setenv("VIVA_LANGUAGE", "zh")
    lab.update(source)
    edit(lab.workbook() / f"{NAME}.ipynb", "gone")
    lab.reset_notebook(NAME)
    assert "## 8 白板编程" in headings(lab.workbook() / f"{NAME}.ipynb")
    assert lab.update(ROOT / "notebooks") == []


def test_jupyterlab_gets_the_learners_locale_beside_other_settings(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "mine")
    assert lab.locale() == {"JUPYTER_CONFIG_PATH": "mine"}
    monkeypatch.setenv("VIVA_LANGUAGE", "zh")
    ours, theirs = lab.locale()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    settings = json.loads((Path(ours) / "labconfig/default_setting_overrides.json").read_text(encoding="utf-8"))
    assert theirs == "mine" and settings["@jupyterlab/translation-extension:plugin"]["locale"] == "zh_CN"
