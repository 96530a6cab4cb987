"""What is known of a structure beyond its energy: vibrations, thermal expansion, an equation of state.

By whichever method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ninefold.models.evidence import TRUST
from ninefold.stages.compress import state_of
from ninefold.stages.quasiharmonic import ROOM_TEMPERATURE, equilibria

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate
    from ninefold.models.method import Method
    from ninefold.models.property import PropertyRecord
    from ninefold.models.vibrations import VibrationRecord
    from ninefold.thermo.quasiharmonic import QuasiHarmonic

LARGEST_GAIN = -0.002
"""eV/atom, that vibrations may have gained by leaving a saddle point; more means that they are another structure's."""
NONE: Mapping[str, Any] = MappingProxyType({})
PHONON = "phonon"
"""Evidence of a structure that has no imaginary mode with the forces of DFT."""


def is_of(record: VibrationRecord, structure: str) -> bool:
    """Whether vibrations are those of a structure, and not of a lower one that took its place."""
    if record.structure is None:
        return False
    return record.structure == structure or (record.start == structure and (record.gain or 0.0) > LARGEST_GAIN)


def widest(records: Iterable[VibrationRecord]) -> VibrationRecord | None:
    """Of vibrations of one structure with one method those of the largest supercell, which interpolate least.

    Args:
        records: Some that failed may be among them; they come last.
    """
    return max(
        records,
        key=lambda record: (
            record.error is None, record.supercell_atoms or 0, -float(record.settings.get("fmax") or 0.0), record.id,
        ),
        default=None,
    )  # fmt: skip


def evidence_of(record: VibrationRecord, structure: str, method: Method) -> str:
    """Evidence level of vibrations: phonon where DFT finds no imaginary mode, else that of the method's forces."""
    is_stable = is_of(record, structure) and record.is_stable
    return PHONON if method.evidence == "DFT" and is_stable else method.evidence


def with_structure_facts(
    row: Candidate,
    vibrations: Sequence[VibrationRecord],
    states: Sequence[PropertyRecord],
    methods: Mapping[str, Method],
    expansions: Mapping[str, Sequence[QuasiHarmonic]] = NONE,
) -> Candidate:
    """A row with vibrations, thermal expansion and equation of state of the structure that stands for it.

    Those of its own method count before others', and others' by the evidence of the method.

    Args:
        row: Of any method.
        vibrations: Records that began with the structure, or are of it.
        states: Records of its equations of state.
        methods: By id, those of the records.
        expansions: Vibrations at several volumes, by the id of the vibrations that they stand beside.
    """
    best = row.minima[0] if row.minima and row.minima[0].is_valid else None
    if best is None:
        return row
    update: dict[str, Any] = {}
    done = [record for record in vibrations if record.error is None and record.method in methods]
    if chosen := _most_trusted(row.method, {record.method for record in done}, methods):
        # of the structure itself, if there are any: others say that it is a saddle point
        own = [record for record in done if record.method == chosen]
        record = widest([each for each in own if is_of(each, best.structure)] or own)
        assert record is not None
        update |= _of_vibrations(record, best.structure, methods[chosen])
    grown = {
        record.id: values
        for record in done
        if is_of(record, best.structure) and (values := _at_room_temperature(expansions.get(record.id, ())))
    }
    if chosen := _most_trusted(row.method, {record.method for record in done if record.id in grown}, methods):
        record = widest([each for each in done if each.id in grown and each.method == chosen])
        assert record is not None
        update |= grown[record.id] | {
            "expansion_engine": methods[chosen].label,
            "expansion_evidence": evidence_of(record, best.structure, methods[chosen]),
        }
    fitted = {record.method: record for record in states if record.method in methods and state_of(record) is not None}
    if chosen := _most_trusted(row.method, fitted, methods):
        state = state_of(fitted[chosen])
        assert state is not None
        update |= {
            "volume_at_zero_pressure": state.volume_per_atom, "bulk_modulus": state.bulk_modulus,
            "bulk_modulus_derivative": state.derivative, "compression_engine": methods[chosen].label,
            "compression_evidence": methods[chosen].evidence,
        }  # fmt: skip
    return row.model_copy(update=update) if update else row


def _of_vibrations(record: VibrationRecord, structure: str, method: Method) -> dict[str, Any]:
    is_own = is_of(record, structure)
    modes = record.imaginary if is_own else record.start_imaginary
    is_minimum = is_own and not modes
    return {
        "imaginary_modes": len(modes),
        "zero_point_energy": record.zero_point_energy if is_minimum else None,
        "vibrational_free_energy": record.free_energy_298 if is_minimum else None,
        "vibrations_engine": method.label,
        "vibrations_evidence": evidence_of(record, structure, method),
    }


def _at_room_temperature(solids: Iterable[QuasiHarmonic]) -> dict[str, float]:
    """Fields of the solid with the most volumes that has one at 298.15 K and 0 GPa; empty if none has."""
    for solid in sorted(solids, key=lambda solid: -len(solid.volumes)):
        [at] = equilibria(solid, [(ROOM_TEMPERATURE, 0.0)])
        if "reason" not in at:
            return {
                "volume_298": at["volume_per_atom"], "thermal_expansion_298": at["thermal_expansion"],
                "bulk_modulus_298": at["bulk_modulus"],
            }  # fmt: skip
    return {}


def _most_trusted(own: str, found: Iterable[str], methods: Mapping[str, Method]) -> str | None:
    def trust(method: str) -> tuple[bool, int, str]:
        evidence: Any = methods[method].evidence
        return method == own, TRUST.index(evidence) if evidence in TRUST else -1, method

    return max(found, key=trust, default=None)
