"""Several methods in one campaign: each has its own hulls, and readers say which one stands for a candidate."""

import json
import sys

import pytest
import report_sample
import yaml
from rich.console import Console

from ninefold.campaign import parse_campaign
from ninefold.cli import signals
from ninefold.cli.locate import report_parts, store_address
from ninefold.cli.main import main
from ninefold.cli.run import _kept
from ninefold.engines import EngineSettings, make_engine
from ninefold.engines.registry import evidence_of, order_note
from ninefold.models.candidate import Candidate
from ninefold.models.evidence import EVIDENCE
from ninefold.models.fault import Fault
from ninefold.models.funnel import FunnelRecord
from ninefold.models.method import Method
from ninefold.models.reference import ReferenceRecord
from ninefold.report import page_systems, render_report
from ninefold.report.terminal_candidate import candidate_view
from ninefold.store import open_store
from ninefold.store.details import details
from ninefold.store.records import write
from ninefold.store.values import STATUSES

FIRST = report_sample.METHOD
SECOND = Method(id="77aa00bb11cc", name="sevennet", label="SevenNet omni", evidence="ML")
SHIFT = -100.0
"""eV/atom: the second method's energies are another scale, as those of a code with other pseudopotentials are."""
ALONE = "K4ReH9"
"""Has an energy by the second method, and a hull distance by the first alone."""


