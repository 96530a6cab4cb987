"""The submissions in a launchpad: found, paused, cancelled, removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pymongo.errors import PyMongoError

from ninefold.errors import InputError, MissingDependencyError
from ninefold.store import open_store, store_file
from ninefold.store.locate import offer_login
from ninefold.store.mongo import connection_of
from ninefold.store.mongo_connection import one_connection

if TYPE_CHECKING:
    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.store import Store

State = Literal["inserting", "submitted", "paused", "cancelled"]
"""inserting: its jobs are being written, and none may be taken."""


@contextmanager
def launchpad_of(address: str, *, must_exist: bool = False) -> Iterator[tuple[Store, CampaignLaunchPad]]:
    """The store of an address and the launchpad in its database, over one connection.

    Args:
        address: Of the database.
        must_exist: Refuse an address without a store; otherwise one is made there.

    Raises:
        InputError: if it is a file, cannot be reached, or FireWorks is not installed.
    """
    if store_file(address) is not None:
        raise InputError(
            "database", address, problem="is a file, which the nodes of a cluster cannot write at once",
            allowed="mongodb://HOST:PORT/DATABASE",
            hint="'database' of the cluster's file or NINEFOLD_STORE names it; see docs/mongodb.md",
        )  # fmt: skip
    try:
        from ninefold.run.launchpad import CampaignLaunchPad
    except ModuleNotFoundError as error:
        if error.name != "fireworks":
            raise
        raise MissingDependencyError("--cluster", address, "fireworks", "cluster") from None
    offer_login(address)
    if must_exist:
        with open_store(address):  # a mistyped name must not make a database
            pass
    with one_connection(), open_store(address, mode="write") as store:
        connection = connection_of(store)
        try:
            yield store, CampaignLaunchPad(connection)
        except PyMongoError as error:
            raise connection.explained(error) from error


def is_active(launchpad: CampaignLaunchPad, submission: dict[str, Any]) -> bool:
    """Whether jobs of a submission are left that somebody may run."""
    from ninefold.run.launchpad import RUN, UNFINISHED

    if submission["state"] in ("inserting", "cancelled"):
        return False
    left = [state for state in UNFINISHED if state != "WAITING"]
    if launchpad.our.retried(
        lambda: launchpad.fireworks.find_one({RUN: submission["run"], "state": {"$in": left}}, {"fw_id": 1})
    ):
        return True
    workflow = launchpad.workflows.find_one({"metadata.run": submission["run"]}, {"state": 1})
    return workflow is not None and workflow["state"] not in ("COMPLETED", "DEFUSED", "FIZZLED", "ARCHIVED")


def already_submitted(submission: dict[str, Any], option: str = "") -> InputError:
    """What a second submission is told.

    Args:
        submission: The first one.
        option: How the user's commands name the database: ` --cluster NAME`, or nothing.
    """
    name = submission["_id"]
    on = f"'ninefold pause {name} --end{option}' goes on with it, " if submission["state"] == "paused" else ""
    return InputError(
        "campaign", name,
        problem=f"is already submitted to cluster {submission['cluster']!r} ({submission['created']}, "
        f"{submission['state']}), and has jobs left",
        hint=f"{on}'ninefold status --watch -c {name}{option}' follows it, 'ninefold cancel {name}{option}' ends it",
    )  # fmt: skip


def submission_of(launchpad: CampaignLaunchPad, campaign: str) -> dict[str, Any] | None:
    """The last submission of a campaign, or None."""
    found: dict[str, Any] | None = launchpad.our.retried(lambda: launchpad.submissions.find_one({"_id": campaign}))
    return None if found is None or found["state"] == "inserting" else found


def set_state(
    launchpad: CampaignLaunchPad, campaign: str, state: State, allowed: tuple[State, ...], option: str = ""
) -> dict[str, Any]:
    """Pause, go on with or cancel a submission; its workers see it before their next job.

    Args:
        launchpad: Where it is.
        campaign: Its name.
        state: The new one.
        allowed: That it may have now.
        option: See `already_submitted`.

    Raises:
        InputError: if there is none, it is in another state, or no job of it is left.
    """
    found = submission_of(launchpad, campaign)
    if found is None:
        raise not_submitted(campaign)
    if found["state"] not in allowed:
        raise InputError(
            "campaign", campaign, problem=f"is {found['state']}", allowed=f"a campaign that is {' or '.join(allowed)}"
        )
    if not is_active(launchpad, found):
        raise InputError(
            "campaign", campaign, problem="has come to its end: no job of it is left",
            hint=f"'ninefold status -c {campaign}{option}' shows it, 'ninefold retry {campaign}{option}' computes what "
            "is missing",
        )  # fmt: skip
    launchpad.our.retried(
        lambda: launchpad.submissions.update_one(
            {"_id": campaign, "run": found["run"], "state": found["state"]}, {"$set": {"state": state}}
        )
    )
    return found


def not_submitted(campaign: str) -> InputError:
    """Of a campaign that is in no launchpad."""
    return InputError(
        "campaign", campaign, problem="is not submitted to a cluster",
        hint="'ninefold submit CAMPAIGN --cluster NAME' submits one",
    )  # fmt: skip


def release_first(launchpad: CampaignLaunchPad, submission: dict[str, Any]) -> int:
    """Release the first jobs of a submission that was cut short just before; no other job is ever paused.

    Returns:
        How many there were.
    """
    from ninefold.run.launchpad import RUN

    query = {RUN: submission["run"], "state": "PAUSED"}
    found = list(launchpad.fireworks.find(query, {"fw_id": 1}))
    for firework in found:
        launchpad.resume_fw(firework["fw_id"])
    return len(found)


def remove_run(launchpad: CampaignLaunchPad, run: str) -> None:
    """Delete the jobs of a run and what they have handed to each other; not what they have stored."""
    from ninefold.run.launchpad import OUTPUTS, RUN, TAG

    found = list(launchpad.fireworks.find({RUN: run}, {"fw_id": 1, f"spec.{TAG}.job": 1}))
    launchpad.workflows.delete_many({"metadata.run": run})
    for start in range(0, len(found), 1000):
        part = found[start : start + 1000]
        launchpad.remove([row["fw_id"] for row in part])
        launchpad.db[OUTPUTS].delete_many({"uuid": {"$in": [row["spec"][TAG].get("job") for row in part]}})


def remove_previous(launchpad: CampaignLaunchPad, submission: dict[str, Any]) -> None:
    """Delete the jobs of the submission that another has taken the place of, once that one is whole."""
    previous = submission.get("previous")
    if previous is not None:
        remove_run(launchpad, previous["run"])
        launchpad.submissions.update_one({"run": submission["run"]}, {"$unset": {"previous": True}})


def held_runs(launchpad: CampaignLaunchPad) -> list[str]:
    """Runs of which no job is taken now: of submissions that are held, and those that others take the place of."""
    query = {"$or": [{"state": {"$ne": "submitted"}}, {"previous.run": {"$exists": True}}]}
    held = []
    for row in launchpad.submissions.find(query, {"state": 1, "run": 1, "previous.run": 1}):
        if row["state"] != "submitted":
            held.append(row["run"])
        if row.get("previous"):
            held.append(row["previous"]["run"])
    return held


def has_work(launchpad: CampaignLaunchPad, cluster: str) -> bool:
    """Whether a cluster has jobs that are ready, run, or wait for such; of any kind."""
    rows = launchpad.submissions.find({"state": {"$in": ["submitted", "paused"]}, "cluster": cluster})
    return any(is_active(launchpad, row) for row in rows)


class Incomplete(NamedTuple):
    """A campaign that lacks something although its jobs have ended."""

    name: str
    failed: int
    """Calculations and jobs that failed."""
    left_out: int
    """Compositions that its budget has kept from being computed."""


def incomplete_campaigns(address: str, cluster: str) -> list[Incomplete]:
    """Campaigns whose jobs on a cluster have all ended, and that lack something, with why."""
    from ninefold.flows.spending import left_out

    with launchpad_of(address) as (store, launchpad):
        rows = launchpad.submissions.find({"cluster": cluster, "state": "submitted"}, {"_id": 1})
        names = sorted(row["_id"] for row in rows)
        found = store.get_many("campaigns", names)
        lacking = [found[name] for name in names if name in found and found[name]["status"] == "incomplete"]
        return [
            Incomplete(
                row["name"], store.count("faults", equal={"campaign": row["name"]}),
                0 if (left := left_out(store, row)) is None else left.number,
            )
            for row in lacking
        ]  # fmt: skip
