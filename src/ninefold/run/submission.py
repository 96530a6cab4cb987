"""Submitting campaigns to a cluster: what stands in the launchpad afterwards is whole, or nothing is.

The document of a submission says what its run is: `inserting` while its jobs are written, none of which a worker takes;
then `submitted`, `paused` or `cancelled`. The last step releases the first job. What a submission that was cut short
has left is removed by the next one.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from pymongo.errors import PyMongoError

from ninefold.campaign.foreign import load_foreign_code
from ninefold.campaign.workflows import workflows
from ninefold.clock import now
from ninefold.errors import InputError, NinefoldError
from ninefold.flows.kept import lease_purpose
from ninefold.flows.resources import kind_of
from ninefold.flows.runner import Run
from ninefold.flows.spending import is_over
from ninefold.models.campaign import CampaignRecord
from ninefold.run.failures import held_faults
from ninefold.run.local import flow_of, run_of
from ninefold.run.shard_size import MOST_SHARDS, SHARD_SECONDS, with_shards
from ninefold.run.submitted_runs import (
    already_submitted,
    is_active,
    launchpad_of,
    release_first,
    remove_previous,
    remove_run,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ninefold.campaign.model import Campaign
    from ninefold.engines.settings import EngineSettings
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.settings import Settings
    from ninefold.store import Store

LEASE = "submit"


class Submission(NamedTuple):
    """What has been submitted."""

    campaign: str
    run: str
    jobs: int
    compositions_per_job: int


def submit_campaign(
    campaign: Campaign,
    address: str,
    cluster: str,
    kinds: tuple[str, ...],
    *,
    workflow: str = "screen",
    update: bool = False,
    has_spool: bool = False,
    held_causes: tuple[str, ...] = (),
    shard_seconds: float = SHARD_SECONDS,
    places: int | None = None,
    option: str = "",
) -> Submission:
    """Put a campaign's flow into the launchpad.

    Args:
        campaign: What to run.
        address: Of the database of store and launchpad.
        cluster: Name of the cluster whose workers take its jobs.
        kinds: Of resources that the cluster has.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store)`.
        update: Accept that the settings differ from those in the store.
        has_spool: Whether the cluster's nodes see no database.
        held_causes: Faults of these causes are not tried again.
        shard_seconds: Core-seconds that a job should take.
        places: Jobs that the cluster runs at once: shards are made small enough for all of them, and with a budget so
            many are released at first. None: not known.
        option: How the user's commands name the database: ` --cluster NAME`, or nothing.

    Raises:
        InputError: if it is submitted already or finished, or cannot run there; nothing is written then.
    """
    from ninefold.engines import make_engine

    budget = campaign.execution.budget
    if budget is not None and is_over(budget):
        raise InputError("budget", budget.until, problem="is over", hint="'--budget until=DATE' names a later one")
    if budget is not None and places is not None:
        at_once = max(1, min(places, MOST_SHARDS))
        campaign = campaign.model_copy(
            update={"execution": campaign.execution.model_copy(update={"released_at_once": at_once})}
        )
    make_flow = workflows().load(workflow)
    for method in campaign.methods:
        make_engine(method)
        check_kind(kind_of(method), kinds, cluster, method.title)
    load_foreign_code(campaign)
    campaign.known_compounds()
    run = run_of(workflow)
    with launchpad_of(address) as (store, launchpad), store.lease(LEASE, f"submits campaign {campaign.name}"):
        previous = _previous(launchpad, campaign.name)
        _check_new(store, launchpad, campaign, run, previous, update=update, option=option)
        sized = with_shards(campaign, store, shard_seconds, places)
        flow = flow_of(functools.partial(make_flow), sized, address, workflow)
        held = held_faults(store, campaign.name, held_causes)
        return _submit(
            store, launchpad, sized, flow, run, cluster, kinds, previous, what="screen", accept_changes=update,
            has_spool=has_spool, held=held, places=places, shard_seconds=shard_seconds,
        )  # fmt: skip


def submit_after(
    campaign: Campaign, address: str, cluster: str, kinds: tuple[str, ...], settings: Settings, what: str,
    methods: Sequence[EngineSettings], workflow: str, has_spool: bool = False, option: str = "",
) -> Submission:  # fmt: skip
    """Put what is computed of a finished campaign into the launchpad.

    Args:
        campaign: As in the store, finished.
        address: Of the database of store and launchpad.
        cluster: Name of the cluster whose workers take its jobs.
        kinds: Of resources that the cluster has.
        settings: What `make_flow` of the workflow takes as `settings`.
        what: The command whose work it is: `verify`, `vibrations`, ...
        methods: That compute.
        workflow: Name of a workflow, or a Python file with `make_flow(campaign, store, settings)`.
        has_spool: Whether the cluster's nodes see no database.
        option: How the user's commands name the database: ` --cluster NAME`, or nothing.

    Raises:
        InputError: if jobs of the campaign are left, it is not finished, or the cluster cannot run a method.
    """
    from ninefold.flows.verify_plan import check_finished

    make_flow = workflows().load(workflow)
    load_foreign_code(campaign)
    for method in methods:
        check_kind(kind_of(method), kinds, cluster, method.title)
    chosen: Any = functools.partial(make_flow, settings=settings.model_dump(mode="json"))
    run = run_of(workflow)
    with launchpad_of(address) as (store, launchpad), store.lease(LEASE, f"submits campaign {campaign.name}"):
        previous = _previous(launchpad, campaign.name)
        if previous is not None and is_active(launchpad, previous):
            raise already_submitted(previous, option)
        check_not_running(store, campaign.name)
        check_finished(store, campaign.name)
        flow = flow_of(chosen, campaign, address, workflow)
        return _submit(store, launchpad, campaign, flow, run, cluster, kinds, previous, what=what, has_spool=has_spool)


def check_kind(kind: str, kinds: tuple[str, ...], cluster: str, method: str) -> None:
    """Refuse a method that no node of a cluster can run; what an accelerator speeds up runs without one, too.

    Raises:
        InputError: if it needs DFT nodes and there are none.
    """
    if kind == "dft" and kind not in kinds:
        raise InputError(
            "cluster", cluster, problem=f"has no resources of the kind 'dft', which {method} needs",
            allowed=f"a cluster with resources.dft; this one has {', '.join(kinds)}",
        )  # fmt: skip


def check_not_running(store: Store, campaign: str) -> None:
    """Refuse what `ninefold run` computes just now in the same store: each would take the other for an earlier run.

    Raises:
        InputError: naming the process.
    """
    holder = store.lease_holder()
    if holder is not None and holder.endswith(f"({lease_purpose(campaign)})"):
        raise InputError(
            "campaign", campaign, problem=f"is being run by {holder}",
            hint="end it there first; what it has finished is kept",
        )  # fmt: skip


def _check_new(
    store: Store, launchpad: CampaignLaunchPad, campaign: Campaign, run: Run, previous: dict[str, Any] | None, *,
    update: bool, option: str,
) -> None:  # fmt: skip
    from ninefold.flows.register import changes_of

    if previous is not None and is_active(launchpad, previous):
        raise already_submitted(previous, option)
    check_not_running(store, campaign.name)
    document = store.get("campaigns", campaign.name)
    if document is None:
        return
    record = CampaignRecord.model_validate(document)
    changes = changes_of(record, campaign, run)
    if changes and not update:
        raise InputError(
            "campaign", campaign.name, problem=f"is in the store with {', '.join(changes)}",
            hint="--update keeps every finished calculation and recomputes what the change touches; "
            "another name keeps both",
        )  # fmt: skip
    if record.status == "finished" and not changes:
        raise InputError(
            "campaign", campaign.name, problem="is finished: nothing is missing",
            hint=f"'ninefold query -c {campaign.name}' lists its candidates",
        )  # fmt: skip


def _submit(
    store: Store,
    launchpad: CampaignLaunchPad,
    campaign: Campaign,
    flow: Any,
    run: Run,
    cluster: str,
    kinds: tuple[str, ...],
    previous: dict[str, Any] | None,
    *,
    what: str,
    accept_changes: bool = False,
    has_spool: bool = False,
    held: str | None = None,
    places: int | None = None,
    shard_seconds: float = SHARD_SECONDS,
) -> Submission:
    from ninefold.flows.register import register
    from ninefold.flows.resources import ACCELERATED
    from ninefold.run.fireworks import Submitted, workflow_of

    name = campaign.name
    workflow = workflow_of(flow, Submitted(name, run.identifier, cluster, kinds, has_spool), store)
    document = {
        "_id": name, "run": run.identifier, "what": what, "workflow": run.workflow,
        "workflow_content": run.workflow_content, "cluster": cluster, "kinds": list(kinds), "created": now(),
        "state": "inserting", "held": held, "has_spool": has_spool, "places": places,
        "shard_seconds": shard_seconds, "previous": previous,
    }  # fmt: skip
    submissions = launchpad.submissions
    submissions.replace_one({"_id": name}, document, upsert=True)
    try:
        first = _insert(launchpad, workflow)
        # with an accelerated engine the method is that of the node: the first job of the flow registers it there
        if what == "screen" and not any(method.name in ACCELERATED for method in campaign.methods):
            register(store, campaign, run, accept_changes=accept_changes)
        submissions.update_one({"_id": name}, {"$set": {"state": "submitted"}})
    except BaseException:
        _undo(launchpad, name, run.identifier, previous)
        raise
    remove_previous(launchpad, document)
    for fw_id in first:
        launchpad.resume_fw(fw_id)
    return Submission(name, run.identifier, len(workflow.fws), campaign.execution.compositions_per_job)


def _insert(launchpad: CampaignLaunchPad, workflow: Any) -> list[int]:
    """Write a workflow, its first jobs paused; gives the ids of these.

    The workflow goes first: a job that is found has one.
    """
    fireworks = list(workflow.id_fw.values())
    start = launchpad.get_new_fw_id(quantity=len(fireworks))
    order = sorted(workflow.id_fw, reverse=True)  # FireWorks counts new ones down from -1
    new = {old: start + place for place, old in enumerate(order)}
    for firework in fireworks:
        firework.fw_id = new[firework.fw_id]
    workflow._reassign_ids(new)
    roots = sorted(workflow.root_fw_ids)
    for root in roots:
        workflow.id_fw[root].state = workflow.fw_states[root] = "PAUSED"
    launchpad.workflows.insert_one(workflow.to_db_dict())
    launchpad.fireworks.insert_many([firework.to_db_dict() for firework in fireworks])
    return roots


def _previous(launchpad: CampaignLaunchPad, campaign: str) -> dict[str, Any] | None:
    """The last submission that is whole; what was cut short is removed, or released if only that is left."""
    found: dict[str, Any] | None = launchpad.submissions.find_one({"_id": campaign})
    if found is None:
        return None
    if found["state"] == "inserting":  # whoever wrote it holds the lease no more
        previous: dict[str, Any] | None = found.get("previous")
        _undo(launchpad, campaign, found["run"], previous)
        return previous
    remove_previous(launchpad, found)
    release_first(launchpad, found)
    found.pop("previous", None)
    return found


def _undo(launchpad: CampaignLaunchPad, campaign: str, run: str, previous: dict[str, Any] | None) -> None:
    """Remove what a submission has written so far; where the server is gone, the next submission does it."""
    try:
        remove_run(launchpad, run)
        if previous is None:
            launchpad.submissions.delete_one({"_id": campaign, "run": run})
        else:
            launchpad.submissions.replace_one({"_id": campaign, "run": run}, previous)
    except (PyMongoError, NinefoldError):
        return
