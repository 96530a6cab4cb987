"""Molecular dynamics of a finished campaign's candidates on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninefold.flows.best_phases import campaign_with
from ninefold.flows.shards import stage_of
from ninefold.run.after_campaign import IN_ONE_JOB, run_after
from ninefold.stages import dynamics

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.stages.dynamics import DynamicsSettings


def compute_dynamics(campaign: Campaign, store: str, settings: DynamicsSettings, workflow: str = "dynamics") -> None:
    """Run and analyse molecular dynamics of the best candidates, or go on with that.

    Rows of the campaign are made anew at the end, with what the dynamics say.

    Args:
        campaign: As in the store, finished.
        store: Its address.
        settings: Which candidates, and how.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store, settings)`.

    Raises:
        InputError: if nothing can be computed so, or another process runs on the store.
        MachineFaultError: at the end, if the machine or an error of a job kept something from being computed.
    """
    run_after(
        campaign, store, settings.model_copy(update={"runs_per_job": IN_ONE_JOB}), workflow, purpose="dynamics of",
        stages_of=lambda: [stage_of(dynamics.STAGE.name, *campaign_with(campaign, settings.method))],
    )  # fmt: skip
