"""A small store whose hull distances and ranks come from its energies, by the code that a campaign runs: two methods,
values of a stage, and candidates without a hull."""

import random
from collections import defaultdict

import numpy as np
import report_sample
from report_sample import structure_record

from ninefold.models.campaign import StageColumn
from ninefold.models.candidate import Candidate
from ninefold.models.method import Method
from ninefold.models.reference import ReferenceRecord
from ninefold.ranking.settings import RankingSettings
from ninefold.rules import RuleSettings, load_rule_set
from ninefold.stages.rank import Ranking, best_methods
from ninefold.stages.stability import Hulls
from ninefold.store.records import write
from ninefold.thermo.settings import StabilitySettings

FIRST = report_sample.METHOD
SECOND = Method(id="77aa00bb11cc", name="sevennet", label="SevenNet omni", evidence="ML")
COLUMNS = {"density": StageColumn(stage="density", kind="float", unit="g/cm3", meaning="mass density")}
REJECTED, LOST = "K6ReH9", "Cr"
"""A rule on results rejects the first; the machine lost a reference phase of the second's system, by `SECOND`."""
MISSING = "Mo"
"""The element that `SECOND` has no energy of."""
QUERIES = {"near": {"filter": "e_above_hull < 0.02", "sort": ["e_above_hull", "-n"], "fields": ["formula"]}}
OF_HULL_AND_RANK = (
    "rank", "score", "is_pareto", "rank_best", "rank_worst", "e_above_hull", "phase_separation_energy",
    "e_above_references",
)  # fmt: skip
SHIFT = -100.0
"""eV/atom, of the second method's energies: beside the first's they make nonsense."""


def references(name):
    """Of both methods, and their structures."""
    records, structures = [], []
    for row in report_sample.references(name):
        if row["energy_per_atom"] is None:
            continue
        atoms = [symbol for symbol, count in _amounts(row["formula"]).items() for _ in range(count)]
        structure = structure_record(atoms, np.arange(3 * len(atoms)).reshape(-1, 3) / (3 * len(atoms)), np.eye(3) * 7)
        structures.append(structure)
        first = ReferenceRecord(**{**row, "structure": structure.id})
        records.append(first)
        if row["name"] != MISSING:
            records.append(first.model_copy(update=_by_second(f"{name}:{SECOND.id[:8]}:{row['name']}", first)))
    refuted = records[-1].model_copy(
        update={"id": f"{name}:refuted", "name": "refuted", "energy_per_atom": -999.0, "refuted": "a wrong cell"}
    )
    return [*records, refuted], structures


def records(name="quickstart", seed=0):
    """Everything of the store."""
    draw = random.Random(seed)
    campaign, _, *others = report_sample.records(name)
    rows = [_changed(row, draw) for row in others if isinstance(row, Candidate)]
    rest = [record for record in others if not isinstance(record, Candidate)]
    found, structures = references(name)
    second = [row.model_copy(update=_by_second(f"{row.composition}-{SECOND.id[:8]}", row, draw)) for row in rows]
    rows = assessed(rows, FIRST, found, structures) + assessed(second, SECOND, found, structures)
    best = best_methods(rows, [FIRST.id, SECOND.id])
    settings = {**campaign.settings, "queries": QUERIES, "ranking": RankingSettings().model_dump()}
    update = {"methods": [FIRST.id, SECOND.id], "columns": COLUMNS, "settings": settings}
    return [
        campaign.model_copy(update=update), FIRST, SECOND, *rest, *structures, *found,
        *(row.model_copy(update={"is_best": best[row.composition] == row.method}) for row in ranked(rows, best)),
    ]  # fmt: skip


def fill(store, name="quickstart", seed=0):
    write(store, records(name, seed))


def assessed(rows, method, found, structures):
    """Hull distances as the stability stage makes them."""
    own = [reference for reference in found if reference.method == method.id]
    hulls = Hulls(own, {structure.id: structure for structure in structures}, StabilitySettings())
    for row in rows:
        hulls.add(row)
    systems = defaultdict(list)
    for row in rows:
        systems[row.chemical_system].append(row)
    done = []
    for system, members in systems.items():
        is_lost = method is SECOND and LOST in system.split("-")
        done += hulls.assess(members, {}, ["CrH"] if is_lost else [])[0]
    return done


def ranked(rows, best):
    """Ranks as the rank stage makes them."""
    kinds = {key: column.kind for key, column in COLUMNS.items()}
    ranking = Ranking(load_rule_set(RuleSettings(), extra_columns=kinds), RankingSettings(), 0.02, kinds)
    ranking.rank(row for row in rows if best[row.composition] == row.method)
    return list(ranking.ranked(rows))


def _changed(row, draw):
    """Another energy, a known prior, and nothing of a hull or rank."""
    update = dict.fromkeys(OF_HULL_AND_RANK)
    update |= {"terms": {}, "known": [], "properties": {"density": round(draw.uniform(2, 5), 3)}}
    if row.formula == REJECTED:
        update["shortest_h_h"] = 0.9
    return _with_energy(row.model_copy(update=update), draw.uniform(-0.05, 0.05))


def _by_second(identifier, record, draw=None):
    update = {"id": identifier, "method": SECOND.id, "engine": SECOND.label}
    shift = SHIFT + (draw.uniform(-0.05, 0.05) if draw else 0.0)
    if isinstance(record, Candidate):
        moved = _with_energy(record, shift)
        return update | {"minima": moved.minima, "energy_per_atom": moved.energy_per_atom}
    return update | {"energy_per_atom": record.energy_per_atom + SHIFT}


def _with_energy(row, shift):
    if row.energy_per_atom is None:
        return row
    minima = [each.model_copy(update={"energy_per_atom": each.energy_per_atom + shift}) for each in row.minima]
    return row.model_copy(update={"energy_per_atom": row.energy_per_atom + shift, "minima": minima})


def _amounts(formula):
    from ninefold.chemistry.formula import parse_formula

    return parse_formula(formula)
