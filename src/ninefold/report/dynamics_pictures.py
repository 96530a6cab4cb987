"""Pictures of dynamics: rates against 1/T, correlations, free energy between isomers, mean squared displacements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ninefold.dynamics.statistics.rates import ANY, BOLTZMANN, FEWEST_EVENTS, Rate, poisson_rate
from ninefold.errors import InputError
from ninefold.report.line_figure import Line, LineFigure
from ninefold.report.palette import TERMS

PICTURES = ("rates", "site-exchange", "correlation", "free-energy", "displacements")
_STEPS = 40
_MOST = 4
"""Kinds of site exchange that are drawn."""


def dynamics_figures(title: str, curves: Sequence[Mapping[str, Any]]) -> dict[str, LineFigure]:
    """Picture's name -> picture; those that nothing is known for are left out.

    Args:
        title: Of the system.
        curves: By temperature, see `ninefold.dynamics.curves.curves_of`.
    """
    figures = {
        "rates": _rates(title, [one for one in curves if one["shell_ps"] > 0]),
        "site-exchange": _site_exchanges(title, curves),
        "correlation": _correlation(title, curves),
        "free-energy": _free_energy(title, curves),
        "displacements": _displacements(title, curves),
    }
    return {name: figure for name, figure in figures.items() if figure.lines}


def _rates(title: str, curves: Sequence[Mapping[str, Any]]) -> LineFigure:
    """Of each kind of anion, where the runs agree on which are alike; of all of them together otherwise."""
    kinds = [{row["anion"]: row for row in one.get("permutations") or []} for one in curves]
    names = list(kinds[0]) if kinds else []
    lines: list[Line] = []
    if len(names) > 1 and all(list(one) == names for one in kinds) and _are_alike(curves):
        for place, name in enumerate(names):
            rates = [
                (float(one["temperature_K"]), _rate(rows[name], "anion_ps"))
                for one, rows in zip(curves, kinds, strict=True)
            ]
            lines += _law(rates, name, ": ", _colour(place), _colour(place))
    elif curves:
        counted = [(float(one["temperature_K"]), _rate(one, "shell_ps")) for one in curves]
        lines = _law(counted, "counted; arrow: upper bound", "", TERMS[0], TERMS[5])
    what = f"{title}: permutations of the ligands{_reserves(curves)}"
    return LineFigure(what, "1000 K / T", "per anion and ps, 95 % intervals", lines, is_y_log=True)


def _rate(row: Mapping[str, Any], time: str) -> Rate:
    return poisson_rate(row["events"], row[time], dispersion=row.get("dispersion", 1.0))


def _are_alike(curves: Sequence[Mapping[str, Any]]) -> bool:
    """Whether all runs have the same kinds of anions."""
    return all(one["anions"] == curves[0]["anions"] for one in curves)


def _reserves(curves: Sequence[Mapping[str, Any]]) -> str:
    """What the rates of a picture are not."""
    unclear = [f"{one['temperature_K']:g}" for one in curves if not one.get("is_clear", True)]
    words = [f"vibration counts at {', '.join(unclear)} K"] if unclear else []
    if not all(one.get("is_claimed", True) for one in curves):
        words.append("rates not claimed")
    return f" ({'; '.join(words)})" if words else ""


def _site_exchanges(title: str, curves: Sequence[Mapping[str, Any]]) -> LineFigure:
    """Of each kind of anion, by kind; those that were seen often enough at two temperatures have a law.

    Nothing where ligands have no places of their own at one of them, or anions are not alike at all of them.
    """
    claim = "" if all(one.get("is_claimed", True) for one in curves) else " (rates not claimed)"
    figure = LineFigure(
        f"{title}: ligands exchange places in the crystal{claim}", "1000 K / T", "per anion and ps, 95 % intervals",
        is_y_log=True,
    )  # fmt: skip
    runs = [one for one in curves if one["shell_ps"] > 0]
    if any(one.get("site_exchanges") is None for one in runs) or not _are_alike(runs):
        return figure
    counted = [
        (float(one["temperature_K"]), {(row["anion"], row["kind"]): row for row in one["site_exchanges"]})
        for one in runs
    ]
    often: dict[tuple[str, str], list[tuple[float, Rate]]] = {}
    for anion, kind in dict.fromkeys(key for _, rows in counted for key in rows if key[1] != ANY):
        rates = []
        for kelvin, rows in counted:
            # what was not seen at a temperature was looked for there for as long as all kinds together
            row = rows.get((anion, kind)) or rows[anion, ANY] | {"events": 0}
            rates.append((kelvin, poisson_rate(row["events"], row["anion_ps"], dispersion=row["dispersion"])))
        if len({kelvin for kelvin, rate in rates if rate.events >= FEWEST_EVENTS}) > 1:
            often[anion, kind] = rates
    chosen = sorted(often.items(), key=lambda item: -sum(rate.events for _, rate in item[1]))[:_MOST]
    lines: list[Line] = []
    for place, ((anion, kind), rates) in enumerate(chosen):
        lines += _law(rates, f"{anion}, {kind}", ": ", _colour(place), _colour(place))
    return LineFigure(figure.title, figure.x_label, figure.y_label, lines, is_y_log=True)


def _law(
    rates: Sequence[tuple[float, Rate]], name: str, before: str, colour: str, colour_of_law: str
) -> list[Line]:  # fmt: skip
    """Rates against 1/T with their intervals, and Arrhenius' law where it can be fitted.

    Args:
        rates: Temperature and rate of each.
        name: Of the points.
        before: Between the name and the barrier in that of the law; empty: the barrier alone.
        colour: Of the points.
        colour_of_law: Of the line.
    """
    from ninefold.dynamics.statistics.rates import fit_arrhenius

    kelvins, counted = [kelvin for kelvin, _ in rates], [rate for _, rate in rates]
    lines = [
        Line(
            name, [1000 / kelvin for kelvin in kelvins], [rate.per_ps if rate.events else None for rate in counted],
            colour, [rate.low for rate in counted], [rate.high for rate in counted], is_marked=True,
        )
    ]  # fmt: skip
    try:
        fit = fit_arrhenius(kelvins, counted)
    except InputError:
        return lines
    inverse = [
        1000 / max(kelvins) + (1000 / min(kelvins) - 1000 / max(kelvins)) * k / _STEPS for k in range(_STEPS + 1)
    ]
    values = [fit.prefactor_per_ps * math.exp(-fit.barrier_eV / BOLTZMANN * place / 1000) for place in inverse]
    barrier = f"{1000 * fit.barrier_eV:.0f} meV ({1000 * fit.low_eV:.0f} to {1000 * fit.high_eV:.0f})"
    return [*lines, Line(f"{name}{before}{barrier}" if before else barrier, inverse, values, colour_of_law)]


def _correlation(title: str, curves: Sequence[Mapping[str, Any]]) -> LineFigure:
    lines = []
    for place, one in enumerate(curves):
        for frame, words, is_dashed in (("lab", "lab", False), ("body", "anion's frame", True)):
            if one[frame] is not None:
                lines.append(
                    Line(
                        f"{one['temperature_K']:g} K, {words}", one[frame]["times_ps"], one[frame]["values"],
                        _colour(place), is_dashed=is_dashed,
                    )
                )  # fmt: skip
    return LineFigure(f"{title}: orientation of M-H", "t, ps", "C2(t)", lines, is_x_log=True)


def _free_energy(title: str, curves: Sequence[Mapping[str, Any]]) -> LineFigure:
    lines = []
    for place, one in enumerate(curves):
        if one["profile"] is None:
            continue
        progress, values = one["profile"]["progress"], one["profile"]["values"]
        # the way back is the same: seen from the other isomer
        mirrored = [*progress, *(-value for value in reversed(progress))]
        energies = [None if value is None else 1000 * value for value in (*values, *reversed(values))]
        lines.append(Line(f"{one['temperature_K']:g} K", mirrored, energies, _colour(place)))
    return LineFigure(
        f"{title}: from an isomer to the closest", "progress: -1 in one isomer, +1 in the other", "free energy, meV",
        lines,
    )  # fmt: skip


def _displacements(title: str, curves: Sequence[Mapping[str, Any]]) -> LineFigure:
    species = list(dict.fromkeys(name for one in curves for name in one["squares"]))
    lines = [
        Line(
            f"{name}, {one['temperature_K']:g} K", one["squares"][name]["times_ps"], one["squares"][name]["values"],
            _colour(place), is_dashed=name != species[0],
        )
        for place, one in enumerate(curves)
        for name in species
        if name in one["squares"]
    ]  # fmt: skip
    return LineFigure(
        f"{title}: mean squared displacements", "t, ps", "Å²", lines, is_x_log=True, is_y_log=True
    )  # fmt: skip


def _colour(place: int) -> str:
    return TERMS[place % len(TERMS)]
