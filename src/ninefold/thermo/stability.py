"""How far each candidate is from what competes with it.

The static hull is closed: hydrogen is one more element, its corner the molecule. At a condition
hydrogen is a reservoir: every phase exchanges hydrogen with the gas at its chemical potential, and the
hull is that of the grand potential over the other elements. There each composition is represented by
whichever of its stored minima has the lowest E + pV.

Two distances, by the names that pymatgen and the Materials Project use: `e_above_hull`, never negative, to
the hull of all phases, those of the candidate's own composition included; and `phase_separation_energy`, to
the hull of all other compositions, negative for a phase that is stable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ninefold.chemistry.equations import Equation, formation
from ninefold.chemistry.formula import parse_formula
from ninefold.thermo.hull import LowerHull, fractions_of
from ninefold.thermo.hydrogen import KJ_PER_MOL, chemical_potential_per_atom, is_solid
from ninefold.thermo.settings import Condition, StabilitySettings

EV_PER_GPA_A3 = 1 / 160.21766208
"""eV in one GPa Å³, CODATA."""
CANDIDATE = "candidate"
KNOWN_SEARCHED = "known, searched"
"""Kind of a compound that has been made and is no candidate here; its structure was searched as the candidates' are."""
MOLECULE = "molecule"
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
    """candidate; known, searched; or a reference's kind: element, molecule, binary, ternary, intermetallic,
    known_hydride."""
    centre: str | None = None
    """Symbol of the central atom of a complex hydride: what a synthesis starts from as the metal."""
    source: str = ""
    mark: str = ""
    search_spread: float | None = None
    """Highest less lowest of the energies that repeated searches found, eV/atom; None where it was searched once."""
    refuted: str | None = None
    """Why this structure must not carry a hull: it is no facet's corner, and is listed with its composition only."""
    polymorphs: tuple[Phase, ...] = ()
    """Other stored minima of the same composition; at a condition the lowest E + pV of all of them counts."""

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
    mark: str
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
    e_above_hull_uncertainty: float | None = None
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


