"""Jumps of cations against what the anions near them do: see `ninefold.dynamics.transport.coincidence`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ninefold.dynamics.anions.pseudorotation import Pseudorotation
from ninefold.dynamics.anions.site_exchange import SiteExchanges
from ninefold.dynamics.statistics.rates import CLEAR_SEPARATION
from ninefold.dynamics.trajectories.displacements import Displacements
from ninefold.dynamics.transport.coincidence import Coincidence, Timed, coincidence
from ninefold.dynamics.transport.jumps import JumpAnalysis

EXCHANGE = "site exchange"
NO_PLACES = "ligands have no places of their own in the crystal, so that no exchange of them is told from vibration"


def paddle_wheel(
    jumps: JumpAnalysis,
    anions: Pseudorotation,
    exchanges: SiteExchanges | None,
    moved: Displacements,
    near: float,
    window_ps: float,
    seed: int = 0,
) -> tuple[Coincidence, ...]:
    """A test with the permutations, one with the site exchanges, and one with the turns of whole anions.

    Args:
        jumps: Of the cations.
        anions: Of the same trajectory.
        exchanges: Of the same; none are tested where ligands have no places of their own.
        moved: Its unwrapped paths, of all atoms.
        near: Å, from an anion's centre to the middle of a jump's way.
        window_ps: Longest time between a jump and an event that belong together.
        seed: Of the null model.
    """
    of_jumps = [Timed(jump.time_fs / 1000, jump.middle) for jump in jumps.jumps]
    step_ps = moved.time_step_ps
    # the middle of the passage, as of a jump: the order of two events is that of their middles
    permuted = ((event.centre, (event.time_fs - event.passage_fs / 2) / 1000) for event in anions.events)
    has_places = exchanges is not None and exchanges.separation >= CLEAR_SEPARATION
    exchanged = (
        (event.centre, (event.time_fs - event.passage_fs / 2) / 1000)
        for event in (exchanges.events if exchanges is not None and has_places else ())
    )
    turned = ((centre, turn.frame * step_ps) for centre, turn in anions.turns)
    found = [
        coincidence(of_jumps, _placed(events, moved), kind, jumps.duration_ps, moved.cell, near, window_ps, seed)
        for kind, events in (("permutation", permuted), (EXCHANGE, exchanged), ("turn", turned))
    ]
    return tuple(replace(one, reason=NO_PLACES) if one.event == EXCHANGE and not has_places else one for one in found)


def _placed(events: Iterable[tuple[int, float]], moved: Displacements) -> list[Timed]:
    """Events at the mean places of their centres."""
    places: dict[int, tuple[float, float, float]] = {}
    found = []
    for centre, time in events:
        if centre not in places:
            x, y, z = np.asarray(moved.positions[:, centre].mean(axis=0), dtype=float).tolist()
            places[centre] = (x, y, z)
        found.append(Timed(time, places[centre]))
    return found
