"""Batches by torch-sim end where ASE's engine ends, structure by structure. Most needs Python 3.12 and torch-sim.

How often a device's memory is measured is told without either, by a stand-in for torch-sim.
"""

import contextlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from ase.units import GPa
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, Evaluation, RelaxSettings, kernels, make_engine, torchsim, torchsim_engine
from ninefold.engines.device_memory import MemoryLimit
from ninefold.engines.torchsim_engine import TorchSimEngine
from ninefold.errors import InputError, MissingDependencyError


def mg2feh6(a=6.443, shake=0.0, seed=0):
    structure = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), ["Fe", "Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
    ).get_primitive_structure()
    if shake:
        ways = np.random.default_rng(seed).normal(scale=shake, size=(len(structure), 3))
        return Structure(structure.lattice, structure.species, structure.cart_coords + ways, coords_are_cartesian=True)
    return structure


def mgh2():
    return Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.6, 3.1), ["Mg", "H"], [[0, 0, 0], [0.31, 0.31, 0]]
    )


def overlapping():
    return Structure(Lattice.cubic(4), ["Mg", "H"], [[0, 0, 0], [0, 0, 0.01]])


@pytest.fixture(scope="module")
def batched():
    pytest.importorskip("torch_sim", reason="torch-sim needs Python 3.12")
    pytest.importorskip("sevenn")
    return make_engine(EngineSettings(name="torchsim", model="sevennet:7net-0"))


@pytest.fixture(scope="module")
def single():
    pytest.importorskip("sevenn")
    return make_engine(EngineSettings(name="sevennet"))


def test_without_torch_sim_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_sim", None)
    with pytest.raises(MissingDependencyError, match="torch-sim-atomistic"):
        make_engine(EngineSettings(name="torchsim"))


def test_evaluations_are_those_of_ase(batched, single):
    structures = [mg2feh6(shake=0.05), mgh2(), overlapping(), mg2feh6(6.3, shake=0.1, seed=1)]
    for mine, theirs in zip(batched.evaluate(structures), single.evaluate(structures), strict=True):
        assert mine.error == theirs.error
        if theirs.error is None:
            assert mine.energy_per_atom == pytest.approx(theirs.energy_per_atom, abs=1e-5)
            np.testing.assert_allclose(mine.forces, theirs.forces, atol=1e-3)
            np.testing.assert_allclose(mine.stress, theirs.stress, atol=1e-5)


@pytest.mark.parametrize("pressure", [0.0, 5.0])
@pytest.mark.parametrize("relax_cell", [True, False])
def test_relaxations_end_where_ase_s_end(batched, single, pressure, relax_cell):
    if pressure and not relax_cell:
        pytest.skip("a fixed cell feels no pressure")
    structures = [mg2feh6(6.6, shake=0.05), mgh2()]
    settings = RelaxSettings(fmax=0.01, pressure=pressure, relax_cell=relax_cell)
    for mine, theirs in zip(batched.relax(structures, settings), single.relax(structures, settings), strict=True):
        assert mine.is_converged is True
        assert mine.steps < 100
        assert mine.max_force <= 0.01
        assert mine.energy_per_atom == pytest.approx(theirs.energy_per_atom, abs=1e-3)
        assert mine.structure.volume == pytest.approx(theirs.structure.volume, rel=0.01)
        for result in (mine, theirs):
            assert np.linalg.norm(result.forces, axis=1).max() == pytest.approx(result.max_force)
            residual = np.abs(result.stress / GPa + pressure * np.eye(3)).max()
            assert (residual if relax_cell else 0.0) == pytest.approx(result.max_stress)


def test_symmetry_is_kept(batched):
    from ninefold.structures.symmetry import space_group

    [relaxation] = batched.relax([mg2feh6(6.6)], RelaxSettings(keep_symmetry=True))
    assert relaxation.is_converged
    assert space_group(relaxation.structure).number == 225


def test_results_come_in_order_and_one_bad_structure_spoils_nothing(batched):
    structures = [mgh2(), overlapping(), mg2feh6(), Structure(Lattice.cubic(4), ["Cm"], [[0, 0, 0]])]
    results = batched.relax(structures, RelaxSettings(fmax=0.1))
    assert [result.error is None for result in results] == [True, False, True, False]
    assert results[1].error == "atoms overlap"
    assert "Cm" in results[3].error
    assert [len(result.structure) for result in results] == [6, 2, 9, 1]


def test_too_few_steps_are_not_converged(batched):
    [relaxation] = batched.relax([mg2feh6(7.2, shake=0.1)], RelaxSettings(fmax=0.001, max_steps=2))
    assert not relaxation.is_converged
    assert relaxation.steps <= 2


def test_a_model_that_it_does_not_have_is_told():
    pytest.importorskip("torch_sim")
    with pytest.raises(InputError, match="sevennet, mace"):
        make_engine(EngineSettings(name="torchsim", model="oracle"))


# memory of the device, with a stand-in for torch-sim


class Numbers(np.ndarray):
    """An array that says what the engine asks of a tensor."""

    def detach(self):
        return self

    cpu = numpy = detach


