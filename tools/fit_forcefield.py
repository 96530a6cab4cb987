"""Fit the ionic force field to an engine: python tools/fit_forcefield.py, about ten minutes on two cores.

Training: compositions drawn at random from a wide chemical space, none of them a compound that has been made. Each is
settled with the force field at hand, relaxed coarsely with the engine, and shaken and strained; the force field's
parameters are then fitted to the engine's forces, virials and energy differences within a composition. A fifth of the
compositions is left out of the fit and judges it. OUT holds the data, the parameters (YAML) and their quality.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import pickle
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import yaml

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.compounds import known_formulas
from ninefold.enumeration import ChemicalSpace, enumerate_assignments
from ninefold.machine import usable_cores
from ninefold.structures import forcefield
from ninefold.structures.forcefield_parameters import Parameters, parameters

CENTRES = (
    "Sc", "Y", "Ti", "Zr", "V", "Nb", "Ta", "Cr", "Mo", "W", "Mn", "Re", "Fe", "Ru", "Os", "Co", "Rh", "Ir", "Ni", "Pd",
    "Pt",
)  # fmt: skip
CATIONS = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Y", "La")
PER_N = 14
"""Compositions for each n from 4 to 9."""
STRUCTURES = 5
"""Relaxed coarsely, for each composition."""
COPIES = 4
"""Shaken and strained copies of each."""
HOLD = 0.05
"""Cost of moving a parameter by a factor of e."""
HELD_FIRMLY = ("bulk_modulus", "volume_factor")
"""Only their product is told by the data; the volume should stay near the additive one for other elements."""
SHAKE, STRAIN = 0.08, 0.03
"""Å and 1, standard deviations."""


def training_compositions(seed: int = 0) -> list[Assignment]:
    """The training list: the same for everybody."""
    rng = np.random.default_rng(seed)
    known = known_formulas()
    chosen = []
    for n in range(4, 10):
        space = ChemicalSpace(
            centres=CENTRES, cations=CATIONS, n=n, m=(0, 2), cation_kinds=(1, 2), max_cations_per_centre=6
        )
        rows = [
            row
            for table in enumerate_assignments(space)
            for row in table.assignments()
            if 0 <= row.oxidation_state <= row.group and row.formula not in known and row.q <= 5
        ]
        chosen += [rows[index] for index in rng.choice(len(rows), PER_N, replace=False)]
    return chosen


def collect(assignment: Assignment) -> list[dict[str, Any]]:
    """Structures of one composition with the engine's energies, forces and virials."""
    import torch
    from pymatgen.core import Lattice, Structure

    from ninefold.engines import EngineSettings, make_engine
    from ninefold.engines.settings import RelaxSettings
    from ninefold.search.budget import SearchBudget
    from ninefold.search.pool import build_pool
    from ninefold.structures.checks import check_shells

    torch.set_num_threads(1)
    engine = make_engine(EngineSettings())
    rng = np.random.default_rng(7)
    pool = build_pool(assignment, SearchBudget(pool=24, formula_units=(1, 2), sources=("hosts", "rigid_units")), 0)
    records = []
    for proposal in pool.proposals[:STRUCTURES]:
        [relaxation] = engine.relax([proposal.structure], RelaxSettings(fmax=0.1, max_steps=40))
        if relaxation.error or not check_shells(relaxation.structure, assignment).is_valid:
            continue
        base = relaxation.structure
        copies = [base]
        for _ in range(COPIES):
            strain = rng.normal(size=(3, 3)) * STRAIN
            cell = base.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
            copy = Structure(Lattice(cell), base.species, base.frac_coords)
            moved = copy.cart_coords + rng.normal(size=(len(base), 3)) * SHAKE
            copies.append(Structure(copy.lattice, base.species, moved, coords_are_cartesian=True))
        for place, (copy, evaluation) in enumerate(zip(copies, engine.evaluate(copies), strict=True)):
            if evaluation.energy_per_atom is None or evaluation.forces is None or evaluation.stress is None:
                continue
            if np.abs(evaluation.forces).max() < 15:
                packing = forcefield.packing_of(copy, assignment)
                if packing is not None:
                    records.append(
                        {
                            "assignment": assignment, "packing": packing, "is_relaxed": place == 0,
                            "energy": evaluation.energy_per_atom * len(copy), "forces": evaluation.forces[packing[1]],
                            "virial": evaluation.stress * copy.volume,
                        }
                    )  # fmt: skip
    return records


