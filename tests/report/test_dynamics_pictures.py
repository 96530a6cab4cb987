"""Pictures of dynamics: what is drawn is what was given, inside the frame."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from synthetic_trajectories import Plan, crystal, shell

from ninefold.cli.dynamics.plot import _of_files
from ninefold.dynamics.anions.isomers import isomers_of
from ninefold.dynamics.statistics.rates import BOLTZMANN, poisson_rate
from ninefold.report.dynamics_pictures import PICTURES, dynamics_figures
from ninefold.report.dynamics_text import dynamics_facts, dynamics_rows, interval
from ninefold.report.line_figure import Line, LineFigure, line_png, line_svg
from ninefold.report.text import shown, with_unit

FRAME = (84.0, 640.0, 44.0, 400.0)


def places(svg):
    """Points of the curves and marks of a picture."""
    root = ElementTree.fromstring(svg)
    found = []
    for item in root.iter():
        if item.tag.endswith("polyline"):
            found += [tuple(map(float, pair.split(","))) for pair in item.get("points").split()]
        elif item.tag.endswith("circle"):
            found.append((float(item.get("cx")), float(item.get("cy"))))
    return found


def curve(kelvin, events, shell_ps):
    times = [0.0, 0.1, 1.0, 10.0]
    return {
        "temperature_K": kelvin, "events": events, "shell_ps": shell_ps,
        "lab": {"times_ps": times, "values": [1.0, 0.9, 0.5, 0.1]},
        "body": {"times_ps": times, "values": [1.0, 0.95, 0.8, 0.6]},
        "profile": {"progress": [-0.75, -0.25], "values": [0.0, 0.1]},
        "anions": {"Re1": [0], "Re2": [1]}, "site_exchanges": [],
        "squares": {"K": {"times_ps": times, "values": [0.0, 0.1, 0.5, 3.0]}},
    }  # fmt: skip


def exchanges(anion, **events):
    return [
        {"anion": anion, "kind": kind.replace("_", " "), "events": count, "anion_ps": 1000.0, "dispersion": 1.0}
        for kind, count in {"any": sum(events.values()), **events}.items()
    ]


def test_a_linear_axis_keeps_proportions_and_every_point_inside():
    points = places(line_svg(LineFigure("t", "x", "y", [Line("a", [0, 1, 2], [-3.0, 0.0, 3.0], "#000000")])))
    low, high, top, bottom = FRAME
    assert all(low - 0.1 <= x <= high + 0.1 and top - 0.1 <= y <= bottom + 0.1 for x, y in points)
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.2)
    assert y0 > y2, "larger values stand higher"


def test_a_logarithmic_axis_makes_equal_factors_equal_distances_and_leaves_out_zero():
    line = Line("a", [0.0, 1.0, 10.0, 100.0], [5.0, 1e-6, 1e-4, 1e-2], "#000000")
    points = places(line_svg(LineFigure("t", "x", "y", [line], is_x_log=True, is_y_log=True)))
    assert len(points) == 3
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)
    assert points[0][1] - points[1][1] == pytest.approx(points[1][1] - points[2][1], abs=0.2)


def test_a_gap_parts_a_line():
    svg = line_svg(LineFigure("t", "x", "y", [Line("a", [0, 1, 2, 3, 4], [1.0, 2.0, None, 2.0, 1.0], "#000000")]))
    assert svg.count("<polyline") == 2


def test_rates_have_a_mark_or_a_bound_each_and_the_law_goes_through_them():
    true = {400.0: 0.05, 600.0: 0.5}
    curves = [curve(300.0, 0, 100.0)] + [curve(kelvin, round(rate * 1e4), 1e4) for kelvin, rate in true.items()]
    figure = dynamics_figures("K2ReH9", curves)["rates"]
    marks, law = figure.lines
    assert marks.x == pytest.approx([1000 / 300, 2.5, 1000 / 600])
    assert marks.y[0] is None
    assert marks.y[1:] == pytest.approx([0.05, 0.5])
    assert marks.high[0] == poisson_rate(0, 100.0).high
    barrier = np.log(10) / (1 / 400 - 1 / 600) * BOLTZMANN
    assert float(re.match(r"(\d+) meV", law.label)[1]) == pytest.approx(1000 * barrier, rel=0.05)
    svg = line_svg(figure)
    assert svg.count("<circle") == 2
    assert svg.count("v18m") == 1
    assert line_png(figure).startswith(b"\x89PNG")


def test_rates_are_by_kind_of_anion_where_there_are_several():
    curves = []
    for kelvin, often, seldom in ((300.0, 90, 10), (600.0, 120, 80)):
        rows = [{"anion": name, "events": events, "anion_ps": 50.0, "dispersion": 1.0} for name, events in
                (("Re1", seldom), ("Re2", often))]  # fmt: skip
        more = {"permutations": rows, "anions": {"Re1": [1], "Re2": [2]}, "is_claimed": kelvin < 500, "is_clear": True}
        curves.append(curve(kelvin, often + seldom, 100.0) | more)
    figure = dynamics_figures("K2ReH9", curves)["rates"]
    assert figure.title == "K2ReH9: permutations of the ligands (rates not claimed)"
    barrier = 1000 * BOLTZMANN * np.log(8) / (1 / 300 - 1 / 600)
    [law] = [line.label for line in figure.lines if line.label.startswith("Re1: ")]
    assert law.startswith(f"Re1: {barrier:.0f} meV (")
    assert [line.label for line in figure.lines if line.is_marked] == ["Re1", "Re2"]
    other = [curves[0] | {"is_clear": False}, curves[1] | {"anions": {"Re1": [2], "Re2": [1]}}]
    together = dynamics_figures("K2ReH9", other)["rates"]
    assert together.title.endswith("(vibration counts at 300 K; rates not claimed)")
    assert [line.is_marked for line in together.lines] == [True, False]


def test_what_is_not_known_is_not_drawn():
    one = curve(300.0, 0, 0.0) | {"lab": None, "body": None, "profile": None, "site_exchanges": None}
    assert set(dynamics_figures("x", [one])) == {"displacements"}
    assert dynamics_figures("x", [one | {"squares": {}}]) == {}
    assert set(dynamics_figures("x", [curve(300.0, 1, 1.0)])) == set(PICTURES) - {"site-exchange"}


def test_site_exchanges_have_a_law_for_each_kind_that_was_seen_often():
    cold = curve(300.0, 1, 1.0) | {"site_exchanges": exchanges("Re1", ring_of_three=10) + exchanges("Re2")}
    warm = curve(450.0, 1, 1.0) | {
        "site_exchanges": exchanges("Re1", ring_of_three=40, turn=9) + exchanges("Re2", turn=9)
    }
    hot = curve(600.0, 1, 1.0) | {
        "site_exchanges": exchanges("Re1", ring_of_three=80, turn=4) + exchanges("Re2", turn=60)
    }
    figure = dynamics_figures("x", [cold, warm, hot])["site-exchange"]
    names = [line.label for line in figure.lines]
    assert names[::2] == ["Re1, ring of three", "Re2, turn"]
    ring, _, turn, law = figure.lines
    assert ring.y == pytest.approx([0.01, 0.04, 0.08])
    assert turn.y == [None, pytest.approx(0.009), pytest.approx(0.06)]
    assert turn.high[0] == poisson_rate(0, 1000.0).high
    assert law.label.startswith("Re2, turn: ")
    assert law.colour == turn.colour
    assert "site-exchange" not in dynamics_figures("x", [cold, cold])
    assert "site-exchange" not in dynamics_figures("x", [cold, warm, hot | {"site_exchanges": None}]), "not told there"
    assert "site-exchange" not in dynamics_figures("x", [cold, warm, hot | {"anions": {"Re1": [1], "Re2": [0]}}])
    figure = dynamics_figures("x", [cold, warm, hot, hot])["site-exchange"]
    assert len(figure.lines[0].x) == 4, "two runs of one temperature are two points"
    assert len(dynamics_figures("x", [cold, warm, hot, hot])["rates"].lines[0].x) == 4
    assert line_svg(figure).count("<circle") == 7


def test_the_way_back_is_the_way_there():
    figure = dynamics_figures("x", [curve(300.0, 1, 1.0)])["free-energy"]
    [line] = figure.lines
    assert line.x == [-0.75, -0.25, 0.25, 0.75]
    assert line.y == pytest.approx([0.0, 100.0, 100.0, 0.0])


def test_names_are_escaped():
    root = ElementTree.fromstring(line_svg(LineFigure("<a> & b", "x", "y", [Line("<c>", [0, 1], [0.0, 1.0], "#000")])))
    assert any(item.text == "<c>" for item in root.iter())


def test_files_are_drawn_without_a_store():
    vectors = shell(isomers_of(9)["tricapped trigonal prism"].vertices, 400, Plan(), 0.05, np.random.default_rng(0))
    trajectory = crystal([vectors])
    warm = type(trajectory)(trajectory.species, 2.0, trajectory.read, 300.0, "made")
    [found] = _of_files([warm], "Re", None)
    assert found["temperature_K"] == 300.0
    assert set(found["squares"]) == {"H", "K"}
    assert found["shell_ps"] == pytest.approx(0.8)
    [bare] = _of_files([warm], None, None)
    assert bare["shell_ps"] == 0


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (None, "–"),
        ({"value": None, "low": None, "high": None}, "–"),
        ({"value": None, "low": 123.4, "high": None}, "above 123"),
        ({"value": None, "low": None, "high": 0.0123}, "below 0.012"),
        ({"value": 73.21, "low": 60.0, "high": 91.0}, "73.2 (60 to 91)"),
        ({"value": 1.234e-7, "low": 5e-8, "high": 2e-7}, "1.23e-07 (5e-08 to 2e-07)"),
    ],
)
def test_intervals_in_words(values, text):
    assert interval(values) == text


def test_a_value_that_spans_orders_of_magnitude_keeps_two_digits():
    assert shown("cation_diffusion_300", 1.234e-7) == "1.2e−07"
    assert with_unit("pseudorotation_rate_300", 0.05) == "0.05 1/ps"
    assert with_unit("pseudorotation_barrier", 73.21) == "73 meV"


def test_a_record_in_words():
    at = {
        "temperature_K": 400.0, "length_ps": 40.0, "mean_temperature_K": 401.2, "permutations": 0, "turns": 0,
        "exchanges": 1, "rate": {"value": None, "low": None, "high": 0.05},
        "diffusion": {"K": {"value": None, "low": None, "high": 1e-6}},
    }  # fmt: skip
    record = {
        "evidence": "MD", "engine": "SevenNet", "length_ps": 40.0, "replicas": 2, "n_atoms": 36, "isotope": "D",
        "time_step_fs": 0.5, "centre": "Re", "n": 9, "polyhedron": "tricapped trigonal prism", "error": None,
        "barrier": {"value": None, "low": 150.0, "high": None}, "rate_300": at["rate"], "temperatures": [at],
        "ions": [{"species": "K", "barrier": None, "at_300": at["diffusion"]["K"]}], "is_too_short": True,
        "warnings": ["hot"],
    }  # fmt: skip
    headings, lines = dynamics_rows(record)
    assert len(headings) == len(lines[0])
    assert lines[0][:5] == ["400", "40", "401", "0", "below 0.05"]
    words = "\n".join(dynamics_facts(record))
    assert "Evidence: MD. Forces by SevenNet; 40 ps in all, 2 replicas, 36 atoms, D" in words
    assert "none seen; barrier above 150 meV" in words
    assert "Diffusion of K at 300 K: below 1e-06 cm2/s." in words
    assert "Too short for its claim" in words
    assert words.endswith("Note: hot")
