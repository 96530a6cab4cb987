"""Several workers of one queue job: a process each, started and ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from ninefold.run.children import adopting_orphans, descendants, end_children, end_orphans

PARENT = "NINEFOLD_WORKER_GROUP"
"""Process id of the one that started a worker: where that was killed, the worker ends, too."""
POLL_SECONDS = 0.5
APART_SECONDS = 0.2
"""Between two starts: the imports of all at once would wait for one file system."""
GRACE_SECONDS = 120.0
"""That workers have to give their jobs back, after they were told to end."""


@adopting_orphans()
def run_workers(command: Sequence[str], count: int, *, has_devices: bool = False) -> int:
    """Run a command several times side by side, until all have ended; signals are passed on.

    Args:
        command: Of one worker.
        count: Processes.
        has_devices: Whether each gets one of the accelerators that this process may use.

    Returns:
        The exit code: 0 if one of them ended with it. A worker that was killed does not end the others.
    """
    told: list[int] = []
    before: dict[int, Any] = {
        number: signal.signal(number, lambda number, _: told.append(number))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    others = descendants()
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for place in range(count):
            if told:
                break
            environment = {**os.environ, PARENT: str(os.getpid()), **_device(place, has_devices)}
            # in this session: what ends a queue job by its process group reaches them
            workers.append(subprocess.Popen(command, env=environment))
            time.sleep(APART_SECONDS)
        passed_on, last = 0, float("inf")
        while any(worker.poll() is None for worker in workers):
            if len(told) > passed_on:
                for worker in workers:
                    if worker.poll() is None:
                        worker.send_signal(told[-1])
                passed_on, last = len(told), min(last, time.monotonic() + GRACE_SECONDS)
            if time.monotonic() > last:
                break
            end_orphans({*others, *(worker.pid for worker in workers)})  # what a worker that was killed has left
            time.sleep(POLL_SECONDS)
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        end_children(others)
        for number, handler in before.items():
            signal.signal(number, handler)
    codes = [worker.returncode for worker in workers]
    return 0 if not codes or 0 in codes else max(1, max(codes))


def _device(place: int, has_devices: bool) -> dict[str, str]:
    """The variable that gives a process its accelerator."""
    if not has_devices:
        return {}
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return {"CUDA_VISIBLE_DEVICES": visible[place % len(visible)] if visible else str(place)}
