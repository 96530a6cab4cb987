"""`ninefold vibrations` with a cheap engine: what is computed, how often, what is stored, and what moves."""

import json
import os
import signal
import time

import pytest

from campaign_run import start
from ninefold.flows import rebuild
from ninefold.flows.followed import store_followed
from ninefold.models.calculation import Calculation
from ninefold.models.candidate import Candidate
from ninefold.models.composition import CompositionRecord
from ninefold.models.search import MinimaRecord
from ninefold.models.structure import StructureRecord
from ninefold.models.vibrations import VibrationRecord
from ninefold.store import open_store
from ninefold.store.records import read, read_all
from ninefold.thermo.harmonic import HarmonicVibrations

COUNTING = """
import os
import time
from pathlib import Path

from ase.calculators.lj import LennardJones

from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.base import Evaluation

PARAMETERS = {"sigma": 1.15, "epsilon": 0.02, "rc": 5.0, "smooth": True}
LOG = Path(__file__).with_name("computed.txt")


class Counting(ASEEngine):
    def evaluate(self, structures):
        with LOG.open("a") as file:
            file.write("evaluate\\n" * len(structures))
        time.sleep(float(os.environ.get("SLOW", 0)))
        if len(LOG.read_text().splitlines()) > int(os.environ.get("BREAKS_AFTER", 10**9)):
            return [Evaluation.failed(OSError(28, "No space left on device")) for _ in structures]
        return super().evaluate(structures)


def engine(settings):
    return Counting("counting", "counting LJ", LennardJones(**PARAMETERS), (PARAMETERS,), evidence="test")
"""
# the potential has no minimum near the geometries of the search: a few steps only
SHORT = ("--min-width", "0", "--max-steps", "4", "--no-competitors", "--workers", "1")
SMALL = (*SHORT, "--top", "1")
OWN_FILES = {"counting.py": COUNTING}


def records(folder, model=VibrationRecord, **equal):
    with open_store(folder / "ninefold.db") as store:
        return list(read_all(store, model, equal=equal))


def computed(folder):
    file = folder / "computed.txt"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_dry_run_says_size_and_computes_nothing(folder, command):
    plan = json.loads(command("vibrations", "--method", "counting.py:engine", *SMALL, "--dry-run", "--json").stdout)
    [phase] = plan["phases"]
    assert phase["supercell_atoms"] == phase["nsites"]  # no width asked for
    assert phase["displacements"] > 1
    assert computed(folder) == 0
    assert records(folder) == []


def test_what_was_computed_is_found_again_and_rows_follow_from_the_facts(folder, command):
    # the campaign's own engine: its candidates may move
    asked = ("vibrations", "--method", "pairs", *SMALL, "--follow", "1", "--temperature", "300", "--json")
    shown = json.loads(command(*asked).stdout)
    [phase] = shown["phases"]
    [record] = records(folder)
    assert phase["id"] == record.id
    assert record.error is None
    static = records(folder, Calculation, kind="static")
    assert len(static) >= record.displacements
    with open_store(folder / "ninefold.db") as store:
        vibrations = HarmonicVibrations.from_dict(json.loads(store.blobs.get(record.spectrum)))
    assert phase["free_energy"]["300"] == vibrations.free_energy(300.0)
    assert record.zero_point_energy == vibrations.zero_point_energy
    assert json.loads(command(*asked).stdout)["phases"] == shown["phases"]
    assert records(folder, Calculation, kind="static") == static
    checked = command("db", "check").stdout
    assert "0 problems" in checked, checked
    # the row of the structure says it, and what shows a candidate lists it
    wanted = ("formula", "imaginary_modes", "zero_point_energy", "vibrations_engine", "vibrations_evidence")
    query = ("query", 'vibrations_evidence = "test"', "--fields", ",".join(wanted), "--json")
    [row] = json.loads(command(*query).stdout)
    is_minimum = record.is_stable and (record.structure == record.start or record.gain > -0.002)
    assert row["zero_point_energy"] == (record.zero_point_energy if is_minimum else None)
    assert (row["imaginary_modes"] == 0) == is_minimum
    assert row["vibrations_engine"] == "weak Lennard-Jones"
    view = command("show", row["formula"]).stdout.partition("Vibrations\n")[2].partition("Powder pattern")[0]
    assert "weak Lennard-Jones" in view
    assert f"{1000 * record.zero_point_energy:.1f}" in view or not is_minimum
    command("report", "-o", "page.html")
    assert "<h4>Vibrations</h4>" in (folder / "page.html").read_text()


