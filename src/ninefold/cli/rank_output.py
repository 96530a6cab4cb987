"""What `ninefold rank` prints."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from ninefold.cli.options import console, print_json

if TYPE_CHECKING:
    from ninefold.api.reranking import Reranking
    from ninefold.ranking.rank import Ranked

_SHOWN = ("formula", "anion", "m", "e_above_hull", "phase_separation_energy")
"""Fields of a candidate beside its rank."""
_AT_ONCE = 500
_FACTS: Mapping[str, tuple[str, ...]] = {
    "stability": ("phase_separation_energy", "e_above_same_composition"),
    "prior": ("prior",),
    "hydrogen": ("n", "m"),
    "convergence": ("is_converged", "max_force"),
    "novelty": ("centre", "group"),
    "pseudorotation": (
        "pseudorotation_barrier",
        "pseudorotation_barrier_low",
        "pseudorotation_barrier_high",
        "dynamics_length",
        "is_dynamics_too_short",
        "dynamics_engine",
        "dynamics_evidence",
    ),
    "free_energy": ("ambient_separation",),
    "window": ("window_width", "lowest_pressure"),
    "survival": ("survives_ambient", "ambient_separation"),
}
"""Term of ninefold's -> fields that it comes from."""
_AT_SYNTHESIS = {"stability": ("synthesis_separation",)}
"""Likewise, where a ranking is at a condition."""
_WHY_NONE = {
    "competitor": "it is a made compound that was searched so that it competes, and no candidate",
    "h2_ligand": "it holds H2 ligands, which bind differently, and is not compared with the classical hydrides",
    "rejected": "a rule on results rejects its structure; 'ninefold show' says which",
    "no_hull": "it has no distance to a hull: no valid structure was found, or a reference phase is missing",
}


