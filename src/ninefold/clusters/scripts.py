"""Queue scripts: a template of the scheduler's, filled with what a cluster file says.

The templates have the form and the names of FireWorks' queue adapters (`$${walltime}`; a line whose key has no value is
left out), so that a template of either serves both. FireWorks' own filling is not used: a misspelt key, or a `$$` in a
line of the user's, makes it leave out the line without a word.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ninefold.clusters.settings import Cluster, QueueResources, Scheduler
from ninefold.errors import InputError
from ninefold.paths import readable_file
from ninefold.shipped import config_path
from ninefold.stages.stage import ResourceKind

REQUIRED = ("job_name", "walltime", "pre_rocket", "rocket_launch")
"""Keys that a template must have: without one of them the job does nothing, or not for as long as it believes."""
TASK_VARIABLE: dict[Scheduler, str] = {
    "slurm": "SLURM_ARRAY_TASK_ID", "pbs": "PBS_ARRAY_INDEX", "sge": "SGE_TASK_ID",
}  # fmt: skip
JOB_VARIABLE: dict[Scheduler, str] = {"slurm": "SLURM_JOB_ID", "pbs": "PBS_JOBID", "sge": "JOB_ID"}
ATOMATE2_CODES = ("vasp", "abinit", "cp2k")
"""Codes whose command atomate2 reads from ATOMATE2_CODE_CMD."""
POTENTIALS_VARIABLE = {"vasp": "PMG_VASP_PSP_DIR", "gpaw": "GPAW_SETUP_PATH"}
"""Code -> variable that names the folder of its pseudopotentials."""
_KEY = re.compile(r"\$\$\{(\w+)\}")
_FIRST_TASK: dict[Scheduler, int] = {"slurm": 0, "pbs": 0, "sge": 1}
_LOG: dict[Scheduler, tuple[str, str]] = {
    "slurm": ("{folder}/%x-%j.log", "{folder}/%x-%A_%a.log"),
    "pbs": ("{folder}/", "{folder}/"),  # it names the files itself
    "sge": ("{folder}/$JOB_NAME-$JOB_ID.log", "{folder}/$JOB_NAME-$JOB_ID.$TASK_ID.log"),
}
"""Scheduler -> where the log of a job goes, and of a task of an array."""


def job_name(cluster: Cluster, kind: ResourceKind) -> str:
    """Name of the queue jobs of a kind: by it they are found again in the queue."""
    return f"ninefold-{cluster.name}-{kind}"


def queue_script(
    cluster: Cluster, needs: QueueResources, command: Sequence[str], *, name: str, folder: Path, tasks: int = 1
) -> str:
    """A queue script.

    Args:
        cluster: Of whose scheduler.
        needs: What the job asks for, of `Cluster.of`.
        command: Program and arguments; each may hold variables of the shell, and is quoted for it otherwise.
        name: Of the job.
        folder: Absolute, shared by the nodes: where the job runs and its log goes.
        tasks: More than one makes an array job.

    Raises:
        InputError: if the user's template has an unknown key, or lacks a required one.
    """
    values = values_of(cluster, needs, name=name, folder=folder, tasks=tasks)
    values["pre_rocket"] = "\n".join(_preparation(cluster, needs, tasks))
    # exec: a signal of the scheduler reaches the program itself, and its exit code is the job's
    values["rocket_launch"] = "exec " + " ".join(quoted(word) for word in command)
    return filled(template_of(cluster), values, f"cluster {cluster.name}: template {cluster.template or ''}".strip())


def template_of(cluster: Cluster) -> str:
    """The text of a cluster's template: the user's, or that of its scheduler.

    Raises:
        InputError: if it cannot be read.
    """
    if cluster.template is None:
        return config_path("clusters", f"{cluster.scheduler}.sh").read_text(encoding="utf-8")
    field = f"cluster {cluster.name}: template"
    path = readable_file(cluster.template, field, what="a queue script with keys")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(field, str(path), problem=f"cannot be read as text: {error}") from error


def check_template(cluster: Cluster) -> None:
    """Refuse a template that would be refused when a queue job is submitted.

    Raises:
        InputError: as `queue_script`.
    """
    needs = cluster.of(cluster.resources.kinds[0])
    queue_script(cluster, needs, ["true"], name="check", folder=Path("/"))


def values_of(
    cluster: Cluster, needs: QueueResources, *, name: str, folder: Path, tasks: int = 1
) -> dict[str, str | None]:
    """Key of a template -> its text, or None, whose line is left out. The commands are not among them."""
    first = _FIRST_TASK[cluster.scheduler]
    seconds = needs.wall_seconds
    memory_MB = int(1000 * needs.memory_GB)
    return {
        "job_name": name,
        "queue": needs.queue,
        "account": needs.account,
        "nodes": str(needs.nodes),
        "cores": str(needs.cores),
        "slots": str(needs.nodes * needs.cores),
        "parallel_environment": cluster.parallel_environment,
        "memory_MB": str(memory_MB),
        "memory_per_core_MB": str(memory_MB // needs.cores),
        "gpus": str(needs.gpus) if needs.gpus else None,
        "select_gpus": f":ngpus={needs.gpus}" if needs.gpus else "",
        "walltime": f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}",
        "array": f"{first}-{first + tasks - 1}" if tasks > 1 else None,
        "log": _LOG[cluster.scheduler][tasks > 1].format(folder=folder),
        "scheduler_lines": "\n".join(needs.scheduler_lines) or None,
        "launch_dir": shlex.quote(str(folder)),
    }


def filled(template: str, values: Mapping[str, str | None], field: str) -> str:
    """A template with its keys replaced.

    A line with a key that has no value is left out. A value of several lines repeats what stands before its key.

    Args:
        template: With keys as in `$${walltime}`.
        values: Key -> text or None.
        field: What the template is, for errors.

    Raises:
        InputError: if the template has a key that is not among the values, or lacks one of `REQUIRED`.
    """
    keys = set(_KEY.findall(template))
    if unknown := sorted(keys - set(values)):
        raise InputError(field, unknown[0], problem="is not a known key", allowed=", ".join(sorted(values)))
    if missing := [key for key in REQUIRED if key not in keys]:
        raise InputError(field, template, problem=f"is missing the key $${{{missing[0]}}}")
    lines = []
    for line in template.splitlines():
        texts = [values[key] for key in _KEY.findall(line)]
        if None in texts:
            continue
        if len(texts) == 1 and "\n" in str(texts[0]):
            start, end = _KEY.split(line)[0], _KEY.split(line)[2]
            lines += [f"{start}{text}{end}" for text in str(texts[0]).splitlines()]
        else:
            lines.append(_KEY.sub(lambda found: values[found[1]] or "", line))
    return "\n".join(lines) + "\n"


def quoted(word: str) -> str:
    """A word for the shell, in which variables (`$TMPDIR`) and a `~` at its beginning are still replaced."""
    if word == "~" or word.startswith("~/"):
        word = f"$HOME{word[1:]}"
    if "$" not in word:
        return shlex.quote(word)
    return '"' + re.sub(r'(["\\`])', r"\\\1", word) + '"'


def _preparation(cluster: Cluster, needs: QueueResources, tasks: int) -> list[str]:
    """Shell lines before the command: modules, activation, what the program is told of its queue job."""
    job = f"${{{JOB_VARIABLE[cluster.scheduler]}}}"
    if cluster.scheduler == "slurm" and tasks > 1:
        job = "${SLURM_ARRAY_JOB_ID}"
    task = f"_${{{TASK_VARIABLE[cluster.scheduler]}}}" if tasks > 1 and cluster.scheduler != "pbs" else ""
    codes = [
        (f"ATOMATE2_{code.upper()}_CMD", command)
        for code, command in cluster.executables.items()
        if code in ATOMATE2_CODES
    ]
    potentials = [
        (POTENTIALS_VARIABLE[code], folder)
        for code, folder in cluster.pseudopotentials.items()
        if code in POTENTIALS_VARIABLE
    ]
    return [
        # from the start of the job, as the scheduler counts
        f"export NINEFOLD_UNTIL=$(( $(date +%s) + {int(needs.working_seconds)} ))",
        f'export NINEFOLD_QUEUE_JOB="{job}{task}"',
        *(f"module load {module}" for module in needs.modules),
        *needs.environment,
        # a variable that the node does not have would name another folder: it ends the job, and the log names it
        "set -u",
        *(f"export {variable}={quoted(value)}" for variable, value in (*codes, *potentials)),
        f"export NINEFOLD_SCRATCH={quoted(f'{cluster.scratch or cluster.work_folder}/ninefold')}",
        "set +u",
        'mkdir -p "$NINEFOLD_SCRATCH"',
    ]
