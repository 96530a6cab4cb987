"""Which compositions can be made? From chemical spaces to a ranked list.

The flow behind `ninefold run`. Copy it, change it, and run yours with
`ninefold run CAMPAIGN --workflow my_screen.py`: the file needs a function `make_flow`.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow

from ninefold.flows import ScreenMaker


def make_flow(campaign: dict[str, Any], store: str) -> Flow:
    """The screening flow of a campaign.

    Args:
        campaign: A campaign as plain values (`ninefold.campaign.read_campaign(file).to_dict()`).
        store: Address of the store; every job must reach it.
    """
    return ScreenMaker().make(campaign, store)
