"""`ninefold xrd`: powder patterns of phases, and of what phases a measured pattern is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from ninefold.cli import xrd_match
from ninefold.cli.options import CampaignOption, JsonOption, StoreOption, console, print_json
from ninefold.cli.outputs import ForceOption

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.diffraction.pattern import PowderPattern
    from ninefold.diffraction.profile import Profile
    from ninefold.diffraction.radiation import Radiation
    from ninefold.store.structure_facts import Compression

HYDROGEN = (
    "Hydrogen hardly scatters X-rays: the pattern is that of the other elements' lattice. Where hydrogens are, "
    "neutrons tell (--neutrons, with --deuterium)."
)
LISTED = 40
"""Reflections that are listed; --json and --out have all."""
_OF_EACH = 8
"""Reflections of a competitor that are listed."""
_STEP = 0.01
"""Degrees between the points of a written profile, where the widths allow it."""


class _PatternByDefault(TyperGroup):
    """`ninefold xrd K2ReH9` is `ninefold xrd pattern K2ReH9`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["pattern", *args]
        return list(super().parse_args(ctx, args))


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        cls=_PatternByDefault, no_args_is_help=True,
        help="Powder diffraction: the pattern of a phase and its competitors (ninefold xrd K2ReH9), or 'match': which "
        "mixture of phases a measured pattern is.",
    )  # fmt: skip
    group.command()(pattern)
    group.command(name="match")(xrd_match.match)
    app.add_typer(group, name="xrd")


class _Shown(NamedTuple):
    name: str
    structure: Structure
    kind: str
    engine: str | None = None
    """Label of the method that the structure is by; None of a file."""
    compression: Compression | None = None

    @property
    def described(self) -> str:
        """Name, kind, and the engine that it is by."""
        return f"{self.name} ({self.kind}{'' if self.engine is None else f', {self.engine}'})"


class _Volume(NamedTuple):
    ratio: float
    """To that of the structure."""
    source: str
    """What says so; empty: nothing does."""


