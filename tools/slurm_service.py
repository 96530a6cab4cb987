"""A Slurm on this machine's loopback, for the tests: part of `make services`.

Two virtual nodes, n1 and n2, each a slurmd of its own. Everything lies in `.services/slurm`: configuration, state,
logs, munge's key and socket. Clients find it by SLURM_CONF=.services/slurm/slurm.conf. The daemons run as the user who
starts them, on ports that are free then; only installing Debian's packages needs root.

By hand: `slurm_service.py start|stop|restart [slurmctld|n1|n2]`.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".services" / "slurm"
CONFIGURATION = FOLDER / "slurm.conf"
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
"""Of Debian; those of bookworm bring Slurm 22.05."""
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
NODES = ("n1", "n2")
CORES, MEMORY_MB = 2, 8000
"""Of each virtual node: what Slurm counts, not what the machine has."""
SECONDS = 60.0
"""How long a daemon may take to answer."""
LONGEST = 1200.0
"""Seconds that fetching packages may take: a network that swallows packets must not stop a test for ever."""
LONGEST_SOCKET = 107
"""Characters of a socket's path, by the system's `sockaddr_un`."""

TEXT = """
ClusterName=ninefold
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
# only this machine may ask
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
# a container may have neither cgroups nor systemd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
SwitchType=switch/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
DefMemPerCPU=100
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
AccountingStorageType=accounting_storage/none
MaxArraySize=1001
ReturnToService=2
# a node that is gone is noticed within seconds, not minutes
SlurmdTimeout=15
SlurmctldTimeout=15
KillWait=5
MinJobAge=300
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={n1} CPUs={cores} RealMemory={memory} State=UNKNOWN
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={n2} CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=debug Nodes=n1,n2 Default=YES MaxTime=04:00:00 State=UP
JobSubmitPlugins=lua
"""
ACCOUNT = "paid"
"""The only account that may be named. Slurm knows accounts by a database of its own; a plugin answers in its words."""
PLUGIN = """
function slurm_job_submit(job, partitions, user)
  if job.account ~= nil and job.account ~= "" and job.account ~= "{account}" then
    return 2045 -- ESLURM_INVALID_ACCOUNT
  end
  return slurm.SUCCESS
end
function slurm_job_modify(job, record, partitions, user)
  return slurm.SUCCESS
end
"""


def main() -> None:
    """Start, stop or restart, as the arguments say."""
    action, *names = sys.argv[1:] or [""]
    if action == "start" and not names:
        sys.exit(0 if start() else 1)
    elif action == "stop" and not names:
        stop()
    elif action == "restart" and set(names) <= {"slurmctld", *NODES}:
        for name in names or ("slurmctld", *NODES):
            end(name)
            launch(name)
        wait_until_ready()
    else:
        sys.exit("usage: slurm_service.py start|stop|restart [slurmctld|n1|n2]")


def start() -> bool:
    """Bring Slurm up, unless it is; False, and a line, where its programs are missing and cannot be installed."""
    with alone():
        return start_daemons()


@contextmanager
def alone() -> Iterator[None]:
    """Wait for another that starts or stops Slurm now."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start_daemons() -> bool:
    """What `start` does, under the lock."""
    if not install():
        print("services: no Slurm: its tests are skipped; as root: apt-get install " + " ".join(PACKAGES))
        return False
    if pid_of("slurmctld") and is_ready():
        print("services: Slurm answers")
        return True
    stop_daemons()
    configure()
    for name in ("munged", "slurmctld", *NODES):
        launch(name)
    wait_until_ready()
    print(f"services: Slurm is up; SLURM_CONF={CONFIGURATION}")
    return True


def stop() -> None:
    """End what `start` started, jobs too; the state stays."""
    if FOLDER.exists():
        with alone():
            stop_daemons()
            CONFIGURATION.unlink(missing_ok=True)  # a test that finds it expects a Slurm that answers


def stop_daemons() -> None:
    """What `stop` does, under the lock."""
    if CONFIGURATION.exists() and pid_of("slurmctld"):
        run(["scancel", "--user", getpass.getuser()], check=False)
        last = time.monotonic() + SECONDS / 4
        while are_jobs_left() and time.monotonic() < last:  # their processes would outlive the daemons
            time.sleep(0.2)
    for name in (*NODES, "slurmctld", "munged"):
        end(name)


