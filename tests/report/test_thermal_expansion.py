"""What the page and the terminal say of a phase at several volumes, and of what was refused."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from report_sample import sample
from rich.console import Console

from ninefold.report import render_report
from ninefold.report.map_svg import map_svg
from ninefold.report.structure_facts import EXPANSION_COLUMNS, expansion_notes, expansion_rows
from ninefold.report.terminal_candidate import candidate_view
from ninefold.report.text import shown, with_unit
from ninefold.thermo.phase_map import COARSE_PRESSURES, COARSE_TEMPERATURES, NONE, PhaseMap

SVG = "{http://www.w3.org/2000/svg}"
AT_ROOM = {
    "temperature_K": 298.15, "pressure_GPa": 0.0, "volume_per_atom": 8.2012, "expansion": 0.0221,
    "thermal_expansion": 2.99e-5, "bulk_modulus": 43.6, "gibbs_energy": 0.1096, "misfit": 0.00041,
}  # fmt: skip
REFUSED = {"temperature_K": 973.0, "pressure_GPa": 0.0, "reason": "973 K, 0 GPa: every minimum lies outside"}
KNOWN = {
    "place": 1, "engine": "SevenNet 7net-0", "evidence": "ML", "supercell_atoms": 48, "reason": None,
    "ratios": [0.94, 0.98, 1.02, 1.06, 1.1], "volumes": [7.6, 7.9, 8.2, 8.5, 8.8], "energies": [-3.6] * 5,
    "notes": ["V/V0 = 1.140: left out: 1 imaginary mode, to 4.8i meV"], "at": [AT_ROOM, REFUSED],
}  # fmt: skip
TOO_FEW = {
    **KNOWN, "place": 2, "evidence": "phonon", "ratios": [0.94], "notes": [], "at": [],
    "reason": "quasi-harmonic: 1 volumes without imaginary modes, 5 are needed",
}  # fmt: skip


@pytest.fixture(scope="module")
def parts():
    campaign, funnel, candidates, references = sample()
    candidates[0]["quasi_harmonic"] = [KNOWN, TOO_FEW]
    candidates[0] |= {"thermal_expansion_298": 2.99e-5, "decomposition_temperature": 370.94}
    candidates[0]["structures"][0]["space_group_symbol"] = "P2_1"
    return campaign, funnel, candidates, references


def test_a_row_for_each_condition_and_for_what_was_refused():
    rows = expansion_rows({"quasi_harmonic": [KNOWN, TOO_FEW]})
    assert all(len(row) == len(EXPANSION_COLUMNS) for row in rows)
    assert rows[0] == ("1", "SevenNet 7net-0", "ML", "298.15", "0", "8.20", "+2.2", "3.0", "44", "109.6")
    assert rows[1] == ("1", "SevenNet 7net-0", "ML", "973", "0", *["–"] * 5)
    assert rows[2] == ("2", "SevenNet 7net-0", "phonon", *["–"] * 7)
    notes = expansion_notes({"quasi_harmonic": [KNOWN, TOO_FEW]})
    assert "minimum 1: 5 volumes from 0.94 to 1.10 of that of rest, supercell of 48 atoms; misfit to 0.4 meV/atom" in (
        notes
    )
    assert "minimum 1: no volume at 973 K, 0 GPa: every minimum lies outside" in notes
    assert "minimum 1, V/V0 = 1.140: left out: 1 imaginary mode, to 4.8i meV" in notes
    assert "minimum 2: quasi-harmonic: 1 volumes without imaginary modes, 5 are needed" in notes
    assert (expansion_rows({}), expansion_notes({})) == ([], [])


def test_a_wider_supercell_at_one_volume_is_what_hulls_take():
    candidate = {"vibrations": [{"place": 1, "engine": "SevenNet 7net-0", "is_own": True, "supercell_atoms": 72}]}
    told = "minimum 1: hulls take the vibrations of the supercell of 72 atoms, at one volume"
    assert told in expansion_notes({**candidate, "quasi_harmonic": [KNOWN]})
    candidate["vibrations"][0]["supercell_atoms"] = 48
    assert told not in expansion_notes({**candidate, "quasi_harmonic": [KNOWN]})


def test_the_terminal_shows_it_within_a_hundred_columns(parts):
    out = io.StringIO()
    Console(file=out, width=100).print(candidate_view(parts[2][0]))
    lines = out.getvalue().splitlines()
    place = lines.index("Thermal expansion")
    assert any("298.15" in line and "109.6" in line and "ML" in line for line in lines[place : place + 8])
    assert "every minimum lies outside" in out.getvalue()


def test_the_page_shows_it_with_real_subscripts(parts):
    page = render_report(*parts)
    section = page.split("<h4>Thermal expansion</h4>")[1].split("<h4>")[0]
    assert "every minimum lies outside" in section
    assert "1 (P2<sub>1</sub>)" in section
    assert "(P2_1)" not in page
    assert with_unit("thermal_expansion_298", 2.99e-5) == "3.0e\N{MINUS SIGN}05 1/K"
    assert "3.0e\N{MINUS SIGN}05 1/K" in page
    assert "371 K" in page, "no hundredths of a kelvin"
    assert shown("thermal_expansion_298", 0.012) == "0.012"


def test_provenance_names_the_engine_once(parts):
    page = render_report(*parts)
    for section in page.split("<h4>Provenance</h4>")[1:]:
        assert section.split("</dl>")[0].count("<dt>engine</dt>") <= 1


def test_a_map_of_the_report_reaches_both_ends_of_its_axes():
    """The highest decade had no label where the grid ended before it."""
    shape = len(COARSE_TEMPERATURES), len(COARSE_PRESSURES)
    drawn = map_svg(PhaseMap("A-B-H", COARSE_TEMPERATURES, COARSE_PRESSURES, ("AB",), np.zeros(shape, dtype=int)))
    texts = {each.text for each in ET.fromstring(str(drawn)).iter(f"{SVG}text")}
    assert {"0.0001", "0.1", "1", "10", "300", "1200"} <= texts


def test_no_assemblage_is_grey_but_the_others_and_none_comes_last():
    names = ("A1B", NONE, *(f"A{place}B" for place in range(2, 8)))
    found = PhaseMap("A-B-H", np.arange(300.0, 1100, 100), np.array([1.0]), names, np.arange(8)[:, None])
    drawn = ET.fromstring(str(map_svg(found)))
    titled = [each for each in drawn.iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None]
    areas = {each.find(f"{SVG}title").text: each.get("fill") for each in titled}
    assert len(set(areas.values())) == 8, "seven colours, and that of none"
    for red, green, blue in (bytes.fromhex(colour[1:]) for name, colour in areas.items() if name != NONE):
        assert max(red, green, blue) - min(red, green, blue) > 60
    labels = [each.text for each in drawn.iter(f"{SVG}text")]
    assert labels[-1] == NONE
