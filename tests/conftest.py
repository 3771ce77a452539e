"""Fixtures for all tests."""

from hypothesis import HealthCheck, settings
from tests.support.postgres import database, engine_database, engine_template, postgres

__all__ = ["database", "engine_database", "engine_template", "postgres"]

# A busy machine is slow; that says nothing about a law.
settings.register_profile("bmn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bmn")
