"""What is computed of a finished campaign on this machine: lease, workers, the flow, what is told at the end."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.campaign.foreign import load_foreign_code
from ninefold.campaign.workflows import workflows
from ninefold.flows.faults import faults_error
from ninefold.flows.kept import lease_purpose
from ninefold.flows.progress import listening
from ninefold.flows.verify_plan import check_finished
from ninefold.run.job_errors import JobErrors
from ninefold.run.local import Noting, check_not_submitted, flow_of, run_flow
from ninefold.run.workers import Workers
from ninefold.store import open_store
from ninefold.store.store import EXECUTOR

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.settings import Settings

AGAIN = "the same command"
IN_ONE_JOB = 10_000
"""Phases, structures or runs of a job: jobs run one after another here, the workers share what is in one."""


def run_after(
    campaign: Campaign,
    store: str,
    settings: Settings,
    workflow: str,
    *,
    purpose: str,
    stages_of: Callable[[], Sequence[str]],
) -> None:
    """Run a flow on a finished campaign, or go on with it.

    Args:
        campaign: As in the store, finished.
        store: Its address.
        settings: What `make_flow` of the workflow takes as `settings`.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store, settings)`.
        purpose: What the store's lease says, before the campaign's name.
        stages_of: Gives, when the flow has ended, the stages whose faults are told.

    Raises:
        InputError: if nothing can be computed so, or another process runs on the store.
        MachineFaultError: at the end, if the machine or an error of a job kept something from being computed.
    """
    make_flow = workflows().load(workflow)
    load_foreign_code(campaign)
    chosen: Any = functools.partial(make_flow, settings=settings.model_dump(mode="json"))
    flow = flow_of(chosen, campaign, store, workflow)
    name = campaign.name
    with (
        open_store(store, mode="write") as opened,
        opened.lease(EXECUTOR, f"{purpose} {lease_purpose(name)}") as lease,
    ):
        check_not_submitted(opened, name, address=store)
        check_finished(opened, name)
        failed = JobErrors(opened, name)
        with Workers(campaign.execution.worker_count) as workers, listening(Noting(lease)):
            run_flow(flow, workers, failed)
        if failed.errors:
            raise failed.told(again=AGAIN) from failed.errors[0]
        if faults := opened.find("faults", equal={"campaign": name, "stage": list(stages_of())}, limit=None):
            raise faults_error(faults, again=AGAIN)
