"""Is it a minimum, and what do its vibrations cost? The best candidates of a finished campaign and their competitors.

The flow behind `ninefold vibrations`. Copy it to exchange a part, and run yours with
`ninefold vibrations --workflow my_vibrations.py`: the file needs a function `make_flow`.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow

from ninefold.flows import VibrationsMaker


def make_flow(campaign: dict[str, Any], store: str, settings: dict[str, Any] | None = None) -> Flow:
    """The flow that computes vibrations for a finished campaign.

    Args:
        campaign: A campaign as plain values (`ninefold.campaign.read_campaign(file).to_dict()`).
        store: Address of the store that holds it; every job must reach it.
        settings: Which phases and how: `ninefold.stages.vibrations.VibrationsSettings` as plain values.
    """
    return VibrationsMaker(settings=settings or {}).make(campaign, store)
