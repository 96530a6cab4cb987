"""Vibrations of candidates and of what competes with them: is it a minimum, and what do its vibrations cost?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from ninefold.clock import now
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError
from ninefold.keys import KEY_VERSION, content_key, structure_key
from ninefold.models.lines import blob_id
from ninefold.models.structure import StructureRecord, pack_structure
from ninefold.models.vibrations import StoredMode, StoredTrial, VibrationRecord
from ninefold.stages.stage import Counts, Resources, Stage, StageResult
from ninefold.thermo.harmonic import MEV_PER_THZ
from ninefold.thermo.quasiharmonic import LEAST_VOLUMES
from ninefold.vibrations.settings import PhononSettings

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.chemistry.anions import Assignment
    from ninefold.engines.base import Engine
    from ninefold.vibrations.course import Course, Source, Tell
    from ninefold.vibrations.phonons import ImaginaryMode

STAGE = Stage(
    "vibrations", "energies", takes="phases", gives="phases", evidence="ML", is_beside=True,
    resources=Resources(memory_GB=4.0, minutes=600.0),
    meaning="candidates and competitors with vibrations, by `ninefold vibrations`",
)  # fmt: skip

VERSION = 1
"""Rises when other vibrations can come of the same forces; in the id of a record."""
UNSTABLE = "imaginary modes are left"
_ROOM = 298.15


class VibrationsSettings(PhononSettings):
    """Which phases' vibrations are computed, and how."""

    method: EngineSettings = EngineSettings(name="sevennet", model="7net-0")
    """What gives the forces."""
    top: int = Field(default=5, ge=1, le=100_000)
    """Candidates, the best placed first."""
    only: tuple[str, ...] = ()
    """Formulas, or chemical systems (Cr-H-Mg); others are left out."""
    competitors: bool = True
    """Whether what competes with them is computed, too: reference phases, and other candidates on their hulls."""
    volumes: int = Field(default=1, ge=1, le=25)
    """At which a phase without imaginary modes is computed beside that of rest, for its thermal expansion: 5 or more.
    1: none."""
    smallest_volume: float = Field(default=0.94, ge=0.7, le=1.0)
    """Of these, over that of rest. What a pressure compresses to must be inside."""
    largest_volume: float = Field(default=1.14, ge=1.0, le=1.5)
    """Likewise. What heat expands to must be inside."""
    phases_per_job: int = Field(default=1, ge=1)
    """One where each job is queued by itself; where one machine runs all jobs, its workers share the phases of one."""

    @field_validator("volumes")
    @classmethod
    def _check_volumes(cls, value: int) -> int:
        if 1 < value < LEAST_VOLUMES:
            raise ValueError(f"must be 1, for none, or {LEAST_VOLUMES} and more: an equation of state has 4 parameters")
        return value

    def phonons(self) -> PhononSettings:
        """Those of one phase."""
        return PhononSettings.model_validate(self.model_dump(include=set(PhononSettings.model_fields)))


def check_engine(label: str, title: str, evidence: str, measure: Callable[[], float] | None = None) -> None:
    """Refuse an engine whose second derivatives are not symmetric: its frequencies would be those of its noise.

    DFT has no trust table and is taken; so is a potential for tests, which is a formula.

    Args:
        label: Of the engine.
        title: As a campaign names it.
        evidence: Level of its energies.
        measure: Measures the asymmetry of an engine that the trust table does not have; None takes it unmeasured.

    Raises:
        InputError: with the measured asymmetry.
    """
    from ninefold.trust.uncertainty import LARGEST_ASYMMETRY, hessian_asymmetry, rough

    if evidence in ("DFT", "test"):
        return
    known = hessian_asymmetry(label)
    value = known if known is not None else hessian_asymmetry(title)
    if value is None and measure is not None:
        value = measure()
    if value is not None and value > LARGEST_ASYMMETRY:
        raise InputError(
            "--method", title, problem=f"cannot give vibrations: {rough(value)}",
            allowed="an engine that passes the Hessian test of 'ninefold trust', e.g. sevennet:7net-0",
        )  # fmt: skip


def measured_asymmetry(engine: Engine) -> float:
    """Of an engine that the trust table does not have, on its test structure."""
    from ninefold.trust.hessian import asymmetry, hessian, structure_of_test

    return asymmetry(hessian(engine, structure_of_test()))


def vibration_id(structure: Structure, settings: PhononSettings, method: str) -> str:
    """Id of the vibrations of a structure.

    Args:
        structure: Where they begin.
        settings: Those of `PhononSettings` count, but for the limit of size.
        method: Id of the method.
    """
    from ninefold.engines.base import RELAXATION_VERSION

    packed = pack_structure(structure)
    geometry = structure_key(packed["lattice"], packed["species"], packed["positions"])
    return content_key(
        "vibrations", VERSION, geometry, of_course(settings), method, RELAXATION_VERSION, KEY_VERSION
    )  # fmt: skip


