"""Which of several minima stands for a composition."""

from __future__ import annotations

from collections.abc import Sequence

DEGENERATE = 1e-3
"""eV/atom; two relaxations to 0.01 eV/Å may differ by as much within one soft minimum, so that an order of
energies closer than this says nothing."""


def representative(energies: Sequence[float], operations_per_atom: Sequence[float]) -> int:
    """Index of the minimum that is shown first: of those degenerate with the lowest, the one of highest symmetry.

    Args:
        energies: eV/atom, one for each minimum, at least one.
        operations_per_atom: Symmetry operations of the primitive cell over its atoms: counts rotations and
            small cells alike.
    """
    lowest = min(energies)
    able = [index for index, energy in enumerate(energies) if energy - lowest <= DEGENERATE]
    return min(able, key=lambda index: (-operations_per_atom[index], energies[index]))