def assess(candidates: Sequence[Phase], references: Sequence[Phase], settings: StabilitySettings) -> list[Stability]:
    """Distances to the hull, static and at each condition.

    Args:
        candidates: One phase for each candidate, with its other minima as polymorphs; several candidates may
            share a composition.
        references: Competing phases, relaxed with the same engine.
        settings: Conditions, and whether other candidates compete.

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
        published = [phase for phase in references if elements.issuperset(phase.amounts)]
        searched = [phase for phase in candidates if elements.issuperset(phase.amounts)]
        self._published = published
        self._references = [
            *(phase for phase in published if not phase.refuted),
            *(phase for phase in searched if phase.kind == KNOWN_SEARCHED),
        ]
        others = [phase for phase in searched if phase.kind != KNOWN_SEARCHED]
        self._competing = [*self._references, *others] if settings.candidates_compete else self._references
        pure = {symbol: [phase for phase in published if set(phase.amounts) == {symbol}] for symbol in self._elements}
        self._missing = [symbol for symbol, phases in pure.items() if not phases]
        self._elemental = {
            symbol: min(phases, key=lambda phase: phase.energy_per_atom) for symbol, phases in pure.items() if phases
        }
        self._hulls: dict[tuple[object, ...], _Hull] = {}

    def assess(self, candidate: Phase) -> Stability:
        if self._missing:
            reason = f"no hull: no reference phase of pure {', '.join(self._missing)}"
            return Stability(known=self._known(candidate), notes=[reason])
        ensemble = _Closed(self._elements)
        hull, references = self._hulls_without(candidate, ensemble)
        separation, above_same = hull.distance(candidate), self._above_same_composition(candidate, ensemble)
        formation_energy = candidate.energy_per_atom - sum(
            fraction * self._elemental[symbol].energy_per_atom for symbol, fraction in candidate.composition
        )
        reaction, energy = self._reaction(candidate)
        notes = [STATIC_SOLIDS]
        if HYDROGEN in self._elemental:
            notes.append(f"hydrogen: {self._elemental[HYDROGEN].name}")
        competitors = hull.competitors(candidate)
        return Stability(
            e_above_hull=max(separation, above_same),
            phase_separation_energy=separation,
            e_above_references=references.distance(candidate),
            e_above_same_composition=above_same,
            e_above_hull_uncertainty=self._uncertainty(candidate, competitors),
            formation_energy_per_atom=formation_energy,
            reaction_energy_per_h2=energy,
            reaction=None if reaction is None else str(reaction),
            decomposition=competitors,
            ternaries=self._ternaries(candidate),
            known=self._known(candidate),
            conditions=[self._at(condition, candidate) for condition in self._settings.conditions],
            notes=notes,
        )

    def _hulls_without(self, candidate: Phase, ensemble: _Ensemble) -> tuple[_Hull, _Hull]:
        """Of everything that competes and of the references alone, each without the candidate's composition."""
        return self._hull(ensemble, self._competing, candidate), self._hull(ensemble, self._references, candidate)

    def _hull(self, ensemble: _Ensemble, phases: list[Phase], candidate: Phase) -> _Hull:
        """The hull without the candidate's composition; one for all compositions that are not its corners."""
        key = (ensemble, phases is self._competing)
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

    def _above_same_composition(self, candidate: Phase, ensemble: _Ensemble) -> float:
        """EV per atom of the candidate above the lowest phase of its composition, itself among them."""
        own = (phase for phase in self._competing if phase.composition == candidate.composition)
        lowest = min((ensemble.energy(phase) for phase in _minima(own, ensemble)), default=ensemble.energy(candidate))
        return max(0.0, (ensemble.energy(candidate) - lowest) * ensemble.share(candidate))

    def _uncertainty(self, candidate: Phase, competitors: Sequence[Competitor]) -> float | None:
        """Spread of the candidate's own searches, and of its decomposition products' in proportion to their share."""
        if candidate.search_spread is None:
            return None
        spreads = {phase.name: phase.search_spread or 0.0 for phase in self._competing}
        return candidate.search_spread + sum(
            competitor.fraction * spreads.get(competitor.name, 0.0) for competitor in competitors
        )

    def _ternaries(self, candidate: Phase) -> list[str]:
        others = {
            phase.name if not phase.refuted else f"{phase.name} (not in the hull: {phase.refuted})"
            for phase in (*self._published, *self._references)
            if len(phase.amounts) >= 3 and phase.composition != candidate.composition
        }
        return sorted(others)

    def _known(self, candidate: Phase) -> list[KnownPhase]:
        own = [phase for phase in self._published if phase.composition == candidate.composition]
        return [
            KnownPhase(
                phase.name, phase.energy_per_atom, candidate.energy_per_atom - phase.energy_per_atom,
                phase.source, phase.mark, phase.refuted,
            )
            for phase in sorted(own, key=lambda phase: phase.energy_per_atom)
        ]  # fmt: skip

    def _at(self, condition: Condition, candidate: Phase) -> ConditionStability:
        temperature, pressure = condition.temperature_K, condition.pressure_GPa
        if HYDROGEN not in self._elements or len(self._elements) == 1:
            return ConditionStability(temperature, pressure, notes=["no hydride"])
        notes = [STATIC_SOLIDS]
        if is_solid(temperature, pressure):
            notes.append("hydrogen is solid here: the potential is that of the undercooled fluid")
        molecule = self._elemental[HYDROGEN]
        potential = molecule.energy_per_atom + chemical_potential_per_atom(temperature, pressure)
        ensemble = _Open(self._elements, molecule.name, potential, pressure)
        own = list(_minima([candidate], ensemble))
        if not own:
            return ConditionStability(temperature, pressure, notes=["no volume"])
        taken = min(own, key=ensemble.energy)
        hull, references = self._hulls_without(candidate, ensemble)
        separation = hull.distance(taken)
        return ConditionStability(
            temperature, pressure,
            e_above_hull=max(separation, self._above_same_composition(taken, ensemble)),
            phase_separation_energy=separation,
            e_above_references=references.distance(taken),
            minimum=taken.name,
            decomposition=hull.competitors(taken),
            notes=notes,
        )  # fmt: skip

    def _reaction(self, candidate: Phase) -> tuple[Equation | None, float | None]:
        """From the cations' hydrides, the central metal and H2; and its energy in kJ/mol H2."""
        if HYDROGEN not in self._elements or len(self._elements) == 1:
            return None, None
        molecule = self._elemental[HYDROGEN]
        solids = [
            self._starting_material(symbol, symbol == candidate.centre, molecule.energy_per_atom)
            for symbol in self._elements
            if symbol != HYDROGEN
        ]
        solids.sort(key=lambda phase: HYDROGEN not in phase.amounts)
        equation = formation(candidate.formula, [*(phase.formula for phase in solids), "H2"])
        if equation is None:
            return None, None
        bound = -float(equation.coefficient("H2"))
        if bound <= 0:
            return equation, None
        energy = _energy_of_formula(candidate, candidate.energy_per_atom)
        energy += sum(
            float(equation.coefficient(phase.formula)) * _energy_of_formula(phase, phase.energy_per_atom)
            for phase in solids
        )
        return equation, (energy - bound * 2 * molecule.energy_per_atom) / bound * KJ_PER_MOL

    def _starting_material(self, symbol: str, is_centre: bool, hydrogen_energy: float) -> Phase:
        """The element if it is the centre, else whichever of it and its hydrides is lowest in contact with H2."""
        elements = {symbol} if is_centre else {symbol, HYDROGEN}
        able = [phase for phase in self._references if symbol in phase.amounts and elements.issuperset(phase.amounts)]

        def energy_per_metal(phase: Phase) -> float:
            return (phase.energy_per_atom - phase.hydrogen * hydrogen_energy) / (1 - phase.hydrogen)

        return min(able, key=energy_per_metal)


