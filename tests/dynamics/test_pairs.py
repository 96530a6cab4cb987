"""Pair potentials: consistent, smooth at their end, and found from few frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from ninefold.dynamics.potentials.labels import LabelledFrame
from ninefold.dynamics.potentials.pairs import PairCalculator, PairTrainer, Terms
from ninefold.dynamics.potentials.students import make_trainer

TERMS = Terms.of(PairTrainer.settings, ["Fe", "H"])


def planted() -> PairCalculator:
    return PairCalculator(TERMS, np.random.default_rng(0).normal(scale=0.1, size=TERMS.kinds * len(TERMS.middles)))


def frames(number: int, calculator: PairCalculator) -> list[LabelledFrame]:
    """Of 16 atoms in a cell smaller than the cutoff."""
    generator = np.random.default_rng(1)
    found = []
    for place in range(number):
        atoms = bulk("FeH", "rocksalt", a=4.0, cubic=True).repeat((2, 1, 1))
        atoms.positions += generator.normal(scale=0.15, size=atoms.positions.shape)
        atoms.calc = calculator
        found.append(
            LabelledFrame(
                f"frame-{place}", tuple(atoms.get_chemical_symbols()), atoms.cell.array, atoms.positions,
                atoms.get_potential_energy(), atoms.get_forces(), None,
            )
        )  # fmt: skip
    return found


def test_forces_and_stress_are_slopes_of_the_energy() -> None:
    calculator = planted()
    [frame] = frames(1, calculator)
    atoms = frame.atoms()
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.05 * np.tri(3)), scale_atoms=True)
    atoms.calc = calculator
    forces, stress = atoms.get_forces(), atoms.get_stress()
    assert forces == pytest.approx(calculator.calculate_numerical_forces(atoms, d=1e-5), abs=1e-6)
    assert stress == pytest.approx(calculator.calculate_numerical_stress(atoms, d=1e-5), abs=1e-6)
    energy, of_forces = TERMS.design(atoms)
    weights = np.random.default_rng(0).normal(scale=0.1, size=energy.size)
    assert energy @ weights == pytest.approx(atoms.get_potential_energy())
    assert of_forces @ weights == pytest.approx(forces)


def test_a_pair_that_leaves_the_cutoff_goes_smoothly() -> None:
    calculator = planted()
    pair = Atoms("FeH", positions=[[0, 0, 0], [5.999, 0, 0]], cell=np.eye(3) * 20, pbc=True)
    pair.calc = calculator
    assert abs(pair.get_potential_energy()) < 1e-6
    assert np.abs(pair.get_forces()).max() < 1e-4


def test_pair_potentials_are_found_from_few_frames(tmp_path: Path) -> None:
    every = frames(12, planted())
    trainer = make_trainer("pairs")
    shifted = [replace(frame, energy_eV=frame.energy_eV + 5.0) for frame in every]
    contents = [trainer.fit(some[:8], tmp_path, 0, None, lambda *_: None) for some in (every, shifted)]
    (tmp_path / "potential.txt").write_bytes(contents[0])
    calculator = trainer.calculator(tmp_path / "potential.txt")
    off = []
    for frame in every[8:]:
        atoms = frame.atoms()
        atoms.calc = calculator
        off.append(atoms.get_forces() - frame.forces)
    size = np.sqrt(np.mean([frame.forces**2 for frame in every]))
    assert np.sqrt(np.mean(np.square(off))) < 0.1 * size
    (tmp_path / "shifted.txt").write_bytes(contents[1])
    atoms.calc = trainer.calculator(tmp_path / "shifted.txt")
    assert atoms.get_forces() - every[-1].forces == pytest.approx(off[-1], abs=1e-9)
