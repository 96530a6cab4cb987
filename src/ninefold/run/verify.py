"""Verifying a finished campaign on this machine: lease, workers, the flow, what is told at the end."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ninefold.campaign.foreign import load_foreign_code
from ninefold.campaign.workflows import workflows
from ninefold.flows.faults import faults_error
from ninefold.flows.kept import lease_purpose
from ninefold.flows.progress import listening
from ninefold.flows.verify_plan import check_finished, with_method
from ninefold.run.job_errors import JobErrors
from ninefold.run.local import Noting, flow_of, run_flow
from ninefold.run.workers import Workers
from ninefold.store import open_store
from ninefold.store.store import EXECUTOR

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.stages.verify import VerifySettings

OURS = "verify"
"""Name of the workflow."""
PHASES_PER_JOB = 10_000
"""Jobs run one after another here; the workers share what is in one."""


def verify_campaign(campaign: Campaign, store: str, settings: VerifySettings, workflow: str = OURS) -> None:
    """Carry the best candidates of a campaign and their competitors to another method's hull, or go on with that.

    Args:
        campaign: As in the store, finished.
        store: Its address.
        settings: What is verified, and how.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store, settings)`.

    Raises:
        InputError: if nothing can be verified so, or another process runs on the store.
        MachineFaultError: at the end, if the machine or an error of a job kept something from being computed.
    """
    make_flow = workflows().load(workflow)
    load_foreign_code(campaign)
    if workflow == OURS:  # parts of others may take one phase a job
        settings = settings.model_copy(update={"phases_per_job": PHASES_PER_JOB})
    chosen: Any = functools.partial(make_flow, settings=settings.model_dump(mode="json"))
    flow = flow_of(chosen, campaign, store, workflow)
    name = campaign.name
    with open_store(store, mode="write") as opened, opened.lease(EXECUTOR, f"verify {lease_purpose(name)}") as lease:
        check_finished(opened, name)
        failed = JobErrors(opened, name)
        with Workers(campaign.execution.worker_count) as workers, listening(Noting(lease)):
            run_flow(flow, workers, failed)
        if failed.errors:
            raise failed.told(again="the same command") from failed.errors[0]
        title = with_method(campaign, settings).method_titles[-1]
        faults = [
            fault for fault in opened.find("faults", equal={"campaign": name}, limit=None)
            if fault["stage"] in (f"verify {title}", f"references {title}", f"stability {title}")
        ]  # fmt: skip
        if faults:
            raise faults_error(faults, again="the same command")
