"""The OPTIMADE server of optimade-python-tools on loopback, with structures in memory."""

import itertools
import json
import os
import socket
import threading
import time
from contextlib import contextmanager

import pytest

REQUIRED = "NINEFOLD_TEST_SERVICES"
"""Set to `required`, a missing server is a failure; set so where a submission is tested."""

_numbers = itertools.count()


def document(structure, identifier, **fields):
    """A structure as the server's collection holds it; fields of the provider's own without their prefix."""
    from optimade.adapters.structures import Structure

    made = json.loads(Structure.ingest_from(structure).entry.model_dump_json(exclude_unset=True))
    return {"id": identifier, "type": "structures", **made["attributes"], "last_modified": None, **fields}


@contextmanager
def served(documents, fields):
    """The address of a server that holds the documents.

    Args:
        documents: See `document`.
        fields: Names of the provider's own fields, which it serves as `_nfold_NAME`.
    """
    try:
        import uvicorn
        from optimade.server.config import ServerConfig
        from optimade.server.create_app import create_app
    except ImportError as error:
        missing = f"no OPTIMADE server: {error}; pip install -e '.[dev]' brings it"
        if os.environ.get(REQUIRED) == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    config = ServerConfig(
        insert_test_data=False,
        mongo_database=f"nfold_{next(_numbers)}",
        provider={"prefix": "nfold", "name": "test", "description": "test"},
        provider_fields={"structures": list(fields)},
        log_level="critical",
    )
    app = create_app(config)
    app.state.entry_collections["structures"].insert([dict(each) for each in documents])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
