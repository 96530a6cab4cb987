"""Paths as users write them: checked once, where they come in."""

from __future__ import annotations

import errno
from pathlib import Path

from ninefold.errors import InputError

_ABSENT = (errno.ENOENT, errno.ENOTDIR)
"""Nothing is there: for the caller to judge, who may want to make it."""
_CAUSES = {
    errno.ENAMETOOLONG: "is too long for a file name",
    errno.ELOOP: "is a link that leads back to itself",
    errno.EACCES: "lies in a folder that this user may not read",
}


def user_path(value: str | Path, field: str) -> Path:
    """The path that a user gave, with `~` replaced by the home folder.

    What comes back can be asked `exists`, `is_file` and `is_dir` without raising.

    Args:
        value: As it was given.
        field: Where it stands, for the error.

    Raises:
        InputError: if no file can have this name, its folder may not be read, `~name` names no user, or it is `-`.
    """
    if not str(value):
        raise InputError(field, str(value), problem="is no path: it is empty")
    if str(value) == "-":
        raise InputError(
            field, "-", problem="is not taken for standard input or output", allowed="a path",
            hint="./- is a file of that name",
        )  # fmt: skip
    try:
        path = Path(value).expanduser()
    except RuntimeError as error:
        raise InputError(
            field, str(value), problem="begins with ~ and names no user of this machine", hint="./~name is a file"
        ) from error
    try:
        path.stat()
    except ValueError as error:  # a null byte
        raise InputError(field, str(value), problem="is no path: it holds a null byte") from error
    except UnicodeError as error:
        raise InputError(field, str(value), problem="is no path in this machine's encoding of file names") from error
    except OSError as error:
        if error.errno not in _ABSENT:
            problem = _CAUSES.get(error.errno or 0, f"cannot be used as a path: {error.strerror}")
            raise InputError(field, str(value), problem=problem) from error
        if not path.is_absolute():
            _check_working_folder(value, field)
    return path


def readable_file(value: str | Path, field: str, *, what: str) -> Path:
    """A file that is there: a folder, a pipe or a device is refused, which could be read without end.

    Args:
        value: As it was given.
        field: Where it stands, for the error.
        what: What should be there, such as "a YAML file".

    Raises:
        InputError: as `user_path`; and if nothing is there, or no plain file.
    """
    path = user_path(value, field)
    if path.is_file():
        return path
    problem = "is a folder" if path.is_dir() else "is no plain file" if path.exists() else "does not exist"
    raise InputError(field, str(value), problem=problem, allowed=what)


def _check_working_folder(value: str | Path, field: str) -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise InputError(
            field, str(value), problem="cannot be found: the working folder has been deleted",
            hint="change to a folder that exists",
        ) from error  # fmt: skip