def test_a_course_that_is_broken_off_goes_on_where_it_was(folder, command):
    asked = ("vibrations", "--method", "counting.py:engine", *SMALL, "--follow", "0")
    command(*asked, code=1, env={"BREAKS_AFTER": "20"})
    assert computed(folder) == 21
    kept = records(folder, Calculation, kind="static")
    assert len(kept) == 20
    assert records(folder) == []
    command(*asked)
    [record] = records(folder)
    assert record.error is None
    assert computed(folder) == record.displacements + 1  # the one that failed is the only one computed twice
    assert {one.id for one in kept} <= {one.id for one in records(folder, Calculation, kind="static")}


def test_killed_half_way_the_same_command_computes_no_force_twice(folder, command, pairs):
    asked = ("vibrations", "--method", "counting.py:engine", *SMALL, "--follow", "0")
    process = start(*asked, cwd=folder, env={**pairs, "SLOW": "0.2"})
    while computed(folder) < 8:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {one.id for one in records(folder, Calculation, kind="static")}
    assert len(kept) >= 6
    assert records(folder) == []
    before = computed(folder)
    command(*asked)
    [record] = records(folder)
    assert computed(folder) == before + record.displacements - len(kept), "all that was stored is found"
    assert kept < {one.id for one in records(folder, Calculation, kind="static")}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--volumes", "3"),
            "--volumes: 3 is not allowed: must be 1, for none, or 5 and more",
        ),
        (
            ("--volumes", "5", "--pressure", "11"),
            "--pressure: 11",
        ),
        (
            ("--method", "chgnet"),
            "--method: 'chgnet' cannot give vibrations: its second derivatives are 9.9 % asymmetric",
        ),
        (("--method", "pairs", "--max-atoms", "1", "--min-width", "8"), "has nothing whose vibrations can be computed"),
        (("--method", "pairs", "--temperature", "5000"), "--temperature: 5000.0 is out of range; allowed: 0 to 3000 K"),
        (("--method", "pairs", "--displacement", "1"), "--displacement: 1.0 is not allowed"),
        (("--method", "pairs", "--only", "LiH"), "--only: 'LiH' is no candidate"),
        (("--method", "nothing"), "--method: 'nothing'"),
        (("--pressure", "3"), "--pressure: '3' is where the volumes of --volumes are shown"),
        (("quick", "--file", "Cu.cif"), "campaign: 'quick' stands beside --file"),
        (("--file", "Cu.cif", "--only", "K2ReH9"), "--only: 'K2ReH9' chooses among a campaign's phases"),
    ],
)
def test_bad_input_is_one_line(folder, command, arguments, words):
    done = command("vibrations", "--workers", "1", *arguments, code=2)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("ninefold: error")]
    assert words in line
    assert records(folder) == []


def test_a_structure_file_needs_no_campaign(command, folder, tmp_path):
    from pymatgen.core import Lattice, Structure

    Structure(Lattice.cubic(4.05), ["Al"] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]).to(
        str(tmp_path / "Al.cif")
    )
    asked = ("vibrations", "--file", str(tmp_path / "Al.cif"), "--method", "emt", "--min-width", "6", "--json")
    done = command(*asked, "--pictures", str(tmp_path / "drawn"))
    [phase] = json.loads(done.stdout)["phases"]
    assert phase["nsites"] == 1
    assert phase["n_imaginary"] == 0
    assert 0.03 < phase["zero_point_energy"] < 0.04  # eV; measured: 0.0375
    assert "2 supercells of 27 atoms" in done.stderr
    picture = (tmp_path / "drawn" / "Al-vibrations.svg").read_text()
    assert picture.startswith("<svg")
    assert "Γ" in picture
    command(*asked, "--store", str(tmp_path / "kept.db"))
    with open_store(tmp_path / "kept.db") as store:
        [record] = read_all(store, VibrationRecord)
        assert record.displacements == len(list(read_all(store, Calculation, equal={"kind": "static"})))
        assert next(iter(read_all(store, StructureRecord, equal={"id": record.structure})))


