"""Vibrations, thermal expansion and equations of state of a candidate's minima, as terminal and page tell them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ninefold.report.text import MISSING, number

VIBRATION_COLUMNS = (
    ("minimum", False), ("engine", False), ("evidence", False), ("supercell, atoms", True),
    ("imaginary modes", False), ("ZPE, meV/atom", True), ("F(298 K), meV/atom", True), ("modes missing, %", True),
)  # fmt: skip
"""Heading, and whether the column holds numbers."""
EXPANSION_COLUMNS = (
    ("minimum", False), ("engine", False), ("evidence", False), ("T, K", True), ("p, GPa", True),
    ("V, Å³/atom", True), ("V/V0 - 1, %", True), ("α, 10⁻⁵/K", True), ("B, GPa", True), ("G - E0, meV/atom", True),
)  # fmt: skip
STATE_COLUMNS = (
    ("minimum", False), ("engine", False), ("evidence", False), ("V0, Å³/atom", True), ("B0, GPa", True),
    ("B0'", True), ("misfit, meV/atom", True), ("H(5 GPa) - H(0), meV/atom", True), ("p V0, meV/atom", True),
)  # fmt: skip
_MODES = 3.0
"""Per atom."""


def vibration_rows(candidate: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells of `VIBRATION_COLUMNS`, a row for each computation.

    Args:
        candidate: As `ninefold.store.details` gives it.
    """
    rows = []
    for found in candidate.get("vibrations") or ():
        first = _minimum(candidate, found["place"]), found["engine"] or MISSING, found["evidence"] or MISSING
        if found["error"]:
            rows.append((*first, *[MISSING] * (len(VIBRATION_COLUMNS) - 3)))
            continue
        own = found["is_own"]
        rows.append((
            *first, str(found["supercell_atoms"]), modes_text(found["imaginary"]),
            number(_milli(found["zero_point_energy"]) if own else None, 1),
            number(_milli(found["free_energy_298"]) if own else None, 1),
            number(100 * found["missing_modes"] / _MODES if own and found["missing_modes"] is not None else None, 1),
        ))  # fmt: skip
    return rows


def vibration_notes(candidate: Mapping[str, Any]) -> list[str]:
    """What a reader must know of them, one sentence each."""
    notes = []
    for found in candidate.get("vibrations") or ():
        name = f"minimum {found['place']}"
        if found["error"]:
            notes.append(f"{name}, {found['engine']}: {found['error']}")
            continue
        if not found["is_own"] and found["gain"] is not None:
            notes.append(
                f"{name} is a saddle point of {found['engine']}: a structure {abs(1000 * found['gain']):.1f} meV/atom "
                "lower was found beside it"
            )
        elif found["imaginary"]:
            notes.append(f"{name} is a saddle point of {found['engine']}: no free energy of it counts in a hull")
        notes += [f"{name}: {note}" for note in found["notes"] or () if found["is_own"]]
    if notes or candidate.get("vibrations"):
        notes.append("Harmonic, at the volume of 0 GPa; zero-point energy is part of F.")
    return list(dict.fromkeys(notes))


