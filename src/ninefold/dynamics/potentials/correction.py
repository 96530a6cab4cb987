"""A correction of an engine by labels of a better method: a small potential fitted to their differences.

Energies and forces of an engine and of DFT differ by less than their own size, and more smoothly: tens of labels can
say how, near them. So the correction is measured on labels that it was not fitted to, by fits that leave out a path, a
run or a stretch of one; where it does not help there, it is refused.

Everything is a file that is written whole: what was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ninefold.atomic_files import write_atomically
from ninefold.dynamics.folders import claim, read_json, write_json
from ninefold.dynamics.potentials.check_labels import CheckLabels
from ninefold.dynamics.potentials.correction_errors import (
    Difference,
    compositions,
    error_row,
    folds_of,
    less,
    path_rows,
    reason_against,
    rms,
    shifted,
    zero_of,
)
from ninefold.dynamics.potentials.distil_errors import evaluated
from ninefold.dynamics.potentials.distil_settings import Teacher
from ninefold.dynamics.potentials.labels import LabelledFrame, Labels
from ninefold.dynamics.potentials.students import Trainer
from ninefold.errors import InputError
from ninefold.keys import content_key, file_checksum

CLAIM_FILE, RESULT_FILE, MODEL_FILE = "correct.json", "result.json", "potential.txt"
FEWEST = 6
"""Labels: of fewer nothing can be left out."""


def correct(
    labels: CheckLabels,
    engine: Teacher,
    student: str,
    trainer: Trainer,
    folds: int,
    seed: int,
    folder: Path,
    notify: Callable[[str, int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> dict[str, Any] | None:
    """Fit a correction, or go on with it.

    Args:
        labels: Of the check method.
        engine: What is corrected.
        student: Name of the trainer.
        trainer: Of this name, with settings for few labels.
        folds: Fits that leave labels out, from 2; one more is of all labels.
        seed: Of the fits.
        folder: Of the correction; made if it is not there.
        notify: Called with the step, what is done of it, and all of it.
        stop: Asked between the steps whether to end early.

    Returns:
        The result, which is in the folder too; None if it was stopped before.

    Raises:
        InputError: if there are too few labels, the engine cannot compute one, or the folder holds another correction.
    """
    number = len(labels.labels)
    if number < FEWEST:
        raise InputError(
            "folder", number, problem="single points with energy and forces are too few", allowed=f"{FEWEST} and more"
        )
    if number < folds:
        raise InputError("--folds", folds, problem="leaves nothing out of some", allowed=f"2 to {number}, the labels")
    work = _Work(labels, engine, student, trainer, folds, seed, folder, notify, stop)
    try:
        return work.result()
    except _StoppedError:
        return None


class _StoppedError(Exception):
    """The user has asked to end."""


class _Work:
    """One correction; every method finds what it made before."""

    def __init__(
        self, labels: CheckLabels, engine: Teacher, student: str, trainer: Trainer, folds: int, seed: int, folder: Path,
        notify: Callable[[str, int, int], None] | None, stop: Callable[[], bool] | None,
    ) -> None:  # fmt: skip
        self.labels, self.engine, self.student, self.trainer = labels, engine, student, trainer
        self.seed, self.folder = seed, folder
        self.folds = folds_of(labels.labels, folds)
        self._notify = notify or (lambda *_: None)
        self._stop = stop or (lambda: False)
        self._claim()

    def result(self) -> dict[str, Any]:
        """All fits, and what they come to."""
        there: dict[str, Any] | None = read_json(self.folder / RESULT_FILE)
        if there is not None and there["checksum"] == file_checksum(str(self.folder / MODEL_FILE)):
            return there
        frames = [label.frame for label in self.labels.labels]
        before = self._differences()
        held_out: dict[int, Difference] = {}
        ends: dict[int, dict[str, Difference]] = {}
        names = [frame.name for frame in frames]
        for number, places in enumerate(self.folds.held_out):
            fitted = [place for place in range(len(frames)) if place not in places]
            model = self._fitted(f"fold-{number:02d}", [frames[one] for one in fitted], [before[one] for one in fitted])
            said = self._said(model, frames, before, fitted)
            for place in places:
                held_out[place] = said[place]
                ends[place] = dict(zip(names, said, strict=True))
        model = self._fitted("all", frames, before)
        fit = self._said(model, frames, before, range(len(frames)))
        held = [held_out[place] for place in range(len(frames))]
        errors = {
            "before": error_row(frames, before),
            "held_out": error_row(frames, [less(*pair) for pair in zip(before, held, strict=True)]),
            "fitted": error_row(frames, [less(*pair) for pair in zip(before, fit, strict=True)]),
        }
        write_atomically(self.folder / MODEL_FILE, model.read_bytes())
        reason = reason_against(errors)
        result = {
            "student": self.student, "student_label": self.trainer.label, "trainer": self.trainer.settings,
            "checksum": file_checksum(str(model)),
            "engine": {
                "settings": self.engine.settings, "label": self.engine.label, "fingerprint": self.engine.fingerprint,
                "evidence": self.engine.evidence,
            },
            "check": {
                "label": self.labels.engine, "fingerprint": self.labels.method, "evidence": self.labels.evidence,
                "core_seconds": self.labels.core_seconds,
            },
            "labels": len(frames), "failed_single_points": self.labels.failed,
            "species": sorted({symbol for frame in frames for symbol in frame.species}),
            "compositions": compositions(frames),
            "zero_eV_per_atom": zero_of(frames, [one.energy_eV for one in before]),
            "folds": len(self.folds.held_out), "folds_are_whole_paths_and_runs": self.folds.are_whole,
            "seed": self.seed,
            "check_force_rms_eV_per_A": rms(np.concatenate([frame.forces for frame in frames])),
            "errors": errors,
            "paths": path_rows(self.labels, before, held, ends),
            "is_worth": reason is None, "reason": reason,
        }  # fmt: skip
        write_json(self.folder / RESULT_FILE, result)
        return result

    def _differences(self) -> list[Difference]:
        """Check method less engine."""
        own = Labels(self.folder / "frames", self.engine.calculator)
        found = []
        for place, label in enumerate(self.labels.labels):
            self._say("labels by the engine", place, len(self.labels.labels))
            by_engine, by_check = own.label(label.frame.name, label.frame.atoms()), label.frame
            if not (np.isfinite(by_engine.energy_eV) and np.isfinite(by_engine.forces).all()):
                raise InputError("--engine", self.engine.label, problem=f"gives no number for {label.frame.name}")
            found.append(Difference(by_check.energy_eV - by_engine.energy_eV, by_check.forces - by_engine.forces))
        return found

    def _fitted(self, name: str, frames: Sequence[LabelledFrame], differences: Sequence[Difference]) -> Path:
        """The potential of some differences, the zero of energy taken off."""
        folder = self.folder / name
        path = folder / MODEL_FILE
        if not path.is_file():
            folder.mkdir(exist_ok=True)
            zero = zero_of(frames, [one.energy_eV for one in differences])
            targets = [
                LabelledFrame(
                    frame.name, frame.species, frame.cell, frame.positions, one.energy_eV - shifted(frame, zero),
                    one.forces, None,
                )
                for frame, one in zip(frames, differences, strict=True)
            ]  # fmt: skip
            notify = partial(self._say, f"fit {name} of {len(frames)} labels")
            write_atomically(path, self.trainer.fit(targets, folder / "fit", self.seed, None, notify))
        return path

    def _said(
        self, model: Path, frames: Sequence[LabelledFrame], before: Sequence[Difference], fitted: Sequence[int]
    ) -> list[Difference]:
        """What a potential says of frames, its zero set by those that it was fitted to.

        It says nothing of frames with a species that it was not fitted to.
        """
        calculator = self.trainer.calculator(model)
        known = {symbol for place in fitted for symbol in frames[place].species}
        said = [
            Difference(*evaluated(frame.atoms(), calculator))
            if set(frame.species) <= known
            else Difference(0.0, np.zeros_like(frame.forces))
            for frame in frames
        ]
        left = [before[place].energy_eV - said[place].energy_eV for place in fitted]
        zero = zero_of([frames[place] for place in fitted], left)
        return [
            Difference(one.energy_eV + shifted(frame, zero), one.forces)
            for one, frame in zip(said, frames, strict=True)
        ]  # fmt: skip

    def _claim(self) -> None:
        frames = [label.frame for label in self.labels.labels]
        described = {
            "check": self.labels.method,
            "labels": content_key([[one.name, one.energy_eV, one.forces.tolist()] for one in frames]),
            "engine": self.engine.fingerprint, "student": self.student, "trainer": self.trainer.settings,
            "folds": [sorted(frames[place].name for place in places) for places in self.folds.held_out],
            "seed": self.seed,
        }  # fmt: skip
        claim(self.folder, CLAIM_FILE, "correction", described)

    def _say(self, step: str, done: int, total: int) -> None:
        self._notify(step, done, total)
        if self._stop():
            raise _StoppedError
