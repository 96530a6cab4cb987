"""`ninefold recipe`: what to weigh in for a synthesis under hydrogen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json

if TYPE_CHECKING:
    from ninefold.chemistry.compounds import KnownCompound
    from ninefold.chemistry.recipe import Charge, Recipe, SourceAmount, Weighed

HANDLING = (
    "Alkali metals and hydrides burn in moist air, and a sealed capsule that is heated outside of a press bursts: "
    "weigh and load under argon, and read docs/recipe.md before."
)


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(recipe)


def recipe(
    formula: Annotated[str, typer.Argument(help="Compound to make, e.g. Li5MoH11.")],
    mg: Annotated[float, typer.Option("--mg", help="Of it, mg.")] = 100.0,
    starting: Annotated[
        str | None, typer.Option("--from", help="Solids to start from, e.g. LiH,Mo. Default: hydrides; and metals.")
    ] = None,
    excess: Annotated[
        list[str] | None,
        typer.Option("--excess", help="FORMULA=FRACTION more than the equation says; H2=1 (twice) by default."),
    ] = None,
    store: StoreOption = None,
    campaign: CampaignOption = None,
    json: JsonOption = False,
) -> None:
    """Masses of starting materials and of a source of hydrogen, by balanced equations."""
    from ninefold.chemistry.compounds import known_compounds
    from ninefold.chemistry.recipe import recipe as make_recipe
    from ninefold.cli.selection import note_isotopes

    note_isotopes(formula)
    solids = None if starting is None else [part.strip() for part in starting.split(",") if part.strip()]
    found = make_recipe(formula, mg, known_compounds(), starting=solids, excess=_excess(excess or []))
    competing = _stored(found.formula, store, campaign)
    if json:
        print_json({**_plain(found), "stored": competing})
        return
    _print(found, competing)


def _excess(options: list[str]) -> dict[str, float]:
    """Raises InputError for what is no FORMULA=FRACTION, and for a formula that comes twice."""
    from ninefold.errors import InputError

    found: dict[str, float] = {}
    for option in options:
        name, sign, value = option.partition("=")
        formula = name.strip()
        try:
            fraction = float(value)
        except ValueError:
            sign = ""
        if not sign or not formula:
            raise InputError("--excess", option, problem="is no excess", allowed="FORMULA=FRACTION, such as LiH=0.05")
        if formula in found:
            problem = f"is a second excess of {formula}, after {found[formula]:g}"
            raise InputError("--excess", option, problem=problem, allowed="one of each starting material")
        found[formula] = fraction
    return found


def _stored(formula: str, store: str | None, campaign: str | None) -> list[dict[str, Any]]:
    """What a store says that the compound competes with; nothing where there is no store and none is named."""
    from ninefold.cli.locate import store_for_reading
    from ninefold.store import open_store, resolve_store, store_file

    if store is None and campaign is None:
        file = store_file(resolve_store(None, None))
        if file is None or not Path(file).is_file():
            return []
    from ninefold.chemistry.equations import decomposition
    from ninefold.cli.selection import campaign_filter
    from ninefold.store.details import details

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        equal = {"formula": formula, **campaign_filter(repository, name)}
        rows = repository.find("candidates", equal=equal, sort=[("rank", "asc")], limit=None)
        predicted = [] if not rows else next(iter(details(repository, rows[:1])))["predicted_phases"]
    told = []
    for row in rows[:1]:
        places = [{"temperature_K": None, "pressure_GPa": None, **row}, *row["conditions"]]
        for at in places:
            products = [str(part["formula"]) for part in at.get("decomposition") or []]
            equation = decomposition(formula, products) if products else None
            told.append({
                "candidate": row["label"], "temperature_K": at["temperature_K"], "pressure_GPa": at["pressure_GPa"],
                "phase_separation_energy": at.get("phase_separation_energy"), "engine": row["engine"],
                "evidence": row["evidence"],
                "competes_with": products,
                "predicted_phases": [formula for formula in products if formula in predicted],
                "equation": None if equation is None else str(equation),
            })  # fmt: skip
    return told


def _plain(found: Recipe) -> dict[str, Any]:
    return {
        "formula": found.formula, "mg": found.mg, "mmol": found.mmol,
        "charges": [
            {
                "equation": str(charge.equation), "solids": [vars(each) for each in charge.solids],
                "hydrogen": None if charge.hydrogen is None else vars(charge.hydrogen),
            }
            for charge in found.charges
        ],
        "hydrogen_sources": [
            {**vars(each.source), "mmol": each.mmol, "mg": each.mg, "mg_at_least": each.mg_at_least}
            for each in found.sources
        ],
        "made": [_made(each) for each in found.made], "relatives": [_made(each) for each in found.relatives],
    }  # fmt: skip


def _made(compound: KnownCompound) -> dict[str, Any]:
    keys = ("formula", "synthesis", "pressure_GPa", "temperature_K", "source", "doi", "provenance")
    return {key: getattr(compound, key) for key in keys}


def _print(found: Recipe, competing: list[dict[str, Any]]) -> None:
    from ninefold.report.terminal_parts import plain, table_of

    out = console()
    out.print(plain(f"{found.mg:g} mg of {found.formula} are {found.mmol:.4g} mmol."))
    for charge in found.charges:
        out.print(plain(f"\n{charge.equation}"))
        table = table_of("weigh in", ">mmol", ">mg", "excess")
        for each in _weighed(charge):
            table.add_row(
                each.formula, f"{each.mmol:.4f}", f"{each.mg:.2f}", f"{100 * each.excess:g} %" if each.excess else ""
            )
        out.print(table)
    hydrogen = found.charges[0].hydrogen
    if hydrogen is not None:
        out.print(plain(f"\nHydrogen in the capsule, {hydrogen.mmol:.4g} mmol H2 for the first mixture:"))
        for source in found.sources:
            its = source.source
            out.print(plain(
                f"- {its.formula}: {source.mg:.1f} mg ({source.mmol:.4g} mmol), {its.equation}{_at_least(source)}; "
                f"{its.conditions}; {its.releases} [{its.source}]"
            ))  # fmt: skip
    else:
        out.print(plain("\nThe first mixture binds no hydrogen."))
    for title, compounds in (("Made before", found.made), ("Relatives", found.relatives)):
        for compound in compounds:
            out.print(plain(f"{title}: {compound.formula}: {_how(compound)}"))
    for at in competing:
        out.print(plain(_competes(at)))
    out.print(plain(HANDLING))


def _weighed(charge: Charge) -> list[Weighed]:
    return [*charge.solids, *([charge.hydrogen] if charge.hydrogen else [])]


def _how(compound: KnownCompound) -> str:
    conditions = [
        f"{value:g} {unit}"
        for value, unit in ((compound.pressure_GPa, "GPa"), (compound.temperature_K, "K"))
        if value is not None
    ]
    lowest = f" (lowest reported: {', '.join(conditions)})" if conditions else ""
    return f"{compound.synthesis or 'not recorded'}{lowest}; {compound.source} [{compound.provenance}]"


def _at_least(source: SourceAmount) -> str:
    """How much of it is needed where it does not decompose to the end."""
    if source.mg_at_least == source.mg:
        return ""
    return f" to the end; {source.mg_at_least:.1f} mg where it gives {source.source.hydrogen_at_least:g} H2 each"


def _competes(at: dict[str, Any]) -> str:
    place = "static" if at["temperature_K"] is None else f"{at['temperature_K']:g} K, {at['pressure_GPa']:g} GPa H2"
    beside = at["equation"] or " + ".join(at["competes_with"]) or "no competing phase"
    value = at["phase_separation_energy"]
    where = "" if value is None else "below its products: stable" if value <= 0 else "above its products"
    marks = "".join(f"; {formula} is predicted" for formula in at["predicted_phases"])
    side = "" if value is None else f"; {abs(value):.3f} eV/atom {where}"
    return f"Stored, {place}: {beside}{marks}{side} ({at['engine']}, {at['evidence']})"
