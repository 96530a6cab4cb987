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
from ninefold.flows import campaign_jobs, reference_jobs, result_jobs, search_jobs
from ninefold.store import public_address


@dataclass
class SearchMaker(Maker):
    """One round of the structure search: pools, then searches, for each shard of compositions."""

    name: str = "search structures"

    def make(self, campaign: dict[str, Any], store: str, shards: Any, number: int) -> Flow:
        """The flow of a round; its output is the shards of compositions with their minima.

        Args:
            campaign: As plain values.
            store: Its address.
            shards: Compositions of the round, or the output that will be these.
            number: Of the round.
        """
        search = search_jobs.search_structures(campaign, store, shards, number)
        return Flow([search], output=search.output, name=self.name)


@dataclass
class ReferencesMaker(Maker):
    """The competing phases of the selected chemical systems, relaxed with a method."""

    name: str = "references"

    def make(self, campaign: dict[str, Any], store: str, selected: Any, method: int = 0) -> Flow:
        """The flow of a method; its output is a list of `name` and `reference`, the id of a `ReferenceRecord`.

        A reference without an id is a phase that could not be computed: its systems get no hull.

        Args:
            campaign: As plain values.
            store: Its address.
            selected: Shards of every composition.
            method: Its place among the campaign's methods; 0 is the search's.
        """
        relaxed = reference_jobs.relax_reference_phases(campaign, store, selected, method)
        return Flow([relaxed], output=relaxed.output, name=self.name)


@dataclass
class HullMaker(Maker):
    """Hull distances of every composition with a method."""

    name: str = "hull"

    def make(
        self, campaign: dict[str, Any], store: str, selected: Any, references: Any, searched: Any, number: int,
        method: int = 0,
    ) -> Flow:  # fmt: skip
        """The flow of a method; its output is what the next round, a further method and the ranking take.

        Args:
            campaign: As plain values.
            store: Its address.
            selected: Shards of every composition.
            references: Output of a `ReferencesMaker` for this method.
            searched: By round, shards of compositions with their minima.
            number: Of the last round.
            method: Its place among the campaign's methods.
        """
        hull = result_jobs.assess_stability(campaign, store, selected, references, searched, number, method)
        return Flow([hull], output=hull.output, name=self.name)


@dataclass
class RankMaker(Maker):
    """Rules on results, score and rank of every candidate."""

    name: str = "rank"

    def make(self, campaign: dict[str, Any], store: str, hulls: list[Any], computed: list[Any]) -> Flow:
        """The flow; its output says how many have a rank.

        Args:
            campaign: As plain values.
            store: Its address.
            hulls: By method, the output of a `HullMaker`.
            computed: By stage of the user's, its output.
        """
        ranked = result_jobs.rank_candidates(campaign, store, hulls, computed)
        return Flow([ranked], output=ranked.output, name=self.name)


@dataclass
class EnergiesMaker(Maker):
    """A further method: minima and references relaxed with it, and its own hull.

    Args:
        name: Of the flow.
        references_maker: Makes the references of the method.
        hull_maker: Makes its hull.
    """

    name: str = "energies"
    references_maker: ReferencesMaker = field(default_factory=ReferencesMaker)
    hull_maker: HullMaker = field(default_factory=HullMaker)

    def make(
        self, campaign: dict[str, Any], store: str, selected: Any, assessed: Any, number: int, method: int
    ) -> Flow:
        """The flow of a method; its output is that of the hull.

        Args:
            campaign: As plain values.
            store: Its address.
            selected: Shards of every composition.
            assessed: Output of the search's last hull.
            number: Of the last round.
            method: Its place among the campaign's methods.
        """
        relaxed = search_jobs.relax_minima(campaign, store, assessed, method)
        references = self.references_maker.make(campaign, store, selected, method)
        hull = self.hull_maker.make(campaign, store, selected, references.output, [relaxed.output], number, method)
        return Flow([relaxed, references, hull], output=hull.output, name=self.name)


@dataclass
class ScreenMaker(Maker):
    """A whole campaign: select, search in rounds, further methods, stages of the user's, rank.

    Args:
        name: Of the flow.
        search_maker: Makes one round.
        references_maker: Makes the references of the search's method.
        hull_maker: Makes the hull of each round.
        energies_maker: Makes one further method.
        rank_maker: Makes the ranking.
    """

    name: str = "screen"
    search_maker: SearchMaker = field(default_factory=SearchMaker)
    references_maker: ReferencesMaker = field(default_factory=ReferencesMaker)
    hull_maker: HullMaker = field(default_factory=HullMaker)
    energies_maker: EnergiesMaker = field(default_factory=EnergiesMaker)
    rank_maker: RankMaker = field(default_factory=RankMaker)

    def make(self, campaign: dict[str, Any], store: str, workflow: str = "screen", run: str | None = None) -> Flow:
        """The flow of a campaign.

        Args:
            campaign: As plain values: `Campaign.to_dict()`.
            store: Address of the store, which every job must reach.
            workflow: What the campaign's record says of the flow.
            run: Identifies the run; a random one by default.
        """
        screened, store = parse_campaign(campaign), public_address(store)  # jobs are stored, a login must not be
        registered = campaign_jobs.register_campaign(campaign, store, workflow, run or uuid.uuid4().hex)
        selected = campaign_jobs.select_compositions(campaign, store, registered.output)
        references = self.references_maker.make(campaign, store, selected.output)
        every: list[Job | Flow] = [registered, selected, references]
        searched: list[Any] = []
        shards, hull = selected.output, None
        rounds = screened.structures.rounds
        for number in range(1, rounds + 1):
            if hull is not None:
                chosen = campaign_jobs.choose_compositions(campaign, store, hull.output, number)
                every.append(chosen)
                shards = chosen.output
            search = self.search_maker.make(campaign, store, shards, number)
            searched.append(search.output)
            hull = self.hull_maker.make(campaign, store, selected.output, references.output, list(searched), number)
            every += [search, hull]
        assert hull is not None
        hulls = [hull.output]
        for method in range(1, len(screened.methods)):
            energies = self.energies_maker.make(campaign, store, selected.output, hull.output, rounds, method)
            every.append(energies)
            hulls.append(energies.output)
        computed = [result_jobs.compute_properties(campaign, store, list(hulls), name) for name in screened.stages]
        ranked = self.rank_maker.make(campaign, store, hulls, [each.output for each in computed])
        finished = campaign_jobs.finish_campaign(campaign, store, ranked.output)
        flow = [*every, *computed, ranked, finished]
        return Flow(flow, output=finished.output, name=f"{self.name} {screened.name}")
