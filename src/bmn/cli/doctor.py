"""`bmn doctor`."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bmn.cli.running import COMMON, Common, answer, read_settings, remark, run_command

if TYPE_CHECKING:
    from bmn.config.settings import Settings
    from bmn.core.errors import BmnError


def doctor(*, common: Common = COMMON) -> int:
    """Check settings, database, keys, and the contracts of every chain; goes on after a failure, and names them all.

    Exits with the code of the first failure.
    """
    settings = read_settings(common)
    found = run_command(_examine(settings), common)
    rows = [
        {"check": name, "ok": error is None, "code": error.code, "detail": error.detail, "hint": error.hint}
        if error
        else {"check": name, "ok": True}
        for name, error in found
    ]
    lines = [
        f"ok    {name}" if error is None else f"FAIL  {name}: {error.code}: {error.detail}" + _hint(error)
        for name, error in found
    ]
    answer({"ok": all(row["ok"] for row in rows), "checks": rows}, lines, common)
    return next((error.exit_code for _, error in found if error), 0)


def _hint(error: "BmnError") -> str:
    return f" — {error.hint}" if error.hint else ""


def _operator_check(settings: "Settings") -> str:
    if settings.api.operator_token_file is None:
        return "operator's listener: off; set operator_token_file in [api] to open it"
    return f"operator's listener: on {settings.api.operator_host}:{settings.api.operator_port}"


async def _check_database(settings: "Settings") -> None:
    from bmn.app import open_store
    from bmn.pg.pooler import reaches_server

    async with open_store(settings) as (direct, _):
        if not await reaches_server(direct):
            remark("a pooler stands before the database: wake-ups come by polling; set BMN_DATABASE_DIRECT_URL")


async def _examine(settings: "Settings") -> "list[tuple[str, BmnError | None]]":
    import asyncio

    from bmn.app import check_chain, open_chains, open_sealer, open_store, resolver_section
    from bmn.cli.endpoints import examine_endpoints
    from bmn.config.build import build_specs
    from bmn.config.keys import load_operator_token, load_operators
    from bmn.core.errors import BmnError
    from bmn.pg.pool import connection
    from bmn.store.rotation import check_key

    found: list[tuple[str, BmnError | None]] = []

    async def look(name: str, check: Callable[[], Awaitable[object]]) -> None:
        try:
            await check()
        except BmnError as error:
            found.append((name, error))
        else:
            found.append((name, None))

    async def keys() -> None:
        await asyncio.to_thread(load_operators, settings, resolver_section(settings))

    async def seal() -> None:
        sealer = await asyncio.to_thread(open_sealer, settings)
        async with open_store(settings) as (_, pool), connection(pool) as conn:
            await check_key(conn, sealer)

    async def operator() -> None:
        load_operator_token(settings)

    await look("database", lambda: _check_database(settings))
    await look(_operator_check(settings), operator)
    if settings.resolver is not None:
        await look("resolver keys", keys)
        await look("secrets key", seal)
    specs = build_specs(settings)
    for one in await examine_endpoints(settings):
        resting = f", resting: {one.resting}" if one.resting else ""
        state = "" if one.error else f": block {one.block}, {one.lag} behind, {one.ms} ms{resting}"
        found.append((f"endpoint {one.chain}/{one.endpoint}{state}", one.error))
    async with open_chains(settings) as chains:
        for chain_id, spec in specs.items():
            await look(f"chain {spec.name}", lambda: check_chain(settings, chains[chain_id], spec))  # noqa: B023 - awaited at once
    return found