def _rows(repository: Any, ids: Iterable[str], fields: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Fields of some candidates, in their order."""
    keys, wanted = list(ids), list(dict.fromkeys(["id", *fields]))
    for start in range(0, len(keys), _AT_ONCE):
        page = keys[start : start + _AT_ONCE]
        found = {row["id"]: row for row in repository.find("candidates", equal={"id": page}, fields=wanted)}
        yield from (found[key] for key in page if key in found)


def _shown(reranking: Reranking) -> tuple[str, ...]:
    """Fields beside a rank: the distance that it rests on among them."""
    return _SHOWN if reranking.settings.at is None else (*_SHOWN[:3], "synthesis_separation", "ambient_separation")


def _where(reranking: Reranking) -> str:
    """The condition of a ranking, as a sentence; empty where it is by the static hull."""
    at = reranking.settings.at
    if at is None:
        return ""
    return f"At {at.temperature_K:g} K and {at.pressure_GPa:g} GPa of hydrogen: stability is by G(synthesis)."


def print_ranking(repository: Any, reranking: Reranking, limit: int, as_json: bool, *, is_other: bool) -> None:
    """The ranking, each rank beside the stored one.

    Args:
        repository: The store, open.
        reranking: What is printed.
        limit: Candidates at most; 0 for all.
        as_json: As JSON.
        is_other: Whether the weights are none of a file or the store.
    """
    from itertools import islice

    from ninefold.report.terminal_parts import cell, plain, table_of
    from ninefold.report.text import MISSING, number

    shown = list(islice(reranking.ranked(), limit or None))
    columns = _shown(reranking)
    rows = list(_rows(repository, (ranked.id for ranked, _ in shown), ("label", *columns)))
    weights = reranking.scores.weights
    if as_json:
        print_json(
            {
                "campaign": reranking.campaign, "weights": weights, "ranked": len(reranking.scores.order),
                "candidates": [
                    {**row, **_told(ranked), "previous_rank": before}
                    for row, (ranked, before) in zip(rows, shown, strict=True)
                ],
            }
        )  # fmt: skip
        return
    table = table_of(
        ">rank", ">was", *map(_heading, columns), ">score", ">ranks open", "Pareto", *(f">{name}" for name in weights)
    )
    if "formula" in columns:  # where the terminal is too narrow, anything else is cut first
        whole = table.columns[2 + columns.index("formula")]
        whole.no_wrap, whole.min_width = True, max((len(row["formula"]) for row in rows), default=0)
    for row, (ranked, before) in zip(rows, shown, strict=True):
        table.add_row(
            str(ranked.rank), MISSING if before is None else str(before), *(cell(key, row) for key in columns),
            number(ranked.score, 3), f"{ranked.rank_best} to {ranked.rank_worst}", "yes" if ranked.is_pareto else "",
            *(number(term["contribution"], 3) for term in ranked.terms.values()),
        )  # fmt: skip
    out = console()
    out.print(table)
    every = len(reranking.scores.order)
    first = f" (the first {len(shown)})" if len(shown) < every else ""
    out.print(plain(f"{every} candidate(s) with a rank{first}; under each term, what it adds to the score."))
    if where := _where(reranking):
        out.print(plain(where))
    out.print(plain(f"Weights: {', '.join(f'{name} {number(weight, 2)}' for name, weight in weights.items())}"))
    if is_other:
        given = ", ".join(f"{name}: {weight:g}" for name, weight in reranking.settings.weights.items())
        out.print(plain(f"Nothing was written. In the campaign file: ranking: {{weights: {{{given}}}}}"))


def print_explained(repository: Any, reranking: Reranking, id: str, as_json: bool) -> None:
    """What the score of one candidate is made of, in words."""
    from ninefold.report.explanation import wrapped
    from ninefold.report.text import with_unit

    ranked, before = reranking.of(id)
    facts_of = _FACTS if reranking.settings.at is None else {**_FACTS, **_AT_SYNTHESIS}
    fields = ("label", "engine", *dict.fromkeys(key for keys in facts_of.values() for key in keys))
    [row] = _rows(repository, [id], fields)
    if as_json:
        print_json(
            {
                "campaign": reranking.campaign, "id": id, "label": row["label"], **_told(ranked),
                "previous_rank": before, "reason": ranked.reason,
            }
        )  # fmt: skip
        return
    width = shutil.get_terminal_size((100, 24)).columns
    lines = [f"{row['label']} ({id}), campaign {reranking.campaign}, {row['engine'] or 'not searched'}"]
    if ranked.rank is None:
        why = _WHY_NONE[ranked.reason or "no_hull"]
        typer.echo("\n".join([*lines, *wrapped(f"It has no rank: {why}.", width, 2)]))
        return
    every = len(reranking.scores.order)
    stored = "" if before is None else f"; in the store it has rank {before}"
    is_sure = ranked.rank_best == ranked.rank_worst
    open_ranks = "no other rank" if is_sure else f"ranks {ranked.rank_best} to {ranked.rank_worst}"
    lines += wrapped(
        f"Rank {ranked.rank} of {every} with score {ranked.score:.3f}{stored}. The uncertainty of the hull distances "
        f"leaves {open_ranks} open. "
        + (
            "No other candidate is at least as good in every term and better in one."
            if ranked.is_pareto else "Another candidate is at least as good in every term and better in one."
        ),
        width, 2,
    )  # fmt: skip
    if where := _where(reranking):
        lines += wrapped(where, width, 2)
    meanings = {name: " ".join((term.__doc__ or "").split("\n")[0].split()) for name, term in _terms(reranking).items()}
    for name, term in sorted(ranked.terms.items(), key=lambda item: -item[1]["contribution"]):
        facts = ", ".join(f"{key} {with_unit(key, row[key])}" for key in facts_of.get(name, ()))
        lines += wrapped(
            f"{name}: value {term['value']:.3f}, weight {term['weight']:.3f}: adds {term['contribution']:.3f}, and "
            f"{term['weight'] - term['contribution']:.3f} less than it could.",
            width, 2,
        )  # fmt: skip
        lines += wrapped("; ".join(filter(None, [meanings.get(name, "").rstrip("."), facts])) + ".", width, 6)
    typer.echo("\n".join(lines))


def print_front(
    repository: Any, reranking: Reranking, axes: list[str], places: list[int], without: int, limit: int, as_json: bool
) -> None:
    """The candidates of a Pareto front, with their values.

    Args:
        repository: The store, open.
        reranking: Where their values are.
        axes: What they were compared by.
        places: Of the front's candidates, in order.
        without: How many candidates lack a value.
        limit: Candidates at most; 0 for all.
        as_json: As JSON.
    """
    from ninefold.report.terminal_parts import cell, plain, table_of
    from ninefold.report.text import MISSING, number, shown

    scores = reranking.scores
    chosen = places[: limit or None]
    rows = list(_rows(repository, (scores.ids[place] for place in chosen), ("label", *_SHOWN)))
    values = [
        {
            axis: reranking.fields[axis][place]
            if axis in reranking.fields
            else scores.ranked(place).terms[axis]["value"]
            for axis in axes
        }
        for place in chosen
    ]
    if as_json:
        front = [
            {**row, "rank": reranking.before[place], "values": value}
            for row, place, value in zip(rows, chosen, values, strict=True)
        ]
        print_json(
            {"campaign": reranking.campaign, "front": len(places), "without_value": without, "candidates": front}
        )
        return
    table = table_of(">rank", *map(_heading, _SHOWN), *(f">{axis}" for axis in axes if axis not in _SHOWN))
    for row, place, value in zip(rows, chosen, values, strict=True):
        before = reranking.before[place]
        table.add_row(
            MISSING if before is None else str(before), *(cell(key, row) for key in _SHOWN),
            *(
                shown(axis, value[axis]) if axis in reranking.fields else number(value[axis], 3)
                for axis in axes if axis not in _SHOWN
            ),
        )  # fmt: skip
    out = console()
    out.print(table)
    first = f" (the first {len(chosen)})" if len(chosen) < len(places) else ""
    of_all = f"{len(places)} of {len(scores.order)} candidates"
    out.print(plain(f"{of_all}; no other is at least as good in {', '.join(axes)} and better in one{first}."))
    if without:
        out.print(plain(f"{without} candidate(s) lack one of these values and are left out."))


def _value(reranking: Reranking, axis: str, place: int) -> Any:
    if axis in reranking.fields:
        return reranking.fields[axis][place]
    return reranking.scores.ranked(place).terms[axis]["value"]


def _told(ranked: Ranked) -> dict[str, Any]:
    names = ("rank", "score", "rank_best", "rank_worst", "is_pareto", "terms")
    return {name: getattr(ranked, name) for name in names}


def _terms(reranking: Reranking) -> dict[str, Any]:
    from ninefold.ranking.terms import TERMS, shown_name

    chosen = [name for name, weight in reranking.settings.weights.items() if weight > 0]
    return {shown_name(name, chosen): TERMS.load(name) for name in chosen}


def _heading(key: str) -> str:
    from ninefold.report.text import quantity_of

    quantity = quantity_of(key)
    text = f"{quantity.symbol}\n{quantity.unit}" if quantity.unit else quantity.symbol
    return f">{text}" if quantity.kind in ("float", "integer") else text
