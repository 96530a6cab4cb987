"""A flow as a workflow of FireWorks, by jobflow's manager, and the Firetask that runs one of its jobs.

A Firework holds its job as text, with the campaign's settings by their hash: the launchpad needs no module of the job
to hand it out, a document is some kilobytes however many settings a campaign has, and no login is in it. The store of
outputs is not in it either: the worker brings it.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fireworks import FiretaskBase, FWAction, Workflow, explicit_serialize
from fireworks.core.fworker import FWorker
from jobflow.managers.fireworks import flow_to_workflow
from monty.json import MontyDecoder, jsanitize
from pymongo.errors import PyMongoError

from ninefold.campaign import parse_campaign
from ninefold.errors import InputError, NinefoldError, description
from ninefold.flows.earlier import continued, is_out_of_time
from ninefold.flows.resources import is_planning, resources_of, shard_of_job
from ninefold.run.ending import OutOfTime
from ninefold.run.flow_run import OF_EVERY_JOB
from ninefold.run.launchpad import TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobflow import JobStore

    from ninefold.store import Store

LOGIN = "login"
"""Category of jobs that run on the login node."""
PLANNING = 10**6
"""Priority of jobs that make others or gather them: what waits for them is more than one shard."""
MOST_JOBS = 5000
"""Jobs that one job may replace itself by: they are one document, of 1.4 kB for each; BSON's limit is 16 MB."""
LOG_CHARACTERS = 4000
"""Of a job's traceback that are kept: its end."""
_SETTINGS = "@campaign"
_OF_CAMPAIGN = frozenset({"name", "space", "structures", "engine", "rules"})
"""Keys by which settings of a campaign are known among the arguments of a job."""


@dataclass(frozen=True)
class Submitted:
    """What every Firework of a submission carries."""

    campaign: str
    run: str
    cluster: str
    kinds: tuple[str, ...]
    """Of resources that the cluster has."""
    has_spool: bool = False
    """Whether its nodes see no database: what reads much of the store runs on the login node."""

    def tag(self) -> dict[str, Any]:
        """As it is in a spec."""
        return {
            "campaign": self.campaign, "run": self.run, "cluster": self.cluster, "kinds": list(self.kinds),
            "has_spool": self.has_spool,
        }  # fmt: skip

    @classmethod
    def of(cls, tag: Mapping[str, Any]) -> Submitted:
        """The inverse."""
        return cls(tag["campaign"], tag["run"], tag["cluster"], tuple(tag["kinds"]), tag["has_spool"])


