"""Two ensembles, closed and open to hydrogen, and the hull of phases in either.

Closed: every element is conserved. Open: every phase exchanges hydrogen with the gas at its chemical potential, and
the hull is that of the grand potential over the other elements, each composition represented by whichever of its
stored minima has the lowest E + H-term(p) + F(T): the static energy, what the pressure adds, and the free energy of
vibrations, where all phases have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ninefold.thermo.equation_of_state import EV_PER_GPA_A3
from ninefold.thermo.free_energy import FreeEnergies
from ninefold.thermo.lower_hull import LowerHull, fractions_of
from ninefold.thermo.phase import HYDROGEN, MOLECULE, Phase
from ninefold.thermo.results import Competitor

__all__ = ["EV_PER_GPA_A3", "Closed", "Ensemble", "Open", "PhaseHull", "minima"]


@dataclass(frozen=True)
class Closed:
    """Every element is conserved."""

    components: tuple[str, ...]
    compares_polymorphs = False
    """At zero pressure a phase is represented by the minimum that stands for it."""

    def takes(self, phase: Phase) -> bool:
        """Every phase can be on this hull."""
        return True

    def energy(self, phase: Phase) -> float:
        """Per atom of the components, eV."""
        return phase.energy_per_atom

    def share(self, phase: Phase) -> float:
        """Atoms of the components per atom."""
        return 1.0

    def gas(self, balance: float) -> list[Competitor]:
        """None is exchanged."""
        return []


@dataclass(frozen=True)
class Open:
    """Hydrogen comes from and goes to a reservoir; solids carry the pressure and, all or none, their vibrations."""

    elements: tuple[str, ...]
    molecule: str
    """Name of the reference phase that the gas is counted from."""
    potential: float
    """eV per hydrogen atom, on the engine's scale."""
    pressure: float
    """GPa."""
    free_energies: FreeEnergies | None = field(default=None, compare=False)
    """Of the vibrations of every phase at the temperature; None: the condition is static."""
    compares_polymorphs = True

    @property
    def components(self) -> tuple[str, ...]:
        """The conserved elements."""
        return tuple(symbol for symbol in self.elements if symbol != HYDROGEN)

    def takes(self, phase: Phase) -> bool:
        """Whether it is no hydrogen alone, and has a volume where there is a pressure."""
        return phase.hydrogen < 1 and (phase.volume_per_atom is not None or not self.pressure)

    def energy(self, phase: Phase) -> float:
        """Grand potential per atom of the components, eV."""
        free_energies = self.free_energies
        added = None if free_energies is None else free_energies.at_its_volume(phase, self.pressure)
        if added is None:
            added = phase.pressure_term(self.pressure)
            if free_energies is not None:
                added += free_energies.of(phase).energy
        free_energy = phase.energy_per_atom + added
        return (free_energy - phase.hydrogen * self.potential) / (1 - phase.hydrogen)

    def share(self, phase: Phase) -> float:
        """Atoms of the components per atom."""
        return 1 - phase.hydrogen

    def gas(self, balance: float) -> list[Competitor]:
        """The hydrogen given off, or taken up where negative.

        Args:
            balance: Hydrogen atoms per atom of the candidate that its decomposition products do not hold.
        """
        if abs(balance) < 1e-9:
            return []
        return [Competitor("H2", self.molecule, balance, self.potential, MOLECULE)]


Ensemble = Closed | Open


class PhaseHull:
    """A hull of phases in one ensemble; the lowest phase stands for each composition."""

    def __init__(self, ensemble: Ensemble, phases: Sequence[Phase]) -> None:
        lowest: dict[tuple[tuple[str, float], ...], Phase] = {}
        # under pressure the denser polymorph may be lower: compared in the ensemble, not by static energy
        for phase in minima(phases, ensemble):
            known = lowest.get(phase.composition)
            if known is None or ensemble.energy(phase) < ensemble.energy(known):
                lowest[phase.composition] = phase
        self._ensemble = ensemble
        self._phases = list(lowest.values())
        self._hull = LowerHull(
            np.array([self._fractions(phase) for phase in self._phases]),
            np.array([ensemble.energy(phase) for phase in self._phases]),
        )
        self.corners = frozenset(self._phases[index].composition for index in self._hull.vertices)
        """Compositions without which the hull would be another."""
        self.stable = [self._phases[index] for index in sorted(self._hull.vertices)]
        """The phases on the hull."""
        self.facets = [tuple(self._phases[index] for index in facet) for facet in self._hull.facets]
        """The phases at the corners of each facet."""

    def distance(self, candidate: Phase) -> float:
        """Of a phase that is not in the hull, eV per atom of it."""
        height = self._ensemble.energy(candidate) - self._hull.energy(self._fractions(candidate)[None, :])[0]
        return float(height * self._ensemble.share(candidate))

    def competitors(self, candidate: Phase) -> list[Competitor]:
        """Decomposition products of the candidate, largest fraction first."""
        competitors = []
        hydrogen = candidate.hydrogen
        for index, share in self._hull.decompose(self._fractions(candidate)).items():
            phase = self._phases[index]
            fraction = share * self._ensemble.share(candidate) / self._ensemble.share(phase)
            hydrogen -= fraction * phase.hydrogen
            competitors.append(Competitor(phase.formula, phase.name, fraction, phase.energy_per_atom, phase.kind))
        competitors.sort(key=lambda competitor: (-competitor.fraction, competitor.name))
        return [*competitors, *self._ensemble.gas(hydrogen)]

    def _fractions(self, phase: Phase) -> np.ndarray:
        return fractions_of(phase.amounts, self._ensemble.components)


def minima(phases: Iterable[Phase], ensemble: Ensemble) -> list[Phase]:
    """Every stored minimum of the phases that the ensemble can hold."""
    return [
        minimum
        for phase in phases
        for minimum in ((phase, *phase.polymorphs) if ensemble.compares_polymorphs else (phase,))
        if ensemble.takes(minimum)
    ]
