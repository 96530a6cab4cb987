"""Answers of an OPTIMADE provider: pages fetched one after the other, each checked for being whole."""

from __future__ import annotations

import json
import re
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import Request, urlopen

from ninefold.errors import InputError, description, listed

FIELD = "import"
MOST_PAGES = 1000
MOST_BYTES = 200_000_000
"""Of one page."""
SECONDS = 60
"""Without a byte."""
SECONDS_OF_PAGE = 300
"""For one page; a server that sends a byte a second is not waited for."""
STANDARD_FIELDS = (
    "elements,nelements,elements_ratios,chemical_formula_descriptive,chemical_formula_reduced,"
    "chemical_formula_anonymous,dimension_types,nperiodic_dimensions,lattice_vectors,cartesian_site_positions,nsites,"
    "species,species_at_sites,structure_features,last_modified"
)
"""Of version 1.0 of the specification: all that a structure is read from."""


def fetch(url: str, filter: str | None = None, energy_field: str | None = None) -> list[dict[str, Any]]:
    """All pages of an answer.

    Args:
        url: A provider's base URL, or one that ends with `/structures`, or with `/structures/ID`.
        filter: In OPTIMADE's language.
        energy_field: The provider's; some send fields of their own only where they are asked for.

    Raises:
        InputError: if the server cannot be reached, refuses the filter or answers something else; if a page is missing.
    """
    address = _address(url, filter, energy_field)
    asked: set[str] = set()
    found: list[dict[str, Any]] = []
    while address not in asked:
        if len(asked) == MOST_PAGES:
            raise InputError(FIELD, url, problem=f"has more than {MOST_PAGES} pages", hint="narrow it with --filter")
        asked.add(address)
        answer = _get(address)
        found += _items(answer, address)
        meta = answer["meta"] if isinstance(answer.get("meta"), dict) else {}
        following = answer["links"].get("next") if isinstance(answer.get("links"), dict) else None
        following = following.get("href") if isinstance(following, dict) else following
        if not following:
            _check_whole(address, meta, found)
            return found
        address = urljoin(address, str(following))
    raise _refused(address, "is named as the next page by a later one: the pages have no end")


def _address(url: str, filter: str | None, energy_field: str | None) -> str:
    try:
        parts = urlsplit(url)
        has_login = parts.username is not None or parts.password is not None
    except ValueError as error:
        raise InputError(FIELD, url, problem=f"is no address: {error}") from error
    if has_login:
        raise InputError(FIELD, f"{parts.scheme}://***@{parts.hostname}", problem="holds a login, which is not sent")
    if "/structures" not in parts.path:
        base = parts.path.rstrip("/")
        version = "" if re.fullmatch(r"v\d+(\.\d+){0,2}", base.rsplit("/", 1)[-1]) else "/v1"
        parts = parts._replace(path=f"{base}{version}/structures")
    given = parse_qs(parts.query)
    added = {}
    if filter is not None:
        added["filter"] = filter
    if energy_field is not None and "response_fields" not in given:
        added["response_fields"] = f"{STANDARD_FIELDS},{energy_field.split('.')[0]}"
    query = "&".join(each for each in (parts.query, urlencode(added, safe=",")) if each)
    return parts._replace(query=query, fragment="").geturl()


def _items(answer: dict[str, Any], address: str) -> list[dict[str, Any]]:
    """Entries of a page: several, or one that was asked for by its id."""
    data = answer.get("data")
    if isinstance(data, dict):
        return [data]
    if isinstance(data, list):
        return data
    told = _told(answer.get("errors"))
    if told:
        raise _refused(address, f"was refused: {told}")
    if "data" in answer and data is None and isinstance(answer.get("meta"), dict):
        raise _refused(address, "is no structure that the provider has")
    raise _refused(address, "is no answer of an OPTIMADE server: it has no data")


def _check_whole(address: str, meta: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """Refuse an answer that ends before its end, or is empty because the provider did not understand the question."""
    if meta.get("more_data_available") is True:
        problem = "is not whole: the provider has more data and names no next page"
        raise _refused(address, problem, hint="narrow it with --filter")
    names = [item.get("id") for item in found if isinstance(item, dict)]
    if twice := [str(name) for name in dict.fromkeys(names) if name is not None and names.count(name) > 1]:
        problem = f"has structures twice ({listed(twice, 5)}): its pages moved while they were read"
        raise _refused(address, problem, hint="try again")
    if not found:
        warned = _told(meta.get("warnings"))
        raise _refused(address, "has no structures" + (f": {warned}" if warned else ""))


def _get(address: str) -> dict[str, Any]:
    if urlsplit(address).scheme not in ("http", "https"):
        raise _refused(address, "is no address", allowed="http:// or https://")
    try:
        request = Request(address, headers={"Accept": "application/json", "User-Agent": "ninefold"})
        with urlopen(request, timeout=SECONDS) as answer:
            content = _body(answer, address)
    except HTTPError as error:
        raise _refused(address, f"was refused: {error.code}{_detail(error)}") from error
    except (URLError, OSError, HTTPException, ValueError) as error:  # ValueError: an address that cannot be sent
        reason = getattr(error, "reason", None) or str(error) or description(error)
        raise _refused(address, f"cannot be reached: {reason}") from error
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _refused(address, "answers no JSON") from error
    if not isinstance(data, dict):
        raise _refused(address, "is no answer of an OPTIMADE server")
    return data


def _body(answer: Any, address: str) -> bytes:
    end = time.monotonic() + SECONDS_OF_PAGE
    chunks: list[bytes] = []
    length = 0
    while chunk := answer.read1(1 << 20):
        chunks.append(chunk)
        length += len(chunk)
        if length > MOST_BYTES:
            raise _refused(address, f"answers more than {MOST_BYTES} bytes")
        if time.monotonic() > end:
            raise _refused(address, f"is not sent whole within {SECONDS_OF_PAGE} s")
    announced = answer.headers.get("Content-Length")
    if announced is not None and announced.isdigit() and length < int(announced):
        raise _refused(address, f"was cut off after {length} of {announced} bytes", hint="try again")
    return b"".join(chunks)


def _refused(address: str, problem: str, allowed: str | None = None, hint: str | None = None) -> InputError:
    """With the address as the user knows it: without the list of fields that was added to it."""
    named = re.sub(r"response_fields=[^&]*&?", "", address).rstrip("?&")
    return InputError(FIELD, named, problem=problem, allowed=allowed, hint=hint)


def _detail(error: HTTPError) -> str:
    """What the server says of the error."""
    try:
        told = _told(json.loads(error.read(100_000)).get("errors"))
    except (ValueError, OSError, HTTPException, AttributeError, RecursionError):
        return ""
    return f" ({told})" if told else ""


def _told(items: Any) -> str:
    """The first of a provider's errors or warnings, in its words."""
    first = items[0] if isinstance(items, list) and items else None
    if not isinstance(first, dict):
        return ""
    return " ".join(str(first.get("detail") or first.get("title") or "").split())[:300]
