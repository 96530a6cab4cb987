"""A model of torch-sim as an engine.

Batches are fitted to the device's memory; criterion and guards are those of `ase_engine`; steps are L-BFGS on
positions and the logarithm of the deformation. (Not torch-sim's BFGS: in 0.6.2 it leaves the cell of all but the
largest structures of a batch where it is.)
"""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from ase.units import GPa
from pymatgen.core import Structure

from ninefold.engines.ase_engine import (
    MAX_FORCE,
    SYMMETRY_TOLERANCE,
    CalculationError,
    atoms_of,
    check_geometry,
)
from ninefold.engines.base import Evaluation, Relaxation
from ninefold.engines.device_memory import AtomLimit, MemoryLimit, Sized, is_out_of_memory
from ninefold.engines.settings import RelaxSettings
from ninefold.keys import content_key
from ninefold.models.evidence import Evidence

CHECKED_EVERY = 2
"""Steps between two looks at who has converged; torch-sim exchanges structures then."""

BATCH = 256
"""Structures handed over at once; torch-sim fits them to the memory of the device."""


class TorchSimEngine:
    """A torch-sim model as an engine.

    Args:
        label: Name and version, for people.
        model: A torch-sim model with forces and stress.
        parts: What the fingerprint is made of, besides the name.
        elements: Symbols that the model knows; None for all.
        evidence: Evidence level of its energies.
        memory: What a batch may take of the device; by default measured with the first structures, once.
    """

    name = "torchsim"
    batch = BATCH

    def __init__(
        self,
        label: str,
        model: Any,
        parts: tuple[Any, ...],
        elements: frozenset[str] | None,
        evidence: Evidence = "ML",
        memory: MemoryLimit | AtomLimit | None = None,
    ) -> None:
        self.label, self.evidence = label, evidence
        self.fingerprint = content_key(self.name, version("torch-sim-atomistic"), *parts)
        self._model, self._elements = model, elements
        self._memory = memory or memory_limit(model)

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """See `Engine.evaluate`."""
        start = time.process_time()
        good, results = self._sorted_out(structures, self._no_evaluation)
        if good:
            try:
                found = self._fitting([atoms for _, atoms in good], self._static_batch)
            except Exception as error:  # one that spoils a batch is found by halving it
                return self._in_halves(self.evaluate, structures, self._no_evaluation, error)
            seconds = (time.process_time() - start) / len(good)
            for (index, atoms), item in zip(good, found, strict=True):
                energy = float(item["potential_energy"].reshape(-1)[0])
                forces = item["forces"].detach().cpu().numpy().astype(float)
                stress = item["stress"].detach().cpu().numpy().astype(float).reshape(3, 3)
                fault = _fault(energy, forces)
                results[index] = (
                    self._no_evaluation(structures[index], seconds, CalculationError(fault))
                    if fault
                    else Evaluation(energy / len(atoms), forces, stress, seconds)
                )
        return [results[index] for index in range(len(structures))]

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """See `Engine.relax`."""
        start = time.process_time()
        good, results = self._sorted_out(structures, self._no_relaxation)
        if good:
            try:
                relaxed = self._fitting(
                    [atoms for _, atoms in good], lambda state, limit: self._relax_batch(state, limit, settings)
                )
            except Exception as error:  # as above
                return self._in_halves(lambda some: self.relax(some, settings), structures, self._no_relaxation, error)
            seconds = (time.process_time() - start) / len(good)
            for (index, _), outcome in zip(good, relaxed, strict=True):
                results[index] = self._relaxation(structures[index], outcome, settings, seconds)
        return [results[index] for index in range(len(structures))]

    def _fitting(self, batch: list[Any], compute: Callable[[Any, float], list[Any]]) -> list[Any]:
        """Results of `compute(state, limit)` for a batch of atoms, with a smaller limit while memory runs out.

        Args:
            batch: ASE's atoms.
            compute: Takes a state of torch-sim and the largest metric that may be on the device at once.
        """
        import torch_sim
        from torch_sim.autobatching import calculate_memory_scalers

        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                state = torch_sim.initialize_state(batch, self._model.device, self._model.dtype)
                metrics = calculate_memory_scalers(state, self._model.memory_scales_with)
                sized = [
                    Sized(functools.partial(state.__getitem__, index), len(atoms), float(metric))
                    for index, (atoms, metric) in enumerate(zip(batch, metrics, strict=True))
                ]
                limit = self._memory.of_batch(sized)
                try:
                    return compute(state, limit)
                except Exception as error:
                    if not (is_out_of_memory(error) and self._memory.halve(sized)):
                        raise

    def _static_batch(self, state: Any, limit: float) -> list[dict[str, Any]]:
        """Properties of each system of a state, as torch-sim names them."""
        import torch_sim
        from torch_sim.autobatching import BinningAutoBatcher

        batcher = BinningAutoBatcher(
            self._model, memory_scales_with=self._model.memory_scales_with, max_memory_scaler=limit
        )
        found: list[dict[str, Any]] = torch_sim.static(state, self._model, autobatcher=batcher)
        return found

    def _relax_batch(self, state: Any, limit: float, settings: RelaxSettings) -> list[tuple[Any, int, Any, Any]]:
        """Final atoms, steps, forces (n, 3) and stress (3, 3) of each system of a state."""
        import torch_sim
        from torch_sim.autobatching import InFlightAutoBatcher
        from torch_sim.constraints import FixSymmetry

        if settings.keep_symmetry:
            state.constraints = [FixSymmetry.from_state(state, symprec=SYMMETRY_TOLERANCE, refine_symmetry_state=False)]
        steps = np.zeros(state.n_systems, dtype=int)
        batcher = InFlightAutoBatcher(
            self._model, memory_scales_with=self._model.memory_scales_with, max_memory_scaler=limit
        )

        def converged(state: Any, last_energy: Any = None) -> Any:
            steps[np.asarray(batcher.current_idx)] += CHECKED_EVERY
            return _residual(state, settings) <= settings.fmax

        options: dict[str, Any] = {}
        if settings.relax_cell:
            options = {"cell_filter": torch_sim.CellFilter.frechet, "scalar_pressure": settings.pressure * GPa}
        final = torch_sim.optimize(
            state, self._model, optimizer=torch_sim.Optimizer.lbfgs, convergence_fn=converged,
            max_steps=max(settings.max_steps, 1), steps_between_swaps=CHECKED_EVERY, autobatcher=batcher,
            init_kwargs=options,
        )  # fmt: skip
        outcomes = []
        for index, one in enumerate(final.split()):
            [atoms] = one.to_atoms()
            atoms.info["energy"] = float(one.energy.reshape(-1)[0])
            outcomes.append(
                (
                    atoms,
                    int(steps[index]),
                    one.forces.detach().cpu().numpy().astype(float),
                    one.stress.detach().cpu().numpy().astype(float).reshape(3, 3),
                )
            )
        return outcomes

    def _relaxation(
        self, start: Structure, outcome: tuple[Any, int, Any, Any], settings: RelaxSettings, seconds: float
    ) -> Relaxation:
        atoms, steps, forces, stress = outcome
        energy = atoms.info["energy"]
        fault = _fault(energy, forces)
        try:
            if fault:
                raise CalculationError(fault)
            check_geometry(atoms, atoms.get_volume() / start.volume)
        except CalculationError as error:
            return self._no_relaxation(start, seconds, error)
        residual = stress / GPa + settings.pressure * np.eye(3)
        virial = float(np.linalg.norm(residual * GPa, axis=1).max()) * atoms.get_volume() / len(atoms)
        largest = float(np.linalg.norm(forces, axis=1).max())
        return Relaxation(
            structure=Structure(atoms.cell.array, start.species, atoms.get_scaled_positions()),
            energy_per_atom=energy / len(atoms),
            max_force=largest,
            max_stress=float(np.abs(residual).max()) if settings.relax_cell else 0.0,
            steps=min(steps, settings.max_steps),
            is_converged=bool(max(largest, virial if settings.relax_cell else 0.0) <= settings.fmax),
            core_seconds=seconds,
            forces=forces,
            stress=stress,
        )

    def _sorted_out(self, structures: Sequence[Structure], refuse: Any) -> tuple[list[tuple[int, Any]], dict[int, Any]]:
        """Those that can be computed, with their places; and results for those that cannot."""
        good, results = [], {}
        for index, structure in enumerate(structures):
            try:
                good.append((index, atoms_of(structure, self._elements)))
            except CalculationError as error:
                results[index] = refuse(structure, 0.0, error)
        return good, results

    @staticmethod
    def _in_halves(compute: Any, structures: Sequence[Structure], refuse: Any, error: Exception) -> list[Any]:
        if len(structures) == 1:
            return [refuse(structures[0], 0.0, error)]
        middle = len(structures) // 2
        return [*compute(structures[:middle]), *compute(structures[middle:])]

    @staticmethod
    def _no_evaluation(structure: Structure, seconds: float, error: Exception) -> Evaluation:
        return Evaluation.failed(error, seconds)

    @staticmethod
    def _no_relaxation(structure: Structure, seconds: float, error: Exception) -> Relaxation:
        return Relaxation.failed(structure, error, core_seconds=seconds)


