"""A store of schema 2 opens as one of today's: same structures, same ids of calculations, every command answers."""

import json
import sqlite3
import sys
from contextlib import closing

import pytest
from pymatgen.core import Structure
from report_sample import assignments, toy_structure

from ninefold.cli import signals
from ninefold.cli.main import main
from ninefold.models.collections import MODELS
from ninefold.store import StoreError, open_store
from ninefold.store.details import details
from ninefold.store.records import find_damage
from ninefold.store.sqlite_upgrade import APPLICATION_ID

FINGERPRINT = "16c3607aeef458139a7b2883a88b2adda81a5487c0b17082b0328de81accc012"
ASSIGNMENTS = {assignment.formula: assignment for assignment in assignments()}
WHEN = "2026-11-27T09:50:47+00:00"


def plain(formula, scale=1.0):
    """A structure as schema 2 holds it in candidates, references and searches: pymatgen's dictionary."""
    structure = toy_structure(ASSIGNMENTS[formula]).to_structure()
    structure.scale_lattice(structure.volume * scale)
    return json.loads(json.dumps(structure.as_dict()))


def found(formula, energy, *, scale=1.0, **changes):
    structure = plain(formula, scale)
    return {
        "structure": structure, "energy_per_atom": energy, "space_group_number": 1, "space_group_symbol": "P1",
        "nsites": len(structure["sites"]), "volume_per_formula_unit": structure["lattice"]["volume"],
        "volume_ratio": 0.97, "coordination_numbers": [9], "shortest_m_h": 1.68, "shortest_h_h": 1.92,
        "max_force": 0.0069, "is_converged": True, "source": "rigid_units", "structure_type": None, "is_valid": True,
        "notes": [], "shortest_m_m": 5.28, "shortest_m_interstitial": None, **changes,
    }  # fmt: skip


UNKNOWN = (
    "energy_per_atom", "space_group_number", "space_group_symbol", "nsites", "volume_per_formula_unit", "volume_ratio",
    "is_coordination_kept", "shortest_m_h", "shortest_h_h", "shortest_m_m", "shortest_m_interstitial", "is_converged",
    "max_force", "source", "structure_type", "search_spread", "engine", "formation_energy_per_atom", "e_above_hull",
    "phase_separation_energy", "e_above_references", "e_above_hull_uncertainty", "e_above_same_composition",
    "reaction_energy_per_h2", "score", "rank", "rank_best", "rank_worst", "is_pareto",
)  # fmt: skip


def candidate(identifier, formula, structures, **changes):
    assignment = ASSIGNMENTS[formula]
    return {
        **dict.fromkeys(UNKNOWN), "relaxations": 0, "structures_found": 0, "search_rounds": 0,
        "id": identifier, "schema_version": 2, "campaign": "old", "formula": formula, "anion": assignment.anion,
        "label": assignment.label, "chemical_system": "H-K-Re", "elements": ["H", "K", "Re"], "nelements": 3,
        "centre": "Re", "cations": ["K"], "cation_counts": {"K": assignment.cations[0].count}, "group": 7,
        "n": assignment.n, "q": assignment.q, "m": assignment.m, "electron_count": 18, "oxidation_state": 7,
        "anion_class": "classical",
        "is_neighbour": False, "is_competitor": False, "prior": 0.9, "is_known": formula == "K2ReH9",
        "status": "selected", "evidence": "rule", "neighbour_of": None, "other_readings": [], "structures": structures,
        "verdicts": [
            {
                "rule": "electron_count", "mode": "gate", "value": 18.0, "unit": "electrons", "bound": "in {18}",
                "passed": True, "score": 1.0, "reason": "18 electrons", "source": "Singh, Phys. Rev. B 69 (2004)",
            }
        ],
        "lowest_by_round": [], "reasons": {}, "flags": [], "decomposition": [], "ternaries": [], "known": [],
        "conditions": [], "terms": {}, "provenance": {}, **changes,
    }  # fmt: skip


