"""What a tiny queue job looks at on a compute node: `python -m ninefold.run.probe REQUEST ANSWER`.

Both files lie in the work folder, which login and compute nodes share. The answer appears whole, by a rename.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ninefold.clusters.files import spool_folder
from ninefold.clusters.finding import Finding
from ninefold.clusters.settings import Cluster
from ninefold.stages.stage import ResourceKind

LEAST_FREE = 2 * 10**9
"""Bytes of scratch below which a note is given: a DFT run with its wavefunctions needs about that."""
WRITTEN = 2**20
"""Bytes that are written to each folder and read back."""
LAUNCHERS = ("srun", "mpirun", "mpiexec", "mpiexec.hydra", "orterun", "aprun", "ibrun", "jsrun")
"""Programs that start the one that stands last in their command."""
_DATA_OF_GPAW = "gpaw_data"


def main() -> None:
    """Answer a request."""
    request, answer = (Path(argument) for argument in sys.argv[1:3])
    began, data = time.time(), json.loads(request.read_text(encoding="utf-8"))
    findings = look(Cluster.model_validate(data["cluster"]), data["kind"], data.get("mark"))
    found = {
        "node": socket.gethostname(), "python": sys.version.split()[0], "version": _version(), "began": began,
        "ended": time.time(), "findings": [finding._asdict() for finding in findings],
    }  # fmt: skip
    part = answer.with_suffix(".part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(answer)


def look(cluster: Cluster, kind: ResourceKind, mark: str | None = None) -> list[Finding]:
    """Everything that a compute node must offer for jobs of a kind.

    Args:
        cluster: Its settings.
        kind: Of the jobs.
        mark: Name of a file that lies in the spool folder, if the same folder is seen from here.
    """
    findings = [_scratch(), _spool(cluster, mark) if cluster.spool else database_finding(str(cluster.database), kind)]
    if kind == "gpu":
        findings.append(_accelerator())
    if kind == "dft":
        findings += [*_executables(cluster), *_pseudopotentials(cluster)]
    return findings


def _version() -> str:
    from ninefold import __version__

    return __version__


def folder_finding(what: str, folder: Path, advice: str) -> Finding:
    """Whether a folder can be made, written to and read."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f".check-{os.getpid()}-{socket.gethostname()}"
        try:
            content = os.urandom(WRITTEN)
            with file.open("wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
            if file.read_bytes() != content:
                return Finding(what, "failed", f"{folder}: a file is read back with other content", advice)
        finally:
            file.unlink(missing_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(what, "failed", f"{folder}: {error.strerror}", advice)
    text = f"{folder}: {free / 1e9:.0f} GB free"
    if free < LEAST_FREE:
        return Finding(what, "note", text, "a DFT run may need more")
    return Finding(what, "ok", text)


def _scratch() -> Finding:
    folder = Path(os.environ["NINEFOLD_SCRATCH"])
    return folder_finding("scratch", folder, "set 'scratch' to a folder that every node can write to")


def _spool(cluster: Cluster, mark: str | None) -> Finding:
    folder, advice = spool_folder(cluster), "set 'spool' to a folder that login and compute nodes share"
    found = folder_finding("spool", folder, advice)
    if found.status != "failed" and mark is not None and not (folder / mark).exists():
        return Finding("spool", "failed", f"{folder}: not the folder of this name that the login node sees", advice)
    return found


def database_finding(address: str, kind: str) -> Finding:
    """Whether a database can be reached and written to from here.

    Args:
        address: Without login.
        kind: Names the lease that is taken for the test, so that two nodes do not wait for each other.
    """
    from ninefold.errors import InputError, NinefoldError
    from ninefold.store import masked, open_store

    start = time.monotonic()
    try:
        with open_store(address, "write") as store:
            try:
                with store.lease(f"check_{kind}", "checks the cluster"):
                    pass
            except InputError as error:
                if not error.problem.startswith("is in use"):  # by another check, which has written it
                    raise
    except InputError as error:
        # what is told of a campaign that was interrupted is of no use here
        advice = (error.hint or "").partition(", then try again")[0]
        return Finding("database", "failed", f"{masked(address)} {error.problem}", advice)
    except NinefoldError as error:
        return Finding("database", "failed", str(error), "see the server's log")
    return Finding("database", "ok", f"{masked(address)} answers and takes writes ({time.monotonic() - start:.1f} s)")


def login_database_finding() -> Finding:
    """The database of a cluster with a spool folder, which this machine alone reaches and no file of it names."""
    from ninefold.store import resolve_store, store_file

    address = resolve_store()
    if store_file(address) is not None:
        advice = "set NINEFOLD_STORE to mongodb://HOST:PORT/DATABASE: this machine reaches it for the nodes"
        return Finding("database from here", "failed", f"NINEFOLD_STORE names no server: {address} is a file", advice)
    return database_finding(address, "login")._replace(what="database from here")


def _accelerator() -> Finding:
    try:
        import torch

        count = torch.cuda.device_count()
        names = sorted({torch.cuda.get_device_name(number) for number in range(count)})
    except Exception as error:  # a driver that does not fit torch raises what it likes
        return Finding(
            "accelerator", "failed", f"torch cannot be asked: {error}", "install a torch that fits the driver"
        )
    if count == 0:
        text = "torch sees none in this job"
        return Finding("accelerator", "failed", text, "set 'gpus' of resources.gpu, or scheduler_lines where the site "
                       "names them its own way; and a torch built for them")  # fmt: skip
    return Finding("accelerator", "ok", f"{count} x {', '.join(names)}")


def _executables(cluster: Cluster) -> Iterator[Finding]:
    """Each command of `executables`: the launcher and the program behind it."""
    for code, command in cluster.executables.items():
        what = f"executable {code}"
        try:
            words = shlex.split(os.path.expandvars(command))
        except ValueError as error:
            yield Finding(what, "failed", f"{command!r} cannot be read: {error}", f"set 'executables.{code}'")
            continue
        programs = words[:1]
        if words and Path(words[0]).name in LAUNCHERS:
            programs = [words[0], words[-1]]
        if code == "gpaw" and words == ["python"]:  # it runs in the process of ninefold, which needs no path
            yield Finding(what, "ok", f"{sys.executable}, which runs ninefold")
            continue
        missing = [program for program in programs if shutil.which(os.path.expanduser(program)) is None]
        if missing:
            yield Finding(
                what, "failed", f"{missing[0]} is not found on the node",
                "load its module ('modules'), add its folder to PATH ('environment'), or give its whole path",
            )  # fmt: skip
        else:
            yield Finding(what, "ok", ", ".join(str(shutil.which(os.path.expanduser(one))) for one in programs))


def _pseudopotentials(cluster: Cluster) -> Iterator[Finding]:
    """The folders of `pseudopotentials`; GPAW's may come as a package."""
    from importlib.util import find_spec

    for code, folder in cluster.pseudopotentials.items():
        what, path = f"pseudopotentials {code}", Path(os.path.expandvars(folder)).expanduser()
        advice = f"set 'pseudopotentials.{code}' to their folder as the node sees it"
        try:
            names = sorted(entry.name for entry in path.iterdir())
        except OSError as error:
            yield Finding(what, "failed", f"{path}: {error.strerror}", advice)
            continue
        if code == "vasp" and not any(name.startswith("POT") for name in names):
            text = f"{path} has no folder POT_...; it holds {', '.join(names[:3]) or 'nothing'}"
            yield Finding(what, "failed", text, "'pmg config -p' arranges the folders as pymatgen looks for them")
        elif not names:
            yield Finding(what, "failed", f"{path} is empty", advice)
        else:
            yield Finding(what, "ok", f"{path}: {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}")
    if "gpaw" in cluster.executables and "gpaw" not in cluster.pseudopotentials:
        missing = [name for name in ("gpaw", _DATA_OF_GPAW) if find_spec(name) is None]
        if missing:
            text = f"the package {missing[0]} is not installed where the node's Python looks"
            yield Finding("pseudopotentials gpaw", "failed", text, "pip install 'ninefold[dft]', or set "
                          "'pseudopotentials.gpaw' to the folder of PAW data sets")  # fmt: skip
        else:
            yield Finding("pseudopotentials gpaw", "ok", f"the package {_DATA_OF_GPAW}")


if __name__ == "__main__":
    main()
