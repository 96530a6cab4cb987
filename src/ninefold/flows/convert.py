"""Between the science's values and the store's documents; nothing is computed here."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ninefold.chemistry.anions import AnionClass, Assignment
from ninefold.chemistry.compounds import known_formulas
from ninefold.flows.flags import flags, found_among
from ninefold.flows.packing import unpack_structure
from ninefold.keys import content_key
from ninefold.rules.readings import readings
from ninefold.store.documents import CandidateDocument, FoundStructureDocument, ReferenceDocument
from ninefold.thermo.references import known_hydride_formulas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.campaign.model import Campaign
    from ninefold.engines import Engine
    from ninefold.rules import RuleSet, Verdict
    from ninefold.search import Prospect
    from ninefold.thermo.phase import Phase

_FROM_BEST = (
    "energy_per_atom", "space_group_number", "space_group_symbol", "nsites", "volume_per_formula_unit", "volume_ratio",
    "shortest_m_h", "shortest_h_h", "shortest_m_m", "shortest_m_interstitial", "is_converged", "max_force",
    "source", "structure_type",
)  # fmt: skip


def candidate_id(campaign: Campaign, assignment: Assignment) -> str:
    """Identifier of an assignment in a campaign: the first 16 digits of a content hash."""
    return content_key(campaign.name, assignment.label)[:16]


def selected_candidate(
    campaign: Campaign,
    assignment: Assignment,
    prior: float,
    verdicts: Sequence[Verdict],
    neighbour_of: Assignment | None = None,
    is_competitor: bool = False,
    made: frozenset[str] | None = None,
) -> CandidateDocument:
    """The document of a composition before any structure.

    Args:
        campaign: Whose.
        assignment: A composition that passed the rules, lies beside one that did, or has been made.
        prior: Product of the soft rules' scores.
        verdicts: Of the rules on the composition.
        neighbour_of: The survivor that it lies beside.
        is_competitor: Whether it is searched only because it has been made.
        made: Formulas of compounds that have been made; default: ninefold's list.
    """
    amounts = assignment.amounts
    electron_counts = sorted({count for space in campaign.space for count in space.electron_counts})
    return CandidateDocument(
        id=candidate_id(campaign, assignment),
        campaign=campaign.name,
        formula=assignment.formula,
        anion=assignment.anion,
        label=assignment.label,
        chemical_system=assignment.chemical_system,
        elements=sorted(amounts),
        nelements=len(amounts),
        centre=assignment.centre,
        cations=sorted({cation.symbol for cation in assignment.cations}),
        cation_counts={cation.symbol: cation.count for cation in assignment.cations},
        group=assignment.group,
        n=assignment.n,
        q=assignment.q,
        m=assignment.m,
        electron_count=assignment.electron_count,
        oxidation_state=assignment.oxidation_state,
        anion_class=assignment.anion_class.value,
        is_neighbour=neighbour_of is not None,
        neighbour_of=neighbour_of.label if neighbour_of else None,
        is_competitor=is_competitor,
        other_readings=[
            reading.label for reading in readings(assignment.formula, electron_counts) if reading != assignment
        ],
        prior=prior,
        status="selected",
        is_known=assignment.formula in (known_formulas() if made is None else made) | known_hydride_formulas(),
        verdicts=[verdict.to_dict() for verdict in verdicts],
        provenance={"seed": campaign.seed, "rules": campaign.rules.set},
    )


def outcome(found: Any) -> dict[str, Any]:
    """A search's outcome as plain values."""
    structures = [
        FoundStructureDocument(
            **{name: getattr(item, name) for name in FoundStructureDocument.model_fields if name != "structure"},
            structure=item.structure.as_dict(),
        ).model_dump(mode="json")
        for item in found.found
    ]
    return {
        "found": structures,
        "reasons": dict(found.reasons),
        "relaxations": found.relaxations,
        "core_seconds": found.core_seconds,
    }