SEARCHED = {
    "engine": "CHGNet 0.3.0", "search_rounds": 2, "relaxations": 22,
    "provenance": {
        "seed": 2017, "rules": "takagi", "engine": "CHGNet 0.3.0", "engine_fingerprint": FINGERPRINT,
        "final_fmax_eV_per_A": 0.01, "reaction": "2 KH + Re + 7/2 H2 -> K2ReH9",
        "stability_notes": ["hydrogen: H2 molecule in a box"],
        "hydrogen_reference": "H2 molecule in a box, same engine", "candidates_compete": True,
    },
}  # fmt: skip
BEST, OTHER = found("K2ReH9", -4.1291), found("K2ReH9", -4.1285, scale=1.02, source="hosts:CaF2")
BROKEN = found("K3ReH10", -3.2, is_valid=False, coordination_numbers=[8], notes=["H-H 0.82 Å: an H2 ligand"])
CANDIDATES = [
    candidate(
        "090132cb245a3a70", "K2ReH9", [BEST, OTHER], **SEARCHED, status="ranked", evidence="ML", is_pareto=True,
        energy_per_atom=-4.1291, space_group_number=1, space_group_symbol="P1", nsites=12, source="rigid_units",
        structures_found=2, e_above_hull=0.0, phase_separation_energy=-0.102, e_above_references=-0.24,
        e_above_same_composition=0.0, e_above_hull_uncertainty=0.0024, search_spread=0.0003, score=0.975, rank=1,
        rank_best=1, rank_worst=1, lowest_by_round=[-4.1291, -4.1288], is_coordination_kept=True, is_converged=True,
        known=[
            {
                "name": "K2ReH9 K2ReH9", "energy_per_atom": -4.1289, "difference": -0.0002, "source": "Abrahams",
                "mark": "der", "refuted": None, "space_group_symbol": "P-62m", "found_space_group_symbol": None,
                "found_above_lowest": None,
            }
        ],
    ),
    candidate(
        "1a", "K3ReH10", [BROKEN], **SEARCHED, status="no_structure", is_coordination_kept=False,
        lowest_by_round=[None, None], reasons={"H2 formed": 3},
    ),
    candidate("2b", "K4ReH9", []),
]  # fmt: skip
RELAXED = {
    "energy_per_atom": -3.33, "max_force": 0.002, "max_stress": None, "steps": 3, "is_converged": True,
    "core_seconds": 0.03, "error": None,
    "structure": {
        "lattice": [[12.0, 9.056962336419333e-48, 0.0], [0.0, 12.0, 0.0], [0.0, 0.0, 12.0]], "species": ["H", "H"],
        "positions": [[0.0, 0.0, 0.9685936877542523], [0.0, 0.0, 0.03140631224574761]],
    },
}  # fmt: skip
RESULTS = {
    "e" * 64: ("evaluate", {"energy_per_atom": -3.4984158107212613, "core_seconds": 0.076, "error": None}),
    "f" * 64: ("relax", RELAXED),
    "a" * 64: (
        "pool",
        {
            "pool": {"sha256": "df" * 32, "count": 152}, "count_in": 160, "count_out": 152,
            "reasons": {"same minimum": 7}, "core_seconds": 13.1,
        },
    ),
    "b" * 64: (
        "search",
        {"found": [BEST, OTHER], "reasons": {"H2 formed": 1}, "relaxations": 11, "core_seconds": 20.5},
    ),
}  # fmt: skip


def reference(name, species, energy):
    lattice = [[8.0, 0.0, 0.0], [0.0, 8.0, 0.0], [0.0, 0.0, 8.0]]
    structure = Structure(lattice, species, [[0.1 * k, 0.0, 0.0] for k in range(len(species))])
    return {
        "id": f"old:{name}", "schema_version": 2, "campaign": "old", "name": name, "formula": name,
        "chemical_system": species[0], "elements": [species[0]], "kind": "molecule" if name == "H2" else "element",
        "energy_per_atom": energy, "space_group_number": None, "volume_per_atom": None, "is_converged": True,
        "engine": "CHGNet 0.3.0", "structure": structure.as_dict(), "source": "x", "mark": "src", "refuted": None,
        "notes": [],
    }  # fmt: skip


