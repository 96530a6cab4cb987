"""What the funnel says of reference phases: a failed one by its name."""

import pytest

from ninefold.models.reference import ReferenceRecord
from ninefold.stages.references import counts


@pytest.mark.parametrize(
    ("energy", "is_converged", "notes", "reasons"),
    [
        (-1.0, True, ["stable above 4 GPa"], {}),
        (-1.0, False, [], {"in the hull, though not converged: K2ReH9 K2ReH9": 1}),
        (None, False, ["stable above 4 GPa", "volume runs away"], {"K2ReH9 K2ReH9: volume runs away": 1}),
        (None, False, [], {"K2ReH9 K2ReH9: no energy": 1}),
    ],
)
def test_a_failed_phase_is_named(energy, is_converged, notes, reasons):
    record = ReferenceRecord.model_construct(
        name="K2ReH9 K2ReH9", energy_per_atom=energy, is_converged=is_converged, notes=notes, core_seconds=1.0
    )
    told = counts(record)
    assert (told.count_in, told.count_out, dict(told.reasons)) == (1, int(energy is not None), reasons)
