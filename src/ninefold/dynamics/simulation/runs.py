"""Molecular dynamics with any calculator, in pieces that survive a kill at any moment.

A run is a folder: `run.json` says what is run, `frames-00000.npz` and so on hold the frames, `state.npz` the point from
which it goes on: positions, momenta, the state of the random numbers and that of a barostat. A piece is written before
the state that counts it, both by a rename, so that a run which is killed and taken up again has the frames of one that
was not. `exploded.json` says that a run could not go on, and why.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from ninefold.atomic_files import write_atomically
from ninefold.dynamics.folders import claim
from ninefold.dynamics.simulation.breathing import Breathing, breathing
from ninefold.dynamics.simulation.propagation import ExplodedError, Propagation, RunPoint, RunSettings
from ninefold.dynamics.statistics.equilibration import equilibrated, thermostat_notes
from ninefold.dynamics.trajectories.forces import ForceSource
from ninefold.dynamics.trajectories.teacher_checks import Checks, TeacherCheck, collected, refuse_beyond
from ninefold.dynamics.trajectories.trajectory import ALL_FRAMES, FrameChoice, Frames, Trajectory, thinned
from ninefold.errors import InputError, description
from ninefold.keys import content_key

if TYPE_CHECKING:
    from ase import Atoms

RUN_FILE, STATE_FILE, EXPLODED_FILE = "run.json", "state.npz", "exploded.json"


@dataclass(frozen=True)
class RunState:
    """How far a run has come."""

    frames: int
    time_ps: float
    temperatures: dict[str, float]
    """Mean temperature of each species once its energy has settled, K."""
    mean_temperature: float
    """Of all atoms, K."""
    settled: int = 0
    """Frames until its energy has settled; half of the run at most."""
    notes: tuple[str, ...] = ()
    """Temperatures that are not the thermostat's and an energy that drifts after that, for people."""
    box: Breathing | None = None
    """At constant pressure: what its cell does."""


def run(
    atoms: Atoms,
    settings: RunSettings,
    folder: Path,
    frames: int,
    method: str,
    frames_per_piece: int = 100,
    notify: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    forces: ForceSource | None = None,
    check: TeacherCheck | None = None,
) -> RunState:
    """Run, or go on with, molecular dynamics until a folder holds so many frames.

    Args:
        atoms: With a calculator; where a run is taken up, it only says what is run.
        settings: What changes the trajectory.
        folder: Of the run; made if it is not there.
        frames: To reach, the first structure not counted.
        method: Fingerprint of the calculator.
        frames_per_piece: Frames in one file; what a kill can lose.
        notify: Called with frames done and to do.
        stop: Asked after each piece whether to end early.
        forces: What the forces are, noted with the run.
        check: How the run is watched, where the forces are of a distilled potential.

    Raises:
        InputError: if the folder holds another run, the run explodes, or a check finds that it has left its ground.
    """
    propagation = Propagation(atoms, settings)
    _claim(folder, propagation.atoms, settings, method, forces)
    done = 0
    if (saved := _saved(folder)) is not None:
        done, point = saved
        propagation.go_on_from(point)
    if check is not None:
        refuse_beyond(checks_of(folder), check.limit, str(folder))
    if notify is not None and done < frames:
        notify(done, frames)
    while done < frames and not (stop is not None and stop()):
        count = min(frames_per_piece, frames - done)
        try:
            piece = propagation.piece(count, done)
        except ExplodedError as error:
            reason = {"after_frames": done, "reason": f"{error.value}: {error.problem}"}
            write_atomically(folder / EXPLODED_FILE, json.dumps(reason, indent=1).encode())
            raise
        (folder / EXPLODED_FILE).unlink(missing_ok=True)
        if check is not None:
            piece |= check.of_piece(propagation.atoms, piece["positions"], done)
        _write(folder / f"frames-{done:09d}.npz", **piece)
        done += count
        _write(folder / STATE_FILE, frames=np.array(done), **_packed(propagation.point))
        if check is not None:
            refuse_beyond(collected([piece]), check.limit, str(folder))
        if notify is not None:
            notify(done, frames)
    return state(folder)


