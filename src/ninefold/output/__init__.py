"""Writing results to files: tables and structures, whole or not at all."""
