"""Whole candidates: a row together with its composition and the coordinates of its minima.

Lists read rows alone. What shows, exports or draws a candidate reads it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.models.reference import reference_id

if TYPE_CHECKING:
    from ninefold.store.store import Store

_AT_ONCE = 200
"""Candidates whose structures are held at once: some 10 kB each."""
OF_METHOD = (
    "method", "engine", "evidence", "is_best", "status", "energy_per_atom", "e_above_hull", "phase_separation_energy",
    "e_above_hull_uncertainty", "space_group_symbol", "structures_found",
)  # fmt: skip
"""What `methods` of a candidate says of each; `is_best`: whether this method's row stands for the composition."""
_OF_COMPOSITION = ("neighbour_of", "other_assignments")


def details(store: Store, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Candidates with everything that is stored of them.

    Args:
        store: Where they are.
        rows: Whole rows of the collection `candidates`.

    Yields:
        Each row, in its order, with `structures` in place of `minima` (each with `structure`, pymatgen's
        `Structure.as_dict()`), the verdicts of the rules on its composition before those on its results,
        `other_assignments`, `neighbour_of`, `provenance`, and `methods`: what each method says of the composition, by
        rising trust (see `OF_METHOD`); empty where one method alone has looked at it.
    """
    for start in range(0, len(rows), _AT_ONCE):
        page = rows[start : start + _AT_ONCE]
        structures = store.get_many("structures", _unique(item["structure"] for row in page for item in row["minima"]))
        compositions = store.get_many("compositions", _unique(row["composition"] for row in page))
        campaigns = store.get_many("campaigns", _unique(row["campaign"] for row in page))
        methods = _by_composition(store, list(compositions), campaigns)
        molecules = store.get_many("references", _unique(_molecule_of(row) for row in page if row["method"]))
        for row in page:
            composition = compositions.get(row["composition"], {})
            yield {
                **{key: value for key, value in row.items() if key != "minima"},
                **{key: composition.get(key) for key in _OF_COMPOSITION},
                "verdicts": [*composition.get("verdicts", []), *row["verdicts"]],
                "structures": [
                    {**item, "structure": _as_dict(structures[item["structure"]])}
                    for item in row["minima"]
                    if item["structure"] in structures
                ],
                "methods": methods.get(row["composition"], []),
                "provenance": _provenance(
                    row, composition, campaigns.get(row["campaign"], {}), molecules.get(_molecule_of(row))
                ),
            }


def _by_composition(
    store: Store, compositions: Sequence[str], campaigns: Mapping[str, dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Composition -> its rows of every method, where there are several."""
    rows = store.find("candidates", equal={"composition": compositions}, fields=["campaign", "composition", *OF_METHOD])
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["method"]:  # else a row of an older store, from before a search
            found.setdefault(row["composition"], []).append(row)
    several = {key: siblings for key, siblings in found.items() if len(siblings) > 1}
    labels = store.get_many("methods", _unique(row["method"] for siblings in several.values() for row in siblings))
    return {
        key: [
            {**{field: row[field] for field in OF_METHOD}, "engine": _label(labels.get(row["method"]), row)}
            for row in by_trust(siblings, (campaigns.get(siblings[0]["campaign"]) or {}).get("methods") or [])
        ]
        for key, siblings in several.items()
    }


def _label(method: dict[str, Any] | None, row: dict[str, Any]) -> str | None:
    """A row without a structure does not name its engine."""
    return row["engine"] if method is None else method["label"]


def by_trust(rows: Iterable[dict[str, Any]], methods: Sequence[str]) -> list[dict[str, Any]]:
    """Rows by rising trust in their method; a method that is not listed counts least.

    Args:
        rows: With the key `method`.
        methods: Ids, as a campaign lists them.
    """
    trust = {method: place for place, method in enumerate(methods)}
    return sorted(rows, key=lambda row: (trust.get(row["method"], -1), row["method"]))


def _molecule_of(row: dict[str, Any]) -> str:
    """Id of the reference record that holds the energy of hydrogen gas."""
    return reference_id(row["campaign"], row["method"], "H2 molecule in a box")


def _hydrogen(molecule: dict[str, Any] | None) -> str:
    """Where the energy of hydrogen gas comes from; a store of an earlier version has no note."""
    notes = (molecule or {}).get("notes") or []
    return next((note for note in notes if note.startswith("energy of H2")), "H2 molecule in a box, same engine")


def _provenance(
    row: dict[str, Any], composition: dict[str, Any], campaign: dict[str, Any], molecule: dict[str, Any] | None
) -> dict[str, Any]:
    settings = campaign.get("settings") or {}
    return {
        "seed": settings.get("seed"),
        "rules": composition.get("rules"),
        "engine": row["engine"],
        "engine_fingerprint": row["method"],
        "final_fmax_eV_per_A": (settings.get("structures") or {}).get("final_fmax"),
        "candidates_compete": (settings.get("stability") or {}).get("candidates_compete"),
        "hydrogen_reference": _hydrogen(molecule),
        "reaction": row["reaction"],
        "stability_notes": row["stability_notes"],
    }


def _as_dict(record: dict[str, Any]) -> dict[str, Any]:
    from ninefold.models.structure import unpack_structure

    return dict(unpack_structure(record).as_dict())


def _unique(identifiers: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(identifiers))
