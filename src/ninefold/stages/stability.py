"""Hull distances of candidates against references and each other, by chemical system and by method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.chemistry.formula import parse_formula
from ninefold.errors import listed
from ninefold.models.candidate import Candidate
from ninefold.stages.flags import flags
from ninefold.stages.stage import Counts, Resources, Stage
from ninefold.stages.uncertainty import with_uncertainty
from ninefold.thermo.settings import SYNTHESIS
from ninefold.trust.hydrogen import is_calibrated
from ninefold.trust.uncertainty import class_of, model_errors

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.models.method import ZeroPoint
    from ninefold.models.reference import ReferenceRecord
    from ninefold.models.search import Minimum
    from ninefold.models.structure import StructureRecord
    from ninefold.thermo.equation_of_state import EquationOfState
    from ninefold.thermo.harmonic import HarmonicVibrations
    from ninefold.thermo.phase import Phase
    from ninefold.thermo.quasiharmonic import QuasiHarmonic
    from ninefold.thermo.results import Formation, Stability
    from ninefold.thermo.settings import Condition, StabilitySettings
    from ninefold.thermo.system import ChemicalSystem
    from ninefold.trust.uncertainty import Hydrogen

STAGE = Stage(
    "stability", "prescreen", evidence="ML", resources=Resources(memory_GB=2.0, minutes=120.0),
    meaning="compositions with a distance to the convex hull",
)  # fmt: skip

NO_STRUCTURE = "no valid structure"
NOT_SEARCHED = "not searched"
MOST_NAMED = 6
"""Phases that a note names."""
MACHINE_REASON = "no hull: a reference phase could not be computed in this run"

_OF_STABILITY = (
    "e_above_hull", "phase_separation_energy", "e_above_references", "e_above_same_composition",
    "search_scatter", "formation_energy_per_atom", "reaction_energy_per_h2", "decomposition", "ternaries",
    "conditions",
)  # fmt: skip


class Thermal(NamedTuple):
    """What is known of structures beyond their static energy, with one method, by the structure's id."""

    states: Mapping[str, EquationOfState] = {}
    vibrations: Mapping[str, HarmonicVibrations] = {}
    zero_point: ZeroPoint = "none"
    """Whether the method's energies hold an average zero-point energy, with its own hydrogen; see `EnergyScale`."""
    lent: Mapping[str, tuple[str, EquationOfState]] = {}
    """Equations of state of another method, with its label, for structures that this one has none of."""
    expansions: Mapping[str, QuasiHarmonic] = {}
    """Vibrations at several volumes, of some of the structures with vibrations."""


