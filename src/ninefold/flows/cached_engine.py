"""An engine that never computes the same thing twice.

The id of a calculation is the hash of its kind, the structure, the settings, the method and the version of that kind;
a finished calculation is in the store before its caller sees it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.stress import full_3x3_to_voigt_6_stress, voigt_6_to_full_3x3_stress
from ase.units import GPa

from ninefold.clock import now
from ninefold.engines.base import RELAXATION_VERSION, Engine, Evaluation, Relaxation, calculator_of, is_foreign
from ninefold.errors import NinefoldError
from ninefold.flows.faults import of_engine
from ninefold.keys import KEY_VERSION, content_key, structure_key
from ninefold.machine import hardware
from ninefold.models.calculation import Calculation
from ninefold.models.structure import StructureRecord, pack_structure, structure_id
from ninefold.store.records import read_many

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.settings import RelaxSettings
    from ninefold.store import Store

STATIC_VERSION = 1
"""Rises when what a single point is changes; in the key of a stored one."""


class CachedEngine:
    """Wraps an engine; looks a calculation up before it is made and stores it when it is done.

    Args:
        engine: What computes.
        store: Where finished calculations are.
        campaign: Whose calculations these are; a fresh start discards them by this name.
    """

    def __init__(self, engine: Engine, store: Store, campaign: str) -> None:
        self._engine, self._store, self._campaign = engine, store, campaign
        self.name, self.label, self.fingerprint = engine.name, engine.label, engine.fingerprint
        self.evidence, self.batch = engine.evidence, getattr(engine, "batch", 1)
        self.zero_point = getattr(engine, "zero_point", "none")
        self.faults: Counter[str] = Counter()
        """Reasons, as `of_engine` words them, of results with an undeclared error: handed on, and not stored."""

    @property
    def engine(self) -> Engine:
        """What computes; nothing that it is asked is stored."""
        return self._engine

    def calculator(self) -> Any:
        """The ASE calculator of the engine; what it computes is not stored.

        Raises:
            InputError: if the engine has none.
        """
        return calculator_of(self._engine)

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Energies alone, computed or found: forces and stress are not stored, and always None."""
        keys = [self._key("evaluate", structure) for structure in structures]
        known, useless = self._known(keys)
        results: dict[int, Evaluation] = {
            index: _evaluation(known[key]) for index, key in enumerate(keys) if key in known
        }
        for some in self._batches(len(structures), results):
            records = []
            for index, result in zip(some, self._evaluated([structures[index] for index in some]), strict=True):
                error = result.error
                if result.is_transient:
                    error = of_engine(str(error))
                    self.faults[error] += 1
                else:
                    records.append(self._evaluation(keys[index], structures[index], result))
                results[index] = Evaluation(
                    result.energy_per_atom, None, None, result.core_seconds, error, result.is_transient, result.notes
                )
            self._write(records, useless)
        return [results[index] for index in range(len(structures))]

    def static(self, structure: Structure) -> tuple[str | None, Evaluation]:
        """Energy, forces and stress of one structure as it stands, computed or found, and all of it kept.

        Returns:
            Id of the calculation, None where the machine failed; and the energy with its error.
        """
        key = self._key("static", structure, STATIC_VERSION)
        known, useless = self._known([key])
        if key in known:
            return key, _evaluation(known[key])
        [result] = self._evaluated([structure])
        if result.is_transient:
            error = of_engine(str(result.error))
            self.faults[error] += 1
            return None, replace(result, error=error)
        forces = _finite_array(result.forces, (len(structure), 3))
        stress = _finite_array(result.stress, (3, 3))
        record = self._evaluation(key, structure, result).model_copy(
            update={"kind": "static"} | _arrays(forces, stress)
        )  # fmt: skip
        self._store.insert("structures", [StructureRecord.of(structure)])
        self._write([record], useless)
        return key, _evaluation(record)

    def relax_key(self, structure: Structure, settings: RelaxSettings) -> str:
        """Id of the calculation that `relax` makes or finds."""
        return self._key("relax", structure, settings.model_dump(mode="json"), RELAXATION_VERSION)

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """Relaxations as the engine gives them, each batch of it in the store as soon as it is finished.

        What the store cannot give back whole, the relaxed structure included, is computed again.
        """
        plain = settings.model_dump(mode="json")
        keys = [self._key("relax", structure, plain, RELAXATION_VERSION) for structure in structures]
        known, useless = self._known(keys)
        wanted = dict.fromkeys(record.final for record in known.values() if record.final is not None)
        finals = read_many(self._store, StructureRecord, list(wanted))
        useless |= {key for key, record in known.items() if record.error is None and record.final not in finals}
        results: dict[int, Relaxation] = {
            index: _relaxation(known[key], finals.get(known[key].final or ""), structures[index])
            for index, key in enumerate(keys)
            if key in known and key not in useless
        }
        for some in self._batches(len(structures), results):
            relaxed = self._relaxed([structures[index] for index in some], settings)
            cells: list[StructureRecord] = []
            records: list[Calculation] = []
            for index, result in zip(some, relaxed, strict=True):
                if result.is_transient:
                    results[index] = replace(result, error=of_engine(str(result.error)))
                    self.faults[str(results[index].error)] += 1
                    continue
                start = StructureRecord.of(structures[index])
                final = StructureRecord.of(result.structure) if result.error is None else None
                cells += [start] if final is None else [start, final]
                record = self._relaxation(keys[index], start, final, result, plain)
                records.append(record)
                # through the record, as one that is found later: a resumed run goes on from the same bits
                results[index] = _relaxation(record, final, structures[index])
            if cells:  # first: nothing stored names what is not there
                self._store.insert("structures", cells)
            self._write(records, useless)
        return [results[index] for index in range(len(structures))]

    def _known(self, keys: Sequence[str]) -> tuple[dict[str, Calculation], set[str]]:
        """Finished calculations; and ids of what a store of an earlier version holds of a machine's faults."""
        found = read_many(self._store, Calculation, keys)
        useless = {key for key, record in found.items() if is_foreign(record.error)}
        return {key: record for key, record in found.items() if key not in useless}, useless

    def _write(self, records: Sequence[Calculation], useless: Container[str]) -> None:
        """What is new, and what replaces a record that cannot be used."""
        if new := [record for record in records if record.id not in useless]:
            self._store.insert("calculations", new)
        if again := [record for record in records if record.id in useless]:
            self._store.put("calculations", again)

    def _evaluated(self, structures: Sequence[Structure]) -> list[Evaluation]:
        try:
            return self._engine.evaluate(structures)
        except NinefoldError:
            raise
        except Exception as error:  # a plug-in that does not keep to the protocol
            return [Evaluation.failed(error) for _ in structures]

    def _relaxed(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        try:
            return self._engine.relax(structures, settings)
        except NinefoldError:
            raise
        except Exception as error:  # as above
            return [Relaxation.failed(structure, error) for structure in structures]

    def _batches(self, count: int, known: Container[int]) -> Iterator[list[int]]:
        """Indices of what is not known, as many at once as the engine gains by."""
        unknown = [index for index in range(count) if index not in known]
        for start in range(0, len(unknown), self.batch):
            yield unknown[start : start + self.batch]

    def _key(self, kind: str, structure: Structure, *settings: Any) -> str:
        packed = pack_structure(structure)
        geometry = structure_key(packed["lattice"], packed["species"], packed["positions"])
        return content_key(kind, geometry, *settings, self.fingerprint, KEY_VERSION)

    def _evaluation(self, key: str, start: Structure, result: Evaluation) -> Calculation:
        return Calculation(
            id=key,
            campaign=self._campaign,
            kind="evaluate",
            method=self.fingerprint,
            machine=hardware(),
            start=structure_id(pack_structure(start)),
            energy_per_atom=_finite(result.energy_per_atom),
            error=result.error,
            core_seconds=result.core_seconds,
            notes=list(result.notes),
            created=now(),
        )

    def _relaxation(
        self,
        key: str,
        start: StructureRecord,
        final: StructureRecord | None,
        result: Relaxation,
        settings: dict[str, Any],
    ) -> Calculation:
        forces, stress = _finite_array(result.forces, (len(start.species), 3)), _finite_array(result.stress, (3, 3))
        return Calculation(
            id=key,
            campaign=self._campaign,
            kind="relax",
            method=self.fingerprint,
            machine=hardware(),
            settings=settings,
            start=start.id,
            final=None if final is None else final.id,
            energy_per_atom=_finite(result.energy_per_atom),
            error=result.error,
            core_seconds=result.core_seconds,
            forces=None if forces is None else forces.tolist(),
            stress=None if stress is None else (full_3x3_to_voigt_6_stress(stress) / GPa).tolist(),
            max_force=_finite(result.max_force),
            max_stress=_finite(result.max_stress),
            steps=result.steps,
            is_converged=result.is_converged,
            notes=list(result.notes),
            created=now(),
        )


def _finite(value: float | None) -> float | None:
    """JSON has no other numbers."""
    return value if value is not None and math.isfinite(value) else None


def _finite_array(values: Any, shape: tuple[int, int]) -> np.ndarray | None:
    """An engine's array as one of numbers; None where it is none: it may be a plug-in's."""
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        return None
    return array if array.shape == shape and np.isfinite(array).all() else None


def _arrays(forces: np.ndarray | None, stress: np.ndarray | None) -> dict[str, Any]:
    """Forces and stress as a record has them."""
    return {
        "forces": None if forces is None else forces.tolist(),
        "stress": None if stress is None else (full_3x3_to_voigt_6_stress(stress) / GPa).tolist(),
        "max_force": None if forces is None else float(np.linalg.norm(forces, axis=1).max(initial=0.0)),
        "max_stress": None if stress is None else float(np.abs(stress).max() / GPa),
    }


def _evaluation(record: Calculation) -> Evaluation:
    """An evaluation from its record."""
    return Evaluation(record.energy_per_atom, None, None, record.core_seconds, record.error, notes=tuple(record.notes))


def _relaxation(record: Calculation, final: StructureRecord | None, start: Structure) -> Relaxation:
    """A relaxation from its record.

    Args:
        record: Of kind relax.
        final: The relaxed structure; None where there is an error.
        start: What is handed on then.
    """
    return Relaxation(
        structure=start if final is None else final.to_structure(),
        energy_per_atom=record.energy_per_atom,
        max_force=np.inf if record.max_force is None else record.max_force,
        max_stress=np.inf if record.max_stress is None else record.max_stress,
        steps=record.steps or 0,
        is_converged=bool(record.is_converged),
        core_seconds=record.core_seconds,
        error=record.error,
        notes=tuple(record.notes),
        forces=None if record.forces is None else np.array(record.forces),
        stress=None if record.stress is None else voigt_6_to_full_3x3_stress(record.stress) * GPa,
    )
