"""The compiled convolution of SevenNet against e3nn's tensor product, and the whole engine against the shipped one."""

import warnings

import numpy as np
import pytest
import torch
from e3nn.o3 import Irreps, TensorProduct
from pymatgen.core import Lattice, Structure

from ninefold.engines import EngineSettings, make_engine
from ninefold.engines.foundation import FAMILIES
from ninefold.engines.sevennet_kernel import Paths, convolve, use_compiled_convolutions


def product(features):
    """Features with spherical harmonics to l = 2, every path to l = 2, as SevenNet makes it."""
    features, harmonics = Irreps(features), Irreps("1x0e+1x1e+1x2e")
    middle, paths = [], []
    for i, (count, irrep) in enumerate(features):
        for j, (_, harmonic) in enumerate(harmonics):
            for out in irrep * harmonic:
                if out.l <= 2:
                    paths.append((i, j, len(middle), "uvu", True))
                    middle.append((count, out))
    return TensorProduct(features, harmonics, Irreps(middle), paths, shared_weights=False, internal_weights=False)


# channels: whole blocks, less than one, and one with a rest
@pytest.mark.parametrize("features", ["128x0e+64x1e+32x2e", "5x0e+3x1e+1x2e", "33x0e+70x1e"])
def test_values_and_gradients_are_those_of_the_tensor_product(features):
    of_edges, atoms, edges = product(features), 4, 11
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, generator=generator).requires_grad_()

    inputs = random(atoms, of_edges.irreps_in1.dim), random(edges, 9), random(edges, of_edges.weight_numel)
    source = torch.randint(atoms, (edges,), generator=generator)
    target = torch.randint(atoms, (edges,), generator=generator)
    looks = torch.randn((atoms, of_edges.irreps_out.dim), generator=generator)

    x, y, w = inputs
    slow = torch.zeros(atoms, of_edges.irreps_out.dim).index_add(0, target, of_edges(x[source], y, w))
    expected = torch.autograd.grad((slow * looks).sum(), inputs)
    fast = convolve(x, y, w, source, target, Paths(of_edges))
    found = torch.autograd.grad((fast * looks).sum(), inputs)
    for one, other in ((fast, slow), *zip(found, expected, strict=True)):
        assert one.shape == other.shape
        assert one.detach().numpy() == pytest.approx(
            other.detach().numpy(), abs=2e-5 * other.detach().abs().max().item()
        )


@pytest.mark.parametrize("model", ["7net-0", "7net-l3i5", "7net-mf-0:R2SCAN"])
def test_the_engine_gives_what_the_shipped_calculator_gives(model):
    from sevenn.calculator import SevenNetCalculator

    structure = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(6.443), ["Fe", "Mg", "H"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.242, 0, 0]]
    ).get_primitive_structure()
    structure.perturb(0.1, seed=1)
    [ours] = make_engine(EngineSettings(name="sevennet", model=model)).evaluate([structure])
    name, _, head = model.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shipped = SevenNetCalculator(str(FAMILIES["sevennet"].bundled()[name]), device="cpu", modal=head or None)
    atoms = structure.to_ase_atoms()
    atoms.calc = shipped
    assert ours.energy_per_atom == pytest.approx(atoms.get_potential_energy() / len(atoms), abs=2e-6)
    assert np.abs(ours.forces - atoms.get_forces()).max() < 2e-5
    assert np.abs(ours.stress - atoms.get_stress(voigt=False)).max() < 1e-6


def test_every_convolution_is_exchanged_and_every_weight_frozen():
    from sevenn.nn.convolution import IrrepsConvolution
    from sevenn.util import load_checkpoint

    model = load_checkpoint(str(FAMILIES["sevennet"].bundled()["7net-0"])).build_model()
    before = [name for name, part in model.named_children() if isinstance(part, IrrepsConvolution)]
    assert len(before) == 5
    use_compiled_convolutions(model)
    left = [name for name, part in model.named_children() if isinstance(part, IrrepsConvolution)]
    assert left == []
    assert not any(weight.requires_grad for weight in model.parameters())
