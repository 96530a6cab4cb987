"""DFT calculations of a store as labels of a correction: what `ninefold verify` and imports have left there."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from ninefold.dynamics.potentials.check_labels import CheckLabel, CheckLabels, chosen_method
from ninefold.dynamics.potentials.labels import LabelledFrame
from ninefold.errors import InputError
from ninefold.models.calculation import Calculation
from ninefold.models.method import Method
from ninefold.models.structure import StructureRecord
from ninefold.store.records import read_all, read_many

if TYPE_CHECKING:
    from ninefold.store import Store

FIELD = "--store"


def stored_labels(
    store: Store, source: str, species: Collection[str] = (), check: str | None = None, method: str | None = None
) -> CheckLabels:
    """Energies and forces of DFT in a store, at the geometries that they are of.

    A relaxation is a label at its end. Blocks are compositions, so that labels left out of a fit are those of other
    compounds.

    Args:
        store: Where they are.
        source: Its address, for people.
        species: Symbols; structures with others are left out. Empty: all structures.
        check: Part of the label of the method, or beginning of its fingerprint, where there are several.
        method: Id of the method, where it is known already.

    Raises:
        InputError: if there are none, or they are of several methods.
    """
    known = {
        one.id: one for one in read_all(store, Method) if method == one.id or (not method and one.evidence == "DFT")
    }
    counts = {key: store.count("calculations", equal={"method": key}) for key in known}
    computed = {key: known[key].label for key, count in counts.items() if count}
    if not computed:
        what = "holds no DFT calculation" if method is None else "holds no calculation by the folders' method"
        raise InputError(FIELD, source, problem=what, allowed="a store after 'ninefold verify' by it")
    of = known[chosen_method(computed, check, FIELD, source)]
    found = [
        (one, one.final if one.kind == "relax" else one.start)
        for one in read_all(store, Calculation, equal={"method": of.id})
        if one.energy_per_atom is not None and one.forces
    ]
    structures = read_many(store, StructureRecord, sorted({key for _, key in found if key}))
    labels = []
    for calculation, key in found:
        structure = structures.get(key or "")
        if structure is None or (species and not set(structure.species) <= set(species)):
            continue
        assert calculation.energy_per_atom is not None
        cell = np.array(structure.lattice)
        frame = LabelledFrame(
            calculation.id, tuple(structure.species), cell, np.array(structure.positions) @ cell,
            calculation.energy_per_atom * len(structure.species), np.array(calculation.forces), None,
        )  # fmt: skip
        formula = structure.to_structure().composition.reduced_formula
        labels.append((formula, calculation.id, frame, calculation.core_seconds))
    if not labels:
        among = f" of {', '.join(sorted(species))} alone" if species else ""
        raise InputError(
            FIELD, source, problem=f"holds no forces by {of.label} of a structure{among}",
            allowed="a store after 'ninefold verify'",
        )  # fmt: skip
    labels.sort(key=lambda one: one[:2])
    return CheckLabels(
        of.label, of.id, of.evidence,
        tuple(CheckLabel(frame, formula, place) for place, (formula, _, frame, _) in enumerate(labels)),
        core_seconds=sum(seconds for *_, seconds in labels),
    )  # fmt: skip
