"""Which method's row stands for a composition, and how far methods are apart."""

from types import SimpleNamespace

import pytest

from ninefold.stages.rank import best_methods
from ninefold.stages.uncertainty import Comparisons

TRUST = ["search", "better", "best"]


def rows(**energies):
    return [
        SimpleNamespace(
            composition="K2ReH9", method=method, phase_separation_energy=energy, evidence="ML", model_error=None
        )
        for method, energy in energies.items()
    ]


@pytest.mark.parametrize(
    ("given", "method", "spread"),
    [
        ({"search": 0.1}, "search", None),
        ({"search": None}, "search", None),
        ({"search": 0.1, "better": 0.3, "best": 0.2}, "best", 0.2),
        ({"search": 0.1, "better": 0.3, "best": None}, "better", 0.2),
        ({"search": 0.1, "better": None, "best": None}, "search", None),
        ({"search": None, "better": None, "best": None}, "best", None),
        ({"search": 0.1, "of an earlier run": 0.1}, "search", 0.0),
    ],
)
def test_the_most_trusted_method_with_a_hull_distance_stands_for_a_composition(given, method, spread):
    for order in (rows(**given), rows(**given)[::-1]):
        assert best_methods(order, TRUST) == {"K2ReH9": method}
        expected = None if spread is None else pytest.approx(spread)
        assert all(Comparisons(order).of(row).spread == expected for row in order)
