"""One candidate's stability: distances to the hull, decomposition products, published phases."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Competitor:
    """One of a candidate's decomposition products."""

    formula: str
    name: str
    fraction: float
    """Of the candidate's atoms; that of a gas is negative where it is taken up."""
    energy_per_atom: float
    kind: str


@dataclass(frozen=True)
class KnownPhase:
    """A published structure of the candidate's own composition."""

    name: str
    energy_per_atom: float
    difference: float
    """Candidate less known, eV/atom; negative where the search found a lower structure."""
    source: str
    provenance: str
    refuted: str | None = None


@dataclass(frozen=True)
class ConditionStability:
    """The hull with hydrogen gas at one condition; energies in eV per atom of the candidate."""

    temperature_K: float
    pressure_GPa: float
    e_above_hull: float | None = None
    """To the hull of all phases, own composition included; 0 on it."""
    phase_separation_energy: float | None = None
    """To the hull of all other compositions; negative where it is stable."""
    e_above_references: float | None = None
    """The same against the reference phases alone."""
    minimum: str | None = None
    """Name of the candidate's minimum that has the lowest E + pV here."""
    decomposition: list[Competitor] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stability:
    """What is known of one candidate's stability, in the order in which the candidates came."""

    e_above_hull: float | None = None
    """To the hull of all phases, own composition included, eV/atom; 0 on it; None without a hull."""
    phase_separation_energy: float | None = None
    """To the hull of all other compositions, eV/atom; negative below it."""
    e_above_references: float | None = None
    """To the hull of the other compositions among the references alone, eV/atom; negative below it."""
    e_above_same_composition: float | None = None
    """Above the lowest phase of its own composition, eV/atom; 0 for that one itself."""
    search_scatter: float | None = None
    """What repeated searches of it and of its decomposition products scatter by, eV/atom; None where the
    candidate was searched once. The error of the energy model is not in it."""
    formation_energy_per_atom: float | None = None
    """From the elements, hydrogen as the molecule in a box, eV/atom."""
    reaction_energy_per_h2: float | None = None
    """Energy of `reaction`, kJ/mol H2; negative where the candidate binds the hydrogen; None where none is bound."""
    reaction: str | None = None
    """Hydrides of the cations + metal + x H2 -> candidate, as a synthesis under hydrogen has it."""
    decomposition: list[Competitor] = field(default_factory=list)
    """The static hull's phases at the candidate's composition."""
    ternaries: list[str] = field(default_factory=list)
    """Reference phases of other compositions in this system with three elements or more."""
    known: list[KnownPhase] = field(default_factory=list)
    conditions: list[ConditionStability] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