def numbers(values):
    return np.asarray(values, dtype=float).view(Numbers)


class FakeState(list):
    """Atoms, as torch-sim's state holds them."""


class FakeBatcher:
    def __init__(self, model, memory_scales_with, max_memory_scaler=None):
        self.limit = max_memory_scaler


class FakeTorchSim:
    """Counts what is measured, and what is computed at once; memory runs out above `holds` atoms."""

    def __init__(self, holds=100_000):
        self.holds, self.measured, self.batches = holds, [], []

    def estimate(self, *_, **__):
        """torch-sim's own way, which fills the device."""
        self.measured.append("estimated by torch-sim")
        return 1e9

    def static(self, state, model, autobatcher=False):
        limit = getattr(autobatcher, "limit", None) or self.estimate()
        size = min(len(state), max(1, int(limit / self.metrics(state[:1])[0])))
        for start in range(0, len(state), size):
            batch = state[start : start + size]
            self.batches.append(len(batch))
            if sum(map(len, batch)) > self.holds:
                raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return [
            {
                "potential_energy": numbers([-float(len(atoms))]),
                "forces": numbers(np.zeros((len(atoms), 3))),
                "stress": numbers(np.zeros((1, 3, 3))),
            }
            for atoms in state
        ]

    @staticmethod
    def metrics(state, scales_with=None):
        return [1000 * len(atoms) ** 2 / atoms.get_volume() for atoms in state]

    def peak(self, structure, count):
        self.measured.append(count)
        return 1e8 + 5e6 * count * len(structure())


@pytest.fixture
def stand_in(monkeypatch):
    """An engine on a device of 80 GB with a stand-in for torch-sim."""

    def make(holds=100_000):
        fake = FakeTorchSim(holds)
        package, batching = ModuleType("torch_sim"), ModuleType("torch_sim.autobatching")
        package.static, package.autobatching = fake.static, batching
        package.initialize_state = lambda batch, device, dtype: FakeState(batch)
        batching.calculate_memory_scalers = fake.metrics
        batching.BinningAutoBatcher = FakeBatcher
        monkeypatch.setitem(sys.modules, "torch_sim", package)
        monkeypatch.setitem(sys.modules, "torch_sim.autobatching", batching)
        monkeypatch.setattr(torchsim_engine, "version", lambda name: "0.6.2")
        model = SimpleNamespace(device=SimpleNamespace(type="cuda"), dtype=None, memory_scales_with="n_atoms_x_density")
        # base classes know nothing of a limit: then torch-sim's own measurement is counted
        options = {"memory": MemoryLimit(fake.peak, lambda: 80e9)}
        with contextlib.suppress(TypeError):
            return TorchSimEngine("fake", model, (), None, **options), fake
        return TorchSimEngine("fake", model, (), None), fake

    return make


def test_the_memory_of_a_device_is_measured_once_for_all_calls(stand_in):
    engine, fake = stand_in()
    engine.evaluate([mg2feh6(), mgh2()])
    measured = list(fake.measured)
    for _ in range(3):
        energies = [result.energy_per_atom for result in engine.evaluate([mgh2(), mg2feh6(6.3), mgh2()])]
        assert energies == [-1.0, -1.0, -1.0]
    assert 0 < len(measured) < 12
    assert fake.measured == measured


def test_where_memory_runs_out_all_the_same_a_smaller_batch_is_taken_and_remembered(stand_in):
    engine, fake = stand_in(holds=40)
    structures = [mgh2()] * 32  # 6 atoms each: six of them fit
    assert [result.error for result in engine.evaluate(structures)] == [None] * 32
    assert fake.batches[0] == 32
    fake.batches.clear()
    engine.evaluate(structures)
    assert max(fake.batches) <= 6
    assert len(fake.batches) <= 11  # 32 structures, three or four at a time


def test_one_structure_that_does_not_fit_is_the_machine_s_failure_and_its_own(stand_in):
    engine, _ = stand_in(holds=8)
    results = engine.evaluate([mgh2(), mg2feh6(), mgh2()])
    assert [result.error is None for result in results] == [True, False, True]
    assert results[1].is_transient


def test_a_structure_that_spoils_a_batch_is_found_by_halving(stand_in):
    engine, fake = stand_in()
    whole = fake.static

    def spoiled(state, model, autobatcher=False):
        found = whole(state, model, autobatcher)
        if any(len(atoms) == 9 for atoms in state):
            raise ValueError("no neighbours")
        return found

    sys.modules["torch_sim"].static = spoiled
    results = engine.evaluate([mgh2()] * 20 + [mg2feh6()] + [mgh2()] * 11)
    assert [index for index, result in enumerate(results) if result.error] == [20]
    assert results[20].error == "ValueError: no neighbours"
    assert len(fake.batches) <= 11  # two for each halving of 32


# memory of the device, with torch-sim itself


@pytest.fixture
def lj():
    pytest.importorskip("torch_sim", reason="torch-sim needs Python 3.12")
    return make_engine(EngineSettings(name="torchsim", model="lj"))


