"""Input files of VASP for candidates and the phases that they compete with, tied to the store by a manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ninefold
from ninefold.errors import InputError, listed
from ninefold.output.structures import safe_name
from ninefold.output.target import write_whole

if TYPE_CHECKING:
    from ninefold.engines.vasp_settings import VaspSettings
    from ninefold.store.competition import ToCompute

MANIFEST = "manifest.json"
FILES = ("POSCAR", "INCAR", "KPOINTS", "POTCAR.spec", "INCAR.static", "KPOINTS.static")
"""In each folder; KPOINTS only where INCAR has no KSPACING."""


def write_vasp_inputs(
    items: Sequence[ToCompute], folder: Path, settings: VaspSettings, *, force: bool = False
) -> list[Path]:
    """Write one folder for each structure, and the manifest.

    Every file is made before the first is written; the manifest is written last.

    Args:
        items: At least one.
        folder: Where.
        settings: Of the calculations.
        force: Whether inputs of an earlier export may be replaced. A folder that holds anything else, a result for
            one, is never touched.

    Returns:
        The folders.

    Raises:
        InputError: if a file must not be replaced or cannot be written, or a structure has no input set.
    """
    names = _folder_names(items)
    texts = [_files(item, settings) for item in items]
    stale = _check(folder, names, force)
    try:
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("--out", str(folder), problem=f"cannot be made: {error.strerror}") from error
    for name, files in zip(names, texts, strict=True):
        for file in FILES:
            if file not in files:
                (folder / name / file).unlink(missing_ok=True)
        for file, text in files.items():
            write_whole(folder / name / file, text.encode("utf-8"), "--out")
    for name in stale:
        for file in FILES:
            (folder / name / file).unlink(missing_ok=True)
        (folder / name).rmdir()
    content = _manifest(items, names, texts, settings)
    write_whole(folder / MANIFEST, f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode(), "--out")
    return [folder / name for name in names]


def _folder_names(items: Iterable[ToCompute]) -> list[str]:
    """Names without blanks that differ even where upper and lower case do not count."""
    names, taken = [], set[str]()
    for item in items:
        parts = [item.formula, item.id[:6]] if item.kind == "candidate" else ["ref", item.name]
        first = safe_name(*parts)
        options = (first, *(f"{first}-{number}" for number in range(2, len(taken) + 3)))
        name = next(option for option in options if option.lower() not in taken)
        taken.add(name.lower())
        names.append(name)
    return names


def _files(item: ToCompute, settings: VaspSettings) -> dict[str, str]:
    """Name -> text of the files of one structure.

    Raises:
        InputError: if the input set has no potential for an element.
    """
    import warnings

    from pymatgen.io.vasp import Poscar

    from ninefold.engines.vasp_settings import input_set

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no POTCAR is there to be compared
        relax = input_set(item.structure, settings, "relax")
        static = input_set(item.structure, settings, "static")
        table = relax.CONFIG["POTCAR"]
        if missing := sorted({site.specie.symbol for site in item.structure} - set(table)):
            raise InputError(
                "--vasp", settings.protocol, problem=f"has no potential for {', '.join(missing)} ({item.name})",
                hint="leave the candidate out by a filter",
            )  # fmt: skip
        potentials = relax.potcar_symbols
        comment = " ".join(f"{item.kind} {item.id}: {item.name}".split())
        files = {
            "POSCAR": Poscar(relax.poscar.structure, comment=comment, sort_structure=False).get_str(),
            "INCAR": str(relax.incar),
            "POTCAR.spec": "\n".join(potentials) + "\n",
            "INCAR.static": str(static.incar),
        }
        for name, made in (("KPOINTS", relax), ("KPOINTS.static", static)):
            if made.kpoints is not None:
                files[name] = str(made.kpoints)
    return {name: text if text.endswith("\n") else f"{text}\n" for name, text in files.items()}


def _check(folder: Path, names: Sequence[str], force: bool) -> list[str]:
    """Folders of an earlier export that are not written now.

    Raises:
        InputError: if something is there that must stay.
    """
    earlier = _earlier(folder)
    present = [name for name in names if (folder / name).exists()]
    if (present or earlier) and not force:
        raise InputError(
            "--out", str(folder), problem=f"holds VASP inputs of an earlier export ({(present or earlier)[0]})",
            hint="--force replaces them where no result lies beside; or name another folder",
        )  # fmt: skip
    used = []
    for name in dict.fromkeys((*present, *earlier)):
        if not (folder / name).is_dir():
            continue
        others = sorted(path.name for path in (folder / name).iterdir() if path.name not in FILES)
        if others and name in names:
            raise InputError(
                "--out", str(folder / name), problem=f"holds other files than inputs ({listed(others, 3)})",
                hint="results are never touched: name another folder",
            )  # fmt: skip
        if others:
            used.append(name)
    return [name for name in earlier if name not in names and name not in used and (folder / name).is_dir()]


def _earlier(folder: Path) -> list[str]:
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        names = [entry["folder"] for entry in content["structures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [name for name in names if isinstance(name, str) and Path(name).name == name]


def _manifest(
    items: Sequence[ToCompute], names: Sequence[str], texts: Sequence[dict[str, str]], settings: VaspSettings
) -> dict[str, Any]:
    from ninefold.engines.vasp_settings import potential_table

    return {
        "ninefold": ninefold.__version__,
        "settings": settings.model_dump(mode="json"),
        "potentials": potential_table(settings),
        "structures": [
            {
                "folder": name,
                "kind": item.kind,
                "id": item.id,
                "name": item.name,
                "formula": item.formula,
                "campaign": item.campaign,
                "structure": item.structure_id,
                "method": item.method,
                "competes_with": list(item.competes_with),
                "files": {file: hashlib.sha256(text.encode()).hexdigest() for file, text in files.items()},
            }
            for item, name, files in zip(items, names, texts, strict=True)
        ],
    }
