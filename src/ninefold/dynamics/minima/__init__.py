"""Inherent structures: frames of a run, relaxed."""
