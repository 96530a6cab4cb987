"""What a correction is worth: labels that it was not fitted to, the zero of energy, errors before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ninefold.dynamics.potentials.check_labels import CheckLabel, CheckLabels
from ninefold.dynamics.potentials.labels import LabelledFrame

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
    formulas = [composition(frame.species) for frame in frames]
    for formula in set(formulas):
        here = np.array([one == formula for one in formulas])
        about[here] = energies[here] - energies[here].mean()
    return {
        "force_eV_per_A": rms(forces),
        "energy_eV_per_atom": rms(about),
        "force_by_species": {name: rms(forces[symbols == name]) for name in sorted(set(symbols.tolist()))},
    }


def path_rows(
    labels: CheckLabels,
    before: Sequence[Difference],
    held_out: Sequence[Difference],
    of_fold: Mapping[int, Mapping[str, Difference]],
) -> list[dict[str, Any]]:
    """Each path before and after, its images by fits that did not see them.

    Args:
        labels: With their paths.
        before: Check method less engine, of each label.
        held_out: What a fit says of each label that it did not see.
        of_fold: By place of a label, what that fit says of all labels, by name.

    Returns:
        For each path its images, energies (eV) above the first one by each method's own, force errors (eV/Å); the root
        mean square errors of the energies after the first image and of the forces; the highest energies.
    """
    place_of = {label.frame.name: place for place, label in enumerate(labels.labels)}
    table = []
    for path in labels.paths:
        end = path.images[0][1]
        first = place_of[end]
        rows = []
        for number, name in path.images:
            place = place_of[name]
            check = labels.labels[place].frame.energy_eV - labels.labels[first].frame.energy_eV
            engine = check - (before[place].energy_eV - before[first].energy_eV)
            # one fit for image and end: another one's zero is its own
            more = held_out[place].energy_eV - of_fold[place][end].energy_eV
            rows.append(
                {
                    "image": number, "check_eV": check, "engine_eV": engine, "held_out_eV": engine + more,
                    "engine_force_error": rms(before[place].forces),
                    "held_out_force_error": rms(before[place].forces - held_out[place].forces),
                }
            )  # fmt: skip
        table.append({"path": path.title, "images": rows, "check_barrier_eV": _highest(rows, "check")})
        for name in ("engine", "held_out"):
            off = np.array([row[f"{name}_eV"] - row["check_eV"] for row in rows[1:]])
            table[-1][name] = {
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


def less(whole: Difference, part: Difference) -> Difference:
    """What is left of a difference."""
    return Difference(whole.energy_eV - part.energy_eV, whole.forces - part.forces)


def compositions(frames: Sequence[LabelledFrame]) -> list[dict[str, Any]]:
    """Formula, number of labels, and smallest and largest volume per atom, Å3, of each composition."""
    found: dict[str, list[float]] = {}
    for frame in frames:
        volume = abs(float(np.linalg.det(frame.cell))) / len(frame.species)
        found.setdefault(composition(frame.species), []).append(volume)
    return [
        {"formula": formula, "labels": len(volumes), "volume_per_atom": [min(volumes), max(volumes)]}
        for formula, volumes in sorted(found.items())
    ]


def composition(species: Sequence[str]) -> str:
    """Reduced formula of some atoms."""
    from ninefold.chemistry.formula import formula_of, reduced

    return formula_of(reduced(Counter(species)))


def rms(values: np.ndarray) -> float:
    """Root of the mean squared value; 0 of none."""
    return float(np.sqrt((values**2).mean())) if values.size else 0.0


def _highest(rows: Sequence[dict[str, Any]], name: str) -> float:
    return float(max(row[f"{name}_eV"] for row in rows))
