"""What the structure search of one composition made: pools, searches, minima."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ninefold.models.record import Record


class PoolRecord(Record):
    """Structures of one composition, settled with the ionic force field, for one round of the search.

    id = hash of the assignment, the part of the budget that a pool depends on, seed, round, version of the search's
    code and data, and content of the user's own sources.
    """

    collection: ClassVar[str] = "pools"

    campaign: str
    """The campaign that made it; another may find and use it."""
    label: str
    """The composition and its assignment: K2[ReH9]."""
    round: int
    packings: str
    """Blob of the structures: one line each, `source` and the keys of a `StructureRecord`, lowest energy first."""
    count_in: int
    """Packings tried."""
    count_out: int
    """Structures in the pool."""
    reasons: dict[str, int]
    """Why packings were rejected: reason -> count."""
    core_seconds: float
    created: str


class Minimum(BaseModel):
    """One distinct minimum of a composition with one method, without its coordinates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    structure: str
    """Id of the `StructureRecord`: primitive symmetrised cell."""
    energy_per_atom: float
    space_group_number: int
    space_group_symbol: str
    nsites: int
    volume_per_formula_unit: float
    """Å³."""
    volume_ratio: float
    """Over the sum of the additive increments."""
    coordination_numbers: list[int]
    shortest_m_h: float
    """Å, likewise the next four."""
    shortest_h_h: float
    shortest_m_m: float | None = None
    """None in a store made before this was computed; likewise the next."""
    shortest_m_interstitial: float | None = None
    max_force: float
    """eV/Å; infinite where it is not known: of an import without forces, which JSON holds as null."""
    is_converged: bool
    source: str
    """Where the start came from."""
    structure_type: str | None = None
    """The known structure type that it belongs to."""
    is_valid: bool
    """Coordination as asked and no H2 ligand."""
    notes: list[str] = Field(default_factory=list)
    """Why it is not valid, or what to know (stretched H-H, open volume)."""

    @field_validator("max_force", mode="before")
    @classmethod
    def _read_unknown(cls, value: Any) -> Any:
        return math.inf if value is None else value


class SearchRecord(Record):
    """One round of the search of one composition with one method. id = hash of pool, budget, method and versions."""

    collection: ClassVar[str] = "searches"

    campaign: str
    label: str
    round: int
    pool: str
    """Id of the pool."""
    method: str
    """Id of the method."""
    minima: list[Minimum]
    """Valid ones first, the one that stands for the composition before all others."""
    origins: dict[str, list[str]] = Field(default_factory=dict)
    """By id of a minimum's structure: ids of those that it was made from, one from the other by a relaxation or by
    moving its atoms onto a symmetry, the structure of the pool first. Empty in a store made before it was recorded."""
    reasons: dict[str, int]
    relaxations: int
    core_seconds: float
    """Of every energy and relaxation in it, the ones that were found in the store included."""
    created: str


class MinimaRecord(Record):
    """What all rounds of the search found of one composition with one method; no two minima are alike.

    id = hash of the searches' ids; of minima relaxed anew with another method, hash of what they were and that method.
    """

    collection: ClassVar[str] = "minima"

    campaign: str
    label: str
    method: str
    searches: list[str]
    """Ids of the searches, by round."""
    minima: list[Minimum]
    """The one that stands for the composition first, then as in `SearchRecord`."""
    origins: dict[str, list[str]] = Field(default_factory=dict)
    """Of minima relaxed anew, as in `SearchRecord`, a minimum of the search first; the searches hold their own."""
    lowest_by_round: list[float | None]
    """Lowest energy of a valid structure that each round found by itself, eV/atom."""
    reasons: dict[str, int]
    relaxations: int
    core_seconds: float = 0.0
    """Of calculations made for this record; the searches' own time is theirs."""
    before_vibrations: str | None = None
    """Id of the minima as they were before vibrations led from saddle points among them to lower structures."""
