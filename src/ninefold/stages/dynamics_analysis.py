"""What runs of one structure at several temperatures say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ninefold.clock import now
from ninefold.dynamics.curves import curves_of, mean_profile, squares_of
from ninefold.dynamics.statistics.equilibration import drift
from ninefold.dynamics.statistics.rates import FEWEST_EVENTS, SLOW_ATTEMPTS, Rate, combined
from ninefold.errors import InputError
from ninefold.models.dynamics import AtTemperature, DynamicsRecord
from ninefold.models.lines import blob_id
from ninefold.stages.dynamics import dynamics_id, encode_curves
from ninefold.stages.dynamics_exchanges import exchanges_of
from ninefold.stages.dynamics_jumps import jumps_of
from ninefold.stages.dynamics_law import (
    MILLI,
    barrier_of,
    diffusion_interval,
    ion_of,
    order_parameter_of,
    rate_300,
    rate_interval,
    tau_of,
)
from ninefold.stages.dynamics_runs import RunOf, Settled, equilibrium_notes, together
from ninefold.stages.stage import Counts, StageResult

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis
    from ninefold.dynamics.trajectories.forces import ForceSource
    from ninefold.dynamics.transport.diffusion import Transport

ANALYSIS_VERSION = 7
"""Rises when an analysis says something else of the same trajectories; in the id of its record."""


@dataclass(frozen=True)
class Asked:
    """What is analysed."""

    campaign: str
    label: str
    structure: str
    """Id."""
    centre: str
    n: int
    cations: tuple[str, ...]
    method: str
    """Id."""
    engine: str
    """Label."""
    method_evidence: str
    repeats: tuple[int, int, int]
    forces: Mapping[float, ForceSource] = field(default_factory=dict)
    """What moves the atoms, by temperature; none: the engine's own forces."""


def analyse(asked: Asked, runs: Sequence[RunOf], read: Callable[[str], bytes]) -> StageResult:
    """The record of all runs, and what pictures show of them.

    Args:
        asked: What is analysed.
        runs: All of one structure, method, isotope and time step.
        read: Gives the content of a piece by the name of its blob.
    """
    runs = sorted(runs, key=lambda run: (run.temperature_K, run.replica))
    ended = [Settled.of(run, read) for run in runs if run.error is None]
    source = next(iter(asked.forces.values()), None)
    warnings = [
        f"{run.temperature_K:g} K: the run ended early and is left out: {run.error}" for run in runs if run.error
    ]
    first = runs[0].pieces[0]
    base = DynamicsRecord(
        id=dynamics_id([run.pieces[-1].id for run in runs], asked.centre, asked.n, asked.cations),
        campaign=asked.campaign, label=asked.label, method=asked.method, engine=asked.engine,
        structure=asked.structure, evidence="test" if asked.method_evidence == "test" else "MD", centre=asked.centre,
        n=asked.n, isotope=first.settings["isotope"], time_step_fs=first.settings["time_step_fs"],
        repeats=list(asked.repeats), n_atoms=first.n_atoms, temperatures=[], length_ps=0.0,
        replicas=1 + max(run.replica for run in runs), is_too_short=True, warnings=warnings,
        trajectories=[run.pieces[-1].id for run in runs],
        settings={key: value for key, value in first.settings.items() if key not in ("temperature_K", "seed")},
        rung="engine" if source is None else source.rung, is_claimed=_is_claimed(asked, runs, ended),
        forces=_force_lines(asked, ended),
        core_seconds=sum(piece.core_seconds for run in runs for piece in run.pieces), created=now(),
    )  # fmt: skip
    if not ended:
        record = base.model_copy(update={"error": "no run came to its end"})
        return StageResult([record], Counts("candidates", 1, 0))
    shells, problem = _shells(asked, ended)
    if problem:
        warnings.append(f"shells cannot be followed: {problem}")
    temperatures, curves = [], []
    rates: dict[float, Rate] = {}
    for kelvin in dict.fromkeys(run.temperature_K for run in ended):
        some = [run for run in ended if run.temperature_K == kelvin]
        found = [shells[run] for run in some if run in shells]
        ions, squares = _transport(asked, some, warnings)
        if found:
            rates[kelvin] = combined([one.pseudorotation.permutation_rate for one in found])
        warnings += equilibrium_notes(some)
        temperatures.append(_at_temperature(some, found, ions, rates.get(kelvin)))
        curves.append(curves_of(kelvin, found, squares))
    warnings += dict.fromkeys(
        f"{one.source}: {note}" for one in shells.values() for note in one.notes if "no permutation in" not in note
    )
    jumps, problems = jumps_of(asked.cations, ended, shells)
    warnings += problems
    exchanges, problems = exchanges_of({run: shells[run] for run in ended if run in shells})
    warnings += problems
    barrier, is_too_short = barrier_of(rates)
    if is_too_short and rates:
        warnings.append(
            f"too short for a barrier of permutations: {FEWEST_EVENTS} and more at two temperatures are needed"
            + (
                f"; the lower bound assumes {SLOW_ATTEMPTS:g} attempts per ps and more"
                if barrier is not None and barrier.value is None else ""
            )
        )  # fmt: skip
    content = encode_curves({"temperatures": curves, "barrier": None if barrier is None else barrier.model_dump()})
    record = base.model_copy(
        update={
            "temperatures": temperatures, "length_ps": sum(one.length_ps for one in temperatures),
            "polyhedron": next((one.pseudorotation.polyhedron for one in shells.values()), None),
            "barrier": barrier, "rate_300": rate_300(rates), "is_too_short": is_too_short, "warnings": warnings,
            "ions": [ion_of(ion, temperatures) for ion in asked.cations
                     if any(ion in one.diffusion for one in temperatures)],
            "jumps": jumps, "site_exchanges": exchanges, "curves": blob_id(content),
        }
    )  # fmt: skip
    return StageResult([record], Counts("candidates", 1, 1), {blob_id(content): content})


