"""`ninefold dynamics jumps`: sites of a mobile cation, its jumps, and whether the anions' motion goes with them."""

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.dynamics.statistics.rates import Arrhenius, Rate
    from ninefold.dynamics.statistics.slopes import Interval
    from ninefold.dynamics.trajectories.displacements import Displacements
    from ninefold.dynamics.trajectories.trajectory import Trajectory
    from ninefold.dynamics.transport.cation_sites import Sites
    from ninefold.dynamics.transport.coincidence import Coincidence
    from ninefold.dynamics.transport.jumps import JumpAnalysis

DENSITY = "density"
SAME_CELL = 0.05
"""Relative difference of the cells of runs that share sites."""


def jumps(
    files: FilesArgument,
    mobile: Annotated[str, typer.Option(help="Element that moves, e.g. Li.")],
    sites: Annotated[
        str, typer.Option(help="density: maxima of its density; or a structure that has it on every site.")
    ] = DENSITY,
    centre: Annotated[
        str | None,
        typer.Option(help="Centre of the anions (Mo; B12 for cages): test whether they turn with the jumps."),
    ] = None,
    near: Annotated[float, typer.Option(help="Å, from an anion's centre to the middle of a jump near it.")] = 5.0,
    window: Annotated[float, typer.Option(help="ps, longest time between a jump and an anion's event.")] = 0.5,
    ligands: Annotated[
        int | None, typer.Option("--ligands", "-n", help="Hydrogens of an anion. Default: as in the first frame.")
    ] = None,
    polyhedron: PolyhedronOption = None,
    time_step: TimeStepOption = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option("--temperature", help="K, once for each file in their order. Needed for barriers."),
    ] = None,
    types: TypesOption = None,
    skip: SkipOption = 0,
    until: UntilOption = None,
    every: EveryOption = 1,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the null model.")] = 0,
    json: JsonOption = False,
) -> None:
    """Count a cation's jumps between its sites: residence times, rates between kinds of sites, barriers.

    With --centre also whether jumps come together with permutations, site exchanges and turns of the anions near them,
    against a null model (paddle-wheel test).
    """
    from ninefold.cli.calculation import step_progress
    from ninefold.cli.dynamics.sources import trajectories_of
    from ninefold.dynamics.anions.cages import with_cages
    from ninefold.dynamics.anions.pseudorotation import analyse_shells
    from ninefold.dynamics.anions.site_exchange import site_exchanges
    from ninefold.dynamics.trajectories.displacements import unwrap
    from ninefold.dynamics.transport.jumps import analyse_jumps
    from ninefold.dynamics.transport.paddle_wheel import paddle_wheel

    if not 0 < near <= 100:
        refuse("--near", near, "is no distance", "above 0, up to 100 Å")
    if not 0 < window <= 1000:
        refuse("--window", window, "is no time", "above 0, up to 1000 ps")
    trajectories = trajectories_of(files, temperature, time_step, types, skip, until, every)
    if centre is not None:
        trajectories = [with_cages(one, centre) for one in trajectories]
    found: list[JumpAnalysis] = []
    tests: list[tuple[Coincidence, ...]] = []
    with step_progress() as notify:
        total = len(trajectories) + 1
        notify("sites", 0, total)
        moved = [unwrap(one, mobile) for one in trajectories]
        placed = sites_of(sites, moved, trajectories)
        for done, (trajectory, paths) in enumerate(zip(trajectories, moved, strict=True), start=1):
            notify("trajectories", done, total)
            found.append(analyse_jumps(trajectory, paths, placed))
            if centre is not None:
                anions, histories = analyse_shells(trajectory, centre, ligands, polyhedron)
                groups = {centre: tuple({one.segment.centre for one in histories})}
                exchanges = site_exchanges(anions, histories, groups, trajectory.time_step_fs)
                tests.append(paddle_wheel(found[-1], anions, exchanges, paths, near, window, seed))
        notify("trajectories", total, total)
    fits, unresolved = _barriers(found)
    if json:
        rows = [
            one.to_dict() | ({"paddle_wheel": [test.to_dict() for test in tests[place]]} if tests else {})
            for place, one in enumerate(found)
        ]
        print_json(
            {
                "sites": {
                    "fractional": placed.fractional.tolist(), "kinds": placed.classes.tolist(),
                    "cores": placed.radii.tolist(), "cell": placed.cell.tolist(),
                },
                "trajectories": rows,
                "barriers": [{"start": start, "end": end, **fit._asdict()} for start, end, fit in fits],
            }
        )  # fmt: skip
    out = console()
    for place, one in enumerate([] if json else found):
        print_jumps(out, one)
        for test in tests[place] if tests else ():
            print_coincidence(out, test)
    if not json:
        _print_barriers(out, fits)
    if unresolved:
        typer.echo(unresolved, err=True)


