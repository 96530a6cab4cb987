"""`ninefold rank`: a campaign's ranking with other weights, why a candidate stands where it does, the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, StoreOption

if TYPE_CHECKING:
    from ninefold.ranking.settings import RankingSettings


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(rank)


def rank(
    campaign: Annotated[
        str | None,
        typer.Argument(help="Campaign by name in the store, or a campaign file, whose weights then count."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="Term=weight with commas between: stability=2,prior=1,FILE.py:NAME=1. Only their ratios count; a term "
            "that is not named weighs nothing. Default: the campaign's.",
        ),
    ] = None,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain", metavar="ID", help="One candidate, by id, formula or assignment: what its score is made of."
        ),
    ] = None,
    pareto: Annotated[
        str | None,
        typer.Option(
            "--pareto",
            help="The candidates than which no other is at least as good everywhere and better somewhere: by terms, or "
            "fields with :min or :max, as in stability,hydrogen or e_above_hull:min,n:max.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Candidates at most; 0 for all.")] = 50,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Rank a campaign's candidates by other weights, beside the ranks that it has; nothing is computed or written.

    To keep a ranking, give its weights in the campaign file ('ranking') and 'ninefold run FILE --update'.
    """
    from ninefold.api.reranking import axes_of, columns_of, rerank
    from ninefold.api.reranking import pareto as front_of
    from ninefold.cli.locate import campaign_document, store_for_reading
    from ninefold.cli.rank_output import print_explained, print_front, print_ranking
    from ninefold.errors import InputError
    from ninefold.store import open_store

    if pareto is not None and (weights is not None or explain is not None):
        other = "--weights" if weights is not None else "--explain"
        raise InputError("--pareto", pareto, problem=f"and {other} are two questions", hint="give one of them")
    is_file = campaign is not None and campaign.endswith((".yaml", ".yml"))
    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        document = campaign_document(repository, name)
        settings = _settings(document, weights, campaign if is_file else None)
        if pareto is not None:
            axes = axes_of(pareto, columns_of(document), settings.weights)
            terms = {axis.name: 1.0 for axis in axes if axis.is_term} or {"stability": 1.0}
            of_axes = settings.model_copy(update={"weights": terms})
            reranking = rerank(repository, document, of_axes, [axis.name for axis in axes if not axis.is_term])
            places, without = front_of(reranking, axes)
            print_front(repository, reranking, [reranking.shown(axis) for axis in axes], places, without, limit, json)
            return
        if explain is not None:
            key = _candidate(repository, document["name"], explain)
            print_explained(repository, rerank(repository, document, settings), key, json)
            return
        print_ranking(repository, rerank(repository, document, settings), limit, json, is_other=weights is not None)


def _settings(document: Mapping[str, Any], weights: str | None, file: str | None) -> RankingSettings:
    """Weights from the command line, else those of the campaign file, else the stored ones."""
    from ninefold.api.reranking import checked_weights, weights_of
    from ninefold.ranking.settings import DEFAULT_WEIGHTS

    if file is not None:
        from ninefold.campaign import read_campaign

        of_file = read_campaign(file).ranking
        if weights is None:
            return of_file
        document = {**document, "settings": {**(document.get("settings") or {}), "ranking": of_file.model_dump()}}
    own = ((document.get("settings") or {}).get("ranking") or {}).get("weights") or DEFAULT_WEIGHTS
    return checked_weights(own if weights is None else weights_of(weights, own), document)


def _candidate(repository: Any, campaign: str, text: str) -> str:
    """Id of a candidate by its id, assignment or formula.

    Raises:
        InputError: if there is none, or several.
    """
    from ninefold.chemistry.formula import formula_of, parse_formula, reduced
    from ninefold.errors import InputError

    among = {"campaign": campaign, "is_best": True}
    found: list[dict[str, Any]] = []
    for key in ("id", "composition", "label", "formula"):
        wanted = text
        if key == "formula":
            try:
                wanted = formula_of(reduced(parse_formula(text)))
            except InputError:
                break
        found = found or repository.find(
            "candidates", equal={**among, key: wanted}, fields=["id", "label"], sort=[("rank", "asc")]
        )
    if not found:
        raise InputError(
            "--explain", text, problem=f"is no candidate of campaign {campaign}", hint="'ninefold query' lists them"
        )
    if len(found) > 1:
        told = ", ".join(f"{row['label']} ({row['id']})" for row in found[:6])
        raise InputError("--explain", text, problem="is several candidates", allowed=told)
    return str(found[0]["id"])
