"""Structure sources by name: ours, and those that a user adds.

A source is a function (see `ninefold.structures.proposal.Source`). One of your own is named in the
campaign as `FILE.py:function` or `module:function`, or announced by an installed package in the entry
point group `ninefold.sources`. A structure file (CIF, POSCAR, any that `relax` reads) is a source too: a host of
your own.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from ninefold import user_code
from ninefold.errors import InputError
from ninefold.paths import user_path
from ninefold.structures.files import is_structure_file, read_structure

if TYPE_CHECKING:
    from ninefold.structures.proposal import Source

GROUP = "ninefold.sources"
FIELD = "structures.sources"
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
    """Refuse a name that is no source, without importing or reading anything.

    Raises:
        ValueError: with the names that are.
    """
    if name in OUR_NAMES:
        return
    if (file := _file(name)) is not None:
        if not user_path(file, FIELD).is_file():
            raise ValueError(f"{str(file)!r} does not exist")
        return
    announced = sorted(point.name for point in entry_points(group=GROUP))
    if name not in announced and not _is_module_path(name):
        allowed = ", ".join([*OUR_NAMES, *announced, "FILE.cif", "FILE.py:function", "module:function"])
        raise ValueError(f"{name!r} is not a structure source; allowed: {allowed}")


def load_source(name: str) -> Source:
    """The function of a source.

    Raises:
        InputError: if its file cannot be read, or it cannot be imported or called.
    """
    if is_host(name):
        from ninefold.structures.prototypes import host_from_file

        return host_from_file(Path(name))
    path = _path(name)
    module, _, attribute = path.rpartition(":")
    loaded = _module(module)
    if not hasattr(loaded, attribute):
        raise InputError(
            FIELD, name, problem=f"cannot be loaded: {module} has no {attribute!r}", hint="see docs/structures.md"
        )
    source: Source = getattr(loaded, attribute)
    if not callable(source):
        raise InputError(FIELD, name, problem="is not callable", allowed="a function that makes packings")
    return source


def is_host(name: str) -> bool:
    """Whether a source is a structure file, a host."""
    return name not in OUR_NAMES and is_structure_file(name)


def reading_notes(names: Iterable[str]) -> list[str]:
    """What a user should know of how the host files among some sources were read, each with its file.

    Raises:
        InputError: if one cannot be read.
    """
    return [f"{name}: {note}" for name in names if is_host(name) for note in read_structure(Path(name)).notes]


def load_foreign(names: Iterable[str]) -> None:
    """Load every source that is not ours, so that a broken one is told before anything is computed.

    Raises:
        InputError: as `load_source`.
    """
    for name in names:
        if name not in OUR_NAMES:
            load_source(name)


def anchored(name: str, folder: Path) -> str:
    """A source with its file's path relative to a folder, where it has a file."""
    return name if _file(name) is None else str(folder / name)


def sources_checksum(names: Iterable[str]) -> str:
    """Hash of the files of sources that are not ours, whose changes no version of ours tells; empty without any."""
    foreign = [name for name in names if name not in OUR_NAMES]
    if not foreign:
        return ""
    digest = hashlib.sha256()
    for name in foreign:
        file = _file(name)
        if file is None:
            found = inspect.getsourcefile(inspect.unwrap(load_source(name)))
            file = Path(found) if found else None
            digest.update(f"{name}\n".encode())
        else:
            digest.update(f"{name.rpartition(':')[2] if ':' in name else ''}\n".encode())
        if file is not None:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _file(name: str) -> Path | None:
    """The file that a name stands for."""
    if is_host(name):
        return Path(name)
    path, _, attribute = name.rpartition(":")
    return Path(path) if path.endswith(".py") and attribute.isidentifier() else None


def _is_module_path(name: str) -> bool:
    module, _, attribute = name.partition(":")
    return attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _path(name: str) -> str:
    if name in _OURS:
        return _OURS[name]
    announced = {point.name: point.value for point in entry_points(group=GROUP)}
    return announced.get(name, name)


@functools.cache
def _module(name: str) -> object:
    """A module by its name, or by the path of its file."""
    return user_code.load_file(name, FIELD) if name.endswith(".py") else user_code.load_module(name, FIELD)
