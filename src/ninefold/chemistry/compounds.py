"""Complex hydrides that have been made: what rules and results are checked against."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.formula import parse_formula
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
    fitted: bool = False
    """Thresholds of the built-in rules were derived from this compound, so that keeping it tests nothing."""

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
        assignment = _assignment(entry, where)
        return KnownCompound(
            assignment=assignment,
            source=entry["source"],
            mark=entry["mark"],
            space_group=entry.get("space_group"),
            synthesis=entry.get("synthesis"),
            violates=tuple(entry.get("violates", ())),
            fitted=_yes_or_no(entry, "fitted", where),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            where,
            entry,
            problem=f"is not a compound: {type(error).__name__} {error}",
            allowed="formula, centre, n, q, m, cations, source, mark",
        ) from error


def _yes_or_no(entry: dict[str, Any], key: str, where: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise InputError(f"{where}: {key}", value, allowed="true or false")
    return value


def _assignment(entry: dict[str, Any], where: str) -> Assignment:
    """The reading of an entry; cations take those of their usual charges that balance q + m."""
    if entry["centre"] not in GROUP:
        raise InputError(f"{where}: centre", entry["centre"], problem="is no centre", allowed=", ".join(GROUP))
    if unknown := [symbol for symbol in entry["cations"] if symbol not in CATION_CHARGES]:
        raise InputError(
            f"{where}: cations", unknown[0], problem="is no counter-cation", allowed=", ".join(CATION_CHARGES)
        )
    limits = {"n": (1, 14), "q": (1, 20), "m": (0, 20)}
    for key, (low, high) in limits.items():
        if not isinstance(entry[key], int) or not low <= entry[key] <= high:
            raise InputError(f"{where}: {key}", entry[key], allowed=f"a whole number from {low} to {high}")
    symbols = sorted(entry["cations"])
    for charges in itertools.product(*(CATION_CHARGES[symbol] for symbol in symbols)):
        cations = tuple(Cation(s, int(entry["cations"][s]), charge) for s, charge in zip(symbols, charges, strict=True))
        assignment = Assignment(entry["centre"], int(entry["n"]), int(entry["q"]), int(entry["m"]), cations)
        if "formula" in entry and parse_formula(str(entry["formula"])) != assignment.amounts:
            raise InputError(
                f"{where}: formula", entry["formula"], problem=f"is not what its parts make: {assignment.formula}"
            )
        if assignment.cation_charge == assignment.q + assignment.m:
            return assignment
    raise InputError(
        f"{where}: {entry.get('formula', entry)}", f"q + m = {entry['q'] + entry['m']}",
        problem="does not balance the cations' usual charges", hint="Z = q + m, all per centre",
    )  # fmt: skip
