"""What commands on clusters share: the option, the database, how the user is told to name both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ninefold.clusters import Cluster

ClusterOption = Annotated[str, typer.Option("--cluster", help="A cluster: name or YAML file; see 'ninefold cluster'.")]
NameArgument = Annotated[str, typer.Argument(help="Campaign by name in the store.")]


def cluster_option(cluster: str | None) -> str:
    """The option that names a cluster, for a command that the user is told."""
    import shlex

    return "" if cluster is None else f" --cluster {shlex.quote(cluster)}"


def database_of(cluster: Cluster, store: str | None) -> str:
    """Address of the database of a cluster's launchpad and store: its own, or, for spool folders, the user's.

    Raises:
        InputError: if `--store` names another one than the cluster's own.
    """
    from ninefold.cli.locate import store_address
    from ninefold.errors import InputError
    from ninefold.store import masked
    from ninefold.store.locate import is_same_store

    if cluster.database is None:
        return store_address(store)
    if store is not None and not is_same_store(store_address(store), cluster.database):
        raise InputError(
            "--store", masked(store), problem=f"is not the database of cluster {cluster.name!r}",
            allowed=masked(cluster.database), hint="leave --store out",
        )  # fmt: skip
    return cluster.database


def address_of(cluster: str | None, store: str | None) -> str:
    """Address of the database that a command looks in: that of a cluster, or the store."""
    from ninefold.cli.locate import store_address

    if cluster is None:
        return store_address(store)
    from ninefold.clusters import read_cluster

    return database_of(read_cluster(cluster), store)
