"""Everything that the analysis says of one trajectory, and of several at different temperatures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ninefold.dynamics.anions.cages import with_cages
from ninefold.dynamics.anions.correlation import Curve, Stretched
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.anions.passage import Passage, passage
from ninefold.dynamics.anions.pseudorotation import Pseudorotation, ShellHistory, analyse_shells
from ninefold.dynamics.anions.rates_by_anion import AnionGroups, by_anion
from ninefold.dynamics.anions.relaxation import Relaxation, relaxation
from ninefold.dynamics.anions.site_exchange import SiteExchanges, site_exchanges
from ninefold.dynamics.anions.tracking import COMMIT, SHORTEST_STAY_FS
from ninefold.dynamics.density.grid import SHELL_RESOLUTION, SITE_DEPTH_KT, SMOOTHING, body_density, lab_density
from ninefold.dynamics.density.pockets import Connection, connection
from ninefold.dynamics.statistics.rates import BOLTZMANN, CLEAR_SEPARATION, FEWEST_EVENTS, shown_ps
from ninefold.dynamics.trajectories.trajectory import Trajectory
from ninefold.plain_values import plain_values

MOST_INCOMPLETE = 0.5
"""Share of the time without a whole shell above which the anions are not what they were."""
ALIKE = 1.15
"""Mean shape measures within this factor do not say which polyhedron a shell is."""


@dataclass(frozen=True)
class DynamicsAnalysis:
    """One trajectory."""

    source: str
    pseudorotation: Pseudorotation
    lab_correlation: Stretched | None
    """Of M-H vectors in the lab frame; None where the run is too short to fit."""
    body_correlation: Stretched | None
    """In the anion's own frame: permutations alone."""
    lab_curve: Curve | None
    """What `lab_correlation` is fitted to, at some of its times; None without a shell."""
    body_curve: Curve | None
    anion_surfaces: dict[int, Connection]
    """Index of a centre -> free-energy surface of its ligands about it, in the lab frame: where the sites of one anion
    connect, by permutations or by turns of the whole."""
    passage: Passage | None
    """Free energy on the way to the closest isomers: of permutations alone."""
    lab_surface: Connection | None
    """Of all hydrogen in the crystal; its percolation is transport of hydrogen from anion to anion."""
    notes: tuple[str, ...]
    forces: str = "not known"
    """What moved the atoms: rung, method, and what is known of its error; every rate stands on it."""
    anions: AnionGroups = field(default_factory=lambda: AnionGroups((), "not looked at"))
    """Rates of the anions that symmetry makes alike."""
    site_exchanges: SiteExchanges | None = None
    """Ligands that go to each other's places in the crystal; None without a shell."""
    anion_correlations: dict[str, dict[str, Stretched | None]] = field(default_factory=dict)
    """Name of each kind of anion -> `lab`, `body` -> fit."""
    is_claimed: bool = True
    """Whether rates are claimed from these forces; so are those that are not known."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values with stable keys; events in full."""
        values: dict[str, Any] = plain_values(self)
        values["pseudorotation"]["kinds"] = self.pseudorotation.kinds
        values["pseudorotation"]["mixing_entropy_kB"] = self.pseudorotation.mixing_entropy_kB
        values["pseudorotation"]["turns"] = [
            {"centre": centre} | plain_values(turn) for centre, turn in self.pseudorotation.turns
        ]
        return values


