"""A swap settles while every process has only the database rights of its role."""

from pathlib import Path

from tests.support.postgres import allow_login, login_as
from tests.support.stack import open_stack

from bmn.pg.roles import create_roles
from bmn.store.grants import APP, INDEXER, OWNER, ROLES


async def test_a_swap_settles_with_no_more_rights_than_the_roles_have(tmp_path: Path, postgres: str) -> None:
    async with open_stack(tmp_path, postgres) as stack:
        assert stack.settings.database_url is not None
        dsn = stack.settings.database_url.get_secret_value()
        await create_roles(dsn, OWNER, ROLES)
        await allow_login(dsn, APP.name, INDEXER.name)
        indexer = await stack.start(roles=["indexer"], wait=False, BMN_DATABASE_URL=login_as(dsn, INDEXER.name))
        try:
            await stack.start(roles=["resolver", "api"], BMN_DATABASE_URL=login_as(dsn, APP.name))
            order = await stack.submit_order()
            await stack.reach(order, "AWAIT_SECRET")
            status = await stack.settle(order)
            assert status.reason == "BOTH_FINAL"
            assert await indexer.stop() == 0, indexer.tail()
        finally:
            await indexer.kill()
