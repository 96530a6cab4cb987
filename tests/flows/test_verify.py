"""`ninefold verify` with a cheap engine of evidence DFT: what is computed, how often, and what is said of it."""

import gzip
import json
import os
import signal
import time

import pytest
import yaml

import gpaw_needs
from campaign_run import QUICK, results, start
from ninefold.flows.tasks import structures_of
from ninefold.flows.thermal import thermal_of
from ninefold.models.calculation import Calculation
from ninefold.models.candidate import Candidate
from ninefold.models.property import PropertyRecord
from ninefold.models.reference import ReferenceRecord
from ninefold.stages.compress import STAGE, state_id
from ninefold.stages.stability import candidate_phase
from ninefold.store import open_store
from ninefold.store.records import read_all
from ninefold.thermo.equation_of_state import EV_PER_GPA_A3, EquationOfState

DEAR = """
import os
import time
from pathlib import Path

from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.base import CalculationError

PARAMETERS = {"sigma": 1.16, "epsilon": 0.02, "rc": 5.0, "smooth": True}
LOG = Path(__file__).with_name("computed.txt")


class Dear(ASEEngine):
    def _note(self, kind, structure):
        time.sleep(float(os.environ.get("DEAR_SLOW", 0)))
        with LOG.open("a") as file:
            file.write(f"{kind} {structure.composition.reduced_formula}\\n")
        if expected := int(os.environ.get("DEAR_MEETS", 0)):
            processes, alone = LOG.with_name("processes.txt"), LOG.with_name("alone")
            with processes.open("a") as file:
                file.write(f"{os.getpid()}\\n")
            last = time.monotonic() + 60
            while kind == "static" and len(set(processes.read_text().split())) < expected:
                if alone.exists() or time.monotonic() > last:
                    alone.touch()
                    raise CalculationError("no other process computes")
                time.sleep(0.05)
        if structure.composition.reduced_formula == os.environ.get("DEAR_FAILS"):
            raise CalculationError("SCF did not converge after: slower mixing")
        if structure.composition.reduced_formula == os.environ.get("DEAR_BREAKS"):
            raise OSError(28, "No space left on device")

    def _evaluate(self, structure):
        self._note("static", structure)
        return super()._evaluate(structure)

    def _relax(self, structure, settings):
        self._note("relax", structure)
        return super()._relax(structure, settings)

    def evaluate(self, structures):
        from ninefold.engines.base import Evaluation
        try:
            return super().evaluate(structures)
        except (CalculationError, OSError) as error:
            return [Evaluation.failed(error)]

    def relax(self, structures, settings):
        from ninefold.engines.base import Relaxation
        try:
            return super().relax(structures, settings)
        except (CalculationError, OSError) as error:
            return [Relaxation.failed(structures[0], error)]


def engine(settings):
    return Dear("dear", "Dear LJ", LennardJones(**PARAMETERS), (PARAMETERS, settings.model), evidence="DFT")
"""
METHOD = ("--method", "dear.py:engine")
WIDE = ("--window", "5")
OWN_FILES = {"dear.py": DEAR}


@pytest.fixture
def verify(command):
    def verify(*arguments, **options):
        return command("verify", *METHOD, *WIDE, "--workers", "1", *arguments, **options)

    return verify


def computed(folder):
    file = folder / "computed.txt"
    return file.read_text().splitlines() if file.exists() else []


def calculations(folder, **equal):
    with open_store(folder / "ninefold.db") as store:
        return list(read_all(store, Calculation, equal=equal))


def rows_of(folder, evidence):
    with open_store(folder / "ninefold.db") as store:
        return {row.label: row for row in read_all(store, Candidate, equal={"evidence": evidence})}


def plan_of(verify, *arguments):
    return json.loads(verify("--dry-run", "--json", *arguments).stdout)


def test_each_phase_of_the_plan_is_computed_once_and_a_second_run_computes_nothing(folder, verify):
    plan = plan_of(verify)
    assert computed(folder) == [], "a dry run computes nothing"
    verify()
    assert len(computed(folder)) == len(plan["phases"]) == len(calculations(folder, kind="static")) + 1
    assert sorted(line.split()[0] for line in computed(folder)).count("relax") == 1, "the hydrogen molecule alone"
    before = results(folder)
    first = rows_of(folder, "DFT")
    verify()
    assert len(computed(folder)) == len(plan["phases"])
    assert results(folder) == before
    assert rows_of(folder, "DFT") == first


