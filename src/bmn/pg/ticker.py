"""The loop that puts runs on the queue when they are due. Any number of instances may run it."""

from typing import Final

from bmn.core.errors import BadInput, TransientError
from bmn.observe import jobs as observe
from bmn.pg.pool import Pool, connection, transaction
from bmn.pg.schedules import fire, load_due, load_wait
from bmn.pg.wake import Wake
from bmn.seams import Clock

_LONGEST_PAUSE: Final = 1.0
"""Seconds after which a schedule that was just registered is seen."""


async def run_ticker(pool: Pool, wake: Wake, clock: Clock) -> None:
    """Fire what is due until cancelled."""
    while True:
        pause = _LONGEST_PAUSE
        try:
            if await fire_due(pool):
                wake.signal()
            async with connection(pool) as conn:
                wait = await load_wait(conn)
            pause = pause if wait is None else min(pause, wait)
        except TransientError as error:
            observe.ticker_waits(error.code)
        await clock.sleep(pause)


async def fire_due(pool: Pool) -> int:
    """Fire every schedule that is due and that nobody else is at; return how many runs were put on queues."""
    async with connection(pool) as conn:
        names = await load_due(conn)
    runs = 0
    for name in names:
        try:
            async with transaction(pool) as conn:
                fired = await fire(conn, name)
        except BadInput as error:  # of a later version; its own instances fire it
            observe.schedule_unreadable(name, error.detail)
            continue
        if fired is not None:
            runs += len(fired.run)
            if fired.dropped:
                observe.ticks_dropped(name, len(fired.dropped))
    return runs