def sites_of(named: str, moved: Sequence[Displacements], trajectories: Sequence[Trajectory]) -> Sites:
    """The sites of all trajectories together.

    Args:
        named: `density`, or a structure file.
        moved: Unwrapped paths of each trajectory.
        trajectories: Of one crystal.

    Raises:
        InputError: if they are of different crystals.
    """
    import numpy as np

    from ninefold.dynamics.trajectories.mean_crystal import framework
    from ninefold.dynamics.transport.cation_sites import crystal_sites, density_sites
    from ninefold.errors import InputError

    first = moved[0]
    for trajectory, one in zip(trajectories, moved, strict=True):
        is_alike = one.symbols.tolist() == first.symbols.tolist()
        if not is_alike or np.abs(one.cell - first.cell).max() > SAME_CELL * np.linalg.norm(first.cell, axis=1).max():
            raise InputError(
                "trajectory", trajectory.source, problem=f"is of another crystal than {trajectories[0].source}",
                allowed="the same atoms in the same cell: they share their sites", hint="one command for each",
            )  # fmt: skip
    crystal = framework(trajectories[0], ("H", first.mobile))
    if named == DENSITY:
        return density_sites(moved, crystal)
    from ninefold.structures.files import read_structure

    path = Path(named)
    read = read_structure(path)
    for note in read.notes:
        typer.echo(f"ninefold: note: {path}: {note}", err=True)
    return crystal_sites(read.structure, first.mobile, crystal, path.name)


def _barriers(found: Sequence[JumpAnalysis]) -> tuple[list[tuple[str | None, str | None, Arrhenius]], str]:
    """Of all jumps, and of each pair of kinds; and why there is none."""
    from ninefold.dynamics.statistics.rates import why_none
    from ninefold.dynamics.transport.jumps import jump_barrier
    from ninefold.errors import InputError

    if len({one.temperature_K for one in found}) < 2:
        return [], ""
    pairs = dict.fromkeys((rate.start, rate.end) for one in found for rate in one.rates)
    fits: list[tuple[str | None, str | None, Arrhenius]] = []
    unresolved = ""
    for start, end in [(None, None), *pairs]:
        try:
            fits.append((start, end, jump_barrier(found, start, end)))
        except InputError as error:
            if start is None:
                unresolved = f"No barrier: {why_none(error)}"
    return fits, unresolved


