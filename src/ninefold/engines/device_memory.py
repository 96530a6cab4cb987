"""How much of a batch a device holds: measured once, far below its limit, and kept.

torch-sim finds the limit by growing batches until the device runs out of memory, in every call. Memory is a line in the
size of a batch, though: two small batches give it. The size of a structure is torch-sim's metric, atoms times number
density, which is as the number of pairs within a cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

SHARE = 0.7
"""Of the free memory that a batch may take: cells shrink by some 20 % on their way, and then have more pairs."""
ENOUGH = 0.04
"""Of the free memory; growth of a batch by this much stands out from what every evaluation takes."""
MAX_ATOMS = 100_000
"""Of a batch that is measured, where atoms take next to nothing."""
CPU_ATOMS = 300
"""In a batch on a processor, some 2 GB with SevenNet: larger ones are no faster there."""


ROUNDING = 1.001
"""The metric of a structure may come out otherwise in its last digits when a batch is put together."""


@dataclass(frozen=True)
class Sized:
    """A structure and what it takes of a batch."""

    structure: Any
    """In whatever form `MemoryLimit` hands it to its measurement."""
    n_atoms: int
    metric: float
    """Atoms times number density, atoms/nm³."""

    @property
    def density(self) -> float:
        """Metric over atoms."""
        return self.metric / self.n_atoms


class MemoryLimit:
    """The largest metric that a batch may have on a device.

    Memory per metric is a + b/density, a of the pairs and b of the atoms: what was measured at one density holds for
    all denser structures, and times the ratio of densities for sparser ones, so that no second measurement is needed.

    Args:
        peak: Memory that evaluating n copies of a structure takes, bytes.
        free: Memory of the device that may be had, bytes.
    """

    def __init__(self, peak: Callable[[Any, int], float], free: Callable[[], float]) -> None:
        self._peak, self._free = peak, free
        self._limit: float | None = None
        self._density = 0.0

    def of_batch(self, structures: Sequence[Sized]) -> float:
        """Largest metric of a batch of some of these structures, and never less than one of them alone.

        Args:
            structures: At least one. The first call measures, with that of median density.
        """
        if self._limit is None:
            density = median_low(item.density for item in structures)
            probe = next(item for item in structures if item.density == density)
            self._limit, self._density = _measured(self._peak, self._free(), probe), density
        sparser = min(1.0, min(item.density for item in structures) / self._density)
        return max(self._limit * sparser, ROUNDING * max(item.metric for item in structures))

    def halve(self, structures: Sequence[Sized]) -> bool:
        """After a batch that did not fit: half the limit.

        Returns:
            Whether that makes the next batch smaller: none is smaller than the largest structure alone.
        """
        before = self.of_batch(structures)
        if self._limit is None:
            return False
        # from the size that was really tried, where the limit is above it
        self._limit = 0.5 * min(self._limit, sum(item.metric for item in structures))
        return self.of_batch(structures) < before


class AtomLimit:
    """A number of atoms, for a processor: nothing to measure.

    Args:
        n_atoms: In a batch of structures of equal density, at most.
    """

    def __init__(self, n_atoms: int = CPU_ATOMS) -> None:
        self._n_atoms = n_atoms

    def of_batch(self, structures: Sequence[Sized]) -> float:
        """As in `MemoryLimit`."""
        density = median_low(item.density for item in structures)
        return max(self._n_atoms * density, ROUNDING * max(item.metric for item in structures))

    def halve(self, structures: Sequence[Sized]) -> bool:
        """As in `MemoryLimit`; never."""
        return False


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or its machine ran out of memory; the allocators behind torch say it in their own words."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "failed to allocate" in words


def _measured(peak: Callable[[Any, int], float], free: float, probe: Sized) -> float:
    """Metric at which the memory of a batch reaches its share of what is free."""
    peak(probe.structure, 1)  # compiles kernels and fills pools, once
    sizes, peaks = [1], [peak(probe.structure, 1)]
    while peaks[-1] - peaks[0] < ENOUGH * free and 2 * sizes[-1] * probe.n_atoms <= MAX_ATOMS:
        try:
            peaks.append(peak(probe.structure, 2 * sizes[-1]))
        except Exception as error:  # other processes may hold most of the device
            if not is_out_of_memory(error):
                raise
            return sizes[-1] * probe.metric
        sizes.append(2 * sizes[-1])
    if len(sizes) == 1 or peaks[-1] <= peaks[0]:
        return sizes[-1] * probe.metric
    slope = max((peaks[-1] - peaks[place]) / (sizes[-1] - sizes[place]) for place in (0, len(sizes) - 2))
    beside = max(0.0, peaks[-1] - slope * sizes[-1])
    return max(1.0, (SHARE * free - beside) / slope) * probe.metric
