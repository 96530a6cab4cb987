"""How far do they give way under pressure? Equations of state of a finished campaign's candidates and competitors.

The flow behind `ninefold compress`. Copy it to exchange a part, and run yours with
`ninefold compress --workflow my_compress.py`: the file needs a function `make_flow`.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow

from ninefold.flows import CompressMaker


def make_flow(campaign: dict[str, Any], store: str, settings: dict[str, Any] | None = None) -> Flow:
    """The flow that computes equations of state for a finished campaign.

    Args:
        campaign: A campaign as plain values (`ninefold.campaign.read_campaign(file).to_dict()`).
        store: Address of the store that holds it; every job must reach it.
        settings: Which structures: `ninefold.stages.compress.CompressSettings` as plain values.
    """
    return CompressMaker(settings=settings or {}).make(campaign, store)
