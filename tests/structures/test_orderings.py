"""Every ordered way to share cation sites, and each once: counted against brute force with pymatgen's matcher."""

import itertools
from collections import Counter

import numpy as np
import pytest
import spglib
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from ninefold.structures.known_types import CATION, CENTRE, prototype
from ninefold.structures.orderings import MOST_ORDERINGS, orderings

STRICT = StructureMatcher(ltol=1e-4, stol=1e-4, angle_tol=0.01, scale=False, primitive_cell=False)
WAYS = [
    # the type, kinds per centre, ways: worked out by hand from the multiplicities of the cation sites
    ("K2ReH9", {"K": 1, "Na": 1}, ["K 3f, Na 3g", "K 3g, Na 3f"]),
    ("Mg3ReH7", {"Li": 1, "Mg": 2}, ["Li 2b, Mg 4f"]),
    ("cryolite", {"K": 2, "Na": 1}, ["K 8c, Na 4b"]),
    ("Mg2CoH5", {"Ca": 1, "Mg": 1}, ["Ca 2a, Mg 2b", "Ca 2b, Mg 2a"]),
    ("Mg2NiH4", {"Ca": 1, "Mg": 1}, ["Ca 8f, Mg 4e+4e'", "Ca 4e+4e', Mg 8f"]),
    ("Li5MoH11", {"Li": 3, "Na": 2}, ["Li 6g, Na 4d"]),
    ("K2PtCl6", {"K": 1, "Na": 1}, ["K 1/2 8c, Na 1/2 8c"]),
    ("K2PtH4", {"K": 2}, ["K 4d"]),
]


def shared(name, per_centre):
    structure = prototype(name)
    sites = [place for place, site in enumerate(structure) if site.specie.symbol == CATION]
    centres = sum(site.specie.symbol == CENTRE for site in structure)
    return structure, sites, {kind: count * centres for kind, count in per_centre.items()}


def coloured(structure, sites, kinds):
    species = [site.specie.symbol for site in structure]
    for place, kind in zip(sites, kinds, strict=True):
        species[place] = kind
    return Structure(structure.lattice, species, structure.frac_coords)


def by_brute_force(structure, sites, counts):
    """Every colouring with the fewest split orbits, grouped by the matcher: number of groups."""
    orbits = spglib.get_symmetry_dataset(
        (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers), 0.01
    ).crystallographic_orbits[sites]
    every = set(itertools.permutations([kind for kind, count in counts.items() for _ in range(count)]))
    splits = {
        kinds: sum(
            len({kind for kind, orbit in zip(kinds, orbits, strict=True) if orbit == one}) > 1 for one in set(orbits)
        )
        for kinds in every
    }
    fewest = [kinds for kinds in sorted(every) if splits[kinds] == min(splits.values())]
    return len(STRICT.group_structures([coloured(structure, sites, kinds) for kinds in fewest]))


@pytest.mark.parametrize(("name", "per_centre", "texts"), WAYS, ids=[name for name, *_ in WAYS])
def test_the_ways_are_these(name, per_centre, texts):
    structure, sites, counts = shared(name, per_centre)
    found = orderings(structure, sites, counts)
    assert [way.text for way in found] == texts
    assert all(Counter(way.kinds) == counts for way in found)


@pytest.mark.parametrize(
    ("name", "per_centre"),
    [
        ("K2ReH9", {"K": 1, "Na": 1}), ("Mg2NiH4", {"Ca": 1, "Mg": 1}), ("K2GeF6", {"K": 1, "Na": 1}),
        ("K4CdCl6", {"Li": 2, "Na": 2}), ("Cs3CoCl5", {"K": 1, "Na": 1, "Rb": 1}),
        ("Mg3ReH7", {"Li": 1, "Mg": 1, "Ca": 1}), ("cryolite", {"K": 1, "Na": 1, "Li": 1}),
    ],
)  # fmt: skip
def test_as_many_as_brute_force_finds_and_all_different(name, per_centre):
    structure, sites, counts = shared(name, per_centre)
    found = orderings(structure, sites, counts)
    assert len(found) < MOST_ORDERINGS
    assert len(STRICT.group_structures([coloured(structure, sites, way.kinds) for way in found])) == len(found)
    assert len(found) == by_brute_force(structure, sites, counts)


def test_one_split_orbit_is_not_split_where_whole_orbits_fit():
    structure, sites, counts = shared("K2ReH9", {"K": 1, "Na": 1})
    assert all(len({way.kinds[place] for place in range(3)}) == 1 for way in orderings(structure, sites, counts))


def test_the_order_of_the_atoms_decides_nothing_but_names():
    structure, sites, counts = shared("K4CdCl6", {"Li": 2, "Na": 2})
    found = orderings(structure, sites, counts)
    assert found == orderings(structure, sites, counts)
    shuffled = np.random.default_rng(0).permutation(len(structure))
    other = Structure.from_sites([structure[int(place)] for place in shuffled])
    moved = [place for place, site in enumerate(other) if site.specie.symbol == CATION]
    again = orderings(other, moved, counts)
    both = [coloured(structure, sites, way.kinds) for way in found] + [
        coloured(other, moved, way.kinds) for way in again
    ]
    assert all(len(group) == 2 for group in STRICT.group_structures(both))


def test_many_sites_without_symmetry_end_at_the_bound():
    rng = np.random.default_rng(0)
    structure = Structure(np.diag([7.0, 8.0, 9.0]), [CATION] * 24, rng.random((24, 3)))
    found = orderings(structure, range(24), {"K": 12, "Na": 12})
    assert len(found) == MOST_ORDERINGS
    assert all(Counter(way.kinds) == {"K": 12, "Na": 12} for way in found)
    assert len({way.kinds for way in found}) == MOST_ORDERINGS


def test_counts_that_do_not_fill_the_sites_are_an_error():
    structure, sites, _ = shared("K2ReH9", {"K": 2})
    with pytest.raises(ValueError, match="6 sites"):
        orderings(structure, sites, {"K": 4})
