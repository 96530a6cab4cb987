"""What dynamics of a candidate say, as a table and in sentences; for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ninefold.report.text import MISSING

_AROUND_300 = "at 300 K"


def dynamics_rows(record: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """A line for each temperature.

    Args:
        record: A stored `DynamicsRecord`, as plain values.

    Returns:
        Headings, and cells of each line.
    """
    ions = list(dict.fromkeys(ion for one in record["temperatures"] for ion in one["diffusion"]))
    headings = [
        "K", "ps", "mean K", "permutations", "per anion and ps", "turns", "exchanges",
        *(f"D({ion}), cm2/s" for ion in ions),
    ]  # fmt: skip
    lines = [
        [
            f"{one['temperature_K']:g}", f"{one['length_ps']:.4g}", f"{one['mean_temperature_K']:.0f}",
            *(MISSING if one[key] is None else str(one[key]) for key in ("permutations",)),
            interval(one["rate"]),
            *(MISSING if one[key] is None else str(one[key]) for key in ("turns", "exchanges")),
            *(interval(one["diffusion"].get(ion)) for ion in ions),
        ]
        for one in record["temperatures"]
    ]  # fmt: skip
    return headings, lines


def dynamics_facts(record: Mapping[str, Any]) -> list[str]:
    """What all temperatures say together, how it was computed, and what a reader must know of it."""
    replicas = "" if record["replicas"] == 1 else f", {record['replicas']} replicas"
    by = record["engine"] if record.get("rung", "engine") == "engine" else f"{record['engine']} (distilled)"
    facts = [
        f"Evidence: {record['evidence']}. Forces by {by}; {record['length_ps']:.4g} ps in all{replicas}, "
        f"{record['n_atoms']} atoms, {record['isotope']}, steps of {record['time_step_fs']:g} fs. Intervals: 95 %."
    ]
    if not record.get("is_claimed", True):
        facts.append("Rates are not claimed: its potential misses its limits, left its ground or was not checked here.")
    facts += [f"Its potential: {text}." for text in record.get("forces", ())]
    if record.get("error"):
        return [*facts, f"No result: {record['error']}.", *record["warnings"]]
    anion = f"[{record['centre']}H{record['n']}]"
    barrier = record.get("barrier")
    if barrier is not None and barrier["value"] is not None:
        facts.append(
            f"Permutations of the ligands of {anion}: barrier {interval(barrier)} meV, isomers of the "
            f"{record['polyhedron']}."
        )
    elif barrier is not None:
        facts.append(f"Permutations of the ligands of {anion}: none seen; barrier {interval(barrier)} meV.")
    elif record.get("polyhedron"):
        facts.append(f"Permutations of the ligands of {anion}: barrier not resolved.")
    if record.get("rate_300") is not None:
        facts.append(f"Permutations per anion and ps {_AROUND_300}: {interval(record['rate_300'])}.")
    for one in record.get("site_exchanges", ()):
        facts += _exchange_facts(one)
    for ion in record["ions"]:
        at = interval(ion["at_300"])
        if at != MISSING:
            barrier = "" if ion["barrier"] is None else f", barrier {interval(ion['barrier'])} meV"
            facts.append(f"Diffusion of {ion['species']} {_AROUND_300}: {at} cm2/s{barrier}.")
    for ion in record.get("jumps", ()):
        facts += _jump_facts(ion)
    if record["is_too_short"]:
        facts.append("Too short for its claim: a barrier of permutations cannot be told from these runs.")
    return [*facts, *(f"Note: {text}" for text in record["warnings"])]


def _exchange_facts(anion: Mapping[str, Any]) -> list[str]:
    """Ligands of one kind of anion that go to each other's places: rates and barrier by kind."""
    facts = []
    count = f"{anion['count']} anion{'' if anion['count'] == 1 else 's'}"
    for one in anion["kinds"]:
        if one is not anion["kinds"][0] and one["barrier"] is None:
            continue
        barrier = "not resolved" if one["barrier"] is None else f"{interval(one['barrier'])} meV"
        rates = ", ".join(
            f"{at['temperature_K']:g} K {interval(at['rate'])} ({at['events']} seen)" for at in one["temperatures"]
        )
        facts.append(
            f"Ligands of {anion['anion']} ({count}) that exchange places in the crystal, {one['kind']}: "
            f"barrier {barrier}; per anion and ps: {rates}."
        )
    return facts


def _jump_facts(ion: Mapping[str, Any]) -> list[str]:
    """Jumps of one cation: rates by kind of site, barrier, and whether the anions permute with them."""
    name = ion["species"]
    sites = ", ".join(f"{one['count']} {one['name']} ({one['occupancy']:.2f} ions each)" for one in ion["sites"])
    facts = [f"Sites of {name}: {sites}; alike by {ion['symmetry']}."]
    for one in ion["temperatures"]:
        ways = "; ".join(f"{way} {interval(rate)}" for way, rate in one["ways"].items())
        facts.append(
            f"Jumps of {name} at {one['temperature_K']:g} K: {one['jumps']} in {one['ion_ps']:.3g} ps of ions, "
            f"{interval(one['rate'])} per ion and ps{f' ({ways})' if ways else ''}."
        )
    barrier = "not resolved" if ion["barrier"] is None else f"{interval(ion['barrier'])} meV"
    rate = interval(ion["rate_300"])
    facts.append(
        f"Jumps of {name}: barrier {barrier}" + ("." if rate == MISSING else f", per ion and ps {_AROUND_300} {rate}.")
    )
    for test in ion["paddle_wheel"]:
        if test["p"] is None:
            facts.append(f"Jumps of {name} with {test['event']}s of anions: not resolved {test['reason']}.")
        else:
            facts.append(
                f"Jumps of {name} with {test['event']}s of anions: p = {test['p']:.2g}, {test['pairs']} pairs where "
                f"{test['expected']:.3g} are expected by chance, {test['tested_runs']} runs."
            )
    return [*facts, *(f"Note: {text}" for text in ion["notes"])]


def interval(values: Mapping[str, Any] | None) -> str:
    """A value with its interval, or a bound."""
    if values is None or all(values[key] is None for key in ("value", "low", "high")):
        return MISSING
    if values["value"] is None:
        return f"below {values['high']:.2g}" if values["high"] is not None else f"above {values['low']:.3g}"
    return f"{values['value']:.3g} ({values['low']:.2g} to {values['high']:.2g})"
