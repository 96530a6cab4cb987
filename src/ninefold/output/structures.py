"""Structures with what is known of them: CIF, extended XYZ, POSCAR; each is read back before it counts as written."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninefold.errors import InputError
from ninefold.output.target import ENDING, Target, write_whole

if TYPE_CHECKING:
    from pymatgen.core import Structure

_OF_CANDIDATE = (
    "campaign", "formula", "label", "is_known", "evidence", "engine", "e_above_hull", "phase_separation_energy",
    "e_above_references", "e_above_hull_uncertainty", "model_error_source", "hull_probability", "rank", "flags",
)  # fmt: skip
_OF_STRUCTURE = (
    "energy_per_atom", "source", "structure_type", "is_converged", "max_force", "coordination_numbers", "notes",
)  # fmt: skip
_FOLLOWS_ENERGY = ("e_above_hull", "phase_separation_energy", "e_above_references")
"""Stored of the minimum that stands for the candidate; of another one they differ by what its energy does."""


@dataclass(frozen=True)
class TaggedStructure:
    """A structure to be written, with what is known of it."""

    structure: Structure
    name: str
    """Of its file or data block."""
    tags: dict[str, Any]
    """Key -> value; `energy_per_atom` in eV/atom among them, the units of the others as in `QUANTITIES`."""


@dataclass(frozen=True)
class Written:
    """What was written."""

    paths: list[Path]
    structures: int
    candidates: int
    """Asked for."""
    without: int
    """Of these, how many have no valid structure."""
    unfaithful: list[str] = field(default_factory=list)
    """Names of structures that the format could not hold: what was read back was another; not written."""

    def __str__(self) -> str:
        """In words: wrote 5 structures of 7 candidates: 2 have none."""
        text = f"wrote {_counted(self.structures, 'structure')} of {_counted(self.candidates, 'candidate')}"
        if self.without:
            text += f": {self.without} {'has' if self.without == 1 else 'have'} none"
        if self.unfaithful:
            text += f"; left out, since they do not read back as they are: {', '.join(self.unfaithful)}"
        return text


def write_structures(
    rows: Sequence[Mapping[str, Any]],
    target: Target,
    *,
    all_minima: bool = False,
    averaged: bool = False,
    filter: str | None = None,
) -> Written:
    """Write the lowest structure of each candidate, or every valid minimum that is stored.

    Args:
        rows: Candidate documents.
        target: A folder, which is made if it is not there, or one file for all.
        all_minima: Every valid minimum, lowest first.
        averaged: Averages over the symmetry of their metal lattices, with partial occupancies, as CIFs.
        filter: What chose the candidates, for the error.

    Returns:
        Files in the order of the rows, and true counts.

    Raises:
        InputError: if something cannot be written, or no candidate has a structure.
    """
    chosen = [(row, _valid(row)[: None if all_minima else 1]) for row in rows]
    if not any(found for _, found in chosen):
        raise InputError("filter", filter or "", problem="matches no candidate with a structure; nothing written")
    items = tagged_minima(chosen, all_minima)
    paths, written, unfaithful = write_tagged(items, target, _averaged_text if averaged else _faithful_text)
    without = sum(not found for _, found in chosen)
    return Written(paths, written, len(rows), without, unfaithful)


def write_tagged(
    items: Iterable[TaggedStructure],
    target: Target,
    text_of: Callable[[TaggedStructure, str], str | None] | None = None,
) -> tuple[list[Path], int, list[str]]:
    """Write structures, each read back before it counts.

    Args:
        items: Their names differ.
        target: Folder or file.
        text_of: The text of one in a format, None where it does not read back; by default the structure as it is.

    Returns:
        Files, the number of structures in them, and the names of those that did not read back and were left out.

    Raises:
        InputError: if a POSCAR should hold several, if none reads back, or if something cannot be written.
    """
    texts, unfaithful = [], []
    for item in items:
        text = (text_of or _faithful_text)(item, target.kind)
        if text is None:
            unfaithful.append(item.name)
        else:
            texts.append((item.name, text))
    if not texts and unfaithful:
        raise InputError(
            "--out", str(target.path), problem=f"{target.kind} holds none of {', '.join(unfaithful)} as it is"
        )
    if not target.is_folder:
        if target.kind == "poscar" and len(texts) > 1:
            raise InputError(
                "--out", str(target.path), problem=f"is one POSCAR, and there are {len(texts)} structures",
                allowed="a folder, or a file that ends with .xyz or .cif",
            )  # fmt: skip
        write_whole(target.path, "".join(text for _, text in texts).encode("utf-8"), "--out")
        return [target.path], len(texts), unfaithful
    try:
        target.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", str(target.path), problem=f"cannot be made: {error.strerror}") from error
    paths = []
    for name, text in texts:
        path = target.path / f"{name}.{ENDING[target.kind]}"
        write_whole(path, text.encode("utf-8"), "--out")
        paths.append(path)
    return paths, len(texts), unfaithful


def safe_name(*parts: Any) -> str:
    """A file name without blanks, slashes or characters that some system refuses."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", "_".join(str(part) for part in parts)).lstrip(".-")


