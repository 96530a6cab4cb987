"""Mutation testing: change the code in one place, run the package's tests, list the changes that no test notices.

Goals: every constant, comparison and formula of the science is held by a test; the score of a sample is
comparable between two versions, since the seed fixes the places that are drawn among those that exist.
Non-goals: a full run in minutes (it takes hours), mutants of annotations, which never run.

The operators are Cosmic Ray's; two are added, since constants were what escaped: `ScaleFloat` (a threshold
20 % or ten times larger, where adding 1 is noticed by any test) and `RemoveStatement`. A mutant is run in a
copy of the repository under build/mutants, with the tests of its own package alone.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import parso.python.tree
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "mutants"
PACKAGES = ("thermo", "chemistry", "rules", "search", "store")
PATIENCE = 5
"""A mutant is killed by the clock after this many times the seconds of the tests without it, and half a minute."""
SKIPPED = {
    "RemoveDecorator": "a cache left out changes nothing but the time",
    "ExceptionReplacer": "fails on exceptions with a dot in their names",
    "_Eq_Is": "the same for short strings",
    "_NotEq_IsNot": "the same for short strings",
    "_Is_Eq": "the same for None",
    "_IsNot_NotEq": "the same for None",
    **dict.fromkeys(("_BitOr", "_BitXor", "_BitAnd", "_LShift", "_RShift", "_Invert"), "a TypeError with floats"),
}
"""Ends of the names of Cosmic Ray's operators that are left out, and why: mutants that any test kills, or none can."""
GUARDS = frozenset({"strict", "frozen", "slots"})
"""Arguments that guard against mistakes in our own code: without them the code does the same."""
Position = tuple[int, int]


class ScaleFloat(Operator):
    """A number with a point or an exponent becomes 20 % larger, or ten times as large."""

    FACTORS = (1.2, 10.0)

    def mutation_positions(self, node):
        """A position for each factor."""
        if _is_float(node):
            for _ in self.FACTORS:
                yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        """The number times a factor; 0.0 becomes 1.0."""
        value = float(node.value) * self.FACTORS[index] or 1.0
        return parso.python.tree.Number(f"{node.prefix}{value!r}", node.start_pos)

    @classmethod
    def examples(cls):
        """None: Cosmic Ray documents its own operators with them."""
        return ()


class RemoveStatement(Operator):
    """A call for its effect, an assignment to an item or attribute, or an augmented assignment is left out."""

    def mutation_positions(self, node):
        """The statement's."""
        if node.type != "simple_stmt":
            return
        statement = ast.parse(node.get_code().strip()).body[0] if _parses(node.get_code().strip()) else None
        is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        is_set = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], (ast.Subscript, ast.Attribute))
        if is_call or is_set or isinstance(statement, ast.AugAssign):
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):
        """`pass` in its place."""
        prefix = node.get_first_leaf().prefix
        node.children[0] = parso.python.tree.Keyword("pass", node.start_pos, prefix)
        return node

    @classmethod
    def examples(cls):
        """None, as above."""
        return ()


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    package: str
    path: Path
    """From the repository's root."""
    operator: type[Operator]
    occurrence: int
    position: Position
    """Line, from 1, and column."""

    def code(self) -> str:
        """The whole file, changed."""
        return mutate_code((ROOT / self.path).read_text(encoding="utf-8"), self.operator(), self.occurrence)

    def is_code(self) -> bool:
        """Whether it can be compiled: `not` before an assignment expression cannot."""
        return _parses(self.code())

    def diff(self) -> str:
        """The changed lines."""
        before, after = (ROOT / self.path).read_text(encoding="utf-8"), self.code()
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0))
        return "\n".join(f"    {line}" for line in lines[2:] if not line.startswith("@@"))


def mutants_of(package: str) -> Iterator[Mutant]:
    """Every mutant of a package, file by file."""
    provider = OperatorProvider()
    names = [name for name in provider if not name.endswith(tuple(SKIPPED))]
    operators = [provider[name] for name in names if not provider[name].arguments()]
    for file in sorted((ROOT / "src/ninefold" / package).glob("**/*.py")):
        source = file.read_text(encoding="utf-8")
        tree, skipped = get_ast(source), _never_run(source)
        for operator in (*operators, ScaleFloat, RemoveStatement):
            positions = ((node, start) for node in ast_nodes(tree) for start, _ in operator().mutation_positions(node))
            for occurrence, (node, start) in enumerate(positions):
                is_covered = operator.__name__ == "NumberReplacer" and _is_float(node)
                if not is_covered and not any(first <= start <= last for first, last in skipped):
                    yield Mutant(package, file.relative_to(ROOT), operator, occurrence, start)


def drawn(mutants: Sequence[Mutant], wanted: int | None, seed: int) -> list[Mutant]:
    """A sample with at most one mutant at a place, so that `a + b`, which has eleven, counts as one."""
    if wanted is None:
        return [mutant for mutant in mutants if mutant.is_code()]
    places: dict[tuple[Path, Position], list[Mutant]] = {}
    for mutant in mutants:
        places.setdefault((mutant.path, mutant.position), []).append(mutant)
    generator = random.Random(seed)
    chosen: list[Mutant] = []
    for place in generator.sample(sorted(places), len(places)):
        if len(chosen) == wanted:
            break
        here = generator.sample(places[place], len(places[place]))
        chosen += [mutant for mutant in here if mutant.is_code()][:1]
    return sorted(chosen, key=lambda item: (item.path, item.position))


