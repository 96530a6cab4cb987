"""The MongoDB backend where it is not as every store: logins, errors of the server, indexes, expiry of leases."""

import os
import signal
import stat
import subprocess
import sys
import time

import pymongo
import pytest
from contract import BACKENDS, record
from pymongo import monitoring
from pymongo.errors import AutoReconnect, OperationFailure

import mongo_server
from ninefold.cli.main import main
from ninefold.errors import InputError
from ninefold.flows.kept import Kept, calculations_of
from ninefold.store import StoreError, mongo_lease, open_store, public_address, schema
from ninefold.store.conditions import queryable, sorted_by
from ninefold.store.mongo_address import login_file
from ninefold.store.mongo_queries import parts_of
from ninefold.store.store import LeaseLostError


@pytest.fixture
def backend(tmp_path):
    found = BACKENDS["MongoDB"](tmp_path)
    yield found
    found.close()


@pytest.fixture
def store(backend):
    with backend.open() as store:
        yield store


def login_of(address):
    user, _, password = address.partition("://")[2].rpartition("@")[0].partition(":")
    if not password:
        pytest.skip("the server asks for no login")
    return user, password


# logins


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("NINEFOLD_STORE", "NINEFOLD_STORE_LOGIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_the_public_address_opens_with_the_login_of_the_environment(backend, home, monkeypatch):
    login_of(backend.address)
    backend.open().close()
    with pytest.raises(InputError, match="asks for a login"):
        open_store(public_address(backend.address))
    monkeypatch.setenv("NINEFOLD_STORE", backend.address.replace("ninefold_test", "another"))
    with pytest.raises(InputError, match="asks for a login"):
        open_store(public_address(backend.address))
    monkeypatch.setenv("NINEFOLD_STORE", backend.address)
    with open_store(public_address(backend.address)) as store:
        assert store.count("candidates") == 0


def test_the_public_address_opens_with_the_login_of_a_file_that_nobody_else_reads(backend, home):
    login_of(backend.address)
    backend.open().close()
    file = login_file()
    file.parent.mkdir()
    file.write_text(f"# of the group\n\n{backend.address}\n")
    file.chmod(0o640)
    with pytest.raises(InputError, match="can be read by others; chmod 600"):
        open_store(public_address(backend.address))
    file.chmod(0o600)
    with open_store(public_address(backend.address)) as store:
        assert store.count("candidates") == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


# what is refused: one line, exit code 2, no password


def refused(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    told = capsys.readouterr()
    assert end.value.code == 2
    assert "Traceback" not in told.err
    [line] = [line for line in told.err.splitlines() if "error:" in line]
    return line


def test_a_wrong_password(backend, monkeypatch, capsys):
    user, password = login_of(backend.address)
    wrong = backend.address.replace(password, "geheim")
    line = refused(monkeypatch, capsys, "query", "--store", wrong)
    assert "refuses the login: user or password is wrong" in line
    assert "geheim" not in line
    assert user not in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("authMechanism=PLAIN", "takes no login by the authMechanism of the address"),
        ("authMechanism=SCRAM-SHA-256", None),
        ("authMechanism=MONGODB-X509", "the authMechanism of the address needs an option or a package"),
        ("authMechanism=MONGODB-OIDC", "the authMechanism of the address needs an option or a package"),
        ("compressors=zstd", None),
    ],
)
def test_another_way_of_login(backend, monkeypatch, capsys, options, words):
    """A server that takes each of these with a password is none that we know."""
    backend.open().close()
    arguments = ("db", "init", "--store", f"{backend.address}&{options}")
    if words is None:
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert (end.value.code, capsys.readouterr().err) == (0, "")
    else:
        assert words in refused(monkeypatch, capsys, *arguments)


def test_a_login_that_is_missing(backend, monkeypatch, capsys, home):
    login_of(backend.address)
    assert "asks for a login" in refused(monkeypatch, capsys, "query", "--store", public_address(backend.address))


def test_a_database_that_is_not_ours(monkeypatch, capsys):
    mongo_server.server()
    name = mongo_server.unused_database()
    database = mongo_server.client()[name]
    database["tasks"].insert_one({"_id": "of another program"})
    address = mongo_server.address_of(name)
    assert "but not one of ninefold's" in refused(monkeypatch, capsys, "status", "--store", address)
    assert "but not one of ninefold's" in refused(monkeypatch, capsys, "run", "quickstart", "--store", address)
    assert database.list_collection_names() == ["tasks"]
    assert list(database["tasks"].find()) == [{"_id": "of another program"}]


