"""Whatever the user gets wrong: one line, exit code 2, no traceback, nothing half-written."""

import pytest
import yaml

from campaign_run import CAMPAIGN, ninefold

GOOD = yaml.safe_dump(CAMPAIGN)


def with_(**changes):
    return yaml.safe_dump({**CAMPAIGN, **changes})


CASES = {
    "unknown element": (with_(space=[{"centres": ["Zz"], "cations": ["K"]}]), ["Zz", "allowed"]),
    "unknown rule set": (with_(rules={"set": "folklore"}), ["folklore", "takagi"]),
    "unknown rule": (with_(rules={"overrides": {"beauty": {"mode": "gate"}}}), ["beauty", "electron_count"]),
    "unknown engine": (with_(engine={"name": "oracle"}), ["oracle", "chgnet"]),
    "unknown model": (with_(engine={"name": "chgnet", "model": "9.9"}), ["9.9", "0.3.0"]),
    "unknown type withheld": (with_(structures={"withhold_types": ["Atlantis"]}), ["Atlantis", "K2ReH9"]),
    "impossible space": (
        with_(space=[{"centres": ["Re"], "cations": ["Mg"], "n": 9, "m": 1, "cation_kinds": 1}]),
        ["no composition"],
    ),
    "rules reject everything": (
        with_(rules={"overrides": {"group_wall": {"mode": "gate", "low": 12}}}),
        ["reject all", "group_wall"],
    ),
    "malformed YAML": ("name: [", ["not valid YAML", "line"]),
    "wrong type": (with_(seed="soon"), ["seed", "soon"]),
    "negative budget": (with_(structures={"pool": -1}), ["structures.pool", "-1"]),
    "empty space": (with_(space=[]), ["space"]),
    "missing rule file": (with_(rules={"files": ["nowhere.py"]}), ["nowhere.py"]),
    "unknown key": (with_(colour="red"), ["colour"]),
}


def is_one_line(process):
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("ninefold: error:")]
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(("text", "words"), CASES.values(), ids=CASES)
def test_campaign_files(tmp_path, text, words):
    (tmp_path / "campaign.yaml").write_text(text)
    line = is_one_line(ninefold("run", "campaign.yaml", cwd=tmp_path))
    for word in words:
        assert word in line
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere.yaml"], ["nowhere.yaml", "quickstart"]),
        (["run", "quickstart", "--store", "no/such/folder/x.db"], ["no/such/folder"]),
        (
            ["run", "quickstart", "--store", "mongodb://ada:pw@127.0.0.1:9/db?timeoutMS=x"],
            ["'mongodb://***@127.0.0.1:9/db?***'"],
        ),
        (
            ["run", "quickstart", "--store", "mongodb://ada:pw@127.0.0.1:9/db?serverSelectionTimeoutMS=100"],
            ["'mongodb://***@127.0.0.1:9/db?***' cannot be reached: no answer within 0.1 s"],
        ),
        (["run", "quickstart", "--report", "/dev/null/r.html"], ["/dev/null"]),
        (["run", "quickstart", "--workflow", "dance"], ["dance", "screen"]),
        (["run", "quickstart", "--workers", "0"], ["0"]),
        (["run"], ["campaign"]),
        (["resume"], ["ninefold.db", "does not exist"]),
        (["query"], ["ninefold.db", "does not exist"]),
        (["status"], ["ninefold.db", "does not exist"]),
        (["explain", "K2ReHx9"], ["K2ReHx9"]),
        (["explain", "Xx2ReH9"], ["Xx"]),
        (["explain", "K2Re"], ["hydrogen"]),
        (["explain", "K2ReH9", "--rules", "folklore"], ["folklore", "takagi"]),
        (["enumerate", "nowhere"], ["nowhere"]),
        (["enumerate", "quickstart", "--format", "parquet"], ["--out"]),
        (["enumerate", "quickstart", "--format", "stone"], ["stone"]),
        (["frobnicate"], ["frobnicate"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_command_lines(tmp_path, arguments, words):
    line = is_one_line(ninefold(*arguments, cwd=tmp_path))
    for word in words:
        assert word in line
    assert not list(tmp_path.iterdir()), "nothing half-written"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["query", "n="], ["n="]),
        (["query", "colour=1"], ["colour"]),
        (["query", 'n="nine"'], ["nine"]),
        (["query", "--fields", "colour"], ["colour", "rank"]),
        (["query", "--sort", "colour"], ["colour"]),
        (["show", "K9ReH9"], ["K9ReH9"]),
        (["show", "(("], ["(("]),
        (["export", "--out", "x.csv", "n=3"], ["n=3"]),
        (["export", "--out", "no/such/x.csv"], ["no/such/x.csv"]),
        (["report", "--out", "/dev/null/x.html"], ["/dev/null"]),
        (["status", "--campaign", "other"], ["other", "tiny"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_reading_commands(finished, tmp_path, arguments, words):
    line = is_one_line(ninefold(*arguments, "--store", finished / "ninefold.db", cwd=tmp_path))
    for word in words:
        assert word in line
    assert not list(tmp_path.iterdir()), "nothing half-written"


def test_garbage_store(tmp_path):
    (tmp_path / "ninefold.db").write_bytes(b"not a database at all" * 100)
    assert "ninefold.db" in is_one_line(ninefold("query", cwd=tmp_path))


def test_store_from_a_newer_ninefold(finished, tmp_path):
    import shutil
    import sqlite3

    shutil.copy(finished / "ninefold.db", tmp_path / "ninefold.db")
    with sqlite3.connect(tmp_path / "ninefold.db") as connection:
        connection.execute("PRAGMA user_version=99")
    assert "newer" in is_one_line(ninefold("query", cwd=tmp_path))


def test_missing_optional_dependency(tmp_path, monkeypatch):
    from ninefold.engines import registry
    from ninefold.engines.settings import EngineSettings
    from ninefold.errors import MissingDependencyError

    monkeypatch.setitem(registry.ENGINES.shipped, "ghost", "no_such_package.engine:Ghost")
    with pytest.raises(MissingDependencyError, match="pip install no_such_package"):
        registry.make_engine(EngineSettings(name="ghost"))
