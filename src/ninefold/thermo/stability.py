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

from collections.abc import Iterable, Sequence

from ninefold.chemistry.equations import Equation, formation
from ninefold.chemistry.formula import parse_formula
from ninefold.errors import NinefoldError
from ninefold.thermo.ensembles import Closed, Ensemble, Open, PhaseHull, minima
from ninefold.thermo.hydrogen import KJ_PER_MOL, chemical_potential_per_atom, is_solid
from ninefold.thermo.phase import HYDROGEN, KNOWN_SEARCHED, Phase
from ninefold.thermo.results import Competitor, ConditionStability, KnownPhase, Stability
from ninefold.thermo.settings import Condition, StabilitySettings

STATIC_SOLIDS = "no zero-point energy, no vibrational entropy of solids"


class MixedMethodsError(NinefoldError):
    """Energies of two methods were about to share a hull."""


def assess(
    candidates: Sequence[Phase],
    references: Sequence[Phase],
    settings: StabilitySettings,
    others: Sequence[Phase] = (),
) -> list[Stability]:
    """Distances to the hull, static and at each condition.

    Args:
        candidates: One phase for each candidate, with its other minima as polymorphs; several candidates may
            share a composition.
        references: Competing phases, relaxed with the same method.
        settings: Conditions, and whether other candidates compete.
        others: Further candidates that compete, and for which no result is asked.

    Returns:
        One result per candidate, in their order. A candidate whose system lacks an element's
        reference has None for distances and a note.

    Raises:
        MixedMethodsError: if not all energies are of one method.
    """
    competing = [*candidates, *others]
    check_one_method([*competing, *references])
    systems: dict[frozenset[str], _System] = {}
    results = []
    for candidate in candidates:
        elements = frozenset(symbol for symbol, amount in candidate.amounts.items() if amount)
        if elements not in systems:
            systems[elements] = _System(elements, competing, references, settings)
        results.append(systems[elements].assess(candidate))
    return results


def check_one_method(phases: Iterable[Phase]) -> None:
    """Refuse phases whose energies cannot be compared.

    Raises:
        MixedMethodsError: naming two of them.
    """
    first: Phase | None = None
    for phase in phases:
        first = first or phase
        if phase.method != first.method:
            raise MixedMethodsError(
                f"hull: energies of two methods cannot share one: {first.name} has method {first.method[:8]!r}, "
                f"{phase.name} has {phase.method[:8]!r}"
            )


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
        self._hulls: dict[tuple[object, ...], PhaseHull] = {}

    def assess(self, candidate: Phase) -> Stability:
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
        if key not in self._hulls:
            self._hulls[key] = PhaseHull(ensemble, phases)
        whole = self._hulls[key]
        composition = candidate.composition
        if composition not in whole.corners:
            return whole
        own = (*key, composition)
        if own not in self._hulls:
            self._hulls[own] = PhaseHull(ensemble, [phase for phase in phases if phase.composition != composition])
        return self._hulls[own]

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
        if HYDROGEN not in self._elements or len(self._elements) == 1:
            return ConditionStability(temperature, pressure, notes=["no hydride"])
        notes = [STATIC_SOLIDS]
        if is_solid(temperature, pressure):
            notes.append("hydrogen is solid here: the potential is that of the undercooled fluid")
        molecule = self._elemental[HYDROGEN]
        potential = molecule.energy_per_atom + chemical_potential_per_atom(temperature, pressure)
        ensemble = Open(self._elements, molecule.name, potential, pressure)
        own = list(minima([candidate], ensemble))
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


def _energy_of_formula(phase: Phase, energy_per_atom: float) -> float:
    """EV per formula unit as it is written."""
    return energy_per_atom * sum(parse_formula(phase.formula).values())
