"""What stands in a store: its version, its collections and the fields that can be asked for.

Every backend reads this table; alone in its module, so that reading a store imports no models.
"""

from __future__ import annotations

from ninefold.models.quantities import BOOKKEEPING, QUANTITIES, Kind

SCHEMA_VERSION = 4
"""As `ninefold.models.record.SCHEMA_VERSION`; a store from a newer schema is refused."""

_FACT: dict[str, Kind] = {"id": "string", "campaign": "string"}

COLLECTIONS: dict[str, dict[str, Kind]] = {
    "campaigns": {
        "id": "string",
        "name": "string",
        "status": "string",
        "fingerprint": "string",
        "workflow": "string",
        "workflow_content": "string",
        "created": "string",
        "finished": "string",
        "run": "string",
        "attempt": "integer",
    },
    "compositions": {
        **_FACT,
        "formula": "string",
        "label": "string",
        "chemical_system": "string",
        "elements": "list",
        "is_competitor": "boolean",
    },
    "methods": {
        "id": "string",
        "name": "string",
        "label": "string",
        "evidence": "string",
        "hydrogen_reference": "string",
    },
    "structures": {"id": "string"},
    "pools": {
        **_FACT,
        "label": "string",
        "round": "integer",
        "packings": "string",
        "count_in": "integer",
        "count_out": "integer",
        "core_seconds": "float",
        "created": "string",
    },
    "searches": {
        **_FACT,
        "label": "string",
        "round": "integer",
        "pool": "string",
        "method": "string",
        "relaxations": "integer",
        "core_seconds": "float",
        "created": "string",
    },
    "minima": {
        **_FACT,
        "label": "string",
        "method": "string",
        "relaxations": "integer",
        "core_seconds": "float",
    },
    "calculations": {
        **_FACT,
        "kind": "string",
        "method": "string",
        "start": "string",
        "final": "string",
        "machine": "string",
        "energy_per_atom": "float",
        "error": "string",
        "core_seconds": "float",
        "max_force": "float",
        "max_stress": "float",
        "steps": "integer",
        "is_converged": "boolean",
        "created": "string",
    },
    "properties": {
        **_FACT,
        "stage": "string",
        "label": "string",
        "structure": "string",
        "method": "string",
        "reason": "string",
        "core_seconds": "float",
        "created": "string",
    },
    "references": {
        **_FACT,
        "method": "string",
        "name": "string",
        "formula": "string",
        "chemical_system": "string",
        "elements": "list",
        "kind": "string",
        "structure": "string",
        "energy_per_atom": "float",
        "space_group_number": "integer",
        "volume_per_atom": "float",
        "is_converged": "boolean",
        "engine": "string",
        "source": "string",
        "provenance": "string",
        "refuted": "string",
        "core_seconds": "float",
    },
    "candidates": {
        **{key: quantity.kind for key, quantity in (QUANTITIES | BOOKKEEPING).items()},
    },
    "funnel": {
        **_FACT,
        "stage": "string",
        "shard": "string",
        "attempt": "integer",
        "after": "string",
        "method": "integer",
        "count_in": "integer",
        "count_out": "integer",
        "unit": "string",
        "core_seconds": "float",
        "wall_seconds": "float",
        "hardware": "string",
    },
    "faults": {
        **_FACT,
        "stage": "string",
        "what": "string",
        "attempt": "integer",
        "reason": "string",
        "created": "string",
    },
}
"""Collection -> field -> kind: the flat scalars, and lists of strings, that filters and sorting know."""

REVISIONS = {"candidates": "revision", "funnel": "attempt", "faults": "attempt"}
"""Collection -> the field that says which of two documents of one id is the newer: the one with the higher number."""

FACTS = frozenset({"structures", "methods", "pools", "searches", "minima", "calculations", "properties"})
"""Collections whose documents are written once, by anybody, in any order: their ids are those of their content."""

INDEXED: dict[str, tuple[str, ...]] = {
    "campaigns": (),
    "compositions": ("campaign",),
    "methods": (),
    "structures": (),
    "pools": ("campaign", "label"),
    "searches": ("campaign",),
    "minima": ("campaign",),
    "calculations": ("campaign", "final"),
    "properties": ("campaign",),
    "references": ("campaign",),
    "candidates": (
        "campaign", "composition", "rank", "e_above_hull", "formula", "chemical_system", "centre", "n", "score",
        "status", "space_group_number",
    ),
    "funnel": ("campaign",),
    "faults": ("campaign",),
}  # fmt: skip
"""Collection -> fields with an index; the others are scanned, which costs 0.25 ms per thousand documents."""
