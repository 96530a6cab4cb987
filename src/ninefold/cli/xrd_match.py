"""`ninefold xrd match`: which mixture of known and predicted phases a measured pattern is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json
from ninefold.cli.outputs import ForceOption

if TYPE_CHECKING:
    from ninefold.diffraction.library import MatchPhase, PhaseGroup
    from ninefold.diffraction.match_results import FoundPhase, Match
    from ninefold.diffraction.measured import MeasuredPattern
    from ninefold.diffraction.radiation import Radiation

SHORTEST_USED = 0.75
"""Å; peaks of shorter spacings overlap and tell phases no better. --range goes on beyond."""
_LISTED = 12
"""Unexplained peaks that are listed."""
_MEMBERS = 6
"""Phases of a group that are named."""


def match(
    pattern: Annotated[
        Path, typer.Argument(help="Text file of columns: 2θ, intensity, and its error if there is one.")
    ],
    wavelength: Annotated[
        str | None, typer.Option("--wavelength", "-w", help="CuKa (both lines), CuKa1, MoKa ..., or Å. Needed.")
    ] = None,
    elements: Annotated[
        str | None, typer.Option("--elements", help="Phases of these elements alone: Li,Mo,H. Default: all stored.")
    ] = None,
    phase: Annotated[
        list[Path] | None, typer.Option("--phase", help="A structure file of a further phase; may be repeated.")
    ] = None,
    axis: Annotated[
        str, typer.Option("--axis", help="What the first column is: 2theta (degrees), q (1/Å), d (Å).")
    ] = "2theta",
    range_: Annotated[
        str | None, typer.Option("--range", help="Angles 2θ to use, LOW,HIGH. Default: all down to d = 0.75 Å.")
    ] = None,
    strain: Annotated[
        float, typer.Option("--strain", help="By how much the lengths of a cell may differ from the calculated ones.")
    ] = 0.03,
    phases: Annotated[int, typer.Option("--phases", min=1, max=6, help="Phases of a mixture at most.")] = 4,
    pressure: Annotated[
        float | None,
        typer.Option("--pressure", help="GPa of the measurement: stored cells by their equations of state there."),
    ] = None,
    unpolarised: Annotated[
        bool, typer.Option("--unpolarised", help="A wavelength in Å is a tube's, not a synchrotron's.")
    ] = False,
    neutrons: Annotated[bool, typer.Option("--neutrons", help="The wavelength is one of neutrons.")] = False,
    deuterium: Annotated[bool, typer.Option("--deuterium", help="With --neutrons: hydrogen is deuterium.")] = False,
    out: Annotated[str | None, typer.Option("--out", "-o", help="Picture of the fit: FILE.svg or FILE.png.")] = None,
    force: ForceOption = False,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Which mixture of stored phases explains a measured powder pattern, or that none does."""
    from ninefold.diffraction.radiation import radiation
    from ninefold.errors import InputError

    if wavelength is None:
        raise InputError(
            "--wavelength", "", problem="is missing: a pattern says nothing without it",
            allowed="CuKa, CuKa1, MoKa, CoKa ..., or a number in Å",
        )  # fmt: skip
    if not 0 <= strain <= 0.1:
        raise InputError("--strain", strain, allowed="0 to 0.1")
    if pressure is not None:
        from ninefold.thermo.equation_of_state import check_pressure

        check_pressure(pressure, "--pressure")
    beam = radiation(wavelength, polarised=False if unpolarised else None, neutrons=neutrons, deuterated=deuterium)
    symbols = None if elements is None else _symbols(elements)
    target = None if out is None else _target(out, force=force, inputs=[pattern, *(phase or [])])
    measured = _measured(pattern, beam, axis, range_)
    stored = _phases(symbols, phase or [], store, campaign, pressure)
    found = _matched(measured, beam, stored, strain, phases)
    if target is not None:
        from ninefold.output.target import write_whole
        from ninefold.report.powder_figure import match_figure, powder_png, powder_svg

        figure = match_figure(f"{pattern.name}, {beam.name}: {found.verdict}", found)
        content = powder_png(figure) if target.suffix == ".png" else str(powder_svg(figure)).encode()
        write_whole(target, content, "--out")
    if json:
        print_json({**_plain(found), "pressure_GPa": pressure})
        return
    _print(found)
    if pressure is not None:
        _print_pressure(stored, pressure)


def _measured(path: Path, beam: Radiation, axis: str, range_: str | None) -> MeasuredPattern:
    """The part of the file that is used; read before a store is, so that a wrong file is told at once."""
    import numpy as np

    from ninefold.cli.xrd import _ends
    from ninefold.diffraction.measured import FEWEST_POINTS, read_pattern
    from ninefold.diffraction.radiation import two_theta_of
    from ninefold.errors import InputError

    measured = read_pattern(path, beam, axis)
    low, high = (None, None) if range_ is None else _ends(range_)
    farthest = float(np.nan_to_num(two_theta_of(np.array(SHORTEST_USED), beam.wavelength), nan=180.0))
    measured = measured.within(low, farthest if high is None else high)
    if len(measured.two_theta) < FEWEST_POINTS:
        problem = f"leaves {len(measured.two_theta)} points of the pattern"
        raise InputError("--range", range_, problem=problem, allowed=f"at least {FEWEST_POINTS}")
    return measured