def test_rows_follow_from_the_facts_after_a_verification_too(folder, verify, command):
    verify()
    assert rows_of(folder, "DFT")
    assert "0 problems" in command("db", "check").stdout
    with open_store(folder / "ninefold.db", "write") as store:
        before = {row["id"]: row for row in store.find("candidates")}
        store.delete("candidates", equal={"evidence": "test"})
        assert store.count("candidates") < len(before)
    command("db", "rebuild")
    with open_store(folder / "ninefold.db") as store:
        assert {row["id"]: row for row in store.find("candidates")} == before


def test_a_single_point_keeps_forces_and_stress_of_the_potential_s_geometry(folder, verify):
    verify()
    static = calculations(folder, kind="static")
    starts = {minimum.structure for row in rows_of(folder, "test").values() for minimum in row.minima}
    assert {record.start for record in static} & starts
    for record in static:
        assert record.forces is not None
        assert record.max_force == pytest.approx(max(sum(x * x for x in force) ** 0.5 for force in record.forces))
        assert len(record.stress or ()) == 6
    for row in rows_of(folder, "DFT").values():
        record = next(each for each in static if each.id == row.verification["calculations"][0])
        # dE/dV of a cell at fixed shape is minus the pressure, which is minus a third of the trace
        assert row.verification["pressure"] == pytest.approx(-sum(record.stress[:3]) / 3)
        assert row.energy_per_atom == record.energy_per_atom


def test_the_hull_is_of_the_verifying_method_alone_and_stands_for_the_candidate(folder, verify):
    """The oracle: pymatgen's phase diagram of what the store says of the method."""
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram

    before = rows_of(folder, "test")
    verify()
    rows = rows_of(folder, "DFT")
    assert rows
    with open_store(folder / "ninefold.db") as store:
        [method] = {row.method for row in rows.values()}
        references = store.find("references", equal={"method": method, "campaign": "quick"}, limit=None)
    entries = [_entry(PDEntry, row["formula"], row["energy_per_atom"]) for row in references if not row["refuted"]]
    for label, row in rows.items():
        others = [
            _entry(PDEntry, each.formula, each.energy_per_atom)
            for key, each in rows.items()
            if key != label and set(each.elements) <= set(row.elements) and each.formula != row.formula
        ]
        own = [each for each in [*entries, *others] if each.composition.reduced_formula != _reduced(row.formula)]
        hull = PhaseDiagram(own).get_hull_energy_per_atom(_entry(PDEntry, row.formula, 0).composition)
        assert row.phase_separation_energy == pytest.approx(row.energy_per_atom - hull, abs=1e-6)
        assert row.is_best
        assert row.verification["distance_before"] == before[label].phase_separation_energy
        assert row.verification["rank_before"] == before[label].rank
        left, _, right = row.verification["reaction"].partition(" -> ")
        assert _atoms(left) == pytest.approx(_atoms(right)), "the reaction balances"
    after = rows_of(folder, "test")
    assert not any(after[label].is_best or after[label].rank for label in rows)
    ranks = sorted(row.rank for row in [*rows.values(), *after.values()] if row.rank)
    assert ranks == list(range(1, len(ranks) + 1))


def _entry(kind, formula, energy):
    from pymatgen.core import Composition

    composition = Composition(formula)
    return kind(composition, energy * composition.num_atoms)


def _reduced(formula):
    from pymatgen.core import Composition

    return Composition(formula).reduced_formula


def _atoms(side):
    from fractions import Fraction

    from pymatgen.core import Composition

    total = {}
    for term in side.split(" + "):
        amount, _, formula = term.rpartition(" ")
        for symbol, count in Composition(formula).get_el_amt_dict().items():
            total[symbol] = total.get(symbol, 0) + count * float(Fraction(amount or "1"))
    return total


def test_killed_half_way_the_same_command_computes_nothing_twice(folder, verify, pairs):
    wanted = len(plan_of(verify)["phases"])
    process = start("verify", *METHOD, *WIDE, cwd=folder, env={**pairs, "DEAR_SLOW": "0.3"})
    while len(calculations(folder, method=_method(folder))) < wanted // 2 if _method(folder) else True:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {record.id for record in calculations(folder, method=_method(folder))}
    before = len(computed(folder))
    assert wanted // 2 <= len(kept) < wanted
    verify()
    assert len(computed(folder)) == before + wanted - len(kept), "all that was stored is found"
    assert kept <= {record.id for record in calculations(folder, method=_method(folder))}


def _method(folder):
    with open_store(folder / "ninefold.db") as store:
        return next((row["id"] for row in store.find("methods") if row["name"] == "dear"), None)


