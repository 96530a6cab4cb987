"""Interrupts: the first ends the command with one line and what is kept, the second ends the process at once.

SIGINT (Ctrl-C), SIGTERM and SIGHUP are treated alike. What ignored one of them when the process started
(`nohup`, a shell's background job) goes on ignoring it. Imports nothing heavy: it is there before the rest is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_AGAIN_SECONDS = 0.05
_received: list[int] = []
"""Signals so far; the second ends the process."""


class Interrupted(BaseException):
    """The user, or the system, wants the command to end; no library takes it for an error of its own.

    Args:
        number: The signal.
        kept: What is kept and how to go on, for people.
    """

    def __init__(self, number: int, kept: str = "") -> None:
        self.number, self.exit_code = number, 128 + number
        super().__init__("; ".join(part for part in (_WORDS[signal.Signals(number)], kept) if part))


def install() -> None:
    """Handle the signals from here on; to be called in the main thread."""
    _received.clear()
    for number in _WORDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_signal)
    sys.unraisablehook = _on_unraisable


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
    """An interrupt inside the block ends the process with one line: for imports, which leave nothing to keep."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    previous = signal.signal(signal.SIGINT, lambda number, _: end_at_once(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def end_at_once(number: int) -> NoReturn:
    """End this process and its workers now, with one line; the store holds whatever it has acknowledged."""
    with contextlib.suppress(Exception):
        if "multiprocessing" in sys.modules:
            import multiprocessing

            for process in multiprocessing.active_children():
                process.kill()
    with contextlib.suppress(OSError):
        show_cursor = "\x1b[?25h\n" if os.isatty(2) else ""  # a progress bar hides it
        os.write(2, f"{show_cursor}ninefold: error: {_WORDS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)


def leave(code: int) -> NoReturn:
    """End an interrupted process whose work is wound up: the interpreter's own end would wait for threads."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _on_signal(number: int, _: FrameType | None) -> None:
    _received.append(number)
    if len(_received) > 1:
        end_at_once(number)
    if number == signal.SIGHUP:
        _let_go_of_dead_terminal()
    raise Interrupted(number)


def _let_go_of_dead_terminal() -> None:
    """Where the terminal is gone, what is still written to it must not fail."""
    for descriptor in (1, 2):
        try:
            os.write(descriptor, b"")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _on_unraisable(unraisable: Any) -> None:
    """An interrupt that fell into a callback, which drops it: send it again, instead of printing a traceback."""
    if isinstance(unraisable.exc_value, Interrupted):
        number = unraisable.exc_value.number
        _received.clear()
        timer = threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(unraisable)
