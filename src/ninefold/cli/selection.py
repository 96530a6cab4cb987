"""Which candidates and which columns a command asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ninefold.models.quantities import Kind, Quantity

DEFAULT_FIELDS = (
    "rank,formula,anion,m,e_above_hull,phase_separation_energy,e_above_hull_uncertainty,e_above_references,"
    "space_group_symbol,evidence,is_known"
)

FilterArgument = Annotated[
    str | None,
    typer.Argument(help="OPTIMADE filter, e.g. 'elements HAS \"Li\" AND e_above_hull < 0.05'. Default: everything."),
]


def as_stored_anion(text: str) -> str:
    """An anion as it is stored, so that [ReH₉]²⁻ finds [ReH9]2-; other text as it is."""
    from ninefold.chemistry.formula import formula_of, ion_of, read_formula
    from ninefold.errors import InputError

    try:
        read = read_formula(text)
    except InputError:
        return text
    return ion_of(formula_of(read.amounts), read.charge) if read.charge else text


def note_isotopes_in(filter: str | None) -> None:
    """As `note_isotopes`, of every formula in a filter."""
    for quoted in dict.fromkeys(re.findall(r'"([^"]*)"', filter or "")):
        note_isotopes(quoted)


def note_isotopes(text: str) -> None:
    """Say on standard error what a formula's D and T were read as."""
    from ninefold.chemistry.formula import isotope_notes

    for note in isotope_notes(text):
        typer.echo(f"ninefold: note: {text}: {note}", err=True)


def stage_columns(repository: Any, campaign: str | None) -> dict[str, Quantity]:
    """What stages of the user's have stored with the candidates of a campaign, or of all of them.

    A column that two campaigns declare with different kinds cannot be compared with one value: it is left out, with a
    note on standard error.

    Args:
        repository: The store.
        campaign: Which must be in it, or None.
    """
    from ninefold.models.quantities import Quantity

    columns: dict[str, Quantity] = {}
    kinds: dict[str, dict[str, str]] = {}
    equal = {} if campaign is None else {"name": campaign}
    for document in repository.find("campaigns", equal=equal, fields=["name", "columns"]):
        for key, column in (document["columns"] or {}).items():
            columns.setdefault(key, Quantity(key, column["kind"], column["unit"], key, column["meaning"]))
            kinds.setdefault(key, {}).setdefault(column["kind"], document["name"])
    for key, campaigns in kinds.items():
        if len(campaigns) > 1:
            told = ", ".join(f"{kind} in {name}" for kind, name in campaigns.items())
            typer.echo(f"ninefold: note: {key} is {told}; --campaign chooses one, and without it is left out", err=True)
            del columns[key]
    return columns


def kinds_of(columns: Mapping[str, Quantity]) -> dict[str, Kind]:
    """Columns as `Store.find` takes them."""
    return {key: column.kind for key, column in columns.items()}


def fields_of(text: str, columns: Mapping[str, Quantity]) -> list[str]:
    """Keys of the columns named, separated by commas; `all` for every quantity.

    Args:
        text: As it was given.
        columns: What stages of the user's have stored.

    Raises:
        InputError: if one is no quantity.
    """
    from ninefold.errors import InputError
    from ninefold.models.quantities import QUANTITIES

    known = [*QUANTITIES, *columns]
    keys = known if text == "all" else [key.strip().removeprefix("_ninefold_") for key in text.split(",")]
    for key in keys:
        if key not in known:
            import difflib

            close = difflib.get_close_matches(key, known, n=1)
            raise InputError(
                "--fields",
                key,
                problem="is not a field",
                hint=f"did you mean {close[0]!r}?" if close else "'ninefold fields' lists them: rank, formula, ...",
            )
    return keys


def sort_order(text: str) -> list[tuple[str, str]]:
    """Fields to sort by and `asc` or `desc` of each, which a minus before the field stands for."""
    return [
        (key.strip().lstrip("-"), "desc" if key.strip().startswith("-") else "asc")
        for key in text.split(",")
        if key.strip()
    ]


def campaign_filter(repository: Any, campaign: str | None, *, all_methods: bool = False) -> dict[str, str | bool]:
    """What the candidates asked for have in common.

    Args:
        repository: The store.
        campaign: Which must be in it; None for all of them.
        all_methods: Whether every method's row of a candidate counts, not the one that stands for it alone.
    """
    from ninefold.cli.locate import check_campaign

    check_campaign(repository, campaign)
    best: dict[str, str | bool] = {} if all_methods else {"is_best": True}
    return best if campaign is None else {"campaign": campaign, **best}
