"""Candidates' rows made anew from facts: what `ninefold db rebuild` writes, and `ninefold db check` compares with.

The stages of a campaign after its search are done again, from the minima, references and properties in the store:
which compositions each round chose, hulls, best methods, ranks. Nothing is computed by an engine.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any

from ninefold.campaign import parse_campaign
from ninefold.errors import NinefoldError, description
from ninefold.flows import rows as writing
from ninefold.flows.dynamics_rows import KnownDynamics
from ninefold.flows.found import FoundMinima
from ninefold.flows.row_changes import Change, compared
from ninefold.flows.rows import Found, as_assessed, rows_of
from ninefold.flows.tasks import records_of, structures_of
from ninefold.flows.thermal import thermal_of
from ninefold.flows.verify_plan import read_references
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.models.lines import encode_lines
from ninefold.models.method import Method
from ninefold.models.property import PropertyRecord
from ninefold.stages import choose, own, rank, references, stability, uncertainty
from ninefold.store import StoreError
from ninefold.store.filling import Tell, pages
from ninefold.store.records import read_all
from ninefold.store.structure_facts import StructureFacts

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.store import Store

PAGE = 200
"""Rows held at once."""


class Rebuilt:
    """How many rows have been made, and of which campaigns none could be.

    Attributes:
        rows: Rows made anew.
        unfinished: Campaign -> its status; a run makes its rows.
        failed: Campaign -> why its rows could not be made, and were left as they are.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.unfinished: dict[str, str] = {}
        self.failed: dict[str, str] = {}


def changes(store: Store, done: Rebuilt, tell: Tell, only: str | None = None) -> Iterator[Change]:
    """The rows of every finished campaign that are not what follows from the facts.

    Args:
        store: Open; nothing is written to it.
        done: Filled while the changes are read.
        tell: Told how far it is.
        only: Name of the one campaign that is looked at; default: all.
    """
    for record in list(read_all(store, CampaignRecord, equal={} if only is None else {"name": only})):
        if record.status != "finished":
            done.unfinished[record.name] = record.status
            continue
        try:
            yield from changes_of(store, record, done, tell)
        except NinefoldError as error:  # a fact that is lost, a file of the user's that is gone
            done.failed[record.name] = str(error)
        except (ValueError, LookupError) as error:  # a fact that is damaged
            done.failed[record.name] = description(error)


def apply(store: Store, found: Iterable[Change]) -> None:
    """Write what follows from the facts."""
    for change in found:
        if change.row is None:
            store.delete("candidates", equal={"id": change.id})
        else:
            store.put("candidates", [change.row])


def changes_of(store: Store, record: CampaignRecord, done: Rebuilt, tell: Tell) -> Iterator[Change]:
    """The rows of one finished campaign that are not what follows from the facts; see `changes`."""
    campaign = parse_campaign(record.settings)
    count = len(campaign.methods)
    if len(record.methods) < count:
        raise StoreError(
            f"campaign {record.name!r} was run by an older ninefold: 'ninefold run --update' runs it again"
        )
    found = records_of(store, Method, record.methods)
    methods = [found[key] for key in record.methods]
    with tempfile.TemporaryFile() as file:
        scratch = _Scratch(file)
        _assess_own(store, campaign, methods[:count], scratch, tell)
        verified = [method for method in methods[count:] if record.verified and _is_verified(store, record, method)]
        facts = StructureFacts(store)
        for method in verified:  # made from what `verify` has gathered, which no fact tells: taken as it stands
            scratch.add(map(as_assessed, facts.with_facts(_stored(store, record.name, method.id))))
        ids = [method.id for method in (*methods[:count], *verified)]
        revision = writing.ranked_revision(record.attempt)
        made: set[str] = set()
        for page in pages(_ranked(store, campaign, ids, scratch), PAGE):
            rows = [row.model_copy(update={"revision": revision}) for row in page]
            made |= {row.id for row in rows}
            done.rows += len(rows)
            tell(f"rebuild {record.name}", done.rows, None, "rows")
            yield from compared(store, rows)
    for row in _own_rows(store, record.name, ids):
        if row not in made:
            yield Change(row, record.name, "does not follow from anything", None)


def _assess_own(store: Store, campaign: Campaign, methods: Sequence[Method], scratch: _Scratch, tell: Tell) -> None:
    """Hulls of the search's rounds and of further methods, as the campaign's jobs make them."""
    order = sorted(
        (row["chemical_system"], row["id"])
        for row in store.iterate("compositions", equal={"campaign": campaign.name}, fields=["chemical_system"])
    )
    ids = [identifier for _, identifier in order]
    minima = FoundMinima(store, campaign)
    found: dict[str, Found] = {}
    chosen: Iterable[str] = ids
    for number in range(1, campaign.structures.rounds + 1):
        found = {**found, **minima.after_round(chosen, found, methods[0], number)}
        is_other = not found
        if is_other:
            found = minima.of_another_version(ids, methods[0])
        assessed = _assessed(store, campaign, ids, methods[0], found)
        if is_other or number == campaign.structures.rounds:
            break
        outcomes = []
        for row in assessed:
            outcomes.append(choose.outcome_of(row))
            tell(f"hulls of round {number}", len(outcomes), len(ids), "compositions")
        chosen, _ = choose.choose(outcomes, number + 1)
    searched: list[str] = []

    def told(rows: Iterable[Candidate], name: str) -> Iterator[Candidate]:
        for done, row in enumerate(rows, start=1):
            tell(f"hulls of {name}", done, len(ids), "compositions")
            yield row

    def noted(rows: Iterable[Candidate]) -> Iterator[Candidate]:
        for row in rows:
            if row.structures_found:
                searched.append(row.composition)
            yield row

    scratch.add(noted(told(assessed, methods[0].label)))
    for method in methods[1:]:
        relaxed = minima.relaxed(searched, found, methods[0], method)
        rows = told(_assessed(store, campaign, ids, method, relaxed), method.label)
        # the ranking says which method's row stands for a composition
        scratch.add(row.model_copy(update={"is_best": False}) for row in rows if row.minima_record)


