"""What an engine's errors on the trust set can be corrected by, and what is left when they are.

Two corrections, each with its leave-one-out error: the energy of hydrogen gas, from binary hydrides alone; and one
shift per hydrogen atom for each class of phases. The first is for formation and decomposition of any phase. The
second corrects what the phases of a class have in common; the rest is the uncertainty which remains.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ninefold.chemistry.formula import parse_formula
from ninefold.trust.errors import EngineErrors, PhaseErrors

BINARY = ("saline", "interstitial")
"""Classes whose binary hydrides calibrate the energy of hydrogen."""


@dataclass(frozen=True)
class HydrogenEnergy:
    """Energy of hydrogen gas that suits an engine."""

    energy: float
    """eV/atom of H2, on the engine's scale."""
    shift: float
    """Against the engine's own molecule, eV/atom."""
    error_before: float
    """Mean absolute error of the formation energies of the binary hydrides, eV/atom, with the engine's own molecule."""
    error: float
    """Likewise with this energy, each hydride left out of the fit that is applied to it."""
    hydrides: int
    """That it was fitted to."""


@dataclass(frozen=True)
class ClassShift:
    """Correction of one class of phases."""

    phase_class: str
    shift_per_hydrogen: float
    """eV per H atom, to subtract."""
    error_before: float
    """Root mean square error of the energies, eV/atom, uncorrected."""
    error: float
    """Likewise corrected, each group of phases left out of the fit that is applied to it."""
    phases: int
    groups: int
    """That were left out one after the other: the centres of complexes, else the phases."""


def hydrogen_energy(errors: EngineErrors) -> HydrogenEnergy | None:
    """The energy of hydrogen with which an engine's formation energies of binary hydrides come nearest to DFT's.

    Args:
        errors: With the engine's own molecule.

    Returns:
        None where fewer than three binary hydrides have been computed.
    """
    known = [
        (share, phase.formation_error)
        for phase in errors.phases
        if phase.phase_class in BINARY and phase.formation_error is not None and (share := _share(phase.formula))
    ]
    if len(known) < 3 or errors.hydrogen is None:
        return None
    shares, wrong = (np.array(values, dtype=float) for values in zip(*known, strict=True))
    # a molecule higher by s lowers a formation energy by s times the share of hydrogen
    shift, left_out = _fit(shares, wrong, list(range(len(known))))
    return HydrogenEnergy(
        energy=errors.hydrogen + shift,
        shift=shift,
        error_before=float(np.abs(wrong).mean()),
        error=float(np.abs(left_out).mean()),
        hydrides=len(known),
    )


def class_shift(errors: EngineErrors, phase_class: str) -> ClassShift | None:
    """One shift per hydrogen atom for a class, with the error that is left.

    Complex hydrides are judged by the energy of the reaction from saline hydrides, metal and hydrogen, and those of one
    centre are left out together: what is asked is how a centre fares that is not in the set.

    Args:
        errors: Of the engine.
        phase_class: `saline`, `interstitial`, `ternary` or `complex`.

    Returns:
        None where fewer than three phases, or a single group, have been computed.
    """
    known = []
    for phase in errors.of_class(phase_class):
        wrong = phase.reaction_error if phase_class == "complex" else phase.formation_error
        if wrong is not None:
            known.append((_share(phase.formula), wrong, phase.centre if phase_class == "complex" else phase.name))
    groups = [group for _, _, group in known]
    if len(known) < 3 or len(set(groups)) < 2:
        return None
    shares, wrongs = np.array([share for share, _, _ in known]), np.array([wrong for _, wrong, _ in known])
    shift, left_out = _fit(shares, wrongs, groups)
    before, after = _root_mean_square(wrongs), _root_mean_square(left_out)
    return ClassShift(phase_class, shift, before, after, len(known), len(set(groups)))


def _fit(shares: np.ndarray, wrong: np.ndarray, groups: Sequence[Hashable]) -> tuple[float, np.ndarray]:
    """Slope through the origin of errors over shares of hydrogen; the residual of each when its group is left out."""
    left_out = np.empty(len(wrong))
    for place, group in enumerate(groups):
        others = np.array([other != group for other in groups])
        left_out[place] = wrong[place] - _slope(shares[others], wrong[others]) * shares[place]
    return _slope(shares, wrong), left_out


def _slope(shares: np.ndarray, wrong: np.ndarray) -> float:
    return float(shares @ wrong / (shares @ shares))


def _share(formula: str) -> float:
    """Hydrogen atoms over all."""
    counts = parse_formula(formula)
    return float(counts.get("H", 0.0) / sum(counts.values()))


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def mean_absolute(phases: Sequence[PhaseErrors], quantity: str) -> float | None:
    """Mean absolute `formation_error`, `reaction_error`, `volume_error` ... of some phases; None where none has it."""
    values = [abs(value) for phase in phases if (value := getattr(phase, quantity)) is not None]
    return sum(values) / len(values) if values else None
