"""CHGNet or SevenNet here against the same as it is shipped, through ASE: cost, memory, equality, relaxation steps.

Run: python benchmarks/engine_vs_ase.py [--engine chgnet|sevennet] [--relax]
Both sides run in this process, one thread, the same cells; memory is measured in a process of its own.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE
from pymatgen.core import Structure

from ninefold.engines import EngineSettings, RelaxSettings, make_engine
from ninefold.thermo import reference_phases

REPEATS = 7


def literature(name: str) -> Structure:
    for elements in (["Mg", "H"], ["Mg", "Fe", "H"], ["K", "Re", "H"], ["Mg", "Re", "H"], ["Li", "Ru", "H"]):
        for phase in reference_phases(elements):
            if phase.name == name:
                return phase.structure
    raise KeyError(name)


def distorted(structure: Structure, seed: int = 0) -> Structure:
    random = np.random.default_rng(seed)
    strain = random.normal(scale=0.03, size=(3, 3))
    lattice = structure.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
    positions = structure.frac_coords @ lattice + random.normal(scale=0.08, size=(len(structure), 3))
    return Structure(lattice, structure.species, positions, coords_are_cartesian=True)


def shipped(name: str):
    if name == "sevennet":
        from sevenn.calculator import SevenNetCalculator

        return SevenNetCalculator("7net-0", device="cpu")
    from chgnet.model import CHGNetCalculator

    return CHGNetCalculator(use_device="cpu", verbose=False, on_isolated_atoms="ignore")


def median_cpu(function, arguments) -> float:
    function(arguments[0])
    seconds = []
    for argument in arguments:
        start = time.process_time()
        function(argument)
        seconds.append(time.process_time() - start)
    return float(np.median(seconds))


def evaluations(name: str) -> None:
    engine, calculator = make_engine(EngineSettings(name=name)), shipped(name)

    def through_ase(structure):
        atoms = structure.to_ase_atoms()
        atoms.calc = calculator
        return atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False)

    print(f"{'atoms':>6} {'shipped ms':>11} {'ninefold ms':>12} {'ratio':>6} {'|dE| eV/atom':>13} {'|dF| eV/Å':>10}")
    k2reh9 = literature("K2ReH9 K2ReH9")
    for structure in (literature("MgH2 gamma"), k2reh9, k2reh9 * (1, 1, 2), k2reh9 * (2, 2, 1)):
        cells = [distorted(structure, seed) for seed in range(REPEATS)]
        ours = median_cpu(lambda cell: engine.evaluate([cell]), cells)
        theirs = median_cpu(through_ase, cells)
        [evaluation] = engine.evaluate(cells[:1])
        energy, forces, _ = through_ase(cells[0])
        print(
            f"{len(structure):6d} {theirs * 1e3:11.0f} {ours * 1e3:12.0f} {theirs / ours:6.2f}"
            f" {abs(energy / len(structure) - evaluation.energy_per_atom):13.1e}"
            f" {np.abs(forces - evaluation.forces).max():10.1e}"
        )


def relaxations(engine_name: str) -> None:
    engine, calculator = make_engine(EngineSettings(name=engine_name)), shipped(engine_name)
    names = ("MgH2 rutile", "Mg2FeH6 K2PtCl6", "Mg3ReH7 Mg3ReH7", "Li4RuH6 K4CdCl6", "K2ReH9 K2ReH9")
    print("\nsteps, eV/atom, CPU s")
    print(f"{'fmax':>5} {'structure':>10} {'ninefold':>20} {'ASE BFGS':>20} {'ASE FIRE':>20}")
    for fmax in (0.1, 0.01):
        for name in names:
            structure = distorted(literature(name))
            [relaxation] = engine.relax([structure], RelaxSettings(fmax=fmax, max_steps=500))
            cells = [f"{relaxation.steps:4d} {relaxation.energy_per_atom:9.4f} {relaxation.core_seconds:5.1f}"]
            for optimizer in (BFGS, FIRE):
                atoms = structure.to_ase_atoms()
                atoms.calc = calculator
                start = time.process_time()
                run = optimizer(FrechetCellFilter(atoms), logfile=None)
                run.run(fmax=fmax, steps=500)
                energy = atoms.get_potential_energy() / len(atoms)
                cells.append(f"{run.get_number_of_steps():4d} {energy:9.4f} {time.process_time() - start:5.1f}")
            print(f"{fmax:5} {name.split()[0]:>10} " + " ".join(f"{cell:>20}" for cell in cells), flush=True)


def memory(side: str, name: str) -> None:
    structure = literature("K2ReH9 K2ReH9") * (1, 1, 2)
    if side == "ninefold":
        make_engine(EngineSettings(name=name)).evaluate([structure] * 3)
    else:
        atoms = structure.to_ase_atoms()
        atoms.calc = shipped(name)
        for scale in (1.0, 1.01, 1.02):
            atoms.set_cell(atoms.cell * scale, scale_atoms=True)
            atoms.get_stress()
    # not getrusage: its peak is inherited from the parent process
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    print(f"memory, 72 atoms, {side}: {peak / 1024**2:.2f} GiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("chgnet", "sevennet"), default="chgnet")
    parser.add_argument("--relax", action="store_true", help="relax too, a few minutes")
    parser.add_argument("--memory", choices=("ninefold", "shipped"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.memory:
        memory(options.memory, options.engine)
    else:
        import torch

        torch.set_num_threads(1)
        evaluations(options.engine)
        for side in ("ninefold", "shipped"):
            subprocess.run([sys.executable, __file__, "--engine", options.engine, "--memory", side], check=True)
        if options.relax:
            relaxations(options.engine)
