"""Molecular dynamics in pieces that survive a kill."""
