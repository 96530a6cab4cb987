"""Running Python that is not ninefold's: a user's file, or a module of an installed package.

Whatever it raises is reported with its origin, as the user's to mend. That includes `sys.exit`, which would
otherwise end ninefold silently and with success.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType

from ninefold.errors import InputError, MissingDependencyError, NinefoldError, description
from ninefold.paths import user_path

_PACKAGE = str(Path(__file__).resolve().parent)
_MARK = "_ninefold_plugin"
"""Global of a module that was loaded here: code of it that another library calls later is known by it."""


def load_file(path: str | Path, setting: str) -> ModuleType:
    """A Python file as a module; one module for the same file with the same content.

    Args:
        path: The file.
        setting: Where it is named, for the error.

    Raises:
        InputError: if it is no Python file, or raises anything.
    """
    file = user_path(path, setting).absolute()
    if not file.is_file() or file.suffix != ".py":
        raise InputError(setting, str(path), problem="is not a Python file" if file.exists() else "does not exist")
    source = read_code(file, setting)
    # in sys.modules, where dataclasses and pickle look a class's module up; by content, since a file may be edited
    name = f"ninefold_user_{file.stem}_{hashlib.sha256(str(file).encode() + source).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    setattr(module, _MARK, True)
    sys.modules[name] = module
    try:
        with loading(setting, path):
            # not by the loader, whose stored bytecode is out of date where an edit keeps second and size
            exec(compile(source, str(file), "exec", dont_inherit=True), vars(module))
    except BaseException:
        del sys.modules[name]
        raise
    return module


def load_module(name: str, setting: str) -> ModuleType:
    """A module by its import path.

    Raises:
        InputError: if there is no such module, or it raises anything.
    """
    with loading(setting, name):
        module = importlib.import_module(name)
    if name.partition(".")[0] != "ninefold":
        setattr(module, _MARK, True)
    return module


@contextmanager
def calling(setting: str, origin: object, *, is_loading: bool = False) -> Iterator[None]:
    """Name the origin of whatever is raised inside.

    Args:
        setting: Where the code is named.
        origin: Its file or package.
        is_loading: A file that is being loaded has no reason to raise `KeyboardInterrupt`; code that is called
            hours later is interrupted by the user, and that stays an interruption.

    Raises:
        InputError: in place of anything that is raised, an exit included.
    """
    try:
        yield
    except NinefoldError:  # says already what is wrong, and where
        raise
    except (Exception, SystemExit) as error:
        raise _named(setting, origin, error) from error
    except BaseException as error:
        if not is_loading or type(error).__module__.startswith("ninefold."):
            raise
        raise _named(setting, origin, error) from error


def blamed(error: BaseException, setting: str = "your file") -> InputError | None:
    """An exception that came out of a user's code, where another library called it, with the file's name.

    Args:
        error: As it was caught.
        setting: What the file is to the user.

    Returns:
        What to report; None if the innermost frame, of those that are ninefold's or the user's, is ninefold's.
    """
    for frame in reversed(list(_frames(error.__traceback__))):
        file = frame.tb_frame.f_code.co_filename
        if _MARK in frame.tb_frame.f_globals:
            return _named(setting, file, error, f" in line {frame.tb_lineno}")
        if file.startswith(_PACKAGE):
            return None
    return None


def missing_package(error: ModuleNotFoundError, setting: str, value: object) -> MissingDependencyError | None:
    """A package that is not installed, as such; None if what is missing belongs to Python or to ninefold."""
    package = (error.name or "").partition(".")[0]
    if not package or package == "ninefold" or package in sys.stdlib_module_names:
        return None
    return MissingDependencyError(setting, value, package)


@contextmanager
def loading(setting: str, origin: object) -> Iterator[None]:
    """As `calling`, for what is imported; a module or package that is not installed is told as such.

    Raises:
        InputError: in place of anything that is raised.
        MissingDependencyError: if a package is not installed that the code imports.
    """
    missing: ModuleNotFoundError | None = None
    with calling(setting, origin, is_loading=True):
        try:
            yield
        except ModuleNotFoundError as error:
            if missing_package(error, setting, origin) is None:
                raise
            missing = error
    if missing is None:
        return
    if f"{origin}.".startswith(f"{missing.name}."):  # the module itself: perhaps misspelt, so nothing to install
        raise InputError(
            setting, str(origin), problem="is no module on the Python path", hint="a file is named as FILE.py:NAME"
        ) from missing
    told = missing_package(missing, setting, str(origin))
    assert told is not None
    raise told from missing


def read_code(file: Path, setting: str) -> bytes:
    """The bytes of a file.

    Raises:
        InputError: if it cannot be read.
    """
    path = user_path(file, setting)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(setting, str(file), problem=f"cannot be read: {error.strerror}") from error


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _named(setting: str, origin: object, error: BaseException, where: str = "") -> InputError:
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) or error.code is None else repr(error.code)
        return InputError(
            setting,
            str(origin),
            problem=f"ends the program{where} (sys.exit, code {code})",
            hint="raise an error instead",
        )
    return InputError(setting, str(origin), problem=f"raises {description(error)}{where}")
