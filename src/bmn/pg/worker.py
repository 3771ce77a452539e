"""The loop that works messages off: claim, handle, retry or bury; renews what takes long; returns what it holds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from bmn.core.errors import BmnError, InvariantViolation, PermanentError, TransientError
from bmn.observe import engine
from bmn.pg.errors import LostLease
from bmn.pg.pool import Pool
from bmn.pg.queue import Claimed, bury, claim, renew, retry_later, sweep_expired
from bmn.pg.wake import Wake, wait_for
from bmn.seams import Clock, Rng

LEASE_SECONDS = 2.0
_POLL_SECONDS = 0.5
_LONGEST_HANDLING_SECONDS = 300.0
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 30.0

Handler = Callable[[Claimed], Awaitable[None]]
"""Does the work and finishes the message in its own transaction (`queue.finish`)."""


async def run_worker(
    pool: Pool, queues: Sequence[str], handle: Handler, *, concurrency: int, wake: Wake, clock: Clock, rng: Rng
) -> None:
    """Work on `queues` until cancelled; what is in hand then is given back at once."""
    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(_work(pool, queues, handle, wake, clock, rng))
        group.create_task(_sweep(pool, clock))


async def _work(pool: Pool, queues: Sequence[str], handle: Handler, wake: Wake, clock: Clock, rng: Rng) -> None:
    woken = wake.subscribe()
    while True:
        woken.clear()
        try:
            claimed = await claim(pool, queues, LEASE_SECONDS)
        except TransientError as error:
            engine.worker_waits(error.code)
            await clock.sleep(_POLL_SECONDS)
            continue
        if claimed is None:
            await wait_for(woken, _POLL_SECONDS)
            continue
        await _handle_one(pool, claimed, handle, clock, rng)


async def _handle_one(pool: Pool, claimed: Claimed, handle: Handler, clock: Clock, rng: Rng) -> None:
    renewing = asyncio.ensure_future(_renew(pool, claimed, clock))
    try:
        async with asyncio.timeout(_LONGEST_HANDLING_SECONDS):
            await handle(claimed)
    except asyncio.CancelledError:
        with suppress(TransientError):
            await retry_later(pool, claimed, "stopped", 0)
        raise
    except Exception as error:  # noqa: BLE001 - the edge of the worker loop (rule 16)
        with suppress(TransientError):  # the lease ends by itself and the message comes back
            await _failed(pool, claimed, error, rng)
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _failed(pool: Pool, claimed: Claimed, error: Exception, rng: Rng) -> None:
    if isinstance(error, LostLease):
        engine.lease_lost(f"message:{claimed.kind}", claimed.token)
        return
    text = str(error) if isinstance(error, BmnError) else f"{type(error).__name__}"
    code = error.code if isinstance(error, BmnError) else "UNEXPECTED"
    final = isinstance(error, PermanentError | InvariantViolation)
    engine.message_failed(claimed.queue, claimed.kind, code, claimed.attempts, error)
    exhausted = claimed.max_attempts is not None and claimed.attempts >= claimed.max_attempts
    if (final or exhausted) and claimed.max_attempts is not None:
        await bury(pool, claimed, text)
        return
    # Without a limit there is value behind it: a person is told, and it is tried for ever (money rule 11).
    delay = min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(claimed.attempts - 1, 10))
    await retry_later(pool, claimed, text, delay * rng.uniform(0.5, 1.0))


async def _renew(pool: Pool, claimed: Claimed, clock: Clock) -> None:
    while True:
        await clock.sleep(LEASE_SECONDS / 3)
        with suppress(TransientError):
            if not await renew(pool, claimed, LEASE_SECONDS):
                return


async def _sweep(pool: Pool, clock: Clock) -> None:
    while True:
        with suppress(TransientError):
            await sweep_expired(pool)
        await clock.sleep(_POLL_SECONDS)