def _matched(measured: MeasuredPattern, beam: Radiation, stored: list[MatchPhase], strain: float, most: int) -> Match:
    import numpy as np

    from ninefold.diffraction.background import reduced, typical_width
    from ninefold.diffraction.library import grouped
    from ninefold.diffraction.matching import match as match_pattern
    from ninefold.diffraction.profile import Profile
    from ninefold.diffraction.radiation import d_of

    pattern = reduced(measured)
    width = typical_width(pattern)
    ends = float(pattern.two_theta[0]), float(pattern.two_theta[-1])
    d_min = max(0.3, float(d_of(np.array(ends[1]), beam.wavelength)) * (1 - strain - 0.01))
    groups = grouped(stored, beam, ends, shape=Profile(w=width**2), d_min=d_min, most_strain=strain)
    told = sys.stderr.isatty()
    return match_pattern(
        pattern, groups, beam, width=width, most_strain=strain, most_phases=most,
        progress=(lambda text: typer.echo(text, err=True)) if told else None,
    )  # fmt: skip


def _phases(
    symbols: set[str] | None, files: list[Path], store: str | None, campaign: str | None, pressure: float | None
) -> list[MatchPhase]:
    """Of the store, and of files, which are taken as they are; a file alone needs no store.

    Raises:
        InputError: if there is none.
    """
    from ninefold.cli.locate import store_for_reading
    from ninefold.diffraction.library import MatchPhase
    from ninefold.errors import InputError
    from ninefold.flows.powder_phases import powder_phases
    from ninefold.store import open_store
    from ninefold.structures.files import read_structure

    found = []
    for file in files:
        structure = read_structure(file).structure
        formula = structure.composition.reduced_formula
        at_pressure = None if pressure is None else ""
        found.append(MatchPhase(str(file), file.name, formula, structure, "file", compression=at_pressure))
    if files and store is None and campaign is None and symbols is None:
        return found
    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        found += powder_phases(repository, symbols, name, pressure)
    if not found:
        raise InputError(
            "--elements", None if symbols is None else ",".join(sorted(symbols)),
            problem="has no phase with a structure in the store", hint="--phase adds a structure file",
        )  # fmt: skip
    return found


def _symbols(text: str) -> set[str]:
    """Raises InputError for what is no element."""
    from ninefold.chemistry.elements import SYMBOLS
    from ninefold.errors import InputError

    symbols = [part.strip() for part in text.replace("-", ",").split(",") if part.strip()]
    unknown = [symbol for symbol in symbols if symbol not in SYMBOLS]
    if unknown or not symbols:
        problem = f"names no element: {unknown[0]!r}" if unknown else "is empty"
        raise InputError("--elements", text, problem=problem, allowed="symbols, such as Li,Mo,H")
    return set(symbols)


def _target(out: str, *, force: bool, inputs: list[Path]) -> Path:
    from ninefold.cli.outputs import check_output
    from ninefold.errors import InputError

    if Path(out).suffix not in (".svg", ".png"):
        raise InputError("--out", out, problem="does not say by its ending what to write", allowed=".svg, .png")
    return check_output(Path(out), force=force, inputs=inputs)


def _plain(found: Match) -> dict[str, Any]:
    """For JSON, with stable keys."""
    return {
        "verdict": found.verdict, "explained": round(found.explained, 4), "zero_shift": round(found.zero_shift, 4),
        "fwhm": round(found.fwhm, 4),
        "two_theta_range": [round(float(found.pattern.two_theta[place]), 4) for place in (0, -1)], "peaks": found.peaks,
        "phases": [
            {
                "name": phase.group.first.name, "formula": phase.group.first.formula, "kind": phase.group.first.kind,
                "id": phase.group.first.id, "engine": phase.group.first.engine,
                "weight_share": round(phase.weight_share, 4),
                "intensity_share": round(phase.intensity_share, 4), "found_share": round(phase.found_share, 4),
                "gain": round(phase.gain, 4), "peaks": phase.peaks, "lattice": phase.lattice.round(5).tolist(),
                "length_changes": phase.length_changes.round(5).tolist(),
                "volume_change": round(phase.volume_change, 5), "compression": phase.group.first.compression,
                "same_pattern": _names(phase.group)[1:],
                "alternatives": [name for group in phase.alternatives for name in _names(group)],
                "undecided": [name for group in phase.undecided for name in _names(group)],
            }
            for phase in found.phases
        ],
        "unexplained": [
            {"two_theta": round(peak.two_theta, 4), "d": round(peak.d, 5), "height": round(peak.height, 4)}
            for peak in found.unexplained
        ],
    }  # fmt: skip


