"""The phases that a candidate's hull distance is measured against, as structures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.thermo.phase import CANDIDATE, KNOWN_SEARCHED, MOLECULE

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.store.store import Store


class Competing(NamedTuple):
    """A phase beside which candidates stand."""

    kind: str
    """reference or candidate."""
    document: dict[str, Any]
    """Of the reference; of a candidate, its whole row."""
    structure: str
    """Id of the `StructureRecord`."""
    of: tuple[str, ...]
    """Ids of the candidates that it competes with."""


@dataclass(frozen=True)
class ToCompute:
    """A structure to be computed, and what it is in the store."""

    structure: Structure
    kind: str
    """candidate or reference."""
    id: str
    name: str
    """Label of a candidate; name of a reference."""
    formula: str
    structure_id: str
    method: str
    campaign: str
    competes_with: tuple[str, ...] = ()


def to_compute(store: Store, rows: Sequence[Mapping[str, Any]]) -> list[ToCompute]:
    """The lowest valid minimum of each candidate that has one, and then what they compete with.

    Args:
        store: Where they are.
        rows: Whole candidates.
    """
    from ninefold.models.structure import unpack_structure

    valid = [(row, next((each for each in row["minima"] if each["is_valid"]), None)) for row in rows]
    chosen = [Competing("candidate", dict(row), found["structure"], ()) for row, found in valid if found is not None]
    every = [*chosen, *competing_phases(store, [phase.document for phase in chosen])]
    structures = store.get_many("structures", list(dict.fromkeys(phase.structure for phase in every)))
    return [
        ToCompute(
            unpack_structure(structures[key]), kind, document["id"],
            document["label"] if kind == "candidate" else document["name"], document["formula"], key,
            document["method"], document["campaign"], of,
        )
        for kind, document, key, of in every
        if key in structures
    ]  # fmt: skip


def with_competing_structures(store: Store, candidates: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Whole candidates, each with `competing_structures`: (name, pymatgen's `as_dict`) of the solids of its hull.

    Args:
        store: Where they are.
        candidates: As `ninefold.store.details` gives them.
    """
    from ninefold.models.structure import unpack_structure

    # a candidate competes with others that stand in the same list
    rows = [{**row, "minima": []} for row in candidates]
    of: dict[str, list[tuple[str, str]]] = {row["id"]: [] for row in rows}
    for phase in competing_phases(store, rows, all_candidates=True):
        if phase.document.get("kind") != MOLECULE:
            name = str(phase.document["label" if phase.kind == "candidate" else "name"])
            for key in phase.of:
                of[key].append((name, phase.structure))
    structures = store.get_many("structures", list({key for some in of.values() for _, key in some}))
    plain = {key: dict(unpack_structure(document).as_dict()) for key, document in structures.items()}
    return [
        {**row, "competing_structures": [(name, plain[key]) for name, key in of[row["id"]] if key in plain]}
        for row in candidates
    ]


def competing_phases(
    store: Store,
    rows: Sequence[Mapping[str, Any]],
    *,
    all_candidates: bool = False,
    also: Mapping[str, Iterable[tuple[str, str]]] | None = None,
) -> list[Competing]:
    """Corners of the facets below candidates, at every condition; the elements; published phases of their compositions.

    Args:
        store: Where they are.
        rows: Whole candidates, with `decomposition`, `conditions` and `known`.
        all_candidates: Also those that are among the rows.
        also: Id of a candidate -> kind and name of further phases beside which it stands.

    Returns:
        Each phase once, references first, by name; those without a structure and the refuted ones are left out, and so
        are the candidates that are among the rows.
    """
    wanted: dict[tuple[str, str, str, str], list[str]] = {}
    elements: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in rows:
        where = row["campaign"], row["method"]
        for kind, name in (*_names(row), *(also or {}).get(row["id"], ())):
            _add(wanted.setdefault((*where, kind, name), []), row["id"])
        for symbol in row["elements"]:
            _add(elements.setdefault(where, {}).setdefault(symbol, []), row["id"])
    found: list[Competing] = []
    for campaign, method in sorted(elements):
        of_method = {"campaign": campaign, "method": method}
        for document in sorted(store.find("references", equal=of_method), key=lambda each: str(each["name"])):
            of = list(wanted.get((campaign, method, "reference", document["name"]), []))
            if len(document["elements"]) == 1:
                of += elements[campaign, method].get(document["elements"][0], [])
            if of and document["structure"] and not document["refuted"]:
                found.append(Competing("reference", document, document["structure"], tuple(dict.fromkeys(of))))
        labels = {key[3]: of for key, of in wanted.items() if key[:3] == (campaign, method, "candidate")}
        if labels:
            found += _candidates(store, of_method, labels, set() if all_candidates else {row["id"] for row in rows})
    return found


def _names(row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Kind and name of what a candidate decomposes to, and of the published phases of its composition."""
    at_conditions = [phase for at in row["conditions"] for phase in at["decomposition"]]
    for phase in (*row["decomposition"], *at_conditions):
        if "name" not in phase:  # of a version that told formulas alone
            continue
        yield stored_name(phase["name"], phase.get("kind"))
    for known in row["known"]:
        yield "reference", known["name"]


def stored_name(name: str, kind: str | None) -> tuple[str, str]:
    """Kind and name of a hull's phase as the store has it: a reference by its name, a candidate by its label.

    Args:
        name: Of the phase in the hull; a polymorph's is that of its candidate: "K2ReH9 = [ReH9]2-, minimum 2 (Pnma)".
        kind: There.
    """
    if kind in (CANDIDATE, KNOWN_SEARCHED):
        return "candidate", name.split(", minimum ")[0]
    return "reference", name


def _candidates(
    store: Store, of_method: dict[str, str], labels: Mapping[str, list[str]], without: set[str]
) -> Iterable[Competing]:
    keys = store.find("candidates", equal={**of_method, "label": list(labels)}, fields=["id"])
    whole = store.get_many("candidates", [key["id"] for key in keys if key["id"] not in without])
    for row in sorted(whole.values(), key=lambda each: str(each["label"])):
        minimum = next((each for each in row["minima"] if each["is_valid"]), None)
        if minimum is not None:
            yield Competing("candidate", row, minimum["structure"], tuple(labels[row["label"]]))


def _add(to: list[str], item: str) -> None:
    if item not in to:
        to.append(item)
