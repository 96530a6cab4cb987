"""Carry candidates and what competes with them to a method that is believed more: what is settled, and what it says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ninefold.engines.settings import EngineSettings, RelaxSettings
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.reference import reference_id
from ninefold.models.search import MinimaRecord
from ninefold.settings import Settings
from ninefold.stages.references import OF_HYDROGEN, hydrogen_energy
from ninefold.stages.stage import Counts, Resources, Stage, StageResult

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.models.calculation import Calculation
    from ninefold.models.method import Method
    from ninefold.models.reference import ReferenceRecord
    from ninefold.models.structure import StructureRecord
    from ninefold.search.budget import SearchBudget

STAGE = Stage(
    "verify", "energies", takes="phases", gives="phases", evidence="DFT", is_beside=True,
    resources=Resources("dft", memory_GB=8.0, minutes=600.0),
    meaning="candidates and competitors computed by `ninefold verify`",
)  # fmt: skip

SAME = 0.005
"""eV/atom above the lowest minimum up to which a smaller cell is computed in its place."""

Mode = Literal["static", "relax"]


class VerifySettings(Settings):
    """What is verified, and how."""

    method: EngineSettings = EngineSettings(name="gpaw", model="draft")
    """What computes."""
    mode: Mode = "static"
    """static: one energy at the geometry of the potential. relax: atoms and cell relaxed, some steps a run."""
    window: float | None = Field(default=None, ge=0, le=10)
    """Distance to the hull up to which a candidate is verified, eV/atom. Default: 1.645 times the candidate's own
    uncertainty, so that all are verified which lie on the hull with a probability of 5 % or more."""
    top: int | None = Field(default=None, ge=1)
    """Candidates at most, the nearest to the hull first."""
    max_steps: int = Field(default=20, ge=1, le=10_000)
    """Steps of a relaxation in one run; the next goes on from there."""
    fmax: float = Field(default=0.05, gt=0, le=10)
    """Force at which a relaxation ends, eV/Å."""
    margin: float = Field(default=0.05, ge=0, le=10)
    """Distance above the potential's hull, eV/atom, beyond which a reference phase is left out."""
    only: tuple[str, ...] = ()
    """Formulas, or chemical systems (Cr-H-Mg); others are not verified."""
    phases_per_job: int = Field(default=1, ge=1)
    """One where each job is queued by itself; where one machine runs all jobs, its workers share the phases of one."""

    def relaxation(self, *, is_molecule: bool) -> RelaxSettings:
        """How a phase is relaxed: in its symmetry; a molecule in its box."""
        return RelaxSettings(
            fmax=self.fmax, max_steps=self.max_steps, keep_symmetry=True, relax_cell=not is_molecule
        )  # fmt: skip


def verified_minima(
    campaign: str,
    assignment: Assignment,
    found: MinimaRecord,
    start: str,
    calculations: Sequence[Calculation],
    structures: Mapping[str, StructureRecord],
    budget: SearchBudget,
    method: Method,
) -> StageResult:
    """What a method says of one candidate, as the minima of that method.

    Args:
        campaign: That asks for it.
        assignment: The composition.
        found: Its minima with the potential.
        start: Id of the structure of the minimum that was computed.
        calculations: Of it, see `standing`.
        structures: By id, those that the calculations begin and end with.
        budget: Of the search.
        method: Of the calculations.
    """
    from ninefold.search.relaxed import described_minima
    from ninefold.stages.prescreen import minima_of

    chosen = standing(calculations)
    minimum = next(item for item in found.minima if item.structure == start)
    first = structures[start].to_structure()
    end = structures[chosen.final or start].to_structure()
    relaxation = _as_relaxation(chosen, first, end, minimum.is_converged)
    outcome = described_minima(assignment, [first], [relaxation], [minimum.source], budget)
    minima, relaxed = minima_of(outcome)
    valid = [item.energy_per_atom for item in minima if item.is_valid]
    record = MinimaRecord(
        id=content_key("verified minima", found.id, start, chosen.id, KEY_VERSION),
        campaign=campaign, label=found.label, method=method.id, searches=found.searches, minima=minima,
        origins=dict(outcome.origins), lowest_by_round=[min(valid, default=None)], reasons=dict(outcome.reasons),
        relaxations=sum(calculation.kind == "relax" for calculation in calculations),
        core_seconds=sum(calculation.core_seconds for calculation in calculations),
    )  # fmt: skip
    return StageResult([*relaxed, record], Counts("phases", 1, len(valid)))