DOCUMENTS = {
    "campaigns": [
        {
            "id": "old", "schema_version": 2, "name": "old", "fingerprint": "70d5", "status": "finished",
            "settings": {"name": "old", "seed": 2017, "structures": {"final_fmax": 0.01}},
            "versions": {"ninefold": "0.1.0"}, "workflow": "screen", "created": WHEN, "finished": WHEN,
        }
    ],
    "funnel": [
        {
            "id": "old:select:0", "schema_version": 2, "campaign": "old", "stage": "select", "shard": "0",
            "count_in": 4, "count_out": 3, "unit": "compositions", "reasons": {"x": 1}, "core_seconds": 0.1,
            "wall_seconds": 0.1, "hardware": "2 cores",
        }
    ],
    "candidates": CANDIDATES,
    "references": [reference("K", ["K"], -1.09), reference("Re", ["Re"], -12.4), reference("H2", ["H", "H"], -3.33)],
    "results": [
        {"id": id, "schema_version": 2, "campaign": "old", "kind": kind, "value": value, "created": WHEN}
        for id, (kind, value) in RESULTS.items()
    ],
}  # fmt: skip


@pytest.fixture
def old(tmp_path):
    """The file; its columns are made anew whatever they were, so that it has none but the documents."""
    path = tmp_path / "ninefold.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name, documents in DOCUMENTS.items():
            connection.execute(f'CREATE TABLE "{name}" (id TEXT PRIMARY KEY, doc TEXT NOT NULL)')
            for document in documents:
                row = (document["id"], json.dumps(document))
                connection.execute(f'INSERT INTO "{name}" VALUES (?, ?)', row)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("PRAGMA user_version=2")
    return path


def test_every_document_is_one_of_todays(old):
    with open_store(old) as store:
        assert find_damage(store, MODELS) is None
        counts = {collection: store.count(collection) for collection in MODELS}
    assert counts == {
        "campaigns": 1, "compositions": 3, "methods": 1, "structures": 7, "pools": 1, "searches": 1, "minima": 2,
        "calculations": 2, "properties": 0, "references": 3, "candidates": 3, "funnel": 1, "faults": 0,
        "vibrations": 0, "trajectories": 0, "dynamics": 0,
    }  # fmt: skip


def test_structures_are_the_same_to_the_last_bit(old):
    with open_store(old) as store:
        rows = {row["composition"]: row for row in details(store, store.find("candidates"))}
    assert set(rows) == {document["id"] for document in CANDIDATES}
    for document in CANDIDATES:
        row = rows[document["id"]]
        assert len(row["structures"]) == len(document["structures"])
        for now, before in zip(row["structures"], document["structures"], strict=True):
            assert {**now, "structure": None} == {**before, "structure": None}
            now, before = Structure.from_dict(now["structure"]), Structure.from_dict(before["structure"])
            assert now.lattice.matrix.tolist() == before.lattice.matrix.tolist()
            assert now.frac_coords.tolist() == before.frac_coords.tolist()
            assert now.species == before.species


def test_fields_that_an_earlier_ninefold_did_not_write_have_their_defaults(old):
    later = ("is_competitor", "search_rounds", "other_readings", "known", "neighbour_of", "flags")
    with closing(sqlite3.connect(old)) as connection:
        paths = ", ".join(f"'$.{field}'" for field in later)
        connection.execute(f"UPDATE candidates SET doc = json_remove(doc, {paths}) WHERE id = '2b'")
        connection.commit()
    with open_store(old) as store:
        assert find_damage(store, MODELS) is None
        [row] = store.find("candidates", equal={"composition": "2b", "is_competitor": False})
    assert (row["search_rounds"], row["flags"]) == (0, [])


def test_a_row_says_what_the_document_said(old):
    with open_store(old) as store:
        rows = {row["composition"]: row for row in details(store, store.find("candidates"))}
    renamed = {"id", "schema_version", "structures", "provenance", "known", "other_readings"}
    for document in CANDIDATES:
        row = rows[document["id"]]
        kept = {key: row[key] for key in document if key not in renamed}
        assert kept == {key: value for key, value in document.items() if key not in renamed}
        assert row["other_assignments"] == document["other_readings"]
        stated = ("seed", "rules", "engine_fingerprint", "reaction", "final_fmax_eV_per_A", "stability_notes")
        provenance = document["provenance"]
        assert not provenance or all(row["provenance"][key] == provenance[key] for key in stated)
        assert (row["id"], row["method"]) == (
            (f"{document['id']}-16c3607a", FINGERPRINT) if provenance else (f"{document['id']}-", "")
        )


