"""What a worker does for dynamics: run, each piece stored at once; and analyse all runs of a candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ninefold.engines.base import reason_of
from ninefold.errors import NinefoldError
from ninefold.flows.compute import Line
from ninefold.flows.faults import of_engine
from ninefold.flows.progress import announce
from ninefold.flows.tasks import records_of, store_result, structures_of
from ninefold.flows.workplace import Failure, Workplace, isolated
from ninefold.models.composition import CompositionRecord
from ninefold.models.dynamics import DynamicsRecord, TrajectoryRecord
from ninefold.models.method import Method
from ninefold.stages import dynamics
from ninefold.stages.dynamics import DynamicsSettings, Subject
from ninefold.store.records import read, read_many

if TYPE_CHECKING:
    from ninefold.dynamics.potentials.distilled import DistilledEngine
    from ninefold.dynamics.trajectories.forces import ForceSource
    from ninefold.flows.cached_engine import CachedEngine
    from ninefold.store import Store


@isolated
def run_one(place: Workplace, line: Line, method: int, settings: dict[str, Any]) -> TrajectoryRecord | Failure:
    """One run, from the last piece that is stored on; its last piece."""
    engine, store = place.engine(place.campaign.methods[method]), place.store
    asked = DynamicsSettings.model_validate(settings)
    subject = subject_of(store, place.campaign.name, line, engine.fingerprint, asked)
    run = asked.run(line["temperature_K"], line["replica"])
    ids = run_ids(subject, asked, line)
    known = known_pieces(store, subject, ids)
    if known and (known[-1].error is not None or len(known) == asked.pieces):
        return known[-1]
    _forget(store, ids[len(known) :])
    point = None if not known else dynamics.end_of(store.blobs.get(str(known[-1].content)))
    propagated = dynamics.Run(
        subject, engine.calculator(), run, asked.piece_frames, line["replica"], len(known), point,
        None if asked.watched is None else _distilled(engine).check(asked.watched),
    )  # fmt: skip
    last: TrajectoryRecord | None = known[-1] if known else None
    for done in range(len(known), asked.pieces):
        announce(f"dynamics of {line['label']}", done, asked.pieces, unit="pieces")
        try:
            result = propagated.piece()
        except NinefoldError:
            raise
        except Exception as error:  # the machine's, or an error of the engine's code: of the structure it says nothing
            return Failure(of_engine(reason_of(error)))
        store_result(store, result)
        [record] = result.records
        assert isinstance(record, TrajectoryRecord)
        last = record
        if record.error is not None:
            break
    assert last is not None
    return last


@isolated
def analyse_one(
    place: Workplace, line: Line, runs: Sequence[Line], method: int, settings: dict[str, Any]
) -> DynamicsRecord | Failure:
    """All runs of a candidate together, made or found."""
    from ninefold.stages.dynamics_analysis import Asked, analyse
    from ninefold.stages.dynamics_runs import RunOf

    store = place.store
    engine = place.engine(place.campaign.methods[method])
    asked = DynamicsSettings.model_validate(settings)
    composition = records_of(store, CompositionRecord, [line["id"]])[line["id"]]
    found = []
    for run in runs:
        subject = subject_of(store, place.campaign.name, run, engine.fingerprint, asked)
        pieces = known_pieces(store, subject, run_ids(subject, asked, run))
        found.append(RunOf(run["temperature_K"], run["replica"], tuple(pieces)))
    cations = tuple(composition.cations)
    ends = [run.pieces[-1].id for run in found]
    known = read(store, DynamicsRecord, dynamics.dynamics_id(ends, composition.centre, composition.n, cations))
    if known is not None and (known.curves is None or store.blobs.is_whole(known.curves)):
        return known
    stands = records_of(store, Method, [engine.fingerprint])[engine.fingerprint]
    result = analyse(
        Asked(
            place.campaign.name, line["name"], line["structure"], composition.centre, composition.n, cations,
            stands.id, stands.label, stands.evidence, tuple(line["repeats"]), _forces(engine, subject, asked),
        ),
        found, store.blobs.get,
    )  # fmt: skip
    store_result(store, result)
    [record] = result.records
    assert isinstance(record, DynamicsRecord)
    return record


def known_dynamics(
    store: Store, composition: str, lines: Sequence[Line], settings: DynamicsSettings, method: str
) -> DynamicsRecord | None:
    """What runs of a candidate say, if they have been analysed.

    Args:
        store: Where.
        composition: Id.
        lines: Its runs.
        settings: They were run with.
        method: Id.
    """
    found = records_of(store, CompositionRecord, [composition])[composition]
    ends = []
    for line in lines:
        subject = subject_of(store, "", line, method, settings)
        if not (pieces := known_pieces(store, subject, run_ids(subject, settings, line))):
            return None
        ends.append(pieces[-1].id)
    return read(store, DynamicsRecord, dynamics.dynamics_id(ends, found.centre, found.n, found.cations))


def run_ids(subject: Subject, settings: DynamicsSettings, line: Line) -> list[str]:
    """Ids of the pieces of a run, in their order."""
    run = settings.run(line["temperature_K"], line["replica"])
    return dynamics.trajectory_ids(subject, run, settings.piece_frames, range(settings.pieces))


def known_pieces(store: Store, subject: Subject, ids: Sequence[str]) -> list[TrajectoryRecord]:
    """The pieces of a run that are stored and whole, up to the first that is not, or that ends the run.

    Args:
        store: Where.
        subject: What is run.
        ids: Of its pieces, in their order.
    """
    found = read_many(store, TrajectoryRecord, ids)
    pieces = []
    for identifier in ids:
        piece = found.get(identifier)
        if piece is None or (piece.content is not None and not store.blobs.is_whole(piece.content)):
            break
        pieces.append(piece)
        if piece.error is not None:
            break
    return pieces


def _forget(store: Store, ids: Sequence[str]) -> None:
    """Drop the records of pieces that are to be run again, since the blob of the first of them is lost.

    A run that is taken up is the same to rounding alone: the piece that is made anew may have another content, which a
    record that stays would not name.

    Args:
        store: Where.
        ids: Of the pieces.
    """
    for identifier in read_many(store, TrajectoryRecord, ids):
        store.delete("trajectories", equal={"id": identifier})


def _distilled(engine: CachedEngine) -> DistilledEngine:
    """The engine of a distilled potential."""
    from ninefold.dynamics.potentials.distilled import DistilledEngine

    made = engine.engine
    assert isinstance(made, DistilledEngine)
    return made


def _forces(engine: CachedEngine, subject: Subject, settings: DynamicsSettings) -> dict[float, ForceSource]:
    """What the runs of a candidate stand on, by temperature."""
    from ninefold.dynamics.potentials.distilled import force_source

    structure = subject.structure.to_structure()
    a, b, c = subject.repeats
    atoms, volume = len(structure) * a * b * c, structure.volume / len(structure)
    species = [site.specie.symbol for site in structure]
    return {kelvin: force_source(engine.engine, kelvin, atoms, volume, species) for kelvin in settings.temperatures}


def pieces_of(store: Store, line: Line, method: str, settings: dict[str, Any]) -> list[TrajectoryRecord]:
    """The pieces of a run that are stored and whole, as `known_pieces` gives them.

    Args:
        store: Where.
        line: The run.
        method: Id.
        settings: `DynamicsSettings` as plain values.
    """
    asked = DynamicsSettings.model_validate(settings)
    subject = subject_of(store, "", line, method, asked)
    return known_pieces(store, subject, run_ids(subject, asked, line))


def subject_of(store: Store, campaign: str, line: Line, method: str, settings: DynamicsSettings) -> Subject:
    """What a line is a run of."""
    structure = structures_of(store, [line["structure"]])[line["structure"]]
    a, b, c = line["repeats"]
    return Subject(campaign, line["name"], structure, (a, b, c), method, settings.watched)