def state(folder: Path) -> RunState:
    """How far a run has come, and how hot it was.

    Raises:
        InputError: if the folder holds no run.
    """
    described, done = _described(folder), _frames_done(folder)
    species = np.array(described["species"])
    pieces = list(_read(folder, done, ("energies", "temperatures", "cells", "pressures")))
    kinetic = [piece["temperatures"] for piece in pieces]
    names = list(dict.fromkeys(described["species"]))
    settings = RunSettings.model_validate(described["settings"])
    time_ps = done * settings.save_every * settings.time_step_fs / 1000
    if not kinetic:
        return RunState(0, 0.0, {}, float("nan"))
    values = np.concatenate(kinetic)
    energies = np.concatenate([piece["energies"] for piece in pieces])
    settled = equilibrated(energies)
    mean = values[settled:].mean(axis=0)
    counts = np.array([(species == name).sum() for name in names])
    box = None
    if settings.pressure_GPa is not None:
        cells, pressures = (np.concatenate([piece[name] for piece in pieces]) for name in ("cells", "pressures"))
        box = breathing(cells, pressures, settings.pressure_GPa, settings.barostat_ps / time_ps * done)
    return RunState(
        done, time_ps, dict(zip(names, mean.tolist(), strict=True)), float((mean * counts).sum() / counts.sum()),
        settled, tuple(_equilibrium_notes(described, energies[settled:], values[settled:])), box,
    )  # fmt: skip


def checks_of(folder: Path) -> Checks | None:
    """What the teacher's checks of a run found; None where it was not watched."""
    names = ("energies", "check_frames", "check_forces", "check_energies")
    return collected(list(_read(folder, _frames_done(folder), names)))


def read_run(folder: Path, choice: FrameChoice = ALL_FRAMES) -> Trajectory:
    """The frames of a run, as the analysis takes them, with the checks up to the last of them.

    Args:
        folder: Of the run.
        choice: Which frames.

    Raises:
        InputError: if it holds no run, or no frames are left.
    """
    described, done = _described(folder), _frames_done(folder)
    settings = RunSettings.model_validate(described["settings"])
    skip, last = choice.skip, choice.within(done)
    if done <= skip:
        raise InputError(
            "trajectory", str(folder), problem=f"holds {done} frames", allowed=f"more than {skip}",
            hint=_explosion(folder) if done == 0 else None,
        )  # fmt: skip
    cell = np.array(described["cell"])

    def read() -> Iterator[Frames]:
        first = 0
        for piece in _read(folder, done, ("energies", "positions", "cells")):
            if first >= last:
                return
            taken = slice(max(0, skip - first), last - first)
            positions = piece["positions"][taken].astype(float)
            first += len(piece["positions"])
            if len(positions):
                held = np.broadcast_to(cell, (len(positions), 3, 3))
                yield Frames(positions, piece["cells"][taken] if "cells" in piece else held)

    # the isotope is a mass of the run, and H in its file
    species = tuple(settings.isotope if symbol == "H" else symbol for symbol in described["species"])
    pieces = list(_read(folder, last, ("energies", "temperatures")))
    energies, temperatures = (
        np.concatenate([piece[name] for piece in pieces])[skip:last] for name in ("energies", "temperatures")
    )
    notes = _equilibrium_notes(described, energies, temperatures)
    if notes and (settled := equilibrated(energies)):
        notes.append(f"its energy settles in {settled} frames: --skip {skip + settled} leaves them out")
    whole = Trajectory(
        species, settings.save_every * settings.time_step_fs, read, settings.temperature_K,
        folder.name, _forces(folder, described, last), (*_exploded(folder, last), *notes), skip,
    )  # fmt: skip
    return thinned(whole, choice.every)


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run."""
    return (path / RUN_FILE).is_file()


def _forces(folder: Path, described: dict[str, Any], last: int) -> ForceSource | None:
    """What a run's forces are, with what the checks found up to a frame."""
    if described.get("forces") is None:
        return None
    checks = checks_of(folder)
    return ForceSource.model_validate(described["forces"]).checked_by(None if checks is None else checks.until(last))


