"""From a structure to its vibrations: relaxed, displaced, and moved off a saddle point if it is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ninefold.engines.settings import RelaxSettings
from ninefold.errors import InputError
from ninefold.structures.symmetry import symmetrised
from ninefold.vibrations.displacements import displacements_of
from ninefold.vibrations.follow import displaced_along

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.base import Evaluation, Relaxation
    from ninefold.vibrations.phonons import ImaginaryMode, Phonons
    from ninefold.vibrations.settings import PhononSettings

GAIN = 2e-5
"""eV/atom by which a structure must lie lower to take another's place: twice what the energies of two relaxations to
0.002 eV/Å of one structure differ by."""
FALLS = 1e-6
"""eV/atom by which the energy must fall along a mode; single-precision energies of a cell are good to this."""
_STEPS_OFF_A_SADDLE = 500
"""Where the structure itself is taken as it stands."""
STIFF_SYMPREC = 1e-3
"""Å; at which the symmetry of a relaxed structure, which was kept, is found again."""

Fault = Callable[["Structure"], str | None]
"""Why a structure is not what was asked for (its coordination, say); None if it is."""
Tell = Callable[[str, int, int], None]
"""Called with a step, how many are done, and of how many."""


class Source(Protocol):
    """What gives energies and forces."""

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """As an `Engine`."""
        ...

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """As an `Engine`; energies alone are used."""
        ...

    def forces(self, structure: Structure) -> Evaluation:
        """Energy and forces of one structure as it stands."""
        ...


class CourseError(Exception):
    """A structure whose vibrations cannot be computed.

    Args:
        reason: For people.
        is_transient: Whether the machine failed, as in `Evaluation`.
    """

    def __init__(self, reason: str, is_transient: bool) -> None:
        super().__init__(reason)
        self.is_transient = is_transient


@dataclass(frozen=True)
class Tried:
    """One side of an imaginary mode that was followed."""

    mode: ImaginaryMode
    amplitude: float
    """Å; of the displacement that was relaxed, or of the lowest energy where none was."""
    gain: float | None
    """Energy less that of the saddle point, eV/atom; None where there is none."""
    outcome: str
    """lower, or why it was rejected."""
    structure: Structure | None = None
    """Where it is lower."""

    @property
    def is_lower(self) -> bool:
        """Whether it may take the saddle point's place."""
        return self.structure is not None


@dataclass(frozen=True)
class Saddle:
    """A structure with imaginary modes, and what has been tried to leave it."""

    structure: Structure
    energy_per_atom: float
    modes: list[ImaginaryMode]
    tried: list[Tried]


@dataclass(frozen=True)
class Course:
    """What came of a structure."""

    relaxed: Structure
    """The structure itself, relaxed."""
    relaxed_energy: float
    """eV/atom."""
    structure: Structure
    """That the phonons are of: the same, or a lower one."""
    energy_per_atom: float
    phonons: Phonons
    displaced: int
    """Supercells whose forces were computed for them."""
    saddles: list[Saddle] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def has_moved(self) -> bool:
        """Whether a lower structure has taken its place."""
        return self.energy_per_atom < self.relaxed_energy


def no_fault(_: Structure) -> str | None:
    """Every structure will do."""
    return None


def vibrations_of(
    structure: Structure,
    source: Source,
    settings: PhononSettings,
    fault_of: Fault = no_fault,
    tell: Tell | None = None,
) -> Course:
    """Relax a structure, compute its force constants, and leave it for a lower one if it is a saddle point.

    Args:
        structure: Near a minimum of the source.
        source: Of energies and forces.
        settings: How.
        fault_of: Says of a relaxed structure why it cannot take the place of the one it came from.
        tell: Told how far it is.

    Raises:
        CourseError: if the source fails the structure or one of its displacements.
        InputError: if the supercell has too many atoms.
    """
    notes: list[str] = []
    here, energy = _relaxed(symmetrised(structure), source, settings, notes)
    relaxed, relaxed_energy, saddles = here, energy, []
    if (reason := fault_of(here)) is not None:
        notes.append(f"relaxed to {settings.fmax:g} eV/Å: {reason}")
    phonons, count = _phonons(here, source, settings, tell)
    for _ in range(settings.follow):
        modes = phonons.imaginary_modes
        if not modes:
            break
        tried = [
            each for mode in modes[: settings.modes] for each in _follow(here, energy, mode, source, settings, fault_of)
        ]
        saddles.append(Saddle(here, energy, modes, tried))
        lower = [each for each in tried if each.is_lower]
        if not lower:
            break
        best = min(lower, key=lambda each: each.gain or 0.0)
        assert best.structure is not None
        moved, its_energy = _relaxed(best.structure, source, settings, notes)
        if its_energy > energy - GAIN:
            notes.append("the structure beside the saddle point returns to it when its symmetry is restored")
            break
        try:
            phonons, count = _phonons(moved, source, settings, tell)
        except InputError as error:
            notes.append(f"a structure {1000 * (its_energy - energy):.1f} meV/atom lower was left aside: {error}")
            break
        here, energy = moved, its_energy
    return Course(relaxed, relaxed_energy, here, energy, phonons, count, saddles, notes)