def pattern(
    what: Annotated[
        str, typer.Argument(help="Formula, assignment or id of a candidate, name of a reference, or a structure file.")
    ],
    competitors: Annotated[
        bool, typer.Option("--competitors", help="Also the phases of its hull: what it may be mixed with.")
    ] = False,
    wavelength: Annotated[
        str, typer.Option("--wavelength", "-w", help="CuKa (both lines), CuKa1, MoKa ..., or a wavelength in Å.")
    ] = "CuKa",
    range_: Annotated[str, typer.Option("--range", help="Angles 2θ, LOW,HIGH in degrees.")] = "5,90",
    fwhm: Annotated[float, typer.Option(help="Width of peaks, degrees; W of Caglioti's formula is its square.")] = 0.1,
    u: Annotated[float, typer.Option("--caglioti-u", help="U of Caglioti's formula, degrees².")] = 0.0,
    v: Annotated[float, typer.Option("--caglioti-v", help="V of Caglioti's formula, degrees².")] = 0.0,
    eta: Annotated[float, typer.Option(help="Share of the Lorentzian in a peak, 0 to 1.")] = 0.5,
    b_iso: Annotated[float, typer.Option("--b-iso", help="B of the Debye-Waller factor of all atoms, Å².")] = 1.0,
    unpolarised: Annotated[
        bool, typer.Option("--unpolarised", help="A wavelength in Å is a tube's, not a synchrotron's.")
    ] = False,
    neutrons: Annotated[bool, typer.Option("--neutrons", help="The wavelength is one of neutrons.")] = False,
    deuterium: Annotated[bool, typer.Option("--deuterium", help="With --neutrons: hydrogen is deuterium.")] = False,
    volume_ratio: Annotated[
        float | None, typer.Option("--volume-ratio", help="Cell scaled in all directions to V/V0, as under pressure.")
    ] = None,
    pressure: Annotated[
        float | None,
        typer.Option("--pressure", help="GPa; V/V0 by the stored equation of state of each phase, or --bulk-modulus."),
    ] = None,
    bulk_modulus: Annotated[
        float | None,
        typer.Option("--bulk-modulus", help="GPa, at 0 GPa: Murnaghan's equation for all phases in place of theirs."),
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", help="File: .xy (profiles), .svg or .png (picture).")
    ] = None,
    force: ForceOption = False,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """The powder pattern of a phase, and of what it competes with."""
    from ninefold.diffraction.pattern import at_volume, powder_pattern
    from ninefold.diffraction.profile import check_widths, profile
    from ninefold.diffraction.radiation import radiation

    beam = radiation(
        wavelength, polarised=False if unpolarised else None, neutrons=neutrons, deuterated=deuterium
    )  # fmt: skip
    ends = _ends(range_)
    shape = profile(fwhm, u, v, eta)
    check_widths(shape, ends)
    given = _given_ratio(volume_ratio, pressure, bulk_modulus)
    target = None if out is None else _target(out, force=force)
    shown = _shown(what, store, campaign, competitors=competitors)
    volumes = [_volume(each, given, pressure, bulk_modulus, is_first=each is shown[0]) for each in shown]
    patterns = [
        powder_pattern(each.structure if ratio == 1 else at_volume(each.structure, ratio), beam, ends, b_iso)
        for each, (ratio, _) in zip(shown, volumes, strict=True)
    ]
    if target is not None:
        _write(target, shown, patterns, shape, beam)
    if json:
        print_json({
            "wavelength": [{"angstrom": value, "weight": weight} for value, weight in beam.lines],
            "radiation": beam.kind, "pressure_GPa": pressure, "volume_ratio": volumes[0].ratio, "b_iso": b_iso,
            "phases": [
                {
                    "name": each.name, "kind": each.kind, "engine": each.engine, "volume_ratio": volume.ratio,
                    "compression": volume.source, "peaks": [peak._asdict() for peak in found.peaks(0.01)],
                }
                for each, volume, found in zip(shown, volumes, patterns, strict=True)
            ],
        })  # fmt: skip
        return
    _print(shown, patterns, beam, volumes)


def _ends(text: str, field: str = "--range") -> tuple[float, float]:
    """`10,80` as two angles.

    Raises:
        InputError: if it is no range.
    """
    from ninefold.diffraction.pattern import check_range
    from ninefold.errors import InputError

    try:
        low, high = (float(part) for part in text.replace(":", ",").split(","))
    except ValueError:
        raise InputError(field, text, problem="is no range", allowed="LOW,HIGH in degrees, such as 10,80") from None
    check_range((low, high), field)
    return low, high


def _given_ratio(volume_ratio: float | None, pressure: float | None, bulk_modulus: float | None) -> float | None:
    """V/V0 of all phases as the options say it; None where each phase's equation of state does."""
    from ninefold.diffraction.pattern import murnaghan_ratio
    from ninefold.errors import InputError
    from ninefold.thermo.equation_of_state import check_pressure

    if pressure is None:
        if bulk_modulus is not None:
            raise InputError("--bulk-modulus", bulk_modulus, problem="says nothing without --pressure")
        return 1.0 if volume_ratio is None else volume_ratio
    if volume_ratio is not None:
        raise InputError("--volume-ratio", volume_ratio, problem="and --pressure are two volumes", hint="give one")
    if bulk_modulus is not None:
        return murnaghan_ratio(pressure, bulk_modulus)
    check_pressure(pressure, "--pressure")
    return None if pressure else 1.0


def _volume(
    shown: _Shown, given: float | None, pressure: float | None, bulk_modulus: float | None, *, is_first: bool
) -> _Volume:
    """The volume that a phase is drawn at.

    Raises:
        InputError: if the phase that was asked for has no equation of state at this pressure.
    """
    from ninefold.errors import InputError

    if given is not None:
        source = "" if bulk_modulus is None else f"Murnaghan's equation, {bulk_modulus:g} GPa"
        return _Volume(given, source)
    assert pressure is not None
    if shown.compression is not None:
        return _Volume(shown.compression.ratio(pressure), shown.compression.describe())
    if is_first:
        stored = "a file" if shown.kind == "file" else f"{shown.name} without an equation of state in the store"
        raise InputError(
            "--pressure", pressure, problem=f"needs --bulk-modulus, or --volume-ratio instead, for {stored}",
            hint=None if shown.kind == "file" else "'ninefold compress' makes equations of state",
        )  # fmt: skip
    return _Volume(1.0, "")


def _target(out: str, *, force: bool) -> Path:
    from ninefold.cli.outputs import check_output
    from ninefold.errors import InputError

    if Path(out).suffix not in (".xy", ".svg", ".png"):
        raise InputError("--out", out, problem="does not say by its ending what to write", allowed=".xy, .svg, .png")
    return check_output(Path(out), force=force)


def _shown(what: str, store: str | None, campaign: str | None, *, competitors: bool) -> list[_Shown]:
    """The structure that is meant, and those that compete with it."""
    from ninefold.errors import InputError
    from ninefold.structures.files import is_structure_file, read_structure

    if is_structure_file(what) or Path(what).is_file():
        if competitors:
            raise InputError("--competitors", what, problem="is a file, of which no hull is stored")
        return [_Shown(Path(what).name, read_structure(Path(what)).structure, "file")]
    from ninefold.cli.locate import store_for_reading
    from ninefold.store import open_store

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        return _stored(repository, what, name, competitors=competitors)


def _stored(repository: Any, what: str, campaign: str | None, *, competitors: bool) -> list[_Shown]:
    from ninefold.chemistry.formula import formula_of, parse_formula, reduced
    from ninefold.cli.selection import campaign_filter
    from ninefold.errors import InputError, listed
    from ninefold.flows.stored_hulls import phases_of_hull
    from ninefold.models.structure import unpack_structure
    from ninefold.store.competition import competing_phases
    from ninefold.store.structure_facts import StructureFacts

    of_campaign = campaign_filter(repository, campaign)
    row: dict[str, Any] | None = None
    for key in ("id", "label", "composition"):
        among = campaign_filter(repository, campaign, all_methods=True) if key == "id" else of_campaign
        row = row or next(iter(repository.find("candidates", equal={key: what, **among}, limit=None)), None)
    equal = {} if campaign is None else {"campaign": campaign}
    reference = _reference(repository, {**equal, "name": what})
    if row is None and reference is None:
        formula = formula_of(reduced(parse_formula(what)))
        order = [("rank", "asc"), ("e_above_hull", "asc")]
        row = next(
            iter(repository.find("candidates", equal={"formula": formula, **of_campaign}, sort=order, limit=None)), None
        )
        reference = None if row is not None else _reference(repository, {**equal, "formula": formula})
    if row is not None:
        minimum = next((each for each in row["minima"] if each["is_valid"]), None)
        if minimum is None:
            raise InputError("what", what, problem=f"has no structure: {row['label']} is {row['status']}")
        others = []
        if competitors:
            others = competing_phases(repository, [row], also={row["id"]: phases_of_hull(repository, row)})
        wanted = [(row["label"], minimum["structure"], "candidate", row)]
        wanted += [
            (each.document["label" if each.kind == "candidate" else "name"], each.structure, each.kind, each.document)
            for each in others
            if each.document.get("kind") != "molecule"
        ]
    elif reference is not None:
        if competitors:
            raise InputError("--competitors", what, problem="is a reference phase", allowed="a candidate")
        wanted = [(reference["name"], reference["structure"], "reference", reference)]
    else:
        rows = repository.find(
            "candidates", equal=of_campaign, sort=[("rank", "asc"), ("e_above_hull", "asc")], limit=None,
            fields=["formula"],
        )  # fmt: skip
        names = list(dict.fromkeys(each["formula"] for each in rows))
        raise InputError(
            "what", what, problem="is neither in the store nor a structure file",
            allowed=f"a candidate ({listed(names, 4) if names else 'there is none'}), the name of a reference phase, "
            "or a structure file",
        )  # fmt: skip
    structures, facts = repository.get_many("structures", [key for _, key, _, _ in wanted]), StructureFacts(repository)
    return [
        _Shown(
            name, unpack_structure(structures[key]), kind, document["engine"],
            facts.compression_of_minimum(document, key) if kind == "candidate"
            else facts.compression(key, document["method"]),
        )
        for name, key, kind, document in wanted
        if key in structures
    ]  # fmt: skip


def _reference(repository: Any, equal: dict[str, Any]) -> dict[str, Any] | None:
    """A solid: of the latest campaign that has it, by the most trusted of its methods, the lowest in energy."""
    from ninefold.flows.trusted import by_falling_trust, methods_by_trust

    found = repository.find("references", equal=equal, sort=[("energy_per_atom", "asc")], limit=None)
    solids = [each for each in found if each["structure"] and each["kind"] != "molecule"]
    if not solids:
        return None
    return by_falling_trust(solids, methods_by_trust(repository, equal.get("campaign")))[0]


def _write(target: Path, shown: list[_Shown], patterns: list[PowderPattern], shape: Profile, beam: Radiation) -> None:
    import numpy as np

    from ninefold.output.target import write_whole
    from ninefold.report.powder_figure import pattern_figure, powder_png, powder_svg

    if target.suffix == ".xy":
        low, high = patterns[0].two_theta_range
        narrowest = float(shape.fwhm(np.linspace(low, high, 50)).min())
        grid = np.arange(low, high, min(_STEP, narrowest / 4))
        columns = [found.profile(grid, shape) for found in patterns]
        columns = [100 * column / max(float(column.max()), 1e-300) for column in columns]
        lines = [f"# 2theta (degrees, {beam.name}), then intensity (strongest 100) of:"]
        lines += [f"# {place}: {each.name}" for place, each in enumerate(shown, start=2)]
        table = np.column_stack([grid, *columns])
        lines += [" ".join([f"{row[0]:.4f}", *(f"{value:.4f}" for value in row[1:])]) for row in table]
        write_whole(target, ("\n".join(lines) + "\n").encode(), "--out")
        return
    others = [(each.name, found.peaks(1.0)) for each, found in zip(shown[1:], patterns[1:], strict=True)]
    figure = pattern_figure(f"{shown[0].name}, {beam.name}", patterns[0].peaks(0.1), others)
    content = powder_png(figure) if target.suffix == ".png" else str(powder_svg(figure)).encode()
    write_whole(target, content, "--out")


def _print(shown: list[_Shown], patterns: list[PowderPattern], beam: Radiation, volumes: list[_Volume]) -> None:
    from ninefold.report.terminal_parts import plain, table_of

    out = console()
    for place, (each, found) in enumerate(zip(shown, patterns, strict=True)):
        peaks = found.peaks(1.0)
        listed = peaks if place == 0 else sorted(sorted(peaks, key=lambda peak: -peak.intensity)[:_OF_EACH])
        ratio, source = volumes[place]
        by = f" ({source})" if source else ""
        scaled = "" if ratio == 1 else f", cell scaled alike in all directions to V/V0 = {ratio:.4f}{by}"
        if ratio == 1 and volumes[0].ratio != 1:
            scaled = ", cell of 0 GPa: it has no equation of state"
        of_line = ", 2θ of Kα1" if len(beam.lines) > 1 else ""
        out.print(plain(f"{each.described}, {beam.name}{of_line}{scaled}"), soft_wrap=True)
        table = table_of(">2θ, °", ">d, Å", ">intensity", ">h k l", ">multiplicity")
        for peak in listed[:LISTED]:
            table.add_row(
                f"{peak.two_theta:.3f}", f"{peak.d:.4f}", f"{peak.intensity:.1f}", " ".join(map(str, peak.hkl)),
                str(peak.multiplicity),
            )  # fmt: skip
        out.print(table if peaks else plain("no reflection within the range of angles"))
        if len(peaks) > len(listed[:LISTED]):
            out.print(plain(f"{len(peaks) - len(listed[:LISTED])} more above 1 % of the strongest"))
    has_hydrogen = any("H" in {site.specie.symbol for site in each.structure} for each in shown)
    if has_hydrogen and beam.kind == "x-ray":
        out.print(plain(HYDROGEN))
