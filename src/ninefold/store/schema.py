"""The version of what is stored; alone in its module, so that reading a store imports no models."""

SCHEMA_VERSION = 1
"""Rises when a stored document changes its meaning; a store from a newer schema is refused."""
