"""Screening of complex transition-metal hydrides whose anions hold seven or more hydrogens."""

__version__ = "0.1.0"
