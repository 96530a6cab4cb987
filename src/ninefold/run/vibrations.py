"""Vibrations of a finished campaign on this machine: lease, workers, the flow, rows made anew, what is told."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ninefold.campaign.foreign import load_foreign_code
from ninefold.campaign.workflows import workflows
from ninefold.flows import rebuild
from ninefold.flows.faults import faults_error
from ninefold.flows.kept import lease_purpose
from ninefold.flows.progress import announce, listening
from ninefold.flows.shards import method_name
from ninefold.flows.verify_plan import check_finished
from ninefold.flows.vibration_plan import campaign_with
from ninefold.run.job_errors import JobErrors
from ninefold.run.local import Noting, flow_of, run_flow
from ninefold.run.workers import Workers
from ninefold.stages import vibrations
from ninefold.stages.stage import name_with
from ninefold.store import open_store
from ninefold.store.store import EXECUTOR

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.stages.vibrations import VibrationsSettings


def compute_vibrations(
    campaign: Campaign, store: str, settings: VibrationsSettings, workflow: str = "vibrations"
) -> None:
    """Compute vibrations of the best candidates and of what competes with them, or go on with that.

    Rows, hulls and ranks of the campaign are made anew at the end: a structure that was left for a lower one has moved.

    Args:
        campaign: As in the store, finished.
        store: Its address.
        settings: Which phases, and how.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store, settings)`.

    Raises:
        InputError: if nothing can be computed so, or another process runs on the store.
        MachineFaultError: at the end, if the machine or an error of a job kept something from being computed.
    """
    make_flow = workflows().load(workflow)
    load_foreign_code(campaign)
    chosen: Any = functools.partial(make_flow, settings=settings.model_dump(mode="json"))
    flow = flow_of(chosen, campaign, store, workflow)
    name = campaign.name
    purpose = f"vibrations of {lease_purpose(name)}"
    with open_store(store, mode="write") as opened, opened.lease(EXECUTOR, purpose) as lease:
        record = check_finished(opened, name)
        failed = JobErrors(opened, name)
        with Workers(campaign.execution.worker_count) as workers, listening(Noting(lease)):
            run_flow(flow, workers, failed)
        if failed.errors:
            raise failed.told(again="the same command") from failed.errors[0]
        rebuild.apply(opened, rebuild.changes_of(opened, record, rebuild.Rebuilt(), announce))
        extended, method = campaign_with(campaign, settings)
        stage = name_with(vibrations.STAGE.name, method_name(extended, method))
        faults = opened.find("faults", equal={"campaign": name, "stage": stage}, limit=None)
        if faults:
            raise faults_error(faults, again="the same command")
