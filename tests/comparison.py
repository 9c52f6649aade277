"""Stored outputs beside new ones: words exactly, numbers as precisely as they are written.

A decimal may differ by one unit in its last digit, because processors and threads round differently. An integer may not
differ at all. White space between words does not count: a number with one more digit moves its neighbors.
"""

import re
from collections import defaultdict
from decimal import Decimal
from difflib import ndiff
from itertools import zip_longest

import nbval.plugin

NUMBER = re.compile(
    r"(?<![\w.])"  # not in the middle of a name or a version
    r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+(?!\w))?"
    r"(?!\.?[0-9])"
)
ALIGNMENT = re.compile(r"(?<=\S) +(?= )|^ +(?=[-+]?[0-9])")  # an indent of words stays: it may be code


def compare_notebooks():
    """Make nbval compare this way.

    Raises
    ------
    RuntimeError
        If this version of nbval compares elsewhere.
    """
    cell = nbval.plugin.IPyNbCell
    if not hasattr(cell, "compare_outputs"):
        raise RuntimeError(
            "nbval has no IPyNbCell.compare_outputs: find where it compares, and mend tests/comparison.py"
        )
    cell.compare_outputs = _compare_outputs


def agree(stored, new):
    """Whether two written numbers are the same, up to one unit of the last digit of the more precise one."""
    a, b = (Decimal(number.replace(",", "")) for number in (stored, new))
    written = zip((stored, new), (a, b), strict=True)
    units = [Decimal(1).scaleb(value.as_tuple().exponent) for text, value in written if set(text) & set(".eE")]
    return abs(a - b) <= min(units, default=0)


def differences(stored, new):
    """Return the lines in which two texts differ, as of `difflib.ndiff`; none if they say the same."""
    before, after = ([ALIGNMENT.sub("", line).rstrip() for line in text.splitlines()] for text in (stored, new))
    after = [_settle(old, line) for old, line in zip_longest(before, after) if line is not None]
    return [] if before == after else [line.rstrip() for line in ndiff(before, after) if not line.startswith("  ")]


def _settle(stored, new):
    """Write the numbers of the line `new` as in the line `stored`, where they agree and all words do."""
    if stored is None or NUMBER.split(stored) != NUMBER.split(new):
        return new
    numbers = iter(NUMBER.findall(stored))
    return NUMBER.sub(lambda found: old if agree(old := next(numbers), found[0]) else found[0], new)


def _compare_outputs(cell, new, stored, skip_compare=None):
    """Take the place of nbval's method: return whether all outputs agree, and keep the differences for its report."""
    skip = skip_compare or cell.parent.skip_compare
    before, after = (_by_kind(outputs, skip) for outputs in (stored, new))
    report = []
    for kind in sorted(before | after):
        if len(before[kind]) != len(after[kind]):
            report.append(f"{kind}: {len(before[kind])} outputs are stored, {len(after[kind])} came")
        for number, pair in enumerate(zip_longest(before[kind], after[kind], fillvalue=""), 1):
            if lines := differences(*pair):
                report += [f"{kind}, output {number} (- stored, + new):", *lines]
    cell.comparison_traceback = report
    return not report


def _by_kind(outputs, skip):
    """Return the texts of all outputs, by stream or mime type."""
    texts = defaultdict(list)
    for output in outputs:
        if output["output_type"] == "stream":
            texts[output["name"]].append(output["text"])
        for kind, value in (output.get("data") or {key: output.get(key) for key in ("ename", "evalue")}).items():
            if value is not None and kind not in skip:
                texts[kind].append(value if isinstance(value, str) else repr(value))
    return texts
