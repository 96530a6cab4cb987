"""Entries of the Materials Project through its own client, `mp-api`: an optional package, and a key of the user's.

Asked for one kind of energies at a time and without corrections: what the client answers by default mixes PBE, PBE+U
and r2SCAN on one energy scale, which is no method of a hull here.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from ninefold.chemistry.elements import SYMBOLS
from ninefold.errors import InputError, MissingDependencyError, description

FIELD = "--from"
NAME = "materials-project"
THERMO_TYPES = {"PBE": "GGA_GGA+U", "r2SCAN": "R2SCAN"}
"""Functional -> what the Materials Project calls its energies."""
_IDENTIFIER = re.compile(r"(mp|mvc)-\w+")
_KEY_LENGTH = 32


def fetch_entries(wanted: Sequence[str], functional: str | None = None) -> list[dict[str, Any]]:
    """Entries with structures, as `read_entries` takes them.

    Args:
        wanted: Chemical systems (K-Re-H: with all systems inside it) or ids (mp-23703).
        functional: One of `THERMO_TYPES`; None for PBE.

    Raises:
        MissingDependencyError: if the client is not installed.
        InputError: if there is no key, a name is neither system nor id, the server refuses or has nothing.
    """
    functional = functional or "PBE"
    if functional not in THERMO_TYPES:
        raise InputError("--method", functional, problem=f"is not asked of {NAME}", allowed=", ".join(THERMO_TYPES))
    asked = _asked(wanted)
    try:
        from mp_api.client import MPRester
    except ModuleNotFoundError as error:
        raise MissingDependencyError(FIELD, NAME, "mp-api", NAME) from error
    key = _key()
    entries: dict[str, dict[str, Any]] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that entries without corrections suit no phase diagram of MP's
            with MPRester(key, mute_progress_bars=True, notify_db_version=False) as client:
                for names in asked:
                    for entry in client.get_entries(
                        names, compatible_only=False,
                        additional_criteria={"thermo_types": [THERMO_TYPES[functional]]},
                    ):  # fmt: skip
                        found = entry if isinstance(entry, dict) else entry.as_dict()
                        entries[str(found.get("entry_id"))] = found
    except Exception as error:  # whatever the client says: no network, a key that is refused, a filter
        words = description(error).replace(key, "(key)")
        raise InputError(FIELD, NAME, problem=f"cannot be asked: {words}") from None
    if not entries:
        raise InputError(FIELD, NAME, problem=f"has no {functional} energy for {', '.join(wanted)}")
    return [entries[name] for name in sorted(entries)]


def _asked(wanted: Sequence[str]) -> list[list[str]]:
    """Ids and chemical systems, apart: the client takes a list of one kind."""
    identifiers, systems = [], set()
    for name in wanted:
        symbols = name.split("-")
        if _IDENTIFIER.fullmatch(name):
            identifiers.append(name)
        elif all(symbol in SYMBOLS for symbol in symbols):
            for size in range(1, len(symbols) + 1):
                systems |= {"-".join(sorted(some)) for some in combinations(symbols, size)}
        else:
            raise InputError(
                FIELD, NAME, problem=f"knows nothing by the name {name!r}",
                allowed="chemical systems (K-Re-H) and ids (mp-23703)",
            )  # fmt: skip
    return [some for some in (sorted(set(identifiers)), sorted(systems)) if some]


def _key() -> str:
    from pymatgen.core import SETTINGS

    key = os.environ.get("MP_API_KEY") or SETTINGS.get("PMG_MAPI_KEY") or ""
    hint = "set MP_API_KEY, or 'pmg config --add PMG_MAPI_KEY KEY'"
    if not key:
        raise InputError(FIELD, NAME, problem="needs a key of yours (materialsproject.org/api)", hint=hint)
    if len(str(key)) != _KEY_LENGTH:  # the value is not repeated
        raise InputError(
            FIELD, NAME, problem=f"needs a key of {_KEY_LENGTH} characters, not {len(str(key))}", hint=hint
        )
    return str(key)
