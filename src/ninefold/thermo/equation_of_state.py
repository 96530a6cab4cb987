"""Energy, pressure and enthalpy of a solid over its volume, from a few calculations between 0 and 10 GPa.

An equation of state adds to a phase's static energy what compression costs: H(p) - H(0), the integral of V over p. With
the volume of 0 GPa in its place, p V is too large by the compression's half: at 5 GPa some 0.5 eV/atom for potassium.

Forms: Vinet (Vinet et al., J. Phys. Condens. Matter 1, 1941 (1989), doi:10.1088/0953-8984/1/11/002), third-order
Birch-Murnaghan and Murnaghan. Units: Å³/atom, eV/atom, GPa.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ninefold.errors import InputError, NinefoldError
from ninefold.thermo.settings import PRESSURE_RANGE

EV_PER_GPA_A3 = 1 / 160.21766208
"""eV in one GPa Å³, CODATA."""

Form = Literal["vinet", "birch-murnaghan", "murnaghan"]

LARGEST_PRESSURE = PRESSURE_RANGE[1]
"""GPa up to which a fit must be monotone and finite: where hydrogen's own equation of state ends."""
LARGEST_MISFIT = 0.005
"""eV/atom, root mean square; above it the energies belong to more than one structure."""
LARGEST_EXTRAPOLATION = 0.05
"""Of the volume at zero pressure beyond the points, relative."""
ENERGY_ERROR = 0.0005
"""eV/atom, by which energies count in a fit against pressures: what a relaxation leaves."""
PRESSURE_ERROR = 0.2
"""GPa, likewise: a force criterion of 0.01 eV/Å, read as a virial, is 0.16 GPa at 10 Å³ per atom."""
ZERO_PRESSURE_ERROR = 0.02
"""GPa, of a cell that was relaxed without pressure, which counts more: with the error above, the volume at 0 GPa came
out 3 % (K2ReH9) to 7 % (K) from the relaxed one, and the bulk modulus with it. By 7net-0, stored minima of K, KH,
K2ReH9 and MgH2 have up to 0.06 GPa, most of them 0.02."""
_BULK_MODULI = (0.1, 1000.0)
"""GPa; solid hydrogen is the softest of what competes here, rhenium and osmium (400) the stiffest."""
_DERIVATIVES = (1.01, 15.0)
_SMALLEST_RATIO = 0.2
"""Of a volume to that at zero pressure, where the search for the volume at a pressure ends."""
_STEP_RATIO = 0.97
"""Between two volumes of that search."""


class EquationOfStateError(NinefoldError):
    """The points give no equation of state; its text says why."""


class _Shape(NamedTuple):
    """Energy above that at zero pressure and pressure, as functions of V, V0, B0 (GPa) and B0'."""

    energy: Callable[..., NDArray[np.float64]]
    """In GPa Å³/atom."""
    pressure: Callable[..., NDArray[np.float64]]


def _vinet_energy(V: NDArray[np.float64], V0: float, B0: float, B1: float) -> NDArray[np.float64]:
    x = (V / V0) ** (1 / 3)
    bracket = 2 - (5 + 3 * B1 * (x - 1) - 3 * x) * np.exp(-1.5 * (B1 - 1) * (x - 1))
    return np.asarray(2 * B0 * V0 / (B1 - 1) ** 2 * bracket)


def _vinet_pressure(V: NDArray[np.float64], V0: float, B0: float, B1: float) -> NDArray[np.float64]:
    x = (V / V0) ** (1 / 3)
    return np.asarray(3 * B0 * (1 - x) / x**2 * np.exp(1.5 * (B1 - 1) * (1 - x)))


def _birch_energy(V: NDArray[np.float64], V0: float, B0: float, B1: float) -> NDArray[np.float64]:
    strain = (V0 / V) ** (2 / 3) - 1
    return np.asarray(9 / 16 * B0 * V0 * strain**2 * (strain * B1 + 2 - 4 * strain))


def _birch_pressure(V: NDArray[np.float64], V0: float, B0: float, B1: float) -> NDArray[np.float64]:
    y = (V0 / V) ** (1 / 3)
    return np.asarray(1.5 * B0 * (y**7 - y**5) * (1 + 0.75 * (B1 - 4) * (y**2 - 1)))


def _murnaghan_energy(V: NDArray[np.float64], V0: float, B0: float, B1: float) -> NDArray[np.float64]:
    return np.asarray(B0 * V / B1 * ((V0 / V) ** B1 / (B1 - 1) + 1) - V0 * B0 / (B1 - 1))


def _murnaghan_pressure(V: NDArray[np.float64], V0: float, B0: float, B1: float) -> NDArray[np.float64]:
    return np.asarray(B0 / B1 * ((V0 / V) ** B1 - 1))


_SHAPES: dict[Form, _Shape] = {
    "vinet": _Shape(_vinet_energy, _vinet_pressure),
    "birch-murnaghan": _Shape(_birch_energy, _birch_pressure),
    "murnaghan": _Shape(_murnaghan_energy, _murnaghan_pressure),
}


