"""The potentials of docs/potentials are whole, and their table says whether rates are claimed from them."""

from pathlib import Path

import pytest
from ase.io import read

from ninefold.dynamics.potentials.distilled import read_result

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[2] / "docs" / "potentials").glob("*/result.json"))


def test_there_are_some():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_shipped_potential_is_in_the_table(folder):
    result = read_result(folder)
    assert result["is_claimed"] == (not result["reasons"])
    assert set(result["species"]) == set(read(folder / "start.xyz").get_chemical_symbols())
    table = (folder.parent / "README.md").read_text(encoding="utf-8").splitlines()
    [row] = [line for line in table if line.startswith(f"| {folder.name} |")]
    assert row.endswith("| claimed |" if result["is_claimed"] else "| not claimed |")
