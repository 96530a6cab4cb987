"""What nodes without a database give back, as the launchpad has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fireworks import FWAction

    from ninefold.run.launchpad import CampaignLaunchPad
    from ninefold.run.spool_jobs import JobName
    from ninefold.store import Store


def end_job(store: Store, launchpad: CampaignLaunchPad, name: JobName, result: dict[str, Any]) -> str | None:
    """Note in the launchpad how a job has ended; one that was given to another meanwhile stays with that one.

    Args:
        store: Takes settings and faults.
        launchpad: Where the job is.
        name: Of its file.
        result: What the node has written.

    Returns:
        What the job is called, if it has ended.
    """
    from fireworks import FWAction

    from ninefold.run.launchpad import outputs_in

    firework = launchpad.fireworks.find_one({"fw_id": name.job})
    if firework is None or name.launch not in firework["launches"]:
        return None
    if "stopped" in result:
        launchpad.release(name.job, [name.launch])
        return None
    if "machine" in result:
        give_back(store, launchpad, name, result["machine"])
        return None
    data: dict[str, Any] = {
        key: result[key] for key in ("failed", "log", "wall_seconds", "core_seconds") if key in result
    }
    action = FWAction(stored_data=data)
    if "output" in result:
        outputs_in(launchpad).update(result["output"], key=["uuid", "index"], save=result["save"])
        action = _action_of(store, firework, result, data)
    launchpad.complete_launch(name.launch, action, "COMPLETED")
    return str(firework["name"])


def give_back(store: Store, launchpad: CampaignLaunchPad, name: JobName, why: str, last: str = "") -> None:
    """Give back a job of the folder that was lost with its node; see `ninefold.run.recovery.give_back`.

    A job that was given to another meanwhile stays with that one.

    Args:
        store: Takes the fault.
        launchpad: Where the job is.
        name: Of its file.
        why: It was lost.
        last: What is said if it was lost too often; default: `why`.
    """
    from ninefold.run import recovery

    firework = launchpad.fireworks.find_one({"fw_id": name.job})
    if firework is not None and name.launch in firework["launches"]:
        recovery.give_back(store, launchpad, firework, [name.launch], why, last)


def _action_of(store: Store, firework: dict[str, Any], result: dict[str, Any], data: dict[str, Any]) -> FWAction:
    from fireworks import FWAction
    from monty.json import MontyDecoder

    from ninefold.run.fireworks import Submitted, workflow_of
    from ninefold.run.launchpad import TAG

    submitted = Submitted.of(firework["spec"][TAG])

    def workflows(*names: str) -> list[Any]:
        flows = [MontyDecoder().process_decoded(result[name]) for name in names if name in result]
        return [workflow_of(flow, submitted, store) for flow in flows]

    return FWAction(
        stored_data={**result["stored_data"], **data}, detours=workflows("replace", "detour"),
        additions=workflows("addition"), defuse_workflow=result["stop_jobflow"],
        defuse_children=result["stop_children"],
    )  # fmt: skip
