"""Fixtures for all tests."""

from tests.support.postgres import database, engine_database, engine_template, postgres

__all__ = ["database", "engine_database", "engine_template", "postgres"]
