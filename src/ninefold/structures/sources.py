"""Structure sources by name: ours, and those that a user adds.

A source is a function (see `ninefold.structures.proposal.Source`). One of your own is named in the
campaign as `FILE.py:function` or `module:function`, or announced by an installed package in the entry
point group `ninefold.sources`. A structure file (CIF, POSCAR, any that `relax` reads) is a source too: a host of
your own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ninefold.paths import user_path
from ninefold.plugins import Registry, anchored_path
from ninefold.structures.files import is_structure_file, read_structure

if TYPE_CHECKING:
    from ninefold.structures.proposal import Source

KNOWN_TYPES = "known_types"
"""Not a source of random packings: every type that fits is offered once."""
SOURCES = Registry(
    group="ninefold.sources",
    setting="structures.sources",
    what="a structure source",
    wanted="a function that makes packings: see docs/extend.md",
    shipped={
        KNOWN_TYPES: "ninefold.structures.known_types:substituted",
        "prototypes": "ninefold.structures.prototypes:prototype_host",
        "hosts": "ninefold.structures.hosts:decorated_host",
        "symmetric_units": "ninefold.structures.symmetric_units:symmetric_units",
        "rigid_units": "ninefold.structures.rigid_units:random_units",
    },
    others=("FILE.cif",),
)
OUR_NAMES = tuple(SOURCES.shipped)


def check_source(name: str) -> None:
    """Refuse a name that is no source, without importing or reading anything.

    Raises:
        ValueError: with the names that are.
    """
    if not is_host(name):
        SOURCES.check_setting(name)
    elif not user_path(name, SOURCES.setting).is_file():
        raise ValueError(f"{name!r} does not exist")


def load_source(name: str) -> Source:
    """The function of a source.

    Raises:
        InputError: if its file cannot be read, or it cannot be imported or called.
    """
    if is_host(name):
        from ninefold.structures.prototypes import host_from_file

        return host_from_file(Path(name))
    source: Source = SOURCES.load(name)
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
    """Load every source that is not ours, so that a broken one is reported before anything is computed.

    Raises:
        InputError: as `load_source`.
    """
    for name in names:
        if name not in OUR_NAMES:
            load_source(name)


def anchored(name: str, folder: Path) -> str:
    """A source with its file's path relative to a folder, where it has a file."""
    return anchored_path(name, folder) if is_host(name) else SOURCES.anchored(name, folder)


def source_label(name: str) -> str:
    """A source as it is shown, and by what its random draws are told from another's: without the place of its file."""
    return Path(name).name if is_host(name) else SOURCES.label(name)


def sources_checksum(names: Iterable[str]) -> str:
    """Hash of the files of sources that are not ours, whose changes no version of ours tells; empty without any."""
    foreign = [name for name in names if name not in OUR_NAMES]
    if not foreign:
        return ""
    digest = hashlib.sha256()
    for name in foreign:
        digest.update(b"\n" + user_path(name, SOURCES.setting).read_bytes() if is_host(name) else SOURCES.content(name))
    return digest.hexdigest()
