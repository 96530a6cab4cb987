"""Complex hydrides that have been made: what rules and results are checked against."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES
from ninefold.errors import InputError
from ninefold.yaml_files import read_yaml


@dataclass(frozen=True)
class KnownCompound:
    """A compound that has been made, with its reading and where that stands."""

    assignment: Assignment
    source: str
    mark: str
    """src: read in the publication; mem: from memory; der: assigned here."""
    space_group: int | None = None
    synthesis: str | None = None
    violates: tuple[str, ...] = ()
    """Built-in rules that the compound is known to break."""

    @property
    def formula(self) -> str:
        """Formula per centre."""
        return self.assignment.formula


@functools.cache
def known_compounds() -> tuple[KnownCompound, ...]:
    """The compounds that ninefold ships."""
    return read_compounds(Path(str(files("ninefold.chemistry").joinpath("data/known_compounds.yaml"))))


def read_compounds(path: Path) -> tuple[KnownCompound, ...]:
    """A user's own compounds, in the format of ninefold's `known_compounds.yaml`.

    Raises:
        InputError: if the file cannot be read, or an entry lacks a key.
    """
    entries = read_yaml(path, "compounds")
    if not isinstance(entries, list):
        raise InputError("compounds", str(path), problem="is not a list of compounds")
    return tuple(_compound(entry, str(path)) for entry in entries)


def known_formulas(compounds: Iterable[KnownCompound] | None = None) -> frozenset[str]:
    """Formulas of compounds that have been made."""
    return frozenset(compound.formula for compound in (known_compounds() if compounds is None else compounds))


def _compound(entry: dict[str, Any], where: str) -> KnownCompound:
    try:
        cations = tuple(
            Cation(symbol, count, CATION_CHARGES[symbol][0]) for symbol, count in sorted(entry["cations"].items())
        )
        return KnownCompound(
            assignment=Assignment(entry["centre"], entry["n"], entry["q"], entry["m"], cations),
            source=entry["source"],
            mark=entry["mark"],
            space_group=entry.get("space_group"),
            synthesis=entry.get("synthesis"),
            violates=tuple(entry.get("violates", ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            where,
            entry,
            problem=f"is not a compound: {type(error).__name__} {error}",
            allowed="formula, centre, n, q, m, cations, source, mark",
        ) from error
