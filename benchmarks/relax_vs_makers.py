"""Relaxing a batch: ninefold beside atomate2's ForceFieldRelaxMaker and beside ASE in a plain loop.

python benchmarks/relax_vs_makers.py [--structures 24] [--fmax 0.05] [--engine chgnet]. One run, the same settled
packings, cells free, the same weights; wall time from the first job to the last result on every core that this
process may use. atomate2: one job per structure through run_locally, its default optimizer (FIRE). ASE: BFGS on
FrechetCellFilter, the shipped calculator, torch with a thread for each core. ninefold: worker processes with one
thread each, every result in an SQLite store; its start is counted, and the share of the wall time that is not the
engine's is told. `fmax` is not quite the same thing for all: atomate2 and ASE ask it of forces and of the whole
cell's virial, ninefold of forces and of the virial per atom; energies say what came of it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

FORMULAS = ("K2ReH9", "Mg3CrH8", "Mg3ReH7", "Li5MoH11")
STEPS = 500


def packings(wanted: int) -> list:
    """Settled packings of several compositions, the lowest of each pool, types withheld."""
    from ninefold.rules import assignments
    from ninefold.search.budget import SearchBudget
    from ninefold.search.pool import build_pool
    from ninefold.structures.known_types import type_names

    budget = SearchBudget(pool=4 * wanted, withhold_types=tuple(type_names()), formula_units=(1, 2), max_atoms=40)
    each = -(-wanted // len(FORMULAS))
    found = []
    for formula in FORMULAS:
        pool = build_pool(assignments(formula, (18,))[0], budget, 0).proposals
        found += [proposal.structure for proposal in pool[:each]]
    return found[:wanted]


def ours(structures: list, fmax: float, cores: int, engine: str) -> tuple[list[float], float]:
    """Energies, and core-seconds of the engine."""
    from ninefold.campaign import parse_campaign
    from ninefold.engines import RelaxSettings
    from ninefold.run.workers import Workers

    campaign = parse_campaign(
        {"name": "bench", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9}], "engine": {"name": engine}}
    )
    settings = RelaxSettings(fmax=fmax, max_steps=STEPS)
    energies: list[float] = [float("nan")] * len(structures)
    engine_seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        tasks = [(structure, settings) for structure in structures]
        with Workers(cores) as workers:
            for index, result in workers.run(relax_one, tasks, campaign.to_dict(), f"{folder}/bench.db"):
                energies[index] = result.energy_per_atom
                engine_seconds += result.core_seconds
    return energies, engine_seconds


def relax_one(place, structure, settings):
    """The task of a worker: one relaxation, stored as a campaign's are."""
    [result] = place.engine(place.campaign.engine).relax([structure], settings)
    return result


def ase_loop(structures: list, fmax: float, engine: str) -> list[float]:
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    calculator = shipped(engine)
    energies = []
    for structure in structures:
        atoms = structure.to_ase_atoms()
        atoms.calc = calculator
        BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=fmax, steps=STEPS)
        energies.append(float(atoms.get_potential_energy()) / len(atoms))
    return energies


def shipped(engine: str):
    if engine == "lj":
        from ase.calculators.lj import LennardJones

        return LennardJones(sigma=1.8, epsilon=0.1, rc=5.0, smooth=True)
    from chgnet.model import CHGNetCalculator

    with contextlib.redirect_stdout(io.StringIO()):
        return CHGNetCalculator(use_device="cpu", verbose=False)


def makers(structures: list, fmax: float) -> list[float]:
    from atomate2.forcefields.jobs import ForceFieldRelaxMaker
    from jobflow import Flow, JobStore, run_locally
    from maggma.stores import MemoryStore

    maker = ForceFieldRelaxMaker(
        force_field_name="CHGNet", steps=STEPS, relax_kwargs={"fmax": fmax},
        calculator_kwargs={"use_device": "cpu"},
    )  # fmt: skip
    jobs = [maker.make(structure) for structure in structures]
    with tempfile.TemporaryDirectory() as folder:
        responses = run_locally(
            Flow(jobs),
            store=JobStore(MemoryStore(), additional_stores={"data": MemoryStore()}),
            log=False,
            create_folders=True,
            root_dir=folder,
            raise_immediately=True,
        )
    outputs = [responses[job.uuid][1].output.output for job in jobs]
    return [output.energy_per_atom for output in outputs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--structures", type=int, default=24)
    parser.add_argument("--fmax", type=float, default=0.05)
    parser.add_argument("--engine", choices=("chgnet", "lj"), default="chgnet")
    parser.add_argument("--side", choices=("ninefold", "ase", "atomate2"), help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    import pickle

    from ninefold.machine import usable_cores

    cores = usable_cores()
    if options.side:
        structures = pickle.loads(Path(options.file).read_bytes())
        start = time.monotonic()
        engine_seconds = 0.0
        if options.side == "ninefold":
            energies, engine_seconds = ours(structures, options.fmax, cores, options.engine)
        elif options.side == "ase":
            energies = ase_loop(structures, options.fmax, options.engine)
        else:
            energies = makers(structures, options.fmax)
        Path(options.file + options.side).write_bytes(
            pickle.dumps((energies, time.monotonic() - start, engine_seconds))
        )
        return

    structures = packings(options.structures)
    print(f"{len(structures)} packings of {', '.join(FORMULAS)}, {min(map(len, structures))} to "
          f"{max(map(len, structures))} atoms, fmax {options.fmax} eV/Å, {options.engine}, {cores} cores")  # fmt: skip
    sides = ("ninefold", "ase", "atomate2") if options.engine == "chgnet" else ("ninefold", "ase")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/structures"
        Path(file).write_bytes(pickle.dumps(structures))
        for side in sides:
            threads = "1" if side == "ninefold" else str(cores)
            environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
            arguments = ["--side", side, "--file", file, "--fmax", str(options.fmax), "--engine", options.engine]
            subprocess.run([sys.executable, __file__, *arguments], check=True, env=environment)
            results[side] = pickle.loads(Path(file + side).read_bytes())
            wall = results[side][1]
            print(f"{side:>10}: {wall:7.1f} s, {3600 * len(structures) / wall:7.0f} structures per hour", flush=True)
    energies, wall, engine_seconds = results["ninefold"]
    print(
        f"not the engine's: {1 - engine_seconds / (wall * cores):.1%} of the wall time on {cores} cores, start included"
    )
    for side in sides[1:]:
        theirs, their_wall, _ = results[side]
        differences = [1000 * (mine - other) for mine, other in zip(energies, theirs, strict=True)]
        same = sum(abs(value) <= 1 for value in differences)
        print(
            f"against {side}: {their_wall / wall:.1f} times faster; "
            f"{same} of {len(differences)} energies within 1 meV, "
            f"{sum(value < -1 for value in differences)} lower, {sum(value > 1 for value in differences)} higher, "
            f"median difference {sorted(differences)[len(differences) // 2]:+.2f} meV/atom"
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
