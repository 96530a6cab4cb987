"""Rows of the Python interface: plain values with types, which hold no connection to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True, slots=True, repr=False)
class CandidateRow:
    """A candidate with one method; None where a value is unknown.

    Unit and meaning of each field: `ninefold fields`, or `ninefold.models.quantities.QUANTITIES`.
    """

    id: str
    composition: str
    campaign: str
    formula: str
    anion: str
    label: str
    chemical_system: str
    elements: list[str]
    nelements: int
    centre: str
    cations: list[str]
    group: int
    n: int
    q: int
    m: int
    electron_count: int
    oxidation_state: int
    anion_class: str
    is_neighbour: bool
    is_competitor: bool
    is_low_budget: bool
    prior: float
    status: str
    energy_per_atom: float | None
    space_group_number: int | None
    space_group_symbol: str | None
    nsites: int | None
    volume_per_formula_unit: float | None
    volume_ratio: float | None
    is_coordination_kept: bool | None
    shortest_m_h: float | None
    shortest_h_h: float | None
    shortest_m_m: float | None
    shortest_m_interstitial: float | None
    is_converged: bool | None
    max_force: float | None
    source: str | None
    structure_type: str | None
    structures_found: int
    relaxations: int
    search_rounds: int
    search_spread: float | None
    engine: str | None
    method: str
    formation_energy_per_atom: float | None
    e_above_hull: float | None
    phase_separation_energy: float | None
    e_above_references: float | None
    e_above_hull_uncertainty: float | None
    model_error: float | None
    model_error_source: str | None
    search_scatter: float | None
    hull_probability: float | None
    e_above_same_composition: float | None
    reaction_energy_per_h2: float | None
    imaginary_modes: int | None
    zero_point_energy: float | None
    vibrational_free_energy: float | None
    vibrations_engine: str | None
    vibrations_evidence: str | None
    volume_298: float | None
    thermal_expansion_298: float | None
    bulk_modulus_298: float | None
    expansion_engine: str | None
    expansion_evidence: str | None
    volume_at_zero_pressure: float | None
    bulk_modulus: float | None
    bulk_modulus_derivative: float | None
    compression_engine: str | None
    compression_evidence: str | None
    lowest_pressure: float | None
    lowest_pressure_uncertainty: float | None
    window_width: float | None
    synthesis_separation: float | None
    ambient_separation: float | None
    survives_ambient: bool | None
    decomposition_temperature: float | None
    pseudorotation_barrier: float | None
    pseudorotation_barrier_low: float | None
    pseudorotation_barrier_high: float | None
    pseudorotation_rate_300: float | None
    pseudorotation_rate_300_high: float | None
    site_exchange_barrier: float | None
    site_exchange_barrier_low: float | None
    site_exchange_barrier_high: float | None
    site_exchange_rate_300: float | None
    site_exchange_rate_300_high: float | None
    cation_diffusion_300: float | None
    cation_diffusion_300_high: float | None
    cation_jump_barrier: float | None
    cation_jump_barrier_low: float | None
    cation_jump_barrier_high: float | None
    cation_jump_rate_300: float | None
    cation_jump_rate_300_high: float | None
    paddle_wheel_p: float | None
    dynamics_length: float | None
    is_dynamics_too_short: bool | None
    dynamics_engine: str | None
    dynamics_rung: str | None
    dynamics_evidence: str | None
    score: float | None
    rank: int | None
    rank_best: int | None
    rank_worst: int | None
    is_pareto: bool | None
    evidence: str
    method_spread: float | None
    method_disagreement: float | None
    is_best: bool
    is_known: bool
    properties: Mapping[str, Any]
    """Key -> value of what stages of yours have computed."""

    def __getitem__(self, key: str) -> Any:
        """A value by its key, those of stages of yours included.

        Raises:
            KeyError: if there is none of this key.
        """
        if key in self.properties:
            return self.properties[key]
        if key in type(self).__slots__ and key != "properties":
            return getattr(self, key)
        raise KeyError(key)

    def __repr__(self) -> str:
        told = f"{self.label!r}, rank={self.rank}, e_above_hull={self.e_above_hull}, engine={self.engine!r}"
        return f"CandidateRow({told}, id={self.id!r})"


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign of the store."""

    name: str
    status: str
    """running, finished, incomplete or stopped."""
    created: str
    """ISO 8601, UTC; likewise the next."""
    finished: str | None
    methods: list[str]
    """Labels of its methods, by rising trust."""
    candidates: int
    """Rows that stand for their candidate."""
    queries: list[str]
    """Names of its saved queries."""


@dataclass(frozen=True, slots=True)
class FoundStructure:
    """A minimum that the search found, with its coordinates."""

    candidate: CandidateRow
    id: str
    """Of the stored structure."""
    structure: Structure = field(repr=False)
    """Primitive cell."""
    energy_per_atom: float
    """eV/atom, by the candidate's method."""
    space_group_symbol: str
    source: str
    """Where the start came from."""
    is_valid: bool
    """Whether every centre carries exactly n hydrogens."""
    place: int
    """1 for the minimum that stands for the candidate."""
