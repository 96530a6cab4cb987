"""Equations of state: a stored minimum or reference relaxed under a few pressures with the method that relaxed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from ninefold.clock import now
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.property import PropertyRecord
from ninefold.settings import Settings
from ninefold.stages.stage import Counts, Resources, Stage

if TYPE_CHECKING:
    from ninefold.engines.base import Engine
    from ninefold.models.search import Minimum
    from ninefold.models.structure import StructureRecord
    from ninefold.thermo.equation_of_state import EquationOfState

STAGE = "equation of state"
"""Of a `PropertyRecord`: its `values` are the equation of state and the points that it was fitted to."""
COMPRESS = Stage(
    "compress", "energies", takes="structures", gives="structures", evidence="ML", is_beside=True,
    resources=Resources(memory_GB=4.0, minutes=120.0),
    meaning="candidates and competitors with an equation of state, by `ninefold compress`",
)  # fmt: skip
VERSION = 2
"""Rises when another equation of state can come of the same structure."""
PRESSURES = (2.5, 5.0, 10.0)
"""GPa, one after another, each from the end of the one before; the fourth point is the stored structure."""
FMAX, MAX_STEPS = 0.01, 300
"""As references are relaxed: 0.01 eV/Å, read as a virial, is 0.16 GPa at 10 Å³ per atom."""
MINIMA = 3
"""Stored minima of one composition that are compressed, at most: those that are lowest at 0, 5 and 10 GPa."""
_TRIED_PRESSURES = (0.0, 5.0, 10.0)


class CompressSettings(Settings):
    """Which structures are compressed."""

    window: float | None = Field(default=None, ge=0, le=10)
    """Distance to the hull up to which a candidate is compressed, static or at any stored condition, eV/atom. Default:
    1.645 times the candidate's own uncertainty; no limit for what `only` names."""
    only: tuple[str, ...] = ()
    """Formulas, or chemical systems (Cr-H-Mg); others are compressed where these decompose into them."""
    top: int | None = Field(default=None, ge=1, le=100_000)
    """Candidates of each method at most, the nearest to the hull first."""
    minima: int = Field(default=MINIMA, ge=1, le=20)
    """Of each candidate, at most."""
    all_methods: bool = False
    """Whether those of every method of the campaign are, not of the most trusted alone."""
    structures_per_job: int = Field(default=1, ge=1)
    """One where each job is queued by itself; where one machine runs all jobs, its workers share those of one."""


def counts(record: PropertyRecord) -> Counts:
    """Whether a structure has an equation of state."""
    reasons = Counter({record.reason: 1}) if record.reason else Counter()
    return Counts("structures", 1, int(not record.reason), reasons, record.core_seconds)


def state_id(structure: str, method: str) -> str:
    """Id of the equation of state of a structure with a method."""
    return content_key(STAGE, VERSION, structure, method, PRESSURES, FMAX, MAX_STEPS, KEY_VERSION)


def compress(
    campaign: str, label: str, structure: StructureRecord, energy_per_atom: float, engine: Engine
) -> PropertyRecord | str:
    """The equation of state of a relaxed structure.

    Args:
        campaign: That asks for it.
        label: Of the phase, for people.
        structure: Relaxed with the method of the engine, at no pressure.
        energy_per_atom: Of it, eV/atom.
        engine: Of the method.

    Returns:
        The record, its `reason` set where the points give no equation of state; or, as text, what of the machine kept
        it from being computed.
    """
    from ase.units import GPa

    from ninefold.engines.settings import RelaxSettings
    from ninefold.thermo.equation_of_state import EquationOfStateError, fit, is_at_bound

    start = structure.to_structure()
    points = [(start.volume / len(start), energy_per_atom, 0.0)]
    notes: list[str] = []
    seconds, reason, state = 0.0, None, None
    here = start
    for pressure in PRESSURES:
        settings = RelaxSettings(fmax=FMAX, max_steps=MAX_STEPS, pressure=pressure, keep_symmetry=True)
        [result] = engine.relax([here], settings)
        seconds += result.core_seconds
        if result.is_transient:
            return str(result.error)
        if result.error is not None or result.energy_per_atom is None:
            notes.append(f"no relaxation at {pressure:g} GPa: {result.error}")
            break
        here = result.structure
        if not result.is_converged:
            notes.append(
                f"not converged at {pressure:g} GPa: {result.max_stress:.2f} GPa and {result.max_force:.3f} eV/Å left"
            )
        own = pressure if result.stress is None else -float(result.stress.trace()) / 3 / GPa
        points.append((here.volume / len(here), result.energy_per_atom, own))
    volumes, energies, pressures = zip(*points, strict=True)
    try:
        state = fit(volumes, energies, pressures)
    except EquationOfStateError as error:
        reason = "; ".join([str(error), *notes])
    if state is not None and is_at_bound(state):
        notes.append("B' came out at an end of its range: H(p) is that of the points, B0 and B' mean little")
    values: dict[str, Any] = {
        "volumes": list(volumes), "energies": list(energies), "pressures": list(pressures), "notes": notes,
    }  # fmt: skip
    if state is not None:
        values |= {
            "form": state.form, "energy_per_atom": state.energy_per_atom, "volume_per_atom": state.volume_per_atom,
            "bulk_modulus": state.bulk_modulus, "derivative": state.derivative, "misfit": state.misfit,
        }  # fmt: skip
    return PropertyRecord(
        id=state_id(structure.id, engine.fingerprint), campaign=campaign, stage=STAGE, label=label,
        structure=structure.id, method=engine.fingerprint, values=values, reason=reason, core_seconds=seconds,
        created=now(),
    )  # fmt: skip


def state_of(record: PropertyRecord | Mapping[str, Any]) -> EquationOfState | None:
    """The equation of state in a record; None where there is none."""
    from ninefold.thermo.equation_of_state import EquationOfState

    values = record.values if isinstance(record, PropertyRecord) else record["values"]
    if "bulk_modulus" not in values:
        return None
    return EquationOfState(
        values["energy_per_atom"], values["volume_per_atom"], values["bulk_modulus"], values["derivative"],
        values["form"], values["misfit"], len(values["volumes"]),
    )  # fmt: skip


def chosen_minima(minima: Iterable[Minimum], most: int = MINIMA) -> list[Minimum]:
    """The valid minima of a composition that may be its lowest somewhere from 0 to 10 GPa, the lowest at 0 GPa first.

    Args:
        minima: Of one composition with one method.
        most: How many.
    """
    from ninefold.thermo.equation_of_state import EV_PER_GPA_A3

    valid = [minimum for minimum in minima if minimum.is_valid]
    if not valid:
        return []
    atoms = _atoms_per_formula_unit(valid)
    found: list[Minimum] = []
    rounds: list[Sequence[Minimum]] = [
        sorted(
            valid,
            key=lambda each: each.energy_per_atom + pressure * each.volume_per_formula_unit / atoms * EV_PER_GPA_A3,
        )
        for pressure in _TRIED_PRESSURES
    ]
    for place in range(len(valid)):
        for order in rounds:
            if order[place] not in found and len(found) < most:
                found.append(order[place])
    return found


def _atoms_per_formula_unit(minima: Sequence[Minimum]) -> float:
    """Coordination numbers count the centres of a cell."""
    first = minima[0]
    return first.nsites / max(1, len(first.coordination_numbers))
