"""Complex hydrides that have been made: what rules and results are checked against."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.chemistry.formula import parse_formula
from ninefold.errors import InputError
from ninefold.yaml_files import read_yaml

PROVENANCE = ("published", "from memory", "derived")
"""How well an entry is known: read in the publication; from memory, unverified; derived or estimated here."""


@dataclass(frozen=True)
class KnownCompound:
    """A compound that has been made, with its assignment and where that stands."""

    assignment: Assignment
    source: str
    provenance: str
    """published: read in the publication; from memory; derived: assigned here."""
    space_group: int | None = None
    structure_type: str | None = None
    synthesis: str | None = None
    pressure_GPa: float | None = None
    """Lowest hydrogen or apparatus pressure that was reported to work, GPa."""
    temperature_K: float | None = None
    """Lowest temperature of synthesis that was reported to work, K."""
    doi: str | None = None
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


def read_compounds(path: Path, field: str = "compounds") -> tuple[KnownCompound, ...]:
    """A user's own compounds, in the format of ninefold's `known_compounds.yaml`.

    Args:
        path: The file.
        field: What the file is to the user, for the error.

    Raises:
        InputError: if the file cannot be read or names an assignment twice; of a broken entry, with its key and value.
    """
    entries = read_yaml(path, field)
    if not isinstance(entries, list):
        raise InputError(field, str(path), problem="is not a list of compounds", hint=_EXAMPLE)
    compounds: dict[str, KnownCompound] = {}
    for number, entry in enumerate(entries, start=1):
        compound = _compound(entry, f"{field}: {path}: compound {number}")
        label = compound.assignment.label
        if label in compounds:
            raise InputError(f"{field}: {path}: compound {number}", label, problem="comes twice")
        compounds[label] = compound
    return tuple(compounds.values())


def with_own_compounds(path: Path | None, field: str = "compounds") -> tuple[KnownCompound, ...]:
    """The compounds that ninefold ships and those of a user's file; an assignment that both hold is the user's.

    Raises:
        InputError: as `read_compounds`.
    """
    own = () if path is None else read_compounds(path, field)
    by_label = {compound.assignment.label: compound for compound in (*known_compounds(), *own)}
    return tuple(by_label.values())


def known_formulas(compounds: Iterable[KnownCompound] | None = None) -> frozenset[str]:
    """Formulas of compounds that have been made."""
    return frozenset(compound.formula for compound in (known_compounds() if compounds is None else compounds))


def _compound(entry: Any, where: str) -> KnownCompound:
    if not isinstance(entry, dict):
        raise InputError(where, entry, problem="is not a compound", allowed="a mapping", hint=_EXAMPLE)
    if unknown := [key for key in entry if key not in _KEYS]:
        raise InputError(where, unknown[0], problem="is not a known key", allowed=", ".join(_KEYS))
    if missing := [key for key in _REQUIRED if key not in entry]:
        raise InputError(where, missing[0], problem="is a key that is missing", hint=_EXAMPLE)
    if isinstance(entry.get("formula"), str):
        where = f"{where}, {entry['formula']}"
    values = {key: _KEYS[key](value, f"{where}: {key}") for key, value in entry.items()}
    formula = values.pop("formula", None)
    assignment = _assignment({key: values.pop(key) for key in _ASSIGNMENT}, formula, where)
    return KnownCompound(assignment=assignment, **values)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(where, value, allowed="text")
    return value


def _yes_or_no(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(where, value, allowed="true or false")
    return value


def _one_of(allowed: Iterable[str]) -> Callable[[Any, str], str]:
    def check(value: Any, where: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise InputError(where, value, allowed=", ".join(allowed))
        return value

    return check


def _whole(low: int, high: int) -> Callable[[Any, str], int]:
    def check(value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InputError(where, value, allowed=f"a whole number from {low} to {high}")
        return value

    return check


def _number(high: float) -> Callable[[Any, str], float]:
    def check(value: Any, where: str) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= high:
            raise InputError(where, value, allowed=f"a number from 0 to {high:g}")
        return float(value)

    return check


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(where, value, allowed="a list of rules")
    return tuple(value)


def _cations(value: Any, where: str) -> dict[str, int]:
    if not isinstance(value, dict) or not value:
        raise InputError(where, value, allowed="symbol: number per centre", hint="{K: 2}")
    for symbol, count in value.items():
        _one_of(CATION_CHARGES)(symbol, where)
        _whole(1, 20)(count, f"{where}.{symbol}")
    return value


_ASSIGNMENT = ("centre", "n", "q", "m", "cations")
_REQUIRED = (*_ASSIGNMENT, "source", "provenance")
_KEYS: dict[str, Callable[[Any, str], Any]] = {
    "formula": _text, "centre": _one_of(GROUP), "n": _whole(1, 14), "q": _whole(1, 20), "m": _whole(0, 20),
    "cations": _cations, "source": _text, "provenance": _one_of(PROVENANCE),
    "space_group": _whole(1, 230), "structure_type": _text, "synthesis": _text, "pressure_GPa": _number(1000),
    "temperature_K": _number(10_000), "doi": _text, "violates": _texts, "fitted": _yes_or_no,
}  # fmt: skip
_EXAMPLE = (
    "- {formula: K2ReH9, centre: Re, n: 9, q: 2, m: 0, cations: {K: 2}, source: where it stands, provenance: published}"
)


def _assignment(values: dict[str, Any], formula: str | None, where: str) -> Assignment:
    """The assignment of an entry; cations take those of their usual charges that balance q + m."""
    symbols = sorted(values["cations"])
    if values["centre"] in symbols:
        raise InputError(f"{where}: cations", values["centre"], problem="is the centre too")
    q, m = values["q"], values["m"]
    for charges in itertools.product(*(CATION_CHARGES[symbol] for symbol in symbols)):
        cations = tuple(Cation(s, values["cations"][s], charge) for s, charge in zip(symbols, charges, strict=True))
        assignment = Assignment(values["centre"], values["n"], q, m, cations)
        if formula is not None and parse_formula(formula) != assignment.amounts:
            raise InputError(f"{where}: formula", formula, problem=f"is not what its parts make: {assignment.formula}")
        if assignment.cation_charge == q + m:
            return assignment
    raise InputError(
        where, f"q + m = {q + m}",
        problem="does not balance the cations' usual charges", hint="Z = q + m, all per centre",
    )  # fmt: skip
