"""The pages on rules say what the code does: every rule has its page, with the bound and mode that it has."""

import re
from pathlib import Path

import pytest

from ninefold.rules import RuleSettings, known_rules, load_rule_set

FOLDER = Path(__file__).parents[2] / "docs" / "rules"
INDEX = (FOLDER / "index.md").read_text(encoding="utf-8")
FAMILIES = [page for page in FOLDER.glob("*.md") if page.stem not in ("index", "extend")]
TAKAGI = {rule.name: rule for rule in load_rule_set(RuleSettings()).rules}


def rows(text):
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for name in re.findall(r"`(\w+)`", cells[0]) if line.startswith("| `") else ():
            yield name, cells


def test_every_rule_is_in_the_index_once():
    named = [name for name, _ in rows(INDEX)]
    assert sorted(named) == sorted(rule.name for rule in known_rules() if rule.origin == "ninefold")


@pytest.mark.parametrize("name", TAKAGI)
def test_mode_and_bound_are_those_of_takagi(name):
    [(_, cells)] = [row for row in rows(INDEX) if row[0] == name]
    rule = TAKAGI[name]
    assert cells[3].split(",")[0] == rule.mode.value
    assert ("on results" in cells[3]) == (rule.stage == "result")
    for bound in (rule.low, rule.high):
        if isinstance(bound, float) and rule.mode != "off" and rule.levels is None:
            assert f"{bound:g}" in cells[2]


@pytest.mark.parametrize("page", FAMILIES, ids=lambda page: page.stem)
def test_a_family_page_has_sources_limits_and_counter_examples(page):
    text = page.read_text(encoding="utf-8")
    for heading in ("Sources.", "Limits.", "Counter-examples"):
        assert heading in text
    assert set(re.findall(r"`(\w+)`", text.splitlines()[0])) <= set(TAKAGI)


def test_every_rule_has_one_family_page():
    for name in TAKAGI:
        assert any(f"`{name}`" in page.read_text(encoding="utf-8").splitlines()[0] for page in FAMILIES), name