def print_jumps(out: Any, found: JumpAnalysis) -> None:
    """One trajectory."""
    at = "" if found.temperature_K is None else f", {found.temperature_K:g} K"
    out.print(
        f"{found.source}{at}: {found.duration_ps:.4g} ps, {found.n_ions} {found.mobile} on {found.n_sites} sites "
        f"({found.sites_from}; alike by {found.symmetry})"
    )
    attempts = found.attempts_per_ps
    rows = [
        ("forces", found.forces),
        ("jumps", _rate(found.total, "per ion")),
        ("jump diffusion", f"{_shown(found.jump_diffusion, 'cm2/s')}, as if jumps were independent"),
        ("attempts", "not known" if attempts is None else _shown(attempts, "THz")),
        ("in cores of sites", f"{found.inside:.0%} of the time"),
    ]
    for name, text in rows:
        out.print(f"  {name:<19} {text}")
    for kind in found.kinds:
        place = ", ".join(f"{value:.3f}" for value in kind.fractional)
        out.print(
            f"  site {kind.name:<14} {len(kind.sites)} alike, e.g. ({place}), {kind.occupancy:.2f} ions on each; "
            f"{_stay(kind.departures)}"
        )
    for one in found.rates:
        name = f"{one.start} to {one.end}"
        barrier = one.free_barrier_eV
        text = "" if barrier is None else (
            f"; kT ln(attempts/rate) {barrier.value * 1000:.0f} meV ({barrier.low * 1000:.0f} to "
            f"{barrier.high * 1000:.0f})"
        )  # fmt: skip
        out.print(f"  {name:<19} {_rate(one.rate, f'per ion on {one.start}')}; {one.distance:.2f} Å{text}")
    for note in found.notes:
        out.print(f"  note: {note}")


def print_coincidence(out: Any, test: Coincidence) -> None:
    """One paddle-wheel test."""
    name = f"with {test.event}s"
    pairs = (
        f"{test.pairs} pairs within {test.window_ps:g} ps and {test.near:g} Å, {test.expected:.3g} expected "
        f"({test.expected_low:.3g} to {test.expected_high:.3g}), of {test.n_jumps} jumps and "
        f"{test.n_events} {test.event}s"
    )
    if test.reason is not None:
        out.print(f"  {name:<19} not resolved: {test.reason}")
        return
    excess = test.excess_per_jump
    more = "" if excess is None else f"; beyond chance {excess[0]:.2g} per jump ({excess[1]:.2g} to {excess[2]:.2g})"
    out.print(f"  {name:<19} p = {test.p_value:.2g}: {pairs}{more}")
    if test.lag_ps is not None:
        error = test.lag_error_ps
        is_told = error is not None and abs(test.lag_ps) > 2 * error
        order = (
            f"{'the anion' if test.lag_ps > 0 else 'the jump'} goes first"
            if is_told
            else "which goes first is not told"
        )
        out.print(
            f"  {'':<19} {order}: the jump is {test.lag_ps:+.2f} ± {error or 0:.2f} ps after the anion on average "
            f"({test.anion_first} pairs with the anion first, {test.jump_first} with the jump)"
        )


def _print_barriers(out: Any, fits: Sequence[tuple[str | None, str | None, Arrhenius]]) -> None:
    for start, end, fit in fits:
        name = "of the jumps" if start is None else f"from {start} to {end}"
        out.print(
            f"Barrier {name}: {fit.barrier_eV * 1000:.0f} meV (95 %: {fit.low_eV * 1000:.0f} to "
            f"{fit.high_eV * 1000:.0f}), prefactor {fit.prefactor_per_ps:.3g} per ps; at 300 K "
            f"{fit.rate(300.0):.2g} per ps"
        )


def _rate(rate: Rate, per: str) -> str:
    return f"{rate.events}; {rate.per_ps:.3g} {per} and ps (95 %: {rate.low:.2g} to {rate.high:.2g})"


def _stay(rate: Rate) -> str:
    from ninefold.dynamics.statistics.rates import shown_ps

    if rate.time_ps == 0:
        return "no ion ever there"
    if not rate.events:
        return f"residence above {shown_ps(1 / rate.high)} (95 %)"
    return f"residence {shown_ps(1 / rate.per_ps)} (95 %: {shown_ps(1 / rate.high)} to {shown_ps(1 / rate.low)})"


def _shown(interval: Interval, unit: str) -> str:
    if interval.low == 0:
        return f"below {interval.high:.2g} {unit} (95 %)"
    return f"{interval.value:.3g} {unit} (95 %: {interval.low:.2g} to {interval.high:.2g})"
