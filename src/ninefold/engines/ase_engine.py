"""Any ASE calculator as an engine: evaluation, relaxation, and the guards around both.

A relaxation stops as failed when energies or forces stop being numbers, forces explode, atoms
fall into each other or the volume runs away: what comes after that is not physics of the compound.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import GPa
from pymatgen.core import Structure

from ninefold.engines.base import RELAXATION_VERSION, CalculationError, Evaluation, Relaxation, is_transient
from ninefold.engines.settings import EngineSettings, RelaxSettings
from ninefold.engines.unfinished import Unfinished
from ninefold.errors import InputError
from ninefold.keys import content_key, structure_key
from ninefold.models.evidence import Evidence

MAX_FORCE = 1e3
"""eV/Å; beyond this the structure is exploding."""
MIN_DISTANCE = 0.5
"""Å; the shortest bond of chemistry, H-H, is 0.74 Å."""
VOLUME_RATIO = (0.3, 3.0)
"""Volume over its start beyond which a relaxation has run away."""
MAX_STEP = 0.1
"""Å per atom, and strain, in one step."""
SYMMETRY_TOLERANCE = 1e-3
"""Å; at which the symmetry to keep is found."""


class ASEEngine:
    """An engine around an ASE calculator.

    Args:
        name: Engine name.
        label: Name and version, for people.
        calculator: The calculator; its `implemented_properties` must have energy, forces and stress.
        parts: What the fingerprint is made of, besides the name.
        elements: Symbols that the engine knows; None for all.
        evidence: Evidence level of its energies.
    """

    batch = 1

    def __init__(
        self,
        name: str,
        label: str,
        calculator: Any,
        parts: tuple[Any, ...],
        elements: frozenset[str] | None = None,
        evidence: Evidence = "ML",
    ) -> None:
        self.evidence = evidence
        self.name, self.label, self._calculator, self.elements = name, label, calculator, elements
        self.fingerprint = content_key(name, *parts)

    def calculator(self) -> Any:
        """The ASE calculator, for what needs one: phonons, molecular dynamics. It is one for all callers."""
        return self._calculator

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """See `Engine.evaluate`."""
        return [self._evaluate(structure) for structure in structures]

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """See `Engine.relax`."""
        with warnings.catch_warnings():
            # the logarithm of a strain is good to 2e-13 where scipy starts to warn
            warnings.filterwarnings("ignore", message="logm result may be inaccurate")
            return [self._relax(structure, settings) for structure in structures]

    def _evaluate(self, structure: Structure) -> Evaluation:
        start = time.process_time()
        try:
            atoms = self._atoms(structure)
            energy, forces = _checked(atoms)
            stress = atoms.get_stress(voigt=False)
        except Exception as error:  # whatever a calculator raises is this structure's fate, not the batch's
            return Evaluation.failed(error, time.process_time() - start)
        return Evaluation(energy / len(atoms), forces, stress, time.process_time() - start)

    def _relax(self, structure: Structure, settings: RelaxSettings) -> Relaxation:
        steps, atoms, volume = 0, None, structure.volume
        kept = Unfinished(lambda: self._relaxation_key(structure, settings))
        try:
            atoms = self._atoms(structure)
            if kept.is_new:
                _checked(atoms)
            optimizer = _optimizer(atoms, settings)
            volume = atoms.get_volume()
            steps = kept.restore(atoms, optimizer)
            is_converged = False
            with np.errstate(all="ignore"):  # a Hessian gone wrong shows in the geometry
                for is_converged in optimizer.irun(  # noqa: B007  # read after
                    fmax=settings.fmax, steps=settings.max_steps - steps
                ):
                    energy, forces = _checked(atoms)
                    check_geometry(atoms, atoms.get_volume() / volume)
                    steps = optimizer.get_number_of_steps()
                    kept.keep(atoms, optimizer)
            stress = atoms.get_stress(voigt=False)
            residual = stress / GPa + settings.pressure * np.eye(3)
        except Exception as error:  # as above
            cause = _cause(error, atoms, volume)
            kept.forget()
            return Relaxation.failed(structure, cause, steps, kept.core_seconds())
        kept.forget()
        relaxed = Structure(atoms.cell.array, structure.species, atoms.get_scaled_positions())
        return Relaxation(
            structure=relaxed,
            energy_per_atom=energy / len(atoms),
            max_force=float(np.linalg.norm(forces, axis=1).max()),
            max_stress=float(np.abs(residual).max()) if settings.relax_cell else 0.0,
            steps=steps,
            is_converged=bool(is_converged),
            core_seconds=kept.core_seconds(),
            forces=forces,
            stress=stress,
        )

    def _relaxation_key(self, structure: Structure, settings: RelaxSettings) -> str:
        species = [str(site.species) for site in structure]
        geometry = structure_key(structure.lattice.matrix, species, structure.frac_coords)
        plain = settings.model_dump(mode="json")
        return content_key("unfinished", self.fingerprint, geometry, plain, RELAXATION_VERSION)

    def _atoms(self, structure: Structure) -> Atoms:
        atoms = atoms_of(structure, self.elements)
        atoms.calc = self._calculator
        return atoms


def atoms_of(structure: Structure, elements: frozenset[str] | None) -> Atoms:
    """A structure that an engine may compute, as ASE has it.

    Args:
        structure: Any.
        elements: Symbols that the engine knows; None for all.

    Raises:
        CalculationError: if it is disordered, holds another element, or its atoms overlap.
    """
    if not structure.is_ordered:
        raise CalculationError("disordered structure")
    symbols = [site.specie.symbol for site in structure]
    if elements is not None and (unknown := sorted({*symbols} - elements)):
        raise CalculationError(f"element unknown to the engine: {', '.join(unknown)}")
    atoms = Atoms(symbols, cell=structure.lattice.matrix, scaled_positions=structure.frac_coords, pbc=True)
    check_geometry(atoms, 1.0)
    return atoms


def _cause(error: Exception, atoms: Atoms | None, volume: float) -> Exception:
    """The geometry, where it has left what an engine need compute; else the error as it came.

    An optimizer asks for forces before its step can be looked at. On atoms that fall together or fly apart a
    calculator may run out of memory or fail anywhere: that is the structure's, and would come again.

    Args:
        error: What the calculator or the optimizer raised.
        atoms: As they stand; None if they could not be made.
        volume: At the start, Å³.
    """
    if atoms is None or not is_transient(error):
        return error
    if str(error).startswith("FixSymmetry"):  # ASE's word for a step too long to stay symmetric
        return CalculationError("optimizer failed: a step too long to keep the symmetry")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        return CalculationError("positions are not numbers")
    try:
        check_geometry(atoms, atoms.get_volume() / volume)
    except CalculationError as fault:
        return fault
    return error


def _optimizer(atoms: Atoms, settings: RelaxSettings) -> Any:
    from ase.constraints import FixSymmetry
    from ase.optimize import BFGS

    from ninefold.engines.cell_bfgs import SPRING, CellBFGS, CellFilter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if settings.keep_symmetry:
            atoms.set_constraint(FixSymmetry(atoms, symprec=SYMMETRY_TOLERANCE))
        if not settings.relax_cell:
            return BFGS(atoms, logfile=None, maxstep=MAX_STEP, alpha=SPRING)
        cell = CellFilter(atoms, exp_cell_factor=1.0, scalar_pressure=settings.pressure * GPa)
        return CellBFGS(cell, maxstep=MAX_STEP)


def _checked(atoms: Atoms) -> tuple[float, np.ndarray]:
    """Energy (eV) and forces (n, 3) (eV/Å), if they are numbers and not exploding."""
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        raise CalculationError("energy or forces are not numbers")
    if np.abs(forces).max() > MAX_FORCE:
        raise CalculationError("forces explode")
    return float(energy), forces


def check_geometry(atoms: Atoms, volume_ratio: float) -> None:
    """Refuse a cell that runs away or atoms that overlap.

    Raises:
        CalculationError: with the reason.
    """
    if not VOLUME_RATIO[0] <= volume_ratio <= VOLUME_RATIO[1]:
        raise CalculationError("volume runs away")
    if atoms.get_volume() < len(atoms):
        raise CalculationError("cell smaller than 1 Å³ per atom")
    distances = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)]
    if min(distances.min(initial=np.inf), atoms.cell.lengths().min()) < MIN_DISTANCE:
        raise CalculationError("atoms overlap")


def emt(settings: EngineSettings) -> ASEEngine:
    """ASE's effective medium theory: a few metals, H, C, N, O; fast, for tests, no chemistry."""
    from ase.calculators.emt import EMT, parameters

    _no_model(settings)
    return ASEEngine("emt", "ASE EMT", EMT(), (), frozenset(parameters), evidence="test")


def lennard_jones(settings: EngineSettings) -> ASEEngine:
    """One Lennard-Jones potential for every element: for tests, no chemistry."""
    from ase.calculators.lj import LennardJones

    _no_model(settings)
    parameters = {"sigma": 1.8, "epsilon": 0.1, "rc": 5.0, "smooth": True}
    return ASEEngine("lj", "Lennard-Jones", LennardJones(**parameters), (parameters,), evidence="test")


def _no_model(settings: EngineSettings) -> None:
    if settings.model is not None:
        raise InputError("engine.model", settings.model, problem=f"is not a model of {settings.name}", allowed="none")
