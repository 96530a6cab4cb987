"""What is flagged on a candidate, and how a published structure is recognised among its minima."""

import pytest
from pymatgen.core import Lattice, Structure

from ninefold.flows.flags import flags, found_among


def minimum(energy, **more):
    return {"energy_per_atom": energy, "space_group_symbol": "P1", "source": "random", "is_valid": True} | more


def candidate(**more):
    return {"volume_ratio": 1.0, "energy_per_atom": -4.0, "structures": [minimum(-4.0)], "known": []} | more


def published(difference, **more):
    return {"name": "K2ReH9 K2ReH9", "difference": difference, "refuted": None} | more


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (candidate(), []),
        (candidate(volume_ratio=1.24), []),
        (candidate(volume_ratio=1.25003), []),
        (candidate(volume_ratio=1.28), ["volume is 1.28 times"]),
        (candidate(volume_ratio=0.7), ["volume is 0.70 times"]),
        (candidate(known=[published(-0.04)]), []),
        (candidate(known=[published(0.2)]), []),
        (candidate(known=[published(-0.109)]), ["K2ReH9 K2ReH9 lies 0.109 eV/atom higher"]),
        (candidate(known=[published(-0.109, refuted="cell estimated")]), []),
        (candidate(structures=[minimum(-4.0), minimum(-4.0003)]), ["lower symmetry (P1) lies 0.3 meV/atom lower"]),
        (candidate(structures=[minimum(-4.0), minimum(-4.01)]), ["coarsely only (P1) lies 10.0 meV/atom lower"]),
        (candidate(structures=[minimum(-4.0), minimum(-4.01, is_valid=False)]), []),
        (candidate(structures=[minimum(-4.0), minimum(-3.891, source="type:Li5MoH11")]), ["Li5MoH11 lies 0.109 eV"]),
        (candidate(structures=[minimum(-4.0), minimum(-3.99, source="type:Li5MoH11")]), []),
    ],
)
def test_flags(given, told):
    found = flags(given)
    assert len(found) == len(told)
    assert all(part in text for part, text in zip(told, found, strict=True))


def rocksalt(a):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_the_published_structure_is_found_among_the_minima():
    caesium_chloride = Structure(Lattice.cubic(2.4), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    minima = [
        minimum(-3.0003, structure=caesium_chloride.as_dict()),
        minimum(-3.0, structure=rocksalt(4.05).as_dict(), space_group_symbol="Fm-3m"),
    ]
    found = found_among(candidate(structures=minima), rocksalt(4.0).as_dict())
    assert found["space_group_symbol"] == found["found_space_group_symbol"] == "Fm-3m"
    assert found["found_above_lowest"] == pytest.approx(0.0003)
    without = found_among(candidate(structures=minima[:1]), rocksalt(4.0).as_dict())
    assert (without["found_space_group_symbol"], without["found_above_lowest"]) == (None, None)