class Hulls:
    """The phases of one method, from which the hull of any chemical system is made.

    Candidates are held as phases, which are small; their rows are read when their system is assessed.

    Args:
        references: Relaxed with the method.
        structures: By id, those of the references.
        settings: Conditions, and whether candidates compete.
        thermal: Equations of state and vibrations of structures, as far as they are known.
        synthesis: Where candidates are to be made.
    """

    def __init__(
        self,
        references: Iterable[ReferenceRecord],
        structures: Mapping[str, StructureRecord],
        settings: StabilitySettings,
        thermal: Thermal | None = None,
        synthesis: Condition = SYNTHESIS,
    ) -> None:
        from ninefold.thermo.zero_point import EnergyScale

        self._settings, self._synthesis = settings, synthesis
        self._thermal = thermal or Thermal()
        self._hydrogen: Hydrogen = "own"
        self._references: dict[str, Phase] = {}
        self._structures: dict[str, StructureRecord] = {}
        self._published: set[tuple[tuple[str, float], ...]] = set()
        self._candidates: dict[frozenset[str], dict[str, Phase]] = {}
        self._compositions: dict[frozenset[str], dict[str, tuple[str, bool]]] = {}
        kept: list[ReferenceRecord] = []
        for reference in references:
            if reference.energy_per_atom is not None and reference.structure is not None:
                structure = structures[reference.structure]
                self._structures[reference.name] = structure
                if reference.kind == "molecule" and is_calibrated(reference.engine, reference.energy_per_atom):
                    self._hydrogen = "calibrated"
                kept.append(reference)
        is_calibrated_gas = self._hydrogen == "calibrated"
        self._scale = EnergyScale("none" if is_calibrated_gas else self._thermal.zero_point)
        for reference in kept:
            phase = reference_phase(reference, structures[reference.structure or ""], self._thermal)
            self._references[reference.name] = phase
            self._published.add(phase.composition)

    def add(self, row: Candidate) -> None:
        """A candidate that competes with others; one without a structure counts as a composition alone."""
        of_system = self._compositions.setdefault(frozenset(row.elements), {})
        of_system[row.composition] = row.formula, row.is_low_budget
        if row.energy_per_atom is not None:
            self._candidates.setdefault(frozenset(row.elements), {})[row.composition] = candidate_phase(
                row, self._thermal
            )

    def systems(self) -> list[tuple[str, ...]]:
        """Chemical systems that hold candidates, sorted."""
        return sorted(tuple(sorted(system)) for system in self._candidates)

    def assess(
        self, rows: Sequence[Candidate], structure_of: Mapping[str, Structure], missing: Sequence[str] = ()
    ) -> tuple[list[Candidate], Counts]:
        """Rows of one chemical system with their hull distances.

        Args:
            rows: Candidates of one system, all of which have been added if they have a structure.
            structure_of: By id, the structures of candidates that have a published structure; see `needs_structures`.
            missing: Reference phases of this system that the machine kept from being relaxed: without them compounds
                would seem more stable than they are, so that no hull is made.

        Raises:
            ninefold.thermo.stability.MixedMethodsError: if not all energies are of one method.
        """
        counts = Counts(count_in=len(rows))
        assessed: list[Candidate] = []
        placed = [row for row in rows if row.energy_per_atom is not None]
        counts.reasons[NOT_SEARCHED] = sum(not row.search_rounds for row in rows if row.energy_per_atom is None)
        counts.reasons[NO_STRUCTURE] = len(rows) - len(placed) - counts.reasons[NOT_SEARCHED]
        if missing or not placed:
            counts.reasons[MACHINE_REASON] = len(placed) if missing else 0
            notes = [f"{MACHINE_REASON}: {listed(missing, MOST_NAMED)}"] if missing else []
            return [row.model_copy(update={"stability_notes": notes}) for row in rows], _without_zeros(counts)
        elements = frozenset(placed[0].elements)
        own = self._candidates[elements]
        others = [
            phase for system, members in self._candidates.items() if system < elements for phase in members.values()
        ]
        references = [phase for phase in self._references.values() if elements >= set(phase.amounts)]
        results = dict(zip(own, self._assessed(list(own.values()), references, others), strict=True))
        system = self.system(elements)
        complete: list[str] | None = None
        for row in rows:
            result = results.get(row.composition)
            if row.energy_per_atom is None or result is None:
                assessed.append(row)
                continue
            counts.count_out += 1
            if result.e_above_hull is None:
                counts.reasons.update(result.notes or ["no hull"])
            else:
                complete = self._completeness(rows, system) if complete is None else complete
                result = replace(result, notes=[*result.notes, *complete])
            assessed.append(self._with(row, result, structure_of, system))
        return assessed, _without_zeros(counts)

    def system(self, elements: Iterable[str]) -> ChemicalSystem:
        """The phases of a chemical system, for its hulls at any condition."""
        from ninefold.thermo.system import ChemicalSystem

        wanted = frozenset(elements)
        members = [phase for system, some in self._candidates.items() if system <= wanted for phase in some.values()]
        references = [phase for phase in self._references.values() if wanted >= set(phase.amounts)]
        return ChemicalSystem(wanted, members, references, self._settings, self._scale)

    def phase_of(self, row: Candidate) -> Phase | None:
        """A candidate that has been added, as it competes; None without a structure."""
        return self._candidates.get(frozenset(row.elements), {}).get(row.composition)

    def _assessed(
        self, candidates: Sequence[Phase], references: Sequence[Phase], others: Sequence[Phase]
    ) -> list[Stability]:
        from ninefold.thermo.stability import assess

        return assess(candidates, references, self._settings, others, self._synthesis, self._scale)

    def _completeness(self, rows: Sequence[Candidate], system: ChemicalSystem) -> list[str]:
        """Which facets of a system's hull are guesses, and which of its compositions were searched.

        Args:
            rows: All of the system.
            system: With all that competes.
        """
        from ninefold.thermo.competition import facets_of, given, low_budget, searched_of

        wanted = frozenset(rows[0].elements)
        within = [each for elements, some in self._compositions.items() if elements < wanted for each in some.values()]
        searched = [*((row.formula, row.is_low_budget) for row in rows), *within]
        placed = [
            phase.formula
            for elements, some in self._candidates.items()
            if elements <= wanted
            for phase in some.values()
        ]
        found = searched_of(
            wanted, [formula for formula, _ in searched], placed, low_budget(searched), given(system)
        )  # fmt: skip
        return [facets_of(system).describe(), found.describe()]

    def needs_structures(self, row: Candidate) -> bool:
        """Whether a published structure of the candidate's composition is to be looked for among its minima."""
        phase = self._candidates.get(frozenset(row.elements), {}).get(row.composition)
        return phase is not None and phase.composition in self._published

    def _with(
        self, row: Candidate, result: Stability, structure_of: Mapping[str, Structure], system: ChemicalSystem
    ) -> Candidate:
        values = asdict(result)
        update: dict[str, Any] = {name: values[name] for name in _OF_STABILITY}
        update["known"] = [
            known | found_among(row, self._structures[known["name"]], structure_of) for known in values["known"]
        ]
        update["reaction"], update["stability_notes"] = result.reaction, result.notes
        update |= _of_formation(result.formation)
        assessed = self._with_model_error(row.model_copy(update=update))
        if result.formation is not None and assessed.e_above_hull_uncertainty is not None:
            assessed = self._with_interval(assessed, result.formation, assessed.e_above_hull_uncertainty, system)
        return assessed.model_copy(update={"flags": flags(assessed)})

    def _with_interval(
        self, row: Candidate, formation: Formation, uncertainty: float, system: ChemicalSystem
    ) -> Candidate:
        """The row with the interval of its lowest pressure, by the uncertainty that one method tells."""
        from ninefold.thermo.window import with_interval

        phase = self.phase_of(row)
        assert phase is not None
        formation = with_interval(formation, system, phase, uncertainty)
        return row.model_copy(update={"formation": asdict(formation)})

    def _with_model_error(self, row: Candidate) -> Candidate:
        """The row with what its method is wrong by, and with its uncertainty as far as one method tells it."""
        if row.phase_separation_energy is None:
            return row
        errors = model_errors(row.engine or "", row.evidence, self._hydrogen)
        if errors is None:
            source = "none: a distance to the hull means nothing with this kind of energies"
            return with_uncertainty(row.model_copy(update={"model_error_source": source}))
        products = [(item["formula"], item["fraction"]) for item in row.decomposition]
        update = {
            "model_error": errors.of_distance(row.formula, products), "model_error_source": errors.describe(),
        }  # fmt: skip
        return with_uncertainty(row.model_copy(update=update))