def test_a_relaxation_that_is_cut_goes_on_from_its_last_geometry(folder, verify):
    only = ("--mode", "relax", "--top", "1", "--fmax", "0.000001")
    verify(*only, "--max-steps", "1")
    first = {record.id: record for record in calculations(folder, kind="relax", method=_method(folder))}
    cut = [record for record in first.values() if record.error is None and not record.is_converged]
    assert cut
    count = len(computed(folder))
    verify(*only, "--max-steps", "2")
    every = {record.id: record for record in calculations(folder, kind="relax", method=_method(folder))}
    assert first.items() <= every.items(), "written once"
    new = [record for key, record in every.items() if key not in first]
    assert len(new) == len(computed(folder)) - count
    going_on = {record.final for record in cut if record.final != record.start}
    assert {record.start for record in new} == going_on, "from the last geometry, and where it was cut alone"


def give_states(folder):
    """An equation of state for every phase that the potential has relaxed, as `ninefold compress` leaves them."""
    dear = _method(folder)
    with open_store(folder / "ninefold.db", "write") as store:
        wanted = {
            minimum.structure: (row.method, row.label, minimum.energy_per_atom)
            for row in read_all(store, Candidate, equal={"evidence": "test"})
            for minimum in row.minima
        } | {
            record.structure: (record.method, record.name, record.energy_per_atom)
            for record in read_all(store, ReferenceRecord)
            if record.structure and record.volume_per_atom and record.method != dear
        }  # fmt: skip
        cells = structures_of(store, wanted)
        for key, (method, label, energy) in wanted.items():
            cell = cells[key].to_structure()
            values = {
                "volumes": [cell.volume / len(cell)], "energies": [energy], "pressures": [0.0], "notes": [],
                "form": "vinet", "energy_per_atom": energy, "volume_per_atom": cell.volume / len(cell),
                "bulk_modulus": 15.0, "derivative": 4.0, "misfit": 0.0,
            }  # fmt: skip
            record = PropertyRecord(
                id=state_id(key, method), campaign="quick", stage=STAGE, label=label, structure=key, method=method,
                values=values, reason=None, core_seconds=0.0, created="2026-01-01T00:00:00+00:00",
            )  # fmt: skip
            store.insert("properties", [record])


@pytest.mark.parametrize("mode", ["static", "relax"])
def test_the_potential_s_equations_of_state_are_lent_to_the_verified_hull_which_says_so(folder, verify, command, mode):
    only = ("--mode", mode, "--max-steps", "2")
    verify(*only)
    without = rows_of(folder, "DFT")
    give_states(folder)
    command("db", "rebuild")  # as `ninefold compress` makes the rows anew
    verify(*only)
    lent = rows_of(folder, "DFT")
    assert lent.keys() == without.keys()
    with open_store(folder / "ninefold.db") as store:
        thermal = thermal_of(store, _method(folder), "quick")
    for label, row in lent.items():
        [before], [now] = ([at for at in each.conditions if at["pressure_GPa"] == 5] for each in (without[label], row))
        assert any(note.startswith("p V at the volume of 0 GPa") for note in before["notes"])
        assert any("compressed as by weak Lennard-Jones" in note for note in now["notes"]), now["notes"]
        assert not any(note.startswith("p V") for note in now["notes"])
        # the law: what the pressure adds is H(p) - H(0) of the lent state at the phase's own volume
        phase = candidate_phase(row, thermal)
        state = EquationOfState(0.0, phase.volume_per_atom, 15.0, 4.0)
        assert phase.pressure_term(5) == pytest.approx(state.pressure_term(5))
        assert 0 < phase.pressure_term(5) < 5 * phase.volume_per_atom * EV_PER_GPA_A3
    assert "0 problems" in command("db", "check").stdout


def test_a_relaxation_stands_before_a_single_point_and_the_mixture_is_told(folder, verify):
    verify()
    able = [row for row in rows_of(folder, "DFT").values() if not row.is_competitor]
    lowest = min(able, key=lambda row: row.phase_separation_energy)
    verify("--mode", "relax", "--only", lowest.label, "--max-steps", "1", "--fmax", "0.000001")
    rows = rows_of(folder, "DFT")
    assert rows[lowest.label].verification["mode"] == "relax"
    assert rows[lowest.label].energy_per_atom <= lowest.energy_per_atom + 1e-12
    assert {row.verification["mode"] for label, row in rows.items() if label != lowest.label} <= {"static", "relax"}
    assert set(rows) >= {lowest.label}
    count = len(computed(folder))
    verify()
    assert rows_of(folder, "DFT")[lowest.label].verification["mode"] == "relax", "a static run keeps it"
    assert len(computed(folder)) == count


