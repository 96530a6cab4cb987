"""LiH with the default engine."""

import pytest
from lattices import Direct

from ninefold.engines import EngineSettings, make_engine
from ninefold.thermo.references import reference_phase
from ninefold.vibrations import PhononSettings, vibrations_of


@pytest.mark.slow
def test_lithium_hydride_has_the_zero_point_energy_that_is_known():
    """By another script, phonopy 4.10 and the same potential: 0.192 eV per formula unit."""
    source = Direct(make_engine(EngineSettings(name="sevennet", model="7net-0")))
    course = vibrations_of(reference_phase("LiH rocksalt").structure, source, PhononSettings())
    vibrations = course.phonons.vibrations(60.0)
    assert 2 * vibrations.zero_point_energy == pytest.approx(0.192, abs=0.002)
    assert course.phonons.imaginary_modes == []
    assert course.phonons.translation_THz < 0.1
