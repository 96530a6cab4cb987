"""The page on made compounds says what the list holds."""

from collections import Counter
from pathlib import Path

from ninefold.chemistry.compounds import _KEYS, known_compounds

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "compounds.md").read_text(encoding="utf-8").split())


def test_counts_are_those_of_the_list():
    compounds = known_compounds()
    provenances = Counter(compound.provenance for compound in compounds)
    many = sum(compound.assignment.n >= 7 for compound in compounds)
    violators = sum(bool(compound.violates) for compound in compounds)
    assert f"holds {len(compounds)} complex transition-metal hydrides, {many} of them with seven" in PAGE
    assert f"{violators} that break the 18-electron rule" in PAGE
    assert f"{provenances['published']} carry `published`" in PAGE
    assert f"{provenances['from memory']} carry `from memory`" in PAGE


def test_every_key_is_explained():
    assert not [key for key in _KEYS if f"`{key}`" not in PAGE]
