"""The tutorial's rule is written, used, and has the recall that a reader would see."""

import re
from pathlib import Path

import pytest

from ninefold.campaign import read_campaign
from ninefold.rules import load_rule_set, readings, recall

PAGE = Path(__file__).parents[2] / "docs" / "rules" / "extend.md"


@pytest.fixture
def blocks():
    return re.findall(r"```(python|yaml)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def test_python_rule(blocks, tmp_path):
    [source] = [text for kind, text in blocks if kind == "python"]
    (tmp_path / "few_cations.py").write_text(source)
    yaml = [text for kind, text in blocks if kind == "yaml"][-1]
    (tmp_path / "mine.yaml").write_text("name: x\nspace: [{centres: [Mo], cations: [Li]}]\n" + yaml)
    rules = load_rule_set(read_campaign(str(tmp_path / "mine.yaml")).rules)
    kept = {row["name"]: row["rejected_by"] for row in recall(rules).rows}
    assert kept["K2ReH9"] is None
    assert kept["Li5MoH11"] == "few_cations"


def test_parameters_alone(blocks, tmp_path):
    yaml = next(text for kind, text in blocks if kind == "yaml")
    (tmp_path / "mine.yaml").write_text("name: x\nspace: [{centres: [Mo], cations: [Li]}]\n" + yaml)
    rules = load_rule_set(read_campaign(str(tmp_path / "mine.yaml")).rules)
    verdicts = {verdict.rule: verdict for verdict in rules.explain(readings("Mg3CrH8")[0])}
    assert verdicts["charge_per_ligand"].mode == "gate"
    assert not verdicts["charge_per_ligand"].passed
    assert verdicts["light"].unit == "wt%"
