"""Time-averaged density of atoms on a grid, and its free-energy surface, -kT ln(rho / rho_max)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numba
import numpy as np

from ninefold.dynamics.statistics.rates import BOLTZMANN
from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.errors import InputError

SMOOTHING = 0.12
"""Å, of the hydrogen density; its effect is extrapolated away."""
SHELL_RESOLUTION = 0.12
"""Å, voxels around one centre."""
SITE_DEPTH_KT = 1.0
"""Depth below its saddle, in kT, from which a minimum of the free energy counts as a site."""
RESOLUTION = 0.2
"""Å; edge of a voxel."""
LARGEST_GRID = 100_000_000
"""Voxels, 0.8 GB."""
_CUT = 4.0
"""Widths at which the Gaussian of a smoothing ends, as SciPy's does."""
_ORTHOGONAL = 1e-6
_ROUNDING = 1e-12
_REACH = 2.0
"""Widths of a smoothing around a sample within which a density is that of samples."""


@dataclass(frozen=True)
class Density:
    """Counts on a grid of voxels."""

    counts: np.ndarray
    """shape (a, b, c); how often an atom was in each voxel, after smoothing if there was any."""
    cell: np.ndarray
    """shape (3, 3), Å, of the grid; rows are its edges."""
    origin: np.ndarray
    """shape (3,), Å, of the grid's corner."""
    is_periodic: bool
    temperature_K: float
    samples: int
    """Positions counted."""

    @property
    def voxel_volume(self) -> float:
        """Å³."""
        return float(abs(np.linalg.det(self.cell))) / self.counts.size

    @property
    def per_volume(self) -> np.ndarray:
        """Shape (a, b, c), probability density of one position, 1/Å³."""
        return self.counts / (self.counts.sum() * self.voxel_volume)

    def free_energy(self) -> np.ndarray:
        """Shape (a, b, c), -kT ln(rho / rho_max), eV; infinite where no atom ever was."""
        with np.errstate(divide="ignore"):
            return -BOLTZMANN * self.temperature_K * np.log(self.counts / self.counts.max())


def lab_density(
    trajectory: Trajectory, symbol: str = "H", resolution: float = RESOLUTION, temperature_K: float | None = None
) -> Density:
    """Density of one species in the crystal's cell.

    Positions are counted in fractional coordinates, on a grid of the mean cell; drift of the mean of all other atoms is
    taken out.

    Args:
        trajectory: Wrapped or not.
        symbol: Species.
        resolution: Longest edge of a voxel, Å.
        temperature_K: Of the free energy; default: the trajectory's.

    Raises:
        InputError: without a temperature, without such atoms, or for a grid too fine.
    """
    temperature = temperature_K if temperature_K is not None else trajectory.temperature_K
    if temperature is None or not temperature > 0:
        raise InputError("temperature_K", temperature, problem="is needed for a free energy", allowed="above 0 K")
    chosen = trajectory.symbols == symbol
    if not chosen.any():
        raise InputError(
            "symbol", symbol, problem="is not in the trajectory", allowed=", ".join(sorted(set(trajectory.symbols)))
        )
    counts: np.ndarray | None = None
    cells, frames = np.zeros((3, 3)), 0
    for fractional, of_frames in without_drift(trajectory, chosen):
        if counts is None:
            counts = np.zeros(grid_shape(of_frames[0], resolution))
        count_positions(np.ascontiguousarray(fractional.reshape(-1, 3)), counts)
        cells += of_frames.sum(axis=0)
        frames += len(of_frames)
    assert counts is not None
    return Density(counts, cells / frames, np.zeros(3), True, temperature, int(counts.sum()))


