"""How far each candidate is from what competes with it.

The static hull is closed: hydrogen is one more element, its corner the molecule. At a condition
hydrogen is a reservoir: every phase trades hydrogen with the gas at its chemical potential, and the
hull is that of the grand potential over the other elements. Neither ever holds a phase of the
candidate's own composition; published structures of that composition stand beside the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np

from ninefold.thermo.hull import LowerHull, fractions_of
from ninefold.thermo.hydrogen import KJ_PER_MOL, chemical_potential_per_atom, is_solid
from ninefold.thermo.settings import Condition, StabilitySettings

EV_PER_GPA_A3 = 1 / 160.21766208
"""eV in one GPa Å³, CODATA."""
CANDIDATE = "candidate"
HYDROGEN = "H"
STATIC_SOLIDS = "no zero-point energy, no vibrational entropy of solids"


@dataclass(frozen=True)
class Phase:
    """A phase with its energy; all phases of one assessment come from one engine."""

    name: str
    formula: str
    amounts: Mapping[str, float]
    """Atoms by symbol, of any number of formula units."""
    energy_per_atom: float
    """Static, eV/atom."""
    volume_per_atom: float | None = None
    """Å³/atom; None for the molecule in its box. A solid without it is left out of conditions."""
    kind: str = CANDIDATE
    """candidate, or a reference's kind: element, molecule, binary, ternary, intermetallic, known_hydride."""
    source: str = ""
    mark: str = ""

    @cached_property
    def composition(self) -> tuple[tuple[str, float], ...]:
        """Atom fractions, rounded: equal for every multiple of one formula."""
        return tuple((symbol, round(self.amounts[symbol] / self._size, 8)) for symbol in sorted(self.amounts))

    @cached_property
    def hydrogen(self) -> float:
        """Fraction of its atoms that are hydrogen."""
        return self.amounts.get(HYDROGEN, 0) / self._size

    @cached_property
    def _size(self) -> float:
        return sum(self.amounts.values())


@dataclass(frozen=True)
class Competitor:
    """One phase of what a candidate falls apart to."""

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
    mark: str


@dataclass(frozen=True)
class ConditionStability:
    """The hull with hydrogen gas at one condition."""

    temperature_K: float
    pressure_GPa: float
    e_above_hull: float | None
    """eV/atom of the candidate; negative where it is stable."""
    e_above_references: float | None
    decomposition: list[Competitor] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stability:
    """What is known of one candidate's stability, in the order in which the candidates came."""

    e_above_hull: float | None
    """To the hull of references and other candidates, eV/atom; negative below it; None without a hull."""
    e_above_references: float | None
    """To the hull of the references alone, eV/atom."""
    e_above_hull_uncertainty: float
    """Search noise, eV/atom."""
    formation_energy_per_atom: float | None
    """From the elements, hydrogen as the molecule in a box, eV/atom."""
    reaction_energy_per_h2: float | None
    """Energy of `reaction`, kJ/mol H2; negative where the candidate binds the hydrogen; None without a reaction."""
    reaction: str | None
    """References that hold less hydrogen + x H2 -> candidate: the solids that are lowest in contact
    with H2 at zero chemical potential. None where they hold as much hydrogen as the candidate."""
    decomposition: list[Competitor] = field(default_factory=list)
    """The static hull's phases at the candidate's composition."""
    known: list[KnownPhase] = field(default_factory=list)
    conditions: list[ConditionStability] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def assess(candidates: Sequence[Phase], references: Sequence[Phase], settings: StabilitySettings) -> list[Stability]:
    """Distances to the hull of every other composition, static and at each condition.

    Args:
        candidates: Lowest structure of each candidate; several may share a composition.
        references: Competing phases, relaxed with the same engine.
        settings: Conditions and noise.

    Returns:
        One result per candidate, in their order. A candidate whose system lacks an element's
        reference has None for distances and a note.
    """
    systems: dict[frozenset[str], _System] = {}
    results = []
    for candidate in candidates:
        elements = frozenset(symbol for symbol, amount in candidate.amounts.items() if amount)
        if elements not in systems:
            systems[elements] = _System(elements, candidates, references, settings)
        results.append(systems[elements].assess(candidate))
    return results


