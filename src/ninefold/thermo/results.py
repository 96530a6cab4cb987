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
    """Name of the candidate's minimum that has the lowest free energy here."""
    vibration_uncertainty: float | None = None
    """Of free energies of vibrations that are estimated, eV/atom; None where the condition is static."""
    decomposition: list[Competitor] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Formation:
    """Where a candidate forms under hydrogen, and what becomes of it at ambient conditions."""

    temperature_K: float
    """Of the synthesis."""
    synthesis_separation: float
    """To the hull of other compositions at the temperature and pressure of the synthesis, eV/atom, signed."""
    lowest_pressure_GPa: float | None
    """From which on it is stable at that temperature; None where it is at none to 10 GPa; 1e-9 where it is at every."""
    highest_pressure_GPa: float | None
    """To which it is stable from there on; 10 where nothing ends it."""
    pressure_slope: float | None
    """Of its distance to the hull at the lowest pressure, eV/atom per GPa; None where that is no root."""
    is_monotone: bool
    """Whether the distance changes its sign once at most."""
    ambient_separation: float
    """To the hull of other compositions at 300 K and 1 bar, eV/atom, signed."""
    survives_ambient: bool
    """Whether it is stable there, or no more above the hull than metastable phases that have been made."""
    decomposition_temperature_K: float | None
    """To which it is stable at 1 bar; None where it is at no temperature from 100 K on; 1200 where it is to there."""
    formed_from: list[str]
    """Formulas of the solids that it forms from at the lowest pressure."""
    reaction: str | None
    """Of its formation there, balanced."""
    lowest_between_GPa: tuple[float | None, float | None] | None = None
    """Between which pressures the lowest one lies with a probability of 90 %: see `window.lowest_pressures`; None where
    nobody has looked."""
    between_uncertainty: float | None = None
    """Of its distance to the hull, with which that was found, eV/atom."""


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
    formation: Formation | None = None
    """At the temperature of the synthesis; None without a hull under hydrogen."""
    notes: list[str] = field(default_factory=list)