def test_a_phase_that_does_not_converge_is_told_with_the_hull(folder, verify):
    told = verify(env={"DEAR_FAILS": "KH"}).stdout
    assert "SCF did not converge" in told
    assert "KH rocksalt (SCF did not converge after: slower mixing)" in " ".join(told.split())
    rows = list(rows_of(folder, "DFT").values())
    assert all(any("KH rocksalt" in note for note in row.stability_notes) for row in rows)
    assert all(row.phase_separation_energy is not None for row in rows)


def test_without_an_element_there_is_no_hull_and_the_potential_stands(folder, verify):
    told = " ".join(verify(env={"DEAR_FAILS": "Re"}).stdout.split())
    assert "no hull: no reference phase of pure Re" in told
    assert "Ranks that changed: none." in told, "the potential's rows stand"
    assert all(row.phase_separation_energy is None for row in rows_of(folder, "DFT").values())
    assert all(row.is_best for row in rows_of(folder, "test").values() if row.phase_separation_energy is not None)


def test_what_the_machine_broke_is_not_stored_and_tried_again(folder, verify):
    told = verify(env={"DEAR_BREAKS": "Re"}, code=1)
    assert "the same command tries again" in told.stderr
    assert not any("No space" in (record.error or "") for record in calculations(folder))
    count = len(computed(folder))
    verify()
    assert len(computed(folder)) == count + 1
    assert all(row.phase_separation_energy is not None for row in rows_of(folder, "DFT").values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--mode", "double"), ["mode", "double", "static", "relax"]),
        (("--window", "-1"), ["window", "-1"]),
        (("--top", "0"), ["top", "0"]),
        (
            ("--only", "Li2MoH9"),
            ["--only", "Li2MoH9", "allowed: one of its candidates: ", "reference phases"],
        ),
        (("--only", "X9"), ["X9"]),
        (("--method", "gpow:draft"), ["gpow", "FILE.py:NAME"]),
        (("--method", "gpow"), ["gpow", "gpaw"]),
        (("--method", "gpaw:quick"), ["quick"]),
        (("--method", "pairs"), ["--method", "pairs", "own methods"]),
        (("--max-steps", "0"), ["--max-steps", "0", "1 to 10000"]),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(folder, verify, arguments, words):
    before = results(folder)
    told = verify(*arguments, code=2).stderr.strip()
    assert len(told.splitlines()) == 1
    assert all(word in told for word in words), told
    assert "Traceback" not in told
    assert results(folder) == before
    assert computed(folder) == []


def test_an_element_without_paw_data_is_told_before_anything_is_computed(folder, verify, monkeypatch):
    pytest.importorskip("atomate2")
    from ninefold.flows import abinit

    data = folder / "data"
    data.mkdir()
    for symbol in ("K", "H"):
        (data / f"{symbol}.PBE.gz").write_bytes(gzip.compress(b"<paw_dataset/>"))
    (folder / "abinit").write_text("#!/bin/sh\necho 9.6.2\n")
    (folder / "abinit").chmod(0o755)
    monkeypatch.setattr(abinit, "find_spec", lambda name: name)
    monkeypatch.setattr(abinit, "shipped_folders", lambda: [data])
    monkeypatch.setattr("atomate2.SETTINGS.ABINIT_CMD", str(folder / "abinit"))
    before = results(folder)
    for more in ((), ("--dry-run",)):
        told = verify("--method", "abinit:draft", *more, code=2).stderr.strip()
        assert told.startswith(
            "ninefold: error: engine.name: 'abinit' has no PAW data set (PBE) for Re; put Re.PBE.gz into"
        )
        assert len(told.splitlines()) == 1
    assert results(folder) == before


MIXED = """
from ninefold.flows import PhasesMaker, VerifyMaker


class OfThePotential(PhasesMaker):
    def make(self, campaign, store, shards, method, settings):
        return super().make(campaign, store, shards, 0, settings)


def make_flow(campaign, store, settings=None):
    return VerifyMaker(settings=settings or {}, static_maker=OfThePotential(mode="static")).make(campaign, store)
"""


def test_calculations_of_another_method_share_no_hull(folder, verify):
    (folder / "mixed.py").write_text(MIXED)
    told = verify("--workflow", "mixed.py", code=1)
    assert "verify: calculations of other methods" in told.stderr
    assert "cannot share a hull" in told.stderr
    assert not rows_of(folder, "DFT")


RAISING = """
from jobflow import Flow, job

from ninefold.flows import PhasesMaker, VerifyMaker


@job
def divide(by):
    return [1 / by]


class Raising(PhasesMaker):
    def make(self, campaign, store, shards, method, settings):
        part = divide(0)
        return Flow([part], output=part.output)


def make_flow(campaign, store, settings=None):
    return VerifyMaker(settings=settings or {}, static_maker=Raising()).make(campaign, store)
"""


def test_an_unforeseen_error_of_a_job_names_the_command_that_goes_on(folder, verify):
    (folder / "raising.py").write_text(RAISING)
    told = verify("--workflow", "raising.py", code=1).stderr
    assert "ZeroDivisionError" in told
    assert "the same command tries again" in told
    assert "resume" not in told


def test_an_unfinished_campaign_is_refused(folder, verify):
    with open_store(folder / "ninefold.db", mode="write") as store:
        record = store.get("campaigns", "quick")
        store.put("campaigns", [_model(record, status="incomplete")])
    assert "incomplete, not finished" in verify(code=2).stderr


def _model(record, **changes):
    from ninefold.models.campaign import CampaignRecord

    return CampaignRecord.model_validate({**record, **changes})


def test_a_campaign_that_is_run_again_forgets_the_rows_and_not_the_calculations(folder, verify, command):
    verify()
    count = len(computed(folder))
    changed = {**QUICK, "ranking": {"weights": {"stability": 1}}}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(changed))
    command("run", "campaign.yaml", "--update", "--workers", "1")
    assert not rows_of(folder, "DFT")
    verify()
    assert rows_of(folder, "DFT")
    assert len(computed(folder)) == count


