"""The potentials of docs/potentials are whole, and within the limits that rates are claimed in."""

from pathlib import Path

import pytest
from ase.io import read

from ninefold.dynamics.distilled import read_result

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[2] / "docs" / "potentials").glob("*/result.json"))


def test_there_are_some():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_shipped_potential_is_claimed(folder):
    result = read_result(folder)
    assert result["is_claimed"]
    assert not result["reasons"]
    assert set(result["species"]) == set(read(folder / "start.xyz").get_chemical_symbols())
    assert f"| {folder.name} |" in (folder.parent / "README.md").read_text(encoding="utf-8")
