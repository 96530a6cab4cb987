"""`campaign check --no-code`: says what would run, and runs none of it."""

import json
import sys

import pytest
import yaml

from campaign_run import CAMPAIGN
from installed_package import install
from ninefold.campaign import parse_campaign
from ninefold.campaign.foreign import foreign_code
from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.errors import InputError

PWN = "from pathlib import Path\nPath({!r}).touch()\n"


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.syspath_prepend(tmp_path)

    def check(*arguments, **settings):
        (tmp_path / "c.yaml").write_text(yaml.safe_dump({**CAMPAIGN, **settings}))
        monkeypatch.setattr(sys, "argv", ["ninefold", "campaign", "check", "c.yaml", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    return check


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"rules": {"files": ["evil.py"], "overrides": {"of_evil": {"mode": "gate"}}}}, "evil.py"),
        ({"structures": {"sources": ["evil.py:f"]}}, "evil.py:f"),
        ({"structures": {"sources": ["evil:f"]}}, "evil:f"),
        ({"engine": {"name": "evil.py:f"}}, "evil.py:f"),
        ({"engine": {"name": "evil:f"}}, "evil:f"),
        ({"ranking": {"weights": {"evil.py:f": 1}}}, "evil.py:f"),
        ({"ranking": {"weights": {"evil:f": 1, "prior": 1}}}, "evil:f"),
        ({"rules": {"files": ["evil:f"]}}, "evil:f"),
        ({"rules": {"files": ["evil.py:f"]}}, "evil.py:f"),
        ({"engine": {"name": "mace", "model": "evil.model"}}, "evil.model"),
        ({"engine": {"name": "grace", "model": "evil"}}, "evil"),
        ({"engine": {"name": "torchsim", "model": "mace:evil.model"}}, "evil.model"),
        ({"engine": {"name": "sevennet", "model": "evil.pth"}}, "evil.pth"),
    ],
)
def test_nothing_runs_and_everything_is_named(tmp_path, check, settings, named):
    mark = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(PWN.format(str(mark)))
    code, output, errors = check("--no-code", "--json", **settings)
    assert code == 0, errors
    assert [item["name"].endswith(named) for item in json.loads(output)["code"]] == [True]
    assert named in check("--no-code", **settings)[1]
    assert not mark.exists()
    assert "evil" not in sys.modules


KINDS = {
    "rules": {"rules": {"files": ["evil:f"]}},
    "sources": {"structures": {"sources": ["evil"]}},
    "engines": {"engine": {"name": "evil"}},
    "ranking_terms": {"ranking": {"weights": {"evil": 1}}},
}


def test_what_a_package_announces_is_named_with_the_package(tmp_path, monkeypatch, check):
    mark = tmp_path / "ran"
    points = {f"ninefold.{kind}": {"evil": "evil_plugin:f"} for kind in KINDS}
    install(tmp_path, points, name="evil-plugin", code=PWN.format(str(mark)))
    settings = {key: value for kind, names in KINDS.items() if kind != "rules" for key, value in names.items()}
    code, output, errors = check("--no-code", "--json", **settings)
    assert code == 0, errors
    named = {item["field"]: (item["name"], item["what"]) for item in json.loads(output)["code"]}
    assert set(named) == {"ninefold.rules", "structures.sources", "engine.name", "ranking.weights"}
    for name, what in named.values():
        assert name == "evil_plugin:f"
        assert "of the package evil-plugin 1.0" in what
    assert not mark.exists()


def test_a_package_that_takes_one_of_our_names_is_told(tmp_path, check):
    install(tmp_path, {"ninefold.engines": {"lj": "evil_plugin:f"}}, name="evil-plugin", code="raise ValueError\n")
    code, _, errors = check(engine={"name": "lj"})
    assert code == 0
    assert "note: the package evil-plugin 1.0 announces an engine 'lj', a name of ninefold's own" in errors


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ranking": {"weights": {"mine.py:nan": 1}}}, ["mine.py:nan", "gives float nan for K2", "from 0 to 1"]),
        ({"ranking": {"weights": {"mine.py:absent": 1}}}, ["mine.py has no 'absent'"]),
        ({"ranking": {"weights": {"absent.py:f": 1}}}, ["absent.py", "does not exist", "ranking.weights"]),
        ({"ranking": {"weights": {"mine.py": 1}}}, ["does not say which ranking term", "mine.py:NAME"]),
        ({"engine": {"name": "absent.py:f"}}, ["engine.name", "absent.py", "does not exist"]),
        ({"engine": {"name": "mine.py:absent"}}, ["engine.name", "mine.py has no 'absent'", "EngineSettings"]),
        ({"engine": {"name": "mine.py"}}, ["engine.name", "does not say which engine"]),
        ({"structures": {"sources": ["mine.py"]}}, ["structures.sources", "does not say which structure source"]),
        ({"rules": {"files": ["mine.py:nan"]}}, ["rules.files", "mine.py:nan", "function", "a Rule"]),
    ],
)
def test_what_cannot_be_used_ends_the_check(tmp_path, check, settings, words):
    (tmp_path / "mine.py").write_text("def nan(item, settings): return float('nan')\n")
    code, output, errors = check(**settings)
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    for word in words:
        assert word in errors