def test_batches_that_fit_give_what_one_batch_gives(lj):
    structures = [mg2feh6(6.4 + 0.05 * index, shake=0.05, seed=index) for index in range(6)] + [mgh2()] * 3
    settings = RelaxSettings(fmax=0.05, max_steps=60)
    tried = []

    def peak(system, count):
        tried.append(count)
        return 1e8 + 5e6 * count * system().n_atoms

    # three structures of nine atoms at a time
    small = TorchSimEngine("small", lj._model, ("lj",), None, "test", MemoryLimit(peak, lambda: 0.34e9))
    whole, parts = lj.evaluate(structures), small.evaluate(structures)
    assert [part.energy_per_atom for part in parts] == pytest.approx([each.energy_per_atom for each in whole])
    ends, others = lj.relax(structures, settings), small.relax(structures, settings)
    for end, other in zip(ends, others, strict=True):
        assert other.energy_per_atom == pytest.approx(end.energy_per_atom, abs=1e-4)
        assert (other.is_converged, other.steps) == (end.is_converged, end.steps)
    assert small._memory.of_batch(small_sizes(small, structures)) < 5 * 9 * 150
    assert len(tried) < 12


def small_sizes(engine, structures):
    from ninefold.engines.device_memory import Sized

    return [Sized(None, len(item), 1000 * len(item) ** 2 / item.volume) for item in structures]


def test_the_model_is_loaded_and_the_device_measured_once_per_process(lj):
    again = make_engine(EngineSettings(name="torchsim", model="lj"))
    assert again._model is lj._model
    assert again._memory is lj._memory


# kernels


@pytest.mark.parametrize(
    "wrong", [{"name": "chgnet"}, {"name": "sevennet"}, {"name": "torchsim", "model": "mace:x.model"}]
)
def test_kernels_are_refused_where_there_is_nothing_to_accelerate(wrong):
    with pytest.raises(ValidationError, match="sevennet model"):
        EngineSettings(kernels="openequivariance", **wrong)
    assert EngineSettings(**wrong).kernels == "default"


@pytest.mark.parametrize("name", list(kernels.KERNELS))
def test_kernels_that_are_not_installed_are_told_with_what_to_install(monkeypatch, name):
    chosen = kernels.KERNELS[name]
    for module in chosen.modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingDependencyError, match=rf"engine.kernels: '{name}' needs .*pip install {chosen.packages}"
    ):
        kernels.check_usable(name, "cuda")


def test_kernels_need_a_device_and_a_package_that_loads(monkeypatch):
    monkeypatch.setitem(sys.modules, "openequivariance", ModuleType("openequivariance"))
    with pytest.raises(InputError, match="needs a CUDA device"):
        kernels.check_usable("openequivariance", "cpu")
    pytest.importorskip("sevenn")
    # SevenNet would warn, and compute without them
    with pytest.raises(InputError, match="SevenNet cannot use it"):
        kernels.check_usable("openequivariance", "cuda")


@pytest.mark.parametrize(
    ("energy", "force", "is_same"),
    [(0.0, 0.0, True), (8e-5, 1e-3, True), (2e-4, 0.0, False), (0.0, 0.02, False), (float("nan"), 0.0, False)],
)
def test_kernels_that_change_energies_are_refused(energy, force, is_same):
    plain = Evaluation(-3.5, np.zeros((2, 3)), np.zeros((3, 3)), 0.0)
    other = Evaluation(-3.5 + energy, np.full((2, 3), force), np.zeros((3, 3)), 0.0)
    with contextlib.nullcontext() if is_same else pytest.raises(InputError, match="meV/atom"):
        kernels.check_same("openequivariance", plain, other)


@pytest.mark.parametrize("elements", [{"Fe", "Mg", "H", "O"}, {"Al", "Ni"}, {"W"}])
def test_kernels_are_tried_on_elements_that_the_model_knows(elements):
    structure = kernels.probe(frozenset(elements))
    assert {site.specie.symbol for site in structure} <= elements
    assert len(structure) == 9


def test_kernels_leave_campaign_and_method_as_they_are():
    from ninefold.campaign import parse_campaign

    data = {"name": "a", "space": [{"cations": ["K"], "centres": ["Re"], "n": [9, 9], "m": [0, 0]}]}
    plain, fast = (
        parse_campaign({**data, "engine": {"name": "torchsim", "kernels": name}})
        for name in ("default", "cuequivariance")
    )
    assert plain.fingerprint() == fast.fingerprint()
    assert plain.to_dict()["engine"] != fast.to_dict()["engine"]


def test_kernels_are_in_the_label_and_not_in_the_fingerprint(monkeypatch):
    pytest.importorskip("torch_sim", reason="torch-sim needs Python 3.12")
    pytest.importorskip("sevenn")
    monkeypatch.setattr(torchsim, "check_usable", lambda name, device: None)
    loaded = torchsim._loaded
    monkeypatch.setattr(torchsim, "_loaded", lambda *arguments: loaded(*arguments[:-1], "default"))
    plain, fast = (
        make_engine(EngineSettings(name="torchsim", kernels=name)) for name in ("default", "openequivariance")
    )
    assert fast.label == f"{plain.label} with OpenEquivariance"
    assert fast.fingerprint == plain.fingerprint
