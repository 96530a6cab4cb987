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

from ninefold.clock import now
from ninefold.engines.base import RELAXATION_VERSION, Engine, Evaluation, Relaxation, is_foreign
from ninefold.errors import NinefoldError
from ninefold.flows.faults import of_engine
from ninefold.keys import KEY_VERSION, content_key, structure_key
from ninefold.models.calculation import Calculation
from ninefold.models.structure import pack_structure, unpack_structure

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from ninefold.engines.settings import RelaxSettings
    from ninefold.store import Store


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
        self.faults: Counter[str] = Counter()
        """Reasons, as `of_engine` words them, of results with an undeclared error: handed on, and not stored."""

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Energies alone, computed or found: forces and stress are not stored, and always None."""
        keys = [self._key("evaluate", structure) for structure in structures]
        known = self._known(keys)
        results: dict[int, Evaluation] = {
            index: Evaluation(known[key].energy_per_atom, None, None, known[key].core_seconds, known[key].error)
            for index, key in enumerate(keys)
            if key in known
        }
        for some in self._batches(len(structures), results):
            for index, result in zip(some, self._evaluated([structures[index] for index in some]), strict=True):
                error = result.error
                if result.is_transient:
                    error = of_engine(str(error))
                    self.faults[error] += 1
                else:
                    self._store.insert("calculations", [self._evaluation(keys[index], result)])
                results[index] = Evaluation(
                    result.energy_per_atom, None, None, result.core_seconds, error, result.is_transient
                )
        return [results[index] for index in range(len(structures))]

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """Relaxations as the engine gives them, each batch of it in the store as soon as it is finished."""
        plain = settings.model_dump(mode="json")
        keys = [self._key("relax", structure, plain, RELAXATION_VERSION) for structure in structures]
        known = self._known(keys)
        results: dict[int, Relaxation] = {
            index: _relaxation(known[key]) for index, key in enumerate(keys) if key in known
        }
        for some in self._batches(len(structures), results):
            relaxed = self._relaxed([structures[index] for index in some], settings)
            for index, result in zip(some, relaxed, strict=True):
                if result.is_transient:
                    results[index] = replace(result, error=of_engine(str(result.error)))
                    self.faults[str(results[index].error)] += 1
                    continue
                record = self._relaxation(keys[index], result, plain)
                self._store.insert("calculations", [record])
                # through the record, as one that is found later: a resumed run goes on from the same bits
                results[index] = _relaxation(record)
        return [results[index] for index in range(len(structures))]

    def _known(self, keys: Sequence[str]) -> dict[str, Calculation]:
        """Finished calculations, less what a store of an earlier version holds of a machine's faults."""
        found = {
            key: Calculation.model_validate(document)
            for key, document in self._store.get_many("calculations", keys).items()
        }
        return {key: record for key, record in found.items() if not is_foreign(record.error)}

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

    def _evaluation(self, key: str, result: Evaluation) -> Calculation:
        return Calculation(
            id=key,
            campaign=self._campaign,
            kind="evaluate",
            method=self.fingerprint,
            energy_per_atom=_finite(result.energy_per_atom),
            error=result.error,
            core_seconds=result.core_seconds,
            created=now(),
        )

    def _relaxation(self, key: str, result: Relaxation, settings: dict[str, Any]) -> Calculation:
        return Calculation(
            id=key,
            campaign=self._campaign,
            kind="relax",
            method=self.fingerprint,
            settings=settings,
            energy_per_atom=_finite(result.energy_per_atom),
            error=result.error,
            core_seconds=result.core_seconds,
            structure=pack_structure(result.structure),
            max_force=_finite(result.max_force),
            max_stress=_finite(result.max_stress),
            steps=result.steps,
            is_converged=result.is_converged,
            created=now(),
        )


def _finite(value: float | None) -> float | None:
    """JSON has no other numbers."""
    return value if value is not None and math.isfinite(value) else None


def _relaxation(record: Calculation) -> Relaxation:
    """A relaxation from its record."""
    assert record.structure is not None
    return Relaxation(
        structure=unpack_structure(record.structure),
        energy_per_atom=record.energy_per_atom,
        max_force=np.inf if record.max_force is None else record.max_force,
        max_stress=np.inf if record.max_stress is None else record.max_stress,
        steps=record.steps or 0,
        is_converged=bool(record.is_converged),
        core_seconds=record.core_seconds,
        error=record.error,
    )
