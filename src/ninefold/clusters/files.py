"""Where cluster files lie, and reading one: strictly, every mistake told in one line."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from ninefold.campaign.model import without_login
from ninefold.clusters.scripts import check_template
from ninefold.clusters.settings import LOGIN_HINT, LOGIN_PROBLEM, Cluster
from ninefold.errors import InputError
from ninefold.paths import user_path
from ninefold.shipped import config_path
from ninefold.yaml_files import read_yaml

FIELD = "cluster"
SUFFIX = ".yaml"
TEMPLATES = ("slurm", "pbs", "sge", "local-slurm")
"""Cluster files that ninefold ships, to be copied and edited."""


def own_folder() -> Path:
    """Where `ninefold cluster new` writes: of this user, for all projects."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "ninefold" / "clusters"


def folders() -> list[Path]:
    """Where a cluster is looked for by name: of the project, then of the user. Templates are in neither."""
    return [Path("configs") / "clusters", own_folder()]


def list_clusters() -> dict[str, Path]:
    """Name -> file of every cluster that can be named; the project's replace the user's."""
    shipped = config_path("clusters").resolve()
    return {
        path.stem: path
        for folder in reversed(folders())
        for path in sorted(folder.glob(f"*{SUFFIX}"))
        # in a checkout the templates stand beside a project's own files
        if not (path.stem in TEMPLATES and folder.resolve() == shipped)
    }


def find_cluster(name: str) -> Path:
    """The file of a cluster, by name or path.

    Raises:
        InputError: if there is none, with the nearest names.
    """
    if name.endswith((SUFFIX, ".yml")) or "/" in name:
        path = user_path(name, FIELD)
        if not path.is_file():
            problem = "is a folder" if path.is_dir() else "does not exist"
            raise InputError(FIELD, name, problem=problem, allowed="a YAML file, or the name of a cluster")
        return path
    known = list_clusters()
    if name in known:
        return known[name]
    places = ", ".join(str(folder) for folder in folders())
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        raise InputError(
            FIELD, name, problem="is not known", allowed=", ".join(sorted(known)),
            hint=f"did you mean {' or '.join(repr(one) for one in close)}?",
        )  # fmt: skip
    allowed = ", ".join(sorted(known)) if known else f"a YAML file; there is none in {places}"
    raise InputError(FIELD, name, problem="is not known", allowed=allowed, hint="'ninefold cluster new' writes one")


def read_cluster(name: str) -> Cluster:
    """Read and check a cluster's settings.

    Args:
        name: Of a file in `folders()`, or its path.

    Raises:
        InputError: with file, field, value and what is allowed.
    """
    path = find_cluster(name)
    return parse_cluster(read_yaml(path, FIELD), path)


def parse_cluster(data: Any, path: Path) -> Cluster:
    """Check a cluster given as plain values.

    Args:
        data: What YAML gave.
        path: Its file: names the cluster, and relative paths are relative to its folder.

    Raises:
        InputError: with file, field, value and what is allowed.
    """
    from pydantic import ValidationError

    from ninefold.campaign.parsing import format_validation_error

    if not isinstance(data, dict):
        raise InputError(
            str(path), data, problem="is no cluster", allowed="a mapping with at least 'scheduler' and 'resources'",
            hint="'ninefold cluster new' writes a commented one",
        )  # fmt: skip
    if data.get("name", path.stem) != path.stem:
        raise InputError(f"{path}: name", data["name"], problem="differs from the file's name", allowed=path.stem)
    # before anything else of it is shown
    if isinstance(database := data.get("database"), str) and (shown := without_login(database)) is not None:
        raise InputError(f"{path}: database", shown, problem=LOGIN_PROBLEM, hint=LOGIN_HINT)
    data = {**data, "name": path.stem}
    if isinstance(template := data.get("template"), str) and not template.startswith("~"):
        data["template"] = str(path.resolve().parent / template)
    try:
        cluster = Cluster.model_validate(data)
    except ValidationError as error:
        raise format_validation_error(error, Cluster, data, str(path), whole="cluster") from error
    if cluster.template is not None:
        check_template(cluster)
    return cluster


def spool_folder(cluster: Cluster) -> Path:
    """The spool folder of a cluster that has one, as this machine sees it."""
    assert cluster.spool is not None
    return shared_folder(cluster.spool, f"cluster {cluster.name}: spool")


def shared_folder(text: str, field: str) -> Path:
    """A folder of a cluster file, as this machine sees it.

    Args:
        text: As it stands in the file.
        field: Where it stands, for errors.

    Raises:
        InputError: if it depends on the folder that a command is started in: another one is meant on each node.
    """
    path = user_path(os.path.expandvars(text), field)
    if not path.is_absolute():
        has_variable = str(path).startswith("$")
        raise InputError(
            field, text,
            problem="begins with a variable that is not set here" if has_variable
            else "depends on the folder that a command is started in",
            allowed="a path that begins with /, ~ or a variable",
        )  # fmt: skip
    return path
