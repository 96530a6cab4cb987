"""Rediscovery: every compound of the shipped list can be set up; what is counted is what was found."""

from pathlib import Path

import pytest

from ninefold.errors import InputError
from ninefold.flows.rediscover import Compound, published, read_settings, runs, success, table
from ninefold.structures.checks import check_shells
from ninefold.structures.known_types import type_names

SETTINGS = read_settings(Path(__file__).parents[2] / "workflows" / "rediscovery.yaml")


@pytest.mark.parametrize("compound", SETTINGS.compounds, ids=lambda compound: compound.phase)
def test_published_structures_are_structures_of_their_anions(compound):
    phase, assignment = published(compound)
    assert compound.type in type_names()
    shells = check_shells(phase.structure, assignment)
    assert set(shells.coordination_numbers) == {assignment.n}
    assert phase.source


def test_enough_compounds_and_seeds():
    assert sum(compound.apart is None for compound in SETTINGS.compounds) >= 15
    assert len(SETTINGS.seeds) == 5
    assert len({run.key for run in runs(SETTINGS)}) == 2 * 5 * len(SETTINGS.compounds)


def row(difference, *, is_withheld=True, apart=None):
    return {
        "phase": "A", "formula": "A", "published_space_group": "P1", "is_withheld": is_withheld, "apart": apart,
        "seed": 0, "difference": difference, "is_match": False, "found_space_group": "P1", "relaxations": 1,
        "core_seconds": 1.0,
    }  # fmt: skip


def test_success_counts_what_is_within_the_goal_and_nothing_apart():
    rows = [row(-3.0), row(14.9), row(15.1), row(None), row(0.0, apart="x"), row(6.0, is_withheld=False)]
    assert success(rows, True) == (2, 4)
    assert success(rows, False) == (0, 1)
    assert "none" in table(rows)


def test_unknown_phase():
    with pytest.raises(InputError, match="K2ReH9 K2ReH9"):
        published(Compound(phase="K2ReH9 dream", type="K2ReH9"))
