"""What `ninefold vibrations --volumes` shows: volume, thermal expansion and Gibbs energy of a phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ninefold.models.property import PropertyRecord


def volumes_of(
    record: PropertyRecord, spectra: Mapping[str, bytes], temperatures: Sequence[float], pressure: float
) -> dict[str, Any]:
    """Vibrations at several volumes as plain values, and what follows at some temperatures.

    Args:
        record: Of `ninefold.stages.quasiharmonic`.
        spectra: Blobs by the names in it.
        temperatures: K.
        pressure: GPa.
    """
    from ninefold.stages.quasiharmonic import equilibria, quasi_harmonic_of

    values = record.values
    solid = quasi_harmonic_of(record, spectra)
    return {
        "ratios": values["ratios"], "volumes_per_atom": values["volumes"], "energies": values["energies"],
        "notes": values["notes"], "reason": record.reason, "pressure_GPa": pressure,
        "at": [] if solid is None else equilibria(solid, [(kelvin, pressure) for kelvin in temperatures]),
    }  # fmt: skip


def told(volumes: Mapping[str, Any] | None) -> Iterator[str]:
    """The same, a line for each temperature and note."""
    if volumes is None:
        return
    if volumes["reason"]:
        yield volumes["reason"]
    for at in volumes["at"]:
        if "reason" in at:
            yield f"no volume at {at['reason']}"
            continue
        modulus = "not resolved" if at["bulk_modulus"] is None else f"{at['bulk_modulus']:.0f} GPa"
        yield (
            f"{at['temperature_K']:g} K, {volumes['pressure_GPa']:g} GPa: {at['volume_per_atom']:.2f} Å³/atom "
            f"({100 * at['expansion']:+.1f} % of that of 0 K without vibrations), "
            f"thermal expansion {at['thermal_expansion']:.1e}/K, B {modulus}, "
            f"G - E {1000 * at['gibbs_energy']:.1f} meV/atom, misfit {1000 * at['misfit']:.1f}"
        )
    yield from volumes["notes"]
