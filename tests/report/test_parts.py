"""Scenes, words, colours and terminal tables."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_sample import candidates, funnel, k2reh9, structure_dict

from ninefold.chemistry.elements import CATION_CHARGES, GROUP
from ninefold.report.palette import BALLS, COUNTS, SCALE_END, TERMS, distance_colour, ink_on
from ninefold.report.periodic import Survivors, count_classes, periodic_style, periodic_svg, periodic_tables
from ninefold.report.picture import structure_svg, view_matrix, viewer_data
from ninefold.report.scene import make_scene
from ninefold.report.terminal import funnel_table, ranked_table
from ninefold.report.terminal_candidate import candidate_view, structure_view
from ninefold.report.text import (
    duration,
    formula_html,
    formula_plain,
    linked,
    number,
    shown,
    space_group_html,
    unit_of,
    with_unit,
)


def test_k2reh9_keeps_nine_hydrogens_on_every_rhenium():
    scene = make_scene(k2reh9().to_structure().as_dict(), "Re")
    bonds = {centre: 0 for centre, role in enumerate(scene.roles) if role == "centre"}
    for centre, hydrogen in scene.bonds:
        bonds[centre] += 1
        assert scene.roles[hydrogen] == "ligand"
        length = np.linalg.norm(scene.positions[centre] - scene.positions[hydrogen])
        assert 1.6 < length < 1.75
    assert set(bonds.values()) == {9}
    assert len(bonds) == 8 + 2  # the corners of the cell and two inside
    assert "hydride" not in scene.roles
    assert len(scene.faces) == 14 * len(bonds)  # Euler: 2 * 9 - 4 triangles


def test_images_across_faces_are_drawn_once():
    scene = make_scene(structure_dict(["Na", "H"], [(0, 0, 0.9999), (0.5, 0.5, 0.5)], np.eye(3) * 4), "Re")
    assert scene.symbols.count("Na") == 8
    assert scene.roles.count("hydride") == 1
    assert np.abs(scene.positions).max() == pytest.approx(2, abs=0.01)


def test_shell_reaches_into_the_next_cell():
    places = [(0.02, 0.5, 0.5), (0.9, 0.5, 0.5), (0.14, 0.5, 0.5)]
    scene = make_scene(structure_dict(["Fe", "H", "H"], places, np.eye(3) * 12), "Fe")
    assert len(scene.bonds) == 2
    assert all(np.linalg.norm(scene.positions[a] - scene.positions[b]) == pytest.approx(1.44) for a, b in scene.bonds)


def test_structure_without_atoms_has_no_scene():
    assert make_scene({"lattice": {"matrix": np.eye(3).tolist()}, "sites": []}, "Re") is None


def test_view_is_a_rotation():
    turn = view_matrix()
    assert turn @ turn.T == pytest.approx(np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)


def test_still_picture_and_viewer_show_the_same_atoms():
    scene = make_scene(k2reh9().to_structure().as_dict(), "Re")
    assert str(structure_svg(scene, "t")).count("<circle") == len(viewer_data(scene)["atoms"]) == len(scene.symbols)


@pytest.mark.parametrize(
    ("text", "html", "plain"),
    [
        ("K2ReH9", "K<sub>2</sub>ReH<sub>9</sub>", "K₂ReH₉"),
        ("[ReH9]2-", "[ReH<sub>9</sub>]<sup>2−</sup>", "[ReH₉]²⁻"),
        ("[FeH6]-", "[FeH<sub>6</sub>]<sup>−</sup>", "[FeH₆]⁻"),
        (
            "Li5MoH11 = [MoH9]3- + 2 H-",
            "Li<sub>5</sub>MoH<sub>11</sub> = [MoH<sub>9</sub>]<sup>3−</sup> + 2 H<sup>−</sup>",
            "Li₅MoH₁₁ = [MoH₉]³⁻ + 2 H⁻",
        ),
        ("<K2>", "&lt;K<sub>2</sub>&gt;", "<K₂>"),
        ("H2 molecule in a box", "H<sub>2</sub> molecule in a box", "H₂ molecule in a box"),
    ],
)
def test_formulas(text, html, plain):
    assert formula_html(text) == html
    assert formula_plain(text) == plain


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("e_above_hull", 0.0123, "0.012 eV/atom"),
        ("e_above_hull", -0.0004, "0.000 eV/atom"),
        ("e_above_hull", None, "–"),
        ("shortest_m_h", 1.687, "1.69 Å"),
        ("is_known", True, "yes"),
        ("is_known", False, "no"),
        ("elements", ["H", "K"], "H, K"),
        ("rank", 3, "3"),
        ("prior", 0.5, "0.50"),
        ("space_group_symbol", "", "–"),
        ("unheard_of", "x", "x"),
    ],
)
def test_values_with_units(key, value, text):
    assert with_unit(key, value) == text


def test_numbers_units_and_times():
    assert number(-1.5, 1) == "−1.5"
    assert number(0.0001, 3, signed=True) == "0.000"
    assert shown("", 3.14159) == "3.14"
    assert [duration(x) for x in (0.04, 61, 7265, None)] == ["0.0 s", "1 min 1 s", "2 h 1 min", "–"]
    assert (unit_of("temperature_K"), unit_of("e_above_hull"), unit_of("name")) == ("K", "eV/atom", "")
    assert space_group_html("P-62m") == 'P<span class="overline">6</span>2m'
    assert space_group_html("P6_3/mmc") == "P6<sub>3</sub>/mmc"


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


@pytest.mark.parametrize("value", [None, -1.0, -0.15, -0.06, 0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 9.0])
def test_ink_on_the_scale_is_legible(value):
    colour = distance_colour(value)
    paper, ink = sorted((luminance(colour), luminance(ink_on(colour))))
    assert (ink + 0.05) / (paper + 0.05) > 4.5  # WCAG AA


# linear RGB as people without red, green and blue cones see it: Machado, Oliveira & Fernandes,
# IEEE Trans. Vis. Comput. Graph. 15, 1291 (2009), severity 1.0
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def seen(colour: str, vision: str) -> np.ndarray:
    """CIELAB (D65) of a colour as seen: lightness 0 to 100, green-red, blue-yellow."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    rgb = np.clip(np.asarray(VISION[vision]) @ linear, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    x, y, z = np.cbrt(np.maximum((np.asarray(to_xyz) @ rgb) / (0.95047, 1.0, 1.08883), 0.0089))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
