"""Verifying a finished campaign on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninefold.flows.verify_plan import with_method
from ninefold.run.after_campaign import IN_ONE_JOB, run_after

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.stages.verify import VerifySettings

OURS = "verify"
"""Name of the workflow."""


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
    if workflow == OURS:  # parts of others may take one phase a job
        settings = settings.model_copy(update={"phases_per_job": IN_ONE_JOB})

    def stages() -> list[str]:
        title = with_method(campaign, settings).method_titles[-1]
        return [f"{stage} {title}" for stage in ("verify", "references", "stability")]

    run_after(campaign, store, settings, workflow, purpose="verify", stages_of=stages)
