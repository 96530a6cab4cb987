"""What a potential can be distilled into: a trainer by name, which fits one and makes a calculator of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ninefold.dynamics.potentials.labels import LabelledFrame
from ninefold.errors import InputError
from ninefold.plugins import Registry
from ninefold.user_code import loading


class Trainer(Protocol):
    """Fits potentials of one kind."""

    label: str
    """For people, with the versions of its programs: NEP4 (torchnep 1.0.7)."""
    settings: dict[str, Any]
    """Plain values: all that changes a fit, beside the frames and the seed."""

    def fit(
        self, frames: Sequence[LabelledFrame], folder: Path, seed: int, start: Path | None,
        notify: Callable[[int, int], None],
    ) -> bytes:  # fmt: skip
        """Fit a potential.

        Args:
            frames: To fit.
            folder: There, for files of the fit; may hold those of one that was killed.
            seed: Of its random numbers: the same frames, seed and start give the same potential.
            start: File of an earlier potential to go on from.
            notify: Called now and then with the steps done, and their number in all.

        Returns:
            The content of the potential's file.
        """
        ...

    def calculator(self, model: Path) -> Any:
        """An ASE calculator of a potential's file, with energy and forces."""
        ...


@runtime_checkable
class FewFramesTrainer(Trainer, Protocol):
    """A trainer that has settings for tens of frames beside those for hundreds."""

    def for_few_frames(self) -> Trainer:
        """The same kind of potential, smaller and smoother; this trainer stays as it is."""
        ...


STUDENTS = Registry(
    group="ninefold.students",
    setting="--student",
    what="a kind of potential",
    wanted="a class without arguments that gives a Trainer",
    shipped={
        "nep": "ninefold.dynamics.potentials.nep:NEPTrainer",
        "pairs": "ninefold.dynamics.potentials.pairs:PairTrainer",
    },
)


def few_frames_trainer(name: str) -> Trainer:
    """As `make_trainer`, with its settings for tens of frames where it has such; else as it is.

    Raises:
        InputError: as there.
    """
    made = make_trainer(name)
    return made.for_few_frames() if isinstance(made, FewFramesTrainer) else made


def make_trainer(name: str) -> Trainer:
    """A trainer by name.

    Raises:
        InputError: if there is none of this name, or it cannot be made.
    """
    factory = STUDENTS.load(name)
    if STUDENTS.is_shipped(name):
        made: Trainer = factory()
        return made
    with loading(STUDENTS.setting, STUDENTS.origin(name)):
        foreign: Any = factory()
    if absent := [part for part in ("label", "settings", "fit", "calculator") if not hasattr(foreign, part)]:
        raise InputError(
            "--student", name, problem=f"gives a {type(foreign).__name__} without {', '.join(absent)}",
            allowed=STUDENTS.wanted,
        )  # fmt: skip
    trainer: Trainer = foreign
    return trainer
