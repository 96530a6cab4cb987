"""`campaign check --no-code`: says what would run, and runs none of it."""

import json
import sys

import pytest
import yaml

from campaign_run import CAMPAIGN
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
        {"engine": {"name": "torchsim", "model": "sevennet:7net-0"}},
        {"structures": {"sources": ["hosts", str(tmp_path / "host.cif")]}},
    ):
        assert foreign_code(parse_campaign({**CAMPAIGN, **settings})) == []


def test_weights_that_run_code_are_refused(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("sevenn")
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
    pytest.importorskip("sevenn")
    import shutil

    from ninefold.engines.foundation import FAMILIES, refuse_code

    for name, path in FAMILIES["sevennet"].bundled().items():
        refuse_code(shutil.copy(path, tmp_path / f"{name}.pth"), {})
