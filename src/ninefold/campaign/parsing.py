"""Reading campaign files, and saying in one line what is wrong with one."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ninefold.errors import FieldError, InputError, shown
from ninefold.paths import user_path
from ninefold.settings import model_at, number_range, shape_needed
from ninefold.shipped import config_path
from ninefold.yaml_files import read_yaml

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from ninefold.campaign.model import Campaign


def find_campaign_file(name: str) -> Path:
    """A campaign file by path, or one that ninefold ships by name (`quickstart`, `wide-9`).

    Raises:
        InputError: if there is neither.
    """
    path = user_path(name, "campaign")
    if path.is_file():
        return path
    shipped = {file.stem: file for folder in (".", "spaces") for file in sorted(config_path(folder).glob("*.yaml"))}
    if name in shipped:
        return shipped[name]
    if path.is_dir():
        raise InputError("campaign", name, problem="is a folder", hint="name a YAML file")
    problem = "is no plain file" if path.exists() else "does not exist"
    raise InputError("campaign", name, problem=problem, allowed=f"a YAML file or one of {', '.join(sorted(shipped))}")


def read_campaign(name: str) -> Campaign:
    """Read and validate a campaign file.

    Args:
        name: Path, or the name of a shipped campaign.

    Raises:
        InputError: with file, field, value and what is allowed.
    """
    path = find_campaign_file(name)
    data = read_yaml(path, "campaign")
    return parse_campaign(data, source=str(path), folder=path.resolve().parent)


def parse_campaign(data: Any, *, source: str = "campaign", folder: Path | None = None) -> Campaign:
    """Validate a campaign given as plain values.

    Args:
        data: What YAML or JSON gave.
        source: Named in errors.
        folder: What relative paths of files are relative to; default: the working folder.

    Raises:
        InputError: with field, value and what is allowed.
    """
    from pydantic import ValidationError

    from ninefold.campaign.model import LOGIN_HINT, LOGIN_PROBLEM, Campaign, without_login

    if not isinstance(data, dict):
        raise InputError(
            source,
            data,
            problem="is not a campaign",
            allowed="a mapping with at least 'name' and 'space'",
            hint="'ninefold campaign new' writes a commented one",
        )
    # before anything else of it is shown
    if isinstance(store := data.get("store"), str) and (shown_store := without_login(store)) is not None:
        raise InputError(f"{source}: store", shown_store, problem=LOGIN_PROBLEM, hint=LOGIN_HINT)
    if folder is not None:
        data = _anchor_paths(data, folder)
    try:
        return Campaign.model_validate(data)
    except ValidationError as error:
        raise format_validation_error(error, Campaign, data, source) from error


def _anchor_paths(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths of files absolute: they are relative to the campaign file, wherever it is run from."""
    from ninefold.engines.registry import ENGINES, anchored_model
    from ninefold.plugins import anchored_path
    from ninefold.ranking.terms import TERMS
    from ninefold.rules.registry import RULES
    from ninefold.stages.own import STAGES
    from ninefold.structures.sources import anchored as anchored_source

    def path(name: str) -> str:
        return anchored_path(name, folder)

    def rule_set(name: str) -> str:
        return path(name) if name.endswith((".yaml", ".yml")) else name

    for keys, anchored in (
        (("known",), path),
        (("rules", "set"), rule_set),
        (("rules", "files"), lambda name: RULES.anchored(name, folder)),
        (("structures", "sources"), lambda name: anchored_source(name, folder)),
        (("engine", "name"), lambda name: ENGINES.anchored(name, folder)),
        (("search", "name"), lambda name: ENGINES.anchored(name, folder)),
        (("energies", "name"), lambda name: ENGINES.anchored(name, folder)),
        *(((key, "model"), lambda name: anchored_model(name, folder)) for key in ("engine", "search", "energies")),
        (("stages",), lambda name: STAGES.anchored(name, folder)),
        (("ranking", "weights"), lambda name: TERMS.anchored(name, folder)),
    ):
        data = _with_names(data, keys, anchored)
    return data


def _with_names(data: dict[str, Any], keys: tuple[str, ...], change: Callable[[str], str]) -> dict[str, Any]:
    """A copy in which the text at a place, each item of its list or each key of its mapping is changed.

    What is not of that form stays: the model says what is wrong with it.
    """
    key, *rest = keys
    value = data.get(key)
    if rest:
        if isinstance(value, list):
            changed: Any = [
                _with_names(item, tuple(rest), change) if isinstance(item, dict) else item for item in value
            ]
        else:
            changed = _with_names(value, tuple(rest), change) if isinstance(value, dict) else value
    elif isinstance(value, str):
        changed = change(value)
    elif isinstance(value, list):
        changed = [change(item) if isinstance(item, str) else item for item in value]
    elif isinstance(value, dict):
        changed = {change(name) if isinstance(name, str) else name: item for name, item in value.items()}
    else:
        return data
    return {**data, key: changed} if key in data else data


def format_validation_error(
    error: ValidationError, model: type[BaseModel], data: Any, source: str, whole: str = "campaign"
) -> InputError:
    """Pydantic's first complaint as one line with field, value and what is allowed.

    Args:
        error: What pydantic raised.
        model: Of the settings.
        data: What was to be read.
        source: The file.
        whole: What the settings are of, for a complaint about no field of them.
    """
    every = error.errors()
    # a list whose item is refused is told as too short besides
    complaints = [one for one in every if not any(_is_within(other["loc"], one["loc"]) for other in every)]
    first = complaints[0]
    context = first.get("ctx", {})
    cause = context.get("error")
    field = ".".join(str(part) for part in first["loc"]) or whole
    more = f"and {len(complaints) - 1} more problem(s)" if len(complaints) > 1 else None
    if isinstance(cause, InputError):
        # a settings model found the mistake itself and knows best
        nested = cause.field if cause.field.startswith(field) else f"{field}.{cause.field}".removeprefix(f"{whole}.")
        return InputError(
            f"{source}: {nested}", cause.value, problem=cause.problem, allowed=cause.allowed, hint=cause.hint or more
        )
    if isinstance(cause, FieldError):
        place = ".".join(str(part) for part in (*first["loc"], cause.field))
        return InputError(f"{source}: {place}", cause.value, problem=cause.problem, hint=cause.hint or more)
    value = first.get("input")
    allowed: object | None = context.get("expected")
    problem = first["msg"].removeprefix("Value error, ")
    problem = problem[0].lower() + problem[1:]
    if first["type"] == "extra_forbidden":
        known = sorted(_fields_at(model, first["loc"][:-1]))
        close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        problem, value = "is not a known key", first["loc"][-1]
        allowed = ", ".join(known) or None
        more = f"did you mean {close[0]!r}?" if close else more
        field = ".".join(str(part) for part in first["loc"][:-1]) or whole
    elif first["type"] == "missing":
        problem, value = f"is missing the key {str(first['loc'][-1])!r}", _shorten(value)
        field = ".".join(str(part) for part in first["loc"][:-1]) or whole
    else:
        value = _shorten(value)
        needed = shape_needed(model, first)
        problem = "is not allowed" if needed else f"is not allowed: {problem}"
        allowed = needed or allowed or number_range(model, first)
    return InputError(f"{source}: {field}", value, problem=problem, allowed=allowed, hint=more)


def _is_within(location: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(location) > len(outer) and location[: len(outer)] == outer


def _shorten(value: Any) -> Any:
    text = shown(value)
    return value if len(text) <= 80 else f"{text[:77]}..."


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys that the model allows at a location of the file."""
    found = model_at(model, location)
    return [] if found is None else list(found.model_fields)