def test_counts_are_ordered_by_lightness_in_every_colour_vision(vision):
    lightness = [seen(colour, vision)[0] for colour in COUNTS]
    assert min(b - a for a, b in pairwise(lightness)) > 6


def test_counts_are_drawn_on_viridis():
    matplotlib = pytest.importorskip("matplotlib")
    viridis = matplotlib.colormaps["viridis"]
    for place, colour in enumerate(COUNTS):
        wanted = [round(255 * channel) for channel in viridis(place / (len(COUNTS) - 1))[:3]]
        assert [int(colour[i : i + 2], 16) for i in (1, 3, 5)] == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize("vision", VISION)
def test_the_further_from_the_hull_the_darker_and_each_side_has_its_hue(vision):
    steps = np.linspace(0, SCALE_END, 9)
    for sign in (-1, 1):
        lightness = [seen(distance_colour(sign * step), vision)[0] for step in steps]
        assert min(a - b for a, b in pairwise(lightness)) > 2.5
    for step in steps[2:]:
        difference = seen(distance_colour(-step), vision) - seen(distance_colour(step), vision)
        assert np.linalg.norm(difference) > 20


def test_scale_ends_are_fixed_and_categories_differ():
    assert distance_colour(-3) == distance_colour(-SCALE_END)
    assert distance_colour(SCALE_END) == distance_colour(3)
    assert len(set(TERMS)) == len(TERMS)
    assert len(set(BALLS)) == len(BALLS)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40))
def test_every_count_has_one_class_and_more_is_a_later_one(counts):
    classes = count_classes(counts)
    assert len(classes) <= len(COUNTS)
    assert all(low <= high for low, high in classes)
    assert all(b[0] == a[1] + 1 for a, b in pairwise(classes))
    for count in counts:
        assert sum(low <= count <= high for low, high in classes) == (count > 0)


def drawn(role: str, *symbols: str) -> str:
    counts = {"centre": Counter(), "cation": Counter()}
    counts[role].update(symbols)
    return str(periodic_svg(Survivors("compositions", counts)))


