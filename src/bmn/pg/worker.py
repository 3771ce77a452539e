"""The loop that works messages off: claim, handle, retry or bury; keeps leases alive; gives back what it holds.

A handler does its work and calls `queue.finish` inside the transaction that writes the result, so that state and
message commit together. How it ends decides what comes next: `TransientError` and unknown errors are tried again later,
`PermanentError` and `InvariantViolation` go to the dead messages and are reported. A message that is never given up
(`max_attempts=None`) is reported and tried again in any case: there is value behind it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bmn.core.errors import BmnError, ConfigError, InvariantViolation, PermanentError, TransientError
from bmn.observe import engine as observe
from bmn.pg.errors import LostLease
from bmn.pg.pool import Pool
from bmn.pg.queue import Claimed, Fate, bury, claim, next_due, put_back, renew, retry_later, sweep_expired
from bmn.pg.wake import Wake, wait_for
from bmn.seams import Clock, Rng

LEASE_SECONDS = 2.0
"""How long a dead worker blocks a message; short, because a standby has to take over."""

_POLL_SECONDS = 0.5
_LONGEST_HANDLING_SECONDS = 300.0
_FIRST_RETRY_SECONDS = 0.2
_LONGEST_RETRY_SECONDS = 30.0
_REPORT_EVERY = 10  # attempts of a message that is never given up

Handler = Callable[[Claimed], Awaitable[None]]
"""Does the work and finishes the message in its own transaction (`queue.finish`)."""

Report = Callable[[Claimed, Exception], None]
"""Tells a person about a message that needs one. Must not block."""


async def run_worker(
    pool: Pool,
    queues: Sequence[str],
    handle: Handler,
    *,
    concurrency: int,
    wake: Wake,
    clock: Clock,
    rng: Rng,
    report: Report | None = None,
    lease: float = LEASE_SECONDS,
) -> None:
    """Work on `queues` until cancelled, at most `concurrency` messages at once.

    When cancelled, handlers are cancelled too and their messages are given back, as if they had not been claimed.
    """
    worker = _Worker(pool, queues, handle, concurrency, wake, clock, rng, report, lease)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.keep_leases())
        group.create_task(worker.sweep())
        await worker.take(group)


@dataclass(slots=True)
class _Job:
    """A message being handled. Mutable: the lease moves, and may be lost."""

    claimed: Claimed
    task: asyncio.Task[None]
    believed_until: float
    """Monotonic time after which we no longer believe that it is ours."""
    lost: bool = False

    def lose(self) -> None:
        """Stop the handler: another worker may have the message."""
        self.lost = True
        self.task.cancel()


class _Worker:
    """What one worker holds at the moment."""

    def __init__(
        self,
        pool: Pool,
        queues: Sequence[str],
        handle: Handler,
        concurrency: int,
        wake: Wake,
        clock: Clock,
        rng: Rng,
        report: Report | None,
        lease: float,
    ) -> None:
        self._pool = pool
        self._queues = queues
        self._handle = handle
        self._concurrency = concurrency
        self._wake = wake
        self._woken = wake.subscribe()
        self._clock = clock
        self._rng = rng
        self._report = report
        self._lease = lease
        self._jobs: dict[int, _Job] = {}

    async def take(self, group: asyncio.TaskGroup) -> None:
        """Claim whenever there is room, and start a handler for each message."""
        while True:
            self._woken.clear()  # before the claim: what comes in during it wakes us again
            free = self._concurrency - len(self._jobs)
            if free == 0:
                await self._woken.wait()
                continue
            asked_at = self._clock.monotonic()
            pause = _POLL_SECONDS
            try:
                claims = await claim(self._pool, self._queues, free, self._lease)
                for claimed in claims:
                    task = group.create_task(self._work(claimed), name=f"{claimed.queue} {claimed.id}")
                    self._jobs[claimed.id] = _Job(claimed, task, asked_at + self._lease * 2 / 3)
                if len(claims) < free:
                    pause = min(pause, await next_due(self._pool, self._queues) or pause)
            except TransientError as error:
                observe.worker_waits(error.code)
            await wait_for(self._woken, pause)

    async def keep_leases(self) -> None:
        """Renew at thirds; stop the handlers of messages that are not ours any more, or may not be."""
        while True:
            await self._clock.sleep(self._lease / 6)
            held = list(self._jobs.values())
            if not held:
                continue
            asked_at = self._clock.monotonic()
            ours = None
            with suppress(TransientError, TimeoutError):
                async with asyncio.timeout(self._lease / 3):
                    ours = await renew(self._pool, [job.claimed for job in held], self._lease)
            now = self._clock.monotonic()
            for job in held:
                if ours is not None and job.claimed.id in ours:
                    job.believed_until = asked_at + self._lease * 2 / 3
                elif (ours is not None or now >= job.believed_until) and job.claimed.id in self._jobs:
                    job.lose()

    async def sweep(self) -> None:
        """Hand out again what dead workers held."""
        while True:
            try:
                if await sweep_expired(self._pool):
                    self._wake.signal()
            except TransientError as error:
                observe.worker_waits(error.code)
            await self._clock.sleep(_POLL_SECONDS)

    async def _work(self, claimed: Claimed) -> None:
        job = self._jobs[claimed.id]
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(_LONGEST_HANDLING_SECONDS):
                await self._handle(claimed)
            if not claimed.finished.is_set():
                raise InvariantViolation("NOT_FINISHED", f"the handler of {claimed.kind} did not finish its message")
            observe.message_finished(claimed.queue, claimed.kind, self._clock.monotonic() - started)
            self._wake.signal()  # follow-ups, and messages of the same key that had to wait
        except asyncio.CancelledError:
            if not job.lost:
                await self._return(claimed)
                raise
            observe.message_lost(claimed.queue, claimed.kind)
        except LostLease:
            observe.message_lost(claimed.queue, claimed.kind)
        except Exception as error:  # noqa: BLE001 - the edge of the worker loop (rule 16)
            with suppress(TransientError):  # the lease ends by itself, and the message comes back
                await self._failed(claimed, error)
        finally:
            del self._jobs[claimed.id]
            self._woken.set()

    async def _return(self, claimed: Claimed) -> None:
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(self._lease):
                await put_back(self._pool, claimed)
        self._wake.signal()

    async def _failed(self, claimed: Claimed, error: Exception) -> None:
        code = error.code if isinstance(error, BmnError) else "UNEXPECTED"
        # The text of an unknown error may hold anything, and this goes to a table that people read.
        text = str(error) if isinstance(error, BmnError) else type(error).__name__
        observe.message_failed(claimed.queue, claimed.kind, code, claimed.attempts, error)
        for_a_person = isinstance(error, PermanentError | ConfigError | InvariantViolation)
        if for_a_person and claimed.max_attempts is not None:
            self._tell(claimed, error)
            await bury(self._pool, claimed, text)
            return
        if claimed.max_attempts is None and (for_a_person or claimed.attempts % _REPORT_EVERY == 0):
            self._tell(claimed, error)
        delay = min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(claimed.attempts - 1, 10))
        fate = await retry_later(self._pool, claimed, text, delay * self._rng.uniform(0.5, 1.0))
        if fate is Fate.DEAD:
            self._tell(claimed, error)

    def _tell(self, claimed: Claimed, error: Exception) -> None:
        if self._report is not None:
            self._report(claimed, error)