def expansion_rows(candidate: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells of `EXPANSION_COLUMNS`, a row for each condition of each computation; see `vibration_rows`."""
    rows = []
    for found in candidate.get("quasi_harmonic") or ():
        first = _minimum(candidate, found["place"]), found["engine"] or MISSING, found["evidence"] or MISSING
        for at in found["at"] or [{"reason": found["reason"]}]:
            place = [f"{at[key]:g}" if key in at else MISSING for key in ("temperature_K", "pressure_GPa")]
            if "reason" in at:
                rows.append((*first, *place, *[MISSING] * (len(EXPANSION_COLUMNS) - 5)))
                continue
            rows.append((
                *first, *place, number(at["volume_per_atom"], 2), number(100 * at["expansion"], 1, signed=True),
                number(1e5 * at["thermal_expansion"], 1), number(at["bulk_modulus"], 0),
                number(1000 * at["gibbs_energy"], 1),
            ))  # fmt: skip
    return rows


def expansion_notes(candidate: Mapping[str, Any]) -> list[str]:
    """What a reader must know of them, one sentence each; what was refused with its reason."""
    every, notes = candidate.get("quasi_harmonic") or (), []
    for found in every:
        name = f"minimum {found['place']}"
        if found["reason"]:
            notes.append(f"{name}: {found['reason']}")
        if found["ratios"]:
            misfits = [1000 * at["misfit"] for at in found["at"] if "misfit" in at]
            off = f"; misfit to {max(misfits):.1f} meV/atom" if misfits else ""
            low, high = min(found["ratios"]), max(found["ratios"])
            notes.append(
                f"{name}: {len(found['ratios'])} volumes from {low:.2f} to {high:.2f} of that of rest, supercell of "
                f"{found['supercell_atoms']} atoms{off}"
            )
        own = [
            each["supercell_atoms"] for each in candidate.get("vibrations") or ()
            if each["is_own"] and (each["place"], each["engine"]) == (found["place"], found["engine"])
        ]  # fmt: skip
        widest = max((size for size in own if size is not None), default=0)
        if found["at"] and widest > (found["supercell_atoms"] or 0):
            notes.append(f"{name}: hulls take the vibrations of the supercell of {widest} atoms, at one volume")
        notes += [f"{name}: no volume at {at['reason']}" for at in found["at"] if "reason" in at]
        notes += [f"{name}, {note}" for note in found["notes"]]
    if any("volume_per_atom" in at for found in every for at in found["at"]):
        notes.append(
            "Quasi-harmonic, the cell's shape kept. V0 and E0: of 0 K and 0 GPa without vibrations. α: of the volume. "
            "G holds the static energy, F(V, T) and p V."
        )
    return list(dict.fromkeys(notes))


def state_rows(candidate: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells of `STATE_COLUMNS`, a row for each equation of state; see `vibration_rows`."""
    rows = []
    for found in candidate.get("equations_of_state") or ():
        first = _minimum(candidate, found["place"]), found["engine"] or MISSING, found["evidence"] or MISSING
        if "bulk_modulus" not in found:
            rows.append((*first, *[MISSING] * (len(STATE_COLUMNS) - 3)))
            continue
        rows.append((
            *first, number(found["volume_per_atom"], 2), number(found["bulk_modulus"], 1),
            number(found["derivative"], 1), number(1000 * found["misfit"], 1), number(1000 * found["term_at_5_GPa"], 0),
            number(1000 * found["p_V_at_5_GPa"], 0),
        ))  # fmt: skip
    return rows


def state_notes(candidate: Mapping[str, Any]) -> list[str]:
    """What a reader must know of them, one sentence each."""
    notes = []
    for found in candidate.get("equations_of_state") or ():
        if found["reason"]:
            notes.append(f"minimum {found['place']}: {found['reason']}")
        notes += [f"minimum {found['place']}: {note}" for note in found["notes"]]
    fitted = [found for found in candidate.get("equations_of_state") or () if "bulk_modulus" in found]
    if fitted:
        pressures = ", ".join(f"{round(value, 1):g}" for value in fitted[0]["pressures"])
        notes.append(f"Vinet's equation, static, fitted at {pressures} GPa.")
    return list(dict.fromkeys(notes))


def modes_text(frequencies: Sequence[float]) -> str:
    """`none`, or how many and the largest: `2 (to 12.0i meV)`."""
    if not frequencies:
        return "none"
    return f"{len(frequencies)} (to {max(map(abs, frequencies)):.1f}i meV)"


def _minimum(candidate: Mapping[str, Any], place: int) -> str:
    structures = candidate.get("structures") or []
    symbol = structures[place - 1]["space_group_symbol"] if place <= len(structures) else ""
    return f"{place} ({symbol})" if symbol else str(place)


def _milli(value: float | None) -> float | None:
    return None if value is None else 1000 * value