@dataclass(frozen=True)
class EquationOfState:
    """Static energy of a structure over its volume."""

    energy_per_atom: float
    """At zero pressure, eV/atom."""
    volume_per_atom: float
    """Å³/atom, likewise."""
    bulk_modulus: float
    """GPa, likewise."""
    derivative: float
    """Of the bulk modulus with the pressure."""
    form: Form = "vinet"
    misfit: float = 0.0
    """Of the energies, root mean square, eV/atom."""
    points: int = 0
    """Volumes that it was fitted to."""

    def energy(self, volume: float) -> float:
        """eV/atom at a volume in Å³/atom."""
        return self.energy_per_atom + EV_PER_GPA_A3 * float(self._shape.energy(np.float64(volume), *self._parameters))

    def pressure(self, volume: float) -> float:
        """GPa at a volume in Å³/atom."""
        return float(self._shape.pressure(np.float64(volume), *self._parameters))

    def volume(self, pressure: float) -> float:
        """Å³/atom at a pressure in GPa.

        Raises:
            InputError: if the pressure is below 0 or above 10 GPa.
        """
        check_pressure(pressure)
        return _volume(self, float(pressure))

    def enthalpy(self, pressure: float) -> float:
        """E + pV, eV/atom, at a pressure in GPa; raises as `volume`."""
        volume = self.volume(pressure)
        return self.energy(volume) + pressure * volume * EV_PER_GPA_A3

    def pressure_term(self, pressure: float) -> float:
        """What a pressure in GPa adds to the enthalpy, eV/atom: H(p) - H(0); raises as `volume`."""
        return self.enthalpy(pressure) - self.energy_per_atom

    def at_volume(self, volume_per_atom: float) -> EquationOfState:
        """Of a structure that is compressed alike and has another volume at zero pressure: another minimum's."""
        return EquationOfState(
            self.energy_per_atom, volume_per_atom, self.bulk_modulus, self.derivative, self.form, self.misfit
        )

    @property
    def _parameters(self) -> tuple[float, float, float]:
        return self.volume_per_atom, self.bulk_modulus, self.derivative

    @property
    def _shape(self) -> _Shape:
        return _SHAPES[self.form]


def fit(
    volumes: Sequence[float],
    energies: Sequence[float],
    pressures: Sequence[float] | None = None,
    form: Form = "vinet",
) -> EquationOfState:
    """Fit an equation of state.

    Args:
        volumes: shape (n,), Å³/atom; at least four different ones, or three with pressures.
        energies: shape (n,), static, eV/atom.
        pressures: shape (n,), GPa, that the structure has at these volumes; they count by `PRESSURE_ERROR`, and 0 by
            `ZERO_PRESSURE_ERROR`.
        form: vinet, birch-murnaghan or murnaghan.

    Raises:
        InputError: if the form is unknown, or the lengths differ.
        EquationOfStateError: if the points do not allow it, do not lie on one curve, or it is not monotone to 10 GPa.
    """
    from scipy.optimize import least_squares

    if form not in get_args(Form):
        raise InputError("form", form, allowed=", ".join(get_args(Form)))
    V, E = np.asarray(volumes, dtype=float), np.asarray(energies, dtype=float)
    P = None if pressures is None else np.asarray(pressures, dtype=float)
    if V.shape != E.shape or V.ndim != 1 or (P is not None and P.shape != V.shape):
        raise InputError("volumes", list(V.shape), problem="must be as many as energies and pressures")
    _check_points(V, E, P)
    shape = _SHAPES[form]
    errors = None if P is None else np.where(P == 0, ZERO_PRESSURE_ERROR, PRESSURE_ERROR)

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        energy, V0, log_modulus, B1 = values
        of_state = (V0, math.exp(log_modulus), B1)
        off = (energy + EV_PER_GPA_A3 * shape.energy(V, *of_state) - E) / ENERGY_ERROR
        return off if P is None else np.concatenate([off, (shape.pressure(V, *of_state) - P) / errors])

    low = [E.min() - 10, 0.5 * V.min(), math.log(_BULK_MODULI[0]), _DERIVATIVES[0]]
    high = [E.max() + 10, 2 * V.max(), math.log(_BULK_MODULI[1]), _DERIVATIVES[1]]
    start = np.clip(_start(V, E, P), np.array(low) + 1e-6, np.array(high) - 1e-6)
    found = least_squares(residuals, start, bounds=(low, high), x_scale=[0.01, 0.1, 0.1, 1.0], xtol=1e-14, ftol=1e-14)
    energy, V0, log_modulus, B1 = (float(value) for value in found.x)
    state = EquationOfState(energy, V0, math.exp(log_modulus), B1, form, points=len(V))
    misfit = float(np.sqrt(np.mean([(state.energy(v) - e) ** 2 for v, e in zip(V, E, strict=True)])))
    if misfit > LARGEST_MISFIT:
        raise EquationOfStateError(
            f"equation of state: energies are {1000 * misfit:.1f} meV/atom (root mean square) off one curve, more than "
            f"{1000 * LARGEST_MISFIT:.1f}: the structure changes under pressure"
        )
    beyond = V0 / float(V.max()) - 1
    if beyond > LARGEST_EXTRAPOLATION:
        raise EquationOfStateError(
            f"equation of state: the volume at zero pressure comes out at {V0:.1f} Å³/atom, {100 * beyond:.0f} % above "
            "the largest computed one: the structure changes under pressure"
        )
    check_monotone(state)
    return EquationOfState(*_fields(state), misfit=misfit, points=len(V))


