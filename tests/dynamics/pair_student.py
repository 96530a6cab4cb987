"""A student without any library: pair potentials of Gaussians, fitted by least squares, for teachers of pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

from ninefold.dynamics.potentials.labels import LabelledFrame

MIDDLES = np.linspace(0.8, 4.2, 24)
WIDTH = 0.2
CUTOFF = 4.4


class PairTrainer:
    label = "pair potentials of tests"
    settings: dict[str, Any] = {"middles": MIDDLES.tolist(), "width": WIDTH}  # noqa: RUF012
    ridge = 1e-4

    def fit(self, frames: Sequence[LabelledFrame], folder: Path, seed: int, start: Path | None, notify: Any) -> bytes:
        notify(1, 1)
        species = sorted({symbol for frame in frames for symbol in frame.species})
        pairs = [[a, b] for a in species for b in species if a <= b]
        rows, values, energy_rows, energies = [], [], [], []
        for frame in frames:
            energy, forces = _design(frame.atoms(), pairs)
            rows.append(forces.reshape(-1, energy.size))
            values.append(frame.forces.ravel())
            energy_rows.append(energy)
            energies.append(frame.energy_eV)
        of_energy = np.array(energy_rows) - np.mean(energy_rows, axis=0)
        design = np.concatenate([*rows, 3 * of_energy, self.ridge * np.eye(of_energy.shape[1])])
        wanted = np.concatenate([*values, 3 * (np.array(energies) - np.mean(energies)), np.zeros(of_energy.shape[1])])
        weights = np.linalg.lstsq(design, wanted, rcond=None)[0]
        return json.dumps({"pairs": pairs, "weights": weights.tolist()}).encode()

    def calculator(self, model: Path) -> Any:
        content = json.loads(model.read_text())
        return PairCalculator(content["pairs"], np.array(content["weights"]))


class ExactPairTrainer(PairTrainer):
    """Finds weights that forces came from, where the frames say them."""

    label = "exact pair potentials of tests"
    ridge = 0.0


class PairCalculator(Calculator):
    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, pairs: list[list[str]], weights: np.ndarray) -> None:
        super().__init__()
        self.pairs, self.weights = pairs, weights

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:  # type: ignore[no-untyped-def]
        super().calculate(atoms, properties, system_changes)
        first, kind, unit, value, slope = _pairs(self.atoms, self.pairs)
        weights = self.weights.reshape(len(self.pairs), -1)[kind]
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, first, unit * (slope * weights).sum(axis=1)[:, None])
        self.results = {"energy": float(0.5 * (value * weights).sum()), "forces": forces, "stress": np.zeros(6)}


def _pairs(atoms: Any, pairs: list[list[str]]) -> tuple[np.ndarray, ...]:
    """Atom, kind, direction, shape (n, 3), and Gaussians with their slopes, shape (n, n_middles), of each neighbour."""
    symbols = atoms.get_chemical_symbols()
    names = sorted(set(symbols))
    place = np.array([[pairs.index(sorted((a, b))) if sorted((a, b)) in pairs else 0 for b in names] for a in names])
    number = np.array([names.index(symbol) for symbol in symbols])
    first, second, vectors, distances = neighbor_list("ijDd", atoms, CUTOFF)
    away = (distances[:, None] - MIDDLES) / WIDTH
    value = np.exp(-0.5 * away**2)
    return first, place[number[first], number[second]], vectors / distances[:, None], value, -away / WIDTH * value


def _design(atoms: Any, pairs: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Energy, shape (n_pairs * n_middles,), and forces, shape (n_atoms, 3, the same), of unit weights."""
    first, kind, unit, value, slope = _pairs(atoms, pairs)
    energy = np.zeros((len(pairs), len(MIDDLES)))
    np.add.at(energy, kind, 0.5 * value)
    forces = np.zeros((len(atoms), 3, len(pairs), len(MIDDLES)))
    for axis in range(3):
        np.add.at(forces, (first, axis, kind), unit[:, axis, None] * slope)
    return energy.ravel(), forces.reshape(len(atoms), 3, -1)
