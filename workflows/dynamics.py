"""Do the ligands of an anion permute, and do the cations move? Molecular dynamics of a finished campaign's candidates.

The flow behind `ninefold dynamics candidates`. Copy it to exchange a part, and run yours with
`ninefold dynamics candidates --workflow my_dynamics.py`: the file needs a function `make_flow`.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow

from ninefold.flows import DynamicsMaker


def make_flow(campaign: dict[str, Any], store: str, settings: dict[str, Any] | None = None) -> Flow:
    """The flow that runs and analyses molecular dynamics for a finished campaign.

    Args:
        campaign: A campaign as plain values (`ninefold.campaign.read_campaign(file).to_dict()`).
        store: Address of the store that holds it; every job must reach it.
        settings: Which candidates and how: `ninefold.stages.dynamics.DynamicsSettings` as plain values.
    """
    return DynamicsMaker(settings=settings or {}).make(campaign, store)
