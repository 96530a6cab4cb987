"""The Slurm of the tests is a real one: jobs run on two nodes, and a daemon's restart loses none."""

import subprocess
import time

from slurm_server import service
from slurm_server import slurm as slurm


def sbatch(*arguments):
    done = subprocess.run(["sbatch", "--parsable", *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wait_for(path, count=1):
    last = time.monotonic() + 30
    while time.monotonic() < last:
        if path.exists() and len(lines := path.read_text().split()) >= count:
            return lines
        time.sleep(0.1)
    raise AssertionError(f"{path} has not {count} words after 30 s")


def test_two_nodes_run_jobs_side_by_side(slurm, tmp_path):
    out = tmp_path / "nodes"
    # each ends when the other has begun
    wait = f"until [ $(wc -l < {out}) -ge 2 ]; do sleep 0.1; done"
    sbatch("-o", "/dev/null", "--exclusive", "--array=0-1", "--wrap", f"echo $SLURMD_NODENAME >> {out}; {wait}")
    assert sorted(wait_for(out, 2)) == ["n1", "n2"]


def test_a_restart_of_the_controller_loses_no_job(slurm, tmp_path):
    out = tmp_path / "done"
    job = sbatch("-o", "/dev/null", "--wrap", f"sleep 1; echo $SLURM_JOB_ID >> {out}")
    service().end("slurmctld")
    service().launch("slurmctld")
    service().wait_until_ready()
    assert wait_for(out) == [job]
