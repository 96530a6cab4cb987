"""Structures and recorded patterns for the tests of powder diffraction."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path

from pymatgen.core import Lattice, Structure

from ninefold.diffraction.library import MatchPhase
from ninefold.models.structure import unpack_structure

DATA = Path(__file__).parent / "data"


def rock_salt(metal: str = "Li", a: float = 4.083) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [metal, "H"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def molybdenum(a: float = 3.147) -> Structure:
    return Structure.from_spacegroup("Im-3m", Lattice.cubic(a), ["Mo"], [[0, 0, 0]])


def mg2feh6() -> Structure:
    sites = [[0.25, 0.25, 0.25], [0, 0, 0], [0.2423, 0, 0]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(6.437), ["Mg", "Fe", "H"], sites)


def mgh2() -> Structure:
    sites = [[0, 0, 0], [0.304, 0.304, 0]]
    return Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.517, 3.0205), ["Mg", "H"], sites)


def triclinic() -> Structure:
    """No symmetry; metals alone, so that no code's form factor of hydrogen matters."""
    lattice = Lattice.from_parameters(4.1, 5.3, 6.2, 82, 97, 104)
    return Structure(lattice, ["K", "Re", "Mg"], [[0.11, 0.23, 0.37], [0.52, 0.71, 0.13], [0.83, 0.35, 0.68]])


@functools.cache
def recorded_phases(system: str) -> tuple[MatchPhase, ...]:
    """Phases of the demo whose elements are all in a system such as Li-Mo-H."""
    documents = json.loads(gzip.decompress((DATA / "phases.json.gz").read_bytes()))
    return tuple(
        MatchPhase(
            each["id"], each["name"], each["formula"], unpack_structure(each), each["kind"], each["energy_per_atom"]
        )
        for each in documents
        if set(each["species"]) <= set(system.split("-"))
    )


@functools.cache
def truth() -> dict:
    """What tools/simulate_powder.py put into each recorded pattern."""
    return dict(json.loads((DATA / "truth.json").read_text()))