def memory_limit(model: Any) -> MemoryLimit | AtomLimit:
    """What a batch may take of the device of a model of torch-sim."""
    if model.device.type == "cpu":
        return AtomLimit()
    return MemoryLimit(functools.partial(_peak_memory, model), _free_memory)


def _peak_memory(model: Any, system: Callable[[], Any], count: int) -> float:
    """Memory that an evaluation of copies of a system takes, bytes; it is given back to the device after it."""
    import torch
    import torch_sim

    before = _free_memory()
    allocated = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    try:
        model(torch_sim.concatenate_states([system()] * count))
        torch.cuda.synchronize()
        # neighbour lists may come from allocators that torch does not count
        return max(torch.cuda.max_memory_allocated() - allocated, before - torch.cuda.mem_get_info()[0])
    finally:
        torch.cuda.empty_cache()


def _free_memory() -> float:
    """Memory of the CUDA device that can be had, bytes."""
    import torch

    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    return float(torch.cuda.mem_get_info()[0])


def _residual(state: Any, settings: RelaxSettings) -> Any:
    """Largest force on an atom, or row of the virial per atom with the external pressure, of each system, eV/Å."""
    import torch
    import torch_sim

    force = torch_sim.system_wise_max_force(state)
    if not settings.relax_cell:
        return force
    volume = torch.linalg.det(state.cell).abs()
    pressure = settings.pressure * GPa * torch.eye(3, device=state.device, dtype=state.dtype)
    rows = torch.linalg.norm(state.stress + pressure, dim=2).max(dim=1).values
    return torch.maximum(force, rows * volume / state.n_atoms_per_system)


def _fault(energy: float, forces: np.ndarray) -> str | None:
    if not (np.isfinite(energy) and np.isfinite(forces).all()):
        return "energy or forces are not numbers"
    return "forces explode" if np.abs(forces).max() > MAX_FORCE else None