@pytest.mark.parametrize("symbol", sorted(CATION_CHARGES))
def test_every_counter_cation_has_a_place(symbol):
    assert f"<title>{symbol} as counter-cation: 1 compositions</title>" in drawn("cation", symbol)


@pytest.mark.parametrize("symbol", sorted(GROUP))
def test_every_centre_has_a_place(symbol):
    assert f"<title>{symbol} as centre: 1 compositions</title>" in drawn("centre", symbol)


def test_lanthanides_stand_where_they_are_allowed_and_actinides_do_not():
    picture = drawn("cation", "K")
    assert picture.count(">Lu</text>") == 1, "as counter-cation, not as centre"
    assert ">Th</text>" not in picture
    assert ">Ra</text>" not in picture
    assert ">Th</text>" in drawn("cation", "Th"), "counted: so it was allowed"
    terminal = [
        printed(grid) for grid in periodic_tables(Survivors("x", {"centre": Counter(), "cation": Counter("K")}))
    ]
    assert "Lu" not in "".join(terminal)
    [_, cations] = periodic_tables(Survivors("x", {"centre": Counter(), "cation": Counter({"Eu": 3})}))
    assert "Eu" in printed(cations)


def test_the_scale_of_counts_carries_numbers():
    picture = drawn("cation", *["K"] * 3, *["Li"] * 800, *["Mg"] * 12_000)
    for text in ("3\N{EN DASH}9", "100\N{EN DASH}999", "10k\N{EN DASH}12k"):
        assert f">{text}</text>" in picture
    shades = [re.search(rf'class="(n\d)"><title>{symbol} as', picture)[1] for symbol in ("K", "Li", "Mg")]
    assert shades == sorted(set(shades))
    style = periodic_style()
    light, dark = style.split("@media (prefers-color-scheme:dark)")[:2]
    assert f".n6 rect{{fill:{COUNTS[0]}}}" in light, "darkest for most on a light page"
    assert f".n6 rect{{fill:{COUNTS[-1]}}}" in dark, "lightest for most on a dark page"


def test_an_element_that_lost_all_is_told_from_one_that_was_not_asked_for():
    counts = {"centre": Counter({"Re": 2, "Mo": 0}), "cation": Counter({"K": 2})}
    picture = str(periodic_svg(Survivors("compositions", counts)))
    assert 'class="zero"><title>Mo as centre: 0 compositions' in picture
    assert 'class="absent"' in picture


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("Inorg. Chem. 63 (2024), doi:10.1021/acs.inorgchem.4c02691", ["doi.org/10.1021/acs.inorgchem.4c02691"]),
        ("(see https://doi.org/10.1016/S0925-8388(01)01488-8).", ["doi.org/10.1016/S0925-8388(01)01488-8"]),
        ("10.1/x is none; 10.1038/srep44253; DOI: 10.1063/1.4.", ["doi.org/10.1038/srep44253", "doi.org/10.1063/1.4"]),
        ("arXiv:2101.01234v2, 1 GPa", ["arxiv.org/abs/2101.01234v2"]),
        ("Bronger et al., J. Alloys Compd. 330-332, 536 (2002)", []),
        ('doi:10.1021/a"onclick="x', ["doi.org/10.1021/a"]),
    ],
)  # fmt: skip
def test_identifiers_become_links_and_nothing_else_does(text, addresses):
    html = str(linked(text))
    assert re.findall(r'<a href="https://([^"]*)" rel="noreferrer">', html) == addresses
    assert html.count("<") == 2 * len(addresses)


def test_no_reference_is_said():
    assert linked("") == linked(None) == "–"


def printed(renderable, width: int = 80) -> str:
    from rich.console import Console

    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    text = capture.get()
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    return text


def test_ranked_table_fits_eighty_columns_whole():
    text = printed(ranked_table(candidates()))
    assert "…" not in text
    for word in ("K2ReH9", "[ReH9]2-", "−0.041", "P-62m", "eV/atom", "in list"):
        assert word in text


