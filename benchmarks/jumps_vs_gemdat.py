"""Sites, jumps, attempt frequency, density and percolation against GEMDAT, on trajectories whose truth is planted.

    NINEFOLD_GEMDAT_PYTHON=/path/to/venv/bin/python python benchmarks/jumps_vs_gemdat.py

GEMDAT lives in an environment of its own (`pip install gemdat` in a fresh venv): its pins are not ours. It is given the
same arrays in a file, and prints what it finds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

from ninefold.dynamics.density.grid import periodic_density
from ninefold.dynamics.density.pockets import merge_tree
from ninefold.dynamics.trajectories.displacements import unwrap
from ninefold.dynamics.trajectories.mean_crystal import framework
from ninefold.dynamics.trajectories.trajectory import in_memory
from ninefold.dynamics.transport.cation_sites import crystal_sites, density_sites
from ninefold.dynamics.transport.jumps import analyse_jumps

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dynamics"))
from planted_jumps import EDGE, STEP_FS, planted  # of the tests

KELVIN = 600.0
VOXEL = 0.5
"""Å. GEMDAT's search for a way through the crystal is a graph of all voxels."""
THEIRS = """
import json, sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
from pymatgen.core import Element, Lattice, Structure
from gemdat import Trajectory

saved = np.load(sys.argv[1])
def trajectory(name, step):
    return Trajectory(
        species=[Element(symbol) for symbol in saved[name + "_species"]], coords=saved[name], lattice=saved["cell"],
        time_step=step * 1e-15,
        constant_lattice=True, metadata={"temperature": 600.0},
    )
result = {}
start = time.process_time()
moving = trajectory("moving", float(saved["step"]))
sites = Structure(Lattice(saved["cell"]), ["Li"] * len(saved["sites"]), saved["sites"], labels=saved["labels"].tolist())
transitions = moving.transitions_between_sites(sites, "Li", site_radius=1.5)
jumps = transitions.jumps()
result["jumps"] = int(jumps.n_jumps)
result["pairs"] = {f"{a} to {b}": int(count) for (a, b), count in jumps.counter().items()}
kept = transitions.jumps(minimal_residence=int(100 / float(saved["step"])))
result["jumps_100fs"] = int(kept.n_jumps)
result["seconds_jumps"] = time.process_time() - start
start = time.process_time()
lithium = moving.filter("Li")
fine = lithium.to_volume(resolution=0.2)
result["maxima"] = len(fine.to_structure(specie="Li", background_level=0.1))
coarse = lithium.to_volume(resolution=float(saved["voxel"]))
result["counts"] = coarse.data.astype(float).ravel().tolist()
result["dims"] = [int(value) for value in coarse.data.shape]
surface = coarse.get_free_energy(temperature=600.0)
peaks = coarse.find_peaks()
path = surface.optimal_percolating_path(peaks=peaks, percolate="x")
energies = [float(surface.data[tuple(np.mod(site, coarse.data.shape))]) for site in path.sites]
result["percolation"] = max(energies) - float(surface.data.min())
result["seconds_density"] = time.process_time() - start
result["attempts"] = float(trajectory("shaking", 5.0).filter("Li").metrics().attempt_frequency()[0]) / 1e12
json.dump(result, sys.stdout)
"""


def shaking() -> tuple[list[str], np.ndarray]:
    """Lithium that vibrates with 8 THz in each direction, and what stays."""
    rng = np.random.default_rng(2)
    time_ps = np.arange(4000)[:, None, None] * 0.005
    corners = np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T * EDGE
    moved = corners + 0.2 * np.cos(2 * np.pi * 8.0 * time_ps + rng.uniform(0, 2 * np.pi, (1, 8, 3)))
    still = np.repeat((corners + np.array([EDGE / 2, 0, 0]))[None], 4000, axis=0)
    return ["Li"] * 8 + ["Mo"] * 8, np.concatenate([moved, still], axis=1)


def main() -> None:
    made = planted({"A": 0.25, "B": 0.7}, temperature=KELVIN)
    trajectory = made.trajectory
    crystal = Structure(
        Lattice.cubic(EDGE), ["Li", "Li", "Mo", "Mo", "Mo"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    )  # fmt: skip
    start = time.process_time()
    moved = unwrap(trajectory, "Li")
    stays = framework(trajectory, ("H", "Li"))
    sites = crystal_sites(crystal, "Li", stays, "planted")
    analyse_jumps(trajectory, moved, sites)  # compiles
    compiled, start = time.process_time() - start, time.process_time()
    found = analyse_jumps(trajectory, moved, sites)
    seconds = time.process_time() - start
    maxima = density_sites([moved], stays)
    positions = np.concatenate([piece.positions for piece in trajectory.chunks()])
    fractional = np.mod(positions @ np.linalg.inv(moved.cell), 1)
    lithium = fractional[:, : len(moved.symbols[moved.symbols == "Li"])]
    density = periodic_density([lithium.reshape(-1, 3)], moved.cell, KELVIN, VOXEL)
    percolation = merge_tree(density).percolation_eV
    species, shaken = shaking()
    vibrating = in_memory(species, shaken, np.eye(3) * 2 * EDGE, 5.0, temperature_K=300.0)
    paths = unwrap(vibrating, "Li")
    attempts = analyse_jumps(
        vibrating, paths, density_sites([paths], framework(vibrating, ("H", "Li")))
    ).attempts_per_ps
    pairs = {
        f"{one.start} to {one.end}": one.rate.events for one in found.rates
    }  # Li1 is A, the most occupied, where sites are the crystal's in its order
    print(f"planted: {len(made.jumps)} jumps on 16 sites, 8 THz")
    print(f"ninefold: {len(maxima.fractional)} maxima, {len(found.jumps)} jumps {pairs}, attempts "
          f"{attempts.value if attempts else float('nan'):.2f} THz, percolation {percolation * 1000:.0f} meV; "
          f"{seconds:.1f} s ({compiled:.0f} s with compilation)")  # fmt: skip
    python = os.environ.get("NINEFOLD_GEMDAT_PYTHON")
    if python is None:
        print("GEMDAT: not asked; NINEFOLD_GEMDAT_PYTHON names the Python that has it")
        return
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "both.npz"
        np.savez(
            saved, moving=fractional, moving_species=trajectory.species, shaking=shaken / (2 * EDGE),
            shaking_species=species, cell=moved.cell, step=STEP_FS, voxel=VOXEL, sites=sites.fractional,
            labels=[f"Li{kind + 1}" for kind in sites.classes],
        )  # fmt: skip
        done = subprocess.run(
            [python, "-c", THEIRS, str(saved)], capture_output=True, text=True, check=False,
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        )  # fmt: skip
    if done.returncode:
        sys.exit(f"GEMDAT failed:\n{done.stderr[-2000:]}")
    theirs = json.loads(done.stdout.splitlines()[-1])
    same = np.array(theirs["counts"]).reshape(theirs["dims"])
    differs = "other grids" if same.shape != density.counts.shape else (
        f"{np.abs(same - density.counts).sum() / density.counts.sum():.1%} of the counts in other voxels"
    )  # fmt: skip
    print(
        f"GEMDAT: {theirs['maxima']} maxima, {theirs['jumps']} jumps {theirs['pairs']} ({theirs['jumps_100fs']} with "
        f"stays of 100 fs), attempts {theirs['attempts']:.2f} THz, percolation {theirs['percolation'] * 1000:.0f} meV; "
        f"{theirs['seconds_jumps']:.1f} s and {theirs['seconds_density']:.1f} s; density: {differs}"
    )


if __name__ == "__main__":
    main()