def is_at_bound(state: EquationOfState) -> bool:
    """Whether the derivative of the bulk modulus came out at an end of what a fit allows: then neither means much."""
    return any(abs(state.derivative - bound) < 0.01 for bound in _DERIVATIVES)


def check_monotone(state: EquationOfState) -> None:
    """Refuse a state whose volume does not fall, finite and above 0, from 0 to 10 GPa.

    Raises:
        EquationOfStateError: with the pressure.
    """
    if not (math.isfinite(state.bulk_modulus) and state.bulk_modulus > 0 and state.volume_per_atom > 0):
        raise EquationOfStateError(f"equation of state: the bulk modulus {state.bulk_modulus:.3g} GPa is not above 0")
    before = math.inf
    for pressure in np.linspace(0, LARGEST_PRESSURE, 21):
        try:
            volume = _volume(state, float(pressure))
        except EquationOfStateError:
            volume = math.nan
        if not (math.isfinite(volume) and 0 < volume < before and math.isfinite(state.energy(volume))):
            raise EquationOfStateError(f"equation of state: the volume does not fall with pressure at {pressure:g} GPa")
        before = volume


@functools.lru_cache(maxsize=65536)
def _volume(state: EquationOfState, pressure: float) -> float:
    from scipy.optimize import brentq

    V0, B0, B1 = state._parameters
    if pressure == 0:
        return V0
    if state.form == "murnaghan":
        return V0 * (1 + B1 * pressure / B0) ** (-1 / B1)
    # the first crossing from V0 on: some forms turn round at volumes that no solid has
    upper = V0
    while state.pressure(lower := upper * _STEP_RATIO) < pressure:
        upper = lower
        if lower < _SMALLEST_RATIO * V0:
            raise EquationOfStateError(f"equation of state: no volume has a pressure of {pressure:g} GPa")
    return float(brentq(lambda volume: state.pressure(volume) - pressure, lower, upper, xtol=1e-12))


def _fields(state: EquationOfState) -> tuple[float, float, float, float, Form]:
    return state.energy_per_atom, state.volume_per_atom, state.bulk_modulus, state.derivative, state.form


def _start(V: NDArray[np.float64], E: NDArray[np.float64], P: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """From a parabola through the energies, or a line through the pressures where there are some."""
    if P is not None:
        slope, offset = np.polyfit(np.log(V), P, 1)
        modulus = max(-slope, _BULK_MODULI[0])
        V0 = math.exp(np.clip(-offset / slope, np.log(0.9 * V.min()), np.log(1.1 * V.max()))) if slope < 0 else V.max()
    else:
        curvature, slope, _ = np.polyfit(V, E, 2)
        V0 = -slope / (2 * curvature) if curvature > 0 else V[E.argmin()]
        V0 = float(np.clip(V0, 0.8 * V.min(), 1.2 * V.max()))
        modulus = max(2 * curvature * V0 / EV_PER_GPA_A3, 1.0)
    return np.array([E.min(), V0, math.log(modulus), 4.0])


def _check_points(V: NDArray[np.float64], E: NDArray[np.float64], P: NDArray[np.float64] | None) -> None:
    if not (np.isfinite(V).all() and np.isfinite(E).all() and (P is None or np.isfinite(P).all())):
        raise EquationOfStateError("equation of state: a volume, energy or pressure is not finite")
    if (V <= 0).any():
        raise EquationOfStateError("equation of state: a volume is not above 0")
    least = 4 if P is None else 3
    different = len(np.unique(np.round(V, 6)))
    if different < least:
        raise EquationOfStateError(f"equation of state: {different} different volumes, at least {least} are needed")


def check_pressure(pressure: float, field: str = "pressure_GPa") -> None:
    """Refuse a pressure at which no equation of state holds.

    Args:
        pressure: GPa.
        field: The option or setting, for the error.

    Raises:
        InputError: below 0 or above 10 GPa, or for no number.
    """
    if not 0 <= pressure <= LARGEST_PRESSURE:
        raise InputError(
            field, pressure, problem="is outside the range of equations of state",
            allowed=f"0 to {LARGEST_PRESSURE:g} GPa",
        )  # fmt: skip
