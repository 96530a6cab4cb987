"""What makes a worker end, and stops the job that it runs: signals, and the end of its time."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ninefold.flows.earlier import JOB_UNTIL

AGAIN_SECONDS = 5.0
"""After which a job that has not ended on a signal is told again."""


class JobStopped(BaseException):
    """The worker's time is over, or its campaign was cancelled: the job ends here and goes back."""


class OutOfTime(JobStopped):
    """The job has stopped by itself, as its worker's time is nearly over: it goes back, and the worker ends."""


class Ending:
    """What makes a worker end, and stops the job that runs: signals and the end of its time.

    Used in the main thread. While a job computes, it is stopped where it is; otherwise the worker ends after the step
    that it is at, so that no update of the launchpad is cut short.

    Args:
        seconds: From now; None for no end.
    """

    def __init__(self, seconds: float | None) -> None:
        self._last = None if seconds is None else time.monotonic() + seconds
        self.reason: str | None = None
        """Why the worker ends; None while it goes on."""
        self._is_computing = self._is_cancelled = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Ending:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, self._on_signal)
        if self._last is not None:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, self._last - time.monotonic()), AGAIN_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        os.environ.pop(JOB_UNTIL, None)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """A job computes inside the block, and can be stopped.

        Raises:
            JobStopped: if it is to be.
        """
        self._is_cancelled = False
        if self.reason is not None:
            raise JobStopped(self.reason)
        self._is_computing = True
        try:
            yield
        finally:
            self._is_computing = False

    def announce(self) -> None:
        """Tell what this process starts when its time is over."""
        os.environ.pop(JOB_UNTIL, None)
        if self._last is not None:
            os.environ[JOB_UNTIL] = str(time.time() + self.left())

    def tell(self, stopped: JobStopped) -> None:
        """A job was stopped: the next one would be at once, where the time is nearly over."""
        if isinstance(stopped, OutOfTime):
            self.reason = self.reason or "its time is nearly over"

    def left(self) -> float:
        """Seconds until the end."""
        return float("inf") if self._last is None else self._last - time.monotonic()

    def _on_signal(self, number: int, _: Any) -> None:
        if number == signal.SIGUSR1:  # our own, for the job alone
            self._is_cancelled = True
        elif number == signal.SIGALRM:
            if self._last is not None and time.monotonic() >= self._last:
                self.reason = self.reason or "its time is over"
        else:
            self.reason = self.reason or f"told to end ({signal.Signals(number).name})"
            # again and again: an interrupt that falls into a callback is dropped there
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS, AGAIN_SECONDS)
        if self._is_computing and (self.reason is not None or self._is_cancelled):
            raise JobStopped(self.reason or "the campaign was cancelled")
