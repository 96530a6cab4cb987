"""What disorder over near-degenerate minima can be worth, as a bound: it is in no energy.

Minima of one composition that lie within a few meV/atom differ in how their anions are turned and their hydrogens
placed. Where every anion may take each of N arrangements on its own, the entropy is at most k ln N per anion; where the
arrangements have energies, it is that of their Boltzmann weights. Real anions are not free of each other, which makes
it less; arrangements that no search found, and the equivalent orientations of one in a metal lattice of higher
symmetry, would make it more. So this bounds what the stored minima can give.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ninefold.thermo.harmonic import BOLTZMANN

NEAR = 0.01
"""eV/atom above the lowest, up to which a minimum counts as near-degenerate."""
TEMPERATURES = (300.0, 973.0)
"""K, at which the bound is shown: room temperature, and that of a synthesis under pressure."""


@dataclass(frozen=True)
class DisorderBound:
    """The ensemble of a composition's minima at one temperature."""

    temperature_K: float
    minima: int
    """Near-degenerate ones, the lowest among them."""
    effective_minima: float
    """exp(S / k) of the Boltzmann weights per anion: 1 for the lowest alone, `minima` where all are equal."""
    entropy_per_anion: float
    """k ln(minima), eV/K."""
    largest_lowering_per_atom: float
    """T k ln(minima) per atom, eV/atom: by how much disorder lowers the free energy at most."""
    lowering_per_atom: float
    """k T ln(sum of Boltzmann factors) per atom, eV/atom: the same with the energies of the minima counted."""


def disorder_bound(
    energies_per_atom: Sequence[float], atoms_per_anion: int, temperature_K: float, near: float = NEAR
) -> DisorderBound:
    """The bound of one composition.

    Args:
        energies_per_atom: Of distinct minima by one method, eV/atom, in any order; at least one.
        atoms_per_anion: Atoms of a formula unit with one anion.
        temperature_K: Above 0.
        near: Minima higher than this above the lowest, eV/atom, are left out.

    Raises:
        ValueError: without a minimum, for a temperature that is not above 0, or less than one atom.
    """
    if not energies_per_atom or temperature_K <= 0 or atoms_per_anion < 1:
        raise ValueError(
            f"{len(energies_per_atom)} minima, {temperature_K=} K, {atoms_per_anion=}: all must be above 0"
        )
    lowest = min(energies_per_atom)
    above = [(energy - lowest) * atoms_per_anion for energy in energies_per_atom if energy - lowest <= near]
    unit = BOLTZMANN * temperature_K
    factors = [math.exp(-energy / unit) for energy in above]
    total = sum(factors)
    entropy = -sum(factor / total * math.log(factor / total) for factor in factors if factor > 0)
    return DisorderBound(
        temperature_K, len(above), math.exp(entropy), BOLTZMANN * math.log(len(above)),
        unit * math.log(len(above)) / atoms_per_anion, unit * math.log(total) / atoms_per_anion,
    )  # fmt: skip
