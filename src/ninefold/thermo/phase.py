"""A phase with its energy, as it enters a hull."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ninefold.thermo.equation_of_state import EV_PER_GPA_A3, EquationOfState
from ninefold.thermo.harmonic import HarmonicVibrations
from ninefold.thermo.quasiharmonic import QuasiHarmonic

CANDIDATE = "candidate"
KNOWN_SEARCHED = "known, searched"
"""Kind of a compound that has been made and is no candidate here; its structure was searched as the candidates' are."""
MOLECULE = "molecule"
HYDROGEN = "H"


@dataclass(frozen=True)
class Phase:
    """A phase with its energy."""

    name: str
    formula: str
    amounts: Mapping[str, float]
    """Atoms by symbol, of any number of formula units."""
    energy_per_atom: float
    """Static, eV/atom."""
    volume_per_atom: float | None = None
    """Å³/atom; None for the molecule in its box. A solid without it is left out of conditions."""
    kind: str = CANDIDATE
    """candidate; known, searched; or a reference's kind: element, molecule, binary, ternary, intermetallic,
    known_hydride."""
    is_made: bool = False
    """Whether a candidate or searched compound has been made."""
    is_structure_known: bool = True
    """Whether a published structure of a made candidate is at hand, which its search is held against."""
    is_low_budget: bool = False
    """Whether its structure is that of a low budget alone: see `ninefold.thermo.settings.CompleteSearch`."""
    centre: str | None = None
    """Symbol of the central atom of a complex hydride: what a synthesis starts from as the metal."""
    source: str = ""
    provenance: str = ""
    """published, from memory or derived."""
    search_spread: float | None = None
    """Highest less lowest of the energies that repeated searches found, eV/atom; None where it was searched once."""
    refuted: str | None = None
    """Why this structure must not carry a hull: it is no facet's corner, and is listed with its composition only."""
    method: str = ""
    """What computed the energy; phases of two methods never share a hull."""
    polymorphs: tuple[Phase, ...] = ()
    """Other stored minima of the same composition; at a condition the one with the lowest free energy counts."""
    phase_class: str = ""
    """saline, interstitial, ternary, complex, ...: phases of one class lend each other a free energy of vibrations."""
    equation_of_state: EquationOfState | None = None
    """Of this structure; None: the volume of 0 GPa stands for that at any pressure."""
    compressed_as_by: str = ""
    """Label of another method whose equation of state it is; empty where it is the method's own, or there is none."""
    vibrations: HarmonicVibrations | None = None
    """Of this structure; None: estimated, or left out, see `ninefold.thermo.free_energy`."""

    quasi_harmonic: QuasiHarmonic | None = None
    """Of this structure at several volumes; None: its volume is that of rest at every temperature."""

    @cached_property
    def composition(self) -> tuple[tuple[str, float], ...]:
        """Atom fractions, rounded: equal for every multiple of one formula."""
        return tuple((symbol, round(self.amounts[symbol] / self._size, 8)) for symbol in sorted(self.amounts))

    @cached_property
    def hydrogen(self) -> float:
        """Fraction of its atoms that are hydrogen."""
        return self.amounts.get(HYDROGEN, 0) / self._size

    @property
    def own_vibrations(self) -> HarmonicVibrations | None:
        """The vibrations, where no mode is imaginary: else the structure is no minimum, and they are no free energy."""
        return None if self.vibrations is None or self.vibrations.n_imaginary else self.vibrations

    def pressure_term(self, pressure: float) -> float:
        """What a pressure in GPa adds to the enthalpy, eV/atom; with no equation of state p V at the volume of 0 GPa.

        Raises:
            ValueError: if there is a pressure and no volume.
        """
        if not pressure:
            return 0.0
        if self.equation_of_state is not None:
            return self.equation_of_state.pressure_term(pressure)
        if self.volume_per_atom is None:
            raise ValueError(f"{self.name} has no volume")
        return pressure * self.volume_per_atom * EV_PER_GPA_A3

    @cached_property
    def _size(self) -> float:
        return sum(self.amounts.values())
