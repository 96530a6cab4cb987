"""A complete search through the launchpad, in a store on the database server: that of a run on one machine."""

import pytest
import yaml

pytest.importorskip("fireworks", reason="needs ninefold[cluster]")

from campaign_run import ninefold, what_matters
from complete_campaign import COMPLETE, ENGINE, SYSTEM
from launchpad_place import address as address
from ninefold.enumeration import complete_assignments
from ninefold.store import open_store, public_address

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def folder(tmp_path_factory, address):
    folder = tmp_path_factory.mktemp("complete")
    (folder / "engines.py").write_text(ENGINE)
    (folder / "campaign.yaml").write_text(yaml.safe_dump(COMPLETE))
    cluster = {
        "scheduler": "slurm", "work_folder": str(folder), "database": public_address(address),
        "resources": {"cpu": {"cores": 1, "memory_GB": 2, "wall_time": "01:00:00"}},
    }  # fmt: skip
    (folder / "here.yaml").write_text(yaml.safe_dump(cluster))
    return folder


def command(*arguments, folder, store):
    done = ninefold(*arguments, cwd=folder, env={"NINEFOLD_STORE": store})
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_every_document_is_that_of_a_run_on_one_machine(folder, address):
    command("run", "campaign.yaml", folder=folder, store="ninefold.db")
    command("submit", "campaign.yaml", "--cluster", "here.yaml", folder=folder, store=address)
    command(
        "work", "--cluster", "./here.yaml", "--resources", "cpu", "--idle-seconds", "3", folder=folder, store=address
    )
    assert what_matters(address) == what_matters(folder / "ninefold.db")
    with open_store(address) as store:
        rows = store.find("candidates", equal={"is_best": True}, limit=None)
    assert {row["formula"] for row in rows} == {each.formula for each in complete_assignments(SYSTEM)}
    assert sorted(row["is_low_budget"] for row in rows) == [False] + [True] * (len(rows) - 1)
