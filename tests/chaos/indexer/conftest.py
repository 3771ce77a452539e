from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.support.postgres import fresh_database
from tests.support.store_databases import store_template
from tests.support.worlds import world

__all__ = ["new_database", "store_template", "world"]


@pytest.fixture
def new_database(postgres: str, store_template: str) -> Iterator[Callable[[], str]]:
    """Makes databases with all tables; returns the address of each."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(fresh_database(postgres, template=store_template))
