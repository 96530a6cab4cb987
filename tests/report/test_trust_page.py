"""Pictures and tables of the trust page: places of marks, numbers of cells."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from ninefold.report.trust_pictures import Row, dot_plot, pictures
from ninefold.report.trust_tables import errors_of_engines, tables
from ninefold.trust.calibration import ClassShift
from ninefold.trust.errors import EngineErrors, PhaseErrors
from ninefold.trust.phases import TrustSet
from ninefold.trust.summary import summary_of

SVG = "{http://www.w3.org/2000/svg}"


def phase(name, phase_class, wrong, *, centre=None, n=None, **more):
    reaction = (-0.1, -0.1 + wrong) if phase_class == "complex" else (None, None)
    return PhaseErrors(
        name=name, formula=name, phase_class=phase_class, centre=centre, n=n, formation=-0.3,
        formation_engine=-0.3 + wrong, reaction=reaction[0], reaction_engine=reaction[1], volume=10.0,
        volume_engine=10.1, bulk_modulus=None, bulk_modulus_engine=None, force_rms=None, force_error=None,
        pressure_error=None, largest_force=0.42, bond=1.6 if centre else None,
        bond_error=0.012 if centre else None, **more,
    )  # fmt: skip


def errors(engine, sign):
    return EngineErrors(
        engine, f"f{engine}", None, None,
        [
            phase("LiH", "saline", 0.010 * sign),
            phase("Mg2FeH6", "complex", 0.030 * sign, centre="Fe", n=6),
            phase("K2ReH9", "complex", -0.050 * sign, centre="Re", n=9),
            phase("Mg3ReH7", "complex", -0.030 * sign, centre="Re", n=6),
        ],
    )  # fmt: skip


@pytest.fixture
def trust():
    return TrustSet(method="PBE", settings={"cutoff": 500}, geometry="net", phases=[])


@pytest.fixture
def summaries(trust):
    return [summary_of(errors("one", 1), trust), summary_of(errors("other", -1), trust, 0.031)]


def marks(svg: str) -> list[tuple[float, float]]:
    circles = ElementTree.fromstring(svg).iter(f"{SVG}circle")
    return [(float(one.get("cx")), float(one.get("cy"))) for one in circles]


def test_marks_lie_where_their_values_are():
    rows = [Row("a", "group", [10.0, None]), Row("b", "group", [-10.0, None]), Row("c", "other", [0.0, None])]
    svg = dot_plot("title", "meV/atom", ["x", "y"], rows)
    _, a, b, c = marks(svg)  # the first is the legend's
    assert a[0] - c[0] == pytest.approx(c[0] - b[0], abs=0.2)
    assert b[0] < c[0] < a[0]
    assert a[1] < b[1] < c[1]
    # the axis tells the scale: a's mark is at its tick
    ticks = {text.text: float(text.get("x")) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    assert ticks["+10"] == pytest.approx(a[0], abs=0.2)
    assert ticks["0"] == pytest.approx(c[0], abs=0.2)


def test_every_picture_is_whole_and_within_its_frame(summaries):
    found = pictures(summaries)
    assert sorted(found) == ["trust-bonds.svg", "trust-by-n.svg", "trust-energies.svg", "trust-volumes.svg"]
    for name, svg in found.items():
        root = ElementTree.fromstring(svg)
        _, _, width, height = map(float, root.get("viewBox").split())
        assert all(0 <= x <= width and 0 <= y <= height for x, y in marks(svg)), name
        assert "nan" not in svg
    # complexes are drawn by their reaction energies, one mark of the first engine for each phase and one of the legend
    assert len(marks(found["trust-energies.svg"])) == 1 + 4
    assert len(marks(found["trust-bonds.svg"])) == 1 + 3
    assert len(marks(found["trust-by-n.svg"])) == 1 + 3


def test_pictures_without_complexes_are_empty_and_whole(trust):
    alone = EngineErrors("one", "f", None, None, [phase("LiH", "saline", 0.01)])
    assert all(ElementTree.fromstring(svg) is not None for svg in pictures([summary_of(alone, trust)]).values())


def test_tables_hold_the_errors(summaries, trust):
    text = tables(summaries, trust)
    by_n = text.split("by n, mean error")[1].split("\n\n")[1]
    assert "| one | +0 | -50 |" in by_n
    assert "| other | -0 | +50 |" in by_n.replace("+0", "-0")
    assert "| Mg2FeH6 | 6 | 0.42 | -100 | +30 | -30 |" in text
    assert "| complex hydrides | one | 3 | 37 | 37 | 37 |" in text
    widths = [{line.count("|") for line in block.splitlines()} for block in re.findall(r"(?:^\|.*\n)+", text, re.M)]
    assert widths
    assert all(len(width) == 1 for width in widths)


def test_what_the_package_carries_is_plain(summaries, trust):
    shift = ClassShift("complex", 0.0123456, 0.04, 0.03, 3, 2)
    made = errors_of_engines([("net:one", summaries[1], {"own": [shift]})], trust)
    [entry] = made["engines"]
    assert (entry["engine"], entry["title"], entry["hessian_asymmetry"]) == ("other", "net:one", 0.031)
    assert entry["hydrogen"] == {
        "own": {"complex": {"shift": 0.0123, "error": 0.03, "error_before": 0.04, "phases": 3, "groups": 2}}
    }
    assert made["reference"] == "PBE"
    assert made["settings"] == {"cutoff": 500}