def _relaxed(
    structure: Structure, source: Source, settings: PhononSettings, notes: list[str]
) -> tuple[Structure, float]:
    [relaxation] = source.relax([structure], relaxation_of(settings))
    if relaxation.error is not None or relaxation.energy_per_atom is None:
        raise CourseError(f"relaxation: {relaxation.error}", relaxation.is_transient)
    if settings.max_steps and not relaxation.is_converged:
        notes.append(
            f"relaxed to {relaxation.max_force:.3f} eV/Å in {relaxation.steps} steps, not to {settings.fmax:g}"
        )
    return symmetrised(relaxation.structure, STIFF_SYMPREC), relaxation.energy_per_atom


def relaxation_of(settings: PhononSettings) -> RelaxSettings:
    """How a structure is relaxed before it is displaced: atoms and cell, in its symmetry."""
    return RelaxSettings(fmax=settings.fmax, max_steps=settings.max_steps, keep_symmetry=True)


def _phonons(structure: Structure, source: Source, settings: PhononSettings, tell: Tell | None) -> tuple[Phonons, int]:
    needed = displacements_of(structure, settings)
    forces: list[np.ndarray] = []
    cells = [needed.at_rest, *needed.displaced]
    for done, cell in enumerate(cells):
        if tell:
            tell("displacements", done, len(cells))
        result = source.forces(cell)
        if result.error is not None or result.forces is None:
            raise CourseError(f"forces of a displaced structure: {result.error}", result.is_transient)
        forces.append(np.asarray(result.forces, dtype=float))
    if tell:
        tell("displacements", len(cells), len(cells))
    return needed.phonons(forces[0], forces[1:]), len(cells)


def _follow(
    saddle: Structure, energy: float, mode: ImaginaryMode, source: Source, settings: PhononSettings, fault_of: Fault
) -> list[Tried]:
    """Both sides of a mode, or one where they are alike."""
    signed = [sign * size for sign in (1.0, -1.0) for size in settings.amplitudes]
    cells = [displaced_along(saddle, mode, amplitude) for amplitude in signed]
    results = source.evaluate(cells)
    if broken := next((result for result in results if result.is_transient), None):
        raise CourseError(f"energy of a displaced structure: {broken.error}", is_transient=True)
    energies = [np.inf if result.energy_per_atom is None else result.energy_per_atom - energy for result in results]
    half = len(settings.amplitudes)
    are_alike = np.allclose(energies[:half], energies[half:], rtol=0, atol=FALLS)
    found = []
    for start in (0,) if are_alike else (0, half):
        lowest = min(range(start, start + half), key=energies.__getitem__)
        found.append(
            _relax_side(cells[lowest], signed[lowest], energies[lowest], energy, mode, source, settings, fault_of)
        )
    return found


def _relax_side(
    cell: Structure, amplitude: float, change: float, energy: float, mode: ImaginaryMode, source: Source,
    settings: PhononSettings, fault_of: Fault,
) -> Tried:  # fmt: skip
    if not np.isfinite(change):
        return Tried(mode, amplitude, None, "no energy of the displaced structure")
    if change > -FALLS:
        return Tried(mode, amplitude, change, "the energy does not fall along it")
    # without the symmetry that the displacement has left, which may be no minimum's either; found again at the end
    freely = relaxation_of(settings).model_copy(
        update={"keep_symmetry": False, "max_steps": settings.max_steps or _STEPS_OFF_A_SADDLE}
    )
    [relaxation] = source.relax([cell], freely)
    if relaxation.is_transient:
        raise CourseError(f"relaxation off the saddle point: {relaxation.error}", is_transient=True)
    if relaxation.error is not None or relaxation.energy_per_atom is None:
        return Tried(mode, amplitude, None, f"relaxation: {relaxation.error}")
    gain = relaxation.energy_per_atom - energy
    relaxed = symmetrised(relaxation.structure)
    if (reason := fault_of(relaxed)) is not None:
        return Tried(mode, amplitude, gain, reason)
    if gain > -GAIN:
        return Tried(mode, amplitude, gain, "no lower than the saddle point")
    return Tried(mode, amplitude, gain, "lower", relaxed)
