"""Which of several minima stands for a composition."""

from __future__ import annotations

from collections.abc import Sequence

DEGENERATE = 1e-3
"""eV/atom; two relaxations to 0.01 eV/Å may differ by as much within one soft minimum, so that an order of
energies closer than this says nothing."""


def representative(energies: Sequence[float], operations: Sequence[int], atoms: Sequence[int]) -> int:
    """Index of the minimum that is shown first: of those degenerate with the lowest, the one of highest symmetry.

    Args:
        energies: eV/atom, one for each minimum, at least one.
        operations: Symmetry operations of each one's primitive cell; the more, the higher its symmetry.
        atoms: Atoms in the primitive cell; the fewer, of two with as many operations.
    """
    lowest = min(energies)
    able = [index for index, energy in enumerate(energies) if energy - lowest <= DEGENERATE]
    return min(able, key=lambda index: (-operations[index], atoms[index], energies[index]))