def analyse(
    trajectory: Trajectory,
    centre: str,
    n: int | None = None,
    polyhedron: str | None = None,
    commit: float = COMMIT,
) -> DynamicsAnalysis:
    """Shells, correlation and free-energy surfaces of one trajectory.

    Args:
        trajectory: Any; with a temperature for free-energy surfaces.
        centre: Symbol of the centres; `B12`: centres of cages of 12 bonded boron atoms.
        n: Ligands of a shell; default: as many as the first frame has.
        polyhedron: Whose isomers are followed; default: the closest on average.
        commit: Progress at which a permutation counts.

    Raises:
        InputError: if the shells cannot be followed.
    """
    trajectory = with_cages(trajectory, centre)
    found, histories = analyse_shells(trajectory, centre, n, polyhedron, commit)
    surfaces: dict[int, Connection] = {}
    lab_surface = way = None
    if trajectory.temperature_K is not None:
        depth = SITE_DEPTH_KT * BOLTZMANN * trajectory.temperature_K
        surfaces = _anion_surfaces(histories, found, trajectory.temperature_K, depth)
        lab_surface = connection(lab_density(trajectory), SMOOTHING, depth)
        isomers = isomers_of(found.n)[found.polyhedron]
        way = passage(
            [(one.vectors, one.orientation.assignments) for one in histories], isomers, trajectory.temperature_K
        )
    forces = "not known" if trajectory.forces is None else trajectory.forces.sentence
    anions = by_anion(trajectory, found, histories)
    groups = {one.name: one.centres for one in anions.groups}
    exchanges = site_exchanges(found, histories, groups, trajectory.time_step_fs, commit)
    whole = _relaxations(histories, trajectory.time_step_fs)
    of_anions = {
        name: whole if len(groups) == 1 else
        _relaxations([one for one in histories if one.segment.centre in centres], trajectory.time_step_fs)
        for name, centres in groups.items()
    }  # fmt: skip
    notes = (*_notes(found, trajectory, is_chosen=polyhedron is not None), *_exchange_notes(exchanges))
    return DynamicsAnalysis(
        trajectory.source, found, whole["lab"].fit, whole["body"].fit, whole["lab"].curve, whole["body"].curve,
        surfaces, way, lab_surface, notes, forces, anions, exchanges,
        {name: {frame: one.fit for frame, one in frames.items()} for name, frames in of_anions.items()},
        trajectory.forces is None or trajectory.forces.is_claimed,
    )  # fmt: skip


def _relaxations(histories: Sequence[ShellHistory], time_step_fs: float) -> dict[str, Relaxation]:
    """By frame."""
    return {
        "lab": relaxation([history.vectors for history in histories], time_step_fs),
        "body": relaxation([history.body_vectors for history in histories], time_step_fs),
    }


def _anion_surfaces(
    histories: Sequence[ShellHistory], found: Pseudorotation, temperature: float, depth: float
) -> dict[int, Connection]:
    surfaces = {}
    for centre in sorted({history.segment.centre for history in histories}):
        vectors = [history.segment.vectors for history in histories if history.segment.centre == centre]
        density = body_density(vectors, 1.5 * found.mean_distance, temperature, SHELL_RESOLUTION)
        surfaces[centre] = connection(density, SMOOTHING, depth)
    return surfaces


def _exchange_notes(exchanges: SiteExchanges | None) -> list[str]:
    if exchanges is None or exchanges.separation >= CLEAR_SEPARATION:
        return []
    return [
        f"half-way to each other's places is {exchanges.separation:.1f} amplitudes of the ligands' vibration along the "
        f"way: site exchange is not told from vibration, or the anion turns freely or has several orientations"
    ]


def _notes(found: Pseudorotation, trajectory: Trajectory, *, is_chosen: bool) -> list[str]:
    notes = list(trajectory.warnings)
    alike = [
        name for name, measure in found.shape_measures.items()
        if name != found.polyhedron and measure < ALIKE * found.shape_measures[found.polyhedron]
    ]  # fmt: skip
    if alike and not is_chosen:
        notes.append(
            f"{' and '.join(alike)} fits about as well as the {found.polyhedron}, whose isomers are followed, and has "
            f"other rates: --polyhedron chooses"
        )
    events = found.permutation_rate.events
    if not events:
        notes.append(
            f"no permutation in {shown_ps(found.time_ps)} of shells: the rate is below "
            f"{found.permutation_rate.high:.2g} per ps (95 %), a barrier cannot be told"
        )
    elif events < FEWEST_EVENTS:
        notes.append(f"{events} permutations: the run is too short for more than the order of their rate")
    if found.separation < CLEAR_SEPARATION:
        notes.append(
            f"vibration (amplitude {found.vibration_amplitude:.2f} of M-H) reaches half-way to the closest isomer "
            f"({found.separation:.1f} amplitudes off): permutations cannot be told from it"
        )
    if trajectory.time_step_fs > SHORTEST_STAY_FS:
        notes.append(
            f"frames are {trajectory.time_step_fs:g} fs apart: what goes and comes back between two of them is not "
            f"seen, and stays are not told from vibration as with {SHORTEST_STAY_FS:g} fs and less"
        )
    if found.incomplete_frames:
        without_ps = found.incomplete_frames * trajectory.time_step_fs / 1000
        share = without_ps / (without_ps + found.time_ps)
        notes.append(
            f"shells had another number of ligands than {found.n} for {share:.0%} of the time, which is left out"
            + (": they are no longer the anions of the first frame" if share > MOST_INCOMPLETE else "")
        )
    if found.h2_frames:
        notes.append(f"two ligands are closer than 1.0 Å in {found.h2_frames} of the frames: an H2 ligand forms")
    if trajectory.temperature_K is None:
        notes.append("no temperature given: no free-energy surface")
    return notes
