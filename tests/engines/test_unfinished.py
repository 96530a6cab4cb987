"""A relaxation that is stopped in the middle goes on from its last geometry, and takes the way it would have taken."""

import numpy as np
import pytest
from ase.calculators.lj import LennardJones
from pymatgen.core import Lattice, Structure

from ninefold.engines import unfinished
from ninefold.engines.ase_engine import ASEEngine
from ninefold.engines.settings import RelaxSettings


class WallTimeError(BaseException):
    """As a signal raises it."""


class Counting(LennardJones):
    """Counts geometries, and is stopped at one of them."""

    calls, stop_at = 0, None

    def calculate(self, *arguments, **options):
        self.calls += 1
        if self.calls == self.stop_at:
            raise WallTimeError
        super().calculate(*arguments, **options)


def engine(stop_at=None):
    calculator = Counting(sigma=1.8, epsilon=0.1, rc=5.0, smooth=True)
    calculator.stop_at = stop_at
    return ASEEngine("lj", "a test", calculator, ("test",)), calculator


PLACES = np.random.default_rng(3).random((3, 3)) * 0.2 + [[0, 0, 0], [0.4, 0.5, 0.4], [0.7, 0.1, 0.6]]
START = Structure(Lattice.from_parameters(3.4, 3.6, 3.9, 85, 95, 92), ["Ar", "Ar", "Ne"], PLACES)
SETTINGS = {
    "cell and atoms": RelaxSettings(fmax=1e-3, max_steps=200, keep_symmetry=False),
    "atoms": RelaxSettings(fmax=1e-3, max_steps=200, relax_cell=False, keep_symmetry=False),
    "in its symmetry": RelaxSettings(fmax=1e-3, max_steps=200),
}  # fmt: skip


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch):
    monkeypatch.setattr(unfinished, "KEEP_SECONDS", 0.0)


@pytest.mark.parametrize("kind", SETTINGS)
def test_stopped_twice_it_ends_where_it_would_have_ended(tmp_path, kind):
    settings = SETTINGS[kind]
    whole, counted = engine()
    [expected] = whole.relax([START], settings)
    assert expected.is_converged
    assert expected.steps > 12
    calls = 0
    for stop_at in (6, 5):
        part, calculator = engine(stop_at)
        with unfinished.kept_in(tmp_path), pytest.raises(WallTimeError):
            part.relax([START], settings)
        calls += calculator.calls - 1
    last, calculator = engine()
    with unfinished.kept_in(tmp_path):
        [found] = last.relax([START], settings)
    assert found.steps == expected.steps
    assert found.is_converged
    assert found.energy_per_atom == pytest.approx(expected.energy_per_atom, abs=1e-9)
    assert np.allclose(found.structure.lattice.matrix, expected.structure.lattice.matrix, atol=1e-6)
    assert np.allclose(found.structure.frac_coords, expected.structure.frac_coords, atol=1e-6)
    assert calls + calculator.calls <= counted.calls + 2  # the last geometry of each part is computed again
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no file of numpy", None])
def test_a_file_that_cannot_be_used_costs_only_the_way(tmp_path, content):
    settings = SETTINGS["atoms"]
    first, _ = engine(6)
    with unfinished.kept_in(tmp_path), pytest.raises(WallTimeError):
        first.relax([START], settings)
    [file] = tmp_path.iterdir()
    if content is None:  # of another cell
        with np.load(file) as data:
            np.savez(file, **{**data, "positions": np.zeros((7, 3))})
    else:
        file.write_bytes(content)
    again, counted = engine()
    with unfinished.kept_in(tmp_path):
        [found] = again.relax([START], settings)
    plain, expected = engine()
    assert found.energy_per_atom == plain.relax([START], settings)[0].energy_per_atom
    assert counted.calls == expected.calls


def test_other_settings_are_another_relaxation(tmp_path):
    first, _ = engine(6)
    with unfinished.kept_in(tmp_path), pytest.raises(WallTimeError):
        first.relax([START], SETTINGS["atoms"])
    again, counted = engine()
    with unfinished.kept_in(tmp_path):
        again.relax([START], SETTINGS["cell and atoms"])
    plain, expected = engine()
    plain.relax([START], SETTINGS["cell and atoms"])
    assert counted.calls == expected.calls
    assert len(list(tmp_path.iterdir())) == 1


def test_the_limit_of_steps_is_of_all_parts_together(tmp_path):
    settings = RelaxSettings(fmax=1e-9, max_steps=8, relax_cell=False, keep_symmetry=False)
    first, _ = engine(5)
    with unfinished.kept_in(tmp_path), pytest.raises(WallTimeError):
        first.relax([START], settings)
    again, _ = engine()
    with unfinished.kept_in(tmp_path):
        [found] = again.relax([START], settings)
    assert (found.steps, found.is_converged) == (8, False)


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine()[0].relax([START], SETTINGS["atoms"])
    assert list(tmp_path.iterdir()) == []