def without_drift(trajectory: Trajectory, chosen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions of some atoms, the drift of the mean of all other atoms since the first frame taken out.

    Args:
        trajectory: Wrapped or not.
        chosen: shape (n_atoms,), which atoms; without any other the drift stays.

    Yields:
        Fractional coordinates, shape (f, k, 3), and cells, shape (f, 3, 3), Å.
    """
    last: np.ndarray | None = None
    moved = np.zeros(3)
    for chunk in trajectory.chunks():
        fractional = chunk.positions @ np.linalg.inv(chunk.cells)
        others = fractional[:, ~chosen]
        if others.shape[1]:
            # from frame to frame: the whole crystal may drift by more than half a cell
            steps = np.diff(np.concatenate([others[:1] if last is None else last, others]), axis=0)
            drift = moved + np.cumsum((steps - np.round(steps)).mean(axis=1), axis=0)
            last, moved = others[-1:], drift[-1]
            fractional = fractional - drift[:, None, :]
        yield fractional[:, chosen], chunk.cells


def periodic_density(
    fractional: Iterable[np.ndarray], cell: np.ndarray, temperature_K: float, resolution: float = RESOLUTION
) -> Density:
    """Density of positions in a crystal's cell.

    Args:
        fractional: Arrays of shape (k, 3), fractional, wrapped or not.
        cell: shape (3, 3), Å, rows are the lattice vectors.
        temperature_K: Of the free energy.
        resolution: Longest edge of a voxel, Å.

    Raises:
        InputError: for a grid too fine.
    """
    counts = np.zeros(grid_shape(cell, resolution))
    for piece in fractional:
        count_positions(np.ascontiguousarray(piece, dtype=float), counts)
    return Density(counts, cell, np.zeros(3), True, temperature_K, int(counts.sum()))


def body_density(
    vectors: Iterable[np.ndarray], radius: float, temperature_K: float, resolution: float = RESOLUTION
) -> Density:
    """Density of ligands about their centre, in whatever frame the vectors are given.

    Args:
        vectors: Arrays of shape (f, n, 3), Å, from the centre.
        radius: Half the edge of the cubic grid, Å.
        temperature_K: Of the free energy.
        resolution: Longest edge of a voxel, Å.
    """
    cell = 2 * radius * np.eye(3)
    counts = np.zeros(grid_shape(cell, resolution))
    for piece in vectors:
        fractional = piece.reshape(-1, 3) / (2 * radius) + 0.5
        inside = ((fractional >= 0) & (fractional < 1)).all(axis=1)
        count_positions(np.ascontiguousarray(fractional[inside], dtype=float), counts)
    return Density(counts, cell, np.full(3, -radius), False, temperature_K, int(counts.sum()))


def smoothed(density: Density, width: float) -> Density:
    """Counts folded with a Gaussian, which lowers a peak and fills a saddle: see `pockets.connection`.

    Args:
        density: Any.
        width: Standard deviation, Å, the same in all directions.
    """
    return replace(density, counts=_folded(density, width))


def supported(density: Density, raw: Density, width: float) -> Density:
    """A smoothed density, 0 where no sample lies within some two widths: there it is the tails of the smoothing alone.

    Args:
        density: Smoothed.
        raw: The same, not smoothed.
        width: Å.
    """
    from scipy.ndimage import maximum_filter

    # along an oblique cell's edge a box of its voxels is narrower than its edges
    heights = 1 / np.linalg.norm(np.linalg.inv(raw.cell), axis=0) / raw.counts.shape
    size = 2 * np.maximum(1, np.round(_REACH * width / heights).astype(int)) + 1
    near = maximum_filter(raw.counts, size=tuple(size), mode="wrap" if raw.is_periodic else "constant")
    return replace(density, counts=np.where(near > 0, density.counts, 0.0))


def resolved_eV(density: Density, width: float, weight: float = 1.0) -> float:  # noqa: N802  # a unit
    """Free energy beyond which a smoothed density says nothing: that of a single sample at its own maximum, eV.

    Args:
        density: Counts, not smoothed.
        width: Of the smoothing, Å.
        weight: Of one sample in the counts.
    """
    single = np.zeros(density.counts.shape)
    single.flat[np.ravel_multi_index([length // 2 for length in density.counts.shape], density.counts.shape)] = weight
    peak = float(_folded(replace(density, counts=single), width).max())
    return BOLTZMANN * density.temperature_K * float(np.log(_folded(density, width).max() / peak))


def _folded(density: Density, width: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    shape = np.array(density.counts.shape)
    lengths = np.linalg.norm(density.cell, axis=1)
    cosines = density.cell @ density.cell.T / np.outer(lengths, lengths)
    if not density.is_periodic or np.abs(cosines - np.eye(3)).max() < _ORTHOGONAL:
        mode = "wrap" if density.is_periodic else "constant"
        folded: np.ndarray = gaussian_filter(density.counts, width / (lengths / shape), mode=mode)
        return folded
    # along the edges of an oblique cell, one after the other, the Gaussian would not be round
    from scipy.fft import irfftn, rfftn

    a, b, c = (np.fft.fftfreq(count) for count in shape)
    squared = np.zeros(density.counts.shape)
    for axis in range(3):
        along = a[:, None, None] * density.cell[0, axis] + b[None, :, None] * density.cell[1, axis]
        squared += (along + c[None, None, :] * density.cell[2, axis]) ** 2
    kernel = np.where(squared <= (_CUT * width) ** 2, np.exp(-squared / (2 * width**2)), 0.0)
    kernel /= kernel.sum()
    counts: np.ndarray = irfftn(rfftn(density.counts) * rfftn(kernel), s=density.counts.shape)
    # rounding leaves noise, of either sign, where no atom ever was
    return np.where(counts > _ROUNDING * counts.max(), counts, 0.0)


def grid_shape(cell: np.ndarray, resolution: float) -> tuple[int, int, int]:
    """Voxels along each edge of a cell.

    Args:
        cell: shape (3, 3), Å, rows are its edges.
        resolution: Longest edge of a voxel, Å.

    Raises:
        InputError: for a grid too fine or too coarse.
    """
    if not 0.02 <= resolution <= 2:
        raise InputError("resolution", resolution, allowed="0.02 to 2 Å")
    edges = np.linalg.norm(cell, axis=1)
    a, b, c = (max(1, int(np.ceil(edge / resolution))) for edge in edges)
    if a * b * c > LARGEST_GRID:
        raise InputError(
            "resolution", resolution, problem=f"makes {a * b * c} voxels", allowed=f"at most {LARGEST_GRID}",
            hint="take a coarser grid",
        )  # fmt: skip
    return a, b, c


@numba.njit(cache=True)
def count_positions(fractional: np.ndarray, counts: np.ndarray) -> None:
    """Add one to the voxel of each position, wrapped into the cell."""
    for row in range(len(fractional)):
        a = int(np.floor((fractional[row, 0] % 1.0) * counts.shape[0])) % counts.shape[0]
        b = int(np.floor((fractional[row, 1] % 1.0) * counts.shape[1])) % counts.shape[1]
        c = int(np.floor((fractional[row, 2] % 1.0) * counts.shape[2])) % counts.shape[2]
        counts[a, b, c] += 1.0
