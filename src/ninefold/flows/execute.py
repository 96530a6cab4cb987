"""Running a campaign on this machine: lock, register, run the flow, mark it finished."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ninefold
from ninefold.errors import InputError
from ninefold.flows.clock import now
from ninefold.flows.faults import collecting_faults, fault_error
from ninefold.flows.kept import lock_purpose
from ninefold.flows.progress import Pace, Progress, listening
from ninefold.flows.workers import try_engine
from ninefold.paths import user_path
from ninefold.shipped import workflow_path
from ninefold.store import open_repository
from ninefold.store.documents import CampaignDocument
from ninefold.store.locking import Lock, exclusive
from ninefold.structures.sources import load_foreign
from ninefold.user_code import calling, load_file

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.store.repository import Repository

_NOTE_SECONDS = 0.5
"""Between two notes of one stage."""


def is_finished(campaign: Campaign, store: Path, workflow: str = "screen") -> bool:
    """Whether the store holds the finished results of exactly this campaign, by this workflow."""
    if not store.exists():
        return False
    # for writing: a run that was killed while it made the store left an empty file, which is finished here
    with open_repository(store, mode="write") as repository:
        document = repository.get("campaigns", campaign.name)
    return (
        document is not None
        and document["status"] == "finished"
        and document["fingerprint"] == campaign.fingerprint()
        and document.get("workflow", "screen") == workflow_name(workflow)  # an older store does not say
    )


def workflow_name(workflow: str) -> str:
    """As it is stored: a shipped name, or the absolute path of a file."""
    return str(user_path(workflow, "--workflow").resolve()) if workflow.endswith(".py") else workflow


def run_campaign(
    campaign: Campaign, store: Path, *, fresh: bool = False, update: bool = False, workflow: str = "screen"
) -> None:
    """Run or resume a campaign with `run_locally`.

    Args:
        campaign: What to run.
        store: The SQLite file; made if it is not there.
        fresh: Discard the campaign's documents and calculations first.
        update: Accept that the settings differ from those in the store: what they touch is
            computed again, finished calculations that still apply are found by their keys.
        workflow: Name of a shipped workflow, or a Python file with `make_flow(campaign, store)`.

    Raises:
        InputError: if the store holds other settings under this name, or another process runs on it.
        MachineFaultError: if the engine cannot compute here, before anything is stored; or at the end, if the machine
            kept something from being computed. The campaign is then not finished.
    """
    make_flow = load_workflow(workflow)
    engine_label = _check_engine(campaign)
    load_foreign(campaign.structures.sources)
    campaign.known_compounds()  # a broken file is told before anything is written
    store = store.resolve()
    flow = _flow(make_flow, campaign, store, workflow)
    with (
        exclusive(store, lock_purpose(campaign.name)) as lock,
        open_repository(store, mode="write") as repository,
        listening(_Noting(lock)),
    ):
        try_engine(campaign.to_dict(), str(store), campaign.execution.worker_count)
        if fresh and (document := repository.get("campaigns", campaign.name)) is not None:
            # the campaign's own document goes last of all: killed in between, it is unfinished and still guarded
            repository.put("campaigns", [CampaignDocument(**{**document, "status": "stopped"})])
            _discard(repository, campaign.name, ("funnel", "candidates", "references", "results"))
        _register(repository, campaign, engine_label, update or fresh, workflow_name(workflow))
        with collecting_faults() as faults:
            _run_flow(flow)
        if faults:
            raise fault_error(faults)
        document = repository.get("campaigns", campaign.name)
        repository.put("campaigns", [CampaignDocument(**{**(document or {}), "status": "finished", "finished": now()})])


class _Noting:
    """Notes each stage's progress in the lock file, where `ninefold status` finds it."""

    def __init__(self, lock: Lock) -> None:
        self._lock, self._pace = lock, Pace()
        self._started, self._stage, self._noted = now(), "", 0.0
        lock.note({"started": self._started})

    def __call__(self, step: Progress) -> None:
        elapsed, left = self._pace.of(step)
        is_new, self._stage = step.stage != self._stage, step.stage
        if not is_new and step.done != step.total and time.monotonic() - self._noted < _NOTE_SECONDS:
            return
        self._noted = time.monotonic()
        self._lock.note(
            {
                "started": self._started, "stage": step.stage, "done": step.done, "total": step.total,
                "unit": step.unit, "note": step.note, "elapsed_seconds": round(elapsed, 1),
                "left_seconds": None if left is None else round(left), "noted": now(),
            }
        )  # fmt: skip


