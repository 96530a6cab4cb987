"""`ninefold.open`: rows, frames, structures, and entries whose phase diagram has the stored hull distances."""

import dataclasses
import subprocess
import sys
import typing

import pytest
import results_sample
from pymatgen.analysis.phase_diagram import PDPlotter, PhaseDiagram
from pymatgen.core import Structure
from results_sample import FIRST, SECOND

import ninefold
from ninefold.api import CandidateRow
from ninefold.errors import InputError
from ninefold.models.candidate import Candidate
from ninefold.models.quantities import QUANTITIES
from ninefold.store import open_store

SYSTEMS = ("H-K-Re", "Cr-H-Mg", "H-Li-Mo")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "ninefold.db"
    with open_store(path, mode="write") as store:
        results_sample.fill(store)
    return path


@pytest.fixture
def results(path):
    with ninefold.open(path) as results:
        yield results


def test_the_store_is_found_as_the_command_line_finds_it(path, monkeypatch, tmp_path):
    monkeypatch.chdir(path.parent)
    assert ninefold.open().location == str(path.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NINEFOLD_STORE", str(path))
    with ninefold.open() as results:
        assert results.location == str(path)
    assert ninefold.open(f"sqlite:///{path}").candidates(limit=1).ids
    for missing in (tmp_path / "no.db", "", 7):
        with pytest.raises(InputError):
            ninefold.open(missing)
    assert not list(tmp_path.iterdir()), "reading makes nothing"


def test_import_is_light():
    code = (
        "import sys, ninefold; assert ninefold.open;"
        "print([m for m in sys.modules if m.startswith('ninefold.') or m in ('numpy', 'pydantic', 'pymatgen')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_row_has_every_quantity_with_the_type_of_the_model():
    types = typing.get_type_hints(CandidateRow)
    fields = [field.name for field in dataclasses.fields(CandidateRow)]
    assert set(fields) == {*QUANTITIES, "composition", "properties"}
    for key in fields[:-1]:
        assert types[key] == Candidate.model_fields[key].annotation, key


def test_rows_are_what_the_store_holds(results, path):
    rows = list(results.candidates("n >= 8", sort=["-n", "e_above_hull"]))
    with open_store(path) as store:
        order = [("n", "desc"), ("e_above_hull", "asc")]
        stored = store.find("candidates", "n >= 8", equal={"is_best": True}, sort=order)
    assert [row.id for row in rows] == [document["id"] for document in stored]
    for row, document in zip(rows, stored, strict=True):
        assert {key: getattr(row, key) for key in QUANTITIES} == {key: document[key] for key in QUANTITIES}
        assert row["density"] == row.properties["density"] == document["properties"]["density"]
    assert "K2ReH9" in repr(next(row for row in rows if row.formula == "K2ReH9"))
    with pytest.raises(KeyError):
        rows[0]["nothing"]


def test_rows_come_a_page_at_a_time_in_order(results, monkeypatch):
    every = list(results.candidates(sort="-density"))
    densities = [row.properties["density"] for row in every]
    assert densities == sorted(densities, reverse=True)
    monkeypatch.setattr("ninefold.api.candidates.PAGE", 3)
    found = results.candidates(sort="-density")
    asked = []
    monkeypatch.setattr(
        results._store, "find", lambda *a, find=results._store.find, **k: asked.append(k) or find(*a, **k)
    )
    assert list(found) == every
    assert len(found) == len(every) == 22
    assert all(len(question["equal"]["id"]) <= 3 for question in asked)
    assert len(asked) == 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"filter": "n = = 9"}, "stops making sense at column 5"),
        ({"filter": "formla = \"x\""}, "'formla' is not a field; allowed: formula"),
        ({"filter": "formula = K2ReH9"}, 'text stands in double quotes: formula = "K2ReH9"'),
        ({"filter": "is_known = true"}, "TRUE and FALSE stand in capitals: is_known = TRUE"),
        ({"filter": 'n = 7) OR (n = 8', "campaign": "quickstart"}, "is not an OPTIMADE filter"),
        ({"filter": {"$ne": 1}}, "is not text"),
        ({"sort": "rnk"}, "'rnk' cannot be sorted by; allowed: rank"),
        ({"sort": "elements"}, "cannot be sorted by"),
        ({"sort": "rank; DROP TABLE candidates"}, "cannot be sorted by"),
        ({"sort": [3]}, "is not text"),
        ({"sort": 3}, "is not text"),
        ({"campaign": "x' OR '1'='1"}, "is not in the store; allowed: quickstart"),
        ({"campaign": {"$ne": ""}}, "is not text"),
        ({"method": "nonet"}, "is no method of the campaign; allowed: CHGNet 0.3.0 (9e41c07d), SevenNet omni"),
        ({"method": ""}, "is no method"),
        ({"limit": -1}, "a whole number from 0 on"),
        ({"limit": True}, "a whole number from 0 on"),
        ({"saved": "far"}, "is no saved query; allowed: near"),
        ({"saved": "near", "filter": "n = 9"}, "two questions"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_line(results, arguments, words):
    with pytest.raises(InputError) as error:
        results.candidates(**arguments)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_frame(results):
    found = results.candidates("n = 9")
    frame = found.frame()
    assert list(frame.columns) == [*QUANTITIES, "density"]
    assert list(frame["id"]) == found.ids
    assert frame["e_above_hull"].dtype == "float64"
    assert (str(frame["rank"].dtype), str(frame["is_known"].dtype)) == ("Int64", "boolean")
    assert frame["elements"][0] == ("H", "K", "Re")
    units = frame.attrs["units"]
    assert (units["e_above_hull"], units["density"]) == ("eV/atom", "g/cm3")
    assert "n" not in units
    row = next(iter(found))
    for key in QUANTITIES:
        assert frame[key].isna()[0] == (getattr(row, key) is None), key
    assert list(results.candidates().frame("formula,_ninefold_density").columns) == ["formula", "density"]
    with pytest.raises(InputError, match="'densty' is not a field; did you mean 'density'"):
        found.frame(["densty"])
    empty = results.candidates("n = 1").frame()
    assert len(empty) == 0
    assert list(empty.dtypes) == list(frame.dtypes)


def test_saved_query(results):
    found = results.candidates(saved="near")
    assert found.ids == results.candidates("e_above_hull < 0.02", sort="e_above_hull,-n", campaign="quickstart").ids
    assert len(found) > 1
    assert results.candidates(saved="near", sort="-e_above_hull").ids != found.ids


def test_campaigns(results):
    [campaign] = results.campaigns()
    assert (campaign.name, campaign.status, campaign.candidates) == ("quickstart", "finished", 22)
    assert campaign.methods == [FIRST.label, SECOND.label]
    assert campaign.queries == ["near"]


def test_methods_are_told_apart(results):
    best = results.candidates()
    assert {row.method for row in best} == {FIRST.id, SECOND.id}
    for name, method in (("chgnet", FIRST), ("SevenNet omni", SECOND), (SECOND.id[:8], SECOND), (FIRST.id, FIRST)):
        rows = list(results.candidates(method=name))
        assert {row.method for row in rows} == {method.id}, name
        assert len(rows) == 22
    assert len(results.candidates(all_methods=True)) == 44


def test_structure(results, path):
    row = next(iter(results.candidates('formula = "K2ReH9"')))
    structure = results.structure(row)
    assert isinstance(structure, Structure)
    assert structure.composition.reduced_formula == "K2ReH9"
    with open_store(path) as store:
        key = store.get("candidates", row.id)["minima"][0]["structure"]
    assert results.structure(key) == results.structure(row.id) == structure
    [without] = results.candidates("energy_per_atom IS UNKNOWN")
    for identifier, words in (
        (without.id, "has no structure"), ("x' OR 1=1", "is no candidate"), ("", "is no candidate"),
        ({"$gt": ""}, "is not text"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            results.structure(identifier)


def test_structures(results):
    best = list(results.structures(method="chgnet"))
    assert len(best) == 21
    assert [found.candidate.id for found in best] == [
        row.id for row in results.candidates(method="chgnet") if row.structures_found
    ]  # fmt: skip
    for found in best:
        assert (found.energy_per_atom, found.place, found.is_valid) == (found.candidate.energy_per_atom, 1, True)
        assert found.structure == results.structure(found.id)
    every = list(results.structures('formula = "K2ReH9"', all_minima=True))
    assert [found.place for found in every] == [1, 2, 3, 4]
    assert [found.is_valid for found in every] == [True, True, True, False]


@pytest.mark.parametrize(("system", "method"), [*((one, FIRST) for one in SYSTEMS), ("H-K-Re", SECOND)])
def test_a_phase_diagram_of_the_entries_has_the_stored_hull_distances(results, system, method):
    entries = results.entries(system, method.label)
    diagram = PhaseDiagram(entries)
    stored = {row.id: row for row in results.candidates(f'chemical_system = "{system}"', method=method.label)}
    placed = [entry for entry in entries if entry.entry_id in stored]
    assert len(placed) == sum(row.energy_per_atom is not None for row in stored.values()) > 2
    for entry in placed:
        row = stored[entry.entry_id]
        assert entry.energy == pytest.approx(row.energy_per_atom * len(entry.structure))
        assert entry.correction == 0
        assert diagram.get_e_above_hull(entry) == pytest.approx(row.e_above_hull, abs=1e-6)
        assert diagram.get_phase_separation_energy(entry) == pytest.approx(row.phase_separation_energy, abs=1e-6)
        assert entry.data["e_above_hull"] == row.e_above_hull
    assert any(row.e_above_hull == 0 for row in stored.values()) or system == "Cr-H-Mg"
    assert any((row.e_above_hull or 0) > 0.01 for row in stored.values())
    assert {entry.parameters["method_id"] for entry in entries} == {method.id}
    assert "refuted" not in {entry.data["name"] for entry in entries}
    assert PDPlotter(diagram, backend="plotly").get_plot() is not None


def test_symbols_in_any_order_are_a_system(results):
    wanted = sorted(entry.entry_id for entry in results.entries("H-K-Re", "chgnet"))
    for system in ("Re-K-H", ["Re", "H", "K"], "K Re H", ("K", "K", "Re", "H")):
        assert sorted(entry.entry_id for entry in results.entries(system, "chgnet")) == wanted
    larger = {entry.entry_id for entry in results.entries("H-K-Li-Re", "chgnet")}
    assert larger > set(wanted), "of a larger system too"


def test_candidates_that_do_not_compete_are_left_out(tmp_path):
    with open_store(tmp_path / "s.db", mode="write") as store:
        records = results_sample.records()
        settings = {**records[0].settings, "stability": {"candidates_compete": False}}
        store.put("campaigns", [records[0].model_copy(update={"settings": settings})])
        for record in records[1:]:
            store.put(record.collection, [record])
    with ninefold.open(tmp_path / "s.db") as results:
        competing = results.entries("H-K-Re", "chgnet")
        every = results.entries("H-K-Re", "chgnet", all_candidates=True)
    assert {entry.data["kind"] for entry in competing} == {"element", "molecule", "binary", "known_hydride"}
    assert {entry.entry_id for entry in every} > {entry.entry_id for entry in competing}
    assert [entry.data["competes"] for entry in every].count(False) == len(every) - len(competing)


def test_a_lost_reference_phase_is_told(results):
    with pytest.warns(UserWarning, match="no stored hull distance: .*A reference phase is missing"):
        results.entries("Cr-H-Mg", "sevennet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("H-K-Re",), "method does not say which of the campaign's methods"),
        (("H-Li-Mo", "sevennet"), "has no reference phase of pure Mo by SevenNet omni"),
        (("H-K-Re", "chgnet", "other"), "is not in the store; allowed: quickstart"),
        (("H-K-Xx", "chgnet"), "'Xx' is not an element"),
        (("H2", "chgnet"), "'H2' is not an element"),
        (("", "chgnet"), "is not an element"),
        (([], "chgnet"), "is not an element"),
        ((None, "chgnet"), "is not an element"),
        (([{"$ne": 1}], "chgnet"), "is not an element"),
        (("Os-H", "chgnet"), "has no reference phase of pure Os"),
        (("H-Li-Be-B-C-N-O-F-Na", "chgnet"), "is too large"),
    ],
)  # fmt: skip
def test_entries_that_cannot_be_made_are_one_line(results, arguments, words):
    with pytest.raises(InputError) as error:
        results.entries(*arguments)
    assert words in str(error.value)


def test_two_campaigns_are_never_mixed(tmp_path):
    with open_store(tmp_path / "s.db", mode="write") as store:
        for seed, name in enumerate(("one", "two")):
            results_sample.fill(store, name, seed)
    with ninefold.open(tmp_path / "s.db") as results:
        with pytest.raises(InputError, match="does not say which of the store's; allowed: one, two"):
            results.entries("H-K-Re", "chgnet")
        first, second = (results.entries("H-K-Re", "chgnet", name) for name in ("one", "two"))
        assert not {entry.entry_id for entry in first} & {entry.entry_id for entry in second}
        assert len(results.candidates()) == 44
        with pytest.raises(InputError, match="is a query of several campaigns; allowed: one, two"):
            results.candidates(saved="near")
        assert results.candidates(saved="near", campaign="two").ids


def test_an_empty_store(tmp_path):
    open_store(tmp_path / "s.db", mode="write").close()
    with ninefold.open(tmp_path / "s.db") as results:
        assert results.campaigns() == []
        assert list(results.candidates()) == []
        assert len(results.candidates().frame()) == 0
        assert list(results.structures()) == []
        assert [quantity.key for quantity in results.fields()][:2] == ["id", "campaign"]
        with pytest.raises(InputError, match="holds no campaign"):
            results.entries("H-K-Re")
        with pytest.raises(InputError, match="holds no campaign"):
            results.candidates(campaign="x")
