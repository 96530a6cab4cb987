"""The label of a structure is the name of its type, whatever cell it is written in, and nothing else has one."""

import numpy as np
import pytest
from structure_samples import turned

from ninefold.flows.rediscover import Compound, published
from ninefold.structures.labels import structure_type

TYPES = {
    "K2ReH9 K2ReH9": "K2ReH9",
    "Mg3ReH7 Mg3ReH7": "Mg3ReH7",
    "Cs2PtH6 K2PtCl6": "K2PtCl6",
    "Li4RuH6 K4CdCl6": "K4CdCl6",
    "Mg2NiH4 C2/c": "Mg2NiH4",
    "K3ReH6 cryolite": "cryolite",
}


@pytest.mark.parametrize("phase", TYPES)
def test_a_published_structure_has_its_type(phase):
    found, assignment = published(Compound(phase=phase, type=TYPES[phase]))
    assert structure_type(found.structure, assignment) == TYPES[phase]
    other = turned(found.structure * [[1, 1, 0], [0, 1, 0], [0, 0, 1]], np.random.default_rng(0))
    assert structure_type(other, assignment) == TYPES[phase]


def test_the_same_composition_in_another_arrangement_has_none():
    found, assignment = published(Compound(phase="K2ReH9 K2ReH9", type="K2ReH9"))
    moved = found.structure.copy()
    moved.translate_sites([0], [0.0, 0.0, 0.05])
    assert structure_type(moved, assignment) is None
