"""The loop that works messages off: claim, handle, retry or bury; keeps leases alive; gives back what it holds.

A handler does its work and calls `queue.finish` inside the transaction that writes the result, so that state and
message commit together. How it ends decides what comes next: `TransientError` and unknown errors are tried again as the
policy says; after the last attempt, or past the deadline, or on `PermanentError` and `InvariantViolation`, the message
goes to the dead. One that is never given up (`max_attempts=None`) is reported and tried again in any case: there is
value behind it. Only `Undeliverable` buries that, too: nobody can work on it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from bmn.core.errors import BmnError, ConfigError, InvariantViolation, PermanentError, TimedOut, TransientError
from bmn.observe import engine as observe
from bmn.pg.errors import LostLease, Undeliverable, storable
from bmn.pg.pinned import Fetches, open_pinned
from bmn.pg.policy import RetryPolicy
from bmn.pg.pool import Pool
from bmn.pg.queue import Claimed, Priority, bury, claim, next_due, put_back, renew, retry_later, sweep_expired
from bmn.pg.wake import Wake, wait_for
from bmn.seams import Clock, Rng

LEASE_SECONDS = 2.0
"""How long a dead worker blocks a message; short, because a standby has to take over."""

LONGEST_HANDLING_SECONDS = 300.0
"""How long one attempt may take; then it has failed."""
GRACE_SECONDS = 5.0
"""How long a stopping worker lets the handlers under way go on."""

_POLL_SECONDS = 0.5
_DUE_SECONDS = 0.05  # asking when delayed messages are due costs as much as a claim: not after every one
_REPORT_EVERY = 10  # attempts of a message that is never given up
_ORDINARY = RetryPolicy(first=0.2, longest=30.0)

Handler = Callable[[Claimed], Awaitable[None]]
"""Does the work and finishes the message in its own transaction (`queue.finish`)."""

Report = Callable[[Claimed, Exception], None]
"""Tells a person about a message that fails and is never given up. Must not block."""

PolicyOf = Callable[[str], RetryPolicy]
"""Of a kind. Whether a message is given up at all, and when, is its own `max_attempts`."""

SecondsLeft = Callable[[Claimed], Awaitable[float | None]]
"""How long retrying a message makes sense; None: for ever."""


async def run_worker(
    pool: Pool,
    queues: Sequence[str],
    handle: Handler,
    *,
    concurrency: int,
    wake: Wake,
    clock: Clock,
    rng: Rng,
    policy_of: PolicyOf = lambda _: _ORDINARY,
    seconds_left: SecondsLeft | None = None,
    report: Report | None = None,
    reserved: int = 0,
    lease: float = LEASE_SECONDS,
    longest: float = LONGEST_HANDLING_SECONDS,
    grace: float = GRACE_SECONDS,
) -> None:
    """Work on `queues` until cancelled, at most `concurrency` messages at once, and `reserved` more critical ones.

    Keeps one connection of the pool for itself; the pool needs more than `concurrency`, or handlers that each hold one
    leave none to renew leases with.

    When cancelled, nothing more is claimed; handlers have `grace` seconds to end, then they are cancelled and their
    messages are given back, as if they had not been claimed.
    """
    worker = _Worker(
        pool, queues, handle, concurrency, reserved, wake, clock, rng, policy_of, seconds_left, report, lease, longest
    )
    async with open_pinned(pool) as pinned, asyncio.TaskGroup() as group:
        group.create_task(worker.keep_leases())
        group.create_task(worker.sweep())
        taking = group.create_task(worker.take(group, pinned))
        try:
            await asyncio.wait([taking])
        except asyncio.CancelledError:
            worker.stop()
            # A claim under way is awaited: cancelled, it would leave messages leased to nobody.
            await asyncio.wait([taking], timeout=lease)
            if tasks := worker.tasks():
                await asyncio.wait(tasks, timeout=grace)
            raise


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
        reserved: int,
        wake: Wake,
        clock: Clock,
        rng: Rng,
        policy_of: PolicyOf,
        seconds_left: SecondsLeft | None,
        report: Report | None,
        lease: float,
        longest: float,
    ) -> None:
        self._pool = pool
        self._queues = queues
        self._handle = handle
        self._concurrency = concurrency
        self._reserved = reserved
        self._wake = wake
        self._woken = wake.subscribe()
        self._clock = clock
        self._rng = rng
        self._policy_of = policy_of
        self._seconds_left = seconds_left
        self._report = report
        self._lease = lease
        self._longest = longest
        self._jobs: dict[int, _Job] = {}
        """By token: a message may come back while an attempt that lost it still goes on."""
        self._stopping = False
        self._ask_due_at = 0.0

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        self._woken.set()

    def tasks(self) -> list[asyncio.Task[None]]:
        """Return the handlers under way."""
        return [job.task for job in self._jobs.values()]

    async def take(self, group: asyncio.TaskGroup, pinned: Fetches) -> None:
        """Claim whenever there is room, and start a handler for each message."""
        while not self._stopping:
            self._woken.clear()  # before the claim: what comes in during it wakes us again
            free, least = self._concurrency - len(self._jobs), Priority.LOW
            if free <= 0:
                free, least = free + self._reserved, Priority.CRITICAL
            if free <= 0:
                await self._woken.wait()
                continue
            asked_at = self._clock.monotonic()
            pause = _POLL_SECONDS
            try:
                claims = await claim(pinned, self._queues, free, self._lease, least=least)
                for claimed in claims:
                    self._lose_earlier(claimed)
                    task = group.create_task(self._work(claimed), name=f"{claimed.queue} {claimed.id}")
                    self._jobs[claimed.token] = _Job(claimed, task, asked_at + self._lease * 2 / 3)
                if len(claims) < free:
                    pause = await self._seconds_idle()
            except TransientError as error:
                observe.worker_waits(error.code)
            await wait_for(self._woken, pause)

    def _lose_earlier(self, claimed: Claimed) -> None:
        """Stop our own attempt at a message that we could claim again: its lease has ended."""
        for job in self._jobs.values():
            if job.claimed.id == claimed.id:
                job.lose()

    async def _seconds_idle(self) -> float:
        """Return how long to wait: until a delayed message is due, or until it is time to ask when that is."""
        now = self._clock.monotonic()
        if now < self._ask_due_at:
            return self._ask_due_at - now
        self._ask_due_at = now + _DUE_SECONDS
        due = await next_due(self._pool, self._queues)
        return _POLL_SECONDS if due is None else min(_POLL_SECONDS, due)

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
                elif (ours is not None or now >= job.believed_until) and job.claimed.token in self._jobs:
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
        job = self._jobs[claimed.token]
        started = self._clock.monotonic()
        try:
            await self._attempt(claimed)
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
            try:
                await self._failed(claimed, error)
            except Exception as again:  # noqa: BLE001 - same; the lease ends by itself, and the message comes back
                observe.worker_waits(again.code if isinstance(again, BmnError) else "UNEXPECTED")
        finally:
            del self._jobs[claimed.token]
            self._woken.set()

    async def _attempt(self, claimed: Claimed) -> None:
        cap = asyncio.timeout(self._longest)
        try:
            async with cap:
                await self._handle(claimed)
        except TimeoutError as error:
            if not cap.expired():
                raise
            raise TimedOut("HANDLING_TOO_LONG", f"the attempt took more than {self._longest:g} seconds") from error

    async def _return(self, claimed: Claimed) -> None:
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(self._lease):
                await put_back(self._pool, claimed)
        self._wake.signal()

    async def _failed(self, claimed: Claimed, error: Exception) -> None:
        code = error.code if isinstance(error, BmnError) else "UNEXPECTED"
        # The text of an unknown error may hold anything, and this goes to a table that people read.
        text = storable(str(error)) if isinstance(error, BmnError) else type(error).__name__
        observe.message_failed(claimed.queue, claimed.kind, code, claimed.attempts, error)
        for_a_person = isinstance(error, PermanentError | ConfigError | InvariantViolation)
        delay = await self._delay(claimed, error, for_a_person=for_a_person)
        if delay is None:
            await bury(self._pool, claimed, text, code=code)
            return
        if claimed.max_attempts is None and (for_a_person or claimed.attempts % _REPORT_EVERY == 0):
            self._tell(claimed, error)
        await retry_later(self._pool, claimed, text, delay, code=code)

    async def _delay(self, claimed: Claimed, error: Exception, *, for_a_person: bool) -> float | None:
        """Return the seconds until the next attempt; None: there is none."""
        policy = self._policy_of(claimed.kind)
        if isinstance(error, Undeliverable):
            return None
        if claimed.max_attempts is None:
            return replace(policy, max_retries=None).next_delay(claimed.attempts, self._rng)
        if for_a_person:
            return None
        left = None if self._seconds_left is None else await self._seconds_left(claimed)
        policy = replace(policy, max_retries=claimed.max_attempts - 1)
        return policy.next_delay(claimed.attempts, self._rng, deadline=left)

    def _tell(self, claimed: Claimed, error: Exception) -> None:
        if self._report is not None:
            self._report(claimed, error)