def compute(
    campaign: str,
    label: str,
    start: StructureRecord,
    source: Source,
    method: str,
    settings: PhononSettings,
    assignment: Assignment | None = None,
    tell: Tell | None = None,
) -> StageResult:
    """Vibrations of one phase.

    Args:
        campaign: That asks for it.
        label: Of the phase.
        start: Its structure.
        source: Of energies and forces.
        method: Id of the method behind it.
        settings: How.
        assignment: Of a candidate: what must be left of its anion where a lower structure takes its place.
        tell: Told how far it is.

    Raises:
        CourseError: if the machine failed.
        InputError: if the supercell is too large.
    """
    from ninefold.vibrations.course import CourseError, no_fault, vibrations_of

    structure = start.to_structure()
    base = VibrationRecord(
        id=vibration_id(structure, settings, method), campaign=campaign, label=label, method=method, start=start.id,
        settings=of_course(settings), created=now(),
    )  # fmt: skip
    try:
        fault_of = no_fault if assignment is None else _fault_of(assignment)
        course = vibrations_of(structure, source, settings, fault_of, tell)
    except CourseError as error:
        if error.is_transient:
            raise
        record = base.model_copy(update={"error": str(error)})
        return StageResult([start, record], counts(record))
    return _result(base, start, course, settings)


def counts(record: VibrationRecord) -> Counts:
    """Whether a phase has vibrations, and is a minimum."""
    reason = record.error or (None if record.is_stable else UNSTABLE)
    return Counts("phases", 1, int(record.error is None), Counter({reason: 1}) if reason else Counter())


def _result(base: VibrationRecord, start: StructureRecord, course: Course, settings: PhononSettings) -> StageResult:
    relaxed, final = (StructureRecord.of(cell) for cell in (course.relaxed, course.phonons.primitive))
    structures = {record.id: record for record in (start, relaxed, final)}
    trials = []
    for saddle in course.saddles:
        place = StructureRecord.of(saddle.structure)
        structures[place.id] = place
        for tried in saddle.tried:
            lower = None if tried.structure is None else StructureRecord.of(tried.structure)
            if lower is not None:
                structures[lower.id] = lower
            trials.append(
                StoredTrial(
                    saddle=place.id,
                    **_mode(tried.mode).model_dump(),
                    amplitude=tried.amplitude,
                    gain=tried.gain,
                    outcome=tried.outcome,
                    structure=None if lower is None else lower.id,
                )
            )
    phonons = course.phonons
    full = phonons.vibrations(settings.mesh_length)
    vibrations = full.condensed()
    constants = phonons.to_bytes()
    spectrum = json.dumps(vibrations.to_dict(), separators=(",", ":")).encode()
    notes = list(course.notes)
    if full.missing_modes > _LARGEST_MISSING and not phonons.imaginary_modes:
        notes.append(
            f"{100 * full.missing_modes / 3:.1f} % of the modes between the computed points are imaginary: a wider "
            "supercell would say whether they are"
        )
    first = course.saddles[0].modes if course.saddles else phonons.imaginary_modes
    record = base.model_copy(
        update={
            "relaxed": relaxed.id, "structure": final.id, "relaxed_energy": course.relaxed_energy,
            "energy_per_atom": course.energy_per_atom, "gain": course.energy_per_atom - course.relaxed_energy,
            "nsites": len(phonons.primitive), "supercell": [list(row) for row in phonons.matrix],
            "supercell_atoms": len(phonons.primitive) * _size(phonons.matrix), "displacements": course.displaced,
            "imaginary": [_mode(mode) for mode in phonons.imaginary_modes],
            "n_imaginary": len(phonons.imaginary_modes), "noise_meV": phonons.noise_THz * MEV_PER_THZ,
            "translation_meV": phonons.translation_THz * MEV_PER_THZ,
            "start_imaginary": [_mode(mode) for mode in first], "trials": trials,
            "zero_point_energy": vibrations.zero_point_energy, "free_energy_298": vibrations.free_energy(_ROOM),
            "missing_modes": vibrations.missing_modes, "force_constants": blob_id(constants),
            "spectrum": blob_id(spectrum), "notes": notes,
        }
    )  # fmt: skip
    blobs = {blob_id(content): content for content in (constants, spectrum)}
    return StageResult([*structures.values(), record], counts(record), blobs)


_LARGEST_MISSING = 0.01
"""Modes per atom; the three translations at Γ are far fewer on a usual mesh."""


def _mode(mode: ImaginaryMode) -> StoredMode:
    return StoredMode(q=list(mode.q), frequency_meV=mode.frequency_meV)


def _size(matrix: Sequence[Sequence[int]]) -> int:
    import numpy as np

    return abs(round(float(np.linalg.det(np.array(matrix)))))


def of_course(settings: PhononSettings) -> dict[str, Any]:
    """What the result depends on."""
    names = set(PhononSettings.model_fields) - {"max_atoms"}
    return settings.model_dump(mode="json", include=names)


def _fault_of(assignment: Assignment) -> Callable[[Structure], str | None]:
    from ninefold.structures.checks import check_shells

    def fault(structure: Structure) -> str | None:
        return ", ".join(check_shells(structure, assignment).faults) or None

    return fault
