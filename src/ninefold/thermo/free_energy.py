"""The free energy of vibrations of every phase of a hull at one temperature, or of none.

A hull never holds phases with it beside phases without: zero-point energy alone is 0.1 to 0.2 eV per hydrogen atom. The
rule, phase by phase:

1. A phase with vibrations of its own, all modes real, has F(T) of these.
2. One without takes that of another minimum of its composition, the lowest that has one.
3. One without that either is given an estimate: g(T) for each atom of its metals and h(T) for each hydrogen atom. g is
   the mean of the phases without hydrogen that have vibrations; h, of its own class, the mean of what these have above
   g. Both carry the scatter within what they are the mean of.
4. Where a class has no member with vibrations (those of interstitial hydrides are imaginary with some potentials), h is
   the mean of all hydrides, with twice the default error. Never for a complex hydride, which is what is asked about.
5. Where a phase needs an estimate that there is none for, the whole condition is static, and says why.

The free energy is that of the volume at 0 GPa, at every pressure. A phase with vibrations at several volumes takes the
volume of its lowest G instead (`ninefold.thermo.quasiharmonic`), where that lies between them.

What is added to a method's energies, and what its energy of hydrogen stands for, says `ninefold.thermo.zero_point`, for
solids and gas by one rule: so no zero-point energy is counted twice. In a static condition it is left out of both.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ninefold.errors import listed
from ninefold.thermo.phase import Phase
from ninefold.thermo.quasiharmonic import QuasiHarmonicError
from ninefold.thermo.zero_point import EnergyScale

METALS = "without hydrogen"
MOST_NAMED = 3
"""Phases that a note names."""
COMPLEX = "complex"
SAME_COMPOSITION_ERROR = 0.005
"""eV/atom, of a free energy taken from another minimum of the composition: two minima of one composition keep their
M-H bonds. Our choice."""
HYDROGEN_ERROR = 0.020
"""eV per hydrogen atom, of an estimate by class; counts as one phase beside the scatter of its members. Our choice,
of the size by which the zero-point energies of LiH and MgH2 (0.19 and 0.25 eV per formula unit) differ per hydrogen."""
OTHER_CLASS_ERROR = 2 * HYDROGEN_ERROR
"""Likewise, of an estimate from hydrides of other classes."""
METAL_ERROR = 0.030
"""eV per metal atom, likewise: what a Debye temperature of 100 instead of 150 K makes at 300 K."""


AT_REST = EnergyScale("none")
"""Of methods whose energies are those of nuclei at rest."""


class FreeEnergy(NamedTuple):
    """Of one phase."""

    energy: float
    """What it adds to the method's energy, eV/atom."""
    uncertainty: float
    """Standard deviation, eV/atom; 0 of a phase's own."""
    source: str
    """own | other minimum | class | other classes."""


class FreeEnergies:
    """Of the phases of one system at one temperature.

    Args:
        model: Of the system.
        temperature: K.
    """

    def __init__(self, model: VibrationModel, temperature: float) -> None:
        self._model, self._temperature = model, temperature
        self._known: dict[int, tuple[Phase, FreeEnergy]] = {}
        metals = [self._own(phase) for phase in model.metals]
        self._metal = _mean(metals, METAL_ERROR)
        self._hydrogen = {
            name: _mean([self._per_hydrogen(phase) for phase in phases], HYDROGEN_ERROR)
            for name, phases in model.hydrides.items()
        }
        every = [self._per_hydrogen(phase) for phases in model.hydrides.values() for phase in phases]
        self._any_hydrogen = _mean(every, OTHER_CLASS_ERROR)

    def of(self, phase: Phase) -> FreeEnergy:
        """By the rule above.

        Raises:
            KeyError: if the phase is of a class without vibrations, and not among those that the model was made of.
        """
        found = self._known.get(id(phase))
        if found is None or found[0] is not phase:  # by identity: a phase holds a mapping, and has no hash
            self._known[id(phase)] = found = phase, self._of(phase)
        return found[1]

    def at_its_volume(self, phase: Phase, pressure: float) -> float | None:
        """What temperature and pressure add to the energy of a phase that takes the volume of its lowest G, eV/atom.

        Args:
            phase: With vibrations at several volumes.
            pressure: GPa.

        Returns:
            In place of what pressure and vibrations add at a fixed volume; None where its volumes are not known, the
            one that it takes lies outside them, or they give no curve.
        """
        solid, own = phase.quasi_harmonic, phase.own_vibrations
        if solid is None or own is None:
            return None
        try:
            gibbs = solid.at(self._temperature, pressure).gibbs_energy - solid.static().gibbs_energy
        except QuasiHarmonicError:
            return None
        # what the energies hold already is of the volume of rest
        return gibbs + self._own(phase) - own.free_energy(self._temperature)

    def _of(self, phase: Phase) -> FreeEnergy:
        if phase.own_vibrations is not None:
            return FreeEnergy(self._own(phase), 0.0, "own")
        sibling = self._model.of_composition.get(phase.composition)
        if sibling is not None:
            return FreeEnergy(self._own(sibling), SAME_COMPOSITION_ERROR, "other minimum")
        metal, metal_error = self._metal
        if not phase.hydrogen:
            return FreeEnergy(metal, metal_error, "class")
        is_of_class = phase.phase_class in self._hydrogen
        if not is_of_class and phase.phase_class == COMPLEX:
            raise KeyError(phase.phase_class)
        hydrogen, hydrogen_error = self._hydrogen[phase.phase_class] if is_of_class else self._any_hydrogen
        share = phase.hydrogen
        return FreeEnergy(
            share * hydrogen + (1 - share) * metal,
            math.hypot(share * hydrogen_error, (1 - share) * metal_error),
            "class" if is_of_class else "other classes",
        )

    def _own(self, phase: Phase) -> float:
        assert phase.own_vibrations is not None
        return self._model.scale.of_solid(phase.own_vibrations, self._temperature)

    def _per_hydrogen(self, phase: Phase) -> float:
        return (self._own(phase) - (1 - phase.hydrogen) * self._metal[0]) / phase.hydrogen


