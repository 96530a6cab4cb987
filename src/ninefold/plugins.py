"""Code of the user's and of installed packages, found by name.

Rules, structure sources, engines, ranking terms, stages and workflows are named in one way: by a name that ninefold
ships, by one that an installed package announces in the entry point group of its kind, as `FILE.py:NAME`, or as
`module:NAME`. One `Registry` stands for each kind. Listing and checking names imports nothing.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError
from ninefold.paths import user_path
from ninefold.user_code import calling, load_file, load_module, read_code

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints


@dataclass(frozen=True)
class Registry:
    """Everything of one kind that can be named.

    What ninefold ships stands in `shipped` and in no entry points, so that a checkout that nobody installed has it. A
    package that announces a name of `shipped` does not replace it: see `shadowed`.
    """

    group: str
    """Entry point group: `ninefold.engines`."""
    setting: str
    """Where a name stands in a campaign or on the command line, for errors: `engine.name`."""
    what: str
    """What a name stands for, with its article: `an engine`."""
    wanted: str
    """What is to be found in a file or module, with its article: `a callable that takes EngineSettings`."""
    shipped: Mapping[str, Any] = field(default_factory=dict)
    """Name -> `module:attribute`, imported when it is loaded; or the thing itself."""
    accepts: Callable[[Any], bool] = callable
    """Whether what was found can be used at all."""
    default: str | None = None
    """What a file that is named alone, as `FILE.py`, is asked for, `*` for everything in it that can be used; None
    where a file alone is refused."""
    others: tuple[str, ...] = ()
    """Further forms that the caller understands, for errors: `FILE.cif`."""

    def names(self) -> list[str]:
        """Names that are shipped, in their order, and those that installed packages announce."""
        return [*self.shipped, *self.announced()]

    def announced(self) -> list[str]:
        """Names that installed packages announce beside the shipped ones, sorted."""
        return sorted({point.name for point in self._points()} - set(self.shipped))

    def shadowed(self) -> list[str]:
        """One sentence for each package that announces a name which ninefold ships."""
        return [
            f"{_package(point)} announces {self.what} {point.name!r}, a name of ninefold's own: ninefold's is used; "
            f"{point.module}:{point.attr} names the other"
            for point in self._points()
            if point.name in self.shipped and point.value != self.shipped[point.name]
        ]

    def is_shipped(self, name: str) -> bool:
        """Whether a name stands for code of ninefold's own."""
        return name in self.shipped

    def check(self, name: str) -> None:
        """Refuse a name that stands for nothing, without importing anything.

        Raises:
            InputError: with what is allowed; also if two packages announce the name.
        """
        if name in self.shipped:
            return
        if (file := self.file(name)) is not None:
            path = user_path(file, self.setting)
            if not path.is_file():
                problem = "is not a Python file" if path.exists() else "does not exist"
                raise InputError(self.setting, str(file), problem=problem)
            return
        if name.endswith(".py"):
            raise InputError(self.setting, name, problem=f"does not say which {self._noun}", allowed=f"{name}:NAME")
        points = {point.value: point for point in self._points() if point.name == name}
        if len(points) > 1:
            packages = " and by ".join(sorted(map(_package, points.values())))
            raise InputError(
                self.setting, name, problem=f"is announced by {packages}",
                hint=f"remove one of them, or name it as {' or '.join(sorted(points))}",
            )  # fmt: skip
        if not points and not _is_module_path(name):
            forms = [*self.others, "FILE.py" if self.default else "FILE.py:NAME", "module:NAME"]
            allowed = ", ".join([*self.names(), *forms])
            raise InputError(self.setting, name, problem=f"is not {self.what}", allowed=allowed)

    def check_setting(self, name: str) -> None:
        """As `check`, for a validator of settings: its error names the field by itself.

        Raises:
            ValueError: with the same words.
        """
        try:
            self.check(name)
        except InputError as error:
            raise ValueError(str(error).removeprefix(f"{self.setting}: ")) from error

    def load(self, name: str) -> Any:
        """What a name stands for.

        Raises:
            InputError: as `check`; or if it cannot be imported, is not there, or is nothing that can be used.
            ModuleNotFoundError: if something that ninefold ships needs a package that is not installed.
        """
        self.check(name)
        if name in self.shipped:
            thing = self.shipped[name]
            if not isinstance(thing, str):
                return thing
            path, _, attribute = thing.rpartition(":")
            home = load_file(path, self.setting) if path.endswith(".py") else importlib.import_module(path)
            return getattr(home, attribute)
        found, path, attribute = self._module(name)
        with calling(self.setting, name, is_loading=True):
            for part in attribute.split("."):
                found = getattr(found, part, None)
        if found is None:
            raise InputError(
                self.setting, name, problem=f"cannot be loaded: {path} has no {attribute!r}", allowed=self.wanted
            )
        if not self.accepts(found):
            raise InputError(self.setting, name, problem=f"is {description_of(found)}", allowed=self.wanted)
        return found

    def load_all(self, name: str) -> list[Any]:
        """What a name stands for; of a file that is named alone, everything that can be used.

        Raises:
            InputError: as `load`; or if the file holds nothing of the kind.
        """
        if self.default != "*" or name in self.shipped or not self.origin(name).endswith(".py:*"):
            return [self.load(name)]
        self.check(name)
        module, path, _ = self._module(name)
        if not (found := [value for value in vars(module).values() if self.accepts(value)]):
            raise InputError(self.setting, path, problem=f"holds no {self._noun}", allowed=self.wanted)
        return found

    def file(self, name: str) -> Path | None:
        """The user's Python file that a name names; None for every other name."""
        place = self._place(name)
        return None if place is None else Path(place[0])

    def origin(self, name: str) -> str:
        """Where the code is: `ninefold`, or `module:NAME`, or `FILE.py:NAME`."""
        if name in self.shipped:
            return "ninefold"
        if (place := self._place(name)) is not None:
            return ":".join(place)
        points = [point for point in self._points() if point.name == name]
        return f"{points[0].module}:{points[0].attr}" if points else name

    def told(self, name: str) -> str:
        """What a foreign name stands for, in words: `engine of the installed package x 1.0`."""
        points = [point for point in self._points() if point.name == name]
        return f"{self._noun} of {_package(points[0])}" if points else f"{self._noun} in Python"

    def label(self, name: str) -> str:
        """A name as it is shown: without the path of its file or module."""
        return name if name in self.shipped else name.rpartition(":")[2]

    def anchored(self, name: str, folder: Path) -> str:
        """A name with its file's path relative to a folder, where it names a file."""
        return name if self._place(name) is None else anchored_path(name, folder)

    def content(self, name: str) -> bytes:
        """What identifies foreign code: its own name and its file's bytes, wherever the file lies.

        Of a module, the file counts that defines the thing, and the version of the package that announces it; not what
        it imports.

        Raises:
            InputError: if its file is gone, or it is in a module that cannot be imported.
        """
        if (file := self.file(name)) is not None:
            self.check(name)
            return f"{self.origin(name).rpartition(':')[2]}\n".encode() + read_code(file, self.setting)
        found = _source_file(self.load(name))
        packages = [_package(point) for point in self._points() if point.name == name]
        return "\n".join([name, *packages, ""]).encode() + (b"" if found is None else read_code(found, self.setting))

    def checksum(self, names: Iterable[str]) -> str:
        """SHA-256 of the content of the foreign ones among some names, in their order; empty without any."""
        foreign = [self.content(name) for name in names if name not in self.shipped]
        return hashlib.sha256(b"".join(foreign)).hexdigest() if foreign else ""

    def _place(self, name: str) -> tuple[str, str] | None:
        """Path and attribute, where a name names a file."""
        if name in self.shipped:
            return None
        path, _, attribute = name.rpartition(":")
        if path.endswith(".py") and attribute.isidentifier():
            return path, attribute
        return (name, self.default) if self.default and name.endswith(".py") else None

    def _module(self, name: str) -> tuple[Any, str, str]:
        """The module of a foreign name, where it is, and what to ask it for."""
        path, _, attribute = self.origin(name).rpartition(":")
        load = load_file if path.endswith(".py") else load_module
        return load(path, self.setting), path, attribute

    @property
    def _noun(self) -> str:
        return self.what.partition(" ")[2]

    def _points(self) -> EntryPoints:
        return _entry_points(tuple(sys.path), self.group)


