"""A worker on a node that reaches no database: takes jobs from a spool folder and gives back files."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ninefold.atomic_files import write_atomically
from ninefold.engines.unfinished import kept_in
from ninefold.errors import InputError, NinefoldError, description
from ninefold.flows.earlier import continued, is_out_of_time
from ninefold.flows.runner import Run, registered_as, running_with
from ninefold.flows.workplace import close_workplaces
from ninefold.machine import use_one_thread
from ninefold.run import spool_jobs
from ninefold.run.children import adopting_orphans, core_time, descendants, end_children
from ninefold.run.cluster_worker import HEARTBEAT_SECONDS, PAUSE_SECONDS, Worked
from ninefold.run.ending import Ending, JobStopped, OutOfTime
from ninefold.run.flow_run import OF_EVERY_JOB
from ninefold.run.job_errors import note_failed
from ninefold.run.one_process import OneProcess, held_tasks
from ninefold.run.room import check_room
from ninefold.run.running_job import folder_of_job, in_folder
from ninefold.run.spool_jobs import CANCELLED, DONE, JOBS, RUNNING, WORKERS, JobName
from ninefold.store import Store, open_store
from ninefold.store.locate import opened_instead
from ninefold.store.spool import Spool, SpoolStore
from ninefold.store.store import Mode


def work_from_spool(
    folder: Path,
    kinds: Sequence[str],
    *,
    max_seconds: float | None = None,
    idle_seconds: float = 120.0,
    scratch: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Worked:
    """Run jobs of a spool folder in this process; called in the main thread.

    Args:
        folder: The spool folder.
        kinds: Of resources that this node has.
        max_seconds: After which it has ended: the job that runs then is given back.
        idle_seconds: After which it ends if no job was there.
        scratch: A fast folder of this node, for what a job reads and writes; default: the system's.
        tell: Told a line for each job.
    """
    use_one_thread()
    worker = f"{os.uname().nodename}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    done = Worked()
    with adopting_orphans(), Ending(max_seconds) as ending, _alive(folder, worker):
        ending.announce()
        idle_since, pause = time.monotonic(), PAUSE_SECONDS[0]
        while ending.reason is None:
            check_room("scratch", scratch)
            file = _taken(folder, kinds, worker)
            if file is not None:
                _run(folder, file, ending, scratch, done, tell)
                idle_since, pause = time.monotonic(), PAUSE_SECONDS[0]
                continue
            if time.monotonic() - idle_since >= idle_seconds:
                if not folder.is_dir():
                    raise InputError(
                        "spool", str(folder), problem="does not exist on this node",
                        hint="'ninefold serve-spool' makes it; the nodes must see the same folder",
                    )  # fmt: skip
                done.reason = f"nothing was ready for {idle_seconds:g} s"
                return done
            time.sleep(min(pause, idle_seconds))
            pause = min(1.5 * pause, PAUSE_SECONDS[1])
        done.reason = ending.reason
    return done


@contextmanager
def _alive(folder: Path, worker: str) -> Iterator[None]:
    """A file that changes while this process lives."""
    # the folder is the server's to make: where it is not mounted, one of this node's own would never hold a job
    file, ended = folder / WORKERS / worker, threading.Event()

    def beat() -> None:
        number = 0
        while True:
            with suppress(OSError):
                write_atomically(file, str(number).encode())
            number += 1
            if ended.wait(HEARTBEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name="spool worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        file.unlink(missing_ok=True)
        with suppress(OSError):
            (folder / RUNNING / worker).rmdir()


def _taken(folder: Path, kinds: Sequence[str], worker: str) -> Path | None:
    """The first job that this worker could take."""
    waiting = sorted((name, kind) for kind in kinds for name in spool_jobs.job_names_in(folder / JOBS / kind))
    for name, kind in waiting:
        target = folder / RUNNING / worker / name
        if spool_jobs.moved(folder / JOBS / kind / name, target):
            return target
    return None


def _run(
    folder: Path, file: Path, ending: Ending, scratch: Path | None, done: Worked, tell: Callable[[str], None]
) -> None:
    name, wall, cpu = file.name, time.monotonic(), core_time()
    job, number = spool_jobs.read(file), JobName.of(name)
    spool = Spool(folder, name)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ninefold-", dir=scratch) as place:
        inner = Path(place) / "job.db"
        with open_store(inner, "write") as store:
            spool_jobs.put_inputs(store, job["inputs"])

        def opener(mode: Mode) -> Store:
            return SpoolStore(open_store(inner, mode), spool, job["inputs"].get("elsewhere", ()))

        others = descendants()
        try:
            try:
                with (
                    opened_instead(job["address"], opener), _stopped_if(folder / CANCELLED / name),
                    in_folder(folder_of_job(folder, job["campaign"], number.job, number.launch, job["kind"])),
                    kept_in(folder / "relaxations"), ending.computing(),
                ):  # fmt: skip
                    result = _result_of(job)
            finally:
                end_children(others)
        except JobStopped as stopped:
            ending.tell(stopped)
            spool.flush()
            if (folder / CANCELLED / name).exists():
                (folder / CANCELLED / name).unlink(missing_ok=True)
            else:
                # by way of the server: the next node gets what this one has stored
                spool_jobs.write(folder / DONE / name, {"stopped": str(stopped), "records": spool.names})
            file.unlink(missing_ok=True)
            done.given_back += 1
            tell(f"job {job['job']} {job['name']}: given back: {stopped}")
            return
        except (NinefoldError, OSError, MemoryError) as error:
            spool.flush()
            spool_jobs.write(folder / DONE / name, {"machine": description(error), "records": spool.names})
            file.unlink(missing_ok=True)
            done.given_back += 1
            raise
        finally:
            close_workplaces()
    spool.flush()
    seconds = {
        "wall_seconds": round(time.monotonic() - wall, 3), "core_seconds": round(core_time() - cpu, 3),
    }  # fmt: skip
    # the last: whoever finds it finds everything else
    spool_jobs.write(folder / DONE / name, {**result, **seconds, "records": spool.names})
    file.unlink(missing_ok=True)
    done.jobs += 1
    done.failed += "failed" in result
    tell(f"job {job['job']} {job['name']}: {seconds['wall_seconds']:.1f} s")


def _result_of(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job; its output, and what it replaces itself by, as plain values."""
    import traceback

    from jobflow import JobStore
    from maggma.stores import MemoryStore
    from monty.json import MontyDecoder, jsanitize

    outputs = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    outputs.connect()
    run = Run(**job["run"])
    one = MontyDecoder().process_decoded(json.loads(job["text"]))
    try:
        with registered_as(run), running_with(OneProcess(held_tasks(job["held"]))):
            response = continued(one).run(store=outputs)
    except OF_EVERY_JOB:
        raise
    except Exception as error:
        if is_out_of_time(error):
            raise OutOfTime("stopped before the end of its queue job") from error
        with open_store(job["address"], "write") as store:
            note_failed(store, job["campaign"], f"{job['name']} {job['job']}", description(error))
        log = "".join(traceback.format_exception(error))[-4000:]
        return {"failed": description(error), "log": log}
    [output] = outputs.query({"uuid": one.uuid, "index": one.index}, load=True)
    output.pop("_id", None)
    further = {name: getattr(response, name) for name in ("replace", "detour", "addition")}
    return {
        "output": jsanitize(output),
        "save": {key: "output" if value is True else value for key, value in one._kwargs.items()},
        "stored_data": jsanitize(response.stored_data) or {},
        "stop_jobflow": bool(response.stop_jobflow),
        "stop_children": bool(response.stop_children),
        **{name: jsanitize(flow.as_dict()) for name, flow in further.items() if flow is not None},
    }


@contextmanager
def _stopped_if(marker: Path) -> Iterator[None]:
    """Stop the job when a file says so."""
    import signal

    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            if marker.exists():
                os.kill(os.getpid(), signal.SIGUSR1)

    thread = threading.Thread(target=watch, name="watches for a cancelled job", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
