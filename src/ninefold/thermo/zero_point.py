"""Whose zero-point energy is in an energy already: decided here, once, for solids and for hydrogen gas together.

A method without corrections (PBE, r2SCAN, and potentials trained on their raw energies) gives the energy of nuclei at
rest. To it a solid's F(T) is added whole, zero-point energy included, and hydrogen gas gets the zero-point energy of
its molecule besides the chemical potential, which `hydrogen.py` counts from the vibrating molecule at 0 K.

A method whose corrections were fitted to measured formation enthalpies (Materials Project's of 2020, which CHGNet has
learned; Wang et al., Sci. Rep. 11, 15496 (2021), doi:10.1038/s41598-021-94550-5) gives enthalpies at 298.15 K: an
average zero-point energy and an average heat content are in it. To it only what changes from there is added, F(T) less
the vibrational energy at 298.15 K; and hydrogen gas counts from its enthalpy at 298.15 K.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ninefold.errors import InputError
from ninefold.thermo.hydrogen import KJ_PER_MOL, chemical_potential_per_atom

if TYPE_CHECKING:
    from ninefold.models.method import Method
    from ninefold.thermo.harmonic import HarmonicVibrations

ROOM_TEMPERATURE = 298.15
"""K, of measured formation enthalpies."""
HYDROGEN_ZERO_POINT = 0.27020
"""eV per H2: 2179.3 1/cm, Irikura, J. Phys. Chem. Ref. Data 36, 389 (2007), doi:10.1063/1.2436891."""
HYDROGEN_HEAT_CONTENT = 8.467
"""kJ/mol H2: enthalpy at 298.15 K less that at 0 K; NIST-JANAF Thermochemical Tables (1998)."""


@dataclass(frozen=True)
class EnergyScale:
    """What has to be added to the energies of a method for free energies: the same rule for all phases of a hull.

    Attributes:
        zero_point: none: energies of nuclei at rest. included: enthalpies at 298.15 K, as fitted corrections make them.
    """

    zero_point: Literal["none", "included"]

    @classmethod
    def of(cls, method: Method, *, is_hydrogen_calibrated: bool = False) -> EnergyScale:
        """The scale of a hull.

        Args:
            method: Of its energies.
            is_hydrogen_calibrated: Whether hydrogen's energy was fitted so that static formation energies of binary
                hydrides come out (`stability.hydrogen: calibrated`): the correction of each hydrogen in a solid is then
                in that of the gas as well, cancels, and what is left are energies of nuclei at rest.
        """
        return cls("none" if is_hydrogen_calibrated else method.holds_zero_point)

    @property
    def hydrogen_temperature(self) -> float:
        """Temperature of the hydrogen gas that the method's energy of H2 stands for, K: 0 or 298.15."""
        return ROOM_TEMPERATURE if self.zero_point == "included" else 0.0

    def of_solid(self, vibrations: HarmonicVibrations, temperature: float) -> float:
        """What is added to the energy of a solid, eV/atom.

        Args:
            vibrations: Of the solid.
            temperature: K.
        """
        free = vibrations.free_energy(temperature)
        return free - vibrations.internal_energy(ROOM_TEMPERATURE) if self.zero_point == "included" else free

    def of_hydrogen(self, temperature: float, pressure: float) -> float:
        """What is added to the method's energy of H2, eV per hydrogen atom.

        Args:
            temperature: K.
            pressure: GPa.
        """
        potential = chemical_potential_per_atom(temperature, pressure)
        if self.zero_point == "included":
            return potential - HYDROGEN_HEAT_CONTENT / KJ_PER_MOL / 2
        return potential + HYDROGEN_ZERO_POINT / 2

    def zero_point_of_solid(self, vibrations: HarmonicVibrations) -> float:
        """Zero-point energy that is to be added to the energy of a solid, eV/atom.

        Raises:
            InputError: if the method's energies hold one already.
        """
        self._refuse_twice()
        return vibrations.zero_point_energy

    def zero_point_of_hydrogen(self) -> float:
        """The same of hydrogen gas, eV per hydrogen atom.

        Raises:
            InputError: as above.
        """
        self._refuse_twice()
        return HYDROGEN_ZERO_POINT / 2

    def _refuse_twice(self) -> None:
        if self.zero_point == "included":
            raise InputError(
                "zero_point", self.zero_point, allowed="none",
                problem="says that corrections fitted to enthalpies at 298 K hold an average zero-point energy: it "
                "would be counted twice",
                hint="a method of raw energies, or F(T) less the vibrational energy at 298 K (EnergyScale.of_solid)",
            )  # fmt: skip
