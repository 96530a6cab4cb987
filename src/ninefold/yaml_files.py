"""Reading YAML strictly: no key twice, and words stay words."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from ninefold.errors import InputError


def read_yaml(path: Path, field: str) -> Any:
    """The content of a YAML file.

    Args:
        path: The file.
        field: What the file is to the user, for the error.

    Raises:
        InputError: if it cannot be read or is not valid YAML, with line and column.
    """
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_strict_loader())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(field, str(path), problem=f"cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(field, str(path), problem=f"is not valid YAML{where}: {problem}") from error


@functools.cache
def _strict_loader() -> Any:
    """YAML's safe loader, refusing a key that comes twice: the second would silently win."""
    import yaml

    class StrictLoader(yaml.SafeLoader):
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        loader.flatten_mapping(node)
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            if isinstance(key, (list, dict)):
                raise yaml.constructor.ConstructorError(problem="a key is a list", problem_mark=key_node.start_mark)
            if key in result:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key!r} comes twice", problem_mark=key_node.start_mark
                )
            result[key] = loader.construct_object(value_node, deep=True)
        return result

    StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    # YAML 1.1 reads the symbols No, Y and N as booleans; element symbols must stay text
    StrictLoader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    StrictLoader.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF")
    )
    return StrictLoader
