"""A candidate's minima with those that vibrations have led to: a lower structure takes its saddle point's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.search import MinimaRecord, Minimum
from ninefold.stages.prescreen import representative_first

if TYPE_CHECKING:
    from ninefold.chemistry.anions import Assignment
    from ninefold.models.structure import StructureRecord
    from ninefold.models.vibrations import VibrationRecord


def followed_id(minima: str, vibrations: Sequence[str]) -> str:
    """Id of minima that vibrations have changed.

    Args:
        minima: Id of the `MinimaRecord` as it was.
        vibrations: Ids of those records that left a saddle point among them.
    """
    return content_key("followed minima", minima, sorted(vibrations), KEY_VERSION)


def has_left(record: VibrationRecord) -> bool:
    """Whether a lower structure was found."""
    return record.error is None and (record.gain or 0.0) < 0


def followed(
    found: MinimaRecord,
    records: Sequence[VibrationRecord],
    structures: Mapping[str, StructureRecord],
    assignment: Assignment,
) -> MinimaRecord:
    """Minima without the saddle points that were left, and with what was found instead.

    Args:
        found: The minima as they were.
        records: Vibrations of some of them, see `has_left`; one for each structure.
        structures: By id, the lower ones.
        assignment: The composition.
    """
    left = {record.start: record for record in records}
    minima: list[Minimum] = []
    origins = dict(found.origins)
    reached: set[str] = set()
    for minimum in found.minima:
        record = left.get(minimum.structure)
        if record is None:
            minima.append(minimum)
            continue
        assert record.structure is not None
        if record.structure in reached:  # two saddle points beside one minimum
            continue
        reached.add(record.structure)
        minima.append(_lower(minimum, record, structures[record.structure], assignment))
        origins[record.structure] = [*found.origins.get(minimum.structure, [minimum.structure]), record.structure]
    valid = sorted((item for item in minima if item.is_valid), key=lambda item: item.energy_per_atom)
    lowest = min((item.energy_per_atom for item in valid), default=None)
    rounds = [energy for energy in found.lowest_by_round if energy is not None]
    # as far apart as they were: the rounds' differences are noise of the search, which is not less for this
    shift = 0.0 if lowest is None or not rounds else lowest - min(rounds)
    return found.model_copy(
        update={
            "id": followed_id(found.id, [record.id for record in records]),
            "minima": representative_first([*valid, *(item for item in minima if not item.is_valid)]),
            "origins": origins,
            "before_vibrations": found.id,
            "lowest_by_round": [None if energy is None else energy + shift for energy in found.lowest_by_round],
        }
    )


def _lower(before: Minimum, record: VibrationRecord, structure: StructureRecord, assignment: Assignment) -> Minimum:
    """The minimum beside a saddle point, described as the search describes one."""
    from ninefold.structures.checks import check_shells
    from ninefold.structures.labels import structure_type
    from ninefold.structures.symmetry import space_group

    cell = structure.to_structure()
    shells, group = check_shells(cell, assignment), space_group(cell)
    assert record.energy_per_atom is not None
    mode = record.start_imaginary[0]
    point = "Γ" if not any(mode.q) else f"q = ({', '.join(f'{value:g}' for value in mode.q)})"
    note = (
        f"followed from a saddle point ({abs(mode.frequency_meV):.0f}i meV at {point}, "
        f"{1000 * (record.gain or 0.0):+.1f} meV/atom)"
    )
    return before.model_copy(
        update={
            "structure": structure.id, "energy_per_atom": record.energy_per_atom, "nsites": len(cell),
            "space_group_number": group.number, "space_group_symbol": group.symbol,
            "volume_per_formula_unit": shells.volume_per_formula_unit, "volume_ratio": shells.volume_ratio,
            "coordination_numbers": list(shells.coordination_numbers), "shortest_m_h": shells.shortest_m_h,
            "shortest_h_h": shells.shortest_h_h, "shortest_m_m": shells.shortest_m_m,
            "shortest_m_interstitial": shells.shortest_m_interstitial, "max_force": record.settings["fmax"],
            "is_converged": True, "is_valid": shells.is_valid,
            "structure_type": structure_type(cell, assignment) if shells.is_valid else None,
            "notes": [*shells.faults, *shells.notes, note],
        }
    )  # fmt: skip