def _of_formation(formation: Formation | None) -> dict[str, Any]:
    """What a row says of where its candidate forms."""
    if formation is None:
        return {}
    lowest, highest = formation.lowest_pressure_GPa, formation.highest_pressure_GPa
    return {
        "lowest_pressure": lowest,
        "window_width": 0.0 if lowest is None or highest is None else highest - lowest,
        "synthesis_separation": formation.synthesis_separation,
        "ambient_separation": formation.ambient_separation,
        "survives_ambient": formation.survives_ambient,
        "decomposition_temperature": formation.decomposition_temperature_K,
        "formation": asdict(formation),
    }


def found_among(
    row: Candidate, published: StructureRecord, structure_of: Mapping[str, Structure]
) -> dict[str, str | float | None]:
    """A published structure's space group, and which of the minima found is the same structure, if one is.

    Args:
        row: The candidate.
        published: The published structure as the method relaxed it.
        structure_of: Structures of the candidate's minima, by id.

    Returns:
        space_group_symbol of the published structure; found_space_group_symbol and found_above_lowest (eV/atom
        above the lowest valid minimum) of the minimum that matches it, or None.
    """
    from ninefold.structures.duplicates import matcher
    from ninefold.structures.symmetry import space_group

    structure, compare = published.to_structure(), matcher()
    valid = [minimum for minimum in row.minima if minimum.is_valid]
    matched = next((minimum for minimum in valid if compare.fit(structure_of[minimum.structure], structure)), None)
    lowest = min((minimum.energy_per_atom for minimum in valid), default=0.0)
    return {
        "space_group_symbol": space_group(structure).symbol,
        "found_space_group_symbol": None if matched is None else matched.space_group_symbol,
        "found_above_lowest": None if matched is None else matched.energy_per_atom - lowest,
    }


