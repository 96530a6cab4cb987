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
        "source": "rigid_units", "line": 12, "lines": 152, "pool": "5b0c1f7e92aa4411", "round": 1,
        "steps": [
            {"made_by": "pool"}, relaxation(40, -4.1198, fmax=0.1), {"made_by": "symmetry"},
            relaxation(23, -4.1291, fmax=0.01, keep_symmetry=True),
        ],
    }  # fmt: skip
    example = "\n".join(["Where it comes from", *history_lines(history)])
    assert f"```text\n{example}\n```" in PAGE.read_text(encoding="utf-8")