def load_workflow(name: str) -> Any:
    """`make_flow` of a shipped workflow, or of a user's file.

    Raises:
        InputError: if there is no such file, it cannot be loaded, or it has no `make_flow`.
    """
    field, shipped = "--workflow", sorted(file.stem for file in workflow_path(".").glob("*.py"))
    is_file = name.endswith(".py")
    path = user_path(name, field) if is_file else workflow_path(f"{name}.py")
    if not (path.is_file() if is_file else name in shipped):
        raise InputError(field, name, problem="does not exist", allowed=f"a .py file or {', '.join(shipped)}")
    make_flow = getattr(load_file(path, field), "make_flow", None)
    if not callable(make_flow):
        raise InputError(field, name, problem="has no function make_flow(campaign, store)")
    return make_flow


def _flow(make_flow: Any, campaign: Campaign, store: Path, workflow: str) -> Any:
    """The flow that a workflow makes, before anything is written.

    Raises:
        InputError: if it raises, or makes anything but a flow with jobs in it.
    """
    from jobflow import Flow, Job

    field = "--workflow"
    with calling(field, workflow):
        flow = make_flow(campaign.to_dict(), str(store))
    if not isinstance(flow, (Flow, Job)):
        raise InputError(
            field,
            workflow,
            problem=f"has a make_flow that returns {type(flow).__name__}",
            allowed="a jobflow Flow or Job",
        )
    if isinstance(flow, Flow) and not flow.jobs:
        raise InputError(field, workflow, problem="make_flow returns a flow without jobs")
    return flow


def _check_engine(campaign: Campaign) -> str:
    """Fail on an unknown engine or a missing package before anything is written."""
    from ninefold.engines import make_engine

    return make_engine(campaign.engine).label


def _register(repository: Repository, campaign: Campaign, engine: str, update: bool, workflow: str) -> None:
    known = repository.get("campaigns", campaign.name)
    settings = campaign.to_dict()
    if known is not None and known["fingerprint"] != campaign.fingerprint():
        changed = sorted(key for key in settings if settings[key] != known["settings"].get(key)) or ["files of rules"]
        if not update:
            raise InputError(
                "campaign",
                campaign.name,
                problem=f"is in the store with other settings ({', '.join(changed)})",
                hint="rename it; --update keeps every finished calculation and recomputes what the change touches; "
                "--fresh discards the calculations too",
            )
        _discard(repository, campaign.name, ("funnel", "candidates", "references"))
    repository.put(
        "campaigns",
        [
            CampaignDocument(
                id=campaign.name,
                name=campaign.name,
                fingerprint=campaign.fingerprint(),
                settings=settings,
                versions={"ninefold": ninefold.__version__, "engine": engine, **_library_versions()},
                status="running",
                workflow=workflow,
                created=known["created"] if known else now(),
            )
        ],
    )


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("pymatgen", "ase", "jobflow", "numpy")}


def _discard(repository: Repository, campaign: str, collections: tuple[str, ...]) -> None:
    for collection in collections:
        repository.delete(collection, equal={"campaign": campaign} if collection != "campaigns" else {"name": campaign})


def _run_flow(flow: Any) -> None:
    import logging
    import warnings

    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from ninefold.flows.workers import close_pools

    for name in ("jobflow", "maggma"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # a store in memory: outputs are shard names, what matters is in ours; the user's own jobflow
            # settings may name a database that is not meant for this
            run_locally(
                flow,
                store=JobStore(MemoryStore()),
                log=False,
                raise_immediately=True,
            )
    finally:
        close_pools()
