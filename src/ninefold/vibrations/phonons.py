"""Phonons from force constants: frequencies, soft modes, free energies, dispersion, density of states."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ninefold.thermo.harmonic import MEV_PER_THZ, HarmonicVibrations
from ninefold.vibrations.displacements import phonopy_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

THZ = 15.633302
"""THz of the square root of 1 eV/(Å² u): CODATA 2018."""
NOISE_THZ = 0.3
"""THz, 1.2 meV: an imaginary mode below it is noise. Forces of a single-precision potential are good to 1e-5 eV/Å; at a
displacement of 0.01 Å this is 1e-3 eV/Å² in the force constants, which by itself gives an atom of 1 to 4 u, as hydrogen
and the light ends of a soft mode are, 0.25 to 0.5 THz."""
SAME_THZ = 0.02
"""THz; points whose lowest frequencies are nearer than this, all of them, are points of one star."""
ACOUSTIC_THZ = 1e-3
"""THz; modes of a mesh below it are the three translations at Γ."""


@dataclass(frozen=True)
class ImaginaryMode:
    """A displacement that lowers the energy."""

    q: tuple[float, float, float]
    """In vectors of the primitive reciprocal cell."""
    frequency_meV: float
    """Negative: of an imaginary frequency, the modulus."""
    eigenvector: np.ndarray
    """shape (n_atoms, 3), complex, Cartesian: displacements of the primitive cell's atoms times the roots of their
    masses; those of another cell carry the phase exp(2 pi i q r), r the atom's position."""

    @property
    def is_at_gamma(self) -> bool:
        """Whether every cell moves alike."""
        return not any(self.q)


