"""Fixtures for all tests."""

from hypothesis import HealthCheck, settings
from tests.support.postgres import database, engine_database, engine_template, postgres

from bmn.evm.keystore import load_eth_account

__all__ = ["database", "engine_database", "engine_template", "postgres"]

# Before any test imports it: it would change how the whole process takes deep recursion.
load_eth_account()

# A busy machine is slow; that says nothing about a law.
settings.register_profile("bmn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bmn")
