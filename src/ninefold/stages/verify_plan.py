"""Which candidates are verified, and which phases have to be computed with them for a hull."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError, listed
from ninefold.stages import verify_cost
from ninefold.stages.uncertainty import default_window, disagrees
from ninefold.stages.uncertainty import distance_of as distance_if_any
from ninefold.stages.verify import SAME, VerifySettings

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate
    from ninefold.models.reference import ReferenceRecord
    from ninefold.models.search import Minimum
    from ninefold.thermo.phase import Phase

_ON_HULL = 1e-6
"""eV/atom."""
_EXAMPLES = 4
"""Names and systems that an error gives."""

CANDIDATE, COMPETITOR, REFERENCE = "candidate", "competitor", "reference"


@dataclass
class Item:
    """A phase to be computed."""

    role: str
    """candidate | competitor (another candidate that is needed for the hull) | reference."""
    name: str
    """Of a reference; the label of a candidate."""
    id: str
    """Of the composition; of the reference's record with the potential."""
    formula: str
    elements: list[str]
    structure: str
    """Id of the geometry."""
    nsites: int
    is_molecule: bool = False
    minima: str = ""
    """Of a candidate: id of its minima with the potential."""
    method: str = ""
    """Id of the potential's method."""
    distance: float | None = None
    """To the potential's hull, eV/atom."""
    window: float | None = None
    is_disputed: bool = False
    """Whether the campaign's methods differ by more than the window: computed before the others."""
    seconds: float | None = None
    """Estimated."""

    def line(self) -> dict[str, Any]:
        """As a job takes it."""
        return {**asdict(self), "label": self.name}


@dataclass
class Plan:
    """What is computed, and what is not."""

    items: list[Item] = field(default_factory=list)
    """Candidates (those first on which the campaign's methods disagree) by rising distance, competitors, references."""
    left_out: list[dict[str, Any]] = field(default_factory=list)
    """name, elements and reason of phases that are left out of these systems' hulls."""

    @property
    def seconds(self) -> float | None:
        """Estimated cost in core seconds."""
        return verify_cost.total(item.seconds for item in self.items)

    def of(self, role: str) -> list[Item]:
        """Those of one role."""
        return [item for item in self.items if item.role == role]


def make_plan(
    rows: Mapping[str, Sequence[Candidate]],
    best: Mapping[str, str],
    references: Mapping[str, Sequence[ReferenceRecord]],
    known: Mapping[str, float],
    settings: VerifySettings,
    noise: float,
) -> Plan:
    """Choose candidates and competitors.

    Args:
        rows: By method of the campaign, the candidates with their hull distances.
        best: Composition -> the most trusted of these methods that has a hull distance for it.
        references: By method, the reference phases.
        known: Composition -> distance to the hull that an earlier verification with the same method left.
        settings: Of the verification.
        noise: Of the campaign's hull distances, eV/atom.

    Raises:
        InputError: if nothing is in the window, or a name of `only` is not among the candidates.
    """
    standing = [row for some in rows.values() for row in some if best.get(row.composition) == row.method]
    chosen = _chosen(standing, known, settings, noise)
    plan = Plan()
    items: dict[tuple[str, str], Item] = {}
    for row in chosen:
        items[CANDIDATE, row.composition] = _item(row, CANDIDATE, settings, noise)
    own = {row.composition for row in chosen}
    hulls: dict[tuple[str, frozenset[str]], tuple[list[tuple[Any, Phase]], dict[str, float]]] = {}
    for row in chosen:
        key = (row.method, frozenset(row.elements))
        if key not in hulls:
            hulls[key] = _heights(rows[row.method], references[row.method], key[1])
        phases, heights = hulls[key]
        wanted = {product["name"] for product in row.decomposition}
        wanted |= {product["name"] for at in row.conditions for product in at["decomposition"]}
        for record, phase in phases:
            identifier = getattr(record, "composition", None)
            if identifier in own:
                continue
            place = (REFERENCE, record.name) if identifier is None else (COMPETITOR, identifier)
            reason = None if phase.name in wanted else _reason(phase, phases, heights, settings, noise)
            if reason is None:
                items.setdefault(place, _item(record, place[0], settings, noise, heights[phase.name]))
            elif not any(out["name"] == phase.name for out in plan.left_out):
                plan.left_out.append({"name": phase.name, "elements": sorted(phase.amounts), "reason": reason})
    plan.items = list(items.values())
    order = (CANDIDATE, COMPETITOR, REFERENCE)
    plan.items.sort(key=lambda item: order.index(item.role))  # stable: candidates stay in their order
    names = {item.name for item in plan.items}
    plan.left_out = [out for out in plan.left_out if out["name"] not in names]
    return plan


