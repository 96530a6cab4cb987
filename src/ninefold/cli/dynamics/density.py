"""`ninefold dynamics density`: free-energy surfaces of hydrogen, as cube files, pictures and a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import refuse
from ninefold.cli.dynamics.sources import (
    EveryOption,
    FilesArgument,
    PolyhedronOption,
    SkipOption,
    TimeStepOption,
    TypesOption,
    UntilOption,
)
from ninefold.cli.options import JsonOption, console, print_json
from ninefold.cli.outputs import ForceOption

if TYPE_CHECKING:
    from ninefold.dynamics.density.connections import Estimate
    from ninefold.dynamics.density.maps import Frame
    from ninefold.dynamics.density.surfaces import Surface, Surfaces

FRAMES = ("crystal", "anion")
PICTURES = ("png", "svg")
MOST_ENERGIES = 6
_ENERGIES = (40.0, 50.0)
"""meV; those of the published figure of an anion of eight ligands."""


def density(
    files: FilesArgument,
    centre: Annotated[str, typer.Option(help="Element at the centre of the anions, e.g. Re; of cages B12.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where files go.")],
    frame: Annotated[
        str, typer.Option(help="crystal: as it stands; anion: turning with the ligands, anions alike together.")
    ] = "crystal",
    energy: Annotated[
        list[float] | None,
        typer.Option("--energy", help="meV; surfaces that are drawn, repeat. Default: 40 and 50.", show_default=False),
    ] = None,
    symmetric: Annotated[
        bool,
        typer.Option(
            "--symmetric", help="Average over the space group of the mean crystal; of an anion: over its rotations."
        ),
    ] = False,
    smoothing: Annotated[float, typer.Option(help="Å; width of the Gaussian that the density is folded with.")] = 0.12,
    resolution: Annotated[
        float | None,
        typer.Option(help="Å; edge of a voxel. Default: 0.2 in the crystal, 0.12 about a centre.", show_default=False),
    ] = None,
    blocks: Annotated[int, typer.Option(min=1, max=1000, help="Of time, for the intervals.")] = 10,
    resamples: Annotated[int, typer.Option(min=0, max=10000, help="Of the blocks; 0 gives no intervals.")] = 50,
    form: Annotated[str, typer.Option("--format", help="Of pictures: png or svg.")] = "png",
    time_step: TimeStepOption = None,
    temperature: Annotated[
        list[float] | None, typer.Option("--temperature", help="K, once for each file in their order.")
    ] = None,
    ligands: Annotated[
        int | None, typer.Option("--ligands", "-n", help="Hydrogens of a shell. Default: as in the first frame.")
    ] = None,
    polyhedron: PolyhedronOption = None,
    types: TypesOption = None,
    skip: SkipOption = 0,
    until: UntilOption = None,
    every: EveryOption = 1,
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Free-energy surface of the hydrogen: cube files, pictures at chosen energies, and where it connects.

    Cube files (VESTA reads them) hold the free energy in eV and the density in hydrogens per Å3; lengths in them are in
    Bohr.
    """
    from ninefold.cli.calculation import step_progress
    from ninefold.cli.dynamics.sources import trajectories_of
    from ninefold.cli.outputs import check_output_folder
    from ninefold.dynamics.density.surfaces import SurfaceSettings, surfaces_of

    energies = tuple(dict.fromkeys(energy or _ENERGIES))
    if frame not in FRAMES:
        refuse("--frame", frame, "is no frame", ", ".join(FRAMES))
    if form not in PICTURES:
        refuse("--format", form, "is no format of pictures", ", ".join(PICTURES))
    if len(energies) > MOST_ENERGIES:
        refuse("--energy", len(energies), "surfaces are too many for a picture", f"at most {MOST_ENERGIES}")
    for value in energies:
        if not 0 < value <= 10_000:
            refuse("--energy", value, "is no energy of a surface", "above 0, up to 10000 meV")
    if not 0.02 <= smoothing <= 1:
        refuse("--smoothing", smoothing, "is no width", "0.02 to 1 Å")
    stems = _stems(files)
    for stem in stems:
        check_output_folder(out, pattern=f"{stem}-{frame}*", force=force)
    trajectories = trajectories_of(files, temperature, time_step, types, skip, until, every)
    for trajectory in trajectories:
        if trajectory.temperature_K is None:
            refuse("--temperature", None, "is needed for a free energy", "K, once for each file in their order")
    chosen: Frame = "crystal" if frame == "crystal" else "anion"
    settings = SurfaceSettings(
        chosen, ligands, polyhedron, symmetric, smoothing, resolution, blocks, resamples
    )  # fmt: skip
    plain = []
    with step_progress() as notify:
        for done, (stem, trajectory) in enumerate(zip(stems, trajectories, strict=True)):
            notify("trajectories", done, len(trajectories))
            found = surfaces_of(trajectory, centre, settings)
            written = _write(found, out, f"{stem}-{frame}", energies, form)
            plain.append(_plain(found, energies, written))
            if not json:
                _print(found, energies, written)
        notify("trajectories", len(trajectories), len(trajectories))
    if json:
        print_json({"frame": frame, "trajectories": plain})


def _stems(files: list[Path]) -> list[str]:
    """Names of the files of each trajectory; those of one name are numbered."""
    from ninefold.output.structures import safe_name

    names = [safe_name(path.absolute().name if path.is_dir() else path.stem) or "run" for path in files]
    taken: dict[str, int] = {}
    stems = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        stems.append(name if taken[name] == 1 else f"{name}-{taken[name]}")
    return stems


