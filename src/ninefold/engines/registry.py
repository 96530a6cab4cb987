"""Engines by name: ours, those that an installed package announces, and those of a user's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninefold.engines.settings import EngineSettings
from ninefold.errors import InputError, shown
from ninefold.keys import content_key
from ninefold.models.evidence import EVIDENCE, TRUST, Evidence
from ninefold.plugins import Registry
from ninefold.user_code import loading, missing_package

if TYPE_CHECKING:
    from ninefold.engines.base import Engine

# abinit, vasp, distilled and corrected are named and never imported from here: they stand in layers above
ENGINES = Registry(
    group="ninefold.engines",
    setting="engine.name",
    what="an engine",
    wanted="a function or class that takes EngineSettings and gives an Engine",
    shipped={
        "chgnet": "ninefold.engines.chgnet:CHGNetEngine",
        **{name: f"ninefold.engines.foundation:{name}" for name in ("sevennet", "mace", "orb", "mattersim", "grace")},
        "torchsim": "ninefold.engines.torchsim:make",
        "gpaw": "ninefold.engines.gpaw_engine:gpaw",
        "abinit": "ninefold.flows.abinit:abinit",
        "vasp": "ninefold.flows.vasp_method:vasp",
        "distilled": "ninefold.dynamics.potentials.distilled:distilled",
        "corrected": "ninefold.dynamics.potentials.corrected:corrected",
        "emt": "ninefold.engines.ase_engine:emt",
        "lj": "ninefold.engines.ase_engine:lennard_jones",
    },
)
_PARTS = ("name", "label", "fingerprint", "evidence", "batch", "evaluate", "relax")
"""Of an `Engine`."""

_PICKLE = "weights, unpickled by their package: they can run code"
_WEIGHTS = {
    "sevennet": "weights; refused if they hold more than tensors and plain values",
    "mace": _PICKLE,
    "orb": _PICKLE,
    "mattersim": _PICKLE,
    "grace": "TensorFlow model: a graph of operations, some of which read and write files",
}
"""Engine -> what its package does with a weight file of the user's; the others take none."""


_FOLDER_MODELS = ("distilled", "corrected")
"""Engines whose model is a folder."""


def engine_names() -> list[str]:
    """Names that `engine.name` may take here, beside `FILE.py:NAME` and `module:NAME`."""
    return sorted(ENGINES.names())


_EVIDENCE: dict[str, Evidence] = {"gpaw": "DFT", "abinit": "DFT", "vasp": "DFT", "emt": "test", "lj": "test"}
"""Of those shipped engines that are no machine-learned potential."""


def evidence_of(settings: EngineSettings) -> Evidence:
    """Level of an engine's energies; one of ninefold's is not made for it, since its package may not be here.

    Raises:
        InputError: if an engine of a user's file cannot be made.
    """
    if ENGINES.is_shipped(settings.name):
        return _EVIDENCE.get(settings.name, "ML")
    return make_engine(settings).evidence


def order_note(methods: Sequence[EngineSettings], levels: Mapping[str, Evidence]) -> str | None:
    """A sentence where a method follows one of higher evidence: the last with a hull distance stands for a candidate.

    Args:
        methods: The search's first, then those of `energies`.
        levels: Title of a method -> level of its energies; methods that are not in it are passed over.
    """
    known = [(method.title, levels[method.title]) for method in methods if method.title in levels]
    for (before, high), (after, low) in pairwise(known):
        if TRUST.index(low) < TRUST.index(high):
            return (
                f"energies: {after} (evidence {low}) comes after {before} ({high}): methods stand by rising trust, and "
                "the last one that has a hull distance stands for a candidate, whatever its evidence"
            )
    return None


def check_engine_name(name: str) -> None:
    """Refuse a name that is no engine, without importing any.

    Raises:
        InputError: with the names that are.
    """
    ENGINES.check(name)


def weights_that_run(name: str, model: str) -> str | None:
    """How the package behind one of our engines reads a user's weights, as far as it may run code; None if it does not.

    Args:
        name: The engine; another package's is not known here.
        model: `engine.model`: a model inside the package, or a file.
    """
    if not ENGINES.is_shipped(name):
        return "read by that engine"
    family, _, file = model.partition(":") if name == "torchsim" else (name, "", model)
    path, colon, _ = file.rpartition(":")  # a head behind it
    file = path if colon and Path(path).suffix else file
    if name in ("sevennet", "torchsim") and Path(file).suffix not in (".pth", ".pt", ".model"):
        return None  # a model inside the package
    return _WEIGHTS.get(family)


def anchored_model(model: str, folder: Path) -> str:
    """`engine.model` with an absolute path, if it is a file of a folder: jobs run in other ones.

    Args:
        model: A name, or a file, with or without `:head` behind it.
        folder: What a relative path is relative to.
    """
    file, colon, head = model.partition(":")
    path = folder / file
    # without an ending it is a name, whatever lies in the folder
    return f"{path.resolve()}{colon}{head}" if path.suffix and path.is_file() else model


def anchored_engine(settings: EngineSettings, folder: Path) -> EngineSettings:
    """Settings with a user's files and folders by their absolute paths: they are used in other folders, too.

    Args:
        settings: As they were given.
        folder: What a relative path is relative to.
    """
    model = settings.model
    if model is not None:
        is_folder = settings.name in _FOLDER_MODELS
        model = str((folder / Path(model).expanduser()).resolve()) if is_folder else anchored_model(model, folder)
    return settings.model_copy(update={"name": ENGINES.anchored(settings.name, folder), "model": model})


def make_engine(settings: EngineSettings) -> Engine:
    """An engine by name.

    Raises:
        InputError: if there is no engine of this name, or it has no such model; or if what a user's file gives is none.
        MissingDependencyError: if its package is not installed.
    """
    name = settings.name
    try:
        factory = ENGINES.load(name)
        if ENGINES.is_shipped(name):
            engine: Any = factory(settings)
            return engine
    except ModuleNotFoundError as error:
        raise missing_package(error, ENGINES.setting, name) or error from error
    with loading(ENGINES.setting, ENGINES.origin(name)):
        engine = factory(settings)
    if absent := [part for part in _PARTS if getattr(engine, part, None) is None]:
        raise InputError(
            ENGINES.setting, name, problem=f"gives a {type(engine).__name__} without {', '.join(absent)}",
            allowed="an Engine; ninefold.engines.ase_engine.ASEEngine makes one of an ASE calculator",
        )  # fmt: skip
    if engine.evidence not in EVIDENCE:
        raise InputError(
            ENGINES.setting, name, problem=f"has the evidence level {shown(engine.evidence)}",
            allowed=", ".join(EVIDENCE),
        )  # fmt: skip
    foreign: Any = ForeignEngine(engine, ENGINES.checksum([name]))
    return foreign


class ForeignEngine:
    """An engine of a user's file or of a package: its code is part of what identifies its energies.

    Args:
        engine: As it was made.
        checksum: Of its code: an edited file is another engine, whatever its author calls it.
    """

    def __init__(self, engine: Any, checksum: str) -> None:
        self._engine = engine
        self.fingerprint = content_key(engine.fingerprint, checksum)

    def __getattr__(self, name: str) -> Any:
        if name == "_engine":  # asked for by copy and pickle before there is one
            raise AttributeError(name)
        return getattr(self._engine, name)
