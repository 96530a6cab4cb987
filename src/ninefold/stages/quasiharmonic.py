"""Vibrations of a phase at several volumes, for its Gibbs energy by `ninefold.thermo.quasiharmonic`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.clock import now
from ninefold.engines.settings import RelaxSettings
from ninefold.keys import KEY_VERSION, content_key
from ninefold.models.property import PropertyRecord
from ninefold.models.structure import StructureRecord
from ninefold.models.vibrations import VibrationRecord
from ninefold.stages import vibrations
from ninefold.thermo.harmonic import HarmonicVibrations
from ninefold.thermo.quasiharmonic import LEAST_VOLUMES, QuasiHarmonic, QuasiHarmonicError

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.stages.stage import StageResult
    from ninefold.stages.vibrations import VibrationsSettings
    from ninefold.vibrations.course import Source, Tell
    from ninefold.vibrations.settings import PhononSettings

STAGE = "quasi-harmonic"
"""Of a `PropertyRecord`: its `values` are volumes, energies and the spectra there."""
VERSION = 1
ROOM_TEMPERATURE = 298.15
"""K."""


def expansion_id(record: VibrationRecord, settings: VibrationsSettings) -> str:
    """Id of the volumes of a phase.

    Args:
        record: Of its vibrations at the volume of rest.
        settings: Those of the volumes count.
    """
    return content_key(STAGE, VERSION, record.id, _ratios(settings), KEY_VERSION)


def expand(
    record: VibrationRecord,
    cell: StructureRecord,
    source: Source,
    settings: VibrationsSettings,
    keep: Callable[[StageResult], None],
    tell: Tell | None = None,
    known: Callable[[StructureRecord, PhononSettings], VibrationRecord | None] = lambda _start, _settings: None,
) -> PropertyRecord:
    """Vibrations of a phase at several volumes: cell scaled, its shape kept, atoms relaxed.

    Args:
        record: Of its vibrations at the volume of rest, without imaginary modes.
        cell: The structure that they are of.
        source: Of energies and forces, of the same method.
        settings: How; the supercell is the same at each volume.
        keep: Takes the vibrations at each volume as soon as they are there.
        tell: Told how far it is.
        known: Gives finished vibrations of a structure, if there are any.

    Returns:
        The record; its `reason` is set where too few volumes are without imaginary modes.

    Raises:
        CourseError: if the machine failed.
    """
    structure = cell.to_structure()
    at_rest = structure.volume / len(structure)
    found: list[tuple[float, VibrationRecord]] = []
    notes: list[str] = []
    for ratio in _ratios(settings):
        name = f"V/V0 = {ratio:.3f}"
        relaxed = StructureRecord.of(_relaxed(structure, ratio, source, settings, f"{name}: ", notes))
        own = _at(ratio, settings)
        one = known(relaxed, own)
        if one is None:
            label = f"{record.label}, {name}"
            result = vibrations.compute(record.campaign, label, relaxed, source, record.method, own, tell=tell)
            keep(result)
            last = result.records[-1]
            assert isinstance(last, VibrationRecord)
            one = last
        if one.error is not None:
            notes.append(f"{name}: left out: {one.error}")
        elif not one.is_stable:
            softest = one.imaginary[0].frequency_meV
            modes = f"{len(one.imaginary)} imaginary mode{'s' if len(one.imaginary) > 1 else ''}"
            notes.append(f"{name}: left out: {modes}, to {abs(softest):.1f}i meV")
        else:
            found.append((ratio, one))
    values: dict[str, Any] = {
        "vibrations": record.id, "ratios": [ratio for ratio, _ in found],
        "volumes": [ratio * at_rest for ratio, _ in found], "energies": [one.energy_per_atom for _, one in found],
        "records": [one.id for _, one in found], "spectra": [one.spectrum for _, one in found], "notes": notes,
    }  # fmt: skip
    reason = None
    if len(found) < LEAST_VOLUMES:
        reason = f"{STAGE}: {len(found)} volumes without imaginary modes, {LEAST_VOLUMES} are needed"
    return PropertyRecord(
        id=expansion_id(record, settings), campaign=record.campaign, stage=STAGE, label=record.label,
        structure=cell.id, method=record.method, values=values, reason=reason, core_seconds=0.0, created=now(),
    )  # fmt: skip


def quasi_harmonic_of(record: PropertyRecord, spectra: Mapping[str, bytes]) -> QuasiHarmonic | None:
    """What a record says; None where it has too few volumes.

    Args:
        record: As `expand` makes it.
        spectra: Blobs by the names in it.
    """
    if record.reason is not None:
        return None
    values = record.values
    return QuasiHarmonic(
        tuple(values["volumes"]), tuple(values["energies"]),
        tuple(HarmonicVibrations.from_dict(json.loads(spectra[name])) for name in values["spectra"]),
    )  # fmt: skip


def equilibria(solid: QuasiHarmonic, conditions: Iterable[tuple[float, float]]) -> list[dict[str, Any]]:
    """A solid at some temperatures and pressures, as plain values.

    Args:
        solid: At several volumes.
        conditions: K and GPa.

    Returns:
        For each `temperature_K` and `pressure_GPa`, and with them `volume_per_atom` (Å³), `expansion` (by what
        part that is larger than the volume of 0 K without vibrations), `thermal_expansion` (of the volume, 1/K),
        `bulk_modulus` (GPa), `gibbs_energy` (above the static energy at the volume of 0 K without vibrations, eV/atom)
        and `misfit` (eV/atom); or the `reason` why there is no such volume.
    """
    found: list[dict[str, Any]] = []
    for kelvin, pressure in conditions:
        place: dict[str, Any] = {"temperature_K": kelvin, "pressure_GPa": pressure}
        try:
            at, rest = solid.at(kelvin, pressure), solid.static()
            place |= {
                "volume_per_atom": at.volume_per_atom, "expansion": at.volume_per_atom / rest.volume_per_atom - 1,
                "thermal_expansion": solid.thermal_expansion(kelvin, pressure), "bulk_modulus": at.bulk_modulus,
                "gibbs_energy": at.gibbs_energy - rest.gibbs_energy, "misfit": at.misfit,
            }  # fmt: skip
        except QuasiHarmonicError as error:
            place["reason"] = str(error)
        found.append(place)
    return found


def _ratios(settings: VibrationsSettings) -> list[float]:
    """Volumes over that of rest."""
    return [
        round(float(ratio), 6)
        for ratio in np.linspace(settings.smallest_volume, settings.largest_volume, settings.volumes)
    ]


def starts_of(structure: Structure, settings: VibrationsSettings) -> list[tuple[StructureRecord, PhononSettings]]:
    """At each volume, the scaled cell before its atoms are relaxed, and the settings of its vibrations.

    Args:
        structure: At the volume of rest.
        settings: As for `expand`.
    """
    return [(StructureRecord.of(_scaled(structure, ratio)), _at(ratio, settings)) for ratio in _ratios(settings)]


def _at(ratio: float, settings: VibrationsSettings) -> PhononSettings:
    """Settings at a volume: widths and meshes grow with the cell, so that multiples and points stay the same."""
    phonons, width = settings.phonons(), ratio ** (1 / 3)
    return phonons.model_copy(
        update={
            "max_steps": 0, "follow": 0, "min_width": phonons.min_width * width,
            "mesh_length": phonons.mesh_length * width,
        }
    )  # fmt: skip


def _scaled(structure: Structure, ratio: float) -> Structure:
    scaled = structure.copy()
    scaled.scale_lattice(structure.volume * ratio)
    return scaled


def _relaxed(
    structure: Structure, ratio: float, source: Source, settings: VibrationsSettings, name: str, notes: list[str]
) -> Structure:
    from ninefold.vibrations.course import CourseError

    scaled = _scaled(structure, ratio)
    if not settings.max_steps:
        return scaled
    within = RelaxSettings(fmax=settings.fmax, max_steps=settings.max_steps, keep_symmetry=True, relax_cell=False)
    [relaxation] = source.relax([scaled], within)
    if relaxation.is_transient:
        raise CourseError(f"relaxation at another volume: {relaxation.error}", is_transient=True)
    if relaxation.error is not None:
        notes.append(f"{name}atoms were not relaxed: {relaxation.error}")
        return scaled
    if not relaxation.is_converged:
        notes.append(f"{name}atoms relaxed to {relaxation.max_force:.3f} eV/Å, not to {settings.fmax:g}")
    return relaxation.structure
