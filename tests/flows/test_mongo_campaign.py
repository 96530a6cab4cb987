"""A campaign on a MongoDB server: the same results as on SQLite, and its login nowhere."""

import json

import pytest
import yaml

import mongo_server
from campaign_run import QUICK, ninefold, what_matters, with_pairs
from ninefold.flows import ScreenMaker
from ninefold.flows.verify_makers import VerifyMaker
from ninefold.store import open_store

pytestmark = pytest.mark.cluster

SMALL = {
    **QUICK, "space": [{"centres": ["Re"], "cations": ["K"], "n": [8, 9], "m": 0}],
    "structures": {**QUICK["structures"], "rounds": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def address():
    mongo_server.server()
    return mongo_server.address_of(mongo_server.unused_database())


@pytest.fixture(scope="module")
def runs(tmp_path_factory, address):
    """What `run --json` gives on both backends, the login given by `--store`."""
    folder = tmp_path_factory.mktemp("mongo")
    environment = with_pairs(folder / "plugin")
    (folder / "campaign.yaml").write_text(yaml.safe_dump(SMALL))
    found = {}
    for name, store, workers in (("SQLite", "ninefold.db", 1), ("MongoDB", address, 2)):
        done = ninefold(
            "run", "campaign.yaml", "--json", "--store", store, "--workers", workers, cwd=folder, env=environment
        )
        assert done.returncode == 0, done.stderr
        found[name] = done.stdout
    return folder, environment, found


def test_the_ranking_is_that_on_sqlite(runs):
    _, _, found = runs
    rows = {name: json.loads(text)["candidates"] for name, text in found.items()}
    keys = ("id", "rank", "score", "formula", "e_above_hull", "energy_per_atom", "status")
    ranking = {name: [tuple(row.get(key) for key in keys) for row in of_one] for name, of_one in rows.items()}
    assert {1, 2} <= {row[1] for row in ranking["SQLite"]}
    assert ranking["MongoDB"] == ranking["SQLite"]


def test_every_document_is_that_on_sqlite(runs, address):
    folder, _, _ = runs
    assert what_matters(address) == what_matters(folder / "ninefold.db")
    with open_store(folder / "ninefold.db") as one, open_store(address) as other:
        for pool in one.iterate("pools", fields=["packings"]):
            assert other.blobs.get(pool["packings"]) == one.blobs.get(pool["packings"])


def test_commands_answer_from_it_and_a_finished_campaign_stays_finished(runs, address):
    folder, environment, _ = runs
    with_store = {**environment, "NINEFOLD_STORE": address}
    for arguments in (
        ["status"],
        ["query", "n = 9"],
        ["report", "-o", "r.html"],
    ):
        done = ninefold(*arguments, cwd=folder, env=with_store)
        assert done.returncode == 0, done.stderr
    again = ninefold("run", "campaign.yaml", cwd=folder, env=with_store)
    assert again.returncode == 0, again.stderr
    assert "is finished" in again.stderr


def test_the_password_is_in_no_document_flow_report_or_output(runs, address):
    folder, _, found = runs
    password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
    if not password:
        pytest.skip("the server asks for no login")
    database = mongo_server.client()[address.rpartition("/")[2].partition("?")[0]]
    for collection in database.list_collection_names():
        assert password not in str(list(database[collection].find()))
    assert password not in "".join(found.values())
    assert not [path for path in folder.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    for maker in (ScreenMaker(), VerifyMaker(settings={"method": {"name": "sevennet"}})):
        flow = maker.make({**QUICK, "engine": {"name": "chgnet"}}, address)
        assert password not in json.dumps(flow.as_dict(), default=str)


def test_a_campaign_file_with_a_login_is_refused(runs, address):
    folder, environment, _ = runs
    for content in ({**QUICK, "store": "mongodb://ada:geheim@host/db"}, {"store": "mongodb://ada:geheim@host/db"}):
        (folder / "login.yaml").write_text(yaml.safe_dump(content))
        done = ninefold("run", "login.yaml", cwd=folder, env=environment)
        assert done.returncode == 2
        assert "login.yaml: store: 'mongodb://***@host/db' holds a login" in done.stderr
        assert "geheim" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
    (folder / "login.yaml").unlink()
