"""Whole candidates: a row together with its composition and the coordinates of its minima.

Lists read rows alone. What shows, exports or draws a candidate reads it here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninefold.store.store import Store

_AT_ONCE = 200
"""Candidates whose structures are held at once: some 10 kB each."""
_OF_COMPOSITION = ("neighbour_of", "other_assignments")


def details(store: Store, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Candidates with everything that is stored of them.

    Args:
        store: Where they are.
        rows: Whole rows of the collection `candidates`.

    Yields:
        Each row, in its order, with `structures` in place of `minima` (each with `structure`, pymatgen's
        `Structure.as_dict()`), the verdicts of the rules on its composition before those on its results,
        `other_assignments`, `neighbour_of`, and `provenance`.
    """
    for start in range(0, len(rows), _AT_ONCE):
        page = rows[start : start + _AT_ONCE]
        structures = store.get_many("structures", _unique(item["structure"] for row in page for item in row["minima"]))
        compositions = store.get_many("compositions", _unique(row["composition"] for row in page))
        campaigns = store.get_many("campaigns", _unique(row["campaign"] for row in page))
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
                "provenance": _provenance(row, composition, campaigns.get(row["campaign"], {})),
            }


def _provenance(row: dict[str, Any], composition: dict[str, Any], campaign: dict[str, Any]) -> dict[str, Any]:
    settings = campaign.get("settings") or {}
    return {
        "seed": settings.get("seed"),
        "rules": composition.get("rules"),
        "engine": row["engine"],
        "engine_fingerprint": row["method"],
        "final_fmax_eV_per_A": (settings.get("structures") or {}).get("final_fmax"),
        "candidates_compete": (settings.get("stability") or {}).get("candidates_compete"),
        "hydrogen_reference": "H2 molecule in a box, same engine",
        "reaction": row["reaction"],
        "stability_notes": row["stability_notes"],
    }


def _as_dict(record: dict[str, Any]) -> dict[str, Any]:
    from ninefold.models.structure import unpack_structure

    return dict(unpack_structure(record).as_dict())


def _unique(identifiers: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(identifiers))
