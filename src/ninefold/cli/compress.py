"""`ninefold compress`: equations of state of a finished campaign's candidates and of what they compete with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import JsonOption, StoreOption, SubmitToOption, WorkflowOption, console, print_json

if TYPE_CHECKING:
    from ninefold.flows.compress import Line
    from ninefold.store import Store

COMMAND = "compress"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compress)


def compress(
    campaign: Annotated[str | None, typer.Argument(help="Campaign in the store; not needed if there is one.")] = None,
    store: StoreOption = None,
    window: Annotated[
        float | None,
        typer.Option(
            help="Distance to the hull, static or at a condition, eV/atom. Default: 1.645 times the uncertainty; "
            "with --only none."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Formula or chemical system (Cr-H-Mg), with what competes; may be given again."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Candidates of each method at most, the nearest first.")
    ] = None,
    minima: Annotated[int, typer.Option(min=1, max=20, help="Stored minima of each candidate at most.")] = 3,
    all_methods: Annotated[
        bool, typer.Option("--all-methods", help="With every method of the campaign, not the most trusted alone.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Structures at once. Default: the campaign's, else every core."),
    ] = None,
    workflow: WorkflowOption = "compress",
    cluster: SubmitToOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be computed, and its cost.")] = False,
    json: JsonOption = False,
) -> None:
    """Relax candidates and competitors at 2.5, 5 and 10 GPa, fit equations of state, assess anew. Resumable."""
    from ninefold.campaign import parse_campaign
    from ninefold.cli.locate import campaign_document, store_address
    from ninefold.cli.progress import run_to_the_end
    from ninefold.flows.compress import core_seconds, plan
    from ninefold.run.compress import compress_campaign
    from ninefold.stages.compress import CompressSettings
    from ninefold.store import open_store

    values = {
        "window": window, "only": tuple(only or ()), "top": top, "minima": minima, "all_methods": all_methods,
    }  # fmt: skip
    settings = CompressSettings.checked(values, COMMAND, are_options=True)
    address = store_address(store)
    with open_store(address) as repository:
        screened = parse_campaign(campaign_document(repository, campaign)["settings"])
        lines = plan(repository, screened, settings)
        known = repository.get_many("properties", [line["state"] for line in lines]).keys() if dry_run else ()
    if workers is not None:
        screened = screened.model_copy(update={"execution": screened.execution.model_copy(update={"workers": workers})})
    titles = screened.method_titles
    if dry_run:
        new = [line for line in lines if line["state"] not in known]
        _show_plan(lines, new, titles, core_seconds(new, screened.methods), json)
        return
    if cluster is not None:
        from ninefold.cli.submit import submit_after_to

        used = [screened.methods[place] for place in sorted({line["method"] for line in lines})]
        submit_after_to(cluster, screened, address, settings, COMMAND, used, workflow, as_json=json)
        return
    fault = run_to_the_end(lambda: compress_campaign(screened, address, settings, workflow))
    with open_store(address) as repository:
        _show(repository, lines, titles, json)
    if fault is not None:
        raise fault


def _show_plan(
    lines: list[Line], new: list[Line], titles: tuple[str, ...], seconds: float | None, as_json: bool
) -> None:
    from ninefold.report.text import duration

    states = {line["state"] for line in new}
    rows = [
        {"label": line["label"], "method": titles[line["method"]], "is_known": line["state"] not in states}
        for line in lines
    ]
    if as_json:
        print_json({"structures": rows, "core_seconds": seconds})
        return
    for row in rows:
        typer.echo(f"{row['method']}: {row['label']}{', known' if row['is_known'] else ''}")
    if not new:
        typer.echo(f"{len(rows)} structures: all known, nothing to compute")
        return
    cost = "" if seconds is None else f"; some {duration(seconds)} of core time"
    typer.echo(
        f"{len(rows)} structures: {len(rows) - len(new)} known, {len(new)} to compute, three relaxations each{cost}"
    )


def _show(repository: Store, lines: list[dict[str, Any]], titles: tuple[str, ...], as_json: bool) -> None:
    from ninefold.report.terminal_parts import plain, table_of
    from ninefold.stages.compress import STAGE, state_id, state_of
    from ninefold.thermo.equation_of_state import EV_PER_GPA_A3

    wanted = {line["structure"]: line for line in lines}
    records = [
        row for row in repository.iterate("properties", equal={"stage": STAGE})
        if row["structure"] in wanted and row["id"] == state_id(row["structure"], row["method"])
    ]  # fmt: skip
    records.sort(key=lambda row: (wanted[row["structure"]]["method"], row["label"]))
    found = []
    for row in records:
        state, method = state_of(row), titles[wanted[row["structure"]]["method"]]
        entry: dict[str, Any] = {"label": row["label"], "method": method, "structure": row["structure"]}
        if state is None:
            found.append({**entry, "reason": row["reason"]})
            continue
        volume = row["values"]["volumes"][0]  # as relaxed: the fit's own differs by its error
        found.append(
            {
                **entry, "volume_per_atom": volume, "bulk_modulus": state.bulk_modulus,
                "derivative": state.derivative, "misfit": state.misfit, "term_at_5_GPa": state.pressure_term(5),
                "p_V_at_5_GPa": 5 * volume * EV_PER_GPA_A3, "notes": row["values"]["notes"],
            }
        )  # fmt: skip
    if as_json:
        print_json({"equations_of_state": found})
        return
    table = table_of("phase", "method", ">V Å³/atom", ">B GPa", ">B'", ">misfit meV", ">H(5)-H(0) meV", ">p V meV")
    for each in found:
        if "reason" in each:
            table.add_row(plain(each["label"]), each["method"], *[""] * 6)
            continue
        table.add_row(
            plain(each["label"]), each["method"], f"{each['volume_per_atom']:.2f}", f"{each['bulk_modulus']:.1f}",
            f"{each['derivative']:.1f}", f"{1000 * each['misfit']:.1f}", f"{1000 * each['term_at_5_GPa']:.0f}",
            f"{1000 * each['p_V_at_5_GPa']:.0f}",
        )  # fmt: skip
    out = console()
    out.print(table)
    for each in found:
        for note in [each["reason"]] if "reason" in each else each["notes"]:
            out.print(plain(f"{each['label']}: {note}"))
    out.print(f"{sum('reason' not in each for each in found)} of {len(found)} structures have an equation of state.")
