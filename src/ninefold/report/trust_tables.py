"""The tables of the trust page, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.report.text import MISSING

if TYPE_CHECKING:
    from ninefold.trust.calibration import ClassShift
    from ninefold.trust.phases import TrustSet
    from ninefold.trust.summary import ClassSummary, TrustSummary


def tables(summaries: Sequence[TrustSummary], trust: TrustSet) -> str:
    """All of them.

    Args:
        summaries: Of the engines, on the set.
        trust: The set.
    """
    parts = [
        _state(trust), _of_classes(summaries), _of_hydrogen(summaries), _by(summaries, "by_n", "n"),
        _by(summaries, "by_centre", "centre"), _by(summaries, "by_cation", "cation"), _of_phases(summaries),
    ]  # fmt: skip
    return "\n".join(parts)


def _state(trust: TrustSet) -> str:
    geometries = sum(len(phase.frames) for phase in trust.phases)
    by_class: dict[str, int] = {}
    for phase in trust.phases:
        by_class[phase.phase_class] = by_class.get(phase.phase_class, 0) + 1
    counts = ", ".join(f"{count} {name}" for name, count in by_class.items())
    return (
        f"Against {trust.method}: {len(trust.phases)} phases ({counts}), {geometries} geometries, "
        f"relaxed by {trust.geometry}.\n"
    )


def _of_classes(summaries: Sequence[TrustSummary]) -> str:
    from ninefold.trust.summary import TITLES

    head = [
        "class", "engine", "phases", "Ef, own H2", "Ef", "reaction", "raw, rms", "left out, rms", "shift, meV/H",
        "volume, %", "pressure, GPa", "shape, GPa", "M-H, mÅ", "forces, eV/Å",
    ]  # fmt: skip
    lines = []
    for name, title in TITLES.items():
        for summary in summaries:
            lines += [_class_line(title, summary.engine, one) for one in summary.classes if one.phase_class == name]
    note = "Mean absolute errors, energies in meV/atom; rms: root mean square, before and after the class's shift."
    return f"\n{note}\n\n{_table(head, lines)}"


def _class_line(title: str, engine: str, one: ClassSummary) -> list[str]:
    shift = one.shift
    return [
        title, engine, str(one.phases) if one.computed == one.phases else f"{one.computed} of {one.phases}",
        _millis(one.formation_own), _millis(one.formation), _millis(one.reaction),
        _millis(shift.error_before if shift else None), _millis(shift.error if shift else None),
        _millis(shift.shift_per_hydrogen if shift else None, sign=True),
        _number(one.volume, 100, 1), _number(one.pressure, 1, 1), _number(one.shape, 1, 1), _number(one.bond, 1000, 0),
        _number(one.force, 1, 2),
    ]  # fmt: skip


def _of_hydrogen(summaries: Sequence[TrustSummary]) -> str:
    head = ["engine", "H2, own, eV/H", "H2, fitted, eV/H", "binaries, own H2", "left out", "Hessian asymmetry, %"]
    lines = []
    for summary in summaries:
        found = summary.hydrogen
        lines.append(
            [
                summary.engine, _number(summary.own.own_hydrogen, 1, 3), _number(found.energy if found else None, 1, 3),
                _millis(found.error_before if found else None), _millis(found.error if found else None),
                _number(summary.hessian_asymmetry, 100, 2),
            ]
        )  # fmt: skip
    return f"\nHydrogen, and whether second derivatives are symmetric:\n\n{_table(head, lines)}"


def _by(summaries: Sequence[TrustSummary], name: str, title: str) -> str:
    every = [getattr(summary, name) for summary in summaries]
    keys = sorted({key for values in every for key in values})
    if not keys:
        return ""
    lines = [
        [summary.engine, *(_millis(values.get(key), sign=True) for key in keys)]
        for summary, values in zip(summaries, every, strict=True)
    ]
    return f"\nReaction energies of complexes by {title}, mean error with sign, meV/atom:\n\n" + _table(
        ["engine", *(f"{title} = {key}" if title == "n" else str(key) for key in keys)], lines
    )


def _of_phases(summaries: Sequence[TrustSummary]) -> str:
    head = ["complex", "n", "DFT's force, eV/Å", "reaction energy by DFT", *(summary.engine for summary in summaries)]
    lines = []
    for several in zip(*(summary.fitted.of_class("complex") for summary in summaries), strict=True):
        first = several[0]
        wrong = [_millis(phase.reaction_error, sign=True) for phase in several]
        force = _number(first.largest_force, 1, 2)
        lines.append([first.name, str(first.n or MISSING), force, _millis(first.reaction, sign=True), *wrong])
    note = "with the largest force that DFT has at the geometry of lowest energy"
    return f"\nReaction energies of complexes, error of each engine, meV/atom, {note}:\n\n{_table(head, lines)}"


def errors_of_engines(
    by_engine: Iterable[tuple[str, TrustSummary, Mapping[str, Sequence[ClassShift]]]], trust: TrustSet
) -> dict[str, Any]:
    """What the package carries of the engines' errors, as plain values: see `ninefold.trust.uncertainty`.

    Args:
        by_engine: How a campaign names an engine, its summary, and for each energy of hydrogen (`own`, `calibrated`)
            the shifts of its classes.
        trust: The set.
    """
    engines = []
    for title, summary, shifts in by_engine:
        entry: dict[str, Any] = {"engine": summary.engine, "title": title, "fingerprint": summary.fingerprint}
        if summary.hessian_asymmetry is not None:
            entry["hessian_asymmetry"] = round(summary.hessian_asymmetry, 4)
        entry["hydrogen"] = {
            name: {
                shift.phase_class: {
                    "shift": round(shift.shift_per_hydrogen, 4), "error": round(shift.error, 4),
                    "error_before": round(shift.error_before, 4), "phases": shift.phases, "groups": shift.groups,
                }
                for shift in some
            }
            for name, some in shifts.items()
        }  # fmt: skip
        engines.append(entry)
    return {
        "reference": trust.method, "settings": trust.settings, "geometry": trust.geometry,
        "phases": len(trust.phases), "engines": engines,
    }  # fmt: skip


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    numbers = [all(_is_number(line[place]) for line in lines) for place in range(len(head))]
    rule = ["---:" if is_number else "---" for is_number in numbers]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines)) + "\n"


def _is_number(text: str) -> bool:
    return text == MISSING or text.lstrip("+-").replace(".", "", 1).isdigit()


def _millis(value: float | None, *, sign: bool = False) -> str:
    return MISSING if value is None else f"{1000 * value:+.0f}" if sign else f"{1000 * value:.0f}"


def _number(value: float | None, factor: float, digits: int) -> str:
    return MISSING if value is None else f"{factor * value:.{digits}f}"
