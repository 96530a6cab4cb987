"""Stores of schema 2: one mutable document for each candidate, and one collection of results.

A candidate becomes its composition, a row, the structures and a record of its minima; results become calculations,
pools and searches. Pools and searches keep the ids that they had: `ninefold.flows.adopt` finds them by these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ninefold.models.structure import structure_id
from ninefold.store.migrations import reading

Document = dict[str, Any]

_OF_COMPOSITION = (
    "campaign", "formula", "anion", "label", "chemical_system", "elements", "nelements", "centre", "cations",
    "cation_counts", "group", "n", "q", "m", "electron_count", "oxidation_state", "anion_class", "is_neighbour",
    "is_competitor", "is_known", "prior", "neighbour_of",
)  # fmt: skip
_NOT_OF_ROW = ("structures", "provenance", "neighbour_of", "other_readings", "schema_version")
_PROVENANCE = {"src": "published", "mem": "from memory", "der": "derived"}
_DEFAULTS: Document = {
    "is_neighbour": False, "is_competitor": False, "is_known": False, "neighbour_of": None, "other_readings": [],
    "structures_found": 0, "relaxations": 0, "search_rounds": 0, "lowest_by_round": [], "reasons": {}, "flags": [],
    "known": [],
}  # fmt: skip
"""Of fields that came while stores of schema 1 and 2 were written."""


def from_schema_2(documents: Iterable[tuple[str, Document]]) -> Iterator[tuple[str, Document]]:
    """Documents of schema 2 as those of schema 3.

    Args:
        documents: Collection and document, in any order; read once.

    Yields:
        The same for the new collections.
    """
    methods: dict[str, str] = {}
    references: list[Document] = []
    campaigns: list[Document] = []
    written: set[str] = set()
    for collection, document in documents:
        if collection in ("references", "campaigns"):  # they name the method, which candidates tell
            (references if collection == "references" else campaigns).append(document)
            continue
        with reading(collection, document):
            if collection == "candidates" and (fingerprint := _fingerprint(document)):
                methods[document["campaign"]] = fingerprint
            converted = list(_converted(collection, document, written))
        yield from converted
    for document in references:
        with reading("references", document):
            reference = _from_reference(document, methods.get(document["campaign"], ""))
        yield "references", reference
    for document in campaigns:
        of_campaign = [methods[document["id"]]] if document["id"] in methods else []
        yield "campaigns", {**document, "methods": of_campaign, "run": "", "attempt": 1}


def _converted(collection: str, document: Document, written: set[str]) -> Iterator[tuple[str, Document]]:
    """One document's; a method comes with the first candidate that names it."""
    if collection == "results":
        yield from _from_result(document)
    elif collection == "candidates":
        if (fingerprint := _fingerprint(document)) and fingerprint not in written:
            written.add(fingerprint)
            yield "methods", _method(fingerprint, document)
        yield from _from_candidate(document)
    else:
        yield collection, document


def _fingerprint(candidate: Document) -> str:
    """Id of the method; empty before a search."""
    return str((candidate.get("provenance") or {}).get("engine_fingerprint") or "")


def _method(fingerprint: str, candidate: Document) -> Document:
    label = candidate.get("engine") or "unknown"
    return {
        "id": fingerprint, "name": label.split()[0].lower(), "label": label, "evidence": candidate["evidence"],
        "hydrogen_reference": "H2 molecule in a box, same engine",
    }  # fmt: skip


def _from_result(document: Document) -> Iterator[tuple[str, Document]]:
    value, kind = document["value"], document["kind"]
    base = {"id": document["id"], "campaign": document["campaign"], "created": document["created"]}
    if kind in ("evaluate", "relax"):
        shared = {name: value.get(name) for name in ("energy_per_atom", "error")}
        of_relaxation = ("structure", "max_force", "max_stress", "steps", "is_converged")
        finite = {name: _finite(value.get(name)) for name in of_relaxation} if kind == "relax" else {}
        yield "calculations", {
            **base, **shared, **finite, "kind": kind, "core_seconds": value.get("core_seconds") or 0.0,
        }  # fmt: skip
    elif kind == "pool":
        counted = {name: value[name] for name in ("count_in", "count_out", "reasons", "core_seconds")}
        yield "pools", {**base, **counted, "label": "", "round": 0, "packings": value["pool"]["sha256"]}
    elif kind == "search":
        minima, structures = _minima(value["found"])
        yield from (("structures", structure) for structure in structures)
        counted = {name: value[name] for name in ("reasons", "relaxations", "core_seconds")}
        yield "searches", {**base, **counted, "label": "", "round": 0, "pool": "", "method": "", "minima": minima}


def _from_candidate(document: Document) -> Iterator[tuple[str, Document]]:
    document = {**_DEFAULTS, **document}
    provenance, method = document.get("provenance") or {}, _fingerprint(document)
    minima, structures = _minima(document["structures"])
    yield from (("structures", structure) for structure in structures)
    # nothing tells verdicts on the composition from those on its results: the row keeps all of them
    yield "compositions", {
        **{name: document[name] for name in _OF_COMPOSITION}, "id": document["id"], "verdicts": [],
        "other_assignments": document["other_readings"],
        "rules": provenance.get("rules", ""),
    }  # fmt: skip
    record = None
    if document["search_rounds"]:
        record = f"minima of {document['id']}"
        yield "minima", {
            "id": record, "campaign": document["campaign"], "label": document["label"], "method": method,
            "searches": [], "minima": minima, "lowest_by_round": document["lowest_by_round"],
            "reasons": document["reasons"], "relaxations": document["relaxations"], "core_seconds": 0.0,
        }  # fmt: skip
    yield "candidates", {
        **{name: value for name, value in document.items() if name not in _NOT_OF_ROW},
        "id": f"{document['id']}-{method[:8]}", "composition": document["id"], "method": method, "minima": minima,
        "minima_record": record, "is_best": True, "revision": 0, "reaction": provenance.get("reaction"),
        "stability_notes": provenance.get("stability_notes") or [],
        "known": [_with_provenance(known) for known in document["known"]],
    }  # fmt: skip


def _from_reference(document: Document, method: str) -> Document:
    structure = document.get("structure")
    return {
        **_with_provenance(document), "id": f"{document['campaign']}:{method[:8]}:{document['name']}", "method": method,
        "structure": None if structure is None else _packed(structure),
    }  # fmt: skip


def _with_provenance(published: Document) -> Document:
    """How well a published structure is known, in words."""
    renamed = {key: value for key, value in published.items() if key != "mark"}
    mark = published.get("mark")
    return renamed | ({} if mark is None else {"provenance": _PROVENANCE.get(mark, mark)})


def _minima(found: Iterable[Document]) -> tuple[list[Document], list[Document]]:
    """Minima without coordinates, and their structures; one that is found twice is named once."""
    minima, structures = [], {}
    for item in found:
        packed = _packed(item["structure"])
        identifier = structure_id(packed)
        structures[identifier] = {"id": identifier, **packed}
        minima.append({**item, "structure": identifier})
    return minima, list(structures.values())


def _packed(structure: Document) -> Document:
    """Pymatgen's dictionary of an ordered structure as lattice, species and positions."""
    if "sites" not in structure:
        return structure
    return {
        "lattice": structure["lattice"]["matrix"],
        "species": [site["species"][0]["element"] for site in structure["sites"]],
        "positions": [site["abc"] for site in structure["sites"]],
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value in (float("inf"), float("-inf")) else value
