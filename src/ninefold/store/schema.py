"""What stands in a store: its version, its collections and the fields that can be asked for.

Every backend reads this table; alone in its module, so that reading a store imports no models.
"""

from __future__ import annotations

from ninefold.models.quantities import QUANTITIES, Kind

SCHEMA_VERSION = 2
"""Rises when a stored document changes its meaning; a store from a newer schema is refused."""

COLLECTIONS: dict[str, dict[str, Kind]] = {
    "campaigns": {"id": "string", "name": "string", "status": "string", "fingerprint": "string", "created": "string"},
    "funnel": {"id": "string", "campaign": "string", "stage": "string", "shard": "string"},
    "candidates": {key: quantity.kind for key, quantity in QUANTITIES.items()},
    "references": {
        "id": "string",
        "campaign": "string",
        "name": "string",
        "formula": "string",
        "chemical_system": "string",
        "elements": "list",
        "kind": "string",
        "energy_per_atom": "float",
        "space_group_number": "integer",
        "volume_per_atom": "float",
        "is_converged": "boolean",
        "engine": "string",
    },
    "results": {"id": "string", "campaign": "string", "kind": "string", "created": "string"},
}
"""Collection -> field -> kind: the flat scalars, and lists of strings, that filters and sorting know."""

INDEXED: dict[str, tuple[str, ...]] = {
    "campaigns": (),
    "funnel": ("campaign",),
    "candidates": (
        "campaign", "rank", "e_above_hull", "formula", "chemical_system", "centre", "n", "score", "status",
        "space_group_number",
    ),
    "references": ("campaign",),
    "results": ("campaign",),
}  # fmt: skip
"""Collection -> fields with an index; the others are scanned, which costs 0.25 ms per thousand documents."""
