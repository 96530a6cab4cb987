"""Whole candidates: a row together with its composition and the coordinates of its minima.

Lists read rows alone. What shows, exports or draws a candidate reads it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ninefold.models.reference import reference_id
from ninefold.store.structure_facts import StructureFacts

if TYPE_CHECKING:
    from ninefold.store.store import Store

_AT_ONCE = 200
"""Candidates whose structures are held at once: some 10 kB each."""
OF_METHOD = (
    "method", "engine", "evidence", "is_best", "status", "energy_per_atom", "e_above_hull", "phase_separation_energy",
    "e_above_hull_uncertainty", "model_error", "model_error_source", "hull_probability", "space_group_symbol",
    "structures_found",
)  # fmt: skip
"""What `methods` of a candidate says of each; `is_best`: whether this method's row stands for the composition."""
OF_FAILED = ("name", "engine", "reason")
"""What `failed_references` of a candidate says of each."""
_OF_COMPOSITION = ("neighbour_of", "other_assignments")


def details(store: Store, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Candidates with everything that is stored of them.

    Args:
        store: Where they are.
        rows: Whole rows of the collection `candidates`.

    Yields:
        Each row, in its order, with `structures` in place of `minima` (each with `structure`, pymatgen's
        `Structure.as_dict()`), `dynamics` (its `DynamicsRecord` or None), the verdicts of the rules on its composition
        before those on its results,
        `other_assignments`, `neighbour_of`, `provenance`, and `methods`: what each method says of the composition, by
        rising trust (see `OF_METHOD`), with the `reason` why it has no hull distance; empty where one method alone has
        looked at it. `failed_references`: published structures of the composition that the row's method could not
        compute (see `OF_FAILED`). `vibrations`, `quasi_harmonic` and `equations_of_state` of its minima, by any method:
        see `ninefold.store.structure_facts`. `predicted_phases`: formulas of its competing phases that nobody has made.
    """
    failed = _failed_references(store, rows)
    facts = StructureFacts(store)
    for start in range(0, len(rows), _AT_ONCE):
        page = rows[start : start + _AT_ONCE]
        structures = store.get_many("structures", _unique(item["structure"] for row in page for item in row["minima"]))
        compositions = store.get_many("compositions", _unique(row["composition"] for row in page))
        campaigns = store.get_many("campaigns", _unique(row["campaign"] for row in page))
        methods = _by_composition(store, list(compositions), campaigns)
        moving = store.get_many("dynamics", _unique(key for row in page if (key := row.get("dynamics_record"))))
        predicted = _predicted(store, page)
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
                "dynamics": moving.get(row.get("dynamics_record") or ""),
                "methods": methods.get(row["composition"], []),
                "failed_references": failed.get((row["campaign"], row["method"], _reduced(row["formula"])), []),
                "predicted_phases": sorted(
                    formula for formula in _competing(row) if (row["campaign"], formula) in predicted
                ),
                **facts.of_minima(row["minima"], _synthesis(campaigns.get(row["campaign"]) or {})),
                "provenance": _provenance(
                    row, composition, campaigns.get(row["campaign"], {}), molecules.get(_molecule_of(row))
                ),
            }


def _competing(row: Mapping[str, Any]) -> set[str]:
    """Formulas of what a candidate decomposes into at any condition, or forms from."""
    places = [row, *row["conditions"]]
    parts = [part for at in places for part in at.get("decomposition") or ()]
    return {part["formula"] for part in parts} | set((row.get("formation") or {}).get("formed_from") or ())


def _predicted(store: Store, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Campaign and formula of the phases that some candidates compete with and that nobody has made."""
    formulas = sorted(set[str]().union(*map(_competing, rows)))
    equal = {"campaign": _unique(row["campaign"] for row in rows), "formula": formulas}
    found = store.find("candidates", equal=equal, fields=["campaign", "formula", "is_known"]) if formulas else []
    return {(row["campaign"], row["formula"]) for row in found if not row["is_known"]}


def _synthesis(campaign: Mapping[str, Any]) -> tuple[float, float]:
    """K and GPa at which a campaign's candidates are to be made."""
    from ninefold.thermo.settings import SYNTHESIS

    at = ((campaign.get("settings") or {}).get("ranking") or {}).get("at") or SYNTHESIS.model_dump()
    return at["temperature_K"], at["pressure_GPa"]


def _by_composition(
    store: Store, compositions: Sequence[str], campaigns: Mapping[str, dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Composition -> its rows of every method, where there are several."""
    rows = store.find(
        "candidates", equal={"composition": compositions}, fields=["id", "campaign", "composition", *OF_METHOD]
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["method"]:  # else a row of an older store, from before a search
            found.setdefault(row["composition"], []).append(row)
    several = {key: siblings for key, siblings in found.items() if len(siblings) > 1}
    every = [row for siblings in several.values() for row in siblings]
    made_by = store.get_many("methods", _unique(row["method"] for row in every))
    without = [row["id"] for row in every if row["phase_separation_energy"] is None]
    whole = store.get_many("candidates", without) if without else {}
    return {
        key: [
            {**{field: row[field] for field in OF_METHOD}, **_told(made_by.get(row["method"]), whole.get(row["id"]))}
            for row in by_trust(siblings, (campaigns.get(siblings[0]["campaign"]) or {}).get("methods") or [])
        ]
        for key, siblings in several.items()
    }


def _told(method: dict[str, Any] | None, row: dict[str, Any] | None) -> dict[str, Any]:
    """What a row without energies does not say itself: engine, evidence of its energies, and why there are none.

    Args:
        method: That it is of, where that is stored.
        row: The whole row, if it has no hull distance.
    """
    told: dict[str, Any] = {"reason": None}
    if method is not None:
        told |= {"engine": method["label"], "evidence": method["evidence"]}
    if row is not None and row["energy_per_atom"] is None:
        lost = ", ".join(f"{reason} ({count})" for reason, count in (row.get("reasons") or {}).items())
        told["reason"] = f"no valid structure{': ' if lost else ''}{lost}"
    elif row is not None:
        told["reason"] = "; ".join(row.get("stability_notes") or []) or "no hull"
    return told


def _failed_references(
    store: Store, rows: Sequence[dict[str, Any]]
) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """Campaign, method and reduced formula -> reference phases without an energy."""
    campaigns = _unique(row["campaign"] for row in rows)
    phases = store.find("references", equal={"campaign": campaigns}, fields=["id", "energy_per_atom"])
    without = store.get_many("references", [phase["id"] for phase in phases if phase["energy_per_atom"] is None])
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for phase in without.values():
        reason = phase["notes"][-1] if phase.get("notes") else "no energy"
        found.setdefault((phase["campaign"], phase["method"], _reduced(phase["formula"])), []).append(
            dict(zip(OF_FAILED, (phase["name"], phase["engine"], reason), strict=True))
        )
    return found


def _reduced(formula: str) -> str:
    from ninefold.chemistry.formula import formula_of, parse_formula, reduced

    return formula_of(reduced(parse_formula(formula)))


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