def candidate_phase(row: Candidate, thermal: Thermal | None = None) -> Phase:
    """With every other valid minimum as a polymorph, named by its place in the list of structures and its symmetry.

    A minimum without an equation of state of its own is compressed as the nearest one in energy that has one, and
    without any as by another method that has computed its geometry.
    """
    from ninefold.thermo.phase import CANDIDATE, KNOWN_SEARCHED, Phase
    from ninefold.thermo.references import missing_phases

    amounts = amounts_of(row)
    atoms = sum(amounts.values())
    is_structure_known = not (  # the list is read for made compounds alone: they are few among many rows
        row.is_known and amounts in [parse_formula(each.formula) for each in missing_phases(amounts)]
    )
    known = thermal or Thermal()
    valid = [minimum for minimum in row.minima if minimum.is_valid]
    compressed = [minimum for minimum in valid if minimum.structure in known.states]
    lent = [minimum for minimum in valid if minimum.structure in known.lent]

    def state(minimum: Minimum) -> tuple[str, EquationOfState | None]:
        """Of which method, if of another one, and the equation of state."""
        if minimum in compressed:
            return "", known.states[minimum.structure]
        if not compressed and not lent:
            return "", None
        nearest = min(compressed or lent, key=lambda each: abs(each.energy_per_atom - minimum.energy_per_atom))
        label, found = ("", known.states[nearest.structure]) if compressed else known.lent[nearest.structure]
        return label, found.at_volume(minimum.volume_per_formula_unit / atoms)

    def phase(minimum: Minimum, name: str, **more: Any) -> Phase:
        lender, equation_of_state = state(minimum)
        return Phase(
            name=name,
            formula=row.formula,
            amounts=amounts,
            energy_per_atom=minimum.energy_per_atom,
            volume_per_atom=minimum.volume_per_formula_unit / atoms,
            kind=KNOWN_SEARCHED if row.is_competitor and row.is_known else CANDIDATE,
            is_made=row.is_known,
            is_structure_known=is_structure_known,
            is_low_budget=row.is_low_budget,
            centre=row.centre,
            search_spread=row.search_spread,
            method=row.method,
            phase_class=class_of(row.formula) or "",
            equation_of_state=equation_of_state,
            compressed_as_by=lender,
            vibrations=known.vibrations.get(minimum.structure),
            quasi_harmonic=known.expansions.get(minimum.structure),
            **more,
        )

    best, *others = valid
    polymorphs = tuple(
        phase(minimum, f"{row.label}, minimum {place} ({minimum.space_group_symbol})")
        for place, minimum in enumerate(others, start=2)
    )
    return phase(best, row.label, polymorphs=polymorphs)


def reference_phase(reference: ReferenceRecord, structure: StructureRecord, thermal: Thermal | None = None) -> Phase:
    """A reference, with its relaxed structure, as the hull takes it."""
    from ninefold.thermo.phase import Phase

    known = thermal or Thermal()
    assert reference.energy_per_atom is not None
    lender, state = "", known.states.get(structure.id)
    if state is None and structure.id in known.lent and reference.volume_per_atom is not None:
        lender, lent = known.lent[structure.id]
        state = lent.at_volume(reference.volume_per_atom)
    return Phase(
        name=reference.name,
        formula=reference.formula,
        amounts=Counter(structure.species),
        energy_per_atom=reference.energy_per_atom,
        volume_per_atom=reference.volume_per_atom,
        kind=reference.kind,
        source=reference.source,
        provenance=reference.provenance,
        refuted=reference.refuted,
        method=reference.method,
        phase_class=class_of(reference.formula) or "",
        equation_of_state=state,
        compressed_as_by=lender,
        vibrations=known.vibrations.get(structure.id),
        quasi_harmonic=known.expansions.get(structure.id),
    )


def amounts_of(row: Candidate) -> dict[str, float]:
    """Atoms per formula unit, by symbol."""
    return {**row.cation_counts, row.centre: 1, "H": row.n + row.m}


def _without_zeros(counts: Counts) -> Counts:
    counts.reasons = +counts.reasons
    return counts