def by_second(row, **changes):
    return row.model_copy(
        update={
            "id": f"{row.composition}-{SECOND.id[:8]}", "method": SECOND.id, "engine": SECOND.label,
            "energy_per_atom": row.energy_per_atom + SHIFT, **changes,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """In H-K-Re both methods have hull distances, in H-Li-Mo the second has energies alone, in Cr-H-Mg nothing."""
    path = tmp_path_factory.mktemp("methods") / "ninefold.db"
    records = []
    for record in report_sample.records():
        if not isinstance(record, Candidate) or record.energy_per_atom is None or record.centre == "Cr":
            records.append(record)
            continue
        has_hull = record.centre == "Re" and record.formula != ALONE
        hull = {} if has_hull else {"phase_separation_energy": None, "e_above_hull": None}
        records += [
            record.model_copy(update={"is_best": not has_hull, "method_spread": 0.012 if has_hull else None}),
            by_second(record, is_best=has_hull, method_spread=0.012 if has_hull else None, **hull),
        ]
    campaign = records[0].model_copy(update={"methods": [FIRST.id, SECOND.id], "status": "incomplete"})
    references = [ReferenceRecord(**row) for row in report_sample.references()]
    second = [
        row.model_copy(
            update={
                "id": f"{row.campaign}:{SECOND.id[:8]}:{row.name}", "method": SECOND.id, "engine": SECOND.label,
                "energy_per_atom": None if row.energy_per_atom is None else row.energy_per_atom + SHIFT,
            }
        )
        for row in references
    ]  # fmt: skip
    faults = [
        Fault(id=f"quickstart:prescreen:{k}", campaign="quickstart", stage="prescreen", what=f"K{k}ReH9",
              reason="disk full", created="2026-11-24T03:10:00Z")
        for k in range(7)
    ]  # fmt: skip
    with open_store(path, mode="write") as store:
        write(store, [campaign, SECOND, *records[1:], *references, *second, *faults])
        write(store, [FunnelRecord(**row) for row in report_sample.funnel()])
    return path


@pytest.fixture
def run(path, monkeypatch, capsys):
    monkeypatch.setattr(signals, "install", lambda: None)  # pytest's own handlers stay
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NINEFOLD_STORE", str(path))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        return capsys.readouterr().out

    return run


def test_show_lists_what_each_method_says(run):
    text = run("show", "K2ReH9")
    lines = [" ".join(line.split()) for line in text.split("Methods\n")[1].splitlines()[:6]]
    assert "CHGNet 0.3.0 ML 0.000 −0.041 0.004 – P-62m –" in lines
    assert "SevenNet omni ML 0.000 −0.041 0.004 – P-62m yes" in lines
    assert "Their E(sep) differ by 0.012 eV/atom." in text
    assert "Methods" not in run("show", "Mg3CrH8"), "one method alone"


def test_show_json_has_the_methods_by_rising_trust(run):
    [found] = json.loads(run("show", ALONE, "--json"))
    assert [(row["engine"], row["is_best"]) for row in found["methods"]] == [
        ("CHGNet 0.3.0", True), ("SevenNet omni", False),
    ]  # fmt: skip
    assert found["method"] == FIRST.id
    assert found["methods"][1]["phase_separation_energy"] is None
    [one] = json.loads(run("show", "Mg3CrH8", "--json"))
    assert one["methods"] == []


def test_the_id_of_any_method_s_row_is_found(run):
    [row] = json.loads(run("query", f'formula = "K2ReH9" AND method = "{FIRST.id}"', "--all-methods", "--json",
                           "--fields", "id,is_best"))  # fmt: skip
    assert row["is_best"] is False
    [found] = json.loads(run("show", row["id"], "--json"))
    assert found["method"] == FIRST.id


@pytest.fixture
def drawn(path, monkeypatch):
    """The report, and the phases of each picture by system."""
    phases = {}

    def build(elements, of_system):
        phases["-".join(elements)] = of_system
        return original(elements, of_system)

    original = page_systems.build_phase_diagram
    monkeypatch.setattr(page_systems, "build_phase_diagram", build)
    with open_store(path) as store:
        html = render_report(*report_parts(store, "quickstart"))
    return html, phases


def test_a_hull_picture_is_of_one_method(drawn):
    html, phases = drawn
    assert html.count('class="hull"') == 3
    second = {"H-K-Re": True, "Cr-H-Mg": False, "H-Li-Mo": False}
    assert {system: {phase.energy_per_atom < SHIFT / 2 for phase in some} for system, some in phases.items()} == {
        system: {is_second} for system, is_second in second.items()
    }
    candidates = {
        system: sum(phase.kind == "candidate" for phase in some) for system, some in phases.items()
    }  # fmt: skip
    of_report = [row for row in report_sample.candidates() if row["energy_per_atom"] is not None]
    for system in second:
        assert candidates[system] == sum(row["chemical_system"] == system for row in of_report)


def test_the_report_says_which_rows_are_of_another_method(drawn):
    html, _ = drawn
    assert f"All energies here are by {SECOND.label}. In the ranking another method stands for " in html
    [told] = [line for line in html.splitlines() if "In the ranking another" in line]
    assert f"K<sub>4</sub>ReH<sub>9</sub> ({FIRST.label})" in told
    assert f"All energies here are by {FIRST.label}.</p>" in html
    assert "methods never share a hull" in html
    assert html.count("<h4>Methods</h4>") == sum(
        row["energy_per_atom"] is not None and row["centre"] != "Cr" for row in report_sample.candidates()
    )


def test_a_report_of_one_method_does_not_speak_of_methods(path):
    html = render_report(*report_sample.sample())
    for words in ("All energies here are by", "methods never share a hull", "<h4>Methods</h4>"):
        assert words not in html


def test_status_tells_what_the_machine_broke_and_what_to_do(run):
    text = " ".join(run("status").split())
    assert "Campaign quickstart: incomplete" in text
    assert "7 calculations were not finished" in text
    assert "prescreen: K0ReH9: machine: disk full" in text
    assert "K4ReH9: machine: disk full and 2 more" in text
    assert "'ninefold resume quickstart' computes what is missing" in text
    told = json.loads(run("status", "--json"))
    assert told["status"] == "incomplete"
    assert [fault["what"] for fault in told["faults"]] == [f"K{k}ReH9" for k in range(7)]


def test_a_method_without_a_hull_distance_says_why(run):
    text = run("show", ALONE)
    lines = [" ".join(line.split()) for line in text.split("Methods\n")[1].splitlines()[:8]]
    assert "SevenNet omni ML – – – – P2_1/c –" in lines
    assert "SevenNet omni: no hull" in text


def test_a_row_without_energies_has_its_method_s_evidence(tmp_path):
    """Of a row that `energies` left no structure of, and a published structure that no method could compute."""
    [campaign, *rest] = report_sample.records()
    row = next(one for one in rest if isinstance(one, Candidate) and one.formula == "K2ReH9")
    lost = row.model_copy(
        update={
            "id": f"{row.composition}-dft", "method": "dft", "engine": None, "evidence": "rule", "is_best": False,
            "energy_per_atom": None, "phase_separation_energy": None, "e_above_hull": None, "minima": [],
            "structures_found": 0, "status": "no_structure", "reasons": {"volume runs away": 3}, "known": [],
        }
    )  # fmt: skip
    dft = Method(id="dft", name="gpaw", label="GPAW", evidence="DFT")
    published = report_sample.references()[0] | {"name": "K2ReH9 K2ReH9", "formula": "K4Re2H18"}
    failed = ReferenceRecord(
        **published | {"id": "quickstart:dft:K2ReH9", "method": "dft", "engine": "GPAW", "energy_per_atom": None,
                       "structure": None, "notes": ["volume runs away"]}
    )  # fmt: skip
    with open_store(tmp_path / "x.db", mode="write") as store:
        write(store, [campaign.model_copy(update={"methods": [FIRST.id, "dft"]}), dft, *rest, lost, failed])
        documents = store.get_many("candidates", [row.id, lost.id])
        of_first, of_dft = details(store, [documents[row.id], documents[lost.id]])
    first, last = of_dft["methods"]
    assert (first["evidence"], first["reason"]) == ("ML", None)
    assert (last["engine"], last["evidence"]) == ("GPAW", "DFT")
    assert last["reason"] == "no valid structure: volume runs away (3)"
    assert of_first["failed_references"] == []
    assert of_dft["failed_references"] == [
        {"name": published["name"], "engine": "GPAW", "reason": "volume runs away"}
    ]  # fmt: skip
    console = Console(width=120)
    with console.capture() as captured:
        console.print(candidate_view(of_dft))
    shown = captured.get()
    assert f"{published['name']}: no energy with GPAW, so it does not compete: volume runs away" in shown
    assert "GPAW: no valid structure: volume runs away (3)" in shown


def test_every_status_and_every_level_of_evidence_is_told(run):
    meanings = {row["key"]: row["meaning"] for row in json.loads(run("fields", "--json"))}
    assert [status for status in STATUSES if status not in meanings["status"]] == []
    assert [level for level in EVIDENCE if level not in meanings["evidence"]] == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["chgnet", "sevennet", "gpaw"], None),
        (["lj", "chgnet"], None),
        (["chgnet", "lj"], "lj (evidence test) comes after chgnet (ML)"),
        (["chgnet", "gpaw", "sevennet"], "sevennet (evidence ML) comes after gpaw (DFT)"),
    ],
)
def test_methods_stand_by_rising_trust(tmp_path, capsys, monkeypatch, names, words):
    methods = [EngineSettings(name=name) for name in names]
    note = order_note(methods, {method.title: evidence_of(method) for method in methods})
    assert (note is None) if words is None else (words in note)
    file = tmp_path / "c.yaml"
    settings = {"name": "c", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}]}
    file.write_text(
        yaml.safe_dump(settings | {"search": {"name": names[0]}, "energies": [{"name": name} for name in names[1:]]})
    )
    monkeypatch.setattr(signals, "install", lambda: None)
    monkeypatch.setattr(sys, "argv", ["ninefold", "campaign", "check", str(file)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    errors = capsys.readouterr().err
    assert (words in errors) if words else ("rising trust" not in errors)


@pytest.mark.parametrize("name", ["emt", "lj", "chgnet", "sevennet"])
def test_evidence_without_an_engine_is_the_engine_s(name):
    settings = EngineSettings(name=name)
    assert evidence_of(settings) == make_engine(settings).evidence


def test_an_empty_store_says_how_to_start(tmp_path, monkeypatch, capsys):
    with open_store(tmp_path / "empty.db", mode="write"):
        pass
    monkeypatch.setattr(signals, "install", lambda: None)
    for arguments in (["resume"], ["resume", "mine"], ["status"]):
        monkeypatch.setattr(sys, "argv", ["ninefold", *arguments, "--store", str(tmp_path / "empty.db")])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        told = capsys.readouterr().err
        assert "holds no campaign: no run has stored anything in it; 'ninefold run CAMPAIGN' starts one" in told


def test_after_an_interrupt_the_store_is_named_where_resume_would_not_look(path, monkeypatch):
    campaign = parse_campaign(
        {"name": "quickstart", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9, "m": 0}], "store": "else.db"}
    )
    monkeypatch.setenv("NINEFOLD_STORE", str(path))
    assert "'ninefold resume quickstart' goes on" in _kept(campaign, store_address(None))
    monkeypatch.delenv("NINEFOLD_STORE")
    monkeypatch.chdir(path.parent)
    assert "'ninefold resume quickstart' goes on" in _kept(campaign, store_address("ninefold.db"))
    monkeypatch.chdir("/")
    assert f"ninefold resume quickstart --store {path}" in _kept(campaign, str(path))
