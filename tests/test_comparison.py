"""What the comparison of notebooks lets through, and what not."""

import os
import subprocess
import sys

import nbformat
import nbval.plugin
import pytest

from helpers.topics import ROOT
from tests.comparison import agree, compare_notebooks, differences

TABLE = "| kernel | error |\n| --- | --- |\n| linear | 0.0921 |\n| rbf | 0.0405 |"
READOUT = "margin width: 0.665\nsupport vectors: 25\npoints: 1,234\nlikely: no"


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("0.9999", "1.0000"),
        ("0.999", "1"),  # as %g writes 1.000
        ("99.99", "100"),
        ("1.168e+06", "1.169e+06"),
        ("9.999e+05", "1e+06"),
        ("9.999e-05", "0.0001"),
        ("-0.0", "0.0"),
        ("-0.01", "0.00"),
        ("1,234.5", "1,234.6"),
        ("25", "25"),
    ],
)
def test_one_unit_in_the_last_digit_agrees(stored, new):
    assert agree(stored, new) and agree(new, stored)
    assert not differences(f"value: {stored}", f"value: {new}")


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        ("0.0921", "0.0931"),  # a wrong digit
        ("0.0921", "0.0923"),  # two units
        ("0.9998", "1.0000"),
        ("25", "26"),
        ("1,234", "1,235"),
        ("-0.665", "0.665"),
        ("1.168e+06", "1.170e+06"),
        ("1.168e+06", "1.168e+07"),
        ("25", "25.5"),
    ],
)
def test_more_does_not(stored, new):
    assert not agree(stored, new) and not agree(new, stored)
    shown = differences(f"value: {stored}", f"value: {new}")
    assert [line for line in shown if not line.startswith("?")] == [f"- value: {stored}", f"+ value: {new}"]


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        (TABLE, TABLE.replace("0.0921", "0.0922").replace("0.0405", "0.0404")),
        (READOUT, READOUT.replace("0.665", "0.666")),
        ("epoch   9.99  ok", "epoch  10.00  ok"),  # a number that grew moves its neighbors
        (" 9.99\n10.00", "10.00\n10.00"),
        ("nan inf", "nan inf"),
        ("[0.10, 0.20]", "[0.11, 0.19]"),
        ("text\n", "text"),
    ],
)
def test_texts_that_say_the_same(stored, new):
    assert not differences(stored, new)


@pytest.mark.parametrize(
    ("stored", "new"),
    [
        (TABLE, TABLE.replace("0.0921", "0.0941")),
        (TABLE, TABLE.rpartition("\n")[0]),  # a missing row
        (TABLE, TABLE + "\n| poly | 0.0405 |"),  # one too many
        (TABLE, TABLE + "\n| rbf | 0.0405 |"),
        (TABLE, "\n".join(TABLE.splitlines()[i] for i in (0, 1, 3, 2))),  # another order
        (TABLE, TABLE.replace("linear", "poly")),
        (TABLE, TABLE.replace(" 0.0405", "")),
        (READOUT, READOUT.replace("25", "24")),
        (READOUT, READOUT.replace("1,234", "1,233")),
        (READOUT, READOUT.replace("no", "yes")),
        (READOUT, READOUT.replace("0.665", "nan")),
        ("nan", "inf"),
        ("inf", "-inf"),
        ("conv1.5", "conv1.6"),  # a name
        ("id 5e3a", "id 6e3a"),
        ("1.2.3", "1.2.4"),  # a version
        ("a\nb", "a b"),
        ("if x:\n    y", "if x:\ny"),  # an indent of code
        ("", "0.5"),
    ],
)
def test_texts_that_do_not(stored, new):
    assert differences(stored, new) and differences(new, stored)


def test_only_the_lines_that_differ_are_shown():
    new = TABLE.replace("0.0921", "0.0922").replace("0.0405", "0.0505")
    shown = [line for line in differences(TABLE, new) if not line.startswith("?")]
    assert shown == ["- | rbf | 0.0405 |", "+ | rbf | 0.0505 |"]


def test_another_nbval_is_told(monkeypatch):
    monkeypatch.setattr(nbval.plugin, "IPyNbCell", object)
    with pytest.raises(RuntimeError, match="find where it compares"):
        compare_notebooks()


def test_nbval_compares_this_way(tmp_path):
    printed, shown = {"name": "stdout", "text": "0.5 of 3\n"}, {"text/plain": "'word'"}

    def cell(stream, data):
        outputs = [nbformat.v4.new_output("stream", **printed | stream)] if stream is not None else []
        outputs.append(nbformat.v4.new_output("execute_result", shown | data, execution_count=1))
        source = "print(0.5, 'of', 3)\n'word'"
        return nbformat.v4.new_code_cell(source, execution_count=1, outputs=outputs)

    cells = [
        cell({"text": "0.6 of 3\n"}, {"image/png": "AAAA"}),  # agrees
        cell({"text": "0.7 of 3\n"}, {}),
        cell({}, {"text/plain": "'world'"}),
        cell(None, {}),  # nothing printed is stored
        cell({}, {"text/html": "<b>word</b>"}),  # stored and gone
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "n.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "--nbval", "--color=no", str(tmp_path / "n.ipynb")]
    utf8 = os.environ | {"PYTHONUTF8": "1"}
    said = subprocess.run(command, cwd=ROOT, env=utf8, capture_output=True, encoding="utf-8").stdout
    assert "4 failed, 1 passed" in said
    assert all(line in said.splitlines() for line in ("- 0.7 of 3", "+ 0.5 of 3", "- 'world'", "+ 'word'"))
    assert "stdout: 0 outputs are stored, 1 came" in said and "text/html: 1 outputs are stored, 0 came" in said