def _shells(asked: Asked, runs: Sequence[Settled]) -> tuple[dict[Settled, DynamicsAnalysis], str | None]:
    """What the shells do in each run, all on one polyhedron; and why they cannot be followed."""
    from ninefold.dynamics.analysis import analyse as analyse_one

    found: dict[Settled, DynamicsAnalysis] = {}
    polyhedron = None
    for run in runs:
        try:
            found[run] = analyse_one(run.trajectory, asked.centre, asked.n, polyhedron)
        except InputError as error:
            return found, f"{run.trajectory.source}: {error}"
        polyhedron = found[run].pseudorotation.polyhedron
    return found, None


def _transport(
    asked: Asked, runs: Sequence[Settled], warnings: list[str]
) -> tuple[dict[str, Transport], dict[str, Any]]:
    """Diffusion of each cation, and mean squared displacements of every species, of all replicas together.

    The ions of replicas are further ions of one run: drift is taken out of each, and all are as long as the shortest.
    """
    from ninefold.dynamics.trajectories.displacements import unwrap
    from ninefold.dynamics.trajectories.trajectory import in_memory
    from ninefold.dynamics.transport.diffusion import transport

    found: dict[str, Transport] = {}
    squares: dict[str, Any] = {}
    for ion in [*asked.cations, "H"]:
        try:
            moved = [unwrap(run.trajectory, ion) for run in runs]
            shortest = min(len(one.positions) for one in moved)
            positions = np.concatenate([one.positions[:shortest] for one in moved], axis=1)
            squares[ion] = squares_of(moved)._asdict()
            if ion == "H":
                continue
            frames = next(iter(runs[0].trajectory.chunks()))
            every = in_memory(
                moved[0].symbols.tolist() * len(moved), positions, frames.cells[0], runs[0].trajectory.time_step_fs,
                temperature_K=runs[0].temperature_K, source=runs[0].trajectory.source,
            )  # fmt: skip
            found[ion] = transport(every, ion)
        except InputError as error:
            warnings.append(f"{runs[0].temperature_K:g} K: no diffusion of {ion}: {error.value} {error.problem}")
    return found, squares


