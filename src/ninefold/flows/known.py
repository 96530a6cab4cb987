"""What a store knows of a job before it is computed: for a node that does not see the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.flows import dynamics_tasks, vibration_tasks
from ninefold.flows.shards import Shard, lines_of
from ninefold.flows.workplace import method_of

if TYPE_CHECKING:
    from jobflow import Job

    from ninefold.flows.compute import Line
    from ninefold.store import Store


@dataclass
class Known:
    """Records that a job would look up by ids which its shard does not name."""

    records: set[str] = field(default_factory=set)
    """Ids."""
    read: set[str] = field(default_factory=set)
    """Names of blobs whose content the job reads."""
    whole: set[str] = field(default_factory=set)
    """Names of blobs of which it need only know that the store has them whole."""


def known_of(store: Store, job: Job, shard: Shard | None) -> Known:
    """What is known of the lines of a job that computes a shard.

    Args:
        store: Where.
        job: With its arguments as they are given to its function.
        shard: Of the job; None: it computes none.
    """
    known = Known()
    add = _OF_JOB.get(getattr(job.function, "__name__", ""))
    if shard is None or add is None:
        return known
    arguments: list[Any] = [*job.function_args, *job.function_kwargs.values()]
    campaign, _, _, method, settings = arguments
    fingerprint = method_of(parse_campaign(campaign).methods[method]).id
    for line in lines_of(store, shard):
        add(known, store, line, fingerprint, settings)
    return known


def _add_pieces(known: Known, store: Store, line: Line, method: str, settings: dict[str, Any]) -> None:
    """The pieces of a run: of all but the last, from which the run goes on, it is enough that they are there."""
    pieces = dynamics_tasks.pieces_of(store, line, method, settings)
    known.records.update(piece.id for piece in pieces)
    known.whole.update(piece.content for piece in pieces if piece.content is not None)
    if pieces and pieces[-1].content is not None:
        known.read.add(pieces[-1].content)


def _add_volumes(known: Known, store: Store, line: Line, method: str, settings: dict[str, Any]) -> None:
    """Vibrations of a phase, and at those of its volumes that are finished."""
    known.records.update(vibration_tasks.known_parts(store, line, method, settings))


_OF_JOB: dict[str, Callable[[Known, Store, Line, str, dict[str, Any]], None]] = {
    "compute_dynamics_of": _add_pieces,
    "compute_vibrations_of": _add_volumes,
}
"""Function of a job that computes a shard -> what notes what is known of one of its lines."""