def install() -> bool:
    """Whether Slurm's programs are there; Debian's packages are installed where this user may."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print("services: installing Slurm from Debian (about 20 s, 40 MB) ...", flush=True)
        run(["apt-get", "update", "-q"])
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES])
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return not missing


def configure() -> None:
    """Write the configuration, with ports that are free now: another program may have taken the earlier ones."""
    if len(str(FOLDER / "munge.socket")) > LONGEST_SOCKET:
        sys.exit(f"services: {FOLDER} is too long for a socket's path; use a checkout with a shorter one")
    key = FOLDER / "munge.key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
    (FOLDER / "state").mkdir(exist_ok=True)
    for node in NODES:
        (FOLDER / f"spool.{node}").mkdir(exist_ok=True)
    names = ("slurmctld", *NODES)
    text = TEXT.format(
        host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=FOLDER, cores=CORES, memory=MEMORY_MB,
        **dict(zip(names, free_ports(len(names)), strict=True)),
    )  # fmt: skip
    CONFIGURATION.write_text(text.lstrip())
    (FOLDER / "job_submit.lua").write_text(PLUGIN.format(account=ACCOUNT).lstrip())


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def launch(name: str) -> None:
    """Start one daemon: `munged`, `slurmctld`, or a node's slurmd. It goes to the background by itself."""
    if name == "munged":
        files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munged.pid", "log-file": "munged.log"}
        options = [f"--{option}={FOLDER / file}" for option, file in files.items()]
        # --force: the checkout's folder may be writable by a group
        run(["munged", *options, f"--seed-file={FOLDER / 'munge.seed'}", "--force", "--num-threads=2"])
    elif name == "slurmctld":
        run(["slurmctld", "-f", str(CONFIGURATION)])
    else:
        run(["slurmd", "-f", str(CONFIGURATION), "-N", name])


def end(name: str, how: int = signal.SIGTERM) -> None:
    """End one daemon, and wait for it: with SIGKILL at last."""
    pid = pid_of(name)
    for number in (how, signal.SIGKILL):
        if pid is None:
            break
        with suppress(OSError):
            os.kill(pid, number)
        last = time.monotonic() + 10
        while pid_of(name) is not None and time.monotonic() < last:
            time.sleep(0.05)
        pid = pid_of(name)
    (FOLDER / f"{name}.pid").unlink(missing_ok=True)


def pid_of(name: str) -> int | None:
    """The process of a daemon, or None; a number that now belongs to another program counts as none."""
    program = "slurmd" if name in NODES else name
    try:
        pid = int((FOLDER / f"{name}.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_text()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return pid if program in command and state != "Z" else None


def is_ready() -> bool:
    """Whether the controller answers and both nodes take jobs."""
    try:
        done = subprocess.run(
            ["sinfo", "-h", "-N", "-p", "debug", "-o", "%t"],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=30,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and done.stdout.split() and set(done.stdout.split()) <= {"idle", "mix", "alloc"}


def are_jobs_left() -> bool:
    """Whether jobs wait, run or end."""
    done = subprocess.run(["squeue", "-h"], env=environment(), capture_output=True, text=True, timeout=30)
    return bool(done.stdout.split())


def wait_until_ready() -> None:
    """Until both nodes take jobs; a node that an earlier end left down is resumed."""
    last = time.monotonic() + SECONDS
    while not is_ready():
        if time.monotonic() > last:
            logs = "\n".join((FOLDER / f"{name}.log").read_text()[-1000:] for name in ("slurmctld", *NODES))
            sys.exit(f"services: Slurm's nodes take no jobs after {SECONDS:.0f} s; the ends of its logs:\n{logs}")
        run(["scontrol", "update", f"NodeName={','.join(NODES)}", "State=RESUME"], check=False)
        time.sleep(0.3)


def environment() -> dict[str, str]:
    """That of this process, with the address of this Slurm."""
    return {**os.environ, "SLURM_CONF": str(CONFIGURATION), "DEBIAN_FRONTEND": "noninteractive"}


def run(command: list[str], check: bool = True) -> None:
    """Run a program; what it says goes into a log, whose end is shown where it fails."""
    log = FOLDER / "log"
    with log.open("a") as file:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment(), cwd=FOLDER,
                timeout=LONGEST, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            sys.exit(f"services: {command[0]} has not ended after {LONGEST:.0f} s; see {log}")
    if check and done.returncode:
        sys.exit(f"services: {command[0]} failed; the end of {log}:\n{log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    main()