class VibrationModel:
    """Whose vibrations are known among the phases of a system, and whether that is enough for all.

    Args:
        phases: Every phase of the system that can be on the hull, with its other minima; hydrogen gas is left out.
        scale: Of the method's energies.
    """

    def __init__(self, phases: Iterable[Phase], scale: EnergyScale = AT_REST) -> None:
        self.scale = scale
        unique = {id(each): each for phase in phases for each in (phase, *phase.polymorphs) if each.hydrogen < 1}
        every = list(unique.values())  # a candidate may come with its competitors and by itself
        known = [phase for phase in every if phase.own_vibrations is not None]
        self.of_composition: dict[tuple[tuple[str, float], ...], Phase] = {}
        for phase in sorted(known, key=lambda phase: phase.energy_per_atom):
            self.of_composition.setdefault(phase.composition, phase)
        self.metals = [phase for phase in known if not phase.hydrogen]
        self.hydrides: dict[str, list[Phase]] = defaultdict(list)
        for phase in known:
            if phase.hydrogen:
                self.hydrides[phase.phase_class].append(phase)
        self.hydrides = dict(self.hydrides)
        self.known, self.count = len(known), len(every)
        self.expanding = [phase for phase in known if phase.quasi_harmonic is not None]
        """Whose volume follows temperature and pressure."""
        self.reason = self._reason(every, known)
        """Why every condition is static; None where none is."""
        self._at: dict[float, FreeEnergies] = {}

    def at(self, temperature: float) -> FreeEnergies | None:
        """The free energies at a temperature in K; None where the condition is static."""
        if self.reason is not None:
            return None
        if temperature not in self._at:
            self._at[temperature] = FreeEnergies(self, temperature)
        return self._at[temperature]

    def describe(self) -> str:
        """What a reader must know of it."""
        if self.reason is not None:
            return self.reason
        told = f"free energy of vibrations: own of {self.known} of {self.count} structures, others' estimated"
        if self.expanding:
            told += f"; thermal expansion of {len(self.expanding)}, the others at the volume of 0 K"
        return told

    def beyond_volumes(self, temperature: float, pressure: float) -> str | None:
        """That some volumes at a condition (K, GPa) are not known; None where all are."""
        free = self.at(temperature)
        if free is None or not self.expanding:
            return None
        beyond = [phase.name for phase in self.expanding if free.at_its_volume(phase, pressure) is None]
        if not beyond:
            return None
        return (
            f"volume not known here, harmonic at that of 0 K: {len(beyond)} of {len(self.expanding)} "
            f"structures with thermal expansion ({listed(beyond, MOST_NAMED)})"
        )

    def _reason(self, every: Sequence[Phase], known: Sequence[Phase]) -> str | None:
        if not known:
            return STATIC_SOLIDS
        lacking = sorted(
            {
                phase.phase_class or phase.formula if phase.hydrogen else METALS
                for phase in every
                if phase.composition not in self.of_composition and not self._can_estimate(phase)
            }
        )
        if not lacking:
            return None
        return f"{STATIC_SOLIDS}: vibrations are known of {len(known)} of {len(every)} structures, and of none of: " + (
            ", ".join(lacking)
        )

    def _can_estimate(self, phase: Phase) -> bool:
        if not self.metals:
            return False
        if not phase.hydrogen or phase.phase_class in self.hydrides:
            return True
        return phase.phase_class != COMPLEX and bool(self.hydrides)


STATIC_SOLIDS = "no zero-point energy, no vibrational entropy of solids"


def _mean(values: Sequence[float], error: float) -> tuple[float, float]:
    """Mean and standard deviation of one more; a default counts as one of the values."""
    if not values:
        return 0.0, error
    mean = statistics.fmean(values)
    squares = sum((value - mean) ** 2 for value in values)
    return mean, math.sqrt((squares + error**2) / len(values)) if len(values) > 1 else error
