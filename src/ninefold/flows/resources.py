"""What a job of a flow needs: declared by its stage, and by the method that it computes with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ninefold.engines.registry import evidence_of
from ninefold.stages import build, compress, dynamics, energies, own, prescreen, references, verify, vibrations
from ninefold.stages.stage import Resources

if TYPE_CHECKING:
    from jobflow import Job

    from ninefold.campaign.model import Campaign
    from ninefold.engines.settings import EngineSettings

ACCELERATED = frozenset({"torchsim"})
"""Engines whose method depends on whether an accelerator is there."""
_STAGES = {
    "build_structures": build.STAGE,
    "prescreen_structures": prescreen.STAGE,
    "relax_references_of": references.STAGE,
    "relax_minima_of": energies.STAGE,
    "compute_phase": verify.STAGE,
    "compute_vibrations_of": vibrations.STAGE,
    "compress_structures_of": compress.COMPRESS,
    "compute_dynamics_of": dynamics.STAGE,
}
"""Function of a job that computes a shard -> its stage."""
_DFT_CODES = ("atomate2.vasp.", "atomate2.abinit.", "atomate2.cp2k.")
_METHOD = 3
"""Place of the method among the arguments of the functions that take one."""


def resources_of(job: Job, campaign: Campaign | None) -> Resources:
    """What a job needs.

    Planning, hulls and ranks need one core. With an engine whose method depends on the accelerator they run where it
    is as well: elsewhere the same settings would name another method.

    Args:
        job: Of one of ninefold's flows; of atomate2's, whose DFT codes run where DFT does; or any other, which takes
            what its `manager_config` says.
        campaign: That the job belongs to; None where it names none.
    """
    name = getattr(job.function, "__name__", "")
    usual = Resources()
    if type(getattr(job, "maker", None)).__module__.startswith(_DFT_CODES):
        return usual._replace(kind="dft")
    if campaign is None:
        return usual
    if any(method.name in ACCELERATED for method in campaign.methods) and name != "build_structures":
        usual = usual._replace(kind="gpu")
    if name == "compute_properties_of":
        return own.own_stage(str(_argument(job, _METHOD))).stage.resources
    stage = _STAGES.get(name)
    if stage is None:
        return usual
    if name == "build_structures":
        return stage.resources
    method = 0 if name == "prescreen_structures" else int(_argument(job, _METHOD))
    return stage.resources._replace(kind=kind_of(campaign.methods[method]))


def is_planning(job: Job) -> bool:
    """Whether a job of ours makes, gathers or judges what others compute: it reads much of the store, for seconds."""
    function = getattr(job.function, "original", job.function)
    ours = str(getattr(function, "__module__", "")).startswith(("ninefold.flows.", "jobflow."))
    return ours and getattr(job.function, "__name__", "") not in {*_STAGES, "compute_properties_of"}


def kind_of(method: EngineSettings) -> Any:
    """The kind of node that a method runs on."""
    if evidence_of(method) == "DFT":
        return "dft"
    return "gpu" if method.name in ACCELERATED else "cpu"


def shard_of_job(job: Job) -> dict[str, Any] | None:
    """The shard that a job computes, if it is that of a job which is there already."""
    if getattr(job.function, "__name__", "") not in {*_STAGES, "compute_properties_of"}:
        return None
    shard = _argument(job, 2)
    return shard if isinstance(shard, dict) and "blob" in shard else None


def _argument(job: Job, place: int) -> Any:
    values = [*job.function_args, *job.function_kwargs.values()]
    return values[place]
