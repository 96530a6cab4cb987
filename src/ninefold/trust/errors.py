"""An engine beside DFT on the trust set: formation and reaction energies, volumes, pressures, forces.

Both methods see the same geometries. Where a phase has a series of volumes each method's energy is that of its own
minimum along it; so no method is judged at a geometry that another one chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from ninefold.trust.bonds import STEP, length_difference, mean_length, stretched
from ninefold.trust.curve import Curve, NoMinimumError, fit_curve
from ninefold.trust.reactions import parts_by_element, parts_of_reaction

if TYPE_CHECKING:
    from ninefold.engines.base import Engine, Evaluation
    from ninefold.trust.phases import TrustPhase, TrustSet

EV_PER_CUBIC_ANGSTROM = 160.21766
"""GPa in 1 eV/Å³."""


@dataclass(frozen=True)
class PhaseErrors:
    """One phase: DFT's values and an engine's."""

    name: str
    formula: str
    phase_class: str
    centre: str | None
    n: int | None
    formation: float | None
    """Formation energy from the elements by DFT, eV/atom; None of an element, or where an element is not in the set."""
    formation_engine: float | None
    """By the engine, with its own elements and its energy of hydrogen."""
    reaction: float | None
    """Saline hydrides of the cations + metal of the anion + H2 -> phase, eV/atom; None but of a complex hydride."""
    reaction_engine: float | None
    volume: float | None
    """At the minimum, Å³/atom; None without a series of volumes."""
    volume_engine: float | None
    bulk_modulus: float | None
    """GPa, likewise."""
    bulk_modulus_engine: float | None
    force_rms: float | None
    """Of DFT's forces on displaced atoms, eV/Å; None without such a frame."""
    force_error: float | None
    """Root mean square of the difference, a component of a force, eV/Å."""
    pressure_error: float | None
    """Root mean square of the difference over the series of volumes, GPa."""
    largest_force: float | None = None
    """Of DFT at the geometry of lowest energy, eV/Å: how far that is from DFT's own minimum."""
    shape_error: float | None = None
    """Likewise of what is left of a stress without its pressure, a component, GPa: what changes a cell's shape."""
    bond: float | None = None
    """Mean M-H length of a complex hydride at the geometry of lowest energy, Å."""
    bond_error: float | None = None
    """Mean M-H length of the engine less DFT's at this cell, Å: see `ninefold.trust.bonds`."""
    reason: str | None = None
    """Why the engine has no values."""

    @property
    def formation_error(self) -> float | None:
        """Engine less DFT, eV/atom."""
        return _difference(self.formation_engine, self.formation)

    @property
    def reaction_error(self) -> float | None:
        """Engine less DFT, eV/atom."""
        return _difference(self.reaction_engine, self.reaction)

    @property
    def volume_error(self) -> float | None:
        """Engine over DFT less 1."""
        return None if self.volume is None or self.volume_engine is None else self.volume_engine / self.volume - 1


@dataclass(frozen=True)
class EngineErrors:
    """An engine on the whole set."""

    engine: str
    """Label."""
    fingerprint: str
    hydrogen: float | None
    """Energy of hydrogen that the formation energies were made with, eV/atom of H2."""
    own_hydrogen: float | None
    """Of the engine's own molecule."""
    phases: list[PhaseErrors]

    def of_class(self, phase_class: str) -> list[PhaseErrors]:
        """Phases of a class."""
        return [phase for phase in self.phases if phase.phase_class == phase_class]


@dataclass(frozen=True)
class _Values:
    """What one method says of one phase."""

    energy: float
    """At its minimum, eV/atom; the lowest of the series where that lies far outside of it."""
    curve: Curve | None


