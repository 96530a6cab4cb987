"""What computes the energies of paths and the teacher of a distilled potential, where nothing is said."""

from __future__ import annotations

import pytest

from ninefold.cli.calculation import barrier_engine


@pytest.mark.parametrize(
    ("engine", "model", "title"),
    [
        (None, None, "sevennet:7net-l3i5"),
        (None, "7net-0", "sevennet:7net-0"),
        ("sevennet", None, "sevennet"),
        ("chgnet", None, "chgnet"),
        ("mace", "weights.pt", "mace:weights.pt"),
    ],
)
def test_default_engine_of_barriers(engine: str | None, model: str | None, title: str) -> None:
    assert barrier_engine(engine, model).title == title
