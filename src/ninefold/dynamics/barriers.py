"""What the analyses of one crystal at several temperatures say together: barriers, and what they are not."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from scipy.stats import t as student_t

from ninefold.dynamics.statistics.rates import (
    CLEAR_SEPARATION,
    CONFIDENCE,
    ROOM_K,
    Arrhenius,
    are_enough,
    fit_arrhenius,
    why_none,
)
from ninefold.dynamics.statistics.slopes import Interval
from ninefold.dynamics.transport.extrapolation import Resolved, arrhenius
from ninefold.errors import InputError
from ninefold.plain_values import plain_values

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis
    from ninefold.dynamics.anions.correlation import Stretched


FRAMES = {"lab": "lab frame", "body": "anion's frame"}
"""For people."""
SAME_PLATEAU = 0.1
"""Shares of C2's start to which it falls that are one process; beyond, other ways have opened."""


@dataclass(frozen=True)
class Barriers:
    """Of one crystal; what could not be told is left out."""

    permutations: Arrhenius | None = None
    """Of all anions together."""
    by_anion: dict[str, Arrhenius] = field(default_factory=dict)
    """Of permutations, by name of the inequivalent anion."""
    turns: Arrhenius | None = None
    site_exchanges: dict[tuple[str, str], Arrhenius] = field(default_factory=dict)
    """By name of the anion and kind."""
    relaxation: dict[tuple[str, str], RelaxationLaw] = field(default_factory=dict)
    """By name of the anion and frame, `lab` or `body`."""
    notes: tuple[str, ...] = ()
    """What the numbers are not, for people."""
    problems: tuple[str, ...] = ()
    """What has no barrier, and why, for people."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "barrier": plain_values(self.permutations),
            "turn_barrier": plain_values(self.turns),
            "barriers_by_anion": plain_values(self.by_anion),
            "site_exchange_barriers": [
                {"anion": anion, "kind": kind} | one._asdict() for (anion, kind), one in self.site_exchanges.items()
            ],
            "relaxation_barriers": [
                {"anion": anion, "frame": frame} | plain_values(one) for (anion, frame), one in self.relaxation.items()
            ],
            "barrier_notes": list(self.notes),
            "problems": list(self.problems),
        }


def barriers_of(analyses: Sequence[DynamicsAnalysis]) -> Barriers:
    """Everything that several temperatures tell; nothing of one temperature.

    Args:
        analyses: Of one crystal.
    """
    if len({one.pseudorotation.temperature_K for one in analyses}) < 2:
        return Barriers()
    notes, problems = [*phase_notes(analyses), *claim_notes(analyses)], []
    fit, of_turns, by_anion = None, None, {}
    try:
        fit, by_anion = barrier(analyses), barriers_by_anion(analyses)
        notes += barrier_notes(analyses)
    except InputError as error:
        problems.append(f"No barrier of the permutations: {why_none(error)}")
    try:
        of_turns = turn_barrier(analyses)
    except InputError as error:
        if any(one.pseudorotation.turns for one in analyses):
            problems.append(f"No barrier of the turns of the whole: {why_none(error)}")
    if any(one.pseudorotation.temperature_K is None for one in analyses):
        return Barriers(fit, by_anion, of_turns, notes=tuple(notes), problems=tuple(problems))
    if (problem := site_exchange_problem(analyses)) is not None:
        problems.append(f"No barrier of site exchange: {problem}")
    for anion, frame in _relaxing(analyses):
        if (problem := relaxation_problem(analyses, anion, frame)) is not None:
            problems.append(f"No barrier of the relaxation of M-H of {anion}, {FRAMES[frame]}: {problem}")
    return Barriers(
        fit, by_anion, of_turns, site_exchange_barriers(analyses), relaxation_barriers(analyses), tuple(notes),
        tuple(problems),
    )  # fmt: skip


def barrier(analyses: Sequence[DynamicsAnalysis], group: int | None = None) -> Arrhenius:
    """Barrier of the permutations, from their rates at several temperatures.

    Args:
        analyses: Of one crystal.
        group: Number of the inequivalent anion, the same in all of them; None: all anions together.

    Raises:
        InputError: without enough events at two temperatures, a trajectory without a temperature, or where the runs
            follow isomers of different polyhedra.
    """
    if len({one.pseudorotation.polyhedron for one in analyses}) > 1:
        listed = ", ".join(
            f"{kelvin:g} K: {one.pseudorotation.polyhedron}"
            for kelvin, one in zip(_temperatures(analyses), analyses, strict=True)
        )
        raise InputError(
            "--polyhedron", listed, problem="the runs follow isomers of different polyhedra", allowed="one of them",
            hint="the runs follow isomers of different polyhedra: --polyhedron names one for all of them",
        )  # fmt: skip
    rates = [
        one.pseudorotation.permutation_rate if group is None else one.anions.groups[group].permutations
        for one in analyses
    ]
    return fit_arrhenius(_temperatures(analyses), rates)


def turn_barrier(analyses: Sequence[DynamicsAnalysis]) -> Arrhenius:
    """Barrier of the turns of whole anions, from their rates at several temperatures.

    Args:
        analyses: Of one crystal.

    Raises:
        InputError: without enough turns at two temperatures and more, or a trajectory without a temperature.
    """
    return fit_arrhenius(_temperatures(analyses), [one.pseudorotation.turn_rate for one in analyses])


class RelaxationLaw(NamedTuple):
    """Relaxation times of M-H vectors at several temperatures, by Arrhenius' law."""

    barrier_eV: Interval
    temperature_K: float
    time_ps: Interval
    """Mean time of C2 at that temperature."""
    used_K: tuple[float, ...]


