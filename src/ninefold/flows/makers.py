"""Makers: flows whose parts can be exchanged.

A Maker is a dataclass; its `make` gives a jobflow `Flow` that runs anywhere jobflow runs: by `ninefold run`, by
`run_locally`, or through FireWorks. The jobs need nothing but the campaign and a store that they can reach.

    flow = ScreenMaker().make(campaign.to_dict(), "sqlite:///ninefold.db")
    run_locally(flow)
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Job, Maker

from ninefold.campaign import parse_campaign
from ninefold.flows import campaign_jobs, result_jobs, search_jobs


@dataclass
class SearchMaker(Maker):
    """One round of the structure search: pools, then searches, for each shard of compositions."""

    name: str = "search structures"

    def make(self, campaign: dict[str, Any], store: str, shards: Any, number: int) -> Job:
        """The job that replaces itself by those of the round.

        Args:
            campaign: As plain values.
            store: Its address.
            shards: Compositions of the round, or the output that will be these.
            number: Of the round.
        """
        return search_jobs.search_structures(campaign, store, shards, number)


@dataclass
class EnergiesMaker(Maker):
    """A further method: minima and references relaxed with it, and its own hull."""

    name: str = "energies"

    def make(
        self, campaign: dict[str, Any], store: str, shards: Any, assessed: Any, number: int, method: int
    ) -> tuple[list[Job], Job]:
        """The jobs, and the one that gives the hull distances.

        Args:
            campaign: As plain values.
            store: Its address.
            shards: The selected compositions.
            assessed: What the search's last hull passed on.
            number: Of the last round.
            method: Its place among the campaign's methods.
        """
        relaxed = search_jobs.relax_minima(campaign, store, assessed, method)
        references = search_jobs.relax_reference_phases(campaign, store, shards, method)
        hull = result_jobs.assess_stability(campaign, store, references.output, [relaxed.output], number, method)
        return [relaxed, references, hull], hull


@dataclass
class ScreenMaker(Maker):
    """A whole campaign: select, search in rounds, further methods, stages of the user's, rank.

    Args:
        name: Of the flow.
        search_maker: Makes the job of one round.
        energies_maker: Makes the jobs of one further method.
    """

    name: str = "screen"
    search_maker: SearchMaker = field(default_factory=SearchMaker)
    energies_maker: EnergiesMaker = field(default_factory=EnergiesMaker)

    def make(self, campaign: dict[str, Any], store: str, workflow: str = "screen", run: str | None = None) -> Flow:
        """The flow of a campaign.

        Args:
            campaign: As plain values: `Campaign.to_dict()`.
            store: Address of the store, which every job must reach.
            workflow: What the campaign's record says of the flow.
            run: Identifies the run; a random one by default.
        """
        screened = parse_campaign(campaign)
        registered = campaign_jobs.register_campaign(campaign, store, workflow, run or uuid.uuid4().hex)
        selected = campaign_jobs.select_compositions(campaign, store, registered.output)
        references = search_jobs.relax_reference_phases(campaign, store, selected.output)
        every: list[Job] = [registered, selected, references]
        searched: list[Any] = []
        shards, assessed = selected.output, None
        rounds = screened.structures.rounds
        for number in range(1, rounds + 1):
            if assessed is not None:
                chosen = campaign_jobs.choose_compositions(campaign, store, assessed.output, number)
                every.append(chosen)
                shards = chosen.output
            search = self.search_maker.make(campaign, store, shards, number)
            searched.append(search.output)
            assessed = result_jobs.assess_stability(campaign, store, references.output, list(searched), number)
            every += [search, assessed]
        assert assessed is not None
        hulls = [assessed.output]
        for method in range(1, len(screened.methods)):
            parts, hull = self.energies_maker.make(campaign, store, selected.output, assessed.output, rounds, method)
            every += parts
            hulls.append(hull.output)
        computed = [result_jobs.compute_properties(campaign, store, list(hulls), name) for name in screened.stages]
        every += computed
        ranked = result_jobs.rank_candidates(campaign, store, hulls, [each.output for each in computed])
        finished = campaign_jobs.finish_campaign(campaign, store, ranked.output)
        return Flow([*every, ranked, finished], output=finished.output, name=f"{self.name} {screened.name}")
