"""Two Re in a row, each with one H that has two wells along x: what can be told apart, and what not, is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

EDGE, SIDE = 12.0, 5.0
MIDDLE, HALF = 1.8, 0.4
"""Å; of the two wells from the Re."""
HEIGHT, TILT, STIFF = 0.2, 0.02, 4.0
"""eV, eV, eV/Å^2."""
CENTRES = np.array([[0.3, 0.2, 0.1], [0.3 + EDGE / 2, 0.2, 0.1]])


def along(x: float | np.ndarray) -> Any:
    """Energy of one H, eV, at a distance from its Re, Å."""
    u = (np.asarray(x) - MIDDLE) / HALF
    return HEIGHT * (1 - u**2) ** 2 + TILT * u / 2


class Wells(Calculator):
    """H belongs to the nearest Re; Re is held to its place."""

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        at = self.atoms.positions
        cell = np.array([EDGE, SIDE, SIDE])
        forces, energy = np.zeros_like(at), 0.0
        for place in range(2):
            step = at[place] - CENTRES[place]
            step -= np.round(step / cell) * cell
            energy += STIFF / 2 * float(step @ step)
            forces[place] -= STIFF * step
        for place in (2, 3):
            steps = at[place] - at[:2]
            steps -= np.round(steps / cell) * cell
            nearest = int(np.argmin(np.linalg.norm(steps - [MIDDLE, 0, 0], axis=1)))
            x, y, z = steps[nearest]
            u = (x - MIDDLE) / HALF
            slope = (-4 * HEIGHT * u * (1 - u**2) + TILT / 2) / HALF
            energy += float(along(x)) + STIFF / 2 * (y**2 + z**2)
            force = -np.array([slope, STIFF * y, STIFF * z])
            forces[place] += force
            forces[nearest] -= force
        self.results = {"energy": energy, "forces": forces, "stress": np.zeros(6)}


def engine(settings: Any) -> Any:
    """For `--engine FILE.py:engine`."""
    from ninefold.engines.ase_engine import ASEEngine

    return ASEEngine("wells", "planted wells", Wells(), ("wells",), evidence="test")


def frames(states: Sequence[str], noise: float = 0.06, seed: int = 0) -> list[Atoms]:
    """One frame for each state: `ab` has the first Re's H in its first well, the second's in its second.

    Upper case: the two hydrogens are exchanged.
    """
    rng = np.random.default_rng(seed)
    images = []
    for state in states:
        places = [
            centre + np.array([MIDDLE + (HALF if well == "b" else -HALF), 0, 0])
            for centre, well in zip(CENTRES, state.lower(), strict=True)
        ]
        hydrogens = places[::-1] if state.isupper() else places
        at = np.array([*CENTRES, *hydrogens]) + noise * rng.normal(size=(4, 3))
        # a crystal that drifts, and an image of an atom in another cell, change nothing
        at[3, 1] += SIDE
        images.append(Atoms("Re2H2", positions=at, cell=[EDGE, SIDE, SIDE], pbc=True))
    return images