def _chosen(
    rows: Iterable[Candidate], known: Mapping[str, float], settings: VerifySettings, noise: float
) -> list[Candidate]:
    able = [
        row for row in rows
        if row.phase_separation_energy is not None and not row.is_competitor and row.anion_class != "h2_ligand"
        and not any(verdict["mode"] == "gate" and verdict["passed"] is False for verdict in row.verdicts)
    ]  # fmt: skip
    if not able:
        raise InputError("campaign", "", problem="holds no candidate with a distance to the hull")
    if settings.only:
        able = _named(able, settings.only)

    def window(row: Candidate) -> float:
        return default_window(row, noise) if settings.window is None else settings.window

    inside = [row for row in able if distance_of(row) <= window(row)]
    if not inside:
        nearest = min(able, key=distance_of)
        raise InputError(
            "--window", settings.window if settings.window is not None else window(nearest),
            problem=f"holds no candidate: the nearest, {nearest.label}, lies {distance_of(nearest):.3f} eV/atom above "
            "the hull",
        )  # fmt: skip

    def place(row: Candidate) -> tuple[bool, float, str]:
        """Where the potentials disagree this method is asked first, until it has answered."""
        is_first = row.composition not in known and disagrees(row, noise)
        return not is_first, known.get(row.composition, distance_of(row)), row.composition

    return sorted(inside, key=place)[: settings.top]


def _named(rows: list[Candidate], names: Sequence[str]) -> list[Candidate]:
    found: list[Candidate] = []
    for name in names:
        some = matching(rows, name)
        if not some:
            raise not_among(name, rows)
        found += [row for row in some if row not in found]
    return found


def matching(rows: Sequence[Candidate], name: str) -> list[Candidate]:
    """Candidates of a formula, an assignment or a chemical system (Cr-H-Mg); raises `InputError` if it is none."""
    from ninefold.chemistry.formula import formula_of, parse_formula, reduced

    system = sorted(name.split("-")) if "-" in name else None
    some = [row for row in rows if name in (row.label, row.formula, row.composition)]
    some = some or [row for row in rows if system == sorted(row.elements)]
    if not some and system is None:
        formula = formula_of(reduced(parse_formula(name)))
        some = [row for row in rows if row.formula == formula]
    return some


def not_among(name: str, rows: Sequence[Candidate]) -> InputError:
    """Of a name of `only` that no candidate has.

    Args:
        name: As given.
        rows: The candidates that it could have named; the nearest to the hull are given as examples.
    """
    nearest = sorted(rows, key=lambda row: (distance_if_any(row) is None, distance_if_any(row) or 0.0, row.composition))
    formulas = list(dict.fromkeys(row.formula for row in nearest))
    systems = list(dict.fromkeys("-".join(sorted(row.elements)) for row in nearest))
    allowed = "nothing: no candidate has such a distance" if not nearest else (
        f"one of its candidates: {listed(formulas, _EXAMPLES)}; or a chemical system of them: "
        f"{listed(systems, _EXAMPLES)}"
    )  # fmt: skip
    return InputError(
        "--only", name, problem="is no candidate with a distance to the hull in this campaign", allowed=allowed,
        hint="reference phases come with the candidates of their systems",
    )  # fmt: skip


