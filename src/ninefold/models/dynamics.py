"""Molecular dynamics of a structure: pieces of its trajectories, and what their analysis says."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ninefold.models.evidence import Evidence
from ninefold.models.record import Record


class TrajectoryRecord(Record):
    """A piece of one run at constant temperature and volume.

    id = hash of the structure, the supercell, the settings of the run, the method, the frames of a piece and the number
    of this one. A run that is killed goes on behind its last piece; a longer one begins with those of a shorter one.
    """

    collection: ClassVar[str] = "trajectories"

    campaign: str
    """The campaign that asked for it."""
    label: str
    """The composition's label."""
    method: str
    structure: str
    """Id of the structure whose supercell is run."""
    temperature_K: float
    """Of the thermostat."""
    replica: int
    """Number of the run among those that differ in their random numbers alone, from 0."""
    number: int
    """Of the piece, from 0."""
    frames: int
    """In the piece; 0 where `error` is set."""
    n_atoms: int
    content: str | None = None
    """Blob: an HDF5 file, see `ninefold.dynamics.simulation.pieces`; None where `error` is set."""
    settings: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None
    """Why the run ends here: a property of the structure with this method."""
    core_seconds: float
    created: str


class StoredInterval(BaseModel):
    """A value and the interval that holds it in 95 % of all cases; a bound has no value, and one end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float | None = None
    low: float | None = None
    high: float | None = None


class AtTemperature(BaseModel):
    """All runs at one temperature, without what was left out until their energies had settled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature_K: float
    """Of the thermostat."""
    replicas: int
    length_ps: float
    """Analysed, all replicas together."""
    equilibration_ps: float
    """Left out at the start of each, on average."""
    mean_temperature_K: float
    species_temperatures_K: dict[str, float]
    energy_drift: float | None = None
    """meV/atom and ps, of the potential energy; None for too few frames."""
    permutations: int | None = None
    """None, like all that follows but `diffusion`, where the shells could not be followed."""
    shell_ps: float | None = None
    """Time in which permutations were looked for, all anions together."""
    rate: StoredInterval | None = None
    """Permutations per anion and ps."""
    turns: int | None = None
    exchanges: int | None = None
    h2_frames: int | None = None
    populations: dict[str, float] = Field(default_factory=dict)
    """Share of the frames in which each polyhedron is the nearest."""
    path_length: float | None = None
    """Å, mean of all permutations: root of the ligands' summed squared displacements in the anion's own frame."""
    lab_tau_ps: float | None = None
    """Mean relaxation time of second-rank correlation, where it decays in the run."""
    order_parameter: float | None = None
    """Share of its start to which C2 of M-H falls in the lab frame, S² of NMR: 0 of an anion that turns to any
    direction. None where it does not decay in the run: of ligands that stay, and of a run that is too short."""
    body_tau_ps: float | None = None
    passage_barrier: float | None = None
    """meV, free energy in the middle between two isomers."""
    percolation: float | None = None
    """meV, free energy at which the hydrogen density first reaches through the crystal; the least of the replicas."""
    diffusion: dict[str, StoredInterval] = Field(default_factory=dict)
    """Cation -> tracer diffusion coefficient, cm2/s."""
    checked_frames: int | None = None
    """By the teacher of a distilled potential; None of an engine's own forces."""
    force_error: float | None = None
    """Root mean square error of the force components on them, eV/Å."""


class IonDiffusion(BaseModel):
    """What several temperatures say of one cation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    species: str
    barrier: StoredInterval | None = None
    """meV; None where fewer than two temperatures are resolved."""
    at_300: StoredInterval
    """cm2/s at 300 K: of a run there, else by Arrhenius' law, else an upper bound from the runs at 300 K and above."""


class JumpsAt(BaseModel):
    """Jumps of one cation at one temperature, all replicas together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature_K: float
    jumps: int
    ion_ps: float
    """Time on sites, all ions together."""
    rate: StoredInterval
    """Per ion and ps."""
    attempts: StoredInterval | None = None
    """Passages through the mean position of a site per ps; None where frames are too far apart."""
    ways: dict[str, StoredInterval] = Field(default_factory=dict)
    """`Li1 to Li2` -> jumps per ion on the first kind of site and ps."""


class CationSites(BaseModel):
    """Sites that symmetry makes alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    count: int
    fractional: list[float]
    """shape (3,), of one of them, in the supercell."""
    occupancy: float
    """Ions on each, mean of the runs."""


class PaddleWheelTest(BaseModel):
    """Jumps against one kind of the anions' events, in all runs that could be tested."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: str
    """permutation, site exchange, turn."""
    p: float | None = None
    """Of the runs together, by Fisher's method; None: not resolved."""
    tested_runs: int
    pairs: int
    """Jump and event near it in time and place, in the runs tested."""
    expected: float
    """By chance, in the same."""
    reason: str | None = None
    """Why it is not resolved."""


