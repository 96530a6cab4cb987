"""A candidate: what the list of results shows of one composition with one method."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from ninefold.models.record import Record
from ninefold.models.search import Minimum


class Candidate(Record):
    """A row per campaign, composition and method, made from facts and rewritten whole; it holds no coordinates.

    The scalars are the stored quantities of `ninefold.models.quantities`; see there for meaning and unit.
    id = composition's id and the first eight digits of the method's.
    """

    collection: ClassVar[str] = "candidates"

    campaign: str
    composition: str
    """Id of the `CompositionRecord`."""
    method: str
    """Id of the method; empty before a search."""
    minima_record: str | None = None
    """Id of the `MinimaRecord` that the row is made from."""
    revision: int = 0
    """Rises from step to step of a run; a row is never replaced by one of an earlier step. No part of the result."""
    is_best: bool = True
    """Whether this method's row is the one that stands for the composition: see docs/ranking.md."""
    # of the composition
    formula: str
    anion: str
    label: str
    chemical_system: str
    elements: list[str]
    nelements: int
    centre: str
    cations: list[str]
    cation_counts: dict[str, int]
    group: int
    n: int
    q: int
    m: int
    electron_count: int
    oxidation_state: int
    anion_class: str
    is_neighbour: bool = False
    is_competitor: bool = False
    is_low_budget: bool = False
    prior: float
    is_known: bool = False
    # of the search
    status: str
    """selected | searched | no_structure | ranked | why it has no rank."""
    evidence: str = "rule"
    engine: str | None = None
    energy_per_atom: float | None = None
    space_group_number: int | None = None
    space_group_symbol: str | None = None
    nsites: int | None = None
    volume_per_formula_unit: float | None = None
    volume_ratio: float | None = None
    is_coordination_kept: bool | None = None
    shortest_m_h: float | None = None
    shortest_h_h: float | None = None
    shortest_m_m: float | None = None
    shortest_m_interstitial: float | None = None
    is_converged: bool | None = None
    max_force: float | None = None
    source: str | None = None
    structure_type: str | None = None
    structures_found: int = 0
    relaxations: int = 0
    search_rounds: int = 0
    search_spread: float | None = None
    # of the hull
    formation_energy_per_atom: float | None = None
    e_above_hull: float | None = None
    phase_separation_energy: float | None = None
    e_above_references: float | None = None
    e_above_hull_uncertainty: float | None = None
    """Of `model_error`, `search_scatter` and `method_disagreement` in quadrature; of a row of an earlier version, which
    has none of these, the scatter of searches."""
    model_error: float | None = None
    model_error_source: str | None = None
    search_scatter: float | None = None
    hull_probability: float | None = None
    e_above_same_composition: float | None = None
    reaction_energy_per_h2: float | None = None
    method_spread: float | None = None
    """Highest less lowest phase separation energy of the campaign's methods, eV/atom; None with one method."""
    method_disagreement: float | None = None
    # of vibrations, thermal expansion and compression of the structure that stands for it
    imaginary_modes: int | None = None
    zero_point_energy: float | None = None
    vibrational_free_energy: float | None = None
    vibrations_engine: str | None = None
    vibrations_evidence: str | None = None
    volume_298: float | None = None
    thermal_expansion_298: float | None = None
    bulk_modulus_298: float | None = None
    expansion_engine: str | None = None
    expansion_evidence: str | None = None
    volume_at_zero_pressure: float | None = None
    bulk_modulus: float | None = None
    bulk_modulus_derivative: float | None = None
    compression_engine: str | None = None
    compression_evidence: str | None = None
    # of where it forms
    lowest_pressure: float | None = None
    lowest_pressure_uncertainty: float | None = None
    window_width: float | None = None
    synthesis_separation: float | None = None
    ambient_separation: float | None = None
    survives_ambient: bool | None = None
    decomposition_temperature: float | None = None
    # of dynamics
    dynamics_engine: str | None = None
    dynamics_evidence: str | None = None
    dynamics_length: float | None = None
    is_dynamics_too_short: bool | None = None
    pseudorotation_barrier: float | None = None
    pseudorotation_barrier_low: float | None = None
    pseudorotation_barrier_high: float | None = None
    pseudorotation_rate_300: float | None = None
    pseudorotation_rate_300_high: float | None = None
    site_exchange_barrier: float | None = None
    site_exchange_barrier_low: float | None = None
    site_exchange_barrier_high: float | None = None
    site_exchange_rate_300: float | None = None
    site_exchange_rate_300_high: float | None = None
    cation_diffusion_300: float | None = None
    cation_diffusion_300_high: float | None = None
    cation_jump_barrier: float | None = None
    cation_jump_barrier_low: float | None = None
    cation_jump_barrier_high: float | None = None
    cation_jump_rate_300: float | None = None
    cation_jump_rate_300_high: float | None = None
    paddle_wheel_p: float | None = None
    dynamics_rung: str | None = None
    # of the ranking
    score: float | None = None
    rank: int | None = None
    rank_best: int | None = None
    rank_worst: int | None = None
    is_pareto: bool | None = None
    # nested
    dynamics_record: str | None = None
    """Id of the `DynamicsRecord` that the fields of dynamics come from."""
    minima: list[Minimum] = Field(default_factory=list)
    """The minimum that stands for the composition first."""
    lowest_by_round: list[float | None] = Field(default_factory=list)
    """Lowest energy of a valid structure that each round of the search found by itself, eV/atom."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Why structures of this composition were rejected: reason -> count."""
    flags: list[str] = Field(default_factory=list)
    """What a reader must know before believing the result, one sentence each."""
    decomposition: list[dict[str, Any]] = Field(default_factory=list)
    """Decomposition products: formula, name, fraction (of atoms), energy_per_atom, kind (reference | candidate)."""
    ternaries: list[str] = Field(default_factory=list)
    """Reference phases of other compositions in this chemical system with three elements or more."""
    known: list[dict[str, Any]] = Field(default_factory=list)
    """Published structures of this composition: name, energy_per_atom, difference (candidate less published, eV/atom),
    source, provenance, refuted, space_group_symbol, and found_space_group_symbol and found_above_lowest (eV/atom) of
    the minimum found that is the same structure, or None."""
    conditions: list[dict[str, Any]] = Field(default_factory=list)
    """Per (temperature_K, pressure_GPa), with hydrogen gas: e_above_hull, phase_separation_energy,
    e_above_references, minimum (the structure taken), vibration_uncertainty, decomposition, notes."""
    formation: dict[str, Any] = Field(default_factory=dict)
    """Where it forms: see `ninefold.thermo.results.Formation`; empty without a hull under hydrogen."""
    reaction: str | None = None
    """Hydrides of the cations + metal + x H2 -> candidate."""
    stability_notes: list[str] = Field(default_factory=list)
    """What the hull leaves out, or why there is none."""
    verdicts: list[dict[str, Any]] = Field(default_factory=list)
    """Of the rules on results; those on the composition are in its record."""
    terms: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Ranking terms: name -> value, weight, contribution."""
    properties: dict[str, Any] = Field(default_factory=dict)
    """What stages of the user's have computed: key -> value."""
    verification: dict[str, Any] = Field(default_factory=dict)
    """Of a row that `ninefold verify` made: see `ninefold.stages.verified`; empty otherwise."""