@pytest.mark.parametrize(
    ("version", "words"), [(99, "written by a newer ninefold"), (3, "cannot read"), (None, "cannot read")]
)
def test_another_schema(monkeypatch, capsys, version, words):
    mongo_server.server()
    name = mongo_server.unused_database()
    identity = mongo_server.client()[name]["ninefold"]
    identity.insert_one({"_id": "ninefold", "schema_version": version})
    assert words in refused(monkeypatch, capsys, "status", "--store", mongo_server.address_of(name))
    with pytest.raises(InputError, match=words):
        open_store(mongo_server.address_of(name), "write")
    assert mongo_server.client()[name].list_collection_names() == ["ninefold"]


def test_no_right_to_write_is_told(store, monkeypatch):
    """By the server's error alone: FerretDB lets every login write."""

    def refuse(*_, **__):
        raise OperationFailure("not authorized on db to execute command", 13)

    monkeypatch.setattr("pymongo.collection.Collection.insert_many", refuse)
    with pytest.raises(InputError, match="this user has no right to it; the role readWrite") as caught:
        store.insert("candidates", [record("a")])
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_what_the_server_says_is_told_without_the_password(backend, store, monkeypatch):
    _, password = login_of(backend.address)

    def fail(*_, **__):
        raise OperationFailure(f"unheard of: {password}", 4711)

    monkeypatch.setattr("pymongo.collection.Collection.insert_many", fail)
    with pytest.raises(StoreError, match=r"unheard of: \*\*\*") as caught:
        store.insert("candidates", [record("a")])
    assert password not in str(caught.value)


def test_a_fresh_start_on_a_new_database_discards_nothing(backend):
    assert calculations_of("c", backend.missing) == Kept(0, 0.0, 0, 0, is_empty=True)


# answers that are lost


def lost(monkeypatch, method, times=1):
    """Let the next calls of a method of pymongo be done, and their answers be lost."""
    from pymongo.collection import Collection

    really, left = getattr(Collection, method), [times]

    def call(self, *arguments, **options):
        answer = really(self, *arguments, **options)
        if left[0]:
            left[0] -= 1
            raise AutoReconnect("connection closed")
        return answer

    monkeypatch.setattr(Collection, method, call)
    return left


def test_a_write_whose_answer_is_lost_is_done_once(store, monkeypatch):
    left = lost(monkeypatch, "insert_many")
    store.insert("candidates", [record("a", n=1), record("b", n=1)])
    assert left == [0]
    assert store.count("candidates", "n = 1") == 2


def test_a_swap_whose_answer_is_lost_is_known_as_ones_own(store, monkeypatch):
    store.put("candidates", [record("a", n=1)])
    left = lost(monkeypatch, "replace_one")
    assert store.replace("candidates", record("a", n=2), {"n": 1}) is True
    assert left == [0]
    assert store.get("candidates", "a") == {"id": "a", "n": 2}
    assert store.replace("candidates", record("a", n=3), {"n": 1}) is False


def test_retries_have_an_end(store, monkeypatch):
    monkeypatch.setattr("ninefold.store.mongo_connection.RETRY_SECONDS", 0.3)
    left = lost(monkeypatch, "count_documents", times=10**9)
    begun = time.monotonic()
    with pytest.raises(
        InputError,
        match=r"cannot be reached.*then try again, a campaign by .ninefold resume.; nothing acknowledged is lost",
    ):
        store.count("candidates")
    assert time.monotonic() - begun < 5
    assert left[0] < 10**9 - 2


# indexes


def test_every_declared_index_is_there_and_a_missing_one_is_made_when_the_store_is_opened(monkeypatch):
    mongo_server.server()
    name = mongo_server.unused_database()
    address, database = mongo_server.address_of(name), mongo_server.client()[name]
    open_store(address, "write").close()

    def there():
        return {
            (collection, *(field for field, _ in key if field != "_id"))
            for collection in schema.INDEXED
            for key in (index["key"] for index in database[collection].index_information().values())
            if key[0][0] != "_id"
        }

    declared = {(name, *fields[:-1]) for name in schema.INDEXED for fields in schema.indexes_of(name).values()}
    assert there() == declared
    for index in ("rank_id", "label_id"):
        database["candidates"].drop_index(index)
    database["candidates"].create_index([("formula", 1)], name="label_id")
    monkeypatch.setattr("ninefold.store.mongo_schema._verified", set())  # as another process
    open_store(address, "read").close()
    assert there() == declared - {("candidates", "rank"), ("candidates", "label")}
    open_store(address, "write").close()
    assert there() == declared


