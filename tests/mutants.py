"""``make mutants``: would the tests notice an error? Make one, run them, and see.

A mutant is a file with one operator, constant, comparison or name changed. Each is tried in a copy of the project, on
the tests of its own topic, until the first failure. Those that no test kills are printed: each is a missing test, code
that is not needed, or a change that means the same.

``python -m tests.mutants [--sample 20] [--seed 0] [stem ...]``
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import psutil

ROOT = Path(__file__).resolve().parent.parent
JUDGE = "candidate", "examiner", "judge", "wire", "worker"  # the parts that have their tests in common
JUDGES = [f"tests/interview/test_{name}.py" for name in ("wire", "judge", "gradients", "packing", "sandbox")]
WANTED = 0.9
PAIRS = "Add Sub, Mult Div, FloorDiv Div, Mod Mult, Pow Mult, MatMult Mult, USub UAdd, Not UAdd"
PAIRS += ", Lt LtE, Gt GtE, Eq NotEq, Is IsNot, In NotIn, And Or, BitAnd BitOr"
NAMES = "max min, argmax argmin, maximum minimum, sum mean, any all, left right, zeros ones, first last, above at_least"


def _both_ways(pairs):
    couples = [pair.split() for pair in pairs.split(", ")]
    return dict(couples) | {b: a for a, b in couples if b not in dict(couples)}


OPERATORS = {getattr(ast, old): getattr(ast, new) for old, new in _both_ways(PAIRS).items()}
RENAMED = _both_ways(NAMES)


def targets(stems):
    """Every file to mutate, with the tests that should notice."""
    files = {}
    for path in sorted(ROOT.glob("helpers/algorithms/[a-z]*.py")):
        files[path] = [f"tests/algorithms/test_{path.stem}.py"]
    files |= {ROOT / f"helpers/interview/{name}.py": JUDGES for name in JUDGE}
    return {path: tests for path, tests in files.items() if not stems or path.stem in stems}


def mutations(tree, rng):
    """Yield (node, field, new value) for everything that can be changed; error messages are left alone."""
    silent = {id(node) for part in ast.walk(tree) if isinstance(part, ast.Raise) for node in ast.walk(part)}
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        local = sorted({node.id for node in ast.walk(function) if isinstance(node, ast.Name)} | _arguments(function))
        for node in (node for part in function.body for node in ast.walk(part) if id(node) not in silent):
            silent.add(id(node))  # a nested function is walked once
            operator = getattr(node, "op", None) or getattr(node, "ops", [None])[0]
            if type(operator) in OPERATORS:
                new = OPERATORS[type(operator)]()
                yield (node, "op", new) if hasattr(node, "op") else (node, "ops", [new, *node.ops[1:]])
            elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
                yield node, "value", not node.value
            elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
                yield node, "value", node.value + 1
            elif isinstance(node, ast.Attribute) and node.attr in RENAMED:
                yield node, "attr", RENAMED[node.attr]
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in local and len(local) > 1:
                yield node, "id", rng.choice([name for name in local if name != node.id])


def _arguments(function):
    return {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}


def mutants(path, sample, seed):
    """Draw mutants of a file: (what was changed, source text)."""
    tree, rng = ast.parse(path.read_text(encoding="utf-8")), random.Random(f"{path.stem} {seed}")
    every = list(mutations(tree, rng))
    for node, field, new in rng.sample(every, min(sample, len(every))):
        old, before = getattr(node, field), ast.unparse(node)
        setattr(node, field, new)
        yield f"{path.relative_to(ROOT)}:{node.lineno}: {before} -> {ast.unparse(node)}", ast.unparse(tree)
        setattr(node, field, old)


def survives(copy, tests, limit):
    """Whether all the tests pass in a copy of the project, within a time limit in seconds."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}  # no stale bytecode
    run = subprocess.Popen(command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return run.wait(limit) == 0
    except subprocess.TimeoutExpired:
        for process in [*psutil.Process(run.pid).children(recursive=True), psutil.Process(run.pid)]:
            process.kill()
        run.wait()
        return False


def main():
    """Try a sample of each file; exit with 1 if too many survive."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("stems", nargs="*")
    options.add_argument("--sample", type=int, default=20)
    options.add_argument("--seed", type=int, default=0)
    options, jobs, enough = options.parse_args(), os.cpu_count() or 1, True
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        copies = SimpleQueue()
        for i in range(jobs):
            copy = Path(folder, str(i))
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__"))
            copies.put(copy)

        def tried(path, tests, limit, text):
            copy = copies.get()
            try:
                (copy / path.relative_to(ROOT)).write_text(text, encoding="utf-8")
                return survives(copy, tests, limit)
            finally:
                shutil.copy(path, copy / path.relative_to(ROOT))
                copies.put(copy)

        for path, tests in targets(options.stems).items():
            start = time.monotonic()
            if not tried(path, tests, 600, path.read_text(encoding="utf-8")):
                sys.exit(f"{' '.join(tests)} fails before anything is changed")
            limit = 3 * (time.monotonic() - start) + 10
            changes, texts = zip(*mutants(path, options.sample, options.seed), strict=True)
            left = list(pool.map(lambda text, p=path, t=tests, s=limit: tried(p, t, s, text), texts))
            killed = 1 - sum(left) / len(left)
            enough &= killed >= WANTED
            print(f"{path.stem}: {len(left)} mutants, {killed:.0%} killed", flush=True)
            for change in (change for change, alive in zip(changes, left, strict=True) if alive):
                print(f"  survived: {change}", flush=True)
    sys.exit(not enough)


if __name__ == "__main__":
    main()
