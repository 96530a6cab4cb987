"""Between the science's values and the store's documents; nothing is computed here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ninefold.chemistry.anions import Assignment
from ninefold.chemistry.compounds import known_compounds
from ninefold.flows.packing import unpack_structure
from ninefold.keys import content_key
from ninefold.store.documents import CandidateDocument, FoundStructureDocument, ReferenceDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.campaign.model import Campaign

_FROM_BEST = (
    "energy_per_atom", "space_group_number", "space_group_symbol", "nsites", "volume_per_formula_unit", "volume_ratio",
    "shortest_m_h", "shortest_h_h", "is_converged", "max_force", "source",
)  # fmt: skip


def candidate_id(campaign: Campaign, assignment: Assignment) -> str:
    """Identifier of an assignment in a campaign: the first 16 digits of a content hash."""
    return content_key(campaign.name, assignment.label)[:16]


def selected_candidate(
    campaign: Campaign, assignment: Assignment, prior: float, verdicts: Sequence[Any]
) -> CandidateDocument:
    """The document of a composition that passed the rules, before any structure."""
    amounts = assignment.amounts
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
        prior=prior,
        status="selected",
        is_known=assignment.formula in {compound.formula for compound in known_compounds()},
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


def searched_candidate(campaign: Campaign, document: dict[str, Any], result: dict[str, Any]) -> CandidateDocument:
    """A candidate with what the search found: the lowest valid structure counts."""
    best = next((found for found in result["found"] if found["is_valid"]), None)
    update: dict[str, Any] = {
        "status": "searched" if best else "no_structure",
        "structures": result["found"],
        "structures_found": sum(found["is_valid"] for found in result["found"]),
        "reasons": result["reasons"],
        "relaxations": result["relaxations"],
        "is_coordination_kept": best is not None,
    }
    if best:
        update |= {name: best[name] for name in _FROM_BEST}
        update["evidence"] = "ML"
    return CandidateDocument.model_validate({**document, **update})


def reference(campaign: Campaign, phase: Any, result: dict[str, Any], engine: str) -> ReferenceDocument:
    """A competing phase as the engine sees it."""
    from ninefold.structures.symmetry import space_group

    structure = unpack_structure(result["structure"]) if result.get("structure") else None
    elements = sorted({site.specie.symbol for site in phase.structure})
    return ReferenceDocument(
        id=f"{campaign.name}:{phase.name}",
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
        mark=phase.mark,
        notes=[*phase.notes, *([result["error"]] if result["error"] else [])],
    )


def ranked_counts(documents: Sequence[CandidateDocument]) -> Counter[str]:
    """Why candidates have no rank: status -> count."""
    return Counter(document.status for document in documents if document.rank is None)