def _equilibrium_notes(described: dict[str, Any], energies: np.ndarray, temperatures: np.ndarray) -> list[str]:
    """What is wrong with frames of a run: energies (f,), eV, and temperatures (f, n_species), K."""
    settings = RunSettings.model_validate(described["settings"])
    step_ps = settings.save_every * settings.time_step_fs / 1000
    memory_ps = 1 / settings.friction_per_ps
    if settings.pressure_GPa is not None:  # energies follow the volume
        memory_ps = max(memory_ps, settings.barostat_ps)
    return thermostat_notes(described["species"], temperatures, settings.temperature_K, energies, step_ps, memory_ps)


def _exploded(folder: Path, last: int) -> list[str]:
    """That a run exploded right after its last frame, where that frame is analysed."""
    reason = _explosion(folder)
    if reason is None or last < _frames_done(folder):
        return []
    return [
        f"this run has no more than {last} frames ({reason}), and the last of them may be far from any crystal; "
        f"--until leaves frames out"
    ]


def _explosion(folder: Path) -> str | None:
    """Why a run could not go on; None where it could."""
    path = folder / EXPLODED_FILE
    return str(json.loads(path.read_text(encoding="utf-8"))["reason"]) if path.is_file() else None


def _claim(folder: Path, atoms: Atoms, settings: RunSettings, method: str, forces: ForceSource | None) -> None:
    """Say what is run, or check that the folder's run is the same."""
    described = {
        "species": atoms.get_chemical_symbols(),
        "cell": atoms.cell.array.tolist(),
        "settings": settings.described,
        "method": method,
        "start": content_key([round(float(value), 6) for value in atoms.positions.ravel()]),
    }
    beside = {} if forces is None else {"forces": forces.model_dump(mode="json")}
    claim(folder, RUN_FILE, "run", described, beside)


def _packed(point: RunPoint) -> dict[str, np.ndarray]:
    """A point as arrays; the inverse of `_saved`."""
    random = np.frombuffer(json.dumps(point.random).encode(), dtype=np.uint8)
    values = {"positions": point.positions, "momenta": point.momenta, "random": random}
    more = {"cell": point.cell, "barostat": point.barostat}
    return values | {name: value for name, value in more.items() if value is not None}


def _saved(folder: Path) -> tuple[int, RunPoint] | None:
    """Frames that a folder holds, and where its run goes on."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    with _opened(path) as saved:
        random = json.loads(saved["random"].tobytes().decode())
        more = (saved[name] if name in saved.files else None for name in ("cell", "barostat"))
        return int(saved["frames"]), RunPoint(saved["positions"], saved["momenta"], random, *more)


def _described(folder: Path) -> dict[str, Any]:
    path = folder / RUN_FILE
    if not path.is_file():
        raise InputError("trajectory", str(folder), problem=f"is no run: it has no {RUN_FILE}")
    try:
        described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if missing := {"species", "cell", "settings"} - set(described):
            raise ValueError(f"no {', '.join(sorted(missing))}")
    except (OSError, ValueError, TypeError) as error:
        raise _damaged(path, error) from error
    return described


def _frames_done(folder: Path) -> int:
    path = folder / STATE_FILE
    if not path.is_file():
        return 0
    with _opened(path) as saved:
        return int(saved["frames"])


def _read(folder: Path, done: int, names: Collection[str]) -> Iterator[dict[str, np.ndarray]]:
    """Those arrays of each piece that it has, energies among them; the others are not read."""
    first = 0
    while first < done:
        with _opened(folder / f"frames-{first:09d}.npz") as piece:
            content = {name: piece[name] for name in piece.files if name in names}
        yield content
        first += len(content["energies"])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The arrays of a file; whatever is missing or cut short in it is told with its name."""
    try:
        with np.load(path) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        "trajectory", str(path), problem=f"is damaged: {description(error)}", allowed="a file as the run wrote it",
        hint="take it from a copy, or run again in another folder",
    )  # fmt: skip


def _write(path: Path, **arrays: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())
