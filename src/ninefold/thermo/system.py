"""The phases of one chemical system and their hulls: static, and open to hydrogen gas at any condition."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from ninefold.chemistry.equations import Equation, formation
from ninefold.chemistry.formula import parse_formula
from ninefold.thermo.ensembles import Closed, Ensemble, Open, PhaseHull, minima
from ninefold.thermo.free_energy import AT_REST, STATIC_SOLIDS, VibrationModel
from ninefold.thermo.hydrogen import KJ_PER_MOL, is_solid
from ninefold.thermo.phase import HYDROGEN, KNOWN_SEARCHED, Phase
from ninefold.thermo.results import Competitor, ConditionStability, KnownPhase, Stability
from ninefold.thermo.settings import Condition, StabilitySettings
from ninefold.thermo.zero_point import EnergyScale

AT_ZERO_PRESSURE = "p V at the volume of 0 GPa"
"""How the note on structures without an equation of state begins."""
LOW_PRESSURE = 0.01
"""GPa, up to which p V is below 1 meV/atom of any solid."""


class ChemicalSystem:
    """The phases of one chemical system and its hulls, built when first asked for.

    Args:
        elements: Of the system.
        candidates: Phases that compete, those of other systems are left out.
        references: Competing phases, likewise.
        settings: Conditions, and whether candidates compete.
        scale: Of the energies.
    """

    def __init__(
        self,
        elements: frozenset[str],
        candidates: Sequence[Phase],
        references: Sequence[Phase],
        settings: StabilitySettings,
        scale: EnergyScale = AT_REST,
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
        self._hulls: dict[tuple[object, ...], PhaseHull] = {}
        self._vibrations = VibrationModel([*self._competing, *searched], scale)

    @property
    def elements(self) -> tuple[str, ...]:
        """Sorted symbols."""
        return self._elements

    @property
    def missing(self) -> list[str]:
        """Elements without a reference phase: with any, there is no hull."""
        return self._missing

    @property
    def competing(self) -> list[Phase]:
        """Every phase of the hull of all, references first."""
        return self._competing

    @property
    def references(self) -> list[Phase]:
        """What has been made: reference phases that carry hulls, and made compounds that were searched."""
        return self._references

    @property
    def is_static(self) -> bool:
        """Whether the hulls at a condition leave the vibrations out."""
        return self._vibrations.reason is not None

    @property
    def has_hydrides(self) -> bool:
        """Whether it holds hydrogen and something else, so that there are hulls under hydrogen."""
        return HYDROGEN in self._elements and len(self._elements) > 1

    def ensemble(self, temperature: float, pressure: float) -> Open:
        """The one of a condition: hydrogen gas at T and p, its zero-point energy counted where that of solids is.

        Args:
            temperature: K, 100 to 1200.
            pressure: GPa, 1e-9 to 10; also on the solids.

        Raises:
            InputError: outside these ranges.
            KeyError: if the system has no hydrogen.
        """
        molecule = self._elemental[HYDROGEN]
        free_energies, scale = self._vibrations.at(temperature), self._vibrations.scale
        potential = molecule.energy_per_atom + scale.of_hydrogen(temperature, pressure)
        if free_energies is None and scale == AT_REST:
            potential -= scale.zero_point_of_hydrogen()  # left out of the gas as of the solids
        return Open(self._elements, molecule.name, potential, pressure, free_energies)

    def lowest_minimum(self, phase: Phase, ensemble: Ensemble) -> Phase | None:
        """The minimum that the phase has in an ensemble; None if the ensemble can hold none."""
        return min(minima([phase], ensemble), key=ensemble.energy, default=None)

    def hull_without(self, candidate: Phase, ensemble: Ensemble) -> PhaseHull:
        """The hull of everything of other compositions."""
        return self._hull(ensemble, self._competing, candidate)

    def hull(self, ensemble: Ensemble) -> PhaseHull:
        """The hull of everything."""
        return self._whole(ensemble, self._competing)

    def corners(self, conditions: Iterable[Condition] = ()) -> list[Phase]:
        """The phases on the hull of everything, static or at a condition, each once; none without a hull.

        Args:
            conditions: Beside those of the settings; raises as `ensemble`.
        """
        if self._missing:
            return []
        ensembles: list[Ensemble] = [Closed(self._elements)]
        if self.has_hydrides:
            wanted = dict.fromkeys(
                (each.temperature_K, each.pressure_GPa) for each in (*self._settings.conditions, *conditions)
            )
            ensembles += [self.ensemble(*at) for at in wanted]
        found = {phase.name: phase for ensemble in ensembles for phase in self.hull(ensemble).stable}
        return list(found.values())

    def separation(self, candidate: Phase, temperature: float, pressure: float) -> float:
        """Signed distance to the hull of other compositions under hydrogen, eV per atom of the candidate.

        Where a lower structure of its composition stands in the way, the height above that, if it is larger; raises as
        `ensemble`.
        """
        ensemble = self.ensemble(temperature, pressure)
        taken = self.lowest_minimum(candidate, ensemble)
        if taken is None:
            raise ValueError(f"{candidate.name} has no volume")
        above = self._above_same_composition(taken, ensemble)
        separation = self.hull_without(candidate, ensemble).distance(taken)
        return max(separation, above) if above > 0 else separation

    def forget(self) -> None:
        """Let go of the hulls that are held."""
        self._hulls.clear()

    def vibrations_note(self) -> str:
        """What the free energies rest on, or why there are none."""
        return self._vibrations.describe()

    def pressure_note(self, phases: Sequence[Phase] | None = None) -> str | None:
        """How many structures have no equation of state, or one of another method; None if all have their own."""
        every = [
            each for phase in phases or self._competing for each in (phase, *phase.polymorphs) if each.hydrogen < 1
        ]
        told = []
        if without := sum(each.equation_of_state is None for each in every):
            beside = ", too high beside the others" if without < len(every) else ""
            told.append(
                f"{AT_ZERO_PRESSURE} in place of an equation of state: {without} of {len(every)} structures{beside}"
            )
        lent = Counter(each.compressed_as_by for each in every if each.compressed_as_by)
        told += [f"compressed as by {label}: {count} of {len(every)} structures" for label, count in lent.items()]
        return "; ".join(told) or None

    def assess(self, candidate: Phase) -> Stability:
        """Of one candidate: static, and at each condition of the settings."""
        if self._missing:
            reason = f"no hull: no reference phase of pure {', '.join(self._missing)}"
            return Stability(known=self._known(candidate), notes=[reason])
        ensemble = Closed(self._elements)
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
            search_scatter=self._scatter(candidate, competitors),
            formation_energy_per_atom=formation_energy,
            reaction_energy_per_h2=energy,
            reaction=None if reaction is None else str(reaction),
            decomposition=competitors,
            ternaries=self._ternaries(candidate),
            known=self._known(candidate),
            conditions=[self._at(condition, candidate) for condition in self._settings.conditions],
            notes=notes,
        )

    def _hulls_without(self, candidate: Phase, ensemble: Ensemble) -> tuple[PhaseHull, PhaseHull]:
        """Of everything that competes and of the references alone, each without the candidate's composition."""
        return self._hull(ensemble, self._competing, candidate), self._hull(ensemble, self._references, candidate)

    def _hull(self, ensemble: Ensemble, phases: list[Phase], candidate: Phase) -> PhaseHull:
        """The hull without the candidate's composition; one for all compositions that are not its corners."""
        key = (ensemble, phases is self._competing)
        whole = self._whole(ensemble, phases)
        composition = candidate.composition
        if composition not in whole.corners:
            return whole
        own = (*key, composition)
        if own not in self._hulls:
            self._hulls[own] = PhaseHull(ensemble, [phase for phase in phases if phase.composition != composition])
        return self._hulls[own]

    def _whole(self, ensemble: Ensemble, phases: list[Phase]) -> PhaseHull:
        key = (ensemble, phases is self._competing)
        if key not in self._hulls:
            self._hulls[key] = PhaseHull(ensemble, phases)
        return self._hulls[key]

    def _above_same_composition(self, candidate: Phase, ensemble: Ensemble) -> float:
        """EV per atom of the candidate above the lowest phase of its composition, itself among them."""
        own = (phase for phase in self._competing if phase.composition == candidate.composition)
        lowest = min((ensemble.energy(phase) for phase in minima(own, ensemble)), default=ensemble.energy(candidate))
        return max(0.0, (ensemble.energy(candidate) - lowest) * ensemble.share(candidate))

    def _scatter(self, candidate: Phase, competitors: Sequence[Competitor]) -> float | None:
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
                phase.source, phase.provenance, phase.refuted,
            )
            for phase in sorted(own, key=lambda phase: phase.energy_per_atom)
        ]  # fmt: skip

    def _at(self, condition: Condition, candidate: Phase) -> ConditionStability:
        temperature, pressure = condition.temperature_K, condition.pressure_GPa
        if not self.has_hydrides:
            return ConditionStability(temperature, pressure, notes=["no hydride"])
        notes = [self._vibrations.describe()]
        if pressure > LOW_PRESSURE and (note := self.pressure_note()) is not None:
            notes.append(note)
        if (note := self._vibrations.beyond_volumes(temperature, pressure)) is not None:
            notes.append(note)
        if is_solid(temperature, pressure):
            notes.append("hydrogen is solid here: the potential is that of the undercooled fluid")
        ensemble = self.ensemble(temperature, pressure)
        taken = self.lowest_minimum(candidate, ensemble)
        if taken is None:
            return ConditionStability(temperature, pressure, notes=["no volume"])
        hull, references = self._hulls_without(candidate, ensemble)
        separation, competitors = hull.distance(taken), hull.competitors(taken)
        return ConditionStability(
            temperature, pressure,
            e_above_hull=max(separation, self._above_same_composition(taken, ensemble)),
            phase_separation_energy=separation,
            e_above_references=references.distance(taken),
            minimum=taken.name,
            vibration_uncertainty=self._vibration_uncertainty(taken, competitors, ensemble),
            decomposition=competitors,
            notes=notes,
        )  # fmt: skip

    def _vibration_uncertainty(self, taken: Phase, competitors: Sequence[Competitor], ensemble: Open) -> float | None:
        """Of the estimated free energies among the candidate and its decomposition products, eV/atom."""
        if ensemble.free_energies is None:
            return None
        named = {each.name: each for phase in self._competing for each in (phase, *phase.polymorphs)}
        free_energies = ensemble.free_energies
        products = [
            competitor.fraction * free_energies.of(phase).uncertainty
            for competitor in competitors
            if (phase := named.get(competitor.name)) is not None and phase.hydrogen < 1
        ]
        return math.hypot(free_energies.of(taken).uncertainty, *products)

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


def _energy_of_formula(phase: Phase, energy_per_atom: float) -> float:
    """EV per formula unit as it is written."""
    return energy_per_atom * sum(parse_formula(phase.formula).values())
