"""`ninefold dynamics plot`: pictures of what runs say, stored with a candidate or in folders and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import refuse
from ninefold.cli.dynamics.sources import (
    EveryOption,
    PolyhedronOption,
    SkipOption,
    TimeStepOption,
    TypesOption,
    UntilOption,
)
from ninefold.cli.options import CampaignOption, StoreOption
from ninefold.cli.outputs import ForceOption

if TYPE_CHECKING:
    from ninefold.dynamics.trajectories.trajectory import Trajectory

FORMATS = ("svg", "png")


def plot(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of runs, or files as 'ninefold dynamics analyse' takes them. One a temperature."),
    ] = None,
    candidate: Annotated[
        str | None, typer.Option("--candidate", help="In place of files: formula or assignment of a candidate.")
    ] = None,
    centre: Annotated[
        str | None, typer.Option(help="Of files: element at the centre of the anions; without it no rates.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where pictures go.")] = Path("pictures"),
    form: Annotated[str, typer.Option("--format", help="svg or png.")] = "svg",
    time_step: TimeStepOption = None,
    temperature: Annotated[
        list[float] | None, typer.Option("--temperature", help="K, once for each file in their order.")
    ] = None,
    polyhedron: PolyhedronOption = None,
    types: TypesOption = None,
    skip: SkipOption = 0,
    until: UntilOption = None,
    every: EveryOption = 1,
    campaign: CampaignOption = None,
    store: StoreOption = None,
    force: ForceOption = False,
) -> None:
    """Draw rates against 1/T, correlations, the free energy between isomers, and mean squared displacements."""
    from ninefold.cli.outputs import check_output_folder
    from ninefold.output.structures import safe_name
    from ninefold.output.target import write_whole
    from ninefold.report.dynamics_pictures import PICTURES, dynamics_figures
    from ninefold.report.line_figure import line_png, line_svg

    if form not in FORMATS:
        refuse("--format", form, "is no format of pictures", ", ".join(FORMATS))
    if files and candidate is not None:
        refuse("--candidate", candidate, "and files are two sources", "one of them")
    if not files and candidate is None:
        refuse("files", None, "are missing", "folders and files of runs, or --candidate FORMULA")
    if candidate is not None:
        title, curves = _stored(candidate, campaign, store)
    else:
        title, curves = "", []
    stem = safe_name(title or (files or [out])[0].stem)
    for name in PICTURES:
        check_output_folder(out, pattern=f"{stem}-{name}.{form}", force=force)
    if files:
        from collections import Counter

        from ninefold.chemistry.formula import formula_of, reduced
        from ninefold.cli.dynamics.sources import trajectories_of

        trajectories = trajectories_of(files, temperature, time_step, types, skip, until, every)
        names = ", ".join(dict.fromkeys(path.absolute().name if path.is_dir() else path.stem for path in files))
        title = f"{formula_of(reduced(Counter(trajectories[0].species)))} ({names})"
        curves = _of_files(trajectories, centre, polyhedron)
    figures = dynamics_figures(title, curves)
    if not figures:
        refuse("files", title, "hold nothing to draw", "runs with a shell that can be followed, or 100 frames and more")
    make_folder(out)
    for name, figure in figures.items():
        path = out / f"{stem}-{name}.{form}"
        write_whole(path, line_png(figure) if form == "png" else line_svg(figure).encode(), "--out")
        typer.echo(str(path))


def _stored(what: str, campaign: str | None, store: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Label of a candidate, and what is stored of its dynamics."""
    import json

    from ninefold.cli.locate import store_for_reading
    from ninefold.cli.selection import candidates_named
    from ninefold.errors import InputError
    from ninefold.store import open_store

    address, name = store_for_reading(store, campaign)
    with open_store(address) as repository:
        rows = candidates_named(repository, what, name)
        if not rows:
            raise InputError("--candidate", what, problem="is not in the store")
        moving = [row for row in rows if row.get("dynamics_record")]
        record = repository.get("dynamics", moving[0]["dynamics_record"]) if moving else None
        if record is None or record["curves"] is None:
            raise InputError(
                "--candidate", what, problem="has no dynamics in the store",
                hint=f"ninefold dynamics candidates --only {rows[0]['formula']}",
            )  # fmt: skip
        content = repository.blobs.get(record["curves"])
    return str(moving[0]["label"]), json.loads(content)["temperatures"]


def _of_files(trajectories: list[Trajectory], centre: str | None, polyhedron: str | None) -> list[dict[str, Any]]:
    """What pictures show of each trajectory."""
    from ninefold.cli.calculation import step_progress
    from ninefold.dynamics.analysis import analyse
    from ninefold.dynamics.curves import curves_of, squares_of
    from ninefold.dynamics.trajectories.displacements import unwrap

    curves = []
    with step_progress() as notify:
        for done, trajectory in enumerate(trajectories):
            notify("trajectories", done, len(trajectories))
            if trajectory.temperature_K is None:
                refuse("--temperature", None, "is needed of every file", "K, once for each file in their order")
            found = [] if centre is None else [analyse(trajectory, centre, polyhedron=polyhedron)]
            species = [name for name in dict.fromkeys(trajectory.symbols.tolist()) if name != centre]
            squares = {name: squares_of([unwrap(trajectory, name)])._asdict() for name in species}
            curves.append(curves_of(trajectory.temperature_K, found, squares))
        notify("trajectories", len(trajectories), len(trajectories))
    return sorted(curves, key=lambda one: one["temperature_K"])


def make_folder(folder: Path) -> None:
    """Make an output folder.

    Raises:
        InputError: if it cannot be made.
    """
    from ninefold.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", str(folder), problem=f"cannot be made: {error.strerror}") from error