def test_unknown_values_come_by_id_whatever_index_is_read(backend, store):
    # one that is absent and one that is null are two keys of an index, which is then no order of the ids
    store.put("candidates", [record(f"{k:02d}", n=7, **({} if k % 3 else {"rank": None})) for k in range(12)])
    collection = store._connection.database["candidates"]
    by_rank = sorted_by(queryable("candidates"), [("rank", "asc")])
    [query] = [part.query for part in parts_of({}, by_rank) if part.sort == [("_id", 1)]]
    for index in collection.index_information():
        found = [row["_id"] for row in collection.find(query, sort=[("_id", 1)], hint=index)]
        assert found == [f"{k:02d}" for k in range(12)], index


@pytest.mark.parametrize("leaves", [False, True])
def test_a_process_need_not_wait_for_the_threads_of_its_connection(leaves):
    code = (
        "from pymongo.synchronous import monitor\nimport ninefold.store.mongo_connection as m\n"
        "monitor._shutdown_executors = lambda: print('waits')\n" + "m.leave_threads()\n" * leaves
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ("" if leaves else "waits\n")


def test_no_more_than_a_page_comes_at_once(backend, store):
    store.put("references", [record(f"a:{k}", campaign="a", name=f"n{k}") for k in range(10)])
    answers = []

    class Listener(monitoring.CommandListener):
        def started(self, event):
            pass

        def failed(self, event):
            pass

        def succeeded(self, event):
            if found := event.reply.get("cursor"):
                answers.append([set(row) for row in found.get("firstBatch", found.get("nextBatch"))])

    with pymongo.MongoClient(backend.address, event_listeners=[Listener()]) as listening:
        store._connection.database = listening.get_default_database()
        rows = store.iterate("references", equal={"campaign": "a"}, fields=["name"], page=4)
        next(rows)
        assert answers == [[{"_id", "name"}] * 4]
        assert [row["id"] for row in rows] == [f"a:{k}" for k in range(1, 10)]
        assert [len(answer) for answer in answers if answer] == [4, 4, 2]


# leases


def test_a_lease_of_another_machine_is_free_when_its_heartbeats_end(backend, store, monkeypatch):
    monkeypatch.setattr(mongo_lease, "EXPIRY_SECONDS", 1.0)
    monkeypatch.setattr(mongo_lease, "HEARTBEAT_SECONDS", 0.2)
    elsewhere = monkeypatch.context()
    elsewhere.__enter__().setattr(mongo_lease, "_machine", lambda: "another")
    with backend.open() as other, other.lease("executor", "first") as first:
        elsewhere.__exit__(None, None, None)
        time.sleep(1.5)  # it beats
        with pytest.raises(InputError, match="first"), store.lease("executor", "second"):
            pass
        first._ended.set()  # as if it had been cut off
        deadline = time.monotonic() + 10
        while store.lease_holder() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with store.lease("executor", "second") as second:
            assert second.token > first.token
            first._confirmed -= 1000
            with pytest.raises(LeaseLostError, match="taken over"):
                other.put("candidates", [record("a")])
            store.put("candidates", [record("b")])
    assert store.lease_holder() is None
    assert [row["id"] for row in store.find("candidates")] == ["b"]


# many writers

WRITER = """
import time
print("ready", flush=True)
sys.stdin.readline()
for k in range(10**9):
    shared = [record(f"shared-{j}", kind="s") for j in range(k, k + 5)]
    store.insert("calculations", [record(f"{sys.argv[2]}-{k}", kind="x" * 500), *shared])
    print(f"{sys.argv[2]}-{k}", f"shared-{k + 4}", flush=True)
    if k >= int(sys.argv[3]):
        break
"""


def test_of_eight_writers_one_killed_nothing_acknowledged_is_lost_or_doubled(backend, store):
    processes = [backend.process(WRITER, name, 10**9 if name == "k" else 25) for name in "abcdefgk"]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    *others, killed = processes
    first = [killed.stdout.readline() for _ in range(10)]
    os.kill(killed.pid, signal.SIGKILL)
    lines = [*first, *killed.communicate()[0].splitlines(keepends=True)]
    for process in others:
        lines += process.communicate(timeout=120)[0].splitlines(keepends=True)
        assert process.returncode == 0
    acknowledged = {name for line in lines if line.endswith("\n") for name in line.split()}
    assert len(acknowledged) > 7 * 26
    there = [row["id"] for row in store.iterate("calculations", fields=["id"])]
    assert acknowledged <= set(there)
    assert len(there) == len(set(there)) == store.count("calculations")