def test_what_was_computed_is_found_under_its_id(old):
    with open_store(old) as store:
        evaluated, relaxed = store.get("calculations", "e" * 64), store.get("calculations", "f" * 64)
        pool, search = store.get("pools", "a" * 64), store.get("searches", "b" * 64)
        structures = store.get_many("structures", [minimum["structure"] for minimum in search["minima"]])
        references = store.find("references")
        cells = store.get_many("structures", [relaxed["final"], *(row["structure"] for row in references)])
    assert (evaluated["kind"], evaluated["energy_per_atom"]) == ("evaluate", -3.4984158107212613)
    assert {key: relaxed[key] for key in RELAXED if key != "structure"} == {
        key: value for key, value in RELAXED.items() if key != "structure"
    }
    final = {key: cells[relaxed["final"]][key] for key in RELAXED["structure"]}
    assert (final, relaxed["start"]) == (RELAXED["structure"], None)
    assert (pool["packings"], pool["count_in"], pool["core_seconds"]) == ("df" * 32, 160, 13.1)
    assert [minimum["energy_per_atom"] for minimum in search["minima"]] == [-4.1291, -4.1285]
    assert len(structures) == 2
    assert {row["method"] for row in references} == {FINGERPRINT}
    assert {row["provenance"] for row in references} == {"published"}
    assert sorted(len(cells[row["structure"]]["species"]) for row in references) == [1, 1, 2]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command line in this process: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    monkeypatch.delenv("NINEFOLD_DEBUG", raising=False)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, *capsys.readouterr()

    return run


def test_every_reading_command_answers(old, run, tmp_path):
    code, out, _ = run("query", "--json", "--fields", "formula,status,e_above_hull", "--sort", "formula")
    rows = [("K2ReH9", "ranked", 0.0), ("K3ReH10", "no_structure", None), ("K4ReH9", "selected", None)]
    assert (code, [tuple(row.values()) for row in json.loads(out)]) == (0, rows)
    code, out, _ = run("show", "090132cb245a3a70")  # an id that stands in someone's notes
    assert code == 0
    assert "−0.102" in out
    assert "18 electrons" in out
    assert "rigid_units: made before the store recorded where a structure comes from" in out
    assert run("show", "K2ReH9", "--json")[0] == 0
    code, out, _ = run("status")
    assert "Campaign old: finished, 2 of 3 compositions searched, 2 calculations finished" in " ".join(out.split())
    assert run("export", "-o", "cifs/", "--all-minima")[0] == 0
    assert len(list((tmp_path / "cifs").glob("*.cif"))) == 2
    code, _, errors = run("report")
    assert (code, errors) == (0, "")
    html = (tmp_path / "old-report.html").read_text()
    assert "K<sub>2</sub>ReH<sub>9</sub>" in html
    assert 'class="hull"' in html
    assert "<td>derived</td>" in html


DAMAGE = [
    # collection, id, change of the document, what is said
    ("candidates", "1a", "json_remove(doc, '$.structures')", "no 'structures'"),
    ("candidates", "1a", "json_set(doc, '$.structures', 3)", "not iterable"),
    ("candidates", "1a", "json_set(doc, '$.provenance', 'x')", "'str' object has no attribute 'get'"),
    ("candidates", "1a", "json_remove(doc, '$.structures[0].structure.lattice')", "no 'lattice'"),
    ("results", "f" * 64, "json_set(doc, '$.value', 'x')", "'str' object has no attribute 'get'"),
    ("results", "b" * 64, "json_remove(doc, '$.value.found')", "no 'found'"),
    ("references", "old:K", "json_set(doc, '$.structure', 5)", "not iterable"),
    ("results", "a" * 64, "'{'", "Expecting property name"),
]


@pytest.mark.parametrize(("collection", "id", "change", "words"), DAMAGE)
def test_damage_is_told_in_one_line_and_nothing_is_changed(old, run, collection, id, change, words):
    with closing(sqlite3.connect(old)) as connection:
        connection.execute(f'UPDATE "{collection}" SET doc = {change} WHERE id = ?', (id,))
        connection.commit()
    with pytest.raises(StoreError):
        open_store(old)
    code, _, errors = run("query")
    assert code == 1
    [line] = errors.splitlines()
    assert "ninefold.db' is damaged: " in line
    assert f" in {collection} cannot be read (" in line
    assert words in line
    assert change == "'{'" or f"the document '{id}'" in line
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM results").fetchone() == (4,)
