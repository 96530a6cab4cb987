"""The lower convex hull of energies over compositions, as planes.

The hull at a composition is the highest of the planes through its lower facets: one
`scipy.spatial.ConvexHull` and a matrix product answer for any number of compositions. Its lower
facets hang from the corners (one per component) and from an apex far above, which keeps the hull
full-dimensional when there is nothing but corners.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

TIE = 1e-8
"""eV/atom; planes this close to the highest are the same facet, cut in simplices."""


class LowerHull:
    """The lower hull of points over a simplex of compositions.

    Args:
        fractions: shape (n_points, n_components), fractions of the components, rows sum to 1.
        energies: shape (n_points,), per atom or whatever the fractions count, any unit.

    Raises:
        ValueError: if a component has no point of its own: the hull would not cover the simplex.
    """

    def __init__(self, fractions: NDArray[np.float64], energies: NDArray[np.float64]) -> None:
        self.components = fractions.shape[1]
        corners = []
        for component in range(self.components):
            pure = np.flatnonzero(fractions[:, component] > 1 - 1e-12)
            if not len(pure):
                raise ValueError(f"no point for component {component}")
            corners.append(pure[np.argmin(energies[pure])])
        self.corner_energies = energies[corners]
        """shape (n_components,), of the lowest point of each component."""
        heights = energies - fractions @ self.corner_energies
        below = np.flatnonzero(heights < -1e-12)
        self._points = np.array([*corners, *below], dtype=int)
        """Indices of the points that can be on the hull, corners first."""
        self._fractions = fractions[self._points]
        heights = np.concatenate([np.zeros(self.components), heights[below]])
        if self.components == 1 or not len(below):
            self._planes = np.zeros((1, self.components))
            self._simplices = np.arange(self.components)[None, :]
            return
        coordinates = np.column_stack([self._fractions[:, 1:], heights])
        apex = np.append(np.full(self.components - 1, 1 / self.components), 1 - heights.min())
        hull = ConvexHull(np.vstack([coordinates, apex]))
        floor = np.flatnonzero((hull.equations[:, -2] < 0) & ~(hull.simplices == len(coordinates)).any(axis=1))
        # a facet whose corners all lack one component is a wall of the simplex, whatever its normal's noise
        floor = floor[(self._fractions[hull.simplices[floor]].max(axis=1) > 1e-12).all(axis=1)]
        slopes = -hull.equations[floor, :-2] / hull.equations[floor, -2:-1]
        offsets = -hull.equations[floor, -1] / hull.equations[floor, -2]
        # a plane as one value per component: height = fractions @ plane
        self._planes = np.column_stack([np.zeros(len(offsets)), slopes]) + offsets[:, None]
        self._simplices = hull.simplices[floor]

    def energy(self, fractions: NDArray[np.float64]) -> NDArray[np.float64]:
        """The hull's energy.

        Args:
            fractions: shape (n, n_components).

        Returns:
            shape (n,).
        """
        result: NDArray[np.float64] = fractions @ self.corner_energies + (fractions @ self._planes.T).max(axis=1)
        return result

    def decompose(self, fractions: NDArray[np.float64]) -> dict[int, float]:
        """The points whose mixture has the hull's energy at one composition.

        Args:
            fractions: shape (n_components,).

        Returns:
            Index of the point -> its share; the shares are positive and sum to 1.
        """
        heights = self._planes @ fractions
        best: NDArray[np.float64] | None = None
        for facet in np.flatnonzero(heights > heights.max() - TIE):
            vertices = self._simplices[facet]
            shares, *_ = np.linalg.lstsq(self._fractions[vertices].T, fractions, rcond=None)
            if best is None or shares.min() > best.min():
                best, simplex = shares, vertices
        assert best is not None
        return {
            int(self._points[vertex]): float(share) for vertex, share in zip(simplex, best, strict=True) if share > 1e-9
        }

    @property
    def vertices(self) -> frozenset[int]:
        """Indices of the points on the hull."""
        return frozenset(int(index) for index in self._points[np.unique(self._simplices)])

    @property
    def facets(self) -> list[tuple[int, ...]]:
        """Indices of the points at the corners of each facet, facets of more corners cut into simplices."""
        return [tuple(int(index) for index in self._points[simplex]) for simplex in self._simplices]


def fractions_of(amounts: Mapping[str, float], components: tuple[str, ...]) -> NDArray[np.float64]:
    """Atom fractions, shape (n_components,), in the order of the components."""
    values = np.array([amounts.get(component, 0.0) for component in components])
    fractions: NDArray[np.float64] = values / values.sum()
    return fractions
