"""Potentials of one compound: distilled from an engine, or an engine corrected by labels."""