def errors_of(engine: Engine, trust: TrustSet, hydrogen: float | None = None) -> EngineErrors:
    """An engine's errors on a trust set.

    Args:
        engine: Computes every frame once.
        trust: The set.
        hydrogen: Energy of hydrogen to use in place of the engine's own molecule, eV/atom of H2.
    """
    frames = [frame.to_structure() for phase in trust.phases for frame in phase.frames]
    complexes = [(phase, phase.centre) for phase in trust.of_class(["complex"]) if phase.centre and phase.curve]
    moved = [
        stretched(phase.lowest.to_structure(), centre, step) for phase, centre in complexes for step in (STEP, -STEP)
    ]
    results = iter(engine.evaluate([*frames, *moved]))
    found = {phase.name: [next(results) for _ in phase.frames] for phase in trust.phases}
    of_bonds = {phase.name: (next(results), next(results)) for phase, _ in complexes}
    return compare(trust, found, engine.label, engine.fingerprint, hydrogen, of_bonds)


def compare(
    trust: TrustSet,
    found: Mapping[str, Sequence[Evaluation]],
    label: str,
    fingerprint: str,
    hydrogen: float | None = None,
    of_bonds: Mapping[str, tuple[Evaluation, Evaluation]] = MappingProxyType({}),
) -> EngineErrors:
    """Errors from energies, forces and stresses that an engine has computed.

    Args:
        trust: The set.
        found: Name of each phase -> the engine's result for each of its frames.
        label: Of the engine.
        fingerprint: Of the engine.
        hydrogen: As in `errors_of`.
        of_bonds: Name of a complex hydride -> the engine's result with its bonds stretched, and compressed.
    """
    dft, own, reasons = {}, {}, {}
    for phase in trust.phases:
        dft[phase.name] = _dft_values(phase)
        try:
            own[phase.name] = _engine_values(phase, found[phase.name])
        except _NoValueError as error:
            reasons[phase.name] = str(error)
    molecule = trust.of_element("H")
    own_hydrogen = own[molecule.name].energy if molecule and molecule.name in own else None
    if hydrogen is not None and molecule is not None:
        own[molecule.name] = _Values(hydrogen, None)
    phases = [
        _phase_errors(trust, phase, dft, own, found[phase.name], reasons.get(phase.name)) for phase in trust.phases
    ]
    phases = [
        _with_bond(errors, phase, found[phase.name], of_bonds.get(phase.name))
        for errors, phase in zip(phases, trust.phases, strict=True)
    ]
    used = own[molecule.name].energy if molecule and molecule.name in own else None
    return EngineErrors(label, fingerprint, used, own_hydrogen, phases)


class _NoValueError(ValueError):
    """The engine could not compute a frame."""


def _phase_errors(
    trust: TrustSet,
    phase: TrustPhase,
    dft: Mapping[str, _Values],
    own: Mapping[str, _Values],
    results: Sequence[Evaluation],
    reason: str | None,
) -> PhaseErrors:
    formation = parts_by_element(trust, phase)
    reaction = parts_of_reaction(trust, phase)
    mine = own.get(phase.name)
    values = PhaseErrors(
        name=phase.name,
        formula=phase.formula,
        phase_class=phase.phase_class,
        centre=phase.centre,
        n=phase.n,
        formation=_energy_from(dft, phase.name, formation),
        formation_engine=_energy_from(own, phase.name, formation),
        reaction=_energy_from(dft, phase.name, reaction),
        reaction_engine=_energy_from(own, phase.name, reaction),
        volume=_of(dft[phase.name].curve, "volume_per_atom"),
        volume_engine=_of(mine.curve if mine else None, "volume_per_atom"),
        bulk_modulus=_scaled(_of(dft[phase.name].curve, "bulk_modulus")),
        bulk_modulus_engine=_scaled(_of(mine.curve if mine else None, "bulk_modulus")),
        force_rms=None,
        force_error=None,
        pressure_error=None,
        largest_force=_largest(phase.lowest.forces) if phase.curve else None,
        reason=reason,
    )
    if reason is not None:
        return values
    displaced = [
        (np.asarray(frame.forces), result.forces)
        for frame, result in zip(phase.frames, results, strict=True)
        if frame.kind == "displaced" and result.forces is not None
    ]
    stresses = [
        np.asarray(result.stress) - np.asarray(frame.stress)
        for frame, result in zip(phase.frames, results, strict=True)
        if frame.kind == "curve" and result.stress is not None and phase.phase_class != "molecule"
    ]
    pressures = [_pressure(stress) for stress in stresses]
    return replace(
        values,
        force_rms=_rms([forces for forces, _ in displaced]),
        force_error=_rms([mine - forces for forces, mine in displaced]),
        pressure_error=_scaled(_rms([np.asarray(pressures)])) if pressures else None,
        shape_error=_scaled(_rms([stress + _pressure(stress) * np.eye(3) for stress in stresses])),
    )