class _System:
    """The phases of one chemical system and its hulls, built when first asked for."""

    def __init__(
        self,
        elements: frozenset[str],
        candidates: Sequence[Phase],
        references: Sequence[Phase],
        settings: StabilitySettings,
    ) -> None:
        self._settings = settings
        self._elements = tuple(sorted(elements))
        self._references = [phase for phase in references if elements.issuperset(phase.amounts)]
        self._all = [*self._references, *(phase for phase in candidates if elements.issuperset(phase.amounts))]
        pure = {
            symbol: [phase for phase in self._references if set(phase.amounts) == {symbol}] for symbol in self._elements
        }
        self._missing = [symbol for symbol, phases in pure.items() if not phases]
        self._elemental = {
            symbol: min(phases, key=lambda phase: phase.energy_per_atom) for symbol, phases in pure.items() if phases
        }
        self._hulls: dict[tuple[object, ...], _Hull] = {}

    def assess(self, candidate: Phase) -> Stability:
        noise = self._settings.noise_eV_per_atom
        if self._missing:
            reason = f"no hull: no reference phase of pure {', '.join(self._missing)}"
            return Stability(None, None, noise, None, None, None, known=self._known(candidate), notes=[reason])
        hull, references = (self._hull(_Closed(self._elements), phases, candidate) for phases in self._pools)
        formation = candidate.energy_per_atom - sum(
            fraction * self._elemental[symbol].energy_per_atom for symbol, fraction in candidate.composition
        )
        reaction, energy = self._reaction(candidate)
        notes = [STATIC_SOLIDS]
        if HYDROGEN in self._elemental:
            notes.append(f"hydrogen: {self._elemental[HYDROGEN].name}")
        return Stability(
            e_above_hull=hull.distance(candidate),
            e_above_references=references.distance(candidate),
            e_above_hull_uncertainty=noise,
            formation_energy_per_atom=formation,
            reaction_energy_per_h2=energy,
            reaction=reaction,
            decomposition=hull.competitors(candidate),
            known=self._known(candidate),
            conditions=[self._at(condition, candidate) for condition in self._settings.conditions],
            notes=notes,
        )

    @property
    def _pools(self) -> tuple[list[Phase], list[Phase]]:
        return self._all, self._references

    def _hull(self, ensemble: _Ensemble, phases: list[Phase], candidate: Phase) -> _Hull:
        """The hull without the candidate's composition; one for all compositions that are not its corners."""
        key = (ensemble, phases is self._all)
        if key not in self._hulls:
            self._hulls[key] = _Hull(ensemble, phases)
        whole = self._hulls[key]
        composition = candidate.composition
        if composition not in whole.corners:
            return whole
        own = (*key, composition)
        if own not in self._hulls:
            self._hulls[own] = _Hull(ensemble, [phase for phase in phases if phase.composition != composition])
        return self._hulls[own]

    def _known(self, candidate: Phase) -> list[KnownPhase]:
        own = [phase for phase in self._references if phase.composition == candidate.composition]
        return [
            KnownPhase(
                phase.name, phase.energy_per_atom, candidate.energy_per_atom - phase.energy_per_atom,
                phase.source, phase.mark,
            )
            for phase in sorted(own, key=lambda phase: phase.energy_per_atom)
        ]  # fmt: skip

    def _at(self, condition: Condition, candidate: Phase) -> ConditionStability:
        temperature, pressure = condition.temperature_K, condition.pressure_GPa
        if HYDROGEN not in self._elements or len(self._elements) == 1:
            return ConditionStability(temperature, pressure, None, None, notes=["no hydride"])
        if candidate.volume_per_atom is None:
            return ConditionStability(temperature, pressure, None, None, notes=["no volume"])
        notes = [STATIC_SOLIDS]
        if is_solid(temperature, pressure):
            notes.append("hydrogen is solid here: the potential is that of the undercooled fluid")
        molecule = self._elemental[HYDROGEN]
        potential = molecule.energy_per_atom + chemical_potential_per_atom(temperature, pressure)
        ensemble = _Open(self._elements, molecule.name, potential, pressure)
        hull, references = (self._hull(ensemble, phases, candidate) for phases in self._pools)
        return ConditionStability(
            temperature, pressure, hull.distance(candidate), references.distance(candidate),
            hull.competitors(candidate), notes,
        )  # fmt: skip

    def _reaction(self, candidate: Phase) -> tuple[str | None, float | None]:
        if HYDROGEN not in self._elements or len(self._elements) == 1:
            return None, None
        molecule = self._elemental[HYDROGEN]
        ensemble = _Open(self._elements, molecule.name, molecule.energy_per_atom, 0.0)
        hull = self._hull(ensemble, self._references, candidate)
        competitors = hull.competitors(candidate)
        solids = [competitor for competitor in competitors if competitor.kind != "molecule"]
        released = sum(competitor.fraction for competitor in competitors if competitor.kind == "molecule") / 2
        if released < 1e-9:
            return None, None
        energy = hull.distance(candidate) / released * KJ_PER_MOL
        size = sum(candidate.amounts.values())
        terms = [
            _term(competitor.fraction * size / hull.size(competitor.name), competitor.formula) for competitor in solids
        ]
        text = " + ".join([*terms, _term(released * size, "H2")])
        return f"{text} -> {candidate.formula}", energy


