"""``python -m benchmarks``: run every benchmark, print its table, and put it into the README.

Every module here with a function ``rows`` is a benchmark, so a topic adds its own file and touches no other.
"""

import pkgutil
import re
import sys
from importlib import import_module
from pathlib import Path

import benchmarks

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(?<=<!-- benchmark -->\n).*(?=<!-- /benchmark -->)", re.DOTALL)


def render(rows):
    lines = ["| measured in one run | value | limit |", "| --- | --- | --- |"]
    for row in rows:
        sign = "at most" if row.at_most else "at least"
        lines.append(f"| {row.what} | {row.value:.2f}{row.unit} | {sign} {row.limit:g}{row.unit} |")
    return "\n".join(lines) + "\n"


def main():
    names = [name for _, name, _ in pkgutil.iter_modules(benchmarks.__path__)]
    modules = [import_module(f"benchmarks.{name}") for name in names if not name.startswith("_")]
    rows = [row for module in modules if hasattr(module, "rows") for row in module.rows()]
    table = render(rows)
    print(table)
    README.write_text(BLOCK.sub(lambda _: table, README.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit("\n".join(f"limit broken: {row.what}" for row in rows if not row.kept) or 0)


main()
