"""An engine that never computes the same thing twice.

The key of a calculation is the hash of the structure, the settings, the engine's fingerprint and
the version of keys; a finished calculation is in the store before its caller sees it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from typing import Any

from pymatgen.core import Structure

from ninefold.engines.base import RELAXATION_VERSION, Engine, Evaluation, Relaxation, is_foreign
from ninefold.engines.settings import RelaxSettings
from ninefold.errors import NinefoldError
from ninefold.flows.clock import now
from ninefold.flows.packing import pack_structure, unpack_structure
from ninefold.keys import KEY_VERSION, content_key, structure_key
from ninefold.store.documents import ResultDocument
from ninefold.store.repository import Repository


class RememberingEngine:
    """Wraps an engine; looks a calculation up before it is made and stores it when it is done.

    Args:
        engine: What computes.
        repository: Where finished calculations are.
        campaign: Whose calculations these are; a fresh start discards them by this name.
    """

    def __init__(self, engine: Engine, repository: Repository, campaign: str) -> None:
        self._engine, self._repository, self._campaign = engine, repository, campaign
        self.name, self.label, self.fingerprint = engine.name, engine.label, engine.fingerprint
        self.evidence, self.batch = engine.evidence, getattr(engine, "batch", 1)
        self.faults: Counter[str] = Counter()
        """Reasons of results with an error of the machine's own: they are handed on and not remembered."""

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Energies as the engine gives them; forces and stress are None for a remembered result."""
        keys = [self._key("evaluate", structure) for structure in structures]
        known = self._known(keys)
        results: dict[int, Evaluation] = {
            index: Evaluation(forces=None, stress=None, **known[key]["value"])
            for index, key in enumerate(keys)
            if key in known
        }
        for some in self._batches(len(structures), results):
            for index, result in zip(some, self._evaluated([structures[index] for index in some]), strict=True):
                value = {name: getattr(result, name) for name in ("energy_per_atom", "core_seconds", "error")}
                if result.is_transient:
                    self.faults[str(result.error)] += 1
                else:
                    self._remember(keys[index], "evaluate", value)
                results[index] = result
        return [results[index] for index in range(len(structures))]

    def relax(self, structures: Sequence[Structure], settings: RelaxSettings) -> list[Relaxation]:
        """Relaxations as the engine gives them, each batch of it in the store as soon as it is finished."""
        keys = [
            self._key("relax", structure, settings.model_dump(mode="json"), RELAXATION_VERSION)
            for structure in structures
        ]
        known = self._known(keys)
        results: dict[int, Relaxation] = {
            index: _unpacked(known[key]["value"]) for index, key in enumerate(keys) if key in known
        }
        for some in self._batches(len(structures), results):
            relaxed = self._relaxed([structures[index] for index in some], settings)
            for index, result in zip(some, relaxed, strict=True):
                if result.is_transient:
                    self.faults[str(result.error)] += 1
                    results[index] = result
                    continue
                value = {
                    field.name: getattr(result, field.name)
                    for field in dataclasses.fields(result)
                    if field.name not in ("structure", "is_transient")
                }
                value["structure"] = pack_structure(result.structure)
                self._remember(keys[index], "relax", value)
                # through the same packing as a remembered one, so that a resumed run goes on from the same bits
                results[index] = _unpacked(value)
        return [results[index] for index in range(len(structures))]

    def _known(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Finished calculations, less what a store of an earlier version holds of a machine's faults."""
        found = self._repository.get_many("results", keys)
        return {key: document for key, document in found.items() if not is_foreign(document["value"]["error"])}

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

    def _remember(self, key: str, kind: str, value: dict[str, Any]) -> None:
        self._repository.put(
            "results", [ResultDocument(id=key, campaign=self._campaign, kind=kind, value=value, created=now())]
        )


def _unpacked(value: dict[str, Any]) -> Relaxation:
    """A relaxation from its stored values."""
    plain = {name: item for name, item in value.items() if name != "structure"}
    return Relaxation(structure=unpack_structure(value["structure"]), **plain)
