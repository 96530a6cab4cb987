"""What `test_contract.py` needs of a backend, and the plain Python that it is compared with.

A further backend adds one function to `BACKENDS`.
"""

import json
import operator
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

import mongo_server
from ninefold.store import Store, open_store
from ninefold.store.blobs import FolderBlobs


class Record(NamedTuple):
    """The least that a store takes; lets a test leave fields out or unknown."""

    id: str
    content: dict[str, Any]

    def model_dump_json(self) -> str:
        return json.dumps({"id": self.id, **self.content})


def record(id, **content):
    return Record(id, content)


class Backend(NamedTuple):
    """An empty place for a store of one kind."""

    address: str
    """For `open_store`, in this process and in others."""
    raw_blob: Callable[[str], bytes]
    """The stored bytes of a blob, as the backend keeps them."""
    set_raw_blob: Callable[[str, bytes], None]
    """Replace them, as a failing disk would."""
    missing: str
    """The address of a store that is not there."""
    close: Callable[[], None] = lambda: None
    """When the test has ended."""

    def open(self, mode="write") -> Store:
        return open_store(self.address, mode)

    def process(self, code, *arguments):
        """Another Python process that runs code with `address` and `store`, open for writing."""
        begin = (
            "import sys\nfrom contract import record\nfrom ninefold.store import open_store\n"
            "address = sys.argv[1]\nstore = open_store(address, 'write')\n"
        )
        path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        return subprocess.Popen(
            [sys.executable, "-c", begin + code, self.address, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip


def _sqlite(address, file):
    blobs = FolderBlobs(file.with_name(f"{file.name}.files"))
    return Backend(
        address,
        lambda sha256: blobs.file(sha256).read_bytes(),
        lambda sha256, content: blobs.file(sha256).write_bytes(content),
        address.replace("s.db", "missing.db"),
    )


def _mongodb(_):
    name = mongo_server.empty_database()

    def piece(sha256):
        database = mongo_server.client()[name]
        [file] = database["blobs.files"].find({"filename": sha256})
        return database["blobs.chunks"], {"files_id": file["_id"], "n": 0}

    def raw_blob(sha256):
        pieces, query = piece(sha256)
        return pieces.find_one(query)["data"]

    def set_raw_blob(sha256, content):
        pieces, query = piece(sha256)
        assert pieces.update_one(query, {"$set": {"data": content}}).matched_count == 1

    missing = mongo_server.address_of(mongo_server.unused_database())
    return Backend(mongo_server.address_of(name), raw_blob, set_raw_blob, missing, lambda: mongo_server.give_back(name))


BACKENDS: dict[str, Callable[[Path], Backend]] = {
    "SQLite by path": lambda folder: _sqlite(str(folder / "s.db"), folder / "s.db"),
    "SQLite by URI": lambda folder: _sqlite(f"sqlite:///{folder / 's.db'}", folder / "s.db"),
    "MongoDB": _mongodb,
}
"""Name -> makes an empty place, given a folder of its own."""


# the oracle: random documents, and filters as (text, three-valued function of a document)

NUMBERS = ("n", "m", "q", "e_above_hull", "rank", "score")
TEXTS = ("label", "source")
"""Those of one spelling only; chemistry has more, see test_values.py."""
LISTS = ("elements", "cations")
WORDS = ("", "K", "k", "K%", "_", 'a "quoted" \\ one', "host:K2ReH9", "100%", "h*?", "[a", "é", "\uffff", "\U0001d7d7")
"""Text with what is special in SQL, GLOB and regular expressions, and beyond the basic plane."""
SYMBOLS = ("H", "K", "Re", "Li", "Cr", "Mg", "Mo", "Y")
VALUES = (0, 1, 2, 7, 8, 9, 0.02, -0.01, 0.2, 1e9)
OPERATORS = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
FUZZY = {"CONTAINS": lambda have, want: want in have, "STARTS": str.startswith, "ENDS WITH": str.endswith}
SETS = {
    "ALL": lambda have, want: set(want) <= set(have), "ANY": lambda have, want: bool(set(want) & set(have)),
    "ONLY": lambda have, want: set(have) <= set(want),
}  # fmt: skip

DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {
            **{key: st.none() | st.sampled_from([0, 1, 2, 7, 8, 9]) for key in ("n", "m", "q", "rank")},
            **{key: st.none() | st.sampled_from(VALUES).map(float) for key in ("e_above_hull", "score")},
            **{key: st.none() | st.sampled_from(WORDS) for key in TEXTS},
            **{key: st.none() | st.lists(st.sampled_from(SYMBOLS), max_size=4, unique=True) for key in LISTS},
            "is_known": st.none() | st.booleans(),
        }
    ),
    max_size=6,
)