def test_without_the_option_it_runs(tmp_path, check):
    (tmp_path / "evil.py").write_text(PWN.format(str(tmp_path / "ran")))
    assert check(rules={"files": ["evil.py"]})[0] == 2  # holds no Rule, as it turns out
    assert (tmp_path / "ran").exists()


def test_what_can_be_checked_without_code_is_checked(check):
    for settings, word in (
        ({"rules": {"overrides": {"beauty": {"mode": "gate"}}}}, "beauty"),
        ({"rules": {"overrides": {"group_wall": {"levels": {7: 5}}}}}, "levels.7"),
        ({"engine": {"name": "oracle"}}, "oracle"),
        ({"seed": -1}, "seed"),
    ):
        code, _, errors = check("--no-code", **settings)
        assert (code, word in errors) == (2, True), settings


@pytest.mark.parametrize("name", ["takagi-target", "quickstart", "wide-9"])
def test_shipped_campaigns_run_nothing_of_others(name):
    from ninefold.campaign import read_campaign

    assert foreign_code(read_campaign(name)) == []


def test_models_inside_packages_and_hosts_run_nothing(tmp_path):
    (tmp_path / "host.cif").write_text("data_x")
    for settings in (
        {"engine": {"name": "chgnet", "model": "0.2.0"}},
        {"engine": {"name": "sevennet", "model": "7net-l3i5"}},
        {"engine": {"name": "sevennet", "model": "7net-mf-0:PBE"}},
        {"engine": {"name": "torchsim", "model": "sevennet:7net-0"}},
        {"structures": {"sources": ["hosts", str(tmp_path / "host.cif")]}},
    ):
        assert foreign_code(parse_campaign({**CAMPAIGN, **settings})) == []


def test_a_head_behind_a_file_does_not_hide_that_it_is_read(tmp_path):
    for name, model in (("sevennet", "a.pth:PBE"), ("torchsim", "sevennet:a.pth:PBE"), ("torchsim", "mace:a.model")):
        assert foreign_code(parse_campaign({**CAMPAIGN, "engine": {"name": name, "model": model}}))


def test_weights_that_run_code_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    from ninefold.engines import EngineSettings, make_engine

    file = tmp_path / "evil.pth"
    torch.save({"config": Toucher(str(tmp_path / "ran")), "model_state_dict": {}}, file)
    with pytest.raises(InputError, match="run code are refused"):
        make_engine(EngineSettings(name="sevennet", model=str(file)))
    assert not (tmp_path / "ran").exists()


class Toucher:
    """Its unpickling makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_copies_of_the_package_s_own_weights_pass(tmp_path):
    import shutil

    from ninefold.engines.foundation import FAMILIES
    from ninefold.engines.weights import refuse_code

    for name, path in FAMILIES["sevennet"].bundled().items():
        refuse_code(shutil.copy(path, tmp_path / f"{name}.pth"), {})


STAGE = """
from ninefold.stages import CandidateStage, Column, Stage

MINE = CandidateStage(Stage("mine", after="stability"), {{"density": Column("g/cm3", "mass density")}}, {})
"""


@pytest.mark.parametrize(
    ("compute", "words"),
    [
        ("lambda structure, candidate, engine: {'dens': 1.0}", "gives 'dens', which it does not declare"),
        ("lambda structure, candidate: {}", "cannot be called"),
    ],
)
def test_a_stage_that_would_fail_ends_the_check(tmp_path, check, compute, words):
    (tmp_path / "mine.py").write_text(STAGE.format(compute))
    code, output, errors = check(stages=["mine.py:MINE"])
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert words in errors
    assert check("--no-code", stages=["mine.py:MINE"])[0] == 0
