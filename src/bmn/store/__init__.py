"""Rows of swaps and their core types: the only place where one becomes the other."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
"""Revisions of the tables of swaps; the engine's own are in `bmn.pg`."""
