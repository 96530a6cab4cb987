import fcntl
import os
import shutil

import pytest
import yaml
from hypothesis import settings

# the same examples on every machine; HYPOTHESIS_PROFILE=explore looks for new ones
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

# one thread per process, as every worker of a campaign: results do not depend on the core count. Before any module of
# the command line sets them: commands are forked from an interpreter only where these are as it has them
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"


def campaign_once(tmp_path_factory, settings, environment):
    """A folder with a finished campaign, run by the first of the processes that share the tests; each gets a copy."""
    from campaign_run import ninefold

    name, base = settings["name"], tmp_path_factory.getbasetemp()
    of_all = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    shared = of_all / f"campaign-{name}"
    with (of_all / f"campaign-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "run.txt").exists():
            shutil.rmtree(shared, ignore_errors=True)
            shared.mkdir()
            (shared / "campaign.yaml").write_text(yaml.safe_dump(settings))
            # in an interpreter of its own: what is compared with it has another hash seed
            done = ninefold("run", "campaign.yaml", cwd=shared, env=environment, fresh=True)
            assert done.returncode == 0, done.stderr
            (shared / "run.txt").write_text(done.stdout)
    return shutil.copytree(shared, tmp_path_factory.mktemp(name) / "here")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder with a finished campaign: campaign.yaml, ninefold.db, tiny-report.html, run.txt."""
    from campaign_run import CAMPAIGN

    return campaign_once(tmp_path_factory, CAMPAIGN, {})


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """The environment with the engine of the quick campaign."""
    from campaign_run import with_pairs

    return with_pairs(tmp_path_factory.mktemp("plugin") / "pairs")


@pytest.fixture(scope="session")
def quick(tmp_path_factory, pairs):
    """A folder with the finished campaign `QUICK`, as `finished`; not to be changed."""
    from campaign_run import QUICK

    return campaign_once(tmp_path_factory, QUICK, pairs)


@pytest.fixture(scope="session", autouse=True)
def _no_databases_are_left():
    import mongo_server

    yield
    mongo_server.drop_databases()
