"""Time spent and time left, from what stages announce."""

import pytest

from ninefold.flows.progress import Pace, Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def announced(*steps):
    """(seconds, stage, done, total) in order; gives elapsed and left of the last."""
    clock = Clock()
    pace = Pace(clock)
    for seconds, stage, done, total in steps:
        clock.now = 100.0 + seconds
        timing = pace.of(Progress(stage, done, total, "compositions"))
    return timing


@pytest.mark.parametrize(
    ("steps", "elapsed", "left"),
    [
        ([(0, "build", 0, 10)], 0, None),
        ([(0, "build", 0, 10), (20, "build", 2, 10)], 20, 80),
        ([(0, "build", 0, 10), (20, "build", 10, 10)], 20, None),  # finished: nothing is left
        ([(0, "select", 5, None), (3, "select", 7, None)], 3, None),  # no total, no end
        ([(0, "build", 0, 10), (20, "build", 2, 10), (30, "rank", 0, 4), (31, "rank", 1, 4)], 1, 3),
        ([(0, "build", 0, 2), (20, "build", 2, 2), (20, "build", 0, 9), (24, "build", 1, 9)], 4, 32),  # next shard
        # twenty found in the store at once say nothing about the twenty that are computed, ten seconds each
        ([(0, "build", n, 60) for n in range(21)] + [(10 * n, "build", 20 + n, 60) for n in range(1, 21)], 200, 200),
    ],
)  # fmt: skip
def test_times(steps, elapsed, left):
    assert announced(*steps) == (pytest.approx(elapsed), None if left is None else pytest.approx(left, rel=0.06))
