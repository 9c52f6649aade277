"""``python -m benchmarks``: run every benchmark; all rows go to BENCHMARKS.md, the worst of each kind to the README.

Every module here with a function ``rows`` is a benchmark, so a topic adds its own file and touches no other.
"""

import pkgutil
import re
import sys
from importlib import import_module

import benchmarks
from helpers.topics import ROOT

from .row import as_markdown, worst

README, ALL = ROOT / "README.md", ROOT / "BENCHMARKS.md"
BLOCK = re.compile(r"(?<=<!-- benchmark -->\n).*(?=<!-- /benchmark -->)", re.DOTALL)


def main():
    names = [name for _, name, _ in pkgutil.iter_modules(benchmarks.__path__)]
    modules = [import_module(f"benchmarks.{name}") for name in names if not name.startswith("_")]
    rows = [row for module in modules if hasattr(module, "rows") for row in module.rows()]
    print(as_markdown(rows))
    for path, shown in ((README, worst(rows)), (ALL, rows)):
        text = BLOCK.sub(lambda _, shown=shown: as_markdown(shown) + "\n", path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
    sys.exit("\n".join(f"limit broken: {row.what}" for row in rows if not row.kept) or 0)


main()
