"""What a store holds of structures beside their energies, by whichever method.

Vibrations, at one and at several volumes, and equations of state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ninefold.store.blobs import BlobError
from ninefold.store.records import read_all

if TYPE_CHECKING:
    from ninefold.models.candidate import Candidate
    from ninefold.models.method import Method
    from ninefold.models.property import PropertyRecord
    from ninefold.models.vibrations import VibrationRecord
    from ninefold.store.store import Store
    from ninefold.thermo.equation_of_state import EquationOfState
    from ninefold.thermo.quasiharmonic import QuasiHarmonic

OF_VIBRATIONS = (
    "id", "nsites", "supercell_atoms", "displacements", "noise_meV", "translation_meV", "zero_point_energy",
    "free_energy_298", "missing_modes", "notes", "error", "created",
)  # fmt: skip
"""What `vibrations` says of each beside `place` (of the minimum, from 1), `engine`, `evidence`, `is_own`, `imaginary`
(meV, negative), `gain` (eV/atom, by the lower structure that took its place) and `min_width` (Å)."""
OF_STATE = ("energy_per_atom", "volume_per_atom", "bulk_modulus", "derivative", "misfit", "form")
"""What `equations_of_state` says of each beside `place`, `engine`, `evidence`, `pressures` (GPa), `term_at_5_GPa` and
`p_V_at_5_GPa` (eV/atom), `notes` and, where there is none, `reason`."""

OF_VOLUMES = ("ratios", "volumes", "energies", "notes")
"""What `quasi_harmonic` says of each beside `place`, `engine`, `evidence`, `supercell_atoms`, `at` (as
`ninefold.stages.quasiharmonic.equilibria`) and, where volumes are too few, `reason`."""
ROOM = ((0.0, 0.0), (298.15, 0.0))
"""K and GPa at which it is said in any case."""


class Compression(NamedTuple):
    """By what a structure's volume at a pressure is known."""

    state: EquationOfState
    volume_per_atom: float
    """Å³, of the structure that it was fitted from: as relaxed, which the fit's own may differ from."""
    engine: str
    """Label of the method."""
    is_own: bool
    """Whether it is the structure's; else that of another minimum of its composition, which is taken to be alike."""

    def ratio(self, pressure: float) -> float:
        """V(p)/V(0) at a pressure in GPa; raises as `EquationOfState.volume`."""
        return self.state.volume(pressure) / self.volume_per_atom if pressure else 1.0

    def describe(self) -> str:
        """Which one, in words."""
        return f"equation of state by {self.engine}" + ("" if self.is_own else " of another minimum")


