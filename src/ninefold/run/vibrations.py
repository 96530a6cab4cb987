"""Vibrations of a finished campaign on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninefold.flows.best_phases import campaign_with
from ninefold.flows.shards import stage_of
from ninefold.run.after_campaign import IN_ONE_JOB, run_after
from ninefold.stages import vibrations

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
    run_after(
        campaign, store, settings.model_copy(update={"phases_per_job": IN_ONE_JOB}), workflow, purpose="vibrations of",
        stages_of=lambda: [stage_of(vibrations.STAGE.name, *campaign_with(campaign, settings.method))],
    )  # fmt: skip
