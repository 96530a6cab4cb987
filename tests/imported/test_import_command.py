"""Imported calculations in a store: idempotent, apart by method, and on a hull where they suffice for one."""

import json
import shutil

import pytest

from campaign_run import ninefold
from ninefold.errors import InputError
from ninefold.flows.importing import import_runs
from ninefold.flows.register import _forget_other_methods
from ninefold.imported.read import ImportOptions, read_all
from ninefold.models.campaign import CampaignRecord
from ninefold.store import open_store
from optimade_server import document, served
from vasp_stand_in import read_incar, read_poscar, vasprun_text


@pytest.fixture(scope="module")
def computed(finished, tmp_path_factory):
    """A copy of a finished campaign with the inputs of its first candidate, computed: each has its CHGNet energy."""
    folder = tmp_path_factory.mktemp("computed")
    for name in ("ninefold.db", "ninefold.db.files"):
        source = finished / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    done = ninefold("export", "-o", "runs", "--format", "vasp-inputs", "--limit", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    compute(folder / "runs", folder)
    return folder


@pytest.fixture
def folder(computed, tmp_path):
    shutil.copytree(computed, tmp_path / "copy")
    return tmp_path / "copy"


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())["structures"]


def compute(runs, root, tags=None, shift=0.0):
    with open_store(str(root / "ninefold.db")) as store:
        for entry in manifest(runs):
            where = runs / entry["folder"]
            lattice, symbols, positions = read_poscar((where / "POSCAR").read_text())
            document = store.get("candidates" if entry["kind"] == "candidate" else "references", entry["id"])
            titles = [f"PAW_PBE {name} 01Jan2000" for name in (where / "POTCAR.spec").read_text().split()]
            incar = {**read_incar((where / "INCAR.static").read_text()), **(tags or {})}
            energy = (document["energy_per_atom"] + shift) * len(symbols)
            (where / "vasprun.xml").write_text(vasprun_text(lattice, symbols, positions, energy, incar, titles))


def imported(folder, *paths, store="ninefold.db"):
    """What the command does, without the start of a process."""
    runs, _ = read_all([str(folder / path) for path in paths], ImportOptions())
    with open_store(str(folder / store), mode="write") as opened:
        found = opened.find("campaigns")
        return import_runs(opened, runs, CampaignRecord.model_validate(found[0]) if found else None)


def documents(folder):
    """Everything in the store but the times of writing."""
    with open_store(str(folder / "ninefold.db")) as store:
        return {
            (name, document["id"]): {key: value for key, value in document.items() if key != "created"}
            for name in ("calculations", "structures", "methods", "candidates", "references", "minima")
            for document in store.iterate(name)
        }


def rows(folder, **equal):
    with open_store(str(folder / "ninefold.db")) as store:
        return store.find("candidates", equal=equal)


def test_the_same_energies_give_the_same_hull(folder):
    before = documents(folder)
    told = imported(folder, "runs")
    entries = manifest(folder / "runs")
    assert (told.calculations, told.known) == (len(entries), 0)
    [method] = told.methods
    first = entries[0]
    [row] = rows(folder, method=method, composition=first["id"].split("-")[0])
    [ours] = rows(folder, id=first["id"])
    for key in ("energy_per_atom", "e_above_hull", "phase_separation_energy", "formation_energy_per_atom"):
        assert row[key] == pytest.approx(ours[key], abs=1e-6), key
    assert (row["evidence"], row["is_best"], row["rank"]) == ("DFT", False, None)
    names = {phase["name"] for phase in row["decomposition"]}
    assert names == {phase["name"] for phase in ours["decomposition"]}
    after = documents(folder)
    assert {key: after[key] for key in before} == before  # nothing that was there has changed
    again = imported(folder, "runs")
    assert (again.calculations, again.known) == (0, len(entries))
    assert documents(folder) == after
    # a run of the campaign registers its methods anew and keeps what it could not make again
    with open_store(str(folder / "ninefold.db"), mode="write") as store:
        _forget_other_methods(store, first["campaign"], {ours["method"]})
    assert documents(folder) == after


def test_other_settings_are_another_hull(folder):
    first = manifest(folder / "runs")[0]
    composition = first["id"].split("-")[0]
    [one] = imported(folder, "runs").methods
    compute(folder / "runs", folder, {"ENCUT": "520"}, shift=-0.3)
    told = imported(folder, "runs")
    [two] = told.methods
    assert one != two
    assert any("cutoff_eV 520.0 | 680.0" in note for note in told.notes), told.notes
    [high], [low] = rows(folder, method=one, composition=composition), rows(folder, method=two, composition=composition)
    assert low["energy_per_atom"] == pytest.approx(high["energy_per_atom"] - 0.3, abs=1e-6)
    # every energy moved by the same: on one hull with the others the phase would lie 0.3 eV/atom lower
    assert low["phase_separation_energy"] == pytest.approx(high["phase_separation_energy"], abs=1e-6)


