"""The picture of a map: well-formed, complete, with the uncertain part hatched."""

import xml.etree.ElementTree as ET

import numpy as np

from ninefold.report.map_svg import map_svg
from ninefold.thermo.phase_map import PhaseMap

TEMPERATURES, PRESSURES = np.array([300.0, 600.0, 900.0]), np.logspace(-4, 1, 6)
MAP = PhaseMap(
    "K2ReH9", TEMPERATURES, PRESSURES, ("KH + Re", "K2ReH9"), (np.arange(6) > np.array([[1], [2], [3]])).astype(int),
    np.linspace(0.1, -0.1, 6)[None, :] + np.array([[0.0], [0.02], [0.04]]),
)  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


def rectangles(drawing, fill=None):
    return [each for each in ET.fromstring(str(drawing)).iter(f"{SVG}rect") if fill is None or each.get("fill") == fill]


def test_the_areas_cover_the_plot_once():
    drawing = ET.fromstring(str(map_svg(MAP)))
    titled = [each for each in drawing.iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None]
    assert {each.find(f"{SVG}title").text for each in titled} == {"KH + Re", "K2ReH9"}
    area = sum((float(each.get("width")) - 0.3) * (float(each.get("height")) - 0.3) for each in titled)
    assert abs(area - 470 * 340) < 0.01 * 470 * 340
    assert len(titled) == 6  # two runs in each of three columns


def test_what_lies_within_the_uncertainty_is_hatched():
    hatched = rectangles(map_svg(MAP, 0.03), "url(#uncertain)")
    assert len(hatched) == 3 + 1  # one run in each column, and the legend
    assert rectangles(map_svg(MAP), "url(#uncertain)") == []


def test_more_assemblages_than_colours_are_told_as_others():
    many = PhaseMap("A-B-H", TEMPERATURES, PRESSURES, tuple(f"A{i}B" for i in range(18)), np.arange(18).reshape(3, 6))
    assert "11 others" in str(map_svg(many))


def test_phases_that_nobody_has_made_are_marked_in_the_legend():
    told = [each.text for each in ET.fromstring(str(map_svg(MAP, predicted={"K2ReH9"}))).iter(f"{SVG}text")]
    assert {"KH + Re", "K₂ReH₉*", "* predicted: nobody has made it"} <= set(told)
    assert "*" not in str(map_svg(MAP))
