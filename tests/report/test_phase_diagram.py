"""The hull that is drawn, against pymatgen's phase diagram."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from report_sample import sample

from ninefold.report.overview import ROW_FIELDS
from ninefold.report.phase_diagram import DiagramPhase, build_phase_diagram, phases_of
from ninefold.report.phase_diagram_svg import hull_svg, unit_places

SYSTEMS = [("K", "Re", "H"), ("Mg", "Cr", "H"), ("Li", "Mo", "H")]


def random_phases(elements: list[str], seed: int, count: int = 25) -> list[DiagramPhase]:
    generator = np.random.default_rng(seed)
    phases = [
        DiagramPhase(symbol, {symbol: 1.0}, float(generator.uniform(-10, -1)), "reference") for symbol in elements
    ]
    pure = np.array([phase.energy_per_atom for phase in phases])
    for index in range(count):
        amounts = generator.integers(0, 6, len(elements))
        if np.count_nonzero(amounts) < 2:
            continue
        x = amounts / amounts.sum()
        phases.append(
            DiagramPhase(
                f"P{index}",
                dict(zip(elements, map(float, x), strict=True)),
                float(x @ pure + generator.uniform(-0.6, 0.3)),
                "candidate",
            )
        )
    return phases


def oracle(phases: list[DiagramPhase]) -> tuple[set[int], list[float]]:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    entries = [
        PDEntry(
            Composition({symbol: 1000 * x for symbol, x in phase.fractions.items() if x}), 1000 * phase.energy_per_atom
        )
        for phase in phases
    ]
    diagram = PhaseDiagram(entries)
    stable = {index for index, entry in enumerate(entries) if entry in diagram.stable_entries}
    return stable, [diagram.get_e_above_hull(entry) for entry in entries]


@pytest.mark.parametrize("elements", [["K", "H"], ["K", "Re", "H"], ["K", "Li", "Re", "H"]])
@pytest.mark.parametrize("seed", range(6))
def test_stable_phases_and_distances_agree_with_pymatgen(elements, seed):
    phases = random_phases(elements, seed)
    hull = build_phase_diagram(elements, phases)
    stable, distances = oracle(phases)
    assert hull.stable == stable
    assert hull.distances == pytest.approx(distances, abs=1e-6)


@pytest.mark.parametrize("elements", SYSTEMS)
def test_sample_agrees_with_pymatgen(elements):
    _, _, candidates, references = sample()
    phases = phases_of(list(elements), candidates, references)
    hull = build_phase_diagram(list(elements), phases)
    stable, distances = oracle(phases)
    assert hull.stable == stable
    assert hull.distances == pytest.approx(distances, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_facets_cover_the_triangle_once(seed):
    elements = ["K", "Re", "H"]
    hull = build_phase_diagram(elements, random_phases(elements, seed))
    places = unit_places(hull)
    areas = []
    for facet in hull.facets:
        (x1, y1), (x2, y2), (x3, y3) = places[list(facet)]
        areas.append(abs((x2 - x1) * (y3 - y1) - (x3 - x1) * (y2 - y1)) / 2)
    assert min(areas) > 0
    assert sum(areas) == pytest.approx(np.sqrt(3) / 4)


def test_only_elements_make_one_facet():
    phases = [DiagramPhase(symbol, {symbol: 1.0}, -1.0, "reference") for symbol in ("K", "Re", "H")]
    hull = build_phase_diagram(["H", "K", "Re"], phases)
    assert hull.elements == ["K", "Re", "H"]
    assert [sorted(facet) for facet in hull.facets] == [[0, 1, 2]]


def test_lowest_of_one_composition_counts():
    phases = [DiagramPhase(symbol, {symbol: 1.0}, 0.0, "reference") for symbol in ("K", "H")]
    phases += [DiagramPhase("KH", {"K": 0.5, "H": 0.5}, energy, "reference") for energy in (-0.2, -0.5, 0.1)]
    hull = build_phase_diagram(["K", "H"], phases)
    assert hull.stable == {0, 1, 3}
    assert hull.distances == pytest.approx([0, 0, 0.3, 0, 0.6])


def test_missing_element_is_named():
    phases = [DiagramPhase("K", {"K": 1.0}, 0.0, "reference")]
    with pytest.raises(ValueError, match="element H"):
        build_phase_diagram(["K", "H"], phases)


@pytest.mark.parametrize("elements", SYSTEMS)
def test_drawn_facets_have_their_corners_on_stable_marks(elements):
    _, _, candidates, references = sample()
    hull = build_phase_diagram(list(elements), phases_of(list(elements), candidates, references))
    overview = str(hull_svg(hull, "t")).split("<clipPath")[0]
    polygons = re.findall(r'class="facet" points="([^"]*)"', overview)
    corners = {tuple(map(float, point.split(","))) for polygon in polygons for point in polygon.split()}
    circles = re.findall(r'class="mark stable"[^>]* cx="([\d.]+)" cy="([\d.]+)"', overview)
    diamonds = re.findall(r'class="mark stable"[^>]* d="M([\d.]+) ([\d.]+)l5.4', overview)
    marks = [(float(x), float(y)) for x, y in circles] + [(float(x), float(y) + 5.4) for x, y in diamonds]
    assert len(polygons) == len(hull.facets)
    assert len(marks) == len(corners) == len(hull.stable)
    for corner in corners:
        assert min(np.hypot(corner[0] - x, corner[1] - y) for x, y in marks) < 0.2


@pytest.mark.parametrize("elements", SYSTEMS)
def test_every_candidate_is_named_once_and_labels_keep_apart(elements):
    _, _, candidates, references = sample()
    hull = build_phase_diagram(list(elements), phases_of(list(elements), candidates, references))
    labels = re.findall(
        r'<text class="name" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"><tspan', str(hull_svg(hull, "t"))
    )
    assert len(labels) == sum(phase.kind == "candidate" for phase in hull.phases)
    for side in ("start", "end"):
        heights = sorted(float(y) for _, y, anchor in labels if anchor == side)
        assert all(b - a >= 20.9 for a, b in pairwise(heights))


def test_binary_is_a_line():
    _, _, candidates, references = sample()
    hull = build_phase_diagram(["Mg", "H"], phases_of(["Mg", "H"], candidates, references))
    picture = str(hull_svg(hull, "Mg-H"))
    assert picture.count('class="tie"') == 2
    assert "MgH₂" in picture


def test_four_elements_have_no_picture():
    elements = ["K", "Li", "Re", "H"]
    with pytest.raises(ValueError, match="no picture"):
        hull_svg(build_phase_diagram(elements, random_phases(elements, 0)), "t")


def test_a_phase_that_does_not_compete_carries_no_facet_and_an_element_always_does():
    phases = [DiagramPhase(symbol, {symbol: 1.0}, 0.0, "reference", is_competing=False) for symbol in ("K", "H")]
    phases.append(DiagramPhase("KH", {"K": 0.5, "H": 0.5}, -0.5, "reference", is_competing=False))
    phases.append(DiagramPhase("KH3", {"K": 0.25, "H": 0.75}, -0.1, "candidate"))
    hull = build_phase_diagram(["K", "H"], phases)
    assert hull.stable == {0, 1, 3}
    assert hull.distances == pytest.approx([0, 0, 0, 0])


def test_flat_rows_make_the_same_hull_as_documents():
    _, _, candidates, references = sample()
    keys = ("id", "formula", "energy_per_atom", "phase_separation_energy", "rank")
    rows = [{key: candidate[key] for key in keys} for candidate in candidates]
    from_rows = build_phase_diagram(SYSTEMS[0], phases_of(SYSTEMS[0], rows, references))
    from_documents = build_phase_diagram(SYSTEMS[0], phases_of(SYSTEMS[0], candidates, references))
    assert from_rows.distances == pytest.approx(from_documents.distances)
    assert from_rows.facets == from_documents.facets


def test_a_crowded_system_draws_its_lowest():
    phases = random_phases(["K", "Re", "H"], seed=1, count=700)
    hull = build_phase_diagram(["K", "Re", "H"], phases)
    assert sum(phase.kind == "candidate" for phase in phases) > 500
    picture = str(hull_svg(hull, "t"))
    assert 80 <= picture.count('<path class="mark') <= 2 * 80 + 3
    corners = [index for index in hull.stable if hull.phases[index].kind == "candidate"]
    assert picture.count('class="mark stable" fill') >= len(corners)


def test_a_candidate_without_a_section_is_no_link():
    _, _, candidates, references = sample()
    elements = list(SYSTEMS[0])
    phases = [replace(phase, key="") for phase in phases_of(elements, candidates, references)]
    assert "<a " not in str(hull_svg(build_phase_diagram(elements, phases), "t"))


def test_without_the_candidates_the_hull_hangs_from_references_alone():
    _, _, candidates, references = sample()
    elements = list(SYSTEMS[0])
    for rows in (candidates, [{key: row.get(key) for key in ROW_FIELDS} for row in candidates]):
        phases = phases_of(elements, rows, references, candidates_compete=False)
        hull = build_phase_diagram(elements, phases)
        assert all(hull.phases[index].kind == "reference" for index in hull.stable)
        assert any(phase.kind == "candidate" for phase in hull.phases)
