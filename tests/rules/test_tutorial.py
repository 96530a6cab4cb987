"""The tutorial's rule is written, used, and has the recall that a reader would see."""

import re
from pathlib import Path

import pytest

from ninefold.campaign import read_campaign
from ninefold.chemistry.compounds import read_compounds
from ninefold.rules import RuleSettings, assignments, load_rule_set, recall

PAGE = Path(__file__).parents[2] / "docs" / "rules" / "extend.md"


@pytest.fixture
def blocks():
    return re.findall(r"```(python|yaml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_python_rule(blocks, tmp_path):
    [source] = [text for kind, text in blocks if kind == "python"]
    (tmp_path / "few_cations.py").write_text(source)
    [yaml] = [text for kind, text in blocks if kind == "yaml" and "files:" in text]
    (tmp_path / "mine.yaml").write_text("name: x\nspace: [{centres: [Mo], cations: [Li]}]\n" + yaml)
    rules = load_rule_set(read_campaign(str(tmp_path / "mine.yaml")).rules)
    kept = {row["name"]: row["rejected_by"] for row in recall(rules).rows}
    assert kept["K2ReH9"] is None
    assert kept["Li5MoH11"] == "few_cations"


def test_parameters_alone(blocks, tmp_path):
    yaml = next(text for kind, text in blocks if kind == "yaml")
    (tmp_path / "mine.yaml").write_text("name: x\nspace: [{centres: [Mo], cations: [Li]}]\n" + yaml)
    rules = load_rule_set(read_campaign(str(tmp_path / "mine.yaml")).rules)
    verdicts = {verdict.rule: verdict for verdict in rules.explain(assignments("Mg3CrH8")[0])}
    assert verdicts["charge_per_ligand"].mode == "gate"
    assert not verdicts["charge_per_ligand"].passed
    assert verdicts["light"].unit == "wt%"


def test_compounds_of_ones_own(blocks, tmp_path):
    [yaml] = [text for kind, text in blocks if kind == "yaml" and "violates" not in text and "formula:" in text]
    (tmp_path / "mine.yaml").write_text(yaml)
    assert [compound.formula for compound in read_compounds(tmp_path / "mine.yaml")] == ["K2TcH9"]


def test_rule_on_results(tmp_path):
    page = (PAGE.parent / "results.md").read_text(encoding="utf-8")
    [source] = re.findall(r"```python\n(.*?)```", page, re.S)
    (tmp_path / "dense.py").write_text(source)
    rules = load_rule_set(RuleSettings(files=(str(tmp_path / "dense.py"),)))
    verdicts = {verdict.rule: verdict for verdict in rules.judge({"volume_per_formula_unit": 250.0})}
    assert verdicts["dense"].passed is False
    assert verdicts["dense"].score == pytest.approx(0.3679, abs=1e-4)
