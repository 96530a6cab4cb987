"""Reading YAML strictly: no key twice, words stay words, and no file that grows when it is read.

By PyYAML's loader. ruamel.yaml refuses a second key and a deep nesting by itself, but reads 2024-01-01 as a date, 010
as 10, `!!set` and `!!binary` as what is no JSON, and follows aliases without end; its pure Python loader, the one with
these hooks, takes 1.5 times as long (96 ms instead of 65 for `known_compounds.yaml`, which most commands read).
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

from ninefold.errors import InputError, shown
from ninefold.paths import readable_file

MAX_BYTES = 4 * 2**20
"""Of a file; `known_compounds.yaml`, the largest that ninefold ships, is a hundredth of it."""
MAX_DEPTH = 50
"""Lists and mappings inside one another; a campaign file needs 6."""
MAX_ALIASED = 10_000
"""Values that a file's aliases (`*name`) stand for, all together: nine levels of nine aliases are 400 million."""

_INTEGER = re.compile(r"^[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$")
_FLOAT = re.compile(
    r"^[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))$"
    r"|^\.(?:nan|NaN|NAN)$"
)
_FOREIGN_TAGS = ("timestamp", "binary", "set", "omap", "pairs")
"""Of YAML 1.1; no field of ours holds one, and they are no JSON."""


def read_yaml(path: Path, field: str) -> Any:
    """The content of a YAML file: text, numbers, yes or no, lists and mappings.

    Args:
        path: The file.
        field: What the file is to the user, for the error.

    Raises:
        InputError: if it cannot be read or is not valid YAML, with line and column; if it is too large, too
            deeply nested, or repeats too much of itself by aliases.
    """
    import yaml

    path = readable_file(path, field, what="a YAML file")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(field, str(path), problem="is too large", allowed=f"up to {MAX_BYTES // 2**20} MiB")
        return yaml.load(content.decode("utf-8"), Loader=_strict_loader())
    except OSError as error:
        raise InputError(field, str(path), problem=f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            field, str(path), problem=f"is not text in UTF-8: {error.reason} at byte {error.start}"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(field, str(path), problem=f"is not valid YAML{where}: {problem}") from error


@functools.cache
def _strict_loader() -> Any:
    """YAML's safe loader, refusing what would silently become something else or fill the memory."""
    import yaml

    prefix = "tag:yaml.org,2002:"

    class StrictLoader(yaml.SafeLoader):
        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self._depth = self._aliased = 0
            self._sizes: dict[int, int] = {}
            """id of a node -> values in it, aliases followed; a node that is not finished is not in it."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                event = self.peek_event()
                node = super().compose_node(parent, index)
                if id(node) not in self._sizes:
                    raise _problem(f"*{event.anchor} stands inside what it stands for", event.start_mark)
                self._aliased += self._sizes[id(node)]
                if self._aliased > MAX_ALIASED:
                    raise _problem(f"aliases stand for more than {MAX_ALIASED} values", event.start_mark)
                return node
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise _problem(
                    f"lists and mappings are nested more than {MAX_DEPTH} deep", self.peek_event().start_mark
                )
            node = super().compose_node(parent, index)
            self._depth -= 1
            parts = node.value if isinstance(node, yaml.SequenceNode) else ()
            if isinstance(node, yaml.MappingNode):
                parts = [part for pair in node.value for part in pair]
            self._sizes[id(node)] = 1 + sum(self._sizes[id(part)] for part in parts)
            return node

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except (ValueError, OverflowError) as error:  # a number of 5000 digits
                raise _problem(f"{shown(node.value)} cannot be read", node.start_mark) from error

    def _problem(text: str, mark: Any) -> Any:
        return yaml.constructor.ConstructorError(problem=text, problem_mark=mark)

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        own: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == f"{prefix}merge":
                continue
            key = loader.construct_object(key_node, deep=True)
            if isinstance(key, (list, dict)):
                raise _problem("a key is a list", key_node.start_mark)
            if key in own:
                raise _problem(f"key {shown(key)} comes twice", key_node.start_mark)
            own.add(key)
        loader.flatten_mapping(node)  # what is merged comes first, so that the mapping's own keys replace it
        return {
            loader.construct_object(key_node, deep=True): loader.construct_object(value_node, deep=True)
            for key_node, value_node in node.value
        }

    def foreign(loader: Any, node: Any) -> Any:
        tag = node.tag.replace(prefix, "!!")
        raise _problem(
            f"the tag {shown(tag)} is not allowed: text, numbers, lists and mappings need none", node.start_mark
        )

    StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    for tag in (None, *(f"{prefix}{name}" for name in _FOREIGN_TAGS)):
        StrictLoader.add_constructor(tag, foreign)
    # YAML 1.1 reads No, Y and N as booleans, which are element symbols; 2024-01-01 as a date; 7:9 as 429; 010 as 8
    replaced = [f"{prefix}{name}" for name in ("bool", "timestamp", "int", "float")]
    StrictLoader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag not in replaced]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    StrictLoader.add_implicit_resolver(f"{prefix}bool", re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))
    StrictLoader.add_implicit_resolver(f"{prefix}int", _INTEGER, list("-+0123456789"))
    StrictLoader.add_implicit_resolver(f"{prefix}float", _FLOAT, list("-+.0123456789"))
    return StrictLoader
