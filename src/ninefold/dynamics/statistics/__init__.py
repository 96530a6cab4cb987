"""Rates, slopes and means with their intervals."""