def verified_reference(
    of_potential: ReferenceRecord,
    calculations: Sequence[Calculation],
    structures: Mapping[str, StructureRecord],
    method: Method,
    hydrogen: str = "own",
) -> ReferenceRecord:
    """What a method says of one reference phase.

    Args:
        of_potential: The phase with the potential whose geometry was taken.
        calculations: Of it, see `standing`.
        structures: By id, those that the calculations begin and end with.
        method: Of the calculations.
        hydrogen: As in `StabilitySettings`.
    """
    from ninefold.structures.symmetry import space_group

    chosen = standing(calculations)
    structure_id = None if chosen.error else chosen.final or of_potential.structure
    structure = structures[structure_id].to_structure() if structure_id else None
    is_solid = structure is not None and of_potential.kind != "molecule"
    energy = chosen.energy_per_atom
    notes = [note for note in of_potential.notes if not note.startswith(OF_HYDROGEN)]  # the potential's own
    if of_potential.kind == "molecule" and energy is not None:
        energy, note = hydrogen_energy(method.label, energy, hydrogen)
        notes.append(note)
    return of_potential.model_copy(
        update={
            "id": reference_id(of_potential.campaign, method.id, of_potential.name), "method": method.id,
            "engine": method.label, "energy_per_atom": energy, "structure": structure_id,
            "space_group_number": space_group(structure).number if is_solid and structure is not None else None,
            "volume_per_atom": structure.volume / len(structure) if is_solid and structure is not None else None,
            "is_converged": None if chosen.error else chosen.kind == "static" or bool(chosen.is_converged),
            "notes": [*notes, *([chosen.error] if chosen.error else []), *chosen.notes],
            "core_seconds": sum(calculation.core_seconds for calculation in calculations),
        }
    )  # fmt: skip


def standing(calculations: Sequence[Calculation]) -> Calculation:
    """The calculation that stands for a phase: the end of its relaxation if there is one, else the single point.

    Args:
        calculations: At least one: the single point, and the parts of the relaxation in their order.
    """
    relaxed = [calculation for calculation in calculations if calculation.kind == "relax"]
    static = [calculation for calculation in calculations if calculation.kind == "static"]
    for some in (relaxed, static):
        if done := [calculation for calculation in some if calculation.error is None]:
            return done[-1]
    return (relaxed or static)[-1]


def out_of_equilibrium(
    calculations: Sequence[Calculation], structures: Mapping[str, StructureRecord]
) -> dict[str, Any]:
    """How far a phase is from a minimum of its method.

    Returns:
        mode; max_force, eV/Å; pressure, GPa, which the cell would push outwards with, by the energy's derivative with
        the volume at a fixed shape; steps and volume_change of a relaxation; calculations, ids; notes; core_seconds.
    """
    chosen = standing(calculations)
    first = next(item for item in calculations if item.start is not None).start
    relaxed = [item for item in calculations if item.kind == "relax"]
    values: dict[str, Any] = {
        "mode": "static" if chosen.kind == "static" else "relax",
        "max_force": largest_force(chosen),
        "pressure": None if chosen.stress is None else -float(np.mean(chosen.stress[:3])),
        "steps": sum(item.steps or 0 for item in relaxed) if chosen.kind == "relax" else None,
        "is_converged": None if chosen.kind == "static" else bool(chosen.is_converged),
        "volume_change": None,
        "calculations": [item.id for item in calculations],
        "notes": list(dict.fromkeys(note for item in calculations for note in item.notes)),
        "errors": [item.error for item in calculations if item.error],
        "core_seconds": sum(item.core_seconds for item in calculations),
    }
    if chosen.final and first and {first, chosen.final} <= set(structures):
        volumes = [structures[key].to_structure().volume for key in (first, chosen.final)]
        values["volume_change"] = volumes[1] / volumes[0] - 1
    return values


def largest_force(calculation: Calculation) -> float | None:
    """eV/Å."""
    if calculation.forces is None:
        return calculation.max_force
    return float(np.linalg.norm(np.array(calculation.forces), axis=1).max())


def counts(calculations: Sequence[Calculation]) -> Counts:
    """Whether a phase has an energy."""
    chosen = standing(calculations)
    reasons = Counter({chosen.error: 1}) if chosen.error else Counter()
    return Counts("phases", 1, int(chosen.error is None), reasons, sum(item.core_seconds for item in calculations))


def _as_relaxation(calculation: Calculation, first: Any, end: Any, is_converged: bool) -> Any:
    """As the search describes structures; a single point is as converged as the geometry that it was made at."""
    from ninefold.engines.base import Relaxation

    if calculation.error is not None:
        return Relaxation(first, None, np.inf, np.inf, 0, False, calculation.core_seconds, calculation.error)
    force = largest_force(calculation)
    return Relaxation(
        structure=end, energy_per_atom=calculation.energy_per_atom, max_force=0.0 if force is None else force,
        max_stress=calculation.max_stress or 0.0, steps=calculation.steps or 0,
        is_converged=is_converged if calculation.kind == "static" else bool(calculation.is_converged),
        core_seconds=calculation.core_seconds,
    )  # fmt: skip
