"""Stages of the user's tried on one compound before anything is computed: what is misspelt is told at once.

The compound is Mg2FeH6 as published, nine atoms, and a stub stands in for the engine, so that a stage that asks for an
energy has one in no time.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError
from ninefold.stages.own import CandidateStage, own_stage, values_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.base import Evaluation, Relaxation
    from ninefold.engines.settings import RelaxSettings
    from ninefold.models.evidence import Evidence

PHASE = "Mg2FeH6 K2PtCl6"
"""Reference phase whose published structure is handed to the stages."""
ROW: dict[str, Any] = {
    "formula": "Mg2FeH6", "anion": "[FeH6]4-", "label": "Mg2FeH6 = [FeH6]4-", "chemical_system": "Fe-H-Mg",
    "elements": ["Fe", "H", "Mg"], "centre": "Fe", "cations": ["Mg"], "cation_counts": {"Mg": 2}, "group": 8, "n": 6,
    "q": 4, "m": 0, "electron_count": 18, "oxidation_state": 2, "energy_per_atom": -4.0, "space_group_number": 225,
    "space_group_symbol": "Fm-3m", "nsites": 9, "volume_per_formula_unit": 66.87, "volume_ratio": 1.0,
    "coordination_numbers": [6], "shortest_m_h": 1.56, "shortest_h_h": 2.21, "shortest_m_m": 4.55,
    "shortest_m_interstitial": None, "max_force": 0.005, "is_converged": True, "source": "known_types",
    "structure_type": "K2PtCl6", "is_valid": True, "notes": [],
}  # fmt: skip
"""What a stage is told of a candidate, of this one."""


class StubEngine:
    """An engine that knows one solid: its energy depends on the volume per atom alone.

    Energy and stress belong together, so that a stage that strains a cell finds an equation of state; forces are 0.

    Args:
        volume: Where the energy is lowest, Å³/atom.
    """

    name = "stub"
    label = "stub"
    fingerprint = "stub"
    evidence: Evidence = "test"
    batch = 1
    lowest = -4.0
    """eV/atom."""
    modulus = 0.4
    """Bulk modulus, eV/Å³ (64 GPa)."""

    def __init__(self, volume: float) -> None:
        self._volume = volume

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Energy, forces and stress of each structure."""
        import numpy as np

        from ninefold.engines.base import Evaluation

        found = []
        for structure in structures:
            strain = structure.volume / len(structure) / self._volume - 1
            energy = self.lowest + 0.5 * self.modulus * self._volume * strain**2
            forces, stress = np.zeros((len(structure), 3)), self.modulus * strain * np.eye(3)
            found.append(Evaluation(energy, forces, stress, 0.0))
        return found

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """Each structure at the volume of the lowest energy."""
        from ninefold.engines.base import Relaxation

        relaxed = [structure.copy() for structure in structures]
        for structure in relaxed:
            structure.scale_lattice(self._volume * len(structure))
        return [
            Relaxation(
                structure, found.energy_per_atom, 0.0, 0.0, 1, True, 0.0, forces=found.forces, stress=found.stress
            )
            for structure, found in zip(relaxed, self.evaluate(relaxed), strict=True)
        ]


def try_stages(names: Iterable[str]) -> None:
    """Load every stage and run it on one compound.

    A stage that asks for a node with an accelerator or a DFT code is not run: this machine may have none. How it is
    called is looked at.

    Args:
        names: As the campaign names them.

    Raises:
        InputError: if one cannot be loaded or called, raises anything but `CalculationError`, or gives what it does not
            declare.
    """
    own = {name: own_stage(name) for name in names}
    for name, stage in own.items():
        _check_call(name, stage)
    tried = {name: stage for name, stage in own.items() if stage.stage.resources.kind == "cpu"}
    if not tried:
        return
    from ninefold.thermo.references import reference_phase

    structure = reference_phase(PHASE).structure
    for name, stage in tried.items():
        values_of(name, stage, structure.copy(), dict(ROW), StubEngine(structure.volume / len(structure)))


def _check_call(name: str, own: CandidateStage) -> None:
    """Refuse a function that does not take what a stage is given.

    Raises:
        InputError: with what is given.
    """
    try:
        inspect.signature(own.compute).bind(None, None, None)
    except TypeError as error:
        raise InputError(
            "stages", name, problem=f"cannot be called: {error}",
            allowed="a function of three arguments: structure, candidate, engine",
        ) from error  # fmt: skip
    except ValueError:  # some functions written in C do not say what they take
        return