class Phonons:
    """Harmonic vibrations of one structure.

    Args:
        primitive: The primitive cell.
        matrix: Rows are vectors of the supercell in vectors of the primitive cell.
        force_constants: shape (n, n_super, 3, 3) or (n_super, n_super, 3, 3), eV/Å², as they came from forces: the sum
            rule and the symmetry of the pairs are not imposed yet.
    """

    def __init__(self, primitive: Structure, matrix: Sequence[Sequence[int]], force_constants: np.ndarray) -> None:
        self.primitive, self.matrix = primitive, tuple(tuple(row) for row in matrix)
        self.raw = np.asarray(force_constants, dtype=float)
        self._handle = phonopy_of(primitive, self.matrix)
        self._handle.force_constants = self.raw.copy()
        self.translation_THz = self._translation_frequency()
        self.noise_THz = max(NOISE_THZ, self.translation_THz)
        """Imaginary frequencies up to this are noise: the translations have it, and theirs are zero."""
        self._handle.symmetrize_force_constants(show_drift=False)

    @classmethod
    def from_bytes(cls, primitive: Structure, matrix: Sequence[Sequence[int]], content: bytes) -> Self:
        """The inverse of `to_bytes`."""
        return cls(primitive, matrix, np.load(io.BytesIO(content), allow_pickle=False))

    def to_bytes(self) -> bytes:
        """The force constants as a NumPy file: of the primitive cell's atoms with all of the supercell, eV/Å²."""
        buffer = io.BytesIO()
        np.save(buffer, self._compact(), allow_pickle=False)
        return buffer.getvalue()

    def frequencies(self, q: Sequence[float]) -> np.ndarray:
        """Frequencies at a point: shape (3 n_atoms,), THz, ascending; imaginary ones negative."""
        return self._modes(q)[0]

    def commensurate_points(self) -> np.ndarray:
        """The points that the supercell holds whole waves of: shape (n, 3), Γ first, one of q and -q.

        Only here are frequencies what the forces say; everywhere else they are interpolated.
        """
        matrix = np.array(self.matrix)
        size = abs(round(np.linalg.det(matrix)))
        inverse = np.linalg.inv(matrix)
        found: dict[tuple[int, ...], np.ndarray] = {}
        # whole multiples of the columns of the inverse make all of them: a group of `size` elements
        frontier = [np.zeros(3)]
        while frontier:
            q = frontier.pop()
            key = tuple(int(value) for value in np.rint(q * size) % size)
            if key in found:
                continue
            found[key] = np.array(key) / size
            frontier += [q + inverse[:, place] for place in range(3)]
        kept = [found[key] for key in sorted(found) if key <= tuple((-value) % size for value in key)]
        return np.array([(q + 0.5) % 1.0 - 0.5 if not np.allclose(q, 0.5) else q for q in kept])

    @functools.cached_property
    def imaginary_modes(self) -> list[ImaginaryMode]:
        """Imaginary modes at commensurate points, the most negative first; of points of one star one."""
        found: list[ImaginaryMode] = []
        seen: list[np.ndarray] = []
        for q in self.commensurate_points():
            frequencies, vectors = self._modes(q)
            unstable = np.flatnonzero(frequencies < -self.noise_THz)
            if not len(unstable):
                continue
            if any(np.abs(frequencies - other).max() < SAME_THZ for other in seen):
                continue
            seen.append(frequencies)
            point = (float(q[0]), float(q[1]), float(q[2]))
            found += [
                ImaginaryMode(point, float(frequencies[place]) * MEV_PER_THZ, vectors[:, place].reshape(-1, 3))
                for place in unstable
            ]
        return sorted(found, key=lambda mode: mode.frequency_meV)

    def vibrations(self, mesh_length: float) -> HarmonicVibrations:
        """The oscillators of a mesh of q-points.

        Args:
            mesh_length: See `PhononSettings`.
        """
        self._handle.run_mesh(self.mesh(mesh_length), is_gamma_center=True)
        mesh = self._handle.mesh
        return HarmonicVibrations.of_mesh(
            mesh.frequencies, mesh.weights, len(self.primitive), cutoff_THz=ACOUSTIC_THZ,
            n_imaginary=len(self.imaginary_modes),
        )  # fmt: skip

    def mesh(self, mesh_length: float) -> list[int]:
        """Points along each reciprocal vector, at least one."""
        heights = 1 / np.linalg.norm(np.linalg.inv(self.primitive.lattice.matrix), axis=0)
        return [max(1, round(mesh_length / float(height))) for height in heights]

    def along(self, points: np.ndarray) -> np.ndarray:
        """Frequencies along some points.

        Args:
            points: shape (n, 3), in vectors of the primitive reciprocal cell.

        Returns:
            shape (n, 3 n_atoms), meV; imaginary ones negative.
        """
        return np.array([self.frequencies(point) for point in points]) * MEV_PER_THZ

    def _modes(self, q: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Frequencies, THz, ascending, and eigenvectors by columns; at Γ the translations are exactly zero."""
        matrix = np.array(self._handle.get_dynamical_matrix_at_q(q))
        if not any(q):
            translations = self._translations()
            others = np.eye(len(matrix)) - translations @ translations.T
            matrix = others @ matrix @ others
        squares, vectors = np.linalg.eigh((matrix + matrix.conj().T) / 2)
        return np.sign(squares) * np.sqrt(np.abs(squares)) * THZ, vectors

    def _translations(self) -> np.ndarray:
        """Translations as unit vectors: shape (3 n_atoms, 3)."""
        roots = np.sqrt(self._masses())
        return np.kron((roots / np.linalg.norm(roots))[:, None], np.eye(3))

    def _translation_frequency(self) -> float:
        """Largest modulus of the frequencies of the translations before the sum rule is imposed, THz."""
        matrix = np.array(self._handle.get_dynamical_matrix_at_q([0.0, 0.0, 0.0])).real
        translations = self._translations()
        squares = np.linalg.eigvalsh(translations.T @ ((matrix + matrix.T) / 2) @ translations)
        return float(np.sqrt(np.abs(squares).max()) * THZ)

    def _masses(self) -> np.ndarray:
        return np.array(self._handle.primitive.masses)

    def _compact(self) -> np.ndarray:
        """Rows of the primitive cell's atoms alone."""
        constants, atoms = self.raw, self._handle.primitive.p2s_map
        return constants if len(constants) == len(atoms) else constants[np.asarray(atoms)]


def dense_path(primitive: Structure, step: float = 0.02) -> tuple[np.ndarray, np.ndarray, list[tuple[float, str]]]:
    """The path through the zone that is usual for a lattice: Setyawan & Curtarolo, doi:10.1016/j.commatsci.2010.05.010.

    Args:
        primitive: Any primitive cell.
        step: Between two points, 1/Å with 2π.

    Returns:
        Points, shape (n, 3), in vectors of this cell's reciprocal cell; their places along the path, shape (n,), 1/Å;
        places and names of the special points. A break in the path stands as one place with two names.
    """
    from ase.cell import Cell
    from ase.dft.kpoints import parse_path_string

    # ASE finds the lattice of a cell as it stands, and names its points in the vectors of that cell
    path: Any = Cell(primitive.lattice.matrix).bandpath()
    reciprocal = primitive.lattice.reciprocal_lattice.matrix
    points: list[np.ndarray] = []
    places: list[float] = []
    marks: list[tuple[float, str]] = []
    here = 0.0
    for names in parse_path_string(path.path):
        first = _plain(names[0])
        marks.append((here, f"{marks.pop()[1]}|{first}" if marks else first))
        for start, end in pairwise(names):
            a, b = np.array(path.special_points[start]), np.array(path.special_points[end])
            length = float(np.linalg.norm((b - a) @ reciprocal))
            for part in np.linspace(0, 1, max(2, round(length / step) + 1)):
                points.append(a + part * (b - a))
                places.append(here + part * length)
            here += length
            marks.append((here, _plain(end)))
    return np.array(points), np.array(places), marks


def _plain(name: str) -> str:
    return "Γ" if name == "G" else name
