"""CHGNet as an engine, on a leaner path than the package's own calculator.

The shipped calculator differentiates twice and keeps the graph for a second derivative, which only
training needs. Here forces and stress come from one backward pass with frozen weights: the same
numbers at about half the time and a third of the memory.

Source of the model: Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3.
Its energies follow Materials Project's 2020 corrections and must not meet other engines' on one hull.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress
from pymatgen.core import Structure

from ninefold.engines.ase_engine import ASEEngine, CalculationError
from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError

MODELS = ("0.3.0", "0.2.0", "r2scan")
"""Weights inside the chgnet package."""
LAST_ELEMENT = 94
"""CHGNet embeds H (1) to Pu (94)."""


class CHGNetEngine(ASEEngine):
    """CHGNet with the weights that come inside its package.

    Raises:
        InputError: on an unknown model.
    """

    def __init__(self, settings: EngineSettings) -> None:
        model = settings.model or MODELS[0]
        if model not in MODELS:
            raise InputError("engine.model", model, problem="is not a CHGNet model", allowed=", ".join(MODELS))
        from ase.data import chemical_symbols

        super().__init__(
            "chgnet",
            f"CHGNet {model}",
            _LeanCalculator(model),
            (version("chgnet"), model, _weight_checksum(model)),
            frozenset(chemical_symbols[1 : LAST_ELEMENT + 1]),
        )
        self.zero_point = "none" if model == "r2scan" else "included"
        """Of `Method`: energies with Materials Project's corrections, which were fitted to enthalpies at 298 K."""


class _LeanCalculator(Calculator):
    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        assert atoms is not None
        structure = Structure(atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions())
        energy, forces, stress = energy_forces_stress(structure, self._model)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "stress": full_3x3_to_voigt_6_stress((stress + stress.T) / 2),
        }


def energy_forces_stress(structure: Structure, model: str = MODELS[0]) -> tuple[float, np.ndarray, np.ndarray]:
    """One forward and one backward pass.

    Returns:
        Energy of the cell (eV), forces (n, 3) (eV/Å), stress (3, 3) (eV/Å³).

    Raises:
        CalculationError: if an atom has no neighbour within the model's cutoff, where CHGNet would
            only warn and return a number.
    """
    import torch
    from chgnet.model.model import BatchedGraph

    network = _network(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = network.graph_converter(structure)
        except ValueError as error:
            raise CalculationError(f"no graph: {str(error)[:80]}") from error
    neighbours = np.bincount(graph.atom_graph.reshape(-1, 2)[:, 0].numpy(), minlength=len(structure))
    if (neighbours == 0).any():
        raise CalculationError("isolated atom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package reads its volumes off tensors that carry gradients
        batch = BatchedGraph.from_graphs(
            [graph],
            bond_basis_expansion=network.bond_basis_expansion,
            angle_basis_expansion=network.angle_basis_expansion,
            compute_stress=True,
        )
    energy = network._compute(batch)["e"] * (len(structure) if network.is_intensive else 1)
    position_gradient, strain_gradient = torch.autograd.grad(energy.sum(), [batch.atom_positions[0], batch.strains[0]])
    reference = network.composition_model([graph]) if network.composition_model is not None else torch.zeros(1)
    reference = reference * (len(structure) if network.is_intensive else 1)
    return (
        float(energy.detach() + reference.detach()),
        -position_gradient.numpy().astype(float),
        (strain_gradient / batch.volumes[0]).numpy().astype(float),
    )


@functools.cache
def _network(model: str) -> Any:
    """The model, loaded once per process, weights frozen, on one thread."""
    import torch
    from chgnet.model import CHGNet

    torch.set_num_threads(1)
    with contextlib.redirect_stdout(io.StringIO()):  # the package announces itself on standard output
        network = CHGNet.load(model_name=model, use_device="cpu", verbose=False)
    network.eval()
    network.requires_grad_(False)
    network.graph_converter.set_isolated_atom_response("ignore")
    return network


def _weight_checksum(model: str) -> str:
    import chgnet

    [weights] = (Path(chgnet.__file__).parent / "pretrained" / model).glob("*.pth.tar")
    return hashlib.sha256(weights.read_bytes()).hexdigest()
