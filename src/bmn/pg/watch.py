"""Watching keys: what a watcher was given last is compared with what is there.

So a lost notification, a reconnect or a slow reader costs time, never a change: who reads on ends with the latest value
of each key. A change made by this process is passed on at once; one made by another when its wake-up comes, and at the
latest with the next poll.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress

from bmn.core.errors import Refused, TransientError
from bmn.pg.beside import running
from bmn.pg.entries import Change, Entry
from bmn.pg.pool import Connection, Pool, connection
from bmn.pg.wake import Topic, Wake, wait_for

WIDEST = 10_000
"""Keys that one watcher can compare."""

_POLL_SECONDS = 1.0
_MOST_PENDING = 256  # more news than this is read again when there is room

_VERSIONS_OF_KEYS = """
SELECT key, version FROM kv
WHERE key = ANY ($1::text[]) AND (expires_at IS NULL OR expires_at > statement_timestamp())
"""

# At most one more than WIDEST.
_VERSIONS_OF_PREFIX = """
SELECT key, version FROM kv
WHERE key ^@ $1 AND key >= $1 AND (expires_at IS NULL OR expires_at > statement_timestamp())
ORDER BY key LIMIT 10001
"""

_ENTRIES = """
SELECT key, value, version, tag FROM kv
WHERE key = ANY ($1::text[]) AND (expires_at IS NULL OR expires_at > statement_timestamp())
"""


class Watchers:
    """The watchers of this process."""

    def __init__(self, pool: Pool, wake: Wake) -> None:
        self._pool = pool
        self._wake = wake
        self._open: set[_Watcher] = set()

    @property
    def is_needed(self) -> bool:
        """Whether anybody watches."""
        return bool(self._open)

    def publish(self, changes: Iterable[Change]) -> None:
        """Tell what this process has just committed."""
        for change in changes:
            for watcher in self._open:
                if watcher.watches(change.key):
                    watcher.hear(change)

    @asynccontextmanager
    async def watch_keys(self, keys: Collection[str]) -> AsyncIterator[AsyncIterator[Change]]:
        """As `Kv.watch`."""
        wanted = frozenset(keys)
        if len(wanted) > WIDEST:
            raise _too_wide()
        async with self._watch(_VERSIONS_OF_KEYS, list(wanted), wanted.__contains__) as changes:
            yield changes

    @asynccontextmanager
    async def watch_prefix(self, prefix: str) -> AsyncIterator[AsyncIterator[Change]]:
        """As `Kv.watch_prefix`."""
        async with self._watch(_VERSIONS_OF_PREFIX, prefix, lambda key: key.startswith(prefix)) as changes:
            yield changes

    @asynccontextmanager
    async def _watch(
        self, query: str, subject: object, watches: Callable[[str], bool]
    ) -> AsyncIterator[AsyncIterator[Change]]:
        watcher = _Watcher(self._pool, query, subject, watches, self._wake.subscribe(Topic.CHANGES))
        self._open.add(watcher)
        try:
            async with running(watcher.compare_for_ever()):
                yield watcher.changes()
        finally:
            self._open.discard(watcher)
            self._wake.unsubscribe(watcher.woken)


class _Watcher:
    """What one reader was given, and what waits for it."""

    def __init__(
        self, pool: Pool, query: str, subject: object, watches: Callable[[str], bool], woken: asyncio.Event
    ) -> None:
        self.watches = watches
        self.woken = woken
        self._pool = pool
        self._query = query
        self._subject = subject
        self._given: dict[str, int] = {}
        """Version of each key that the reader knows to exist."""
        self._gone: dict[str, int] = {}
        """The same of those it knows to be deleted, for as long as older news may still come in."""
        self._pending: dict[str, Change] = {}
        self._news = asyncio.Event()
        self._behind = False
        self._touched: set[str] = set()
        """Keys that moved while a comparison was under way, which therefore says nothing about them."""

    def hear(self, change: Change) -> None:
        """Keep `change` for the reader unless it has, or will get, something newer."""
        key = change.key
        waiting = self._pending.get(key)
        if change.version <= max(self._given.get(key, 0), self._gone.get(key, 0), waiting.version if waiting else 0):
            return
        if change.entry is None and key not in self._given:
            self._pending.pop(key, None)
            self._gone[key] = change.version  # the reader never knew it
            return
        if waiting is None and len(self._pending) >= _MOST_PENDING:
            self._behind = True
            return
        self._pending[key] = change
        self._touched.add(key)
        self._news.set()

    async def changes(self) -> AsyncIterator[Change]:
        """Yield the news for ever."""
        while True:
            while self._pending:
                key = next(iter(self._pending))
                yield self._give(self._pending.pop(key))
            if self._behind:
                self._behind = False
                self.woken.set()
            self._news.clear()
            await self._news.wait()

    def _give(self, change: Change) -> Change:
        self._touched.add(change.key)
        if change.entry is None:
            self._given.pop(change.key, None)
            self._gone[change.key] = change.version
        else:
            self._given[change.key] = change.version
        return change

    async def compare_for_ever(self) -> None:
        """Compare at every wake-up and every poll until cancelled.

        Raises:
            Refused: WATCH_TOO_WIDE.
        """
        while True:
            self.woken.clear()  # before the look: what comes in during it wakes us again
            with suppress(TransientError):
                await self._compare()
            await wait_for(self.woken, _POLL_SECONDS)

    async def _compare(self) -> None:
        gone_before = set(self._gone)
        self._touched.clear()
        async with connection(self._pool) as conn:
            found = {row["key"]: row["version"] for row in await conn.fetch(self._query, self._subject)}
            if len(found) > WIDEST:
                raise _too_wide()
            changed = [key for key, version in found.items() if version > self._given.get(key, 0)]
            room = _MOST_PENDING - len(self._pending)
            self._behind = self._behind or len(changed) > room
            entries = await _load_entries(conn, changed[:room]) if changed and room else []
        for entry in entries:
            self.hear(Change(key=entry.key, entry=entry, version=entry.version))
        for key in [key for key in self._given if key not in found and key not in self._touched]:
            self._lose(key)
        for key in gone_before - self._touched:
            self._gone.pop(key, None)

    def _lose(self, key: str) -> None:
        """Tell that a key is not there any more."""
        if key not in self._pending and len(self._pending) >= _MOST_PENDING:
            self._behind = True
            return
        self._pending[key] = Change(key=key, entry=None, version=self._given[key])
        self._news.set()


async def _load_entries(conn: Connection, keys: list[str]) -> list[Entry]:
    return [Entry(**dict(row)) for row in await conn.fetch(_ENTRIES, keys)]


def _too_wide() -> Refused:
    return Refused(
        "WATCH_TOO_WIDE", f"one watcher compares at most {WIDEST} keys", hint="watch a longer prefix, or single keys"
    )
