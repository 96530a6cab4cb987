"""`ninefold dynamics transport`: diffusion of ions and the conductivity that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ninefold.cli.calculation import refuse
from ninefold.cli.dynamics.sources import (
    EveryOption,
    FilesArgument,
    SkipOption,
    TimeStepOption,
    TypesOption,
    UntilOption,
)
from ninefold.cli.options import JsonOption, console, print_json

if TYPE_CHECKING:
    from ninefold.dynamics.statistics.slopes import Interval
    from ninefold.dynamics.transport.diffusion import Transport
    from ninefold.dynamics.transport.extrapolation import ConductivityThere, Extrapolation
    from ninefold.dynamics.transport.finite_size import SizeCheck

METHODS = ("auto", "windows", "kinisi")


def transport(
    files: FilesArgument,
    mobile: Annotated[str, typer.Option(help="Element that moves, e.g. Li; all others are the framework.")],
    charge: Annotated[
        float | None, typer.Option(help="Formal charge of its ions, e.g. 1. Needed for a conductivity.")
    ] = None,
    time_step: TimeStepOption = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option("--temperature", help="K, once for each file in their order. Needed for a conductivity."),
    ] = None,
    start: Annotated[
        float | None,
        typer.Option("--start", help="ps; shortest time over which motion counts. Default: a fiftieth of the run."),
    ] = None,
    errors: Annotated[
        str, typer.Option(help="Intervals by: kinisi, windows (ours), or auto: kinisi where it is installed.")
    ] = "auto",
    types: TypesOption = None,
    skip: SkipOption = 0,
    until: UntilOption = None,
    every: EveryOption = 1,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of kinisi's sampling.")] = 0,
    json: JsonOption = False,
) -> None:
    """Measure diffusion from a trajectory: coefficient, tensor, conductivity, Haven ratio, each with a 95 % interval.

    With several temperatures also the barrier of diffusion, and the coefficient at 300 K; with runs of one temperature
    in cells of several widths, whether their coefficients agree.
    """
    from ninefold.cli.calculation import step_progress
    from ninefold.cli.dynamics.sources import trajectories_of
    from ninefold.dynamics.statistics.rates import ROOM_K
    from ninefold.dynamics.transport import kinisi_fit
    from ninefold.dynamics.transport.diffusion import transport as transport_of
    from ninefold.dynamics.transport.extrapolation import conductivity_at, extrapolate
    from ninefold.dynamics.transport.finite_size import finite_size
    from ninefold.errors import InputError

    if errors not in METHODS:
        refuse("--errors", errors, "is no way to an interval", ", ".join(METHODS))
    if charge is not None and not 0 < abs(charge) <= 9:
        refuse("--charge", f"{charge:g}", "is no charge of an ion", "-9 to 9, not 0")
    method = ("kinisi" if kinisi_fit.is_installed() else "windows") if errors == "auto" else errors
    if method == "kinisi":
        kinisi_fit.check_installed()
    trajectories = trajectories_of(files, temperature, time_step, types, skip, until, every)
    found: list[Transport] = []
    with step_progress() as notify:
        for done, trajectory in enumerate(trajectories):
            notify("trajectories", done, len(trajectories))
            found.append(transport_of(trajectory, mobile, charge, start, method, seed))  # type: ignore[arg-type]
        notify("trajectories", len(trajectories), len(trajectories))
    at_room, charged, unresolved = None, None, ""
    if len({one.temperature_K for one in found}) > 1:
        try:
            at_room = extrapolate(found, ROOM_K)
            charged = conductivity_at(found, at_room)
        except InputError as error:
            unresolved = f"No coefficient at {ROOM_K:g} K by Arrhenius' law: {error.value}; needed: {error.allowed}"
    sizes = finite_size(found)
    if json:
        print_json(
            {
                "trajectories": [one.to_dict() for one in found],
                "at_300_K": _plain(at_room, charged),
                "finite_size": [one.to_dict() for one in sizes],
            }
        )
    out = console()
    for one in [] if json else found:
        print_transport(out, one)
    for size in [] if json else sizes:
        print_size(out, size)
    if at_room is not None and not json:
        print_extrapolation(out, at_room, charged)
    if unresolved:
        typer.echo(unresolved, err=True)


def print_transport(out: Any, found: Transport) -> None:
    """One trajectory."""
    diffusion, charged = found.diffusion, found.conductivity
    at = "" if found.temperature_K is None else f", {found.temperature_K:g} K"
    out.print(
        f"{found.source}{at}: {found.duration_ps:.4g} ps, {diffusion.n_ions} {diffusion.species}; "
        f"slope from {found.start_ps:.3g} to {found.end_ps:.3g} ps, intervals by {diffusion.method}"
    )
    rows = [("diffusion", _coefficient(diffusion.coefficient, diffusion.is_resolved))]
    if diffusion.is_resolved:
        rows += [
            (f"along {axis}", _shown(one, "cm2/s"))
            for axis, one in zip(("x", "y", "z"), diffusion.directions, strict=True)
        ]
    rows.append(("net jumps", f"{diffusion.jumps:.3g} of 3 Å"))
    if charged is not None:
        rows.append(("Nernst-Einstein", _coefficient(charged.nernst_einstein, diffusion.is_resolved, "mS/cm")))
        if charged.collective is not None and charged.haven_ratio is not None:
            rows += [
                ("conductivity", _shown(charged.collective, "mS/cm")),
                ("Haven ratio", _shown(charged.haven_ratio, "")),
            ]
        else:
            rows.append(("conductivity", "not resolved"))
    squares = ", ".join(f"{name} {value:.3g}" for name, value in found.displacements.items())
    rows.append((f"MSD {found.end_ps:.3g} ps", f"{squares} Å2"))
    for name, text in rows:
        out.print(f"  {name:<19} {text}")
    for note in found.notes:
        out.print(f"  note: {note}")


def print_size(out: Any, size: SizeCheck) -> None:
    """A narrower cell against the widest one."""
    at = "" if size.temperature_K is None else f" at {size.temperature_K:g} K"
    out.print(
        f"Finite size{at}: {size.widths[0]:.1f} Å ({size.sources[0]}) against {size.widths[1]:.1f} Å "
        f"({size.sources[1]}): {_compared(size)}"
    )


def _compared(size: SizeCheck) -> str:
    if size.ratio is None:
        return "not resolved: both coefficients are needed"
    text = f"{size.ratio.value:.2f} times the coefficient (95 %: {size.ratio.low:.2f} to {size.ratio.high:.2f})"
    return f"{text}: the narrower cell changes it" if size.differs else f"{text}: no difference seen"


def print_extrapolation(out: Any, found: Extrapolation, charged: ConductivityThere | None) -> None:
    """Of several temperatures."""
    barrier = found.barrier_eV
    used = ", ".join(f"{kelvin:g}" for kelvin in found.used_K)
    out.print(
        f"Barrier of diffusion: {barrier.value * 1000:.0f} meV (95 %: {barrier.low * 1000:.0f} to "
        f"{barrier.high * 1000:.0f}), from {used} K; at {found.temperature_K:g} K {_shown(found.value, 'cm2/s')}"
        ", if the barrier stays the same"
    )
    if charged is None:
        return
    together = (
        "not resolved, two runs are needed that resolve it"
        if charged.collective is None
        else _shown(charged.collective, "mS/cm")
    )
    out.print(
        f"  conductivity at {found.temperature_K:g} K by the same law: Nernst-Einstein "
        f"{_shown(charged.nernst_einstein, 'mS/cm')}; collective {together}"
    )


def _coefficient(interval: Interval, is_resolved: bool, unit: str = "cm2/s") -> str:
    return _shown(interval, unit) if is_resolved else f"not resolved: below {interval.high:.3g} {unit} (95 %)"


def _shown(interval: Interval, unit: str) -> str:
    unit = f" {unit}" if unit else ""
    if interval.low == 0:
        return f"below {interval.high:.3g}{unit} (95 %)"
    return f"{interval.value:.3g}{unit} (95 %: {interval.low:.3g} to {interval.high:.3g})"


def _plain(found: Extrapolation | None, charged: ConductivityThere | None) -> dict[str, Any] | None:
    if found is None:
        return None
    independent, together = (None, None) if charged is None else charged
    return {
        "barrier_eV": found.barrier_eV._asdict(), "coefficient_cm2_per_s": found.value._asdict(),
        "temperatures_used_K": list(found.used_K),
        "nernst_einstein_mS_per_cm": None if independent is None else independent._asdict(),
        "collective_mS_per_cm": None if together is None else together._asdict(),
    }  # fmt: skip
