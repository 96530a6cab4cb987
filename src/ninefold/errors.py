"""What ninefold raises: an error names the field, the value, what is allowed and what to do.

Exit codes follow the cause: 2 for what the user can mend (`InputError`), 1 for what we must
mend (every other `NinefoldError`).
"""

from __future__ import annotations

from collections.abc import Sequence

NOT_ALLOWED = "is not allowed"
LONGEST_SHOWN = 300
"""Characters of a value that a message repeats; the middle of a longer one is left out."""


class NinefoldError(Exception):
    """Base of every error that ninefold raises on purpose; the CLI prints it as one line."""

    exit_code = 1


class InputError(NinefoldError):
    """The user's input cannot be used.

    Args:
        field: Where the value stands, in the user's terms (`space.centres`, `--store`, a path).
        value: What came; None, with a problem in words, where nothing did.
        allowed: What would have been accepted, or None where the problem says it.
        problem: What is wrong with the value; defaults to "is not allowed".
        hint: What to do next.
    """

    exit_code = 2

    def __init__(
        self,
        field: str,
        value: object,
        *,
        problem: str = NOT_ALLOWED,
        allowed: object | None = None,
        hint: str | None = None,
    ) -> None:
        self.field, self.value, self.problem, self.allowed, self.hint = field, value, problem, allowed, hint
        is_absent = value is None and problem != NOT_ALLOWED
        text = f"{field} {problem}" if is_absent else f"{field}: {shown(value)} {problem}"
        if allowed is not None:
            text += f"; allowed: {allowed}"
        if hint:
            text += f"; {hint}"
        super().__init__(" ".join(text.split()))

    def __reduce__(self) -> tuple[object, ...]:  # keyword arguments survive a worker process
        return (_rebuild_input_error, (self.field, self.value, self.problem, self.allowed, self.hint))


class FieldError(ValueError):
    """A validator's error that names one field of the settings, where it looks at several or at their whole.

    Args:
        field: Below the settings that are validated: `search`, `energies.1`.
        value: What is there.
        problem: What is wrong with it.
        hint: What to do next.
    """

    def __init__(self, field: str, value: object, problem: str, hint: str | None = None) -> None:
        self.field, self.value, self.problem, self.hint = field, value, problem, hint
        super().__init__(problem)


class MachineFaultError(NinefoldError):
    """The machine or foreign code failed, not a calculation: nothing is stored of it, and a resumed run tries again.

    Args:
        message: What failed and what to do.
        is_at_end: Whether everything that did not fail has been computed and stored.
    """

    def __init__(self, message: str, *, is_at_end: bool = False) -> None:
        super().__init__(message)
        self.is_at_end = is_at_end


def shown(value: object) -> str:
    """A value as a message repeats it: in quotes if it is text, and never longer than a message can hold."""
    try:
        text = repr(value)
    except ValueError:  # Python prints no whole number of more than 4300 digits
        return "a number of thousands of digits"
    if len(text) <= LONGEST_SHOWN:
        return text
    return f"{text[: LONGEST_SHOWN - 60]}...{text[-50:]} ({len(text)} characters)"


def listed(names: Sequence[str], most: int, separator: str = ", ") -> str:
    """Names for a message: the first few, and how many more there are.

    Args:
        names: At least one.
        most: Names that are given.
        separator: Another one where names hold commas or blanks.
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return separator.join(names[:most]) + more


def description(error: BaseException) -> str:
    """What an exception is, in one line; its own text may raise, too."""
    try:
        words = " ".join(str(error).split())
    except Exception:  # the exception's class is the user's
        words = ""
    name = type(error).__name__
    return f"{name}: {words[:LONGEST_SHOWN]}" if words else name


def _rebuild_input_error(
    field: str, value: object, problem: str, allowed: object | None, hint: str | None
) -> InputError:
    return InputError(field, value, problem=problem, allowed=allowed, hint=hint)


class MissingDependencyError(InputError):
    """An optional package is not installed."""

    def __init__(self, field: str, value: object, package: str, extra: str | None = None) -> None:
        target = f"'ninefold[{extra}]'" if extra else package
        super().__init__(
            field,
            value,
            problem=f"needs the package {package!r}, which is not installed",
            hint=f"pip install {target}",
        )
        self.package, self.extra = package, extra

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingDependencyError, (self.field, self.value, self.package, self.extra))
