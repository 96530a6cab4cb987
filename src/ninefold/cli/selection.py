"""Which candidates and which columns a command asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.store import listing
from ninefold.store.listing import campaign_filter, fields_of, sort_order

__all__ = [
    "DEFAULT_FIELDS", "FilterArgument", "as_stored_anion", "campaign_filter", "fields_of", "kinds_of", "note_isotopes",
    "note_isotopes_in", "sort_order", "stage_columns",
]  # fmt: skip

if TYPE_CHECKING:
    from ninefold.models.quantities import Kind, Quantity

DEFAULT_FIELDS = (
    "rank,formula,anion,m,e_above_hull,phase_separation_energy,e_above_hull_uncertainty,hull_probability,"
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
    """As `ninefold.store.listing.stage_columns`; what is left out is told on standard error."""
    columns, clashes = listing.stage_columns(repository, campaign)
    for key, told in clashes.items():
        typer.echo(f"ninefold: note: {key} is {told}; --campaign chooses one, and without it is left out", err=True)
    return columns


def kinds_of(columns: Mapping[str, Quantity]) -> dict[str, Kind]:
    """Columns as `Store.find` takes them."""
    return {key: column.kind for key, column in columns.items()}


def candidates_named(repository: Any, what: str, campaign: str | None) -> list[dict[str, Any]]:
    """Whole rows of the candidates that are meant by an id, assignment, anion or formula, by rank.

    Args:
        repository: The store.
        what: As it was given.
        campaign: Its name, or None.
    """
    from ninefold.chemistry.formula import formula_of, parse_formula, reduced

    of_campaign = campaign_filter(repository, campaign)
    order = [("rank", "asc")]
    for key, wanted in (("composition", what), ("id", what), ("label", what), ("anion", as_stored_anion(what))):
        # an id names a row, of whatever method
        among = campaign_filter(repository, campaign, all_methods=True) if key == "id" else of_campaign
        if found := repository.find("candidates", equal={key: wanted, **among}, sort=order, limit=None):
            return list(found)
    note_isotopes(what)
    formula = formula_of(reduced(parse_formula(what)))
    return list(repository.find("candidates", equal={"formula": formula, **of_campaign}, sort=order, limit=None))
