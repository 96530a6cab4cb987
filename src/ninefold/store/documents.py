"""What is stored: one pydantic model per collection, each with a schema version.

List views read the flat scalars; everything nested is for the view of one document. A document is
complete in itself: numbers stand beside the engine, settings and evidence that they come from.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ninefold.store.schema import SCHEMA_VERSION


class Document(BaseModel):
    """Base of every stored document."""

    model_config = ConfigDict(extra="forbid")

    id: str
    """Unique in its collection."""
    schema_version: int = SCHEMA_VERSION


class CampaignDocument(Document):
    """A campaign as it was submitted; its id is the campaign's name."""

    name: str
    fingerprint: str
    """Content hash of everything in the campaign file that changes results."""
    settings: dict[str, Any]
    """The campaign file as read, defaults filled in."""
    versions: dict[str, str]
    """ninefold, engine and key libraries."""
    status: str
    """running | finished | stopped."""
    workflow: str = "screen"
    """The flow that it runs by: a shipped name, or the path of a file."""
    created: str
    """ISO 8601, UTC."""
    finished: str | None = None


class FunnelDocument(Document):
    """What one stage let through. id = campaign:stage:shard."""

    campaign: str
    stage: str
    """See `ninefold.flows.funnel.STAGES`; further rounds carry their number: choose 2, build 2, prescreen 2."""
    shard: str = "0"
    count_in: int
    count_out: int
    unit: str = "compositions"
    """What is counted: compositions or structures."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Reason of rejection -> count."""
    core_seconds: float
    wall_seconds: float
    hardware: str


class FoundStructureDocument(BaseModel):
    """One distinct minimum that the search kept, inside a candidate document."""

    model_config = ConfigDict(extra="forbid")

    structure: dict[str, Any]
    """pymatgen `Structure.as_dict()`, primitive symmetrised cell."""
    energy_per_atom: float
    space_group_number: int
    space_group_symbol: str
    nsites: int
    volume_per_formula_unit: float
    volume_ratio: float
    coordination_numbers: list[int]
    shortest_m_h: float
    shortest_h_h: float
    max_force: float
    is_converged: bool
    source: str
    structure_type: str | None = None
    """The known structure type that it belongs to."""
    is_valid: bool
    """Coordination as asked and no H2 ligand."""
    notes: list[str] = Field(default_factory=list)
    """Why it is not valid, or what to know (stretched H-H, open volume)."""
    shortest_m_m: float | None = None
    """None in a store made before this was computed."""
    shortest_m_interstitial: float | None = None


class CandidateDocument(Document):
    """One assignment of a campaign: verdicts, the lowest structure, stability, rank.

    The scalars are the stored quantities of `ninefold.models.quantities`; see there for meaning
    and unit.
    """

    campaign: str
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
    prior: float
    status: str
    is_known: bool = False
    evidence: str = "rule"
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
    engine: str | None = None
    formation_energy_per_atom: float | None = None
    e_above_hull: float | None = None
    phase_separation_energy: float | None = None
    e_above_references: float | None = None
    e_above_hull_uncertainty: float | None = None
    e_above_same_composition: float | None = None
    reaction_energy_per_h2: float | None = None
    score: float | None = None
    rank: int | None = None
    rank_best: int | None = None
    rank_worst: int | None = None
    is_pareto: bool | None = None
    # nested
    neighbour_of: str | None = None
    """Label of the composition that this one is a neighbour of."""
    other_readings: list[str] = Field(default_factory=list)
    """Labels of the other readings of the same formula: another centre, or other hydrogens interstitial."""
    verdicts: list[dict[str, Any]] = Field(default_factory=list)
    """Per rule: rule, mode, value, unit, bound, passed, score, reason, source; those on results come with them."""
    structures: list[FoundStructureDocument] = Field(default_factory=list)
    """Distinct structures found, lowest first."""
    lowest_by_round: list[float | None] = Field(default_factory=list)
    """Lowest energy of a valid structure that each round of the search found by itself, eV/atom."""
    reasons: dict[str, int] = Field(default_factory=dict)
    """Why structures of this composition were rejected: reason -> count."""
    flags: list[str] = Field(default_factory=list)
    """What a reader must know before believing the result, one sentence each."""
    decomposition: list[dict[str, Any]] = Field(default_factory=list)
    """Competing phases: formula, name, fraction (of atoms), energy_per_atom, kind (reference | candidate)."""
    ternaries: list[str] = Field(default_factory=list)
    """Reference phases of other compositions in this chemical system with three elements or more."""
    known: list[dict[str, Any]] = Field(default_factory=list)
    """Published structures of this composition: name, energy_per_atom, difference (candidate less published, eV/atom),
    source, mark, refuted, space_group_symbol, and found_space_group_symbol and found_above_lowest (eV/atom) of the
    minimum found that is the same structure, or None."""
    conditions: list[dict[str, Any]] = Field(default_factory=list)
    """Per (temperature_K, pressure_GPa), with hydrogen gas: e_above_hull, phase_separation_energy,
    e_above_references, minimum (the structure taken), decomposition, notes."""
    terms: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Ranking terms: name -> value, weight, contribution."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """Engine fingerprint, hydrogen reference, relaxation settings, seed, tolerances."""


class ReferenceDocument(Document):
    """A competing phase relaxed with the campaign's engine. id = campaign:name."""

    campaign: str
    name: str
    formula: str
    chemical_system: str
    elements: list[str]
    kind: str
    """element | molecule | binary | ternary | intermetallic | known_hydride."""
    energy_per_atom: float | None
    space_group_number: int | None
    volume_per_atom: float | None
    is_converged: bool | None
    engine: str
    structure: dict[str, Any] | None
    source: str
    mark: str
    """src | mem | der: how well the literature structure is known."""
    refuted: str | None = None
    """Why the structure is kept out of every hull, if it is."""
    notes: list[str] = Field(default_factory=list)


class ResultDocument(Document):
    """A finished calculation, found again by its key (id): hash of input, settings, engine, schema."""

    campaign: str
    """The campaign that computed it; another may find and use it."""
    kind: str
    """evaluate | relax | pool | search."""
    value: dict[str, Any]
    created: str


MODELS: dict[str, type[Document]] = {
    "campaigns": CampaignDocument,
    "funnel": FunnelDocument,
    "candidates": CandidateDocument,
    "references": ReferenceDocument,
    "results": ResultDocument,
}
"""Collection -> what it holds."""
