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
        "zero_point": "string",
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
        "before_vibrations": "string",
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
    "vibrations": {
        **_FACT,
        "label": "string",
        "method": "string",
        "start": "string",
        "relaxed": "string",
        "structure": "string",
        "relaxed_energy": "float",
        "energy_per_atom": "float",
        "gain": "float",
        "nsites": "integer",
        "supercell_atoms": "integer",
        "displacements": "integer",
        "n_imaginary": "integer",
        "noise_meV": "float",
        "translation_meV": "float",
        "zero_point_energy": "float",
        "free_energy_298": "float",
        "missing_modes": "float",
        "force_constants": "string",
        "spectrum": "string",
        "error": "string",
        "created": "string",
    },
    "trajectories": {
        **_FACT,
        "label": "string",
        "method": "string",
        "structure": "string",
        "temperature_K": "float",
        "replica": "integer",
        "number": "integer",
        "frames": "integer",
        "n_atoms": "integer",
        "content": "string",
        "error": "string",
        "core_seconds": "float",
        "created": "string",
    },
    "dynamics": {
        **_FACT,
        "label": "string",
        "method": "string",
        "engine": "string",
        "structure": "string",
        "evidence": "string",
        "centre": "string",
        "n": "integer",
        "isotope": "string",
        "time_step_fs": "float",
        "n_atoms": "integer",
        "length_ps": "float",
        "replicas": "integer",
        "polyhedron": "string",
        "is_too_short": "boolean",
        "rung": "string",
        "is_claimed": "boolean",
        "curves": "string",
        "error": "string",
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

FACTS = frozenset(
    {
        "methods", "structures", "pools", "searches", "minima", "calculations", "properties", "vibrations",
        "trajectories", "dynamics",
    }
)  # fmt: skip
"""Collections whose documents are written once and have the hash of their content as id."""

REVISIONS = {"candidates": "revision", "funnel": "attempt", "faults": "attempt"}
"""Collection -> the field that says which of two documents of one id is the newer: the one with the higher number."""

INDEXED: dict[str, tuple[str, ...]] = {
    "campaigns": ("name",),
    "compositions": ("campaign", "chemical_system"),
    "methods": (),
    "structures": (),
    "pools": ("campaign", "label"),
    "searches": ("campaign",),
    "minima": ("campaign", "label", "method"),
    "calculations": ("campaign", "final", "method", "start"),
    "properties": ("campaign", "stage"),
    "vibrations": ("campaign", "method", "start"),
    "trajectories": ("campaign", "structure"),
    "dynamics": ("campaign", "structure"),
    "references": ("campaign", "structure"),
    "candidates": (
        "campaign", "composition", "rank", "e_above_hull", "formula", "label", "anion", "chemical_system", "centre",
        "n", "score", "status", "space_group_number",
    ),
    "funnel": ("campaign",),
    "faults": ("campaign",),
}  # fmt: skip
"""Collection -> fields with an index; the others are scanned, which costs 0.25 ms per thousand documents."""

SORTED: dict[str, tuple[tuple[str, ...], ...]] = {
    "pools": (("campaign", "created"),),
    "searches": (("campaign", "created"),),
    "calculations": (("campaign", "created"),),
    "properties": (("campaign", "created"),),
    "vibrations": (("campaign", "created"),),
    "trajectories": (("campaign", "created"),),
    "dynamics": (("campaign", "created"),),
    "candidates": (("campaign", "rank"), ("campaign", "score"), ("campaign", "e_above_hull")),
}
"""Collection -> fields with an index in common: what is asked for by the first is read in the order of the next."""


def indexes_of(collection: str) -> dict[str, tuple[str, ...]]:
    """The indexes of a collection: name -> fields. The id is the last field of each, so that ties need no sorting."""
    every = (*((field,) for field in INDEXED[collection]), *SORTED.get(collection, ()))
    return {"_".join(fields): (*fields, "id") for fields in every}


SHARED = {
    "campaign": 20_000, "method": 30_000, "status": 30_000, "n": 20_000, "centre": 5_000, "space_group_number": 500,
    "anion": 100, "chemical_system": 50, "formula": 10, "label": 5, "rank": 5, "created": 5, "stage": 20_000,
}  # fmt: skip
"""Indexed field -> how many of 100 000 documents have one value of it, about; 2 for a field that is not named.

What a planner must know to take the formula's index rather than the campaign's; fixed, so that plans do not depend on
when a store was last analysed."""
