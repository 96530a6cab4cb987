"""What a row says of the vibrations and the compression of its structure, and by which method."""

import numpy as np
import pytest

from ninefold.models.candidate import Candidate
from ninefold.models.method import Method
from ninefold.models.property import PropertyRecord
from ninefold.models.search import Minimum
from ninefold.models.vibrations import StoredMode, VibrationRecord
from ninefold.stages.compress import STAGE
from ninefold.stages.structure_facts import is_of, widest, with_structure_facts
from ninefold.thermo.harmonic import HarmonicVibrations
from ninefold.thermo.quasiharmonic import QuasiHarmonic

METHODS = {
    method.id: method
    for method in (
        Method(id="own", name="sevennet", label="SevenNet 7net-0", evidence="ML"),
        Method(id="ml", name="mace", label="MACE", evidence="ML"),
        Method(id="dft", name="gpaw", label="GPAW draft", evidence="DFT"),
    )
}
SOFT = StoredMode(q=[0, 0, 0], frequency_meV=-12.0)


def row():
    minimum = Minimum(
        structure="s", energy_per_atom=-4.0, space_group_number=1, space_group_symbol="P1", nsites=12,
        volume_per_formula_unit=140.0, volume_ratio=1.0, coordination_numbers=[9], shortest_m_h=1.7, shortest_h_h=1.9,
        max_force=0.01, is_converged=True, source="test", is_valid=True,
    )  # fmt: skip
    return Candidate(
        id="k", campaign="c", composition="k", method="own", formula="K2ReH9", anion="[ReH9]2-", label="K2[ReH9]",
        chemical_system="H-K-Re", elements=["H", "K", "Re"], nelements=3, centre="Re", cations=["K"],
        cation_counts={"K": 2}, group=7, n=9, q=2, m=0, electron_count=18, oxidation_state=7, anion_class="classical",
        prior=1.0, status="searched", evidence="ML", engine="SevenNet 7net-0", minima=[minimum],
    )  # fmt: skip


