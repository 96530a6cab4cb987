"""Compositions and structures that the tests of this layer share."""

import numpy as np
from pymatgen.core import Lattice, Structure

from ninefold.chemistry.anions import Assignment, Cation

K2REH9 = Assignment("Re", 9, 2, 0, (Cation("K", 2, 1),))
ASSIGNMENTS = {
    assignment.formula: assignment
    for assignment in (
        K2REH9,
        Assignment("Re", 9, 2, 0, (Cation("Ba", 1, 2),)),
        Assignment("Re", 9, 2, 0, (Cation("K", 1, 1), Cation("Li", 1, 1))),
        Assignment("W", 9, 3, 0, (Cation("K", 1, 1), Cation("Mg", 1, 2))),
        Assignment("Mo", 9, 3, 2, (Cation("Li", 5, 1),)),
        Assignment("Mo", 8, 4, 0, (Cation("Mg", 2, 2),)),
        Assignment("Cr", 7, 5, 1, (Cation("Mg", 3, 2),)),
        Assignment("Fe", 6, 4, 0, (Cation("Mg", 2, 2),)),
    )
}
"""All with 18 electrons and neutral; one or two kinds of cation, with and without interstitial hydride."""


def literature_k2reh9():
    """P-62m with the neutron cell; metal sites of Abrahams, Ginsberg & Knox (1964), hydrogen from D3h geometry."""
    return Structure.from_spacegroup(
        "P-62m",
        Lattice.hexagonal(9.607, 5.508),
        ["K", "K", "Re", "Re", "H", "H", "H", "H"],
        [
            [0.5928, 0, 0], [0.2596, 0, 0.5], [0, 0, 0], [1 / 3, 2 / 3, 0.5],
            [0.175, 0, 0], [0, 0.876, 0.216], [0.223766, 0.532262, 0.283951], [0.143586, 0.631603, 0.5],
        ],
    )  # fmt: skip


def mg2feh6():
    """K2PtCl6 type, Fm-3m; Didisheim et al., Inorg. Chem. 23, 1953 (1984)."""
    sites = [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(6.443), ["Fe", "Mg", "H"], sites)


def turned(structure, rng):
    """The same crystal with its axes rotated, its origin moved and its atoms shuffled."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    order = rng.permutation(len(structure))
    return Structure(
        structure.lattice.matrix @ rotation.T,
        [structure[int(place)].specie for place in order],
        (structure.frac_coords + rng.random(3))[order] % 1,
    )