class IonJumps(BaseModel):
    """What the runs say of one cation's jumps between sites, which are the maxima of its density."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    species: str
    symmetry: str
    """What makes sites alike."""
    sites: list[CationSites]
    temperatures: list[JumpsAt]
    """By rising temperature."""
    barrier: StoredInterval | None = None
    """meV: fitted, or a lower bound where no jump was seen; None: not resolved."""
    rate_300: StoredInterval | None = None
    """Per ion and ps at 300 K: of runs there, else by Arrhenius' law, else an upper bound."""
    paddle_wheel: list[PaddleWheelTest] = Field(default_factory=list)
    """Empty where the shells could not be followed."""
    notes: list[str] = Field(default_factory=list)


class ExchangesAt(BaseModel):
    """Exchanges of one kind at one temperature, all replicas together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature_K: float
    events: int
    anion_ps: float
    """Time in which they were looked for, all anions of this kind together."""
    rate: StoredInterval
    """Per anion and ps."""


class ExchangeKind(BaseModel):
    """Exchanges of one kind by anions of one kind."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """As of paths: turn, ring of three, exchange of two, ...; `any` for all together."""
    displacement: float | None = None
    """Å, mean: root of the ligands' summed squared straight ways; None where none was seen."""
    temperatures: list[ExchangesAt]
    """By rising temperature."""
    barrier: StoredInterval | None = None
    """meV: fitted, or a lower bound where none was seen; None: not resolved."""
    rate_300: StoredInterval | None = None
    """Per anion and ps at 300 K: of runs there, else by Arrhenius' law, else an upper bound."""


class AnionExchanges(BaseModel):
    """Ligands that go to each other's places in the crystal, of the anions that symmetry makes alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    anion: str
    """Re1, Re2, ..."""
    count: int
    fractional: list[float] | None
    """shape (3,), of one of them, in the supercell; None where centres do not stay."""
    kinds: list[ExchangeKind]
    """`any` first, then the most frequent."""

    @property
    def total(self) -> ExchangeKind:
        """Of all kinds."""
        return self.kinds[0]


class DynamicsRecord(Record):
    """What runs of one structure by one method say. id = hash of the last piece of each run and of the analysis."""

    collection: ClassVar[str] = "dynamics"

    campaign: str
    label: str
    method: str
    engine: str
    """Label of the method."""
    structure: str
    evidence: Evidence
    """MD; `test` of a potential without chemistry."""
    centre: str
    n: int
    isotope: str
    time_step_fs: float
    repeats: list[int]
    """shape (3,), of the cell in the supercell."""
    n_atoms: int
    """Of the supercell."""
    temperatures: list[AtTemperature]
    """By rising temperature."""
    length_ps: float
    """Analysed, all runs together."""
    replicas: int
    polyhedron: str | None = None
    """Whose isomers are followed."""
    barrier: StoredInterval | None = None
    """meV, of permutations: fitted, or a lower bound where none was seen; None where neither can be told."""
    rate_300: StoredInterval | None = None
    """Permutations per anion and ps at 300 K: of runs there, else by Arrhenius' law, else an upper bound."""
    ions: list[IonDiffusion] = Field(default_factory=list)
    jumps: list[IonJumps] = Field(default_factory=list)
    """Of each cation whose sites were found."""
    site_exchanges: list[AnionExchanges] = Field(default_factory=list)
    """Empty where shells could not be followed, or ligands have no places of their own at some temperature."""
    rung: str = "engine"
    """What moved the atoms: engine, or distilled: a potential fitted to one for this compound."""
    is_claimed: bool = True
    """Whether rates are claimed: no, from a distilled potential that misses its limits."""
    forces: list[str] = Field(default_factory=list)
    """Of a distilled potential: its errors, and why rates are not claimed."""
    is_too_short: bool
    """Whether the runs are too short for a barrier of permutations."""
    warnings: list[str] = Field(default_factory=list)
    trajectories: list[str]
    """Ids of the last piece of each run."""
    curves: str | None = None
    """Blob: JSON of what pictures show, see `ninefold.stages.dynamics`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None
    """Why there is no analysis: no run came to its end."""
    core_seconds: float
    """Of the runs."""
    created: str

    @property
    def most_exchanging(self) -> AnionExchanges | None:
        """The anions whose ligands exchange places most often at 300 K; else those with the highest bound."""

        def rate(one: AnionExchanges) -> tuple[bool, float]:
            at = one.total.rate_300 or StoredInterval()
            return at.value is not None, at.value or at.high or 0.0

        return max(self.site_exchanges, key=rate, default=None)

    @property
    def fastest(self) -> IonDiffusion | None:
        """The cation that diffuses fastest at 300 K, of those resolved; else the one with the highest bound."""

        def speed(ion: IonDiffusion) -> tuple[bool, float]:
            return ion.at_300.value is not None, ion.at_300.value or ion.at_300.high or 0.0

        return max(self.ions, key=speed, default=None)

    @property
    def most_jumping(self) -> IonJumps | None:
        """The cation that jumps most often at 300 K, of those with a rate there; else that with the highest bound."""

        def rate(ion: IonJumps) -> tuple[bool, float]:
            at = ion.rate_300 or StoredInterval()
            return at.value is not None, at.value or at.high or 0.0

        return max(self.jumps, key=rate, default=None)
