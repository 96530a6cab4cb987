"""Which of two fits a pattern prefers, and which phase is named where it prefers none."""

from __future__ import annotations

import numpy as np
import pytest
from powder_samples import molybdenum

from ninefold.cli.xrd_match import _told
from ninefold.diffraction.library import MatchPhase, PhaseGroup
from ninefold.diffraction.match_results import FoundPhase
from ninefold.diffraction.mixture import Mixture, Part
from ninefold.diffraction.ties import EQUAL, RESOLVED, Rival, settled, worse_by

WIDTH = 4
"""Points per width of a peak."""


def fits(random, wrong=1.0):
    """Weighted residuals of two fits of 40 peaks: noise of each point, and what each model gets wrong of each peak."""
    noise = random.normal(0, 0.5, (40, 2 * WIDTH))
    return [(noise + random.normal(0, wrong, (40, 1))).ravel() for _ in range(2)]


def test_neither_of_two_equal_fits_is_preferred_more_often_than_the_standard_error_says():
    """Vuong: the statistic of two equally good models is normal with variance 1."""
    random = np.random.default_rng(3)
    values = np.array([worse_by(*fits(random), WIDTH) for _ in range(600)])
    assert abs(values.mean()) < 0.15
    assert values.std() == pytest.approx(1, abs=0.1)
    assert np.mean(np.abs(values) > RESOLVED) == pytest.approx(0.046, abs=0.03)


def test_points_of_one_peak_do_not_count_as_independent():
    """Point by point, 8 points of a peak that are wrong together would seem eight times the evidence: z by sqrt(8)."""
    random = np.random.default_rng(3)
    values = np.array([worse_by(*fits(random), WIDTH / 100) for _ in range(600)])
    assert values.std() > 2


def test_the_other_way_round_is_the_negative():
    first, second = fits(np.random.default_rng(5))
    assert worse_by(first, second, WIDTH) == pytest.approx(-worse_by(second, first, WIDTH))
    assert worse_by(first, first, WIDTH) == 0


def test_one_peak_that_only_one_model_has_decides():
    first, second = fits(np.random.default_rng(5), wrong=0.1)
    first[: 2 * WIDTH] += 1 / 0.15  # a peak that is not in the model: all of its intensity, over an error of 15 %
    assert worse_by(first, second, WIDTH) > 2 * RESOLVED


def phase(name, energy, formula="Li3MoH9", method="m"):
    return MatchPhase(name, name, formula, molybdenum(), energy_per_atom=energy, method=method)


def mixture_of(phase, cost=1.0):
    empty = np.zeros(1)
    part = Part(PhaseGroup((phase,), None), empty)
    return Mixture((part,), 0.0, None, cost, empty, empty)


@pytest.mark.parametrize(
    ("best", "others", "named"),
    [
        # one composition, equally good: the lowest in energy, on whichever side of zero
        (phase("best", -3.78), [(phase("low", -3.79), 0.5)], "low"),
        (phase("best", -3.78), [(phase("low", -3.79), -0.5)], "low"),
        (phase("best", -3.78), [(phase("low", -3.79), 0.5), (phase("lowest", -3.80), 0.9)], "lowest"),
        (phase("best", -3.78), [(phase("high", -3.77), 0.0)], "best"),
        # worse by more than the error of the difference
        (phase("best", -3.78), [(phase("low", -3.79), EQUAL + 0.01)], "best"),
        # energies that say nothing about each other
        (phase("best", -3.78), [(phase("other", -3.79, "Li4MoH8"), 0.0)], "best"),
        (phase("best", -3.78), [(phase("other", -3.79, method="another"), 0.0)], "best"),
        (phase("best", None), [(phase("other", -3.79), 0.0)], "best"),
        (phase("best", -3.78), [(phase("other", None), 0.0)], "best"),
    ],
)
def test_what_is_named(best, others, named):
    rivals = [
        Rival(mixture.parts[0].group, mixture, worse)
        for mixture, worse in ((mixture_of(each, 1 + worse / 100), worse) for each, worse in others)
    ]
    mixture, rest = settled(mixture_of(best), 0, rivals)
    assert mixture.parts[0].group.first.name == named
    every = {best.name, *(each.name for each, _ in others)}
    assert {each.group.first.name for each in rest} == every - {named}
    if named != "best":
        assert next(each for each in rest if each.group.first.name == "best").is_undecided


def found(name, undecided, alternatives=()):
    own = PhaseGroup((name,), None)
    groups = [PhaseGroup((each,), None) for each in undecided]
    return FoundPhase(
        own, 1.0, 1.0, 0.9, 0.8, np.eye(3), np.zeros(3), 0.0, 12,
        (*groups, *(PhaseGroup((each,), None) for each in alternatives)), tuple(groups),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (
            found(phase("a", -2), [phase("b", -1)], [phase("c", -3)]),
            [
                "This pattern does not tell a from b: fits differ by less than 2 standard errors. Named is the "
                "lowest in energy of Li3MoH9.",
                "In place of a nearly as good: c.",
            ],
        ),
        (
            found(phase("a", -2), [phase("b", -3)]),
            [
                "This pattern does not tell a from b: fits differ by less than 2 standard errors. Named is what "
                "fits best; lower in energy: b.",
            ],
        ),
        (
            found(phase("a", -2), [phase("b", -3, "LiH")]),
            ["This pattern does not tell a from b: fits differ by less than 2 standard errors."],
        ),
        (found(phase("a", -2), [], [phase("c", -3)]), ["In place of a nearly as good: c."]),
    ],
)
def test_what_is_said(case, words):
    assert _told(case) == words
