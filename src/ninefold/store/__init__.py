"""The store: the only place that knows databases."""

from ninefold.store.blobs import BlobError
from ninefold.store.locate import masked, open_store, public_address, resolve_store, store_file, store_state
from ninefold.store.store import Store, StoreError

__all__ = [
    "BlobError",
    "Store",
    "StoreError",
    "masked",
    "open_store",
    "public_address",
    "resolve_store",
    "store_file",
    "store_state",
]