def test_query_and_report_tell_what_was_verified(folder, verify, command):
    verify()
    told = command("query").stdout
    assert "Verified" in told
    assert "Ranks that changed" in told
    assert "Verified" not in command("query", "rank > 99").stdout
    command("report", "--out", "page.html")
    page = (folder / "page.html").read_text()
    assert '<h3 id="verified">Verified</h3>' in page
    assert "by Dear LJ, which stands for these candidates" in page


def test_gpaw_computes_a_phase_as_a_single_point_and_relaxes_it_in_parts(tmp_path):
    gpaw_needs.gpaw()
    from ninefold.campaign import parse_campaign
    from ninefold.flows.verify_plan import with_method
    from ninefold.flows.verify_tasks import relax_one, static_one
    from ninefold.flows.workplace import Workplace
    from ninefold.models.structure import StructureRecord
    from ninefold.stages.verify import VerifySettings, out_of_equilibrium
    from ninefold.thermo.references import reference_phase

    quick = "cutoff: 300\nrelax_cutoff: 300\nkpoint_density: 1.5\nenergy_tolerance: 1.0e-4\ndensity_tolerance: 1.0e-3\n"
    (tmp_path / "quick.yaml").write_text(quick)
    start = StructureRecord.of(reference_phase("LiH rocksalt").structure.copy().apply_strain(0.03, inplace=False))
    settings = VerifySettings.model_validate(
        {"method": {"name": "gpaw", "model": str(tmp_path / "quick.yaml")}, "max_steps": 1, "fmax": 0.01}
    )
    extended = with_method(parse_campaign({**QUICK, "engine": {"name": "lj"}}), settings)
    place = Workplace(extended.to_dict(), str(tmp_path / "ninefold.db"))
    place.store.insert("structures", [start])
    line, plain = {"structure": start.id, "is_molecule": False}, settings.model_dump(mode="json")
    [static] = static_one(place, line, 1, plain)
    assert static.kind == "static"
    cells = {start.id: start}
    assert out_of_equilibrium([static], cells)["pressure"] < -1, "a stretched crystal pulls"
    assert out_of_equilibrium([static], cells)["max_force"] == pytest.approx(0, abs=0.01), "by symmetry"
    again, first = relax_one(place, line, 1, plain)
    assert again == static
    *_, second = relax_one(place, line, 1, plain)
    assert second.start == first.final != start.id
    assert second.energy_per_atom < first.energy_per_atom < static.energy_per_atom
    place.store.close()


def test_workers_share_the_phases(folder, command):
    command("verify", *METHOD, *WIDE, "--workers", "2", env={"DEAR_MEETS": "2"})
    assert not [record.error for record in calculations(folder, kind="static") if record.error]
    assert not (folder / "alone").exists()
    assert len(set((folder / "processes.txt").read_text().split())) == 2
