"""A fast potential for one compound, distilled from an engine in rounds that survive a kill at any moment.

The first round learns from short runs of the teacher, and from its paths of known mechanisms. Each further round is a
run by the student itself. Frames at equal times in it, which the student has never seen, measure its error; the newest
ones are chosen beside them; all are labelled by the teacher and learnt. Everything is a file that is written whole: a
round that was killed goes on where it was, and no frame is labelled twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.atomic_files import write_atomically
from ninefold.dynamics.folders import claim, read_json, write_json
from ninefold.dynamics.paths.kept_minimum import kept_minimum
from ninefold.dynamics.potentials.distil_errors import KnownPath, barrier_row, error_rows, reasons_against
from ninefold.dynamics.potentials.distil_settings import (
    CLAIM_FILE,
    MODEL_FILE,
    RESULT_FILE,
    START_FILE,
    TEACHER_FOLDER,
    DistilSettings,
    Teacher,
)
from ninefold.dynamics.potentials.environments import newest
from ninefold.dynamics.potentials.labels import LabelledFrame, Labels
from ninefold.dynamics.potentials.students import Trainer
from ninefold.dynamics.simulation import runs
from ninefold.dynamics.simulation.propagation import ExplodedError, RunSettings
from ninefold.dynamics.trajectories.teacher_checks import LeftGroundError, TeacherCheck
from ninefold.keys import content_key, file_checksum

if TYPE_CHECKING:
    from ase import Atoms

SAVE_EVERY = 10
"""Steps between frames that may be chosen."""
FRICTION_PER_PS = 10.0
"""Of the runs that give frames: they are to go round, not to be followed."""
CANDIDATES = 150
"""Frames of a run that are looked at for new ones."""
CHECK_EVERY, GROUND = 10, 0.5
"""Frames, and eV/Å: the student's runs break off where a checked frame's forces are off by more. What comes after that
teaches nothing that a run should see."""
SHAKEN = (0.04, 0.08, 0.12)
"""Å, Gaussian displacements of hydrogens from the minimum, twice as far of all other atoms: short runs of the teacher
show little of how heavy atoms repel, and a student that learnt only them let potassium collapse."""
SHAKEN_EACH = 6
_NOT_CLAIMED = {"rounds", "force_limit", "barrier_limit"}
"""Settings that change no frame: a distillation goes on with others."""
COPIES, JIGGLE = 3, 0.04
"""Of each image of a path, with Gaussian displacements of so many Å: without them nothing says that it is a path."""


def distil(
    atoms: Atoms,
    teacher: Teacher,
    student: str,
    trainer: Trainer,
    settings: DistilSettings,
    folder: Path,
    known: Sequence[KnownPath] = (),
    notify: Callable[[str, int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> dict[str, Any] | None:
    """Distil a potential, or go on with it.

    Args:
        atoms: The supercell; relaxed here in its cell.
        teacher: What is distilled.
        student: Name of the trainer.
        trainer: Of this name.
        settings: What changes the potential.
        folder: Of the distillation; made if it is not there.
        known: Paths whose barriers are compared, and learnt.
        notify: Called with the step, what is done of it, and all of it.
        stop: Asked between the steps whether to end early.

    Returns:
        The result, which is in the folder too; None if it was stopped before.

    Raises:
        InputError: if the folder holds another distillation.
    """
    work = _Work(atoms, teacher, student, trainer, settings, folder, known, notify, stop)
    try:
        return work.result()
    except _StoppedError:
        return None


class _StoppedError(Exception):
    """The user has asked to end."""


class _Work:
    """One distillation; every method finds what it made before."""

    def __init__(
        self, atoms: Atoms, teacher: Teacher, student: str, trainer: Trainer, settings: DistilSettings, folder: Path,
        known: Sequence[KnownPath], notify: Callable[[str, int, int], None] | None, stop: Callable[[], bool] | None,
    ) -> None:  # fmt: skip
        self.teacher, self.student, self.trainer, self.settings = teacher, student, trainer, settings
        self.folder, self.known = folder, known
        self._notify = notify or (lambda *_: None)
        self._stop = stop or (lambda: False)
        self._claim(atoms)
        self._teacher_settings = self._kept_teacher()
        self.labels = Labels(folder / "frames", teacher.calculator)
        self.start = self._minimum(atoms)

    def result(self) -> dict[str, Any]:
        """All rounds, and what they come to."""
        there: dict[str, Any] | None = read_json(self.folder / RESULT_FILE)
        settings = self.settings.model_dump(mode="json")
        is_whole = there is not None and there["checksum"] == file_checksum(str(self.folder / MODEL_FILE))
        if there is not None and is_whole and there["settings"] == settings:
            return there
        model = self._first_model()
        for number in range(1, self.settings.rounds + 1):
            table = self._tested(number, model)
            reasons = reasons_against(table, self.settings.force_limit, self.settings.barrier_limit)
            if not reasons or number == self.settings.rounds:
                break
            model = self._next_model(number, model)
        write_atomically(self.folder / MODEL_FILE, model.read_bytes())
        result = {
            "student": self.student,
            "student_label": self.trainer.label,
            "checksum": file_checksum(str(model)),
            "teacher": {
                "settings": self._teacher_settings, "label": self.teacher.label,
                "fingerprint": self.teacher.fingerprint, "evidence": self.teacher.evidence,
            },
            "species": sorted(set(self.start.get_chemical_symbols())),
            "atoms": len(self.start),
            "settings": settings,
            "round": number,
            "frames": table["trained_frames"],
            "errors": table["errors"],
            "barriers": table["barriers"],
            "is_claimed": not reasons,
            "reasons": reasons,
            "earlier_rounds": [read_json(self._round(earlier) / "table.json") for earlier in range(1, number)],
        }  # fmt: skip
        write_json(self.folder / RESULT_FILE, result)
        return result

    def _kept_teacher(self) -> dict[str, Any]:
        """Settings of the teacher; of one that is a folder, of its copy in this one."""
        if not self.teacher.files:
            return self.teacher.settings
        kept = self.folder / TEACHER_FOLDER
        kept.mkdir(exist_ok=True)
        for file in self.teacher.files:
            write_atomically(kept / file.name, file.read_bytes())
        return self.teacher.settings | {"model": TEACHER_FOLDER}

    def _first_model(self) -> Path:
        for place, temperature in enumerate(self.settings.temperatures_K):
            self._say("runs of the teacher", place, len(self.settings.temperatures_K))
            frames, _ = self._run(0, temperature, self.teacher.calculator, self.settings.teacher_ps)
            self._label(0, temperature, "md", frames, range(len(frames)))
        for place, frame in enumerate(self._shaken(SHAKEN)):
            self._say("displaced atoms", place, len(SHAKEN) * SHAKEN_EACH)
            self.labels.label(f"00-shaken-{place:02d}", frame)
        for place, path in enumerate(self.known):
            self._say("paths of the teacher", place, len(self.known))
            self._label_path(place, path)
        return self._fitted(0, None)

    def _tested(self, number: int, model: Path) -> dict[str, Any]:
        """Run by the student of the round before, and measure it; a row of the result."""
        path = self._round(number) / "table.json"
        there: dict[str, Any] | None = read_json(path)
        if there is not None:
            return there
        calculator = self.trainer.calculator(model)
        tests: list[LabelledFrame] = []
        broken = []
        for place, temperature in enumerate(self.settings.temperatures_K):
            self._say(f"round {number}: runs of the student", place, len(self.settings.temperatures_K))
            frames, is_broken = self._run(number, temperature, calculator, self.settings.student_ps)
            broken += [temperature] if is_broken else []
            tests += self._label(number, temperature, "test", frames, self._test_places(len(frames)))
        barriers = []
        for place, known in enumerate(self.known):
            self._say(f"round {number}: paths of the student", place, len(self.known))
            barriers.append(barrier_row(known, calculator, self.labels, f"{number:02d}-path{place:02d}"))
        table = {
            "round": number, "trained_frames": len(self._training(number - 1)), "errors": error_rows(tests, calculator),
            "barriers": barriers, "broken_K": broken,
        }  # fmt: skip
        write_json(path, table)
        return table

    def _next_model(self, number: int, model: Path) -> Path:
        """Choose new frames of the round's runs, and learn them, the tests, and the student's paths."""
        seen = [frame.atoms() for frame in self._training(number)]
        for place, temperature in enumerate(self.settings.temperatures_K):
            self._say(f"round {number}: new frames", place, len(self.settings.temperatures_K))
            frames, _ = self._run(number, temperature, None, self.settings.student_ps)
            chosen_file = self._round(number) / f"chosen-{temperature:g}K.json"
            chosen = read_json(chosen_file)
            if chosen is None:
                tests = set(self._test_places(len(frames)))
                places = [place for place in _spread(len(frames), CANDIDATES) if place not in tests]
                picked = newest([frames[place] for place in places], seen, self.settings.chosen)
                chosen = sorted(places[one] for one in picked)
                write_json(chosen_file, chosen)
            seen += [frame.atoms() for frame in self._label(number, temperature, "md", frames, chosen)]
        return self._fitted(number, model)

    def _fitted(self, number: int, start: Path | None) -> Path:
        path = self._round(number) / MODEL_FILE
        if not path.is_file():
            frames = self._training(number)
            notify = partial(self._say, f"round {number}: fit of {len(frames)} frames")
            content = self.trainer.fit(frames, self._round(number) / "fit", self.settings.seed + number, start, notify)
            write_atomically(path, content)
        return path

    def _training(self, number: int) -> list[LabelledFrame]:
        """All labelled frames up to a round, less those that no run should see again."""
        return [frame for frame in self.labels if int(frame.name[:2]) <= number and frame.is_sane]

    def _test_places(self, frames: int) -> list[int]:
        """Of the second half of a run: the first is on its way from the minimum."""
        half = frames // 2
        return [half + place for place in _spread(frames - half, self.settings.tests)]

    def _run(self, number: int, temperature: float, calculator: Any, picoseconds: float) -> tuple[list[Atoms], bool]:
        """Frames of a run of a round, and whether it broke off; without a calculator those that are there."""
        folder = self._round(number) / f"{temperature:g}K"
        atoms = self.start.copy()
        atoms.calc = calculator
        broken = self._round(number) / f"broken-{temperature:g}K.json"
        if calculator is not None and not broken.is_file():
            settings = RunSettings(
                temperature_K=temperature, time_step_fs=self.settings.time_step_fs, save_every=SAVE_EVERY,
                friction_per_ps=FRICTION_PER_PS, seed=self.settings.seed + 1000 * number,
            )  # fmt: skip
            wanted = max(4, round(picoseconds * 1000 / self.settings.time_step_fs / SAVE_EVERY))
            method = content_key(self.teacher.fingerprint, number)
            check = TeacherCheck(self.teacher.calculator, CHECK_EVERY, GROUND) if number else None
            try:
                done = runs.run(
                    atoms, settings, folder, wanted, method, frames_per_piece=4, stop=self._stop, check=check
                )
                if done.frames < wanted:
                    raise _StoppedError
            except (ExplodedError, LeftGroundError) as error:
                write_json(broken, str(error))
        if not runs.state(folder).frames:  # a student that breaks off at once
            return self._shaken(SHAKEN[-1:]), True
        frames = []
        for positions in np.concatenate([piece.positions for piece in runs.read_run(folder).chunks()]):
            frame = self.start.copy()
            frame.positions = positions
            frames.append(frame)
        return frames, broken.is_file()

    def _shaken(self, amplitudes: Sequence[float]) -> list[Atoms]:
        """Frames about the minimum."""
        generator = np.random.default_rng([self.settings.seed, len(amplitudes)])
        factor = np.where(np.array(self.start.get_chemical_symbols()) == "H", 1.0, 2.0)[:, None]
        frames = []
        for amplitude in np.repeat(amplitudes, SHAKEN_EACH):
            frame = self.start.copy()
            frame.positions = frame.positions + generator.normal(scale=amplitude, size=frame.positions.shape) * factor
            frames.append(frame)
        return frames

    def _label(
        self, number: int, temperature: float, kind: str, frames: Sequence[Atoms], places: Sequence[int]
    ) -> list[LabelledFrame]:
        labelled = []
        for done, place in enumerate(places):
            self._say(f"round {number}: labels at {temperature:g} K", done, len(places))
            name = f"{number:02d}-{temperature:g}K-{kind}-{place:06d}"
            labelled.append(self.labels.label(name, frames[place], temperature))
        return labelled

    def _label_path(self, place: int, path: KnownPath) -> None:
        generator = np.random.default_rng([self.settings.seed, place])
        for number, image in enumerate(path.images):
            self.labels.label(f"00-path{place:02d}-{number:02d}", image)
            for copy in range(COPIES):
                moved = image.copy()
                moved.positions = moved.positions + generator.normal(scale=JIGGLE, size=moved.positions.shape)
                self.labels.label(f"00-path{place:02d}-{number:02d}-{copy}", moved)

    def _minimum(self, atoms: Atoms) -> Atoms:
        """The supercell relaxed in its cell: a file that runs can start from."""
        path = self.folder / START_FILE
        if not path.is_file():
            self._say("relaxation", 0, 1)
        minimum = kept_minimum(atoms.copy(), self.teacher.calculator, path, None)
        minimum.calc = None
        return minimum

    def _round(self, number: int) -> Path:
        path = self.folder / f"round-{number:02d}"
        path.mkdir(exist_ok=True)
        return path

    def _claim(self, atoms: Atoms) -> None:
        described = {
            "species": atoms.get_chemical_symbols(),
            "cell": np.round(atoms.cell.array, 6).tolist(),
            "start": content_key([round(float(value), 6) for value in atoms.positions.ravel()]),
            "teacher": self.teacher.fingerprint,
            "student": self.student,
            "trainer": self.trainer.settings,
            "settings": self.settings.model_dump(mode="json", exclude=_NOT_CLAIMED),
            "paths": [[known.title, known.barrier_eV] for known in self.known],
        }
        claim(self.folder, CLAIM_FILE, "distillation", described)

    def _say(self, step: str, done: int, total: int) -> None:
        self._notify(step, done, total)
        if self._stop():
            raise _StoppedError


def _spread(count: int, number: int) -> list[int]:
    """So many places of a count, evenly."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, number)).round()}) if count else []
