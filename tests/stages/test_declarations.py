"""What stages and engines say of themselves: a closed set each, checked where one of a user's is loaded."""

import json
import sys
from typing import get_args

import pytest

from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.engines.registry import make_engine
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError
from ninefold.models.evidence import EVIDENCE, Evidence
from ninefold.stages.order import OF_ENGINES, SHIPPED, STRUCTURED, in_order
from ninefold.stages.own import own_stage
from ninefold.stages.stage import Resources

STAGE = """
from ninefold.stages import CandidateStage, Column, Resources, Stage

MINE = CandidateStage(Stage("mine", {declared}), {{"{key}": Column("g/cm3", "mass density")}}, lambda *_: {{}})
"""
ENGINE = """
from ase.calculators.lj import LennardJones
from ninefold.engines.ase_engine import ASEEngine

def mine(settings):
    return ASEEngine("mine", "mine", LennardJones(), (), evidence={evidence!r})
"""


def stage_file(folder, declared='after="stability"', key="density"):
    (folder / "mine.py").write_text(STAGE.format(declared=declared, key=key))
    return f"{folder}/mine.py:MINE"


@pytest.mark.parametrize("after", STRUCTURED)
def test_a_stage_follows_one_that_leaves_structures(tmp_path, after):
    assert own_stage(stage_file(tmp_path, f'after="{after}"')).stage.after == after
    names = [stage.name for stage in in_order([own_stage(f"{tmp_path}/mine.py:MINE").stage])]
    assert names.index(after) < names.index("mine") < names.index("rank")


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ('after="stabilty"', "declares after='stabilty'; allowed: prescreen, stability, energies"),
        ("after=None", "declares after=None; allowed: prescreen, stability, energies"),
        ('after="rank"', "declares after='rank'; allowed: prescreen"),
        ('after="stability", evidence="dft"', "declares evidence='dft'; allowed: rule, force field, ML, DFT, phonon"),
        ('after="stability", resources=Resources("gpus")', "allowed: Resources(kind, cores, memory_GB, minutes)"),
        ('after="stability", resources=Resources(memory_GB=0)', "memory_GB=0"),
        ('after="stability", resources=Resources(minutes=float("nan"))', "minutes=nan"),
        ('after="stability", resources="gpu"', "declares resources='gpu'"),
    ],
)
def test_what_a_stage_declares_is_checked(tmp_path, declared, words):
    with pytest.raises(InputError) as told:
        own_stage(stage_file(tmp_path, declared))
    assert words in str(told.value)
    assert str(told.value).startswith("stages: ")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("Density", "gives 'Density', which no filter can name; allowed: small letters"),
        ("a-b", "no filter can name"),
        ("_ninefold_density", "no filter can name"),
        ("e_above_hull", "a quantity of ninefold's own"),
        ("verdicts", "a quantity of ninefold's own"),
    ],
)
def test_a_column_has_a_name_of_its_own(tmp_path, key, words):
    with pytest.raises(InputError, match=words):
        own_stage(stage_file(tmp_path, key=key))


def test_levels_of_evidence_are_one_set():
    assert tuple(EVIDENCE) == get_args(Evidence)
    assert {stage.evidence for stage in SHIPPED.values()} <= set(EVIDENCE)


def test_an_engine_has_one_of_the_levels(tmp_path):
    (tmp_path / "good.py").write_text(ENGINE.format(evidence="force field"))
    assert make_engine(EngineSettings(name=f"{tmp_path}/good.py:mine")).evidence == "force field"
    (tmp_path / "bad.py").write_text(ENGINE.format(evidence="very good"))
    with pytest.raises(InputError) as told:
        make_engine(EngineSettings(name=f"{tmp_path}/bad.py:mine"))
    assert "bad.py:mine' has the evidence level 'very good'; allowed: rule, force field, ML, DFT" in str(told.value)


def test_stages_are_listed_with_a_campaign_s_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    stage_file(tmp_path, 'after="stability", evidence="DFT", resources=Resources("dft", 16, 2.5, 600)')
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nspace: [{centres: [Re], cations: [K], n: 9, m: 0}]\nstages: ['mine.py:MINE']\n"
    )

    def told(*arguments):
        monkeypatch.setattr(sys, "argv", ["ninefold", "stages", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        return capsys.readouterr().out

    assert [row["stage"] for row in json.loads(told("--json"))] == [stage.name for stage in in_order()]
    listed = {row["stage"]: row for row in json.loads(told(str(tmp_path / "mine.yaml"), "--json"))}
    assert set(listed) == {*SHIPPED, "mine"}
    of_engines = {name: listed[name]["evidence"] for name in OF_ENGINES}
    assert of_engines == dict.fromkeys(OF_ENGINES, "ML"), "CHGNet's"
    text = (tmp_path / "mine.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text + "search: {name: lj}\nenergies: [{name: gpaw}]\n")
    of_two = {row["stage"]: row["evidence"] for row in json.loads(told(str(tmp_path / "mine.yaml"), "--json"))}
    assert (of_two["prescreen"], of_two["energies"], of_two["rank"], of_two["select"]) == ("test", "DFT", "DFT", "rule")
    assert listed["mine"]["resources"] == Resources("dft", 16, 2.5, 600)._asdict()
    assert listed["mine"]["columns"] == [
        {"key": "density", "unit": "g/cm3", "meaning": "mass density", "kind": "float"}
    ]
    assert (listed["mine"]["after"], listed["mine"]["evidence"]) == ("stability", "DFT")
    monkeypatch.setenv("COLUMNS", "160")
    text = told(str(tmp_path / "mine.yaml"))
    assert "dft, 16 cores, 2.5 GB, 600 min" in text
    assert "density (g/cm3): mass density" in text
