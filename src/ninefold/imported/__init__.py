"""Calculations that another program has made: read, checked, and told apart by method. Nothing is stored here."""