def distance_of(row: Candidate) -> float:
    """To the hull of all others, or above the lowest structure of its own composition, eV/atom; negative if stable."""
    distance = distance_if_any(row)
    assert distance is not None
    return distance


def _heights(
    rows: Iterable[Candidate], references: Iterable[ReferenceRecord], elements: frozenset[str]
) -> tuple[list[tuple[Any, Phase]], dict[str, float]]:
    """The phases of a system with a potential, and how far each lies above the hull of all of them."""
    from ninefold.stages.stability import amounts_of
    from ninefold.thermo.ensembles import Closed, PhaseHull
    from ninefold.thermo.phase import Phase

    phases: list[tuple[Any, Phase]] = []
    for reference in references:
        if elements >= set(reference.elements) and reference.energy_per_atom is not None:
            amounts = _amounts(reference.formula)
            energy = reference.energy_per_atom
            phase = Phase(reference.name, reference.formula, amounts, energy, refuted=reference.refuted)
            phases.append((reference, phase))
    phases.extend(
        (row, Phase(row.label, row.formula, amounts_of(row), row.energy_per_atom))
        for row in rows
        if elements >= set(row.elements) and row.energy_per_atom is not None and row.minima
    )
    hull = PhaseHull(Closed(tuple(sorted(elements))), [phase for _, phase in phases if not phase.refuted])
    return phases, {phase.name: hull.distance(phase) for _, phase in phases}


def _amounts(formula: str) -> dict[str, float]:
    from ninefold.chemistry.formula import parse_formula

    return {symbol: float(amount) for symbol, amount in parse_formula(formula).items()}


def _reason(
    phase: Phase, phases: Sequence[tuple[Any, Phase]], heights: Mapping[str, float], settings: VerifySettings,
    noise: float,
) -> str | None:  # fmt: skip
    """Why a phase is not computed; None if it is."""
    record = next(record for record, other in phases if other is phase)
    height = heights[phase.name]
    if phase.refuted:
        return f"kept out of every hull: {phase.refuted}"
    if height <= _ON_HULL:
        return None
    if hasattr(record, "composition"):
        return f"{1000 * height:.0f} meV/atom above the hull, and no candidate decomposes into it"
    lowest = min(other.energy_per_atom for _, other in phases if other.composition == phase.composition)
    above = phase.energy_per_atom - lowest
    if above > noise:
        return (
            f"{1000 * above:.0f} meV/atom above another structure of its composition, more than the search's noise of "
            f"{1000 * noise:.0f} meV/atom"
        )
    if height > settings.margin:
        return (
            f"{1000 * height:.0f} meV/atom above the hull, beyond the margin of {1000 * settings.margin:.0f} meV/atom "
            "for reference phases"
        )
    return None


def _item(record: Any, role: str, settings: VerifySettings, noise: float, height: float | None = None) -> Item:
    if role == REFERENCE:
        assert record.structure is not None
        item = Item(
            role, record.name, record.id, record.formula, list(record.elements), record.structure, 0,
            is_molecule=record.kind == "molecule", method=record.method, distance=height,
        )  # fmt: skip
        return item
    minimum = smallest(record.minima)
    is_chosen = role == CANDIDATE
    window = default_window(record, noise) if settings.window is None else settings.window
    return Item(
        role, record.label, record.composition, record.formula, list(record.elements), minimum.structure,
        minimum.nsites, minima=record.minima_record or "", method=record.method,
        distance=record.phase_separation_energy if record.phase_separation_energy is not None else height,
        window=window if is_chosen else None, is_disputed=is_chosen and disagrees(record, noise),
    )  # fmt: skip


def smallest(minima: Sequence[Minimum]) -> Minimum:
    """The minimum with the smallest cell within 5 meV/atom of the lowest; of equal cells the one of lowest energy."""
    valid = [minimum for minimum in minima if minimum.is_valid]
    lowest = min(minimum.energy_per_atom for minimum in valid)
    near = [minimum for minimum in valid if minimum.energy_per_atom <= lowest + SAME]
    return min(near, key=lambda minimum: (minimum.nsites, minimum.energy_per_atom))
