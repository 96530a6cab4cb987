"""A table of mistakes: each is told in one line that names the field, with exit code 2, and leaves nothing behind.

Nothing that a user gives may be reported as an internal error. Most cases run in this process; where the environment
matters (streams, working folder, encodings), as a process of their own.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import report_sample
import yaml

from campaign_run import CAMPAIGN, ninefold
from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.models.collections import MODELS
from ninefold.store import locate
from ninefold.store.records import write
from ninefold.store.sqlite import SQLiteStore

LONG = "a" * 300
"""Longer than a file name may be."""
DIGITS = "9" * 5000
"""Python reads and prints no whole number of more than 4300 digits."""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""387 million values in nine lines."""
JOB = "from jobflow import Flow, job\n@job\ndef f():\n    {}\ndef make_flow(campaign, store):\n    return Flow([f()])\n"
RULE = "import numpy as np\nfrom ninefold.rules import Rule\nR = Rule('mine', {}, 'meaning', 'source'{})\n"
ONES = "lambda table: np.ones(len(table))"


class Case(NamedTuple):
    """Arguments, files to lay down first, and words that the line must hold."""

    arguments: list[str]
    files: dict[str, str | bytes]
    words: list[str]


def campaign(**changes: Any) -> str:
    return yaml.safe_dump({**CAMPAIGN, "engine": {"name": "lj"}, **changes})


def lines(text: str) -> str:
    """A campaign with one more line, in place of the key's own."""
    key = text.partition(":")[0]
    return yaml.safe_dump({name: value for name, value in CAMPAIGN.items() if name != key}) + text + "\n"


def check(content: str | bytes, *words: str) -> Case:
    return Case(["campaign", "check", "c.yaml"], {"c.yaml": content}, ["c.yaml", *words])


def user_file(code: str | bytes, *words: str) -> dict[str, Case]:
    """One file in each place where a user may name Python."""
    kinds = {
        "rule file": (["campaign", "check", "c.yaml"], lines("rules: {files: [r.py]}"), "rules.files"),
        "source file": (
            ["campaign", "check", "c.yaml"],
            lines("structures: {sources: ['r.py:f']}"),
            "structures.sources",
        ),
        "workflow": (["run", "c.yaml", "--workflow", "r.py"], campaign(), "--workflow"),
    }
    return {
        kind: Case(arguments, {"c.yaml": text, "r.py": code}, [field, "r.py", *words])
        for kind, (arguments, text, field) in kinds.items()
    }


def workflow(code: str, *words: str) -> Case:
    return Case(["run", "c.yaml", "--workflow", "r.py"], {"c.yaml": campaign(), "r.py": code}, ["r.py", *words])


def rule(value: str, more: str, *words: str) -> Case:
    files = {"c.yaml": lines("rules: {files: [r.py]}"), "r.py": RULE.format(value, more)}
    return Case(["campaign", "check", "c.yaml"], files, ["rule mine", "r.py", *words])


