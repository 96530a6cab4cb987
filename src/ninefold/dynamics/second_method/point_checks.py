"""What a second method says of the images of a path and of frames of a run.

The images are those of the engine's path, and so is its end: energies of the check method on them are not those of its
own path. Its saddle lies below the highest of them, its minimum below the end, and so their difference is no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ninefold.dynamics.second_method.single_points import SinglePoint, SinglePoints, force_error
from ninefold.dynamics.simulation.runs import read_run
from ninefold.dynamics.trajectories.mean_crystal import Operations, operations

if TYPE_CHECKING:
    from pathlib import Path

    from ase import Atoms

ALIKE = 0.03
"""Å. Images that a symmetry operation of the crystal maps onto each other within this are one: bands end with residual
forces, which move two mirrored images apart by about this much."""
ALIKE_EV = 0.002
"""And whose energies by the engine differ by no more."""


class ImageCheck(NamedTuple):
    """One image of a path."""

    engine_eV: float
    """Above the first image."""
    check_eV: float | None
    """Above the first image by the check method; None where its calculation failed."""
    force_error: float | None
    """Root of the mean squared difference of the force components, eV/Å."""
    same_as: int | None
    """Image whose calculation stands for this one by symmetry; None if it has its own."""
    error: str | None

    @property
    def energy_error(self) -> float | None:
        """Engine less check, eV."""
        return None if self.check_eV is None else self.engine_eV - self.check_eV


@dataclass(frozen=True)
class PathCheck:
    """A path by two methods; energies above the first image, by each method's own."""

    images: tuple[ImageCheck, ...]
    """The first end and all images between the ends: the last end is the same crystal."""
    core_seconds: float
    """Of the check method, those of earlier calls included."""
    notes: tuple[str, ...]

    @property
    def barrier(self) -> float:
        """By the engine, eV."""
        return max(image.engine_eV for image in self.images)

    @property
    def check_barrier(self) -> float | None:
        """Of the check method on these images, eV; None where one failed."""
        values = [image.check_eV for image in self.images]
        return None if any(value is None for value in values) else max(value for value in values if value is not None)

    @property
    def energy_rms(self) -> float | None:
        """Root of the mean squared error along the path, eV, without the end, where there is none by definition."""
        errors = [image.energy_error for image in self.images[1:] if image.energy_error is not None]
        return float(np.sqrt(np.mean(np.square(errors)))) if errors else None

    @property
    def force_rms(self) -> float | None:
        """Root of the mean squared error of the force components on all images, eV/Å."""
        errors = [image.force_error for image in self.images if image.force_error is not None]
        return float(np.sqrt(np.mean(np.square(errors)))) if errors else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "barrier_eV": self.barrier, "check_barrier_eV": self.check_barrier,
            "energy_rms_eV": self.energy_rms, "force_rms_eV_per_A": self.force_rms,
            "core_seconds": self.core_seconds, "notes": list(self.notes),
            "images": [one._asdict() | {"energy_error_eV": one.energy_error} for one in self.images],
        }  # fmt: skip


@dataclass(frozen=True)
class FrameChecks:
    """Frames of a run by two methods."""

    frames: tuple[int, ...]
    """Numbers of the frames that both could compute, the first being 1."""
    energy_errors: np.ndarray
    """shape (n,), eV/atom, engine less check, less the mean of these: the zeros of two methods differ."""
    force_errors: np.ndarray
    """shape (n,), eV/Å, of each frame."""
    force_rms: float
    """Of the check method's force components themselves, eV/Å."""
    force_shares: dict[str, float]
    """Element, and `all` -> share of the check method's forces that the engine's have, by least squares through zero;
    below one the engine is too soft."""
    failed: tuple[tuple[int, str], ...]
    """Frame and reason."""
    core_seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        known = len(self.frames) > 0
        return {
            "frames": list(self.frames), "energy_errors_eV_per_atom": self.energy_errors.tolist(),
            "force_errors_eV_per_A": self.force_errors.tolist(),
            "energy_rms_eV_per_atom": float(np.sqrt((self.energy_errors**2).mean())) if known else None,
            "force_error_eV_per_A": float(np.sqrt((self.force_errors**2).mean())) if known else None,
            "force_rms_eV_per_A": self.force_rms if known else None,
            "force_shares": self.force_shares,
            "failed": [{"frame": frame, "error": error} for frame, error in self.failed],
            "core_seconds": self.core_seconds,
        }  # fmt: skip


def alike(chain: Sequence[Atoms], energies_eV: Sequence[float]) -> list[int]:
    """For each image the first one that is the same by symmetry of the crystal; itself where none is.

    Args:
        chain: The images, the relaxed crystal first.
        energies_eV: Of each by the engine.
    """
    crystal = chain[0]
    group = operations(
        crystal.cell.array, crystal.get_scaled_positions(), crystal.get_chemical_symbols(), tolerance=ALIKE / 2
    )
    result: list[int] = []
    for number, image in enumerate(chain):
        earlier = (
            other
            for other in range(number)
            if result[other] == other
            and abs(energies_eV[other] - energies_eV[number]) <= ALIKE_EV
            and _is_same(chain[other], image, group)
        )
        result.append(next(earlier, number))
    return result


