"""What pictures show of the runs at one temperature, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ninefold.dynamics.anions.correlation import Curve, curve_of
from ninefold.dynamics.statistics.rates import BOLTZMANN, CLEAR_SEPARATION, Rate, combined
from ninefold.dynamics.trajectories.displacements import Displacements, mean_squared_displacement

if TYPE_CHECKING:
    from ninefold.dynamics.analysis import DynamicsAnalysis
    from ninefold.dynamics.anions.passage import Passage


class Profile(NamedTuple):
    """Free energy along the way to the closest isomers."""

    progress: tuple[float, ...]
    """-1 in an isomer, 0 in the middle."""
    values: tuple[float | None, ...]
    """eV above the lowest; None where no frame was."""


def squares_of(replicas: Sequence[Displacements]) -> Curve:
    """Mean squared displacement of the mobile atoms of replicas, Å2, to half of the shortest's length."""
    shortest = min(len(one.positions) for one in replicas)
    paths = np.concatenate([one.paths[:shortest] for one in replicas], axis=1)
    tensor = mean_squared_displacement(paths, max(1, shortest // 2))
    return curve_of(np.trace(tensor, axis1=1, axis2=2), replicas[0].time_step_ps)


def mean_profile(passages: Sequence[Passage | None], temperature_K: float) -> Profile | None:
    """By the mean probability of replicas; None where none has a profile."""
    each = [one for one in passages if one is not None]
    if not each:
        return None
    kT = BOLTZMANN * temperature_K
    shares = np.zeros(len(each[0].progress))
    for one in each:
        weights = np.array([0.0 if energy is None else np.exp(-energy / kT) for energy in one.free_energy_eV])
        shares += weights / max(weights.sum(), 1e-300)
    with np.errstate(divide="ignore"):
        energies = -kT * np.log(shares / max(shares.max(), 1e-300))
    return Profile(each[0].progress, tuple(float(energy) if np.isfinite(energy) else None for energy in energies))


def curves_of(temperature_K: float, found: Sequence[DynamicsAnalysis], squares: Mapping[str, Any]) -> dict[str, Any]:
    """Rates, correlations, free energy and mean squared displacements at one temperature.

    Args:
        temperature_K: Of the runs.
        found: Analyses of the replicas; correlations are those of the first.
        squares: Species -> `Curve` as plain values.
    """
    first = found[0] if found else None
    profile = mean_profile([one.passage for one in found], temperature_K)
    return {
        "temperature_K": temperature_K,
        "events": sum(len(one.pseudorotation.events) for one in found),
        "shell_ps": sum(one.pseudorotation.time_ps for one in found),
        "dispersion": combined([one.pseudorotation.permutation_rate for one in found]).dispersion,
        "lab": None if first is None or first.lab_curve is None else first.lab_curve._asdict(),
        "body": None if first is None or first.body_curve is None else first.body_curve._asdict(),
        "profile": None if profile is None else profile._asdict(),
        "anions": {} if first is None else {one.name: list(one.centres) for one in first.anions.groups},
        "permutations": _permutation_counts(found),
        "site_exchanges": _exchange_counts(found),
        "is_claimed": all(one.is_claimed for one in found),
        "is_clear": all(one.pseudorotation.separation >= CLEAR_SEPARATION for one in found),
        "squares": dict(squares),
    }


def _permutation_counts(found: Sequence[DynamicsAnalysis]) -> list[dict[str, Any]]:
    """Of each kind of anion, all replicas together; none where they do not agree on which anions are alike."""
    if len({tuple(group.centres for group in one.anions.groups) for one in found}) != 1:
        return []
    return [
        {"anion": group.name} | _counted(combined([one.anions.groups[place].permutations for one in found]))
        for place, group in enumerate(found[0].anions.groups)
    ]


def _counted(rate: Rate) -> dict[str, Any]:
    return {"events": rate.events, "anion_ps": rate.time_ps, "dispersion": rate.dispersion}


def _exchange_counts(found: Sequence[DynamicsAnalysis]) -> list[dict[str, Any]] | None:
    """Of each kind that anions of each kind make, all replicas together; None where they have no common meaning."""
    from ninefold.dynamics.barriers import site_exchange_problem

    if not found or site_exchange_problem(found) is not None:
        return None
    each = [one.site_exchanges for one in found if one.site_exchanges is not None]
    counts = []
    for anion, kind in dict.fromkeys((rate.anion, rate.kind) for one in each for rate in one.rates):
        rate = combined([one.rate(anion, kind) for one in each])
        counts.append({"anion": anion, "kind": kind} | _counted(rate))
    return counts