def test_a_file_that_is_none_is_told_and_the_others_go_on(command, tmp_path):
    (tmp_path / "bad.cif").write_text("no structure")
    done = command("vibrations", "--file", str(tmp_path / "bad.cif"), "--method", "emt", code=2)
    assert "bad.cif" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lower_structure_takes_its_saddle_point_s_place_in_rows_hulls_and_a_rebuild(folder, command):
    with open_store(folder / "ninefold.db", "write") as store:
        before = next(row for row in read_all(store, Candidate, equal={"rank": 1}))
        minimum = before.minima[0]
        cell = read(store, StructureRecord, minimum.structure).to_structure()
        cell.scale_lattice(cell.volume * 1.001)
        lower = StructureRecord.of(cell)
        mode = {"q": [0.0, 0.0, 0.0], "frequency_meV": -12.0}
        trial = {**mode, "saddle": minimum.structure, "amplitude": 0.1, "gain": -0.004, "outcome": "lower"}
        left = VibrationRecord.model_validate(
            {
                "id": "left", "campaign": "quick", "label": before.label, "method": before.method,
                "start": minimum.structure, "relaxed": minimum.structure, "structure": lower.id,
                "energy_per_atom": minimum.energy_per_atom - 0.004, "gain": -0.004, "n_imaginary": 0,
                "start_imaginary": [mode], "trials": [{**trial, "structure": lower.id}], "settings": {"fmax": 0.002},
                "created": "2026-01-01T00:00:00+00:00",
            }
        )  # fmt: skip
        store.insert("structures", [lower])
        store.insert("vibrations", [left])
        found = read(store, MinimaRecord, before.minima_record)
        assignment = read(store, CompositionRecord, before.composition).to_assignment()
        made = store_followed(store, found, assignment)
        assert store_followed(store, made, assignment) == made, "asked again, it begins with the minima of the search"
        rebuild.apply(store, rebuild.changes(store, rebuild.Rebuilt(), lambda *_: None))
        [row] = list(read_all(store, Candidate, equal={"id": before.id}))
    assert row.minima_record == made.id
    assert row.minima[0].structure == lower.id
    assert row.energy_per_atom == pytest.approx(before.energy_per_atom - 0.004)
    assert row.phase_separation_energy == pytest.approx(before.phase_separation_energy - 0.004, abs=1e-9)
    assert row.minima[0].notes[-1] == "followed from a saddle point (12i meV at Γ, -4.0 meV/atom)"
    assert minimum.structure not in {item.structure for item in row.minima}
    assert made.origins[lower.id][-1] == lower.id
    assert row.search_spread == pytest.approx(before.search_spread)
    assert "0 problems" in command("db", "check").stdout


def test_volumes_of_a_file_are_kept_and_hulls_find_them(folder, command):
    """Copper by ASE's EMT: what is shown is what the store's hulls take."""
    from ase.build import bulk
    from ase.io import write

    from ninefold.flows.thermal import thermal_of
    from ninefold.models.property import PropertyRecord

    write("Cu.cif", bulk("Cu"))
    asked = (
        "vibrations", "--file", "Cu.cif", "--method", "emt", "--min-width", "5", "--volumes", "5", "--store", "cu.db",
        "--smallest-volume", "0.97", "--largest-volume", "1.09", "--temperature", "300", "--temperature", "3000",
    )  # fmt: skip
    shown = json.loads(command(*asked, "--json").stdout)["phases"][0]
    at, beyond = shown["volumes"]["at"]
    assert "lies outside the computed volumes" in beyond["reason"]
    with open_store(folder / "cu.db") as store:
        records = list(read_all(store, VibrationRecord))
        [made] = read_all(store, PropertyRecord)
        thermal = thermal_of(store, made.method, "")
        solid = thermal.expansions[shown["structure"]]
    assert len(records) == 6, "at rest, and at five volumes"
    assert solid.volumes == tuple(shown["volumes"]["volumes_per_atom"])
    assert solid.at(300.0).volume_per_atom == at["volume_per_atom"]
    assert solid.thermal_expansion(300.0) == at["thermal_expansion"]
    assert thermal.vibrations[shown["structure"]].zero_point_energy == pytest.approx(shown["zero_point_energy"])
    text = command(*asked).stdout
    assert f"300 K, 0 GPa: {at['volume_per_atom']:.2f} Å³/atom" in text
    assert "no volume at 3000 K, 0 GPa" in text
    with open_store(folder / "cu.db") as store:
        assert [record.id for record in read_all(store, PropertyRecord)] == [made.id]
