"""A script that starts worker processes has to be importable: each of them imports it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import FrameType

from ninefold.errors import InputError


def check_main_guard() -> None:
    """Refuse to start processes from a script that each of them would run again.

    A worker imports the file of the main module. What stands there outside `if __name__ == "__main__":` runs in it,
    would start workers in turn, and every one of them would fail with a traceback of its own.

    Raises:
        InputError: naming the file and the line.
    """
    file = getattr(sys.modules["__main__"], "__file__", None)
    line = _line_in_main()
    if file is None or line is None:  # an interactive session, or a thread: nothing is run again
        return
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    guarded = (
        node.lineno <= line <= (node.end_lineno or line)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
    )
    if not any(guarded):
        raise InputError(
            "script", str(file), problem=f"starts worker processes in line {line} outside the main guard; each of them "
            "imports the script and would start it again",
            hint='put the call under if __name__ == "__main__": or set execution.workers to 1',
        )  # fmt: skip


def _line_in_main() -> int | None:
    """The line of the main module's own code, outside any function, that this thread is executing."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals is vars(sys.modules["__main__"]):
            return frame.f_lineno
        frame = frame.f_back
    return None