def test_a_run_waits_for_what_its_hull_needs(folder):
    first, *others = manifest(folder / "runs")
    told = imported(folder, f"runs/{first['folder']}")
    [method] = told.methods
    assert (told.calculations, told.rows) == (1, [])
    assert "kept as a calculation" in told.notes[0]
    for symbol in ("H", "K", "Re"):
        assert symbol in told.notes[0].split("not imported yet: ")[1].split(", ")
    assert rows(folder, method=method) == []
    for entry in others:
        imported(folder, f"runs/{entry['folder']}")
    one_by_one = documents(folder)
    imported(folder, "runs")
    assert {k: v for k, v in documents(folder).items() if k[0] in ("candidates", "references")} == {
        k: v for k, v in one_by_one.items() if k[0] in ("candidates", "references")
    }
    assert rows(folder, method=method)


@pytest.mark.parametrize("broken", ["truncated", "other formula", "potential"])
def test_nothing_is_stored_of_a_batch_with_a_bad_run(folder, broken):
    runs = folder / "runs"
    first, *others = manifest(runs)
    file, other = runs / first["folder"] / "vasprun.xml", runs / others[-1]["folder"] / "vasprun.xml"
    if broken == "truncated":
        file.write_text(file.read_text()[:3000])
    elif broken == "other formula":
        shutil.copy(other, file)
    else:
        file.write_text(file.read_text().replace("PAW_PBE H 01Jan2000", "PAW_PBE H_h 06Feb2004"))
    before = documents(folder)
    words = {"truncated": "ends before its end", "other formula": "is a run of", "potential": "H_h"}[broken]
    with pytest.raises(InputError, match=words):
        imported(folder, "runs")
    assert documents(folder) == before


def test_a_store_without_a_campaign(folder):
    told = imported(folder, "runs", store="new.db")
    assert (told.rows, told.references, told.calculations) == ([], 0, len(manifest(folder / "runs")))


def test_an_optimade_server_s_energies_give_the_same_hull_and_two_fields_of_it_two(folder):
    """The energies of another method of the same provider are 0.3 eV/atom lower for half of the phases: never mixed."""
    from pymatgen.core import Structure

    entries = manifest(folder / "runs")
    structures = [Structure.from_file(folder / "runs" / entry["folder"] / "POSCAR") for entry in entries]
    documents_of_server = []
    with open_store(str(folder / "ninefold.db")) as store:
        for place, (entry, structure) in enumerate(zip(entries, structures, strict=True)):
            kind = "candidates" if entry["kind"] == "candidate" else "references"
            energy = store.get(kind, entry["id"])["energy_per_atom"]
            other = energy - 0.3 if place % 2 else None
            documents_of_server.append(document(structure, f"nfold-{place}", energy=energy, other=other))
    first = entries[0]
    composition = first["id"].split("-")[0]

    def imported_field(address, field):
        options = ImportOptions(method="PBE", energy_field=f"_nfold_{field}", filter=f"_nfold_{field} IS KNOWN")
        runs, _ = read_all([address], options)
        with open_store(str(folder / "ninefold.db"), mode="write") as opened:
            return import_runs(opened, runs, CampaignRecord.model_validate(opened.find("campaigns")[0]))

    with served(documents_of_server, ["energy", "other"]) as address:
        told = imported_field(address, "energy")
        again = imported_field(address, "energy")
        partly = imported_field(address, "other")
    [method] = told.methods
    assert (told.calculations, again.calculations, again.known) == (len(entries), 0, len(entries))
    [row] = rows(folder, method=method, composition=composition)
    [ours] = rows(folder, id=first["id"])
    for key in ("energy_per_atom", "e_above_hull", "phase_separation_energy", "formation_energy_per_atom"):
        assert row[key] == pytest.approx(ours[key], abs=1e-5), key
    [other] = partly.methods
    assert other != method
    assert any("_nfold_energy" in note and "_nfold_other" in note for note in partly.notes), partly.notes
    assert rows(folder, method=other) == [], "half of the phases make no hull"
    assert rows(folder, method=method, composition=composition) == [row]


def test_the_command(folder):
    done = ninefold("import", "runs", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["new"], told["campaign"]) == (len(manifest(folder / "runs")), "tiny")
    file = folder / "runs" / manifest(folder / "runs")[0]["folder"] / "vasprun.xml"
    file.write_text(file.read_text()[:3000])
    done = ninefold("import", "runs", cwd=folder)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "ends before its end" in done.stderr
