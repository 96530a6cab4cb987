"""The trust set: phases with energies, forces and stresses by DFT, at geometries that every engine is given alike."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from ninefold.chemistry.formula import parse_formula
from ninefold.errors import InputError
from ninefold.models.structure import unpack_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure

CLASSES = ("element", "molecule", "saline", "interstitial", "ternary", "complex")
"""Classes of phases: engines err differently in each. `ternary` are hydrides of two metals without a complex anion."""

PhaseClass = Literal["element", "molecule", "saline", "interstitial", "ternary", "complex"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Frame(_Model):
    """One geometry of a phase and what DFT says of it."""

    kind: Literal["curve", "displaced"]
    """`curve`: of the series of volumes; `displaced`: of a short molecular dynamics run, for forces."""
    lattice: list[list[float]]
    """shape (3, 3), Å, rows are vectors."""
    species: list[str]
    """n element symbols."""
    positions: list[list[float]]
    """shape (n, 3), fractional."""
    energy_per_atom: float
    """eV/atom, on the code's own scale: differences alone have a meaning."""
    forces: list[list[float]]
    """shape (n, 3), eV/Å."""
    stress: list[list[float]]
    """shape (3, 3), eV/Å³, positive under tension."""
    core_seconds: float
    """Of the DFT calculation."""
    notes: list[str] = []
    """Steps that the self-consistency needed beside the usual ones."""

    def to_structure(self) -> Structure:
        """As pymatgen's object."""
        return unpack_structure(self.model_dump(include={"lattice", "species", "positions"}))


class TrustPhase(_Model):
    """A phase of the set."""

    name: str
    formula: str
    phase_class: PhaseClass
    centre: str | None = None
    """Metal of the complex anion."""
    n: int | None = None
    """Hydrogens on it."""
    source: str
    """Where the structure came from."""
    frames: list[Frame]

    @property
    def elements(self) -> dict[str, int]:
        """Symbol -> atoms per formula unit."""
        return parse_formula(self.formula)

    @property
    def curve(self) -> list[Frame]:
        """Frames of the series of volumes."""
        return [frame for frame in self.frames if frame.kind == "curve"]

    @property
    def lowest(self) -> Frame:
        """That of the series with the lowest energy."""
        return min(self.curve, key=lambda frame: frame.energy_per_atom)


class TrustSet(_Model):
    """Phases with their DFT values, and how these were computed."""

    method: str
    """Label of the method: GPAW 26.7.0 PBE."""
    settings: dict[str, object]
    """Of the code."""
    geometry: str
    """What relaxed the geometries."""
    phases: list[TrustPhase]

    def of_element(self, symbol: str) -> TrustPhase | None:
        """The phase that stands for an element: its solid, or the molecule."""
        return next(
            (
                phase
                for phase in self.phases
                if phase.phase_class in ("element", "molecule") and set(phase.elements) == {symbol}
            ),
            None,
        )

    def of_class(self, classes: Iterable[str]) -> list[TrustPhase]:
        """Phases of some classes."""
        return [phase for phase in self.phases if phase.phase_class in set(classes)]


@functools.cache
def trust_set(name: str = "pbe") -> TrustSet:
    """A trust set that comes with ninefold.

    Args:
        name: `pbe`.

    Raises:
        InputError: if there is none of this name.
    """
    file = files("ninefold.trust").joinpath(f"data/{name}.json")
    if not file.is_file():
        raise InputError("trust set", name, problem="is none that comes with ninefold", allowed="pbe")
    return TrustSet.model_validate(json.loads(file.read_text(encoding="utf-8")))
