"""`ninefold xrd`, `xrd match` and `recipe` as a user meets them."""

from __future__ import annotations

import gzip
import json
import shutil

import numpy as np
import pytest
import results_sample
from powder_samples import DATA, mgh2, molybdenum, rock_salt
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition
from typer.testing import CliRunner

from ninefold.campaign import read_campaign
from ninefold.cli.main import command_line
from ninefold.errors import InputError
from ninefold.flows.powder_phases import powder_phases
from ninefold.models.campaign import CampaignRecord
from ninefold.models.candidate import Candidate
from ninefold.models.property import PropertyRecord
from ninefold.stages.compress import STAGE, state_id
from ninefold.store import open_store


def out(*arguments):
    done = CliRunner().invoke(command_line(), [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def refused(*arguments):
    done = CliRunner().invoke(command_line(), [str(each) for each in arguments])
    assert isinstance(done.exception, InputError), done.exception
    assert done.exception.exit_code == 2
    assert "\n" not in str(done.exception)
    return str(done.exception)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """CIFs of three phases, and the current folder; no store."""
    for name, structure in (("mo", molybdenum()), ("lih", rock_salt()), ("mgh2", mgh2())):
        (tmp_path / f"{name}.cif").write_text(structure.to(fmt="cif"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NINEFOLD_STORE", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def test_pattern_of_a_file(files):
    printed = out("xrd", "lih.cif", "--range", "20,80")
    assert "lih.cif (file), CuKa" in printed
    assert "1 1 1" in printed
    assert "2 0 0" in printed
    assert "Hydrogen hardly scatters X-rays" in printed
    assert "hardly" not in out("xrd", "lih.cif", "-w", "1.5", "--neutrons", "--deuterium")
    data = json.loads(out("xrd", "pattern", "mo.cif", "-w", "0.4132", "--json"))
    first = data["phases"][0]["peaks"][0]
    assert first["hkl"] == [1, 1, 0]
    assert first["two_theta"] == pytest.approx(2 * np.degrees(np.arcsin(0.4132 / (2 * first["d"]))))


def test_pressure_moves_peaks_up(files):
    at_0, at_5 = (
        json.loads(out("xrd", "mo.cif", "--json", *more))["phases"][0]["peaks"][0]["d"]
        for more in ([], ["--pressure", "5", "--bulk-modulus", "260"])
    )
    assert at_5 / at_0 == pytest.approx((1 + 4 * 5 / 260) ** (-1 / 12), abs=1e-5)


def test_a_written_profile_is_matched(files):
    """A pattern of our own making, shrunk by 1 % in length, in counts on a background; the other phase is not named."""
    out("xrd", "mgh2.cif", "--volume-ratio", 0.97, "--range", "20,80", "--fwhm", 0.15, "--out", "own.xy")
    table = np.loadtxt("own.xy")
    counts = np.random.default_rng(0).poisson(40 * table[:, 1] + 80)
    np.savetxt("scan.xy", np.column_stack([table[:, 0], counts]), fmt="%.4f")
    found = json.loads(
        out(
            "xrd",
            "match",
            "scan.xy",
            "-w",
            "CuKa",
            "--phase",
            "mgh2.cif",
            "--phase",
            "mo.cif",
            "--json",
            "-o",
            "fit.svg",
        )
    )
    assert found["verdict"] == "explained"
    (phase,) = found["phases"]
    assert phase["name"] == "mgh2.cif"
    assert phase["volume_change"] == pytest.approx(-0.03, abs=0.002)
    assert found["unexplained"] == []
    assert (files / "fit.svg").read_text().startswith("<svg")


@pytest.mark.parametrize("ending", ["svg", "png", "xy"])
def test_pictures_and_profiles(files, ending):
    out("xrd", "mgh2.cif", "--out", f"one.{ending}")
    content = (files / f"one.{ending}").read_bytes()
    assert content[:4] in (b"<svg", b"\x89PNG", b"# 2t")
    assert "exists already" in refused("xrd", "mgh2.cif", "--out", f"one.{ending}")


def test_printed_match_says_what_is_left(files):
    scan = DATA / "foreign01.xy.gz"
    printed = out("xrd", "match", scan, "-w", "CuKa", "--phase", "mgh2.cif", "--phase", "lih.cif")
    assert "No mixture of these phases explains the pattern." in printed
    assert "Unexplained: 5 of 5 peaks" in printed
    assert "3.13" in printed  # silicon 111


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["xrd", "match", "scan.xy", "--phase", "mo.cif"], "--wavelength: '' is missing"),
        (["xrd", "match", "scan.xy", "-w", "12", "--phase", "mo.cif"], "0.1 to 3 Å"),
        (["xrd", "match", "none.xy", "-w", "CuKa", "--phase", "mo.cif"], "does not exist"),
        (["xrd", "match", "empty.xy", "-w", "CuKa", "--phase", "mo.cif"], "is empty"),
        (["xrd", "match", "scan.xy", "-w", "CuKa", "--elements", "Li,Xx"], "names no element: 'Xx'"),
        (["xrd", "match", "scan.xy", "-w", "CuKa", "--elements", ","], "is empty"),
        (["xrd", "match", "scan.xy", "-w", "CuKa", "--phase", "mo.cif", "--range", "70,20"], "two rising angles"),
        (["xrd", "match", "scan.xy", "-w", "CuKa", "--phase", "mo.cif", "--range", "20,20.1"], "points of the pattern"),
        (["xrd", "match", "scan.xy", "-w", "CuKa", "--phase", "mo.cif", "--strain", "0.5"], "0 to 0.1"),
        (["xrd", "match", "scan.xy", "-w", "CuKa", "--phase", "mo.cif", "--axis", "x"], "2theta, q, d"),
        (["xrd", "match", "scan.xy", "-w", "CuKa", "--phase", "mo.cif", "-o", "fit.pdf"], ".svg, .png"),
        (
            ["xrd", "match", "scan.xy", "-w", "CuKa", "--phase", "mo.cif", "-o", "scan.xy"],
            "does not say by its ending what to write",
        ),
        (["xrd", "match", "scan.xy", "-w", "CuKa"], "store"),
        (["xrd", "mo.cif", "-w", "Unobtainium"], "is no wavelength"),
        (["xrd", "mo.cif", "--range", "wide"], "is no range"),
        (["xrd", "mo.cif", "--pressure", "5"], "needs --bulk-modulus"),
        (["xrd", "mo.cif", "--bulk-modulus", "5"], "says nothing without --pressure"),
        (["xrd", "mo.cif", "--fwhm", "-1"], "above 0"),
        (["xrd", "mo.cif", "--caglioti-u=-5"], "negative FWHM² from 5.12 to 90.00 degrees"),
        (["xrd", "mo.cif", "--caglioti-v=-1", "--caglioti-u", "1", "--range", "5,40"], "negative FWHM² from 5.00 to "),
        (["xrd", "mo.cif", "--deuterium"], "says nothing without --neutrons"),
        (["xrd", "mo.cif", "--competitors"], "no hull is stored"),
        (["xrd", "mo.cif", "--out", "mo.pdf"], ".xy, .svg, .png"),
        (["recipe", "Li5MoH11", "--mg", "-5"], "above 0"),
        (["recipe", "Li5XxH11"], "Xx"),
        (["recipe", "Li5MoH11", "--excess", "LiH"], "FORMULA=FRACTION"),
        (["recipe", "Li5MoH11", "--from", "NaH,Mo"], "cannot make Li5MoH11"),
        (["recipe", "K2ReH9", "--excess", "KH=0.05", "--excess", "KH=0.1"], "second excess of KH, after 0.05; allowed"),
        (["recipe", "NH3BH3"], "is no hydride of a metal; allowed: a metal and hydrogen"),
    ],
    ids=lambda value: " ".join(value[:2] + value[-2:]) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line(files, arguments, words):
    (files / "scan.xy").write_bytes(gzip.decompress((DATA / "foreign01.xy.gz").read_bytes()))
    (files / "empty.xy").write_text("")
    before = sorted(files.iterdir())
    assert words in refused(*arguments)
    assert sorted(files.iterdir()) == before


def test_a_command_of_no_name_shows_help():
    done = CliRunner().invoke(command_line(), ["xrd"])
    assert "match" in done.output
    assert "pattern" in done.output


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("powder") / "ninefold.db"
    with open_store(path, mode="write") as repository:
        results_sample.fill(repository)
    return path


def test_pattern_of_a_candidate_and_of_what_it_competes_with(files, store):
    data = json.loads(out("xrd", "K2ReH9", "--competitors", "--store", store, "--json"))
    first, *others = data["phases"]
    assert first["kind"] == "candidate"
    assert first["name"].startswith("K2ReH9")
    # K2ReH9, P-62m, a = 9.607, c = 5.508 Å: d of 100 is a sin 60°
    assert first["peaks"][0]["hkl"] == [1, 0, 0]
    assert first["peaks"][0]["d"] == pytest.approx(9.607 * 3**0.5 / 2, abs=1e-3)
    with open_store(store) as repository:
        row = repository.find("candidates", equal={"formula": "K2ReH9", "is_best": True}, limit=None)[0]
        hull = {part["name"] for part in repository.get("candidates", row["id"])["decomposition"]}
    assert {each["name"] for each in others} >= {name for name in hull if "molecule" not in name}


def test_competitors_are_every_corner_of_the_hull_of_the_chemical_system(files, store, tmp_path):
    """Also K4ReH9, which K2ReH9 does not decompose to. Oracle: pymatgen's static hull of the stored energies."""
    store = shutil.copy(store, tmp_path / "corner.db")
    with open_store(store, mode="write") as repository:
        record = CampaignRecord.model_validate(repository.get("campaigns", "quickstart"))
        settings = read_campaign("quickstart").model_dump(mode="json")
        repository.put("campaigns", [record.model_copy(update={"settings": settings})])
        [key] = repository.find("candidates", equal={"formula": "K4ReH9", "is_best": True}, fields=["id"], limit=None)
        lower = Candidate.model_validate(repository.get("candidates", key["id"]))
        minima = [each.model_copy(update={"energy_per_atom": each.energy_per_atom - 0.5}) for each in lower.minima]
        lower = lower.model_copy(update={"energy_per_atom": lower.energy_per_atom - 0.5, "minima": minima})
        repository.put("candidates", [lower])
    data = json.loads(out("xrd", "K2ReH9", "--competitors", "--store", store, "--json"))
    with open_store(store) as repository:
        [row] = repository.find("candidates", equal={"formula": "K2ReH9", "is_best": True}, limit=None)
        of_method = {"campaign": row["campaign"], "method": row["method"]}
        references = [each for each in repository.find("references", equal=of_method) if not each["refuted"]]
        candidates = repository.find("candidates", equal=of_method, limit=None)
    named = [(each["name"], each) for each in references] + [(each["label"], each) for each in candidates]
    entries = []
    for name, each in named:
        if each["energy_per_atom"] is not None and set(each["elements"]) <= {"H", "K", "Re"}:
            composition = Composition(each["formula"])
            entries.append(PDEntry(composition, each["energy_per_atom"] * composition.num_atoms, name=name))
    corners = {
        entry.name for entry in PhaseDiagram(entries).stable_entries if entry.composition.reduced_formula != "H2"
    }
    assert corners <= {each["name"] for each in data["phases"]}
    assert lower.label in corners
    assert len({each["name"] for each in data["phases"]}) == len(data["phases"])


def test_store_and_phases_of_a_match(files, store):
    message = refused("xrd", "match", DATA / "foreign01.xy.gz", "-w", "CuKa", "--elements", "U", "--store", store)
    assert "no phase" in message
    message = refused("xrd", "match", DATA / "foreign01.xy.gz", "-w", "CuKa", "-c", "nope", "--store", store)
    assert "campaign: 'nope' is not in the store; allowed: quickstart" in message
    message = refused("xrd", "Na2ReH9", "--store", store)
    assert "neither in the store nor a structure file; allowed: a candidate (" in message
    assert "K2ReH9" in message
    with open_store(store) as repository:
        phases = powder_phases(repository, {"K", "Re", "H"})
    assert {each.kind for each in phases} == {"candidate", "reference"}
    assert all({site.specie.symbol for site in each.structure} <= {"K", "Re", "H"} for each in phases)
    assert not any("molecule" in each.name for each in phases)
    assert len({each.id for each in phases}) == len(phases)


def test_reference_phases_are_by_the_most_trusted_method_that_has_them(files, store):
    """The second method is the more trusted one; it has no molybdenum."""
    first, second = results_sample.FIRST.label, results_sample.SECOND.label

    def of(phase, *more):
        (shown,) = json.loads(out("xrd", phase, "--store", store, "--json", *more))["phases"]
        return shown["engine"]

    assert (of("KH"), of("Re"), of("Mo"), of("KH", "-c", "quickstart")) == (second, second, first, second)
    assert f"(reference, {second}), CuKa" in out("xrd", "KH", "--store", store)
    with open_store(store) as repository:
        engines = {each.name: each.engine for each in powder_phases(repository) if each.kind == "reference"}
    assert engines.pop(results_sample.MISSING) == first
    assert set(engines.values()) == {second}


def test_a_reference_phase_at_pressure_has_the_equation_of_state_of_its_own_method(files, compressed):
    """It is stored for the more trusted method alone, as 'ninefold compress' leaves it."""
    (shown,) = json.loads(out("xrd", "KH", "--pressure", "5", "--store", compressed, "--json"))["phases"]
    assert shown["engine"] == results_sample.SECOND.label
    assert shown["compression"] == f"equation of state by {results_sample.SECOND.label}"


def test_recipe_with_and_without_a_store(files, store):
    printed = out("recipe", "K2ReH9", "--mg", 50, "--store", store)
    assert "2 KH + Re + 7/2 H2 -> K2ReH9" in printed
    assert "Stored, static: K2ReH9 -> " in printed
    assert "mg where it gives 2 H2 each" in printed
    assert "NH3BH3" in printed
    data = json.loads(out("recipe", "K2ReH9", "--mg", 50, "--json"))
    assert data["stored"] == []
    assert sum(each["mg"] for each in data["charges"][0]["solids"]) < 50


def test_show_has_the_pattern_and_the_bound_of_disorder(files, store):
    printed = out("show", "K2ReH9", "--store", store)
    assert "Powder pattern" in printed
    assert "Disorder" in printed
    assert "in no energy here" in printed
    assert "Metal lattice: P-62m (189)" in printed


@pytest.fixture
def compressed(tmp_path, store):
    """The store with an equation of state of K2ReH9 and of its potassium hydride; names of phases without one."""
    path = tmp_path / "compressed.db"
    shutil.copy(store, path)
    with open_store(path, mode="write") as repository:
        [row] = repository.find("candidates", equal={"formula": "K2ReH9", "is_best": True}, limit=None)
        row = repository.get("candidates", row["id"])
        [hydride] = repository.find("references", equal={"method": row["method"], "formula": "KH"}, limit=None)
        for structure, modulus in ((row["minima"][0]["structure"], 20.0), (hydride["structure"], 10.0)):
            values = {
                "volumes": [12.0], "energies": [-4.0], "pressures": [0.0], "notes": [], "form": "murnaghan",
                "energy_per_atom": -4.0, "volume_per_atom": 12.0, "bulk_modulus": modulus, "derivative": 4.0,
                "misfit": 0.0,
            }  # fmt: skip
            record = PropertyRecord(
                id=state_id(structure, row["method"]), campaign=row["campaign"], stage=STAGE, label="x",
                structure=structure, method=row["method"], values=values, reason=None, core_seconds=0.0,
                created="2026-01-01T00:00:00+00:00",
            )  # fmt: skip
            repository.insert("properties", [record])
    return path


def test_a_stored_equation_of_state_gives_the_cell_at_pressure(files, compressed):
    """Oracle: Murnaghan's equation by hand; lengths go with the cube root of the volume."""
    at = {
        pressure: json.loads(
            out("xrd", "K2ReH9", "--competitors", "--pressure", pressure, "--store", compressed, "--json")
        )["phases"]
        for pressure in (0, 5)
    }
    (first, *others), before = at[5], at[0]
    ratio = (1 + 4 * 5 / 20) ** (-1 / 4)
    assert first["volume_ratio"] == pytest.approx(ratio)
    assert first["compression"].startswith("equation of state by ")
    assert first["peaks"][0]["d"] / before[0]["peaks"][0]["d"] == pytest.approx(ratio ** (1 / 3), abs=1e-6)
    ratios = {each["name"]: (each["volume_ratio"], each["compression"]) for each in others}
    [hydride] = [name for name in ratios if name.startswith("KH")]
    assert ratios[hydride][0] == pytest.approx((1 + 4 * 5 / 10) ** (-1 / 4))
    rest = {value for name, value in ratios.items() if name != hydride}
    assert rest == {(1.0, "")}
    printed = out("xrd", "K2ReH9", "--competitors", "--pressure", "5", "--store", compressed)
    assert f"V/V0 = {ratio:.4f} (equation of state by" in printed
    assert "cell of 0 GPa: it has no equation of state" in printed
    given = out("xrd", "K2ReH9", "--pressure", "5", "--bulk-modulus", "40", "--store", compressed)
    assert "(Murnaghan's equation, 40 GPa)" in given


def test_what_has_no_equation_of_state_is_refused_at_pressure(files, store, compressed):
    message = refused("xrd", "K2ReH9", "--pressure", "5", "--store", store)
    assert "needs --bulk-modulus" in message
    assert "ninefold compress" in message
    assert "allowed: 0 to 10 GPa" in refused("xrd", "K2ReH9", "--pressure", "20", "--store", compressed)
    assert "allowed: 0 to 10 GPa" in refused("xrd", "K2ReH9", "--pressure", "nan", "--store", compressed)
    match = ("xrd", "match", DATA / "foreign01.xy.gz", "-w", "CuKa", "--phase", "mo.cif")
    assert "allowed: 0 to 10 GPa" in refused(*match, "--pressure", "-1")


def test_phases_are_matched_at_the_pressure_of_the_measurement(files, compressed):
    """A pattern of K2ReH9 at 5 GPa, 16 % smaller: outside what a cell may change by, and found from its equation."""
    at_5 = ("--pressure", "5", "--store", compressed)
    out("xrd", "K2ReH9", *at_5, "--range", "15,70", "--fwhm", 0.15, "--out", "own.xy")
    table = np.loadtxt("own.xy")
    counts = np.random.default_rng(0).poisson(40 * table[:, 1] + 80)
    np.savetxt("scan.xy", np.column_stack([table[:, 0], counts]), fmt="%.4f")
    arguments = ("xrd", "match", "scan.xy", "-w", "CuKa", "--elements", "K,Re,H", "--phases", 1, "--store", compressed)
    found = json.loads(out(*arguments, "--pressure", "5", "--json"))
    (phase,) = found["phases"]
    assert phase["formula"] == "K2ReH9"
    assert phase["volume_change"] == pytest.approx(0, abs=0.003)
    assert phase["compression"].startswith("equation of state by ")
    assert not any(each["formula"] == "K2ReH9" for each in json.loads(out(*arguments, "--json"))["phases"])
    printed = out(*arguments, "--pressure", "5")
    assert phase["engine"] == results_sample.SECOND.label
    assert f"Calculated cells by {results_sample.SECOND.label}: K2ReH9" in printed
    assert "Cells at 5 GPa by equation of state by" in printed
    assert "Cells of 0 GPa, without an equation of state" in printed
