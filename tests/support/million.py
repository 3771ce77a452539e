"""A table of many orders, and how long its lists take. Used by `make bench-state` and, smaller, by a test."""

from collections.abc import Awaitable, Callable
from time import perf_counter

import asyncpg

from bmn.core.swap import State
from bmn.core.units import Address, ChainId, Hashlock
from bmn.pg.migrate import ENGINE, upgrade
from bmn.pg.pool import Connection, connection, open_pool
from bmn.store import MIGRATIONS
from bmn.store.swaps import load_open_swaps, load_swap, load_swaps_due, load_swaps_in, load_swaps_of

SRC, DST = ChainId(31337), ChainId(31338)
_BATCH = 50_000
_ROUNDS = 400
_STATES = [*([State.SETTLED] * 80), *([State.REFUNDED] * 14), *([State.AWAIT_SECRET] * 4), *([State.SRC_LIVE] * 2)]
"""Of a hundred swaps: nearly all are over."""

_FILL = (
    """
    INSERT INTO orders (hashlock, order_hash, maker, src_chain, dst_chain, src_token, dst_token, making_amount,
                        taking_amount, src_deposit, dst_deposit, expires_at, order_words, extension, signature)
    SELECT sha256(int8send(n)), sha256(int8send(-n)), substr(sha256(int8send(n % 1000)), 1, 20), 31337, 31338,
           substr(sha256('src'), 1, 20), substr(sha256('dst'), 1, 20), 10, 9, 1, 1, 0, decode(repeat('00', 256), 'hex'),
           decode(repeat('ab', 300), 'hex'), decode(repeat('01', 64), 'hex')
    FROM generate_series($1::bigint, $2::bigint) n
    """,
    """
    INSERT INTO swaps (hashlock, order_hash, number, src_chain, dst_chain, state, reason, version,
                       wake_src, wake_dst, terminal)
    SELECT hashlock, order_hash, number, 31337, 31338, states.name, 'FILLED', 1,
           CASE WHEN NOT states.over THEN 1800000000 + number % 7919 END,
           CASE WHEN NOT states.over THEN 1800000000 + number % 7907 END, states.over
    FROM orders JOIN unnest($3::text[], $4::bool[]) WITH ORDINALITY states (name, over, at)
        ON states.at = number % 100 + 1
    WHERE number BETWEEN $1 AND $2
    """,
    """
    INSERT INTO swap_events (hashlock, version, before, after, reason, actor)
    SELECT hashlock, 1, NULL, s.state, s.reason, 'resolver'
    FROM orders o JOIN swaps s USING (hashlock) WHERE o.number BETWEEN $1 AND $2
    """,
)


async def fill(conn: Connection, count: int) -> None:
    """Put `count` orders and swaps into an empty database, the last change of each, and have the planner know them."""
    names = [state.value for state in _STATES]
    over = [state.is_terminal for state in _STATES]
    orders, swaps, events = _FILL
    for first in range(1, count + 1, _BATCH):
        last = min(first + _BATCH - 1, count)
        async with conn.transaction():
            await conn.execute(orders, first, last)
            await conn.execute(swaps, first, last, names, over)
            await conn.execute(events, first, last)
    for table in ("orders", "swaps", "swap_events"):
        await conn.execute(f"VACUUM ANALYZE {table}")


async def measure(dsn: str, count: int = 1_000_000) -> list[dict[str, str | float]]:
    """Fill the empty database at `dsn` and time the lists: `name`, `p50_ms`, `p99_ms`."""
    await upgrade(dsn, [ENGINE, MIGRATIONS])
    filling = await asyncpg.connect(dsn)
    try:
        await fill(filling, count)
    finally:
        await filling.close()
    async with open_pool(dsn, size=1) as pool, connection(pool) as conn:
        keys = [
            (row["hashlock"], row["maker"])
            for row in await conn.fetch("SELECT hashlock, maker FROM orders WHERE number % 997 = 1 LIMIT $1", _ROUNDS)
        ]
        return [
            await _timed("by hashlock", lambda at: load_swap(conn, Hashlock(keys[at % len(keys)][0]))),
            await _timed(
                "by status, 100",
                lambda at: load_swaps_in(conn, _STATES[at % 100], below=1 + count * (at + 1) // _ROUNDS),
            ),
            await _timed("by deadline, 100", lambda at: load_swaps_due(conn, (SRC, DST)[at % 2])),
            await _timed("by maker, 100", lambda at: load_swaps_of(conn, Address(keys[at % len(keys)][1]))),
            await _timed("active, 100", lambda at: load_open_swaps(conn, below=1 + count * (at + 1) // _ROUNDS)),
        ]


async def _timed(name: str, read: Callable[[int], Awaitable[object]]) -> dict[str, str | float]:
    times = []
    for at in range(_ROUNDS):
        started = perf_counter()
        await read(at)
        times.append((perf_counter() - started) * 1000)
    times.sort()
    return {"name": name, "p50_ms": times[_ROUNDS // 2], "p99_ms": times[_ROUNDS * 99 // 100]}