class StructureFacts:
    """Vibrations and equations of state of a store, read once: they are few beside the rows.

    Spectra at several volumes are read when they are asked for, from the store, which has to be open then.

    Args:
        store: Open.
    """

    def __init__(self, store: Store) -> None:
        from ninefold.models.method import Method
        from ninefold.models.property import PropertyRecord
        from ninefold.models.vibrations import VibrationRecord
        from ninefold.stages import quasiharmonic
        from ninefold.stages.compress import STAGE, state_id

        self._store = store
        self._vibrations: dict[str, list[VibrationRecord]] = defaultdict(list)
        for record in read_all(store, VibrationRecord):
            for structure in {record.start, record.structure or record.start}:
                self._vibrations[structure].append(record)
        self._states: dict[str, list[PropertyRecord]] = defaultdict(list)
        for state in read_all(store, PropertyRecord, equal={"stage": STAGE}):
            if state.id == state_id(state.structure, state.method):  # else of an earlier version
                self._states[state.structure].append(state)
        self._expansions: dict[str, list[PropertyRecord]] = defaultdict(list)
        for expansion in read_all(store, PropertyRecord, equal={"stage": quasiharmonic.STAGE}):
            self._expansions[expansion.values["vibrations"]].append(expansion)
        is_empty = not self._vibrations and not self._states
        self._methods: dict[str, Method] = {} if is_empty else {each.id: each for each in read_all(store, Method)}

    def with_facts(self, rows: Iterable[Candidate]) -> Iterator[Candidate]:
        """Rows with what is known of the structures that stand for them."""
        from ninefold.stages.structure_facts import with_structure_facts

        for row in rows:
            structure = row.minima[0].structure if row.minima else ""
            vibrations = self._vibrations.get(structure, ())
            solids = {
                record.id: [solid for each in found if (solid := self._solid(each)) is not None]
                for record in vibrations
                if (found := self._expansions.get(record.id))
            }
            yield with_structure_facts(
                row, vibrations, self._states.get(structure, ()), self._methods, solids
            )  # fmt: skip

    def compression(self, structure: str, method: str, others: Iterable[str] = ()) -> Compression | None:
        """The equation of state of a structure.

        Args:
            structure: Its id.
            method: Of its energy; an equation of state by another one stands where this one has none.
            others: Ids of other minima of its composition, the nearest first, which stand in for it.
        """
        from ninefold.stages.compress import state_of

        for place in (structure, *others):
            records = sorted(self._states.get(place, ()), key=lambda each: (each.method != method, each.method))
            for record in records:
                state = state_of(record)
                if state is not None and record.method in self._methods:
                    label = self._methods[record.method].label
                    return Compression(state, record.values["volumes"][0], label, place == structure)
        return None

    def compression_of_minimum(self, row: Mapping[str, Any], structure: str) -> Compression | None:
        """The same of a candidate's minimum.

        Args:
            row: The candidate, as it is stored.
            structure: Of the minimum.
        """
        energies = {each["structure"]: each["energy_per_atom"] for each in row["minima"] if each["is_valid"]}
        nearest = sorted(energies, key=lambda key: (abs(energies[key] - energies[structure]), key))
        found = self.compression(structure, row["method"], [key for key in nearest if key != structure])
        if found is None and (geometry := (row.get("verification") or {}).get("geometry")):
            return self.compression(geometry, row["method"])  # a verification took the potential's geometry
        return found

    def of_minima(
        self, minima: Iterable[Mapping[str, Any]], synthesis: tuple[float, float] | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """`vibrations`, `quasi_harmonic` and `equations_of_state` of minima as plain values.

        See `OF_VIBRATIONS`, `OF_VOLUMES` and `OF_STATE`.

        Args:
            minima: Of one row, as it is stored.
            synthesis: K and GPa, at which `quasi_harmonic` is said beside `ROOM`.
        """
        found: dict[str, list[dict[str, Any]]] = {"vibrations": [], "quasi_harmonic": [], "equations_of_state": []}
        conditions = [*ROOM, *([synthesis] if synthesis is not None else [])]
        for place, minimum in enumerate(minima if self._methods else (), start=1):
            structure = minimum["structure"]
            for record in self._vibrations.get(structure, ()):
                told = {"place": place, **self._of_vibrations(record, structure)}
                found["vibrations"].append(told)
                for expansion in self._expansions.get(record.id, ()) if told["is_own"] else ():
                    common = {key: told[key] for key in ("place", "engine", "evidence", "supercell_atoms")}
                    found["quasi_harmonic"].append({**common, **self._of_volumes(expansion, conditions)})
            for state in self._states.get(structure, ()):
                found["equations_of_state"].append({"place": place, **self._of_state(state)})
        return found

    def _of_vibrations(self, record: VibrationRecord, structure: str) -> dict[str, Any]:
        from ninefold.stages.structure_facts import evidence_of, is_of

        method = self._methods.get(record.method)
        is_own = is_of(record, structure)
        modes = record.imaginary if is_own else record.start_imaginary
        return {key: getattr(record, key) for key in OF_VIBRATIONS} | {
            "engine": None if method is None else method.label,
            "evidence": None if method is None else evidence_of(record, structure, method),
            "is_own": is_own, "imaginary": [mode.frequency_meV for mode in modes],
            "gain": None if is_own else record.gain, "min_width": record.settings.get("min_width"),
        }  # fmt: skip

    def _solid(self, record: PropertyRecord) -> QuasiHarmonic | None:
        from ninefold.stages.quasiharmonic import quasi_harmonic_of

        return quasi_harmonic_of(record, {name: self._store.blobs.get(name) for name in record.values["spectra"]})

    def _of_volumes(self, record: PropertyRecord, conditions: list[tuple[float, float]]) -> dict[str, Any]:
        from ninefold.stages.quasiharmonic import equilibria

        told = {key: record.values[key] for key in OF_VOLUMES}
        try:
            solid = self._solid(record)
        except BlobError as error:
            return {**told, "at": [], "reason": f"{record.stage}: {error}"}
        return {**told, "at": [] if solid is None else equilibria(solid, conditions), "reason": record.reason}

    def _of_state(self, record: PropertyRecord) -> dict[str, Any]:
        from ninefold.stages.compress import state_of
        from ninefold.thermo.equation_of_state import EV_PER_GPA_A3

        state, method = state_of(record), self._methods.get(record.method)
        told: dict[str, Any] = {
            "engine": None if method is None else method.label, "evidence": None if method is None else method.evidence,
            "reason": record.reason, "pressures": record.values.get("pressures") or [],
            "notes": record.values.get("notes") or [],
        }  # fmt: skip
        if state is None:
            return told
        return told | {
            **{key: getattr(state, key) for key in OF_STATE}, "term_at_5_GPa": state.pressure_term(5.0),
            "p_V_at_5_GPa": 5.0 * record.values["volumes"][0] * EV_PER_GPA_A3,
        }  # fmt: skip
