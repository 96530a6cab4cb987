"""search and relax: one composition or one structure, without a campaign, on a potential without chemistry."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from campaign_run import ninefold, with_pairs
from ninefold.campaign.model import Campaign
from ninefold.cli.calculation import StopSignal
from ninefold.cli.search import _methods
from ninefold.engines import EngineSettings
from ninefold.errors import InputError
from ninefold.search.budget import SearchBudget
from ninefold.stages.energies import rougher

JUDGE = {"sigma": 1.16, "epsilon": 0.021, "rc": 5.0, "smooth": True}
STRUCTURE_KEYS = {
    "energy_per_atom", "space_group_number", "coordination_numbers", "volume", "source", "relaxations", "path",
}  # fmt: skip
QUICK = ("--relaxations", "4", "--source", "known_types", "--source", "fluorite.cif")
"""The type that K2ReH9 has, and one host: of its own sources a search settles hundreds of structures."""


def search(*arguments, cwd, **options):
    return ninefold("search", "K2ReH9", "--engine", "lj", *arguments, cwd=cwd, **options)


@pytest.fixture
def with_host(tmp_path):
    """A folder with the host of a quick search."""
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.5), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    fluorite.to_file(str(tmp_path / "fluorite.cif"))
    return tmp_path


def copper():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.7), ["Cu"], [[0, 0, 0]])


def test_search_prints_json_and_writes_cifs(with_host):
    done = search(*QUICK, "--json", "--out", "found", cwd=with_host)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["evidence"] == "test"
    assert 3 <= result["relaxations"] <= 4
    assert len(result["best_by_relaxation"]) == result["relaxations"]
    valid = [row["energy_per_atom"] for row in result["structures"] if row["is_valid"] and row["is_converged"]]
    assert valid
    assert valid == sorted(valid)
    assert len(result["structures"]) > len(valid)
    for row in result["structures"]:
        assert set(row) >= STRUCTURE_KEYS
        assert 1 <= row["relaxations"] <= 4
        structure = Structure.from_file(with_host / row["path"])
        assert structure.composition.reduced_formula == "K2ReH9"
    again = json.loads(search(*QUICK, "--json", "--out", "found", "--force", cwd=with_host, fresh=True).stdout)
    assert [row["energy_per_atom"] for row in again["structures"]] == [
        row["energy_per_atom"] for row in result["structures"]
    ]


def test_search_into_one_file_that_says_what_made_it(with_host):
    import ase.io

    done = search(*QUICK, "--seed", "3", "--json", "--out", "found.xyz", cwd=with_host)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["structures"]
    frames = ase.io.read(with_host / "found.xyz", index=":")
    assert {row["path"] for row in rows} == {"found.xyz"}
    assert [frame.get_potential_energy() / len(frame) for frame in frames] == pytest.approx(
        [row["energy_per_atom"] for row in rows]
    )
    for frame, row in zip(frames, rows, strict=True):
        assert frame.info["seed"] == 3
        assert frame.info["evidence"] == "test"
        assert frame.info["source"] == row["source"]
        description = row["description"]
        assert description["space_group_number"] == row["space_group_number"]
        assert frame.get_volume() / len(frame) == pytest.approx(description["volume"] / description["nsites"], rel=1e-5)


def test_without_engines_a_search_has_those_of_a_campaign():
    campaign = Campaign.model_validate({"name": "a", "space": [{"centres": ["Re"], "cations": ["K"], "n": 9}]})
    assert _methods(None, None, None) == campaign.methods
    assert campaign.methods[-1].title == "sevennet:7net-0"
    assert (
        rougher(SearchBudget()).final_fmax
        == campaign.search_budget_of(is_low=False).final_fmax
        > SearchBudget().final_fmax
    )


@pytest.mark.parametrize(
    ("named", "titles"),
    [
        (("chgnet", None, None), ["chgnet"]),  # an engine that is named does all
        ((None, "r2scan", None), ["chgnet:r2scan"]),
        ((None, None, "none"), ["chgnet"]),
        (("lj", None, "sevennet:7net-l3i5"), ["lj", "sevennet:7net-l3i5"]),
        ((None, None, "sevennet"), ["chgnet", "sevennet"]),
    ],
)
def test_which_methods_a_search_has(named, titles):
    searching, judging = _methods(*named)
    assert [searching.title, *([] if judging is None else [judging.title])] == titles


def test_what_searches_is_no_second_method():
    with pytest.raises(InputError, match="--energies: 'lj' is what searches"):
        _methods("lj", None, "lj")


def test_relax_has_the_engine_that_relaxes_the_final_structures_of_a_campaign(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from ninefold.cli.main import command_line

    asked = []

    def make_engine(settings):
        asked.append(settings)
        raise InputError("engine", settings.title)

    monkeypatch.setattr("ninefold.engines.make_engine", make_engine)
    for options in ([], ["--model", "7net-l3i5"], ["--engine", "chgnet"]):
        CliRunner().invoke(command_line(), ["relax", "x.cif", *options])
    assert asked == [
        EngineSettings(name="sevennet", model="7net-0"), EngineSettings(name="sevennet", model="7net-l3i5"),
        EngineSettings(name="chgnet"),
    ]  # fmt: skip


def test_another_method_relaxes_the_lowest_minima_to_the_end(tmp_path, with_host):
    """Its energies stand with its structures: as a calculator of ASE has them that knows nothing of the search."""
    import ase.io
    from ase.calculators.lj import LennardJones

    # a pair potential much like the one that searches: the minima found stay minima
    (tmp_path / "judge.py").write_text(
        "from ase.calculators.lj import LennardJones\n"
        "from ninefold.engines.ase_engine import ASEEngine\n"
        f"PARAMETERS = {JUDGE!r}\n"
        "def engine(settings):\n"
        "    calculator = LennardJones(**PARAMETERS)\n"
        "    return ASEEngine('judge', 'judging Lennard-Jones', calculator, (PARAMETERS,), evidence='test')\n"
    )
    done = ninefold(
        "search", "K2ReH9", "--engine", "pairs", "--energies", "judge.py:engine", *QUICK, "--json",
        "--out", "x.extxyz", cwd=tmp_path, env=with_pairs(tmp_path / "pairs"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["engine"], told["searched_by"]) == ("judging Lennard-Jones", "weak Lennard-Jones")
    final = told["final_relaxations"]
    assert final["engine"] == "judging Lennard-Jones"
    assert 1 <= final["relaxed"] == final["minima"] <= SearchBudget().passed_on
    rows = told["structures"]
    assert 1 <= len(rows) <= final["minima"]
    for row, frame in zip(rows, ase.io.read(tmp_path / "x.extxyz", ":"), strict=True):
        frame.calc = LennardJones(**JUDGE)
        assert frame.get_potential_energy() / len(frame) == pytest.approx(row["energy_per_atom"], abs=1e-6)
        assert abs(frame.get_forces()).max() <= 0.01 or not row["is_converged"]
        assert 1 <= row["relaxations"] <= told["relaxations"] <= 4, "spent by the search"


def test_of_the_seconds_some_are_left_for_the_final_relaxations(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stop = StopSignal(100)
    search = stop.first(0.75)
    clock[0] = 74
    assert not search()
    clock[0] = 76
    assert search()
    assert search.was_cut
    assert not stop()
    clock[0] = 100
    assert stop()
    assert stop.reason == "time is up"
    endless = StopSignal(None)
    assert not endless.first(0.75)()


def test_known_types_are_offered_and_can_be_withheld(with_host):
    for options, sources in (
        ((), {"type:K2ReH9", "file:fluorite:Z1"}),
        (("--exclude-types", "all", "--out", "withheld"), {"file:fluorite:Z1"}),
    ):
        found = json.loads(search(*QUICK, *options, "--json", cwd=with_host).stdout)["structures"]
        assert {row["source"] for row in found} == sources


def test_time_is_kept(tmp_path):
    start = time.monotonic()
    done = search("--relaxations", "200", "--seconds", "3", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stopped"] == "time is up"
    assert time.monotonic() - start < 60


def test_ctrl_c_ends_with_what_there_is(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "ninefold.cli.main", "search", "K2ReH9", "--engine", "lj", "--relaxations", "300",
         "--json"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("build:"):  # hundreds of relaxations have a pool of thousands
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Stopping after" in err
    assert json.loads(out)["stopped"] == "interrupted"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "K2ReH8"], ["K2ReH8", "half a hydrogen", "K2ReH9"]),
        (["search", "K2ReH9", "--seconds", "0"], ["--seconds", "0"]),
        (["search", "K2ReH9", "--exclude-types", "folklore"], ["folklore", "K2PtCl6"]),
        (["search", "K2ReH9", "--relaxations", "0"], ["--relaxations", "0"]),
        (["search", "K2ReH9", "--engine", "oracle"], ["oracle", "chgnet"]),
        (["search", "K2ReH9", "--engine", "emt", "--source", "known_types"], ["emt", "K, Re"]),
        (["search", "K2ReH9", "--centre", "Mo"], ["Mo", "Re"]),
        (["search", "Xx2ReH9"], ["Xx"]),
        (["search", "K2ReH9", "--engine", "lj", "--out", "file/inside"], ["--out"]),
        (["search", "K2ReH9", "--source", "guess"], ["--source", "guess", "symmetric_units"]),
        (["search", "K2ReH9", "--source", "absent.cif"], ["--source", "absent.cif"]),
        (["search", "K2ReH9", "--source", "one.cif"], ["one.cif", "holds Re alone"]),
        (["search", "K2ReH9", "--source", "broken.py:mine"], ["broken.py", "SyntaxError"]),
        (["search", "K2ReH9", "--engine", "mace"], ["mace", "mace-torch", "pip install"]),
        (["search", "K2ReH9", "--engine", "sevennet", "--model", "7net-9"], ["7net-9", "7net-0"]),
        (["search", "K2ReH9", "--engine", "lj", "--out", "x.csv"], ["--out", "x.csv", ".xyz"]),
        (["search", "K2ReH9", "--engine", "lj", "--energies", "oracle"], ["oracle", "sevennet"]),
        (["search", "K2ReH9", "--engine", "lj", "--energies", "sevennet:7net-9"], ["7net-9", "7net-0"]),
        (["relax", "nowhere.cif", "--engine", "lj"], ["nowhere.cif", "does not exist"]),
        (["relax", "file", "--engine", "lj"], ["file", "cannot be read"]),
        (["relax", "file", "--fmax", "0"], ["--fmax"]),
        (["relax", "file", "--steps", "200000"], ["--steps"]),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, words):
    (tmp_path / "file").write_text("nothing of use")
    (tmp_path / "broken.py").write_text("def mine(:")
    Structure(Lattice.cubic(3.0), ["Re"], [[0, 0, 0]]).to_file(str(tmp_path / "one.cif"))
    done = ninefold(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    [line] = [line for line in done.stderr.strip().splitlines() if not line.startswith(("build:", "single point:"))]
    for word in words:
        assert word in line


def test_a_host_of_one_s_own_is_searched(with_host):
    done = search("--relaxations", "1", "--source", "fluorite.cif", "--json", cwd=with_host)
    assert done.returncode == 0, done.stderr
    assert {row["source"] for row in json.loads(done.stdout)["structures"]} == {"file:fluorite:Z1"}


def test_relax_goes_on_after_a_broken_file(tmp_path):
    copper().to_file(str(tmp_path / "good.cif"))
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a what")
    atoms = Structure(Lattice.cubic(4), ["Cu", "Cu"], [[0, 0, 0], [0, 0, 0.01]])
    atoms.to_file(str(tmp_path / "overlap.POSCAR"))
    done = ninefold(
        "relax", "broken.cif", "overlap.POSCAR", "good.cif", "--engine", "emt", "--json", "--out", "new", cwd=tmp_path
    )
    assert done.returncode == 2
    rows = {row["file"]: row for row in json.loads(done.stdout)["structures"]}
    assert "cannot be read" in rows["broken.cif"]["error"]
    assert "atoms that overlap: Cu (atom 1) and Cu (atom 2), 0.04 Å apart" in rows["overlap.POSCAR"]["error"]
    good = rows["good.cif"]
    assert good["space_group_number"] == 225
    assert good["is_converged"]
    assert good["volume"] / good["nsites"] == pytest.approx(
        3.59**3 / 4, rel=0.02
    )  # EMT's own lattice constant, ASE docs
    assert Structure.from_file(tmp_path / good["path"]).composition.reduced_formula == "Cu"
    text = (tmp_path / good["path"]).read_text()
    assert re.search(r"_ninefold_evidence +'test'", text)
    assert float(re.search(r"_ninefold_energy_per_atom +(\S+)", text)[1]) == pytest.approx(good["energy_per_atom"])


def test_notes_of_reading_are_printed_and_all_frames_are_relaxed(tmp_path):
    import ase.io
    from ase.build import bulk

    ase.io.write(tmp_path / "two.extxyz", [bulk("Cu", a=3.7), bulk("Cu", a=3.6)])
    arguments = ["relax", "two.extxyz", "--engine", "emt", "--steps", "0", "--json"]
    done = ninefold(*arguments, cwd=tmp_path, fresh=True)
    [row] = json.loads(done.stdout)["structures"]
    assert row["volume"] == pytest.approx(3.6**3 / 4)
    assert row["notes"] == ["of 2 frames the last was read (--all-frames takes all)"]
    assert "ninefold: note: two.extxyz: of 2 frames the last was read" in done.stderr
    done = ninefold(*arguments, "--all-frames", "--out", "new", cwd=tmp_path)
    rows = json.loads(done.stdout)["structures"]
    assert [row["volume"] for row in rows] == pytest.approx([3.7**3 / 4, 3.6**3 / 4])
    assert [row["frame"] for row in rows] == [1, 2]
    assert [Path(row["path"]).name for row in rows] == ["two-relaxed-0001.cif", "two-relaxed-0002.cif"]
    assert ninefold(*arguments, "--all-frames", "--out", "new", cwd=tmp_path).returncode == 2


def test_a_host_is_read_as_relax_reads(tmp_path):
    fluorite = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.5), ["Ca", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    text = fluorite.to(fmt="cif")
    (tmp_path / "two.cif").write_text(text + text.replace("data_CaF2", "data_again"))
    (tmp_path / "half.cif").write_text(re.sub(r"  1(\.0)?$", "  0.5", text, flags=re.M))
    done = search("--relaxations", "1", "--source", "half.cif", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert "disordered" in done.stderr
    done = search("--relaxations", "1", "--source", "two.cif", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert "ninefold: note: two.cif: of 2 data blocks, 2 with atoms, the first with atoms was read: CaF2" in done.stderr


def test_two_files_of_one_name_are_two_results(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        copper().to_file(str(tmp_path / folder / "POSCAR"))
    done = ninefold(
        "relax", "a/POSCAR", "b/POSCAR", "--engine", "emt", "--steps", "1", "--json", "--out", "new", cwd=tmp_path
    )
    paths = {row["path"] for row in json.loads(done.stdout)["structures"]}
    assert len(paths) == 2
    assert all((tmp_path / path).exists() for path in paths)
