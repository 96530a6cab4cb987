"""The structure search of one composition: a pool, then minima."""

from ninefold.search.allocation import Prospect, in_round, promising
from ninefold.search.composition import search_composition
from ninefold.search.minima import FoundStructure
from ninefold.search.pool import Pool, build_pool
from ninefold.search.prescreen import SearchOutcome, prescreen, prescreen_steps
from ninefold.search.together import Request, Search, run_alone, run_together
from ninefold.search.version import search_version, structures_version

__all__ = [
    "FoundStructure",
    "Pool",
    "Prospect",
    "Request",
    "Search",
    "SearchOutcome",
    "build_pool",
    "in_round",
    "prescreen",
    "prescreen_steps",
    "promising",
    "run_alone",
    "run_together",
    "search_composition",
    "search_version",
    "structures_version",
]
