"""The example of docs/store.md is what `show` prints."""

from pathlib import Path

from ninefold.report.history import history_lines

PAGE = Path(__file__).parents[2] / "docs" / "store.md"


def relaxation(steps, energy, **settings):
    return {
        "made_by": "relaxation", "method": "CHGNet 0.3.0", "steps": steps, "is_converged": "keep_symmetry" in settings,
        "energy_per_atom": energy, "settings": settings,
    }  # fmt: skip


def test_the_example_is_as_printed():
    history = {
        "source": "symmetric:145:Z3", "line": 2, "lines": 153, "pool": "f42a419f92de4411", "round": 1,
        "steps": [
            {"made_by": "pool"}, {**relaxation(10, -3.896, fmax=0.1), "is_converged": True}, {"made_by": "symmetry"},
            relaxation(8, -3.897, fmax=0.05, keep_symmetry=True), {"made_by": "symmetry"},
            {**relaxation(38, -3.798, fmax=0.01, keep_symmetry=True), "method": "SevenNet 7net-0"},
            {"made_by": "symmetry"},
        ],
    }  # fmt: skip
    example = "\n".join(["Where it comes from", *history_lines(history)])
    assert f"```text\n{example}\n```" in PAGE.read_text(encoding="utf-8")
