"""The store: the only place that knows databases."""

from ninefold.store.locate import open_repository, resolve_store
from ninefold.store.repository import Repository, StoreError

__all__ = ["Repository", "StoreError", "open_repository", "resolve_store"]