YAML = {
    "a Python object": check(lines("description: !!python/object/apply:os.system ['touch pwned']"), "line", "tag"),
    "a tag": check(lines("description: !custom x"), "line", "!custom"),
    "binary": check(lines("description: !!binary aGVsbG8="), "!!binary"),
    "a set": check(lines("description: !!set {a, b}"), "!!set"),
    "a date for a number": check(lines("seed: 2024-01-01"), "seed", "2024-01-01"),
    "a date for a key": check(lines("2024-01-01: 3"), "2024-01-01", "not a known key"),
    "an impossible date": check(lines("seed: 2024-13-45"), "seed", "2024-13-45"),
    "base 60": check(lines("seed: 7:9"), "seed", "7:9"),
    "a merge with itself": check("a: &a {<<: *a}\n", "line 1"),
    "a list in itself": check("&a name: x\nspace: &b [*b]\n", "line 2", "*b"),
    "a deep list": check("name: " + "[" * 3000 + "]" * 3000, "nested", "50"),
    "a deep mapping": check("name: " + "{a: " * 2000 + "1" + "}" * 2000, "nested", "50"),
    "a deep block": check("name:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 1500)), "nested"),
    "a number of 5000 digits": check(lines(f"seed: {DIGITS}"), "line"),
    "a name of 5000 digits": check(f"name: {DIGITS}\n", "line 1"),
    "a hexadecimal number of 5000 digits": check(lines(f"seed: 0x{'f' * 5000}"), "seed"),
    "an alias bomb": check(BOMB, "aliases", "10000"),
    "a merge bomb": check(
        "a: &a {x: 1}\n"
        + "".join(f"{n}: &{n} {{<<: [{', '.join([f'*{b}'] * 9)}]}}\n" for b, n in zip("abcdef", "bcdefg", strict=True)),
        "aliases",
    ),
    "an unknown alias": check(lines("description: *nope"), "nope"),
    "a list as a key": check(lines("? [a, b]\n: 2"), "key"),
    "no key": check(lines("~: 2"), "None"),
    "two documents": check(campaign() + "---\n" + campaign(), "line"),
    "nothing": check("", "not a campaign"),
    "a scalar": check("hello", "hello"),
    "a null byte": check("name: a\0b\n", "#x0000"),
    "Latin-1": check(b"name: caf\xe9\n", "UTF-8"),
    "UTF-16": check(campaign().encode("utf-16"), "UTF-8"),
    "an image": check(bytes(range(256)) * 10, "UTF-8"),
    "half a character": check(lines('name: "\\ud800"'), "name"),
    "a file of 5 MiB": check(campaign() + "# " + "x" * 5 * 2**20, "too large"),
    "NaN for a number": check(lines("stability: {noise_eV_per_atom: .nan}"), "stability.noise_eV_per_atom", "finite"),
    "NaN for a weight": check(lines("ranking: {weights: {prior: .nan}}"), "ranking.weights", "finite"),
    "infinity for a weight": check(lines("ranking: {weights: {prior: .inf}}"), "ranking.weights", "finite"),
    "NaN for a force": check(lines("structures: {coarse_fmax: .nan}"), "structures.coarse_fmax", "finite"),
    "NaN in levels": check(
        lines("rules: {overrides: {group_wall: {mode: score, levels: {7: .nan}}}}"),
        "rules.overrides.group_wall.levels.7",
        "finite",
    ),
    "NaN as a level": check(lines("rules: {overrides: {group_wall: {levels: {.nan: 1}}}}"), "levels", "finite"),
    "a level above 1": check(
        lines("rules: {overrides: {group_wall: {mode: score, levels: {7: 5}}}}"),
        "rules.overrides.group_wall.levels.7",
        "5",
        "less than or equal to 1",
    ),
    "a level below 0": check(lines("rules: {overrides: {group_wall: {levels: {7: -0.1}}}}"), "levels.7", "-0.1"),
    "NaN among the allowed": check(lines("rules: {overrides: {electron_count: {allowed: [.nan]}}}"), "allowed.0"),
    "nothing allowed": check(lines("rules: {overrides: {electron_count: {allowed: []}}}"), "allowed"),
    "bounds that cross": check(lines("rules: {overrides: {group_wall: {low: 9, high: 3}}}"), "low 9", "high 3"),
    "a huge n": check(campaign(space=[{"centres": ["Re"], "cations": ["K"], "n": 10**30}]), "space.0.n"),
    "a rule file of null bytes": Case(
        ["campaign", "check", "c.yaml"], {"c.yaml": lines('rules: {files: ["a\\0.py"]}')}, ["rules.files", "null byte"]
    ),
    "a rule file with a long name": Case(
        ["campaign", "check", "c.yaml"],
        {"c.yaml": lines(f"rules: {{files: [{LONG}.py]}}")},
        ["rules.files", "too long"],
    ),
    "a rule set with a long name": Case(
        ["campaign", "check", "c.yaml"], {"c.yaml": lines(f"rules: {{set: {LONG}}}")}, ["rules.set", "too long"]
    ),
    "a rule set of another folder": Case(
        ["campaign", "check", "c.yaml"], {"c.yaml": lines("rules: {set: ../spaces/wide-9}")}, ["rules.set", "takagi"]
    ),
    "a host with a long name": Case(
        ["campaign", "check", "c.yaml"],
        {"c.yaml": lines(f"structures: {{sources: [{LONG}.cif]}}")},
        ["structures.sources", "too long"],
    ),
    "an unknown engine": Case(
        ["campaign", "check", "c.yaml"], {"c.yaml": lines("engine: {name: oracle}")}, ["engine.name", "chgnet"]
    ),
}
PATHS = {
    f"{' '.join(command)} {name}": Case([*command, value], {}, [problem])
    for command in (["campaign", "check"], ["enumerate"], ["run"], ["rules", "show"])
    for name, value, problem in [
        ("long", f"{LONG}.yaml", "too long"),
        ("very long", f"{'a' * 5000}.yaml", "too long"),
        ("null byte", "a\0.yaml", "null byte"),
        ("no user", "~nobody-of-this-name/c.yaml", "no user"),
        ("absent", "absent.yaml", "does not exist"),
        ("folder", ".", "."),
    ]
} | {
    f"{command[0]} --store {name}": Case([*command, "--store", value], {"c.yaml": campaign()}, ["--store", problem])
    for command in (["query"], ["status"], ["resume"], ["run", "c.yaml"])
    for name, value, problem in [
        ("long", LONG, "too long"),
        ("long beside", "a" * 250, "too long"),
        ("null byte", "a\0b", "null byte"),
        ("no user", "~nobody-of-this-name/x.db", "no user"),
        ("folder", ".", "folder"),
        ("device", "/dev/null", "no plain file"),
        ("server", "postgres://host", "postgres"),
    ]
}
VALUES = {
    "a formula of 5000 open parentheses": Case(["explain", "(" * 5000], {}, ["formula"]),
    "weights with a long name": Case(
        ["search", "K2ReH9", "--engine", "sevennet", "--model", f"{LONG}.pth"], {}, ["--model", "too long"]
    ),
    "an engine with a null byte": Case(["search", "K2ReH9", "--engine", "x\0"], {}, ["--engine"]),
    "a million relaxations": Case(["search", "K2ReH9", "--relaxations", "1000000"], {}, ["--relaxations", "10000"]),
    "a seed of 30 digits": Case(["search", "K2ReH9", "--seed", "1" * 30], {}, ["--seed"]),
    "NaN seconds": Case(["search", "K2ReH9", "--seconds", "nan"], {}, ["--seconds"]),
    "a source with a long name": Case(["search", "K2ReH9", "--source", f"{LONG}.cif"], {}, ["too long"]),
    "a negative limit": Case(["enumerate", "quickstart", "--limit", "-1"], {}, ["--limit", "-1"]),
    "a limit of 5000 digits": Case(["enumerate", "quickstart", "--limit", DIGITS], {}, ["--limit"]),
    "a workflow with a long name": Case(["run", "quickstart", "--workflow", f"{LONG}.py"], {}, ["too long"]),
    "a workflow of another folder": Case(["run", "quickstart", "--workflow", "../src/ninefold/keys"], {}, ["screen"]),
    "10^30 workers": Case(["run", "quickstart", "--workers", "1" + "0" * 30, "--store", "."], {}, ["--store"]),
    "infinitely many cations": Case(
        ["rules", "recall", "--compounds", "c.yaml"],
        {"c.yaml": "- {formula: K2ReH9, centre: Re, n: 9, q: 2, m: 0, cations: {K: .inf}, source: x, mark: mem}"},
        ["c.yaml"],
    ),
    "a rule set with NaN": Case(
        ["rules", "show", "c.yaml"], {"c.yaml": "name: x\nrules: {group_wall: {levels: {7: .nan}}}"}, ["levels.7"]
    ),
}  # fmt: skip
CODE = {
    f"{kind}: {name}": case
    for name, (code, *words) in {
        "raises": ("raise ValueError('told')", "ValueError", "told"),
        "syntax": ("def (", "SyntaxError"),
        "exits": ("import sys; sys.exit(0)", "sys.exit", "0"),
        "exits with words": ("import sys; sys.exit('bye')", "sys.exit", "bye"),
        "exits without": ("raise SystemExit", "sys.exit"),
        "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        "raises what is no Exception": ("class B(BaseException): pass\nraise B('told')", "B: told"),
        "raises what cannot be printed": ("class E(Exception):\n def __str__(self): raise ValueError\nraise E", "E"),
        "null byte": ("a\0b", "SyntaxError"),
        "Latin-1": (b"x = '\xe9'", "SyntaxError"),
        "absent module": ("import no_such_module", "no_such_module"),
        "recursion": ("def f(): f()\nf()", "RecursionError"),
        "two lines": ("raise ValueError('a\\nb')", "a b"),
        "empty": ("",),
    }.items()
    for kind, case in user_file(code, *words).items()
} | {
    "make_flow raises": workflow("def make_flow(campaign, store): raise ValueError('told')", "ValueError: told"),
    "make_flow exits": workflow("def make_flow(campaign, store): raise SystemExit(0)", "sys.exit"),
    "make_flow returns nothing": workflow("def make_flow(campaign, store): pass", "NoneType", "Flow"),
    "make_flow returns text": workflow("def make_flow(campaign, store): return 'flow'", "str", "Flow"),
    "make_flow returns a list": workflow("def make_flow(campaign, store): return []", "list", "Flow"),
    "make_flow returns no jobs": workflow(
        "from jobflow import Flow\ndef make_flow(campaign, store): return Flow([])", "without jobs"
    ),
    "make_flow takes nothing": workflow("def make_flow(): pass", "TypeError"),
    "make_flow is a number": workflow("make_flow = 3", "make_flow(campaign, store)"),
    "a rule returns nothing": rule("lambda table: None", "", "object", "numbers"),
    "a rule exits": rule("lambda table: __import__('sys').exit(0)", "", "sys.exit"),
    "a rule returns NaN": rule("lambda table: np.full(len(table), np.nan)", "", "nan", "finite"),
    "a rule returns infinity": rule("lambda table: np.full(len(table), np.inf)", "", "inf", "finite"),
    "a rule's bound raises": rule(ONES, ", low=lambda table: 1 / 0", "ZeroDivisionError"),
    "a rule's bound exits": rule(ONES, ", low=lambda table: exit(0)", "sys.exit"),
    "a rule's bound is text": rule(ONES, ", low='x'", "low", "x"),
    "a rule's level is NaN": rule(ONES, ", levels={7: float('nan')}", "levels.7", "finite"),
    "a rule's level is 5": rule(ONES, ", levels={7: 5}", "levels.7", "5"),
    "a rule's levels are a list": rule(ONES, ", levels=[1]", "levels"),
    "a rule's softness is 0": rule(ONES, ", softness=0", "softness", "0"),
    "a rule's mode is unknown": rule(ONES, ", mode='gates'", "mode", "gates"),
    "a rule's stage is unknown": rule(ONES, ", stage='x'", "stage", "result"),
}
CASES = YAML | PATHS | VALUES | CODE

STORE_CASES = {
    "a filter that closes its parenthesis": (["query", "n = 7) OR (n = 8", "-c", "quickstart"], ["filter", "n = 7)"]),
    "the same in export": (["export", "-o", "x.csv", "n = 7) OR (n = 8", "-c", "quickstart"], ["filter"]),
    "a filter that is not finished": (["query", "n = 7 OR", "-c", "quickstart"], ["filter"]),
    "a deep filter": (["query", "(" * 3000 + "n=7" + ")" * 3000], ["filter"]),
    "a deep negation": (["query", "NOT " * 3000 + "n=7"], ["filter"]),
    "a null byte in a filter": (["query", "n=\0"], ["filter"]),
    "half a character in a filter": (["query", 'formula="\udcff"'], ["filter"]),
    "query of an unknown campaign": (["query", "-c", "quikstart"], ["quikstart", "quickstart"]),
    "export of an unknown campaign": (["export", "-o", "x.csv", "-c", "quikstart"], ["quikstart", "quickstart"]),
    "show in an unknown campaign": (["show", "K2ReH9", "-c", "quikstart"], ["quikstart", "quickstart"]),
    "report of an unknown campaign": (["report", "-c", "quikstart"], ["quikstart", "quickstart"]),
    "status of an unknown campaign": (["status", "-c", "quikstart"], ["quikstart", "quickstart"]),
    "resume of an unknown campaign": (["resume", "quikstart"], ["quikstart", "quickstart"]),
    "quotes in a campaign": (["query", "-c", 'a" OR "a"="a'], ["campaign", "quickstart"]),
    "a backslash in a campaign": (["query", "-c", "a\\"], ["campaign", "quickstart"]),
    "a null byte in a campaign": (["query", "-c", "a\0b"], ["campaign", "quickstart"]),
    "half a character in a campaign": (["query", "-c", "\udcff"], ["campaign", "quickstart"]),
    "an empty campaign": (["query", "-c", ""], ["campaign", "quickstart"]),
    "a negative limit": (["query", "--limit", "-1"], ["--limit"]),
    "a limit of 5000 digits": (["query", "--limit", DIGITS], ["--limit"]),
    "quotes in a field": (["query", "--fields", 'n"'], ["--fields"]),
    "quotes in an order": (["query", "--sort", 'n"'], ["sort"]),
    "quotes in a candidate": (["show", '"'], ["formula"]),
    "a long file": (["export", "-o", f"{LONG}.csv"], ["long"]),
    "a long folder": (["export", "-o", LONG], ["long"]),
    "a null byte in a folder": (["export", "-o", "a\0b"], ["null byte"]),
    "a file in a file": (["export", "-o", "ninefold.db/x"], ["ninefold.db"]),
}
DAMAGE = {
    "no JSON": ("doc = '{'", "show"),
    "a list": ("doc = '[1]'", "show"),
    "null": ("doc = 'null'", "show"),
    "nothing in it": ("doc = '{}'", "show"),
    "bytes": ("doc = x'ff00'", "show"),
    "a number of 5000 digits": (f"doc = '{DIGITS}'", "show"),
    "without end": (f"doc = '{'[' * 100_000}'", "show"),
    "a number for a list": ("doc = json_set(doc, '$.minima', 3)", "show"),
    "a column that is no JSON": ("elements = '{'", "elements"),
}
DAMAGED_COMMANDS = {
    "show": ["show", "K2ReH9"],
    "elements": ["query", "--fields", "elements", "--json"],  # columns alone are read
}


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "ninefold.db"
    with SQLiteStore(path, "write") as repository:
        write(repository, report_sample.records())
        for collection, rows in (("funnel", report_sample.funnel()), ("references", report_sample.references())):
            repository.put(collection, [MODELS[collection](**row) for row in rows])
    return path


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command line in this process: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    monkeypatch.delenv("NINEFOLD_DEBUG", raising=False)
    monkeypatch.setattr(locate, "_opened", set())  # an error is blamed on damaged stores that this process has opened

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    return run


def told(outcome: tuple[object, str, str], code: int = 2) -> str:
    """The one line of an outcome."""
    assert outcome[0] == code, outcome
    errors = outcome[2].splitlines()
    assert len(errors) == 1, errors
    assert errors[0].startswith("ninefold: error: ")
    assert "internal error" not in errors[0]
    assert len(errors[0]) < 2500
    return errors[0]


def left_behind(folder: Path, before: set[Path]) -> set[str]:
    return {
        path.name for path in set(folder.rglob("*")) - before if path.name != "__pycache__" and path.suffix != ".pyc"
    }


@pytest.mark.parametrize(("arguments", "files", "words"), CASES.values(), ids=CASES)
def test_a_mistake(tmp_path, run, arguments, files, words):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = set(tmp_path.rglob("*"))
    line = told(run(*arguments))
    for word in words:
        assert word in line
    assert not left_behind(tmp_path, before)


@pytest.mark.parametrize(("arguments", "words"), STORE_CASES.values(), ids=STORE_CASES)
def test_a_mistake_beside_a_store(tmp_path, run, sample_store, arguments, words):
    shutil.copy(sample_store, tmp_path / "ninefold.db")
    before = set(tmp_path.rglob("*"))
    line = told(run(*arguments))
    for word in words:
        assert word in line
    assert not left_behind(tmp_path, before)


@pytest.mark.parametrize(("change", "command"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_document_is_the_store_s(tmp_path, run, sample_store, change, command):
    shutil.copy(sample_store, tmp_path / "ninefold.db")
    with closing(sqlite3.connect(tmp_path / "ninefold.db")) as connection:
        connection.execute(f"UPDATE candidates SET {change}")
        connection.commit()
    line = told(run(*DAMAGED_COMMANDS[command]), code=1)
    assert "ninefold.db' is damaged" in line
    assert "candidates" in line


def test_our_own_fault_stays_ours(tmp_path, run, sample_store, monkeypatch):
    from ninefold.report import terminal

    shutil.copy(sample_store, tmp_path / "ninefold.db")
    monkeypatch.setattr(terminal, "ranked_table", lambda *_: {}["column"])
    code, _, errors = run("query")
    assert code == 1
    assert errors.startswith("ninefold: error: internal error: KeyError: 'column'")


@pytest.mark.parametrize("mode", ["json", "table"])
def test_what_is_large_and_no_mistake(tmp_path, run, sample_store, mode):
    shutil.copy(sample_store, tmp_path / "ninefold.db")
    for arguments in (["--limit", "1" + "0" * 30], ["elements LENGTH < " + DIGITS], ["n = " + DIGITS, "--limit", "0"]):
        code, _, errors = run("query", *arguments, "--format", mode)
        assert (code, errors) == (0, "")


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop"])
def test_what_is_no_file_is_not_read(tmp_path, run, kind):
    place = tmp_path / "c.yaml"
    {"pipe": os.mkfifo, "folder": Path.mkdir, "loop": lambda path: path.symlink_to(path.name)}[kind](place)
    for arguments in (
        ["campaign", "check", "c.yaml"],
        ["explain", "K2ReH9", "--rules", "c.yaml"],
        ["rules", "recall", "--compounds", "c.yaml"],
        ["query", "--store", "c.yaml"],
    ):
        assert "c.yaml" in told(run(*arguments))


def test_dates_and_yes_stay_words(tmp_path, run):
    text = "description: 2024-01-01\nname: 2024-01-01\nspace: [{centres: [Re], cations: [K], n: [7, 9]}]\n"
    (tmp_path / "c.yaml").write_text(text)
    code, output, _ = run("campaign", "check", "c.yaml", "--json")
    assert code == 0
    assert json.loads(output)["settings"]["description"] == "2024-01-01"


def test_aliases_that_a_person_writes_are_read(tmp_path, run):
    text = "name: x\nspace:\n  - &k {centres: [Re], cations: [K], n: [7, 9]}\n  - {<<: *k, cations: [Na]}\n"
    (tmp_path / "c.yaml").write_text(text)
    assert run("campaign", "check", "c.yaml")[0] == 0


def test_a_job_of_a_user_s_workflow_that_fails_names_its_file(tmp_path, run):
    raising = ("raise ValueError('told')", ["ValueError: told", "line 4"], 1)  # the others go on: incomplete
    for code, words, expected in (raising, ("exit(0)", ["sys.exit"], 2)):
        (tmp_path / "c.yaml").write_text(campaign())
        (tmp_path / "r.py").write_text(JOB.format(code))
        line = told(run("run", "c.yaml", "--workflow", "r.py", "--update"), code=expected)
        for word in ["r.py", *words]:
            assert word in line


# the environment


def shell(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m ninefold.cli.main"
    return subprocess.run(
        ["sh", "-c", script.replace("ninefold", command, 1)],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("exec ninefold query > /dev/full", 2, ["output", "No space left"]),
        ("exec ninefold query --json > /dev/full", 2, ["output", "No space left"]),
        ("exec ninefold query >&-", 2, ["output", "Bad file descriptor"]),
        ("mkdir d && cd d && rmdir ../d && exec ninefold query", 2, ["working folder"]),
        ("mkdir d && cd d && rmdir ../d && exec ninefold rules list --json > /dev/null", 0, []),
        ("exec ninefold rules list > /dev/null <&-", 0, []),
    ],
)  # fmt: skip
def test_streams_and_working_folder(tmp_path, sample_store, script, code, words):
    shutil.copy(sample_store, tmp_path / "ninefold.db")
    done = shell(script, tmp_path)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == (1 if words else 0)
    for word in words:
        assert word in done.stderr


def test_nobody_listens(tmp_path, sample_store):
    shutil.copy(sample_store, tmp_path / "ninefold.db")
    done = shell("ninefold query --fields all --format csv | head -1", tmp_path)
    assert done.stderr == ""
    assert shell("exec ninefold nonsense 2>&-", tmp_path).returncode == 2


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_an_ascii_terminal(tmp_path, sample_store, environment):
    shutil.copy(sample_store, tmp_path / "ninefold.db")
    for arguments in ("query", "show K2ReH9", "rules list"):
        done = shell(f"exec ninefold {arguments}", tmp_path, **environment)
        assert (done.returncode, done.stderr) == (0, "")
    rows = json.loads(shell("exec ninefold rules list --json", tmp_path, **environment).stdout)["rules"]
    assert any("Å" in row["unit"] for row in rows)


def test_a_file_name_that_is_no_utf8(tmp_path, sample_store):
    name = os.fsdecode(b"caf\xe9")
    shutil.copy(sample_store, tmp_path / f"{name}.db")
    (tmp_path / f"{name}.yaml").write_text(campaign())
    assert ninefold("query", "--store", f"{name}.db", cwd=tmp_path).returncode == 0
    assert ninefold("campaign", "check", f"{name}.yaml", cwd=tmp_path).returncode == 0
    done = ninefold(
        "report",
        "--store",
        f"{name}.db",
        "--out",
        f"{name}.html",
        cwd=tmp_path,
        encoding="utf-8",
        errors="surrogateescape",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"{name}.html").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize(
    "arguments", [["campaign", "check", "c.yaml"], ["rules", "show", "c.yaml"], ["query", "--store", "c.yaml"]]
)
def test_what_may_not_be_read(tmp_path, run, arguments):
    (tmp_path / "c.yaml").write_text(campaign())
    (tmp_path / "c.yaml").chmod(0)
    assert "c.yaml" in told(run(*arguments, "c.yaml"))
