"""Structure sources by name: ours, and those that a user adds.

A source is a function (see `ninefold.structures.proposal.Source`). One of your own is named in the
campaign as `module:function`, or announced by an installed package in the entry point group
`ninefold.sources`.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from ninefold.errors import InputError

if TYPE_CHECKING:
    from ninefold.structures.proposal import Source

GROUP = "ninefold.sources"
KNOWN_TYPES = "known_types"
"""Not a source of random packings: every type that fits is offered once."""
_OURS = {
    "prototypes": "ninefold.structures.prototypes:prototype_host",
    "hosts": "ninefold.structures.hosts:decorated_host",
    "symmetric_units": "ninefold.structures.symmetric_units:symmetric_units",
    "rigid_units": "ninefold.structures.rigid_units:random_units",
}
OUR_NAMES = (KNOWN_TYPES, *_OURS)


def check_source(name: str) -> None:
    """Refuse a name that is no source, without importing anything.

    Raises:
        ValueError: with the names that are.
    """
    if name in OUR_NAMES or _is_path(name):
        return
    announced = sorted(point.name for point in entry_points(group=GROUP))
    if name not in announced:
        allowed = ", ".join([*OUR_NAMES, *announced, "module:function"])
        raise ValueError(f"{name!r} is not a structure source; allowed: {allowed}")


def load_source(name: str) -> Source:
    """The function of a source.

    Raises:
        InputError: if it cannot be imported or called.
    """
    path = _path(name)
    module, _, attribute = path.partition(":")
    try:
        source: Source = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            "structures.sources", name, problem=f"cannot be imported: {error}",
            hint="module:function, in a module on the Python path (PYTHONPATH)",
        ) from error  # fmt: skip
    if not callable(source):
        raise InputError(
            "structures.sources", name, problem="is not callable", allowed="a function, see proposal.Source"
        )
    return source


def sources_checksum(names: Iterable[str]) -> str:
    """Hash of the files of sources that are not ours, whose changes no version of ours tells; empty without any."""
    foreign = sorted(name for name in names if name not in OUR_NAMES)
    if not foreign:
        return ""
    digest = hashlib.sha256()
    for name in foreign:
        file = inspect.getsourcefile(inspect.unwrap(load_source(name)))
        digest.update(f"{_path(name)}\n".encode())
        if file is not None:
            digest.update(Path(file).read_bytes())
    return digest.hexdigest()


def _is_path(name: str) -> bool:
    module, _, attribute = name.partition(":")
    return attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _path(name: str) -> str:
    if name in _OURS:
        return _OURS[name]
    announced = {point.name: point.value for point in entry_points(group=GROUP)}
    return announced.get(name, name)