def _at_temperature(
    runs: Sequence[Settled], found: Sequence[DynamicsAnalysis], ions: Mapping[str, Transport], rate: Rate | None
) -> AtTemperature:
    step = runs[0].step_ps
    species = np.array(runs[0].trajectory.species)
    means = np.mean([run.temperatures.mean(axis=0) for run in runs], axis=0)
    counts = np.array([(species == name).sum() for name in runs[0].species])
    drifts = [one for run in runs if (one := drift(run.energies, step, run.memory_ps)) is not None]
    values: dict[str, Any] = {
        "temperature_K": runs[0].temperature_K, "replicas": len(runs),
        "length_ps": sum(len(run.energies) for run in runs) * step,
        "equilibration_ps": float(np.mean([run.skipped for run in runs])) * step,
        "mean_temperature_K": float((means * counts).sum() / counts.sum()),
        "species_temperatures_K": dict(zip(runs[0].species, means.tolist(), strict=True)),
        "energy_drift": float(np.mean([one.per_ps for one in drifts])) * MILLI / len(species) if drifts else None,
        "diffusion": {ion: diffusion_interval(one) for ion, one in ions.items()},
    }  # fmt: skip
    if checks := together(runs):
        values |= {"checked_frames": len(checks.frames), "force_error": checks.mean}
    if rate is None or len(found) < len(runs):
        return AtTemperature(**values)
    each = [one.pseudorotation for one in found]
    lengths = [event.path_length for one in each for event in one.events]
    weights = [one.time_ps for one in each]
    total = sum(weights) or 1.0
    percolations = [
        one.lab_surface.percolation_eV
        for one in found
        if one.lab_surface is not None and one.lab_surface.percolation_eV is not None
    ]
    profile = mean_profile([one.passage for one in found], runs[0].temperature_K)
    return AtTemperature(
        **values, permutations=rate.events, shell_ps=rate.time_ps, rate=rate_interval(rate),
        turns=sum(len(one.turns) for one in each), exchanges=sum(len(one.exchanges) for one in each),
        h2_frames=sum(one.h2_frames for one in each),
        populations={
            name: sum(one.populations[name] * weight for one, weight in zip(each, weights, strict=True)) / total
            for name in each[0].populations
        },
        path_length=float(np.mean(lengths)) if lengths else None,
        lab_tau_ps=tau_of([one.lab_correlation for one in found]),
        order_parameter=order_parameter_of([one.lab_correlation for one in found]),
        body_tau_ps=tau_of([one.body_correlation for one in found]),
        passage_barrier=None if profile is None or profile.values[-1] is None else profile.values[-1] * MILLI,
        percolation=min(percolations) * MILLI if percolations else None,
    )  # fmt: skip


def _is_claimed(asked: Asked, runs: Sequence[RunOf], ended: Sequence[Settled]) -> bool:
    """Whether rates are: from a potential within its limits, in runs that its teacher has looked at, all of them ended.

    Runs that stayed on the ground of a potential are not a fair choice of those that were begun.
    """
    if all(one.rung == "engine" for one in asked.forces.values()):
        return True
    is_whole = len(ended) == len(runs) and all(run.checks is not None for run in ended)
    return is_whole and all(one.is_claimed for one in asked.forces.values())


def _force_lines(asked: Asked, runs: Sequence[Settled]) -> list[str]:
    """What a distilled potential or a correction is worth, each sentence once."""
    lines = []
    for kelvin, source in asked.forces.items():
        some = [run for run in runs if run.temperature_K == kelvin]
        if not some:
            continue
        if source.error:
            lines.append(source.error)
        if source.rung == "engine":
            lines += source.warnings
            continue
        checks = together(some)
        if checks is not None:
            lines.append(
                f"{kelvin:g} K: {checks.mean * MILLI:.0f} meV/Å on {len(checks.frames)} frames that the teacher "
                f"checked, at most {checks.worst * MILLI:.0f}"
            )
        if unchecked := sum(run.checks is None for run in some):
            lines.append(f"{kelvin:g} K: {unchecked} of {len(some)} runs not checked by the teacher: rates not claimed")
        lines += source.warnings
    return list(dict.fromkeys(lines))