def _write(found: Surfaces, out: Path, stem: str, energies: tuple[float, ...], form: str) -> list[str]:
    """All files of one trajectory; their names."""
    import json

    from ninefold.cli.dynamics.plot import make_folder
    from ninefold.dynamics.density.cube_files import cube_file
    from ninefold.output.target import write_whole
    from ninefold.report.isosurface_picture import isosurface_picture

    files: dict[str, bytes] = {}
    for one in found.surfaces:
        at = f"{found.source}, {one.name}, {found.temperature_K:g} K, {found.duration_ps:.4g} ps"
        name = stem if one.kind == "crystal" else f"{stem}-{one.name}"
        files[f"{name}-free-energy.cube"] = cube_file(
            one.density, one.energies, one.symbols, one.positions,
            f"ninefold: free energy of H in eV above its lowest; {one.highest_eV:.4f} where nothing was resolved; {at}",
        )  # fmt: skip
        files[f"{name}-density.cube"] = cube_file(
            one.density, one.density.per_volume * _hydrogens(found, one), one.symbols, one.positions,
            f"ninefold: hydrogens per A^3 (not per Bohr^3), time average; {at}",
        )  # fmt: skip
    title = f"{found.source}: hydrogen, {found.temperature_K:g} K, {found.duration_ps:.4g} ps"
    for part, rows in _pictures(found, energies).items():
        picture = f"{stem}-anions.{form}" if part == "anions" else f"{stem}.{form}"
        files[picture] = isosurface_picture(title, rows, form)
    files[f"{stem}.json"] = json.dumps(_plain(found, energies, list(files)), indent=1, allow_nan=False).encode()
    make_folder(out)
    for name, content in files.items():
        write_whole(out / name, content, "--out")
    return list(files)


def _hydrogens(found: Surfaces, one: Surface) -> float:
    """Hydrogens in the density's box, on average."""
    return one.samples / found.frames / max(1, len(one.centres))


def _pictures(found: Surfaces, energies: tuple[float, ...]) -> dict[str, list[Any]]:
    """Picture -> its rows: the crystal; and of each kind of anion the first."""
    from ninefold.dynamics.density.cube_files import first_point
    from ninefold.report.isosurface_picture import Panel, SurfaceRow

    rows: dict[str, list[Any]] = {}
    seen = set()
    for one in found.surfaces:
        if one.kind in seen:
            continue
        seen.add(one.kind)
        panels = [Panel(_caption(one, value), value / 1000) for value in energies]
        rows.setdefault("crystal" if one.kind == "crystal" else "anions", []).append(
            SurfaceRow(
                one.name, one.energies, one.density.cell, first_point(one.density), one.density.is_periodic,
                one.symbols, found.centre, one.positions, panels,
            )
        )  # fmt: skip
    return rows


def _caption(one: Surface, energy: float) -> str:
    pockets, state = one.state(energy / 1000)
    return f"{energy:g} meV: {pockets} {'pocket' if pockets == 1 else 'pockets'} ({state})"


def _plain(found: Surfaces, energies: tuple[float, ...], files: list[str]) -> dict[str, Any]:
    def at(one: Surface, energy: float) -> dict[str, Any]:
        pockets, state = one.state(energy / 1000)
        return {"energy_meV": energy, "pockets": pockets, "state": state}

    return {
        "source": found.source, "temperature_K": found.temperature_K, "duration_ps": found.duration_ps,
        "centre": found.centre, "symmetry": found.symmetry, "blocks": found.blocks, "notes": list(found.notes),
        "surfaces": [one.to_dict() | {"drawn": [at(one, energy) for energy in energies]} for one in found.surfaces],
        "files": files,
    }  # fmt: skip


def _print(found: Surfaces, energies: tuple[float, ...], files: list[str]) -> None:
    from rich.table import Table

    out = console()
    out.print(
        f"{found.source}, {found.temperature_K:g} K: {found.duration_ps:.4g} ps in {found.blocks} "
        f"{'block' if found.blocks == 1 else 'blocks'}; {found.symmetry}"
    )
    table = Table(box=None, pad_edge=False)
    headings = ("surface", "sites", "what connects", "meV", "95 %", "smoothed, meV")
    for name in headings:
        table.add_column(name, justify="left" if name in ("surface", "what connects") else "right")
    for energy in energies:
        table.add_column(f"at {energy:g} meV", justify="left")
    for one in found.surfaces:
        drawn = [_caption(one, energy).partition(": ")[2] for energy in energies]
        for place, (what, estimate) in enumerate(one.connections.items()):
            table.add_row(
                one.name, str(len(one.sites)), what, _meV(estimate.energy_eV, "never"), _interval(estimate),
                _meV(estimate.smoothed_eV, "never"), *(drawn if not place else [""] * len(drawn)),
            )  # fmt: skip
    out.print(table)
    if any(not one.is_extrapolated for surface in found.surfaces for one in surface.connections.values()):
        out.print("Where the two smoothings find other numbers of sites, meV is that of the smoothed density.")
    out.print("never: not in this run, or only beyond what it resolved.")
    out.print(
        "meV: above the deepest place of the same surface, which in the crystal may be of another hydrogen than an "
        "anion's. Sites are minima 1 kT deep and more; pockets all places apart from each other at that energy."
    )
    for note in found.notes:
        out.print(f"note: {note}")
    for name in files:
        typer.echo(name)


def _interval(estimate: Estimate) -> str:
    if not estimate.resamples:
        return "too few blocks"
    if estimate.low_eV is None:
        return "never"
    return f"{_meV(estimate.low_eV, '')} to {_meV(estimate.high_eV, 'never')}"


def _meV(value: float | None, otherwise: str) -> str:  # noqa: N802  # a unit
    return otherwise if value is None else f"{value * 1000:.0f}"