def _never_run(source: str) -> list[tuple[Position, Position]]:
    """From and to of annotations, of what only a type checker reads, and of guards."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        parts: list[ast.AST | None] = []
        if isinstance(node, (ast.arg, ast.AnnAssign)):
            parts = [node.annotation]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parts = [node.returns]
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            parts = [node]
        elif isinstance(node, ast.keyword) and node.arg in GUARDS:
            parts = [node.value]
        spans += [((p.lineno, p.col_offset), (p.end_lineno, p.end_col_offset)) for p in parts if p is not None]
    return spans


def _is_float(node) -> bool:
    return node.type == "number" and not node.value.lower().startswith("0x") and any(c in node.value for c in ".eE")


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:  # `return` outside a function, for one
        return False
    return True


class Tree:
    """A copy of the repository in which one mutant at a time is tested."""

    def __init__(self, number: int) -> None:
        self.root = BUILD / f"tree-{number}"
        shutil.rmtree(self.root, ignore_errors=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        (self.root / "tmp").mkdir(parents=True)

    def test(self, package: str, limit: float | None, module: str = "") -> tuple[int | None, str]:
        """Exit status of the package's tests, None where the limit in seconds ended them; and what they printed.

        Args:
            package: Whose tests.
            limit: Seconds.
            module: Of the mutant; the tests named after it run first, since the first failure ends the run.
        """
        files = sorted(
            (self.root / "tests" / package).glob("test_*.py"), key=lambda file: (module not in file.name, file)
        )
        environment = {**os.environ, "PYTHONPATH": str(self.root / "src"), "TMPDIR": str(self.root / "tmp")}
        if module:  # a mutant must not be read from, or leave, bytecode of another
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *map(str, files)],
            cwd=self.root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return None, "time limit"
        finally:
            if process.poll() is None:  # and whatever it started: a mutant may loop without end
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        return process.returncode, output

    def test_mutant(self, mutant: Mutant, limit: float) -> tuple[int | None, str]:
        """The same with the mutant's file in place of the original, whose time stamp its bytecode needs."""
        original = ROOT / mutant.path
        (self.root / mutant.path).write_text(mutant.code(), encoding="utf-8")
        try:
            return self.test(mutant.package, limit, mutant.path.stem)
        finally:
            shutil.copy2(original, self.root / mutant.path)


def main() -> int:
    """Run a sample of every package and print the scores and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="*", default=PACKAGES, help=f"of {', '.join(PACKAGES)}")
    parser.add_argument("--mutants", default="40", help="per package, or 'all'")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="", help="files whose path contains this")
    parser.add_argument("--list", action="store_true", help="print the mutants that would be run")
    options = parser.parse_args()
    wanted = None if options.mutants == "all" else int(options.mutants)

    sample = {}
    for package in options.packages:
        every = [mutant for mutant in mutants_of(package) if options.only in str(mutant.path)]
        if chosen := drawn(every, wanted, options.seed):
            sample[package] = chosen
        print(f"{package}: {len(chosen)} of {len(every)} mutants", flush=True)
    if options.list:
        for mutant in (item for items in sample.values() for item in items):
            print(f"{mutant.path}:{mutant.position[0]} {mutant.operator.__name__}\n{mutant.diff()}")
        return 0

    trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for number in range(options.workers):
        trees.put(Tree(number))
    killed, survivors = dict.fromkeys(sample, 0), []

    def run(mutant: Mutant, limit: float) -> tuple[Mutant, int | None]:
        tree = trees.get()
        try:
            return mutant, tree.test_mutant(mutant, limit)[0]
        finally:
            trees.put(tree)

    try:
        with ThreadPoolExecutor(options.workers) as pool:
            for package, mutants in sample.items():
                every_tree = [trees.get() for _ in range(options.workers)]
                for tree in every_tree:  # also writes the bytecode that the mutants' runs read
                    start = time.monotonic()
                    status, output = tree.test(package, None)
                    limit = PATIENCE * (time.monotonic() - start) + 30
                    if status != 0:
                        print(output[-3000:], f"\nthe tests of {package} fail without a mutant", file=sys.stderr)
                        return 1
                    trees.put(tree)
                for mutant, status in pool.map(run, mutants, [limit] * len(mutants)):
                    # 1: a test failed; 2 to 4: the code could not even be imported
                    killed[package] += status != 0
                    if status == 0:
                        survivors.append(mutant)
                        print(f"survived: {mutant.path}:{mutant.position[0]}\n{mutant.diff()}", flush=True)
    finally:
        shutil.rmtree(BUILD, ignore_errors=True)
    print()
    for package, mutants in sample.items():
        print(f"{package:10} {killed[package]:4} of {len(mutants):4} killed  {killed[package] / len(mutants):6.1%}")
    print(f"{'all':10} {sum(killed.values()):4} of {sum(map(len, sample.values())):4} killed, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
