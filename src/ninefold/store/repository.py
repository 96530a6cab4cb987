"""The names under which `ninefold.store.store` is imported elsewhere."""

from ninefold.store.store import Order, RecordLike, StoreError
from ninefold.store.store import Store as Repository

__all__ = ["DocumentLike", "Order", "Repository", "StoreError"]

DocumentLike = RecordLike
