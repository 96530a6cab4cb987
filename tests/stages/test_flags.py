"""What is flagged on a candidate, and how a published structure is recognised among its minima."""

import pytest
from pymatgen.core import Lattice, Structure

from ninefold.chemistry.anions import Assignment, Cation
from ninefold.models.candidate import Candidate
from ninefold.models.search import Minimum
from ninefold.models.structure import StructureRecord
from ninefold.stages.flags import flags
from ninefold.stages.stability import found_among

RHENIUM = Assignment("Re", 9, 2, 0, (Cation("K", 2, 1),))


def minimum(energy, **more):
    given = {
        "structure": "x", "energy_per_atom": energy, "space_group_number": 1, "space_group_symbol": "P1", "nsites": 12,
        "volume_per_formula_unit": 140.0, "volume_ratio": 1.0, "coordination_numbers": [9], "shortest_m_h": 1.7,
        "shortest_h_h": 1.9, "max_force": 0.0, "is_converged": True, "source": "random", "is_valid": True,
    }  # fmt: skip
    return Minimum(**given | more)


def candidate(**more):
    given = {
        "id": "x", "campaign": "x", "composition": "x", "method": "x", "formula": RHENIUM.formula,
        "anion": RHENIUM.anion, "label": RHENIUM.label, "chemical_system": "H-K-Re", "elements": ["H", "K", "Re"],
        "nelements": 3, "centre": "Re", "cations": ["K"], "cation_counts": {"K": 2}, "group": 7, "n": 9, "q": 2, "m": 0,
        "electron_count": 18, "oxidation_state": 7, "anion_class": "classical", "prior": 1.0, "status": "searched",
        "volume_ratio": 1.0, "energy_per_atom": -4.0, "minima": [minimum(-4.0)],
    }  # fmt: skip
    return Candidate(**given | more)


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
        (candidate(minima=[minimum(-4.0), minimum(-4.0003)]), ["lower symmetry (P1) lies 0.3 meV/atom lower"]),
        (candidate(minima=[minimum(-4.0), minimum(-4.01)]), ["coarsely only (P1) lies 10.0 meV/atom lower"]),
        (candidate(minima=[minimum(-4.0), minimum(-4.01, is_valid=False)]), []),
        (candidate(minima=[minimum(-4.0), minimum(-3.891, source="type:Li5MoH11")]), ["Li5MoH11 lies 0.109 eV"]),
        (candidate(minima=[minimum(-4.0), minimum(-3.99, source="type:Li5MoH11")]), []),
    ],
)
def test_flags(given, told):
    found = flags(given)
    assert len(found) == len(told)
    assert all(part in text for part, text in zip(told, found, strict=True))


def rocksalt(a):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_the_published_structure_is_found_among_the_minima():
    structures = {
        "CsCl": Structure(Lattice.cubic(2.4), ["Li", "H"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "rocksalt": rocksalt(4.05),
    }
    minima = [
        minimum(-3.0003, structure="CsCl"), minimum(-3.0, structure="rocksalt", space_group_symbol="Fm-3m")
    ]  # fmt: skip
    packed = StructureRecord.of(rocksalt(4.0))
    found = found_among(candidate(minima=minima), packed, structures)
    assert found["space_group_symbol"] == found["found_space_group_symbol"] == "Fm-3m"
    assert found["found_above_lowest"] == pytest.approx(0.0003)
    without = found_among(candidate(minima=minima[:1]), packed, structures)
    assert (without["found_space_group_symbol"], without["found_above_lowest"]) == (None, None)
