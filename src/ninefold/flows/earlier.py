"""Earlier attempts at a job: the folders in which they worked, and how the next goes on from there."""

from __future__ import annotations

import copy
import math
import warnings
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure

JOB_UNTIL = "NINEFOLD_JOB_UNTIL"
"""When the jobs of a worker are stopped, in seconds since 1970."""
CONTINUED = "continued_from"
"""A file in the folder of a job that goes on: the folder in which the attempt before has worked."""

earlier_folders: ContextVar[tuple[Path, ...]] = ContextVar("earlier folders", default=())
"""Of the job that runs, the newest first."""


def is_out_of_time(error: BaseException) -> bool:
    """Whether a job ended because its queue job is about to: another goes on with it."""
    return bool(getattr(getattr(error, "handler", None), "is_out_of_time", False))


def continued(job: Any) -> Any:
    """A job as it goes on from an earlier attempt: a relaxation by VASP from its last geometry; others begin anew.

    The folder that the job works in tells of it.

    Args:
        job: Of jobflow.
    """
    folders = earlier_folders.get()
    maker = getattr(job, "maker", None)
    handlers = (getattr(maker, "run_vasp_kwargs", None) or {}).get("handlers", ())
    if not folders or not any(is_out_of_time_handler(each) for each in handlers):
        return job
    for folder in folders:
        if (structure := last_geometry(folder)) is not None:
            changed = copy.copy(job)
            if "structure" in job.function_kwargs:
                changed.function_kwargs = {**job.function_kwargs, "structure": structure}
            else:
                changed.function_args = (structure, *job.function_args[1:])
            Path(CONTINUED).write_text(str(folder))
            return changed
    return job


def is_out_of_time_handler(handler: Any) -> bool:
    """Whether a handler of custodian's stops the run in time; in a workflow it may be plain values yet."""
    if isinstance(handler, dict):
        return handler.get("@class") == "StopInTime"
    return bool(getattr(handler, "is_out_of_time", False))


def last_geometry(folder: Path) -> Structure | None:
    """Where VASP had come: its CONTCAR, if it is whole and of what the folder began with."""
    from pymatgen.io.vasp import Poscar

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start, last = (
                Poscar.from_file(folder / name, check_for_potcar=False).structure for name in ("POSCAR", "CONTCAR")
            )
    except (OSError, ValueError, IndexError, KeyError):  # empty before the first step, or cut short
        return None
    numbers = [*last.lattice.matrix.ravel(), *last.frac_coords.ravel()]
    is_whole = last.species == start.species and all(map(math.isfinite, numbers)) and last.volume > 0
    return last if is_whole else None
