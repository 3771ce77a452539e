"""Keys and values: read, compare and change many at once, with messages put and finished in the same commit.

Calls of one process that wait at the same time share one statement and one commit (`grouped`); each still stands or
fails for itself. Keys are text, compared byte by byte; values are bytes, which may be secret to logs and do not print.
The database's clock decides when an entry has expired; an expired one is absent at once, and removed later.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from bmn.core.errors import BadInput
from bmn.pg.entries import Change, Entry
from bmn.pg.errors import LostLease
from bmn.pg.grouped import Grouped, open_grouped
from bmn.pg.pinned import Fetches
from bmn.pg.pool import Connection, Pool, connection
from bmn.pg.queue import Claimed, NewMessage
from bmn.pg.wake import Topic, Wake
from bmn.pg.watch import Watchers

LONGEST_KEY = 1024
"""In bytes of UTF-8."""

LARGEST_VALUE = 1 << 20
"""In bytes: a commit is held in memory several times over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The commit stands only if the key is at this version."""

    key: str
    version: int | None
    """None: it must not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Give a key a value, whatever it held."""

    key: str
    value: bytes = field(repr=False)
    tag: str | None = None
    expires_in: float | None = None
    """Seconds from now."""

    def __post_init__(self) -> None:
        """Refuse what the table cannot hold."""
        _check_key(self.key)
        if len(self.value) > LARGEST_VALUE:
            raise BadInput(
                "VALUE_TOO_LARGE", f"{self.key}: a value has at most {LARGEST_VALUE} bytes, this has {len(self.value)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove a key; one that is not there stays so."""

    key: str

    def __post_init__(self) -> None:
        """Refuse what cannot be a key."""
        _check_key(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Changes that stand together or not at all."""

    checks: tuple[Check, ...] = ()
    changes: tuple[Set | Delete, ...] = ()
    messages: tuple[NewMessage, ...] = ()
    finishes: tuple[Claimed, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a commit that contradicts itself."""
        _check_once("changes key", [change.key for change in self.changes])
        _check_once("puts message", [(one.queue, one.dedup) for one in self.messages if one.dedup is not None])
        _check_once("finishes message", [one.id for one in self.finishes])

    @property
    def touches(self) -> frozenset[str]:
        """Return what no two commits of one statement may have in common."""
        found = {check.key for check in self.checks}
        found.update(change.key for change in self.changes)
        found.update(f"\0{one.queue}\0{one.dedup}" for one in self.messages if one.dedup is not None)
        found.update(f"\0{one.id}" for one in self.finishes)  # two claims of it: one of them is late
        return frozenset(found)


class Kv:
    """The table of keys and values; made by `open_kv`.

    Every method raises `TransientError` when the database does not answer; a change may then stand or not.
    """

    def __init__(
        self,
        pool: Pool,
        wake: Wake,
        watchers: Watchers,
        read: "Grouped[str, Entry | None]",
        write: "Grouped[Commit, int]",
    ) -> None:
        self._pool = pool
        self._wake = wake
        self._watchers = watchers
        self._read = read
        self._write = write

    async def get(self, key: str) -> Entry | None:
        """Return what `key` holds, or None."""
        return await self._read(key)

    async def get_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return what each of `keys` holds, or None, as of one moment."""
        async with connection(self._pool) as conn:
            return await _read_all(conn, keys)

    async def set(self, key: str, value: bytes, *, tag: str | None = None, expires_in: float | None = None) -> int:
        """Give `key` a value whatever it held; return its version.

        Raises:
            BadInput: BAD_KEY, VALUE_TOO_LARGE.
        """
        change = Set(key=key, value=value, tag=tag, expires_in=expires_in)
        version = await self.commit(Commit(changes=(change,)))
        assert version is not None
        return version

    async def delete(self, key: str) -> None:
        """Remove `key`."""
        await self.commit(Commit(changes=(Delete(key=key),)))

    async def commit(self, commit: Commit) -> int | None:
        """Make all changes, or none when a check fails; return the version of what was set, or None.

        Raises:
            LostLease: a message to be finished is not ours any more; nothing stands.
        """
        version = await self._write(commit)
        if not _stands(commit, version):
            return None
        if self._watchers.is_needed:
            self._watchers.publish(_changes(commit, version))
        if commit.messages:
            self._wake.signal(Topic.MESSAGES)
        if commit.changes:
            self._wake.signal_elsewhere(Topic.CHANGES)  # the watchers of this process have them already
        return version

    async def list_range(
        self,
        *,
        prefix: str = "",
        start: str = "",
        end: str | None = None,
        after: str | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> list[Entry]:
        """Return at most `limit` entries in the order of their keys: those with `prefix`, in [`start`, `end`).

        The next page begins `after` the last key of this one; with `reverse` the order is turned round.
        """
        query = _LIST_REVERSE if reverse else _LIST
        low, high = max(prefix, start), _lower(_end_of(prefix), end)
        async with connection(self._pool) as conn:
            return [_entry(row) for row in await conn.fetch(query, low, high, after, limit)]

    async def list_tagged(self, tag: str, *, after: str | None = None, limit: int = 100) -> list[Entry]:
        """Return at most `limit` entries with this tag in the order of their keys, from the one `after` on."""
        async with connection(self._pool) as conn:
            return [_entry(row) for row in await conn.fetch(_LIST_TAGGED, tag, after or "", limit)]

    @asynccontextmanager
    async def watch(self, keys: Collection[str]) -> AsyncIterator[AsyncIterator[Change]]:
        """Yield the changes of `keys` from now on, made by any process.

        First each key as it is, then each change, in order for each key. Who is slow gets the last of several changes
        of a key, never an older one after a newer.
        """
        async with self._watchers.watch_keys(keys) as changes:
            yield changes

    @asynccontextmanager
    async def watch_prefix(self, prefix: str) -> AsyncIterator[AsyncIterator[Change]]:
        """Yield the changes of all keys with `prefix`, as `watch`; first those that exist.

        Raises:
            Refused: WATCH_TOO_WIDE, more keys than one watcher can compare.
        """
        async with self._watchers.watch_prefix(prefix) as changes:
            yield changes


@asynccontextmanager
async def open_kv(pool: Pool, wake: Wake) -> AsyncIterator[Kv]:
    """Yield the table; it keeps two connections of the pool for itself while in use.

    One for each process: the watchers of a second one would hear of the changes of the first by polling only.
    """
    async with (
        open_grouped(pool, _read_all) as read,
        open_grouped(pool, commit_all, touches=lambda commit: commit.touches) as write,
    ):
        yield Kv(pool, wake, Watchers(pool, wake), read, write)


async def apply_commit(conn: Connection, commit: Commit) -> int | None:
    """Make all changes as part of the caller's transaction, or none when a check fails; return version or None.

    Nobody is woken: call `Wake.signal` after the commit.

    Raises:
        LostLease: a message to be finished is not ours any more: let the transaction fail.
    """
    [version] = await commit_all(conn, [commit])
    return version if _stands(commit, version) else None


_SWEEP = """
DELETE FROM kv WHERE key IN (
    SELECT key FROM kv WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
"""


async def sweep_expired_entries(pool: Pool) -> int:
    """Remove entries that have expired, at most 1,000; return how many."""
    async with connection(pool) as conn:
        return int((await conn.execute(_SWEEP)).removeprefix("DELETE "))


_GET = """
SELECT key, value, version, tag FROM kv
WHERE key = ANY ($1::text[]) AND (expires_at IS NULL OR expires_at > statement_timestamp())
"""

_LIST = """
SELECT key, value, version, tag FROM kv
WHERE key >= $1 AND ($2::text IS NULL OR key < $2) AND ($3::text IS NULL OR key > $3)
  AND (expires_at IS NULL OR expires_at > statement_timestamp())
ORDER BY key LIMIT $4
"""

_LIST_REVERSE = """
SELECT key, value, version, tag FROM kv
WHERE key >= $1 AND ($2::text IS NULL OR key < $2) AND ($3::text IS NULL OR key < $3)
  AND (expires_at IS NULL OR expires_at > statement_timestamp())
ORDER BY key DESC LIMIT $4
"""

_LIST_TAGGED = """
SELECT key, value, version, tag FROM kv
WHERE tag = $1 AND key > $2 AND (expires_at IS NULL OR expires_at > statement_timestamp())
ORDER BY key LIMIT $3
"""

_GET_ONE = """
SELECT key, value, version, tag FROM kv
WHERE key = $1 AND (expires_at IS NULL OR expires_at > statement_timestamp())
"""

_SET = """
INSERT INTO kv (key, value, version, tag, expires_at)
SELECT $1, $2, nextval('kv_version'), $3, clock_timestamp() + make_interval(secs => $4)
FROM (SELECT kv_lock(kv_bucket($1))) AS locked
ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, version = EXCLUDED.version, tag = EXCLUDED.tag,
                                expires_at = EXCLUDED.expires_at
RETURNING version
"""

# Without messages: an empty array for each costs as much as the change itself.
_COMMIT_CHANGES = """
SELECT kv_commit($1, $2, $3, $4, $5, $6, $7, $8, $9, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                 '{}', '{}')
"""

_COMMIT = """
SELECT kv_commit($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
"""


async def _read_all(conn: Fetches, keys: Sequence[str]) -> list[Entry | None]:
    if len(keys) == 1:
        rows = await conn.fetch(_GET_ONE, keys[0])
        return [_entry(rows[0]) if rows else None]
    found = {row["key"]: _entry(row) for row in await conn.fetch(_GET, keys)}
    return [found.get(key) for key in keys]


async def commit_all(conn: Fetches, commits: Sequence[Commit]) -> list[int]:
    """Make several commits, each for itself; return for each its version, 0 (a check failed) or -1 (a lost message)."""
    if len(commits) == 1 and (change := _only_change(commits[0])) is not None:
        [row] = await conn.fetch(_SET, change.key, change.value, change.tag, change.expires_in)
        return [row["version"]]
    checks, changes, finishes, messages = [], [], [], []
    for number, commit in enumerate(commits, 1):
        checks += [(number, one.key, one.version) for one in commit.checks]
        changes += [(number, *_row(one)) for one in commit.changes]
        finishes += [(number, one.id, one.token) for one in commit.finishes]
        messages += [
            (
                number,
                one.queue,
                one.kind,
                int(one.priority),
                one.delay,
                one.exclusive,
                one.payload,
                one.dedup,
                one.max_attempts,
                one.trace,
            )
            for one in commit.messages
        ]
    query, columns = _COMMIT_CHANGES, [*_columns(checks, 3), *_columns(changes, 5)]
    if finishes or messages:
        query, columns = _COMMIT, [*columns, *_columns(finishes, 3), *_columns(messages, 10)]
    try:
        [[versions]] = await conn.fetch(query, len(commits), *columns)
    except asyncpg.PostgresError as error:
        if error.sqlstate != _ONE_OF_SEVERAL_LOST or len(commits) > 1:
            raise
        raise LostLease("one of the messages") from error
    return list(versions)


_ONE_OF_SEVERAL_LOST = "BM001"


def _only_change(commit: Commit) -> Set | None:
    """Return the change of a commit that does nothing else: it costs half by itself."""
    if commit.checks or commit.messages or commit.finishes or len(commit.changes) != 1:
        return None
    [change] = commit.changes
    return change if isinstance(change, Set) else None


def _row(change: Set | Delete) -> tuple[str, bytes | None, str | None, float | None]:
    if isinstance(change, Delete):
        return change.key, None, None, None
    return change.key, change.value, change.tag, change.expires_in


Column: TypeAlias = Sequence[object]


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[Column]:
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _stands(commit: Commit, version: int) -> bool:
    """Whether the commit stands; a finished message knows it.

    Raises:
        LostLease: a message is not ours any more.
    """
    if version < 0:
        raise LostLease(f"message {commit.finishes[0].id}")
    if version == 0:
        return False
    for claimed in commit.finishes:
        claimed.finished.set()
    return True


def _changes(commit: Commit, version: int) -> list[Change]:
    return [
        Change(
            key=change.key,
            entry=None
            if isinstance(change, Delete)
            else Entry(key=change.key, value=change.value, version=version, tag=change.tag),
            version=version,
        )
        for change in commit.changes
    ]


def _check_key(key: str) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:  # half a surrogate pair
        size = 0
    if not 1 <= size <= LONGEST_KEY or "\0" in key:
        raise BadInput("BAD_KEY", f"a key has 1 to {LONGEST_KEY} bytes of UTF-8 and no zero byte: {key[:40]!r}")


def _check_once(what: str, found: Sequence[object]) -> None:
    if len(set(found)) != len(found):
        raise BadInput("BAD_COMMIT", f"a commit {what} twice: which of them should stand?")


def _entry(row: asyncpg.Record) -> Entry:
    return Entry(key=row["key"], value=row["value"], version=row["version"], tag=row["tag"])


def _end_of(prefix: str) -> str | None:
    """Return the first key after all keys with `prefix`; None: there is no such end."""
    for length in range(len(prefix), 0, -1):
        last = ord(prefix[length - 1])
        if last < 0x10FFFF:
            return prefix[: length - 1] + chr(0xE000 if last == 0xD7FF else last + 1)
    return None


def _lower(one: str | None, other: str | None) -> str | None:
    return other if one is None else one if other is None else min(one, other)
