"""A swap settles on the oldest PostgreSQL, through a pooler, with the rights of the roles and no more."""

from pathlib import Path
from urllib.parse import urlsplit

from tests.support.debian import pgbouncer
from tests.support.postgres import allow_login, login_as
from tests.support.stack import open_stack

from bmn.pg.roles import create_roles
from bmn.store.grants import APP, OWNER, ROLES


async def test_a_swap_settles_through_a_pooler_with_wake_ups_past_it(tmp_path: Path, oldest_postgres: str) -> None:
    async with open_stack(tmp_path, oldest_postgres) as stack:
        assert stack.settings.database_url is not None
        dsn = stack.settings.database_url.get_secret_value()
        await create_roles(dsn, OWNER, ROLES)
        await allow_login(dsn, APP.name)
        direct = login_as(dsn, APP.name)
        with pgbouncer(direct, users=[APP.name], size=3) as pooler:
            assert urlsplit(pooler).path == urlsplit(dsn).path
            await stack.start(BMN_DATABASE_URL=pooler, BMN_DATABASE_DIRECT_URL=direct)
            order = await stack.submit_order()
            await stack.reach(order, "AWAIT_SECRET")
            status = await stack.settle(order)
            assert status.reason == "BOTH_FINAL"
            assert stack.service is not None
            assert b"wake_ups_polled" not in stack.service.log.read_bytes()
            assert await stack.service.stop() == 0, stack.service.tail()
