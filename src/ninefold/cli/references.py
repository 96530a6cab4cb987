"""`ninefold references`: reference phases above the hull of the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json

if TYPE_CHECKING:
    from ninefold.thermo.own_hull import Height
    from ninefold.thermo.phase import Phase

ABOVE = 0.05
"""eV/atom; of the size of the potentials' error on complex hydrides."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(references)


def references(
    campaign: CampaignOption = None,
    store: StoreOption = None,
    method: Annotated[
        str | None,
        typer.Option(help="Compute the known complex hydrides and what competes with this engine, NAME or NAME:MODEL."),
    ] = None,
    trust_set: Annotated[
        bool, typer.Option("--trust-set", help="With the DFT of the trust set, which comes with ninefold.")
    ] = False,
    system: Annotated[
        list[str] | None, typer.Option("--system", help="Of these chemical systems (K-Re-H); with --method.")
    ] = None,
    above: Annotated[
        float, typer.Option(min=-10, help="Distance above the hull from which a phase is shown, eV/atom.")
    ] = ABOVE,
    fmax: Annotated[float, typer.Option(help="Largest force left, eV/Å; with --method.")] = 0.01,
    json: JsonOption = False,
) -> None:
    """List reference phases that lie above the hull of the others: structures to doubt before they carry a hull.

    Default: with every method of a campaign in the store, those of `ninefold verify` included.
    """
    from ninefold.thermo.own_hull import heights

    if trust_set:
        by_method = _of_trust_set()
    elif method is not None:
        by_method = _computed(method, system or [], fmax)
    else:
        by_method = _of_store(store, campaign)
    found = {label: heights(phases) for label, phases in by_method.items()}
    if json:
        print_json(
            {
                label: [
                    {
                        "name": each.name, "formula": each.formula, "e_above_hull": each.distance,
                        "products": list(each.products), "provenance": each.provenance, "source": each.source,
                        "refuted": each.refuted,
                    }
                    for each in some if each.distance > above
                ]
                for label, some in found.items()
            }
        )  # fmt: skip
        return
    for label, some in found.items():
        _show(label, some, above)


def _show(label: str, found: list[Height], above: float) -> None:
    from ninefold.report.terminal_parts import plain, table_of

    out = console()
    shown = [each for each in found if each.distance > above]
    out.print(f"{label}: {len(shown)} of {len(found)} compounds more than {1000 * above:.0f} meV/atom above the others")
    if not shown:
        return
    table = table_of("phase", ">meV/atom", "decomposes into", "structure", "kept out")
    for each in shown:
        table.add_row(
            plain(each.name), f"{1000 * each.distance:+.0f}", " + ".join(each.products), each.provenance,
            "yes" if each.refuted else "",
        )  # fmt: skip
    out.print(table)


def _of_store(store: str | None, campaign: str | None) -> dict[str, list[Phase]]:
    from ninefold.cli.locate import campaign_document, store_for_reading
    from ninefold.store import open_store

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        document = campaign_document(repository, name)
        labels = {row["id"]: row["label"] for row in repository.find("methods", limit=None)}
        rows = repository.find("references", equal={"campaign": document["name"]}, limit=None)
    by_method: dict[str, list[Phase]] = {}
    for row in rows:
        if row["energy_per_atom"] is not None:
            by_method.setdefault(labels.get(row["method"], row["method"]), []).append(_phase(row))
    return by_method


def _of_trust_set() -> dict[str, list[Phase]]:
    """At the lowest point of each phase's series of volumes."""
    from ninefold.trust import phases

    found = phases.trust_set()
    rows = [
        {
            "name": phase.name, "formula": phase.formula, "source": phase.source, "provenance": "", "refuted": None,
            "energy_per_atom": min(frame.energy_per_atom for frame in phase.curve or phase.frames),
            "kind": "molecule" if phase.phase_class == "molecule" else phase.phase_class,
        }
        for phase in found.phases
    ]  # fmt: skip
    return {f"{found.method}, at volumes of {found.geometry}": [_phase(row) for row in rows]}


def _computed(method: str, systems: Iterable[str], fmax: float) -> dict[str, list[Phase]]:
    """Relaxed here, and not stored."""
    from ninefold.chemistry.formula import parse_formula
    from ninefold.cli.calculation import step_progress, told_by
    from ninefold.cli.trust import engine_settings
    from ninefold.engines import make_engine
    from ninefold.engines.settings import RelaxSettings
    from ninefold.errors import InputError
    from ninefold.stages.references import hydrogen_energy
    from ninefold.thermo.references import RELAXATION, known_hydride_formulas, reference_phases

    asked = [frozenset(name.split("-")) for name in systems]
    wanted = [frozenset(parse_formula(formula)) for formula in sorted(known_hydride_formulas())]
    wanted = [elements for elements in wanted if not asked or elements in asked]
    if not wanted:
        raise InputError("--system", " ".join(systems), problem="has no known complex hydride")
    needed = {phase.name: phase for elements in wanted for phase in reference_phases(elements)}
    with told_by("--method", None):
        engine = make_engine(engine_settings(method))
    solid = RELAXATION.model_copy(update={"fmax": fmax})
    found: list[Phase] = []
    with step_progress() as notify:
        for done, phase in enumerate(needed.values()):
            notify("reference phases", done, len(needed))
            settings = RelaxSettings(fmax=fmax, relax_cell=False) if phase.kind == "molecule" else solid
            [result] = engine.relax([phase.structure], settings)
            energy = result.energy_per_atom
            if energy is None:
                typer.echo(f"ninefold: left out: {phase.name}: {result.error}", err=True)
                continue
            if phase.kind == "molecule":
                energy, _ = hydrogen_energy(engine.label, energy, "calibrated")
            row = {
                "name": phase.name, "formula": phase.formula, "energy_per_atom": energy, "kind": phase.kind,
                "provenance": phase.provenance, "source": phase.source, "refuted": phase.refuted,
            }  # fmt: skip
            found.append(_phase(row))
        notify("reference phases", len(needed), len(needed))
    return {engine.label: found}


def _phase(row: dict[str, Any]) -> Phase:
    from ninefold.chemistry.formula import parse_formula
    from ninefold.thermo.phase import Phase

    return Phase(
        row["name"], row["formula"],
        {symbol: float(amount) for symbol, amount in parse_formula(row["formula"]).items()}, row["energy_per_atom"],
        kind=row["kind"], source=row["source"] or "", provenance=row["provenance"] or "", refuted=row["refuted"],
    )  # fmt: skip
