"""VASP's relaxations and the end of a queue job's time: stopped after an ionic step, and gone on with in the next.

Custodian's own `WalltimeHandler` is not used: it counts from the first job of a process, needs five minutes, and a
relaxation that it has stopped counts as successful, so that the flow goes on with a cell that is not relaxed.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from custodian.custodian import ErrorHandler

from ninefold.flows.earlier import JOB_UNTIL

SPARE_SECONDS = 120.0
"""Beside the longest ionic step, so long before the end VASP is told to stop: files are written, and a look is late."""
_STEP = re.compile(r"LOOP\+:.*real time\s*([\d.]+)")
_STOPPED = ("soft stop encountered", "hard stop encountered")
_ENDED = "General timing and accounting informations"


class StopInTime(ErrorHandler):
    """Tells VASP to stop after the present ionic step, before the job's time is over; then the job ends with an error.

    The time is that of the environment variable `JOB_UNTIL`, in seconds since 1970; without it nothing is stopped.

    Args:
        spare_seconds: See `SPARE_SECONDS`.
    """

    is_monitor = True
    is_terminating = False
    raises_runtime_error = True
    is_out_of_time = True
    """By this `ninefold.flows.earlier` knows the error that custodian raises."""

    def __init__(self, spare_seconds: float = SPARE_SECONDS) -> None:
        self.spare_seconds = spare_seconds

    def check(self, directory: str = "./") -> bool:
        """Whether VASP has stopped because it was told to; tells it, if it is time.

        The telling is no correction: custodian would count each look as one, and start VASP again.
        """
        until = os.environ.get(JOB_UNTIL)
        if until is None:
            return False
        try:
            text = Path(directory, "OUTCAR").read_text(errors="replace")
        except OSError:
            return False
        if any(words in text for words in _STOPPED):
            return True
        longest = max(map(float, _STEP.findall(text)), default=0.0)
        if _ENDED not in text and float(until) - time.time() < longest + self.spare_seconds:
            Path(directory, "STOPCAR").write_text("LSTOP = .TRUE.\n")
        return False

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Nothing can be corrected: another queue job goes on."""
        return {"errors": ["stopped before the end of the queue job"], "actions": None}