def anchored_path(path: str, folder: Path) -> str:
    """A path relative to a folder, or to the home folder where it begins with ~."""
    path = os.path.expanduser(path)
    return path if path.startswith("~") else os.path.join(folder, path)  # ~name of nobody is told where it is used


def description_of(value: object) -> str:
    """What a value is, for a message: its kind, and what it holds where that is short."""
    kind = type(value).__name__
    return f"{kind} {value!r}" if isinstance(value, (bool, int, float, str)) and len(repr(value)) < 40 else kind


@functools.lru_cache(maxsize=32)
def _entry_points(path: tuple[str, ...], group: str) -> EntryPoints:
    """What the installed packages announce, read once: some 8 ms. `path` is `sys.path`, where they are looked for."""
    from importlib.metadata import entry_points  # 10 ms, which `--help` need not wait for

    return entry_points(group=group)


def _package(point: EntryPoint) -> str:
    dist = point.dist
    return f"the package {dist.name} {dist.version}" if dist is not None else f"the package of {point.value}"


def _is_module_path(name: str) -> bool:
    module, _, attribute = name.partition(":")
    return attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _source_file(thing: Any) -> Path | None:
    """The file that defines a function, a class or an object's class."""
    thing = inspect.unwrap(thing)
    try:
        found = inspect.getsourcefile(thing)
    except TypeError:
        try:
            found = inspect.getsourcefile(type(thing))
        except TypeError:
            found = None
    return Path(found) if found else None
