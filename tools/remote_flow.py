"""A campaign's flow by jobflow-remote, in an environment of its own: `make test-jobflow-remote`.

jobflow-remote needs pymongo below 4.11, ninefold's environment has a newer one. `setup` makes an environment in
`.services/jobflow-remote` whose own packages, that pymongo among them, come before those of the environment that makes
it. `run` writes a project file, submits a small flow and runs it with a local worker; it needs a MongoDB server
(`make services`), and prints what became of each job as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".services" / "jobflow-remote"
VERSION = "1.0.1"
SECONDS = 900
"""How long the flow may take."""
CAMPAIGN = {
    "name": "remote", "seed": 3, "engine": {"name": "lj"},
    "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}],
    "structures": {
        "pool": 4, "single_points": 2, "coarse_relaxations": 1, "refinements": 1, "formula_units": [1],
        "coarse_steps": 3, "final_steps": 4, "rounds": 1, "sources": ["symmetric_units", "rigid_units"],
    },
    "stability": {"conditions": []},
}  # fmt: skip


def main() -> None:
    """What the first argument says."""
    if len(sys.argv) != 2 or sys.argv[1] not in ("setup", "run"):
        sys.exit("usage: remote_flow.py setup|run")
    if sys.argv[1] == "setup":
        setup()
        return
    python = FOLDER / "bin" / "python"
    if not python.exists():
        sys.exit(f"no environment in {FOLDER}: 'tools/remote_flow.py setup' makes one")
    if Path(sys.prefix) == FOLDER:
        run()
        return
    path = os.pathsep.join([str(FOLDER / "bin"), os.environ.get("PATH", "")])
    here = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    sys.exit(subprocess.run([str(python), __file__, "run"], env=here, check=False).returncode)


def setup() -> None:
    """Make the environment, or complete it."""
    packages = FOLDER / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    if not (FOLDER / "bin" / "pip").exists():
        venv.create(FOLDER, with_pip=True)
    # behind its own packages: the last file of paths by name
    (packages / "zz_ninefold.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    command = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # that this pymongo is not ninefold's is what the environment is for
    subprocess.run([*command, "--no-warn-conflicts", f"jobflow-remote=={VERSION}"], check=True)


def run() -> None:
    """Submit the flow and run it; called in the environment."""
    import pymongo

    from ninefold.campaign import parse_campaign
    from ninefold.flows import ScreenMaker
    from ninefold.store import open_store, public_address

    folder = Path(tempfile.mkdtemp(prefix="jobflow-remote-"))
    server = os.environ.get("NINEFOLD_TEST_MONGODB_URI") or (ROOT / ".services" / "mongodb.uri").read_text()
    server, name = server.strip(), f"ninefold_remote_{os.getpid()}"
    base, _, options = server.partition("?")
    address = base.rstrip("/") + f"/{name}_store?" + "&".join(filter(None, [options, "authSource=admin"]))
    os.environ["NINEFOLD_STORE"] = address  # from which each job takes the login
    project_file(folder, server, name)

    # reads where projects lie when it is imported
    from jobflow_remote import submit_flow
    from jobflow_remote.jobs.jobcontroller import JobController
    from jobflow_remote.jobs.runner import Runner

    controller = JobController.from_project_name("hydrides")
    try:
        controller.reset(reset_output=True, max_limit=0)
        flow = ScreenMaker().make(parse_campaign(CAMPAIGN).to_dict(), public_address(address))
        submit_flow(flow, project="hydrides", worker="here")
        Runner(project_name="hydrides").run_all_jobs(max_seconds=SECONDS)
        found = controller.get_jobs_info(limit=0)
        jobs = [{"name": job.name, "state": job.state.value, "error": job.error} for job in found]
        with open_store(address) as store:
            record = store.get("campaigns", CAMPAIGN["name"])
            searches = store.count("searches")
        print(
            json.dumps(
                {
                    "pymongo": pymongo.version, "jobs": jobs, "searches": searches,
                    "campaign": None if record is None else record["status"],
                }
            )
        )  # fmt: skip
    finally:
        with pymongo.MongoClient(server) as client:
            for database in (name, f"{name}_store"):
                client.drop_database(database)


def project_file(folder: Path, server: str, database: str) -> None:
    """The project `hydrides`: a worker on this machine, its queue in a database of the server."""
    os.environ["JFREMOTE_PROJECTS_FOLDER"] = str(folder)
    os.environ["JFREMOTE_PROJECT"] = "hydrides"
    from pymongo.uri_parser import parse_uri

    parsed = parse_uri(server)
    [(host, port), *_] = parsed["nodelist"]
    store = {
        "host": host, "port": port, "username": parsed["username"] or "", "password": parsed["password"] or "",
        "database": database,
    }  # fmt: skip
    project = {
        "name": "hydrides", "base_dir": str(folder / "hydrides"), "log_level": "warn",
        "runner": {"delay_checkout": 1, "delay_check_run_status": 1, "delay_advance_status": 1},
        "workers": {
            "here": {
                "type": "local", "scheduler_type": "shell", "work_dir": str(folder / "work"), "max_jobs": 2,
                "timeout_execute": 60,
            }
        },
        "queue": {"store": {"type": "MongoStore", **store, "collection_name": "jobs"}},
        "jobstore": {
            "docs_store": {"type": "MongoStore", **store, "collection_name": "outputs"},
            "additional_stores": {"data": {"type": "GridFSStore", **store, "collection_name": "outputs_data"}},
        },
    }  # fmt: skip
    file = folder / "hydrides.yaml"
    file.touch(mode=0o600)  # it holds the password
    file.write_text(json.dumps(project))  # which is YAML, too
    (folder / "work").mkdir()


if __name__ == "__main__":
    main()
