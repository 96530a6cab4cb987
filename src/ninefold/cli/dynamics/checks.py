"""`--check` of `ninefold dynamics paths` and `run`: images of paths and frames of runs by a second method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ninefold.cli.calculation import StopSignal
    from ninefold.dynamics.second_method.point_checks import FrameChecks
    from ninefold.dynamics.second_method.single_points import SinglePoints

CheckOption = Annotated[
    str | None,
    typer.Option(
        "--check", help="Second method for single points, NAME or NAME:MODEL, e.g. gpaw:draft.", show_default=False
    ),
]
POINTS = "points"
"""Folder of the single points, in that of the paths or of a run."""


def check_method(method: str, engine: Any, species: list[str], folder: Path | None) -> SinglePoints:
    """The single points of a check method; refused before anything is computed.

    Args:
        method: NAME or NAME:MODEL.
        engine: What the paths or the run are by.
        species: Symbols of the atoms.
        folder: Of the paths or the run; None where none was named.

    Raises:
        InputError: if the method is the engine itself, cannot compute these elements, or there is no folder.
    """
    from ninefold.cli.calculation import refuse, told_by
    from ninefold.cli.trust import engine_settings
    from ninefold.dynamics.second_method.single_points import SinglePoints
    from ninefold.engines import make_engine

    if folder is None:
        refuse("--out", None, "is needed with --check: each single point is kept there", "a folder")
    with told_by("--check", None):
        made = make_engine(engine_settings(method))
    if made.fingerprint == engine.fingerprint:
        refuse("--check", method, "is the engine itself", "another method, e.g. gpaw:draft")
    check_elements = getattr(made, "check_elements", None)
    if check_elements is not None:
        check_elements(dict.fromkeys(species))
    return SinglePoints(folder / POINTS, made)


def check_run(
    folder: Path, atoms: Any, calculator: Any, points: SinglePoints, number: int, frames: int, stop: StopSignal
) -> FrameChecks | None:
    """Frames of a run at equal times by a second method; None where Ctrl-C ended it.

    Writes `check-METHOD.json` beside the run.
    """
    import re

    from ninefold.cli.calculation import step_progress
    from ninefold.dynamics.folders import write_json
    from ninefold.dynamics.second_method.point_checks import check_frames, equal_times, frames_at

    numbers = equal_times(frames, number)
    with step_progress() as notify:
        found = check_frames(
            frames_at(folder, atoms, numbers), calculator, points, len(numbers),
            lambda done, total: notify(f"check {folder.name}", done, total), stop,
        )  # fmt: skip
    if found is not None:
        name = re.sub(r"[^\w.-]+", "-", points.engine.label)
        described = {"engine": points.engine.label, "method": points.engine.fingerprint}
        write_json(folder / f"check-{name}.json", described | found.to_dict())
    return found


def frame_sentence(found: FrameChecks, label: str, wanted: int) -> str:
    """One line for people."""
    values = found.to_dict()
    text = f"{label} on {len(found.frames)} of {wanted} frames at equal times: "
    if not found.frames:
        return f"{text}none could be computed: {found.failed[0][1]}"
    text += (
        f"forces off by {values['force_error_eV_per_A'] * 1000:.0f} meV/Å (their own size "
        f"{found.force_rms * 1000:.0f}{_shares(found)}), energies by "
        f"{values['energy_rms_eV_per_atom'] * 1000:.2f} meV/atom about their mean; "
        f"{found.core_seconds:.0f} core seconds"
    )
    return text if not found.failed else f"{text}; {len(found.failed)} failed: {found.failed[0][1]}"


def _shares(found: FrameChecks) -> str:
    if "all" not in found.force_shares:
        return ""
    by_element = ", ".join(f"{name} {share:.2f}" for name, share in found.force_shares.items() if name != "all")
    return f"; the engine's are {found.force_shares['all']:.2f} of them: {by_element}"


def print_path_checks(out: Any, rows: list[dict[str, Any]], label: str, check: str) -> None:
    """The images of each path that was checked."""
    from rich.table import Table

    for row in rows:
        found = row.get("check")
        if not found:
            continue
        out.print(f"site {row['site']}, {row['kind']} {row['permutation']}: {label} against {check}")
        table = Table(box=None, pad_edge=False)
        for name in ("image", f"{label} meV", "check meV", "error meV", "forces off by meV/Å"):
            table.add_column(name, justify="right")
        table.add_column("", justify="left")
        for number, image in enumerate(found["images"]):
            same = "" if image["same_as"] is None else f"as image {image['same_as']}, by symmetry"
            table.add_row(
                str(number), _meV(image["engine_eV"]), _meV(image["check_eV"]), _meV(image["energy_error_eV"]),
                _meV(image["force_error"]), image["error"] or same,
            )  # fmt: skip
        out.print(table)
        rms = "" if found["energy_rms_eV"] is None else f", error along the path {_meV(found['energy_rms_eV'])} meV"
        out.print(
            f"barrier: {_meV(found['barrier_eV'])} meV by {label}, {_meV(found['check_barrier_eV'])} meV by {check} on "
            f"the same images{rms}; {found['core_seconds']:.0f} core seconds"
        )
        for note in found["notes"]:
            out.print(f"  note: {note}")


def _meV(value: float | None) -> str:  # noqa: N802  # a unit
    return "none" if value is None else f"{value * 1000:.0f}"
