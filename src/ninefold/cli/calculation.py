"""What the commands that compute structures share: options, an early end, progress, where structures go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ninefold.cli.outputs import check_output, check_output_folder

if TYPE_CHECKING:
    from ninefold.engines import EngineSettings
    from ninefold.output.target import Target

EngineOption = Annotated[
    str | None,
    typer.Option("--engine", help="What computes energies: chgnet, sevennet, gpaw, a plug-in or FILE.py:NAME."),
]

ModelOption = Annotated[
    str | None, typer.Option("--model", help="Model or weight file of the engine; settings of gpaw.")
]

BarrierEngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", show_default=False, help="What computes energies: docs/engines.md. Default: sevennet 7net-l3i5.",
    ),
]  # fmt: skip

BARRIER_MODEL = "7net-l3i5"
"""Of SevenNet, for barriers: K2ReH9's path at 1a is within 9 meV of PBE's image by image, and 7net-0 has half of its
barrier (docs/dynamics.md)."""

TIME_IS_UP = "time is up"
ONE_FILE = "a file for all that ends with .cif, .xyz or .extxyz"


def barrier_engine(engine: str | None, model: str | None) -> EngineSettings:
    """What computes the energies of paths, where accuracy is worth the time; a model alone is one of SevenNet's."""
    from ninefold.engines import EngineSettings

    if engine is None:
        return EngineSettings(name="sevennet", model=model or BARRIER_MODEL)
    return EngineSettings(name=engine, model=model)


class StopSignal:
    """Says when to end: the time is up, or the user pressed Ctrl-C; then keeps saying so."""

    def __init__(self, seconds: float | None) -> None:
        import time

        self._clock, self._start, self._seconds = time.monotonic, time.monotonic(), seconds
        self.reason: str | None = None

    def __call__(self) -> bool:
        """Whether to end now."""
        if self.reason is None and self._is_spent(1.0):
            self.reason = TIME_IS_UP
        return self.reason is not None

    def first(self, share: float) -> FirstPart:
        """Says when to end the first part of the work, so that time is left for the rest.

        Args:
            share: Of the time that the first part may take.
        """
        return FirstPart(lambda: self() or self._is_spent(share))

    def _is_spent(self, share: float) -> bool:
        return self._seconds is not None and self._clock() >= self._start + share * self._seconds


class FirstPart:
    """Says when a part of the work is to end; remembers that it has said so."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        self.was_cut = False

    def __call__(self) -> bool:
        """Whether to end now."""
        self.was_cut = self.was_cut or self._is_over()
        return self.was_cut


@contextmanager
def stopping(seconds: float | None) -> Iterator[StopSignal]:
    """Ctrl-C ends after the calculation in flight; pressed again, at once."""
    import signal

    from ninefold.cli import signals

    stop = StopSignal(seconds)

    def on_interrupt(*_: Any) -> None:
        if stop.reason == "interrupted":
            signals.end_at_once(signal.SIGINT)
        stop.reason = "interrupted"
        typer.echo("Stopping after the calculation in flight; Ctrl-C again drops it.", err=True)

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def step_progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Counts of each step, the time spent and the time left (no total: none is known); on standard error."""
    from ninefold.cli.progress import progress_display
    from ninefold.flows.progress import Progress

    with progress_display(quiet_seconds=5.0) as show:
        yield lambda step, done, total: show(Progress(step, done, total, ""))


def structure_target(out: str, names: Sequence[str], force: bool, inputs: Sequence[Path], command: str = "") -> Target:
    """Where structures go; checked, and a folder made, before anything is computed.

    Args:
        out: File or folder as the user wrote it.
        names: Patterns of the file names, without ending, that will be written into a folder.
        force: Whether files may be replaced.
        inputs: Files that the command reads.
        command: As the folder's manifest names it, where its earlier files will be removed.
    """
    from ninefold.errors import InputError
    from ninefold.output.target import STRUCTURES, structure_ending, target_of

    target = target_of(out, only=STRUCTURES)
    if not target.is_folder:
        check_output(target.path, force=force, inputs=inputs)
        return target
    for name in names:
        pattern = f"{name}{structure_ending(target.kind)}"
        check_output_folder(target.path, pattern=pattern, command=command, force=force, inputs=inputs)
    try:
        target.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", out, problem=f"cannot be made: {error.strerror}") from error
    return target


@contextmanager
def told_by(engine: str = "--engine", model: str | None = "--model") -> Iterator[None]:
    """Errors of an engine's settings name the options that they are from.

    Args:
        engine: That names the engine.
        model: That names its model; None where `engine` does.
    """
    from ninefold.errors import InputError

    options = {"engine.name": engine, "engine.model": model or engine}
    try:
        yield
    except InputError as error:
        if error.field not in options:
            raise
        raise InputError(
            options[error.field], error.value, problem=error.problem, allowed=error.allowed, hint=error.hint
        ) from error


def refuse(field: str, value: Any, problem: str, allowed: str) -> NoReturn:
    """Raise `InputError` of an option."""
    from ninefold.errors import InputError

    raise InputError(field, value, problem=problem, allowed=allowed)
