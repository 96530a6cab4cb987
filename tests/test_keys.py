import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ninefold.keys import content_key, structure_key

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(1 - 2**53, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
# thousandths: away from where rounding tips over
FRACTIONS = st.integers(0, 999).map(lambda value: value / 1000)
SITES = st.lists(st.tuples(FRACTIONS, FRACTIONS, FRACTIONS), min_size=1, max_size=5)
NOISE = st.floats(-1e-9, 1e-9)
CELL = [[4.1, 0.0, 0.0], [0.5, 5.2, 0.0], [0.0, -0.3, 6.3]]
HYDROGEN = ["H"] * 5


def shuffled(value, random):
    if isinstance(value, dict):
        items = [(key, shuffled(item, random)) for key, item in value.items()]
        random.shuffle(items)
        return dict(items)
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value


def test_same_key_in_another_process():
    value = {"b": [1, 2.5, None, True], "a": {"é": 1e-17, "z": 0.1 + 0.2}}
    code = "import json, sys\nfrom ninefold.keys import content_key\nprint(content_key(json.loads(sys.argv[1])))"
    keys = {
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(value)],
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert keys == {content_key(value)}


def test_key_never_changes():
    # stores on people's disks are found by these
    assert content_key("ninefold", 1.0) == hashlib.sha256(b'["ninefold",1]').hexdigest()
    assert content_key({"b": [0.5, None], "a": True}) == hashlib.sha256(b'[{"a":true,"b":[0.5,null]}]').hexdigest()


@given(VALUES, st.randoms(use_true_random=False))
def test_order_of_a_dictionary_does_not_matter(value, random):
    assert content_key(value) == content_key(shuffled(value, random))


@given(VALUES, VALUES)
def test_other_content_other_key(one, other):
    same = canonical(one) == canonical(other)
    assert (content_key(one) == content_key(other)) == same


def canonical(value):
    """Content as a comparable value: 1 and 1.0 are one, True and 1 are not."""
    if isinstance(value, dict):
        return ("dict", frozenset((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("list", tuple(canonical(item) for item in value))
    return ("bool" if isinstance(value, bool) else "", value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0), (0.0, -0.0), ((1, 2), [1, 2]), (np.float64(0.5), 0.5), (np.int64(3), 3),
        (np.array([[1, 2.5]]), [[1, 2.5]]), (np.bool_(True), True), ({"a": (1,)}, {"a": [1.0]}),
    ],
)  # fmt: skip
def test_equal(one, other):
    assert content_key(one) == content_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), (True, 1), (None, "null"), ([1, [2]], [[1], 2]), ("a", "A"), ([], {})]
)
def test_different(one, other):
    assert content_key(one) != content_key(other)


def test_parts_are_not_run_together():
    assert content_key("ab", "c") != content_key("a", "bc") != content_key(["a", "bc"])


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), float("inf")])
def test_what_has_no_canonical_form_has_no_key(value):
    with pytest.raises((TypeError, ValueError)):
        content_key(value)


@settings(deadline=None)
@given(SITES, st.lists(NOISE, min_size=24, max_size=24))
def test_noise_is_ignored(sites, noise):
    cell = np.array(CELL) + np.reshape(noise[:9], (3, 3))
    moved = np.array(sites) + np.reshape(noise[9:], (5, 3))[: len(sites)]
    assert structure_key(cell, HYDROGEN[: len(sites)], moved) == structure_key(CELL, HYDROGEN[: len(sites)], sites)


@settings(deadline=None)
@given(SITES, st.lists(st.integers(-50, 50), min_size=15, max_size=15))
def test_whole_cells_are_ignored(sites, cells):
    moved = np.array(sites) + np.reshape(cells, (5, 3))[: len(sites)]
    assert structure_key(CELL, HYDROGEN[: len(sites)], moved) == structure_key(CELL, HYDROGEN[: len(sites)], sites)


@settings(deadline=None)
@given(SITES, st.integers(0, 4), st.integers(0, 2), st.floats(1e-6, 0.4))
def test_a_moved_atom_is_another_structure(sites, atom, axis, shift):
    moved = np.array(sites)
    moved[atom % len(sites), axis] += shift
    assert structure_key(CELL, HYDROGEN[: len(sites)], moved) != structure_key(CELL, HYDROGEN[: len(sites)], sites)


def test_another_cell_or_element_is_another_structure():
    sites = [[0, 0, 0], [0.5, 0.5, 0.5]]
    stretched = (np.array(CELL) * 1.00001).tolist()
    keys = {
        structure_key(CELL, ["K", "H"], sites), structure_key(CELL, ["H", "K"], sites),
        structure_key(stretched, ["K", "H"], sites), structure_key(CELL, ["K", "H", "H"], [*sites, [0.1, 0, 0]]),
    }  # fmt: skip
    assert len(keys) == 4