def _minima(phases: Iterable[Phase], ensemble: _Ensemble) -> list[Phase]:
    """Every stored minimum of the phases that the ensemble can hold."""
    return [
        minimum
        for phase in phases
        for minimum in ((phase, *phase.polymorphs) if ensemble.compares_polymorphs else (phase,))
        if ensemble.takes(minimum)
    ]


def _energy_of_formula(phase: Phase, energy_per_atom: float) -> float:
    """EV per formula unit as it is written."""
    return energy_per_atom * sum(parse_formula(phase.formula).values())


@dataclass(frozen=True)
class _Closed:
    """Every element is conserved."""

    components: tuple[str, ...]
    compares_polymorphs = False
    """At zero pressure a phase is represented by the minimum that stands for it."""

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
    compares_polymorphs = True

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
        return [Competitor("H2", self.molecule, balance, self.potential, MOLECULE)]


_Ensemble = _Closed | _Open


class _Hull:
    """A hull of phases in one ensemble; the lowest phase stands for each composition."""

    def __init__(self, ensemble: _Ensemble, phases: Sequence[Phase]) -> None:
        lowest: dict[tuple[tuple[str, float], ...], Phase] = {}
        # under pressure the denser polymorph may be lower: compared in the ensemble, not by static energy
        for phase in _minima(phases, ensemble):
            known = lowest.get(phase.composition)
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

    def distance(self, candidate: Phase) -> float:
        """Of a phase that is not in the hull, eV per atom of it."""
        height = self._ensemble.energy(candidate) - self._hull.energy(self._fractions(candidate)[None, :])[0]
        return float(height * self._ensemble.share(candidate))

    def competitors(self, candidate: Phase) -> list[Competitor]:
        """Decomposition products of the candidate, largest fraction first."""
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