@dataclass(frozen=True)
class _Closed:
    """Every element is conserved."""

    components: tuple[str, ...]

    def takes(self, phase: Phase) -> bool:
        return True

    def energy(self, phase: Phase) -> float:
        """Per atom of the components, eV."""
        return phase.energy_per_atom

    def share(self, phase: Phase) -> float:
        """Atoms of the components per atom."""
        return 1.0

    def gas(self, balance: float) -> list[Competitor]:
        return []


@dataclass(frozen=True)
class _Open:
    """Hydrogen comes from and goes to a reservoir; solids carry pV."""

    elements: tuple[str, ...]
    molecule: str
    """Name of the reference phase that the gas is counted from."""
    potential: float
    """eV per hydrogen atom, on the engine's scale."""
    pressure: float
    """GPa."""

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(symbol for symbol in self.elements if symbol != HYDROGEN)

    def takes(self, phase: Phase) -> bool:
        return phase.hydrogen < 1 and (phase.volume_per_atom is not None or not self.pressure)

    def energy(self, phase: Phase) -> float:
        enthalpy = phase.energy_per_atom
        if self.pressure:
            assert phase.volume_per_atom is not None
            enthalpy += self.pressure * phase.volume_per_atom * EV_PER_GPA_A3
        return (enthalpy - phase.hydrogen * self.potential) / (1 - phase.hydrogen)

    def share(self, phase: Phase) -> float:
        return 1 - phase.hydrogen

    def gas(self, balance: float) -> list[Competitor]:
        if abs(balance) < 1e-9:
            return []
        return [Competitor("H2", self.molecule, balance, self.potential, "molecule")]


_Ensemble = _Closed | _Open


class _Hull:
    """A hull of phases in one ensemble; the lowest phase stands for each composition."""

    def __init__(self, ensemble: _Ensemble, phases: Sequence[Phase]) -> None:
        lowest: dict[tuple[tuple[str, float], ...], Phase] = {}
        for phase in phases:
            if ensemble.takes(phase):
                known = lowest.get(phase.composition)
                # under pressure the denser polymorph may win: compared in the ensemble, not by static energy
                if known is None or ensemble.energy(phase) < ensemble.energy(known):
                    lowest[phase.composition] = phase
        self._ensemble = ensemble
        self._phases = list(lowest.values())
        self._hull = LowerHull(
            np.array([self._fractions(phase) for phase in self._phases]),
            np.array([ensemble.energy(phase) for phase in self._phases]),
        )
        self.corners = frozenset(self._phases[index].composition for index in self._hull.vertices)
        """Compositions without which the hull would be another."""
        self._sizes = {phase.name: sum(phase.amounts.values()) for phase in self._phases}

    def size(self, name: str) -> float:
        """Atoms in the formula of a phase."""
        return self._sizes[name]

    def distance(self, candidate: Phase) -> float:
        """Of a phase that is not in the hull, eV per atom of it."""
        height = self._ensemble.energy(candidate) - self._hull.energy(self._fractions(candidate)[None, :])[0]
        return float(height * self._ensemble.share(candidate))

    def competitors(self, candidate: Phase) -> list[Competitor]:
        """What the candidate falls apart to, largest fraction first."""
        competitors = []
        hydrogen = candidate.hydrogen
        for index, share in self._hull.decompose(self._fractions(candidate)).items():
            phase = self._phases[index]
            fraction = share * self._ensemble.share(candidate) / self._ensemble.share(phase)
            hydrogen -= fraction * phase.hydrogen
            competitors.append(Competitor(phase.formula, phase.name, fraction, phase.energy_per_atom, phase.kind))
        competitors.sort(key=lambda competitor: (-competitor.fraction, competitor.name))
        return [*competitors, *self._ensemble.gas(hydrogen)]

    def _fractions(self, phase: Phase) -> np.ndarray:
        return fractions_of(phase.amounts, self._ensemble.components)


def _term(coefficient: float, formula: str) -> str:
    nearest = Fraction(coefficient).limit_denominator(24)
    number = str(nearest) if abs(nearest - coefficient) < 1e-6 else f"{coefficient:.4g}"
    return formula if number == "1" else f"{number} {formula}"
