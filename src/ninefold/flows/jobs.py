"""The stages as jobflow jobs: arguments and outputs are small plain values.

Structures travel as shard files beside the store, named by their content hash; a job carries the
shard's name. The store must be reachable by every job (a shared disk on a cluster).
"""

from __future__ import annotations

from typing import Any

from jobflow import Flow, Response, job

from ninefold.campaign import parse_campaign
from ninefold.flows import stages
from ninefold.store.shards import Shard, shard_folder


@job(name="select compositions")
def select_compositions(campaign: dict[str, Any], store: str) -> list[dict[str, Any]]:
    """Enumerate the spaces and apply the rules; gives shards of compositions."""
    return [shard.to_dict() for shard in stages.select(parse_campaign(campaign), store)]


@job(name="relax reference phases")
def relax_reference_phases(campaign: dict[str, Any], store: str, shards: list[dict[str, Any]]) -> str:
    """Relax the competing phases of the selected chemical systems with the campaign's engine."""
    stages.relax_references(parse_campaign(campaign), store)
    return "references"


@job(name="search again")
def search_again(
    campaign: dict[str, Any], store: str, shards: list[dict[str, Any]], number: int, stability: str
) -> Response:
    """A further round: search the most promising half of the last round's compositions with new random draws."""
    every = [Shard.from_dict(shard, shard_folder(store)) for shard in shards]
    chosen = stages.choose(parse_campaign(campaign), store, every, number)
    return _jobs_of_round(campaign, store, [shard.to_dict() for shard in chosen], number)


@job(name="search structures")
def search_structures(campaign: dict[str, Any], store: str, shards: list[dict[str, Any]]) -> Response:
    """Replace itself by a build and a prescreen job for each shard of compositions."""
    return _jobs_of_round(campaign, store, shards, 1)


def _jobs_of_round(campaign: dict[str, Any], store: str, shards: list[dict[str, Any]], number: int) -> Response:
    """The jobs of one round."""
    jobs, searched = [], []
    for shard in shards:
        built = build_structures(campaign, store, shard, number)
        prescreened = prescreen_structures(campaign, store, built.output, number)
        jobs += [built, prescreened]
        searched.append(prescreened.output)
    return Response(replace=Flow(jobs, output=searched, name="structure search"))


@job(name="build structures")
def build_structures(campaign: dict[str, Any], store: str, shard: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """Generate structures for a shard of compositions and settle them with the ionic force field."""
    built = stages.build(parse_campaign(campaign), store, Shard.from_dict(shard, shard_folder(store)), number)
    return built.to_dict()


@job(name="prescreen structures")
def prescreen_structures(campaign: dict[str, Any], store: str, shard: dict[str, Any], number: int = 1) -> str:
    """Single points, coarse relaxations and refinement with the campaign's engine."""
    stages.prescreen(parse_campaign(campaign), store, Shard.from_dict(shard, shard_folder(store)), number)
    return shard["sha256"]


@job(name="assess stability")
def assess_stability(campaign: dict[str, Any], store: str, references: str, searched: list[str]) -> str:
    """Hull distances against references and the other candidates; waits for both."""
    stages.assess_stability(parse_campaign(campaign), store)
    return "stability"


@job(name="rank candidates")
def rank_candidates(campaign: dict[str, Any], store: str, stability: str) -> str:
    """Score and rank."""
    stages.rank_candidates(parse_campaign(campaign), store)
    return "rank"
