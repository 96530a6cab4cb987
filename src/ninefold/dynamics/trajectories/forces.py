"""What moved the atoms of a run: the rung that a rate or a barrier stands on, and whether a rate is claimed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from ninefold.settings import Settings

if TYPE_CHECKING:
    from ninefold.dynamics.trajectories.teacher_checks import Checks

Rung = Literal["engine", "distilled"]

SAME_VOLUME = 0.02
"""Relative difference of volumes per atom up to which a cell is one that a potential has learnt."""


class ForceSource(Settings):
    """Of a run's forces."""

    rung: Rung
    """engine: the method itself. distilled: a potential that was fitted to one for this compound."""
    method: str
    """For people."""
    error: str = ""
    """What is known of a distilled potential's error against its teacher, or of a corrected engine's against the method
    that it was corrected by."""
    limit_eV_per_A: float | None = None
    """Force error of a checked frame beyond which a run has left its ground."""
    is_claimed: bool = True
    """Whether rates are claimed: not from a distilled potential that misses its limits, nor from a run that left the
    ground of its potential or that no teacher looked at."""
    warnings: tuple[str, ...] = ()
    """Why rates are not claimed from it, and where it is used beside what it learnt."""

    @property
    def sentence(self) -> str:
        """For people: rung, method, error."""
        return f"{self.rung}: {self.method}{f'; {self.error}' if self.error else ''}"

    def checked_by(self, checks: Checks | None) -> Self:
        """With what the teacher's checks of a run found."""
        if self.rung == "engine":
            return self
        if checks is None:
            note = "no frame of this run was checked by the teacher: rates are not claimed from it"
            return self.model_copy(update={"warnings": (*self.warnings, note), "is_claimed": False})
        found = (
            f"in this run {checks.mean * 1000:.0f} meV/Å on {len(checks.frames)} checked frames, "
            f"at most {checks.worst * 1000:.0f}"
        )
        notes, is_claimed = list(self.warnings), self.is_claimed
        if self.limit_eV_per_A is not None and checks.worst > self.limit_eV_per_A:
            is_claimed = False
            first = int(checks.frames[checks.force_errors > self.limit_eV_per_A][0])
            notes.append(
                f"this run left the ground of its potential at frame {first} or before "
                f"(limit {self.limit_eV_per_A * 1000:.0f} meV/Å): rates are not claimed from it"
            )
        error = f"{self.error}; {found}" if self.error else found
        return self.model_copy(update={"error": error, "warnings": tuple(notes), "is_claimed": is_claimed})