def tagged_minima(
    chosen: Iterable[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]], numbered: bool
) -> list[TaggedStructure]:
    """Stored minima with names that differ even where upper and lower case do not count, and their tags."""
    from pymatgen.core import Structure

    items, taken = [], set[str]()
    for row, minima in chosen:
        for place, found in enumerate(minima, start=1):
            parts = [row["formula"], f"n{row['n']}"]
            ends = [f"{place:02d}"] if numbered else []
            names = [safe_name(*parts, identity, *ends) for identity in (str(row["id"])[:6], row["id"])]
            names += [f"{names[1]}-{count}" for count in range(2, len(taken) + 3)]
            name = next(name for name in names if name.lower() not in taken)
            taken.add(name.lower())
            items.append(TaggedStructure(Structure.from_dict(found["structure"]), name, tags_of(row, found)))
    return items


def tags_of(row: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says of a minimum beside its atoms; unknown values are left out.

    Args:
        row: Candidate document.
        found: One of its structures.
    """
    values = {key: row.get(key) for key in _OF_CANDIDATE} | {key: found.get(key) for key in _OF_STRUCTURE}
    values["energy_above_lowest_minimum"] = found["energy_per_atom"] - min(
        item["energy_per_atom"] for item in (_valid(row) or [found])
    )
    if found["energy_per_atom"] != row.get("energy_per_atom"):
        values["hull_probability"] = None  # of the minimum that stands for the candidate
    for key in _FOLLOWS_ENERGY:
        if values[key] is not None and row.get("energy_per_atom") is not None:
            values[key] += found["energy_per_atom"] - row["energy_per_atom"]
    if values["e_above_hull"] is not None:
        values["e_above_hull"] = max(0.0, values["e_above_hull"])  # a lower minimum of its own composition is the hull
    provenance = row.get("provenance") or {}
    values |= {key: provenance.get(key) for key in ("seed", "engine_fingerprint")}
    return {key: value for key, value in values.items() if value is not None and value != []}


def _valid(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [found for found in row.get("structures") or [] if found["is_valid"]]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _averaged_text(item: TaggedStructure, kind: str) -> str | None:
    from ninefold.output.averaged import averaged_cif

    assert kind == "cif"
    return averaged_cif(item.structure, item.name, item.tags)


def _faithful_text(item: TaggedStructure, kind: str) -> str | None:
    """The text of a structure; None if what is read from it is not the structure.

    A CIF that its symmetry makes another structure is written again without symmetry.
    """
    for text, space_group_number in _texts(item, kind):
        if _reads_back(text, kind, item.structure, space_group_number):
            return text
    return None


def _texts(item: TaggedStructure, kind: str) -> Iterable[tuple[str, int | None]]:
    """Texts to try, each with the number of the space group whose symmetry it was written with."""
    if kind == "poscar":
        from pymatgen.io.vasp import Poscar

        comment = ", ".join(
            f"{key}={item.tags[key]}" for key in ("label", "energy_per_atom", "engine", "seed") if key in item.tags
        )
        yield str(Poscar(item.structure.get_sorted_structure(), comment=" ".join(comment.split())).get_str()), None
    elif kind == "extxyz":
        yield _extxyz(item), None
    else:
        from ninefold.structures.cif import cif_text
        from ninefold.structures.description import describe, without_symmetry

        comment = "ninefold: energies of _ninefold_ items in eV/atom, forces in eV/A"
        symmetric = describe(item.structure)
        for description, number in (
            (symmetric, symmetric.space_group_number),
            (without_symmetry(item.structure), None),
        ):
            own = {"metal_space_group": description.metal_space_group_symbol}
            yield cif_text(description, item.name, item.tags | own, comment), number


def _extxyz(item: TaggedStructure) -> str:
    """One frame, whose total energy in eV is what ASE's `get_potential_energy` gives."""
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(item.structure, msonable=False)
    atoms.info = {
        key: "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        for key, value in item.tags.items()
    }
    if (energy := item.tags.get("energy_per_atom")) is not None:
        atoms.calc = SinglePointCalculator(atoms, energy=energy * len(atoms))
    buffer = io.StringIO()
    ase.io.write(buffer, atoms, format="extxyz")
    return buffer.getvalue()


def _reads_back(text: str, kind: str, structure: Structure, space_group_number: int | None) -> bool:
    """Whether our reader and those of others find the structure in a text: composition, atoms, distances, space group.

    Args:
        text: Of a file.
        kind: One of `STRUCTURES`.
        structure: What was written.
        space_group_number: That the text was written with, if any.
    """
    import warnings

    from pymatgen.core import Structure

    from ninefold.structures.files import read_text
    from ninefold.structures.reading.comparison import is_same_structure
    from ninefold.structures.symmetry import space_group

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the readers warn of rounded coordinates
        try:
            found = [read_text(text, kind).structure]
            if kind != "extxyz":  # there, ours is ASE's
                found.append(Structure.from_str(text, fmt=kind))
        except Exception:  # whatever a reader says of a text that it cannot read
            return False
    if space_group_number is not None and space_group(found[0]).number != space_group_number:
        return False
    return all(is_same_structure(read, structure) for read in found)