def relaxation_barriers(analyses: Sequence[DynamicsAnalysis]) -> dict[tuple[str, str], RelaxationLaw]:
    """Barrier of the mean times of C2, of each kind of anion, in the lab frame and in the anion's own.

    Args:
        analyses: Of one crystal, at several temperatures.

    Returns:
        By name of the anion and frame, `lab` or `body`; left out where `relaxation_problem` says why.

    Raises:
        InputError: of a trajectory without a temperature.
    """
    found = {}
    for anion, frame in _relaxing(analyses):
        if relaxation_problem(analyses, anion, frame) is not None:
            continue
        rates = []
        for kelvin, fit in _times(analyses, anion, frame):
            rate = 1 / fit.mean_tau_ps
            quantile = float(student_t.ppf((1 + CONFIDENCE) / 2, fit.pieces - 1))
            factor = math.exp(quantile * (fit.log_error or 0.0))
            rates.append(Resolved(kelvin, Interval(rate, rate / factor, rate * factor)))
        law = arrhenius(rates, ROOM_K)
        there = law.value
        found[anion, frame] = RelaxationLaw(
            law.barrier_eV, ROOM_K, Interval(1 / there.value, 1 / there.high, 1 / there.low), law.used_K
        )
    return found


def relaxation_problem(analyses: Sequence[DynamicsAnalysis], anion: str, frame: str) -> str | None:
    """Why the relaxation of a kind of anion has no barrier, for people; None where it has one.

    Args:
        analyses: Of one crystal, at several temperatures.
        anion: Name of the kind.
        frame: `lab` or `body`.

    Raises:
        InputError: of a trajectory without a temperature.
    """
    if len({tuple(group.centres for group in one.anions.groups) for one in analyses}) > 1:
        return "the runs do not agree on which anions are alike"
    times = _times(analyses, anion, frame)
    if len({kelvin for kelvin, _ in times}) > 1:
        shares = [fit.plateau / (fit.plateau + fit.amplitude) for _, fit in times]
        if max(shares) - min(shares) <= SAME_PLATEAU:
            return None
        listed = ", ".join(f"{share:.2f} at {kelvin:g} K" for share, (kelvin, _) in zip(shares, times, strict=True))
        return f"C2 does not fall to one share of its start ({listed}): not one process"
    fits = [one.anion_correlations.get(anion, {}).get(frame) for one in analyses]
    return "; ".join(
        f"{kelvin:g} K: {_without_time(fit)}"
        for kelvin, fit in zip(_temperatures(analyses), fits, strict=True)
        if not _tells_a_time(fit)
    )


def _without_time(fit: Stretched | None) -> str:
    if fit is None:
        return "too short a run"
    if fit.is_at_limit:
        return "the decay is not told from vibration"
    return "the error of the time is not known" if fit.is_resolved else "C2 does not decay"


def _relaxing(analyses: Sequence[DynamicsAnalysis]) -> list[tuple[str, str]]:
    """Kinds of anions and frames in which C2 decays in some run."""
    return [
        (anion, frame)
        for anion, frame in dict.fromkeys(
            (anion, frame) for one in analyses for anion, frames in one.anion_correlations.items() for frame in frames
        )
        if any(
            (fit := one.anion_correlations.get(anion, {}).get(frame)) is not None and fit.is_resolved
            for one in analyses
        )
    ]


def _tells_a_time(fit: Stretched | None) -> bool:
    return fit is not None and fit.is_resolved and not fit.is_at_limit and bool(fit.log_error)


def _times(analyses: Sequence[DynamicsAnalysis], anion: str, frame: str) -> list[tuple[float, Stretched]]:
    """Temperatures, and fits that tell a time with its error; of several runs at one temperature all."""
    fits = [one.anion_correlations.get(anion, {}).get(frame) for one in analyses]
    return [
        (kelvin, fit)
        for kelvin, fit in zip(_temperatures(analyses), fits, strict=True)
        if fit is not None and _tells_a_time(fit)
    ]


def _temperatures(analyses: Sequence[DynamicsAnalysis]) -> list[float]:
    temperatures = [analysis.pseudorotation.temperature_K for analysis in analyses]
    known = [float(temperature) for temperature in temperatures if temperature is not None]
    if len(known) < len(temperatures):
        raise InputError("--temperature", None, problem="is needed of every trajectory for a barrier")
    return known


