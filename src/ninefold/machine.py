"""What this process may use of the machine."""

from __future__ import annotations

import functools
import os
import platform
import sys
from pathlib import Path

_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip
"""Variables that numerical libraries read once, when they are loaded."""


def usable_cores() -> int:
    """Cores that this process may run on; where the system does not say, all that there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def hardware() -> str:
    """Processor and the cores that this process may use."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass  # not Linux: the platform's own word has to do
    return f"{model}, {usable_cores()} cores"


def use_one_thread() -> None:
    """One thread for numerical libraries, in this process and in those that it starts, whatever the user has set.

    Sums over several threads are rounded otherwise than over one, a minimisation follows the last digit, and a pool of
    structures loses or gains a member. One thread gives one result on any number of cores; cores are used by worker
    processes. Called before numpy is loaded it needs nothing else; libraries that are loaded already are told, too.
    """
    for name in _THREADS:
        os.environ[name] = "1"
    if "numba" not in sys.modules:  # it refuses a change after its threads have started; our kernels have none
        os.environ["NUMBA_NUM_THREADS"] = "1"
    if "numpy" in sys.modules or "scipy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(1)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)
