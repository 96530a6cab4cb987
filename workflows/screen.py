"""Which compositions can be made? From chemical spaces to a ranked list.

The flow behind `ninefold run`. Copy it, change it, and run yours with
`ninefold run CAMPAIGN --workflow my_screen.py`: the file needs a function `make_flow`.
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow

from ninefold.flows import jobs


def make_flow(campaign: dict[str, Any], store: str) -> Flow:
    """The screening flow of a campaign.

    Args:
        campaign: A campaign as plain values (`ninefold.campaign.read_campaign(file).to_dict()`).
        store: Where the store is; every job must reach it.
    """
    selected = jobs.select_compositions(campaign, store)
    references = jobs.relax_reference_phases(campaign, store, selected.output)
    searched = jobs.search_structures(campaign, store, selected.output)
    stability = jobs.assess_stability(campaign, store, references.output, searched.output)
    steps = [selected, references, searched, stability]
    for number in range(2, campaign["structures"]["rounds"] + 1):
        again = jobs.search_again(campaign, store, selected.output, number, stability.output)
        stability = jobs.assess_stability(campaign, store, references.output, again.output)
        steps += [again, stability]
    ranking = jobs.rank_candidates(campaign, store, stability.output)
    return Flow([*steps, ranking], output=ranking.output, name="screen")
