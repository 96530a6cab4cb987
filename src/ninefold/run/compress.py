"""Equations of state of a finished campaign on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ninefold.flows.shards import stage_of
from ninefold.run.after_campaign import IN_ONE_JOB, run_after
from ninefold.stages import compress

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.stages.compress import CompressSettings


def compress_campaign(
    campaign: Campaign, store: str, settings: CompressSettings, workflow: str = "compress"
) -> None:  # fmt: skip
    """Compress structures of a finished campaign, each kept as soon as it is done, and assess the candidates anew.

    Args:
        campaign: As in the store, finished.
        store: Its address.
        settings: Which structures.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store, settings)`.

    Raises:
        InputError: if nothing can be computed so, or another process runs on the store.
        MachineFaultError: at the end, if the machine or an error of a job kept something from being computed.
    """
    run_after(
        campaign, store, settings.model_copy(update={"structures_per_job": IN_ONE_JOB}), workflow, purpose="compress",
        stages_of=lambda: [
            stage_of(compress.COMPRESS.name, campaign, place) for place in range(len(campaign.methods))
        ],
    )  # fmt: skip
