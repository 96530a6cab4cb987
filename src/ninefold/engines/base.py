"""What an engine is: a batch of structures in, a list of results out, in the same order.

A structure that cannot be computed is a result with its `error` set, never an exception and never
a NaN: one bad structure does not stop a campaign.

An error is a property of the structure only where it is declared as one (`CalculationError` and what
`is_transient` lists beside it). Everything else (a library that cannot be loaded, memory, a file, a
device) is the machine's: it says nothing about the structure, is not stored, and is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from pymatgen.core import Structure

from ninefold.engines.settings import RelaxSettings
from ninefold.errors import InputError
from ninefold.models.evidence import Evidence

RELAXATION_VERSION = 1
"""Rises when an optimizer, its step or its guards change where a relaxation ends; in the key of a stored one."""


class CalculationError(Exception):
    """A structure that cannot be computed, here or on any machine; its text becomes the recorded reason.

    Raise it in a calculator for what will always fail: no convergence, an explosion, an element that the model
    does not know.
    """


def is_transient(error: BaseException) -> bool:
    """Whether an error is the machine's and may not come again, rather than the structure's.

    Declared failures of a calculation are `CalculationError`, ASE's `SCFError` (not converged), `NotImplementedError`
    (how ASE's calculators refuse an element) and a matrix without eigenvalues. ASE's `CalculationFailed` is none: it
    stands for memory and crashes as well.
    """
    from ase.calculators.calculator import PropertyNotImplementedError, SCFError

    if isinstance(error, PropertyNotImplementedError):  # of the calculator's, whatever the structure
        return True
    # torch has a class of its own; it is known by its name, since torch need not be there
    is_singular = isinstance(error, np.linalg.LinAlgError) or type(error).__name__ == "_LinAlgError"
    return not (is_singular or isinstance(error, (CalculationError, SCFError, NotImplementedError)))


def reason_of(error: BaseException) -> str:
    """One line: our own words, or the kind of a foreign error and its first line."""
    if isinstance(error, CalculationError):
        return str(error)
    words = (str(error).splitlines() or [""])[0][:120]
    if not is_transient(error) and "LinAlgError" in type(error).__name__:
        return f"optimizer failed: {words or 'a matrix has no eigenvalues'}"
    return f"{type(error).__name__}: {words}"


def is_foreign(reason: str | None) -> bool:
    """Whether a reason, as `reason_of` words it, is of an error that is no declared failure."""
    return reason is not None and _FOREIGN.match(reason) is not None


_FOREIGN = re.compile(r"(?!NotImplementedError|SCFError)\w*(Error|Exception|Exit|Warning)(:|$)")


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
    """Whether the error is the machine's (a library, memory, a file, a device) and may not come again: not stored."""
    notes: tuple[str, ...] = ()
    """What was not as usual, in words: how self-consistency was reached, a magnetic moment."""

    @classmethod
    def failed(cls, error: BaseException, core_seconds: float = 0.0) -> Evaluation:
        """Of a structure whose calculation raised."""
        return cls(None, None, None, core_seconds, reason_of(error), is_transient(error))


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
    notes: tuple[str, ...] = ()
    """As in `Evaluation`."""
    forces: np.ndarray | None = None
    """shape (n_atoms, 3), eV/Å, of the relaxed structure, as the constraint of its symmetry leaves them; None where
    unknown."""
    stress: np.ndarray | None = None
    """shape (3, 3), eV/Å³, ASE's sign, of the relaxed structure, the external pressure not added; None where
    unknown."""

    @classmethod
    def failed(
        cls, structure: Structure, error: BaseException, steps: int = 0, core_seconds: float = 0.0
    ) -> Relaxation:
        """Of a structure whose relaxation raised."""
        return cls(structure, None, np.inf, np.inf, steps, False, core_seconds, reason_of(error), is_transient(error))


class Engine(Protocol):
    """Computes energies; an entry point of the group `ninefold.engines` makes one from `EngineSettings`."""

    name: str
    label: str
    """Name and version, for people: CHGNet 0.3.0."""
    fingerprint: str
    """Hash of name, version, weights and settings; energies of different fingerprints never share a hull."""
    evidence: Evidence
    """Evidence level of its energies: ML, DFT, force field, or test for a potential without chemistry."""
    batch: int
    """Structures to hand over at once; 1 where more gain nothing."""

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Energy, forces and stress of each structure as it stands."""
        ...

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """Each structure relaxed by itself."""
        ...


def calculator_of(engine: Engine) -> Any:
    """ASE's calculator of an engine, for what needs one: dynamics, paths.

    Raises:
        InputError: if it has none.
    """
    make = getattr(engine, "calculator", None)
    if make is None:
        raise InputError(
            "--method", engine.label, problem="has no calculator for dynamics",
            allowed="chgnet, sevennet, gpaw, or another ASE calculator",
        )  # fmt: skip
    return make()
