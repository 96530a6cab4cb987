"""Progress of a long command: one bar per stage on a terminal, else one line per step; on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from ninefold.errors import MachineFaultError
from ninefold.flows.progress import Listener, Pace, Progress, listening


@contextmanager
def progress_display(quiet_seconds: float = 0.0) -> Iterator[Listener]:
    """Show what is announced: counts and time spent, and the time left while something is.

    Args:
        quiet_seconds: Between two lines of one stage, where standard error is no terminal.
    """
    import sys

    if sys.stderr.isatty():
        with _bars() as listener:
            yield listener
    else:
        yield _lines(quiet_seconds)


def run_to_the_end(compute: Callable[[], object], quiet_seconds: float = 0.0) -> MachineFaultError | None:
    """Run with progress shown; what the machine kept from being computed is given back, to be raised after the rest.

    Args:
        compute: Called once.
        quiet_seconds: As in `progress_display`.

    Raises:
        MachineFaultError: if it ended the run before its end.
    """
    try:
        with progress_display(quiet_seconds) as show, listening(show):
            compute()
    except MachineFaultError as error:
        if not error.is_at_end:
            raise
        return error
    return None


def times(elapsed: float, left: float | None) -> str:
    """`2 min 5 s, about 7 min 0 s left`."""
    from ninefold.report.text import duration

    return duration(elapsed) + (f", about {duration(left)} left" if left is not None else "")


def _lines(quiet_seconds: float) -> Listener:
    pace = Pace()
    last: dict[str, float] = {}

    def show(step: Progress) -> None:
        elapsed, left = pace.of(step)
        now = time.monotonic()
        if step.done != step.total and now - last.setdefault(step.stage, now - elapsed) < quiet_seconds:
            return
        last[step.stage] = now
        count = f"{step.done}/{step.total}" if step.total is not None else f"{step.done}"
        words = " ".join(word for word in (count, step.unit, step.note) if word)
        typer.echo(f"{step.stage}: {words} ({times(elapsed, left)})", err=True)

    return show


@contextmanager
def _bars() -> Iterator[Listener]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn
    from rich.progress import Progress as Bars
    from rich.text import Text

    class Times(ProgressColumn):
        """Time spent; while a stage runs, also the time left."""

        def render(self, task: Task) -> Text:
            ends = task.fields["ends"]
            left = None if task.finished or ends is None else max(0.0, ends - time.monotonic())
            return Text(times((task.finished_time if task.finished else task.elapsed) or 0.0, left))

    # a note is a formula, and a bracket in a text is no markup
    columns = (
        TextColumn("{task.description:<14}", markup=False), BarColumn(24), MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}", markup=False), Times(), TextColumn("{task.fields[note]}", markup=False),
    )  # fmt: skip
    pace = Pace()
    with Bars(*columns, console=Console(stderr=True, highlight=False, markup=False, emoji=False)) as bars:
        tasks: dict[str, Any] = {}
        done: dict[str, int] = {}

        def show(step: Progress) -> None:
            _, left = pace.of(step)
            if step.stage not in tasks:
                for stage, task in tasks.items():  # a stage that could not say its total has ended
                    bars.update(task, total=done[stage])
                tasks[step.stage] = bars.add_task(step.stage, total=step.total, unit=step.unit, note="", ends=None)
            elif step.done < done[step.stage]:  # the next shard of the stage
                bars.reset(tasks[step.stage], total=step.total)
            done[step.stage] = step.done
            ends = None if left is None else time.monotonic() + left
            bars.update(tasks[step.stage], completed=step.done, total=step.total, note=step.note, ends=ends)

        yield show
