"""The hydrogens' path in a permutation, against a superposition by SciPy."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation
from synthetic_trajectories import M_H, Plan, crystal, shell

from ninefold.cli.dynamics.output import print_barrier
from ninefold.dynamics.anions.event_paths import event_path
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.pseudorotation import analyse_shells
from ninefold.dynamics.statistics.rates import Arrhenius

NAME = "tricapped trigonal prism"


def test_path_is_the_least_way_of_all_ligands_and_stands_beside_the_barrier() -> None:
    isomers = isomers_of(9)[NAME]
    step = isomers.neighbours[0]
    _, way = Rotation.align_vectors(isomers.vertices, isomers.vertices[step])
    rng = np.random.default_rng(0)
    starts = range(200, 1400, 300)
    shells = [
        shell(isomers.vertices, 1500, Plan(dict.fromkeys(starts, step)), 0.03, rng),
        shell(isomers.vertices, 1500, Plan(), 0.03, rng),
    ]
    found, _ = analyse_shells(crystal(shells), "Re", 9, NAME)
    still = max(event.centre for event in found.events) + 11  # the second centre: Re, 9 H and K later
    path = event_path(found.events)
    assert path is not None
    assert path.events == 4
    assert path.length == pytest.approx(way * M_H, rel=0.02)
    assert way * M_H == pytest.approx(0.99, abs=0.01)  # the published "minute displacements"; docs/dynamics.md
    assert path.longest_displacement == pytest.approx(0.43, abs=0.01)
    assert path.mass_weighted("H") == pytest.approx(path.length * 1.004, abs=0.001)
    assert path.mass_weighted("D") / path.mass_weighted("H") == pytest.approx(np.sqrt(2.014 / 1.008))
    assert event_path(found.events, {still}) is None
    out = io.StringIO()
    print_barrier(Console(file=out, width=200), Arrhenius(0.07, 0.06, 0.08, 20.0), path)
    barrier, below = out.getvalue().splitlines()
    assert barrier.startswith("Barrier of the permutations: 70 meV")
    assert "mean of 4: 0.99 Å of all ligands together (mass-weighted H 0.99, D 1.40 Å u^1/2), 0.43 Å" in below
