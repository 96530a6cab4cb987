"""`ninefold facts`: what is known of hydrides, and whether a campaign's hulls say so."""

from __future__ import annotations

from typing import Annotated

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(facts)


def facts(
    method: Annotated[
        str | None, typer.Option("--method", help="A method's hulls: label, name or id. Default: the most trusted.")
    ] = None,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Check facts that must hold: compounds stable where they were made, and none of Cr and Mo at 1 bar."""
    from dataclasses import asdict, replace

    from ninefold.chemistry.compounds import known_compounds
    from ninefold.cli.locate import campaign_document, store_for_reading
    from ninefold.flows.stored_hulls import stored_hulls
    from ninefold.report.terminal_parts import plain, table_of
    from ninefold.store import open_store
    from ninefold.store.listing import find_method, method_ids
    from ninefold.thermo.facts import facts_of, summary, verdict_on, verdict_text
    from ninefold.thermo.window import pressure_text

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        document = campaign_document(repository, name)
        chosen = None if method is None else find_method(repository, method, method_ids(repository, [document]))
        found = stored_hulls(repository, document["name"], chosen)
    verdicts, about_systems = [], set()
    for label in found.systems():
        system = found.system(label.split("-"))
        if system.missing:
            continue
        for fact in facts_of(known_compounds(), system.elements):
            verdict = verdict_on(fact, system)
            row = found.rows.get(verdict.phase)
            verdicts.append(replace(verdict, uncertainty=None if row is None else row.e_above_hull_uncertainty))
        about_systems |= {f"{label}: {note}" for note in (system.vibrations_note(), system.pressure_note()) if note}
    notes = [*filter(None, [found.unfinished()]), *sorted(about_systems)]
    if json:
        print_json({
            "campaign": document["name"], "method": found.method.label, "notes": notes,
            "facts": [asdict(each) for each in verdicts],
        })  # fmt: skip
        return
    table = table_of("system", "fact", ">K", ">GPa", ">meV/atom", ">±", "by", "verdict")
    for each in verdicts:
        table.add_row(
            each.system, plain(each.fact.statement), f"{each.fact.temperature_K:g}",
            pressure_text(each.fact.pressure_GPa), "–" if each.distance is None else f"{1000 * each.distance:+.0f}",
            "–" if each.uncertainty is None else f"{1000 * each.uncertainty:.0f}", plain(each.phase),
            verdict_text(each),
        )  # fmt: skip
    out = console()
    out.print(table)
    out.print(summary(verdicts, found.method.label))
    for note in notes:
        out.print(plain(f"- {note}"), soft_wrap=True)
