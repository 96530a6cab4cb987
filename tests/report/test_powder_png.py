"""The picture of a pattern as PNG: what its axes say."""

import numpy as np
import pytest

from ninefold.report.powder_figure import Curve, PowderFigure, Ticks, powder_png

pyplot = pytest.importorskip("matplotlib.pyplot")


def test_no_intensity_is_below_zero_and_what_was_measured_is_points(monkeypatch):
    drawn = []
    monkeypatch.setattr(pyplot, "close", drawn.append)
    x = np.linspace(10, 90, 801)
    y = 3000 * np.exp(-((x - 40) ** 2))
    curves = [Curve("measured", y, "#777777"), Curve("calculated", 0.9 * y, "#0072b2")]
    ticks = [Ticks(f"phase {place}", [40.0], "#009e73") for place in range(4)]
    figure = PowderFigure("scan", (10.0, 90.0), x, curves, difference=0.1 * y, ticks=ticks)
    assert powder_png(figure).startswith(b"\x89PNG")
    [axes] = drawn[0].axes
    low, high = axes.get_ylim()
    assert low < -1000, "room for the difference and the ticks of the phases"
    assert min(axes.get_yticks()) == 0
    assert max(axes.get_yticks()) <= high
    measured, calculated = axes.lines[:2]
    assert (measured.get_linestyle(), measured.get_marker()) == ("None", ".")
    assert calculated.get_linestyle() == "-"
    pyplot.close("all")