def vibrations(method="own", **changes):
    values = {
        "id": "v", "campaign": "c", "label": "K2[ReH9]", "method": method, "start": "s", "relaxed": "s",
        "structure": "p", "gain": 0.0, "supercell_atoms": 48, "n_imaginary": 0, "zero_point_energy": 0.15,
        "free_energy_298": 0.12, "settings": {"fmax": 0.002}, "created": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return VibrationRecord.model_validate(values | changes)


def state(method="own", **values):
    fitted = {
        "form": "vinet", "energy_per_atom": -4.0, "volume_per_atom": 11.5, "bulk_modulus": 20.0, "derivative": 5.0,
        "misfit": 0.0, "volumes": [11.5, 11.0, 10.0],
    }  # fmt: skip
    return PropertyRecord(
        id=f"{method} s", campaign="c", stage=STAGE, label="K2[ReH9]", structure="s", method=method,
        values=values or fitted, reason=None, core_seconds=1.0, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def told(*records, states=()):
    return with_structure_facts(row(), records, states, METHODS)


def test_a_row_has_the_vibrations_of_its_own_method_with_name_and_evidence():
    found = told(vibrations(), vibrations("dft", id="w", zero_point_energy=0.2))
    assert (found.zero_point_energy, found.vibrational_free_energy, found.imaginary_modes) == (0.15, 0.12, 0)
    assert (found.vibrations_engine, found.vibrations_evidence) == ("SevenNet 7net-0", "ML")
    assert told() == row(), "nothing is known"


@pytest.mark.parametrize(
    ("method", "modes", "evidence"), [("dft", [], "phonon"), ("dft", [SOFT], "DFT"), ("ml", [], "ML")]
)
def test_dft_without_an_imaginary_mode_is_evidence_of_its_own(method, modes, evidence):
    found = told(vibrations(method, imaginary=modes, n_imaginary=len(modes)))
    assert (found.vibrations_evidence, found.imaginary_modes) == (evidence, len(modes))
    assert (found.zero_point_energy is None) == bool(modes), "a saddle point has no free energy"


def test_of_other_methods_the_most_trusted_counts():
    assert told(vibrations("ml", id="w"), vibrations("dft")).vibrations_engine == "GPAW draft"


def test_a_saddle_point_that_gave_way_lends_no_energy():
    left = vibrations(gain=-0.004, structure="lower", start_imaginary=[SOFT])
    assert not is_of(left, "s")
    assert is_of(left, "lower")
    found = told(left)
    assert (found.imaginary_modes, found.zero_point_energy) == (1, None)
    assert told(left, vibrations(id="w", start="other", structure="s")).zero_point_energy == 0.15


def test_of_several_supercells_the_largest_counts_whatever_their_order():
    narrow, wide = vibrations(), vibrations(id="a", supercell_atoms=104, zero_point_energy=0.151)
    failed = vibrations(id="z", supercell_atoms=None, error="no relaxation", structure=None)
    for records in ([narrow, wide, failed], [failed, wide, narrow]):
        assert widest(records) is wide
        assert told(*records).zero_point_energy == 0.151
    assert told(failed) == row()


def test_a_row_has_the_equation_of_state_of_its_structure():
    found = told(states=[state("dft"), state()])
    assert (found.volume_at_zero_pressure, found.bulk_modulus, found.bulk_modulus_derivative) == (11.5, 20.0, 5.0)
    assert (found.compression_engine, found.compression_evidence) == ("SevenNet 7net-0", "ML")
    assert told(states=[state(volumes=[11.5])]) == row(), "points that no curve fits"


def solid(n=7, softening=1.5, quantum=60.0, stiffness=0.05):
    """A parabola of 8 Å³/atom at rest with three oscillators that soften as it grows."""
    volumes = np.linspace(7.4, 9.2, n)
    modes = tuple(
        HarmonicVibrations(np.array([quantum * (8 / volume) ** softening]), np.array([3.0])) for volume in volumes
    )
    return QuasiHarmonic(tuple(volumes), tuple(stiffness * (volumes - 8) ** 2 - 4), modes)


def test_a_row_has_the_thermal_expansion_of_its_structure():
    """By its own method, of the widest supercell; the oracle is the solid itself."""
    narrow, wide, other = vibrations(), vibrations(id="w", supercell_atoms=96), vibrations("dft", id="d")
    own = solid(softening=1.2)
    expansions = {"v": [solid()], "w": [own], "d": [solid(softening=2.0)]}
    found = with_structure_facts(row(), [narrow, other, wide], [], METHODS, expansions)
    at = own.at(298.15)
    assert found.volume_298 == at.volume_per_atom > 8
    assert (found.bulk_modulus_298, found.thermal_expansion_298) == (at.bulk_modulus, own.thermal_expansion(298.15))
    assert (found.expansion_engine, found.expansion_evidence) == ("SevenNet 7net-0", "ML")
    of_dft = with_structure_facts(row(), [other], [], METHODS, expansions)
    assert (of_dft.expansion_engine, of_dft.expansion_evidence) == ("GPAW draft", "phonon")


def test_what_is_refused_at_room_temperature_is_no_field():
    slack = solid(stiffness=0.001)
    with pytest.raises(Exception, match="outside"):
        slack.at(298.15)
    found = with_structure_facts(row(), [vibrations()], [], METHODS, {"v": [slack]})
    assert (found.volume_298, found.expansion_engine, found.imaginary_modes) == (None, None, 0)
    both = with_structure_facts(row(), [vibrations()], [], METHODS, {"v": [slack, solid(n=6)]})
    assert both.volume_298 == solid(n=6).at(298.15).volume_per_atom, "another range of volumes has one"
    left = vibrations(gain=-0.004, structure="lower", start_imaginary=[SOFT])
    assert with_structure_facts(row(), [left], [], METHODS, {"v": [solid()]}).volume_298 is None, "of another structure"
