"""A store's results for Python: what `ninefold.open` gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ninefold.api.candidates import Candidates
from ninefold.api.rows import CampaignRow, CandidateRow, FoundStructure
from ninefold.errors import InputError
from ninefold.store import open_store, resolve_store
from ninefold.store.listing import (
    campaign_filter,
    check_campaign,
    find_method,
    method_ids,
    methods_of,
    nothing_stored,
    sort_order,
    stage_columns,
    told_methods,
)
from ninefold.store.saved import find_saved

if TYPE_CHECKING:
    from pymatgen.core import Structure
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    from ninefold.models.quantities import Quantity

_AT_ONCE = 200
"""Whole candidates held at once."""


class Results:
    """The results in a store, read only. Close it, or use it in a `with` statement.

    Args:
        store: Path or URI, as `--store` takes it; default: NINEFOLD_STORE, else ./ninefold.db.

    Raises:
        InputError: if there is no store, or its address cannot be used.
    """

    def __init__(self, store: str | Path | None = None) -> None:
        if store is not None and not (isinstance(store, str | Path) and str(store)):
            raise InputError("store", store, allowed="a path, a URI, or None for $NINEFOLD_STORE or ./ninefold.db")
        self._store = open_store(resolve_store() if store is None else store)

    @property
    def location(self) -> str:
        """Where the store is; without user name and password."""
        return self._store.location

    def campaigns(self) -> list[CampaignRow]:
        """The campaigns in the store, by name."""
        documents = sorted(self._store.find("campaigns"), key=lambda document: str(document["name"]))
        labels = {row["id"]: row["label"] for row in self._store.find("methods", fields=["id", "label"])}
        return [
            CampaignRow(
                name=document["name"], status=document["status"], created=document["created"],
                finished=document["finished"],
                methods=[labels.get(method, method) for method in document.get("methods") or []],
                candidates=self._store.count("candidates", equal={"campaign": document["name"], "is_best": True}),
                queries=sorted((document.get("settings") or {}).get("queries") or {}),
            )
            for document in documents
        ]  # fmt: skip

    def fields(self, campaign: str | None = None) -> list[Quantity]:
        """Everything that filters, `sort` and `frame` know: key, kind, unit, symbol, meaning.

        Args:
            campaign: Whose stages of yours count; default: of all campaigns.
        """
        from ninefold.store.fields import candidate_fields

        return [field.quantity for field in candidate_fields(self._store, _text("campaign", campaign))]

    def candidates(
        self,
        filter: str | None = None,
        sort: str | Sequence[str] | None = None,
        *,
        campaign: str | None = None,
        method: str | None = None,
        all_methods: bool = False,
        limit: int | None = None,
        saved: str | None = None,
    ) -> Candidates:
        """The candidates that match, as typed rows: the one that stands for each, or those of one method.

        Args:
            filter: OPTIMADE filter, as `ninefold query` takes it; default: everything.
            sort: Fields with commas between, or a list of them, `-` before one for descending; default: rank. Unknown
                values come last, ties go by `id`.
            campaign: Name of one; default: all.
            method: Rows of this method alone: its label, its name or its id.
            all_methods: Every method's row of a candidate, not the one that stands for it alone.
            limit: Rows at most.
            saved: In place of a filter, the name of a query of the campaign file.

        Raises:
            InputError: as `ninefold query` says it: a filter that cannot be read, an unknown field, campaign or method.
        """
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise InputError("limit", limit, allowed="a whole number from 0 on, or None for all")
        campaign, method = _text("campaign", campaign), _text("method", method)
        if saved is not None:
            if filter is not None:
                raise InputError("saved", saved, problem="and a filter are two questions", hint="give one of them")
            campaign, filter, order, _ = find_saved(self._store, _text("saved", saved) or "", campaign)
            sort = order if sort is None else sort
        equal = campaign_filter(self._store, campaign, all_methods=all_methods or method is not None)
        if method is not None:
            equal["method"] = find_method(self._store, method, method_ids(self._store, self._documents(campaign)))
        fields = sort if isinstance(sort, list | tuple) else [_text("sort", sort) or "rank"]
        order = ",".join(_text("sort", field) or "" for field in fields)
        columns = stage_columns(self._store, campaign).columns
        return Candidates(self._store, _text("filter", filter), equal, sort_order(order), limit, columns)

    def structure(self, id: str | CandidateRow) -> Structure:
        """The structure of a candidate, that of the minimum that stands for it, or a stored structure by its own id.

        Args:
            id: Of a candidate or a structure; or a row.

        Returns:
            Primitive cell.

        Raises:
            InputError: if there is none.
        """
        from ninefold.models.structure import unpack_structure

        key = id.id if isinstance(id, CandidateRow) else _text("id", id) or ""
        row = self._store.get("candidates", key)
        minimum = None if row is None else next((each for each in row["minima"] if each["is_valid"]), None)
        if row is not None and minimum is None:
            raise InputError("id", key, problem=f"has no structure: {row['label']} is {row['status']}")
        document = self._store.get("structures", key if minimum is None else minimum["structure"])
        if document is None:
            raise InputError("id", key, problem="is no candidate and no structure of the store")
        return unpack_structure(document)

    def structures(
        self,
        filter: str | None = None,
        sort: str | Sequence[str] | None = None,
        *,
        campaign: str | None = None,
        method: str | None = None,
        limit: int | None = None,
        all_minima: bool = False,
    ) -> Iterator[FoundStructure]:
        """The structures of the candidates that match; those without one are left out.

        Args:
            filter: As in `candidates`; likewise `sort`, `campaign` and `method`.
            sort: See there.
            campaign: See there.
            method: See there.
            limit: Candidates at most.
            all_minima: Every minimum that is stored, the others after the one that stands for the candidate; also
                those of another coordination, which are not valid.
        """
        return self._structures(
            self.candidates(filter, sort, campaign=campaign, method=method, limit=limit), all_minima=all_minima
        )  # fmt: skip

    def _structures(self, candidates: Candidates, *, all_minima: bool) -> Iterator[FoundStructure]:
        from ninefold.models.structure import unpack_structure

        remaining = iter(candidates)
        while page := list(islice(remaining, _AT_ONCE)):
            rows = self._store.get_many("candidates", [row.id for row in page])
            minima = {key: _chosen(row["minima"], all_minima=all_minima) for key, row in rows.items()}
            wanted = dict.fromkeys(each["structure"] for some in minima.values() for each in some)
            structures = self._store.get_many("structures", list(wanted))
            for row in page:
                for place, each in enumerate(minima.get(row.id, []), start=1):
                    if each["structure"] in structures:
                        yield FoundStructure(
                            row, each["structure"], unpack_structure(structures[each["structure"]]),
                            each["energy_per_atom"], each["space_group_symbol"], each["source"], each["is_valid"],
                            place,
                        )  # fmt: skip

    def entries(
        self,
        system: str | Iterable[str],
        method: str | None = None,
        campaign: str | None = None,
        *,
        all_candidates: bool = False,
    ) -> list[ComputedStructureEntry]:
        """Every phase of a chemical system and its subsystems that carries the campaign's hull, as pymatgen's entries.

        Energies are total ones of the cell in eV, of one method, hydrogen's as the stored hulls have it (`notes` in
        the data of the H2 molecule's entry says which); there is no correction besides. So
        `PhaseDiagram(entries).get_e_above_hull(entry)` is the stored `e_above_hull`.

        Args:
            system: `K-Re-H`, or symbols.
            method: Label, name or id; needed where the campaign has several, which never share a hull.
            campaign: Name; needed where the store holds several.
            all_candidates: Also those that do not compete, in a campaign with `stability.candidates_compete: false`: a
                diagram of them is not the stored hull.

        Raises:
            InputError: if the system, the method or the campaign is not known, or none is chosen of several; or if the
                method has no energy of an element.
        """
        from ninefold.api.entries import entries_of, system_of

        symbols = system_of(system)
        document = self._campaign(_text("campaign", campaign))
        among = method_ids(self._store, [document])
        if method is None and len(among) != 1:
            raise InputError(
                "method", None, problem="does not say which of the campaign's methods: their energies share no hull",
                allowed=told_methods(methods_of(self._store, among)),
            )  # fmt: skip
        chosen = among[0] if method is None else find_method(self._store, _text("method", method) or "", among)
        return entries_of(self._store, document, chosen, symbols, all_candidates=all_candidates)

    def close(self) -> None:
        """Let go of the store; twice is once."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Results({self.location!r})"

    def _documents(self, campaign: str | None) -> list[dict[str, Any]]:
        return self._store.find("campaigns", equal={} if campaign is None else {"name": campaign})

    def _campaign(self, name: str | None) -> dict[str, Any]:
        """The campaign of this name, or the only one."""
        check_campaign(self._store, name)
        found = self._documents(name)
        if not found:
            raise nothing_stored(self._store)
        if len(found) > 1:
            names = ", ".join(sorted(document["name"] for document in found))
            raise InputError("campaign", None, problem="does not say which of the store's", allowed=names)
        return found[0]


def _chosen(minima: Sequence[dict[str, Any]], *, all_minima: bool) -> list[dict[str, Any]]:
    return list(minima) if all_minima else [each for each in minima if each["is_valid"]][:1]


def _text(name: str, value: object) -> str | None:
    """A value that has to be text: anything else could be read as a condition by a database.

    Raises:
        InputError: if it is neither text nor None.
    """
    if value is None or isinstance(value, str):
        return value
    raise InputError(name, value, problem="is not text")
