"""Where a structure comes from, read from the facts of a store: pool, relaxations, symmetry.

A structure's own record names no origin: its id is the hash of its content, two searches may end in the same one, and
which of them wrote it first must not change the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ninefold.store.store import Store

Document = dict[str, Any]

_OF_CALCULATION = ("settings", "energy_per_atom", "steps", "is_converged", "machine")


@dataclass(frozen=True)
class Step:
    """A structure, and how it was made from the one before it."""

    structure: str | None
    """Its id; None of a start that is not known."""
    made_by: Literal["pool", "reference", "relaxation", "symmetry", "unknown"]
    """pool, reference: the first start. symmetry: the atoms of the one before were moved onto their symmetry. unknown:
    nothing that is stored tells; so it is in a store made before calculations named their starts."""
    calculation: str | None = None
    """Id of the relaxation, likewise the next ones."""
    method: str | None = None
    """Its engine's label."""
    settings: dict[str, Any] | None = None
    energy_per_atom: float | None = None
    """eV/atom."""
    steps: int | None = None
    is_converged: bool | None = None
    machine: str | None = None


@dataclass(frozen=True)
class History:
    """How a structure came about."""

    structure: str
    """Its id."""
    steps: list[Step]
    """From the first start that is known to the structure itself."""
    label: str | None = None
    """Composition and assignment of the search; None for a reference and where no search is known."""
    round: int | None = None
    """Of the search."""
    pool: str | None = None
    """Id of the pool."""
    line: int | None = None
    """Place of the first start in the pool, from 1; None where the pool's blob is lost."""
    lines: int | None = None
    """Structures in the pool."""
    source: str | None = None
    """What made the first start; of a reference, where it was published."""

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def history(store: Store, structure: str, minima: str | None = None) -> History:
    """Which calculations led to a structure, from which start.

    Args:
        store: Where it is.
        structure: Its id.
        minima: Id of the `MinimaRecord` that holds it, where it is known; else the searches of its chemical system are
            looked through.

    Returns:
        As much as the store tells; of a structure that nothing names, one step of unknown origin.
    """
    records = list(_records(store, structure, minima))
    chain, search = _through_records(structure, records)
    if search is None:
        chain = _through_calculations(store, chain)
    phase = None if search else next(iter(store.find("references", equal={"structure": structure}, limit=1)), None)
    first: Literal["pool", "reference", "unknown"] = "pool" if search else "reference" if phase else "unknown"
    return History(
        structure=structure,
        steps=[Step(chain[0], first), *_steps(store, chain)] if len(chain) > 1 else _without_start(store, structure),
        source=_source(structure, records) if phase is None else f"{phase['name']}: {phase['source']}",
        **({} if search is None else _of_pool(store, search, chain[0])),
    )


def _records(store: Store, structure: str, minima: str | None) -> Iterator[Document]:
    """What searches and relaxations of minima have left that may hold a structure, the latter first."""
    if minima is not None:
        found = store.get_many("minima", [minima])
    else:
        of_label = {"label": _labels(store, structure)}
        found = {document["id"]: document for document in store.find("minima", equal=of_label)}
    yield from found.values()
    wanted = dict.fromkeys(search for document in found.values() for search in document["searches"])
    yield from store.get_many("searches", list(wanted)).values()


def _labels(store: Store, structure: str) -> list[str]:
    """Labels of the compositions of a structure's chemical system."""
    document = store.get("structures", structure)
    system = "-".join(sorted(set(document["species"]))) if document else ""
    rows = store.find("compositions", equal={"chemical_system": system}, fields=["label"])
    return sorted({row["label"] for row in rows})


def _through_records(structure: str, records: Sequence[Document]) -> tuple[list[str], Document | None]:
    """Ids from the first start on, and the search that began there if one is known."""
    chain, search, left = [structure], None, list(records)
    while record := next((item for item in left if chain[0] in item.get("origins", {})), None):
        left.remove(record)
        chain = [*record["origins"][chain[0]], *chain]
        if "pool" in record:
            return chain, record
    return chain, search


def _through_calculations(store: Store, chain: list[str]) -> list[str]:
    """Ids as far back as calculations name their starts."""
    while found := _relaxations(store, chain[:1]):
        start = next((start for item in found if (start := item.get("start")) and start not in chain), None)
        if start is None:
            break
        chain = [start, *chain]
    return chain


def _relaxations(store: Store, finals: Sequence[str]) -> list[Document]:
    """Those that ended in some structures, by id."""
    return store.find("calculations", equal={"final": list(finals), "kind": "relax"})


def _steps(store: Store, chain: Sequence[str]) -> Iterator[Step]:
    """Each structure of a chain but the first."""
    ended: dict[str, list[Document]] = {}
    for document in _relaxations(store, chain[1:]):
        ended.setdefault(document["final"], []).append(document)
    labels = _method_labels(store, (document for group in ended.values() for document in group))
    for start, final in pairwise(chain):
        group = ended.get(final)
        if group is None:
            yield Step(final, "symmetry")
        else:
            # none from this start: one was found that had been made from a start equal within the digits of its id
            document = next((item for item in group if item.get("start") == start), group[0])
            yield _step(document, labels)


def _without_start(store: Store, structure: str) -> list[Step]:
    """Of a structure whose start is not known: the relaxation that ended in it, if there is one."""
    for document in _relaxations(store, [structure]):
        return [Step(None, "unknown"), _step(document, _method_labels(store, [document]))]
    return [Step(structure, "unknown")]


def _step(document: Document, labels: dict[str, str]) -> Step:
    shared = {key: document.get(key) for key in _OF_CALCULATION}
    method = labels.get(document.get("method") or "")
    return Step(document["final"], "relaxation", calculation=document["id"], method=method, **shared)


def _method_labels(store: Store, calculations: Iterable[Document]) -> dict[str, str]:
    wanted = sorted({document["method"] for document in calculations if document.get("method")})
    return {id: document["label"] for id, document in store.get_many("methods", wanted).items()}


def _source(structure: str, records: Iterable[Document]) -> str | None:
    """As the minimum names it."""
    minima = (minimum for record in records for minimum in record["minima"])
    return next((minimum["source"] for minimum in minima if minimum["structure"] == structure), None)


def _of_pool(store: Store, search: Document, start: str) -> dict[str, Any]:
    """Where in which pool a search began."""
    from ninefold.models.lines import decode_lines
    from ninefold.models.structure import structure_id
    from ninefold.store.blobs import BlobError

    told = {"label": search["label"], "round": search["round"], "pool": search["pool"]}
    if (pool := store.get("pools", search["pool"])) is None:
        return told
    try:
        lines = decode_lines(store.blobs.get(pool["packings"]))
    except BlobError:
        return told
    place = next((number for number, line in enumerate(lines, start=1) if structure_id(line) == start), None)
    return {**told, "line": place, "lines": len(lines)}