def _with_bond(
    errors: PhaseErrors, phase: TrustPhase, results: Sequence[Evaluation], moved: tuple[Evaluation, Evaluation] | None
) -> PhaseErrors:
    """The errors with that of the M-H length, where an engine could compute it."""
    if moved is None or phase.centre is None or errors.reason is not None:
        return errors
    frame = phase.lowest
    own, longer, shorter = (result.forces for result in (results[phase.frames.index(frame)], *moved))
    if own is None or longer is None or shorter is None:
        return errors
    structure = frame.to_structure()
    difference = length_difference(structure, phase.centre, np.asarray(frame.forces), own, longer, shorter)
    return replace(errors, bond=mean_length(structure, phase.centre), bond_error=difference)


def _energy_from(values: Mapping[str, _Values], name: str, parts: Mapping[str, float] | None) -> float | None:
    if parts is None or name not in values or any(part not in values for part in parts):
        return None
    return values[name].energy - sum(share * values[part].energy for part, share in parts.items())


def _dft_values(phase: TrustPhase) -> _Values:
    frames = phase.curve
    return _values(
        [frame.to_structure().volume / len(frame.species) for frame in frames],
        [frame.energy_per_atom for frame in frames],
        [_pressure(np.asarray(frame.stress)) for frame in frames],
        is_molecule=phase.phase_class == "molecule",
    )


def _engine_values(phase: TrustPhase, results: Sequence[Evaluation]) -> _Values:
    pairs = [pair for pair in zip(phase.frames, results, strict=True) if pair[0].kind == "curve"]
    energies, pressures = [], []
    for _, result in pairs:
        if result.energy_per_atom is None or result.stress is None:
            raise _NoValueError(result.error or "the engine gives no stress")
        energies.append(result.energy_per_atom)
        pressures.append(_pressure(result.stress))
    volumes = [frame.to_structure().volume / len(frame.species) for frame, _ in pairs]
    return _values(volumes, energies, pressures, is_molecule=phase.phase_class == "molecule")


def _values(
    volumes: Sequence[float], energies: Sequence[float], pressures: Sequence[float], *, is_molecule: bool
) -> _Values:
    if is_molecule or len(volumes) == 1:  # bond lengths instead of volumes; one geometry alone
        return _Values(min(energies), None)
    try:
        curve = fit_curve(volumes, energies, pressures)
    except NoMinimumError:  # beyond the series; along it the energy changes by a few meV/atom for a soft phase
        return _Values(min(energies), None)
    return _Values(curve.energy_per_atom, curve)


def _pressure(stress: np.ndarray) -> float:
    """eV/Å³ from stress (3, 3) in ASE's sign."""
    return float(-np.trace(stress) / 3)


def _difference(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _of(curve: Curve | None, name: str) -> float | None:
    return None if curve is None else float(getattr(curve, name))


def _scaled(value: float | None) -> float | None:
    return None if value is None else value * EV_PER_CUBIC_ANGSTROM


def _largest(forces: Sequence[Sequence[float]]) -> float:
    return float(np.linalg.norm(np.asarray(forces), axis=1).max())


def _rms(arrays: Sequence[np.ndarray]) -> float | None:
    if not arrays:
        return None
    every = np.concatenate([array.ravel() for array in arrays])
    return float(np.sqrt(np.mean(every**2))) if every.size else None