def known(field, function):
    return lambda document: None if document.get(field) is None else function(document[field])


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def comparisons(draw):
    kind = draw(st.sampled_from(["number", "text", "fuzzy", "set", "length", "known", "truth"]))
    sign = draw(st.sampled_from(list(OPERATORS)))
    if kind == "number":
        field, value = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(VALUES))
        return f"{field} {sign} {value}", known(field, lambda have: OPERATORS[sign](have, value))
    if kind == "length":
        field, value = draw(st.sampled_from(LISTS)), draw(st.integers(0, 5))
        return f"{field} LENGTH {sign} {value}", known(field, lambda have: OPERATORS[sign](len(have), value))
    if kind == "known":
        field = draw(st.sampled_from([*NUMBERS, *TEXTS, *LISTS]))
        return f"{field} IS KNOWN", lambda document: document.get(field) is not None
    if kind == "truth":
        value = draw(st.booleans())
        return f"is_known = {str(value).upper()}", known("is_known", lambda have: have == value)
    if kind == "set":
        field, word = draw(st.sampled_from(LISTS)), draw(st.sampled_from(list(SETS)))
        values = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=4))
        text = f"{field} HAS {word} {', '.join(map(quoted, values))}"
        return text, known(field, lambda have: SETS[word](have, values))
    field, whole = draw(st.sampled_from(TEXTS)), draw(st.sampled_from(WORDS))
    place = draw(st.integers(0, len(whole)))
    value = draw(st.sampled_from([whole, whole[place:], whole[:place]]) | st.text("K%_\\\"'Re9h*?é", max_size=4))
    if kind == "text":
        return f"{field} {sign} {quoted(value)}", known(field, lambda have: OPERATORS[sign](have, value))
    word = draw(st.sampled_from(list(FUZZY)))
    return f"{field} {word} {quoted(value)}", known(field, lambda have: FUZZY[word](have, value))


def _negated(one):
    text, function = one
    return f"NOT ({text})", lambda document: None if (value := function(document)) is None else not value


def _both(pair):
    (left, first), (right, second) = pair

    def function(document):
        values = {first(document), second(document)}
        return False if False in values else None if None in values else True

    return f"({left}) AND ({right})", function


def _either(pair):
    (left, first), (right, second) = pair

    def function(document):
        values = {first(document), second(document)}
        return True if True in values else None if None in values else False

    return f"({left}) OR ({right})", function


FILTERS = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        inner.map(_negated), st.tuples(inner, inner).map(_both), st.tuples(inner, inner).map(_either)
    ),
    max_leaves=5,
)
ORDERS = st.lists(
    st.tuples(st.sampled_from([*NUMBERS, *TEXTS, "is_known", "id"]), st.sampled_from(["asc", "desc"])), max_size=3
)


def in_order(documents, sort):
    """Documents sorted as a store does: unknown values last both ways, ties by id."""
    rows = sorted(documents, key=lambda document: document["id"])
    for field, direction in reversed(sort):
        there = [row for row in rows if row[field] is not None]
        there.sort(key=lambda row: row[field], reverse=direction == "desc")
        rows = there + [row for row in rows if row[field] is None]
    return rows