def prospect(candidate: dict[str, Any]) -> Prospect:
    """A candidate as the next round of searches sees it."""
    from ninefold.search import Prospect

    separation, same = candidate["phase_separation_energy"], candidate["e_above_same_composition"]
    # a signed distance, unless a lower phase of the composition is known: then what it lies above that one
    above = None if separation is None else max(separation, same) if same else separation
    return Prospect(candidate["id"], above, can_be_ranked=candidate["anion_class"] == AnionClass.CLASSICAL.value)


def searched_candidate(
    campaign: Campaign, document: dict[str, Any], result: dict[str, Any], engine: Engine, number: int = 1
) -> CandidateDocument:
    """A candidate with what a round of the search found: the lowest valid structure of all rounds counts."""
    from ninefold.search.minima import COARSE
    from ninefold.search.preference import representative
    from ninefold.structures.duplicates import tolerances
    from ninefold.structures.symmetry import operation_count

    lowest = min((found["energy_per_atom"] for found in result["found"] if found["is_valid"]), default=None)
    lowest_by_round = [*(document["lowest_by_round"] if number > 1 else []), lowest]
    if number > 1:
        result = _with_earlier(document, result)
    each = [energy for energy in lowest_by_round if energy is not None]
    valid = [found for found in result["found"] if found["is_valid"]]
    # refined ones if there are any: a coarse one that lies lower is shown, and does not stand for the composition
    able = [found for found in valid if COARSE not in found["notes"]] or valid
    best = None
    if able:
        best = able[
            representative(
                [found["energy_per_atom"] for found in able],
                [operation_count(found["space_group_number"]) for found in able],
                [found["nsites"] for found in able],
            )
        ]
        result = {**result, "found": [best, *(found for found in result["found"] if found is not best)]}
    update: dict[str, Any] = {
        "status": "searched" if best else "no_structure",
        "structures": result["found"],
        "structures_found": sum(found["is_valid"] for found in result["found"]),
        "reasons": result["reasons"],
        "relaxations": result["relaxations"],
        "search_rounds": len(lowest_by_round),
        "search_spread": max(each) - min(each) if len(each) > 1 else None,
        "lowest_by_round": lowest_by_round,
        "is_coordination_kept": best is not None if result["found"] else None,
    }
    if not best and result["found"]:
        # no structure of this anion: what the lowest one is, so that the rules on results say why not
        refused = result["found"][0]
        update["is_coordination_kept"] = all(number == document["n"] for number in refused["coordination_numbers"])
        update |= {name: refused.get(name) for name in ("shortest_m_h", "shortest_h_h", "shortest_m_m")}
    if best:
        update |= {name: best.get(name) for name in _FROM_BEST}
        update["evidence"] = engine.evidence
        update["engine"] = engine.label
        update["provenance"] = {
            **document["provenance"],
            "engine": engine.label,
            "engine_fingerprint": engine.fingerprint,
            "final_fmax_eV_per_A": campaign.structures.final_fmax,
            "duplicate_tolerances": tolerances(),
        }
    return CandidateDocument.model_validate({**document, **update})


