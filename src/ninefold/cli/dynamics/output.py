"""What `ninefold dynamics analyse` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis
    from ninefold.dynamics.anions.correlation import Stretched
    from ninefold.dynamics.anions.event_paths import EventPath
    from ninefold.dynamics.anions.passage import Passage
    from ninefold.dynamics.anions.pseudorotation import Pseudorotation
    from ninefold.dynamics.anions.site_exchange import SiteExchanges
    from ninefold.dynamics.barriers import RelaxationLaw
    from ninefold.dynamics.density.pockets import Connection
    from ninefold.dynamics.simulation.breathing import Breathing
    from ninefold.dynamics.statistics.rates import Arrhenius, Rate

_NO_VIBRATION = 1000.0
"""Amplitudes of vibration from one place to another."""
MOST_KINDS = 6
"""Kinds of permutations that are listed."""


def print_analysis(out: Any, analysis: DynamicsAnalysis) -> None:
    """One trajectory."""
    import numpy as np

    from ninefold.dynamics.anions.event_paths import EventPath
    from ninefold.dynamics.anions.isomers import cycles
    from ninefold.dynamics.anions.pseudorotation import MOVED

    found = analysis.pseudorotation
    at = "" if found.temperature_K is None else f", {found.temperature_K:g} K"
    out.print(
        f"{analysis.source}{at}: {found.duration_ps:.4g} ps, "
        f"{_count(found.n_centres, 'anion')} [{found.centre}H{found.n}]"
    )
    rows = [
        ("forces", analysis.forces),
        ("nearest polyhedron", _populations(found)),
        ("vibration", f"{found.vibration_amplitude:.3f} of M-H ({found.mean_distance:.2f} Å) in each direction"),
        ("permutations", _rate(found.permutation_rate)),
        ("turns of the whole", _rate(found.turn_rate)),
        ("exchange of H", _exchange(found)),
        ("C2, lab frame", _stretched(analysis.lab_correlation)),
        ("C2, anion's frame", _stretched(analysis.body_correlation)),
        ("way to an isomer", _passage(analysis.passage)),
        ("sites of an anion", _anions(list(analysis.anion_surfaces.values()))),
        ("H in the crystal", _crystal(analysis.lab_surface)),
    ]
    for name, text in rows:
        out.print(f"  {name:<19} {text}")
    if len(analysis.anions.groups) > 1:
        out.print(f"  inequivalent anions, alike by {analysis.anions.symmetry}:")
    for group in analysis.anions.groups if len(analysis.anions.groups) > 1 else ():
        # 0.9996 is 0.000 of the next cell
        place_of = ", ".join(f"{round(value, 3) % 1:.3f}" for value in group.fractional)
        on = f" on Wyckoff {group.site}" if group.site else ""
        out.print(
            f"  {group.name:<19} {_count(len(group.centres), 'anion')}{on}, e.g. at ({place_of}) of the cell that was "
            f"run: permutations {_rate(group.permutations)}; turns {group.turns.events}"
        )
    _print_site_exchanges(out, analysis.site_exchanges, several=len(analysis.anions.groups) > 1)
    for place, (kind, count) in enumerate(found.kinds.items()):
        if place == MOST_KINDS:
            out.print(f"  ... and {_count(len(found.kinds) - MOST_KINDS, 'more kind')} of permutations")
            break
        one = next(event for event in found.events if event.kind == kind)
        path = EventPath(count, one.path_length, one.longest_displacement)
        moved = "no ligand moves" if one.ligands_moved == 0 else f"{_count(one.ligands_moved, 'ligand')} move"
        written = " ".join(f"({' '.join(map(str, cycle))})" for cycle in cycles(np.array(kind.split(), dtype=int)))
        out.print(
            f"  kind {place + 1:<14} {written} {_count(count, 'time')}: {moved} by more than {MOVED:g} of M-H; path "
            f"{path.sentence}"
        )
    for note in analysis.notes:
        out.print(f"  note: {note}")


def _print_site_exchanges(out: Any, exchanges: SiteExchanges | None, *, several: bool) -> None:
    if exchanges is None:
        return
    from ninefold.dynamics.statistics.rates import ANY

    out.print(
        f"  {'site exchange':<19} ligands that end on each other's places in the crystal; they are "
        f"{exchanges.amplitude:.3f} of M-H off their own in each direction, and half-way is "
        f"{_amplitudes(exchanges.separation)} along the way"
    )
    for anion in dict.fromkeys(one.anion for one in exchanges.rates):
        rows = [one for one in exchanges.rates if one.anion == anion]
        for row in rows[: MOST_KINDS + 1]:
            is_one = row.kind != ANY and row.rate.events
            way = f"; {row.displacement:.2f} Å straight, of all together" if is_one else ""
            out.print(f"    {anion + ' ' if several else ''}{row.kind + ':':<17} {_rate(row.rate)}{way}")
        if len(rows) > MOST_KINDS + 1:
            out.print(f"    ... and {_count(len(rows) - MOST_KINDS - 1, 'more kind')}")


def _amplitudes(separation: float) -> str:
    """Of a trajectory without vibration there is no number."""
    return f"{separation:.1f} amplitudes of vibration" if separation < _NO_VIBRATION else "beyond any vibration"


def box_lines(box: Breathing) -> list[str]:
    """What the cell of a run at constant pressure does."""
    volume, pressure = box.volume, box.pressure
    return [
        f"volume {volume.value:.2f} Å3 (95 %: {volume.low:.2f} to {volume.high:.2f}), pressure "
        f"{pressure.value:.2f} GPa ({pressure.low:.2f} to {pressure.high:.2f}; set {box.set_GPa:g}), without the first "
        f"{box.skipped} frames",
        *(f"note: {note}" for note in box.notes),
    ]  # fmt: skip


def print_barrier(
    out: Any, fit: Arrhenius, path: EventPath | None, anion: str | None = None, events: str = "permutations"
) -> None:
    """Of several temperatures; of all anions, or of one kind."""
    name = "" if anion is None else f" of {anion}"
    found = (
        f"{fit.barrier_eV * 1000:.0f} meV (95 %: {fit.low_eV * 1000:.0f} to {fit.high_eV * 1000:.0f}), prefactor "
        f"{fit.prefactor_per_ps:.3g} per ps; at 300 K {fit.rate(300.0):.2g} per ps"
    )
    if fit.low_eV <= 0:
        found = f"none is resolved: the interval of the slope holds zero; slope over 1/T {found}"
    out.print(f"Barrier of the {events}{name}: {found}")
    if path is not None:
        out.print(f"  hydrogen's path per permutation, mean of {path.events}: {path.sentence}")


def print_relaxation(out: Any, law: RelaxationLaw, anion: str, frame: str) -> None:
    """Of the mean times of C2 at several temperatures.

    Args:
        out: Where it is printed.
        law: Of these times.
        anion: Name of the kind of anion.
        frame: `lab` or `body`.
    """
    from ninefold.dynamics.barriers import FRAMES

    value, low, high = (one * 1000 for one in law.barrier_eV)
    found = f"{value:.0f} meV (95 %: {low:.0f} to {high:.0f})"
    if low <= 0:
        found = f"none is resolved: times do not fall with temperature beyond their errors; slope over 1/T {found}"
    used = ", ".join(f"{kelvin:g}" for kelvin in sorted(set(law.used_K)))
    out.print(
        f"Barrier of the relaxation of M-H of {anion} (mean times of C2, {FRAMES[frame]}, at {used} K): {found}; at "
        f"{law.temperature_K:g} K {law.time_ps.value:.3g} ps ({law.time_ps.low:.3g} to {law.time_ps.high:.3g})"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _populations(found: Pseudorotation) -> str:
    parts = [
        f"{name} {share:.0%} (S = {found.shape_measures[name]:.2f}{_stay(found.lifetimes_fs[name])})"
        for name, share in sorted(found.populations.items(), key=lambda item: -item[1])
    ]
    entropy = f"; entropy of these shares {found.mixing_entropy_kB:.2f} k per anion" if len(parts) > 1 else ""
    return f"{', '.join(parts)}{entropy}; isomers of: {found.polyhedron}"


def _stay(fs: float) -> str:
    if not fs:
        return ""
    return f", {fs:.0f} fs at a time" if fs < 1000 else f", {fs / 1000:.3g} ps at a time"


def _rate(rate: Rate) -> str:
    return f"{rate.events}; {rate.per_ps:.3g} per anion and ps (95 %: {rate.low:.2g} to {rate.high:.2g})"


def _exchange(found: Pseudorotation) -> str:
    from ninefold.dynamics.anions.shells import counted

    number = counted(found.exchanges)
    of_hydride = f", {number.of_hydride} of hydride ions into a shell" if number.of_hydride else ""
    as_h2 = f"; {2 * found.h2_molecules} hydrogens of no shell are H2 at the end" if found.h2_molecules else ""
    return f"{number.to_other} to another centre, {number.back} back{of_hydride}, {number.free} left free{as_h2}"


def _stretched(fit: Stretched | None) -> str:
    if fit is None:
        return "too short a run"
    start = fit.amplitude + fit.plateau
    if not fit.is_resolved:
        reason = "decays too fast to be told from vibration" if fit.is_at_limit else "does not decay in this run"
        return f"{reason} (starts at {start:.2f})"
    error = "" if fit.log_error is None else f" ± {100 * fit.log_error:.0f} %"
    limit = "; the fit is at a limit, and not told from vibration" if fit.is_at_limit else ""
    return f"tau {fit.mean_tau_ps:.3g} ps{error} (beta {fit.beta:.2f}), from {start:.2f} to {fit.plateau:.2f}{limit}"


def _passage(way: Passage | None) -> str:
    if way is None:
        return "needs a temperature, and another isomer"
    if way.barrier_eV is None:
        return "never in the middle between two isomers in this run"
    return (
        f"free energy in the middle {way.barrier_eV * 1000:.0f} meV above its lowest, which lies "
        f"{1 + way.lowest:.0%} of the way there from the isomer"
    )


def _anions(surfaces: list[Connection]) -> str:
    """The anions' surfaces: in how many all sites connect, and at which energies."""
    if not surfaces:
        return "needs a temperature"
    sites = sorted({len(surface.sites) for surface in surfaces})
    energies = sorted(surface.connected_eV * 1000 for surface in surfaces if surface.connected_eV is not None)
    plural = "" if sites[-1] == 1 else "s"
    text = f"{' to '.join(str(count) for count in dict.fromkeys((sites[0], sites[-1])))} site{plural}"
    if not energies:
        return f"{text}, not connected in this run"
    span = " to ".join(dict.fromkeys(f"{energy:.0f}" for energy in (energies[0], energies[-1])))
    return f"{text}, connected in {len(energies)} of {_count(len(surfaces), 'anion')}, at {span} meV"


def _crystal(surface: Connection | None) -> str:
    if surface is None:
        return "needs a temperature"
    if surface.percolation_eV is None:
        return "no way through the crystal in this run"
    return f"a way through the crystal at {surface.percolation_eV * 1000:.0f} meV"
