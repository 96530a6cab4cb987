import os

import pytest
import yaml
from hypothesis import settings

# the same examples on every machine; HYPOTHESIS_PROFILE=explore looks for new ones
settings.register_profile("repeat", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))

# one thread per process, as every worker of a campaign: results do not depend on the core count
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder with a finished campaign: campaign.yaml, ninefold.db, tiny-report.html, run.txt."""
    from campaign_run import CAMPAIGN, ninefold

    folder = tmp_path_factory.mktemp("campaign")
    (folder / "campaign.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    done = ninefold("run", "campaign.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "run.txt").write_text(done.stdout)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_databases_are_left():
    import mongo_server

    yield
    mongo_server.drop_databases()