def _with_earlier(document: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """A round's result together with what the document holds of the rounds before."""
    from pymatgen.core import Structure

    from ninefold.search.minima import COARSE, kept
    from ninefold.structures.duplicates import distinct

    every = [*document["structures"], *result["found"]]
    valid = [found for found in every if found["is_valid"]]
    unlike = distinct(
        [Structure.from_dict(found["structure"]) for found in valid], [found["energy_per_atom"] for found in valid]
    )
    # refined ones first, as within one round: a coarse one that lies lower is shown, not ranked by
    ordered = sorted((valid[index] for index in unlike), key=lambda found: COARSE in found["notes"])
    others = sorted((found for found in every if not found["is_valid"]), key=lambda found: found["energy_per_atom"])
    return {
        "found": [*kept(ordered, lambda found: found["source"]), *others[:2]],
        "reasons": dict(Counter(document["reasons"]) + Counter(result["reasons"])),
        "relaxations": document["relaxations"] + result["relaxations"],
    }


def reference_id(campaign: Campaign, phase: Any) -> str:
    """Identifier of a reference phase in a campaign."""
    return f"{campaign.name}:{phase.name}"


def reference(campaign: Campaign, phase: Any, result: dict[str, Any], engine: str) -> ReferenceDocument:
    """A competing phase as the engine sees it."""
    from ninefold.structures.symmetry import space_group

    structure = unpack_structure(result["structure"]) if result.get("structure") else None
    elements = sorted({site.specie.symbol for site in phase.structure})
    return ReferenceDocument(
        id=reference_id(campaign, phase),
        campaign=campaign.name,
        name=phase.name,
        formula=phase.formula,
        chemical_system="-".join(elements),
        elements=elements,
        kind=phase.kind,
        energy_per_atom=result.get("energy_per_atom"),
        space_group_number=space_group(structure).number if structure and phase.kind != "molecule" else None,
        volume_per_atom=structure.volume / len(structure) if structure and phase.kind != "molecule" else None,
        is_converged=result.get("is_converged"),
        engine=engine,
        structure=structure.as_dict() if structure else None,
        source=phase.source,
        mark=phase.provenance,
        refuted=phase.refuted,
        notes=[*phase.notes, *([result["error"]] if result["error"] else [])],
    )


def assessed_candidates(
    campaign: Campaign, candidates: Sequence[dict[str, Any]], references: Sequence[dict[str, Any]]
) -> tuple[list[CandidateDocument], Counter[str]]:
    """Candidates with their hull distances; and why some have none: reason -> count."""
    from ninefold.thermo.stability import assess

    placed = [candidate for candidate in candidates if candidate["energy_per_atom"] is not None]
    # one engine, one hull: a reference that another engine relaxed would not be comparable
    relaxed = [reference for reference in references if reference["energy_per_atom"] is not None]
    results = assess(
        [_candidate_phase(candidate) for candidate in placed],
        [_reference_phase(reference) for reference in relaxed],
        campaign.stability,
    )
    structures = {reference["name"]: reference["structure"] for reference in relaxed}
    reasons = Counter("no valid structure" for _ in range(len(candidates) - len(placed)))
    documents = []
    for candidate, result in zip(placed, results, strict=True):
        if result.e_above_hull is None:
            reasons.update(result.notes or ["no hull"])
        values = asdict(result)
        update = {name: values[name] for name in _FROM_STABILITY}
        update["known"] = [known | found_among(candidate, structures[known["name"]]) for known in values["known"]]
        update["flags"] = flags({**candidate, **update})
        update["provenance"] = {
            **candidate["provenance"], "reaction": result.reaction, "stability_notes": result.notes,
            "hydrogen_reference": "H2 molecule in a box, same engine",
            "candidates_compete": campaign.stability.candidates_compete,
        }  # fmt: skip
        documents.append(CandidateDocument.model_validate({**candidate, **update}))
    return documents, reasons


_FROM_STABILITY = (
    "e_above_hull", "phase_separation_energy", "e_above_references", "e_above_same_composition",
    "e_above_hull_uncertainty", "formation_energy_per_atom", "reaction_energy_per_h2", "decomposition", "ternaries",
    "conditions",
)  # fmt: skip


def ranked_candidates(
    campaign: Campaign, candidates: Sequence[dict[str, Any]], rule_set: RuleSet
) -> list[CandidateDocument]:
    """Candidates with the verdicts on their results, score and rank; status says ranked, or why not."""
    from ninefold.ranking import Rankable, rank

    judged = [rule_set.judge(candidate) for candidate in candidates]
    on_results = {rule.name for rule in rule_set.rules if rule.stage == "result"}
    items = [
        Rankable(
            id=candidate["id"],
            phase_separation_energy=candidate["phase_separation_energy"],
            e_above_same_composition=candidate["e_above_same_composition"] or 0.0,
            uncertainty=candidate["e_above_hull_uncertainty"],
            prior=candidate["prior"] * math.prod(verdict.score for verdict in verdicts if verdict.mode == "score"),
            hydrogen_fraction=_hydrogen_fraction(candidate),
            group=candidate["group"],
            is_converged=bool(candidate["is_converged"]),
            anion_class=candidate["anion_class"],
            is_competitor=candidate["is_competitor"],
            is_rejected=any(verdict.mode == "gate" and verdict.passed is False for verdict in verdicts),
        )
        for candidate, verdicts in zip(candidates, judged, strict=True)
    ]
    places = rank(items, campaign.ranking, campaign.stability.noise_eV_per_atom)
    documents = []
    for candidate, place, verdicts in zip(candidates, places, judged, strict=True):
        on_composition = [verdict for verdict in candidate["verdicts"] if verdict["rule"] not in on_results]
        update = {
            "verdicts": [*on_composition, *(verdict.to_dict() for verdict in verdicts)],
            "rank": place.rank, "rank_best": place.rank_best, "rank_worst": place.rank_worst, "score": place.score,
            "is_pareto": place.is_pareto, "terms": place.terms,
            "status": (place.reason or "ranked") if candidate["structures_found"] else _without_structure(candidate),
        }  # fmt: skip
        documents.append(CandidateDocument.model_validate({**candidate, **update}))
    return documents


def _without_structure(candidate: dict[str, Any]) -> str:
    """Whether a search found nothing, or none has been finished."""
    return "no_structure" if candidate["search_rounds"] else "selected"


def _amounts(candidate: dict[str, Any]) -> dict[str, float]:
    return {**candidate["cation_counts"], candidate["centre"]: 1, "H": candidate["n"] + candidate["m"]}


def _hydrogen_fraction(candidate: dict[str, Any]) -> float:
    amounts = _amounts(candidate)
    return amounts["H"] / sum(amounts.values())


def _candidate_phase(candidate: dict[str, Any]) -> Phase:
    """With every other valid minimum as a polymorph, named by its place in the list of structures and its symmetry."""
    from ninefold.thermo.phase import CANDIDATE, KNOWN_SEARCHED, Phase

    amounts = _amounts(candidate)
    atoms = sum(amounts.values())

    def phase(energy: float, volume: float, name: str, **more: Any) -> Phase:
        return Phase(
            name=name,
            formula=candidate["formula"],
            amounts=amounts,
            energy_per_atom=energy,
            volume_per_atom=volume / atoms,
            kind=KNOWN_SEARCHED if candidate["is_competitor"] else CANDIDATE,
            centre=candidate["centre"],
            search_spread=candidate["search_spread"],
            **more,
        )

    valid = [found for found in candidate["structures"] if found["is_valid"]]
    return phase(
        candidate["energy_per_atom"],
        candidate["volume_per_formula_unit"],
        candidate["label"],
        polymorphs=tuple(
            phase(
                found["energy_per_atom"], found["volume_per_formula_unit"],
                f"{candidate['label']}, minimum {place} ({found['space_group_symbol']})",
            )
            for place, found in enumerate(valid[1:], start=2)
        ),
    )  # fmt: skip


def _reference_phase(reference: dict[str, Any]) -> Phase:
    from ninefold.thermo.phase import Phase

    return Phase(
        name=reference["name"],
        formula=reference["formula"],
        amounts=Counter(site["species"][0]["element"] for site in reference["structure"]["sites"]),
        energy_per_atom=reference["energy_per_atom"],
        volume_per_atom=reference["volume_per_atom"],
        kind=reference["kind"],
        source=reference["source"],
        provenance=reference["mark"],
        refuted=reference["refuted"],
    )