def barriers_by_anion(analyses: Sequence[DynamicsAnalysis]) -> dict[str, Arrhenius]:
    """Barrier of each inequivalent anion that has events at two temperatures and more; by its name.

    Empty where there is one kind of anion alone, or the runs do not agree on which anions are alike.
    """
    kinds = {tuple(group.centres for group in one.anions.groups) for one in analyses}
    if len(kinds) != 1 or len(analyses[0].anions.groups) < 2:
        return {}
    found = {}
    for number, group in enumerate(analyses[0].anions.groups):
        with contextlib.suppress(InputError):
            found[group.name] = barrier(analyses, number)
    return found


def site_exchange_barriers(analyses: Sequence[DynamicsAnalysis]) -> dict[tuple[str, str], Arrhenius]:
    """Barrier of each kind of site exchange of each kind of anion, where two temperatures and more have enough events.

    Args:
        analyses: Of one crystal, at several temperatures.

    Returns:
        By name of the anion and kind; nothing where `site_exchange_problem` says why.

    Raises:
        InputError: of a trajectory without a temperature.
    """
    if site_exchange_problem(analyses) is not None:
        return {}
    temperatures = _temperatures(analyses)
    exchanges = [one.site_exchanges for one in analyses if one.site_exchanges is not None]
    found = {}
    for anion, kind in dict.fromkeys((rate.anion, rate.kind) for one in exchanges for rate in one.rates):
        rates = [one.rate(anion, kind) for one in exchanges]
        if are_enough(temperatures, rates):
            found[anion, kind] = fit_arrhenius(temperatures, rates)
    return found


def site_exchange_problem(analyses: Sequence[DynamicsAnalysis]) -> str | None:
    """Why site exchange has no barrier in runs whatever was counted, for people.

    Args:
        analyses: Of one crystal, at several temperatures.

    Raises:
        InputError: of a trajectory without a temperature.
    """
    exchanges = [one.site_exchanges for one in analyses if one.site_exchanges is not None]
    if len(exchanges) < len(analyses):
        return "a run has no shell that keeps its ligands"
    unclear = [
        f"{kelvin:g} K (half-way is {one.separation:.1f} amplitudes of vibration)"
        for kelvin, one in zip(_temperatures(analyses), exchanges, strict=True)
        if one.separation < CLEAR_SEPARATION
    ]
    if unclear:
        return f"ligands have no places of their own at {', '.join(unclear)}"
    symmetries = {tuple(group.centres for group in one.anions.groups): one.anions.symmetry for one in analyses}
    if len(symmetries) > 1:
        named = list(dict.fromkeys(symmetries.values()))
        by = " and ".join(named) if len(named) > 1 else f"{named[0]}, which makes others alike in each"
        return f"the runs do not agree on which anions are alike: {by}"
    return None


def barrier_notes(analyses: Sequence[DynamicsAnalysis]) -> list[str]:
    """What the slope of rates over 1/T is not.

    Args:
        analyses: Of one crystal, at several temperatures.
    """
    unclear = {
        one.pseudorotation.temperature_K or 0.0 for one in analyses if one.pseudorotation.separation < CLEAR_SEPARATION
    }
    if not unclear:
        return []
    listed = ", ".join(f"{temperature:g}" for temperature in sorted(unclear))
    return [f"at {listed} K vibration is counted with the permutations: the slope is no barrier of permutations alone"]


def claim_notes(analyses: Sequence[DynamicsAnalysis]) -> list[str]:
    """Whether a barrier is claimed: not where the rates of one of its runs are not.

    Args:
        analyses: Of one crystal, at several temperatures.
    """
    unclaimed = {one.pseudorotation.temperature_K or 0.0 for one in analyses if not one.is_claimed}
    if not unclaimed:
        return []
    listed = ", ".join(f"{kelvin:g}" for kelvin in sorted(unclaimed))
    return [f"rates at {listed} K are not claimed (see the notes of these runs), and so none of these barriers is"]


def phase_notes(analyses: Sequence[DynamicsAnalysis]) -> list[str]:
    """Whether the runs are of crystals of one symmetry.

    Args:
        analyses: Of one crystal, at several temperatures.
    """
    runs: dict[str, list[str]] = {}
    for one in sorted(analyses, key=lambda one: one.pseudorotation.temperature_K or 0.0):
        runs.setdefault(one.anions.symmetry, []).append(f"{one.pseudorotation.temperature_K or math.nan:g}")
    if len(runs) < 2:
        return []
    listed = "; ".join(f"{' and '.join(kelvin)} K: {symmetry}" for symmetry, kelvin in runs.items())
    return [
        f"the crystal's symmetry is not the same in all runs ({listed}): if it has gone over into another phase, a "
        f"slope over 1/T is that of no one phase"
    ]