def _assessed(
    store: Store, campaign: Campaign, ids: Sequence[str], method: Method, found: Mapping[str, Found]
) -> Iterator[Candidate]:
    """Rows of all compositions with their hull distances, as `result_jobs.assess_stability` makes them."""
    phases = sorted(read_references(store, campaign.name, method.id), key=lambda record: record.id)
    cells = structures_of(store, (phase.structure for phase in phases if phase.structure is not None))
    thermal = thermal_of(store, method.id, campaign.name)
    hulls = stability.Hulls(phases, cells, campaign.stability, thermal, campaign.synthesis)
    there = {phase.name for phase in phases}
    for _, row in rows_of(store, ids, method, found):
        hulls.add(row)
    every = (row for _, row in rows_of(store, ids, method, found))
    for _, of_system in groupby(every, key=lambda row: row.chemical_system):
        system = list(of_system)
        missing = sorted(set(references.phases_of([system[0].elements])) - there)
        structures = structures_of(
            store, (item.structure for row in system if hulls.needs_structures(row) for item in row.minima)
        )
        rows, _ = hulls.assess(system, {key: cell.to_structure() for key, cell in structures.items()}, missing)
        yield from rows


def _ranked(store: Store, campaign: Campaign, methods: Sequence[str], scratch: _Scratch) -> Iterator[Candidate]:
    """The rows of all methods with properties, verdicts, scores and ranks, as `result_jobs.rank_rows` makes them."""
    from ninefold.rules import load_rule_set

    columns = own.columns_of(campaign.stages)
    best = rank.best_methods(scratch.rows(), methods)
    noise = campaign.stability.noise_eV_per_atom
    comparisons = uncertainty.Comparisons(scratch.rows())
    moving = KnownDynamics(store, scratch.rows())
    ranking = rank.Ranking(load_rule_set(campaign.rules, extra_columns=columns), campaign.ranking, noise, columns)
    computed = _computed_by(scratch)

    def rows() -> Iterator[Candidate]:
        told = moving.told(uncertainty.told(scratch.rows(), comparisons, noise))
        return _with_properties(store, campaign, told, computed) if campaign.stages else iter(told)

    ranking.rank(row for row in rows() if best[row.composition] == row.method)
    for row in ranking.ranked(rows()):
        is_best = best[row.composition] == row.method
        yield row.model_copy(update={"is_best": is_best})


def _computed_by(scratch: _Scratch) -> dict[str, str]:
    """Composition -> method whose structure the user's stages have computed, as `compute_properties` has it."""
    wanted: dict[str, str] = {}
    has_hull: set[str] = set()
    for row in scratch.rows():
        is_placed = row.phase_separation_energy is not None
        if row.structures_found and not row.verification and (is_placed or row.composition not in has_hull):
            wanted[row.composition] = row.method
            has_hull |= {row.composition} if is_placed else set()
    return wanted


def _with_properties(
    store: Store, campaign: Campaign, rows: Iterable[Candidate], computed: Mapping[str, str]
) -> Iterator[Candidate]:
    for page in pages(rows, PAGE):
        ids = [
            [own.property_id(name, row.minima[0].structure, row.method) for name in campaign.stages]
            if computed.get(row.composition) == row.method else []
            for row in page
        ]  # fmt: skip
        records = store.get_many("properties", [key for some in ids for key in some])
        for row, some in zip(page, ids, strict=True):
            if row.verification:
                yield row
                continue
            found = [PropertyRecord.model_validate(records[key]) for key in some if key in records]
            values = {name: value for record in found for name, value in record.values.items()}
            yield row.model_copy(update={"properties": values})


def _stored(store: Store, campaign: str, method: str) -> Iterator[Candidate]:
    for document in store.iterate("candidates", equal={"campaign": campaign, "method": method}):
        yield Candidate.model_validate(document)


def _own_rows(store: Store, campaign: str, methods: Sequence[str]) -> list[str]:
    equal: dict[str, Any] = {
        "campaign": campaign,
        "method": [*methods, ""],
    }  # without one: of a store that was migrated
    return [row["id"] for row in store.iterate("candidates", equal=equal, fields=["id"])]


def _is_verified(store: Store, record: CampaignRecord, method: Method) -> bool:
    """Whether `ninefold verify` has made the rows of a method; else they were imported, and are not ranked with."""
    return any(row.verification for row in _stored(store, record.name, method.id))


class _Scratch:
    """Rows between hull and ranking, in a file, as the lines that jobs hand to each other.

    Numbers and the order of keys come back as they do there.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def add(self, rows: Iterable[Candidate]) -> None:
        """Rows of a further method."""
        for row in rows:
            self._file.seek(0, 2)
            self._file.write(encode_lines([json.loads(row.model_dump_json(exclude={"revision"}))]))

    def rows(self) -> Iterator[Candidate]:
        """All of them, in the order in which they came; one reader at a time."""
        place = 0
        while True:
            self._file.seek(place)
            line = self._file.readline()
            place = self._file.tell()
            if not line:
                return
            yield Candidate.model_validate_json(line)
