"""The store: the only place that knows databases."""

from ninefold.store.blobs import BlobError
from ninefold.store.locate import masked, open_repository, open_store, resolve_store, store_file
from ninefold.store.store import Store, StoreError

Repository = Store

__all__ = [
    "BlobError",
    "Repository",
    "Store",
    "StoreError",
    "masked",
    "open_repository",
    "open_store",
    "resolve_store",
    "store_file",
]
