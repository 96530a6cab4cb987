"""The energy of hydrogen gas for potentials whose own molecule is wrong.

A potential trained on crystals has seen few molecules: the energy of its own H2 is off by up to 60 meV per atom, which
goes into every formation energy of a hydride. The energy fitted to binary hydrides (`ninefold trust`) is used instead.
A DFT code's molecule is used as it is.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ninefold.yaml_files import read_yaml

TOLERANCE = 0.003
"""eV/atom by which an engine's own molecule may differ from the one that was measured: else it is another engine."""


@dataclass(frozen=True)
class CalibratedHydrogen:
    """Energy of hydrogen gas that suits an engine."""

    engine: str
    """Label of the engine."""
    energy: float
    """eV/atom of H2, on the engine's scale."""
    own: float
    """Of its own molecule, likewise."""
    hydrides: int
    """Binary hydrides that it was fitted to."""
    error: float
    """Mean absolute error of their formation energies, each left out of the fit that is applied to it, eV/atom."""
    reference: str
    """Method of the formation energies that it was fitted to."""

    def describe(self) -> str:
        """One sentence for a reader."""
        return (
            f"energy of H2 {self.energy:.3f} eV/atom, fitted to the formation energies of {self.hydrides} binary "
            f"hydrides by {self.reference} (left-out error {1000 * self.error:.0f} meV/atom); the engine's own "
            f"molecule has {self.own:.3f}"
        )


def calibrated_hydrogen(engine: str, own: float) -> CalibratedHydrogen | None:
    """The calibrated energy of hydrogen for an engine.

    Args:
        engine: Its label.
        own: Energy of its own molecule as it has just been computed, eV/atom.

    Returns:
        None where the engine has not been measured, or its molecule is not the one that was.
    """
    found = calibration_of(engine)
    return found if found is not None and abs(found.own - own) <= TOLERANCE else None


def calibration_of(engine: str) -> CalibratedHydrogen | None:
    """What was measured for an engine, by its label; None where nothing was."""
    return next((entry for entry in _table() if entry.engine == engine), None)


def is_calibrated(engine: str, energy: float) -> bool:
    """Whether an energy of hydrogen gas is the calibrated one of an engine.

    Args:
        engine: Its label.
        energy: That a hull is made with, eV/atom.
    """
    return any(entry.engine == engine and abs(entry.energy - energy) < 1e-6 for entry in _table())


@functools.cache
def _table() -> tuple[CalibratedHydrogen, ...]:
    data: Any = read_yaml(Path(str(files("ninefold.trust").joinpath("data/hydrogen.yaml"))), "energies of hydrogen")
    return tuple(CalibratedHydrogen(reference=data["reference"], **entry) for entry in data["engines"])
