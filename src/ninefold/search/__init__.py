"""The structure search of one composition: a pool, then minima."""

from ninefold.search.composition import search_composition
from ninefold.search.pool import Pool, build_pool
from ninefold.search.prescreen import FoundStructure, SearchOutcome, prescreen
from ninefold.search.version import search_version, structures_version

__all__ = [
    "FoundStructure",
    "Pool",
    "SearchOutcome",
    "build_pool",
    "prescreen",
    "search_composition",
    "search_version",
    "structures_version",
]
