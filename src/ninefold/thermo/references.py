"""The phases that compete: read from package data, built by symmetry."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pymatgen.core import Structure

from ninefold.chemistry.formula import formula_of, parse_formula
from ninefold.engines.settings import RelaxSettings
from ninefold.errors import InputError
from ninefold.structures.crystals import build_structure
from ninefold.thermo.phase import MOLECULE
from ninefold.yaml_files import read_yaml

RELAXATION = RelaxSettings(fmax=0.01, max_steps=500, keep_symmetry=True)
"""Of a solid; a molecule keeps its box. The published symmetry is kept: without it 149 phases came
out within 0.6 meV/atom of the same energy, some after more steps and a few hundredths of an Å off."""


@dataclass(frozen=True)
class ReferencePhase:
    """A competing phase as the literature has it."""

    name: str
    """Formula and structure type, unique: `MgH2 rutile`."""
    formula: str
    kind: str
    """element | molecule | binary | ternary | intermetallic | known_hydride."""
    structure: Structure
    """Primitive cell, before any relaxation."""
    space_group: str
    """Symbol that the structure was built with."""
    source: str
    provenance: str
    """published: read in the publication; from memory; derived: derived or estimated here."""
    notes: tuple[str, ...] = ()
    refuted: str | None = None
    """Why the structure is wrong, if it is: it stays beside its composition and is kept out of every hull."""

    @property
    def relax_settings(self) -> RelaxSettings:
        """How it is relaxed: to 0.01 eV/Å in its symmetry; a molecule's box stays as it is."""
        return RELAXATION.model_copy(update={"relax_cell": self.kind != MOLECULE})

    @property
    def elements(self) -> frozenset[str]:
        """Symbols."""
        return frozenset(parse_formula(self.formula))


@dataclass(frozen=True)
class MissingPhase:
    """A competing phase that is not in the hull, and why."""

    formula: str
    reason: str


def reference_phases(elements: Iterable[str]) -> list[ReferencePhase]:
    """Competing phases of a chemical system, its subsystems included.

    Args:
        elements: Symbols. Known compounds of the candidates' own compositions are among the phases;
            `assess` keeps them out of those candidates' hulls.

    Raises:
        InputError: if the package data are broken.
    """
    system = frozenset(elements)
    return [_phase(*item) for item in _entries() if frozenset(parse_formula(item[1])) <= system]


def reference_phase(name: str) -> ReferencePhase:
    """A phase by its name.

    Raises:
        KeyError: if there is none.
    """
    found = next((entry for entry in _entries() if entry[0] == name), None)
    if found is None:
        raise KeyError(name)
    return _phase(*found)


@functools.cache
def known_hydride_formulas() -> frozenset[str]:
    """Formulas of the complex hydrides among the phases: compounds that have been made."""
    phases = _data()["phases"]
    return frozenset(formula for _, formula, index in _entries() if phases[index]["kind"] == "known_hydride")


def missing_phases(elements: Iterable[str]) -> list[MissingPhase]:
    """Competing phases of a chemical system that have no coordinates here."""
    system = frozenset(elements)
    entries = _data()["missing"]
    return [MissingPhase(**entry) for entry in entries if frozenset(parse_formula(entry["formula"])) <= system]


@functools.cache
def _data() -> Any:
    path = Path(str(files("ninefold.chemistry").joinpath("data/reference_phases.yaml")))
    return read_yaml(path, "reference phases")


@functools.cache
def _entries() -> tuple[tuple[str, str, int], ...]:
    """Name, formula and place of every phase, without building a structure."""
    entries = []
    for index, entry in enumerate(_data()["phases"]):
        formula = formula_of(parse_formula(entry["formula"]))
        entries.append((f"{formula} {entry['type']}", formula, index))
    return tuple(entries)


@functools.cache
def _phase(name: str, formula: str, index: int) -> ReferencePhase:
    entry = _data()["phases"][index]
    prototype = _data()["prototypes"][entry["prototype"]] if "prototype" in entry else {}
    atoms = dict(zip("ABCD", entry.get("atoms", ()), strict=False))
    entry = {**prototype, **entry}
    try:
        structure = build_structure(
            entry["space_group"],
            entry["cell"],
            [(atoms.get(site, site), positions) for site, positions in entry["sites"].items()],
            entry.get("parameters", {}),
            entry.get("origin"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError("reference phase", name, problem=f"cannot be built: {error}") from error
    return ReferencePhase(
        name=name,
        formula=formula,
        kind=entry["kind"],
        structure=structure,
        space_group=entry["space_group"],
        source=entry["source"],
        provenance=entry["provenance"],
        notes=tuple(entry.get("notes", ())),
        refuted=entry.get("refuted"),
    )