def main(
    out: Annotated[Path, typer.Option(help="Folder for data and parameters.")] = Path("forcefield"),
    workers: Annotated[int, typer.Option(min=1)] = usable_cores(),
) -> None:
    """Collect (once), fit, judge."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "training.pickle"
    if not file.exists():
        compositions = training_compositions()
        start = time.monotonic()
        data: list[list[dict[str, Any]]] = []
        with ProcessPoolExecutor(workers) as pool:
            for records in pool.map(collect, compositions):
                data.append(records)
                typer.echo(f"{len(data)}/{len(compositions)} compositions, {len(records)} structures, "
                           f"{time.monotonic() - start:.0f} s", err=True)  # fmt: skip
        file.write_bytes(pickle.dumps(data))
    data = [records for records in pickle.loads(file.read_bytes()) if len(records) > 1]
    held = data[::5]
    fitted_on = [records for index, records in enumerate(data) if index % 5]
    start_parameters = parameters()
    fitted = fit(fitted_on, start_parameters)
    for name, chosen in (("before", start_parameters), ("after", fitted)):
        typer.echo(f"{name}: fitted on {quality(fitted_on, chosen)}; held out {quality(held, chosen)}")
    (out / "forcefield.yaml").write_text(yaml.safe_dump(fitted.to_dict(), sort_keys=False), encoding="utf-8")


def _residuals(data: list[list[dict[str, Any]]], chosen: Parameters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forces (eV/Å), virials (eV/atom), energies against the composition's mean (eV/atom): force field less engine."""
    forces, virials, energies = [], [], []
    for records in data:
        mine, theirs = [], []
        for record in records:
            packing, _ = record["packing"]
            energy, gradient, virial = forcefield.evaluate(packing, record["assignment"], chosen)
            atoms = len(packing.symbols)
            forces.append((-gradient - record["forces"]).ravel())
            virials.append((virial - record["virial"])[np.triu_indices(3)] / atoms)
            mine.append(energy / atoms)
            theirs.append(record["energy"] / atoms)
        difference = np.array(mine) - np.array(theirs)
        energies.append(difference - difference.mean())
    return np.concatenate(forces), np.concatenate(virials), np.concatenate(energies)


def fit(data: list[list[dict[str, Any]]], start: Parameters) -> Parameters:
    """Least squares over forces, virials and energy differences, with a soft hold on the starting values."""
    from scipy.optimize import least_squares

    vector = np.array(start.to_vector())
    hold = np.full(len(vector), HOLD)
    hold[[list(start.to_dict()).index(name) for name in HELD_FIRMLY]] = 10 * HOLD  # scalars stand first, in order

    def cost(relative: np.ndarray) -> np.ndarray:
        forces, virials, energies = _residuals(data, Parameters.from_vector(vector * np.exp(relative), start))
        return np.concatenate([
            np.tanh(forces / 2) * 2 / np.sqrt(len(forces)) / 0.5, virials / np.sqrt(len(virials)) / 0.1,
            energies / np.sqrt(len(energies)) / 0.02, relative * hold,
        ])  # fmt: skip

    result = least_squares(cost, np.zeros(len(vector)), bounds=(-1.6, 1.6), max_nfev=14, verbose=2)
    return Parameters.from_vector(vector * np.exp(result.x), start)


def quality(data: list[list[dict[str, Any]]], chosen: Parameters) -> str:
    """Root mean square errors, in one line."""
    forces, virials, energies = (np.sqrt((part**2).mean()) for part in _residuals(data, chosen))
    return f"forces {forces:.2f} eV/Å, virials {virials:.3f} eV/atom, energies {1000 * energies:.0f} meV/atom"


if __name__ == "__main__":
    typer.run(main)