def test_ranked_table_takes_rows_with_missing_fields_and_any_columns():
    text = printed(ranked_table([{"formula": "K2ReH9", "nsites": None}], ["formula", "nsites", "e_above_references"]))
    assert "K2ReH9" in text
    assert "–" in text


def test_funnel_table_has_a_unit_with_every_number():
    text = printed(funnel_table(funnel()))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    place = next(index for index, line in enumerate(lines) if line.startswith("build"))
    assert lines[place].startswith("build 22 compositions -> 13 min 32 s 7 011 duplicate")
    assert lines[place + 1].startswith("13 200 structures ->")
    assert lines[place + 2].startswith("4 180 structures")
    assert any(line.startswith("prescreen 4 180 structures ->") for line in lines)
    assert "%" not in text
    assert "18 min 25 s" in text
    assert "1 no structure" in text


def test_candidate_view_shows_all_of_it():
    text = printed(candidate_view(candidates()[0]))
    for word in (
        "rank 1, in ninefold's list of made compounds",
        "−0.041 ± 0.004 eV/atom",
        "KH",
        "H2 molecule in a box",
        "Stable against: K2ReH9 -> 2 KH + Re + 7/2 H2",
        "K2ReH9 -> 2 KH + Re + 7/2 H2",
        "Inorg. Chem.",
        "electron_count",
        "in {18}",
        "host BaCl2",
        "CHGNet 0.3.0",
        "stability",
    ):
        assert word in text


def test_structure_view_reads_at_80_columns():
    from ninefold.structures.description import describe

    found = describe(k2reh9().to_structure()).as_dict()
    text = printed(structure_view(found), width=80)
    lines = text.splitlines()
    assert lines[0] == "Space group P-62m (189); metal lattice (without H) P-62m (189); within 0.01 Å"
    assert lines[1].startswith("a 9.607  b 9.607  c 5.508 Å   α 90.00  β 90.00  γ 120.00°")
    assert len([line for line in lines if line.startswith(("K ", "Re ", "H "))]) == len(found["sites"])
    assert max(map(len, lines)) <= 80


def test_candidate_view_of_a_bare_candidate():
    text = printed(candidate_view(candidates()[-1]))
    assert "no structure" in text
    assert "coordination not kept (6)" in text


def test_markup_in_text_stays_text():
    verdict = {
        "rule": "[bold]x",
        "mode": "gate",
        "value": 1.0,
        "unit": "e",
        "bound": "[red]<= 2",
        "passed": False,
        "score": None,
        "reason": "[/]",
        "source": None,
    }
    text = printed(candidate_view({**candidates()[0], "verdicts": [verdict]}))
    assert "[bold]x" in text
    assert "[red]<= 2" in text
    assert "1 e" in text
    assert "REJECTS" in text


def test_terminal_module_imports_nothing_heavy():
    code = (
        "import sys, ninefold.report.terminal as _;"
        "print([m for m in ('rich', 'numpy', 'scipy', 'jinja2', 'pymatgen') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_single_minimum_has_no_entropy_of_disorder():
    from ninefold.report.terminal_diffraction import disorder_lines

    row = next(row for row in candidates() if row["formula"] == "K2ReH9")
    assert sum("k ln 2" in line for line in disorder_lines(row)) == 2, "at each temperature"
    told = disorder_lines({**row, "structures": row["structures"][:1]})
    assert not any("k ln" in line or "A bound" in line for line in told)
    assert any("Metal lattice" in line for line in told)


def test_the_heading_names_the_campaign_where_there_are_several():
    from rich.console import Console

    row = candidates("second")[0]
    for several in (True, False):
        with (printer := Console(width=200)).capture() as captured:
            printer.print(candidate_view(row, with_campaign=several))
        assert (", campaign second" in captured.get().splitlines()[0]) == several


def test_the_sum_of_volume_increments_is_labelled_as_such():
    from ninefold.report.explanation import verdict_lines

    verdict = {
        "rule": "volume_per_atom", "mode": "score", "value": 7.654, "unit": "Å³", "bound": "6 to 20", "passed": True,
        "score": 1.0,
    }  # fmt: skip
    [line] = verdict_lines([verdict], 80)
    assert "volume_per_atom (increments)" in line
    [other] = verdict_lines([verdict | {"rule": "volume_ratio"}], 80)
    assert "increments" not in other
