"""Python of the user's: rules, structure sources, workflows, engines. Loaded and called here, and nowhere else.

Whatever it raises is reported with its file's name, as the user's to mend. That includes `sys.exit`, which would
otherwise end ninefold silently and with success.
"""

from __future__ import annotations

import importlib
import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ninefold.errors import InputError, NinefoldError, description
from ninefold.paths import user_path

_PACKAGE = str(Path(__file__).resolve().parent)
_files: set[str] = set()
"""Files that have been loaded; code of theirs that is called later, by another library, is known by them."""


def load_file(path: str | Path, field: str) -> ModuleType:
    """A Python file as a module.

    Args:
        path: The file.
        field: Where it is named, for the error.

    Raises:
        InputError: if it is no Python file, or raises anything.
    """
    file = user_path(path, field).absolute()
    name = f"ninefold_user_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise InputError(field, str(path), problem="is not a Python file" if file.exists() else "does not exist")
    module = importlib.util.module_from_spec(spec)
    _files.add(str(file))
    with calling(field, path, is_loading=True):
        spec.loader.exec_module(module)
    return module


def load_module(name: str, field: str) -> ModuleType:
    """A module by its import path.

    Raises:
        InputError: if there is no such module, or it raises anything.
    """
    with calling(field, name, is_loading=True):
        module = importlib.import_module(name)
    if module.__file__:
        _files.add(module.__file__)
    return module


@contextmanager
def calling(field: str, origin: object, *, is_loading: bool = False) -> Iterator[None]:
    """Name the origin of whatever is raised inside.

    Args:
        field: Where the code is named.
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
        raise _named(field, origin, error) from error
    except BaseException as error:
        if not is_loading or type(error).__module__.startswith("ninefold."):
            raise
        raise _named(field, origin, error) from error


def blamed(error: BaseException, field: str = "your file") -> InputError | None:
    """An exception that came out of a user's code, where another library called it, with the file's name.

    Args:
        error: As it was caught.
        field: What the file is to the user.

    Returns:
        What to report; None if the innermost frame, of those that are ninefold's or the user's, is ninefold's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if frame.filename in _files:
            return _named(field, frame.filename, error, f" in line {frame.lineno}")
        if frame.filename.startswith(_PACKAGE):
            return None
    return None


def _named(field: str, origin: object, error: BaseException, where: str = "") -> InputError:
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) or error.code is None else repr(error.code)
        return InputError(
            field,
            str(origin),
            problem=f"ends the program{where} (sys.exit, code {code})",
            hint="raise an error instead",
        )
    return InputError(field, str(origin), problem=f"raises {description(error)}{where}")
