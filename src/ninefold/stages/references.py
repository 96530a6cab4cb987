"""Relax the competing phases of the chemical systems at hand with a method."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ninefold.models.reference import ReferenceRecord, reference_id
from ninefold.models.structure import pack_structure, structure_id
from ninefold.stages.stage import Counts, Resources, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ninefold.engines.base import Relaxation
    from ninefold.models.method import Method
    from ninefold.thermo.references import ReferencePhase

STAGE = Stage(
    "references", "select", takes="reference phases", gives="reference phases", evidence="ML", is_beside=True,
    resources=Resources(memory_GB=2.0), meaning="competing phases, relaxed with the same method",
)  # fmt: skip


OF_HYDROGEN = "energy of H2"
"""How a note on the energy of hydrogen gas begins."""
PHASES_PER_JOB = 64
"""Phases of one job, where a relaxation takes seconds to minutes."""


def phases_of(systems: Iterable[Sequence[str]]) -> dict[str, ReferencePhase]:
    """Reference phases of some chemical systems, by name."""
    from ninefold.thermo.references import reference_phases

    return {phase.name: phase for system in systems for phase in reference_phases(system)}


def missing_counts(systems: Iterable[Sequence[str]]) -> Counts:
    """Phases that ought to compete and have no structure to relax, as reasons of the funnel."""
    from ninefold.thermo.references import missing_phases

    missing = [phase for system in systems for phase in missing_phases(system)]
    return Counts(
        "structures", reasons=Counter({f"not in the hull: {each.formula}: {each.reason}": 1 for each in missing})
    )


def reference_record(
    campaign: str, phase: ReferencePhase, relaxation: Relaxation, method: Method, hydrogen: str = "own"
) -> ReferenceRecord:
    """A phase as a method sees it.

    Args:
        campaign: That asks for it.
        phase: With its source.
        relaxation: Of its structure; the relaxed one is in the store with the calculation, and named here.
        method: That relaxed it.
        hydrogen: As in `StabilitySettings`.
    """
    from ninefold.structures.symmetry import space_group

    structure = relaxation.structure if relaxation.error is None else None
    is_solid = structure is not None and phase.kind != "molecule"
    elements = sorted({site.specie.symbol for site in phase.structure})
    energy, notes = relaxation.energy_per_atom, []
    if phase.kind == "molecule" and energy is not None:
        energy, note = hydrogen_energy(method.label, energy, hydrogen)
        notes = [note]
    return ReferenceRecord(
        id=reference_id(campaign, method.id, phase.name),
        campaign=campaign,
        method=method.id,
        engine=method.label,
        name=phase.name,
        formula=phase.formula,
        chemical_system="-".join(elements),
        elements=elements,
        kind=phase.kind,
        energy_per_atom=energy,
        space_group_number=space_group(structure).number if is_solid else None,
        volume_per_atom=structure.volume / len(structure) if is_solid and structure is not None else None,
        is_converged=relaxation.is_converged,
        structure=None if structure is None else structure_id(pack_structure(structure)),
        source=phase.source,
        provenance=phase.provenance,
        refuted=phase.refuted,
        notes=[*phase.notes, *notes, *([relaxation.error] if relaxation.error else [])],
        core_seconds=relaxation.core_seconds,
    )


def hydrogen_energy(engine: str, own: float, which: str) -> tuple[float, str]:
    """The energy of hydrogen gas that a method's hulls are made with, and what a reader is told of it.

    Args:
        engine: Label of the method.
        own: Energy of its own molecule, eV/atom.
        which: `calibrated`, where the engine has been calibrated; or `own`.
    """
    from ninefold.trust.hydrogen import calibrated_hydrogen

    found = calibrated_hydrogen(engine, own) if which == "calibrated" else None
    if found is not None:
        return found.energy, found.describe()
    why = "" if which == "own" else ", for which no calibration is at hand"
    return own, f"{OF_HYDROGEN} {own:.3f} eV/atom: the engine's own molecule in a box{why}"


def counts(record: ReferenceRecord) -> Counts:
    """Whether a phase stands in the hull."""
    result = Counts("structures", 1, int(record.energy_per_atom is not None), core_seconds=record.core_seconds)
    if record.energy_per_atom is None:
        result.reasons[f"{record.name}: {record.notes[-1] if record.notes else 'no energy'}"] += 1
    elif not record.is_converged:
        result.reasons[f"in the hull, though not converged: {record.name}"] = 1
    return result
