"""Does DFT agree? The best candidates of a finished campaign and their competitors on a hull of another method.

The flow behind `ninefold verify`. Copy it to exchange a part, for example for Makers that run another code, and run
yours with `ninefold verify --workflow my_verify.py`: the file needs a function `make_flow`.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow

from ninefold.flows import VerifyMaker


def make_flow(campaign: dict[str, Any], store: str, settings: dict[str, Any] | None = None) -> Flow:
    """The flow that verifies a finished campaign.

    Args:
        campaign: A campaign as plain values (`ninefold.campaign.read_campaign(file).to_dict()`).
        store: Address of the store that holds it; every job must reach it.
        settings: What is verified and how: `ninefold.stages.verify.VerifySettings` as plain values.
    """
    return VerifyMaker(settings=settings or {}).make(campaign, store)
