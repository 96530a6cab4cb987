"""What, besides budget and seed, decides what a search finds: it enters the keys of stored searches."""

from __future__ import annotations

import functools
import hashlib
from importlib.resources import files

from ninefold.engines import Engine
from ninefold.keys import content_key

ALGORITHM = 7
"""Rises when code of the sources, the force field, the strategy or the optimizers changes what is found."""
_DATA = ("forcefield.yaml", "types.yaml")


@functools.cache
def structures_version() -> str:
    """Hash of the algorithm's number and of the data files that structures are made with."""
    folder = files("ninefold.structures").joinpath("data")
    sums = [hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() for name in _DATA]
    return content_key("structures", ALGORITHM, *sums)


def search_version(engine: Engine) -> str:
    """`structures_version` with the engine's fingerprint, 16 digits."""
    return content_key(structures_version(), engine.fingerprint)[:16]
