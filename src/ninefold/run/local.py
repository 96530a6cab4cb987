"""Running a campaign on this machine: lease, workers, the flow, what is told at the end."""

from __future__ import annotations

import logging
import time
import uuid
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ninefold.campaign.foreign import load_foreign_code
from ninefold.campaign.workflows import workflows
from ninefold.clock import now
from ninefold.errors import InputError
from ninefold.flows.faults import faults_error
from ninefold.flows.kept import lease_purpose
from ninefold.flows.progress import Pace, Progress, listening
from ninefold.flows.register import changes_of, finish, register, start_afresh
from ninefold.flows.runner import Run, registered_as, running_with
from ninefold.models.campaign import CampaignRecord
from ninefold.paths import user_path
from ninefold.plugins import calling
from ninefold.run.flow_run import FlowRun
from ninefold.run.job_errors import JobErrors
from ninefold.run.workers import Workers
from ninefold.store import open_store, public_address, store_file
from ninefold.store.locate import offer_login
from ninefold.store.store import EXECUTOR

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.store.store import Lease, Store

_NOTE_SECONDS = 0.5
"""Between two notes of one stage."""


def is_finished(campaign: Campaign, store: str, workflow: str = "screen") -> bool:
    """Whether a store holds the finished results of exactly this campaign, by this workflow."""
    file = store_file(store)
    if file is not None and not file.exists():
        return False
    # for writing: a run that was killed while it made the store left an empty one, which is finished here
    with open_store(store, mode="write") as opened:
        document = opened.get("campaigns", campaign.name)
    if document is None or document["status"] != "finished":
        return False
    return not changes_of(CampaignRecord.model_validate(document), campaign, run_of(workflow))


def run_campaign(
    campaign: Campaign, store: str, *, fresh: bool = False, update: bool = False, workflow: str = "screen"
) -> None:
    """Run or resume a campaign.

    Args:
        campaign: What to run.
        store: Its address; a store is made where there is none.
        fresh: Discard the campaign's records and calculations first.
        update: Accept that the settings differ from those in the store: what they touch is computed again, finished
            calculations that still apply are found by their ids.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store)`.

    Raises:
        InputError: if the store holds other settings under this name, or another process runs on it.
        MachineFaultError: if the engine cannot compute here, before anything is stored; or at the end, if the machine
            or an error of a job kept something from being computed. The campaign is then incomplete.
    """
    from ninefold.engines import make_engine

    make_flow = workflows().load(workflow)
    for method in campaign.methods:
        make_engine(method)  # an unknown engine or a missing package is told before anything is written
    load_foreign_code(campaign)
    campaign.known_compounds()  # likewise a broken file
    settings = campaign.to_dict()
    flow = flow_of(make_flow, campaign, store, workflow)
    run, name = run_of(workflow), campaign.name
    with open_store(store, mode="write") as opened, opened.lease(EXECUTOR, lease_purpose(name)) as lease:
        check_not_submitted(opened, name, address=store)
        with Workers(campaign.execution.worker_count) as workers, listening(Noting(lease)):
            workers.try_engines(settings, campaign.methods)
            if fresh:
                start_afresh(opened, name)
            register(opened, campaign, run, accept_changes=update or fresh)
            failed = JobErrors(opened, name)
            with registered_as(run):
                run_flow(flow, workers, failed)
            finish(opened, name)  # a workflow of the user's may have no job for it
        if failed.errors:
            raise failed.told() from failed.errors[0]
        if faults := opened.find("faults", equal={"campaign": name}):
            raise faults_error(faults)


def check_not_submitted(opened: Store, campaign: str, address: str) -> None:
    """Refuse to compute here what a cluster computes; see `ninefold.run.watch.check_not_submitted`."""
    if store_file(address) is None:  # a file is in no launchpad, and needs no client of a server
        from ninefold.run import watch

        watch.check_not_submitted(opened, campaign)


def _raise(job: str, error: Exception) -> None:
    raise error


def run_flow(flow: Any, workers: Workers, on_error: Callable[[str, Exception], None] = _raise) -> dict[str, Any]:
    """Run a jobflow flow, its jobs one after another in this process, their tasks in the workers.

    An error of one job stops only the jobs that need its output. One of input, store, files or memory ends the run.

    Outputs are kept in memory: what matters is in the campaign's store. A job of a Maker that stores large data apart
    (`@job(data=...)`) finds a place for them.

    Args:
        flow: A flow or job.
        workers: Where the tasks are computed.
        on_error: Told of a job, by its name, and what it raised; by default the first error ends the run.

    Returns:
        Job's uuid -> index -> jobflow's `Response`.
    """
    from jobflow import JobStore
    from jobflow.core.flow import get_flow
    from maggma.stores import MemoryStore

    for name in ("jobflow", "maggma"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # in memory: the user's own jobflow settings may name a database that is not meant for this
    outputs = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    outputs.connect()
    run = FlowRun(outputs, on_error)
    with warnings.catch_warnings(), running_with(workers):
        warnings.simplefilter("ignore")
        run.run(get_flow(flow))
    return dict(run.responses)


def run_of(workflow: str) -> Run:
    """A new run by a workflow."""
    return Run(uuid.uuid4().hex, workflow_name(workflow), workflows().checksum([workflow]))


def workflow_name(workflow: str) -> str:
    """As it is stored: a shipped name, or one with the absolute path of its file."""
    file = workflows().file(workflow)
    return workflow if file is None else workflows().anchored(workflow, user_path(file.parent, "--workflow").resolve())


def flow_of(make_flow: Any, campaign: Campaign, store: str, workflow: str) -> Any:
    """The flow that a workflow makes, before anything is written.

    Raises:
        InputError: if it raises, or makes anything but a flow with jobs in it.
    """
    from jobflow import Flow, Job

    field = "--workflow"
    offer_login(store)  # the jobs have the address without it
    with calling(field, workflow):
        flow = make_flow(campaign.to_dict(), public_address(store))
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


class Noting:
    """Notes each stage's progress in the lease, where `ninefold status` finds it."""

    def __init__(self, lease: Lease) -> None:
        self._lease, self._pace = lease, Pace()
        self._started, self._stage, self._noted = now(), "", 0.0
        lease.note({"started": self._started})

    def __call__(self, step: Progress) -> None:
        """Note a step, not too often."""
        elapsed, left = self._pace.of(step)
        is_new, self._stage = step.stage != self._stage, step.stage
        if not is_new and step.done != step.total and time.monotonic() - self._noted < _NOTE_SECONDS:
            return
        self._noted = time.monotonic()
        self._lease.note(
            {
                "started": self._started, "stage": step.stage, "done": step.done, "total": step.total,
                "unit": step.unit, "note": step.note, "elapsed_seconds": round(elapsed, 1),
                "left_seconds": None if left is None else round(left), "noted": now(),
            }
        )  # fmt: skip
