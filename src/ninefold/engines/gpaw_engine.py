"""GPAW as an engine: plane-wave DFT behind the protocol of the potentials.

An energy is always that of `DFTSettings.cutoff` on a mesh of the cell it belongs to: a relaxation moves atoms and cell
at `relax_cutoff` and computes its end anew, so that `relax` and `evaluate` share a hull.

GPAW is free software under GPL-3 and no dependency of ninefold: `pip install 'ninefold[dft]'` (`make setup-dft`).
Source: Mortensen et al., J. Chem. Phys. 160, 092503 (2024), doi:10.1063/5.0182685.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from pymatgen.core import Structure

from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.base import Evaluation, Relaxation
from ninefold.engines.dft_settings import DFTSettings, read_dft_settings
from ninefold.engines.first_seen import FirstSeenCalculator
from ninefold.engines.gpaw_calculator import LADDER_VERSION, LadderCalculator
from ninefold.engines.paw_data import check_data_sets, data_checksum, data_sets
from ninefold.engines.settings import EngineSettings, RelaxSettings
from ninefold.engines.spin import forced_moments, starting_moments
from ninefold.errors import InputError, MissingDependencyError
from ninefold.paths import user_path

if TYPE_CHECKING:
    from ase import Atoms

MOLECULE_VOLUME = 200.0
"""Å³ per atom above which a cell is a molecule or an atom in a box; solid Cs, the loosest element, has 117 (CRC)."""


class GPAWEngine(ASEEngine):
    """Plane-wave DFT with GPAW.

    Args:
        settings: Of the calculations.
        title: Name of the preset or file that they come from, for people.

    Raises:
        MissingDependencyError: if GPAW or its data sets are not installed.
        InputError: if no PAW data sets are found, or the folder for the log is none.
    """

    def __init__(self, settings: DFTSettings, title: str = "") -> None:
        release = _installed_version()
        files = data_sets(_setup_folders(), "gpaw")
        self.settings = settings
        self._log = None if settings.log is None else log_folder(settings.log)
        self._notes: tuple[str, ...] = ()
        label = f"GPAW {release}, {settings.functional}, {settings.cutoff:g} eV"
        super().__init__(
            "gpaw",
            f"{label} ({title})" if title else label,
            None,
            (release, data_checksum(tuple(sorted(files.values()))), LADDER_VERSION, settings.method()),
            frozenset(files),
            evidence="DFT",
        )

    def calculator(self) -> Any:
        """A calculator for one structure as it moves: mesh and spin follow from the first geometry that it sees.

        Forces are those of `evaluate`, whose symmetry is lost after the first step.
        """

        def make(atoms: Atoms) -> LadderCalculator:
            from pymatgen.io.ase import AseAtomsAdaptor

            structure = AseAtomsAdaptor.get_structure(atoms)
            self._check([structure])
            return self._made_for(structure, self.settings.cutoff, "dynamics")

        return FirstSeenCalculator(make)

    def check_elements(self, symbols: Iterable[str]) -> None:
        """Refuse elements without a PAW data set.

        Raises:
            InputError: naming them, and where a data set is looked for.
        """
        check_data_sets(list(symbols), self.elements or frozenset(), _setup_folders(), "gpaw")

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """See `Engine.evaluate`.

        Raises:
            InputError: if an element has no PAW data set, before anything is computed.
        """
        self._check(structures)
        return super().evaluate(structures)

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """See `Engine.relax`.

        Raises:
            InputError: as `evaluate`.
        """
        self._check(structures)
        return super().relax(structures, settings)

    def _check(self, structures: Sequence[Structure]) -> None:
        for structure in structures:
            if structure.is_ordered:  # disorder is the structure's own error
                self.check_elements(site.specie.symbol for site in structure)

    def _evaluate(self, structure: Structure) -> Evaluation:
        self._use(structure, self.settings.cutoff, "energy")
        result = super()._evaluate(structure)
        return replace(result, notes=self._take_notes())

    def _relax(self, structure: Structure, settings: RelaxSettings) -> Relaxation:
        self._use(structure, self.settings.relax_cutoff, "relax")
        relaxation = super()._relax(structure, settings)
        notes = self._take_notes()
        if relaxation.error is not None:
            return replace(relaxation, notes=notes)
        end = self._evaluate(relaxation.structure)
        notes = tuple(dict.fromkeys((*notes, *end.notes)))
        seconds = relaxation.core_seconds + end.core_seconds
        if end.error is not None:
            return Relaxation(
                structure, None, np.inf, np.inf, relaxation.steps, False, seconds,
                f"energy of the relaxed structure: {end.error}", end.is_transient, notes,
            )  # fmt: skip
        return replace(
            relaxation, energy_per_atom=end.energy_per_atom, forces=end.forces, stress=end.stress,
            core_seconds=seconds, notes=notes,
        )  # fmt: skip

    def _use(self, structure: Structure, cutoff: float, purpose: str) -> None:
        self._calculator = self._made_for(structure, cutoff, purpose)

    def _made_for(self, structure: Structure, cutoff: float, purpose: str) -> LadderCalculator:
        """The calculator of one structure: mesh and spin follow from it and stay while its cell moves."""
        settings = self.settings
        return LadderCalculator(
            settings, cutoff, kpoint_mesh(structure, settings.kpoint_density),
            None if not structure.is_ordered else self._moments(structure), is_lone_atom(structure),
            None if self._log is None else _log_file(self._log, structure, purpose),
        )  # fmt: skip

    def _moments(self, structure: Structure) -> list[float] | None:
        symbols = [site.specie.symbol for site in structure]
        if self.settings.spin == "none" or is_lone_atom(structure):
            return None  # of an atom, Hund's rule gives the moment
        return forced_moments(symbols) if self.settings.spin == "polarised" else starting_moments(symbols)

    def _take_notes(self) -> tuple[str, ...]:
        calculator, self._calculator = self._calculator, None  # its memory is freed
        return tuple(calculator.notes)


def gpaw(settings: EngineSettings) -> GPAWEngine:
    """The engine; `engine.model` is a preset of `configs/dft/` or a file of settings."""
    return GPAWEngine(read_dft_settings(settings.model), Path(settings.model or "").stem)


def kpoint_mesh(structure: Structure, density: float) -> tuple[int, int, int]:
    """Points along each reciprocal vector; Γ alone for a molecule or an atom in a box.

    Args:
        structure: Any.
        density: Points per 1/Å, of reciprocal vectors with 2π.
    """
    if is_molecule(structure):
        return (1, 1, 1)
    first, second, third = structure.lattice.reciprocal_lattice.abc
    # two cells alike but for noise get one mesh
    return tuple(max(1, int(np.ceil(density * length - 1e-3))) for length in (first, second, third))  # type: ignore[return-value]


def is_molecule(structure: Structure) -> bool:
    """Whether a cell is a box around a molecule or an atom."""
    return bool(structure.volume > MOLECULE_VOLUME * len(structure))


def is_lone_atom(structure: Structure) -> bool:
    """Whether a cell is a box around one atom."""
    return len(structure) == 1 and is_molecule(structure)


def _installed_version() -> str:
    """GPAW's version.

    Raises:
        MissingDependencyError: if it is not installed.
        InputError: if its compiled part cannot be loaded.
    """
    try:
        import gpaw.cgpaw  # noqa: F401  # the compiled part, which needs the system's libraries

        return version("gpaw")
    except (ModuleNotFoundError, PackageNotFoundError) as error:
        missing = (error.name or "gpaw").split(".")[0]
        raise MissingDependencyError("engine.name", "gpaw", missing, "dft" if missing == "gpaw" else None) from error
    except ImportError as error:
        raise InputError(
            "engine.name", "gpaw", problem=f"cannot be loaded: {(str(error).splitlines() or [''])[0][:120]}",
            hint="install the system's packages that docs/engines.md names and build it again: "
            "pip install --force-reinstall --no-deps --no-binary gpaw gpaw",
        ) from error  # fmt: skip


def _setup_folders() -> list[Path]:
    import gpaw as package

    return [Path(folder) for folder in package.setup_paths]


def log_folder(name: str) -> Path:
    """The folder for a code's own output, made if need be.

    Raises:
        InputError: if it cannot be made.
    """
    folder = user_path(name, "engine.model: log")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _refuse_log(name, error)
    return folder


def _refuse_log(name: str, error: OSError) -> NoReturn:
    raise InputError(
        "engine.model: log", name, problem=f"cannot be made: {error.strerror}", allowed="a folder"
    ) from error


def _log_file(folder: Path, structure: Structure, purpose: str) -> Path:
    from ninefold.keys import structure_key

    key = structure_key(structure.lattice.matrix, [str(site.species) for site in structure], structure.frac_coords)
    return folder / f"{structure.composition.reduced_formula}-{key[:12]}-{purpose}.txt"
