"""Addresses of MongoDB servers: checked, without what is secret, and joined with their login again.

The address of a store travels with the jobs of a flow, and jobs are stored by whoever runs them. So a flow holds the
address without user and password (`public`), and where a job runs, they come from NINEFOLD_STORE or from a file of
the user's that nobody else can read (`with_login`).
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from ninefold.errors import InputError

ALLOWED = "mongodb://USER:PASSWORD@HOST:PORT/DATABASE, what is special in user and password percent-encoded"
DATABASE = "ninefold"
"""Where the address names none."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_PORT = 27017
_SECRET_OPTIONS = frozenset(
    {"tlscertificatekeyfilepassword", "authmechanismproperties", "proxyusername", "proxypassword"}
)
_ADDRESS = re.compile(
    r"(?P<scheme>mongodb(?:\+srv)?)://(?:(?P<login>[^@/]*)@)?(?P<hosts>[^@/?#]+)(?:/(?P<database>[^?@/]*))?"
    r"(?:\?(?P<options>[^@]*))?",
    re.IGNORECASE,
)


class Address(NamedTuple):
    """An address, taken apart."""

    scheme: str
    login: str | None
    """`user:password` as it stands there, or None."""
    hosts: str
    database: str
    options: str

    @property
    def place(self) -> tuple[str, ...]:
        """What is the same in every address of one store."""
        hosts = sorted(_host_and_port(self.scheme, host) for host in self.hosts.lower().split(","))
        return (self.scheme, *hosts, self.database)

    @property
    def secrets(self) -> list[str]:
        """Texts that no message may hold, the longest first."""
        _, _, password = (self.login or "").partition(":")
        values = [value for key, value in self.option_pairs() if key.lower() in _SECRET_OPTIONS]
        found = {text for value in (password, *values) for text in (value, unquote(value)) if text}
        return sorted(found, key=len, reverse=True)

    def public(self) -> str:
        """The address without login and secret options."""
        kept = "&".join(f"{key}={value}" for key, value in self.option_pairs() if key.lower() not in _SECRET_OPTIONS)
        return f"{self.scheme}://{self.hosts}/{self.database}{'?' * bool(kept)}{kept}"

    def shown(self) -> str:
        """The address as it may be shown: with the database that it means, and without what may be secret."""
        login, options = "***@" * (self.login is not None), "?***" * bool(self.options)
        return f"{self.scheme}://{login}{self.hosts}/{self.database}{options}"

    def option_pairs(self) -> list[tuple[str, str]]:
        """Names and values of the options, in their order."""
        pairs = (text.partition("=") for text in re.split("[&;]", self.options) if text)
        return [(key, value) for key, _, value in pairs]


def parse(address: str) -> Address | None:
    """The parts of an address, or None where it has not its form."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    return Address(
        found["scheme"].lower(), found["login"], found["hosts"], found["database"] or DATABASE, found["options"] or ""
    )


def check_address(address: str, field: str) -> str:
    """An address that pymongo takes; nothing is connected.

    Args:
        address: As a user gave it.
        field: Where it stands, for the error.

    Raises:
        InputError: if it is none. What pymongo says of it is not repeated: it may repeat the password.
    """
    parts = parse(address)
    if parts is None or "\0" in address:
        raise _refused(address, field)
    normal = parts.scheme + address[len(parts.scheme) :]
    options_of(parts, normal, field)
    if len(parts.database) > 63 or re.search(r"[\\. \"$*<>:|]", unquote(parts.database)):
        problem = f"names a database {parts.database!r} that MongoDB does not allow"
        raise InputError(field, _masked(address), problem=problem, allowed="letters, digits, dash and underscore")
    return normal


def options_of(parts: Address, address: str, field: str) -> dict[str, Any]:
    """The options of an address as pymongo reads them."""
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    # the hosts of mongodb+srv are asked for where the connection is made
    plain = address.replace("mongodb+srv://", "mongodb://", 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dict(parse_uri(plain, validate=True, warn=False)["options"])
    except (PyMongoError, ValueError, TypeError, OSError):
        raise _refused(address, field, _wrong_option(parts)) from None


def _wrong_option(parts: Address) -> str | None:
    """What is wrong with the first option that pymongo refuses alone, without its value; None if it takes each.

    The name is told only where pymongo knows it: what follows a question mark may be the rest of a password.
    """
    from pymongo.errors import PyMongoError
    from pymongo.uri_parser import parse_uri

    for place, (key, value) in enumerate(parts.option_pairs(), 1):
        try:
            parse_uri(f"mongodb://host/?{key}={value}", validate=True, warn=False)
        except OSError:
            return f"option {key} names a file that cannot be read"
        except (ValueError, TypeError):
            return f"option {key} has a value that it does not take"
        except PyMongoError:
            return f"option {place} of the address is not known"
    return None


def with_login(address: str, *offered: str | None) -> str:
    """An address with a login: its own, that of NINEFOLD_STORE, or that of the user's file, for the same database.

    Args:
        address: Checked.
        offered: Addresses that may have it, such as the value of NINEFOLD_STORE; before those of the file.

    Raises:
        InputError: if others may read the file.
    """
    parts = parse(address)
    if parts is None or parts.login:
        return address
    for other in (*offered, *_own_addresses()):
        known = parse(other) if other else None
        if known is not None and known.login and known.place == parts.place:
            return str(other)
    return address


def login_file() -> Path:
    """Where a user may write addresses with their logins, one a line."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "ninefold" / "stores"


def _own_addresses() -> list[str]:
    file = login_file()
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # no such file, or not for us
        return []
    if mode & 0o077:
        raise InputError(
            "store", str(file), problem="holds passwords and can be read by others", hint=f"chmod 600 {file}"
        )
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _host_and_port(scheme: str, host: str) -> str:
    """A host in one spelling: this machine's own has several names, and one port need not be given."""
    if scheme == "mongodb+srv" or host.endswith(".sock"):
        return host
    name, _, port = host.rpartition(":") if re.search(r":\d+$", host) else (host, "", str(_PORT))
    return f"{'localhost' if name in _LOOPBACK else name}:{port}"


def _refused(address: str, field: str, hint: str | None = None) -> InputError:
    problem = "is no address of a MongoDB server"
    return InputError(field, _masked(address), problem=problem, allowed=None if hint else ALLOWED, hint=hint)


def _masked(address: str) -> str:
    from ninefold.store.locate import masked

    return masked(address)