def _print(found: Match) -> None:
    from ninefold.report.terminal_parts import plain, table_of

    out = console()
    said = {
        "explained": "These phases explain the pattern.",
        "partly explained": "These phases explain part of the pattern.",
        "not explained": "No mixture of these phases explains the pattern." + (" The nearest:" if found.phases else ""),
    }
    out.print(plain(said[found.verdict]))
    if found.phases:
        table = table_of(
            "phase", ">% of mass", ">% of intensity", ">a, Å", ">b", ">c", ">change of a, b, c, %", ">of V, %"
        )
        for phase in found.phases:
            table.add_row(*_row(phase))
        out.print(table)
        for line in _engines([phase.group.first for phase in found.phases]):
            out.print(plain(line))
        for phase in found.phases:
            for line in _told(phase):
                out.print(plain(line))
        out.print(plain(
            f"Explained: {100 * found.explained:.0f} % of the intensity of {found.peaks} peaks; zero shift "
            f"{found.zero_shift:+.3f}°, peaks {found.fwhm:.3f}° wide. Shares of mass neglect absorption and texture."
        ))  # fmt: skip
    if found.unexplained:
        listed = found.unexplained[:_LISTED]
        out.print(plain(f"Unexplained: {len(found.unexplained)} of {found.peaks} peaks, the highest first:"))
        table = table_of(">2θ, °", ">d, Å", ">% of the strongest")
        for peak in listed:
            table.add_row(f"{peak.two_theta:.3f}", f"{peak.d:.4f}", f"{100 * peak.height:.0f}")
        out.print(table)
    elif found.phases:
        out.print(plain("No peak is left."))


def _print_pressure(phases: list[MatchPhase], pressure: float) -> None:
    """By what the cells that the pattern was compared with were brought to the pressure."""
    from collections import Counter

    from ninefold.report.terminal_parts import plain

    out = console()
    for words, count in sorted(Counter(phase.compression for phase in phases if phase.compression).items()):
        told = f"Cells at {pressure:g} GPa by {words}: {count} of {len(phases)} phases (changes count from there)"
        out.print(plain(told))
    if left := [phase.name for phase in phases if not phase.compression]:
        out.print(plain(f"Cells of 0 GPa, without an equation of state, or as the file has them: {_listed(left)}"))


def _engines(phases: list[MatchPhase]) -> list[str]:
    """Which engine each of the cells that were compared with the pattern is by."""
    named: dict[str, list[str]] = {}
    for phase in phases:
        if phase.engine is not None:
            named.setdefault(phase.engine, []).append(phase.name)
    return [f"Calculated cells by {engine}: {'; '.join(names)}." for engine, names in named.items()]


def _row(phase: FoundPhase) -> tuple[str, ...]:
    import numpy as np

    a, b, c = np.linalg.norm(phase.lattice, axis=1)
    changes = " ".join(f"{100 * change:+.2f}" for change in phase.length_changes)
    return (
        phase.group.first.name, f"{100 * phase.weight_share:.0f}", f"{100 * phase.intensity_share:.0f}", f"{a:.3f}",
        f"{b:.3f}", f"{c:.3f}", changes, f"{100 * phase.volume_change:+.2f}",
    )  # fmt: skip


def _told(phase: FoundPhase) -> list[str]:
    """Which phases have the same pattern, and which fit nearly as well."""
    from ninefold.diffraction.matching import FEW_PEAKS, WEAK

    lines = []
    name = phase.group.first.name
    if phase.gain < WEAK:
        lines.append(f"{name} is weakly supported: without it the fit is {100 * phase.gain:.0f} % worse.")
    if phase.peaks < FEW_PEAKS:
        lines.append(f"{name} rests on {phase.peaks} peak(s): any phase with such a lattice looks like it.")
    if same := _names(phase.group)[1:]:
        lines.append(f"{name} cannot be told from {_listed(same)}: one pattern.")
    if phase.undecided:
        lines.append(_undecided(phase))
    rest = [group for group in phase.alternatives if group not in phase.undecided]
    if others := [each for group in rest for each in _names(group)]:
        lines.append(f"In place of {name} nearly as good: {_listed(others)}.")
    return lines


def _undecided(phase: FoundPhase) -> str:
    """What the pattern does not tell from a phase, and why it is named all the same."""
    from ninefold.diffraction.ties import RESOLVED, is_lower

    own = phase.group.first
    told = _listed([each for group in phase.undecided for each in _names(group)])
    said = f"This pattern does not tell {own.name} from {told}: fits differ by less than {RESOLVED:g} standard errors"
    lower = [group.first.name for group in phase.undecided if is_lower(group.first, own)]
    if lower:
        return f"{said}. Named is what fits best; lower in energy: {_listed(lower)}."
    if any(is_lower(own, group.first) for group in phase.undecided):
        return f"{said}. Named is the lowest in energy of {own.formula}."
    return f"{said}."


def _names(group: PhaseGroup) -> list[str]:
    return [member.name for member in group.members]


def _listed(names: list[str]) -> str:
    from ninefold.errors import listed

    return listed(names, _MEMBERS, "; ")
