"""What a correction is worth: labels that it was not fitted to, the zero of energy, errors before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ninefold.dynamics.check_labels import CheckedPath, CheckLabel
from ninefold.dynamics.labels import LabelledFrame

SMALLEST_GAIN = 0.1
"""Part of the force error that must go on labels not fitted: a fit to noise changes it by less either way."""


class Difference(NamedTuple):
    """Check method less engine of one geometry, or what a correction says of it."""

    energy_eV: float
    forces: np.ndarray
    """shape (n_atoms, 3), eV/Å."""


class Folds(NamedTuple):
    """Which labels are left out of which fit."""

    held_out: tuple[tuple[int, ...], ...]
    """Places of the labels of each fold; every label is in one."""
    are_whole: bool
    """Whether paths and runs were left out as a whole; else in stretches of neighbours."""


def folds_of(labels: Sequence[CheckLabel], number: int) -> Folds:
    """Split labels so that what is left out is not beside what is fitted.

    Whole paths and runs where there are as many as folds; else the largest are cut in their middle until there are.

    Args:
        labels: In the order of their blocks and places, at least `number`.
        number: Of folds, at least 2.
    """
    blocks: list[list[int]] = []
    for place, label in enumerate(labels):
        if place and label.block == labels[place - 1].block:
            blocks[-1].append(place)
        else:
            blocks.append([place])
    are_whole = len(blocks) >= number
    while len(blocks) < number:
        largest = max(range(len(blocks)), key=lambda place: len(blocks[place]))
        block = blocks[largest]
        blocks[largest : largest + 1] = [block[: len(block) // 2], block[len(block) // 2 :]]
    held: list[list[int]] = [[] for _ in range(number)]
    for block in sorted(blocks, key=len, reverse=True):
        min(held, key=len).extend(block)
    return Folds(tuple(tuple(sorted(one)) for one in held), are_whole)


def zero_of(frames: Sequence[LabelledFrame], energies_eV: Sequence[float]) -> dict[str, float]:
    """Energy of an atom of each species, eV, which brings the zeros of two methods together.

    By least squares of the differences per atom. Where all frames are of one composition that is their mean, shared out
    in proportion to the atoms: then the values of the single species mean nothing.

    Args:
        frames: Geometries.
        energies_eV: Difference of each, of the whole cell.
    """
    species = sorted({symbol for frame in frames for symbol in frame.species})
    counts = np.array([[frame.species.count(symbol) for symbol in species] for frame in frames], dtype=float)
    atoms = counts.sum(axis=1)
    found = np.linalg.lstsq(counts / atoms[:, None], np.array(energies_eV) / atoms, rcond=1e-9)[0]
    return dict(zip(species, found.tolist(), strict=True))


def shifted(frame: LabelledFrame, zero: dict[str, float]) -> float:
    """Energy of a frame's atoms by `zero_of`, eV; none for a species that was not there."""
    return float(sum(zero.get(symbol, 0.0) for symbol in frame.species))


def error_row(frames: Sequence[LabelledFrame], left: Sequence[Difference]) -> dict[str, Any]:
    """What is left of the differences.

    Args:
        frames: Geometries.
        left: Of each.

    Returns:
        Root mean square of the force components, eV/Å, of all atoms and by species; of the energies, eV/atom, about
        their mean, which is taken composition by composition: two methods have two zeros.
    """
    forces = np.concatenate([one.forces for one in left])
    symbols = np.concatenate([frame.species for frame in frames])
    energies = np.array([one.energy_eV / len(frame.species) for one, frame in zip(left, frames, strict=True)])
    about = np.empty_like(energies)
    compositions = [composition(frame.species) for frame in frames]
    for formula in set(compositions):
        here = np.array([one == formula for one in compositions])
        about[here] = energies[here] - energies[here].mean()
    return {
        "force_eV_per_A": rms(forces),
        "energy_eV_per_atom": rms(about),
        "force_by_species": {name: rms(forces[symbols == name]) for name in sorted(set(symbols.tolist()))},
    }


def path_row(path: CheckedPath, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A path before and after; energies above its first image by each method's own.

    Args:
        path: Its images.
        rows: Of the images: `check_eV`, `engine_eV` and `held_out_eV` above the first, and force errors.

    Returns:
        The rows, root mean square errors of the energies after the first image, eV, of the forces, eV/Å, and the
        highest of each method's energies, eV.
    """
    table: dict[str, Any] = {"path": path.title, "images": list(rows), "check_barrier_eV": _highest(rows, "check")}
    for name in ("engine", "held_out"):
        off = np.array([row[f"{name}_eV"] - row["check_eV"] for row in rows[1:]])
        table[name] = {
            "barrier_eV": _highest(rows, name), "energy_eV": rms(off),
            "force_eV_per_A": rms(np.array([row[f"{name}_force_error"] for row in rows])),
        }  # fmt: skip
    return table


def reason_against(errors: dict[str, dict[str, Any]]) -> str | None:
    """Why a correction is not worth it; None if it is.

    Args:
        errors: `before` and `held_out`, as of `error_row`.
    """
    before, after = errors["before"], errors["held_out"]
    forces = f"force error {after['force_eV_per_A'] * 1000:.0f} meV/Å on labels that were not fitted, "
    forces += f"{before['force_eV_per_A'] * 1000:.0f} without the correction"
    if after["force_eV_per_A"] > (1 - SMALLEST_GAIN) * before["force_eV_per_A"]:
        return forces
    if after["energy_eV_per_atom"] > before["energy_eV_per_atom"]:
        return (
            f"energy error {after['energy_eV_per_atom'] * 1000:.2f} meV/atom on labels that were not fitted, "
            f"{before['energy_eV_per_atom'] * 1000:.2f} without the correction"
        )
    return None


def composition(species: Sequence[str]) -> str:
    """Reduced formula of some atoms."""
    from ninefold.chemistry.formula import formula_of, reduced

    return formula_of(reduced(Counter(species)))


def rms(values: np.ndarray) -> float:
    """Root of the mean squared value; 0 of none."""
    return float(np.sqrt((values**2).mean())) if values.size else 0.0


def _highest(rows: Sequence[dict[str, Any]], name: str) -> float:
    return float(max(row[f"{name}_eV"] for row in rows))