@dataclass
class Place:
    """What a worker offers to the jobs that it runs."""

    store: Store
    outputs: JobStore
    on_error: Callable[[str, Exception], None]
    """Told of a job, by its name, and what it raised, if the others go on after it."""
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Campaigns that have been read, by their hash."""


working_at: ContextVar[Place] = ContextVar("working_at")


def workflow_of(flow: Any, submitted: Submitted, store: Store) -> Workflow:
    """A flow as a workflow.

    Jobs that compute shards have a priority each: the largest shard first, and of equal ones that which was planned
    first, which is the more promising. A job that takes another's output has the priority of what it goes on with.

    Args:
        flow: A jobflow `Flow` or `Job`.
        submitted: What its jobs are told.
        store: Takes the settings that the jobs name.

    Raises:
        InputError: if it has more jobs than a workflow may have.
    """
    workflow = flow_to_workflow(flow, name=getattr(flow, "name", "flow"), metadata=submitted.tag())
    if len(workflow.fws) > MOST_JOBS:
        raise InputError(
            "execution.compositions_per_job", len(workflow.fws), problem="jobs are too many for one workflow",
            allowed=f"{MOST_JOBS} jobs", hint="give more compositions to a job",
        )  # fmt: skip
    jobs = [(firework, firework.tasks[0]["job"]) for firework in workflow.fws]
    priorities = _priorities([job for _, job in jobs])
    campaigns: dict[str, Any] = {}
    for firework, job in jobs:
        needs = resources_of(job, _campaign_of(job, campaigns))
        usual = "cpu" if "cpu" in submitted.kinds else submitted.kinds[0]
        kind = needs.kind if needs.kind in submitted.kinds else usual
        own = {
            "_category": LOGIN if submitted.has_spool and is_planning(job) else kind,
            "_priority": priorities[job.uuid, job.index],
            TAG: {**submitted.tag(), "job": job.uuid},
        }
        firework.spec.update({key: value for key, value in own.items() if key not in job.config.manager_config})
        firework.tasks = [CampaignJob(job=_packed(job, store))]
    return workflow


def fireworker(worker: str, cluster: str, kinds: Iterable[str], held_runs: Iterable[str]) -> FWorker:
    """What a worker takes: jobs of its cluster and kinds, but none of runs that are paused or cancelled."""
    query: dict[str, Any] = {f"spec.{TAG}.cluster": cluster}
    if runs := sorted(held_runs):
        query[f"spec.{TAG}.run"] = {"$nin": runs}
    return FWorker(worker, category=sorted(kinds), query=query)


@explicit_serialize
class CampaignJob(FiretaskBase):
    """Runs one job of a flow: `job`, its text. What the job replaces itself by comes as a detour.

    An error of the job ends only this one, as in a run on one machine: it is told, and what needs its output is left
    out. One of input, store, files or memory is raised: the worker gives the job back.
    """

    required_params = ("job",)

    def run_task(self, fw_spec: dict[str, Any]) -> FWAction:
        """Run the job."""
        place = working_at.get()
        job = unpacked(self["job"], place)
        if (lost := lost_input(job, place.outputs)) is not None:
            return FWAction(stored_data={"left_out": f"needs the output of {lost}, which failed"})
        try:
            response = continued(job).run(store=place.outputs)
        except (*OF_EVERY_JOB, PyMongoError):  # of the store of outputs, too
            raise
        except Exception as error:
            if is_out_of_time(error):
                raise OutOfTime("stopped before the end of its queue job") from error
            place.on_error(job.name, error)
            return failed(error)
        submitted = Submitted.of(fw_spec[TAG])
        detours = [
            workflow_of(each, submitted, place.store)
            for each in (response.replace, response.detour)
            if each is not None
        ]
        additions = [] if response.addition is None else [workflow_of(response.addition, submitted, place.store)]
        return FWAction(
            stored_data=jsanitize(response.stored_data) or {}, detours=detours, additions=additions,
            defuse_workflow=bool(response.stop_jobflow), defuse_children=bool(response.stop_children),
        )  # fmt: skip


def failed(error: BaseException) -> FWAction:
    """The end of a job that failed: the jobs that take whatever is there go on without it."""
    log = "".join(traceback.format_exception(error))[-LOG_CHARACTERS:]
    return FWAction(stored_data={"failed": description(error), "log": log})


def lost_input(job: Any, outputs: JobStore) -> str | None:
    """The id of a job whose output this one cannot do without and that has none."""
    from jobflow import OnMissing

    if job.config.on_missing_references != OnMissing.ERROR:
        return None
    wanted = set(job.input_uuids)
    there = set(outputs.docs_store.distinct("uuid", {"uuid": {"$in": sorted(wanted)}})) if wanted else set()
    return next(iter(sorted(wanted - there)), None)


def _priorities(jobs: list[Any]) -> dict[tuple[str, int], int]:
    """Priority of each job."""
    shards = [(job, shard) for job in jobs if (shard := shard_of_job(job)) is not None]
    order = sorted(range(len(shards)), key=lambda place: (-shards[place][1]["count"], place))
    found = {(job.uuid, job.index): PLANNING for job in jobs}
    rank: dict[str, int] = {}
    for behind, place in enumerate(order):
        job = shards[place][0]
        rank[job.uuid] = found[job.uuid, job.index] = PLANNING - 1 - behind
    for job in jobs:
        of_inputs = [rank[uuid] for uuid in job.input_uuids if uuid in rank]
        if len(of_inputs) == 1:  # it goes on with one shard; what takes many gathers them
            found[job.uuid, job.index] = of_inputs[0]
    return found


def _campaign_of(job: Any, known: dict[str, Any]) -> Any:
    """The campaign among the arguments of a job, if there is one."""
    for value in (*job.function_args, *job.function_kwargs.values()):
        if isinstance(value, dict) and value.keys() >= _OF_CAMPAIGN:
            key = json.dumps(value, sort_keys=True)
            if key not in known:
                known[key] = parse_campaign(value)
            return known[key]
    return None


def _packed(job: Any, store: Store) -> str:
    """A job as text, its campaign's settings by their hash."""

    def packed(value: Any) -> Any:
        if isinstance(value, dict) and value.keys() >= _OF_CAMPAIGN:
            content = json.dumps(value, sort_keys=True).encode()
            key = (store.location, content)
            if key not in _stored:
                _stored[key] = store.blobs.put(content)
            return {_SETTINGS: _stored[key]}
        return value

    plain = jsanitize(job.as_dict())
    plain["function_args"] = [packed(value) for value in plain["function_args"]]
    plain["function_kwargs"] = {key: packed(value) for key, value in plain["function_kwargs"].items()}
    return json.dumps(plain)


_stored: dict[tuple[str, bytes], str] = {}
"""Store and settings -> their hash: thousands of jobs have the same."""


def unpacked(text: str, place: Place) -> Any:
    """The inverse.

    Raises:
        InputError: if this machine lacks a module that the job needs.
    """

    def with_settings(value: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {_SETTINGS}:
            key = value[_SETTINGS]
            if key not in place.settings:
                place.settings[key] = json.loads(place.store.blobs.get(key))
            return place.settings[key]
        return value

    plain = json.loads(text)
    plain["function_args"] = [with_settings(value) for value in plain["function_args"]]
    plain["function_kwargs"] = {key: with_settings(value) for key, value in plain["function_kwargs"].items()}
    try:
        return MontyDecoder().process_decoded(plain)
    except NinefoldError:
        raise
    except Exception as error:
        raise InputError(
            "job", plain.get("name"), problem=f"cannot be read here: {description(error)}",
            hint="the workers need the packages and files of the machine that submitted it",
        ) from error  # fmt: skip