def check_path(
    chain: Sequence[Atoms],
    calculator: Any,
    points: SinglePoints,
    notify: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> PathCheck | None:
    """Compute the images of a path by a second method.

    Args:
        chain: The images, both ends included.
        calculator: ASE's, of the engine that the path is of.
        points: Of the check method.
        notify: Called with images done and to do.
        stop: Asked before each image whether to end early.

    Returns:
        The comparison; None where it was ended early.
    """
    images = list(chain[:-1])
    own = [_of_calculator(image, calculator) for image in images]
    energies = [energy for energy, _ in own]
    same = alike(images, energies)
    to_do = sorted(set(same))
    found: dict[int, SinglePoint] = {}
    for done, number in enumerate(to_do):
        if notify is not None:
            notify(done, len(to_do))
        if stop is not None and stop() and not points.has(images[number]):
            return None
        found[number] = points.of(images[number])
    first = found[0].energy_eV
    rows = []
    for number in range(len(images)):
        point = found[same[number]]
        known = point.energy_eV is not None and point.forces is not None and first is not None
        # a mirrored image has mirrored forces: its error is that of the image that was computed
        forces = own[same[number]][1]
        rows.append(
            ImageCheck(
                energies[number] - energies[0],
                None if point.energy_eV is None or first is None else point.energy_eV - first,
                force_error(forces, point.forces) if known and point.forces is not None else None,
                None if same[number] == number else same[number],
                point.error if point.error is not None or first is not None else "the first image failed",
            )
        )
    notes = dict.fromkeys(note for point in found.values() for note in point.notes)
    return PathCheck(tuple(rows), sum(point.core_seconds for point in found.values()), tuple(notes))


def equal_times(frames: int, number: int) -> list[int]:
    """Numbers of frames at equal times, counted from 1, the last one included.

    Args:
        frames: Of the run.
        number: Wanted; all frames where it has fewer.
    """
    number = min(frames, number)
    return [(place + 1) * frames // number for place in range(number)]


def frames_at(folder: Path, atoms: Atoms, numbers: Sequence[int]) -> Iterator[tuple[int, Atoms]]:
    """Frames of a run's folder by number, counted from 1, as ASE's atoms without a calculator.

    Args:
        folder: Of the run.
        atoms: With the species of the run.
        numbers: Of the frames.
    """
    wanted, first = set(numbers), 1
    for chunk in read_run(folder).chunks():
        for place, (positions, cell) in enumerate(zip(chunk.positions, chunk.cells, strict=True)):
            if first + place in wanted:
                copy = atoms.copy()
                copy.set_constraint()
                copy.set_cell(cell)
                copy.positions = positions
                yield first + place, copy
        first += len(chunk)


def check_frames(
    geometries: Iterator[tuple[int, Atoms]],
    calculator: Any,
    points: SinglePoints,
    total: int,
    notify: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> FrameChecks | None:
    """Compute frames of a run by a second method.

    Args:
        geometries: Number and atoms of each frame.
        calculator: ASE's, of the engine that the run is by.
        points: Of the check method.
        total: Number of frames, for `notify`.
        notify: Called with frames done and to do.
        stop: Asked before each frame whether to end early.

    Returns:
        The comparison; None where it was ended early.
    """
    frames, energies, errors, squares, failed, seconds = [], [], [], [], [], 0.0
    products: dict[str, np.ndarray] = {}
    for done, (number, atoms) in enumerate(geometries):
        if notify is not None:
            notify(done, total)
        if stop is not None and stop() and not points.has(atoms):
            return None
        point = points.of(atoms)
        seconds += point.core_seconds
        if point.energy_eV is None or point.forces is None:
            failed.append((number, point.error or "unknown"))
            continue
        energy, forces = _of_calculator(atoms, calculator)
        frames.append(number)
        energies.append((energy - point.energy_eV) / len(atoms))
        errors.append(force_error(forces, point.forces))
        squares.append(float((point.forces**2).mean()))
        for name in ("all", *dict.fromkeys(atoms.get_chemical_symbols())):
            some = [symbol == name or name == "all" for symbol in atoms.get_chemical_symbols()]
            both = [(forces[some] * point.forces[some]).sum(), (point.forces[some] ** 2).sum()]
            products[name] = products.get(name, 0) + np.array(both)
    off = np.array(energies)
    return FrameChecks(
        tuple(frames), off - off.mean() if len(off) else off, np.array(errors),
        float(np.sqrt(np.mean(squares))) if squares else 0.0,
        {name: float(product / square) for name, (product, square) in products.items() if square > 0},
        tuple(failed), seconds,
    )  # fmt: skip


def _of_calculator(atoms: Atoms, calculator: Any) -> tuple[float, np.ndarray]:
    """Energy, eV, and forces, shape (n_atoms, 3), eV/Å."""
    copy = atoms.copy()
    copy.set_constraint()
    copy.calc = calculator
    return float(copy.get_potential_energy()), np.array(copy.get_forces())


def _is_same(one: Atoms, other: Atoms, group: Operations) -> bool:
    start, goal = one.get_scaled_positions(), other.get_scaled_positions()
    unlike = one.numbers[:, None] != other.numbers[None]
    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        steps = (start @ rotation.T + translation)[:, None] - goal[None]
        steps -= np.round(steps)
        distances = np.linalg.norm(steps @ one.cell.array, axis=2)
        distances[unlike] = np.inf
        nearest = np.argmin(distances, axis=1)
        if distances.min(axis=1).max() <= ALIKE and len(set(nearest.tolist())) == len(nearest):
            return True
    return False
