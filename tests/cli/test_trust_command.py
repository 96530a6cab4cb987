"""`ninefold trust`: engines named, tables and JSON; the set itself is made by tools/trust_set.py."""

from __future__ import annotations

import json
import sys

import pytest
from pymatgen.core import Lattice, Structure

from ninefold.cli.main import main
from ninefold.cli.trust import engine_settings
from ninefold.errors import InputError
from ninefold.models.structure import pack_structure
from ninefold.trust import phases as module
from ninefold.trust.phases import Frame, TrustPhase, TrustSet


@pytest.fixture
def small_set(monkeypatch):
    """Three phases with made-up values; what is tested is not chemistry."""

    def phase(name, formula, phase_class, symbols, energy):
        frames = []
        for edge in (3.9, 4.0, 4.1):
            structure = Structure(Lattice.cubic(edge), symbols, [[0, 0, 0], [0.5, 0.5, 0.5]][: len(symbols)])
            value = energy + 0.3 * (edge - 4.0) ** 2
            stress = 0.6 * (edge - 4.0) / (3 * edge**2)
            frames.append(
                Frame(
                    kind="curve",
                    **pack_structure(structure),
                    energy_per_atom=value,
                    forces=[[0.0] * 3] * len(symbols),
                    stress=[[stress if i == j else 0.0 for j in range(3)] for i in range(3)],
                    core_seconds=1.0,
                )
            )
        return TrustPhase(name=name, formula=formula, phase_class=phase_class, source="test", frames=frames)

    phases = [
        phase("H2 molecule", "H2", "molecule", ["H", "H"], -3.0),
        phase("Li", "Li", "element", ["Li"], -1.0),
        phase("LiH CsCl", "LiH", "saline", ["Li", "H"], -2.4),
    ]
    made = TrustSet(method="test PBE", settings={}, geometry="test", phases=phases)
    monkeypatch.setattr(module, "trust_set", lambda name="pbe": made)
    return made


def test_names_of_engines():
    assert engine_settings("sevennet:7net-mf-0:PBE").model_dump(exclude_defaults=True) == {
        "name": "sevennet",
        "model": "7net-mf-0:PBE",
    }
    assert engine_settings("chgnet").model is None
    with pytest.raises(InputError, match=r"engine\.name: 'chgnett'.*chgnet"):
        engine_settings("chgnett")


def printed(capsys, monkeypatch, *arguments) -> str:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(sys, "argv", ["ninefold", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    out = capsys.readouterr()
    assert end.value.code == 0, out.err
    return out.out


def test_an_engine_on_the_set(capsys, monkeypatch, small_set):
    answer = json.loads(printed(capsys, monkeypatch, "trust", "lj", "--json"))
    assert answer["set"] == "test PBE"
    [summary] = answer["engines"]
    assert [one["phase_class"] for one in summary["classes"]] == ["saline"]
    shown = printed(capsys, monkeypatch, "trust", "lj", "--phases")
    assert "saline hydrides" in shown
    assert "3 phases, 9 geometries" in shown


def test_the_errors_are_drawn(capsys, monkeypatch, small_set, tmp_path):
    folder = tmp_path / "new" / "pictures"
    printed(capsys, monkeypatch, "trust", "lj", "lj", "--no-hessian", "--pictures", str(folder))
    assert sorted(file.name for file in folder.iterdir()) == [
        "trust-bonds.svg", "trust-by-n.svg", "trust-energies.svg", "trust-volumes.svg"
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["ninefold", "trust", "lj", "--pictures", str(folder)])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "--pictures" in capsys.readouterr().err
