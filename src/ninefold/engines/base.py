"""What an engine is: a batch of structures in, a list of results out, in the same order.

A structure that cannot be computed is a result with its `error` set, never an exception and never
a NaN: one bad structure does not stop a campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from pymatgen.core import Structure

from ninefold.engines.settings import RelaxSettings

RELAXATION_VERSION = 1
"""Rises when an optimizer, its step or its guards change where a relaxation ends; in the key of a stored one."""


@dataclass(frozen=True)
class Evaluation:
    """Energy, forces and stress of one structure."""

    energy_per_atom: float | None
    """eV/atom; None where `error` is set."""
    forces: np.ndarray | None
    """shape (n_atoms, 3), eV/Å; None where unknown."""
    stress: np.ndarray | None
    """shape (3, 3), eV/Å³, ASE's sign: positive under tension."""
    core_seconds: float
    error: str | None = None
    is_transient: bool = False
    """Whether the error is the machine's (memory, a file, a device) and may not come again."""


@dataclass(frozen=True)
class Relaxation:
    """A relaxed structure."""

    structure: Structure
    """Relaxed; the input where `error` is set."""
    energy_per_atom: float | None
    """eV/atom; None where `error` is set."""
    max_force: float
    """Largest force on an atom at the end, eV/Å."""
    max_stress: float
    """Largest component of the stress at the end, less the external pressure, GPa."""
    steps: int
    is_converged: bool
    core_seconds: float
    error: str | None = None
    is_transient: bool = False
    """As in `Evaluation`."""


class Engine(Protocol):
    """Computes energies; an entry point of the group `ninefold.engines` makes one from `EngineSettings`."""

    name: str
    label: str
    """Name and version, for people: CHGNet 0.3.0."""
    fingerprint: str
    """Hash of name, version, weights and settings; energies of different fingerprints never share a hull."""
    evidence: str
    """Evidence level of its energies: ML, DFT, or test for a potential without chemistry."""
    batch: int
    """Structures to hand over at once; 1 where more gain nothing."""

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Energy, forces and stress of each structure as it stands."""
        ...

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """Each structure relaxed by itself."""
        ...
