"""A campaign's own record: registered before the first job, finished after the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ninefold
from ninefold.campaign import parse_campaign
from ninefold.clock import now
from ninefold.errors import InputError, shown
from ninefold.flows.importing import imported_methods
from ninefold.flows.kept import last_stored
from ninefold.flows.spending import budget_of, unreleased
from ninefold.flows.workplace import method_of
from ninefold.models.campaign import Attempt, CampaignRecord, Status
from ninefold.stages.own import stored_columns
from ninefold.store import public_address

if TYPE_CHECKING:
    from ninefold.campaign.model import Campaign
    from ninefold.flows.runner import Run
    from ninefold.store import Store

VIEWS = ("funnel", "candidates", "references", "compositions", "faults")
"""What is made from facts and the campaign's settings, and made anew when these change."""
NO_RESULTS = ("description", "execution", "store", "queries")
"""Settings that never change a result."""
FACTS = ("pools", "searches", "minima", "calculations", "properties", "vibrations", "trajectories", "dynamics")
"""What a fresh start discards besides; structures are shared between campaigns, and stay."""


def register(store: Store, campaign: Campaign, by: Run, *, accept_changes: bool = False) -> int:
    """Store a campaign and its methods; a second time by the same run changes nothing.

    Args:
        store: Where.
        campaign: What is run.
        by: The run, and the flow that it runs by.
        accept_changes: Whether settings and workflow may differ from those in the store.

    Returns:
        The number of the attempt.

    Raises:
        InputError: if the store holds other settings or another workflow under this name, unless changes are accepted.
    """
    methods = [method_of(settings) for settings in campaign.methods]
    if len({method.id for method in methods}) < len(methods):
        labels = ", ".join(method.label for method in methods)
        raise InputError(
            "energies", labels, problem="are not all different methods: two have one fingerprint", hint="name each once"
        )
    document = store.get("campaigns", campaign.name)
    known = None if document is None else CampaignRecord.model_validate(document)
    fingerprint = campaign.fingerprint()
    if known is not None and known.run == by.identifier and known.fingerprint == fingerprint:
        return known.attempt
    if known is not None and (changes := changes_of(known, campaign, by)):
        if not accept_changes:
            raise InputError(
                "campaign",
                campaign.name,
                problem=f"is in the store with {', '.join(changes)}",
                hint="--update keeps every finished calculation and recomputes what the change touches; "
                "another name keeps both; --fresh discards the calculations too",
            )
        discard(store, campaign.name, VIEWS)
    store.insert("methods", methods)
    _forget_other_methods(store, campaign.name, {method.id for method in methods})
    settings = campaign.to_dict()
    record = CampaignRecord(
        id=campaign.name,
        name=campaign.name,
        fingerprint=fingerprint,
        settings=settings if campaign.store is None else {**settings, "store": public_address(campaign.store)},
        versions={"ninefold": ninefold.__version__, "engine": methods[0].label, **_library_versions()},
        status="running",
        methods=[method.id for method in methods],
        columns=stored_columns(campaign.stages),
        workflow=by.workflow,
        workflow_content=by.workflow_content,
        created=known.created if known else now(),
        run=by.identifier,
        attempt=known.attempt + 1 if known else 1,
        attempts=_attempts_with_one_more(store, known),
    )
    store.put("campaigns", [record])
    return record.attempt


def changes_of(known: CampaignRecord, campaign: Campaign, by: Run) -> list[str]:
    """What differs between a campaign in the store and one that is to run, in words; empty where nothing does.

    A setting that a store of an earlier ninefold does not know has its default: it is no change.

    Args:
        known: As it is in the store.
        campaign: What is to run.
        by: The run that asks.
    """
    changes = []
    if known.fingerprint != campaign.fingerprint():
        before, settings = _plain(parse_campaign(known.settings)), _plain(campaign)
        keys = sorted(key for key in settings if settings[key] != before[key])
        if keys or campaign.names_files:
            content = "other content of the files that it names"
            changes.append(f"other settings ({', '.join(keys)})" if keys else content)
    if known.workflow == by.workflow:
        # a file that was mended goes on with a campaign that it did not bring to its end
        if known.status == "finished" and known.workflow_content not in ("", by.workflow_content):
            changes.append(f"the results of {shown(known.workflow)} before that file was changed")
    elif not known.workflow_content or known.workflow_content != by.workflow_content:
        changes.append(f"the results of another workflow ({shown(known.workflow)})")
    return changes


def _plain(campaign: Campaign) -> dict[str, Any]:
    """Settings that change results."""
    return {key: value for key, value in campaign.to_dict().items() if key not in NO_RESULTS}


def finish(store: Store, campaign: str, *, is_ranked: bool = True, attempt: int | None = None) -> str:
    """Mark a campaign finished, or incomplete where faults of the machine are left or its budget left something out.

    Args:
        store: Where.
        campaign: Its name.
        is_ranked: Whether the flow came to its ranks; a job before them may have been lost.
        attempt: That came to its end; an earlier one than the last registered changes nothing. None: the last.

    Returns:
        Its status.
    """
    record = CampaignRecord.model_validate(store.get("campaigns", campaign))
    if attempt is not None and attempt < record.attempt:
        return record.status
    has_faults = bool(store.count("faults", equal={"campaign": campaign}))
    is_left_out = budget_of(record.settings) is not None and unreleased(store, campaign) > 0
    status: Status = "incomplete" if has_faults or is_left_out or not is_ranked else "finished"
    if record.status != status:
        end = now()
        attempts = [*record.attempts[:-1], *(run.model_copy(update={"ended": end}) for run in record.attempts[-1:])]
        store.put("campaigns", [record.model_copy(update={"status": status, "finished": end, "attempts": attempts})])
    return status


def start_afresh(store: Store, campaign: str) -> None:
    """Discard what a store holds of a campaign, its calculations included.

    Its own record goes first to `stopped` and stays: killed in between, it is unfinished and still guarded.
    """
    document = store.get("campaigns", campaign)
    if document is None:
        return
    stopped = {**document, "status": "stopped", "run": "", "attempts": []}
    store.put("campaigns", [CampaignRecord.model_validate(stopped)])
    discard(store, campaign, (*VIEWS, *FACTS))


def discard(store: Store, campaign: str, collections: tuple[str, ...]) -> None:
    """Delete documents of a campaign."""
    for collection in collections:
        store.delete(collection, equal={"campaign": campaign})


def _forget_other_methods(store: Store, campaign: str, methods: set[str]) -> None:
    """Drop rows and references of methods that the campaign does not use: another version of a package is another.

    What was imported stays: nothing here could make it anew.
    """
    methods = methods | imported_methods(store)
    for collection in ("candidates", "references"):
        for row in store.iterate(collection, equal={"campaign": campaign}, fields=["id", "method"]):
            if row["method"] not in methods:
                store.delete(collection, equal={"id": row["id"]})


def _attempts_with_one_more(store: Store, known: CampaignRecord | None) -> list[Attempt]:
    """The runs of a campaign with the one that begins; empty where earlier ones were not recorded."""
    if known is not None and not known.attempts and known.status != "stopped":
        return []
    before = [] if known is None else known.attempts
    ended = [
        attempt if attempt.ended else attempt.model_copy(update={"ended": last_stored(store, known.name, attempt)})
        for attempt in before
        if known is not None
    ]
    return [*ended, Attempt(started=now())]


def _library_versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("pymatgen", "ase", "jobflow", "numpy")}
